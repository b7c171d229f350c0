"""Electronic conductivity of a pellet between blocking electrodes, from the current at constant voltage.

References
----------
Hebb, 10.1063/1.1700165 (not verified). Its role in dendrites: Han et al., 10.1038/s41560-018-0312-z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

from analysis.science.base import Analysis, Finding, Outcome, Parameters, Subject
from analysis.science.given import electrode_area, finding, temperature
from analysis.science.transient import (
    Hold,
    applied_voltage,
    current_findings,
    current_inputs,
    find_holds,
    initial_current,
    steady_current,
    transient_curves,
)
from analysis.science.wording import number, with_uncertainty

Real = NDArray[np.float64]

CONDUCTIVITY_RANGE_S_CM = (1.0e-18, 1.0)
SETTLED_SHARE = 0.02  # of the hold: before, the electrodes are still being charged
SLOWEST_SHARE = 0.33  # of the hold: a slower exponential has not ended, and its limit would be a guess
SCANS, SCANNED = 5, 20  # of the time constant, which is then known to 2e-5 of itself
CREEP_SHARE = 0.2
OFFSET_RATIO = 5.0
NOT_OHMIC_P = 0.05
TWO_VOLTAGES_DIFFER = 0.1


@dataclass(frozen=True)
class Limit:
    """The limit of the current of one hold for infinite time."""

    voltage_V: float
    current_A: float
    uncertainty_A: float
    is_relaxing: bool  # the end of the hold is given, for its limit is too far away


class Electronic(Analysis):
    """Hebb–Wagner type polarisation: σ_e = I_e L / (V A)."""

    slug: ClassVar[str] = "electronic"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "Electronic conductivity"
    kinds: ClassVar[tuple[str, ...]] = ("polarisation",)
    subjects: ClassVar[tuple[str, ...]] = ("blocking",)
    yields: ClassVar[tuple[str, ...]] = (
        "electronic_conductivity_S_cm",
        "initial_current_A",
        "steady_state_current_A",
        "polarisation_voltage_V",
    )

    def run(self, recording: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute.

        Parameters
        ----------
        recording : pandas.DataFrame
            Columns ``time_s``, ``current_A`` and, unless the voltage is given, ``potential_V``.
        subject : Subject
            Thickness and electrode area.
        parameters : mapping
            ``polarisation_voltage_V``, ``electrode_area_cm2``, ``temperature_degC``, ``temperature_origin``.

        Raises
        ------
        AnalysisError
            No voltage known, or no hold at constant voltage.

        Notes
        -----
        I_e is the limit of I(t) = I_e + A exp(−t/τ) + B/√t. With several voltages σ_e is the slope of I_e against V;
        where that bends, the value at the lowest voltage. A current of less than five times that at rest is a limit.
        """
        outcome = Outcome()
        holds, resting = find_holds(recording, applied_voltage(parameters))
        limits = [_limit(hold) for hold in holds]
        longest = int(np.argmax([hold.time_s[-1] - hold.time_s[0] for hold in holds]))
        hold = holds[longest]
        initial, steady = initial_current(hold, outcome), steady_current(hold, outcome)
        celsius = temperature(parameters, outcome)
        slope = _slope(limits, outcome)
        conductivity = _conductivity(slope, limits, _instrument_A(hold, resting), subject, parameters, outcome)
        if conductivity.value is not None and not steady.is_steady and conductivity.flag == "ok":
            conductivity = replace(conductivity, flag="suspect")
        outcome.findings = [
            replace(found, temperature_degC=celsius)
            for found in [conductivity, *current_findings(hold, initial, steady, parameters)]
        ]
        outcome.inputs |= current_inputs(hold, initial, steady, parameters)
        outcome.curves = transient_curves(hold, initial, steady)
        outcome.tables = {"steps": [vars(limit) for limit in limits]}
        return outcome


def _limit(hold: Hold) -> Limit:
    """Fit the limit; for a fixed τ the model is linear, so τ is scanned, and scanned again where it is best."""
    time, current = hold.time_s, hold.current_A
    span = float(time[-1] - time[0])
    use = time >= max(SETTLED_SHARE * span, 1e-3)
    t, y = time[use], current[use]
    if t.size < 8:
        last = current[-max(current.size // 10, 3) :]
        return Limit(hold.voltage_V, float(last.mean()), float(last.std(ddof=1)) / math.sqrt(last.size), False)
    low, high = 0.02 * span, SLOWEST_SHARE * span
    for _ in range(SCANS):  # each between the neighbours of the best: a coarse τ leaves its misfit to B and I_e
        taus = np.geomspace(low, high, SCANNED)
        squares, tau, solution = min((_squares(t, y, float(tau)) for tau in taus), key=lambda found: found[0])
        ratio = float(taus[1] / taus[0])
        low, high = max(tau / ratio, low), min(tau * ratio, high)
    design = np.column_stack([_design(t, tau), solution[1] * t / tau * np.exp(-t / tau)])  # τ is not known exactly
    variance = squares / max(t.size - 4, 1)
    spread = math.sqrt(max(variance * float(np.linalg.pinv(design.T @ design)[0, 0]), 0.0))
    end = float(y[-max(y.size // 10, 3) :].mean())
    value, creep = float(solution[0]), float(solution[2])
    if abs(creep) > CREEP_SHARE * abs(value) or abs(end - value) > CREEP_SHARE * abs(value):
        # Too far from its limit to tell it: the end of the hold, and half the way to where the fit would put it.
        return Limit(hold.voltage_V, end, math.hypot(spread, 0.5 * (end - value)), True)
    return Limit(hold.voltage_V, value, math.hypot(spread, 0.5 * (end - value)), False)


def _design(time_s: Real, tau_s: float) -> Real:
    """Columns 1, exp(−t/τ) and √(T/t), shape (n_rows, 3)."""
    return np.stack([np.ones_like(time_s), np.exp(-time_s / tau_s), np.sqrt(time_s[-1] / time_s)], axis=1)


def _squares(time_s: Real, current_A: Real, tau_s: float) -> tuple[float, float, Real]:
    """Sum of squared residuals for one τ, that τ, and the coefficients."""
    design = _design(time_s, tau_s)
    solution, *_ = np.linalg.lstsq(design, current_A, rcond=None)
    rest = current_A - design @ solution
    return float(rest @ rest), tau_s, np.asarray(solution, dtype=float)


def _slope(limits: list[Limit], outcome: Outcome) -> tuple[float, float]:
    """Conductance I_e/V and its standard uncertainty; from the line through the origin of several voltages. [S]"""
    lowest = min(limits, key=lambda limit: abs(limit.voltage_V))
    relaxing = next((limit for limit in limits if limit.is_relaxing), None)
    if relaxing is not None:
        outcome.warn(
            "slow_relaxation",
            f"At {relaxing.voltage_V:.3g} V a slow relaxation still carries more than 20 % of the current: its end is "
            "taken, and σ_e may be lower. Hold the voltage longer.",
        )
    voltages = np.array([limit.voltage_V for limit in limits])
    currents = np.array([limit.current_A for limit in limits])
    if np.unique(np.round(voltages, 3)).size == 1:
        outcome.warn("single_voltage", "One voltage only: whether the current is proportional to it is not known.")
        weights = 1.0 / np.array([max(limit.uncertainty_A, 1e-30) for limit in limits]) ** 2
        value = float((weights * currents).sum() / weights.sum()) / float(voltages.mean())
        return value, 1.0 / math.sqrt(float(weights.sum())) / abs(float(voltages.mean()))
    slope = float(voltages @ currents / (voltages @ voltages))
    if _is_bent(voltages, currents):
        outcome.warn(
            "non_ohmic",
            f"The current is not proportional to the voltage; the value is that at {abs(lowest.voltage_V):.3g} V.",
        )
        return lowest.current_A / lowest.voltage_V, lowest.uncertainty_A / abs(lowest.voltage_V)
    rest = currents - slope * voltages
    variance = float(rest @ rest) / max(voltages.size - 1, 1)
    spreads = np.array([limit.uncertainty_A for limit in limits])
    own = float(np.linalg.norm(voltages * spreads) / (voltages @ voltages))
    return slope, math.hypot(math.sqrt(variance / float(voltages @ voltages)), own)


def _is_bent(voltages: Real, currents: Real) -> bool:
    """Whether a term of V|V| is certain (p < 0.05); with two voltages, whether their conductances differ by 10 %."""
    if voltages.size < 3:
        ratio = currents / voltages
        return bool(abs(ratio[0] / ratio[-1] - 1.0) > TWO_VOLTAGES_DIFFER) if ratio[-1] else True
    design = np.stack([voltages, voltages * np.abs(voltages)], axis=1)
    solution, _, rank, _ = np.linalg.lstsq(design, currents, rcond=None)
    if rank < 2:
        return False
    rest = currents - design @ solution
    degrees = voltages.size - 2
    variance = float(rest @ rest) / degrees
    share = abs(solution[1] * np.abs(voltages).max() / solution[0]) if solution[0] else math.inf
    if variance <= 0.0:
        return bool(share > 1e-6)
    deviation = math.sqrt(variance * float(np.linalg.inv(design.T @ design)[1, 1]))
    p = 2.0 * float(stdtr(degrees, -abs(solution[1]) / deviation))
    return bool(p < NOT_OHMIC_P and share > 0.02)


def _instrument_A(hold: Hold, resting: Real) -> float:
    """What the instrument shows without a current: the mean at rest, and half the smallest step of the file. [A]"""
    offset = abs(float(np.mean(resting))) if resting.size >= 5 else 0.0
    gaps = np.diff(np.unique(hold.current_A[-2000:]))
    return offset + (0.5 * float(gaps.min()) if gaps.size and hold.current_A.size > 4 * (gaps.size + 1) else 0.0)


def _conductivity(
    slope: tuple[float, float], limits: list[Limit], instrument_A: float, subject: Subject, parameters: Parameters,
    outcome: Outcome,
) -> Finding:  # fmt: skip
    """σ_e with its uncertainty, or its upper limit."""
    area, relative = electrode_area(
        subject, parameters, outcome, "σ_e needs the electrode area. Enter the diameter of the electrodes."
    )
    thickness, thickness_u = subject.thickness_um, subject.thickness_uncertainty_um
    outcome.inputs["thickness_um"] = {"value": thickness, "uncertainty": thickness_u, "origin": subject.code}
    formula: dict[str, Any] = {"text": "σ_e = I_e · L / (V · A)", "filled": None}
    outcome.inputs["formula"] = formula
    if not thickness:
        outcome.warn("missing_thickness", "σ_e needs the pellet thickness. Enter the thickness of the pellet.")
    if not thickness or not area:
        return Finding("electronic_conductivity_S_cm", None, flag="missing")
    conductance, spread = slope
    if conductance < -2.0 * spread:
        conductance = -conductance
        outcome.warn(
            "sign_opposite", "Current and voltage have opposite signs: the leads or a sign convention are exchanged."
        )
    geometry = thickness * 1.0e-4 / area
    voltage = max(abs(limit.voltage_V) for limit in limits)
    current = abs(conductance) * voltage
    if current < OFFSET_RATIO * instrument_A or conductance <= 2.0 * spread:
        top = max(current, 0.0) + instrument_A + 2.0 * spread * voltage
        outcome.warn(
            "below_instrument",
            f"The current ({number(conductance * voltage)} A) cannot be told from that of the instrument: "
            "σ_e is an upper limit.",
        )
        found = finding("electronic_conductivity_S_cm", top / voltage * geometry, None, CONDUCTIVITY_RANGE_S_CM)
        return replace(found, limit="<")
    sigma = conductance * geometry
    shares = (spread / conductance, relative or 0.0, (thickness_u or 0.0) / thickness)
    uncertainty = sigma * math.sqrt(sum(share**2 for share in shares))
    formula["filled"] = (
        f"σ_e = {number(current)} A × {number(thickness * 1e-4)} cm / ({number(voltage)} V × {number(area)} cm²) = "
        f"{with_uncertainty(sigma, uncertainty)} S cm⁻¹"
    )
    return finding("electronic_conductivity_S_cm", sigma, uncertainty, CONDUCTIVITY_RANGE_S_CM)
