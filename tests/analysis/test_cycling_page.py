"""From the recording of a full cell to its page: what the run writes, what people see, and what they may change."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from analysis import pipeline
from analysis.decisions import reanalyse
from analysis.models import AnalysisRun, Result
from analysis.science.rate import Rate
from analysis.science.retention import Cycling
from analysis.tasks import drain
from lagpdb.mainvalues import main_results
from lagpdb.records import save_record
from tests import builders
from tests.analysis.science.test_contract import SAMPLES

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(client):
    person = builders.user("ada", "member")
    client.force_login(person)
    return person


def measured(kind="cycling", **fields):
    """A test of a full cell with its finished run, as the analysis left it."""
    measurement = builders.measurement(builders.full_cell(), kind=kind, **fields)
    analysis = Cycling if kind == "cycling" else Rate
    outcome = analysis().run(*SAMPLES[analysis.slug]())
    run = builders.run(
        measurement,
        analysis=analysis.slug,
        curves=outcome.curves,
        tables=outcome.tables,
        inputs=outcome.inputs,
        warnings=[list(warning) for warning in outcome.warnings],
    )
    for finding in outcome.findings:
        builders.result(
            measurement, finding.quantity, finding.value, run=run, label=finding.label, position=finding.position,
            cycle_number=finding.cycle_number, reference_cycle=finding.reference_cycle, c_rate=finding.c_rate,
            uncertainty=finding.uncertainty,
        )  # fmt: skip
    return measurement, run


def page(client, measurement):
    answer = client.get(reverse("measurement_detail", args=[measurement.code]))
    assert answer.status_code == 200
    return answer.content.decode()


# -- the page ----------------------------------------------------------------------------------------------------------
def test_the_page_of_a_cycling_test(client, member):
    measurement, run = measured()
    html = page(client, measurement)
    for name in ("capacity", "voltage", "differential"):
        assert f'id="plot-{name}"' in html
        assert client.get(reverse("run_figure", args=[run.pk, name, "json"])).json()["kind"] == name
        assert client.get(reverse("run_figure", args=[run.pk, name, "csv"])).status_code == 200
    assert "reference: cycle 4, first after formation (3 formation cycles, told from the rate)" in html
    assert "cycle 55 against cycle 4" in html
    assert html.index("CE 90–102 %") < html.index("Full range")
    assert not re.search(r"<[^>]+\sstyle=", html)


def test_the_page_of_a_rate_test(client, member):
    measurement, run = measured("rate_test")
    html = page(client, measurement)
    assert 'id="plot-rate"' in html
    assert "0.1 C, back" in html
    assert client.get(reverse("run_figure", args=[run.pk, "rate", "json"])).json()["traces"]


def test_the_nyquist_plot_keeps_its_frames(client, member):
    from tests.analysis.test_views import measured as of_impedance

    html = page(client, of_impedance())
    assert html.index('data-frame="arc" aria-pressed="true">Arc<') < html.index(
        'data-frame="full" aria-pressed="false"'
    )


def test_the_cycles_are_a_table_of_the_api(client, member):
    _, run = measured()
    answer = client.get(f"/api/v1/runs/{run.pk}/tables/cycles/", headers={"Accept": "application/json"})
    rows = answer.json()["rows"]
    assert [row["cycle_number"] for row in rows] == list(range(1, 56))
    text = client.get(f"/api/v1/runs/{run.pk}/tables/cycles/?format=csv")
    header = b"".join(text.streaming_content if text.streaming else [text.content]).decode().splitlines()[0]
    assert header.startswith("cycle_number,")


def test_the_form_for_another_run_asks_for_cycles_not_for_circuits(client, member):
    measurement, _ = measured()
    html = page(client, measurement)
    assert 'name="reference_cycle"' in html
    assert 'name="circuit"' not in html


def test_another_reference_cycle_is_queued_with_the_run(client, member):
    measurement, _ = measured()
    data = {"reference_cycle": "10", "formation_cycles": "", "active_mass_mg": "1,9", "reason": "third cycle was cold"}
    client.post(reverse("measurement_reanalyse", args=[measurement.code]), data)
    run = AnalysisRun.objects.latest("pk")
    assert (run.parameters["reference_cycle"], run.parameters["active_mass_mg"]) == (10, 1.9)
    assert "formation_cycles" not in run.parameters


def test_a_person_may_say_that_there_was_no_formation(recorded, client, member):
    measurement = builders.measurement(builders.full_cell(), kind="cycling")
    data = {"formation_cycles": "0", "reason": "the first cycles were slow by intent"}
    client.post(reverse("measurement_reanalyse", args=[measurement.code]), data)
    drain()
    assert number(measurement, "capacity_retention_fraction", "last").reference_cycle == 1
    html = page(client, measurement)
    assert 'name="formation_cycles" inputmode="numeric" placeholder="told from the rate" value="0"' in html


@pytest.mark.parametrize("field", ["reference_cycle", "formation_cycles"])
def test_a_cycle_that_is_no_number_is_refused_with_a_sentence(client, member, field):
    measurement, _ = measured()
    address = reverse("measurement_reanalyse", args=[measurement.code])
    html = client.post(address, {field: "four", "reason": "x"}, follow=True).content.decode()
    assert "‘four’ is not a whole number above 0." in html


# -- the run -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def recorded(monkeypatch, own_store):
    """Let every run of this test read the sample recording."""
    monkeypatch.setattr(pipeline, "joined", lambda parts: SAMPLES["retention"]()[0])


def number(measurement, quantity, label):
    return Result.objects.get(measurement=measurement, is_current=True, quantity=quantity, label=label)


def test_a_run_takes_mass_and_theoretical_capacity_from_the_electrode_lot(recorded, member):
    measurement = builders.measurement(builders.full_cell(), kind="cycling", metadata={"active_mass_mg": 1.7})
    reanalyse(measurement, parameters={}, by=member, reason="first run")
    drain()
    run = AnalysisRun.objects.get(measurement=measurement, is_current=True)
    mass = measurement.cell.active_mass_mg
    assert run.inputs["active_mass_mg"]["value"] == pytest.approx(mass)
    reference = number(measurement, "discharge_specific_capacity_mAh_g", "reference")
    assert reference.value == pytest.approx(288.0 / mass, rel=1e-6)
    assert reference.c_rate == pytest.approx(0.0333 / (0.170 * mass), rel=1e-3)
    assert "active_mass_differs" in [code for code, _ in run.warnings]
    last = number(measurement, "capacity_retention_fraction", "last")
    assert (last.cycle_number, last.reference_cycle, last.unit, last.acceptance) == (55, 4, "1", "accepted")


def test_a_new_theoretical_capacity_of_the_material_moves_the_c_rates(recorded, member):
    measurement = builders.measurement(builders.full_cell(), kind="cycling")
    reanalyse(measurement, parameters={}, by=member, reason="first run")
    drain()
    before = number(measurement, "discharge_capacity_mAh", "reference").c_rate
    material = measurement.cell.electrode_lot.material
    material.theoretical_capacity_mAh_g = 150.0
    save_record(material, by=member, reason="measured anew")
    drain()
    after = number(measurement, "discharge_capacity_mAh", "reference").c_rate
    assert after == pytest.approx(before * 170.0 / 150.0, rel=1e-9)


def test_lists_leave_the_curves_of_a_run_where_they_are(client, member):
    """A long test leaves a megabyte of them, which a join would repeat for each of its numbers."""
    measurement, _ = measured()
    for address in (reverse("measurement_list"), reverse("result_list")):
        with CaptureQueriesContext(connection) as caught:
            answer = client.get(address)
        assert measurement.code in answer.content.decode()
        assert not [query["sql"] for query in caught if '"curves"' in query["sql"] or '"tables"' in query["sql"]]


def test_a_list_shows_the_retention_that_the_page_shows():
    measurement, _ = measured()
    shown = main_results([measurement])[measurement.pk]
    assert (shown.quantity, shown.label) == ("capacity_retention_fraction", "last")


def test_every_kind_offers_its_new_run_at_the_top(client, member):
    measurement, _ = measured("rate_test")
    html = client.get(reverse("measurement_detail", args=[measurement.code])).content.decode()
    assert 'href="#rerun"' in html
    assert 'id="rerun"' in html
