"""Speed of the readers of long time series: ``python tests/benchmarks/reader_speed.py``.

Generated files, read by the same path as an upload, in one process and one thread as in the child of the fence: a csv
of a million rows of numbers, a csv of Chinese names in GBK with times and words as text, and an Excel workbook. The
best of several runs counts, because whatever else the computer does can only slow a run down; processor time is judged,
which is what an idle computer takes, and the time by the clock stands beside it. All are SYNTHETIC.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ARROW_NUM_THREADS", "1")

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from measurements.readers.recognise import read_file  # noqa: E402
from tests.benchmarks.installation import report  # noqa: E402

EVERY_S = 5.0
STEP_ROWS = 1000


def table(rows: int) -> pd.DataFrame:
    """Charge and discharge by turns, one step of `STEP_ROWS` after the other."""
    i = np.arange(rows)
    step, within = i // STEP_ROWS, i % STEP_ROWS
    sign = np.where(step % 2 == 0, 1.0, -1.0)
    t = EVERY_S * (within + 1)
    noise = np.random.default_rng(20240611).normal(0, 1e-4, rows)
    return pd.DataFrame({
        "record": i + 1,
        "time_s": EVERY_S * (i + 1),
        "step_time_s": t,
        "cycle": step // 2 + 1,
        "step": step + 1,
        "potential_V": np.round(3.5 + sign * 0.5 * within / STEP_ROWS + noise, 5),
        "current_mA": sign * 0.5,
        "capacity_mAh": np.round(0.5 * t / 3600, 7),
        "energy_mWh": np.round(0.5 * t / 3600 * 3.5, 7),
    })  # fmt: skip


def numeric_csv(path: Path, rows: int) -> None:
    """Eleven columns of numbers, UTF-8."""
    data = table(rows)
    data["temperature_degC"] = np.round(25 + np.random.default_rng(1).normal(0, 0.1, rows), 3)
    data["power_mW"] = np.round(data["potential_V"] * data["current_mA"], 6)
    names = ["Data_Point", "Test_Time(s)", "Step_Time(s)", "Cycle_Index", "Step_Index", "Voltage(V)", "Current(mA)",
             "Capacity(mAh)", "Energy(mWh)", "Temperature(C)", "Power(mW)"]  # fmt: skip
    data.to_csv(path, index=False, header=names)


def chinese_csv(path: Path, rows: int) -> None:
    """A LAND export: names in GBK, times with hours beyond 24, dates, and Chinese words in every row."""
    data = table(rows)
    moments = pd.Timestamp("2024-03-30") + pd.to_timedelta(data["time_s"], unit="s")
    out = pd.DataFrame({
        "记录序号": data["record"],
        "测试时间": _clock(data["time_s"]),
        "步骤时间": _clock(data["step_time_s"]),
        "电流/mA": data["current_mA"],
        "容量/mAh": data["capacity_mAh"],
        "电压/V": data["potential_V"],
        "能量/mWh": data["energy_mWh"],
        "系统时间": moments.dt.strftime("%Y-%m-%d %H:%M:%S"),
        "循环序号": data["cycle"],
        "工步序号": data["step"],
        "工步状态": np.where(data["current_mA"] > 0, "恒流充电", "恒流放电"),
    })  # fmt: skip
    out.to_csv(path, index=False, encoding="gb18030")


def _clock(seconds: pd.Series) -> list[str]:
    whole = seconds.astype(int)
    parts = zip(whole // 3600, whole // 60 % 60, whole % 60, strict=True)
    return [f"{hours}:{minutes:02d}:{rest:02d}.000" for hours, minutes, rest in parts]


def workbook(path: Path, rows: int) -> None:
    """A sheet of the nine columns of `table`."""
    names = ["Record", "Test_Time(s)", "Step_Time(s)", "Cycle_Index", "Step_Index", "Voltage(V)", "Current(mA)",
             "Capacity(mAh)", "Energy(mWh)"]  # fmt: skip
    table(rows).to_excel(path, index=False, header=names)


def best_s(path: Path, rows: int, runs: int) -> tuple[float, float]:
    """Processor and clock seconds of the fastest of some readings; the numbers must be there."""
    found, clocks = [], []
    for _ in range(runs):
        used, begin = time.process_time(), time.perf_counter()
        recordings = read_file(path, path.name)[1]
        clocks.append(time.perf_counter() - begin)
        found.append(time.process_time() - used)
        frame = recordings[0].frame
        if len(frame) != rows or not np.isclose(frame["time_s"].iloc[-1], EVERY_S * rows):
            raise SystemExit(f"{path.name} was not read truly.")
    return min(found), min(clocks)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sheet-rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory(prefix="lagpdb-bench-") as folder:
        for name, write, goal in (("numbers.csv", numeric_csv, 150), ("chinese_gbk.csv", chinese_csv, 40)):
            path = Path(folder) / name
            write(path, arguments.rows)
            size_MB = path.stat().st_size / 1e6
            used_s, clock_s = best_s(path, arguments.rows, arguments.runs)
            speed = size_MB / used_s
            title = f"{name}, {size_MB:.0f} MB; by the clock {size_MB / clock_s:.0f} MB/s"
            lines.append((title, f"{speed:.0f} MB/s", f"≥ {goal} MB/s", speed >= goal))
        path = Path(folder) / "sheet.xlsx"
        workbook(path, arguments.sheet_rows)
        cells = 9 * arguments.sheet_rows
        used_s, clock_s = best_s(path, arguments.sheet_rows, arguments.runs)
        speed, title = cells / used_s, f"sheet.xlsx, {cells} cells; by the clock {cells / clock_s:.2e} cells/s"
        lines.append((title, f"{speed:.2e} cells/s", "≥ 8e5 cells/s", speed >= 8e5))
    return report("Readers of long time series, best of several runs", lines)


if __name__ == "__main__":
    raise SystemExit(main())
