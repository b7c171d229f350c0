"""Declared filters: every column of a collection, and the columns of what it hangs on. Nothing else is a filter.

A name in the query string is looked up among the declared ones and never becomes a lookup by itself; a name that is
not declared is refused with the nearest one. Values are checked for their kind before the database sees them, and an
empty value is a value (``label=`` finds rows without label) or an error, never ignored.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Exists, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from rest_framework.filters import BaseFilterBackend

from lagpdb.columns import Column, Expression
from lagpdb.problems import Problem, Problems, nearest
from lagpdb.records import normal_code
from lagpdb.units import label

BOOKKEEPING = {"notes", "version", "created_at", "created_by", "updated_at", "withdrawn_at", "withdrawn_reason"}
LOOKUPS = ("gt", "gte", "lt", "lte", "in", "isnull", "range", "contains")
_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_TRUE, _FALSE = {"true", "1", "yes"}, {"false", "0", "no"}


@dataclass(frozen=True)
class Relation:
    """Rows beside the collection: conditions on the same relation must hold for the same row, and none appears twice.

    `rows` gives the queryset to search, which may refer to the collection by ``OuterRef``; `join` says how its hits
    select rows of the collection.
    """

    rows: Callable[[], QuerySet]
    join: Callable[[QuerySet], Any] = Exists


@dataclass(frozen=True)
class Filter:
    """One name of the query string, without its lookup."""

    name: str
    kind: str
    path: str = ""
    expression: Expression | None = None
    prefix: str = ""
    relation: Relation | None = None
    # Exact values of a code that may be one of several records.
    match: Callable[[list[str]], Q] | None = None
    choices: tuple[str, ...] = ()
    help: str = ""

    @property
    def lookups(self) -> tuple[str, ...]:
        """What may follow the name after two underscores."""
        if self.kind == "flag":
            return ("in", "isnull")
        return ("contains", "isnull") if self.kind == "json" else LOOKUPS


@dataclass
class _Conditions:
    """Conditions on one table, and the expressions that they speak of."""

    condition: Q = field(default_factory=Q)
    aliases: dict[str, Any] = field(default_factory=dict)

    def apply(self, queryset: QuerySet) -> QuerySet:
        return queryset.alias(**self.aliases).filter(self.condition)


def of_columns(
    columns: Mapping[str, Column], station: str = "", prefix: str = "", relation: Relation | None = None
) -> dict[str, Filter]:
    """Filters for every declared column.

    With `station` they are named ``station__column``, and ``station`` alone is its code; who kept the record,
    and when, is then left out.
    """
    found: dict[str, Filter] = {}
    for column in columns.values():
        if not column.is_declared or (station and column.name in BOOKKEEPING):
            continue
        name = f"{station}__{column.name}" if station else column.name
        found[name] = Filter(
            name=name,
            kind=column.kind,
            path=f"{prefix}{column.path}" if column.path else "",
            expression=column.expression,
            prefix=prefix,
            relation=relation,
            choices=column.choices,
            help=column.help,
        )
    if station and f"{station}__code" in found:
        found[station] = replace(found[f"{station}__code"], name=station, help=f"Code of the {label(station).lower()}.")
    return found


# -- values ------------------------------------------------------------------------------------------------------------
def parse(kind: str, text: str) -> Any:
    """A value of the query string.

    Raises
    ------
    ValueError
        With the sentence that says what is expected.
    """
    if "\x00" in text:
        raise ValueError("a text without control characters is expected")
    return _PARSERS[kind](text)


def _number(text: str) -> float:
    text = text.strip().replace("\u2212", "-")
    if not _NUMBER.match(text) or not math.isfinite(float(text)):
        raise ValueError("a number such as 0.5 or 1e-4 is expected")
    return float(text)


def _integer(text: str) -> int:
    text = text.strip()
    if not re.fullmatch(r"[+-]?\d{1,18}", text):
        raise ValueError("a whole number is expected")
    return int(text)


def flag(text: str) -> bool:
    """true or false."""
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("true or false is expected")
    return word in _TRUE


def _time(text: str) -> dt.datetime:
    # A plus sign that was not escaped arrives as a blank.
    text = re.sub(r"^(.*\d) (\d\d:?\d\d)$", r"\1+\2", text.strip())
    try:
        moment = parse_datetime(text)
        if moment is None and (day := parse_date(text)):
            moment = dt.datetime.combine(day, dt.time())
        if moment is None:
            raise ValueError
        return (moment if timezone.is_aware(moment) else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise ValueError("a time such as 2026-03-11T14:10:00Z is expected") from None


def _date(text: str) -> dt.date:
    try:
        day = parse_date(text.strip())
    except ValueError:
        day = None
    if day is None:
        raise ValueError("a date such as 2026-03-11 is expected")
    return day


_PARSERS: dict[str, Callable[[str], Any]] = {
    "number": _number,
    "integer": _integer,
    "flag": flag,
    "time": _time,
    "date": _date,
    "text": str,
    "json": str,
    "code": lambda text: tuple(dict.fromkeys((normal_code(text), text.strip()))),
}


def _values(used: Filter, lookup: str, text: str) -> Any:
    if lookup == "isnull":
        return flag(text)
    if lookup == "contains":
        return parse("text", text)
    if used.kind == "code" and lookup not in ("", "in"):
        kind = "text"
    else:
        kind = used.kind
    if lookup in ("in", "range"):
        values = [parse(kind, part) for part in text.split(",")]
        if lookup == "range" and len(values) != 2:
            raise ValueError("two values are expected, such as 0.5,1.5")
        return values
    return parse(kind, text)


# -- conditions --------------------------------------------------------------------------------------------------------
def _condition(used: Filter, lookup: str, value: Any, into: _Conditions) -> None:
    if used.match is not None and lookup in ("", "in"):
        into.condition &= used.match([each for pair in (value if lookup else [value]) for each in pair])
        return
    path = used.path
    if used.kind == "code" and lookup in ("", "in"):
        # Codes that people choose themselves ('xrd1') may look like ours in another spelling.
        lookup, value = "in", [each for pair in (value if lookup else [value]) for each in pair]
    if used.expression is not None:
        path = f"where_{used.name}"
        into.aliases[path] = used.expression(used.prefix)
    if lookup == "contains" and used.kind not in ("text", "code"):
        into.aliases[f"text_{used.name}"] = Cast(path, TextField())
        path = f"text_{used.name}"
    if lookup == "range":
        into.condition &= Q(**{f"{path}__gte": value[0], f"{path}__lte": value[1]})
        return
    if lookup == "contains":
        lookup = "icontains"  # `contains` minds case on one database and not on the other
    into.condition &= Q(**{f"{path}__{lookup or 'exact'}": value})


def find(name: str, declared: Mapping[str, Filter]) -> tuple[Filter, str] | None:
    """The filter and the lookup that a name of the query string means."""
    if name in declared:
        return declared[name], ""
    stem, _, lookup = name.rpartition("__")
    if stem in declared and lookup in declared[stem].lookups:
        return declared[stem], lookup
    return None


def unknown(name: str, declared: Mapping[str, Filter], reserved: Iterable[str]) -> Problem:
    """The refusal of a parameter that is not declared."""
    stem, _, lookup = name.rpartition("__")
    if stem in declared:
        offered = ", ".join(f"__{each}" for each in declared[stem].lookups)
        sentence = f"‘{name}’ is not a filter: ‘{stem}’ takes {offered}."
    else:
        # A misspelt name keeps its lookup: 'thicknes_um__lt' means 'thickness_um__lt'.
        is_lookup = lookup in LOOKUPS
        hint = nearest(stem if is_lookup else name, [*declared, *reserved])
        sentence = f"‘{name}’ is not a parameter of this address.{hint}"
    return Problem(sentence, field=name, type="unknown_parameter")


def apply(queryset: QuerySet, given: Mapping[str, str], declared: Mapping[str, Filter]) -> QuerySet:
    """Only the rows that meet every condition. `given` holds declared names only."""
    own, beside, problems = _Conditions(), dict[int, tuple[Relation, _Conditions]](), list[Problem]()
    for name, text in given.items():
        found = find(name, declared)
        assert found is not None
        used, lookup = found
        try:
            value = _values(used, lookup, text)
        except ValueError as error:
            problems.append(Problem(f"{name}={text}: {error}.", field=name, type="bad_value"))
            continue
        if used.relation is None:
            _condition(used, lookup, value, own)
        else:
            _, conditions = beside.setdefault(id(used.relation), (used.relation, _Conditions()))
            _condition(used, lookup, value, conditions)
    if problems:
        raise Problems(problems)
    queryset = own.apply(queryset)
    for relation, conditions in beside.values():
        queryset = queryset.filter(relation.join(conditions.apply(relation.rows())))
    return queryset


class Declared(BaseFilterBackend):
    """Filters of a list view: refuses what is not declared, applies the rest."""

    def filter_queryset(self, request: Any, queryset: QuerySet, view: Any) -> QuerySet:
        return apply(queryset, given_filters(request, view), view.filters)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """One parameter per name; its lookups are named in the description, not listed eight times."""
        if getattr(view, "action", "") != "list":
            return []
        return [_documented(used) for name, used in sorted(view.filters.items()) if name not in view.reserved]


def given_filters(request: Any, view: Any) -> dict[str, str]:
    """What the query string asks to filter; everything in it is either that or a reserved word of the view."""
    given: dict[str, str] = {}
    problems = []
    for name, texts in request.query_params.lists():
        if len(texts) > 1:
            problems.append(Problem(f"‘{name}’ is given {len(texts)} times; use {name}__in=a,b.", field=name))
        elif view.is_reserved(name, texts[0]):
            continue
        elif find(name, view.filters) is None:
            problems.append(unknown(name, view.filters, view.reserved))
        else:
            given[name] = texts[0]
    if problems:
        raise Problems(problems)
    return given


_SCHEMAS: dict[str, dict[str, str]] = {
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "flag": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
}


def _documented(used: Filter) -> dict[str, Any]:
    lookups = ", ".join(f"`__{each}`" for each in used.lookups)
    schema: dict[str, Any] = dict(_SCHEMAS.get(used.kind, {"type": "string"}))
    if used.choices:
        schema["enum"] = list(used.choices)
    return {
        "name": used.name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": f"{used.help} Also {lookups}.".strip(),
    }
