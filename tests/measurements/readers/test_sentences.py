"""What people read when a file is wrong: place, cause and next step."""

from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl.chart import LineChart, Reference

from measurements.readers.base import ReaderError, Recording, TooFewPoints, UnknownColumns
from measurements.readers.generic import GenericReader
from measurements.readers.generic_series import preview
from measurements.readers.recognise import read_file
from tests.data.readers.make_samples import impedance

HEADING = "Index;Frequency (Hz);Z' (Ω);-Z'' (Ω);Z (Ω);-Phase (°)"


def rows(count: int = 73, top: float = 6, bottom: float = -1.2) -> list[str]:
    """NOVA rows of six values; 10^6 to 10^-1.2 Hz is 1 MHz to 0.063 Hz."""
    f = np.logspace(top, bottom, count)
    z = impedance(f)
    cells = zip(f, z.real, -z.imag, abs(z), -np.degrees(np.angle(z)), strict=True)
    return [f"{i};" + ";".join(f"{value:.6g}" for value in row) for i, row in enumerate(cells, 1)]


def read(tmp_path: Path, text: str | bytes, name: str = "sample.txt") -> list[Recording]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_file(path, name)[1]


def sentence(tmp_path: Path, text: str | bytes, name: str = "sample.txt") -> ReaderError:
    with pytest.raises(ReaderError) as caught:
        read(tmp_path, text, name)
    return caught.value


def test_cut_off_row(tmp_path: Path) -> None:
    text = "\n".join(["", "", "", "", HEADING, *rows(), "74;0.05;9;8"])
    error = sentence(tmp_path, text)
    assert error.sentence == (
        "Line 79 has 4 values, 6 are expected. The file ends in the middle of a row, "
        "so the export was probably cut off. Export it again, or use the 73 good points (1 MHz to 0.063 Hz)."
    )
    assert error.line == 79


def test_row_too_short_in_the_middle(tmp_path: Path) -> None:
    lines = [HEADING, *rows()]
    lines[20] = "20;1;2"
    error = sentence(tmp_path, "\n".join(lines))
    assert error.sentence == (
        "Line 21 has 3 values, 6 are expected. Remove the row in the source, or export the file again."
    )


def test_not_a_number(tmp_path: Path) -> None:
    lines = [HEADING, *rows()]
    lines[11] = "11;5000;#DIV/0!;3;4;5"
    error = sentence(tmp_path, "\n".join(lines))
    assert error.sentence == (
        "Line 12, column Z′: ‘#DIV/0!’ is not a number. Remove the row in the source, or skip it."
    )
    assert error.line == 12


def test_column_label_shows_the_sign(tmp_path: Path) -> None:
    lines = [HEADING, *rows()]
    lines[11] = "11;5000;3;--;4;5"
    assert "Line 12, column −Z″: ‘--’" in sentence(tmp_path, "\n".join(lines)).sentence


def test_cut_in_the_middle_of_a_value(tmp_path: Path) -> None:
    text = (
        "freq/Hz\tZ'/Ohm\tZ''/Ohm\n"
        + "\n".join(f"{10.0 ** (5 - i / 4):.6g}\t100\t-5" for i in range(20))
        + "\n1\t2\t-1.5E"
    )
    error = sentence(tmp_path, text)
    assert error.sentence.startswith("Line 22, column Z″: the file ends in the middle of the value ‘-1.5E’")
    assert "use the 20 good points (100 kHz to 1.8 Hz)" in error.sentence


def test_column_missing(tmp_path: Path) -> None:
    text = "Time\tEwe\n" + "\n".join(f"{i}\t{0.1 * i}" for i in range(30))
    assert sentence(tmp_path, text).sentence == (
        "No current column found. Columns seen: Time, Ewe. Choose which column is the current."
    )


def test_too_few_points(tmp_path: Path) -> None:
    with pytest.raises(TooFewPoints) as caught:
        read(tmp_path, "\n".join([HEADING, *rows(3)]))
    assert caught.value.sentence == "3 points found, a fit needs at least 10. The file is kept as attachment."


def test_short_sweep_beside_a_good_one_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, "\n".join([HEADING, *rows(), *rows(4)]))
    assert len(found) == 1
    assert ("short_spectra", "1 of 2 spectra have fewer than 10 points (4) and were left out.") in found[0].warnings


LAND = bytes.fromhex("10110988") + bytes(60)


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (LAND, "x.cex", "This is a LAND binary file. Export it from LAND as text or Excel with ‘all records’, "
                        "then upload that."),
        (LAND, "x.txt", "This is a LAND binary file."),
        (b"\x01\x02\x00\x03" * 50, "x.nox", "This is a NOVA project file (.nox). Export the measurement from NOVA as"),
        (b"\x01\x02\x00\x03" * 50, "x.dat", "This is a binary file of a kind that is not known."),
        (b"PK\x03\x04" + bytes(60), "x.txt", "This is a ZIP archive, although its name ends in .txt. Unpack it"),
        (b"PK\x03\x04....[Content_Types].xml" + bytes(60), "x.xlsx",
         "This Excel workbook is damaged or is none."),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "x.png", "This is a PNG image"),
        (b"II*\x00" + bytes(60), "x.tif", "This is a TIFF image"),
        (b"\xff\xd8\xff\xe0" + bytes(60), "x.txt", "This is a JPEG image"),
        (b"%PDF-1.7 something", "x.pdf", "This is a PDF document."),
        (b"", "x.txt", "The file is empty."),
        (b"\r\n \r\n", "x.txt", "The file is empty."),
        (bytes(500), "x.txt", "The file holds only zero bytes, so the copy is damaged."),
        (b"Just some words about a cell.\nNothing else.\n", "x.txt", "No table of numbers found."),
        ((HEADING + "\r\n").encode(), "x.txt", "The file has column names, but no row of numbers."),
        (b"freq/Hz,Z'/Ohm,Z''/Ohm\n", "x.csv", "The file has column names, but no row of numbers."),
        (b"1" * 1_000_001, "x.txt", "Line 1 has 1000001 characters"),
        (b"f,Z',Z''," + b"a," * 600 + b"\n" + b"1," * 603 + b"1\n", "x.csv",
         "The table has 603 columns; up to 512 are read."),
    ],
)  # fmt: skip
def test_what_is_no_table(tmp_path: Path, data: bytes, name: str, expected: str) -> None:
    assert sentence(tmp_path, data, name).sentence.startswith(expected)


def test_long_line_of_text_is_quick(tmp_path: Path) -> None:
    assert sentence(tmp_path, b"a;" * 400_000 + b"\n" + b"1;" * 400_000).sentence


def test_fit_export_of_nova_is_not_raw_data(tmp_path: Path) -> None:
    heading = "Z' (Ω);-Z'' (Ω);Error Z' (%);Error Z'' (%);Z (Ω);-Phase (°);Frequency (Hz);Convergence;χ²"
    text = "\n".join([heading, *(["1;2;3;4;5;6;7;8;9"] * 20)])
    assert "fit export of NOVA" in sentence(tmp_path, text).sentence


def test_comma_as_both_decimal_sign_and_separator(tmp_path: Path) -> None:
    text = "f/Hz,Z'/Ohm,Z''/Ohm\n" + "\n".join(f"{1000 - i},5,3,25,-7,5" for i in range(20))
    assert "both the decimal sign and the separator" in sentence(tmp_path, text).sentence


def test_commas_that_may_part_thousands(tmp_path: Path) -> None:
    text = "f/Hz\tZ'/Ohm\tZ''/Ohm\n" + "\n".join(f"{99 - i},000\t1,234\t-5,678" for i in range(20))
    assert "may be a decimal sign or separate thousands" in sentence(tmp_path, text).sentence


def test_stray_text_inside_a_sweep(tmp_path: Path) -> None:
    lines = ["f/Hz;Z'/Ohm;Z''/Ohm", *(";".join(row.split(";")[1:4]) for row in rows())]
    lines[30] = "lost line"
    assert sentence(tmp_path, "\n".join(lines)).sentence.startswith("Line 31 is not a row of the table: ‘lost line’.")


def test_a_row_in_another_decimal_sign_is_no_footer(tmp_path: Path) -> None:
    lines = ["f/Hz;Z'/Ohm;Z''/Ohm", *(";".join(row.split(";")[1:4]) for row in rows()), "1,5;2,5;-3,5"]
    assert sentence(tmp_path, "\n".join(lines)).sentence.startswith("Line 75, column frequency: ‘1,5’ is not a number.")


def test_text_below_the_table_is_a_footer(tmp_path: Path) -> None:
    lines = ["f/Hz;Z'/Ohm;Z''/Ohm", *(";".join(row.split(";")[1:4]) for row in rows()), "", "End of measurement"]
    assert len(read(tmp_path, "\n".join(lines))[0].frame) == 73


def test_spreadsheet_error_in_the_first_column_is_no_comment(tmp_path: Path) -> None:
    lines = ["f/Hz;Z'/Ohm;Z''/Ohm", *(";".join(row.split(";")[1:4]) for row in rows())]
    lines[6] = "#DIV/0!;1;2"
    assert sentence(tmp_path, "\n".join(lines)).sentence.startswith("Line 7, column frequency: ‘#DIV/0!’")


def test_three_bare_columns_that_are_no_impedance(tmp_path: Path) -> None:
    text = "\n".join(f"{5 + 0.1 * i:.2f} {1000 + i} {31.6:.1f}" for i in range(700))
    assert "does not run like frequencies" in sentence(tmp_path, text, "x.xye").sentence


def test_sentences_have_no_line_breaks_or_control_characters(tmp_path: Path) -> None:
    error = sentence(tmp_path, "a\x07b\tc\x1bd\n1\t2\n3\t4\n")
    assert error.sentence.isprintable()


@pytest.mark.parametrize("kind", ["no cell", "chart on a sheet", "chart sheet"])
def test_a_workbook_without_a_table_says_so_and_what_to_export(tmp_path: Path, kind: str) -> None:
    """Nobody can choose which of no columns is the time: neither the sentence nor the dialog may ask for it."""
    book = openpyxl.Workbook()
    chart = LineChart()
    chart.add_data(Reference(book.active, min_col=1, min_row=1, max_row=2))
    if kind == "chart sheet":
        book.create_chartsheet("Chart").add_chart(chart)
        book.remove(book["Sheet"])
    elif kind == "chart on a sheet":
        book.active.add_chart(chart)
    path = tmp_path / "chart.xlsx"
    book.save(path)
    expected = "This workbook holds no table: its sheets are empty, or hold only charts. Export the record of the "
    for reads in (lambda file: read_file(file, "chart.xlsx"), preview):
        with pytest.raises(ReaderError) as caught:
            reads(path)
        assert caught.value.sentence.startswith(expected)
        assert not isinstance(caught.value, UnknownColumns)


def test_a_workbook_whose_names_are_not_known_still_asks_for_them(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["foo", "bar", "baz"], [1.0, 2.0, 3.0], [2.0, 2.0, 3.0]):
        book.active.append(row)
    book.save(tmp_path / "names.xlsx")
    with pytest.raises(UnknownColumns, match="Columns seen: foo, bar, baz"):
        GenericReader().read(tmp_path / "names.xlsx")
