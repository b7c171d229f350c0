"""Give every sputter setting a code of its own, so that numbers can be asked for by it."""

from django.db import migrations, models


def name(apps, schema_editor):
    """As the model does when it is saved."""
    for setting in apps.get_model("samples", "SputterSetting").objects.select_related("target"):
        values = f"{setting.power_W:.10g} W {setting.pressure_Pa:.10g} Pa {setting.target_distance_cm:.10g} cm"
        setting.code = f"{setting.target.code} {values}"
        setting.save(update_fields=["code"])


FIELD = {"max_length": 120, "editable": False, "help_text": "Generated from the four values."}


class Migration(migrations.Migration):
    dependencies = [("samples", "0004_conversion_products")]
    operations = [
        migrations.AddField("sputtersetting", "code", models.CharField(default="", **FIELD), preserve_default=False),
        migrations.RunPython(name, migrations.RunPython.noop),
        migrations.AlterField("sputtersetting", "code", models.CharField(unique=True, **FIELD)),
    ]
