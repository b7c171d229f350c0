"""The columns of a collection: declared once by its serializer, read by lists, details, filters and exports alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any
from urllib.parse import quote

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import F, Func
from django.db.models.expressions import Combinable
from rest_framework import serializers

Bulk = Callable[[list[int]], dict[int, Any]]
Expression = Callable[[str], Combinable]

CHUNK = 2000


class Pointed(Func):
    """A column of the row that a foreign key points at, as a scalar subquery.

    Read by joins, a page of results is one query of seven tables, which PostgreSQL plans four times as long as it runs;
    read like this the codes cost nothing to plan, and are looked up for the rows of the page alone.
    """

    template = "(SELECT pointed.%(column)s FROM %(table)s pointed WHERE pointed.%(key)s = %(expressions)s)"
    arity = 1

    def __init__(self, path: str, model: type[models.Model], column: str = "code") -> None:
        field = model._meta.get_field(column)
        super().__init__(F(path), output_field=models.CharField())
        self._names = {
            "table": model._meta.db_table, "column": field.column, "key": model._meta.pk.column
        }  # fmt: skip

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """The names are those of our own models."""
        quoted = {name: connection.ops.quote_name(text) for name, text in self._names.items()}
        return super().as_sql(compiler, connection, **quoted, **extra)


@dataclass(frozen=True)
class Column:
    """One column of a collection.

    Attributes
    ----------
    name : str
        As the API calls it.
    kind : str
        ``number integer text code flag time date json url``: how its values are written, compared and typed.
    path : str
        Where the ORM finds it; empty when it is computed.
    expression : callable, optional
        Gives the SQL expression, from a prefix such as ``pellet__`` on.
    shown : expression, optional
        What is read instead of the path: the same value, cheaper. Filters and ordering keep to the path.
    bulk : callable, optional
        Gives the values of many rows at once, by primary key, in a constant number of queries. Where it has an
        expression too, that one serves filters and ordering.
    is_detail : bool
        Left out of lists unless `fields` asks for it.
    """

    name: str
    kind: str
    path: str = ""
    expression: Expression | None = None
    shown: Combinable | None = None
    bulk: Bulk | None = None
    is_detail: bool = False
    is_nullable: bool = True
    help: str = ""
    choices: tuple[str, ...] = ()

    def source(self) -> str | Combinable:
        """What ``values_list`` takes."""
        return self.expression("") if self.expression else self.shown or self.path

    @property
    def is_declared(self) -> bool:
        """Whether filters and ordering may use it: SQL must know it."""
        return self.kind != "url" and (self.bulk is None or self.expression is not None)


PK = Column("id", "integer", path="pk", is_nullable=False)

_KINDS: tuple[tuple[type, str], ...] = (
    (serializers.SlugRelatedField, "code"),
    (serializers.BooleanField, "flag"),
    (serializers.IntegerField, "integer"),
    (serializers.FloatField, "number"),
    (serializers.DateTimeField, "time"),
    (serializers.DateField, "date"),
    (serializers.ChoiceField, "text"),
    (serializers.CharField, "text"),
)


@cache
def columns_of(serializer_class: type[serializers.BaseSerializer]) -> dict[str, Column]:
    """Columns that a serializer shows, in its order.

    Its ``Meta`` may hold ``expressions`` (name to SQL expression), ``bulk`` (name to function of primary keys),
    ``kinds`` (name to kind, where the field does not tell) and ``detail_only`` (names).
    """
    fields = serializer_class().fields
    return {name: _column(name, field, serializer_class.Meta) for name, field in fields.items() if not field.write_only}


def _column(name: str, field: serializers.Field, meta: Any) -> Column:
    expression = getattr(meta, "expressions", {}).get(name)
    bulk = getattr(meta, "bulk", {}).get(name)
    path = field.source.replace(".", "__")
    kind = next((word for cls, word in _KINDS if isinstance(field, cls)), "json")
    kind = getattr(meta, "kinds", {}).get(name, kind)
    shown = None
    if name == "url":
        kind, path = "url", meta.model._meta.pk.name if getattr(meta, "key", "code") == "id" else "code"
    elif name == "code":
        kind = "code"
    elif isinstance(field, serializers.SlugRelatedField):
        kind = "code" if field.slug_field == "code" else "text"
        target = meta.model._meta.get_field(path).related_model
        shown = Pointed(f"{path}_id", target, field.slug_field)
        path = f"{path}__{field.slug_field}"
    return Column(
        name=name,
        kind=kind,
        path="" if expression or bulk else path,
        expression=expression,
        shown=shown,
        bulk=bulk,
        is_detail=name in getattr(meta, "detail_only", ()),
        is_nullable=_is_nullable(meta.model, path),
        help=str(field.help_text or ""),
        choices=tuple(str(key) for key in getattr(field, "choices", {})) if _is_choice(field) else (),
    )


def _is_choice(field: serializers.Field) -> bool:
    # Related fields have `choices` too: all the records there are.
    return isinstance(field, serializers.ChoiceField)


def _is_nullable(model: type[models.Model], path: str) -> bool:
    try:
        return bool(model._meta.get_field(path).null)  # type: ignore[union-attr]
    except FieldDoesNotExist:
        return True


class Reader:
    """Reads columns of a queryset as plain rows, without model instances."""

    def __init__(self, columns: Sequence[Column], base_url: str, extra: Sequence[Column] = ()) -> None:
        self.columns = list(columns)
        self.base_url = base_url
        self._sources: list[Any] = ["pk"]
        self._places: dict[str, int] = {"id": 0}
        for column in (*(each for each in columns if each.bulk is None), *extra):
            if column.name not in self._places:
                self._places[column.name] = self._place(column.source())
        self.names = [column.name for column in self.columns]

    def _place(self, source: Any) -> int:
        if isinstance(source, str) and source in self._sources:
            return self._sources.index(source)
        self._sources.append(source)
        return len(self._sources) - 1

    def fetch(self, queryset: models.QuerySet) -> models.QuerySet:
        """The queryset of bare tuples, only the columns that are needed."""
        return queryset.values_list(*self._sources)

    def value(self, row: tuple[Any, ...], column: Column) -> Any:
        """A column's value in a bare tuple."""
        return row[self._places[column.name]]

    def shaped(self, rows: list[tuple[Any, ...]]) -> list[list[Any]]:
        """Values in the order of the columns, computed ones filled in: one list per column."""
        series = []
        keys = [row[0] for row in rows]
        for column in self.columns:
            if column.bulk is not None:
                found = column.bulk(keys)
                values: list[Any] = [found.get(key) for key in keys]
            else:
                place = self._places[column.name]
                values = [row[place] for row in rows]
            if column.kind == "url":
                values = [f"{self.base_url}{quote(str(value))}/" for value in values]
            series.append(values)
        return series

    def rows(self, rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        """Rows as JSON wants them."""
        if not rows:
            return []
        names = self.names
        return [dict(zip(names, values, strict=True)) for values in zip(*self.shaped(rows), strict=True)]

    def chunks(self, queryset: models.QuerySet) -> Iterator[list[list[Any]]]:
        """All rows, streamed: each chunk one list per column."""
        rows = iter(self.fetch(queryset).iterator(chunk_size=CHUNK))
        while chunk := list(islice(rows, CHUNK)):
            yield self.shaped(chunk)


def pick(columns: dict[str, Column], names: Iterable[str]) -> list[Column]:
    """Columns by name, in the order asked for, each once."""
    return [columns[name] for name in dict.fromkeys(names)]
