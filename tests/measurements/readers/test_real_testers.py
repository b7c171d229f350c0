"""Every real file of a tester that these readers know, against its manifest and against readings that are not ours."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from measurements.readers.base import BadRow, Recording
from measurements.readers.recognise import read_file

pytestmark = pytest.mark.real

# File: reader, rows of the time series, number of cycles in the file's own column (0 for none).
FILES: dict[str, tuple[str, int, int]] = {
    "chronoamperometry/ca.mpr": ("biologic_mpr", 721, 1),
    "chronoamperometry/ca.mpt": ("eclab", 721, 1),
    "chronoamperometry/chronoa_data.dta": ("gamry", 10, 0),
    "symmetric/gcpl.mpr": ("biologic_mpr", 12057, 17),
    # 1588 rows, of which 8 spectra of 70 points.
    "symmetric/mb.mpr": ("biologic_mpr", 1588 - 560, 4),
    "symmetric/mb.mpt": ("eclab", 1588 - 560, 4),
    "cycling/jdb11-1_c3_gcpl_5cycles_2V-3p8V_C-24_data_C09.mpr": ("biologic_mpr", 46102, 7),
    "cycling/250116_kigr_gen6_01_02_GCPL_CD8.mpr": ("biologic_mpr", 3791, 3),
    "cycling/CP_SSB.mpr": ("biologic_mpr", 30208, 4),
    "rate/gcpl.issue_228.mpr": ("biologic_mpr", 10914, 12),
    "cycling/arbin_example.res": ("arbin_res", 2150, 5),
    "cycling/arbin_example.csv": ("arbin", 2142, 2),
    "cycling/bs542_004_gr_li_50ua_50mv_1v_191020_Channel_11.xlsx": ("arbin", 4526, 1),
    "cycling/arbin_example.bdf.csv": ("bdf", 2150, 5),
    "cycling/test.ndax": ("neware", 1464, 1),
    "cycling/test.nda": ("neware", 439, 1),
    "cycling/nw4-120-1-6-53.ndax": ("neware", 18700, 150),
    "cycling/nw4-120-1-6-53.parquet": ("neware_table", 18700, 150),
    "cycling/neware_uio.csv": ("neware_table", 9065, 4),
    "cycling/maccor_example.001": ("maccor", 8, 1),
    "cycling/pec_Test25209.csv": ("pec", 281, 1),
    "cycling/SINTEF__LiGrR2032__2024-04-30__25degC__Landt.bdf.csv": ("bdf", 25162, 2),
    "rate/SINTEF__SLPBA842124HV__2024-10-23__Rate_25degC__Neware__Time_Bug.bdf.csv": ("bdf", 13086, 1),
}
CYCLING = "cycling/jdb11-1_c3_gcpl_5cycles_2V-3p8V_C-24_data_C09.mpr"
LANDT = "cycling/SINTEF__LiGrR2032__2024-04-30__25degC__Landt.bdf.csv"
TIME_BUG = "rate/SINTEF__SLPBA842124HV__2024-10-23__Rate_25degC__Neware__Time_Bug.bdf.csv"
XLSX = "cycling/bs542_004_gr_li_50ua_50mv_1v_191020_Channel_11.xlsx"


def series(real_data: Path, name: str) -> Recording:
    (found,) = (item for item in read_file(real_data / name, Path(name).name)[1] if item.technique == "time_series")
    return found


def runs(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    """A number for each stretch of rows of one direction of the current."""
    direction = np.sign(frame["current_A"].where(frame["current_A"].abs() > 1e-9, 0.0))
    return (direction.diff().fillna(0) != 0).cumsum().to_numpy()


def passed(frame: pd.DataFrame, counter: str) -> list[float]:
    """What a counter grew by in each stretch of one direction, in mAh, where it grew by more than a trace."""
    ends = frame[counter].groupby(runs(frame)).last()
    grown = np.diff(ends, prepend=0.0)
    return [float(value) for value in grown if value > 1e-3]


@pytest.mark.parametrize("name", FILES)
def test_reader_rows_and_cycles(real_data: Path, name: str) -> None:
    slug, rows, cycles = FILES[name]
    reader, found = read_file(real_data / name, Path(name).name)
    assert reader.slug == slug
    (item,) = (item for item in found if item.technique == "time_series")
    assert len(item.frame) == rows
    assert item.frame.get("cycle_number", pd.Series(dtype=float)).nunique() == cycles
    for column in ("time_s", "potential_V", "current_A"):
        assert np.isfinite(item.frame[column]).all()


def test_every_file_of_these_testers_is_in_a_table(real_data: Path) -> None:
    ours = (".mpr", ".mpt", ".nda", ".ndax", ".res", ".001", ".dta", ".bdf.csv")
    folders = ("cycling", "rate", "symmetric", "chronoamperometry")
    found = {f"{folder}/{path.name}" for folder in folders for path in (real_data / folder).iterdir()}
    assert {name for name in found if name.endswith(ours)} <= set(FILES)


# EC-Lab


def test_polarisation_is_the_same_in_binary_and_text(real_data: Path) -> None:
    one, other = (series(real_data, f"chronoamperometry/ca.{suffix}").frame for suffix in ("mpr", "mpt"))
    for column in ("time_s", "potential_V", "current_A", "charge_capacity_mAh", "discharge_capacity_mAh"):
        assert one[column].to_numpy() == pytest.approx(other[column].to_numpy(), rel=1e-6, abs=1e-12)
    assert (one["step_kind"] == "hold").all()
    current = one["current_A"].to_numpy()
    assert current[[0, 1, -1]] == pytest.approx([1.860e-5, 2.889e-8, 2.765e-9], rel=1e-3)
    assert pytest.approx(1.080e8, rel=5e-3) == 0.300 / 2.765e-9
    assert one["potential_V"].iloc[-1] / current[-1] == pytest.approx(1.080e8, rel=5e-3)
    assert np.ptp(one["time_s"]) == pytest.approx(43200, abs=1)


def test_plating_and_stripping(real_data: Path) -> None:
    item = series(real_data, "symmetric/gcpl.mpr")
    frame = item.frame
    assert "current_from_charge" in dict(item.warnings)
    # The set current, which the file states beside the charge, tells what dQ/dt should be.
    apart = (frame["current_A"] / (frame["control/V/mA"] / 1e3) - 1).abs()
    assert frame["control/V/mA"].abs().to_numpy() == pytest.approx(np.full(len(frame), 0.0110), rel=1e-3)
    # The first two rows of a half cycle are milliseconds apart, and the switch falls between them.
    late = frame.groupby("half cycle").cumcount() >= 2
    assert apart[late].max() < 2e-3
    for counter in ("charge_capacity_mAh", "discharge_capacity_mAh"):
        assert passed(frame, counter) == pytest.approx([0.1320] * 16, abs=1e-4)
    plateaus = frame["potential_V"].abs().groupby(runs(frame)).median()
    assert len(plateaus) == 32
    assert plateaus.iloc[[0, -1]].tolist() == pytest.approx([0.1048, 0.1111], abs=1e-4)
    assert plateaus.iloc[-2] == pytest.approx(0.1115, abs=1e-4)
    assert frame["time_s"].iloc[-1] == pytest.approx(1.3856e6, rel=1e-4)


@pytest.mark.parametrize("suffix", ["mpr", "mpt"])
def test_modulo_bat_on_a_symmetric_cell(real_data: Path, suffix: str) -> None:
    name = f"symmetric/mb.{suffix}"
    found = read_file(real_data / name, Path(name).name)[1]
    assert [item.technique for item in found] == ["impedance"] * 8 + ["time_series"]
    item = found[-1]
    assert dict(item.warnings)["impedance_rows"].startswith("560 rows with a frequency")
    frame = item.frame
    ends = frame.groupby(runs(frame)).last()
    resistance = (ends["potential_V"] / ends["current_A"]).to_numpy()
    plate = [r for r, i in zip(resistance, ends["current_A"], strict=True) if i > 2e-6]
    strip = [r for r, i in zip(resistance, ends["current_A"], strict=True) if i < -2e-6]
    assert plate == pytest.approx([1354, 1347, 1333, 1395], abs=1)
    assert strip == pytest.approx([1375, 1320, 1416, 1347], abs=1)
    assert frame["current_A"][frame["step_kind"] == "charge"].median() == pytest.approx(2.80e-6, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "charges", "discharges"),
    [
        (CYCLING, (0.98678, 0.95589), (0.20653, 0.87949)),
        # The manifest integrated this one by trapezes, 0.05 % above EC-Lab's own counter.
        ("cycling/250116_kigr_gen6_01_02_GCPL_CD8.mpr", (2.3512, 1.8713), (1.7895, 1.8463)),
    ],
)
def test_first_and_last_capacities_of_gcpl(
    real_data: Path, name: str, charges: tuple[float, float], discharges: tuple[float, float]
) -> None:
    frame = series(real_data, name).frame
    for counter, expected in (("charge_capacity_mAh", charges), ("discharge_capacity_mAh", discharges)):
        found = passed(frame, counter)
        assert (found[0], found[-1]) == pytest.approx(expected, rel=1e-3)
        by_half = frame["Q charge/discharge/mA.h"].groupby(frame["half cycle"]).last()
        stated = [abs(q) for q in by_half if (q > 0) == (counter[0] == "c") and abs(q) > 1e-3]
        assert found == pytest.approx(stated, rel=1e-4)


def test_spans_of_gcpl(real_data: Path) -> None:
    frame = series(real_data, CYCLING).frame
    assert frame["time_s"].iloc[[0, -1]].tolist() == pytest.approx([0, 456309.6], abs=0.1)
    assert [frame["potential_V"].min(), frame["potential_V"].max()] == pytest.approx([2.0, 3.8], abs=1e-3)
    frame = series(real_data, "cycling/250116_kigr_gen6_01_02_GCPL_CD8.mpr").frame
    assert [frame["potential_V"].min(), frame["potential_V"].max()] == pytest.approx([0.288, 4.901], abs=1e-3)


def test_currents_of_a_rate_test(real_data: Path) -> None:
    frame = series(real_data, "rate/gcpl.issue_228.mpr").frame
    driven = frame[frame["step_kind"].isin(["charge", "discharge"])]
    levels = driven["current_A"].abs().groupby(runs(driven)).median()
    assert levels.iloc[:6].tolist() == pytest.approx([1.54e-4] * 6, rel=5e-3)
    assert levels.iloc[6:-1].tolist() == pytest.approx([1.54e-3] * (len(levels) - 7), rel=5e-3)


def test_pulses_of_a_solid_state_cell(real_data: Path) -> None:
    frame = series(real_data, "cycling/CP_SSB.mpr").frame
    assert np.ptp(frame["time_s"]) == pytest.approx(30, abs=0.3)
    assert frame["current_A"].abs().median() == pytest.approx(8.4e-6, rel=5e-3)
    assert {1, -1} <= set(np.sign(frame["current_A"]))


# Neware


def test_all_points_of_ndax_agree_with_the_vendors_export(real_data: Path) -> None:
    item = series(real_data, "cycling/nw4-120-1-6-53.ndax")
    frame, vendor = item.frame, pd.read_parquet(real_data / "cycling/nw4-120-1-6-53.parquet")
    # The vendor prints 0.1 mV, 1 µA and 1 mA s.
    assert frame["potential_V"].to_numpy() == pytest.approx(vendor["Voltage(mV)"].to_numpy() / 1e3, abs=5.1e-5)
    assert frame["current_A"].to_numpy() == pytest.approx(vendor["Current(uA)"].to_numpy() / 1e6, abs=5.1e-7)
    assert frame["step_capacity_mAh"].to_numpy() == pytest.approx(vendor["Capacity(mAs)"].abs() / 3600, abs=1e-5)
    assert frame["time_s"].to_numpy() == pytest.approx(vendor["Total Time"].to_numpy(dtype=float), abs=0.2)
    assert (frame["cycle_number"] == vendor["Cycle Index"]).all()
    assert (frame["step_number"] == vendor["Step Count"]).all()
    words = vendor["Step Type"].astype(str)
    assert (frame["step_kind"] == np.where(words.str.contains("DChg"), "discharge", "charge")).all()
    assert [frame["potential_V"].min(), frame["potential_V"].max()] == pytest.approx([1.646, 5.000], abs=1e-3)


def by_step(frame: pd.DataFrame, kind: str) -> list[float]:
    step = (frame["step_number"].diff().fillna(0) != 0) | (frame["cycle_number"].diff().fillna(0) != 0)
    rows = frame["step_kind"] == kind
    return frame["step_capacity_mAh"][rows].groupby(step.cumsum()[rows]).max().tolist()


@pytest.mark.parametrize(
    ("name", "counted", "discharges", "steps"),
    [
        ("cycling/nw4-120-1-6-53.ndax", 160, (0.32362, 0.06243), 480),
        ("cycling/test.nda", 2, (7e-5, 0.00701), 6),
        ("cycling/test.ndax", 1, (0.62545, 0.62545), 4),
    ],
)
def test_cycles_and_capacities_of_neware(
    real_data: Path, name: str, counted: int, discharges: tuple[float, float], steps: int
) -> None:
    item = series(real_data, name)
    assert item.metadata["cycles_counted"] == counted
    assert item.frame["step_number"].nunique() == steps
    found = by_step(item.frame, "discharge")
    assert (found[0], found[-1]) == pytest.approx(discharges, abs=6e-6)
    differs = item.frame["cycle_number"].nunique() != counted
    assert ("cycle_count_differs" in dict(item.warnings)) == differs


def test_charge_of_the_short_ndax(real_data: Path) -> None:
    assert by_step(series(real_data, "cycling/test.ndax").frame, "charge") == pytest.approx([0.59304], abs=5e-6)


def test_cycle_of_several_steps_of_discharge(real_data: Path) -> None:
    frame = series(real_data, "cycling/neware_uio.csv").frame
    peaks = frame.groupby(["cycle_number", "step_kind"])["step_capacity_mAh"].max().unstack()
    assert peaks["charge"].tolist() == pytest.approx([4.249, 4.247, 4.242, 1.438], abs=6e-4)
    assert peaks["discharge"].tolist() == pytest.approx([4.680, 4.065, 4.030, 3.315], abs=6e-4)
    first = frame[frame["cycle_number"] == 1]
    assert sum(by_step(first, "discharge")) == pytest.approx(5.086, abs=6e-4)


# Arbin


def test_res_agrees_with_another_programs_export(real_data: Path) -> None:
    item = series(real_data, "cycling/arbin_example.res")
    frame, other = item.frame, pd.read_csv(real_data / "cycling/arbin_example.bdf.csv")
    assert "rows_sorted" in dict(item.warnings)
    assert (np.diff(frame["record_number"]) == 1).all()
    assert frame["time_s"].to_numpy() == pytest.approx(other["Test_Time"].to_numpy())
    assert frame["potential_V"].to_numpy() == pytest.approx(other["Voltage"].to_numpy())
    assert frame["current_A"].to_numpy() == pytest.approx(other["Current"].to_numpy(), rel=1e-6, abs=1e-12)
    assert (frame["cycle_number"] == other["Cycle_Index"]).all()
    assert frame["charge_capacity_mAh"].to_numpy() == pytest.approx(1e3 * other["Charge_Capacity"].to_numpy(), abs=1e-9)
    first = frame[frame["cycle_number"] == 1]
    capacities = [first["charge_capacity_mAh"].max(), first["discharge_capacity_mAh"].max()]
    assert capacities == pytest.approx([0.48351, 0.47516], abs=6e-6)


def test_arbin_workbook_whose_cycle_never_advances(real_data: Path) -> None:
    item = series(real_data, XLSX)
    frame = item.frame
    assert frame["charge_capacity_mAh"].max() == pytest.approx(5.7027, abs=1e-4)
    assert frame["discharge_capacity_mAh"].max() == pytest.approx(11.0549, abs=1e-4)
    # The manifest's 5.6985 is an integral; the counter says 5.6981.
    assert passed(frame, "discharge_capacity_mAh") == pytest.approx([5.798, 5.2569], abs=2e-4)
    assert passed(frame, "charge_capacity_mAh")[0] == pytest.approx(5.6985, abs=5e-4)
    assert item.metadata["measured_at"] == "2020-10-19T11:33:31"


def test_arbin_slice_of_a_test(real_data: Path) -> None:
    item = series(real_data, "cycling/arbin_example.csv")
    frame = item.frame
    assert "slice_not_from_start" in dict(item.warnings)
    assert frame["charge_capacity_mAh"].iloc[0] == pytest.approx(880, abs=0.1)
    peaks = frame.groupby("cycle_number")[["charge_capacity_mAh", "discharge_capacity_mAh"]].max()
    assert peaks["charge_capacity_mAh"].tolist() == pytest.approx([1071.9, 1072.5], abs=0.06)
    assert peaks["discharge_capacity_mAh"].tolist() == pytest.approx([1072.4, 1072.9], abs=0.06)
    assert [frame["potential_V"].min(), frame["potential_V"].max()] == pytest.approx([1.9996, 3.6004], abs=1e-4)
    # Dates repeat; the time of the test has more digits and does not.
    assert (frame["unix_time_s"].diff() == 0).any()
    assert (frame["time_s"].diff().dropna() > 0).all()


# Maccor, PEC, Gamry


def test_maccor_that_ends_in_a_row(real_data: Path) -> None:
    path = real_data / "cycling/maccor_two.txt"
    with pytest.raises(BadRow) as caught:
        read_file(path, path.name)
    assert caught.value.line == 229
    assert caught.value.sentence == (
        "Line 229 has 9 values, 28 are expected. The file ends in the middle of a row, so the export was probably cut "
        "off. Export it again, or use the 213 good points (0 s to 3.53 h)."
    )
    (item,) = read_file(path, path.name, skips_bad_rows=True)[1]
    frame = item.frame
    assert len(frame) == 213
    # A row a minute, by the dates: the column without a unit counts minutes.
    assert "time_unit_from_dates" in dict(item.warnings)
    assert np.diff(frame["time_s"]) == pytest.approx(np.diff(frame["unix_time_s"]))
    assert frame["time_s"].iloc[-1] == 212 * 60
    assert frame["potential_V"].iloc[[0, 1, -1]].tolist() == [0.1377, 0.1385, 0.1490]
    assert set(frame["step_kind"]) == {"rest"}


def test_maccor_of_one_line_of_head(real_data: Path) -> None:
    item = series(real_data, "cycling/maccor_example.001")
    assert item.metadata["measured_at"] == "2016-03-31T16:05:31"
    assert "NCM523" in item.metadata["header"][0]
    # Minutes with four digits.
    assert item.frame["time_s"].tolist() == pytest.approx(np.arange(0, 80, 10), abs=4e-3)
    assert item.frame["potential_V"].iloc[0] == 3.30678264


def test_pec(real_data: Path) -> None:
    item = series(real_data, "cycling/pec_Test25209.csv")
    frame = item.frame
    assert frame["time_s"].iloc[[0, -1]].tolist() == pytest.approx([0.002, 8 * 3600 + 16 * 60 + 8.1])
    assert frame["potential_V"].iloc[[0, -1]].tolist() == [3.7525636, 3.7534376]
    assert frame["discharge_capacity_mAh"].iloc[-1] == 0.009
    assert set(frame["step_kind"]) == {"rest"}


def test_gamry_chronoamperometry(real_data: Path) -> None:
    item = series(real_data, "chronoamperometry/chronoa_data.dta")
    frame = item.frame
    assert np.diff(frame["time_s"]) == pytest.approx(30, abs=1e-3)
    assert frame["current_A"].iloc[0] == -2.34197e-8
    assert frame["potential_V"].iloc[1] == pytest.approx(0.4997, abs=5e-5)
    assert dict(item.warnings)["points_missing"] == "The table states 5258 points, the file has 10."


# BDF


def test_bdf_of_a_landt_test(real_data: Path) -> None:
    item = series(real_data, LANDT)
    said = dict(item.warnings)
    # Rest, discharge, charge, discharge: 6.3, 3.2 and 1.3 mAh by the tester.
    frame = item.frame
    step = (frame["step_number"].diff().fillna(0) != 0).cumsum()
    assert frame["step_capacity_mAh"].groupby(step).max().tolist() == pytest.approx([0, 6.3, 3.2, 1.3])
    assert {"step_index_is_step", "counters_per_step"} <= set(said)
    assert "7.144 mAh" in said["current_resolution"]
    assert "6.3 mAh" in said["current_resolution"]


def test_bdf_whose_time_runs_backwards(real_data: Path) -> None:
    item = series(real_data, TIME_BUG)
    assert dict(item.warnings)["clock_reset"].startswith("Time goes backwards 19 times, first after row ")
    assert (np.diff(item.frame["time_s"]) < 0).sum() == 19
