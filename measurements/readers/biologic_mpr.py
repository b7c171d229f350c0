"""BioLogic .mpr, the binary of EC-Lab, through the optional extra `lagpdb[biologic]` (datalab-org-galvani, GPL-3).

Every working reader of this format is GPL code, which must not run inside our processes. `read` imports it, and may
therefore be called only in the expendable child process that parses vendor files. Without the extra it says how to
export text instead. Impedance and time series, with the columns of `measurements.readers.eclab_series`.
"""

from __future__ import annotations

import warnings as python_warnings
from pathlib import Path
from typing import Any

import numpy as np

from measurements.readers.base import Peek, Reader, ReaderError, Recording
from measurements.readers.columns import Z_IMAG, Z_MODULUS, Z_REAL, impedance_columns, name_columns
from measurements.readers.eclab_series import is_impedance, is_series, series_recording
from measurements.readers.grid import Grid
from measurements.readers.signatures import MPR_SIGNATURE
from measurements.readers.spectrum import recordings
from measurements.readers.table import Table, Values

_MODE = 0x03  # bits of the flags: 1 current control, 2 potential control, 3 rest
_ABSENT = (
    "This is an EC-Lab binary file (.mpr), and this server has no reader for it. "
    "Export it from EC-Lab as text (.mpt), then upload that, or ask an administrator to install lagpdb[biologic]."
)
_DAMAGED = (
    "This EC-Lab binary file (.mpr) cannot be read; it is damaged, cut off, or of a version that is not known. "
    "Export it from EC-Lab as text (.mpt), then upload that."
)


class BiologicMprReader(Reader):
    """EC-Lab .mpr; must be called in the child process (see the module)."""

    slug, version, name = "biologic_mpr", 2, "EC-Lab .mpr"
    needs_module = "galvani"

    def recognises(self, peek: Peek) -> bool:
        return peek.head.startswith(MPR_SIGNATURE)

    def read(self, path: Path) -> list[Recording]:
        data, metadata = _parse(path)
        names = list(data.dtype.names or ())
        if not len(data):
            raise ReaderError("This EC-Lab file holds no points. Export it again after the measurement.")
        if not is_series(names):
            return _spectra(data, names, metadata)
        grid = _grid(data, names)
        series = series_recording(grid, metadata, [])
        is_spectrum = is_impedance(grid)
        if not is_spectrum.any():
            return [series] if series is not None else []
        # Spectra first: they were all that version 1 of this reader gave, and keep their places.
        return [*_spectra(data[is_spectrum] if series is not None else data, names, metadata), *filter(None, [series])]


def _spectra(data: Any, names: list[str], metadata: dict[str, Any]) -> list[Recording]:
    columns = name_columns(names)
    needed = impedance_columns(columns)
    values: dict[str, Values] = {}
    for column, name in zip(columns, names, strict=True):
        numbers = np.asarray(data[name], dtype=np.float64)
        values[column.name] = numbers * column.factor + column.offset if column.is_canonical else numbers
    if any(name.startswith("unknown_colID") for name in names):
        _refuse_shifted(values)
    rows = np.arange(1, len(data) + 1, dtype=np.int64)
    return recordings([Table(columns, values, needed, rows)], metadata)


def _grid(data: Any, names: list[str]) -> Grid:
    """Columns by EC-Lab's names, with the mode out of the flags.

    Raises
    ------
    ReaderError
        If the width of a column had to be guessed and was guessed wrong.
    """
    values = {name: np.asarray(data[name], dtype=np.float64) for name in names if name != "flags"}
    if "flags" in names:
        values["mode"] = (data["flags"] & _MODE).astype(np.float64)
    time = values["time/s"]
    if any(name.startswith("unknown_colID") for name in names):
        with np.errstate(invalid="ignore"):
            is_time = np.isfinite(time).all() and (np.diff(time) >= 0).mean() > 0.9 and (np.abs(time) < 1e10).all()
        if not is_time:
            raise ReaderError(_DAMAGED)
    return Grid(list(values), None, list(values.values()), np.arange(1, len(data) + 1, dtype=np.int64))


def _refuse_shifted(values: dict[str, Values]) -> None:
    """Columns that the foreign parser does not know have a guessed width; a wrong guess shifts all after them.

    Where |Z| still agrees with Z′ and Z″, the guess was right.
    """
    re, im, modulus = (values.get(name) for name in (Z_REAL, Z_IMAG, Z_MODULUS))
    if not isinstance(re, np.ndarray) or not isinstance(im, np.ndarray) or not isinstance(modulus, np.ndarray):
        raise ReaderError(_DAMAGED)
    with np.errstate(all="ignore"):
        is_close = np.isclose(np.hypot(re, im), modulus, rtol=1e-3)
    if not is_close.all():
        raise ReaderError(_DAMAGED)


def _parse(path: Path) -> tuple[Any, dict[str, Any]]:
    try:
        from galvani.BioLogic import MPRfile
    except ImportError:
        raise ReaderError(_ABSENT) from None
    try:
        # It warns of columns that it does not know; `_refuse_shifted` looks whether they did harm.
        with python_warnings.catch_warnings(), path.open("rb") as stream:
            python_warnings.simplefilter("ignore")
            file = MPRfile(stream)
    # The foreign parser asserts, indexes and decodes freely: any of its failures means the same to the person.
    except Exception:
        raise ReaderError(_DAMAGED) from None
    metadata: dict[str, Any] = {"instrument": "BioLogic (EC-Lab)", "seen": "binary"}
    started = getattr(file, "timestamp", None)
    if started is not None:
        metadata["measured_at"] = started.isoformat()
    elif getattr(file, "startdate", None) is not None:
        # Without the log module the file tells the day, not the hour.
        metadata["measured_on"] = file.startdate.isoformat()
    return file.data, metadata
