"""What fills a new form: a recipe, or a record that it shall be like."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.http import HttpRequest

from lagpdb.fields import QuantityField
from lagpdb.forms import RecordForm
from lagpdb.records import Record, normal_code
from samples.forms import newest_recipe
from samples.models import Cell, Conversion, ElectrodeLot, PelletBatch, PowderLot, Recipe, SputterRun

# What was measured on the one record says nothing about the next one; codes and dates are left out for all.
MEASURED: dict[type[Record], frozenset[str]] = {
    PowderLot: frozenset({"amount_g"}),
    SputterRun: frozenset({"base_pressure_Pa", "base_pressure_limit"}),
    Conversion: frozenset({"pellet", "h2o_ppm", "o2_ppm", "started_at"}),
    ElectrodeLot: frozenset({"loading_mg_cm2"}),
    Cell: frozenset({"pellet", "state", "rest_started_at"}),
}
KINDS: dict[type[Record], str] = {
    PelletBatch: "pellet_batch",
    SputterRun: "sputter_run",
    Conversion: "conversion",
    ElectrodeLot: "electrode_lot",
    Cell: "cell",
}


def recipe_for(request: HttpRequest, kind: str) -> Recipe | None:
    """The recipe that an address asks for (`?recipe=RCP-0007`, `?recipe=none`), else the newest of its kind."""
    asked = request.GET.get("recipe", "")
    if asked == "none":
        return None
    chosen = Recipe.objects.live().filter(kind=kind, code=normal_code(asked)).first() if asked else None
    return chosen or newest_recipe(kind)


def recipes_of(kind: str) -> list[Recipe]:
    """Recipes to choose from, newest version first."""
    return list(Recipe.objects.live().filter(kind=kind).order_by("-number")[:20])


def like(request: HttpRequest, model: type[Record], form_class: type[RecordForm]) -> dict[str, Any]:
    """What a new form begins with when it shall be like a record (`?like=ELD-0003`): all but codes, dates, measured."""
    code = normal_code(request.GET.get("like", ""))
    record = model._default_manager.live().filter(code=code).first() if code else None
    if record is None:
        return {}
    initial: dict[str, Any] = {}
    form = form_class(instance=record)
    for name in form_class._meta.fields:
        field = model._meta.get_field(name)
        if name in MEASURED.get(model, frozenset()) or isinstance(field, models.DateField):
            continue
        given = form.fields[name]
        initial[name] = given.text_of(record) if isinstance(given, QuantityField) else getattr(record, name)
    return initial
