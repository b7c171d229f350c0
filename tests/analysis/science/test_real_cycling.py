"""Real files of cyclers: capacities as the tester itself counted them; see the manifest beside the files."""

import numpy as np
import pandas as pd
import pytest

from analysis.science.cycles import cycles_of

pytestmark = pytest.mark.real


def kind_of(words):
    """'charge', 'discharge' or 'rest' from the words of Neware and LANDT."""
    if "DChg" in words or "discharge" in words:
        return "discharge"
    return "charge" if "Chg" in words or "charge" in words else "rest"


def neware(folder):
    table = pd.read_csv(folder / "cycling" / "neware_uio.csv", encoding_errors="replace")
    return pd.DataFrame(
        {
            "time_s": pd.to_timedelta(table["Cumulative Time"]).dt.total_seconds(),
            "potential_V": table["Voltage(V)"],
            "current_A": table["Current(A)"],
            "cycle_number": table["Cycle Index"],
            "step_number": table["Step Index"],
            "step_kind": table["Step Type"].map(kind_of),
            "step_capacity_mAh": 1000.0 * table["Capacity(Ah)"],
        }
    )


def arbin(folder):
    table = pd.read_csv(folder / "cycling" / "arbin_example.csv")
    return pd.DataFrame(
        {
            "time_s": table["Test_Time"],
            "potential_V": table["Voltage"],
            "current_A": table["Current"],
            "cycle_number": table["Cycle_Index"],
            "step_number": table["Step_Index"],
            "charge_capacity_mAh": 1000.0 * table["Charge_Capacity"],
            "discharge_capacity_mAh": 1000.0 * table["Discharge_Capacity"],
        }
    )


def landt(folder):
    path = folder / "cycling" / "SINTEF__LiGrR2032__2024-04-30__25degC__Landt.csv"
    table = pd.read_csv(path, skiprows=6, index_col=False)
    return pd.DataFrame(
        {
            "time_s": table["test_time_s"],
            "potential_V": table["voltage_V"],
            "current_A": table["current_A"],
            "step_kind": table["step_name"].map(kind_of),
            "charge_capacity_mAh": 1000.0 * table["charge_capacity_Ah"],
            "discharge_capacity_mAh": 1000.0 * table["discharge_capacity_Ah"],
        }
    )


def vendor_export(folder):
    table = pd.read_parquet(folder / "cycling" / "nw4-120-1-6-53.parquet").reset_index(drop=True)
    return pd.DataFrame(
        {
            "time_s": table["Total Time"],
            "potential_V": table["Voltage(mV)"].astype(float) / 1000.0,
            "current_A": table["Current(uA)"].astype(float) / 1e6,
            "step_number": table["Step Count"],
            "step_kind": table["Step Type"].astype(str).map(kind_of),
            "step_capacity_mAh": table["Capacity(mAs)"].astype(float).abs() / 3600.0,
        }
    )


def test_neware_steps_are_added_within_a_cycle(real_data):
    """The counter begins anew in each step: its highest value in cycle 1 is 4.680, the sum of the steps 5.086 mAh."""
    found = cycles_of(neware(real_data))
    assert found.table["discharge_capacity_mAh"].iloc[0] == pytest.approx(5.086, abs=0.001)
    assert found.table["charge_capacity_mAh"].iloc[:3].tolist() == pytest.approx([4.249, 4.247, 4.242], abs=0.001)
    assert found.halves.charge_mAh == pytest.approx(found.used_mAh, rel=0.001)


def test_arbin_slice_keeps_what_the_counter_had_before_it(real_data):
    found = cycles_of(arbin(real_data))
    assert found.table["charge_capacity_mAh"].tolist() == pytest.approx([1071.9, 1072.5], abs=0.06)
    assert found.table["discharge_capacity_mAh"].tolist() == pytest.approx([1072.4, 1072.9], abs=0.06)
    assert {"begins_inside_half"} <= {code for code, _ in found.warnings}
    # Of the halves that the file holds whole, integral and counter agree.
    assert found.halves.charge_mAh[1:] == pytest.approx(found.used_mAh[1:], rel=0.001)


def test_landt_prints_too_few_digits_of_the_current_and_the_counter_is_used(real_data):
    found = cycles_of(landt(real_data))
    assert found.source == "counter"
    assert found.used_mAh[0] == pytest.approx(6.3, abs=0.05)
    assert found.halves.charge_mAh[0] == pytest.approx(7.144, abs=0.001)
    assert "counter_differs" in {code for code, _ in found.warnings}


def test_160_cycles_of_a_dying_cell(real_data):
    found = cycles_of(vendor_export(real_data)).table
    assert len(found) == 160
    assert found["discharge_capacity_mAh"].iloc[0] == pytest.approx(0.32362, abs=5e-6)
    assert found["discharge_capacity_mAh"].iloc[-1] == pytest.approx(0.06243, abs=5e-6)
    assert np.isfinite(found["coulombic_efficiency_fraction"]).all()


def test_nineteen_false_stamps_are_repaired_visibly(real_data):
    """The first row of each step carries time 0; a 13 Ah pouch cell, discharged at rates from C/20 to 4.5 C."""
    (path,) = (real_data / "rate").glob("*Time_Bug*")
    table = pd.read_csv(path)
    frame = pd.DataFrame(
        {
            "time_s": table["test_time_second"],
            "potential_V": table["voltage_volt"],
            "current_A": table["current_ampere"],
        }
    )
    found = cycles_of(frame)
    said = dict(found.warnings)
    assert said["clock_reset"].startswith("Time runs backwards 19 times, first at row 723.")
    assert found.used_mAh.max() < 14_000.0
    # Neither more nor less than current times time of the rows themselves, without those of time 0.
    sound = table[(table["test_time_second"] > 0) | (table.index == 0)]
    time, current = sound["test_time_second"].to_numpy(), sound["current_ampere"].to_numpy()
    passed = 0.5 * (np.abs(current[1:]) + np.abs(current[:-1])) @ np.diff(time) / 3.6
    assert found.halves.charge_mAh.sum() == pytest.approx(passed, rel=0.001)
