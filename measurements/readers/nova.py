"""Metrohm Autolab NOVA 1.x and 2.x: ASCII exports of impedance (FRA), and of potential and current over time.

Layout from documentation, not yet confirmed with a vendor file: literal headers of published exports and of other
people's parsers. No head; line 1 holds the names, separator and decimal sign are the user's choice, a line of units may
follow (NOVA 1.x). The columns -Z'' and -Phase carry the minus: a capacitive sample is positive there. A recording over
time (chronoamperometry, chronopotentiometry, charge and discharge) is always in s, V and A; "Corrected time" begins at
0 and is the one that counts. Sweeps of the potential are kept as files: nothing here evaluates them.
"""

from __future__ import annotations

import re
from pathlib import Path

from measurements.readers.base import Peek, Reader, ReaderError, Recording, TooFewPoints
from measurements.readers.columns import plain
from measurements.readers.delimited import Source, open_text, read_grid
from measurements.readers.series import recording
from measurements.readers.spectrum import recordings
from measurements.readers.table import decimal_of, read_table
from measurements.readers.text import Layout, load, split_lines

NOTE = "layout from documentation, not yet confirmed with a vendor file"

_UNIT = r"\s*(?:\([^()]*\))?"
# The names NOVA uses, needed where blanks separate the columns and also stand inside the names.
_NAMES = re.compile(
    r"WE\(\d\)\.(?:Potential|Current|Charge)" + _UNIT + r"|Corrected time" + _UNIT + r"|Current range|Potential applied"
    + _UNIT + r"|(?:Index|Frequency|-?Z''|Z'|Z|-?Phase|Time|Scan|Overload)" + _UNIT + r"|\S+"
)  # fmt: skip
_FIT = ("error z'", "convergence", "number of iterations", "χ²")


class NovaReader(Reader):
    """NOVA ASCII export with Frequency, Z', -Z'', Z and -Phase, or with Time, WE(1).Potential and WE(1).Current."""

    slug, version, name = "nova", 1, "NOVA ASCII (Autolab)"

    def recognises(self, peek: Peek) -> bool:
        heading = plain(next((line for line in split_lines(peek.text[:8192]) if line.strip()), ""))
        return _is_impedance(heading) or _is_series(heading)

    def read(self, path: Path) -> list[Recording]:
        source = open_text(path)
        header = next((i for i, line in enumerate(source.head) if line.strip()), 0)
        heading = source.head[header].lstrip("\ufeff")
        if _is_series(plain(heading)) and not _is_impedance(plain(heading)):
            return _series(source, header, heading)
        document = load(path)
        if any(word in plain(heading).lower() for word in _FIT):
            raise ReaderError(
                "This is a fit export of NOVA: calculated values, not measured ones. "
                "Export the measured frequency response (‘FRA measurement’) as ASCII, then upload that.",
                line=header + 1,
            )
        names, separator = _cut(heading)
        table = read_table(document, header, names=names, separator=separator)
        return recordings([table], {"instrument": "Autolab (NOVA)", "reader_note": NOTE})


def _is_impedance(heading: str) -> bool:
    return "Frequency" in heading and "-Z''" in heading and "Z'" in heading and "-Phase" in heading


def _is_series(heading: str) -> bool:
    is_timed = re.search(r"\b(?:Corrected t|T)ime\b", heading) is not None
    return is_timed and "WE(1).Current" in heading and "WE(1).Potential" in heading


def _cut(heading: str) -> tuple[list[str] | None, str | None]:
    """Names of a heading where they cannot be cut by a mark, and the separator (None for blanks)."""
    marks = [mark for mark in ("\t", ";", ",") if mark in heading]
    if marks:
        return None, marks[0]
    # A colon separates where a name follows it at once; else blanks do.
    if heading.count(":") >= 3:
        return [cell.strip() for cell in heading.split(":")], ":"
    return [name.strip() for name in _NAMES.findall(plain(heading))], None


def _series(source: Source, header: int, heading: str) -> list[Recording]:
    if "Potential applied" in heading or re.search(r"\bScan\b", heading):
        raise TooFewPoints(
            "This is a sweep of the potential (voltammogram) of NOVA, for which there is no analysis here. "
            "The file is kept as attachment."
        )
    names, separator = _cut(heading)
    rows = [line for line in source.head[header + 1 : header + 60] if re.match(r"\s*[-+]?[.,]?\d", line)]
    layout = Layout(separator, decimal_of(rows, separator))
    grid = read_grid(source, header, headers=names, layout=layout)
    told = {name: "" for name in grid.headers if plain(name).startswith("Time")}
    has_corrected = any(plain(name).startswith("Corrected time") for name in grid.headers)
    metadata = {"instrument": "Autolab (NOVA)", "reader_note": NOTE}
    return [recording(grid, metadata, names=told if has_corrected else None)]
