"""The content-addressed store of raw bytes, and the cache of parsed recordings beside it.

Callers know `store()` with its few methods; where the bytes lie is decided here alone. Bytes come first, rows second: a
file is written under a temporary name, made durable, then renamed to its hash; a crash leaves at worst a blob that no
row names.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from lagpdb.problems import FULL
from measurements import packing

CHUNK = 256 * 1024  # what stays in the processor's cache while it is cut, hashed and written


class StoreError(Exception):
    """The store cannot give or take the bytes; the message is for people."""


class StoreDamaged(StoreError):
    """Bytes are missing or are not what their name says."""


@dataclass(frozen=True)
class Stored:
    """Where bytes went."""

    sha256: str
    size_bytes: int


class Writer:
    """Bytes on their way into the store: hashed as they pass, invisible until `commit`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        incoming = root / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=incoming)
        self._path = Path(name)
        self._stream = os.fdopen(descriptor, "wb", buffering=0)
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self._hash.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[self._stream.write(view) :]
        self.size_bytes += len(chunk)

    def commit(self) -> Stored:
        """Make the bytes durable under their hash; the same bytes again are kept once."""
        sha256 = self._hash.hexdigest()
        os.fsync(self._stream.fileno())
        self._stream.close()
        target = self._root / sha256[:2] / sha256
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            _sync(self._root)
        # Over whatever lies there: the same bytes, or damaged ones that are sound again now.
        os.chmod(self._path, 0o440)
        self._path.rename(target)
        _sync(target.parent)
        return Stored(sha256, self.size_bytes)

    def abort(self) -> None:
        """Forget the bytes."""
        with suppress(OSError):
            self._stream.close()
        self._path.unlink(missing_ok=True)

    def __del__(self) -> None:
        # Django tells its handlers of a body that ends too early, not of one whose reading fails.
        if hasattr(self, "_stream") and not self._stream.closed:
            self.abort()


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class LocalStore:
    """Raw bytes and parsed tables in a local folder. An object store needs these same methods and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.raw = folder / "raw"
        self.parsed = folder / "parsed"
        self.raw.mkdir(parents=True, exist_ok=True)
        self.parsed.mkdir(parents=True, exist_ok=True)

    def begin(self) -> Writer:
        """Start to store bytes."""
        return Writer(self.raw)

    def tidy(self, older_than_s: float = 24 * 3600) -> int:
        """Drop what a killed server left of uploads under way; returns how many."""
        left = [path for path in self.raw.glob("incoming/*") if time.time() - path.stat().st_mtime > older_than_s]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def free_bytes(self) -> int:
        """Room that is left."""
        return shutil.disk_usage(self.raw).free

    @contextmanager
    def local_copy(self, sha256: str) -> Iterator[Path]:
        """A readable file with the bytes, their hash verified."""
        path = self.raw / sha256[:2] / sha256
        self.check(sha256)
        yield path

    def open(self, sha256: str) -> BinaryIO:
        """The bytes for reading, their hash verified."""
        self.check(sha256)
        return (self.raw / sha256[:2] / sha256).open("rb")

    def check(self, sha256: str) -> None:
        """Compare the bytes with their name.

        Raises
        ------
        StoreDamaged
            With the sentence for people.
        """
        try:
            with (self.raw / sha256[:2] / sha256).open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:
            raise StoreDamaged(
                f"The stored file {sha256[:12]}… is missing from the store. Restore it from the backup; its record "
                "is safe."
            ) from None
        if found != sha256:
            raise StoreDamaged(
                f"The stored file {sha256[:12]}… was altered on disk. Restore it from the backup; its record is safe."
            )

    def hashes(self) -> Iterator[str]:
        """Names of everything that lies in the store."""
        for folder in sorted(self.raw.iterdir()):
            if len(folder.name) == 2:
                yield from (path.name for path in sorted(folder.iterdir()))

    def parsed_folder(self, sha256: str) -> Path:
        """Where the recordings that readers made of these bytes are kept."""
        return self.parsed / sha256[:2] / sha256


@cache
def store() -> LocalStore:
    """The store of this installation."""
    if settings.STORE_URL:
        raise ImproperlyConfigured("LAGPDB_STORE_URL: only the local folder is supported yet; leave it unset.")
    return LocalStore(settings.DATA_DIR)


def open_raw(sha256: str) -> BinaryIO:
    """The raw bytes, verified."""
    return store().open(sha256)


def parts_of(measurement: Any) -> list[Any]:
    """The parts of files that a measurement is, in order; one that was just stored knows its part."""
    if measurement.known_part is not None:
        return [measurement.known_part]
    in_force = measurement.files.select_related("raw_file").filter(superseded_at__isnull=True)
    parts = list(in_force.order_by("position", "pk"))
    if not parts:
        raise StoreError(f"{measurement.code} has no file, so it has no data points.")
    return parts


def parsed_path(part: Any) -> Path:
    """Where the parsed table of a part lies; parsed again if the cache was emptied."""
    raw = part.raw_file
    path = _folder_of(raw) / f"{part.part_number}.parquet"
    if not path.exists():
        from measurements.ingest import read_again

        path = _folder_of(read_again(raw)) / path.name
    return path


def _folder_of(raw: Any) -> Path:
    name = packing.folder_name(raw.reader, raw.reader_version, raw.column_mapping)
    return store().parsed_folder(raw.sha256) / name


def table(part: Any) -> pd.DataFrame:
    """The parsed table of a part in canonical columns."""
    return packing.read(parsed_path(part))


def recording(measurement: Any, reach: packing.Reach | None = None) -> pd.DataFrame:
    """The parsed table of a measurement in canonical columns.

    With `reach`, told the names of the columns, only the columns that it returns (None: all) and not less than the rows
    whose values lie in its spans: one cycle of a million rows need not wait for the others.
    """
    parts = parts_of(measurement)
    if reach is None or len(parts) > 1:
        return joined(parts)
    return packing.read_reach(parsed_path(parts[0]), reach)


def rows_of(measurement: Any, first: int, rows: int) -> tuple[pd.DataFrame, int]:
    """Some rows of the parsed table from one on (counted from 0), and how many there are."""
    parts = parts_of(measurement)
    if len(parts) > 1:
        frame = joined(parts)
        return frame.iloc[first : first + rows], len(frame)
    path = parsed_path(parts[0])
    return packing.read(path, rows=rows, first=first), packing.row_count(path)


def joined(parts: list[Any]) -> pd.DataFrame:
    """The table of one part, or of several that follow each other with a gap."""
    if len(parts) == 1:
        return table(parts[0])
    return packing.in_a_row([table(part) for part in parts], [part.starts_after_s for part in parts])


# -- uploads -----------------------------------------------------------------------------------------------------------
class StoredUpload(UploadedFile):
    """An uploaded file that already lies in the store, or the sentence why it does not."""

    def __init__(self, name: str, stored: Stored | None, refused: str = "", status: int = 0) -> None:
        super().__init__(file=None, name=name, size=stored.size_bytes if stored else 0)
        self.sha256 = stored.sha256 if stored else ""
        self.folder = ""
        self.refused = refused
        self.refused_status = status

    def close(self) -> None:
        """Nothing is open: the bytes lie in the store."""


class StoreUploadHandler(FileUploadHandler):
    """Streams each file of a form straight into the store: no copy in memory, none in a second place."""

    chunk_size = CHUNK

    def handle_raw_input(self, input_data, META, content_length, boundary, encoding=None):
        # Nobody fills the disk without having signed in; the API has authenticated before the body is read.
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            raise PermissionDenied("Sign in first, then upload.")
        self._no_room = bool(content_length) and store().free_bytes() < 2 * content_length

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin a file."""
        super().new_file(*args, **kwargs)
        self._refused, self._status, self._writer = "", 0, None
        if self._no_room:
            self._refuse(FULL, 507)
            return
        with self._while_there_is_room():
            self._writer = store().begin()

    def _refuse(self, sentence: str, status: int) -> None:
        self._refused, self._status = sentence, status
        if self._writer is not None:
            self._writer.abort()
            self._writer = None

    @contextmanager
    def _while_there_is_room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            self._refuse(FULL, 507)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Take a chunk; a refused file is read to its end and dropped, so that its neighbours arrive."""
        if self._writer is None:
            return
        if self._writer.size_bytes + len(raw_data) > settings.UPLOAD_MAX_MB * 1_000_000:
            self._refuse(
                f"The file is larger than {settings.UPLOAD_MAX_MB} MB, the limit of this site. Split the export, or "
                "ask an administrator to raise the limit.",
                413,
            )
            return
        with self._while_there_is_room():
            self._writer.write(raw_data)

    def file_complete(self, file_size: int) -> StoredUpload:
        """The file is through: keep it under its hash."""
        stored = None
        if self._writer is not None:
            with self._while_there_is_room():
                stored = self._writer.commit()
        self._writer = None
        return StoredUpload(self.file_name, stored, self._refused, self._status)

    def upload_interrupted(self) -> None:
        """The connection broke: what came so far is dropped, nothing half-written stays."""
        if getattr(self, "_writer", None) is not None:
            self._writer.abort()
            self._writer = None


def put_bytes(name: str, content: bytes) -> StoredUpload:
    """Store bytes that a program made (the reference campaign), as if they had been uploaded."""
    writer = store().begin()
    writer.write(content)
    return StoredUpload(name, writer.commit())
