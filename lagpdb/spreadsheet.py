"""Rows as an XLSX workbook: names, units, typed cells, and a sheet that says what it is."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import FileResponse, HttpResponseBase
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from lagpdb.columns import Column
from lagpdb.exports import Chunks, named
from lagpdb.units import label, symbol

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# A text that begins with one of these would be run as a formula by a spreadsheet program.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def workbook(
    name: str, columns: Sequence[Column], chunks: Chunks, about: Iterable[tuple[str, str]]
) -> HttpResponseBase:
    """A workbook of rows, written to a file that has no name and sent from there.

    Sheet 1: names as the API has them, labels, units, then the rows with numbers as numbers and times as times (UTC).
    Sheet ‘About’: what the rows are, and each column in words.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(name[:31])
    sheet.freeze_panes = "B4"
    bold = Font(bold=True)
    sheet.append([_cell(sheet, column.name, bold) for column in columns])
    sheet.append([label(column.name) for column in columns])
    sheet.append([symbol(column.name) for column in columns])
    for chunk in chunks:
        for row in zip(*chunk, strict=True):
            sheet.append([_plain(value) for value in row])
    notes = book.create_sheet("About")
    for what, text in about:
        notes.append([_cell(notes, what, bold), _plain(text)])
    notes.append([])
    notes.append([_cell(notes, title, bold) for title in ("Column", "Unit", "Meaning")])
    for column in columns:
        notes.append([column.name, symbol(column.name), _plain(column.help)])
    stream = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it was sent
    book.save(stream)
    stream.seek(0)
    return named(FileResponse(stream, content_type=CONTENT_TYPE), f"{name}.xlsx")


def _cell(sheet: Any, value: str, font: Font) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, value)
    cell.font = font
    return cell


def _plain(value: Any) -> Any:
    """A value that a cell can hold; spreadsheets know no zone, so times are UTC without one."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    if value is None or isinstance(value, bool | int | float | dt.date):
        return value
    text = str(value)
    return f"\u200b{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
