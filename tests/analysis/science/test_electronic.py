"""Electronic conductivity: the limit of the current, several voltages, and currents that an instrument cannot see."""

import numpy as np
import pandas as pd
import pytest

from analysis.science.base import Subject
from analysis.science.electronic import Electronic
from analysis.science.synthetic_series import dc_polarisation

SUBJECT = Subject(
    "cell", "CEL-0095", "blocking", thickness_um=800.0, thickness_uncertainty_um=4.0, electrode_diameter_mm=10.0,
    electrode_diameter_uncertainty_mm=0.05,
)  # fmt: skip
AT_25 = {"temperature_degC": 25.0, "temperature_origin": "file"}
TIME = np.arange(10.0, 36000.0, 10.0)
RESISTANCE_OHM = 1.0e8
TRUTH_S_CM = 0.08 / (RESISTANCE_OHM * np.pi / 4.0)  # L / (R A)


def recording(voltages=(0.5,), seed=1, **more):
    return dc_polarisation(
        TIME, voltages_V=voltages, electronic_resistance_ohm=RESISTANCE_OHM, rng=np.random.default_rng(seed), **more
    )


def run(frame, subject=SUBJECT, **parameters):
    outcome = Electronic().run(frame, subject, AT_25 | parameters)
    return {finding.quantity: finding for finding in outcome.findings}, outcome


def codes(outcome):
    return {code for code, _ in outcome.warnings}


def test_the_limit_of_a_relaxing_current():
    found, outcome = run(recording(noise_A=2e-12))
    sigma = found["electronic_conductivity_S_cm"]
    assert sigma.value == pytest.approx(TRUTH_S_CM, rel=0.02)
    assert (sigma.limit, sigma.flag) == ("=", "ok")
    assert sigma.uncertainty > sigma.value * np.hypot(4 / 800, 2 * 0.05 / 10) * 0.99
    assert "single_voltage" in codes(outcome)


def test_the_slope_of_several_voltages():
    found, outcome = run(recording((0.25, 0.5, 0.75), noise_A=2e-12))
    assert found["electronic_conductivity_S_cm"].value == pytest.approx(TRUTH_S_CM, rel=0.02)
    assert not {"single_voltage", "non_ohmic"} & codes(outcome)


def test_a_current_that_bends_is_given_at_the_lowest_voltage():
    found, outcome = run(recording((0.25, 0.5, 0.75, 1.0), bend_per_V=2.0, noise_A=2e-12))
    assert "non_ohmic" in codes(outcome)
    assert found["electronic_conductivity_S_cm"].value == pytest.approx(TRUTH_S_CM * 1.5, rel=0.03)


def test_a_current_below_that_of_the_instrument_is_an_upper_limit():
    frame = recording(noise_A=1e-9, offset_A=3e-9)
    rest = pd.DataFrame({"time_s": np.arange(0.0, 600.0, 5.0), "potential_V": 0.0, "current_A": 3e-9})
    frame["time_s"] += 600.0
    found, outcome = run(pd.concat([rest, frame], ignore_index=True))
    sigma = found["electronic_conductivity_S_cm"]
    assert sigma.limit == "<"
    assert sigma.value > TRUTH_S_CM
    assert "below_instrument" in codes(outcome)


def test_without_thickness_or_area_nothing_is_guessed():
    found, outcome = run(recording(), Subject("cell", "CEL-0001", "blocking"))
    assert found["electronic_conductivity_S_cm"].flag == "missing"
    assert {"missing_area", "missing_thickness"} <= codes(outcome)
    assert found["steady_state_current_A"].value == pytest.approx(5e-9, rel=0.02)


def test_the_limit_does_not_depend_on_where_the_time_constant_lies():
    # I = I_e (1 + 20 exp(−t/τ)) at three voltages, noise of 0.5 % of I_e; a coarse scan of τ bent the limit by 0.5 %.
    sigma, time, off = 1.0e-9, np.arange(1.0, 7200.0, 5.0), []
    for seed, tau in enumerate(np.linspace(200.0, 420.0, 45)):
        rng, parts = np.random.default_rng(seed), []
        for place, voltage in enumerate((0.25, 0.5, 1.0)):
            limit = sigma * voltage * np.pi / 4.0 / 0.08
            current = limit * (1.0 + 20.0 * np.exp(-time / tau) + 0.005 * rng.standard_normal(time.size))
            parts.append(pd.DataFrame({"time_s": time + 7200.0 * place, "potential_V": voltage, "current_A": current}))
        exact = Subject("cell", "CEL-0095", "blocking", thickness_um=800.0, electrode_diameter_mm=10.0)
        found = run(pd.concat(parts, ignore_index=True), exact)[0]["electronic_conductivity_S_cm"]
        off.append((found.value - sigma) / found.uncertainty)
        assert found.value == pytest.approx(sigma, rel=4e-3)
    assert np.mean(np.abs(off) < 2.0) >= 0.85
