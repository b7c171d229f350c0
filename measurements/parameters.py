"""What people may say beside a file or for a run: the known parameters, checked."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

NUMBERS = {
    "voltage_limit_V",
    "step_time_h",
    "polarisation_voltage_V",
    "active_mass_mg",
    "electrode_area_cm2",
    "electrolyte_conductivity_S_cm",
    "short_step",  # the step of a current ramp that a person calls the failing one, in mA cm⁻²
    # Numbers that replace those found for the transference number.
    "initial_current_A",
    "steady_state_current_A",
    "initial_resistance_ohm",
    "steady_state_resistance_ohm",
    "electrolyte_resistance_ohm",
}
CODES = {"eis_before", "eis_after"}  # measurements that a person picks for the transference number
COUNTS = {"formation_cycles", "reference_cycle"}
CIRCUITS = ("A", "B", "C", "D", "E", "F")
SWITCHES = {"flip_sign", "counts_for_transference"}
OTHERS = {"measured_at", "fit_range_Hz", "circuit", "masked_points", "overpotential_at_h", "interface_arcs"}


def check_parameters(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The parameters of an upload or a run, checked; unknown names are refused, empty ones left out.

    Raises
    ------
    ValidationError
        One sentence per parameter that cannot be used.
    """
    known = sorted(NUMBERS | COUNTS | SWITCHES | CODES | OTHERS)
    checked: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in (given or {}).items():
        if name not in known:
            problems[name] = f"‘{name}’ is not a parameter. Known: {', '.join(known)}."
        elif value is None or value == "":
            continue
        else:
            try:
                checked[name] = _parameter(name, value)
            except (TypeError, ValueError) as error:
                problems[name] = str(error)
    if problems:
        raise ValidationError(problems)
    return checked


def _parameter(name: str, value: Any) -> Any:
    if name in NUMBERS or name in COUNTS:
        has_none = name == "formation_cycles" and value == 0 and _is_number(value)  # a test without any
        if not has_none and (not _is_number(value) or not 0 < value < 1e9):
            raise ValueError(f"{name} must be a number above 0, not ‘{value}’.")
        if name in COUNTS and int(value) != value:
            raise ValueError(f"{name} counts cycles: give a whole number, not ‘{value}’.")
        return int(value) if name in COUNTS else float(value)
    if name in SWITCHES:
        if not isinstance(value, bool):
            raise ValueError(f"{name} is true or false, not ‘{value}’.")
        return value
    if name in CODES:
        if not isinstance(value, str) or not value.upper().startswith("MEA-"):
            raise ValueError(f"{name} must be the code of a measurement, such as MEA-01877, not ‘{value}’.")
        return value.upper()
    if name == "overpotential_at_h":
        hours = value if isinstance(value, list) else [value]
        if not hours or not all(_is_number(hour) and 0 <= hour < 1e6 for hour in hours):
            raise ValueError(f"overpotential_at_h must be hours, such as [100, 300], not ‘{value}’.")
        return [float(hour) for hour in hours]
    if name == "measured_at":
        moment = moment_of(value)
        if moment is None:
            raise ValueError(f"measured_at must be ISO 8601, such as 2026-03-11T14:10, not ‘{value}’.")
        return moment.isoformat()
    if name == "fit_range_Hz":
        if not (isinstance(value, list | tuple) and len(value) == 2 and all(_is_number(v) for v in value)):
            raise ValueError(f"fit_range_Hz must be two frequencies, such as [0.1, 1e6], not ‘{value}’.")
        low, high = sorted(float(v) for v in value)
        if not 0 < low < high < math.inf:
            raise ValueError("fit_range_Hz needs a lower and a higher frequency, both above 0.")
        return [low, high]
    if name == "interface_arcs":  # which of the fitted resistances R₁, R₂ … are the interface
        arcs = value if isinstance(value, list) else [value]
        if not arcs or not all(isinstance(v, int) and not isinstance(v, bool) and 1 <= v <= 9 for v in arcs):
            raise ValueError(f"interface_arcs must be numbers of fitted arcs, such as [2], not ‘{value}’.")
        return sorted(set(arcs))
    if name == "masked_points":
        if not (
            isinstance(value, list) and all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in value)
        ):
            raise ValueError(f"masked_points must be a list of row numbers counted from 0, not ‘{value}’.")
        return sorted(set(value))
    if value not in CIRCUITS:
        raise ValueError(f"circuit must be one of {', '.join(CIRCUITS)}, not ‘{value}’.")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def moment_of(text: Any) -> dt.datetime | None:
    """The time that a text in ISO 8601 means; None when it is none."""
    try:
        moment = parse_datetime(str(text))
    except ValueError:  # the shape of a date that never was, such as 30 February
        return None
    return moment if moment is None or timezone.is_aware(moment) else local(moment)


def local(moment: dt.datetime) -> dt.datetime:
    """A time without zone, as instruments write it, in the zone of the lab's instruments."""
    return moment.replace(tzinfo=ZoneInfo(settings.INSTRUMENT_TIME_ZONE))
