"""Tables in Parquet, as exporters write them: the names of the columns, and the columns as a `Grid`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from measurements.readers.base import ReaderError
from measurements.readers.grid import Grid

MAGIC = b"PAR1"
_DAMAGED = "This Parquet file cannot be read; it is damaged or cut off. Copy or export it again, then upload that."


def is_parquet(path: Path) -> bool:
    """Whether the first bytes are those of a Parquet file."""
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def column_names(path: Path) -> list[str]:
    """The names of the columns, which stand at the end of the file; empty if it is damaged."""
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError):
        return []


def read_grid(path: Path) -> Grid:
    """The whole table; what is no number is text.

    Raises
    ------
    ReaderError
        The file is damaged, or has no rows.
    """
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError):
        raise ReaderError(_DAMAGED) from None
    columns: list[npt.NDArray[Any]] = []
    for column in table.columns:
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
            columns.append(column.cast(pa.float64()).to_numpy())
        else:
            columns.append(np.array([str(cell) for cell in column.to_pylist()], dtype=object))
    if not table.num_rows:
        raise ReaderError("This Parquet file has column names, but no rows. Export it again with the data.")
    lines = np.arange(1, table.num_rows + 1, dtype=np.int64)
    return Grid(list(table.column_names), None, columns, lines, "", "Parquet")
