"""The steps of the tests of a cell, as they are keyed into the cycler: measurement plan and area of the cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lagpdb import units
from samples import hints
from samples.models import Cell, Recipe

NOT_KNOWN = "—"


@dataclass(frozen=True)
class Step:
    """One line of the table: what, at which current density or rate, the current of this cell, and until when."""

    test: str
    what: str
    at: str = ""
    current: str = ""
    until: str = ""


def steps_of(cell: Cell, plan: Recipe | None) -> list[Step]:
    """Steps of the tests that a cell of this configuration goes through, in order."""
    values = plan.defaults if plan is not None else {}
    steps = _spectrum(values)
    if cell.configuration == Cell.Configuration.BLOCKING:
        return steps + _polarisation(values)
    if cell.configuration == Cell.Configuration.SYMMETRIC:
        return steps + _critical_current(cell, values) + _long_plating(cell, values)
    return steps + _cycling(cell, values)


def _text(values: dict[str, Any], name: str) -> str:
    return NOT_KNOWN if values.get(name) is None else units.exact_value(values[name], units.suffix_of(name) or "")


def _spectrum(values: dict[str, Any]) -> list[Step]:
    if not (values.get("frequency_high_Hz") and values.get("frequency_low_Hz")):
        return []
    band = " to ".join(units.frequency_text(values[name]) for name in ("frequency_high_Hz", "frequency_low_Hz"))
    at = f"{_text(values, 'amplitude_mV')}, {_text(values, 'temperature_degC')}"
    return [Step("Impedance", "open circuit, then spectrum", at, "", band)]


def _polarisation(values: dict[str, Any]) -> list[Step]:
    if values.get("polarisation_voltage_mV") is None:
        return []
    return [
        Step("Polarisation", "constant voltage", _text(values, "polarisation_voltage_mV"), "", "current is constant")
    ]


def _current(cell: Cell, density_mA_cm2: float) -> str:
    area = cell.electrode_area_cm2
    return hints.current_text(density_mA_cm2 * area) if area else NOT_KNOWN


def _critical_current(cell: Cell, values: dict[str, Any]) -> list[Step]:
    first, last, width = (values.get(f"ccd_{name}_mA_cm2") for name in ("first", "last", "step"))
    if not (first and last and width):
        return []
    time = _text(values, "ccd_step_time_h")
    count = round((last - first) / width) + 1
    return [
        Step(
            "Critical current density",
            "plate, then strip",
            units.exact_value(round(first + number * width, 10), "mA_cm2"),
            _current(cell, first + number * width),
            f"{time} each way",
        )
        for number in range(count)
    ]


def _long_plating(cell: Cell, values: dict[str, Any]) -> list[Step]:
    density, capacity = values.get("plating_current_density_mA_cm2"), values.get("plating_capacity_mAh_cm2")
    if not (density and capacity):
        return []
    return [
        Step(
            "Long plating and stripping",
            "plate, then strip, again and again",
            units.exact_value(density, "mA_cm2"),
            _current(cell, density),
            f"{units.exact_value(round(capacity / density, 10), 'h')} each way, "
            f"{units.exact_value(capacity, 'mAh_cm2')}",
        )
    ]


def _cycling(cell: Cell, values: dict[str, Any]) -> list[Step]:
    capacity = hints.capacity_mAh(cell)

    def current(rate: float) -> str:
        return NOT_KNOWN if capacity is None else hints.current_text(rate * capacity)

    low, high, rate = _text(values, "voltage_low_V"), _text(values, "voltage_high_V"), values.get("cycling_c_rate")
    steps = []
    if rate:
        steps = [
            Step("Cycling", "charge, constant current", f"{rate:g} C", current(rate), f"up to {high}"),
            Step("Cycling", "discharge, constant current", f"{rate:g} C", current(rate), f"down to {low}"),
        ]
    window = f"{low} to {high}"
    return steps + [
        Step("Rate test", "charge and discharge", f"{each:g} C", current(each), window)
        for each in values.get("rate_test_c_rates") or ()
    ]
