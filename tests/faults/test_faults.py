"""Things that go wrong, done on purpose. After each: every file final, nothing counted twice, nothing left lying."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.installation import Installation, database_of_its_own, descendants, installation
from tests.servers import postgres, redis

pytestmark = [pytest.mark.faults, pytest.mark.timeout(110)]


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL that writes to disk as in earnest, with one migrated database to copy."""
    with postgres(durable=True, own=True) as server, database_of_its_own(server.url) as migrated:
        with installation(migrated) as site:
            site.manage("migrate", "--verbosity", "0")
        server.migrated = migrated.rpartition("/")[2]
        yield server


@pytest.fixture
def database(server):
    """The address of a fresh copy."""
    server.start()
    with database_of_its_own(server.url, template=server.migrated) as url:
        yield url
        server.start()


@pytest.fixture
def broker():
    """A Redis that forgets its queue when it is killed."""
    with redis(own=True) as broker:
        yield broker


@pytest.fixture
def site(database, broker):
    """An installation with broker; each test starts the workers that it needs."""
    with installation(database, broker.url) as site:
        yield site


@pytest.fixture
def small():
    """An installation on SQLite."""
    with installation() as site:
        yield site


def sound(site: Installation, count: int) -> dict[str, int]:
    """All files are done and all numbers are there, once."""
    found = site.ask("check")
    assert site.ask("states") == {"done": count}
    assert found["measurements"] == found["sigma"] == count
    return found


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pool_of(worker: subprocess.Popen) -> list[int]:
    """The pool processes of a Celery worker, without their own children."""
    return [pid for pid in descendants(worker.pid) if b"measurements.fence" not in cmdline(pid)]


def cmdline(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


# -- workers -----------------------------------------------------------------------------------------------------------
def test_a_pool_process_killed_in_the_middle_of_a_fit(site):
    worker = site.celery()
    site.beat()
    site.ask("upload", count=12, cells=3)
    assert site.ask("freeze_running", pids=pool_of(worker))
    kill(*pool_of(worker))
    site.wait("settled")
    sound(site, 12)
    assert site.ask("attempts") == 2


def test_the_whole_worker_killed_in_the_middle_of_a_fit(site):
    worker = site.celery()
    site.beat()
    site.ask("upload", count=12, cells=3)
    family = [worker.pid, *pool_of(worker)]
    assert site.ask("freeze_running", pids=family)
    kill(*family)
    site.celery()
    site.wait("settled")
    sound(site, 12)


def test_a_worker_that_hangs_longer_than_its_lease_writes_nothing_when_it_comes_back(site):
    frozen = site.celery()
    site.beat()
    site.ask("upload", count=4)
    family = pool_of(frozen)
    assert site.ask("freeze_running", pids=family)
    site.celery()
    site.wait("settled")
    before = sound(site, 4)
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    site.ask("upload", count=4)
    site.wait("settled")
    after = site.ask("check")
    assert (after["sigma"], after["succeeded"]) == (before["sigma"] + 4, before["succeeded"] + 5)


def test_the_supervised_worker_killed_in_the_middle_of_a_fit(small):
    worker = small.work()
    for _ in range(2):
        small.ask("upload", count=6)
        assert small.ask("freeze_running", pids=[worker.pid])
        kill(worker.pid)
        worker.wait()
        worker = small.work()
    small.wait("settled")
    sound(small, 12)


def test_a_run_that_kills_every_worker_is_given_up(small):
    small.ask("upload", count=2)
    for _ in range(3):
        worker = small.work()
        assert small.ask("freeze_running", pids=[worker.pid])
        kill(worker.pid)
        worker.wait()
    small.work()
    small.wait("settled")
    assert small.ask("states") == {"done": 2}
    found = small.ask("check")
    assert found["sigma"] in {1, 2}
    if found["sigma"] == 1:
        assert any("begun 3 times" in message for message in small.ask("messages").values())


def test_sigterm_with_work_under_way_loses_nothing(small):
    served, _ = small.serve()
    small.ask("upload", count=25, cells=5)
    small.until(lambda: small.ask("states").get("done", 0) >= 2, "the first files")
    served.send_signal(signal.SIGTERM)
    assert served.wait(timeout=10) == 0
    assert sum(small.ask("states").values()) == 25
    small.work()
    small.wait("settled")
    sound(small, 25)


# -- broker ------------------------------------------------------------------------------------------------------------
def test_redis_down_while_uploading(site, broker):
    site.celery()
    site.beat()
    site.ask("upload")
    site.wait("settled")
    broker.kill()
    assert site.ask("upload", count=10, cells=2) < 2.0
    assert site.ask("upload") < 2.0
    broker.start()
    assert site.wait("settled") < 30
    sound(site, 12)


def test_redis_killed_with_a_full_queue_it_did_not_keep(site, broker):
    site.ask("upload", count=20, cells=4)
    broker.kill()
    broker.start()
    site.celery()
    site.beat()
    site.wait("settled")
    sound(site, 20)


def test_redis_restarted_while_runs_go_on(site, broker):
    site.celery()
    site.beat()
    site.ask("upload", count=40, cells=8)
    site.until(lambda: site.ask("states").get("done", 0) >= 2, "the first files")
    broker.restart()
    site.wait("settled")
    sound(site, 40)


def test_redis_that_hangs_does_not_hang_an_upload(site, broker):
    site.ask("upload")
    broker.freeze()
    try:
        assert site.ask("upload", count=5) < 12.0
    finally:
        broker.thaw()
    site.celery()
    site.beat()
    site.wait("settled")
    sound(site, 6)


# -- database ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["restart", "crash"])
def test_postgresql_away_while_runs_go_on(site, server, how):
    site.celery()
    site.beat()
    site.ask("upload", count=40, cells=8)
    site.until(lambda: site.ask("states").get("done", 0) >= 2, "the first files")
    if how == "restart":
        server.restart()
    else:
        server.kill()
        server.start()
    site.wait("settled")
    sound(site, 40)
    site.ask("upload")
    site.wait("settled")
    sound(site, 41)


# -- files -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def hostile(database, broker):
    """An installation in whose fence files misbehave as their names say."""
    with installation(
        database, broker.url, hostile=True, LAGPDB_FENCE_TIMEOUT_S="3", LAGPDB_FENCE_MEMORY_MB="1024"
    ) as site:
        yield site


def test_poisoned_files_fail_and_their_neighbours_are_done(hostile):
    hostile.celery()
    hostile.beat()
    for poison in ("abort", "memory", "exit", "loop"):
        hostile.ask("upload", count=4, cells=2)
        hostile.ask("upload", name=f"{{cell}}_{poison}.csv")
    hostile.ask("upload", count=4, cells=2)
    hostile.wait("settled")
    assert hostile.ask("states") == {"done": 20, "failed": 4}
    found = hostile.ask("check")
    assert (found["sigma"], found["most_attempts"]) == (20, 1)
    messages = {name.rpartition("_")[2]: text for name, text in hostile.ask("messages").items() if text}
    assert "(signal 6)" in messages["abort.csv"]
    assert "needs more memory" in messages["memory.csv"]
    assert "took longer than 3 s" in messages["loop.csv"]
    assert all("The file is safe" in text for text in messages.values())


def test_a_worker_killed_while_it_reads_a_file_leaves_no_reader(hostile):
    worker = hostile.celery()
    hostile.beat()
    hostile.ask("upload", name="{cell}_slow.csv", count=2)
    hostile.until(lambda: "checking" in hostile.ask("states"), "reading to begin")
    family = descendants(worker.pid)
    readers = [pid for pid in family if b"measurements.fence" in cmdline(pid)]
    assert readers
    kill(worker.pid, *(pid for pid in family if pid not in readers))
    hostile.until(lambda: not any(cmdline(pid) for pid in readers), "the readers to end", 5)
    hostile.celery()
    hostile.wait("settled")
    sound(hostile, 2)


# -- disk --------------------------------------------------------------------------------------------------------------
def mounted(folder: Path, megabytes: int) -> bool:
    """Put a small file system there; False where that is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_disk_that_is_full(tmp_path):
    folder = tmp_path / "data"
    is_mounted = mounted(folder, 24)
    # Where no file system can be mounted, a limit on the size of each file stands in for the full disk.
    limits = {} if is_mounted else {"LAGPDB_TEST_FILE_LIMIT_MB": "8"}
    try:
        site = Installation(folder, LAGPDB_SWEEP_S="0.5", **limits)
        try:
            site.manage("migrate", "--verbosity", "0")
            sent = site.ask("upload_bytes", megabytes=[1, 12, 2])
            assert [file["status"] for file in sent] == [0, 507, 0]
            assert "The store is full. Nothing was lost" in sent[1]["refused"]
            assert site.ask("states") == {"received": 2, "failed": 1}
            site.work()
            site.wait("settled")
            assert site.ask("states") == {"failed": 3}
            site.ask("check")
            site.ask("upload")
            site.wait("settled")
            assert site.ask("states") == {"failed": 3, "done": 1}
        finally:
            site.close()
    finally:
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)
