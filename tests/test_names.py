"""Names carry their units: a walk over models, columns and quantities; and every plug-in has all its parts."""

import pytest
from django.apps import apps
from django.db import models

from analysis.queueing import analyses, combinations
from analysis.science.quantities import QUANTITIES
from lagpdb.units import suffix_of
from measurements.readers import columns

OUR_APPS = ("ground", "samples", "measurements", "analysis")
# The one value whose unit stands beside it, copied from the quantity's definition.
WITH_UNIT_BESIDE = {("Result", "value"), ("Result", "uncertainty")}
RATES = {"c_rate"}  # by the field's own convention: capacity per hour


def physical_fields() -> list[tuple[str, str]]:
    return [
        (model.__name__, field.name)
        for label in OUR_APPS
        for model in apps.get_app_config(label).get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.FloatField)
    ]


@pytest.mark.parametrize(("model", "name"), physical_fields())
def test_every_physical_field_ends_in_its_unit(model, name):
    if (model, name) in WITH_UNIT_BESIDE or name in RATES:
        return
    assert suffix_of(name), f"{model}.{name} is a number without a unit in its name"


def test_every_canonical_column_ends_in_its_unit():
    assert all(suffix_of(name) for name in columns.CANONICAL)


@pytest.mark.parametrize("slug", sorted(QUANTITIES))
def test_every_quantity_ends_in_its_unit(slug):
    assert suffix_of(slug)


@pytest.mark.parametrize("plugin", [*analyses().values(), *combinations().values()], ids=lambda p: p.slug)
def test_every_analysis_has_all_its_parts(plugin, settings):
    module = plugin.__module__.rsplit(".", 1)[1]
    assert plugin.slug == module, "slug and module share one word"
    assert plugin.version >= 1
    assert plugin.name
    assert plugin.yields
    assert set(plugin.yields) <= set(QUANTITIES)
    template = settings.BASE_DIR / "templates" / "analysis" / f"{plugin.slug}.html"
    assert template.exists(), f"templates/analysis/{plugin.slug}.html is missing"
    test = settings.BASE_DIR / "tests" / "analysis" / "science" / f"test_{module}.py"
    assert test.exists(), f"{test} is missing"
