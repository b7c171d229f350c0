"""Metrohm Autolab NOVA 1.x and 2.x: ASCII export of an impedance measurement (FRA).

Layout from documentation, not yet confirmed with a vendor file: literal headers of published exports and of other
people's parsers. No head; line 1 holds the names, separator and decimal sign are the user's choice, a line of units may
follow (NOVA 1.x). The columns -Z'' and -Phase carry the minus: a capacitive sample is positive there.
"""

from __future__ import annotations

import re
from pathlib import Path

from measurements.readers.base import Peek, Reader, ReaderError, Recording
from measurements.readers.columns import plain
from measurements.readers.spectrum import recordings
from measurements.readers.table import read_table
from measurements.readers.text import load, split_lines

NOTE = "layout from documentation, not yet confirmed with a vendor file"

_UNIT = r"\s*(?:\([^()]*\))?"
# The names NOVA uses, needed where blanks separate the columns and also stand inside the names.
_NAMES = re.compile(
    r"WE\(\d\)\.(?:Potential|Current|Charge)" + _UNIT + r"|Corrected time" + _UNIT + r"|Current range|Potential applied"
    + _UNIT + r"|(?:Index|Frequency|-?Z''|Z'|Z|-?Phase|Time|Scan|Overload)" + _UNIT + r"|\S+"
)  # fmt: skip
_FIT = ("error z'", "convergence", "number of iterations", "χ²")


class NovaReader(Reader):
    """NOVA ASCII export with Frequency, Z', -Z'', Z and -Phase."""

    slug, version, name = "nova", 1, "NOVA ASCII (Autolab)"

    def recognises(self, peek: Peek) -> bool:
        heading = plain(next((line for line in split_lines(peek.text[:8192]) if line.strip()), ""))
        return "Frequency" in heading and "-Z''" in heading and "Z'" in heading and "-Phase" in heading

    def read(self, path: Path) -> list[Recording]:
        document = load(path)
        header = next(i for i, line in enumerate(document.lines) if line.strip())
        heading = document.lines[header].lstrip("\ufeff")
        if any(word in plain(heading).lower() for word in _FIT):
            raise ReaderError(
                "This is a fit export of NOVA: calculated values, not measured ones. "
                "Export the measured frequency response (‘FRA measurement’) as ASCII, then upload that.",
                line=header + 1,
            )
        marks = [mark for mark in ("\t", ";", ",") if mark in heading]
        # A colon separates where a name follows it at once; else blanks do.
        is_colon = not marks and heading.count(":") >= 3
        names = None if marks or is_colon else [name.strip() for name in _NAMES.findall(plain(heading))]
        if is_colon:
            names = [cell.strip() for cell in heading.split(":")]
        table = read_table(document, header, names=names, separator=marks[0] if marks else ":" if is_colon else None)
        return recordings([table], {"instrument": "Autolab (NOVA)", "reader_note": NOTE})
