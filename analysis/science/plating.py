"""Long plating and stripping of a symmetric cell: overpotential and lifetime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.base import Analysis, Finding, Outcome, Parameters, Subject
from analysis.science.current_unit import doubt_current_density
from analysis.science.given import at_temperature, electrode_area, finding, stated_area, temperature
from analysis.science.shorts import WORDS, Event, find_events
from analysis.science.steps import Steps, find_steps
from analysis.science.symmetric import (
    LOOKS_UP,
    half_cycle_table,
    ohmic_resistance_ohm,
    pauses,
    series_curves,
    warn_of_spikes,
)
from analysis.science.wording import number
from analysis.science.wrong_cell import doubt_symmetric

Real = NDArray[np.float64]

CONDITIONING_HALVES = 2  # the first cycle settles; the ten half-steps after it are the measure of polarisation
REFERENCE_HALVES = 10
FALLEN, FALLEN_HALVES = 0.6, 4  # share of that measure, and half-steps at the end that stay below it
SAME_CURRENT = 0.1
UNEVEN = 0.02
ASYMMETRIC = 0.3
OVERPOTENTIAL_RANGE_MV = (0.0, 1.0e4)
TIME_RANGE_H = (0.0, 1.0e6)


@dataclass(frozen=True)
class Cycle:
    """Two half-steps of opposite direction."""

    number: int  # from 1
    first_half: int
    start_h: float
    end_h: float
    overpotential_mV: float
    uncertainty_mV: float
    asymmetry: float
    current_A: float


class Plating(Analysis):
    """Overpotential of every cycle, and when the cell shorts, polarises away, or is still alive."""

    slug: ClassVar[str] = "plating"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "Plating and stripping"
    kinds: ClassVar[tuple[str, ...]] = ("plating_stripping",)
    subjects: ClassVar[tuple[str, ...]] = ("symmetric",)
    yields: ClassVar[tuple[str, ...]] = ("overpotential_mV", "time_to_failure_h", "cycles_to_failure_count")
    looks_up: ClassVar[tuple[str, ...]] = LOOKS_UP

    def run(self, recording: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute.

        Parameters
        ----------
        recording : pandas.DataFrame
            Columns ``time_s``, ``potential_V``, ``current_A``; where known ``step_number`` and ``step_kind``.
        subject : Subject
            Electrode area; thickness, for rule R1 of `analysis.science.shorts`.
        parameters : mapping
            ``voltage_limit_V``; ``overpotential_at_h`` (list of hours at which the overpotential is asked for);
            ``electrode_area_cm2``, ``temperature_degC``, ``temperature_origin``. For rule R1 as in
            `analysis.science.symmetric.electrolyte`: ``electrolyte_resistance_ohm``,
            ``electrolyte_conductivity_S_cm``, ``known``.

        Raises
        ------
        AnalysisError
            No current in the recording.

        Notes
        -----
        The overpotential of a cycle is half the voltage span: the mean over both directions of the median voltage
        between 40 and 80 % of the half-step. Time counts from the first row of the recording, rests and pauses
        included; the trend is one over all parts of a joined test. Both are said where there is a pause.
        """
        outcome = Outcome()
        steps = find_steps(recording)
        outcome.warnings += steps.warnings
        area, _ = electrode_area(
            subject,
            parameters,
            outcome,
            "Current densities need the electrode area. Enter the diameter of the Li disc.",
        )
        celsius = temperature(parameters, outcome)
        ohmic = ohmic_resistance_ohm(subject, parameters, area, celsius, outcome)
        limit = parameters.get("voltage_limit_V")
        reference = (CONDITIONING_HALVES, CONDITIONING_HALVES + REFERENCE_HALVES)
        events = find_events(steps, ohmic, float(limit) if limit else None, reference)
        event = events[0] if events else None
        cycles = complete_cycles(steps)
        _say(steps, cycles, event, area, parameters, outcome)
        found = [*_overpotentials(cycles, event, steps, area, parameters, outcome), *_lifetime(steps, event)]
        outcome.findings = at_temperature(found, outcome)
        outcome.curves = series_curves(steps, area) | {
            "cycles": {
                "cycle": [cycle.number for cycle in cycles],
                "time_h": [0.5 * (cycle.start_h + cycle.end_h) for cycle in cycles],
                "overpotential_mV": [cycle.overpotential_mV for cycle in cycles],
                "uncertainty_mV": [cycle.uncertainty_mV for cycle in cycles],
                "current_mA": [cycle.current_A * 1.0e3 for cycle in cycles],
            },
            "marks": {
                "kind": event.kind if event else "none",
                "event_h": steps.hours(event.time_s) if event else None,
            },
        }
        outcome.tables = {"steps": half_cycle_table(steps, area, event), "cycles": _cycle_table(cycles)}
        doubt_symmetric(steps, subject, outcome)
        return outcome


def complete_cycles(steps: Steps) -> list[Cycle]:
    """Pairs of half-steps of opposite direction; a last one that was cut short is left out."""
    cycles: list[Cycle] = []
    half = 0
    usual = float(np.median(steps.duration_s)) if steps.count else 0.0
    sizes = np.maximum(steps.last - steps.first, 1)
    spread = 1.25e3 * steps.noise_V / np.sqrt(np.maximum(0.4 * sizes, 1.0))
    while half + 1 < steps.count:
        if steps.sign[half] == steps.sign[half + 1]:
            half += 1
            continue
        if half + 1 == steps.count - 1 and steps.duration_s[half + 1] < 0.9 * min(usual, float(steps.duration_s[half])):
            break
        pair = steps.eta_V[half : half + 2] * 1.0e3
        mean = float(pair.mean())
        cycles.append(
            Cycle(
                number=len(cycles) + 1,
                first_half=half,
                start_h=steps.hours(steps.start_s[half]),
                end_h=steps.hours(steps.end_s[half + 1]),
                overpotential_mV=mean,
                # Both directions measure the same; how far they differ tells more than their noise.
                uncertainty_mV=0.5 * float(np.hypot(np.hypot(spread[half], spread[half + 1]), pair[0] - pair[1])),
                asymmetry=float(abs(pair[0] - pair[1])) / abs(mean) if mean else 0.0,
                current_A=float(steps.magnitude_A[half]),
            )
        )
        half += 2
    return cycles


def _sound(cycles: Sequence[Cycle], event: Event | None) -> list[Cycle]:
    """The cycles before the failure."""
    return [cycle for cycle in cycles if event is None or cycle.first_half + 1 < event.half]


def _overpotentials(
    cycles: list[Cycle], event: Event | None, steps: Steps, area: float | None, parameters: Parameters, outcome: Outcome
) -> list[Finding]:
    """Of the first cycle, the last sound one, and at the hours asked for."""
    sound = _sound(cycles, event)
    wanted: list[tuple[str, Cycle | None]] = [
        ("first_cycle", cycles[0] if cycles else None),
        ("end", sound[-1] if sound else None),
    ]
    asked = parameters.get("overpotential_at_h") or ()
    for hour in [asked] if isinstance(asked, int | float) else asked:
        near = [cycle for cycle in sound if cycle.start_h <= float(hour)]
        is_inside = bool(near) and float(hour) <= sound[-1].end_h
        wanted.append((f"{float(hour):g}h", near[-1] if is_inside else None))
        if not is_inside:
            outcome.warn("hour_not_covered", f"No sound cycle at {float(hour):g} h: no overpotential there.")
    if not cycles:
        outcome.warn("no_complete_cycle", "No cycle is complete yet. Upload the longer recording later.")
    findings = []
    for position, (label, cycle) in enumerate(wanted):
        value, spread = (cycle.overpotential_mV, cycle.uncertainty_mV) if cycle else (None, None)
        found = finding("overpotential_mV", value, spread, OVERPOTENTIAL_RANGE_MV)
        findings.append(
            replace(
                found,
                label=label,
                position=position,
                cycle_number=cycle.number if cycle else None,
                current_density_mA_cm2=cycle.current_A * 1.0e3 / area if cycle and area else None,
            )
        )
    return findings


def _lifetime(steps: Steps, event: Event | None) -> list[Finding]:
    """Time and cycles to failure; lower limits while the cell is alive."""
    limit = "=" if event else ">"
    hours = steps.hours(event.time_s if event else steps.time_s[-1])
    halves = event.half if event else steps.count
    if event is None and halves and steps.duration_s[-1] < 0.9 * float(np.median(steps.duration_s)):
        halves -= 1
    return [
        replace(finding("time_to_failure_h", hours, None, TIME_RANGE_H), limit=limit),
        replace(finding("cycles_to_failure_count", float(halves // 2), None, (0.0, 1.0e7)), limit=limit),
    ]


def _say(
    steps: Steps, cycles: list[Cycle], event: Event | None, area: float | None, parameters: Parameters, outcome: Outcome
) -> None:
    """What a person should look at."""
    if event is None:
        outcome.warn("alive", "No short and no failure to the end of the recording. The lifetime is a lower limit.")
    else:
        outcome.warn(
            "failure_found",
            f"{WORDS[event.kind].capitalize()} after {steps.hours(event.time_s):.4g} h, in half-cycle "
            f"{event.half + 1}. Look at the impedance before and after.",
        )
    current = float(np.median(steps.magnitude_A)) * 1.0e3
    doubt_current_density(current, area, parameters, outcome)
    stated = stated_area(parameters, area)
    if stated and area:
        outcome.warn(
            "electrode_area_differs",
            f"The current is {number(current)} mA: {current / area:.3g} mA cm⁻² with {area:.3g} cm². "
            f"The file header says {stated:.3g} cm². Which is right?",
        )
    sound = _sound(cycles, event)
    inside = steps.capacity_mAh[: 2 * len(sound)]
    if inside.size > 2 and float(np.abs(inside / np.median(inside) - 1.0).max()) > UNEVEN:
        outcome.warn(
            "uneven_half_cycles",
            "The charge of the half-cycles differs by more than 2 %. Check for pauses and cut-offs.",
        )
    if sound and float(np.median([cycle.asymmetry for cycle in sound])) > ASYMMETRIC:
        outcome.warn("asymmetric", "Both directions differ by more than 30 %: the two electrodes are not alike.")
    if stops := pauses(steps):
        hours = sum(stop["to_h"] - stop["from_h"] for stop in stops)
        outcome.warn(
            "paused",
            f"No current flowed for {number(hours)} h in {len(stops)} pause{'' if len(stops) == 1 else 's'} between "
            "half-cycles. The time counts them.",
        )
    warn_of_spikes(steps, outcome)
    _say_fall(steps, event, outcome)
    if len(sound) >= 4:
        from scipy.stats import (
            theilslopes,  # takes half a second to load, and pages that draw what was computed never need it
        )

        slope = theilslopes([c.overpotential_mV for c in sound], [0.5 * (c.start_h + c.end_h) for c in sound])
        outcome.inputs["overpotential_trend"] = {
            "value": f"{_signed(100.0 * float(slope[0]))} mV per 100 h",
            "uncertainty": None,
            "origin": f"median slope over {len(sound)} cycles{_across(steps, sound)}",
        }


def _signed(value: float) -> str:
    """'+0.25', '−0.25'; '0' has no sign."""
    return f"{'+' if value > 0.0 else '−' if value < 0.0 else ''}{number(abs(value), 2)}"


def _say_fall(steps: Steps, event: Event | None, outcome: Outcome) -> None:
    """Say that the resistance crept far below its measure and stayed there, which no sudden drop shows.

    Between half-steps of the same current only: at another the interfaces have another resistance.
    """
    end = event.half if event else steps.count
    first, last = CONDITIONING_HALVES, CONDITIONING_HALVES + REFERENCE_HALVES
    if end < last + FALLEN_HALVES:
        return
    current = float(np.median(steps.magnitude_A[first:last]))
    halves = np.arange(first, end)[np.abs(steps.magnitude_A[first:end] / current - 1.0) <= SAME_CURRENT]
    if not (halves < last).any():  # the first half-cycles have no current in common
        return
    resistance = steps.resistance_ohm[halves]
    usual = float(np.median(resistance[halves < last]))
    stood = np.flatnonzero(resistance >= FALLEN * usual)
    begin = int(stood[-1]) + 1 if stood.size else 0
    if halves.size - begin < FALLEN_HALVES:
        return
    now = float(np.median(resistance[-FALLEN_HALVES:]))
    outcome.warn(
        "resistance_fell",
        f"The resistance fell from {number(usual)} Ω in the first half-cycles to {number(now)} Ω, and stays below "
        f"{100 * FALLEN:.0f} % of it from {steps.hours(steps.start_s[halves[begin]]):.4g} h on. A short that grows "
        "slowly does this, and so do interfaces that settle: compare the impedance before and after.",
    )


def _across(steps: Steps, sound: Sequence[Cycle]) -> str:
    """', across a pause of 2.00 h' where cycles stand on both sides of one."""
    inside = [stop for stop in pauses(steps) if sound[0].end_h <= stop["to_h"] <= sound[-1].start_h + 1.0e-6]
    if not inside:
        return ""
    hours = number(sum(stop["to_h"] - stop["from_h"] for stop in inside))
    return f", across {'a pause' if len(inside) == 1 else f'{len(inside)} pauses'} of {hours} h"


def _cycle_table(cycles: Sequence[Cycle]) -> list[dict[str, Any]]:
    return [
        {
            "cycle": cycle.number,
            "start_h": cycle.start_h,
            "end_h": cycle.end_h,
            "overpotential_mV": cycle.overpotential_mV,
            "uncertainty_mV": cycle.uncertainty_mV,
            "asymmetry_fraction": cycle.asymmetry,
        }
        for cycle in cycles
    ]
