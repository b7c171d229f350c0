"""Half-steps: where they begin and end, what they hold, and what real files put between them."""

import numpy as np
import pandas as pd
import pytest

from analysis.science.base import AnalysisError
from analysis.science.steps import find_steps, group_median
from analysis.science.synthetic_series import Cell, current_steps, galvanostatic_test

CELL = Cell(area_cm2=1.0, asr_ohm_cm2=100.0, noise_V=0.0, settle_s=0.0, resolution_V=0.0)


def made(programme, cell=CELL, **more):
    return galvanostatic_test(programme, cell, np.random.default_rng(3), **more).frame


def rows(*parts):
    """Parts of (current in mA, voltage in mV, number of rows), one row a minute."""
    current = np.concatenate([np.full(n, mA) for mA, _, n in parts]) * 1e-3
    volts = np.concatenate([np.full(n, mV) for _, mV, n in parts]) * 1e-3
    return pd.DataFrame({"time_s": 60.0 * np.arange(current.size), "potential_V": volts, "current_A": current})


def test_currents_times_charges_and_resistances_are_exact():
    steps = find_steps(made(current_steps([0.1, 0.2], 3600.0, 600.0), first_rest_s=1800.0))
    assert steps.count == 4
    assert steps.sign.tolist() == [1, -1, 1, -1]
    assert steps.magnitude_A * 1e3 == pytest.approx([0.1, 0.1, 0.2, 0.2])
    assert steps.duration_s == pytest.approx([3600.0] * 4)
    assert steps.capacity_mAh == pytest.approx([0.1, 0.1, 0.2, 0.2], rel=2e-3)
    assert steps.resistance_ohm == pytest.approx([100.0] * 4)


@pytest.mark.parametrize("drop", [[], ["step_number"]])
def test_a_ramp_of_one_direction_is_split_by_magnitude(drop):
    programme = [(0.1 * k, 1800.0) for k in range(1, 6)]
    steps = find_steps(made(programme).drop(columns=drop))
    assert steps.magnitude_A * 1e3 == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_a_noisy_current_of_one_level_stays_one_half_step():
    frame = made(current_steps([0.1, 0.2], 3600.0), interval_s=5.0)
    frame["current_A"] *= 1.0 + 0.05 * np.random.default_rng(1).standard_normal(len(frame))
    assert find_steps(frame).count == 4
    assert find_steps(frame.drop(columns="step_number")).count == 4


def test_blips_of_one_row_make_no_half_step():
    frame = made(current_steps([0.1, 0.2], 3600.0, 600.0))
    frame.loc[[100, 700], "current_A"] = 0.0
    frame.loc[380, "current_A"] = 2e-4  # in the rest
    assert find_steps(frame).count == 4


def test_a_current_that_a_voltage_limit_lets_fall_is_no_new_step():
    frame = rows((0.1, 10, 30), (-0.1, -10, 30), (0.2, 5000, 30))
    frame.loc[70:, "current_A"] *= np.linspace(0.9, 0.2, 20)
    steps = find_steps(frame)
    assert steps.count == 3
    assert steps.magnitude_A[2] == pytest.approx(2e-4)


def test_the_offset_of_the_rests_is_taken_off():
    cell = Cell(area_cm2=1.0, asr_ohm_cm2=100.0, noise_V=0.0, settle_s=0.0, resolution_V=0.0, offset_V=0.002)
    steps = find_steps(made(current_steps([0.1, 0.2], 3600.0, 600.0), cell))
    assert steps.offset_V == pytest.approx(0.002)
    assert steps.resistance_ohm == pytest.approx([100.0] * 4)


def test_isolated_spikes_are_removed_and_counted():
    frame = made(current_steps([0.1, 0.2], 3600.0))
    frame.loc[[50, 51, 200], "potential_V"] *= 3.0
    steps = find_steps(frame)
    assert steps.spike_count == 2
    assert steps.voltage_V == pytest.approx(find_steps(made(current_steps([0.1, 0.2], 3600.0))).voltage_V)


def test_noise_is_that_of_the_generator_and_not_of_the_slope():
    frame = made(current_steps([0.1] * 2, 7200.0), interval_s=1.0)
    frame["potential_V"] += 1e-5 * frame["time_s"] + 2e-4 * np.random.default_rng(5).standard_normal(len(frame))
    assert find_steps(frame).noise_V == pytest.approx([2e-4] * find_steps(frame).count, rel=0.1)


def test_a_clock_that_was_set_back_is_joined_and_said():
    frame = made(current_steps([0.1, 0.2], 3600.0))
    frame.loc[frame["time_s"] > 7200.0, "time_s"] -= 7200.0
    steps = find_steps(frame)
    assert (np.diff(steps.time_s) >= 0.0).all()
    assert "clock_reset" in {code for code, _ in steps.warnings}


def test_exchanged_leads_are_turned_and_said():
    frame = made(current_steps([0.1, 0.2], 3600.0))
    frame["potential_V"] *= -1.0
    steps = find_steps(frame)
    assert steps.is_reversed
    assert steps.resistance_ohm == pytest.approx([100.0] * 4)


def test_charge_until_a_row_counts_both_directions():
    steps = find_steps(made(current_steps([0.1], 3600.0)))
    assert steps.charge_until_mAh(steps.time_s.size) == pytest.approx(0.2, rel=3e-3)
    assert steps.charge_until_mAh(int(steps.last[0]) - 1) == pytest.approx(0.1, rel=3e-3)


def test_what_cannot_be_split_is_refused_with_a_sentence():
    with pytest.raises(AnalysisError, match="no current column"):
        find_steps(pd.DataFrame({"time_s": [0.0], "potential_V": [0.0]}))
    with pytest.raises(AnalysisError, match="No current flows"):
        find_steps(rows((0.0, 0.0, 20)))


def test_medians_of_groups():
    values, group = np.array([3.0, 1.0, 2.0, 10.0, 20.0]), np.array([0, 0, 0, 2, 2])
    found = group_median(values, group, 3)
    assert found[[0, 2]].tolist() == [2.0, 15.0]
    assert np.isnan(found[1])


def test_two_spikes_close_together_are_both_removed():
    frame = made(current_steps([0.1, 0.2], 3600.0))
    frame.loc[[100, 101, 103, 104], "potential_V"] *= 2.0
    assert find_steps(frame).voltage_V == pytest.approx(find_steps(made(current_steps([0.1, 0.2], 3600.0))).voltage_V)


def test_uneven_rows_are_no_noise():
    # A slope of 1 µV/s in rows 1 s and 50 s apart: second differences would see 50 µV.
    frame = made(current_steps([0.1] * 2, 7200.0), interval_s=1.0)
    frame["potential_V"] += np.sign(frame["current_A"]) * 1e-6 * (frame["time_s"] % 7200.0)
    frame = frame[frame.index % 50 <= 1].reset_index(drop=True)
    assert find_steps(frame).noise_V == pytest.approx(0.0, abs=1e-9)


def test_a_short_rest_between_two_currents_of_one_direction_stays_a_rest():
    frame = rows((0.1, 10, 20), (0.0, 0, 2), (0.2, 20, 20), (0.0, 0, 2), (0.3, 30, 20))
    steps = find_steps(frame)
    assert (steps.last - steps.first).tolist() == [20, 20, 20]
    named = rows((0.1, 10, 20), (0.0, 0, 2), (0.1, 10, 20))
    named["step_kind"] = ["charge"] * 20 + ["rest"] * 2 + ["charge"] * 20
    assert find_steps(named).count == 2
    assert find_steps(named.drop(columns="step_kind")).count == 1  # then it is a gap of the recording


def test_noise_of_the_current_at_rest_is_no_half_step():
    frame = made(current_steps([0.1, 0.2, 0.4], 3600.0, 1800.0), interval_s=20.0)
    frame["current_A"] += 2e-6 * np.random.default_rng(8).standard_normal(len(frame))
    steps = find_steps(frame.drop(columns="step_number"))
    assert steps.count == 6
    assert steps.duration_s == pytest.approx([3600.0] * 6, abs=40.0)
