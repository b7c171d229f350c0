"""``manage.py reanalyse``: compute again, and say what moved."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.decisions import reanalyse
from analysis.models import AnalysisRun, Result
from analysis.queueing import analyses, analyses_for
from analysis.tasks import drain
from lagpdb import ledger
from measurements.models import Measurement

WORKER_SILENT_S = 60.0
Numbers = dict[tuple[Any, ...], float | None]


class Command(BaseCommand):
    """Queue new runs for all measurements (or one analysis, or only what is stuck) and compare old and new numbers."""

    help = "Run analyses again; prints how many numbers moved and by how much."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--analysis", metavar="SLUG", help="Only this analysis.")
        parser.add_argument("--stuck", action="store_true", help="Only runs that failed or wait without a worker.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would be run, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Choose, run, compare."""
        slug = options["analysis"]
        if slug and slug not in analyses():
            raise CommandError(f"‘{slug}’ is not an analysis. Known: {', '.join(analyses())}.")
        chosen = self._chosen(slug, options["stuck"])
        if options["dry_run"]:
            self.stdout.write(f"{len(chosen)} measurements would be analysed again; nothing was changed.")
            return
        before = self._numbers(chosen)
        for measurement in chosen:
            reanalyse(measurement, by=None, reason="reanalyse", keeps=True)
        self._wait()
        self._compare(before, self._numbers(chosen), len(chosen))

    @staticmethod
    def _chosen(slug: str | None, stuck: bool) -> list[Measurement]:
        chosen = [item for item in Measurement.objects.live().select_related("cell", "pellet") if analyses_for(item)]
        if slug:
            chosen = [item for item in chosen if slug in {analysis.slug for analysis in analyses_for(item)}]
        if stuck:
            runs = AnalysisRun.objects.filter(measurement__isnull=False).order_by("pk")
            # The newest run of each analysis of a measurement decides: what was repaired since is not stuck.
            newest = {row[:2]: row[2] for row in runs.values_list("measurement_id", "analysis", "state")}
            lost = {pk for (pk, _), state in newest.items() if state != AnalysisRun.State.SUCCEEDED}
            chosen = [item for item in chosen if item.pk in lost]
        return chosen

    @staticmethod
    def _wait() -> None:
        """Until every run is final: by doing the work here, or, with a broker, by letting the workers do it."""
        while AnalysisRun.objects.exclude(state__in=AnalysisRun.FINAL).exists():
            if not settings.REDIS_URL:
                ledger.sweep()
                drain()
            elif (ledger.worker_age_s() or 0.0) > WORKER_SILENT_S:
                raise CommandError("No analysis worker is running. The runs are queued and begin when one is started.")
            time.sleep(0.05)

    @staticmethod
    def _numbers(chosen: list[Measurement]) -> Numbers:
        """The current numbers of these measurements, and those combined from them."""
        measured = {item.pk for item in chosen}
        samples = {(item.cell_id, item.sample_pellet.pk) for item in chosen if item.sample_pellet}
        rows = Result.objects.current().values_list(
            "measurement_id", "cell_id", "pellet_id", "quantity", "position", "value"
        )
        return {
            row[:5]: row[5]
            for row in rows.iterator()
            if (row[0] in measured if row[0] else (row[1], row[2]) in samples)
        }

    def _compare(self, before: Numbers, after: Numbers, count: int) -> None:
        moved = []
        for key, old in before.items():
            new = after.get(key)
            if old == new:
                continue
            share = abs(new / old - 1) if old and new is not None else float("inf")
            moved.append((share, key, old, new))
        self.stdout.write(f"{count} measurements analysed again: {len(moved)} of {len(before)} numbers moved.")
        for share, (*_, quantity, _), old, new in sorted(moved, key=lambda row: -row[0])[:10]:
            self.stdout.write(
                f"  {quantity}: {old} → {new} ({share:.2%})" if new is not None else f"  {quantity}: {old} → none"
            )
