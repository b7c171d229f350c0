"""The whole gate: everything that must hold before a change is taken. `make test` runs it.

    python tests/gate.py [--only NAME,…] [--keep-going] [--list] [-- arguments for pytest]

Stages run in order, and the first failure ends the run unless --keep-going is given. This file needs
the standard library alone; the stages use the tools of the same environment.
"""

import argparse
import contextlib
import dataclasses
import difflib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import programs, servers  # noqa: E402

SCHEMA = ROOT / "tests" / "api_schema.yaml"
LIMIT_S = 40 * 60
WORKERS = ["-n", "2", "--dist", "loadfile"]
NOTHING = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's empty tree: all of the work tree differs from it
YAML_RULES = "{extends: default, rules: {line-length: {max: 120}, document-start: disable}}"


class StageError(Exception):
    """A stage did not hold; the text is shown as it is."""


@dataclasses.dataclass
class Counts:
    """What the pytest stages counted."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


class Gate:
    """One run: its temporary folder, its environment, its counts, and the process that runs just now."""

    def __init__(self, folder: Path, pytest_arguments: list[str]) -> None:
        self.folder = folder
        self.pytest_arguments = pytest_arguments
        self.counts = Counts()
        self.closing_lines: list[str] = []
        self.deadline = time.monotonic() + LIMIT_S
        self.process: subprocess.Popen[bytes] | None = None
        self.ended_by: str | None = None

    def environment(self) -> dict[str, str]:
        """Ours without the settings of an installation: a test never meets somebody's data folder or database."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("LAGPDB_") or name.startswith("LAGPDB_TEST_") or name == "LAGPDB_REAL_DATA"
        }
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return kept | {"LAGPDB_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1", "PATH": tools}

    def run(self, *command: str | Path, more: dict[str, str], show: bool = False) -> tuple[int, str]:
        """Run one program from the root of the tree; its exit code and what it printed (line by line if `show`)."""
        self.process = subprocess.Popen(
            [str(part) for part in command],
            cwd=ROOT,
            env=self.environment() | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        timer = threading.Timer(max(1.0, self.deadline - time.monotonic()), self.end, ["the gate's time is over"])
        timer.start()
        lines = []
        try:
            assert self.process.stdout
            for line in self.process.stdout:
                lines.append(line.decode(errors="replace"))
                if show:
                    sys.stdout.write(lines[-1])
                    sys.stdout.flush()
            code = self.process.wait()
        finally:
            timer.cancel()
            self.end()
        if self.ended_by:
            raise StageError(f"{''.join(lines[-30:])}Ended: {self.ended_by}.")
        return code, "".join(lines)

    def end(self, why: str | None = None) -> None:
        """End the process that runs just now, if any, and what it started: politely, so that tests can tidy up."""
        self.ended_by = why or self.ended_by
        if not self.process or self.process.poll() is not None:
            return
        for number, patience_s in ((signal.SIGINT, 15), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self.process.pid, number)
                self.process.wait(patience_s)
                break
        with contextlib.suppress(ProcessLookupError):  # pytest's own workers outlive it for a while
            os.killpg(self.process.pid, signal.SIGKILL)

    def tool(self, *command: str | Path, **more: str) -> None:
        """Run a tool that says everything with its exit code; show its words only when it fails."""
        code, text = self.run(*command, more=more)
        if code:
            raise StageError(text.rstrip() or f"{command[0]} ended with {code}")

    def manage(self, *arguments: str | Path, **more: str) -> None:
        """Run a command of manage.py."""
        self.tool(sys.executable, ROOT / "manage.py", *arguments, **more)

    def pytest(self, marks: str, *arguments: str, **more: str) -> None:
        """Run the tests with these marks and add up what they counted."""
        report = self.folder / f"report-{time.monotonic_ns()}.xml"
        command: list[str | Path] = [sys.executable, "-m", "pytest", "-q", "-m", marks, f"--junitxml={report}"]
        command += ["--color=yes"] if sys.stdout.isatty() else []
        code, text = self.run(*command, *arguments, *self.pytest_arguments, show=True, more=more)
        if closing := [line for line in text.splitlines() if line.strip()]:
            self.closing_lines.append(closing[-1])
        self._count(report)
        if code == 5:
            raise StageError(f"No test has the marks '{marks}': a stage without tests proves nothing.")
        if code:
            raise StageError(f"pytest ended with {code}.")

    def _count(self, report: Path) -> None:
        if not report.exists():  # pytest itself broke down
            self.counts.failed += 1
            return
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            tests, failures, errors, skipped = (
                int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")
            )
            self.counts.failed += failures + errors
            self.counts.skipped += skipped
            self.counts.passed += max(0, tests - failures - errors - skipped)


# -- stages ------------------------------------------------------------------------------------------------------------
Stage = Callable[[Gate], None]
STAGES: dict[str, tuple[str, Stage]] = {}


def stage(name: str, says: str) -> Callable[[Stage], Stage]:
    """Put a function on the list under `name`."""

    def register(function: Stage) -> Stage:
        STAGES[name] = (says, function)
        return function

    return register


@stage("lock", "lock files belong to pyproject.toml")
def _lock(gate: Gate) -> None:
    gate.tool(sys.executable, ROOT / "requirements" / "compile.py", "--check")


@stage("lint", "ruff check, and no marks that a merge left")
def _lint(gate: Gate) -> None:
    gate.tool(sys.executable, "-m", "ruff", "check", ".")
    marks_alone = "core.whitespace=-trailing-space,-space-before-tab,-blank-at-eof"
    gate.tool("git", "-c", marks_alone, "diff", "--check", NOTHING)


@stage("format", "ruff format --check")
def _format(gate: Gate) -> None:
    gate.tool(sys.executable, "-m", "ruff", "format", "--check", ".")


@stage("imports", "dependencies run one way, pure modules stay pure")
def _imports(gate: Gate) -> None:
    gate.tool(sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache")


@stage("types", "mypy, strict on the pure packages")
def _types(gate: Gate) -> None:
    gate.tool(sys.executable, "-m", "mypy")


@stage("docker", "Dockerfile, compose file, scripts")
def _docker(gate: Gate) -> None:
    gate.tool(sys.executable, "-m", "yamllint", "--strict", "-d", YAML_RULES, "docker", ".pre-commit-config.yaml")
    compose = ["--builtin-schema", "vendor.compose-spec", "docker/compose.yaml"]
    gate.tool(sys.executable, "-m", "check_jsonschema", *compose)
    gate.tool("hadolint", "docker/Dockerfile")
    for script in [*sorted((ROOT / "docker").glob("*.sh")), ROOT / ".ci" / "run"]:
        gate.tool("bash", "-n", script)


@stage("migrations", "no migration is missing")
def _migrations(gate: Gate) -> None:
    gate.manage("makemigrations", "--check", "--dry-run")


@stage("deploy", "Django's own check of a public installation")
def _deploy(gate: Gate) -> None:
    gate.manage("check", "--deploy", "--fail-level", "WARNING", LAGPDB_PUBLIC_URL="https://lagpdb.example.org")


@stage("schema", "the API is the one in tests/api_schema.yaml")
def _schema(gate: Gate) -> None:
    now = gate.folder / "api_schema.yaml"
    gate.manage("spectacular", "--validate", "--fail-on-warn", "--file", now)
    kept = SCHEMA.read_text() if SCHEMA.exists() else ""
    difference = list(difflib.unified_diff(kept.splitlines(), now.read_text().splitlines(), "kept", "now", lineterm=""))
    if difference:
        shown = "\n".join(difference[:80])
        raise StageError(f"{shown}\nThe API changed. If that is meant: make schema, and commit {SCHEMA.name}.")


@stage("unit", "tests on SQLite")
def _unit(gate: Gate) -> None:
    gate.pytest("not live and not faults and not browser", *WORKERS)


@stage("browser", "tests with Chromium, on SQLite")
def _browser(gate: Gate) -> None:
    programs.chromium_path()  # found or installed here, not within a test's time limit
    gate.pytest("browser and not live and not faults")


@stage("postgres", "the same tests on PostgreSQL")
def _postgres(gate: Gate) -> None:
    programs.chromium_path()
    with servers.postgres() as database:
        gate.pytest("not live and not faults", *WORKERS, LAGPDB_DATABASE_URL=database.url)


@stage("live", "real Redis, real Celery worker, PostgreSQL")
def _live(gate: Gate) -> None:
    with servers.postgres() as database, servers.redis() as broker:
        urls = {
            "LAGPDB_DATABASE_URL": database.url,
            "LAGPDB_TEST_DATABASE_URL": database.url,
            "LAGPDB_REDIS_URL": broker.url,
            "LAGPDB_TEST_REDIS_URL": broker.url,
        }
        gate.pytest("live and not faults", **urls)


@stage("faults", "killed workers, servers, connections")
def _faults(gate: Gate) -> None:
    for program in ("postgres", "redis-server"):
        programs.find(program)
    gate.pytest("faults")


GROUPS = {
    "static": ["lock", "lint", "format", "imports", "types", "docker", "migrations", "deploy", "schema"],
    "sqlite": ["unit", "browser"],
    "tests": ["unit", "browser", "postgres", "live", "faults"],
}


# -- the run -----------------------------------------------------------------------------------------------------------
def chosen(only: str) -> list[str]:
    """Names of the stages to run, in order."""
    wanted = [part for part in only.replace(",", " ").split() if part]
    unknown = [name for name in wanted if name not in STAGES and name not in GROUPS]
    if unknown:
        raise SystemExit(f"No stage '{unknown[0]}'. There are: {', '.join([*STAGES, *GROUPS])}.")
    names = {each for name in wanted for each in GROUPS.get(name, [name])}
    return [name for name in STAGES if name in names] if wanted else list(STAGES)


@contextlib.contextmanager
def ending_on_sigterm(gate: Gate) -> Iterator[None]:
    """SIGTERM ends the running tool and the servers, as Ctrl-C does."""

    def end(number: int, frame: object) -> None:
        gate.end("SIGTERM")
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="stages or groups, separated by commas")
    parser.add_argument("--keep-going", action="store_true", help="run every stage, also after a failure")
    parser.add_argument("--list", action="store_true", help="list stages and groups")
    parser.add_argument("pytest_arguments", nargs="*", metavar="-- ARGUMENT", help="for pytest")
    arguments = parser.parse_args()
    if arguments.list:
        for name, (says, _) in STAGES.items():
            print(f"{name:11} {says}")
        for name, members in GROUPS.items():
            print(f"{name:11} {', '.join(members)}")
        return 0

    names = chosen(arguments.only)
    results: dict[str, tuple[str, float]] = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lagpdb-gate-") as folder:
        gate = Gate(Path(folder), arguments.pytest_arguments)
        with ending_on_sigterm(gate):
            for name in names:
                says, function = STAGES[name]
                print(f"── {name}: {says}", flush=True)
                start = time.monotonic()
                try:
                    function(gate)
                    result = "ok"
                except (StageError, programs.ServerError) as error:
                    print(error, flush=True)
                    result = "FAILED"
                except KeyboardInterrupt:
                    gate.end("interrupted")
                    result = "INTERRUPTED"
                results[name] = (result, time.monotonic() - start)
                print(f"   {name}: {result} ({results[name][1]:.1f} s)", flush=True)
                if result == "INTERRUPTED" or (result == "FAILED" and not arguments.keep_going):
                    break

    print("\n── summary")
    for name in names:
        result, seconds = results.get(name, ("not run", 0.0))
        print(f"{name:11} {result:12} {seconds:7.1f} s")
    print(f"{'total':11} {'':12} {time.monotonic() - began:7.1f} s")
    for line in gate.closing_lines:
        print(line)
    is_ok = all(result == "ok" for result, _ in results.values()) and len(results) == len(names)
    if gate.closing_lines:
        print(gate.counts, flush=True)
    return 0 if is_ok else 1


if __name__ == "__main__":
    sys.exit(main())
