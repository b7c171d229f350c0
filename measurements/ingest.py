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
from measurements import growing, moving
from measurements.drafting import draft, is_temperature, misfit
from measurements.fence import Fence, FenceError
from measurements.kinds import KINDS, unknown_kind
from measurements.mappings import is_plain_table, mapping_for, take_described
from measurements.matching import Match, as_candidates, in_cell, match
from measurements.models import Measurement, MeasurementFile, RawFile, Upload, UploadFile, subject_fields
from measurements.parameters import check_parameters
from measurements.signals import measurement_stored
from measurements.store import StoredUpload, StoreError, store
from samples.models import Cell, Pellet, WitnessPlate

JUNK = ("Thumbs.db", ".DS_Store", "~$*", "desktop.ini", "._*")


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
        raise ValidationError({"kind": unknown_kind(kind)})
    if temperature_degC is not None and not is_temperature(temperature_degC):
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


def parse(
    sha256: str, name: str, *, skips_bad_rows: bool = False, mapping: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Read stored bytes inside the fence; the tables stay in the store's cache.

    Returns
    -------
    dict
        The answer of `measurements.fence.Fence.parse`.
    """
    folder = store().parsed_folder(sha256)
    with store().local_copy(sha256) as path:
        return fence().parse(path, name, folder, skips_bad_rows=skips_bad_rows, mapping=mapping)


def look(raw: RawFile) -> list[dict[str, Any]]:
    """The columns of a stored table (`measurements.readers.generic_series.preview`), seen inside the fence."""
    with store().local_copy(raw.sha256) as path:
        folder = store().parsed_folder(raw.sha256)
        return list(fence().parse(path, raw.original_name, folder, previews=True)["columns"])


def see_columns(file: UploadFile) -> list[dict[str, Any]]:
    """The columns of an uploaded table, looked at once and then noted with the file; empty where there is no table."""
    if not file.columns_seen and file.raw_file is not None:
        file.columns_seen = look(file.raw_file)
        UploadFile.objects.filter(pk=file.pk).update(columns_seen=file.columns_seen)
    return list(file.columns_seen)


def read_again(raw: RawFile) -> RawFile:
    """Fill the cache of parsed tables anew, with the readers as they are now."""
    try:
        # What was taken in without its bad rows is read so again; a sound file reads the same either way.
        answer = parse(raw.sha256, raw.original_name, skips_bad_rows=True, mapping=raw.column_mapping)
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
    file = UploadFile.objects.select_related("raw_file", "upload__instrument").filter(pk=file_id).order_by().first()
    held = file and ledger.claim(file, state=UploadFile.State.CHECKING, started_at=timezone.now())
    if not held:
        return None
    with ledger.kept_alive(held):
        try:
            answer = _parse_named(file)
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


def _parse_named(file: UploadFile) -> dict[str, Any]:
    """Read the file; a table whose names are not known as people have described it, this one or one like it."""
    raw, skips = file.raw_file, file.bad_rows == "skip"
    if asked := file.relation.get("columns"):
        return parse(raw.sha256, file.name, mapping=asked["mapping"])
    if raw.column_mapping:
        return parse(raw.sha256, file.name, mapping=raw.column_mapping)
    answer = parse(raw.sha256, file.name, skips_bad_rows=skips)
    instrument, columns = file.upload.instrument, answer.get("columns") or []
    if instrument and instrument.column_mappings and is_plain_table(answer):
        columns = look(raw)
    known = mapping_for(instrument, columns)
    if known:
        answer = parse(raw.sha256, file.name, mapping=known)
        if "recordings" in answer:
            RawFile.objects.filter(pk=raw.pk).update(column_mapping=known)
            raw.column_mapping = known
    return answer


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
        if owners and "columns" in file.relation:
            take_described(held, file, raw, answer)
            return None
        if owners:
            ledger.close(held, finished_at=now, **_duplicate(owners, _elsewhere(file, owners)))
            file.measurements.set(owners)
            return None
        if "sentence" in answer and not answer.get("is_short"):
            ledger.close(
                held,
                state=UploadFile.State.FAILED,
                message=answer["sentence"],
                line=answer["line"],
                bad_rows="skippable" if answer.get("is_row") else "",
                columns_seen=answer.get("columns") or [],
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
    rows = Measurement.objects.filter(pk__in=known).select_related("cell__pellet", "pellet", "witness_plate")
    return list(rows.order_by("pk")) if known else []


def _elsewhere(file: UploadFile, owners: list[Measurement]) -> Any:
    """The sample that a copy was sent for, where what is stored lies on another one; else None."""
    wanted = match(file).subject
    if wanted is None:
        return None
    is_there = (wanted == owner.sample_pellet or in_cell(wanted, owner.kind) == owner.subject for owner in owners)
    return None if all(is_there) else in_cell(wanted, owners[0].kind)


def _duplicate(owners: list[Measurement], wanted: Any) -> dict[str, Any]:
    """How a copy ends; `wanted` is the sample that it was sent for, where that is another one."""
    gone = next((owner for owner in owners if owner.is_withdrawn), None)
    if gone is not None:
        message = (
            f"This file is in Trash ({gone.code}, deleted {gone.withdrawn_at:%-d %B}, reason: "
            f"{gone.withdrawn_reason}). Restore it{f', then move it to {wanted.code}' if wanted else ''}?"
        )
    else:
        message = moving.stored_as(owners)
        if wanted is not None:
            message += f" Move {'it' if len(owners) == 1 else 'them'} to {wanted.code}?"
    found = [] if wanted is None else as_candidates([wanted])
    return {"state": UploadFile.State.DUPLICATE, "message": message, "candidates": found}


def _measure(
    held: ledger.Claim,
    file: UploadFile,
    raw: RawFile,
    answer: dict[str, Any],
    found: Match,
    seen: dict[str, Any],
    goes_on: bool,
) -> ledger.Job | None:
    """Make one measurement per recording, or a new version of one, and let the analyses know; the run that is begun."""
    drafts = [draft(file, described, found) for described in answer["recordings"]]
    raw.reader, raw.reader_version = answer["reader"], answer["reader_version"]
    for number, item in enumerate(drafts):
        item.known_part = MeasurementFile(measurement=item, raw_file=raw, part_number=number)
    if problem := misfit(file, drafts):
        _wait(held, problem, seen)
        return None
    relation, grown = growing.related(file, drafts)
    if relation is not None and relation.how in growing.WAITING:
        _wait(held, relation.sentence, {**seen, "candidates": []}, relation.noted)
        return None
    if grown:
        return _extend(held, file, drafts, relation, grown, seen)
    _create(file, drafts)
    noted = {"relation": relation.noted if relation else {}}
    return _begin(held, file, drafts, {**seen, **noted}, relation.sentence if relation else "", goes_on)


def _create(file: UploadFile, made: list[Measurement]) -> None:
    """Store new measurements with their parts, history and link to the file."""
    numbers = next_numbers(Measurement.PREFIX, len(made))
    for number, measurement in zip(numbers, made, strict=True):
        measurement.code = normal_code(f"{Measurement.PREFIX}-{number}")
    Measurement.objects.bulk_create(made)
    for item in made:
        item.known_part.measurement = item
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


def _begin(
    held: ledger.Claim, file: UploadFile, made: list[Measurement], seen: dict[str, Any], message: str, goes_on: bool
) -> ledger.Job | None:
    """Let the analyses know of new measurements, and close the file."""
    answers = measurement_stored.send(sender=Measurement, measurements=made, upload_file=file, goes_on=goes_on)
    runs = [run for _, queued in answers for run in queued]
    if runs:
        state = UploadFile.State.ANALYSING if goes_on else UploadFile.State.QUEUED
        ledger.close(held, state=state, message=message, line=None, **seen)
    else:
        what = KINDS[made[0].kind]
        where = made[0].cell.get_configuration_display() + " cell" if made[0].cell else "pellet"
        where = "witness plate" if made[0].witness_plate_id else where
        ledger.close(
            held,
            state=UploadFile.State.DONE,
            message=message or f"Raw data are stored. Nothing is computed from {what} of a {where} yet.",
            line=None,
            finished_at=timezone.now(),
            **seen,
        )
    return runs[0] if runs and goes_on else None


def _extend(
    held: ledger.Claim,
    file: UploadFile,
    drafts: list[Measurement],
    relation: growing.Relation,
    grown: dict[int, MeasurementFile],
    seen: dict[str, Any],
) -> None:
    """Make the recordings new versions of the measurements that they are longer copies of; the rest is new."""
    steps, runs = growing.take_over(file, drafts, grown)
    fresh = [item for number, item in enumerate(drafts) if number not in grown]
    if fresh:
        _create(file, fresh)
        answers = measurement_stored.send(sender=Measurement, measurements=fresh, upload_file=file, goes_on=False)
        runs += sum(len(queued) for _, queued in answers)
    file.measurements.add(*(step["measurement"] for step in steps))
    noted = {**relation.noted, "how": "extends", "steps": steps, "taken_at": timezone.now().isoformat()}
    ending = {} if runs else {"finished_at": timezone.now()}
    state = UploadFile.State.QUEUED if runs else UploadFile.State.EXTENDS
    ledger.close(held, state=state, message=relation.sentence, line=None, relation=noted, **ending, **seen)


def _wait(held: ledger.Claim, message: str, seen: dict[str, Any], relation: dict[str, Any] | None = None) -> None:
    """Leave the file to a person."""
    ledger.close(
        held,
        state=UploadFile.State.NEEDS_SAMPLE,
        message=message,
        line=None,
        relation=relation or {},
        finished_at=timezone.now(),
        **seen,
    )
