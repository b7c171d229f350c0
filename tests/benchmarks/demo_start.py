"""How long `make demo` takes in a fresh clone until the page with numbers is served, and how long the second time.

    python tests/benchmarks/demo_start.py

Clones the committed state into a temporary folder. The package cache of pip is used as it is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.benchmarks.installation import ROOT, _free_port, report


def start(clone: Path, port: int) -> float:
    """Run `make demo` until the sign-in page answers; returns the seconds. Ends it again."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LAGPDB_")}
    environment["LAGPDB_PORT"] = str(port)
    began = time.perf_counter()
    with (clone / "demo.log").open("ab") as log:
        child = subprocess.Popen(
            ["make", "demo"], cwd=clone, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while child.poll() is None and time.perf_counter() - began < 600:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/login/", timeout=2).close()
                return time.perf_counter() - began
            time.sleep(0.1)
        raise RuntimeError((clone / "demo.log").read_text())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        child.wait(20)


def main() -> int:
    """First and second start."""
    with tempfile.TemporaryDirectory(prefix="lagpdb-clone-") as folder:
        clone = Path(folder) / "lagpdb"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        first, second = start(clone, _free_port()), start(clone, _free_port())
        print((clone / "demo.log").read_text())
    return report(
        "make demo",
        [
            ("clone to served page with numbers", f"{first:.0f} s", "≤ 180 s", first <= 180),
            ("second start", f"{second:.1f} s", "≤ 5 s", second <= 5),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
