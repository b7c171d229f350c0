"""AMETEK VersaStudio .par: sections like XML; each <SegmentN> holds a Definition of columns and its rows."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from measurements.readers.base import Peek, Reader, ReaderError, Recording, Warnings
from measurements.readers.columns import short
from measurements.readers.facts import put_moment
from measurements.readers.spectrum import header_lines, recordings
from measurements.readers.table import Table, read_table
from measurements.readers.text import Document, load


class VersaStudioReader(Reader):
    """VersaStudio: Z Real and Z Imag in Ω with true sign; rows with Frequency 0 are direct current."""

    slug, version, name = "versastudio", 1, "VersaStudio .par"

    def recognises(self, peek: Peek) -> bool:
        return "Name=VersaStudio" in peek.text[:4096] and "<Application>" in peek.text[:4096]

    def read(self, path: Path) -> list[Recording]:
        document = load(path)
        tables: list[Table] = []
        refused: ReaderError | None = None
        segments = _segments(document)
        for definition, stop in segments:
            names = [name.strip() for name in document.lines[definition].partition("=")[2].split(",")]
            # The list of names ends with a number that is no column.
            names = names[:-1] if names[-1].isdigit() else names
            try:
                tables.append(read_table(document, definition, stop=stop, names=names, separator=","))
            except ReaderError as error:
                # A direct-current segment has no Z columns; a broken row counts, whatever stands beside it.
                if "column found" not in error.sentence:
                    raise
                refused = error
        if not tables:
            raise refused or ReaderError(
                "No <Segment> with values found in this VersaStudio file, so it was probably cut off. Export it again."
            )
        metadata, warnings = _head(document, segments[0][0])
        return recordings(tables, metadata, warnings)


def _segments(document: Document) -> list[tuple[int, int]]:
    """Index of each Definition line that has rows below it, and of the line after its last row."""
    found: list[tuple[int, int]] = []
    is_inside = False
    for i, line in enumerate(document.lines):
        if re.match(r"<Segment\d+>", line):
            is_inside = True
        elif line.startswith("</Segment"):
            is_inside = False
            if found and found[-1][1] == len(document.lines):
                found[-1] = (found[-1][0], i)
        elif is_inside and line.startswith("Definition="):
            found.append((i, len(document.lines)))
    return [(start, stop) for start, stop in found if stop > start + 1]


def _head(document: Document, end: int) -> tuple[dict[str, Any], Warnings]:
    fields: dict[str, str] = {}
    for line in document.lines[:end]:
        key, found, value = line.partition("=")
        if found:
            fields.setdefault(key, value.strip())
    metadata: dict[str, Any] = {}
    warnings: Warnings = []
    put_moment(metadata, warnings, f"{fields.get('DateAcquired', '')} {fields.get('TimeAcquired', '')}")
    metadata["instrument"] = short(f"{fields.get('Type', 'VersaSTAT')} {fields.get('Model', '')}".strip())
    with suppress(ValueError):
        metadata["electrode_area_cm2"] = float(fields.get("Working Electrode Area (cm2)", "").replace(",", "."))
    metadata["header"] = header_lines(document.lines[:end])
    return metadata, warnings
