"""Every page, whoever asks: nobody signs in first, and what a role may not do is refused. Found by walking all routes.

A new page is tested the day it appears: one that changes something and asks for no role fails here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from lagpdb.models import Revision
from tests import builders

pytestmark = pytest.mark.django_db

# Without sign-in: signs of life, the door itself, and the page for the first person.
OPEN = {"health_live", "health_ready", "account_login", "account_logout", "account_inactive", "first_run"}
# Everybody changes what is their own.
OWN = re.compile(r"^/(account|login|logout|first|views|drafts|i18n)\b|^/logout")
LEFT_OUT = re.compile(r"^/(api/v1|admin)/")  # the API and the admin have walks of their own
ROLES = ("viewer", "member", "curator", "administrator")


@dataclass(frozen=True)
class Route:
    """One address, filled with records that exist."""

    address: str
    name: str
    required_role: str


def routes(records: dict[str, Any]) -> Iterator[Route]:
    """All routes below the root, with their parameters filled."""
    yield from _walk(get_resolver().url_patterns, "/", records)


def _walk(patterns: list[Any], prefix: str, records: dict[str, Any]) -> Iterator[Route]:
    for pattern in patterns:
        text = prefix + re.sub(r"\\Z|\$|\^", "", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, text, records)
        elif isinstance(pattern, URLPattern) and not LEFT_OUT.match(text) and ".*" not in text:
            view = pattern.callback
            role = getattr(view, "required_role", "") or getattr(getattr(view, "view_class", None), "required_role", "")
            yield Route(_filled(text, records), pattern.name or "", role)


def _filled(text: str, records: dict[str, Any]) -> str:
    first = text.strip("/").split("/")[0]

    def value(match: re.Match[str]) -> str:
        kind, name = match[1] or "str", match[2]
        if name in ("code", "list_name", "topic", "name", "form"):
            return str(records.get(f"{first}:{name}", records.get(name, records["code"])))
        return str(records.get(f"{first}:{name}", records["pk"] if kind == "int" else records["code"]))

    return re.sub(r"<(?:(\w+):)?(\w+)>", value, text)


@pytest.fixture
def records() -> dict[str, Any]:
    """One record of each kind, by the first word of its address."""
    cell = builders.blocking_cell()
    pellet, batch = cell.pellet, cell.pellet.batch
    run = builders.sputter_run(pellet)
    result = builders.result(builders.measurement(cell))
    arrival = builders.arrival(result.measurement)
    return {
        "code": pellet.code, "pk": result.pk, "list_name": "pellets", "topic": "start", "name": "nyquist",
        "form": "json", "lots:code": batch.powder_lot.code, "pellet-batches:code": batch.code, "cells:code": cell.code,
        "sputter-runs:code": run.code, "measurements:code": result.measurement.code,
        "uploads:code": arrival.upload.code, "files:pk": arrival.pk, "materials:code": "LAGP",
        "runs:run_id": result.run_id, "paper:slug": "T01", "results:result_id": result.pk,
        "history:pk": Revision.objects.first().pk,
    }  # fmt: skip


def client_of(role: str) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(builders.user(role=role))
    return client


def test_there_are_routes_and_some_ask_for_a_role(records) -> None:
    found = list(routes(records))
    assert len(found) > 60
    assert {route.required_role for route in found} >= {"", "member", "curator"}
    assert {"pellet_list", "cell_new", "record_history", "search"} <= {route.name for route in found}


def test_nobody_is_asked_to_sign_in(records) -> None:
    builders.user()
    client = Client()
    for route in routes(records):
        if route.name in OPEN:
            continue
        answer = client.get(route.address)
        assert answer.status_code in (302, 401, 403, 404, 405), route
        if answer.status_code == 302:
            assert answer.url.startswith("/login/") or answer.url == "/", (route, answer.url)


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_may_not_do_is_refused(records, role: str) -> None:
    """Below the role of a page: 403 with the sentence. From it on: never 403, and never a fault."""
    client = client_of(role)
    for route in routes(records):
        if not route.required_role:
            continue
        may = ROLES.index(role) >= ROLES.index(route.required_role)
        for send in (client.get, client.post):
            answer = send(route.address)
            if may:
                assert answer.status_code != 403, (route, send)
                assert answer.status_code < 500, (route, send)
            elif send == client.post or answer.status_code != 405:
                assert answer.status_code == 403, (route, send, answer.status_code)


def test_viewers_read_every_page_and_change_nothing(records) -> None:
    """Every page without a role of its own answers a viewer, and takes no POST that could change what is the lab's."""
    client = client_of("viewer")
    before = Revision.objects.count()
    for route in routes(records):
        if route.required_role or OWN.match(route.address) or route.name in OPEN:
            continue
        assert client.get(route.address).status_code in (200, 302, 400, 404, 405), route
        # A page that only reads may answer a POST like a GET; it must not write.
        assert client.post(route.address).status_code < 500, route
    assert Revision.objects.count() == before
