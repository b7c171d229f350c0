"""BioLogic EC-Lab text: .mpt, and the .txt that is the same file by another name.

cp1252, "Nb header lines : N" with the names on line N; -Im(Z) is stored positive for a capacitive sample. Loops are
told apart by cycle number and by rising frequency; rows with freq = 0 are direct current, and a time series of their
own where they are more than the start of a spectrum (`measurements.readers.eclab_series`). The electrode area is
EC-Lab's default (0.001 cm²) more often than a measured one: it is handed on as stated, never used unasked.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from measurements.readers.base import Peek, Reader, ReaderError, Recording, Warnings
from measurements.readers.delimited import open_text, read_grid
from measurements.readers.eclab_series import is_impedance, is_series, series_recording
from measurements.readers.facts import put_moment, stated_temperature_degC
from measurements.readers.spectrum import header_lines, recordings
from measurements.readers.table import read_table
from measurements.readers.text import load, split_lines

_HEAD = 1 << 22  # bytes that hold the settings of any sequence
_FIRST = re.compile(r"\ufeff?(?:EC-Lab|BT-Lab) ASCII FILE")


class EcLabReader(Reader):
    """EC-Lab ASCII file: PEIS and GEIS, CP, CA, GCPL, and Modulo Bat with impedance among its steps."""

    slug, version, name = "eclab", 2, "EC-Lab .mpt"

    def recognises(self, peek: Peek) -> bool:
        return _FIRST.match(peek.text) is not None

    def read(self, path: Path) -> list[Recording]:
        source = open_text(path)
        lines = split_lines(source.data[:_HEAD].decode(errors="replace"))
        names_at = _names_line(lines, source.data.count(b"\n") + 1)
        metadata, warnings = metadata_of(lines[:names_at])
        names = [name.strip() for name in lines[names_at].split("\t")]
        if not is_series(names):
            # A table without frequency, too, is refused by name of what it lacks.
            return _spectra(path, names_at, metadata, warnings)
        grid = read_grid(source, names_at)
        series = series_recording(grid, metadata, warnings)
        if not is_impedance(grid).any():
            return [series] if series is not None else []
        found = _spectra(path, names_at, metadata, warnings)
        if series is None:
            return found
        for item in found:
            item.warnings[:] = [warning for warning in item.warnings if warning[0] != "dc_rows"]
        # Spectra first: they were all that version 1 of this reader gave, and keep their places.
        return [*found, series]


def _spectra(path: Path, names_at: int, metadata: dict[str, Any], warnings: Warnings) -> list[Recording]:
    # Files saved with blanks instead of tabs exist only by hand; a tab is the format.
    return recordings([read_table(load(path), names_at, separator="\t")], metadata, warnings)


def _names_line(lines: list[str], count: int) -> int:
    """Index of the line with the column names, among the first lines of a file with `count` of them."""
    for line in lines[:5]:
        found = re.match(r"\s*Nb header lines\s*:\s*(\d+)", line)
        if found:
            stated = int(found[1]) - 1
            if not 0 <= stated < min(count, len(lines)):
                raise ReaderError(
                    f"The head promises {int(found[1])} lines, the file has {count}, so the export was "
                    "probably cut off. Export it again from EC-Lab.",
                )
            return stated
    for i, line in enumerate(lines[:2000]):
        if "\t" in line and re.search(r"(^|\t)(freq/Hz|time/s)(\t|$)", line):
            return i
    raise ReaderError(
        "Expected a line ‘Nb header lines : …’ and a line of column names with ‘freq/Hz’ or ‘time/s’; found none. "
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
        elif key == "Mass of active material":
            mass = re.match(r"(\d+(?:[.,]\d+)?)\s*(mg|g)\b", value)
            # 0.001 mg is what EC-Lab writes where nobody entered a mass.
            if mass and mass[1].replace(",", ".") != "0.001":
                metadata["active_mass_mg"] = float(mass[1].replace(",", ".")) * (1e3 if mass[2] == "g" else 1.0)
        elif key.lower().startswith("temperature"):
            temperature = stated_temperature_degC(line)
            if temperature is not None:
                metadata["temperature_degC"] = temperature
    technique = next((line.strip() for line in head[2:6] if line.strip() and ":" not in line), "")
    if technique:
        metadata["technique"] = technique
    metadata["header"] = header_lines(head)
    return metadata, warnings
