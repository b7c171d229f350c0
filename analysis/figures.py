"""Figures as plain dictionaries for Plotly, built from the curves that a run stored. Pure: no Django, no database.

Every figure carries a summary for people who do not see it, and its columns: the same numbers are drawn, tabulated, and
given as CSV.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.figure_parts import (
    Curves,
    Figure,
    Sample,
    data_marker,
    frequency_text,
    left_out_marker,
    line_trace,
    log_axis,
    markup,
    pick,
    plain_axis,
    point_trace,
    spectrum_of,
    split_rows,
    total_resistance_ohm,
)
from analysis.figures_films import thickness
from lagpdb.units import format_value

ARC_FACTOR = 1.5  # the frame "Arc" goes from 0 to this times the total resistance


# --- Nyquist ----------------------------------------------------------------------------------------------------------
def nyquist(curves: Curves, sample: Sample) -> Figure:
    """Z′ against −Z″, 1 : 1; frames Arc and Full range; decades of frequency and intercepts marked."""
    frequency, real, minus_imag, used = spectrum_of(curves)
    total = total_resistance_ohm(curves)
    texts = [
        f"{frequency_text(f)}: Z′ {format_value(a, None, '=', 'ohm')}, −Z″ {format_value(b, None, '=', 'ohm')}"
        for f, a, b in zip(frequency, real, minus_imag, strict=True)
    ]
    kept, masked = split_rows(used)
    rows = [("data", kept, data_marker(sample)), ("left out of the fit", masked, left_out_marker(sample))]
    traces = [
        point_trace(
            name, pick(real, part), pick(minus_imag, part), pick(texts, part), marker=marker,
            customdata=pick(frequency, part),
        )
        for name, part, marker in rows
        if part
    ]  # fmt: skip
    if fit := curves.get("fit"):
        traces.insert(0, line_trace("fit", fit["z_real_ohm"], [-value for value in fit["z_imag_ohm"]]))
    frames = {"full": _frame(real, minus_imag)}
    if total:
        frames = {"arc": _arc(total, real, minus_imag)} | frames
    for name, frame in frames.items():
        traces.append(_decades(name, frame, frequency, real, minus_imag, total))
    notes: list[Figure] = []
    if total:
        marked, notes = _intercepts(curves["intercepts"], frames["arc"]["x"][1])
        if total < 0.25 * frames["full"]["y"][1]:  # a long tail crushes them
            marked["meta"], notes = {"frame": "arc"}, [{**note, "name": "arc"} for note in notes]
        traces.append(marked)
    start = next(iter(frames))
    layout: dict[str, Any] = {
        "annotations": notes,
        "xaxis": plain_axis("Z′ (Ω)", range=frames[start]["x"], constrain="range", constraintoward="left"),
        "yaxis": plain_axis(
            "−Z″ (Ω)", range=frames[start]["y"], scaleanchor="x", scaleratio=1, constraintoward="bottom"
        ),
    }
    span = f"{frequency_text(max(frequency))} to {frequency_text(min(frequency))}" if frequency else "no points"
    value = f" Total resistance {format_value(total, None, '=', 'ohm')}." if total else ""
    return {
        "kind": "nyquist", "traces": traces, "layout": layout, "frames": frames, "frame": start,
        "si_axes": {"xaxis": "Z′", "yaxis": "−Z″", "unit": "Ω"},
        "summary": f"Nyquist plot of {sample.words}. {len(frequency)} points, {span}.{value}",
    }  # fmt: skip


def _frame(real: Sequence[float], minus_imag: Sequence[float]) -> dict[str, list[float]]:
    """All points, with a margin."""
    if not real:
        return {"x": [0.0, 1.0], "y": [0.0, 1.0]}
    widest, highest = max(*real, 1e-9), max(*minus_imag, 1e-9)
    size = max(widest, highest)
    return {"x": [min(0.0, min(real)), 1.04 * widest], "y": [min(-0.06 * size, min(minus_imag)), 1.04 * highest]}


def _arc(total: float, real: Sequence[float], minus_imag: Sequence[float]) -> dict[str, list[float]]:
    """From 0 to 1.5 times the total resistance; a strip below zero for the marks and for inductive points."""
    edge = ARC_FACTOR * total
    below = min((b for a, b in zip(real, minus_imag, strict=True) if 0 <= a <= edge), default=0.0)
    return {"x": [0.0, edge], "y": [min(-0.075 * edge, max(1.1 * below, -0.4 * edge)), 0.55 * edge]}


def _decades(
    frame_name: str, frame: Mapping[str, list[float]], frequency: Sequence[float], real: Sequence[float],
    minus_imag: Sequence[float], total: float | None,
) -> Figure:  # fmt: skip
    """Rings and labels at the points next to whole decades, as many as the frame has room for."""
    (left, right), (bottom, top) = frame["x"], frame["y"]
    room = 0.075 * (right - left)
    chosen: list[int] = []
    for exponent in range(9, -7, -1):
        if not frequency:
            break
        row = min(range(len(frequency)), key=lambda i: abs(math.log10(frequency[i]) - exponent))
        is_near = abs(math.log10(frequency[row]) - exponent) < 0.12
        is_inside = left <= real[row] <= right and bottom <= minus_imag[row] <= 1.3 * top
        is_free = all(math.hypot(real[row] - real[i], minus_imag[row] - minus_imag[i]) > room for i in chosen)
        if is_near and is_inside and is_free:
            chosen.append(row)
    return {
        "type": "scatter", "mode": "markers+text", "name": f"decades {frame_name}", "showlegend": False,
        "x": pick(real, chosen), "y": pick(minus_imag, chosen),
        "text": [f"\u2002{frequency_text(frequency[row])}\u2002" for row in chosen],
        "textposition": [_beside(row, real, minus_imag, total) for row in chosen],
        "textfont": {"size": 11, "color": "role:ink", "weight": 600}, "cliponaxis": True, "hoverinfo": "skip",
        "marker": {"symbol": "circle-open", "size": 13, "color": "role:ink", "line": {"width": 1.4}},
        "meta": {"frame": frame_name},
    }  # fmt: skip


def _beside(row: int, real: Sequence[float], minus_imag: Sequence[float], total: float | None) -> str:
    """On which side of its point a label stands clear of the curve."""
    last, following = max(row - 3, 0), min(row + 3, len(real) - 1)  # beyond the noise of neighbours
    across, up = real[following] - real[last], minus_imag[following] - minus_imag[last]
    if total is not None and abs(real[row] - total) < 0.12 * total and minus_imag[row] < 0.15 * total:
        return "bottom left"  # in the valley before the tail
    if abs(up) > 1.5 * abs(across):
        return "middle right" if total is not None and real[row] > 0.9 * total else "middle left"
    if abs(up) < 0.5 * abs(across):
        is_valley = minus_imag[last] + minus_imag[following] > 2 * minus_imag[row]
        return "bottom left" if is_valley else "top center"
    return "top left" if up * across > 0 else "top right"


def _intercepts(marks: Sequence[Mapping[str, Any]], width: float) -> tuple[Figure, list[Figure]]:
    """Where the fitted resistances end on the real axis; the words stand below the axis, clear of the data."""
    marks = [mark for mark in marks if mark.get("z_real_ohm")]
    places = [mark["z_real_ohm"] for mark in marks]
    is_tight = len(places) == 2 and abs(places[1] - places[0]) < 0.3 * width
    anchors = ["right", "left"] if is_tight else ["center"] * len(places)
    stroke = {"width": 2.2, "color": "role:fit"}
    trace = {
        "type": "scatter", "mode": "markers", "name": "intercepts", "showlegend": False, "x": places,
        "y": [0.0] * len(places), "hoverinfo": "skip",
        "marker": {"symbol": "line-ns-open", "size": 9, "color": "role:fit", "line": stroke},
    }  # fmt: skip
    notes = [
        {
            "x": mark["z_real_ohm"], "y": 0.0, "yshift": -9, "yanchor": "top", "xanchor": anchor, "showarrow": False,
            "text": f"{markup(mark['label'])} = {format_value(mark['z_real_ohm'], None, '=', 'ohm')}",
            "font": {"size": 11.5, "color": "role:fit"}, "borderpad": 0,
        }
        for mark, anchor in zip(marks, anchors, strict=False)
    ]  # fmt: skip
    return trace, notes


# --- Bode -------------------------------------------------------------------------------------------------------------
def _magnitude_and_phase(real: Sequence[float], minus_imag: Sequence[float]) -> tuple[list[float], list[float]]:
    """|Z| and −phase in degrees."""
    magnitude = [math.hypot(a, b) for a, b in zip(real, minus_imag, strict=True)]
    return magnitude, [math.degrees(math.atan2(b, a)) for a, b in zip(real, minus_imag, strict=True)]


def bode(curves: Curves, sample: Sample) -> Figure:
    """|Z| and −phase against frequency, the fit on both."""
    frequency, real, minus_imag, used = spectrum_of(curves)
    magnitude, phase = _magnitude_and_phase(real, minus_imag)
    texts = [
        f"{frequency_text(f)}: |Z| {format_value(m, None, '=', 'ohm')}, −phase {p:.1f}°"
        for f, m, p in zip(frequency, magnitude, phase, strict=True)
    ]
    kept, masked = split_rows(used)
    square = {"symbol": "square-open", "size": 5.5, "color": "role:data", "line": {"width": 1.3}}
    traces = [
        point_trace("|Z|", pick(frequency, kept), pick(magnitude, kept), pick(texts, kept), marker=data_marker(sample)),
        point_trace("−phase", pick(frequency, kept), pick(phase, kept), pick(texts, kept), marker=square, yaxis="y2"),
    ]
    if masked:
        traces += [
            point_trace("left out of the fit", pick(frequency, masked), pick(values, masked), pick(texts, masked),
                    marker=left_out_marker(sample), yaxis=axis, showlegend=axis == "y")
            for values, axis in ((magnitude, "y"), (phase, "y2"))
        ]  # fmt: skip
    if fit := curves.get("fit"):
        fitted, turned = _magnitude_and_phase(fit["z_real_ohm"], [-value for value in fit["z_imag_ohm"]])
        traces += [  # above the points, which stand close
            line_trace("fit", fit["frequency_Hz"], fitted, line={"width": 1.6}),
            line_trace("fit of the phase", fit["frequency_Hz"], turned, yaxis="y2", line={"dash": "dot", "width": 1.8}),
        ]
    floor = min(0.0, 30.0 * math.floor(min(phase, default=0.0) / 30.0))
    layout = {
        "xaxis": log_axis("Frequency (Hz)", min(frequency), max(frequency)),
        "yaxis": log_axis("|Z| (Ω)", min(magnitude), max(magnitude)),
        "yaxis2": plain_axis(
            "−phase (°)", overlaying="y", side="right", range=[floor - 3, 93], dtick=30, showgrid=False
        ),
    }  # fmt: skip
    span = f"{format_value(min(magnitude), None, '=', 'ohm')} to {format_value(max(magnitude), None, '=', 'ohm')}"
    return {
        "kind": "bode", "traces": traces, "layout": layout,
        "summary": f"Bode plot of {sample.words}. {len(frequency)} points from {frequency_text(max(frequency))} to "
        f"{frequency_text(min(frequency))}; |Z| {span}.",
    }  # fmt: skip


# --- Residuals --------------------------------------------------------------------------------------------------------
def residuals(curves: Curves, sample: Sample) -> Figure:
    """Distance of fit and of the Kramers–Kronig description from the data, in % of |Z|; band of ±1 %."""
    panels = [
        (name, curves[key], axis)
        for key, name, axis in (("residuals", "Fit", "y"), ("kramers_kronig", "Kramers–Kronig", "y2"))
        if curves.get(key)
    ]
    traces: list[Figure] = []
    worst, shapes = 0.0, []
    everything = [f for _, part, _ in panels for f in part["frequency_Hz"]] or [1.0, 10.0]
    limit = max([1.0, *(abs(v) for _, part, _ in panels for k in ("real_percent", "imag_percent") for v in part[k])])
    for name, part, axis in panels:
        for key, words, marker in (
            ("real_percent", "real", {"symbol": "circle", "size": 5.5, "color": "role:data"}),
            ("imag_percent", "imaginary", {"symbol": "square-open", "size": 6, "color": "role:data2"}),
        ):
            texts = [
                f"{frequency_text(f)}: {name}, {words} {v:.2g} %".replace("-", "−")
                for f, v in zip(part["frequency_Hz"], part[key], strict=True)
            ]
            worst = max([worst, *(abs(v) for v in part[key])])
            traces.append(point_trace(words, part["frequency_Hz"], part[key], texts, marker=marker, yaxis=axis,
                                  showlegend=axis == panels[0][2]))  # fmt: skip
        shapes.append({"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": -1, "y1": 1,
                       "fillcolor": "role:ok@0.12", "line": {"width": 0}, "layer": "below"})  # fmt: skip
    span = [-1.15 * max(limit, 1.3), 1.15 * max(limit, 1.3)]
    layout: dict[str, Any] = {"xaxis": log_axis("Frequency (Hz)", min(everything), max(everything)), "shapes": shapes}
    domains = {"y": [0.56, 1.0], "y2": [0.0, 0.44]} if len(panels) == 2 else {"y": [0, 1], "y2": [0, 1]}
    for name, _, axis in panels:
        layout[f"yaxis{axis[1:]}"] = plain_axis(
            f"{'Fit' if name == 'Fit' else 'KK'}, Δ/|Z| (%)", domain=domains[axis], range=span, zeroline=True, nticks=6
        )
    layout["xaxis"] |= {"anchor": panels[-1][2] if panels else "y", "mirror": "all"}
    return {
        "kind": "residuals", "traces": traces, "layout": layout,
        "summary": f"Residuals of fit and Kramers–Kronig test of {sample.words}: real and imaginary part in per cent "
        f"of |Z|, the largest {worst:.2g} %. The band marks ±1 %.",
    }  # fmt: skip


# --- Arrhenius --------------------------------------------------------------------------------------------------------
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
        text += f"<br>95 % CI {energy['lower']:.{digits}f} to {energy['upper']:.{digits}f} eV"
    text += f"<br>from {energy.get('form', 'ln(σT)')}, n = {energy.get('count', '?')}"
    return [{"xref": "paper", "yref": "paper", "x": 0.03, "y": 0.04, "xanchor": "left", "yanchor": "bottom",
             "align": "left", "showarrow": False, "text": text, "font": {"size": 12, "color": "role:ink"},
             "bgcolor": "role:surface@0.85"}]  # fmt: skip


BUILDERS: dict[str, Callable[..., Figure]] = {
    "nyquist": nyquist, "bode": bode, "residuals": residuals, "arrhenius": arrhenius,
    "thickness": thickness,
}  # fmt: skip


# --- The same numbers as columns --------------------------------------------------------------------------------------
def columns(name: str, curves: Curves) -> dict[str, list[Any]]:
    """What a figure shows, by column name with unit suffix: its table and its CSV. Data only, as in the file."""
    if name == "arrhenius":
        points = curves["points"]
        names = (
            "temperature_degC",
            "inverse_temperature_1000_per_K",
            "conductivity_S_cm",
            "uncertainty_S_cm",
            "is_used",
        )
        return {key: list(points[key]) for key in names if points.get(key) is not None}
    if name == "thickness":
        names = ("film", "run", "duration_min", "film_thickness_nm", "film_thickness_uncertainty_nm", "is_used")
        return {key: list(curves["points"][key]) for key in names}
    if name == "residuals":
        return _residual_columns(curves)
    frequency, real, minus_imag, used = spectrum_of(curves)
    if name == "nyquist":
        return {"frequency_Hz": frequency, "z_real_ohm": real, "z_imag_ohm": [-b for b in minus_imag], "is_used": used}
    magnitude, phase = _magnitude_and_phase(real, minus_imag)
    return {
        "frequency_Hz": frequency,
        "z_magnitude_ohm": magnitude,
        "z_phase_deg": [-p for p in phase],
        "is_used": used,
    }


def _residual_columns(curves: Curves) -> dict[str, list[Any]]:
    """Fit and Kramers–Kronig residuals side by side; the fit may cover fewer points."""
    table: dict[float, dict[str, float]] = {}
    for key, prefix in (("residuals", "fit"), ("kramers_kronig", "kramers_kronig")):
        part = curves.get(key) or {"frequency_Hz": [], "real_percent": [], "imag_percent": []}
        for f, a, b in zip(part["frequency_Hz"], part["real_percent"], part["imag_percent"], strict=True):
            table.setdefault(f, {}).update({f"{prefix}_real_percent": a, f"{prefix}_imag_percent": b})
    frequency = sorted(table, reverse=True)
    names = [f"{p}_{c}_percent" for p in ("fit", "kramers_kronig") for c in ("real", "imag")]
    return {"frequency_Hz": frequency} | {name: [table[f].get(name) for f in frequency] for name in names}
