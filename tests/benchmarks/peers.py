"""Load and cycle summary of one file, against other tools: ``python tests/benchmarks/peers.py --navani PYTHON …``.

Each tool wants versions of its own, so each lives in an environment of its own, whose interpreter is named:
``--navani``, ``--toolkit`` (battery-data-toolkit; it needs pandas below 3) and ``--pyprobe`` (PyProBE-Data); what is
not named is left out, and said. Every tool reads a file of a layout that it and lagpdb both know: csv of Arbin, Neware
and BDF, written here and SYNTHETIC, and files of LAGPDB_REAL_DATA where they are there. All take turns, each in a
process that has done it once before. Judged is the ratio of the processor's time for the files written here: real ones
are short, and tools keep very different parts of them. The capacities of all are compared with the truth; of real
files, with ours.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from analysis.science.synthetic_cycling import cycling_test, faded_capacities_mAh  # noqa: E402

GOAL = 1.0  # of the processor; on the files written here no tool may be faster
ROUNDS = 5
# What each child runs: `summary(path)` gives the discharge capacity of every cycle in mAh.
_LOOP = """
import json, sys, time
for line in sys.stdin:
    begin, used = time.perf_counter(), time.process_time()
    found = summary(line.strip())
    took = time.perf_counter() - begin, time.process_time() - used
    print("ANSWER" + json.dumps([*took, [float(value) for value in found]]), flush=True)
"""
_OURS = """
import os, sys
from pathlib import Path
sys.path.insert(0, os.getcwd())
from analysis.science.cycles import cycles_of
from measurements.readers.recognise import read_file
def summary(path):
    recording = read_file(Path(path), Path(path).name)[1][0]
    return cycles_of(recording.frame).table["discharge_capacity_mAh"]
"""
_NAVANI = """
import warnings
warnings.simplefilter("ignore")
from navani.echem import cycle_summary, echem_file_loader
def summary(path):
    return cycle_summary(echem_file_loader(path))["Discharge Capacity"]
"""
_TOOLKIT = """
import warnings
warnings.simplefilter("ignore")
from battdat.data import BatteryDataset
from battdat.io.arbin import ArbinReader
from battdat.postprocess.integral import CapacityPerCycle
def summary(path):
    data = BatteryDataset.make_cell_dataset(raw_data=ArbinReader().read_file(path))
    return CapacityPerCycle().compute_features(data)["capacity_discharge"] * 1e3
"""
_PYPROBE = """
import contextlib, io, os, pyprobe, tempfile, warnings
from pyprobe.analysis import cycling
warnings.simplefilter("ignore")
def summary(path):
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        cell = pyprobe.Cell(info={})
        cell.import_from_cycler(
            procedure_name="test", cycler="neware", input_data_path=path,
            output_data_path=os.path.join(folder, "test.parquet"),
        )
        return cycling.summary(cell.procedure["test"]).data["Discharge Capacity [Ah]"].to_numpy() * 1e3
"""
PEERS = {"navani": _NAVANI, "toolkit": _TOOLKIT, "pyprobe": _PYPROBE}
REAL = {
    "navani": [
        "cycling/nw4-120-1-6-53.ndax",
        "symmetric/gcpl.mpr",
        "cycling/250116_kigr_gen6_01_02_GCPL_CD8.mpr",
    ],
    "toolkit": ["cycling/arbin_example.csv"],
    "pyprobe": ["cycling/neware_uio.csv"],
}


class Child:
    """A tool in a process of its own that answers with its times [s] and capacities [mAh]."""

    def __init__(self, python: str, program: str) -> None:
        self._process = subprocess.Popen(
            [python, "-c", program + _LOOP], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def summary(self, path: Path) -> tuple[float, float, list[float]] | None:
        """Time by the clock, processor time, capacities; None if the tool gave up on the file."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("ANSWER"):
                clock_s, used_s, capacities = json.loads(line.removeprefix("ANSWER"))
                return clock_s, used_s, capacities
        return None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def written(folder: Path, cycles: int, points: int) -> tuple[dict[str, Path], np.ndarray[Any, Any]]:
    """A csv for each tool, in a layout of Arbin, Neware and BDF, and the discharge capacities in it [mAh]."""
    test = cycling_test(
        faded_capacities_mAh(0.3, 0.8, cycles), 0.995, 0.15, rng=np.random.default_rng(1), points_per_half=points,
        rest_s=0.0, first_rest_s=0.0, counter="step", current_noise_fraction=0.0,
    )  # fmt: skip
    frame = test.frame
    time, current, potential = (frame[name].to_numpy() for name in ("time_s", "current_A", "potential_V"))
    step, counted = frame["step_number"].to_numpy(), frame["step_capacity_mAh"].to_numpy() / 1000.0
    charge, discharge = np.where(current > 0, counted, 0.0), np.where(current < 0, counted, 0.0)
    date = pd.Timestamp("2026-01-01") + pd.to_timedelta(time, unit="s")
    common = {"Cycle": frame["cycle_number"], "Step": step}
    tables = {
        "toolkit": pd.DataFrame({
            "Data_Point": np.arange(1, len(time) + 1), "Test_Time": time, "DateTime": 1.7e9 + time,
            "Step_Index": common["Step"], "Cycle_Index": common["Cycle"], "Current": current, "Voltage": potential,
            "Charge_Capacity": charge, "Discharge_Capacity": discharge, "Internal_Resistance": 0.0,
            "Temperature": 25.0,
        }),
        "pyprobe": pd.DataFrame({
            "DataPoint": np.arange(1, len(time) + 1), "Cycle Index": common["Cycle"],
            "Step Index": np.where(current > 0, 1, 2),  # of the program, so that it repeats
            "Step Type": np.where(current > 0, "CC Chg", "CC DChg"), "Current(A)": current, "Voltage(V)": potential,
            "Chg. Cap.(Ah)": charge, "DChg. Cap.(Ah)": discharge,
            "Date": date.strftime("%Y-%m-%d %H:%M:%S.%f"),
        }),
        "navani": pd.DataFrame({
            "Test Time / s": time, "Voltage / V": potential, "Current / A": current,
            "Cycle Count / 1": common["Cycle"], "Step Count / 1": common["Step"],
        }),
    }  # fmt: skip
    names = {"toolkit": "arbin.csv", "pyprobe": "neware.csv", "navani": "test.bdf.csv"}
    for name, table in tables.items():
        table.to_csv(folder / names[name], index=False)
    return {name: folder / file for name, file in names.items()}, np.asarray(test.truth["discharge_capacity_mAh"])


def agreement(capacities: list[float], truth: Any) -> str:
    """How far capacities are from the truth, in words."""
    found = np.asarray(capacities)
    if len(found) != len(truth):
        return f"{len(found)} cycles instead of {len(truth)}"
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.nanmax(np.abs(found / np.asarray(truth) - 1.0)[np.asarray(truth) > 0], initial=0.0)
    return f"off by {100 * off:.2g} %" if off > 1e-6 else "equal"


def compare(name: str, peer: Child, path: Path, truth: Any, rounds: int) -> float | None:
    """Print times and capacities of both for one file; the ratio of the processor's time."""
    ours = Child(sys.executable, _OURS)
    children = {"lagpdb": ours, name: peer}
    try:
        answers = {tool: [child.summary(path)] for tool, child in children.items()}
        for _ in range(rounds):
            for tool, child in children.items():
                answers[tool].append(child.summary(path) if answers[tool][-1] else None)
    finally:
        ours.close()
    if not all(answers[name]):
        print(f"{path.name}: {name} cannot read it")
        return None
    warm = {tool: [answer for answer in given[1:] if answer] for tool, given in answers.items()}
    clock = {tool: min(answer[0] for answer in given) for tool, given in warm.items()}
    used = {tool: min(answer[1] for answer in given) for tool, given in warm.items()}
    truth = truth if truth is not None else warm["lagpdb"][0][2]
    print(f"{path.name}, {path.stat().st_size / 1e6:.1f} MB")
    for tool, given in warm.items():
        times = f"clock {1e3 * clock[tool]:8.1f} ms, processor {1e3 * used[tool]:8.1f} ms"
        print(f"  {tool:<8} {times}; capacities {agreement(given[0][2], truth)}")
    by_clock, by_processor = clock[name] / clock["lagpdb"], used[name] / used["lagpdb"]
    print(f"  {name} takes {by_clock:.1f} × our time by the clock, {by_processor:.1f} × of the processor")
    return by_processor


def main() -> int:
    """Print the table; 1 if a tool was faster than lagpdb, 2 if none was named."""
    options = argparse.ArgumentParser(description=__doc__)
    for name in PEERS:
        options.add_argument(f"--{name}", metavar="PYTHON", help=f"interpreter of the environment that has {name}")
    options.add_argument("--cycles", type=int, default=100)
    options.add_argument("--points", type=int, default=1000, help="rows of each half-cycle")
    options.add_argument("--rounds", type=int, default=ROUNDS)
    given = options.parse_args()
    named = {name: getattr(given, name) for name in PEERS if getattr(given, name)}
    if not named:
        print("Name at least one tool: --navani, --toolkit or --pyprobe with the Python that has it.")
        return 2
    data = (ROOT / os.environ.get("LAGPDB_REAL_DATA", "../shared/data")).resolve()
    ratios: list[float] = []
    with tempfile.TemporaryDirectory(prefix="lagpdb-bench-") as folder:
        files, truth = written(Path(folder), given.cycles, given.points)
        print(
            f"SYNTHETIC csv of {2 * given.cycles * given.points} rows, {given.cycles} cycles; real files by their names"
        )
        for name, program in PEERS.items():
            if name not in named:
                print(f"{name} left out: no interpreter named")
                continue
            wanted = [(files[name], truth), *((data / path, None) for path in REAL[name] if (data / path).exists())]
            for path, known in wanted:
                peer = Child(named[name], program)
                try:
                    ratio = compare(name, peer, path, known, given.rounds)
                finally:
                    peer.close()
                ratios += [ratio] if ratio and known is not None else []
    print(f"smallest ratio {min(ratios):.1f} (goal: no tool faster, {GOAL:g})" if ratios else "nothing was compared")
    return int(not ratios or min(ratios) < GOAL)


if __name__ == "__main__":
    sys.exit(main())
