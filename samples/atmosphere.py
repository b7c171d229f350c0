"""The trend of water and oxygen in the glovebox, from the conversions that noted them."""

from __future__ import annotations

import math
from typing import Any

from lagpdb import units
from samples.models import Conversion

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640.0, 150.0, 44.0, 12.0, 10.0, 26.0
GASES = (("h2o_ppm", "H₂O", "water"), ("o2_ppm", "O₂", "oxygen"))
LIMIT_ppm = 1.0
AT_MOST = 200


def trend() -> dict[str, Any] | None:
    """Dots of both gases in the order of time, on a logarithmic scale; None while nobody noted one."""
    rows = list(
        Conversion.objects.live()
        .filter(started_or_done())
        .order_by("-pk")[:AT_MOST]
        .values_list("code", "performed_at", "h2o_ppm", "o2_ppm")
    )[::-1]
    values = [value for row in rows for value in row[2:] if value is not None]
    if not values:
        return None
    positive = [value for value in values if value > 0]
    low = min([LIMIT_ppm / 10, *positive])
    high = max([LIMIT_ppm * 10, *positive])
    bottom, top = math.floor(math.log10(low)), math.ceil(math.log10(high))
    span = WIDTH - LEFT - RIGHT

    def x_of(number: int) -> float:
        return round(LEFT + span * (number + 0.5) / len(rows), 1)

    def y_of(ppm: float) -> float:
        share = (math.log10(max(ppm, 10.0**bottom)) - bottom) / (top - bottom)
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)

    dots = [
        {"code": code, "when": when, "gas": words, "symbol": symbol, "x": x_of(number), "y": y_of(value),
         "text": units.exact_value(value, "ppm"), "is_above": value > LIMIT_ppm}
        for number, (code, when, *pair) in enumerate(rows)
        for (_, symbol, words), value in zip(GASES, pair, strict=True)
        if value is not None
    ]  # fmt: skip
    return {
        "dots": dots,
        "marks": [{"y": y_of(10.0**power), "text": f"{10.0**power:g}"} for power in range(bottom, top + 1)],
        "limit_y": y_of(LIMIT_ppm),
        "width": int(WIDTH),
        "height": int(HEIGHT),
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "base": HEIGHT - BOTTOM,
        "first": rows[0][1],
        "last": rows[-1][1],
        "above": sum(1 for dot in dots if dot["is_above"]),
    }


def started_or_done() -> Any:
    """Conversions of which at least one of the gases was noted."""
    from django.db.models import Q

    return Q(h2o_ppm__isnull=False) | Q(o2_ppm__isnull=False)
