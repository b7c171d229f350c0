"""Sputter rate: exact lines, closed forms of weighted regression, coverage on synthetic truth, doubts, bad input."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.figures.films import columns, thickness
from analysis.figures.parts import Sample
from analysis.science.base import AnalysisError, Subject
from analysis.science.sputter_rate import SputterRate, fit_rate, intercept_p_value, scatter_p_value

SETTING = Subject(kind="sputter_setting", code="CuS 80 W 1 Pa 5 cm")


def films(times, heights, spreads=None, **more):
    """The table that the pipeline makes of so many films."""
    count = len(times)
    table = {
        "film": [f"FLM-{n:04d}" for n in range(1, count + 1)],
        "run": [f"SPT-{n:04d}" for n in range(1, count + 1)],
        "measured_on": [f"WIT-{n:04d}" for n in range(1, count + 1)],
        "method": ["AFM step"] * count,
        "film_thickness_nm": heights,
        "film_thickness_uncertainty_nm": spreads if spreads is not None else [None] * count,
        "height_count": [1 if spreads is None else 3] * count,
        "duration_min": times,
        "measured_at": [f"2026-01-{n:02d}T12:00:00+00:00" for n in range(1, count + 1)],
        "is_synthetic": [False] * count,
        "gas": ["Ar"] * count,
        "stage_temperature_degC": [None] * count,
    }
    return pd.DataFrame(table | more)


def computed(*args, **more):
    parameters = more.pop("parameters", {})
    return SputterRate().run(films(*args, **more), SETTING, parameters)


def codes(outcome):
    return {code for code, _ in outcome.warnings}


def by_label(outcome):
    return {finding.label: finding for finding in outcome.findings}


# -- exact lines -------------------------------------------------------------------------------------------------------
@given(
    rate=st.floats(0.1, 50.0),
    times=st.lists(st.integers(1, 60), min_size=3, max_size=8, unique=True),
)
def test_an_exact_line_through_zero_gives_its_rate(rate, times):
    outcome = computed([float(t) for t in times], [rate * t for t in times])
    assert [finding.label for finding in outcome.findings] == ["through_origin", "with_intercept"]
    for place, finding in enumerate(outcome.findings):
        assert finding.value == pytest.approx(rate, rel=1e-9)
        assert finding.uncertainty == pytest.approx(0.0, abs=1e-6 * rate)
        assert (finding.position, finding.flag, finding.limit) == (place, "ok", "=")
    assert not outcome.warnings
    assert outcome.tables["times"][1]["duration_min"] == pytest.approx(50.0 / rate)


def test_an_exact_line_with_an_intercept_is_not_forced_through_zero():
    outcome = computed([5.0, 10.0, 20.0, 40.0], [12.0 + 5.0 * t for t in (5, 10, 20, 40)])
    assert [finding.label for finding in outcome.findings] == ["with_intercept"]
    assert outcome.findings[0].value == pytest.approx(5.0)
    assert codes(outcome) == {"intercept_significant", "intercept_large"}
    sentence = dict(outcome.warnings)["intercept_significant"]
    assert "12 nm at 0 min, not zero" in sentence
    assert outcome.tables["times"][1]["duration_min"] == pytest.approx((50 - 12) / 5)


# -- closed forms ------------------------------------------------------------------------------------------------------
TIMES, HEIGHTS = np.array([5.0, 10.0, 15.0, 20.0, 30.0]), np.array([24.1, 51.3, 73.9, 101.8, 148.2])


def test_without_known_scatter_it_is_ordinary_least_squares():
    line = fit_rate(TIMES, HEIGHTS, np.full(5, np.nan), has_intercept=True)
    judge = stats.linregress(TIMES, HEIGHTS)
    assert (line.rate_nm_min, line.intercept_nm) == pytest.approx((judge.slope, judge.intercept))
    assert line.rate_uncertainty == pytest.approx(judge.stderr)
    assert line.intercept_uncertainty == pytest.approx(judge.intercept_stderr)
    expected = 2 * stats.t.sf(abs(judge.intercept) / judge.intercept_stderr, 3)
    assert intercept_p_value(line, 148.2) == pytest.approx(expected)


def test_through_the_origin_it_is_the_textbook_ratio_of_sums():
    line = fit_rate(TIMES, HEIGHTS, np.full(5, np.nan), has_intercept=False)
    rate = float(TIMES @ HEIGHTS / (TIMES @ TIMES))
    scatter = float(((HEIGHTS - rate * TIMES) ** 2).sum() / 4)
    assert line.rate_nm_min == pytest.approx(rate)
    assert line.rate_uncertainty == pytest.approx(math.sqrt(scatter / float(TIMES @ TIMES)))
    # A further film at 12 min: scatter of the line and of the film itself.
    expected = math.sqrt(scatter * (1 + 144 / float(TIMES @ TIMES)))
    assert line.prediction_uncertainty(np.array([12.0]))[0] == pytest.approx(expected)
    assert line.quantile == pytest.approx(stats.t.ppf(0.975, 4))


def test_readings_weigh_and_bound_the_uncertainty_from_below():
    spreads = np.array([1.0, 2.0, 2.0, 4.0, 1.0])
    exact = 5.0 * TIMES
    line = fit_rate(TIMES, exact, spreads, has_intercept=False)
    weights = 1 / np.maximum(spreads, 0.5 * 2.0) ** 2  # none counts for more than half the typical uncertainty
    assert line.rate_nm_min == pytest.approx(5.0)
    # No scatter about the line at all: the readings still say ±.
    assert line.rate_uncertainty == pytest.approx(1 / math.sqrt(float(weights @ TIMES**2)))
    bent = fit_rate(TIMES, HEIGHTS, spreads, has_intercept=False)
    assert bent.rate_nm_min == pytest.approx(float(weights @ (TIMES * HEIGHTS) / (weights @ TIMES**2)))


@pytest.mark.parametrize("has_intercept", [False, True])
def test_the_stated_uncertainty_covers_the_truth(has_intercept):
    random, count, hits, squares = np.random.default_rng(7), 4000, 0, []
    for _ in range(count):
        heights = 5.0 * TIMES + random.normal(0.0, 2.0, 5)
        line = fit_rate(TIMES, heights, np.full(5, np.nan), has_intercept=has_intercept)
        hits += abs(line.rate_nm_min - 5.0) < line.quantile * line.rate_uncertainty
        squares.append((line.rate_nm_min - 5.0) ** 2)
    assert hits / count == pytest.approx(0.95, abs=0.012)
    offset = TIMES - TIMES.mean() if has_intercept else TIMES
    assert math.sqrt(np.mean(squares)) == pytest.approx(2.0 / math.sqrt(float(offset @ offset)), rel=0.04)


def test_the_intercept_is_rejected_as_often_as_it_says():
    random = np.random.default_rng(3)
    p = [
        intercept_p_value(
            fit_rate(TIMES, 5.0 * TIMES + random.normal(0, 2, 5), np.full(5, np.nan), has_intercept=True), 150.0
        )
        for _ in range(4000)
    ]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.012)


def test_unequal_scatter_is_bartletts_test():
    random = np.random.default_rng(1)
    groups = [random.normal(0, s, n) for s, n in ((1.0, 5), (1.5, 4), (6.0, 6))]
    spread = np.array([group.std(ddof=1) / math.sqrt(group.size) for group in groups])
    count = np.array([float(group.size) for group in groups])
    assert scatter_p_value(spread, count) == pytest.approx(stats.bartlett(*groups).pvalue)
    assert scatter_p_value(spread[:1], count[:1]) is None
    assert scatter_p_value(spread, np.array([2.0, 1.0, 6.0])) is None


# -- few films ---------------------------------------------------------------------------------------------------------
def test_one_film_is_a_ratio_and_says_so():
    outcome = computed([10.0], [50.0], [2.0])
    (finding,) = outcome.findings
    assert (finding.label, finding.value, finding.uncertainty) == ("ratio", pytest.approx(5.0), pytest.approx(0.2))
    assert codes(outcome) == {"single_time"}
    assert "thickness over time, not a regression" in outcome.warnings[0][1]
    assert outcome.inputs["formula"]["text"] == "r = d / t"


def test_one_reading_of_one_film_has_no_uncertainty():
    (finding,) = computed([10.0], [50.0]).findings
    assert (finding.value, finding.uncertainty, finding.flag) == (pytest.approx(5.0), None, "ok")


def test_films_of_one_time_are_averaged():
    (finding,) = computed([10.0, 10.0, 10.0], [48.0, 50.0, 52.0]).findings
    assert finding.value == pytest.approx(5.0)
    assert finding.uncertainty == pytest.approx(0.2 / math.sqrt(3))  # s = 2 nm


def test_two_times_are_few():
    outcome = computed([5.0, 10.0], [26.0, 50.0], [1.0, 1.0])
    assert "few_times" in codes(outcome)
    free = by_label(outcome)["with_intercept"]
    assert free.value == pytest.approx(24 / 5)
    assert free.uncertainty == pytest.approx(math.sqrt(2) / 5)
    single = computed([5.0, 10.0], [26.0, 50.0])
    assert {"few_times", "intercept_untested"} <= codes(single)
    assert by_label(single)["with_intercept"].uncertainty is None


# -- doubts ------------------------------------------------------------------------------------------------------------
def test_what_speaks_against_the_films_is_said():
    bent = computed([5.0, 10.0, 15.0, 20.0, 30.0], [20.0, 70.0, 60.0, 140.0, 120.0])
    assert "r_squared_low" in codes(bent)
    mixed = computed([5.0, 10.0, 20.0], [25.0, 50.0, 100.0], gas=["Ar", "Ar", "Ar/O2"])
    assert "conditions_differ" in codes(mixed)
    uneven = computed([5.0, 10.0, 20.0], [25.0, 50.0, 100.0], [0.1, 0.1, 9.0], height_count=[8, 8, 8])
    assert "heteroscedastic" in codes(uneven)


def test_synthetic_films_never_bend_measured_ones():
    flags = [False, False, False, True]
    outcome = computed([5.0, 10.0, 20.0, 40.0], [25.0, 50.0, 100.0, 999.0], is_synthetic=flags)
    assert outcome.findings[0].value == pytest.approx(5.0)
    assert codes(outcome) == {"synthetic_left_out"}
    assert outcome.inputs["is_synthetic"]["value"] is False
    assert computed([5.0, 10.0], [25.0, 50.0], is_synthetic=[True, True]).inputs["is_synthetic"]["value"] is True


def test_a_person_may_leave_films_out():
    choice = {"left_out": {"FLM-0003": "scratched"}}
    outcome = computed([5.0, 10.0, 20.0], [25.0, 50.0, 300.0], parameters=choice)
    assert outcome.findings[0].value == pytest.approx(5.0)
    assert outcome.inputs["left_out"]["value"] == ["FLM-0003"]
    assert outcome.curves["points"]["reason"] == [None, None, "scratched"]
    assert [row["film"] for row in outcome.inputs["films"]["value"]] == ["FLM-0001", "FLM-0002"]


@pytest.mark.parametrize(
    "table", [films([], []), films([0.0], [50.0]), films([10.0], [float("nan")]), films([None], [50.0])]
)
def test_nothing_to_compute_from_is_a_sentence(table):
    with pytest.raises(AnalysisError, match="No measured film thickness at CuS 80 W 1 Pa 5 cm"):
        SputterRate().run(table, SETTING, {})


def test_a_rate_that_cannot_be_is_flagged():
    falling = computed([5.0, 10.0, 20.0], [100.0, 60.0, 1.0])
    assert by_label(falling)["with_intercept"].flag == "out_of_range"


# -- the figure --------------------------------------------------------------------------------------------------------
def test_the_figure_shows_films_line_rate_and_setting():
    outcome = computed(list(TIMES), list(HEIGHTS))
    rate = {"value": 4.98, "uncertainty": 0.05, "form": "through_origin"}
    figure = thickness(outcome.curves, Sample(SETTING.code, SETTING.code, True), rate)
    assert "5 films, 5 to 30 min; rate 4.98 ± 0.05 nm min⁻¹, through zero." in figure["summary"]
    names = [trace["name"] for trace in figure["traces"]]
    assert names == ["95 % prediction, lower", "95 % prediction", "fit", "films"]
    assert figure["traces"][-1]["x"] == list(TIMES)
    assert list(columns("thickness", outcome.curves)["film_thickness_nm"]) == list(HEIGHTS)
