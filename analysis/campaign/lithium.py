"""How the files of lithium cells are made: symmetric and full cells, each file from a documented model. SYNTHETIC.

Every file comes from a model in `analysis.science`, given a number that the study reports; see there for equations:

* impedance: electrolyte + one arc of both interfaces (`synthetic.symmetric_cell_spectrum`), errors of 0.3 % of |Z|; in
  a full cell the arc is that of both electrodes;
* polarisation: Bruce and Vincent, current relaxing within ten minutes (`synthetic_series.polarisation_transient`);
* ramp, plating and stripping: V = j·ASR, drifting linearly in time (`synthetic_series.galvanostatic_test`);
* cycling, rate test: two-phase plateau ± I·R, capacity and efficiency given (`synthetic_cycling.cycling_test`).

Which cells there are, and what is assumed of them, stands in `analysis.campaign.lithium_cells`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.campaign.plan import FREQUENCIES_HZ, MEASURED_AT, NOISE_FRACTION, NOTE, SEED, Thickness
from analysis.campaign.reported import number, numbers
from analysis.campaign.series_writers import land, nova_transient
from analysis.campaign.writers import LAYOUTS, Sweep
from analysis.science.synthetic import symmetric_cell_spectrum
from analysis.science.synthetic_cycling import cycling_test, rate_test
from analysis.science.synthetic_series import Cell as SeriesCell
from analysis.science.synthetic_series import current_steps, galvanostatic_test, polarisation_transient
from samples.models.cells import disc_area_cm2

PRISTINE, CONVERTED = "pristine", "converted"
SYMMETRIC, FULL = "symmetric", "full"
DISC_MM = number("S12")
AREA_CM2 = disc_area_cm2(DISC_MM)
ACTIVE_MG = number("C04") * AREA_CM2
ONE_C_MA = ACTIVE_MG * number("C05") / 1000.0
RATES_C = (0.2, 0.3, 0.5, 1.0)
FORMATION = 3
LIFE_ASKED_H = 110.0
EFFICIENCY = {PRISTINE: 0.98, CONVERTED: 0.995}
CELL_OHM = {
    PRISTINE: 600.0,
    CONVERTED: 200.0,
}  # of full cells with liquid; assumed

Make = Callable[[np.random.Generator, dt.datetime], bytes]


@dataclass(frozen=True)
class PlannedFile:
    """One instrument file.

    Attributes
    ----------
    name : str
        With {code} of the cell.
    kind : str
        Of the measurement.
    reader : str
        Slug of the reader that must know it again.
    make : callable
        (generator, start) → bytes.
    hours : float
        Start after that of the campaign. [h]
    parameters : mapping
        What is said beside the file.
    """

    name: str
    kind: str
    reader: str
    make: Make
    hours: float = 0.0
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def started_at(self) -> dt.datetime:
        """When its measurement began."""
        return MEASURED_AT + dt.timedelta(hours=self.hours)

    @property
    def said(self) -> dict[str, Any]:
        """All parameters of its upload; NOVA and the times of testers without zone leave the start open."""
        return {**self.parameters, "measured_at": self.started_at.isoformat()}


@dataclass(frozen=True)
class PlannedTest(Thickness):
    """A pellet, the lithium cell on it, and its files.

    Attributes
    ----------
    number, thickness_um
        As for `plan.PlannedCell`; the numbers go on.
    state, configuration : str
    faces : str
        Faces that were coated and converted: '', 'A' or 'AB'.
    files : tuple of PlannedFile
    sputter_min : float
        Sputter time of the films. [min]
    in_series : bool
        One of the series over the sputter time: coated in runs of its own, with a witness plate.
    is_dry : bool
        A full cell without liquid electrolyte.
    """

    number: int
    thickness_um: float
    state: str
    configuration: str
    faces: str
    files: tuple[PlannedFile, ...]
    sputter_min: float = number("S06")
    in_series: bool = False
    is_dry: bool = False

    def content(self, file: PlannedFile) -> bytes:
        """The bytes of a file; the same at every call."""
        rng = np.random.default_rng([SEED, self.number, self.files.index(file)])
        return file.make(rng, file.started_at)


# -- models of files ---------------------------------------------------------------------------------------------------
def spectrum(layout: str, electrolyte_ohm: float, interface_ohm: float) -> Make:
    def make(rng: np.random.Generator, started_at: dt.datetime) -> bytes:
        z_ohm = symmetric_cell_spectrum(
            FREQUENCIES_HZ,
            electrolyte_resistance_ohm=electrolyte_ohm,
            interfacial_resistance_ohm=interface_ohm,
            noise_fraction=NOISE_FRACTION,
            rng=rng,
        )
        return LAYOUTS[layout].write(Sweep(FREQUENCIES_HZ, z_ohm, NOTE, started_at))

    return make


def polarisation(electrolyte_ohm: float, interface_ohm: float, transference: float) -> Make:
    def make(rng: np.random.Generator, started_at: dt.datetime) -> bytes:
        # Ten samples per second while the initial current is read, then sixty per decade, two hours in all.
        time_s = np.concatenate([np.arange(0.05, 1.0, 0.05), np.geomspace(1.0, 60.0, 60), np.arange(90.0, 7201.0, 30)])
        frame, _, _ = polarisation_transient(
            time_s,
            voltage_V=number("M03"),
            electrolyte_resistance_ohm=electrolyte_ohm,
            initial_interface_ohm=interface_ohm,
            steady_interface_ohm=interface_ohm,
            transference_number=transference,
            rng=rng,
            noise_A=1.0e-9,
        )
        return nova_transient(frame)

    return make


def ramp(asr_ohm_cm2: float, failing_step: int) -> Make:
    def make(rng: np.random.Generator, started_at: dt.datetime) -> bytes:
        low, high = numbers("M04")
        densities = [round(low * step, 10) for step in range(1, round(high / low) + 1)]
        test = galvanostatic_test(
            current_steps(densities, 3600.0 * number("M05")),
            SeriesCell(area_cm2=AREA_CM2, asr_ohm_cm2=asr_ohm_cm2),
            rng,
            interval_s=60.0,
            mode="hard_short",
            half=2 * (failing_step - 1),
            stops=True,
        )
        return land(test.frame, started_at)

    return make


def plating(begin_mV: float, end_mV: float, hours: float, fails: bool) -> Make:
    """Overpotentials at the begin and at `hours`; half-cycles of one hour."""

    def make(rng: np.random.Generator, started_at: dt.datetime) -> bytes:
        density = number("M08")
        half_h = number("M09") / density
        cycles = round(hours / (2.0 * half_h)) + (1 if fails else 0)
        length_h = 2.0 * half_h * cycles
        cell = SeriesCell(
            area_cm2=AREA_CM2,
            asr_ohm_cm2=begin_mV / density,
            drift_fraction=(end_mV / begin_mV - 1.0) * length_h / hours,
        )
        test = galvanostatic_test(
            current_steps([density], 3600.0 * half_h, cycles_per_step=cycles),
            cell,
            rng,
            interval_s=240.0,
            mode="short" if fails else "none",
            half=round(hours / half_h),
            place=0.0,
        )
        return land(test.frame, started_at)

    return make


def cycling(state: str, specific: np.ndarray[Any, np.dtype[np.float64]], resistance_ohm: float | None = None) -> Make:
    """Discharge capacities in mAh g⁻¹, one per cycle, at 0.1 C."""

    def make(rng: np.random.Generator, started_at: dt.datetime) -> bytes:
        test = cycling_test(
            specific * ACTIVE_MG / 1000.0,
            EFFICIENCY[state],
            0.1 * ONE_C_MA,
            rng=rng,
            resistance_ohm=resistance_ohm or CELL_OHM[state],
            cutoffs_V=window(),
            points_per_half=60,
            rest_s=180.0,
        )
        return land(test.frame, started_at)

    return make


def rates(state: str, first: float, record: str, back: float) -> Make:
    blocks = [
        (0.1, 5, first),
        *((rate, 5, value) for rate, value in zip(RATES_C, numbers(record), strict=True)),
        (0.1, 5, back),
    ]

    def make(rng: np.random.Generator, started_at: dt.datetime) -> bytes:
        test = rate_test(
            [(rate, count, value * ACTIVE_MG / 1000.0) for rate, count, value in blocks],
            one_c_mA=ONE_C_MA,
            rng=rng,
            efficiency=EFFICIENCY[state],
            resistance_ohm=CELL_OHM[state],
            cutoffs_V=window(),  # type: ignore[arg-type]
            points_per_half=60,
            rest_s=180.0,
        )
        return land(test.frame, started_at)

    return make


def window() -> tuple[float, float]:
    low, high = numbers("M06")
    return low, high
