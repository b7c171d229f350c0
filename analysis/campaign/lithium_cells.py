"""The lithium cells of the campaign: which there are, and what their models are given. SYNTHETIC.

Assumed, because the study does not say:

* symmetric cells: that 2250, 170 and 350 Ω belong to one of two equal interfaces, the same before and after a
  polarisation; steps of 0.05 mA cm⁻² in the ramp; that the failures are hard shorts; that the overpotential grows in a
  straight line through the two reported ones, whatever the spectrum after 300 h says (the study's two do not agree);
* full cells: that the four rate capacities of the converted cell belong to 0.2 to 1 C, after a first block at 0.1 C
  with the capacity of the cycling test; a cathode of 10 mm; a Coulombic efficiency of 99.5 % (converted) and 98 %
  (pristine);
* full cells without liquid: that 8100 and 1085 Ω are the arc of the spectrum; their capacities before the last cycle;
* other sputter times than 10 min: see `analysis.campaign.trend`.
"""

from __future__ import annotations

from typing import Any

from analysis.campaign import trend
from analysis.campaign.lithium import (
    AREA_CM2,
    CONVERTED,
    FORMATION,
    FULL,
    LIFE_ASKED_H,
    PRISTINE,
    SYMMETRIC,
    Make,
    PlannedFile,
    PlannedTest,
    cycling,
    plating,
    polarisation,
    ramp,
    rates,
    spectrum,
)
from analysis.campaign.reported import number, numbers
from analysis.science.synthetic_cycling import faded_capacities_mAh

PRISTINE_UM, BOTH_UM, ONE_UM = number("P05"), number("P06"), number("P07")
AGED_H = 300.0  # of the spectrum after cycling, I04
DRY_CYCLES = round(number("Q09"))
DRY_MAH_G = {PRISTINE: (100.0, 60.0), CONVERTED: (145.0, number("F11"))}  # first and last; all but F11 assumed
# The straight line through 46 mV at 110 h and 80 mV at 700 h.
_RISE_MV_H = (number("D06") - number("D05")) / (number("D07") - LIFE_ASKED_H)
_BEGIN_MV = number("D05") - _RISE_MV_H * LIFE_ASKED_H
_PRISTINE_ASR, _CONVERTED_ASR = number("D03") / number("M08"), number("D05") / number("M08")


def _electrolyte_ohm(record: str, thickness_um: float) -> float:
    return thickness_um * 1.0e-4 / (number(record) * AREA_CM2)


_BARE_OHM, _COATED_OHM = _electrolyte_ohm("T01", PRISTINE_UM), _electrolyte_ohm("T03", BOTH_UM)


# -- files -------------------------------------------------------------------------------------------------------------
def _eis(layout: str, what: str, electrolyte_ohm: float, both_ohm: float, hours: float = 0.0) -> PlannedFile:
    """A spectrum; `both_ohm` is the arc of both interfaces together."""
    ending, reader = {"zview": ("z", "zplot"), "nova": ("txt", "nova"), "eclab": ("mpt", "eclab")}[layout]
    name = f"{{code}}_EIS_{what}_25C_synthetic.{ending}"
    return PlannedFile(name, "eis", reader, spectrum(layout, electrolyte_ohm, both_ohm), hours)


def _transference_files(electrolyte_ohm: float, interface: str, transference: str) -> tuple[PlannedFile, ...]:
    both_ohm = 2.0 * number(interface)
    hold = polarisation(electrolyte_ohm, both_ohm, number(transference))
    return (
        _eis("zview", "before", electrolyte_ohm, both_ohm),
        PlannedFile("{code}_DC_10mV_25C_synthetic.txt", "polarisation", "nova", hold, 1.0),
        _eis("nova", "after", electrolyte_ohm, both_ohm, 4.0),
    )


def _ramp_file(asr_ohm_cm2: float, failing_mA_cm2: float, hours: float = 0.0) -> tuple[PlannedFile, ...]:
    failing_step = round(failing_mA_cm2 / numbers("M04")[0])
    return (PlannedFile("{code}_CCD_25C_synthetic.csv", "ccd_ramp", "land", ramp(asr_ohm_cm2, failing_step), hours),)


def _plating_file(make: Make, hours: float = 0.0, **parameters: Any) -> tuple[PlannedFile, ...]:
    name = "{code}_plating_25C_synthetic.csv"
    return (PlannedFile(name, "plating_stripping", "land", make, hours, parameters),)


def _cycling_file(make: Make, **parameters: Any) -> tuple[PlannedFile, ...]:
    return (PlannedFile("{code}_cycling_25C_synthetic.csv", "cycling", "land", make, parameters=parameters),)


def _rate_file(make: Make) -> tuple[PlannedFile, ...]:
    return (PlannedFile("{code}_rate_25C_synthetic.csv", "rate_test", "land", make),)


def _aged_files() -> tuple[PlannedFile, ...]:
    """A spectrum, 300 h of plating and stripping, and a spectrum."""
    test = plating(_BEGIN_MV, _BEGIN_MV + _RISE_MV_H * AGED_H, AGED_H, fails=False)
    return (
        _eis("zview", "fresh", _COATED_OHM, 2.0 * number("I03")),
        *_plating_file(test, 1.0),
        _eis("nova", "300h", _COATED_OHM, 2.0 * number("I04"), 1.5 + AGED_H),
    )


def _series_files(minutes: float) -> tuple[PlannedFile, ...]:
    """A spectrum and a ramp of a cell whose films were sputtered for `minutes`."""
    both_ohm = trend.interfaces_ohm(minutes)
    asr = (_COATED_OHM + both_ohm) * AREA_CM2
    return (
        _eis("eclab", f"{minutes:g}min", _COATED_OHM, both_ohm),
        *_ramp_file(asr, trend.critical_mA_cm2(minutes), 1.0),
    )


def _dry_files(state: str, electrolyte_ohm: float, record: str) -> tuple[PlannedFile, ...]:
    """Cycles at 0.1 C without liquid, and a spectrum after them."""
    first, last = DRY_MAH_G[state]
    capacities = faded_capacities_mAh(first, last / first, DRY_CYCLES)
    # A cycle takes less than 20 h and its rests.
    return (
        *_cycling_file(cycling(state, capacities, number(record))),
        _eis("nova", "after_23_cycles", electrolyte_ohm, number(record), 20.5 * DRY_CYCLES),
    )


# -- cells -------------------------------------------------------------------------------------------------------------
TESTS = (
    PlannedTest(5, PRISTINE_UM, PRISTINE, SYMMETRIC, "", _transference_files(_BARE_OHM, "I02", "T05")),
    PlannedTest(6, BOTH_UM, CONVERTED, SYMMETRIC, "AB", _transference_files(_COATED_OHM, "I03", "T06")),
    PlannedTest(7, PRISTINE_UM, PRISTINE, SYMMETRIC, "", _ramp_file(_PRISTINE_ASR, number("D01"))),
    PlannedTest(8, BOTH_UM, CONVERTED, SYMMETRIC, "AB", _ramp_file(_CONVERTED_ASR, number("D02"))),
    PlannedTest(9, PRISTINE_UM, PRISTINE, SYMMETRIC, "",
                _plating_file(plating(number("D03"), number("D03"), number("D04"), fails=True))),
    PlannedTest(10, BOTH_UM, CONVERTED, SYMMETRIC, "AB",
                _plating_file(plating(_BEGIN_MV, number("D06"), number("D07"), fails=False),
                              overpotential_at_h=[LIFE_ASKED_H, number("D07")])),
    PlannedTest(11, PRISTINE_UM, PRISTINE, FULL, "",
                _cycling_file(cycling(PRISTINE, faded_capacities_mAh(number("F04"), number("F05"), 50)))),
    PlannedTest(12, ONE_UM, CONVERTED, FULL, "A",
                _cycling_file(cycling(CONVERTED, faded_capacities_mAh(number("F01"), number("F02"), 100,
                                                                      formation=FORMATION)),
                              formation_cycles=FORMATION)),
    PlannedTest(13, PRISTINE_UM, PRISTINE, FULL, "", _rate_file(rates(PRISTINE, number("F04"), "F08", number("F09")))),
    PlannedTest(14, ONE_UM, CONVERTED, FULL, "A", _rate_file(rates(CONVERTED, number("F01"), "F06", number("F07")))),
    PlannedTest(15, BOTH_UM, CONVERTED, SYMMETRIC, "AB", _aged_files()),
    PlannedTest(16, PRISTINE_UM, PRISTINE, FULL, "", _dry_files(PRISTINE, _BARE_OHM, "F12"), is_dry=True),
    PlannedTest(17, ONE_UM, CONVERTED, FULL, "A",
                _dry_files(CONVERTED, _electrolyte_ohm("T03", ONE_UM), "F13"), is_dry=True),
    *(PlannedTest(18 + place, BOTH_UM, CONVERTED, SYMMETRIC, "AB", _series_files(minutes), minutes, in_series=True)
      for place, minutes in enumerate(trend.SPUTTER_TIMES_MIN)),
)  # fmt: skip
