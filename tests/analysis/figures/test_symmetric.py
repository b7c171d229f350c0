"""Figures of symmetric cells are judged by what people must be able to read from them."""

import math

import numpy as np
import pytest

from analysis.figures import symmetric as figures
from analysis.figures.parts import Sample
from analysis.science.critical_current import CriticalCurrent
from analysis.science.electronic import Electronic
from analysis.science.plating import Plating
from analysis.science.polarisation import Polarisation
from analysis.science.synthetic_series import Cell, current_steps, galvanostatic_test
from analysis.thinning import LIMIT
from tests.analysis.science.test_contract import SAMPLES, SYMMETRIC_CELL, TEMPERATURES

OF = {"staircase": CriticalCurrent, "transient": Polarisation, "current_voltage": Electronic}
CELL = Sample("CEL-0098", "CEL-0098, Li|LAGP|Li", temperature_degC=25.0)


def curves(analysis, recording=None):
    sample = SAMPLES[analysis.slug]()
    return analysis().run(*(sample if recording is None else (recording, SYMMETRIC_CELL, TEMPERATURES))).curves


def texts(figure):
    return " | ".join(note["text"] for note in figure["layout"]["annotations"])


def test_the_staircase_shades_the_failing_step_and_the_last_sound_one():
    drawn = curves(CriticalCurrent)
    figure = figures.staircase(drawn, CELL)
    bands = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    # Steps of 1 h and rests of 5 min: the third step, 0.3 mA/cm², begins after 4 half-steps and 4 rests.
    begin, one = 4 * (1 + 1 / 12), 2 * (1 + 1 / 12)
    sound, failing = sorted(bands, key=lambda band: band["x0"])
    assert failing["x0"] == pytest.approx(begin, abs=0.02)
    assert failing["x1"] == pytest.approx(begin + one - 1 / 12, abs=0.02)
    assert sound["x0"] == pytest.approx(begin - one, abs=0.02)
    assert "short, 0.30 mA cm⁻²" in texts(figure)
    assert "last sound step, 0.20 mA cm⁻²" in texts(figure)
    assert "0.10–0.40 mA cm⁻², step 0.1, 1 h, 25 °C, 0.785 cm²" in texts(figure)
    assert figure["layout"]["yaxis2"]["title"]["text"] == "j (mA cm⁻²)"
    assert "Short in the step, 0.30 mA cm⁻²." in figure["summary"]


def test_a_sound_staircase_has_no_failing_step():
    programme = current_steps([0.1, 0.2, 0.3], 3600.0)
    frame = galvanostatic_test(programme, Cell(), np.random.default_rng(1)).frame
    figure = figures.staircase(curves(CriticalCurrent, frame), CELL)
    assert not [shape for shape in figure["layout"]["shapes"] if shape["type"] == "line"]
    assert figure["summary"].endswith("No short.")


def test_long_cycling_marks_the_failure_and_has_cycles_on_top():
    figure = figures.plating(curves(Plating), CELL)
    (line,) = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "line"]
    truth = 19 * (1 + 1 / 12) + 0.5  # half-step 19, half an hour in; rests of 5 min
    assert line["x0"] == pytest.approx(truth, abs=0.05)
    assert "short, 21.1 h" in texts(figure)
    top = figure["layout"]["xaxis2"]
    assert top["ticktext"] == ["2", "4", "6", "8", "10", "12"]
    assert top["tickvals"][0] == pytest.approx(2 * (1 + 1 / 12), abs=0.02)
    assert "Short after 21.1 h" in figure["summary"]


def test_overpotential_has_one_point_per_cycle():
    figure = figures.overpotential(curves(Plating), CELL)
    (points,) = figure["traces"]
    assert points["y"][:9] == pytest.approx([40.0] * 9, abs=0.2)  # 0.1 mA/cm² · 400 Ω cm²
    assert points["text"][0].startswith("Cycle 1, ")


def test_the_limits_of_several_voltages_lie_on_the_line_of_the_conductivity():
    """1e8 Ω at 0.25, 0.5 and 0.75 V: 2.5, 5 and 7.5 nA."""
    drawn = curves(Electronic)
    figure = figures.BUILDERS["current_voltage"](drawn, CELL)
    points, line = figure["traces"]
    assert points["x"] == pytest.approx([0.25, 0.5, 0.75], rel=1e-3)
    assert points["y"] == pytest.approx([2.5, 5.0, 7.5], rel=0.02)
    assert figure["layout"]["yaxis"]["title"]["text"] == "I<sub>e</sub> (nA)"
    assert line["y"][1] / line["x"][1] == pytest.approx(10.0, rel=0.02)
    assert (line["x"][0], line["y"][0]) == (0.0, 0.0)
    assert all(bar > 0.0 for bar in points["error_y"]["array"])
    assert set(figures.columns("current_voltage", drawn)) == {"voltage_V", "current_A", "uncertainty_A"}


def test_the_transient_marks_both_currents_and_how_they_were_found():
    figure = figures.transient(curves(Polarisation), CELL)
    words = texts(figure)
    assert "extrapolated to t = 0 from 0.1 to 0.5 s" in words
    assert "mean of the last tenth of the hold" in words
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert figure["layout"]["yaxis"]["title"]["text"] == "I (µA)"
    initial = 1e6 * 0.01 / 740.0
    assert f"{initial:.1f}" in words
    # The spike of the double layer, four times as high, is outside the frame.
    assert figure["layout"]["yaxis"]["range"][1] < 1.5 * initial


def test_a_long_recording_is_an_envelope_that_says_so():
    programme = current_steps([0.1, 0.2, 0.3], 7200.0)
    frame = galvanostatic_test(programme, Cell(), np.random.default_rng(1), interval_s=1.0).frame
    drawn = curves(CriticalCurrent, frame)
    assert len(frame) > LIMIT >= len(drawn["series"]["time_h"])
    assert "Envelope of" in figures.staircase(drawn, CELL)["summary"]


@pytest.mark.parametrize("name", sorted(figures.BUILDERS))
def test_every_figure_gives_its_numbers_as_columns_of_one_length(name):
    analysis = OF.get(name, Plating)
    columns = figures.columns(name, curves(analysis))
    assert len({len(values) for values in columns.values()}) == 1
    assert all(math.isfinite(value) for values in columns.values() for value in values)
