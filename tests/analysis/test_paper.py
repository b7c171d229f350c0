"""The paper check: every reported number has a row, measured and synthetic values never meet, nothing is guessed."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest
import yaml
from django.urls import reverse

from analysis.campaign.reported import REPORTED
from analysis.campaign.row import FILMS, OPTIMUM
from analysis.campaign.rows import BY_KEY, ROWS, SET
from analysis.campaign.unclear import UNCLEAR
from analysis.models import Result, RunInput
from analysis.paper import lines
from analysis.paper_pages import CSV_COLUMNS, SYNTHETIC
from lagpdb.templatetags.lagpdb import symbol_markup
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(client):
    client.force_login(builders.user())
    return client


def line_of(key):
    return next(line for line in lines() if line.row.key == key)


def conductivity(value, *, on=None, **more):
    return builders.result(builders.measurement(on), value=value, **more)


def coated_cell():
    pellet = builders.pellet()
    builders.sputter_run((pellet, "A"))
    return builders.blocking_cell(pellet=pellet)


def test_rows_have_keys_of_their_own_and_numbers_of_the_study():
    keys = [row.key for row in ROWS]
    assert len(set(keys)) == len(keys)
    for row in ROWS:
        value = REPORTED[row.record].value
        if isinstance(value, float | tuple):
            assert row.reported == (value if row.place is None else value[row.place])
        else:
            assert row.reported is None
    assert {item for one in UNCLEAR for item in one.records} <= set(REPORTED)
    assert {row.record for row in ROWS} | set(SET) == set(REPORTED)


def test_an_empty_site_says_what_each_row_needs(member):
    page = member.get(reverse("paper_check")).content.decode()
    assert page.count("No data yet. This needs") == len(ROWS)
    assert SYNTHETIC in page
    for item in UNCLEAR:
        assert symbol_markup(item.sentence) in page
    for row in ROWS:
        assert reverse("paper_row", args=[row.key]) in page
    assert {line.verdict for line in lines()} == {"none"}


def test_our_median_is_compared_and_leads_to_its_measurements(member):
    found = [conductivity(value) for value in (2.4e-4, 2.6e-4, 2.7e-4, 2.5e-4)]
    line = line_of("T01")
    assert (line.measured.value, line.measured.count) == (pytest.approx(2.55e-4), 4)
    assert (line.difference, line.verdict, line.is_synthetic) == ("+2.0 %", "within", False)
    assert line.measured.first_links == tuple(row.measurement.code for row in found[:0:-1])
    assert line.measured.more == 1
    page = member.get(reverse("paper_check")).content.decode()
    assert reverse("measurement_detail", args=[found[-1].measurement.code]) in page
    assert line_of("T03").verdict == "none"


def test_a_number_far_from_the_study_differs():
    conductivity(1.0e-4)
    line = line_of("T01")
    assert (line.verdict, line.difference) == ("differs", "−60.0 %")


def test_only_accepted_unflagged_current_numbers_at_the_conditions_count():
    conductivity(2.5e-4, acceptance="provisional")
    conductivity(2.5e-4, acceptance="rejected")
    conductivity(2.5e-4, flag="suspect")
    conductivity(2.5e-4, is_current=False)
    conductivity(2.5e-4, limit="<")
    conductivity(2.5e-4, temperature_degC=60.0)
    conductivity(2.5e-4, on=builders.symmetric_cell())
    assert line_of("T01").measured.count == 0
    conductivity(3.0e-4, on=coated_cell())
    assert line_of("T01").measured.count == 0
    assert line_of("T03").measured.value == 3.0e-4


def test_converted_cells_are_told_from_coated_ones():
    pellet = builders.pellet()
    builders.sputter_run(pellet)
    builders.conversion(pellet)
    cell = builders.symmetric_cell(pellet=pellet)
    builders.result(builders.measurement(cell, kind="ccd_ramp"), "critical_current_density_mA_cm2", 0.5)
    assert line_of("D02").measured.value == 0.5
    assert line_of("D02").verdict == "differs"
    assert line_of("D01").measured.count == 0


def test_measured_and_synthetic_values_stand_apart_and_measured_ones_count(member):
    conductivity(2.5e-4, is_synthetic=True)
    line = line_of("T01")
    assert (line.measured.count, line.reference.count, line.is_synthetic) == (0, 1, True)
    conductivity(1.0e-4)
    line = line_of("T01")
    assert (line.measured.value, line.reference.value) == (1.0e-4, 2.5e-4)
    assert (line.verdict, line.is_synthetic) == ("differs", False)


def test_a_lower_limit_answers_a_lower_limit():
    cell = builders.symmetric_cell()
    life = builders.measurement(cell, kind="plating_stripping")
    builders.result(life, "time_to_failure_h", 200.0, limit=">")
    assert line_of("D04").measured.count == 0  # the study saw it fail
    pellet = builders.pellet()
    builders.sputter_run(pellet)
    builders.conversion(pellet)
    life = builders.measurement(builders.symmetric_cell(pellet=pellet), kind="plating_stripping")
    builders.result(life, "time_to_failure_h", 705.0, limit=">")
    line = line_of("D07")
    assert (line.verdict, line.measured.text) == ("within", "> 705")


def test_what_the_paper_leaves_open_has_no_verdict_of_agreement():
    pellet = builders.pellet()
    builders.sputter_run(pellet)
    builders.conversion(pellet)
    builders.result(builders.measurement(builders.symmetric_cell(pellet=pellet)), "interfacial_resistance_ohm", 170.0)
    assert line_of("I03").verdict == "unclear"


def test_csv_says_that_the_reference_set_is_synthetic(member):
    conductivity(2.5e-4, is_synthetic=True)
    conductivity(2.4e-4)
    text = member.get(reverse("paper_csv")).content.decode()
    assert f"# {SYNTHETIC}\n" in text
    rows = list(csv.DictReader(io.StringIO("".join(row for row in text.splitlines(True) if not row.startswith("#")))))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["row"] for row in rows] == [row.key for row in ROWS]
    assert float(rows[0]["measured_median"]) == 2.4e-4
    assert float(rows[0]["synthetic_median"]) == 2.5e-4
    assert rows[0]["verdict_is_synthetic"] == "false"


def test_the_cost_does_not_grow(django_assert_num_queries):
    series_cell(10.0, 330.0)
    with django_assert_num_queries(3):
        lines()
    for _ in range(5):
        conductivity(2.5e-4, on=coated_cell())
        series_cell(5.0, 500.0)
    with django_assert_num_queries(3):
        lines()


# -- conditions of sputter time and of time ----------------------------------------------------------------------------
START = dt.datetime(2026, 3, 1, 9, tzinfo=dt.UTC)


def converted_cell(minutes=10.0, **fields):
    pellet = builders.pellet()
    builders.sputter_run(pellet, duration_min=minutes)
    builders.conversion(pellet)
    return builders.symmetric_cell(pellet=pellet, **fields)


def series_cell(minutes, ohm, **more):
    return builders.result(
        builders.measurement(converted_cell(minutes)), "cell_interfacial_resistance_ohm", ohm, **more
    )


def spectrum(cell, ohm, hours=None, name="spectrum.z"):
    at = None if hours is None else START + dt.timedelta(hours=hours)
    taken = builders.measurement(cell, measured_at=at)
    builders.arrival(taken, name)
    return builders.result(taken, "interfacial_resistance_ohm", ohm)


def test_films_of_other_sputter_times_are_other_samples():
    builders.result(builders.measurement(converted_cell(20.0), kind="ccd_ramp"), "critical_current_density_mA_cm2", 0.3)
    assert line_of("D02").measured.count == 0


def test_the_best_sputter_time_lies_between_others():
    for minutes, ohm in ((10.0, 330.0), (5.0, 600.0)):
        series_cell(minutes, ohm)
    assert line_of("S06").measured.value is None  # two times
    series_cell(2.0, 900.0)
    line = line_of("S06")
    assert (line.measured.value, line.verdict) == (None, "none")  # the lowest is the longest
    series_cell(20.0, 400.0, is_synthetic=True)
    assert line_of("S06").measured.value is None  # synthetic ones close nothing
    series_cell(20.0, 400.0)
    series_cell(10.0, 350.0)
    line = line_of("S06")
    assert (line.measured.value, line.measured.count, line.verdict) == (10.0, 5, "within")
    assert line.measured.by_time == ((2.0, 900.0, 1), (5.0, 600.0, 1), (10.0, 340.0, 2), (20.0, 400.0, 1))


def test_spectra_before_and_after_cycling_answer_rows_of_their_own():
    cell = converted_cell()
    builders.measurement(cell, kind="plating_stripping", measured_at=START)
    spectrum(cell, 170.0, hours=-1.0)
    assert (line_of("I03").measured.value, line_of("I04").measured.value) == (170.0, None)
    spectrum(cell, 250.0, hours=100.0)  # neither
    spectrum(cell, 350.0, hours=301.0)
    assert (line_of("I03").measured.value, line_of("I04").measured.value) == (170.0, 350.0)
    other = converted_cell()  # its times are not known
    spectrum(other, 172.0, name="fresh.z")
    spectrum(other, 352.0, name="CEL_after_300h.z")
    spectrum(other, 999.0, name="CEL_1300h.z")
    assert line_of("I03").measured.value == pytest.approx(171.0)
    assert (line_of("I04").measured.value, line_of("I04").measured.count) == (351.0, 2)


def test_a_test_that_ended_sound_before_the_reported_time_says_nothing():
    for hours in (300.0, 705.0):
        life = builders.measurement(converted_cell(), kind="plating_stripping")
        builders.result(life, "time_to_failure_h", hours, limit=">")
    assert (line_of("D07").measured.value, line_of("D07").measured.count) == (705.0, 1)
    builders.result(builders.measurement(converted_cell(), kind="plating_stripping"), "time_to_failure_h", 200.0)
    assert line_of("D07").measured.count == 2  # one that failed does


def test_full_cells_without_liquid_have_rows_of_their_own():
    pellet = builders.pellet()
    cell = builders.full_cell(pellet=pellet, liquid_uL=None)
    test = builders.measurement(cell, kind="cycling", measured_at=START)
    made = builders.run(test, analysis="retention")
    more = {"label": "last", "cycle_number": 23, "c_rate": 0.1, "run": made}
    builders.result(test, "discharge_capacity_mAh", 0.2, **more)
    taken = builders.measurement(cell, measured_at=START + dt.timedelta(hours=400))
    builders.result(taken, "cell_interfacial_resistance_ohm", 8000.0, run=builders.run(taken, analysis="interface"))
    line = line_of("F12")
    assert (line.measured.value, line.verdict) == (8000.0, "unclear")
    cell.liquid_uL = 7.0
    cell.save()
    assert line_of("F12").measured.count == 0


def test_film_of_ten_minutes_is_the_mean_that_was_read():
    builders.film_thickness(builders.witness_plate(), 48.0, 52.0)
    builders.film_thickness(builders.witness_plate(builders.sputter_run(duration_min=20.0)), 100.0)
    builders.film_thickness(builders.witness_plate(builders.sputter_run(power_W=40.0)), 25.0)
    line = line_of("S07")
    assert (line.measured.value, line.measured.count, line.verdict) == (50.0, 1, "within")
    pellet = builders.pellet()
    builders.sputter_run((pellet, "A"))
    builders.film_thickness(pellet, 60.0, face="A")
    assert (line_of("S07").measured.value, line_of("S07").measured.count) == (55.0, 2)


# -- the page of a row -------------------------------------------------------------------------------------------------
def row_page(client, key, status=200):
    answer = client.get(reverse("paper_row", args=[key]))
    assert answer.status_code == status
    return answer.content.decode()


def test_a_row_shows_where_it_stands_and_leads_down_to_the_file(member):
    made = conductivity(2.4e-4)
    page = row_page(member, "T01")
    part = made.measurement.files.get()
    for text in (
        "section 3.1, Figure 4a", "from 2.25 × 10⁻⁴ to 2.75 × 10⁻⁴", "−4.0 %", SYNTHETIC, "within tolerance",
        f"run {made.run_id}", part.raw_file.original_name, f"/api/v1/measurements/{made.measurement.code}/file/",
        reverse("measurement_detail", args=[made.measurement.code]), reverse("cell_detail", args=[made.cell.code]),
    ):  # fmt: skip
        assert text in page
    assert UNCLEAR[9].sentence in page  # the gain of 24 %
    query = BY_KEY["T01"].query
    listed = member.get(reverse("result_list"), query)
    assert listed.context["page"].paginator.count == 1
    assert not listed.context["complaints"]


def test_a_combination_leads_to_the_measurements_it_used(member):
    cell = builders.symmetric_cell()
    hold = builders.measurement(cell, kind="polarisation")
    made = builders.run(analysis="transference", measurement=None, cell=cell)
    RunInput.objects.create(run=made, role="polarisation", measurement=hold)
    Result.objects.create(
        run=made, cell=cell, pellet=cell.pellet, quantity="lithium_transference_number", value=0.95, unit="1",
        acceptance="accepted",
    )  # fmt: skip
    page = row_page(member, "T05")
    assert reverse("measurement_detail", args=[hold.code]) in page
    assert f"/api/v1/runs/{made.pk}/" in page


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_every_row_has_a_page_that_says_what_it_needs(member, row):
    page = row_page(member, row.key)
    assert "No data for this row yet. This needs" in page
    assert SYNTHETIC in page
    assert row.told.place in page


def test_every_query_of_a_row_is_understood_by_the_list_and_the_api(member):
    for row in (row for row in ROWS if row.is_computed and row.source != FILMS):
        assert not member.get(reverse("result_list"), row.query).context["complaints"], row.key
        assert member.get("/api/v1/results/", row.query).status_code == 200, row.key


def test_rows_of_quantities_that_are_not_computed_are_named(member):
    """Whoever adds diffraction or photoelectrons must look at the labels of these rows."""
    assert {row.key for row in ROWS if not row.is_computed} == {row.key for row in ROWS if row.key[0] in "XQ"}
    assert {row.key for row in ROWS if row.source == OPTIMUM} == {"S06"}
    assert "lagpdb does not compute this quantity yet" in row_page(member, "Q03")


def test_unknown_rows_are_not_found_and_other_spellings_are(member):
    page = row_page(member, "Z99", status=404)
    assert "The paper check has no row ‘Z99’." in page
    assert reverse("paper_check") in page
    assert member.get(reverse("paper_row", args=["f08-2"])).url == reverse("paper_row", args=["F08-2"])


# -- against the page of values that the study was read into -----------------------------------------------------------
@pytest.mark.real
def test_all_reported_values_are_there(real_data):
    source = real_data.parent / "paper" / "reported-values.yaml"
    if not source.exists():
        pytest.skip(f"{source} is not beside the real data")
    stated = {one["id"]: one for one in yaml.safe_load(source.read_text())["records"] if one["role"] != "literature"}
    assert set(stated) == set(REPORTED)
    for name, one in stated.items():
        ours, value = REPORTED[name], one["value"]
        if isinstance(value, str):
            continue
        factor = {("V", "mV"): 1000.0, ("mV", "V"): 0.001, ("percent", "1"): 0.01}.get((one["unit"], ours.unit), 1.0)
        if value is None:
            assert ours.value is None, name
        else:
            wanted = [factor * each for each in (value if isinstance(value, list) else [value])]
            assert list(ours.value if isinstance(ours.value, tuple) else [ours.value]) == pytest.approx(wanted), name
