"""Battery Data Format 1.3.0 (Battery Data Alliance): csv and parquet in, and the same names out.

Headers are machine names ("voltage_volt") or preferred labels ("Voltage / V"); units are fixed. Older files write the
number of the program's step as `step_index`, and capacities of a step as `charging_capacity_ah`, which should count
from the beginning of the test: both are told by how they run.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from measurements.readers import parquet
from measurements.readers.base import Peek, Reader, ReaderError, Recording, Warnings
from measurements.readers.columns import (
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CURRENT,
    CYCLE,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
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
from measurements.readers.grid import Grid
from measurements.readers.neware_table import is_neware
from measurements.readers.series import recording
from measurements.readers.series_columns import RECORD, STEP_TIME
from measurements.readers.tester_tables import has_header, tables

_REQUIRED = {TIME: "test_time_second", POTENTIAL: "voltage_volt", CURRENT: "current_ampere"}
# Canonical column: machine names that may hold it, the likeliest first, and canonical = factor * value. The first one
# is written.
_COLUMNS: dict[str, tuple[tuple[str, ...], float]] = {
    TIME: (("test_time_second",), 1.0),
    POTENTIAL: (("voltage_volt",), 1.0),
    CURRENT: (("current_ampere",), 1.0),
    UNIX_TIME: (("unix_time_second",), 1.0),
    CYCLE: (("cycle_count",), 1.0),
    STEP: (("step_id", "step_count", "step_index"), 1.0),
    STEP_KIND: (("step_type",), 1.0),
    STEP_TIME: (("step_time_second",), 1.0),
    RECORD: (("record_index",), 1.0),
    STEP_CAPACITY: (("step_cumulative_capacity_ah", "step_capacity_ah", "step_net_capacity_ah"), 1e3),
    CHARGE_CAPACITY: (("charging_capacity_ah", "cycle_charging_capacity_ah"), 1e3),
    DISCHARGE_CAPACITY: (("discharging_capacity_ah", "cycle_discharging_capacity_ah"), 1e3),
    STEP_ENERGY: (("step_cumulative_energy_wh", "step_energy_wh", "step_net_energy_wh"), 1e3),
    CHARGE_ENERGY: (("charging_energy_wh", "cycle_charging_energy_wh"), 1e3),
    DISCHARGE_ENERGY: (("discharging_energy_wh", "cycle_discharging_energy_wh"), 1e3),
    TEMPERATURE: (("ambient_temperature_celsius", "surface_temperature_celsius", "temperature_t1_celsius"), 1.0),
}
_COUNTERS = (CHARGE_CAPACITY, DISCHARGE_CAPACITY, CHARGE_ENERGY, DISCHARGE_ENERGY)
_ARBINS = {  # columns of Arbin's database, whose units are fixed
    "Current": (CURRENT, "A"),
    "Charge_Capacity": (CHARGE_CAPACITY, "Ah"),
    "Discharge_Capacity": (DISCHARGE_CAPACITY, "Ah"),
    "Charge_Energy": (CHARGE_ENERGY, "Wh"),
    "Discharge_Energy": (DISCHARGE_ENERGY, "Wh"),
}
_UNIT_WORDS = {
    "s": "second", "v": "volt", "a": "ampere", "1": "", "degc": "celsius", "hz": "hertz", "deg": "degree", "w": "watt",
}  # fmt: skip
_SHARE_CONSTANT = 0.5  # of the rows: a number of steps stays the same, an index within a step does not


def machine_name(header: str) -> str:
    """The machine name of a header: "Voltage / V" is "voltage_volt", a machine name is itself."""
    text = header.strip().strip('"').lstrip("\ufeff")
    label, slash, unit = text.partition(" / ")
    stem = re.sub(r"\W+", "_", label.strip().lower())
    if not slash:
        return stem
    word = _UNIT_WORDS.get(unit.strip().lower(), unit.strip().lower())
    return f"{stem}_{word}" if word else stem


def is_bdf(cells: list[str]) -> bool:
    """Whether names hold the three that BDF requires."""
    if not {"voltage_volt", "Voltage / V"} & {cell.strip('"') for cell in cells}:
        return False
    return {machine_name(cell) for cell in cells} >= set(_REQUIRED.values())


class BdfReader(Reader):
    """BDF csv or parquet."""

    slug, version, name = "bdf", 2, "BDF csv/parquet"

    def recognises(self, peek: Peek) -> bool:
        if peek.head.startswith(parquet.MAGIC):
            return not is_neware(peek.columns)  # `read` refuses one that is no BDF
        return not peek.head.startswith(b"PK\x03\x04") and has_header(peek, is_bdf)

    def read(self, path: Path) -> list[Recording]:
        grid = _parquet(path) if parquet.is_parquet(path) else next(tables(path, is_bdf, _missing([])))[1]
        names, warnings = _names(grid)
        _without_sign(grid, names)
        units = _testers_own(grid, names, warnings)
        is_step = _counts_per_step(grid, names, warnings)
        return [
            recording(grid, {"header": grid.headers}, warnings, names=names, units=units, counters_per_step=is_step)
        ]


def _missing(headers: list[str]) -> str:
    seen = ", ".join(short(header) for header in headers[:12]) or "none"
    return (
        f"No BDF table found: it needs the columns {', '.join(_REQUIRED.values())}. Columns seen: {seen}. "
        "Export it again as BDF, or as CSV of the tester."
    )


def _parquet(path: Path) -> Grid:
    grid = parquet.read_grid(path)
    if not is_bdf(grid.headers):
        raise ReaderError(_missing(grid.headers))
    return grid


def _names(grid: Grid) -> tuple[dict[str, str], Warnings]:
    """Canonical name of each header; a header that is not the likeliest of its kind keeps its own."""
    warnings: Warnings = []
    names = dict.fromkeys(grid.headers, "")
    by_machine = {machine_name(header): header for header in reversed(grid.headers)}
    # Where the same quantity stands twice, the label or machine name of BDF counts, not what another program called it.
    by_machine |= {machine_name(header): header for header in grid.headers if " / " in header}
    for canonical, (machines, _) in _COLUMNS.items():
        for machine in machines:
            header = by_machine.get(machine)
            if header is None or not _fits(canonical, machine, grid, header, warnings):
                continue
            names[header] = canonical
            break
    return names, warnings


def _fits(canonical: str, machine: str, grid: Grid, header: str, warnings: Warnings) -> bool:
    cells = grid.columns[grid.headers.index(header)]
    if canonical == TEMPERATURE and cells.dtype != object and not np.any(np.nan_to_num(cells)):
        return False  # no sensor
    if machine != "step_index":
        return True
    # BDF once defined it as the place of a row within its step; a column that hardly changes numbers the steps.
    is_step = cells.dtype != object and float(np.mean(np.diff(cells.astype(np.float64)) == 0)) > _SHARE_CONSTANT
    if is_step:
        warnings.append(
            ("step_index_is_step", "The column step_index holds the number of the step, and was taken as such.")
        )
    return is_step


def _counts_per_step(grid: Grid, names: dict[str, str], warnings: Warnings) -> bool:
    """Whether counters of charge and discharge, against BDF, begin anew with a step: they fall, and only there."""
    places = {name: grid.columns[grid.headers.index(header)] for header, name in names.items() if name}
    if CYCLE in places or STEP not in places or places[STEP].dtype == object:
        return False
    pair = [places[name] for name in (CHARGE_CAPACITY, DISCHARGE_CAPACITY) if name in places]
    if len(pair) < 2 or any(counter.dtype == object for counter in pair):
        return False
    falls = np.any([np.diff(counter) < 0 for counter in pair], axis=0)
    if not falls.any() or (falls & (np.diff(places[STEP]) == 0)).any():
        return False
    sentence = "The counters of charge and discharge begin anew with a step, and were taken as the counter of the step."
    warnings.append(("counters_per_step", sentence))
    return True


def _testers_own(grid: Grid, names: dict[str, str], warnings: Warnings) -> dict[str, str]:
    """Units of Arbin's own columns, which count instead where an exporter's beside them are thousands apart.

    Such an export holds everything twice; the tester's own columns were not converted by anyone.
    """
    current = next((header for header, name in names.items() if name == CURRENT), "")
    if not {current, *_ARBINS} <= set(grid.headers) or current in _ARBINS:
        return {}
    theirs, own = (grid.columns[grid.headers.index(header)] for header in (current, "Current"))
    if theirs.dtype == object or own.dtype == object:
        return {}
    flows = (theirs != 0) & (own != 0)
    ratio = float(np.median(own[flows] / theirs[flows])) if flows.any() else 1.0
    power = round(math.log10(ratio) / 3) if ratio > 0 else 0
    if power == 0 or not np.allclose(own, theirs * 1000.0**power, rtol=1e-3, atol=0):
        return {}
    own_names = {name for name, _ in _ARBINS.values()}
    names |= {header: "" for header, name in names.items() if name in own_names}
    names |= {header: name for header, (name, _) in _ARBINS.items()}
    how = "smaller" if power > 0 else "larger"
    warnings.append((
        "unit_conflict",
        f"‘{current}’ is {1000 ** abs(power)} times {how} than ‘Current’, the tester’s own column in the same file. "
        "The tester’s own columns were taken. Check the export.",
    ))  # fmt: skip
    return {header: unit for header, (_, unit) in _ARBINS.items()}


def _without_sign(grid: Grid, names: dict[str, str]) -> None:
    """The net charge of a step carries a sign; the counter of a step does not."""
    for header, name in names.items():
        place = grid.headers.index(header)
        if name in (STEP_CAPACITY, STEP_ENERGY) and grid.columns[place].dtype != object:
            grid.columns[place] = np.abs(grid.columns[place].astype(np.float64))


def to_bdf(frame: pd.DataFrame) -> pd.DataFrame:
    """A time series under the machine names and units of BDF 1.3.0.

    Parameters
    ----------
    frame : DataFrame
        Canonical columns of a time series (`measurements.readers.columns`): s, V, A, mAh, mWh, °C; positive current
        charges.

    Returns
    -------
    DataFrame
        s, V, A, Ah, Wh, °C. `step_count` grows by one with every step that was run; `step_id` is the number that the
        tester gives the step, where the two differ. Counters that begin anew with a cycle are `cycle_…`. Columns that
        BDF does not know are left out.

    Raises
    ------
    ValueError
        If time, potential or current is missing: BDF requires them.
    """
    missing = [name for name in _REQUIRED if name not in frame]
    if missing:
        raise ValueError(f"BDF needs {', '.join(missing)}.")
    out: dict[str, Any] = {}
    for name, (machines, factor) in _COLUMNS.items():
        if name not in frame:
            continue
        column = frame[name]
        if name == STEP:
            out |= _steps(frame)
            continue
        machine = machines[0]
        if name in _COUNTERS and (np.diff(column.to_numpy(dtype=np.float64)) < 0).any():
            machine = machines[1]
        out[machine] = column.to_numpy() if factor == 1.0 else column.to_numpy(dtype=np.float64) / factor
    return pd.DataFrame(out)


def _steps(frame: pd.DataFrame) -> dict[str, Any]:
    number = frame[STEP].to_numpy(dtype=np.float64)
    change = np.diff(number) != 0
    if CYCLE in frame:
        change |= np.diff(frame[CYCLE].to_numpy(dtype=np.float64)) != 0
    count = np.cumsum(np.concatenate([[1], change.astype(np.int64)]))
    if len(number) and np.array_equal(number - number[0], count - 1):
        return {"step_count": frame[STEP].to_numpy()}
    return {"step_count": count, "step_id": frame[STEP].to_numpy()}
