"""Figures of rate tests: capacity against cycle in blocks of one rate, and against the rate itself. Pure."""

from __future__ import annotations

from analysis.figures import cycling_parts as draw
from analysis.figures.parts import (
    AS_IS,
    Curves,
    Figure,
    Sample,
    View,
    data_marker,
    line_trace,
    log_axis,
    pick,
    plain_axis,
    point_trace,
    switch,
)

VIEWS = {"cycle": "Q against cycle", "c_rate": "Q against C-rate"}


# --- Rate capability --------------------------------------------------------------------------------------------------
def rate(curves: Curves, sample: Sample, view: View = AS_IS) -> Figure:
    """Discharge capacity against cycle, blocks labelled with their rate, their median drawn, recovery stated."""
    factor, suffix, units = draw.capacity_unit(curves, sample, view)
    blocks = curves["rates"]
    has_rates = bool(blocks) and all(block["c_rate"] for block in blocks)
    words = VIEWS if has_rates else VIEWS | {"c_rate": "Q against current"}
    what = switch("view", "View", words, view)
    if what["value"] == "c_rate" and blocks:
        return _against_rate(curves, sample, (factor, suffix), [what, *units])
    share = curves["marks"].get("recovery_fraction")
    number = [cycle for block in blocks for cycle in block["cycle_number"]]
    discharge = [value * factor for block in blocks for value in block["discharge_capacity_mAh"]]
    labels = [block["label"] for block in blocks for _ in block["cycle_number"]]
    texts = [f"Cycle {n}, {w}: {draw.value(q, suffix)}" for n, w, q in zip(number, labels, discharge, strict=True)]
    rows, envelope = draw.thinned(number, discharge)
    levels: tuple[list[float | None], list[float | None]] = ([], [])
    notes, shapes = [], []
    for position, block in enumerate(blocks):
        first, last = block["cycle_number"][0], block["cycle_number"][-1]
        levels[0].extend([first - 0.4, last + 0.4, None])
        levels[1].extend([block["capacity_mAh"] * factor] * 2 + [None])
        notes.append(draw.note((first + last) / 2, block["label"].replace(", back", "<br>back"), xanchor="center"))
        if position:
            shapes.append(draw.upright(first - 0.5))
    traces = [
        line_trace("median of the last 3", levels[0], levels[1]),  # type: ignore[arg-type]
        point_trace("discharge", pick(number, rows), pick(discharge, rows), pick(texts, rows),
                    marker=data_marker(sample)),
    ]  # fmt: skip
    recovered = f"recovery {100 * share:.1f} %" if share is not None else ""
    remarks = [part for part in (recovered, envelope) if part]
    ends = [min(number, default=0) - 0.6, max(number, default=1) + 0.6]
    layout = {
        "xaxis": plain_axis("Cycle", range=ends, nticks=9),
        "yaxis": plain_axis(
            f"Discharge capacity ({draw.SYMBOLS[suffix]})", range=draw.span([0.0, *discharge], 0.18, 0.0)
        ),
        "shapes": shapes,
        "annotations": [*notes, *([draw.corner("<br>".join(remarks))] if remarks else [])],
    }
    each = "; ".join(f"{block['label']} {draw.value(block['capacity_mAh'] * factor, suffix)}" for block in blocks)
    tail = f" Capacity recovery {100 * share:.1f} %." if share is not None else ""
    return {
        "kind": "rate", "traces": traces, "layout": layout, "switches": [what, *units],
        "summary": f"Rate capability of {sample.words}, {len(blocks)} blocks: {each}.{tail}",
    }  # fmt: skip


def _against_rate(curves: Curves, sample: Sample, unit: tuple[float, str], switches: list[Figure]) -> Figure:
    """Capacity of each block against its rate on a logarithmic axis; blocks after the return are hollow."""
    factor, suffix = unit
    blocks = curves["rates"]
    has_rates = all(block["c_rate"] for block in blocks)
    x = [block["c_rate"] if has_rates else block["current_mA"] for block in blocks]
    y = [block["capacity_mAh"] * factor for block in blocks]
    texts = [f"{block['label']}: {draw.value(q, suffix)}" for block, q in zip(blocks, y, strict=True)]
    rising = [row for row, block in enumerate(blocks) if not block["label"].endswith(", back")]
    back = [row for row in range(len(blocks)) if row not in rising]
    filled = data_marker(sample)
    hollow = {"symbol": "diamond-open", "size": 9, "color": filled["color"], "line": {"width": 1.6}}
    traces = [
        point_trace(name, pick(x, part), pick(y, part), pick(texts, part), marker=marker, **more)
        for name, part, marker, more in (
            ("median of the last 3", rising, filled,
             {"mode": "lines+markers", "line": {"width": 1, "color": "role:ink3"}}),
            ("back at this rate", back, hollow, {}),
        )
        if part
    ]  # fmt: skip
    title = "C-rate (h⁻¹)" if has_rates else "Current (mA)"
    return {
        "kind": "rate", "traces": traces, "switches": switches,
        "layout": {
            "xaxis": log_axis(title, min(x), max(x)),
            "yaxis": plain_axis(f"Discharge capacity ({draw.SYMBOLS[suffix]})", range=draw.span([0.0, *y], 0.18, 0.0)),
            "annotations": [],
        },
        "summary": f"Discharge capacity of {sample.words} against {'C-rate' if has_rates else 'current'}: "
        f"{'; '.join(texts)}.",
    }  # fmt: skip
