"""BioLogic EC-Lab text: .mpt, and the .txt that is the same file by another name.

cp1252, "Nb header lines : N" with the names on line N; -Im(Z) is stored positive for a capacitive sample. Loops are
told apart by cycle number and by rising frequency; rows with freq = 0 are direct current. The electrode area is
EC-Lab's default (0.001 cm²) more often than a measured one: it is handed on as stated, never used unasked.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from measurements.readers.base import Peek, Reader, ReaderError, Recording
from measurements.readers.facts import put_moment, stated_temperature_degC
from measurements.readers.spectrum import Warnings, header_lines, recordings
from measurements.readers.table import read_table
from measurements.readers.text import Document, load

_FIRST = re.compile(r"\ufeff?(?:EC-Lab|BT-Lab) ASCII FILE")


class EcLabReader(Reader):
    """EC-Lab ASCII file (PEIS, GEIS, and techniques with impedance steps such as Modulo Bat)."""

    slug, version, name = "eclab", 1, "EC-Lab .mpt"

    def recognises(self, peek: Peek) -> bool:
        return _FIRST.match(peek.text) is not None

    def read(self, path: Path) -> list[Recording]:
        document = load(path)
        names_at = _names_line(document)
        head = document.lines[:names_at]
        # Files saved with blanks instead of tabs exist only by hand; a tab is the format.
        table = read_table(document, names_at, separator="\t")
        metadata, warnings = metadata_of(head)
        return recordings([table], metadata, warnings)


def _names_line(document: Document) -> int:
    """Index of the line with the column names."""
    for line in document.lines[:5]:
        count = re.match(r"\s*Nb header lines\s*:\s*(\d+)", line)
        if count:
            stated = int(count[1]) - 1
            if not 0 <= stated < len(document.lines):
                raise ReaderError(
                    f"The head promises {int(count[1])} lines, the file has {len(document.lines)}, so the export was "
                    "probably cut off. Export it again from EC-Lab.",
                )
            return stated
    for i, line in enumerate(document.lines[:2000]):
        if "\t" in line and re.search(r"(^|\t)(freq/Hz|time/s)(\t|$)", line):
            return i
    raise ReaderError(
        "Expected a line ‘Nb header lines : …’ and a line of column names with ‘freq/Hz’; found none. "
        "Export the file again from EC-Lab as text."
    )


def metadata_of(head: list[str]) -> tuple[dict[str, Any], Warnings]:
    """What the head of an EC-Lab text states."""
    metadata: dict[str, Any] = {}
    warnings: Warnings = []
    for line in head:
        key, found, value = line.partition(" : ")
        key, value = key.strip(), value.strip()
        if not found or not value:
            continue
        if key == "Acquisition started on":
            # EC-Lab writes month/day/year in every language.
            put_moment(metadata, warnings, value, is_fixed=True)
        elif key == "User":
            metadata["operator"] = value
        elif key == "Device":
            metadata["instrument"] = f"BioLogic {value}"
        elif key == "Electrode surface area":
            area = re.match(r"(\d+(?:[.,]\d+)?)\s*cm", value)
            if area:
                metadata["electrode_area_cm2"] = float(area[1].replace(",", "."))
        elif key.lower().startswith("temperature"):
            temperature = stated_temperature_degC(line)
            if temperature is not None:
                metadata["temperature_degC"] = temperature
    technique = next((line.strip() for line in head[2:6] if line.strip() and ":" not in line), "")
    if technique:
        metadata["technique"] = technique
    metadata["header"] = header_lines(head)
    return metadata, warnings
