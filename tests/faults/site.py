"""A whole site for tests that hurt it: an installation looked at from outside and inside.

    with Site(*ground.copy(folder)) as site:
        serve = site.serve()
        site.post(("a.csv", content))
        site.settle()

Processes are ended by their own id, and end with this one. Start them from the main thread.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from tests.installation import HOSTILE, ROOT, Installation, answers, descendants
from tests.servers import _free_port
from tests.spine import spectrum

# Short, so that a lost worker is noticed within seconds.
QUICK = {"LEASE_S": "3", "SWEEP_S": "1", "RING_AGAIN_S": "1"}
TEMPERATURES = (25, 40, 60, 80)
MORE, MORE_FROM = 20, 8  # spectra that are sent when fewer than that are left
_seeds = count(1)


# -- processes ---------------------------------------------------------------------------------------------------------
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

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self.popen = popen
        self.pid = popen.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    def below(self, word: str) -> list[int]:
        """Processes it started whose command line has the word."""
        return [pid for pid in descendants(self.pid) if word in command_of(pid)]

    def pool(self) -> list[int]:
        """The pool processes of a Celery worker."""
        return [pid for pid in descendants(self.pid) if "measurements.fence" not in command_of(pid)]

    def end(self, patience_s: float = 15.0) -> float:
        """End it in good order; returns how long that took [s]."""
        began = time.monotonic()
        self.popen.terminate()
        self.popen.wait(patience_s)
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL to it and to everything it started, at once."""
        send(signal.SIGKILL, self.pid, *descendants(self.pid))
        self.popen.wait()


# -- what every site begins with ---------------------------------------------------------------------------------------
class Ground:
    """A data folder and a database that are set up once and copied for each site."""

    def __init__(self, folder: Path, server_url: str = "", static: Path | None = None) -> None:
        self.folder = folder
        self.static = static or folder / "static"
        self.server_url = server_url
        self._made: list[str] = []
        self._url = self._database() if server_url else ""
        folder.mkdir(parents=True, exist_ok=True)
        with Site(folder, self._url) as site:
            site.manage("migrate", "--verbosity", "0")
            if static is None:
                code = "from lagpdb.management.commands.serve import collect_static as collect; collect()"
                site.manage("shell", "--no-imports", "--command", code)

    def __enter__(self) -> Ground:
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._made:
            self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def copy(self, folder: Path) -> tuple[Path, str]:
        """Folder and database address of a new site."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "static").symlink_to(self.static)
        if self.server_url:
            return folder, self._database(template=self._made[0])
        shutil.copy(self.folder / "lagpdb.sqlite3", folder)
        return folder, ""

    def _database(self, template: str = "template1") -> str:
        name = f"site_{os.getpid()}_{len(self._made)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        self._made.append(name)
        return self.server_url.rpartition("/")[0] + f"/{name}"

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            connection.execute(statement)


# -- the site ----------------------------------------------------------------------------------------------------------
class Site(Installation):
    """One installation: data folder, database, optional broker, and the processes started for it.

    With `hostile`, files misbehave in the fence as their names say (tests/hostile).
    """

    def __init__(
        self, folder: Path, database_url: str = "", redis_url: str = "", hostile: bool = False, **settings: str
    ) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "PORT": str(self.port)}
        variables = {f"LAGPDB_{name}": value for name, value in (QUICK | own | settings).items()}
        if hostile:
            variables["PYTHONPATH"] = f"{HOSTILE}{os.pathsep}{ROOT}"
        super().__init__(folder, **variables)
        self.sent = 0  # spectra
        self._token = ""
        self._caught: set[tuple[int, int]] = set()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serve(self) -> Process:  # type: ignore[override]
        """``manage.py serve``, answering; without a broker it has its worker beside it."""
        process = Process(self.start(sys.executable, "manage.py", "serve", "--port", str(self.port)))
        self.until(lambda: self.is_live() or not process.runs, "the site to answer", 40)
        assert process.runs, self.log()
        return process

    def worker(self, name: str = "one") -> Process:
        """A Celery worker with two pool processes."""
        options = ["--concurrency", "2", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        command = [sys.executable, "-m", "celery", "-A", "lagpdb.celery", "worker", *options]
        return Process(self.start(*command, "--hostname", f"{name}@%h"))

    # -- from outside --------------------------------------------------------------------------------------------------
    @property
    def token(self) -> str:
        """An API token."""
        self._token = self._token or self.ask("token")
        return self._token

    def is_live(self) -> bool:
        """Whether the site answers."""
        return answers(f"{self.url}/health/live", timeout_s=5)

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
        assert answer.ok, (answer.status_code, self.log())
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
        assert all(answers), f"{answers.count(False)} of {len(answers)} questions were not answered. {self.log()}"

    # -- from inside ---------------------------------------------------------------------------------------------------
    def send(self, number: int, cells: int = 2) -> None:
        """Receive that many spectra of new cells, as an upload does."""
        self.ask("upload", count=number, cells=cells)
        self.sent += number

    def spectra(self, number: int) -> list[tuple[str, bytes]]:
        """Files of a new cell, for `post`."""
        cell, seed = self.ask("cell"), next(_seeds) * 1000
        heat = [TEMPERATURES[n % len(TEMPERATURES)] for n in range(number)]
        return [(f"{cell}_{t}C_{n}.csv", spectrum(t, seed=seed + n)) for n, t in enumerate(heat)]

    def is_settled(self) -> bool:
        """Whether no job and no file waits for anything."""
        return not any(self.ask("unfinished").values())

    def settle(self, seconds: float = 40.0, failed: int = 0) -> dict[str, Any]:
        """Wait until all work is done, and check what must hold then; returns counts, and how many files are done."""
        self.until(self.is_settled, "all work to end", seconds)
        found = self.ask("check") | {"done": self.ask("states").get("done", 0)}
        assert found["failed"] == failed, f"{found} {self.ask('messages')}\n{self.log()}"
        return dict(found)

    # -- to catch a worker in the act ----------------------------------------------------------------------------------
    def catch(self, pool: Callable[[], list[int]], seconds: float = 30.0) -> int:
        """Freeze a process that has a run in hand, in the middle of it; returns its id."""
        return self._freeze(pool, self._in_hand, seconds)

    def catch_in_transaction(self, pool: Callable[[], list[int]], seconds: float = 30.0) -> int:
        """Freeze a process in the middle of a transaction of PostgreSQL; returns its id.

        While one is frozen the others go on: where they have ended all, they get more.
        """

        def is_within() -> bool:
            time.sleep(0.3)  # nobody else is idle in a transaction for so long
            if self.ask("idle_transactions", longer_than_s=0.25):
                return True
            if self.ask("states").get("done", 0) + MORE_FROM > self.sent:
                self.send(MORE)
            return False

        return self._freeze(pool, is_within, seconds)

    def _freeze(self, pool: Callable[[], list[int]], is_caught: Callable[[], bool], seconds: float) -> int:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for pid in pool():
                send(signal.SIGSTOP, pid)
                if is_caught():
                    return pid
                send(signal.SIGCONT, pid)
                time.sleep(random.uniform(0.002, 0.02))
        pytest.fail(f"No process was caught in the act: {self.ask('states')}\n{self.log()}")

    def _in_hand(self) -> bool:
        """Whether the process that was just frozen has a run: one that stays in work while others end theirs.

        Where nobody else has anything left to end, a run that stays for longer than any fit takes is the frozen one's.
        """
        ended, held = self.ask("succeeded"), self._in_work()
        until = time.monotonic() + 1.5
        while held and time.monotonic() < until:
            time.sleep(0.05)
            others_went_on = self.ask("succeeded") > ended
            held &= self._in_work()
            if others_went_on:
                break
        self._caught |= held
        return bool(held)

    def _in_work(self) -> set[tuple[int, int]]:
        """Runs in hand with their claims, without those of processes that were caught before."""
        return {(pk, claim) for pk, claim in self.ask("in_work")} - self._caught
