"""What happens to a file between tester and upload: cut, saved again, edited. True numbers or a clear refusal."""

import zipfile
import zlib
from pathlib import Path

import pytest
from isal import isal_zlib

from measurements.readers.base import BadRow, ReaderError, Recording, UnknownColumns
from measurements.readers.generic_series import preview, read_mapped
from measurements.readers.recognise import read_file
from tests.data.readers.make_samples import FOLDER
from tests.data.readers.series_samples import xlsx

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


# Single cells

NAMES = "Cycle,Step,State,Time/s,U/V,I/mA,T/°C,Date"


def full_rows(count: int = 40) -> list[list[str]]:
    """Ten minutes of charge, ten of discharge, and again: cycles of 20 rows, a row a minute."""
    return [
        [
            str(1 + i // 20), str(1 + i // 10), "CC_Chg" if i // 10 % 2 == 0 else "CC_DChg", f"{60 * i}.0",
            f"{3 + i / 100:.2f}", "1.0" if i // 10 % 2 == 0 else "-1.0", "25.1", f"2024-03-27 09:{i:02}:00",
        ]
        for i in range(count)
    ]  # fmt: skip


def with_cell(column: int, text: str) -> str:
    """The table with one other cell, on line 22."""
    cells = full_rows()
    cells[20][column] = text
    return "\n".join([NAMES, *map(",".join, cells)]) + "\n"


@pytest.mark.parametrize("text", ["####", "#N/A", "x", "0x1F", "12_3"])
@pytest.mark.parametrize(
    ("column", "label"), [(0, "cycle number"), (1, "step number"), (4, "potential"), (5, "current")]
)
def test_a_word_among_numbers_is_a_bad_row(tmp_path: Path, column: int, label: str, text: str) -> None:
    error = refused(tmp_path, with_cell(column, text))
    assert isinstance(error, BadRow)
    assert error.sentence == (
        f"Line 22, column {label}: ‘{text}’ is not a number. Remove the row in the source, or skip it."
    )
    assert error.line == 22


def test_a_word_among_temperatures_is_told_and_loses_nothing(tmp_path: Path) -> None:
    item = read(tmp_path, with_cell(6, "OL"))
    assert dict(item.warnings)["cells_not_numbers"] == (
        "Line 22, column temperature: ‘OL’ is not a number. 1 cell of this column has no value; the column is kept "
        "beside as it stands."
    )
    assert item.frame["temperature_degC"].isna().tolist() == [i == 20 for i in range(40)]
    assert item.frame["T/°C"].iloc[20] == "OL"


def test_a_date_that_is_none_is_told(tmp_path: Path) -> None:
    item = read(tmp_path, with_cell(7, "########"))
    assert dict(item.warnings)["dates_not_read"] == (
        "Line 22, column date and time: ‘########’ is not a date. The column is kept as it stands, and "
        "not used as time."
    )
    assert "unix_time_s" not in item.frame
    assert item.frame["Date"].iloc[20] == "########"


@pytest.mark.parametrize(("column", "label"), [(0, "cycle number"), (1, "step number"), (7, "date and time")])
def test_an_empty_cell_is_told(tmp_path: Path, column: int, label: str) -> None:
    item = read(tmp_path, with_cell(column, ""))
    assert ("no_value_rows", f"1 row holds no {label}. They are kept without a value.") in item.warnings


def test_an_unknown_step_is_told_and_counted_by_its_current(tmp_path: Path) -> None:
    cells = [[row[2].replace("CC_DChg", "Formation out"), *row[3:]] for row in full_rows()]
    text = "\n".join([",".join(NAMES.split(",")[2:]), *map(",".join, cells)]) + "\n"
    item = read(tmp_path, text)
    assert dict(item.warnings)["step_not_known"] == (
        "The step ‘Formation out’ is not known (20 rows, first: line 12). Whether it charges or discharges was told by "
        "the current there."
    )
    assert item.frame["cycle_number"].tolist() == [1] * 20 + [2] * 20


def test_thousands_in_a_time_are_refused(tmp_path: Path) -> None:
    cells = full_rows()
    cells[20][3] = '"1,200"'
    error = refused(tmp_path, "\n".join([NAMES, *map(",".join, cells)]) + "\n")
    assert error.sentence == "Line 22, column time: ‘1,200’ is not a time. Remove the row in the source, or skip it."


# Units


def arbin_rows(factor: float) -> list[str]:
    """An hour of charge and one of discharge at 1 A, by a counter in Ah that never begins anew."""
    names = "Data_Point,Test_Time,Step_Index,Cycle_Index,Current,Voltage,Charge_Capacity,Discharge_Capacity"
    lines = [names]
    for i in range(121):
        is_charge = i <= 60
        current = factor * (1.0 if is_charge else -1.0)
        lines.append(
            f"{i + 1},{60 * i},{1 if is_charge else 2},1,{current:.6g},3.5,{min(i, 60) / 60},{max(0, i - 60) / 60}"
        )
    return lines


@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_current_in_another_unit_than_its_header_is_told(tmp_path: Path, factor: float) -> None:
    item = read(tmp_path, "\n".join(arbin_rows(factor)) + "\n")
    assert "Check the unit of the current" in dict(item.warnings)["counter_differs"]
    assert "counter_differs" not in dict(read(tmp_path, "\n".join(arbin_rows(1.0)) + "\n").warnings)


# Characters and line ends


def chinese(count: int = 1500) -> str:
    """LAND records in Chinese, long enough that the end of the file is not in its first 64 KiB."""
    lines = ["记录序号,测试时间,电压/V,电流/mA,系统时间,循环序号,工步状态"]
    for i in range(count):
        is_charge = i < count / 2
        state = "恒流充电" if is_charge else "恒流放电"
        lines.append(
            f"{i + 1},{i // 60}:{i % 60:02}:00,3.{i:04},{'' if is_charge else '-'}1.0,2024-03-27 09:00:00,1,{state}"
        )
    return "\r\n".join(lines) + "\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_file_cut_within_a_character_ends_there_and_is_still_known(tmp_path: Path, encoding: str) -> None:
    data = chinese().encode(encoding)
    for missing in (3, 4):
        error = refused(tmp_path, data[:-missing])
        assert error.line == 1501
        assert error.sentence.startswith(
            "Line 1501, column ‘工步状态’: the file ends in the middle of the value ‘恒流放"
        )
        assert "use the 1499 good points" in error.sentence


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_one_broken_character_breaks_no_other(tmp_path: Path, encoding: str) -> None:
    data = chinese().encode(encoding)
    place = data.index("恒流".encode(encoding), 70_000)
    item = read(tmp_path, data[:place] + b"\xff" + data[place + 1 :])
    assert len(item.frame) == 1500
    assert (item.frame["step_kind"] == "").sum() == 1
    assert dict(item.warnings)["step_not_known"].startswith("The step ‘�")


@pytest.mark.parametrize("name", ["eclab_gcpl_comma.mpt", "maccor_comma.txt", "land_sections.csv", "pec_two.csv"])
def test_ends_of_lines_may_be_of_every_kind(tmp_path: Path, name: str) -> None:
    data = (FOLDER / name).read_bytes()
    lines = data.replace(b"\r\n", b"\n").split(b"\n")
    mixed = b"".join(line + (b"\n", b"\r\n", b"\r")[i % 3] for i, line in enumerate(lines[:-1])) + lines[-1]
    (whole,) = read_file(FOLDER / name, name)[1]
    assert read(tmp_path, mixed, name).frame.equals(whole.frame)


def test_a_row_is_skipped_whatever_ends_its_line(tmp_path: Path) -> None:
    lines = [HEADER, *rows()]
    lines[20] = "0:19:00,x,1.0"
    path = written(tmp_path, "\r".join(lines) + "\r")
    (item,) = read_file(path, path.name, skips_bad_rows=True)[1]
    assert len(item.frame) == 39
    assert ("rows_skipped", "Rows that could not be read were left out: line 21.") in item.warnings


# EC-Lab text that a spreadsheet or an editor saved again

ECLAB = ["eclab_one.mpt", "eclab_cycles_comma.mpt", "eclab_gcpl_comma.mpt", "eclab_rising_dc.txt"]


def saved_again(how: str, text: str) -> str:
    lines = text.splitlines()
    if how == "lines above":
        return "\n".join(["", "", *lines]) + "\n"
    if how == "lines gone":
        return "\n".join([*lines[:3], *lines[4:]]) + "\n"
    mark = "\t" if how == "quotes" else ";"
    cells = [line.split("\t") for line in lines]
    if how == "quotes":
        cells = [[f'"{cell}"' for cell in row] for row in cells]
    return "\n".join(map(mark.join, cells)) + "\n"


@pytest.mark.parametrize("how", ["lines above", "lines gone", "quotes", "semicolons"])
@pytest.mark.parametrize("name", ECLAB)
def test_eclab_text_that_was_saved_again(tmp_path: Path, name: str, how: str) -> None:
    text = saved_again(how, (FOLDER / name).read_bytes().decode("cp1252"))
    reader, again = read_file(written(tmp_path, text, name), name)
    assert reader.slug == "eclab"
    whole = read_file(FOLDER / name, name)[1]
    assert [item.frame.equals(other.frame) for item, other in zip(again, whole, strict=True)] == [True] * len(whole)
    assert [item.metadata.get("measured_at") for item in again] == [item.metadata.get("measured_at") for item in whole]


# Dates


def dated(dates: list[str]) -> str:
    """A row a minute with these dates in turn, ten rows to each."""
    lines = ["Time/s,U/V,I/mA,Date"]
    lines += [f"{60 * i}.0,3.5,1.0,{dates[i // 10].replace('MM', f'{i % 10:02}')}" for i in range(10 * len(dates))]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("form", ["{d}/03/2024 9:MM:00 PM", "{d}/03/2024 21:MM:00", "{d}-03-24 21:MM:00"])
def test_one_day_above_twelve_tells_the_order_of_all_dates(tmp_path: Path, form: str) -> None:
    item = read(tmp_path, dated([form.format(d=day) for day in (11, 12, 13)]))
    assert item.metadata["measured_at"] == "2024-03-11T21:00:00"
    # Ten minutes, then a day further.
    assert item.frame["unix_time_s"].iloc[[0, 10, 20]].diff().dropna().tolist() == [86_400.0] * 2


def test_dates_in_two_orders_are_told_and_not_used(tmp_path: Path) -> None:
    # What a spreadsheet of another country makes of 12/03 and 13/03.
    item = read(tmp_path, dated(["03/12/2024 21:MM:00", "13/03/2024 21:MM:00", "03/14/2024 21:MM:00"]))
    assert dict(item.warnings)["dates_not_read"].startswith("Line 12, column date and time: ‘13/03/2024 21:00:00’")
    assert "unix_time_s" not in item.frame


def test_a_polarisation_under_potential_gets_no_cycles_from_its_noise(tmp_path: Path) -> None:
    lines = ["test_time_second,voltage_volt,current_ampere,step_type"]
    lines += [f"{30 * i},0.5,{1e-9 * (-1) ** (i // 2) * (1 + i * 7 % 5):.3e},hold" for i in range(40)]
    assert "cycle_number" not in read(tmp_path, "\n".join(lines) + "\n", "x.bdf.csv").frame


def test_a_damaged_workbook_is_told_whatever_was_read_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The reader of .ndax puts this inflater into the library of archives; its error is one of its own.
    monkeypatch.setattr(zlib, "decompressobj", isal_zlib.decompressobj)
    packed = tmp_path / "packed.xlsx"
    with zipfile.ZipFile(FOLDER / "land_tabs.xlsx") as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            new.writestr(part.filename, old.read(part))
        largest = max(new.infolist(), key=lambda info: info.compress_size)
    data = bytearray(packed.read_bytes())
    begin = largest.header_offset + 30 + len(largest.filename)
    data[begin : begin + 40] = b"\xff" * 40
    assert "damaged" in refused(tmp_path, bytes(data), "x.xlsx").sentence


# Tables that were edited


def test_records_without_names_are_for_a_person_to_name(tmp_path: Path) -> None:
    path = written(tmp_path, "\n".join(rows()) + "\n")
    with pytest.raises(UnknownColumns) as caught:
        read_file(path, path.name)
    assert caught.value.sentence.startswith(
        "No frequency column found: the table on line 1 has 3 columns without names. Choose which is the time"
    )
    assert [column["header"] for column in preview(path)] == ["column 1", "column 2", "column 3"]
    mapping = {"column 1": "time_s", "column 2": "potential_V", "column 3": "current_A"}
    (item,) = read_mapped(path, mapping, {"column 3": "mA"})
    assert item.frame["time_s"].iloc[-1] == 39 * 60
    assert item.frame["current_A"].iloc[0] == 1e-3


@pytest.mark.parametrize("how", ["quotes", "semicolons"])
def test_nested_neware_table_that_was_saved_again(tmp_path: Path, how: str) -> None:
    name = "neware_table_nested.csv"
    cells = [line.split(",") for line in (FOLDER / name).read_text("utf-8").splitlines()]
    if how == "quotes":
        text = "\n".join(",".join(f'"{cell}"' for cell in row) for row in cells)
    else:
        text = "\n".join(";".join(cell.replace(".", ",") for cell in row) for row in cells)
    (whole,) = read_file(FOLDER / name, name)[1]
    again = read(tmp_path, text + "\n", name)
    for column in ("time_s", "potential_V", "current_A", "cycle_number", "step_number", "step_capacity_mAh"):
        assert again.frame[column].to_numpy() == pytest.approx(whole.frame[column].to_numpy())


def test_maccor_rows_with_a_mark_more_keep_their_unit_of_time(tmp_path: Path) -> None:
    name = "maccor_comma.txt"
    lines = (FOLDER / name).read_bytes().decode("cp1252").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("Rec"))
    text = "\r\n".join([*lines[: first + 1], *(line + "\t" for line in lines[first + 1 :])]) + "\r\n"
    (whole,) = read_file(FOLDER / name, name)[1]
    again = read(tmp_path, text.encode("cp1252"), name)
    assert again.frame["time_s"].tolist() == whole.frame["time_s"].tolist()
    assert "time_unit_from_dates" in dict(again.warnings)


def test_a_bad_cell_does_not_hide_that_an_export_is_a_thousand_times_off(tmp_path: Path) -> None:
    counters = "Charge_Capacity,Discharge_Capacity,Charge_Energy,Discharge_Energy"
    lines = [f"{counters},Test Time / s,Voltage / V,Current / A,Current"]
    lines += [f"0,0,0,0,{60 * i}.5,3.5,{1e-6 * (1 + i % 3):.9f},{1e-3 * (1 + i % 3):.6f}" for i in range(40)]
    lines[20] = lines[20].rpartition(",")[0] + ",-"
    item = read(tmp_path, "\n".join(lines) + "\n", "x.bdf.csv")
    assert item.frame["current_A"].iloc[0] == 1e-3
    assert {"unit_conflict", "no_value_rows"} <= set(dict(item.warnings))


def test_two_channels_of_one_land_workbook_are_two_recordings(tmp_path: Path) -> None:
    names = ["Record", "TestTime/Sec", "Voltage/V", "Current/mA"]
    first = [[float(i + 1), 60.0 * i, 3.5, 1.0] for i in range(30)]
    second = [[float(i + 1), 60.0 * i, 3.6, 2.0] for i in range(20)]
    path = tmp_path / "two.xlsx"
    path.write_bytes(xlsx([("Record-Tab", [names, *first]), ("Record-Tab2", [names, *second])]))
    found = read_file(path, path.name)[1]
    assert [len(item.frame) for item in found] == [30, 20]
    assert not any("clock_reset" in dict(item.warnings) for item in found)
    # A sheet that was full goes on in the next one.
    path.write_bytes(xlsx([("Record-Tab", [names, *first[:20]]), ("Record-Tab2", [names, *first[20:]])]))
    (item,) = read_file(path, path.name)[1]
    assert item.frame["time_s"].tolist() == [60.0 * i for i in range(30)]


@pytest.mark.parametrize("count", [40, 4000])
def test_zero_bytes_at_the_end_are_told(tmp_path: Path, count: int) -> None:
    text = "\n".join([HEADER, *rows(count)]) + "\n"
    error = refused(tmp_path, text.encode() + bytes(512))
    assert error.line == count + 2
    assert error.sentence.startswith(f"The file ends in 512 zero bytes from line {count + 2} on: the computer stopped")


def test_a_fact_that_is_no_finite_number_is_left_out(tmp_path: Path) -> None:
    text = (FOLDER / "gamry_one.DTA").read_bytes().decode("cp1252")
    assert text.count("AREA\tQUANT\t") == 1
    begin = text.index("AREA\tQUANT\t") + len("AREA\tQUANT\t")
    item = read(tmp_path, (text[:begin] + "9e999" + text[text.index("\t", begin) :]).encode("cp1252"), "x.DTA")
    assert "electrode_area_cm2" not in item.metadata
