"""Figures of symmetric cells and of polarisations: staircase, long cycling, overpotential, transient. Pure.

Built as those of `analysis.figures`: plain dictionaries for Plotly, with a summary and the same numbers as columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.figure_parts import Curves, Figure, Sample, data_marker, line_trace, log_axis, plain_axis, point_trace
from analysis.thinning import LIMIT, envelope_note
from lagpdb.units import format_value

KINDS = {"hard_short": "short", "soft_short": "soft short", "polarisation": "polarisation"}
TITLES = {
    "staircase": "Current staircase",
    "plating": "Plating and stripping",
    "overpotential": "Overpotential",
    "transient": "Polarisation transient",
}
PARTS = {"staircase": "series", "plating": "series", "overpotential": "cycles", "transient": "series"}
CYCLE_TICKS = 8


# --- Parts ------------------------------------------------------------------------------------------------------------
def _span(values: Sequence[float], margin: float = 0.06) -> list[float]:
    """Range of an axis with a margin on both sides."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    pad = margin * ((high - low) or abs(high) or 1.0)
    return [low - pad, high + pad]


def _even(values: Sequence[float], margin: float = 0.12) -> list[float]:
    """Range of an axis with zero in its middle."""
    size = max((abs(value) for value in values), default=1.0) or 1.0
    return [-(1.0 + margin) * size, (1.0 + margin) * size]


def _upright(x: float, colour: str = "role:bad") -> Figure:
    """A line over the whole height."""
    line = {"color": colour, "width": 1.6, "dash": "dash"}
    return {"type": "line", "xref": "x", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _band(span: Mapping[str, float], colour: str) -> Figure:
    """A shaded stretch of time."""
    return {
        "type": "rect", "xref": "x", "x0": span["from_h"], "x1": span["to_h"], "yref": "paper", "y0": 0, "y1": 1,
        "fillcolor": colour, "line": {"width": 0}, "layer": "below",
    }  # fmt: skip


def _note(x: float, y: float, text: str, **more: Any) -> Figure:
    """Words at a place in time and at a share of the height."""
    return {
        "x": x, "y": y, "yref": "paper", "showarrow": False, "text": text, "bgcolor": "role:surface@0.8",
        "font": {"size": 11.5, "color": "role:ink"}, "yanchor": "top", **more,
    }  # fmt: skip


def _series_note(curves: Curves) -> str:
    """What a thinned drawing says, with a blank before it; '' for one that holds every point."""
    count = int(curves.get("point_count") or 0)
    return f" {envelope_note(count)}" if count > LIMIT else ""


def _thinned(curves: Curves) -> list[Figure]:
    """The same words below the axis."""
    text = _series_note(curves).strip()
    corner = {"xref": "paper", "xanchor": "right", "yanchor": "bottom", "font": {"size": 11, "color": "role:ink3"}}
    return [_note(1.0, 0.0, text, **corner)] if text else []


def _line(name: str, x: Sequence[float], y: Sequence[float], colour: str, **more: Any) -> Figure:
    return line_trace(name, x, y, line={"color": colour, "width": 1.2} | more.pop("line", {}), **more)


def _half_step_points(curves: Curves, sample: Sample, name: str) -> Figure:
    """One point per half-step, which people step through: voltage and resistance."""
    halves = curves["half_steps"]
    volts = [sign * value / 1000.0 for sign, value in zip(halves["sign"], halves["overpotential_mV"], strict=True)]
    texts = [
        f"Half-step {k}, {format_value(hours, None, '=', 'h')}: {format_value(1000.0 * volt, None, '=', 'mV')}, "
        f"{format_value(ohm, None, '=', 'ohm')}"
        for k, (hours, volt, ohm) in enumerate(
            zip(halves["time_h"], volts, halves["resistance_ohm"], strict=True), start=1
        )
    ]
    return point_trace(name, halves["time_h"], volts, texts, marker=data_marker(sample) | {"size": 5})


# --- CCD staircase ----------------------------------------------------------------------------------------------------
def staircase(curves: Curves, sample: Sample) -> Figure:
    """V and j against time; the failing step shaded and named, the last sound one marked, the protocol written."""
    series, marks = curves["series"], curves["marks"]
    hours, volts = series["time_h"], series["potential_V"]
    has_area = "current_density_mA_cm2" in series
    current = series["current_density_mA_cm2" if has_area else "current_mA"]
    unit = "mA cm⁻²" if has_area else "mA"
    traces = [
        _line("j" if has_area else "I", hours, current, "role:data2", yaxis="y2", line={"shape": "vh", "dash": "dot"}),
        _line("V", hours, volts, "role:data"),
        _half_step_points(curves, sample, "V, middle of the half-step"),
    ]
    shapes: list[Figure] = []
    notes: list[Figure] = []
    if sound := marks.get("sound"):
        shapes.append(_band(sound, "role:ok@0.14"))
        notes.append(_note(sound["from_h"], 0.93, f"last sound step{_density(sound)}", xanchor="right"))
    failing, kind = marks.get("failing"), str(marks.get("kind", "none"))
    if failing:
        shapes += [_band(failing, "role:bad@0.16"), _upright(marks["event_h"])]
        text = f"{KINDS.get(kind, kind)}{_density(failing)}"
        notes.append(_note(failing["from_h"], 0.86, text, xanchor="right", font={"size": 12, "color": "role:bad"}))
    lines = "<br>".join(text for text in (str(marks.get("protocol", "")), _series_note(curves).strip()) if text)
    notes.append(_note(0.01, 0.02, lines, xref="paper", xanchor="left", yanchor="bottom", align="left"))
    words = f"{KINDS.get(kind, kind).capitalize()} in the step{_density(failing)}." if failing else "No short."
    return {
        "kind": "staircase", "traces": traces,
        "layout": {
            "xaxis": plain_axis("Time (h)", range=_span(hours, 0.02)),
            "yaxis": plain_axis("V (V)", range=_even(_usual(volts, curves["half_steps"]["overpotential_mV"]), 0.2),
                                zeroline=True),
            "yaxis2": plain_axis(f"{'j' if has_area else 'I'} ({unit})", overlaying="y", side="right", showgrid=False,
                                 tickmode="auto", range=_even(current, 0.6)),
            "shapes": shapes, "annotations": notes,
        },
        "summary": f"Current staircase of {sample.words}: {marks.get('protocol', '')}. {words}{_series_note(curves)}",
    }  # fmt: skip


def _density(step: Mapping[str, Any] | None) -> str:
    """', 0.45 mA cm⁻²' of a step; '' without an area."""
    value = (step or {}).get("density_mA_cm2")
    return f", {value:.3g} mA cm⁻²" if value is not None else ""


# --- Long cycling -----------------------------------------------------------------------------------------------------
def plating(curves: Curves, sample: Sample) -> Figure:
    """V against time with the cycle on top, the envelope of the overpotential, and the failure."""
    series, marks, halves = curves["series"], curves["marks"], curves["half_steps"]
    hours, volts = series["time_h"], series["potential_V"]
    traces = [_line("V", hours, volts, "role:data", line={"width": 0.9})]
    for sign, name in ((1, "overpotential"), (-1, "overpotential, other direction")):
        rows = [row for row, value in enumerate(halves["sign"]) if value == sign]
        traces.append(
            _line(
                name,
                [halves["time_h"][row] for row in rows],
                [sign * halves["overpotential_mV"][row] / 1000.0 for row in rows],
                "role:fit",
                line={"width": 2},
                showlegend=sign == 1,
            )
        )
    traces.append({"type": "scatter", "x": hours[:1], "y": volts[:1], "xaxis": "x2", "mode": "markers",
                   "marker": {"opacity": 0}, "hoverinfo": "skip", "showlegend": False})  # fmt: skip
    span = _span(hours, 0.02)
    places, texts = _cycle_ticks(curves)
    shapes, notes, words = _failure(marks)
    return {
        "kind": "plating", "traces": traces,
        "layout": {
            "xaxis": plain_axis("Time (h)", range=span),
            "xaxis2": plain_axis("Cycle", overlaying="x", matches="x", side="top", range=span, showgrid=False,
                                 tickvals=places, ticktext=texts),
            "yaxis": plain_axis("V (V)", range=_even(_usual(volts, halves["overpotential_mV"], 1.0), 0.35),
                                zeroline=True),
            "shapes": shapes, "annotations": notes + _thinned(curves),
            "legend": {"x": 0.02, "y": 0.98, "yanchor": "top"},
        },
        "summary": f"Voltage of {sample.words} over {format_value(max(hours, default=0.0), None, '=', 'h')}. "
        f"{words}{_series_note(curves)}",
    }  # fmt: skip


def _usual(volts: Sequence[float], overpotential_mV: Sequence[float], room: float = 1.4) -> list[float]:
    """What the axis must show: nine tenths of the half-steps with some room, never more than there is."""
    ordered = sorted(abs(value) / 1000.0 for value in overpotential_mV)
    top = room * ordered[int(0.9 * (len(ordered) - 1))] if ordered else 1.0
    return [min(top, max((abs(value) for value in volts), default=top))]


def _cycle_ticks(curves: Curves) -> tuple[list[float], list[str]]:
    """Places and numbers of round cycles for the upper axis."""
    starts = curves["half_steps"]["start_h"][0::2]
    count = len(starts)
    step = next((s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500) if count / s <= CYCLE_TICKS), 1000)
    chosen = [row for row in range(count) if (row + 1) % step == 0]
    return [starts[row] for row in chosen], [str(row + 1) for row in chosen]


def _failure(marks: Mapping[str, Any]) -> tuple[list[Figure], list[Figure], str]:
    """Line, words beside it, and the sentence of the summary."""
    if marks.get("event_h") is None:
        return [], [], "No failure to the end of the recording."
    kind = KINDS.get(str(marks["kind"]), str(marks["kind"]))
    after = format_value(marks["event_h"], None, "=", "h")
    note = _note(marks["event_h"], 0.99, f"{kind}, {after}", xanchor="right", font={"size": 12, "color": "role:bad"})
    return [_upright(marks["event_h"])], [note], f"{kind.capitalize()} after {after}."


def overpotential(curves: Curves, sample: Sample) -> Figure:
    """Overpotential of every cycle against time."""
    cycles = curves["cycles"]
    texts = [
        f"Cycle {number}, {format_value(hours, None, '=', 'h')}: {format_value(value, spread, '=', 'mV')}"
        for number, hours, value, spread in zip(
            cycles["cycle"], cycles["time_h"], cycles["overpotential_mV"], cycles["uncertainty_mV"], strict=True
        )
    ]
    shapes, notes, words = _failure(curves["marks"])
    values = cycles["overpotential_mV"]
    traces = [point_trace("overpotential", cycles["time_h"], values, texts, marker=data_marker(sample))]
    ends = f"From {format_value(values[0], None, '=', 'mV')} to {format_value(values[-1], None, '=', 'mV')}. "
    return {
        "kind": "overpotential", "traces": traces,
        "layout": {
            "xaxis": plain_axis("Time (h)", range=_span(curves["series"]["time_h"], 0.02)),
            "yaxis": plain_axis("η (mV)", range=[0.0, 1.25 * max([*values, 1e-3])]),
            "shapes": shapes, "annotations": notes, "showlegend": False,
        },
        "summary": f"Overpotential of {sample.words}, {len(values)} cycles. {ends if values else ''}{words}",
    }  # fmt: skip


# --- Polarisation -----------------------------------------------------------------------------------------------------
def transient(curves: Curves, sample: Sample) -> Figure:
    """Current against the logarithm of time, with the initial and the steady current and how they were found."""
    series, marks = curves["series"], curves["marks"]
    rows = [row for row, value in enumerate(series["time_s"]) if value > 0.0]
    time = [series["time_s"][row] for row in rows]
    unit, factor = _current_unit([series["current_A"][row] for row in rows])
    current = [factor * series["current_A"][row] for row in rows]
    texts = [
        f"{format_value(t, None, '=', 's')}: {format_value(i, None, '=', unit)}"
        for t, i in zip(time, current, strict=True)
    ]
    small = data_marker(sample) | {"size": 4}
    traces = [point_trace("current", time, current, texts, marker=small)]
    notes = _thinned(curves)
    for name, symbol, place in (("initial", "I<sub>0</sub>", "left"), ("steady", "I<sub>s</sub>", "right")):
        mark = marks[name]
        value = factor * mark["current_A"]
        span = [max(mark["from_s"], min(time)), mark["to_s"]]
        label = f"{symbol} = {format_value(value, factor * mark['uncertainty_A'], '=', unit)}"
        traces.append(line_trace(f"{name} current", span, [value, value], line={"width": 4}))
        notes.append(
            {
                "x": math.log10(span[0 if place == "left" else 1]),
                "y": value,
                "xanchor": place,
                "yanchor": "bottom" if place == "left" else "top",
                "yshift": 6 if place == "left" else -6,
                "showarrow": False,
                "font": {"size": 12, "color": "role:fit"},
                "bgcolor": "role:surface@0.8",
                "text": f"{label}<br>{mark['rule']}",
                "align": place,
            }
        )
    # The spike of the double layer must not crush the rest.
    shown = [value for t, value in zip(time, current, strict=True) if t >= 0.1] or current
    shown = [*shown, *(factor * marks[name]["current_A"] for name in ("initial", "steady"))]
    state = "steady" if marks["steady"].get("is_steady") else "not yet steady"
    voltage = format_value(1000.0 * marks["voltage_V"], None, "=", "mV")
    return {
        "kind": "transient", "traces": traces,
        "layout": {
            "xaxis": log_axis("t (s)", min(time, default=0.1), max(time, default=1.0)),
            "yaxis": plain_axis(f"I ({_symbol(unit)})", range=_span([0.0, *shown], 0.3)),
            "annotations": notes,
        },
        "summary": f"Current of {sample.words} at {voltage}. Initial current "
        f"{format_value(factor * marks['initial']['current_A'], None, '=', unit)}, at the end "
        f"{format_value(factor * marks['steady']['current_A'], None, '=', unit)}, {state}.{_series_note(curves)}",
    }  # fmt: skip


def _current_unit(values: Sequence[float]) -> tuple[str, float]:
    """Suffix of the unit that suits the currents, and the factor from A."""
    size = sorted(abs(value) for value in values)[len(values) // 2] if values else 0.0
    return ("mA", 1.0e3) if size >= 1.0e-3 else ("uA", 1.0e6)


def _symbol(unit: str) -> str:
    return {"mA": "mA", "uA": "µA"}[unit]


BUILDERS: dict[str, Callable[..., Figure]] = {
    "staircase": staircase, "plating": plating, "overpotential": overpotential, "transient": transient,
}  # fmt: skip
RECORDED = ("staircase", "plating", "transient")  # drawn from the rows of the recording, which the CSV gives whole


# --- The same numbers as columns --------------------------------------------------------------------------------------
def columns(name: str, curves: Curves) -> dict[str, list[Any]]:
    """What a figure shows, by column name with unit suffix."""
    return {key: list(values) for key, values in curves[PARTS[name]].items()}
