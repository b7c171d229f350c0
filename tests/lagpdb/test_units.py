"""The unit table, conversions against the definitions of the units, and how numbers are written."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lagpdb import units

# Every physical name of contract sections 3 and 5, and of the recording columns, with the unit people must see.
NAMES = {
    "theoretical_density_g_cm3": "g cm⁻³",
    "theoretical_capacity_mAh_g": "mAh g⁻¹",
    "amount_g": "g",
    "powder_mass_mg": "mg",
    "press_pressure_MPa": "MPa",
    "sinter_temperature_degC": "°C",
    "sinter_time_h": "h",
    "thickness_um": "µm",
    "thickness_uncertainty_um": "µm",
    "diameter_mm": "mm",
    "mass_mg": "mg",
    "power_W": "W",
    "pressure_Pa": "Pa",
    "base_pressure_Pa": "Pa",
    "target_distance_cm": "cm",
    "duration_min": "min",
    "estimated_thickness_nm": "nm",
    "heights_nm": "nm",
    "lithium_diameter_mm": "mm",
    "h2o_ppm": "ppm",
    "o2_ppm": "ppm",
    "loading_mg_cm2": "mg cm⁻²",
    "electrode_diameter_mm": "mm",
    "liquid_uL": "µL",
    "stack_pressure_MPa": "MPa",
    "electrode_area_cm2": "cm²",
    "active_mass_mg": "mg",
    "temperature_degC": "°C",
    "current_density_mA_cm2": "mA cm⁻²",
    "c_rate": "h⁻¹",
    "voltage_limit_V": "V",
    "step_time_h": "h",
    "polarisation_voltage_V": "V",
    "fit_range_Hz": "Hz",
    "from_s": "s",
    "to_s": "s",
    "frequency_Hz": "Hz",
    "z_real_ohm": "Ω",
    "z_imag_ohm": "Ω",
    "phase_deg": "°",
    "potential_V": "V",
    "voltage_V": "V",
    "current_A": "A",
    "charge_mAh": "mAh",
    "energy_Wh": "Wh",
    "time_s": "s",
    "inverse_temperature_1000_per_K": "K⁻¹",
    "interfacial_asr_ohm_cm2": "Ω cm²",
    "ionic_conductivity_S_cm": "S cm⁻¹",
    "ionic_conductivity_25degC_S_cm": "S cm⁻¹",
    "conductivity_prefactor_S_K_cm": "S K cm⁻¹",
    "charge_passed_before_short_mAh_cm2": "mAh cm⁻²",
    "sputter_rate_nm_min": "nm min⁻¹",
    "activation_energy_eV": "eV",
    "overpotential_mV": "mV",
    "relative_density_fraction": "",
    "cycles_to_failure_count": "",
    "cycle_number": "",
}


@pytest.mark.parametrize(("name", "symbol"), NAMES.items())
def test_every_name_has_its_symbol(name, symbol):
    assert units.suffix_of(name) is not None
    assert units.symbol(name) == symbol


def test_longest_suffix_wins():
    assert units.suffix_of("asr_ohm_cm2") == "ohm_cm2"
    assert units.suffix_of("area_cm2") == "cm2"
    assert units.suffix_of("sigma_S_cm") == "S_cm"
    assert units.suffix_of("prefactor_S_K_cm") == "S_K_cm"
    assert units.suffix_of("current_mA_cm2") == "mA_cm2"
    assert units.suffix_of("notation") is None
    assert units.symbol("notation") == ""


@pytest.mark.parametrize("unit", units.UNITS.values(), ids=lambda unit: unit.suffix)
def test_table_is_sound(unit):
    """Each unit and each of its kin are of one dimension, and no symbol uses a slash or an ASCII power."""
    assert units.factor(unit.symbol, unit.suffix) == 1
    assert "/" not in unit.symbol
    assert "-" not in unit.symbol
    assert unit.kind.split()[0] in ("a", "an")
    for kin in unit.kin:
        assert units.factor(kin, unit.suffix) > 0


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("thickness_um", "Thickness (µm)"),
        ("interfacial_asr_ohm_cm2", "Interfacial ASR (Ω cm²)"),
        ("relative_density_fraction", "Relative density (%)"),
        ("lithium_transference_number", "Lithium transference number"),
        ("cycles_to_failure_count", "Cycles to failure"),
        ("h2o_ppm", "H₂O (ppm)"),
        ("z_imag_ohm", "Z″ (Ω)"),
        ("inverse_temperature_1000_per_K", "1000/T (K⁻¹)"),
        ("c_rate", "C-rate (h⁻¹)"),
        ("supplier_lot", "Supplier lot"),
    ],
)
def test_label(name, label):
    assert units.label(name) == label


@pytest.mark.parametrize(
    ("text", "suffix", "expected"),
    [
        ("mm", "um", 1000),
        ("cm", "um", 10_000),
        ("nm", "um", 1e-3),
        ("μm", "um", 1),  # Greek mu, not the micro sign
        ("g", "mg", 1000),
        ("h", "min", 60),
        ("s", "h", 1 / 3600),
        ("days", "h", 24),
        ("Pa", "MPa", 1e-6),
        ("mbar", "Pa", 100),
        ("bar", "MPa", 0.1),
        ("Torr", "Pa", 101325 / 760),
        ("mTorr", "Pa", 101.325 / 760),
        ("kPa", "Pa", 1000),
        ("GPa", "MPa", 1000),
        ("mA", "A", 1e-3),
        ("µA", "mA", 1e-3),
        ("uA", "A", 1e-6),
        ("mV", "V", 1e-3),
        ("kOhm", "ohm", 1000),
        ("MΩ", "ohm", 1e6),
        ("MHz", "Hz", 1e6),
        ("mA/cm2", "mA_cm2", 1),
        ("mA cm^-2", "mA_cm2", 1),
        ("A m⁻²", "mA_cm2", 0.1),
        ("mS/cm", "S_cm", 1e-3),
        ("S/m", "S_cm", 0.01),
        ("Ω·cm²", "ohm_cm2", 1),
        ("ohm m2", "ohm_cm2", 1e4),
        ("C/cm2", "mAh_cm2", 1 / 3.6),
        ("Ah/kg", "mAh_g", 1),
        ("kg m-3", "g_cm3", 1e-3),
        ("Å/s", "nm_min", 6),
        ("nm per min", "nm_min", 1),
        ("ml", "uL", 1000),
        ("%", "fraction", 0.01),
        ("%", "ppm", 1e4),
        ("meV", "eV", 1e-3),
        ("rad", "deg", 180 / math.pi),
        ("K", "degC", 1),
    ],
)
def test_factor(text, suffix, expected):
    assert units.factor(text, suffix) == pytest.approx(expected, rel=1e-15)


def test_temperatures_have_an_offset():
    assert units.convert(298.15, "K", "degC") == 25
    assert units.convert(25, "°C", "K") == 298.15
    assert units.convert(900, "C", "degC") == 900


def test_wrong_and_unknown_units_are_told_apart():
    with pytest.raises(units.WrongUnit, match="‘kg’ is not a length"):
        units.factor("kg", "um")
    with pytest.raises(units.WrongUnit):
        units.factor("%", "count")
    for text in ("furlong", "µ", "cm2x!", "mm^99", "/"):
        with pytest.raises(units.UnknownUnit):
            units.factor(text, "um")


@given(st.floats(1e-6, 1e6), st.sampled_from(["mm", "cm", "nm", "µm", "m"]))
def test_conversion_round_trips(value, text):
    there = units.convert(value, text, "um")
    assert there / units.factor(text, "um") == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "uncertainty", "limit", "unit", "text"),
    [
        (2.49e-4, 3e-6, "=", "S_cm", "(2.49 ± 0.03) × 10⁻⁴ S cm⁻¹"),
        (801, 3, "=", "um", "801 ± 3 µm"),
        (801.3, 12.4, "=", "um", "801 ± 12 µm"),
        (5.0, 0.2, "=", "nm_min", "5.0 ± 0.2 nm min⁻¹"),  # product.md, J3
        (5.0, 0.196, "=", "nm_min", "5.00 ± 0.20 nm min⁻¹"),
        (0.3712, 0.0034, "=", "eV", "0.371 ± 0.003 eV"),
        (12.3, 0.96, "=", "", "12.3 ± 1.0"),
        (12345, 230, "=", "ohm", "12\u202f350 ± 230 Ω"),
        (0.945, None, "=", "fraction", "94.5 %"),
        (0.945, 0.003, "=", "fraction", "94.5 ± 0.3 %"),
        (0.6, None, ">=", "mA_cm2", "≥ 0.60 mA cm⁻²"),
        (704, None, ">", "h", "> 704 h"),
        (1e-4, None, "<", "Pa", "< 1.0 × 10⁻⁴ Pa"),
        (0.78539816, None, "=", "cm2", "0.785 cm²"),
        (8010, None, "=", "um", "8010 µm"),
        (18220, None, "=", "", "18\u202f200"),
        (18220, None, "=", "count", "18\u202f220"),
        (1234567, None, "=", "count", "1\u202f234\u202f567"),
        (1e6, None, "=", "Hz", "1.00 × 10⁶ Hz"),
        (-0.0123, None, "=", "ohm", "−0.0123 Ω"),
        (9.996, None, "=", "", "10.0"),
        (12.34, None, "=", "deg", "12.3°"),
        (0.0, None, "=", "um", "0 µm"),
        (-0.0, None, "=", "um", "0 µm"),
        (-0.01, 0.3, "=", "", "0.0 ± 0.3"),
        (1e-5, 3e-4, "=", "", "(0 ± 3) × 10⁻⁴"),
        (123, 4567, "=", "", "0 ± 5000"),
        (123456, 4567, "=", "", "123\u202f000 ± 5000"),
        (5, 0, "=", "", "5.00"),
        (5, math.nan, "=", "", "5.00"),
        (None, None, "=", "um", "—"),
        (math.nan, None, "=", "um", "—"),
        (-math.inf, None, "=", "", "−∞"),
    ],
)
def test_format_value(value, uncertainty, limit, unit, text):
    assert units.format_value(value, uncertainty, limit, unit) == text


def test_format_named_takes_the_unit_from_the_name():
    assert units.format_named("capacity_retention_fraction", 0.945) == "94.5 %"
    assert units.format_named("thickness_um", 801, 3) == "801 ± 3 µm"


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.49e-4, "2.49e-4"), (801.0, "801"), (0.001, "0.001"), (-1e-7, "-1e-7"), (1234567.8, "1.2345678e6"), (0, "0")],
)
def test_copy_value(value, text):
    assert units.copy_value(value) == text


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE)
def test_copy_value_reads_back_identically(value):
    assert float(units.copy_value(value)) == value


def _read(text: str) -> float:
    """A displayed number, read as a person would."""
    text = text.replace("\u202f", "").replace("−", "-")
    mantissa, _, power = text.partition(" × 10")
    return float(mantissa) * 10.0 ** int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)


@given(st.floats(1e-290, 1e290) | st.floats(-1e290, -1e-290))
def test_three_digits_are_kept(value):
    assert _read(units.format_value(value)) == pytest.approx(value, rel=5.1e-3)


@pytest.mark.parametrize(
    ("frequency_Hz", "text"),
    [
        (1e6, "1 MHz"),
        (999_999.9, "1 MHz"),
        (250.0, "250 Hz"),
        (0.01, "10 mHz"),
        (12_589.0, "12.6 kHz"),
        (1e-5, "10 µHz"),
    ],
)
def test_frequencies_are_read_with_their_prefix(frequency_Hz, text):
    assert units.frequency_text(frequency_Hz) == text


@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e9))
def test_value_matches_its_uncertainty(value, uncertainty):
    text = units.format_value(value, uncertainty)
    number, _, spread = text.replace("(", "").replace(")", "").partition(" ± ")
    spread, _, power = spread.partition(" × ")
    assert len(number.partition(".")[2]) == len(spread.partition(".")[2])
    significant = spread.replace("\u202f", "").replace(".", "").lstrip("0")
    assert 1 <= len(significant.rstrip("0") or "0") <= 2
    tail = f" × {power}" if power else ""
    assert _read(spread + tail) == pytest.approx(uncertainty, rel=0.17)
    assert _read(number + tail) == pytest.approx(value, abs=0.51 * uncertainty + 1e-15 * abs(value))
