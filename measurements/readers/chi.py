"""CH Instruments text: keyed head, then "Freq/Hz, Z'/ohm, Z"/ohm, Z/ohm, Phase/deg"."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from measurements.readers.base import Peek, Reader, ReaderError, Recording, Warnings
from measurements.readers.columns import short
from measurements.readers.facts import put_moment
from measurements.readers.spectrum import header_lines, recordings
from measurements.readers.table import read_table
from measurements.readers.text import load

_MODEL = re.compile(r"^Instrument Model:\s*(CHI\S*)", re.MULTILINE)
_HEADING = re.compile(r"\s*[A-Za-z][\w\"'.()-]*\s*/\s*\S+\s*[,\t]")


class ChiReader(Reader):
    """CH Instruments A.C. impedance; Z" has its true sign."""

    slug, version, name = "chi", 1, "CH Instruments text"

    def recognises(self, peek: Peek) -> bool:
        return _MODEL.search(peek.text[:8192]) is not None

    def read(self, path: Path) -> list[Recording]:
        document = load(path)
        header = next((i for i, line in enumerate(document.lines[:500]) if _HEADING.match(line)), None)
        if header is None:
            raise ReaderError(
                "Expected a line of column names such as ‘Freq/Hz, Z'/ohm, Z\"/ohm’; found none. "
                "Export the file again from the CH Instruments software as text."
            )
        table = read_table(document, header)
        head = document.lines[:header]
        model = _MODEL.search("\n".join(head))
        metadata: dict[str, Any] = {"instrument": short(model[1] if model else "CH Instruments")}
        warnings: Warnings = []
        put_moment(metadata, warnings, head[0] if head else "")
        metadata["header"] = header_lines(head)
        return recordings([table], metadata, warnings)
