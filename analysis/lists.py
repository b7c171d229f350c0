"""The list of results: every current number, filtered like every other list."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from analysis import plot_context
from analysis.api import Results
from analysis.figures import scatter
from analysis.figures.parts import rounded
from analysis.models import Result
from analysis.plots import Plot, synthetic_mark
from analysis.science.quantities import QUANTITIES, Quantity
from lagpdb.lists import Column, Filter, RecordList
from lagpdb.mainvalues import UNSHOWN


class ResultList(RecordList):
    """Numbers that are in force, of all measurements."""

    template = "analysis/result_list.html"
    title, api = "Results", "results"
    collection = Results
    has_codes = False
    empty, no_match = "No results yet. Upload a file.", "No result matches."
    columns = (
        Column("Result", "id"),
        Column("Quantity", "quantity"),
        Column("Value", "value", is_number=True),
        Column("State", "acceptance"),
        Column("Sample"),
        Column("Notation"),
        Column("Temperature (°C)", "temperature_degC", is_number=True),
        Column("Measurement", "measurement", "measurement_id"),
    )
    filters = (
        Filter("quantity", "Quantity", "choice", choices=tuple((slug, item.name) for slug, item in QUANTITIES.items())),
        Filter("acceptance", "State", "choice", choices=tuple(Result.Acceptance.choices)),
        Filter("flag", "Flag", "choice", choices=tuple(Result.Flag.choices)),
        Filter("is_synthetic", "Synthetic", "flag"),
    )

    def queryset(self) -> QuerySet:
        rows = Result.objects.current().select_related(
            "cell", "pellet__batch__powder_lot__material", "measurement__witness_plate", "sputter_setting", "run"
        )
        return rows.defer(*(f"run__{name}" for name in UNSHOWN))

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if request.GET.get("format") != "figure" or self._quantity() is None:
            return super().get(request)
        quantity = self._quantity()
        assert quantity is not None
        points = plot_context.numbers_of(self._drawn()[0])
        return JsonResponse(rounded(scatter.scatter(points, quantity.slug, quantity.name, request.GET.dict())))

    def _quantity(self) -> Quantity | None:
        """The one quantity that the rows are narrowed to."""
        return QUANTITIES.get(self.request.GET.get("quantity", ""))

    def extra(self) -> dict[str, Any]:
        """The figure of the rows, where they are of one quantity and more than one."""
        quantity = self._quantity()
        if quantity is None:
            return {}
        drawn, undrawn = self._drawn()
        points = plot_context.numbers_of(drawn)
        if len(points) < 2:
            return {}
        figure = scatter.scatter(points, quantity.slug, quantity.name, {})
        rows = self._address(self.request, drop=("page", "format"), format="figure")
        narrowed = rows.partition("?")[2].replace("&format=figure", "").replace("format=figure", "")
        if undrawn:
            narrowed += f"&is_synthetic={'true' if undrawn == 'measured' else 'false'}"
        mark = synthetic_mark(any(point["is_synthetic"] for point in points))
        plot = Plot(
            "scatter", rows, f"/api/v1/results/?{narrowed}&format=csv",
            f"{quantity.name}, current results, lagpdb{mark}",
            f"results_{quantity.slug}", figure["summary"], {}, scatter.columns(points, quantity.slug),
            figure["switches"],
        )  # fmt: skip
        return {"plot": plot, "undrawn": undrawn}

    def _drawn(self) -> tuple[QuerySet, str]:
        """The rows that one figure may hold, and which are left out: measured and synthetic ones never mix.

        ``measured`` are left out where they are too few for a figure, else the ``synthetic`` ones; '' is none.
        """
        rows = self._narrowed(self.request)[0]
        counts = rows.filter(value__isnull=False).aggregate(
            measured=Count("pk", filter=Q(is_synthetic=False)), synthetic=Count("pk", filter=Q(is_synthetic=True))
        )
        if not (counts["measured"] and counts["synthetic"]):
            return rows, ""
        undrawn = "synthetic" if counts["measured"] > 1 else "measured"
        return rows.filter(is_synthetic=undrawn == "measured"), undrawn

    def decorate(self, rows: list[Any]) -> None:
        """Names of the samples, in two queries."""
        from samples.serializers import notations

        names = notations([row.pellet_id for row in rows if row.cell_id is None and row.pellet_id])
        for row in rows:
            row.sample = row.subject
            row.shown_notation = row.cell.notation if row.cell_id else names.get(row.pellet_id, "")
