"""Pellets in batches: what is the same for all, then one row each. Rows that cannot be saved keep what was typed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from lagpdb import attachments, drafts
from lagpdb.merging import merge
from lagpdb.pages import already_saved, get_record, name_of, new_key, remember_saved
from lagpdb.records import Revision, StaleVersion, normal_code, save_record
from lagpdb.roles import role_required
from samples import hints
from samples.edits import form_key, labels_address
from samples.forms import REASONS, BatchForm, PelletRowForm, newest_recipe, overwritten
from samples.models import Material, Pellet, PelletBatch, PowderLot
from samples.presets import like, recipe_for

TYPED = ("mass_mg", "diameter_mm", "thickness_um", "state", "notes")


# -- a new batch -------------------------------------------------------------------------------------------------------
@role_required("member")
def batch_new(request: HttpRequest) -> HttpResponse:
    """Log a batch: the codes are reserved when it is saved, all together."""
    recipe = recipe_for(request, "pellet_batch")
    if request.method == "POST":
        if address := already_saved(request):
            return redirect(address)
        data, problems = attachments.absorbed(request)
        return _save_new(request, used(data), recipe, problems)
    if draft := drafts.wanted(request):
        data = drafts.typed(draft)
        form = BatchForm(data, instance=PelletBatch(recipe=recipe), recipe=recipe)
        form.hold()
        lot = PowderLot.objects.live().filter(code=normal_code(data.get("powder_lot", ""))).first()
        rows = _new_rows(data, _count(data), recipe, lot)
        return _show_new(request, form, rows, recipe, draft=draft)
    lot = PowderLot.objects.live().filter(code=request.GET.get("lot", "")).first()
    lot = lot or PowderLot.objects.live().order_by("-id").first()
    initial = {"powder_lot": lot or "", **like(request, PelletBatch, BatchForm)}
    form = BatchForm(instance=PelletBatch(), recipe=recipe, initial=initial)
    return _show_new(request, form, _new_rows(None, 6, recipe), recipe)


def _save_new(request: HttpRequest, data: QueryDict, recipe: Any, problems: list[str]) -> HttpResponse:
    form = BatchForm(data, instance=PelletBatch(recipe=recipe), recipe=recipe)
    for sentence in problems if form.is_valid() else ():
        form.add_error(None, sentence)
    is_ready = form.is_valid() and "show_rows" not in data
    count = form.cleaned_data.get("count") or _count(data)
    rows = _new_rows(data, count, recipe, form.cleaned_data.get("powder_lot"))
    for row in rows:
        row.is_valid()
    if not is_ready or form.questions:
        return _show_new(request, form, rows, recipe, status=200 if "show_rows" in data else 422)
    with transaction.atomic():
        if not form.store(by=request.user):
            return _show_new(request, form, rows, recipe, status=422)
        bad = _save_rows_of(form.instance, rows, data, request.user)
    batch = form.instance
    keep_rows(request, batch, bad)
    pellets = list(batch.pellets.order_by("pk"))
    address = reverse("batch_edit" if bad else "batch_detail", args=[batch.code])
    address = (not bad and labels_address(request, pellets)) or address
    remember_saved(request, address)
    span = f"{pellets[0]} to {pellets[-1]}" if len(pellets) > 1 else f"{pellets[0]}"
    saved = f" {len(pellets) - len(bad)} rows saved." if bad else ""
    messages.success(request, f"{batch.code} is saved: {span}.{saved}{_kept(bad)}")
    for sentence in form.warnings.values():
        messages.warning(request, f"{batch.code}: {sentence}")
    return redirect(address)


def _save_rows_of(batch: PelletBatch, rows: list[PelletRowForm], data: QueryDict, user: Any) -> dict[str, Any]:
    """Every pellet gets its code and its photographs; the rows that cannot be saved come back as drafts."""
    bad = {}
    for row in rows:
        pellet = Pellet(batch=batch, is_synthetic=batch.is_synthetic)
        is_good = not row.errors
        if is_good:
            for name in (*TYPED, "thickness_uncertainty_um", "thickness_readings_um"):
                setattr(pellet, name, getattr(row.instance, name))
            try:
                with transaction.atomic():
                    save_record(pellet, by=user, reason=row.noted(""))
            except ValidationError:
                is_good, pellet = False, Pellet(batch=batch, is_synthetic=batch.is_synthetic)
        if not is_good:
            save_record(pellet, by=user)
            bad[pellet.code] = {name: row[name].data or "" for name in TYPED} | {"version": str(pellet.version)}
        attachments.attach(pellet, data, by=user, prefix=f"{row.prefix}-")
    return bad


def _new_rows(data: QueryDict | None, count: int, recipe: Any, lot: PowderLot | None = None) -> list[PelletRowForm]:
    batch = PelletBatch(powder_lot=lot or PowderLot(material=Material()))
    codes = hints.next_codes("PEL", count)
    rows = []
    for number, code in enumerate(codes, start=1):
        prefix = f"row{number}"
        given = data if data is not None and f"{prefix}-mass_mg" in data else None
        row = PelletRowForm(given, instance=Pellet(batch=batch), prefix=prefix, recipe=recipe)
        row.title = code
        rows.append(row)
    return rows


def _count(data: QueryDict) -> int:
    text = data.get("count", "").strip()
    return min(50, max(1, int(text))) if text.isdecimal() else 6


def _show_new(
    request: HttpRequest, form: BatchForm, rows: list[Any], recipe: Any, status: int = 200, draft: Any = None
) -> HttpResponse:
    context = {
        "draft": draft,
        "form": form,
        "rows": rows,
        "recipe": recipe,
        "recipe_words": hints.change_sentence(recipe),
        "form_key": form_key(request, draft),
        "title": "New pellets",
        "back": reverse("pellet_list"),
        "save_words": save_words(rows),
        "has_lots": PowderLot.objects.live().exists(),
    }
    return render(request, "samples/batch_new.html", context, status=status)


@require_POST
@role_required("member")
def batch_rows(request: HttpRequest) -> HttpResponse:
    """The rows for another count, with what was typed so far. Nothing is saved."""
    recipe = newest_recipe("pellet_batch")
    rows = _new_rows(request.POST, _count(request.POST), recipe)
    context = {"rows": rows, "save_words": save_words(rows)}
    return render(request, "samples/_batch_rows.html", context)


# -- the rows of a batch that exists -----------------------------------------------------------------------------------
@role_required("member")
def batch_edit(request: HttpRequest, code: str) -> HttpResponse:
    """Mass, diameter and thickness of all pellets of a batch, row by row."""
    batch = get_record(PelletBatch, code, "powder_lot__material", "recipe")
    pellets = list(batch.pellets.live().select_related("batch__powder_lot__material").order_by("pk"))
    if request.method == "POST":
        data, problems = attachments.absorbed(request)
        data, reason = used(data), request.POST.get("reason", "").strip()
        bad: dict[str, Any] = {}
        saved = sum(_save_row(request, data, pellet, batch, reason, bad) for pellet in pellets)
        added = sum(attachments.attach(pellet, data, by=request.user, prefix=f"{pellet.code}-") for pellet in pellets)
        remember_saved(request, reverse("batch_detail", args=[batch.code]))
        keep_rows(request, batch, bad)
        photos = f" {added} photograph{'s' if added > 1 else ''} added." if added else ""
        words = f"{saved} saved." if saved else ("Nothing was changed." if not bad and not added else "")
        (messages.success if saved or added else messages.info)(request, f"{words}{photos}{_kept(bad)}".strip())
        for sentence in problems:
            messages.error(request, sentence)
        return redirect("batch_edit" if bad else "batch_detail", batch.code)
    draft = drafts.wanted(request, batch.code)
    kept = rows_in(draft)
    rows = [_row(pellet, batch, kept.get(pellet.code)) for pellet in pellets]
    context = {
        "batch": batch,
        "record": batch,
        "rows": rows,
        "title": f"Pellets of {batch.code}",
        "back": reverse("batch_detail", args=[batch.code]),
        "save_words": save_words(rows),
        "reasons": REASONS,
        "draft": draft,
        "form_key": new_key(),
        "reason": drafts.typed(draft).get("reason", "") if draft else "",
        "has_drafts": any(row.is_bound for row in rows),
    }
    return render(request, "samples/batch_edit.html", context)


def _row(pellet: Pellet, batch: PelletBatch, data: QueryDict | None) -> PelletRowForm:
    """A row as stored, or as somebody typed it and has not saved it yet."""
    row = PelletRowForm(data, instance=pellet, prefix=pellet.code, recipe=batch.recipe)
    row.title = pellet.code
    if data is not None:
        row.is_valid()
        if sentence := data.get(f"{pellet.code}-sentence"):
            row.add_error(None, sentence)
        pellet.refresh_from_db()
    return row


def _save_row(
    request: HttpRequest, data: QueryDict, pellet: Pellet, batch: PelletBatch, reason: str, bad: dict[str, Any]
) -> int:
    """Save one row if it says something new; 1 when it was saved. A row that cannot be saved goes to `bad`."""
    prefix = pellet.code
    if f"{prefix}-mass_mg" not in data:
        return 0
    merged, conflicts, _ = merge(PelletRowForm(instance=pellet, prefix=prefix, recipe=batch.recipe), data)
    own = type(pellet).objects.select_related("batch__powder_lot__material").get(pk=pellet.pk)
    row = PelletRowForm(merged, instance=own, prefix=prefix, recipe=batch.recipe)
    typed = {name: merged.get(f"{prefix}-{name}", "") for name in (*TYPED, "version")}
    typed |= {name: value for name, value in merged.items() if name.startswith(f"was-{prefix}-")}
    if conflicts:
        theirs = ", ".join(f"{c.label} {c.theirs or 'empty'}" for c in conflicts)
        last = Revision.objects.filter(record_type="samples.pellet", record_id=pellet.pk).first()
        who = name_of(last.by) if last else "Somebody"
        bad[prefix] = typed | {"sentence": f"{who} entered {theirs} meanwhile. Save again to keep yours."}
        return 0
    changed = [row[name] for name in TYPED if _differs(row[name])]
    if not changed:
        return 0
    if not row.is_valid():
        bad[prefix] = typed
        return 0
    if not reason and (names := overwritten(row)):
        bad[prefix] = typed | {"sentence": f"{', '.join(names)} changes. Give the reason below the table."}
        return 0
    try:
        save_record(row.instance, by=request.user, reason=row.noted(reason), version=row.cleaned_data.get("version"))
    except ValidationError as error:
        bad[prefix] = typed | {"sentence": " ".join(error.messages)}
    except StaleVersion:
        bad[prefix] = typed | {"sentence": "This pellet was changed at this very moment. Look at it, then save again."}
    else:
        return 1
    return 0


def _differs(field: Any) -> bool:
    return " ".join(str(field.data or "").split()) != " ".join(field.text.split()) and field.data is not None


# -- rows that wait: they are the person's draft of the batch until they are saved -------------------------------------
def keep_rows(request: HttpRequest, batch: PelletBatch, bad: dict[str, Any]) -> None:
    """Keep the rows that could not be saved as a draft of the batch's form; without any, it goes."""
    mine = drafts.drafts_of(request.user).filter(form="batch_edit", key=batch.code)
    if not bad:
        mine.delete()
        return
    data: dict[str, list[str]] = {}
    for code, row in bad.items():
        data |= {name if name.startswith("was-") else f"{code}-{name}": [text] for name, text in row.items()}
    title, address = f"Pellets of {batch.code}: {', '.join(bad)}", reverse("batch_edit", args=[batch.code])
    drafts.keep(request.user, form="batch_edit", key=batch.code, title=title, address=address, data=data)


def rows_in(draft: Any) -> dict[str, QueryDict]:
    """The rows of a draft that say something new, by the code of their pellet."""
    rows: dict[str, QueryDict] = {}
    data = drafts.typed(draft) if draft else QueryDict()
    for name in data:
        code, _, field = name.rpartition("-")
        if field in TYPED and not name.startswith("was-"):
            was = data.get(f"was-{name}", "available" if field == "state" else "")
            if f"{code}-sentence" in data or " ".join(data[name].split()) != " ".join(was.split()):
                rows[code] = data
        elif name.endswith("-photo-kept"):
            rows[name.removesuffix("-photo-kept")] = data
    return rows


def waiting_rows(request: HttpRequest, batch: PelletBatch) -> list[str]:
    """Codes of the pellets of a batch whose rows this person has typed and not saved."""
    return list(rows_in(drafts.drafts_of(request.user).filter(form="batch_edit", key=batch.code).first()))


def _kept(bad: dict[str, Any]) -> str:
    if not bad:
        return ""
    return f" {', '.join(bad)} {'is' if len(bad) == 1 else 'are'} kept as draft."


def save_words(rows: list[PelletRowForm]) -> str:
    """What the button does: 'Save 5, keep PEL-0147 as draft'."""
    bad = [row.title for row in rows if row.is_bound and row.errors]
    if not bad:
        return "Save"
    named = ", ".join(bad) if len(bad) < 4 else f"{len(bad)} rows"
    return f"Save {len(rows) - len(bad)}, keep {named} as draft"


def used(data: QueryDict) -> QueryDict:
    """The data with the suggestion that was pressed ('Use 801') put into its field."""
    name, _, text = data.get("use", "").partition("=")
    if not name or name not in data:
        return data
    data = data.copy()
    data[name] = text
    return data
