"""The contract of a reader: a file in, Recordings out. Pure: no Django, no database, no settings."""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

HEAD_BYTES = 65_536
_NO_TEXT = (b"PK\x03\x04", b"NEWARE")  # archives and the binary of Neware: what decoding them gives is nobody's
Warnings = list[tuple[str, str]]  # code and sentence


class ReaderError(Exception):
    """The file cannot be read; the message is shown to the person who uploaded it.

    Parameters
    ----------
    sentence : str
        Place, cause and next step in plain words.
    line : int, optional
        Number of the offending line, counted from 1.
    """

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.line = line


class BadRow(ReaderError):
    """One row is cut off or holds no number; the others are good, so a person may choose to go on without it."""


class UnknownColumns(ReaderError):
    """A table whose names mean nothing to us: a person may say what its columns are."""


class TooFewPoints(ReaderError):
    """The file is readable, but holds too little to compute from: it is kept as an attachment."""


@dataclass
class Recording:
    """One measurement as it stands in a file: a table in canonical columns, and what the file says of it.

    Attributes
    ----------
    technique : str
        ``"impedance"`` or ``"time_series"``.
    frame : pandas.DataFrame
        Canonical columns (`measurements.readers.columns`) first; unknown columns keep their own names.
        One row per point of the file, in the order of the file.
    metadata : dict
        JSON-able. Known keys: ``temperature_degC``, ``measured_at`` (ISO 8601), ``operator``, ``instrument``,
        ``electrode_area_cm2`` (as the file states it, never used without a person's word), ``thickness_um``,
        ``loop_number``; everything else under ``header``.
    warnings : list of (code, sentence)
        What the reader noticed and did not let pass in silence.
    """

    technique: str
    frame: pd.DataFrame
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: Warnings = field(default_factory=list)


class Peek:
    """The beginning of a file, each view of it made only when a reader asks."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name

    @property
    def suffix(self) -> str:
        """The lower-case file extension with its dot, as uploaded."""
        return Path(self.name).suffix.lower()

    @cached_property
    def head(self) -> bytes:
        """The first 64 KiB."""
        with self.path.open("rb") as stream:
            return stream.read(HEAD_BYTES)

    @cached_property
    def text(self) -> str:
        """The head as text; encoding by signature, see `measurements.readers.text.decode`. Empty where it is none."""
        from measurements.readers.text import decode

        if self.head.startswith(_NO_TEXT):
            return ""
        return decode(self.head, cut=True)

    @cached_property
    def members(self) -> list[str]:
        """Names inside, if the file is a zip archive that can be opened; else empty."""
        if not self.head.startswith(b"PK\x03\x04"):
            return []
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.namelist()
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
            return []

    @cached_property
    def columns(self) -> list[str]:
        """Names of the columns, if the file is Parquet and can be opened; else empty."""
        from measurements.readers.parquet import MAGIC, column_names

        return column_names(self.path) if self.head.startswith(MAGIC) else []

    @cached_property
    def sheets(self) -> dict[str, list[list[str]]]:
        """The first rows of every sheet, as texts, if the file is an Excel workbook (.xlsx); else empty."""
        from measurements.readers.workbook import glimpse, is_workbook

        try:
            return glimpse(self.path) if is_workbook(self.head, self.members) else {}
        except (zipfile.BadZipFile, OSError):
            return {}


class Reader(ABC):
    """One file format. Class attributes name it; `recognises` sniffs; `read` parses."""

    slug: ClassVar[str] = ""
    version: ClassVar[int] = 1
    name: ClassVar[str] = ""  # what people see, e.g. "Gamry DTA"
    is_generic: ClassVar[bool] = False  # asked only when no specific reader recognises the file
    # No sample of this format can be written without the vendor's software; the reader's docstring says why.
    needs_vendor_file: ClassVar[bool] = False
    needs_module: ClassVar[str] = (
        ""  # of an optional extra; without it files are recognised and refused with a sentence
    )

    @abstractmethod
    def recognises(self, peek: Peek) -> bool:
        """Whether the content is of this format; never raises, never reads more than the head."""

    @abstractmethod
    def read(self, path: Path) -> list[Recording]:
        """Parse the whole file.

        Raises
        ------
        ReaderError
            With the sentence and line for the person.
        """
