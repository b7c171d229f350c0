"""Cycles of a galvanostatic test: half-cycles from segments, capacity, energy, efficiency, and which cycle counts.

A cycle is a charge and the discharge after it; where a test begins with a whole discharge, a discharge and the charge
after it. Cycles count from 1, formation included, whatever number the tester gives them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.active_mass import MOST_OF_THEORY
from analysis.science.base import AnalysisError
from analysis.science.counters import Counter, capacity_counter, energy_counter
from analysis.science.half_cycles import Halves, half_cycles
from analysis.science.segments import Real, Segments, Series, Signs, duplicate_stamps, split, usable_series
from analysis.science.wording import number
from measurements.readers.columns import CYCLE

COUNTER_TOLERANCE = 0.005
ROUNDING_AT_MOST = 0.2  # one real file loses 13 % of its charge to the digits of the current; more has another cause
# Counter over integral where the unit of one is wrong: prefixes, coulombs, and minutes or hours for seconds.
UNIT_FACTORS = (3.6, 60.0, 1.0e3, 3.6e3, 1.0e6, 3.6e6)
NEAR_COULOMBS = 0.05  # rows that are missing make factors of a few too
FILLS = (0.02, MOST_OF_THEORY)  # a capacity of the largest half that fits the material, over its theoretical one
GAP_SHARE, GAP_FACTOR = 0.01, 10.0  # of a usual half; times the intervals on both sides and those of the segment
TURNS_BY_V = 0.3  # a potential that moves less does not tell charge from discharge
WHOLE_HALF = 0.8  # share of the next discharge from which a leading discharge is a half of its own
CE_SAME_CYCLE = "discharge over charge of the same cycle"
CE_DISCHARGE_FIRST = "discharge over the charge after it, of the same cycle (the test begins with a discharge)"


@dataclass(frozen=True)
class Cycles:
    """Everything that analyses of full cells begin with.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per cycle: ``cycle_number``, ``charge_capacity_mAh``, ``discharge_capacity_mAh``, their energies [mWh],
        mean voltages [V] and currents [mA], ``coulombic_efficiency_fraction``, ``energy_efficiency_fraction``,
        ``voltage_hysteresis_mV``, ``half_capacity_hysteresis_mV``, ``is_complete``, ``begin_s``, ``end_s``,
        ``charge_half`` and ``discharge_half`` (rows of `halves`, -1 without).
    source : str
        'counter' or 'integral': where the capacities come from.
    warnings : list of (code, sentence)
    inputs : dict
        For `Outcome.inputs`.
    used_mAh, resolution_mAh : array, shape (n_halves,)
        Capacity of each half, and its standard uncertainty from the resolution of counter or sampling alone. [mAh]
    counter : Counter or None
        The tester's, where the file has one.
    """

    table: pd.DataFrame
    series: Series
    segments: Segments
    halves: Halves
    source: str
    warnings: list[tuple[str, str]]
    inputs: dict[str, Any]
    used_mAh: Real
    resolution_mAh: Real
    counter: Counter | None

    def half_curve(self, half: int) -> tuple[Real, Real]:
        """Potential [V] of each row of a half-cycle, and the charge that has passed until then [mAh]; rests left out.

        The last charge is exactly the capacity of the half, also where that is the tester's own count.
        """
        rows = slice(int(self.halves.first[half]), int(self.halves.last[half]) + 1)
        is_flowing = self.segments.sign_of_row[rows] == self.halves.sign[half]
        added = self.segments.charge_of_row_mAh[rows]
        if self.series.clock == "broken" and self.counter is not None:
            added = (self.counter.charge if self.halves.sign[half] > 0 else self.counter.discharge)[rows]
        passed = np.cumsum(added[is_flowing])
        scale = self.used_mAh[half] / passed[-1] if passed[-1] > 0.0 else 1.0
        return self.series.potential_V[rows][is_flowing], passed * scale

    @property
    def usual_current_and_charge(self) -> tuple[float, float]:
        """Median current [mA] and largest charge [mAh] of the half-cycles, the charge by integration."""
        return float(np.median(self.halves.current_mA)), float(np.max(self.halves.charge_mAh))

    @property
    def complete(self) -> pd.DataFrame:
        """The complete cycles."""
        return self.table[self.table["is_complete"]]


def cycles_of(recording: pd.DataFrame, holds_mAh: float | None = None, *, is_for_drawing: bool = False) -> Cycles:
    """Split a recording into cycles.

    Parameters
    ----------
    recording : pandas.DataFrame
        Canonical columns of a time series, current positive on charge.
    holds_mAh : float, optional
        What the active material of the cell can hold in theory. It decides between the tester's counter and the
        integral where a wrong unit makes them differ.
    is_for_drawing : bool
        Only the halves and their capacities are wanted: the tester's energies and the doubts about the cycles as a
        whole are left out.

    Raises
    ------
    AnalysisError
        If a column is missing, the current never flows, or the clock ran backwards and there is no counter.
    """
    series = usable_series(recording)
    segments = split(series)
    counter = capacity_counter(series, segments)
    if series.clock == "broken" and counter is None:
        raise AnalysisError(series.warnings[-1][1])
    energies = None if is_for_drawing else energy_counter(series, segments)
    halves = half_cycles(series, segments, counter, energies)
    warnings = list(series.warnings)
    if not is_for_drawing and (duplicates := duplicate_stamps(series, segments)):
        rows = "1 row carries" if duplicates == 1 else f"{duplicates} rows carry"
        warnings.append(("duplicate_time", f"{rows} the time of the row before. Such rows add no charge."))
    source, sentence = _source(halves, counter, series.clock, holds_mAh)
    warnings += sentence
    is_counted = source == "counter"
    used = halves.counted_mAh if is_counted else halves.charge_mAh
    resolution = (
        np.full(halves.count, (counter.resolution or 0.0) / np.sqrt(6.0))  # two readings, each rounded
        if is_counted and counter is not None
        else halves.uncertain_mAh
    )
    table, ce_definition = _table(series, halves, used, series.clock == "broken", warnings)
    if not is_for_drawing:
        _look_at(series, halves, table, warnings)
        if not is_counted:
            _look_for_gaps(series, segments, halves, warnings)
        _look_for_sign(series, segments, halves, warnings)
    inputs: dict[str, Any] = {
        "capacity_source": {
            "value": "the tester’s own counter" if is_counted else "integral of the current",
            "uncertainty": None,
            "origin": ", ".join(counter.columns) if is_counted and counter else "current and time",
        },
        "ce_definition": {"value": ce_definition, "uncertainty": None, "origin": "order of the first halves"},
    }
    return Cycles(table, series, segments, halves, source, warnings, inputs, used, np.asarray(resolution), counter)


# --- Which number counts ----------------------------------------------------------------------------------------------
def _source(
    halves: Halves, counter: Counter | None, clock: str, holds_mAh: float | None
) -> tuple[str, list[tuple[str, str]]]:
    """Counter or integral, and where they differ."""
    if counter is None:
        return "integral", []
    if clock != "broken" and (factor := _unit_factor(halves)):
        return _by_what_it_holds(halves, factor, holds_mAh)
    total = float(np.nansum(halves.counted_mAh))
    if clock != "broken" and total < 0.01 * float(halves.charge_mAh.sum()):
        return "integral", [
            (
                "counter_not_used",
                "The tester’s capacity column hardly counts while current flows. The integral of the current was used.",
            )
        ]
    said = []
    if counter.carried_over > 0.01 * float(np.nanmax(halves.counted_mAh)):
        said.append(
            (
                "begins_inside_half",
                f"The recording begins inside a half-cycle: the tester’s counter already stood at "
                f"{number(counter.carried_over)} mAh, which is included.",
            )
        )
    if clock == "broken":
        return "counter", [
            *said,
            ("counter_only", "Capacities are the tester’s own; energies and mean voltages cannot be given."),
        ]
    is_large = halves.counted_mAh > max(0.1 * np.nanmedian(halves.counted_mAh), 0.02 * np.nanmax(halves.counted_mAh))
    if counter.carried_over > 0.0:
        is_large[0] = False
    difference = np.abs(halves.charge_mAh[is_large] / halves.counted_mAh[is_large] - 1.0)
    if difference.size and difference.max() > COUNTER_TOLERANCE:
        worst = np.flatnonzero(is_large)[int(difference.argmax())]
        is_rounding = difference.max() <= ROUNDING_AT_MOST
        said.append(
            (
                "counter_differs",
                f"The tester’s counter says {number(halves.counted_mAh[worst], 4)} mAh where the integral of the "
                f"current gives {number(halves.charge_mAh[worst], 4)} mAh "
                f"({100 * difference.max():.2g} %, the largest of {difference.size} halves). The counter was used"
                + (
                    ": testers count faster than they print."
                    if is_rounding
                    else ". That is more than printed digits explain: check whether rows are missing, and the units."
                ),
            )
        )
    return "counter", said


def _unit_factor(halves: Halves) -> float | None:
    """Counter over integral, where it is the same in the halves and one that only a wrong unit makes."""
    is_large = halves.charge_mAh > 0.1 * np.max(halves.charge_mAh, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = halves.counted_mAh[is_large] / halves.charge_mAh[is_large]
    ratio = float(np.median(ratios)) if ratios.size else math.nan
    if not (math.isfinite(ratio) and ratio > 0.0):
        return None
    for factor in (*UNIT_FACTORS, *(1.0 / known for known in UNIT_FACTORS)):
        tolerance = ROUNDING_AT_MOST if max(factor, 1.0 / factor) > 10.0 else NEAR_COULOMBS
        if float(np.median(np.abs(ratios / factor - 1.0))) < tolerance:
            return factor
    return None


def _by_what_it_holds(halves: Halves, factor: float, holds_mAh: float | None) -> tuple[str, list[tuple[str, str]]]:
    """Of counter and integral, where a unit is wrong, the one that fits the active material; else the counter."""
    counted, integral = float(np.nanmax(halves.counted_mAh)), float(halves.charge_mAh.max())
    size = max(factor, 1.0 / factor)
    times = f"{size:.4g}" if size < 1.0e4 else number(size, 2)
    words = (
        f"The tester’s counter says {number(counted, 4)} mAh where the integral of the current gives "
        f"{number(integral, 4)} mAh: {times} times apart, so that a unit in the file is wrong. "
    )
    fits = [FILLS[0] <= value / holds_mAh <= FILLS[1] for value in (counted, integral)] if holds_mAh else [False, False]
    if holds_mAh and fits[0] != fits[1]:
        what, other = (
            ("counter", "units of current and time") if fits[0] else ("integral", "unit of the capacity column")
        )
        words += f"The {what} fits the active material ({number(holds_mAh)} mAh) and was used. Check the {other}."
    else:
        what = "counter"
        why = (
            f"The active material ({number(holds_mAh)} mAh) does not tell which"
            if holds_mAh
            else "Without active mass and theoretical capacity it cannot be told which"
        )
        words += f"{why}; the counter was used. Check the units of capacity, current and time."
    return what, [("counter_unit_doubt", words)]


def _pairs(sign: Signs, used: Real, warnings: list[tuple[str, str]]) -> tuple[NDArray[np.intp], NDArray[np.intp], bool]:
    """Rows of `halves` that make each cycle, as charge and discharge, -1 where one is missing; is discharge first."""
    rows = np.arange(sign.size)
    is_discharge_first = False
    if sign[0] < 0:
        is_partial = sign.size < 3 or used[0] < WHOLE_HALF * used[2]
        if is_partial and sign.size > 1:
            rows = rows[1:]
            warnings.append(
                (
                    "partial_discharge_left_out",
                    f"The recording begins with a partial discharge of {number(used[0])} mAh. It belongs to no cycle "
                    "and was left out.",
                )
            )
        else:
            is_discharge_first = True
    first, second = rows[::2], rows[1::2]
    second = np.append(second, [-1]) if second.size < first.size else second
    return (second, first, True) if is_discharge_first else (first, second, False)


def _table(
    series: Series, halves: Halves, used: Real, is_charge_only: bool, warnings: list[tuple[str, str]]
) -> tuple[pd.DataFrame, str]:
    """One row per cycle, and how its Coulombic efficiency is meant."""
    charge, discharge, is_discharge_first = _pairs(halves.sign, used, warnings)

    def taken(values: Real, rows: NDArray[np.intp]) -> Real:
        return np.where(rows >= 0, values[rows], np.nan)

    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(halves.charge_mAh > 0.0, halves.energy_mWh / halves.charge_mAh, np.nan)
        if is_charge_only:
            mean = np.full(halves.count, np.nan)
        # Where the tester counted energy too, its own is used; else the mean voltage, which no rounding of the current
        # can bend, times the capacity that is used.
        counted = _own_energies(halves, mean, used, warnings)
        energy = np.where(np.isfinite(counted) & (counted > 0.0), counted, mean * used)
        mean = np.where(np.isfinite(counted) & np.isfinite(mean) & (used > 0.0), energy / used, mean)
        table = pd.DataFrame(
            {
                "cycle_number": np.arange(1, charge.size + 1),
                "charge_capacity_mAh": taken(used, charge),
                "discharge_capacity_mAh": taken(used, discharge),
                "coulombic_efficiency_fraction": taken(used, discharge) / taken(used, charge),
                "charge_energy_mWh": taken(energy, charge),
                "discharge_energy_mWh": taken(energy, discharge),
                "energy_efficiency_fraction": taken(energy, discharge) / taken(energy, charge),
                "mean_charge_voltage_V": taken(mean, charge),
                "mean_discharge_voltage_V": taken(mean, discharge),
                "voltage_hysteresis_mV": 1000.0 * (taken(mean, charge) - taken(mean, discharge)),
                "half_capacity_hysteresis_mV": 1000.0
                * (taken(halves.mid_potential_V, charge) - taken(halves.mid_potential_V, discharge)),
                "charge_current_mA": taken(halves.current_mA, charge),
                "discharge_current_mA": taken(halves.current_mA, discharge),
                "charge_half": charge,
                "discharge_half": discharge,
            }
        )
    is_whole = (charge >= 0) & (discharge >= 0)
    is_whole[-1] &= not _is_unfinished(series, halves, used)
    table["is_complete"] = is_whole
    begin, end = (discharge, charge) if is_discharge_first else (charge, discharge)
    table["begin_s"] = series.time_s[halves.first[begin]]
    table["end_s"] = series.time_s[halves.last[np.where(end >= 0, end, begin)]]
    return table.replace([np.inf, -np.inf], np.nan), CE_DISCHARGE_FIRST if is_discharge_first else CE_SAME_CYCLE


def _own_energies(halves: Halves, mean_V: Real, used: Real, warnings: list[tuple[str, str]]) -> Real:
    """Energies that the tester counted; none where they do not belong to the potential, which a wrong unit makes."""
    counted = halves.counted_mWh
    is_large = np.isfinite(counted) & (counted > 0.0) & (mean_V > 0.0) & (used > 0.1 * np.max(used, initial=0.0))
    if not is_large.any():
        return counted
    by_counter, by_potential = float(np.median((counted / used)[is_large])), float(np.median(mean_V[is_large]))
    if abs(by_counter / by_potential - 1.0) <= ROUNDING_AT_MOST:
        return counted
    warnings.append(
        (
            "energy_counter_not_used",
            f"The tester’s energy over its charge is {number(by_counter)} V where the potential is "
            f"{number(by_potential)} V. Its unit may be wrong, or its digits too few: energies were integrated.",
        )
    )
    return np.full(counted.size, np.nan)


def _is_unfinished(series: Series, halves: Halves, used: Real) -> bool:
    """Whether the recording ends inside its last half: neither the cut-off nor the charge of the half before it."""
    if halves.last[-1] < series.time_s.size - 1 or halves.count < 2:
        return False
    same = np.flatnonzero(halves.sign[:-1] == halves.sign[-1])
    if same.size:
        return bool(not halves.is_at_cutoff[-1] and used[-1] < 0.99 * used[same[-1]])
    # The first of its direction has nothing to be compared with: it is under way while it is still on its plateau.
    steepness = np.abs(halves.end_potential_V[-2:] - halves.mid_potential_V[-2:])
    return bool(steepness[1] < 0.1 * steepness[0])


def _look_at(series: Series, halves: Halves, table: pd.DataFrame, warnings: list[tuple[str, str]]) -> None:
    """What people should know about the cycles as a whole."""
    if not table["is_complete"].iloc[-1] and len(table) > 0:
        warnings.append(
            ("incomplete_cycle", f"Cycle {int(table['cycle_number'].iloc[-1])} is not finished. It was left out.")
        )
    in_table = np.concatenate([table["charge_half"], table["discharge_half"]])
    early = {int(row) for row in np.flatnonzero(~halves.is_at_cutoff)} & {int(row) for row in in_table}
    is_early = table["charge_half"].isin(early) | table["discharge_half"].isin(early)
    if numbers := table.loc[is_early & table["is_complete"], "cycle_number"].tolist():
        words = f"Cycle {numbers[0]} ends" if len(numbers) == 1 else f"Cycles {listed(numbers)} end"
        warnings.append(
            ("cutoff_not_reached", f"{words} before the voltage of the others. Check whether the test was interrupted.")
        )
    if (table["voltage_hysteresis_mV"] < 0.0).mean() > 0.5:
        warnings.append(
            (
                "current_sign_doubtful",
                "The mean voltage of discharge lies above that of charge. The sign of the current may be turned.",
            )
        )
    ce = table.loc[table["is_complete"], "coulombic_efficiency_fraction"]
    if numbers := table.loc[ce.index[ce > 1.005], "cycle_number"].tolist():
        words = f"cycle {numbers[0]}" if len(numbers) == 1 else f"cycles {listed(numbers)}"
        warnings.append(
            ("ce_gt_1", f"More charge left the cell than entered it in {words}. Look for a change of rate or a slice.")
        )
    if CYCLE in series.frame.columns:
        begin = series.frame[CYCLE].iloc[int(halves.first[0])]
        if begin > 1:
            warnings.append(
                ("starts_late", f"The file’s own count begins at cycle {int(begin)}; cycles here count from 1.")
            )


def _look_for_gaps(series: Series, segments: Segments, halves: Halves, warnings: list[tuple[str, str]]) -> None:
    """Say where rows are missing inside a half: without a counter nobody knows whether current flowed there."""
    interval, usual = series.interval_s, float(np.median(halves.charge_mAh))
    rows = np.flatnonzero(segments.charge_of_row_mAh > GAP_SHARE * usual)
    is_first = np.zeros(interval.size, dtype=bool)
    is_first[segments.first] = True  # what lies before a segment is judged where it is integrated
    rows = rows[~is_first[rows] & (rows < interval.size - 1)]
    around = np.maximum(interval[rows - 1], interval[np.minimum(rows + 1, interval.size - 1)])
    mean = segments.interval_s[np.searchsorted(segments.first, rows, side="right") - 1]
    rows = rows[interval[rows] > GAP_FACTOR * np.maximum(around, mean)]
    if rows.size:
        worst = rows[int(segments.charge_of_row_mAh[rows].argmax())]
        times = "once" if rows.size == 1 else f"{rows.size} times"
        warnings.append(
            (
                "rows_missing_inside_half",
                f"Rows are missing inside a half-cycle {times}, at most for {number(interval[worst] / 3600.0)} h after "
                f"row {worst}. The current was taken to flow there: if the test paused, that half is "
                f"{number(float(segments.charge_of_row_mAh[worst]))} mAh too large. Export the tester’s capacity too.",
            )
        )


def _look_for_sign(series: Series, segments: Segments, halves: Halves, warnings: list[tuple[str, str]]) -> None:
    """Say where the current never turns although the potential rises and falls: its sign may be lost."""
    if halves.sign.size != 1:
        return
    potential = series.potential_V[segments.sign_of_row != 0]
    low, high = float(potential.min()), float(potential.max())
    if high - low < TURNS_BY_V:
        return
    share = (potential - low) / (high - low)
    level = (share > 0.75).astype(np.int8) - (share < 0.25).astype(np.int8)
    level = level[level != 0]
    turns = int((np.diff(level) != 0).sum())
    if turns >= 3:
        warnings.append(
            (
                "current_sign_missing",
                f"The current flows in one direction only, although the potential rises and falls {turns} times. The "
                "sign of the current may be missing: export it with its sign, or with the kind of each step.",
            )
        )


def listed(numbers: list[int]) -> str:
    """'3, 7 and 9'; after six, how many more."""
    shown = [str(item) for item in numbers[:6]]
    if len(numbers) > 6:
        return f"{', '.join(shown)} and {len(numbers) - 6} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
