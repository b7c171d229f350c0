"""The only module that turns science into rows: queue, run, retire, settle."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from functools import cache
from typing import Any

import pandas as pd
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from analysis.models import AnalysisRun, Result, RunInput
from analysis.science.base import Analysis, AnalysisError, Combination, Outcome, Subject
from lagpdb import ledger
from lagpdb.records import Record, Revision, StaleVersion
from lagpdb.registry import discover
from lagpdb.units import symbol
from measurements.ingest import check_parameters
from measurements.models import Measurement, UploadFile
from measurements.store import StoreError, recording
from samples.models import Cell, ElectrodeLot, Pellet, SputterRun

logger = logging.getLogger(__name__)

# A change of one of these fields moves numbers; everything else is talk.
MOVING = {
    Pellet: {"thickness_um", "thickness_uncertainty_um", "diameter_mm", "mass_mg", "batch"},
    Cell: {"electrode_diameter_mm", "electrode_diameter_uncertainty_mm", "configuration", "electrode_lot", "pellet"},
    Measurement: {"temperature_degC", "temperature_origin", "parameters", "pellet", "cell", "kind", "withdrawn_at"},
    ElectrodeLot: {"loading_mg_cm2", "diameter_mm", "active_fraction"},
}


@cache
def analyses() -> dict[str, type[Analysis]]:
    """Every analysis, by slug."""
    return discover("analysis.science", Analysis)


@cache
def combinations() -> dict[str, type[Combination]]:
    """Every combination, by slug."""
    return discover("analysis.science", Combination)


# -- queueing ----------------------------------------------------------------------------------------------------------
def analyses_for(measurement: Measurement) -> list[type[Analysis]]:
    """What is run on a measurement without being asked."""
    where = measurement.cell.configuration if measurement.cell_id else "pellet"
    return [item for item in analyses().values() if measurement.kind in item.kinds and where in item.subjects]


def queue_analyses(sender: Any, measurements: list[Measurement], upload_file: UploadFile | None, **_: Any) -> int:
    """Queue what the new measurements call for; returns how many runs were queued. Inside the caller's transaction."""
    runs = [
        AnalysisRun(
            analysis=item.slug, version=item.version, software_version=settings.VERSION, measurement=measurement
        )
        for measurement in measurements
        for item in analyses_for(measurement)
    ]
    AnalysisRun.objects.bulk_create(runs)
    if upload_file is not None:
        link = AnalysisRun.caused_by.through
        link.objects.bulk_create([link(analysisrun_id=run.pk, uploadfile_id=upload_file.pk) for run in runs])
    for run_ in runs:
        ledger.ring_on_commit(run_)
    return len(runs)


def _queue_combinations(subject: Pellet | Cell, quantities: Iterable[str], files: list[int]) -> None:
    """Queue the combinations that these numbers feed, once each, and let the files wait for them."""
    over = "cell" if isinstance(subject, Cell) else "pellet"
    changed = set(quantities)
    for item in sorted(combinations().values(), key=lambda c: c.slug):
        if item.over != over or not changed.intersection(item.needs):
            continue
        target = {over: subject, "analysis": item.slug}
        usable = Result.objects.usable().filter(quantity__in=item.needs, **{over: subject})
        has_current = AnalysisRun.objects.filter(is_current=True, **target).exists()
        if not has_current and usable.values("temperature_degC").distinct().count() < item.needs_at_least:
            continue
        # Locked while it waits: a worker can claim it only after this transaction, and then reads these numbers too.
        queued = AnalysisRun.objects.select_for_update().filter(state="queued", **target).first()
        if queued is None:
            queued = _queued_once(item, target)
        if files:
            link = AnalysisRun.caused_by.through
            link.objects.bulk_create(
                [link(analysisrun_id=queued.pk, uploadfile_id=pk) for pk in files], ignore_conflicts=True
            )


def _queued_once(item: type[Combination], target: dict[str, Any]) -> AnalysisRun:
    try:
        with transaction.atomic():
            run_ = AnalysisRun.objects.create(
                version=item.version, software_version=settings.VERSION, parameters=_last_choices(target), **target
            )
    except IntegrityError:  # another transaction queued it first
        return AnalysisRun.objects.select_for_update().get(state="queued", **target)
    ledger.ring_on_commit(run_)
    return run_


def _last_choices(target: dict[str, Any]) -> dict[str, Any]:
    """A person's choices (points left out) stay in force when new numbers arrive."""
    last = AnalysisRun.objects.filter(is_current=True, **target).values_list("parameters", flat=True).first()
    return last or {}


# -- running -----------------------------------------------------------------------------------------------------------
def run(run_id: int) -> None:
    """Compute one run and write what it found. Every exit is final."""
    held = ledger.claim(AnalysisRun, run_id, state=AnalysisRun.State.RUNNING, started_at=timezone.now())
    if held is None:
        return
    with ledger.kept_alive(held):
        item = AnalysisRun.objects.select_related(
            "measurement__cell__pellet__batch",
            "measurement__cell__electrode_lot",
            "measurement__pellet__batch",
            "cell__pellet__batch",
            "cell__electrode_lot",
            "pellet__batch",
        ).get(pk=run_id)
        UploadFile.objects.filter(runs=run_id, state=UploadFile.State.QUEUED).update(state=UploadFile.State.ANALYSING)
        outcome, message = None, ""
        try:
            outcome = _compute(item)
        except (AnalysisError, StoreError) as error:
            message = str(error)
        except ledger.ENVIRONMENT_ERRORS:
            ledger.give_back(held)
            raise
        except Exception:
            reference = secrets.token_hex(2).upper()
            logger.exception("Run %s (%s) failed, ref %s", run_id, item.analysis, reference)
            message = (
                f"Something broke on our side (ref {reference}). Raw data are stored. Tell an administrator the reference; "
                "the analysis can be run again once this is repaired."
            )
        try:
            ledger.retried(lambda: _finish(held, item, outcome, message))
        except ledger.LostClaim:
            logger.warning("Another worker has taken over run %s.", run_id)


def subject_of(sample: Pellet | Cell) -> Subject:
    """The sample as the pure analyses see it."""
    pellet = sample.pellet if isinstance(sample, Cell) else sample
    common = {
        "code": sample.code,
        "notation": sample.notation,
        "is_coated": sample.is_coated,
        "thickness_um": pellet.thickness_um,
        "thickness_uncertainty_um": pellet.thickness_uncertainty_um,
        "pellet_diameter_mm": pellet.diameter_mm,
    }
    if isinstance(sample, Pellet):
        return Subject(kind="pellet", **common)
    return Subject(
        kind="cell",
        configuration=sample.configuration,
        electrode_diameter_mm=sample.electrode_diameter_mm,
        electrode_diameter_uncertainty_mm=sample.electrode_diameter_uncertainty_mm,
        electrode_area_cm2=sample.electrode_area_cm2,
        active_mass_mg=sample.active_mass_mg,
        **common,
    )


def _compute(item: AnalysisRun) -> Outcome:
    subject = subject_of(item.subject)
    if item.measurement_id:
        return _analyse(item, subject)
    combination = combinations()[item.analysis]()
    return combination.run(_numbers(combination, item.subject), subject, item.parameters)


def _analyse(item: AnalysisRun, subject: Subject) -> Outcome:
    measurement = item.measurement
    parameters = {
        **measurement.parameters,
        **item.parameters,
        "temperature_degC": measurement.temperature_degC,
        "temperature_origin": measurement.temperature_origin,
    }
    if "electrode_area_cm2" in measurement.metadata:
        parameters["file_electrode_area_cm2"] = measurement.metadata["electrode_area_cm2"]
    outcome = analyses()[item.analysis]().run(recording(measurement), subject, parameters)
    part = measurement.files.select_related("raw_file").filter(superseded_at__isnull=True).first()
    outcome.inputs["raw_file"] = {
        "sha256": part.raw_file.sha256,
        "name": part.raw_file.original_name,
        "part": part.part_number,
        "reader": part.raw_file.reader,
        "reader_version": part.raw_file.reader_version,
    }
    return outcome


def _numbers(combination: Combination, sample: Pellet | Cell) -> pd.DataFrame:
    """The accepted, unflagged, current numbers of a sample that a combination needs."""
    over = "cell" if isinstance(sample, Cell) else "pellet"
    rows = (
        Result.objects.usable()
        .filter(quantity__in=combination.needs, **{over: sample})
        .order_by("pk")
        .values(
            "id",
            "quantity",
            "value",
            "uncertainty",
            "label",
            "temperature_degC",
            "cycle_number",
            "current_density_mA_cm2",
            "measurement__code",
            "measurement__measured_at",
            "run__inputs",
        )
    )
    frame = pd.DataFrame.from_records(
        [
            {
                "result_id": row["id"],
                "quantity": row["quantity"],
                "value": row["value"],
                "uncertainty": row["uncertainty"],
                "label": row["label"],
                "temperature_degC": row["temperature_degC"],
                "cycle_number": row["cycle_number"],
                "current_density_mA_cm2": row["current_density_mA_cm2"],
                "measurement": row["measurement__code"],
                "measured_at": row["measurement__measured_at"],
                "geometry_relative_uncertainty": (
                    row["run__inputs"].get("geometry_relative_uncertainty", {}).get("value") or 0.0
                ),
            }
            for row in rows
        ]
    )
    return frame


# -- writing -----------------------------------------------------------------------------------------------------------
def _target(item: AnalysisRun) -> dict[str, Any]:
    """What, besides the analysis, decides that two runs answer the same question."""
    return {
        "analysis": item.analysis,
        "measurement_id": item.measurement_id,
        "cell_id": item.cell_id,
        "pellet_id": item.pellet_id,
    }


def _finish(held: ledger.Claim, item: AnalysisRun, outcome: Outcome | None, message: str) -> None:
    """Close the run, write its numbers, retire the old ones, queue what they feed, settle the files: all or nothing."""
    with transaction.atomic():
        now = timezone.now()
        sample = item.subject
        files = list(item.caused_by.values_list("pk", flat=True))
        touched = {finding.quantity for finding in outcome.findings} if outcome else set()
        if outcome is None:
            ledger.close(held, state=AnalysisRun.State.FAILED, message=message, finished_at=now)
            if item.measurement_id is None:
                # A combination that no longer holds must not leave its old number standing.
                touched |= _retire(_target(item), before=item.pk)
        else:
            # A run that was overtaken by a newer one is kept for the record, but does not count.
            withdrawn = sample.is_withdrawn or (item.measurement_id and item.measurement.is_withdrawn)
            overtaken = AnalysisRun.objects.filter(is_current=True, pk__gt=item.pk, **_target(item)).exists()
            counts = not (withdrawn or overtaken)
            if counts:
                touched |= _retire(_target(item), before=item.pk)
            ledger.close(
                held,
                state=AnalysisRun.State.SUCCEEDED,
                is_current=counts,
                message=message,
                warnings=[list(warning) for warning in outcome.warnings],
                curves=outcome.curves,
                tables=outcome.tables,
                inputs=outcome.inputs,
                finished_at=now,
            )
            _write(item, outcome, sample, counts)
        if item.measurement_id:
            _queue_combinations(sample, touched, files)
        settle_files(item, files)


def _retire(target: dict[str, Any], before: int) -> set[str]:
    """Take the current numbers of an older run out of force; returns which quantities they were."""
    old = list(AnalysisRun.objects.filter(is_current=True, pk__lt=before, **target).values_list("pk", flat=True))
    if not old:
        return set()
    results = Result.objects.filter(run_id__in=old)
    quantities = set(results.values_list("quantity", flat=True))
    results.update(is_current=False)
    AnalysisRun.objects.filter(pk__in=old).update(is_current=False)
    return quantities


def _write(item: AnalysisRun, outcome: Outcome, sample: Pellet | Cell, counts: bool) -> None:
    pellet = sample.pellet if isinstance(sample, Cell) else sample
    is_synthetic = sample.is_synthetic or bool(item.measurement_id and item.measurement.is_synthetic)
    Result.objects.bulk_create(
        [
            Result(
                run_id=item.pk,
                measurement_id=item.measurement_id,
                pellet=pellet,
                cell=sample if isinstance(sample, Cell) else None,
                is_current=counts,
                quantity=finding.quantity,
                position=finding.position,
                label=finding.label,
                value=finding.value,
                uncertainty=finding.uncertainty,
                limit=finding.limit,
                unit=symbol(finding.quantity),
                flag=finding.flag,
                acceptance=Result.Acceptance.ACCEPTED
                if finding.flag == Result.Flag.OK
                else Result.Acceptance.PROVISIONAL,
                temperature_degC=finding.temperature_degC,
                cycle_number=finding.cycle_number,
                reference_cycle=finding.reference_cycle,
                current_density_mA_cm2=finding.current_density_mA_cm2,
                c_rate=finding.c_rate,
                is_synthetic=is_synthetic,
            )
            for finding in outcome.findings
        ]
    )
    inputs = [RunInput(run_id=item.pk, role="number", result_id=pk) for pk in outcome.used]
    if item.measurement_id:
        inputs.append(RunInput(run_id=item.pk, role="recording", measurement_id=item.measurement_id))
    RunInput.objects.bulk_create(inputs)


def settle_files(item: AnalysisRun, files: list[int] | None = None) -> None:
    """Set the files `done` whose every run is final, with the sentences of those that failed."""
    pks = list(item.caused_by.values_list("pk", flat=True)) if files is None else files
    if not pks:
        return
    locked = UploadFile.objects.select_for_update().filter(pk__in=pks).order_by("pk")
    waiting = [file.pk for file in locked if file.state in (UploadFile.State.QUEUED, UploadFile.State.ANALYSING)]
    open_runs = AnalysisRun.caused_by.through.objects.filter(
        uploadfile_id__in=waiting, analysisrun__state__in=[AnalysisRun.State.QUEUED, AnalysisRun.State.RUNNING]
    )
    still = set(open_runs.values_list("uploadfile_id", flat=True))
    settled = [pk for pk in waiting if pk not in still]
    failed: dict[int, list[str]] = {}
    for pk, sentence in AnalysisRun.caused_by.through.objects.filter(
        uploadfile_id__in=settled, analysisrun__state=AnalysisRun.State.FAILED
    ).values_list("uploadfile_id", "analysisrun__message"):
        failed.setdefault(pk, []).append(sentence)
    clean = [pk for pk in settled if pk not in failed]
    now = timezone.now()
    UploadFile.objects.filter(pk__in=clean).update(state=UploadFile.State.DONE, finished_at=now)
    for pk, sentences in failed.items():
        UploadFile.objects.filter(pk=pk).update(
            state=UploadFile.State.DONE, finished_at=now, message=" ".join(dict.fromkeys(sentences))
        )


# -- when inputs move --------------------------------------------------------------------------------------------------
def follow_change(sender: type[Record], record: Record, action: str, changes: dict[str, Any], **_: Any) -> None:
    """An input of numbers changed: retire them at once and queue new runs. Inside the saver's transaction."""
    if action == Revision.Action.CREATED:
        return
    if isinstance(record, SputterRun):
        _rederive_cells(record)
        return
    if isinstance(record, Measurement) and action in (Revision.Action.WITHDRAWN, Revision.Action.RESTORED):
        _recompute([record], queue=action == Revision.Action.RESTORED)
        return
    if not MOVING.get(type(record), set()).intersection(changes):
        return
    measurements = {
        Pellet: lambda: Measurement.objects.filter(pellet=record) | Measurement.objects.filter(cell__pellet=record),
        Cell: lambda: Measurement.objects.filter(cell=record),
        Measurement: lambda: Measurement.objects.filter(pk=record.pk),
        ElectrodeLot: lambda: Measurement.objects.filter(cell__electrode_lot=record),
    }[type(record)]()
    _recompute(list(measurements.live().select_related("cell", "pellet")), queue=True)


def _recompute(measurements: list[Measurement], *, queue: bool) -> None:
    """Retire the current numbers of these measurements, and of the combinations they fed; queue new runs."""
    touched: dict[tuple[str, int], tuple[Pellet | Cell, set[str]]] = {}
    for measurement in measurements:
        for slug in list(measurement.runs.filter(is_current=True).values_list("analysis", flat=True)):
            latest = AnalysisRun.objects.latest("pk").pk + 1
            target = {"analysis": slug, "measurement_id": measurement.pk, "cell_id": None, "pellet_id": None}
            sample = measurement.subject
            key = (type(sample).__name__, sample.pk)
            touched.setdefault(key, (sample, set()))[1].update(_retire(target, before=latest))
    for sample, quantities in touched.values():
        _queue_combinations(sample, quantities, [])
    if queue:
        queue_analyses(Measurement, measurements, None)


def _rederive_cells(sputter_run: SputterRun) -> None:
    """A corrected step record changes what its cells are called, and what counts as coated."""
    cells = Cell.objects.filter(pellet__coatings__sputter_run=sputter_run).distinct()
    for cell in cells.select_related("pellet__batch__powder_lot__material", "electrode_lot", "electrode_material"):
        cell.derive()
        Cell.objects.filter(pk=cell.pk).update(notation=cell.notation, is_coated=cell.is_coated)


# -- what people decide ------------------------------------------------------------------------------------------------
def reanalyse(
    measurement: Measurement, *, parameters: dict[str, Any] | None = None, by: Any, reason: str = ""
) -> list[AnalysisRun]:
    """Queue new runs of a measurement with a person's choices; the old ones stay in force until these are done."""
    checked = check_parameters(parameters)
    wanted = analyses_for(measurement)
    if measurement.is_withdrawn:
        raise ValidationError(f"{measurement.code} is in the trash. Restore it first.")
    if not wanted:
        raise ValidationError(f"Nothing is computed from {measurement.get_kind_display()} of this sample yet.")
    with transaction.atomic():
        runs = [
            AnalysisRun.objects.create(
                analysis=item.slug,
                version=item.version,
                software_version=settings.VERSION,
                measurement=measurement,
                parameters=checked,
                reason=reason[:500],
                created_by=by if getattr(by, "pk", None) else None,
            )
            for item in wanted
        ]
        for run_ in runs:
            ledger.ring_on_commit(run_)
    return runs


def judge(result: Result, acceptance: str, *, by: Any, reason: str = "", version: int | None = None) -> Result:
    """Accept or reject a number by a person's word; what it feeds is computed again."""
    if acceptance not in Result.Acceptance.values:
        raise ValidationError({"acceptance": f"Choose one of {', '.join(Result.Acceptance.values)}."})
    with transaction.atomic():
        stored = Result.objects.select_for_update().get(pk=result.pk)
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
            _queue_combinations(stored.cell or stored.pellet, {stored.quantity}, [])
    return stored


__all__ = ["analyses", "combinations", "judge", "queue_analyses", "reanalyse", "run", "settle_files"]
