"""The form of a record: what its fields say on pages, questions, notes, limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.forms.utils import ErrorDict

from lagpdb import units
from lagpdb.fields import CodeField, CodesField, QuantityField, limited
from lagpdb.quantity import CAN_BE_NOTED, Bounds, Quantity
from lagpdb.records import Record, save_record


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
        for ending in (NOTED, CAN_BE_NOTED):
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
