"""The kind of a recording over time: programmes whose kind is known because they were made so."""

import numpy as np
import pandas as pd
import pytest

from analysis.science import synthetic_series
from analysis.science.synthetic_cycling import cycling_test, rate_test
from measurements.telling import split, told_kinds


def galvanostatic(levels_mA, hours: float = 1.0, cycles: int = 1, rest_s: float = 0.0, ohm: float = 800.0):
    """Both polarities at each level, a point a minute, with the noise of a tester."""
    rng = np.random.default_rng(3)
    rows, now = [], 0.0
    for level in levels_mA:
        for sign in [1, -1] * cycles:
            for current in [sign * level * 1e-3] * round(60 * hours) + [0.0] * round(rest_s / 60):
                rows.append((now, current * ohm + rng.normal(0, 1e-4), current * (1 + rng.normal(0, 1e-4))))
                now += 60.0
    return pd.DataFrame(rows, columns=["time_s", "potential_V", "current_A"])


def held(volts: float, resolution_V: float = 1e-5) -> pd.DataFrame:
    """A constant voltage whose current falls to a steady one."""
    rng = np.random.default_rng(5)
    t = np.arange(0.0, 7200.0, 10.0)
    current = 1e-5 * (0.6 + 0.4 * np.exp(-t / 900.0)) + rng.normal(0, 1e-9, len(t))
    return pd.DataFrame({"time_s": t, "potential_V": volts + rng.normal(0, resolution_V, len(t)), "current_A": current})


@pytest.mark.parametrize("configuration", ["blocking", "symmetric", "full"])
@pytest.mark.parametrize("volts", [0.01, -0.01, 1.0])
def test_constant_voltage_is_a_polarisation(configuration, volts):
    assert told_kinds(held(volts))[configuration] == "polarisation"


@pytest.mark.parametrize(
    ("levels", "more", "kind"),
    [
        (np.arange(1, 13) * 0.05, {}, "ccd_ramp"),
        (np.arange(1, 13) * 0.05, {"rest_s": 600.0}, "ccd_ramp"),
        ([0.05, 0.1, 0.2, 0.4], {"hours": 0.5, "cycles": 2}, "ccd_ramp"),
        ([0.05, 0.1], {}, "ccd_ramp"),
        ([0.1], {"cycles": 40}, "plating_stripping"),
        ([0.1], {"cycles": 40, "rest_s": 600.0}, "plating_stripping"),
        ([0.05, 0.1], {"cycles": 20}, "plating_stripping"),
        ([0.4, 0.3, 0.2, 0.1], {}, "plating_stripping"),
    ],
)
def test_rising_steps_on_a_symmetric_cell_are_a_ramp(levels, more, kind):
    assert told_kinds(galvanostatic(levels, **more))["symmetric"] == kind


def test_a_long_test_after_a_few_rising_levels_is_plating_and_stripping():
    frames = [galvanostatic([0.02, 0.05]), galvanostatic([0.1], cycles=50)]
    frames[1]["time_s"] += frames[0]["time_s"].max() + 60.0
    assert told_kinds(pd.concat(frames, ignore_index=True))["symmetric"] == "plating_stripping"


@pytest.mark.parametrize(
    ("rates", "kind"),
    [
        ([(0.1, 5, 0.3), (0.2, 5, 0.29), (0.5, 5, 0.26), (1.0, 5, 0.2), (0.1, 5, 0.3)], "rate_test"),
        ([(0.1, 3, 0.3), (0.2, 3, 0.29), (0.3, 3, 0.28)], "rate_test"),
        ([(0.1, 3, 0.3), (0.5, 40, 0.26)], "cycling"),
        ([(0.05, 2, 0.31), (0.1, 2, 0.3), (0.5, 40, 0.26)], "cycling"),
    ],
)
def test_three_rates_in_blocks_on_a_full_cell_are_a_rate_test(rates, kind):
    test = rate_test(rates, one_c_mA=0.3, rng=np.random.default_rng(7), points_per_half=60)
    assert told_kinds(test.frame)["full"] == kind


def test_a_hold_at_the_end_of_charge_does_not_change_the_kind():
    test = cycling_test([0.3] * 12, 0.998, 0.1, rng=np.random.default_rng(8), hold_fraction=0.2, points_per_half=80)
    assert told_kinds(test.frame)["full"] == "cycling"


def test_a_test_that_still_rests_has_begun():
    rest = pd.DataFrame({"time_s": np.arange(50.0), "potential_V": np.full(50, 2.9), "current_A": np.zeros(50)})
    assert split(rest) == []
    assert told_kinds(rest) == {"blocking": "attachment", "symmetric": "plating_stripping", "full": "cycling"}


def test_rests_between_spectra_are_no_test_and_current_between_them_is():
    rest = pd.DataFrame({"time_s": np.arange(50.0), "potential_V": np.full(50, 2.9), "current_A": np.zeros(50)})
    assert set(told_kinds(rest, is_beside_spectra=True).values()) == {"attachment"}
    assert told_kinds(galvanostatic([0.1], cycles=4), is_beside_spectra=True)["symmetric"] == "plating_stripping"


@pytest.mark.parametrize("current", [None, np.nan])
def test_without_a_current_there_is_nothing_to_tell(current):
    frame = pd.DataFrame(
        {"time_s": np.arange(50.0), "potential_V": np.full(50, 2.9), "current_A": current}, dtype=float
    )
    assert set(told_kinds(frame).values()) == {"attachment"}
    assert set(told_kinds(frame.drop(columns="current_A")).values()) == {"attachment"}


def test_one_stray_row_at_the_end_of_a_short_hold_does_not_hide_it():
    """The potentiostat has let go at the last row, and the first one was read before the step."""
    frame = held(0.5).iloc[::90].reset_index(drop=True)
    frame.loc[0, ["potential_V", "current_A"]] = [-5e-4, -2e-5]
    frame.loc[len(frame) - 1, "potential_V"] = 0.4
    assert len(frame) == 8
    assert set(told_kinds(frame).values()) == {"polarisation"}


def test_several_currents_within_a_discharge_are_one_rate():
    """Lithium is taken up at one current and then at less, as far as it goes: no rate test."""
    frames, now = [], 0.0
    for _ in range(4):
        for current in (3e-4, -3e-4, -1.5e-4, -7e-5, -3e-5):
            time = now + np.arange(0.0, 7200.0 if abs(current) == 3e-4 else 1800.0, 60.0)
            frames.append(
                pd.DataFrame({"time_s": time, "potential_V": 0.5 + 1e-5 * (time - now), "current_A": current})
            )
            now = float(time[-1]) + 60.0
    assert told_kinds(pd.concat(frames, ignore_index=True))["full"] == "cycling"


def test_random_tests_of_symmetric_cells():
    """The generators behind the benchmarks: only a ramp that fails in its first level cannot be told."""
    wrong = []
    for seed in range(60):
        rng = np.random.default_rng(1000 + seed)
        ramp, life = synthetic_series.random_ramp(rng)[0], synthetic_series.random_life(rng)[0]
        for frame, kind in ((ramp.frame, "ccd_ramp"), (life.frame, "plating_stripping")):
            if told_kinds(frame)["symmetric"] != kind:
                wrong.append((seed, kind))
    assert len(wrong) <= 1, wrong
