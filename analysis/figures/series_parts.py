"""What figures of symmetric cells and polarisations share: ranges, marks in time, words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.figures.parts import Curves, Figure, line_trace
from analysis.thinning import LIMIT, envelope_note, envelope_rows

MOST_DRAWN = 3 * LIMIT  # rows of a series; ends of more steps come when somebody zooms
WORDS_ROOM = 1.45
KINDS = {"hard_short": "short", "soft_short": "soft short", "polarisation": "polarisation"}


def span(values: Sequence[float], margin: float = 0.06) -> list[float]:
    """Range of an axis with a margin on both sides."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    pad = margin * ((high - low) or abs(high) or 1.0)
    return [low - pad, high + pad]


def even(values: Sequence[float], margin: float = 0.12) -> list[float]:
    """Range of an axis with zero in its middle."""
    size = max((abs(value) for value in values), default=1.0) or 1.0
    return [-(1.0 + margin) * size, (1.0 + margin) * size]


def room_for_words(both_ways: Sequence[float]) -> list[float]:
    """The same axis with room above the curve, where two lines of words stand; zero stays level on all axes."""
    low, high = both_ways
    return [low, WORDS_ROOM * high]


def upright(x: float, colour: str = "role:bad") -> Figure:
    """A line over the whole height."""
    line = {"color": colour, "width": 1.6, "dash": "dash"}
    return {"type": "line", "xref": "x", "x0": x, "x1": x, "yref": "y domain", "y0": 0, "y1": 1, "line": line}


def band(span: Mapping[str, float], colour: str) -> Figure:
    """A shaded stretch of time."""
    return {
        "type": "rect", "xref": "x", "x0": span["from_h"], "x1": span["to_h"], "yref": "y domain", "y0": 0, "y1": 1,
        "fillcolor": colour, "line": {"width": 0}, "layer": "below",
    }  # fmt: skip


def note(x: float, y: float, text: str, **more: Any) -> Figure:
    """Words at a place in time and at a share of the height."""
    return {
        "x": x, "y": y, "yref": "y domain", "showarrow": False, "text": text, "bgcolor": "role:surface@0.8",
        "font": {"size": 11.5, "color": "role:ink"}, "yanchor": "top", **more,
    }  # fmt: skip


def series_note(curves: Curves, where: str = "zoom for all") -> str:
    """What a thinned drawing says, with a blank before it; '' for one that holds every point."""
    count = int(curves.get("point_count") or 0)
    return f" {envelope_note(count, where)}" if count > LIMIT else ""


def window(curves: Curves) -> str:
    """In what a page asks again for a stretch of a thinned series; '' where all of it is drawn."""
    return "hours" if int(curves.get("point_count") or 0) > LIMIT else ""


def thinned(curves: Curves, where: str = "zoom for all") -> list[Figure]:
    """The same words below the axis."""
    text = series_note(curves, where).strip()
    corner = {
        "xref": "x domain",
        "xanchor": "right",
        "yanchor": "bottom",
        "font": {"size": 11, "color": "role:ink3"},
        "name": "words",
    }
    return [note(1.0, 0.0, text, **corner)] if text else []


def line(name: str, x: Sequence[float], y: Sequence[float], colour: str, **more: Any) -> Figure:
    return line_trace(name, x, y, line={"color": colour, "width": 1.2} | more.pop("line", {}), **more)


def usual(volts: Sequence[float], overpotential_mV: Sequence[float], room: float = 1.4) -> list[float]:
    """What the axis must show: nine tenths of the half-steps with some room, never more than there is."""
    ordered = sorted(abs(value) / 1000.0 for value in overpotential_mV)
    top = room * ordered[int(0.9 * (len(ordered) - 1))] if ordered else 1.0
    return [min(top, max((abs(value) for value in volts), default=top))]


def drawable(curves: Curves) -> Mapping[str, list[float]]:
    """The series to draw: as stored, or its envelope alone where the ends of its steps are more than a screen shows."""
    series = curves["series"]
    if len(series["time_h"]) <= MOST_DRAWN:
        return series
    rows = envelope_rows(series["time_h"], series["potential_V"])
    return {name: [values[row] for row in rows] for name, values in series.items()}


def few(x: Sequence[float], y: Sequence[float]) -> tuple[list[int], str]:
    """Rows of points to draw, at most about `LIMIT`, and what is said about it."""
    rows = [int(row) for row in envelope_rows(x, y)]
    return rows, envelope_note(len(x)) if len(rows) < len(x) else ""
