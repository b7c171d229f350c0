"""Size and speed of the cache of parsed tables: ``python tests/benchmarks/series_store.py``.

A csv of a million rows and twelve columns of printed decimals is read, stored and summed up by cycle; its stored table
is compared with the gzipped csv, and read back whole, in two columns, and against a longer copy. All SYNTHETIC.
Everything runs in one thread, as in the child of the fence, so its processor time is what an idle machine takes; that
is judged. Beside it stand the time by the clock and the time of Arrow alone for the same csv, in the same run.
After that come the time series of LAGPDB_REAL_DATA, each against its own gzipped csv; tables of less than
`LONG` rows are mostly header, and their largest excess is told in kilobytes.
Ends with 1 when a goal is missed or a single bit is lost.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ARROW_NUM_THREADS", "1")

import gzip
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.csv as pacsv

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from analysis.science.cycles import cycles_of  # noqa: E402
from measurements import packing, telling  # noqa: E402
from measurements.readers.base import ReaderError, Recording  # noqa: E402
from measurements.readers.recognise import read_file  # noqa: E402

ROWS, ROUNDS = 1_000_000, 5
GOAL_S, GOAL_SHARE, GOAL_COMPARE_S, GOAL_REAL_SHARE = 0.8, 0.35, 0.2, 1.05
LONG = 300  # rows
MOST_BYTES = 60_000_000  # of a real file


def table(rows: int, seed: int = 1) -> pd.DataFrame:
    """A cycler's export: decimals as testers print them."""
    rng = np.random.default_rng(seed)
    t = np.arange(rows) * 10.0
    phase = t / 36_000.0
    sign = np.where(np.sin(phase) > 0, 1.0, -1.0)
    step = np.floor(phase / np.pi).astype(int)
    passed = np.round(0.1 * (t - step * np.pi * 36_000.0) / 3600.0, 5)
    potential = np.round(3.4 + 0.3 * np.sin(phase) + rng.normal(0, 1e-4, rows), 4)
    return pd.DataFrame(
        {
            "time_s": t, "potential_V": potential, "current_A": np.round(sign * 1e-4 + rng.normal(0, 2e-8, rows), 8),
            "cycle_number": step // 2 + 1, "step_number": step + 1, "step_capacity_mAh": passed,
            "step_energy_mWh": np.round(passed * 3.4, 5), "temperature_degC": np.round(25 + np.sin(phase / 9), 1),
            "Aux 1": np.round(3.4 + 0.1 * np.sin(phase), 3), "Aux 2": np.round(0.5 * np.cos(phase), 3),
            "Range": 1, "Record": np.arange(rows) + 1,
        }
    )  # fmt: skip


def best(work: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, Any]:
    """Shortest of a few times by the clock [s], and what came out."""
    (_, clock_s), found = shortest(work, rounds)
    return clock_s, found


def shortest(work: Callable[[], Any], rounds: int = ROUNDS) -> tuple[tuple[float, float], Any]:
    """Shortest processor time and shortest time by the clock of a few [s], and what came out."""
    times, found = [], None
    for _ in range(rounds):
        used, began = time.process_time(), time.perf_counter()
        found = work()
        times.append((time.process_time() - used, time.perf_counter() - began))
    return (min(used for used, _ in times), min(clock for _, clock in times)), found


def arrow_alone(csv: Path) -> Any:
    """What Arrow takes for the same csv in one thread, without what we ask beyond."""
    return pacsv.read_csv(csv, read_options=pacsv.ReadOptions(use_threads=False, block_size=1 << 29))


def series_of(path: Path) -> list[Recording]:
    """The time series of a file; none where no reader takes it."""
    try:
        recordings = read_file(path, path.name)[1]
    except ReaderError:
        return []
    return [item for item in recordings if item.technique == "time_series"]


def real_shares(data: Path, stored: Path) -> bool:
    """Print how large the tables of real files are against their gzipped csv; whether no long one misses the goal."""
    found: list[tuple[float, int, int, str]] = []
    for path in sorted(data.rglob("*")):
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            continue
        for item in series_of(path):
            packing.write(item.frame, stored)
            if not packing.read(stored).equals(item.frame):
                raise SystemExit(f"{path.name} does not come back as it was.")
            zipped = len(gzip.compress(item.frame.to_csv(index=False).encode(), 6))
            found.append((stored.stat().st_size / zipped, stored.stat().st_size - zipped, len(item.frame), path.name))
    long, short = ([row for row in found if (row[2] >= LONG) is is_long] for is_long in (True, False))
    if not long:
        print(f"no real time series below {data}")
        return True
    worst, middle = max(long), sorted(long)[len(long) // 2]
    print(f"{len(long)} real series of {LONG} rows and more: worst {worst[0]:.0%} of the gzipped csv ({worst[3]}, "
          f"{worst[2]} rows), median {middle[0]:.0%} (goal: none above {GOAL_REAL_SHARE:.0%})")  # fmt: skip
    if over := [row[1] / 1e3 for row in short if row[0] > GOAL_REAL_SHARE]:
        print(f"{len(over)} of {len(short)} shorter ones are above it, by {max(over):.0f} kB at most")
    return worst[0] <= GOAL_REAL_SHARE


def main() -> int:
    """Print the table of figures."""
    with tempfile.TemporaryDirectory() as folder:
        csv, stored, longer = (Path(folder) / name for name in ("test.csv", "0.parquet", "1.parquet"))
        made = table(ROWS)
        made.to_csv(csv, index=False)
        zipped_bytes = len(gzip.compress(csv.read_bytes(), 6))
        arrow, _ = shortest(lambda: arrow_alone(csv))
        parse, (_, (recording,)) = shortest(lambda: read_file(csv, csv.name))
        frame = recording.frame
        write, _ = shortest(lambda: packing.write(frame, stored))
        tell, _ = shortest(lambda: telling.told_kinds(frame))
        cycles, _ = shortest(lambda: cycles_of(frame))
        read_s, back = best(lambda: packing.read(stored))
        two_s, _ = best(lambda: packing.read(stored, ["time_s", "potential_V"]))
        packing.write(pd.concat([frame, frame.iloc[-1000:]], ignore_index=True), longer)
        compare_s, (equal, _) = best(
            lambda: packing.equal_beginning(longer, stored, ("time_s", "potential_V", "current_A"))
        )
        share = stored.stat().st_size / zipped_bytes
        is_same = back.equals(frame)
        peak_MB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        parts = {"parse": parse, "store": write, "tell": tell, "cycles": cycles}
        whole_s, clock_s = (sum(times) for times in zip(*parts.values(), strict=True))
        print(f"csv {csv.stat().st_size / 1e6:.0f} MB, gzipped {zipped_bytes / 1e6:.1f} MB")
        print(f"stored {stored.stat().st_size / 1e6:.1f} MB: {share:.1%} of the gzipped csv (goal {GOAL_SHARE:.0%})")
        for name, (used, clock) in {"Arrow alone": arrow, **parts, "all four": (whole_s, clock_s)}.items():
            print(f"{name:<12} processor {used:.3f} s, clock {clock:.3f} s, {used / arrow[0]:.2f} × Arrow alone")
        print(f"goal {GOAL_S} s")
        print(f"read whole {read_s:.3f} s, two columns {two_s:.3f} s; every bit the same: {is_same}")
        print(f"compare with a longer copy {compare_s:.3f} s (goal {GOAL_COMPARE_S} s), {equal} rows equal")
        print(f"peak memory of all this {peak_MB:.0f} MB")
        data = (ROOT / os.environ.get("LAGPDB_REAL_DATA", "../shared/data")).resolve()
        is_small = real_shares(data, longer)
        missed = not is_small or share > GOAL_SHARE or whole_s > GOAL_S or compare_s > GOAL_COMPARE_S
        return int(missed or not is_same or equal != ROWS)


if __name__ == "__main__":
    sys.exit(main())
