"""Cursor pages: any declared order, nulls last, and always the same rows whatever is added meanwhile.

The cursor holds the values of the last row seen (keyset), so page 1 000 costs what page 1 costs.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import OrderBy

from lagpdb.columns import PK, Column, Reader
from lagpdb.filters import parse
from lagpdb.problems import Problem, nearest

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000


@dataclass(frozen=True)
class Key:
    """One term of the order."""

    column: Column
    is_down: bool

    @property
    def path(self) -> str:
        """What conditions speak of."""
        return f"order_{self.column.name}" if self.column.expression else self.column.path

    def order(self, is_back: bool) -> OrderBy:
        """The term for ORDER BY, turned round for the way back."""
        down = self.is_down is not is_back
        if not self.column.is_nullable:
            return OrderBy(F(self.path), descending=down)
        if is_back:
            return OrderBy(F(self.path), descending=down, nulls_first=True)
        return OrderBy(F(self.path), descending=down, nulls_last=True)

    def same(self, value: Any) -> Q:
        """Rows that do not differ in this term."""
        return Q(**{f"{self.path}__isnull": True}) if value is None else Q(**{self.path: value})

    def beyond(self, value: Any, is_back: bool) -> Q:
        """Rows that come later by this term alone."""
        if value is None:
            return Q(**{f"{self.path}__isnull": False}) if is_back else Q(pk__in=[])
        down = self.is_down is not is_back
        later = Q(**{f"{self.path}__{'lt' if down else 'gt'}": value})
        if self.column.is_nullable and not is_back:
            later |= Q(**{f"{self.path}__isnull": True})
        return later


def keys_of(ordering: str, columns: Mapping[str, Column]) -> list[Key]:
    """The order that ``ordering=-value,label`` means; newest first among equals.

    Raises
    ------
    Problem
        A name that is not a column.
    """
    keys: list[Key] = []
    for word in filter(None, (part.strip() for part in ordering.split(","))):
        name, is_down = word.removeprefix("-"), word.startswith("-")
        column = PK if name == "id" else columns.get(name)
        if column is None or not column.is_declared or column.kind == "json":
            known = [each.name for each in columns.values() if each.is_declared and each.kind != "json"]
            raise Problem(f"Rows cannot be ordered by ‘{name}’.{nearest(name, known)}", field="ordering")
        if all(key.column.name != name for key in keys):
            keys.append(Key(column, is_down))
    if all(key.column is not PK for key in keys):
        keys.append(Key(PK, True))
    return keys


def ordered(queryset: QuerySet, keys: list[Key], is_back: bool = False) -> QuerySet:
    """The queryset in this order."""
    aliases = {key.path: key.column.expression("") for key in keys if key.column.expression}
    return queryset.alias(**aliases).order_by(*(key.order(is_back) for key in keys))


def limit_of(text: str | None) -> int:
    """Rows per page."""
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise Problem(f"limit={text}: a whole number from 1 to {MAX_LIMIT} is expected.", field="limit")
    return int(text)


# -- cursors -----------------------------------------------------------------------------------------------------------
def _encode(ordering: str, is_back: bool, values: list[Any]) -> str:
    raw = orjson.dumps([ordering, is_back, values])
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str, ordering: str, keys: list[Key]) -> tuple[bool, list[Any]]:
    try:
        made_for, is_back, values = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if made_for != ordering or not isinstance(is_back, bool) or len(values) != len(keys):
            raise ValueError
        return is_back, [_checked(key.column, value) for key, value in zip(keys, values, strict=True)]
    except (ValueError, TypeError, binascii.Error):
        sentence = "This cursor does not belong to this list and order. Follow `next` as it was given."
        raise Problem(sentence, field="cursor") from None


def _checked(column: Column, value: Any) -> Any:
    """A value of a cursor, as strictly checked as one of a filter: cursors come from outside."""
    if value is None and column.is_nullable:
        return None
    if column.kind == "flag" and isinstance(value, bool):
        return value
    if column.kind in ("number", "integer") and isinstance(value, int | float) and not isinstance(value, bool):
        return parse(column.kind, repr(value))
    if column.kind in ("text", "code", "time", "date") and isinstance(value, str):
        return parse("text" if column.kind == "code" else column.kind, value)
    raise ValueError


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else value


# -- pages -------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Page:
    """Bare rows of one page, and the cursors of its neighbours."""

    rows: list[tuple[Any, ...]]
    next: str | None
    previous: str | None


def page_of(queryset: QuerySet, reader: Reader, keys: list[Key], ordering: str, cursor: str | None, limit: int) -> Page:
    """The page that a cursor points at; the first one without it. One query."""
    is_back, values = _decode(cursor, ordering, keys) if cursor else (False, [])
    queryset = ordered(queryset, keys, is_back)
    if values:
        later = Q()
        for key, value in reversed(list(zip(keys, values, strict=True))):
            beyond = key.beyond(value, is_back)
            later = beyond | (key.same(value) & later) if later else beyond
        queryset = queryset.filter(later)
    rows = list(reader.fetch(queryset)[: limit + 1])
    has_more = len(rows) > limit
    rows = rows[:limit]
    if is_back:
        rows.reverse()

    def at(row: tuple[Any, ...], back: bool) -> str:
        return _encode(ordering, back, [_plain(reader.value(row, key.column)) for key in keys])

    has_next = bool(rows) and (has_more or is_back)
    has_previous = bool(rows) and (has_more if is_back else cursor is not None)
    return Page(rows, at(rows[-1], False) if has_next else None, at(rows[0], True) if has_previous else None)
