"""Addresses of the sample pages, and the small answers that forms ask for while somebody types."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware

from lagpdb import units
from lagpdb.records import normal_code
from samples import (
    batches,
    cells,
    conversions,
    details,
    edits,
    electrodes,
    hints,
    label_pages,
    lists,
    materials,
    recipes,
    sputter_views,
)
from samples.forms import PelletRowForm, judge, newest_recipe
from samples.models import Material, Pellet, PelletBatch, PowderLot, Recipe


def echo(request: HttpRequest) -> HttpResponse:
    """What was understood of one quantity: '= 800 µm', or the sentence that says what is wrong."""
    name = request.GET.get("field", "").split("-")[-1]
    text = request.GET.get("text", request.GET.get(request.GET.get("name", ""), "")).strip()
    context: dict[str, Any] = {"level": "", "sentence": "", "suggestion": "", "target": request.GET.get("name", "")}
    if text and units.suffix_of(name):
        level, sentence, suggestion = judge(
            name, text, *_recipe_and_kind(request.GET.get("recipe", "")), limit="limit" in request.GET
        )
        context |= {"level": level, "sentence": sentence, "suggestion": suggestion}
    return render(request, "records/_echo.html", context)


def _recipe_and_kind(text: str) -> tuple[Recipe | None, str]:
    """The limits that a form judges by: it names its recipe by code, or only the kind."""
    recipe = Recipe.objects.filter(code=text).first() if text.startswith("RCP-") else None
    return recipe or newest_recipe(text), text


def echo_pellet(request: HttpRequest) -> HttpResponse:
    """What follows from one row: relative density as typed, and what is wrong."""
    prefix = request.GET.get("row", "")
    pellet = Pellet.objects.select_related("batch__powder_lot__material", "batch__recipe").filter(code=prefix).first()
    if pellet is None:
        lot = _lot(request)
        batch = PelletBatch(powder_lot=lot or PowderLot(material=Material()))
        pellet, recipe = Pellet(batch=batch), newest_recipe("pellet_batch")
    else:
        recipe = pellet.batch.recipe
    row = PelletRowForm(request.GET, instance=pellet, prefix=prefix, recipe=recipe)
    row.title = prefix
    row.is_valid()
    return render(request, "samples/_row_echo.html", {"row": row})


def stock_hint(request: HttpRequest) -> HttpResponse:
    """'38.2 g left, enough for 76 pellets', for the lot that was scanned."""
    code, lot = normal_code(request.GET.get("powder_lot", "")), _lot(request)
    if lot is None:
        sentence = f"{code} is not in lagpdb." if code else ""
        return render(request, "records/_echo.html", {"level": "unreadable" if code else "", "sentence": sentence})
    powder = _number(request, "powder_mass_mg")
    count = request.GET.get("count", "").strip()
    short = hints.stock_question(lot, int(count), powder) if count.isdecimal() else ""
    return render(
        request,
        "records/_echo.html",
        {"level": "unusual" if short else "ok", "sentence": short or hints.stock_words(lot, powder)},
    )


def code_hint(request: HttpRequest) -> HttpResponse:
    """'Codes PEL-0145 to PEL-0150'."""
    count = request.GET.get("count", "").strip()
    if not count.isdecimal() or not 1 <= int(count) <= 50:
        return render(
            request, "records/_echo.html", {"level": "unreadable", "sentence": "A batch has 1 to 50 pellets."}
        )
    codes = hints.next_codes("PEL", int(count))
    span = f"{codes[0]} to {codes[-1]}" if len(codes) > 1 else codes[0]
    return render(request, "records/_echo.html", {"level": "ok", "sentence": f"Codes {span}, reserved when you save"})


def furnace_hint(request: HttpRequest) -> HttpResponse:
    """'Hold ends about 21:25 at 5 °C min⁻¹', as the furnace is programmed in the form."""
    start = parse_datetime(request.GET.get("sinter_started_at", "")) if request.GET.get("sinter_started_at") else None
    numbers = (_number(request, f"sinter_{name}") for name in ("temperature_degC", "time_h", "ramp_degC_min"))
    sentence = hints.furnace_words(make_aware(start) if start and is_naive(start) else start, *numbers)
    return render(request, "records/_echo.html", {"level": "ok", "sentence": sentence})


def _lot(request: HttpRequest) -> PowderLot | None:
    code = normal_code(request.GET.get("powder_lot", ""))
    return PowderLot.objects.live().select_related("material").filter(code=code).first()


def _number(request: HttpRequest, name: str) -> float | None:
    from lagpdb.quantity import QuantityError, parse_quantity

    try:
        return parse_quantity(request.GET.get(name, ""), name).value
    except QuantityError:
        return None


urlpatterns = [
    path("echo/", echo, name="echo"),
    path("echo/pellet/", echo_pellet, name="echo_pellet"),
    path("lots/", lists.LotList.as_view(), name="lot_list"),
    path("lots/new/", edits.lot_new, name="lot_new"),
    path("lots/stock/", stock_hint, name="stock_hint"),
    path("lots/<str:code>/", details.lot_detail, name="lot_detail"),
    path("lots/<str:code>/edit/", edits.lot_edit, name="lot_edit"),
    path("materials/<str:code>/density/", edits.material_density, name="material_density"),
    path("pellets/", lists.PelletList.as_view(), name="pellet_list"),
    path("pellets/new/", batches.batch_new, name="batch_new"),
    path("pellets/new/rows/", batches.batch_rows, name="batch_rows"),
    path("pellets/new/codes/", code_hint, name="code_hint"),
    path("pellets/new/furnace/", furnace_hint, name="furnace_hint"),
    path("pellets/<str:code>/", details.pellet_detail, name="pellet_detail"),
    path("pellets/<str:code>/edit/", edits.pellet_edit, name="pellet_edit"),
    path("pellet-batches/<str:code>/", details.batch_detail, name="batch_detail"),
    path("pellet-batches/<str:code>/edit/", batches.batch_edit, name="batch_edit"),
    path("pellet-batches/<str:code>/correct/", edits.batch_correct, name="batch_correct"),
    path("cells/", lists.CellList.as_view(), name="cell_list"),
    path("cells/new/", cells.cell_new, name="cell_new"),
    path("cells/hint/", cells.cell_hint, name="cell_hint"),
    path("cells/<str:code>/", details.cell_detail, name="cell_detail"),
    path("cells/<str:code>/edit/", cells.cell_edit, name="cell_edit"),
    path("cells/<str:code>/state/", cells.cell_state, name="cell_state"),
    path("cells/<str:code>/steps/", cells.cell_steps, name="cell_steps"),
    path("conversions/", conversions.ConversionList.as_view(), name="conversion_list"),
    path("conversions/new/", conversions.conversion_new, name="conversion_new"),
    path("conversions/hint/", conversions.conversion_hint, name="conversion_hint"),
    path("conversions/<str:code>/", conversions.conversion_detail, name="conversion_detail"),
    path("conversions/<str:code>/edit/", conversions.conversion_edit, name="conversion_edit"),
    path("conversions/<str:code>/timer/", conversions.conversion_timer, name="conversion_timer"),
    path("electrodes/", electrodes.ElectrodeList.as_view(), name="electrode_list"),
    path("electrodes/new/", electrodes.electrode_new, name="electrode_new"),
    path("electrodes/<str:code>/", electrodes.electrode_detail, name="electrode_detail"),
    path("electrodes/<str:code>/edit/", electrodes.electrode_edit, name="electrode_edit"),
    path("recipes/", recipes.RecipeList.as_view(), name="recipe_list"),
    path("recipes/new/", recipes.recipe_new, name="recipe_new"),
    path("recipes/<str:code>/", recipes.recipe_detail, name="recipe_detail"),
    path("recipes/<str:code>/next/", recipes.recipe_next, name="recipe_next"),
    path("materials/", materials.MaterialList.as_view(), name="material_list"),
    path("materials/new/", materials.material_new, name="material_new"),
    path("materials/<str:code>/", materials.material_detail, name="material_detail"),
    path("materials/<str:code>/edit/", materials.material_edit, name="material_edit"),
    path("sputter-runs/", lists.SputterRunList.as_view(), name="sputter_run_list"),
    *sputter_views.urlpatterns,
    *label_pages.urlpatterns,
]
