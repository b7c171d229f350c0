"""The limit of a relaxing current against I = I_e + A exp(−t/τ) + B/√t, which is known."""

import numpy as np
import pandas as pd
import pytest

from analysis.science.base import Subject
from analysis.science.electronic import Electronic
from analysis.science.relaxation import limiting_current

EXACT = Subject("cell", "CEL-0095", "blocking", thickness_um=800.0, electrode_diameter_mm=10.0)
CM_PER_CM2 = 0.08 / (np.pi / 4.0)
NO_POTENTIAL = {"polarisation_voltage_V": 0.5, "temperature_degC": 25.0, "temperature_origin": "file"}
LIMIT_A, HOLD_S = 2.0e-9, 36000.0


def times(hold_s=HOLD_S, step_s=10.0):
    return np.concatenate([np.arange(0.1, step_s, 0.1), np.arange(step_s, hold_s, step_s)])


def hold(time, seed, tau_s=600.0, ratio=15.0, creep=0.0, noise=2e-3, voltage_V=0.5):
    """One hold: A = ratio I_e, B/√t is creep I_e at its end, noise is a share of the current."""
    shape = 1.0 + ratio * np.exp(-time / tau_s) + creep * np.sqrt(time[-1] / time)
    current = 2.0 * voltage_V * LIMIT_A * shape * (1.0 + noise * np.random.default_rng(seed).standard_normal(time.size))
    return pd.DataFrame({"time_s": time, "potential_V": voltage_V, "current_A": current})


def conductivity(frame):
    """The ratio of σ_e to the truth, its uncertainty, its flag, and the codes of the warnings."""
    outcome = Electronic().run(frame, EXACT, {"temperature_degC": 25.0, "temperature_origin": "file"})
    found = outcome.findings[0]
    truth = 2.0 * LIMIT_A * CM_PER_CM2
    return found.value / truth, found.uncertainty / truth, found.flag, {code for code, _ in outcome.warnings}


@pytest.mark.parametrize("tau_s", [10.0, 60.0, 150.0, 250.0, 350.0, 450.0, 550.0, 650.0, 719.0, 760.0, 3000.0, 6000.0])
def test_a_relaxation_that_ended_leaves_no_trace(tau_s):
    ratio, spread, flag, codes = conductivity(hold(times(), seed=int(tau_s), tau_s=tau_s))
    assert ratio == pytest.approx(1.0, abs=min(5e-3, 3.0 * spread))
    assert spread < 0.05
    assert not codes & {"slow_relaxation", "not_steady"} or tau_s == 6000.0
    assert flag == "ok" or tau_s == 6000.0


@pytest.mark.parametrize("ratio", [1.5, 100.0, 300.0])
@pytest.mark.parametrize(("tau_s", "hold_s"), [(400.0, HOLD_S), (600.0, HOLD_S), (1200.0, 86400.0)])
def test_a_large_relaxation_that_ended_is_not_slow(tau_s, hold_s, ratio):
    value, spread, flag, codes = conductivity(hold(times(hold_s), seed=9, tau_s=tau_s, ratio=ratio))
    assert value == pytest.approx(1.0, abs=min(5e-3, 3.0 * spread))
    assert (flag, codes & {"slow_relaxation", "not_steady"}) == ("ok", set())
    assert spread < 1e-3


@pytest.mark.parametrize("creep", [-0.03, 0.013, 0.053, 0.15])
def test_a_creep_is_taken_off_and_counts_in_the_uncertainty(creep):
    value, spread, _, codes = conductivity(hold(times(), seed=20, creep=creep))
    assert value == pytest.approx(1.0, abs=5e-3)
    assert abs(value - 1.0) < 2.0 * spread
    assert 0.3 * abs(creep) < spread < abs(creep)  # the law beyond the data is not known
    assert "slow_relaxation" not in codes


@pytest.mark.parametrize("more", [{"creep": 0.25}, {"tau_s": 0.3 * HOLD_S, "ratio": 8.0}, {"tau_s": 0.5 * HOLD_S}])
def test_what_has_not_ended_is_said(more):
    value, spread, flag, codes = conductivity(hold(times(), seed=3, **more))
    assert "slow_relaxation" in codes
    assert flag == "suspect"
    assert 0.0 < value - 1.0 < 2.0 * spread


@pytest.mark.parametrize("tau_s", [60.0, 143.0])
def test_four_ohmic_voltages(tau_s):
    time = times(7200.0)
    parts = [
        hold(time, seed=place, tau_s=tau_s, noise=1e-3, voltage_V=voltage).assign(time_s=time + 7200.0 * place)
        for place, voltage in enumerate((0.25, 0.5, 0.75, 1.0))
    ]
    value, spread, flag, codes = conductivity(pd.concat(parts, ignore_index=True))
    assert value == pytest.approx(1.0, abs=min(1e-3, 3.0 * spread))
    assert (flag, "non_ohmic" in codes) == ("ok", False)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_diode_is_given_at_the_lowest_voltage(count):
    time = times(7200.0)
    parts = []
    for place, voltage in enumerate((0.25, 0.5, 0.75, 1.0)[:count]):
        part = hold(time, seed=place, tau_s=60.0, noise=1e-3, voltage_V=voltage).assign(time_s=time + 7200.0 * place)
        parts.append(part.assign(current_A=part["current_A"] * np.exp(3.0 * (voltage - 0.25))))
    value, spread, _, codes = conductivity(pd.concat(parts, ignore_index=True))
    assert value == pytest.approx(1.0, abs=min(1e-3, 3.0 * spread))
    assert "non_ohmic" in codes


def test_steps_of_the_file_count_in_the_uncertainty():
    frame = hold(times(), seed=1, noise=0.0)
    step = 0.3 * LIMIT_A
    value, spread, *_ = conductivity(frame.assign(current_A=np.round(frame["current_A"] / step) * step))
    assert abs(value - 1.0) < 2.0 * spread


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng, off = np.random.default_rng(5), []
    for _ in range(80):
        step_s = float(rng.choice([5.0, 20.0, 60.0]))
        time = np.arange(step_s, 3600.0 * float(rng.uniform(0.5, 20.0)), step_s)
        tau_s = np.exp(rng.uniform(np.log(step_s), np.log(0.1 * time[-1])))
        noise = 10.0 ** rng.uniform(-3.5, -2.0) * rng.standard_normal(time.size)
        spike = 10.0 ** rng.uniform(0.0, 3.0) * np.exp(-time / 5.0)
        found = limiting_current(time, 1.0 + 10.0 ** rng.uniform(-1.0, 2.5) * np.exp(-time / tau_s) + spike + noise)
        off.append((found.limit_A - 1.0) / found.limit_uncertainty_A)
    assert 0.90 <= np.mean(np.abs(off) < 1.96) <= 0.99
    assert abs(np.median(off)) < 0.3


def test_a_current_below_noise_does_not_relax():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        time = np.arange(10.0, 7200.0, 10.0)
        current = 1.0e-9 * np.exp(-time / 60.0) + 1.0e-12 * rng.standard_normal(time.size)
        outcome = Electronic().run(pd.DataFrame({"time_s": time, "current_A": current}), EXACT, NO_POTENTIAL)
        found = outcome.findings[0]
        assert "slow_relaxation" not in {code for code, _ in outcome.warnings}
        assert found.limit == "<"
        assert found.value < 1.0e-12 / 0.5 * CM_PER_CM2  # the noise of one row of 719


def test_a_hold_of_few_rows_or_of_equal_times_is_no_reason_to_fail():
    for time in (np.zeros(8), np.arange(8.0), np.repeat(np.arange(4.0), 2), np.linspace(1e4, 1.1e4, 9)):
        found = limiting_current(time, np.full(time.size, 2.0e-9))
        assert found.limit_A == pytest.approx(2.0e-9)
        assert np.isfinite(found.limit_uncertainty_A)
