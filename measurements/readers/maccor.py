"""Maccor text, with a head of keys (.txt) or of one line (.001).

Counters of charge and energy begin at 0 in every step; the current has no sign, the state letter (R, C, D) gives it.
Some exports state no unit of time, and count minutes: where dates stand beside it, they tell.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from measurements.readers.base import Peek, Reader, ReaderError, Recording, Warnings
from measurements.readers.clock import BadTime, durations_s, looks_like_clock, unix_times
from measurements.readers.columns import CYCLE, STEP_CAPACITY, STEP_ENERGY, STEP_KIND, TIME, UNIX_TIME
from measurements.readers.delimited import open_text, read_grid
from measurements.readers.series import recording
from measurements.readers.series_columns import STEP_TIME, key_of, name_series
from measurements.readers.spectrum import header_lines
from measurements.readers.tester_tables import cells_of, has_header, header_line

_MISSING = (
    "Expected a line of names that begins with ‘Rec’ and holds ‘Step’ and ‘DPT Time’; found none. "
    "Export the test again from Maccor with the header."
)
_UNITS = {1.0: "s", 60.0: "min", 3600.0: "h"}
# "Cycle P" is the number of the procedure, "Cycle C" counts.
_NAMES = {
    "Cycle C": CYCLE, "Cycle P": "", "Cap. [Ah]": STEP_CAPACITY, "Ener. [Wh]": STEP_ENERGY, "Md": STEP_KIND,
    "DPT Time": UNIX_TIME, "DPt Time": UNIX_TIME,
}  # fmt: skip


def is_maccor(cells: list[str]) -> bool:
    """Whether names are those of a Maccor table; LANDT writes nearly the same ones, with ‘DPt-Time’."""
    if len(cells) < 8 or not re.fullmatch(r"rec(ord)?#?", key_of(cells[0])):
        return False
    known = {key_of(cell) for cell in cells}
    has_date = any(cell.strip().lower() == "dpt time" for cell in cells)
    return has_date and "step" in known and bool({"state", "md"} & known)


class MaccorReader(Reader):
    """Maccor export in text."""

    slug, version, name = "maccor", 1, "Maccor text"

    def recognises(self, peek: Peek) -> bool:
        return has_header(peek, is_maccor)

    def read(self, path: Path) -> list[Recording]:
        source = open_text(path)
        index = header_line(source.head, is_maccor)
        if index is None:
            raise ReaderError(_MISSING)
        head = source.head[:index]
        metadata: dict[str, Any] = {"instrument": "Maccor", "header": header_lines(head)}
        warnings: Warnings = []
        grid = read_grid(source, index, headers=_headers(source.head[index:], warnings))
        return [recording(grid, metadata, warnings, names=_NAMES)]


def _headers(lines: list[str], warnings: Warnings) -> list[str]:
    """Column names, with the unit of times that state none, as the dates beside them tell it."""
    headers = cells_of(lines[0])
    rows = [cells for cells in map(cells_of, lines[1:]) if len(cells) == len(headers)]
    columns = {column.name: (i, column) for i, column in enumerate(name_series(headers, None, _NAMES))}
    if TIME not in columns or UNIX_TIME not in columns or len(rows) < 2 or columns[TIME][1].unit is not None:
        return headers
    ends = rows[0], rows[-1]
    if looks_like_clock(ends[0][columns[TIME][0]]):
        return headers
    try:
        counted = np.ptp(durations_s([row[columns[TIME][0]] for row in ends]))
        seconds = np.ptp(unix_times([row[columns[UNIX_TIME][0]] for row in ends])[0])
    except BadTime:
        return headers
    factor = min(_UNITS, key=lambda size: abs(seconds - size * counted))
    if not counted > 0 or abs(seconds - factor * counted) > 0.1 * seconds:
        return headers
    unit = _UNITS[factor]
    sentence = f"The file states no unit of time; the dates of its rows show that it is {unit}."
    warnings.append(("time_unit_from_dates", sentence))
    names = (TIME, STEP_TIME)
    for i, column in (columns[name] for name in names if name in columns and columns[name][1].unit is None):
        headers[i] = f"{column.header} ({unit})"
    return headers
