"""Say in the recipe of the conversion which film it expects on the pellet."""

from django.db import migrations


def name_film(apps, schema_editor):
    """Fill what is empty; a recipe that people changed keeps their values."""
    for recipe in apps.get_model("samples", "Recipe").objects.filter(kind="conversion", number=1):
        recipe.defaults = {"film": "CuS"} | recipe.defaults
        recipe.save(update_fields=["defaults"])


class Migration(migrations.Migration):
    dependencies = [("samples", "0005_setting_code")]
    operations = [migrations.RunPython(name_film, migrations.RunPython.noop)]
