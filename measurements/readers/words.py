"""Columns of words in which few different ones fill many rows, such as the kind of step: a code for each row.

They compare with a word and take masks as arrays do, many times faster than arrays of Python's texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


def coded(codes: npt.NDArray[np.integer[Any]], words: Sequence[str]) -> Any:
    """The column of words that codes, counted from 0, stand for."""
    return pd.Categorical.from_codes(codes, dtype=_kinds(tuple(words)))


@lru_cache(8)
def _kinds(words: tuple[str, ...]) -> Any:
    """Made once: the readers have their own lists of words, and making the texts costs more than coding with them."""
    return pd.CategoricalDtype(pd.Index(words, dtype="str"))


def is_coded(cells: Any) -> bool:
    """Whether a column holds codes of words."""
    return isinstance(cells, pd.Categorical)


def factorised(cells: Any) -> tuple[npt.NDArray[Any], list[Any]]:
    """Codes of the rows, -1 where there is no word, and the different words."""
    if is_coded(cells):
        return cells.codes, list(cells.categories)
    codes, words = pd.factorize(np.asarray(cells, dtype=object))
    return codes, list(words)


def as_text(cells: Any) -> Any:
    """The column of a frame: codes as texts, everything else as it is."""
    return cells.categories.array.take(cells.codes) if is_coded(cells) else cells
