"""Figures of full cells: capacity and Coulombic efficiency, voltage curves, rate capability, dQ/dV. Pure.

Built as those of `analysis.figures`: plain dictionaries for Plotly, with a summary and the same numbers as columns.
Capacities are stored in mAh and drawn per gram where the active mass is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.figure_parts import Curves, Figure, Sample, data_marker, line_trace, pick, plain_axis, point_trace
from analysis.thinning import LIMIT, envelope_note, envelope_rows
from lagpdb.units import format_value

SEQUENTIAL = 6  # steps of the style sheet's scale, --seq1 … --seq6
CE_FRAME = (90.0, 102.0)  # %
RETENTION_CYCLES = (50, 100)


# --- Parts ------------------------------------------------------------------------------------------------------------
def _per_gram(curves: Curves) -> tuple[float, str]:
    """Factor from mAh to what is drawn, and the suffix of its unit."""
    mass = (curves.get("marks") or {}).get("active_mass_mg")
    return (1000.0 / mass, "mAh_g") if mass else (1.0, "mAh")


def _unit(suffix: str) -> str:
    return {"mAh_g": "mAh g⁻¹", "mAh": "mAh"}[suffix]


def _colour(position: int, count: int) -> str:
    """Step of the sequential scale for the item at `position` of `count`, first to last."""
    step = round(position / max(count - 1, 1) * (SEQUENTIAL - 1))
    return f"role:seq{step + 1}"


def _span(values: Sequence[float | None], margin: float = 0.06, floor: float | None = None) -> list[float]:
    """Range of an axis with a margin on both sides; `floor` keeps the low end from crossing it."""
    known = [value for value in values if value is not None] or [0.0, 1.0]
    low, high = min(known), max(known)
    pad = margin * ((high - low) or abs(high) or 1.0)
    return [low - pad if floor is None else max(low - pad, floor), high + pad]


def _note(x: float, text: str, **more: Any) -> Figure:
    """Words at the upper edge of the plot."""
    return {
        "x": x, "y": 1.0, "yref": "paper", "yanchor": "top", "xanchor": "left", "showarrow": False, "text": text,
        "font": {"size": 11.5, "color": "role:ink2"}, **more,
    }  # fmt: skip


def _upright(x: float, dash: str = "dot") -> Figure:
    """A line over the whole height."""
    line = {"color": "role:ink3", "width": 1, "dash": dash}
    return {"type": "line", "xref": "x", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _thinned(x: Sequence[float], *series: Sequence[float | None]) -> tuple[list[int], str]:
    """Rows to draw of series over one x, and what is said about it."""
    if len(x) <= LIMIT:
        return list(range(len(x))), ""
    rows: set[int] = set()
    for values in series:
        rows |= {int(row) for row in envelope_rows(x, [math.nan if v is None else v for v in values])}
    return sorted(rows), envelope_note(len(x))


# --- Capacity and Coulombic efficiency --------------------------------------------------------------------------------
def capacity(curves: Curves, sample: Sample) -> Figure:
    """Discharge capacity and CE against cycle; reference marked, formation hollow, retention at 50, 100 and last."""
    cycles, marks = curves["cycles"], curves["marks"]
    factor, suffix = _per_gram(curves)
    number = cycles["cycle_number"]
    discharge = _scaled(cycles["discharge_capacity_mAh"], factor)
    charge = _scaled(cycles["charge_capacity_mAh"], factor)
    efficiency = _scaled(cycles["coulombic_efficiency_fraction"], 100.0)
    rows, envelope = _thinned(number, discharge, efficiency)
    texts = [
        f"Cycle {n}: discharge {_value(q, suffix)}, CE {_percent(ce)}"
        for n, q, ce in zip(number, discharge, efficiency, strict=True)
    ]
    formed = [row for row in rows if cycles["is_formation"][row]]
    after = [row for row in rows if not cycles["is_formation"][row]]
    filled = data_marker(sample)
    hollow = {"symbol": "diamond-open", "size": 7.5, "color": filled["color"], "line": {"width": 1.6}}
    square = {"symbol": "square-open", "size": 5.5, "color": "role:data", "line": {"width": 1.2}}
    cross = {"symbol": "x-thin", "size": 5, "color": "role:data2", "line": {"width": 1.2, "color": "role:data2"}}
    traces = [
        point_trace(name, pick(number, part), pick(discharge, part), pick(texts, part), marker=marker)
        for name, part, marker in (("discharge", after, filled), ("discharge, formation", formed, hollow))
        if part
    ]
    traces += [
        point_trace("charge", pick(number, rows), pick(charge, rows), pick(texts, rows), marker=cross,
                    visible="legendonly"),
        point_trace("CE", pick(number, rows), pick(efficiency, rows), pick(texts, rows), marker=square, yaxis="y2"),
    ]  # fmt: skip
    reference = marks.get("reference_cycle")
    kept = _retention_notes(number, discharge, reference)
    known = [ce for ce in efficiency if ce is not None]
    is_near = bool(known) and sum(CE_FRAME[0] <= ce <= CE_FRAME[1] for ce in known) >= 0.8 * len(known)
    frames = {"ce": {"y2": list(CE_FRAME)}, "full": {"y2": _span(efficiency, floor=0.0)}}
    start = "ce" if is_near else "full"
    ends = [min(number, default=0) - 0.5, max(number, default=1) + 0.5]
    layout: dict[str, Any] = {
        "xaxis": plain_axis("Cycle", range=_span(ends, 0.02), nticks=9),
        "yaxis": plain_axis(f"Discharge capacity ({_unit(suffix)})", range=_span([0.0, *discharge], 0.08, 0.0)),
        "yaxis2": plain_axis(
            "CE (%)", overlaying="y", side="right", range=frames[start]["y2"], showgrid=False, tickmode="auto", nticks=8
        ),
        "shapes": [_upright(reference)] if reference else [],
        "annotations": [
            *([_note(reference, f"&nbsp;reference, cycle {reference}", y=0.08)] if reference else []),
            *([_corner(envelope)] if envelope else []),
            *([_corner("<br>".join(kept), y=0.16)] if kept else []),
        ],
    }
    return {
        "kind": "capacity", "traces": traces, "layout": layout, "frames": frames, "frame": start,
        "summary": _capacity_summary(sample, number, discharge, suffix, kept, envelope),
    }  # fmt: skip


def _scaled(values: Sequence[float | None], factor: float) -> list[float | None]:
    return [None if value is None else value * factor for value in values]


def _value(value: float | None, suffix: str) -> str:
    return format_value(value, None, "=", suffix)


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f} %"


def _corner(text: str, **more: Any) -> Figure:
    """Words in the lower right corner, clear of capacities that fall from the left."""
    place = {"xref": "paper", "y": 0.02, "yanchor": "bottom", "xanchor": "right", "align": "right"}
    return _note(0.99, text, **place | {"bgcolor": "role:surface@0.85"} | more)


def _retention_notes(number: Sequence[int], discharge: Sequence[float | None], reference: int | None) -> list[str]:
    """'94.5 % at cycle 100 against cycle 4' for 50, 100 and the last cycle."""
    if reference not in number:
        return []
    base = discharge[number.index(reference)]
    wanted = [n for n in (*RETENTION_CYCLES, number[-1]) if reference < n <= number[-1]]
    found = []
    for cycle in dict.fromkeys(wanted):
        value = discharge[number.index(cycle)] if cycle in number else None
        if value is not None and base:
            found.append(f"{100 * value / base:.1f} % at cycle {cycle} against cycle {reference}")
    return found


def _capacity_summary(
    sample: Sample, number: Sequence[int], discharge: Sequence[float | None], suffix: str, kept: list[str], note: str
) -> str:
    known = [(n, q) for n, q in zip(number, discharge, strict=True) if q is not None]
    if not known:
        return f"Capacity against cycle of {sample.words}. No complete cycle."
    (first, begin), (last, end) = known[0], known[-1]
    words = f"Discharge capacity {_value(begin, suffix)} in cycle {first}, {_value(end, suffix)} in cycle {last}."
    retention = f" Retention {'; '.join(kept)}." if kept else ""
    tail = f" {note}" if note else ""
    return (
        f"Capacity and Coulombic efficiency of {sample.words}. {len(number)} complete cycles. {words}{retention}{tail}"
    )


# --- Voltage curves and dQ/dV -----------------------------------------------------------------------------------------
def voltage(curves: Curves, sample: Sample) -> Figure:
    """Potential against capacity of chosen cycles; charge and discharge of a cycle in one colour, cut-offs dotted."""
    factor, suffix = _per_gram(curves)
    parts = curves["voltage"]
    numbers = list(dict.fromkeys(part["cycle_number"] for part in parts))
    traces, drawn, total = [], 0, 0
    for part in parts:
        x = [value * factor for value in part["capacity_mAh"]]
        y = part["potential_V"]
        rows = [int(row) for row in envelope_rows(x, y)] if len(x) > LIMIT else list(range(len(x)))
        drawn, total = drawn + len(rows), total + max(part.get("point_count", 0), len(x))
        name = f"cycle {part['cycle_number']}, {part['direction']}"
        texts = [f"{name}: {_value(x[row], suffix)}, {y[row]:.4f} V" for row in rows]
        traces.append(_curve(part, numbers, pick(x, rows), pick(y, rows), texts))
    ends = [value for part in parts for value in part["potential_V"][-1:]]
    cutoffs = sorted({round(min(ends), 2), round(max(ends), 2)}) if ends else []
    note = envelope_note(total) if drawn < total else ""
    everything = [value * factor for part in parts for value in part["capacity_mAh"]]
    potentials = [value for part in parts for value in part["potential_V"]]
    layout = {
        "xaxis": plain_axis(f"Capacity ({_unit(suffix)})", range=_span([0.0, *everything], 0.03)),
        "yaxis": plain_axis("Potential (V)", range=_span(potentials)),
        "shapes": [_level(value) for value in cutoffs],
        "annotations": [_corner(note)] if note else [],
    }
    between = f" between {cutoffs[0]:g} and {cutoffs[-1]:g} V" if cutoffs else ""
    return {
        "kind": "voltage", "traces": traces, "layout": layout,
        "summary": f"Voltage curves of {sample.words}, cycles {', '.join(map(str, numbers)) or 'none'}{between}."
        + (f" {note}" if note else ""),
    }  # fmt: skip


def _curve(part: Mapping[str, Any], numbers: list[int], x: list[Any], y: list[Any], texts: list[str]) -> Figure:
    """A line of one half-cycle; both halves of a cycle share colour and legend, discharge is the full line."""
    cycle, is_charge = part["cycle_number"], part["direction"] == "charge"
    line = {
        "color": _colour(numbers.index(cycle), len(numbers)),
        "width": 1.8,
        "dash": "dash" if is_charge else "solid",
    }
    return point_trace(
        f"cycle {cycle}", x, y, texts, mode="lines", line=line, legendgroup=f"cycle {cycle}", showlegend=not is_charge
    )


def _level(y: float) -> Figure:
    """A dotted line over the whole width."""
    line = {"color": "role:ink3", "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": y, "y1": y, "line": line}


def differential(curves: Curves, sample: Sample) -> Figure:
    """dQ/dV against potential, discharge downwards; method and window stand in the legend, peaks are marked."""
    factor, suffix = _per_gram(curves)
    parts = curves["differential"]
    numbers = list(dict.fromkeys(part["cycle_number"] for part in parts))
    traces: list[Figure] = []
    peaks: list[tuple[float, float, str]] = []
    heights = [0.0]
    for part in parts:
        sign = 1.0 if part["direction"] == "charge" else -1.0
        x, y = part["potential_V"], [sign * value * factor for value in part["differential_capacity_mAh_V"]]
        rows = [int(row) for row in envelope_rows(x, y)]
        colour = _colour(numbers.index(part["cycle_number"]), len(numbers))
        name = f"cycle {part['cycle_number']}"
        traces.append(
            line_trace(name, pick(x, rows), pick(y, rows), line={"color": colour, "width": 1.6}, legendgroup=name,
                       showlegend=sign < 0)
        )  # fmt: skip
        row = max(range(len(y)), key=lambda i, y=y: abs(y[i]))  # type: ignore[misc]
        heights += [min(y), max(y)]
        words = f"{name}, {part['direction']}: peak at {x[row]:.3f} V, {_value(abs(y[row]), f'{suffix}_V')}"
        peaks.append((x[row], y[row], words))
    if peaks:
        marker = {"symbol": "circle-open", "size": 8, "color": "role:ink", "line": {"width": 1.4}}
        x, y, texts = (list(values) for values in zip(*peaks, strict=True))
        traces.append(point_trace("peaks", x, y, texts, marker=marker))  # type: ignore[arg-type]
    potentials = [value for part in parts for value in (part["potential_V"][0], part["potential_V"][-1])]
    method = curves.get("differential_method") or "method not stored"
    layout = {
        "xaxis": plain_axis("Potential (V)", range=_span(potentials, 0.02)),
        "yaxis": plain_axis(f"dQ/dV ({_unit(suffix)} V⁻¹)", range=_span(heights), zeroline=True),
        "legend": {"title": {"text": f"{method}&nbsp;&nbsp;", "side": "left", "font": {"size": 11}}},
    }
    found = "; ".join(words for *_, words in peaks[-2:])
    return {
        "kind": "differential", "traces": traces, "layout": layout,
        "summary": f"Differential capacity of {sample.words}, {method}. {found[:1].upper()}{found[1:]}.",
    }  # fmt: skip


# --- Rate capability --------------------------------------------------------------------------------------------------
def rate(curves: Curves, sample: Sample) -> Figure:
    """Discharge capacity against cycle, blocks labelled with their rate, their median drawn, recovery stated."""
    factor, suffix = _per_gram(curves)
    blocks, share = curves["rates"], curves["marks"].get("recovery_fraction")
    number = [cycle for block in blocks for cycle in block["cycle_number"]]
    discharge = [value * factor for block in blocks for value in block["discharge_capacity_mAh"]]
    labels = [block["label"] for block in blocks for _ in block["cycle_number"]]
    texts = [f"Cycle {n}, {w}: {_value(q, suffix)}" for n, w, q in zip(number, labels, discharge, strict=True)]
    rows, envelope = _thinned(number, discharge)
    levels: tuple[list[float | None], list[float | None]] = ([], [])
    notes, shapes = [], []
    for position, block in enumerate(blocks):
        first, last = block["cycle_number"][0], block["cycle_number"][-1]
        levels[0].extend([first - 0.4, last + 0.4, None])
        levels[1].extend([block["capacity_mAh"] * factor] * 2 + [None])
        notes.append(_note((first + last) / 2, block["label"].replace(", back", "<br>back"), xanchor="center"))
        if position:
            shapes.append(_upright(first - 0.5))
    traces = [
        line_trace("median of the last 3", levels[0], levels[1]),  # type: ignore[arg-type]
        point_trace("discharge", pick(number, rows), pick(discharge, rows), pick(texts, rows),
                    marker=data_marker(sample)),
    ]  # fmt: skip
    recovered = f"recovery {100 * share:.1f} %" if share is not None else ""
    words = [part for part in (recovered, envelope) if part]
    ends = [min(number, default=0) - 0.6, max(number, default=1) + 0.6]
    layout = {
        "xaxis": plain_axis("Cycle", range=ends, nticks=9),
        "yaxis": plain_axis(f"Discharge capacity ({_unit(suffix)})", range=_span([0.0, *discharge], 0.18, 0.0)),
        "shapes": shapes,
        "annotations": [*notes, *([_corner("<br>".join(words))] if words else [])],
    }
    each = "; ".join(f"{block['label']} {_value(block['capacity_mAh'] * factor, suffix)}" for block in blocks)
    tail = f" Capacity recovery {100 * share:.1f} %." if share is not None else ""
    return {
        "kind": "rate", "traces": traces, "layout": layout,
        "summary": f"Rate capability of {sample.words}, {len(blocks)} blocks: {each}.{tail}",
    }  # fmt: skip


BUILDERS: dict[str, Callable[..., Figure]] = {
    "capacity": capacity, "voltage": voltage, "differential": differential, "rate": rate,
}  # fmt: skip
TITLES = {
    "capacity": "Capacity and Coulombic efficiency",
    "voltage": "Voltage curves",
    "differential": "Differential capacity",
    "rate": "Rate capability",
}
PARTS = {"capacity": "cycles", "voltage": "voltage", "differential": "differential", "rate": "rates"}


# --- The same numbers as columns --------------------------------------------------------------------------------------
def columns(name: str, curves: Curves) -> dict[str, list[Any]]:
    """What a figure shows, by column name with unit suffix: its table and its CSV."""
    mass = curves["marks"].get("active_mass_mg")
    if name == "capacity":
        found = {key: list(values) for key, values in curves["cycles"].items()}
        if mass:
            found["discharge_specific_capacity_mAh_g"] = _scaled(found["discharge_capacity_mAh"], 1000.0 / mass)
        return found
    if name == "rate":
        return _rate_columns(curves["rates"], mass)
    y = "potential_V" if name == "voltage" else "differential_capacity_mAh_V"
    x = "capacity_mAh" if name == "voltage" else "potential_V"
    parts = curves[PARTS[name]]
    about = {key: [part[key] for part in parts for _ in part[x]] for key in ("cycle_number", "direction")}
    return about | {key: [value for part in parts for value in part[key]] for key in (x, y)}


def _rate_columns(blocks: Sequence[Mapping[str, Any]], mass: float | None) -> dict[str, list[Any]]:
    """One row per cycle with its block."""
    found: dict[str, list[Any]] = {"cycle_number": [], "block": [], "c_rate": [], "discharge_capacity_mAh": []}
    for block in blocks:
        count = len(block["cycle_number"])
        found["cycle_number"] += block["cycle_number"]
        found["block"] += [block["label"]] * count
        found["c_rate"] += [block["c_rate"]] * count
        found["discharge_capacity_mAh"] += block["discharge_capacity_mAh"]
    if mass:
        found["discharge_specific_capacity_mAh_g"] = _scaled(found["discharge_capacity_mAh"], 1000.0 / mass)
    return found
