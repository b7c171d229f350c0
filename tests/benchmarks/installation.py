"""A whole installation for a benchmark: servers, site and workers on this machine's loopback, ended afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests import servers  # noqa: E402


class Installation:
    """Environment, address and children of one running lagpdb."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment = environment
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *arguments: str) -> str:
        """Run a management command to its end."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a process that stays."""
        log = (self.folder / f"{name}.log").open("ab")
        self.children[name] = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        return self.children[name]

    def serve(self, workers: int = 1) -> None:
        """Start the site and wait for its first answer."""
        self.start("site", sys.executable, "manage.py", "serve", "--port", str(self.port), "--workers", str(workers))
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/health/live", timeout=1).close()
                return
            time.sleep(0.1)
        raise RuntimeError((self.folder / "site.log").read_text())

    def celery(self, concurrency: int = 2) -> None:
        """Start a Celery worker."""
        self.start(
            "celery",
            *(sys.executable, "-m", "celery", "-A", "lagpdb.celery", "worker"),
            *("--concurrency", str(concurrency), "--loglevel", "warning", "--without-gossip", "--without-mingle"),
        )

    def close(self) -> None:
        """End what was started."""
        for child in self.children.values():
            child.terminate()
        for child in self.children.values():
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextlib.contextmanager
def installation(*, is_full: bool) -> Iterator[Installation]:
    """PostgreSQL, Redis and Celery when `is_full`, else SQLite and the supervised worker; migrated, with a person."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lagpdb-bench-")))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAGPDB_")}
        environment = {**kept, "LAGPDB_DATA_DIR": str(folder)}
        if is_full:
            environment["LAGPDB_DATABASE_URL"] = stack.enter_context(servers.postgres(durable=True)).url
            environment["LAGPDB_REDIS_URL"] = stack.enter_context(servers.redis()).url
        environment["DJANGO_SUPERUSER_PASSWORD"] = "only for this benchmark"
        site = Installation(environment, folder)
        site.run("migrate", "--verbosity", "0")
        site.run("createsuperuser", "--noinput", "--username", "bench", "--email", "bench@example.org")
        try:
            yield site
        finally:
            site.close()


def django_here(site: Installation) -> None:
    """Let this process use the installation's database and store."""
    os.environ.update({name: value for name, value in site.environment.items() if name.startswith("LAGPDB_")})
    os.environ["DJANGO_SETTINGS_MODULE"] = "lagpdb.settings"
    import django

    django.setup()


def report(title: str, rows: list[tuple[str, str, str, bool]]) -> int:
    """Print figure, goal and verdict; returns the exit code."""
    width = max(len(row[0]) for row in rows)
    print(f"\n{title}")
    for name, figure, goal, is_met in rows:
        print(f"  {name:<{width}}  {figure:>16}  goal {goal:<14} {'met' if is_met else 'MISSED'}")
    return 0 if all(row[3] for row in rows) else 1


def quantile(values: list[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def api(site: Installation, token: str, path: str, body: Any = None) -> Any:
    """One JSON request."""
    request = urllib.request.Request(
        f"{site.url}/api/v1/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
