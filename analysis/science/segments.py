"""A time series of a cycler split by the sign of its current, and charge and energy of every part in one pass.

General on purpose: it knows neither cycles nor which electrode is which. `cycles` builds on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.base import AnalysisError
from measurements.readers.columns import CURRENT, POTENTIAL, STEP, STEP_KIND, TIME, UNIX_TIME

Real = NDArray[np.float64]
Rows = NDArray[np.intp]
Signs = NDArray[np.int8]

REST_FRACTION = 1.0e-3  # of the usual current: below it a cell rests, above it is the tail of a constant voltage step
SECONDS_PER_HOUR = 3600.0
_SAMPLES = 20_000  # rows from which the usual current is taken
_FALSE_STAMPS = 3  # rows in a row whose time is wrong while the clock goes on
_GAP = 1.5  # times the interval of a segment: a longer pause before it was not spent at its current
_NEXT_ROWS = 2  # whose intervals tell too how often rows come at the beginning of a segment


@dataclass(frozen=True)
class Series:
    """The rows of a recording that can be used, in order.

    Attributes
    ----------
    frame : pandas.DataFrame
        Those rows with all columns.
    time_s, potential_V, current_A : array, shape (n_rows,)
    interval_s : array, shape (n_rows,)
        Time since the row before; 0 for the first row and where the clock was set back.
    warnings : list of (code, sentence)
    clock : str
        'sound', 'repaired', or 'broken' (intervals mean nothing: only counters may be used).
    """

    frame: pd.DataFrame
    time_s: Real
    potential_V: Real
    current_A: Real
    interval_s: Real
    warnings: list[tuple[str, str]] = field(default_factory=list)
    clock: str = "sound"


@dataclass(frozen=True)
class Segments:
    """Runs of rows in which the current keeps its sign; rests are segments of sign 0.

    Arrays of shape (n_segments,); `sign_of_row` and `charge_of_row_mAh` have shape (n_rows,). Charges and energies are
    positive in both directions and 0 in rests.
    """

    first: Rows
    last: Rows
    sign: Signs
    duration_s: Real
    charge_mAh: Real
    energy_mWh: Real
    interval_s: Real  # mean time between rows
    sign_of_row: Signs
    charge_of_row_mAh: Real  # what the row adds


def usable_series(recording: pd.DataFrame) -> Series:
    """Take the columns, leave out rows with gaps, and look at the clock.

    Parameters
    ----------
    recording : pandas.DataFrame
        Columns ``time_s``, ``potential_V``, ``current_A``; ``unix_time_s`` serves where ``time_s`` runs backwards.

    Raises
    ------
    AnalysisError
        If a column is missing or fewer than three rows hold all three values.
    """
    missing = [name for name in (TIME, POTENTIAL, CURRENT) if name not in recording.columns]
    if missing:
        raise AnalysisError(f"The recording has no column {', '.join(missing)}. Export time, potential and current.")
    warnings: list[tuple[str, str]] = []
    time, potential, current = (recording[name].to_numpy(dtype=float) for name in (TIME, POTENTIAL, CURRENT))
    is_known = np.isfinite(time + potential + current)
    if not is_known.all():
        count = int((~is_known).sum())
        warnings.append(("rows_left_out", f"{count} rows without time, potential or current were left out."))
        recording = recording[is_known]
        time, potential, current = time[is_known], potential[is_known], current[is_known]
    if time.size < 3:
        raise AnalysisError("Fewer than three rows have time, potential and current. Check the export.")
    interval, clock = np.diff(time, prepend=time[0]), "sound"
    if (interval < 0.0).any():
        interval, clock, sentence = _repaired(recording, time, interval)
        warnings.append(("clock_reset", sentence))
    return Series(recording, time, potential, current, interval, warnings, clock)


def _repaired(recording: pd.DataFrame, time: Real, interval: Real) -> tuple[Real, str, str]:
    """Intervals of a clock that ran backwards, how far they can be trusted, and a sentence."""
    back = np.flatnonzero(interval < 0.0)
    times = "once" if back.size == 1 else f"{back.size} times"
    place = f"Time runs backwards {times}, first at row {back[0] + 1}."
    if UNIX_TIME in recording.columns:
        date = recording[UNIX_TIME].to_numpy(dtype=float)
        by_date = np.diff(date, prepend=date[0])
        if np.isfinite(date).all() and (by_date >= 0.0).all():
            return by_date, "repaired", f"{place} The date column runs forwards and was used instead."
    latest = np.maximum.accumulate(time)
    is_late = time < latest
    edges = np.flatnonzero(np.diff(is_late, prepend=False, append=False))
    begins, ends = edges[::2], edges[1::2]
    mended = time.copy()
    for begin, end in zip(begins, ends, strict=True):
        if end - begin <= _FALSE_STAMPS and end < time.size:  # single false stamps; then time goes on as before
            mended[begin:end] = latest[begin]
    repaired = np.diff(mended, prepend=mended[0])
    restarts = np.flatnonzero(repaired < 0.0)
    if not restarts.size:
        return repaired, "repaired", f"{place} Such rows were given the time of the row before."
    so_far = np.maximum.accumulate(mended)[restarts - 1]
    if (mended[restarts] <= 0.01 * so_far).all():
        sentence = f"{place} The clock began again there; the parts were joined without a pause."
        return np.maximum(repaired, 0.0), "repaired", sentence
    sentence = f"{place} Nothing can be integrated over such a clock. Export the test again."
    return np.maximum(repaired, 0.0), "broken", sentence


def duplicate_stamps(series: Series, segments: Segments) -> int:
    """Rows that carry the time of the row before within one step; two rows at a change of step are usual."""
    is_same = series.interval_s == 0.0
    is_same[segments.first] = False
    if STEP in series.frame.columns and is_same.any():
        step = series.frame[STEP].to_numpy(dtype=float)
        is_same[1:] &= step[1:] == step[:-1]
    return int(is_same.sum())


def usual_current_A(current_A: Real) -> float:
    """A high current that the test uses often: the 90 % quantile of |I| where it is not zero. [A]"""
    sample = np.abs(current_A[:: max(current_A.size // _SAMPLES, 1)])
    sample = sample[sample > 0.0]
    return float(np.quantile(sample, 0.9)) if sample.size else 0.0


def split(series: Series, rest_fraction: float = REST_FRACTION) -> Segments:
    """Split by the sign of the current, and integrate.

    Parameters
    ----------
    series : Series
    rest_fraction : float
        Currents below this share of the usual current are rests. Rows that the tester calls rest or impedance rest
        whatever their current; a constant voltage tail stays with its half.

    Returns
    -------
    Segments

    Notes
    -----
    Charge is the trapezium rule inside a segment. The interval before its first row was already spent at its current,
    and is filled with it; otherwise every half would lose one interval. A pause much longer than the segment's own
    interval, and than those of its next two rows, is not filled beyond the mean interval.
    """
    current, interval = series.current_A, series.interval_s
    sign = _signs(series, rest_fraction)
    first = np.concatenate([[0], np.flatnonzero(sign[1:] != sign[:-1]) + 1]).astype(np.intp)
    last = np.append(first[1:], current.size).astype(np.intp) - 1
    # Two buffers of the length of the recording, used over and over: memory is what a million rows cost.
    charge = np.empty(current.size)
    charge[0] = 0.0
    np.add(current[1:], current[:-1], out=charge[1:])
    charge *= interval
    charge *= 0.5 / SECONDS_PER_HOUR * 1000.0
    power = series.potential_V * current
    energy = np.empty(current.size)
    energy[0] = 0.0
    np.add(power[1:], power[:-1], out=energy[1:])
    energy *= interval
    energy *= 0.5 / SECONDS_PER_HOUR * 1000.0
    inside = np.add.reduceat(interval, first) - interval[first]
    steps = last - first
    mean_interval = np.divide(inside, steps, out=np.full(first.size, np.nan), where=steps > 0)
    known = mean_interval[np.isfinite(mean_interval) & (sign[first] != 0)]
    mean_interval[np.isnan(mean_interval)] = np.median(known) if known.size else 0.0
    before = interval[first]
    if 0.0 < series.time_s[0] <= _GAP * mean_interval[0]:
        before = before.copy()
        before[0] = series.time_s[0]  # the clock began with the test
    usual = mean_interval.copy()  # rows kept at a change of voltage are rare where the voltage hardly changes
    for row in range(1, _NEXT_ROWS + 1):
        usual = np.where(row <= steps, np.maximum(usual, interval[np.minimum(first + row, last)]), usual)
    filled = np.where(before <= _GAP * usual, before, mean_interval)
    charge[first] = current[first] * filled * (1000.0 / SECONDS_PER_HOUR)
    energy[first] = power[first] * filled * (1000.0 / SECONDS_PER_HOUR)
    charge *= sign
    energy *= sign
    return Segments(
        first,
        last,
        sign[first],
        inside + filled,
        np.add.reduceat(charge, first),
        np.add.reduceat(energy, first),
        mean_interval,
        sign,
        charge,
    )


def _signs(series: Series, rest_fraction: float) -> Signs:
    """Sign of the current of each row, 0 in rests."""
    current = series.current_A
    usual = usual_current_A(current)
    threshold = rest_fraction * usual
    sign = (current > threshold).astype(np.int8)
    sign -= (current < -threshold).astype(np.int8)
    if STEP_KIND in series.frame.columns:
        sign[_is_resting(series.frame)] = 0
    # Noise of a rest next to a half, or a row taken while the current was switched: joined to the half, the trapezium
    # would invent or lose half an interval. The tail of a constant voltage step falls, and more slowly.
    size = np.abs(current)
    low = np.flatnonzero((size < 0.1 * usual) & (sign != 0))
    if low.size:
        after, before = size[np.minimum(low + 1, size.size - 1)], size[np.maximum(low - 1, 0)]
        is_jump = (after > 5.0 * size[low]) | ((before > 10.0 * size[low]) & (size[low] < 0.03 * usual))
        sign[low[is_jump]] = 0
    return sign


def _is_resting(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows that the tester calls rest or impedance. A step has one kind: where steps are numbered, one row tells it."""
    begins: Rows = np.arange(len(frame), dtype=np.intp)
    if STEP in frame.columns:
        step = frame[STEP].to_numpy()
        begins = np.concatenate([[0], np.flatnonzero(step[1:] != step[:-1]) + 1]).astype(np.intp)
    is_resting = frame[STEP_KIND].iloc[begins].isin(["rest", "impedance"]).to_numpy(dtype=bool)
    return np.repeat(is_resting, np.diff(np.append(begins, len(frame))))
