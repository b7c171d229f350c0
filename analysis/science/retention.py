"""Cycling of full cells: capacity, retention, Coulombic and energy efficiency, hysteresis, voltage curves, dQ/dV."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.active_mass import ActiveMass, active_mass, warn_above_theory
from analysis.science.base import Analysis, Finding, Outcome, Parameters, Subject
from analysis.science.current_unit import doubt_c_rate
from analysis.science.cycles import Cycles, cycles_of
from analysis.science.differential import METHOD, differential
from analysis.science.quantities import get as quantity
from analysis.science.reference_cycle import RATE_TOLERANCE, Reference, reference_of
from analysis.science.wording import number as written
from analysis.science.wrong_cell import doubt_full
from analysis.thinning import envelope_rows
from measurements.readers.columns import TEMPERATURE

SHOWN_CYCLES = (1, 5, 20, 50, 100)
RETENTION_CYCLES = (50, 100)
CURVE_POINTS = 8000  # per half-cycle; longer curves are stored as their envelope
# A mean efficiency that scatters less says only how the counters were rounded: no tester keeps a current so well.
RESOLVED_EFFICIENCY = 1.0e-6
FADE_CYCLES = 500  # as many cycles, spread evenly, tell the fade


class Cycling(Analysis):
    """Every cycle of a galvanostatic test, and how the later ones compare with the reference."""

    slug: ClassVar[str] = "retention"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "Cycling and capacity retention"
    kinds: ClassVar[tuple[str, ...]] = ("cycling",)
    subjects: ClassVar[tuple[str, ...]] = ("full",)
    yields: ClassVar[tuple[str, ...]] = (
        "discharge_specific_capacity_mAh_g",
        "charge_specific_capacity_mAh_g",
        "discharge_capacity_mAh",
        "capacity_retention_fraction",
        "coulombic_efficiency_fraction",
        "energy_efficiency_fraction",
        "voltage_hysteresis_mV",
    )

    def run(self, recording: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute.

        Parameters
        ----------
        recording : pandas.DataFrame
            Canonical columns of a time series: ``time_s``, ``potential_V``, ``current_A`` (positive on charge), and
            the tester's counters where it has them.
        subject : Subject
            Active mass, theoretical capacity, electrode area.
        parameters : mapping
            ``reference_cycle``, ``formation_cycles``, ``active_mass_mg``; ``file_active_mass_mg`` is compared, never
            used.

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
        reference = reference_of(cycles.complete, parameters)
        outcome.warnings += reference.warnings
        _state(outcome, reference, cycles)
        conditions = Conditions.of(recording, subject, parameters, mass, reference)
        conditions.warn_of_temperature(outcome)
        doubt_full(cycles, subject, outcome)
        doubt_c_rate(*cycles.usual_current_and_charge, mass, conditions.area_cm2, parameters, outcome)
        outcome.findings = _findings(cycles, reference, conditions, outcome)
        warn_above_theory(outcome.findings, mass, outcome)
        outcome.tables = {
            "cycles": cycle_rows(cycles, mass, reference),
            "summary": _summary(cycles.complete, reference),
        }
        outcome.curves = curves_of(cycles, mass, reference)
        return outcome


@dataclass(frozen=True)
class Conditions:
    """Under which conditions a finding of a full cell holds."""

    temperature_degC: float | None
    area_cm2: float | None
    mass: ActiveMass
    reference_cycle: int | None = None

    @classmethod
    def of(
        cls,
        recording: pd.DataFrame,
        subject: Subject,
        parameters: Parameters,
        mass: ActiveMass,
        reference: Reference | None = None,
    ) -> Conditions:
        """Temperature as known, else the mean of the recording's own; area of the cell's electrode."""
        known = parameters.get("temperature_degC") if parameters.get("temperature_origin") != "assumed" else None
        if known is None and TEMPERATURE in recording.columns:
            mean = float(np.nanmean(recording[TEMPERATURE])) if recording[TEMPERATURE].notna().any() else math.nan
            known = mean if math.isfinite(mean) else None
        area = parameters.get("electrode_area_cm2") or subject.electrode_area_cm2
        cycle = reference.cycle_number if reference else None
        return cls(None if known is None else float(known), float(area) if area else None, mass, cycle)

    def warn_of_temperature(self, outcome: Outcome) -> None:
        """Say that numbers carry no temperature where none is known: none is assumed for a full cell."""
        if self.temperature_degC is None:
            outcome.warn("temperature_missing", "No temperature in file or name: these numbers carry none.")

    def finding(
        self, name: str, value: float | None, row: pd.Series | None, *, uncertainty: float | None = None, **more: Any
    ) -> Finding:
        """A finding of one cycle; `row` of the cycles table gives its number and current, None where there is none."""
        if value is None or not math.isfinite(value):
            return Finding(name, None, flag="missing", temperature_degC=self.temperature_degC, **more)
        current = None if row is None else float(row["discharge_current_mA"])
        if row is not None:
            more.setdefault("cycle_number", int(row["cycle_number"]))
        more.setdefault("c_rate", self.mass.c_rate(current))
        is_held = not name.endswith("_mAh_g") or self.mass.holds(value)
        return Finding(
            name,
            float(value),
            uncertainty if uncertainty and uncertainty > 1e-12 * abs(value) else None,  # less is rounding of floats
            flag="ok" if quantity(name).is_physical(value) and is_held else "out_of_range",
            temperature_degC=self.temperature_degC,
            current_density_mA_cm2=current / self.area_cm2 if current is not None and self.area_cm2 else None,
            **more,
        )


def _state(outcome: Outcome, reference: Reference, cycles: Cycles) -> None:
    """Say which cycle is the reference, how many are formation, and why capacities carry no uncertainty."""
    outcome.inputs["reference_cycle"] = {
        "value": reference.cycle_number,
        "uncertainty": None,
        "origin": reference.origin,
    }
    outcome.inputs["formation_cycles"] = {
        "value": reference.formation,
        "uncertainty": None,
        "origin": reference.origin if reference.origin != "person" else "told from the rate, or stated",
    }
    ratio = "resolution of the tester’s counter" if cycles.source == "counter" else "interval between rows"
    outcome.inputs["uncertainty"] = {
        "value": f"of ratios only, from the {ratio}",
        "uncertainty": None,
        "origin": "accuracy of the tester and uncertainty of the mass are not known; in ratios both cancel",
    }


# --- Numbers ----------------------------------------------------------------------------------------------------------
def _findings(cycles: Cycles, reference: Reference, at: Conditions, outcome: Outcome) -> list[Finding]:
    """All rows, quantity by quantity."""
    complete = cycles.complete
    by_number = {int(row["cycle_number"]): row for _, row in complete.iterrows()}
    last = max(by_number, default=0)
    if not by_number:
        outcome.warn("no_complete_cycle", "No cycle is complete yet. Numbers come with the first.")
    picked = {
        "first": by_number.get(1),
        "reference": by_number.get(at.reference_cycle or 0),
        "last": by_number.get(last),
    }
    found = []
    for name, column in (
        ("discharge_specific_capacity_mAh_g", "discharge_capacity_mAh"),
        ("charge_specific_capacity_mAh_g", "charge_capacity_mAh"),
        ("discharge_capacity_mAh", "discharge_capacity_mAh"),
    ):
        for position, (label, row) in enumerate(picked.items()):
            capacity = None if row is None else float(row[column])
            value = capacity if name == "discharge_capacity_mAh" else at.mass.specific(capacity)
            found.append(at.finding(name, value, row, label=label, position=position))
    found += _retention(cycles, by_number, last, at, outcome)
    found += _efficiency(cycles, complete, by_number, at)
    row = by_number.get(at.reference_cycle or 0)
    for name in ("energy_efficiency_fraction", "voltage_hysteresis_mV"):
        found.append(at.finding(name, None if row is None else float(row[name]), row, label="reference"))
    return found


def _relative(cycles: Cycles, row: pd.Series, *columns: str) -> float:
    """Relative standard uncertainty of a ratio from the resolution of its capacities."""
    parts = []
    for column in columns:
        half = int(row[column])
        parts.append(float(cycles.resolution_mAh[half] / cycles.used_mAh[half]) if cycles.used_mAh[half] > 0 else 0.0)
    return math.hypot(*parts)


def _retention(
    cycles: Cycles, by_number: dict[int, pd.Series], last: int, at: Conditions, outcome: Outcome
) -> list[Finding]:
    """Q(n)/Q(reference) for 50, 100 and the last complete cycle; a row for 50 or 100 only where it was reached."""
    name, start = "capacity_retention_fraction", at.reference_cycle
    if start is None or last <= start:
        if start is not None:
            outcome.warn("single_cycle", f"No complete cycle follows cycle {start}, the reference: no retention yet.")
        return [at.finding(name, None, None, label="last", reference_cycle=start)]
    found = []
    reference = by_number[start]
    _warn_of_rates(reference, by_number[last], outcome)
    wanted = [(str(n), n) for n in RETENTION_CYCLES if start < n <= last] + [("last", last)]
    for position, (label, number) in enumerate(wanted):
        row = by_number[number]
        base = float(reference["discharge_capacity_mAh"])
        value = float(row["discharge_capacity_mAh"]) / base if base > 0.0 else None
        relative = math.hypot(_relative(cycles, reference, "discharge_half"), _relative(cycles, row, "discharge_half"))
        more: dict[str, Any] = {"label": label, "position": position, "reference_cycle": start}
        found.append(at.finding(name, value, row, uncertainty=value and value * relative, **more))
    return found


def _warn_of_rates(reference: pd.Series, last: pd.Series, outcome: Outcome) -> None:
    """Say where the last complete cycle ran at another current than the reference, as a check or a rate does."""
    for direction in ("discharge", "charge"):
        here, there = (float(row[f"{direction}_current_mA"]) for row in (last, reference))
        if there > 0.0 and abs(here / there - 1.0) > RATE_TOLERANCE:
            outcome.warn(
                "retention_other_rate",
                f"The {direction} of cycle {int(last['cycle_number'])} ran at {written(here)} mA, that of cycle "
                f"{int(reference['cycle_number'])}, the reference, at {written(there)} mA: the last retention compares "
                "two rates.",
            )
            return


def _efficiency(
    cycles: Cycles, complete: pd.DataFrame, by_number: dict[int, pd.Series], at: Conditions
) -> list[Finding]:
    """Coulombic efficiency of the first cycle, and mean and lowest from the reference on."""
    name, first = "coulombic_efficiency_fraction", by_number.get(1)

    def of(row: pd.Series | None, label: str, position: int, **more: Any) -> Finding:
        value = None if row is None else float(row[name])
        relative = 0.0 if row is None else _relative(cycles, row, "charge_half", "discharge_half")
        return at.finding(
            name, value, row, uncertainty=value and value * relative, label=label, position=position, **more
        )

    start = at.reference_cycle
    counted = complete[complete["cycle_number"] >= start] if start else complete.iloc[:0]
    values = counted[name].dropna()
    if not values.size:
        missing = [at.finding(name, None, None, label=label, position=n) for n, label in ((1, "mean"), (2, "min"))]
        return [of(first, "first", 0), *missing]
    scatter = float(values.std(ddof=1) / math.sqrt(values.size)) if values.size > 2 else None
    if scatter is not None and scatter < RESOLVED_EFFICIENCY:
        scatter = None
    last = int(counted["cycle_number"].iloc[-1])
    more: dict[str, Any] = {"label": "mean", "position": 1, "cycle_number": last, "reference_cycle": start}
    mean = at.finding(name, float(values.mean()), counted.iloc[-1], uncertainty=scatter, **more)
    return [
        of(first, "first", 0),
        mean,
        of(counted.iloc[int(np.nanargmin(counted[name]))], "min", 2, reference_cycle=start),
    ]


# --- Tables -----------------------------------------------------------------------------------------------------------
def cycle_rows(cycles: Cycles, mass: ActiveMass, reference: Reference | None) -> list[dict[str, Any]]:
    """One row per cycle, unfinished ones too, as plain values; gaps as None."""
    table = cycles.table.drop(columns=["charge_half", "discharge_half"])
    if mass.mass_mg is not None:
        for direction in ("discharge", "charge"):
            specific = table[f"{direction}_capacity_mAh"] * 1000.0 / mass.mass_mg
            table.insert(3, f"{direction}_specific_capacity_mAh_g", specific)
    if mass.one_c_mA is not None:
        for direction in ("charge", "discharge"):
            table[f"{direction}_c_rate"] = table[f"{direction}_current_mA"] / mass.one_c_mA
    if reference is not None:
        base = table.loc[table["cycle_number"] == (reference.cycle_number or -1), "discharge_capacity_mAh"]
        if len(base):
            retention = table["discharge_capacity_mAh"] / float(base.iloc[0])
            is_after = table["is_complete"] & (table["cycle_number"] >= reference.cycle_number)
            table["capacity_retention_fraction"] = retention.where(is_after)
        table["is_formation"] = table["cycle_number"] <= reference.formation
    plain = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def _summary(complete: pd.DataFrame, reference: Reference) -> list[dict[str, Any]]:
    """Capacity lost per cycle: median slope of ln Q over the cycles from the reference on (Theil-Sen, log-linear)."""
    start = reference.cycle_number
    counted = complete[complete["cycle_number"] >= start] if start else complete.iloc[:0]
    counted = counted[counted["discharge_capacity_mAh"] > 0.0]
    if len(counted) < 5:
        return []
    counted = counted.iloc[:: max(math.ceil(len(counted) / FADE_CYCLES), 1)]
    from scipy.stats import (
        theilslopes,  # takes half a second to load, and pages that draw what was computed never need it
    )

    fit = theilslopes(np.log(counted["discharge_capacity_mAh"]), counted["cycle_number"], 0.68)
    return [
        {
            "parameter": "fade per cycle",
            "symbol": "−dlnQ/dn",
            "value": -100.0 * float(fit[0]),
            "uncertainty": 50.0 * float(fit[3] - fit[2]),
            "unit": "%",
        }
    ]


# --- Curves -----------------------------------------------------------------------------------------------------------
def curves_of(cycles: Cycles, mass: ActiveMass, reference: Reference) -> dict[str, Any]:
    """Series for the plots in mAh, plain lists without NaN; figures divide by the mass where it is known."""
    table = cycles.complete
    names = ("charge_capacity_mAh", "discharge_capacity_mAh", "coulombic_efficiency_fraction")
    series = {name: [None if v != v else float(v) for v in table[name]] for name in names}
    shown = shown_cycles(table, SHOWN_CYCLES)
    return {
        "cycles": {
            "cycle_number": [int(v) for v in table["cycle_number"]],
            **series,
            "is_formation": [bool(v <= reference.formation) for v in table["cycle_number"]],
        },
        "marks": {"reference_cycle": reference.cycle_number, "active_mass_mg": mass.mass_mg},
        "voltage": half_curves(cycles, shown),
        "differential": half_slopes(cycles, shown),
        "differential_method": METHOD,
    }


def shown_cycles(complete: pd.DataFrame, wanted: tuple[int, ...]) -> list[int]:
    """Of the cycles that curves are drawn of by default those that are complete, and the last while it is not 100."""
    have = [int(number) for number in complete["cycle_number"]]
    chosen = [number for number in wanted if number in have]
    return chosen if not have or have[-1] in chosen or have[-1] > wanted[-1] else [*chosen, have[-1]]


def half_curves(cycles: Cycles, numbers: list[int]) -> list[dict[str, Any]]:
    """Potential against charge of both halves of the cycles asked for."""
    found = []
    for about, potential, passed in _halves(cycles, numbers):
        rows = envelope_rows(passed, potential, limit=CURVE_POINTS, columns=CURVE_POINTS // 4)
        drawn = {"capacity_mAh": _drawn(passed[rows]), "potential_V": _drawn(potential[rows])}
        found.append({**about, **drawn, "point_count": int(passed.size)})
    return found


def half_slopes(cycles: Cycles, numbers: list[int]) -> list[dict[str, Any]]:
    """dQ/dV against potential of both halves of the cycles asked for; none of a half that is too short for it."""
    found = []
    for about, potential, passed in _halves(cycles, numbers):
        slope = differential(potential, passed)
        if slope.potential_V.size:
            capacity = _drawn(slope.capacity_per_potential_mAh_V)
            drawn = {"potential_V": _drawn(slope.potential_V), "differential_capacity_mAh_V": capacity}
            found.append({**about, **drawn})
    return found


def _halves(cycles: Cycles, numbers: list[int]) -> Iterator[tuple[dict[str, Any], NDArray[Any], NDArray[Any]]]:
    """What each half is, its potentials [V] and the charge passed until each of them [mAh]."""
    for number in numbers:
        for direction in ("charge", "discharge"):
            half = int(cycles.table[f"{direction}_half"].iloc[number - 1])
            yield {"cycle_number": number, "direction": direction}, *cycles.half_curve(half)


def _drawn(values: NDArray[np.float64]) -> list[float]:
    """To ten digits of the largest: more than any tester measures, and read from the database in half the time."""
    largest = float(np.max(np.abs(values), initial=0.0))
    digits = 10 - math.ceil(math.log10(largest)) if largest > 0.0 else 0
    return list(map(float, np.round(values, digits)))
