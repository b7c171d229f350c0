"""Lists, details and forms of samples, as people use them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from lagpdb.records import Revision, save_record, withdraw
from samples.models import Cell, Pellet, PowderLot
from tests import builders
from tests.samples.pages import client_of, form_of, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Client:
    return client_of("member")


def some_records() -> dict[str, Any]:
    coated = builders.pellet()
    run = builders.sputter_run(coated)
    cell = builders.blocking_cell()
    measured = builders.measurement(cell)
    builders.result(measured)
    return {"lot": coated.batch.powder_lot, "batch": coated.batch, "pellet": coated, "cell": cell, "run": run}


# -- every page for every role -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", ["viewer", "member", "curator"])
def test_pages_render(role: str) -> None:
    records, client = some_records(), client_of(role)
    addresses = [reverse(name) for name in ("lot_list", "pellet_list", "cell_list", "sputter_run_list")]
    for name, key in (
        ("lot_detail", "lot"),
        ("batch_detail", "batch"),
        ("pellet_detail", "pellet"),
        ("cell_detail", "cell"),
        ("sputter_run_detail", "run"),
    ):
        addresses.append(reverse(name, args=[records[key].code]))
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200, address
        assert ' style="' not in response.content.decode(), address  # the policy would block it


@pytest.mark.parametrize("name", ["lot_new", "batch_new", "cell_new"])
def test_viewers_may_not_create(name: str) -> None:
    assert client_of("member").get(reverse(name)).status_code == 200
    for response in (client_of("viewer").get(reverse(name)), client_of("viewer").post(reverse(name), {})):
        assert response.status_code == 403
        assert "You can read this. Ask a curator to change it." in text_of(response)


def test_viewers_may_not_change() -> None:
    records, client = some_records(), client_of("viewer")
    for address in (
        reverse("lot_edit", args=[records["lot"].code]),
        reverse("batch_edit", args=[records["batch"].code]),
        reverse("pellet_edit", args=[records["pellet"].code]),
        reverse("cell_edit", args=[records["cell"].code]),
        reverse("cell_state", args=[records["cell"].code]),
        reverse("record_withdraw", args=[records["cell"].code]),
    ):
        assert client.post(address, {"state": "finished", "reason": "x"}).status_code == 403, address
    assert Cell.objects.get(pk=records["cell"].pk).state == "built"


def test_strangers_are_asked_to_sign_in() -> None:
    assert Client().get(reverse("pellet_list")).status_code == 302


# -- codes -------------------------------------------------------------------------------------------------------------
def test_any_spelling_finds_the_record(member: Client) -> None:
    pellet = builders.pellet()
    number = int(pellet.code[4:])
    for spelling in (f"pel{number}", f"PEL_{number}", f"pel {number:06d}", pellet.code):
        assert member.get(f"/s/{spelling}").headers["Location"] == f"/pellets/{pellet.code}/"
        assert member.get("/s/", {"q": spelling}).headers["Location"] == f"/pellets/{pellet.code}/"
    response = member.get("/s/PEL-9999")
    assert response.status_code == 404
    assert "PEL-9999 is not in lagpdb." in text_of(response)


# -- lists -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["lot_list", "pellet_list", "cell_list", "sputter_run_list"])
def test_lists_need_the_same_queries_however_long(member: Client, name: str) -> None:
    def make(count: int) -> None:
        for _ in range(count):
            cell = builders.blocking_cell()
            builders.sputter_run(cell.pellet)
            builders.result(builders.measurement(cell))

    make(10)
    member.get(reverse(name))
    with CaptureQueriesContext(connection) as few:
        member.get(reverse(name))
    make(50)
    with CaptureQueriesContext(connection) as many:
        member.get(reverse(name))
    assert len(many) == len(few)
    assert len(few) <= 12


def test_filters_stand_in_the_address_and_in_the_csv_link(member: Client) -> None:
    thin, thick = (builders.pellet(thickness_um=value, mass_mg=None) for value in (600.0, 900.0))
    response = member.get(reverse("pellet_list"), {"thickness_um__gte": "0,8 mm"})
    assert thick.code in text_of(response)
    assert thin.code not in text_of(response)
    assert "/api/v1/pellets/?thickness_um__gte=0%2C8+mm&amp;format=csv" in response.content.decode()


def test_wrong_filters_are_said_not_guessed(member: Client) -> None:
    pellet = builders.pellet()
    response = member.get(reverse("pellet_list"), {"colour": "ivory", "state": "lost", "thickness_um__gte": "thick"})
    text = text_of(response)
    assert "‘colour’ is no filter of this list and was left out." in text
    assert "‘lost’ is no choice of State" in text
    assert "Thickness from: ‘thick’ is not a number." in text
    assert pellet.code in text


def test_empty_lists_say_what_to_do(member: Client) -> None:
    assert "No lots. Receive one." in text_of(member.get(reverse("lot_list")))
    builders.pellet()
    response = member.get(reverse("pellet_list"), {"state": "broken"})
    assert "No pellet matches. Clear filters" in text_of(response)


def test_lists_sort_with_empty_values_last(member: Client) -> None:
    thick, none, thin = (builders.pellet(thickness_um=value, mass_mg=None) for value in (900.0, None, 600.0))
    text = text_of(member.get(reverse("pellet_list"), {"ordering": "thickness_um"}))
    assert text.index(thin.code) < text.index(thick.code) < text.index(none.code)
    text = text_of(member.get(reverse("pellet_list"), {"ordering": "-thickness_um"}))
    assert text.index(thick.code) < text.index(thin.code) < text.index(none.code)


def test_withdrawn_pellets_leave_the_list_but_keep_their_page(member: Client) -> None:
    pellet = builders.pellet()
    withdraw(pellet, by=builders.user(), reason="dropped")
    assert pellet.code not in text_of(member.get(reverse("pellet_list")))
    text = text_of(member.get(reverse("pellet_detail", args=[pellet.code])))
    assert "In Trash since" in text
    assert "Reason: dropped" in text
    assert "A curator can restore it." in text


# -- withdraw and restore ----------------------------------------------------------------------------------------------
def test_withdrawing_says_what_is_hidden_and_asks_why(member: Client) -> None:
    cell = builders.blocking_cell()
    builders.measurement(cell)
    address = reverse("record_withdraw", args=[cell.pellet.code])
    text = text_of(member.get(address))
    assert "1 cell" in text
    assert "1 measurement" in text
    response = member.post(address, {"reason": " "})
    assert response.status_code == 422
    assert "Say why" in text_of(response)
    member.post(address, {"reason": "wrong lot"})
    assert Pellet.objects.get(pk=cell.pellet_id).is_withdrawn
    assert Cell.objects.get(pk=cell.pk).is_withdrawn


def test_curators_restore(member: Client) -> None:
    pellet = builders.pellet()
    withdraw(pellet, by=builders.user(), reason="mistake")
    address = reverse("record_restore", args=[pellet.code])
    assert member.post(address).status_code == 403
    assert client_of("curator").post(address).status_code == 302
    assert not Pellet.objects.get(pk=pellet.pk).is_withdrawn


# -- J1: powder lots ---------------------------------------------------------------------------------------------------
def test_receiving_the_same_supplier_lot_asks(member: Client) -> None:
    first = builders.lot(supplier_lot="22-118")
    data = {"material": "LAGP", "supplier_lot": "22-118", "amount_g": "0,5 kg", "form_key": "a"}
    response = member.post(reverse("lot_new"), data)
    assert f"{first.code} already has supplier lot 22-118. Open it, or save this as a second container." in text_of(
        response
    )
    assert PowderLot.objects.count() == 1
    member.post(reverse("lot_new"), {**data, "confirm": "second_container"})
    assert PowderLot.objects.count() == 2
    assert PowderLot.objects.order_by("pk").last().amount_g == 500


def test_a_lot_without_density_says_so_and_takes_it(member: Client) -> None:
    lot = builders.lot(material=builders.material("LATP"))
    address = reverse("lot_detail", args=[lot.code])
    assert "Relative density cannot be computed until the material has one." in text_of(member.get(address))
    member.post(reverse("material_density", args=["LATP"]), {"theoretical_density_g_cm3": "2,93", "lot": lot.code})
    lot.material.refresh_from_db()
    assert lot.material.theoretical_density_g_cm3 == 2.93
    assert "cannot be computed" not in text_of(member.get(address))


def test_the_lot_page_counts_its_powder(member: Client) -> None:
    lot = builders.lot(amount_g=10.0)
    builders.pellet(batch=builders.batch(powder_lot=lot))
    text = text_of(member.get(reverse("lot_detail", args=[lot.code])))
    assert "9.50 g" in text
    assert "enough for 19 pellets of 500 mg." in text


def test_a_form_sent_twice_makes_one_record(member: Client) -> None:
    data = {"material": "LAGP", "amount_g": "10", "form_key": "the same"}
    first, second = (member.post(reverse("lot_new"), data) for _ in range(2))
    assert PowderLot.objects.count() == 1
    assert first.headers["Location"] == second.headers["Location"]


# -- editing over somebody else ----------------------------------------------------------------------------------------
def test_fields_of_two_people_merge(member: Client) -> None:
    pellet = builders.pellet(thickness_um=801.0, mass_mg=None)
    address = reverse("pellet_edit", args=[pellet.code])
    data = form_of(member.get(address)) | {"mass_mg": "290,5"}
    theirs = Pellet.objects.get(pk=pellet.pk)
    theirs.diameter_mm = 12.1
    save_record(theirs, by=None)
    response = member.post(address, data, follow=True)
    pellet.refresh_from_db()
    assert (pellet.mass_mg, pellet.diameter_mm, pellet.thickness_um) == (290.5, 12.1, 801.0)
    assert "Kept from somebody else’s change: Diameter." in text_of(response)


@pytest.mark.parametrize(("choice", "expected"), [("mine", 790.0), ("theirs", 805.0)])
def test_the_same_field_of_two_people_is_chosen(member: Client, choice: str, expected: float) -> None:
    pellet = builders.pellet(thickness_um=801.0, thickness_uncertainty_um=None)
    address = reverse("pellet_edit", args=[pellet.code])
    data = form_of(member.get(address)) | {"thickness_um": "790", "notes": "chipped", "reason": "measured again"}
    theirs = Pellet.objects.get(pk=pellet.pk)
    theirs.thickness_um = 805.0
    save_record(theirs, by=builders.user("other"))

    response = member.post(address, data)
    assert response.status_code == 409
    text = text_of(response)
    assert f"{pellet.code} was changed meanwhile by other" in text
    assert "805 take theirs" in text
    assert "790 keep mine" in text
    assert "801" in text

    unanswered = member.post(address, form_of(response))
    assert unanswered.status_code == 409
    data = form_of(unanswered)
    member.post(address, data | {"choice-thickness_um": choice})
    pellet.refresh_from_db()
    assert pellet.thickness_um == expected
    assert pellet.notes == "chipped"


def test_an_untouched_value_is_not_rounded(member: Client) -> None:
    pellet = builders.pellet(thickness_um=801.123456789, thickness_uncertainty_um=2.718281828)
    address = reverse("pellet_edit", args=[pellet.code])
    member.post(address, form_of(member.get(address)) | {"notes": "fine"})
    pellet.refresh_from_db()
    assert (pellet.thickness_um, pellet.thickness_uncertainty_um) == (801.123456789, 2.718281828)
    assert set(Revision.objects.filter(record_code=pellet.code).first().changes) == {"notes"}


def test_a_correction_asks_for_its_reason(member: Client) -> None:
    pellet = builders.pellet(thickness_um=801.0)
    address = reverse("pellet_edit", args=[pellet.code])
    response = member.post(address, form_of(member.get(address)) | {"thickness_um": "803"})
    assert response.status_code == 422
    assert "Thickness changes. Say why: it is kept with the history." in text_of(response)
    assert 'data-first-problem="id_reason"' in response.content.decode()


# -- details -----------------------------------------------------------------------------------------------------------
def test_the_pellet_page_tells_its_life(member: Client) -> None:
    pellet = builders.pellet()
    run = builders.sputter_run(pellet)
    cell = builders.symmetric_cell(pellet=pellet)
    number = builders.result(builders.measurement(cell), "interfacial_resistance_ohm", 170.0, uncertainty=6.0)
    text = text_of(member.get(reverse("pellet_detail", args=[pellet.code])))
    for part in (
        pellet.batch.code,
        run.code,
        cell.code,
        number.measurement.code,
        "CuS@LAGP@CuS , both sides",
        "170 ± 6 Ω",
    ):
        assert part.replace(" ,", ",") in text.replace(" ,", ",")


def test_history_shows_old_and_new_with_units(member: Client) -> None:
    pellet = builders.pellet(thickness_um=801.0)
    pellet.thickness_um = 803.0
    save_record(pellet, by=builders.user("anna"), reason="re-measured at 5 points")
    text = text_of(member.get(reverse("pellet_detail", args=[pellet.code])))
    assert "Thickness (µm) 801 → 803" in text
    assert "“re-measured at 5 points”" in text


# -- echo --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.8 mm", "= 800 µm"),
        ("478,2", "= 478.2 µm"),
        ("801 803 799", "mean 801 ± 2 µm, n = 3"),
        ("8010", "8010 µm is 8.0 mm. Did you mean 801?"),
        ("1.000,5", "1.000,5: write 1000.5"),
        ("", ""),
    ],
)
def test_echo_says_what_was_understood(member: Client, text: str, said: str) -> None:
    response = member.get(reverse("echo"), {"field": "thickness_um", "text": text})
    if text == "478,2":  # below the usual thickness: said, but allowed
        assert "478.2 µm is below what is usual" in text_of(response)
    else:
        assert said in text_of(response)


def test_echo_of_a_row_gives_the_relative_density(member: Client) -> None:
    lot = builders.lot()
    data = {"row": "row1", "powder_lot": lot.code}
    data |= {"row1-mass_mg": "478,2", "row1-diameter_mm": "15.8", "row1-thickness_um": "801"}
    assert "89.3 %" in text_of(member.get(reverse("echo_pellet"), data))
    heavy = member.get(reverse("echo_pellet"), data | {"row1-mass_mg": "900"})
    assert "More than 110 % is impossible" in text_of(heavy)
