"""Arbin text and workbooks: SQL-style csv (`Charge_Capacity` without units: SI) and MITS sheets (`Current(A)`).

Charge and discharge counters begin anew with a cycle, or never where the schedule does not advance Cycle_Index; a slice
of a test begins with a counter above 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from measurements.readers.base import Peek, Reader, Recording
from measurements.readers.facts import put_moment
from measurements.readers.series import recording
from measurements.readers.tester_tables import has_header, keys, tables
from measurements.readers.workbook import sheets, text_of

_MISSING = (
    "Expected a line of names with Test_Time, Step_Index, Cycle_Index and Charge_Capacity; found none. "
    "Export the channel again from Arbin’s Data Watcher with all records."
)
_NEEDED = {"testtime", "cycleindex", "stepindex", "current", "voltage", "chargecapacity", "dischargecapacity"}


def is_arbin(cells: list[str]) -> bool:
    """Whether names are those of an Arbin table; a BDF export of one has the names of both, and is BDF."""
    found = keys(cells)
    return found >= _NEEDED and "steptype" not in found and "Voltage / V" not in cells


class ArbinReader(Reader):
    """Arbin csv or xlsx; every sheet with records is a Recording."""

    slug, version, name = "arbin", 1, "Arbin csv/xlsx"

    def recognises(self, peek: Peek) -> bool:
        return has_header(peek, is_arbin)

    def read(self, path: Path) -> list[Recording]:
        found: list[Recording] = []
        for _, grid in tables(path, is_arbin, _MISSING):
            metadata: dict[str, Any] = {"instrument": "Arbin"}
            warnings: list[tuple[str, str]] = []
            if grid.sheet and not found:
                _global_info(path, metadata, warnings)
            elif grid.sheet:
                metadata |= {key: value for key, value in found[0].metadata.items() if key in ("operator", "header")}
            found.append(recording(grid, metadata, warnings))
        return found


def _global_info(path: Path, metadata: dict[str, Any], warnings: list[tuple[str, str]]) -> None:
    """Facts of the sheet Global_Info: one row of names, one of values."""
    for name, rows in sheets(path):
        if name != "Global_Info":
            continue
        texts = [[text_of(cell) for cell in row] for row in rows]
        place = next((i for i, row in enumerate(texts[:-1]) if row and row[0] == "Channel"), None)
        if place is None:
            return
        facts = {key: value for key, value in zip(texts[place], texts[place + 1], strict=False) if key and value}
        put_moment(metadata, warnings, facts.get("Start DateTime", ""))
        if facts.get("Creator"):
            metadata["operator"] = facts["Creator"]
        title = next((cell for row in texts[:place] for cell in row if cell and cell != "TEST REPORT"), "")
        metadata["header"] = [f"{key}: {value}" for key, value in ({"Test": title} | facts).items() if value]
        return
