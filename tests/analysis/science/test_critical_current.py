"""The step in which a cell shorts: synthetic ramps with known truth, the traps of real ones, and what is said."""

import numpy as np
import pandas as pd
import pytest

from analysis.science.base import AnalysisError, Subject
from analysis.science.critical_current import CriticalCurrent
from analysis.science.synthetic_series import Cell, current_steps, galvanostatic_test

AREA = 0.7854
RAMP = [round(0.05 * k, 2) for k in range(1, 13)]  # 0.05 to 0.60, as in the study
SUBJECT = Subject("cell", "CEL-0098", "symmetric", thickness_um=800.0, electrode_area_cm2=AREA)
AT_25 = {"temperature_degC": 25.0, "temperature_origin": "file"}


def ramp(densities=tuple(RAMP), step_s=3600.0, rest_s=300.0, seed=1, cell=None, **event):
    cell = cell or Cell(area_cm2=AREA)
    return galvanostatic_test(
        current_steps(densities, step_s, rest_s), cell, np.random.default_rng(seed), **event
    ).frame


def run(frame, subject=SUBJECT, **parameters):
    outcome = CriticalCurrent().run(frame, subject, AT_25 | parameters)
    return {finding.quantity: finding for finding in outcome.findings}, outcome


def codes(outcome):
    return {code for code, _ in outcome.warnings}


def said(outcome, code):
    return next(sentence for found, sentence in outcome.warnings if found == code)


@pytest.mark.parametrize(
    ("mode", "more"),
    [
        ("hard_short", {"depth": 0.95}),
        ("hard_short", {"depth": 0.95, "place": 0.0}),  # in the rest before
        ("soft_short", {"depth": 0.5}),
        ("soft_short", {"depth": 0.4, "recovers": True}),
        ("polarisation", {}),
    ],
)
@pytest.mark.parametrize("has_numbers", [True, False])
def test_the_failing_step_its_kind_and_the_last_sound_one(mode, more, has_numbers):
    frame = ramp(mode=mode, half=17, **more)
    found, outcome = run(frame if has_numbers else frame.drop(columns="step_number"))
    critical = found["critical_current_density_mA_cm2"]
    assert critical.value == pytest.approx(0.45, rel=1e-3)
    assert (critical.label, critical.limit, critical.flag, critical.is_open) == (mode, "=", "ok", False)
    assert "two_possible_steps" not in codes(outcome)  # also where a soft short stays through the later steps
    assert found["last_sound_current_density_mA_cm2"].value == pytest.approx(0.40, rel=1e-3)
    assert found["ramp_step_time_h"].value == pytest.approx(1.0, rel=5e-3)
    assert found["ramp_step_mA_cm2"].value == pytest.approx(0.05, rel=1e-3)
    top = "0.45" if mode == "polarisation" else "0.60"  # at its limit the cycler lets less current pass
    assert outcome.inputs["protocol"]["value"] == f"0.05–{top} mA cm⁻², step 0.05, 1 h, 25 °C, 0.785 cm²"


def test_charge_passed_is_the_sum_over_both_directions():
    # Half-step 17 is the second of 0.45: before it 2 h of 0.05 to 0.40 and 1 h of 0.45, then half of its hour.
    found, _ = run(ramp(mode="hard_short", half=17, place=0.5, depth=0.95))
    truth = 2.0 * sum(RAMP[:8]) + 0.45 + 0.5 * 0.45
    assert found["charge_passed_before_short_mAh_cm2"].value == pytest.approx(truth, rel=2e-3)
    assert found["charge_passed_before_short_mAh_cm2"].limit == "="


def test_a_sound_ramp_gives_a_lower_limit():
    found, outcome = run(ramp())
    critical = found["critical_current_density_mA_cm2"]
    assert (critical.label, critical.limit) == ("none", ">=")
    assert critical.value == pytest.approx(0.60, rel=1e-3)
    assert found["charge_passed_before_short_mAh_cm2"].limit == ">="
    assert said(outcome, "no_short") == "No short in the ramp. This is a lower limit."


@pytest.mark.parametrize(
    "distort",
    [
        lambda v, sign, t: v * np.where(sign > 0, 1.8, 1.0),  # unlike electrodes
        lambda v, sign, t: v * (1.0 + 2.0 * np.exp(-t / 3000.0)),  # the first cycles settle
        lambda v, sign, t: v * (1.0 + 0.3 * np.sin(2 * np.pi * t / 7200.0)),  # the room warms and cools
        lambda v, sign, t: v + 0.002,  # offset of the instrument
        lambda v, sign, t: 0.02 * v,  # a polarisation of a few millivolts
    ],
)
@pytest.mark.parametrize("rest_s", [0.0, 600.0])
def test_what_is_no_short_is_not_called_one(distort, rest_s):
    frame = ramp(rest_s=rest_s)
    v, i, t = (frame[name].to_numpy() for name in ("potential_V", "current_A", "time_s"))
    frame["potential_V"] = distort(v, np.sign(i), t)
    found, _ = run(frame)
    assert found["critical_current_density_mA_cm2"].label == "none"


def test_charge_controlled_steps_are_recognised():
    densities = [0.1, 0.2, 0.3, 0.4, 0.5]
    hours = [0.1 / density for density in densities]  # 0.1 mAh/cm² each
    found, outcome = run(ramp(densities, [3600.0 * h for h in hours], mode="hard_short", half=6, depth=0.95))
    assert "charge_controlled" in codes(outcome)
    assert found["critical_current_density_mA_cm2"].value == pytest.approx(0.4, rel=1e-3)
    assert found["ramp_step_time_h"].value == pytest.approx(0.25, rel=0.03)
    assert "0.1 mAh cm⁻² per half-step" in outcome.inputs["protocol"]["value"]


def test_two_possible_steps_are_named_and_a_person_decides():
    soft = ramp(mode="soft_short", half=16, depth=0.5, recovers=True)
    hard = ramp(mode="hard_short", half=20, depth=0.97)
    frame = soft.copy()
    later = frame["step_number"] >= 41  # programme: half-step and rest each have a number; 41 is half-step 20
    frame.loc[later, "potential_V"] = hard.loc[later, "potential_V"]
    found, outcome = run(frame)
    assert found["critical_current_density_mA_cm2"].value == pytest.approx(0.45, rel=1e-3)
    sentence = "Two possible steps: 0.45 (soft short) and 0.55 (short). Choose, and say why."
    assert said(outcome, "two_possible_steps") == sentence
    # A doubt sets no flag; the numbers that the choice would change wait for it.
    assert {number.flag for number in found.values()} == {"ok"}
    assert {name for name, number in found.items() if number.is_open} == {
        "critical_current_density_mA_cm2", "last_sound_current_density_mA_cm2", "charge_passed_before_short_mAh_cm2",
    }  # fmt: skip
    found, outcome = run(frame, short_step=0.55)
    critical = found["critical_current_density_mA_cm2"]
    assert (critical.label, critical.value) == ("hard_short", pytest.approx(0.55, rel=1e-3))
    assert not any(number.is_open for number in found.values())
    assert outcome.inputs["short_step"]["origin"] == "person"
    assert "two_possible_steps" not in codes(outcome)
    with pytest.raises(AnalysisError, match=r"no step of 0\.9 mA"):
        run(frame, short_step=0.9)


def soft_ramp(shares, at=12):
    """A ramp whose resistance is multiplied, 0.4 into half-step `at` and in those after it, by these shares in turn."""
    frame = plain_ramp(RAMP, rows=180, interval_s=20.0, rest_rows=0)
    for place, half in enumerate(range(at, 24)):
        begin = half * 180 + (72 if place == 0 else 0)
        share = shares[min(place, len(shares) - 1)]
        frame.loc[begin : half * 180 + 179, "potential_V"] *= share
    return frame


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ([0.6, 0.72], None),  # it heals a little and stays: one event, whatever the later steps
        ([0.6, 0.55, 0.5, 0.47], None),  # it creeps on
        ([0.6, 0.6, 0.6, 0.6, 0.25], "0.35 (soft short) and 0.45 (short)"),  # it loses most of what was left
        ([0.6, 1.0, 1.0, 1.0, 0.6], "0.35 (soft short) and 0.45 (soft short)"),  # the cell had recovered
        ([0.6, 0.6, 0.6, 0.6, 9.0], "0.35 (soft short) and 0.45 (polarisation)"),
    ],
)
def test_a_soft_short_that_stays_is_one_event(shares, sentence):
    found, outcome = run(soft_ramp(shares))
    critical = found["critical_current_density_mA_cm2"]
    assert (critical.label, critical.value, critical.flag) == ("soft_short", pytest.approx(0.35, rel=1e-3), "ok")
    assert critical.is_open == (sentence is not None)
    assert dict(outcome.warnings).get("two_possible_steps") == (
        None if sentence is None else f"Two possible steps: {sentence}. Choose, and say why."
    )


def test_two_areas_are_asked_about():
    found, outcome = run(ramp(), file_electrode_area_cm2=0.503)
    critical = found["critical_current_density_mA_cm2"]
    assert (critical.flag, critical.is_open) == ("ok", False)  # the record's area is used, as everywhere
    assert said(outcome, "electrode_area_differs") == (
        "File steps are 0.0393 mA: 0.05 mA cm⁻² with 0.785 cm². The file header says 0.503 cm². Which is right?"
    )
    found, outcome = run(ramp(), file_electrode_area_cm2=0.503, electrode_area_cm2=AREA)
    assert "electrode_area_differs" not in codes(outcome)
    assert found["critical_current_density_mA_cm2"].flag == "ok"


def test_a_voltage_below_the_electrolytes_own_is_a_certain_short():
    # 800 µm at 1e-5 S/cm are 8000 Ω cm²; the synthetic cell has 400.
    found, outcome = run(ramp(), electrolyte_conductivity_S_cm=1e-5)
    assert found["critical_current_density_mA_cm2"].label == "hard_short"
    assert found["last_sound_current_density_mA_cm2"].flag == "missing"
    assert "no_sound_step" in codes(outcome)
    _, outcome = run(ramp())
    assert "ohmic_limit_unknown" in codes(outcome)


def test_the_limit_of_the_cycler_is_a_polarisation():
    frame = ramp()
    frame["potential_V"] = frame["potential_V"].clip(-0.2, 0.2)
    found, _ = run(frame, voltage_limit_V=0.2)
    # 400 Ω cm² reach 0.2 V at 0.5 mA/cm².
    critical = found["critical_current_density_mA_cm2"]
    assert (critical.label, critical.value) == ("polarisation", pytest.approx(0.5, rel=1e-3))


def test_a_recording_that_ends_within_a_step_does_not_count_it():
    frame = ramp()
    frame = frame[frame["step_number"] < 46].iloc[:-60]
    found, outcome = run(frame)
    assert found["critical_current_density_mA_cm2"].value == pytest.approx(0.55, rel=1e-3)
    assert "last_step_incomplete" in codes(outcome)


def test_without_an_area_nothing_is_guessed():
    found, outcome = run(ramp(), subject=Subject("cell", "CEL-0099", "symmetric"))
    assert found["critical_current_density_mA_cm2"].flag == "missing"
    assert found["critical_current_density_mA_cm2"].limit == "="
    assert found["ramp_step_time_h"].value == pytest.approx(1.0, rel=5e-3)
    assert "missing_area" in codes(outcome)


def test_an_assumed_temperature_stands_in_the_protocol():
    found, outcome = run(ramp(), temperature_degC=None)
    assert found["critical_current_density_mA_cm2"].value == pytest.approx(0.60, rel=1e-3)
    assert outcome.inputs["protocol"]["value"].endswith("1 h, 25 °C assumed, 0.785 cm²")


@pytest.mark.parametrize(("given", "is_said"), [(2.0, True), (1.2, True), (1.05, False), (None, False)])
def test_a_step_time_that_the_recording_contradicts_is_said(given, is_said):
    found, outcome = run(ramp(), step_time_h=given)
    assert found["ramp_step_time_h"].value == pytest.approx(given or 1.0, rel=5e-3)  # a person's word counts
    assert ("differs_from_recording" in codes(outcome)) == is_said
    if given == 2.0:
        assert said(outcome, "differs_from_recording").startswith(
            "Time per step: 2.00 h was given, the recording shows 1.00 h."
        )
    assert ("step_time_h" in outcome.inputs) == bool(given)


def test_one_current_is_no_ramp():
    with pytest.raises(AnalysisError, match="Only one current"):
        run(ramp((0.1,)))


# -- what a second, independent generator of ramps found ---------------------------------------------------------------
def plain_ramp(densities, rows, interval_s, rest_rows, asr_ohm_cm2=200.0, seed=3):
    """Time, potential and current of a sound ramp, 20 µV of noise; each half-step and rest has so many rows."""
    rng = np.random.default_rng(seed)
    current = [
        np.r_[np.full(rows, sign * density), np.zeros(rest_rows)] for density in densities for sign in (1.0, -1.0)
    ]
    i_A = np.concatenate(current) * AREA * 1e-3
    v = i_A / AREA * asr_ohm_cm2 + rng.normal(0.0, 2e-5, i_A.size)
    return pd.DataFrame({"time_s": interval_s * np.arange(1.0, i_A.size + 1), "potential_V": v, "current_A": i_A})


def test_a_rest_of_two_rows_at_the_end_is_no_short():
    found, _ = run(plain_ramp(RAMP, rows=60, interval_s=30.0, rest_rows=2))
    assert found["critical_current_density_mA_cm2"].label == "none"


def test_a_cell_that_rests_at_two_millivolts_has_no_offset_under_current():
    frame = plain_ramp([0.02 * k for k in range(1, 9)], rows=30, interval_s=60.0, rest_rows=1, asr_ohm_cm2=120.0)
    rest = pd.DataFrame({"time_s": -60.0 * np.arange(60.0)[::-1], "potential_V": 0.002, "current_A": 0.0})
    found, _ = run(pd.concat([rest, frame], ignore_index=True))
    assert found["critical_current_density_mA_cm2"].label == "none"


def test_a_voltage_that_falls_over_a_minute_is_a_soft_short():
    frame = plain_ramp(RAMP, rows=3600, interval_s=1.0, rest_rows=60)
    begin = 17 * 3660 + 1800  # in the second half-step of 0.45
    fall = np.clip((frame.index - begin) / 60.0, 0.0, 1.0)
    found, _ = run(frame.assign(potential_V=frame["potential_V"] * (1.0 - 0.36 * fall)))
    critical = found["critical_current_density_mA_cm2"]
    assert (critical.label, critical.value) == ("soft_short", pytest.approx(0.45, rel=1e-3))


@pytest.mark.parametrize(
    ("tail_V", "limit_V"),
    [((1.10, 1.20, 5.00), 5.0), ((0.09, 0.40, 1.70), None), ((0.09, 0.09, 0.60), None)],
    ids=["the limit in one sample", "two samples", "one sample far away"],
)
def test_a_recording_that_ends_with_a_voltage_far_above_is_polarisation(tail_V, limit_V):
    frame = plain_ramp(RAMP, rows=20, interval_s=60.0, rest_rows=0)
    frame = frame.iloc[: 17 * 20].copy()  # the recording ends with the first half-step of 0.45, at 0.09 V
    frame.loc[frame.index[-3:], "potential_V"] = tail_V
    found, _ = run(frame, **({"voltage_limit_V": limit_V} if limit_V else {}))
    critical = found["critical_current_density_mA_cm2"]
    assert (critical.label, critical.value) == ("polarisation", pytest.approx(0.45, rel=1e-3))


def test_the_directions_of_a_charge_controlled_ramp_need_not_be_alike():
    # 0.1 mAh/cm² one way and half of it back: the last step is as complete as the others.
    programme = [part for k in range(1, 9) for part in ((0.1 * k, 3600.0 / k), (-0.1 * k, 1800.0 / k))]
    frame = galvanostatic_test(programme, Cell(area_cm2=AREA), np.random.default_rng(2), interval_s=5.0).frame
    critical = run(frame)[0]["critical_current_density_mA_cm2"]
    assert (critical.label, critical.limit) == ("none", ">=")
    assert critical.value == pytest.approx(0.8, rel=1e-3)


@pytest.mark.parametrize("fall_s", [0.0, 5.0, 20.0])
def test_a_short_that_takes_its_seconds_is_a_hard_one(fall_s):
    frame = ramp(step_s=1800.0, rest_s=60.0, cell=Cell(area_cm2=AREA, noise_V=1e-4), interval_s=1.0)
    since = frame["time_s"] - frame["time_s"].iloc[int(np.flatnonzero(frame["current_A"] > 3.9e-4 * AREA)[0])] - 1700.0
    left = 0.05 + 0.95 * np.exp(-np.maximum(since, 0.0) / max(fall_s, 1e-3))
    frame["potential_V"] = np.where(since >= 0.0, left * frame["potential_V"], frame["potential_V"])
    critical = run(frame)[0]["critical_current_density_mA_cm2"]
    assert critical.value == pytest.approx(0.4, rel=1e-3)
    assert critical.label == "hard_short"


def on_change(frame, change_V, longest_s=300.0):
    """The rows that a recorder writes which waits for a change of the voltage, of the current, or for its clock."""
    v, i, t = (frame[name].to_numpy() for name in ("potential_V", "current_A", "time_s"))
    kept = [0]
    for k in range(1, len(frame)):
        is_turn = abs(i[k] - i[kept[-1]]) > 1e-6 or (k + 1 < len(frame) and abs(i[k + 1] - i[k]) > 1e-6)
        if is_turn or abs(v[k] - v[kept[-1]]) >= change_V or t[k] - t[kept[-1]] >= longest_s:
            kept.append(k)
    return frame.iloc[kept].reset_index(drop=True)


def test_a_soft_short_is_found_where_rows_are_written_on_change():
    cell = Cell(area_cm2=AREA, noise_V=1e-4, void_fraction=0.2)
    frame = galvanostatic_test(
        current_steps(RAMP, 1800.0, 60.0), cell, np.random.default_rng(4), interval_s=1.0
    ).frame.drop(columns="step_number")
    begin = float(frame["time_s"].iloc[int(np.flatnonzero(frame["current_A"] > 3.4e-4 * AREA)[0])])
    since = frame["time_s"] - begin - 1200.0
    frame["potential_V"] *= 1.0 - 0.3 * np.where(since >= 0.0, 1.0 - np.exp(-np.maximum(since, 0.0) / 10.0), 0.0)
    critical = run(on_change(frame, 1e-3))[0]["critical_current_density_mA_cm2"]
    assert critical.value == pytest.approx(0.35, rel=1e-3)
    sound = galvanostatic_test(current_steps(RAMP, 1800.0, 60.0), cell, np.random.default_rng(4), interval_s=1.0).frame
    assert run(on_change(sound, 1e-3))[0]["critical_current_density_mA_cm2"].label == "none"


@pytest.mark.parametrize("rows_left", [1, 2])
def test_a_tester_that_gives_up_after_a_row_or_two_ends_in_polarisation(rows_left):
    frame = ramp(cell=Cell(area_cm2=AREA, settle_s=0.0))
    first = int(np.flatnonzero(frame["current_A"] > 4.4e-4 * AREA)[0])
    frame = frame.iloc[: first + rows_left].copy()
    frame.loc[frame.index[-1], "potential_V"] = 5.0
    critical = run(frame.drop(columns="step_number"))[0]["critical_current_density_mA_cm2"]
    assert (critical.label, critical.limit) == ("polarisation", "=")
    assert critical.value == pytest.approx(0.45, rel=1e-3)


def test_a_recording_that_ends_with_the_first_rows_of_a_step_holds_no_failure():
    frame = ramp()
    first = int(np.flatnonzero(frame["current_A"] > 4.4e-4 * AREA)[0])
    frame = frame.iloc[: first + 2].copy()
    frame.loc[frame.index[-2:], "potential_V"] = [0.02, 0.05]  # the double layer is being charged
    critical = run(frame.drop(columns="step_number"))[0]["critical_current_density_mA_cm2"]
    assert (critical.label, critical.limit) == ("none", ">=")
    assert critical.value == pytest.approx(0.40, rel=1e-3)


def test_the_step_is_that_in_which_the_voltage_left_its_level_in_its_very_last_row():
    frame = ramp(rest_s=600.0)
    turns = np.flatnonzero(np.diff(frame["current_A"].to_numpy() < -3.4e-4 * AREA))
    last = int(turns[1])  # last row of the second half-step of 0.35
    begin = int(turns[0]) + 1
    frame.loc[last, "potential_V"] = -5.0
    late = (frame.index > last) & (frame["current_A"].abs() > 1e-6)
    frame.loc[late, "potential_V"] = 5.0 * np.sign(frame.loc[late, "current_A"])
    cut = frame.drop(frame.index[begin + 50 : last]).reset_index(drop=True)  # the half-step ended early
    critical = run(cut.drop(columns="step_number"))[0]["critical_current_density_mA_cm2"]
    assert critical.label == "polarisation"
    assert critical.value == pytest.approx(0.35, rel=1e-3)
