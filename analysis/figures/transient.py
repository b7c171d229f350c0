"""The transient of a polarisation, with the spectra before and after it and what they give together. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.figures import series_parts as draw
from analysis.figures.parts import (
    AS_IS,
    Curves,
    Figure,
    Sample,
    View,
    data_marker,
    line_trace,
    log_axis,
    plain_axis,
    point_trace,
    spectrum_of,
    switch,
    total_resistance_ohm,
)
from lagpdb.units import UNITS as SYMBOLS
from lagpdb.units import format_value

IN_CSV = "all in the CSV"
FALLEN = 0.6  # of the initial current; above, the room below the curve is free, else that above it
UNITS = {"s": ("t (s)", 1.0), "h": ("t (h)", 1.0 / 3600.0)}


def transient(curves: Curves, sample: Sample, view: View = AS_IS) -> Figure:
    """Current against time, with the initial and the steady current and how they were found.

    `curves` may carry ``around``: ``before`` and ``after`` (curves of the spectra) and ``formula`` (the transference
    number with its numbers).
    """
    series, marks = curves["series"], curves["marks"]
    scale = switch("scale", "Time axis", {"log": "Log", "linear": "Linear"}, view)
    clock = switch("time", "Time", {"s": "s", "h": "h"}, view)
    is_log, (title, per_second) = scale["value"] == "log", UNITS[clock["value"]]
    rows = [row for row, value in enumerate(series["time_s"]) if value > 0.0]
    time = [series["time_s"][row] * per_second for row in rows]
    unit, factor = _current_unit([series["current_A"][row] for row in rows])
    current = [factor * series["current_A"][row] for row in rows]
    texts = [
        f"{format_value(series['time_s'][row], None, '=', 's')}: {format_value(i, None, '=', unit)}"
        for row, i in zip(rows, current, strict=True)
    ]
    traces = [point_trace("current", time, current, texts, marker=data_marker(sample) | {"size": 4})]
    lines, notes = _marks(marks, time, per_second, (unit, factor), is_log)
    # The spike of the double layer must not crush the rest.
    shown = [value for row, value in zip(rows, current, strict=True) if series["time_s"][row] >= 0.1] or current
    shown = [*shown, *(factor * marks[name]["current_A"] for name in ("initial", "steady"))]
    state = "steady" if marks["steady"].get("is_steady") else "not yet steady"
    voltage = format_value(1000.0 * marks["voltage_V"], None, "=", "mV")
    notes.append(_corner(f"ΔV = {voltage}", 0.01, 0.02, "left", "bottom"))
    axis = (
        log_axis(title, min(time, default=0.1), max(time, default=1.0)) if is_log
        else plain_axis(title, range=draw.span([0.0, *time], 0.02))
    )  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": axis,
        "yaxis": plain_axis(f"I ({SYMBOLS[unit].symbol})", range=_heights(shown), zeroline=True),
        "annotations": draw.thinned(curves, IN_CSV) + notes,
    }
    inset, formula = _around(curves.get("around") or {}, sample, layout, _is_fallen(marks))
    return {
        "kind": "transient", "traces": traces + lines + inset, "switches": [scale, clock], "layout": layout,
        "summary": f"Current of {sample.words} at {voltage}. Initial current "
        f"{format_value(factor * marks['initial']['current_A'], None, '=', unit)}, at the end "
        f"{format_value(factor * marks['steady']['current_A'], None, '=', unit)}, {state}."
        f"{draw.series_note(curves, IN_CSV)}{f' {formula}.' if formula else ''}",
    }  # fmt: skip


def _heights(current: Sequence[float]) -> list[float]:
    """Zero, all of the current, and room for the words above it."""
    low, high = min(0.0, *current), max(0.0, *current)
    size = (high - low) or 1.0
    return [low - (0.04 if high >= -low else 0.3) * size, high + (0.3 if high >= -low else 0.04) * size]


def _marks(
    marks: Mapping[str, Any], time: Sequence[float], per_second: float, unit: tuple[str, float], is_log: bool
) -> tuple[list[Figure], list[Figure]]:
    """Lines over the stretches that gave I₀ and I_s, and their words."""
    suffix, factor = unit
    lines, notes = [], []
    for name, symbol, place in (("initial", "I<sub>0</sub>", "left"), ("steady", "I<sub>s</sub>", "right")):
        mark = marks[name]
        value = factor * mark["current_A"]
        ends = [max(mark["from_s"] * per_second, min(time, default=0.0)), mark["to_s"] * per_second]
        label = f"{symbol} = {format_value(value, factor * mark['uncertainty_A'], '=', suffix)}"
        lines.append(line_trace(f"{name} current", ends, [value, value], line={"width": 4}))
        at = ends[0 if place == "left" else 1]
        is_left = place == "left"
        notes.append(
            {
                "x": math.log10(at) if is_log else at, "y": value, "xanchor": place, "align": place,
                "yanchor": "bottom" if is_left else "top", "yshift": 6 if is_left else -6, "showarrow": False,
                "font": {"size": 12, "color": "role:fit"}, "bgcolor": "role:surface@0.8",
                "text": f"{label}<br>{mark['rule']}",
            }
        )  # fmt: skip
    return lines, notes


def _is_fallen(marks: Mapping[str, Any]) -> bool:
    return abs(marks["steady"]["current_A"]) < FALLEN * abs(marks["initial"]["current_A"])


def _around(
    around: Mapping[str, Any], sample: Sample, layout: dict[str, Any], is_fallen: bool
) -> tuple[list[Figure], str]:
    """The spectra before and after in one small Nyquist plot, and the transference number with its numbers."""
    formula = str(around.get("formula") or "")
    if formula:
        text = formula.replace(" / [", "<br>/ [").replace("] = ", "]<br>= ").replace("t = ", "t<sub>Li⁺</sub> = ", 1)
        place = (0.02, 0.12, "left", "bottom") if is_fallen else (0.99, 0.98, "right", "top")
        layout["annotations"].append(_corner(text, *place))
    spectra = [
        (name, around[name], marker)
        for name, marker in (
            ("before", data_marker(Sample(), "circle") | {"size": 8}),
            ("after", data_marker(Sample(is_coated=True), "square") | {"size": 3.5}),
        )
        if around.get(name)
    ]
    if not spectra:
        return [], formula
    traces, edge, height = [], 0.0, 0.0
    for name, curves, marker in spectra:
        _, real, minus_imag, _ = spectrum_of(curves)
        total = total_resistance_ohm(curves) or max(real)
        inside = [b for a, b in zip(real, minus_imag, strict=True) if 0.0 <= a <= 1.3 * total]
        edge, height = max(edge, 1.3 * total), max(height, 1.15 * max(inside, default=0.0))
        traces.append(
            {"type": "scatter", "mode": "markers", "name": f"EIS {name}", "x": real, "y": minus_imag, "xaxis": "x2",
             "yaxis": "y2", "marker": marker, "hoverinfo": "skip", "legendgroup": "eis"}
        )  # fmt: skip
    across, up = ([0.56, 0.98], [0.56, 0.97]) if is_fallen else ([0.3, 0.78], [0.14, 0.5])
    small = {"tickfont": {"size": 10, "color": "role:ink2"}, "nticks": 4, "fixedrange": True, "showgrid": False}
    layout["xaxis2"] = plain_axis("Z′ (Ω)", domain=across, anchor="y2", range=[0.0, edge], constrain="range",
                                  constraintoward="left", **small)  # fmt: skip
    layout["yaxis2"] = plain_axis("−Z″ (Ω)", domain=up, anchor="x2", range=[-0.05 * height, height], scaleanchor="x2",
                                  scaleratio=1, constraintoward="bottom", **small)  # fmt: skip
    for name in ("xaxis2", "yaxis2"):
        layout[name]["title"] |= {"standoff": 2, "font": {"size": 10.5, "color": "role:ink2"}}
    return traces, formula


def _corner(text: str, x: float, y: float, xanchor: str, yanchor: str) -> Figure:
    """Words at a place of the frame."""
    return {
        "xref": "paper", "yref": "paper", "x": x, "y": y, "xanchor": xanchor, "yanchor": yanchor, "align": xanchor,
        "showarrow": False, "text": text, "font": {"size": 12, "color": "role:ink"}, "bgcolor": "role:surface@0.85",
        "name": "words",
    }  # fmt: skip


def _current_unit(values: Sequence[float]) -> tuple[str, float]:
    """Suffix of the unit that suits the currents, and the factor from A."""
    size = sorted(abs(value) for value in values)[len(values) // 2] if values else 0.0
    if size < 1.0e-7:
        return "nA", 1.0e9
    return ("mA", 1.0e3) if size >= 1.0e-3 else ("uA", 1.0e6)
