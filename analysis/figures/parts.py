"""What figures are made of: markers, axes, ticks and words. Pure.

Colours are roles ('role:fit', 'role:fit@0.13' with opacity) that plot_style.js resolves from the style sheet, so that
one figure serves light and dark pages and light exports.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from lagpdb.units import power_of_ten

Curves = Mapping[str, Any]
Figure = dict[str, Any]
View = Mapping[str, str]  # the options of its switches that a person chose, by name
AS_IS: View = MappingProxyType({})  # nothing chosen
PLAIN_TICKS = (0.01, 9999.0)  # within, a short logarithmic axis counts 0.1, 0.2, 0.5 and not in powers of ten


@dataclass(frozen=True)
class Sample:
    """What a figure says about where its data come from."""

    code: str = ""
    name: str = ""  # as spoken: 'CEL-0095, Ag|LAGP|Ag'
    is_coated: bool = False
    temperature_degC: float | None = None
    area_cm2: float | None = None  # of the electrode; figures can then be drawn per area

    @property
    def words(self) -> str:
        """'CEL-0095, Ag|LAGP|Ag, 25 °C'."""
        at = f"{self.temperature_degC:.4g} °C" if self.temperature_degC is not None else ""
        return ", ".join(part for part in (self.name or self.code, at) if part)


# --- Words ------------------------------------------------------------------------------------------------------------
def power_text(value: float) -> str:
    """A tick of a logarithmic axis: '10⁻⁴', '2×10⁻⁴', '5'."""
    exponent = math.floor(math.log10(value) + 1e-9)
    mantissa = round(value / 10.0**exponent)
    power = power_of_ten(exponent)
    return power if mantissa == 1 else f"{mantissa}×{power}"


def log_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Ticks of a logarithmic axis and their texts, beyond its ends too: decades, or 1-2-5 when it spans few of them."""
    first, last = math.floor(math.log10(low)) - 2, math.ceil(math.log10(high)) + 2
    steps: Sequence[int] = (1, 2, 5) if math.log10(high / low) < 2.2 else (1,)
    if math.log10(high / low) < 0.5:  # else a single tick, or none, would lie inside
        steps = range(1, 10)
    values = [step * 10.0**exponent for exponent in range(first, last + 1) for step in steps]
    is_plain = len(steps) > 1 and low >= PLAIN_TICKS[0] and high <= PLAIN_TICKS[1]
    return values, [f"{value:g}" if is_plain else power_text(value) for value in values]


# --- Switches: what a person may have drawn otherwise -----------------------------------------------------------------
def switch(name: str, label: str, options: Mapping[str, str], view: View) -> Figure:
    """A group of buttons: its name in the address, what it is called, its options in words, and the one in force."""
    wanted = view.get(name, "")
    return {
        "name": name, "label": label, "options": dict(options),
        "value": wanted if wanted in options else next(iter(options)),
    }  # fmt: skip


def stretch(view: View) -> tuple[float, float] | None:
    """From and to on the first axis, as a page that zoomed asks for; None where it asks for nothing sensible."""
    try:
        low, high = float(view.get("from", "")), float(view.get("to", ""))
    except ValueError:
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low < high else None


def rounded(part: Any, digits: int = 7) -> Any:
    """A figure with its numbers cut to what a screen can show, so that the answer to a page stays small."""
    if isinstance(part, float):
        return float(f"{part:.{digits}g}") if math.isfinite(part) else None
    if isinstance(part, list | tuple):
        kinds = set(map(type, part))
        if kinds == {float}:  # thousands of points, in one go
            return _cut(part, digits)
        return part if kinds == {str} else [rounded(item, digits) for item in part]
    if isinstance(part, dict):
        return {key: rounded(value, digits) for key, value in part.items()}
    return part


def _cut(values: Sequence[float], digits: int) -> list[float | None]:
    """Each number to its own significant digits; None where there is none."""
    exact = np.array(values)
    size = np.abs(exact)
    # Whole powers of ten up to 10²² are exact: then the quotient is the very number that its digits name.
    is_usual = (size == 0.0) | ((size > 1.0e-15) & (size < 1.0e22))
    usual = np.where(is_usual, exact, 0.0)
    place = digits - 1 - np.floor(np.log10(np.where(usual != 0.0, np.abs(usual), 1.0))).astype(int)
    up, down = 10.0 ** np.maximum(place, 0), 10.0 ** np.maximum(-place, 0)
    cut: list[float | None] = (np.rint(usual / down * up) / up * down).tolist()
    for row in np.flatnonzero(~is_usual):
        cut[row] = rounded(float(exact[row]), digits)
    return cut


# --- Parts ------------------------------------------------------------------------------------------------------------
def data_marker(sample: Sample, shape: str = "circle") -> dict[str, Any]:
    """Pristine: grey and open. Coated: olive and filled."""
    if sample.is_coated:
        return {"symbol": shape, "size": 7, "color": "role:coated", "line": {"width": 1, "color": "role:coated"}}
    return {"symbol": f"{shape}-open", "size": 7, "color": "role:pristine", "line": {"width": 1.6}}


def left_out_marker(sample: Sample) -> dict[str, Any]:
    """Points that did not enter: hollow and crossed."""
    colour = "role:coated" if sample.is_coated else "role:pristine"
    return {"symbol": "circle-x-open", "size": 8, "color": colour, "opacity": 0.75, "line": {"width": 1.2}}


def plain_axis(title: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": title, "standoff": 8}, **more}


def log_axis(title: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    values, texts = log_ticks(low, high)
    pad = 0.04 * max(math.log10(high / low), 0.2)
    limits = [math.log10(low) - pad, math.log10(high) + pad]
    return plain_axis(title, type="log", range=limits, tickvals=values, ticktext=texts, **more)


def point_trace(
    name: str, x: Sequence[float], y: Sequence[float], texts: Sequence[str] | str, **more: Any
) -> dict[str, Any]:
    """Points that people step through with the arrow keys; the text is read aloud and shown on hover.

    `texts` is one for each point, or a pattern for all, such as 'cycle 3: %{x:.3r} mAh, %{y:.4f} V': thousands of
    sentences would be most of what a page loads.
    """
    said: dict[str, Any] = {"text": list(texts), "hovertemplate": "%{text}<extra></extra>", "meta": {"steps": True}}
    if isinstance(texts, str):
        said = {"hovertemplate": f"{texts}<extra></extra>", "meta": {"steps": True, "pattern": texts}}
    return {"type": "scatter", "mode": "markers", "name": name, "x": list(x), "y": list(y), **said, **more}


def line_trace(name: str, x: Sequence[float], y: Sequence[float], **more: Any) -> dict[str, Any]:
    style = {"color": "role:fit", "width": 2} | more.pop("line", {})
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": list(x), "y": list(y), "line": style,
        "hoverinfo": "skip", **more,
    }  # fmt: skip


def split_rows(flags: Sequence[bool]) -> tuple[list[int], list[int]]:
    """Row numbers that were used, and that were left out."""
    used = [row for row, flag in enumerate(flags) if flag]
    return used, [row for row, flag in enumerate(flags) if not flag]


def pick(values: Sequence[Any], rows: Sequence[int]) -> list[Any]:
    return [values[row] for row in rows]


def spectrum_of(curves: Curves) -> tuple[list[float], list[float], list[float], list[bool]]:
    """Frequency, Z′, −Z″ and whether used, of the data."""
    data = curves["data"]
    frequency = data["frequency_Hz"]
    used = data.get("is_used") or [True] * len(frequency)
    return frequency, data["z_real_ohm"], [-value for value in data["z_imag_ohm"]], used


def total_resistance_ohm(curves: Curves) -> float | None:
    """Where the last marked intercept lies: the whole ionic resistance."""
    marks = [mark["z_real_ohm"] for mark in curves.get("intercepts") or () if mark.get("z_real_ohm")]
    return max(marks) if marks else None


def markup(symbol: str) -> str:
    """'R_b + R_gb' with lowered letters, as Plotly writes them."""
    words = []
    for word in symbol.replace("<", "").split(" "):
        stem, lower, index = word.partition("_")
        words.append(f"{stem}<sub>{index}</sub>" if lower else stem)
    return " ".join(words)
