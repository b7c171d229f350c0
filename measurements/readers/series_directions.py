"""Which way the current flows in each row, and what follows: its sign, counters of a step, and cycles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from measurements.readers.base import Warnings
from measurements.readers.columns import (
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CURRENT,
    CYCLE,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    STEP_CAPACITY,
    STEP_ENERGY,
    STEP_KIND,
    short,
)
from measurements.readers.grid import Floats
from measurements.readers.series_columns import CHARGE, DISCHARGE, SeriesColumn

Values = dict[str, npt.NDArray[Any]]
_NO_CURRENT = 1e-3  # of the largest current: below, a point counts as rest
_LEVEL = 0.05  # relative change from row to row below which the current is held
_COUNTED = 0.1  # of the largest count: what ends a whole half
_GOES_ON = 0.7  # of the count before a turn of the current: less began anew, even in two rows of a coarse file
_COUNTERS = {
    STEP_CAPACITY: (CHARGE_CAPACITY, DISCHARGE_CAPACITY),
    STEP_ENERGY: (CHARGE_ENERGY, DISCHARGE_ENERGY),
}


def per_step(values: Values) -> None:
    """Counters of charge and discharge that begin anew with every step, as the counter of the step."""
    for step, pair in _COUNTERS.items():
        if step not in values and all(name in values for name in pair):
            # Only one of them counts in a step.
            values[step] = np.fmax(values.pop(pair[0]), values.pop(pair[1]))


def resets_within_cycle(values: Values) -> bool:
    """Whether a counter of charge or discharge begins anew although the cycle goes on."""
    if CYCLE not in values:
        return False
    goes_on = np.diff(values[CYCLE]) == 0
    pair = [values[name] for name in (CHARGE_CAPACITY, DISCHARGE_CAPACITY) if name in values]
    return any(((np.diff(counter) < -0.5 * np.nanmax(counter)) & goes_on).any() for counter in pair)


def refuse_running_capacity(values: Values, columns: Sequence[SeriesColumn], warnings: Warnings) -> None:
    """A column "capacity" that runs on when the current turns is no counter of steps: it keeps its own name."""
    if STEP_CAPACITY not in values or CURRENT not in values:
        return
    if _runs_on(values[STEP_CAPACITY], directions(values)):
        column = next(column for column in columns if column.name == STEP_CAPACITY)
        values[f"{column.header} (file)"] = values.pop(STEP_CAPACITY)
        sentence = f"‘{short(column.header)}’ does not begin at 0 in every step. It is kept, and not used as a counter."
        warnings.append(("capacity_not_per_step", sentence))


def _runs_on(counter: Floats, direction: npt.NDArray[np.int8]) -> bool:
    """Whether a counter goes on where the current turned, at once or after a rest.

    It counts both directions then, or their difference, over a cycle or the whole test. Two rows after a turn tell:
    some testers set the counter back one row late.
    """
    rows = np.flatnonzero(direction)
    turns = np.flatnonzero(direction[rows[1:]] != direction[rows[:-1]]) + 1
    turns = turns[turns + 1 < len(rows)]
    turns = turns[direction[rows[turns + 1]] == direction[rows[turns]]]
    before, after = counter[rows[turns - 1]], np.minimum(counter[rows[turns]], counter[rows[turns + 1]])
    is_large = before > _COUNTED * np.fmax.reduce(counter, initial=0.0)
    return bool(is_large.any()) and bool(np.mean(after[is_large] > _GOES_ON * before[is_large]) > 0.5)


def set_signs(values: Values, warnings: Warnings) -> None:
    """Make charge positive and discharge negative, where the steps tell them apart and the current does not."""
    if CURRENT not in values or STEP_KIND not in values:
        return
    current, kind = values[CURRENT], values[STEP_KIND]
    charge, discharge = (np.nan_to_num(current[kind == word]) for word in (CHARGE, DISCHARGE))
    down = discharge.sum()
    if down > 0 and (discharge >= 0).mean() > 0.99 and (charge.size == 0 or charge.sum() >= 0):
        values[CURRENT] = np.where(kind == DISCHARGE, -np.abs(current), current)
        sentence = "The file gives the current without sign. It was made negative in the steps of discharge."
        warnings.append(("current_unsigned", sentence))
    elif down > 0 and charge.size and charge.sum() < 0:
        values[CURRENT] = -current
        sentence = "The file counts discharge current as positive. The sign was turned, so that charge is positive."
        warnings.append(("current_sign_turned", sentence))


def directions(values: Values) -> npt.NDArray[np.int8]:
    """+1 where a row charges, -1 where it discharges, 0 at rest; from the steps, else from the current.

    Parameters
    ----------
    values : dict
        With `current_A`, and `step_kind` where the file has it.
    """
    if STEP_KIND in values:
        is_charge, is_discharge = (values[STEP_KIND] == word for word in (CHARGE, DISCHARGE))
        if is_charge.any() or is_discharge.any():
            told = is_charge.astype(np.int8) - is_discharge.astype(np.int8)
            is_open = values[STEP_KIND] == ""
            return np.where(is_open, _by_current(values[CURRENT]), told) if is_open.any() else told
    return _by_current(values[CURRENT])


def _by_current(current: Floats) -> npt.NDArray[np.int8]:
    """+1, -1 and 0 by the sign of a current that is no trace of the largest."""
    limit = _NO_CURRENT * max(np.fmax.reduce(current, initial=0.0), -np.fmin.reduce(current, initial=0.0))
    return (current > limit).astype(np.int8) - (current < -limit).astype(np.int8)


def cycle_numbers(direction: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Cycles counted from 1: a new one begins when the first direction starts again after the other one.

    Parameters
    ----------
    direction : array of int
        As `directions` gives it, one for each row. Rests after a half cycle belong to it.
    """
    rows = np.flatnonzero(direction)
    if not len(rows):
        return np.ones(len(direction), dtype=np.int64)
    signs = direction[rows]
    turns = rows[1:][signs[1:] != signs[:-1]]
    starts = np.zeros(len(direction), dtype=np.int64)
    starts[turns[direction[turns] == signs[0]]] = 1
    return 1 + np.cumsum(starts)


def count_cycles(values: Values, warnings: Warnings) -> None:
    """Count cycles where the current turns, if it turns and is held; say so."""
    direction = directions(values)
    if not ((direction > 0).any() and (direction < 0).any()):
        return
    kinds = values.get(STEP_KIND, np.array([]))
    is_told = bool(((kinds == CHARGE) | (kinds == DISCHARGE)).any())
    if not is_told and not _holds_current(values[CURRENT], direction):
        return
    values[CYCLE] = cycle_numbers(direction)
    first = "charge" if direction[np.flatnonzero(direction)[0]] > 0 else "discharge"
    warnings.append((
        "cycles_derived",
        f"The file has no cycle number. Cycles were counted: a new one begins with each {first} after the other half; "
        f"{int(values[CYCLE][-1])} found.",
    ))  # fmt: skip


def _holds_current(current: Floats, direction: npt.NDArray[np.int8]) -> bool:
    """Whether the current keeps its level from row to row; the noise of a decayed current makes no cycles."""
    rows = np.flatnonzero((direction[1:] == direction[:-1]) & (direction[1:] != 0))
    if not len(rows):
        return False
    change = np.abs(current[rows + 1] - current[rows]) / np.abs(current[rows])
    return float(np.median(change)) < _LEVEL
