"""Addresses of the sample pages, and the small answers that forms ask for while somebody types."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from lagpdb import units
from lagpdb.records import normal_code
from samples import batches, details, edits, hints, lists, sputter_views
from samples.forms import CellForm, PelletRowForm, judge, newest_recipe
from samples.models import Cell, Material, Pellet, PelletBatch, PowderLot
from samples.models.lots import faces_of


def echo(request: HttpRequest) -> HttpResponse:
    """What was understood of one quantity: '= 800 µm', or the sentence that says what is wrong."""
    name = request.GET.get("field", "").split("-")[-1]
    text = request.GET.get("text", request.GET.get(request.GET.get("name", ""), "")).strip()
    context: dict[str, Any] = {"level": "", "sentence": "", "suggestion": "", "target": request.GET.get("name", "")}
    if text and units.suffix_of(name):
        level, sentence, suggestion = judge(name, text, newest_recipe(request.GET.get("recipe", "")))
        context |= {"level": level, "sentence": sentence, "suggestion": suggestion}
    return render(request, "records/_echo.html", context)


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


def cell_hint(request: HttpRequest) -> HttpResponse:
    """Area and currents of the cell as it is filled in, and what to look at twice."""
    form = CellForm(request.GET, instance=Cell())
    form.is_valid()
    given = {
        name: form.cleaned_data.get(name) for name in ("electrode_diameter_mm", "electrode_lot", "electrode_material")
    }
    configuration, pellet = form.cleaned_data.get("configuration") or "", form.cleaned_data.get("pellet")
    cell = Cell(configuration=configuration, facing=form.cleaned_data.get("facing") or "A", **given)
    notation = ""
    questions = [text for text in form.errors.get("pellet", ()) if request.GET.get("pellet", "").strip()]
    if pellet is not None and configuration:
        cell.pellet = pellet
        cell.derive()
        notation = cell.notation
        live = pellet.live_cell
        if live is not None:
            state = live.get_state_display().lower()
            questions.append(f"{pellet.code} is in {live.code}, {state}. Finish or dismantle that cell first.")
        elif question := hints.facing_question(cell, faces_of([pellet.pk])[pellet.pk]):
            questions.append(question[1])
    context = {
        "notation": notation,
        "sentences": hints.cell_sentences(cell) if given["electrode_diameter_mm"] else [],
        "densities": hints.densities(cell.electrode_area_cm2),
        "rates": hints.rates(cell),
        "questions": questions,
        "pellet": pellet,
    }
    return render(request, "samples/_cell_hint.html", context)


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
    path("pellets/<str:code>/", details.pellet_detail, name="pellet_detail"),
    path("pellets/<str:code>/edit/", edits.pellet_edit, name="pellet_edit"),
    path("pellet-batches/<str:code>/", details.batch_detail, name="batch_detail"),
    path("pellet-batches/<str:code>/edit/", batches.batch_edit, name="batch_edit"),
    path("pellet-batches/<str:code>/correct/", edits.batch_correct, name="batch_correct"),
    path("cells/", lists.CellList.as_view(), name="cell_list"),
    path("cells/new/", edits.cell_new, name="cell_new"),
    path("cells/hint/", cell_hint, name="cell_hint"),
    path("cells/<str:code>/", details.cell_detail, name="cell_detail"),
    path("cells/<str:code>/edit/", edits.cell_edit, name="cell_edit"),
    path("cells/<str:code>/state/", edits.cell_state, name="cell_state"),
    path("sputter-runs/", lists.SputterRunList.as_view(), name="sputter_run_list"),
    *sputter_views.urlpatterns,
]
