"""The shared ground of the API: pages, order, filters, refusals, the shape of errors."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from django.db import OperationalError
from django.test import override_settings

from lagpdb import filters
from lagpdb.problems import Problem, Problems
from lagpdb.rest import OrjsonRenderer
from samples.models import Material, Pellet, PelletBatch
from tests import builders
from tests.api_client import ROOT, Api

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def api() -> Api:
    return Api()


def walk(api: Api, path: str, link: str = "next", **query: object) -> list[str]:
    """Codes on all pages, following the links as they are given."""
    page = api.get(path, **query).json()
    codes = [row["code"] for row in page["results"]]
    while page[link]:
        page = api.get(page[link]).json()
        found = [row["code"] for row in page["results"]]
        codes = codes + found if link == "next" else found + codes
    return codes


# -- pages -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def pellets() -> list[Pellet]:
    batch = builders.batch()
    thickness = [800.0, None, 790.0, 800.0, None, 810.5, 790.0]
    return [builders.pellet(batch=batch, thickness_um=value, mass_mg=None) for value in thickness]


@pytest.mark.parametrize("ordering", ["", "thickness_um", "-thickness_um", "-thickness_um,code", "mass_mg", "code"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_hold_every_row_once_in_any_order(api: Api, pellets: list[Pellet], ordering: str, limit: int) -> None:
    query = {"ordering": ordering} if ordering else {}
    whole = [row["code"] for row in api.rows("pellets/", **query)]
    assert sorted(whole) == sorted(pellet.code for pellet in pellets)
    assert walk(api, "pellets/", limit=limit, **query) == whole


@pytest.mark.parametrize("ordering", ["", "-thickness_um", "thickness_um"])
def test_previous_leads_back_the_same_way(api: Api, pellets: list[Pellet], ordering: str) -> None:
    query = {"ordering": ordering, "limit": 2} if ordering else {"limit": 2}
    pages = [api.get("pellets/", **query).json()]
    while pages[-1]["next"]:
        pages.append(api.get(pages[-1]["next"]).json())
    assert pages[0]["previous"] is None
    for number in range(len(pages) - 1, 0, -1):
        back = api.get(pages[number]["previous"]).json()
        assert back["results"] == pages[number - 1]["results"]
    assert api.get(pages[1]["previous"]).json()["previous"] is None


def test_nulls_come_last_both_ways(api: Api, pellets: list[Pellet]) -> None:
    for ordering in ("thickness_um", "-thickness_um"):
        values = [row["thickness_um"] for row in api.rows("pellets/", ordering=ordering)]
        assert values[-2:] == [None, None]
        known = values[:-2]
        assert known == sorted(known, reverse=ordering.startswith("-"))


def test_rows_added_meanwhile_do_not_move_pages(api: Api, pellets: list[Pellet]) -> None:
    first = api.get("pellets/", limit=3).json()
    builders.pellet(batch=pellets[0].batch)
    second = api.get(first["next"]).json()
    codes = [row["code"] for row in first["results"] + second["results"]]
    assert len(set(codes)) == 6


def test_next_is_absolute_and_keeps_the_question(api: Api, pellets: list[Pellet]) -> None:
    link = api.get("pellets/", limit=2, thickness_um__gte="790", fields="code").json()["next"]
    assert link.startswith(f"http://testserver{ROOT}pellets/?")
    assert "thickness_um__gte=790" in link
    assert set(api.get(link).json()["results"][0]) == {"code"}


@pytest.mark.parametrize("cursor", ["x", "W10", "bnVsbA", "WyIiLGZhbHNlLFsiYSJdXQ", "WyIiLGZhbHNlLFsxLDJdXQ", "é"])
def test_a_cursor_that_is_not_ours_is_refused(api: Api, cursor: str) -> None:
    assert api.get("pellets/", cursor=cursor).status_code == 400


def test_a_cursor_belongs_to_its_order(api: Api, pellets: list[Pellet]) -> None:
    link = api.get("pellets/", limit=2).json()["next"]
    assert api.get(link + "&ordering=code").status_code == 400


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "1e2", "", "9" * 40])
def test_limit_is_checked(api: Api, limit: str) -> None:
    refused = api.get("pellets/", limit=limit)
    assert refused.status_code == 400
    assert refused.json()["field"] == "limit"


def test_order_is_an_allow_list(api: Api) -> None:
    for name in ("password", "batch__powder_lot__material__id", "created_by__password", "?", "thicknes_um"):
        refused = api.get("pellets/", ordering=name)
        assert refused.status_code == 400
        assert refused.json()["field"] == "ordering"


def test_count(api: Api, pellets: list[Pellet]) -> None:
    assert "X-Total-Count" not in api.get("pellets/")
    assert api.get("pellets/", count=1, limit=2)["X-Total-Count"] == "7"
    assert api.get("pellets/", count=1, thickness_um=800)["X-Total-Count"] == "2"


# -- filters -----------------------------------------------------------------------------------------------------------
def test_every_lookup(api: Api, pellets: list[Pellet]) -> None:
    def count(**query: object) -> int:
        return len(api.rows("pellets/", **query))

    assert count(thickness_um=800) == 2
    assert count(thickness_um__gt=800) == 1
    assert count(thickness_um__gte=800) == 3
    assert count(thickness_um__lt="8e2") == 2
    assert count(thickness_um__lte=800) == 4
    assert count(thickness_um__in="790,810.5") == 3
    assert count(thickness_um__range="790,800") == 4
    assert count(thickness_um__isnull="true") == 2
    assert count(thickness_um__isnull="false") == 5
    assert count(code__contains=pellets[0].code[-4:].lower()) == 1
    assert count(state="available", thickness_um__gt=795, thickness_um__lt=805) == 2


def test_codes_in_any_spelling(api: Api, pellets: list[Pellet]) -> None:
    number = int(pellets[2].code[4:])
    for text in (f"pel{number}", f"PEL_{number:04d}", f"pel {number}", pellets[2].code):
        assert [row["code"] for row in api.rows("pellets/", code=text)] == [pellets[2].code]
        assert api.get(f"pellets/{text}/").status_code == 200
    assert len(api.rows("pellets/", code__in=f"pel{number},{pellets[0].code}")) == 2


def test_codes_that_people_chose_are_taken_as_they_are(api: Api) -> None:
    builders.instrument("xrd1")
    assert [row["code"] for row in api.rows("instruments/", code="xrd1")] == ["xrd1"]
    assert api.get("instruments/xrd1/").json()["code"] == "xrd1"


def test_an_empty_text_is_a_value(api: Api) -> None:
    builders.lot(supplier="")
    builders.lot(supplier="Toshima")
    assert [row["supplier"] for row in api.rows("powder-lots/", supplier="")] == [""]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("thickness_um", "thick"),
        ("thickness_um", ""),
        ("thickness_um__gte", "nan"),
        ("thickness_um__lte", "inf"),
        ("thickness_um__lt", "1e999"),
        ("thickness_um__gt", "1_000"),
        ("thickness_um__range", "1"),
        ("thickness_um__range", "1,2,3"),
        ("thickness_um__in", "1,,2"),
        ("thickness_um__isnull", "maybe"),
        ("is_coated", "perhaps"),
        ("is_synthetic", ""),
        ("created_at__gte", "yesterday"),
        ("created_at__gte", "2026-13-40"),
        ("version", "1.5"),
        ("notes__contains", "a\x00b"),
    ],
)
def test_values_are_checked_before_the_database_sees_them(api: Api, name: str, value: str) -> None:
    refused = api.get("pellets/", **{name: value})
    assert refused.status_code == 400
    assert refused.json()["field"] == name


@pytest.mark.parametrize(
    "name",
    [
        "password", "created_by__password__startswith", "batch__powder_lot__material__name", "_connector", "pk",
        "thickness_um__regex", "thickness_um__gte__gte", "thickness_um__", "__gte", "id__in", "batch__id",
        "state__iregex", "withdrawn_operation",
    ],
)  # fmt: skip
def test_what_is_not_declared_is_no_filter(api: Api, name: str) -> None:
    refused = api.get("pellets/", **{name: "1"})
    assert refused.status_code == 400
    assert refused.json()["type"] == "unknown_parameter"


def test_a_parameter_given_twice_is_refused(api: Api) -> None:
    refused = api.client.get(f"{ROOT}pellets/?state=available&state=broken", headers=api.headers)
    assert refused.status_code == 400
    assert "state__in" in refused.json()["detail"]


def test_several_errors_stand_under_errors(api: Api) -> None:
    problem = api.get("pellets/", thicknes_um="1", diametr_mm="2").json()
    assert [each["field"] for each in problem["errors"]] == ["thicknes_um", "diametr_mm"]
    assert "thickness_um" in problem["detail"]


def test_the_nearest_name_keeps_its_lookup(api: Api) -> None:
    assert "Did you mean thickness_um" in api.get("pellets/", thicknes_um__gte="1").json()["detail"]
    assert "__gte" in api.get("pellets/", thickness_um__min="1").json()["detail"]


def test_unknown_parameters_of_details_and_actions_are_refused(api: Api) -> None:
    pellet = builders.pellet()
    assert api.get(f"pellets/{pellet.code}/", limit=1).status_code == 400
    assert api.get(f"pellets/{pellet.code}/history/", since="x").status_code == 400
    assert api.client.post(f"{ROOT}powder-lots/?x=1", "{}", "application/json", headers=api.headers).status_code == 400


def test_times_are_understood_as_they_arrive() -> None:
    expected = dt.datetime(2026, 3, 11, 12, 10, tzinfo=dt.UTC)
    for text in ("2026-03-11T12:10:00Z", "2026-03-11T14:10:00+02:00", "2026-03-11T14:10:00 02:00", "2026-03-11T12:10"):
        assert filters.parse("time", text) == expected
    assert filters.parse("time", "2026-03-11") == dt.datetime(2026, 3, 11, tzinfo=dt.UTC)


# -- errors ------------------------------------------------------------------------------------------------------------
def test_every_answer_has_the_one_shape(api: Api) -> None:
    keys = {"type", "title", "detail", "field", "line", "ref"}
    answers = [
        api.get("nothing/"),
        api.get("pellets/PEL-9999/"),
        api.client.get(f"{ROOT}pellets/"),
        api.client.get(f"{ROOT}pellets/", headers={"Authorization": "Token wrong"}),
        api.client.delete(f"{ROOT}pellets/", headers=api.headers),
        api.client.put(f"{ROOT}pellets/", "{}", "application/json", headers=api.headers),
        api.client.post(f"{ROOT}pellets/", "{", "application/json", headers=api.headers),
        api.client.post(f"{ROOT}pellets/", "a=1", "application/x-www-form-urlencoded", headers=api.headers),
        api.post("pellets/", ["a list"]),
        api.post("pellets/", {"batch": 7}),
        api.get("pellets/", format="xlsx"),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 401, 401, 405, 405, 400, 415, 400, 400, 400]
    for answer in answers:
        assert answer["Content-Type"] == "application/json"
        assert keys <= set(answer.json())
    assert answers[2]["WWW-Authenticate"].startswith("Token")


@override_settings(DEBUG=False)
def test_a_fault_of_ours_shows_a_reference_and_nothing_else(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr("lagpdb.paging.page_of", broken)
    answer = api.get("pellets/")
    assert answer.status_code == 500
    assert "secret" not in answer.content.decode()
    assert answer.json()["ref"] in answer.json()["detail"]
    assert answer.json()["ref"] in caplog.text


def test_a_database_that_is_away_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("lagpdb.paging.page_of", away)
    answer = api.get("pellets/")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"


def test_a_full_disk_is_507(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lagpdb.exports.table", full)
    assert api.get("pellets/", format="parquet").status_code == 507


def test_errors_know_their_field() -> None:
    assert Problem("no", field="a").field == "a"
    with pytest.raises(Problems):
        filters.apply(Material.objects.all(), {"x": "y"}, {"x": filters.Filter("x", "number", "name")})


def test_json_writes_nan_as_null_and_times_in_utc() -> None:
    content = {"a": math.nan, "at": dt.datetime(2026, 3, 11, 12, tzinfo=dt.UTC)}
    assert OrjsonRenderer().render(content) == b'{"a":null,"at":"2026-03-11T12:00:00Z"}'


# -- addresses ---------------------------------------------------------------------------------------------------------
def test_the_root_lists_the_collections(api: Api) -> None:
    found = api.get("").json()
    assert found["pellets"] == f"http://testserver{ROOT}pellets/"
    assert found["schema"].endswith("/schema/")


def test_the_schema_is_open_api_3_1(api: Api) -> None:
    answer = api.get("schema/")
    assert answer.status_code == 200
    assert b"openapi: 3.1" in answer.content
    assert api.client.get(f"{ROOT}schema/").status_code == 401


def test_the_page_for_people_needs_a_session_and_allows_styles(api: Api) -> None:
    assert api.client.get("/api/").status_code == 302
    api.client.force_login(api.person)
    page = api.client.get("/api/")
    assert page.status_code == 200
    assert "Start here" in page.content.decode()
    policy = page["Content-Security-Policy"]
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "script-src 'self';" in policy


def test_a_session_reads_and_writes_with_a_csrf_token(api: Api) -> None:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(api.person)
    assert client.get(f"{ROOT}pellets/").status_code == 200
    refused = client.post(f"{ROOT}powder-lots/", "{}", "application/json")
    assert refused.status_code == 403
    assert "type" in refused.json()


def test_exports_of_many_rows_come_in_parts(api: Api) -> None:
    batch: PelletBatch = builders.batch()
    Pellet.objects.bulk_create(Pellet(code=f"PEL-{number}", batch=batch) for number in range(10_000, 14_500))
    parts = list(api.get("pellets/", format="csv", fields="code,notation").streaming_content)
    assert len(parts) == 4
    lines = b"".join(parts).decode().splitlines()
    assert len(lines) == 4501
    assert lines[1] == "PEL-14499,LAGP"
