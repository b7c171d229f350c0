"""Time series from text and workbooks: headers, units, signs, cycles, doubts, and what people read of a bad file."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from measurements.readers.base import BadRow, ReaderError, Recording
from measurements.readers.delimited import open_text, read_grid
from measurements.readers.recognise import read_file
from measurements.readers.series import recording
from measurements.readers.series_columns import identify_series, step_kind, step_kinds
from measurements.readers.series_directions import cycle_numbers
from measurements.readers.words import as_text, coded
from tests.data.readers.make_samples import FOLDER
from tests.data.readers.series_samples import CURRENT_A, cycling, xlsx

HEADER = "Test_Time(s),Voltage(V),Current(A),Cycle"


def rows(count: int = 40) -> list[str]:
    return [f"{60 * i},{3 + 0.01 * i:.2f},{0.001 if i < count / 2 else -0.001},1" for i in range(count)]


def read(tmp_path: Path, text: str | bytes, name: str = "sample.csv") -> Recording:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = read_file(path, name)[1]
    assert len(found) == 1
    return found[0]


def sentence(tmp_path: Path, text: str | bytes, name: str = "sample.csv") -> ReaderError:
    with pytest.raises(ReaderError) as caught:
        read(tmp_path, text, name)
    return caught.value


@pytest.mark.parametrize(
    ("header", "name", "factor"),
    [
        ("Current/uA", "current_A", 1e-6),
        ("I/µA", "current_A", 1e-6),
        ("I (μA)", "current_A", 1e-6),
        ("电流/mA", "current_A", 1e-3),
        ("Strom [mA]", "current_A", 1e-3),
        ("WE(1).Current (A)", "current_A", 1.0),
        ("Amps", "current_A", 1.0),
        ("电压(V)", "potential_V", 1.0),
        ("Spannung / mV", "potential_V", 1e-3),
        ("Ecell/V", "potential_V", 1.0),
        ("TestTime/Sec.", "time_s", 1.0),
        ("Test (Min)", "time_s", 60.0),
        ("测试时间/h", "time_s", 3600.0),
        ("Corrected time (s)", "time_s", 1.0),
        ("t/ms", "time_s", 1e-3),
        ("T/°C", "temperature_degC", 1.0),
        ("AuxTemp/dC.", "temperature_degC", 1.0),
        ("mAmp-hr", "step_capacity_mAh", 1.0),
        ("Amp-hr", "step_capacity_mAh", 1e3),
        ("Capacity/uAh", "step_capacity_mAh", 1e-3),
        ("Chg. Cap.(Ah)", "charge_capacity_mAh", 1e3),
        ("Entladekapazität (mAh)", "discharge_capacity_mAh", 1.0),
        ("放电容量/mAh", "discharge_capacity_mAh", 1.0),
        ("Energy/Wh", "step_energy_mWh", 1e3),
        ("Charge_Energy(J)", "charge_energy_mWh", 1 / 3.6),
        ("循环序号", "cycle_number", 1.0),
        ("Cycle-Index", "cycle_number", 1.0),
        ("Step-State", "step_kind", 1.0),
        ("Step(Sec)", "step_time_s", 1.0),
        # Neither a current density nor a share of charge is what it resembles.
        ("Current density (mA/cm2)", "Current density (mA/cm2)", 1.0),
        ("SOC|DOD/%", "SOC|DOD/%", 1.0),
        ("SpeEnergy/Wh/kg", "SpeEnergy/Wh/kg", 1.0),
        ("Power/mW", "Power/mW", 1.0),
    ],
)
def test_header(header: str, name: str, factor: float) -> None:
    column = identify_series(header)
    assert column.name == name
    assert column.factor == pytest.approx(factor)


def test_kelvin() -> None:
    column = identify_series("Temperature (K)")
    assert (column.name, column.offset) == ("temperature_degC", -273.15)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("R Rest REST WAIT 静置 搁置", "rest"),
        ("CCC CVC CCCV_C CCVC_C CPC RateC C_CC C_Rate CC_Chg CCCV_Chg C 恒流充电", "charge"),
        ("CCD DCC CVD RateD CPD CRD D_CC D_Rate CC_DChg D 恒流放电", "discharge"),
        ("loop ??? 7", ""),
    ],
)
def test_words_of_steps(words: str, kind: str) -> None:
    assert {step_kind(word) for word in words.split()} == {kind}
    assert step_kind("CC Chg") == "charge"
    assert step_kind("CC DChg") == "discharge"


def test_a_missing_or_unknown_word_is_no_kind_of_step():
    words = np.array(["CC_Chg", None, "Rest", "Polka", "CC_Chg"], dtype=object)
    assert list(step_kinds(words)) == ["charge", "", "rest", "", "charge"]
    assert list(as_text(step_kinds(coded(np.array([1, 0, -1, 1]), ["Polka", "Rest"])))) == ["rest", "", "", "rest"]


def test_current_in_microampere(tmp_path: Path) -> None:
    text = "\n".join(["t/s,E/V,I/µA", *(f"{i},3.5,{250.5}" for i in range(20))])
    assert read(tmp_path, text).frame["current_A"].tolist() == pytest.approx([250.5e-6] * 20)
    assert read(tmp_path, text.encode("cp1252")).frame["current_A"].tolist() == pytest.approx([250.5e-6] * 20)


def test_units_on_a_line_of_their_own(tmp_path: Path) -> None:
    frame = read(tmp_path, "\n".join(["time;voltage;current", "h;mV;uA", *(f"{i};3500;2" for i in range(9))])).frame
    assert frame.iloc[1].tolist() == pytest.approx([3600, 3.5, 2e-6])


def test_missing_units_are_told(tmp_path: Path) -> None:
    found = read(tmp_path, "\n".join(["time,voltage,current", *(f"{i},3.5,0.001" for i in range(9))]))
    said = dict(found.warnings)["unit_not_stated"]
    assert said == "The file states no unit for time, potential, current. s, V, A was taken."


def test_header_only(tmp_path: Path) -> None:
    for text in (HEADER, HEADER + "\r\n", HEADER + "\n\n\n", "TestTime\tVoltage/V\tCurrent/mA\n"):
        assert sentence(tmp_path, text).sentence.startswith("The file has column names, but no row of numbers.")


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\xef\xbb\xbf", "\ufeff".encode("utf-16-le"), bytes(300)])
def test_empty_file(tmp_path: Path, data: bytes) -> None:
    assert "empty" in sentence(tmp_path, data).sentence or "zero bytes" in sentence(tmp_path, data).sentence


def test_cut_in_the_middle_of_a_row(tmp_path: Path) -> None:
    error = sentence(tmp_path, "\n".join([HEADER, *rows(), "2400,3."]))
    assert error.sentence == (
        "Line 42 has 2 values, 4 are expected. The file ends in the middle of a row, "
        "so the export was probably cut off. Export it again, or use the 40 good points (0 s to 39 min)."
    )
    assert error.line == 42
    assert isinstance(error, BadRow)


def test_cut_row_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "cut.csv"
    path.write_text("\n".join([HEADER, *rows(), "2400,3."]))
    found = read_file(path, path.name, skips_bad_rows=True)[1][0]
    assert len(found.frame) == 40
    assert dict(found.warnings)["rows_skipped"].endswith("line 42.")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "gb18030"])
def test_bad_row_of_any_encoding_can_be_left_out(tmp_path: Path, encoding: str) -> None:
    lines = ["测试时间/s,电压/V,电流/mA", *(f"{i},3.5,{i}" for i in range(30))]
    lines[7] = "6,x,6"
    path = tmp_path / "odd.csv"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    frame = read_file(path, path.name, skips_bad_rows=True)[1][0].frame
    assert frame["time_s"].tolist() == [float(i) for i in range(30) if i != 6]


def test_bad_cell_of_a_workbook_cannot_be_skipped(tmp_path: Path) -> None:
    data = xlsx([("data", [["time/s", "E/V", "I/mA"], *([float(i), "x" if i == 5 else 3.5, 1.0] for i in range(9))])])
    error = sentence(tmp_path, data, "x.xlsx")
    assert error.sentence == (
        "Sheet ‘data’, row 7, column potential: ‘x’ is not a number. Remove the row in the source, then upload that."
    )
    assert not isinstance(error, BadRow)


def test_row_too_short_in_the_middle(tmp_path: Path) -> None:
    lines = [HEADER, *rows()]
    lines[20] = "1140,3"
    error = sentence(tmp_path, "\n".join(lines))
    assert error.sentence.startswith("Line 21 has 2 values, 4 are expected. Remove the row in the source")


def test_row_too_long(tmp_path: Path) -> None:
    lines = [HEADER, *rows()]
    lines[20] += ",5,6"
    assert sentence(tmp_path, "\n".join(lines)).sentence.startswith("Line 21 has 6 values, 4 are expected.")


@pytest.mark.parametrize(("cell", "label"), [(1, "potential"), (2, "current"), (0, "time")])
@pytest.mark.parametrize("line", [3, 350])
def test_cell_that_is_no_number(tmp_path: Path, cell: int, label: str, line: int) -> None:
    lines = [HEADER, "", *rows(400)]
    cells = lines[line].split(",")
    cells[cell] = "#DIV/0!"
    lines[line] = ",".join(cells)
    error = sentence(tmp_path, "\n".join(lines))
    what = "time" if label == "time" else "number"
    assert error.sentence == (
        f"Line {line + 1}, column {label}: ‘#DIV/0!’ is not a {what}. Remove the row in the source, or skip it."
    )
    assert error.line == line + 1


def test_bad_cell_among_decimal_commas(tmp_path: Path) -> None:
    lines = ["Zeit [s];Spannung [V];Strom [mA]", *(f"{i},5;3,25;{i},75" for i in range(300))]
    assert read(tmp_path, "\n".join(lines)).frame.iloc[1].tolist()[:3] == pytest.approx([1.5, 3.25, 1.75e-3])
    lines[10] = "9,5;-;9,75"
    assert np.isnan(read(tmp_path, "\n".join(lines)).frame["potential_V"][9])
    lines[20] = "19,5;#NV;19,75"
    assert sentence(tmp_path, "\n".join(lines)).sentence.startswith("Line 21, column potential: ‘#NV’ is not a number.")


def test_no_value_is_not_zero(tmp_path: Path) -> None:
    lines = ["TestTime\tVoltage/V\tCurrent/mA", *(f"0:00:{i:02d}\t3.5\t1" for i in range(30))]
    lines[4] = "0:00:03\t-\t-"
    found = read(tmp_path, "\n".join(lines), "x.txt")
    assert np.isnan(found.frame["potential_V"][3])
    assert np.isnan(found.frame["current_A"][3])
    assert dict(found.warnings)["no_value_rows"].startswith("1 row holds no")


def test_gbk_is_not_taken_for_utf8(tmp_path: Path) -> None:
    data = (FOLDER / "land_chinese_gbk.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        data.decode()
    found = read(tmp_path, data)
    assert found.metadata["seen"] == "GB18030, decimal point, comma"
    assert found.frame["current_A"].abs().max() == pytest.approx(CURRENT_A)


def test_long_gbk_file_whose_words_lie_beyond_the_head(tmp_path: Path) -> None:
    header = "测试时间/Sec,电压/V,电流/mA,工步状态"
    kinds = ["恒流充电", "静置", "恒流放电"]
    lines = [header, *(f"{i},3.5,{(1, 0, -1)[i // 3000]},{kinds[i // 3000]}" for i in range(9000))]
    frame = read(tmp_path, "\r\n".join(lines).encode("gb18030")).frame
    assert frame["step_kind"].value_counts().to_dict() == {"charge": 3000, "rest": 3000, "discharge": 3000}


def test_date_and_time_of_day_in_two_columns(tmp_path: Path) -> None:
    hours = [f"2024-03-01,{h}:00:00" for h in (22, 23)] + [f"2024-03-02,{h}:00:00" for h in (0, 1, 2)]
    found = read(tmp_path, "\n".join(["Date,Time,Voltage (V),Current (A)", *(f"{cell},3.5,0.1" for cell in hours)]))
    assert found.frame["time_s"].tolist() == [0, 3600, 7200, 10800, 14400]
    assert found.metadata["measured_at"] == "2024-03-01T22:00:00"
    assert "time_from_clock" in dict(found.warnings)


def test_date_beside_a_time_that_has_passed(tmp_path: Path) -> None:
    rows_ = [f"2024-03-01,{h}:00:00,3.5,0.1" for h in range(5)]
    found = read(tmp_path, "\n".join(["Date,Time,Voltage (V),Current (A)", *rows_]))
    assert found.frame["time_s"].tolist() == [0, 3600, 7200, 10800, 14400]
    assert found.metadata["measured_at"] == "2024-03-01T00:00:00"


def test_duplicate_stamps(tmp_path: Path) -> None:
    lines = rows()
    found = read(tmp_path, "\n".join([HEADER, *lines[:20], lines[19], lines[19], *lines[20:]]))
    assert len(found.frame) == 42
    assert dict(found.warnings)["duplicate_time"] == "2 rows have the same time as the row before."


def test_time_going_backwards(tmp_path: Path) -> None:
    lines = rows()
    found = read(tmp_path, "\n".join([HEADER, *lines[:30], *lines[10:]]))
    assert dict(found.warnings)["clock_reset"].startswith(
        "Time goes backwards once, first after row 30, by up to 19 min."
    )


@pytest.mark.parametrize("name", ["land_old.txt", "land_chinese_gbk.csv", "land_three.txt", "land_lab.csv"])
def test_slice_that_does_not_begin_at_the_start(tmp_path: Path, name: str) -> None:
    lines = (FOLDER / name).read_bytes().split(b"\n")
    first = 3 if name == "land_lab.csv" else 1
    found = read(tmp_path, b"\n".join([*lines[:first], *lines[first + 40 :]]), name)
    truth = cycling().iloc[40:]
    assert found.frame["time_s"].to_numpy() == pytest.approx(truth["time_s"].to_numpy())
    assert found.frame["current_A"].to_numpy() == pytest.approx(truth["current_A"].to_numpy())
    assert "slice_not_from_start" in dict(found.warnings)


def test_cycles_are_counted_from_the_half_that_came_first() -> None:
    # rest, discharge, rest, charge, discharge, rest, charge, rest: a half cell that begins with a discharge
    direction = np.array([0, -1, -1, 0, 1, 1, -1, 0, 1, 0])
    assert cycle_numbers(direction).tolist() == [1, 1, 1, 1, 1, 1, 2, 2, 2, 2]
    assert cycle_numbers(np.zeros(3, dtype=int)).tolist() == [1, 1, 1]
    # A charge in two steps is one charge.
    assert cycle_numbers(np.array([1, 0, 1, -1, 1])).tolist() == [1, 1, 1, 1, 2]


def test_noise_of_a_decayed_current_makes_no_cycles(tmp_path: Path) -> None:
    noise = np.random.default_rng(7).normal(0, 1e-9, 300)
    text = "\n".join(["t/s,E/V,I/A", *(f"{i},0.1,{1e-7 * np.exp(-i / 5) + noise[i]:.6e}" for i in range(300))])
    assert "cycle_number" not in read(tmp_path, text).frame


def test_unsigned_current_gets_its_sign_from_the_steps(tmp_path: Path) -> None:
    text = "\n".join(
        ["t/s,E/V,I/mA,State", *(f"{i},3.5,1,C" for i in range(9)), *(f"{i},3.4,1,D" for i in range(9, 18))]
    )
    found = read(tmp_path, text)
    assert found.frame["current_A"].tolist() == pytest.approx([1e-3] * 9 + [-1e-3] * 9)
    assert "current_unsigned" in dict(found.warnings)


def test_discharge_written_as_positive_is_turned(tmp_path: Path) -> None:
    text = "\n".join(
        ["t/s,E/V,I/mA,State", *(f"{i},3.5,-1,C" for i in range(9)), *(f"{i},3.4,1,D" for i in range(9, 18))]
    )
    found = read(tmp_path, text)
    assert found.frame["current_A"].tolist() == pytest.approx([1e-3] * 9 + [-1e-3] * 9)
    assert "current_sign_turned" in dict(found.warnings)


def test_counter_that_the_current_does_not_reach(tmp_path: Path) -> None:
    # 1 mA for 1 h is 1 mAh; the counter says 0.9.
    text = "\n".join(["t/s,E/V,I/mA,step,Capacity/mAh", *(f"{36 * i},3.5,1,1,{0.009 * i:.4f}" for i in range(101))])
    said = dict(read(tmp_path, text).warnings)["counter_differs"]
    assert said.startswith("The current integrates to 1 mAh in a step for which the tester counts 0.9 mAh.")


def test_capacity_that_never_resets_is_no_counter_of_steps(tmp_path: Path) -> None:
    half = [f"{i},3.5,1,{i * 0.01:.3f}" for i in range(40)]
    text = "\n".join(["t/s,E/V,I/mA,Capacity/mAh", *half, *(f"{i},3.4,-1,{i * 0.01:.3f}" for i in range(40, 80))])
    found = read(tmp_path, text)
    assert "step_capacity_mAh" not in found.frame
    assert "capacity_not_per_step" in dict(found.warnings)


@pytest.mark.parametrize("rest", [0, 3])
@pytest.mark.parametrize(
    ("way", "rows_per_half", "is_per_step"),
    [
        ("step", 50, True),
        ("step", 2, True),
        ("late", 50, True),
        ("cycle", 50, False),
        ("cycle", 2, False),
        ("test", 50, False),
        ("test", 2, False),
        ("net", 50, False),
        ("net of cycle", 50, False),
    ],
)
def test_a_capacity_that_runs_on_over_a_rest_is_no_counter_of_steps(
    tmp_path: Path, rest: int, way: str, rows_per_half: int, is_per_step: bool
) -> None:
    """Three cycles of 1.00 mAh up and 0.98 mAh down, counted in every way that testers count."""
    lines, count, time = [], 0.0, 0.0
    for cycle in range(3):
        for sign, amount in ((1, 1.0), (-1, 0.98)):
            stale = count
            if way in ("step", "late") or (sign > 0 and way in ("cycle", "net of cycle")):
                count = 0.0
            for row in range(1, rows_per_half + 1):
                count += (sign if way.startswith("net") else 1) * amount / rows_per_half
                time += 3600.0 * amount / rows_per_half
                shown = stale if way == "late" and row == 1 else count
                lines.append(f"{time:.1f},{3.4 + 0.1 * sign},{sign},{shown:.6f},{cycle + 1}")
            for _ in range(rest):
                time += 60.0
                lines.append(f"{time:.1f},3.4,0,{count:.6f},{cycle + 1}")
    found = read(tmp_path, "\n".join(["t/s,E/V,I/mA,Capacity/mAh,Cycle", *lines]))
    assert ("step_capacity_mAh" in found.frame) == is_per_step
    assert ("capacity_not_per_step" in dict(found.warnings)) != is_per_step


def test_frequency_goes_before_time(tmp_path: Path) -> None:
    text = "\n".join(
        [
            "time/s,voltage/V,current/A,freq/Hz,Z'/Ohm,Z''/Ohm",
            *(f"{i},0,0,{10 ** (5 - i / 8)},100,-5" for i in range(40)),
        ]
    )
    assert read(tmp_path, text).technique == "impedance"


def test_columns_that_mean_nothing(tmp_path: Path) -> None:
    text = "\n".join(["Zeitpunkt;Wert A;Wert B", *(f"{i};{i};3" for i in range(20))])
    assert sentence(tmp_path, text).sentence.startswith(
        "The columns of this table are not known. Columns seen: Zeitpunkt, Wert A, Wert B. Choose which is the time"
    )


def test_no_current_column_in_a_workbook(tmp_path: Path) -> None:
    data = xlsx([("data", [["time/s", "E/V"], *([float(i), 3.5] for i in range(20))])])
    assert sentence(tmp_path, data, "x.xlsx").sentence == (
        "No current column found. Columns seen: time/s, E/V. Choose which column is the current."
    )


# ── LAND and NOVA ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_tables_of_land(tmp_path: Path) -> None:
    for name in ("land_tabs.xlsx", "land_sections.csv"):
        metadata = read_file(FOLDER / name, name)[1][0].metadata
        # 0.5 mA for 1 h and for 55 min.
        assert [row["charge_capacity_mAh"] for row in metadata["tester_cycles"]] == pytest.approx([0.5] * 3)
        assert [row["discharge_capacity_mAh"] for row in metadata["tester_cycles"]] == pytest.approx(
            [0.5 * 55 / 60] * 3
        )
        steps = metadata["tester_steps"]
        assert [row["step_kind"] for row in steps[:3]] == ["rest", "charge", "rest"]
        assert [row["duration_s"] for row in steps[:3]] == [600, 3600, 600]
        # Its column "Power/mWh" is the energy: 0.5 mA, 3.0 to 4.2 V, 1 h.
        assert steps[1]["step_energy_mWh"] == pytest.approx(1.8)


def test_counters_of_land_without_a_unit_have_that_of_the_capacity(tmp_path: Path) -> None:
    names = "Record,TestTime/Sec,Current/uA,Capacity/uAh,Voltage/V,CapacityC,CapacityD,CycleNo,StepStatus"
    text = "\n".join([names, *(f"{i + 1},{i},500,{i},3.5,{i},0,1,CCC" for i in range(20))])
    frame = read(tmp_path, text).frame
    assert frame["charge_capacity_mAh"].iloc[-1] == pytest.approx(0.019)
    assert frame["step_capacity_mAh"].iloc[-1] == pytest.approx(0.019)


def test_old_layout_with_steps_between_the_records(tmp_path: Path) -> None:
    lines = (FOLDER / "land_old.txt").read_bytes().split(b"\r\n")
    step = [b"Index\tMode\tPeriod\tCapacity/mAh", b"2\tC_CC\t0-01:00:00\t0.5"]
    found = read(tmp_path, b"\r\n".join([*lines[:4], *step, lines[0], *lines[4:]]), "x.txt")
    assert found.frame["time_s"].to_numpy() == pytest.approx(cycling()["time_s"].to_numpy())


def test_voltammogram_of_nova_is_kept_as_a_file(tmp_path: Path) -> None:
    names = "Potential applied (V);Time (s);WE(1).Current (A);WE(1).Potential (V);Scan;Index"
    text = "\n".join([names, *(f"0.1;{i};1E-6;0.1;1;{i}" for i in range(20))])
    assert "sweep of the potential (voltammogram)" in sentence(tmp_path, text, "x.txt").sentence


def test_impedance_of_nova_with_current_stays_an_impedance() -> None:
    assert read_file(FOLDER / "nova_tab_comma.txt", "x.txt")[1][0].technique == "impedance"


# ── The fence's side of workbooks ───────────────────────────────────────────────────────────────────────────────────


def test_workbook_with_a_cell_far_away_is_refused(tmp_path: Path) -> None:
    data = xlsx([("Record", [["TestTime", "Voltage/V", "Current/mA"], ["0:00:00", 3.5, 1.0]])])
    path = tmp_path / "far.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        source_path = tmp_path / "source.xlsx"
        source_path.write_bytes(data)
        with zipfile.ZipFile(source_path) as source:
            for name in source.namelist():
                text = source.read(name).decode()
                if "sheet1" in name:
                    text = text.replace(
                        "</sheetData>", '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
                    )
                target.writestr(name, text)
    with pytest.raises(ReaderError, match=r"reaches to row 1048576 and column 16384"):
        read_file(path, path.name)


def test_workbook_that_unpacks_to_hundreds_of_times_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    path.write_bytes(xlsx([("Record", [["TestTime", "Voltage/V", "Current/mA"], ["0:00:00", 3.5, 1.0]])]))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as target:
        target.writestr("xl/worksheets/sheet2.xml", b"<row>" + b" " * 30_000_000)
    with pytest.raises(ReaderError, match=r"unpacks to \d+ times its size"):
        read_file(path, path.name)


def test_slow_and_fast_way_give_the_same(tmp_path: Path) -> None:
    lines = [HEADER, *rows(400)]
    fast = tmp_path / "fast.csv"
    fast.write_text("\n".join(lines) + "\n")
    slow = tmp_path / "slow.csv"
    # An empty cell more in one row makes the rows uneven, which only the slow way takes.
    slow.write_text("\n".join([*lines[:200], lines[200] + ",", *lines[201:]]) + "\n")
    one, other = (recording(read_grid(open_text(path), 0)).frame for path in (fast, slow))
    assert one.equals(other)


def test_empty_lines_are_no_rows_and_leave_the_numbers_of_lines(tmp_path: Path) -> None:
    lines = [HEADER, *rows(400)]
    plain, spaced = tmp_path / "plain.csv", tmp_path / "spaced.csv"
    plain.write_text("\n".join(lines) + "\n\r\n\n")
    spaced.write_text("\n".join([*lines[:101], "", *lines[101:]]) + "\n")
    one, other = (read_grid(open_text(path), 0) for path in (plain, spaced))
    assert recording(one).frame.equals(recording(other).frame)
    assert one.lines.tolist() == list(range(2, 402))
    assert other.lines.tolist() == [*range(2, 102), *range(103, 403)]


def test_a_zero_with_a_minus_is_a_zero(tmp_path: Path) -> None:
    text = "\n".join(["time_s,potential_V,current_A,Aux", *(f"{n},3.1,-0.000,-0.00" for n in range(20))])
    frame = read(tmp_path, text).frame
    assert not np.signbit(frame["current_A"]).any()
    assert not np.signbit(frame["Aux"]).any()


def test_words_that_come_again_and_a_gap_among_them(tmp_path: Path) -> None:
    lines = [f"{n},3.1,0.001,{'CC_Chg' if n % 2 else ''}" for n in range(300)]
    frame = read(tmp_path, "\n".join(["time_s,potential_V,current_A,Remark", *lines])).frame
    assert frame["Remark"].tolist() == ["CC_Chg" if n % 2 else "" for n in range(300)]
