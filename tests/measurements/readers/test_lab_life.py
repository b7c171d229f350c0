"""What happens to a file between tester and upload: cut, saved again, edited. True numbers or a clear refusal."""

from pathlib import Path

import pytest

from measurements.readers.base import BadRow, ReaderError, Recording
from measurements.readers.recognise import read_file

HEADER = "TestTime,Voltage/V,Current/mA"


def written(tmp_path: Path, text: str | bytes, name: str = "sample.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(tmp_path: Path, text: str | bytes, name: str = "sample.csv") -> Recording:
    found = read_file(written(tmp_path, text, name), name)[1]
    assert len(found) == 1
    return found[0]


def refused(tmp_path: Path, text: str | bytes, name: str = "sample.csv") -> ReaderError:
    with pytest.raises(ReaderError) as caught:
        read(tmp_path, text, name)
    return caught.value


def rows(count: int = 40) -> list[str]:
    return [f"{i // 60}:{i % 60:02}:00,{3 + 0.0101 * i:.4f},{1.0 if i % 8 < 6 else -1.0}" for i in range(count)]


# Commas


def test_decimal_commas_between_commas_are_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, "\n".join([HEADER, *(row.replace(".", ",") for row in rows())]) + "\n")
    assert error.sentence == (
        "Line 2 has 5 values below 3 names. The comma seems to be both the decimal sign and the separator. "
        "Export with a decimal point, or with a semicolon or tab between the columns."
    )
    assert error.line == 2


def test_a_remark_without_a_name_in_one_row_is_a_bad_row(tmp_path: Path) -> None:
    lines = [HEADER, *rows()]
    lines[20] += ",paused"
    error = refused(tmp_path, "\n".join(lines) + "\n")
    assert isinstance(error, BadRow)
    assert error.line == 21


def test_cells_that_shifted_into_a_column_without_a_name_are_refused(tmp_path: Path) -> None:
    # Every row ends with a separator, as LAND writes; one has thousands with a comma.
    lines = [HEADER + ",", *(row + "," for row in rows())]
    lines[20] = "0:19:00,3.1919,1,000,"
    error = refused(tmp_path, "\n".join(lines) + "\n")
    assert isinstance(error, BadRow)
    assert error.sentence.startswith("Line 21 has 5 values, 4 are expected.")


def test_a_quoted_cell_with_a_comma_does_not_shift_the_others(tmp_path: Path) -> None:
    names = "Pressure/Psi," + HEADER + ",State,"
    lines = [names, *(f"14.7,{row},R," for row in rows())]
    lines[20] = lines[20].replace("14.7", '"1,014"')
    frame = read(tmp_path, "\n".join(lines) + "\n").frame
    assert frame["potential_V"].to_numpy() == pytest.approx([3 + 0.0101 * i for i in range(40)], abs=1e-4)
    assert set(frame["step_kind"]) == {"rest"}


# The end of a file


def test_a_last_value_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *rows()])
    error = refused(tmp_path, text[:-1])
    assert isinstance(error, BadRow)
    assert error.sentence == (
        "Line 41, column ‘Current/mA’: the file ends in the middle of the value ‘-1.’, so the export was probably "
        "cut off. Export it again, or use the 39 good points (0 s to 38 min)."
    )
    assert len(read(tmp_path, text).frame) == 40, "a file without a last line end is whole"


def test_a_last_word_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    lines = [HEADER + ",State", *(row + (",C_CC" if ",1.0" in row else ",D_CC") for row in rows())]
    text = "\n".join(lines)
    assert "ends in the middle of the value ‘D_C’" in refused(tmp_path, text[:-1]).sentence
    assert "ends before the value" in refused(tmp_path, text[:-4]).sentence


def test_a_last_value_with_fewer_digits_than_the_others_is_told(tmp_path: Path) -> None:
    lines = [HEADER, *(f"0:{i:02}:00,3.{i:02}5,{0.001 * (i + 101):.6g}23" for i in range(30))]
    lines[5] += "7"
    item = read(tmp_path, "\n".join(lines)[:-3])
    assert dict(item.warnings)["last_value_short"].startswith("Line 31, column ‘Current/mA’: the file ends without")
    assert "last_value_short" not in dict(read(tmp_path, "\n".join(lines) + "\n").warnings)


def test_a_spectrum_that_was_cut_off_in_its_last_value_is_refused(tmp_path: Path) -> None:
    lines = [
        "freq/Hz\tZ'/Ohm\tZ''/Ohm",
        *(f"{10.0 ** (5 - i / 4):.6g}\t{100 + i}.25\t-{50 - i}.125" for i in range(20)),
    ]
    error = refused(tmp_path, "\n".join(lines)[:-2], "eis.txt")
    assert error.sentence.startswith("Line 21, column Z″: the file ends in the middle of the value ‘-31.1’")
    assert "use the 19 good points" in error.sentence
