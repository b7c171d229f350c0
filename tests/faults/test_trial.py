"""The site of one command: `manage.py serve` on SQLite, its worker beside it. Poison, disks, clients, kills."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.site import Ground, Process, Site, command_of, send

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
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
        site.until(lambda: incoming(site), "the first bytes to lie in the store")
    site.until(lambda: not incoming(site), "the store to forget them", 10)
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
        site.until(lambda: state_of(site, "aborts.csv")[0] == "checking", "the file to be read")
        time.sleep(0.3)
        (child,) = serve.below("measurements.fence")
        send(signal.SIGABRT, child)
        site.until(lambda: state_of(site, "aborts.csv")[0] == "failed", "the file to fail", 10)
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


def test_hostile_files_cost_themselves_alone(sqlite_ground: Ground, tmp_path: Path) -> None:
    settings = {"FENCE_TIMEOUT_S": "3", "FENCE_MEMORY_MB": "1000"}
    with Site(*sqlite_ground.copy(tmp_path), hostile=True, **settings) as site:
        for poison in ("abort", "memory", "exit", "loop"):
            site.ask("upload", count=2)
            site.ask("upload", name=f"{{cell}}_{poison}.csv")
        site.work()
        found = site.settle(failed=4)
        assert (found["done"], found["most_attempts"]) == (8, 1)
        said = {name.rpartition("_")[2]: text for name, text in site.ask("messages").items() if text}
    assert "(signal 6)" in said["abort.csv"]
    assert "needs more memory" in said["memory.csv"]
    assert "took longer than 3 s" in said["loop.csv"]
    assert all("The file is safe" in text for text in said.values())


def test_killed_worker_leaves_no_reader_behind(sqlite_ground: Ground, tmp_path: Path) -> None:
    with Site(*sqlite_ground.copy(tmp_path), hostile=True) as site:
        worker = Process(site.work())
        site.ask("upload", name="{cell}_slow.csv")
        site.until(lambda: "checking" in site.ask("states"), "reading to begin")
        (reader,) = worker.below("measurements.fence")
        send(signal.SIGKILL, worker.pid)
        worker.popen.wait()
        site.until(lambda: not command_of(reader), "the reader to end", 5)
        site.work()
        assert site.settle()["done"] == 1


# -- kills -------------------------------------------------------------------------------------------------------------
def test_worker_of_serve_is_killed_in_the_middle(site: Site, serve: Process) -> None:
    before = site.ask("check")
    site.send(20)
    caught = site.catch(lambda: serve.below("manage.py work"))
    send(signal.SIGKILL, caught)
    site.until(lambda: set(serve.below("manage.py work")) - {caught}, "serve to start it again", 10)
    found = site.settle(failed=before["failed"])
    assert found["measurements"] == before["measurements"] + 20


def test_run_that_kills_every_worker_is_given_up(sqlite_ground: Ground, tmp_path: Path) -> None:
    with Site(*sqlite_ground.copy(tmp_path)) as site:
        site.ask("upload")
        for _ in range(3):
            worker = Process(site.work())
            site.catch(lambda pid=worker.pid: [pid])
            worker.kill()
        site.work()
        found = site.settle(failed=1)
        assert (found["sigma"], found["again"]) == (0, 1)
        (sentence,) = site.ask("messages").values()
    assert "begun 3 times" in sentence


def test_serve_ends_in_time_and_goes_on_after_a_new_start(site: Site, serve: Process) -> None:
    before = site.ask("check")
    site.send(20)
    site.until(lambda: site.ask("in_work"), "the work to begin")
    assert serve.end() < 10
    assert site.ask("unfinished")["files"] > 0
    site.serve()
    found = site.settle(failed=before["failed"])
    assert found["measurements"] == before["measurements"] + 20


# -- a full disk -------------------------------------------------------------------------------------------------------
class SmallDisk:
    """A disk of 32 MB for the store; where none may be mounted, a limit on the files that the site writes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._filler = folder / "filler"
        command = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
        self.is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def fill(self, serve: Process) -> None:
        """Leave 1 MB."""
        if self.is_mounted:
            self._filler.write_bytes(b"0" * (shutil.disk_usage(self.folder).free - MB))
        else:
            self._limit(serve, 6 * MB)

    def empty(self, serve: Process) -> None:
        """The end of `fill`."""
        self._filler.unlink(missing_ok=True)
        if not self.is_mounted:
            self._limit(serve, resource.RLIM_INFINITY)

    @staticmethod
    def _limit(serve: Process, size_bytes: int) -> None:
        for pid in serve.below("granian"):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))

    def close(self) -> None:
        """Take it away."""
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk in the place of the store's folder."""
    made = SmallDisk(tmp_path / "raw")
    yield made
    made.close()


def test_full_disk_refuses_and_keeps_nothing_half_written(
    sqlite_ground: Ground, tmp_path: Path, disk: SmallDisk
) -> None:
    sentence = "The store is full."
    with Site(*sqlite_ground.copy(tmp_path)) as site:
        serve = site.serve()
        first, second, third = site.spectra(3)
        if disk.is_mounted:
            too_large = site.post(("large.csv", huge(20)))
            assert too_large.status_code == 507
            assert sentence in too_large.text

        # Room when it begins, none when it goes on: alone it is refused, with a neighbour it is a row that says so.
        for files, status in ((), 507), ((first,), 201):
            assert site.ask("files") == []
            with SlowUpload(site, *files, ("large.csv", huge(12))) as upload:
                upload.send(up_to=5 * MB)
                site.until(lambda: sum(incoming(site).values()) > 4 * MB, "the first piece to lie in the store")
                disk.fill(serve)
                upload.send()
                code, answer = upload.answer()
            assert (code, incoming(site)) == (status, {}), answer
            disk.empty(serve)
        site.settle(failed=1)
        assert state_of(site, first[0])[0] == "done"
        state, said = state_of(site, "large.csv")
        assert state == "failed"
        assert sentence in said

        assert site.post(second, third).status_code == 201
        assert site.settle(failed=1)["done"] == 3
