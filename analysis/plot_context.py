"""What figures need beside the curves of their run: spectra around a polarisation, rows of a recording, other cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from django.db.models import QuerySet, Sum

from analysis.figures import cycling, symmetric
from analysis.figures.parts import stretch
from analysis.models import AnalysisRun, Result
from analysis.science.base import AnalysisError
from analysis.science.cycles import Cycles, cycles_of
from analysis.science.differential import METHOD
from analysis.science.retention import half_curves, half_slopes
from analysis.thinning import envelope_rows
from measurements.models import Measurement
from measurements.readers.columns import (
    CHARGE_CAPACITY,
    CURRENT,
    CYCLE,
    DISCHARGE_CAPACITY,
    POTENTIAL,
    STEP,
    STEP_CAPACITY,
    STEP_KIND,
    TIME,
)
from measurements.store import StoreError, recording
from samples.models import Cell, Coating

# What half-cycles and their capacities are told from; energies, temperatures and dates are none of it.
OF_CYCLES = (TIME, POTENTIAL, CURRENT, CYCLE, STEP, STEP_KIND, STEP_CAPACITY, CHARGE_CAPACITY, DISCHARGE_CAPACITY)
OF_A_POINT = (
    "value", "uncertainty", "limit", "is_synthetic", "temperature_degC", "current_density_mA_cm2", "c_rate",
    "cycle_number",
)  # fmt: skip
# What a number speaks of, as `Result.subject` has it.
SAMPLES = ("cell__code", "pellet__code", "sputter_setting__code", "measurement__witness_plate__code")
MOST_CYCLES = 12  # of curves chosen by a person; more are not told apart
SECONDS_PER_HOUR = 3600.0
MOST_EVENTS = 30
MOST_NUMBERS = 2000
MOST_OTHERS = 5  # cells laid over one


# --- Around a measurement ---------------------------------------------------------------------------------------------
def around(run: AnalysisRun) -> dict[str, Any]:
    """Of a polarisation: curves of the spectra before and after it, and the transference number with its numbers."""
    if run.analysis != "polarisation" or run.measurement is None:
        return {}
    found = AnalysisRun.objects.filter(cell=run.measurement.cell, analysis="transference", is_current=True).first()
    if found is None or (found.inputs.get("measurement_polarisation") or {}).get("value") != run.measurement.code:
        return {}
    codes = {role: (found.inputs.get(f"measurement_{role}") or {}).get("value") for role in ("before", "after")}
    spectra = {
        spectrum.measurement.code: spectrum.curves
        for spectrum in AnalysisRun.objects.filter(
            analysis="interface", is_current=True, measurement__code__in=[code for code in codes.values() if code]
        ).select_related("measurement")
    }
    formula = (found.inputs.get("formula") or {}).get("filled")
    return {role: spectra[code] for role, code in codes.items() if code in spectra} | {"formula": formula}


def ohmic(run: AnalysisRun) -> dict[str, Any] | None:
    """The electrolyte's own resistance of a cell, from its newest spectrum; None where none is known."""
    if run.measurement is None or run.measurement.cell_id is None:
        return None
    found = Result.objects.filter(
        cell=run.measurement.cell_id, quantity="electrolyte_resistance_ohm", is_current=True, value__isnull=False
    )
    result = found.exclude(acceptance=Result.Acceptance.REJECTED).select_related("measurement").order_by("-pk").first()
    if result is None or result.measurement is None:
        return None
    return {"resistance_ohm": result.value, "origin": result.measurement.code}


def events(run: AnalysisRun) -> list[dict[str, Any]]:
    """Spectra of the same cell that were taken while a long test ran."""
    test = run.measurement
    if test is None or test.measured_at is None or test.cell_id is None:
        return []
    last = max(run.curves.get("series", {}).get("time_h") or [0.0])
    spectra = Measurement.objects.live().filter(cell=test.cell_id, kind="eis", measured_at__gt=test.measured_at)
    marks = []
    for code, at in spectra.order_by("measured_at").values_list("code", "measured_at")[:MOST_EVENTS]:
        hours = (at - test.measured_at).total_seconds() / SECONDS_PER_HOUR
        if hours <= last:
            marks.append({"time_h": hours, "label": f"EIS {code}"})
    return marks


def completed(run: AnalysisRun, name: str, view: Mapping[str, str]) -> dict[str, Any] | None:
    """The curves of a run with what its figure takes from elsewhere, and the rows or cycles that a person asked for.

    None where the run has nothing that the figure could show.

    Raises
    ------
    StoreError
        The recording cannot be read.
    """
    numbers = _cycles(view) if name in ("voltage", "differential") else []
    curves = (chosen_cycles(run, name, numbers) if numbers else None) or dict(run.curves)
    if not _has_part(curves, name):
        return None
    if name == "transient":
        curves["around"] = around(run)
    if name in ("plating", "overpotential"):
        curves["marks"] = curves["marks"] | {"ohmic": ohmic(run)}
        curves["events"] = events(run)
    if name in ("plating", "staircase") and (between := stretch(view)):
        curves["series"], curves["point_count"] = window(run, *between)
    if name == "voltage":
        curves["others"] = others(run, view.get("cells") == "batch")
    return curves


def _has_part(curves: Mapping[str, Any], name: str) -> bool:
    own = {"arrhenius": "points", "thickness": "points", "residuals": "residuals"}
    part = curves.get((own | cycling.PARTS | symmetric.PARTS).get(name, "data")) or {}
    return any(part.values()) if isinstance(part, dict) else bool(part)


# --- Rows of the recording --------------------------------------------------------------------------------------------
def window(run: AnalysisRun, from_h: float, to_h: float) -> tuple[dict[str, list[float]], int]:
    """Potential and current of a stretch of time, thinned to what a screen shows, and how many rows it has."""
    frame = recording(run.measurement, lambda names: ([TIME, POTENTIAL, CURRENT], {})).dropna()
    time = np.maximum.accumulate(frame[TIME].to_numpy(dtype=float))
    hours = (time - time[0]) / SECONDS_PER_HOUR
    first = max(int(np.searchsorted(hours, from_h)) - 1, 0)  # one row beyond each edge: lines reach the frame
    last = min(int(np.searchsorted(hours, to_h, side="right")) + 1, hours.size)
    rows = slice(first, last)
    potential, current = (frame[name].to_numpy(dtype=float)[rows] for name in (POTENTIAL, CURRENT))
    starts = np.flatnonzero(np.diff(np.sign(current)) != 0) + 1
    kept = envelope_rows(hours[rows], potential, starts)
    milliampere = 1.0e3 * current[kept]
    series = run.curves["series"]
    area = (run.inputs.get("electrode_area_cm2") or {}).get("value")
    is_density = "current_density_mA_cm2" in series and area
    flowing = {"current_density_mA_cm2": milliampere / area} if is_density else {"current_mA": milliampere}
    found = {"time_h": hours[rows][kept], "potential_V": potential[kept], **flowing}
    return {name: values.tolist() for name, values in found.items()}, last - first


def whole_curves(run: AnalysisRun) -> dict[str, Any]:
    """The voltage curves of a run with every row of their half-cycles, where some were stored as an envelope."""
    parts = run.curves["voltage"]
    if all(part.get("point_count", 0) <= len(part["capacity_mAh"]) for part in parts):
        return dict(run.curves)
    cycles = cycles_of(recording(run.measurement), _holds_mAh(run))
    whole = []
    for part in parts:
        half = int(cycles.table[f"{part['direction']}_half"].iloc[part["cycle_number"] - 1])
        potential, passed = cycles.half_curve(half)
        whole.append(part | {"capacity_mAh": passed.tolist(), "potential_V": potential.tolist()})
    return run.curves | {"voltage": whole}


def _cycles(view: Mapping[str, str]) -> list[int]:
    """Numbers of cycles from '1 5 20-22'; what is none is left out."""
    numbers: list[int] = []
    for part in view.get("cycles", "").replace(",", " ").replace(";", " ").replace("–", "-").split():
        first, _, last = part.partition("-")
        if first.isdigit() and (last.isdigit() or not last):
            numbers += range(int(first), min(int(last or first), int(first) + MOST_CYCLES) + 1)
    return sorted({number for number in numbers if number > 0})[:MOST_CYCLES]


def chosen_cycles(run: AnalysisRun, name: str, numbers: list[int]) -> dict[str, Any] | None:
    """What a figure of cycles that a person asked for draws; None where none of them is complete.

    The stored curves, large as they are, are fetched only where the rows of these cycles cannot tell them alone.
    """
    near = _stretch_of(run, numbers)
    if near is None and set(numbers) <= {part["cycle_number"] for part in run.curves.get(name) or ()}:
        return run.curves | {name: [part for part in run.curves[name] if part["cycle_number"] in numbers]}
    cycles, before = near or (cycles_of(recording(run.measurement), _holds_mAh(run)), 0)
    complete = set(cycles.complete["cycle_number"] + before)
    known = [number - before for number in numbers if number in complete]
    if not known:
        return None
    parts = (half_curves if name == "voltage" else half_slopes)(cycles, known)
    for part in parts:
        part["cycle_number"] += before
    mass = (run.inputs.get("active_mass_mg") or {}).get("value")
    return {"marks": {"active_mass_mg": mass}, name: parts, "differential_method": METHOD}


def _holds_mAh(run: AnalysisRun) -> float | None:
    """What the active material holds in theory, as the run knew it: the same capacities count in its plots. [mAh]"""
    mass, theory = (
        (run.inputs.get(name) or {}).get("value") for name in ("active_mass_mg", "theoretical_capacity_mAh_g")
    )
    return mass * theory / 1000.0 if mass and theory else None


def _stretch_of(run: AnalysisRun, numbers: list[int]) -> tuple[Cycles, int] | None:
    """Cycles from the rows around those asked for, and how many lie before: one of a million rows need not wait.

    None where these rows alone tell something else than the whole recording, as with a clock that ran backwards.
    """
    rows = {row["cycle_number"]: row for row in run.tables.get("cycles") or () if "begin_s" in row}
    first, last = min(numbers) - 1, max(numbers) + 1
    if last - first > MOST_CYCLES or not rows.keys() >= set(numbers):
        return None
    begin_s = rows[first]["begin_s"] if first in rows else -np.inf
    end_s = rows[last]["end_s"] if last in rows else np.inf
    if begin_s is None or end_s is None:
        return None
    span = {TIME: (begin_s, end_s)}
    try:
        frame = recording(run.measurement, lambda names: ([name for name in names if name in OF_CYCLES], span))
    except (StoreError, OSError):  # stored curves may still serve
        return None
    before = first - 1 if first in rows else 0
    time = frame[TIME].to_numpy(dtype=float)
    inside = np.flatnonzero((time >= begin_s) & (time <= end_s))
    is_in_a_row = inside.size and inside[-1] - inside[0] == inside.size - 1  # then nothing need be copied
    try:
        around_it = frame.iloc[inside[0] : inside[-1] + 1] if is_in_a_row else frame.iloc[inside]
        cycles = cycles_of(around_it, _holds_mAh(run), is_for_drawing=True)
    except AnalysisError:
        return None
    if cycles.series.clock != "sound" or len(cycles.table) < max(numbers) - before:
        return None
    same = ("begin_s", "end_s", "charge_capacity_mAh", "discharge_capacity_mAh")
    found = cycles.table.iloc[[number - before - 1 for number in numbers]][list(same)].to_numpy(dtype=float)
    known = np.array([[rows[number][name] for name in same] for number in numbers], dtype=float)
    return (cycles, before) if np.allclose(found, known, rtol=1e-9, equal_nan=True) else None


def others(run: AnalysisRun, is_wanted: bool) -> list[dict[str, Any]]:
    """Voltage curves of other cells of the same batch, newest first; else only whether there are any."""
    if run.measurement is None or run.measurement.cell is None:
        return []
    cell = run.measurement.cell
    runs = AnalysisRun.objects.filter(
        analysis=run.analysis, is_current=True, measurement__withdrawn_at__isnull=True,
        measurement__cell__pellet__batch=cell.pellet.batch_id,
    ).exclude(measurement__cell=cell).select_related("measurement__cell__pellet").order_by("-pk")  # fmt: skip
    if not is_wanted:
        return [{"code": ""}] if runs.exists() else []
    return [
        {
            "code": other.measurement.cell.code,
            "area_cm2": other.measurement.cell.electrode_area_cm2,
            "active_mass_mg": (other.curves.get("marks") or {}).get("active_mass_mg"),
            "voltage": other.curves.get("voltage") or [],
        }
        for other in runs[:MOST_OTHERS]
        if other.measurement
    ]


# --- Several measurements ---------------------------------------------------------------------------------------------
def interfaces(cell: Cell) -> list[dict[str, Any]]:
    """The interfacial resistances of a cell in the order of measurement, and those of others of its batch.

    For a full cell the sum of all interfaces, since they differ.
    """
    name = "interfacial_resistance_ohm" if cell.configuration == "symmetric" else "cell_interfacial_resistance_ohm"
    rows = (
        Result.objects.filter(
            quantity__in=[name, "interfacial_asr_ohm_cm2"],
            is_current=True,
            value__isnull=False,
            measurement__withdrawn_at__isnull=True,
            cell__configuration=cell.configuration,
            cell__pellet__batch=cell.pellet.batch_id,
        )
        .exclude(acceptance=Result.Acceptance.REJECTED)
        .select_related("measurement", "cell__pellet")
        .order_by("measurement__measured_at", "measurement_id")
    )
    by_measurement: dict[int, dict[str, Result]] = defaultdict(dict)
    for row in rows:
        by_measurement[row.measurement_id][row.quantity] = row
    found = [item for item in by_measurement.values() if name in item]
    times = _sputter_times({item[name].cell.pellet_id for item in found})
    points = [_point(item, name, cell, times) for item in found]
    own = [point for point in points if point["is_own"]]
    begun = next((point["measured_at"] for point in own if point["measured_at"]), None)
    for number, point in enumerate(own, 1):
        point["spectrum"] = number
        if begun and point["measured_at"]:
            point["time_h"] = (point["measured_at"] - begun).total_seconds() / SECONDS_PER_HOUR
    return [*own, *(point for point in points if not point["is_own"])]


def numbers_of(results: QuerySet[Result]) -> list[dict[str, Any]]:
    """Values that nobody rejected, with their conditions, newest first; at most what a figure can show."""
    known = results.filter(value__isnull=False).exclude(acceptance=Result.Acceptance.REJECTED)
    # Without making records of them: two thousand with their samples take a second.
    rows = known.order_by("-pk").values(*OF_A_POINT, *SAMPLES, "acceptance", "flag", "pellet_id", "measurement__code")
    rows = list(rows[:MOST_NUMBERS])
    times = _sputter_times({row["pellet_id"] for row in rows if row["pellet_id"]})
    return [
        {
            **{name: row[name] for name in OF_A_POINT},
            "counts": row["acceptance"] == Result.Acceptance.ACCEPTED and row["flag"] == Result.Flag.OK,
            "sample": next((row[name] for name in SAMPLES if row[name]), ""),
            "measurement": row["measurement__code"] or "",
            "is_coated": row["pellet_id"] is None or row["pellet_id"] in times,
            "sputter_time_min": times.get(row["pellet_id"], 0.0) if row["pellet_id"] else None,
        }
        for row in rows
    ]


def _point(item: dict[str, Result], name: str, cell: Cell, times: dict[int, float]) -> dict[str, Any]:
    result, area = item[name], item.get("interfacial_asr_ohm_cm2")
    return {
        "measurement": result.measurement.code,
        "cell": result.cell.code,
        "is_own": result.cell_id == cell.pk,
        "is_coated": result.cell.is_coated,
        "interfaces": "1" if name == "interfacial_resistance_ohm" else result.label or "2",
        "measured_at": result.measurement.measured_at,
        "spectrum": None,
        "time_h": None,
        "cycle_number": result.cycle_number,
        "sputter_time_min": times.get(result.cell.pellet_id, 0.0),
        "interfacial_resistance_ohm": result.value,
        "interfacial_resistance_uncertainty_ohm": result.uncertainty,
        "interfacial_asr_ohm_cm2": area.value if area else None,
        "interfacial_asr_uncertainty_ohm_cm2": area.uncertainty if area else None,
    }


def _sputter_times(pellets: set[int]) -> dict[int, float]:
    """Sputter time of the thickest face of each pellet; those without a film have none. [min]"""
    faces = (
        Coating.objects.filter(pellet__in=pellets, sputter_run__withdrawn_at__isnull=True)
        .values_list("pellet_id", "face")
        .annotate(minutes=Sum("sputter_run__duration_min"))
    )
    longest: dict[int, float] = {}
    for pellet, _, minutes in faces:
        longest[pellet] = max(longest.get(pellet, 0.0), minutes or 0.0)
    return longest
