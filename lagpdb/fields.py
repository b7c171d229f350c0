"""Form fields that all records share: numbers with their unit, codes, lists of codes, grits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from lagpdb import units
from lagpdb.quantity import Bounds, Quantity, QuantityError, parse_quantity
from lagpdb.records import Record, RecordQuerySet, normal_code


def words(name: str) -> str:
    """The label of a field without its unit, which stands inside the field."""
    return units.label(name).split(" (")[0]


class QuantityField(forms.CharField):
    """A number with its unit, typed as people write it.

    Attributes
    ----------
    name : str
        Field of the record; its suffix is the unit.
    spread, readings, limit : str
        Fields that keep the uncertainty, the single readings and the sign of a limit ('< 1e-4'); '' where the record
        has none.
    """

    def __init__(self, name: str, *, spread: str = "", readings: str = "", limit: str = "", **kwargs: Any) -> None:
        self.name, self.spread, self.readings, self.limit = name, spread, readings, limit
        self.bounds: Bounds | None = None
        kwargs.setdefault("label", words(name))
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(**kwargs)

    @property
    def unit(self) -> str:
        """What stands in the right end of the field."""
        return typed_unit(self.name)

    def text_of(self, record: models.Model) -> str:
        """What a person would have typed for the stored value; it reads back identically."""
        value = getattr(record, self.name)
        if value is None:
            return ""
        readings = getattr(record, self.readings) if self.readings else []
        if len(readings) > 1:
            return "; ".join(units.copy_value(reading) for reading in readings)
        spread = getattr(record, self.spread) if self.spread else None
        text = units.copy_value(value) + (f" ± {units.copy_value(spread)}" if spread else "")
        return limited(getattr(record, self.limit), text) if self.limit else text

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        return understand(self.name, text, self.bounds, readings=bool(self.readings), limit=bool(self.limit))


def typed_unit(name: str) -> str:
    """The unit in which people type a value of this name; a share is typed as one, 0.8 or 80 %."""
    return "of 1" if units.suffix_of(name) == "fraction" else units.shown_symbol(name)


def limited(sign: str, text: str) -> str:
    """A value with the sign of its limit, as it is typed: '< 1e-4'."""
    return text if sign in ("", "=") else f"{sign} {text}"


class ReadingsField(QuantityField):
    """Readings that are the record's own content, kept as a list: step heights."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, readings=name, **kwargs)

    def text_of(self, record: models.Model) -> str:
        """The readings, as somebody would have typed them."""
        return "; ".join(units.copy_value(reading) for reading in getattr(record, self.name) or ())


def understand(name: str, text: str, bounds: Bounds | None, *, readings: bool = True, limit: bool = False) -> Quantity:
    """Parse and judge what was typed; a ValidationError carries the sentence and, where there is one, a suggestion."""
    try:
        quantity = parse_quantity(text, name, allow_limit=limit, allow_readings=readings)
    except QuantityError as error:
        raise ValidationError(error.sentence, code="unreadable") from None
    level, sentence = bounds.judge(quantity.value) if bounds else ("ok", "")
    if level == "impossible":
        meant = bounds.suggestion(quantity.value) if bounds else None
        if meant is None:
            raise ValidationError(sentence, code="impossible")
        # With parameters the message is a format: the % of a share must survive it.
        raise ValidationError(sentence.replace("%", "%%"), code="impossible", params={"suggestion": meant})
    return quantity


class CodeField(forms.CharField):
    """A record chosen by its code, in any spelling; the browser offers `options`."""

    def __init__(self, queryset: RecordQuerySet, **kwargs: Any) -> None:
        self.queryset = queryset
        self.options: Iterable[tuple[str, str]] = ()
        self.kept: Record | None = None  # what the record has already: it may stay, though it was retired since
        kwargs.setdefault("widget", forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}))
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return self.pick(text) if text else None

    def pick(self, text: str) -> Record:
        """The record that a spelling of its code means; a ValidationError says why there is none."""
        code = normal_code(text) if self.queryset.model.PREFIX else text.strip()
        record = self.queryset.filter(code__iexact=code).first()
        if record is None:
            raise ValidationError(f"{code} is not in lagpdb.", code="unknown")
        if record.is_withdrawn and record != self.kept:
            raise ValidationError(
                f"{code} is in the trash since {record.withdrawn_at:%-d %b}. Restore it first.", code="withdrawn"
            )
        return record

    def prepare_value(self, value: Any) -> Any:
        return value.code if isinstance(value, Record) else value


class CodesField(CodeField):
    """Several records by their codes, scanned or typed one after the other; each counts once."""

    _EACH = re.compile(r"[A-Za-z]{3}[\s_-]?\d+|[^\s,;]+")

    def __init__(self, queryset: RecordQuerySet, **kwargs: Any) -> None:
        kwargs.setdefault(
            "widget", forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "data-codes": ""})
        )
        super().__init__(queryset, **kwargs)

    def to_python(self, value: Any) -> Any:
        found: dict[int, Record] = {}
        problems = []
        for text in self._EACH.findall(forms.CharField.to_python(self, value) or ""):
            try:
                record = self.pick(text)
            except ValidationError as error:
                problems.append(error)
            else:
                found[record.pk] = record
        if problems:
            raise ValidationError(problems)
        return list(found.values())

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return " ".join(str(super(CodesField, self).prepare_value(item)) for item in value)
        return super().prepare_value(value)


class GritsField(forms.CharField):
    """Mesh numbers in the order of grinding: '400 → 800 → 1500', in any separators."""

    unit = "mesh"

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        for mark in ("→", "->", ",", ";", "/", "–", "-"):
            text = text.replace(mark, " ")
        parts = text.split()
        if not all(part.isdecimal() and int(part) > 0 for part in parts):
            raise ValidationError("Grits are mesh numbers in order. Write for example 400 800 1500.")
        return [int(part) for part in parts]

    def prepare_value(self, value: Any) -> Any:
        return " → ".join(map(str, value)) if isinstance(value, list) else value


def form_field(field: models.Field, **kwargs: Any) -> forms.Field | None:
    """The form field of a model's field: numbers as quantities, relations as codes."""
    kwargs.pop("widget", None)
    common: dict[str, Any] = {"required": not field.blank and not field.null, "help_text": field.help_text}
    label = words(field.name)
    if isinstance(field, models.FloatField):
        return QuantityField(field.name, **common)
    if isinstance(field, models.ForeignKey) and issubclass(field.related_model, Record):
        return CodeField(field.related_model._default_manager.all(), label=label, **common)
    if isinstance(field, models.JSONField):
        return GritsField(label=label, **common)
    if isinstance(field, models.DateTimeField):
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        return forms.DateTimeField(label=label, widget=widget, **common)
    if isinstance(field, models.DateField):
        return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **common)
    if isinstance(field, models.TextField):
        return forms.CharField(label=label, widget=forms.Textarea(attrs={"rows": 3}), **common)
    return field.formfield(label=label, **kwargs)
