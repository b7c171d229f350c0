"""Pages of cells, as people use them: building one, what is refused, what is asked."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from samples.models import Cell, Pellet
from tests import builders
from tests.samples.pages import client_of, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Client:
    return client_of("member")


def cell_data(on: Pellet, **more: str) -> dict[str, str]:
    sent = {"configuration": "symmetric", "pellet": on.code, "electrode_diameter_mm": "10", "form_key": "c"}
    return {**sent, "state": "resting", "rest_time_h": "12", "assembled_at": f"{timezone.now():%Y-%m-%dT%H:%M}", **more}


def test_building_a_cell(member: Client) -> None:
    pellet = builders.pellet()
    spelling = pellet.code.lower().replace("-", "_")
    response = member.post(reverse("cell_new"), cell_data(pellet, pellet=spelling), follow=True)
    cell = Cell.objects.get()
    assert (cell.pellet, cell.notation, cell.state) == (pellet, "Li|LAGP|Li", "resting")
    text = text_of(response)
    assert "Area 0.785 cm². 0.1 mA cm⁻² = 78.5 µA." in text
    assert "No test yet. Rest ends" in text


def test_a_full_cell_shows_its_rates(member: Client) -> None:
    lot = builders.electrode_lot()
    cell = builders.full_cell(electrode_lot=lot)
    assert "0.1 C = 33.4 µA." in text_of(member.get(reverse("cell_detail", args=[cell.code])))


def test_a_pellet_in_a_live_cell_is_refused(member: Client) -> None:
    cell = builders.symmetric_cell(state="on_test")
    response = member.post(reverse("cell_new"), cell_data(cell.pellet))
    assert response.status_code == 422
    sentence = f"{cell.pellet.code} is in {cell.code}, on test. Finish or dismantle that cell first."
    assert sentence in text_of(response)
    assert Cell.objects.count() == 1


def test_an_electrode_larger_than_the_pellet_is_refused(member: Client) -> None:
    pellet = builders.pellet(diameter_mm=9.0, mass_mg=None)
    response = member.post(reverse("cell_new"), cell_data(pellet))
    assert f"The electrode (Ø 10 mm) is larger than the face of {pellet.code} (Ø 9 mm)." in text_of(response)


def test_an_unknown_pellet_is_said(member: Client) -> None:
    response = member.post(reverse("cell_new"), {"configuration": "blocking", "pellet": "pel9999"})
    assert "PEL-9999 is not in lagpdb." in text_of(response)


def test_a_full_cell_needs_its_electrode_lot(member: Client) -> None:
    response = member.post(reverse("cell_new"), cell_data(builders.pellet(), configuration="full"))
    assert "A full cell needs an electrode lot; blocking and symmetric cells have none." in text_of(response)


def test_one_coated_side_is_asked(member: Client) -> None:
    pellet = builders.pellet()
    builders.sputter_run((pellet, "A"))
    data = cell_data(pellet)
    response = member.post(reverse("cell_new"), data)
    assert "Only side A is coated; side B will be LAGP|Li. Build anyway?" in text_of(response)
    member.post(reverse("cell_new"), {**data, "confirm": f"one_side-{pellet.code}"})
    assert Cell.objects.get().notation == "Li|CuS@LAGP|Li"


def test_the_coated_side_towards_the_cathode_is_asked(member: Client) -> None:
    pellet, lot = builders.pellet(), builders.electrode_lot()
    builders.sputter_run((pellet, "B"))
    response = member.post(
        reverse("cell_new"), cell_data(pellet, configuration="full", electrode_lot=lot.code, facing="A")
    )
    assert "The coated side faces LFP. Turn it?" in text_of(response)


def test_a_cell_moves_on(member: Client) -> None:
    cell = builders.symmetric_cell()
    address = reverse("cell_state", args=[cell.code])
    member.post(address, {"state": "on_test", "version": str(cell.version)})
    cell.refresh_from_db()
    assert cell.state == "on_test"
    response = member.post(address, {"state": "dismantled", "version": str(cell.version)}, follow=True)
    assert "Nothing was changed." in text_of(response)
    response = member.post(address, {"state": "finished", "version": "1"}, follow=True)
    assert "was changed meanwhile" in text_of(response)
