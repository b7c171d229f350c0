"""The limit of a relaxing current for infinite time.

References
----------
Average over models and over where the data begin: Jay & Neil, 10.1103/PhysRevD.103.114502.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

FEWEST = 6
BINS_PER_DECADE = 40
NEAR_ROWS = 8  # on either side of a bin, at least, tell its noise
FINEST = 1.0e-5  # of the current: no bin is trusted better
SMALLEST_A = 1.0e-18
LATEST_SHARE = 0.5  # of the hold: data never begin later
STARTS = 24
SLOWEST_SHARE = 1.0  # of the hold: a slower exponential is a straight line
SCANNED, REFINED = 60, 2  # time constants of a scan, and how often it is scanned again where it is best
SINGULAR = 1.0e-9


@dataclass(frozen=True)
class Relaxed:
    """Limit of a current, how far above it the hold ends, and the standard uncertainty of the limit, if the law holds,
    and of the end. [A]
    """

    limit_A: float
    excess_A: float
    limit_uncertainty_A: float
    end_uncertainty_A: float


@dataclass(frozen=True)
class Bins:
    """Means over rows that are close on a logarithmic axis of time, each array of shape (n_bins,)."""

    time_s: Real
    spread_s2: Real  # variance of the times in each bin
    current_A: Real
    error_A: Real  # standard error of the mean

    def since(self, first: int) -> Bins:
        """Without those before `first`."""
        return Bins(self.time_s[first:], self.spread_s2[first:], self.current_A[first:], self.error_A[first:])


@dataclass(frozen=True)
class Fit:
    """One model on one window."""

    squares: float  # χ²
    count: int  # of bins
    parameters: int
    left_out: int  # bins before the window
    value_A: float
    variance_A2: float
    excess_A: float

    def criterion(self, scale: float) -> float:
        """Akaike's, where each bin that is left out counts as a parameter."""
        return self.squares / scale + 2.0 * (self.parameters + self.left_out)


def limiting_current(time_s: Real, current_A: Real) -> Relaxed:
    """Limit of I(t) = I_e + A exp(−t/τ) + B/√t.

    Terms that the data do not need, and early rows that do not follow the law (double layer, second process), are left
    out as far as Akaike's criterion says so: the limit is the average over all choices with its weights, and what the
    choices differ counts in the uncertainty.

    Parameters
    ----------
    time_s : array, shape (n_rows,)
        Since the voltage was applied; rows at zero are ignored.
    current_A : array, shape (n_rows,)
    """
    late = time_s > 0.0
    if late.sum() < FEWEST:
        spread = float(current_A.std(ddof=1)) / math.sqrt(current_A.size)
        return Relaxed(float(current_A.mean()), 0.0, spread, spread)
    bins = _binned(time_s[late], current_A[late])
    latest = int(np.searchsorted(bins.time_s, LATEST_SHARE * bins.time_s[-1]))
    latest = max(min(latest, bins.time_s.size - FEWEST), 0)
    starts = np.unique(np.linspace(0, latest, STARTS).astype(int))
    fits = [
        fit
        for first, has_creep, has_relaxation in product(starts, (False, True), (False, True))
        if (fit := _fit(bins.since(first), int(first), has_creep, has_relaxation)) is not None
    ]
    best = min(fits, key=lambda fit: fit.criterion(1.0))
    scale = max(best.squares / max(best.count - best.parameters, 1), 1.0)  # noise that outlasts a row
    criteria = np.array([fit.criterion(scale) for fit in fits])
    weights = np.exp(-0.5 * (criteria - criteria.min()))
    weights /= weights.sum()
    values = np.array([fit.value_A for fit in fits])
    limit = float(weights @ values)
    variance = float(weights @ (scale * np.array([fit.variance_A2 for fit in fits]) + (values - limit) ** 2))
    excess = float(weights @ np.array([fit.excess_A for fit in fits]))
    return Relaxed(limit, excess, math.sqrt(variance), math.sqrt(scale) * float(bins.error_A[-1]))


def _binned(time: Real, current: Real) -> Bins:
    """Rows averaged; the noise is what a row differs from the line through its neighbours."""
    place = np.floor(BINS_PER_DECADE * np.log10(time / time[0]) + 1e-9)
    if np.unique(place).size < FEWEST:
        place = np.arange(time.size, dtype=float)
    begin = np.flatnonzero(np.diff(place, prepend=-1.0))
    count = np.diff(begin, append=time.size)
    mean = np.add.reduceat(time, begin) / count
    spread = np.add.reduceat((time - np.repeat(mean, count)) ** 2, begin) / count
    value = np.add.reduceat(current, begin) / count
    share = (time[2:] - time[1:-1]) / np.maximum(time[2:] - time[:-2], 1e-12)
    off = current[1:-1] - share * current[:-2] - (1.0 - share) * current[2:]
    summed = np.concatenate([[0.0], np.cumsum(off**2 / (1.0 + share**2 + (1.0 - share) ** 2))])
    low = np.clip(np.minimum(begin, begin + count // 2 - NEAR_ROWS) - 1, 0, off.size - 1)
    high = np.clip(np.maximum(begin + count, begin + count // 2 + NEAR_ROWS) - 1, low + 1, off.size)
    noise = (summed[high] - summed[low]) / (high - low)
    floor = FINEST * np.maximum(np.abs(value), np.abs(value[-1]))
    return Bins(mean, spread, value, np.sqrt(noise / count + floor**2 + SMALLEST_A**2))


def _fit(bins: Bins, left_out: int, has_creep: bool, has_relaxation: bool) -> Fit | None:
    """The best fit of one model; none where the bins are too few or cannot tell its terms apart.

    For a fixed τ the model is linear, so τ is scanned. Columns are means over the bins, to second order in the spread.
    """
    time, last = bins.time_s, float(bins.time_s[-1])
    columns, at_end, tangent = [np.ones_like(time)], [0.0], []
    if has_creep:
        columns.append(np.sqrt(last / time) * (1.0 + 0.375 * bins.spread_s2 / time**2))
        at_end.append(1.0)
    if has_relaxation:
        tau = _time_constant(bins, np.stack(columns, axis=1))
        columns.append(_decay(bins, tau))
        at_end.append(math.exp(-(last - time[0]) / tau))
        tangent.append((time - time[0]) / tau * columns[-1])  # for τ is not known exactly
    parameters = len(columns) + len(tangent)
    if time.size < parameters + 2:
        return None
    design = np.stack(columns + tangent, axis=1) / bins.error_A[:, None]
    lengths = np.linalg.norm(design, axis=0)
    if lengths.min() == 0.0:
        return None
    _, sizes, axes = np.linalg.svd(design / lengths, full_matrices=False)
    if sizes[-1] < SINGULAR * sizes[0]:
        return None
    variance = float(((axes[:, 0] / sizes) ** 2).sum()) / float(lengths[0]) ** 2
    design, y = design[:, : len(columns)], bins.current_A / bins.error_A
    solution, *_ = np.linalg.lstsq(design, y, rcond=None)
    rest = y - design @ solution
    excess = float(solution @ np.array(at_end))
    return Fit(float(rest @ rest), time.size, parameters, left_out, float(solution[0]), variance, excess)


def _decay(bins: Bins, tau_s: Real | float) -> Real:
    """exp(−t/τ) from the first bin on."""
    return np.asarray(np.exp(-(bins.time_s - bins.time_s[0]) / tau_s) * (1.0 + 0.5 * bins.spread_s2 / tau_s**2))


def _time_constant(bins: Bins, columns: Real) -> float:
    """The τ of the least squares beside the other columns, from the shortest interval to that of the hold. [s]"""
    total = 1.0 / bins.error_A
    base, _ = np.linalg.qr(columns * total[:, None])
    y = bins.current_A * total
    y = y - base @ (base.T @ y)
    high = SLOWEST_SHARE * float(bins.time_s[-1])
    low = max(float(np.diff(bins.time_s).min()), 1e-9 * high)
    for _ in range(1 + REFINED):
        taus = np.geomspace(low, high, SCANNED)
        shapes = _decay(bins, taus[:, None]) * total
        shapes = shapes - (shapes @ base) @ base.T
        lengths = (shapes**2).sum(axis=1)
        gains = np.where(lengths > 0.0, (shapes @ y) ** 2 / np.maximum(lengths, 1e-300), 0.0)
        best = int(np.argmax(gains))
        low, high = float(taus[max(best - 1, 0)]), float(taus[min(best + 1, SCANNED - 1)])
    return float(taus[best])
