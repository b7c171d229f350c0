"""Differential capacity dQ/dV of a half-cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

STEP_V = 0.002
WINDOW = 9  # points of the Savitzky-Golay filter
ORDER = 3
METHOD = f"Savitzky–Golay, {WINDOW * STEP_V * 1000:.0f} mV, order {ORDER}"
_LARGEST = 20_000  # grid points


@dataclass(frozen=True)
class Differential:
    """dQ/dV on an even grid, arrays of shape (n_grid,): V and mAh V⁻¹, positive in both directions."""

    potential_V: Real
    capacity_per_potential_mAh_V: Real

    @property
    def peak(self) -> tuple[float, float] | None:
        """Position [V] and height [mAh V⁻¹] of the highest point; None for an empty curve."""
        if not self.potential_V.size:
            return None
        row = int(self.capacity_per_potential_mAh_V.argmax())
        return float(self.potential_V[row]), float(self.capacity_per_potential_mAh_V[row])


def differential(potential_V: Real, passed_mAh: Real, step_V: float = STEP_V) -> Differential:
    """dQ/dV of one half-cycle.

    Parameters
    ----------
    potential_V, passed_mAh : array, shape (n_points,)
        Potential of each row, and the charge passed until then (ascending). [V, mAh]
    step_V : float
        Width of the grid. [V]

    Returns
    -------
    Differential
        Empty with fewer than three points or a span of fewer grid steps than the filter has points.

    Notes
    -----
    Q(V) is the charge that passed at potentials up to V: the rows are put into the order of their potential, which is
    monotone whatever the noise and keeps the charge. It is sampled on the grid and differentiated by a cubic
    Savitzky-Golay filter (doi:10.1021/ac60214a047), whose window people are told.
    """
    empty = Differential(np.empty(0), np.empty(0))
    if potential_V.size < 3:
        return empty
    added = np.diff(passed_mAh, prepend=0.0)
    # The charge between two rows passed between their potentials: half of it is counted at either.
    share = 0.5 * added
    share[:-1] += 0.5 * added[1:]
    share[0] += 0.5 * added[0]
    order = np.argsort(potential_V, kind="stable")
    sorted_V, total = potential_V[order], np.cumsum(share[order])
    low, high = float(sorted_V[0]), float(sorted_V[-1])
    count = int(np.ceil((high - low) / step_V)) + 1
    if count < WINDOW or count > _LARGEST:
        return empty
    from scipy.signal import (
        savgol_filter,  # takes half a second to load, and pages that draw what was computed never need it
    )

    edges = np.floor(low / step_V) * step_V + step_V * np.arange(count + 1)
    unique, rows = np.unique(sorted_V, return_index=True)
    reached = np.append(rows[1:], sorted_V.size) - 1  # after the last row of equal potential
    # What passed before the first row belongs to no potential: it would make an edge of its own.
    capacity = np.interp(edges, unique, total[reached] - total[reached[0]])
    slope = savgol_filter(capacity, WINDOW, ORDER, deriv=1, delta=step_V)
    return Differential(edges, np.maximum(slope, 0.0))
