"""A person says what the columns of a file are: names, units, what is refused, and the preview of the dialog."""

from pathlib import Path

import pytest

from measurements.readers.base import ReaderError
from measurements.readers.generic_series import preview, read_mapped
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
