"""From the POST of a million rows to its visible result, and how the site answers meanwhile.

    python tests/benchmarks/million_rows.py [--uploads 6] [--rows 1000000]

Celery with two processes, Redis and PostgreSQL on this machine, over HTTP with a token. Each csv is another one of
twelve columns, of a full cell that is cycled: its result is visible when the API gives a discharge capacity. Pages of a
small lab are asked one after the other by one browser, first while nothing else happens, then during the uploads. The
site, its workers, the database and both clients share the processors, and whatever else the machine does: read the
processor time and the ratio first. All data are SYNTHETIC.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import pyarrow as pa
import pyarrow.csv as pacsv
import requests

from tests.benchmarks.installation import Installation, api, django_here, installation, quantile, report
from tests.benchmarks.pages import fill, signed_in
from tests.benchmarks.series_store import best, table
from tests.benchmarks.upload_latency import multipart

GOAL_S, GOAL_RATIO, CYCLE_MS = 2.0, 2.0, 30.0
WORKING = {"received", "checking", "queued", "analysing"}


def count_on() -> None:
    """Let codes go on behind those that `fill` wrote without asking."""
    from lagpdb.records import CodeCounter

    for prefix in ("LOT", "PBT", "PEL", "CEL", "MEA", "UPB"):
        CodeCounter.objects.update_or_create(prefix=prefix, defaults={"last_number": 50_000})


def full_cell(site: Installation, token: str) -> str:
    """Make a full cell through the API; returns its code."""
    lot = api(site, token, "powder-lots/", {"material": "LAGP", "is_synthetic": True})
    batch = api(site, token, "pellet-batches/", {"powder_lot": lot["code"], "count": 1})
    pellet = api(site, token, f"pellets/?batch={batch['code']}")["results"][0]["code"]
    sheet = api(site, token, "electrode-lots/", {"material": "LFP", "loading_mg_cm2": 2.5, "diameter_mm": 10.0})["code"]
    cell = {"pellet": pellet, "configuration": "full", "electrode_diameter_mm": 10.0, "electrode_lot": sheet}
    return str(api(site, token, "cells/", cell)["code"])


def csv_bytes(rows: int, seed: int) -> bytes:
    """A cycler's csv, another one for each seed."""
    stream = io.BytesIO()
    pacsv.write_csv(pa.Table.from_pandas(table(rows, seed)), stream, pacsv.WriteOptions(quoting_style="none"))
    return stream.getvalue()


class Browser(threading.Thread):
    """Asks the pages of a lab by turns until it is told to stop; notes the milliseconds of each answer."""

    def __init__(self, session: requests.Session, addresses: list[str]) -> None:
        super().__init__(daemon=True)
        self.session, self.addresses = session, addresses
        self.taken_ms: list[float] = []
        self.has_ended = threading.Event()
        self.failure = ""

    def run(self) -> None:
        """Ask."""
        while not self.has_ended.is_set():
            for address in self.addresses:
                began = time.perf_counter()
                answer = self.session.get(address, timeout=60)
                self.taken_ms.append((time.perf_counter() - began) * 1000)
                if answer.status_code != 200:
                    self.failure = f"{address}: {answer.status_code}"
                time.sleep(0.02)  # a person reads

    def stop(self) -> list[float]:
        """The milliseconds of every answer."""
        self.has_ended.set()
        self.join()
        if self.failure:
            raise SystemExit(self.failure)
        return self.taken_ms


def upload(site: Installation, token: str, cell: str, content: bytes, name: str) -> tuple[float, float, str]:
    """Seconds until the answer to the POST, seconds until the result is there, and the code of the measurement."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=120)
    headers = {"Authorization": f"Token {token}"}

    def ask(path: str) -> dict:
        connection.request("GET", path, headers=headers)
        return json.loads(connection.getresponse().read())

    body, kind = multipart(name, content, cell)
    began = time.perf_counter()
    connection.request("POST", "/api/v1/uploads/", body, {**headers, "Content-Type": kind})
    noted = json.loads(connection.getresponse().read())
    received_s = time.perf_counter() - began
    path = f"/api/v1/uploads/{noted['code']}/"
    while (file := ask(path)["files"][0])["state"] in WORKING:
        time.sleep(0.05)
    if not file["measurements"]:
        raise SystemExit(f"{name}: {file}")
    code = file["measurements"][0]
    found = ask(f"/api/v1/results/?measurement={code}&quantity=discharge_capacity_mAh")
    if not found["results"] or not found["results"][0]["value"]:
        raise SystemExit(f"{name}: no result, {file}")
    return received_s, time.perf_counter() - began, code


def processor_s(site: Installation, name: str) -> float:
    """Processor time that the site or its workers have used, with their children; PostgreSQL's is not counted."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
                used[int(entry.name)] = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    ours = {site.children[name].pid}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(used.get(pid, 0.0) for pid in ours)


def plotted_cycle_ms(site: Installation, session: requests.Session, code: str) -> float:
    """Milliseconds over HTTP of the figure of a cycle that the run did not keep: both curves, thinned and drawn."""
    from analysis.models import AnalysisRun

    run = AnalysisRun.objects.get(measurement__code=code, analysis="cycling", is_current=True)
    kept = {part["cycle_number"] for part in run.curves["voltage"]}
    number = next(row["cycle_number"] for row in run.tables["cycles"][10:] if row["cycle_number"] not in kept)
    address = f"{site.url}/runs/{run.pk}/figures/voltage.json?cycles={number}"
    names = {trace["name"] for trace in session.get(address, timeout=60).json()["traces"]}
    if names != {f"cycle {number}"}:
        raise SystemExit(f"{address}: {names}")
    return best(lambda: session.get(address, timeout=60).content, 20)[0] * 1e3


def one_cycle_ms(site: Installation, token: str, code: str) -> tuple[float, float]:
    """Milliseconds over HTTP of one cycle of the recording, ready to plot (its envelope), and its rows."""
    address = (
        f"{site.url}/api/v1/measurements/{code}/recording/?cycle=17&columns=time_s,potential_V,current_A&envelope=4000"
    )
    session = requests.Session()
    session.headers["Authorization"] = f"Token {token}"
    answer = session.get(address, timeout=60)
    if answer.status_code != 200 or not answer.json()["row_count"]:
        raise SystemExit(f"{address}: {answer.status_code}")
    wall_s, _ = best(lambda: session.get(address, timeout=60).content, 20)
    return wall_s * 1e3, float(answer.json()["row_count"])


def told(alone: list[tuple[float, float, str]], busy: list[tuple[float, float, str]], quiet_ms: list[float],
         busy_ms: list[float], cycle: tuple[float, float, float]) -> int:  # fmt: skip
    """Print what was measured against the goals; returns the exit code."""
    cycle_ms, rows, plotted_ms = cycle
    ratio = quantile(busy_ms, 0.95) / quantile(quiet_ms, 0.95)
    fastest, middle = min(each[1] for each in alone), quantile([each[1] for each in alone], 0.5)
    print(f"pages asked {len(quiet_ms)} times alone: p50 {quantile(quiet_ms, 0.5):.0f} ms, "
          f"p95 {quantile(quiet_ms, 0.95):.0f} ms")  # fmt: skip
    print(f"pages asked {len(busy_ms)} times meanwhile: p50 {quantile(busy_ms, 0.5):.0f} ms, "
          f"p95 {quantile(busy_ms, 0.95):.0f} ms")  # fmt: skip
    print(f"answer to the POST {min(each[0] for each in alone):.2f} s; with a browser beside it, upload to result "
          f"{quantile([each[1] for each in busy], 0.5):.2f} s")  # fmt: skip
    lines = [
        ("upload to result, fastest", f"{fastest:.2f} s", f"≤ {GOAL_S} s", fastest <= GOAL_S),
        ("upload to result, median", f"{middle:.2f} s", f"≤ {GOAL_S} s", middle <= GOAL_S),
        ("p95 of other pages, meanwhile over alone", f"{ratio:.2f}", f"≤ {GOAL_RATIO}", ratio <= GOAL_RATIO),
        (f"one cycle ({rows:.0f} rows) over HTTP", f"{cycle_ms:.0f} ms", f"≤ {CYCLE_MS:.0f} ms", cycle_ms <= CYCLE_MS),
        ("the plot of one cycle over HTTP", f"{plotted_ms:.0f} ms", f"≤ {CYCLE_MS:.0f} ms", plotted_ms <= CYCLE_MS),
    ]
    return report("A million rows, from the upload to the page", lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=6, help="three alone, the others beside a browser")
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if arguments.uploads < 4:
        parser.error("At least four uploads are needed: three alone, one beside a browser.")
    contents = [csv_bytes(arguments.rows, seed) for seed in range(1, arguments.uploads + 2)]
    with installation(is_full=True) as site:
        site.serve()
        site.celery()
        token = site.run("create_token", "bench", "--scope", "write", "--days", "1")
        django_here(site)
        codes = fill(300, 1500)
        count_on()
        cell = full_cell(site, token)
        addresses = [
            site.url + path
            for path in ("/pellets/", "/cells/", "/measurements/", "/history/", f"/pellets/{codes['pellet']}/")
        ]
        upload(site, token, cell, contents[0], "first.csv")  # warms the child, the workers and the connections
        session = signed_in(site)
        for address in addresses:
            session.get(address, timeout=60)
        quiet = Browser(session, addresses)
        quiet.start()
        time.sleep(10)
        quiet_ms = quiet.stop()
        used_s = {name: processor_s(site, name) for name in site.children}
        alone = [upload(site, token, cell, content, f"alone {n}.csv") for n, content in enumerate(contents[1:4])]
        used_s = {name: (processor_s(site, name) - before) / len(alone) for name, before in used_s.items()}
        busy = Browser(session, addresses)
        busy.start()
        taken = [upload(site, token, cell, content, f"busy {n}.csv") for n, content in enumerate(contents[4:])]
        busy_ms = busy.stop()
        cycle = one_cycle_ms(site, token, alone[0][2])
        plotted_ms = plotted_cycle_ms(site, session, alone[0][2])
    words = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in used_s.items())
    print(f"{arguments.rows} rows, {len(contents[0]) / 1e6:.0f} MB; processor time of one upload: {words}; "
          f"load of the machine {os.getloadavg()[0]:.1f}")  # fmt: skip
    return told(alone, taken, quiet_ms, busy_ms, (*cycle, plotted_ms))


if __name__ == "__main__":
    sys.exit(main())
