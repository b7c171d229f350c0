"""Arbin .res, an Access (Jet) database, through access-parser.

access-parser is imported only in `read`. It returns the rows by page, not by number, so that they are put in the order
of Data_Point. One file may hold several tests; each is a Recording.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from measurements.readers.arrays import array_recording
from measurements.readers.base import Peek, Reader, ReaderError, Recording
from measurements.readers.columns import (
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CURRENT,
    CYCLE,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    POTENTIAL,
    STEP,
    TIME,
    short,
)
from measurements.readers.series_columns import RECORD, STEP_TIME

_JET = (b"\x00\x01\x00\x00Standard Jet DB", b"\x00\x01\x00\x00Standard ACE DB")
_VERSION_AT, _PAGE_OF_VERSION_3, _PAGE = 0x14, 2048, 4096
_RECORDS = "Channel_Normal_Table"
_DAMAGED = (
    "This Arbin database (.res) cannot be read; it is damaged, cut off, or of a version that is not known. "
    "Export it from Arbin’s Data Watcher as CSV or Excel, then upload that."
)
# Amperes, volts, seconds, ampere hours and watt hours.
_COLUMNS = {
    "Test_Time": (TIME, 1.0), "Voltage": (POTENTIAL, 1.0), "Current": (CURRENT, 1.0), "Cycle_Index": (CYCLE, 1.0),
    "Step_Index": (STEP, 1.0), "Charge_Capacity": (CHARGE_CAPACITY, 1e3),
    "Discharge_Capacity": (DISCHARGE_CAPACITY, 1e3), "Charge_Energy": (CHARGE_ENERGY, 1e3),
    "Discharge_Energy": (DISCHARGE_ENERGY, 1e3), "Step_Time": (STEP_TIME, 1.0),
    "Data_Point": (RECORD, 1.0),
}  # fmt: skip
_ACCESS_ZERO = datetime(1899, 12, 30)


class ArbinResReader(Reader):
    """Arbin results file; must be called in the child process.

    A Jet database that Arbin's software would accept cannot be written without Access, so there is no sample: the real
    files of the data set cover this reader (`needs_vendor_file`).
    """

    slug, version, name = "arbin_res", 1, "Arbin .res"
    needs_vendor_file = True

    def recognises(self, peek: Peek) -> bool:
        return peek.head.startswith(_JET)

    def read(self, path: Path) -> list[Recording]:
        records, facts = _parse(path)
        test = records.pop("Test_ID", np.zeros(len(records["Test_Time"])))
        found: list[Recording] = []
        for number in np.unique(test):
            rows = test == number
            warnings: list[tuple[str, str]] = []
            part = {name: column[rows] for name, column in records.items()}
            point = part["Data_Point"]
            if (np.diff(point) < 0).any():
                order = np.argsort(point, kind="stable")
                part = {name: column[order] for name, column in part.items()}
                count = int((np.diff(point) < 0).sum())
                sentence = f"The rows of the file are not in order ({count} steps back); they were sorted."
                warnings.append(("rows_sorted", sentence))
            missing = int(np.ptp(part["Data_Point"])) + 1 - len(np.unique(part["Data_Point"]))
            if missing:
                sentence = f"{missing} numbers of Data_Point are missing between the rows; the file may be damaged."
                warnings.append(("records_missing", sentence))
            metadata = _metadata(facts.get(int(number), {}))
            found.append(array_recording(_values(part), metadata, warnings))
        return found


def _values(part: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, column in part.items():
        canonical, factor = _COLUMNS.get(name, (name, 1.0))
        values[canonical] = column * factor
    return values


def _metadata(facts: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"instrument": "Arbin", "seen": "Access database"}
    start = facts.get("Start_DateTime")
    if isinstance(start, float) and start > 1:
        moment = _ACCESS_ZERO + timedelta(seconds=round(start * 86_400))
        metadata["measured_at"] = moment.isoformat()
    if facts.get("Creator"):
        metadata["operator"] = short(str(facts["Creator"]))
    metadata["header"] = [
        f"{name}: {short(str(value), 200)}" for name, value in facts.items() if value not in ("", None)
    ]
    return metadata


def _parse(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[int, dict[str, Any]]]:
    """Numeric columns of the table of records, and the facts of each test by its number."""
    from access_parser import AccessParser

    with path.open("rb") as stream:
        head = stream.read(_VERSION_AT + 1)
    # The foreign parser reads the whole pages of a file that was cut off, and says nothing.
    if path.stat().st_size % (_PAGE if head[_VERSION_AT:] > b"\0" else _PAGE_OF_VERSION_3):
        raise ReaderError(_DAMAGED)
    try:
        database = AccessParser(str(path))
        catalog = set(database.catalog)
        rows = dict(database.parse_table(_RECORDS)) if _RECORDS in catalog else {}
        tests = dict(database.parse_table("Global_Table")) if "Global_Table" in catalog else {}
    # The foreign parser indexes and decodes freely: any of its failures means the same to the person.
    except Exception:
        raise ReaderError(_DAMAGED) from None
    if _RECORDS not in catalog:
        seen = ", ".join(short(name) for name in sorted(catalog)[:8]) or "none"
        raise ReaderError(
            f"This Access database holds no table {_RECORDS}, so it is none of Arbin’s. Tables seen: {seen}. "
            "Upload the results file of the tester."
        )
    try:
        records = {name: np.asarray(column, dtype=np.float64) for name, column in rows.items()}
    except (TypeError, ValueError):
        raise ReaderError(_DAMAGED) from None
    lengths = {len(column) for column in records.values()}
    if not {"Data_Point", "Test_Time", "Voltage", "Current"} <= records.keys() or len(lengths) != 1 or lengths == {0}:
        raise ReaderError(_DAMAGED)
    numbers = tests.get("Test_ID", [])
    facts = {
        int(number): {name: column[i] for name, column in tests.items() if i < len(column)}
        for i, number in enumerate(numbers)
    }
    return records, facts
