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
_AREA = Choice("electrode_area_cm2", "Electrode area (cm²)", "Replaces that of the cell for this measurement.", "cm2")
CHOICES: dict[str, tuple[Choice, ...]] = {
    "ccd_ramp": (
        Choice("short_step", "Failing step (mA cm⁻²)", "Your choice where two steps are possible.", "mA_cm2"),
        Choice("step_time_h", "Time per step (h)", "Of one polarity, as programmed.", "h"),
        _LIMIT,
        _CONDUCTIVITY,
        _AREA,
    ),
    "plating_stripping": (
        Choice("overpotential_at_h", "Overpotential at (h)", "Hours, such as 100 300."),
        _LIMIT,
        _CONDUCTIVITY,
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
        _AREA,
    ),
}


def fields_of(kind: str, chosen: Mapping[str, Any]) -> list[tuple[Choice, str]]:
    """The fields for a kind of measurement, each with what is in force as text."""
    return [(choice, _text(chosen.get(choice.name))) for choice in CHOICES.get(kind, ())]


def given(chosen: Mapping[str, Any]) -> list[tuple[Choice, str]]:
    """What was chosen for a run, each choice once, with its text."""
    known = {choice.name: choice for kind in CHOICES.values() for choice in kind}
    return [(known[name], _text(value)) for name, value in chosen.items() if name in known]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(f"{item:g}" for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def read(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The form of a kind as parameters.

    Raises
    ------
    ValidationError
        A field that cannot be read, with its label.
    """
    parameters: dict[str, Any] = {}
    for choice in CHOICES.get(kind, ()):
        text = str(data.get(choice.name, "")).strip()
        if not text:
            continue
        try:
            if choice.unit:
                parameters[choice.name] = parse_quantity(text, choice.unit, allow_limit=False).value
            elif choice.name == "overpotential_at_h":
                parameters[choice.name] = [
                    parse_quantity(part, "h", allow_limit=False).value for part in text.replace(";", " ").split()
                ]
            else:
                parameters[choice.name] = normal_code(text)
        except QuantityError as error:
            raise ValidationError(f"{choice.label}: {error.sentence}") from error
    return parameters
