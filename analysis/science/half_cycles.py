"""Half-cycles: segments of one direction joined, with what they hold by integral and by the tester's counters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.science.base import AnalysisError
from analysis.science.counters import Counter
from analysis.science.segments import Real, Rows, Segments, Series, Signs
from analysis.science.wording import NO_CURRENT

_PULSE = 1.0e-3  # share of a usual half below which a segment is a pulse or noise
_WINDOW_SHARE = 0.03  # how far from the cut-off a half may end: sampling never meets it exactly


@dataclass(frozen=True)
class Halves:
    """Half-cycles in order of time, arrays of shape (n_halves,).

    `charge_mAh` and `energy_mWh` are integrals, `counted_mAh` and `counted_mWh` the tester's own (NaN without), all
    positive. `current_mA` is the median of |I| over the first half of the rows, before a constant voltage tail.
    `mid_potential_V` is the potential where half the charge has passed. `uncertain_mAh` is what one interval at either
    end may hide.
    """

    first: Rows
    last: Rows
    sign: Signs
    charge_mAh: Real
    energy_mWh: Real
    counted_mAh: Real
    counted_mWh: Real
    current_mA: Real
    end_potential_V: Real
    mid_potential_V: Real
    uncertain_mAh: Real
    is_at_cutoff: NDArray[np.bool_]

    @property
    def count(self) -> int:
        return int(self.first.size)


def half_cycles(series: Series, segments: Segments, counter: Counter | None, energies: Counter | None) -> Halves:
    """Join segments of one direction, with the rests between them, and add up what they hold.

    Raises
    ------
    AnalysisError
        If no current flows anywhere.
    """
    kept = _kept(series, segments)
    if not kept.size:
        raise AnalysisError(NO_CURRENT)
    sign = segments.sign[kept]
    begins = np.concatenate([[0], np.flatnonzero(sign[1:] != sign[:-1]) + 1]).astype(np.intp)
    ends = np.append(begins[1:], kept.size).astype(np.intp) - 1
    first, last, sign = segments.first[kept[begins]], segments.last[kept[ends]], sign[begins]
    charge = np.add.reduceat(segments.charge_mAh[kept], begins)
    lone = segments.last[kept[begins]]  # end of the first segment: the current is read there
    at = first + ((lone - first) * np.linspace(0.1, 0.5, 9)[:, None]).astype(np.intp)
    uncertain = np.abs(series.current_A[last]) * segments.interval_s[kept[ends]] / 3.6 / np.sqrt(12.0)
    return Halves(
        first,
        last,
        sign,
        charge,
        np.add.reduceat(segments.energy_mWh[kept], begins),
        _counted(counter, first, sign),
        _counted(energies, first, sign),
        1000.0 * np.median(np.abs(series.current_A[at]), axis=0),
        series.potential_V[last],
        _mid_potential(series, segments, first, last, charge),
        uncertain,
        _is_at_cutoff(series.potential_V, last, sign),
    )


def _kept(series: Series, segments: Segments) -> Rows:
    """Segments that make half-cycles: no rests, no pulses, no noise, but also the short halves of a dead cell."""
    flowing = np.flatnonzero(segments.sign)
    if not flowing.size:
        return flowing
    size = segments.charge_mAh if series.clock != "broken" else segments.last - segments.first + 1.0
    typical = float(np.quantile(size[flowing], 0.9))
    is_major = size[flowing] > _PULSE * typical
    if is_major.all() or not is_major.any():
        return flowing
    major, minor = flowing[is_major], flowing[~is_major]
    # A dead cell runs into its cut-off at once, at the current of the test; a pulse stops before, noise is smaller.
    current = np.abs(series.current_A[segments.last])
    is_driven = current[minor] >= 0.1 * np.median(current[major])
    end = series.potential_V[segments.last]
    dead = np.zeros(minor.size, dtype=bool)
    tolerance = _WINDOW_SHARE * max(float(np.ptp(end[major])), 1e-3)
    for sign in (1, -1):
        ends = end[major[segments.sign[major] == sign]]
        if ends.size:
            beyond = sign * (end[minor] - np.median(ends)) >= -tolerance
            dead |= (segments.sign[minor] == sign) & is_driven & beyond
    return np.sort(np.concatenate([major, minor[dead]]))


def _counted(counter: Counter | None, first: Rows, sign: Signs) -> Real:
    """What the tester counted in each half; a late last digit, printed in the row after, still belongs to it.

    Rows after that do not: a pulse of the same direction within the next half is no part of this one.
    """
    found = np.full(first.size, np.nan)
    if counter is None:
        return found
    size = counter.charge.size
    begins, stops = first.copy(), np.append(np.minimum(first[1:] + 1, size), size)
    begins[0] = 0
    for direction, added in ((1, counter.charge), (-1, counter.discharge)):
        own = np.flatnonzero(sign == direction)
        if own.size:
            edges = np.column_stack([begins[own], stops[own]]).ravel()
            edges = edges[:-1] if edges[-1] == size else edges  # the last sum ends with the array by itself
            found[own] = np.add.reduceat(added, edges)[::2]
    return found


def _mid_potential(series: Series, segments: Segments, first: Rows, last: Rows, charge: Real) -> Real:
    """Potential where half the charge of each half has passed, by linear interpolation. [V]"""
    passed = np.cumsum(segments.charge_of_row_mAh)
    start = passed[first] - segments.charge_of_row_mAh[first]
    wanted = start + 0.5 * charge
    row = np.clip(np.searchsorted(passed, wanted), first, last)
    before = np.maximum(row - 1, first)
    before = np.where(segments.sign_of_row[before] == segments.sign_of_row[row], before, row)  # not that of a rest
    step = passed[row] - passed[before]
    share = np.divide(wanted - passed[before], step, out=np.ones(row.size), where=step > 0.0)
    potential = series.potential_V
    return potential[before] + np.clip(share, 0.0, 1.0) * (potential[row] - potential[before])


def _is_at_cutoff(potential: Real, last: Rows, sign: Signs) -> NDArray[np.bool_]:
    """Whether each half went as far as the others of its direction, or as its neighbours where the window changes."""
    end = potential[last]
    reached = np.ones(last.size, dtype=bool)
    for direction in (1, -1):
        own = np.flatnonzero(sign == direction)
        if own.size < 2:
            continue
        ends = direction * end[own]
        spread = 3.0 * 1.4826 * float(np.median(np.abs(ends - np.median(ends))))
        tolerance = max(_WINDOW_SHARE * float(np.ptp(end)), min(spread, 0.1 * float(np.ptp(end))))
        near = np.column_stack([np.append(ends[1:], np.inf), np.insert(ends[:-1], 0, np.inf)]).min(axis=1)
        reached[own] = ends >= np.minimum(np.median(ends), near) - tolerance
    return reached
