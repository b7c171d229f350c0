"""How fast 1 000 queued impedance files are read and computed by two Celery processes on PostgreSQL and Redis.

python tests/benchmarks/queue_drain.py [number of files]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.benchmarks.installation import django_here, installation, report


def main() -> int:
    """Queue the files without a worker, start the worker, wait until all are final."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with installation(is_full=True) as site:
        django_here(site)
        from django.db.models import Max, Min

        from analysis.models import AnalysisRun, Result
        from lagpdb.records import save_record
        from measurements.ingest import receive
        from measurements.models import UploadFile
        from measurements.store import put_bytes
        from samples.models import Cell, Material, PelletBatch, PowderLot
        from samples.models.lots import add_pellets
        from tests.benchmarks.spectra import spectrum_csv

        lot = save_record(PowderLot(material=Material.objects.get(code="LAGP"), is_synthetic=True), by=None)
        names = []
        for start in range(0, count // 10, 50):
            batch = save_record(PelletBatch(powder_lot=lot, is_synthetic=True), by=None)
            for pellet in add_pellets(batch, min(50, count // 10 - start), by=None):
                pellet.thickness_um, pellet.thickness_uncertainty_um, pellet.diameter_mm = 800.0, 4.0, 15.0
                save_record(pellet, by=None)
                cell = save_record(Cell(pellet=pellet, configuration="blocking", electrode_diameter_mm=10.0), by=None)
                names += [(cell.code, temperature) for temperature in range(20, 70, 5)]
        files = [
            put_bytes(f"{code}_{temperature}degC.csv", spectrum_csv(float(temperature), seed))
            for seed, (code, temperature) in enumerate(names)
        ]
        began = time.perf_counter()
        for start in range(0, len(files), 100):
            receive(files[start : start + 100], by=None)
        print(f"{len(files)} files queued in {time.perf_counter() - began:.2f} s")
        site.celery(concurrency=2)
        while UploadFile.objects.exclude(state__in=[s.value for s in UploadFile.FINAL]).exists():
            time.sleep(0.5)
        times = UploadFile.objects.aggregate(first=Min("started_at"), last=Max("finished_at"))
        seconds = (times["last"] - times["first"]).total_seconds()
        done = UploadFile.objects.filter(state="done").count()
        energies = Result.objects.current().filter(quantity="activation_energy_eV", label="sigma_T", flag="ok").count()
        runs = AnalysisRun.objects.filter(analysis="activation").count()
        print(f"{done} files done, {energies} cells with an activation energy from {runs} runs")
        rate = len(files) / seconds
        return report("Queue on two processes", [("files per second", f"{rate:.1f}", "≥ 40", rate >= 40)])


if __name__ == "__main__":
    sys.exit(main())
