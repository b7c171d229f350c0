"""What the page of a measurement shows: main values, inputs, checks, runs, source, raw rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from analysis import choices, plots
from analysis.models import AnalysisRun, Result
from analysis.science.quantities import QUANTITIES
from lagpdb import units
from lagpdb.mainvalues import MAIN_LABEL
from lagpdb.pages import can_edit, detail_context
from lagpdb.templatetags.records import result_label
from lagpdb.units import frequency_text
from measurements import growing, mappings, moving
from measurements.forms import sample_options
from measurements.models import Measurement, MeasurementFile, UploadFile
from measurements.parameters import CIRCUITS
from measurements.store import StoreError, rows_of

OPEN = (AnalysisRun.State.QUEUED, AnalysisRun.State.RUNNING)
RAW_ROWS = 50
# Large figures on top of the page, in this order; the others stand in the table.
MAIN = (
    "ionic_conductivity_S_cm",
    "activation_energy_eV",
    "lithium_transference_number",
    "critical_current_density_mA_cm2",
    "last_sound_current_density_mA_cm2",
    "time_to_failure_h",
    "overpotential_mV",
    "electronic_conductivity_S_cm",
    "interfacial_resistance_ohm",
    "total_resistance_ohm",
    "electrolyte_resistance_ohm",
    "capacity_retention_fraction",
    "discharge_specific_capacity_mAh_g",
    "coulombic_efficiency_fraction",
    "discharge_capacity_mAh",
    "capacity_recovery_fraction",
    "rate_capacity_mAh_g",
    "rate_capacity_mAh",
)
PER_GRAM = ("discharge_specific_capacity_mAh_g", "rate_capacity_mAh_g")  # without a mass the page shows mAh
ORIGINS = {
    "person": "entered by a person",
    "assumed": "assumed",
    "file": "from the file",
    "name": "from the file’s name",
}


def is_reading(measurement: Measurement) -> bool:
    """Whether its file is being read once more, with other columns."""
    return UploadFile.objects.filter(
        measurements=measurement, state__in=(UploadFile.State.RECEIVED, UploadFile.State.CHECKING)
    ).exists()


def is_working(measurement: Measurement) -> bool:
    """Whether its file, a run of it, or a combination that it feeds, is still open."""
    if is_reading(measurement):
        return True
    if measurement.runs.filter(state__in=OPEN).exists():
        return True
    if measurement.witness_plate_id:  # nothing is combined over it
        return False
    subject = {"cell": measurement.cell} if measurement.cell_id else {"pellet": measurement.pellet}
    return AnalysisRun.objects.filter(state__in=OPEN, **subject).exists()


def measurement_context(request: HttpRequest, measurement: Measurement) -> dict[str, Any]:
    """Everything that the page, or the body that replaces it when work ends, needs."""
    # A long test leaves a megabyte of curves with each run; only the current one's are drawn.
    runs = list(measurement.runs.select_related("created_by").defer("curves", "tables").order_by("-pk"))
    current = next((run for run in runs if run.is_current), None)
    latest = runs[0] if runs else None
    results = list(measurement.results.filter(is_current=True).order_by("position", "pk"))
    results.sort(key=lambda r: list(QUANTITIES).index(r.quantity) if r.quantity in QUANTITIES else 999)
    cell_run = _cell_run(measurement)
    drawn = plots.plots_of_run(current) if current else plots.plots_of_recording(measurement)
    page = detail_context(request, measurement)
    parts = _parts(measurement)
    return page | {
        "state": _state(measurement, runs, current),
        "runs": _run_rows(runs),
        "current": current,
        "latest": latest,
        "open_runs": [run for run in runs if run.state in OPEN],
        "results": results,
        "kpis": _main_values(results, cell_run),
        "quality": _quality(results),
        "plots": drawn,
        "cell_plots": plots.plots_of_run(cell_run) if cell_run else {},
        "trend": plots.plots_of_cell(measurement.cell).get("trend") if measurement.kind == "eis" else None,
        "cell_run": cell_run,
        "plots_templates": [f"analysis/{latest.analysis}.html"] if latest else ["analysis/_impedance.html"],
        "cell_template": f"analysis/{cell_run.analysis}.html" if cell_run else "",
        "formula": (current.inputs.get("formula") if current else None) or {},
        "inputs": _inputs(current, measurement) if current else [],
        "fit_rows": (current.tables.get("fit") if current else None) or [],
        "warnings": [tuple(warning) for warning in (current or latest).warnings] if runs else [],
        "parts": parts,
        "columns_of": next((part.described_by for part in parts if part.described_by), None),
        "is_reading": is_reading(measurement),
        "circuits": CIRCUITS,
        **rerun_form(measurement, choices.texts((current or latest).parameters) if runs else {}),
        "has_choices": bool(runs) and not measurement.is_withdrawn and choices.has_choices(measurement.kind),
        "ramp_steps": _ramp_steps(current),
        "has_interface": bool(runs) and (current or latest).analysis == "interface",
        "raw": _raw_rows(measurement),
        "may_edit": can_edit(request.user),
        **_move_form(request, measurement),
        "cell_warnings": [tuple(warning) for warning in cell_run.warnings] if cell_run else [],
    }


def _move_form(request: HttpRequest, measurement: Measurement) -> dict[str, Any]:
    """Samples to choose from, and the other measurements of the file, for whoever may move this one."""
    if measurement.is_withdrawn or not can_edit(request.user):
        return {}
    siblings = [item for item in moving.together([measurement]) if item.pk != measurement.pk]
    return {"can_move": True, "samples": sample_options(), "siblings": siblings}


def rerun_form(measurement: Measurement, typed: Mapping[str, str], refused: Sequence[str] = ()) -> dict[str, Any]:
    """The form for a new run: what stands in its fields, and why it was not taken."""
    return {"typed": typed, "choice_fields": choices.fields_of(measurement.kind, typed), "refused": refused}


def _parts(measurement: Measurement) -> list[MeasurementFile]:
    """The files in force: when a part of a joined test begins, and what is known of its columns, in words."""
    parts = list(measurement.files.select_related("raw_file").filter(superseded_at__isnull=True))
    for part in parts:
        part.joined_after = growing.span(part.starts_after_s) if part.starts_after_s else ""
        part.described_by = mappings.file_of(part) if mappings.is_describable(measurement, part) else None
        part.columns_said = mappings.in_words(part.raw_file.column_mapping)
    return parts


def _state(measurement: Measurement, runs: list[AnalysisRun], current: AnalysisRun | None) -> str:
    """'withdrawn', 'working', 'failed' (the newest run), 'none', or 'done'."""
    if measurement.is_withdrawn:
        return "withdrawn"
    if is_working(measurement):
        return "working"
    if not runs:
        return "none"
    return "failed" if runs[0].state == AnalysisRun.State.FAILED else "done" if current else "none"


def _cell_run(measurement: Measurement) -> AnalysisRun | None:
    """The run of a combination that stands for the cell; a configuration has one at most."""
    if not measurement.cell_id or measurement.kind not in ("eis", "polarisation"):
        return None
    return AnalysisRun.objects.filter(
        cell=measurement.cell, analysis__in=("activation", "transference"), is_current=True
    ).first()


def _main_values(results: list[Result], cell_run: AnalysisRun | None) -> list[dict[str, Any]]:
    """At most four large values, each with what it is made of or compared with."""
    found = list(results)
    by_name = {result.quantity: result for result in results}
    if cell_run:
        energies = list(cell_run.results.filter(quantity="activation_energy_eV"))
        found += [result for result in energies if result.label != "sigma"]
        found += list(cell_run.results.filter(quantity="lithium_transference_number"))
        by_name |= {f"energy_{result.label}": result for result in energies}
    shown = [
        r
        for r in found
        if r.quantity in MAIN
        and r.label == MAIN_LABEL.get(r.quantity, r.label)
        and not (r.value is None and r.quantity in PER_GRAM)
    ]
    chosen = sorted(shown, key=lambda r: MAIN.index(r.quantity))[:3]
    return [{"result": result, "beside": _beside(result, by_name)} for result in chosen]


def _beside(result: Result, others: dict[str, Result]) -> str:
    """The small line under a large value."""
    if result.quantity == "total_resistance_ohm":
        parts = [
            f"{symbol} {units.format_named(name, others[name].value, others[name].uncertainty)}"
            for name, symbol in (("bulk_resistance_ohm", "R_b"), ("grain_boundary_resistance_ohm", "R_gb"))
            if name in others and others[name].value is not None
        ]
        return ", ".join(parts) or "bulk and grain boundary not separable"
    if result.quantity == "ionic_conductivity_S_cm":
        return "from R_b + R_gb"
    if result.quantity == "activation_energy_eV":
        other = others.get("energy_sigma")
        count = (result.run.inputs.get("points") or {}).get("value")
        points = f"from ln(σT), {count} points" if count else "from ln(σT)"
        beside = units.format_value(other.value, other.uncertainty, "=", "eV") if other else ""
        return f"{points}; ln σ gives {beside}" if beside else points
    if result.reference_cycle and result.cycle_number:
        between = f"cycle {result.cycle_number} against cycle {result.reference_cycle}"
        return (
            between if result.label != "mean" else f"mean of cycles {result.reference_cycle} to {result.cycle_number}"
        )
    label = result_label(result.label)
    return f"{label}, cycle {result.cycle_number}" if label and result.cycle_number else label


def _quality(results: list[Result]) -> dict[str, str] | None:
    """The Kramers–Kronig test in one word."""
    residual = next((r for r in results if r.quantity == "kramers_kronig_residual_fraction"), None)
    if residual is None or residual.value is None:
        return None
    word, tone = ("Good", "ok") if residual.value < 0.01 else ("Fair", "warn")
    if residual.value >= 0.02:
        word, tone = "Not consistent", "bad"
    return {"word": word, "tone": tone, "text": units.format_named(residual.quantity, residual.value)}


def _inputs(run: AnalysisRun, measurement: Measurement) -> list[dict[str, Any]]:
    """Every value that entered beside the recording, with where it came from."""
    rows = []
    for name, entry in run.inputs.items():
        if name in ("formula", "raw_file", "geometry_relative_uncertainty") or not isinstance(entry, dict):
            continue
        value, uncertainty = entry.get("value"), entry.get("uncertainty")
        is_number = isinstance(value, int | float)
        text = units.format_named(name, value, uncertainty) if is_number else str(value or "—")
        if isinstance(value, int) and units.suffix_of(name) is None:  # a cycle has a number, not a size
            text = str(value)
        if name == "temperature_degC" and is_number:
            text = f"{value:.4g} °C"
        origin = str(entry.get("origin") or "")
        link = _origin_code(name, origin, measurement)
        rows.append(
            {
                "label": QUANTITIES[name].name if name in QUANTITIES else units.label(name).partition(" (")[0],
                "text": f"{entry['text']} ({text})" if entry.get("text") else text,
                "origin": "" if link else ORIGINS.get(origin, origin),
                "link": link,
                "is_assumed": origin == "assumed",
                "note": _area_note(name, measurement),
            }
        )
    return rows


def _origin_code(name: str, origin: str, measurement: Measurement) -> str:
    """The record on which the value stands: thickness is the pellet's, also when the cell was asked."""
    if name == "thickness_um" and origin == measurement.subject.code:
        return measurement.sample_pellet.code
    return origin if "-" in origin and origin[:3].isupper() and origin[-1].isdigit() else ""


def _area_note(name: str, measurement: Measurement) -> str:
    """Which area was used, and which was not."""
    pellet = measurement.sample_pellet
    if name != "electrode_area_cm2" or not measurement.cell_id or not pellet.diameter_mm:
        return ""
    face = 3.141592653589793 * (pellet.diameter_mm / 20) ** 2
    diameter = measurement.cell.electrode_diameter_mm
    electrode = f"electrode Ø {diameter:g} mm, " if diameter else ""
    return f"{electrode}not the face of the pellet, {units.format_value(face, None, '=', 'cm2')}"


def _run_rows(runs: list[AnalysisRun]) -> list[dict[str, Any]]:
    """Runs with their main value."""
    rows = []
    wanted = (*MAIN, "steady_state_current_A")
    found = [
        result
        for result in Result.objects.filter(run__in=runs, quantity__in=wanted)
        if result.label == MAIN_LABEL.get(result.quantity, result.label)
    ]
    found.sort(key=lambda result: (wanted.index(result.quantity), result.position), reverse=True)
    values = {result.run_id: result for result in found}  # the first of the page's large values
    for number, run in zip(range(len(runs), 0, -1), runs, strict=True):
        rows.append({"number": number, "run": run, "result": values.get(run.pk), "choices": choices_text(run)})
    return rows


def choices_text(run: AnalysisRun) -> str:
    """A person's choices for a run, in words."""
    words = []
    if circuit := run.parameters.get("circuit"):
        words.append(f"circuit {circuit}")
    if limits := run.parameters.get("fit_range_Hz"):
        words.append(" to ".join(frequency_text(value) for value in limits))
    if masked := run.parameters.get("masked_points"):
        words.append(f"{len(masked)} {'point' if len(masked) == 1 else 'points'} left out by hand")
    if arcs := run.parameters.get("interface_arcs"):
        words.append(f"interface: {' + '.join(f'R{arc}' for arc in arcs)}")
    if run.parameters.get("flip_sign"):
        words.append("sign of Z″ flipped")
    if cycle := run.parameters.get("reference_cycle"):
        words.append(f"reference cycle {cycle}")
    if (formation := run.parameters.get("formation_cycles")) is not None:
        words.append(f"{formation} formation {'cycle' if formation == 1 else 'cycles'}")
    if mass := run.parameters.get("active_mass_mg"):
        words.append(f"active mass {units.format_named('active_mass_mg', mass)}")
    words += [f"{choice.label}: {text}" for choice, text in choices.given(run.parameters)]
    return ", ".join(words)


def _ramp_steps(run: AnalysisRun | None) -> list[str]:
    """The current densities of a ramp, from which a person picks the failing one."""
    rows = run.tables.get("steps", []) if run and run.analysis == "critical_current" else []
    densities = [abs(row["current_density_mA_cm2"]) for row in rows if row.get("current_density_mA_cm2") is not None]
    return list(dict.fromkeys(f"{density:.3g}" for density in densities))


def _raw_rows(measurement: Measurement) -> dict[str, Any]:
    """The first rows of the parsed table, or why there are none."""
    try:
        part, count = rows_of(measurement, 0, RAW_ROWS)
    except (StoreError, OSError) as error:
        return {"problem": str(error)}
    return {
        "headings": [plots.column_label(name) for name in part.columns],
        "rows": list(enumerate([plots.cell_text(value) for value in row] for row in plots.plain_rows(part))),
        "count": count,
        "shown": len(part),
    }


def address(name: str, *args: Any) -> str:
    """The address of a page, '' where it does not exist yet."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
