"""One synthetic cell in the layout of every tester: each reader must give the same points, signs and capacities."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from measurements.readers.base import BadRow, ReaderError, Recording
from measurements.readers.recognise import read_file
from tests.data.readers.make_samples import FOLDER
from tests.data.readers.tester_samples import CYCLES, ROWS, TESTER_SAMPLES, CHARGE_mAh, DISCHARGE_mAh, clock, workbook

WITHOUT_KIND = ("gamry_chrono.DTA", "arbin_sql.csv", "arbin_mits.xlsx")
WITHOUT_COUNTERS = ("gamry_chrono.DTA",)
# Their cycle number is not that of the cell: none, or 1 throughout.
OTHER_CYCLES = {"gamry_chrono.DTA": 0, "biologic_mpr_gcpl.mpr": 0, "arbin_mits.xlsx": 1}
# EC-Lab counts cycles from 0.
FIRST_CYCLE = {"eclab_gcpl_comma.mpt": 0}


def read(name: str) -> Recording:
    (found,) = read_file(FOLDER / name, name)[1]
    return found


def delivered(frame: pd.DataFrame, kind: str) -> float:
    """Capacity of all cycles by the tester's counter, whichever one the format has, in mAh."""
    if "step_capacity_mAh" in frame:
        step = (frame["step_number"].diff().fillna(0) != 0).cumsum()
        rows = frame["step_kind"] == kind
        return float(frame["step_capacity_mAh"][rows].groupby(step[rows]).max().sum())
    counter = frame[f"{kind}_capacity_mAh"]
    # What a counter grows by, and what it shows after it began anew.
    return float(np.where(counter.diff().fillna(counter) >= 0, counter.diff().fillna(counter), counter).sum())


@pytest.mark.parametrize("name", TESTER_SAMPLES)
def test_points_are_those_of_the_cell(name: str) -> None:
    item = read(name)
    frame = item.frame
    assert item.technique == "time_series"
    assert len(frame) == len(ROWS)
    assert frame["time_s"].tolist() == pytest.approx([row.time for row in ROWS], abs=1e-2)
    assert frame["potential_V"].tolist() == pytest.approx([row.V for row in ROWS], abs=1e-4)
    assert frame["current_A"].tolist() == pytest.approx([row.mA / 1e3 for row in ROWS], abs=1e-9)


@pytest.mark.parametrize("name", sorted(set(TESTER_SAMPLES) - set(WITHOUT_COUNTERS)))
def test_capacities_are_those_of_the_cell(name: str) -> None:
    frame = read(name).frame
    assert delivered(frame, "charge") == pytest.approx(CYCLES * CHARGE_mAh, rel=1e-4)
    assert delivered(frame, "discharge") == pytest.approx(CYCLES * DISCHARGE_mAh, rel=1e-4)


@pytest.mark.parametrize("name", sorted(set(TESTER_SAMPLES) - set(WITHOUT_KIND)))
def test_kinds_of_steps(name: str) -> None:
    assert read(name).frame["step_kind"].tolist() == [row.kind for row in ROWS]


@pytest.mark.parametrize("name", TESTER_SAMPLES)
def test_cycles_and_steps_are_the_files_own(name: str) -> None:
    frame = read(name).frame
    if name in OTHER_CYCLES:
        assert frame.get("cycle_number", pd.Series(dtype=int)).nunique() == OTHER_CYCLES[name]
    else:
        first = FIRST_CYCLE.get(name, 1)
        assert frame["cycle_number"].tolist() == [row.cycle - 1 + first for row in ROWS]
    if "step_number" in frame:
        changes = np.flatnonzero(frame["step_number"].diff().fillna(0))
        assert changes.tolist() == [i for i in range(1, len(ROWS)) if ROWS[i].step != ROWS[i - 1].step]


@pytest.mark.parametrize("name", TESTER_SAMPLES)
def test_start_is_told(name: str) -> None:
    metadata = read(name).metadata
    if name.startswith("arbin_sql"):
        assert "measured_at" not in metadata
        return
    assert (metadata.get("measured_at") or metadata["measured_on"]).startswith("2024-03-27")


def codes(name: str) -> set[str]:
    return {code for code, _ in read(name).warnings}


def test_warnings_that_the_samples_earn() -> None:
    assert codes("eclab_gcpl_comma.mpt") == {"current_from_charge"}
    assert codes("biologic_mpr_gcpl.mpr") == {"current_from_charge"}
    assert codes("maccor_comma.txt") == {"time_unit_from_dates", "current_unsigned"}
    assert codes("neware_table_nested.csv") == codes("neware_table_chinese_gbk.csv") == {"time_from_steps"}
    assert codes("neware_layout2.ndax") == codes("neware_table_flat.csv") == codes("arbin_sql.csv") == set()


def test_cycle_table_of_the_tester_is_kept() -> None:
    expected = [
        {"cycle_number": n, "charge_capacity_mAh": CHARGE_mAh, "discharge_capacity_mAh": DISCHARGE_mAh} for n in (1, 2)
    ]
    assert read("neware_table_nested.csv").metadata["tester_cycles"] == expected
    assert read("neware_table_nested.xlsx").metadata["tester_cycles"] == expected


def spoilt(name: str, tmp_path: Path, edit) -> Path:
    """A text sample with its lines edited."""
    data = (FOLDER / name).read_bytes()
    encoding = "cp1252" if name.endswith((".mpt", "maccor_comma.txt")) else "utf-8"
    lines = data.decode(encoding).split("\n")
    path = tmp_path / name
    path.write_bytes("\n".join(edit(lines)).encode(encoding))
    return path


# Index of the first row, and of the column of potential, in each text sample.
TEXTS = {
    "eclab_gcpl_comma.mpt": (10, 11, "\t"), "gamry_chrono.DTA": (12, 3, "\t"), "neware_table_flat.csv": (1, 7, ","),
    "neware_table_nested.csv": (5, 4, ","), "arbin_sql.csv": (1, 6, ","), "maccor_comma.txt": (7, 9, "\t"),
    "pec_two.csv": (5, 9, ","), "bdf_names.csv": (1, 1, ","),
}  # fmt: skip


def with_cell(lines: list[str], row: int, column: int, mark: str, text: str) -> list[str]:
    cells = lines[row].split(mark)
    cells[column] = text
    return [*lines[:row], mark.join(cells), *lines[row + 1 :]]


@pytest.mark.parametrize("name", TEXTS)
def test_a_cell_that_is_no_number_is_named_with_its_line(name: str, tmp_path: Path) -> None:
    first, column, mark = TEXTS[name]
    row = first + 1
    path = spoilt(name, tmp_path, lambda lines: with_cell(lines, row, column, mark, "#DIV/0!"))
    with pytest.raises(BadRow) as caught:
        read_file(path, name)
    assert caught.value.line == row + 1
    assert caught.value.sentence.startswith(f"Line {row + 1}, column ")
    assert "‘#DIV/0!’ is not a number" in caught.value.sentence
    _, (item,) = read_file(path, name, skips_bad_rows=True)
    assert len(item.frame) == len(ROWS) - 1
    assert ("rows_skipped", f"Rows that could not be read were left out: line {row + 1}.") in item.warnings


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_that_ends_in_a_row_is_said_to_be_cut_off(name: str, tmp_path: Path) -> None:
    first, _, mark = TEXTS[name]

    def edit(lines: list[str]) -> list[str]:
        # Line 5 of the nested table is a step; a row is cut after its fourth cell.
        return [*lines[: first + 6], mark.join(lines[first + 6].split(mark)[:4])]

    with pytest.raises(BadRow) as caught:
        read_file(spoilt(name, tmp_path, edit), name)
    assert caught.value.line == first + 7
    assert "The file ends in the middle of a row, so the export was probably cut off." in caught.value.sentence
    assert "good points" in caught.value.sentence


@pytest.mark.parametrize("name", TEXTS)
def test_names_without_rows(name: str, tmp_path: Path) -> None:
    first = TEXTS[name][0]
    stop = first - 2 if name == "neware_table_nested.csv" else first
    with pytest.raises(ReaderError) as caught:
        read_file(spoilt(name, tmp_path, lambda lines: [*lines[:stop], ""]), name)
    assert "no row of numbers" in caught.value.sentence
    assert "Export it again" in caught.value.sentence


@pytest.mark.parametrize("name", ["arbin_sql.csv", "bdf_names.csv"])
def test_time_that_goes_backwards_or_stands_still_is_told(name: str, tmp_path: Path) -> None:
    place = {"arbin_sql.csv": 1, "bdf_names.csv": 0}[name]

    def edit(lines: list[str]) -> list[str]:
        # The third row at the time of the second; all from the twentieth on an hour and more too early.
        lines = with_cell(lines, 3, place, ",", "120")
        for row in range(20, 47):
            lines = with_cell(lines, row, place, ",", f"{ROWS[row - 1].time - 5000}")
        return lines

    _, (item,) = read_file(spoilt(name, tmp_path, edit), name)
    said = dict(item.warnings)
    assert said["duplicate_time"] == "1 row has the same time as the row before."
    assert said["clock_reset"].startswith("Time goes backwards once, first after row 19, by up to ")
    assert len(item.frame) == len(ROWS)


def test_decimal_comma_and_semicolon(tmp_path: Path) -> None:
    for name in ("arbin_sql.csv", "bdf_names.csv", "neware_table_flat.csv"):
        path = spoilt(name, tmp_path, lambda lines: [line.replace(",", ";").replace(".", ",") for line in lines])
        _, (item,) = read_file(path, name)
        assert item.metadata["seen"] == "decimal comma, semicolon"
        assert item.frame["potential_V"].tolist() == pytest.approx([row.V for row in ROWS])
        assert item.frame["time_s"].tolist() == [row.time for row in ROWS]


def test_nested_table_whose_time_runs_on(tmp_path: Path) -> None:
    def edit(lines: list[str]) -> list[str]:
        times = iter(f"{clock(row.time)}.000" for row in ROWS)
        cells = (line.split(",") for line in lines[3:])
        records = (
            ",".join([*row[:3], next(times), *row[4:]]) if row[:2] == ["", ""] else ",".join(row) for row in cells
        )
        return [*lines[:3], *records]

    path = spoilt("neware_table_nested.csv", tmp_path, edit)
    (item,) = read_file(path, path.name)[1]
    assert item.frame["time_s"].tolist() == [row.time for row in ROWS]
    assert "time_from_steps" not in dict(item.warnings)


def test_records_above_the_first_step_are_refused(tmp_path: Path) -> None:
    path = spoilt("neware_table_nested.csv", tmp_path, lambda lines: [*lines[:3], *lines[5:]])
    with pytest.raises(
        ReaderError, match=r"^Line 4: a record stands before the first row of a cycle and a step\. Export"
    ):
        read_file(path, path.name)


def arbin_sheets(tmp_path: Path, sheets: dict[str, tuple[int, int]]) -> list[Recording]:
    """A workbook of Arbin with some of the rows of the cell in each sheet."""
    names = ["Test_Time(s)", "Step_Index", "Cycle_Index", "Current(A)", "Voltage(V)", "Charge_Capacity(Ah)",
             "Discharge_Capacity(Ah)"]  # fmt: skip
    table = [
        [row.time, row.step, row.cycle, row.mA / 1e3, row.V, row.charge_mAh / 1e3, row.discharge_mAh / 1e3]
        for row in ROWS
    ]
    book = {name: [names, *table[first:stop]] for name, (first, stop) in sheets.items()}
    book["Statistics_1"] = [[*names, "Vmax_On_Cycle(V)"], [*table[-1], 4.2]]
    path = tmp_path / "x.xlsx"
    path.write_bytes(workbook(book))
    reader, found = read_file(path, "x.xlsx")
    assert reader.slug == "arbin"
    return found


def test_arbin_channel_that_goes_on_in_the_next_sheet(tmp_path: Path) -> None:
    (item,) = arbin_sheets(tmp_path, {"Channel_1_1": (0, 20), "Channel_1_2": (20, 46)})
    assert item.frame["time_s"].tolist() == [row.time for row in ROWS]
    assert item.frame.index.tolist() == list(range(len(ROWS)))
    assert "slice_not_from_start" not in dict(item.warnings)


def test_arbin_channels_stay_apart(tmp_path: Path) -> None:
    found = arbin_sheets(tmp_path, {"Channel_1_1": (0, 20), "Channel_2_1": (0, 46)})
    assert [len(item.frame) for item in found] == [20, 46]


def test_a_neware_table_in_parquet_is_the_one_in_csv(tmp_path: Path) -> None:
    table = pd.read_csv(FOLDER / "neware_table_flat.csv").drop(columns="DataPoint")
    path = tmp_path / "flat.parquet"
    table.to_parquet(path)
    reader, (item,) = read_file(path, path.name)
    assert reader.slug == "neware_table"
    truth = read("neware_table_flat.csv").frame
    for column in ("time_s", "potential_V", "current_A", "step_capacity_mAh", "cycle_number", "step_number"):
        assert item.frame[column].to_numpy() == pytest.approx(truth[column].to_numpy())
    assert item.frame["step_kind"].tolist() == truth["step_kind"].tolist()


@pytest.mark.parametrize("name", ["neware_table_flat.csv", "pec_two.csv"])
def test_the_span_of_good_points_is_no_time_that_begins_anew(name: str, tmp_path: Path) -> None:
    """Neware's ‘Time’ counts within a step, and PEC's ‘Test’ is a number: neither says how long the test ran."""
    path = tmp_path / name
    data = (FOLDER / name).read_bytes().rstrip()
    path.write_bytes(data[: data.rindex(b"\n") + 9])
    with pytest.raises(BadRow, match=r"or use the \d+ good points\.$"):
        read_file(path, name)
