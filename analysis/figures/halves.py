"""Figures of half-cycles: voltage curves, polarisation at half capacity, dQ/dV. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.figures import cycling_parts as draw
from analysis.figures.parts import (
    AS_IS,
    Curves,
    Figure,
    Sample,
    View,
    data_marker,
    line_trace,
    pick,
    plain_axis,
    point_trace,
    switch,
)
from analysis.thinning import envelope_note, envelope_rows
from lagpdb.units import format_value

CELLS = {"own": "This cell", "batch": "Cells of its batch"}
VIEWS = {"curves": "V–Q curves", "half": "Polarisation at half capacity"}


# --- Voltage curves and dQ/dV -----------------------------------------------------------------------------------------
def voltage(curves: Curves, sample: Sample, view: View = AS_IS) -> Figure:
    """Potential against capacity of chosen cycles; charge and discharge of a cycle in one colour, cut-offs dotted."""
    what = switch("view", "View", VIEWS, view)
    if what["value"] == "half":
        return _half_capacity(curves, sample, what)
    factor, suffix, switches = draw.capacity_unit(curves, sample, view)
    laid = switch("cells", "Cells", CELLS, view)
    if curves.get("others"):
        switches = [*switches, laid]
        if laid["value"] == "batch":
            return _overlay(curves, sample, suffix, [what, *switches])
    parts = curves["voltage"]
    numbers = list(dict.fromkeys(part["cycle_number"] for part in parts))
    traces, drawn, total = [], 0, 0
    for part in parts:
        x = [value * factor for value in part["capacity_mAh"]]
        y = part["potential_V"]
        rows = envelope_rows(x, y).tolist()
        drawn, total = drawn + len(rows), total + max(part.get("point_count", 0), len(x))
        traces.append(_curve(part, numbers, pick(x, rows), pick(y, rows), suffix))
    ends = [value for part in parts for value in part["potential_V"][-1:]]
    cutoffs = sorted({round(min(ends), 2), round(max(ends), 2)}) if ends else []
    note = envelope_note(total, "all in the CSV") if drawn < total else ""
    everything = [value * factor for part in parts for value in part["capacity_mAh"]]
    potentials = [value for part in parts for value in part["potential_V"]]
    layout = {
        "xaxis": plain_axis(f"Capacity ({draw.SYMBOLS[suffix]})", range=draw.span([0.0, *everything], 0.03)),
        "yaxis": plain_axis("Potential (V)", range=draw.span(potentials)),
        "shapes": [draw.level(value) for value in cutoffs],
        "annotations": [draw.corner(note)] if note else [],
    }
    between = f" between {cutoffs[0]:g} and {cutoffs[-1]:g} V" if cutoffs else ""
    return {
        "kind": "voltage", "traces": traces, "layout": layout, "switches": [what, *switches],
        "summary": f"Voltage curves of {sample.words}, cycles {', '.join(map(str, numbers)) or 'none'}{between}."
        + (f" {note}" if note else ""),
    }  # fmt: skip


def _overlay(curves: Curves, sample: Sample, suffix: str, switches: list[Figure]) -> Figure:
    """One cycle of several cells, each in its own colour: the latest that all have, else the last of each."""
    own = {
        "code": sample.code, "area_cm2": sample.area_cm2, "voltage": curves["voltage"],
        "active_mass_mg": (curves.get("marks") or {}).get("active_mass_mg"),
    }  # fmt: skip
    cells = [cell for cell in (own, *curves["others"]) if cell["voltage"] and _factor(cell, suffix)]
    shared = set.intersection(*({part["cycle_number"] for part in cell["voltage"]} for cell in cells))
    traces, x_all, told = [], [0.0], []
    y_all: list[float] = []
    for place, cell in enumerate(cells):
        cycle = max(shared or {part["cycle_number"] for part in cell["voltage"]})
        told.append(f"{cell['code']}, cycle {cycle}")
        for part in cell["voltage"]:
            if part["cycle_number"] != cycle:
                continue
            x, y = [value * _factor(cell, suffix) for value in part["capacity_mAh"]], part["potential_V"]
            rows = envelope_rows(x, y).tolist()
            is_charge = part["direction"] == "charge"
            line = {"color": draw.colour(place, len(cells)), "width": 1.8, "dash": "dash" if is_charge else "solid"}
            said = f"{told[-1]}, {part['direction']}: %{{x:.3r}} {draw.SYMBOLS[suffix]}, %{{y:.4f}} V"
            traces.append(point_trace(told[-1], pick(x, rows), pick(y, rows), said, mode="lines", line=line,
                                      legendgroup=told[-1], showlegend=not is_charge))  # fmt: skip
            x_all, y_all = [*x_all, *x], [*y_all, *y]
    return {
        "kind": "voltage", "traces": traces, "switches": switches,
        "layout": {
            "xaxis": plain_axis(f"Capacity ({draw.SYMBOLS[suffix]})", range=draw.span(x_all, 0.03)),
            "yaxis": plain_axis("Potential (V)", range=draw.span(y_all)), "annotations": [],
        },
        "summary": f"Voltage curves of {'; '.join(told)}.",
    }  # fmt: skip


def _factor(cell: Mapping[str, Any], suffix: str) -> float:
    """From mAh to the unit that is drawn; 0 for a cell without the mass or area that it takes."""
    divisor = {"mAh_g": cell["active_mass_mg"], "mAh_cm2": cell["area_cm2"], "mAh": 1.0}[suffix]
    return (1000.0 if suffix == "mAh_g" else 1.0) / divisor if divisor else 0.0


def _half_capacity(curves: Curves, sample: Sample, what: Figure) -> Figure:
    """Charge minus discharge potential, each at half of its own capacity, of the cycles whose curves are drawn."""
    numbers, values = polarisation_at_half_capacity(curves["voltage"])
    texts = [
        f"Cycle {n}: {format_value(v, None, '=', 'mV')} between charge and discharge"
        for n, v in zip(numbers, values, strict=True)
    ]
    trace = point_trace("polarisation", numbers, values, texts, marker=data_marker(sample), mode="lines+markers",
                        line={"width": 1, "color": "role:ink3"})  # fmt: skip
    ends = [min(numbers, default=0) - 0.5, max(numbers, default=1) + 0.5]
    words = "; ".join(f"cycle {n} {format_value(v, None, '=', 'mV')}" for n, v in zip(numbers, values, strict=True))
    return {
        "kind": "voltage", "traces": [trace], "switches": [what],
        "layout": {
            "xaxis": plain_axis("Cycle", range=draw.span(ends, 0.03), nticks=9),
            "yaxis": plain_axis("Polarisation at half capacity (mV)", range=draw.span([0.0, *values], 0.1)),
            "annotations": [], "showlegend": False,
        },
        "summary": f"Polarisation at half capacity of {sample.words}: {words or 'no cycle has both halves'}.",
    }  # fmt: skip


def polarisation_at_half_capacity(parts: Sequence[Mapping[str, Any]]) -> tuple[list[int], list[float]]:
    """Cycles that have both halves, and their difference of potentials. [mV]"""
    middle: dict[tuple[int, str], float] = {}
    for part in parts:
        charge = np.asarray(part["capacity_mAh"], dtype=float)
        if charge.size > 1:
            potential = np.interp(0.5 * charge[-1], charge, np.asarray(part["potential_V"], dtype=float))
            middle[part["cycle_number"], part["direction"]] = float(potential)
    numbers = [n for n in dict.fromkeys(n for n, _ in middle) if {(n, "charge"), (n, "discharge")} <= set(middle)]
    return numbers, [1000.0 * (middle[n, "charge"] - middle[n, "discharge"]) for n in numbers]


def _curve(part: Mapping[str, Any], numbers: list[int], x: list[Any], y: list[Any], suffix: str) -> Figure:
    """A line of one half-cycle; both halves of a cycle share colour and legend, discharge is the full line."""
    cycle, is_charge = part["cycle_number"], part["direction"] == "charge"
    line = {
        "color": draw.colour(numbers.index(cycle), len(numbers)),
        "width": 1.8,
        "dash": "dash" if is_charge else "solid",
    }
    said = f"cycle {cycle}, {part['direction']}: %{{x:.3r}} {draw.SYMBOLS[suffix]}, %{{y:.4f}} V"
    return point_trace(
        f"cycle {cycle}", x, y, said, mode="lines", line=line, legendgroup=f"cycle {cycle}", showlegend=not is_charge
    )


def differential(curves: Curves, sample: Sample, view: View = AS_IS) -> Figure:
    """dQ/dV against potential, discharge downwards; method and window stand in the legend, peaks are marked."""
    factor, suffix, switches = draw.capacity_unit(curves, sample, view)
    parts = curves["differential"]
    numbers = list(dict.fromkeys(part["cycle_number"] for part in parts))
    traces: list[Figure] = []
    peaks: list[tuple[float, float, str]] = []
    heights = [0.0]
    for part in parts:
        sign = 1.0 if part["direction"] == "charge" else -1.0
        x, y = part["potential_V"], [sign * value * factor for value in part["differential_capacity_mAh_V"]]
        rows = [int(row) for row in envelope_rows(x, y)]
        colour = draw.colour(numbers.index(part["cycle_number"]), len(numbers))
        name = f"cycle {part['cycle_number']}"
        traces.append(
            line_trace(name, pick(x, rows), pick(y, rows), line={"color": colour, "width": 1.6}, legendgroup=name,
                       showlegend=sign < 0)
        )  # fmt: skip
        row = max(range(len(y)), key=lambda i, y=y: abs(y[i]))  # type: ignore[misc]
        heights += [min(y), max(y)]
        words = f"{name}, {part['direction']}: peak at {x[row]:.3f} V, {draw.value(abs(y[row]), f'{suffix}_V')}"
        peaks.append((x[row], y[row], words))
    if peaks:
        marker = {"symbol": "circle-open", "size": 8, "color": "role:ink", "line": {"width": 1.4}}
        x, y, texts = (list(values) for values in zip(*peaks, strict=True))
        traces.append(point_trace("peaks", x, y, texts, marker=marker))
    potentials = [value for part in parts for value in (part["potential_V"][0], part["potential_V"][-1])]
    method = curves.get("differential_method") or "method not stored"
    layout = {
        "xaxis": plain_axis("Potential (V)", range=draw.span(potentials, 0.02)),
        "yaxis": plain_axis(f"dQ/dV ({draw.SYMBOLS[suffix]} V⁻¹)", range=draw.span(heights), zeroline=True),
        "legend": {"title": {"text": method, "side": "top", "font": {"size": 11}}},
        "annotations": _peak_notes(peaks, len(numbers)),
    }
    found = "; ".join(words for *_, words in peaks[-2:])
    return {
        "kind": "differential", "traces": traces, "layout": layout, "switches": switches,
        "summary": f"Differential capacity of {sample.words}, {method}. {found[:1].upper()}{found[1:]}.",
    }  # fmt: skip


def _peak_notes(peaks: Sequence[tuple[float, float, str]], cycles: int) -> list[Figure]:
    """Where the peaks of the last cycle stand, beside them; those of all others are read point by point."""
    shown = peaks[-2:] if cycles else []
    return [
        {
            "x": x, "y": y, "text": f"{x:.3f} V", "showarrow": False, "xanchor": "left", "xshift": 10,
            "font": {"size": 11.5, "color": "role:ink"}, "bgcolor": "role:surface@0.8",
        }
        for x, y, _ in shown
    ]  # fmt: skip
