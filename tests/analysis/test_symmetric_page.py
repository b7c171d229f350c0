"""From the recordings of a symmetric cell to their pages, and the transference number that three of them make."""

import re

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from analysis.decisions import reanalyse
from analysis.models import AnalysisRun, Result
from analysis.queueing import lock_sample, queue_combinations
from analysis.science import synthetic
from analysis.science.critical_current import CriticalCurrent
from analysis.science.electronic import Electronic
from analysis.science.plating import Plating
from analysis.science.polarisation import Polarisation
from analysis.tasks import drain
from measurements.models import Measurement
from samples.models import Cell
from tests import builders, spine
from tests.analysis.science.test_contract import SAMPLES
from tests.analysis.science.test_critical_current import soft_ramp

pytestmark = pytest.mark.django_db
FREQUENCY_HZ = synthetic.frequencies_Hz(1e6, 0.1)
ELECTROLYTE, BEFORE, AFTER, VOLTAGE, TRUTH = 400.0, 340.0, 380.0, 0.01, 0.85
STEADY = TRUTH * VOLTAGE / (ELECTROLYTE + TRUTH * AFTER)


@pytest.fixture
def member(client):
    person = builders.user("ada", "member")
    client.force_login(person)
    return person


def measured(analysis, kind, cell=None, **event):
    """A measurement with its finished run, as the analysis left it."""
    measurement = builders.measurement(cell or builders.symmetric_cell(), kind=kind)
    recording, subject, parameters = SAMPLES[analysis.slug]()
    outcome = analysis().run(recording, subject, {**parameters, **event})
    run = builders.run(
        measurement, analysis=analysis.slug, curves=outcome.curves, tables=outcome.tables, inputs=outcome.inputs,
        warnings=[list(warning) for warning in outcome.warnings],
    )  # fmt: skip
    for found in outcome.findings:
        builders.result(
            measurement, found.quantity, found.value, run=run, label=found.label, position=found.position,
            limit=found.limit, uncertainty=found.uncertainty, cycle_number=found.cycle_number,
        )  # fmt: skip
    return measurement, run


def page(client, measurement):
    answer = client.get(reverse("measurement_detail", args=[measurement.code]))
    assert answer.status_code == 200
    html = answer.content.decode()
    assert not re.search(r"<[^>]+\sstyle=", html)
    return html


@pytest.mark.parametrize(
    ("analysis", "kind", "names", "words"),
    [
        (CriticalCurrent, "ccd_ramp", ["staircase"], ["0.10–0.40 mA cm⁻², step 0.1, 1 h, 25 °C", 'name="short_step"']),
        (Plating, "plating_stripping", ["plating", "overpotential"], ["Half-steps as table", "overpotential_at_h"]),
        (Polarisation, "polarisation", ["transient"], ["Transient", 'name="eis_before"']),
    ],
)
def test_the_pages_of_a_symmetric_cell(client, member, analysis, kind, names, words):
    measurement, run = measured(analysis, kind)
    html = page(client, measurement)
    for name in names:
        assert f'id="plot-{name}"' in html
        assert client.get(reverse("run_figure", args=[run.pk, name, "json"])).json()["kind"] == name
        assert client.get(reverse("run_figure", args=[run.pk, name, "csv"])).status_code == 200
    for word in words:
        assert word in html


def test_the_page_of_a_blocking_cell_at_constant_voltage(client, member):
    measurement, _ = measured(Electronic, "polarisation", builders.blocking_cell())
    html = page(client, measurement)
    assert 'id="plot-transient"' in html
    assert "Electronic conductivity" in html
    assert 'id="plot-current_voltage"' in html


def test_what_a_person_types_becomes_parameters_of_the_run(client, member):
    measurement, _ = measured(CriticalCurrent, "ccd_ramp")
    typed = {"short_step": "0,3", "voltage_limit_V": "5", "reason": "the later one is a contact loss"}
    answer = client.post(reverse("measurement_reanalyse", args=[measurement.code]), typed)
    assert answer.status_code == 302
    run = AnalysisRun.objects.filter(measurement=measurement).latest("pk")
    assert run.parameters == {"short_step": 0.3, "voltage_limit_V": 5.0}
    client.post(reverse("measurement_reanalyse", args=[measurement.code]), {"short_step": "half"})
    assert AnalysisRun.objects.filter(measurement=measurement).latest("pk") == run


@pytest.mark.parametrize(
    ("analysis", "kind", "typed", "sentence"),
    [
        (CriticalCurrent, "ccd_ramp", {"short_step": "half", "reason": "contact loss"}, "Failing step"),
        (Polarisation, "polarisation", {"initial_current_A": "12 µA", "counts_for_transference": "on"}, "Say why"),
        (Polarisation, "polarisation", {"eis_after": "MEA-99999", "reason": "an earlier one"}, "does not exist"),
    ],
)
def test_a_refused_choice_comes_back_as_it_was_typed(client, member, analysis, kind, typed, sentence):
    measurement, _ = measured(analysis, kind)
    address = reverse("measurement_reanalyse", args=[measurement.code])
    answer = client.post(address, typed)
    assert answer.status_code == 422
    form = answer.content.decode().partition('id="rerun" open')[2].partition("</form>")[0]
    assert sentence in form.partition('role="alert"')[2].partition("<label")[0]
    for name, text in typed.items():
        field = re.search(rf'<input[^>]* name="{name}"[^>]*>', form)[0]
        assert " checked" in field if text == "on" else f'value="{text}"' in field
    assert not AnalysisRun.objects.filter(measurement=measurement, state="queued").exists()
    assert client.get(address).headers["Location"] == reverse("measurement_detail", args=[measurement.code])


# -- through the whole pipeline ----------------------------------------------------------------------------------------
def spectrum(interface_ohm, seed):
    z = synthetic.symmetric_cell_spectrum(
        FREQUENCY_HZ, electrolyte_resistance_ohm=ELECTROLYTE, interfacial_resistance_ohm=interface_ohm,
        noise_fraction=0.001, rng=np.random.default_rng(seed),
    )  # fmt: skip
    lines = [f"{f:.6g},{v.real:.8g},{v.imag:.8g}" for f, v in zip(FREQUENCY_HZ, z, strict=True)]
    return ("frequency_Hz,z_real_ohm,z_imag_ohm\n" + "\n".join(lines) + "\n").encode()


def polarised(cell, flag="ok"):
    """A polarisation whose numbers are known."""
    measurement = builders.measurement(cell, kind="polarisation", measured_at=None)
    run = builders.run(measurement, analysis="polarisation")
    for quantity, value in (
        ("initial_current_A", VOLTAGE / (ELECTROLYTE + BEFORE)),
        ("steady_state_current_A", STEADY),
        ("polarisation_voltage_V", VOLTAGE),
    ):
        is_end = quantity == "steady_state_current_A" and flag != "ok"
        builders.result(
            measurement, quantity, value, run=run, uncertainty=1e-4 * value, flag=flag if is_end else "ok",
            acceptance="provisional" if is_end else "accepted",
        )  # fmt: skip
    return measurement


def combine(cell):
    queue_combinations(lock_sample(Cell, cell.pk), {"steady_state_current_A"}, [])
    drain()


def test_a_spectrum_of_a_symmetric_cell_gives_its_interfaces():
    cell = spine.cell(configuration="symmetric")
    (file,) = spine.taken_in((f"{cell.code}_25C.csv", spectrum(BEFORE, 1)))
    assert (file.state, file.message) == ("done", "")
    assert spine.number("interfacial_resistance_ohm").value == pytest.approx(BEFORE / 2, rel=0.01)
    assert spine.number("interfacial_asr_ohm_cm2").value == pytest.approx(BEFORE / 2 * np.pi / 4, rel=0.01)
    assert spine.number("cell_interfacial_resistance_ohm").label == "2"
    # Nothing to combine yet: no run that fails, and no word about a polarisation nobody promised.
    assert not AnalysisRun.objects.filter(analysis="transference").exists()


def test_a_ramp_with_two_possible_steps_waits_for_a_person_without_a_flag():
    cell = spine.cell(configuration="symmetric")
    frame = soft_ramp([0.6, 1.0, 1.0, 1.0, 0.6])
    (file,) = spine.taken_in((f"{cell.code}_CCD_25C.csv", frame.to_csv(index=False).encode()))
    critical = spine.number("critical_current_density_mA_cm2", cell)
    assert (critical.flag, critical.acceptance) == ("ok", "provisional")
    assert spine.number("ramp_step_time_h", cell).acceptance == "accepted"
    reanalyse(file.measurements.get(), parameters={"short_step": critical.value}, by=None, reason="it never healed")
    drain()
    assert spine.number("critical_current_density_mA_cm2", cell).acceptance == "accepted"


def test_three_measurements_make_a_transference_number(client, member):
    cell = spine.cell(configuration="symmetric")
    spine.taken_in((f"{cell.code}_EIS_before_25C.csv", spectrum(BEFORE, 1)))
    hold = polarised(cell)
    combine(cell)
    waiting = Result.objects.current().get(quantity="lithium_transference_number")
    assert (waiting.value, waiting.flag) == (None, "missing")
    assert "Waiting for the EIS after polarisation. Upload it, or pick one." in page(client, hold)
    spine.taken_in((f"{cell.code}_EIS_after_25C.csv", spectrum(AFTER, 2)))
    found = spine.number("lithium_transference_number")
    assert found.value == pytest.approx(TRUTH, abs=0.01)
    assert found.flag == "ok"
    html = page(client, hold)
    assert "Transference number" in html
    spectrum_page = page(client, Measurement.objects.get(kind="eis", files__raw_file__original_name__contains="after"))
    for name in ("initial_current_A", "steady_state_current_A", "initial_resistance_ohm", "polarisation_voltage_V"):
        assert f'href="#choice-{name}"' in html
        assert f'id="choice-{name}"' in html
        assert f'href="/measurements/{hold.code}/#choice-{name}"' in spectrum_page
    assert "Before and after are assumed from the names of the files" in html
    spine.check_invariants()


def test_a_flagged_current_makes_a_provisional_number():
    cell = spine.cell(configuration="symmetric")
    spine.taken_in(
        (f"{cell.code}_before_25C.csv", spectrum(BEFORE, 1)), (f"{cell.code}_after_25C.csv", spectrum(AFTER, 2))
    )
    polarised(cell, flag="suspect")
    combine(cell)
    found = spine.number("lithium_transference_number")
    assert (found.flag, found.acceptance) == ("suspect", "provisional")
    assert found.value == pytest.approx(TRUTH, abs=0.01)


def test_what_was_given_with_the_polarisation_replaces_what_was_found():
    cell = spine.cell(configuration="symmetric")
    spine.taken_in((f"{cell.code}_before_25C.csv", spectrum(BEFORE, 1)))
    hold = polarised(cell)
    AnalysisRun.objects.filter(measurement=hold).update(parameters={"steady_state_resistance_ohm": AFTER})
    combine(cell)
    assert spine.number("lithium_transference_number").value == pytest.approx(TRUTH, abs=0.01)


def test_a_polarisation_that_a_person_picked_counts_although_another_is_later(client, member):
    cell = spine.cell(configuration="symmetric")
    spine.taken_in(
        (f"{cell.code}_before_25C.csv", spectrum(BEFORE, 1)), (f"{cell.code}_after_25C.csv", spectrum(AFTER, 2))
    )
    first, second = polarised(cell), polarised(cell)
    combine(cell)
    run = AnalysisRun.objects.get(cell=cell, analysis="transference", is_current=True)
    assert run.inputs["measurement_polarisation"]["value"] == second.code
    typed = {"counts_for_transference": "on", "reason": "the second cell had warmed up"}
    client.post(reverse("measurement_reanalyse", args=[first.code]), typed)
    queued = first.runs.latest("pk")
    assert queued.parameters == {"counts_for_transference": True}
    AnalysisRun.objects.filter(measurement=first, is_current=True).update(parameters=queued.parameters)
    combine(cell)
    run = AnalysisRun.objects.get(cell=cell, analysis="transference", is_current=True)
    assert run.inputs["measurement_polarisation"] == {"value": first.code, "uncertainty": None, "origin": "person"}


def test_unknown_and_impossible_choices_are_refused():
    measurement, _ = measured(Polarisation, "polarisation")
    for name, value in (("eis_before", "PEL-0001"), ("overpotential_at_h", ["soon"]), ("short_step", -1)):
        with pytest.raises(Exception, match=name):
            reanalyse(measurement, parameters={name: value}, by=None)


def test_a_spectrum_that_is_picked_belongs_to_the_cell(client, member):
    cell = spine.cell(configuration="symmetric")
    hold = polarised(cell)
    (own,) = spine.taken_in((f"{cell.code}_after_25C.csv", spectrum(AFTER, 2)))
    other = spine.cell(configuration="symmetric")
    (foreign,) = spine.taken_in((f"{other.code}_after_25C.csv", spectrum(AFTER, 3)))
    for picked, sentence in (
        (foreign.measurements.get().code, "is impedance of"),
        (hold.code, "is polarisation of"),
        ("MEA-99999", "does not exist"),
    ):
        with pytest.raises(ValidationError, match=sentence):
            reanalyse(hold, parameters={"eis_after": picked}, by=None)
    code = own.measurements.get().code
    typed = {"eis_after": f"mea {int(code[4:])}", "reason": "the time of the file is wrong"}
    client.post(reverse("measurement_reanalyse", args=[hold.code]), typed)
    assert hold.runs.latest("pk").parameters == {"eis_after": code}


def test_a_wait_for_a_spectrum_offers_both_ways_on(client, member):
    cell = spine.cell(configuration="symmetric")
    spine.taken_in((f"{cell.code}_before_25C.csv", spectrum(BEFORE, 1)))
    hold = polarised(cell)
    combine(cell)
    html = page(client, hold)
    assert "Waiting for the EIS after polarisation. Upload it, or pick one." in html
    assert f'?subject={cell.code}">Upload</a>' in html
    assert 'href="#choice-eis_after">Pick one</a>' in html
    assert "nothing to report" not in html
