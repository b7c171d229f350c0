"""Cut a parsed recording: columns, cycles, a span of time, and a thinned envelope that keeps every extreme."""

from __future__ import annotations

import numpy as np
import pandas as pd
from django.core.exceptions import ValidationError

from lagpdb.problems import nearest

CYCLES = ("cycle_number", "loop_number")
# What an envelope follows: the first of these that the recording has.
FOLLOWED = ("voltage_V", "potential_V", "current_A", "z_imag_ohm", "intensity_counts")


def cut(
    frame: pd.DataFrame,
    *,
    columns: list[str] | None = None,
    cycles: tuple[int, int] | None = None,
    from_s: float | None = None,
    to_s: float | None = None,
    envelope: int | None = None,
) -> pd.DataFrame:
    """The rows and columns asked for.

    Raises
    ------
    ValidationError
        The recording has no such column.
    """
    if cycles is not None:
        name = next((each for each in CYCLES if each in frame), None)
        if name is None:
            raise ValidationError({"cycle": "This recording has no cycles."})
        frame = frame[frame[name].between(*cycles)]
    if from_s is not None or to_s is not None:
        if "time_s" not in frame:
            raise ValidationError({"from_s" if from_s is not None else "to_s": "This recording has no time."})
        low, high = -np.inf if from_s is None else from_s, np.inf if to_s is None else to_s
        frame = frame[frame["time_s"].between(low, high)]
    if envelope is not None:
        frame = thinned(frame, envelope)
    if columns is not None:
        for name in columns:
            if name not in frame:
                sentence = f"There is no column ‘{name}’.{nearest(name, frame)} Columns: {', '.join(frame)}."
                raise ValidationError({"columns": sentence})
        frame = frame[list(dict.fromkeys(columns))]
    return frame


def thinned(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most `count` rows that look like all: of each stretch the first, the last, the highest and the lowest."""
    if len(frame) <= count:
        return frame
    followed = next((name for name in FOLLOWED if name in frame), None)
    if followed is None:
        numbers = [name for name in frame.select_dtypes("number") if name != "time_s"]
        followed = numbers[0] if numbers else None
    if followed is None:
        return frame.iloc[np.linspace(0, len(frame) - 1, count).astype(int)]
    values = frame[followed].to_numpy(dtype=float)
    edges = np.linspace(0, len(frame), max(count // 4, 1) + 1).astype(int)
    starts = edges[:-1]
    stretch = np.repeat(np.arange(len(starts)), np.diff(edges))
    kept = [starts, edges[1:] - 1]
    for extreme in (np.fmin, np.fmax):  # they pass over NaN
        rows = np.flatnonzero(values == extreme.reduceat(values, starts)[stretch])
        kept.append(rows[np.unique(stretch[rows], return_index=True)[1]])
    return frame.iloc[np.unique(np.concatenate(kept))]


def reach(
    names: list[str],
    *,
    columns: list[str] | None = None,
    cycles: tuple[int, int] | None = None,
    from_s: float | None = None,
    to_s: float | None = None,
    envelope: int | None = None,
) -> tuple[list[str] | None, dict[str, tuple[float, float]]]:
    """Which columns of a recording a `cut` looks at (None: all of them), and between which values its rows lie."""
    spans: dict[str, tuple[float, float]] = {}
    counter = next((name for name in CYCLES if name in names), None)
    if cycles is not None and counter is not None:
        spans[counter] = cycles
    if from_s is not None or to_s is not None:
        spans["time_s"] = (-np.inf if from_s is None else from_s, np.inf if to_s is None else to_s)
    followed = next((name for name in FOLLOWED if name in names), None)
    if columns is None or not set(columns) <= set(names) or (envelope is not None and followed is None):
        return None, spans
    others = (*spans, followed) if envelope is not None else spans
    return list(dict.fromkeys((*columns, *(name for name in others if name is not None)))), spans
