"""What figures of full cells share: units of capacity, colours of cycles, ranges, lines and words. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from analysis.figures.parts import AS_IS, Curves, Figure, Sample, View, stretch, switch
from analysis.thinning import LIMIT, envelope_note, envelope_rows
from lagpdb.units import format_value

SEQUENTIAL = 6  # steps of the style sheet's scale, --seq1 … --seq6
SYMBOLS = {"mAh_g": "mAh g⁻¹", "mAh_cm2": "mAh cm⁻²", "mAh": "mAh"}


def capacity_unit(curves: Curves, sample: Sample, view: View) -> tuple[float, str, list[Figure]]:
    """Factor from mAh to what is drawn, the suffix of its unit, and the switch, empty where there is no choice.

    Per gram where the active mass is known, per area where the electrode's is; in mAh always.
    """
    mass = (curves.get("marks") or {}).get("active_mass_mg")
    factors = {"mAh_g": 1000.0 / mass} if mass else {}
    factors |= {"mAh_cm2": 1.0 / sample.area_cm2} if sample.area_cm2 else {}
    factors["mAh"] = 1.0
    order = [name for name in (("mAh_g", "mAh_cm2", "mAh") if mass else ("mAh", "mAh_cm2")) if name in factors]
    chosen = switch("unit", "Unit", {name: SYMBOLS[name] for name in order}, view)
    return factors[chosen["value"]], chosen["value"], [chosen] if len(order) > 1 else []


def colour(position: int, count: int) -> str:
    """Step of the sequential scale for the item at `position` of `count`, first to last."""
    step = round(position / max(count - 1, 1) * (SEQUENTIAL - 1))
    return f"role:seq{step + 1}"


def span(values: Sequence[float | None], margin: float = 0.06, floor: float | None = None) -> list[float]:
    """Range of an axis with a margin on both sides; `floor` keeps the low end from crossing it."""
    known = [value for value in values if value is not None] or [0.0, 1.0]
    low, high = min(known), max(known)
    pad = margin * ((high - low) or abs(high) or 1.0)
    return [low - pad if floor is None else max(low - pad, floor), high + pad]


def note(x: float, text: str, **more: Any) -> Figure:
    """Words at the upper edge of the plot."""
    return {
        "x": x, "y": 1.0, "yref": "paper", "yanchor": "top", "xanchor": "left", "showarrow": False, "text": text,
        "font": {"size": 11.5, "color": "role:ink2"}, **more,
    }  # fmt: skip


def upright(x: float, dash: str = "dot") -> Figure:
    """A line over the whole height."""
    line = {"color": "role:ink3", "width": 1, "dash": dash}
    return {"type": "line", "xref": "x", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def thinned(x: Sequence[float], *series: Sequence[float | None], view: View = AS_IS) -> tuple[list[int], str]:
    """Rows to draw of series over one x, and what is said about it; of the stretch alone that a page zoomed to."""
    if len(x) <= LIMIT:
        return list(range(len(x))), ""
    if (between := stretch(view)) is not None:
        inside = [row for row, place in enumerate(x) if between[0] - 1 <= place <= between[1] + 1]
        parts = [[values[row] for row in inside] for values in series]
        rows_inside, text = thinned([x[row] for row in inside], *parts)
        return [inside[row] for row in rows_inside], text
    rows: set[int] = set()
    for values in series:
        rows |= {int(row) for row in envelope_rows(x, [math.nan if v is None else v for v in values])}
    return sorted(rows), envelope_note(len(x))


def level(y: float) -> Figure:
    """A dotted line over the whole width."""
    line = {"color": "role:ink3", "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": y, "y1": y, "line": line}


def scaled(values: Sequence[float | None], factor: float) -> list[float | None]:
    return [None if value is None else value * factor for value in values]


def value(value: float | None, suffix: str) -> str:
    return format_value(value, None, "=", suffix)


def percent(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f} %"


def corner(text: str, **more: Any) -> Figure:
    """Words in the lower right corner, clear of capacities that fall from the left."""
    place = {"xref": "paper", "y": 0.02, "yanchor": "bottom", "xanchor": "right", "align": "right"}
    return note(0.99, text, **place | {"bgcolor": "role:surface@0.85"} | more)
