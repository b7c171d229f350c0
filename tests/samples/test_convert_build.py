"""J4 and J5 without a browser: conversion, timer, cells, electrode lots; good and wrong paths, word for word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from lagpdb.records import Revision, save_record, withdraw
from samples.models import Cell, Conversion, ElectrodeLot, Pellet, Recipe
from tests import builders
from tests.samples.pages import client_of, form_of, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Client:
    return client_of("member")


def coated(faces: str = "AB") -> Pellet:
    pellet = builders.pellet()
    builders.sputter_run((pellet, faces))
    return pellet


def opened(member: Client, address: str) -> dict[str, Any]:
    """The form as it opens, ready to be sent back."""
    return form_of(member.get(address))


def last_reason(record: Any) -> str:
    return Revision.objects.filter(record_type=record._meta.label_lower, record_id=record.pk).first().reason


# -- J4: conversion ----------------------------------------------------------------------------------------------------
def test_the_recipe_fills_the_conversion(member: Client) -> None:
    sent = opened(member, reverse("conversion_new"))
    names = ("lithium_diameter_mm", "lithium_thickness_um", "temperature_degC", "duration_min", "faces", "is_polished")
    assert [sent[name] for name in names] == ["10", "100", "230", "2", "AB", "True"]


def test_several_pellets_are_converted_at_once(member: Client) -> None:
    first, second = coated(), coated("A")
    sent = opened(member, reverse("conversion_new"))
    sent |= {"pellet": f"{first.code} {second.code.lower()}", "h2o_ppm": "0,3", "o2_ppm": "0.5", "timer": "none"}
    asked = member.post(reverse("conversion_new"), sent)
    assert f"{second.code} has CuS on side A only. Convert side A alone?" in text_of(asked)
    assert not Conversion.objects.exists()
    done = member.post(reverse("conversion_new"), sent | {"confirm": f"only-{second.code}"}, follow=True)
    made = {each.pellet_id: each for each in Conversion.objects.all()}
    assert (made[first.pk].faces, made[second.pk].faces) == ("AB", "A")
    assert {each.h2o_ppm for each in made.values()} == {0.3}
    assert (first.notation, second.notation) == ("Li₂S/Cu@LAGP@Li₂S/Cu", "Li₂S/Cu@LAGP")
    text = text_of(done)
    assert "Next step: Build cells on" in text
    assert f"{reverse('cell_new')}?pellet={first.code}%20{second.code}" in done.content.decode()
    assert made[first.pk].recipe == Recipe.objects.get(kind="conversion")


def test_without_a_film_plain_attachment_is_offered(member: Client) -> None:
    pellet = builders.pellet()
    sent = opened(member, reverse("conversion_new")) | {"pellet": pellet.code, "timer": "none"}
    response = member.post(reverse("conversion_new"), sent)
    sentence = f"{pellet.code} has no CuS layer, so there is nothing to convert. Record plain Li attachment instead?"
    assert sentence in text_of(response)
    member.post(reverse("conversion_new"), sent | {"confirm": f"attach-{pellet.code}"})
    made = Conversion.objects.get()
    assert (made.is_attachment, pellet.notation) == (True, "LAGP")


def test_a_converted_pellet_is_not_converted_twice(member: Client) -> None:
    before = builders.conversion()
    sent = opened(member, reverse("conversion_new")) | {"pellet": before.pellet.code, "timer": "none"}
    response = member.post(reverse("conversion_new"), sent)
    assert f"{before.pellet.code} has no CuS layer, so there is nothing to convert." in text_of(response)
    assert reverse("conversion_detail", args=[before.code]) in response.content.decode()


def test_water_in_the_glovebox_is_noted(member: Client) -> None:
    sent = opened(member, reverse("conversion_new")) | {"pellet": coated().code, "h2o_ppm": "3", "timer": "none"}
    echo = member.get(reverse("echo"), {"field": "h2o_ppm", "name": "h2o_ppm", "h2o_ppm": "3", "recipe": "conversion"})
    assert "Above 1 ppm. Saved with a note." in text_of(echo)
    response = member.post(reverse("conversion_new"), sent, follow=True)
    assert "Above 1 ppm. Saved with a note." in text_of(response)
    made = Conversion.objects.get()
    assert made.h2o_ppm == 3.0
    assert last_reason(made) == "H₂O in the glovebox: Above 1 ppm. Saved with a note."


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"pellet": ""}, "This field is required."),
        ({"pellet": "PEL-9998 PEL-9999"}, "PEL-9999 is not in lagpdb."),
        ({"lithium_diameter_mm": "14"}, "The lithium foil (Ø 14 mm) is larger than the face of"),
        ({"duration_min": "0"}, "is not possible here"),
        ({"duration_min": "", "timer": "start"}, "The timer needs a time."),
        ({"temperature_degC": "1500"}, "A hot plate is below 1400 °C. Is the temperature in kelvin?"),
    ],
)
def test_what_a_conversion_refuses(member: Client, changed: dict[str, str], sentence: str) -> None:
    sent = opened(member, reverse("conversion_new")) | {"pellet": coated().code, "timer": "none"} | changed
    response = member.post(reverse("conversion_new"), sent)
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert not Conversion.objects.exists()


def test_one_bad_pellet_saves_none(member: Client) -> None:
    good, bound = coated(), coated()
    cell = builders.symmetric_cell(pellet=bound, state="on_test")
    sent = opened(member, reverse("conversion_new")) | {"pellet": f"{good.code} {bound.code}", "timer": "none"}
    response = member.post(reverse("conversion_new"), sent)
    assert f"{bound.code} is in {cell.code}, on test. Finish or dismantle that cell first." in text_of(response)
    assert not Conversion.objects.exists()


def test_sent_twice_it_converts_once(member: Client) -> None:
    sent = opened(member, reverse("conversion_new")) | {"pellet": coated().code, "timer": "none"}
    for _ in range(2):
        member.post(reverse("conversion_new"), sent)
    assert Conversion.objects.count() == 1


# -- the timer ---------------------------------------------------------------------------------------------------------
def start(member: Client, *pellets: Pellet) -> list[Conversion]:
    codes = " ".join(pellet.code for pellet in pellets)
    sent = opened(member, reverse("conversion_new")) | {"pellet": codes, "timer": "start"}
    response = member.post(reverse("conversion_new"), sent)
    made = list(Conversion.objects.order_by("pk"))
    assert response.headers["Location"] == reverse("conversion_timer", args=[made[0].code])
    return made


def move_back(made: list[Conversion], minutes: float) -> None:
    for each in made:
        Conversion.objects.filter(pk=each.pk).update(started_at=made[0].started_at - timedelta(minutes=minutes))


def test_the_timer_runs_on_the_server(member: Client) -> None:
    made = start(member, coated(), coated())
    assert all(each.is_running and each.ends_at == each.started_at + timedelta(minutes=2) for each in made)
    assert len({each.started_at for each in made}) == 1
    page = text_of(client_of("member").get(reverse("conversion_timer", args=[made[1].code])))
    assert "2 min at 230 °C" in page
    assert made[0].pellet.code in page
    assert "Conversion of" in text_of(member.get(reverse("dashboard")))
    move_back(made, 2.1)
    response = member.post(reverse("conversion_timer", args=[made[0].code]), {"duration_min": ""}, follow=True)
    assert "2.1 min saved. Next step: build the cells." in text_of(response)
    for each in Conversion.objects.all():
        assert each.duration_min == pytest.approx(2.1, abs=0.05)
        assert (each.performed_at - each.started_at).total_seconds() == pytest.approx(each.duration_min * 60)
        assert not each.is_running
    again = member.post(reverse("conversion_timer", args=[made[0].code]), {"duration_min": "9"})
    assert again.headers["Location"] == reverse("conversion_detail", args=[made[0].code])
    assert Conversion.objects.filter(duration_min=9).count() == 0


def test_after_a_sleep_the_actual_time_is_asked(member: Client) -> None:
    made = start(member, coated())
    move_back(made, 14)
    address = reverse("conversion_timer", args=[made[0].code])
    assert "12 min ago. How long was the lithium on the hot plate?" in text_of(member.get(address))
    response = member.post(address, {"duration_min": ""})
    assert response.status_code == 422
    assert "Say how long the lithium was on the hot plate." in text_of(response)
    member.post(address, {"duration_min": "2,5"})
    assert Conversion.objects.get().duration_min == 2.5


def test_a_timer_stopped_at_once_is_noted(member: Client) -> None:
    made = start(member, coated())
    response = member.post(reverse("conversion_timer", args=[made[0].code]), {"duration_min": ""}, follow=True)
    assert "0.1 min instead of 2 min, unusual. Saved with a note." in text_of(response)
    assert "Saved with a note." in last_reason(made[0])


def test_a_question_does_not_stop_the_timer_from_starting(member: Client) -> None:
    pellet = builders.pellet()
    sent = opened(member, reverse("conversion_new")) | {"pellet": pellet.code, "timer": "start"}
    asked = form_of(member.post(reverse("conversion_new"), sent))
    member.post(reverse("conversion_new"), asked | {"confirm": f"attach-{pellet.code}"})
    assert Conversion.objects.get().is_running


# -- pages of conversions ----------------------------------------------------------------------------------------------
def test_the_glovebox_is_drawn(member: Client) -> None:
    assert "Glovebox" not in text_of(member.get(reverse("conversion_list")))
    builders.conversion(h2o_ppm=3.0, o2_ppm=0.0)
    text = text_of(member.get(reverse("conversion_list")))
    assert "H₂O and O₂ at each conversion, 1 above 1 ppm" in text


def test_a_correction_needs_a_reason(member: Client) -> None:
    made = builders.conversion(temperature_degC=230.0)
    address = reverse("conversion_edit", args=[made.code])
    sent = opened(member, address) | {"temperature_degC": "240"}
    assert "Hot plate changes. Say why" in text_of(member.post(address, sent))
    member.post(address, sent | {"reason": "typing error"})
    made.refresh_from_db()
    assert (made.temperature_degC, last_reason(made)) == (240.0, "typing error")


def test_a_duplicate_leaves_out_what_was_measured(member: Client) -> None:
    made = builders.conversion(temperature_degC=235.0, h2o_ppm=0.2, is_polished=False, notes="first foil")
    sent = opened(member, f"{reverse('conversion_new')}?like={made.code}")
    assert (sent["temperature_degC"], sent["is_polished"]) == ("235", "False")
    assert (sent["h2o_ppm"], sent["pellet"]) == ("", "")


# -- J5: cells ---------------------------------------------------------------------------------------------------------
def test_defaults_of_a_full_cell(member: Client) -> None:
    builders.electrode_lot(loading_mg_cm2=None)
    lot = builders.electrode_lot()
    pellet = builders.pellet()
    address = f"{reverse('cell_new')}?configuration=full&pellet={pellet.code}"
    sent = opened(member, address)
    names = ("electrode_diameter_mm", "electrode_lot", "liquid_uL", "liquid_name", "case", "rest_time_h", "state")
    assert [sent[name] for name in names] == [
        "10", lot.code, "7", "1 M LiPF₆ in EC/DEC", "CR2032", "12", "resting",
    ]  # fmt: skip
    text = text_of(member.post(address, sent, follow=True))
    # π (10 mm / 2)² = 0.7854 cm²; 2.5 mg cm⁻² × 0.7854 cm² × 170 mAh g⁻¹ = 0.3338 mAh
    assert "Area 0.785 cm². 0.1 mA cm⁻² = 78.5 µA. 0.1 C = 33.4 µA." in text
    assert "Li|LAGP|LFP" in text
    cell = Cell.objects.get()
    assert cell.rest_ends_at == cell.rest_started_at + timedelta(hours=12)
    assert cell.recipe == Recipe.objects.get(kind="cell")
    assert "charge, constant current 0.1 C 33.4 µA up to 4 V" in text


def test_other_cells_go_on_dry(member: Client) -> None:
    builders.electrode_lot()
    sent = opened(member, f"{reverse('cell_new')}?configuration=symmetric")
    assert (sent["electrode_lot"], sent["liquid_uL"], sent["liquid_name"]) == ("", "", "")


def test_two_pellets_make_two_cells(member: Client) -> None:
    first, second = builders.pellet(), coated()
    address = f"{reverse('cell_new')}?configuration=symmetric&pellet={first.code} {second.code}"
    member.post(address, opened(member, address))
    assert list(Cell.objects.order_by("pk").values_list("pellet", "notation")) == [
        (first.pk, "Li|LAGP|Li"),
        (second.pk, "Li|CuS@LAGP@CuS|Li"),
    ]
    one, two = Cell.objects.order_by("pk")
    assert two.code in text_of(member.get(reverse("cell_detail", args=[one.code])))
    sheet = text_of(member.get(reverse("cell_steps", args=[one.code]), {"all": "1"}))
    assert one.code in sheet
    assert two.code in sheet


def test_two_pellets_one_of_them_in_a_live_cell(member: Client) -> None:
    cell = builders.symmetric_cell(state="on_test")
    free = builders.pellet()
    address = f"{reverse('cell_new')}?configuration=symmetric&pellet={free.code} {cell.pellet.code}"
    response = member.post(address, opened(member, address))
    assert f"{cell.pellet.code} is in {cell.code}, on test. Finish or dismantle that cell first." in text_of(response)
    assert Cell.objects.count() == 1


def test_the_cell_is_turned(member: Client) -> None:
    builders.electrode_lot()
    pellet = coated("B")
    address = f"{reverse('cell_new')}?configuration=full&pellet={pellet.code}"
    sent = opened(member, address)
    asked = member.post(address, sent)
    assert "The coated side faces LFP. Turn it?" in text_of(asked)
    assert f'value="turn-{pellet.code}"' in asked.content.decode()
    member.post(address, sent | {"confirm": f"turn-{pellet.code}"})
    made = Cell.objects.get()
    assert (made.facing, made.notation) == ("B", "Li|CuS@LAGP|LFP")


def test_a_missing_loading_does_not_stop_the_cell(member: Client) -> None:
    lot = builders.electrode_lot(loading_mg_cm2=None)
    address = f"{reverse('cell_new')}?configuration=full&pellet={builders.pellet().code}"
    text = text_of(member.post(address, opened(member, address), follow=True))
    assert f"{lot.code} has no loading, so capacities stay in mAh." in text
    assert Cell.objects.get().active_mass_mg is None


def test_a_disc_larger_than_the_pellet_is_refused(member: Client) -> None:
    lot = builders.electrode_lot(diameter_mm=16.0)
    pellet = builders.pellet(diameter_mm=12.0)
    address = f"{reverse('cell_new')}?configuration=full&pellet={pellet.code}"
    response = member.post(address, opened(member, address))
    assert f"The disc of {lot.code} (Ø 16 mm) is larger than the face of {pellet.code} (Ø 12 mm)." in text_of(response)
    assert not Cell.objects.exists()


def test_steps_of_a_symmetric_cell(member: Client) -> None:
    cell = builders.symmetric_cell()
    text = text_of(member.get(reverse("cell_steps", args=[cell.code])))
    assert "open circuit, then spectrum 10 mV, 25 °C" in text
    assert "1 MHz to 10 mHz" in text
    # 0.05 to 0.60 mA cm⁻² in steps of 0.05 are twelve, on 0.7854 cm² from 39.3 µA to 471 µA; 0.1 / 0.1 is 1 h
    assert text.count("Critical current density plate, then strip") == 12
    assert "0.05 mA cm⁻² 39.3 µA 1 h each way" in text
    assert "0.6 mA cm⁻² 471 µA 1 h each way" in text
    assert "0.1 mA cm⁻² 78.5 µA 1 h each way, 0.1 mAh cm⁻²" in text


def test_the_rest_starts_with_its_button_and_an_early_test_is_noted(member: Client) -> None:
    cell = builders.symmetric_cell(state="built", rest_time_h=12.0)
    address = reverse("cell_state", args=[cell.code])
    member.post(address, {"state": "resting"})
    cell.refresh_from_db()
    assert (timezone.now() - cell.rest_started_at).total_seconds() < 60
    assert "Rest ends" in text_of(member.get(reverse("dashboard")))
    response = member.post(address, {"state": "on_test"}, follow=True)
    assert "Saved with a note." in text_of(response)
    assert last_reason(cell) == "Rest: 0.0 h of 12 h. Saved with a note."


def test_a_rested_cell_goes_on_test_without_a_note(member: Client) -> None:
    cell = builders.symmetric_cell(
        state="resting", rest_time_h=12.0, rest_started_at=timezone.now() - timedelta(hours=13)
    )
    assert "Rest is over" in text_of(member.get(reverse("dashboard")))
    member.post(reverse("cell_state", args=[cell.code]), {"state": "on_test"})
    assert last_reason(cell) == ""


# -- P11: electrode lots -----------------------------------------------------------------------------------------------
def test_an_electrode_lot_from_the_recipe(member: Client) -> None:
    sent = opened(member, reverse("electrode_new"))
    names = ("material", "active_fraction", "diameter_mm", "drying_temperature_degC", "drying_time_h")
    assert [sent[name] for name in names] == ["LFP", "0.8", "10", "110", "12"]
    sent |= {"loading_mg_cm2": "2,5 ± 0,1", "active_fraction": "80 %"}
    text = text_of(member.post(reverse("electrode_new"), sent, follow=True))
    lot = ElectrodeLot.objects.get()
    assert (lot.loading_mg_cm2, lot.loading_uncertainty_mg_cm2, lot.active_fraction) == (2.5, 0.1, 0.8)
    # 2.5 mg cm⁻² × 0.7854 cm² = 1.963 mg, × 170 mAh g⁻¹ = 0.334 mAh; 2.5 / 0.8 = 3.125 mg cm⁻² of coat
    assert "1.96 mg" in text
    assert "0.334 mAh" in text
    assert "incomplete" not in text


def test_a_percent_typed_as_a_number_is_caught(member: Client) -> None:
    sent = opened(member, reverse("electrode_new")) | {"active_fraction": "80"}
    response = member.post(reverse("electrode_new"), sent)
    assert response.status_code == 422
    assert "Did you mean 80 %?" in text_of(response)


def test_what_is_missing_of_an_electrode_lot_is_said(member: Client) -> None:
    lot = builders.electrode_lot(loading_mg_cm2=None, active_fraction=None)
    text = text_of(member.get(reverse("electrode_detail", args=[lot.code])))
    assert f"{lot.code} has no loading, so capacities of its cells stay in mAh." in text
    assert "loading, active fraction" in text_of(member.get(reverse("electrode_list")))


def test_a_retired_material_stays_where_it_is(member: Client) -> None:
    lot = builders.electrode_lot(material=builders.material("NMC", theoretical_capacity_mAh_g=200.0))
    withdraw(lot.material, by=None, reason="no longer used")
    assert not ElectrodeLot.objects.get(pk=lot.pk).is_withdrawn
    address = reverse("electrode_edit", args=[lot.code])
    member.post(address, opened(member, address) | {"loading_mg_cm2": "3", "reason": "weighed again"})
    lot.refresh_from_db()
    assert lot.loading_mg_cm2 == 3.0
    fresh = member.post(reverse("electrode_new"), opened(member, reverse("electrode_new")) | {"material": "NMC"})
    assert "NMC is in the trash since" in text_of(fresh)


# -- who may -----------------------------------------------------------------------------------------------------------
def test_viewers_read_and_change_nothing() -> None:
    viewer, made, lot = client_of("viewer"), builders.conversion(), builders.electrode_lot()
    cell = builders.symmetric_cell()
    for address in (
        reverse("conversion_list"), reverse("conversion_detail", args=[made.code]), reverse("electrode_list"),
        reverse("electrode_detail", args=[lot.code]), reverse("cell_steps", args=[cell.code]),
    ):  # fmt: skip
        assert viewer.get(address).status_code == 200, address
    for address in (
        reverse("conversion_new"), reverse("conversion_edit", args=[made.code]), reverse("electrode_new"),
        reverse("conversion_timer", args=[made.code]), reverse("electrode_edit", args=[lot.code]),
    ):  # fmt: skip
        assert viewer.get(address).status_code == 403, address
        assert viewer.post(address, {}).status_code == 403, address


def test_a_corrected_recipe_keeps_what_was_saved() -> None:
    made = builders.conversion(recipe=Recipe.objects.get(kind="conversion"))
    recipe = made.recipe
    recipe.defaults = recipe.defaults | {"temperature_degC": 250}
    save_record(recipe, by=None)
    made.refresh_from_db()
    assert (made.temperature_degC, made.version) == (230.0, 1)
