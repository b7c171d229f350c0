"""Segments, counters and cycles against closed forms and synthetic truth, and every trap that real files hold."""

import numpy as np
import pandas as pd
import pytest

from analysis.science.base import AnalysisError
from analysis.science.cycles import CE_DISCHARGE_FIRST, cycles_of
from analysis.science.reference_cycle import formation_count, rate_groups, reference_of
from analysis.science.segments import split, usable_series
from analysis.science.synthetic_cycling import (
    COUNTERS,
    cycling_test,
    faded_capacities_mAh,
    half_cycle_V,
    mean_half_cycle_V,
)

HOUR = 3600.0


def halves(*parts, step_s=10.0, potential=(3.3, 3.5)):
    """Constant currents one after the other: (current in mA, hours); samples at the ends of equal intervals."""
    current = np.concatenate([np.full(round(hours * HOUR / step_s), mA / 1000.0) for mA, hours in parts])
    time = step_s * np.arange(1, current.size + 1)
    volts = np.where(current < 0, potential[0], potential[1])
    return pd.DataFrame({"time_s": time, "potential_V": volts, "current_A": current})


def made(**more):
    """A synthetic test of thirty cycles, three of them formation at half the rate."""
    given = {"rng": np.random.default_rng(11), "points_per_half": 200, **more}
    capacities = given.pop("capacities", faded_capacities_mAh(0.288, 0.945, 30, formation=3))
    currents = given.pop("currents", np.concatenate([np.full(3, 0.0167), np.full(27, 0.0334)]))
    return cycling_test(capacities, given.pop("efficiencies", 0.993), currents, **given)


def codes(found):
    return {code for code, _ in found.warnings}


# -- closed forms ------------------------------------------------------------------------------------------------------
def test_charge_energy_and_duration_of_constant_currents():
    """1 mA for 2 h is 2 mAh; the interval before the first sample of each half counts."""
    segments = split(usable_series(halves((1.0, 2.0), (0.0, 0.5), (-1.0, 1.5))))
    assert segments.sign.tolist() == [1, 0, -1]
    assert segments.charge_mAh == pytest.approx([2.0, 0.0, 1.5], rel=1e-12)
    assert segments.energy_mWh == pytest.approx([7.0, 0.0, 4.95], rel=1e-12)
    assert segments.duration_s == pytest.approx([2 * HOUR, 0.5 * HOUR, 1.5 * HOUR], rel=1e-12)


def test_a_linear_current_is_integrated_exactly():
    """I = I₀ (1 − t/2T) over T passes ¾ I₀ T; the trapezium rule is exact for it."""
    time = np.linspace(0.0, HOUR, 101)
    frame = pd.DataFrame({"time_s": time, "potential_V": 3.4, "current_A": 1e-3 * (1 - time / (2 * HOUR))})
    assert split(usable_series(frame)).charge_mAh.sum() == pytest.approx(0.75, rel=1e-12)


def test_a_pause_before_a_half_is_not_charged():
    """An hour without rows before a half was a rest, not an hour of current."""
    frame = halves((1.0, 1.0), (-1.0, 1.0))
    frame.loc[360:, "time_s"] += HOUR
    assert split(usable_series(frame)).charge_mAh == pytest.approx([1.0, 1.0], rel=1e-12)


def test_rows_kept_at_a_change_of_voltage_lose_no_charge_where_it_hardly_changes():
    """Each interval is nine tenths of the one before: the first is six times the mean, and belongs to the half."""
    time = np.cumsum(600.0 * 0.9 ** np.arange(60.0))
    frame = pd.DataFrame(
        {
            "time_s": np.concatenate([[0.0, 600.0, 1200.0], 1200.0 + time]),
            "potential_V": np.concatenate([np.full(3, 3.3), 3.3 + 1e-3 * np.arange(60.0)]),
            "current_A": np.concatenate([np.zeros(3), np.full(60, 1e-3)]),
        }
    )
    segments = split(usable_series(frame))
    assert segments.charge_mAh[-1] == pytest.approx(6000.0 * (1.0 - 0.9**60) / HOUR, rel=1e-12)
    assert segments.duration_s[-1] == pytest.approx(6000.0 * (1.0 - 0.9**60), rel=1e-12)


def test_efficiency_hysteresis_and_mean_voltages_in_closed_form():
    table = cycles_of(halves((1.0, 2.0), (-1.0, 1.9), (1.0, 2.0), (-1.0, 1.9))).table
    row = table.iloc[0]
    assert row["coulombic_efficiency_fraction"] == pytest.approx(0.95, rel=1e-12)
    assert row["energy_efficiency_fraction"] == pytest.approx(0.95 * 3.3 / 3.5, rel=1e-12)
    assert row["mean_charge_voltage_V"] == pytest.approx(3.5, rel=1e-12)
    assert row["voltage_hysteresis_mV"] == pytest.approx(200.0, rel=1e-9)
    assert row["half_capacity_hysteresis_mV"] == pytest.approx(200.0, rel=1e-9)
    assert row["charge_current_mA"] == pytest.approx(1.0, rel=1e-12)


def test_the_potential_at_half_capacity_is_interpolated():
    """V rises linearly with charge from 3 to 4 V: half the charge has passed at 3.5 V."""
    frame = halves((1.0, 1.0), (-1.0, 1.0))
    frame["potential_V"] = np.concatenate([3.0 + np.arange(1, 361) / 360, 4.0 - np.arange(1, 361) / 360])
    found = cycles_of(frame).halves
    assert found.mid_potential_V == pytest.approx([3.5, 3.5], abs=1e-9)


def test_the_potential_at_half_capacity_is_never_that_of_a_rest():
    """Half the charge of a half passes in the first interval after a pause, which shows the potential at rest."""
    frame = halves((1.0, 1.0), (0.0, 0.5), (1.0, 1.002), (-1.0, 2.002), potential=(3.3, 3.5))
    frame.loc[frame["current_A"] == 0.0, "potential_V"] = 3.0
    assert cycles_of(frame).table["half_capacity_hysteresis_mV"].iloc[0] == pytest.approx(200.0, rel=1e-9)


def test_the_mean_voltage_of_the_model_is_its_integral():
    share = np.linspace(0.0, 1.0, 2_000_001)
    for is_charge, cutoff in ((True, 4.0), (False, 2.5)):
        known = {"is_charge": is_charge, "overpotential_V": 0.03, "cutoff_V": cutoff}
        curve = half_cycle_V(share, **known)
        assert curve[-1] == pytest.approx(cutoff, abs=1e-12)
        assert mean_half_cycle_V(**known) == pytest.approx(np.trapezoid(curve, share), abs=1e-7)


# -- synthetic truth ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("counter", COUNTERS)
@pytest.mark.parametrize("hold", [0.0, 0.05])
@pytest.mark.parametrize("is_discharge_first", [False, True])
def test_capacity_and_efficiency_of_every_cycle(counter, hold, is_discharge_first):
    test = made(counter=counter, hold_fraction=hold, is_discharge_first=is_discharge_first)
    found = cycles_of(test.frame)
    assert found.source == ("integral" if counter == "none" else "counter")
    assert len(found.complete) == 30
    assert not found.warnings
    for name in ("charge_capacity_mAh", "discharge_capacity_mAh", "coulombic_efficiency_fraction"):
        assert found.table[name].to_numpy() == pytest.approx(test.truth[name].to_numpy(), rel=1e-4)
    is_stated = found.inputs["ce_definition"]["value"] == CE_DISCHARGE_FIRST
    assert is_stated == is_discharge_first


def test_mean_voltages_of_the_model_are_found():
    test = made(counter="none", points_per_half=2000)
    found = cycles_of(test.frame).table
    for name in ("mean_charge_voltage_V", "mean_discharge_voltage_V"):
        assert found[name].to_numpy() == pytest.approx(test.truth[name].to_numpy(), abs=3e-4)
    wanted = 2 * 0.0334e-3 * 150.0 * 1000.0  # both overpotentials I·R, where neither end of the curve reaches
    assert found["half_capacity_hysteresis_mV"].iloc[10] == pytest.approx(wanted, abs=1.0)


# -- traps -------------------------------------------------------------------------------------------------------------
def test_an_unfinished_last_discharge_is_left_out_and_said():
    found = cycles_of(made(stops_at=0.6).frame)
    assert found.complete["cycle_number"].iloc[-1] == 29
    assert [said for code, said in found.warnings if code == "incomplete_cycle"] == [
        "Cycle 30 is not finished. It was left out."
    ]


def test_an_unfinished_last_charge_is_left_out():
    frame = made().frame
    frame = frame[frame["cycle_number"] < 30].iloc[:-150]  # ends inside the last discharge of cycle 29
    assert cycles_of(frame).complete["cycle_number"].iloc[-1] == 28


def test_the_first_discharge_is_under_way_while_it_is_on_its_plateau():
    one = {"capacities": np.array([0.288]), "currents": 0.0334}
    assert cycles_of(made(**one, stops_at=0.6).frame).complete.empty
    assert len(cycles_of(made(**one).frame).complete) == 1


def test_step_numbers_with_gaps_are_not_trusted():
    test = made(counter="step")
    test.frame["step_number"] = test.frame["step_number"].astype(float)
    test.frame.loc[100:140, "step_number"] = np.nan
    truth = test.truth["discharge_capacity_mAh"].to_numpy()
    assert cycles_of(test.frame).table["discharge_capacity_mAh"].to_numpy() == pytest.approx(truth, rel=1e-9)


def test_a_test_that_charges_for_a_set_time_is_complete_without_a_cutoff():
    """Capacity-controlled halves end where their charge is passed, not at a voltage that others share."""
    frame = halves(*[(1.0, 1.0), (-1.0, 1.0)] * 4)
    frame["potential_V"] += np.random.default_rng(2).normal(0, 0.05, len(frame))
    assert len(cycles_of(frame).complete) == 4


def test_rounded_current_the_counter_wins_and_the_difference_is_said():
    """A tester that prints 0.0003 A for 0.000334 A: the integral is 10 % low, its own counter is right."""
    test = made(counter="step", currents=0.334, capacities=np.full(5, 0.288), current_noise_fraction=0.0)
    test.frame["current_A"] = test.frame["current_A"].round(4)
    found = cycles_of(test.frame)
    assert found.source == "counter"
    assert found.table["discharge_capacity_mAh"].to_numpy() == pytest.approx(np.full(5, 0.288), rel=1e-9)
    (sentence,) = [said for code, said in found.warnings if code == "counter_differs"]
    assert "10 %" in sentence
    # The mean voltage does not depend on the rounding; the energy follows the capacity that is used.
    assert found.table["mean_discharge_voltage_V"].to_numpy() == pytest.approx(
        test.truth["mean_discharge_voltage_V"].to_numpy(), abs=2e-3
    )


def test_several_discharge_steps_of_one_cycle_are_added_not_maximised():
    """Neware: the highest value of a counter that begins anew in each step is that of one step only."""
    frame = halves((1.0, 3.0), (-1.0, 2.0), (0.0, 0.2), (-0.5, 1.0), (1.0, 3.0), (-1.0, 2.0), (0.0, 0.2), (-0.5, 1.0))
    moved = frame["current_A"].diff().fillna(1.0) != 0
    frame["step_number"] = moved.cumsum()
    frame["step_capacity_mAh"] = (frame["current_A"].abs() * 10.0 / 3.6).groupby(frame["step_number"]).cumsum()
    table = cycles_of(frame).table
    assert table["discharge_capacity_mAh"].tolist() == pytest.approx([2.5, 2.5], rel=1e-12)
    assert len(table) == 2


def test_cycles_are_counted_where_the_tester_counts_one():
    """Arbin: Cycle_Index stays 1 and the capacities accumulate over the whole test."""
    test = made(counter="never")
    test.frame["cycle_number"] = 1
    found = cycles_of(test.frame)
    assert found.table["cycle_number"].tolist() == list(range(1, 31))
    assert found.table["discharge_capacity_mAh"].to_numpy() == pytest.approx(
        test.truth["discharge_capacity_mAh"].to_numpy(), rel=1e-9
    )


def test_a_slice_that_begins_inside_a_charge_keeps_what_the_counter_already_had():
    test = made(counter="cycle")
    frame = test.frame.iloc[220:].reset_index(drop=True)  # the first charge has passed 80 % of its rows
    found = cycles_of(frame)
    assert found.table["charge_capacity_mAh"].iloc[0] == pytest.approx(
        test.truth["charge_capacity_mAh"].iloc[0], rel=1e-9
    )
    assert "begins_inside_half" in codes(found)


def test_a_slice_of_a_counter_that_never_begins_anew_does_not_count_the_past():
    test = made(counter="never")
    begin = int(np.flatnonzero((test.frame["cycle_number"] == 6) & (test.frame["step_kind"] == "charge"))[0])
    found = cycles_of(test.frame.iloc[begin:].reset_index(drop=True))
    truth = test.truth["charge_capacity_mAh"].iloc[5:].to_numpy()
    assert found.table["charge_capacity_mAh"].to_numpy()[1:] == pytest.approx(truth[1:], rel=1e-9)
    assert found.table["charge_capacity_mAh"].iloc[0] == pytest.approx(truth[0], rel=0.006)  # less its first sample
    assert "starts_late" in codes(found)


def test_a_moment_of_charge_at_the_end_is_not_counted_with_the_charge_before():
    """Stopped by hand two rows into the next charge: 1.53 µAh more, none of it in cycle 2."""
    frame = halves((1.0, 2.0), (-1.0, 1.9), (1.0, 1.95), (-1.0, 1.85), (0.0, 0.1), (0.55, 1 / 360))
    frame.loc[frame.index[-1], "potential_V"] = 3.35
    added = np.diff(frame["time_s"], prepend=0.0) * frame["current_A"] / 3.6
    frame["charge_capacity_mAh"] = added.clip(lower=0).cumsum()
    frame["discharge_capacity_mAh"] = (-added).clip(lower=0).cumsum()
    found = cycles_of(frame)
    assert found.source == "counter"
    assert found.table["charge_capacity_mAh"].tolist() == pytest.approx([2.0, 1.95], rel=1e-9)
    assert found.table["discharge_capacity_mAh"].tolist() == pytest.approx([1.9, 1.85], rel=1e-9)


def test_time_that_runs_backwards_is_refused_without_a_counter():
    frame = made(counter="none").frame
    frame.loc[2000:, "time_s"] -= 0.4 * frame["time_s"].iloc[2000]
    with pytest.raises(AnalysisError, match="Time runs backwards once, first at row 2001"):
        cycles_of(frame)


def test_with_a_counter_capacities_survive_a_broken_clock_and_energies_do_not():
    test = made(counter="step")
    for row in (2000, 5000):
        test.frame.loc[row:, "time_s"] -= 0.3 * test.frame["time_s"].iloc[row]
    found = cycles_of(test.frame.drop(columns="step_energy_mWh"))
    assert {"clock_reset", "counter_only"} <= codes(found)
    truth = test.truth["discharge_capacity_mAh"].to_numpy()
    assert found.table["discharge_capacity_mAh"].to_numpy() == pytest.approx(truth, rel=1e-9)
    assert found.table["mean_discharge_voltage_V"].isna().all()
    assert found.table["energy_efficiency_fraction"].isna().all()


def test_a_clock_that_begins_anew_is_joined_visibly():
    test = made(counter="none")
    row = int(np.flatnonzero(test.frame["cycle_number"] == 20)[0])
    test.frame.loc[row:, "time_s"] -= test.frame["time_s"].iloc[row - 1]
    found = cycles_of(test.frame)
    assert "clock_reset" in codes(found)
    truth = test.truth["discharge_capacity_mAh"].to_numpy()
    assert found.table["discharge_capacity_mAh"].to_numpy() == pytest.approx(truth, rel=1e-3)


def test_single_false_stamps_get_the_time_of_the_row_before():
    """Neware: the first row of a step carries time 0, the next one goes on."""
    test = made(counter="none")
    starts = np.flatnonzero(test.frame["step_number"].diff() > 0)
    frame = test.frame.loc[np.sort(np.append(test.frame.index, starts))].reset_index(drop=True)
    frame.loc[frame.duplicated(keep="last"), "time_s"] = 0.0
    found = cycles_of(frame)
    assert any("given the time of the row before" in said for _, said in found.warnings)
    truth = test.truth["discharge_capacity_mAh"].to_numpy()
    assert found.table["discharge_capacity_mAh"].to_numpy() == pytest.approx(truth, rel=1e-3)


def test_a_date_column_replaces_a_broken_clock():
    test = made(counter="none")
    test.frame["unix_time_s"] = 1.7e9 + test.frame["time_s"]
    test.frame.loc[2000:, "time_s"] -= 0.4 * test.frame["time_s"].iloc[2000]
    found = cycles_of(test.frame)
    assert any("date column" in said for _, said in found.warnings)
    truth = test.truth["discharge_capacity_mAh"].to_numpy()
    assert found.table["discharge_capacity_mAh"].to_numpy() == pytest.approx(truth, rel=1e-4)


def test_duplicate_stamps_add_nothing_and_are_said():
    test = made(counter="none")
    doubled = test.frame.loc[np.sort(np.append(test.frame.index, [300, 900]))].reset_index(drop=True)
    found, single = cycles_of(doubled), cycles_of(test.frame)
    assert [said for code, said in found.warnings if code == "duplicate_time"] == [
        "2 rows carry the time of the row before. Such rows add no charge."
    ]
    assert found.table["charge_capacity_mAh"].to_numpy() == pytest.approx(
        single.table["charge_capacity_mAh"].to_numpy(), rel=1e-4
    )


def test_two_rows_at_a_change_of_step_are_no_duplicates():
    frame = halves((1.0, 1.0), (-1.0, 1.0))
    start = frame.iloc[[360]].assign(time_s=frame["time_s"].iloc[359])
    frame = pd.concat([frame.iloc[:360], start, frame.iloc[360:]], ignore_index=True)
    found = cycles_of(frame)
    assert "duplicate_time" not in codes(found)
    assert found.table["discharge_capacity_mAh"].iloc[0] == pytest.approx(1.0, rel=1e-12)


def test_a_partial_first_discharge_belongs_to_no_cycle():
    frame = halves((-1.0, 0.4), *[(1.0, 2.0), (-1.0, 1.9)] * 3)
    found = cycles_of(frame)
    assert "partial_discharge_left_out" in codes(found)
    assert found.table["coulombic_efficiency_fraction"].tolist() == pytest.approx([0.95] * 3)


def test_current_pulses_within_a_half_do_not_end_it():
    """Ten seconds of the other sign, for an internal resistance, are no half-cycle."""
    frame = halves((1.0, 2.0), (-0.3, 10 / HOUR), (1.0, 2.0), (-1.0, 3.9), (1.0, 4.0), (-1.0, 3.9))
    frame.loc[720, "potential_V"] = 3.45  # a pulse stays far from the cut-off
    table = cycles_of(frame).table
    assert len(table) == 2
    assert table["charge_capacity_mAh"].iloc[0] == pytest.approx(4.0, rel=1e-3)


def test_noise_around_zero_in_rests_makes_no_cycles():
    test = made(counter="none", current_noise_fraction=0.0)
    rest = test.frame["step_kind"] == "rest"
    noise = np.random.default_rng(3).normal(0.0, 4e-7, int(rest.sum()))  # a hundredth of the current
    test.frame.loc[rest, "current_A"] = noise
    frame = test.frame.drop(columns=["step_kind", "step_number"])
    found = cycles_of(frame)
    assert len(found.complete) == 30
    truth = test.truth["discharge_capacity_mAh"].to_numpy()
    assert found.table["discharge_capacity_mAh"].to_numpy() == pytest.approx(truth, rel=1e-4)


def test_a_dead_cell_keeps_its_cycles():
    """Once dead, a cell meets its cut-offs at once: those cycles count, with almost no capacity."""
    capacities = np.concatenate([np.full(10, 0.3), np.full(5, 1e-5)])
    test = made(counter="none", capacities=capacities, currents=0.03, points_per_half=50)
    found = cycles_of(test.frame)
    assert found.table["discharge_capacity_mAh"].to_numpy() == pytest.approx(capacities, rel=0.2, abs=1e-6)


def test_an_interrupted_cycle_in_the_middle_is_named():
    test = made(counter="none", currents=0.0334)
    rows = test.frame.index[(test.frame["cycle_number"] == 12) & (test.frame["step_kind"] == "discharge")]
    found = cycles_of(test.frame.drop(index=rows[80:]).reset_index(drop=True))
    (sentence,) = [said for code, said in found.warnings if code == "cutoff_not_reached"]
    assert sentence.startswith("Cycle 12 ends before")


def test_a_wider_window_after_formation_is_no_interruption():
    frame = halves(*[(1.0, 2.0), (-1.0, 2.0)] * 8)
    is_charge = frame["current_A"] > 0
    half = (is_charge != is_charge.shift()).cumsum()
    share = half.groupby(half).cumcount() / 720
    top = np.where(half <= 6, 4.2, 4.6)
    frame["potential_V"] = np.where(is_charge, 3.0 + share * (top - 3.0), 4.0 - share * 1.5)
    assert "cutoff_not_reached" not in codes(cycles_of(frame))


def test_a_turned_sign_is_doubted():
    frame = made(counter="none").frame
    frame["current_A"] *= -1.0
    assert "current_sign_doubtful" in codes(cycles_of(frame.drop(columns=["step_kind"])))


def test_a_counter_that_does_not_count_is_not_believed():
    test = made(counter="step")
    test.frame["step_capacity_mAh"] *= 1e-4
    found = cycles_of(test.frame)
    assert found.source == "integral"
    assert "counter_not_used" in codes(found)


def test_rows_with_gaps_are_left_out_and_counted():
    frame = made(counter="none").frame
    frame.loc[[5, 700], "potential_V"] = np.nan
    found = cycles_of(frame)
    assert ("rows_left_out", "2 rows without time, potential or current were left out.") in found.warnings


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"time_s": [1.0], "potential_V": [3.0]}), "no column current_A"),
        (halves((1.0, 1.0)).iloc[:2], "Fewer than three rows"),
        (halves((0.0, 1.0)), "No current flows"),
    ],
)
def test_what_cannot_be_analysed_is_said(frame, words):
    with pytest.raises(AnalysisError, match=words):
        cycles_of(frame)


# -- formation and reference -------------------------------------------------------------------------------------------
def test_leading_cycles_at_another_rate_are_formation():
    assert formation_count(cycles_of(made().frame).complete) == 3
    assert formation_count(cycles_of(made(currents=0.0334).frame).complete) == 0


def test_formation_is_seen_from_the_first_faster_cycle_on():
    """A growing test must not move its reference when the faster cycles outnumber the slow ones."""
    test = made(capacities=np.full(4, 0.288), currents=np.array([0.0167] * 3 + [0.0334]))
    assert formation_count(cycles_of(test.frame).complete) == 3


def test_a_slower_check_at_the_end_is_no_test_after_formation():
    test = made(capacities=np.full(8, 0.288), currents=np.array([0.0334] * 5 + [0.0167] * 3))
    assert formation_count(cycles_of(test.frame).complete) == 0


def test_currents_within_five_per_cent_are_one_rate():
    assert rate_groups(np.array([1.0, 1.04, 2.0, np.nan, 0.5])).tolist() == [1, 1, 2, -1, 0]


@pytest.mark.parametrize(
    ("parameters", "cycle", "origin"),
    [
        ({}, 4, "first after formation (3 formation cycles, told from the rate)"),
        ({"formation_cycles": 5}, 6, "first after formation (5 formation cycles, stated)"),
        ({"reference_cycle": 10}, 10, "person"),
        ({"reference_cycle": 31}, None, "person"),
    ],
)
def test_the_reference_cycle_is_stated_with_its_origin(parameters, cycle, origin):
    found = reference_of(cycles_of(made().frame).complete, parameters)
    assert (found.cycle_number, found.origin) == (cycle, origin)
    assert bool(found.warnings) == (cycle is None)
