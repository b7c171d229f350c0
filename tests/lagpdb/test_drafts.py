"""Drafts on the server: kept while typing, private, forgotten when the form is saved."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from lagpdb.drafts import keep_rows, rows_kept
from lagpdb.models import Draft
from samples.models import PowderLot
from tests import builders

pytestmark = pytest.mark.django_db
LOT = {"form": "/lots/new/", "key": "abc", "title": "Receive a powder lot", "data": {"supplier": ["Example"]}}


@pytest.fixture
def ann() -> Any:
    return builders.user("ann")


@pytest.fixture
def client(ann) -> Client:
    client = Client()
    client.force_login(ann)
    return client


def keep(client: Client, **changes: Any) -> Any:
    return client.post("/drafts/", LOT | changes, content_type="application/json")


def test_a_draft_is_kept_and_found_again(client) -> None:
    answer = keep(client, version=3)
    assert answer.status_code == 200
    assert set(answer.json()["draft"]) >= {"id", "saved_at"}
    keep(client, data={"supplier": ["Example Powders"], "csrfmiddlewaretoken": ["secret"]}, version=3)
    found = client.get("/drafts/", {"form": "/lots/new/"}).json()["draft"]
    assert found["data"] == {"supplier": ["Example Powders"]}
    assert found["version"] == 3
    assert Draft.objects.count() == 1


def test_each_filling_of_a_form_has_a_draft_of_its_own(client) -> None:
    keep(client)
    keep(client, key="def", data={"supplier": ["Another"]})
    assert Draft.objects.count() == 2
    assert client.get("/drafts/", {"form": "/lots/new/"}).json()["draft"]["data"] == {"supplier": ["Another"]}
    assert client.get("/drafts/", {"form": "/lots/new/", "key": "abc"}).json()["draft"]["key"] == "abc"
    assert client.get("/drafts/", {"form": "/cells/new/"}).json()["draft"] is None


def test_drafts_are_private(client) -> None:
    keep(client)
    other = Client()
    other.force_login(builders.user("bob"))
    assert other.get("/drafts/", {"form": "/lots/new/"}).json()["draft"] is None
    number = Draft.objects.get().pk
    assert other.get("/drafts/", {"form": "/lots/new/", "id": number}).json()["draft"] is None
    assert other.post(f"/drafts/{number}/delete/").status_code == 404
    assert "Your drafts" not in other.get("/").content.decode()
    assert Draft.objects.count() == 1


def test_without_a_session_the_answer_is_401_and_not_a_page() -> None:
    nobody = Client()
    for answer in (nobody.get("/drafts/token/"), nobody.get("/drafts/"), keep(nobody)):
        assert answer.status_code == 401
        assert answer.json()["detail"].startswith("You are signed out.")


def test_the_token_is_the_one_that_forms_need(ann) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann)
    said = client.get("/drafts/token/").json()
    assert said["user"] == "ann"
    assert keep(client).status_code == 403
    headers = {"X-CSRFToken": said["csrf"]}
    assert client.post("/drafts/", LOT, content_type="application/json", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"form": "/lots/new/"}', b'{"form": "https://elsewhere.example/", "key": "a", "data": {}}',
     b'{"form": "//elsewhere.example/", "key": "a", "data": {}}', b'{"form": "/lots/new/", "key": "", "data": {}}',
     b'{"form": "/lots/new/", "key": "a", "data": [1]}'],
)  # fmt: skip
def test_what_is_no_draft_is_refused(client, body: bytes) -> None:
    assert client.post("/drafts/", body, content_type="application/json").status_code == 400
    assert not Draft.objects.exists()


def test_a_huge_form_is_refused_with_a_sentence(client) -> None:
    answer = keep(client, data={"notes": ["x" * 600_000]})
    assert answer.status_code == 413
    assert "too long" in answer.json()["detail"]


def test_saving_the_form_ends_its_draft_and_only_that(client) -> None:
    number = keep(client).json()["draft"]["id"]
    keep(client, key="def")
    form = {"material": "LAGP", "supplier": "Example", "amount_g": "500", "form_key": "abc", "draft": str(number)}
    assert client.post("/lots/new/", form | {"amount_g": "much"}).status_code == 422
    assert Draft.objects.count() == 2  # refused: still a draft
    assert client.post("/lots/new/", form).status_code == 302
    assert PowderLot.objects.count() == 1
    assert [draft.key for draft in Draft.objects.all()] == ["def"]


def test_the_draft_of_another_person_is_not_ended(client) -> None:
    theirs = Draft.objects.create(user=builders.user("bob"), form="/lots/new/", key="x", address="/lots/new/")
    client.post("/lots/new/", {"material": "LAGP", "amount_g": "5", "form_key": "k", "draft": str(theirs.pk)})
    assert Draft.objects.filter(pk=theirs.pk).exists()


def test_the_dashboard_lists_them_with_a_way_back_and_away(client) -> None:
    number = keep(client).json()["draft"]["id"]
    page = client.get("/").content.decode()
    assert f'href="/lots/new/?draft={number}"' in page
    assert client.post(f"/drafts/{number}/delete/").url == "/"
    assert "Your drafts" not in client.get("/").content.decode()


def test_rows_of_a_batch_wait_beside_the_drafts_of_forms(ann, client) -> None:
    keep_rows(ann, "/pellet-batches/PBT-0001/edit/", "PEL-0002 of PBT-0001", {"PEL-0002": {"mass_mg": "2x"}})
    assert rows_kept(ann, "/pellet-batches/PBT-0001/edit/") == {"PEL-0002": {"mass_mg": "2x"}}
    assert client.get("/drafts/", {"form": "/pellet-batches/PBT-0001/edit/"}).json()["draft"] is None
    assert "PEL-0002 of PBT-0001" in client.get("/").content.decode()
    keep_rows(ann, "/pellet-batches/PBT-0001/edit/", "", {})
    assert not Draft.objects.exists()


def test_a_batch_of_fifty_with_three_bad_rows_saves_47_and_keeps_3(ann, client) -> None:
    lot = builders.lot()
    form = {"powder_lot": lot.code, "count": "50", "powder_mass_mg": "500", "sinter_temperature_degC": "900",
            "sinter_time_h": "8", "grits": "400 800 1500", "form_key": "k"}  # fmt: skip
    for number in range(1, 51):
        bad = number in (7, 20, 33)
        form |= {f"row{number}-mass_mg": "29o" if bad else "290,4", f"row{number}-diameter_mm": "12,0",
                 f"row{number}-thickness_um": "801", f"row{number}-state": "available"}  # fmt: skip
    answer = client.post("/pellets/new/", form)
    assert answer.status_code == 302, answer.content.decode()[:2000]
    from samples.models import Pellet

    assert Pellet.objects.count() == 50
    assert Pellet.objects.filter(mass_mg=290.4, thickness_um=801.0, diameter_mm=12.0).count() == 47
    draft = Draft.objects.get(user=ann)
    assert sorted(draft.data) == ["PEL-0007", "PEL-0020", "PEL-0033"]
    page = client.get(answer.url).content.decode()
    assert page.count('value="29o"') == 3
    assert "Save 47, keep PEL-0007, PEL-0020, PEL-0033 as draft" in page
