"""Neware csv and xlsx: the flat table of BTSDA 8, and the nested one of BTS 7 with rows of cycles, steps and records.

The columns for charge and discharge of the flat table begin anew in every step, as `Capacity` does; a cycle may have
several steps of discharge, so that the largest value of a column is not the capacity of the cycle. In the nested table
a row belongs to the last cycle and step above it: rows of cycles begin in the first column, rows of steps in the
second, records in the third.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from measurements.readers import parquet
from measurements.readers.base import Peek, Reader, ReaderError, Recording, Warnings
from measurements.readers.clock import BadTime, durations_s
from measurements.readers.columns import CYCLE, STEP, STEP_CAPACITY, STEP_ENERGY, STEP_KIND, TIME, UNIX_TIME
from measurements.readers.delimited import Source, open_text
from measurements.readers.grid import Grid
from measurements.readers.series import recording
from measurements.readers.series_columns import (
    RECORD,
    SPECIFIC_CAPACITY,
    STEP_TIME,
    name_series,
    unit_of,
)
from measurements.readers.tester_tables import (
    HEADER_LINES,
    cells_of,
    has_header,
    header_line,
    is_archive,
    keys,
    read_text,
    tables,
)
from measurements.readers.workbook import grid_of, sheets, text_of

_MISSING = (
    "Expected the names of a Neware table (DataPoint, Cycle Index, Step Index, Step Type …); found none. "
    "Export the test again from BTSDA with all records."
)
_FLAT = (
    {"datapoint", "cycleindex", "stepindex", "steptype", "voltage", "current"},
    {"数据序号", "循环号", "工步号", "工步类型", "电压", "电流"},
)
# Stem of a header: canonical name, or "" where the column keeps its own.
_NAMES = {
    "DataPoint": RECORD, "Cycle Index": CYCLE, "Step Index": STEP, "Step Type": STEP_KIND, "Time": STEP_TIME,
    "Total Time": TIME, "Cumulative Time": TIME, "Capacity": STEP_CAPACITY, "Spec. Cap.": SPECIFIC_CAPACITY,
    "Energy": STEP_ENERGY, "Date": UNIX_TIME, "Chg. Cap.": "", "DChg. Cap.": "", "Chg. Energy": "", "DChg. Energy": "",
    "Chg. Spec. Cap.": "", "DChg. Spec. Cap.": "", "Power": "",
    "数据序号": RECORD, "循环号": CYCLE, "工步号": STEP, "工步类型": STEP_KIND, "时间": STEP_TIME, "总时间": TIME,
    "容量": STEP_CAPACITY, "比容量": SPECIFIC_CAPACITY, "能量": STEP_ENERGY, "绝对时间": UNIX_TIME,
    "充电容量": "", "放电容量": "", "充电能量": "", "放电能量": "",
    # The nested table.
    "Record ID": RECORD, "Capacity Density": SPECIFIC_CAPACITY, "Realtime": UNIX_TIME, "CmpEng": "",
    "记录序号": RECORD,
}  # fmt: skip
_NESTED = (("Cycle ID", "Step ID", "Record ID"), ("循环序号", "工步序号", "记录序号"), ("循环号", "工步号", "记录号"))


def _stem(header: str) -> str:
    return header.split("(")[0].split("/")[0].strip()


def _names(headers: list[str]) -> dict[str, str]:
    return {header: _NAMES[_stem(header)] for header in headers if _stem(header) in _NAMES}


def is_flat(cells: list[str]) -> bool:
    """Whether names are those of the flat table."""
    found = keys(cells)
    return any(found >= needed for needed in _FLAT)


def is_neware(columns: list[str]) -> bool:
    """Whether the columns of a Parquet file are those of the flat table, with or without the number of the row."""
    found = keys(columns)
    return any(found >= needed - {"datapoint", "数据序号"} for needed in _FLAT)


def is_nested(cells: list[str]) -> bool:
    """Whether names are those of the records of the nested table: two empty cells, then the number of the record."""
    return len(cells) > 5 and not cells[0] and not cells[1] and any(_stem(cells[2]) == row[2] for row in _NESTED)


def _is_nested_sheet(rows: list[list[str]]) -> bool:
    """The same by a glimpse at a sheet, which leaves empty cells out: names of cycles, steps and records in a row."""
    first = [_stem(next((cell for cell in row if cell), "")) for row in rows]
    return any(tuple(first[i : i + 3]) in _NESTED for i in range(len(first) - 2))


class NewareTableReader(Reader):
    """Neware export as csv or xlsx, flat or nested, or as Parquet, flat."""

    slug, version, name = "neware_table", 1, "Neware csv/xlsx"

    def recognises(self, peek: Peek) -> bool:
        if any(_is_nested_sheet(rows) for rows in peek.sheets.values()):
            return True
        if peek.head.startswith(parquet.MAGIC):
            return is_neware(peek.columns)
        return has_header(peek, lambda cells: is_flat(cells) or is_nested(cells))

    def read(self, path: Path) -> list[Recording]:
        if parquet.is_parquet(path):
            return [self._flat(parquet.read_grid(path))]
        if is_archive(path):
            return _nested_sheets(path) or [self._flat(grid) for _, grid in tables(path, is_flat, _MISSING)]
        source = open_text(path)
        index = header_line(source.head, is_nested)
        if index is not None:
            return [_nested_text(source, index)]
        index = header_line(source.head, is_flat)
        if index is None:
            raise ReaderError(_MISSING)
        return [self._flat(read_text(source, index))]

    @staticmethod
    def _flat(grid: Grid) -> Recording:
        warnings: Warnings = []
        names = _names(grid.headers)
        _add_time(grid, names, warnings, _changes(grid, names))
        return recording(grid, {"instrument": "Neware"}, warnings, names=names)


def _nested_sheets(path: Path) -> list[Recording]:
    """The Recordings of a workbook with nested tables; empty if it holds none."""
    return [
        _sheet(name, rows, index)
        for name, rows in sheets(path)
        for index in [header_line_of(rows)]
        if index is not None
    ]


def _nested_text(source: Source, index: int) -> Recording:
    """The Recording of a nested table whose names of records stand in the line `index`."""
    lines = source.data.decode(errors="replace").split("\n")
    mark = max(("\t", ";", ","), key=lines[index].count).encode().decode()
    above: dict[int, list[str]] = {}
    # Lines of cycles and steps are emptied, so that those of the records keep their numbers.
    for i, line in enumerate(lines):
        if i > index and line.strip() and not line.startswith(mark * 2):
            above[i + 1] = [cell.strip().strip('"') for cell in line.rstrip("\r").split(mark)]
            lines[i] = ""
    grid = read_text(Source("\n".join(lines).encode(), source.encoding), index)
    heads = [cells_of(line.lstrip("\ufeff")) for line in source.head[max(0, index - 2) : index]]
    return _recording(grid, heads, above)


def header_line_of(rows: list[list[Any]]) -> int | None:
    """Index of the names of the records among the first rows of a sheet, or None."""
    for i, row in enumerate(rows[:HEADER_LINES]):
        if is_nested([text_of(cell) for cell in row]):
            return i
    return None


def _sheet(name: str, rows: list[list[Any]], index: int) -> Recording:
    above = {}
    kept = rows[: index + 1]
    for i, row in enumerate(rows[index + 1 :], index + 2):
        is_record = not text_of(row[0]) and not text_of(row[1])
        if not is_record:
            above[i] = [text_of(cell) for cell in row]
        kept.append(row if is_record else [""] * len(row))
    heads = [[text_of(cell) for cell in row] for row in rows[max(0, index - 2) : index]]
    return _recording(grid_of(name, kept, index), heads, above)


def _recording(grid: Grid, heads: list[list[str]], above: dict[int, list[str]]) -> Recording:
    """Records with the cycle and the step above each of them.

    Raises
    ------
    ReaderError
        If records stand above the first cycle or step.
    """
    cycles = {line: cells for line, cells in above.items() if cells[0]}
    steps = {line: cells for line, cells in above.items() if not cells[0] and len(cells) > 2 and cells[1]}
    first = int(grid.lines[0])
    if not cycles or not steps or min(cycles) > first or min(steps) > first:
        raise ReaderError(
            f"{grid.place(0)}: a record stands before the first row of a cycle and a step. "
            "Export the test again from BTSDA with cycles, steps and records.",
            line=first,
        )
    warnings: Warnings = []
    grid.headers = [*grid.headers, "cycle_number", "step_number", "Step Name"]
    words = _last_above(grid, steps, 2)
    grid.columns = [*grid.columns, _numbers(_last_above(grid, cycles, 0)), _numbers(_last_above(grid, steps, 1)), words]
    if grid.units:
        grid.units = [*grid.units, "", "", ""]
    names = _names(grid.headers[:-3]) | {"cycle_number": CYCLE, "step_number": STEP, "Step Name": STEP_KIND}
    _add_time(grid, names, warnings, np.flatnonzero(np.diff(np.searchsorted(sorted(steps), grid.lines))))
    metadata: dict[str, Any] = {"instrument": "Neware"}
    if heads:
        metadata["tester_cycles"] = _tester_cycles(heads[0], list(cycles.values()))
    return recording(grid, metadata, warnings, names=names)


def _last_above(grid: Grid, rows: dict[int, list[str]], position: int) -> npt.NDArray[np.object_]:
    lines = np.array(sorted(rows), dtype=np.int64)
    cells = np.array([rows[int(line)][position] for line in lines], dtype=object)
    return np.asarray(cells[np.searchsorted(lines, grid.lines, side="right") - 1], dtype=object)


def _numbers(texts: npt.NDArray[np.object_]) -> npt.NDArray[Any]:
    try:
        return texts.astype(np.float64)
    except ValueError:
        return texts


def _tester_cycles(headers: list[str], rows: list[list[str]]) -> list[dict[str, float]]:
    """The tester's own capacities of each cycle, in mAh."""
    wanted = {"cap_chg": "charge_capacity_mAh", "cap_dchg": "discharge_capacity_mAh",
              "充电容量": "charge_capacity_mAh", "放电容量": "discharge_capacity_mAh"}  # fmt: skip
    places: dict[str, tuple[int, float]] = {}
    for i, header in enumerate(headers):
        name = wanted.get(_stem(header).lower())
        fits = unit_of(name, header.partition("(")[2].rstrip(") ") or "mAh") if name else None
        if name and fits:
            places[name] = (i, fits[0])
    found = []
    for row in rows:
        try:
            entry = {"cycle_number": float(row[0])}
            entry |= {name: float(row[i]) * factor for name, (i, factor) in places.items()}
        except (ValueError, IndexError):
            continue
        found.append(entry)
    return found


def _changes(grid: Grid, names: dict[str, str]) -> npt.NDArray[np.int64]:
    """The rows after which another step or cycle begins."""
    found = np.zeros(max(0, len(grid) - 1), dtype=bool)
    for header, cells in zip(grid.headers, grid.columns, strict=True):
        if names.get(header) in (STEP, CYCLE):
            found |= cells[1:] != cells[:-1]
    return np.flatnonzero(found)


def _add_time(grid: Grid, names: dict[str, str], warnings: Warnings, ends: npt.NDArray[np.int64]) -> None:
    """Time since the start from the times of the steps, where the table has no other; `ends` are their last rows."""
    columns = name_series(grid.headers, grid.units, names)
    by_name = {column.name: (column, cells) for column, cells in zip(columns, grid.columns, strict=True)}
    if TIME in by_name or STEP_TIME not in by_name:
        return
    column, cells = by_name[STEP_TIME]
    try:
        step_time = durations_s(cells.tolist(), column.factor)
    except BadTime:
        return  # `recording` names the cell
    if len(ends) and (step_time[ends + 1] >= step_time[ends]).all():
        # It runs on from step to step, so it is the time of the test already.
        names[column.header] = TIME
        return
    # A loop of one step has the same number again.
    ends = np.union1d(ends, np.flatnonzero(np.diff(step_time) < 0))
    offset = np.zeros(len(step_time))
    offset[ends + 1] = step_time[ends]
    grid.headers = [*grid.headers, "time_s"]
    grid.columns = [*grid.columns, step_time + np.cumsum(offset)]
    if grid.units:
        grid.units = [*grid.units, "s"]
    names["time_s"] = TIME
    sentence = "The table has only the time within each step. Time since the start was added up from the steps."
    warnings.append(("time_from_steps", sentence))
