"""Mass of active material and what follows from it: specific capacity and C-rate. Shared by tests of full cells."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.science.base import Outcome, Parameters, Subject
from analysis.science.wording import number

MASS_TOLERANCE = 0.01


@dataclass(frozen=True)
class ActiveMass:
    """Mass [mg] and theoretical capacity [mAh g⁻¹]; None where the record is silent."""

    mass_mg: float | None
    theoretical_mAh_g: float | None

    def specific(self, capacity_mAh: float | None) -> float | None:
        """Capacity per gram of active material. [mAh g⁻¹]"""
        if capacity_mAh is None or self.mass_mg is None:
            return None
        return capacity_mAh * 1000.0 / self.mass_mg

    @property
    def one_c_mA(self) -> float | None:
        """The current of 1 C: the theoretical capacity in one hour. [mA]"""
        if self.mass_mg is None or self.theoretical_mAh_g is None:
            return None
        return self.theoretical_mAh_g * self.mass_mg / 1000.0

    def c_rate(self, current_mA: float | None) -> float | None:
        """Current over that of 1 C. [h⁻¹]"""
        return current_mA / self.one_c_mA if current_mA and self.one_c_mA else None


def active_mass(subject: Subject, parameters: Parameters, outcome: Outcome) -> ActiveMass:
    """The mass to use, stated in `outcome`: given with the measurement, else the record's; the file's is only compared.

    Parameters
    ----------
    subject : Subject
        ``active_mass_mg``, ``theoretical_capacity_mAh_g``.
    parameters : mapping
        ``active_mass_mg`` overrides; ``file_active_mass_mg`` is what the cycler was told.
    outcome : Outcome
        Receives inputs and sentences.
    """
    given, stated = parameters.get("active_mass_mg"), parameters.get("file_active_mass_mg")
    mass, origin = subject.active_mass_mg, subject.code
    if given:
        outcome.warn(
            "mass_override",
            f"The active mass {float(given):.4g} mg was given with the measurement and replaces that of the cell.",
        )
        mass, origin = float(given), "person"
    mass = mass if mass is not None and mass > 0.0 else None
    outcome.inputs["active_mass_mg"] = {"value": mass, "uncertainty": None, "origin": origin}
    outcome.inputs["theoretical_capacity_mAh_g"] = {
        "value": subject.theoretical_capacity_mAh_g,
        "uncertainty": None,
        "origin": "material of the electrode lot" if subject.theoretical_capacity_mAh_g else subject.code,
    }
    if mass is None:
        outcome.warn("mass_missing", f"No active mass for {subject.code}. Shown in mAh.")
    elif stated and abs(float(stated) / mass - 1.0) > MASS_TOLERANCE:
        says = "the measurement says" if given else "the record says"
        value = "That value" if given else "Record value"
        outcome.warn(
            "active_mass_differs",
            f"The cycler used {number(float(stated))} mg, {says} {number(mass)} mg: capacities differ by "
            f"{100.0 * abs(mass / float(stated) - 1.0):.2g} %. {value} is used.",
        )
    return ActiveMass(mass, subject.theoretical_capacity_mAh_g)
