"""Lists, details and forms of samples, as people use them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from lagpdb.records import Revision, save_record, withdraw
from samples.models import Cell, Pellet, PelletBatch, PowderLot
from tests import builders

pytestmark = pytest.mark.django_db


def client_of(role: str = "member") -> Client:
    client = Client()
    client.force_login(builders.user(role=role))
    return client


@pytest.fixture
def member() -> Client:
    return client_of("member")


def text_of(response: Any) -> str:
    """What stands on the page, without tags, with single blanks."""
    content = response.content.decode().replace("&#x27;", "'").replace("&amp;", "&").replace("&gt;", ">")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content))


def form_of(response: Any) -> dict[str, str]:
    """Every field of the record form as a browser would send it back."""
    content = response.content.decode()
    content = content[content.index('id="record-form"') :]
    fields: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", content):
        attrs = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        kind = attrs.get("type", "text")
        if "name" not in attrs or (kind in ("radio", "checkbox") and " checked" not in tag):
            continue
        fields[attrs["name"]] = attrs.get("value", "")
    for name, body in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', content, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', body) or re.search(r'value="([^"]*)"', body)
        fields[name] = chosen[1] if chosen else ""
    for name, body in re.findall(r'<textarea name="([^"]+)"[^>]*>\s*(.*?)</textarea>', content, re.DOTALL):
        fields[name] = body
    fields.pop("csrfmiddlewaretoken", None)
    return fields


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


# -- J2: batches -------------------------------------------------------------------------------------------------------
def batch_data(lot: PowderLot, rows: list[tuple[str, str, str]], **more: str) -> dict[str, str]:
    data = {"powder_lot": lot.code.lower(), "count": str(len(rows)), "powder_mass_mg": "500", "form_key": "k", **more}
    for number, (mass, diameter, thickness) in enumerate(rows, start=1):
        data |= {
            f"row{number}-mass_mg": mass,
            f"row{number}-diameter_mm": diameter,
            f"row{number}-thickness_um": thickness,
        }
    return data


def test_a_batch_with_a_bad_row_keeps_it_as_draft(member: Client) -> None:
    lot = builders.lot()
    rows = [("478,2", "15.80", "801 803 799"), ("477.5", "15.81", "8010"), ("", "", "")]
    response = member.post(reverse("batch_new"), batch_data(lot, rows), follow=True)
    batch = PelletBatch.objects.get()
    good, bad, blank = batch.pellets.order_by("pk")
    assert (good.mass_mg, good.thickness_um, good.thickness_uncertainty_um) == (478.2, 801.0, 2.0)
    assert good.thickness_readings_um == [801.0, 803.0, 799.0]
    assert bad.mass_mg is None
    assert blank.state == "available"
    text = text_of(response)
    assert f"{bad.code} is kept as draft." in text
    assert "8010 µm is 8.0 mm. Did you mean 801?" in text
    assert "Use 801" in text
    assert f"Save 2, keep {bad.code} as draft" in text
    assert 'value="8010"' in response.content.decode()

    # The draft lives on the server: it is there again after a reload, and goes when the row is good.
    again = member.get(reverse("batch_edit", args=[batch.code]))
    data = form_of(again)
    assert data[f"{bad.code}-thickness_um"] == "8010"
    done = member.post(
        reverse("batch_edit", args=[batch.code]), {**data, "use": f"{bad.code}-thickness_um=801"}, follow=True
    )
    bad.refresh_from_db()
    assert (bad.thickness_um, bad.mass_mg) == (801.0, 477.5)
    assert "1 saved." in text_of(done)
    assert "draft" not in text_of(member.get(reverse("batch_detail", args=[batch.code])))


def test_a_row_says_what_it_lost_against_the_powder(member: Client) -> None:
    """500 mg of powder became 478.2 mg: 1 - 478.2 / 500 = 4.36 %."""
    asked = {"row": "row1", "row1-mass_mg": "478,2", "powder_mass_mg": "500"}
    assert "4.36 % lighter than the powder" in text_of(member.get(reverse("echo_pellet"), asked))
    assert "lighter" not in text_of(member.get(reverse("echo_pellet"), {**asked, "powder_mass_mg": ""}))


def test_the_end_of_the_hold_is_worked_out(member: Client) -> None:
    """From 25 °C to 900 °C at 5 °C per minute is 175 min; eight hours later the hold ends."""
    asked = {"sinter_temperature_degC": "900", "sinter_time_h": "8", "sinter_ramp_degC_min": "5"}
    address = reverse("furnace_hint")
    assert "The hold ends 10 h 55 min after the start at 5 °C min⁻¹." in text_of(member.get(address, asked))
    began = {**asked, "sinter_started_at": "2026-03-10T10:30"}
    assert "Hold ended about 21:25 on 10 Mar at 5 °C min⁻¹." in text_of(member.get(address, began))
    assert text_of(member.get(address, {**asked, "sinter_time_h": "long"})).strip() == ""


def test_an_unusual_value_is_saved_with_a_note(member: Client) -> None:
    lot = builders.lot()
    response = member.post(reverse("batch_new"), batch_data(lot, [("", "", "1300")]), follow=True)
    pellet = Pellet.objects.get()
    assert pellet.thickness_um == 1300.0
    assert "1 saved" not in text_of(response)
    assert "above what is usual" in text_of(member.get(reverse("pellet_detail", args=[pellet.code])))


def test_too_little_powder_is_asked_and_may_be_passed(member: Client) -> None:
    lot = builders.lot(amount_g=2.1)
    data = batch_data(lot, [("", "", "")] * 6)
    response = member.post(reverse("batch_new"), data)
    assert f"{lot.code} has 2.1 g left, 6 pellets need 3.0 g." in text_of(response)
    assert not PelletBatch.objects.exists()
    member.post(reverse("batch_new"), {**data, "confirm": "stock"})
    assert Pellet.objects.count() == 6


@pytest.mark.parametrize("count", ["0", "51", "six", ""])
def test_a_batch_has_one_to_fifty_pellets(member: Client, count: str) -> None:
    lot = builders.lot()
    response = member.post(reverse("batch_new"), batch_data(lot, [], count=count))
    assert response.status_code == 422
    assert not PelletBatch.objects.exists()
    if count:
        assert "A batch has 1 to 50 pellets." in text_of(response)


def test_another_count_keeps_what_was_typed(member: Client) -> None:
    lot = builders.lot()
    data = batch_data(lot, [("478", "15.8", "")], count="3")
    for address in (reverse("batch_rows"), reverse("batch_new")):
        response = member.post(address, {**data, "show_rows": "1"})
        assert response.status_code == 200
        assert response.content.decode().count("data-row=") == 3
        assert 'value="478"' in response.content.decode()
    assert not PelletBatch.objects.exists()


def test_rows_of_a_batch_save_alone(member: Client) -> None:
    batch = builders.batch()
    first, second = (builders.pellet(batch=batch, thickness_um=None, mass_mg=None) for _ in range(2))
    address = reverse("batch_edit", args=[batch.code])
    data = form_of(member.get(address))
    data |= {f"{first.code}-thickness_um": "0.8 mm", f"{second.code}-thickness_um": "1.000,5"}
    response = member.post(address, data, follow=True)
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.thickness_um == 800.0
    assert second.thickness_um is None
    assert "1.000,5: write 1000.5" in text_of(response)
    assert Revision.objects.filter(record_code=second.code, action="changed").count() == 0


def test_changing_a_stored_row_asks_why(member: Client) -> None:
    pellet = builders.pellet(thickness_um=801.0)
    address = reverse("batch_edit", args=[pellet.batch.code])
    data = form_of(member.get(address)) | {f"{pellet.code}-thickness_um": "803"}
    assert "Thickness changes. Give the reason below the table." in text_of(member.post(address, data, follow=True))
    data = form_of(member.get(address)) | {"reason": "measured again"}
    member.post(address, data)
    pellet.refresh_from_db()
    assert pellet.thickness_um == 803.0
    assert Revision.objects.filter(record_code=pellet.code).first().reason == "measured again"


def test_a_row_changed_by_two_people_is_said(member: Client) -> None:
    pellet = builders.pellet(thickness_um=None, thickness_uncertainty_um=None, mass_mg=None)
    address = reverse("batch_edit", args=[pellet.batch.code])
    data = form_of(member.get(address)) | {f"{pellet.code}-thickness_um": "790", f"{pellet.code}-mass_mg": "288"}
    theirs = Pellet.objects.get(pk=pellet.pk)
    theirs.thickness_um = 805.0
    save_record(theirs, by=builders.user("other"))
    response = member.post(address, data, follow=True)
    assert "other entered Thickness 805 meanwhile. Save again to keep yours." in text_of(response)
    member.post(address, form_of(response) | {"reason": "measured again"})
    pellet.refresh_from_db()
    assert (pellet.thickness_um, pellet.mass_mg) == (790.0, 288.0)


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


# -- J5: cells ---------------------------------------------------------------------------------------------------------
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
