"""What of the study is compared: a row for each number that it measured or derived.

Numbers that the study quotes from other work are left out: they are nobody's here. What it set stands in `SET`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.db.models import Exists, OuterRef, Q

from analysis.campaign.lithium import RATES_C
from analysis.campaign.reported import REPORTED, number
from analysis.campaign.row import FILMS, OPTIMUM, Row
from analysis.models import Result
from measurements.models import Measurement, UploadFile

__all__ = ["BY_KEY", "ROWS", "SET", "Row"]

BARE, COATED, CONVERTED, ON_SILICON = "LAGP", "CuS@LAGP", "Li₂S/Cu@LAGP", "CuS@Si"

# -- conditions that the list of results knows -------------------------------------------------------------------------
# The study names one sputter time: a film of another one is another sample.
ABOUT_TEN_MIN = (0.9 * number("S06"), 1.1 * number("S06"))
TEN_MINUTES = {
    f"sputter_run__duration_min__{end}": f"{limit:g}" for end, limit in zip(("gte", "lte"), ABOUT_TEN_MIN, strict=True)
}
SETTING = f"CuS {number('S03'):g} W {number('S04'):g} Pa {number('S02'):g} cm"  # as sputter settings are named
_FILM = {"is_coated": "true", "cell__notation__contains": "|CuS@"}
_INTERLAYER = {"is_coated": "true", "cell__notation__contains": "|Li₂S/Cu@"}
STATES: Mapping[str, Mapping[str, str]] = {
    BARE: {"is_coated": "false"},
    COATED: {**_FILM, **TEN_MINUTES},
    CONVERTED: {**_INTERLAYER, **TEN_MINUTES},
}
BLOCKING, SYMMETRIC, FULL = ({"configuration": name} for name in ("blocking", "symmetric", "full"))
WARM = {"temperature_degC__gte": "24", "temperature_degC__lte": "26"}
TENTH = {"current_density_mA_cm2__gte": "0.095", "current_density_mA_cm2__lte": "0.105"}
WET = {**FULL, "cell__liquid_uL__gt": "0"}
SLOW = {"c_rate__gte": "0.09", "c_rate__lte": "0.11"}


# -- conditions of time, which it does not know ------------------------------------------------------------------------
def _earlier(kind: str, low_h: float = 0.0, high_h: float | None = None) -> Exists:
    """That a test of this kind on the same cell began before the measurement, by low to high hours."""
    at = OuterRef("measurement__measured_at")
    tests = Measurement.objects.live().filter(cell=OuterRef("cell"), kind=kind)
    tests = tests.filter(measured_at__lt=at - dt.timedelta(hours=low_h))
    if high_h is not None:
        tests = tests.filter(measured_at__gte=at - dt.timedelta(hours=high_h))
    return Exists(tests)


def _named(pattern: str) -> Exists:
    """That the file of a measurement without a time says so."""
    files = UploadFile.objects.filter(measurements=OuterRef("measurement"), name__iregex=pattern)
    return Exists(files.filter(measurements__measured_at__isnull=True))


_HOURS = r"(^|[^0-9a-z.,])[1-9][0-9]* ?h([^a-z]|$)"
_300_HOURS = r"(^|[^0-9a-z.,])300 ?h([^a-z]|$)"
FRESH = ~_earlier("plating_stripping") & ~_earlier("cycling") & ~_named(_HOURS)
FRESH_WORDS = "before the cell was cycled"
AGED = Q(_earlier("plating_stripping", 290.0, 310.0)) | Q(_named(_300_HOURS))
AGED_WORDS = "290 to 310 h after plating and stripping began (or 300h in the name, where no time is known)"
DRY = Q(cell__liquid_uL__isnull=True) | Q(cell__liquid_uL=0.0)
_CYCLED = Result.objects.current().filter(
    cell=OuterRef("cell"), quantity="discharge_capacity_mAh", label="last", cycle_number__gte=20, cycle_number__lte=26,
    measurement__measured_at__lt=OuterRef("measurement__measured_at"),
)  # fmt: skip
DRY_CYCLED = DRY & Q(Exists(_CYCLED))
DRY_WORDS = "without liquid at the cathode"

# -- what a row needs --------------------------------------------------------------------------------------------------
_BLOCKING = "impedance of a blocking cell at 25 °C"
_SPECTRA = "spectra at four temperatures or more of a blocking cell"
_LI = "impedance of a symmetric cell before it is cycled"
_DC = "a polarisation of a symmetric cell with a spectrum before and one after it"
_RAMP = "a current ramp of a symmetric cell"
_LONG = "a symmetric cell cycled at 0.1 mA cm⁻²"
_AT = _LONG + ", recorded to {0} h or longer, with the overpotential at {0} h asked for"
_FULL = "a full cell with liquid at the cathode, cycled at 0.1 C"
_RATE = "a rate test of a full cell with liquid at the cathode"
_DRY = "a full cell without liquid, cycled 23 times at 0.1 C"
_XPS = "a photoelectron spectrum of {}"
_OPENED = "the face of a pellet from a symmetric cell after 50 cycles"

# -- why a number cannot be compared -----------------------------------------------------------------------------------
_ONE_OR_TWO = "The study does not say whether one or both interfaces are meant."
_FIVE_RATES = "The study names five rates and four capacities."
_NOT_IN_TEXT = "The study plots this and gives no number in its text."
_WHICH_PART = "The study does not say which part of the spectrum is meant."


def _lithium(record: str, title: str, sample: str, quantity: str, needs: str, /, **more: object) -> Row:
    """A row of symmetric cells."""
    asked = {**SYMMETRIC, **STATES[sample], **more.pop("asked", {})}  # type: ignore[dict-item]
    return Row(record, title, sample, quantity, needs, asked, **more)  # type: ignore[arg-type]


def _blocking(record: str, title: str, sample: str, quantity: str, needs: str, /, **more: object) -> Row:
    """A row of blocking cells."""
    asked = {**BLOCKING, **STATES[sample], **more.pop("asked", {})}  # type: ignore[dict-item]
    return Row(record, title, sample, quantity, needs, asked, **more)  # type: ignore[arg-type]


def _cycled(record: str, title: str, sample: str, quantity: str, label: str, /, **more: object) -> Row:
    """A row of full cells with liquid, cycled at 0.1 C."""
    return Row(record, title, sample, quantity, _FULL, {**WET, **STATES[sample], **SLOW, "label": label}, **more)  # type: ignore[arg-type]


def _rates(record: str, back: str, sample: str, unclear: str) -> tuple[Row, ...]:
    cells, quantity = {**WET, **STATES[sample]}, "rate_capacity_mAh_g"
    rows = [
        Row(record, f"Capacity at {rate:g} C", sample, quantity, _RATE, {**cells, "label": f"{rate:.2g} C"},
            place=place, unclear=unclear)
        for place, rate in enumerate(RATES_C)
    ]  # fmt: skip
    return (*rows, Row(back, "Capacity back at 0.1 C", sample, quantity, _RATE, {**cells, "label": "0.1 C, back"}))


def _xps(record: str, what: str, sample: str, of: str) -> tuple[Row, ...]:
    """Lines of a photoelectron spectrum, one row each."""
    value = REPORTED[record].value
    places = range(len(value)) if isinstance(value, tuple) else (None,)
    return tuple(
        Row(record, f"Binding energy, {what}", sample, "binding_energy_eV", _XPS.format(of), {"label": what},
            tolerance=0.3, is_absolute=True, place=place)
        for place in places
    )  # fmt: skip


ROWS = (
    _blocking("T01", "Conductivity at 25 °C", BARE, "ionic_conductivity_S_cm", _BLOCKING, asked=WARM, tolerance=0.1),
    _blocking("T03", "Conductivity at 25 °C", COATED, "ionic_conductivity_S_cm", _BLOCKING, asked=WARM, tolerance=0.1),
    _blocking("T02", "Activation energy (σT)", BARE, "activation_energy_eV", _SPECTRA, asked={"label": "sigma_T"},
              tolerance=0.03, is_absolute=True),
    _blocking("T04", "Activation energy (σT)", COATED, "activation_energy_eV", _SPECTRA, asked={"label": "sigma_T"},
              tolerance=0.03, is_absolute=True, unclear=_NOT_IN_TEXT),
    _lithium("T05", "Transference number", BARE, "lithium_transference_number", _DC, tolerance=0.02, is_absolute=True),
    _lithium("T06", "Transference number", CONVERTED, "lithium_transference_number", _DC, tolerance=0.02,
             is_absolute=True),
    _lithium("M03", "Polarisation voltage", CONVERTED, "polarisation_voltage_V", "a polarisation of a symmetric cell"),
    Row("S07", "Film thickness at 10 min", COATED, "film_thickness_nm", "the step height of a CuS film of 10 min",
        tolerance=0.1, source=FILMS),
    Row("S08", "Sputter rate of CuS", COATED, "sputter_rate_nm_min", "step heights of CuS films of known sputter times",
        {"subject": SETTING, "label": "through_origin"}, tolerance=0.1),
    Row("S06", "Sputter time of the lowest resistance", CONVERTED, "duration_min",
        "spectra of symmetric cells of three sputter times or more, with the lowest resistance between the others",
        {**SYMMETRIC, **_INTERLAYER, "quantity": "cell_interfacial_resistance_ohm"}, FRESH, FRESH_WORDS, tolerance=0.2,
        source=OPTIMUM),
    _lithium("I01", "Resistance of the interfaces at 10 min", CONVERTED, "cell_interfacial_resistance_ohm", _LI,
             also=FRESH, also_words=FRESH_WORDS, unclear=_ONE_OR_TWO),
    _lithium("I02", "Interfacial resistance, one interface", BARE, "interfacial_resistance_ohm", _LI,
             also=FRESH, also_words=FRESH_WORDS),
    _lithium("I03", "Interfacial resistance, one interface", CONVERTED, "interfacial_resistance_ohm", _LI,
             also=FRESH, also_words=FRESH_WORDS, unclear=_ONE_OR_TWO),
    _lithium("I04", "Interfacial resistance after 300 h, one interface", CONVERTED, "interfacial_resistance_ohm",
             "impedance of a symmetric cell 300 h after its cycling began", also=AGED, also_words=AGED_WORDS,
             unclear=_ONE_OR_TWO),
    _lithium("D01", "Critical current density", BARE, "critical_current_density_mA_cm2", _RAMP),
    _lithium("D02", "Critical current density", CONVERTED, "critical_current_density_mA_cm2", _RAMP),
    _lithium("M05", "Step time of the current ramp", CONVERTED, "ramp_step_time_h", _RAMP),
    _lithium("D03", "Overpotential, first cycle", BARE, "overpotential_mV", _LONG,
             asked={"label": "first_cycle", **TENTH}),
    _lithium("D04", "Time to failure", BARE, "time_to_failure_h", _LONG),
    _lithium("D05", "Overpotential at 110 h", CONVERTED, "overpotential_mV", _AT.format(110),
             asked={"label": "110h", **TENTH}),
    _lithium("D06", "Overpotential at 700 h", CONVERTED, "overpotential_mV", _AT.format(700),
             asked={"label": "700h", **TENTH}),
    _lithium("D07", "Time to failure", CONVERTED, "time_to_failure_h", _LONG + " for more than 700 h", bound=">"),
    _lithium("D08", "Time to failure, by the conclusion", CONVERTED, "time_to_failure_h",
             _LONG + " for more than 600 h", bound=">"),
    _cycled("F04", "Capacity of the first cycle", BARE, "discharge_specific_capacity_mAh_g", "first"),
    _cycled("F01", "Capacity after three cycles", CONVERTED, "discharge_specific_capacity_mAh_g", "reference"),
    _cycled("F05", "Capacity retention, 50 cycles", BARE, "capacity_retention_fraction", "50"),
    _cycled("F02", "Capacity retention, 100 cycles", CONVERTED, "capacity_retention_fraction", "100"),
    _cycled("F03", "Coulombic efficiency, lowest", CONVERTED, "coulombic_efficiency_fraction", "min", bound=">"),
    *_rates("F08", "F09", BARE, ""),
    *_rates("F06", "F07", CONVERTED, _FIVE_RATES),
    Row("F11", "Capacity without liquid, cycle 23", CONVERTED, "discharge_specific_capacity_mAh_g", _DRY,
        {**FULL, **STATES[CONVERTED], **SLOW, "label": "last", "cycle_number__gte": "22", "cycle_number__lte": "24"},
        DRY, DRY_WORDS),
    *(Row(record, "Resistance without liquid, after 23 cycles", sample, "cell_interfacial_resistance_ohm",
          _DRY + ", and its impedance after that", {**FULL, **STATES[sample]}, DRY_CYCLED,
          f"{DRY_WORDS}, after 20 to 26 cycles", unclear=_WHICH_PART)
      for record, sample in (("F12", BARE), ("F13", CONVERTED))),
    Row("X01", "Phase of the pellet", BARE, "phase_match_fraction", "an X-ray diffractogram of a pellet",
        {"label": "LiGe2(PO4)3"}),
    Row("X02", "Phase of the film", ON_SILICON, "phase_match_fraction", "an X-ray diffractogram of a witness plate",
        {"label": "CuS"}),
    *_xps("Q03", "S 2p of sulfate", CONVERTED, _OPENED),
    *_xps("Q04", "S 2p of Li₂S", CONVERTED, _OPENED),
    *_xps("Q05", "S 2p of Li₂S₂", CONVERTED, _OPENED),
    *_xps("Q06", "Cu 2p of Cu⁰", CONVERTED, _OPENED),
    *_xps("Q07", "Ge 3d of Ge⁴⁺", BARE, "a pellet as prepared"),
    *_xps("Q08", "Ge 3d of Ge⁰", BARE, _OPENED),
)  # fmt: skip
BY_KEY = {row.key: row for row in ROWS}
# What the experimenters chose: there is nothing to compare, and the reference set was built with it.
SET = {name: told for name, told in REPORTED.items() if told.is_set and name not in {row.record for row in ROWS}}
