"""Time series of the data set, against the numbers of its manifest."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from measurements.readers.base import ReaderError, Recording
from measurements.readers.generic import GenericReader
from measurements.readers.recognise import read_file

pytestmark = pytest.mark.real

ROWS = 2150
CHARGES = [0.4835, 0.47385, 0.4733, 0.47314]  # mAh of cycles 1 to 4, the tester's own
DISCHARGES = [0.47228, 0.47147, 0.47112, 0.47083]
LAND = ["land_v7_en_tabs.xlsx", "land_v7_cn_gbk.csv", "land_old_index.txt", "land_min_threecol.txt"]
SINTEF = "cycling/SINTEF__LiGrR2032__2024-04-30__25degC__Landt.csv"


def read(real_data: Path, name: str) -> tuple[str, Recording]:
    reader, found = read_file(real_data / name, Path(name).name)
    assert len(found) == 1
    return reader.slug, found[0]


def step_tops(frame: pd.DataFrame, kind: str) -> list[float]:
    rows = frame[frame["step_kind"] == kind]
    return list(rows.groupby("cycle_number")["step_capacity_mAh"].max())


@pytest.mark.parametrize("name", LAND)
def test_land_layouts_hold_the_same_points(real_data: Path, name: str) -> None:
    slug, recording = read(real_data, f"reconstructed/{name}")
    frame = recording.frame
    assert slug == "land"
    assert recording.technique == "time_series"
    assert len(frame) == ROWS
    tolerance = 1.0 if name == "land_old_index.txt" else 1e-3  # the old layout writes whole seconds
    assert frame["time_s"].iloc[-1] == pytest.approx(96 * 3600 + 2 * 60 + 13.317, abs=tolerance)
    assert frame["potential_V"].iloc[[0, -1]].tolist() == [3.8592, 3.8721]
    assert "duplicate_time" in dict(recording.warnings)
    assert "clock_reset" not in dict(recording.warnings)
    assert "counter_differs" not in dict(recording.warnings)
    assert "not yet confirmed with a vendor file" in recording.metadata["reader_note"]


@pytest.mark.parametrize("name", LAND[:3])
def test_land_capacities_are_those_of_the_tester(real_data: Path, name: str) -> None:
    frame = read(real_data, f"reconstructed/{name}")[1].frame
    tolerance = 1e-4 if name == "land_old_index.txt" else 1e-6  # it writes four decimals
    assert step_tops(frame, "charge") == pytest.approx(CHARGES, abs=tolerance)
    assert step_tops(frame, "discharge") == pytest.approx(DISCHARGES, abs=tolerance)


def test_land_tables_mass_and_time(real_data: Path) -> None:
    recording = read(real_data, "reconstructed/land_v7_en_tabs.xlsx")[1]
    cycles = recording.metadata["tester_cycles"]
    assert [row["cycle_number"] for row in cycles] == [1, 2, 3, 4, 5]
    assert [row["charge_capacity_mAh"] for row in cycles] == [*CHARGES, 0]
    assert [row["discharge_capacity_mAh"] for row in cycles] == [*DISCHARGES, 0]
    assert cycles[0]["charge_specific_capacity_mAh_g"] == 193.4
    assert len(recording.metadata["tester_steps"]) == 17
    assert recording.metadata["active_mass_mg"] == pytest.approx(2.5, rel=1e-3)
    assert recording.metadata["measured_at"] == "2023-07-24T18:50:00"
    assert recording.frame["cycle_number"].iloc[-1] == 5


@pytest.mark.parametrize("name", LAND[2:])
def test_cycles_are_counted_where_land_writes_none(real_data: Path, name: str) -> None:
    recording = read(real_data, f"reconstructed/{name}")[1]
    derived = recording.frame["cycle_number"].to_numpy()
    told = read(real_data, "reconstructed/land_v7_cn_gbk.csv")[1].frame
    assert "cycles_derived" in dict(recording.warnings)
    # The tester opens cycle 5 for the last rest; a cycle is counted only when a charge begins.
    moving = np.abs(told["current_A"].to_numpy()) > 1e-6
    assert (derived[moving] == told["cycle_number"].to_numpy()[moving]).all()


def test_land_csv_with_rounded_current(real_data: Path) -> None:
    slug, recording = read(real_data, SINTEF)
    frame = recording.frame
    assert slug == "land"
    assert len(frame) == 25_162
    assert frame["time_s"].iloc[[0, -1]].tolist() == [0.020, 262657.764]
    assert set(frame["cycle_number"]) == {1, 2}
    runs = (frame["step_kind"] != frame["step_kind"].shift()).cumsum()
    steps = [
        (group["step_kind"].iloc[0], len(group), group["step_capacity_mAh"].max()) for _, group in frame.groupby(runs)
    ]
    assert steps == [
        ("rest", 2881, 0.0),
        ("discharge", 13164, pytest.approx(6.3)),
        ("charge", 6417, pytest.approx(3.2)),
        ("discharge", 2700, pytest.approx(1.3)),
    ]
    assert (frame.loc[frame["step_kind"] == "discharge", "current_A"] <= 0).all()
    assert recording.metadata["measured_at"] == "2024-04-30T14:33:19"
    assert "reader_note" not in recording.metadata
    said = dict(recording.warnings)["current_resolution"]
    assert "integrates to 7.144 mAh" in said
    assert "tester counts 6.3 mAh" in said


def test_land_csv_agrees_with_the_twin_of_another_group(real_data: Path) -> None:
    ours = read(real_data, SINTEF)[1].frame
    twin = pd.read_csv(real_data / SINTEF.replace(".csv", ".bdf.csv"))
    assert ours["time_s"].to_numpy() == pytest.approx(twin["test_time_second"].to_numpy())
    assert ours["potential_V"].to_numpy() == pytest.approx(twin["voltage_volt"].to_numpy())
    assert ours["current_A"].to_numpy() == pytest.approx(twin["current_ampere"].to_numpy())


def test_nova_polarisation(real_data: Path) -> None:
    slug, recording = read(real_data, "reconstructed/nova_ca_semicolon.txt")
    frame = recording.frame
    assert slug == "nova"
    assert len(frame) == 721
    assert frame["time_s"].iloc[0] == 0
    assert frame["time_s"].iloc[-1] == pytest.approx(43_200, abs=0.01)
    assert frame["current_A"].iloc[[0, 1, -1]].tolist() == pytest.approx([1.860e-5, 2.889e-8, 2.765e-9], rel=1e-3)
    assert "cycle_number" not in frame
    assert 0.2986 / frame["current_A"].iloc[-1] == pytest.approx(1.080e8, rel=1e-3)


def test_generic_reader_takes_a_tester_it_does_not_know(real_data: Path) -> None:
    found = GenericReader().read(real_data / "cycling/arbin_example.csv")
    frame = found[0].frame
    assert len(frame) == 2142
    assert set(frame["cycle_number"]) == {1, 2}
    assert (frame["potential_V"].min(), frame["potential_V"].max()) == pytest.approx((1.9996, 3.6004), abs=5e-5)
    tops = frame.groupby("cycle_number")[["charge_capacity_mAh", "discharge_capacity_mAh"]].max() / 1e3
    assert tops["charge_capacity_mAh"].tolist() == pytest.approx([1.0719, 1.0725], abs=1e-4)
    assert tops["discharge_capacity_mAh"].tolist() == pytest.approx([1.0724, 1.0729], abs=1e-4)
    codes = dict(found[0].warnings)
    assert "counter of capacity does not begin at 0" in codes["slice_not_from_start"]


def test_generic_reader_takes_a_workbook(real_data: Path) -> None:
    name = "bs542_004_gr_li_50ua_50mv_1v_191020_Channel_11.xlsx"
    frame = GenericReader().read(real_data / "cycling" / name)[0].frame
    assert len(frame) == 4526
    assert frame["charge_capacity_mAh"].max() == pytest.approx(5.7027, abs=1e-4)
    assert frame["discharge_capacity_mAh"].max() == pytest.approx(11.0549, abs=1e-4)


def test_time_that_runs_backwards_is_told(real_data: Path) -> None:
    name = "rate/SINTEF__SLPBA842124HV__2024-10-23__Rate_25degC__Neware__Time_Bug.bdf.csv"
    recording = GenericReader().read(real_data / name)[0]
    assert dict(recording.warnings)["clock_reset"].startswith("Time goes backwards 19 times")


@pytest.mark.parametrize("share", [0.37, 0.62, 0.9])
@pytest.mark.parametrize("name", [*(f"reconstructed/{name}" for name in LAND[1:]), SINTEF])
def test_cut_row_is_named_with_its_line(real_data: Path, tmp_path: Path, name: str, share: float) -> None:
    data = (real_data / name).read_bytes()
    start = data.index(b"\n", int(len(data) * share)) + 1
    path = tmp_path / Path(name).name
    path.write_bytes(data[: start + 6])
    with pytest.raises(ReaderError, match=r"The file ends in the middle of a row.*use the \d+ good points") as caught:
        read_file(path, path.name)
    assert caught.value.line == data.count(b"\n", 0, start) + 1


def test_cut_workbook_is_damaged(real_data: Path, tmp_path: Path) -> None:
    data = (real_data / "reconstructed" / LAND[0]).read_bytes()
    path = tmp_path / LAND[0]
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ReaderError, match="damaged"):
        read_file(path, path.name)
