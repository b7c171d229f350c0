"""Activation energy: closed forms, statistics against scipy, and what must be refused or said."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.science.activation import Activation
from analysis.science.base import AnalysisError, Subject
from analysis.science.regression import curvature_p_value, fit_line

BOLTZMANN_EV_K = 8.617333262e-5
CELL = Subject("cell", "CEL-0007", "blocking")
CELSIUS = np.arange(20.0, 81.0, 10.0)


def sigma_of(celsius, energy_eV=0.37, sigma_25=2.5e-4):
    kelvin = np.asarray(celsius) + 273.15
    return sigma_25 * 298.15 / kelvin * np.exp(-energy_eV / BOLTZMANN_EV_K * (1 / kelvin - 1 / 298.15))


def numbers(celsius=CELSIUS, scatter=0.0, seed=0, relative=0.01, **columns):
    celsius = np.asarray(celsius, dtype=float)
    values = sigma_of(celsius) * np.exp(scatter * np.random.default_rng(seed).standard_normal(celsius.size))
    frame = pd.DataFrame(
        {
            "result_id": np.arange(101, 101 + celsius.size),
            "quantity": "ionic_conductivity_S_cm",
            "value": values,
            "uncertainty": relative * values,
            "label": "",
            "temperature_degC": celsius,
            "measurement": [f"MEA-{i:04d}" for i in range(celsius.size)],
            "measured_at": pd.date_range("2024-05-01", periods=celsius.size, freq="h", tz="UTC"),
        }
    )
    return frame.assign(**columns)


def run(frame=None, **parameters):
    return Activation().run(numbers() if frame is None else frame, CELL, parameters)


def value(outcome, quantity, label=""):
    return next(f for f in outcome.findings if (f.quantity, f.label) == (quantity, label))


def codes(outcome):
    return {code for code, _ in outcome.warnings}


def test_exact_points_give_exact_numbers():
    outcome = run()
    energy = value(outcome, "activation_energy_eV", "sigma_T")
    assert energy.value == pytest.approx(0.37, abs=1e-9)
    assert energy.position == 0
    assert energy.flag == "ok"
    prefactor = 2.5e-4 * 298.15 * math.exp(0.37 / BOLTZMANN_EV_K / 298.15)
    assert value(outcome, "conductivity_prefactor_S_K_cm").value == pytest.approx(prefactor, rel=1e-6)
    assert value(outcome, "ionic_conductivity_25degC_S_cm").value == pytest.approx(2.5e-4, rel=1e-9)
    assert value(outcome, "ionic_conductivity_25degC_S_cm").temperature_degC == 25.0
    assert codes(outcome) == {"temperature_uncertainty"}


def test_both_forms_differ_by_kT():
    outcome = run()
    plain = value(outcome, "activation_energy_eV", "sigma")
    assert plain.position == 1
    difference = value(outcome, "activation_energy_eV", "sigma_T").value - plain.value
    assert difference == pytest.approx(0.0278, abs=0.0003)  # 27.8 meV = k_B × 323 K


def test_published_series_of_413_to_473_kelvin():
    # Published total conductivities of the s04147 pellet; E_a = 0.8551 eV from ln(σT) of those four numbers.
    sigma = [1.936e-7, 5.594e-7, 1.477e-6, 3.556e-6]
    frame = numbers([139.85, 159.85, 179.85, 199.85]).assign(value=sigma, uncertainty=np.multiply(sigma, 0.01))
    assert value(run(frame), "activation_energy_eV", "sigma_T").value == pytest.approx(0.8551, abs=0.001)


def test_slope_and_its_uncertainty_equal_scipy():
    frame = numbers(scatter=0.02, seed=4)
    kelvin = frame["temperature_degC"].to_numpy() + 273.15
    oracle = stats.linregress(1 / kelvin, np.log(frame["value"].to_numpy() * kelvin))
    energy = value(run(frame), "activation_energy_eV", "sigma_T")
    assert energy.value == pytest.approx(-BOLTZMANN_EV_K * oracle.slope)
    assert energy.uncertainty == pytest.approx(BOLTZMANN_EV_K * oracle.stderr)
    row = run(frame).tables["fit"][0]
    assert row["r_squared"] == pytest.approx(oracle.rvalue**2)
    assert row["upper"] - row["value"] == pytest.approx(stats.t.ppf(0.975, 5) * energy.uncertainty)


def test_weighted_line_equals_numpy():
    rng = np.random.default_rng(1)
    x, w = np.linspace(0, 1, 9), rng.uniform(0.5, 2, 9)
    y = 3 - 2 * x + 0.1 * rng.standard_normal(9)
    slope, intercept = np.polyfit(x, y, 1, w=np.sqrt(w))
    line = fit_line(x, y, w)
    assert line.slope == pytest.approx(slope)
    assert float(line.at(0.0)) == pytest.approx(intercept)


def test_intervals_cover_the_truth():
    covered = {"energy": 0, "sigma": 0}
    for seed in range(200):
        outcome = run(numbers(scatter=0.02, seed=seed))
        energy = value(outcome, "activation_energy_eV", "sigma_T")
        covered["energy"] += abs(energy.value - 0.37) < stats.t.ppf(0.975, 5) * energy.uncertainty
        sigma = value(outcome, "ionic_conductivity_25degC_S_cm")
        covered["sigma"] += abs(math.log(sigma.value / 2.5e-4)) < 2.57 * sigma.uncertainty / sigma.value
    assert 180 <= covered["energy"] <= 198
    assert covered["sigma"] >= 190  # a prediction interval is wider than that of the line


def test_common_geometry_moves_the_prefactor_only():
    scatter = numbers(scatter=0.02, seed=4, relative=0.01)
    common = scatter.assign(uncertainty=scatter["value"] * math.hypot(0.01, 0.05), geometry_relative_uncertainty=0.05)
    first, second = run(scatter), run(common)
    for quantity, label in (("activation_energy_eV", "sigma_T"), ("activation_energy_eV", "sigma")):
        assert value(second, quantity, label).value == pytest.approx(value(first, quantity, label).value)
        assert value(second, quantity, label).uncertainty == pytest.approx(value(first, quantity, label).uncertainty)
    a, b = (value(o, "ionic_conductivity_25degC_S_cm") for o in (first, second))
    assert b.uncertainty / b.value == pytest.approx(math.hypot(a.uncertainty / a.value, 0.05))


def test_an_uncertain_point_counts_less():
    frame = numbers()
    frame.loc[6, "value"] *= 1.2
    heavy = abs(value(run(frame), "activation_energy_eV", "sigma_T").value - 0.37)
    frame.loc[6, "uncertainty"] = 0.5 * frame.loc[6, "value"]
    light = abs(value(run(frame), "activation_energy_eV", "sigma_T").value - 0.37)
    assert light < heavy / 100


@pytest.mark.parametrize(("celsius", "count"), [([20, 40, 60], 3), ([20, 20.2, 40, 60, 60.4], 3), ([25], 1)])
def test_fewer_than_four_distinct_temperatures_are_refused(celsius, count):
    with pytest.raises(AnalysisError, match=f"^E_a needs at least 4 temperatures, this has {count}\\.$"):
        run(numbers(celsius))


def test_no_numbers_at_all():
    with pytest.raises(AnalysisError, match="this has 0"):
        run(pd.DataFrame())


def test_repeated_measurements_all_enter():
    outcome = run(numbers([20, 20, 40, 40, 60, 60, 80]))
    assert outcome.used == list(range(101, 108))


def test_points_are_left_out_by_a_person_only_and_stay_visible():
    frame = numbers(scatter=0.002, seed=2)
    frame.loc[3, "value"] *= 1.5
    outcome = run(frame)
    assert "outlier" in codes(outcome)
    assert len(outcome.used) == 7
    outcome = run(frame, left_out={"104": "bad contact"})
    assert 104 not in outcome.used
    points = outcome.curves["points"]
    at = points["result_id"].index(104)
    assert points["is_used"][at] is False
    assert points["reason"][at] == "bad contact"
    assert value(outcome, "activation_energy_eV", "sigma_T").value == pytest.approx(0.37, abs=0.003)
    assert 104 not in run(frame, left_out=[104]).used


def test_a_short_span_is_said():
    assert "temperature_span_small" in codes(run(numbers([20, 25, 30, 40])))
    assert "temperature_span_small" not in codes(run())


def test_curvature_is_said():
    frame = numbers(scatter=0.001, seed=3)
    frame["value"] *= np.exp(0.2 * ((frame["temperature_degC"] - 50) / 30) ** 2)
    assert "curvature" in codes(run(frame))
    assert "curvature" not in codes(run(numbers(scatter=0.01, seed=3)))


def test_curvature_p_equals_an_f_test():
    rng = np.random.default_rng(5)
    x = np.linspace(0, 1, 9)
    y = 1 + 2 * x + 0.3 * x**2 + 0.05 * rng.standard_normal(9)
    rss = [float(np.sum((y - np.polyval(np.polyfit(x, y, order), x)) ** 2)) for order in (1, 2)]
    oracle = stats.f.sf((rss[0] - rss[1]) / (rss[1] / 6), 1, 6)
    assert curvature_p_value(x, y, np.ones(9)) == pytest.approx(oracle)


def test_heating_and_cooling_together_are_said():
    assert "mixed_branches" in codes(run(numbers([20, 40, 60, 80, 60, 40])))
    assert "mixed_branches" not in codes(run())
    unknown = numbers([20, 40, 60, 80, 60, 40]).assign(measured_at=None)
    assert "mixed_branches" not in codes(run(unknown))


def test_extrapolation_to_25_degC_is_flagged():
    outcome = run(numbers([60, 80, 100, 120], scatter=0.01))
    assert "extrapolated" in codes(outcome)
    assert value(outcome, "ionic_conductivity_25degC_S_cm").flag == "suspect"
    assert value(run(numbers([35, 50, 65, 80])), "ionic_conductivity_25degC_S_cm").flag == "ok"


def test_prediction_widens_outside_the_points():
    near = value(run(numbers([20, 40, 60, 80], scatter=0.02)), "ionic_conductivity_25degC_S_cm")
    far = value(run(numbers([120, 140, 160, 180], scatter=0.02)), "ionic_conductivity_25degC_S_cm")
    assert far.uncertainty / far.value > 2 * near.uncertainty / near.value


def test_a_rising_resistance_is_out_of_range():
    frame = numbers()
    frame["value"] = sigma_of(CELSIUS, energy_eV=-0.2)
    assert value(run(frame), "activation_energy_eV", "sigma_T").flag == "out_of_range"


def test_everything_left_behind_is_plain_json():
    outcome = run(numbers(scatter=0.01).assign(uncertainty=np.nan), left_out=[101])
    json.dumps([outcome.curves, outcome.tables, outcome.inputs, outcome.used], allow_nan=False)
    assert set(outcome.curves) == {"points", "line", "band"}
    assert "inverse_temperature_1000_per_K" in outcome.curves["line"]
    low, middle, high = (
        np.array(outcome.curves[part][name])
        for part, name in (("band", "lower_S_cm"), ("line", "conductivity_S_cm"), ("band", "upper_S_cm"))
    )
    assert (low < middle).all()
    assert (middle < high).all()
    assert sorted({f.quantity for f in outcome.findings}) == sorted(Activation.yields)
