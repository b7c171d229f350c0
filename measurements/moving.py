"""Measurements that lie on the wrong sample get the right one: with their files, and with everything computed anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from lagpdb.records import Record, Revision, StaleVersion, in_trash, save_record
from measurements.drafting import configuration_of, unfit
from measurements.kinds import SERIES_KINDS
from measurements.matching import in_cell
from measurements.models import Measurement, MeasurementFile, UploadFile, subject_fields
from measurements.parameters import CODES
from measurements.store import StoreError, parts_of, table
from measurements.telling import told_kinds
from samples.models import Cell, Pellet, WitnessPlate

Sample = Pellet | Cell | WitnessPlate
State = UploadFile.State
REASON = "Say why: the reason is kept with the measurement and with both samples."
FOLLOWS = ["state", "message", "relation", "matched_by", "started_at", "finished_at", "pellet", "cell", "witness_plate"]
# What a person said of the sample, not of the recording: it does not hold for another one.
OF_SAMPLE = {"electrode_area_cm2", "active_mass_mg", "counts_for_transference"}


def together(measurements: Iterable[Measurement]) -> list[Measurement]:
    """These measurements, then those of the same samples that share a file with them, be it through a joined test.

    What lies in the trash is left out.
    """
    given = list(measurements)
    own = {item.pk for item in given}
    keys, found = set[int](), own
    while found - keys:
        keys |= found
        files = MeasurementFile.objects.filter(measurement__in=keys).values("raw_file")
        found = set(MeasurementFile.objects.filter(raw_file__in=files).values_list("measurement_id", flat=True))
    rows = Measurement.objects.live().select_related("cell", "pellet", "witness_plate")
    samples = {item.subject for item in given}
    of_samples = [item for item in rows.filter(pk__in=keys) if item.subject in samples]
    return sorted(of_samples, key=lambda item: (item.pk not in own, item.pk))


def move(
    measurements: Iterable[Measurement], to: Sample, *, by: Any, reason: str = "", version: int | None = None
) -> list[Measurement]:
    """Put measurements on another sample. Their numbers are retired there and computed for the new one.

    All parts of a test move, for they are one measurement. A kind that was told from recording and cell is told anew;
    one that a person gave stays. A pellet in a live cell stands for that cell, as on upload.

    Parameters
    ----------
    version : int, optional
        Of the first measurement, as the person saw it.

    Returns
    -------
    list of Measurement
        Those that were moved; the others lay there already.

    Raises
    ------
    ValidationError
        The sample cannot take them, or a file of theirs is being read.
    StaleVersion
        Somebody else changed the first measurement meanwhile.
    """
    given = list(measurements)
    told = {item.pk: _told(item, to) for item in given}  # tables are read before anything is held
    with transaction.atomic():
        files = _hold_files(given)
        rows = Measurement.objects.select_for_update(no_key=True).filter(pk__in=told)
        held = {item.pk: item for item in rows.order_by("pk")}
        first = held[given[0].pk]
        if version is not None and version != first.version:
            raise StaleVersion(first, Measurement(code=first.code, version=version))
        if {file.pk for file in _files(given)} != {file.pk for file in files}:
            raise ValidationError(f"{first.code} was changed in this moment. Reload the page.")
        if gone := next((item for item in held.values() if item.is_withdrawn), None):
            raise ValidationError(in_trash(gone))
        targets = {item.pk: in_cell(to, item.kind) for item in held.values()}
        samples = _hold_samples([*targets.values(), *(item.subject for item in held.values())])
        moving = [item for item in held.values() if item.subject != targets[item.pk]]
        if not moving:
            where = targets[first.pk].code
            raise ValidationError(f"{first.code} is a measurement of {where} already. Choose another sample.")
        former = {item.pk: item.subject for item in moving}
        begun = {item.pk: _choices(item) for item in moving}
        for item in moving:
            sample = targets[item.pk]
            _check_sample(samples[type(sample), sample.pk])
            _put(item, samples[type(sample), sample.pk], told[item.pk])
            save_record(item, by=by, reason=reason[:500])  # retires its numbers, and queues new runs
        for item in moving:
            _keep_choices(item, *begun[item.pk])
        _tell_samples(moving, former, by, reason)
        _follow(files, moving, former)
    return moving


# -- what is held ------------------------------------------------------------------------------------------------------
def _files(measurements: Iterable[Measurement]) -> Any:
    """The uploaded files of measurements, copies included, and those that could be joined to one of them."""
    given = list(measurements)
    cells, codes = {item.cell_id for item in given if item.cell_id}, [item.code for item in given]
    asks = Q(measurement__cell__in=cells, uploadfile__relation__how="follows", uploadfile__relation__code__in=codes)
    keys = UploadFile.measurements.through.objects.filter(Q(measurement__in=given) | asks).values("uploadfile")
    return UploadFile.objects.filter(pk__in=keys).order_by("pk")


def _hold_files(measurements: Iterable[Measurement]) -> list[UploadFile]:
    """Their files, locked first, as everywhere; none may be on its way through a reader."""
    files = list(_files(measurements).select_for_update(no_key=True))
    for file in files:
        if file.state in (State.RECEIVED, State.CHECKING):
            raise ValidationError(f"{file.name} is being read just now. Move it when that has ended.")
    return files


def _hold_samples(samples: Iterable[Sample]) -> dict[tuple[type, int], Sample]:
    """The samples as they stand now, locked in the order in which those who compute lock them."""
    keys = sorted({(type(sample), sample.pk) for sample in samples}, key=lambda key: (key[0].__name__, key[1]))
    return {key: key[0]._default_manager.select_for_update(no_key=True).get(pk=key[1]) for key in keys}


# -- where it goes, and as what ----------------------------------------------------------------------------------------
def _told(measurement: Measurement, to: Sample) -> dict[str, str]:
    """The kinds that a recording over time has in cells of each configuration; empty where that changes nothing."""
    if measurement.kind not in (*SERIES_KINDS, "attachment"):
        return {}
    if configuration_of(measurement.subject) == configuration_of(in_cell(to, measurement.kind)):
        return {}
    try:
        part = parts_of(measurement)[0]
        is_beside = part.raw_file.parts.filter(measurement__kind="eis").exists()
        return told_kinds(table(part), is_beside_spectra=is_beside)
    except StoreError as error:
        raise ValidationError(f"What {measurement.code} is a test of cannot be told anew: {error}") from None


def _check_sample(sample: Sample) -> None:
    if sample.is_withdrawn:
        raise ValidationError(in_trash(sample))


def _put(item: Measurement, sample: Sample, told: dict[str, str]) -> None:
    """Give a (locked) measurement to a sample, not saved yet."""
    uploads = UploadFile.objects.filter(measurements=item).exclude(state=State.DUPLICATE).select_related("upload")
    origins = [file.upload for file in uploads]
    is_told = told.get(configuration_of(item.subject)) == item.kind
    is_given = item.kind in {origin.kind for origin in origins}
    if is_told and not is_given:
        item.kind = told[configuration_of(sample)]
    if problem := unfit(item.kind, sample):
        chosen = " A person chose that kind." if is_given else ""
        raise ValidationError(f"{item.code} stays with {item.subject.code}. {problem}.{chosen}")
    for name, value in subject_fields(sample).items():
        setattr(item, name, value)
    if origins:  # as when it was taken in: what was generated stays so, whatever it lies on
        item.is_synthetic = sample.is_synthetic or any(origin.is_synthetic for origin in origins)


# -- what follows ------------------------------------------------------------------------------------------------------
def _choices(item: Measurement) -> tuple[str, int, dict[str, Any]]:
    """Kind, newest run and a person's choices of a measurement, before it is moved."""
    run = item.runs.order_by("is_current", "pk").last()
    newest = item.runs.order_by("pk").values_list("pk", flat=True).last()
    return item.kind, newest or 0, dict(run.parameters) if run else {}


def _keep_choices(item: Measurement, kind: str, newest: int, choices: dict[str, Any]) -> None:
    """Leave the new runs, those of another analysis too, the choices that still make sense.

    What was said of the former sample is none, nor is a spectrum that stays with it.
    """
    for run in item.runs.filter(pk__gt=newest):
        stood = run.parameters or (choices if item.kind == kind else {})
        kept = {name: value for name, value in stood.items() if name not in OF_SAMPLE}
        for name in CODES & kept.keys():
            if not Measurement.objects.filter(code=kept[name], cell=item.cell_id, cell__isnull=False).exists():
                del kept[name]
        if run.parameters != kept:
            run.parameters = kept
            run.save(update_fields=["parameters"])


def _tell_samples(moving: list[Measurement], former: dict[int, Sample], by: Any, reason: str) -> None:
    """Note in the histories of both samples what left and what came."""
    ways: dict[tuple[Sample, Sample], list[str]] = {}
    for item in moving:
        ways.setdefault((former[item.pk], item.subject), []).append(item.code)
    for (old, new), codes in ways.items():
        named = ", ".join(codes)
        _note(old, by, f"moved to {new.code}", reason, [named, None])
        _note(new, by, f"moved from {old.code}", reason, [None, named])


def _note(sample: Record, by: Any, words: str, reason: str, change: list[str | None]) -> None:
    Revision.objects.create(
        record_type=sample._meta.label_lower,
        record_id=sample.pk,
        record_code=sample.code,
        version=sample.version,
        action=Revision.Action.CHANGED,
        by=by if getattr(by, "pk", None) else None,
        reason=(f"{words}: {reason}" if reason else words)[:500],
        changes={"measurement": change},
    )


def _follow(files: list[UploadFile], moving: list[Measurement], former: dict[int, Sample]) -> None:
    """Let the (locked) files wait for the new runs; what was asked or could be undone about them is over."""
    keys = {item.pk for item in moving}
    for file in files:
        own = list(file.measurements.select_related("cell", "pellet", "witness_plate").order_by("pk"))
        came = [item for item in own if item.pk in keys]
        if file.state == State.DUPLICATE:
            file.message = stored_as(own)
        elif came and file.state in (State.DONE, State.EXTENDS, State.QUEUED, State.ANALYSING):
            file.message = f"{_named(came)} moved from {former[came[0].pk].code} to {came[0].subject.code}."
            _wait_for_runs(file, came)
            file.relation = _over(file.relation)
            if all(item.subject == own[0].subject for item in own):
                file.matched_by = "chosen"
                for name, sample in subject_fields(own[0].subject).items():
                    setattr(file, name, sample)
        elif file.relation.get("how") == "follows":  # a restarted test is joined to one of its own sample
            file.relation, file.message = {}, ""
        file.save(update_fields=FOLLOWS)


def _wait_for_runs(file: UploadFile, came: list[Measurement]) -> None:
    """Link the runs of measurements that were moved, in place of former ones and of what was made of those."""
    newest = [run for item in came for run in item.runs.filter(state="queued")]
    file.runs.remove(*file.runs.filter(Q(measurement__in=came) | Q(measurement=None)))
    file.runs.add(*newest)
    ended = State.EXTENDS if file.relation.get("how") == "extends" else State.DONE
    if file.runs.filter(state__in=("queued", "running")).exists():
        file.state, file.started_at, file.finished_at = State.QUEUED, timezone.now(), None
    elif file.state != ended:
        file.state, file.finished_at = ended, timezone.now()


def _over(relation: dict[str, Any]) -> dict[str, Any]:
    """What a file is to other tests, without the question whether to join and without the way back."""
    if relation.get("how") == "follows":
        return {}
    return {name: value for name, value in relation.items() if name != "taken_at"}


def stored_as(owners: list[Measurement]) -> str:
    """What the row of a copy says."""
    where = " and ".join(dict.fromkeys(item.subject.code for item in owners))
    return f"Skipped, already stored as {_named(owners)} of {where}."


def _named(measurements: list[Measurement]) -> str:
    return ", ".join(item.code for item in measurements[:3]) + (" …" if len(measurements) > 3 else "")
