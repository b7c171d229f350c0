"""Curation pages of runs and results: to look at. They change by running an analysis again, or on their own page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from analysis.models import AnalysisRun, Result, RunInput
from analysis.science.quantities import QUANTITIES
from lagpdb.curation import ReadOnlyAdmin


class QuantityFilter(admin.SimpleListFilter):
    """Results by quantity, from the definitions: asking the table for its values would read all of it."""

    title = "quantity"
    parameter_name = "quantity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(((slug, quantity.name) for slug, quantity in QUANTITIES.items()), key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(quantity=self.value()) if self.value() else queryset


@admin.register(AnalysisRun)
class AnalysisRunAdmin(ReadOnlyAdmin):
    """Runs of analyses."""

    list_display = (
        "id",
        "analysis",
        "version",
        "measurement",
        "cell",
        "pellet",
        "sputter_setting",
        "state",
        "is_current",
        "created_at",
    )
    list_filter = ("state", "is_current", "job_state")
    list_select_related = ("measurement", "cell", "pellet", "sputter_setting")
    search_fields = ("=analysis", "measurement__code", "cell__code", "pellet__code")
    hidden_fields = ("curves", "tables")  # thousands of numbers; the pages plot them


@admin.register(RunInput)
class RunInputAdmin(ReadOnlyAdmin):
    """What entered a run."""

    list_display = ("run", "role", "measurement", "result")
    list_select_related = ("run", "measurement", "result")
    search_fields = ("=role", "measurement__code")


@admin.register(Result)
class ResultAdmin(ReadOnlyAdmin):
    """Numbers, each with its unit, flag and run."""

    list_display = (
        "quantity",
        "label",
        "limit",
        "value",
        "uncertainty",
        "unit",
        "flag",
        "acceptance",
        "cell",
        "pellet",
        "sputter_setting",
    )
    list_filter = ("is_current", "flag", "acceptance", "is_synthetic", QuantityFilter)
    list_select_related = ("cell", "pellet", "sputter_setting")
    search_fields = ("=quantity", "cell__code", "pellet__code", "measurement__code")
