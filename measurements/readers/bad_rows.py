"""What is said of a row that cannot be read: how many values it has, or which of them is no number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from measurements.readers.base import BadRow, ReaderError
from measurements.readers.columns import short
from measurements.readers.text import Layout

_WHOLE = re.compile(r"[+-]?\d+([eE][+-]?\d+)?")


def wrong_width(line: int, cells: Sequence[str], width: int, layout: Layout, still_good: str = "") -> ReaderError:
    """The refusal of a row with too few or too many values.

    Parameters
    ----------
    line : int
        Its number, counted from 1.
    cells : sequence of str
        Without the empty ones at its end.
    width : int
        How many values are expected.
    layout : Layout
        Of the table.
    still_good : str
        Where the file ends in this row: the sentence on what the rows before it give.
    """
    found = f"Line {line} has {len(cells)} value{'s' if len(cells) != 1 else ''}, {width} are expected."
    if still_good:
        return BadRow(
            f"{found} The file ends in the middle of a row, so the export was probably cut off. {still_good}", line=line
        )
    if len(cells) > width and layout.separator == "," and all(_WHOLE.fullmatch(cell) for cell in cells):
        return ReaderError(
            f"{found} The comma seems to be both the decimal sign and the separator. "
            "Export with a decimal point, or with a semicolon or tab between the columns.",
            line=line,
        )
    return BadRow(f"{found} Remove the row in the source, or export the file again.", line=line)


def wrong_cell(place: str, column: str, text: str, line: int, kind: str = "number") -> BadRow:
    """The refusal of a row of a text file for one cell; `place` is 'Line 12', `kind` what the cell should be."""
    return BadRow(f"{place}, column {column}: {what_is_wrong(text, kind)}. Remove the row in the source, or skip it.",
                  line=line)  # fmt: skip


def what_is_wrong(text: str, kind: str = "number") -> str:
    """'‘12x’ is not a number', or that the cell is empty."""
    return f"‘{short(text)}’ is not a {kind}" if text.strip() else "the cell is empty"
