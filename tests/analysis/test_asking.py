"""Questions in words, and the search page over all kinds of records."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from analysis.asking import Question, understood
from lagpdb.records import withdraw
from tests import builders

CCD = "critical_current_density_mA_cm2"


@pytest.mark.parametrize(
    ("text", "rows", "conditions"),
    [
        ("CCD > 0.5", "results", (("quantity", CCD), ("value__gt", "0.5"))),
        ("ccd>=0,5", "results", (("quantity", CCD), ("value__gte", "0.5"))),
        ("critical current density ≥ 500 µA cm⁻²", "results", (("quantity", CCD), ("value__gte", "0.5"))),
        ("σ < 1e-4", "results", (("quantity", "ionic_conductivity_S_cm"), ("value__lt", "0.0001"))),
        (
            "E_a 0.3-0.4",
            "results",
            (("quantity", "activation_energy_eV"), ("value__gte", "0.3"), ("value__lte", "0.4")),
        ),
        ("retention > 90 %", "results", (("quantity", "capacity_retention_fraction"), ("value__gt", "0.9"))),
        ("ccd", "results", (("quantity", CCD),)),
        ("thickness > 0.8 mm", "pellets", (("thickness_um__gt", "800"),)),
        ("sputter time = 10", "pellets", (("sputter_run__duration_min", "10"),)),
        ("loading >= 2.5", "cells", (("electrode_lot__loading_mg_cm2__gte", "2.5"),)),
        ("10 min CuS", "pellets", (("sputter_run__duration_min", "10"), ("sputter_run__target", "CuS"))),
        ("CuS 15 min", "pellets", (("sputter_run__duration_min", "15"), ("sputter_run__target", "CuS"))),
    ],
)
def test_questions_are_understood(text: str, rows: str, conditions: tuple[tuple[str, str], ...]) -> None:
    (question,) = understood(text)
    assert (question.rows, question.conditions) == (rows, conditions)


@pytest.mark.parametrize("text", ["", "hello", "PEL-0142", "colour > blue", "CCD > much", "> 0.5", "2026-03-11"])
def test_what_is_no_question_is_none(text: str) -> None:
    assert understood(text) == []


def test_a_question_says_what_it_understood() -> None:
    (question,) = understood("ccd > 0.5")
    assert isinstance(question, Question)
    assert question.words == "Critical current density > 0.500 mA cm⁻²"


# -- the page ----------------------------------------------------------------------------------------------------------
def hits(text: str) -> Any:
    client = Client()
    client.force_login(builders.user(role="viewer"))
    return client.get("/search/", {"q": text})


def words(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.mark.django_db
class TestPage:
    @pytest.mark.parametrize("spelling", ["PEL-{n:04d}", "pel{n}", "pel_{n:03d}", " Pel {n} "])
    def test_a_code_in_any_spelling_opens_its_record(self, spelling: str) -> None:
        pellet = builders.pellet()
        number = int(pellet.code.split("-")[1])
        answer = hits(spelling.format(n=number))
        assert (answer.status_code, answer.url) == (302, f"/pellets/{pellet.code}/")

    def test_a_code_that_is_not_there_is_said(self) -> None:
        assert "PEL-0999 is not in lagpdb." in words(hits("pel999"))

    def test_a_bare_number_is_looked_for_under_every_prefix(self) -> None:
        pellet, lot = builders.pellet(), builders.lot()
        number = str(int(pellet.code.split("-")[1]))
        text = words(hits(f"{int(number):02d}"))
        assert pellet.code in text
        assert lot.code.split("-")[0] == "LOT"

    def test_names_notes_and_files_say_why_they_match(self) -> None:
        lot = builders.lot(supplier="Example Powders", notes="slightly yellow, dried again before use")
        builders.arrival(builders.measurement(builders.blocking_cell()), name="Monday_run.mpt")
        assert lot.code in words(hits("example pow"))
        said = words(hits("yellow"))
        assert f"{lot.code}" in said
        assert "slightly yellow, dried" in said
        assert "Monday_run.mpt" in words(hits("monday"))

    def test_more_files_than_are_shown_are_said(self) -> None:
        for number in range(7):
            builders.arrival(builders.measurement(), f"ramp_{number}.csv")
        page = hits("ramp").content.decode()
        assert page.count("ramp_") == 6
        assert "the newest 6; more words find others" in page

    def test_cells_by_notation_and_what_is_in_the_trash_is_left_out(self) -> None:
        cell = builders.blocking_cell()
        assert cell.code in words(hits("Ag|LAGP"))
        withdraw(cell, by=None, reason="test")
        assert cell.code not in words(hits("Ag|LAGP"))

    def test_a_question_leads_to_a_list_with_the_same_number_of_rows(self) -> None:
        cell = builders.blocking_cell()
        for value in (1e-4, 2e-4, 3e-4):
            builders.result(builders.measurement(cell), "ionic_conductivity_S_cm", value)
        answer = hits("sigma > 1.5e-4")
        address = re.search(r'href="(/results/[^"]+)"', answer.content.decode())
        assert address
        assert ": 2 rows" in words(answer)
        client = Client()
        client.force_login(builders.user())
        page = client.get(address[1].replace("&amp;", "&"))
        assert re.search(r"Results\s*<span[^>]*>2<", page.content.decode())

    def test_help_is_found_too(self) -> None:
        assert "Backup and restore" in words(hits("backup"))

    def test_the_cost_of_a_search_does_not_grow(self, django_assert_max_num_queries) -> None:
        for _ in range(12):
            builders.lot(supplier="Example Powders", notes="yellow")
        client = Client()
        client.force_login(builders.user())
        client.get("/search/?q=yellow")
        with django_assert_max_num_queries(45):
            client.get("/search/?q=yellow")
