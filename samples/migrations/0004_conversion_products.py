"""Say what a film of covellite becomes with lithium, and complete the shipped recipes."""

from django.db import migrations

# kind: (further defaults, further limits [impossible below, unusual below, unusual above, impossible above])
MORE = {
    "sputter_run": ({"gas": "Ar"}, {}),
    "conversion": (
        {"lithium_thickness_um": 100, "is_polished": True, "faces": "AB"},
        {"lithium_diameter_mm": [0, 5, 16, None], "o2_ppm": [0, None, 1, None]},
    ),
    "electrode_lot": (
        {"diameter_mm": 10, "drying_temperature_degC": 110, "drying_time_h": 12},
        {"drying_temperature_degC": [None, 60, 150, 300]},
    ),
    "cell": (
        {"liquid_name": "1 M LiPF₆ in EC/DEC", "case": "CR2032", "rest_time_h": 12},
        {"liquid_uL": [0, None, 50, None], "rest_time_h": [0, 6, 48, None]},
    ),
    "measurement": (
        {
            "polarisation_voltage_mV": 10,
            "ccd_first_mA_cm2": 0.05,
            "ccd_last_mA_cm2": 0.6,
            "ccd_step_mA_cm2": 0.05,
            "ccd_step_time_h": 1,
            "plating_current_density_mA_cm2": 0.1,
            "plating_capacity_mAh_cm2": 0.1,
            "voltage_low_V": 2.5,
            "voltage_high_V": 4.0,
            "cycling_c_rate": 0.1,
            "rate_test_c_rates": [0.1, 0.2, 0.3, 0.5, 1, 0.1],
            "diffraction_low_deg": 10,
            "diffraction_high_deg": 90,
        },
        {},
    ),
}


def complete(apps, schema_editor):
    """Fill what is empty; a recipe that people changed keeps their values."""
    apps.get_model("samples", "Material").objects.filter(code="CuS", conversion_product="").update(
        conversion_product="Li₂S/Cu"
    )
    recipe_model = apps.get_model("samples", "Recipe")
    for kind, (defaults, limits) in MORE.items():
        for recipe in recipe_model.objects.filter(kind=kind, number=1):
            recipe.defaults = defaults | recipe.defaults
            recipe.limits = limits | recipe.limits
            recipe.save(update_fields=["defaults", "limits"])


class Migration(migrations.Migration):
    dependencies = [("samples", "0003_notebook")]
    operations = [migrations.RunPython(complete, migrations.RunPython.noop)]
