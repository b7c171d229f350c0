"""``manage.py reanalyse``: compute again, and say what moved."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from analysis.decisions import reanalyse
from analysis.models import AnalysisRun, Result
from analysis.queueing import analyses, analyses_for
from analysis.tasks import drain
from lagpdb import ledger
from measurements.models import Measurement


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
            reanalyse(measurement, by=None, reason="reanalyse")
        if settings.REDIS_URL:
            self.stdout.write(f"{len(chosen)} measurements queued for the workers.")
            return
        ledger.sweep()
        drain()
        self._compare(before, self._numbers(chosen), len(chosen))

    @staticmethod
    def _chosen(slug: str | None, stuck: bool) -> list[Measurement]:
        measurements = Measurement.objects.live().select_related("cell", "pellet")
        if stuck:
            lost = Q(runs__state=AnalysisRun.State.FAILED) | Q(runs__state=AnalysisRun.State.QUEUED)
            measurements = measurements.filter(lost).distinct()
        wanted = [item for item in measurements if analyses_for(item)]
        if slug:
            wanted = [item for item in wanted if slug in {a.slug for a in analyses_for(item)}]
        return wanted

    @staticmethod
    def _numbers(chosen: list[Measurement]) -> dict[tuple[Any, ...], float | None]:
        rows = Result.objects.current().filter(measurement__in=chosen)
        return {
            (row[0], row[1], row[2]): row[3]
            for row in rows.values_list("measurement_id", "quantity", "position", "value")
        }

    def _compare(self, before: dict, after: dict, count: int) -> None:
        moved = []
        for key, old in before.items():
            new = after.get(key)
            if old == new:
                continue
            share = abs(new / old - 1) if old and new is not None else float("inf")
            moved.append((share, key, old, new))
        self.stdout.write(f"{count} measurements analysed again: {len(moved)} of {len(before)} numbers moved.")
        for share, (_, quantity, _), old, new in sorted(moved, key=lambda row: -row[0])[:10]:
            self.stdout.write(
                f"  {quantity}: {old} → {new} ({share:.2%})" if new is not None else f"  {quantity}: {old} → none"
            )
