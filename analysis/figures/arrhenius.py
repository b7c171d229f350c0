"""The figure of an activation energy: conductivity against inverse temperature. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.figures.parts import (
    Curves,
    Figure,
    Sample,
    data_marker,
    left_out_marker,
    line_trace,
    log_axis,
    pick,
    plain_axis,
    point_trace,
    split_rows,
)
from lagpdb.units import format_value


def arrhenius(curves: Curves, sample: Sample, energy: Mapping[str, Any] | None = None) -> Figure:
    """σ against 1000/T with T (°C) on top; line, 95 % band, activation energy; points left out are hollow.

    `energy`: ``value``, ``uncertainty`` [eV], ``lower``, ``upper`` (95 %), ``form`` ('ln(σT)'), ``count``.
    """
    points = curves["points"]
    axis_name = "inverse_temperature_1000_per_K"
    inverse, celsius, sigma = points[axis_name], points["temperature_degC"], points["conductivity_S_cm"]
    spread = points.get("uncertainty_S_cm") or points.get("uncertainty") or [None] * len(sigma)
    used = points.get("is_used") or [True] * len(sigma)
    reasons = points.get("reason") or [""] * len(sigma)
    texts = [
        f"{t:g} °C: σ {format_value(s, u, '=', 'S_cm')}{f', left out: {why}' if why and not flag else ''}"
        for t, s, u, flag, why in zip(celsius, sigma, spread, used, reasons, strict=True)
    ]
    traces = []
    if band := curves.get("band"):
        lower, upper = band.get("lower_S_cm") or band["lower"], band.get("upper_S_cm") or band["upper"]
        edge = {"line": {"width": 0}, "showlegend": False}
        traces += [
            line_trace("95 % band, lower", band[axis_name], lower, **edge),
            line_trace(
                "95 % band", band[axis_name], upper, line={"width": 0}, fill="tonexty", fillcolor="role:fit@0.15"
            ),
        ]
    if line := curves.get("line"):
        traces.append(line_trace("fit", line[axis_name], line["conductivity_S_cm"]))
    kept, masked = split_rows(used)
    for name, part, marker in (("σ", kept, data_marker(sample)), ("left out", masked, left_out_marker(sample))):
        if part:
            bars = {"type": "data", "array": [spread[row] or 0 for row in part], "thickness": 1, "width": 3}
            traces.append(point_trace(name, pick(inverse, part), pick(sigma, part), pick(texts, part), marker=marker,
                                  error_y={**bars, "color": marker["color"]}))  # fmt: skip
    # An empty partner on the upper axis: without it Plotly draws no axis there.
    traces.append({"type": "scatter", "x": list(inverse), "y": list(sigma), "xaxis": "x2", "mode": "markers",
                   "marker": {"opacity": 0}, "hoverinfo": "skip", "showlegend": False})  # fmt: skip
    # σ falls towards the right: the upper right corner is free for the legend, the lower left for the energy.
    corner = {"orientation": "v", "x": 0.98, "xanchor": "right", "y": 0.98, "yanchor": "top"}
    layout = {**_arrhenius_axes(inverse, celsius, sigma), "annotations": _energy_note(energy), "legend": corner}
    value = format_value(energy["value"], energy.get("uncertainty"), "=", "eV") if energy else ""
    return {
        "kind": "arrhenius", "traces": traces, "layout": layout,
        "summary": f"Arrhenius plot of {sample.name or sample.code}. {len(kept)} of {len(sigma)} conductivities from "
        f"{min(celsius):g} to {max(celsius):g} °C"
        + (f"; activation energy {value} from {energy.get('form', 'ln(σT)')}." if energy else "."),
    }  # fmt: skip


def _arrhenius_axes(inverse: Sequence[float], celsius: Sequence[float], sigma: Sequence[float]) -> Figure:
    pad = 0.06 * max(max(inverse) - min(inverse), 0.05)
    span = [min(inverse) - pad, max(inverse) + pad]
    width = max(celsius) - min(celsius)
    step = next((s for s in (5, 10, 20, 50) if width / s <= 6), 100)
    round_degrees = range(-200, 1500, step)
    return {
        "xaxis": plain_axis("1000 / T (K⁻¹)", range=span, nticks=7),
        "xaxis2": plain_axis("T (°C)", overlaying="x", matches="x", side="top", range=span, showgrid=False,
                             tickvals=[1000 / (t + 273.15) for t in round_degrees],
                             ticktext=[f"{t}" for t in round_degrees]),
        "yaxis": log_axis("σ (S cm⁻¹)", min(sigma), max(sigma)),
    }  # fmt: skip


def _energy_note(energy: Mapping[str, Any] | None) -> list[Figure]:
    """Activation energy in the empty corner, with interval, number of points, and the form that was fitted."""
    if not energy:
        return []
    text = f"E<sub>a</sub> = {format_value(energy['value'], energy.get('uncertainty'), '=', 'eV')}"
    if energy.get("lower") is not None:
        half = (energy["upper"] - energy["lower"]) / 2
        digits = max(3, -math.floor(math.log10(half))) if half > 0 else 3
        text += f",<br>95 % CI {energy['lower']:.{digits}f} to {energy['upper']:.{digits}f} eV"
    text += f",<br>from {energy.get('form', 'ln(σT)')}, n = {energy.get('count', '?')}"
    return [{"xref": "paper", "yref": "paper", "x": 0.03, "y": 0.04, "xanchor": "left", "yanchor": "bottom",
             "align": "left", "showarrow": False, "text": text, "font": {"size": 12, "color": "role:ink"},
             "bgcolor": "role:surface@0.85", "name": "words"}]  # fmt: skip


BUILDERS: dict[str, Callable[..., Figure]] = {"arrhenius": arrhenius}


# --- The same numbers as columns --------------------------------------------------------------------------------------
def columns(name: str, curves: Curves) -> dict[str, list[Any]]:
    """What a figure shows, by column name with unit suffix: its table and its CSV."""
    points = curves["points"]
    names = ("temperature_degC", "inverse_temperature_1000_per_K", "conductivity_S_cm", "uncertainty_S_cm", "is_used")
    return {key: list(points[key]) for key in names if points.get(key) is not None}
