"""Long tables of text: bytes to columns at the speed of Arrow, and line by line only where a row is odd.

The fast way reads a table whose rows all have the same number of cells and whose columns of numbers hold numbers. Any
other table is read again by the slow way, which mends what is harmless and names line, column and cause of the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv

from measurements.readers.bad_rows import wrong_width
from measurements.readers.base import ReaderError
from measurements.readers.clock import BadTime, durations_s, is_missing
from measurements.readers.columns import MAX_COLUMNS, TIME
from measurements.readers.grid import Cells, Grid, as_column
from measurements.readers.series_columns import is_unit_row, name_series
from measurements.readers.signatures import refuse_binary
from measurements.readers.text import (
    EMPTY,
    LONG_NAMES,
    MAX_HEADER,
    NO_ROWS,
    Layout,
    as_utf8,
    detect_layout,
    is_number,
    refuse_long_lines,
    split_cells,
    split_lines,
    trimmed,
)

MAX_SERIES_BYTES = 500_000_000
_HEAD = 65_536
_NULLS = ["", "-", "--", "---", "nan", "NaN", "NAN", "-nan", "n/a", "N/A", "null", "NULL", "None"]
_SAMPLE = 200  # rows that tell numbers from texts, or whether a time goes on
_ENCODINGS = {"gb18030": "GB18030", "utf-16": "UTF-16", "cp1252": "Windows-1252"}


@dataclass
class Source:
    """A text file as UTF-8 bytes without a mark, whatever it was."""

    data: bytes
    encoding: str = "utf-8"

    @cached_property
    def head(self) -> list[str]:
        """The whole lines of the first 64 KiB; line n of the file is ``head[n - 1]``."""
        part = self.data[:_HEAD].decode(errors="replace")
        lines = split_lines(part)
        return lines if len(self.data) <= _HEAD else lines[:-1] or lines

    @property
    def ends_with_newline(self) -> bool:
        return self.data.endswith(b"\n")

    def offset(self, line: int) -> int:
        """Where the line with this index (counted from 0) begins in `data`."""
        position = 0
        for _ in range(line):
            found = self.data.find(b"\n", position)
            if found < 0:
                return len(self.data)
            position = found + 1
        return position

    def words(self, layout: Layout | None) -> str:
        """For people: "GB18030, decimal point, comma"."""
        return ", ".join(word for word in (_ENCODINGS.get(self.encoding), layout.words if layout else "") if word)


def open_text(path: Path) -> Source:
    """A text file of any size that a tester writes.

    Raises
    ------
    ReaderError
        If it is empty, binary, or larger than 500 MB.
    """
    size = path.stat().st_size
    if size > MAX_SERIES_BYTES:
        raise ReaderError(
            f"The file has {size / 1e6:.0f} MB; text is read up to {MAX_SERIES_BYTES // 1_000_000} MB. "
            "Export fewer cycles into one file."
        )
    data = path.read_bytes()
    refuse_binary(data[:_HEAD], path.suffix.lower())
    data, encoding = as_utf8(data)
    if not data[:_HEAD].strip(b"\r\n\t \x1a\x00") and not data.strip(b"\r\n\t \x1a\x00"):
        raise ReaderError(EMPTY)
    if b"\n" not in data or b"\r\r\n" in data[:_HEAD]:
        data = "\n".join(split_lines(data.decode())).encode()
    return Source(data.rstrip(b"\x1a"), encoding)


def read_grid(
    source: Source,
    header: int,
    *,
    stop: int | None = None,
    layout: Layout | None = None,
    headers: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
) -> Grid:
    """The table whose names stand on one line, with a line of units below it if there is one.

    Parameters
    ----------
    source : Source
    header : int
        Index of the line of names, counted from 0.
    stop : int, optional
        Index of the line after the last row; by default the end of the file.
    layout : Layout, optional
        Separator and decimal sign; found out if not given.
    headers, units : list of str, optional
        If given, they are not read from the file.

    Raises
    ------
    ReaderError
        With line, cause and next step; `BadRow` where one row is wrong.
    """
    begin = source.offset(header)
    after = source.data.find(b"\n", begin)
    after = len(source.data) if after < 0 else after + 1
    heading = source.data[begin:after].decode(errors="replace").rstrip("\r\n")
    if len(heading) > MAX_HEADER:
        raise ReaderError(LONG_NAMES, header + 1)
    end = len(source.data) if stop is None else source.offset(stop)
    sample = split_lines(source.data[after : min(end, after + _HEAD)].decode(errors="replace"))[: _SAMPLE + 1]
    if after + _HEAD < end and 1 < len(sample) <= _SAMPLE:
        sample.pop()  # cut off by the end of the head
    sample = [line for line in sample if _has_content(line)]
    first_line = header + 2
    layout = layout or detect_layout(sample[1:] or sample) or _layout_of(heading)
    names = list(headers) if headers is not None else _names(heading, layout)
    if sample and units is None:
        cells = split_cells(sample[0], layout.separator)
        if is_unit_row(cells):
            units = cells
            # The line of units is the first one with content.
            while after < end:
                line_end = source.data.find(b"\n", after)
                line = source.data[after : end if line_end < 0 else line_end]
                after, first_line = (end if line_end < 0 else line_end + 1), first_line + 1
                if line.strip():
                    break
            sample = sample[1:]
    if not sample:
        raise ReaderError(NO_ROWS, header + 1)
    is_end = not source.data[end:].strip()
    block = _Block(source.data, after, end, first_line, names, list(units) if units else None, layout, is_end)
    grid = block.read(sample)
    grid.seen, grid.decimal = source.words(layout), layout.decimal
    return grid


def _layout_of(heading: str) -> Layout:
    return Layout(next((mark for mark in ("\t", ";", ",") if mark in heading), None), ".")


def _names(heading: str, layout: Layout) -> list[str]:
    if layout.separator is None:
        return [cell for cell in re.split(r"\s{2,}|\t", heading.strip()) if cell]
    marks = layout.separator if layout.separator in heading else _layout_of(heading).separator
    return split_cells(heading, marks)


def _has_content(line: str) -> bool:
    return bool(line.strip(" \t;,\x0c\x1a"))


@dataclass
class _Block:
    """The rows below a header."""

    data: bytes  # of the whole file
    start: int
    end: int
    first_line: int
    names: list[str]
    units: list[str] | None
    layout: Layout
    is_end: bool  # nothing follows in the file

    def read(self, sample: list[str]) -> Grid:
        self._fit_names(sample)
        fast = self._fast(sample) if self.layout.separator is not None else None
        return fast or self._slow()

    def _fit_names(self, sample: list[str]) -> None:
        """As many names as most rows have cells: rows may end with a separator, and headings as well."""
        widths = Counter(len(split_cells(line, self.layout.separator)) for line in sample[: _SAMPLE // 2])
        width = widths.most_common(1)[0][0]
        most = max(width, len(self.names))
        if most > MAX_COLUMNS:
            raise ReaderError(f"The table has {most} columns; up to {MAX_COLUMNS} are read. Export fewer columns.")
        if self.layout.separator is None and len(self.names) != width:
            heading = " ".join(self.names)
            ways = [heading.split(), re.findall(r"\S+(?:\s*[\[(][^\])]*[\])])?", heading)]
            self.names = next((way for way in ways if len(way) == width), self.names)
        while len(self.names) > width and not self.names[-1]:
            self.names.pop()
        self.names += [""] * (width - len(self.names))

    def _fast(self, sample: list[str]) -> Grid | None:
        """All rows by Arrow; None if any of them is odd."""
        rows = [split_cells(line, self.layout.separator) for line in sample]
        width = len(self.names)
        full = [row for row in rows if len(row) == width]
        if not full or any(len(row) != width for row in rows[:-1]):
            return None
        keys = [str(i) for i in range(width)]
        types = {}
        for key, cells in zip(keys, zip(*full, strict=True), strict=True):
            has_numbers = all(is_missing(cell) or is_number(cell, self.layout.decimal) for cell in cells)
            types[key] = pa.float64() if has_numbers else pa.string()
        is_quoted = b'"' in self.data
        # Without quotes and empty lines each line is a row, and nobody need count them.
        table = self._table(keys, types, is_quoted=False, skips_empty=False) if not is_quoted and width > 1 else None
        lines: npt.NDArray[np.int64] | None
        if table is not None:
            lines = np.arange(self.first_line, self.first_line + table.num_rows, dtype=np.int64)
        else:
            table = self._table(keys, types, is_quoted=is_quoted, skips_empty=True)
            lines = self._lines(table.num_rows) if table is not None else None
        if table is None or lines is None:
            return None
        columns = [_array(table[key]) for key in keys]
        return self._without_empty(Grid(self.names, self.units, columns, lines))

    def _table(self, keys: list[str], types: dict[str, Any], *, is_quoted: bool, skips_empty: bool) -> pa.Table | None:
        """The rows by Arrow; None if any of them does not fit."""
        end = self.end
        while end > self.start and self.data[end - 1] in b"\r\n":
            end -= 1
        try:
            return pacsv.read_csv(
                pa.BufferReader(pa.py_buffer(memoryview(self.data)[self.start : end])),
                # One block: its numbers become arrays without a copy.
                read_options=pacsv.ReadOptions(column_names=keys, use_threads=False, block_size=MAX_SERIES_BYTES),
                parse_options=pacsv.ParseOptions(
                    delimiter=self.layout.separator,
                    quote_char='"' if is_quoted else False,
                    ignore_empty_lines=skips_empty,
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=types, null_values=_NULLS, strings_can_be_null=True, decimal_point=self.layout.decimal
                ),
            )
        except pa.ArrowInvalid:
            return None

    def _lines(self, rows: int) -> npt.NDArray[np.int64] | None:
        """The line of each row; None if it cannot be told."""
        is_open = self.data[self.end - 1 : self.end] != b"\n"
        if self.data.count(b"\n", self.start, self.end) + is_open == rows:
            return np.arange(self.first_line, self.first_line + rows, dtype=np.int64)
        lines = self.data[self.start : self.end].split(b"\n")
        found = [number for number, line in enumerate(lines, self.first_line) if line.strip(b"\r")]
        return np.array(found, dtype=np.int64) if len(found) == rows else None

    @staticmethod
    def _without_empty(grid: Grid) -> Grid:
        """Without the rows of nothing but separators that spreadsheets write."""
        empty = np.ones(len(grid), dtype=bool)
        for column in grid.columns:
            empty &= np.isnan(column) if column.dtype == np.float64 else column == ""
            if not empty.any():
                return grid
        return grid.where(~empty)

    def _slow(self) -> Grid:
        text = self.data[self.start : self.end].decode(errors="replace")
        numbered = [
            (number, line) for number, line in enumerate(split_lines(text), self.first_line) if _has_content(line)
        ]
        numbered = self._without_footer(numbered)
        if not numbered:
            raise ReaderError(NO_ROWS, self.first_line)
        refuse_long_lines(numbered)
        cells = [split_cells(line, self.layout.separator) for _, line in numbered]
        usual = Counter(len(row) for row in cells)
        for position, row in enumerate(cells):
            if len(row) != len(self.names):
                cells[position] = self._fitted(position, numbered, row, usual, cells)
        lines = np.array([number for number, _ in numbered], dtype=np.int64)
        columns: list[Cells] = [as_column(texts, self.layout.decimal) for texts in zip(*cells, strict=True)]
        return self._without_empty(Grid(self.names, self.units, columns, lines))

    def _without_footer(self, numbered: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Words below the table ("End of test") are no rows."""
        end = len(numbered)
        while end > 1 and end > len(numbered) - 20:
            row = split_cells(numbered[end - 1][1], self.layout.separator)
            if any(is_number(cell, self.layout.decimal) for cell in row) or len(row) >= len(self.names):
                break
            if re.match(r"\s*[-+]?[.,]?\d", numbered[end - 1][1]) or not re.search(r"\w", numbered[end - 1][1]):
                break
            end -= 1
        return numbered[:end]

    def _fitted(
        self, position: int, numbered: list[tuple[int, str]], row: list[str], usual: Counter[int], done: list[list[str]]
    ) -> list[str]:
        """A row with empty cells at its end cut off or filled up; anything else is refused."""
        width = len(self.names)
        filled = trimmed(row)
        missing = width - len(filled)
        # Testers leave out the cells at the end of many rows; a row cut off is alone.
        if missing >= 0 and (len(row) >= width or usual[len(row)] > max(3, 0.02 * len(numbered))):
            return filled + [""] * missing
        is_cut = missing > 0 and self.is_end and position == len(numbered) - 1 and position > 0
        still_good = self._good_points(done[:position]) if is_cut else ""
        raise wrong_width(numbered[position][0], filled, width, self.layout, still_good)

    def _good_points(self, rows: list[list[str]]) -> str:
        """What the rows before the bad one still give."""
        columns = name_series(self.names, self.units)
        position = next((i for i, column in enumerate(columns) if column.name == TIME), None)
        if position is None:
            return "Export it again."
        shown = [*rows[:: max(1, len(rows) // _SAMPLE)], rows[-1]]
        try:
            times = durations_s([row[position].replace(",", ".") for row in shown], columns[position].factor)
        except BadTime:
            return "Export it again."
        # The number of a test, or a time that begins anew with every step, tells nothing about the whole.
        is_running = times[-1] > times[0] and bool((np.diff(times) >= 0).all())
        span = f" ({duration_words(times[0])} to {duration_words(times[-1])})" if is_running else ""
        return f"Export it again, or use the {len(rows)} good points{span}."


def duration_words(seconds: float) -> str:
    """A duration for a sentence: 45 s, 12.5 min, 97.3 h."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _array(column: Any) -> Cells:
    if pa.types.is_floating(column.type):
        return np.asarray(column.to_numpy(), dtype=np.float64)
    column = column.fill_null("")
    head = column.slice(0, _SAMPLE)
    if len(head.unique()) < len(head) / 4:  # words that come again and again are made once
        encoded = column.combine_chunks().dictionary_encode()
        words = np.asarray(encoded.dictionary.to_numpy(zero_copy_only=False), dtype=object)
        return np.asarray(words[encoded.indices.to_numpy(zero_copy_only=False)], dtype=object)
    return np.asarray(column.to_numpy(), dtype=object)
