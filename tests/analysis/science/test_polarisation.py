"""Initial and steady current: never the first sample, a steady state that is tested, and what late samples cost."""

import numpy as np
import pandas as pd
import pytest

from analysis.science.base import AnalysisError, Subject
from analysis.science.polarisation import Polarisation
from analysis.science.synthetic_series import polarisation_transient

SUBJECT = Subject("cell", "CEL-0098", "symmetric")
AT_25 = {"temperature_degC": 25.0, "temperature_origin": "file"}
FAST = np.concatenate([np.arange(0.0, 1.0, 0.01), np.arange(1.0, 3600.0, 1.0)])


def transient(time=FAST, relaxation_s=300.0, t=0.9, noise_A=5e-9, seed=1, **more):
    return polarisation_transient(
        time, voltage_V=0.01, electrolyte_resistance_ohm=400.0, initial_interface_ohm=340.0, steady_interface_ohm=350.0,
        transference_number=t, rng=np.random.default_rng(seed), relaxation_s=relaxation_s, noise_A=noise_A, **more,
    )  # fmt: skip


def run(frame, **parameters):
    outcome = Polarisation().run(frame, SUBJECT, AT_25 | parameters)
    return {finding.quantity: finding for finding in outcome.findings}, outcome


def codes(outcome):
    return {code for code, _ in outcome.warnings}


def test_the_spike_of_the_double_layer_does_not_enter():
    frame, initial, steady = transient()
    assert frame["current_A"].iloc[0] > 3.5 * initial
    found, outcome = run(frame)
    assert found["initial_current_A"].value == pytest.approx(initial, rel=3e-3)
    assert found["steady_state_current_A"].value == pytest.approx(steady, rel=2e-3)
    assert found["polarisation_voltage_V"].value == pytest.approx(0.01)
    assert {finding.flag for finding in found.values()} == {"ok"}
    assert not {"not_steady", "initial_current_late"} & codes(outcome)


def test_late_samples_are_extrapolated_and_said():
    frame, initial, _ = transient(np.arange(2.0, 3600.0, 2.0))
    found, outcome = run(frame)
    assert "initial_current_late" in codes(outcome)
    value = found["initial_current_A"]
    assert abs(value.value - initial) <= 3.0 * value.uncertainty
    assert value.value == pytest.approx(initial, rel=0.01)


def test_a_current_that_still_falls_is_flagged_with_its_rate():
    # I = I_s + ΔI exp(−t/τ), truncated at 2 τ: the rate at the end follows from the closed form.
    tau, end = 1800.0, 3600.0
    time = FAST[end >= FAST]
    frame, initial, steady = transient(time, tau, t=0.7, noise_A=1e-9)
    left = (initial - steady) * np.exp(-0.95 * end / tau)
    rate = 100.0 * 3600.0 * left / tau / (steady + left)
    found, outcome = run(frame)
    assert found["steady_state_current_A"].flag == "suspect"
    sentence = next(text for code, text in outcome.warnings if code == "not_steady")
    assert sentence == f"Current still falls {rate:.0f} % per hour: not at steady state. Hold the voltage longer."


@pytest.mark.parametrize("noise", [1e-9, 3e-8, 2e-7])
def test_noise_alone_is_steady(noise):
    for seed in range(10):
        frame, _, _ = transient(noise_A=noise, seed=seed)
        found, _ = run(frame)
        assert found["steady_state_current_A"].flag == "ok"


def test_a_rest_before_the_hold_is_not_part_of_it():
    frame, initial, steady = transient()
    rest = pd.DataFrame({"time_s": np.arange(0.0, 600.0, 10.0), "potential_V": 1e-5, "current_A": 0.0})
    joined = pd.concat([rest, frame.assign(time_s=frame["time_s"] + 600.0)], ignore_index=True)
    found, _ = run(joined)
    assert found["initial_current_A"].value == pytest.approx(initial, rel=3e-3)
    assert found["steady_state_current_A"].value == pytest.approx(steady, rel=2e-3)


def test_negative_voltages_keep_their_sign():
    frame, initial, steady = transient()
    found, _ = run(frame.assign(potential_V=-frame["potential_V"], current_A=-frame["current_A"]))
    assert found["initial_current_A"].value == pytest.approx(-initial, rel=3e-3)
    assert found["steady_state_current_A"].value == pytest.approx(-steady, rel=2e-3)
    assert found["polarisation_voltage_V"].value == pytest.approx(-0.01)


def test_a_voltage_that_nobody_knows_is_asked_for():
    frame, _, _ = transient()
    with pytest.raises(AnalysisError, match="Enter the polarisation voltage"):
        run(frame.drop(columns="potential_V"))
    found, outcome = run(frame.drop(columns="potential_V"), polarisation_voltage_V=0.01)
    assert found["polarisation_voltage_V"].value == 0.01
    assert outcome.inputs["polarisation_voltage_V"]["origin"] == "person"


def test_a_voltage_that_the_recording_contradicts_is_said():
    frame, _, _ = transient()
    found, outcome = run(frame, polarisation_voltage_V=0.02)
    assert found["polarisation_voltage_V"].value == 0.02
    sentence = next(text for code, text in outcome.warnings if code == "differs_from_recording")
    assert sentence.startswith("Voltage: 20.0 mV was given, the recording shows 10.0 mV.")
    assert "differs_from_recording" not in codes(run(frame, polarisation_voltage_V=0.0105)[1])
    assert "differs_from_recording" not in codes(run(frame.assign(potential_V=np.nan), polarisation_voltage_V=0.02)[1])


@pytest.mark.parametrize("rest_V", [0.0, 0.0015, -0.004])
def test_only_the_voltage_beyond_that_at_rest_drives_the_current(rest_V):
    frame, _, _ = transient()
    before = pd.DataFrame({"time_s": np.arange(-60.0, 0.0, 5.0), "potential_V": 0.0, "current_A": 0.0})
    frame = pd.concat([before, frame], ignore_index=True)
    frame["potential_V"] += rest_V
    found, outcome = run(frame)
    assert found["polarisation_voltage_V"].value == pytest.approx(0.01, rel=1e-6)
    assert found["steady_state_current_A"].flag == "ok"
    assert ("of the rest before" in outcome.inputs["polarisation_voltage_V"]["origin"]) == (rest_V != 0.0)
    assert "several_holds" not in codes(outcome)


def _held(shape, noise_A, seed, step_s=0.1, length_s=7200.0, tau_s=300.0):
    """Hold of 10 mV: 20 µA fall to 12 µA, by an exponential or with √t, behind the charging of the double layer."""
    time = np.concatenate([np.arange(0.0, 3.0, step_s), np.arange(3.0, length_s, 10.0)])
    fall = np.exp(-time / tau_s) if shape == "exponential" else 1.0 / (1.0 + np.sqrt(time / tau_s))
    current = 1.2e-5 + 0.8e-5 * fall + 2e-5 * np.exp(-time / 0.015)
    current += noise_A * np.random.default_rng(seed).normal(size=time.size)
    return pd.DataFrame({"time_s": time, "potential_V": 0.01, "current_A": current})


@pytest.mark.parametrize("step_s", [0.05, 0.1])
@pytest.mark.parametrize("shape", ["exponential", "root"])
def test_the_interval_of_the_initial_current_holds_the_truth(shape, step_s):
    """Of 120 holds at three levels of noise, 95 % within 1.96 standard uncertainties, less what 120 draws scatter."""
    inside = 0
    for seed in range(120):
        found, _ = run(_held(shape, (6e-9, 2e-8, 6e-8)[seed % 3], seed, step_s))
        initial = found["initial_current_A"]
        inside += abs(initial.value - 2e-5) <= 1.96 * initial.uncertainty
    assert inside >= 108


@pytest.mark.parametrize("share", [0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 1.0])
def test_the_interval_of_a_current_that_still_falls_holds_its_limit(share):
    """Time constants up to the length of the hold: the mean of the last tenth is too large, and says by how much."""
    inside = 0
    for seed in range(40):
        found, _ = run(_held("exponential", 2e-8, seed, tau_s=7200.0 * share))
        steady = found["steady_state_current_A"]
        inside += abs(steady.value - 1.2e-5) <= 1.96 * steady.uncertainty
    assert inside >= 35
