"""The figure of interfacial resistances: against time, cycle or sputter time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.figures.parts import (
    Figure,
    Sample,
    View,
    data_marker,
    log_axis,
    plain_axis,
    point_trace,
    switch,
)
from lagpdb.units import format_value

AGAINST = {
    "time_h": ("Hours", "Time since the first spectrum (h)"),
    "cycle_number": ("Cycle", "Cycle"),
    "sputter_time_min": ("Sputter time", "Sputter time (min)"),
    "spectrum": ("Order", "Spectrum, in the order of measurement"),
}
MOST_TICKS = 8
UNITS = {"ohm": "Ω", "ohm_cm2": "Ω cm²"}
COLUMNS = (
    "measurement", "cell", "time_h", "cycle_number", "sputter_time_min", "interfacial_resistance_ohm",
    "interfacial_resistance_uncertainty_ohm", "interfacial_asr_ohm_cm2", "interfacial_asr_uncertainty_ohm_cm2",
)  # fmt: skip


def trend(points: Sequence[Mapping[str, Any]], sample: Sample, view: View) -> Figure:
    """Resistance per interface (of a full cell: of all its interfaces) with its ±, one point per spectrum.

    `points` hold the names of `COLUMNS`, ``spectrum`` (number in order), ``is_own``, ``is_coated`` and ``interfaces``
    ('1' where the value is per interface, else how many it sums). Points of other cells stand only against the sputter
    time.
    """
    own = [point for point in points if point["is_own"]]
    known = [name for name in AGAINST if _is_telling(name, points if name == "sputter_time_min" else own)]
    what = switch("x", "Against", {name: AGAINST[name][0] for name in known or ["spectrum"]}, view)
    has_area = all(point["interfacial_asr_ohm_cm2"] is not None for point in own)
    unit = switch("unit", "Unit", UNITS if has_area else {"ohm": "Ω"}, view)
    scale = switch("scale", "R axis", {"linear": "Linear", "log": "Log"}, view)
    stem = {"ohm": "interfacial_resistance", "ohm_cm2": "interfacial_asr"}[unit["value"]]
    x_name, value_name, spread_name = what["value"], f"{stem}_{unit['value']}", f"{stem}_uncertainty_{unit['value']}"
    shown = [
        point
        for point in (points if x_name == "sputter_time_min" else own)
        if point[x_name] is not None and point[value_name] is not None
    ]
    traces = []
    for name, is_coated in (("pristine", False), ("coated", True)):
        part = [point for point in shown if point["is_coated"] is is_coated]
        if part:
            traces.append(_trace(name, part, (x_name, value_name, spread_name), unit["value"]))
    values = [point[value_name] for point in shown]
    tops = [point[value_name] + (point[spread_name] or 0.0) for point in shown]
    is_log = scale["value"] == "log" and bool(values) and min(values) > 0.0
    per = "per interface" if all(point["interfaces"] == "1" for point in own) else "all interfaces of the cell"
    symbol = "ASR" if unit["value"] == "ohm_cm2" else "R<sub>int</sub>"
    title = f"{symbol} ({UNITS[unit['value']]}, {per})"
    ends = [float(point[x_name]) for point in shown] or [0.0, 1.0]
    pad = 0.05 * ((max(ends) - min(ends)) or 1.0)
    words = "; ".join(text for trace in traces for text in trace["text"][:6])
    return {
        "kind": "trend", "traces": traces,
        "switches": [group for group in (what, unit, scale) if len(group["options"]) > 1],
        "layout": {
            "xaxis": plain_axis(AGAINST[x_name][1], range=[min(ends) - pad, max(ends) + pad], **_ticks(x_name, ends)),
            "yaxis": log_axis(title, min(values), max(tops)) if is_log
            else plain_axis(title, range=[0.0, 1.15 * max([*tops, 1e-9])]),
        },
        "summary": f"Interfacial resistance of {sample.words}, {per}, {len(shown)} spectra. {words}.",
    }  # fmt: skip


def _ticks(name: str, places: Sequence[float]) -> dict[str, Any]:
    """Whole numbers where spectra or cycles are counted."""
    few = max(places) - min(places) < MOST_TICKS
    return {"dtick": 1} if name in ("spectrum", "cycle_number") and few else {"nticks": MOST_TICKS}


def _is_telling(name: str, points: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a column has at least two different values, or is the plain order."""
    return name == "spectrum" or len({point[name] for point in points if point[name] is not None}) > 1


def _trace(name: str, points: Sequence[Mapping[str, Any]], columns: tuple[str, str, str], unit: str) -> Figure:
    """Points with bars; a thin line only where they follow each other in time."""
    x_name, value_name, spread_name = columns
    points = sorted(points, key=lambda point: float(point[x_name]))
    marker = data_marker(Sample(is_coated=name == "coated"))
    texts = [
        f"{point['measurement']}, {point['cell']}: {format_value(point[value_name], point[spread_name], '=', unit)}"
        for point in points
    ]
    is_ordered = x_name != "sputter_time_min"
    bars = {"type": "data", "array": [point[spread_name] or 0 for point in points], "thickness": 1, "width": 3}
    return point_trace(
        name, [point[x_name] for point in points], [point[value_name] for point in points], texts, marker=marker,
        mode="lines+markers" if is_ordered else "markers", line={"width": 1, "color": "role:ink3"},
        error_y={**bars, "color": marker["color"]},
        meta={"steps": True, "codes": [point["measurement"] for point in points]},
    )  # fmt: skip


def columns(points: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The same numbers as columns."""
    return {name: [point[name] for point in points] for name in COLUMNS}
