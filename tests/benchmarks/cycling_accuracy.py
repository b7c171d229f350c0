"""Accuracy of cycles, retention and rate tests: ``python tests/benchmarks/cycling_accuracy.py``.

Random SYNTHETIC tests that no threshold was tuned on: capacity, fade, efficiency, rate, noise, sampling, rests,
constant voltage tails, formation, kind of counter and an unfinished last cycle are drawn anew. Prints one line per goal
with pass or FAIL and ends with 1 when any fails. Other draws: ``--seed``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from analysis.science.base import Subject  # noqa: E402
from analysis.science.rate import Rate  # noqa: E402
from analysis.science.retention import Cycling  # noqa: E402
from analysis.science.synthetic_cycling import COUNTERS, cycling_test, faded_capacities_mAh, rate_test  # noqa: E402

GOAL_POINTS = 0.05  # percentage points


def random_cycling(rng: np.random.Generator) -> dict[str, float]:
    """Errors of one random cycling test, in percentage points; counts of what was told wrong."""
    cycles, formation = int(rng.integers(15, 140)), int(rng.integers(0, 5))
    mass = float(rng.uniform(1.0, 10.0))
    capacities = faded_capacities_mAh(
        float(rng.uniform(0.1, 0.16)) * mass,
        float(rng.uniform(0.4, 1.0)),
        cycles,
        float(rng.uniform(0.5, 1.5)),
        formation,
    )
    capacities *= 1.0 + 1e-3 * rng.standard_normal(cycles)
    efficiencies = np.clip(1.0 - rng.exponential(0.006, cycles), 0.9, 1.0)
    main = float(rng.uniform(0.05, 1.0))
    rates = np.where(np.arange(cycles) < formation, main * float(rng.choice([0.3, 0.5])), main)
    is_cut = bool(rng.random() < 0.5)
    test = cycling_test(
        capacities, efficiencies, rates * 0.17 * mass, rng=rng,
        resistance_ohm=float(rng.uniform(0.02, 0.12)) / (main * 0.17e-3 * mass),
        points_per_half=int(rng.integers(60, 600)), potential_noise_V=float(rng.uniform(0.0, 1e-3)),
        current_noise_fraction=float(rng.uniform(0.0, 5e-4)), rest_s=float(rng.choice([0.0, 60.0, 1800.0])),
        first_rest_s=float(rng.choice([0.0, 43_200.0])), hold_fraction=float(rng.choice([0.0, 0.04])),
        counter=str(rng.choice(COUNTERS)), stops_at=float(rng.uniform(0.2, 0.9)) if is_cut else 1.0,
    )  # fmt: skip
    frame = test.frame if rng.random() < 0.5 else test.frame.drop(columns=["step_kind", "step_number"])
    subject = Subject("cell", "CEL-0001", "full", active_mass_mg=mass, theoretical_capacity_mAh_g=170.0)
    found = {(f.quantity, f.label): f for f in Cycling().run(frame, subject, {}).findings}
    reference, last = formation + 1, cycles - is_cut
    true, errors = test.truth["discharge_capacity_mAh"].to_numpy(), {}
    errors["told wrong"] = float(
        found["capacity_retention_fraction", "last"].cycle_number != last
        or found["capacity_retention_fraction", "last"].reference_cycle != reference
    )
    if errors["told wrong"]:
        return errors
    wanted = {"last": last} | {str(n): n for n in (50, 100) if reference < n <= last}
    errors["retention"] = max(
        100.0 * abs((found["capacity_retention_fraction", label].value or 0.0) - true[n - 1] / true[reference - 1])
        for label, n in wanted.items()
    )
    counted = efficiencies[reference - 1 : last]
    goals = {"first": efficiencies[0], "mean": counted.mean(), "min": counted.min()}
    errors["efficiency"] = max(
        100.0 * abs((found["coulombic_efficiency_fraction", label].value or 0.0) - goal)
        for label, goal in goals.items()
    )
    specific = found["discharge_specific_capacity_mAh_g", "reference"].value or 0.0
    errors["capacity"] = 100.0 * abs(specific / (1000.0 * true[reference - 1] / mass) - 1.0)
    return errors


def random_rate(rng: np.random.Generator) -> dict[str, float]:
    """Errors of one random rate test."""
    mass = float(rng.uniform(1.0, 10.0))
    rates = np.sort(rng.choice([0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0], int(rng.integers(3, 6)), replace=False))
    capacities = 0.15 * mass * (1.0 - 0.35 * rates ** float(rng.uniform(0.5, 1.0)))
    back = float(rng.uniform(0.85, 1.0))
    count = int(rng.integers(3, 9))
    schedule = [(float(r), count, float(q)) for r, q in zip(rates, capacities, strict=True)]
    schedule.append((float(rates[0]), count, float(capacities[0] * back)))
    test = rate_test(
        schedule, one_c_mA=0.17 * mass, rng=rng, efficiency=float(rng.uniform(0.97, 1.0)),
        points_per_half=int(rng.integers(60, 400)), counter=str(rng.choice(COUNTERS)),
        resistance_ohm=0.03 / (0.17e-3 * mass), current_noise_fraction=float(rng.uniform(0.0, 5e-4)),
    )  # type: ignore[arg-type]  # fmt: skip
    subject = Subject("cell", "CEL-0001", "full", active_mass_mg=mass, theoretical_capacity_mAh_g=170.0)
    findings = Rate().run(test.frame, subject, {}).findings
    blocks = [f for f in findings if f.quantity == "rate_capacity_mAh"]
    if len(blocks) != len(schedule):
        return {"blocks told wrong": 1.0}
    value = next(f.value for f in findings if f.quantity == "capacity_recovery_fraction") or 0.0
    return {
        "blocks told wrong": 0.0,
        "rate": max(100.0 * abs((b.c_rate or 0.0) / r - 1.0) for b, (r, _, _) in zip(blocks, schedule, strict=True)),
        "block": max(100.0 * abs((b.value or 0.0) / q - 1.0) for b, (_, _, q) in zip(blocks, schedule, strict=True)),
        "recovery": 100.0 * abs(value - back),
    }


def main() -> int:
    """Draw, print, judge."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=20_261)
    options.add_argument("--count", type=int, default=200)
    given = options.parse_args()
    rng, errors = np.random.default_rng(given.seed), dict[str, list[float]]()
    for _ in range(given.count):
        for draw in (random_cycling, random_rate):
            for name, value in draw(rng).items():
                errors.setdefault(name, []).append(value)
    goals = {
        "told wrong": (0.0, "tests whose reference or last cycle is told wrong"),
        "retention": (GOAL_POINTS, "retention, largest error (percentage points)"),
        "efficiency": (GOAL_POINTS, "Coulombic efficiency, largest error (percentage points)"),
        "capacity": (GOAL_POINTS, "specific capacity of the reference cycle, largest error (%)"),
        "blocks told wrong": (0.0, "rate tests whose blocks are told wrong"),
        "rate": (1.0, "C-rate of a block, largest error (%)"),
        "block": (GOAL_POINTS, "capacity of a block, largest error (%)"),
        "recovery": (GOAL_POINTS, "capacity recovery, largest error (percentage points)"),
    }
    is_met = True
    for name, (goal, words) in goals.items():
        found = sum(errors[name]) if "wrong" in name else max(errors[name])
        is_met &= found <= goal
        print(f"{words:66}{found:10.4f} ≤ {goal:<6g} {'pass' if found <= goal else 'FAIL'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
