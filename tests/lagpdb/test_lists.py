"""What all lists share: conditions of the API in the address, columns, kept views, selections, spreadsheets."""

from __future__ import annotations

import io
import re
from typing import Any

import openpyxl
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lagpdb.models import SavedView
from samples.models import Pellet
from tests import builders

pytestmark = pytest.mark.django_db


def client_of(role: str = "member", name: str = "") -> Client:
    client = Client()
    client.force_login(builders.user(name, role=role))
    return client


def codes_of(response: Any) -> list[str]:
    return re.findall(r'<tr data-code="([^"]+)"', response.content.decode())


@pytest.fixture
def pellets() -> list[Pellet]:
    """Three pellets; the second was coated for 10 min, the third for 20 min."""
    made = [builders.pellet(thickness_um=value) for value in (700.0, 800.0, 900.0)]
    for pellet, minutes in zip(made[1:], (10.0, 20.0), strict=True):
        builders.sputter_run(pellet, duration_min=minutes)
    return made


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("sputter_run__duration_min=10", [1]),
        ("sputter_run__duration_min__gte=5", [2, 1]),
        ("thickness_um__range=750,950", [2, 1]),
        ("is_coated=false&thickness_um__lt=750", [0]),
        ("thickness_um__gte=750&sputter_run__duration_min__lt=15", [1]),
    ],
)
def test_any_condition_of_the_api_narrows_the_list_alike(pellets, query: str, places: list[int]) -> None:
    client = client_of()
    page = client.get(f"/pellets/?{query}")
    assert codes_of(page) == [pellets[place].code for place in places]
    assert "left out" not in page.content.decode()
    rows = client.get(f"/api/v1/pellets/?{query}").json()["results"]
    assert [row["code"] for row in rows] == codes_of(page)


def test_an_unknown_condition_is_said_and_a_bad_value_too(pellets) -> None:
    page = client_of().get("/pellets/?thicknes_um=3&sputter_run__duration_min__gte=ten").content.decode()
    assert "‘thicknes_um’ is no filter of this list and was left out." in page
    assert "a number such as 0.5 or 1e-4 is expected" in page


def test_the_small_form_adds_a_condition_to_the_address(pellets) -> None:
    answer = client_of().get(
        "/pellets/", {"state": "available", "condition": "thickness_um", "operator": "gte", "value": "750"}
    )
    assert answer.status_code == 302
    assert answer.url == "?state=available&thickness_um__gte=750"


def test_columns_are_chosen_in_the_address(pellets) -> None:
    page = client_of().get("/pellets/?columns=code,thickness_um,mass_mg").content.decode()
    assert "Mass (mg)" in page
    shown = re.search(r'<table class="records ([^"]*)"', page)
    assert shown
    # Code (1) and thickness (4) stay; each place is one further, behind the boxes of the selection.
    assert set(shown[1].split()) == {f"hide-{place + 1}" for place in (2, 3, 5, 6, 7, 8, 9)}
    assert "‘weight’ is no column of this list" in client_of().get("/pellets/?columns=code,weight").content.decode()


def test_added_columns_cost_one_query_for_the_page(pellets) -> None:
    client = client_of()
    client.get("/pellets/")
    with CaptureQueriesContext(connection) as plain:
        client.get("/pellets/")
    with CaptureQueriesContext(connection) as more:
        client.get("/pellets/?columns=code,mass_mg,created_by,notes")
    assert len(more) == len(plain) + 1


def test_a_view_is_kept_shared_and_forgotten(pellets) -> None:
    ann, bob = client_of(name="ann"), client_of(name="bob")
    form = {"name": "thick", "list_name": "pellets", "query": "thickness_um__gte=750", "back": "/pellets/"}
    assert ann.post("/views/save/", form).url == "/pellets/"
    assert "thick" in ann.get("/pellets/").content.decode()
    assert ">thick<" not in bob.get("/pellets/").content.decode()
    ann.post("/views/save/", form | {"is_shared": "on"})
    view = SavedView.objects.get()
    assert ">thick<" in bob.get("/pellets/").content.decode()
    assert "/pellets/?thickness_um__gte=750" in bob.get("/pellets/").content.decode()
    assert bob.post(f"/views/{view.pk}/delete/", {"back": "/pellets/"}).status_code == 404
    assert ann.post(f"/views/{view.pk}/delete/", {"back": "https://elsewhere.example/"}).url == "/"
    assert not SavedView.objects.exists()


def test_a_selection_over_pages_gives_codes_files_and_labels(pellets) -> None:
    client = client_of()
    wanted = [pellets[2].code, pellets[0].code]
    assert client.get("/pellets/?format=codes&thickness_um__gte=750").json()["codes"] == [
        pellets[2].code, pellets[1].code
    ]  # fmt: skip
    query = "&".join(f"codes={code}" for code in wanted)
    rows = client.get(client.get(f"/selection/pellets/?{query}&to=csv").url)
    text = b"".join(rows.streaming_content).decode()
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == wanted
    assert client.get(f"/selection/pellets/?{query}&to=labels").url == "/labels/?codes=" + "%2C".join(wanted)
    assert client.get("/selection/nothing/?codes=PEL-0001&to=xlsx").status_code == 404
    assert client.get("/selection/pellets/?to=csv").status_code == 302


def test_a_spreadsheet_has_names_units_and_numbers(pellets) -> None:
    pellet = pellets[0]
    pellet.notes = "=1+1"
    pellet.save()
    answer = client_of().get("/pellets/?format=xlsx&thickness_um__lt=750")
    book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    rows = list(book["pellets"].iter_rows(values_only=True))
    assert len(rows) == 4
    names, _, units, values = rows
    at = names.index("thickness_um")
    assert (units[at], values[at]) == ("µm", 700.0)
    assert values[names.index("code")] == pellet.code
    # A text that looks like a formula is not one.
    cell = book["pellets"].cell(4, names.index("notes") + 1)
    assert cell.data_type == "s"
    assert str(cell.value).endswith("=1+1")
    about = dict(row[:2] for row in book["About"].iter_rows(min_row=1, max_row=5, values_only=True))
    assert about["Filter"] == "Thickness (µm) < 750"
