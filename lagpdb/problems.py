"""What the API answers when something cannot be done: one JSON shape for every error."""

from __future__ import annotations

import difflib
import errno
import logging
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as RuleBroken
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.db.models import ProtectedError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings

from lagpdb.records import StaleVersion

logger = logging.getLogger(__name__)

# Status to type (for programs) and title (for people).
KINDS: dict[int, tuple[str, str]] = {
    400: ("broken_rule", "This cannot be taken as it is"),
    401: ("not_signed_in", "Sign in, or send a valid token"),
    403: ("not_allowed", "This account or token may not do that"),
    404: ("not_found", "Not found"),
    405: ("wrong_method", "This address does not take that method"),
    406: ("wrong_format", "This address does not give that format"),
    409: ("stale_version", "Changed by somebody else meanwhile"),
    413: ("too_large", "Too large"),
    415: ("wrong_content_type", "This address does not take that kind of content"),
    429: ("too_many_requests", "Too many requests"),
    500: ("fault", "Something broke on our side"),
    503: ("unavailable", "The database does not answer"),
    507: ("store_full", "The store is full"),
}

FULL = "The store is full. Nothing was lost: ask an administrator for room, then send it again."


class Problem(exceptions.APIException):
    """Any error with its status, sentence and field.

    Parameters
    ----------
    detail : str
        Place, cause and next step, for people.
    status : int
    field : str, optional
        The parameter or field of the request it is about.
    type : str, optional
        A finer word for programs than the status gives.
    """

    def __init__(self, detail: str, status: int = 400, field: str | None = None, type: str | None = None) -> None:
        super().__init__(detail)
        self.status_code = status
        self.field = field
        self.type = type


class Problems(Exception):
    """Several errors at once, all of the same status."""

    def __init__(self, found: list[Problem]) -> None:
        super().__init__(f"{len(found)} problems")
        self.found = found


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that names what was probably meant, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def body(
    status: int,
    detail: str,
    *,
    type: str | None = None,
    field: str | None = None,
    line: int | None = None,
    ref: str | None = None,
) -> dict[str, Any]:
    """One error as JSON."""
    word, title = KINDS.get(status, KINDS[400])
    return {"type": type or word, "title": title, "detail": detail, "field": field, "line": line, "ref": ref}


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Turn what was raised into the one shape. Nothing that we did not foresee shows more than a reference."""
    status, found, extra = _read(exc, context)
    if status == 500 and not found[0]["detail"]:
        if settings.DEBUG:
            return None
        reference = secrets.token_hex(2).upper()
        logger.exception("API request failed, ref %s", reference, exc_info=exc)
        found = [body(500, f"Something broke on our side (ref {reference}). Nothing was changed.", ref=reference)]
    content = dict(found[0]) | extra
    if len(found) > 1:
        content["errors"] = found
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if status == 503:
        headers["Retry-After"] = "5"
    return Response(content, status=status, headers=headers)


def _read(exc: Exception, context: dict[str, Any]) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """Status, errors, and what stands beside them."""
    if isinstance(exc, StaleVersion):
        view = context.get("view")
        both = view.both_versions(exc) if hasattr(view, "both_versions") else {}
        return 409, [body(409, str(exc), field="version")], both
    if isinstance(exc, Problems):
        return exc.found[0].status_code, [_of_problem(each) for each in exc.found], {}
    if isinstance(exc, Problem):
        return exc.status_code, [_of_problem(exc)], {}
    if isinstance(exc, RuleBroken):
        return 400, list(_of_rule(exc)), {}
    if isinstance(exc, exceptions.ValidationError):
        return 400, [body(400, sentence, field=field) for field, sentence in _flat(exc.detail)], {}
    if isinstance(exc, exceptions.APIException):
        return exc.status_code, [body(exc.status_code, str(exc.detail))], {}
    return _of_surroundings(exc)


def _of_surroundings(exc: Exception) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """What Django, the database and the disk raise."""
    status, detail = 500, ""
    if isinstance(exc, Http404):
        status, detail = 404, str(exc) or "There is nothing at this address."
    elif isinstance(exc, PermissionDenied):
        status, detail = 403, str(exc) or "You may not do that."
    elif isinstance(exc, RequestDataTooBig):
        status, detail = 413, "The request is larger than this site takes."
    elif isinstance(exc, SuspiciousOperation):
        status, detail = 400, "The request cannot be read."
    elif isinstance(exc, ProtectedError):
        status, detail = 409, "Other records hang on this one."
    elif isinstance(exc, IntegrityError):
        status, detail = (
            409,
            "Somebody else saved something that contradicts this, just now. Load it again, then repeat.",
        )
    elif isinstance(exc, DataError | UnicodeEncodeError | OverflowError):
        status, detail = 400, "A value is outside what can be stored or compared."
    elif isinstance(exc, OperationalError | InterfaceError):
        status, detail = 503, "The database does not answer just now. Nothing was changed; try again in a moment."
    elif isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
        status, detail = 507, FULL
    elif isinstance(exc, DatabaseError):
        status = 500
    kind = "conflict" if status == 409 else None
    return status, [body(status, detail, type=kind)], {}


def _of_problem(exc: Problem) -> dict[str, Any]:
    return body(exc.status_code, str(exc.detail), type=exc.type, field=exc.field)


def _of_rule(exc: RuleBroken) -> Iterator[dict[str, Any]]:
    """Django's validation errors: by field, or of the whole."""
    if hasattr(exc, "error_dict"):
        for field, sentences in exc.message_dict.items():
            name = None if field == NON_FIELD_ERRORS else field
            yield from (body(400, sentence, field=name) for sentence in sentences)
    else:
        yield from (body(400, sentence) for sentence in exc.messages)


def _flat(detail: Any, path: str = "") -> Iterator[tuple[str | None, str]]:
    """DRF's nested validation errors as (field, sentence); ``pellets.0.faces`` for nested ones."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            is_whole = name in (api_settings.NON_FIELD_ERRORS_KEY, NON_FIELD_ERRORS)
            yield from _flat(inner, path if is_whole else f"{path}.{name}".lstrip("."))
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            yield from _flat(inner, f"{path}.{place}".lstrip(".") if isinstance(inner, dict) else path)
    else:
        yield path or None, str(detail)
