"""BDF out and in again, and what older files do differently."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from measurements.readers.base import Peek, ReaderError, Recording
from measurements.readers.bdf import machine_name, to_bdf
from measurements.readers.recognise import read_file, readers
from tests.data.readers.make_samples import FOLDER
from tests.data.readers.tester_samples import ROWS, TESTER_SAMPLES


def read(path: Path) -> Recording:
    reader, (found,) = read_file(path, path.name)
    assert reader.slug == "bdf"
    return found


def written(frame: pd.DataFrame, folder: Path, suffix: str) -> Path:
    path = folder / f"x.bdf.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


# The labels and machine names of the specification.
NAMES = {
    "Test Time / s": "test_time_second", "Voltage / V": "voltage_volt", "Current / A": "current_ampere",
    "Unix Time / s": "unix_time_second", "Cycle Count / 1": "cycle_count", "Step Count / 1": "step_count",
    "Step ID": "step_id", "Step Type": "step_type", "Ambient Temperature / degC": "ambient_temperature_celsius",
    "Charging Capacity / Ah": "charging_capacity_ah", "Step Cumulative Capacity / Ah": "step_cumulative_capacity_ah",
    "Cycle Discharging Energy / Wh": "cycle_discharging_energy_wh", "DC Internal Resistance / ohm":
    "dc_internal_resistance_ohm", "Frequency / Hz": "frequency_hertz", "Phase / deg": "phase_degree",
    "Temperature T1 / degC": "temperature_t1_celsius", "Power / W": "power_watt", "Applied Pressure / Pa":
    "applied_pressure_pa", "voltage_volt": "voltage_volt", "Step Index / 1": "step_index",
}  # fmt: skip


@pytest.mark.parametrize(("label", "name"), NAMES.items())
def test_machine_name_of_a_label(label: str, name: str) -> None:
    assert machine_name(label) == name


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("name", sorted(set(TESTER_SAMPLES) - {"bdf_labels.csv"}))
def test_every_tester_comes_back_from_bdf_unchanged(name: str, suffix: str, tmp_path: Path) -> None:
    (item,) = read_file(FOLDER / name, name)[1]
    again = read(written(to_bdf(item.frame), tmp_path, suffix)).frame
    canonical = ["time_s", "potential_V", "current_A", "cycle_number", "step_number", "step_kind", "step_capacity_mAh",
                 "charge_capacity_mAh", "discharge_capacity_mAh", "step_energy_mWh", "charge_energy_mWh",
                 "discharge_energy_mWh", "temperature_degC", "unix_time_s"]  # fmt: skip
    kept = [column for column in canonical if column in item.frame]
    assert [column for column in canonical if column in again and column in kept] == kept
    for column in kept:
        if column == "step_kind":
            assert again[column].tolist() == item.frame[column].tolist()
        else:
            assert again[column].to_numpy(float) == pytest.approx(
                item.frame[column].to_numpy(float), rel=1e-12, abs=1e-15
            )


def test_names_and_units_that_are_written() -> None:
    frame = pd.DataFrame({
        "time_s": [0.0, 1.0, 2.0, 3.0], "potential_V": [3.0, 3.1, 3.2, 3.3], "current_A": [1.0, 1.0, -1.0, -1.0],
        "cycle_number": [1, 1, 1, 2], "step_number": [7, 7, 9, 7],
        "step_kind": ["charge", "charge", "discharge", "charge"],
        "step_capacity_mAh": [0.0, 500.0, 0.0, 250.0], "charge_capacity_mAh": [0.0, 500.0, 500.0, 500.0],
        "discharge_capacity_mAh": [0.0, 0.0, 250.0, 0.0], "charge_energy_mWh": [0.0, 1500.0, 1500.0, 1500.0],
        "temperature_degC": [25.0] * 4, "unix_time_s": [1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3], "I Range": [1, 1, 1, 1],
    })  # fmt: skip
    out = to_bdf(frame)
    expected = {
        "test_time_second": [0.0, 1.0, 2.0, 3.0], "voltage_volt": [3.0, 3.1, 3.2, 3.3],
        "current_ampere": [1.0, 1.0, -1.0, -1.0], "unix_time_second": [1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3],
        "cycle_count": [1, 1, 1, 2],
        # Counts the steps that were run; the number that the tester gives them stands beside it.
        "step_count": [1, 1, 2, 3], "step_id": [7, 7, 9, 7], "step_type": ["charge", "charge", "discharge", "charge"],
        "step_cumulative_capacity_ah": [0.0, 0.5, 0.0, 0.25], "charging_capacity_ah": [0.0, 0.5, 0.5, 0.5],
        # It began anew with the cycle, which charging_… and discharging_… of BDF never do.
        "cycle_discharging_capacity_ah": [0.0, 0.0, 0.25, 0.0], "charging_energy_wh": [0.0, 1.5, 1.5, 1.5],
        "ambient_temperature_celsius": [25.0] * 4,
    }  # fmt: skip
    assert {name: out[name].tolist() for name in out} == expected


def test_steps_that_already_count_are_not_written_twice() -> None:
    frame = pd.DataFrame({"time_s": [0.0, 1, 2], "potential_V": 3.0, "current_A": 1.0, "step_number": [1, 1, 2]})
    out = to_bdf(frame)
    assert out["step_count"].tolist() == [1, 1, 2]
    assert "step_id" not in out


def test_what_bdf_requires() -> None:
    with pytest.raises(ValueError, match=r"^BDF needs potential_V, current_A\.$"):
        to_bdf(pd.DataFrame({"time_s": [1.0]}))


def test_parquet_that_is_no_bdf(tmp_path: Path) -> None:
    path = written(pd.DataFrame({"Time": [1.0], "U": [2.0]}), tmp_path, "parquet")
    with pytest.raises(ReaderError, match=r"^No BDF table found: .* Columns seen: Time, U\. Export it again as BDF"):
        read_file(path, path.name)


@pytest.mark.parametrize(
    "spoil", [lambda data: data[: len(data) * 3 // 4], lambda data: data[:8] + bytes(len(data) - 8)]
)
def test_damaged_parquet(spoil, tmp_path: Path) -> None:
    (item,) = read_file(FOLDER / "bdf_names.csv", "x.csv")[1]
    path = written(to_bdf(item.frame), tmp_path, "parquet")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ReaderError, match=r"^This Parquet file cannot be read; it is damaged or cut off\. Copy"):
        read_file(path, path.name)


def test_parquet_is_known_by_its_reader_alone(tmp_path: Path) -> None:
    (item,) = read_file(FOLDER / "bdf_names.csv", "x.csv")[1]
    peek = Peek(written(to_bdf(item.frame), tmp_path, "parquet"), "x.dat")
    assert [reader.slug for reader in readers().values() if not reader.is_generic and reader.recognises(peek)] == [
        "bdf"
    ]


def plain(**columns: object) -> pd.DataFrame:
    base = {
        "test_time_second": [row.time for row in ROWS],
        "voltage_volt": [row.V for row in ROWS],
        "current_ampere": [row.mA / 1e3 for row in ROWS],
    }
    return pd.DataFrame(base | columns)


@pytest.mark.parametrize("factor", [1.0, 1e-3, 1e3])
def test_arbins_own_columns_count_where_the_export_contradicts_them(factor: float, tmp_path: Path) -> None:
    amperes = np.array([row.mA / 1e3 for row in ROWS])
    counted = np.cumsum(np.abs(amperes)) / 60.0
    own = {
        "Current": amperes, "Charge_Capacity": np.where(amperes > 0, counted, 0.0),
        "Discharge_Capacity": np.where(amperes < 0, counted, 0.0), "Charge_Energy": 3.7 * counted,
        "Discharge_Energy": 3.5 * counted,
    }  # fmt: skip
    theirs = {"current_ampere": amperes * factor, "charging_capacity_ah": own["Charge_Capacity"] * factor,
              "discharging_capacity_ah": own["Discharge_Capacity"] * factor}  # fmt: skip
    item = read(written(plain(**own, **theirs), tmp_path, "csv"))
    assert item.frame["current_A"].to_numpy() == pytest.approx(amperes)
    assert item.frame["charge_capacity_mAh"].to_numpy() == pytest.approx(1e3 * own["Charge_Capacity"])
    said = dict(item.warnings).get("unit_conflict", "")
    how = {1.0: "", 1e-3: "1000 times smaller", 1e3: "1000 times larger"}[factor]
    assert bool(said) == bool(how)
    if how:
        assert said == (
            f"‘current_ampere’ is {how} than ‘Current’, the tester’s own column in the same file. "
            "The tester’s own columns were taken. Check the export."
        )
        assert item.frame["charge_energy_mWh"].to_numpy() == pytest.approx(1e3 * own["Charge_Energy"])


def test_step_index_that_numbers_steps_and_one_that_numbers_rows(tmp_path: Path) -> None:
    item = read(written(plain(step_index=[row.step for row in ROWS]), tmp_path, "csv"))
    assert item.frame["step_number"].tolist() == [row.step for row in ROWS]
    assert "step_index_is_step" in dict(item.warnings)
    item = read(written(plain(step_index=np.arange(len(ROWS))), tmp_path, "csv"))
    assert "step_number" not in item.frame
    assert item.frame["step_index"].tolist() == list(range(len(ROWS)))


def test_net_charge_of_a_step_loses_its_sign(tmp_path: Path) -> None:
    net = [np.sign(row.mA) * row.step_mAh / 1e3 for row in ROWS]
    item = read(written(plain(step_net_capacity_ah=net), tmp_path, "csv"))
    assert item.frame["step_capacity_mAh"].tolist() == pytest.approx([row.step_mAh for row in ROWS])


def test_counters_that_begin_anew_with_a_step(tmp_path: Path) -> None:
    frame = plain(
        step_id=[row.step for row in ROWS],
        charging_capacity_ah=[row.step_mAh / 1e3 if row.mA > 0 else 0 for row in ROWS],
        discharging_capacity_ah=[row.step_mAh / 1e3 if row.mA < 0 else 0 for row in ROWS],
    )
    item = read(written(frame, tmp_path, "csv"))
    assert item.frame["step_capacity_mAh"].tolist() == pytest.approx([row.step_mAh for row in ROWS])
    assert "charge_capacity_mAh" not in item.frame
    assert "counters_per_step" in dict(item.warnings)


def test_sensor_that_is_not_there(tmp_path: Path) -> None:
    frame = plain(ambient_temperature_celsius=0.0, temperature_t1_celsius=30.5)
    item = read(written(frame, tmp_path, "csv"))
    assert item.frame["temperature_degC"].tolist() == [30.5] * len(ROWS)
    assert item.metadata["temperature_degC"] == 30.5
