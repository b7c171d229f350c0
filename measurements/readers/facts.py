"""Facts in the lines around a table: dates, temperature, geometry. What is not stated clearly is not taken."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBER = r"([-+−]?\d+(?:[.,]\d+)?)"
_DEGREES = r"(°\s?C|º\s?C|℃|deg\.?\s?C|C|K)(?![A-Za-z])"
_TEMPERATURE = re.compile(
    rf"(?:\btemp(?:erature)?\b\.?|(?<![A-Za-z])T(?=\s*[=\[(:])|温度)\s*(?:[\[(]\s*{_DEGREES}\s*[\])])?\s*[:=]?\s*{_NUMBER}"
    rf"\s*(?:{_DEGREES})?",
    re.IGNORECASE,
)
_TITLE_TEMPERATURE = re.compile(
    r"(?:(?<=[\s_(=,;])[-−]|(?<![\d.,]))(\d+(?:\.\d+)?)\s?(?:°\s?C|deg\s?C?|℃)(?![A-Za-z])", re.IGNORECASE
)
_LENGTH_UNIT = r"(mm|cm|um|µm|μm|m)(?![A-Za-z²2^])"
_LENGTHS = {"mm": 1e-3, "cm": 1e-2, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "m": 1.0}
_AREA_UNIT = r"(mm|cm|m)\s*(?:\^?2|²)"


def _length(words: str) -> re.Pattern[str]:
    unit = _LENGTH_UNIT
    return re.compile(
        rf"\b(?:{words})\b\s*(?:[\[(]\s*{unit}\s*[\])])?\s*[:=]?\s*{_NUMBER}\s*(?:[\[(]?\s*{unit})?", re.IGNORECASE
    )


_THICKNESS = _length("sample thickness|thickness|厚度")
_DIAMETER = _length("electrode diameter|sample diameter|diameter|直径")
_AREA = re.compile(
    rf"\b(?:electrode area|sample area|surface area|area|面积)\b\s*(?:[\[(]\s*{_AREA_UNIT}\s*[\])])?"
    rf"\s*[:=]?\s*{_NUMBER}\s*(?:[\[(]?\s*{_AREA_UNIT})?",
    re.IGNORECASE,
)


class Moment(NamedTuple):
    """A local time without zone, ISO 8601, and whether day and month could be exchanged."""

    iso: str
    is_ambiguous: bool


def moment(text: str, order: str = "mdy", *, is_strict: bool = False) -> Moment | None:
    """The date and time that a text states, or None.

    Parameters
    ----------
    text : str
        "05/15/2025 01:18:45.867", "Feb. 20, 2020 15:55:08", "1.12.2020, 14:42", "2024-03-01T09:00".
    order : str
        Order of numbers divided by slash or dash, ``"mdy"`` or ``"dmy"``; with dots the day stands first.
    is_strict : bool
        Whether the order holds even where the numbers speak against it: there is no date then.
    """
    date = _date(text, order, is_strict)
    if date is None:
        return None
    year, month, day, is_ambiguous = date
    hour = minute = second = microsecond = 0
    clock = re.search(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6}))?)?\s*([AaPp]\.?[Mm])?", text)
    if clock:
        hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
        microsecond = int((clock[4] or "0").ljust(6, "0"))
        if clock[5]:
            hour = hour % 12 + (12 if clock[5][0] in "pP" else 0)
    try:
        found = datetime(year, month, day, hour, minute, second, microsecond)
    except ValueError:
        return None
    return Moment(found.isoformat(), is_ambiguous)


def _date(text: str, order: str, is_strict: bool) -> tuple[int, int, int, bool] | None:
    iso = re.search(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)", text)
    if iso:
        return int(iso[1]), int(iso[2]), int(iso[3]), False
    numeric = re.search(r"(?<!\d)(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?!\d)", text)
    if numeric:
        first, last, year = int(numeric[1]), int(numeric[3]), int(numeric[4])
        year += 2000 if year < 100 else 0
        day_first = order == "dmy" or (order == "mdy" and numeric[2] == "." and not is_strict)
        if not is_strict and (first > 12 >= last or last > 12 >= first):
            day_first = first > 12
        day, month = (first, last) if day_first else (last, first)
        # With dots only the German order is in use; a number above 12 settles the other cases.
        return year, month, day, numeric[2] != "." and first <= 12 and last <= 12 and first != last
    words = re.search(r"([A-Za-z]{3})[a-z]*\.?\s+(\d{1,2}),?\s+(\d{4})", text)
    if words and words[1].lower() in _MONTHS:
        return int(words[3]), _MONTHS.index(words[1].lower()) + 1, int(words[2]), False
    return None


def put_moment(metadata: dict[str, Any], warnings: list[tuple[str, str]], text: str, *, is_fixed: bool = False) -> None:
    """Set ``measured_at`` from a text, month before day, and say so where the order is a guess.

    Parameters
    ----------
    is_fixed : bool
        Whether the software always writes month, day, year, whatever the language of the computer.
    """
    found = moment(text, "mdy!" if is_fixed else "mdy")
    if found is None:
        return
    metadata["measured_at"] = found.iso
    if found.is_ambiguous and not is_fixed:
        warnings.append((
            "date_ambiguous",
            f"The date ‘{text.strip()}’ was read as month/day: {found.iso[:10]}. "
            "Correct the time if the instrument’s computer writes the day first.",
        ))  # fmt: skip


def _value(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "."))


def _celsius(number: str, unit: str) -> float:
    value = _value(number)
    return round(value - 273.15, 6) if unit.strip().upper() == "K" else value


def stated_temperature_degC(text: str) -> float | None:
    """Temperature of "Temp. [°C]=25.0", "Temperature: 298 K", "T = -10 °C"; None without value or unit."""
    for found in _TEMPERATURE.finditer(text):
        unit = found[3] or found[1]
        if unit:
            return _celsius(found[2], unit)
    return None


def title_temperature_degC(text: str) -> float | None:
    """Temperature that a title carries: "s04147-140deg" is 140 °C (a dash after a letter or digit is no minus)."""
    found = _TITLE_TEMPERATURE.search(text)
    if not found:
        return None
    value = float(found[1])
    return -value if found[0][0] in "-−" else value


def header_facts(lines: Iterable[str]) -> dict[str, Any]:
    """``temperature_degC``, ``thickness_um``, ``diameter_mm``, ``electrode_area_cm2`` as lines of text state them."""
    facts: dict[str, Any] = {}
    for line in lines:
        text = line[:2000]
        temperature = stated_temperature_degC(text)
        if temperature is not None:
            facts.setdefault("temperature_degC", temperature)
        for key, pattern, scale in (("thickness_um", _THICKNESS, 1e6), ("diameter_mm", _DIAMETER, 1e3)):
            found = pattern.search(text)
            if found and (found[1] or found[3]):
                metres = _value(found[2]) * _LENGTHS[(found[3] or found[1]).lower()]
                facts.setdefault(key, round(metres * scale, 9))
        area = _AREA.search(text)
        if area and (area[1] or area[3]):
            square_metres = _value(area[2]) * _LENGTHS[(area[3] or area[1]).lower()] ** 2
            facts.setdefault("electrode_area_cm2", round(square_metres * 1e4, 9))
    return {key: value for key, value in facts.items() if math.isfinite(value)}
