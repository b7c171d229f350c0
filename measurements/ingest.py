"""The one way a file enters: `receive()` notes it in the request, `take_in()` reads it in a worker."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from lagpdb import ledger
from lagpdb.records import Revision, next_numbers, normal_code
from measurements.fence import Fence, FenceError
from measurements.kinds import KINDS
from measurements.matching import Match, find_subject, in_cell, match, temperature_in_name
from measurements.models import Measurement, MeasurementFile, RawFile, Upload, UploadFile, subject_fields
from measurements.parameters import check_parameters, moment_of
from measurements.signals import measurement_stored
from measurements.store import StoredUpload, StoreError, store
from samples.models import Cell, Pellet, WitnessPlate

__all__ = ["assign", "check_parameters", "find_subject", "parse", "receive", "take_in", "try_again"]

JUNK = ("Thumbs.db", ".DS_Store", "~$*", "desktop.ini", "._*")
TECHNIQUE_KINDS = {"impedance": "eis"}


# -- in the request ----------------------------------------------------------------------------------------------------
def receive(
    files: Iterable[StoredUpload],
    *,
    by: Any,
    subject: Pellet | Cell | WitnessPlate | None = None,
    kind: str = "",
    temperature_degC: float | None = None,
    parameters: Mapping[str, Any] | None = None,
    instrument: Any = None,
    operator: Any = None,
    is_synthetic: bool = False,
    into: Upload | None = None,
) -> Upload:
    """Note files whose bytes lie in the store, and ring for each. A later portion joins the upload `into`.

    Raises
    ------
    ValidationError
        No file, an unknown kind or parameter, an impossible temperature. Nothing is noted then; the bytes stay.
    """
    arrived = list(files)
    kept = [file for file in arrived if not is_junk(file.name)]
    if not arrived:
        raise ValidationError({"files": "No file came with this upload. Choose at least one."})
    if kind and kind not in KINDS:
        raise ValidationError({"kind": f"‘{kind}’ is not a kind of measurement. Kinds: {', '.join(KINDS)}."})
    if temperature_degC is not None and not _is_temperature(temperature_degC):
        raise ValidationError({"temperature_degC": f"{temperature_degC:g} °C cannot be. Is it in kelvin?"})
    checked = check_parameters(parameters)
    with transaction.atomic():
        raws = _raw_files(kept)
        upload = into or _upload(
            created_by=by if getattr(by, "pk", None) else None,
            operator=operator or (by if getattr(by, "pk", None) else None),
            **subject_fields(subject),
            kind=kind,
            temperature_degC=temperature_degC,
            parameters=checked,
            instrument=instrument,
            is_synthetic=is_synthetic or bool(subject and subject.is_synthetic),
        )
        if len(arrived) > len(kept):
            skipped = F("skipped_count") + len(arrived) - len(kept)
            Upload.objects.filter(pk=upload.pk).update(skipped_count=skipped)
            upload.refresh_from_db(fields=["skipped_count"])
        rows = UploadFile.objects.bulk_create([_row(upload, file, raws) for file in kept])
        ledger.ring_on_commit(*(row for row in rows if row.job_state == UploadFile.JobState.WAITING))
    return upload


def _is_temperature(value_degC: float) -> bool:
    return -273.15 <= value_degC < 3000


def _upload(**fields: Any) -> Upload:
    (number,) = next_numbers(Upload.PREFIX)
    return Upload.objects.create(code=normal_code(f"{Upload.PREFIX}-{number}"), **fields)


def is_junk(name: str) -> bool:
    """Files that operating systems leave in folders."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in JUNK)


def _raw_files(files: list[StoredUpload]) -> dict[str, RawFile]:
    stored = {file.sha256: file for file in files if file.sha256}
    RawFile.objects.bulk_create(
        [
            RawFile(sha256=sha256, size_bytes=file.size or 0, original_name=file.name[:255])
            for sha256, file in stored.items()
        ],
        ignore_conflicts=True,
    )
    return {raw.sha256: raw for raw in RawFile.objects.filter(sha256__in=stored)}


def _row(upload: Upload, file: StoredUpload, raws: dict[str, RawFile]) -> UploadFile:
    row = UploadFile(upload=upload, name=file.name[:255], folder=file.folder[:500], raw_file=raws.get(file.sha256))
    if row.raw_file is None:
        row.state, row.message, row.finished_at = UploadFile.State.FAILED, file.refused, timezone.now()
        row.job_state = UploadFile.JobState.ENDED
    return row


# -- in the worker -----------------------------------------------------------------------------------------------------
_fence: Fence | None = None


def fence() -> Fence:
    """The child of this process in which vendor files are parsed."""
    global _fence
    if _fence is None:
        _fence = Fence(settings.FENCE_TIMEOUT_S, settings.FENCE_MEMORY_MB)
    return _fence


def parse(sha256: str, name: str, *, skips_bad_rows: bool = False) -> dict[str, Any]:
    """Read stored bytes inside the fence; the tables stay in the store's cache.

    Returns
    -------
    dict
        The answer of `measurements.fence.Fence.parse`.
    """
    folder = store().parsed_folder(sha256, "", 0).parent
    with store().local_copy(sha256) as path:
        return fence().parse(path, name, folder, skips_bad_rows=skips_bad_rows)


def read_again(raw: RawFile) -> RawFile:
    """Fill the cache of parsed tables anew, with the readers as they are now."""
    try:
        # What was taken in without its bad rows is read so again; a sound file reads the same either way.
        answer = parse(raw.sha256, raw.original_name, skips_bad_rows=True)
    except FenceError as error:
        raise StoreError(str(error)) from None
    if "recordings" not in answer:
        raise StoreError(answer.get("sentence") or f"{raw.original_name} can no longer be read. Its bytes are safe.")
    raw.reader, raw.reader_version = answer["reader"], answer["reader_version"]
    raw.save(update_fields=["reader", "reader_version"])
    return raw


def take_in(file_id: int, *, goes_on: bool = False) -> ledger.Job | None:
    """Read one uploaded file, find its sample, and store its measurements. Every exit is final.

    Returns
    -------
    Job or None
        With `goes_on`, the first run that the file caused, begun by this worker: the caller performs it. A file of
        one spectrum then needs neither a second message nor a second look into the database.
    """
    file = UploadFile.objects.select_related("raw_file", "upload").filter(pk=file_id).order_by().first()
    held = file and ledger.claim(file, state=UploadFile.State.CHECKING, started_at=timezone.now())
    if not held:
        return None
    with ledger.kept_alive(held):
        try:
            answer = parse(file.raw_file.sha256, file.name, skips_bad_rows=file.bad_rows == "skip")
        except (FenceError, StoreError) as error:
            answer = {"sentence": str(error), "line": None}
        except ledger.ENVIRONMENT_ERRORS:
            ledger.give_back(held)
            raise
        if "bug" in answer:
            answer = _broken(ledger.log_fault(f"Reading {file.name} ({file.raw_file.sha256})", answer["bug"]))
        begun: ledger.Job | None = ledger.conclude(
            held,
            lambda: _note(held, file, answer, goes_on),
            lambda reference: _note(held, file, _broken(reference)),
        )
        return begun


def _broken(reference: str) -> dict[str, Any]:
    return {
        "sentence": f"Something broke on our side (ref {reference}). Your file is safe. Tell an administrator "
        "the reference; the file can be read again once this is repaired.",
        "line": None,
    }


def _note(held: ledger.Claim, file: UploadFile, answer: dict[str, Any], goes_on: bool = False) -> ledger.Job | None:
    """Write what reading gave, in one transaction; returns the run that is begun with it."""
    with transaction.atomic():
        # Two uploads of the same bytes at once: the second waits here and then sees the first's measurements.
        raw = RawFile.objects.select_for_update(no_key=True).get(pk=file.raw_file_id)
        now = timezone.now()
        owners = _owners(raw)
        if owners:
            ledger.close(held, finished_at=now, **_duplicate(owners))
            file.measurements.set(owners)
            return None
        if "sentence" in answer and not answer.get("is_short"):
            ledger.close(
                held,
                state=UploadFile.State.FAILED,
                message=answer["sentence"],
                line=answer["line"],
                bad_rows="skippable" if answer.get("is_row") else "",
                finished_at=now,
            )
            return None
        found = match(file)
        if answer.get("is_short"):
            ledger.close(
                held,
                state=UploadFile.State.ATTACHMENT,
                message=answer["sentence"],
                line=answer["line"],
                matched_by=found.how,
                finished_at=now,
            )
            return None
        RawFile.objects.filter(pk=raw.pk).update(reader=answer["reader"], reader_version=answer["reader_version"])
        seen = {"recognised_as": answer["reader_name"], "matched_by": found.how, "candidates": found.candidates}
        if found.subject is None:
            ledger.close(
                held, state=UploadFile.State.NEEDS_SAMPLE, message=found.sentence, line=None, finished_at=now, **seen
            )
            return None
        return _measure(held, file, raw, answer, found, seen, goes_on)


def _owners(raw: RawFile) -> list[Measurement]:
    keys = MeasurementFile.objects.filter(raw_file=raw).order_by().values_list("measurement_id", flat=True)
    known = set(keys)
    return list(Measurement.objects.filter(pk__in=known).order_by("pk")) if known else []


def _duplicate(owners: list[Measurement]) -> dict[str, Any]:
    gone = next((owner for owner in owners if owner.is_withdrawn), None)
    if gone is not None:
        message = (
            f"This file is in Trash ({gone.code}, deleted {gone.withdrawn_at:%-d %B}, reason: "
            f"{gone.withdrawn_reason}). Restore it?"
        )
    else:
        codes = ", ".join(owner.code for owner in owners[:3]) + (" …" if len(owners) > 3 else "")
        message = f"Skipped, already stored as {codes}."
    return {"state": UploadFile.State.DUPLICATE, "message": message}


def _measure(
    held: ledger.Claim,
    file: UploadFile,
    raw: RawFile,
    answer: dict[str, Any],
    found: Match,
    seen: dict[str, Any],
    goes_on: bool,
) -> ledger.Job | None:
    """Make one measurement per recording, and let the analyses know; returns the run that is begun."""
    made = []
    numbers = next_numbers(Measurement.PREFIX, len(answer["recordings"]))
    for number, described in zip(numbers, answer["recordings"], strict=True):
        measurement = _measurement(file, described, found)
        measurement.code = normal_code(f"{Measurement.PREFIX}-{number}")
        made.append(measurement)
    Measurement.objects.bulk_create(made)
    raw.reader, raw.reader_version = answer["reader"], answer["reader_version"]
    for part, item in enumerate(made):
        item.known_part = MeasurementFile(measurement=item, raw_file=raw, part_number=part)
    MeasurementFile.objects.bulk_create([item.known_part for item in made])
    Revision.objects.bulk_create(
        [
            Revision(
                record_type="measurements.measurement",
                record_id=item.pk,
                record_code=item.code,
                version=1,
                action=Revision.Action.CREATED,
                by=file.upload.created_by,
                reason=f"{file.upload.code}: {file.name}"[:500],
                changes={"file": [None, file.name], "subject": [None, item.subject.code]},
            )
            for item in made
        ]
    )
    link = UploadFile.measurements.through
    link.objects.bulk_create([link(uploadfile_id=file.pk, measurement_id=item.pk) for item in made])
    answers = measurement_stored.send(sender=Measurement, measurements=made, upload_file=file, goes_on=goes_on)
    runs = [run for _, queued in answers for run in queued]
    if runs:
        state = UploadFile.State.ANALYSING if goes_on else UploadFile.State.QUEUED
        ledger.close(held, state=state, message="", line=None, **seen)
    else:
        what = KINDS[made[0].kind]
        where = made[0].cell.get_configuration_display() + " cell" if made[0].cell else "pellet"
        where = "witness plate" if made[0].witness_plate_id else where
        ledger.close(
            held,
            state=UploadFile.State.DONE,
            message=f"Raw data are stored. Nothing is computed from {what} of a {where} yet.",
            line=None,
            finished_at=timezone.now(),
            **seen,
        )
    return runs[0] if runs and goes_on else None


def _measurement(file: UploadFile, described: dict[str, Any], found: Match) -> Measurement:
    upload, metadata = file.upload, described["metadata"]
    kind = TECHNIQUE_KINDS.get(described["technique"]) or upload.kind or "attachment"
    subject = in_cell(found.subject, kind)
    temperature, origin = _temperature(file, metadata)
    parameters = dict(upload.parameters)
    stated = parameters.pop("measured_at", None) or metadata.get("measured_at")
    return Measurement(
        kind=kind,
        **subject_fields(subject),
        measured_at=moment_of(stated),
        operator=upload.operator,
        instrument=upload.instrument,
        temperature_degC=temperature,
        temperature_origin=origin,
        parameters=parameters,
        metadata=metadata,
        reader_warnings=described["warnings"],
        point_count=described["points"],
        is_synthetic=upload.is_synthetic or subject.is_synthetic,
        created_by=upload.created_by,
    )


def _temperature(file: UploadFile, metadata: dict[str, Any]) -> tuple[float | None, str]:
    if file.upload.temperature_degC is not None:
        return file.upload.temperature_degC, Measurement.TemperatureOrigin.PERSON
    stated = metadata.get("temperature_degC")
    if stated is not None and _is_temperature(stated):
        return stated, Measurement.TemperatureOrigin.FILE
    named = temperature_in_name(file.name)
    if named is not None and _is_temperature(named):
        return named, Measurement.TemperatureOrigin.NAME
    return None, Measurement.TemperatureOrigin.ASSUMED


# -- what people do with a file that waits ----------------------------------------------------------------------------
def assign(file: UploadFile, subject: Pellet | Cell | WitnessPlate, *, by: Any, reason: str = "") -> UploadFile:
    """Give a file that waits for its sample to one, and take it in."""
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
        _again(stored)
        _log(stored, by, reason, {"subject": [None, subject.code]})
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
        _again(stored)
        _log(stored, by, "damaged rows left out" if skips_bad_rows else "tried again", {})
    stored.refresh_from_db()
    return stored


def _again(file: UploadFile) -> None:
    file.state, file.message, file.line, file.finished_at = UploadFile.State.RECEIVED, "", None, None
    file.save(update_fields=["state", "message", "line", "finished_at", "pellet", "cell", "witness_plate", "bad_rows"])
    ledger.rearm(file)


def _log(file: UploadFile, by: Any, reason: str, changes: dict[str, Any]) -> None:
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
