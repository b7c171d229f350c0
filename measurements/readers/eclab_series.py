"""The columns of EC-Lab, from text or binary, as a time series, with the impedance inside it taken apart.

EC-Lab counts charge with its sign: `dq` since the row before, `(Q-Qo)` since the beginning, in mA·h or in C. The charge
and discharge counters are the rising and the falling part of it and never begin anew; `Q charge/discharge` begins anew
with every half cycle and keeps its own name. Files of GCPL hold no current: there I = dq/dt of the charge since the row
before. Steps are the sequences (Ns); cycles are `cycle number`, which only text exports hold, or half of `half cycle`.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from measurements.readers.base import ReaderError, Recording
from measurements.readers.columns import (
    CHARGE_CAPACITY,
    CURRENT,
    CYCLE,
    DISCHARGE_CAPACITY,
    POTENTIAL,
    STEP,
    STEP_KIND,
    TIME,
    short,
)

Floats = npt.NDArray[np.float64]
Values = dict[str, Any]
Warnings = list[tuple[str, str]]

_POTENTIALS = ("Ewe/V", "<Ewe>/V", "Ewe-Ece/V", "Ecell/V")
_CURRENTS = {"I/mA": 1e-3, "<I>/mA": 1e-3, "I/A": 1.0, "<I>/A": 1.0}
_INCREMENTS = {"dq/mA.h": 1.0}
_TOTALS = {"(Q-Qo)/mA.h": 1.0, "(Q-Qo)/C": 1 / 3.6}
_OF_IMPEDANCE = re.compile(
    r"-?(?:Re|Im|Phase)\(|\|(?:Z|Y|C|M|Permittivity|Resistivity|Conductivity)\||Tan\(|Loss Angle|C[sp]/|z cycle$"
)
_GALVANOSTATIC, _POTENTIOSTATIC, _REST = 1, 2, 3
MIN_ROWS = 10  # rows beside the impedance; a few are the start of a spectrum, not a measurement of their own


def is_series(names: list[str]) -> bool:
    """Whether columns of EC-Lab hold a time, a potential and a current or a charge."""
    known = set(names)
    charges = known & (_CURRENTS.keys() | _INCREMENTS.keys() | _TOTALS.keys())
    return "time/s" in known and bool(known & set(_POTENTIALS)) and bool(charges)


def series_recording(values: Values, metadata: dict[str, Any], warnings: Warnings) -> Recording | None:
    """The time series among the rows of a file.

    Parameters
    ----------
    values : dict
        Columns by EC-Lab's names, all of one length; numbers as float arrays. `mode` is 1 for current control, 2 for
        potential control, 3 for rest.
    metadata, warnings
        Of the whole file.

    Returns
    -------
    Recording or None
        Rows with a frequency are left out, because they are impedance; None if hardly any other row is there.

    Raises
    ------
    ReaderError
        If a column that is needed is missing.
    """
    names = list(values)
    if not is_series(names):
        raise ReaderError(_missing(names))
    said = list(warnings)
    time = _numbers(values, "time/s")
    frequency = values.get("freq/Hz")
    is_impedance = np.zeros(len(time), dtype=bool) if frequency is None else np.asarray(frequency, dtype=float) > 0
    if is_impedance.any() and int((~is_impedance).sum()) < MIN_ROWS:
        return None
    found: Values = {TIME: time, POTENTIAL: _numbers(values, next(name for name in _POTENTIALS if name in values))}
    change = _charge_mAh(values)
    found[CURRENT] = _current(values, time, change, said)
    cycle = _cycle(values, said)
    if cycle is not None:
        found[CYCLE] = cycle
    if "Ns" in values:
        found[STEP] = _numbers(values, "Ns")
    mode = values.get("mode")
    if mode is not None:
        found[STEP_KIND] = _kinds(np.asarray(mode, dtype=float), found[CURRENT])
    if change is not None:
        # A jump of the counter back to its start is no discharge.
        found[CHARGE_CAPACITY] = np.cumsum(np.maximum(change, 0.0))
        found[DISCHARGE_CAPACITY] = np.cumsum(np.maximum(-change, 0.0))
    used = {"time/s", "Ns", "cycle number", "freq/Hz", *_POTENTIALS[:1]}
    for name in names:
        if name not in used and name not in _CURRENTS and not _OF_IMPEDANCE.match(name):
            found[name] = values[name]
    if is_impedance.any():
        kept = ~is_impedance
        found = {name: np.asarray(column)[kept] for name, column in found.items()}
        count = int(is_impedance.sum())
        said.append(("impedance_rows", f"{count} rows with a frequency are impedance; they are Recordings of their own."))
    return assemble(found, metadata, said)


def _missing(names: list[str]) -> str:
    seen = ", ".join(short(name) for name in names[:12] if name) or "none"
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    if "time/s" not in names:
        what = "time"
    elif not set(names) & set(_POTENTIALS):
        what = "potential"
    else:
        what = "current"
    return f"No {what} column found. Columns seen: {seen}{more}. Choose which column is the {what}."


def _numbers(values: Values, name: str) -> Floats:
    return np.asarray(values[name], dtype=np.float64)


def _charge_mAh(values: Values) -> Floats | None:
    """Charge since the row before, in mAh, by the file's own counter; None if it has none."""
    for name, factor in _INCREMENTS.items():
        if name in values:
            return _numbers(values, name) * factor
    for name, factor in _TOTALS.items():
        if name in values:
            total = _numbers(values, name) * factor
            # An export may begin in the middle of a test: what was counted before is not of these rows.
            return np.diff(total, prepend=total[:1])
    return None


def _current(values: Values, time: Floats, change: Floats | None, warnings: Warnings) -> Floats:
    for name, factor in _CURRENTS.items():
        if name in values:
            return _numbers(values, name) * factor
    assert change is not None  # `is_series` saw a current or a charge
    span = np.diff(time, prepend=np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        current = np.where(span > 0, change * 3.6 / span, np.nan)
    # Without charge there is no current, however short the time; the first row has no row before it.
    current[np.isnan(current) & (change == 0)] = 0.0
    if len(current) > 1 and np.isnan(current[0]):
        current[0] = current[1]
    sentence = "The file holds no current; it was computed from the charge between rows, I = dQ/dt."
    warnings.append(("current_from_charge", sentence))
    return current


def _cycle(values: Values, warnings: Warnings) -> Floats | None:
    if "cycle number" in values:
        return _numbers(values, "cycle number")
    if "half cycle" not in values:
        return None
    sentence = "The file counts half cycles only; two of them were taken as one cycle, from 0 as EC-Lab does."
    warnings.append(("cycle_from_half_cycles", sentence))
    return np.floor(_numbers(values, "half cycle") / 2)


def _kinds(mode: Floats, current: Floats) -> npt.NDArray[np.object_]:
    """EC-Lab does not say charge or discharge: under current control the sign of the current does."""
    kinds = np.full(len(mode), "", dtype=object)
    is_driven = mode == _GALVANOSTATIC
    kinds[is_driven & (current > 0)] = "charge"
    kinds[is_driven & (current < 0)] = "discharge"
    kinds[(mode == _REST) | (is_driven & (current == 0))] = "rest"
    kinds[mode == _POTENTIOSTATIC] = "hold"
    return kinds
