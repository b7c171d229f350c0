"""Questions in words, as people type them into the search field: ‘CCD > 0.5’, ‘10 min CuS’. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analysis.science.quantities import QUANTITIES
from lagpdb import units
from lagpdb.quantity import QuantityError, parse_quantity

OPERATORS = {">": "gt", ">=": "gte", "≥": "gte", "<": "lt", "<=": "lte", "≤": "lte", "=": "", ":": ""}

# What people say instead of a quantity's name; the symbol and the name itself are known anyway.
ALIASES = {
    "ccd": "critical_current_density_mA_cm2",
    "sigma": "ionic_conductivity_S_cm",
    "conductivity": "ionic_conductivity_S_cm",
    "ea": "activation_energy_eV",
    "t_li": "lithium_transference_number",
    "tli": "lithium_transference_number",
    "transference": "lithium_transference_number",
    "r_int": "interfacial_resistance_ohm",
    "rint": "interfacial_resistance_ohm",
    "asr": "interfacial_asr_ohm_cm2",
    "retention": "capacity_retention_fraction",
    "ce": "coulombic_efficiency_fraction",
    "lifetime": "time_to_failure_h",
    "overpotential": "overpotential_mV",
    "capacity": "discharge_specific_capacity_mAh_g",
    "sputter rate": "sputter_rate_nm_min",
}
# Fields of records that people ask for by a word: list, filter of its rows, what it says.
FIELDS = {
    "thickness": ("pellets", "thickness_um", "thickness"),
    "diameter": ("pellets", "diameter_mm", "diameter"),
    "relative density": ("pellets", "relative_density_fraction", "relative density"),
    "density": ("pellets", "relative_density_fraction", "relative density"),
    "sputter time": ("pellets", "sputter_run__duration_min", "sputter time"),
    "sputter power": ("pellets", "sputter_run__power_W", "sputter power"),
    "sinter temperature": ("pellets", "batch__sinter_temperature_degC", "sinter temperature"),
    "conversion temperature": ("pellets", "conversion__temperature_degC", "conversion temperature"),
    "loading": ("cells", "electrode_lot__loading_mg_cm2", "loading"),
    "temperature": ("measurements", "temperature_degC", "temperature"),
}
_COMPARED = re.compile(r"^\s*(?P<what>[^<>=≤≥:]+?)\s*(?P<sign>>=|<=|[<>≥≤=:])\s*(?P<value>\S.*)$")
_RANGE = re.compile(r"^\s*(?P<what>\D+?)\s+(?P<low>[\d.,]+)\s*(?:-|–|to|\.\.)\s*(?P<high>[\d.,]+)\s*(?P<unit>\S*)\s*$")
_SPUTTERED = re.compile(
    r"^\s*(?:(?P<film>[A-Za-z0-9]+)\s+)?(?P<minutes>\d+(?:[.,]\d+)?)\s*min(?:utes)?(?:\s+(?P<after>[A-Za-z0-9]+))?\s*$"
)


@dataclass(frozen=True)
class Question:
    """What was understood: a list of rows and the conditions on it, under the names of the API.

    Attributes
    ----------
    rows : str
        The collection: ``results``, ``pellets``, ``cells``, ``measurements``.
    words : str
        The question as it was understood.
    conditions : tuple of (name, value)
        As they stand in the address.
    """

    rows: str
    words: str
    conditions: tuple[tuple[str, str], ...]


def understood(text: str) -> list[Question]:
    """The questions that a text may mean, the likeliest first; empty when it is none."""
    found: list[Question] = []
    if match := _RANGE.match(text):
        found += _range(match["what"], match["low"], match["high"], match["unit"])
    if not found and (match := _COMPARED.match(text)):
        found += _compared(match["what"], match["sign"], match["value"])
    if match := _SPUTTERED.match(text):
        film = match["film"] or match["after"] or ""
        minutes = match["minutes"].replace(",", ".")
        conditions = [("sputter_run__duration_min", minutes)] + ([("sputter_run__target", film)] if film else [])
        found.append(Question("pellets", f"pellets with {minutes} min of {film or 'sputtering'}", tuple(conditions)))
    if not found and (slug := quantity_of(text)):
        found.append(Question("results", f"all values of {QUANTITIES[slug].name}", (("quantity", slug),)))
    return found


def quantity_of(words: str) -> str | None:
    """The quantity that a word, a symbol or a name means."""
    key = _key(words)
    return _known().get(key)


def _key(words: str) -> str:
    return re.sub(r"[\s_\-]+", " ", words.strip().lower()).replace("⁺", "+").strip()


def _known() -> dict[str, str]:
    known: dict[str, str] = {}
    for slug, quantity in QUANTITIES.items():
        for words in (slug, quantity.name, quantity.symbol):
            known.setdefault(_key(words), slug)
    return known | {_key(words): slug for words, slug in ALIASES.items() if slug in QUANTITIES}


def _value(slug: str, text: str) -> float | None:
    """A typed number, in any unit of its kind, as the unit of the column has it."""
    try:
        return parse_quantity(text, slug, allow_limit=False, allow_readings=False).value
    except QuantityError:
        return None


def _compared(what: str, sign: str, text: str) -> list[Question]:
    lookup = OPERATORS[sign]
    if (slug := quantity_of(what)) and (value := _value(slug, text)) is not None:
        name = f"value__{lookup}" if lookup else "value"
        words = f"{QUANTITIES[slug].name} {sign} {units.format_value(value, unit=QUANTITIES[slug].unit)}"
        return [Question("results", words, (("quantity", slug), (name, f"{value:.10g}")))]
    if (known := FIELDS.get(_key(what))) and (value := _value(known[1].split("__")[-1], text)) is not None:
        rows, field, said = known
        name = f"{field}__{lookup}" if lookup else field
        suffix = units.suffix_of(field) or ""
        return [
            Question(rows, f"{rows} with {said} {sign} {units.exact_value(value, suffix)}", ((name, f"{value:.10g}"),))
        ]
    return []


def _range(what: str, low: str, high: str, unit: str) -> list[Question]:
    lower, upper = (f"{text}{' ' + unit if unit else ''}" for text in (low, high))
    if slug := quantity_of(what):
        ends = _value(slug, lower), _value(slug, upper)
        if None not in ends:
            words = f"{QUANTITIES[slug].name} from {low} to {high} {QUANTITIES[slug].unit}"
            bounds = (("value__gte", f"{ends[0]:.10g}"), ("value__lte", f"{ends[1]:.10g}"))
            return [Question("results", words, (("quantity", slug), *bounds))]
    if known := FIELDS.get(_key(what)):
        rows, field, said = known
        ends = _value(field.split("__")[-1], lower), _value(field.split("__")[-1], upper)
        if None not in ends:
            words = f"{rows} with {said} from {low} to {high} {units.shown_symbol(field)}"
            return [Question(rows, words, ((f"{field}__gte", f"{ends[0]:.10g}"), (f"{field}__lte", f"{ends[1]:.10g}")))]
    return []
