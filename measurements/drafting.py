"""From what a reader found to a measurement that is not stored yet: its sample, kind, temperature and moment."""

from __future__ import annotations

from typing import Any

from measurements.kinds import FITS, KINDS, SERIES_KINDS
from measurements.matching import Match, in_cell, temperature_in_name
from measurements.models import Measurement, Upload, UploadFile, subject_fields
from measurements.parameters import moment_of
from samples.models import Cell, Pellet

TECHNIQUE_KINDS = {"impedance": "eis"}


def draft(file: UploadFile, described: dict[str, Any], found: Match) -> Measurement:
    """The measurement of one recording, as `measurements.fence.Fence.parse` describes it, of the sample found."""
    upload, metadata = file.upload, described["metadata"]
    subject, kind = _kind_of(upload, described, found)
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


def _kind_of(upload: Upload, described: dict[str, Any], found: Match) -> tuple[Any, str]:
    """The sample, in its live cell, and the kind: of the technique, as given, else told from recording and cell."""
    if kind := TECHNIQUE_KINDS.get(described["technique"]):
        return in_cell(found.subject, kind), kind
    if described["technique"] != "time_series":
        return found.subject, upload.kind or "attachment"
    subject = in_cell(found.subject, SERIES_KINDS[0])
    told = described.get("kinds") or {}
    return subject, upload.kind or told.get(configuration_of(subject), "attachment")


def configuration_of(subject: Any) -> str:
    """The configuration by which the kind of a recording over time is told; without a cell it is told as in most."""
    return subject.configuration if isinstance(subject, Cell) else "symmetric"


def _temperature(file: UploadFile, metadata: dict[str, Any]) -> tuple[float | None, str]:
    if file.upload.temperature_degC is not None:
        return file.upload.temperature_degC, Measurement.TemperatureOrigin.PERSON
    stated = metadata.get("temperature_degC")
    if stated is not None and is_temperature(stated):
        return stated, Measurement.TemperatureOrigin.FILE
    named = temperature_in_name(file.name)
    if named is not None and is_temperature(named):
        return named, Measurement.TemperatureOrigin.NAME
    return None, Measurement.TemperatureOrigin.ASSUMED


def is_temperature(value_degC: float) -> bool:
    """Whether it can be one of a laboratory, and is not in kelvin."""
    return -273.15 <= value_degC < 3000


def misfit(file: UploadFile, drafts: list[Measurement]) -> str:
    """Why a test cannot be one of its sample; empty when it can, or when a person chose the sample for this file."""
    if file.subject is not None:
        return ""
    for item in drafts:
        if problem := unfit(item.kind, item.subject):
            return f"{problem}. Choose the cell, or this sample to keep raw data."
    return ""


def unfit(kind: str, sample: Any) -> str:
    """Why a test of this kind cannot be one of a sample, without full stop; empty when it can."""
    fits = FITS.get(kind)
    where = sample.configuration if isinstance(sample, Cell) else ""
    if fits is None or where in fits:
        return ""
    what = KINDS[kind]
    needs = f"A {what} needs a {' or '.join(fits)} cell" if len(fits) < 3 else f"A {what} is measured in a cell"
    bare = "pellet without a live cell" if isinstance(sample, Pellet) else "witness plate"
    return f"{needs}, and {sample.code} is a {f'{where} one' if where else bare}"
