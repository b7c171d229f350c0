"""Overpotential and lifetime of long plating tests: closed forms, synthetic truth, and a real file."""

import numpy as np
import pandas as pd
import pytest

from analysis.science.base import Subject
from analysis.science.plating import Plating
from analysis.science.synthetic_series import Cell, current_steps, galvanostatic_test

AREA = 0.7854
SUBJECT = Subject("cell", "CEL-0098", "symmetric", electrode_area_cm2=AREA)
AT_25 = {"temperature_degC": 25.0, "temperature_origin": "file"}
CELL = Cell(area_cm2=AREA, asr_ohm_cm2=460.0, noise_V=1e-4)


def life(cycles=30, cell=CELL, seed=2, **event):
    programme = current_steps([0.1], 3600.0, 0.0, cycles)
    return galvanostatic_test(programme, cell, np.random.default_rng(seed), interval_s=30.0, **event)


def run(frame, **parameters):
    outcome = Plating().run(frame, SUBJECT, AT_25 | parameters)
    return {(finding.quantity, finding.label): finding for finding in outcome.findings}, outcome


def test_overpotential_is_half_the_span():
    found, _ = run(life().frame)
    for label in ("first_cycle", "end"):
        assert found["overpotential_mV", label].value == pytest.approx(46.0, abs=0.1)  # 0.1 mA/cm² · 460 Ω cm²
    assert found["overpotential_mV", "first_cycle"].cycle_number == 1
    assert found["overpotential_mV", "end"].cycle_number == 30
    assert found["overpotential_mV", "end"].current_density_mA_cm2 == pytest.approx(0.1)


def test_overpotential_follows_a_cell_that_grows():
    grown = Cell(area_cm2=AREA, asr_ohm_cm2=460.0, noise_V=1e-4, drift_fraction=0.6)
    found, outcome = run(life(50, grown).frame, overpotential_at_h=[50.0, 500.0])
    at_half = found["overpotential_mV", "50h"]
    assert at_half.value == pytest.approx(46.0 * 1.3, rel=0.01)
    assert found["overpotential_mV", "500h"].flag == "missing"
    assert found["overpotential_mV", "end"].value == pytest.approx(46.0 * 1.6, rel=0.02)
    assert found["time_to_failure_h", ""].limit == ">"
    # 46 mV · 0.6 in 100 h.
    assert outcome.inputs["overpotential_trend"]["value"] == "+28 mV per 100 h"


def test_a_pause_is_said_and_the_trend_goes_across_it():
    """Two parts of 10 and 5 cycles with 2 h between them, as a join leaves them."""
    frame = life(15).frame
    frame["time_s"] += np.where(frame["time_s"] > 20 * 3600.0, 7200.0, 0.0)
    found, outcome = run(frame)
    assert "No current flowed for 2.0" in dict(outcome.warnings)["paused"]
    assert outcome.inputs["overpotential_trend"]["origin"].startswith(
        "median slope over 15 cycles, across a pause of 2.0"
    )
    assert found["time_to_failure_h", ""].value == pytest.approx(32.0, abs=0.05)


def test_nothing_is_said_of_a_pause_where_there_is_none():
    _, outcome = run(life(15).frame)
    assert "paused" not in dict(outcome.warnings)
    assert outcome.inputs["overpotential_trend"]["origin"] == "median slope over 15 cycles"


@pytest.mark.parametrize("end", ["short", "soft_short", "open", "noise"])
def test_lifetime_counts_from_the_first_row_rests_included(end):
    depth = 0.95 if end == "short" else 0.5
    test = life(40, mode=end, half=61, depth=depth, place=0.3, first_rest_s=43200.0)
    found, outcome = run(test.frame)
    lifetime = found["time_to_failure_h", ""]
    assert test.time_s is not None
    assert lifetime.limit == "="
    assert lifetime.value == pytest.approx(test.time_s / 3600.0, abs=1.0)
    assert lifetime.value > 12.0 + 60.0
    assert found["cycles_to_failure_count", ""].value == 30
    assert "failure_found" in {code for code, _ in outcome.warnings}


def test_a_living_cell_has_a_lower_limit():
    frame = life().frame
    found, outcome = run(frame)
    hours = (frame["time_s"].iloc[-1] - frame["time_s"].iloc[0]) / 3600.0
    assert found["time_to_failure_h", ""].value == pytest.approx(hours)
    assert found["time_to_failure_h", ""].limit == found["cycles_to_failure_count", ""].limit == ">"
    assert found["cycles_to_failure_count", ""].value == 30
    assert "alive" in {code for code, _ in outcome.warnings}


def test_every_half_cycle_has_its_resistance():
    _, outcome = run(life(5).frame)
    steps = outcome.tables["steps"]
    assert len(steps) == 10
    assert all(row["asr_ohm_cm2"] == pytest.approx(460.0, rel=5e-3) for row in steps)
    assert [row["state"] for row in steps] == ["sound"] * 10


@pytest.mark.real
def test_a_real_cell_of_four_cycles_is_alive(real_data):
    path = real_data / "symmetric" / "mb.mpt"
    lines = path.read_text("latin-1").splitlines()
    header = next(int(line.rpartition(":")[2]) for line in lines if line.startswith("Nb header lines"))
    table = pd.read_csv(path, sep="\t", skiprows=header - 1, encoding="latin-1")
    table = table[table["freq/Hz"] == 0.0]
    frame = pd.DataFrame({"time_s": table["time/s"], "potential_V": table["Ewe/V"], "current_A": 1e-3 * table["I/mA"]})
    found, outcome = run(frame)
    # MANIFEST: V/I at the ends of the steps is 1320 to 1416 Ω, +2.80 and -2.80 µA for one hour each, four times.
    assert [row["resistance_ohm"] for row in outcome.tables["steps"]] == pytest.approx([1350.0] * 8, rel=0.06)
    assert found["overpotential_mV", "end"].value == pytest.approx(2.8e-3 * 1350.0, rel=0.03)
    assert found["time_to_failure_h", ""].limit == ">"
    assert found["cycles_to_failure_count", ""].value == 4
