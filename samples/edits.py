"""Creating and changing lots, batches and pellets; the pages that every form of samples uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from lagpdb import attachments, drafts
from lagpdb.forms import RecordForm
from lagpdb.pages import address_of, already_saved, get_record, new_key, remember_saved, save_form, say_saved
from lagpdb.quantity import parse_quantity
from lagpdb.records import StaleVersion, save_record
from lagpdb.roles import role_required
from samples.forms import (
    REASONS,
    BatchEditForm,
    LotEditForm,
    LotForm,
    PelletForm,
    judge,
)
from samples.models import Material, Pellet, PelletBatch, PowderLot


def edit_page(
    request: HttpRequest, form_class: type[RecordForm], record: Any, template: str, **kwargs: Any
) -> HttpResponse:
    """Show and save the form of an existing record."""
    draft = None
    if request.method == "POST":
        outcome = save_form(request, form_class, record, **kwargs)
        if outcome.record is not None:
            remember_saved(request, address_of(outcome.record))
            say_saved(request, [outcome.record], outcome, list(outcome.form.warnings.values()))
            return redirect(address_of(outcome.record))
        form, status = outcome.form, 409 if outcome.conflicts else 422
    else:
        outcome, status, draft = None, 200, drafts.wanted(request, record.code)
        form = form_class(drafts.typed(draft) if draft else None, instance=record, **kwargs)
        form.hold()
    context = {
        "draft": draft,
        "form_key": form_key(request, draft),
        "form": form,
        "record": record,
        "outcome": outcome,
        "title": f"Edit {record.code}",
        "back": address_of(record),
        "reasons": REASONS,
    }
    return render(request, template, context, status=status)


def new_page(
    request: HttpRequest,
    form_class: type[RecordForm],
    record: Any,
    template: str,
    context: dict[str, Any],
    after: Callable[[Any], str] | None = None,
    **kwargs: Any,
) -> HttpResponse:
    """Show and save the form of a new record; sent twice, it makes one. `after` says which page comes next."""
    status, draft = 200, None
    if request.method == "POST":
        if address := already_saved(request):
            return redirect(address)
        data, problems = attachments.absorbed(request)
        form = form_class(data, instance=record, **kwargs)
        for sentence in problems if form.is_valid() else ():
            form.add_error(None, sentence)
        if form.is_valid() and not form.questions and form.store(by=request.user):
            for made in form.saved:
                attachments.attach(made, data, by=request.user)
            address = labels_address(request, form.saved) or (after(form) if after else address_of(form.saved[0]))
            remember_saved(request, address)
            say_saved(request, form.saved, notes=list(form.warnings.values()))
            return redirect(address)
        status = 422
    else:
        draft = drafts.wanted(request)
        form = form_class(drafts.typed(draft) if draft else None, instance=record, **kwargs)
        form.hold()
    shown = {"form": form, "form_key": form_key(request, draft), "draft": draft, **context}
    return render(request, template, shown, status=status)


def form_key(request: HttpRequest, draft: Any) -> str:
    """The key of the form that is shown: as sent, as its draft has it, or a new one."""
    sent = request.POST.get("form_key", "")
    return sent or (drafts.typed(draft).get("form_key", "") if draft else "") or new_key()


def labels_address(request: HttpRequest, records: list[Any]) -> str:
    """Where labels of new records are printed, when the button that says so was pressed."""
    if request.POST.get("then") != "labels":
        return ""
    return f"/labels/?codes={','.join(record.code for record in records)}"


# -- powder lots -------------------------------------------------------------------------------------------------------
@role_required("member")
def lot_new(request: HttpRequest) -> HttpResponse:
    """Receive a powder lot."""
    context = {"title": "Receive a powder lot", "back": reverse("lot_list")}
    return new_page(request, LotForm, PowderLot(), "samples/lot_form.html", context)


@role_required("member")
def lot_edit(request: HttpRequest, code: str) -> HttpResponse:
    """Correct a powder lot."""
    return edit_page(request, LotEditForm, get_record(PowderLot, code, "material"), "samples/lot_form.html")


@require_POST
@role_required("member")
def material_density(request: HttpRequest, code: str) -> HttpResponse:
    """Enter the theoretical density that a material lacks."""
    material = get_record(Material, code)
    text = request.POST.get("theoretical_density_g_cm3", "")
    level, sentence, _ = judge("theoretical_density_g_cm3", text)
    if level == "unreadable":
        messages.error(request, sentence)
    elif material.theoretical_density_g_cm3:
        messages.info(request, f"{material.code} has a density already. A curator can correct it.")
    else:
        material.theoretical_density_g_cm3 = parse_quantity(text, "theoretical_density_g_cm3").value
        try:
            save_record(material, by=request.user, version=material.version)
        except (ValidationError, StaleVersion) as error:
            messages.error(request, " ".join(getattr(error, "messages", [str(error)])))
        else:
            messages.success(request, f"The density of {material.code} is saved. Relative densities are shown now.")
    lot = PowderLot.objects.filter(code=request.POST.get("lot", "")).first()
    return redirect(address_of(lot) if lot else reverse("lot_list"))


# -- batches and pellets -----------------------------------------------------------------------------------------------
@role_required("member")
def batch_correct(request: HttpRequest, code: str) -> HttpResponse:
    """Correct what all pellets of a batch have in common."""
    batch = get_record(PelletBatch, code, "powder_lot__material", "recipe")
    return edit_page(request, BatchEditForm, batch, "samples/batch_form.html", recipe=batch.recipe)


@role_required("member")
def pellet_edit(request: HttpRequest, code: str) -> HttpResponse:
    """Measure or correct one pellet."""
    pellet = get_record(Pellet, code, "batch__powder_lot__material", "batch__recipe")
    return edit_page(request, PelletForm, pellet, "samples/pellet_form.html", recipe=pellet.batch.recipe)
