"""Figures of full cells: capacity and Coulombic efficiency; the others are joined to it here. Pure.

Capacities are stored in mAh and drawn per gram, per area or as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.figures import cycling_parts as draw
from analysis.figures.halves import differential, voltage
from analysis.figures.parts import AS_IS, Curves, Figure, Sample, View, data_marker, pick, plain_axis, point_trace
from analysis.figures.rate import rate
from analysis.thinning import LIMIT

CE_FRAME = (90.0, 102.0)  # %
RETENTION_CYCLES = (50, 100)


# --- Capacity and Coulombic efficiency --------------------------------------------------------------------------------
def capacity(curves: Curves, sample: Sample, view: View = AS_IS) -> Figure:
    """Discharge capacity and CE against cycle; reference marked, formation hollow, retention at 50, 100 and last."""
    cycles, marks = curves["cycles"], curves["marks"]
    factor, suffix, switches = draw.capacity_unit(curves, sample, view)
    number = cycles["cycle_number"]
    discharge = draw.scaled(cycles["discharge_capacity_mAh"], factor)
    charge = draw.scaled(cycles["charge_capacity_mAh"], factor)
    efficiency = draw.scaled(cycles["coulombic_efficiency_fraction"], 100.0)
    rows, envelope = draw.thinned(number, discharge, efficiency, view=view)
    texts = [
        f"Cycle {n}: discharge {draw.value(q, suffix)}, CE {draw.percent(ce)}"
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
    frames = {"ce": {"y2": list(CE_FRAME)}, "full": {"y2": draw.span(efficiency, floor=0.0)}}
    start = "ce" if is_near else "full"
    ends = [min(number, default=0) - 0.5, max(number, default=1) + 0.5]
    layout: dict[str, Any] = {
        "xaxis": plain_axis("Cycle", range=draw.span(ends, 0.02), nticks=9),
        "yaxis": plain_axis(
            f"Discharge capacity ({draw.SYMBOLS[suffix]})", range=draw.span([0.0, *discharge], 0.08, 0.0)
        ),
        "yaxis2": plain_axis(
            "CE (%)", overlaying="y", side="right", range=frames[start]["y2"], showgrid=False, tickmode="auto", nticks=8
        ),
        "shapes": [draw.upright(reference)] if reference else [],
        "annotations": [
            *([draw.note(reference, f"&nbsp;reference, cycle {reference}", y=0.08)] if reference else []),
            *([draw.corner(envelope)] if envelope else []),
            *([draw.corner("<br>".join(kept), y=0.16)] if kept else []),
        ],
    }
    return {
        "kind": "capacity", "traces": traces, "layout": layout, "frames": frames, "frame": start,
        "switches": switches, "window": "cycles" if len(number) > LIMIT else "",
        "summary": _capacity_summary(sample, number, discharge, suffix, kept, envelope),
    }  # fmt: skip


def _retention_notes(number: Sequence[int], discharge: Sequence[float | None], reference: int | None) -> list[str]:
    """'94.5 % at cycle 100 against cycle 4' for 50, 100 and the last cycle."""
    if reference is None or reference not in number:
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
    words = (
        f"Discharge capacity {draw.value(begin, suffix)} in cycle {first}, {draw.value(end, suffix)} in cycle {last}."
    )
    retention = f" Retention {'; '.join(kept)}." if kept else ""
    tail = f" {note}" if note else ""
    return (
        f"Capacity and Coulombic efficiency of {sample.words}. {len(number)} complete cycles. {words}{retention}{tail}"
    )


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
            found["discharge_specific_capacity_mAh_g"] = draw.scaled(found["discharge_capacity_mAh"], 1000.0 / mass)
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
        found["discharge_specific_capacity_mAh_g"] = draw.scaled(found["discharge_capacity_mAh"], 1000.0 / mass)
    return found
