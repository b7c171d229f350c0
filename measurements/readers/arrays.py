"""From columns that a binary file gave as arrays to a Recording, through the one room of all time series."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from measurements.readers.base import Recording
from measurements.readers.grid import Grid
from measurements.readers.series import recording
from measurements.readers.series_columns import NAMED
from measurements.readers.words import is_coded


def array_recording(
    values: dict[str, Any],
    metadata: dict[str, Any],
    warnings: list[tuple[str, str]],
    lines: npt.NDArray[np.int64] | None = None,
    **options: Any,
) -> Recording:
    """The Recording of columns in canonical names and units; a column of another name keeps it.

    Parameters
    ----------
    values : dict
        Arrays of one length by name; words as objects or coded (`words.coded`).
    metadata, warnings
        As for `series.recording`.
    lines : array of int, optional
        The line of each row, for sentences; the number of the row if not given.
    **options
        For `series.recording`.
    """
    columns = [
        column if column.dtype == object or is_coded(column) else np.asarray(column, dtype=np.float64)
        for column in values.values()
    ]
    count = len(columns[0]) if columns else 0
    places = np.arange(1, count + 1, dtype=np.int64) if lines is None else lines
    names = {name: name if name in NAMED else "" for name in values}
    return recording(Grid(list(values), None, columns, places), metadata, warnings, names=names, **options)
