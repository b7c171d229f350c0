"""Form pieces that all records share: quantity and code fields, questions, and saving over somebody else's version."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.forms.utils import ErrorDict

from lagpdb import units
from lagpdb.quantity import Bounds, Quantity, QuantityError, parse_quantity
from lagpdb.records import Record, RecordQuerySet, normal_code, save_record


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
        """What stands in the right end of the field; a share is typed as one, 0.8 or 80 %."""
        return "of 1" if units.suffix_of(self.name) == "fraction" else units.shown_symbol(self.name)

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


class BoundRecordField(forms.BoundField):
    """What templates need to know about one field."""

    def build_widget_attrs(self, attrs: dict[str, Any], widget: Any = None) -> dict[str, Any]:
        """The browser's list of codes to choose from."""
        attrs = super().build_widget_attrs(attrs, widget)
        return attrs | {"list": f"{self.auto_id}_options"} if self.options and not self.is_codes else attrs

    @property
    def text(self) -> str:
        """The field as an unbound form shows it."""
        value = self.field.prepare_value(self.form.get_initial_for_field(self.field, self.name))
        if value is None:
            return ""
        if isinstance(value, list | tuple):
            return ", ".join(map(str, value))
        if isinstance(self.field, forms.DateTimeField | forms.DateField):
            return str(self.field.widget.format_value(value) or "")
        return str(value)

    @property
    def was_name(self) -> str:
        """Name of the hidden input that remembers what the field showed at first."""
        return f"was-{self.html_name}"

    @property
    def was(self) -> str:
        """What the field showed when the form was opened."""
        return self.data_of(self.was_name, self.text)

    def data_of(self, key: str, default: str) -> str:
        return self.form.data.get(key, default) if self.form.is_bound else default

    @property
    def focus_id(self) -> str:
        """Id of the element that takes the focus; of the first choice where there are several."""
        return self.id_for_label or f"{self.auto_id}_0"

    @property
    def unit(self) -> str:
        return getattr(self.field, "unit", "")

    @property
    def options(self) -> list[tuple[str, str]]:
        return list(getattr(self.field, "options", ()))

    @property
    def is_quantity(self) -> bool:
        return isinstance(self.field, QuantityField)

    @property
    def takes_limit(self) -> bool:
        """Whether '< 1e-4' makes sense here."""
        return self.is_quantity and bool(self.field.limit)

    @property
    def is_code(self) -> bool:
        return isinstance(self.field, CodeField)

    @property
    def is_codes(self) -> bool:
        return isinstance(self.field, CodesField)

    @property
    def recipe_text(self) -> str:
        """The recipe's value, '' where it has none."""
        return self.form.recipe_texts.get(self.name, "")

    @property
    def is_from_recipe(self) -> bool:
        return bool(self.recipe_text) and str(self.value() or "") == self.recipe_text

    @property
    def warning(self) -> str:
        """'Unusual' sentence: it may be saved."""
        return "" if self.errors else self.form.warnings.get(self.name, "")

    @property
    def suggestion(self) -> str:
        """The value that was probably meant, as text."""
        for error in self.form.errors.as_data().get(self.name, ()):
            for single in error.error_list:
                if single.params and single.params.get("suggestion"):
                    return units.copy_value(single.params["suggestion"])
        return ""


@dataclass(frozen=True)
class Question:
    """Something unusual that a person may pass: a sentence, and the words of the button that goes on.

    `other` confirms another code with its own words: a second way to go on.
    """

    code: str
    sentence: str
    button: str
    link: str = ""
    link_text: str = ""
    other: tuple[str, str] | None = None


class RecordForm(forms.ModelForm):
    """A form of one record: texts in, checked quantities out, with the version that its reader saw."""

    bound_field_class = BoundRecordField
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    BOUNDS: dict[str, Bounds] = {}
    KIND = ""  # of the recipes that fill it
    HELPERS = ("version", "reason")

    def __init__(self, data: Any = None, *, recipe: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.recipe = recipe
        self.recipe_texts: dict[str, str] = {}
        self.warnings: dict[str, str] = {}
        self.quantities: dict[str, Quantity] = {}
        self.questions: list[Question] = []
        self.confirmed = set(data.getlist("confirm")) if data is not None and hasattr(data, "getlist") else set()
        given = kwargs.get("initial") or {}
        for name, field in self.fields.items():
            if isinstance(field, QuantityField):
                field.bounds = bounds_of(name, recipe, self.BOUNDS)
                self.initial[name] = given.get(name, field.text_of(self.instance))
            elif isinstance(field, CodeField):
                field.kept = getattr(self.instance, name) if getattr(self.instance, f"{name}_id", None) else None
                self.initial[name] = given.get(name, field.kept or "")
        self.initial["version"] = self.instance.version
        if recipe is not None and self.instance.pk is None:
            self._fill_from(recipe, given)

    def _fill_from(self, recipe: Any, given: dict[str, Any]) -> None:
        for name, value in recipe.defaults.items():
            if name in self.fields and value is not None:
                number = isinstance(value, int | float) and not isinstance(value, bool)
                text = units.copy_value(value) if number else self.fields[name].prepare_value(value)
                text = str(text)
                if sign := getattr(self.fields[name], "limit", ""):
                    text = limited(recipe.defaults.get(sign, "="), text)
                self.recipe_texts[name] = text
                if name not in given:
                    self.initial[name] = text

    def clean(self) -> dict[str, Any]:
        """Quantities become plain values; their spread and readings go to the record beside them."""
        cleaned = super().clean() or self.cleaned_data
        for name, field in self.fields.items():
            if not isinstance(field, QuantityField) or name in self.errors:
                continue
            quantity = cleaned.get(name)
            cleaned[name] = quantity.value if quantity else None
            if quantity:
                self.quantities[name] = quantity
                self._note_unusual(name, field, quantity)
            if self[name].data is not None and self[name].data.strip() == field.text_of(self.instance):
                cleaned[name] = getattr(self.instance, name)  # untouched: nothing is re-rounded
                continue
            if field.spread:
                setattr(self.instance, field.spread, quantity.uncertainty if quantity else None)
            if field.readings:
                setattr(self.instance, field.readings, list(quantity.readings) if quantity else [])
            if field.limit:
                setattr(self.instance, field.limit, quantity.limit if quantity else "=")
        return cleaned

    def _note_unusual(self, name: str, field: QuantityField, quantity: Quantity) -> None:
        level, sentence = field.bounds.judge(quantity.value) if field.bounds else ("ok", "")
        if level == "unusual":
            self.warnings[name] = sentence

    def hold(self) -> None:
        """Show what a draft holds without judging it: it may be half a record. An empty form needs no holding."""
        if self.is_bound:
            self._errors, self.cleaned_data = ErrorDict(), {}

    def ask(self, question: Question) -> None:
        """Put a question, unless the person has already gone past it."""
        if question.code not in self.confirmed:
            self.questions.append(question)

    def refuse(self, error: ValidationError) -> None:
        """Show a broken rule at its field, or on top when the form has no such field."""
        if not hasattr(error, "error_dict"):
            self.add_error(None, error)
            return
        for name, errors in error.error_dict.items():
            self.add_error(name if name in self.fields and name != NON_FIELD_ERRORS else None, errors)

    def store(self, *, by: Any) -> bool:
        """Save the record through `save_record`. False when a rule was broken; StaleVersion passes through."""
        is_new = self.instance.pk is None
        try:
            save_record(
                self.instance,
                by=by,
                reason=self.noted(self.cleaned_data.get("reason") or ""),
                version=None if is_new else self.cleaned_data.get("version"),
            )
        except ValidationError as error:
            self.refuse(error)
            return False
        return True

    def noted(self, reason: str) -> str:
        """The reason, with what was unusual: saving is allowed, and the history keeps the note."""
        return with_note(reason, {self._title(name): text for name, text in self.warnings.items()})

    def _title(self, name: str) -> str:
        return str(self.fields[name].label) if name in self.fields else ""

    @property
    def saved(self) -> list[Record]:
        """What `store` has saved."""
        return [self.instance]

    @property
    def first_problem(self) -> str:
        """Id of the first field with an error: it gets the focus."""
        return next((self[name].focus_id for name in self.fields if name in self.errors), "")


NOTED = "Saved with a note."


def with_note(reason: str, notes: dict[str, str]) -> str:
    """A reason for the history, followed by what was unusual: 'H₂O: Above 1 ppm. Saved with a note.'

    The one place where such notes go is the revision that saved them: they belong to the act, not to the sample.
    """
    if not notes:
        return reason
    texts = []
    for label, sentence in notes.items():
        for ending in (NOTED, "Check it; it can be saved with a note."):
            sentence = sentence.removesuffix(ending).strip()
        texts.append(f"{label}: {sentence}" if label else sentence)
    return f"{reason} {' '.join(texts)} {NOTED}".strip()[:500]


def bounds_of(name: str, recipe: Any, defaults: dict[str, Bounds]) -> Bounds | None:
    """Limits of a field: those of the recipe where it has some, else the shipped ones."""
    given = recipe.limits.get(name) if recipe is not None else None
    if not given:
        return defaults.get(name)
    impossible_low, unusual_low, unusual_high, impossible_high = (*given, None, None, None, None)[:4]
    own = defaults.get(name)
    return Bounds(
        unusual_low, unusual_high, impossible_low, impossible_high, units.suffix_of(name) or "",
        own.zero_allowed if own else True, own.note if own else "",
    )  # fmt: skip


@dataclass(frozen=True)
class Conflict:
    """One field that two people changed."""

    name: str
    label: str
    theirs: str
    yours: str
    original: str
    choice_name: str
    original_text: str = ""  # as the field wrote it, for the next saving


def merge(fresh: RecordForm, data: Any) -> tuple[Any, list[Conflict], list[str]]:
    """What to save on top of a record that somebody else has changed since the form was opened.

    Parameters
    ----------
    fresh : RecordForm
        Unbound, of the record as it stands now.
    data : QueryDict
        As sent.

    Returns
    -------
    (QueryDict, list of Conflict, list of str)
        The data, brought to the stored version; fields that both changed; labels of what the other person changed
        and is kept.
    """
    data = data.copy()
    fields = [fresh[name] for name in fresh.fields if name not in RecordForm.HELPERS]
    unanswered = [field for field in fields if f"ask-{field.html_name}" in data and not _choice(data, field)]
    for field in fields:
        if _choice(data, field) == "theirs":
            _put(data, field, data.get(field.was_name, ""))
    version = fresh["version"].html_name
    is_current = data.get(version) in (None, "", str(fresh.instance.version))
    conflicts, kept = [], []
    for field in fields:
        theirs, yours = field.text, _typed(data, field)
        original = data.get(field.was_name, theirs)
        shown = original
        if field in unanswered:
            shown = data.get(f"original-{field.html_name}", original)
        elif is_current or _same(theirs, original) or _same(yours, theirs):
            continue
        elif _same(yours, original):
            _put(data, field, theirs)
            kept.append(str(field.label))
            continue
        said = (_in_words(field, text) for text in (theirs, yours, shown))
        conflicts.append(Conflict(field.html_name, str(field.label), *said, f"choice-{field.html_name}", shown))
    data[version] = str(fresh.instance.version)
    if conflicts or not is_current:
        for field in fields:
            data[field.was_name] = field.text
    return data, conflicts, kept


def _typed(data: Any, field: BoundRecordField) -> str:
    """A field as sent, written like `BoundRecordField.text`: a box that is not ticked sends nothing."""
    if isinstance(field.field, forms.BooleanField):
        return str(bool(field.field.widget.value_from_datadict(data, {}, field.html_name)))
    return ", ".join(data.getlist(field.html_name)).strip()


def _put(data: Any, field: BoundRecordField, text: str) -> None:
    """Write a field's text into the data as its widget would send it."""
    if isinstance(field.field, forms.BooleanField) and text != "True":
        data.pop(field.html_name, None)
    elif isinstance(field.field, forms.MultipleChoiceField):
        data.setlist(field.html_name, [part for part in text.split(", ") if part])
    else:
        data[field.html_name] = text


def _in_words(field: BoundRecordField, text: str) -> str:
    """A text as people read it: choices by their words, ticks as yes and no."""
    if isinstance(field.field, forms.BooleanField):
        return "yes" if text == "True" else "no"
    choices = dict(getattr(field.field, "choices", ()))
    return ", ".join(str(choices.get(part, part)) for part in text.split(", ")) if choices else text


def _choice(data: Any, field: BoundRecordField) -> str:
    return data.get(f"choice-{field.html_name}", "")


def _same(one: str, other: str) -> bool:
    return " ".join(str(one).split()) == " ".join(str(other).split())
