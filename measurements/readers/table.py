"""Rows of numbers under column names: parsed fast, and slowly only to say which line is wrong, and why."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from measurements.readers.bad_rows import wrong_cell, wrong_width
from measurements.readers.base import BadRow, ReaderError
from measurements.readers.columns import FREQUENCY, Column, impedance_columns, name_columns, plain, short, unit_factor
from measurements.readers.ending import COMPARED, CUT, DOUBT, cut_words, doubt_of, ending
from measurements.readers.text import (
    LONG_NAMES,
    MAX_HEADER,
    NO_ROWS,
    Document,
    Layout,
    detect_layout,
    is_comment,
    numeric_share,
    split_cells,
    trimmed,
)

Values = npt.NDArray[np.float64] | list[str]

# How C libraries of Windows print what is not a number.
_NOT_FINITE = re.compile(r"[+-]?(1[.,]#(qnan|snan|ind|inf)0*|nan\(.*\)|n/?a)", re.IGNORECASE)
# A comma that can only be a decimal sign: not three digits after it, or not one to three before it.
_DECIMAL_COMMA = re.compile(r",(?:\d{1,2}(?!\d)|\d{4})|\d{4},|,\d*[eE]|(?<!\d)0\d*,|(?<!\d),|,(?!\d)")


@dataclass
class Table:
    """A parsed table in canonical units.

    Attributes
    ----------
    columns : list of Column
        In the order of the file; columns without a name and without content are left out.
    values : dict
        Numbers by column name, or the cells as text where a column of the vendor's is not numeric.
    needed : tuple of str
        The columns that make the impedance.
    lines : array of int
        The line number of each row, counted from 1.
    layout : Layout or None
        None where the table does not come from text.
    doubts : list of (code, sentence)
        What is odd about the text of the table.
    """

    columns: list[Column]
    values: dict[str, Values]
    needed: tuple[str, ...]
    lines: npt.NDArray[np.int64]
    layout: Layout | None = None
    doubts: list[tuple[str, str]] = field(default_factory=list)

    def numbers(self, name: str) -> npt.NDArray[np.float64] | None:
        """A numeric column, or None if it is absent or text."""
        values = self.values.get(name)
        return values if isinstance(values, np.ndarray) else None


def read_table(
    document: Document,
    header: int,
    *,
    first: int | None = None,
    stop: int | None = None,
    names: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
    columns: Sequence[Column] | None = None,
    separator: str | bool | None = True,
    comments: tuple[str, ...] = (),
) -> Table:
    """The table whose column names stand on one line, with a unit line below it if there is one.

    Parameters
    ----------
    document : Document
    header : int
        Index of the line of names (line number minus one).
    first, stop : int, optional
        Index of the first line of data, and of the line after the last; by default the rest of the file.
    names, units : list of str, optional
        If given, they are not read from the file.
    columns : list of Column, optional
        If given, nothing is read from names and units.
    separator : str or None or True
        What stands between the cells (None for blanks); True: find out.
    comments : tuple of str
        Lines that start so are passed over.

    Raises
    ------
    ReaderError
        With line, column and next step.
    """
    end = len(document.lines) if stop is None else stop
    rows = _rows_between(document, header + 1 if first is None else first, end, comments)
    heading = document.lines[header] if 0 <= header < len(document.lines) else ""
    is_named = names is not None or columns is not None
    is_long = not is_named and len(heading) > MAX_HEADER
    _refuse(is_long, LONG_NAMES, header)
    if rows and units is None and not is_named:
        units = unit_line(rows[0][1], heading)
        rows = rows[1:] if units is not None else rows
    _refuse(not rows, NO_ROWS, header)
    layout = _layout([line for _, line in rows], separator)
    is_told = columns is not None
    if columns is None:
        wanted = list(names) if names is not None else split_names(heading, layout, rows[0][1])
        columns = name_columns(wanted, units)
    needed = impedance_columns(columns, is_told=is_told)
    is_last = not any(line.strip() for line in document.lines[end:])
    return _Rows(rows, list(columns), needed, layout, is_last, document.ends_with_newline).parse()


def _rows_between(document: Document, start: int, end: int, comments: tuple[str, ...]) -> list[tuple[int, str]]:
    """Lines with content and their numbers; spreadsheets export empty rows as ";;;;"."""
    return [
        (number, line)
        for number, line in enumerate(document.lines[start:end], start + 1)
        if line.strip(" \t;,\x0c\x1a") and not is_comment(line, comments)
    ]


def _refuse(is_wrong: bool, sentence: str, index: int) -> None:
    if is_wrong:
        raise ReaderError(sentence, line=index + 1)


def split_names(heading: str, layout: Layout, row: str) -> list[str]:
    """Column names of a heading, cut so that their number fits the cells of a row.

    Headings may hold one tab more at the end (EC-Lab), two tabs between names (analysers), or blanks inside names.
    """
    width = len(trimmed(split_cells(row, layout.separator)))
    ways = [split_cells(heading, layout.separator)]
    if layout.separator is None:
        ways = [re.split(r"\s{2,}|\t", heading.strip()), re.findall(r"\S+(?:\s*[\[(][^\])]*[\])])?", heading), ways[0]]
    ways += [[cell for cell in way if cell] for way in ways]
    ways += [cells for mark in ("\t", ";", ",") if mark != layout.separator for cells in [split_cells(heading, mark)]]
    for way in ways:
        if len(trimmed(way)) == width:
            return trimmed(way)
    return trimmed(ways[0])


def unit_line(line: str, heading: str) -> list[str] | None:
    """The cells of a line of units below the names ("#, s, Hz, ohm"), or None if the line is something else."""
    for mark in ("\t", ";", ",", None):
        if mark is not None and mark not in heading:
            continue
        cells = split_cells(line, mark)
        if any(re.match(r"[+-]?[.,]?\d", cell) and cell != "1" for cell in cells):
            return None
        bare = [plain(cell).strip(" ()[]") for cell in cells]
        return cells if any(_is_unit(cell) for cell in bare) else None
    return None


def _is_unit(text: str) -> bool:
    return bool(text) and any(unit_factor(name, text) is not None for name in (FREQUENCY, "z_real_ohm", "phase_deg"))


def _layout(rows: list[str], separator: str | bool | None) -> Layout:
    if isinstance(separator, bool):
        return detect_layout(rows) or Layout("\t" if rows and "\t" in rows[0] else None, ".")
    return Layout(separator, decimal_of(rows, separator))


def decimal_of(rows: Sequence[str], separator: str | None) -> str:
    """The decimal sign of rows whose separator is known."""
    sample = rows[:: max(1, len(rows) // 12)]
    if separator == "," or not any("," in row for row in sample):
        return "."
    shares = {sign: sum(numeric_share(row, Layout(separator, sign))[0] for row in sample) for sign in (".", ",")}
    return "," if shares[","] > shares["."] else "."


class _BadCell(Exception):
    def __init__(self, row: int, text: str) -> None:
        super().__init__(text)
        self.row, self.text = row, text


@dataclass
class _Rows:
    """Rows on their way to a Table."""

    rows: list[tuple[int, str]]
    columns: list[Column]
    needed: tuple[str, ...]
    layout: Layout
    is_last: bool  # nothing follows in the file
    ends_with_newline: bool

    def parse(self) -> Table:
        cells = self._cells()
        values: dict[str, Values] = {}
        kept: list[Column] = []
        for column, texts in zip(self.columns, zip(*cells, strict=True), strict=True):
            if not column.header and not any(texts):
                continue
            try:
                numbers = to_numbers(texts, self.layout.decimal)
            except _BadCell as bad:
                if column.name in self.needed:
                    raise self._not_a_number(cells, column, bad) from None
                # A text column of the vendor's ("1 µA", "..........a") keeps its own name: it has no unit of ours.
                name = column.name if not column.is_canonical else _own_name(column, self.columns)
                values[name] = list(texts)
                kept.append(Column(column.header, name, unit=column.unit))
                continue
            values[column.name] = numbers if not column.is_canonical else numbers * column.factor + column.offset
            kept.append(column)
        self._refuse_thousands(cells)
        lines = np.fromiter((number for number, _ in self.rows), dtype=np.int64, count=len(self.rows))
        return Table(kept, values, self.needed, lines, self.layout, self._doubts_of_end(cells))

    def _doubts_of_end(self, cells: list[list[str]]) -> list[tuple[str, str]]:
        """What is odd about the last value of a file without a line end.

        Raises
        ------
        BadRow
            If the file was cut off within it.
        """
        if not self.is_last or self.ends_with_newline:
            return []
        place = len(trimmed(split_cells(self.rows[-1][1], self.layout.separator))) - 1
        before = [row[place].strip() for row in cells[-1 - COMPARED : -1]]
        cell, number = cells[-1][place].strip(), self.rows[-1][0]
        found = ending(cell, before, self.layout.decimal)
        where = f"Line {number}, column {self.columns[place].label}"
        if found == CUT:
            raise BadRow(f"{where}: {cut_words(cell)} {self._good_points(cells[:-1])}", line=number)
        return [doubt_of(cell, where)] if found == DOUBT else []

    def _cells(self) -> list[list[str]]:
        width = len(self.columns)
        separator = self.layout.separator
        if separator is None:
            cells = [line.split() for _, line in self.rows]
        elif any('"' in line for _, line in self.rows):
            cells = [split_cells(line, separator) for _, line in self.rows]
        else:
            cells = [line.split(separator) for _, line in self.rows]
        for position, row in enumerate(cells):
            if len(row) != width:
                cells[position] = self._fitted(position, row, cells)
        return cells

    def _fitted(self, position: int, row: list[str], cells: list[list[str]]) -> list[str]:
        """A row with empty cells at its end cut off or filled up; anything else is refused."""
        width = len(self.columns)
        filled = trimmed([cell.strip() for cell in row])
        missing = width - len(filled)
        if missing == 0:
            return filled
        if missing > 0 and (len(row) >= width or self._may_be_empty(len(filled))):
            return filled + [""] * missing
        is_cut = missing > 0 and self.is_last and position == len(self.rows) - 1 and position > 0
        still_good = self._good_points(cells[:position]) if is_cut else ""
        raise wrong_width(self.rows[position][0], filled, width, self.layout, still_good)

    def _may_be_empty(self, count: int) -> bool:
        """Whether only nameless columns lie beyond the first `count`."""
        return not any(column.header for column in self.columns[count:])

    def _good_points(self, cells: list[list[str]]) -> str:
        """What the rows before the bad one still give."""
        position = next(i for i, column in enumerate(self.columns) if column.name == FREQUENCY)
        column = self.columns[position]
        found = []
        for row in cells:
            try:
                value = float(row[position].replace(",", ".")) * column.factor
            except (ValueError, IndexError):
                continue
            if 0 < value < math.inf:
                found.append(value)
        if len(found) < 2:
            return "Export it again."
        span = f"{frequency_words(max(found))} to {frequency_words(min(found))}"
        return f"Export it again, or use the {len(found)} good points ({span})."

    def _not_a_number(self, cells: list[list[str]], column: Column, bad: _BadCell) -> ReaderError:
        number = self.rows[bad.row][0]
        is_end = self.is_last and bad.row == len(self.rows) - 1 and bad.row > 0 and not self.ends_with_newline
        if is_end and self.columns[-1].name == column.name and bad.text.strip():
            return BadRow(
                f"Line {number}, column {column.label}: the file ends in the middle of the value ‘{short(bad.text)}’, "
                f"so the export was probably cut off. {self._good_points(cells[: bad.row])}",
                line=number,
            )
        return wrong_cell(f"Line {number}", column.label, bad.text, number)

    def _refuse_thousands(self, cells: list[list[str]]) -> None:
        """Refuse "1,234" where nothing shows whether the comma is a decimal sign."""
        if self.layout.decimal != ",":
            return
        positions = [i for i, column in enumerate(self.columns) if column.name in self.needed]
        found = [row[i] for row in cells for i in positions if "," in row[i]]
        if found and not _DECIMAL_COMMA.search(" ".join(found)):
            raise ReaderError(
                f"The comma of ‘{short(found[0])}’ may be a decimal sign or separate thousands; no value tells which. "
                "Export with a decimal point, then upload that.",
                line=self.rows[0][0],
            )


def _own_name(column: Column, columns: list[Column]) -> str:
    taken = {other.name for other in columns}
    name = column.header or "text"
    while name in taken:
        name += " (text)"
    return name


def to_numbers(texts: Sequence[str], decimal: str) -> npt.NDArray[np.float64]:
    """Cells as floats; what stands literally for "not a number" becomes NaN.

    Raises
    ------
    _BadCell
        At the first cell that is not a number.
    """
    joined = "".join(texts)
    # Python reads 1_000 as a number, and a point in a file of decimal commas separates thousands.
    if "_" not in joined and not (decimal == "," and "." in joined):
        try:
            source = (text.replace(",", ".") for text in texts) if decimal == "," else texts
            return np.fromiter(map(float, source), dtype=np.float64, count=len(texts))
        except ValueError:
            pass
    return np.array(list(_slow(texts, decimal)), dtype=np.float64)


def _slow(texts: Sequence[str], decimal: str) -> Iterator[float]:
    for row, text in enumerate(texts):
        cell = text.strip()
        if _NOT_FINITE.fullmatch(cell):
            yield math.nan
            continue
        if "_" in cell or (decimal == "," and "." in cell):
            raise _BadCell(row, cell)
        try:
            yield float(cell.replace(",", ".") if decimal == "," else cell)
        except ValueError:
            raise _BadCell(row, cell) from None


def frequency_words(value: float) -> str:
    """A frequency for a sentence, two digits: 1 MHz, 4.7 kHz, 0.063 Hz."""
    rounded = float(f"{value:.1e}")
    for size, unit in ((1e6, "MHz"), (1e3, "kHz"), (1.0, "Hz")):
        if rounded >= size:
            return f"{rounded / size:.12g} {unit}"
    text = f"{rounded:.12f}".rstrip("0")
    return f"{text} Hz" if text != "0." else f"{rounded:g} Hz"
