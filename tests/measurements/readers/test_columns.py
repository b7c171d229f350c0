"""Headers of vendors and their canonical meaning; the expected values are written by hand from the formats' papers."""

import math

import pytest

from measurements.readers.base import ReaderError
from measurements.readers.columns import identify, impedance_columns, name_columns, unit_factor

HEADERS = {
    "-Z'' (Ω)": ("z_imag_ohm", -1),
    "-Z″ / kOhm": ("z_imag_ohm", -1e3),
    "−Z″ (Ω)": ("z_imag_ohm", -1),
    "-Im(Z)/Ohm": ("z_imag_ohm", -1),
    "Zimag": ("z_imag_ohm", 1),
    "Z''(b)": ("z_imag_ohm", 1),
    "Z'(a)": ("z_real_ohm", 1),
    "Zs'' [Ohms]": ("z_imag_ohm", 1),
    " Zs'[ohm] ": ("z_real_ohm", 1),
    'Z"/ohm': ("z_imag_ohm", 1),
    '"Z"" (Ohm)"': ("z_imag_ohm", 1),
    "Re(Z)/Ohm": ("z_real_ohm", 1),
    "Re(Z)": ("z_real_ohm", 1),
    "Zre (ohms)": ("z_real_ohm", 1),
    "Z real (MOhm)": ("z_real_ohm", 1e6),
    "z_real_mohm": ("z_real_ohm", 1e-3),
    "real_impedance_ohm": ("z_real_ohm", 1),
    "imaginary_impedance_ohm": ("z_imag_ohm", 1),
    "absolute_impedance_ohm": ("z_modulus_ohm", 1),
    "|Z|/Ohm": ("z_modulus_ohm", 1),
    "Z (Ω)": ("z_modulus_ohm", 1),
    "Phase(Z)/deg": ("phase_deg", 1),
    "-Phase (°)": ("phase_deg", -1),
    "Theta (Z)": ("phase_deg", 1),
    "phase [rad]": ("phase_deg", 180 / math.pi),
    "phase_degree": ("phase_deg", 1),
    "freq/mHz": ("frequency_Hz", 1e-3),
    "Frequency (MHz)": ("frequency_Hz", 1e6),
    "Freq. [kHz]": ("frequency_Hz", 1e3),
    "f, Hz": ("frequency_Hz", 1),
    "frequency_hertz": ("frequency_Hz", 1),
    "ω (rad/s)": ("frequency_Hz", 0.5 / math.pi),
    "频率/Hz": ("frequency_Hz", 1),
    "<Ewe>/V": ("potential_V", 1),
    "WE(1).Potential (V)": ("potential_V", 1),
    "<I>/mA": ("current_A", 1e-3),
    "I (µA)": ("current_A", 1e-6),
    "T (s)": ("time_s", 1),
    "Time(Sec)": ("time_s", 1),
    "Im (A)": ("current_A", 1),
    "cycle number": ("loop_number", 1),
    "z cycle": ("loop_number", 1),
}
OTHERS = ["Re(M)", "Im(Y)/Ohm-1", "Re(Zce)/Ohm", "Phase(Zce)/deg", "Z2 Real", "I Range", "|Ewe|/V",
          "Corrected time (s)",
          "log(f)", "Index", "GD", "Cs/µF", "|Vac| (V)", "E Real", "Re(Permittivity)", "-", ""]  # fmt: skip


@pytest.mark.parametrize(("header", "expected"), HEADERS.items())
def test_header_of_a_vendor(header: str, expected: tuple[str, float]) -> None:
    column = identify(header)
    assert column.name == expected[0]
    assert column.factor == pytest.approx(expected[1])
    assert not column.problem


@pytest.mark.parametrize("header", OTHERS)
def test_what_is_not_ours_keeps_its_name(header: str) -> None:
    assert not identify(header).is_canonical


def test_kelvin_becomes_celsius() -> None:
    column = identify("Temperature (K)")
    assert (column.name, column.factor, column.offset) == ("temperature_degC", 1.0, -273.15)


def test_small_mhz_is_not_guessed() -> None:
    assert unit_factor("frequency_Hz", "mhz") is None
    assert unit_factor("frequency_Hz", "mHz") == 1e-3
    assert "mHz" in identify("Frequency (mhz)").problem


def test_impedance_times_area_is_refused() -> None:
    columns = name_columns(["Frequency (Hz)", "Z' (Ω cm²)", "Z'' (Ω cm²)"])
    with pytest.raises(ReaderError, match=r"‘Z' \(Ω cm²\)’: the unit ‘Ω cm²’ is not one of Ω, kΩ, MΩ, mΩ"):
        impedance_columns(columns)


def test_missing_column_lists_what_is_there() -> None:
    with pytest.raises(ReaderError) as caught:
        impedance_columns(name_columns(["Time", "Ewe"]))
    assert caught.value.sentence == (
        "No frequency column found. Columns seen: Time, Ewe. Choose which column is the frequency."
    )
    with pytest.raises(ReaderError, match=r"^No Z″ column found"):
        impedance_columns(name_columns(["freq/Hz", "Re(Z)/Ohm"]))


def test_unit_line_counts_where_the_header_states_none() -> None:
    columns = name_columns(["Freq", "Zreal", "Im", "T"], ["kHz", "ohm", "A", "s"])
    assert [column.name for column in columns] == ["frequency_Hz", "z_real_ohm", "current_A", "time_s"]
    assert columns[0].factor == 1e3


def test_two_columns_of_one_meaning_are_refused() -> None:
    with pytest.raises(ReaderError, match="Two columns could be Z′: ‘Z'’ and ‘Re\\(Z\\)’"):
        impedance_columns(name_columns(["f", "Z'", "Re(Z)", "Z''"]))
    with pytest.raises(ReaderError, match="side by side"):
        impedance_columns(name_columns(["f", "Z'", "Z''", "f", "Z'", "Z''"]))


def test_names_are_unique() -> None:
    names = [column.name for column in name_columns(["a", "a", "", "", "E/V", "Ewe/V", "column 3"])]
    assert len(set(names)) == len(names)
