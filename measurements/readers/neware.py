"""Neware .nda and .ndax, the binaries of BTS, through fastnda.

fastnda brings polars and its threads, so it is imported only in `read`, in the child process that parses vendor files.
Cycle numbers are the tester's own where the file has them; what counting each charge after a discharge would give is
said where it differs, because programs without a loop leave the tester's number at 1. A cut .ndax is refused; a .nda
does not say how many records it was to hold.
"""

from __future__ import annotations

import logging
import warnings as python_warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from measurements.readers.arrays import array_recording
from measurements.readers.base import Peek, Reader, ReaderError, Recording, Warnings
from measurements.readers.columns import (
    CURRENT,
    CYCLE,
    POTENTIAL,
    STEP,
    STEP_CAPACITY,
    STEP_ENERGY,
    STEP_KIND,
    TEMPERATURE,
    TIME,
    UNIX_TIME,
    short,
)
from measurements.readers.facts import put_moment
from measurements.readers.neware_binary import Columns, read
from measurements.readers.series_columns import RECORD, step_kinds
from measurements.readers.series_directions import cycle_numbers, directions
from measurements.readers.words import coded

_NDA = b"NEWARE"
_ZIP = b"PK\x03\x04"
_DAMAGED = (
    "This Neware file cannot be read; it is damaged, cut off, or of a version that is not known. "
    "Export it from BTSDA as Excel or CSV with all records, then upload that."
)
# Name of fastnda: canonical name and factor. `step_count` numbers the steps as they were run, `step_index` those of the
# program.
_COLUMNS = {
    "total_time_s": (TIME, 1.0), "voltage_V": (POTENTIAL, 1.0), "current_mA": (CURRENT, 1e-3),
    "cycle_count": (CYCLE, 1.0), "step_count": (STEP, 1.0), "unix_time_s": (UNIX_TIME, 1.0),
    "index": (RECORD, 1.0),
}  # fmt: skip
_UNSIGNED = {"capacity_mAh": STEP_CAPACITY, "energy_mWh": STEP_ENERGY}


class NewareReader(Reader):
    """Neware binary; must be called in the child process (see the module)."""

    slug, version, name = "neware", 1, "Neware .nda/.ndax"

    def recognises(self, peek: Peek) -> bool:
        # Names of members stand before their content, so that a cut archive is known as well.
        return peek.head.startswith(_NDA) or (peek.head.startswith(_ZIP) and b".ndc" in peek.head)

    def read(self, path: Path) -> list[Recording]:
        columns, known, warnings = _parse(path)
        values: dict[str, Any] = {}
        for name, cells in columns.items():
            if name == "step_type":
                words, places = _step_types()
                values["step_type"] = coded(places[cells], words)
                values[STEP_KIND] = step_kinds(values["step_type"])
            elif name in _UNSIGNED:
                values[_UNSIGNED[name]] = np.abs(cells)
            elif name in _COLUMNS:
                canonical, factor = _COLUMNS[name]
                values[canonical] = cells if factor == 1.0 else cells * factor
            elif name.endswith("temperature_degC") and TEMPERATURE not in values:
                values[TEMPERATURE] = cells
            else:
                values[name] = cells
        if not columns or not len(columns["index"]):
            raise ReaderError("This Neware file holds no records. Export it again from BTSDA with all records.")
        metadata = _metadata(known, warnings)
        metadata["cycles_counted"] = counted = int(cycle_numbers(directions(values)).max(initial=1))
        stated = _different(values[CYCLE])
        if counted != stated:
            sentence = (
                f"The tester numbers {stated} cycle{'s' if stated != 1 else ''}; counting a cycle for every charge "
                f"after a discharge gives {counted}. The tester’s numbers were kept."
            )
            warnings.append(("cycle_count_differs", sentence))
        return [array_recording(values, metadata, warnings)]


def _different(numbers: npt.NDArray[np.float64]) -> int:
    """How many different numbers there are, which is quick to tell where they only grow."""
    steps = np.diff(numbers)
    return 1 + int(np.count_nonzero(steps)) if (steps >= 0).all() else len(pd.unique(numbers))


@cache
def _step_types() -> tuple[list[str], npt.NDArray[np.int8]]:
    """The words of fastnda for kinds of steps, and the place of the word of each code; '' if it does not know one."""
    from fastnda.dicts import STEP_TYPE_MAP

    words: list[str] = ["", *dict.fromkeys(STEP_TYPE_MAP.values())]
    places = np.zeros(256, dtype=np.int8)
    for code, word in STEP_TYPE_MAP.items():
        places[code] = words.index(word)
    return words, places


def _parse(path: Path) -> tuple[Columns, dict[str, Any], Warnings]:
    """Records and facts of fastnda, and what it had to say about the file."""
    with path.open("rb") as stream:
        is_nda = stream.read(len(_NDA)) == _NDA
    with _heard() as said:
        try:
            columns, known = read(path, is_nda)
        # The foreign parser indexes and decodes freely: any of its failures means the same to the person.
        except Exception:
            raise ReaderError(_DAMAGED) from None
    if known is None:
        # Records without readable facts are still a measurement.
        said.append("no facts")
    return columns, known or {}, _warnings(said)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What fastnda warns of and logs, collected."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("fastnda")
    logger.addHandler(handler)
    try:
        with python_warnings.catch_warnings(record=True) as caught:
            python_warnings.simplefilter("always")
            yield said
            said += [str(warning.message) for warning in caught]
    finally:
        logger.removeHandler(handler)


def _warnings(said: list[str]) -> Warnings:
    found: Warnings = []
    if any("cycle column missing" in text for text in said):
        sentence = "This kind of Neware file holds no cycle numbers; they were counted from charge and discharge."
        found.append(("cycles_derived", sentence))
    if any("not been verified" in text for text in said):
        sentence = (
            "This version of the Neware format was never compared with an export of the vendor’s. Check a few values."
        )
        found.append(("format_unverified", sentence))
    if "no facts" in said:
        found.append(("facts_unreadable", "The description of the test in this Neware file cannot be read."))
    return found


def _metadata(told: dict[str, Any], warnings: Warnings) -> dict[str, Any]:
    metadata: dict[str, Any] = {"instrument": "Neware", "seen": "binary"}
    lines = list(_flat(told))
    known = {key.rsplit(".", 1)[-1]: value for key, value in reversed(lines)}
    known |= {f"{key.rsplit('.', 2)[-2]}.Value": value for key, value in reversed(lines) if key.endswith(".Value")}
    start = known.get("StartTime") or known.get("start_time")
    if start:
        put_moment(metadata, warnings, start)
    operator = known.get("Creator.Value") or known.get("creator")
    if operator:
        metadata["operator"] = short(operator)
    try:
        # .ndax states micrograms (SCQ), .nda milligrams; both hold a default as often as a mass.
        mass = float(known["SCQ.Value"]) / 1000 if "SCQ.Value" in known else float(known["active_mass_mg"])
    except (KeyError, ValueError):
        mass = 0.0
    if mass > 0:
        metadata["active_mass_mg"] = mass
    metadata["header"] = [f"{short(key, 120)}: {short(value, 200)}" for key, value in lines if value][:300]
    return metadata


def _flat(facts: Any, above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in facts.items() if isinstance(facts, dict) else ():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(value, dict):
            yield from _flat(value, name)
        elif value is not None and not isinstance(value, list):
            yield name, str(value)
