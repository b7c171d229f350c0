"""The API of what it means: runs, results, quantities, lineage; and measurements, which can be analysed again."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Q
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from analysis.decisions import judge, reanalyse
from analysis.lineage import BOTH, DIRECTIONS, prov
from analysis.models import AnalysisRun, Result
from analysis.plots import run_is_synthetic
from analysis.science.quantities import QUANTITIES, Quantity
from analysis.serializers import (
    JudgementSerializer,
    QuantitySerializer,
    ReanalyseSerializer,
    ResultSerializer,
    RunSerializer,
    run_stub,
)
from lagpdb import exports
from lagpdb.columns import Column, columns_of
from lagpdb.filters import Filter, of_columns
from lagpdb.problems import Problem, nearest
from lagpdb.records import StaleVersion
from lagpdb.resources import Collection, View
from lagpdb.serializers import checked_body
from measurements import api as measured
from measurements.serializers import MeasurementSerializer
from samples.genealogy import as_built, cell_stations, pellet_stations, step_stations
from samples.models import WitnessPlate


class Measurements(measured.Measurements):
    """Spectra and recordings."""

    @extend_schema(request=ReanalyseSerializer, responses={202: OpenApiTypes.OBJECT}, filters=False)
    @action(detail=True, methods=["post"])
    def reanalyse(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Compute again, with your choices; the numbers in force stay until the new runs are done."""
        sent = ReanalyseSerializer(data=checked_body(request.data, ["parameters", "reason"]))
        sent.is_valid(raise_exception=True)
        runs = reanalyse(self.row(), by=request.user, **sent.validated_data)
        base = request.build_absolute_uri("/api/v1/runs/")
        return Response({"runs": [run_stub(run, base) for run in runs]}, status=202)


# -- runs --------------------------------------------------------------------------------------------------------------
class Runs(Collection):
    """Runs of analyses, the failed ones too."""

    serializer_class = RunSerializer
    lookup_field = "id"
    what = "run"

    def get_queryset(self) -> Any:
        """All runs; what they drew and tabulated is asked for one by one."""
        return AnalysisRun.objects.defer("curves", "tables")

    @extend_schema(responses=OpenApiTypes.OBJECT, filters=False)
    @action(detail=True, methods=["get"])
    def curves(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """The series behind the plots, as the run left them."""
        return Response(self.row().curves)

    @extend_schema(
        parameters=[OpenApiParameter("format", str, enum=list(exports.FORMATS), description="`json` without it.")],
        responses=OpenApiTypes.OBJECT,
        filters=False,
    )
    @action(detail=True, methods=["get"], url_path=r"tables/(?P<table>[a-z_]+)", parameters=("format",))
    def tables(self, request: Any, *args: Any, table: str = "", **kwargs: Any) -> HttpResponseBase:
        """A table of the run: `fit`, `cycles`, `steps`, as far as it made them."""
        format = exports.format_of(request)
        run = self.row()
        if table not in run.tables:
            have = ", ".join(run.tables) or "none"
            raise Problem(f"Run {run.pk} has no table ‘{table}’. Tables: {have}.", 404)
        rows = run.tables[table]
        if format == "json":
            return Response({"run": run.pk, "table": table, "rows": rows})
        names = sorted({name for row in rows for name in row}, key=_place)
        columns = [Column(name, _kind([row.get(name) for row in rows])) for name in names]
        series = [[row.get(name) for row in rows] for name in names]
        mark = "-synthetic" if run_is_synthetic(run) else ""
        return exports.table(f"run-{run.pk}-{table}{mark}", columns, [series], format)


# PostgreSQL keeps the keys of JSON in an order of its own.
_FIRST = ("parameter", "label", "cycle_number", "step_number", "value", "uncertainty", "unit")


def _place(name: str) -> tuple[int, str]:
    """Where a column of a stored table stands: what it is about, the number, then the rest by name."""
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)


def _kind(values: list[Any]) -> str:
    """How a column of a stored table is written."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in known):
        return "flag" if known else "number"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return "number"
    return "text" if all(isinstance(value, str) for value in known) else "json"


def _subject_filter() -> Filter:
    """`subject` of results: exactly that cell, that bare pellet, that witness plate, or that sputter setting."""
    return Filter(
        "subject",
        "code",
        expression=ResultSerializer.Meta.expressions["subject"],
        match=_speaks_of,
        help="Code of the cell, pellet or witness plate that it speaks of.",
    )


def _speaks_of(codes: list[str]) -> Q:
    found = Q(cell__code__in=codes) | Q(cell__isnull=True, pellet__code__in=codes)
    # Few codes are of this kind, and a condition on one more table costs every query that has it.
    if any(code.startswith(WitnessPlate.PREFIX) for code in codes):
        found |= Q(measurement__witness_plate__code__in=codes)
    elif any(" " in code for code in codes):
        found |= Q(sputter_setting__code__in=codes)
    return found


# -- results -----------------------------------------------------------------------------------------------------------
class Results(Collection):
    """Numbers: those of current runs, unless `current=false`."""

    serializer_class = ResultSerializer
    lookup_field = "id"
    what = "result"
    reserved = ("limit", "cursor", "ordering", "fields", "count", "format", "current")
    required_role = "curator"

    def is_reserved(self, name: str, text: str) -> bool:
        """`limit` is a number of rows, but `limit=>=` speaks of the column of that name."""
        if name == "limit" and text.strip() in Result.Limit.values:
            return False
        return super().is_reserved(name, text)

    @classmethod
    def extra_filters(cls) -> dict[str, Filter]:
        """Through the genealogy: the pellet as it was when the cell was built."""
        return (
            pellet_stations("pellet__")
            | cell_stations("cell__")
            | step_stations(OuterRef("pellet_id"), OuterRef("cell__assembled_at"))
            | of_columns(columns_of(MeasurementSerializer), "measurement", "measurement__")
            | {"is_coated": as_built(), "subject": _subject_filter()}
        )

    def get_queryset(self) -> Any:
        """Current rows in lists, every row by its id."""
        queryset = Result.objects.visible_to(self.request.user)
        return queryset.current() if self.action == "list" and self._flag("current", default=True) else queryset

    def list_parameters(self) -> list[tuple[str, dict[str, Any], str]]:
        """`current` beside the usual ones."""
        current = ("current", {"type": "boolean"}, "`false` shows numbers that were replaced, too.")
        return [*super().list_parameters(), current]

    @extend_schema(request=JudgementSerializer, responses=ResultSerializer)
    def partial_update(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Accept or reject a number. The row's version is `row_version`; `version` is that of the algorithm."""
        self.sent = checked_body(request.data, list(JudgementSerializer().fields))
        content = JudgementSerializer(data=self.sent)
        content.is_valid(raise_exception=True)
        sent, result = content.validated_data, self.row()
        if "version" in sent and sent["version"] != result.run.version:
            result.code = f"Result {result.pk}"
            raise StaleVersion(result, result)
        judge(result, sent["acceptance"], by=request.user, reason=sent["reason"], version=sent.get("row_version"))
        return Response(self.shown(result.pk))

    def both_versions(self, exc: StaleVersion) -> dict[str, Any]:
        """What stands beside a 409."""
        return {"stored": self.shown(exc.stored.pk), "yours": self.sent}


# -- quantities --------------------------------------------------------------------------------------------------------
_QUANTITY = [Column(name, "text") for name in list(QuantitySerializer().fields)[:-2]] + [
    Column("physical_min", "number"),
    Column("physical_max", "number"),
]


def _quantity(item: Quantity, base_url: str) -> dict[str, Any]:
    low, high = item.physical_range
    words = {name: getattr(item, name) for name in ("slug", "name", "symbol", "unit", "definition", "formula", "group")}
    row = words | {"url": f"{base_url}{item.slug}/", "iri": item.iri or None, "physical_min": low, "physical_max": high}
    return {column.name: row[column.name] for column in _QUANTITY}


class Quantities(View, ViewSet):
    """Every quantity that lagpdb reports, as the glossary defines it. They are code, not records: no versions."""

    lookup_field = "slug"
    serializer_class = QuantitySerializer
    parameters = ("fields", "format", "group", "slug", "limit", "count")

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Lists are checked as everything else."""
        super().initial(request, *args, **kwargs)
        for name in request.query_params:
            if name not in self.parameters:
                known = f"{nearest(name, self.parameters)} Known: {', '.join(self.parameters)}."
                raise Problem(f"‘{name}’ is not a parameter here.{known}", field=name, type="unknown_parameter")

    def _rows(self, request: Any, items: list[Quantity]) -> tuple[list[Column], list[dict[str, Any]]]:
        base = request.build_absolute_uri("/api/v1/quantities/")
        wanted = [name.strip() for name in request.query_params.get("fields", "").split(",") if name.strip()]
        columns = {column.name: column for column in _QUANTITY}
        for name in wanted:
            if name not in columns:
                raise Problem(f"There is no field ‘{name}’ here.{nearest(name, columns)}", field="fields")
        names = wanted or list(columns)
        rows = [_quantity(item, base) for item in items]
        return [columns[name] for name in names], [{name: row[name] for name in names} for row in rows]

    @extend_schema(
        parameters=[
            OpenApiParameter("group", str, description="Where in the work it comes from, such as `eis`."),
            OpenApiParameter("fields", str, description="Columns to show, comma separated."),
            OpenApiParameter("format", str, enum=list(exports.FORMATS), description="`json` without it."),
        ],
        responses=QuantitySerializer(many=True),
    )
    def list(self, request: Any) -> HttpResponseBase:
        """All of them, on one page."""
        format, given = exports.format_of(request), request.query_params
        items = [
            item
            for item in QUANTITIES.values()
            if given.get("group", item.group) == item.group and given.get("slug", item.slug) == item.slug
        ]
        columns, rows = self._rows(request, items)
        if format != "json":
            series = [[row[column.name] for row in rows] for column in columns]
            return exports.table("quantities", columns, [series], format)
        headers = {"X-Total-Count": str(len(rows))} if given.get("count") in ("1", "true") else {}
        return Response({"next": None, "previous": None, "results": rows}, headers=headers)

    @extend_schema(parameters=[OpenApiParameter("slug", str, OpenApiParameter.PATH)], responses=QuantitySerializer)
    def retrieve(self, request: Any, slug: str = "") -> Response:
        """One quantity."""
        if slug not in QUANTITIES:
            raise Http404(f"There is no quantity {slug}.{nearest(slug, QUANTITIES)}")
        return Response(self._rows(request, [QUANTITIES[slug]])[1][0])


# -- lineage -----------------------------------------------------------------------------------------------------------
class Lineage(View, ViewSet):
    """Where something came from, and what came of it."""

    lookup_field = "code"
    lookup_value_regex = "[^/]+"
    parameters = ("direction",)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "code", str, OpenApiParameter.PATH, description="Code of a record, id of a result, or run-<id>."
            ),
            OpenApiParameter(
                "direction",
                str,
                enum=list(DIRECTIONS),
                description="`back` to powder and raw bytes, `forward` to what was made from it; `both` without it.",
            ),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def retrieve(self, request: Any, code: str = "") -> Response:
        """The lineage as W3C PROV JSON: from powder lot and raw bytes to the numbers."""
        direction = request.query_params.get("direction", BOTH)
        if direction not in DIRECTIONS:
            raise Problem(f"direction is one of {', '.join(DIRECTIONS)}, not ‘{direction}’.", field="direction")
        return Response(prov(code, base_url=request.build_absolute_uri("/"), direction=direction))


COLLECTIONS = {
    "measurements": Measurements,
    "runs": Runs,
    "results": Results,
    "quantities": Quantities,
    "lineage": Lineage,
}
