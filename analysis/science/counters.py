"""What the tester itself counted: charge and energy per direction, whichever kind of counter the file has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.segments import Real, Segments, Series
from measurements.readers.columns import (
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CYCLE,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    STEP,
    STEP_CAPACITY,
    STEP_ENERGY,
)

_RESET = 0.5  # a counter that falls below this share of the row before began anew; less is rounding
_DECIMALS = 9


@dataclass(frozen=True)
class Counter:
    """What each row adds to charge and discharge, arrays of shape (n_rows,), in the unit of the columns.

    `carried_over` is what stood on the counter before the first row and belongs to the half in which the recording
    begins; it is contained in the first row. `resolution` is the last printed digit, None where none can be seen.
    """

    charge: Real
    discharge: Real
    columns: tuple[str, ...]
    carried_over: float
    resolution: float | None


def capacity_counter(series: Series, segments: Segments) -> Counter | None:
    """The tester's counter of charge [mAh]; None where the file has none."""
    return _counter(series, segments, (CHARGE_CAPACITY, DISCHARGE_CAPACITY), STEP_CAPACITY)


def energy_counter(series: Series, segments: Segments) -> Counter | None:
    """The tester's counter of energy [mWh]; None where the file has none."""
    return _counter(series, segments, (CHARGE_ENERGY, DISCHARGE_ENERGY), STEP_ENERGY)


def _counter(series: Series, segments: Segments, directions: tuple[str, str], step: str) -> Counter | None:
    frame = series.frame
    if set(directions) <= set(frame.columns):
        pair = [_values(frame[name]) for name in directions]
        if all(values is not None for values in pair):
            parts, carried = [], 0.0
            flowing = segments.sign[segments.sign != 0]
            for values, sign in zip(pair, (1, -1), strict=True):
                added, start = _added(values, None)  # type: ignore[arg-type]
                if start and flowing.size and flowing[0] != sign:
                    added[0], start = 0.0, 0.0  # of a half that ended before the recording began
                parts.append(added)
                carried = max(carried, start)
            return Counter(parts[0], parts[1], directions, carried, _resolution(pair[0]))  # type: ignore[arg-type]
    values = _values(frame[step]) if step in frame.columns else None
    if values is None:
        return None
    begins, way = _steps(series, segments, values)
    added, start = _added(values, begins)
    return Counter(added * (way > 0), added * (way < 0), (step,), start, _resolution(values))


def _values(column: pd.Series) -> Real | None:
    """A counter without gaps; None if it never counted."""
    values = column.to_numpy(dtype=float)
    if np.isnan(values).any():
        values = pd.Series(values).ffill().fillna(0.0).to_numpy()
    return values if values.max() > 0.0 else None


def _added(values: Real, begins: NDArray[np.intp] | None) -> tuple[Real, float]:
    """What each row adds, and what the first row holds from before the recording.

    A counter that begins anew, here or elsewhere, counts one step or one cycle: what it shows in the first row belongs
    to the half in which the recording begins. One that never does may hold the cycles of another file.
    """
    added = np.diff(values, prepend=0.0)
    is_reset = values[1:] < _RESET * values[:-1]
    rows = np.flatnonzero(is_reset) + 1
    added[rows] = values[rows]
    if begins is not None:
        added[begins] = values[begins]
    usual = abs(values[1] - values[0]) if values.size > 1 else 0.0
    is_small = values[0] <= 3.0 * usual
    if not is_small and begins is None and not rows.size:
        added[0] = 0.0
    return added, 0.0 if is_small else float(added[0])


def _steps(series: Series, segments: Segments, values: Real) -> tuple[NDArray[np.intp], NDArray[np.int8]]:
    """First row of each step of a counter that begins anew in every step, and the direction of each row."""
    number = series.frame[STEP].to_numpy() if STEP in series.frame.columns else None
    if number is None or pd.isna(number).any():
        return segments.first, segments.sign_of_row
    is_new = np.concatenate([[True], (number[1:] != number[:-1]) | (values[1:] < _RESET * values[:-1])])
    if CYCLE in series.frame.columns:  # the same step number in the next cycle
        cycle = series.frame[CYCLE].to_numpy()
        is_new[1:] |= cycle[1:] != cycle[:-1]
    begins = np.flatnonzero(is_new)
    # The last row of a step often shows no current any more: the step decides, not the row.
    direction = np.sign(np.add.reduceat(segments.sign_of_row.astype(np.int64), begins)).astype(np.int8)
    return begins, np.repeat(direction, np.diff(np.append(begins, values.size)))


def _resolution(values: Real) -> float | None:
    """The last printed digit, from a thousand values spread over the file; None if they look unrounded."""
    sample = values[:: max(values.size // 1000, 1)]
    for decimals in range(_DECIMALS):
        if np.allclose(np.round(sample, decimals), sample, rtol=1e-12, atol=1e-12):
            return float(10.0**-decimals)
    return None
