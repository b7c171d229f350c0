"""What a person may choose for the runs of a time series, and how it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from lagpdb.quantity import QuantityError, parse_quantity
from lagpdb.records import normal_code


@dataclass(frozen=True)
class Choice:
    """One field of the form: parameter, label, hint, the unit it is typed in ('' for codes and lists)."""

    name: str
    label: str
    hint: str
    unit: str = ""

    is_switch: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it holds other than one number."""
        return not self.unit


_LIMIT = Choice("voltage_limit_V", "Voltage limit (V)", "Of the cycler; reaching it counts as polarisation.", "V")
_CONDUCTIVITY = Choice(
    "electrolyte_conductivity_S_cm",
    "Conductivity of the electrolyte (S cm⁻¹)",
    "A voltage below the electrolyte’s own is then recognised as a short.",
    "S_cm",
)
_RESISTANCE = Choice(
    "electrolyte_resistance_ohm", "R_e (Ω)", "Electrolyte alone; counts before its conductivity.", "ohm"
)
_AREA = Choice("electrode_area_cm2", "Electrode area (cm²)", "Replaces that of the cell for this measurement.", "cm2")
CHOICES: dict[str, tuple[Choice, ...]] = {
    "ccd_ramp": (
        Choice("short_step", "Failing step (mA cm⁻²)", "Your choice where two steps are possible.", "mA_cm2"),
        Choice("step_time_h", "Time per step (h)", "Of one polarity, as programmed.", "h"),
        _LIMIT,
        _CONDUCTIVITY,
        _RESISTANCE,
        _AREA,
    ),
    "plating_stripping": (
        Choice("overpotential_at_h", "Overpotential at (h)", "Hours, such as 100 300."),
        _LIMIT,
        _CONDUCTIVITY,
        _RESISTANCE,
        _AREA,
    ),
    "polarisation": (
        Choice("polarisation_voltage_V", "Voltage ΔV (V)", "Replaces the recorded one; 10 mV is understood.", "V"),
        Choice("initial_current_A", "Initial current I₀ (A)", "Replaces ΔV / (R_e + R₀); 12 µA is understood.", "A"),
        Choice("steady_state_current_A", "Steady current I_s (A)", "Replaces the mean of the end.", "A"),
        Choice("initial_resistance_ohm", "R₀ (Ω)", "Both interfaces, before.", "ohm"),
        Choice("steady_state_resistance_ohm", "R_s (Ω)", "Both interfaces, after.", "ohm"),
        Choice("electrolyte_resistance_ohm", "R_e (Ω)", "Electrolyte alone.", "ohm"),
        Choice("eis_before", "EIS before", "Code of the measurement to take."),
        Choice("eis_after", "EIS after", "Code of the measurement to take."),
        Choice(
            "counts_for_transference",
            "This polarisation counts for the transference number",
            "Where a cell has several, the latest with a spectrum before and after it counts else.",
            is_switch=True,
        ),
        _AREA,
    ),
}


WITH_FORM = ("eis", "cycling", "rate_test")  # whose choices have a form of their own
_COUNTS = (("reference_cycle", "Reference cycle"), ("formation_cycles", "Formation cycles"))
_NUMBERS = (("active_mass_mg", "Active mass", "mg"), ("electrode_area_cm2", "Electrode area", "cm2"))


def has_choices(kind: str) -> bool:
    """Whether a person can choose anything for a run of such a measurement."""
    return kind in WITH_FORM or kind in CHOICES


def fields_of(kind: str, typed: Mapping[str, str]) -> list[tuple[Choice, str]]:
    """The fields for a kind of measurement that has no form of its own, each with its text."""
    return [(choice, typed.get(choice.name, "")) for choice in CHOICES.get(kind, ())]


def texts(chosen: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a run as they stand in the fields of the form."""
    fields = {name: _text(value) for name, value in chosen.items()}
    if limits := chosen.get("fit_range_Hz"):
        fields["fit_from_Hz"], fields["fit_to_Hz"] = (f"{limit:.10g}" for limit in limits)
    return fields


def given(chosen: Mapping[str, Any]) -> list[tuple[Choice, str]]:
    """What was chosen for a run, each choice once, with its text."""
    known = {choice.name: choice for kind in CHOICES.values() for choice in kind}
    return [(known[name], _text(value)) for name, value in chosen.items() if name in known]


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, list):
        return " ".join(f"{item:.10g}" for item in value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def read(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The form of a kind as parameters.

    Raises
    ------
    ValidationError
        A field that cannot be read, with its label.
    """
    typed = {name: str(value).strip() for name, value in data.items()}
    try:
        return _read_own_form(typed) if kind in WITH_FORM else _read_fields(kind, typed)
    except _Unread as error:
        raise ValidationError(str(error)) from error


class _Unread(Exception):
    """A field that cannot be read."""


def _number(label: str, text: str, unit: str) -> float:
    try:
        value: float = parse_quantity(text, unit, allow_limit=False).value
    except QuantityError as error:
        raise _Unread(f"{label}: {error.sentence}") from error
    return value


def _read_fields(kind: str, typed: Mapping[str, str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for choice in CHOICES.get(kind, ()):
        text = typed.get(choice.name, "")
        if not text:
            continue
        if choice.unit:
            parameters[choice.name] = _number(choice.label, text, choice.unit)
        elif choice.is_switch:
            parameters[choice.name] = True
        elif choice.name == "overpotential_at_h":
            hours = text.replace(";", " ").split()
            parameters[choice.name] = [_number(choice.label, hour, "h") for hour in hours]
        else:
            parameters[choice.name] = normal_code(text)
    return parameters


def _read_own_form(typed: Mapping[str, str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {"circuit": typed.get("circuit", "")}
    limits = [typed.get("fit_from_Hz", ""), typed.get("fit_to_Hz", "")]
    if any(limits):
        if not all(limits):
            raise _Unread("Frequency range: enter both ends, or neither.")
        parameters["fit_range_Hz"] = [_number("Frequency range", text, "Hz") for text in limits]
    if typed.get("flip_sign"):
        parameters["flip_sign"] = True
    masked = typed.get("masked_points", "").replace(",", " ").replace(";", " ").split()
    if masked:
        parameters["masked_points"] = sorted({row for part in masked for row in _rows_of(part)})
    if text := typed.get("interface_arcs", "").replace(",", " ").replace("+", " ").replace("R", " ").strip():
        if not all(part.isdigit() for part in text.split()):
            raise _Unread(f"Interface arcs: ‘{text}’ is not a list of arcs. Write 2, or 1 2.")
        parameters["interface_arcs"] = [int(part) for part in text.split()]
    for name, words in _COUNTS:
        if text := typed.get(name, ""):
            if not text.isdigit() or (int(text) < 1 and name == "reference_cycle"):
                raise _Unread(f"{words}: ‘{text}’ is not a whole number above 0.")
            parameters[name] = int(text)
    for name, words, unit in _NUMBERS:
        if text := typed.get(name, ""):
            parameters[name] = _number(words, text, unit)
    return parameters


def _rows_of(text: str) -> range:
    """'7' or '3-9' as row numbers."""
    first, _, last = text.replace("–", "-").partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        raise _Unread(f"Points to leave out: ‘{text}’ is not a row number. Write 0 4 12-15.")
    low, high = int(first), int(last or first)
    if high < low or high > 1_000_000:
        raise _Unread(f"Points to leave out: ‘{text}’ is not a range of rows. Write 0 4 12-15.")
    return range(low, high + 1)
