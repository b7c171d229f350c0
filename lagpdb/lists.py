"""The one implementation behind every list of records.

Filters, order and columns stand in the address under the names of the API, 50 rows a page; the same rows as CSV, XLSX
and from the API; views that people keep; a selection that stays over pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views import View

from lagpdb import filters as api_filters
from lagpdb import units
from lagpdb.columns import Reader
from lagpdb.problems import Problem, Problems
from lagpdb.quantity import QuantityError, parse_quantity
from lagpdb.records import normal_code
from lagpdb.savedviews import views_for
from lagpdb.spreadsheet import workbook
from lagpdb.synthetic import SENTENCE

PER_PAGE = 50
MOST_SELECTED = 2000
NOT_FILTERS = {"ordering", "page", "columns", "format", "condition", "operator", "value"}
# What a person may ask of any column: lookup of the API, and how the chip says it.
OPERATORS = (
    ("", "="),
    ("gte", "≥"),
    ("lte", "≤"),
    ("gt", ">"),
    ("lt", "<"),
    ("in", "is one of"),
    ("contains", "contains"),
    ("isnull", "is empty"),
)


@dataclass(frozen=True)
class Column:
    """A column; `order` is the name under which address and API sort by it, `by` the path in the database."""

    label: str
    order: str = ""
    by: str = ""
    is_number: bool = False


@dataclass(frozen=True)
class Filter:
    """One condition of the form. `name` is the parameter, the same as in the API; `lookup` its path in the database.

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


@dataclass(frozen=True)
class Condition:
    """A condition that the form has no field for: any filter of the API, under its name there."""

    name: str
    declared: api_filters.Filter
    lookup: str
    is_in_api = True

    @property
    def label(self) -> str:
        """‘Sputter run: sputter time (min) ≥’."""
        station, _, column = self.declared.name.rpartition("__")
        words = units.label(column)
        where = f"{units.label(station)}: {words.lower()}" if station else words
        return f"{where} {dict(OPERATORS).get(self.lookup, self.lookup)}"

    def narrow(self, queryset: QuerySet, text: str) -> QuerySet:
        """The rows that meet it. ValueError carries the sentence."""
        try:
            return api_filters.apply(queryset, {self.name: text}, {self.declared.name: self.declared})
        except Problems as error:
            raise ValueError(" ".join(str(problem.detail) for problem in error.found)) from None
        except Problem as error:
            raise ValueError(str(error.detail)) from None

    def words(self, text: str) -> str:
        """The condition as its chip says it."""
        if self.lookup == "isnull":
            return f"{self.label}: {'yes' if text == 'true' else 'no'}"
        return f"{self.label} {text}"


class RecordList(View):
    """A list page. Subclasses name their columns and filters and may add to the rows of the page at hand."""

    template = "records/list.html"
    title = ""
    api = ""  # the collection of the same rows
    collection: ClassVar[Any] = None  # its class: every filter and column of it may be asked for here
    empty = "Nothing here yet."
    no_match = "No row matches."
    new_url, new_words = "", ""
    columns: tuple[Column, ...] = ()
    filters: tuple[Filter, ...] = ()
    default_order = "-id"
    has_codes = True  # whether rows are records, which can be selected
    can_label = False  # whether labels can be printed from a selection

    def queryset(self) -> QuerySet:
        """All rows, with the joins that a row shows."""
        raise NotImplementedError

    def decorate(self, rows: list[Any]) -> None:
        """Attach what the columns need to the rows of this page, in a fixed number of queries."""

    def extra(self) -> dict[str, Any]:
        """More context."""
        return {}

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if address := self._with_added_condition(request):
            return HttpResponseRedirect(address)
        queryset, complaints, active = self._narrowed(request)
        queryset, ordering = self._sorted(queryset, request.GET.get("ordering", ""))
        if request.GET.get("format") == "xlsx" and self.collection is not None:
            return self._workbook(request, queryset, active)
        if request.GET.get("format") == "codes":  # of a selection over all pages
            return JsonResponse({"codes": list(queryset.values_list("code", flat=True)[:MOST_SELECTED])})
        page = Paginator(queryset, PER_PAGE).get_page(request.GET.get("page"))
        rows = list(page.object_list)
        self.decorate(rows)
        more, hidden = self._chosen_columns(request, complaints)
        self._attach_more(request, rows, more)
        return render(
            request,
            self.template,
            {
                "view": self,
                "rows": rows,
                "page": page,
                "complaints": complaints,
                "more_columns": more,
                # The first column of the table is that of the selection.
                "hidden_columns": " ".join(f"hide-{place + self.has_codes}" for place in hidden),
                "choosable": list(self._choosable(more, hidden)),
                "saved_views": views_for(request.user, self.api),
                **self._filter_context(request, active),
                **self._address_context(request, active, page),
                "headings": list(self._headings(request, ordering)),
                **self.extra(),
            },
        )

    def _filter_context(self, request: HttpRequest, active: list[tuple[Any, str]]) -> dict[str, Any]:
        return {
            "chips": [
                {"words": item.words(text), "without": self._address(request, drop=(item.name, "page"))}
                for item, text in active
            ],
            "fields": [
                {"filter": item, "value": request.GET.get(item.name, ""), "id": f"filter-{item.name}"}
                for item in self.filters
            ],
            "conditions": [(item, text) for item, text in active if isinstance(item, Condition)],
            "known_conditions": sorted(self._api_filters()),
            "operators": OPERATORS,
            "is_filtered": bool(active),
        }

    def _address_context(self, request: HttpRequest, active: list[tuple[Any, str]], page: Any) -> dict[str, Any]:
        query = urlencode([(item.name, text) for item, text in active])
        is_in_api = bool(self.api) and all(item.is_in_api for item, _ in active)
        return {
            "csv": f"/api/v1/{self.api}/?{query}{'&' if query else ''}format=csv" if is_in_api else "",
            "xlsx": self._address(request, drop=("page",), format="xlsx") if self.collection is not None else "",
            "api_address": f"/api/v1/{self.api}/{'?' if query else ''}{query}" if is_in_api else "",
            "previous": self._address(request, page=page.number - 1) if page.has_previous() else "",
            "next": self._address(request, page=page.number + 1) if page.has_next() else "",
            "view_query": self._address(request, drop=("page", "format")).partition("?")[2],
        }

    # -- conditions ----------------------------------------------------------------------------------------------------
    def _api_filters(self) -> dict[str, api_filters.Filter]:
        return self.collection().filters if self.collection is not None else {}

    def _with_added_condition(self, request: HttpRequest) -> str:
        """Where the small form ‘add a condition’ leads: the same list with one more parameter."""
        name = request.GET.get("condition", "").strip()
        if not name:
            return ""
        operator, value = request.GET.get("operator", ""), request.GET.get("value", "").strip()
        if operator == "isnull":
            value = value or "true"
        name = f"{name}__{operator}" if operator else name
        drop = ("condition", "operator", "value", "page")
        return self._address(request, drop=drop, **({name: value} if value else {}))

    def _narrowed(self, request: HttpRequest) -> tuple[QuerySet, list[str], list[tuple[Any, str]]]:
        queryset, complaints, active = self.queryset(), [], []
        known = {item.name: item for item in self.filters}
        for name in request.GET:
            text = request.GET.get(name, "").strip()
            if name in NOT_FILTERS or not text:
                continue
            item = known.get(name) or self._condition(name)
            if item is None:
                complaints.append(f"‘{name}’ is no filter of this list and was left out.")
                continue
            try:
                queryset = item.narrow(queryset, text)
            except ValueError as error:
                complaints.append(str(error))
            else:
                active.append((item, text))
        return queryset, complaints, active

    def words_of(self, name: str, text: str) -> str:
        """A condition as its chip says it; KeyError for one that this list does not know."""
        item = {item.name: item for item in self.filters}.get(name) or self._condition(name)
        if item is None:
            raise KeyError(name)
        return item.words(text)

    def _condition(self, name: str) -> Condition | None:
        found = api_filters.find(name, self._api_filters())
        return Condition(name, *found) if found else None

    # -- columns -------------------------------------------------------------------------------------------------------
    def _chosen_columns(self, request: HttpRequest, complaints: list[str]) -> tuple[list[Any], list[int]]:
        """Columns of the API to add at the right, and places of our own to hide, as ‘columns’ in the address says."""
        text = request.GET.get("columns", "")
        if not text:
            return [], []
        names = [name.strip() for name in text.split(",") if name.strip()]
        own = {_name(column): place for place, column in enumerate(self.columns, start=1)}
        known = self.collection().columns if self.collection is not None else {}
        for name in names:
            if name not in own and name not in known:
                complaints.append(f"‘{name}’ is no column of this list and was left out.")
        hidden = [place for name, place in own.items() if name not in names and place > 1]
        return [known[name] for name in names if name in known and name not in own], hidden

    def _choosable(self, more: list[Any], hidden: list[int]) -> Iterable[dict[str, Any]]:
        for place, column in enumerate(self.columns, start=1):
            if place > 1:  # the code always stands
                yield {"name": _name(column), "label": column.label, "is_on": place not in hidden}
        own = {_name(column) for column in self.columns}
        on = {column.name for column in more}
        for name, column in (self.collection().columns if self.collection is not None else {}).items():
            if name not in own and column.kind not in ("url", "json"):
                yield {"name": name, "label": units.label(name), "is_on": name in on}

    def _attach_more(self, request: HttpRequest, rows: list[Any], more: list[Any]) -> None:
        if not more or not rows:
            return
        reader = Reader(more, "")
        found = {
            row[0]: values
            for row, values in _side_by_side(reader, type(rows[0])._default_manager.filter(pk__in=[r.pk for r in rows]))
        }
        for row in rows:
            row.more_values = [
                {"text": _shown(column, value), "is_number": column.kind in ("number", "integer")}
                for column, value in zip(more, found.get(row.pk, ()), strict=False)
            ]

    def _workbook(self, request: HttpRequest, queryset: QuerySet, active: list[tuple[Any, str]]) -> HttpResponseBase:
        columns = [column for column in self.collection().columns.values() if not column.is_detail]
        about = [
            ("List", self.title),
            ("Filter", "; ".join(item.words(text) for item, text in active) or "none"),
            ("Made", timezone.now().isoformat(timespec="seconds")),
            ("By", request.user.get_username()),
            ("Same rows from the API", request.build_absolute_uri(f"/api/v1/{self.api}/")),
        ]
        if queryset.filter(is_synthetic=True).exists():
            about.insert(0, ("Synthetic", SENTENCE))
        base = request.build_absolute_uri(f"/api/v1/{self.api}/")
        return workbook(self.api, columns, Reader(columns, base).chunks(queryset), about)

    # -- order and addresses -------------------------------------------------------------------------------------------
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


def _name(column: Column) -> str:
    """What the address calls a column of a list."""
    return column.order or column.label.lower().replace(" ", "_")


def _side_by_side(reader: Reader, queryset: QuerySet) -> Iterable[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    rows = list(reader.fetch(queryset))
    return zip(rows, zip(*reader.shaped(rows), strict=True), strict=True)


def _shown(column: Any, value: Any) -> str:
    """A value of an added column as people read it; its unit stands in the heading."""
    if value in (None, "", [], {}):
        return "—"
    if column.kind == "flag":
        return "yes" if value else "no"
    if column.kind == "number":
        return units.exact_value(value, "fraction" if units.suffix_of(column.name) == "fraction" else "")
    if column.kind == "time":
        return f"{value:%Y-%m-%d %H:%M}"
    return str(value)
