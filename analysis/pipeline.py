"""The only module that turns science into rows: claim a run, compute, write what was found."""

from __future__ import annotations

import logging
import secrets
from typing import Any

import pandas as pd
from django.db import transaction
from django.utils import timezone

from analysis.decisions import judge, reanalyse  # noqa: F401
from analysis.models import AnalysisRun, Result, RunInput
from analysis.queueing import analyses, combinations, queue_combinations, retire
from analysis.science.base import AnalysisError, Combination, Outcome, Subject
from analysis.science.quantities import get as quantity
from lagpdb import ledger
from measurements.models import UploadFile
from measurements.store import StoreError, recording
from samples.models import Cell, Pellet

logger = logging.getLogger(__name__)


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
                f"Something broke on our side (ref {reference}). Raw data are stored. Tell an administrator the "
                "reference; the analysis can be run again once this is repaired."
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
                touched |= retire(_target(item), before=item.pk)
        else:
            # A run that was overtaken by a newer one is kept for the record, but does not count.
            withdrawn = sample.is_withdrawn or (item.measurement_id and item.measurement.is_withdrawn)
            overtaken = AnalysisRun.objects.filter(is_current=True, pk__gt=item.pk, **_target(item)).exists()
            counts = not (withdrawn or overtaken)
            if counts:
                touched |= retire(_target(item), before=item.pk)
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
            queue_combinations(sample, touched, files)
        settle_files(item, files)


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
                unit=quantity(finding.quantity).unit,
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
