"""The numbers that the study reports, as far as they are used here.

Those of doi:10.3390/batteries9040194 (Batteries 2023, 9, 194; CC BY 4.0), each under a short name of its own (P01, S03,
T01, …). Units are those of `lagpdb.units` where a number is compared; shares are 0…1.
"""

from __future__ import annotations

from dataclasses import dataclass

DOI = "10.3390/batteries9040194"


@dataclass(frozen=True)
class Reported:
    """One number as the text of the study gives it.

    Attributes
    ----------
    value : float, tuple of float or None
        None where the study plots the quantity and does not state it.
    unit, what : str
    """

    value: float | tuple[float, ...] | None
    unit: str
    what: str


REPORTED = {
    "P01": Reported(500.0, "mg", "powder of one pellet"),
    "P02": Reported(900.0, "degC", "sintering temperature"),
    "P03": Reported(8.0, "h", "sintering time"),
    "P04": Reported((400, 800, 1500), "mesh", "grinding papers"),
    "P05": Reported(800.0, "um", "thickness of a pristine pellet, about"),
    "P06": Reported(850.0, "um", "thickness of a pellet coated on both faces"),
    "P07": Reported(900.0, "um", "thickness of a pellet coated on one face"),
    "S01": Reported(1.0e-4, "Pa", "base pressure, below"),
    "S02": Reported(5.0, "cm", "distance of the target"),
    "S03": Reported(80.0, "W", "sputter power"),
    "S04": Reported(1.0, "Pa", "working pressure"),
    "S06": Reported(10.0, "min", "sputter time"),
    "S07": Reported(50.0, "nm", "film thickness at that time"),
    "S10": Reported(230.0, "degC", "temperature of the conversion (section 2.2; the introduction says 200 °C)"),
    "S11": Reported(2.0, "min", "time of the conversion"),
    "S12": Reported(10.0, "mm", "diameter of the lithium discs"),
    "C04": Reported(2.5, "mg/cm2", "loading with active material, about"),
    "C05": Reported(170.0, "mAh/g", "theoretical capacity of the cathode"),
    "C06": Reported(100.0, "um", "thickness of the lithium foil"),
    "C07": Reported(7.0, "uL", "liquid electrolyte at the cathode"),
    "M01": Reported(25.0, "degC", "temperature of all tests"),
    "M03": Reported(10.0, "mV", "polarisation voltage"),
    "M04": Reported((0.05, 0.6), "mA/cm2", "range of the current ramp"),
    "M05": Reported(1.0, "h", "time of one step of the ramp"),
    "M06": Reported((2.5, 4.0), "V", "voltage window of the full cells"),
    "M08": Reported(0.1, "mA/cm2", "current density of plating and stripping"),
    "M09": Reported(0.1, "mAh/cm2", "charge of one half-cycle of plating and stripping"),
    "M07": Reported((20, 80), "degC", "range of temperatures"),
    "T01": Reported(2.5e-4, "S/cm", "ionic conductivity at 25 °C, Ag|LAGP|Ag"),
    "T02": Reported(0.37, "eV", "activation energy, Ag|LAGP|Ag"),
    "T03": Reported(3.1e-4, "S/cm", "ionic conductivity at 25 °C, Ag|CuS@LAGP|Ag"),
    "T04": Reported(None, "eV", "activation energy, Ag|CuS@LAGP|Ag: plotted, not in the text"),
    "T05": Reported(0.96, "1", "lithium transference number, pristine"),
    "T06": Reported(0.98, "1", "lithium transference number, with interlayer"),
    "I02": Reported(2250.0, "ohm", "interfacial resistance, pristine, called that of a single interface"),
    "I03": Reported(170.0, "ohm", "interfacial resistance, converted; one interface or both is not said"),
    "I04": Reported(350.0, "ohm", "interfacial resistance, converted, after 300 h"),
    "D01": Reported(0.1, "mA/cm2", "critical current density, pristine"),
    "D02": Reported(0.6, "mA/cm2", "critical current density, converted"),
    "D03": Reported(300.0, "mV", "overpotential of the first cycle, pristine"),
    "D04": Reported(110.0, "h", "lifetime, pristine"),
    "D05": Reported(46.0, "mV", "overpotential at 110 h, converted"),
    "D06": Reported(80.0, "mV", "overpotential at 700 h, converted"),
    "D07": Reported(700.0, "h", "lifetime, converted, more than"),
    "F01": Reported(147.0, "mAh/g", "capacity after three activation cycles, converted"),
    "F02": Reported(0.945, "1", "capacity retention after 100 cycles, converted"),
    "F03": Reported(0.985, "1", "Coulombic efficiency, converted, more than"),
    "F04": Reported(109.3, "mAh/g", "capacity of the first cycle, pristine"),
    "F05": Reported(0.596, "1", "capacity retention after 50 cycles, pristine"),
    "F06": Reported((146.7, 138.1, 127.5, 112.4), "mAh/g", "rate capacities, converted: four values for five rates"),
    "F07": Reported(142.5, "mAh/g", "capacity back at 0.1 C, converted"),
    "F08": Reported((113.3, 93.8, 71.9, 41.8), "mAh/g", "capacities at 0.2, 0.3, 0.5 and 1 C, pristine"),
    "F09": Reported(100.9, "mAh/g", "capacity back at 0.1 C, pristine"),
}


def number(record: str) -> float:
    """The value of a record that is one number."""
    value = REPORTED[record].value
    assert isinstance(value, float), record
    return value


def numbers(record: str) -> tuple[float, ...]:
    """The values of a record that is a list."""
    value = REPORTED[record].value
    assert isinstance(value, tuple), record
    return tuple(float(item) for item in value)
