"""The list of results: every current number, filtered like every other list."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from analysis.api import Results
from analysis.models import Result
from analysis.science.quantities import QUANTITIES
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

    def decorate(self, rows: list[Any]) -> None:
        """Names of the samples, in two queries."""
        from samples.serializers import notations

        names = notations([row.pellet_id for row in rows if row.cell_id is None and row.pellet_id])
        for row in rows:
            row.sample = row.subject
            row.shown_notation = row.cell.notation if row.cell_id else names.get(row.pellet_id, "")
