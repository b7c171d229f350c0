"""Pages of pellet batches, as people use them: rows, drafts, doubts and corrections."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from lagpdb.records import Revision, save_record
from samples.models import Pellet, PelletBatch, PowderLot
from tests import builders
from tests.samples.pages import client_of, form_of, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Client:
    return client_of("member")


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
