"""Whether the potential of a test can be that of its cell: a file on the wrong cell gives numbers that look sound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analysis.science.base import Finding, Outcome, Subject
from analysis.science.cycles import Cycles
from analysis.science.steps import Steps
from analysis.science.wording import number

LEAST_V = 1.0  # a symmetric cell stands at 0 V; an offset or a bad contact leads no median of both directions so far
ONE_SIDED = 0.5  # sum over difference of the medians of both directions, below which they stand around 0 V
NOISE_WIDTHS = 3.0
_EDGES = (0.02, 0.98)  # a switch of range or a spike is no change of sign

Real = NDArray[np.float64]


def doubt_symmetric(steps: Steps, subject: Subject, outcome: Outcome) -> None:
    """Say when the potential is one of a full cell, and flag overpotentials that are none.

    Parameters
    ----------
    steps : Steps
    subject : Subject
    outcome : Outcome
        With its findings and its table of cycles; receives the sentences, codes ``wrong_cell_doubt``,
        ``overpotential_negative`` and ``overpotential_unresolved``.
    """
    sign = np.where(steps.half >= 0, steps.sign[steps.half], 0)
    states = [steps.potential_V[sign == way] for way in (1, -1, 0)]
    medians = np.array([float(np.median(values)) for values in states if values.size])
    flowing = steps.potential_V[sign != 0]
    low, high = (float(value) for value in np.quantile(flowing, _EDGES))
    # One direction alone may polarise that far: then the rest must stand there too.
    if medians.size > 1 and low * high > 0.0 and (np.abs(medians) > LEAST_V).all() and np.ptp(np.sign(medians)) == 0.0:
        outcome.warn(
            "wrong_cell_doubt",
            f"The potential lies between {_volts(low)} and {_volts(high)} V, as of a full cell; {subject.code} is "
            "symmetric. Is the file on the right cell? Move it, or correct the cell.",
        )
    _judge_overpotentials(outcome)


def doubt_full(cycles: Cycles, subject: Subject, outcome: Outcome) -> None:
    """Say when the potential stands around 0 V and turns with the current, code ``wrong_cell_doubt``."""
    potential, sign = cycles.series.potential_V, cycles.segments.sign_of_row
    up, down = potential[sign > 0], potential[sign < 0]
    if not up.size or not down.size:
        return
    above, below = float(np.median(up)), float(np.median(down))
    if above * below < 0.0 and abs(above + below) < ONE_SIDED * abs(above - below):
        low, high = sorted((above, below))
        outcome.warn(
            "wrong_cell_doubt",
            f"The potential turns with the current, {_volts(low)} to {_volts(high)} V, as of a symmetric cell; "
            f"{subject.code} is full. Is the file on the right cell? Move it, or correct the cell.",
        )


def _volts(value: float) -> str:
    """One decimal, and two digits where that would leave none."""
    text = f"{value:.1f}" if abs(value) >= 0.95 else number(value, 2)
    return text.replace("-", "−")


def _judge_overpotentials(outcome: Outcome) -> None:
    """Flag overpotentials of cycles in which one direction has a negative one.

    The overpotential of a cycle is the mean of those of both directions. Where one of them lies below zero, outside
    its physical range, by more than its noise, no current drives the cell there: the mean says nothing.
    """
    rows = {row["cycle"]: row for row in outcome.tables.get("cycles", ()) if "asymmetry_fraction" in row}
    told: set[str] = set()
    for place, found in enumerate(outcome.findings):
        row = rows.get(found.cycle_number)
        if found.quantity != "overpotential_mV" or found.value is None or row is None:
            continue
        apart = 0.5 * row["asymmetry_fraction"] * abs(found.value)
        uncertainty = found.uncertainty or 0.0
        noise = float(np.sqrt(max(2.0 * (uncertainty**2 - apart**2), 0.0)))
        if found.value - apart < -NOISE_WIDTHS * noise:
            outcome.findings[place] = replace(found, flag="out_of_range")
            _once(outcome, told, "overpotential_negative", _negative(found, apart))
        elif uncertainty > abs(found.value):
            sentence = f"{_where(found)} does not differ from zero: its uncertainty exceeds it. Is the cell shorted?"
            _once(outcome, told, "overpotential_unresolved", sentence)


def _once(outcome: Outcome, told: set[str], code: str, sentence: str) -> None:
    if code not in told:
        outcome.warn(code, sentence)
        told.add(code)


def _where(found: Finding) -> str:
    return f"The overpotential of cycle {found.cycle_number}"


def _negative(found: Finding, apart_mV: float) -> str:
    value = found.value or 0.0
    pair = " and ".join(number(part).replace("-", "−") for part in (value + apart_mV, value - apart_mV))
    return (
        f"{_where(found)} is {pair} mV in the two directions, one of them below zero: their mean is out of range. "
        "Check whether the file is on the right cell, and the zero of the potential."
    )
