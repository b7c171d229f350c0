"""Current at constant voltage: where the hold is, its initial current, its steady state, and how sure both are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from analysis.science.base import AnalysisError, Finding, Outcome, Parameters
from analysis.science.given import finding
from analysis.thinning import envelope_rows

Real = NDArray[np.float64]
Rows = NDArray[np.intp]

INITIAL_WINDOW_S = (0.1, 0.5)
LATE_SAMPLES = 5
LEVEL_SHARE = 0.1  # of the largest voltage: a larger jump begins another hold
HELD_SHARE = 0.15  # holds at less than this of the largest voltage are rests
FEWEST = 8
REST_ROWS, REST_CURRENT_SHARE = 5, 0.02  # of a rest before the hold: its rows, and of the current of the hold
STEADY_SHARE = 0.1  # of the time, at the end
STEADY_PER_HOUR = 0.025
LEFT_TO_FALL = 0.01  # of the current; more means that the end was not reached
CURRENT_RANGE_A = (-10.0, 10.0)
VOLTAGE_RANGE_V = (-10.0, 10.0)


@dataclass(frozen=True)
class Hold:
    """A stretch at constant voltage.

    Attributes
    ----------
    time_s : array, shape (n_rows,)
        Since the voltage was applied. [s]
    current_A : array, shape (n_rows,)
        As measured.
    voltage_V : float
        Median of the potential less that of the cell at rest before it, or what a person gave.
    rest_V : float
        Potential at rest that was taken off; 0 where no rest was recorded.
    """

    time_s: Real
    current_A: Real
    voltage_V: float
    starts_in_file: bool  # whether rows before it show the cell at rest
    rest_V: float = 0.0

    @property
    def sign(self) -> float:
        """Direction of the voltage."""
        return 1.0 if self.voltage_V >= 0.0 else -1.0


@dataclass(frozen=True)
class Current:
    """A current with its standard uncertainty [A] and the rule that gave it."""

    value_A: float
    uncertainty_A: float
    rule: str
    from_s: float
    to_s: float


@dataclass(frozen=True)
class Steady(Current):
    """The current at the end, and what speaks against a steady state."""

    per_hour: float  # relative change of |I| per hour
    left_to_fall: float  # share of the current that an exponential still has to fall (negative: to rise)
    is_steady: bool


# --- Holds ------------------------------------------------------------------------------------------------------------
def find_holds(recording: pd.DataFrame, voltage_V: float | None = None) -> tuple[list[Hold], Real]:
    """The holds of a recording in time order, and the current at rest, array of shape (n_rest_rows,). [A]

    Parameters
    ----------
    recording : pandas.DataFrame
        ``time_s``, ``current_A``, and ``potential_V`` unless `voltage_V` is given.
    voltage_V : float, optional
        Applied voltage as a person knows it; its sign is that of the recording.

    Raises
    ------
    AnalysisError
        No voltage known, or no hold of at least eight rows.
    """
    has_potential = "potential_V" in recording and bool(recording["potential_V"].notna().any())
    if not has_potential and voltage_V is None:
        raise AnalysisError("The applied voltage is not in the file. Enter the polarisation voltage.")
    names = ["time_s", "current_A"] + (["potential_V"] if has_potential else [])
    frame = recording[names].dropna().sort_values("time_s", kind="stable")
    time, current = frame["time_s"].to_numpy(dtype=float), frame["current_A"].to_numpy(dtype=float)
    if time.size < FEWEST:
        raise AnalysisError(f"{time.size} rows found, a polarisation needs at least {FEWEST}.")
    if not has_potential:
        return [Hold(_since(time, 0), current, float(voltage_V or 0.0), False)], np.zeros(0)
    potential = frame["potential_V"].to_numpy(dtype=float)
    largest = float(np.quantile(np.abs(potential), 0.95))
    noise = 1.4826 * float(np.median(np.abs(np.diff(potential))))
    edges = np.flatnonzero(np.abs(np.diff(potential)) > max(LEVEL_SHARE * largest, 6.0 * noise)) + 1
    begin, end = np.concatenate([[0], edges]), np.concatenate([edges, [time.size]])
    holds, resting = [], [np.zeros(0)]
    rest_V, first = _rest_before(potential, current, begin, end)
    for b, e in zip(begin[first:], end[first:], strict=True):
        level = float(np.median(potential[b:e])) - rest_V
        if abs(level) < HELD_SHARE * largest:
            resting.append(current[b:e])
        elif e - b >= FEWEST:
            value = math.copysign(voltage_V, level) if voltage_V else level
            holds.append(Hold(_since(time, int(b))[b:e], current[b:e], value, bool(b > 0), rest_V))
    if not holds:
        raise AnalysisError(f"No hold at constant voltage of at least {FEWEST} rows was found. Check the file.")
    if first:
        resting.append(current[: end[0]])
    return holds, np.concatenate(resting)


def _rest_before(potential: Real, current: Real, begin: Rows, end: Rows) -> tuple[float, int]:
    """Potential of a cell that rests before its first hold, and the number of stretches that are this rest. [V]

    Only the voltage beyond it drives a current: two electrodes that are not quite alike, or an instrument, show some
    millivolts without any. No rest is known where current flows in the first stretch, or where it has few rows.
    """
    if begin.size < 2 or end[0] - begin[0] < REST_ROWS:
        return 0.0, 0
    flowing = max(abs(float(np.median(current[b:e]))) for b, e in zip(begin[1:], end[1:], strict=True))
    if abs(float(np.median(current[: end[0]]))) > REST_CURRENT_SHARE * flowing:
        return 0.0, 0
    return float(np.median(potential[: end[0]])), 1


def _since(time: Real, first: int) -> Real:
    """Time since the voltage was applied. [s]

    A recording that begins with the hold counts from its own zero; else the hold begins with its first row, or with
    the row before where that is close.
    """
    if first == 0:
        interval = float(np.median(np.diff(time)))
        return time - (0.0 if 0.0 <= time[0] <= max(5.0 * interval, 1.0) else time[0])
    before = time[first - 1]
    return np.asarray(time - (before if time[first] - before <= 0.2 else time[first]), dtype=float)


# --- Initial current --------------------------------------------------------------------------------------------------
def initial_current(hold: Hold, outcome: Outcome) -> Current:
    """Current extrapolated to the beginning of the hold; never from the first sample, which charges the double layer.

    From the samples between 0.1 and 0.5 s where there are four; else from the first five samples but one, and said.
    """
    time, current = hold.time_s[1:], hold.current_A[1:]
    inside = (time >= INITIAL_WINDOW_S[0]) & (time <= INITIAL_WINDOW_S[1])
    if inside.sum() >= 4:
        value, spread = _to_zero(time[inside], current[inside])
        return Current(value, spread, "extrapolated to t = 0 from 0.1 to 0.5 s", *INITIAL_WINDOW_S)
    late = np.flatnonzero(time >= INITIAL_WINDOW_S[0])[:LATE_SAMPLES]
    value, spread = _to_zero(time[late], current[late])
    first, last = float(time[late[0]]), float(time[late[-1]])
    outcome.warn(
        "initial_current_late",
        f"Too few samples lie between 0.1 and 0.5 s: I₀ is extrapolated from {first:.3g} to {last:.3g} s. "
        "Record ten samples per second at the beginning.",
    )
    doubt = 0.5 * abs(value - float(current[late[0]]))
    return Current(
        value, math.hypot(spread, doubt), f"extrapolated to t = 0 from {first:.3g} to {last:.3g} s", first, last
    )


def _to_zero(time: Real, current: Real) -> tuple[float, float]:
    """Value at t = 0 and its standard uncertainty: a line where its slope is certain, else the mean. [A]

    The uncertainty is that of the line in both cases, for a slope below what is certain bends the mean, times what few
    samples cost (Student's t over the normal quantile). Where there is a slope, diffusion may fall with √t instead: the
    difference to a line in √t is not taken off, and counts in full.
    """
    count = time.size
    if count < 3 or float(np.ptp(time)) == 0.0:
        return float(current.mean()), float(current.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    value, spread, is_sloped = _line_to_zero(time, current)
    if not is_sloped:
        return float(current.mean()), spread
    by_root, _, _ = _line_to_zero(np.sqrt(time), current)
    return value, math.hypot(spread, by_root - value)


def _line_to_zero(x: Real, y: Real) -> tuple[float, float, bool]:
    """Intercept of a line through at least three points, its standard uncertainty, and whether the slope is certain."""
    count, middle = x.size, float(x.mean())
    offset = x - middle
    squares = float(offset @ offset)
    slope = float(offset @ y) / squares
    rest = y - y.mean() - slope * offset
    variance = float(rest @ rest) / (count - 2)
    few = float(stdtrit(count - 2, 0.975)) / 1.96
    spread = few * math.sqrt(variance * (1.0 / count + middle**2 / squares))
    return float(y.mean()) - slope * middle, spread, slope**2 >= 4.0 * variance / squares


# --- Steady state -----------------------------------------------------------------------------------------------------
def steady_current(hold: Hold, outcome: Outcome) -> Steady:
    """Mean current over the last tenth of the hold, tested for being steady.

    Not steady: |I| changes by 2.5 % per hour or more, or an exponential through the second half has more than 1 % of
    the current left to fall; both only where they are certain. What the mean lies above the limit of that exponential
    is not taken off, and counts in full as a standard uncertainty.
    """
    time, size = hold.time_s, hold.current_A * hold.sign
    last = time >= time[-1] - STEADY_SHARE * (time[-1] - time[0])
    if last.sum() < 5:
        last = np.arange(time.size) >= time.size - 5
    end = size[last]
    value = float(end.mean())
    slope, slope_u = _slope(time, size, STEADY_SHARE)
    wide, wide_u = _slope(time, size, 0.2)
    if wide_u < slope_u / 2.0:  # noisy: the last tenth alone tells too little
        slope, slope_u = wide, wide_u
    per_hour = 3600.0 * slope / abs(value) if value else 0.0
    left, excess = _left_to_fall(time, size, last)
    left_share = left / abs(value) if value else 0.0
    is_falling = abs(slope) > 3.0 * slope_u and abs(per_hour) >= STEADY_PER_HOUR
    is_steady = not is_falling and abs(left_share) <= LEFT_TO_FALL
    if not is_steady:
        rate = abs(per_hour) * 100.0
        text = f"{rate:.0f}" if rate >= 1.0 else f"{rate:.1g}"
        verb = "falls" if per_hour < 0.0 else "rises"
        outcome.warn(
            "not_steady", f"Current still {verb} {text} % per hour: not at steady state. Hold the voltage longer."
        )
    noise = float(end.std(ddof=1)) / math.sqrt(end.size)
    return Steady(
        hold.sign * value,
        math.hypot(noise, excess),
        "mean of the last tenth of the hold",
        float(time[last][0]),
        float(time[-1]),
        per_hour,
        left_share,
        is_steady,
    )


def _slope(time: Real, size: Real, share: float) -> tuple[float, float]:
    """Slope over the last part of the time, and its standard uncertainty. [A s⁻¹]"""
    part = time >= time[-1] - share * (time[-1] - time[0])
    if part.sum() < 5:
        part = np.arange(time.size) >= time.size - 5
    t, y = time[part] - time[part].mean(), size[part]
    squares = float(t @ t)
    if squares == 0.0:
        return 0.0, math.inf
    slope = float(t @ y) / squares
    rest = y - y.mean() - slope * t
    return slope, math.sqrt(float(rest @ rest) / max(t.size - 2, 1) / squares)


def _left_to_fall(time: Real, size: Real, last: NDArray[np.bool_]) -> tuple[float, float]:
    """How far above (below: negative) its end an exponential through the second half still is: at the last row, and
    on average over the rows `last`. [A]

    Zeros where the exponential is not certain.
    """
    span = float(time[-1] - time[0])
    half = time >= time[0] + 0.5 * span
    t0 = float(time[half][0])
    t, y = time[half] - t0, size[half]
    if y.size < 8 or span <= 0.0:
        return 0.0, 0.0
    flat = float(((y - y.mean()) ** 2).sum())
    best, amount, excess = math.inf, 0.0, 0.0
    for tau in np.geomspace(0.05 * span, 1.5 * span, 16):
        shape = np.exp(-t / tau)
        design = np.stack([np.ones_like(t), shape], axis=1)
        solution, *_ = np.linalg.lstsq(design, y, rcond=None)
        rest = y - design @ solution
        squares = float(rest @ rest)
        if squares < best:
            best, amount = squares, float(solution[1] * shape[-1])
            excess = float(solution[1] * np.exp(-(time[last] - t0) / tau).mean())
    degrees = max(y.size - 3, 1)
    is_certain = best <= 0.0 or (flat - best) / max(best / degrees, 1e-300) > 25.0
    return (amount, excess) if is_certain else (0.0, 0.0)


# --- What is said and drawn -------------------------------------------------------------------------------------------
def applied_voltage(parameters: Parameters) -> float | None:
    """The polarisation voltage that a person gave. [V]"""
    value = parameters.get("polarisation_voltage_V")
    return float(value) if value else None


def current_findings(hold: Hold, initial: Current, steady: Steady, parameters: Parameters) -> list[Finding]:
    """Initial current, steady current, and voltage."""
    end = finding("steady_state_current_A", steady.value_A, steady.uncertainty_A, CURRENT_RANGE_A)
    if not steady.is_steady and end.flag == "ok":
        end = Finding(end.quantity, end.value, end.uncertainty, flag="suspect")
    return [
        finding("initial_current_A", initial.value_A, initial.uncertainty_A, CURRENT_RANGE_A),
        end,
        finding("polarisation_voltage_V", hold.voltage_V, None, VOLTAGE_RANGE_V),
    ]


def current_inputs(hold: Hold, initial: Current, steady: Steady, parameters: Parameters) -> dict[str, Any]:
    """By which rule each was found."""
    voltage_origin = "person" if applied_voltage(parameters) else "median of the recorded potential"
    if not applied_voltage(parameters) and hold.rest_V:
        voltage_origin += f", less the {1.0e3 * hold.rest_V:.3g} mV of the rest before"
    return {
        "polarisation_voltage_V": {"value": hold.voltage_V, "uncertainty": None, "origin": voltage_origin},
        "initial_current_A": {
            "value": initial.value_A,
            "uncertainty": initial.uncertainty_A,
            "origin": initial.rule,
        },
        "steady_state_current_A": {
            "value": steady.value_A,
            "uncertainty": steady.uncertainty_A,
            "origin": steady.rule,
        },
    }


def transient_curves(hold: Hold, initial: Current, steady: Steady) -> dict[str, Any]:
    """The transient, thinned on a logarithmic and on a linear axis, and what is marked on it."""
    positive = np.maximum(hold.time_s, 1e-6)
    rows = np.union1d(envelope_rows(hold.time_s, hold.current_A), envelope_rows(np.log10(positive), hold.current_A))
    return {
        "series": {"time_s": hold.time_s[rows].tolist(), "current_A": hold.current_A[rows].tolist()},
        "point_count": int(hold.time_s.size),
        "marks": {
            "voltage_V": hold.voltage_V,
            "initial": _mark(initial),
            "steady": _mark(steady) | {"is_steady": steady.is_steady},
        },
    }


def _mark(current: Current) -> dict[str, Any]:
    return {
        "current_A": current.value_A,
        "uncertainty_A": current.uncertainty_A,
        "from_s": current.from_s,
        "to_s": current.to_s,
        "rule": current.rule,
    }
