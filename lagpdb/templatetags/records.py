"""How records and typed values are written on lists, details and forms: `{% load records %}`."""

from __future__ import annotations

from django import template

from lagpdb import units

register = template.Library()

_LABELS = {"sigma_T": "from ln(σT)", "sigma": "from ln σ", "none": "no short"}


@register.filter
def typed(value: float | None, suffix: str = "") -> str:
    """A value that a person entered, with every digit of it: '475.2 mg', '8 h'; '—' where nothing was entered."""
    return "—" if value is None else units.exact_value(value, suffix)


@register.filter
def result_label(label: str) -> str:
    """The label of a result in words."""
    return _LABELS.get(label, label.replace("_", " "))
