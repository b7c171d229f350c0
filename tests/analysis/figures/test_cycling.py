"""Figures of full cells: what people must be able to read from them."""

import json

import numpy as np
import pytest

from analysis.figures import cycling as figures
from analysis.figures.parts import Sample
from analysis.plots import _frames
from analysis.science.base import Subject
from analysis.science.rate import Rate
from analysis.science.retention import Cycling
from analysis.science.synthetic_cycling import cycling_test, faded_capacities_mAh, rate_test

MASS = 1.96
CELL = Subject("cell", "CEL-0104", "full", active_mass_mg=MASS, theoretical_capacity_mAh_g=170.0)
BARE = Subject("cell", "CEL-0104", "full")
SAMPLE = Sample("CEL-0104", "CEL-0104, Li|Li₂S/Cu@LAGP|LFP", is_coated=True, temperature_degC=25.0)


def cycling(subject=CELL, cycles=100, **more):
    rng = np.random.default_rng(2)
    capacities = faded_capacities_mAh(0.147 * MASS, 0.945, cycles, formation=3)
    currents = np.concatenate([np.full(3, 0.0167), np.full(cycles - 3, 0.0333)])
    test = cycling_test(capacities, 0.99, currents, rng=rng, **{"points_per_half": 60, **more})
    return Cycling().run(test.frame, subject, {}).curves


def rates(subject=CELL):
    schedule = [(0.1, 5, 0.287), (0.5, 5, 0.22), (1.0, 5, 0.15), (0.1, 5, 0.279)]
    test = rate_test(schedule, one_c_mA=0.3332, rng=np.random.default_rng(2), points_per_half=60)
    return Rate().run(test.frame, subject, {}).curves


def named(figure, name):
    return next(trace for trace in figure["traces"] if trace["name"] == name)


def words_of(figure):
    return " ".join(note["text"] for note in figure["layout"]["annotations"])


# -- all ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("subject", [CELL, BARE])
@pytest.mark.parametrize("name", sorted(figures.BUILDERS))
def test_every_figure_is_plain_has_ranges_and_words(name, subject):
    curves = rates(subject) if name == "rate" else cycling(subject, cycles=12)
    figure = figures.BUILDERS[name](curves, SAMPLE)
    json.dumps(figure, allow_nan=False)
    axes = {key: axis for key, axis in figure["layout"].items() if key.startswith(("xaxis", "yaxis"))}
    assert all(len(axis["range"]) == 2 and axis["range"][0] < axis["range"][1] for axis in axes.values())
    assert figure["summary"].endswith(".")
    assert "CEL-0104" in figure["summary"]
    assert any(trace.get("meta", {}).get("steps") for trace in figure["traces"])
    for trace in figure["traces"]:
        assert len(trace["x"]) == len(trace["y"])
        assert len(trace.get("text", trace["x"])) == len(trace["x"])
    unit = "mAh g⁻¹" if subject is CELL else "mAh"
    titles = " ".join(axis["title"]["text"] for axis in axes.values())
    assert unit in titles
    assert ("g⁻¹" in titles) == (subject is CELL)


@pytest.mark.parametrize("name", sorted(figures.BUILDERS))
def test_the_columns_of_a_figure_have_one_length(name):
    curves = rates() if name == "rate" else cycling(cycles=12)
    columns = figures.columns(name, curves)
    assert len({len(values) for values in columns.values()}) == 1
    assert next(iter(columns)) == "cycle_number"


# -- capacity ----------------------------------------------------------------------------------------------------------
def test_capacity_is_drawn_per_gram_with_formation_hollow_and_the_reference_marked():
    figure = figures.capacity(cycling(), SAMPLE)
    formed, after = named(figure, "discharge, formation"), named(figure, "discharge")
    assert formed["x"] == [1, 2, 3]
    assert formed["marker"]["symbol"].endswith("-open")
    assert after["x"][0] == 4
    assert after["y"][0] == pytest.approx(147.0, rel=1e-6)
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [4]
    assert "reference, cycle 4" in words_of(figure)


def test_retention_is_said_at_50_100_and_the_last_cycle():
    assert "94.5 % at cycle 100 against cycle 4" in words_of(figures.capacity(cycling(), SAMPLE))
    short = figures.capacity(cycling(cycles=60), SAMPLE)
    assert "at cycle 50 against cycle 4" in words_of(short)
    assert "94.5 % at cycle 60 against cycle 4" in short["summary"]


def test_the_efficiency_has_its_own_axis_with_two_frames():
    figure = figures.capacity(cycling(), SAMPLE)
    assert named(figure, "CE")["yaxis"] == "y2"
    assert named(figure, "CE")["y"][0] == pytest.approx(99.0, abs=0.05)
    assert figure["layout"]["yaxis2"]["range"] == [90.0, 102.0]
    assert _frames(figure) == {"ce": "CE 90–102 %", "full": "Full range"}


def test_a_bad_cell_opens_with_all_of_its_efficiencies():
    curves = cycling(cycles=12)
    curves["cycles"]["coulombic_efficiency_fraction"] = [0.6] * 12
    figure = figures.capacity(curves, SAMPLE)
    assert figure["frame"] == "full"
    assert list(_frames(figure)) == ["full", "ce"]
    low, high = figure["layout"]["yaxis2"]["range"]
    assert low < 60.0 < high


def test_more_than_4000_cycles_are_thinned_and_it_is_said():
    count = 6000
    part = {
        "cycle_number": list(range(1, count + 1)),
        "discharge_capacity_mAh": [0.3 - 1e-5 * n for n in range(count)],
        "charge_capacity_mAh": [0.3] * count,
        "coulombic_efficiency_fraction": [None, *[0.99] * (count - 1)],
        "is_formation": [False] * count,
    }
    part["discharge_capacity_mAh"][3210] = 0.01
    curves = {"cycles": part, "marks": {"reference_cycle": 1, "active_mass_mg": None}}
    figure = figures.capacity(curves, SAMPLE)
    drawn = named(figure, "discharge")["x"]
    assert len(drawn) < 4000
    assert {1, 3211, count} <= set(drawn)
    assert "Envelope of 6\u202f000 points" in words_of(figure)
    assert "Envelope of 6\u202f000 points" in figure["summary"]
    assert len(figures.columns("capacity", curves)["cycle_number"]) == count


# -- curves ------------------------------------------------------------------------------------------------------------
def test_both_halves_of_a_cycle_share_colour_and_legend():
    figure = figures.voltage(cycling(), SAMPLE)
    assert [trace["name"] for trace in figure["traces"] if trace["showlegend"]] == [
        "cycle 1", "cycle 5", "cycle 20", "cycle 50", "cycle 100",
    ]  # fmt: skip
    charge, discharge = figure["traces"][:2]
    assert charge["line"]["color"] == discharge["line"]["color"]
    assert charge["line"]["dash"] != discharge["line"]["dash"]
    colours = {trace["line"]["color"] for trace in figure["traces"]}
    assert len(colours) == 5


def test_the_cut_offs_are_drawn():
    figure = figures.voltage(cycling(cycles=5), SAMPLE)
    assert [shape["y0"] for shape in figure["layout"]["shapes"]] == [2.5, 4.0]
    assert "between 2.5 and 4 V" in figure["summary"]


def test_a_long_voltage_curve_is_thinned_and_keeps_its_ends():
    curves = cycling(cycles=5, points_per_half=6000)
    figure = figures.voltage(curves, SAMPLE)
    part, trace = curves["voltage"][0], figure["traces"][0]
    assert len(trace["x"]) <= 4000
    assert trace["y"][-1] == part["potential_V"][-1]
    assert "Envelope of" in words_of(figure)


def test_smoothing_is_named_and_discharge_points_down():
    figure = figures.differential(cycling(), SAMPLE)
    assert "Savitzky–Golay, 18 mV, order 3" in figure["layout"]["legend"]["title"]["text"]
    peaks = named(figure, "peaks")
    assert max(peaks["y"]) > 0 > min(peaks["y"])
    assert all("peak at 3.4" in text for text in peaks["text"])


# -- rate --------------------------------------------------------------------------------------------------------------
def test_blocks_are_labelled_and_recovery_is_said():
    figure = figures.rate(rates(), SAMPLE)
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    assert texts[:4] == ["0.1 C", "0.5 C", "1 C", "0.1 C<br>back"]
    assert "recovery 97.2 %" in texts[-1]
    assert len(figure["layout"]["shapes"]) == 3
    levels = named(figure, "median of the last 3")
    assert levels["y"][0] == pytest.approx(0.287 * 1000 / MASS, rel=1e-4)
    assert "Capacity recovery 97.2 %." in figure["summary"]


def test_without_mass_blocks_are_labelled_with_their_current():
    figure = figures.rate(rates(BARE), SAMPLE)
    assert figure["layout"]["annotations"][0]["text"] == "0.0333 mA"
