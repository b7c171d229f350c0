"""Which number of a measurement or sample is shown where there is room for one: lists, upload rows, detail pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps

# Per kind of measurement, the first of these that a run gave.
MAIN: dict[str, tuple[str, ...]] = {
    "eis": (
        "ionic_conductivity_S_cm",
        "interfacial_resistance_ohm",
        "cell_interfacial_resistance_ohm",
        "electrolyte_resistance_ohm",
    ),
    "polarisation": ("electronic_conductivity_S_cm", "steady_state_current_A"),
    "ccd_ramp": ("critical_current_density_mA_cm2",),
    "plating_stripping": ("time_to_failure_h", "overpotential_mV"),
    "cycling": ("capacity_retention_fraction", "discharge_specific_capacity_mAh_g", "discharge_capacity_mAh"),
    "rate_test": ("capacity_recovery_fraction", "rate_capacity_mAh_g", "rate_capacity_mAh"),
    "xrd": ("phase_match_fraction",),
    "afm": ("film_thickness_nm",),
    "xps": ("binding_energy_eV",),
}
# Of quantities with several rows the one that stands for the measurement, on its page as in lists.
MAIN_LABEL = {
    "capacity_retention_fraction": "last",
    "discharge_specific_capacity_mAh_g": "reference",
    "discharge_capacity_mAh": "reference",
    "coulombic_efficiency_fraction": "mean",
    "overpotential_mV": "end",
}
# What the page of a sample shows first, in this order; the rest is folded away.
FIRST = (
    "ionic_conductivity_25degC_S_cm",
    "activation_energy_eV",
    "lithium_transference_number",
    "ionic_conductivity_S_cm",
    "electronic_conductivity_S_cm",
    "interfacial_resistance_ohm",
    "interfacial_asr_ohm_cm2",
    "critical_current_density_mA_cm2",
    "time_to_failure_h",
    "overpotential_mV",
    "capacity_retention_fraction",
    "discharge_specific_capacity_mAh_g",
    "coulombic_efficiency_fraction",
    "phase_match_fraction",
    "film_thickness_nm",
)
ROOM_degC = 25.0
# Columns of a run that no list shows.
UNSHOWN = ("curves", "tables", "inputs", "warnings")


def results() -> Any:
    """Current numbers."""
    return apps.get_model("analysis", "Result").objects.current()


def rates_in_force() -> Any:
    """Accepted sputter rates, of each setting the one that counts first."""
    rates = results().filter(quantity="sputter_rate_nm_min", acceptance="accepted", flag="ok")
    return rates.order_by("position", "pk")


def main_results(measurements: Iterable[Any]) -> dict[int, Any]:
    """The main number of many measurements, by their key, in one query."""
    kinds = {item.pk: item.kind for item in measurements}
    wanted = {slug for kind in set(kinds.values()) for slug in MAIN.get(kind, ())}
    best: dict[int, tuple[tuple[int, bool], Any]] = {}
    if not wanted:
        return {}
    rows = results().filter(measurement_id__in=kinds, quantity__in=wanted).select_related("run")
    # The curves of a long test are a megabyte, which would come with each of its numbers.
    for row in rows.defer(*(f"run__{name}" for name in UNSHOWN)).order_by("position", "pk"):
        order = MAIN[kinds[row.measurement_id]]
        place = order.index(row.quantity) if row.quantity in order else len(order)
        rank = (place, row.label != MAIN_LABEL.get(row.quantity, row.label))
        if row.measurement_id not in best or rank < best[row.measurement_id][0]:
            best[row.measurement_id] = (rank, row)
    return {key: row for key, (_, row) in best.items()}


def numbers_of(**sample: Any) -> tuple[list[Any], list[Any]]:
    """Current numbers of a sample: those that people ask for, in their order, and all others."""
    rows = list(results().filter(**sample).select_related("measurement", "cell"))
    place = {slug: number for number, slug in enumerate(FIRST)}
    rows.sort(
        key=lambda row: (place.get(row.quantity, 99), row.quantity, row.temperature_degC or 0, row.position, row.pk)
    )
    first = [row for row in rows if row.quantity in place]
    return (first, [row for row in rows if row.quantity not in place]) if first else (rows, [])


def newest(quantity: str, over: str, keys: Iterable[int], **conditions: Any) -> dict[int, Any]:
    """The newest number of a quantity for many pellets or cells, that nearest 25 °C first, in one query.

    `over` is 'pellet' or 'cell'; the temperature is the row's own and must be shown with it.
    """
    rows = results().filter(quantity=quantity, value__isnull=False, **{f"{over}_id__in": list(keys)}, **conditions)
    found: dict[int, Any] = {}
    for row in rows.order_by("-pk"):
        key = getattr(row, f"{over}_id")
        if key not in found or _distance(row) < _distance(found[key]):
            found[key] = row
    return found


def _distance(row: Any) -> int:
    return 99 if row.temperature_degC is None else int(abs(row.temperature_degC - ROOM_degC))
