"""What a recording over time is a test of, told from its course and the cell it was measured in. Pure."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from measurements.readers.columns import CURRENT, POTENTIAL, STEP, STEP_KIND, TIME

Array = npt.NDArray[np.float64]

_REST = 1e-3  # of the usual largest current: below it, the cell rests
_JUMP = 0.1  # of that current, from one row to the next: another step
_SAME = 0.03  # currents this near are one level
_FALLEN = 0.3  # of the highest current so far: no longer the one that was set
_SET = 3e-3  # a current that moves less is set by the tester
_STANDS, _STANDS_V = 0.02, 2e-3  # a potential that moves less may be set; more is a charge that ends in a hold
_ENOUGH = 1000  # rows that tell how far a step strays; longer ones are read at so many places
_LEVELS = 3  # rising levels that make a ramp, rates that make a rate test
_MOST_OF_A_RAMP = 0.5  # a last level that lasts longer than this share is a test at that current
_MOST_OF_RATES = 2 / 3  # cycles at one rate beyond this share: the others were formation or a check


@dataclass(frozen=True)
class Step:
    """Rows under one current of one sign, or under one potential."""

    duration_s: float
    current_A: float  # signed; its magnitude is the one that the step began with
    is_hold: bool


def told_kinds(frame: pd.DataFrame, *, is_beside_spectra: bool = False) -> dict[str, str]:
    """The kind that a recording has in each configuration of cell.

    Parameters
    ----------
    frame : pandas.DataFrame
        Canonical columns of a time series; without time, rows count.
    is_beside_spectra : bool
        Whether the file holds impedance too.

    Returns
    -------
    dict
        ``{"blocking", "symmetric", "full"}`` to a kind. Constant voltage is a polarisation anywhere. Galvanostatic on a
        symmetric (or blocking) cell: rising steps are a ramp, others plating and stripping. On a full cell: three or
        more rates in blocks are a rate test, unless one of them has most of the cycles. A tester that
        records no current while the cell rests has begun a test all the same, which may grow. A file without a
        column of current, or the rests between spectra, are an ``attachment``.
    """
    steps = split(frame)
    if not steps:
        is_recorded = CURRENT in frame and np.isfinite(frame[CURRENT].to_numpy(np.float64)).any()
        has_begun = is_recorded and not is_beside_spectra
        usual = ("attachment", "plating_stripping", "cycling") if has_begun else ("attachment",) * 3
        return dict(zip(("blocking", "symmetric", "full"), usual, strict=True))
    whole = sum(step.duration_s for step in steps)
    # A galvanostatic test that reached its limit goes on at constant voltage, but does not begin so.
    longest = max(step.duration_s for step in steps)
    first = next(step for step in steps if step.duration_s >= 0.1 * longest)
    if first.is_hold and sum(step.duration_s for step in steps if step.is_hold) > whole / 2:
        return dict.fromkeys(("blocking", "symmetric", "full"), "polarisation")
    symmetric = "ccd_ramp" if _is_ramp(steps) else "plating_stripping"
    return {
        "blocking": symmetric,
        "symmetric": symmetric,
        "full": "rate_test" if _has_rates(steps) else "cycling",
    }


def split(frame: pd.DataFrame) -> list[Step]:
    """The steps of a recording that carry current, in their order."""
    if CURRENT not in frame or not len(frame):
        return []
    current = frame[CURRENT].to_numpy(np.float64)
    usual = float(np.nanquantile(np.abs(current), 0.98)) if np.isfinite(current).any() else 0.0
    if usual == 0:
        return []
    current = np.nan_to_num(current)
    time = frame[TIME].to_numpy(np.float64) if TIME in frame else np.arange(len(frame), dtype=np.float64)
    flows = np.where(np.abs(current) > _REST * usual, np.sign(current), 0.0)
    breaks = (np.diff(flows) != 0) | (np.abs(np.diff(current)) > _JUMP * usual)
    if STEP in frame:
        breaks |= np.diff(frame[STEP].to_numpy(np.float64)) != 0
    edges = np.concatenate(([0], np.flatnonzero(breaks) + 1, [len(frame)]))
    potential = frame[POTENTIAL].to_numpy(np.float64) if POTENTIAL in frame else None
    words = frame[STEP_KIND].to_numpy() if STEP_KIND in frame else None
    steps = []
    for first, last in itertools.pairwise(edges):
        if flows[first] == 0 or last - first < 2:
            continue
        word = "" if words is None else str(words[first])
        inside = current[first:last]
        steps.append(
            Step(
                max(float(time[last - 1] - time[first]), 0.0),
                float(np.median(inside[: max(2, len(inside) // 4)])),
                word == "hold" or (not word and _holds(None if potential is None else potential[first:last], inside)),
            )
        )
    return steps


def _holds(potential: Array | None, current: Array) -> bool:
    """Whether the potential stands still while the current moves: the one that moves more is the answer of the cell.

    Without a potential a current that moves is the answer: no tester lets one that it sets drift.
    """
    if len(current) < 4 or (potential is not None and not np.isfinite(potential).all()):
        return False
    every = max(len(current) // _ENOUGH, 1)
    current = current[::every]
    # Of a few rows one may stand apart, such as the last, at which the potentiostat had let go.
    aside = max(0.05, 1 / (len(current) - 1))
    least, usual, most = np.quantile(np.abs(current), (aside, 0.5, 1 - aside))
    moves = (most - least) / usual
    if potential is None:
        return bool(moves > _SET)
    low, middle, high = np.quantile(potential[::every], (aside, 0.5, 1 - aside))
    if middle == 0:
        return False
    stands = high - low <= max(_STANDS * abs(middle), _STANDS_V)
    return bool(stands and moves > _SET and (high - low) / abs(middle) < 0.5 * moves)


def _levels(values: list[float]) -> list[list[int]]:
    """Neighbours of about the same magnitude, as groups of places."""
    groups: list[list[int]] = []
    for place, value in enumerate(values):
        if groups and abs(value - values[groups[-1][0]]) <= _SAME * max(value, values[groups[-1][0]]):
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def _is_ramp(steps: list[Step]) -> bool:
    # What a short or a limit cut off after moments, or let through at the limit, is no level of its own.
    usual = float(np.median([step.duration_s for step in steps]))
    highest = np.maximum.accumulate([abs(step.current_A) for step in steps])
    kept = zip(steps, highest, strict=True)
    steps = [step for step, most in kept if step.duration_s >= 0.05 * usual and abs(step.current_A) > _FALLEN * most]
    sizes = [abs(step.current_A) for step in steps]
    groups = _levels(sizes)
    if len(groups) == 2 and sizes[-1] > sizes[0] and all(len(group) <= 2 for group in groups):
        return True  # a ramp that ended early: no test plates one cycle and then goes on with another current
    heights = [sizes[group[0]] for group in groups]
    rises = sum(later > former for former, later in itertools.pairwise(heights))
    if rises + 1 < _LEVELS or rises < 0.75 * (len(heights) - 1):
        return False
    last = sum(steps[place].duration_s for place in groups[-1])
    return last <= _MOST_OF_A_RAMP * sum(step.duration_s for step in steps)


def _halves(steps: list[Step]) -> list[Step]:
    """Of neighbours in one direction the one that passed most charge: what follows it at less current is its tail."""
    found = []
    for _, neighbours in itertools.groupby(steps, key=lambda step: step.current_A > 0):
        found.append(max(neighbours, key=lambda step: step.duration_s * abs(step.current_A)))
    return found


def _has_rates(steps: list[Step]) -> bool:
    usual = float(np.median([step.duration_s for step in steps if not step.is_hold] or [0.0]))
    halves = _halves([step for step in steps if not step.is_hold and step.duration_s >= 0.01 * usual])
    sizes = [-half.current_A for half in halves if half.current_A < 0] or [half.current_A for half in halves]
    blocks = _levels(sizes)
    rates: list[float] = []
    for group in blocks:
        size = sizes[group[0]]
        if not any(abs(size - known) <= 2 * _SAME * max(size, known) for known in rates):
            rates.append(size)
    if len(rates) < _LEVELS:
        return False
    return max(len(group) for group in blocks) <= _MOST_OF_RATES * len(sizes)
