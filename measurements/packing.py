"""Parsed tables as small Parquet files that give back every bit. Pure.

Instruments print decimals. A column whose every value is a whole number divided by a power of ten (times the factor by
which a reader turned its unit) is stored as these whole numbers with delta encoding; every other column stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from measurements.readers.columns import CYCLE, STEP, TIME

Array = npt.NDArray[np.float64]

ROWS_OF_A_GROUP = 65_536
FEWEST_ROWS = 200  # below, a file is all header: nothing to gain
_KEY = b"lagpdb_decimals"
_MOST_DECIMALS = 12
_EXACT = float(2**53)
# What readers multiply decimals with: milli, micro, kilo, hours and minutes to seconds.
_FACTORS = (1.0, 1e-3, 3600.0, 60.0, 1e3, 1e-6)
_SAMPLE = 512
_PIECE = 16_384  # floats


def folder_name(reader: str, version: int, mapping: Mapping[str, Sequence[str]] | None = None) -> str:
    """Where the tables of a file lie beside those that other readers, or other words on its columns, made of it."""
    said = json.dumps(mapping, sort_keys=True).encode() if mapping else b""
    return f"{reader}-{version}" + (f"-{hashlib.sha256(said).hexdigest()[:12]}" if said else "")


def restored(whole: npt.NDArray[Any], decimals: int, factor: float) -> Array:
    """The floats that whole numbers stand for."""
    values = whole.astype(np.float64)
    values /= 10.0**decimals
    return values if factor == 1.0 else values * factor


def decimals_of(values: Array) -> tuple[npt.NDArray[np.int64], int, float] | None:
    """The whole numbers, decimals and factor from which `restored` gives these floats bit by bit; None if none fits.

    `values` are finite. A negative zero has no whole number.
    """
    if not len(values):
        return None
    sample = values[:: max(1, len(values) // _SAMPLE)]
    for factor in _FACTORS:
        for decimals in range(_MOST_DECIMALS + 1):
            if _whole(sample, decimals, factor) is None:
                continue
            whole = _whole(values, decimals, factor)
            if whole is not None:
                return whole, decimals, factor
    return None


def _whole(values: Array, decimals: int, factor: float) -> npt.NDArray[np.int64] | None:
    """The whole numbers of finite floats, or None at the first piece that they do not give back bit by bit."""
    whole = np.empty(len(values), np.int64)
    scale = 10.0**decimals
    for start in range(0, len(values), _PIECE):  # a dozen passes over what stays in the processor's cache
        piece = values[start : start + _PIECE]
        scaled = piece * scale if factor == 1.0 else piece / factor * scale
        np.rint(scaled, out=scaled)
        if not (scaled.max() < _EXACT and scaled.min() > -_EXACT):
            return None
        part = whole[start : start + _PIECE]
        part[:] = scaled
        if (restored(part, decimals, factor).view(np.int64) != piece.view(np.int64)).any():
            return None
    return whole


def write(frame: pd.DataFrame, path: Path) -> None:
    """Store a table; the file appears whole or not at all."""
    draft = path.with_name(f".{path.stem}.{os.getpid()}")
    if len(frame) < FEWEST_ROWS:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        _store(table, frame, draft)
    else:
        _write_packed(frame, draft)
    draft.rename(path)


def _write_packed(frame: pd.DataFrame, path: Path) -> None:
    arrays: list[pa.Array] = []
    scales: dict[str, tuple[int, float]] = {}
    encodings: dict[str, str] = {}
    words: list[str] = []
    for name, series in frame.items():
        column = str(name)
        if series.dtype == np.float64:
            array = _packed(column, series.to_numpy(), scales)
        else:
            array = pa.Array.from_pandas(series)
        arrays.append(array)
        if pa.types.is_int64(array.type) or pa.types.is_int32(array.type):
            encodings[column] = "DELTA_BINARY_PACKED"
        elif pa.types.is_float64(array.type):
            encodings[column] = "BYTE_STREAM_SPLIT"
        else:
            words.append(column)
    fields = zip(map(str, frame.columns), arrays, strict=True)
    schema = pa.schema([pa.field(name, array.type, nullable=array.null_count > 0) for name, array in fields])
    table = pa.Table.from_arrays(arrays, schema=schema)
    packed = {"use_dictionary": words or False, "column_encoding": encodings or None}
    _store(table, frame, path, {_KEY: json.dumps(scales, separators=(",", ":"))}, **packed)


def _store(
    table: pa.Table, frame: pd.DataFrame, path: Path, facts: Mapping[bytes, str] | None = None, **options: Any
) -> None:
    """Write with no more around the numbers than serves: a short recording would be mostly description."""
    # Numbers and texts need no words for pandas to make them again.
    is_plain = all(series.dtype in ("float64", "int64", "bool", "str") for _, series in frame.items())
    described = None if is_plain else pa.Schema.from_pandas(frame.iloc[:0], preserve_index=False).metadata
    table = table.replace_schema_metadata(described)
    writer = pq.ParquetWriter(
        path,
        table.schema,
        compression="zstd",
        write_statistics=table.num_rows > ROWS_OF_A_GROUP,  # they tell groups of rows apart
        store_schema=not is_plain,
        **options,
    )
    with writer:
        writer.write_table(table, ROWS_OF_A_GROUP)
        if facts:
            writer.add_key_value_metadata(facts)


def _packed(name: str, values: Array, scales: dict[str, tuple[int, float]]) -> pa.Array:
    has_gaps = len(values) > 0 and np.isnan(values.min())
    missing = np.isnan(values) if has_gaps else None
    found = decimals_of(values if missing is None else values[~missing])
    if found is None:
        return pa.array(values)
    whole, decimals, factor = found
    scales[name] = (decimals, factor)
    if missing is None:
        return pa.array(whole)
    filled = np.zeros(len(values), np.int64)
    filled[~missing] = whole
    return pa.array(filled, mask=missing)


Span = tuple[float, float]  # from, to, both included


def read(
    path: Path,
    columns: Sequence[str] | None = None,
    rows: int | None = None,
    *,
    first: int = 0,
    spans: Mapping[str, Span] | None = None,
) -> pd.DataFrame:
    """The table as it was stored, or a part of it.

    Parameters
    ----------
    path : Path
    columns : list of str, optional
        Only those of them that the table has.
    rows, first : int, optional
        That many rows, from this one on (counted from 0).
    spans : dict, optional
        Column to (lowest, highest): groups of rows that hold no value between them are not read. Every row inside
        comes, and others with it: the caller filters.
    """
    return read_reach(path, lambda names: (columns, spans or {}), rows, first=first)


Reach = Callable[[list[str]], tuple[Sequence[str] | None, Mapping[str, Span]]]


def read_reach(path: Path, reach: Reach, rows: int | None = None, *, first: int = 0) -> pd.DataFrame:
    """As `read`, with the columns and spans that `reach` gives when it is told the names of the columns."""
    with pq.ParquetFile(path) as stored:  # read_table() looks for a whole data set first
        scales = json.loads((stored.metadata.metadata or {}).get(_KEY, b"{}"))
        columns, spans = reach(list(stored.schema_arrow.names))
        kept = None if columns is None else [name for name in columns if name in stored.schema_arrow.names]
        if rows is None and not spans:
            table = stored.read(columns=kept, use_threads=False)
        else:
            end = stored.metadata.num_rows if rows is None else first + rows
            groups, skipped = _groups(stored.metadata, scales, first, end, spans)
            table = stored.read_row_groups(groups, columns=kept, use_threads=False)
            table = _between(table, scales, spans) if spans else table.slice(first - skipped if groups else 0, rows)
    if not scales:
        return table.to_pandas(use_threads=False)
    data: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        if name in scales:
            whole = column.to_numpy()  # floats with NaN where there are gaps; below 2⁵³ they are exact
            data[name] = restored(whole, *scales[name])
        else:
            data[name] = column.to_pandas()
    return pd.DataFrame(data, columns=table.column_names, copy=False)


def _between(table: pa.Table, scales: Mapping[str, tuple[int, float]], spans: Mapping[str, Span]) -> pa.Table:
    """From the first to the last row inside the spans: what lies beyond need not be made numbers again."""
    for name, (low, high) in spans.items():
        if name in table.column_names and table.num_rows:
            values = table.column(name).to_numpy()
            values = restored(values, *scales[name]) if name in scales else values
            inside = np.flatnonzero((values >= low) & (values <= high))
            begin = int(inside[0]) if inside.size else 0
            table = table.slice(begin, int(inside[-1]) + 1 - begin if inside.size else 0)
    return table


def _groups(
    metadata: Any, scales: Mapping[str, tuple[int, float]], first: int, end: int, spans: Mapping[str, Span]
) -> tuple[list[int], int]:
    """The groups of rows that may hold what is asked for, and how many rows lie before the first of them."""
    found: list[int] = []
    skipped = begin = 0
    places = {metadata.schema.column(place).name: place for place in range(metadata.num_columns)}
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        begin, after = begin + group.num_rows, begin
        is_wanted = after < end and begin > first
        for name, (low, high) in spans.items():
            statistics = group.column(places[name]).statistics if name in places else None
            if is_wanted and statistics is not None and statistics.has_min_max:
                ends = np.array([statistics.min, statistics.max])
                lowest, highest = restored(ends, *scales[name]) if name in scales else ends
                is_wanted = bool(lowest <= high and highest >= low)
        if is_wanted:
            skipped = skipped if found else after
            found.append(number)
    return found, skipped


def in_a_row(frames: Sequence[pd.DataFrame], starts_s: Sequence[float | None]) -> pd.DataFrame:
    """Recordings of one test one after the other: times from the first one's start, cycles and steps counted on.

    Parameters
    ----------
    frames : list of pandas.DataFrame
        Canonical columns.
    starts_s : list of float or None
        [s] When each began, after the first did; None where that is not known: it follows without a gap.
    """
    whole = [frames[0]]
    for frame, start_s in zip(frames[1:], starts_s[1:], strict=True):
        former, after = whole[-1], frame.copy(deep=False)
        if TIME in frame and TIME in former:
            after[TIME] = frame[TIME] + (float(former[TIME].max()) if start_s is None else start_s)
        for counter in (CYCLE, STEP):
            if counter in frame and counter in former:
                after[counter] = frame[counter] + former[counter].max()
        whole.append(after)
    return pd.concat(whole, ignore_index=True)


def row_count(path: Path) -> int:
    """How many rows a stored table has."""
    with pq.ParquetFile(path) as stored:
        return int(stored.metadata.num_rows)


def times(path: Path, rows: Sequence[int]) -> list[float]:
    """[s] The times of some rows; 0 where none is stored."""
    frame = read(path, [TIME])
    if TIME not in frame:
        return [0.0] * len(rows)
    return [float(value) for value in np.nan_to_num(frame[TIME].to_numpy(np.float64)[list(rows)])]


def equal_beginning(
    one: Path, other: Path, columns: Sequence[str], *, telling: str = "", least_values: int = 1
) -> tuple[int, bool]:
    """How many rows from the first one are equal in two tables.

    Parameters
    ----------
    one, other : Path
        Stored tables.
    columns : list of str
        Compared are those that both have; without any, no row is equal. Nothing equals nothing.
    telling : str
        A column that must take at least `least_values` values in the equal rows, or they say little.

    Returns
    -------
    int, bool
        Equal rows, and whether they say enough.
    """
    shared = [name for name in columns if name in names(one) and name in names(other)]
    if not shared:
        return 0, False
    shorter = min(row_count(one), row_count(other))
    equal = 0
    for rows in dict.fromkeys((min(shorter, ROWS_OF_A_GROUP), shorter)):  # most strangers differ at once
        tables = [read(path, shared, rows) for path in (one, other)]
        equal = min((_equal_rows(*(table[name].to_numpy() for table in tables)) for name in shared), default=0)
        if equal < rows:
            break
    values = tables[0][telling].iloc[:equal].nunique() if telling in shared else 0
    return equal, bool(values >= least_values)


def names(path: Path) -> list[str]:
    """The columns of a stored table."""
    with pq.ParquetFile(path) as stored:
        return list(stored.schema_arrow.names)


def _equal_rows(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> int:
    different = one != other
    if one.dtype == np.float64 and other.dtype == np.float64:
        different &= ~(np.isnan(one) & np.isnan(other))
    return int(np.argmax(different)) if different.any() else len(one)
