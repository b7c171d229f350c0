"""RelaxIS 3 spectrum export: tab, names "Data: Frequency", one line of parameters above the rows of each spectrum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from measurements.readers.base import Peek, Reader, ReaderError, Recording
from measurements.readers.facts import moment
from measurements.readers.spectrum import header_lines, recordings
from measurements.readers.table import Table, read_table
from measurements.readers.text import Document, load

_PREFIX = "Data: "


class RelaxisReader(Reader):
    """RelaxIS: frequency, Z', Z'' (true sign), |Z| and Theta; Hz, Ω and degrees by the format."""

    slug, version, name = "relaxis", 1, "RelaxIS export"

    def recognises(self, peek: Peek) -> bool:
        return peek.text.lstrip("\ufeff").startswith("RelaxIS ") and "Spectrum export" in peek.text[:200]

    def read(self, path: Path) -> list[Recording]:
        document = load(path)
        header = next((i for i, line in enumerate(document.lines[:100]) if _PREFIX + "Frequency" in line), None)
        if header is None:
            raise ReaderError(
                "Expected a line of column names with ‘Data: Frequency’; found none. "
                "Export the spectrum from RelaxIS again."
            )
        names = [cell.strip().removeprefix(_PREFIX) for cell in document.lines[header].split("\t")]
        tables: list[Table] = []
        facts: list[dict[str, Any]] = []
        for title, first, stop in _blocks(document, header):
            tables.append(read_table(document, header, first=first, stop=stop, names=names, separator="\t"))
            facts.append({"spectrum_parameters": [cell.strip() for cell in title.split("\t") if cell.strip()]})
        metadata: dict[str, Any] = {"header": header_lines(document.lines[:header])}
        # The date is that of the export, not of the measurement.
        exported = moment(" ".join(document.lines[:header]))
        if exported:
            metadata["exported_at"] = exported.iso
        return recordings(tables, metadata, per_table=facts)


def _blocks(document: Document, header: int) -> list[tuple[str, int, int]]:
    """Parameter line, first and last line of each spectrum."""
    starts = [
        i
        for i, line in enumerate(document.lines[header + 1 :], header + 1)
        if line.strip() and line[0].isalpha() and "=" in line
    ]
    if not starts:
        return [("", header + 1, len(document.lines))]
    ends = [*starts[1:], len(document.lines)]
    return [(document.lines[start], start + 1, end) for start, end in zip(starts, ends, strict=True)]
