"""``manage.py serve``: the site on a production server, and, without a broker, the worker beside it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

STOP_WITHIN_S = 8.0  # the contract says 10 s after SIGTERM


class Command(BaseCommand):
    """Start the server and, where needed, the worker; end both together."""

    help = "Serve the site. Without LAGPDB_REDIS_URL this also runs the worker that reads files and computes results."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--workers", type=int, default=1, help="Processes that answer requests.")
        parser.add_argument("--demo", action="store_true", help="Set up the database and the reference campaign first.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, start the children, watch them, stop them."""
        if options["demo"]:
            self._prepare_demo(options)
        elif self._has_pending_migrations():
            raise CommandError("The database is not set up for this version. Run: python manage.py migrate")
        refuse_taken_port(options["host"], options["port"])
        if not settings.DEBUG:
            collect_static()
        self._stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        commands = {"site": self._site(options)}
        if not settings.REDIS_URL:
            commands["worker"] = [sys.executable, str(settings.BASE_DIR / "manage.py"), "work"]
        self.stdout.write(f"lagpdb serves on http://{options['host']}:{options['port']}", ending="\n")
        self.stdout.flush()
        self._supervise(commands)

    def _stop(self, *_: Any) -> None:
        self._stopping = True

    @staticmethod
    def _site(options: dict[str, Any]) -> list[str]:
        return [
            sys.executable,
            "-m",
            "granian",
            "--interface",
            "wsgi",
            "--host",
            options["host"],
            "--port",
            str(options["port"]),
            "--workers",
            str(options["workers"]),
            "--blocking-threads",
            "4",
            "--backlog",
            "1024",
            "--workers-kill-timeout",
            "5",
            "--no-ws",
            "--log-level",
            "warning",
            "lagpdb.wsgi:application",
        ]

    def _supervise(self, commands: dict[str, list[str]]) -> None:
        """Start each command, start it again when it dies, and end all when told to."""
        children = {name: Child(name, command) for name, command in commands.items()}
        try:
            while not self._stopping:
                for child in children.values():
                    if child.has_died():
                        self.stderr.write(f"The {child.name} stopped (status {child.status}); starting it again.")
                    if child.name == "site" and child.quick_deaths > 2:
                        raise CommandError("The server stopped three times right after its start. See the log above.")
                    child.start_when_due()
                time.sleep(0.2)
        finally:
            end([child.process for child in children.values() if child.process])

    # -- the demo ------------------------------------------------------------------------------------------------------
    @staticmethod
    def _has_pending_migrations() -> bool:
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))

    def _prepare_demo(self, options: dict[str, Any]) -> None:
        if self._has_pending_migrations():
            call_command("migrate", verbosity=0)
        password = self._demo_person()
        call_command("load_demo", stdout=self.stdout)
        url = f"http://{options['host']}:{options['port']}"
        sign_in = (
            f"sign in as demo with the password {password}"
            if password
            else f"sign in as demo (password as before: {settings.DATA_DIR / 'demo_password'})"
        )
        self.stdout.write(
            f"\nAddress   {url}\nSign-in   {sign_in}\nLook at   {url}/pellets/   the pristine and the coated pellet\n"
            f"          {url}/cells/     conductivity and activation energy of each cell\n"
            f"          {url}/paper/     reported numbers beside those of the reference set\n"
            f"          {url}/upload/    drop impedance files of your own\n"
            f"          {url}/api/       the same numbers for pandas\n"
        )

    @staticmethod
    def _demo_person() -> str:
        """Create the person who looks at the demo; returns the password."""
        people = get_user_model()
        note = settings.DATA_DIR / "demo_password"
        if people.objects.filter(username="demo").exists():
            return note.read_text(encoding="ascii").strip() if note.exists() else ""
        password = secrets.token_urlsafe(9)
        people.objects.create_superuser("demo", password=password)
        descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(password)
        return password


def refuse_taken_port(host: str, port: int) -> None:
    """The server itself would share the port with another one, and each would get half of the requests."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"{host}:{port} cannot be served: {error.strerror}. Is the port in use? Try another one with --port."
            ) from None


class Child:
    """One command that is kept running: started again when it dies, later each time it dies at once."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self.status: int | None = None
        self.quick_deaths = 0
        self._started = self._due = 0.0

    def has_died(self) -> bool:
        """Whether it ended since the last time that was asked."""
        if self.process is None or self.process.poll() is None:
            return False
        now = time.monotonic()
        self.quick_deaths = self.quick_deaths + 1 if now - self._started < 5 else 0
        self._due = now + min(5.0, 0.2 * 2**self.quick_deaths)
        self.status, self.process = self.process.returncode, None
        return True

    def start_when_due(self) -> None:
        """Start it if it does not run and has waited long enough."""
        if self.process is not None or time.monotonic() < self._due:
            return
        # A session of its own: Ctrl-C reaches the supervisor, which ends its children in order.
        self.process = subprocess.Popen(
            self.command, cwd=settings.BASE_DIR, start_new_session=True, preexec_fn=_end_with_parent
        )
        self._started = time.monotonic()


_libc = ctypes.CDLL(None, use_errno=True)


def _end_with_parent() -> None:
    """In the child: SIGTERM when the supervisor is killed, so that nobody keeps its port."""
    _libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def end(children: list[subprocess.Popen[bytes]]) -> None:
    """Ask the children to stop; whoever does not in time is ended."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    until = time.monotonic() + STOP_WITHIN_S
    for child in children:
        try:
            child.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def collect_static() -> None:
    """Gather and compress the static files once per version of them: the first start takes seconds, later ones none."""
    own = Path(settings.BASE_DIR / "lagpdb" / "static")
    facts = [f"{path}:{path.stat().st_mtime_ns}" for path in sorted(own.rglob("*")) if path.is_file()]
    facts += [f"{name}{version(name)}" for name in ("django", "plotly", "django-htmx", "drf-spectacular-sidecar")]
    stamp = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    note = settings.STATIC_ROOT / ".stamp"
    if note.exists() and note.read_text() == stamp:
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    note.write_text(stamp)
