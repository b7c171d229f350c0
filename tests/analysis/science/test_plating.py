"""Overpotential and lifetime of long plating tests: closed forms, synthetic truth, and a real file."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis.science.base import Subject
from analysis.science.plating import Plating
from analysis.science.symmetric import electrolyte
from analysis.science.synthetic_series import Cell, current_steps, galvanostatic_test

AREA = 0.7854
SUBJECT = Subject("cell", "CEL-0098", "symmetric", electrode_area_cm2=AREA)
AT_25 = {"temperature_degC": 25.0, "temperature_origin": "file"}
CELL = Cell(area_cm2=AREA, asr_ohm_cm2=460.0, noise_V=1e-4)


def life(cycles=30, cell=CELL, seed=2, **event):
    programme = current_steps([0.1], 3600.0, 0.0, cycles)
    return galvanostatic_test(programme, cell, np.random.default_rng(seed), interval_s=30.0, **event)


def run(frame, **parameters):
    outcome = Plating().run(frame, SUBJECT, AT_25 | parameters)
    return {(finding.quantity, finding.label): finding for finding in outcome.findings}, outcome


def test_overpotential_is_half_the_span():
    found, _ = run(life().frame)
    for label in ("first_cycle", "end"):
        assert found["overpotential_mV", label].value == pytest.approx(46.0, abs=0.1)  # 0.1 mA/cm² · 460 Ω cm²
    assert found["overpotential_mV", "first_cycle"].cycle_number == 1
    assert found["overpotential_mV", "end"].cycle_number == 30
    assert found["overpotential_mV", "end"].current_density_mA_cm2 == pytest.approx(0.1)


def test_overpotential_follows_a_cell_that_grows():
    grown = Cell(area_cm2=AREA, asr_ohm_cm2=460.0, noise_V=1e-4, drift_fraction=0.6)
    found, outcome = run(life(50, grown).frame, overpotential_at_h=[50.0, 500.0])
    at_half = found["overpotential_mV", "50h"]
    assert at_half.value == pytest.approx(46.0 * 1.3, rel=0.01)
    assert found["overpotential_mV", "500h"].flag == "missing"
    assert found["overpotential_mV", "end"].value == pytest.approx(46.0 * 1.6, rel=0.02)
    assert found["time_to_failure_h", ""].limit == ">"
    # 46 mV · 0.6 in 100 h.
    assert outcome.inputs["overpotential_trend"]["value"] == "+28 mV per 100 h"


def test_a_pause_is_said_and_the_trend_goes_across_it():
    """Two parts of 10 and 5 cycles with 2 h between them, as a join leaves them."""
    frame = life(15).frame
    frame["time_s"] += np.where(frame["time_s"] > 20 * 3600.0, 7200.0, 0.0)
    found, outcome = run(frame)
    assert "No current flowed for 2.0" in dict(outcome.warnings)["paused"]
    assert outcome.inputs["overpotential_trend"]["origin"].startswith(
        "median slope over 15 cycles, across a pause of 2.0"
    )
    assert found["time_to_failure_h", ""].value == pytest.approx(32.0, abs=0.05)


def test_nothing_is_said_of_a_pause_where_there_is_none():
    _, outcome = run(life(15).frame)
    assert "paused" not in dict(outcome.warnings)
    assert outcome.inputs["overpotential_trend"]["origin"] == "median slope over 15 cycles"


def crept(shares, cycles=50):
    """A life at 460 Ω cm² times a share that runs along these values; half-cycles of 1 h."""
    frame = life(cycles).frame
    hours = frame["time_s"] / 3600.0
    frame["potential_V"] *= np.interp(hours, np.linspace(0.0, 2.0 * cycles, len(shares)), shares)
    return frame


def test_a_resistance_that_creeps_down_is_said_and_the_cell_stays_alive():
    # From 1 to 0.3 within 100 h; of the halves 3 to 12 (from 2 to 12 h) the middle is at 7 h: 0.951.
    found, outcome = run(crept([1.0, 0.3]))
    sentence = dict(outcome.warnings)["resistance_fell"]
    usual = 460.0 / AREA * 0.951
    assert f"fell from {usual:.0f} Ω in the first half-cycles to {460.0 / AREA * 0.314:.0f} Ω" in sentence
    # Below 60 % of it where 1 − 0.007 h = 0.6 · 0.951: from the half-cycle in whose middle it is, at 61.3 h.
    assert float(re.search(r"from (\S+) h on", sentence)[1]) == pytest.approx(61.0, abs=0.1)
    assert found["time_to_failure_h", ""].limit == ">"
    assert "alive" in dict(outcome.warnings)


@pytest.mark.parametrize(
    "shares",
    [
        [1.0, 1.0],
        [1.0, 0.7],  # settles
        [2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],  # conditions within the first tenth
        [1.0, 0.5, 1.0, 1.0],  # comes back
        [1.0, 5.0],  # grows
    ],
)
def test_what_settles_grows_or_comes_back_is_not_called_fallen(shares):
    assert "resistance_fell" not in dict(run(crept(shares))[1].warnings)


def test_another_current_has_another_resistance():
    """Interfaces that conduct better at three times the current are no short."""
    programme = current_steps([0.1], 3600.0, 0.0, 20) + current_steps([0.3], 3600.0, 0.0, 20)
    frame = galvanostatic_test(programme, CELL, np.random.default_rng(2), interval_s=30.0).frame
    frame["potential_V"] *= np.where(frame["current_A"].abs() > 2e-4 * AREA, 0.55, 1.0)
    assert "resistance_fell" not in dict(run(frame)[1].warnings)


@pytest.mark.parametrize("end", ["short", "soft_short", "open", "noise"])
def test_lifetime_counts_from_the_first_row_rests_included(end):
    depth = 0.95 if end == "short" else 0.5
    test = life(40, mode=end, half=61, depth=depth, place=0.3, first_rest_s=43200.0)
    found, outcome = run(test.frame)
    lifetime = found["time_to_failure_h", ""]
    assert test.time_s is not None
    assert lifetime.limit == "="
    assert lifetime.value == pytest.approx(test.time_s / 3600.0, abs=1.0)
    assert lifetime.value > 12.0 + 60.0
    assert found["cycles_to_failure_count", ""].value == 30
    assert "failure_found" in {code for code, _ in outcome.warnings}


def test_a_living_cell_has_a_lower_limit():
    frame = life().frame
    found, outcome = run(frame)
    hours = (frame["time_s"].iloc[-1] - frame["time_s"].iloc[0]) / 3600.0
    assert found["time_to_failure_h", ""].value == pytest.approx(hours)
    assert found["time_to_failure_h", ""].limit == found["cycles_to_failure_count", ""].limit == ">"
    assert found["cycles_to_failure_count", ""].value == 30
    assert "alive" in {code for code, _ in outcome.warnings}


def test_every_half_cycle_has_its_resistance():
    _, outcome = run(life(5).frame)
    steps = outcome.tables["steps"]
    assert len(steps) == 10
    assert all(row["asr_ohm_cm2"] == pytest.approx(460.0, rel=5e-3) for row in steps)
    assert [row["state"] for row in steps] == ["sound"] * 10


# -- a voltage below the electrolyte's own (rule R1): 20 Ω cm² where the electrolyte alone has 314 -------------------
SHORTED = Cell(area_cm2=AREA, asr_ohm_cm2=20.0, noise_V=1e-5)
PELLET = Subject("cell", "CEL-0098", "symmetric", thickness_um=800.0, electrode_area_cm2=AREA)


def told(quantity, value, number=1, is_before=True, celsius=25.0):
    return {
        "result_id": number, "quantity": quantity, "value": value, "uncertainty": 1.0, "temperature_degC": celsius,
        "measurement": f"MEA-0000{number}", "is_before": is_before,
    }  # fmt: skip


def r_e(value, number=1, **more):
    return told("electrolyte_resistance_ohm", value, number, **more)


def sigma(resistance_ohm, number=1, **more):
    """σ = L/(R A) of the pellet."""
    return told("ionic_conductivity_S_cm", 0.08 / (resistance_ohm * AREA), number, **more)


def judged(cell, known=(), **parameters):
    """Whether the cell is shorted from its first half-step on, and what was said."""
    outcome = Plating().run(life(10, cell).frame, PELLET, AT_25 | parameters | {"known": list(known)})
    found = {finding.quantity: finding for finding in outcome.findings}
    is_shorted = found["cycles_to_failure_count"].limit == "=" and found["cycles_to_failure_count"].value == 0
    assert is_shorted or found["time_to_failure_h"].limit == ">"
    return is_shorted, outcome


@pytest.mark.parametrize(
    ("known", "given", "ohm", "origin", "used"),
    [
        ([r_e(400.0)], {}, 400.0, "MEA-00001, before the test", [1]),
        ([sigma(400.0)], {}, 400.0, "L / (σ A)", [1]),
        ([], {"electrolyte_resistance_ohm": 400.0}, 400.0, "person", []),
        ([r_e(20.0)], {"electrolyte_resistance_ohm": 400.0}, 400.0, "person", []),
        ([r_e(20.0)], {"electrolyte_conductivity_S_cm": 0.08 / (400.0 * AREA)}, 400.0, "L / (σ A)", []),
        # The last spectrum before the test; another temperature is no measure.
        ([r_e(500.0, 1), r_e(400.0, 2), r_e(90.0, 3, celsius=60.0)], {}, 400.0, "MEA-00002, before the test", [2]),
        ([r_e(400.0, 1), sigma(390.0, 2)], {}, 400.0, "MEA-00001, before the test", [1, 2]),
        # Spectra of a cell that had shorted do not hide it.
        ([r_e(400.0, 1), r_e(15.0, 2)], {}, 400.0, "MEA-00001, before the test", [1, 2]),
        ([r_e(15.0, 1), sigma(400.0, 2)], {}, 400.0, "L / (σ A)", [1, 2]),
        ([r_e(15.0, 1, is_before=False), sigma(400.0, 2)], {}, 400.0, "L / (σ A)", [1, 2]),
        ([r_e(400.0, 1, is_before=False), r_e(15.0, 2, is_before=False)], {}, 400.0, "after the test had begun", [1]),
    ],
)
def test_a_voltage_below_the_electrolytes_own_is_a_certain_short(known, given, ohm, origin, used):
    is_shorted, outcome = judged(SHORTED, known, **given)
    assert is_shorted
    assert outcome.inputs["electrolyte_resistance_ohm"]["value"] == pytest.approx(ohm)
    assert outcome.inputs["electrolyte_resistance_ohm"]["origin"].endswith(origin)
    assert outcome.used == used
    assert "ohmic_limit_unknown" not in dict(outcome.warnings)
    # The same electrolyte with its interfaces, 460 Ω cm² together, is sound.
    assert not judged(CELL, known, **given)[0]


def test_what_contradicts_is_said_and_a_contact_that_adds_makes_no_short():
    _, outcome = judged(SHORTED, [r_e(15.0, 1), sigma(400.0, 2)])
    assert dict(outcome.warnings)["electrolyte_resistance_differs"] == (
        "The impedance gives the electrolyte 15.0 Ω (MEA-00001, before the test), the conductivity of the pellet 400 Ω "
        "(MEA-00002). The latter was taken. Had the cell shorted already?"
    )
    _, outcome = judged(SHORTED, [r_e(400.0, 1), r_e(15.0, 2)])
    assert (
        "fell from 400 Ω (MEA-00001) to 15.0 Ω (MEA-00002)" in dict(outcome.warnings)["electrolyte_resistance_differs"]
    )
    # 4000 Ω of a bad contact would be a limit of 2000 Ω, and the sound cell has 586.
    is_shorted, outcome = judged(CELL, [r_e(4000.0, 1), sigma(400.0, 2)])
    assert not is_shorted
    assert "add to the spectrum" in dict(outcome.warnings)["electrolyte_resistance_differs"]


@pytest.mark.parametrize("known", [[], [r_e(400.0, celsius=60.0)]])
def test_without_a_number_at_its_temperature_the_limit_is_not_known(known):
    is_shorted, outcome = judged(SHORTED, known)
    assert not is_shorted
    assert "ohmic_limit_unknown" in dict(outcome.warnings)


def test_a_spectrum_after_the_test_is_a_late_witness():
    is_shorted, outcome = judged(SHORTED, [r_e(15.0, is_before=False)])
    assert not is_shorted
    assert "MEA-00001, which was measured after" in dict(outcome.warnings)["ohmic_limit_late"]


@pytest.mark.parametrize(("resistance_ohm", "is_said"), [(4.0, True), (10.0, True), (11.0, False), (400.0, False)])
def test_a_spectrum_better_than_any_ceramic_is_doubted(resistance_ohm, is_said):
    """800 µm and 0.785 cm²: 10.2 Ω are 10⁻² S cm⁻¹."""
    row = {
        "quantity": "electrolyte_resistance_ohm", "value": resistance_ohm, "uncertainty": None, "result_id": 1,
        "temperature_degC": 25.0, "measurement": "MEA-00001", "is_before": True,
    }  # fmt: skip
    subject = Subject("cell", "CEL-0098", "symmetric", thickness_um=800.0, electrode_diameter_mm=10.0)
    found = electrolyte(subject, {"known": [row]}, 0.7854, 25.0)
    assert found.resistance_ohm == resistance_ohm
    assert (found.doubt is not None and found.doubt[0] == "electrolyte_resistance_low") is is_said


@pytest.mark.real
def test_a_real_cell_of_four_cycles_is_alive(real_data):
    path = real_data / "symmetric" / "mb.mpt"
    lines = path.read_text("latin-1").splitlines()
    header = next(int(line.rpartition(":")[2]) for line in lines if line.startswith("Nb header lines"))
    table = pd.read_csv(path, sep="\t", skiprows=header - 1, encoding="latin-1")
    table = table[table["freq/Hz"] == 0.0]
    frame = pd.DataFrame({"time_s": table["time/s"], "potential_V": table["Ewe/V"], "current_A": 1e-3 * table["I/mA"]})
    found, outcome = run(frame)
    # MANIFEST: V/I at the ends of the steps is 1320 to 1416 Ω, +2.80 and -2.80 µA for one hour each, four times.
    assert [row["resistance_ohm"] for row in outcome.tables["steps"]] == pytest.approx([1350.0] * 8, rel=0.06)
    assert found["overpotential_mV", "end"].value == pytest.approx(2.8e-3 * 1350.0, rel=0.03)
    assert found["time_to_failure_h", ""].limit == ">"
    assert found["cycles_to_failure_count", ""].value == 4
