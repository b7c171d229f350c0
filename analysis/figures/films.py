"""The figure of a sputter rate: film thickness against sputter time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.figures.parts import (
    Curves,
    Figure,
    Sample,
    data_marker,
    left_out_marker,
    line_trace,
    pick,
    plain_axis,
    point_trace,
    split_rows,
)
from lagpdb.units import format_value

_FORMS = {"through_origin": "through zero", "with_intercept": "with intercept", "ratio": "one time, no regression"}


def thickness(curves: Curves, sample: Sample, rate: Mapping[str, Any] | None = None) -> Figure:
    """Film thickness against sputter time: points with ±, line, 95 % prediction band, rate and settings.

    `rate`: ``value``, ``uncertainty`` [nm min⁻¹], ``form`` (label of the result), ``count``.
    """
    points = curves["points"]
    time, height, spread = (
        points[name] for name in ("duration_min", "film_thickness_nm", "film_thickness_uncertainty_nm")
    )
    texts = [
        f"{t:g} min: {format_value(d, u, '=', 'nm')}, {place}, {film}{f', left out: {why}' if why else ''}"
        for t, d, u, place, film, why in zip(
            time, height, spread, points["measured_on"], points["film"], points["reason"], strict=True
        )
    ]
    traces = []
    if band := curves.get("band"):
        edge = {"line": {"width": 0}, "showlegend": False}
        wide = {"line": {"width": 0}, "fill": "tonexty", "fillcolor": "role:fit@0.15"}
        traces += [
            line_trace("95 % prediction, lower", band["duration_min"], band["lower_nm"], **edge),
            line_trace("95 % prediction", band["duration_min"], band["upper_nm"], **wide),
        ]
    traces.append(line_trace("fit", curves["line"]["duration_min"], curves["line"]["film_thickness_nm"]))
    kept, masked = split_rows(points["is_used"])
    for name, part, marker in (("films", kept, data_marker(sample)), ("left out", masked, left_out_marker(sample))):
        if part:
            bars = {"type": "data", "array": [spread[row] or 0 for row in part], "thickness": 1, "width": 3}
            traces.append(point_trace(name, pick(time, part), pick(height, part), pick(texts, part), marker=marker,
                                  error_y={**bars, "color": marker["color"]}))  # fmt: skip
    words = format_value(rate["value"], rate.get("uncertainty"), "=", "nm_min") if rate else ""
    form = _FORMS.get(rate.get("form", ""), "") if rate else ""
    note = {
        "xref": "paper", "yref": "paper", "x": 0.97, "y": 0.04, "xanchor": "right", "yanchor": "bottom",
        "align": "right", "showarrow": False, "font": {"size": 12, "color": "role:ink"},
        "bgcolor": "role:surface@0.85", "text": f"r = {words}<br>{form}, n = {len(kept)}<br>{sample.code}",
    }  # fmt: skip
    layout = {
        "xaxis": plain_axis("Sputter time (min)", range=[0.0, 1.1 * max(time)]),
        "yaxis": plain_axis("Film thickness (nm)", range=[0.0, 1.15 * _highest(curves)]),
        "annotations": [note] if rate else [],
        "legend": {"orientation": "v", "x": 0.02, "xanchor": "left", "y": 0.98, "yanchor": "top"},
    }
    return {
        "kind": "thickness", "traces": traces, "layout": layout,
        "summary": f"Film thickness against sputter time at {sample.name or sample.code}. {_span(time, kept)}"
        + (f"; rate {words}, {form}." if rate else "."),
    }  # fmt: skip


def _span(time: Sequence[float], kept: Sequence[int]) -> str:
    """'5 films, 5 to 30 min'."""
    used = [time[row] for row in kept] or list(time)
    count = f"{len(kept)} film{'' if len(kept) == 1 else 's'}"
    return f"{count}, {min(used):g} min" if min(used) == max(used) else f"{count}, {min(used):g} to {max(used):g} min"


def _highest(curves: Curves) -> float:
    """Top of all that is drawn [nm], without the end of a wide band."""
    points = curves["points"]
    bars = zip(points["film_thickness_nm"], points["film_thickness_uncertainty_nm"], strict=True)
    return max(*(height + (spread or 0.0) for height, spread in bars), *curves["line"]["film_thickness_nm"], 1.0)


BUILDERS: dict[str, Callable[..., Figure]] = {"thickness": thickness}


# --- The same numbers as columns --------------------------------------------------------------------------------------
def columns(name: str, curves: Curves) -> dict[str, list[Any]]:
    """What a figure shows, by column name with unit suffix: its table and its CSV."""
    names = ("film", "run", "duration_min", "film_thickness_nm", "film_thickness_uncertainty_nm", "is_used")
    return {key: list(curves["points"][key]) for key in names}
