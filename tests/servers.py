"""Throw-away servers for tests: PostgreSQL and Redis.

    with postgres() as database, redis() as broker:
        connect(database.url, broker.url)

Taken: the server that LAGPDB_TEST_DATABASE_URL or LAGPDB_TEST_REDIS_URL names, else one of `tests.programs`. Never
touched: a server that was neither started here nor given.
Everything started here listens on 127.0.0.1 alone, lives in a temporary folder, and ends with this process by its own
process id. Start servers from the main thread or one that lives as long: they end with the thread, too.
"""

import atexit
import contextlib
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from tests.programs import ServerError, find

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0


# -- one running server ------------------------------------------------------------------------------------------------
class Given:
    """A server that somebody named: used, and never started, stopped or changed."""

    pid: int | None = None

    def __init__(self, url: str) -> None:
        self.url = url

    def _refuse(self) -> None:
        raise ServerError("This server was given by its address; tests do not stop it. Ask for one with own=True.")

    start = stop = kill = restart = freeze = thaw = _refuse


class Server:
    """A server process of our own, in a temporary folder, on a free port of 127.0.0.1."""

    name = "server"
    stop_signal = signal.SIGTERM

    def __init__(self, program: Path) -> None:
        self.program = program
        self.account = _account()
        self.folder = _temporary_folder(self.account)
        self.port = _free_port()
        self.password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.folder / "log"

    # What each kind of server says for itself.
    @property
    def url(self) -> str:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def prepare(self) -> None:
        """Make what it needs before its first start."""

    def _is_ready(self) -> bool:
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        """Process id, or None while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it, on the same port and the same data as before, and wait until it answers."""
        if self.pid:
            return
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_start_as(self)
                )
            while time.monotonic() < deadline and self._process.poll() is None:
                if self._is_ready():
                    return
                time.sleep(0.02)
            time.sleep(0.2)  # it gave up, as PostgreSQL does while processes of the killed one still end
        self.kill()
        raise ServerError(f"{self.name} did not start within {START_TIMEOUT_S:.0f} s. Its log ends:\n{self.log()}")

    def stop(self) -> None:
        """End it in good order; by force when it does not end."""
        self.thaw()
        process = self._process
        if not process or process.poll() is not None:
            return
        process.send_signal(self.stop_signal)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Let it crash: SIGKILL to it and to its own children, without a word before."""
        process = self._process
        if not process or process.poll() is not None:
            return
        children = _children(process.pid)
        process.kill()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.wait()

    def restart(self) -> None:
        """End it in good order and start it again."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Let it hang: it keeps its connections and answers nothing."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """End of freeze()."""
        self._signal_all(signal.SIGCONT)

    def log(self, lines: int = 15) -> str:
        """The end of what it wrote."""
        if not self._log.exists():
            return "(nothing)"
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def close(self) -> None:
        """Stop it and remove everything it left."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal_all(self, number: signal.Signals) -> None:
        if pid := self.pid:
            for each in [pid, *_children(pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, number)


class Postgres(Server):
    """PostgreSQL with one empty database `lagpdb` and one superuser of that name."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # "fast": end sessions, write a checkpoint, exit

    def __init__(self, program: Path, durable: bool) -> None:
        super().__init__(program)
        self.durable = durable
        self.program = _reachable(program, self.folder, self.account)
        self.data = self.folder / "data"

    def prepare(self) -> None:
        """Make the cluster and its database."""
        secret = self.folder / "password"
        secret.write_text(self.password)
        secret.chmod(0o600)
        _give(secret, self.account)
        bin_dir = self.program.parent
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run(bin_dir / "initdb", "-D", self.data, "-U", "lagpdb", "--pwfile", secret, *options)
        secret.unlink()
        # Single-user mode: needs neither a running server nor a client program.
        self._run(self.program, "--single", "-D", self.data, "postgres", text="CREATE DATABASE lagpdb\n")

    def _run(self, *command: Path | str, text: str = "") -> None:
        done = subprocess.run(
            [str(part) for part in command], input=text.encode(), capture_output=True, check=False, **_start_as(self)
        )
        if done.returncode:
            raise ServerError(f"{Path(command[0]).name} failed:\n{done.stderr.decode(errors='replace').strip()}")

    @property
    def url(self) -> str:
        """Address as LAGPDB_DATABASE_URL takes it."""
        return f"postgresql://lagpdb:{self.password}@127.0.0.1:{self.port}/lagpdb"

    def _command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "max_connections": "100",
            "timezone": "UTC",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [str(self.program), "-D", str(self.data), "-p", str(self.port)]
        for key, value in options.items():
            command += ["-c", f"{key}={value}"]
        return command

    def _is_ready(self) -> bool:
        # The eighth line of its pid file is the state: the same sign that pg_ctl waits for.
        with contextlib.suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"
        return False


class Redis(Server):
    """Redis with a password; without `appendonly` it keeps nothing over its end."""

    name = "Redis"

    def __init__(self, program: Path, appendonly: bool) -> None:
        super().__init__(program)
        self.appendonly = appendonly

    def prepare(self) -> None:
        """Write its configuration, where the password is not on show as an argument would be."""
        settings = self.folder / "redis.conf"
        settings.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\ndir {self.folder}\ndaemonize no\n"
            f'save ""\nappendonly {"yes" if self.appendonly else "no"}\nmaxmemory-policy noeviction\n'
        )
        settings.chmod(0o600)
        _give(settings, self.account)

    @property
    def url(self) -> str:
        """Address as LAGPDB_REDIS_URL takes it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        return [str(self.program), str(self.folder / "redis.conf")]

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
            answer = b""
            while b"PONG" not in answer and b"-" not in answer and (part := connection.recv(256)):
                answer += part
            return b"PONG" in answer
        return False


# -- what tests use ----------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def postgres(durable: bool = False, own: bool = False) -> Iterator[Postgres | Given]:
    """An empty PostgreSQL. `durable` writes to disk as in earnest; `own` leaves the given one alone: kill at will."""
    if (url := os.environ.get("LAGPDB_TEST_DATABASE_URL")) and not (own or durable):
        yield Given(url)
        return
    with _running(lambda: Postgres(find("postgres"), durable)) as server:
        yield server


@contextlib.contextmanager
def redis(appendonly: bool = False, own: bool = False) -> Iterator[Redis | Given]:
    """An empty Redis. `appendonly` keeps its queue over a crash; `own` leaves the given one alone: kill at will."""
    if (url := os.environ.get("LAGPDB_TEST_REDIS_URL")) and not (own or appendonly):
        yield Given(url)
        return
    with _running(lambda: Redis(find("redis-server"), appendonly)) as server:
        yield server


# -- the operating system ----------------------------------------------------------------------------------------------
_open: list[Server] = []
_owner = os.getpid()


@contextlib.contextmanager
def _running(make: Callable[[], Any]) -> Iterator[Any]:
    _end_with_this_process()
    server = None
    try:
        for attempt in (1, 2, 3):  # another process may take the free port first
            server = make()
            _open.append(server)
            try:
                server.prepare()
                server.start()
                break
            except ServerError:
                _close(server)
                if attempt == 3:
                    raise
        yield server
    finally:
        if server:
            _close(server)


def _close(server: Server) -> None:
    server.close()
    if server in _open:
        _open.remove(server)


def _close_all() -> None:
    if os.getpid() == _owner:  # never in a forked child
        for server in list(_open):
            _close(server)


def _end_with_this_process() -> None:
    atexit.unregister(_close_all)
    atexit.register(_close_all)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, frame: FrameType | None) -> None:
    _close_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _account() -> pwd.struct_passwd | None:
    """The account to run servers as: our own, but PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError("PostgreSQL refuses to run as root, and there is neither an account 'postgres' nor 'nobody'.")


def _start_as(server: Server) -> dict[str, Any]:
    """Arguments of Popen: an own session, the right account, and the end when the thread that started it ends."""
    kernel = ctypes.CDLL(None, use_errno=True)
    number = int(server.stop_signal)
    arguments: dict[str, Any] = {
        "cwd": server.folder,
        "start_new_session": True,
        "preexec_fn": lambda: kernel.prctl(1, number),  # PR_SET_PDEATHSIG: covers even our own SIGKILL
        "env": {**os.environ, "LC_ALL": "C", "HOME": str(server.folder)},
    }
    if server.account:
        arguments |= {"user": server.account.pw_uid, "group": server.account.pw_gid, "extra_groups": []}
    return arguments


def _temporary_folder(account: pwd.struct_passwd | None) -> Path:
    """A private folder that the account can enter, with a path short enough for a Unix socket."""
    for base in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if len(str(base)) < 60 and (not account or _can_enter(base)):
            folder = Path(tempfile.mkdtemp(prefix="lagpdb-test-", dir=base))
            _give(folder, account)
            return folder
    raise ServerError("There is no temporary folder that the servers' account can enter.")


def _can_enter(folder: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in [folder, *folder.parents])


def _reachable(program: Path, folder: Path, account: pwd.struct_passwd | None) -> Path:
    """`program` itself, or a copy of its installation where the account can run it."""
    if not account or _can_enter(program.parent):
        return program
    copy = folder / "program"
    shutil.copytree(program.parent.parent, copy)
    return copy / program.parent.name / program.name


def _give(path: Path, account: pwd.struct_passwd | None) -> None:
    if account:
        os.chown(path, account.pw_uid, account.pw_gid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    """Process ids of the direct children of `pid`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return found
