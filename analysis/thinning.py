"""Long series made drawable: a min–max envelope that loses no peak and no end of a step. Pure.

Only drawings are thinned. Fits, maxima, tables and CSV always use every point.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lagpdb.units import grouped

LIMIT = 4000  # points per series above which a drawing is thinned
COLUMNS = 900  # about the pixels of a plot on a wide screen; each holds a lowest and a highest point


def envelope_rows(
    x: ArrayLike,
    y: ArrayLike,
    step_starts: ArrayLike = (),
    limit: int = LIMIT,
    columns: int = COLUMNS,
) -> NDArray[np.intp]:
    """Rows of a series to draw: all up to `limit`, else lowest and highest of each column and the ends of each step.

    Parameters
    ----------
    x, y : array, shape (n_points,)
        The series in the order of drawing; either may hold gaps (NaN), and `x` may run back, as in a loop.
    step_starts : array of int, shape (n_steps,)
        First row of each step or half-cycle; its first row and the row before it (the last of the step before) are
        always kept, and so are the first and the last row of the series.
    limit : int
        Series of up to this many points are returned whole.
    columns : int
        Columns of equal width in `x` over its whole span.

    Returns
    -------
    array of int, shape (n_kept,)
        Row numbers, ascending, each once. A column that the series enters in several steps has a lowest and a highest
        point for each of them, so that the branches of a loop stay apart.

    Raises
    ------
    ValueError
        If `x` and `y` differ in length, or a step starts outside the series.
    """
    across, up = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if across.shape != up.shape or across.ndim != 1:
        raise ValueError(f"x and y must be one series each of the same length, not {across.shape} and {up.shape}.")
    count = across.size
    starts = np.unique(np.asarray(step_starts, dtype=np.intp))
    if starts.size and (starts[0] < 0 or starts[-1] >= count):
        raise ValueError(f"A step starts outside the {count} points of the series.")
    if count <= limit:
        return np.arange(count, dtype=np.intp)
    ends = np.concatenate([[0, count - 1], starts, starts[starts > 0] - 1])
    is_point = np.isfinite(across) & np.isfinite(up)
    rows = np.flatnonzero(is_point)
    if not rows.size:
        return np.unique(ends)
    low, high = across[rows].min(), across[rows].max()
    width = (high - low) or 1.0
    column = np.minimum(((across[rows] - low) / width * columns).astype(np.intp), columns - 1)
    step = np.searchsorted(starts, rows, side="right")
    # Rows in order of drawing: a group begins where the column or the step changes.
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(column) != 0) | (np.diff(step) != 0)]))
    if begins.size > rows.size // 2:  # noise in x jumps between columns: gather them first
        order = np.lexsort((rows, column, step))
        rows, column, step = rows[order], column[order], step[order]
        begins = np.flatnonzero(np.concatenate([[True], (np.diff(column) != 0) | (np.diff(step) != 0)]))
    return np.unique(np.concatenate([ends, _extremes(up[rows], rows, begins)]))


def _extremes(values: NDArray[np.float64], rows: NDArray[np.intp], begins: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows of the lowest and of the highest value of each group of neighbours."""
    group = np.repeat(np.arange(begins.size), np.diff(np.append(begins, values.size)))
    found = []
    for extreme in (np.minimum, np.maximum):
        at_extreme = np.flatnonzero(values == extreme.reduceat(values, begins)[group])
        _, first = np.unique(group[at_extreme], return_index=True)
        found.append(rows[at_extreme[first]])
    return np.concatenate(found)


def envelope_note(count: int, where: str = "zoom for all") -> str:
    """What a thinned drawing says: 'Envelope of 412 338 points, zoom for all.'; else `where` all of them are."""
    return f"Envelope of {grouped(count)} points, {where}."
