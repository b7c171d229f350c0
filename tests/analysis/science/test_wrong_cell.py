"""A file on the wrong cell is doubted, by the potential alone; files as people measure them never are."""

import numpy as np
import pandas as pd
import pytest

from analysis.science.base import AnalysisError, Finding, Outcome, Subject
from analysis.science.critical_current import CriticalCurrent
from analysis.science.plating import Plating
from analysis.science.rate import Rate
from analysis.science.retention import Cycling
from analysis.science.steps import find_steps
from analysis.science.synthetic_cycling import cycling_test
from analysis.science.synthetic_series import Cell, current_steps, galvanostatic_test, random_life, random_ramp
from analysis.science.wrong_cell import doubt_symmetric
from measurements.readers.recognise import read_file

SYMMETRIC = Subject("cell", "CEL-0012", "symmetric", electrode_area_cm2=0.7854)
FULL = Subject(
    "cell", "CEL-0104", "full", electrode_area_cm2=0.7854, active_mass_mg=2.0, theoretical_capacity_mAh_g=170.0
)
AT_25 = {"temperature_degC": 25.0, "temperature_origin": "file"}


def square(middle_V, half_span_V, currents_mA=(0.03,) * 6, hours=10.0, rest_V=None):
    """Each current both ways at the middle ± half the span; with `rest_V`, an hour of rest before."""
    rows = round(hours * 60)
    sign = np.concatenate([np.repeat([1.0, -1.0], rows)] * len(currents_mA))
    current = 1.0e-3 * np.repeat(currents_mA, 2 * rows) * sign
    potential = middle_V + half_span_V * sign
    if rest_V is not None:
        current, potential = np.append(np.zeros(60), current), np.append(np.full(60, rest_V), potential)
    return pd.DataFrame(
        {"time_s": 60.0 * np.arange(1, current.size + 1), "potential_V": potential, "current_A": current}
    )


def said(outcome, code="wrong_cell_doubt"):
    return [sentence for name, sentence in outcome.warnings if name == code]


def numbers(outcome):
    return {(finding.quantity, finding.label): finding for finding in outcome.findings}


# -- a full cell's file on a symmetric cell ----------------------------------------------------------------------------
def test_the_file_of_a_full_cell_on_a_symmetric_one():
    """3.4 V ± 60 mV: half the span is 60 mV, but one direction runs at −3.34 V along its current."""
    outcome = Plating().run(square(3.4, 0.06), SYMMETRIC, AT_25)
    assert said(outcome) == [
        "The potential lies between 3.3 and 3.5 V, as of a full cell; CEL-0012 is symmetric. Is the file on the right "
        "cell? Move it, or correct the cell."
    ]
    found = numbers(outcome)
    assert found["overpotential_mV", "first_cycle"].value == pytest.approx(60.0, abs=1e-6)
    assert found["overpotential_mV", "first_cycle"].flag == "out_of_range"
    assert said(outcome, "overpotential_negative") == [
        "The overpotential of cycle 1 is 3460 and −3340 mV in the two directions, one of them below zero: their mean "
        "is out of range. Check whether the file is on the right cell, and the zero of the potential."
    ]
    assert found["time_to_failure_h", ""].flag == "ok"  # a doubt alone sets no flag


@pytest.mark.parametrize("analysis", [Plating, CriticalCurrent])
def test_both_analyses_of_symmetric_cells_doubt_it(analysis):
    frame = square(3.4, 0.05, currents_mA=(0.01, 0.02, 0.03, 0.04, 0.05))
    assert said(analysis().run(frame, SYMMETRIC, AT_25))
    turned = frame.assign(potential_V=-frame["potential_V"])
    assert said(analysis().run(turned, SYMMETRIC, AT_25))


def test_realistic_cycles_of_a_full_cell_are_doubted():
    test = cycling_test(np.full(6, 0.3), 0.99, 0.034, rng=np.random.default_rng(3))
    (sentence,) = said(Plating().run(test.frame, SYMMETRIC, AT_25))
    assert sentence.startswith("The potential lies between ")


def test_one_direction_alone_needs_the_rest_to_tell():
    """A first charge at 3.45 V: with 3.2 V at rest it is a full cell, with 0 V at rest a bad contact."""
    frame = square(3.4, 0.05, currents_mA=(0.03,), rest_V=3.2).iloc[: 60 + 600]
    assert said(Plating().run(frame, SYMMETRIC, AT_25))
    polarised = square(3.4, 0.05, currents_mA=(0.03,), rest_V=0.0).iloc[: 60 + 600]
    assert not said(Plating().run(polarised, SYMMETRIC, AT_25))


@pytest.mark.parametrize("seed", range(6))
def test_symmetric_cells_as_people_measure_them_are_not_doubted(seed):
    rng = np.random.default_rng(seed)
    for frame in (random_life(rng)[0].frame, random_ramp(rng)[0].frame):
        outcome = Plating().run(frame, SYMMETRIC, AT_25)
        assert not said(outcome)
        assert not said(outcome, "overpotential_negative")


def test_a_symmetric_cell_at_its_voltage_limit_is_not_doubted():
    assert not said(Plating().run(square(0.0, 5.0), SYMMETRIC, AT_25))


# -- overpotentials that are none --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("middle_V", "flag"), [(0.0, "ok"), (0.04, "ok"), (0.06, "out_of_range"), (-0.06, "out_of_range")]
)
def test_an_overpotential_is_out_of_range_where_one_direction_has_none(middle_V, flag):
    """±50 mV around an offset: beyond 50 mV the smaller one is negative."""
    outcome = Plating().run(square(middle_V, 0.05), SYMMETRIC, AT_25)
    found = numbers(outcome)["overpotential_mV", "first_cycle"]
    assert (found.value, found.flag) == (pytest.approx(50.0, abs=1e-6), flag)
    assert (found.uncertainty > found.value) == (flag != "ok")
    assert not said(outcome)


def test_an_overpotential_within_its_own_noise_is_said_and_not_flagged():
    """0.01 ± 0.02 mV, both directions alike: nothing unphysical, and nothing known."""
    found = Finding("overpotential_mV", 0.01, 0.02, cycle_number=1)
    row = {"cycle": 1, "overpotential_mV": 0.01, "uncertainty_mV": 0.02, "asymmetry_fraction": 0.1}
    outcome = Outcome(findings=[found], tables={"cycles": [row]})
    doubt_symmetric(find_steps(square(0.0, 0.05)), SYMMETRIC, outcome)
    assert outcome.findings == [found]
    assert said(outcome, "overpotential_unresolved") == [
        "The overpotential of cycle 1 does not differ from zero: its uncertainty exceeds it. Is the cell shorted?"
    ]


# -- a symmetric cell's file on a full cell ----------------------------------------------------------------------------
def test_the_file_of_a_symmetric_cell_on_a_full_one():
    for analysis in (Cycling, Rate):
        outcome = analysis().run(square(0.0, 0.046), FULL, AT_25)
        assert said(outcome) == [
            "The potential turns with the current, −0.046 to 0.046 V, as of a symmetric cell; CEL-0104 is full. Is the "
            "file on the right cell? Move it, or correct the cell."
        ]
    found = numbers(Cycling().run(square(0.0, 0.046), FULL, AT_25))
    assert found["energy_efficiency_fraction", "reference"].flag == "out_of_range"  # −1
    assert found["coulombic_efficiency_fraction", "mean"].flag == "ok"  # a doubt alone sets no flag


def test_a_synthetic_plating_test_on_a_full_cell():
    cell = Cell(area_cm2=0.7854, asr_ohm_cm2=460.0, noise_V=1e-4, offset_V=0.01)
    frame = galvanostatic_test(
        current_steps([0.1], 3600.0, 0.0, 20), cell, np.random.default_rng(2), interval_s=30.0
    ).frame
    assert said(Cycling().run(frame, FULL, AT_25))


@pytest.mark.parametrize("middle_V", [3.4, 1.55, 0.15, -0.09])
def test_full_and_half_cells_are_not_doubted(middle_V):
    assert not said(Cycling().run(square(middle_V, 0.05), FULL, AT_25))


# -- real files --------------------------------------------------------------------------------------------------------
@pytest.mark.real
def test_no_real_file_on_its_own_kind_of_cell_is_doubted(real_data):
    seen = 0
    for folder, analyses, subject in (
        ("symmetric", (Plating,), SYMMETRIC),
        ("cycling", (Cycling,), FULL),
        ("rate", (Cycling, Rate), FULL),
    ):
        for path in sorted((real_data / folder).iterdir()):
            if path.name == "maccor_two.txt":  # damaged, which is what it is there for
                continue
            for recording in read_file(path, path.name)[1]:
                frame = recording.frame
                if not {"time_s", "potential_V", "current_A"} <= set(frame.columns) or not frame["current_A"].any():
                    continue
                for analysis in analyses:
                    try:
                        outcome = analysis().run(frame, subject, AT_25)
                    except AnalysisError:  # a recording of rests
                        continue
                    assert not {"wrong_cell_doubt", "overpotential_negative"} & {code for code, _ in outcome.warnings}
                    seen += 1
    assert seen > 15
