"""Scribner ZPlot/ZView: .z files with and without a comment block, and the comma separated Z60W form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from measurements.readers.base import Peek, Reader, ReaderError, Recording, Warnings
from measurements.readers.facts import put_moment
from measurements.readers.spectrum import header_lines, recordings
from measurements.readers.table import Table, read_table
from measurements.readers.text import load

# The columns are the same in every version; Z60W writes all names into one quoted cell, old files write none.
NAMES = ("Freq(Hz)", "Ampl", "Bias", "Time(Sec)", "Z'(a)", "Z''(b)", "GD", "Err", "Range")
_HEADING = re.compile(r"\"?\s*Freq\s*\(Hz\)\W+Ampl\W+Bias\W+Time\s*\(Sec\)\W+Z'\(a\)", re.IGNORECASE)


class ZPlotReader(Reader):
    """ZPlot measurement: nine columns, Z'' with its true sign."""

    slug, version, name = "zplot", 1, "ZPlot/ZView .z"

    def recognises(self, peek: Peek) -> bool:
        text = peek.text
        start = text[:200].lstrip('\ufeff" \r\n')
        return (
            start.startswith(("ZPLOT2 ASCII", "ZPlotW Data File", "Z60W Data File"))
            or ("Ampl" in text and _HEADING.search(text) is not None)
            or ("End Comments" in text and re.search(r"^\s*End Comments\s*$", text, re.MULTILINE) is not None)
        )

    def read(self, path: Path) -> list[Recording]:
        document = load(path)
        heading = end = None
        for i, line in enumerate(document.lines[:5000]):
            if line.strip() == "End Comments":
                end = i
                break
            if heading is None and _HEADING.match(line):
                heading = i
        last = max((i for i in (heading, end) if i is not None), default=None)
        if last is None:
            raise ReaderError(
                "Expected a line ‘End Comments’ or the column names ‘Freq(Hz) Ampl Bias Time(Sec) Z'(a) Z''(b)’; "
                "found neither. Export the file again from ZPlot or ZView."
            )
        table = read_table(document, last, names=_names(document.lines[last + 1 :]))
        head = document.lines[:last]
        metadata: dict[str, Any] = {"instrument": "ZPlot", "header": header_lines(head)}
        warnings: Warnings = []
        stated = _keys(head)
        # Scribner's program is written in a language whose dates are always month-day-year, but not surely so.
        put_moment(metadata, warnings, f"{stated.get('Date', '')} {stated.get('Time', '')}")
        _compare_count(head, stated, table, warnings)
        return recordings([table], metadata, warnings)


def _names(body: list[str]) -> list[str]:
    """Names for rows that may lack the last columns (GD, Err, Range)."""
    row = next((line for line in body if line.strip()), "")
    count = len([cell for cell in re.split(r"[\t,;]\s*|\s+", row.strip()) if cell])
    return list(NAMES[:count]) if 6 <= count < len(NAMES) else list(NAMES)


def _keys(head: list[str]) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in head if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _compare_count(head: list[str], stated: dict[str, str], table: Table, warnings: Warnings) -> None:
    """Say so if the head promises more points than there are."""
    count = stated.get("Data Points", "")
    if not count and head and head[0].lstrip('\ufeff"').startswith("Z60W"):
        count = head[-1].strip(' "')
    if count.isdigit() and int(count) > len(table.lines):
        warnings.append(("points_missing", f"The head states {int(count)} points, the file has {len(table.lines)}."))
