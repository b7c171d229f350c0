"""A whole site for tests that hurt it: its own folder, database and processes, and a helper inside that looks at it.

    with Site(ground.copy(folder)) as site:
        serve = site.serve()
        site.post(("a.csv", content))
        site.settle()

Processes are ended by their own id, and end with this one. Start them from the main thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from tests.spine import spectrum

ROOT = Path(__file__).resolve().parent.parent.parent
# Short, so that a lost worker is noticed within seconds.
QUICK = {"LEASE_S": "3", "SWEEP_S": "1", "RING_AGAIN_S": "1"}
TEMPERATURES = (25, 40, 60, 80)
_kernel = ctypes.CDLL(None, use_errno=True)
_seeds = count(1)


class Away(Exception):
    """The database did not answer the helper."""


# -- processes ---------------------------------------------------------------------------------------------------------
def children(pid: int) -> list[int]:
    """Process ids of the direct children."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in task.read_text().split()]
    return found


def family(pid: int) -> list[int]:
    """A process and everything it started, whoever runs in a session of its own included."""
    return [pid] + [each for child in children(pid) for each in family(child)]


def command_of(pid: int) -> str:
    """Command line of a process; empty when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def send(number: signal.Signals, *pids: int) -> None:
    """Signal processes, those that are gone left out."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Process:
    """A process of the site, with all it starts."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path, **more: Any) -> None:
        with log.open("ab") as stream:
            self.popen = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stderr=stream,
                start_new_session=True,
                preexec_fn=lambda: _kernel.prctl(1, signal.SIGTERM),  # PR_SET_PDEATHSIG: ends with the tests
                **{"stdin": subprocess.DEVNULL, "stdout": stream} | more,
            )
        self.pid = self.popen.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    def below(self, word: str) -> list[int]:
        """Processes it started whose command line has the word."""
        return [pid for pid in family(self.pid)[1:] if word in command_of(pid)]

    def pool(self) -> list[int]:
        """The pool processes of a Celery worker."""
        return [pid for pid in children(self.pid) if "measurements.fence" not in command_of(pid)]

    def end(self, patience_s: float = 15.0) -> float:
        """End it in good order; returns how long that took [s]."""
        began = time.monotonic()
        self.popen.terminate()
        self.popen.wait(patience_s)
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL to it and to everything it started, at once."""
        send(signal.SIGKILL, *family(self.pid))
        self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream:
                stream.close()


# -- what every site begins with ---------------------------------------------------------------------------------------
class Ground:
    """A data folder and a database that are set up once and copied for each site."""

    def __init__(self, folder: Path, server_url: str = "") -> None:
        self.folder = folder
        self.server_url = server_url
        self._made: list[str] = []
        self._url = self._database() if server_url else ""
        folder.mkdir(parents=True, exist_ok=True)
        with Site(folder, self._url) as site:
            site.ask("set_up")

    def __enter__(self) -> Ground:
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._made:
            self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def copy(self, folder: Path) -> tuple[Path, str]:
        """Folder and database address of a new site."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "static").symlink_to(self.folder / "static")
        if self.server_url:
            return folder, self._database(template=self._made[0])
        shutil.copy(self.folder / "lagpdb.sqlite3", folder)
        return folder, ""

    def _database(self, template: str = "template1") -> str:
        name = f"site_{os.getpid()}_{len(self._made)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        self._made.append(name)
        return urlsplit(self.server_url)._replace(path=f"/{name}").geturl()

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            connection.execute(statement)


# -- the site ----------------------------------------------------------------------------------------------------------
class Site:
    """One installation: data folder, database, optional broker, and the processes started for it."""

    def __init__(self, folder: Path, database_url: str = "", redis_url: str = "", **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("LAGPDB_")}
        own = {"DATA_DIR": str(folder), "DATABASE_URL": database_url, "REDIS_URL": redis_url, "PORT": str(self.port)}
        self.environment |= {f"LAGPDB_{name}": value for name, value in (QUICK | own | settings).items() if value}
        self.environment |= {"DJANGO_SETTINGS_MODULE": "lagpdb.settings", "PYTHONUNBUFFERED": "1"}
        self.log = folder / "log"
        self.processes: list[Process] = []
        self._helper: Process | None = None
        self._token = ""

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.processes, *([self._helper] if self._helper else [])]:
            process.kill()

    def start(self, *arguments: str, **more: Any) -> Process:
        """Start `python` with these arguments in the environment of the site."""
        process = Process([sys.executable, *arguments], self.environment, self.log, **more)
        self.processes.append(process)
        return process

    def serve(self) -> Process:
        """``manage.py serve``, answering; without a broker it has its worker beside it."""
        process = self.start("manage.py", "serve", "--port", str(self.port))
        self.wait(lambda: self.is_live() or not process.runs, "the site answers", 30)
        assert process.runs, self.tail()
        return process

    def worker(self, name: str = "one") -> Process:
        """A Celery worker with two pool processes."""
        options = [
            "--concurrency",
            "2",
            "--loglevel",
            "WARNING",
            "--without-gossip",
            "--without-mingle",
            "-n",
            f"{name}@%h",
        ]
        return self.start("-m", "celery", "-A", "lagpdb.celery", "worker", *options)

    def beat(self) -> Process:
        """Celery's clock, which has the sweep done."""
        schedule = str(self.folder / "beat")
        return self.start("-m", "celery", "-A", "lagpdb.celery", "beat", "--schedule", schedule, "--pidfile", "")

    # -- from outside --------------------------------------------------------------------------------------------------
    @property
    def token(self) -> str:
        """An API token."""
        self._token = self._token or self.ask("token")
        return self._token

    def is_live(self) -> bool:
        """Whether the site answers."""
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/health/live", timeout=5).ok
        return False

    def get(self, path: str) -> requests.Response:
        """Ask the API."""
        return requests.get(self.url + path, headers={"Authorization": f"Token {self.token}"}, timeout=30)

    def post(self, *files: tuple[str, bytes]) -> requests.Response:
        """Upload files through the API."""
        return requests.post(
            f"{self.url}/api/v1/uploads/",
            headers={"Authorization": f"Token {self.token}"},
            files=[("files", file) for file in files],
            timeout=60,
        )

    def sign_in(self) -> requests.Session:
        """A browser's session of somebody who signed in on the page."""
        name, password = self.ask("person")
        session = requests.Session()
        session.get(f"{self.url}/login/", timeout=10)
        session.headers["Referer"] = self.url
        form = {"login": name, "password": password, "csrfmiddlewaretoken": session.cookies["lagpdb_csrftoken"]}
        answer = session.post(f"{self.url}/login/", data=form, timeout=10)
        assert answer.ok, (answer.status_code, self.tail())
        assert "lagpdb_sessionid" in session.cookies, answer.text
        return session

    def post_on_page(self, session: requests.Session, *files: tuple[str, bytes]) -> requests.Response:
        """Upload files as the page does."""
        return session.post(
            f"{self.url}/upload/",
            data={"csrfmiddlewaretoken": session.cookies["lagpdb_csrftoken"]},
            files=[("files", file) for file in files],
            headers={"Accept": "application/json"},
            timeout=60,
        )

    @contextlib.contextmanager
    def stays_live(self) -> Iterator[None]:
        """While the body runs, /health/live answers all the time, each time within 5 s."""
        answers: list[bool] = []
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.05):
                answers.append(self.is_live())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        assert answers
        assert all(answers), f"{answers.count(False)} of {len(answers)} questions were not answered. {self.tail()}"

    # -- from inside ---------------------------------------------------------------------------------------------------
    def ask(self, name: str, **arguments: Any) -> Any:
        """What the function of tests.faults.inside says.

        Raises
        ------
        Away
            The database did not answer.
        """
        if self._helper is None or not self._helper.runs:
            self._helper = Process(
                [sys.executable, "-m", "tests.faults.inside"],
                self.environment,
                self.log,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        pipes = self._helper.popen
        assert pipes.stdin
        assert pipes.stdout
        pipes.stdin.write(json.dumps([name, arguments]).encode() + b"\n")
        pipes.stdin.flush()
        line = pipes.stdout.readline()
        assert line, f"The helper ended. {self.tail()}"
        answer = json.loads(line)
        if "away" in answer:
            raise Away(answer["away"])
        assert "answer" in answer, f"{name}: {answer.get('broken')}"
        return answer["answer"]

    def send(self, number: int, cells: int = 2) -> list[int]:
        """Receive that many spectra of new cells, as an upload does; returns the keys of their rows."""
        return list(self.ask("receive", number=number, cells=cells, seed=next(_seeds) * 1000))

    def spectra(self, number: int) -> list[tuple[str, bytes]]:
        """Files of a new cell, for `post`."""
        (cell,) = self.ask("cells", number=1)
        seed = next(_seeds) * 1000
        heat = [TEMPERATURES[n % len(TEMPERATURES)] for n in range(number)]
        return [(f"{cell}_{t}C_{n}.csv", spectrum(t, seed=seed + n)) for n, t in enumerate(heat)]

    def wait(self, is_so: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
        """Look until it is so."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(Away):
                if found := is_so():
                    return found
            time.sleep(0.05)
        pytest.fail(f"Not within {seconds:g} s: {what}. {self._state()}\n{self.tail()}")

    def _state(self) -> Any:
        with contextlib.suppress(Away):
            return self.ask("look")
        return "The database does not answer."

    def tail(self, lines: int = 30) -> str:
        """The end of the log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def is_settled(self) -> bool:
        """Whether no job and no file waits for anything."""
        now = self.ask("look")
        return not now["jobs"] and not now["files"]

    def settle(self, seconds: float = 40.0, failed: int = 0) -> dict[str, Any]:
        """Wait until all work is done, and check what must hold then; returns the counts of `inside.check`."""
        self.wait(self.is_settled, "all work is done", seconds)
        found = dict(self.ask("check"))
        assert found["problems"] == [], "\n".join([*found["problems"], self.tail()])
        assert found["failed"] == failed, f"{found}\n{self.tail()}"
        return found

    # -- to catch a worker in the act ----------------------------------------------------------------------------------
    def catch(self, pool: Callable[[], list[int]], seconds: float = 30.0) -> int:
        """Freeze a process that has a run in hand, in the middle of it; returns its id.

        Whoever is frozen and not thawed is not the one that ends a fit within 0.2 s: a run that is still in work with
        the same claim belongs to the frozen process.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for pid in pool():
                send(signal.SIGSTOP, pid)
                held = {tuple(each) for each in self.ask("in_work")}
                if held:
                    time.sleep(0.2)
                    held &= {tuple(each) for each in self.ask("in_work")}
                if held:
                    return pid
                send(signal.SIGCONT, pid)
                time.sleep(random.uniform(0.002, 0.02))
        pytest.fail(f"No process was caught with a run in hand. {self._state()}\n{self.tail()}")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
