"""The store: whole files or none, each once, and damage is never passed on."""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import time
import tracemalloc
from io import BytesIO

import pytest
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.handlers.wsgi import WSGIRequest
from django.http import UnreadablePostError
from django.test import RequestFactory

from measurements import store as module
from measurements.store import StoreDamaged, StoredUpload, StoreError, open_raw, put_bytes, recording, store
from tests import builders, spine

CONTENT = b"frequency_Hz,z_real_ohm,z_imag_ohm\n" * 100
SHA = hashlib.sha256(CONTENT).hexdigest()


def incoming(own_store) -> list:
    return list(own_store.raw.glob("incoming/*"))


# -- bytes in and out --------------------------------------------------------------------------------------------------
def test_what_goes_in_comes_out(own_store):
    stored = put_bytes("a.csv", CONTENT)
    assert (stored.sha256, stored.size, stored.name) == (SHA, len(CONTENT), "a.csv")
    with open_raw(SHA) as stream:
        assert stream.read() == CONTENT
    with own_store.local_copy(SHA) as path:
        assert path.read_bytes() == CONTENT
        assert path.relative_to(own_store.raw).as_posix() == f"{SHA[:2]}/{SHA}"
        assert path.stat().st_mode & 0o222 == 0
    assert incoming(own_store) == []


def test_the_same_bytes_are_kept_once(own_store):
    for name in ("a.csv", "b.csv"):
        assert put_bytes(name, CONTENT).sha256 == SHA
    assert list(own_store.hashes()) == [SHA]
    assert incoming(own_store) == []


def test_nothing_is_seen_before_commit_or_after_abort(own_store):
    writer = own_store.begin()
    writer.write(CONTENT)
    assert list(own_store.hashes()) == []
    assert len(incoming(own_store)) == 1
    writer.abort()
    assert incoming(own_store) == []
    assert list(own_store.hashes()) == []


def test_a_writer_that_is_forgotten_leaves_nothing(own_store):
    writer = own_store.begin()
    writer.write(CONTENT)
    del writer
    gc.collect()
    assert incoming(own_store) == []


def test_bytes_are_durable_before_they_have_their_name(own_store, monkeypatch):
    events = []
    sync = os.fsync
    monkeypatch.setattr(module.os, "fsync", lambda fd: (events.append(os.readlink(f"/proc/self/fd/{fd}")), sync(fd)))
    put_bytes("a.csv", CONTENT)
    assert "/incoming/" in events[0]
    assert events[1:] == [str(own_store.raw), str(own_store.raw / SHA[:2])]


def test_a_crash_before_the_name_leaves_no_half_file(own_store, monkeypatch):
    def crash(_):
        raise OSError(errno.EIO, "the disk is gone")

    monkeypatch.setattr(module.os, "fsync", crash)
    with pytest.raises(OSError, match="the disk is gone"):
        put_bytes("a.csv", CONTENT)
    gc.collect()
    assert list(own_store.hashes()) == []


def test_an_empty_file_is_a_file(own_store):
    assert put_bytes("empty.txt", b"").size == 0
    with open_raw(hashlib.sha256(b"").hexdigest()) as stream:
        assert stream.read() == b""


# -- damage ------------------------------------------------------------------------------------------------------------
def test_damage_is_detected_and_named(own_store):
    path = own_store.raw / SHA[:2] / SHA
    with pytest.raises(StoreDamaged, match=rf"{SHA[:12]}… is missing from the store. Restore it from the backup"):
        own_store.check(SHA)
    put_bytes("a.csv", CONTENT)
    path.chmod(0o640)
    path.write_bytes(CONTENT[:-1] + b"x")
    for read in (own_store.check, open_raw):
        with pytest.raises(StoreDamaged, match="was altered on disk"):
            read(SHA)
    with pytest.raises(StoreDamaged), own_store.local_copy(SHA):
        pass


def test_sending_a_damaged_file_again_heals_it(own_store):
    put_bytes("a.csv", CONTENT)
    path = own_store.raw / SHA[:2] / SHA
    path.chmod(0o640)
    path.write_bytes(b"rot")
    put_bytes("a.csv", CONTENT)
    own_store.check(SHA)


def test_what_a_killed_server_left_is_dropped_after_a_day(own_store):
    fresh, old = own_store.begin(), own_store.begin()
    os.utime(old._path, (time.time() - 90_000,) * 2)
    assert own_store.tidy() == 1
    assert incoming(own_store) == [fresh._path]
    fresh.abort()


def test_an_object_store_is_not_there_yet(own_store, settings):
    settings.STORE_URL = "s3://bucket/prefix"
    store.cache_clear()
    with pytest.raises(ImproperlyConfigured, match="only the local folder"):
        store()


# -- the upload handler ------------------------------------------------------------------------------------------------
BOUNDARY = "limit"


def part(name: str, content: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n"


def posted(body, length: int | None = None, user=None) -> WSGIRequest:
    """A request with this body (bytes or a stream), as a server hands it over."""
    stream = BytesIO(body) if isinstance(body, bytes) else body
    environ = RequestFactory()._base_environ(
        REQUEST_METHOD="POST",
        CONTENT_TYPE=f"multipart/form-data; boundary={BOUNDARY}",
        CONTENT_LENGTH=str(len(body) if length is None else length),
        **{"wsgi.input": stream},
    )
    request = WSGIRequest(environ)
    request.user = spine.person() if user is None else user
    return request


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


@pytest.mark.django_db
def test_files_of_a_form_go_straight_into_the_store(own_store):
    request = posted(form(part("a.csv", CONTENT), part("b.csv", b"b")))
    files = request.FILES.getlist("files")
    assert [(file.name, file.size, file.refused) for file in files] == [("a.csv", len(CONTENT), ""), ("b.csv", 1, "")]
    assert all(isinstance(file, StoredUpload) for file in files)
    own_store.check(files[0].sha256)
    request.close()


@pytest.mark.django_db
def test_nobody_fills_the_disk_without_signing_in(own_store):
    from django.contrib.auth.models import AnonymousUser

    with pytest.raises(PermissionDenied):
        posted(form(part("a.csv", CONTENT)), user=AnonymousUser()).FILES  # noqa: B018
    assert list(own_store.raw.iterdir()) == []


@pytest.mark.django_db
def test_a_file_that_is_too_large_is_refused_and_its_neighbours_arrive(own_store, settings):
    settings.UPLOAD_MAX_MB = 1
    large = os.urandom(1_000_001)
    request = posted(form(part("a.csv", b"a"), part("large.bin", large), part("b.csv", b"b")))
    first, refused, last = request.FILES.getlist("files")
    assert (first.refused, last.refused) == ("", "")
    assert refused.refused.startswith("The file is larger than 1 MB, the limit of this site.")
    assert (refused.refused_status, refused.sha256, refused.size) == (413, "", 0)
    assert len(list(own_store.hashes())) == 2
    assert incoming(own_store) == []


@pytest.mark.django_db
def test_a_file_of_exactly_the_limit_arrives(own_store, settings):
    settings.UPLOAD_MAX_MB = 1
    (file,) = posted(form(part("a.bin", os.urandom(1_000_000)))).FILES.getlist("files")
    assert (file.refused, file.size) == ("", 1_000_000)


@pytest.mark.django_db
def test_a_body_that_ends_too_early_leaves_nothing(own_store):
    body = form(part("a.csv", b"whole"), part("b.csv", CONTENT))
    request = posted(body[: len(body) // 2], length=len(body))
    assert [file.name for file in request.FILES.getlist("files")] == ["a.csv"]
    assert list(own_store.hashes()) == [hashlib.sha256(b"whole").hexdigest()]
    assert incoming(own_store) == []


class Breaking:
    """A body whose connection breaks."""

    readline = None  # part of the interface, never called

    def __init__(self, content: bytes) -> None:
        self.stream = BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        if chunk := self.stream.read(min(size, 4096) if size > 0 else 4096):
            return chunk
        raise ConnectionResetError("the person closed the lid")


@pytest.mark.django_db
def test_a_connection_that_breaks_leaves_nothing(own_store, settings):
    body = part("a.csv", b"whole") + part("b.csv", os.urandom(200_000))
    request = posted(Breaking(body), length=10_000_000)
    with pytest.raises(UnreadablePostError):
        request.FILES  # noqa: B018
    del request
    gc.collect()
    assert incoming(own_store) == []


@pytest.mark.django_db
def test_a_full_store_says_so_before_the_body_is_read(own_store, monkeypatch):
    monkeypatch.setattr(type(own_store), "free_bytes", lambda self: 10)
    (file,) = posted(form(part("a.csv", CONTENT))).FILES.getlist("files")
    assert file.refused.startswith("The store is full. Nothing was lost")
    assert file.refused_status == 507
    assert list(own_store.hashes()) == []


@pytest.mark.django_db
@pytest.mark.parametrize("when", ["write", "fsync"])
def test_a_store_that_fills_up_on_the_way_says_so(own_store, monkeypatch, when):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    if when == "write":
        monkeypatch.setattr(module.Writer, "write", full)
    else:
        monkeypatch.setattr(module.os, "fsync", full)
    (file,) = posted(form(part("a.csv", CONTENT))).FILES.getlist("files")
    assert (file.refused_status, file.sha256) == (507, "")
    assert list(own_store.hashes()) == []
    assert incoming(own_store) == []


class Endless:
    """A body of `size_bytes` that is never in memory as a whole."""

    readline = None

    def __init__(self, size_bytes: int) -> None:
        self.head = part("large.bin", b"")[:-2]
        self.tail = b"\r\n" + form()
        self.left = size_bytes
        self.length = len(self.head) + size_bytes + len(self.tail)

    def read(self, size: int = -1) -> bytes:
        if self.head:
            chunk, self.head = self.head[:size], self.head[size:]
        elif self.left:
            chunk = bytes(min(size, self.left))
            self.left -= len(chunk)
        else:
            chunk, self.tail = self.tail[:size], self.tail[size:]
        return chunk


@pytest.mark.django_db
def test_a_large_file_takes_no_memory(own_store):
    size = 60_000_000
    body = Endless(size)
    request = posted(body, length=body.length)
    tracemalloc.start()
    try:
        (file,) = request.FILES.getlist("files")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert file.size == size
    assert peak < 8 * module.CHUNK


# -- parsed tables -----------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_the_table_is_read_again_when_the_cache_was_emptied(own_store):
    import shutil

    spine.taken_in((f"{spine.cell().code}_25C.csv", spine.spectrum()))
    from measurements.models import Measurement

    measurement = Measurement.objects.get()
    before = recording(measurement)
    shutil.rmtree(own_store.parsed)
    assert recording(measurement).equals(before)
    assert len(before) == 71


@pytest.mark.django_db
def test_the_table_follows_a_newer_reader(own_store):
    spine.taken_in((f"{spine.cell().code}_25C.csv", spine.spectrum()))
    from measurements.models import Measurement, RawFile

    RawFile.objects.update(reader="an_old_one", reader_version=77)
    assert len(recording(Measurement.objects.get())) == 71
    raw = RawFile.objects.get()
    assert (raw.reader, raw.reader_version) != ("an_old_one", 77)


@pytest.mark.django_db
def test_a_table_whose_bytes_are_gone_says_so(own_store):
    measurement = builders.measurement()
    with pytest.raises(StoreDamaged, match="is missing from the store"):
        recording(measurement)
    measurement.files.all().delete()
    with pytest.raises(StoreError, match=f"{measurement.code} has no file"):
        recording(measurement)


@pytest.mark.django_db
def test_some_rows_and_columns_of_a_table(own_store):
    from measurements.models import Measurement
    from measurements.store import rows_of

    spine.taken_in((f"{spine.cell().code}_25C.csv", spine.spectrum()))
    measurement = Measurement.objects.get()
    whole = recording(measurement)
    part, count = rows_of(measurement, 60, 20)
    assert count == 71
    assert part.equals(whole.iloc[60:].reset_index(drop=True))
    some = recording(measurement, lambda names: ([name for name in names if name.startswith("z_")], {}))
    assert some.equals(whole[["z_real_ohm", "z_imag_ohm"]])
