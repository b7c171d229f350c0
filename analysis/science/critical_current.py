"""Critical current density: in which step of a current ramp a symmetric cell shorts or polarises away."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.base import Analysis, AnalysisError, Finding, Outcome, Parameters, Subject
from analysis.science.current_unit import doubt_current_density
from analysis.science.given import at_temperature, electrode_area, finding, stated_area, temperature, warn_of_difference
from analysis.science.shorts import HARD, POLARISATION, SOFT, WORDS, Event, find_events
from analysis.science.steps import Steps, find_steps
from analysis.science.symmetric import LOOKS_UP, half_cycle_table, ohmic_resistance_ohm, series_curves, warn_of_spikes
from analysis.science.wording import number, step_density
from analysis.science.wrong_cell import doubt_symmetric

Real = NDArray[np.float64]

SAME_LEVEL = 0.03
COMPLETE = 0.9
EVEN = 0.05  # relative spread below which times, charges or increments count as equal
FEWEST_ROWS = 5
FURTHER_FALL = 0.75  # of the resistance that a soft short left: more than that is another event
# What another choice of the failing step would change.
OF_THE_STEP = {
    "critical_current_density_mA_cm2", "last_sound_current_density_mA_cm2", "charge_passed_before_short_mAh_cm2",
}  # fmt: skip
DENSITY_RANGE_MA_CM2 = (0.0, 100.0)
CHARGE_RANGE_MAH_CM2 = (0.0, 1.0e5)
TIME_RANGE_H = (0.0, 1000.0)


@dataclass(frozen=True)
class Level:
    """One step of the ramp: the half-steps of one current."""

    current_A: float
    halves: tuple[int, ...]
    is_complete: bool


class CriticalCurrent(Analysis):
    """Staircase, short or failure, and the current density of the step in which it happens."""

    slug: ClassVar[str] = "critical_current"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "Critical current density"
    kinds: ClassVar[tuple[str, ...]] = ("ccd_ramp",)
    subjects: ClassVar[tuple[str, ...]] = ("symmetric",)
    yields: ClassVar[tuple[str, ...]] = (
        "critical_current_density_mA_cm2",
        "last_sound_current_density_mA_cm2",
        "charge_passed_before_short_mAh_cm2",
        "ramp_step_time_h",
        "ramp_step_mA_cm2",
    )
    looks_up: ClassVar[tuple[str, ...]] = LOOKS_UP

    def run(self, recording: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute.

        Parameters
        ----------
        recording : pandas.DataFrame
            Columns ``time_s``, ``potential_V``, ``current_A``; where known ``step_number`` and ``step_kind``.
        subject : Subject
            Electrode area; thickness, for rule R1.
        parameters : mapping
            ``voltage_limit_V``; ``step_time_h`` (one polarity, as programmed); ``short_step`` (a person's choice of the
            failing step, in mA cm⁻²); ``electrode_area_cm2``, ``temperature_degC``, ``temperature_origin``;
            ``file_electrode_area_cm2`` is compared, never used. For rule R1 of `analysis.science.shorts` as in
            `analysis.science.symmetric.electrolyte`: ``electrolyte_resistance_ohm``,
            ``electrolyte_conductivity_S_cm``, ``known``.

        Raises
        ------
        AnalysisError
            No current in the recording, or only one.

        Notes
        -----
        The critical current density is that of the step in which it happens; the last sound step stands beside it.
        Both depend on the time per step and on the charge per half-step, which are reported too.
        """
        outcome = Outcome()
        steps = find_steps(recording)
        outcome.warnings += steps.warnings
        area, relative = electrode_area(
            subject,
            parameters,
            outcome,
            "Current densities need the electrode area. Enter the diameter of the Li discs.",
        )
        celsius = temperature(parameters, outcome)
        is_assumed = outcome.inputs["temperature_degC"]["origin"] == "assumed"
        levels = ramp_levels(steps)
        ohmic = ohmic_resistance_ohm(subject, parameters, area, celsius, outcome)
        limit = parameters.get("voltage_limit_V")
        events = find_events(steps, ohmic, float(limit) if limit else None)
        if len(levels) < 2 and not events:
            raise AnalysisError(
                "Only one current was found, a ramp needs at least two. If this is a cycling test at one current, "
                "change the kind to plating and stripping."
            )
        event = _choose(events, levels, steps, parameters, area, outcome)
        _say(events, event, levels, area, parameters, outcome, steps)
        is_open = "two_possible_steps" in dict(outcome.warnings)
        outcome.findings = [
            replace(found, is_open=is_open and found.quantity in OF_THE_STEP)
            for found in at_temperature(_findings(steps, levels, event, area, relative, parameters, outcome), outcome)
        ]
        outcome.inputs["protocol"] = {
            "value": protocol_text(steps, levels, area, f"{celsius:.4g} °C{is_assumed * ' assumed'}", parameters),
            "uncertainty": None,
            "origin": "recording",
        }
        outcome.curves = _curves(steps, levels, event, area, outcome)
        outcome.tables = {"steps": half_cycle_table(steps, area, event)}
        doubt_symmetric(steps, subject, outcome)
        return outcome


# --- The ramp ---------------------------------------------------------------------------------------------------------
def ramp_levels(steps: Steps) -> list[Level]:
    """The steps of the ramp, in time order.

    Returns
    -------
    list of Level
        A level is complete when every polarity that the ramp has was passed for the time or the charge that ends the
        other steps; its directions need not be alike.
    """
    groups: list[list[int]] = []
    currents: list[float] = []
    for half, current in enumerate(steps.magnitude_A):
        if groups and abs(float(current) / currents[-1] - 1.0) <= SAME_LEVEL:
            groups[-1].append(half)
        else:
            groups.append([half])
            currents.append(float(current))
    usual = int(np.median([len(group) for group in groups[:-1]])) if len(groups) > 1 else len(groups[0])
    times, charges = steps.duration_s, steps.capacity_mAh
    ends = [group[-1] for group in groups if len(group) >= usual]
    levels = []
    for group, current in zip(groups, currents, strict=True):
        last = group[-1]
        full_time = times[last] >= COMPLETE * float(np.median(times[ends]))
        full_charge = charges[last] >= COMPLETE * float(np.median(charges[ends]))
        is_partner = len(group) > 1 and times[last] >= COMPLETE * float(times[group[0]])
        is_long = bool(full_time or full_charge or is_partner)
        levels.append(Level(current, tuple(group), is_long and len(group) >= usual))
    return levels


def _level_of(levels: Sequence[Level], half: int) -> int:
    return next(place for place, level in enumerate(levels) if half in level.halves)


def planned_current_A(steps: Steps, levels: Sequence[Level], event: Event) -> float:
    """The current that was set in the half-step of an event; at a voltage limit less than that flows. [A]"""
    place = _level_of(levels, event.half)
    own = levels[place].current_A
    before = [level.current_A for level in levels[:place]]
    if not before or own >= (1.0 - SAME_LEVEL) * before[-1]:
        return own
    usual = int(np.median([len(level.halves) for level in levels[: place - 1]])) if place > 1 else 2
    if len(levels[place - 1].halves) < usual:
        return before[-1]
    return before[-1] + (float(np.median(np.diff(before))) if len(before) > 1 else 0.0)


def _choose(
    events: list[Event], levels: list[Level], steps: Steps, parameters: Parameters, area: float | None, outcome: Outcome
) -> Event | None:
    """The event that counts: a person's, else the first."""
    chosen = parameters.get("short_step")
    if not chosen:
        return events[0] if events else None
    if area is None:
        raise AnalysisError("The chosen step cannot be found without the electrode area. Enter it first.")
    wanted = float(chosen) * area * 1.0e-3
    place = int(np.argmin([abs(level.current_A - wanted) for level in levels]))
    if abs(levels[place].current_A / wanted - 1.0) > 0.1:
        known = ", ".join(f"{_density(level.current_A, area):g}" for level in levels)
        raise AnalysisError(f"The ramp has no step of {float(chosen):g} mA cm⁻². Its steps are {known}.")
    outcome.inputs["short_step"] = {"value": float(chosen), "uncertainty": None, "origin": "person"}
    inside = [event for event in events if event.half in levels[place].halves]
    if inside:
        return inside[0]
    half = levels[place].halves[0]
    row = int(steps.first[half])
    return Event(half, SOFT, "chosen", float(steps.time_s[row]), row)


def _density(current_A: float, area_cm2: float) -> float:
    return float(f"{current_A * 1.0e3 / area_cm2:.3g}")


# --- Words ------------------------------------------------------------------------------------------------------------
def _say(
    events: list[Event], event: Event | None, levels: list[Level], area: float | None, parameters: Parameters,
    outcome: Outcome, steps: Steps,
) -> None:  # fmt: skip
    """What a person should look at."""
    if event is None:
        outcome.warn("no_short", "No short in the ramp. This is a lower limit.")
    other = _other_step(events, levels, steps)
    if other is not None and not parameters.get("short_step"):
        first, second = (_named(e, steps, levels, area) for e in (events[0], other))
        outcome.warn("two_possible_steps", f"Two possible steps: {first} and {second}. Choose, and say why.")
    usual = float(np.median([level.current_A for level in levels]))
    doubt_current_density(1.0e3 * usual, area, parameters, outcome)
    stated = stated_area(parameters, area)
    if stated and area:
        current = levels[0].current_A * 1.0e3
        outcome.warn(
            "electrode_area_differs",
            f"File steps are {number(current)} mA: {current / area:.3g} mA cm⁻² with {area:.3g} cm². "
            f"The file header says {stated:.3g} cm². Which is right?",
        )
    warn_of_spikes(steps, outcome)


def _other_step(events: Sequence[Event], levels: Sequence[Level], steps: Steps) -> Event | None:
    """The first event of a later step that is not the first one going on.

    A soft short that stays makes every later half-step a soft one too: that is one event, until the cell has recovered,
    fails otherwise, or loses a further quarter of what the short had left.
    """
    if not events:
        return None
    first, after = events[0], _left_ohm(events[0], steps)
    for place, event in enumerate(events[1:], 1):
        goes_on = event.half - events[place - 1].half <= 1
        is_same = goes_on and event.kind != POLARISATION and _left_ohm(event, steps) >= FURTHER_FALL * after
        if not is_same and _level_of(levels, event.half) != _level_of(levels, first.half):
            return event
    return None


def _left_ohm(event: Event, steps: Steps) -> float:
    """Resistance that an event leaves: of the rest of its half-step, or of the next where it has no rest. [Ω]"""
    half, row = event.half, event.row + 1
    if steps.last[half] - row < FEWEST_ROWS:
        return float(steps.resistance_ohm[min(half + 1, steps.count - 1)])
    return float(np.median(steps.voltage_V[row : steps.last[half]]) / steps.magnitude_A[half])


def _named(event: Event, steps: Steps, levels: list[Level], area: float | None) -> str:
    """'0.45 (soft short)'."""
    current = planned_current_A(steps, levels, event)
    text = f"{_density(current, area):.2f}" if area else f"{number(current * 1e3)} mA"
    return f"{text} ({WORDS[event.kind]})"


def protocol_text(
    steps: Steps, levels: Sequence[Level], area: float | None, temperature_text: str, parameters: Parameters
) -> str:
    """'0.05–0.60 mA cm⁻², step 0.05, 1 h, 25 °C, 0.785 cm²'."""
    unit, scale = ("mA cm⁻²", 1.0e3 / area) if area else ("mA", 1.0e3)
    currents = np.maximum.accumulate([level.current_A for level in levels]) * scale
    increment, is_even = _increment(levels)
    low, high = (step_density(float(value)) for value in (currents[0], currents[-1]))
    parts = [f"{low}–{high} {unit}", f"step {increment * scale:.2g}" if is_even else "steps not even"]
    hours, control = step_time(steps, levels, parameters)
    if control == "charge":
        charge = float(np.median(steps.capacity_mAh)) / (area or 1.0)
        parts.append(f"{charge:.3g} {'mAh cm⁻²' if area else 'mAh'} per half-step")
    else:
        parts.append(f"{hours:.3g} h" if hours >= 0.5 else f"{60.0 * hours:.3g} min")
    if parameters.get("voltage_limit_V"):
        parts.append(f"limit {float(parameters['voltage_limit_V']):g} V")
    parts.append(temperature_text)
    return ", ".join(parts + ([f"{area:.3g} cm²"] if area else []))


def _increment(levels: Sequence[Level]) -> tuple[float, bool]:
    """Median increase of the current from step to step, and whether all are like it. [A]"""
    rises = np.diff([level.current_A for level in levels])
    rises = rises[rises > 0.0]
    if rises.size == 0:
        return 0.0, False
    middle = float(np.median(rises))
    return middle, bool(np.abs(rises / middle - 1.0).max() <= 2.0 * EVEN)


def step_time(
    steps: Steps, levels: Sequence[Level], parameters: Parameters, half: int | None = None
) -> tuple[float, str]:
    """Time of one polarity [h], and what ended a half-step: 'time', 'charge' or 'other'.

    Where every half-step passed the same charge, the time differs from step to step: then it is that of `half`.
    """
    if parameters.get("step_time_h"):
        return float(parameters["step_time_h"]), "time"
    complete = [h for level in levels for h in level.halves if level.is_complete] or list(range(steps.count))
    times, charges = steps.duration_s[complete] / 3600.0, steps.capacity_mAh[complete]

    def spread(values: Real) -> float:
        middle = float(np.median(values))
        return float(np.median(np.abs(values / middle - 1.0))) if middle > 0.0 else math.inf

    if spread(times) <= EVEN or len(complete) < 3:
        return float(np.median(times)), "time"
    if spread(charges) <= EVEN:
        at = steps.count - 1 if half is None else half
        return float(np.median(charges) / (steps.magnitude_A[at] * 1.0e3)), "charge"
    return float(np.median(times)), "other"


# --- Numbers ----------------------------------------------------------------------------------------------------------
def _findings(
    steps: Steps, levels: list[Level], event: Event | None, area: float | None, relative: float | None,
    parameters: Parameters, outcome: Outcome,
) -> list[Finding]:  # fmt: skip
    """One row per quantity."""
    scale = 1.0e3 / area if area else math.nan
    half = event.half if event else None
    hours, control = step_time(steps, levels, parameters, half)
    if parameters.get("step_time_h"):
        outcome.inputs["step_time_h"] = {"value": hours, "uncertainty": None, "origin": "person"}
        warn_of_difference("Time per step", hours, step_time(steps, levels, {}, half)[0], "h", outcome)
    if control == "charge":
        outcome.warn(
            "charge_controlled",
            "Every half-step passed the same charge, so that its time falls with the current. The time given is that "
            "of the step that counts.",
        )
    elif control == "other":
        outcome.warn(
            "uneven_step_times", "The half-steps differ in time and in charge; their median time is given. Check them."
        )
    increment, is_even = _increment(levels)
    if not is_even:
        outcome.warn("uneven_steps", "The current does not rise in even steps; the median step is given.")
    passed = steps.charge_until_mAh(event.row if event else steps.time_s.size)
    failing, sound, kind = _steps_that_count(steps, levels, event, outcome)
    limit, label = ("=", kind) if event else (">=", "none")

    def row(quantity: str, value: float | None, limits: tuple[float, float]) -> Finding:
        spread = None if value is None or relative is None else value * relative
        return finding(quantity, value, spread, limits)

    critical = row("critical_current_density_mA_cm2", failing * scale, DENSITY_RANGE_MA_CM2)
    charge = row("charge_passed_before_short_mAh_cm2", passed * scale / 1.0e3, CHARGE_RANGE_MAH_CM2)
    findings = [
        replace(critical, limit=limit, label=label),
        row("last_sound_current_density_mA_cm2", None if sound is None else sound * scale, DENSITY_RANGE_MA_CM2),
        replace(charge, limit="=" if event else ">="),
        finding("ramp_step_time_h", hours, None, TIME_RANGE_H),
        row("ramp_step_mA_cm2", increment * scale if increment else None, DENSITY_RANGE_MA_CM2),
    ]
    return [f if f.value is not None else replace(f, limit="=") for f in findings]


def _steps_that_count(
    steps: Steps, levels: list[Level], event: Event | None, outcome: Outcome
) -> tuple[float, float | None, str]:
    """Current of the failing step and of the last sound one [A], and what happened."""
    if event is None:
        complete = [level.current_A for level in levels if level.is_complete]
        if not levels[-1].is_complete:
            outcome.warn(
                "last_step_incomplete",
                "The recording ends within its last step, which therefore does not count. Upload the rest of it.",
            )
        top = max(complete) if complete else levels[0].current_A
        return top, top if complete else None, "none"
    place = _level_of(levels, event.half)
    failing = planned_current_A(steps, levels, event)
    sound = [level.current_A for level in levels[:place] if level.current_A < (1.0 - SAME_LEVEL) * failing]
    if not sound:
        outcome.warn("no_sound_step", "The cell fails in the first step: no sound current density exists in this ramp.")
    return failing, max(sound) if sound else None, event.kind


def _curves(
    steps: Steps, levels: list[Level], event: Event | None, area: float | None, outcome: Outcome
) -> dict[str, Any]:
    """Series for the staircase and what is marked on it."""
    curves = series_curves(steps, area)
    marks: dict[str, Any] = {"protocol": outcome.inputs["protocol"]["value"], "kind": event.kind if event else "none"}
    scale = 1.0e3 / area if area else None
    before = levels
    if event is not None:
        place = _level_of(levels, event.half)
        halves = levels[place].halves
        before = levels[:place]
        marks["event_h"] = steps.hours(event.time_s)
        marks["failing"] = {
            "from_h": steps.hours(steps.start_s[halves[0]]),
            "to_h": steps.hours(steps.end_s[halves[-1]]),
            "density_mA_cm2": planned_current_A(steps, levels, event) * scale if scale else None,
        }
        if event.kind == HARD:
            marks["rule"] = event.rule
    sound = next((level for level in reversed(before) if level.is_complete), None)
    if sound is not None:
        marks["sound"] = {
            "from_h": steps.hours(steps.start_s[sound.halves[0]]),
            "to_h": steps.hours(steps.end_s[sound.halves[-1]]),
            "density_mA_cm2": sound.current_A * scale if scale else None,
        }
    return curves | {"marks": marks}
