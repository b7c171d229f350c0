"""Figures are judged by what people must be able to read from them; the arc below has its truth in closed form."""

import math

import numpy as np
import pandas as pd
import pytest

from analysis import figures
from analysis.figure_parts import Sample, frequency_text, log_ticks, markup, power_text, total_resistance_ohm
from analysis.plots import ROWS_AT_ONCE, cell_text, csv_parts, csv_text

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


def line():
    celsius = [20.0, 25.0, 30.0, 40.0, 50.0]
    inverse = [1000 / (t + 273.15) for t in celsius]
    sigma = [1e-4 * math.exp(4 * (3.4 - x)) for x in inverse]
    return {
        "points": {
            "inverse_temperature_1000_per_K": inverse,
            "temperature_degC": celsius,
            "conductivity_S_cm": sigma,
            "uncertainty_S_cm": [1e-6, None, 1e-6, 1e-6, 1e-6],
            "is_used": [True, True, False, True, True],
            "reason": ["", "", "left out by hand", "", ""],
        },
        "line": {"inverse_temperature_1000_per_K": inverse, "conductivity_S_cm": sigma},
        "band": {"inverse_temperature_1000_per_K": inverse, "lower_S_cm": sigma, "upper_S_cm": sigma},
    }


ENERGY = {"value": 0.373, "uncertainty": 0.003, "lower": 0.366, "upper": 0.380, "form": "ln(σT)", "count": 4}


def named(figure, name):
    return next(trace for trace in figure["traces"] if trace["name"] == name)


# -- words -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("frequency_Hz", "text"),
    [
        (1e6, "1 MHz"),
        (999_999.9, "1 MHz"),
        (250.0, "250 Hz"),
        (0.01, "10 mHz"),
        (12_589.0, "12.6 kHz"),
        (1e-5, "10 µHz"),
    ],
)
def test_frequencies_are_read_with_their_prefix(frequency_Hz, text):
    assert frequency_text(frequency_Hz) == text


def test_ticks_of_a_narrow_logarithmic_axis_are_1_2_5():
    values, texts = log_ticks(2e-4, 2e-3)
    assert {2e-4, 5e-4, 1e-3, 2e-3} <= {round(value, 12) for value in values}
    assert "2×10⁻⁴" in texts
    assert "10⁻³" in texts
    assert power_text(1000.0) == "10³"


def test_ticks_of_a_wide_logarithmic_axis_are_decades():
    assert all(not text.startswith(("2", "5")) for text in log_ticks(0.01, 1e6)[1])


def test_symbols_are_lowered_and_cannot_carry_markup():
    assert markup("R_b + R_gb") == "R<sub>b</sub> + R<sub>gb</sub>"
    assert "<script" not in markup("<script>")


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


# -- arrhenius ---------------------------------------------------------------------------------------------------------
def test_arrhenius_states_energy_interval_form_and_count():
    figure = figures.arrhenius(line(), CELL, ENERGY)
    note = figure["layout"]["annotations"][0]["text"]
    for words in ("0.373 ± 0.003 eV", "0.366 to 0.380", "ln(σT)", "n = 4"):
        assert words in note
    assert "activation energy 0.373 ± 0.003 eV" in figure["summary"]


def test_arrhenius_has_degrees_on_top():
    axis = figures.arrhenius(line(), CELL, ENERGY)["layout"]["xaxis2"]
    place = axis["tickvals"][axis["ticktext"].index("40")]
    assert place == pytest.approx(1000 / 313.15)
    assert axis["side"] == "top"


def test_arrhenius_keeps_left_out_points_with_their_reason():
    left_out = named(figures.arrhenius(line(), CELL, ENERGY), "left out")
    assert left_out["text"] == [left_out["text"][0]]
    assert "left out by hand" in left_out["text"][0]


# -- columns -----------------------------------------------------------------------------------------------------------
def test_every_figure_gives_its_numbers_as_columns_of_one_length():
    for name, curves in (("nyquist", arc()), ("bode", arc()), ("residuals", arc()), ("arrhenius", line())):
        lengths = {len(values) for values in figures.columns(name, curves).values()}
        assert len(lengths) == 1, name


def test_csv_says_where_it_comes_from_and_keeps_all_digits():
    text = csv_text({"frequency_Hz": [0.1 + 0.2], "is_used": [True], "gap": [None]}, ["MEA-00001", "run 3"])
    assert text.splitlines() == ["# MEA-00001", "# run 3", "frequency_Hz,is_used,gap", f"{0.1 + 0.2!r},True,"]


def test_a_long_csv_comes_in_pieces_and_is_the_same():
    rows = np.arange(ROWS_AT_ONCE + 7)
    current = np.where(rows == 3, np.nan, rows / 7.0)
    frame = pd.DataFrame({"time_s": rows * 0.1, "current_A": current, "cycle_number": rows // 100})
    parts = list(csv_parts(frame, ["MEA-00001", "run 3"]))
    assert len(parts) == 3
    columns = {
        "time_s": frame["time_s"].tolist(),
        "current_A": [None if value != value else value for value in current.tolist()],
        "cycle_number": frame["cycle_number"].tolist(),
    }
    assert "".join(parts) == csv_text(columns, ["MEA-00001", "run 3"])
    assert "".join(csv_parts(frame.head(0), [])) == "time_s,current_A,cycle_number\n"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (-56.575291, "−56.575"), (1.0e-8, "1.0000 × 10⁻⁸"), (None, "—"), (True, "yes")]
)
def test_cells_of_tables_have_a_true_minus_and_no_long_zeros(value, text):
    assert cell_text(value) == text
