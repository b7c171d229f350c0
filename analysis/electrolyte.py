"""What other recordings of a cell and its pellet tell a test about the electrolyte, and which tests that moves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.db.models import Q

from analysis.models import AnalysisRun, Result
from analysis.science.base import Analysis
from analysis.science.symmetric import CONDUCTIVITY, RESISTANCE, numbers_of_electrolyte
from analysis.science.transference import role_in_name
from lagpdb import ledger
from measurements.models import Measurement
from samples.models import Cell

STATE = AnalysisRun.State


def known(measurement: Measurement, quantities: Collection[str]) -> list[dict[str, Any]]:
    """Accepted numbers of the cell of a test and of its pellet, as `analysis.science.symmetric.electrolyte` takes them.

    In the order in which they were measured, where all times are known, else in that of upload. One query.
    """
    cell = measurement.cell
    if cell is None:
        return []
    of_cell, of_pellet = Q(cell=cell, quantity=RESISTANCE), Q(pellet=cell.pellet_id, quantity=CONDUCTIVITY)
    rows = (
        Result.objects.current()
        .filter(of_cell | of_pellet, quantity__in=quantities, value__isnull=False, limit=Result.Limit.EQUAL)
        # Generated numbers say nothing about a cell that exists, nor the other way round.
        .filter(acceptance=Result.Acceptance.ACCEPTED, is_synthetic=measurement.is_synthetic)
        .select_related("measurement", "run")
        .defer("run__curves", "run__tables")
        .order_by("measurement_id", "position")
    )
    found = [row for row in rows if row.measurement is not None]
    if all(row.measurement.measured_at for row in found):
        found.sort(key=lambda row: row.measurement.measured_at)
    return [
        {
            "result_id": row.pk,
            "quantity": row.quantity,
            "value": row.value,
            "uncertainty": row.uncertainty,
            "temperature_degC": row.temperature_degC,
            "measurement": row.measurement.code,
            "is_before": _is_before(row, measurement),
        }
        for row in found
    ]


def _is_before(row: Result, test: Measurement) -> bool:
    """Whether a number was measured before a test: by their times, else the name of its file, else order of upload."""
    if row.measurement.measured_at and test.measured_at:
        return bool(row.measurement.measured_at <= test.measured_at)
    said = role_in_name((row.run.inputs.get("raw_file") or {}).get("name", ""))
    return said == "before" if said else row.measurement_id < test.pk


def queue_again(sample: Any, quantities: Collection[str], kinds: Mapping[str, type[Analysis]]) -> list[int]:
    """Queue the tests whose electrolyte is told by other results since these quantities of a locked sample changed.

    Returns
    -------
    list of int
        Keys of the runs that will see the numbers. A test whose answer rests on the same results is left alone.
    """
    slugs = [slug for slug, kind in kinds.items() if set(kind.looks_up).intersection(quantities)]
    if not slugs or not isinstance(sample, Cell):
        return []
    # Locked while they wait, as combinations are: a worker claims them only after this transaction.
    rows = AnalysisRun.objects.select_for_update(no_key=True, of=("self",)).filter(
        Q(is_current=True) | Q(state__in=[STATE.QUEUED, STATE.RUNNING]),
        analysis__in=slugs,
        measurement__cell__pellet=sample.pellet_id,
        measurement__withdrawn_at__isnull=True,
        measurement__cell__withdrawn_at__isnull=True,
    )
    by_test: dict[tuple[str, int], list[AnalysisRun]] = {}
    for run in rows.defer("curves", "tables").order_by("pk"):
        by_test.setdefault((run.analysis, run.measurement_id or 0), []).append(run)
    keys = []
    for runs in by_test.values():
        latest = runs[-1]
        if latest.state == STATE.SUCCEEDED and not _is_moved(latest):
            continue
        if latest.state != STATE.QUEUED:
            latest = AnalysisRun.objects.create(
                analysis=latest.analysis,
                version=kinds[latest.analysis].version,
                software_version=settings.VERSION,
                measurement=latest.measurement,
                parameters=latest.parameters,
                reason="The resistance of the electrolyte is known from other recordings now.",
            )
            ledger.ring_on_commit(latest)
        keys.append(latest.pk)
    return keys


def _is_moved(run: AnalysisRun) -> bool:
    """Whether other results than those that entered a run would tell the electrolyte now."""
    from analysis.pipeline import parameters_of, subject_of  # which computes what is queued here

    now = numbers_of_electrolyte(subject_of(run.subject), parameters_of(run))
    return now != set(run.run_inputs.filter(result__isnull=False).values_list("result_id", flat=True))
