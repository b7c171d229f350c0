"""The Arrhenius plot is judged by what people must be able to read from it."""

import math

import pytest

from analysis.figures import arrhenius as figures
from analysis.figures.parts import Sample

CELL = Sample("CEL-0095", "CEL-0095, Ag|LAGP|Ag", temperature_degC=25.0)


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
