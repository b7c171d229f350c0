"""Arbin text and workbooks: SQL-style csv (`Charge_Capacity` without units: SI) and MITS sheets (`Current(A)`).

Charge and discharge counters begin anew with a cycle, or never where the schedule does not advance Cycle_Index; a slice
of a test begins with a counter above 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from measurements.readers.base import Peek, Reader, Recording
from measurements.readers.columns import TIME
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
    """Whether names are those of Arbin's records.

    A BDF export of them has the names of both, and is BDF; the sheets of statistics have one row for each cycle.
    """
    found = keys(cells)
    return found >= _NEEDED and not found & {"steptype", "vmaxoncycle"} and "Voltage / V" not in cells


class ArbinReader(Reader):
    """Arbin csv or xlsx; every channel with records is a Recording, whatever number of sheets it takes."""

    slug, version, name = "arbin", 1, "Arbin csv/xlsx"

    def recognises(self, peek: Peek) -> bool:
        return has_header(peek, is_arbin)

    def read(self, path: Path) -> list[Recording]:
        found: list[Recording] = []
        sheet = ""
        for _, grid in tables(path, is_arbin, _MISSING):
            metadata: dict[str, Any] = {"instrument": "Arbin"}
            warnings: list[tuple[str, str]] = []
            if grid.sheet and not found:
                _global_info(path, metadata, warnings)
            elif grid.sheet:
                metadata |= {key: value for key, value in found[0].metadata.items() if key in ("operator", "header")}
            item = recording(grid, metadata, warnings)
            if sheet and _channel(sheet) == _channel(grid.sheet) and _goes_on(found[-1], item):
                _join(found[-1], item)
            else:
                found.append(item)
            sheet = grid.sheet
        return found


def _channel(sheet: str) -> str:
    """The name of a sheet without its number: a long test goes on from Channel_11_1 to Channel_11_2."""
    return sheet.rpartition("_")[0]


def _goes_on(before: Recording, after: Recording) -> bool:
    same_columns = list(before.frame.columns) == list(after.frame.columns)
    return same_columns and bool(after.frame[TIME].iloc[0] >= before.frame[TIME].iloc[-1])


def _join(before: Recording, after: Recording) -> None:
    """Rows of a sheet below those of the sheet before it."""
    before.frame = pd.concat([before.frame, after.frame], ignore_index=True)
    said = dict(before.warnings)
    before.warnings += [item for item in after.warnings if item[0] not in said and item[0] != "slice_not_from_start"]


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
