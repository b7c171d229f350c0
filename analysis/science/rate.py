"""Rate capability of full cells: capacity of each block of cycles at one C-rate, and what comes back afterwards."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from analysis.science.active_mass import ActiveMass, active_mass, warn_above_theory
from analysis.science.base import Analysis, Finding, Outcome, Parameters, Subject
from analysis.science.current_unit import doubt_c_rate
from analysis.science.cycles import cycles_of
from analysis.science.differential import METHOD
from analysis.science.reference_cycle import RATE_TOLERANCE, rate_groups
from analysis.science.retention import Conditions, cycle_rows, half_curves, half_slopes
from analysis.science.wording import number
from analysis.science.wrong_cell import doubt_full

MEDIAN_OF = 3  # last cycles of a block that stand for it: the first ones still settle


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive cycles at one current.

    `cycles` are rows of the cycles table, `current_mA` their median; `label` is what people call it: '0.1 C',
    '0.1 C, back'.
    """

    cycles: pd.DataFrame
    current_mA: float
    c_rate: float | None
    label: str
    is_back: bool

    @property
    def last(self) -> pd.DataFrame:
        """The cycles that stand for the block."""
        return self.cycles.iloc[-MEDIAN_OF:]

    @property
    def capacity_mAh(self) -> float:
        """Median discharge capacity of the last three cycles. [mAh]"""
        return float(self.last["discharge_capacity_mAh"].median())

    @property
    def scatter_mAh(self) -> float | None:
        """Standard error of that median from the scatter of the cycles (1.2533 s/√n); None with fewer than three."""
        values = self.last["discharge_capacity_mAh"]
        return 1.2533 * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) == MEDIAN_OF else None


class Rate(Analysis):
    """Blocks of cycles told from their currents."""

    slug: ClassVar[str] = "rate"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "Rate capability"
    kinds: ClassVar[tuple[str, ...]] = ("rate_test",)
    subjects: ClassVar[tuple[str, ...]] = ("full",)
    yields: ClassVar[tuple[str, ...]] = ("rate_capacity_mAh_g", "rate_capacity_mAh", "capacity_recovery_fraction")

    def run(self, recording: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute.

        Parameters
        ----------
        recording : pandas.DataFrame
            Canonical columns of a time series, current positive on charge.
        subject : Subject
            Active mass and theoretical capacity, for C-rates; electrode area.
        parameters : mapping
            ``formation_cycles`` (left out of the blocks), ``active_mass_mg``; ``file_active_mass_mg`` is compared.

        Raises
        ------
        AnalysisError
            No current flows, a column is missing, or a clock that ran backwards leaves nothing to count.
        """
        outcome = Outcome()
        mass = active_mass(subject, parameters, outcome)
        cycles = cycles_of(recording, mass.one_c_mA)  # an hour at 1 C is what the material holds
        outcome.warnings += cycles.warnings
        outcome.inputs |= cycles.inputs
        if mass.mass_mg is not None and mass.theoretical_mAh_g is None:
            outcome.warn(
                "theoretical_capacity_missing",
                "No theoretical capacity of the active material: blocks carry their current instead of a C-rate. "
                "Enter it with the material.",
            )
        formation = int(parameters.get("formation_cycles") or 0)
        complete = cycles.complete[cycles.complete["cycle_number"] > formation]
        blocks = blocks_of(complete, mass)
        outcome.inputs["one_c_mA"] = {
            "value": mass.one_c_mA,
            "uncertainty": None,
            "origin": "active mass × theoretical capacity",
        }
        conditions = Conditions.of(recording, subject, parameters, mass)
        conditions.warn_of_temperature(outcome)
        doubt_full(cycles, subject, outcome)
        doubt_c_rate(*cycles.usual_current_and_charge, mass, conditions.area_cm2, parameters, outcome)
        outcome.findings = _findings(blocks, conditions, outcome)
        warn_above_theory(outcome.findings, mass, outcome)
        outcome.tables = {
            "cycles": _with_blocks(cycle_rows(cycles, mass, None), blocks),
            "blocks": [_row(n, block, mass) for n, block in enumerate(blocks, 1)],
        }
        shown = [int(block.cycles["cycle_number"].iloc[-1]) for block in blocks][:8]
        outcome.curves = {
            "rates": [_series(block) for block in blocks],
            "marks": {"active_mass_mg": mass.mass_mg, "recovery_fraction": recovery(blocks)},
            "voltage": half_curves(cycles, shown),
            "differential": half_slopes(cycles, shown),
            "differential_method": METHOD,
        }
        return outcome


def blocks_of(complete: pd.DataFrame, mass: ActiveMass) -> list[Block]:
    """Consecutive cycles whose currents agree within 5 %.

    Parameters
    ----------
    complete : pandas.DataFrame
        Complete cycles of a rate test. The discharge current tells the rate; where it never changes, that of charge.
    mass : ActiveMass
    """
    if complete.empty:
        return []
    column = "discharge_current_mA"
    current = complete[column].to_numpy(dtype=float)
    if np.unique(rate_groups(current)).size == 1:
        column = "charge_current_mA"
        current = complete[column].to_numpy(dtype=float)
    begins = [0]
    for row in range(1, current.size):
        usual = float(np.median(current[begins[-1] : row]))
        if not abs(current[row] / usual - 1.0) <= RATE_TOLERANCE:
            begins.append(row)
    blocks: list[Block] = []
    for begin, end in zip(begins, [*begins[1:], current.size], strict=True):
        usual = float(np.median(current[begin:end]))
        rate = mass.c_rate(usual)
        label = f"{rate:.2g} C" if rate is not None else f"{number(usual)} mA"
        earlier = [block for block in blocks if abs(block.current_mA / usual - 1.0) <= RATE_TOLERANCE]
        label = f"{earlier[0].label}, back" if earlier else label
        blocks.append(Block(complete.iloc[begin:end], usual, rate, label, bool(earlier)))
    return blocks


def recovery(blocks: list[Block]) -> float | None:
    """Capacity of the last block at the first rate that comes back over that of the first; None without a return."""
    pair = _return(blocks)
    if pair is None or not pair[0].capacity_mAh > 0.0:
        return None
    return pair[1].capacity_mAh / pair[0].capacity_mAh


def _return(blocks: list[Block]) -> tuple[Block, Block] | None:
    """The first block whose current comes back, and the last one at that current.

    Formation at a rate of its own leads the test and never comes back, told by a person or not: it is no first block.
    """
    for position, first in enumerate(blocks):
        same = [b for b in blocks[position + 1 :] if abs(b.current_mA / first.current_mA - 1.0) <= RATE_TOLERANCE]
        if same:
            return first, same[-1]
    return None


def _findings(blocks: list[Block], at: Conditions, outcome: Outcome) -> list[Finding]:
    """One row per block and quantity, and the recovery."""
    if not blocks:
        outcome.warn("no_complete_cycle", "No cycle is complete yet. Numbers come with the first.")
        names = ("rate_capacity_mAh_g", "rate_capacity_mAh", "capacity_recovery_fraction")
        return [at.finding(name, None, None) for name in names]
    found = []
    for name in ("rate_capacity_mAh_g", "rate_capacity_mAh"):
        for position, block in enumerate(blocks):
            capacity, scatter = block.capacity_mAh, block.scatter_mAh
            is_specific = name == "rate_capacity_mAh_g"
            value = at.mass.specific(capacity) if is_specific else capacity
            spread = at.mass.specific(scatter) if is_specific else scatter
            more: dict[str, Any] = {"label": block.label, "position": position, "c_rate": block.c_rate}
            found.append(at.finding(name, value, block.cycles.iloc[-1], uncertainty=spread, **more))
    if short := [block.label for block in blocks if len(block.cycles) < MEDIAN_OF]:
        outcome.warn(
            "short_block",
            f"Fewer than {MEDIAN_OF} complete cycles at {'; '.join(short)}: what there is was taken.",
        )
    pair, value = _return(blocks), recovery(blocks)
    name = "capacity_recovery_fraction"
    if pair is None or value is None:
        outcome.warn("no_return", "The test does not return to its first rate: no capacity recovery.")
        return [*found, at.finding(name, None, None)]
    first, back = pair
    if before := [block.label for block in blocks[: blocks.index(first)]]:
        verb, were = ("does", "was") if len(before) == 1 else ("do", "were")
        outcome.warn(
            "leading_rate_left_out",
            f"The recovery compares blocks at {first.label}. Before it stands {'; '.join(before)}, which {verb} not "
            f"come back and {were} taken for formation.",
        )
    parts = [block.scatter_mAh / block.capacity_mAh for block in pair if block.scatter_mAh]
    spread = value * math.hypot(*parts) if len(parts) == 2 else None
    reference = int(first.cycles["cycle_number"].iloc[-1])
    last = at.finding(name, value, back.cycles.iloc[-1], uncertainty=spread, reference_cycle=reference)
    return [*found, last]


def _row(number_: int, block: Block, mass: ActiveMass) -> dict[str, Any]:
    """A block as people read it."""
    cycles = block.cycles["cycle_number"]
    return {
        "block": number_,
        "label": block.label,
        "c_rate": block.c_rate,
        "current_mA": block.current_mA,
        "first_cycle": int(cycles.iloc[0]),
        "last_cycle": int(cycles.iloc[-1]),
        "rate_capacity_mAh": block.capacity_mAh,
        "rate_capacity_mAh_g": mass.specific(block.capacity_mAh),
    }


def _series(block: Block) -> dict[str, Any]:
    """What the plot needs of a block."""
    return {
        "label": block.label,
        "c_rate": block.c_rate,
        "current_mA": block.current_mA,
        "capacity_mAh": block.capacity_mAh,
        "cycle_number": [int(value) for value in block.cycles["cycle_number"]],
        "discharge_capacity_mAh": [float(value) for value in block.cycles["discharge_capacity_mAh"]],
        "charge_capacity_mAh": [float(value) for value in block.cycles["charge_capacity_mAh"]],
    }


def _with_blocks(rows: list[dict[str, Any]], blocks: list[Block]) -> list[dict[str, Any]]:
    """The cycles table with the number of the block of each cycle; None for those in no block."""
    of = {int(cycle): n for n, block in enumerate(blocks, 1) for cycle in block.cycles["cycle_number"]}
    return [{**row, "block": of.get(row["cycle_number"])} for row in rows]
