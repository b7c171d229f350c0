"""Size and speed of the cache of parsed tables: ``python tests/benchmarks/series_store.py``.

A csv of a million rows and twelve columns of printed decimals is read, stored and summed up by cycle; its stored table
is compared with the gzipped csv, and read back whole, in two columns, and against a longer copy. All SYNTHETIC.
Ends with 1 when a goal is missed or a single bit is lost.
"""

from __future__ import annotations

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

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from analysis.science.cycles import cycles_of  # noqa: E402
from measurements import packing, telling  # noqa: E402
from measurements.readers.recognise import read_file  # noqa: E402

ROWS, ROUNDS = 1_000_000, 3
GOAL_S, GOAL_SHARE, GOAL_COMPARE_S = 0.8, 0.35, 0.2


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
    """Shortest of a few times [s], and what came out."""
    times, found = [], None
    for _ in range(rounds):
        began = time.perf_counter()
        found = work()
        times.append(time.perf_counter() - began)
    return min(times), found


def main() -> int:
    """Print the table of figures."""
    with tempfile.TemporaryDirectory() as folder:
        csv, stored, longer = (Path(folder) / name for name in ("test.csv", "0.parquet", "1.parquet"))
        made = table(ROWS)
        made.to_csv(csv, index=False)
        zipped_bytes = len(gzip.compress(csv.read_bytes(), 6))
        parse_s, (_, (recording,)) = best(lambda: read_file(csv, csv.name))
        frame = recording.frame
        write_s, _ = best(lambda: packing.write(frame, stored))
        tell_s, _ = best(lambda: telling.told_kinds(frame))
        sum_s, _ = best(lambda: cycles_of(frame))
        read_s, back = best(lambda: packing.read(stored))
        two_s, _ = best(lambda: packing.read(stored, ["time_s", "potential_V"]))
        packing.write(pd.concat([frame, frame.iloc[-1000:]], ignore_index=True), longer)
        compare_s, (equal, _) = best(
            lambda: packing.equal_beginning(longer, stored, ("time_s", "potential_V", "current_A"))
        )
        share = stored.stat().st_size / zipped_bytes
        is_same = back.equals(frame)
        peak_MB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        whole_s = parse_s + write_s + tell_s + sum_s
        print(f"csv {csv.stat().st_size / 1e6:.0f} MB, gzipped {zipped_bytes / 1e6:.1f} MB")
        print(f"stored {stored.stat().st_size / 1e6:.1f} MB: {share:.1%} of the gzipped csv (goal {GOAL_SHARE:.0%})")
        print(f"parse {parse_s:.2f} s, store {write_s:.2f} s, tell {tell_s:.2f} s, cycles {sum_s:.2f} s: "
              f"{whole_s:.2f} s (goal {GOAL_S} s)")  # fmt: skip
        print(f"read whole {read_s:.3f} s, two columns {two_s:.3f} s; every bit the same: {is_same}")
        print(f"compare with a longer copy {compare_s:.3f} s (goal {GOAL_COMPARE_S} s), {equal} rows equal")
        print(f"peak memory of all this {peak_MB:.0f} MB")
        missed = share > GOAL_SHARE or whole_s > GOAL_S or compare_s > GOAL_COMPARE_S
        return int(missed or not is_same or equal != ROWS)


if __name__ == "__main__":
    sys.exit(main())
