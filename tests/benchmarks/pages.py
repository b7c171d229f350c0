"""How fast the pages of a large lab answer: lists, a pellet with its genealogy, search; on PostgreSQL, over HTTP.

    python tests/benchmarks/pages.py [--pellets 10000] [--measurements 50000] [--times 40]

Makes 10 000 pellets with as many cells and 50 000 measurements with a number each, and asks each page in turn.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import requests

from tests.benchmarks.installation import Installation, django_here, installation, quantile, report

MOST = 5000  # rows per insert
LIST_MS, PELLET_MS, SEARCH_MS = 250.0, 350.0, 200.0
SUPPLIERS = ("Example Powders", "North Ceramics", "Hill and Daughters", "Bright Salts")


def fill(pellets: int, measurements: int) -> dict[str, str]:
    """Make the lab; returns codes to ask for."""
    from django.contrib.auth import get_user_model

    from analysis.models import AnalysisRun, Result
    from measurements.models import Measurement, MeasurementFile, RawFile, Upload, UploadFile
    from samples.models import Cell, Coating, Conversion, Material, Pellet, PelletBatch, PowderLot, SputterRun

    dice = random.Random(20260311)
    lagp, cus = Material.objects.get(code="LAGP"), Material.objects.get(code="CuS")
    person = get_user_model().objects.get(username="bench")
    lots = PowderLot.objects.bulk_create(
        PowderLot(code=f"LOT-{n:04d}", material=lagp, supplier=dice.choice(SUPPLIERS), supplier_lot=f"22-{n}")
        for n in range(1, 51)
    )
    batches = PelletBatch.objects.bulk_create(
        PelletBatch(code=f"PBT-{n:04d}", powder_lot=lots[n % 50], powder_mass_mg=500.0)
        for n in range(1, pellets // 10 + 1)
    )
    made = Pellet.objects.bulk_create(
        (
            Pellet(
                code=f"PEL-{n:04d}", batch=batches[n // 10 % len(batches)], thickness_um=dice.gauss(800, 30),
                diameter_mm=12.0, mass_mg=290.0, notes="slightly yellow after sintering" if n % 100 == 0 else "",
            )
            for n in range(1, pellets + 1)
        ),
        batch_size=MOST,
    )  # fmt: skip
    runs = SputterRun.objects.bulk_create(
        SputterRun(code=f"SPT-{n:04d}", target=cus, power_W=80.0, duration_min=dice.choice([5.0, 10.0, 15.0]))
        for n in range(1, pellets // 10 + 1)
    )
    conversions = Conversion.objects.bulk_create(
        (Conversion(code=f"CNV-{n:04d}", pellet=pellet, faces="AB") for n, pellet in enumerate(made[::4], start=1)),
        batch_size=MOST,
    )
    of_pellet = {conversion.pellet_id: conversion for conversion in conversions}
    Coating.objects.bulk_create(
        (
            Coating(sputter_run=runs[n % len(runs)], pellet=pellet, face=face, conversion=of_pellet.get(pellet.pk))
            for n, pellet in enumerate(made)
            if n % 2 == 0
            for face in "AB"
        ),
        batch_size=MOST,
    )
    cells = Cell.objects.bulk_create(
        (
            Cell(
                code=f"CEL-{n:04d}", pellet=pellet, configuration=("blocking", "symmetric")[n % 2],
                electrode_diameter_mm=10.0, notation="Li|Li₂S/Cu@LAGP@Li₂S/Cu|Li" if n % 2 else "Ag|LAGP|Ag",
                is_coated=bool(n % 2), state="finished",
            )
            for n, pellet in enumerate(made, start=1)
        ),
        batch_size=MOST,
    )  # fmt: skip
    raws = RawFile.objects.bulk_create(
        (
            RawFile(sha256=f"{n:064x}", size_bytes=1000, original_name=f"run_{n}.mpt", reader="eclab", reader_version=1)
            for n in range(measurements)
        ),
        batch_size=MOST,
    )
    taken = Measurement.objects.bulk_create(
        (
            Measurement(
                code=f"MEA-{n:05d}", kind="eis", cell=cells[n % len(cells)], temperature_degC=25.0, operator=person,
                point_count=70,
            )
            for n in range(1, measurements + 1)
        ),
        batch_size=MOST,
    )  # fmt: skip
    MeasurementFile.objects.bulk_create(
        (MeasurementFile(measurement=item, raw_file=raw) for item, raw in zip(taken, raws, strict=True)),
        batch_size=MOST,
    )
    upload = Upload.objects.create(code="UPB-0001")
    UploadFile.objects.bulk_create(
        (
            UploadFile(upload=upload, raw_file=raw, name=raw.original_name, state="done", job_state="ended")
            for raw in raws
        ),
        batch_size=MOST,
    )
    _numbers(AnalysisRun, Result, taken, {cell.pk: cell for cell in cells}, dice)
    return {"pellet": made[pellets // 2].code, "cell": cells[pellets // 2].code, "lot": lots[7].code}


def _numbers(run_model: Any, result_model: Any, taken: list[Any], cells: dict[int, Any], dice: random.Random) -> None:
    runs = run_model.objects.bulk_create(
        (
            run_model(
                analysis="conductivity", version=1, measurement=item, state="succeeded", job_state="ended",
                is_current=True,
            )
            for item in taken
        ),
        batch_size=MOST,
    )  # fmt: skip
    result_model.objects.bulk_create(
        (
            result_model(
                run=run, measurement=item, cell_id=item.cell_id, pellet_id=cells[item.cell_id].pellet_id,
                quantity="ionic_conductivity_S_cm", value=dice.lognormvariate(-8.3, 0.4), uncertainty=1e-6,
                unit="S cm⁻¹", acceptance="accepted", temperature_degC=25.0,
            )
            for run, item in zip(runs, taken, strict=True)
        ),
        batch_size=MOST,
    )  # fmt: skip


def signed_in(site: Installation) -> requests.Session:
    """A browser's session."""
    session = requests.Session()
    session.get(f"{site.url}/login/", timeout=30)
    session.headers["Referer"] = site.url
    form = {
        "login": "bench",
        "password": site.environment["DJANGO_SUPERUSER_PASSWORD"],
        "csrfmiddlewaretoken": session.cookies["lagpdb_csrftoken"],
    }
    session.post(f"{site.url}/login/", data=form, timeout=30).raise_for_status()
    return session


def asked(session: requests.Session, address: str, times: int) -> tuple[float, float]:
    """p50 and p95 of one page [ms], after two calls that do not count."""
    taken = []
    for number in range(times + 2):
        began = time.perf_counter()
        answer = session.get(address, timeout=60)
        if answer.status_code != 200:
            raise SystemExit(f"{address}: {answer.status_code}")
        if number > 1:
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken), quantile(taken, 0.95)


def main() -> int:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pellets", type=int, default=10_000)
    parser.add_argument("--measurements", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=40)
    arguments = parser.parse_args()
    with installation(is_full=True) as site:
        django_here(site)
        codes = fill(arguments.pellets, arguments.measurements)
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # as the server does by itself after a while
        site.serve()
        session = signed_in(site)
        pages = [
            ("pellets", "/pellets/", LIST_MS),
            ("pellets of one lot, by thickness", f"/pellets/?powder_lot={codes['lot']}&ordering=thickness_um", LIST_MS),
            ("pellets by sputter time", "/pellets/?sputter_run__duration_min__gte=10", LIST_MS),
            ("cells", "/cells/", LIST_MS),
            ("cells, page 150", "/cells/?page=150", LIST_MS),
            ("measurements", "/measurements/", LIST_MS),
            ("results above a value", "/results/?quantity=ionic_conductivity_S_cm&value__gt=3e-4", LIST_MS),
            ("history", "/history/", LIST_MS),
            ("pellet with genealogy", f"/pellets/{codes['pellet']}/", PELLET_MS),
            ("its tree, whole lot", f"/pellets/{codes['pellet']}/tree/?view=lot", PELLET_MS),
            ("search: part of a note", "/search/?q=slightly+yellow", SEARCH_MS),
            ("search: file name", "/search/?q=run_4711", SEARCH_MS),
            ("search: supplier", "/search/?q=North+Ceramics", SEARCH_MS),
            ("search: question", "/search/?q=sigma+%3E+3e-4", SEARCH_MS),
        ]
        rows = []
        for name, path, goal in pages:
            p50, p95 = asked(session, site.url + path, arguments.times)
            rows.append((name, f"{p50:.0f} / {p95:.0f} ms", f"p95 ≤ {goal:.0f} ms", p95 <= goal))
        return report(f"{arguments.pellets} pellets and cells, {arguments.measurements} measurements: p50 / p95", rows)


if __name__ == "__main__":
    sys.exit(main())
