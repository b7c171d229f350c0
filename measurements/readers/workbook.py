"""Excel workbooks (.xlsx): what is inside by a glimpse at the XML, and their sheets as tables by calamine.

Calamine is written in Rust and aborts the process where memory fails, so the size of every sheet is checked before it
opens the file (it is read in the child of the fence only).
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import date, datetime
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np

from measurements.readers.base import ReaderError
from measurements.readers.columns import MAX_COLUMNS, short
from measurements.readers.grid import Cells, Grid, as_column
from measurements.readers.series_columns import is_unit_row

MAX_ENTRIES = 200
MAX_UNPACKED = 1_000_000_000
MAX_RATIO = 100
RATIO_FROM = 10_000_000  # unpacked bytes below which the ratio does not matter
MAX_CELLS = 20_000_000
HEADER_ROWS = 40  # rows in which the names of a table must stand
_CHUNK = 1 << 20
_GLIMPSE = 65_536
_CELL_PLACE = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')
_BEYOND_Z = re.compile(rb'r="[A-Z]{2,3}\d')
_ROW_PLACE = re.compile(rb'<row\b[^>]*?\br="(\d{1,7})"')
_BROKEN_ZIP = (
    OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, NotImplementedError, RuntimeError, EOFError,
)  # fmt: skip
_DAMAGED = "This Excel workbook is damaged or is none. Save it again as .xlsx, or the sheet as CSV, then upload that."

Rows = list[list[Any]]


def is_workbook(head: bytes, members: list[str]) -> bool:
    """Whether a file is an .xlsx by its content."""
    return head.startswith(b"PK\x03\x04") and "xl/workbook.xml" in members


def glimpse(path: Path) -> dict[str, list[list[str]]]:
    """The first rows of every sheet as texts, from the first 64 KiB of its XML; empty if the file cannot be opened."""
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > MAX_ENTRIES:
                return {}
            targets = _targets(archive)
            shared = _shared(archive)
            return {name: _first_rows(_start(archive, target), shared) for name, target in targets.items()}
    except _BROKEN_ZIP:
        return {}


def _start(archive: zipfile.ZipFile, member: str, limit: int = _GLIMPSE) -> str:
    with archive.open(member) as stream:
        return stream.read(limit).decode(errors="replace")


def _targets(archive: zipfile.ZipFile) -> dict[str, str]:
    """File in the archive of each sheet, by the sheet's name."""
    tags = re.findall(r"<Relationship\b[^>]*>", _start(archive, "xl/_rels/workbook.xml.rels"))
    relations = {_attribute(tag, "Id"): _attribute(tag, "Target") for tag in tags}
    found = {}
    for tag in re.findall(r"<(?:\w+:)?sheet\b[^>]*>", _start(archive, "xl/workbook.xml")):
        target = relations.get(_attribute(tag, r"\w+:id"), "")
        member = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        if member in archive.namelist():
            found[unescape(_attribute(tag, "name"))] = member
    return found


def _attribute(tag: str, name: str) -> str:
    match = re.search(rf'\b{name}="([^"]*)"', tag)
    return match[1] if match else ""


def _shared(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    text = _start(archive, "xl/sharedStrings.xml", 4 * _GLIMPSE)
    items = re.findall(r"<si\b[^>]*>(.*?)</si>", text, re.DOTALL)
    return [unescape("".join(re.findall(r"<t\b[^>]*>(.*?)</t>", item, re.DOTALL))) for item in items]


def _first_rows(xml: str, shared: list[str]) -> list[list[str]]:
    rows = []
    for row in re.findall(r"<row\b[^>]*>(.*?)</row>", xml, re.DOTALL)[:HEADER_ROWS]:
        cells = []
        for attributes, content in re.findall(r"<c\b([^>]*?)(?:/>|>(.*?)</c>)", row, re.DOTALL)[:MAX_COLUMNS]:
            value = re.search(r"<(?:v|t)\b[^>]*>(.*?)</(?:v|t)>", content, re.DOTALL)
            text = value[1] if value else ""
            if 't="s"' in attributes:
                text = shared[int(text)] if text.isdigit() and int(text) < len(shared) else ""
            cells.append(unescape(text))
        rows.append(cells)
    return rows


def check_workbook(path: Path) -> None:
    """Refuse a workbook that would break its reader, before anything unpacks it whole.

    Raises
    ------
    ReaderError
        If it has too many parts, unpacks to too much, or a sheet has too many cells or a cell far away.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            unpacked, packed = sum(part.file_size for part in parts), max(1, path.stat().st_size)
            if len(parts) > MAX_ENTRIES or unpacked > MAX_UNPACKED:
                raise ReaderError(
                    f"The workbook has {len(parts)} parts and {unpacked / 1e6:.0f} MB unpacked, more than is read. "
                    "Save the sheet as CSV, then upload that."
                )
            if unpacked > RATIO_FROM and unpacked > MAX_RATIO * packed:
                raise ReaderError(
                    f"The workbook unpacks to {unpacked / packed:.0f} times its size, which no instrument writes. "
                    "Save the sheet as CSV, then upload that."
                )
            for part in parts:
                _check_part(archive, part)
    except _BROKEN_ZIP as error:
        raise ReaderError(_DAMAGED) from error


def _check_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Unpack a part once, so that its size is not only stated, and look for the farthest cell of a sheet."""
    is_sheet = part.filename.startswith("xl/worksheets/")
    rows, columns = 0, 26
    rest = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            if not is_sheet:
                continue
            data = rest + chunk
            rows = max([rows, *map(int, _ROW_PLACE.findall(data))])
            # Cells beyond column Z are rare; to look at every cell would cost more than reading them.
            if columns > 26 or _BEYOND_Z.search(data):
                places = set(_CELL_PLACE.findall(data))
                rows = max([rows, *(int(number) for _, number in places)])
                columns = max([columns, *(_column_number(letters) for letters in {letters for letters, _ in places})])
            if rows * columns > MAX_CELLS:
                raise ReaderError(
                    f"A sheet reaches to row {rows} and column {columns}; up to {MAX_CELLS // 1_000_000} million "
                    "cells are read. Save the part with the data as CSV, then upload that."
                )
            rest = data[-256:]


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def sheets(path: Path) -> Iterator[tuple[str, Rows]]:
    """Name and rows of each sheet; cells are floats, texts, dates, times or durations, "" where empty.

    Raises
    ------
    ReaderError
        If the workbook is damaged or too large.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    check_workbook(path)
    try:
        book = CalamineWorkbook.from_path(str(path))
        for name in book.sheet_names:
            yield name, book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except CalamineError as error:
        raise ReaderError(_DAMAGED) from error


def grid_of(name: str, rows: Rows, header: int, stop: int | None = None) -> Grid:
    """The table of a sheet below the row of names.

    Parameters
    ----------
    name : str
        Of the sheet, for sentences.
    rows : list of list
        As `sheets` gives them.
    header : int
        Index of the row of names; a row of units may follow.
    stop : int, optional
        Index of the row after the last one.

    Raises
    ------
    ReaderError
        If there is no row of numbers below the names.
    """
    headers = [text_of(cell) for cell in rows[header]]
    first, units = header + 1, None
    if first < len(rows) and is_unit_row([text_of(cell) for cell in rows[first]]):
        units, first = [text_of(cell) for cell in rows[first]], first + 1
    is_filled = [any(cell != "" for cell in row) for row in rows[first:stop]]
    body = [row for row, keeps in zip(rows[first:stop], is_filled, strict=True) if keeps]
    if not body:
        raise ReaderError(
            f"Sheet ‘{short(name)}’ has column names, but no row of numbers. Export it again with the data.",
            line=header + 1,
        )
    lines = np.flatnonzero(is_filled) + first + 1
    columns: list[Cells] = [as_column(cells) for cells in zip(*body, strict=True)]
    return Grid(headers, units, columns, lines, short(name), "Excel workbook")


def text_of(cell: Any) -> str:
    """A cell as text, whole numbers without a point."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, (datetime, date)):
        return cell.isoformat(" ") if isinstance(cell, datetime) else cell.isoformat()
    return str(cell).strip() if cell is not None else ""


def header_row(rows: Rows, is_header: Callable[[list[str]], bool]) -> int | None:
    """Index of the first row whose texts are the names of a table, searched in the first rows of a sheet."""
    for i, row in enumerate(rows[:HEADER_ROWS]):
        if is_header([text_of(cell) for cell in row]):
            return i
    return None
