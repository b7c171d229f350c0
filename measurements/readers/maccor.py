"""Maccor text, with a head of keys (.txt) or of one line (.001).

Counters of charge and energy begin at 0 in every step; the current has no sign, the state letter (R, C, D) gives it.
Some exports state no unit of time, and count minutes: where dates stand beside it, they tell.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from measurements.readers.base import Peek, Reader, Recording
from measurements.readers.clock import BadTime, durations_s, looks_like_clock, unix_times
from measurements.readers.columns import CYCLE, STEP_CAPACITY, STEP_ENERGY, STEP_KIND, TIME, UNIX_TIME
from measurements.readers.delimited import Grid
from measurements.readers.facts import put_moment
from measurements.readers.series import recording
from measurements.readers.series_columns import STEP_TIME, key_of, name_series
from measurements.readers.spectrum import header_lines
from measurements.readers.tester_tables import has_header, tables

_MISSING = (
    "Expected a line of names that begins with ‘Rec’ and holds ‘Step’ and ‘DPT Time’; found none. "
    "Export the test again from Maccor with the header."
)
_UNITS = {1.0: "s", 60.0: "min", 3600.0: "h"}
# "Cycle P" is the number of the procedure, "Cycle C" counts.
_NAMES = {
    "Cycle C": CYCLE, "Cycle P": "", "Cap. [Ah]": STEP_CAPACITY, "Ener. [Wh]": STEP_ENERGY, "Md": STEP_KIND,
    "DPT Time": UNIX_TIME, "DPt Time": UNIX_TIME, "TestTime": TIME, "StepTime": STEP_TIME,
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
        ((head, grid),) = tables(path, is_maccor, _MISSING)
        metadata: dict[str, Any] = {"instrument": "Maccor", "header": header_lines(head)}
        warnings: list[tuple[str, str]] = []
        for line in head:
            started = re.match(r"(?:Started|Date of Test)\s*:?\s*\t?(.*)", line) or re.search(
                r"Date of Test:\s*(\S+)", line
            )
            if started:
                put_moment(metadata, warnings, started[1], is_fixed=True)
        units = _units(grid, warnings)
        item = recording(grid, metadata, warnings, names=_NAMES, units=units, date_order="mdy")
        return [item]


def _units(grid: Grid, warnings: list[tuple[str, str]]) -> dict[str, str]:
    """Unit of the times whose header states none, by the dates beside them."""
    columns = name_series(grid.headers, grid.units, _NAMES)
    bare = [c for c in columns if c.name in (TIME, STEP_TIME) and c.unit is None]
    by_name = {column.name: cells for column, cells in zip(columns, grid.columns, strict=True)}
    time, dates = by_name.get(TIME), by_name.get(UNIX_TIME)
    if not bare or bare[0].name != TIME or time is None or dates is None or len(grid) < 2:
        return {}
    if time.dtype == object and looks_like_clock(str(time[0])):
        return {}
    try:
        counted = durations_s(time.tolist())
        seconds, _ = unix_times(dates.tolist(), "mdy")
    except BadTime:
        return {}
    spans = counted[-1] - counted[0], seconds[-1] - seconds[0]
    if not (np.isfinite(spans).all() and spans[0] > 0 and spans[1] > 0):
        return {}
    factor = min(_UNITS, key=lambda size: abs(np.log(spans[1] / spans[0] / size)))
    if abs(spans[1] / spans[0] / factor - 1) > 0.1:
        return {}
    sentence = f"The file states no unit of time; the dates of its rows show that it is {_UNITS[factor]}."
    warnings.append(("time_unit_from_dates", sentence))
    return {column.header: _UNITS[factor] for column in bare}
