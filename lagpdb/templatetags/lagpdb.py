"""How values, codes, states and icons are written on pages: `{% load lagpdb %}`."""

from __future__ import annotations

import re
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from lagpdb import synthetic, units
from lagpdb.addresses import address_of, address_of_code

register = template.Library()

_CODE = re.compile(r"^([A-Z]{3})-\d+$")
# The words that stand beside a colour, and the icon that stands beside both.
_STATES = {
    "accepted": ("ok", "check", "accepted"),
    "provisional": ("warn", "alert", "provisional"),
    "rejected": ("bad", "cross", "rejected"),
    "suspect": ("warn", "flag", "suspect"),
    "out_of_range": ("bad", "flag", "out of range"),
    "not_converged": ("bad", "flag", "not converged"),
    "missing": ("warn", "flag", "input missing"),
    "received": ("", "clock", "received"),
    "checking": ("info", "play", "checking"),
    "needs_sample": ("warn", "alert", "needs a sample"),
    "queued": ("", "clock", "queued"),
    "analysing": ("info", "play", "analysing"),
    "running": ("info", "play", "running"),
    "done": ("ok", "check", "done"),
    "succeeded": ("ok", "check", "done"),
    "failed": ("bad", "alert", "failed"),
    "duplicate": ("", "copy", "already stored"),
    "extends": ("info", "copy", "longer copy"),
    "attachment": ("", "paper", "attachment"),
    "available": ("ok", "check", "available"),
    "in_cell": ("info", "cell", "in a cell"),
    "recovered": ("", "history", "recovered"),
    "consumed": ("", "cross", "consumed"),
    "broken": ("bad", "alert", "broken"),
    "built": ("", "cell", "built"),
    "resting": ("", "clock", "resting"),
    "on_test": ("info", "play", "on test"),
    "finished": ("ok", "check", "finished"),
    "dismantled": ("", "history", "dismantled"),
}


# --- Icons, navigation, states ----------------------------------------------------------------------------------------
@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """An icon of templates/_icons.html; words stand beside it, so it is hidden from screen readers."""
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="#i-{}"></use></svg>', size, name)


@register.inclusion_tag("_nav_item.html", takes_context=True)
def nav_item(
    context: dict[str, Any], name: str, words: str, icon_name: str, count: int | None = None
) -> dict[str, Any]:
    """One line of the navigation; empty where no page of that name exists yet."""
    try:
        address = reverse(name)
    except NoReverseMatch:
        return {"address": ""}
    path = context["request"].path if "request" in context else ""
    inside = path == address or (address != "/" and path.startswith(address))
    if name == "upload":  # its batches have addresses of their own
        inside = inside or path.startswith("/uploads/")
    return {
        "address": address,
        "words": words,
        "icon_name": icon_name,
        "count": count,
        "is_current": inside,
        "is_here": path == address,
    }


@register.simple_tag
def state_tag(state: str, words: str = "") -> SafeString:
    """A state, flag or acceptance as colour, icon and word: `{% state_tag result.acceptance %}`."""
    tone, icon_name, default = _STATES.get(str(state), ("", "info", str(state).replace("_", " ")))
    return format_html('<span class="tag {}">{}{}</span>', tone, icon(icon_name), words or default)


@register.simple_tag
def disc(is_coated: bool, is_one_sided: bool = False) -> SafeString:
    """The small disc before a sample: ivory for pristine, olive for coated, half olive for one coated face."""
    shape, words = ("coat", "coated") if is_coated else ("", "pristine")
    if is_coated and is_one_sided:
        shape, words = "one", "coated on one face"
    return format_html('<i class="disc {}" role="img" aria-label="{}" title="{}"></i>', shape, words, words)


@register.simple_tag(takes_context=True)
def synthetic_tag(context: Any, record: Any, is_short: bool = False) -> SafeString:
    """A mark on everything that a generator made; nothing on measured data.

    `record` may be the answer itself. A page that carries the mark says at its foot what it means.
    """
    if not (record if isinstance(record, bool) else getattr(record, "is_synthetic", False)):
        return mark_safe("")
    if request := context.get("request"):
        request.shows_synthetic = True
    words = "reference set, synthetic"
    return format_html('<span class="tag synthetic" title="{}">{}</span>', words, "synthetic" if is_short else words)


@register.simple_tag(takes_context=True)
def synthetic_sentence(context: Any) -> SafeString:
    """The sentence that goes with the mark, where the page above it carried one."""
    if not getattr(context.get("request"), "shows_synthetic", False):
        return mark_safe("")
    return format_html(
        '<p class="small muted below"><span class="tag synthetic">synthetic</span> {}</p>', synthetic.SENTENCE
    )


# --- Codes ------------------------------------------------------------------------------------------------------------
@register.filter
def code_link(record: Any) -> SafeString | str:
    """The code of a record as a link to its page; plain where it has none."""
    if record is None:
        return "—"
    return _linked(str(record.code), address_of(record))


@register.filter
def link_code(text: Any) -> SafeString | str:
    """A text that is a code as a link; other texts come back as they are."""
    match = _CODE.match(str(text))
    return _linked(match[0], address_of_code(match[1], match[0])) if match else str(text)


@register.filter
def with_link(text: str, relation: dict[str, Any]) -> SafeString | str:
    """A sentence in which the code of what a file is related to, where it occurs, is a link."""
    before, found, after = str(text).partition(str(relation.get("code") or "\0"))
    return format_html("{}{}{}", before, link_code(found), after) if found else str(text)


def _linked(code: str, address: str) -> SafeString:
    if not address:
        return format_html('<span class="code">{}</span>', code)
    return format_html('<a class="code" href="{}">{}</a>', address, code)


# --- Values -----------------------------------------------------------------------------------------------------------
@register.filter
def value_text(result: Any) -> str:
    """A result with its uncertainty, limit and unit: '(2.49 ± 0.03) × 10⁻⁴ S cm⁻¹'."""
    return units.format_named(result.quantity, result.value, result.uncertainty, result.limit)


_PARTS = re.compile(r"^(\(?(?:[<>≤≥]\s)?−?[\d.\u202f]+)(.*)$", re.DOTALL)


@register.filter
def big_value(result: Any) -> SafeString:
    """As `value_text`, the number large and the rest small."""
    text = value_text(result)
    match = _PARTS.match(text)
    if not match:
        return format_html('<span class="big-val">{}</span>', text)
    return format_html('<span class="big-val">{}<span class="u">{}</span></span>', match[1], match[2])


@register.simple_tag
def quantity(name: str, value: float | None, uncertainty: float | None = None, limit: str = "=") -> str:
    """A field's value in its unit: `{% quantity "thickness_um" pellet.thickness_um %}` gives '801 µm'."""
    return units.format_named(name, value, uncertainty, limit)


@register.filter
def with_unit(value: float | None, suffix: str) -> str:
    """A number with its unit: `{{ pellet.thickness_um|with_unit:"um" }}`; '—' where nothing was entered."""
    if suffix == "degC" and value is not None:  # temperatures are set points: 25 °C, not 25.0 °C
        return f"{value:.4g} °C".replace("-", units.MINUS)
    return units.format_value(value, None, "=", suffix)


@register.filter
def label_of(name: str) -> str:
    """The heading of a field or column: 'thickness_um' gives 'Thickness (µm)'."""
    return units.label(name)


@register.filter
def file_size(size_bytes: int | None) -> str:
    """'7.6 kB'."""
    if size_bytes is None:
        return "—"
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.3g} {unit}"
    return f"{size_bytes} B"


@register.filter
def moment(when: Any) -> str:
    """'2026-03-11 14:10'; '—' where it is not known."""
    return when.strftime("%Y-%m-%d %H:%M") if when else "—"


@register.filter
def elapsed(since: Any) -> str:
    """For how long something lasts: '8 s', '2 min', '3 h'."""
    seconds = max((timezone.now() - since).total_seconds(), 0) if since else 0
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"


@register.filter
def person(user: Any) -> str:
    """A person's name as others know them."""
    return (user.get_full_name() or user.get_username()) if user else ""


@register.filter
def at(mapping: Any, key: Any) -> Any:
    """The value of a mapping at a key, or nothing."""
    return mapping.get(key) if hasattr(mapping, "get") else None


# --- Quantities -------------------------------------------------------------------------------------------------------
def _definition(slug: str) -> Any:
    from analysis.science.quantities import QUANTITIES

    return QUANTITIES.get(slug)


@register.filter
def quantity_name(slug: str) -> str:
    """'Ionic conductivity'."""
    found = _definition(slug)
    return found.name if found else units.label(slug)


@register.filter
def quantity_symbol(slug: str) -> SafeString | str:
    """'σ', with subscripts set as such."""
    found = _definition(slug)
    return symbol_markup(found.symbol) if found else ""


# One or two letters, then the lowered ones: R_gb, ΔV_hys; names such as hard_short are left alone.
_SUBSCRIPT = re.compile(r"(?<=\b\w)_(\w+(?:,\w+)?⁺?)|(?<=\b\w\w)_(\w+(?:,\w+)?)")


@register.filter
def symbol_markup(text: str) -> SafeString:
    """A symbol with its subscript: 'R_gb' as R with a lowered gb; everything else is escaped."""
    parts, position = [], 0
    for match in _SUBSCRIPT.finditer(str(text)):
        parts.append(format_html("{}<sub>{}</sub>", str(text)[position : match.start()], match[1] or match[2]))
        position = match.end()
    parts.append(format_html("{}", str(text)[position:]))
    return mark_safe("".join(parts))  # noqa: S308 - every part is escaped above


@register.simple_tag
def number(value: Any, uncertainty: float | None = None, unit: str = "") -> str:
    """A number whose unit is a symbol of its own, such as a fitted parameter in S sⁿ."""
    if not isinstance(value, int | float):
        return str(value)
    return units.format_value(value, uncertainty, "=", "" if unit in (None, "1") else unit)
