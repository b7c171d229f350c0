"""A client of the API for tests: JSON in and out, with a token."""

from __future__ import annotations

from typing import Any

import orjson
from django.test import Client

from tests import builders

ROOT = "/api/v1/"


class Api:
    """Speaks JSON and carries a token of a fresh person."""

    def __init__(self, scope: str = "write", role: str = "curator") -> None:
        self.client = Client()
        self.person = builders.user(role=role)
        self.headers = {"Authorization": f"Token {builders.token(self.person, scope)}"}

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path if path.startswith("http") else ROOT + path, query, headers=self.headers)

    def rows(self, path: str, **query: Any) -> list[dict[str, Any]]:
        response = self.get(path, **query)
        assert response.status_code == 200, response.content
        return response.json()["results"]

    def text(self, path: str, **query: Any) -> str:
        return b"".join(self.get(path, **query).streaming_content).decode()

    def send(self, method: str, path: str, content: Any) -> Any:
        body = orjson.dumps(content)
        return getattr(self.client, method)(ROOT + path, body, "application/json", headers=self.headers)

    def post(self, path: str, content: Any = None) -> Any:
        return self.send("post", path, content or {})

    def patch(self, path: str, content: Any) -> Any:
        return self.send("patch", path, content)

    def made(self, path: str, content: Any) -> dict[str, Any]:
        response = self.post(path, content)
        assert response.status_code == 201, response.content
        return response.json()
