"""The form of a recipe: for each field of its kind the value that fills it, and the two levels of limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.db import models, transaction
from django.db.models import Max

from lagpdb import units
from lagpdb.fields import CodeField, GritsField, typed_unit, understand, words
from lagpdb.forms import RecordForm
from lagpdb.quantity import Bounds
from lagpdb.records import Record
from samples.limits import limits_of
from samples.models import Cell, Conversion, ElectrodeLot, Material, PelletBatch, Recipe, SputterRun

LEVELS = ("impossible below", "unusual below", "unusual above", "impossible above")


@dataclass(frozen=True)
class Kind:
    """What a recipe of one kind fills: fields of `model`, further names, and names that have limits alone."""

    model: type[Record] | None
    fills: tuple[str, ...]
    judged: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


KINDS: dict[str, Kind] = {
    "pellet_batch": Kind(
        PelletBatch,
        ("powder_mass_mg", "die_diameter_mm", "press_pressure_MPa", "sinter_temperature_degC", "sinter_time_h",
         "sinter_ramp_degC_min", "grits", "storage"),
        ("mass_mg", "diameter_mm", "thickness_um", "relative_density_fraction"),
        {"powder_mass_mg": "Powder per pellet", "grits": "Grinding, grit order"},
    ),
    "sputter_run": Kind(
        SputterRun,
        ("target", "power_W", "pressure_Pa", "gas", "base_pressure_limit", "base_pressure_Pa", "target_distance_cm",
         "duration_min", "stage_temperature_degC"),
        labels={"base_pressure_limit": "Base pressure, sign"},
    ),
    "conversion": Kind(
        Conversion,
        ("film", "lithium_diameter_mm", "lithium_thickness_um", "is_polished", "faces", "temperature_degC",
         "duration_min"),
        ("h2o_ppm", "o2_ppm"),
        {"film": "Film expected on the pellet", "is_polished": "Foil", "faces": "Sides",
         "temperature_degC": "Hot plate", "duration_min": "Time at temperature"},
    ),
    "electrode_lot": Kind(
        ElectrodeLot,
        ("material", "active_fraction", "loading_mg_cm2", "diameter_mm", "drying_temperature_degC", "drying_time_h"),
        labels={"material": "Active material", "active_fraction": "Active fraction"},
    ),
    "cell": Kind(
        Cell,
        ("electrode_diameter_mm", "liquid_uL", "liquid_name", "case", "stack_pressure_MPa", "rest_time_h"),
        labels={"liquid_uL": "Liquid electrolyte", "rest_time_h": "Rest before the first test"},
    ),
    "measurement": Kind(
        None,
        ("temperature_degC", "frequency_high_Hz", "frequency_low_Hz", "amplitude_mV", "polarisation_voltage_mV",
         "ccd_first_mA_cm2", "ccd_last_mA_cm2", "ccd_step_mA_cm2", "ccd_step_time_h",
         "plating_current_density_mA_cm2", "plating_capacity_mAh_cm2", "voltage_low_V", "voltage_high_V",
         "cycling_c_rate", "rate_test_c_rates", "diffraction_low_deg", "diffraction_high_deg"),
        labels={"ccd_first_mA_cm2": "CCD, first current density", "ccd_last_mA_cm2": "CCD, last current density",
                "ccd_step_mA_cm2": "CCD, step", "ccd_step_time_h": "CCD, time per step",
                "cycling_c_rate": "Cycling, C-rate", "rate_test_c_rates": "Rate test, C-rates in order"},
    ),
}  # fmt: skip


class NumberField(forms.CharField):
    """A number with its unit, as JSON keeps it."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        self.name = name
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(required=False, **kwargs)

    @property
    def unit(self) -> str:
        """What stands in the right end of the field."""
        return typed_unit(self.name)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return understand(self.name, text, None, readings=False).value if text else None

    def prepare_value(self, value: Any) -> Any:
        return units.copy_value(value) if isinstance(value, int | float) else value


class RatesField(forms.CharField):
    """C-rates in the order of the test: '0,1 0,2 0,5 1'."""

    unit = "C"

    def to_python(self, value: Any) -> Any:
        texts = re.split(r"[\s;→/]+", super().to_python(value).strip())
        return [understand("c_rate", text, None, readings=False).value for text in texts if text] or None

    def prepare_value(self, value: Any) -> Any:
        return " ".join(units.copy_value(each) for each in value) if isinstance(value, list) else value


def value_field(kind: Kind, name: str) -> forms.Field:
    """The field in which a recipe's value is typed."""
    label = kind.labels.get(name, words(name))
    column = kind.model._meta.get_field(name) if kind.model and hasattr(kind.model, name) else None
    if name == "rate_test_c_rates":
        return RatesField(label=label, required=False)
    if isinstance(column, models.JSONField):
        return GritsField(label=label, required=False)
    if isinstance(column, models.BooleanField):
        choices = [("True", "polished" if name == "is_polished" else "yes"), ("False", "as received")]
        return forms.TypedChoiceField(choices=choices, coerce=lambda text: text == "True", label=label)
    if isinstance(column, models.ForeignKey) or name == "film":
        made = CodeField(Material.objects.all(), label=label, required=False)
        made.options = Material.objects.live().values_list("code", "name")
        return made
    if column is not None and column.choices:
        return forms.ChoiceField(choices=[("", "not set"), *column.choices], label=label, required=False)
    if isinstance(column, models.CharField):
        return forms.CharField(label=label, required=False, max_length=column.max_length)
    return NumberField(name, label=label)


class RecipeForm(RecordForm):
    """A recipe, or the next version of one: saving never changes the version before."""

    class Meta:
        model = Recipe
        fields = ("name", "notes")

    def __init__(self, data: Any = None, *, defaults: Any = None, limits: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.kind = KINDS[self.instance.kind]
        self.given, self.given_limits = dict(defaults or {}), dict(limits or {})
        self.judged = [*(name for name in self.kind.fills if self._has_limits(name)), *self.kind.judged]
        for name in self.kind.fills:
            self.fields[name] = value_field(self.kind, name)
            self.initial[name] = self.given.get(name)
        for name in self.judged:
            shipped = Recipe(kind=self.instance.kind, limits=self.given_limits)
            bounds = limits_of(name, recipe=shipped) or Bounds()
            ends = (bounds.impossible_low, bounds.unusual_low, bounds.unusual_high, bounds.impossible_high)
            for level, end in enumerate(ends):
                title = f"{self._title_of(name)}, {LEVELS[level]}"
                self.fields[f"{name}__{level}"] = NumberField(name, label=title)
                self.initial[f"{name}__{level}"] = end

    def _has_limits(self, name: str) -> bool:
        return self.instance.kind != "measurement" and isinstance(value_field(self.kind, name), NumberField)

    def _title_of(self, name: str) -> str:
        return str(self.fields[name].label) if name in self.fields else words(name)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """For each field: its value, and its four limits where it has some."""
        names = list(dict.fromkeys([*self.kind.fills, *self.judged]))
        return [
            {
                "title": self._title_of(name),
                "unit": NumberField(name).unit,
                "value": self[name] if name in self.fields else None,
                "limits": [self[f"{name}__{level}"] for level in range(4)] if name in self.judged else [],
            }
            for name in names
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        limits = {}
        for name in self.judged:
            keys = [f"{name}__{level}" for level in range(4)]
            if any(key in self.errors for key in keys):
                continue
            ends = [cleaned.get(key) for key in keys]
            known = [end for end in ends if end is not None]
            if known != sorted(known):
                self.add_error(keys[0], f"{self._title_of(name)}: limits rise from left to right.")
            limits[name] = ends
        self._refuse_impossible(cleaned, limits)
        values = {name: self._plain(cleaned.get(name)) for name in self.kind.fills}
        kept = {name: value for name, value in self.given.items() if name not in values}
        self.instance.defaults = kept | {name: v for name, v in values.items() if v not in (None, "", [])}
        kept_limits = {name: ends for name, ends in self.given_limits.items() if name not in limits}
        self.instance.limits = kept_limits | limits
        return cleaned

    def _refuse_impossible(self, cleaned: dict[str, Any], limits: dict[str, list[float | None]]) -> None:
        """A recipe must not fill in what its own limits refuse."""
        for name in self.kind.fills:
            value = cleaned.get(name)
            if name in limits and value is not None and name not in self.errors:
                recipe = Recipe(kind=self.instance.kind, limits=limits)
                bounds = limits_of(name, recipe=recipe)
                if bounds is not None and bounds.judge(value)[0] == "impossible":
                    self.add_error(name, f"{bounds.judge(value)[1]} The limits of this recipe refuse its own value.")

    @staticmethod
    def _plain(value: Any) -> Any:
        return value.code if isinstance(value, Record) else value

    def store(self, *, by: Any) -> bool:
        """Save as the next version of its kind."""
        with transaction.atomic():
            versions = Recipe.objects.filter(kind=self.instance.kind)
            self.instance.number = (versions.aggregate(top=Max("number"))["top"] or 0) + 1
            return super().store(by=by)


def values_of(record: Record, kind: str) -> dict[str, Any]:
    """What a record would fill if it were the recipe: its own values of the fields of its kind."""
    values: dict[str, Any] = {}
    for name in KINDS[kind].fills:
        if name == "film" or not hasattr(record, name):
            continue
        value = RecipeForm._plain(getattr(record, name))
        if value not in (None, "", []):
            values[name] = value
    return values


def shown_rows(recipe: Recipe, before: Recipe | None) -> list[dict[str, Any]]:
    """A recipe in words, one line for each field, and what the version before had where it differs."""
    kind = KINDS[recipe.kind]
    rows = []
    for name in dict.fromkeys([*kind.fills, *kind.judged, *recipe.defaults, *recipe.limits]):
        ends = recipe.limits.get(name)
        value, was = recipe.defaults.get(name), before.defaults.get(name) if before else None
        if value is None and was is None and not ends:
            continue
        rows.append(
            {
                "title": kind.labels.get(name, words(name)),
                "value": _words(name, value),
                "was": _words(name, was) if before is not None and was != value else "",
                "unusual": _range(name, ends[1], ends[2]) if ends else "",
                "impossible": _range(name, ends[0], ends[3]) if ends else "",
            }
        )
    return rows


def _words(name: str, value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " → ".join(f"{each:g}" if isinstance(each, int | float) else str(each) for each in value)
    if isinstance(value, int | float):
        return units.exact_value(value, units.suffix_of(name) or "")
    return str(value)


def _range(name: str, low: float | None, high: float | None) -> str:
    parts = [
        f"{words} {units.exact_value(end, units.suffix_of(name) or '')}"
        for words, end in (("below", low), ("above", high))
        if end is not None
    ]
    return ", ".join(parts) or "—"
