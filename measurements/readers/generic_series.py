"""Any table of time, potential and current: named columns in any order and unit, from text or a workbook.

Where the names mean nothing to us, a person says what the columns are: `preview` lists them, `read_mapped` reads the
file with the person's choice. Both are pure, for a dialog that remembers the choice of an instrument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from measurements.readers.base import ReaderError, Recording, UnknownColumns
from measurements.readers.columns import (
    CURRENT,
    FREQUENCY,
    IMPEDANCE,
    MAX_COLUMNS,
    POTENTIAL,
    TIME,
    Column,
    identify,
    short,
)
from measurements.readers.delimited import Source, open_text, read_grid
from measurements.readers.facts import header_facts
from measurements.readers.grid import Grid
from measurements.readers.series import NEEDED, recording
from measurements.readers.series_columns import NAMED, SeriesColumn, identify_series, is_series, name_series
from measurements.readers.signatures import looks_like_workbook
from measurements.readers.spectrum import header_lines
from measurements.readers.text import MAX_HEADER, Layout, detect_layout, is_comment, numeric_share, split_cells
from measurements.readers.workbook import Rows, grid_of, header_row, sheets, text_of

COMMENTS = ("#", "%", "!", "//")
_SEARCHED = 400  # lines in which a table must begin
_DATA = re.compile(r"\s*[-+−]?[.,]?\d")
_MARK = re.compile(r"^[\s\ufeff]*(?:[#%!]|//)+\s*")


def ways_to_cut(line: str) -> list[list[str]]:
    """The cells of a line of names, by every mark that stands in it."""
    text = _MARK.sub("", line).strip().lstrip("\ufeff")
    ways = [split_cells(text, mark) for mark in ("\t", ";", ",") if mark in text]
    return [*ways, [cell.strip() for cell in re.split(r"\s{2,}", text) if cell.strip()], text.split()]


def find_heading(lines: list[str]) -> tuple[int, list[str]] | None:
    """Index and cells of the first line that names a time and a potential or current; None if there is none."""
    for i, line in enumerate(lines[:_SEARCHED]):
        if not 3 <= len(line) <= MAX_HEADER or _DATA.match(line):
            continue
        for cells in ways_to_cut(line):
            if 2 <= len(cells) <= MAX_COLUMNS and is_series(cells):
                return i, cells
    return None


def read_text(source: Source, heading: tuple[int, list[str]]) -> list[Recording]:
    """The Recording below a heading."""
    grid = _grid_below(source, *heading)
    return [_recording(grid, source.head[: heading[0]])]


def _grid_below(source: Source, index: int, cells: list[str]) -> Grid:
    line = source.head[index]
    return read_grid(source, index, headers=None if not _MARK.match(line) else cells)


def read_sheet(name: str, rows: Rows, header: int) -> Recording:
    """The Recording of a sheet below its row of names."""
    above = ["\t".join(filter(None, map(text_of, row))) for row in rows[:header]]
    return _recording(grid_of(name, rows, header), above)


def sheet_heading(rows: Rows) -> int | None:
    """Index of the row of a sheet that names a time and a potential or current."""
    return header_row(rows, lambda cells: sum(1 for cell in cells if cell) > 1 and is_series(cells))


def _recording(grid: Grid, above: list[str], **options: Any) -> Recording:
    metadata: dict[str, Any] = {"header": header_lines(above)}
    metadata |= header_facts(above)
    needed = _needed(name_series(grid.headers, grid.units, options.get("names"), options.get("units")), options)
    return recording(grid, metadata, counters_per_step=None, units_may_miss=False, needed=needed, **options)


def _needed(columns: list[SeriesColumn], options: Mapping[str, Any]) -> tuple[str, ...]:
    """Time, potential and current; but a current at a voltage that only a person knows has no column of potential.

    That is a table in which no column is left that could be it, or one whose columns a person has named.
    """
    names = {column.name for column in columns}
    has_other = any(column.name not in NAMED for column in columns if column.header)
    if CURRENT in names and POTENTIAL not in names and (options.get("names") or not has_other):
        return TIME, CURRENT
    return NEEDED


def unknown_columns(headers: list[str], line: int | None = None) -> UnknownColumns:
    """The refusal of a table whose names mean nothing to us."""
    seen = ", ".join(short(header) for header in headers[:12] if header) or "none"
    more = f" and {len(headers) - 12} more" if len(headers) > 12 else ""
    if _are_garbled(headers):
        return UnknownColumns(
            f"The names of the columns are garbled: the file was written in GBK and saved in another encoding. Columns "
            f"seen: {seen}{more}. Export it again and upload that as it is, or choose which is the time, the potential "
            "and the current.",
            line=line,
        )
    return UnknownColumns(
        f"The columns of this table are not known. Columns seen: {seen}{more}. "
        "Choose which is the time, the potential and the current, or the frequency, Z′ and Z″; or name them in the "
        "file, for example time_s, potential_V, current_A.",
        line=line,
    )


def is_filled(rows: Rows) -> bool:
    """Whether any cell of a sheet holds something."""
    return any(text_of(cell) for row in rows for cell in row)


def no_table() -> ReaderError:
    """The refusal of a workbook without a filled cell: nobody can choose among columns that are not there."""
    return ReaderError(
        "This workbook holds no table: its sheets are empty, or hold only charts. Export the record of the measurement "
        "as a table with one row per point, with time, potential and current, or frequency, Z′ and Z″; then upload "
        "that."
    )


def nameless_columns(width: int, line: int, why: str = "") -> UnknownColumns:
    """The refusal of a table without names that is not taken for an impedance; `why` ends a half sentence."""
    return UnknownColumns(
        f"No frequency column found: the table on line {line} has {width} columns without names{why}. Choose which is "
        "the time, the potential and the current, or the frequency, Z′ and Z″; or write names into the line above it, "
        "for example time_s, potential_V, current_A, or frequency_Hz, z_real_ohm, z_imag_ohm.",
        line=line,
    )


def _are_garbled(headers: list[str]) -> bool:
    """Whether Chinese names in GBK were taken for UTF-8 (marks of lost letters) or Latin-1 (accents side by side)."""
    if sum(header.count("\ufffd") for header in headers) > 1:
        return True
    accents = [header for header in headers if re.search(r"[\u0080-\u00ff]{4}", header)]
    with suppress(UnicodeError):
        words = [header.encode("latin-1").decode("gb18030") for header in accents]
        return len(words) > 1 and all(re.search(r"[\u4e00-\u9fff]{2}", word) for word in words)
    return False


def preview(path: Path, rows: int = 5) -> list[dict[str, Any]]:
    """What a dialog shows of a table, so that a person can say what its columns are.

    Returns
    -------
    list of dict
        For each column: ``header`` (the key for `read_mapped`), ``guess`` (canonical name or ``""``), ``unit`` (as read
        from the header, or None) and ``sample`` (texts of the first rows).

    Raises
    ------
    ReaderError
        If no table is found.
    """
    grid, _ = _any_grid(path, None)
    columns = name_series(grid.headers, grid.units)
    spectral = {header: identify(header) for header in grid.headers}
    is_spectrum = any(column.name == FREQUENCY for column in spectral.values())
    return [
        {
            "header": header,
            "guess": _guess(spectral[header]) if is_spectrum else column.name if column.name in NAMED else "",
            "unit": column.unit,
            "sample": [text_of(cell) for cell in cells[:rows].tolist()],
        }
        for header, column, cells in zip(grid.headers, columns, grid.columns, strict=True)
        if header
    ]


def _guess(column: Column) -> str:
    """The name of a column of an impedance, with a minus where its header has one."""
    name = f"-{column.name}" if column.factor < 0 else column.name
    return name if name in IMPEDANCE else ""


def read_mapped(path: Path, mapping: Mapping[str, str], units: Mapping[str, str] | None = None) -> list[Recording]:
    """Read a table whose columns a person has named.

    Parameters
    ----------
    path : Path
        Text or .xlsx.
    mapping : dict
        Header in the file to canonical name (`measurements.readers.columns.SERIES`), or ``""`` for a column that keeps
        its own name. Columns that are not mentioned are named by their headers as always. A table without names has
        the headers "column 1", "column 2", …
    units : dict, optional
        Header to unit ("mA", "h", "Ah"), before what the header says.

    Raises
    ------
    ReaderError
        A header is not in the file, a name or unit does not exist, two columns have the same name, or the table is bad.
    """
    told = {header.strip(): name for header, name in mapping.items()}
    given = [name for name in told.values() if name]
    twice = next((name for name in given if given.count(name) > 1), None)
    if twice:
        raise ReaderError(f"Two columns are named {twice}. Choose one of them.")
    grid, above = _any_grid(path, set(told))
    # A column the person did not choose must not take a name that another one was given.
    for header in grid.headers:
        text = header.strip()
        if text not in told and identify_series(text).name in given:
            told[text] = ""
    return [_recording(grid, above, names=told, units=dict(units or {}))]


def _any_grid(path: Path, wanted: set[str] | None) -> tuple[Grid, list[str]]:
    """The table that has the wanted headers (None: the likeliest one), and the lines above it."""
    with path.open("rb") as stream:
        head = stream.read(65_536)
    if looks_like_workbook(head):
        return _any_sheet(path, wanted)
    source = open_text(path)
    if wanted is not None:
        for i, line in enumerate(source.head[:_SEARCHED]):
            cells = next((cells for cells in ways_to_cut(line) if wanted <= set(cells)), None)
            if cells is not None and wanted:
                return _grid_below(source, i, cells), source.head[:i]
    heading = find_heading(source.head)
    if heading is not None and wanted is None:
        return _grid_below(source, *heading), source.head[: heading[0]]
    grid, above = _first_table(source)
    _check_wanted(wanted, grid.headers)
    return grid, above


def _any_sheet(path: Path, wanted: set[str] | None) -> tuple[Grid, list[str]]:
    best: tuple[Grid, list[str]] | None = None
    seen: list[str] = []
    has_cells = False
    for name, rows in sheets(path):
        has_cells = has_cells or is_filled(rows)
        header = header_row(rows, lambda cells: wanted <= set(cells)) if wanted else sheet_heading(rows)
        if header is None and wanted is None:
            header = _row_of_names(rows)
        if header is None or header + 1 >= len(rows):
            seen += [text_of(cell) for cell in rows[0]][:12] if rows else []
            continue
        grid = grid_of(name, rows, header)
        if best is None or len(grid) > len(best[0]):
            best = grid, ["\t".join(filter(None, map(text_of, row))) for row in rows[:header]]
    if best is None:
        raise unknown_columns(seen) if has_cells else no_table()
    return best


def _row_of_names(rows: Rows) -> int | None:
    """The row of words above the first row of numbers."""
    for i, row in enumerate(rows[1:_SEARCHED], 1):
        if sum(isinstance(cell, float) for cell in row) > 1 and all(
            isinstance(cell, str) for cell in rows[i - 1] if cell != ""
        ):
            return i - 1
    return None


def _first_table(source: Source) -> tuple[Grid, list[str]]:
    """The first table of numbers, with the names above it or with numbered ones."""
    head = enumerate(source.head[:_SEARCHED])
    lines = [(i, line) for i, line in head if line.strip() and not is_comment(line, COMMENTS)]
    for (i, line), (_, following) in pairwise(lines):
        layout = detect_layout([line, following]) if _DATA.match(line) else None
        if layout is None or numeric_share(line, layout)[0] < 2:
            continue
        width = len(split_cells(line, layout.separator))
        for above in range(i - 1, max(-1, i - 4), -1):
            cells = next((way for way in ways_to_cut(source.head[above]) if abs(len(way) - width) <= 1), None)
            if cells and len(cells) > 1 and any(re.search(r"[^\W\d]", cell) for cell in cells):
                return _grid_below(source, above, cells), source.head[:above]
        return _numbered(source, i, layout, width), source.head[:i]
    raise ReaderError(
        "No table of numbers found. Export the measurement as text with one row per point, then upload that."
    )


def _numbered(source: Source, first: int, layout: Layout, width: int) -> Grid:
    names = [f"column {position + 1}" for position in range(width)]
    if first:
        return read_grid(source, first - 1, headers=names, units=(), layout=layout)
    # The table begins in the first line: an empty one above it stands for the names.
    shifted = Source(b"\n" + source.data, source.encoding)
    grid = read_grid(shifted, 0, headers=names, units=(), layout=layout)
    grid.lines = grid.lines - np.int64(1)
    return grid


def _check_wanted(wanted: set[str] | None, headers: list[str]) -> None:
    missing = [header for header in wanted or () if header not in {text.strip() for text in headers}]
    if missing:
        seen = ", ".join(short(header) for header in headers[:12] if header) or "none"
        raise ReaderError(
            f"The column ‘{short(missing[0])}’ is not in this file. Columns seen: {seen}. Choose the columns again."
        )
