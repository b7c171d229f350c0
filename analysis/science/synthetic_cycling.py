"""SYNTHETIC galvanostatic tests of full cells with known truth. Nothing in this module was measured.

For tests, benchmarks and the reference campaign. Whoever stores such a test marks the record ``is_synthetic``. Every
function draws from the generator it is given, so a seed fixes the result.

Model of a Li | electrolyte | LiFePO4 cell. With z the state of charge (0…1) of the half-cycle, the open circuit is the
two-phase plateau with its two ends,

    U(z) = 3.425 V + 0.02 V (z − ½) − 0.25 V exp(−z / 0.012) + 0.30 V exp(−(1 − z) / 0.010),

the cell shows U ± I·R, and within the last per cent of each half diffusion runs out: an exponential leads exactly to
the cut-off. Capacity and Coulombic efficiency of each cycle are given, not fitted: they are the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from measurements.readers.columns import (
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CURRENT,
    CYCLE,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    POTENTIAL,
    STEP,
    STEP_CAPACITY,
    STEP_ENERGY,
    STEP_KIND,
    TIME,
)

Real = NDArray[np.float64]

PLATEAU_V, TILT_V = 3.425, 0.02
LOW_END_V, LOW_WIDTH = -0.25, 0.012
HIGH_END_V, HIGH_WIDTH = 0.30, 0.010
LAST_WIDTH = 0.010
COUNTERS = ("none", "step", "cycle", "never")


@dataclass(frozen=True)
class CyclingTest:
    """A SYNTHETIC test: the recording, and per cycle what is true.

    `truth` has the columns ``cycle_number``, ``charge_capacity_mAh``, ``discharge_capacity_mAh``,
    ``coulombic_efficiency_fraction``, ``mean_charge_voltage_V``, ``mean_discharge_voltage_V`` (of the noise-free
    constant-current halves), ``is_complete``.
    """

    frame: pd.DataFrame
    truth: pd.DataFrame


def open_circuit_V(state_of_charge: ArrayLike) -> Real:
    """U(z) of the module's model, array of the same shape. [V]"""
    z = np.asarray(state_of_charge, dtype=float)
    ends = LOW_END_V * np.exp(-z / LOW_WIDTH) + HIGH_END_V * np.exp(-(1.0 - z) / HIGH_WIDTH)
    return np.asarray(PLATEAU_V + TILT_V * (z - 0.5) + ends)


def half_cycle_V(passed: ArrayLike, *, is_charge: bool, overpotential_V: float, cutoff_V: float) -> Real:
    """Potential of a constant-current half-cycle at the share `passed` (0…1) of its charge, same shape. [V]

    Parameters
    ----------
    passed : array
        Share of the half's own charge.
    is_charge : bool
    overpotential_V, cutoff_V : float
        I·R, positive [V]; where the half ends [V].
    """
    s = np.asarray(passed, dtype=float)
    sign = 1.0 if is_charge else -1.0
    z = s if is_charge else 1.0 - s
    end = float(open_circuit_V(1.0 if is_charge else 0.0)) + sign * overpotential_V
    return np.asarray(open_circuit_V(z) + sign * overpotential_V + (cutoff_V - end) * np.exp(-(1.0 - s) / LAST_WIDTH))


def mean_half_cycle_V(*, is_charge: bool, overpotential_V: float, cutoff_V: float) -> float:
    """Mean over the charge of `half_cycle_V`, in closed form. [V]"""

    def mean_exponential(width: float) -> float:
        return float(width * -np.expm1(-1.0 / width))

    sign = 1.0 if is_charge else -1.0
    end = float(open_circuit_V(1.0 if is_charge else 0.0)) + sign * overpotential_V
    ends = LOW_END_V * mean_exponential(LOW_WIDTH) + HIGH_END_V * mean_exponential(HIGH_WIDTH)
    return PLATEAU_V + ends + sign * overpotential_V + (cutoff_V - end) * mean_exponential(LAST_WIDTH)


def faded_capacities_mAh(
    first_mAh: float, retention_fraction: float, cycles: int, exponent: float = 1.0, formation: int = 0
) -> Real:
    """Capacities of `cycles` cycles that fall to `retention_fraction` of the reference in the last one. [mAh]

    Parameters
    ----------
    first_mAh : float
        Capacity of the reference cycle, the first after formation; formation cycles have it too.
    retention_fraction : float
        Capacity of the last cycle over that of the reference.
    cycles, formation : int
        All cycles, formation included; leading formation cycles.
    exponent : float
        1: straight line; below 1: fast at first.
    """
    after = np.maximum(np.arange(cycles) - formation, 0) / max(cycles - formation - 1, 1)
    return np.asarray(first_mAh * (1.0 - (1.0 - retention_fraction) * after**exponent))


def cycling_test(
    capacities_mAh: ArrayLike,
    efficiencies: ArrayLike,
    currents_mA: ArrayLike,
    *,
    rng: np.random.Generator,
    resistance_ohm: float = 150.0,
    cutoffs_V: tuple[float, float] = (2.5, 4.0),
    points_per_half: int = 400,
    potential_noise_V: float = 2.0e-4,
    current_noise_fraction: float = 1.0e-4,
    rest_s: float = 600.0,
    first_rest_s: float = 3600.0,
    hold_fraction: float = 0.0,
    counter: str = "step",
    is_discharge_first: bool = False,
    stops_at: float = 1.0,
) -> CyclingTest:
    """SYNTHETIC galvanostatic test, one row per sample, in canonical columns.

    Parameters
    ----------
    capacities_mAh, efficiencies, currents_mA : array, shape (n_cycles,) or scalar
        True discharge capacity [mAh], its ratio to the charge of the same cycle, current of both halves [mA].
    rng : numpy.random.Generator
    resistance_ohm : float
        R of the model. [Ω]
    cutoffs_V : (float, float)
        Where discharge and charge end. [V]
    points_per_half : int
        Samples of each half, at the ends of equal intervals.
    potential_noise_V, current_noise_fraction : float
        Standard deviations of the printed values; the tester's counters do not see them.
    rest_s, first_rest_s : float
        Rest after each half, and before the first; 0: none. [s]
    hold_fraction : float
        Share of each charge that passes at constant voltage, with a current that decays to a twentieth.
    counter : {'none', 'step', 'cycle', 'never'}
        Which counters the tester writes: one that begins anew in each step; charge and discharge that begin anew in
        each cycle; charge and discharge that never do.
    is_discharge_first : bool
        Every cycle begins with its discharge.
    stops_at : float
        Share of the last half that is recorded.

    Raises
    ------
    ValueError
        If `counter` is none of the four.
    """
    if counter not in COUNTERS:
        raise ValueError(f"counter is one of {', '.join(COUNTERS)}, not {counter}.")
    capacity = np.atleast_1d(np.asarray(capacities_mAh, dtype=float))
    efficiency = np.broadcast_to(np.asarray(efficiencies, dtype=float), capacity.shape)
    current = np.broadcast_to(np.asarray(currents_mA, dtype=float), capacity.shape)
    build = _Builder(points_per_half, resistance_ohm, cutoffs_V, hold_fraction)
    if first_rest_s:
        build.rest(1, first_rest_s)
    for row, (delivered, ratio, drawn) in enumerate(zip(capacity, efficiency, current, strict=True)):
        halves = [(True, delivered / ratio), (False, delivered)]
        for position, (is_charge, amount) in enumerate(reversed(halves) if is_discharge_first else halves):
            is_end = row == capacity.size - 1 and position == 1
            build.half(row + 1, is_charge, float(amount), float(drawn), stops_at if is_end else 1.0)
            if rest_s and not is_end:
                build.rest(row + 1, rest_s)
    truth = pd.DataFrame(
        {
            "cycle_number": np.arange(1, capacity.size + 1),
            "charge_capacity_mAh": capacity / efficiency,
            "discharge_capacity_mAh": capacity,
            "coulombic_efficiency_fraction": efficiency,
            "mean_charge_voltage_V": [build.mean_V(True, i) for i in current],
            "mean_discharge_voltage_V": [build.mean_V(False, i) for i in current],
            "is_complete": np.append(np.ones(capacity.size - 1, dtype=bool), stops_at >= 1.0),
        }
    )
    frame = build.frame(counter)
    noise = rng.standard_normal((2, len(frame)))
    frame[POTENTIAL] += potential_noise_V * noise[0]
    frame[CURRENT] *= 1.0 + current_noise_fraction * noise[1]
    return CyclingTest(frame, truth)


def rate_test(
    rates: Sequence[tuple[float, int, float]],
    *,
    one_c_mA: float,
    rng: np.random.Generator,
    efficiency: float = 0.998,
    fade_per_cycle: float = 0.0,
    **more: float,
) -> CyclingTest:
    """SYNTHETIC rate test: blocks of (C-rate, number of cycles, capacity in mAh).

    Parameters
    ----------
    rates : sequence of (float, int, float)
        In order of time, the return to the first rate included.
    one_c_mA : float
        Current of 1 C. [mA]
    rng : numpy.random.Generator
    efficiency, fade_per_cycle : float
        Coulombic efficiency; share of the capacity lost from cycle to cycle within a block.
    **more
        As for `cycling_test`.
    """
    capacities = np.concatenate([amount * (1.0 - fade_per_cycle) ** np.arange(count) for _, count, amount in rates])
    currents = np.concatenate([np.full(count, rate * one_c_mA) for rate, count, _ in rates])
    return cycling_test(capacities, efficiency, currents, rng=rng, **more)  # type: ignore[arg-type]


class _Builder:
    """Collects steps; each is one stretch of rows with what the tester counts in it."""

    def __init__(self, points: int, resistance_ohm: float, cutoffs_V: tuple[float, float], hold: float) -> None:
        self.points, self.resistance_ohm, self.cutoffs_V, self.hold = points, resistance_ohm, cutoffs_V, hold
        self.now_s, self.last_V = 0.0, float(open_circuit_V(0.5))
        self.steps: list[dict[str, Real]] = []
        self.labels: list[tuple[int, str]] = []  # cycle and kind of each step

    def overpotential_V(self, current_mA: float) -> float:
        """I·R. [V]"""
        return current_mA / 1000.0 * self.resistance_ohm

    def mean_V(self, is_charge: bool, current_mA: float) -> float:
        """Mean voltage of a half at constant current. [V]"""
        return mean_half_cycle_V(
            is_charge=is_charge, overpotential_V=self.overpotential_V(current_mA), cutoff_V=self.cutoffs_V[is_charge]
        )

    def add(self, cycle: int, kind: str, seconds: Real, potential: Real, current_A: Real, amount: Real) -> None:
        """One step: times within it, and the charge that has passed at each row. [s, V, A, mAh]"""
        between = np.diff(amount, prepend=0.0)
        middle = potential - 0.5 * np.diff(potential, prepend=potential[0])
        self.steps.append(
            {
                TIME: self.now_s + seconds,
                POTENTIAL: potential,
                CURRENT: current_A,
                STEP_CAPACITY: amount,
                STEP_ENERGY: np.cumsum(between * middle),
            }
        )
        self.labels.append((cycle, kind))
        self.now_s += float(seconds[-1])
        self.last_V = float(potential[-1])

    def rest(self, cycle: int, seconds: float) -> None:
        """The potential relaxes to the plateau within minutes."""
        at = np.linspace(0.0, seconds, max(int(seconds // 60.0), 2) + 1)[1:]
        plateau = PLATEAU_V + np.clip(self.last_V - PLATEAU_V, -0.2, 0.2)
        potential = plateau + (self.last_V - plateau) * np.exp(-at / 120.0)
        self.add(cycle, "rest", at, potential, np.zeros(at.size), np.zeros(at.size))

    def half(self, cycle: int, is_charge: bool, amount_mAh: float, current_mA: float, until: float) -> None:
        """A charge or discharge, the charge with its constant voltage tail."""
        held = self.hold * amount_mAh if is_charge else 0.0
        driven = amount_mAh - held
        seconds = driven / current_mA * 3600.0
        share = np.linspace(0.0, 1.0, self.points + 1)[1:]
        share = share[share <= until + 1e-12]
        if not share.size:
            return
        cutoff, sign = self.cutoffs_V[is_charge], 1.0 if is_charge else -1.0
        potential = half_cycle_V(
            share, is_charge=is_charge, overpotential_V=self.overpotential_V(current_mA), cutoff_V=cutoff
        )
        drawn = np.full(share.size, sign * current_mA / 1000.0)
        self.add(cycle, "charge" if is_charge else "discharge", share * seconds, potential, drawn, share * driven)
        if held and until >= 1.0:
            # I falls from I₀ to I₀/20 as exp(−t/τ): the charge is I₀ τ (1 − 1/20).
            tau = held / (current_mA * (1.0 - 1.0 / 20.0)) * 3600.0
            at = np.linspace(0.0, tau * np.log(20.0), self.points // 4 + 1)[1:]
            falling = current_mA * np.exp(-at / tau)
            passed = current_mA * tau / 3600.0 * -np.expm1(-at / tau)
            self.add(cycle, "hold", at, np.full(at.size, cutoff), falling / 1000.0, passed)

    def frame(self, counter: str) -> pd.DataFrame:
        """All steps below each other, with the counters that were asked for."""
        lengths = [step[TIME].size for step in self.steps]
        columns = {name: np.concatenate([step[name] for step in self.steps]) for name in self.steps[0]}
        cycle = np.repeat([label[0] for label in self.labels], lengths)
        kind = np.repeat([label[1] for label in self.labels], lengths)
        frame = pd.DataFrame({name: columns[name] for name in (TIME, POTENTIAL, CURRENT)})
        frame[CYCLE], frame[STEP] = cycle, np.repeat(np.arange(1, len(lengths) + 1), lengths)
        frame[STEP_KIND] = kind
        if counter == "step":
            frame[STEP_CAPACITY], frame[STEP_ENERGY] = columns[STEP_CAPACITY], columns[STEP_ENERGY]
        elif counter in ("cycle", "never"):
            is_discharge = kind == "discharge"
            for amount, charged, discharged in (
                (STEP_CAPACITY, CHARGE_CAPACITY, DISCHARGE_CAPACITY),
                (STEP_ENERGY, CHARGE_ENERGY, DISCHARGE_ENERGY),
            ):
                added = np.concatenate([np.diff(step[amount], prepend=0.0) for step in self.steps])
                for name, is_own in ((charged, ~is_discharge), (discharged, is_discharge)):
                    own = pd.Series(added * is_own)
                    frame[name] = own.groupby(cycle).cumsum() if counter == "cycle" else own.cumsum()
        return frame
