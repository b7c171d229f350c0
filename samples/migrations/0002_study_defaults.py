"""Ship the materials and the default recipes of the reference study (Batteries 2023, 9, 194)."""

from django.db import migrations

# code: name, formula, theoretical density [g cm⁻³], theoretical capacity [mAh g⁻¹], source
MATERIALS = {
    "LAGP": (
        "Lithium aluminium germanium phosphate",
        "Li₁.₅Al₀.₅Ge₁.₅(PO₄)₃",
        3.41,
        None,
        "X-ray density of the x = 0.5 cell, doi:10.1021/acsami.8b00842",
    ),
    "CuS": (
        "Copper(II) sulfide, covellite",
        "CuS",
        4.68,
        560.6,
        "X-ray density of covellite; capacity for 2 e⁻ per CuS",
    ),
    "LFP": ("Lithium iron phosphate", "LiFePO₄", 3.60, 170.0, "capacity as used in doi:10.3390/batteries9040194"),
    "Li": ("Lithium", "Li", 0.534, 3861.0, "elemental"),
    "Ag": ("Silver", "Ag", 10.49, None, "elemental"),
}

# Limits: [impossible below, unusual below, unusual above, impossible above]
RECIPES = {
    "pellet_batch": (
        "LAGP pellet, standard",
        {
            "powder_mass_mg": 500,
            "sinter_temperature_degC": 900,
            "sinter_time_h": 8,
            "grits": [400, 800, 1500],
        },
        {
            "powder_mass_mg": [0, 200, 1000, None],
            "sinter_temperature_degC": [0, 700, 1000, 1400],
            "sinter_time_h": [0, 4, 24, None],
            "thickness_um": [50, 500, 1200, 5000],
            "relative_density_fraction": [0, 0.8, 1.0, 1.1],
        },
    ),
    "sputter_run": (
        "CuS film, standard",
        {
            "target": "CuS",
            "power_W": 80,
            "pressure_Pa": 1.0,
            "base_pressure_Pa": 1e-4,
            "base_pressure_limit": "<",
            "target_distance_cm": 5,
            "duration_min": 10,
        },
        {
            "power_W": [0, 20, 200, None],
            "pressure_Pa": [0, 0.1, 10, None],
            "base_pressure_Pa": [0, None, 1e-4, None],
            "duration_min": [0, 1, 60, 600],
        },
    ),
    "conversion": (
        "Conversion with lithium, standard",
        {"lithium_diameter_mm": 10, "temperature_degC": 230, "duration_min": 2},
        {"temperature_degC": [None, 180, 260, None], "duration_min": [0, 0.5, 30, None], "h2o_ppm": [0, None, 1, None]},
    ),
    "electrode_lot": (
        "LFP sheet 8:1:1",
        {"material": "LFP", "active_fraction": 0.8, "loading_mg_cm2": 2.5},
        {"loading_mg_cm2": [0, 1, 10, None]},
    ),
    "cell": (
        "CR2032 cell, standard",
        {"electrode_diameter_mm": 10, "liquid_uL": 7},
        {"electrode_diameter_mm": [0, 5, 16, None]},
    ),
    "measurement": (
        "Measurement plan, standard",
        {"temperature_degC": 25, "frequency_high_Hz": 1e6, "frequency_low_Hz": 0.01, "amplitude_mV": 10},
        {},
    ),
}


def ship(apps, schema_editor):
    """Add what is not there yet."""
    material_model = apps.get_model("samples", "Material")
    for code, (name, formula, density, capacity, source) in MATERIALS.items():
        material_model.objects.get_or_create(
            code=code,
            defaults={
                "name": name,
                "formula": formula,
                "theoretical_density_g_cm3": density,
                "theoretical_capacity_mAh_g": capacity,
                "source": source,
            },
        )
    recipe_model = apps.get_model("samples", "Recipe")
    counter = apps.get_model("ground", "CodeCounter")
    for number, (kind, (name, defaults, limits)) in enumerate(RECIPES.items(), start=1):
        recipe_model.objects.get_or_create(
            kind=kind,
            number=1,
            defaults={"code": f"RCP-{number:04d}", "name": name, "defaults": defaults, "limits": limits},
        )
    counter.objects.get_or_create(prefix="RCP", defaults={"last_number": len(RECIPES)})


class Migration(migrations.Migration):
    dependencies = [("samples", "0001_initial"), ("ground", "0001_initial")]
    operations = [migrations.RunPython(ship, migrations.RunPython.noop)]
