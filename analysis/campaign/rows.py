"""What of the study is compared: each reported number, the results that answer it, and how near is near."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from analysis.campaign.lithium import CONVERTED, PRISTINE, RATES_C
from analysis.campaign.reported import number, numbers

COATED = "coated"
SAMPLES = {PRISTINE: "LAGP", COATED: "CuS@LAGP", CONVERTED: "Li₂S/Cu@LAGP"}


@dataclass(frozen=True)
class Row:
    """One number of the study and where ours comes from.

    Attributes
    ----------
    key : str
        Of the row, for its address: the record's name, with the place in a list.
    record, place : str, int or None
        Name of the reported number; which one, where it is a list.
    title : str
        Quantity with its conditions, as people read it.
    state, configuration : str
        Of the cells: 'pristine', 'coated' or 'converted'; 'blocking', 'symmetric' or 'full'.
    quantity : str
        Slug of the result.
    where : mapping
        Further conditions on the result.
    tolerance : float
        Share of the reported number, or a difference in its unit where `is_absolute`.
    bound : str
        '>' where the study gives a lower limit only.
    unclear : str
        Why the study's number cannot be compared; '' where it can.
    needs : str
        What a lab has to measure for this row.
    """

    record: str
    title: str
    state: str
    configuration: str
    quantity: str
    needs: str
    where: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 0.05
    is_absolute: bool = False
    place: int | None = None
    bound: str = ""
    unclear: str = ""

    @property
    def key(self) -> str:
        """``F08-2``, ``T01``."""
        return self.record if self.place is None else f"{self.record}-{self.place + 1}"

    @property
    def reported(self) -> float:
        """The study's number, in the unit of the quantity."""
        return number(self.record) if self.place is None else numbers(self.record)[self.place]

    @property
    def sample(self) -> str:
        """``CuS@LAGP``."""
        return SAMPLES[self.state]

    @property
    def results(self) -> Q:
        """The results that answer it, by cell and conditions; in force or not is for the caller.

        A lower limit answers a lower limit alone.
        """
        own = Q(quantity=self.quantity, cell__configuration=self.configuration, **self.where)
        return own & STATE[self.state] & (Q() if self.bound else Q(limit="="))

    def is_near(self, value: float) -> bool:
        """Whether a number of ours agrees with the study's."""
        if self.bound == ">":
            return value >= self.reported
        return abs(value - self.reported) <= self.tolerance * (1.0 if self.is_absolute else abs(self.reported))

    @property
    def within(self) -> str:
        """The tolerance in words."""
        if self.bound:
            return "at least as much"
        return f"± {self.tolerance:g}" if self.is_absolute else f"± {100 * self.tolerance:g} %"


STATE = {
    PRISTINE: Q(cell__is_coated=False),
    COATED: Q(cell__is_coated=True, cell__notation__contains="|CuS@"),
    CONVERTED: Q(cell__is_coated=True, cell__notation__contains="|Li₂S/Cu@"),
}
_WARM: dict[str, Any] = {"temperature_degC__gte": 24.0, "temperature_degC__lte": 26.0}
_TENTH = {"current_density_mA_cm2__gte": 0.095, "current_density_mA_cm2__lte": 0.105}
_WET = {"cell__liquid_uL__gt": 0.0}
_SLOW = {"c_rate__gte": 0.09, "c_rate__lte": 0.11} | _WET
_AT = ", recorded to {0} h or longer, with the overpotential at {0} h asked for"
_BLOCKING = "impedance of a blocking cell at 25 °C"
_SPECTRA = "spectra at five temperatures or more of a blocking cell"
_LI = "impedance of a symmetric cell"
_DC = "a polarisation of a symmetric cell with a spectrum before and one after it"
_RAMP = "a current ramp of a symmetric cell"
_LONG = "a symmetric cell cycled at 0.1 mA cm⁻²"
_FULL = "a full cell with liquid at the cathode, cycled at 0.1 C"
_RATE = "a rate test of a full cell with liquid at the cathode"
_ONE_OR_TWO = "The study does not say whether one or both interfaces are meant."
_FIVE_RATES = "The study names five rates and four capacities."


def _rates(record: str, back: str, state: str, unclear: str) -> tuple[Row, ...]:
    rows = [
        Row(record, f"Capacity at {rate:g} C", state, "full", "rate_capacity_mAh_g", _RATE,
            {"label": f"{rate:.2g} C"} | _WET, place=place, unclear=unclear)
        for place, rate in enumerate(RATES_C)
    ]  # fmt: skip
    again = Row(
        back, "Capacity back at 0.1 C", state, "full", "rate_capacity_mAh_g", _RATE, {"label": "0.1 C, back"} | _WET
    )
    return (*rows, again)


ROWS = (
    Row("T01", "Conductivity at 25 °C", PRISTINE, "blocking", "ionic_conductivity_S_cm", _BLOCKING, _WARM, 0.1),
    Row("T03", "Conductivity at 25 °C", COATED, "blocking", "ionic_conductivity_S_cm", _BLOCKING, _WARM, 0.1),
    Row("T02", "Activation energy (σT)", PRISTINE, "blocking", "activation_energy_eV", _SPECTRA, {"label": "sigma_T"},
        0.03, is_absolute=True),
    Row("T05", "Transference number", PRISTINE, "symmetric", "lithium_transference_number", _DC, {}, 0.02, True),
    Row("T06", "Transference number", CONVERTED, "symmetric", "lithium_transference_number", _DC, {}, 0.02, True),
    Row("I02", "Interfacial resistance, one interface", PRISTINE, "symmetric", "interfacial_resistance_ohm", _LI),
    Row("I03", "Interfacial resistance, one interface", CONVERTED, "symmetric", "interfacial_resistance_ohm", _LI,
        unclear=_ONE_OR_TWO),
    Row("D01", "Critical current density", PRISTINE, "symmetric", "critical_current_density_mA_cm2", _RAMP),
    Row("D02", "Critical current density", CONVERTED, "symmetric", "critical_current_density_mA_cm2", _RAMP),
    Row("D03", "Overpotential, first cycle", PRISTINE, "symmetric", "overpotential_mV", _LONG,
        {"label": "first_cycle"} | _TENTH),
    Row("D04", "Time to failure", PRISTINE, "symmetric", "time_to_failure_h", _LONG),
    Row("D05", "Overpotential at 110 h", CONVERTED, "symmetric", "overpotential_mV", _LONG + _AT.format(110),
        {"label": "110h"} | _TENTH),
    Row("D06", "Overpotential at 700 h", CONVERTED, "symmetric", "overpotential_mV", _LONG + _AT.format(700),
        {"label": "700h"} | _TENTH),
    Row("D07", "Time to failure", CONVERTED, "symmetric", "time_to_failure_h", _LONG + " for more than 700 h",
        bound=">"),
    Row("F04", "Capacity of the first cycle", PRISTINE, "full", "discharge_specific_capacity_mAh_g", _FULL,
        {"label": "first"} | _SLOW),
    Row("F01", "Capacity after three cycles", CONVERTED, "full", "discharge_specific_capacity_mAh_g", _FULL,
        {"label": "reference"} | _SLOW),
    Row("F05", "Capacity retention, 50 cycles", PRISTINE, "full", "capacity_retention_fraction", _FULL,
        {"label": "50"} | _SLOW),
    Row("F02", "Capacity retention, 100 cycles", CONVERTED, "full", "capacity_retention_fraction", _FULL,
        {"label": "100"} | _SLOW),
    Row("F03", "Coulombic efficiency, lowest", CONVERTED, "full", "coulombic_efficiency_fraction", _FULL,
        {"label": "min"} | _SLOW, bound=">"),
    *_rates("F08", "F09", PRISTINE, ""),
    *_rates("F06", "F07", CONVERTED, _FIVE_RATES),
)  # fmt: skip
