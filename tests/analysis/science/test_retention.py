"""What the cycling analysis reports, against synthetic truth and the sentences that people must read."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.science.base import Subject
from analysis.science.differential import differential
from analysis.science.quantities import QUANTITIES
from analysis.science.retention import Cycling
from analysis.science.synthetic_cycling import cycling_test, faded_capacities_mAh, open_circuit_V

MASS = 1.96
CELL = Subject(
    "cell", "CEL-0104", "full", electrode_area_cm2=0.785, active_mass_mg=MASS, theoretical_capacity_mAh_g=170.0
)
BARE = Subject("cell", "CEL-0104", "full")
ONE_C_MA = 170.0 * MASS / 1000.0


def made(cycles=110, seed=5, formation=3, **more):
    """147 mAh g⁻¹ that fall to 94.5 % in the last cycle; formation at C/20, the rest at C/10."""
    capacities = faded_capacities_mAh(0.147 * MASS, 0.945, cycles, formation=formation)
    rates = np.concatenate([np.full(formation, 0.05), np.full(cycles - formation, 0.1)])
    given = {"points_per_half": 60, "rng": np.random.default_rng(seed), "efficiencies": 0.9931, **more}
    efficiencies = given.pop("efficiencies")
    return cycling_test(capacities, efficiencies, rates * ONE_C_MA, **given)


def analysed(frame, subject=CELL, **parameters):
    return Cycling().run(frame, subject, parameters)


def numbers(outcome):
    return {(finding.quantity, finding.label): finding for finding in outcome.findings}


def said(outcome, code):
    return [sentence for name, sentence in outcome.warnings if name == code]


# -- synthetic truth ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("counter", ["none", "step", "cycle", "never"])
def test_retention_and_efficiency_within_five_hundredths_of_a_point(counter):
    test = made(counter=counter)
    found, true = numbers(analysed(test.frame)), test.truth["discharge_capacity_mAh"].to_numpy()
    for label, cycle in (("50", 50), ("100", 100), ("last", 110)):
        finding = found["capacity_retention_fraction", label]
        assert finding.value == pytest.approx(true[cycle - 1] / true[3], abs=5e-4)
        assert (finding.cycle_number, finding.reference_cycle, finding.flag) == (cycle, 4, "ok")
    for label in ("first", "mean", "min"):
        assert found["coulombic_efficiency_fraction", label].value == pytest.approx(0.9931, abs=5e-4)


def test_capacities_of_first_reference_and_last_cycle():
    test = made()
    found = numbers(analysed(test.frame))
    for label, cycle in (("first", 1), ("reference", 4), ("last", 110)):
        true = test.truth.iloc[cycle - 1]
        discharge = found["discharge_capacity_mAh", label]
        assert discharge.value == pytest.approx(true["discharge_capacity_mAh"], rel=1e-6)
        assert discharge.cycle_number == cycle
        specific = found["discharge_specific_capacity_mAh_g", label]
        assert specific.value == pytest.approx(true["discharge_capacity_mAh"] * 1000.0 / MASS, rel=1e-6)
        charge = found["charge_specific_capacity_mAh_g", label]
        assert charge.value == pytest.approx(true["charge_capacity_mAh"] * 1000.0 / MASS, rel=1e-6)
    reference = found["discharge_specific_capacity_mAh_g", "reference"]
    assert reference.c_rate == pytest.approx(0.1, rel=1e-3)
    assert reference.current_density_mA_cm2 == pytest.approx(0.1 * ONE_C_MA / 0.785, rel=1e-3)


def test_energy_efficiency_and_hysteresis_of_the_reference_cycle():
    test = made(points_per_half=2000, cycles=12)
    found, true = numbers(analysed(test.frame)), test.truth.iloc[3]
    gap = true["mean_charge_voltage_V"] - true["mean_discharge_voltage_V"]
    assert found["voltage_hysteresis_mV", "reference"].value == pytest.approx(1000.0 * gap, abs=0.5)
    ratio = 0.9931 * true["mean_discharge_voltage_V"] / true["mean_charge_voltage_V"]
    assert found["energy_efficiency_fraction", "reference"].value == pytest.approx(ratio, abs=5e-4)


def test_the_lowest_efficiency_and_the_mean_count_from_the_reference_on():
    efficiencies = np.full(110, 0.995)
    efficiencies[0], efficiencies[1], efficiencies[70] = 0.85, 0.90, 0.95  # formation is worse than any later cycle
    found = numbers(analysed(made(efficiencies=efficiencies).frame))
    assert found["coulombic_efficiency_fraction", "first"].value == pytest.approx(0.85, abs=5e-4)
    lowest = found["coulombic_efficiency_fraction", "min"]
    assert (lowest.value, lowest.cycle_number) == (pytest.approx(0.95, abs=5e-4), 71)
    mean = found["coulombic_efficiency_fraction", "mean"]
    assert mean.value == pytest.approx(float(efficiencies[3:].mean()), abs=5e-5)
    assert mean.uncertainty == pytest.approx(float(efficiencies[3:].std(ddof=1)) / np.sqrt(107), rel=0.05)


def test_the_fade_per_cycle_is_that_of_an_exponential():
    """Q(n) = Q₀ · 0.999ⁿ loses 0.1 % per cycle."""
    test = cycling_test(0.3 * 0.999 ** np.arange(60), 0.99, 0.03, rng=np.random.default_rng(1), points_per_half=40)
    (row,) = analysed(test.frame).tables["summary"]
    assert row["value"] == pytest.approx(-100 * np.log(0.999), rel=1e-3)


# -- reference, unfinished cycles, growth ------------------------------------------------------------------------------
def test_the_study_s_sentence_is_reproduced():
    """94.5 % at cycle 100 against cycle 4, after three activation cycles."""
    outcome = analysed(made(cycles=100).frame)
    last = numbers(outcome)["capacity_retention_fraction", "last"]
    assert (last.cycle_number, last.reference_cycle) == (100, 4)
    assert last.value == pytest.approx(0.945, abs=5e-4)
    assert outcome.inputs["reference_cycle"] == {
        "value": 4,
        "uncertainty": None,
        "origin": "first after formation (3 formation cycles, told from the rate)",
    }


def test_another_reference_cycle_moves_the_retention():
    test = made()
    true = test.truth["discharge_capacity_mAh"].to_numpy()
    found = numbers(analysed(test.frame, reference_cycle=20))
    last = found["capacity_retention_fraction", "last"]
    assert last.reference_cycle == 20
    assert last.value == pytest.approx(true[-1] / true[19], abs=5e-4)
    assert found["discharge_capacity_mAh", "reference"].cycle_number == 20
    stated = numbers(analysed(test.frame, formation_cycles=9))["capacity_retention_fraction", "last"]
    assert stated.reference_cycle == 10


def test_rows_for_50_and_100_only_where_they_were_reached():
    labels = [f.label for f in analysed(made(cycles=60).frame).findings if f.quantity == "capacity_retention_fraction"]
    assert labels == ["50", "last"]


def test_an_unfinished_last_cycle_is_not_the_last_one():
    outcome = analysed(made(cycles=30, stops_at=0.5).frame)
    assert numbers(outcome)["discharge_capacity_mAh", "last"].cycle_number == 29
    assert said(outcome, "incomplete_cycle") == ["Cycle 30 is not finished. It was left out."]
    assert [row["is_complete"] for row in outcome.tables["cycles"]][-2:] == [True, False]


@pytest.mark.parametrize("parameters", [{"reference_cycle": 40}, {"formation_cycles": 30}])
def test_a_reference_that_has_not_been_reached_waits(parameters):
    outcome = analysed(made(cycles=30).frame, **parameters)
    found = numbers(outcome)
    assert found["capacity_retention_fraction", "last"].flag == "missing"
    assert found["discharge_capacity_mAh", "reference"].value is None
    assert found["discharge_capacity_mAh", "last"].flag == "ok"
    assert said(outcome, "reference_not_reached")


def test_one_cycle_gives_capacity_and_no_retention():
    outcome = analysed(made(cycles=1, formation=0).frame)
    found = numbers(outcome)
    assert found["discharge_capacity_mAh", "first"].flag == "ok"
    assert found["capacity_retention_fraction", "last"].value is None
    assert said(outcome, "single_cycle")


def test_half_a_cycle_gives_no_number_but_says_so():
    frame = made(cycles=1, formation=0).frame
    outcome = analysed(frame[frame["step_kind"] != "discharge"])
    assert all(finding.value is None for finding in outcome.findings)
    assert said(outcome, "no_complete_cycle")


# -- mass --------------------------------------------------------------------------------------------------------------
def test_without_a_mass_there_are_mAh_and_the_sentence():
    outcome = analysed(made(cycles=30).frame, BARE)
    found = numbers(outcome)
    assert found["discharge_capacity_mAh", "last"].flag == "ok"
    for quantity in ("discharge_specific_capacity_mAh_g", "charge_specific_capacity_mAh_g"):
        for label in ("first", "reference", "last"):
            assert (found[quantity, label].value, found[quantity, label].flag) == (None, "missing")
    assert said(outcome, "mass_missing") == ["No active mass for CEL-0104. Shown in mAh."]
    assert found["capacity_retention_fraction", "last"].c_rate is None
    assert "discharge_specific_capacity_mAh_g" not in outcome.tables["cycles"][0]


def test_a_mass_given_with_the_measurement_overrides_and_says_so():
    outcome = analysed(made(cycles=30).frame, active_mass_mg=2.0)
    first = numbers(outcome)["discharge_specific_capacity_mAh_g", "first"]
    assert first.value == pytest.approx(0.147 * MASS * 1000.0 / 2.0, rel=1e-6)
    assert said(outcome, "mass_override") == [
        "The active mass 2 mg was given with the measurement and replaces that of the cell."
    ]
    assert outcome.inputs["active_mass_mg"] == {"value": 2.0, "uncertainty": None, "origin": "person"}


def test_the_mass_of_the_cycler_is_compared_and_never_used():
    outcome = analysed(made(cycles=30).frame, file_active_mass_mg=1.70)
    assert said(outcome, "active_mass_differs") == [
        "The cycler used 1.70 mg, the record says 1.96 mg: capacities differ by 15 %. Record value is used."
    ]
    assert outcome.inputs["active_mass_mg"]["value"] == MASS
    assert not said(analysed(made(cycles=5).frame, file_active_mass_mg=1.965), "active_mass_differs")


def square(current_mA=0.03, hours=10.0, cycles=3, efficiency=1.0, counted=None, minute_s=60.0):
    """Constant current for so many hours each way, 3.5 V up and 3.3 V down: exactly current × time is passed. [mAh]

    `counted` is the factor that the tester's counter of charge shows beside the truth; without, there is none.
    """
    rows = round(hours * 3600.0 / minute_s)
    halves = [(1.0, round(rows / efficiency)), (-1.0, rows)] * cycles
    sign = np.concatenate([np.full(count, way) for way, count in halves])
    frame = pd.DataFrame(
        {
            "time_s": minute_s * np.arange(1, sign.size + 1),
            "potential_V": np.where(sign > 0, 3.5, 3.3),
            "current_A": 1.0e-3 * current_mA * sign,
        }
    )
    if counted is not None:
        amount = counted * current_mA * minute_s / 3600.0
        frame["charge_capacity_mAh"] = amount * np.cumsum(sign > 0)
        frame["discharge_capacity_mAh"] = amount * np.cumsum(sign < 0)
    return frame


def with_mass(mass_mg, theory=170.0):
    return Subject("cell", "CEL-0104", "full", None, active_mass_mg=mass_mg, theoretical_capacity_mAh_g=theory)


@pytest.mark.parametrize(
    ("times", "flag"), [(0.86, "ok"), (1.29, "ok"), (1.31, "out_of_range"), (14.4, "out_of_range")]
)
def test_a_capacity_that_the_material_cannot_hold_is_out_of_range(times, flag):
    """0.3 mAh in a mass that makes it so many times 170 mAh g⁻¹."""
    outcome = analysed(square(), with_mass(300.0 / (times * 170.0)))
    found = numbers(outcome)
    for name in ("discharge_specific_capacity_mAh_g", "charge_specific_capacity_mAh_g"):
        for label in ("first", "reference", "last"):
            assert found[name, label].value == pytest.approx(times * 170.0, rel=1e-9)
            assert found[name, label].flag == flag
    assert found["discharge_capacity_mAh", "last"].flag == "ok"  # the charge itself may be right: the mass is not
    assert found["capacity_retention_fraction", "last"].flag == "ok"
    assert bool(said(outcome, "capacity_above_theoretical")) == (flag != "ok")


def test_what_a_capacity_above_the_theoretical_may_come_from():
    (sentence,) = said(analysed(square(), with_mass(300.0 / (14.4 * 170.0))), "capacity_above_theoretical")
    assert sentence == (
        "2448 mAh g⁻¹ is 14 times what the active material can hold (170 mAh g⁻¹): out of range. Check the active mass "
        "(loading, area of the disc), the material of the electrode lot, and the units of current and capacity in the "
        "file."
    )
    # Half of the charge of each cycle comes back: a short took the rest.
    outcome = analysed(square(efficiency=0.5), with_mass(2.0))
    assert numbers(outcome)["discharge_specific_capacity_mAh_g", "first"].flag == "ok"
    assert numbers(outcome)["charge_specific_capacity_mAh_g", "first"].flag == "out_of_range"
    (sentence,) = said(outcome, "capacity_above_theoretical")
    assert sentence == (
        "300 mAh g⁻¹ of a charge is 1.8 times what the active material can hold (170 mAh g⁻¹): out of range. The "
        "discharge is not: a short or a side reaction may have taken the charge."
    )


def test_without_a_theoretical_capacity_only_the_widest_limit_holds():
    outcome = analysed(square(), with_mass(300.0 / 2448.0, theory=None))
    assert numbers(outcome)["discharge_specific_capacity_mAh_g", "first"].flag == "ok"
    assert not said(outcome, "capacity_above_theoretical")


# -- a unit of the file that is wrong ----------------------------------------------------------------------------------
# 0.03 mA for 10 h are 0.3 mAh; 2.05 mg of LFP hold 0.3485 mAh, of which 0.3 mAh are 146.3 mAh g⁻¹.
WRONG = [1000.0, 1.0e-3, 1.0e6, 1.0e-6, 3600.0, 1 / 3600.0, 60.0, 1 / 60.0]


def test_a_counter_in_coulombs_is_told_where_it_exceeds_the_material():
    """0.3 mAh are 1.08 C: as mAh three times what 2.05 mg hold."""
    outcome = analysed(square(counted=3.6), with_mass(2.05))
    assert numbers(outcome)["discharge_capacity_mAh", "last"].value == pytest.approx(0.3, rel=1e-6)
    assert "3.6 times apart" in said(outcome, "counter_unit_doubt")[0]


@pytest.mark.parametrize("factor", WRONG)
@pytest.mark.parametrize("is_counter_right", [True, False])
def test_of_counter_and_integral_that_a_unit_parts_the_one_that_fits_the_material_counts(factor, is_counter_right):
    """Either the capacity column is off by the factor, or the current is and the capacity is not."""
    current, counted = (0.03 / factor, factor) if is_counter_right else (0.03, factor)
    outcome = analysed(square(current, counted=counted), with_mass(2.05))
    found = numbers(outcome)
    assert found["discharge_capacity_mAh", "last"].value == pytest.approx(0.3, rel=1e-6)
    assert found["discharge_specific_capacity_mAh_g", "last"].value == pytest.approx(300.0 / 2.05, rel=1e-6)
    assert found["capacity_retention_fraction", "last"].value == pytest.approx(1.0, rel=1e-6)
    (sentence,) = said(outcome, "counter_unit_doubt")
    assert not said(outcome, "counter_differs")
    assert not said(outcome, "counter_not_used")
    assert ("The counter fits" if is_counter_right else "The integral fits") in sentence
    source = outcome.inputs["capacity_source"]["value"]
    assert source == ("the tester’s own counter" if is_counter_right else "integral of the current")


def test_what_is_said_of_a_capacity_column_in_the_wrong_unit():
    (sentence,) = said(analysed(square(counted=1000.0), with_mass(2.05)), "counter_unit_doubt")
    assert sentence == (
        "The tester’s counter says 300.0 mAh where the integral of the current gives 0.3000 mAh: 1000 times apart, so "
        "that a unit in the file is wrong. The integral fits the active material (0.348 mAh) and was used. Check the "
        "unit of the capacity column."
    )


@pytest.mark.parametrize("subject", [BARE, with_mass(2.05e6)])
def test_where_the_material_does_not_tell_the_counter_counts_and_nothing_is_claimed(subject):
    outcome = analysed(square(counted=1000.0), subject)
    assert numbers(outcome)["discharge_capacity_mAh", "last"].value == pytest.approx(300.0, rel=1e-6)
    (sentence,) = said(outcome, "counter_unit_doubt")
    assert "the counter was used. Check the units of capacity, current and time." in sentence
    assert "fits" not in sentence


@pytest.mark.parametrize(
    ("factor", "ending"),
    [
        (1.13, "than they print."),
        (1.5, "check whether rows are missing, and the units."),
        (3.0, "check whether rows are missing, and the units."),
    ],
)
def test_a_difference_that_no_unit_makes_keeps_the_counter(factor, ending):
    outcome = analysed(square(counted=factor), with_mass(2.05))
    assert numbers(outcome)["discharge_capacity_mAh", "last"].value == pytest.approx(0.3 * factor, rel=1e-6)
    assert not said(outcome, "counter_unit_doubt")
    assert said(outcome, "counter_differs")[0].endswith(ending)


@pytest.mark.parametrize("factor", [1.0e3, 1.0e-3])
def test_an_energy_column_in_the_wrong_unit_bends_no_voltage(factor):
    """3.5 V up and 3.3 V down: 200 mV of hysteresis and 3.3/3.5 of efficiency, whatever the energy column says."""
    frame = square(counted=1.0)
    for way, volts in (("charge", 3.5), ("discharge", 3.3)):
        frame[f"{way}_energy_mWh"] = factor * volts * frame[f"{way}_capacity_mAh"]
    outcome = analysed(frame, with_mass(2.05))
    found = numbers(outcome)
    assert found["voltage_hysteresis_mV", "reference"].value == pytest.approx(200.0, rel=1e-6)
    assert found["energy_efficiency_fraction", "reference"].value == pytest.approx(3.3 / 3.5, rel=1e-6)
    assert said(outcome, "energy_counter_not_used")


# -- doubts about rows, sign and rate ----------------------------------------------------------------------------------
@pytest.mark.parametrize("counted", [None, 1.0])
def test_rows_that_are_missing_inside_a_half_are_said_where_no_counter_tells(counted):
    """Two hours without rows in the middle of a charge of ten: 0.06 mAh that may not have flowed."""
    frame = square(counted=counted)
    frame.loc[300:, "time_s"] += 7200.0
    outcome = analysed(frame, with_mass(2.05))
    if counted:
        assert numbers(outcome)["charge_specific_capacity_mAh_g", "first"].value == pytest.approx(300.0 / 2.05)
        assert said(outcome, "counter_differs")
        assert not said(outcome, "rows_missing_inside_half")
    else:
        assert said(outcome, "rows_missing_inside_half") == [
            "Rows are missing inside a half-cycle once, at most for 2.02 h after row 300. The current was taken to "
            "flow there: if the test paused, that half is 0.0605 mAh too large. Export the tester’s capacity too."
        ]


def test_rows_kept_at_a_change_of_voltage_are_not_missing():
    frame = made(cycles=6, counter="none", points_per_half=2000, potential_noise_V=0.0).frame
    kept = np.flatnonzero(np.abs(np.diff(np.round(frame["potential_V"] / 0.002), prepend=-1.0)) > 0)
    assert not said(analysed(frame.iloc[kept].reset_index(drop=True)), "rows_missing_inside_half")


def test_a_current_without_sign_is_said():
    frame = made(cycles=6, counter="none").frame.drop(columns=["step_kind", "step_number", "cycle_number"])
    frame["current_A"] = frame["current_A"].abs()
    (sentence,) = said(analysed(frame), "current_sign_missing")
    assert sentence.startswith("The current flows in one direction only, although the potential rises and falls ")
    first_charge = made(cycles=1, formation=0, counter="none").frame.query("current_A >= 0")
    assert not said(analysed(first_charge), "current_sign_missing")


@pytest.mark.parametrize(("rate", "is_said"), [(0.1, False), (0.104, False), (0.05, True)])
def test_a_retention_that_compares_two_rates_is_said(rate, is_said):
    """A check at the last cycle: 0.31 of 0.29 mAh, because it is slower and not because the cell grew."""
    capacities, rates = np.append(np.full(9, 0.29), 0.31), np.append(np.full(9, 0.1), rate)
    frame = cycling_test(capacities, 0.99, rates * ONE_C_MA, rng=np.random.default_rng(2)).frame
    outcome = analysed(frame)
    assert numbers(outcome)["capacity_retention_fraction", "last"].value == pytest.approx(31.0 / 29.0, rel=1e-4)
    assert bool(said(outcome, "retention_other_rate")) == is_said


# -- uncertainty, flags, temperature -----------------------------------------------------------------------------------
def test_uncertainty_comes_from_the_printed_digits_or_is_not_given():
    test = made(cycles=30, counter="step")
    test.frame["step_capacity_mAh"] = test.frame["step_capacity_mAh"].round(3)
    outcome = analysed(test.frame)
    found = numbers(outcome)
    capacity = found["discharge_capacity_mAh", "last"]
    assert capacity.uncertainty is None  # the accuracy of the tester is not known
    assert "accuracy of the tester" in outcome.inputs["uncertainty"]["origin"]
    # Two readings of 0.001 mAh, each uniform over its last digit: u = 0.001/√6 for each of the two capacities.
    expected = 0.001 / np.sqrt(6.0) * np.hypot(1 / 0.288, 1 / 0.272) * 0.945
    assert found["capacity_retention_fraction", "last"].uncertainty == pytest.approx(expected, rel=0.05)


def test_what_is_not_physical_is_flagged():
    subject = Subject("cell", "CEL-0104", "full", active_mass_mg=0.01)
    found = numbers(analysed(made(cycles=8).frame, subject))
    assert found["discharge_specific_capacity_mAh_g", "first"].flag == "out_of_range"


def test_the_temperature_is_the_known_one_else_that_of_the_recording():
    frame = made(cycles=8).frame
    frame["temperature_degC"] = 60.0
    known = analysed(frame, temperature_degC=25.0, temperature_origin="name")
    assert {finding.temperature_degC for finding in known.findings} == {25.0}
    assumed = analysed(frame, temperature_degC=25.0, temperature_origin="assumed")
    assert {finding.temperature_degC for finding in assumed.findings} == {60.0}
    assert not said(known, "temperature_missing")
    assert not said(assumed, "temperature_missing")
    silent = analysed(frame.drop(columns="temperature_degC"), temperature_degC=25.0, temperature_origin="assumed")
    assert {finding.temperature_degC for finding in silent.findings} == {None}
    assert said(silent, "temperature_missing") == ["No temperature in file or name: these numbers carry none."]


# -- curves and tables -------------------------------------------------------------------------------------------------
def test_curves_and_tables_are_plain_and_complete():
    outcome = analysed(made().frame)
    text = json.dumps([outcome.curves, outcome.tables, outcome.inputs], allow_nan=False)
    assert len(text) < 2_000_000
    numbers_drawn = list(dict.fromkeys(part["cycle_number"] for part in outcome.curves["voltage"]))
    assert numbers_drawn == [1, 5, 20, 50, 100]
    row = outcome.tables["cycles"][49]
    assert row["cycle_number"] == 50
    assert row["capacity_retention_fraction"] == pytest.approx(1 - 0.055 * 46 / 106, abs=5e-4)
    assert outcome.tables["cycles"][2]["capacity_retention_fraction"] is None
    assert {finding.quantity for finding in outcome.findings} <= set(QUANTITIES)


def test_a_voltage_curve_ends_at_the_capacity_of_its_half():
    test = made(cycles=6)
    for part in analysed(test.frame).curves["voltage"]:
        true = test.truth[f"{part['direction']}_capacity_mAh"].iloc[part["cycle_number"] - 1]
        assert part["capacity_mAh"][-1] == pytest.approx(true, rel=1e-9)
        assert np.all(np.diff(part["capacity_mAh"]) >= 0)


def test_a_long_half_is_stored_as_its_envelope_and_says_how_long_it_was():
    part = analysed(made(cycles=5, points_per_half=20_000).frame).curves["voltage"][0]
    assert part["point_count"] == 20_000
    assert len(part["capacity_mAh"]) < 8001


# -- dQ/dV -------------------------------------------------------------------------------------------------------------
def test_a_gaussian_peak_keeps_its_place_height_and_area():
    """Q(V) = Q₀ Φ((V − V₀)/s): dQ/dV is a Gaussian of area Q₀ at V₀."""
    from scipy.special import ndtr

    potential = np.linspace(3.2, 3.6, 4000)
    passed = 0.3 * ndtr((potential - 3.42) / 0.02)
    found = differential(potential, passed)
    place, height = found.peak
    assert place == pytest.approx(3.42, abs=0.002)
    assert height == pytest.approx(0.3 / (0.02 * np.sqrt(2 * np.pi)), rel=0.01)
    area = np.trapezoid(found.capacity_per_potential_mAh_V, found.potential_V)
    assert area == pytest.approx(0.3, rel=0.005)


def test_the_plateau_of_the_model_is_found_in_both_directions():
    test = made(cycles=5, points_per_half=4000, potential_noise_V=5e-4)
    for part in analysed(test.frame).curves["differential"]:
        row = int(np.argmax(part["differential_capacity_mAh_V"]))
        overpotential = (0.05 if part["cycle_number"] <= 3 else 0.1) * ONE_C_MA / 1000.0 * 150.0
        plateau = float(open_circuit_V(0.5)) + (1 if part["direction"] == "charge" else -1) * overpotential
        assert part["potential_V"][row] == pytest.approx(plateau, abs=0.012)


@pytest.mark.parametrize("count", [0, 2, 50])
def test_a_flat_or_short_curve_has_no_differential(count):
    assert differential(np.full(count, 3.4), np.linspace(0, 1, count)).peak is None


def test_a_scatter_below_what_a_tester_resolves_is_no_uncertainty():
    exact = numbers(analysed(made(counter="step", efficiencies=0.995).frame))["coulombic_efficiency_fraction", "mean"]
    assert exact.value == pytest.approx(0.995, abs=1e-6)
    assert exact.uncertainty is None
    spread = np.random.default_rng(4).normal(0.995, 5e-4, 110)
    real = numbers(analysed(made(counter="step", efficiencies=spread).frame))["coulombic_efficiency_fraction", "mean"]
    assert real.uncertainty == pytest.approx(5e-4 / np.sqrt(107), rel=0.25)
