"""The tables of cycles and steps that LAND software writes beside the records, and its sheet of facts."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from measurements.readers.clock import BadTime, durations_s
from measurements.readers.columns import STEP_ENERGY, STEP_KIND, short
from measurements.readers.facts import moment
from measurements.readers.grid import Grid
from measurements.readers.series_columns import NAMED, identify_series, key_of, step_kind, unit_of
from measurements.readers.workbook import Rows, text_of

MAX_ROWS = 10_000
_FIRST = {
    "cycle": "cycles",
    "循环序号": "cycles",
    "循环": "cycles",
    "step": "steps",
    "工步序号": "steps",
    "步骤序号": "steps",
}
_STEP_WORDS = {
    "mode",
    "period",
    "starttime",
    "startvolt",
    "工步模式",
    "工作模式",
    "工步状态",
    "开始时间",
    "模式",
    "起始电压",
}
_CYCLE_WORDS = re.compile(r"cap[cd]|spe?cap[cd]|efficiency|充电|放电|效率")
_POTENTIALS = {
    "startvolt": "start_potential_V", "endvolt": "end_potential_V", "avevolt": "mean_potential_V",
    "medvolt": "median_potential_V", "avevoltc": "charge_mean_potential_V", "avevoltd": "discharge_mean_potential_V",
    "medvoltc": "charge_median_potential_V", "medvoltd": "discharge_median_potential_V",
    "endvoltd": "discharge_end_potential_V", "起始电压": "start_potential_V", "截止电压": "end_potential_V",
}  # fmt: skip
_SPECIFIC = {
    "specap": "specific_capacity_mAh_g", "specapc": "charge_specific_capacity_mAh_g",
    "specapd": "discharge_specific_capacity_mAh_g", "充电比容量": "charge_specific_capacity_mAh_g",
    "放电比容量": "discharge_specific_capacity_mAh_g", "比容量": "specific_capacity_mAh_g",
}  # fmt: skip
_INFORMATION = {"test name": "title", "operator": "operator"}


def kind_of_table(cells: list[str]) -> str:
    """``"cycles"``, ``"steps"`` or ``""`` for a row of names."""
    keys = [key_of(cell.partition("/")[0]) for cell in cells]
    kind = _FIRST.get(keys[0] if keys else "", "")
    if kind == "cycles" and any(_CYCLE_WORDS.match(key) for key in keys[1:]):
        return kind
    return kind if kind == "steps" and set(keys[1:]) & _STEP_WORDS else ""


def table_rows(grid: Grid) -> list[dict[str, Any]]:
    """The rows of a table of cycles or steps, JSON-able: canonical names and units where they are known."""
    columns: list[tuple[str, list[Any]]] = []
    for header, cells in zip(grid.headers, grid.columns, strict=True):
        if header:
            columns += _columns(header, cells)
    count = min(len(grid), MAX_ROWS)
    return [{name: values[row] for name, values in columns if values[row] is not None} for row in range(count)]


def _columns(header: str, cells: Any) -> list[tuple[str, list[Any]]]:
    key, _, unit = header.partition("/")
    key = key_of(key)
    if cells.dtype == object:
        texts = [text_of(cell) for cell in cells]
        if key in ("mode", "工步状态", "工作模式", "模式", "工步模式"):
            return [(STEP_KIND, [step_kind(text) for text in texts]), ("mode", texts)]
        if key in ("period", "periodc", "periodd"):
            name = {"period": "duration_s", "periodc": "charge_duration_s", "periodd": "discharge_duration_s"}[key]
            try:
                return [(name, _plain(durations_s(cells.tolist())))]
            except BadTime:
                return [(short(header), texts)]
        return [(short(header), texts)]
    numbers = np.asarray(cells, dtype=np.float64)
    if key == "period":
        fits = unit_of("time_s", unit or "s")
        return [("duration_s", _plain(numbers * (fits[0] if fits else 1.0)))]
    if key in _SPECIFIC:
        return [(_SPECIFIC[key], _plain(numbers))]
    if key in _POTENTIALS and (fits := unit_of("potential_V", unit or "V")):
        return [(_POTENTIALS[key], _plain(numbers * fits[0]))]
    # "Power/mWh" of the table of steps is an energy.
    if key == "power" and (fits := unit_of(STEP_ENERGY, unit)):
        return [(STEP_ENERGY, _plain(numbers * fits[0]))]
    column = identify_series(header)
    is_known = column.name in NAMED and (column.unit is not None or column.name.endswith("_number"))
    return [(column.name, _plain(numbers * column.factor))] if is_known else [(short(header), _plain(numbers))]


def _plain(numbers: Any) -> list[Any]:
    """Numbers as JSON writes them: whole ones whole, no NaN."""
    return [
        None if not np.isfinite(value) else int(value) if float(value).is_integer() else float(f"{value:.12g}")
        for value in numbers
    ]


def information(rows: Rows) -> dict[str, Any]:
    """What the sheet "Test information" says: a row of names, a row of values."""
    facts: dict[str, Any] = {}
    if len(rows) < 2:
        return facts
    pairs = [(text_of(name), text_of(value)) for name, value in zip(rows[0], rows[1], strict=False) if text_of(name)]
    for name, value in pairs:
        key = name.strip().lower()
        if key in _INFORMATION and value:
            facts[_INFORMATION[key]] = short(value, 200)
        elif key == "start time" and (found := moment(value)):
            facts["measured_at"] = found.iso
        elif key == "active material" and (mass := re.search(r"(\d+(?:\.\d+)?)\s*mg\b", value)):
            facts["active_mass_mg"] = float(mass[1])
    facts["header"] = [short(f"{name}: {value}", 500) for name, value in pairs]
    return facts
