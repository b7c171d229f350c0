"""Building cells, their states, and the steps to key into the cycler."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from lagpdb import units
from lagpdb.forms import with_note
from lagpdb.pages import address_of, detail_context, get_record
from lagpdb.records import StaleVersion, save_record
from lagpdb.roles import role_required
from samples import hints
from samples.cell_forms import CellEditForm, CellForm
from samples.details import NEXT_STATES
from samples.edits import edit_page, new_page
from samples.forms import newest_recipe
from samples.models import Cell
from samples.plan import steps_of
from samples.presets import like, recipe_for, recipes_of
from samples.several import made_together


@role_required("member")
def cell_new(request: HttpRequest) -> HttpResponse:
    """Build cells: one on each pellet that is named."""
    initial: dict[str, Any] = like(request, Cell, CellForm)
    for name in ("pellet", "configuration"):
        if text := request.GET.get(name, ""):
            initial[name] = text
    recipe = recipe_for(request, "cell")
    context = {
        "title": "Build cells",
        "back": reverse("cell_list"),
        "recipe": recipe,
        "recipes": recipes_of("cell"),
    }
    return new_page(
        request, CellForm, Cell(), "samples/cell_form.html", context, recipe=recipe, initial=initial
    )  # fmt: skip


def cell_hint(request: HttpRequest) -> HttpResponse:
    """Notation, area and currents of the cells as they are filled in, and what to look at twice."""
    form = CellForm(request.GET, instance=Cell(), recipe=recipe_for(request, "cell"))
    form.is_valid()
    given = {
        name: form.cleaned_data.get(name) for name in ("electrode_diameter_mm", "electrode_lot", "electrode_material")
    }
    configuration = form.cleaned_data.get("configuration") or ""
    cell = Cell(configuration=configuration, facing=form.cleaned_data.get("facing") or "A", **given)
    rows = []
    for pellet, own in form.plans:
        probe = Cell(pellet=pellet, configuration=configuration, facing=own.get("facing", cell.facing), **given)
        probe.derive()
        rows.append({"pellet": pellet, "notation": probe.notation})
    named = bool(request.GET.get("pellet", "").strip())
    context = {
        "rows": rows,
        "sentences": hints.cell_sentences(cell) if given["electrode_diameter_mm"] else [],
        "densities": hints.densities(cell.electrode_area_cm2),
        "rates": hints.rates(cell),
        "questions": [*(form.errors.get("pellet", ()) if named else ()), *(q.sentence for q in form.questions)],
        "rest": hints.rest_words(form.cleaned_data.get("assembled_at"), form.cleaned_data.get("rest_time_h"))
        if form.cleaned_data.get("state") == Cell.State.RESTING
        else "",
    }
    return render(request, "samples/_cell_hint.html", context)


@role_required("member")
def cell_edit(request: HttpRequest, code: str) -> HttpResponse:
    """Correct a cell."""
    cell = get_record(
        Cell, code, "pellet__batch__powder_lot__material", "electrode_lot", "electrode_material", "recipe"
    )  # fmt: skip
    return edit_page(request, CellEditForm, cell, "samples/cell_form.html", recipe=cell.recipe)


def cell_steps(request: HttpRequest, code: str) -> HttpResponse:
    """The steps to key into the cycler, on a sheet of paper; with those of the cells that were built with it."""
    cell = get_record(
        Cell, code, "pellet__batch__powder_lot__material", "electrode_lot__material", "electrode_material"
    )  # fmt: skip
    plan = newest_recipe("measurement")
    cells = made_together(cell) if request.GET.get("all") else [cell]
    sheets = [{"cell": each, "steps": steps_of(each, plan), "sentences": hints.cell_sentences(each)} for each in cells]
    context = {
        **detail_context(request, cell),
        "cell": cell,
        "sheets": sheets,
        "plan": plan,
        "others": len(made_together(cell)) - 1,
    }
    return render(request, "samples/cell_steps.html", context)


@require_POST
@role_required("member")
def cell_state(request: HttpRequest, code: str) -> HttpResponse:
    """Move a cell on: rest, test, finish, fail, dismantle."""
    cell = get_record(Cell, code, "pellet")
    wanted, version = request.POST.get("state", ""), request.POST.get("version", "")
    if wanted not in dict(NEXT_STATES[cell.state]):
        messages.error(request, f"{cell.code} is {cell.get_state_display().lower()} now. Nothing was changed.")
        return redirect(address_of(cell))
    notes = _rest_note(cell) if wanted == Cell.State.ON_TEST else {}
    cell.state = wanted
    if wanted == Cell.State.RESTING:
        cell.start_rest()
    try:
        save_record(
            cell,
            by=request.user,
            reason=with_note(request.POST.get("reason", ""), notes),
            version=int(version) if version.isdecimal() else None,
        )
    except StaleVersion:
        messages.error(request, f"{cell.code} was changed meanwhile. Look at it, then choose again.")
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"{cell.code} is {cell.get_state_display().lower()}.")
        for sentence in notes.values():
            messages.warning(request, f"{cell.code}: {sentence} Saved with a note.")
    return redirect(address_of(cell))


def _rest_note(cell: Cell) -> dict[str, str]:
    """What to say when the test starts before the rest is over."""
    ends, now = cell.rest_ends_at, timezone.now()
    if ends is None or now >= ends or cell.rest_started_at is None:
        return {}
    hours = max((now - cell.rest_started_at).total_seconds(), 0) / 3600
    return {"Rest": f"{hours:.1f} h of {units.exact_value(cell.rest_time_h, 'h')}."}


def resting() -> list[dict[str, Any]]:
    """Cells whose clock of the rest runs, the next one first; the dashboard shows them."""
    rows = Cell.objects.live().filter(state=Cell.State.RESTING, rest_started_at__isnull=False)
    cells = [cell for cell in rows.order_by("rest_started_at")[:50] if cell.rest_ends_at is not None]
    return [
        {
            "cell": cell,
            "ends_at": cell.rest_ends_at,
            "is_over": cell.rest_ends_at <= timezone.now(),
            "words": hints.rest_words(cell.rest_started_at, cell.rest_time_h),
        }
        for cell in sorted(cells, key=lambda cell: (cell.rest_ends_at, cell.pk))
    ]
