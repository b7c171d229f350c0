"""The shipped limits of each form (product page §6); a recipe may have its own."""

from __future__ import annotations

from typing import Any

from lagpdb.forms import bounds_of
from lagpdb.quantity import Bounds

ABOVE = "Above {limit}. Saved with a note."
ABOVE_RECIPE = "Above the recipe limit of {limit}. Saved with a note."

BATCH = {
    "amount_g": Bounds(None, 5000, 0, None, "g"),
    "powder_mass_mg": Bounds(200, 1000, 0, None, "mg", zero_allowed=False),
    "press_pressure_MPa": Bounds(50, 600, 0, None, "MPa", zero_allowed=False),
    "sinter_temperature_degC": Bounds(700, 1000, 0, 1400, "degC"),
    "sinter_time_h": Bounds(4, 24, 0, None, "h", zero_allowed=False),
    "sinter_ramp_degC_min": Bounds(0.5, 20, 0, None, "degC_min", zero_allowed=False),
    "die_diameter_mm": Bounds(5, 25, 0, 100, "mm", zero_allowed=False),
    "mass_mg": Bounds(150, 1000, 0, None, "mg", zero_allowed=False),
    "diameter_mm": Bounds(5, 25, 0, 100, "mm", zero_allowed=False),
    "thickness_um": Bounds(500, 1200, 50, 5000, "um", zero_allowed=False),
    "relative_density_fraction": Bounds(0.8, 1.0, 0, 1.1, "fraction"),
}
SPUTTER = {
    "power_W": Bounds(20, 200, 0, None, "W", zero_allowed=False),
    "pressure_Pa": Bounds(0.1, 10, 0, None, "Pa", zero_allowed=False),
    "base_pressure_Pa": Bounds(None, 1e-4, 0, None, "Pa", zero_allowed=False, note=ABOVE_RECIPE),
    "target_distance_cm": Bounds(2, 30, 0, None, "cm", zero_allowed=False),
    "duration_min": Bounds(1, 60, 0, 600, "min", zero_allowed=False),
    "stage_temperature_degC": Bounds(15, 400, -273.15, 1400, "degC"),
}
FILM = {"heights_nm": Bounds(2, 1000, 0, 100_000, "nm", zero_allowed=False)}
# Lithium melts at 180.5 °C: below, nothing flows.
CONVERSION = {
    "lithium_diameter_mm": Bounds(5, 16, 0, 100, "mm", zero_allowed=False),
    "lithium_thickness_um": Bounds(20, 600, 0, None, "um", zero_allowed=False),
    "temperature_degC": Bounds(180, 260, -273.15, 1400, "degC"),
    "duration_min": Bounds(0.5, 30, 0, None, "min", zero_allowed=False),
    "h2o_ppm": Bounds(None, 1, 0, None, "ppm", note=ABOVE),
    "o2_ppm": Bounds(None, 1, 0, None, "ppm", note=ABOVE),
}
ELECTRODE = {
    "active_fraction": Bounds(0.5, 1, 0, 1, "fraction", zero_allowed=False),
    "loading_mg_cm2": Bounds(1, 10, 0, None, "mg_cm2", zero_allowed=False),
    "diameter_mm": Bounds(5, 25, 0, 100, "mm", zero_allowed=False),
    "drying_temperature_degC": Bounds(60, 150, -273.15, 300, "degC"),
    "drying_time_h": Bounds(4, 48, 0, None, "h", zero_allowed=False),
}
CELL = {
    "electrode_diameter_mm": Bounds(5, 16, 0, 100, "mm", zero_allowed=False),
    "liquid_uL": Bounds(0, 50, 0, None, "uL"),
    "stack_pressure_MPa": Bounds(0, 100, 0, None, "MPa"),
    "rest_time_h": Bounds(6, 48, 0, None, "h"),
}
MATERIAL = {
    "theoretical_density_g_cm3": Bounds(0.5, 20, 0, 25, "g_cm3", zero_allowed=False),
    "theoretical_capacity_mAh_g": Bounds(50, 4000, 0, 10000, "mAh_g", zero_allowed=False),
}
BY_KIND: dict[str, dict[str, Bounds]] = {
    "pellet_batch": BATCH,
    "sputter_run": SPUTTER,
    "film_thickness": FILM,
    "conversion": CONVERSION,
    "electrode_lot": ELECTRODE,
    "cell": CELL,
    "material": MATERIAL,
}
ANY = {**BATCH, **CELL}  # for fields whose form names no kind


def limits_of(name: str, kind: str = "", recipe: Any = None) -> Bounds | None:
    """The limits of a field: the recipe's, else those shipped for its kind of form."""
    return bounds_of(name, recipe, BY_KIND.get(recipe.kind if recipe is not None else kind, ANY))
