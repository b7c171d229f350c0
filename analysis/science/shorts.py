"""Shorts and failures of a lithium cell in the half-steps of a recording. First hit in time order wins.

Rules
-----
R1  the resistance is below half of what the electrolyte alone has: impossible without electronic current.
R2  the voltage falls within a few samples, or within a minute, by more than 15 % of its level and 6 standard
    deviations, and stays down: a hard short where it is below 25 % within a minute and remains there to the end of
    the half-step, else a soft one.
R3  the resistance of a half-step is below 50 % of that of the sound ones before: a short in a rest or at the change
    of direction; below 75 %, where those agree well, a soft one. Or the noise is six times that of the sound ones and
    above 1 % of the level: a soft short.
R4  the voltage exceeds three times what the sound half-steps let expect, or the limit of the cycler: polarisation.
    Its last sample alone tells, where the recording ends with it: the cycler gave up there.

References
----------
Signatures of soft shorts: Menkin et al., Faraday Discuss. (2023); Counihan et al., Joule (2024).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from analysis.science.steps import Steps

Real = NDArray[np.float64]
Whole = NDArray[np.intp]

HARD, SOFT, POLARISATION = "hard_short", "soft_short", "polarisation"
WORDS = {HARD: "short", SOFT: "soft short", POLARISATION: "polarisation"}

OHMIC_SHARE = 0.5
DROP_SHARE, DROP_SIGMAS = 0.15, 6.0
HARD_SHARE = 0.25
SHORT_REST = 8  # samples after a drop, below which they are judged as they are
LOW_SHARE = 0.5
FEW_SHARE = 0.25  # instead of LOW_SHARE while fewer than FEW half-steps are known: first cycles settle
FEW = 4
SHIFT_SHARE = 0.75  # below, and three times outside the scatter of the sound ones: a soft short between half-steps
NOISE_RATIO, NOISE_SHARE = 6.0, 0.01
NOISE_ROWS = 20  # of a half-step: what fewer scatter is their curve, or two spikes, as much as their noise
LATE_ROWS = 45  # fewer say too little about the noise of their last third
HIGH_RATIO = 3.0
LIMIT_SHARE = 0.98
MEMORY = 6  # sound half-steps that make the reference
WINDOWS = (5, 10, 20, 40)  # samples either side of a drop; longer where the noise is larger
SLOW_S = 60.0  # either side of a fall that takes its time: a filament that grows on
OFFSET_V = 1.5e-3  # what an instrument may be off: smaller differences between half-steps mean nothing
SHORTEST = 3  # samples, at the ends of a half-step
UNEVEN = 0.5  # of the mean interval of a half-step, below which its rows are crowded: there the voltage changes
CALM = 0.35  # share of a half-step in which it may still settle from a peak
CUT_SHARE, CUT_RATIO = 0.97, 1.5  # a half-step that ended early, at a voltage this much above the expected


@dataclass(frozen=True)
class Event:
    """A short or failure: in which half-step, what kind, by which rule, when, and at which row."""

    half: int
    kind: str
    rule: str
    time_s: float
    row: int


def find_events(
    steps: Steps,
    ohmic_ohm: float | None = None,
    voltage_limit_V: float | None = None,
    reference_halves: tuple[int, int] | None = None,
) -> list[Event]:
    """Every short and failure in time order, to the first that is not soft.

    Parameters
    ----------
    steps : Steps
    ohmic_ohm : float, optional
        Resistance of the electrolyte alone, L/(σ A); rule R1 needs it. [Ω]
    voltage_limit_V : float, optional
        Limit of the cycler.
    reference_halves : (first, last), optional
        Half-steps whose resistance is the measure of polarisation (rule R4), last excluded; without it the latest
        sound ones are, which follow a ramp better than a life of weeks.

    Returns
    -------
    list of Event
    """
    drops = _drops(steps)
    highest = np.maximum.reduceat(steps.smooth_V, _pairs(steps))[::2] if steps.count else np.zeros(0)
    memory = _Memory()
    fixed: float | None = None
    events: list[Event] = []
    for half in range(steps.count):
        expected = memory.resistance_ohm(int(steps.sign[half]))
        if reference_halves and half >= reference_halves[1] and fixed is None:
            inside = steps.resistance_ohm[reference_halves[0] : reference_halves[1]]
            fixed = float(np.median(inside)) if inside.size else None
        ceiling = fixed if reference_halves and fixed is not None else expected
        found = _judge(steps, half, drops.get(half), float(highest[half]), memory, expected, ceiling, ohmic_ohm,
                       voltage_limit_V)  # fmt: skip
        if found is None:
            memory.add(int(steps.sign[half]), float(steps.resistance_ohm[half]), float(steps.noise_V[half]),
                       float(steps.level_V[half]))  # fmt: skip
            continue
        events.append(_began_before(steps, found, ceiling))
        if found.kind != SOFT:
            break
    return events


class _Memory:
    """The latest sound half-steps."""

    def __init__(self) -> None:
        self.all: deque[float] = deque(maxlen=MEMORY)
        self.by_sign: dict[int, deque[float]] = {1: deque(maxlen=MEMORY), -1: deque(maxlen=MEMORY)}
        self.noise: deque[float] = deque(maxlen=MEMORY)
        self.share: deque[float] = deque(maxlen=MEMORY)

    def add(self, sign: int, resistance_ohm: float, noise_V: float, level_V: float) -> None:
        self.all.append(resistance_ohm)
        self.by_sign[sign].append(resistance_ohm)
        self.noise.append(noise_V)
        self.share.append(noise_V / level_V if level_V > 0.0 else math.inf)

    @property
    def size(self) -> int:
        return len(self.all)

    def same(self, sign: int) -> deque[float]:
        """Resistances of the same direction where two are known, for electrodes may differ; else of both. [Ω]"""
        return self.by_sign[sign] if len(self.by_sign[sign]) >= 2 else self.all

    def resistance_ohm(self, sign: int) -> float | None:
        """What is expected. [Ω]"""
        return _median(self.same(sign)) if self.all else None


def _median(values: deque[float]) -> float:
    ordered = sorted(values)
    size = len(ordered)
    return 0.5 * (ordered[(size - 1) // 2] + ordered[size // 2])


def _pairs(steps: Steps) -> Whole:
    """Indices for `reduceat` over the half-steps alone: every second sum is that between two of them."""
    pairs = np.stack([steps.first, steps.last], axis=1).ravel()
    return pairs[:-1] if pairs[-1] >= steps.time_s.size else pairs


def _judge(
    steps: Steps, half: int, drop: tuple[int, float] | None, highest: float, memory: _Memory, expected: float | None,
    ceiling: float | None, ohmic_ohm: float | None, voltage_limit_V: float | None,
) -> Event | None:  # fmt: skip
    """The first thing that is wrong with one half-step, or None."""
    first, last = int(steps.first[half]), int(steps.last[half])
    current, level, noise = float(steps.magnitude_A[half]), float(steps.level_V[half]), float(steps.noise_V[half])
    found: list[Event] = []

    def add(kind: str, rule: str, row: int) -> None:
        found.append(Event(half, kind, rule, float(steps.time_s[row]), row))

    limit = LIMIT_SHARE * voltage_limit_V if voltage_limit_V else math.inf
    if half == steps.count - 1 and steps.voltage_V[last - 1] > limit:
        add(POLARISATION, "R4", last - 1)
    if ceiling is not None and ceiling > 0.0 and memory.size >= 2:
        limit = min(limit, HIGH_RATIO * ceiling * current + DROP_SIGMAS * noise + OFFSET_V)
    if highest > limit:
        add(POLARISATION, "R4", first + int(np.argmax(steps.smooth_V[first:last] > limit)))
    elif ceiling is not None and _is_cut(steps, half, ceiling):
        add(POLARISATION, "R4", last - 1)
    if drop is None:
        drop = _late_drop(steps, half)
    if drop is not None:
        add(_hardness(steps, drop[0], last, drop[1]), "R2", drop[0])
    if not found:
        _between(steps, half, memory, expected, add)
    # A resistance below the electrolyte's own makes any short a certain one.
    if ohmic_ohm and level < OHMIC_SHARE * ohmic_ohm * current - DROP_SIGMAS * noise / math.sqrt(max(last - first, 1)):
        rows = [event.row for event in found if event.kind != POLARISATION]
        found = [Event(half, HARD, "R1", float(steps.time_s[rows[0] if rows else first]), rows[0] if rows else first)]
    return min(found, key=lambda event: event.row) if found else None


def _between(
    steps: Steps, half: int, memory: _Memory, expected: float | None, add: Callable[[str, str, int], None]
) -> None:
    """Rule R3: what happened between the half-steps, or shows in the noise alone."""
    first, last = int(steps.first[half]), int(steps.last[half])
    current, level, noise = float(steps.magnitude_A[half]), float(steps.level_V[half]), float(steps.noise_V[half])
    is_begun = half == steps.count - 1 and last - first < SHORTEST  # the double layer is still being charged
    if expected is None or expected <= 0.0 or is_begun:
        return
    # The first half-step alone cannot tell the offset of the instrument from the cell.
    usual = expected * current - OFFSET_V * (1.0 if memory.size >= 2 else 4.0)
    share = LOW_SHARE if memory.size >= FEW else FEW_SHARE
    spread = 1.25 * noise / math.sqrt(max(0.6 * (last - first), 1.0))
    # The scatter of a few rows may be the fall itself: then that of the sound half-steps is the measure.
    is_few = last - first < NOISE_ROWS and memory.size >= FEW
    own = min(spread, spread * _median(memory.noise) / noise) if is_few and noise > 0.0 else spread
    if level < share * usual - DROP_SIGMAS * own:
        add(HARD, "R3", first)
        return
    known = memory.same(int(steps.sign[half]))
    if memory.size >= FEW and len(known) >= 3:
        scatter = max(abs(value / expected - 1.0) for value in known)
        if level < min(SHIFT_SHARE, 1.0 - 3.0 * scatter) * usual - DROP_SIGMAS * spread:
            add(SOFT, "R3", first)
            return
    usual_noise = max(_median(memory.noise), _resolution(steps, half) / 4.0)
    if last - first < NOISE_ROWS:
        return
    for value in (noise, float(steps.late_noise_V[half]) if last - first >= LATE_ROWS else 0.0):
        share_of_level = value / max(abs(level), 1e-12)
        if value > NOISE_RATIO * usual_noise and share_of_level > max(NOISE_SHARE, 2.0 * _median(memory.share)):
            add(SOFT, "R3", _noise_begins(steps, first, last, NOISE_RATIO * usual_noise))
            return


def _resolution(steps: Steps, half: int) -> float:
    """Smallest difference between two values of a half-step: the voltage is given in such steps. [V]"""
    values = np.unique(steps.voltage_V[steps.first[half] : steps.last[half]][:200])
    gaps = np.diff(values)
    gaps = gaps[gaps > 1e-9]
    return float(gaps.min()) if gaps.size else 0.0


def _noise_begins(steps: Steps, first: int, last: int, limit_V: float) -> int:
    """First row from which ten samples scatter more than half the limit."""
    second = np.abs(np.diff(steps.voltage_V[first:last], 2))
    if second.size < 20:
        return first
    block = np.array([np.median(second[k : k + 10]) for k in range(0, second.size - 9, 10)]) * 1.4826 / math.sqrt(6.0)
    return first + 10 * int(np.argmax(block > 0.5 * limit_V))


def _began_before(steps: Steps, event: Event, ceiling: float | None) -> Event:
    """The event, or its beginning in the half-step before, at the end of which the voltage had left its level."""
    half = event.half - 1
    if event.kind != POLARISATION or half < 0 or ceiling is None:
        return event
    is_early = event.row - steps.first[event.half] <= CALM * (steps.last[event.half] - steps.first[event.half])
    row = int(steps.last[half]) - 1
    usual = max(ceiling * float(steps.magnitude_A[half]), float(steps.level_V[half]))
    has_left = steps.end_V[half] >= CUT_RATIO * usual or steps.voltage_V[row] >= HIGH_RATIO * usual
    if not (is_early and has_left):
        return event
    return Event(half, POLARISATION, event.rule, float(steps.time_s[row]), row)


def _is_cut(steps: Steps, half: int, ceiling: float) -> bool:
    """Whether the cycler gave up: the recording, or the last half-step before its time, ends far above the expected."""
    if half != steps.count - 1 or half < 2:
        return False
    usual = ceiling * float(steps.magnitude_A[half]) + OFFSET_V
    if steps.last[half] - steps.first[half] < SHORTEST:
        return bool(steps.voltage_V[steps.last[half] - 1] > CUT_RATIO * HIGH_RATIO * usual)
    earlier, last = steps.voltage_V[steps.last[half] - 3 : steps.last[half] - 1], steps.voltage_V[steps.last[half] - 1]
    # One sample alone may be a spike, unless it is far away.
    if last > earlier[-1] and (earlier[-1] > HIGH_RATIO * usual or last > CUT_RATIO * HIGH_RATIO * usual):
        return True
    planned = float(np.median(steps.duration_s[:half]))
    charge = float(np.median(steps.capacity_mAh[:half]))
    is_early = steps.duration_s[half] < CUT_SHARE * planned and steps.capacity_mAh[half] < CUT_SHARE * charge
    is_rising = last > CUT_RATIO * usual and last >= earlier.max()
    return bool(is_early and is_rising and earlier[-1] > 1.15 * usual)


# --- Sudden drops -----------------------------------------------------------------------------------------------------
def _drops(steps: Steps) -> dict[int, tuple[int, float]]:
    """The first sustained drop of every half-step that has one: its row, and the level before it. [V]"""
    size = steps.last - steps.first
    level, noise = np.abs(steps.level_V), usual_noise_V(steps)
    window = np.zeros(steps.count, dtype=np.intp)
    for w in reversed(WINDOWS):
        fits = (size >= 3.5 * w) | (w == WINDOWS[0])
        enough = DROP_SIGMAS * _spread(noise, w, w) <= DROP_SHARE * level
        window = np.where(fits & (enough | (window == 0)), w, window)
    found = _drops_over(steps, window, noise)
    for half, drop in _slow_drops(steps, window, noise).items():
        if half not in found or drop[0] < found[half][0]:
            found[half] = drop
    return found


def _slow_drops(steps: Steps, window: Whole, noise: Real) -> dict[int, tuple[int, float]]:
    """Drops between the means over a minute on either side, where that holds more rows than the windows in samples.

    The means are over time, not over rows: a recorder that writes on every change of the voltage writes most rows
    while it falls, and few at the levels before and after.
    """
    size, time, found = steps.last - steps.first, steps.time_s, dict[int, tuple[int, float]]()
    reach_s = np.minimum(SLOW_S, steps.duration_s / 3.5)
    interval = np.maximum(steps.duration_s, 1e-9) / np.maximum(size, 1)
    at = _inside(steps, size >= 2 * SHORTEST)
    number = steps.half[at]
    around = (time[np.minimum(at + 3, steps.last[number] - 1)] - time[at - 1]) / 4.0
    at = at[(reach_s >= (window + 1) * interval)[number] | (around < UNEVEN * interval[number])]
    if not at.size:
        return found
    number = steps.half[at]
    begin = np.maximum(time[at - 1] - reach_s[number], time[steps.first[number]])
    end = np.minimum(time[at] + reach_s[number], time[steps.last[number] - 1])
    keep = (begin < time[at - 1]) & (end > time[at])
    at, number, begin, end = at[keep], number[keep], begin[keep], end[keep]
    area = np.concatenate([[0.0], np.cumsum(0.5 * (steps.smooth_V[1:] + steps.smooth_V[:-1]) * np.diff(time))])
    ahead = np.maximum(at - np.searchsorted(time, begin), 1)
    behind = np.maximum(np.searchsorted(time, end, "right") - at, 1)
    before = (area[at - 1] - np.interp(begin, time, area)) / (time[at - 1] - begin)
    after = (np.interp(end, time, area) - area[at]) / (end - time[at])
    threshold = np.maximum(DROP_SHARE * np.abs(before), DROP_SIGMAS * _spread(noise[number], ahead, behind))
    fall = before - after
    _first_of_each(steps, at, number, fall, fall > threshold, before, after, found)
    return found


def _inside(steps: Steps, wanted: NDArray[np.bool_]) -> Whole:
    """Rows of the wanted half-steps with enough rows on either side for a drop."""
    at = np.flatnonzero((steps.half >= 0) & wanted[np.maximum(steps.half, 0)])
    number = steps.half[at]
    since, left = at - steps.first[number], steps.last[number] - at
    return at[(since >= np.maximum(SHORTEST, 0.05 * (steps.last - steps.first)[number])) & (left >= SHORTEST)]


def _drops_over(steps: Steps, window: Whole, noise: Real) -> dict[int, tuple[int, float]]:
    """Drops between the means of so many samples of each half-step on either side; none where the window is 0."""
    total = np.concatenate([[0.0], np.cumsum(steps.smooth_V)])
    at = _inside(steps, window > 0)
    number = steps.half[at]
    since, left = at - steps.first[number], steps.last[number] - at
    ahead, behind = np.minimum(window[number], since), np.minimum(window[number], left)
    before = (total[at] - total[at - ahead]) / ahead
    after = (total[at + behind] - total[at]) / behind
    fall = before - after
    threshold = np.maximum(DROP_SHARE * np.abs(before), DROP_SIGMAS * _spread(noise[number], ahead, behind))
    found: dict[int, tuple[int, float]] = {}
    _first_of_each(steps, at, number, fall, fall > threshold, before, after, found)
    return found


def usual_noise_V(steps: Steps) -> Real:
    """Noise of each half-step as the median of it and its eight neighbours: one alone is a poor estimate. [V]"""
    return np.asarray(median_filter(steps.noise_V, 9, mode="mirror"), dtype=float)


def _spread(noise: Real, ahead: Whole | int, behind: Whole | int) -> Real:
    """Standard deviation of the difference of two means of the running median, over so many samples each. [V]"""
    return np.asarray(1.2 * noise * np.sqrt(1.0 / np.asarray(ahead) + 1.0 / np.asarray(behind)), dtype=float)


def _first_of_each(
    steps: Steps, at: Whole, number: Whole, fall: Real, is_drop: NDArray[np.bool_], before: Real, after: Real,
    found: dict[int, tuple[int, float]],
) -> None:  # fmt: skip
    """Keep the steepest place of the first drop of each half-step."""
    places = np.flatnonzero(is_drop)
    if places.size == 0:
        return
    breaks = np.flatnonzero((np.diff(at[places]) > 1) | (np.diff(number[places]) != 0)) + 1
    for run in np.split(places, breaks):
        half = int(number[run[0]])
        if half in found:
            continue
        peak = run[int(np.argmax(fall[run]))]
        if not _is_settling(steps, half, int(at[peak]), float(before[peak]), float(after[peak])):
            found[half] = (int(at[peak]), float(before[peak]))


def _is_settling(steps: Steps, half: int, row: int, before_V: float, after_V: float) -> bool:
    """Whether a fall is that of a nucleation peak early in a half-step, or of the first cycle that settles."""
    first, last = int(steps.first[half]), int(steps.last[half])
    if after_V < HARD_SHARE * before_V:
        return False
    if half < 2:  # the first cycle forms the interfaces: only a collapse tells anything
        return True
    if row - first > CALM * (last - first):
        return False
    usual = float(np.median(steps.resistance_ohm[max(half - MEMORY, 0) : half])) * float(steps.magnitude_A[half])
    return after_V > (1.0 - DROP_SHARE) * usual - OFFSET_V


def _late_drop(steps: Steps, half: int) -> tuple[int, float] | None:
    """A collapse in the last samples of a half-step, too late for the windows: seen also in what follows, if any."""
    first, last = int(steps.first[half]), int(steps.last[half])
    reach = min(WINDOWS[0] + 1, (last - first) // 3)
    if reach < 1:
        return None
    level = float(np.median(steps.voltage_V[max(first, last - 4 * reach) : last - reach]))
    low = steps.voltage_V[last - reach : last] < LOW_SHARE * level - DROP_SIGMAS * float(steps.noise_V[half])
    if not low[-1]:
        return None
    begin = last - int(np.argmin(low[::-1])) if not low.all() else last - reach
    is_last = half == steps.count - 1
    if is_last:
        return (begin, level) if last - begin >= 2 else None
    following = float(steps.resistance_ohm[half + 1])
    own = level / float(steps.magnitude_A[half])
    return (begin, level) if following < LOW_SHARE * own else None


def _hardness(steps: Steps, row: int, last: int, before_V: float) -> str:
    """Hard where the voltage is down within a minute, and stays down to the end of the half-step."""
    values = steps.smooth_V if last - row >= SHORT_REST else steps.voltage_V  # smoothing would reach before the drop
    low = values[row:last] < HARD_SHARE * before_V
    if not low.any():
        return SOFT
    arrived = row + int(np.argmax(low))
    is_slow = arrived - row > 2 and steps.time_s[arrived] - steps.time_s[row] > SLOW_S
    return SOFT if is_slow or float(np.quantile(values[arrived:last], 0.95)) >= HARD_SHARE * before_V else HARD
