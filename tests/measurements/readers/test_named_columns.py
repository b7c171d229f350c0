"""A person says what the columns of a file are: names, units, what is refused, and the preview of the dialog."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from measurements.readers import generic, generic_series
from measurements.readers.base import ReaderError, UnknownColumns
from measurements.readers.generic_series import preview, read_mapped
from measurements.readers.recognise import read_file
from measurements.telling import told_kinds
from tests.data.readers.series_samples import xlsx

ODD = "\n".join(["Zeitpunkt;Wert A;Wert B;Wert C", *(f"{i};{i + 0.5};{3000 + i};x" for i in range(20))])


def test_columns_named_by_a_person(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(ODD)
    mapping = {"Zeitpunkt": "time_s", "Wert A": "current_A", "Wert B": "potential_V", "Wert C": ""}
    units = {"Zeitpunkt": "min", "Wert A": "µA", "Wert B": "mV"}
    frame = read_mapped(path, mapping, units)[0].frame
    assert frame.columns.tolist() == ["time_s", "potential_V", "current_A", "Wert C"]
    assert frame.iloc[2, :3].tolist() == pytest.approx([120, 3.002, 2.5e-6])


def test_person_goes_before_the_header(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("\n".join(["t/s,E/V,Vf/V,I/mA", *(f"{i},1,2,3" for i in range(9))]))
    frame = read_mapped(path, {"Vf/V": "potential_V"})[0].frame
    assert frame["potential_V"].tolist() == [2.0] * 9
    assert frame["E/V"].tolist() == [1.0] * 9


def test_columns_without_names(tmp_path: Path) -> None:
    path = tmp_path / "bare.txt"
    path.write_text("\n".join(f"{i}\t3.5\t{i / 10}" for i in range(20)))
    mapping = {"column 1": "time_s", "column 2": "potential_V", "column 3": "current_A"}
    found = read_mapped(path, mapping, {"column 3": "mA"})[0]
    assert len(found.frame) == 20
    assert found.frame["current_A"].iloc[-1] == pytest.approx(1.9e-3)


def test_mapping_of_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "odd.xlsx"
    path.write_bytes(xlsx([("a", [["note"]]), ("b", [["x", "y", "z"], *([float(i), 3.5, 1.0] for i in range(9))])]))
    frame = read_mapped(path, {"x": "time_s", "y": "potential_V", "z": "current_A"})[0].frame
    assert len(frame) == 9


@pytest.mark.parametrize(
    ("mapping", "units", "expected"),
    [
        ({"Zeit": "time_s"}, {}, "The column ‘Zeit’ is not in this file. Columns seen: Zeitpunkt, Wert A"),
        ({"Zeitpunkt": "time"}, {}, "‘time’ is not a column of a time series. Choose one of time_s"),
        ({"Zeitpunkt": "time_s", "Wert A": "time_s"}, {}, "Two columns are named time_s."),
        ({"Zeitpunkt": "time_s"}, {"Zeitpunkt": "mA"}, "Column ‘Zeitpunkt’: the unit ‘mA’ is none of a time."),
        ({"Zeitpunkt": "time_s", "Wert A": "potential_V"}, {}, "No current column found."),
        (
            {"Zeitpunkt": "time_s", "Wert A": "potential_V", "Wert C": "current_A"},
            {},
            "Line 2, column current: ‘x’ is not",
        ),
    ],
)
def test_bad_mapping(tmp_path: Path, mapping: dict[str, str], units: dict[str, str], expected: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(ODD)
    with pytest.raises(ReaderError) as caught:
        read_mapped(path, mapping, units)
    assert caught.value.sentence.startswith(expected)


def test_preview_for_the_dialog(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(ODD.replace("Wert A", "Strom [mA]"))
    shown = preview(path, rows=2)
    assert [column["header"] for column in shown] == ["Zeitpunkt", "Strom [mA]", "Wert B", "Wert C"]
    assert [column["guess"] for column in shown] == ["", "current_A", "", ""]
    assert shown[1] == {"header": "Strom [mA]", "guess": "current_A", "unit": "mA", "sample": ["0.5", "1.5"]}


# -- an impedance ------------------------------------------------------------------------------------------------------
def spectrum(points: int = 30) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.complex128]]:
    """100 Ω beside 10 nF, after 20 Ω."""
    frequency = np.logspace(6, 1, points)
    return frequency, 20 + 100 / (1 + 2j * np.pi * frequency * 1e-6)


def written(path: Path, head: str, *columns: npt.NDArray[np.float64], mark: str = ",") -> Path:
    rows = [mark.join(f"{value:.9g}" for value in row) for row in zip(*columns, strict=True)]
    path.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("mark", [",", "\t", ";"])
def test_an_impedance_in_units_of_its_own(tmp_path: Path, mark: str) -> None:
    frequency, z = spectrum()
    head = "# cell 7, 25 °C\n" + mark.join(["A", "B", "C", "note"]) + "\n"
    path = written(tmp_path / "a.txt", head, -z.imag / 1e3, frequency / 1e3, z.real / 1e3, frequency * 0 + 7, mark=mark)
    mapping = {"A": "-z_imag_ohm", "B": "frequency_Hz", "C": "z_real_ohm"}
    (found,) = generic.read_mapped(path, mapping, {"A": "kΩ", "B": "kHz", "C": "kΩ"})
    assert found.technique == "impedance"
    np.testing.assert_allclose(found.frame["frequency_Hz"], frequency, rtol=1e-8)
    np.testing.assert_allclose(found.frame["z_real_ohm"], z.real, rtol=1e-8)
    np.testing.assert_allclose(found.frame["z_imag_ohm"], z.imag, rtol=1e-8)
    assert (found.frame["note"] == 7).all()
    assert "cell 7, 25 °C" in " ".join(found.metadata["header"])


def test_modulus_and_phase_of_a_table_without_names(tmp_path: Path) -> None:
    frequency, z = spectrum()
    path = written(tmp_path / "a.csv", "", 2 * np.pi * frequency, np.abs(z), -np.angle(z))
    assert [column["header"] for column in generic_series.preview(path)] == ["column 1", "column 2", "column 3"]
    mapping = {"column 1": "frequency_Hz", "column 2": "z_modulus_ohm", "column 3": "-phase_deg"}
    (found,) = generic.read_mapped(path, mapping, {"column 1": "rad/s", "column 3": "rad"})
    np.testing.assert_allclose(found.frame["frequency_Hz"], frequency, rtol=1e-8)
    np.testing.assert_allclose(found.frame["z_imag_ohm"], z.imag, rtol=1e-6)
    assert "unit_not_stated" in {code for code, _ in found.warnings}  # of |Z|


def test_a_unit_line_stands_and_another_column_takes_no_name_that_was_given(tmp_path: Path) -> None:
    frequency, z = spectrum()
    path = written(tmp_path / "a.csv", "f,Z',Z'',Zr,Zi\nkHz,Ohm,Ohm,Ohm,Ohm\n", frequency / 1e3, z.real * 0, z.imag * 0,
                   z.real, z.imag)  # fmt: skip
    (found,) = generic.read_mapped(path, {"f": "frequency_Hz", "Zr": "z_real_ohm", "Zi": "z_imag_ohm"})
    np.testing.assert_allclose(found.frame["frequency_Hz"], frequency, rtol=1e-8)
    np.testing.assert_allclose(found.frame["z_real_ohm"], z.real, rtol=1e-8)


def test_a_workbook_with_an_impedance(tmp_path: Path) -> None:
    frequency, z = spectrum()
    rows = [list(row) for row in zip(frequency.tolist(), z.real.tolist(), (-z.imag).tolist(), strict=True)]
    (tmp_path / "a.xlsx").write_bytes(xlsx([("about", [["who", "lab"]]), ("data", [["w", "re1", "im1"], *rows])]))
    mapping = {"w": "frequency_Hz", "re1": "z_real_ohm", "im1": "-z_imag_ohm"}
    (found,) = generic.read_mapped(tmp_path / "a.xlsx", mapping)
    np.testing.assert_allclose(found.frame["z_imag_ohm"], z.imag, rtol=1e-9)


@pytest.mark.parametrize(
    ("head", "guesses"),
    [
        ("Freq (Hz),-Z'' (Ohm),real?\n", ["frequency_Hz", "-z_imag_ohm", ""]),
        ("Freq (Hz),|Z|,angle? \n", ["frequency_Hz", "z_modulus_ohm", ""]),
    ],
)
def test_what_is_known_of_an_impedance_is_guessed(tmp_path: Path, head: str, guesses: list[str]) -> None:
    frequency, z = spectrum()
    path = written(tmp_path / "a.csv", head, frequency, -z.imag, z.real)
    assert [column["guess"] for column in generic_series.preview(path)] == guesses
    with pytest.raises(UnknownColumns, match="Choose which column is"):
        read_file(path, path.name)


def test_a_bad_row_of_a_named_impedance_has_its_line(tmp_path: Path) -> None:
    frequency, z = spectrum()
    path = written(tmp_path / "a.csv", "A,B,C\n", frequency, z.real, z.imag)
    lines = path.read_text().splitlines()
    lines[6] = lines[6].replace(",", ",oops,", 1)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ReaderError) as caught:
        generic.read_mapped(path, {"A": "frequency_Hz", "B": "z_real_ohm", "C": "z_imag_ohm"})
    assert caught.value.line == 7
    with pytest.raises(ReaderError, match="are not in this file"):
        generic.read_mapped(path, {"X": "frequency_Hz", "B": "z_real_ohm", "C": "z_imag_ohm"})


# -- a current at a voltage that only a person knows -------------------------------------------------------------------
def test_time_and_current_alone_are_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "ca.csv"
    path.write_text("Time/s,I/A\n" + "".join(f"{t},{1e-5 + 1e-5 * 0.99**t:.6e}\n" for t in range(400)))
    (found,) = read_file(path, path.name)[1]
    assert list(found.frame.columns)[:2] == ["time_s", "current_A"]
    assert set(told_kinds(found.frame).values()) == {"polarisation"}
    path.write_text("Time/s,I/A\n" + "".join(f"{t},{1e-4 if t < 200 else -1e-4:.6e}\n" for t in range(400)))
    assert told_kinds(read_file(path, path.name)[1][0].frame)["symmetric"] == "plating_stripping"


def test_a_column_that_may_be_the_potential_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "ca.csv"
    path.write_text("Time/s,I/A,reading\n" + "".join(f"{t},{1e-5:.6e},0.01\n" for t in range(40)))
    with pytest.raises(UnknownColumns, match="Choose which column is the potential"):
        read_file(path, path.name)
    (found,) = read_mapped(path, {"Time/s": "time_s", "I/A": "current_A"})
    assert "potential_V" not in found.frame
