"""Numbers as people write them, for the sentences and formulas that analyses leave behind."""

from __future__ import annotations

import math

from lagpdb.units import THIN_SPACE, power_of_ten

NO_CURRENT = (
    "No current flows in this recording. Upload the longer file once the test has begun, or check the current column "
    "and its unit."
)


def number(value: float, digits: int = 3) -> str:
    """A number with significant digits: ``0.0801``, ``408``, ``2.50 × 10⁻⁴``."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if -2 <= exponent <= 5:
        places = max(digits - 1 - exponent, 0)
        return f"{value:,.{places}f}".replace(",", THIN_SPACE) if exponent >= 4 else f"{value:.{places}f}"
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa} × {power_of_ten(int(power))}"


def step_density(value: float) -> str:
    """The current density of a step as people set it: ``0.60``, and three digits where two decimals lose some."""
    return f"{value:.2f}" if value >= 0.095 or value * 100 % 1 < 0.05 else f"{value:.3g}"


def with_uncertainty(value: float, uncertainty: float | None) -> str:
    """A number with as many digits as its uncertainty allows, at most four, three where it is not known."""
    if not uncertainty or not math.isfinite(uncertainty) or value == 0.0:
        return number(value, 3)
    places = math.floor(math.log10(abs(value))) - math.floor(math.log10(uncertainty)) + 1
    return number(value, min(max(places, 2), 4))
