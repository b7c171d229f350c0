"""LAND, LANDT and LANHE testers (CT2001A): every layout of their text and Excel exports.

One layout was confirmed with a vendor file, the English csv with ``date_time_iso_string``. All others are a layout from
documentation, not yet confirmed with a vendor file: the old one that begins with Index, the V7 sheets Cycle-Tab,
Step-Tab and Record-Tab, records split by cycle into blocks side by side, one csv of three sections, the Chinese names,
LANHE G3, three columns of text, and the English text with Rec# and Cyc#.

Units stand in the headers. Charge is positive. Capacity and energy are unsigned and begin anew in every step; SOC|DOD
does too, so that it is no state of charge. "-" means that the channel was not connected: no value, not 0.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from measurements.readers.base import Peek, Reader, ReaderError, Recording, Warnings
from measurements.readers.columns import short
from measurements.readers.delimited import Source, open_text, read_grid
from measurements.readers.grid import Grid, as_column
from measurements.readers.land_tables import information, kind_of_table, table_rows
from measurements.readers.series import recording
from measurements.readers.series_columns import key_of
from measurements.readers.spectrum import header_lines
from measurements.readers.text import split_cells
from measurements.readers.workbook import HEADER_ROWS, Rows, grid_of, header_row, sheets, text_of

NOTE = "layout from documentation, not yet confirmed with a vendor file"
_INSTRUMENT = "LAND battery tester"
_SECTION = re.compile('\n"?(?:Cycle|Step|Record|Index|循环序号|工步序号|步骤序号|记录序号)"?[,;\t]'.encode())
_BLOCK = re.compile(r"(?:cycle|循环)\s*[-#]?\s*(\d+)", re.IGNORECASE)
_SINTEF = {"date_time_iso_string", "test_time_s", "channel_index", "step_name"}
_SALES = {"rec#", "cyc#", "test(sec)", "dpt-time"}
_MARKS = ("\t", ",", ";")


class LandReader(Reader):
    """LAND, LANDT, LANHE: csv, txt and xlsx exports, English and Chinese."""

    slug, version, name = "land", 1, "LAND export (csv, txt, xlsx)"

    def recognises(self, peek: Peek) -> bool:
        if peek.head.startswith(b"PK\x03\x04"):
            return any(_is_table(row) for rows in peek.sheets.values() for row in rows[:HEADER_ROWS])
        return any(_is_table(_cells(line)) for line in peek.text[:16_384].splitlines()[:HEADER_ROWS])

    def read(self, path: Path) -> list[Recording]:
        with path.open("rb") as stream:
            is_workbook = stream.read(4) == b"PK\x03\x04"
        return _read_workbook(path) if is_workbook else _read_text(open_text(path))


def _cells(line: str) -> list[str]:
    text = line.lstrip("\ufeff")
    mark = next((mark for mark in _MARKS if mark in text), None)
    return split_cells(text, mark) if mark else [text]


def is_records(cells: list[str]) -> bool:
    """Whether a row holds the names of a table of records."""
    stems = {cell.partition("/")[0].strip() for cell in cells}
    lower = {cell.strip().lower() for cell in cells}
    if lower >= _SINTEF or lower >= _SALES:
        return True
    return bool(stems & {"TestTime", "测试时间"}) and any(
        {f"{one}/", f"{other}/"} <= {f"{cell.partition('/')[0].strip()}/" for cell in cells if "/" in cell}
        for one, other in (("Voltage", "Current"), ("电压", "电流"))
    )


def _is_table(cells: list[str]) -> bool:
    """Whether a row is of a LAND export; tables of cycles count by names that no other tester uses."""
    return is_records(cells) or (
        kind_of_table(cells) == "cycles"
        and any(cell.startswith(("CapC/", "SpeCapC/", "充电比容量/")) for cell in cells)
    )


def _read_text(source: Source) -> list[Recording]:
    headers = _section_lines(source)
    grids: list[Grid] = []
    facts: dict[str, Any] = {}
    for position, header in enumerate(headers):
        stop = headers[position + 1] if position + 1 < len(headers) else None
        cells = _cells(_line(source, header))
        kind = kind_of_table(cells)
        if is_records(cells):
            grids.append(read_grid(source, header, stop=stop))
        elif kind:
            facts.setdefault(f"tester_{kind}", []).extend(table_rows(read_grid(source, header, stop=stop)))
    first = next((header for header in headers if is_records(_cells(_line(source, header)))), 0)
    if first and first == headers[0]:
        facts["header"] = header_lines([line.rstrip(",;\t ") for line in source.head[:first]])
    return _recordings(grids, facts)


def _section_lines(source: Source) -> list[int]:
    """Indices of the lines that name a table."""
    found = []
    line = position = 0
    starts = [0, *(match.start() + 1 for match in _SECTION.finditer(source.data))]
    for start in starts:
        line += source.data.count(b"\n", position, start)
        position = start
        cells = _cells(_line_at(source, position))
        if is_records(cells) or kind_of_table(cells) or "Mode" in cells:
            found.append(line)
    if not found:
        found = [i for i, text in enumerate(source.head[: 5 * HEADER_ROWS]) if is_records(_cells(text))][:1]
    return found


def _line(source: Source, index: int) -> str:
    return _line_at(source, source.offset(index))


def _line_at(source: Source, position: int) -> str:
    end = source.data.find(b"\n", position)
    return source.data[position : end if end >= 0 else len(source.data)].decode(errors="replace").rstrip("\r")


def _read_workbook(path: Path) -> list[Recording]:
    grids: list[Grid] = []
    facts: dict[str, Any] = {}
    for name, rows in sheets(path):
        if name.strip().lower() == "test information":
            facts |= information(rows)
            continue
        header = header_row(rows, is_records)
        table = header_row(rows, lambda cells: bool(kind_of_table(cells)))
        if header is not None and header > 0 and _blocks(rows[header - 1]):
            grids.append(_unfolded(name, rows, header))
        elif header is not None:
            grids.append(grid_of(name, rows, header))
        elif table is not None and len(rows) > table + 1:
            kind = kind_of_table([text_of(cell) for cell in rows[table]])
            facts.setdefault(f"tester_{kind}", []).extend(table_rows(grid_of(name, rows, table)))
        elif grids and name.startswith("Record") and rows:
            # The sheet was full: the records go on in the next one, without names.
            grids.append(_continued(name, rows, grids[-1]))
    return _recordings(grids, facts)


def _continued(name: str, rows: Rows, before: Grid) -> Grid:
    width = len(before.headers)
    padded = [[*row, *([""] * (width - len(row)))][:width] for row in rows]
    grid = grid_of(name, [list(before.headers), *padded], 0)
    grid.lines -= 1  # there is no row of names
    return grid


def _blocks(row: list[Any]) -> list[tuple[int, int]]:
    """First column and cycle number of the blocks that a row of "Cycle 1", "Cycle 2" … begins."""
    matches = ((i, _BLOCK.fullmatch(text_of(cell))) for i, cell in enumerate(row))
    return [(i, int(match[1])) for i, match in matches if match]


def _unfolded(name: str, rows: Rows, header: int) -> Grid:
    """Blocks side by side, one for each cycle, as one table below each other."""
    starts = _blocks(rows[header - 1])
    edges = [start for start, _ in starts[1:]] + [max(len(row) for row in rows[header:])]
    parts: list[tuple[list[str], list[list[Any]], list[int], int]] = []
    for (start, cycle), end in zip(starts, edges, strict=True):
        names = [text_of(cell) for cell in rows[header][start:end]]
        body: list[list[Any]] = []
        lines: list[int] = []
        for number, row in enumerate(rows[header + 1 :], header + 2):
            cells = row[start:end]
            # Blocks are of different length: a row with nothing but its record number fills up.
            if sum(cell != "" for cell in cells) > 1:
                body.append(cells)
                lines.append(number)
        parts.append((names, body, lines, cycle))
    order = list(dict.fromkeys(cell for names, *_ in parts for cell in names if cell))
    columns = []
    for wanted in order:
        cells = [row[names.index(wanted)] if wanted in names else "" for names, body, *_ in parts for row in body]
        columns.append(as_column(cells))
    count = [len(body) for _, body, *_ in parts]
    if not any(key_of(header) in ("cycleno", "cycleindex", "循环序号") for header in order):
        order.append("CycleNo")
        columns.append(np.repeat(np.array([float(cycle) for *_, cycle in parts]), count))
    places = np.array([line for *_, lines, _ in parts for line in lines], dtype=np.int64)
    return Grid(order, None, columns, places, short(name), "Excel workbook, one block for each cycle")


def _joined(grids: list[Grid]) -> Grid:
    first = grids[0]
    if len(grids) == 1:
        return first
    columns = []
    for position in range(len(first.headers)):
        parts = [grid.columns[position] for grid in grids]
        is_text = any(part.dtype == object for part in parts)
        columns.append(np.concatenate([part.astype(object) if is_text else part for part in parts]))
    names = " / ".join(dict.fromkeys(grid.sheet for grid in grids))
    return replace(first, columns=columns, lines=np.concatenate([grid.lines for grid in grids]), sheet=names)


def _recordings(grids: list[Grid], facts: dict[str, Any]) -> list[Recording]:
    if not grids:
        raise ReaderError(
            "No table of records found in this LAND export. Export it with ‘all records’, then upload that."
        )
    groups: list[list[Grid]] = []
    for grid in grids:
        # Tables with the same names go on; other names are another channel.
        if groups and groups[-1][0].headers == grid.headers:
            groups[-1].append(grid)
        else:
            groups.append([grid])
    found = []
    for group in groups:
        grid = _joined(group)
        is_confirmed = {header.strip().lower() for header in grid.headers} >= _SINTEF
        own = {"instrument": _INSTRUMENT, **facts} | ({} if is_confirmed else {"reader_note": NOTE})
        found.append(_one(grid, own, is_confirmed))
    return found


def _one(grid: Grid, facts: dict[str, Any], is_lab_csv: bool) -> Recording:
    names = {"channel_index": "record_number"} if is_lab_csv else {}
    warnings: Warnings = []
    return recording(
        grid,
        facts,
        warnings,
        names=names,
        units=_lost_units(grid.headers),
        date_order="mdy" if is_lab_csv else "",
        counters_per_step=is_lab_csv,
        units_may_miss=False,
    )


def _lost_units(headers: list[str]) -> dict[str, str]:
    """Units of "CapacityC", "EnergyD/", which LAND writes without: those of Capacity and Energy."""
    units = {}
    stated = {key_of(header.partition("/")[0]): header.partition("/")[2] for header in headers}
    for header in headers:
        stem = key_of(header.partition("/")[0])
        base = {"capacityc": "capacity", "capacityd": "capacity", "energyc": "energy", "energyd": "energy"}.get(stem)
        if base and not header.partition("/")[2] and stated.get(base):
            units[header.strip()] = stated[base]
    return units
