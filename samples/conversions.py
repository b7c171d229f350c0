"""Pages of the conversion with lithium: list, new, timer, detail, edit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from lagpdb import units
from lagpdb.forms import NOTED, with_note
from lagpdb.lists import Column, Filter, RecordList
from lagpdb.pages import detail_context, elapsed, get_record
from lagpdb.records import save_record
from lagpdb.roles import role_required
from samples.api import Conversions
from samples.atmosphere import trend
from samples.conversion_forms import ConversionEditForm, ConversionForm, TimerForm
from samples.edits import edit_page, new_page
from samples.forms import notation_of
from samples.lists import CODE
from samples.models import Conversion
from samples.models.cells import disc_area_cm2
from samples.models.lots import faces_of
from samples.presets import like, recipe_for, recipes_of
from samples.several import made_together


class ConversionList(RecordList):
    """Conversions, and the atmosphere in which they were made."""

    template = "samples/conversion_list.html"
    title, api = "Conversions", "conversions"
    collection = Conversions
    empty, no_match = "No conversions. Convert a coated pellet.", "No conversion matches."
    new_url, new_words = "conversion_new", "New conversion"
    columns = (
        Column("Code", "code", "id"),
        Column("Pellet", "pellet", "pellet_id"),
        Column("Sides", "faces"),
        Column("Hot plate (°C)", "temperature_degC", is_number=True),
        Column("Time (min)", "duration_min", is_number=True),
        Column("H₂O (ppm)", "h2o_ppm", is_number=True),
        Column("O₂ (ppm)", "o2_ppm", is_number=True),
        Column("Performed", "performed_at"),
    )
    filters = (
        CODE,
        Filter("pellet", "Pellet", "code", "pellet__code"),
        Filter("faces", "Sides", "choice", choices=(("A", "A"), ("B", "B"), ("AB", "both"))),
        Filter("is_attachment", "Attachment only", "flag"),
        Filter("h2o_ppm__gte", "H₂O from", "number"),
    )

    def queryset(self) -> QuerySet:
        return Conversion.objects.live().select_related("pellet")

    def extra(self) -> dict[str, Any]:
        """The trend of the glovebox."""
        return {"trend": trend()}


@role_required("member")
def conversion_new(request: HttpRequest) -> HttpResponse:
    """Convert the films of one or several pellets; with the timer, or written down afterwards."""
    recipe = recipe_for(request, "conversion")
    initial = like(request, Conversion, ConversionForm)
    if codes := request.GET.get("pellet", ""):
        initial["pellet"] = codes
    context = {
        "title": "New conversion",
        "back": reverse("conversion_list"),
        "recipe": recipe,
        "recipes": recipes_of("conversion"),
        "timer": request.POST.get("timer", ""),
    }
    return new_page(
        request,
        ConversionForm,
        Conversion(),
        "samples/conversion_form.html",
        context,
        after=_after_new,
        recipe=recipe,
        initial=initial,
    )


def _after_new(form: ConversionForm) -> str:
    return reverse("conversion_timer" if form.is_timed else "conversion_detail", args=[form.made[0].code])


def conversion_hint(request: HttpRequest) -> HttpResponse:
    """What lies on the pellets that were named, and how much of a face the foil covers."""
    form = ConversionForm(request.GET, instance=Conversion(), recipe=recipe_for(request, "conversion"))
    form.is_valid()
    pellets = form.cleaned_data.get("pellet") or []
    faces = faces_of([pellet.pk for pellet in pellets])
    lithium_mm = form.cleaned_data.get("lithium_diameter_mm")
    rows = []
    for pellet in pellets:
        share = (lithium_mm / pellet.diameter_mm) ** 2 if lithium_mm and pellet.diameter_mm else None
        words = "" if share is None else f"Li covers {units.format_value(share, unit='fraction')} of a face"
        rows.append({"pellet": pellet, "notation": notation_of(pellet, faces), "words": words})
    context = {
        "rows": rows,
        "problems": form.errors.get("pellet", ()) if request.GET.get("pellet", "").strip() else (),
        "questions": [question.sentence for question in form.questions],
        "area": units.format_value(disc_area_cm2(lithium_mm), unit="cm2") if lithium_mm else "",
    }
    return render(request, "samples/_conversion_hint.html", context)


# -- the timer ---------------------------------------------------------------------------------------------------------
def running_with(conversion: Conversion) -> list[Conversion]:
    """The conversions on the same timer, itself among them."""
    return list(
        Conversion.objects.live()
        .filter(started_at=conversion.started_at, performed_at__isnull=True)
        .select_related("pellet__batch__powder_lot__material", "recipe")
        .order_by("pk")
    )


@role_required("member")
def conversion_timer(request: HttpRequest, code: str) -> HttpResponse:
    """The countdown. The server keeps the start: a tablet may sleep, another one may look."""
    conversion = get_record(Conversion, code, "pellet", "recipe")
    if not conversion.is_running or conversion.duration_min is None:
        return redirect("conversion_detail", conversion.code)
    now = timezone.now()
    past_min = (now - conversion.started_at).total_seconds() / 60
    planned_min = conversion.duration_min
    is_late = past_min > planned_min + max(0.5, planned_min / 4)
    form, status = TimerForm(instance=conversion, recipe=conversion.recipe), 200
    if request.method == "POST":
        form = TimerForm(request.POST, instance=conversion, recipe=conversion.recipe)
        if form.is_valid():
            actual_min = form.cleaned_data["duration_min"]
            if actual_min is None and is_late:
                form.add_error("duration_min", "Say how long the lithium was on the hot plate.")
            else:
                return _finish(request, conversion, actual_min, past_min, form)
        status = 422
    context = {
        "form": form,
        "record": conversion,
        "group": running_with(conversion),
        "planned": units.exact_value(planned_min, "min"),
        "temperature": units.exact_value(conversion.temperature_degC, "degC") if conversion.temperature_degC else "",
        "starts_at": conversion.started_at,
        "ends_at": conversion.ends_at,
        "now": now,
        "is_late": is_late,
        "late_by": elapsed(conversion.ends_at, now),
    }
    return render(request, "samples/conversion_timer.html", context, status=status)


def _finish(
    request: HttpRequest, conversion: Conversion, actual_min: float | None, past_min: float, form: TimerForm
) -> HttpResponse:
    """Note the actual time on every conversion of the timer."""
    taken_min = actual_min if actual_min is not None else max(0.1, round(past_min, 1))
    level, _ = form.fields["duration_min"].bounds.judge(taken_min)
    group = running_with(Conversion.objects.get(pk=conversion.pk))
    planned = units.exact_value(group[0].duration_min, "min")
    sentence = f"{units.exact_value(taken_min, 'min')} instead of {planned}, unusual."
    reason = with_note("timer", {"Time at temperature": sentence} if level == "unusual" else {})
    for each in group:
        each.duration_min, each.performed_at = taken_min, each.started_at + timedelta(minutes=taken_min)
        save_record(each, by=request.user, reason=reason)
    names = ", ".join(each.code for each in group)
    messages.success(
        request, f"{names}: {units.exact_value(taken_min, 'min')} saved. Next step: build {_cells(len(group))}."
    )
    if level == "unusual":
        messages.warning(request, f"{sentence} {NOTED}")
    return redirect("conversion_detail", conversion.code)


def _cells(count: int) -> str:
    return "a cell" if count == 1 else "the cells"


# -- one conversion ----------------------------------------------------------------------------------------------------
def conversion_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One conversion: what became of the films, and what comes next."""
    conversion = get_record(Conversion, code, "pellet__batch__powder_lot__material", "recipe")
    pellet = conversion.pellet
    together = [each for each in made_together(conversion) if each.pk != conversion.pk]
    pellets = [pellet, *(each.pellet for each in together)]
    faces = faces_of([each.pk for each in pellets])
    for each in pellets:
        each.shown_notation = notation_of(each, faces)
    free = [each for each in pellets if each.state in ("available", "recovered") and not each.is_withdrawn]
    context = {
        **detail_context(request, conversion),
        "conversion": conversion,
        "pellet": pellet,
        "together": together,
        "layers": conversion.layers.select_related("sputter_run__target").order_by("face", "layer_number"),
        "is_coated": bool(faces[pellet.pk]),
        "is_half": len(faces[pellet.pk]) == 1,
        "free_codes": " ".join(each.code for each in free),
        "free_count": len(free),
        "area": units.format_value(disc_area_cm2(conversion.lithium_diameter_mm), unit="cm2")
        if conversion.lithium_diameter_mm
        else "",
    }
    return render(request, "samples/conversion_detail.html", context)


@role_required("member")
def conversion_edit(request: HttpRequest, code: str) -> HttpResponse:
    """Correct a conversion."""
    conversion = get_record(Conversion, code, "pellet__batch__powder_lot__material", "recipe")
    return edit_page(
        request, ConversionEditForm, conversion, "samples/conversion_form.html", recipe=conversion.recipe
    )  # fmt: skip


def running() -> list[dict[str, Any]]:
    """Timers that run now, one line for each start; the dashboard shows them."""
    rows = Conversion.objects.live().filter(Q(started_at__isnull=False) & Q(performed_at__isnull=True))
    groups: dict[Any, list[Conversion]] = {}
    for row in rows.select_related("pellet").order_by("started_at", "pk")[:50]:
        groups.setdefault(row.started_at, []).append(row)
    return [
        {
            "address": reverse("conversion_timer", args=[group[0].code]),
            "title": f"Conversion of {', '.join(each.pellet.code for each in group)}",
            "ends_at": group[0].ends_at,
        }
        for group in groups.values()
    ]
