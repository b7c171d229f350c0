"""A person may go on without single damaged rows; each is named."""

import pytest

from measurements.readers.base import BadRow, ReaderError
from measurements.readers.recognise import read_file

ROWS = [f"{10 ** (6 - k / 5):.6g},{100 + k},{-50 - k}" for k in range(30)]
HEAD = "frequency_Hz,z_real_ohm,z_imag_ohm"


def written(path, rows):
    path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_row_that_is_no_number_is_left_out_and_named(tmp_path):
    rows = ROWS.copy()
    rows[10] = rows[10].replace(",110,", ",#DIV/0!,")
    path = written(tmp_path / "x.csv", rows)
    with pytest.raises(BadRow) as refused:
        read_file(path, "x.csv")
    assert refused.value.line == 12
    _, (recording,) = read_file(path, "x.csv", skips_bad_rows=True)
    assert recording.frame["z_real_ohm"].tolist() == [100 + k for k in range(30) if k != 10]
    assert ("rows_skipped", "Rows that could not be read were left out: line 12.") in recording.warnings


def test_a_cut_off_end_gives_the_good_points(tmp_path):
    rows = [*ROWS[:-1], ROWS[-1].split(",")[0]]
    path = written(tmp_path / "x.csv", rows)
    with pytest.raises(BadRow, match="use the 29 good points"):
        read_file(path, "x.csv")
    _, (recording,) = read_file(path, "x.csv", skips_bad_rows=True)
    assert len(recording.frame) == 29


def test_a_file_of_bad_rows_is_still_refused(tmp_path):
    path = written(tmp_path / "x.csv", [row.replace(",", ",x", 1) if k % 2 else row for k, row in enumerate(ROWS * 3)])
    with pytest.raises(ReaderError):
        read_file(path, "x.csv", skips_bad_rows=True)


def test_a_sound_file_reads_the_same_either_way(tmp_path):
    path = written(tmp_path / "x.csv", ROWS)
    (plain,), (lenient,) = read_file(path, "x.csv")[1], read_file(path, "x.csv", skips_bad_rows=True)[1]
    assert plain.frame.equals(lenient.frame)
    assert plain.warnings == lenient.warnings
