"""How records and typed values are written on lists, details and forms: `{% load records %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from lagpdb import units

register = template.Library()
NUMBER = mark_safe(' class="num"')

_LABELS = {
    "sigma_T": "from ln(σT)",
    "sigma": "from ln σ",
    "none": "no short",
    "2": "both interfaces",
    "end": "at the end",
    "through_origin": "line through zero",
    "with_intercept": "line with intercept",
    "ratio": "thickness over time",
}


@register.filter
def typed(value: float | None, suffix: str = "") -> str:
    """A value that a person entered, with every digit of it: '475.2 mg', '8 h'; '—' where nothing was entered."""
    return "—" if value is None else units.exact_value(value, suffix)


@register.filter
def result_label(label: str) -> str:
    """The label of a result in words."""
    return _LABELS.get(label, label.replace("_", " "))


@register.simple_tag
def row_open(record: Any) -> SafeString:
    """The beginning of a row of a list: the box that selects it."""
    return format_html(
        '<tr data-code="{0}"><td class="pick-row"><input type="checkbox" name="codes" value="{0}" form="selection" '
        'aria-label="Select {0}"></td>',
        record.code,
    )


@register.simple_tag
def row_close(record: Any) -> SafeString:
    """The end of a row of a list: the columns that a person added."""
    cells = format_html_join(
        "",
        "<td{}>{}</td>",
        ((NUMBER if value["is_number"] else "", value["text"]) for value in getattr(record, "more_values", ())),
    )
    return format_html("{}</tr>", cells)


@register.filter
def kind_of(record: Any) -> str:
    """What kind of record it is, in words."""
    return str(record._meta.verbose_name)
