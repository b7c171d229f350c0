"""The only module that turns science into rows: claim a run, compute, write what was found."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from django.db import transaction
from django.db.models import Case, Q, Value, When
from django.utils import timezone

from analysis import electrolyte
from analysis.films import films_of
from analysis.models import AnalysisRun, Result, RunInput
from analysis.queueing import (
    Sample,
    analyses,
    analyses_for,
    combinations,
    lock_sample,
    numbers_for,
    over_of,
    queue_combinations,
    retire,
)
from analysis.science.base import AnalysisError, Combination, Outcome, Subject
from analysis.science.quantities import get as quantity
from lagpdb import ledger
from measurements.mappings import UNITS_NOT_STATED
from measurements.models import Measurement, MeasurementFile, UploadFile
from measurements.store import StoreError, joined, parts_of
from samples.models import Cell, Pellet, SputterSetting, WitnessPlate

UNITS_IN_DOUBT = (
    "The file states no units, and its numbers are not plausible in those that were taken. All its results are "
    "provisional. Say what the columns and units are."
)


def run(run_id: int) -> None:
    """Compute one run and write what it found. Every exit is final."""
    related = ("measurement__cell__pellet", "cell__pellet", "sputter_setting")
    item = AnalysisRun.objects.select_related(*related).filter(pk=run_id).first()
    held = item and _begin(item)
    if held:
        perform(held, item)


def go_on(item: AnalysisRun) -> None:
    """Perform a run that this worker stored as begun."""
    perform(ledger.claim_of(item), item)


def perform(held: ledger.Claim, item: AnalysisRun) -> None:
    """Compute a run that is claimed, and write what was found."""
    with ledger.kept_alive(held):
        outcome, message = None, ""
        try:
            outcome = _compute(item)
        except (AnalysisError, StoreError) as error:
            message = str(error)
        except ledger.ENVIRONMENT_ERRORS:
            ledger.give_back(held)
            raise
        except Exception:
            message = _broken(ledger.log_fault(f"Run {item.pk} ({item.analysis})"))
        ledger.conclude(
            held,
            lambda: _finish(held, item, outcome, message),
            lambda reference: _finish(held, item, None, _broken(reference)),
        )


def _broken(reference: str) -> str:
    return (
        f"Something broke on our side (ref {reference}). Raw data are stored. Tell an administrator the "
        "reference; the analysis can be run again once this is repaired."
    )


def _begin(item: AnalysisRun) -> ledger.Claim | None:
    """Claim the run, and show at its file that the analysis has begun."""
    with transaction.atomic():  # one commit, not two: each waits for the disk
        held = ledger.claim(item, state=AnalysisRun.State.RUNNING, started_at=timezone.now())
        if held and item.measurement_id:
            waiting = UploadFile.objects.filter(runs=item.pk, state=UploadFile.State.QUEUED)
            waiting.update(state=UploadFile.State.ANALYSING)
    return held


def subject_of(sample: Sample) -> Subject:
    """The sample as the pure analyses see it."""
    if isinstance(sample, SputterSetting):
        return Subject(kind="sputter_setting", code=sample.code, is_coated=True)
    if isinstance(sample, WitnessPlate):
        return Subject(kind="witness_plate", code=sample.code, notation=sample.notation, is_coated=True)
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
    lot = sample.electrode_lot
    return Subject(
        kind="cell",
        configuration=sample.configuration,
        electrode_diameter_mm=sample.electrode_diameter_mm,
        electrode_diameter_uncertainty_mm=sample.electrode_diameter_uncertainty_mm,
        electrode_area_cm2=sample.electrode_area_cm2,
        active_mass_mg=sample.active_mass_mg,
        theoretical_capacity_mAh_g=lot.material.theoretical_capacity_mAh_g if lot else None,
        **common,
    )


def _compute(item: AnalysisRun) -> Outcome:
    subject = subject_of(item.subject)
    if item.measurement_id:
        return _analyse(item, subject)
    combination = combinations()[item.analysis]()
    if isinstance(item.subject, SputterSetting):
        return combination.run(films_of(item.subject), subject, item.parameters)
    parameters = {**item.parameters, "beside": _choices_beside(combination, item.subject)}
    return combination.run(_numbers(combination, item.subject), subject, parameters)


def _choices_beside(combination: Combination, sample: Sample) -> dict[str, dict[str, Any]]:
    """What people gave with each of the measurements that decide a combination; the newest word stands last."""
    runs = AnalysisRun.objects.filter(
        is_current=True, measurement__kind__in=combination.chosen_with, **{f"measurement__{over_of(sample)}": sample}
    )
    return {
        run_.measurement.code: {**run_.measurement.parameters, **run_.parameters}
        for run_ in runs.defer("curves", "tables").select_related("measurement").order_by("pk")
    }


def parameters_of(item: AnalysisRun) -> dict[str, Any]:
    """What is known beside the recording: of the measurement, by people, and by other recordings of the sample."""
    measurement = item.measurement
    parameters = {
        **measurement.parameters,
        **item.parameters,
        "temperature_degC": measurement.temperature_degC,
        "temperature_origin": measurement.temperature_origin,
    }
    if quantities := analyses()[item.analysis].looks_up:
        parameters["known"] = electrolyte.known(measurement, quantities)
    for name in ("electrode_area_cm2", "active_mass_mg", "current_unit"):  # compared with the record, never used
        if name in measurement.metadata:
            parameters[f"file_{name}"] = measurement.metadata[name]
    return parameters


def _analyse(item: AnalysisRun, subject: Subject) -> Outcome:
    parts = parts_of(item.measurement)
    outcome = analyses()[item.analysis]().run(joined(parts), subject, parameters_of(item))
    outcome.inputs["raw_file"], *later = [_described(part) for part in parts]
    if later:
        outcome.inputs["joined_files"] = later
    return outcome


def _described(part: MeasurementFile) -> dict[str, Any]:
    """Which bytes, read by what."""
    return {
        "sha256": part.raw_file.sha256,
        "name": part.raw_file.original_name,
        "part": part.part_number,
        "reader": part.raw_file.reader,
        "reader_version": part.raw_file.reader_version,
        **({"columns": part.raw_file.column_mapping} if part.raw_file.column_mapping else {}),
    }


def _numbers(combination: Combination, sample: Sample) -> pd.DataFrame:
    """The current numbers of a sample that a combination needs, with where they come from."""
    rows = (
        numbers_for(type(combination))
        .filter(**{over_of(sample): sample})
        # Not in the order in which workers happened to end: the last digit of a sum depends on it.
        .order_by("measurement_id", "quantity", "position")
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
            "measurement_id",
            "measurement__measured_at",
            "flag",
            "acceptance",
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
                "uploaded_order": row["measurement_id"],
                "file_name": (row["run__inputs"].get("raw_file") or {}).get("name", ""),
                "flag": row["flag"],
                "acceptance": row["acceptance"],
                "is_temperature_assumed": (row["run__inputs"].get("temperature_degC") or {}).get("origin") == "assumed",
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
        "sputter_setting_id": item.sputter_setting_id,
    }


def _finish(held: ledger.Claim, item: AnalysisRun, outcome: Outcome | None, message: str) -> None:
    """Close the run, write its numbers, retire the old ones, queue what they feed, settle the files: all or nothing."""
    with transaction.atomic():
        now = timezone.now()
        files = _files_of(item)
        holds = _hold(item)
        sample = item.subject
        touched: set[str] = set()
        if outcome is None:
            ledger.close(held, state=AnalysisRun.State.FAILED, message=message, finished_at=now)
            if item.measurement_id is None:
                # A combination that no longer holds must not leave its old number standing.
                retire(_target(item), before=item.pk)
        else:
            touched = _succeed(held, item, outcome, sample, holds)
        if item.measurement_id:
            queue_combinations(sample, touched, files)
        settle(files)


def _hold(item: AnalysisRun) -> bool:
    """Lock measurement and sample; whether neither was withdrawn, moved or told anew since the run was queued."""
    measurement, sample = item.measurement, item.subject
    if measurement is None:
        stored = lock_sample(type(sample), sample.pk)
        return isinstance(stored, SputterSetting) or not stored.is_withdrawn
    over = over_of(sample)
    rows = Measurement.objects.select_for_update(no_key=True, of=("self", over)).filter(pk=measurement.pk)
    held = rows.select_related(over).filter(**{over: sample}).order_by().first()
    if held is None:  # moved meanwhile
        lock_sample(type(sample), sample.pk)
        return False
    is_called_for = analyses()[item.analysis] in analyses_for(held)
    return is_called_for and not held.is_withdrawn and not getattr(held, over).is_withdrawn


def _succeed(held: ledger.Claim, item: AnalysisRun, outcome: Outcome, sample: Sample, is_valid: bool) -> set[str]:
    """Put the numbers in force in place of older ones; returns the quantities that changed."""
    if doubtful := _units_in_doubt(item, outcome):
        outcome.warn("units_in_doubt", UNITS_IN_DOUBT)
    retired, overtaken = retire(_target(item), before=item.pk)
    # A run that was overtaken by a newer one is kept for the record, but does not count.
    counts = is_valid and not overtaken
    ledger.close(
        held,
        state=AnalysisRun.State.SUCCEEDED,
        is_current=counts,
        warnings=[list(warning) for warning in outcome.warnings],
        curves=outcome.curves,
        tables=outcome.tables,
        inputs=outcome.inputs,
        finished_at=timezone.now(),
    )
    _write(item, outcome, sample, counts, is_doubtful=doubtful)
    return retired | {finding.quantity for finding in outcome.findings}


def _units_in_doubt(item: AnalysisRun, outcome: Outcome) -> bool:
    """Whether units were taken that the file does not state, and its numbers are not plausible in them."""
    if not item.measurement_id or item.measurement.kind == "eis":
        return False
    read = {code for code, _ in item.measurement.reader_warnings}
    if UNITS_NOT_STATED not in read:
        return False
    is_flagged = any(finding.flag == Result.Flag.OUT_OF_RANGE for finding in outcome.findings)
    said = {code for code, _ in outcome.warnings}
    return is_flagged or "potential_implausible" in read or bool(said & {"unit_doubt", "counter_unit_doubt"})


def _write(item: AnalysisRun, outcome: Outcome, sample: Sample, counts: bool, *, is_doubtful: bool) -> None:
    pellet = sample.pellet if isinstance(sample, Cell) else sample if isinstance(sample, Pellet) else None
    # A setting is neither; whether its rate was made from generated films, the run knows.
    entered = getattr(sample, "is_synthetic", False) or outcome.inputs.get("is_synthetic", {}).get("value", False)
    is_synthetic = bool(entered or (item.measurement_id and item.measurement.is_synthetic))
    results = [
        Result(
            run_id=item.pk,
            measurement_id=item.measurement_id,
            pellet=pellet,
            cell=sample if isinstance(sample, Cell) else None,
            sputter_setting=sample if isinstance(sample, SputterSetting) else None,
            is_current=counts,
            quantity=finding.quantity,
            position=finding.position,
            label=finding.label,
            value=finding.value,
            uncertainty=finding.uncertainty,
            limit=finding.limit,
            unit=quantity(finding.quantity).unit,
            flag=finding.flag,
            acceptance=Result.Acceptance.ACCEPTED
            if finding.flag == Result.Flag.OK and not is_doubtful and not finding.is_open
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
    _keep_decisions(item, results)
    Result.objects.bulk_create(results)
    # The recording of an analysis is its `measurement`; only what cannot be seen from the run itself is a row here.
    RunInput.objects.bulk_create([RunInput(run_id=item.pk, role="number", result_id=pk) for pk in outcome.used])


def _keep_decisions(item: AnalysisRun, results: list[Result]) -> None:
    """What people decided about the numbers of the run before: it holds while a number stays what it was.

    A number that was rejected and has moved since, without a person having asked for the run, waits for a decision.
    """
    earlier = AnalysisRun.objects.filter(**_target(item), state=AnalysisRun.State.SUCCEEDED, pk__lt=item.pk)
    before = earlier.order_by("-pk").values_list("pk", flat=True).first()
    if before is None:
        return
    decided = {
        (old.quantity, old.position, old.label): old
        for old in Result.objects.filter(run_id=before).filter(Q(version__gt=1) | ~Q(acceptance_reason=""))
    }
    for new in results:
        old = decided.get((new.quantity, new.position, new.label))
        if old is None:
            continue
        if _is_same(old, new):
            new.acceptance, new.acceptance_reason = old.acceptance, old.acceptance_reason or "decided on an earlier run"
        elif old.acceptance != Result.Acceptance.ACCEPTED and item.created_by_id is None:
            new.acceptance, new.acceptance_reason = Result.Acceptance.PROVISIONAL, old.acceptance_reason
            if old.acceptance == Result.Acceptance.REJECTED:
                was = f"{old.value:.6g}" if old.value is not None else "missing"
                new.acceptance_reason = f"It was {was} and rejected ({old.acceptance_reason}). Decide again."[:500]


def _is_same(old: Result, new: Result) -> bool:
    if (old.limit, old.flag) != (new.limit, new.flag) or None in (old.value, new.value):
        return (old.limit, old.flag, old.value) == (new.limit, new.flag, new.value)
    return math.isclose(old.value, new.value, rel_tol=1e-9)


def _files_of(item: AnalysisRun) -> list[int]:
    """The files that wait for this run, locked until the transaction ends."""
    through = AnalysisRun.caused_by.through
    linked = through.objects.filter(analysisrun_id=item.pk).values("uploadfile_id")
    rows = UploadFile.objects.select_for_update(no_key=True).filter(
        pk__in=linked, state__in=[UploadFile.State.QUEUED, UploadFile.State.ANALYSING]
    )
    return list(rows.order_by("pk").values_list("pk", flat=True))


def settle(files: list[int]) -> None:
    """Set the (locked) files `done` whose every run is final, with the sentences of those that failed."""
    if not files:
        return
    unhappy = AnalysisRun.caused_by.through.objects.filter(uploadfile_id__in=files).exclude(
        analysisrun__state=AnalysisRun.State.SUCCEEDED
    )
    still: set[int] = set()
    failed: dict[int, list[str]] = {}
    for pk, state, sentence in unhappy.values_list("uploadfile_id", "analysisrun__state", "analysisrun__message"):
        if state == AnalysisRun.State.FAILED:
            failed.setdefault(pk, []).append(sentence)
        else:
            still.add(pk)
    settled = [pk for pk in files if pk not in still]
    now = timezone.now()
    extends = Q(relation__how="extends")
    UploadFile.objects.filter(pk__in=settled).update(
        state=Case(When(extends, then=Value(UploadFile.State.EXTENDS)), default=Value(UploadFile.State.DONE)),
        finished_at=now,
    )
    for pk in settled:
        if pk in failed:
            UploadFile.objects.filter(pk=pk).update(message=" ".join(dict.fromkeys(failed[pk])))


def settle_files(item: AnalysisRun) -> None:
    """Settle the files that waited for a run that was given up."""
    settle(_files_of(item))
