"""The rows of an upload as people see them: state and time, what was recognised, the sample, the number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zlib import crc32

from django.apps import apps
from django.db.models import F
from django.utils import timezone

from lagpdb import units
from lagpdb.mainvalues import main_results, results
from lagpdb.pages import elapsed, worker_is_silent
from measurements.growing import offers
from measurements.kinds import KINDS
from measurements.mappings import UNITS_NOT_STATED
from measurements.models import Measurement, Upload, UploadFile

State = UploadFile.State
GROUPS: dict[str, tuple[str, ...]] = {
    "needs": (State.NEEDS_SAMPLE, State.FAILED),
    "working": (State.CHECKING, State.ANALYSING),
    "queued": (State.RECEIVED, State.QUEUED),
    "done": (State.DONE, State.EXTENDS),
    "skipped": (State.DUPLICATE, State.ATTACHMENT),
}
GROUP_OF = {state: group for group, states in GROUPS.items() for state in states}
ORDER = {group: place for place, group in enumerate(GROUPS)}
FOUND_BY = {
    "chosen": "chosen by hand",
    "preset": "chosen for all files",
    "from name": "code in file name",
    "from folder": "code in folder name",
}
LONG_WAIT = timedelta(seconds=30)
FRESH = timedelta(minutes=2)  # so long the page asks every 2 s, then every 10 s


@dataclass
class Row:
    """One file."""

    file: UploadFile
    measurements: list[Measurement]
    mains: list[Any] = field(default_factory=list)
    others: list[Any] = field(default_factory=list)  # what the file made of several numbers: E_a
    progress: str = ""
    ahead: int | None = None

    @property
    def group(self) -> str:
        return GROUP_OF[self.file.state]

    @property
    def subject(self) -> Any:
        """The sample that the file ended up with."""
        return self.measurements[0].subject if self.measurements else self.file.subject

    @property
    def found_by(self) -> str:
        return FOUND_BY.get(self.file.matched_by, self.file.matched_by) if self.measurements else ""

    @property
    def offers(self) -> list[str]:
        """What a person may decide: ``replace``, ``separate``, ``join``, ``undo``."""
        return offers(self.file.state, self.file.relation)

    @property
    def is_undecided(self) -> bool:
        """Its sample is known; how it belongs to an older test is not."""
        return self.file.state == State.NEEDS_SAMPLE and bool(self.offers)

    @property
    def what(self) -> str:
        """'impedance, 8 recordings'."""
        if not self.measurements:
            return ""
        names = ", ".join(dict.fromkeys(KINDS[item.kind] for item in self.measurements))
        count = len(self.measurements)
        noun = "spectra" if names == KINDS["eis"] else "recordings"
        return names if count == 1 else f"{names}, {count} {noun}"

    @property
    def temperature(self) -> str:
        """'25 °C from name'; 'assumed' is said, never hidden."""
        known = [item for item in self.measurements if item.temperature_degC is not None]
        if not known:
            return "25 °C assumed" if any(item.kind == "eis" for item in self.measurements) else ""
        values = sorted({item.temperature_degC for item in known})
        span = units.exact_value(values[0], "degC")
        if len(values) > 1:
            span = f"{values[0]:g} to {units.exact_value(values[-1], 'degC')}"
        return f"{span} {known[0].get_temperature_origin_display()}"

    @property
    def took(self) -> str:
        """'3.1 s', of the work itself: what a file waited for a person does not count."""
        return elapsed(self.working_since, self.file.finished_at) if self.file.finished_at else ""

    @property
    def working_since(self) -> Any:
        return self.file.started_at or self.file.created_at

    @property
    def elapsed(self) -> str:
        return elapsed(self.working_since)

    @property
    def main(self) -> Any:
        """The number that is shown, when there is one."""
        return self.mains[0] if len(self.mains) == 1 else None

    @property
    def figure(self) -> int | None:
        """Run whose Nyquist plot the result card draws."""
        is_spectrum = self.main is not None and self.measurements[0].kind == "eis"
        return self.main.run_id if is_spectrum and self.main.run.analysis == "conductivity" else None

    @property
    def span(self) -> str:
        """'8 values, 2.1 × 10⁻⁵ to 2.5 × 10⁻⁴ S cm⁻¹' of a file with several measurements."""
        values = [item for item in self.mains if item.value is not None]
        if len(self.mains) < 2 or not values:
            return ""
        low, high = min(values, key=lambda item: item.value), max(values, key=lambda item: item.value)
        return (
            f"{len(values)} values, {units.format_value(low.value)} to {units.format_value(high.value, unit=high.unit)}"
        )

    @property
    def is_provisional(self) -> bool:
        return any(item.acceptance == "provisional" for item in self.mains)

    @property
    def units_taken(self) -> str:
        """What was taken for units that the file does not state."""
        said = [dict(item.reader_warnings) for item in self.measurements if item.kind != "eis"]
        return next((codes[UNITS_NOT_STATED] for codes in said if UNITS_NOT_STATED in codes), "")

    @property
    def is_in_trash(self) -> bool:
        """A copy of something that lies in the trash."""
        return self.file.state == State.DUPLICATE and any(item.is_withdrawn for item in self.measurements)

    @property
    def moves_to(self) -> str:
        """Code of the sample that a copy was sent for, while its measurements lie on another one."""
        if self.file.state != State.DUPLICATE or self.is_in_trash:
            return ""
        wanted = next((item["code"] for item in self.file.candidates), "")
        return wanted if any(item.subject.code != wanted for item in self.measurements) else ""

    @property
    def spoken(self) -> str:
        """What screen readers hear when the file ends."""
        code = self.subject.code if self.subject else self.file.name
        number = (
            f" {units.format_value(self.main.value, self.main.uncertainty, self.main.limit, self.main.unit)}"
            if self.main
            else ""
        )
        return f"{code}{number}, {self.file.get_state_display().lower()}"


@dataclass
class Batch:
    """All rows of an upload, sorted, with their counts."""

    rows: list[Row]
    counts: dict[str, int]
    is_open: bool
    interval_s: int
    is_worker_silent: bool
    size_bytes: int
    stamp: str = ""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def finished(self) -> int:
        return self.counts["done"] + self.counts["skipped"]

    @property
    def working(self) -> int:
        """Files that are worked on or wait for it."""
        return self.counts["working"] + self.counts["queued"]

    @property
    def settled(self) -> int:
        """Files of which nothing more is expected by themselves."""
        return self.finished + self.counts["needs"]

    @property
    def summary(self) -> str:
        """'5 of 11 finished, 4 need you'."""
        need = self.counts["needs"]
        words = f", {need} {'needs' if need == 1 else 'need'} you" if need else ""
        return f"{self.finished} of {self.total} finished{words}"


def batch_of(upload: Upload, show: str = "") -> Batch:
    """Everything that the page of an upload shows, in a fixed number of queries."""
    files = list(
        upload.files.select_related("raw_file", "pellet", "cell", "witness_plate").prefetch_related(
            "measurements__cell", "measurements__pellet"
        )
    )
    rows = rows_of(files)
    counts = dict.fromkeys(GROUPS, 0)
    for row in rows:
        counts[row.group] += 1
    is_open = any(not file.is_final for file in files)
    newest = max([upload.created_at, *(file.started_at or file.created_at for file in files)])
    is_silent = is_open and worker_is_silent()
    batch = Batch(
        [row for row in rows if not show or row.group == show or (show == "working" and row.group == "queued")],
        counts,
        is_open,
        2 if timezone.now() - newest < FRESH else 10,
        is_silent,
        sum(file.raw_file.size_bytes for file in files if file.raw_file),
    )
    batch.rows.sort(key=lambda row: (ORDER[row.group], row.file.pk))
    seen = [(r.file.pk, r.file.state, r.file.message, r.progress, r.ahead, len(r.mains), r.offers) for r in batch.rows]
    batch.stamp = f"{crc32(repr((seen, batch.interval_s, is_silent, counts)).encode()):08x}"
    return batch


def rows_of(files: Iterable[UploadFile]) -> list[Row]:
    """Rows with their numbers, progress and place in the queue."""
    files = list(files)
    rows = [Row(file, sorted(file.measurements.all(), key=lambda item: item.pk)) for file in files]
    mains = main_results(item for row in rows for item in row.measurements)
    others = _combined([file.pk for file in files])
    progress = _progress([row.file.pk for row in rows if row.group in ("working", "queued")])
    ahead = _ahead(rows)
    for row in rows:
        row.mains = [mains[item.pk] for item in row.measurements if item.pk in mains]
        row.others = others.get(row.file.pk, [])
        row.progress = progress.get(row.file.pk, "")
        row.ahead = ahead.get(row.file.pk)
    return rows


def _combined(keys: list[int]) -> dict[int, list[Any]]:
    """Activation energies that the files led to."""
    found: dict[int, list[Any]] = {}
    rows = results().filter(
        quantity="activation_energy_eV", label="sigma_T", run__caused_by__in=keys, value__isnull=False
    )
    for result in rows.annotate(file_id=F("run__caused_by")).order_by("pk"):
        if result.file_id in keys:
            found[result.file_id] = [result]
    return found


def _progress(keys: list[int]) -> dict[int, str]:
    """'cycle 38 of 57' of the runs that work for these files."""
    if not keys:
        return {}
    runs = (
        apps.get_model("analysis", "AnalysisRun")
        .objects.filter(caused_by__in=keys, state="running")
        .exclude(progress="")
    )
    return dict(runs.values_list("caused_by", "progress"))


def _ahead(rows: list[Row]) -> dict[int, int]:
    """How many files are before those that wait for more than half a minute."""
    now = timezone.now()
    waiting = [
        row.file.pk
        for row in rows
        if row.group == "queued" and now - max(row.file.created_at, row.file.rung_at) > LONG_WAIT
    ]
    if not waiting:
        return {}
    unfinished = [state for state in State.values if state not in UploadFile.FINAL]
    line = list(UploadFile.objects.filter(state__in=unfinished).order_by("pk").values_list("pk", flat=True))
    return {key: line.index(key) for key in waiting if key in line}
