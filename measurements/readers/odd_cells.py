"""Single cells of a column that are not what the others are: "####", "#N/A", a word among numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from measurements.readers.clock import is_missing
from measurements.readers.columns import short
from measurements.readers.text import is_number
from measurements.readers.words import factorised

_SHOWN = 3  # words that a sentence names

Mask = npt.NDArray[np.bool_]


def odd_rows(cells: Any, decimal: str) -> Mask:
    """The rows whose cell is neither a number nor says that there is none."""
    codes, words = factorised(cells)
    is_odd = [isinstance(word, str) and not is_number(word.strip(), decimal) and not is_missing(word) for word in words]
    return np.asarray([*is_odd, False], dtype=bool)[codes]


def are_mostly_numbers(cells: Any, is_odd: Mask) -> bool:
    """Whether words are the exception: fewer of them than of numbers."""
    codes, words = factorised(cells)
    is_empty = np.asarray([*(isinstance(word, str) and is_missing(word) for word in words), True], dtype=bool)[codes]
    return int(is_odd.sum()) < int((~is_odd & ~is_empty).sum())


def as_numbers(cells: Any, is_odd: Mask, decimal: str) -> npt.NDArray[np.float64]:
    """The numbers of a column, NaN where there is none."""
    out = np.full(len(is_odd), np.nan)
    for row in np.flatnonzero(~is_odd).tolist():
        cell = cells[row]
        if isinstance(cell, str):
            out[row] = np.nan if is_missing(cell) else float(cell.replace(",", ".") if decimal == "," else cell)
        elif cell is not None:
            out[row] = cell
    return out


def odd_cells_warning(place: str, label: str, text: str, count: int) -> tuple[str, str]:
    """What is said of a column that is kept without the values of some cells."""
    cells = "1 cell of this column has" if count == 1 else f"{count} cells of this column have"
    return (
        "cells_not_numbers",
        f"{place}, column {label}: ‘{short(text)}’ is not a number. {cells} no value; the column is "
        "kept beside as it stands.",
    )


def unknown_steps(cells: Any, kinds: Any, place: Callable[[int], str]) -> list[tuple[str, str]]:
    """A doubt about words of steps that are not known, beside others that are.

    Parameters
    ----------
    cells : column of words
    kinds : column of str
        As `series_columns.step_kinds` gives it.
    place : callable
        Where a row stands, for a sentence.
    """
    codes, words = factorised(cells)
    unknown = np.asarray([*(not is_missing(str(word)) for word in words), False], dtype=bool)[codes] & (kinds == "")
    if not unknown.any() or unknown.all():
        return []
    rows = np.flatnonzero(unknown)
    found = [str(words[code]) for code in dict.fromkeys(codes[rows].tolist())]
    named = ", ".join(f"‘{short(word)}’" for word in found[:_SHOWN]) + (" …" if len(found) > _SHOWN else "")
    where = place(int(rows[0]))
    which = (f"{len(rows)} rows, first: " if len(rows) > 1 else "") + where[0].lower() + where[1:]
    sentence = (
        f"The step {named} is not known ({which}). Whether it charges or discharges was told by the current there."
    )
    return [("step_not_known", sentence)]
