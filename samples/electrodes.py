"""Electrode lots: list, form, page."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from lagpdb import units
from lagpdb.fields import QuantityField, form_field
from lagpdb.forms import RecordForm
from lagpdb.lists import Column, Filter, RecordList
from lagpdb.pages import detail_context, get_record
from lagpdb.roles import role_required
from samples import limits
from samples.api import ElectrodeLots
from samples.edits import edit_page, new_page
from samples.forms import ReasonMixin
from samples.lists import CODE
from samples.models import ElectrodeLot, Material
from samples.models.cells import disc_area_cm2
from samples.presets import like, recipe_for, recipes_of


class ElectrodeForm(RecordForm):
    """A coated sheet as it is made or received."""

    BOUNDS, KIND = limits.ELECTRODE, "electrode_lot"
    loading_mg_cm2 = QuantityField(
        "loading_mg_cm2",
        spread="loading_uncertainty_mg_cm2",
        required=False,
        label="Loading of active material",
        help_text="Of the active material alone, not of the whole coat.",
    )

    class Meta:
        model = ElectrodeLot
        fields: tuple[str, ...] = (
            "material",
            "active_fraction",
            "loading_mg_cm2",
            "diameter_mm",
            "drying_temperature_degC",
            "drying_time_h",
            "coated_on",
            "notes",
        )
        formfield_callback = form_field

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["material"].options = Material.objects.live().values_list("code", "name")
        self.fields["material"].label = "Active material"
        self.fields["active_fraction"].label = "Active fraction"
        self.fields["active_fraction"].help_text = "0.8 for 8:1:1."
        self.fields["diameter_mm"].label = "Diameter of the discs"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.instance.pk is None:
            self.instance.recipe = self.recipe
        return cleaned


class ElectrodeEditForm(ReasonMixin, ElectrodeForm):
    """An electrode lot that is corrected."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.check_reason()
        return cleaned


class ElectrodeList(RecordList):
    """Electrode lots, and what is missing of them."""

    template = "samples/electrode_list.html"
    title, api = "Electrodes", "electrode-lots"
    collection, can_label = ElectrodeLots, True
    empty, no_match = "No electrode lots. Enter one before full cells are built.", "No electrode lot matches."
    new_url, new_words = "electrode_new", "New electrode lot"
    columns = (
        Column("Code", "code", "id"),
        Column("Material", "material", "material__code"),
        Column("Loading (mg cm⁻²)", "loading_mg_cm2", is_number=True),
        Column("Active fraction", "active_fraction", is_number=True),
        Column("Disc (mm)", "diameter_mm", is_number=True),
        Column("Drying"),
        Column("Cells", is_number=True),
        Column("Missing"),
    )
    filters = (
        CODE,
        Filter("material", "Material", "code", "material__code"),
        Filter("loading_mg_cm2__gte", "Loading from", "number"),
        Filter("loading_mg_cm2__lte", "Loading to", "number"),
    )

    def queryset(self) -> QuerySet:
        live = Q(cells__withdrawn_at__isnull=True)
        return ElectrodeLot.objects.live().select_related("material").annotate(cell_count=Count("cells", filter=live))

    def decorate(self, rows: list[Any]) -> None:
        """What is missing, in two words each."""
        for lot in rows:
            lot.missing = ", ".join(words for words, _ in missing_of(lot))


def missing_of(lot: ElectrodeLot) -> list[tuple[str, str]]:
    """What is not entered, with what cannot be computed without it."""
    found = []
    if lot.loading_mg_cm2 is None:
        found.append(("loading", f"{lot.code} has no loading, so capacities of its cells stay in mAh."))
    if lot.active_fraction is None:
        found.append(("active fraction", "Without the active fraction the mass of the whole coat is not known."))
    if lot.diameter_mm is None:
        found.append(("disc diameter", "Without the diameter of the discs the area of the cell’s electrode is used."))
    if lot.material.theoretical_capacity_mAh_g is None:
        found.append(("capacity", f"{lot.material.code} has no theoretical capacity, so C-rates cannot be computed."))
    return found


@role_required("member")
def electrode_new(request: HttpRequest) -> HttpResponse:
    """Enter an electrode lot."""
    recipe = recipe_for(request, "electrode_lot")
    context = {
        "title": "New electrode lot",
        "back": reverse("electrode_list"),
        "recipe": recipe,
        "recipes": recipes_of("electrode_lot"),
    }
    initial = like(request, ElectrodeLot, ElectrodeForm)
    return new_page(
        request, ElectrodeForm, ElectrodeLot(), "samples/electrode_form.html", context, recipe=recipe, initial=initial
    )


@role_required("member")
def electrode_edit(request: HttpRequest, code: str) -> HttpResponse:
    """Correct an electrode lot."""
    lot = get_record(ElectrodeLot, code, "material", "recipe")
    return edit_page(request, ElectrodeEditForm, lot, "samples/electrode_form.html", recipe=lot.recipe)


def electrode_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One electrode lot: what a disc of it holds, and the cells that were built with it."""
    lot = get_record(ElectrodeLot, code, "material", "recipe")
    area = disc_area_cm2(lot.diameter_mm) if lot.diameter_mm else None
    specific = lot.material.theoretical_capacity_mAh_g
    areal = lot.loading_mg_cm2 * specific / 1000 if lot.loading_mg_cm2 and specific else None
    mass = lot.loading_mg_cm2 * area if lot.loading_mg_cm2 and area else None
    context = {
        **detail_context(request, lot),
        "lot": lot,
        "missing": [sentence for _, sentence in missing_of(lot)],
        "cells": list(lot.cells.live().select_related("pellet").order_by("-pk")[:100]),
        "area": units.format_value(area, unit="cm2"),
        "areal": units.format_value(areal, unit="mAh_cm2"),
        "mass": units.format_value(mass, unit="mg"),
        "capacity": units.format_value(mass * specific / 1000 if mass and specific else None, unit="mAh"),
        "coat": units.format_value(
            lot.loading_mg_cm2 / lot.active_fraction if lot.loading_mg_cm2 and lot.active_fraction else None,
            unit="mg_cm2",
        ),
    }
    return render(request, "samples/electrode_detail.html", context)
