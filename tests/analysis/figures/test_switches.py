"""What figures draw otherwise when a person switches: units, axes, views. Truth from closed forms."""

import json
import math

import numpy as np
import pytest

from analysis.figures import cycling, impedance, scatter, series_parts, symmetric, trend
from analysis.figures.halves import polarisation_at_half_capacity
from analysis.figures.parts import Sample, rounded, switch
from analysis.science.critical_current import CriticalCurrent
from analysis.science.plating import Plating
from analysis.science.polarisation import Polarisation
from analysis.science.steps import find_steps
from analysis.science.symmetric import WINDOW_HALVES, pauses
from analysis.science.synthetic_series import Cell, current_steps, galvanostatic_test
from analysis.thinning import LIMIT
from tests.analysis.figures.test_cycling import MASS, rates
from tests.analysis.figures.test_cycling import cycling as cycled
from tests.analysis.figures.test_impedance import R_B, R_GB, arc
from tests.analysis.figures.test_symmetric import curves

AREA = 0.785
SAMPLE = Sample("CEL-0098", "CEL-0098, Li|LAGP|Li", area_cm2=AREA)
BUILDERS = cycling.BUILDERS | symmetric.BUILDERS


def named(figure, name):
    return next(trace for trace in figure["traces"] if trace["name"] == name)


def words(figure):
    return " | ".join(note["text"] for note in figure["layout"].get("annotations", []))


def every_curve(name):
    if name in cycling.BUILDERS:
        return rates() if name == "rate" else cycled(cycles=12)
    return curves({"staircase": CriticalCurrent, "transient": Polarisation}.get(name, Plating))


# -- all ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_every_option_of_every_switch_is_drawn(name):
    drawn = every_curve(name)
    for group in BUILDERS[name](drawn, SAMPLE)["switches"]:
        for value in group["options"]:
            figure = BUILDERS[name](drawn, SAMPLE, {group["name"]: value})
            json.dumps(figure, allow_nan=False)
            own = next(each for each in figure["switches"] if each["name"] == group["name"])
            assert own["value"] == value
            assert any(trace.get("meta", {}).get("steps") for trace in figure["traces"])
            axes = {key: axis for key, axis in figure["layout"].items() if key.startswith(("xaxis", "yaxis"))}
            assert all(axis["range"][0] < axis["range"][1] for axis in axes.values())


def test_an_option_that_is_none_is_not_followed():
    assert switch("unit", "Unit", {"a": "A", "b": "B"}, {"unit": "<script>"})["value"] == "a"


def test_numbers_of_an_answer_are_cut_and_gaps_are_null():
    assert rounded({"x": [1.23456789012, math.nan, 3], "y": ("a", True)}) == {
        "x": [1.234568, None, 3],
        "y": ["a", True],
    }


def test_thousands_of_numbers_are_cut_as_if_each_were_written_and_read():
    """In one go as one by one: from the smallest to the largest that a float holds, with what is no number."""
    rng = np.random.default_rng(7)
    many = (rng.normal(size=20_000) * 10.0 ** rng.integers(-30, 30, 20_000)).tolist()
    many += [0.0, 1e7, 9_999_999.5, 0.00099999995, 5e-324, 1.7e308, math.inf, -math.inf, math.nan]
    assert rounded(many) == [float(f"{value:.7g}") if math.isfinite(value) else None for value in many]


# -- full cells --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("unit", "symbol", "factor"),
    [("mAh_g", "mAh g⁻¹", 1000 / MASS), ("mAh_cm2", "mAh cm⁻²", 1 / AREA), ("mAh", "mAh", 1)],
)
def test_capacity_per_gram_per_area_and_as_it_is(unit, symbol, factor):
    drawn = cycled(cycles=12)
    figure = cycling.capacity(drawn, SAMPLE, {"unit": unit})
    assert figure["layout"]["yaxis"]["title"]["text"] == f"Discharge capacity ({symbol})"
    stored = drawn["cycles"]["discharge_capacity_mAh"][3:]
    assert named(figure, "discharge")["y"] == pytest.approx([factor * value for value in stored])


def test_without_area_and_mass_there_is_no_unit_to_choose():
    drawn = cycled(cycles=12)
    drawn["marks"]["active_mass_mg"] = None
    assert cycling.capacity(drawn, Sample("CEL-0104"))["switches"] == []


def test_polarisation_at_half_capacity_is_the_difference_of_the_potentials_there():
    """Straight lines: charge from 3.0 to 4.0 V over 2 mAh, discharge from 3.8 to 2.6 V over 1 mAh."""
    parts = [
        {"cycle_number": 5, "direction": "charge", "capacity_mAh": [0.0, 2.0], "potential_V": [3.0, 4.0]},
        {"cycle_number": 5, "direction": "discharge", "capacity_mAh": [0.0, 1.0], "potential_V": [3.8, 2.6]},
        {"cycle_number": 6, "direction": "charge", "capacity_mAh": [0.0, 2.0], "potential_V": [3.0, 4.0]},
    ]
    numbers, values = polarisation_at_half_capacity(parts)
    assert numbers == [5]
    assert values == pytest.approx([300.0])


def test_capacity_against_the_rate():
    figure = cycling.rate(rates(), SAMPLE, {"view": "c_rate", "unit": "mAh"})
    points, back = named(figure, "median of the last 3"), named(figure, "back at this rate")
    assert points["x"] == pytest.approx([0.1, 0.5, 1.0], rel=1e-3)
    assert points["y"] == pytest.approx([0.287, 0.22, 0.15], rel=1e-6)
    assert (back["x"], back["y"]) == (pytest.approx([0.1], rel=1e-3), pytest.approx([0.279], rel=1e-6))
    assert figure["layout"]["xaxis"]["type"] == "log"


# -- spectra -----------------------------------------------------------------------------------------------------------
def test_a_spectrum_per_area_and_its_intercepts():
    figure = impedance.nyquist(arc(), SAMPLE, {"unit": "ohm_cm2"})
    assert figure["layout"]["xaxis"]["title"]["text"] == "Z′ (Ω cm²)"
    assert named(figure, "intercepts")["x"] == pytest.approx([R_B * AREA, (R_B + R_GB) * AREA])
    assert figure["frames"]["arc"]["x"][1] == pytest.approx(1.5 * (R_B + R_GB) * AREA)


def test_the_inset_shows_the_arc_in_the_full_range_with_equal_axes():
    figure = impedance.nyquist(arc(), SAMPLE, {"inset": "arc"})
    assert list(figure["frames"]) == ["full"]
    small = figure["layout"]["yaxis2"]
    assert (small["scaleanchor"], small["scaleratio"]) == ("x2", 1)
    assert figure["layout"]["xaxis2"]["range"] == [0.0, 1.5 * (R_B + R_GB)]


def test_points_know_their_row_of_the_recording():
    spectrum = arc(masked=(3,))
    spectrum["data"]["row"] = list(range(2, 83))  # two rows of the file had no frequency
    figure = impedance.nyquist(spectrum, SAMPLE)
    assert named(figure, "left out of the fit")["meta"]["rows"] == [5]


def test_real_and_imaginary_part_against_frequency():
    figure = impedance.bode(arc(), SAMPLE, {"view": "parts"})
    points = named(figure, "Z′")
    # At the lowest frequency the arc is passed: Z′ is the whole resistance.
    assert points["y"][-1] == pytest.approx(R_B + R_GB, rel=1e-4)
    assert figure["layout"]["yaxis"]["type"] == "log"


# -- symmetric cells ---------------------------------------------------------------------------------------------------
def test_v_against_j_and_the_resistance_of_each_step():
    """0.1 and 0.2 mA cm⁻² over 400 Ω cm²: 40 and 80 mV, 400 Ω cm² in both."""
    drawn = curves(CriticalCurrent)
    figure = symmetric.staircase(drawn, SAMPLE, {"view": "v_j"})
    first = named(figure, "first direction")
    assert first["x"][:2] == pytest.approx([0.1, 0.2], rel=1e-3)
    assert first["y"][:2] == pytest.approx([0.04, 0.08], rel=0.02)
    assert "in the failing step" in first["text"][2]
    area = Sample("CEL-0098", area_cm2=math.pi / 4)
    figure = symmetric.staircase(drawn, area, {"view": "resistance", "unit": "ohm_cm2"})
    assert named(figure, "first direction")["y"][:2] == pytest.approx([400.0, 400.0], rel=0.02)
    assert figure["layout"]["yaxis"]["title"]["text"] == "V/I (Ω cm²)"


def long_test(cycles=40, **more):
    programme = current_steps([0.1], 3600.0, cycles_per_step=cycles)
    return galvanostatic_test(programme, Cell(), np.random.default_rng(1), **more).frame


def test_long_cycling_has_three_close_views():
    drawn = curves(Plating, long_test())
    figure = symmetric.plating(drawn, SAMPLE)
    windows = [trace for trace in figure["traces"] if trace.get("name", "").startswith("window")]
    assert len(windows) == 3
    assert "cycles 1–2" in words(figure)
    assert "39–40" in words(figure)
    for trace in windows:
        assert trace["x"][-1] - trace["x"][0] == pytest.approx(
            WINDOW_HALVES * 1.0, abs=0.05
        )  # half-cycles of 1 h, no rests
    assert figure["layout"]["yaxis"]["domain"][0] > figure["layout"]["yaxis3"]["domain"][1]


def test_a_pause_is_found_and_shaded():
    frame = long_test()
    late = frame["time_s"] > 20 * 3600.0
    frame.loc[late, "time_s"] += 5 * 3600.0
    (pause,) = pauses(find_steps(frame))
    assert pause["to_h"] - pause["from_h"] == pytest.approx(5.0, abs=0.3)
    figure = symmetric.plating(curves(Plating, frame), SAMPLE)
    assert "pause" in words(figure)
    assert " 1 pause." in figure["summary"]
    assert pauses(find_steps(long_test())) == []


def test_the_voltage_of_the_electrolyte_is_taken_off():
    """40 mV at 0.0785 mA; 200 Ω of electrolyte take 15.7 mV."""
    drawn = curves(Plating)
    drawn["marks"]["ohmic"] = {"resistance_ohm": 200.0, "origin": "MEA-00007"}
    current = drawn["cycles"]["current_mA"][0]
    figure = symmetric.overpotential(drawn, SAMPLE, {"ir": "corrected"})
    assert figure["traces"][0]["y"][0] == pytest.approx(40.0 - 200.0 * current, abs=0.2)
    options = next(group for group in figure["switches"] if group["name"] == "ir")["options"]
    assert "MEA-00007" in options["corrected"]


def test_spectra_of_the_cell_are_marked_in_a_long_test():
    drawn = curves(Plating)
    drawn["events"] = [{"time_h": 4.0, "label": "EIS MEA-00009"}]
    assert "EIS MEA-00009" in words(symmetric.plating(drawn, SAMPLE))


def test_the_transient_shows_the_spectra_around_it_and_the_transference_number():
    drawn = curves(Polarisation)
    drawn["around"] = {"before": arc(), "after": arc(), "formula": "t = 14.4 µA × 5 mV / [14.5 µA × 5 mV] = 0.980"}
    figure = symmetric.transient(drawn, SAMPLE)
    assert named(figure, "EIS before")["xaxis"] == named(figure, "EIS after")["xaxis"] == "x2"
    assert (figure["layout"]["yaxis2"]["scaleanchor"], figure["layout"]["yaxis2"]["scaleratio"]) == ("x2", 1)
    assert "t<sub>Li⁺</sub> = 14.4 µA" in words(figure)
    assert "= 0.980" in figure["summary"]


def test_a_current_of_nanoamperes_is_drawn_in_them():
    drawn = curves(Polarisation)
    drawn["series"] = {**drawn["series"], "current_A": [1e-4 * value for value in drawn["series"]["current_A"]]}
    for name in ("initial", "steady"):
        mark = drawn["marks"][name]
        drawn["marks"] = {
            **drawn["marks"],
            name: {**mark, "current_A": 1e-4 * mark["current_A"], "uncertainty_A": 1e-4 * mark["uncertainty_A"]},
        }
    figure = symmetric.transient(drawn, SAMPLE)
    assert figure["layout"]["yaxis"]["title"]["text"] == "I (nA)"
    assert " nA" in words(figure)


def test_the_transient_in_hours_on_a_plain_axis():
    figure = symmetric.transient(curves(Polarisation), SAMPLE, {"scale": "linear", "time": "h"})
    seconds = symmetric.transient(curves(Polarisation), SAMPLE)
    assert figure["layout"]["xaxis"]["title"]["text"] == "t (h)"
    assert "type" not in figure["layout"]["xaxis"]
    assert named(figure, "current")["x"] == pytest.approx([t / 3600 for t in named(seconds, "current")["x"]])


# -- long series -------------------------------------------------------------------------------------------------------
def test_a_series_of_very_many_steps_is_drawn_as_its_envelope_alone():
    count = 5 * LIMIT
    drawn = {"series": {"time_h": list(range(count)), "potential_V": [(-1.0) ** row for row in range(count)]}}
    drawn["series"]["potential_V"][777] = 3.0
    kept = series_parts.drawable(drawn)
    assert len(kept["time_h"]) <= LIMIT
    assert 3.0 in kept["potential_V"]


def test_very_many_cycles_come_whole_where_somebody_zooms():
    drawn = cycled(cycles=12)
    count = 3 * LIMIT
    drawn["cycles"] = {
        "cycle_number": list(range(1, count + 1)), "is_formation": [False] * count,
        "charge_capacity_mAh": [0.3] * count, "coulombic_efficiency_fraction": [0.99] * count,
        "discharge_capacity_mAh": [0.3 - 1e-5 * row for row in range(count)],
    }  # fmt: skip
    figure = cycling.capacity(drawn, SAMPLE)
    assert figure["window"] == "cycles"
    assert "zoom for all" in words(figure)
    part = cycling.capacity(drawn, SAMPLE, {"from": "5000", "to": "5100"})
    assert named(part, "discharge")["x"] == list(range(4999, 5102))
    assert "Envelope" not in words(part)


# -- interfaces over time ----------------------------------------------------------------------------------------------
def point(code, hours, ohm, own=True, sputter=10.0, coated=True):
    return {
        "measurement": code, "cell": "CEL-0098", "is_own": own, "is_coated": coated, "interfaces": "1",
        "spectrum": 1 if own else None, "time_h": hours, "cycle_number": None, "sputter_time_min": sputter,
        "interfacial_resistance_ohm": ohm, "interfacial_resistance_uncertainty_ohm": 2.0,
        "interfacial_asr_ohm_cm2": ohm * AREA, "interfacial_asr_uncertainty_ohm_cm2": 2.0 * AREA,
    }  # fmt: skip


def test_interfacial_resistance_against_time_and_sputter_time():
    points = [point("MEA-1", 0.0, 170.0), point("MEA-2", 100.0, 210.0), point("MEA-3", None, 900.0, False, 0.0, False)]
    figure = trend.trend(points, SAMPLE, {})
    assert named(figure, "coated")["x"] == [0.0, 100.0]
    assert "Ω, per interface" in figure["layout"]["yaxis"]["title"]["text"]
    assert named(figure, "coated")["error_y"]["array"] == [2.0, 2.0]
    assert named(figure, "coated")["meta"]["codes"] == ["MEA-1", "MEA-2"]
    figure = trend.trend(points, SAMPLE, {"x": "sputter_time_min", "unit": "ohm_cm2"})
    assert named(figure, "pristine")["x"] == [0.0]
    assert named(figure, "pristine")["y"] == pytest.approx([900.0 * AREA])
    columns = trend.columns(points)
    assert {len(values) for values in columns.values()} == {3}


def test_a_single_spectrum_is_counted_in_whole_numbers():
    figure = trend.trend([point("MEA-1", 0.0, 170.0)], SAMPLE, {"x": "spectrum"})
    assert figure["layout"]["xaxis"]["dtick"] == 1


# -- many numbers ------------------------------------------------------------------------------------------------------
def result(value, coated, limit="=", celsius=25.0):
    return {
        "value": value, "uncertainty": None, "limit": limit, "is_coated": coated, "sample": "CEL-0001",
        "measurement": "MEA-00001", "temperature_degC": celsius, "current_density_mA_cm2": None, "c_rate": None,
        "cycle_number": None, "sputter_time_min": 0.0,
    }  # fmt: skip


def scattered(view, points):
    return scatter.scatter(points, "critical_current_density_mA_cm2", "Critical current density", view)


def test_a_strip_has_every_point_the_median_the_box_and_limits_as_arrows():
    points = [result(value, True) for value in (0.1, 0.2, 0.3, 0.4, 0.5)] + [
        result(0.9, False),
        result(0.7, False, ">="),
    ]
    figure = scattered({}, points)
    assert sorted(named(figure, "coated")["y"]) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert named(figure, "pristine, limits")["marker"]["symbol"] == ["triangle-up-open"]
    median, box = [trace for trace in figure["traces"] if trace["name"] == "median, quartiles"]
    assert median["y"] == [pytest.approx(0.8)] * 2  # two points: no box
    assert [value for value in box["y"] if value is not None] == pytest.approx([0.3, 0.3, 0.2, 0.2, 0.4, 0.4, 0.2])
    assert "coated: n = 5, median 0.300 mA cm⁻²" in figure["summary"]
    assert figure["layout"]["xaxis"]["ticktext"] == ["pristine, n = 2", "coated, n = 5"]
    assert "minexponent" not in figure["layout"]["yaxis"]
    tiny = [{**point, "value": point["value"] * 1e-3} for point in points]
    assert scattered({}, tiny)["layout"]["yaxis"]["minexponent"] == 2


def test_a_scatter_stands_against_a_condition_that_differs():
    points = [result(0.1, True, celsius=25.0), result(0.2, True, celsius=60.0), result(0.3, True, celsius=None)]
    options = scattered({}, points)["switches"][0]["options"]
    assert set(options) == {"group", "temperature_degC"}
    figure = scattered({"x": "temperature_degC", "scale": "log"}, points)
    assert named(figure, "coated")["x"] == [25.0, 60.0]
    assert figure["layout"]["yaxis"]["type"] == "log"
