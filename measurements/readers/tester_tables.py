"""Tables of testers that come as text or as a workbook alike, told by the names in their header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from measurements.readers.base import Peek, ReaderError
from measurements.readers.delimited import Source, open_text, read_grid
from measurements.readers.grid import Grid
from measurements.readers.series_columns import key_of
from measurements.readers.text import split_cells, split_lines
from measurements.readers.workbook import grid_of, header_row, sheets

HEADER_LINES = 80  # lines of text in which the names of a table must stand
_MARKS = ("\t", ";", ",")

IsHeader = Callable[[list[str]], bool]


def cells_of(line: str) -> list[str]:
    """The cells of a line of names by whichever mark cuts it into most."""
    ways = [split_cells(line, mark) for mark in _MARKS if mark in line]
    return max(ways, key=len, default=[line])


def header_line(lines: list[str], is_header: IsHeader) -> int | None:
    """Index of the line of names among the first lines of a text, or None."""
    return next((i for i, line in enumerate(lines[:HEADER_LINES]) if is_header(cells_of(line.lstrip("\ufeff")))), None)


@lru_cache(maxsize=1)
def _first_cells(text: str) -> list[list[str]]:
    """The first lines of a text in cells, cut once for all readers that look at them."""
    return [cells_of(line.lstrip("\ufeff")) for line in split_lines(text)[:HEADER_LINES]]


def has_header(peek: Peek, is_header: IsHeader) -> bool:
    """Whether a text file, or a sheet of a workbook, holds the header of a tester."""
    if peek.head.startswith(b"PK\x03\x04"):
        return any(is_header(row) for rows in peek.sheets.values() for row in rows)
    return any(map(is_header, _first_cells(peek.text)))


def tables(path: Path, is_header: IsHeader, missing: str) -> Iterator[tuple[list[str], Grid]]:
    """The table of a text file, or of each sheet of a workbook that has one, with the lines above it.

    Parameters
    ----------
    path : Path
    is_header : callable
        Whether the cells of a line are the names of the table.
    missing : str
        The sentence where there is no such table.

    Raises
    ------
    ReaderError
        If there is none, or it cannot be read.
    """
    if not is_archive(path):
        source = open_text(path)
        index = header_line(source.head, is_header)
        if index is None:
            raise ReaderError(missing)
        yield source.head[:index], read_text(source, index)
        return
    count = 0
    for name, rows in sheets(path):
        index = header_row(rows, is_header)
        if index is not None:
            count += 1
            yield [], grid_of(name, rows, index)
    if not count:
        raise ReaderError(missing)


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive, as workbooks are."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def read_text(source: Source, index: int) -> Grid:
    """The table below a line of names."""
    grid = read_grid(source, index)
    grid.headers = [header.strip().strip('"') for header in grid.headers]
    return grid


def keys(cells: list[str]) -> set[str]:
    """The names of a header without units, blanks and marks: "Test_Time(s)" is "testtime"."""
    return {key_of(cell.split("(")[0].split("[")[0].split("/")[0]) for cell in cells}
