"""Blocks of a rate test against the schedule that made them."""

import json

import numpy as np
import pytest

from analysis.science.base import Subject
from analysis.science.rate import Rate
from analysis.science.synthetic_cycling import cycling_test, rate_test

MASS = 2.0
CELL = Subject(
    "cell", "CEL-0104", "full", electrode_area_cm2=0.785, active_mass_mg=MASS, theoretical_capacity_mAh_g=170
)
ONE_C_MA = 170.0 * MASS / 1000.0
# The coated cell of the study: mAh g⁻¹ at 0.1, 0.2, 0.3, 0.5 and 1 C, and back at 0.1 C.
SCHEDULE = [(0.1, 5, 146.7), (0.2, 5, 138.1), (0.3, 5, 127.5), (0.5, 5, 112.4), (1.0, 5, 80.0), (0.1, 5, 142.5)]


def made(schedule=SCHEDULE, **more):
    rates = [(rate, count, specific * MASS / 1000.0) for rate, count, specific in schedule]
    given = {"rng": np.random.default_rng(8), "points_per_half": 60, **more}
    return rate_test(rates, one_c_mA=ONE_C_MA, **given).frame


def of(outcome, quantity):
    return [finding for finding in outcome.findings if finding.quantity == quantity]


def said(outcome, code):
    return [sentence for name, sentence in outcome.warnings if name == code]


@pytest.mark.parametrize("counter", ["none", "step"])
def test_every_block_has_its_rate_and_capacity(counter):
    outcome = Rate().run(made(counter=counter), CELL, {})
    found = of(outcome, "rate_capacity_mAh_g")
    assert [round(f.c_rate, 2) for f in found] == [0.1, 0.2, 0.3, 0.5, 1.0, 0.1]
    assert [f.value for f in found] == pytest.approx([block[2] for block in SCHEDULE], rel=1e-4)
    assert [f.label for f in found] == ["0.1 C", "0.2 C", "0.3 C", "0.5 C", "1 C", "0.1 C, back"]
    assert [f.position for f in found] == list(range(6))
    plain = of(outcome, "rate_capacity_mAh")
    assert [f.value for f in plain] == pytest.approx([block[2] * MASS / 1000.0 for block in SCHEDULE], rel=1e-4)
    (recovery,) = of(outcome, "capacity_recovery_fraction")
    assert recovery.value == pytest.approx(142.5 / 146.7, abs=5e-4)
    assert (recovery.cycle_number, recovery.reference_cycle) == (30, 5)


def test_the_median_of_the_last_three_cycles_stands_for_a_block():
    """Capacity falls by 1 % per cycle: of five cycles the fourth is the median of the last three."""
    outcome = Rate().run(made([(0.1, 5, 150.0), (0.5, 5, 100.0), (0.1, 5, 150.0)], fade_per_cycle=0.01), CELL, {})
    assert of(outcome, "rate_capacity_mAh_g")[0].value == pytest.approx(150.0 * 0.99**3, rel=1e-4)


def test_currents_within_five_per_cent_are_one_block_and_others_are_not():
    blocks = [(0.1, 4, 150.0), (0.104, 4, 149.0), (0.11, 4, 148.0), (0.1, 4, 149.0)]
    outcome = Rate().run(made(blocks), CELL, {})
    assert len(of(outcome, "rate_capacity_mAh")) == 3


def test_without_mass_blocks_carry_their_current_and_no_c_rate():
    outcome = Rate().run(made(), Subject("cell", "CEL-0104", "full"), {})
    found = of(outcome, "rate_capacity_mAh")
    assert {f.c_rate for f in found} == {None}
    assert [f.label for f in found][:2] == ["0.0340 mA", "0.0680 mA"]
    assert {f.value for f in of(outcome, "rate_capacity_mAh_g")} == {None}
    assert of(outcome, "capacity_recovery_fraction")[0].value == pytest.approx(142.5 / 146.7, abs=5e-4)
    assert said(outcome, "mass_missing") == ["No active mass for CEL-0104. Shown in mAh."]


def test_mass_without_theoretical_capacity_gives_mAh_per_gram_but_no_c_rate():
    outcome = Rate().run(made(), Subject("cell", "CEL-0104", "full", active_mass_mg=MASS), {})
    assert of(outcome, "rate_capacity_mAh_g")[0].value == pytest.approx(146.7, rel=1e-4)
    assert of(outcome, "rate_capacity_mAh_g")[0].c_rate is None
    assert said(outcome, "theoretical_capacity_missing")


def test_a_test_that_never_returns_has_no_recovery():
    outcome = Rate().run(made(SCHEDULE[:5]), CELL, {})
    (recovery,) = of(outcome, "capacity_recovery_fraction")
    assert (recovery.value, recovery.flag) == (None, "missing")
    assert said(outcome, "no_return") == ["The test does not return to its first rate: no capacity recovery."]


def test_a_block_beyond_what_the_material_holds_is_out_of_range():
    """The mass is ten times too small: 1467 mAh g⁻¹ at 0.1 C of the record, while the recovery stays what it is."""
    light = Subject("cell", "CEL-0104", "full", active_mass_mg=MASS / 10.0, theoretical_capacity_mAh_g=170.0)
    outcome = Rate().run(made(), light, {})
    assert {f.flag for f in of(outcome, "rate_capacity_mAh_g")} == {"out_of_range"}
    assert {f.flag for f in of(outcome, "rate_capacity_mAh")} == {"ok"}
    assert of(outcome, "capacity_recovery_fraction")[0].flag == "ok"
    assert said(outcome, "capacity_above_theoretical")[0].startswith("1467 mAh g⁻¹ is 8.6 times what")
    assert not said(Rate().run(made(), CELL, {}), "capacity_above_theoretical")


def test_formation_cycles_are_left_out_of_the_blocks():
    frame = made([(0.05, 3, 150.0), *SCHEDULE])
    with_formation, without = Rate().run(frame, CELL, {}), Rate().run(frame, CELL, {"formation_cycles": 3})
    assert len(of(with_formation, "rate_capacity_mAh")) == 7
    assert len(of(without, "rate_capacity_mAh")) == 6
    assert of(without, "capacity_recovery_fraction")[0].value == pytest.approx(142.5 / 146.7, abs=5e-4)


@pytest.mark.parametrize(
    ("leading", "words"),
    [
        ([(0.05, 3, 155.0)], "Before it stands 0.05 C, which does not come back and was taken for formation."),
        (
            [(0.02, 1, 156.0), (0.05, 2, 155.0)],
            "Before it stands 0.02 C; 0.05 C, which do not come back and were taken for formation.",
        ),
    ],
)
def test_recovery_leaves_out_a_formation_that_nobody_stated(leading, words):
    """140 of 147 mAh g⁻¹ at 0.1 C; the formation before it has a rate of its own."""
    test = [(0.1, 5, 147.0), (0.2, 5, 138.0), (0.5, 5, 112.0), (1.0, 5, 90.0), (0.1, 5, 140.0)]
    outcome = Rate().run(made([*leading, *test]), CELL, {})
    formation = sum(count for _, count, _ in leading)
    stated = Rate().run(made([*leading, *test]), CELL, {"formation_cycles": formation})
    for found in (outcome, stated):
        (recovery,) = of(found, "capacity_recovery_fraction")
        assert recovery.value == pytest.approx(140.0 / 147.0, abs=5e-4)
        assert recovery.flag == "ok"
        assert (recovery.reference_cycle, recovery.cycle_number) == (formation + 5, formation + 25)
        assert recovery.c_rate == pytest.approx(0.1, rel=1e-3)
        assert not said(found, "no_return")
    assert said(outcome, "leading_rate_left_out") == [f"The recovery compares blocks at 0.1 C. {words}"]
    assert not said(stated, "leading_rate_left_out")


def test_the_last_return_counts_and_a_rate_that_stays_is_none():
    """Back at 0.1 C twice: 144 and then 141 of 147; the long end at 1 C is no return to the first rate."""
    schedule = [(0.1, 4, 147.0), (1.0, 4, 90.0), (0.1, 4, 144.0), (2.0, 4, 60.0), (0.1, 4, 141.0), (1.0, 8, 85.0)]
    (recovery,) = of(Rate().run(made(schedule), CELL, {}), "capacity_recovery_fraction")
    assert recovery.value == pytest.approx(141.0 / 147.0, abs=5e-4)


def test_short_blocks_are_named():
    outcome = Rate().run(made([(0.1, 2, 150.0), (0.2, 5, 140.0), (0.1, 5, 149.0)]), CELL, {})
    assert said(outcome, "short_block") == ["Fewer than 3 complete cycles at 0.1 C: what there is was taken."]


def test_an_unfinished_last_cycle_does_not_enter_its_block():
    outcome = Rate().run(made(stops_at=0.4), CELL, {})
    assert outcome.tables["blocks"][-1]["last_cycle"] == 29
    assert of(outcome, "rate_capacity_mAh_g")[-1].value == pytest.approx(142.5, rel=1e-4)


def test_charging_at_different_rates_makes_blocks_where_the_discharge_does_not():
    """Only the charge current changes: it tells the rate."""
    test = cycling_test(np.full(6, 0.3), 0.99, 0.034, rng=np.random.default_rng(1), counter="none")
    frame = test.frame
    is_fast = (frame["cycle_number"] > 3) & (frame["step_kind"] == "charge")
    frame.loc[is_fast, "current_A"] *= 3.0
    found = of(Rate().run(frame, CELL, {}), "rate_capacity_mAh")
    assert [f.label for f in found] == ["0.1 C", "0.3 C"]
    assert [f.c_rate for f in found] == pytest.approx([0.1, 0.3], rel=1e-3)


def test_tables_and_curves_are_plain():
    outcome = Rate().run(made(), CELL, {})
    json.dumps([outcome.curves, outcome.tables, outcome.inputs], allow_nan=False)
    assert [row["block"] for row in outcome.tables["cycles"]] == [n for n in range(1, 7) for _ in range(5)]
    assert [row["label"] for row in outcome.tables["blocks"]][-1] == "0.1 C, back"
