"""What people do with a file that waits: give it to a sample, read it once more. Each act is noted in the history."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from lagpdb import ledger
from lagpdb.records import Revision
from measurements import moving
from measurements.models import UploadFile, subject_fields
from samples.models import Cell, Pellet, WitnessPlate


def assign(
    file: UploadFile, subject: Pellet | Cell | WitnessPlate, *, by: Any, reason: str = "", version: int | None = None
) -> UploadFile:
    """Give a file that waits for its sample to one, and take it in; move what was measured from any other file.

    `version` is that of its first measurement, as the person saw it.
    """
    if measured := list(file.measurements.order_by("pk")):
        # Of what lies in the trash it is said so.
        moving.move(moving.together(measured) or measured, subject, by=by, reason=reason, version=version)
        file.refresh_from_db()
        return file
    with transaction.atomic():
        stored = UploadFile.objects.select_for_update().get(pk=file.pk)
        if stored.state not in (UploadFile.State.NEEDS_SAMPLE, UploadFile.State.ATTACHMENT, UploadFile.State.FAILED):
            raise ValidationError(
                f"{stored.name} is {stored.get_state_display().lower()}, it does not wait for a sample. "
                "Reload the page."
            )
        if stored.raw_file_id is None:
            raise ValidationError(f"{stored.name} was not stored. Send the file again.")
        for name, sample in subject_fields(subject).items():
            setattr(stored, name, sample)
        stored.relation = {}  # compared anew, with the tests of that sample
        rearm_for_reading(stored)
        log(stored, by, reason, {"subject": [None, subject.code]})
    stored.refresh_from_db()
    return stored


def try_again(file: UploadFile, *, by: Any, skips_bad_rows: bool = False) -> UploadFile:
    """Read a file once more that failed or has no sample; with `skips_bad_rows`, without the rows that are damaged."""
    with transaction.atomic():
        stored = UploadFile.objects.select_for_update().get(pk=file.pk)
        if stored.state not in (UploadFile.State.FAILED, UploadFile.State.NEEDS_SAMPLE) or stored.raw_file_id is None:
            raise ValidationError(
                f"{stored.name} is {stored.get_state_display().lower()}; there is nothing to try again."
            )
        if skips_bad_rows and stored.bad_rows != "skippable":
            raise ValidationError(f"{stored.name} did not fail at a single row, so no row can be skipped.")
        stored.bad_rows = "skip" if skips_bad_rows else ""
        rearm_for_reading(stored)
        log(stored, by, "damaged rows left out" if skips_bad_rows else "tried again", {})
    stored.refresh_from_db()
    return stored


def rearm_for_reading(file: UploadFile) -> None:
    """Let a file be read again."""
    file.state, file.message, file.line, file.finished_at = UploadFile.State.RECEIVED, "", None, None
    file.save(
        update_fields=[
            "state",
            "message",
            "line",
            "finished_at",
            "pellet",
            "cell",
            "witness_plate",
            "bad_rows",
            "relation",
        ]
    )
    ledger.rearm(file)


def log(file: UploadFile, by: Any, reason: str, changes: dict[str, Any]) -> None:
    """Note in the history what a person did with a file."""
    Revision.objects.create(
        record_type="measurements.uploadfile",
        record_id=file.pk,
        record_code=f"{file.upload.code} {file.name}"[:40],
        version=file.attempts + 1,
        action=Revision.Action.CHANGED,
        by=by if getattr(by, "pk", None) else None,
        reason=reason[:500],
        changes=changes,
    )
