"""Whole collections and tables as CSV and Parquet: streamed, unpaged, under the names of the API."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse

from lagpdb.columns import Column
from lagpdb.problems import Problem
from lagpdb.units import symbol

FORMATS = ("json", "csv", "parquet")
Chunks = Iterable[list[list[Any]]]  # each chunk: one list of values per column

_ARROW: dict[str, pa.DataType] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}


def format_of(request: Any, allowed: Sequence[str] = FORMATS) -> str:
    """The ``format`` of the query string, the first allowed one without it."""
    wanted = request.query_params.get("format", allowed[0])
    if wanted not in allowed:
        raise Problem(f"format={wanted}: one of {', '.join(allowed)} is expected.", field="format")
    return str(wanted)


def table(name: str, columns: Sequence[Column], chunks: Chunks, format: str) -> HttpResponseBase:
    """Rows in `format`; the first chunk is made before the answer begins, so that an early fault is still an error."""
    stream = _begun(chunks)
    if format == "csv":
        response: HttpResponseBase = StreamingHttpResponse(
            _csv(columns, stream), content_type="text/csv; charset=utf-8"
        )
        return named(response, f"{name}.csv")
    return _parquet(name, columns, stream)


def _begun(chunks: Chunks) -> Iterator[list[list[Any]]]:
    stream = iter(chunks)
    first = next(stream, None)

    def rest() -> Iterator[list[list[Any]]]:
        if first is not None:
            yield first
            yield from stream

    return rest()


def named(response: HttpResponseBase, name: str) -> HttpResponseBase:
    """An answer that a browser saves under a name."""
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


# -- csv ---------------------------------------------------------------------------------------------------------------
def _time_text(value: dt.datetime | None) -> str:
    return "" if value is None else value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _json_text(value: Any) -> str:
    return "" if value is None else orjson.dumps(value, default=str).decode()


_TEXTS: dict[str, Callable[[Any], str]] = {
    "flag": lambda value: "" if value is None else str(value).lower(),
    "time": _time_text,
    "json": _json_text,
}


def _csv(columns: Sequence[Column], chunks: Chunks) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    yield buffer.getvalue()
    for chunk in chunks:
        buffer.seek(0)
        buffer.truncate()
        series = [
            map(_TEXTS[column.kind], values) if column.kind in _TEXTS else values
            for column, values in zip(columns, chunk, strict=True)
        ]
        writer.writerows(zip(*series, strict=True))
        yield buffer.getvalue()


# -- parquet -----------------------------------------------------------------------------------------------------------
def _field(column: Column) -> pa.Field:
    unit = symbol(column.name)
    metadata = {"unit": unit, "description": column.help} if unit else {"description": column.help}
    return pa.field(column.name, _ARROW.get(column.kind, pa.string()), metadata=metadata)


def _parquet(name: str, columns: Sequence[Column], chunks: Chunks) -> HttpResponseBase:
    # Parquet ends with its index, so it is written to a file that has no name, and sent from there.
    schema = pa.schema([_field(column) for column in columns])
    stream = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it was sent
    try:
        with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
            for chunk in chunks:
                arrays = [
                    pa.array(map(_json_text, values) if column.kind == "json" else values, type=field.type)
                    for column, values, field in zip(columns, chunk, schema, strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    except BaseException:
        stream.close()
        raise
    return parquet_file(stream, name)


def parquet_file(stream: Any, name: str) -> HttpResponseBase:
    """A Parquet file that was written to `stream`; it is closed when it was sent."""
    stream.seek(0)
    response = FileResponse(stream, content_type="application/vnd.apache.parquet")
    return named(response, f"{name}.parquet")


# -- data frames -------------------------------------------------------------------------------------------------------
def frame(name: str, data: Any, format: str) -> HttpResponseBase:
    """A pandas table in `format`: one header line, one row per point."""
    if format == "csv":

        def parts() -> Iterator[str]:
            for start in range(0, max(len(data), 1), 20_000):
                yield data.iloc[start : start + 20_000].to_csv(index=False, header=start == 0, lineterminator="\n")

        return named(StreamingHttpResponse(parts(), content_type="text/csv; charset=utf-8"), f"{name}.csv")
    stream = tempfile.TemporaryFile()  # noqa: SIM115
    data.to_parquet(stream, index=False, compression="zstd")
    return parquet_file(stream, name)
