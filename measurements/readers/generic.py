"""Any table of frequency and impedance, or of time, potential and current, as text or Excel workbook; asked last.

Named columns may stand in any order and unit, as Z′ and Z″ or as |Z| and phase, below any head; lines of #, % or ! are
comments. Several blocks below each other, a loop column and a temperature column give several Recordings. Three columns
without names are taken as frequency, Z′ and Z″ only if the first one runs like frequencies. Where a frequency has a
name, the table is an impedance; a time series is read by `generic_series`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from measurements.readers import generic_series
from measurements.readers.base import HEAD_BYTES, Peek, Reader, ReaderError, Recording
from measurements.readers.columns import (
    FREQUENCY,
    MAX_COLUMNS,
    Z_IMAG,
    Z_MODULUS,
    Z_REAL,
    Column,
    identify,
    impedance_columns,
    name_columns,
    short,
    unit_factor,
)
from measurements.readers.delimited import open_text
from measurements.readers.facts import header_facts
from measurements.readers.signatures import looks_like_workbook, refuse_binary
from measurements.readers.spectrum import header_lines, recordings, restarts
from measurements.readers.table import Table, read_table, split_names, unit_line
from measurements.readers.text import (
    MAX_HEADER,
    Document,
    Layout,
    detect_layout,
    is_comment,
    load,
    numeric_share,
    split_cells,
)
from measurements.readers.workbook import HEADER_ROWS, sheets, text_of

COMMENTS = generic_series.COMMENTS
BARE = ("frequency", "Z'", "Z''")
_SEARCHED = 2000  # lines in which a table must begin
_DATA = re.compile(r"\s*[-+−]?[.,]?\d")
_WORD = re.compile(r"\w")


class GenericReader(Reader):
    """Table with columns for frequency and impedance, or for time, potential and current."""

    slug, version, name = "generic", 1, "Text table"
    is_generic = True

    def recognises(self, peek: Peek) -> bool:
        if looks_like_workbook(peek.head):
            return True
        try:
            refuse_binary(peek.head, peek.suffix)
        except ReaderError:
            return False
        return bool(peek.text.strip())

    def read(self, path: Path) -> list[Recording]:
        with path.open("rb") as stream:
            if looks_like_workbook(stream.read(HEAD_BYTES)):
                return self._workbook(path)
        source = open_text(path)
        if not any(_is_heading(line) for line in source.head):
            heading = generic_series.find_heading(source.head)
            if heading is not None:
                return generic_series.read_text(source, heading)
        del source
        return self._impedance(load(path))

    def _workbook(self, path: Path) -> list[Recording]:
        """Every sheet with a table that is known, an impedance before a time series."""
        found: list[Recording] = []
        seen: list[str] = []
        has_cells = False
        for name, rows in sheets(path):
            has_cells = has_cells or generic_series.is_filled(rows)
            first = ["\t".join(map(text_of, row)) for row in rows[:HEADER_ROWS]]
            header = generic_series.sheet_heading(rows)
            if any(_is_heading(line) for line in first):
                lines = first + ["\t".join(map(text_of, row)) for row in rows[HEADER_ROWS:]]
                found += self._impedance(Document(lines, ends_with_newline=True))
            elif header is not None and header + 1 < len(rows):
                found.append(generic_series.read_sheet(name, rows, header))
            else:
                seen += [cell for line in first[:1] for cell in line.split("\t") if cell]
        if not found:
            raise generic_series.unknown_columns(seen) if has_cells else generic_series.no_table()
        return found

    def _impedance(self, document: Document) -> list[Recording]:
        headings = [i for i, line in enumerate(document.lines) if _is_heading(line)]
        if not headings:
            return self._bare(document)
        tables: list[Table] = []
        facts: list[dict[str, Any]] = []
        stated: dict[str, Any] = {}
        above = 0
        for heading, end in zip(headings, [*headings[1:], len(document.lines)], strict=True):
            document.lines[heading] = _without_mark(document.lines[heading])
            for first, table in _segments(document, heading, end):
                # What a line says of temperature or thickness holds until a later line says otherwise.
                stated = stated | header_facts(document.lines[above:first])
                tables.append(table)
                facts.append(stated)
                above = int(table.lines[-1])
        metadata = {"header": header_lines(document.lines[: headings[0]])}
        return recordings(tables, metadata, units_may_miss=False, per_table=facts)

    def _bare(self, document: Document) -> list[Recording]:
        first, layout = _first_row(document)
        width = numeric_share(document.lines[first], layout)[1]
        names = _names_above(document, first, layout, width)
        if names is not None:
            columns = name_columns(names)
            if not {FREQUENCY, Z_REAL, Z_IMAG} & {column.name for column in columns}:
                raise generic_series.unknown_columns(names, line=first)
            # There are names, and none of them is a frequency: this raises with the columns seen.
            impedance_columns(columns)
        if width != len(BARE) or len(document.lines[first]) > MAX_HEADER or ":" in document.lines[first]:
            raise generic_series.nameless_columns(width, first + 1)
        options: dict[str, Any] = {"names": BARE, "units": (), "separator": layout.separator, "comments": COMMENTS}
        table = read_table(document, first - 1, first=first, **options)
        _refuse_unlike_frequencies(table)
        metadata: dict[str, Any] = {"header": header_lines(document.lines[:first])}
        metadata |= header_facts(document.lines[:first])
        sentence = "The file has no column names. Its three columns were taken as frequency in Hz, Z′ and Z″ in Ω."
        return recordings([table], metadata, [("columns_assumed", sentence)])


def read_mapped(path: Path, mapping: Mapping[str, str], units: Mapping[str, str] | None = None) -> list[Recording]:
    """Read a table whose columns a person has named: an impedance where a frequency is among them.

    Parameters
    ----------
    path, mapping, units
        As for `generic_series.read_mapped`; the names of an impedance are those of `columns.IMPEDANCE`.

    Raises
    ------
    ReaderError
        A header is not in the file, a column is missing, or the table is bad.
    """
    if FREQUENCY not in mapping.values():
        return generic_series.read_mapped(path, mapping, units)
    told = {header.strip(): name for header, name in mapping.items() if name}
    document, heading, headers = _mapped_table(path, set(told))
    rows = [i for i in range(heading + 1, len(document.lines)) if document.lines[i].strip()]
    rows = [i for i in rows if not is_comment(document.lines[i], COMMENTS)]
    stated = unit_line(document.lines[rows[0]], document.lines[heading]) if rows and heading >= 0 else None
    if stated is not None:
        del rows[0]
    layout = detect_layout([document.lines[i] for i in rows]) or Layout(None, ".")
    columns = [_told(column, told, (units or {}).get(column.header, "")) for column in name_columns(headers, stated)]
    first = rows[0] if rows else None
    table = read_table(document, heading, first=first, columns=columns, separator=layout.separator, comments=COMMENTS)
    above = document.lines[: max(heading, 0)]
    return recordings([table], {"header": header_lines(above)} | header_facts(above), units_may_miss=False)


def _mapped_table(path: Path, wanted: set[str]) -> tuple[Document, int, list[str]]:
    """The document that has these headers, the index of their line (-1 above the file) and all headers of that line."""
    with path.open("rb") as stream:
        is_workbook = looks_like_workbook(stream.read(HEAD_BYTES))
    documents = [load(path)] if not is_workbook else [
        Document(["\t".join(map(text_of, row)) for row in rows], ends_with_newline=True) for _, rows in sheets(path)
    ]  # fmt: skip
    for document in documents:
        for i, line in enumerate(document.lines[:_SEARCHED]):
            if len(line) <= MAX_HEADER:
                for cells in generic_series.ways_to_cut(line):
                    if wanted <= set(cells):
                        return document, i, cells
    first, layout = _first_row(documents[0])
    numbered = [f"column {n + 1}" for n in range(numeric_share(documents[0].lines[first], layout)[1])]
    if wanted <= set(numbered):
        return documents[0], first - 1, numbered
    raise ReaderError(f"The columns {', '.join(sorted(map(short, wanted)))} are not in this file. Choose them again.")


def _told(column: Column, told: Mapping[str, str], unit: str) -> Column:
    """A column as a person named it; one that was not chosen takes no name that another one was given."""
    name = told.get(column.header, "").lstrip("-")
    if not name:
        is_taken = any(column.name == given.lstrip("-") for given in told.values())
        return Column(column.header, column.header, unit=column.unit) if is_taken else column
    sign = -1.0 if told[column.header].startswith("-") else 1.0
    if not unit and column.name == name and not column.problem:
        return replace(column, factor=sign * abs(column.factor))
    stated = unit or column.unit
    return Column(column.header, name, sign * ((unit_factor(name, stated) if stated else None) or 1.0), unit=stated)


def _without_mark(line: str) -> str:
    """A line without the comment mark before it."""
    return re.sub(r"^[\s\ufeff]*(?:[#%!]|//)+\s*", "", line)


def _is_heading(line: str) -> bool:
    """Whether a line names a frequency and an impedance column."""
    if not 5 <= len(line) <= MAX_HEADER or _DATA.match(line):
        return False
    text = _without_mark(line).strip().lstrip("\ufeff")
    ways = [split_cells(text, mark) for mark in ("\t", ";", ",") if mark in text]
    for cells in (*ways, text.split("  "), text.split()):
        if len(cells) > 2:
            names = {identify(cell).name for cell in cells[:MAX_COLUMNS]}
            if FREQUENCY in names and names & {Z_REAL, Z_IMAG, Z_MODULUS}:
                return True
    return False


def _segments(document: Document, heading: int, end: int) -> list[tuple[int, Table]]:
    """The tables below one heading with the index of their first line: lines of text part them.

    Raises
    ------
    ReaderError
        If a line without numbers stands within one sweep: rows may be lost there.
    """
    lines = document.lines
    rows = [i for i in range(heading + 1, end) if lines[i].strip() and not is_comment(lines[i], COMMENTS)]
    layout = detect_layout([lines[i] for i in rows]) or Layout(None, ".")
    texts = _texts(lines, rows, layout)
    units: list[str] | None = None
    if texts and rows[0] == texts[0] and len(rows) > 1:
        units = unit_line(lines[rows[0]], lines[heading])
        if units is not None:
            del texts[0], rows[0]
    starts = [i + 1 for i in (heading if units is None else rows[0] - 1, *texts)]
    found: list[tuple[int, Table]] = []
    for start, stop in zip(starts, [*texts, end], strict=True):
        if not any(start <= i < stop for i in rows) and (found or stop < end):
            continue
        table = read_table(
            document, heading, first=start, stop=stop, units=units or (), separator=layout.separator, comments=COMMENTS
        )
        if found and not _restarts(found[-1][1], table):
            text = short(lines[start - 1])
            raise ReaderError(
                f"Line {start} is not a row of the table: ‘{text}’. "
                "Remove the line in the source, or export the file again.",
                line=start,
            )
        found.append((start, table))
    return found


def _texts(lines: list[str], rows: list[int], layout: Layout) -> list[int]:
    """Which of the rows are lines of text.

    A line as wide as the table, or one that starts with a digit, is a bad row ("1,5;2,5;-3,5" among decimal points):
    it must be refused, not taken for a footer and lost.
    """
    shares = [numeric_share(lines[i], layout) for i in rows]
    first = next((k for k, (numbers, _) in enumerate(shares) if numbers > 1), len(rows))
    width = shares[first][1] if first < len(rows) else 0
    return [
        i
        for k, (i, (numbers, cells)) in enumerate(zip(rows, shares, strict=True))
        if numbers == 0
        and _WORD.search(lines[i])
        and not _DATA.match(lines[i])
        and (k < first or layout.separator is None or cells != width)
    ]


def _restarts(before: Table, after: Table) -> bool:
    """Whether the second table is a sweep of its own."""
    first, second = before.numbers(FREQUENCY), after.numbers(FREQUENCY)
    assert first is not None
    assert second is not None
    return len(first) in restarts(np.concatenate([first, second]))


def _first_row(document: Document) -> tuple[int, Layout]:
    """The first line of the first table of numbers, and how it is written."""
    lines = [
        (i, line)
        for i, line in enumerate(document.lines[:_SEARCHED])
        if line.strip() and not is_comment(line, COMMENTS)
    ]
    for (i, line), (_, following) in zip(lines, lines[1:] + lines[-1:], strict=True):
        layout = detect_layout([line, following]) if _DATA.match(line) else None
        if layout is None:
            continue
        numbers, width = numeric_share(line, layout)
        if numbers >= 2 and 2 * numbers > width and numeric_share(following, layout)[1] == width:
            return i, layout
    raise ReaderError(
        "No table of numbers found. A table holds one row per point, frequency, Z′ and Z″, or time, potential "
        "and current. Export the measurement as text, then upload that."
    )


def _names_above(document: Document, first: int, layout: Layout, width: int) -> list[str] | None:
    """Column names in one of the two lines above the first row (a line of units may stand between), or None."""
    above = [i for i in range(first) if document.lines[i].strip()][-2:]
    for i in reversed(above):
        names = split_names(_without_mark(document.lines[i]), layout, document.lines[first])
        is_row_of_names = len(names) == width or (width > 3 and abs(len(names) - width) == 1)
        if is_row_of_names and width > 1 and not unit_line(document.lines[i], document.lines[i]):
            return names
    return None


def _refuse_unlike_frequencies(table: Table) -> None:
    """Three bare columns may be 2θ, intensity, error, or time, voltage, current: these are evenly spaced."""
    values = table.numbers(FREQUENCY)
    assert values is not None
    known = np.unique(values[np.isfinite(values) & (values > 0)])
    if len(known) < 4:
        return
    steps, ratios = np.diff(known), np.diff(np.log(known))
    is_even = np.std(steps) / np.mean(steps) <= np.std(ratios) / np.mean(ratios)
    if is_even or known[-1] < 10 * known[0] or (values < 0).any():
        why = ", and the first does not run like frequencies"
        raise generic_series.nameless_columns(len(BARE), int(table.lines[0]), why)
