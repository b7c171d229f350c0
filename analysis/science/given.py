"""What an analysis needs beside the recording: area, thickness and temperature, and what is said where they lack."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from analysis.science.base import Finding, Outcome, Parameters, Subject
from analysis.science.wording import number

ASSUMED_TEMPERATURE_DEGC = 25.0
KELVIN_FROM = 250.0  # a temperature in °C above this was more likely written in kelvin
AREA_TOLERANCE = 0.05
SIGMA = "ionic_conductivity_S_cm"
SAME_AS_RECORDED = 0.1  # relative: what a person rounds differs by less


def electrode_area(
    subject: Subject, parameters: Parameters, outcome: Outcome, missing: str
) -> tuple[float | None, float | None]:
    """Electrode area [cm²] and its relative uncertainty; both go to the inputs, doubts to the warnings.

    Parameters
    ----------
    subject : Subject
    parameters : mapping
        ``electrode_area_cm2`` of a person counts before that of the cell.
    outcome : Outcome
    missing : str
        Sentence for a cell without area.

    Returns
    -------
    area_cm2, relative_uncertainty : float or None
    """
    area, relative, origin = _area(subject, parameters, outcome, missing)
    outcome.inputs["electrode_area_cm2"] = {
        "value": area,
        "uncertainty": area * relative if area and relative else None,
        "origin": origin,
    }
    if subject.pellet_diameter_mm and area and area > 1.04 * math.pi / 4.0 * (subject.pellet_diameter_mm / 10.0) ** 2:
        outcome.warn(
            "electrode_area_differs_from_pellet",
            f"The electrode ({area:.4g} cm²) is larger than the pellet "
            f"({subject.pellet_diameter_mm:g} mm across). Check both diameters.",
        )
    return area, relative


def _area(
    subject: Subject, parameters: Parameters, outcome: Outcome, missing: str
) -> tuple[float | None, float | None, str]:
    """Electrode area [cm²], its relative uncertainty, and where it comes from."""
    override = parameters.get("electrode_area_cm2")
    if override:
        outcome.warn(
            "area_override",
            f"The electrode area {float(override):.4g} cm² was given with the measurement "
            "and replaces that of the cell.",
        )
        return float(override), None, "person"
    area, diameter = subject.electrode_area_cm2, subject.electrode_diameter_mm
    if area is None and diameter:
        area = math.pi / 4.0 * (diameter / 10.0) ** 2
    if area is None or area <= 0.0:
        outcome.warn("missing_area", missing)
        return None, None, subject.code
    diameter_u = subject.electrode_diameter_uncertainty_mm
    return area, 2.0 * diameter_u / diameter if diameter and diameter_u else None, subject.code


def stated_area(parameters: Parameters, area_cm2: float | None) -> float | None:
    """Electrode area that the file states, where it is another one than that used; a person's word ends it. [cm²]"""
    stated = parameters.get("file_electrode_area_cm2")
    if not stated or not area_cm2 or parameters.get("electrode_area_cm2"):
        return None
    if abs(float(stated) / area_cm2 - 1.0) <= AREA_TOLERANCE:
        return None
    return float(stated)


def warn_of_stated_area(parameters: Parameters, area_cm2: float | None, outcome: Outcome) -> None:
    """Say that the file states another electrode area than the record, which was used."""
    stated = stated_area(parameters, area_cm2)
    if stated and area_cm2:
        outcome.warn(
            "electrode_area_differs",
            f"The file states an electrode area of {stated:.4g} cm², the record has {area_cm2:.4g} cm². The record's "
            "was used; check which one is right.",
        )


def warn_of_difference(name: str, given: float, recorded: float, unit: str, outcome: Outcome) -> None:
    """Say that what a person gave is not what the recording shows. The person's value counts."""
    if recorded and abs(abs(given) / abs(recorded) - 1.0) > SAME_AS_RECORDED:
        outcome.warn(
            "differs_from_recording",
            f"{name}: {number(abs(given))} {unit} was given, the recording shows {number(abs(recorded))} {unit}. "
            "What was given was taken; check it.",
        )


def temperature(parameters: Parameters, outcome: Outcome) -> float:
    """Temperature [°C], recorded in the inputs; said when it is assumed."""
    value, origin = parameters.get("temperature_degC"), parameters.get("temperature_origin")
    if value is None or origin == "assumed":
        value = ASSUMED_TEMPERATURE_DEGC if value is None else float(value)
        origin = "assumed"
        outcome.warn("temperature_missing", f"No temperature in file or name. {value:g} °C is assumed.")
    if value > KELVIN_FROM:
        outcome.warn("temperature_like_kelvin", f"{value:g} °C is unusually hot. If it is in kelvin, correct it.")
    outcome.inputs["temperature_degC"] = {"value": float(value), "uncertainty": None, "origin": origin or "person"}
    return float(value)


def at_temperature(findings: Sequence[Finding], outcome: Outcome) -> list[Finding]:
    """The findings at the temperature that `temperature` recorded.

    A conductivity of which it is only assumed misses a condition and waits for a person: it moves by several per cent
    with each kelvin, and enters an activation energy. For all else a run's warning says that 25 °C was assumed.
    """
    entry = outcome.inputs["temperature_degC"]
    found = [replace(item, temperature_degC=entry["value"]) for item in findings]
    if entry["origin"] != "assumed":
        return found
    return [
        replace(item, flag="missing") if item.quantity == SIGMA and item.flag in ("ok", "suspect") else item
        for item in found
    ]


def finding(quantity: str, value: float | None, uncertainty: float | None, limits: tuple[float, float]) -> Finding:
    """A finding flagged by its presence and physical range alone."""
    if value is None or not math.isfinite(value):
        return Finding(quantity, None, flag="missing")
    flag = "ok" if limits[0] <= value <= limits[1] else "out_of_range"
    return Finding(quantity, float(value), None if uncertainty is None else float(uncertainty), flag=flag)
