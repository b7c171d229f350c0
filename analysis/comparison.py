"""Runs of one measurement side by side: values, and differences in %."""

from __future__ import annotations

from typing import Any

from analysis import plots
from analysis.models import AnalysisRun, Result
from analysis.panels import choices_text
from analysis.science.quantities import QUANTITIES
from lagpdb import units
from measurements.models import Measurement


def compared(measurement: Measurement) -> dict[str, Any]:
    """Columns are runs, oldest first; rows are quantities and fitted parameters; the current run is the reference."""
    runs = list(measurement.runs.select_related("created_by").order_by("pk"))
    reference = next((run for run in runs if run.is_current), None)
    numbers: dict[tuple[str, str, int], dict[int, Result]] = {}
    for result in Result.objects.filter(run__in=runs):
        numbers.setdefault((result.quantity, result.label, result.position), {})[result.run_id] = result
    order = list(QUANTITIES)
    keys = sorted(numbers, key=lambda key: (order.index(key[0]) if key[0] in order else 999, key[2]))
    columns = [{"number": n, "run": run, "choices": choices_text(run)} for n, run in enumerate(runs, 1)]
    rows = [
        {"quantity": key[0], "label": key[1], "cells": [_cell(numbers[key], run, reference) for run in runs]}
        for key in keys
    ]
    return {
        "columns": columns,
        "rows": rows,
        "parameters": _parameters(runs),
        "reference": reference,
        "plots": [
            {"number": column["number"], "plot": drawn["nyquist"], "run": column["run"]}
            for column in columns
            if (drawn := plots.plots_of_run(column["run"])) and "nyquist" in drawn
        ][-4:],
    }


def _cell(values: dict[int, Result], run: AnalysisRun, reference: AnalysisRun | None) -> dict[str, Any]:
    """A value and its distance from that of the current run."""
    result = values.get(run.pk)
    if result is None:
        return {}
    base = values.get(reference.pk) if reference and reference.pk != run.pk else None
    return {"result": result, "difference": difference_text(result.value, base.value if base else None)}


def difference_text(value: float | None, base: float | None) -> str:
    """'+0.8 %' against the current value; '' where there is nothing to compare."""
    if value is None or not base:
        return ""
    percent = 100 * (value - base) / abs(base)
    sign = "±" if abs(percent) < 5e-4 else "+" if percent > 0 else units.MINUS
    return f"{sign}{abs(percent):.2g} %" if abs(percent) >= 5e-4 else "same"


def _parameters(runs: list[AnalysisRun]) -> list[dict[str, Any]]:
    """Fitted parameters, one row each."""
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        for row in run.tables.get("fit") or []:
            entry = found.setdefault(str(row.get("parameter")), {"symbol": row.get("symbol", ""), "by_run": {}})
            unit = "" if row.get("unit") in (None, "1") else row["unit"]
            text = units.format_value(row.get("value"), row.get("uncertainty"), "=", unit)
            entry["by_run"][run.pk] = text
    return [
        {"symbol": entry["symbol"] or name, "cells": [entry["by_run"].get(run.pk, "") for run in runs]}
        for name, entry in found.items()
    ]
