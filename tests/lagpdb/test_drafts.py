"""Drafts on the server: kept for one person, continued by their form, gone when the form is saved."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from lagpdb.models import Draft
from samples.models import Pellet, PowderLot
from tests import builders

pytestmark = pytest.mark.django_db


class Person:
    """Somebody with a browser."""

    def __init__(self, role: str = "member", name: str = "") -> None:
        self.user = builders.user(name, role)
        self.client = Client(enforce_csrf_checks=False)
        self.client.force_login(self.user)

    def send(self, data: dict[str, Any] | None = None, **more: Any) -> Any:
        """Post a draft as the page does."""
        fields = {name: value if isinstance(value, list) else [value] for name, value in (data or {}).items()}
        body = {"user": self.user.pk, "key": "k1", "title": "Receive a powder lot", "address": "/lots/new/"}
        sent = body | {"data": fields} | more.pop("instead", {}) | more
        return self.client.post("/drafts/", json.dumps(sent), content_type="application/json")


@pytest.fixture
def lin() -> Person:
    return Person(name="lin")


def test_a_draft_is_kept_once_per_form_and_key(lin: Person) -> None:
    first = lin.send({"supplier": "Tosh"}).json()
    again = lin.send({"supplier": "Toshima", "csrfmiddlewaretoken": "x", "confirm": "stock"}).json()
    lin.send({"supplier": "Toshima"}, key="k2")
    assert first["id"] == again["id"]
    assert Draft.objects.count() == 2
    draft = Draft.objects.get(key="k1")
    assert (draft.form, draft.address, draft.data) == ("lot_new", "/lots/new/", {"supplier": ["Toshima"]})


def test_a_new_form_continues_the_draft_that_it_is_asked_for(lin: Person) -> None:
    builders.lot()
    pk = lin.send({"supplier": "Toshima", "amount_g": "0,5 kg", "material": "LA", "form_key": "k1"}).json()["id"]
    page = lin.client.get("/lots/new/").content.decode()
    assert "You have a draft of" in page
    assert "0,5 kg" not in page
    answer = lin.client.get(f"/drafts/{pk}/", follow=True)
    page = answer.content.decode()
    assert 'value="0,5 kg"' in page
    assert 'name="form_key" value="k1"' in page
    assert "is not in lagpdb" not in page  # half a record is not judged
    lin.client.post("/lots/new/", {"material": "LAGP", "amount_g": "0,5 kg", "form_key": "k1"})
    assert PowderLot.objects.order_by("pk").last().amount_g == 500.0
    assert not Draft.objects.exists()


def test_a_draft_that_arrives_after_its_form_was_saved_is_not_kept(lin: Person) -> None:
    builders.lot()
    lin.client.post("/lots/new/", {"material": "LAGP", "amount_g": "10", "form_key": "k1"})
    assert lin.send({"supplier": "late", "form_key": "k1"}).json() == {"is_saved": True}
    assert not Draft.objects.exists()


def test_the_form_of_a_record_shows_its_draft_and_saving_ends_it(lin: Person) -> None:
    pellet = builders.pellet(mass_mg=None)
    address = f"/pellets/{pellet.code}/edit/"
    lin.send({"mass_mg": "291,5", "was-mass_mg": "", "version": "1"}, key=pellet.code, address=address)
    assert Draft.objects.get().record_version == 1
    assert 'value="291,5"' in lin.client.get(address).content.decode()
    assert 'value="291,5"' not in Person().client.get(address).content.decode()
    lin.client.post(address, {"mass_mg": "291,5", "thickness_um": "801 ± 3", "diameter_mm": "12", "version": "1"})
    assert Pellet.objects.get(pk=pellet.pk).mass_mg == 291.5
    assert not Draft.objects.exists()


def test_drafts_are_private(lin: Person) -> None:
    pk, mara = lin.send({"supplier": "Toshima"}).json()["id"], Person("administrator", "mara")
    for answer in (
        mara.client.get(f"/drafts/{pk}/"),
        mara.client.post(f"/drafts/{pk}/delete/"),
        mara.client.get(f"/lots/new/?draft={pk}"),
    ):
        assert answer.status_code == 404
    assert "Your drafts" not in mara.client.get("/").content.decode()
    page = lin.client.get("/").content.decode()
    assert "Your drafts" in page
    assert f"/drafts/{pk}/delete/" in page


def test_a_draft_is_deleted_by_its_owner(lin: Person) -> None:
    pk = lin.send({"supplier": "Toshima"}).json()["id"]
    assert lin.client.get(f"/drafts/{pk}/delete/").status_code == 405
    assert lin.client.post(f"/drafts/{pk}/delete/", {"next": "https://example.org/"}).url == "/"
    assert not Draft.objects.exists()
    assert lin.client.get(f"/lots/new/?draft={pk}").status_code == 404


def test_nothing_is_kept_for_nobody_for_somebody_else_and_for_readers(lin: Person) -> None:
    mara = Person(name="mara")
    answer = mara.send({"supplier": "Toshima"}, user=lin.user.pk)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "mara is signed in now, and this form is somebody else’s."
    assert Person("viewer").send({"supplier": "x"}).status_code == 403
    lin.client.logout()
    assert lin.send({"supplier": "x"}).status_code == 401
    state = lin.client.get("/drafts/session/")
    assert (state.status_code, state.json()["user"]) == (401, None)
    assert state.json()["csrf"]
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "https://example.org/lots/new/x"},
        {"address": "//example.org/lots/new/"},
        {"address": "javascript:alert(1)"},
        {"address": "/no/such/page/"},
        {"key": ""},
        {"key": "k" * 65},
        {"data": ["x"]},
        {"data": {"supplier": "x"}},
        {"data": {"supplier": [1]}},
        {"title": 3},
    ],
)
def test_what_is_no_draft_is_refused(lin: Person, wrong: dict[str, Any]) -> None:
    answer = lin.send({"supplier": "Toshima"}, instead=wrong)
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith(".")
    assert not Draft.objects.exists()


def test_a_draft_has_a_largest_size(lin: Person) -> None:
    assert lin.send({"notes": "x" * 400_000}).status_code == 200
    assert lin.send({"notes": "x" * 500_001}).status_code == 400


def test_rows_that_cannot_be_saved_are_a_draft_of_their_batch(lin: Person) -> None:
    """Fifty rows with three bad ones: 47 are saved, three wait, for this person alone."""
    lot = builders.lot()
    data = {"powder_lot": lot.code, "count": "50", "powder_mass_mg": "500", "form_key": "k9"}
    for number in range(1, 51):
        data |= {f"row{number}-mass_mg": "", f"row{number}-diameter_mm": "", f"row{number}-thickness_um": "801"}
    data |= {"row7-thickness_um": "8010", "row21-thickness_um": "80o", "row50-thickness_um": "1.000,5"}
    answer = lin.client.post("/pellets/new/", data, follow=True)
    pellets = list(Pellet.objects.order_by("pk"))
    assert [number for number, pellet in enumerate(pellets, 1) if pellet.thickness_um is None] == [7, 21, 50]
    bad = ", ".join(pellets[number - 1].code for number in (7, 21, 50))
    assert f"47 rows saved. {bad} are kept as draft." in answer.content.decode()
    assert f"Save 47, keep {bad} as draft" in answer.content.decode()
    batch = pellets[0].batch
    draft = Draft.objects.get()
    assert (draft.user, draft.form, draft.key) == (lin.user, "batch_edit", batch.code)
    other = Person().client.get(f"/pellet-batches/{batch.code}/edit/").content.decode()
    assert "8010" not in other

    for number, text in ((7, "801"), (21, "800"), (50, "1000,5")):
        code = pellets[number - 1].code
        lin.client.post(f"/pellet-batches/{batch.code}/edit/", {f"{code}-mass_mg": "", f"{code}-thickness_um": text})
    assert [Pellet.objects.get(pk=pellets[n - 1].pk).thickness_um for n in (7, 21, 50)] == [801.0, 800.0, 1000.5]
    assert not Draft.objects.exists()


NEW_FORMS = [
    "/lots/new/", "/pellets/new/", "/cells/new/?configuration=full", "/conversions/new/", "/electrodes/new/",
    "/materials/new/", "/instruments/new/", "/recipes/new/?kind=cell",
]  # fmt: skip


@pytest.mark.parametrize("address", NEW_FORMS)
def test_every_new_form_keeps_and_continues_its_draft(lin: Person, address: str) -> None:
    builders.lot()
    page = lin.client.get(address)
    assert page.status_code == 200
    assert 'id="draft"' in page.content.decode()
    pk = lin.send({"notes": "half a sentence ", "version": "1"}, address=address).json()["id"]
    answer = lin.client.get(f"/drafts/{pk}/", follow=True)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "It is not saved yet." in text
    assert "half a sentence" in text
    assert "Not saved yet." not in text  # nothing is judged before it is saved


def test_every_form_of_a_record_keeps_and_continues_its_draft(lin: Person) -> None:
    cell = builders.full_cell()
    batch, lot = cell.pellet.batch, cell.pellet.batch.powder_lot
    for address, code in (
        (f"/lots/{lot.code}/edit/", lot.code),
        (f"/pellets/{cell.pellet.code}/edit/", cell.pellet.code),
        (f"/pellet-batches/{batch.code}/correct/", batch.code),
        (f"/cells/{cell.code}/edit/", cell.code),
        (f"/electrodes/{cell.electrode_lot.code}/edit/", cell.electrode_lot.code),
        ("/materials/LAGP/edit/", "LAGP"),
    ):
        lin.send({"notes": f"a word on {code}", "was-notes": "", "version": "1"}, address=address, key=code)
        page = lin.client.get(address)
        assert page.status_code == 200, address
        assert f"a word on {code}" in page.content.decode(), address
        assert f'data-key="{code}"' in page.content.decode(), address
