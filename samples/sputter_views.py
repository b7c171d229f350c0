"""Pages of sputter runs, witness plates and film thicknesses."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse

from lagpdb import units
from lagpdb.mainvalues import rates_in_force
from lagpdb.pages import already_saved, detail_context, get_record, new_key, remember_saved, save_form, say_saved
from lagpdb.records import normal_code
from lagpdb.roles import role_required
from samples.details import tests_of
from samples.forms import REASONS, newest_recipe
from samples.models import FilmThickness, Pellet, SputterRun, WitnessPlate
from samples.several import refusal_of
from samples.sputter import DIFFERS, layer_question, rate_words, target_words, thickness_words
from samples.sputter_forms import FilmThicknessForm, SputterRunEditForm, SputterRunForm


# -- sputter runs ------------------------------------------------------------------------------------------------------
@role_required("member")
def run_new(request: HttpRequest) -> HttpResponseBase:
    """Log a run: pellets are scanned one after the other, the recipe fills the rest."""
    recipe = newest_recipe("sputter_run") if request.GET.get("recipe") != "none" else None
    status, run = 200, SputterRun(recipe=recipe)
    if request.method == "POST":
        if address := already_saved(request):
            return redirect(address)
        form = SputterRunForm(request.POST, instance=run, recipe=recipe)
        is_ready = "more_rows" not in request.POST
        if form.is_valid() and is_ready and not form.questions and form.store(by=request.user):
            address = reverse("sputter_run_detail", args=[form.instance.code])
            remember_saved(request, address)
            say_saved(request, [form.instance], notes=list(form.warnings.values()))
            return redirect(address)
        status = 422 if is_ready else 200
    else:
        codes = [normal_code(text) for text in request.GET.get("pellets", "").split(",") if text.strip()]
        pellets = Pellet.objects.live().filter(code__in=codes).order_by("pk")
        form = SputterRunForm(instance=run, recipe=recipe, pellets=pellets)
    context = {"title": "New sputter run", "back": reverse("sputter_run_list"), "recipe": recipe}
    return _show_run(request, form, status, **context, form_key=request.POST.get("form_key") or new_key())


@role_required("member")
def run_edit(request: HttpRequest, code: str) -> HttpResponseBase:
    """Correct a run and its list of pellets."""
    run = get_record(SputterRun, code, "target", "recipe")
    back = reverse("sputter_run_detail", args=[run.code])
    outcome, status = None, 200
    if request.method == "POST" and "more_rows" not in request.POST:
        outcome = save_form(request, SputterRunEditForm, run, recipe=run.recipe)
        if outcome.record is not None:
            say_saved(request, [outcome.record], outcome, list(outcome.form.warnings.values()))
            return redirect(back)
        form, status = outcome.form, 409 if outcome.conflicts else 422
    else:
        form = SputterRunEditForm(request.POST or None, instance=run, recipe=run.recipe)
    context = {"title": f"Edit {run.code}", "back": back, "record": run, "outcome": outcome, "reasons": REASONS}
    return _show_run(request, form, status, **context)


def _show_run(request: HttpRequest, form: Any, status: int, **context: Any) -> HttpResponse:
    return render(request, "samples/sputter_run_form.html", {"form": form, **context}, status=status)


def run_hint(request: HttpRequest) -> HttpResponse:
    """Thickness per side, use of the target, and what to look at twice, while the form is filled in."""
    own = SputterRun.objects.filter(code=request.GET.get("run", "")).first() or SputterRun()
    form = SputterRunForm(request.GET, instance=own, recipe=newest_recipe("sputter_run"))
    form.is_valid()
    given = {name: form.cleaned_data.get(name) for name, _ in DIFFERS}
    target, duration = form.cleaned_data.get("target"), form.cleaned_data.get("duration_min")
    rows = []
    for row in (row for row in form.rows if not row.is_blank):
        sentence, question = row.problem, ""
        if row.pellet is not None and not sentence:
            new = "".join(face for face in row.faces if face not in form.stood.get(row.pellet.code, ""))
            sentence = refusal_of(row.pellet) if not form.stood.get(row.pellet.code) else ""
            found = layer_question(row.pellet, new, own) if new else None
            question = found[0] if found else ""
        rows.append({"row": row, "sentence": sentence, "question": question})
    thickness = thickness_words(target, given, duration)
    context = {
        "thickness": thickness,
        "is_unknown": thickness.startswith("No measured rate"),
        "target": target_words(target),
        "rows": rows,
        "count": sum(1 for row in rows if not row["sentence"]),
    }
    return render(request, "samples/_sputter_hint.html", context)


def run_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One run: settings, pellets, witness plate, expected thickness."""
    run = get_record(SputterRun, code, "target", "setting", "recipe")
    pellets: dict[int, dict[str, Any]] = {}
    for coating in run.coatings.select_related("pellet", "conversion").order_by("pellet_id", "face"):
        entry = pellets.setdefault(coating.pellet_id, {"pellet": coating.pellet, "faces": []})
        entry["faces"].append(coating.face)
        if coating.conversion is not None and not coating.conversion.is_withdrawn:
            entry["conversion"] = coating.conversion
    plates = list(run.witness_plates.live().prefetch_related("film_thicknesses").order_by("pk"))
    for plate in plates:
        plate.films = [film for film in plate.film_thicknesses.all() if not film.is_withdrawn]
    given = {name: getattr(run, name) for name, _ in DIFFERS}
    thickness = thickness_words(run.target, given, run.duration_min)
    context = {
        **detail_context(request, run),
        "run": run,
        "pellets": list(pellets.values()),
        "plates": plates,
        "thickness": thickness,
        "is_unknown": thickness.startswith("No measured rate"),
        "base_pressure": _base_pressure(run),
    }
    return render(request, "samples/sputter_run_detail.html", context)


def _base_pressure(run: SputterRun) -> str:
    """'< 1 × 10⁻⁴ Pa': every digit that was typed, with its sign."""
    if run.base_pressure_Pa is None:
        return "—"
    sign = {"=": "", "<=": "≤ ", ">=": "≥ "}.get(run.base_pressure_limit, f"{run.base_pressure_limit} ")
    return sign + units.exact_value(run.base_pressure_Pa, "Pa")


# -- witness plates ----------------------------------------------------------------------------------------------------
def plate_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One witness plate: its run, the steps read on it, its files."""
    plate = get_record(WitnessPlate, code, "sputter_run__target", "sputter_run__setting")
    run = plate.sputter_run
    films = list(plate.film_thicknesses.live().order_by("measured_at", "pk"))
    for film in films:
        film.rate = film.film_thickness_nm / run.duration_min if run.duration_min else None
        spread = film.film_thickness_uncertainty_nm
        film.rate_uncertainty = spread / run.duration_min if spread and run.duration_min else None
    rate = (
        rates_in_force().filter(sputter_setting=run.setting_id).select_related("run").first() if run.setting else None
    )
    files = apps.get_model("measurements", "UploadFile").objects.filter(measurements__witness_plate=plate)
    context = {
        **detail_context(request, plate),
        "plate": plate,
        "run": run,
        "films": films,
        "rate": rate,
        "rate_words": rate_words(rate) if rate else "",
        "tests": tests_of(witness_plate=plate),
        "files": list(files.select_related("upload", "raw_file").distinct().order_by("-pk")[:100]),
        "siblings": run.coatings.values("pellet").distinct().count(),
    }
    return render(request, "samples/witness_plate_detail.html", context)


# -- film thicknesses --------------------------------------------------------------------------------------------------
@role_required("member")
def film_new(request: HttpRequest) -> HttpResponseBase:
    """Add step heights to a witness plate or to a face of a pellet."""
    status = 200
    if request.method == "POST":
        if address := already_saved(request):
            return redirect(address)
        form = FilmThicknessForm(request.POST, instance=FilmThickness())
        if form.is_valid() and form.store(by=request.user):
            address = page_of(form.instance)
            remember_saved(request, address)
            say_saved(request, [form.instance], notes=list(form.warnings.values()))
            return redirect(address)
        status = 422
    else:
        given = {"measured_on": request.GET.get("on", ""), "face": request.GET.get("face", "")}
        form = FilmThicknessForm(instance=FilmThickness(), initial=given)
    context = {
        "form": form,
        "form_key": request.POST.get("form_key") or new_key(),
        "title": "Add film thickness",
        "back": reverse("sputter_run_list"),
    }
    return render(request, "samples/film_thickness_form.html", context, status=status)


@role_required("member")
def film_edit(request: HttpRequest, code: str) -> HttpResponseBase:
    """Correct step heights; the rate of their setting follows."""
    film = get_record(FilmThickness, code, "witness_plate", "pellet")
    outcome, status = None, 200
    if request.method == "POST":
        outcome = save_form(request, FilmThicknessForm, film)
        if outcome.record is not None:
            say_saved(request, [outcome.record], outcome, list(outcome.form.warnings.values()))
            return redirect(page_of(outcome.record))
        form, status = outcome.form, 409 if outcome.conflicts else 422
    else:
        form = FilmThicknessForm(instance=film)
    context = {
        "form": form,
        "record": film,
        "outcome": outcome,
        "title": f"Edit {film.code}",
        "back": reverse("film_thickness_detail", args=[film.code]),
        "reasons": REASONS,
    }
    return render(request, "samples/film_thickness_form.html", context, status=status)


def film_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One film thickness with its readings and its history."""
    film = get_record(FilmThickness, code, "witness_plate__sputter_run__target", "pellet")
    return render(request, "samples/film_thickness_detail.html", {**detail_context(request, film), "film": film})


def page_of(film: FilmThickness) -> str:
    """Where a thickness is looked at: at the plate, or at the pellet."""
    if film.witness_plate is not None:
        return reverse("witness_plate_detail", args=[film.witness_plate.code])
    return reverse("film_thickness_detail", args=[film.code])


urlpatterns = [
    path("sputter-runs/new/", run_new, name="sputter_run_new"),
    path("sputter-runs/hint/", run_hint, name="sputter_hint"),
    path("sputter-runs/<str:code>/", run_detail, name="sputter_run_detail"),
    path("sputter-runs/<str:code>/edit/", run_edit, name="sputter_run_edit"),
    path("witness-plates/<str:code>/", plate_detail, name="witness_plate_detail"),
    path("film-thicknesses/new/", film_new, name="film_thickness_new"),
    path("film-thicknesses/<str:code>/", film_detail, name="film_thickness_detail"),
    path("film-thicknesses/<str:code>/edit/", film_edit, name="film_thickness_edit"),
]
