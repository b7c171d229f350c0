"""The numbers that the study reports, where they stand in it, and what it sets.

Those of doi:10.3390/batteries9040194 (Batteries 2023, 9, 194; CC BY 4.0), each under a short name of its own (P01, S03,
T01, …). Units are those of `lagpdb.units` where a number is compared; shares are 0…1.
"""

from __future__ import annotations

from dataclasses import dataclass

from lagpdb.units import symbol

DOI = "10.3390/batteries9040194"


@dataclass(frozen=True)
class Reported:
    """One number as the text of the study gives it.

    Attributes
    ----------
    value : float, tuple of float, str or None
        A name where it is no number; None where the study plots the quantity and does not state it.
    unit, what : str
    place : str
        Section, figure or table of the study.
    is_set : bool
        Whether the experimenters chose it: there is nothing to compare, the reference set takes it over.
    """

    value: float | tuple[float, ...] | str | None
    unit: str
    what: str
    place: str
    is_set: bool = False

    @property
    def shown_unit(self) -> str:
        """As people read it: 'mA cm⁻²'."""
        return symbol(self.unit.replace("/", "_")) or self.unit


def _set(value: float | tuple[float, ...] | str, unit: str, what: str, place: str) -> Reported:
    return Reported(value, unit, what, place, is_set=True)


REPORTED = {
    "P01": _set(500.0, "mg", "powder of one pellet", "section 2.1"),
    "P02": _set(900.0, "degC", "sintering temperature", "section 2.1"),
    "P03": _set(8.0, "h", "sintering time", "section 2.1"),
    "P04": _set((400, 800, 1500), "mesh", "grinding papers", "section 2.1"),
    "P05": _set(800.0, "um", "thickness of a pristine pellet, about", "section 2.1"),
    "P06": _set(850.0, "um", "thickness of a pellet coated on both faces", "section 2.2"),
    "P07": _set(900.0, "um", "thickness of a pellet coated on one face", "section 2.2"),
    "S01": _set(1.0e-4, "Pa", "base pressure, below", "section 2.2"),
    "S02": _set(5.0, "cm", "distance of the target", "section 2.2"),
    "S03": _set(80.0, "W", "sputter power", "section 2.2"),
    "S04": _set(1.0, "Pa", "working pressure", "section 2.2"),
    "S05": _set("room", "", "temperature of the substrate", "Table S1"),
    "S06": Reported(10.0, "min", "sputter time of the lowest interfacial resistance", "section 3.1, Figure S3"),
    "S07": Reported(50.0, "nm", "film thickness after 10 min", "section 3.1, Figures S4 and 2c, Table S1"),
    "S08": Reported(5.0, "nm/min", "sputter rate: not in the text, 50 nm over 10 min", "from section 3.1"),
    "S09": _set(200.0, "degC", "temperature of the conversion, by the introduction", "section 1"),
    "S10": _set(230.0, "degC", "temperature of the conversion, by the methods", "section 2.2"),
    "S11": _set(2.0, "min", "time of the conversion", "section 2.2"),
    "S12": _set(10.0, "mm", "diameter of the lithium discs", "section 2.2"),
    "C01": _set((8, 1, 1), "", "LFP, carbon and binder by mass", "section 2.3"),
    "C02": _set(110.0, "degC", "drying temperature of the cathode", "section 2.3"),
    "C03": _set(12.0, "h", "drying time of the cathode", "section 2.3"),
    "C04": _set(2.5, "mg/cm2", "loading with active material, about", "sections 2.3 and 3.3"),
    "C05": _set(170.0, "mAh/g", "theoretical capacity of the cathode", "section 2.3"),
    "C06": _set(100.0, "um", "thickness of the lithium foil", "section 2.3"),
    "C07": _set(7.0, "uL", "liquid electrolyte at the cathode", "section 2.3"),
    "M01": _set(25.0, "degC", "temperature of all tests", "section 2.5"),
    "M02": _set(12.0, "h", "rest before the tests", "section 2.5"),
    "M03": _set(0.01, "V", "polarisation voltage", "section 2.5"),
    "M04": _set((0.05, 0.6), "mA/cm2", "range of the current ramp", "section 2.5"),
    "M05": _set(1.0, "h", "time of one step of the ramp", "section 2.5"),
    "M06": _set((2.5, 4.0), "V", "voltage window of the full cells", "section 2.5"),
    "M07": _set((20, 80), "degC", "range of temperatures", "Figure 4"),
    "M08": _set(0.1, "mA/cm2", "current density of plating and stripping", "Figure 5c"),
    "M09": _set(0.1, "mAh/cm2", "charge of one half-cycle of plating and stripping", "Figure 5c"),
    "T01": Reported(2.5e-4, "S/cm", "ionic conductivity at 25 °C, Ag|LAGP|Ag", "section 3.1, Figure 4a"),
    "T02": Reported(0.37, "eV", "activation energy, Ag|LAGP|Ag", "section 3.1, Figure 4b"),
    "T03": Reported(3.1e-4, "S/cm", "ionic conductivity at 25 °C, Ag|CuS@LAGP|Ag", "section 3.1, Figure 4c"),
    "T04": Reported(None, "eV", "activation energy, Ag|CuS@LAGP|Ag: plotted, not in the text", "Figure 4d"),
    "T05": Reported(0.96, "1", "lithium transference number, pristine", "section 3.1, Figure S2"),
    "T06": Reported(0.98, "1", "lithium transference number, with interlayer", "section 3.1, Figure S2"),
    "I01": Reported(330.0, "ohm", "lowest interfacial resistance, at 10 min", "section 3.1, Figure S3"),
    "I02": Reported(2250.0, "ohm", "interfacial resistance, pristine, called that of a single interface", "Figure 6a"),
    "I03": Reported(170.0, "ohm", "interfacial resistance, converted; one interface or both is not said", "Figure 6a"),
    "I04": Reported(350.0, "ohm", "interfacial resistance, converted, after 300 h", "Figure 6b"),
    "D01": Reported(0.1, "mA/cm2", "critical current density, pristine", "Figure 5a"),
    "D02": Reported(0.6, "mA/cm2", "critical current density, converted", "Figure 5b"),
    "D03": Reported(300.0, "mV", "overpotential of the first cycle, pristine", "Figure 5c"),
    "D04": Reported(110.0, "h", "lifetime, pristine", "Figure 5c"),
    "D05": Reported(46.0, "mV", "overpotential at 110 h, converted", "Figure 5c"),
    "D06": Reported(80.0, "mV", "overpotential at 700 h, converted", "Figure 5c"),
    "D07": Reported(700.0, "h", "lifetime, converted, more than", "abstract and section 3.2"),
    "D08": Reported(600.0, "h", "lifetime, converted, more than, by the conclusion", "section 4"),
    "Q01": _set(50.0, "cycles", "cycles of the pristine symmetric cell before it was opened", "Figure 7"),
    "Q02": _set(50.0, "cycles", "cycles of the converted symmetric cell before it was opened", "Figure 7"),
    "Q09": _set(23.0, "cycles", "cycles of the full cells without liquid before they were opened", "Figure 9"),
    "F01": Reported(147.0, "mAh/g", "capacity after three activation cycles, converted", "Figure 8b"),
    "F02": Reported(0.945, "1", "capacity retention after 100 cycles, converted", "Figure 8b"),
    "F03": Reported(0.985, "1", "Coulombic efficiency, converted, more than", "Figure 8b"),
    "F04": Reported(109.3, "mAh/g", "capacity of the first cycle, pristine", "Figure 8b"),
    "F05": Reported(0.596, "1", "capacity retention after 50 cycles, pristine", "Figure 8b"),
    "F06": Reported(
        (146.7, 138.1, 127.5, 112.4), "mAh/g", "rate capacities, converted: four for five rates", "Figure 8e"
    ),
    "F07": Reported(142.5, "mAh/g", "capacity back at 0.1 C, converted", "Figure 8e"),
    "F08": Reported((113.3, 93.8, 71.9, 41.8), "mAh/g", "capacities at 0.2, 0.3, 0.5 and 1 C, pristine", "Figure 8e"),
    "F09": Reported(100.9, "mAh/g", "capacity back at 0.1 C, pristine", "Figure 8e"),
    "F10": _set((1, 5, 20, 50, 100), "", "cycles whose voltage curves are drawn", "Figures 8c and 8d"),
    "F11": Reported(140.0, "mAh/g", "capacity after 23 cycles, converted, without liquid", "Figure 10a"),
    "F12": Reported(8100.0, "ohm", "resistance after 23 cycles, pristine, without liquid", "Figure 10c"),
    "F13": Reported(1085.0, "ohm", "resistance after 23 cycles, converted, without liquid", "Figure 10c"),
    "X01": Reported("LiGe₂(PO₄)₃, card 80-1924", "", "phase of the pellet", "Figure 3a"),
    "X02": Reported("CuS, card 06-0464", "", "phase of the film, on a silicon plate", "Figure 3b"),
    "Q03": Reported(169.1, "eV", "S 2p of sulfate, converted, after 50 cycles", "Figure 7e"),
    "Q04": Reported((160.2, 161.6), "eV", "S 2p of Li₂S, converted, after 50 cycles", "Figure 7e"),
    "Q05": Reported((162.8, 164.0), "eV", "S 2p of Li₂S₂, converted, after 50 cycles", "Figure 7e"),
    "Q06": Reported((933.2, 953.0), "eV", "Cu 2p of Cu⁰, converted, after 50 cycles", "Figure 7f"),
    "Q07": Reported(32.5, "eV", "Ge 3d of Ge⁴⁺, as prepared", "Figure S7"),
    "Q08": Reported(29.1, "eV", "Ge 3d of Ge⁰, pristine, after 50 cycles", "Figure S7"),
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
