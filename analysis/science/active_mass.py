"""Mass of active material and what follows from it: specific capacity and C-rate. Shared by tests of full cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.science.base import Finding, Outcome, Parameters, Subject
from analysis.science.wording import number

MASS_TOLERANCE = 0.01
# Times the theoretical capacity beyond which a capacity per gram cannot be. Loading times area of a disc is off by a
# tenth at worst, a first charge loses a tenth or two to side reactions, and of some materials people enter the usable
# capacity, up to a fifth below what they hold. A wrong unit, disc or material is off by two and more.
MOST_OF_THEORY = 1.3


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

    def holds(self, specific_mAh_g: float) -> bool:
        """Whether the material can hold a capacity; true where its theoretical capacity is not known. [mAh g⁻¹]"""
        return self.theoretical_mAh_g is None or specific_mAh_g <= MOST_OF_THEORY * self.theoretical_mAh_g

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


def warn_above_theory(findings: Sequence[Finding], mass: ActiveMass, outcome: Outcome) -> None:
    """Say once why capacities per gram are out of range, where the material cannot hold them.

    Parameters
    ----------
    findings : sequence of Finding
        Of which those per gram count.
    mass : ActiveMass
    outcome : Outcome
        Receives the sentence, code ``capacity_above_theoretical``.
    """
    beyond: dict[str, float] = {}
    for found in findings:
        if found.value is not None and found.quantity.endswith("_mAh_g") and not mass.holds(found.value):
            beyond[found.quantity] = max(found.value, beyond.get(found.quantity, 0.0))
    if not beyond or mass.theoretical_mAh_g is None:
        return
    most, theory = max(beyond.values()), mass.theoretical_mAh_g
    is_charge_alone = set(beyond) == {"charge_specific_capacity_mAh_g"}
    why = (
        "The discharge is not: a short or a side reaction may have taken the charge."
        if is_charge_alone
        else "Check the active mass (loading, area of the disc), the material of the electrode lot, and the units of "
        "current and capacity in the file."
    )
    outcome.warn(
        "capacity_above_theoretical",
        f"{number(most)} mAh g⁻¹{' of a charge' if is_charge_alone else ''} is {number(most / theory, 2)} times what "
        f"the active material can hold ({number(theory)} mAh g⁻¹): out of range. {why}",
    )
