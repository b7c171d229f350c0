"""From a table to Recordings: one for each impedance spectrum, with what had to be noticed on the way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from measurements.readers.base import Recording, TooFewPoints, Warnings
from measurements.readers.columns import (
    CANONICAL,
    FREQUENCY,
    LOOP,
    PHASE,
    TEMPERATURE,
    TIME,
    Z_IMAG,
    Z_MODULUS,
    Z_REAL,
    short,
)
from measurements.readers.table import Table

MIN_POINTS = 10  # fewer cannot carry a fit
SIGN_BELOW_HZ = 1e4  # above, the inductance of leads may turn the sign
_LOOK_BACK = 5  # points: a row or two out of order do not begin a spectrum
_RISE = 1.05
_MIXED_K = 5.0  # one spectrum does not span more
_STEP_K = 2.0

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]

SIGN_SENTENCE = "−Z″ is negative at most frequencies. The file seems to store +Z″. Flip the sign?"


def recordings(
    tables: list[Table],
    metadata: dict[str, Any] | None = None,
    warnings: Warnings | None = None,
    *,
    units_may_miss: bool = True,
    per_table: list[dict[str, Any]] | None = None,
) -> list[Recording]:
    """The spectra of a file.

    Parameters
    ----------
    tables : list of Table
        Each may hold several spectra; they are told apart by loop number, by frequency that starts again, and by
        temperature where it is mixed.
    metadata, warnings
        Facts and doubts about the whole file; each Recording carries them.
    units_may_miss : bool
        Whether the format itself fixes Hz and Ω, so that headers without units are no doubt.
    per_table : list of dict, optional
        Facts about each table.

    Raises
    ------
    TooFewPoints
        If no spectrum has the points that a fit needs.
    """
    found: list[Recording] = []
    too_short: list[int] = []
    whole = list(warnings or [])
    for position, table in enumerate(tables):
        facts = dict(metadata or {}) | (per_table[position] if per_table else {})
        if table.layout is not None:
            facts.setdefault("seen", table.layout.words)
        if not units_may_miss:
            whole += _units_not_stated(table)
        for recording, points in _table_recordings(table, facts, whole):
            if points >= MIN_POINTS:
                found.append(recording)
            else:
                too_short.append(points)
    _sort_out_short(found, too_short)
    _number(found)
    return found


def _sort_out_short(found: list[Recording], too_short: list[int]) -> None:
    """Say which spectra were too short; refuse the file if all were."""
    if not found:
        count = max(too_short, default=0)
        what = f"{count} point{'s' if count != 1 else ''} found"
        raise TooFewPoints(f"{what}, a fit needs at least {MIN_POINTS}. The file is kept as attachment.")
    if too_short:
        sentence = (
            f"{len(too_short)} of {len(found) + len(too_short)} spectra have fewer than {MIN_POINTS} points "
            f"({', '.join(map(str, too_short[:10]))}) and were left out."
        )
        for recording in found:
            recording.warnings.append(("short_spectra", sentence))


def _units_not_stated(table: Table) -> Warnings:
    bare = [column.label for column in table.columns if column.name in table.needed and column.unit is None]
    if not bare:
        return []
    sentence = f"The file states no unit for {', '.join(bare)}. Hz, Ω and degrees were taken."
    return [("unit_not_stated", sentence)]


def _table_recordings(table: Table, facts: dict[str, Any], whole: Warnings) -> list[tuple[Recording, int]]:
    values = _complete(table)
    frequency = values[FREQUENCY]
    assert isinstance(frequency, np.ndarray)
    is_dc = frequency <= 0
    warnings = list(whole)
    if is_dc.any():
        count = int(is_dc.sum())
        left = "row was left" if count == 1 else "rows were left"
        warnings.append(("dc_rows", f"{count} {left} out: no frequency above 0 Hz, so direct current."))
    kept: Positions = np.flatnonzero(~is_dc)
    found = []
    for rows in _spectra(values, kept):
        frame = pd.DataFrame({name: _take(column, rows) for name, column in values.items()})
        own = dict(facts)
        doubts, points = _doubts(frame, table.lines[rows])
        _temperature(frame, own, doubts)
        found.append((Recording("impedance", frame, own, warnings + doubts), points))
    return found


def _complete(table: Table) -> dict[str, npt.NDArray[Any] | list[str]]:
    """All columns, canonical ones first, Z′ and Z″ from |Z| and phase where the file has only these."""
    values: dict[str, npt.NDArray[Any] | list[str]] = dict(table.values)
    if Z_MODULUS in table.needed:
        modulus, phase = table.numbers(Z_MODULUS), table.numbers(PHASE)
        assert modulus is not None
        assert phase is not None
        with np.errstate(invalid="ignore", over="ignore"):
            values[Z_REAL] = modulus * np.cos(np.radians(phase))
            values[Z_IMAG] = modulus * np.sin(np.radians(phase))
    for name in (FREQUENCY, Z_REAL, Z_IMAG):
        column = np.asarray(values[name], dtype=np.float64)
        values[name] = np.where(np.isfinite(column), column, np.nan)
    order = [name for name in CANONICAL if name in values]
    return {name: values[name] for name in (*order, *(name for name in values if name not in order))}


def _take(column: npt.NDArray[Any] | list[str], rows: Positions) -> npt.NDArray[Any] | list[str]:
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows]


def _spectra(values: dict[str, npt.NDArray[Any] | list[str]], kept: Positions) -> list[Positions]:
    """Rows of each spectrum, in the order of the file."""
    frequency = np.asarray(values[FREQUENCY], dtype=np.float64)[kept]
    cuts = set(restarts(frequency))
    loop = values.get(LOOP)
    if isinstance(loop, np.ndarray):
        cuts |= set((np.flatnonzero(np.diff(loop[kept])) + 1).tolist())
    pieces = [piece for piece in np.split(kept, sorted(cuts)) if len(piece)]
    temperature = values.get(TEMPERATURE)
    if not isinstance(temperature, np.ndarray):
        return pieces
    return [part for piece in pieces for part in _by_temperature(piece, temperature[piece])]


def restarts(frequency: Floats) -> list[int]:
    """Where a sweep begins anew: the frequency jumps back against its direction, beyond the last few points.

    Points that are only a little out of order, and files without any order, stay one spectrum.
    """
    is_known = np.isfinite(frequency) & (frequency > 0)
    places = np.flatnonzero(is_known)
    if len(places) < 3:
        return []
    logs = np.log(frequency[places])
    steps = np.diff(logs)
    up, down = int((steps > 0).sum()), int((steps < 0).sum())
    if max(up, down) < 0.7 * (up + down):
        return []
    rising = -logs if up > down else logs
    cuts: list[int] = []
    start, jump = 0, float(np.log(_RISE))
    for i in (np.flatnonzero(np.diff(rising) > jump) + 1).tolist():
        if rising[i] > rising[max(start, i - _LOOK_BACK)] + jump:
            cuts.append(int(places[i]))
            start = i
    return cuts


def _by_temperature(rows: Positions, temperature: Floats) -> list[Positions]:
    """One sweep measured at several temperatures by turns, taken apart; else unchanged."""
    finite = temperature[np.isfinite(temperature)]
    if not len(finite) or np.ptp(finite) <= _MIXED_K:
        return [rows]
    ordered = np.sort(finite)
    edges = (ordered[1:] + ordered[:-1])[np.diff(ordered) > _STEP_K] / 2
    if len(edges) == 0 or len(finite) < len(temperature):
        return [rows]
    group = np.searchsorted(edges, temperature)
    first_seen = list(dict.fromkeys(group.tolist()))
    return [rows[group == number] for number in first_seen]


def _doubts(frame: pd.DataFrame, lines: Positions) -> tuple[Warnings, int]:
    """What is odd about one spectrum, and how many points of it can be used."""
    warnings: Warnings = []
    f, re, im = (frame[name].to_numpy(dtype=np.float64) for name in (FREQUENCY, Z_REAL, Z_IMAG))
    good = np.isfinite(f) & np.isfinite(re) & np.isfinite(im)
    if not good.all():
        bad = lines[~good]
        listed = ", ".join(map(str, bad[:10])) + (" …" if len(bad) > 10 else "")
        which = f"line {listed}" if len(bad) == 1 else f"lines {listed}"
        warnings.append(("not_finite_rows", f"{len(bad)} of {len(f)} points hold no finite value ({which})."))
    f, re, im = f[good], re[good], im[good]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        modulus = np.hypot(re, im)
        low = f < SIGN_BELOW_HZ
        looks_inductive = low.sum() > 1 and im[low].sum() > 0
        if looks_inductive and modulus[low][np.argmin(f[low])] > modulus[low][np.argmax(f[low])]:
            warnings.append(("sign_suspect", SIGN_SENTENCE))
        stated = frame.get(Z_MODULUS)
        if stated is not None and len(f):
            apart = float(np.nanmedian(np.abs(stated.to_numpy(dtype=np.float64)[good] / modulus - 1)))
            if apart > 0.01:
                sentence = f"|Z| of the file differs from √(Z′² + Z″²) by {100 * apart:.0f} %. Z′ and Z″ were taken."
                warnings.append(("modulus_differs", sentence))
    return warnings, int(good.sum())


def _temperature(frame: pd.DataFrame, facts: dict[str, Any], warnings: Warnings) -> None:
    """The temperature of a spectrum from its column, which stands above the head of the file."""
    if TEMPERATURE not in frame:
        return
    column = frame[TEMPERATURE].to_numpy(dtype=np.float64)
    column = column[np.isfinite(column)]
    # Instruments without a sensor write 0 K or -327.67 °C.
    if not len(column) or column.min() <= -270:
        return
    facts["temperature_degC"] = round(float(np.median(column)), 3)
    if np.ptp(column) > _MIXED_K:
        sentence = f"The temperature runs from {column.min():.1f} to {column.max():.1f} °C within one spectrum."
        warnings.append(("temperature_drift", sentence))


def _number(found: list[Recording]) -> None:
    """Loop numbers and times of several spectra in one file."""
    if len(found) < 2:
        return
    # EC-Lab counts some of its loops from 0; people count from 1.
    loops = [float(recording.frame[LOOP].iloc[0]) if LOOP in recording.frame else 0.0 for recording in found]
    is_named = len(set(loops)) == len(loops) and all(loop > 0 and loop.is_integer() for loop in loops)
    latest = 0.0
    for position, recording in enumerate(found):
        recording.metadata["loop_number"] = int(loops[position]) if is_named else position + 1
        start = recording.metadata.get("measured_at")
        if start and TIME in recording.frame:
            elapsed = float(recording.frame[TIME].iloc[0])
            # A clock that starts again in each loop does not tell when the loop began.
            if position and latest < elapsed < 1e9:
                moment = datetime.fromisoformat(start) + timedelta(seconds=round(elapsed, 3))
                recording.metadata["measured_at"] = moment.isoformat()
            latest = float(recording.frame[TIME].iloc[-1])


def header_lines(lines: list[str], limit: int = 300) -> list[str]:
    """The lines before a table as they stand, for ``metadata["header"]``."""
    return [short(line, 500) if len(line) > 500 else line.rstrip() for line in lines[:limit] if line.strip()]
