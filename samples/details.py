"""Pages of single records: lot, batch, pellet, cell."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from lagpdb import units
from lagpdb.mainvalues import main_results, newest, numbers_of
from lagpdb.pages import can_edit, detail_context, get_record
from samples import hints
from samples.batches import waiting_rows
from samples.forms import newest_recipe, notation_of
from samples.models import Cell, Pellet, PelletBatch, PowderLot
from samples.models.cells import LIVE_STATES
from samples.models.lots import faces_of
from samples.plan import steps_of
from samples.several import made_together

# Where a cell may go from each state, as its buttons say it.
NEXT_STATES: dict[str, tuple[tuple[str, str], ...]] = {
    "built": (("resting", "Start rest"), ("on_test", "Start test"), ("dismantled", "Dismantle")),
    "resting": (("on_test", "Start test"), ("dismantled", "Dismantle")),
    "on_test": (("finished", "Finish"), ("failed", "Mark failed")),
    "finished": (("dismantled", "Dismantle"), ("on_test", "Back on test")),
    "failed": (("dismantled", "Dismantle"), ("on_test", "Back on test")),
    "dismantled": (),
}


def tests_of(**of: Any) -> list[Any]:
    """Measurements of a sample in time order, each with its main number."""
    rows = list(
        apps.get_model("measurements", "Measurement")
        .objects.live()
        .filter(**of)
        .select_related("cell", "pellet", "operator")
        .order_by("measured_at", "pk")
    )
    numbers = main_results(rows)
    for row in rows:
        row.main = numbers.get(row.pk)
    return rows


def _arrivals(**of: Any) -> list[Any]:
    """Files that brought measurements of a sample."""
    return list(
        apps.get_model("measurements", "UploadFile")
        .objects.filter(**of)
        .select_related("upload", "raw_file")
        .distinct()
        .order_by("-pk")[:100]
    )


def pellet_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One pellet, from its powder to its last number."""
    pellet = get_record(Pellet, code, "batch__powder_lot__material", "batch__recipe")
    faces = pellet.faces
    first, others = numbers_of(pellet=pellet)
    context = {
        **detail_context(request, pellet),
        "pellet": pellet,
        "batch": pellet.batch,
        "lot": pellet.batch.powder_lot,
        "notation": notation_of(pellet, {pellet.pk: faces}),
        "faces": faces,
        "live_cell": pellet.live_cell,
        "tests": tests_of(**{"pellet": pellet}) + tests_of(cell__pellet=pellet),
        "numbers": first,
        "more_numbers": others,
        "files": _arrivals(measurements__in=_keys_of(pellet)),
        "can_build": pellet.state in ("available", "recovered") and not pellet.is_withdrawn,
    }
    return render(request, "samples/pellet_detail.html", context)


def _keys_of(pellet: Pellet) -> Any:
    measurements = apps.get_model("measurements", "Measurement").objects
    return measurements.filter(Q(pellet=pellet) | Q(cell__pellet=pellet)).values("pk")


def cell_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One cell: how it was built, what was tested, what came out."""
    cell = get_record(
        Cell, code, "pellet__batch__powder_lot__material", "electrode_lot__material", "electrode_material"
    )
    tests = tests_of(cell=cell)
    first, others = numbers_of(cell=cell)
    runs = apps.get_model("analysis", "AnalysisRun").objects
    arrhenius = runs.filter(cell=cell, analysis="activation", is_current=True).first()
    energy = newest("activation_energy_eV", "cell", [cell.pk], label="sigma_T").get(cell.pk)
    context = {
        **detail_context(request, cell),
        "cell": cell,
        "pellet": cell.pellet,
        "batch": cell.pellet.batch,
        "lot": cell.pellet.batch.powder_lot,
        "is_half": cell.is_coated and cell.notation.count("@") == 1,
        "electrodes": " and ".join(dict.fromkeys(cell.electrodes)),
        "sentences": hints.cell_sentences(cell),
        "densities": hints.densities(cell.electrode_area_cm2),
        "rates": hints.rates(cell),
        "is_live": cell.state in LIVE_STATES,
        "tests": tests,
        "numbers": first,
        "more_numbers": others,
        "energy": energy,
        "arrhenius": arrhenius if arrhenius and arrhenius.curves else None,
        "arrhenius_plot": _arrhenius_plot(cell, arrhenius),
        "files": _arrivals(measurements__cell=cell),
        "rest_ends": cell.rest_ends_at if cell.state == Cell.State.RESTING else None,
        "is_resting": bool(cell.rest_ends_at and cell.rest_ends_at > timezone.now()),
        "rest_words": hints.rest_words(cell.rest_started_at, cell.rest_time_h),
        "now": timezone.now(),
        "steps": steps_of(cell, newest_recipe("measurement")),
        "together": [each for each in made_together(cell) if each.pk != cell.pk],
        "next_states": NEXT_STATES[cell.state] if can_edit(request.user) and not cell.is_withdrawn else (),
    }
    return render(request, "samples/cell_detail.html", context)


def _arrhenius_plot(cell: Cell, run: Any) -> dict[str, Any] | None:
    """What the plot component needs of the run's figure; the points stand beside it as a table."""
    if run is None or not run.curves:
        return None
    points = run.curves.get("points") or {}
    columns = {name: values for name, values in points.items() if isinstance(values, list)}
    rows = zip(*columns.values(), strict=False)
    return {
        "name": "arrhenius",
        "kind": "arrhenius",
        "src": reverse("run_figure", args=[run.pk, "arrhenius", "json"]),
        "csv": reverse("run_figure", args=[run.pk, "arrhenius", "csv"]),
        "source": f"{cell.code}, run {run.pk}, {run.analysis} v{run.version}, lagpdb",
        "file_name": f"{cell.code}_arrhenius",
        "summary": f"Arrhenius plot of {cell.code}, {cell.notation}",
        "headings": [units.label(name) for name in columns],
        "rows": [[units.format_value(v) if isinstance(v, float) else v for v in row] for row in rows],
    }


def lot_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One powder lot: its stock and everything pressed from it."""
    lot = get_record(PowderLot, code, "material")
    batches = list(
        lot.batches.live().annotate(n=Count("pellets", filter=Q(pellets__withdrawn_at__isnull=True))).order_by("-pk")
    )
    pellets = _pellets(Pellet.objects.live().filter(batch__powder_lot=lot).order_by("-pk")[:100])
    powder = next((batch.powder_mass_mg for batch in batches if batch.powder_mass_mg), None)
    context = {
        **detail_context(request, lot),
        "lot": lot,
        "left": lot.left_g,
        "enough": hints.stock_words(lot, powder).partition(" left, ")[2] or hints.stock_words(lot, powder),
        "batches": batches,
        "pellets": pellets,
    }
    return render(request, "samples/lot_detail.html", context)


def _pellets(queryset: Any) -> list[Any]:
    rows = list(queryset.select_related("batch__powder_lot__material"))
    faces = faces_of([pellet.pk for pellet in rows])
    for pellet in rows:
        pellet.shown_notation = notation_of(pellet, faces)
        pellet.has_film, pellet.has_one_film = bool(faces[pellet.pk]), len(faces[pellet.pk]) == 1
    return rows


def batch_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One batch and its pellets."""
    batch = get_record(PelletBatch, code, "powder_lot__material", "recipe")
    pellets = _pellets(batch.pellets.live().order_by("pk"))
    measured = sum(1 for pellet in pellets if pellet.thickness_um)
    context = {
        **detail_context(request, batch),
        "batch": batch,
        "lot": batch.powder_lot,
        "pellets": pellets,
        "measured": measured,
        "unmeasured": sum(1 for p in pellets if not p.thickness_um and p.state != Pellet.State.BROKEN),
        "drafts": waiting_rows(request, batch),
        "furnace": hints.furnace_words(
            batch.sinter_started_at, batch.sinter_temperature_degC, batch.sinter_time_h, batch.sinter_ramp_degC_min
        )
        if batch.sinter_started_at
        else "",
    }
    return render(request, "samples/batch_detail.html", context)
