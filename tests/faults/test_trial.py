"""The site of one command: `manage.py serve` on SQLite, its worker beside it. Poison, disks, clients, kills."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.site import Ground, Process, Site, send

pytestmark = pytest.mark.faults
MB = 1_000_000
BOUNDARY = "a-boundary-that-no-file-contains"


@pytest.fixture(scope="module")
def site(sqlite_ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for the whole module: what one test did to it must not be felt by the next. A file gets 1 GB."""
    with Site(*sqlite_ground.copy(tmp_path_factory.mktemp("trial")), FENCE_MEMORY_MB="1000") as made:
        yield made


@pytest.fixture(scope="module")
def serve(site: Site) -> Process:
    """The supervisor of that site."""
    return site.serve()


def state_of(site: Site, name: str) -> tuple[str, str]:
    """State and sentence of the newest file with this name."""
    found = [file for file in site.ask("files") if file["name"] == name]
    return (found[-1]["state"], found[-1]["message"]) if found else ("", "")


def incoming(site: Site) -> dict[str, int]:
    """Files that are half in the store, with their sizes."""
    return {path.name: path.stat().st_size for path in (site.folder / "raw" / "incoming").glob("*")}


def huge(megabytes: int) -> bytes:
    """A spectrum with far too many points: ten thousand of them, again and again."""
    lines = [f"{10 ** (6 - 7 * n / 10_000):.9g},{100 + n % 97:.6f},{-(n % 89) - 1:.6f}\n" for n in range(10_000)]
    block = "".join(lines).encode()
    return b"frequency_Hz,z_real_ohm,z_imag_ohm\n" + block * (megabytes * MB // len(block))


# -- clients -----------------------------------------------------------------------------------------------------------
class SlowUpload:
    """An upload whose body is sent piece by piece over a socket. The site hands it on in pieces of 4 MB."""

    def __init__(self, site: Site, *files: tuple[str, bytes]) -> None:
        parts = []
        for name, content in files:
            head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
            parts.append(head.encode() + content + b"\r\n")
        self.body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
        self.socket = socket.create_connection(("127.0.0.1", site.port), timeout=30)
        head = (
            f"POST /api/v1/uploads/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Token {site.token}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(self.body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        self.socket.sendall(head.encode())

    def __enter__(self) -> SlowUpload:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, up_to: int | None = None) -> None:
        """Send what is left, or up to that byte of the body."""
        until = len(self.body) if up_to is None else up_to
        self.socket.sendall(self.body[:until])
        self.body = self.body[until:]

    def answer(self) -> tuple[int, dict]:
        """Status and JSON of the answer."""
        received = b""
        while chunk := self.socket.recv(65536):
            received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])


def test_client_that_leaves_in_the_middle_of_a_body_leaves_nothing(site: Site, serve: Process) -> None:
    before = site.ask("files")
    with SlowUpload(site, ("left.csv", huge(12))) as upload:
        upload.send(up_to=8 * MB)
        site.wait(lambda: incoming(site), "the first bytes are on their way into the store")
    site.wait(lambda: not incoming(site), "the store forgets them", 10)
    assert site.ask("files") == before
    site.settle()


def test_same_file_twice_at_once_is_one_measurement(site: Site, serve: Process) -> None:
    files = site.spectra(1)
    barrier, answers = threading.Barrier(4), []

    def upload() -> None:
        barrier.wait()
        answers.append(site.post(*files).status_code)

    threads = [threading.Thread(target=upload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 4
    site.settle()
    states = sorted(file["state"] for file in site.ask("files") if file["name"] == files[0][0])
    assert states == ["done", "duplicate", "duplicate", "duplicate"]


# -- poison ------------------------------------------------------------------------------------------------------------
def test_parser_that_aborts_costs_one_file(site: Site, serve: Process) -> None:
    neighbours = site.spectra(4)
    with site.stays_live():
        assert site.post(("aborts.csv", huge(40)), *neighbours).status_code == 201
        site.wait(lambda: state_of(site, "aborts.csv")[0] == "checking", "the file is being read")
        time.sleep(0.3)
        (child,) = serve.below("measurements.fence")
        send(signal.SIGABRT, child)
        site.wait(lambda: state_of(site, "aborts.csv")[0] == "failed", "the file has failed", 10)
        site.settle(failed=1)
    assert "broke the program that reads it (signal 6)" in state_of(site, "aborts.csv")[1]
    assert {state_of(site, name)[0] for name, _ in neighbours} == {"done"}


def test_file_that_eats_memory_costs_one_file(site: Site, serve: Process) -> None:
    neighbours = site.spectra(4)
    before = site.ask("check")["failed"]
    (worker,) = serve.below("manage.py work")
    with site.stays_live():
        assert site.post(*neighbours[:2], ("eats.csv", huge(190)), *neighbours[2:]).status_code == 201
        site.settle(failed=before + 1)
    assert "needs more memory than one file may take" in state_of(site, "eats.csv")[1]
    assert {state_of(site, name)[0] for name, _ in neighbours} == {"done"}
    assert serve.below("manage.py work") == [worker]


# -- kills -------------------------------------------------------------------------------------------------------------
def test_worker_of_serve_is_killed_in_the_middle(site: Site, serve: Process) -> None:
    before = site.ask("check")
    site.send(20)
    caught = site.catch(lambda: serve.below("manage.py work"))
    send(signal.SIGKILL, caught)
    site.wait(lambda: set(serve.below("manage.py work")) - {caught}, "serve starts it again", 10)
    found = site.settle(failed=before["failed"])
    assert found["measurements"] == before["measurements"] + 20


def test_serve_ends_in_time_and_goes_on_after_a_new_start(site: Site, serve: Process) -> None:
    before = site.ask("check")
    site.send(20)
    site.wait(lambda: site.ask("in_work"), "the work has begun")
    assert serve.end() < 10
    assert site.ask("look")["files"] > 0
    site.serve()
    found = site.settle(failed=before["failed"])
    assert found["measurements"] == before["measurements"] + 20


# -- a full disk -------------------------------------------------------------------------------------------------------
@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of 32 MB in place of the folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small(sqlite_ground: Ground, tmp_path: Path) -> Iterator[Site]:
    """A site whose store has 32 MB."""
    folder, url = sqlite_ground.copy(tmp_path)
    raw = folder / "raw"
    raw.mkdir()
    with Site(folder, url) as made, small_disk(raw):
        yield made


def test_full_disk_refuses_and_keeps_nothing_half_written(small: Site) -> None:
    small.serve()
    sentence = "The store is full."
    filler = small.folder / "raw" / "filler"
    first, second, third = small.spectra(3)

    too_large = small.post(("large.csv", huge(20)))
    assert too_large.status_code == 507
    assert sentence in too_large.text
    assert small.ask("files") == []

    # Room when it begins, none when it goes on.
    for files, status in ((), 507), ((first,), 201):
        with SlowUpload(small, *files, ("large.csv", huge(12))) as upload:
            upload.send(up_to=5 * MB)
            small.wait(lambda: sum(incoming(small).values()) > 4 * MB, "the first piece lies in the store")
            filler.write_bytes(b"0" * (shutil.disk_usage(filler.parent).free - MB))
            upload.send()
            code, answer = upload.answer()
        assert (code, incoming(small)) == (status, {}), answer
        filler.unlink()
    small.settle(failed=1)
    assert state_of(small, first[0])[0] == "done"
    assert state_of(small, "large.csv")[0] == "failed"
    assert sentence in state_of(small, "large.csv")[1]

    assert small.post(second, third).status_code == 201
    assert small.settle(failed=1)["files"] == {"done": 3, "failed": 1}
