"""What people decide about numbers: compute again with other choices, accept, reject."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from analysis.models import AnalysisRun, Result
from analysis.queueing import analyses_for, choices_in_force, lock_sample, queue_combinations
from lagpdb import ledger
from lagpdb.records import Revision, StaleVersion, in_trash
from measurements.models import Measurement
from measurements.parameters import CODES, check_parameters


def reanalyse(
    measurement: Measurement,
    *,
    parameters: dict[str, Any] | None = None,
    by: Any,
    reason: str = "",
    keeps: bool = False,
) -> list[AnalysisRun]:
    """Queue new runs of a measurement with a person's choices; the old ones stay in force until these are done.

    With `keeps` the choices in force stay so.
    """
    checked = check_parameters(parameters)
    chosen = choices_in_force([measurement]) if keeps else {}
    wanted = analyses_for(measurement)
    if measurement.is_withdrawn:
        raise ValidationError(in_trash(measurement))
    if not wanted:
        raise ValidationError(f"Nothing is computed from {measurement.get_kind_display()} of this sample yet.")
    for name in sorted(CODES & checked.keys()):
        _check_picked(measurement, checked[name])
    with transaction.atomic():
        runs = [
            AnalysisRun.objects.create(
                analysis=item.slug,
                version=item.version,
                software_version=settings.VERSION,
                measurement=measurement,
                parameters=chosen.get((measurement.pk, item.slug), checked),
                reason=reason[:500],
                created_by=by if getattr(by, "pk", None) else None,
            )
            for item in wanted
        ]
        for run_ in runs:
            ledger.ring_on_commit(run_)
    return runs


def _check_picked(measurement: Measurement, code: str) -> None:
    """A spectrum of another cell, or none, would be left out without a word."""
    picked = Measurement.objects.filter(code=code).first()
    if picked is None:
        raise ValidationError(f"{code} does not exist. Pick a spectrum of {measurement.subject.code}.")
    if picked.is_withdrawn:
        raise ValidationError(in_trash(picked))
    if picked.kind != "eis" or picked.cell_id != measurement.cell_id:
        raise ValidationError(
            f"{code} is {picked.get_kind_display().lower()} of {picked.subject.code}. "
            f"Pick a spectrum of {measurement.subject.code}."
        )


def judge(result: Result, acceptance: str, *, by: Any, reason: str = "", version: int | None = None) -> Result:
    """Accept or reject a number by a person's word; what it feeds is computed again."""
    if acceptance not in Result.Acceptance.values:
        raise ValidationError({"acceptance": f"Choose one of {', '.join(Result.Acceptance.values)}."})
    with transaction.atomic():
        sample = lock_sample(type(result.subject), result.subject.pk)
        stored = Result.objects.select_for_update(no_key=True).get(pk=result.pk)
        if version is not None and version != stored.version:
            result.version = version
            stored.code, result.code = f"Result {stored.pk}", f"Result {stored.pk}"
            raise StaleVersion(stored, result)
        if stored.value is None and acceptance == Result.Acceptance.ACCEPTED:
            raise ValidationError({"acceptance": "There is no number to accept."})
        before = stored.acceptance
        if before == acceptance:
            return stored
        stored.acceptance, stored.acceptance_reason = acceptance, reason[:500]
        stored.version, stored.updated_at = stored.version + 1, timezone.now()
        stored.save(update_fields=["acceptance", "acceptance_reason", "version", "updated_at"])
        Revision.objects.create(
            record_type="analysis.result",
            record_id=stored.pk,
            record_code=stored.measurement.code if stored.measurement_id else f"run {stored.run_id}",
            version=stored.version,
            action=Revision.Action.CHANGED,
            by=by if getattr(by, "pk", None) else None,
            reason=reason[:500],
            changes={"acceptance": [before, acceptance], "quantity": [stored.quantity, stored.quantity]},
        )
        if stored.is_current and stored.measurement_id:
            queue_combinations(sample, {stored.quantity}, [])
    return stored
