"""What the study made, what of it is not known, and the physical model that stands in for its missing raw data.

The numbers are those of `analysis.campaign.reported`. The study published no instrument file, so the files of this
campaign are SYNTHETIC: they are generated from the reported conductivities to test the analysis code.

The model, for every cell at every temperature:

* σ·T = A·exp(−E_a/kT) for the total conductivity, with A from the reported σ at 25 °C. The form of E_a (σT or σ) is
  not stated in the study; σT is assumed here. E_a of the coated state is not in the text; the pristine one's is taken.
* Z = lead inductance + bulk arc + grain boundary arc + constant phase element of both silver electrodes, in series
  (`analysis.science.synthetic.blocking_cell_spectrum`), with independent normal errors of 0.3 % of |Z| on both parts.
* The film is 50 nm thin and adds nothing to the model: the two states differ by their conductivity alone, as reported.

What is not reported and assumed here stands in `ASSUMED`, and in the notes of the records.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from analysis.campaign.reported import DOI, REPORTED
from analysis.campaign.writers import Sweep
from analysis.science.synthetic import blocking_cell_spectrum, frequencies_Hz
from samples.models.cells import disc_area_cm2

__all__ = ["DOI", "REPORTED"]

MARKER = "REFERENCE-SET-1"  # supplier's lot number of the powder: by it the campaign is found again
NOTE = f"Synthetic reference set, built from the numbers reported in doi:{DOI} to test the analysis code. Not measured."


SUPPLIER = "Hefei Kejing"  # section 2.1 of the study

ASSUMED = {
    "pellet_diameter_mm": 15.0,  # 500 mg of dense LAGP, 800 µm thick, are a disc of this diameter
    "electrode_diameter_mm": 10.0,  # of the silver; the study gives it for its lithium discs alone
    "electrode_diameter_uncertainty_mm": 0.05,
    "thickness_spread_um": 4.0,  # of one reading
    "thickness_readings": 5,
}
# The study names the ends of the range; the steps, and 25 °C as a measured point, are assumed.
TEMPERATURES_DEGC: tuple[float, ...] = (20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0)
FREQUENCIES_HZ = frequencies_Hz(1.0e6, 0.01, 10)  # the window is reported, the points per decade are assumed
NOISE_FRACTION = 0.003
INDUCTANCE_H = 5.0e-7
SEED = 9040194

# The study gives no dates: these are placeholders in a plausible order.
RECEIVED_ON = dt.date(2023, 1, 3)
PRESSED_AT = dt.datetime(2023, 1, 9, 9, tzinfo=dt.UTC)
SPUTTERED_AT = dt.datetime(2023, 1, 11, 14, tzinfo=dt.UTC)
FILM_READ_AT = dt.datetime(2023, 1, 11, 16, tzinfo=dt.UTC)
CONVERTED_AT = dt.datetime(2023, 1, 12, 10, tzinfo=dt.UTC)
COATED_ON = dt.date(2023, 1, 10)
ASSEMBLED_AT = dt.datetime(2023, 1, 13, 10, tzinfo=dt.UTC)
MEASURED_AT = dt.datetime(2023, 1, 16, 9, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Truth:
    """What the model of one state was given, and what the analysis should therefore find.

    Attributes
    ----------
    conductivity_25degC_S_cm, activation_energy_eV : float
        Total conductivity at 25 °C; E_a of σT.
    conductivity_record, activation_record : str
        Names of the reported numbers.
    """

    conductivity_25degC_S_cm: float
    activation_energy_eV: float
    conductivity_record: str
    activation_record: str


PRISTINE = Truth(2.5e-4, 0.37, "T01", "T02")
COATED = Truth(3.1e-4, 0.37, "T03", "T04")  # T04 is not in the text: that of the pristine state is assumed


class Thickness:
    """What the gauge reads on a planned pellet."""

    number: int
    thickness_um: float

    @property
    def thickness_readings_um(self) -> list[float]:
        """Readings of the gauge, to its 1 µm."""
        rng = np.random.default_rng([SEED, self.number])
        spread, count = ASSUMED["thickness_spread_um"], int(ASSUMED["thickness_readings"])
        return [float(round(reading)) for reading in rng.normal(self.thickness_um, spread, count)]


@dataclass(frozen=True)
class PlannedCell(Thickness):
    """A pellet, the blocking cell built on it, and how its files are written and find their sample.

    Attributes
    ----------
    number : int
        Place in the campaign, from 1; part of every seed.
    truth : Truth
    thickness_um : float
        True thickness of the pellet; its record holds readings scattered about it.
    bulk_fraction : float
        Share of the bulk in the total resistance (assumed).
    layout : str
        Key of `analysis.campaign.writers.LAYOUTS`.
    file_name, folder : str
        With {code} of the cell and {temperature}. The sample is found by the code in the name, or in the folder's
        name, or, where neither has one, because it is chosen with the upload.
    """

    number: int
    truth: Truth
    thickness_um: float
    bulk_fraction: float
    layout: str
    file_name: str
    folder: str = ""

    @property
    def is_coated(self) -> bool:
        """Whether face A carries CuS. The study writes Ag|CuS@LAGP|Ag: one face."""
        return self.truth is COATED

    @property
    def is_chosen(self) -> bool:
        """Whether the sample is chosen with the upload."""
        return "{code}" not in self.file_name + self.folder

    def name_of(self, code: str, temperature_degC: float) -> str:
        """Name of the file at one temperature. [°C]"""
        return self.file_name.format(code=code, temperature=f"{temperature_degC:g}")

    def folder_of(self, code: str) -> str:
        """Name of the folder that the files lie in; empty for loose files."""
        return self.folder.format(code=code)

    def sweep(self, temperature_degC: float) -> Sweep:
        """The synthetic spectrum at one temperature; the same at every call. [°C]"""
        z_ohm = blocking_cell_spectrum(
            FREQUENCIES_HZ,
            total_conductivity_25degC_S_cm=self.truth.conductivity_25degC_S_cm,
            activation_energy_eV=self.truth.activation_energy_eV,
            thickness_um=self.thickness_um,
            electrode_area_cm2=disc_area_cm2(ASSUMED["electrode_diameter_mm"]),
            temperature_degC=temperature_degC,
            noise_fraction=NOISE_FRACTION,
            rng=np.random.default_rng([SEED, self.number, round(10 * temperature_degC)]),
            bulk_fraction=self.bulk_fraction,
            inductance_H=INDUCTANCE_H,
        )
        # One hour per temperature, in the order of heating.
        hours = sum(other < temperature_degC for other in TEMPERATURES_DEGC)
        return Sweep(FREQUENCIES_HZ, z_ohm, NOTE, MEASURED_AT + dt.timedelta(days=self.number - 1, hours=hours))


# The thickness of the pellets in the study's blocking cells is not reported: about 800 µm (P05) is taken for the
# pristine ones, and about 900 µm (P07), the only thickness given for a pellet coated on one face, for the coated ones.
# A film of 50 nm does not explain the difference; these are different pellets.
CELLS = (
    PlannedCell(1, PRISTINE, 800.0, 0.40, "nova", "{code}_{temperature}C_synthetic.txt"),
    PlannedCell(2, PRISTINE, 812.0, 0.45, "nova_comma", "{code} EIS {temperature}degC synthetic.txt"),
    PlannedCell(3, COATED, 900.0, 0.42, "eclab", "CuS-LAGP_{temperature}C_synthetic.mpt"),
    PlannedCell(4, COATED, 893.0, 0.38, "zview", "{temperature}C_synthetic.z", folder="Arrhenius {code}"),
)
