"""Speed of the Neware reader against fastnda itself on the same file: ``python tests/benchmarks/neware_speed.py``.

Both read the file in turn, so that whatever else the computer does hits both alike: read the ratio, not the
milliseconds. Ours includes what fastnda leaves to others: recognition, canonical columns, kinds of steps, doubts; and
the facts of the file (mass, operator, start), for which fastnda has a call of its own.
Without a file (``--file``) the longest .ndax of LAGPDB_REAL_DATA is read; its records are the manufacturer's layout.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import fastnda  # noqa: E402

from measurements.readers.recognise import read_file  # noqa: E402

GOAL = 1.0  # times fastnda’s own time for records and facts


def seconds(action: Callable[[], object]) -> tuple[float, float]:
    """Processor time and time by the clock of one call."""
    used, begin = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - used, time.perf_counter() - begin


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
    ours, theirs, facts = [], [], []
    for _ in range(options.rounds):
        theirs.append(seconds(lambda: fastnda.read(path, cycle_mode="raw")))
        facts.append(seconds(lambda: fastnda.read_metadata(path)))
        ours.append(seconds(lambda: read_file(path, path.name)))
    # The columns are processor time and time by the clock, the shortest of each.
    mine, other, told = ([min(times) for times in zip(*taken, strict=True)] for taken in (ours, theirs, facts))
    print(f"{path.name}: {rows} rows, {options.rounds} rounds by turns, shortest: processor, clock")
    for name, (used, clock) in {"fastnda, records": other, "fastnda, facts": told, "ours": mine}.items():
        print(f"  {name:<18}{1e3 * used:7.1f} ms  {1e3 * clock:7.1f} ms")
    ratio = mine[0] / (other[0] + told[0])
    print(f"  ours over records alone {mine[0] / other[0]:.2f}, over both {ratio:.2f} (goal: at most {GOAL:g})")
    sys.exit(ratio > GOAL)


if __name__ == "__main__":
    main()
