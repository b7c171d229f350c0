"""The paper check: every reported number has a row, measured and synthetic values never meet, nothing is guessed."""

from __future__ import annotations

import csv
import io

import pytest
from django.urls import reverse

from analysis.campaign.reported import REPORTED
from analysis.campaign.rows import ROWS
from analysis.paper import CSV_COLUMNS, SYNTHETIC, UNCLEAR, lines
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
        assert row.reported == (value if row.place is None else value[row.place])


def test_an_empty_site_says_what_each_row_needs(member):
    page = member.get(reverse("paper_check")).content.decode()
    assert page.count("No data yet. This needs") == len(ROWS)
    assert SYNTHETIC in page
    for sentence in UNCLEAR:
        assert sentence in page
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
    conductivity(2.5e-4)
    with django_assert_num_queries(1):
        lines()
    for _ in range(5):
        conductivity(2.5e-4, on=coated_cell())
    with django_assert_num_queries(1):
        lines()
