"""What is to be computed, and what no longer counts: queue runs, and retire numbers whose inputs moved."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from analysis import electrolyte, films
from analysis.models import AnalysisRun, Result, ResultQuerySet
from analysis.science.base import Analysis, Combination
from lagpdb import ledger, units
from lagpdb.records import Record, Revision
from lagpdb.registry import discover
from measurements.models import Measurement, UploadFile
from samples.models import Cell, ElectrodeLot, Material, Pellet, SputterRun, SputterSetting, WitnessPlate
from samples.models.cells import derive_again

Sample = Pellet | Cell | WitnessPlate | SputterSetting
# What a combination may be over, by its column in runs and results.
OVER: dict[type, str] = {
    Cell: "cell", Pellet: "pellet", WitnessPlate: "witness_plate", SputterSetting: "sputter_setting"
}  # fmt: skip
# A change of one of these fields moves numbers; everything else is talk.
MOVING = {
    Pellet: {"thickness_um", "thickness_uncertainty_um", "diameter_mm"},
    Cell: {"electrode_diameter_mm", "electrode_diameter_uncertainty_mm", "configuration", "electrode_lot", "pellet"},
    Measurement: {
        "temperature_degC",
        "temperature_origin",
        "parameters",
        "pellet",
        "cell",
        "witness_plate",
        "kind",
        "withdrawn_at",
    },
    ElectrodeLot: {"loading_mg_cm2", "diameter_mm", "active_fraction", "material"},
    Material: {"theoretical_capacity_mAh_g"},
}


@cache
def analyses() -> dict[str, type[Analysis]]:
    """Every analysis, by slug."""
    return discover("analysis.science", Analysis)


@cache
def combinations() -> dict[str, type[Combination]]:
    """Every combination, by slug."""
    return discover("analysis.science", Combination)


def analyses_for(measurement: Measurement) -> list[type[Analysis]]:
    """What is run on a measurement without being asked."""
    where = measurement.cell.configuration if measurement.cell_id else OVER[type(measurement.subject)]
    return [item for item in analyses().values() if measurement.kind in item.kinds and where in item.subjects]


def choices_in_force(measurements: list[Measurement]) -> dict[tuple[int, str], dict[str, Any]]:
    """What people chose for the newest run of each analysis of each measurement, failed ones aside.

    It stays in force until a person chooses otherwise: a test that grows, an input that moves and a new version of an
    analysis are no reason to forget it.
    """
    runs = AnalysisRun.objects.filter(measurement__in=measurements).exclude(state=AnalysisRun.State.FAILED)
    rows = runs.order_by("pk").values_list("measurement_id", "analysis", "parameters")
    return {(pk, slug): parameters for pk, slug, parameters in rows}


def queue_analyses(
    sender: Any,
    measurements: list[Measurement],
    upload_file: UploadFile | None,
    goes_on: bool = False,
    reason: str = "",
    stated: Collection[str] = (),
    **_: Any,
) -> list[AnalysisRun]:
    """Queue what the measurements call for; returns the runs. Inside the caller's transaction.

    With `goes_on` the first run is begun at once: the caller performs it, and nobody else is rung for it. What was
    `stated` of the measurements just now counts before an earlier choice of the same name.
    """
    chosen = choices_in_force(measurements)
    for key, choices in chosen.items():
        chosen[key] = {name: value for name, value in choices.items() if name not in stated}
    runs = [
        AnalysisRun(
            analysis=item.slug,
            version=item.version,
            software_version=settings.VERSION,
            measurement=measurement,
            parameters=chosen.get((measurement.pk, item.slug), {}),
            reason=reason[:500],
        )
        for measurement in measurements
        for item in analyses_for(measurement)
    ]
    if goes_on and runs:
        ledger.begun(runs[0])
        runs[0].state, runs[0].started_at = AnalysisRun.State.RUNNING, timezone.now()
    AnalysisRun.objects.bulk_create(runs)
    if upload_file is not None:
        link = AnalysisRun.caused_by.through
        link.objects.bulk_create([link(analysisrun_id=run.pk, uploadfile_id=upload_file.pk) for run in runs])
    ledger.ring_on_commit(*(run_ for run_ in runs if run_.job_state == AnalysisRun.JobState.WAITING))
    return runs


def lock_sample(model: type[Sample], pk: int) -> Sample:
    """The sample as it stands now, held until the transaction ends: its numbers change one transaction at a time.

    Locks are taken in one order everywhere: files, the record that is saved, the sample, runs, results.
    """
    return model._default_manager.select_for_update(no_key=True).get(pk=pk)


def over_of(sample: Sample) -> str:
    """The column of runs and results that holds a sample."""
    return OVER[type(sample)]


def numbers_for(item: type[Combination]) -> ResultQuerySet:
    """The numbers that may enter a combination: the usable ones, or, where it says so, all that nobody rejected."""
    rows = Result.objects.usable()
    if item.takes_provisional:
        rows = Result.objects.current().filter(value__isnull=False, limit="=")
        rows = rows.exclude(acceptance=Result.Acceptance.REJECTED)
    return rows.filter(quantity__in=item.needs)


def queue_combinations(sample: Sample, quantities: Iterable[str], files: list[int]) -> dict[str, int]:
    """Queue the combinations that these numbers of a locked sample feed, once each, and let the files wait for them.

    Returns
    -------
    dict
        Key of the run that will see the numbers, by combination; without those that have too few of them yet.
    """
    over, changed = over_of(sample), set(quantities)
    queued = {
        item.slug: _queue_combination(item, {over: sample, "analysis": item.slug})
        for item in combinations().values()
        if item.over == over and changed.intersection(item.needs)
    }
    runs = {slug: pk for slug, pk in queued.items() if pk is not None}
    link = AnalysisRun.caused_by.through
    again = electrolyte.queue_again(sample, changed, analyses())
    waiting = [link(analysisrun_id=pk, uploadfile_id=file) for pk in (*runs.values(), *again) for file in files]
    if waiting:
        link.objects.bulk_create(waiting, ignore_conflicts=True)
    return runs


def _queue_combination(item: type[Combination], target: dict[str, Any]) -> int | None:
    """Key of the run that will see the new numbers; None while there are too few of them."""
    # Locked while it waits: a worker can claim it only after this transaction, and then reads these numbers too.
    relevant = Q(state=AnalysisRun.State.QUEUED) | Q(is_current=True)
    rows = AnalysisRun.objects.select_for_update(no_key=True).filter(relevant, **target).only("pk", "state")
    runs = {row.state: row.pk for row in rows}
    if queued := runs.get(AnalysisRun.State.QUEUED):
        return int(queued)
    if AnalysisRun.State.SUCCEEDED not in runs:
        subject = {name: sample for name, sample in target.items() if name != "analysis"}
        if not _may_begin(item, subject):
            return None
    # A person's choices (points left out) stay in force when new numbers arrive.
    choices = AnalysisRun.objects.filter(**target).order_by("-pk").values_list("parameters", flat=True).first()
    run_ = AnalysisRun.objects.create(
        version=item.version, software_version=settings.VERSION, parameters=choices or {}, **target
    )
    ledger.ring_on_commit(run_)
    return int(run_.pk)


def _may_begin(item: type[Combination], subject: dict[str, Any]) -> bool:
    """Whether there is enough to combine: distinct temperatures and named quantities, or films of a sputter setting."""
    if item.over == OVER[SputterSetting]:
        return len(films.films_of(subject[item.over])) >= item.needs_at_least
    usable = numbers_for(item).filter(**subject)
    if usable.values("temperature_degC").distinct().count() < item.needs_at_least:
        return False
    return not item.begins_with or not set(item.begins_with) - set(usable.values_list("quantity", flat=True))


def retire(target: dict[str, Any], before: int) -> tuple[set[str], bool]:
    """Take the current numbers of an older run out of force.

    Returns
    -------
    set of str, bool
        Which quantities they were, and whether a newer run than `before` is already in force.
    """
    current = set(AnalysisRun.objects.filter(is_current=True, **target).values_list("pk", flat=True))
    old = [pk for pk in current if pk < before]
    if not old:
        return set(), bool(current)
    results = Result.objects.filter(run_id__in=old)
    quantities = set(results.values_list("quantity", flat=True))
    results.update(is_current=False)
    AnalysisRun.objects.filter(pk__in=old).update(is_current=False)
    return quantities, len(current) > len(old)


# -- when inputs move --------------------------------------------------------------------------------------------------
def follow_change(sender: type[Record], record: Record, action: str, changes: dict[str, Any], **_: Any) -> None:
    """An input of numbers changed: retire them at once and queue new runs. Inside the saver's transaction."""
    _follow_film(record, action, changes)
    if action == Revision.Action.CREATED:
        return
    if isinstance(record, SputterRun):
        derive_again(Cell.objects.filter(pellet__coatings__sputter_run=record))
        return
    if isinstance(record, Measurement) and action in (Revision.Action.WITHDRAWN, Revision.Action.RESTORED):
        _recompute([record], queue=action == Revision.Action.RESTORED, reason=f"{record.code}: restored")
        return
    moved = [name for name in changes if name in MOVING.get(type(record), ())]
    if not moved:
        return
    measurements = {
        Pellet: lambda: Measurement.objects.filter(pellet=record) | Measurement.objects.filter(cell__pellet=record),
        Cell: lambda: Measurement.objects.filter(cell=record),
        Measurement: lambda: Measurement.objects.filter(pk=record.pk),
        ElectrodeLot: lambda: Measurement.objects.filter(cell__electrode_lot=record),
        Material: lambda: Measurement.objects.filter(cell__electrode_lot__material=record),
    }[type(record)]()
    words = ", ".join(units.label(name) for name in moved)
    live = list(measurements.live().select_related("cell", "pellet", "witness_plate"))
    old, new = changes.get("parameters", ({}, {})) if isinstance(record, Measurement) else ({}, {})
    stated = {name for name in {**old, **new} if old.get(name) != new.get(name)}
    _recompute(live, queue=True, reason=f"{record.code}: {words} changed", stated=stated)


def _follow_film(record: Record, action: str, changes: dict[str, Any]) -> None:
    """A film thickness, or what says how long it was sputtered: its setting gets a new rate."""
    moving = films.MOVING.get(type(record))
    if moving is None or (action == Revision.Action.CHANGED and not moving.intersection(changes)):
        return
    if action == Revision.Action.CREATED and isinstance(record, SputterRun | WitnessPlate):
        return  # nothing was read on it yet
    for setting in films.settings_touched(record, changes):
        held = lock_sample(SputterSetting, setting.pk)
        for slug, run_id in queue_combinations(held, {"film_thickness_nm"}, []).items():
            # A further film leaves the present rate standing until the new one is there.
            if action != Revision.Action.CREATED:
                retire({"sputter_setting": held, "analysis": slug}, before=run_id)


def _recompute(measurements: list[Measurement], *, queue: bool, reason: str, stated: Collection[str] = ()) -> None:
    """Retire the current numbers of these measurements, and of the combinations they fed; queue new runs."""
    keys = [measurement.pk for measurement in measurements]
    numbers = Result.objects.filter(run__is_current=True, run__measurement__in=keys)
    owners = numbers.values_list("cell_id", "pellet_id")
    fed: set[tuple[type, int]] = {(Cell, row[0]) if row[0] else (Pellet, row[1]) for row in owners if any(row)}
    # A measurement that was moved has its numbers with one sample and its future with another: both are held.
    samples = fed | {(type(item.subject), item.subject.pk) for item in measurements}
    held = {key: lock_sample(*key) for key in sorted(samples, key=lambda key: (key[0].__name__, key[1]))}
    touched: dict[tuple[type, int], set[str]] = {}
    for cell_id, pellet_id, slug in numbers.values_list("cell_id", "pellet_id", "quantity").distinct().order_by():
        if not (cell_id or pellet_id):  # read on a witness plate: nothing is combined over it
            continue
        touched.setdefault((Cell, cell_id) if cell_id else (Pellet, pellet_id), set()).add(slug)
    Result.objects.filter(run__is_current=True, run__measurement__in=keys).update(is_current=False)
    AnalysisRun.objects.filter(is_current=True, measurement__in=keys).update(is_current=False)
    # First what is measured, then what is made of it: one worker then combines once, with all new numbers.
    if queue:
        queue_analyses(Measurement, measurements, None, reason=reason, stated=stated)
    for key, quantities in touched.items():
        for slug, run_id in queue_combinations(held[key], quantities, []).items():
            retire({over_of(held[key]): held[key], "analysis": slug}, before=run_id)
