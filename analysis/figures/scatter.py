"""The figure of many numbers of one quantity: strips of groups with median and box, or against a condition. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.figures.parts import Figure, Sample, View, data_marker, log_axis, plain_axis, point_trace, switch
from lagpdb import units
from lagpdb.units import format_value

BOX_FROM = 5  # points of a group; fewer have no quartiles worth drawing
GROUPS = {"pristine": False, "coated": True}
AGAINST = ("temperature_degC", "current_density_mA_cm2", "c_rate", "cycle_number", "sputter_time_min")
ARROWS = {">": "triangle-up-open", ">=": "triangle-up-open", "<": "triangle-down-open", "<=": "triangle-down-open"}
SPREAD = 0.22  # half the width over which the points of a strip are laid side by side
LANES = 5
SMALL = 0.01


def scatter(points: Sequence[Mapping[str, Any]], name: str, words: str, view: View) -> Figure:
    """Every point of a quantity; limits are arrows, groups have their median, and a box from five points on.

    Parameters
    ----------
    points : list of mapping
        ``value``, ``uncertainty``, ``limit``, ``is_coated``, ``sample``, ``measurement``, and the names of `AGAINST`.
    name, words : str
        The quantity's column name, whose suffix is the unit, and its name.
    view : mapping
        ``x`` ('group' or one of `AGAINST`), ``scale`` ('linear' or 'log').
    """
    known = [column for column in AGAINST if len({p[column] for p in points if p[column] is not None}) > 1]
    labels = {column: units.label(column) for column in known}
    what = switch("x", "Against", {"group": "Groups", **labels}, view)
    scale = switch("scale", "Axis", {"linear": "Linear", "log": "Log"}, view)
    x_name = what["value"]
    shown = [point for point in points if x_name == "group" or point[x_name] is not None]
    suffix = units.suffix_of(name) or ""
    factor = 100.0 if suffix == "fraction" else 1.0
    values = [factor * point["value"] for point in shown] or [0.0, 1.0]
    traces: list[Figure] = []
    told = []
    for place, (group, is_coated) in enumerate(GROUPS.items()):
        part = [point for point in shown if point["is_coated"] is is_coated]
        if part:
            traces += _group(group, place, part, x_name, name, factor)
            median = statistics.median(point["value"] for point in part)
            told.append(f"{group}: n = {len(part)}, median {format_value(median, None, '=', suffix)}")
    is_log = scale["value"] == "log" and min(values) > 0.0
    title = f"{words} ({units.shown_symbol(name)})" if units.shown_symbol(name) else words
    size = (max(values) - min(values)) or abs(max(values)) or 1.0
    return {
        "kind": "scatter", "traces": traces, "switches": [what, scale] if known else [scale],
        "layout": {
            "xaxis": _groups_axis(shown) if x_name == "group" else _number_axis(labels[x_name], shown, x_name),
            "yaxis": log_axis(title, min(values), max(values)) if is_log
            else plain_axis(title, range=[min(values) - 0.12 * size, max(values) + 0.12 * size], **_powers(values)),
        },
        "summary": f"{words}, {len(shown)} results. {'; '.join(told)}.",
    }  # fmt: skip


def _groups_axis(points: Sequence[Mapping[str, Any]]) -> Figure:
    counts = {group: sum(point["is_coated"] is is_coated for point in points) for group, is_coated in GROUPS.items()}
    words = [f"{group}, n = {count}" for group, count in counts.items()]
    return plain_axis("", range=[-0.6, len(GROUPS) - 0.4], tickvals=list(range(len(GROUPS))), ticktext=words)


def _powers(values: Sequence[float]) -> dict[str, Any]:
    """Powers of ten on the ticks of small numbers, instead of their zeros."""
    return {"minexponent": 2} if max(abs(value) for value in values) < SMALL else {}


def _number_axis(label: str, points: Sequence[Mapping[str, Any]], name: str) -> Figure:
    ends = [float(point[name]) for point in points]
    pad = 0.05 * ((max(ends) - min(ends)) or 1.0)
    return plain_axis(label, range=[min(ends) - pad, max(ends) + pad], nticks=8)


def _group(
    group: str, place: int, points: Sequence[Mapping[str, Any]], x_name: str, name: str, factor: float
) -> list[Figure]:
    """Points of a group, its limits as arrows, and in a strip its median and box."""
    marker = data_marker(Sample(is_coated=group == "coated"))
    traces = []
    suffix = units.suffix_of(name) or ""
    for kind, is_limit in ((group, False), (f"{group}, limits", True)):
        rows = [row for row, point in enumerate(points) if (point["limit"] != "=") is is_limit]
        if not rows:
            continue
        own = [points[row] for row in rows]
        lanes = min(LANES, len(points))  # few points stand near the middle
        x = [
            place + SPREAD * (2 * (row % lanes) - lanes + 1) / (LANES - 1) if x_name == "group" else points[row][x_name]
            for row in rows
        ]
        symbols = {**marker, "symbol": [ARROWS[p["limit"]] for p in own], "size": 10} if is_limit else marker
        texts = [
            f"{p['sample']}, {p['measurement'] or 'combined'}: "
            f"{format_value(p['value'], p['uncertainty'], p['limit'], suffix)}"
            for p in own
        ]
        traces.append(point_trace(kind, x, [factor * p["value"] for p in own], texts, marker=symbols,
                                  meta={"steps": True, "codes": [p["measurement"] for p in own]}))  # fmt: skip
    if x_name == "group":
        traces += _middle(place, [factor * point["value"] for point in points])
    return traces


def _middle(place: int, values: Sequence[float]) -> list[Figure]:
    """Median as a line, quartiles as a box where there are enough points."""
    edge = 0.32
    lines: tuple[list[float | None], list[float | None]] = (
        [place - edge, place + edge], [statistics.median(values)] * 2
    )  # fmt: skip
    if len(values) >= BOX_FROM:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        lines[0].extend([None, place - edge, place + edge, place + edge, place - edge, place - edge])
        lines[1].extend([None, low, low, high, high, low])
    return [
        {
            "type": "scatter", "mode": "lines", "name": "median, quartiles", "x": lines[0], "y": lines[1],
            "line": {"color": "role:ink3", "width": 1.4}, "hoverinfo": "skip", "legendgroup": "median",
            "showlegend": place == 0,
        }
    ]  # fmt: skip


def columns(points: Sequence[Mapping[str, Any]], name: str) -> dict[str, list[Any]]:
    """The same numbers as columns."""
    kept = ("sample", "measurement", "limit", *AGAINST)
    numbers = {name: [point["value"] for point in points], "uncertainty": [point["uncertainty"] for point in points]}
    return {key: [point[key] for point in points] for key in kept[:2]} | numbers | {
        key: [point[key] for point in points] for key in kept[2:]
    }  # fmt: skip
