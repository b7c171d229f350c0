"""Time from the POST of one impedance file to its final result in the API, with an idle worker.

    python tests/benchmarks/upload_latency.py [number of files]

Once with Celery, Redis and PostgreSQL, once with the supervised worker and SQLite; over HTTP, with a token.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.benchmarks.installation import Installation, api, installation, quantile, report
from tests.benchmarks.spectra import spectrum_csv


def blocking_cell(site: Installation, token: str) -> str:
    """Make a cell through the API; returns its code."""
    lot = api(site, token, "powder-lots/", {"material": "LAGP", "is_synthetic": True})
    batch = api(site, token, "pellet-batches/", {"powder_lot": lot["code"], "count": 1})
    pellet = api(site, token, f"pellets/?batch={batch['code']}")["results"][0]["code"]
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    body = json.dumps({"thickness_um": 800.0, "thickness_uncertainty_um": 4.0, "diameter_mm": 15.0})
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    connection.request("PATCH", f"/api/v1/pellets/{pellet}/", body, headers)
    assert connection.getresponse().status == 200
    cell = {"pellet": pellet, "configuration": "blocking", "electrode_diameter_mm": 10.0}
    return str(api(site, token, "cells/", cell)["code"])


def multipart(name: str, content: bytes, subject: str) -> tuple[bytes, str]:
    """The body of an upload form, and its content type."""
    mark = uuid.uuid4().hex
    fields = (
        f'--{mark}\r\nContent-Disposition: form-data; name="subject"\r\n\r\n{subject}\r\n'
        f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return fields.encode() + content + f"\r\n--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def measure(site: Installation, count: int) -> list[float]:
    """Seconds from the beginning of each POST until its conductivity is there."""
    token = site.run("create_token", "bench", "--scope", "write", "--days", "1")
    cell = blocking_cell(site, token)
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    headers = {"Authorization": f"Token {token}"}

    def ask(path: str) -> dict:
        connection.request("GET", path, headers=headers)
        return json.loads(connection.getresponse().read())

    seconds = []
    for number in range(count + 5):
        body, kind = multipart(f"spectrum {number}.csv", spectrum_csv(25.0, number), cell)
        began = time.perf_counter()
        connection.request("POST", "/api/v1/uploads/", body, {**headers, "Content-Type": kind})
        upload = json.loads(connection.getresponse().read())
        path = f"/api/v1/uploads/{upload['code']}/"
        while (file := ask(path)["files"][0])["state"] in {"received", "checking", "queued", "analysing"}:
            time.sleep(0.005)
        found = ask(f"/api/v1/results/?measurement={file['measurements'][0]}&quantity=ionic_conductivity_S_cm")
        assert found["results"][0]["value"], file
        seconds.append(time.perf_counter() - began)
        time.sleep(0.05)
    return seconds[5:]  # the first ones warm the connections


def main() -> int:
    """Both executors."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    rows = []
    for name, is_full in (("Celery, Redis, PostgreSQL", True), ("supervised worker, SQLite", False)):
        with installation(is_full=is_full) as site:
            site.serve()
            if is_full:
                site.celery()
            time.sleep(6)
            seconds = measure(site, count)
        for share, goal in ((0.5, 0.1), (0.95, 0.3)):
            value = quantile(seconds, share)
            title = f"{name}, p{share * 100:.0f}"
            rows.append((title, f"{value * 1e3:.0f} ms", f"≤ {goal * 1e3:.0f} ms", value <= goal))
    return report(f"POST of one file to visible result, n = {count}", rows)


if __name__ == "__main__":
    sys.exit(main())
