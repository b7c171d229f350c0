"""Which cycle the others are compared with: formation told from the rate, or as a person says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.segments import Real

RATE_TOLERANCE = 0.05
FORMATION_AT_MOST = 5  # cycles, while the test itself is shorter than its formation


def rate_groups(current: Real, tolerance: float = RATE_TOLERANCE) -> NDArray[np.intp]:
    """Number of the group of each current, groups ascending; neighbours in size within `tolerance` are one group.

    Parameters
    ----------
    current : array, shape (n_cycles,)
        Positive; NaN is put into group -1.
    """
    groups = np.full(current.size, -1, dtype=np.intp)
    known = np.flatnonzero(np.isfinite(current) & (current > 0.0))
    order = known[np.argsort(current[known], kind="stable")]
    if order.size:
        jumps = np.diff(current[order]) > tolerance * current[order][:-1]
        groups[order] = np.concatenate([[0], np.cumsum(jumps)])
    return groups


def formation_count(table: pd.DataFrame) -> int:
    """Leading cycles at another rate than most cycles, or slower ones before the rate of now; 0 where all are alike."""
    pairs = list(
        zip(
            rate_groups(table["charge_current_mA"].to_numpy(dtype=float)).tolist(),
            rate_groups(table["discharge_current_mA"].to_numpy(dtype=float)).tolist(),
            strict=True,
        )
    )
    if not pairs:
        return 0
    # A growing test: a few slow cycles, and since then one faster rate, however few of those there are yet.
    leading = next((row for row, pair in enumerate(pairs) if pair != pairs[0]), 0)
    if 0 < leading <= FORMATION_AT_MOST and len(set(pairs[leading:])) == 1 and pairs[leading][1] > pairs[0][1]:
        return leading
    # Among rates that are equally frequent the later one is the test.
    usual = max(pairs, key=lambda pair: (pairs.count(pair), len(pairs) - pairs[::-1].index(pair)))
    return pairs.index(usual)


@dataclass(frozen=True)
class Reference:
    """The cycle that others are compared with, and why; `cycle_number` None while it has not been reached."""

    cycle_number: int | None
    formation: int
    origin: str
    warnings: list[tuple[str, str]]


def reference_of(complete: pd.DataFrame, parameters: Mapping[str, Any]) -> Reference:
    """The asked-for reference cycle, else the first after formation (as asked, else leading cycles at another rate).

    Parameters
    ----------
    complete : pandas.DataFrame
        The complete cycles.
    parameters : mapping
        ``reference_cycle``, ``formation_cycles``.
    """
    asked, formation = parameters.get("reference_cycle"), parameters.get("formation_cycles")
    found = int(formation) if formation is not None else formation_count(complete)
    why = "stated" if formation is not None else "told from the rate" if found else "none seen"
    formed = f"{found} formation cycle{'' if found == 1 else 's'}, {why}" if found else "no formation cycles"
    wanted = int(asked) if asked is not None else found + 1
    origin = "person" if asked is not None else f"first after formation ({formed})"
    if wanted in set(complete["cycle_number"]):
        return Reference(wanted, found, origin, [])
    have = len(complete)
    sentence = f"Cycle {wanted}, the reference, is not among the {have} complete cycles. Retention waits for it."
    return Reference(None, found, origin, [("reference_not_reached", sentence)])
