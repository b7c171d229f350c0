"""Gamry .DTA: keyed head, then one or several tables.

Tables with frequency and impedance are spectra. Without any, the tables CURVE of chronoamperometry and
chronopotentiometry (T, Vf, Im) are time series; Gamry's current is positive where the working electrode is oxidised.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from measurements.readers.base import Peek, Reader, ReaderError, Recording, Warnings
from measurements.readers.columns import FREQUENCY, STEP_KIND, identify, short
from measurements.readers.delimited import open_text, read_grid
from measurements.readers.facts import put_moment
from measurements.readers.series import recording
from measurements.readers.series_columns import HOLD, is_series
from measurements.readers.spectrum import header_lines, recordings
from measurements.readers.table import Table, read_table
from measurements.readers.text import Document, Layout, load, numeric_share, split_lines

_TABLE = re.compile(r"(\w+)\tTABLE(?:\t(\d+))?")
_AT_POTENTIAL = "CHRONOA"  # the tag of an experiment under a potential that is set
_CURVE = re.compile(r"CURVE\d*")
_ABORTED = re.compile(r"EXPERIMENTABORTED(?!\s+\w+\s+F\b)")


class GamryReader(Reader):
    """Gamry Framework data file; the tables ZCURVE (CURVE, CURVEn) hold Freq, Zreal and Zimag in true sign."""

    slug, version, name = "gamry", 3, "Gamry DTA"

    def recognises(self, peek: Peek) -> bool:
        return re.match(r"\ufeff?\s*EXPLAIN\s*[\r\n]+\s*TAG\t", peek.text) is not None

    def read(self, path: Path) -> list[Recording]:
        document = load(path)
        metadata, warnings = _head(document)
        tables: list[Table] = []
        others: list[str] = []
        curves: list[tuple[int, int]] = []
        for name, line, stop in _tables(document):
            if line + 1 >= len(document.lines):
                continue
            names = [cell.strip() for cell in document.lines[line + 1].split("\t")[1:]]
            if not any(identify(cell).name == FREQUENCY for cell in names):
                others.append(name)
                if _CURVE.fullmatch(name) and is_series(names):
                    curves.append((line, stop))
                continue
            tables.append(_read(document, line, stop, names))
            _compare_count(document.lines[line], tables[-1], warnings)
        if not tables and curves:
            return [_curve(path, line, stop, metadata, warnings) for line, stop in curves]
        if not tables:
            raise ReaderError(_nothing(document))
        if others:
            metadata["other_tables"] = others
        return recordings(tables, metadata, warnings)


def _curve(path: Path, line: int, stop: int, metadata: dict[str, Any], warnings: Warnings) -> Recording:
    """The time series of one table; Gamry writes the number of rows that it was to have into the line above."""
    source = open_text(path)
    rows = split_lines(
        source.data[source.offset(line + 2) : source.offset(min(stop, line + 12))].decode(errors="replace")
    )
    # The flags of the last column ("..........a") would speak for blanks as separators.
    shares = {sign: sum(numeric_share(row, Layout("\t", sign))[0] for row in rows) for sign in (".", ",")}
    grid = read_grid(source, line + 1, stop=stop, layout=Layout("\t", "," if shares[","] > shares["."] else "."))
    said = list(warnings)
    stated = _TABLE.match(source.data[source.offset(line) : source.offset(line + 1)].decode(errors="replace"))
    if stated and stated[2] and int(stated[2]) > len(grid):
        said.append(("points_missing", f"The table states {stated[2]} points, the file has {len(grid)}."))
    found = recording(grid, metadata, said, derives_cycles=False)
    if metadata.get("experiment") == _AT_POTENTIAL and STEP_KIND not in found.frame:
        found.frame[STEP_KIND] = np.full(len(found.frame), HOLD, dtype=object)
    return found


def _read(document: Document, line: int, stop: int, names: list[str]) -> Table:
    unit_line = document.lines[line + 2] if line + 2 < stop else ""
    units = [cell.strip() for cell in unit_line.split("\t")[1:]]
    # Some rows have blanks where others have tabs, so every blank divides; no cell of Gamry's holds one.
    return read_table(document, line + 1, first=line + 3, stop=stop, names=names, units=units, separator=None)


def _tables(document: Document) -> list[tuple[str, int, int]]:
    """Name, index of the line TABLE, and index after the last row, of every table."""
    found: list[tuple[str, int, int]] = []
    for i, line in enumerate(document.lines):
        match = _TABLE.match(line)
        if match:
            found.append((match[1], i, len(document.lines)))
        elif line.strip() and not line[0].isspace() and found and found[-1][2] == len(document.lines):
            found[-1] = (*found[-1][:2], i)
    # A table that ends with the file has its end there; one followed by another table ends before it.
    starts = [*(i for _, i, _ in found[1:]), len(document.lines)]
    return [(name, i, min(stop, after)) for (name, i, stop), after in zip(found, starts, strict=False)]


def _head(document: Document) -> tuple[dict[str, Any], Warnings]:
    metadata: dict[str, Any] = {}
    warnings: Warnings = []
    fields: dict[str, list[str]] = {}
    end = next((i for i, line in enumerate(document.lines) if _TABLE.match(line)), len(document.lines))
    for line in document.lines[:end]:
        cells = line.split("\t")
        if len(cells) > 2 or cells[0] == "TAG":
            fields.setdefault(cells[0], cells[1:])
    if tag := fields.get("TAG", [""])[0].strip():
        metadata["experiment"] = tag
    put_moment(metadata, warnings, " ".join(fields.get(key, ["", ""])[1] for key in ("DATE", "TIME")))
    area = fields.get("AREA", ["", ""])[1].replace(",", ".")
    with suppress(ValueError):
        metadata["electrode_area_cm2"] = float(area)
    metadata["instrument"] = f"Gamry {short(fields.get('PSTAT', ['', ''])[1])}".strip()
    metadata["header"] = header_lines(document.lines[:end])
    for number, line in enumerate(document.lines, 1):
        if "EXPERIMENTABORTED" in line and _ABORTED.search(line):
            metadata["aborted"] = True
            sentence = f"The run was aborted before its end (note on line {number}); the points before it are kept."
            warnings.append(("aborted_run", sentence))
            break
    return metadata, warnings


def _compare_count(line: str, table: Table, warnings: Warnings) -> None:
    match = _TABLE.match(line)
    if match and match[2] and int(match[2]) > len(table.lines):
        warnings.append(("points_missing", f"The table states {match[2]} points, the file has {len(table.lines)}."))


def _nothing(document: Document) -> str:
    names = [
        document.lines[line + 1] for _, line, _ in _tables(document) if line + 1 < len(document.lines)
    ]  # fmt: skip
    if not names:
        return (
            "No table of values found in this Gamry file; it ends before them, so the export was probably cut off. "
            "Copy or export it again."
        )
    seen = ", ".join(short(cell) for cell in names[-1].split("\t") if cell.strip())
    return f"No frequency column found. Columns seen: {seen}. Choose which column is the frequency."
