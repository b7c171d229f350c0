"""What is odd about a time series: each doubt is a code and a sentence; nothing is changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from measurements.readers.base import Warnings
from measurements.readers.clock import DAY_S
from measurements.readers.columns import (
    CHARGE_CAPACITY,
    CURRENT,
    CYCLE,
    DISCHARGE_CAPACITY,
    POTENTIAL,
    STEP,
    STEP_CAPACITY,
    TIME,
    UNIX_TIME,
)
from measurements.readers.delimited import duration_words
from measurements.readers.series_columns import SERIES_LABELS

Floats = npt.NDArray[np.float64]

_LATE_S = 60.0  # a recording that begins later is a slice
_COUNTER_APART = 0.02
_COUNTERS = (STEP_CAPACITY, CHARGE_CAPACITY, DISCHARGE_CAPACITY)
_SELDOM_MISSING = (CYCLE, STEP, STEP_CAPACITY, CHARGE_CAPACITY, DISCHARGE_CAPACITY, UNIX_TIME)
_SELDOM = 0.1  # of the rows
_COUNTED = 0.02  # of its highest value: a counter that begins above was running before
_HELD = 0.05  # relative change from row to row below which a current is held
_FEW = 10  # rows
_HIGHEST_V, _HIGHEST_OF_ONE_CELL_V = 100.0, 10.0
_DIGITS = 20  # of the smallest step of a counter
_FAR_APART = 2.0
_MANY_LEVELS = 64  # a current printed coarsely takes few values


def doubts(values: dict[str, npt.NDArray[Any]], *, is_unit_known: bool = True) -> Warnings:
    """Doubts about columns in canonical units; `is_unit_known` of the potential.

    Codes: ``duplicate_time``, ``clock_reset`` (time goes backwards), ``slice_not_from_start``, ``no_value_rows``,
    ``potential_implausible``, ``current_resolution`` and ``counter_differs`` (the current does not integrate to what
    the tester counts).
    """
    found: Warnings = []
    time = values.get(TIME)
    if time is not None and len(time):
        found += _clock(time, [values[name] for name in _COUNTERS if name in values])
        if STEP_CAPACITY in values and CURRENT in values:
            found += _counter(time, values[CURRENT], values[STEP_CAPACITY], values.get(STEP))
        elif CURRENT in values:
            counters = [values[name] for name in (CHARGE_CAPACITY, DISCHARGE_CAPACITY) if name in values]
            found += _running_counters(time, values[CURRENT], counters)
    for name, label in ((POTENTIAL, "potential"), (CURRENT, "current")):
        if name in values:
            unknown = int(np.isnan(values[name]).sum())
            if unknown:
                found.append(_without_value(unknown, label))
    for name in _SELDOM_MISSING:
        unknown = int(np.isnan(values[name]).sum()) if name in values else 0
        # A column that is filled in some rows only is the way of the tester.
        if 0 < unknown <= _SELDOM * len(values[name]):
            found.append(_without_value(unknown, SERIES_LABELS[name]))
    potential = values.get(POTENTIAL)
    highest_V = _HIGHEST_V if is_unit_known else _HIGHEST_OF_ONE_CELL_V
    if potential is not None and np.isfinite(potential).any():
        size_V = np.abs(potential)
        # The median, which takes a hundred times as long, is no larger than the largest.
        if np.nanmax(size_V) > highest_V and (usual_V := np.nanmedian(size_V)) > highest_V:
            found.append(("potential_implausible", f"The potential is {usual_V:.0f} V. Is the column in mV?"))
    return found


def _without_value(count: int, label: str) -> tuple[str, str]:
    rows = "row holds" if count == 1 else "rows hold"
    return ("no_value_rows", f"{count} {rows} no {label}. They are kept without a value.")


def _clock(time: Floats, counters: list[Floats]) -> Warnings:
    found: Warnings = []
    steps = np.diff(time)
    same, back = int((steps == 0).sum()), np.flatnonzero(steps < 0)
    if same:
        rows = "row has" if same == 1 else "rows have"
        found.append(("duplicate_time", f"{same} {rows} the same time as the row before."))
    if len(back):
        times = "once" if len(back) == 1 else f"{len(back)} times"
        worst = duration_words(float(-steps[back].min()))
        found.append((
            "clock_reset",
            f"Time goes backwards {times}, first after row {int(back[0]) + 1}, by up to {worst}. "
            "What is integrated over time cannot be trusted there.",
        ))  # fmt: skip
    if time[0] > _LATE_S or time[0] < 0:
        when = duration_words(float(time[0])) if time[0] < 1e3 * DAY_S else f"{time[0]:.0f} s"
        found.append(
            ("slice_not_from_start", f"The recording begins at {when}, not at 0: the file is a part of a test.")
        )
    elif any(counter[0] > _COUNTED * np.nanmax(counter) > 0 for counter in counters if np.isfinite(counter).any()):
        sentence = "The tester’s counter of capacity does not begin at 0: the file is a part of a test."
        found.append(("slice_not_from_start", sentence))
    return found


def _counter(time: Floats, current: Floats, counter: Floats, step: npt.NDArray[Any] | None) -> Warnings:
    """Compare the integral of the current with the tester's counter, in the step that counts most."""
    if not np.isfinite(counter).any():
        return []
    top = int(np.nanargmax(counter))
    is_cut = np.diff(np.nan_to_num(counter)) < 0
    if step is not None:
        is_cut |= np.diff(step) != 0
    edges = np.array([0, *(np.flatnonzero(is_cut) + 1), len(time)])
    place = int(np.searchsorted(edges, top, side="right"))
    begin, end = int(edges[place - 1]), int(edges[place])
    if step is None:
        # Without numbers of steps a rest before stands in the same stretch; it counts nothing.
        begin += int(np.argmax(np.nan_to_num(counter[begin:end]) > 0))
    rows = slice(begin, end)
    t, i, counted = time[rows], current[rows], float(counter[top] - np.nan_to_num(counter[rows.start]))
    if len(t) < 10 or counted <= 0 or not np.isfinite(i).all() or (np.diff(t) < 0).any():
        return []
    integral = float(np.abs(np.trapezoid(i, t))) / 3.6
    if abs(integral - counted) <= _COUNTER_APART * counted:
        return []
    numbers = f"The current integrates to {integral:.4g} mAh in a step for which the tester counts {counted:.4g} mAh."
    levels = np.unique(np.abs(current[np.isfinite(current)]))
    gaps = np.diff(levels)
    # Rounding to the nearest level is off by half a gap at most.
    explained = gaps.min(initial=np.inf) / 2 * float(t[-1] - t[0]) / 3.6
    if 1 < len(levels) <= _MANY_LEVELS and abs(integral - counted) <= explained:
        smallest = float(gaps.min())
        sentence = (
            f"The current is written in steps of {smallest:.1g} A. {numbers} The tester’s counter is the better one."
        )
        return [("current_resolution", sentence)]
    return [("counter_differs", f"{numbers} Check the unit of the current and of the capacity.")]


def _running_counters(time: Floats, current: Floats, counters: list[Floats]) -> Warnings:
    """Compare current and counters of charge where the current is steady: a wrong unit puts them far apart.

    Where a current decays between two rows, the tester knows more of it than the file; only what is held counts.
    """
    with np.errstate(invalid="ignore"):
        grown = np.sum([np.maximum(np.nan_to_num(np.diff(counter)), 0.0) for counter in counters], axis=0)
        one, other, span = current[:-1], current[1:], np.diff(time)
        is_held = (
            (np.abs(other - one) < _HELD * np.abs(one)) & (one != 0) & (span > 0) & (np.sign(one) == np.sign(other))
        )
    if not counters or int(is_held.sum()) < _FEW:
        return []
    integral = float(np.abs((one + other) / 2 * span)[is_held].sum()) / 3.6
    counted = float(grown[is_held].sum())
    smallest = min((float(grown[grown > 0].min(initial=np.inf)), counted))
    # A counter that moved a few digits tells nothing.
    if counted < _DIGITS * smallest or counted <= 0 or 1 / _FAR_APART < integral / counted < _FAR_APART:
        return []
    sentence = (
        f"The current integrates to {integral:.4g} mAh where the tester counts {counted:.4g} mAh. "
        "Check the unit of the current and of the capacity."
    )
    return [("counter_differs", sentence)]
