"""The throw-away servers themselves: they answer, restart, crash, keep or lose, and leave nothing behind."""

import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psycopg
import pytest
import redis as client

from tests import programs
from tests.programs import ServerError
from tests.servers import Given, Postgres, Redis, postgres, redis


def rows(server: Postgres | Given) -> list[int]:
    with psycopg.connect(server.url) as connection:
        return [row[0] for row in connection.execute("SELECT n FROM kept ORDER BY n")]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.live
def test_both_answer_and_leave_nothing_behind() -> None:
    with postgres(own=True) as database, redis(own=True) as broker:
        assert isinstance(database, Postgres)
        assert isinstance(broker, Redis)
        with psycopg.connect(database.url) as connection:
            assert connection.execute("SELECT 1 + 1").fetchone() == (2,)
        with client.Redis.from_url(broker.url) as connection:
            assert connection.ping()
        pids, folders = [database.pid, broker.pid], [database.folder, broker.folder]
    assert not any(pid and is_alive(pid) for pid in pids)
    assert not any(folder.exists() for folder in folders)


@pytest.mark.live
def test_strangers_are_refused() -> None:
    with postgres(own=True) as database, redis(own=True) as broker:
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(database.url.replace(database.password, "wrong"))
        stranger = client.Redis.from_url(broker.url.replace(broker.password, "wrong"))
        with stranger, pytest.raises(client.AuthenticationError):
            stranger.ping()


@pytest.mark.live
def test_a_given_server_is_used_and_never_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAGPDB_TEST_REDIS_URL", "redis://127.0.0.1:1/0")
    with redis() as broker:
        assert broker.url == "redis://127.0.0.1:1/0"
        with pytest.raises(ServerError, match="given"):
            broker.kill()
    with redis(own=True) as broker:
        assert broker.pid


@pytest.mark.live
@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_servers_end_with_the_process_that_started_them(end: str) -> None:
    program = textwrap.dedent("""
        import os, signal, sys, time
        from tests.servers import postgres, redis
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
        with postgres(own=True) as database, redis(own=True) as broker:
            print(database.pid, broker.pid, database.folder, broker.folder, flush=True)
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))
            time.sleep(30)
    """)
    child = subprocess.Popen(
        [sys.executable, "-c", program, end],
        cwd=programs.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout
    database, broker, *folders = child.stdout.readline().split()
    child.stdout.close()
    assert child.wait(20) != 0
    for _ in range(100):
        if not (is_alive(int(database)) or is_alive(int(broker))):
            break
        time.sleep(0.1)
    assert not is_alive(int(database))
    assert not is_alive(int(broker))
    for folder in map(Path, folders):
        if end == "SIGKILL":  # nobody was left to tidy up
            shutil.rmtree(folder, ignore_errors=True)
        assert not folder.exists()


@pytest.mark.live
def test_a_program_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for attempt in ("_from_debian", "_from_wheel"):
        monkeypatch.setattr(programs, attempt, lambda what: (None, "not allowed here"))
    monkeypatch.setattr(programs, "_installed", lambda what: None)
    monkeypatch.delenv("LAGPDB_TEST_CHROMIUM", raising=False)
    with pytest.raises(ServerError, match="Redis is missing"):
        programs.find("redis-server")
    with pytest.raises(ServerError, match="PostgreSQL is missing"), postgres(own=True):
        pass
    monkeypatch.setenv("LAGPDB_TEST_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(ServerError, match="/nowhere/chromium"):
        programs.chromium_path()


@pytest.mark.faults
def test_a_durable_database_keeps_what_was_committed_over_a_crash() -> None:
    with postgres(durable=True) as database:
        with psycopg.connect(database.url) as connection:
            connection.execute("CREATE TABLE kept (n integer)")
            connection.execute("INSERT INTO kept VALUES (1), (2)")
        first = database.pid
        database.kill()
        assert database.pid is None
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(database.url)
        database.start()
        assert database.pid not in (None, first)
        assert rows(database) == [1, 2]
        database.restart()
        assert rows(database) == [1, 2]


@pytest.mark.faults
@pytest.mark.parametrize(("appendonly", "kept"), [(False, None), (True, b"1")])
def test_only_an_append_only_queue_survives_a_crash(appendonly: bool, kept: bytes | None) -> None:
    with redis(appendonly=appendonly, own=True) as broker, client.Redis.from_url(broker.url) as connection:
        connection.set("n", 1)
        if appendonly:
            time.sleep(1.2)  # everysec
        broker.kill()
        with pytest.raises(client.ConnectionError):
            connection.get("n")
        broker.start()
        assert connection.get("n") == kept


@pytest.mark.faults
def test_a_frozen_server_hangs_and_comes_back() -> None:
    with redis(own=True) as broker, client.Redis.from_url(broker.url, socket_timeout=0.3, retry=None) as connection:
        connection.ping()
        broker.freeze()
        with pytest.raises(client.TimeoutError):
            connection.ping()
        broker.thaw()
        assert connection.ping()


@pytest.mark.browser
def test_chromium_draws_a_page(tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    command = [programs.chromium_path(), "--headless", "--disable-gpu", "--disable-dev-shm-usage"]
    command += ["--no-sandbox"] if os.geteuid() == 0 else []
    command += [f"--user-data-dir={tmp_path}", f"--screenshot={picture}", "data:text/html,<h1>LAGP</h1>"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert picture.read_bytes().startswith(b"\x89PNG")
