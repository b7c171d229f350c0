"""The one implementation behind every list of records: filters and sorting in the address, 50 rows a page, CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View

from lagpdb import units
from lagpdb.quantity import QuantityError, parse_quantity
from lagpdb.records import normal_code

PER_PAGE = 50
NOT_FILTERS = {"ordering", "page"}


@dataclass(frozen=True)
class Column:
    """A column; `order` is the name under which address and API sort by it, `by` the path in the database."""

    label: str
    order: str = ""
    by: str = ""
    is_number: bool = False


@dataclass(frozen=True)
class Filter:
    """One condition. `name` is the parameter, the same as in the API; `lookup` its path in the database.

    `kind`: choice, code (any spelling), text, number, or flag (true / false).
    """

    name: str
    label: str
    kind: str = "text"
    lookup: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    apply: Callable[[QuerySet, Any], QuerySet] | None = None
    is_in_api: bool = True  # a condition that only the page knows takes the CSV link away

    def value(self, text: str) -> Any:
        """The typed text as the database needs it. ValueError carries the sentence."""
        if self.kind == "choice" and text not in dict(self.choices):
            options = ", ".join(label for _, label in self.choices)
            raise ValueError(f"‘{text}’ is no choice of {self.label}: {options}.")
        if self.kind == "flag":
            if text not in ("true", "false"):
                raise ValueError(f"{self.label} is true or false, not ‘{text}’.")
            return text == "true"
        if self.kind == "code":
            return normal_code(text)
        if self.kind == "number":
            try:
                return parse_quantity(text, self.name.split("__")[0], allow_limit=False, allow_readings=False).value
            except QuantityError as error:
                raise ValueError(f"{self.label}: {error.sentence}") from None
        return text

    def narrow(self, queryset: QuerySet, text: str) -> QuerySet:
        """The rows that meet the condition."""
        value = self.value(text)
        if self.apply is not None:
            return self.apply(queryset, value)
        return queryset.filter(**{self.lookup or self.name: value})

    def words(self, text: str) -> str:
        """The condition as its chip says it."""
        if self.kind == "flag":
            return f"{self.label}: {'yes' if text == 'true' else 'no'}"
        return f"{self.label}: {dict(self.choices).get(text, text)} {self.unit}".strip()

    @property
    def unit(self) -> str:
        """Unit inside the field of a number."""
        return units.shown_symbol(self.name.split("__")[0]) if self.kind == "number" else ""

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """What the menu offers."""
        return (("true", "yes"), ("false", "no")) if self.kind == "flag" else self.choices


class RecordList(View):
    """A list page. Subclasses name their columns and filters and may add to the rows of the page at hand."""

    template = "records/list.html"
    title = ""
    api = ""  # the collection of the same rows
    empty = "Nothing here yet."
    no_match = "No row matches."
    new_url, new_words = "", ""
    columns: tuple[Column, ...] = ()
    filters: tuple[Filter, ...] = ()
    default_order = "-id"

    def queryset(self) -> QuerySet:
        """All rows, with the joins that a row shows."""
        raise NotImplementedError

    def decorate(self, rows: list[Any]) -> None:
        """Attach what the columns need to the rows of this page, in a fixed number of queries."""

    def extra(self) -> dict[str, Any]:
        """More context."""
        return {}

    def get(self, request: HttpRequest) -> HttpResponse:
        queryset, complaints, active = self._narrowed(request)
        queryset, ordering = self._sorted(queryset, request.GET.get("ordering", ""))
        page = Paginator(queryset, PER_PAGE).get_page(request.GET.get("page"))
        rows = list(page.object_list)
        self.decorate(rows)
        query = urlencode([(item.name, text) for item, text in active])
        is_in_api = all(item.is_in_api for item, _ in active)
        context = {
            "view": self,
            "rows": rows,
            "page": page,
            "complaints": complaints,
            "chips": [
                {"words": item.words(text), "without": self._address(request, drop=(item.name, "page"))}
                for item, text in active
            ],
            "fields": [
                {"filter": item, "value": request.GET.get(item.name, ""), "id": f"filter-{item.name}"}
                for item in self.filters
            ],
            "headings": list(self._headings(request, ordering)),
            "is_filtered": bool(active),
            "csv": f"/api/v1/{self.api}/?{query}{'&' if query else ''}format=csv" if is_in_api else "",
            "api_address": f"/api/v1/{self.api}/{'?' if query else ''}{query}" if is_in_api else "",
            "previous": self._address(request, page=page.number - 1) if page.has_previous() else "",
            "next": self._address(request, page=page.number + 1) if page.has_next() else "",
            **self.extra(),
        }
        return render(request, self.template, context)

    def _narrowed(self, request: HttpRequest) -> tuple[QuerySet, list[str], list[tuple[Filter, str]]]:
        queryset, complaints, active = self.queryset(), [], []
        known = {item.name: item for item in self.filters}
        for name in request.GET:
            text = request.GET.get(name, "").strip()
            if name in NOT_FILTERS or not text:
                continue
            if name not in known:
                complaints.append(f"‘{name}’ is no filter of this list and was left out.")
                continue
            try:
                queryset = known[name].narrow(queryset, text)
            except ValueError as error:
                complaints.append(str(error))
            else:
                active.append((known[name], text))
        return queryset, complaints, active

    def _sorted(self, queryset: QuerySet, wanted: str) -> tuple[QuerySet, str]:
        paths = {column.order: column.by or column.order for column in self.columns if column.order}
        name = wanted.lstrip("-")
        if name not in paths:
            return queryset.order_by(self.default_order), ""
        path = F(paths[name])
        first = path.desc(nulls_last=True) if wanted.startswith("-") else path.asc(nulls_last=True)
        return queryset.order_by(first, "-id"), wanted

    def _headings(self, request: HttpRequest, ordering: str) -> Iterable[dict[str, Any]]:
        for column in self.columns:
            is_up, is_down = ordering == column.order, ordering == f"-{column.order}"
            target = f"-{column.order}" if is_up else column.order
            yield {
                "column": column,
                "address": self._address(request, drop=("page",), ordering=target) if column.order else "",
                "sort": ("ascending" if is_up else "descending" if is_down else "") if column.order else "",
            }

    @staticmethod
    def _address(request: HttpRequest, drop: tuple[str, ...] = (), **changes: Any) -> str:
        query = request.GET.copy()
        for name in drop:
            query.pop(name, None)
        for name, value in changes.items():
            query[name] = value
        return f"?{query.urlencode()}" if query else request.path
