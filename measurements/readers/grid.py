"""A table as it stands in a file, in text or workbook, and its cells as numbers where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from measurements.readers.clock import is_missing
from measurements.readers.text import is_number

Floats = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]
Cells = npt.NDArray[Any]  # Floats or Objects; or codes of words (`words`)


@dataclass
class Grid:
    """A table as it stands in a file, not yet understood.

    Attributes
    ----------
    headers : list of str
        One for each column; empty where the file has none.
    units : list of str or None
        The line of units, if there is one.
    columns : list of arrays
        Floats where every cell is a number or missing, else the cells as objects (texts; from a workbook also numbers
        and dates).
    lines : array of int
        The line, or the row of the sheet, of each row of the table, counted from 1.
    sheet : str
        Name of the sheet, empty for text.
    seen : str
        Encoding, decimal sign and separator in words.
    decimal : str
        The decimal sign of numbers that are still texts.
    """

    headers: list[str]
    units: list[str] | None
    columns: list[Cells]
    lines: npt.NDArray[np.int64]
    sheet: str = ""
    seen: str = ""
    decimal: str = "."

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """Where a row stands, to begin a sentence with."""
        number = int(self.lines[row])
        return f"Sheet ‘{self.sheet}’, row {number}" if self.sheet else f"Line {number}"

    def where(self, keep: npt.NDArray[np.bool_]) -> Grid:
        """Only some rows."""
        return replace(self, columns=[column[keep] for column in self.columns], lines=self.lines[keep])


def as_column(cells: Sequence[Any], decimal: str = ".") -> Cells:
    """Cells as floats if every one is a number or says that there is none; else as they are."""
    first = cells[0].strip() if len(cells) and isinstance(cells[0], str) else ""
    if first and not is_number(first, decimal) and not is_missing(first):
        return _objects(cells)
    kinds = set(map(type, cells))
    # Python reads "1_000" and "infinity" as numbers; instruments do not write them.
    if kinds <= {float, int} or (kinds == {str} and decimal == "." and "_" not in "".join(cells)):
        try:
            found = np.array(cells, dtype=np.float64)
        except ValueError:
            pass
        else:
            if np.isfinite(found).all():
                return found
    out = np.empty(len(cells))
    for row, cell in enumerate(cells):
        if isinstance(cell, str):
            text = cell.strip()
            if is_number(text, decimal):
                out[row] = float(text.replace(",", ".") if decimal == "," else text)
            elif is_missing(text):
                out[row] = np.nan
            else:
                break
        elif isinstance(cell, (int, float)) and not isinstance(cell, bool):
            out[row] = cell
        elif cell is None:
            out[row] = np.nan
        else:
            break
    else:
        return out
    return _objects(cells)


def _objects(cells: Sequence[Any]) -> Objects:
    objects = np.empty(len(cells), dtype=object)
    objects[:] = cells
    return objects
