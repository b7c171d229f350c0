"""Speed of the cycle summary on a million rows: ``python tests/benchmarks/cycle_summary.py``.

Prints processor milliseconds after parsing, beside what a laboratory would write itself (pandas ``groupby.apply``) and
beside navani and battery-data-toolkit where they can be imported; then the same with the csv read first, which all of
them leave to ``pandas.read_csv``. Everything runs in one thread, and runs alternate: read the ratios. All data are
SYNTHETIC. Ends with 1 when the goal is missed or the charges are wrong.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ARROW_NUM_THREADS", "1")

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from analysis.science.cycles import cycles_of  # noqa: E402
from analysis.science.synthetic_cycling import cycling_test, faded_capacities_mAh  # noqa: E402
from measurements.readers.recognise import read_file  # noqa: E402

GOAL_MS = 60.0
ROUNDS = 5


def by_groupby(frame: pd.DataFrame) -> pd.DataFrame:
    """Charge and discharge of each cycle by the trapezium rule, as scripts in laboratories do it."""

    def one(part: pd.DataFrame) -> pd.Series:
        current, interval = part["current_A"].to_numpy(), np.diff(part["time_s"].to_numpy()) / 7.2
        charged = ((np.clip(current[1:], 0.0, None) + np.clip(current[:-1], 0.0, None)) * interval).sum()
        discharged = ((np.clip(-current[1:], 0.0, None) + np.clip(-current[:-1], 0.0, None)) * interval).sum()
        power = np.abs(current) * part["potential_V"].to_numpy()
        energy = ((power[1:] + power[:-1]) * interval).sum()
        return pd.Series({"charge": charged, "discharge": discharged, "energy": energy})

    return frame.groupby("cycle_number")[["time_s", "current_A", "potential_V"]].apply(one)


def by_toolkit(frame: pd.DataFrame) -> Any:
    """battery-data-toolkit's CapacityPerCycle."""
    from battdat.data import BatteryDataset
    from battdat.postprocess.integral import CapacityPerCycle

    table = pd.DataFrame(
        {
            "test_time": frame["time_s"],
            "voltage": frame["potential_V"],
            "current": frame["current_A"],
            "cycle_number": frame["cycle_number"],
        }
    )
    return CapacityPerCycle().compute_features(BatteryDataset.make_cell_dataset(raw_data=table))


def by_navani(frame: pd.DataFrame) -> Any:
    """navani's cycle_summary, on the columns that it wants."""
    from navani.echem import cycle_summary

    is_charge = frame["current_A"] > 0
    half = (is_charge != is_charge.shift()).cumsum()
    amount = (frame["current_A"].abs() * frame["time_s"].diff().fillna(0.0) / 3.6).groupby(half).cumsum()
    table = pd.DataFrame(
        {
            "Voltage": frame["potential_V"],
            "Current": frame["current_A"] * 1000,
            "Capacity": amount,
            "half cycle": half,
            "full cycle": frame["cycle_number"],
            "state": np.where(is_charge, 1, 0),
        }
    )
    return cycle_summary(table)


PEERS: dict[str, tuple[str, Callable[[pd.DataFrame], Any]]] = {
    "battery-data-toolkit": ("battdat", by_toolkit),
    "navani": ("navani", by_navani),
}


def loaded(path: Path, name: str, summary: Callable[[pd.DataFrame], Any]) -> Any:
    """Read a csv and sum it up: by our reader, with its doubts and kinds, or by pandas."""
    return summary(read_file(path, path.name)[1][0].frame if name == "lagpdb" else pd.read_csv(path))


def median_ms(functions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median processor milliseconds of each, in turn."""
    took: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            begin = time.process_time()
            function()
            took[name].append(1000.0 * (time.process_time() - begin))
    return {name: float(np.median(values)) for name, values in took.items()}


def main() -> int:
    """Measure, print, judge."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cycles", type=int, default=500)
    options.add_argument("--points", type=int, default=1000, help="rows of each half-cycle")
    given = options.parse_args()
    capacities = faded_capacities_mAh(0.3, 0.8, given.cycles)
    test = cycling_test(
        capacities, 0.995, 0.15, rng=np.random.default_rng(1), points_per_half=given.points,
        rest_s=0.0, first_rest_s=0.0, counter="none", current_noise_fraction=0.0,
    )  # fmt: skip
    frame = test.frame.drop(columns=["step_number", "step_kind"])
    print(f"{len(frame)} rows, {given.cycles} cycles")
    summaries: dict[str, Callable[[pd.DataFrame], Any]] = {"lagpdb": cycles_of, "pandas groupby.apply": by_groupby}
    for name, (module, function) in PEERS.items():
        if importlib.util.find_spec(module):
            summaries[name] = function
        else:
            print(f"{name:24} left out: {module} is not installed")
    table, summary = cycles_of(frame).table, by_groupby(frame)
    millions = len(frame) / 1e6
    functions = {name: partial(function, frame) for name, function in summaries.items()}
    took = {name: value / millions for name, value in median_ms(functions, ROUNDS).items()}
    for name, value in took.items():
        print(f"{name:24}{value:10.1f} ms per million rows {value / took['lagpdb']:8.1f} x")
    with tempfile.TemporaryDirectory(prefix="lagpdb-bench-") as folder:
        path = Path(folder) / "test.csv"
        frame.to_csv(path, index=False)
        loading = {name: partial(loaded, path, name, function) for name, function in summaries.items()}
        whole = {name: value / millions for name, value in median_ms(loading, 3).items()}
        size_MB = path.stat().st_size / 1e6
    for name, value in whole.items():
        words = f"{name}, csv of {size_MB:.0f} MB"
        print(f"{words:36}{value:10.1f} ms per million rows {value / whole['lagpdb']:8.1f} x")
    error = float(np.abs(table["discharge_capacity_mAh"] / test.truth["discharge_capacity_mAh"] - 1.0).max())
    efficiency = np.abs(table["coulombic_efficiency_fraction"] - test.truth["coulombic_efficiency_fraction"]).max()
    peer = float(np.abs(summary["discharge"].to_numpy() / test.truth["discharge_capacity_mAh"] - 1.0).max())
    print(f"largest relative error of a capacity: lagpdb {error:.1e}, groupby.apply {peer:.1e}; of CE {efficiency:.1e}")
    is_met = took["lagpdb"] <= GOAL_MS and error <= 1e-9
    print(f"goal: at most {GOAL_MS:g} ms per million rows and capacities exact to 1e-9: {'pass' if is_met else 'FAIL'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
