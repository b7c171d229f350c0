"""Half-steps of a galvanostatic recording: stretches of one direction and one magnitude of the current, and rests.

The voltage is turned so that it is positive where it drives the current (V times the sign of I), freed of the offset
that the rests show and of isolated spikes. All is done on whole arrays: about a microsecond per sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from analysis.science.base import AnalysisError
from analysis.science.wording import NO_CURRENT

Real = NDArray[np.float64]
Whole = NDArray[np.intp]
Mask = NDArray[np.bool_]

REST_FRACTION = 3.0e-3  # of the largest current; below, the cell rests
SAME_MAGNITUDE = 0.02
COINCIDENT = 0.9  # share of the changes of direction at which the step number changes too, if it can be trusted
SMOOTH = 5  # samples of the running median
SPIKE_WINDOW = 7
SPIKE_SIGMAS = 6.0
LONG_GAP = 3.0  # sampling intervals after which the time before a half-step is not counted to it
REST_SHARE, PLAUSIBLE_OFFSET_V = 0.2, 0.02  # of the first half-step's voltage; a rest with more tells no offset
REST_KINDS = ("rest", "impedance", "hold")


@dataclass(frozen=True)
class Steps:
    """A recording in half-steps.

    Attributes
    ----------
    time_s, current_A, potential_V : array, shape (n_rows,)
        Rows that hold numbers; time never falls, potential as measured.
    voltage_V : array, shape (n_rows,)
        Voltage along the current, offset and spikes removed. [V]
    smooth_V : array, shape (n_rows,)
        Its running median over five samples. [V]
    half : int array, shape (n_rows,)
        Number of the half-step a row belongs to, -1 at rest.
    first, last : int array, shape (n_halves,)
        First row, and the row after the last one.
    start_s, end_s : array, shape (n_halves,)
        A half-step begins with the last row before it, unless the file has a gap there. [s]
    sign : int array, shape (n_halves,)
    magnitude_A : array, shape (n_halves,)
        Median of |I|. [A]
    level_V, eta_V, end_V : array, shape (n_halves,)
        Median voltage of the middle (20 to 80 %) and of 40 to 80 % of the time; of the last five samples. [V]
    noise_V, late_noise_V : array, shape (n_halves,)
        Standard deviation of the noise, from second differences, and that of the last third alone. [V]
    capacity_mAh : array, shape (n_halves,)
    offset_V : float
        Median voltage at the ends of the rests; 0 without rests. [V]
    spike_count : int
    is_reversed : bool
        Whether the potential has the opposite sign of the current, as with exchanged leads.
    warnings : list of (code, sentence)
    """

    time_s: Real
    current_A: Real
    potential_V: Real
    voltage_V: Real
    smooth_V: Real
    half: Whole
    first: Whole
    last: Whole
    start_s: Real
    end_s: Real
    sign: Whole
    magnitude_A: Real
    level_V: Real
    eta_V: Real
    end_V: Real
    noise_V: Real
    late_noise_V: Real
    capacity_mAh: Real
    offset_V: float
    spike_count: int
    is_reversed: bool
    warnings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Number of half-steps."""
        return int(self.first.size)

    @property
    def duration_s(self) -> Real:
        """Time of each half-step, array of shape (n_halves,). [s]"""
        return self.end_s - self.start_s

    @property
    def resistance_ohm(self) -> Real:
        """V/I of the middle of each half-step, array of shape (n_halves,). [Ω]"""
        return self.level_V / self.magnitude_A

    def hours(self, time_s: float) -> float:
        """Time since the first row. [h]"""
        return float(time_s - self.time_s[0]) / 3600.0

    def charge_until_mAh(self, row: int) -> float:
        """Charge that passed in half-steps up to and including a row, without sign. [mAh]"""
        half = np.arange(self.time_s.size) if row >= self.time_s.size else np.arange(row + 1)
        use = half[self.half[half] >= 0]
        return float(_charges(self.time_s, self.current_A, use, self.first, self.start_s, self.half).sum()) / 3.6


def find_steps(recording: pd.DataFrame) -> Steps:
    """Split a recording into half-steps.

    Parameters
    ----------
    recording : pandas.DataFrame
        Columns ``time_s``, ``potential_V``, ``current_A``; used where present: ``step_number``, ``step_kind``.

    Returns
    -------
    Steps

    Raises
    ------
    AnalysisError
        Columns missing, or no current in the recording.
    """
    warnings: list[tuple[str, str]] = []
    frame = _clean(recording, warnings)
    time = _rising(frame["time_s"].to_numpy(dtype=float), warnings)
    potential, current = frame["potential_V"].to_numpy(dtype=float), frame["current_A"].to_numpy(dtype=float)
    direction = _directions(frame, current)
    half, first, last = _halves(frame, current, direction)
    if first.size == 0:
        raise AnalysisError(NO_CURRENT)
    count = first.size
    rows = np.flatnonzero(half >= 0)
    sign = np.sign(direction[first]).astype(np.intp)
    start, end = _times(time, first, last)
    magnitude = _set_points(np.abs(current), half, first, last)
    offset = _offset(potential, direction, half, first, last, magnitude)
    along, is_reversed = _along(potential - offset, half, sign, magnitude, warnings)
    noise = _noise(along, half, count)
    voltage, spikes = _without_spikes(along, half, first, last, noise)
    smooth = _smooth(voltage, first, last)
    position = np.zeros(time.size)
    length = np.maximum(end - start, 1e-12)
    position[rows] = (time[rows] - start[half[rows]]) / length[half[rows]]
    charges = _charges(time, current, rows, first, start, half)
    return Steps(
        time_s=time,
        current_A=current,
        potential_V=potential,
        voltage_V=voltage,
        smooth_V=smooth,
        half=half,
        first=first,
        last=last,
        start_s=start,
        end_s=end,
        sign=sign,
        magnitude_A=magnitude,
        level_V=_window_median(voltage, half, position, 0.2, 0.8, count),
        eta_V=_window_median(voltage, half, position, 0.4, 0.8, count),
        end_V=_ends(voltage, half, first, last),
        noise_V=noise,
        late_noise_V=_noise(along, half, count, last - (last - first) // 3),
        capacity_mAh=np.bincount(half[rows], weights=charges, minlength=count) / 3.6,
        offset_V=offset,
        spike_count=spikes,
        is_reversed=is_reversed,
        warnings=warnings,
    )


def group_median(values: Real, group: Whole, count: int) -> Real:
    """Median of every group.

    Parameters
    ----------
    values, group : array, shape (n_values,)
        Values, and the number of the group of each, from 0.
    count : int

    Returns
    -------
    array, shape (count,)
        nan for a group without values.
    """
    order = np.lexsort((values, group))
    ordered = values[order]
    sizes = np.bincount(group, minlength=count)
    begin = np.cumsum(sizes) - sizes
    out = np.full(count, np.nan)
    some = sizes > 0
    low, high = (begin + (sizes - 1) // 2)[some], (begin + sizes // 2)[some]
    out[some] = 0.5 * (ordered[low] + ordered[high])
    return out


# --- Rows -------------------------------------------------------------------------------------------------------------
def _clean(recording: pd.DataFrame, warnings: list[tuple[str, str]]) -> pd.DataFrame:
    """The rows in which time, potential and current are numbers."""
    needed = ("time_s", "potential_V", "current_A")
    words = {"time_s": "time", "potential_V": "potential", "current_A": "current"}
    for name in needed:
        if name not in recording:
            raise AnalysisError(
                f"The recording has no {words[name]} column. Export it with time, potential and current."
            )
    is_number = np.isfinite(recording[list(needed)].to_numpy(dtype=float)).all(axis=1)
    if is_number.all():
        return recording.reset_index(drop=True)
    count = int((~is_number).sum())
    warnings.append(("not_a_number", f"{count} rows without a number in time, potential or current were left out."))
    return recording[is_number].reset_index(drop=True)


def _rising(time: Real, warnings: list[tuple[str, str]]) -> Real:
    """Time that never falls: where a clock was set back, the later part is joined on."""
    step = np.diff(time)
    back = step < 0.0
    if not back.any():
        return time
    typical = float(np.median(step[~back])) if (~back).any() else 0.0
    shift = np.concatenate([[0.0], np.cumsum(np.where(back, typical - step, 0.0))])
    warnings.append(
        (
            "clock_reset",
            f"The time goes back {int(back.sum())} times; the parts were joined end to end. "
            "Check whether the file holds one test.",
        )
    )
    return np.asarray(time + shift, dtype=float)


def _directions(frame: pd.DataFrame, current: Real) -> Whole:
    """+1, -1 or, at rest, 0 for every row, array of shape (n_rows,); blips of one or two rows are taken away."""
    largest = float(np.quantile(np.abs(current), 0.995)) if current.size else 0.0
    direction = np.where(np.abs(current) > REST_FRACTION * largest, np.sign(current), 0.0).astype(np.intp)
    if "step_kind" in frame:
        direction[frame["step_kind"].isin(REST_KINDS).to_numpy()] = 0
    edges = np.flatnonzero(np.diff(direction)) + 1
    begin, end = np.concatenate([[0], edges]), np.concatenate([edges, [direction.size]])
    sizes = end - begin
    kinds = direction[begin] if direction.size else direction
    active = sizes[kinds != 0]
    is_long = active.size == 0 or float(np.median(active)) > 8.0
    for k in np.flatnonzero(sizes <= 2):
        around = {int(kinds[j]) for j in (k - 1, k + 1) if 0 <= j < kinds.size}
        is_inside = 0 < k < kinds.size - 1  # at the ends of a recording a short rest is a rest
        if len(around) == 1 and (is_inside if kinds[k] == 0 else is_long):
            direction[begin[k] : end[k]] = around.pop()
        elif kinds[k] != 0 and is_long:
            direction[begin[k] : end[k]] = 0
    return direction


def _halves(frame: pd.DataFrame, current: Real, direction: Whole) -> tuple[Whole, Whole, Whole]:
    """Number of the half-step of every row (-1 at rest), first rows, and rows after the last."""
    turns = np.diff(direction) != 0
    splits = turns.copy()
    steps = _step_changes(frame, turns)
    magnitude = np.abs(current)
    splits |= (steps if steps is not None else _magnitude_changes(magnitude)) & (direction[1:] != 0)
    edges = np.flatnonzero(splits) + 1
    begin, end = np.concatenate([[0], edges]), np.concatenate([edges, [direction.size]])
    is_active = direction[begin] != 0 if direction.size else np.zeros(0, dtype=bool)
    pieces: list[list[int]] = []
    group = np.repeat(np.arange(begin.size), end - begin)
    medians = group_median(magnitude, group, begin.size)
    kept: list[float] = []
    scatter = 1.05 * float(np.median(np.abs(np.diff(magnitude)))) if magnitude.size > 1 else 0.0
    for k in np.flatnonzero(is_active):
        b, e, level = int(begin[k]), int(end[k]), float(medians[k])
        if pieces and pieces[-1][1] == b and direction[pieces[-1][0]] == direction[b]:
            before = kept[-1]
            rows = min(e - b, b - pieces[-1][0])
            is_same = abs(level - before) <= max(SAME_MAGNITUDE * before, 6.0 * scatter / math.sqrt(rows))
            # A cycler that has reached its voltage limit lets the current fall: this is no new step.
            is_weaker = level < before and steps is None
            if is_same or is_weaker or e - b <= 2:
                if is_same and e - b > b - pieces[-1][0]:
                    kept[-1] = level
                pieces[-1][1] = e
                continue
            if pieces[-1][1] - pieces[-1][0] <= 2:  # the first rows after a switch may stand between two levels
                pieces[-1][1], kept[-1] = e, level
                continue
        pieces.append([b, e])
        kept.append(level)
    first = np.array([p[0] for p in pieces], dtype=np.intp)
    last = np.array([p[1] for p in pieces], dtype=np.intp)
    half = np.full(direction.size, -1, dtype=np.intp)
    for number, (b, e) in enumerate(pieces):
        half[b:e] = number
    return half, first, last


def _step_changes(frame: pd.DataFrame, turns: Mask) -> Mask | None:
    """Where the step number of the file changes; None where the file has none that can be trusted."""
    if "step_number" not in frame:
        return None
    number = pd.to_numeric(frame["step_number"], errors="coerce").to_numpy(dtype=float)
    changes = np.diff(number) != 0.0
    if not np.isfinite(number).all() or not turns.any() or not changes.any():
        return None
    # A change of direction and that of the number may lie one row apart.
    near = changes.copy()
    near[1:] |= changes[:-1]
    near[:-1] |= changes[1:]
    return changes if float(near[turns].mean()) >= COINCIDENT else None


def _magnitude_changes(magnitude: Real) -> Mask:
    """Where |I| moves to another level, bool array of shape (n_rows - 1,)."""
    changes = np.zeros(max(magnitude.size - 1, 0), dtype=bool)
    for size in (5, 11, 21):  # the current of a failing cell is noisy
        level = median_filter(magnitude, size, mode="nearest")
        changes = np.abs(np.diff(level)) > SAME_MAGNITUDE * np.maximum(level[1:], level[:-1])
        if changes.sum() <= magnitude.size / 8 + 8:
            break
    return changes


def _set_points(size: Real, half: Whole, first: Whole, last: Whole) -> Real:
    """Median of |I| of every half-step; of its first samples where the current fell, as at a voltage limit. [A]"""
    inside = half >= 0
    median = group_median(size[inside], half[inside], first.size)
    begins = np.flatnonzero(inside)
    begins = begins[begins < first[half[begins]] + SMOOTH]
    early = group_median(size[begins], half[begins], first.size)
    return np.where(early > 1.05 * median, early, median)


def _times(time: Real, first: Whole, last: Whole) -> tuple[Real, Real]:
    """Begin and end of every half-step. [s]"""
    end = time[last - 1]
    begin = time[first]
    before = time[np.maximum(first - 1, 0)]
    interval = (end - begin) / np.maximum(last - first - 1, 1)
    interval = np.where(interval > 0.0, interval, np.median(np.diff(time)) if time.size > 1 else 0.0)
    return np.where(begin - before <= LONG_GAP * interval, before, begin), end


def _charges(time: Real, current: Real, rows: Whole, first: Whole, start: Real, half: Whole) -> Real:
    """Charge between each of `rows` and the row before it, the time before a first row included. [A s]"""
    before = np.maximum(rows - 1, 0)
    is_first = rows == first[half[rows]]
    dt = np.where(is_first, time[rows] - start[half[rows]], time[rows] - time[before])
    size = np.abs(current)
    mean = np.where(is_first, size[rows], 0.5 * (size[rows] + size[before]))
    return np.asarray(dt * mean, dtype=float)


# --- Voltage ----------------------------------------------------------------------------------------------------------
def _along(
    potential: Real, half: Whole, sign: Whole, magnitude: Real, warnings: list[tuple[str, str]]
) -> tuple[Real, bool]:
    """The potential along the current, and whether it had to be turned as a whole. [V]"""
    rows = np.flatnonzero(half >= 0)
    along = np.where(half >= 0, sign[np.maximum(half, 0)], 1) * potential
    if np.median(group_median(along[rows], half[rows], sign.size) * np.sqrt(magnitude)) >= 0.0:
        return along, False
    warnings.append(
        (
            "polarity_reversed",
            "Potential and current have opposite signs throughout: the leads or a sign convention are exchanged. "
            "The potential was turned.",
        )
    )
    return -along, True


def _offset(potential: Real, direction: Whole, half: Whole, first: Whole, last: Whole, magnitude: Real) -> float:
    """Median potential at the ends of the rests, those left out at which the cell is still far from rest. [V]"""
    is_rest = direction == 0
    ends = np.flatnonzero(is_rest & np.append(~is_rest[1:], True))
    begins = np.flatnonzero(is_rest & np.append(True, ~is_rest[:-1]))
    long = ends - begins >= 2
    # The rest after the last half-step belongs to a cell that may have failed.
    long &= ends < is_rest.size - 1
    values = potential[ends[long]]
    level = abs(float(np.median(potential[first[0] : last[0]])))
    values = values[np.abs(values) < max(REST_SHARE * level, PLAUSIBLE_OFFSET_V)]
    offset = float(np.median(values)) if values.size else 0.0
    # A cell may rest at some millivolts that are gone under current: then both directions agree better without.
    sizes = group_median(potential[half >= 0], half[half >= 0], first.size)
    is_pair = (direction[first[1:]] != direction[first[:-1]]) & (
        np.abs(magnitude[1:] - magnitude[:-1]) <= SAME_MAGNITUDE * magnitude[1:]
    )
    middle = float(np.median(0.5 * (sizes[1:] + sizes[:-1])[is_pair])) if is_pair.any() else offset
    return offset if abs(offset - middle) <= abs(middle) else 0.0


def _noise(voltage: Real, half: Whole, count: int, begin: Whole | None = None) -> Real:
    """Standard deviation of the noise of every half-step (from a row of each on), from second differences. [V]"""
    inside = (half[2:] >= 0) & (half[2:] == half[:-2])
    if begin is not None:
        inside &= np.arange(half.size - 2) >= begin[np.maximum(half[2:], 0)]
    second = np.abs(voltage[2:] - 2.0 * voltage[1:-1] + voltage[:-2])[inside]
    noise = 1.4826 * group_median(second, half[2:][inside], count) / math.sqrt(6.0)
    return np.nan_to_num(noise)


def _without_spikes(voltage: Real, half: Whole, first: Whole, last: Whole, noise: Real) -> tuple[Real, int]:
    """The voltage without isolated spikes of at most two samples (Hampel), and how many there were."""
    middle = median_filter(voltage, SPIKE_WINDOW, mode="nearest")
    inside = np.flatnonzero(half >= 0)
    number = half[inside]
    reach = SPIKE_WINDOW // 2
    inside = inside[(inside >= first[number] + reach) & (inside < last[number] - reach)]
    limit = SPIKE_SIGMAS * noise[half[inside]] + 0.02 * np.abs(middle[inside])
    is_spike = np.zeros(voltage.size + 2, dtype=bool)
    is_spike[inside + 1] = np.abs(voltage[inside] - middle[inside]) > limit
    edges = np.flatnonzero(np.diff(is_spike))
    begin, end = edges[0::2], edges[1::2]
    short = end - begin <= 2
    if not short.any():
        return voltage.copy(), 0
    clean = voltage.copy()
    for b, e in zip(begin[short], end[short], strict=True):
        clean[b:e] = middle[b:e]
    return clean, int(short.sum())


def _smooth(voltage: Real, first: Whole, last: Whole) -> Real:
    """Running median over five samples; at the ends of a half-step that of its five outermost ones. [V]"""
    smooth = np.asarray(median_filter(voltage, SMOOTH, mode="nearest"), dtype=float)
    reach = SMOOTH // 2
    long = last - first >= SMOOTH
    for edge, begin in ((first[long], first[long]), (last[long] - reach, last[long] - SMOOTH)):
        outermost = np.median(voltage[begin[:, None] + np.arange(SMOOTH)], axis=1)
        for k in range(reach):
            smooth[edge + k] = outermost
    return smooth


def _window_median(voltage: Real, half: Whole, position: Real, low: float, high: float, count: int) -> Real:
    """Median of the part of every half-step between two shares of its time; of all of it where none lies there. [V]"""
    inside = half >= 0
    part = inside & (position >= low) & (position <= high)
    out = group_median(voltage[part], half[part], count)
    gaps = ~np.isfinite(out)
    return np.where(gaps, group_median(voltage[inside], half[inside], count), out) if gaps.any() else out


def _ends(voltage: Real, half: Whole, first: Whole, last: Whole) -> Real:
    """Median of the last five samples of every half-step. [V]"""
    rows = np.flatnonzero(half >= 0)
    number = half[rows]
    rows = rows[rows >= last[number] - 5]
    return group_median(voltage[rows], half[rows], first.size)
