"""Figures of symmetric cells: staircase, long cycling, overpotential; the transient is joined to them here. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.figures import series_parts as draw
from analysis.figures.parts import (
    AS_IS,
    Curves,
    Figure,
    Sample,
    View,
    data_marker,
    log_axis,
    plain_axis,
    point_trace,
    switch,
)
from analysis.figures.staircase import staircase
from analysis.figures.transient import transient
from lagpdb.units import format_value

TITLES = {
    "staircase": "Current staircase",
    "plating": "Plating and stripping",
    "overpotential": "Overpotential",
    "transient": "Polarisation transient",
}
PARTS = {"staircase": "series", "plating": "series", "overpotential": "cycles", "transient": "series"}
CYCLE_TICKS = 8
MAIN, STRIP = (0.46, 1.0), (0.0, 0.24)  # heights of the whole test and of the close views below it
STRIP_GAP = 0.06


# --- Long cycling -----------------------------------------------------------------------------------------------------
def plating(curves: Curves, sample: Sample, view: View = AS_IS) -> Figure:
    """V against time with the cycle on top, the envelope of the overpotential, and the failure."""
    series, marks, halves = draw.drawable(curves), curves["marks"], curves["half_steps"]
    correct, switches = _ir_switch(curves, view)
    area = sample.area_cm2 or 1.0
    current = series.get("current_mA") or [j * area for j in series["current_density_mA_cm2"]]
    hours, volts = series["time_h"], correct(series["potential_V"], current)
    plated = correct(
        [value / 1000.0 for value in halves["overpotential_mV"]],
        halves.get("current_mA") or [0.0] * len(halves["sign"]),
    )
    traces = [draw.line("V", hours, volts, "role:data", line={"width": 0.9})]
    kept, _ = draw.few(halves["time_h"], plated)
    for sign, name in ((1, "overpotential"), (-1, "overpotential, other direction")):
        rows = [row for row in kept if halves["sign"][row] == sign]
        x, y = [halves["time_h"][row] for row in rows], [sign * plated[row] for row in rows]
        traces.append(draw.line(name, x, y, "role:fit", line={"width": 2}, showlegend=sign == 1))
    traces.append(_cycle_points(curves, plated, sample))
    traces.append({"type": "scatter", "x": hours[:1], "y": volts[:1], "xaxis": "x2", "mode": "markers",
                   "marker": {"opacity": 0}, "hoverinfo": "skip", "showlegend": False})  # fmt: skip
    span = draw.span(hours, 0.02)
    places, texts = _cycle_ticks(curves)
    shapes, notes, words = _failure(marks)
    events, told = _events(curves)
    heights = draw.even(draw.usual(volts, [1000.0 * value for value in plated], 1.0), 0.35)
    close, below = _strips(curves, correct, heights)
    layout = {
        "xaxis": plain_axis("Time (h)", range=span),
        "xaxis2": plain_axis("Cycle", overlaying="x", matches="x", side="top", range=span, showgrid=False,
                             tickvals=places, ticktext=texts),
        "yaxis": plain_axis("V (V)", range=heights, zeroline=True),
        "shapes": events + shapes, "annotations": told + notes + draw.thinned(curves) + below.pop("annotations", []),
        "legend": {"y": 1.16}, **below,  # above the axis of the cycles
    }  # fmt: skip
    if close:
        layout["yaxis"]["domain"] = list(MAIN)
    count = len(curves.get("pauses") or ())
    pause = f" {count} pause{'' if count == 1 else 's'}." if count else ""
    return {
        "kind": "plating", "traces": traces + close, "layout": layout, "switches": switches,
        "window": draw.window(curves),
        "summary": f"Voltage of {sample.words} over {format_value(max(hours, default=0.0), None, '=', 'h')}. "
        f"{words}{pause}{draw.series_note(curves)}",
    }  # fmt: skip


def _ir_switch(curves: Curves, view: View) -> tuple[Callable[..., list[float]], list[Figure]]:
    """What takes the electrolyte's own voltage off, and the switch; none where its resistance is not known."""
    ohmic = curves["marks"].get("ohmic") or {}
    if not ohmic:
        return (lambda volts, current_mA: list(volts)), []
    value = format_value(ohmic["resistance_ohm"], None, "=", "ohm")
    options = {"measured": "As measured", "corrected": f"IR-corrected, {value} of {ohmic['origin']}"}
    chosen = switch("ir", "Voltage", options, view)
    ohm = ohmic["resistance_ohm"] if chosen["value"] == "corrected" else 0.0
    return (lambda volts, current_mA: [v - 1.0e-3 * i * ohm for v, i in zip(volts, current_mA, strict=True)]), [chosen]


def _cycle_points(curves: Curves, volts: Sequence[float], sample: Sample) -> Figure:
    """One invisible point per half-step, which people step through and hover over."""
    halves = curves["half_steps"]
    rows, _ = draw.few(halves["time_h"], halves["overpotential_mV"])
    texts = [
        f"Half-cycle {row + 1}, {format_value(halves['time_h'][row], None, '=', 'h')}: "
        f"{format_value(1000.0 * volts[row], None, '=', 'mV')}"
        for row in rows
    ]
    marker = data_marker(sample) | {"size": 6, "opacity": 0}
    return point_trace(
        "half-cycles", [halves["time_h"][row] for row in rows], [halves["sign"][row] * volts[row] for row in rows],
        texts, marker=marker, showlegend=False,
    )  # fmt: skip


def _events(curves: Curves) -> tuple[list[Figure], list[Figure]]:
    """Pauses shaded, and other measurements of the cell (EIS) marked with their code."""
    shapes = [draw.band(pause, "role:ink3@0.25") for pause in curves.get("pauses") or ()]
    notes = []
    if shapes:
        first = curves["pauses"][0]
        notes.append(draw.note(first["from_h"], 0.1, "pause", xanchor="left", font={"size": 11, "color": "role:ink2"}))
    for event in curves.get("events") or ():
        shapes.append(draw.upright(event["time_h"], "role:ink3"))
        notes.append(draw.note(event["time_h"], 0.02, event["label"], xanchor="left", yanchor="bottom",
                               font={"size": 11, "color": "role:ink2"}))  # fmt: skip
    return shapes, notes


def _strips(
    curves: Curves, correct: Callable[..., list[float]], heights: Sequence[float]
) -> tuple[list[Figure], dict[str, Any]]:
    """Two cycles at the begin, in the middle and at the end, side by side below the whole."""
    windows = curves.get("windows") or []
    traces: list[Figure] = []
    below: dict[str, Any] = {"annotations": []}
    width = (1.0 - STRIP_GAP * (len(windows) - 1)) / max(len(windows), 1)
    drawn = [correct(window["potential_V"], window["current_mA"]) for window in windows]
    highest = draw.even([max(abs(v) for v in heights) / 1.35, *(v for volts in drawn for v in volts)], 0.1)
    for place, (window, volts) in enumerate(zip(windows, drawn, strict=True)):
        number, left = place + 3, place * (width + STRIP_GAP)
        traces.append(draw.line(f"window {place + 1}", window["time_h"], volts, "role:data", showlegend=False,
                                xaxis=f"x{number}", yaxis=f"y{number}"))  # fmt: skip
        below[f"xaxis{number}"] = plain_axis(
            "Time (h)" if place == len(windows) // 2 else "", range=draw.span(window["time_h"], 0.0),
            domain=[left, left + width], anchor=f"y{number}", fixedrange=True, **_two_ticks(window["time_h"]),
        )  # fmt: skip
        below[f"yaxis{number}"] = plain_axis(
            "V (V)" if place == 0 else "", range=highest, domain=list(STRIP), anchor=f"x{number}", zeroline=True,
            fixedrange=True, nticks=4, showticklabels=place == 0,
        )  # fmt: skip
        cycles = f"{'cycles ' if place == 0 else ''}{window['first_cycle']}–{window['last_cycle']}"
        below["annotations"].append(
            draw.note(0.5, 1.0, cycles, xanchor="center",
                      xref=f"x{number} domain", yref=f"y{number} domain", yanchor="bottom", bgcolor="role:surface@0",
                      font={"size": 10.5, "color": "role:ink2"})
        )  # fmt: skip
    return traces, below if windows else {}


def _two_ticks(hours: Sequence[float]) -> dict[str, Any]:
    """Two ticks away from the ends, so that those of neighbours do not meet."""
    low, wide = hours[0], hours[-1] - hours[0]
    places = [low + 0.25 * wide, low + 0.75 * wide]
    digits = 0 if wide >= 3.0 else 1 if wide >= 0.4 else 3
    values = [round(place, digits) for place in places]
    return {"tickvals": values, "ticktext": [f"{value:g}" for value in values], "tickangle": 0}


def _cycle_ticks(curves: Curves) -> tuple[list[float], list[str]]:
    """Places and numbers of round cycles for the upper axis."""
    starts = curves["half_steps"]["start_h"][0::2]
    low, high = curves["series"]["time_h"][0], curves["series"]["time_h"][-1]  # of the stretch that is drawn
    inside = [row for row, start in enumerate(starts) if low <= start <= high]
    count = len(inside)
    step = next((s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500) if count / s <= CYCLE_TICKS), 1000)
    chosen = [row for row in inside if (row + 1) % step == 0]
    return [starts[row] for row in chosen], [str(row + 1) for row in chosen]


def _failure(marks: Mapping[str, Any]) -> tuple[list[Figure], list[Figure], str]:
    """Line, words beside it, and the sentence of the summary."""
    if marks.get("event_h") is None:
        return [], [], "No failure to the end of the recording."
    kind = draw.KINDS.get(str(marks["kind"]), str(marks["kind"]))
    after = format_value(marks["event_h"], None, "=", "h")
    note = draw.note(
        marks["event_h"], 0.99, f"{kind}, {after}", xanchor="right", font={"size": 12, "color": "role:bad"}
    )
    return [draw.upright(marks["event_h"])], [note], f"{kind.capitalize()} after {after}."


def overpotential(curves: Curves, sample: Sample, view: View = AS_IS) -> Figure:
    """Overpotential of every cycle against time."""
    cycles = curves["cycles"]
    correct, switches = _ir_switch(curves, view)
    currents = cycles.get("current_mA") or [0.0] * len(cycles["cycle"])
    values = [1000.0 * v for v in correct([value / 1000.0 for value in cycles["overpotential_mV"]], currents)]
    rows, _ = draw.few(cycles["time_h"], values)
    texts = [
        f"Cycle {cycles['cycle'][row]}, {format_value(cycles['time_h'][row], None, '=', 'h')}: "
        f"{format_value(values[row], cycles['uncertainty_mV'][row], '=', 'mV')}"
        for row in rows
    ]
    scale = switch("scale", "η axis", {"linear": "Linear", "log": "Log"}, view)
    above = [value for value in values if value > 0.0]
    is_log = scale["value"] == "log" and bool(above)
    axis = (
        log_axis("η (mV)", min(above), max(above)) if is_log
        else plain_axis("η (mV)", range=[0.0, 1.25 * max([*values, 1e-3])])
    )  # fmt: skip
    shapes, notes, words = _failure(curves["marks"])
    x, y = [cycles["time_h"][row] for row in rows], [values[row] for row in rows]
    traces = [point_trace("overpotential", x, y, texts, marker=data_marker(sample))]
    ends = (
        f"From {format_value(values[0], None, '=', 'mV')} to {format_value(values[-1], None, '=', 'mV')}. "
        if values
        else ""
    )
    return {
        "kind": "overpotential", "traces": traces, "switches": [scale, *switches],
        "layout": {
            "xaxis": plain_axis("Time (h)", range=draw.span(curves["series"]["time_h"], 0.02)),
            "yaxis": axis, "shapes": shapes, "annotations": notes, "showlegend": False,
        },
        "summary": f"Overpotential of {sample.words}, {len(values)} cycles. {ends}{words}",
    }  # fmt: skip


BUILDERS: dict[str, Callable[..., Figure]] = {
    "staircase": staircase, "plating": plating, "overpotential": overpotential, "transient": transient,
}  # fmt: skip
RECORDED = ("staircase", "plating", "transient")  # drawn from the rows of the recording, which the CSV gives whole


# --- The same numbers as columns --------------------------------------------------------------------------------------
def columns(name: str, curves: Curves) -> dict[str, list[Any]]:
    """What a figure shows, by column name with unit suffix."""
    return {key: list(values) for key, values in curves[PARTS[name]].items()}
