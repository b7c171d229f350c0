"""Tests that grow: a longer copy becomes the new version of its measurement, anything else is a person's decision."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from lagpdb import ledger
from lagpdb.records import restore, save_record, withdraw
from lagpdb.units import grouped
from measurements import packing
from measurements.kinds import SERIES_KINDS
from measurements.models import Measurement, MeasurementFile, RawFile, UploadFile, subject_fields
from measurements.readers.columns import CURRENT, FREQUENCY, POTENTIAL, TIME, Z_IMAG, Z_REAL
from measurements.signals import measurement_stored
from measurements.store import parsed_path
from measurements.waiting import log

COURSE = (TIME, POTENTIAL, CURRENT)
SPECTRUM = (FREQUENCY, Z_REAL, Z_IMAG)
LONG_TESTS = {"plating_stripping", "cycling", "rate_test"}
ALIKE_ROWS, ALIKE_VALUES = 10, 5  # so many equal rows, and different potentials in them, are no accident
LONGEST_GAP = dt.timedelta(hours=48)
CLOCKS_AGREE = dt.timedelta(seconds=60)
UNDO_FOR = dt.timedelta(minutes=10)
WAITING = ("differs", "shorter", "same", "taken_back")


@dataclass
class Relation:
    """What a new recording is to a part of a test that was there before.

    Attributes
    ----------
    how : str
        ``extends``, ``same`` (rows), ``shorter``, ``differs`` or ``follows``.
    part : MeasurementFile
        The former one.
    rows : int
        How many rows from the first one are equal.
    identical_s, adds_s : float
        [s] Time that these rows, and the rows after them, take.
    gap_s : float
        [s] From the end of the former test to the beginning of this one.
    """

    how: str
    part: MeasurementFile
    rows: int = 0
    identical_s: float = 0.0
    adds_s: float = 0.0
    gap_s: float = 0.0

    @property
    def sentence(self) -> str:
        code = self.part.measurement.code
        return {
            "extends": f"Longer copy of {code}: first {span(self.identical_s)} identical, adds {span(self.adds_s)}.",
            "differs": f"Differs from {code} at row {grouped(self.rows + 1)}. Keep as a separate test, or replace?",
            "shorter": f"Holds the first {grouped(self.rows)} rows of {code} and nothing more. "
            "Keep as a separate test, or replace?",
            "same": f"Holds the same {grouped(self.rows)} rows as {code}. Keep as a separate test, or replace?",
            "follows": f"Starts {span(self.gap_s)} after {code} ended, same cell. Join as one test with a gap?",
            "replaces": f"Replaces the former file of {code} by a person's decision.",
        }[self.how]

    @property
    def noted(self) -> dict[str, Any]:
        """What an uploaded file keeps of it."""
        return {
            "how": self.how,
            "former": self.part.pk,
            "code": self.part.measurement.code,
            "rows": self.rows,
            "gap_s": self.gap_s,
        }


def span(seconds: float) -> str:
    """'601 h', '2.5 h', '12 min', '30 s'."""
    for unit_s, word in ((3600.0, "h"), (60.0, "min")):
        if seconds >= unit_s:
            count = seconds / unit_s
            return f"{count:.0f} {word}" if count >= 10 else f"{count:.2g} {word}"
    return f"{max(seconds, 0):.0f} s"


# -- telling -----------------------------------------------------------------------------------------------------------
def related(file: UploadFile, drafts: list[Measurement]) -> tuple[Relation | None, dict[int, MeasurementFile]]:
    """What the file is to a test that was there before, and which drafts are new versions of which parts."""
    series = [item for item in drafts if item.kind in SERIES_KINDS]
    decision = file.relation.get("decision", "")
    if not series or decision == "separate":
        return None, {}
    if decision == "replace":
        former = MeasurementFile.objects.select_related("measurement", "raw_file").get(pk=file.relation["former"])
        if former.superseded_at is None and former.measurement.subject == series[0].subject:
            rows = file.relation.get("rows", 0)
            relation = Relation("replaces", former, rows)
            return relation, _versions(drafts, {drafts.index(series[0]): former})
    found = [(item, relation_of(item, item.known_part)) for item in series]
    telling = [(item, relation) for item, relation in found if relation is not None]
    for _, relation in telling:
        if relation.how in WAITING:
            return relation, {}
    grown = {drafts.index(item): relation.part for item, relation in telling if relation.how == "extends"}
    if grown:
        return next(relation for _, relation in telling if relation.how == "extends"), _versions(drafts, grown)
    return (telling[0][1] if telling else None), {}


def _versions(drafts: list[Measurement], grown: dict[int, MeasurementFile]) -> dict[int, MeasurementFile]:
    """The spectra that were in the former file too, beside the recordings that grew."""
    former_raw = next(iter(grown.values())).raw_file
    for number, draft in enumerate(drafts):
        if draft.kind == "eis" and (same := same_spectrum(draft.known_part, former_raw)):
            grown[number] = same
    return grown


def relation_of(draft: Measurement, part: MeasurementFile) -> Relation | None:
    """What a recording over time, stored but not yet noted, is to the tests of the same sample; the nearest one counts.

    The measurements that are compared stay locked until the transaction ends: of two longer copies that come at once,
    the second is compared with the first.
    """
    found = [relation for former in _formers(draft, part) if (relation := _compare(draft, part, former))]
    rank = {"extends": 0, "same": 1, "shorter": 2, "differs": 3, "follows": 4}
    found.sort(key=lambda item: (rank[item.how], -item.rows, item.gap_s))
    return found[0] if found else None


def _formers(draft: Measurement, part: MeasurementFile) -> Iterator[MeasurementFile]:
    sample = {name: subject for name, subject in subject_fields(draft.subject).items() if subject is not None}
    rows = Measurement.objects.filter(kind__in=SERIES_KINDS, withdrawn_at__isnull=True, **sample)
    held = {item.pk: item for item in rows.select_for_update(no_key=True).order_by("pk")}
    parts = MeasurementFile.objects.filter(measurement__in=held, superseded_at__isnull=True)
    for former in parts.exclude(raw_file=part.raw_file_id).select_related("raw_file").order_by("pk"):
        former.measurement = held[former.measurement_id]
        yield former


def _compare(draft: Measurement, part: MeasurementFile, former: MeasurementFile) -> Relation | None:
    new, old = parsed_path(part), parsed_path(former)
    longest = (packing.row_count(new), packing.row_count(old))
    equal, is_alike = packing.equal_beginning(new, old, COURSE, telling=POTENTIAL, least_values=ALIKE_VALUES)
    began, started = draft.measured_at, _start_of(former)
    if equal == longest[1] and (is_alike or equal >= ALIKE_ROWS) and longest[0] > equal:
        until, end = packing.times(new, (equal - 1, longest[0] - 1))
        (first,) = packing.times(new, (0,))
        return Relation("extends", former, equal, until - first, end - until)
    if equal == min(longest) and equal >= ALIKE_ROWS:
        return Relation("same" if longest[0] == longest[1] else "shorter", former, equal)
    is_one = began is not None and began == started and draft.kind == former.measurement.kind
    if is_one or (equal >= ALIKE_ROWS and is_alike):
        return Relation("differs", former, equal)
    if draft.kind != former.measurement.kind or draft.kind not in LONG_TESTS or began is None or started is None:
        return None
    (end,) = packing.times(old, (longest[1] - 1,))
    gap = began - started - dt.timedelta(seconds=end)
    if -CLOCKS_AGREE <= gap <= LONGEST_GAP:
        return Relation("follows", former, gap_s=gap.total_seconds())
    return None


def _start_of(part: MeasurementFile) -> dt.datetime | None:
    began = part.measurement.measured_at
    if began is None or part.position == 0:
        return began
    return None if part.starts_after_s is None else began + dt.timedelta(seconds=part.starts_after_s)


def same_spectrum(part: MeasurementFile, former_raw: RawFile) -> MeasurementFile | None:
    """The part of the former file that holds the same spectrum."""
    for former in former_raw.parts.filter(superseded_at__isnull=True, measurement__kind="eis").order_by("pk"):
        new, old = parsed_path(part), parsed_path(former)
        rows = packing.row_count(new)
        if rows == packing.row_count(old) and packing.equal_beginning(new, old, SPECTRUM)[0] == rows:
            return former
    return None


# -- a new version -----------------------------------------------------------------------------------------------------
def supersede(former: MeasurementFile, draft: Measurement, part: MeasurementFile, file: UploadFile) -> dict[str, Any]:
    """Make a new recording the current version of a part of a measurement; returns what `undo` needs."""
    measurement = Measurement.objects.select_for_update(no_key=True).get(pk=former.measurement_id)
    before = {name: getattr(measurement, name) for name in ("kind", "point_count", "metadata", "reader_warnings")}
    rows = packing.row_count(parsed_path(former))
    MeasurementFile.objects.filter(pk=former.pk).update(superseded_at=timezone.now())
    part.measurement, part.position, part.starts_after_s = measurement, former.position, former.starts_after_s
    part.save()
    measurement.point_count += draft.point_count - rows
    measurement.reader_warnings = draft.reader_warnings
    if former.position == 0:
        measurement.metadata = draft.metadata
    if draft.kind in SERIES_KINDS:
        measurement.kind = draft.kind  # a test may show only later what it is
    save_record(measurement, by=file.upload.created_by, reason=f"{file.upload.code}: {file.name}"[:500])
    return {"measurement": measurement.pk, "former": former.pk, "part": part.pk, "before": before}


def take_over(
    file: UploadFile, drafts: list[Measurement], grown: dict[int, MeasurementFile]
) -> tuple[list[dict[str, Any]], int]:
    """Make drafts the current versions of the parts in `grown`; returns what `undo` needs and how many runs wait."""
    steps, runs = [], 0
    for number, former in sorted(grown.items()):
        part = drafts[number].known_part
        step = supersede(former, drafts[number], part, file)
        steps.append(step)
        if drafts[number].kind != "eis":  # the same spectrum gives the same numbers
            runs += analyse(part.measurement, step["before"]["kind"], file)
    return steps, runs


def analyse(measurement: Measurement, former_kind: str, file: UploadFile | None) -> int:
    """Queue the runs of a measurement whose data changed, and let the file wait for them; returns how many."""
    measurement.known_part = None
    if measurement.kind == former_kind:
        answers = measurement_stored.send(sender=Measurement, measurements=[measurement], upload_file=file)
        return sum(len(runs) for _, runs in answers)
    # Saving another kind has queued them already.
    again = list(measurement.runs.filter(state="queued"))
    if file is not None:
        file.runs.add(*again)
    return len(again)


# -- what a person decides ---------------------------------------------------------------------------------------------
def offers(state: str, relation: dict[str, Any]) -> list[str]:
    """What may be decided about a file now: ``replace``, ``separate``, ``join``, ``undo``."""
    how = relation.get("how", "")
    if how in WAITING and state == UploadFile.State.NEEDS_SAMPLE:
        return ["replace", "separate"]
    final = state in UploadFile.FINAL
    if how == "follows" and final:
        return ["join", "separate"]
    taken = relation.get("taken_at")
    if how in ("extends", "joined") and final and taken:
        return ["undo"] if timezone.now() - dt.datetime.fromisoformat(taken) < UNDO_FOR else []
    return []


def _offered(file: UploadFile, decision: str) -> UploadFile:
    stored = UploadFile.objects.select_for_update(no_key=True).get(pk=file.pk)
    if decision not in offers(stored.state, stored.relation):
        late = " More than 10 minutes have passed." if decision == "undo" and stored.relation.get("taken_at") else ""
        raise ValidationError(f"There is nothing to {DECISIONS[decision]} at {stored.name}.{late} Reload the page.")
    return stored


DECISIONS = {"replace": "replace", "separate": "keep apart", "join": "join", "undo": "undo"}


def decide(file: UploadFile, decision: str, *, by: Any, reason: str = "") -> UploadFile:
    """Carry out what a person decided about a file: `replace`, `separate`, `join` or `undo`.

    Raises
    ------
    ValidationError
        It is not, or no longer, to be decided.
    """
    if decision not in DECISIONS:
        raise ValidationError(f"‘{decision}’ is no decision. Known: {', '.join(DECISIONS)}.")
    with transaction.atomic():
        stored = _offered(file, decision)
        how = stored.relation["how"]
        if decision == "undo":
            (_part_again if how == "joined" else _take_back)(stored, by, reason)
        elif decision == "join":
            _join(stored, by, reason)
        elif how == "follows":
            stored.relation, stored.message = {**stored.relation, "how": "separate"}, ""
            stored.save(update_fields=["relation", "message"])
        else:
            stored.relation = {**stored.relation, "decision": decision}
            stored.state, stored.message, stored.line = UploadFile.State.RECEIVED, "", None
            stored.finished_at = None
            stored.save(update_fields=["relation", "state", "message", "line", "finished_at"])
            ledger.rearm(stored)
        log(stored, by, reason, {"decision": [how, decision]})
    stored.refresh_from_db()
    return stored


def _take_back(file: UploadFile, by: Any, reason: str) -> None:
    """Make the former versions current again; the file waits for another decision."""
    codes = []
    for step in file.relation["steps"]:
        measurement = Measurement.objects.select_for_update(no_key=True).get(pk=step["measurement"])
        part = MeasurementFile.objects.filter(pk=step["part"], superseded_at__isnull=True).first()
        if part is None:
            raise ValidationError(f"{measurement.code} has a newer version. Undo that first.")
        part.delete()
        MeasurementFile.objects.filter(pk=step["former"]).update(superseded_at=None)
        now = measurement.kind
        for name, value in step["before"].items():
            setattr(measurement, name, value)
        save_record(measurement, by=by, reason=reason or f"{file.upload.code}: {file.name} taken back")
        analyse(measurement, now, None)
        codes.append(measurement.code)
    for made in file.measurements.exclude(pk__in=[step["measurement"] for step in file.relation["steps"]]):
        withdraw(made, by=by, reason=reason or f"{file.name} taken back")
    file.measurements.clear()
    file.state = UploadFile.State.NEEDS_SAMPLE
    file.message = f"Taken back: {', '.join(codes)} is as it was. Keep this file as a separate test, or replace?"
    file.relation = {"how": "taken_back", "former": file.relation["steps"][0]["former"], "code": codes[0]}
    file.save(update_fields=["state", "message", "relation"])


def _join(file: UploadFile, by: Any, reason: str) -> None:
    """Make the file's recording the next part of the test that ended before it."""
    former = MeasurementFile.objects.select_related("measurement").get(pk=file.relation["former"])
    later = MeasurementFile.objects.filter(raw_file=file.raw_file_id, measurement__in=file.measurements.all())
    part = later.filter(measurement__kind=former.measurement.kind, superseded_at__isnull=True).first()
    if part is None or former.superseded_at is not None or former.measurement.is_withdrawn:
        raise ValidationError(f"{former.measurement.code} has changed since. Upload the file again to compare anew.")
    keys = (former.measurement_id, part.measurement_id)
    rows = Measurement.objects.select_for_update(no_key=True).filter(pk__in=keys)
    held = {item.pk: item for item in rows.order_by("pk")}  # locked in the order in which files compare
    first, second = held[former.measurement_id], held[part.measurement_id]
    if first.subject != second.subject:
        raise ValidationError(f"{first.code} and {second.code} are tests of different samples now. Reload the page.")
    withdraw(second, by=by, reason=reason or f"joined to {first.code}")
    part.measurement = first
    part.position = 1 + first.files.aggregate(last=Max("position"))["last"]
    part.starts_after_s = (second.measured_at - first.measured_at).total_seconds()
    part.save()
    first.point_count += second.point_count
    save_record(first, by=by, reason=reason or f"joined with {second.code} after {span(file.relation['gap_s'])}")
    file.measurements.remove(second)
    file.measurements.add(first)
    file.relation = {
        **file.relation, "how": "joined", "part": part.pk, "second": second.pk, "taken_at": timezone.now().isoformat()
    }  # fmt: skip
    file.message = f"Joined to {first.code} with a gap of {span(file.relation['gap_s'])}."
    file.state = UploadFile.State.QUEUED if analyse(first, first.kind, file) else UploadFile.State.DONE
    file.started_at, file.finished_at = timezone.now(), None  # the work begins with the decision, not with the upload
    file.save(update_fields=["relation", "message", "state", "started_at", "finished_at"])


def _part_again(file: UploadFile, by: Any, reason: str) -> None:
    """Undo of a join: two measurements again."""
    part = MeasurementFile.objects.get(pk=file.relation["part"])
    keys = (part.measurement_id, file.relation["second"])
    rows = Measurement.objects.select_for_update(no_key=True).filter(pk__in=keys)
    held = {item.pk: item for item in rows.order_by("pk")}  # locked in the order in which files compare
    first, second = held[part.measurement_id], held[file.relation["second"]]
    if part.superseded_at is not None or first.files.filter(position__gt=part.position).exists():
        raise ValidationError(f"{first.code} has a newer version. Undo that first.")
    part.measurement, part.position, part.starts_after_s = second, 0, None
    part.save()
    restore(second, by=by, reason=reason or f"no longer joined to {first.code}")
    first.point_count -= second.point_count
    save_record(first, by=by, reason=reason or f"{second.code} is a test of its own again")
    analyse(first, first.kind, None)
    file.measurements.set([second])
    file.relation = {name: file.relation[name] for name in ("former", "code", "gap_s")} | {"how": "separate"}
    file.message, file.state = f"{second.code} is a test of its own again.", UploadFile.State.DONE
    file.finished_at = None  # what the join took tells nothing of this file
    file.save(update_fields=["relation", "message", "state", "finished_at"])
