"""Pages of samples as a browser sees them: who is signed in, the text, and what a form would send back."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client

from tests import builders


def client_of(role: str = "member") -> Client:
    client = Client()
    client.force_login(builders.user(role=role))
    return client


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
