"""Memory that reading a long series takes, against the size of the file: ``python tests/benchmarks/reader_memory.py``.

Each file is read by a fresh child of the fence with its limits, exactly as an upload is; what counts is how far the
peak of its resident memory rises above the imported libraries, which stand in the table once. Numbers in UTF-8 with a
million rows and with about 300 MB, and the tester's csv of Chinese words in GBK. All are SYNTHETIC. Ends with 1 when a
file takes more than eight times its size, or is neither read nor refused with a sentence.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from measurements.fence import Fence, FenceError  # noqa: E402
from tests.benchmarks.installation import report  # noqa: E402
from tests.benchmarks.million_rows import csv_bytes  # noqa: E402
from tests.benchmarks.reader_speed import chinese_csv  # noqa: E402

GOAL = 8.0
LARGE_ROWS = 4_000_000


def resident_MB(pid: int, what: str) -> float:
    """Resident memory of a process: VmRSS now, VmHWM at its peak."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1000


def measured(path: Path, folder: Path) -> tuple[float, float, float, dict[str, Any]]:
    """Memory of the libraries and at the peak [MB], seconds, and the answer of the child."""
    fence = Fence()
    fence.start()
    child = fence._child
    assert child is not None
    few = path.with_name("few.csv")
    few.write_text("time_s,potential_V,current_A\n0,3.0,0.001\n1,3.1,0.001\n2,3.2,0.001\n")
    fence.parse(few, few.name, folder)  # every library is there now
    idle_MB = resident_MB(child.pid, "VmRSS")
    began = time.perf_counter()
    try:
        answer = fence.parse(path, path.name, folder)
        peak_MB = resident_MB(child.pid, "VmHWM")
    except FenceError as error:
        answer, peak_MB = {"sentence": str(error)}, float("inf")
    seconds = time.perf_counter() - began
    fence.stop()
    return idle_MB, peak_MB, seconds, answer


def main() -> int:
    """Print the table of figures."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="lagpdb-bench-") as name:
        folder = Path(name)
        numbers, large, chinese = (folder / file for file in ("numbers.csv", "large.csv", "chinese_gbk.csv"))
        numbers.write_bytes(csv_bytes(1_000_000, 1))
        large.write_bytes(csv_bytes(LARGE_ROWS, 2))
        chinese_csv(chinese, 1_000_000)
        for path in (numbers, large, chinese):
            size_MB = path.stat().st_size / 1e6
            idle_MB, peak_MB, seconds, answer = measured(path, folder)
            share = (peak_MB - idle_MB) / size_MB
            refused = answer.get("sentence") or answer.get("bug", "")
            points = sum(item["points"] for item in answer.get("recordings", []))
            print(f"{path.name}, {size_MB:.0f} MB: {refused or f'{points} rows in {seconds:.1f} s'}")
            title = f"{path.name}, {size_MB:.0f} MB; {idle_MB:.0f} MB of libraries, peak {peak_MB:.0f} MB"
            lines.append((title, f"{share:.1f} × the file", f"≤ {GOAL:g} ×", share <= GOAL and points > 0))
    return report("Memory of the child that reads", lines)


if __name__ == "__main__":
    raise SystemExit(main())
