"""How fast the list of results answers, over HTTP, with a token, on PostgreSQL and 100 000 results.

    python tests/benchmarks/api_results.py [--results 100000] [--seconds 8]

Starts a PostgreSQL and a granian of its own on free ports of 127.0.0.1, and ends both. Prints one table with goals.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests import servers  # noqa: E402

QUANTITIES = (
    "ionic_conductivity_S_cm", "total_resistance_ohm", "interfacial_asr_ohm_cm2", "overpotential_mV",
    "critical_current_density_mA_cm2", "discharge_specific_capacity_mAh_g", "coulombic_efficiency_fraction",
    "activation_energy_eV", "lithium_transference_number", "capacity_retention_fraction",
)  # fmt: skip
CELLS = 2000
MOST_PER_INSERT = 5000


# -- rows --------------------------------------------------------------------------------------------------------------
def fill(count: int) -> dict[str, str]:
    """Make the lab: 20 lots, 200 batches, 2 000 pellets and cells, and `count` results. Returns token and a lot."""
    from django.contrib.auth import get_user_model

    from lagpdb.tokens import make_token
    from measurements.models import Measurement
    from samples.models import Cell, Coating, Material, Pellet, PelletBatch, PowderLot, SputterRun

    dice = random.Random(20260311)
    lagp, _ = Material.objects.get_or_create(code="LAGP", defaults={"name": "LAGP", "theoretical_density_g_cm3": 3.42})
    cus, _ = Material.objects.get_or_create(code="CuS", defaults={"name": "CuS"})
    lots = PowderLot.objects.bulk_create(PowderLot(code=f"LOT-{n:04d}", material=lagp) for n in range(1, 21))
    batches = PelletBatch.objects.bulk_create(
        PelletBatch(code=f"PBT-{n:04d}", powder_lot=lots[n % 20], sinter_temperature_degC=850 + 10 * (n % 10))
        for n in range(1, 201)
    )
    pellets = Pellet.objects.bulk_create(
        Pellet(code=f"PEL-{n:04d}", batch=batches[n % 200], thickness_um=dice.gauss(800, 30), diameter_mm=12.0)
        for n in range(1, CELLS + 1)
    )
    runs = SputterRun.objects.bulk_create(
        SputterRun(code=f"SPT-{n:04d}", target=cus, duration_min=dice.choice([5.0, 10.0, 15.0, 20.0]))
        for n in range(1, 201)
    )
    Coating.objects.bulk_create(
        Coating(sputter_run=runs[n % 200], pellet=pellet, face=face)
        for n, pellet in enumerate(pellets)
        if n % 2
        for face in "AB"
    )
    cells = Cell.objects.bulk_create(
        Cell(
            code=f"CEL-{n:04d}",
            pellet=pellet,
            configuration="symmetric",
            electrode_diameter_mm=10.0,
            is_coated=bool(n % 2),
        )
        for n, pellet in enumerate(pellets, start=1)
    )
    measurements = Measurement.objects.bulk_create(
        Measurement(code=f"MEA-{n:05d}", kind="eis", cell=cells[n % CELLS], temperature_degC=25.0)
        for n in range(1, count // 10 + 1)
    )
    _results(measurements, cells, dice, count)
    person = get_user_model().objects.create_user("bench", password="a long password", is_superuser=True)
    return {"token": make_token(person, "read")[0], "lot": lots[7].code, "batch": batches[7].code}


def _results(measurements: list[Any], cells: list[Any], dice: random.Random, count: int) -> None:
    from analysis.models import AnalysisRun, Result

    by_id = {cell.pk: cell for cell in cells}
    runs = AnalysisRun.objects.bulk_create(
        AnalysisRun(
            analysis="conductivity", version=1, measurement=item, state="succeeded", job_state="ended", is_current=True
        )
        for item in measurements
    )
    rows = (
        Result(
            run=runs[n // len(QUANTITIES)],
            measurement=measurements[n // len(QUANTITIES)],
            cell_id=measurements[n // len(QUANTITIES)].cell_id,
            pellet_id=by_id[measurements[n // len(QUANTITIES)].cell_id].pellet_id,
            quantity=QUANTITIES[n % len(QUANTITIES)],
            position=n,
            value=dice.lognormvariate(0, 1),
            uncertainty=0.01,
            unit="1",
            acceptance="accepted",
            temperature_degC=25.0,
        )
        for n in range(count)
    )
    Result.objects.bulk_create(rows, batch_size=MOST_PER_INSERT)


# -- the site ----------------------------------------------------------------------------------------------------------
def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def site(environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """A granian with two worker processes; gives its port and process id."""
    port = _free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "2"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", "lagpdb.wsgi:application"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# -- measuring ---------------------------------------------------------------------------------------------------------
class Caller:
    """One client with a connection that stays open."""

    def __init__(self, port: int, token: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers = {"Authorization": f"Token {token}"}

    def get(self, path: str) -> tuple[float, bytes]:
        """Milliseconds and body."""
        begin = time.perf_counter()
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {content[:300]!r}")
        return (time.perf_counter() - begin) * 1000, content


def cpu_ms(pid: int) -> float:
    """Processor time of the site so far: what a request costs, however busy the machine is with other things."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parts = stat.read_text().rpartition(")")[2].split()
            if pid in (int(stat.parent.name), int(parts[1])):
                total += int(parts[11]) + int(parts[12])
    return total * 1000 / os.sysconf("SC_CLK_TCK")


def alone(port: int, token: str, path: str, seconds: float) -> tuple[float, float, int, int]:
    """p50 and p95 in ms of one client, the rows per page, and how many calls were made."""
    caller = Caller(port, token)
    for _ in range(20):
        caller.get(path)
    _, content = caller.get(path)
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        times.append(caller.get(path)[0])
    rows = len(json.loads(content)["results"])
    return statistics.median(times), statistics.quantiles(times, n=20)[18], rows, len(times) + 21


def together(port: int, token: str, path: str, seconds: float, clients: int = 4) -> float:
    """Requests per second of several clients at once: by wrk where it is installed."""
    address = f"http://127.0.0.1:{port}{path}"
    if wrk := shutil.which("wrk"):
        command = [wrk, "-t2", f"-c{clients}", f"-d{seconds:.0f}s", "-H", f"Authorization: Token {token}", address]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return float(text.split("Requests/sec:")[1].split()[0])
    counts, end = [0] * clients, time.monotonic() + seconds

    def work(number: int) -> None:
        caller = Caller(port, token)
        while time.monotonic() < end:
            caller.get(path)
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def main() -> None:
    """Fill, serve, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--results", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=8.0)
    chosen = options.parse_args()
    with servers.postgres(own=True) as database, tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "LAGPDB_DATABASE_URL": database.url,
            "LAGPDB_DATA_DIR": folder,
            "LAGPDB_REDIS_URL": "",
            "DJANGO_SETTINGS_MODULE": "lagpdb.settings",
        }
        os.environ.pop("LAGPDB_DEBUG", None)
        (Path(folder) / "static").mkdir()
        import django
        from django.core.management import call_command
        from django.db import connection

        django.setup()
        call_command("migrate", verbosity=0)
        begin = time.monotonic()
        known = fill(chosen.results)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        connection.close()
        print(f"{chosen.results} results in {time.monotonic() - begin:.0f} s", flush=True)
        with site(dict(os.environ)) as (port, pid):
            measure(port, pid, known, chosen.seconds)


def measure(port: int, pid: int, known: dict[str, str], seconds: float) -> None:
    """The table."""
    usual = {"quantity": QUANTITIES[0], "value__range": "0.5,2", "powder_lot": known["lot"], "limit": 100}
    questions = {
        "quantity, range, powder lot": usual,
        "quantity, newest": {"quantity": QUANTITIES[0], "limit": 100},
        "all, newest": {"limit": 100},
        "coated 5-15 min": {"quantity": QUANTITIES[4], "sputter_run__duration_min__range": "5,15", "limit": 100},
        "by value": {"quantity": QUANTITIES[0], "ordering": "-value", "limit": 100},
        "8 fields": usual | {"fields": "quantity,value,uncertainty,unit,flag,subject,measurement,label"},
    }
    token = known["token"]
    print(
        f"{'GET results/':30} {'rows':>5} {'p50 ms':>8} {'p95 ms':>8} {'4 clients/s':>12} {'web CPU ms':>11}",
        flush=True,
    )
    for name, query in questions.items():
        path = f"/api/v1/results/?{urlencode(query)}"
        alone(port, token, path, 0.5)  # both processes have imported what they need, and the tables are in memory
        before = cpu_ms(pid)
        p50, p95, rows, calls = alone(port, token, path, seconds / 2)
        each = (cpu_ms(pid) - before) / calls
        rate = together(port, token, path, seconds / 2)
        print(f"{name:30} {rows:5} {p50:8.1f} {p95:8.1f} {rate:12.0f} {each:11.1f}", flush=True)
    print(f"{'goal':30} {'':5} {'<= 15':>8} {'<= 40':>8} {'>= 150':>12}")


if __name__ == "__main__":
    main()
