"""Times of testers: hours that run past 24, days before them, dates in several orders, and cells of Excel.

A column of a million texts is taken apart in one pass: all marks become commas, and Arrow reads the fields as numbers.
Only where rows differ in their form is each of them looked at.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv

from measurements.readers.facts import moment

Floats = npt.NDArray[np.float64]

NO_VALUE = frozenset(("", "-", "--", "---", "/", "nan", "n/a", "na", "null", "none"))
DAY_S = 86_400.0
_CLOCK = re.compile(r"(?:(\d+)\s*(?:[-. ]|d[., ]?)\s*)?(\d+):(\d{1,2}):(\d{1,2}(?:[.,]\d*)?)", re.IGNORECASE)
_DAYS_BEFORE = re.compile(r"(?m)^(\d+)\s*(?:[-. ]|d[., ]?)\s*(?=\d+:)", re.IGNORECASE)
_DATE = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:[.,]\d*)?))?)?")
_POINTS = re.compile(r"(?m)^\s*(\d+)\.(\d+)\.(\d+)")
_EXCEL_ZERO = datetime(1899, 12, 31)
_EXCEL_LEAP = datetime(1900, 3, 1)  # Excel counts a 29 February 1900 that never was
_NUMBER = re.compile(r"\s*[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?\s*")


class BadTime(Exception):
    """A cell is no time.

    Attributes
    ----------
    row : int
        Counted from 0.
    text : str
        What stands there.
    """

    def __init__(self, row: int, text: str) -> None:
        super().__init__(text)
        self.row, self.text = row, text


def is_missing(text: str) -> bool:
    """Whether a cell says that there is no value."""
    return text.strip().lower() in NO_VALUE


def looks_like_clock(text: str) -> bool:
    """Whether a text is a duration with colons: "97:05:00.008", "4-00:02:13", "1.02:03:04.5"."""
    return _CLOCK.fullmatch(text.strip()) is not None


def looks_like_date(text: str) -> bool:
    """Whether a text begins with a date, in whatever order."""
    return _DATE.match(text.strip()) is not None


def durations_s(cells: Sequence[Any], factor: float = 1.0) -> Floats:
    """Durations in seconds.

    Parameters
    ----------
    cells : sequence
        Texts (`h:mm:ss.fff`, `D-HH:MM:SS`, `D.HH:MM:SS`, bare numbers), numbers, or time and date cells of Excel.
    factor : float
        Seconds per unit of a bare number.

    Raises
    ------
    BadTime
        At the first cell that is none of these. Empty cells and "-" are NaN.
    """
    first = next((cell for cell in cells if isinstance(cell, str) and not is_missing(cell)), None)
    if first is not None and ":" in first:
        found = _clock_fields(cells)
        if found is not None:
            return found
    out = np.empty(len(cells))
    for row, cell in enumerate(cells):
        out[row] = _duration(row, cell, factor)
    return out


def _clock_fields(cells: Sequence[Any]) -> Floats | None:
    """All cells at once, if every one is a text of the same form."""
    try:
        joined = "\n".join(cells)
    except TypeError:
        return None
    head = joined[: joined.find("\n")] if "\n" in joined else joined
    if re.match(r"\s*\d+\s*-", head):
        joined = joined.replace("-", ":")
    elif _DAYS_BEFORE.match(head):
        joined = _DAYS_BEFORE.sub(r"\1:", joined)
    if "," in joined:
        joined = joined.replace(",", ".")
    fields = _fields(joined.replace(":", ","), len(cells))
    if fields is None or len(fields) not in (3, 4):
        return None
    days, hours, minutes, seconds = fields if len(fields) == 4 else [np.zeros(len(cells)), *fields]
    # NaN fails every comparison, so an empty cell goes the slow way.
    if not (np.all(hours >= 0) and np.all(days >= 0) and np.all((minutes >= 0) & (minutes < 60))):
        return None
    if not np.all((seconds >= 0) & (seconds < 60.5)):
        return None
    return np.asarray(days * DAY_S + hours * 3600 + minutes * 60 + seconds, dtype=np.float64)


def _fields(text: str, rows: int) -> list[Floats] | None:
    """Numbers between commas, one array per place; None if the rows are not alike."""
    count = text[: text.find("\n")].count(",") + 1 if "\n" in text else text.count(",") + 1
    names = [str(i) for i in range(count)]
    try:
        table = pacsv.read_csv(
            io.BytesIO(text.encode()),
            read_options=pacsv.ReadOptions(column_names=names, use_threads=False),
            parse_options=pacsv.ParseOptions(ignore_empty_lines=False, quote_char=False),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != rows:
        return None
    return [table[name].to_numpy() for name in names]


def _duration(row: int, cell: Any, factor: float) -> float:
    if isinstance(cell, str):
        text = cell.strip()
        match = _CLOCK.fullmatch(text)
        if match and int(match[3]) < 60:
            seconds = float(match[4].replace(",", "."))
            return int(match[1] or 0) * DAY_S + int(match[2]) * 3600 + int(match[3]) * 60 + seconds
        if _NUMBER.fullmatch(text):
            return float(text.replace(",", ".")) * factor
        if is_missing(text):
            return np.nan
        raise BadTime(row, text)
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, time):
        return cell.hour * 3600 + cell.minute * 60 + cell.second + cell.microsecond / 1e6
    if isinstance(cell, date) and not isinstance(cell, datetime):
        cell = datetime(cell.year, cell.month, cell.day)  # midnight, of which calamine makes a date
    if isinstance(cell, datetime):
        seconds = (cell - _EXCEL_ZERO).total_seconds()
        return seconds if cell < _EXCEL_LEAP else seconds + DAY_S
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return float(cell) * factor
    if cell is None:
        return np.nan
    raise BadTime(row, str(cell))


def unix_times(cells: Sequence[Any], order: str = "") -> tuple[Floats, bool]:
    """Seconds since 1970 of dates with times; a date without a zone is taken as UTC.

    Parameters
    ----------
    cells : sequence
        Texts, or date cells of Excel. Bare numbers are taken as seconds since 1970.
    order : str
        ``"mdy"`` or ``"dmy"`` where the format fixes it; else the numbers decide, then the way that time runs.

    Returns
    -------
    tuple
        The seconds, and whether day and month could be exchanged.

    Raises
    ------
    BadTime
        At the first cell that is no date.
    """
    texts = list(cells)
    if set(map(type, texts)) != {str}:
        texts = [cell if isinstance(cell, str) else _iso(row, cell) for row, cell in enumerate(cells)]
    found = _date_fields(texts)
    if found is None:
        return _slow_dates(texts, order)
    (one, two, three, *clock), mark = found
    seconds = sum(field * size for field, size in zip(clock, (3600.0, 60.0, 1.0), strict=False))
    year = np.where(three < 100, three + 2000, three)
    ways = {"mdy": _days(year, one, two), "dmy": _days(year, two, one)}
    if np.nanmin(one) > 31:
        ways = {"ymd": _days(one, two, three)}
    name, is_ambiguous = _likely(ways, order or ("dmy" if mark == "." else ""), texts)
    return ways[name] * DAY_S + seconds, is_ambiguous


def _likely(ways: dict[str, Floats], order: str, texts: Sequence[str]) -> tuple[str, bool]:
    """The order of day and month that gives a date in every row, and whether another one does as well.

    Raises
    ------
    BadTime
        If no order gives one: two orders stand in one column, as spreadsheets make of dates they half understand.
    """
    unread = {
        name: [row for row in np.flatnonzero(np.isnan(days)).tolist() if not is_missing(texts[row])]
        for name, days in ways.items()
    }
    good = [name for name, rows in unread.items() if not rows]
    if not good:
        first = min(unread.values(), key=len)[0]
        raise BadTime(first, texts[first])
    if len(good) == 1 or order in good:
        return (order if order in good else good[0]), False
    # Days that both can be months: a test in which time runs backwards, or by leaps, was read the wrong way.
    spans = {name: float(np.nansum(np.abs(np.diff(days)))) for name, days in ways.items()}
    likely = "mdy" if spans["mdy"] <= spans["dmy"] else "dmy"
    is_same = bool(np.array_equal(ways["mdy"], ways["dmy"], equal_nan=True))
    return likely, spans["mdy"] == spans["dmy"] and not is_same


def _iso(row: int, cell: Any) -> str:
    if isinstance(cell, datetime):
        return cell.isoformat(" ", "microseconds")
    if isinstance(cell, date):
        return f"{cell.isoformat()} 00:00:00"
    if isinstance(cell, (int, float)) and 1e8 < cell < 1e10:
        return (datetime(1970, 1, 1) + timedelta(seconds=float(cell))).isoformat(" ", "microseconds")
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return ""
    raise BadTime(row, str(cell))


def _date_fields(texts: list[str]) -> tuple[list[Floats], str] | None:
    """Year, month, day, hour, minute, second in the order of the file, if all texts are alike."""
    first = next((text.strip() for text in texts if text.strip()), "")
    match = _DATE.fullmatch(first)
    if not match or match[5] is None:
        return None
    joined = "\n".join(texts)
    # A point also parts the fraction of a second, which follows the colons.
    joined = _POINTS.sub(r"\1,\2,\3", joined) if match[2] == "." else joined.replace(match[2], ",")
    fields = _fields(joined.replace(" ", ",").replace("T", ",").replace(":", ","), len(texts))
    if fields is None or len(fields) not in (5, 6):
        return None
    return fields, match[2]


def _days(year: Floats, month: Floats, day: Floats) -> Floats:
    """Days since 1970-01-01; NaN where there is no such day."""
    good = (year >= 1) & (year < 9999) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    months = np.where(good, (year - 1970) * 12 + month - 1, 0).astype("int64").astype("M8[M]")
    days = months.astype("M8[D]").astype("int64") + np.where(good, day, 1) - 1
    return np.where(good, days, np.nan)


def _slow_dates(texts: list[str], order: str) -> tuple[Floats, bool]:
    """Dates one by one: with a.m. and p.m., without a time, or with the month in words."""
    both = {name: {text: _seconds(text, name) for text in set(texts)} for name in ("mdy", "dmy")}
    ways = {name: np.array([known[text] for text in texts]) for name, known in both.items()}
    name, is_ambiguous = _likely(ways, order, texts)
    return ways[name], is_ambiguous


def _seconds(text: str, order: str) -> float:
    """Seconds since 1970 of one date in this order and no other; NaN if it is none."""
    found = None if is_missing(text) else moment(text, order, is_strict=True)
    return (datetime.fromisoformat(found.iso) - datetime(1970, 1, 1)).total_seconds() if found else np.nan


def iso_of(unix_time_s: float) -> str | None:
    """ISO 8601 without a zone, as the tester's computer shows the time; None where it names no time."""
    if not np.isfinite(unix_time_s):
        return None
    try:
        return (datetime(1970, 1, 1) + timedelta(seconds=round(float(unix_time_s), 6))).isoformat()
    except OverflowError:  # a damaged file may hold any number
        return None
