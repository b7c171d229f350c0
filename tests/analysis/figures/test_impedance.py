"""Figures of a spectrum are judged by what people must be able to read from them; the arc has a closed form."""

import math

import pytest

from analysis.figures import impedance as figures
from analysis.figures.parts import Sample, total_resistance_ohm

CELL = Sample("CEL-0095", "CEL-0095, Ag|LAGP|Ag", temperature_degC=25.0)
COATED = Sample("CEL-0098", "CEL-0098, Ag|CuS@LAGP@CuS|Ag", is_coated=True)
R_B, R_GB, TAU = 150.0, 250.0, 1e-6


def arc(masked=()):
    """R_b in series with an RC arc and a blocking capacitor: Z = R_b + R_gb/(1 + jωτ) + 1/(jωC)."""
    frequency = [10 ** (6 - step / 10) for step in range(81)]
    omega = [2 * math.pi * f for f in frequency]
    z = [R_B + R_GB / (1 + 1j * w * TAU) + 1 / (1j * w * 1e-6) for w in omega]
    spectrum = {"frequency_Hz": frequency, "z_real_ohm": [v.real for v in z], "z_imag_ohm": [v.imag for v in z]}
    percent = {"frequency_Hz": frequency, "real_percent": [0.2] * 81, "imag_percent": [-0.3] * 81}
    return {
        "data": {**spectrum, "is_used": [row not in masked for row in range(81)]},
        "fit": spectrum,
        "residuals": percent,
        "kramers_kronig": percent,
        "intercepts": [{"label": "R_b", "z_real_ohm": R_B}, {"label": "R_b + R_gb", "z_real_ohm": R_B + R_GB}],
    }


def symmetric_arc():
    """The same without the capacitor: the arc ends on the axis."""
    drawn = arc()
    for part in ("data", "fit"):
        omega = [2 * math.pi * f for f in drawn["data"]["frequency_Hz"]]
        z = [R_B + R_GB / (1 + 1j * w * 100 * TAU) for w in omega]
        drawn[part] = {**drawn[part], "z_real_ohm": [v.real for v in z], "z_imag_ohm": [v.imag for v in z]}
    return drawn


def named(figure, name):
    return next(trace for trace in figure["traces"] if trace["name"] == name)


# -- nyquist -----------------------------------------------------------------------------------------------------------
def test_nyquist_has_equal_axes_and_begins_with_the_arc():
    figure = figures.nyquist(arc(), CELL)
    assert figure["layout"]["yaxis"]["scaleanchor"] == "x"
    assert figure["layout"]["yaxis"]["scaleratio"] == 1
    assert figure["frame"] == "arc"
    assert figure["frames"]["arc"]["x"] == [0.0, 1.5 * (R_B + R_GB)]
    assert figure["frames"]["full"]["y"][1] > 1e5  # the capacitor at 10 mHz: 1/(ωC) is 1.6e7 Ω


def test_nyquist_marks_both_resistances():
    figure = figures.nyquist(arc(), CELL)
    assert named(figure, "intercepts")["x"] == [R_B, R_B + R_GB]
    words = [note["text"] for note in figure["layout"]["annotations"]]
    assert words == ["R<sub>b</sub> = 150 Ω", "R<sub>b</sub> + R<sub>gb</sub> = 400 Ω"]
    assert total_resistance_ohm(arc()) == R_B + R_GB


def test_nyquist_labels_decades_that_lie_inside_the_arc_frame():
    labels = [text.strip() for text in named(figures.nyquist(arc(), CELL), "decades arc")["text"]]
    assert "1 MHz" in labels
    assert "100 kHz" in labels
    assert "1 Hz" not in labels


def test_the_first_label_of_an_arc_stands_beside_its_point_whatever_the_noise():
    """Below the first point stand the words of the intercept."""
    curves = symmetric_arc()
    assert named(figures.nyquist(curves, CELL), "decades arc")["textposition"][0] == "middle left"
    curves["data"]["z_imag_ohm"][1] += 2.0  # a step down before the rise
    assert named(figures.nyquist(curves, CELL), "decades arc")["textposition"][0] == "middle left"


def test_the_full_range_has_room_for_the_words_of_the_last_intercept():
    figure = figures.nyquist(symmetric_arc(), CELL)
    assert figure["frames"]["full"]["x"][1] >= 1.25 * (R_B + R_GB)
    assert figures.nyquist(arc(), CELL)["frames"]["full"]["x"][1] < 1.1 * (R_B + R_GB)  # the tail crushes the arc


def test_left_out_points_stay_and_look_different():
    figure = figures.nyquist(arc(masked=(3, 4)), CELL)
    assert len(named(figure, "data")["x"]) == 79
    assert len(named(figure, "left out of the fit")["x"]) == 2
    assert named(figure, "left out of the fit")["marker"]["symbol"] == "circle-x-open"


def test_pristine_is_open_and_grey_coated_filled_and_olive():
    pristine = named(figures.nyquist(arc(), CELL), "data")["marker"]
    coated = named(figures.nyquist(arc(), COATED), "data")["marker"]
    assert (pristine["symbol"], pristine["color"]) == ("circle-open", "role:pristine")
    assert (coated["symbol"], coated["color"]) == ("circle", "role:coated")


def test_raw_spectrum_has_no_arc_frame_and_no_fit():
    data = {name: values for name, values in arc()["data"].items() if name != "is_used"}
    figure = figures.nyquist({"data": data}, CELL)
    assert list(figure["frames"]) == ["full"]
    assert "fit" not in [trace["name"] for trace in figure["traces"]]


def test_summary_names_sample_range_and_value():
    summary = figures.nyquist(arc(), CELL)["summary"]
    for words in ("CEL-0095", "25 °C", "81 points", "1 MHz to 10 mHz", "400 Ω"):
        assert words in summary


# -- bode, residuals ---------------------------------------------------------------------------------------------------
def test_bode_shows_the_magnitude_and_minus_the_phase():
    figure = figures.bode(arc(), CELL)
    data = arc()["data"]
    first = complex(data["z_real_ohm"][0], data["z_imag_ohm"][0])
    assert named(figure, "|Z|")["y"][0] == pytest.approx(abs(first))
    assert named(figure, "−phase")["y"][-1] == pytest.approx(90, abs=0.1)  # a capacitor at low frequency
    assert {"fit", "fit of the phase"} <= {trace["name"] for trace in figure["traces"]}


def test_residuals_share_the_frequency_axis_and_show_one_per_cent():
    figure = figures.residuals(arc(), CELL)
    assert [(shape["y0"], shape["y1"]) for shape in figure["layout"]["shapes"]] == [(-1, 1), (-1, 1)]
    assert {trace["yaxis"] for trace in figure["traces"]} == {"y", "y2"}
    assert "xaxis2" not in figure["layout"]
    assert "0.3 %" in figure["summary"]
