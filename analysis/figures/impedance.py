"""Figures of an impedance spectrum: Nyquist, Bode, residuals. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.figures.parts import (
    AS_IS,
    Curves,
    Figure,
    Sample,
    View,
    data_marker,
    left_out_marker,
    line_trace,
    log_axis,
    markup,
    pick,
    plain_axis,
    point_trace,
    spectrum_of,
    split_rows,
    switch,
    total_resistance_ohm,
)
from lagpdb.units import format_value, frequency_text

ARC_FACTOR = 1.5  # the frame "Arc" goes from 0 to this times the total resistance
CRUSHED = 0.25  # of the height of the full range; there the intercepts of a smaller arc stand on each other
WORDS_ROOM = 1.3  # times the total resistance at least is the full range wide where its intercepts are marked
INSET_FROM = 2.0  # times as wide or high as the arc must the full range be before an inset is offered


# --- Nyquist ----------------------------------------------------------------------------------------------------------
def nyquist(curves: Curves, sample: Sample, view: View = AS_IS) -> Figure:
    """Z′ against −Z″, 1 : 1; frames Arc and Full range; decades of frequency and intercepts marked."""
    suffix, symbol, curves, switches = _per_area(curves, sample, view)
    frequency, real, minus_imag, used = spectrum_of(curves)
    numbers = curves["data"].get("row") or list(range(len(frequency)))  # of the recording
    total = total_resistance_ohm(curves)
    texts = [
        f"{frequency_text(f)}: Z′ {format_value(a, None, '=', suffix)}, −Z″ {format_value(b, None, '=', suffix)}"
        for f, a, b in zip(frequency, real, minus_imag, strict=True)
    ]
    kept, masked = split_rows(used)
    rows = [("data", kept, data_marker(sample)), ("left out of the fit", masked, left_out_marker(sample))]
    traces = [
        point_trace(
            name, pick(real, part), pick(minus_imag, part), pick(texts, part), marker=marker,
            customdata=pick(frequency, part), meta={"steps": True, "rows": pick(numbers, part)},
        )
        for name, part, marker in rows
        if part
    ]  # fmt: skip
    if fit := curves.get("fit"):
        traces.insert(0, line_trace("fit", fit["z_real_ohm"], [-value for value in fit["z_imag_ohm"]]))
    frames = {"full": _frame(real, minus_imag)}
    if total and total >= CRUSHED * frames["full"]["y"][1]:  # the words of the last intercept need room too
        frames["full"]["x"][1] = max(frames["full"]["x"][1], WORDS_ROOM * total)
    if total:
        frames = {"arc": _arc(total, real, minus_imag)} | frames
    for name, frame in frames.items():
        traces.append(_decades(name, frame, frequency, real, minus_imag, total))
    notes: list[Figure] = []
    if total:
        marked, notes = _intercepts(curves["intercepts"], frames["arc"]["x"][1], suffix)
        if total < CRUSHED * frames["full"]["y"][1]:
            marked["meta"], notes = {"frame": "arc"}, [{**note, "name": "arc"} for note in notes]
        traces.append(marked)
    inset = switch("inset", "Inset", {"none": "No inset", "arc": "Arc as inset"}, view)
    has_inset = bool(total) and max(frames["full"][axis][1] for axis in "xy") > INSET_FROM * frames["arc"]["x"][1]
    switches += [inset] if has_inset else []
    start = next(iter(frames))
    layout: dict[str, Any] = {
        "annotations": notes,
        "xaxis": plain_axis(f"Z′ ({symbol})", range=frames[start]["x"], constrain="range", constraintoward="left"),
        "yaxis": plain_axis(
            f"−Z″ ({symbol})", range=frames[start]["y"], scaleanchor="x", scaleratio=1, constraintoward="bottom"
        ),
    }
    if has_inset and inset["value"] == "arc":
        traces, start = [*traces, *_inset(traces, frames, layout, symbol)], "full"
        frames = {"full": frames["full"]}  # the arc stands in the inset
    span = f"{frequency_text(max(frequency))} to {frequency_text(min(frequency))}" if frequency else "no points"
    value = f" Total resistance {format_value(total, None, '=', suffix)}." if total else ""
    return {
        "kind": "nyquist", "switches": switches, "traces": traces, "layout": layout, "frames": frames, "frame": start,
        "si_axes": {"xaxis": "Z′", "yaxis": "−Z″", "unit": symbol},
        "summary": f"Nyquist plot of {sample.words}. {len(frequency)} points, {span}.{value}",
    }  # fmt: skip


def _per_area(curves: Curves, sample: Sample, view: View) -> tuple[str, str, Curves, list[Figure]]:
    """Unit of the resistances, its symbol, the curves in it, and the switch where the area is known."""
    if not sample.area_cm2:
        return "ohm", "Ω", curves, []
    chosen = switch("unit", "Unit", {"ohm": "Ω", "ohm_cm2": "Ω cm²"}, view)
    if chosen["value"] == "ohm":
        return "ohm", "Ω", curves, [chosen]
    turned = dict(curves)
    for part in ("data", "fit"):
        if curves.get(part):
            turned[part] = {
                key: [value * sample.area_cm2 for value in values] if key.startswith("z_") else values
                for key, values in curves[part].items()
            }
    turned["intercepts"] = [
        {**mark, "z_real_ohm": mark["z_real_ohm"] * sample.area_cm2 if mark.get("z_real_ohm") else None}
        for mark in curves.get("intercepts") or ()
    ]
    return "ohm_cm2", "Ω cm²", turned, [chosen]


def _inset(traces: Sequence[Figure], frames: Mapping[str, Any], layout: dict[str, Any], symbol: str) -> list[Figure]:
    """The arc again, small and 1 : 1, in the corner that the full range leaves free."""
    arc, full = frames["arc"], frames["full"]
    is_steep = full["y"][1] > full["x"][1]  # the tail rises at the left: the right is free
    copies = [
        {key: value for key, value in trace.items() if key != "hovertemplate"}
        | {"xaxis": "x2", "yaxis": "y2", "showlegend": False, "hoverinfo": "skip", "meta": {}}
        for trace in traces
        if trace["mode"] in ("markers", "lines") and not trace.get("meta", {}).get("frame")
    ]
    small = {"tickfont": {"size": 10, "color": "role:ink2"}, "nticks": 4, "showgrid": False, "fixedrange": True}
    across, up = ([0.5, 0.97], [0.2, 0.6]) if is_steep else ([0.14, 0.58], [0.6, 0.96])
    layout["xaxis2"] = plain_axis(f"Z′ ({symbol})", domain=across, anchor="y2", range=arc["x"], constrain="range",
                                  constraintoward="left", **small)  # fmt: skip
    layout["yaxis2"] = plain_axis(f"−Z″ ({symbol})", domain=up, anchor="x2", range=arc["y"], scaleanchor="x2",
                                  scaleratio=1, constraintoward="bottom", **small)  # fmt: skip
    for name in ("xaxis2", "yaxis2"):
        layout[name]["title"] |= {"standoff": 2, "font": {"size": 10.5, "color": "role:ink2"}}
    return copies


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
        # In the valley before the tail; where nothing follows, the words of the intercept stand below.
        return "bottom left" if minus_imag[-1] > minus_imag[row] + 0.02 * total else "top right"
    if row == 0 and up > 0.0 and total is not None and minus_imag[row] < 0.15 * total:
        return "middle left"  # where the first arc leaves the axis: the words of its intercept stand below
    if abs(up) > 1.5 * abs(across):
        return "middle right" if total is not None and real[row] > 0.9 * total else "middle left"
    if abs(up) < 0.5 * abs(across):
        is_valley = minus_imag[last] + minus_imag[following] > 2 * minus_imag[row]
        return "bottom left" if is_valley else "top center"
    return "top left" if up * across > 0 else "top right"


def _intercepts(marks: Sequence[Mapping[str, Any]], width: float, suffix: str) -> tuple[Figure, list[Figure]]:
    """Where the fitted resistances end on the real axis; the words stand below the axis, clear of the data."""
    marks = [mark for mark in marks if mark.get("z_real_ohm")]
    places = [mark["z_real_ohm"] for mark in marks]
    is_tight = len(places) == 2 and abs(places[1] - places[0]) < 0.3 * width
    is_close = len(places) == 2 and abs(places[1] - places[0]) < 0.45 * width
    has_room = is_tight or (is_close and min(places) > 0.25 * width)
    anchors = ["right", "left" if is_tight else "center"] if has_room else ["center"] * len(places)
    stroke = {"width": 2.2, "color": "role:fit"}
    trace = {
        "type": "scatter", "mode": "markers", "name": "intercepts", "showlegend": False, "x": places,
        "y": [0.0] * len(places), "hoverinfo": "skip",
        "marker": {"symbol": "line-ns-open", "size": 9, "color": "role:fit", "line": stroke},
    }  # fmt: skip
    notes = [
        {
            "x": mark["z_real_ohm"], "y": 0.0, "yshift": -9, "yanchor": "top", "xanchor": anchor, "showarrow": False,
            "text": f"{markup(mark['label'])} = {format_value(mark['z_real_ohm'], None, '=', suffix)}",
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


def bode(curves: Curves, sample: Sample, view: View = AS_IS) -> Figure:
    """|Z| and −phase against frequency, the fit on both; or Z′ and −Z″."""
    what = switch("view", "View", {"magnitude": "|Z| and phase", "parts": "Z′ and −Z″"}, view)
    if what["value"] == "parts":
        return _parts(curves, sample, what)
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
        "kind": "bode", "switches": [what], "traces": traces, "layout": layout,
        "summary": f"Bode plot of {sample.words}. {len(frequency)} points from {frequency_text(max(frequency))} to "
        f"{frequency_text(min(frequency))}; |Z| {span}.",
    }  # fmt: skip


def _parts(curves: Curves, sample: Sample, what: Figure) -> Figure:
    """Z′ and −Z″ against frequency, both logarithmic; what is not above zero has no place there and is counted."""
    frequency, real, minus_imag, used = spectrum_of(curves)
    square = {"symbol": "square-open", "size": 5.5, "color": "role:data", "line": {"width": 1.3}}
    traces: list[Figure] = []
    heights: list[float] = []
    fit = curves.get("fit") or {}
    for name, values, marker, key, sign, dash in (
        ("Z′", real, data_marker(sample), "z_real_ohm", 1.0, "solid"),
        ("−Z″", minus_imag, square, "z_imag_ohm", -1.0, "dot"),
    ):
        rows = [row for row, value in enumerate(values) if value > 0.0]
        heights += pick(values, rows)
        texts = [
            f"{frequency_text(frequency[row])}: {name} {format_value(values[row], None, '=', 'ohm')}"
            f"{'' if used[row] else ', left out of the fit'}"
            for row in rows
        ]
        traces.append(point_trace(name, pick(frequency, rows), pick(values, rows), texts, marker=marker))
        pairs = [(f, sign * z) for f, z in zip(fit.get("frequency_Hz", ()), fit.get(key, ()), strict=True)]
        if pairs := [(f, z) for f, z in pairs if z > 0.0]:
            x, y = zip(*pairs, strict=True)
            traces.append(line_trace(f"fit of {name}", x, y, line={"width": 1.7, "dash": dash}))
    missing = 2 * len(frequency) - len(heights)
    heights = heights or [1.0, 10.0]
    told = f" {missing} values below zero are not drawn." if missing else ""
    return {
        "kind": "bode", "switches": [what], "traces": traces,
        "layout": {
            "xaxis": log_axis("Frequency (Hz)", min(frequency), max(frequency)),
            "yaxis": log_axis("Z′, −Z″ (Ω)", max(min(heights), 1e-6 * max(heights)), max(heights)),
        },
        "summary": f"Z′ and −Z″ of {sample.words} against frequency. {len(frequency)} points.{told}",
    }  # fmt: skip


# --- Residuals --------------------------------------------------------------------------------------------------------
def residuals(curves: Curves, sample: Sample, view: View = AS_IS) -> Figure:
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
                                  legendgroup=words, showlegend=axis == panels[0][2]))  # fmt: skip
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


BUILDERS: dict[str, Callable[..., Figure]] = {"nyquist": nyquist, "bode": bode, "residuals": residuals}


# --- The same numbers as columns --------------------------------------------------------------------------------------
def columns(name: str, curves: Curves) -> dict[str, list[Any]]:
    """What a figure shows, by column name with unit suffix: its table and its CSV. Data only, as in the file."""
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
