"""Pages of what happened: history of one and of all, single values brought back, trash."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from lagpdb.models import Revision
from lagpdb.records import save_record, withdraw
from samples.models import Pellet
from tests import builders

pytestmark = pytest.mark.django_db


def client_of(role: str = "member") -> Client:
    client = Client()
    client.force_login(builders.user(role=role))
    return client


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())).replace("&#x27;", "'")


@pytest.fixture
def pellet() -> Pellet:
    """A pellet whose thickness was corrected once, with a reason."""
    made = builders.pellet(thickness_um=801.0)
    made.thickness_um = 8010.0 / 10 + 40
    return save_record(made, by=builders.user("ann"), reason="caliper was off")


def test_history_says_field_old_new_unit_person_and_reason(pellet) -> None:
    text = text_of(client_of().get(f"/history/{pellet.code}/"))
    assert "ann changed" in text
    assert "“caliper was off”" in text
    assert "Thickness (µm) 801 → 841" in text


def test_history_of_all_is_narrowed_by_kind_person_action_and_day(pellet) -> None:
    client = client_of()
    assert pellet.code in text_of(client.get("/history/?kind=pellet&by=ann&action=changed"))
    for nothing in ("kind=cell", "kind=pellet&by=nobody", "kind=pellet&until=2001-01-01"):
        assert f"{pellet.code} " not in text_of(client.get(f"/history/?{nothing}"))
    said = text_of(client.get("/history/?kind=pelet&action=eaten&since=yesterday"))
    assert "‘pelet’ is no kind of record." in said
    assert "‘eaten’ is no action" in said
    assert "‘yesterday’ is no date" in said


def test_a_single_value_comes_back_as_a_new_change(pellet) -> None:
    revision = Revision.objects.get(record_code=pellet.code, action="changed")
    answer = client_of().post(f"/history/value/{revision.pk}/", {"field": "thickness_um"}, follow=True)
    assert "Thickness (µm) of " in text_of(answer)
    stored = Pellet.objects.get(pk=pellet.pk)
    assert (stored.thickness_um, stored.version) == (801.0, 3)
    newest = Revision.objects.filter(record_code=pellet.code).first()
    assert newest.changes == {"thickness_um": [841.0, 801.0]}
    assert newest.reason == "value of version 1 brought back"


def test_a_link_to_another_record_comes_back_by_its_code() -> None:
    first, second = builders.lot(), builders.lot()
    batch = builders.batch(powder_lot=first)
    batch.powder_lot = second
    save_record(batch, by=None)
    revision = Revision.objects.get(record_code=batch.code, action="changed")
    client_of().post(f"/history/value/{revision.pk}/", {"field": "powder_lot"})
    batch.refresh_from_db()
    assert batch.powder_lot == first


def test_what_breaks_a_rule_does_not_come_back(pellet) -> None:
    revision = Revision.objects.get(record_code=pellet.code, action="changed")
    revision.changes = {"thickness_um": [-5.0, 841.0]}
    revision.save()
    said = text_of(client_of().post(f"/history/value/{revision.pk}/", {"field": "thickness_um"}, follow=True))
    assert "cannot take that value back: Thickness (µm) must be above 0." in said
    assert Pellet.objects.get(pk=pellet.pk).thickness_um == 841.0


def test_viewers_bring_nothing_back(pellet) -> None:
    revision = Revision.objects.get(record_code=pellet.code, action="changed")
    viewer = client_of("viewer")
    assert "Restore this value" not in viewer.get(f"/history/{pellet.code}/").content.decode()
    assert viewer.post(f"/history/value/{revision.pk}/", {"field": "thickness_um"}).status_code == 403


def test_trash_says_who_why_and_what_went_along(pellet) -> None:
    cell = builders.blocking_cell(pellet=pellet)
    withdraw(pellet, by=builders.user("carl"), reason="fell on the floor")
    text = text_of(client_of("member").get("/trash/"))
    assert f"{pellet.code} pellet carl" in text
    assert "fell on the floor" in text
    assert cell.code in text
    assert "Ask a curator" in text
    page = client_of("curator").get("/trash/").content.decode()
    assert f"/records/{pellet.code}/restore/" in page
    assert f"/records/{cell.code}/restore/" not in page  # it comes back with its pellet
    client_of("curator").post(f"/records/{pellet.code}/restore/")
    assert "Trash is empty." in text_of(client_of().get("/trash/"))


def test_the_cost_of_the_pages_does_not_grow(pellet, django_assert_max_num_queries) -> None:
    for _ in range(30):
        builders.pellet(batch=pellet.batch)
    client = client_of()
    with django_assert_max_num_queries(14):
        client.get("/history/")
