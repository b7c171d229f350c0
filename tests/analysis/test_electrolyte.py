"""What the impedance of a cell, and the conductivity of its pellet, tell the tests of that cell, early or late."""

import numpy as np
import pytest

from analysis.decisions import judge
from analysis.lineage import prov
from analysis.models import AnalysisRun
from analysis.science import synthetic
from analysis.science.synthetic_series import Cell as Made
from analysis.science.synthetic_series import current_steps, galvanostatic_test
from analysis.tasks import drain
from lagpdb.records import withdraw
from tests import spine

pytestmark = pytest.mark.django_db
AREA = np.pi / 4


def recorded(asr_ohm_cm2=20.0, seed=1):
    """Ten cycles at 0.1 mA/cm²; of 20 Ω cm², where the electrolyte alone has 314."""
    made = Made(area_cm2=AREA, asr_ohm_cm2=asr_ohm_cm2, noise_V=1e-5)
    frame = galvanostatic_test(
        current_steps([0.1], 3600.0, 0.0, 10), made, np.random.default_rng(seed), interval_s=60.0
    ).frame
    return frame[["time_s", "potential_V", "current_A"]].to_csv(index=False).encode()


def spectrum(electrolyte_ohm=400.0, seed=1):
    frequency = synthetic.frequencies_Hz(1e6, 0.1)
    z = synthetic.symmetric_cell_spectrum(
        frequency, electrolyte_resistance_ohm=electrolyte_ohm, interfacial_resistance_ohm=200.0, noise_fraction=0.001,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    lines = [f"{f:.6g},{v.real:.8g},{v.imag:.8g}" for f, v in zip(frequency, z, strict=True)]
    return ("frequency_Hz,z_real_ohm,z_imag_ohm\n" + "\n".join(lines) + "\n").encode()


def lifetime(cell):
    found = spine.number("time_to_failure_h", cell)
    return found.limit, found.run


def runs_on(cell):
    return AnalysisRun.objects.filter(analysis="plating", measurement__cell=cell)


def test_a_cell_that_had_shorted_is_found_by_its_own_impedance():
    cell = spine.cell(configuration="symmetric")
    (eis,) = spine.taken_in((f"{cell.code}_EIS_before_25C.csv", spectrum()))
    spine.taken_in((f"{cell.code}_25C.csv", recorded()))
    limit, run = lifetime(cell)
    assert limit == "="
    entry = run.inputs["electrolyte_resistance_ohm"]
    assert entry["value"] == pytest.approx(400.0, rel=0.01)
    assert entry["origin"] == f"{eis.measurements.get().code}, before the test"
    used = run.run_inputs.get().result
    assert (used.quantity, used.measurement) == ("electrolyte_resistance_ohm", eis.measurements.get())
    assert used.measurement.code in str(prov(f"run-{run.pk}", direction="back"))


def test_an_impedance_that_comes_later_is_heard_once_and_only_where_it_matters():
    cell = spine.cell(configuration="symmetric")
    spine.taken_in((f"{cell.code}_25C.csv", recorded()))
    assert lifetime(cell)[0] == ">"
    (eis,) = spine.taken_in((f"{cell.code}_EIS_before_25C.csv", spectrum()))
    assert eis.state == "done"
    limit, run = lifetime(cell)
    assert (limit, run.reason) == ("=", "The resistance of the electrolyte is known from other recordings now.")
    assert run.caused_by.get() == eis  # the file was done only when this was
    count = runs_on(cell).count()
    spine.taken_in((f"{cell.code}_EIS_after_25C.csv", spectrum(20.0, seed=2)))  # says nothing new
    assert runs_on(cell).count() == count
    withdraw(eis.measurements.get(), by=None, reason="another cell")
    drain()
    limit, run = lifetime(cell)
    assert limit == ">"
    assert "ohmic_limit_late" in dict(run.warnings)
    spine.check_invariants()


def test_a_rejected_number_no_longer_tells():
    cell = spine.cell(configuration="symmetric")
    spine.taken_in((f"{cell.code}_EIS_before_25C.csv", spectrum()), (f"{cell.code}_25C.csv", recorded()))
    assert lifetime(cell)[0] == "="
    judge(spine.number("electrolyte_resistance_ohm", cell), "rejected", by=None, reason="bad contact")
    drain()
    assert lifetime(cell)[0] == ">"


def test_the_conductivity_of_the_pellet_tells_the_cells_made_of_it():
    """L/(σ A) of 800 µm at 2e-4 S/cm: 509 Ω, whatever a spectrum of the shorted cell says."""
    pellet = spine.pellet()
    cell = spine.cell(pellet, configuration="symmetric")
    spine.taken_in((f"{cell.code}_EIS_before_25C.csv", spectrum(20.0)), (f"{cell.code}_25C.csv", recorded()))
    assert lifetime(cell)[0] == ">"
    cell.state = "dismantled"
    cell.save()
    blocking = spine.cell(pellet)
    spine.arrhenius(blocking, 60)
    assert runs_on(cell).count() == 1
    spine.arrhenius(blocking, 25)
    limit, run = lifetime(cell)
    assert limit == "="
    assert run.inputs["electrolyte_resistance_ohm"]["value"] == pytest.approx(0.08 / (2e-4 * AREA), rel=0.01)
    assert "electrolyte_resistance_differs" in dict(run.warnings)
    spine.check_invariants()


def test_a_sound_cell_stays_sound_and_what_a_person_gave_stays():
    cell = spine.cell(configuration="symmetric")
    spine.taken_in((f"{cell.code}_25C.csv", recorded(600.0)), parameters={"voltage_limit_V": 5.0})
    spine.taken_in((f"{cell.code}_EIS_before_25C.csv", spectrum()))
    limit, run = lifetime(cell)
    assert limit == ">"
    assert run.inputs["electrolyte_resistance_ohm"]["value"] == pytest.approx(400.0, rel=0.01)
    assert "ohmic_limit_unknown" not in dict(run.warnings)
    assert runs_on(cell).count() == 2
