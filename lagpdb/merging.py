"""Saving over somebody else's version: what both changed, and what merges without asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms

from lagpdb.forms import BoundRecordField, RecordForm


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
