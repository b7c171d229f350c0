"""The current staircase of a symmetric cell: against time, voltage against current, resistance of each step. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.figures import series_parts as draw
from analysis.figures.parts import AS_IS, Curves, Figure, Sample, View, data_marker, plain_axis, point_trace, switch
from analysis.figures.series_parts import KINDS
from analysis.science.wording import step_density
from lagpdb.units import format_value

OTHER = {"symbol": "square-open", "size": 10, "color": "role:data", "line": {"width": 1.4}}
VIEWS = {"time": "Against time", "v_j": "V against j", "resistance": "Resistance per step"}


def _half_step_points(curves: Curves, sample: Sample, name: str) -> Figure:
    """One point per half-step, which people step through: voltage and resistance."""
    halves = curves["half_steps"]
    rows, _ = draw.few(halves["time_h"], halves["overpotential_mV"])
    halves = {key: [values[row] for row in rows] for key, values in halves.items()}
    volts = [sign * value / 1000.0 for sign, value in zip(halves["sign"], halves["overpotential_mV"], strict=True)]
    texts = [
        f"Half-step {k + 1}, {format_value(hours, None, '=', 'h')}: {format_value(1000.0 * volt, None, '=', 'mV')}, "
        f"{format_value(ohm, None, '=', 'ohm')}"
        for k, hours, volt, ohm in zip(rows, halves["time_h"], volts, halves["resistance_ohm"], strict=True)
    ]
    return point_trace(name, halves["time_h"], volts, texts, marker=data_marker(sample) | {"size": 5})


def staircase(curves: Curves, sample: Sample, view: View = AS_IS) -> Figure:
    """V and j against time; the failing step shaded and named, the last sound one marked, the protocol written."""
    what = switch("view", "View", VIEWS, view)
    can_switch = bool(curves["half_steps"].get("current_mA"))  # runs of older versions stored no current of a step
    if can_switch and what["value"] != "time":
        return _per_step(curves, sample, view, what)
    series, marks = draw.drawable(curves), curves["marks"]
    hours, volts = series["time_h"], series["potential_V"]
    has_area = "current_density_mA_cm2" in series
    current = series["current_density_mA_cm2" if has_area else "current_mA"]
    unit = "mA cm⁻²" if has_area else "mA"
    traces = [
        draw.line(
            "j" if has_area else "I", hours, current, "role:data2", yaxis="y2", line={"shape": "vh", "dash": "dot"}
        ),
        draw.line("V", hours, volts, "role:data"),
        _half_step_points(curves, sample, "V, middle of the half-step"),
    ]
    shapes: list[Figure] = []
    notes: list[Figure] = []
    if sound := marks.get("sound"):
        shapes.append(draw.band(sound, "role:ok@0.14"))
        notes.append(draw.note(sound["to_h"], 0.99, f"last sound step{_density(sound)}", xanchor="right", name="words"))
    failing, kind = marks.get("failing"), str(marks.get("kind", "none"))
    if failing:
        shapes += [draw.band(failing, "role:bad@0.16"), draw.upright(marks["event_h"])]
        text = f"{KINDS.get(kind, kind)}{_density(failing)}"
        notes.append(draw.note(failing["from_h"], 0.91, text, xanchor="right", font={"size": 12, "color": "role:bad"}))
    lines = "<br>".join(text for text in (str(marks.get("protocol", "")), draw.series_note(curves).strip()) if text)
    notes.append(
        draw.note(0.01, 0.02, lines, xref="paper", xanchor="left", yanchor="bottom", align="left", name="words")
    )
    words = f"{KINDS.get(kind, kind).capitalize()} in the step{_density(failing)}." if failing else "No short."
    usual = draw.usual(volts, curves["half_steps"]["overpotential_mV"])
    about = f"Current staircase of {sample.words}: {marks.get('protocol', '')}."
    return {
        "kind": "staircase", "traces": traces, "switches": [what] if can_switch else [], "window": draw.window(curves),
        "layout": {
            "xaxis": plain_axis("Time (h)", range=draw.span(hours, 0.02)),
            "yaxis": plain_axis("V (V)", range=draw.room_for_words(draw.even(usual, 0.25)), zeroline=True),
            "yaxis2": plain_axis(f"{'j' if has_area else 'I'} ({unit})", overlaying="y", side="right", showgrid=False,
                                 tickmode="auto", range=draw.room_for_words(draw.even(current, 0.6))),
            "shapes": shapes, "annotations": notes,
        },
        "summary": f"{about} {words}{draw.series_note(curves)}",
    }  # fmt: skip


def _density(step: Mapping[str, Any] | None) -> str:
    """', 0.45 mA cm⁻²' of a step; '' without an area."""
    value = (step or {}).get("density_mA_cm2")
    return f", {step_density(value)} mA cm⁻²" if value is not None else ""


def _per_step(curves: Curves, sample: Sample, view: View, what: Figure) -> Figure:
    """|V| or resistance of every half-step against its current density; both directions by their markers."""
    halves, marks = curves["half_steps"], curves["marks"]
    has_area = "current_density_mA_cm2" in halves
    density = halves["current_density_mA_cm2" if has_area else "current_mA"]
    is_voltage, switches = what["value"] == "v_j", [what]
    factor, unit = 1.0e-3, "V"
    if not is_voltage:
        options = {"ohm": "Ω", "ohm_cm2": "Ω cm²"} if sample.area_cm2 else {"ohm": "Ω"}
        chosen = switch("unit", "Unit", options, view)
        switches += [chosen] if sample.area_cm2 else []
        factor, unit = (sample.area_cm2 or 1.0) if chosen["value"] == "ohm_cm2" else 1.0, chosen["value"]
    values = [factor * value for value in halves["overpotential_mV" if is_voltage else "resistance_ohm"]]
    suffix = "mA_cm2" if has_area else "mA"
    traces, usual = [], []
    failing = marks.get("failing") or {}
    for sign, name in ((1, "first direction"), (-1, "other direction")):
        rows = [row for row, own in enumerate(halves["sign"]) if own == sign]
        texts = [
            f"Half-step {row + 1}, {format_value(density[row], None, '=', suffix)}: "
            f"{format_value(values[row], None, '=', unit)}{_state(halves, row, failing)}"
            for row in rows
        ]
        x, y = [density[row] for row in rows], [values[row] for row in rows]
        usual += [values[row] for row in rows if not _state(halves, row, failing)]
        marker = data_marker(sample) if sign > 0 else OTHER
        traces.append(point_trace(name, x, y, texts, marker=marker, mode="lines+markers",
                                  line={"width": 1, "color": "role:ink3"}))  # fmt: skip
    shapes = [draw.upright(failing["density_mA_cm2"])] if failing.get("density_mA_cm2") and has_area else []
    kind = KINDS.get(str(marks.get("kind")), str(marks.get("kind", "none")))
    notes = [
        draw.note(failing["density_mA_cm2"], 0.99, f"{kind}{_density(failing)}", xanchor="right",
                  font={"size": 12, "color": "role:bad"})
    ] if shapes else []  # fmt: skip
    symbol = {"V": "V", "ohm": "Ω", "ohm_cm2": "Ω cm²"}[unit]
    title = f"|V| ({symbol})" if is_voltage else f"V/I ({symbol})"
    return {
        "kind": "staircase", "traces": traces, "switches": switches,
        "layout": {
            "xaxis": plain_axis(f"{'j' if has_area else 'I'} ({'mA cm⁻²' if has_area else 'mA'})",
                                range=draw.span([0.0, *density], 0.05)),
            "yaxis": plain_axis(title, range=draw.span([0.0, *(usual or values)], 0.12)),
            "shapes": shapes, "annotations": notes,
        },
        "summary": f"{'Voltage' if is_voltage else 'Resistance'} of each half-step of {sample.words} against its "
        f"current{' density' if has_area else ''}, {len(values)} half-steps.",
    }  # fmt: skip


def _state(halves: Mapping[str, Any], row: int, failing: Mapping[str, Any]) -> str:
    """', in the failing step' from the begin of that step on."""
    return ", in the failing step" if failing and halves["end_h"][row] > failing["from_h"] else ""
