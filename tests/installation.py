"""A whole installation for tests and benchmarks: a data folder, a database, and real processes that end with the test.

    with installation() as site:                       # SQLite and the supervised worker
        site.work()
        site.ask("upload", count=3)
        site.wait("settled")

`ask` and `wait` speak with a process of the installation itself (tests/client.py), which uploads and looks as the web
server does; the test need not share its database.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.servers import _children, _free_port

ROOT = Path(__file__).resolve().parent.parent
HOSTILE = ROOT / "tests" / "hostile"
QUICK = {"LAGPDB_LEASE_S": "2", "LAGPDB_SWEEP_S": "0.5", "LAGPDB_RING_AGAIN_S": "1"}


_kernel = ctypes.CDLL(None, use_errno=True)


class Away(RuntimeError):
    """The database did not answer the client."""


class Client:
    """A process of the installation that does what it is asked, one line of JSON at a time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def ask(self, name: str, /, **arguments: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([name, arguments]).encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or b'{"error": "the client ended"}')
        if "away" in answer:
            raise Away(answer["away"])
        if "error" in answer:
            raise RuntimeError(f"{name}: {answer['error']}")
        return answer["value"]


class Installation:
    """Processes on one data folder and one database."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAGPDB_")}
        self.environment = {
            **kept,
            "DJANGO_SETTINGS_MODULE": "lagpdb.settings",
            "LAGPDB_DATA_DIR": str(folder),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            **variables,
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self._client: Client | None = None
        self._log = (folder / "log.txt").open("ab")

    # -- processes -----------------------------------------------------------------------------------------------------
    def start(self, *command: str | Path, **more: Any) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own; it ends with the installation."""
        variables = self.environment | more.pop("variables", {})
        options = {"stdout": self._log, "stderr": self._log, "stdin": subprocess.DEVNULL} | more
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=ROOT,
            env=variables,
            start_new_session=True,
            preexec_fn=lambda: _kernel.prctl(1, signal.SIGKILL),  # PR_SET_PDEATHSIG: ends with the tests
            **options,
        )
        self.processes.append(process)
        return process

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py to its end."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]}: {done.stdout}{done.stderr}")
        return done

    def work(self) -> subprocess.Popen[bytes]:
        """The worker that asks the database; returns when it listens."""
        before = self.bell_hung_at()
        process = self.start(sys.executable, "manage.py", "work")
        self.until(lambda: self.bell_hung_at() not in (None, before), "the worker to listen")
        return process

    def bell_hung_at(self) -> int | None:
        """When the worker began to listen [ns]; None while there is no bell. (The next one may get the same inode.)"""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "worker.sock").stat().st_ctime_ns
        return None

    def celery(self, concurrency: int = 2, **variables: str) -> subprocess.Popen[bytes]:
        """A Celery worker with its pool; returns when it consumes."""
        name = f"w{len(self.processes)}@tests"
        ready = self.folder / f"{name}.log"
        with ready.open("ab") as log:
            process = self.start(
                Path(sys.executable).parent / "celery", "-A", "lagpdb.celery", "worker", "--concurrency",
                str(concurrency), "--loglevel", "INFO", "--hostname", name, "--without-mingle",
                stdout=log, stderr=log, variables=variables,
            )  # fmt: skip
        self.until(lambda: b" ready." in ready.read_bytes(), "Celery to be ready", 30)
        return process

    def beat(self) -> subprocess.Popen[bytes]:
        """Celery's clock, which makes the sweep."""
        schedule = self.folder / "beat-schedule"
        celery = Path(sys.executable).parent / "celery"
        return self.start(celery, "-A", "lagpdb.celery", "beat", "--schedule", schedule, "--loglevel", "WARNING")

    def serve(self, *arguments: str, **variables: str) -> tuple[subprocess.Popen[bytes], str]:
        """The site; returns when it answers, with its address."""
        port = _free_port()
        address = f"http://127.0.0.1:{port}"
        variables = {"LAGPDB_PUBLIC_URL": address} | variables
        process = self.start(sys.executable, "manage.py", "serve", "--port", str(port), *arguments, variables=variables)
        self.until(lambda: process.poll() is not None or answers(f"{address}/health/live"), "the site to answer", 60)
        if process.poll() is not None:
            raise RuntimeError(f"serve ended with {process.returncode}: {self.log()}")
        return process, address

    # -- looking and waiting -------------------------------------------------------------------------------------------
    def ask(self, name: str, /, **arguments: Any) -> Any:
        """Let the installation's client do something; see tests/client.py."""
        if self._client is None:
            process = self.start(sys.executable, "-m", "tests.client", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._client = Client(process)
        return self._client.ask(name, **arguments)

    def wait(self, name: str, /, timeout_s: float = 40.0, **arguments: Any) -> float:
        """Ask until the answer is true; returns the seconds it took."""
        return self.until(lambda: self.ask(name, **arguments), name, timeout_s)

    def until(self, is_so: Any, what: str, timeout_s: float = 20.0) -> float:
        """Wait for something; fail with the log when it does not come."""
        started = time.monotonic()
        while time.monotonic() < started + timeout_s:
            with contextlib.suppress(Away):
                if is_so():
                    return time.monotonic() - started
            time.sleep(0.05)
        raise AssertionError(f"Waited {timeout_s:.0f} s in vain for {what}. The log ends:\n{self.log()}")

    def log(self) -> str:
        """The end of what the processes wrote."""
        texts = [
            path.read_text(errors="replace")[-3000:] for path in sorted(self.folder.glob("*log*")) if path.is_file()
        ]
        return "\n".join(texts)

    def close(self) -> None:
        """End every process that was started here, and its children."""
        for process in self.processes:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGCONT)
                for child in descendants(process.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
        self._log.close()


def descendants(pid: int) -> list[int]:
    """Children of a process, and theirs."""
    return [each for child in _children(pid) for each in (child, *descendants(child))]


def answers(url: str, timeout_s: float = 2.0) -> bool:
    """Whether a page answers with 200."""
    import urllib.request

    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=timeout_s) as response:
        return bool(response.status == 200)
    return False


@functools.cache
def _empty_sqlite() -> Path:
    """A migrated database to copy, made once per test run."""
    folder = Path(tempfile.mkdtemp(prefix="lagpdb-test-"))
    site = Installation(folder)
    site.manage("migrate", "--verbosity", "0")
    site.close()
    return folder / "lagpdb.sqlite3"


@contextlib.contextmanager
def installation(
    database_url: str = "", redis_url: str = "", hostile: bool = False, **variables: str
) -> Iterator[Installation]:
    """An installation with an empty, migrated database, with short leases; a PostgreSQL must be migrated already."""
    folder = Path(tempfile.mkdtemp(prefix="lagpdb-test-"))
    if not database_url:
        shutil.copy(_empty_sqlite(), folder / "lagpdb.sqlite3")
    settings = QUICK | {"LAGPDB_DATABASE_URL": database_url, "LAGPDB_REDIS_URL": redis_url}
    if hostile:
        settings["PYTHONPATH"] = f"{HOSTILE}{os.pathsep}{ROOT}"
    site = Installation(folder, **settings | variables)
    try:
        yield site
    finally:
        site.close()
        shutil.rmtree(folder, ignore_errors=True)
