"""The columns of EC-Lab, from text or binary, as a time series, with the impedance inside it taken apart.

EC-Lab counts charge with its sign: `dq` since the row before, `(Q-Qo)` since the beginning, in mA·h or in C. The charge
and discharge counters are the rising and the falling part of it and never begin anew; `Q charge/discharge` begins anew
with every half cycle and keeps its own name. Files of GCPL hold no current: there I = dq/dt of the charge since the row
before. Steps are the sequences (Ns); cycles are `cycle number`, which only text exports hold, or half of `half cycle`.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from measurements.readers.arrays import array_recording
from measurements.readers.bad_rows import wrong_cell
from measurements.readers.base import Recording, UnknownColumns, Warnings
from measurements.readers.columns import (
    CHARGE_CAPACITY,
    CURRENT,
    CYCLE,
    DISCHARGE_CAPACITY,
    POTENTIAL,
    STEP,
    STEP_KIND,
    TIME,
    short,
)
from measurements.readers.grid import Floats, Grid, as_column

_POTENTIALS = ("Ewe/V", "<Ewe>/V", "Ewe-Ece/V", "Ecell/V")
_CURRENTS = {"I/mA": 1e-3, "<I>/mA": 1e-3, "I/A": 1.0, "<I>/A": 1.0}
_INCREMENTS = {"dq/mA.h": 1.0}
_TOTALS = {"(Q-Qo)/mA.h": 1.0, "(Q-Qo)/C": 1 / 3.6}
_CYCLE, _HALF_CYCLE, _FREQUENCY = "cycle number", "half cycle", "freq/Hz"
_OF_IMPEDANCE = re.compile(
    r"-?(?:Re|Im|Phase)\(|\|(?:Z|Y|C|M|Permittivity|Resistivity|Conductivity)\||Tan\(|Loss Angle|C[sp]/|z cycle$"
)
_GALVANOSTATIC, _POTENTIOSTATIC, _REST = 1, 2, 3
MIN_ROWS = 10  # rows beside the impedance; a few are the start of a spectrum, not a measurement of their own


def is_series(names: list[str]) -> bool:
    """Whether columns of EC-Lab hold a time, a potential and a current or a charge."""
    known = set(names)
    charges = known & (_CURRENTS.keys() | _INCREMENTS.keys() | _TOTALS.keys())
    return "time/s" in known and bool(known & set(_POTENTIALS)) and bool(charges)


def is_impedance(grid: Grid) -> npt.NDArray[np.bool_]:
    """Which rows are points of a spectrum: those with a frequency."""
    if _FREQUENCY not in grid.headers:
        return np.zeros(len(grid), dtype=bool)
    return _numbers(grid, _FREQUENCY) > 0


def series_recording(grid: Grid, metadata: dict[str, Any], warnings: Warnings) -> Recording | None:
    """The time series among the rows of a file.

    Parameters
    ----------
    grid : Grid
        Headers as EC-Lab writes them. `mode` is 1 for current control, 2 for potential control, 3 for rest.
    metadata, warnings
        Of the whole file.

    Returns
    -------
    Recording or None
        Rows with a frequency are left out, because they are impedance; None if hardly any other row is there.

    Raises
    ------
    ReaderError
        If a column that is needed is missing, or (`BadRow`) a cell of it is no number.
    """
    names = grid.headers
    if not is_series(names):
        raise UnknownColumns(_missing(names))
    said = list(warnings)
    is_spectrum = is_impedance(grid)
    if is_spectrum.any() and int((~is_spectrum).sum()) < MIN_ROWS:
        return None
    potential = next(name for name in _POTENTIALS if name in names)
    found: dict[str, Any] = {TIME: _numbers(grid, "time/s"), POTENTIAL: _numbers(grid, potential)}
    change = _charge_mAh(grid)
    found[CURRENT] = _current(grid, found[TIME], change, said)
    cycle = _cycle(grid, said)
    if cycle is not None:
        found[CYCLE] = cycle
    if "Ns" in names:
        found[STEP] = _numbers(grid, "Ns")
    if "mode" in names:
        found[STEP_KIND] = _kinds(_numbers(grid, "mode"), found[CURRENT])
    if change is not None:
        found[CHARGE_CAPACITY] = np.cumsum(np.maximum(change, 0.0))
        found[DISCHARGE_CAPACITY] = np.cumsum(np.maximum(-change, 0.0))
    used = {"", "time/s", "Ns", _CYCLE, _FREQUENCY, potential, *_CURRENTS}
    for name, column in zip(names, grid.columns, strict=True):
        if name not in used and not _OF_IMPEDANCE.match(name):
            found.setdefault(name, column)
    lines = grid.lines
    if is_spectrum.any():
        found, lines = {name: column[~is_spectrum] for name, column in found.items()}, lines[~is_spectrum]
        count = int(is_spectrum.sum())
        said.append(("impedance_rows", f"{count} rows with a frequency are impedance, and are kept apart as spectra."))
    facts = metadata | ({"seen": grid.seen} if grid.seen else {})
    return array_recording(found, facts, said, lines, derives_cycles=False)


def _missing(names: list[str]) -> str:
    seen = ", ".join(short(name) for name in names[:12] if name) or "none"
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    if "time/s" not in names:
        what = "time"
    elif not set(names) & set(_POTENTIALS):
        what = "potential"
    else:
        what = "current"
    return f"No {what} column found. Columns seen: {seen}{more}. Choose which column is the {what}."


def _numbers(grid: Grid, name: str) -> Floats:
    cells = grid.columns[grid.headers.index(name)]
    if cells.dtype == object:
        row = next(i for i, cell in enumerate(cells) if as_column([cell], grid.decimal).dtype == object)
        raise wrong_cell(grid.place(row), name, str(cells[row]), int(grid.lines[row]))
    return np.asarray(cells, dtype=np.float64)


def _charge_mAh(grid: Grid) -> Floats | None:
    """Charge since the row before, in mAh, by the file's own counter; None if it has none."""
    for name, factor in _INCREMENTS.items():
        if name in grid.headers:
            return np.nan_to_num(_numbers(grid, name)) * factor
    for name, factor in _TOTALS.items():
        if name in grid.headers:
            total = _numbers(grid, name) * factor
            # An export may begin in the middle of a test: what was counted before is not of these rows.
            return np.nan_to_num(np.diff(total, prepend=total[:1]))
    return None


def _current(grid: Grid, time: Floats, change: Floats | None, warnings: Warnings) -> Floats:
    for name, factor in _CURRENTS.items():
        if name in grid.headers:
            return _numbers(grid, name) * factor
    assert change is not None  # `is_series` saw a current or a charge
    span = np.diff(time, prepend=np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        current = np.where(span > 0, change * 3.6 / span, np.nan)
    # Without charge there is no current, however short the time.
    current[np.isnan(current) & (change == 0)] = 0.0
    # The first row has no row before it; only `dq` may tell that no charge had passed.
    is_told = change[0] == 0 and any(name in grid.headers for name in _INCREMENTS)
    if len(current) > 1 and not is_told:
        current[0] = current[1]
    sentence = "The file holds no current; it was computed from the charge between rows, I = dQ/dt."
    warnings.append(("current_from_charge", sentence))
    return current


def _cycle(grid: Grid, warnings: Warnings) -> Floats | None:
    if _CYCLE in grid.headers:
        return _numbers(grid, _CYCLE)
    if _HALF_CYCLE not in grid.headers:
        return None
    sentence = "The file counts half cycles only; two of them were taken as one cycle, from 0 as EC-Lab does."
    warnings.append(("cycle_from_half_cycles", sentence))
    return np.floor(_numbers(grid, _HALF_CYCLE) / 2)


def _kinds(mode: Floats, current: Floats) -> npt.NDArray[np.object_]:
    """EC-Lab does not say charge or discharge: under current control the sign of the current does."""
    kinds = np.full(len(mode), "", dtype=object)
    is_driven = mode == _GALVANOSTATIC
    kinds[is_driven & (current > 0)] = "charge"
    kinds[is_driven & (current < 0)] = "discharge"
    kinds[(mode == _REST) | (is_driven & (current == 0))] = "rest"
    kinds[mode == _POTENTIOSTATIC] = "hold"
    return kinds
