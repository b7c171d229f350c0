"""The page of sputter rates: every setting of the tool, its rate and age, and its films against time."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from analysis import plots
from analysis.models import AnalysisRun, Result
from samples.models import SputterRun, SputterSetting, WitnessPlate
from samples.sputter import NO_RATE, rate_words

MOST_PLOTS = 12  # further settings stand in the table alone


def sputter_rates(request: HttpRequest) -> HttpResponse:
    """P9: current rate per setting with its age; settings without one are marked."""
    entries = _entries()
    return render(request, "analysis/sputter_rates.html", {"entries": entries, "no_rate": NO_RATE})


def _entries() -> list[dict[str, Any]]:
    runs: dict[int, list[SputterRun]] = {}
    for run in SputterRun.objects.live().filter(setting__isnull=False).order_by("-performed_at", "-pk"):
        runs.setdefault(run.setting_id, []).append(run)
    plates: dict[int, WitnessPlate] = {}
    for plate in WitnessPlate.objects.live().select_related("sputter_run").order_by("pk"):
        plates[plate.sputter_run.setting_id] = plate  # the newest stays
    results: dict[int, list[Result]] = {}
    current = Result.objects.current().filter(quantity="sputter_rate_nm_min", sputter_setting__isnull=False)
    for result in current.select_related("run__sputter_setting").order_by("position", "pk"):
        results.setdefault(result.sputter_setting_id, []).append(result)
    open_states = (AnalysisRun.State.QUEUED, AnalysisRun.State.RUNNING)
    working = set(
        AnalysisRun.objects.filter(sputter_setting__isnull=False, state__in=open_states).values_list(
            "sputter_setting_id", flat=True
        )
    )
    settings = SputterSetting.objects.filter(pk__in={*runs, *results}).order_by("target__code", "power_W", "pk")
    entries = []
    for setting in settings:
        own = runs.get(setting.pk, [])
        entry = {
            "setting": setting,
            "run_count": len(own),
            "newest": own[0] if own else None,
            "plate": plates.get(setting.pk),
            "is_working": setting.pk in working,
        }
        found = results.get(setting.pk, [])
        entries.append(entry | (_rate(found, len(entries) < MOST_PLOTS) if found else {}))
    return entries


def _rate(results: list[Result], is_drawn: bool) -> dict[str, Any]:
    run = results[0].run
    drawn = plots.plots_of_run(run) if is_drawn else {}
    return {
        "rate": results[0],
        "results": results,
        "words": rate_words(results[0]),
        "formula": (run.inputs.get("formula") or {}).get("filled", ""),
        "warnings": run.warnings,
        "plot": drawn.get("thickness"),
    }
