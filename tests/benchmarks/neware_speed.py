"""Speed of the Neware reader against fastnda itself on the same file: ``python tests/benchmarks/neware_speed.py``.

Both read the file in turn, so that whatever else the computer does hits both alike: read the ratio, not the
milliseconds. Ours includes what fastnda leaves to others: recognition, canonical columns, kinds of steps, doubts.
Without a file (``--file``) the longest .ndax of LAGPDB_REAL_DATA is read; its records are the manufacturer's layout.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import fastnda  # noqa: E402

from measurements.readers.recognise import read_file  # noqa: E402

GOAL = 3.0  # times fastnda's own time


def seconds(action: Callable[[], object]) -> float:
    """Wall clock of one call."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def main() -> None:
    """Print both medians and their ratio; exit 1 if the ratio is above the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    data = (ROOT / os.environ.get("LAGPDB_REAL_DATA", "../shared/data")).resolve()
    files = sorted((data / "cycling").glob("*.ndax"), key=lambda path: path.stat().st_size)
    if options.file is None and not files:
        sys.exit(f"No .ndax file below {data}. Name one with --file, or set LAGPDB_REAL_DATA.")
    path = options.file or files[-1]
    rows = len(fastnda.read(path))
    assert len(read_file(path, path.name)[1][0].frame) == rows
    ours, theirs = [], []
    for _ in range(options.rounds):
        theirs.append(seconds(lambda: fastnda.read(path, cycle_mode="raw")))
        ours.append(seconds(lambda: read_file(path, path.name)))
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"{path.name}: {rows} rows, {options.rounds} rounds by turns, medians")
    print(f"  fastnda {1e3 * other:7.1f} ms  {rows / other / 1e6:.2f} million rows/s")
    print(f"  ours    {1e3 * mine:7.1f} ms  {rows / mine / 1e6:.2f} million rows/s")
    print(f"  ratio   {mine / other:7.2f}      (goal: at most {GOAL:g})")
    sys.exit(mine / other > GOAL)


if __name__ == "__main__":
    main()
