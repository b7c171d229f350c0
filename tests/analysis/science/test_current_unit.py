"""Doubt of the unit of a current: said where a unit is wrong by a thousand, and never for a test as people run them."""

import numpy as np
import pytest

from analysis.science.active_mass import ActiveMass
from analysis.science.base import Outcome
from analysis.science.critical_current import CriticalCurrent
from analysis.science.current_unit import doubt_c_rate, doubt_current_density
from analysis.science.plating import Plating
from analysis.science.synthetic_series import random_life, random_ramp
from tests.analysis.science.test_contract import SYMMETRIC_CELL

AREA_CM2 = 0.7854
MASS = ActiveMass(1.96, 170.0)  # 1 C is 0.333 mA


def density(current_mA, area_cm2=AREA_CM2, **parameters):
    outcome = Outcome()
    doubt_current_density(current_mA, area_cm2, parameters, outcome)
    return dict(outcome.warnings).get("unit_doubt", "")


def rate(current_mA, charge_mAh, mass=MASS, **parameters):
    outcome = Outcome()
    doubt_c_rate(current_mA, charge_mAh, mass, AREA_CM2, parameters, outcome)
    return dict(outcome.warnings).get("unit_doubt", "")


@pytest.mark.parametrize("ma_cm2", [0.001, 0.01, 0.1, 1.0, 10.0])
def test_currents_that_cells_carry_are_not_doubted(ma_cm2):
    assert density(ma_cm2 * AREA_CM2, file_current_unit="mA") == ""


@pytest.mark.parametrize(
    ("unit", "question"),
    [
        ("mA", "Is the column in µA? Then correct the unit in the header, and upload that."),
        ("A", "Is the column in mA? Then correct the unit in the header, and upload that."),
        ("uA", "Is the column in nA? Then correct the unit in the header, and upload that."),
        ("", "Check the unit of the current column, and whether the file belongs to this cell."),
    ],
)
def test_a_thousand_times_too_large(unit, question):
    words = "Currents are about 1000 times larger than expected for 0.1 mA cm⁻². "
    assert density(100.0 * AREA_CM2, file_current_unit=unit) == words + question


def test_a_thousand_times_too_small():
    words = "Currents are about 1000 times smaller than expected for 0.1 mA cm⁻². Is the column in mA? "
    assert density(1e-4 * AREA_CM2, file_current_unit="µA").startswith(words)


def test_another_factor_is_no_question_of_a_prefix():
    assert density(5e4 * AREA_CM2, file_current_unit="mA") == (
        "Currents are about 500 000 times larger than expected for 0.1 mA cm⁻². Check the unit of the current column, "
        "and whether the file belongs to this cell."
    )


@pytest.mark.parametrize("current_mA", [0.0, 100.0])
def test_without_an_area_nothing_is_said(current_mA):
    assert density(current_mA, None, file_current_unit="mA") == ""
    assert density(0.0) == ""


def test_a_fast_test_and_a_dead_cell_are_not_doubted():
    one_c = 0.1700 * 1.96
    assert rate(50.0 * one_c, 0.1 * one_c) == ""  # 50 C: a large current, little charge
    assert rate(0.1 * one_c, 1e-4 * one_c) == ""  # at the cut-off at once
    assert rate(0.1 * one_c, one_c) == ""
    assert "1000 times larger than expected for 0.1 C" in rate(100.0 * one_c, 1000.0 * one_c)
    assert "1000 times smaller than expected for 0.1 C" in rate(1e-4 * one_c, 1e-3 * one_c)


def test_a_full_cell_without_mass_is_judged_by_its_area():
    assert "expected for 0.1 mA cm⁻²" in rate(100.0, 100.0, ActiveMass(None, 170.0))
    assert rate(0.03, 0.3, ActiveMass(None, None)) == ""


def test_no_false_doubt_in_random_tests_and_every_false_unit_found():
    """The generators behind the benchmarks; the same tests again with a current that is a thousand times too large."""
    known = {"temperature_degC": 25.0, "temperature_origin": "file", "file_current_unit": "mA"}
    for seed in range(30):
        rng = np.random.default_rng(9000 + seed)
        ramp, cell, _ = random_ramp(rng, "none")
        life, other = random_life(rng, "none")
        for frame, area, analysis in (
            (ramp.frame, cell.area_cm2, CriticalCurrent()),
            (life.frame, other.area_cm2, Plating()),
        ):
            parameters = known | {"electrode_area_cm2": area}
            codes = {code for code, _ in analysis.run(frame, SYMMETRIC_CELL, parameters).warnings}
            assert "unit_doubt" not in codes, seed
            wrong = frame.assign(current_A=1000.0 * frame["current_A"])
            assert "unit_doubt" in {code for code, _ in analysis.run(wrong, SYMMETRIC_CELL, parameters).warnings}, seed
