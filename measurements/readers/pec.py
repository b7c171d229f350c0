"""PEC csv: lines of keys and values, then a table with ‘Instruction Name’ and ‘Load On Time’."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from measurements.readers.base import Peek, Reader, Recording
from measurements.readers.columns import (
    CHARGE_CAPACITY,
    DISCHARGE_CAPACITY,
    STEP_KIND,
    TEMPERATURE,
    TIME,
    UNIX_TIME,
    short,
)
from measurements.readers.series import recording
from measurements.readers.series_columns import STEP_TIME
from measurements.readers.spectrum import header_lines
from measurements.readers.tester_tables import has_header, keys, tables

_MISSING = (
    "Expected a line of names with ‘Instruction Name’, ‘Total Time’ and ‘Voltage (V)’; found none. "
    "Export the test again from PEC as CSV."
)
_NEEDED = {"instructionname", "totaltime", "steptime", "voltage", "current", "cycle"}
# What stands in the brackets after a name is the form or the unit of its values.
_NAMES = {
    "Total Time": TIME, "Step Time": STEP_TIME, "Real Time": UNIX_TIME, "Instruction Name": STEP_KIND,
    "Temp": TEMPERATURE, "Charge Capacity": CHARGE_CAPACITY, "Discharge Capacity": DISCHARGE_CAPACITY, "Cell": "",
    "Test": "", "Position": "", "Load On Time": "", "Cycle Charge Time": "", "Cycle Discharge Time": "",
    "Position Start Time": "", "Station Temperature": "",
}  # fmt: skip


def is_pec(cells: list[str]) -> bool:
    """Whether names are those of a PEC table."""
    return keys(cells) >= _NEEDED


class PecReader(Reader):
    """PEC test result in csv."""

    slug, version, name = "pec", 1, "PEC csv"

    def recognises(self, peek: Peek) -> bool:
        return has_header(peek, is_pec)

    def read(self, path: Path) -> list[Recording]:
        ((head, grid),) = tables(path, is_pec, _MISSING)
        metadata: dict[str, Any] = {"instrument": "PEC", "header": header_lines(head)}
        facts = dict(line.partition(",")[::2] for line in head)
        operator = facts.get("Requestor:", "").strip()
        if operator:
            metadata["operator"] = short(operator)
        names = {header: _NAMES[stem] for header in grid.headers if (stem := header.split(" (")[0]) in _NAMES}
        return [recording(grid, metadata, names=names)]
