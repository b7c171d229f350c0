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
from analysis.science.given import at_temperature, electrode_area, finding, temperature
from analysis.science.relaxation import limiting_current
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
CREEP_SHARE = 0.2
OFFSET_RATIO = 5.0
NOT_OHMIC_P = 0.05
CONDUCTANCES_DIFFER = 0.1
REPEATED_SHARE = 0.25  # of the rows: more are equal to the row before only where the file has steps


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
        I_e is the limit of I(t) = I_e + A exp(−t/τ) + B/√t; what is left of the last two at the end of the hold is part
        of its uncertainty, for another law may hold beyond. With several voltages σ_e is the slope of I_e against V;
        where that bends, the value at the lowest voltage. A current of less than five times that at rest is a limit.
        """
        outcome = Outcome()
        holds, resting = find_holds(recording, applied_voltage(parameters))
        limits = [_limit(hold) for hold in holds]
        longest = int(np.argmax([hold.time_s[-1] - hold.time_s[0] for hold in holds]))
        hold = holds[longest]
        initial, steady = initial_current(hold, outcome), steady_current(hold, outcome)
        temperature(parameters, outcome)
        slope = _slope(limits, outcome)
        conductivity = _conductivity(slope, limits, _instrument_A(hold, resting), subject, parameters, outcome)
        is_settled = steady.is_steady and not any(limit.is_relaxing for limit in limits)
        if conductivity.value is not None and not is_settled and conductivity.flag == "ok":
            conductivity = replace(conductivity, flag="suspect")
        found = [conductivity, *current_findings(hold, initial, steady, parameters)]
        outcome.findings = at_temperature(found, outcome)
        outcome.inputs |= current_inputs(hold, initial, steady, parameters)
        outcome.curves = transient_curves(hold, initial, steady)
        if len({round(limit.voltage_V, 3) for limit in limits}) > 1:
            outcome.curves["limits"] = {
                "voltage_V": [limit.voltage_V for limit in limits],
                "current_A": [limit.current_A for limit in limits],
                "uncertainty_A": [limit.uncertainty_A for limit in limits],
            }
            outcome.curves["marks"]["conductance_S"] = slope[0]
        outcome.tables = {"steps": [vars(limit) for limit in limits]}
        return outcome


def _limit(hold: Hold) -> Limit:
    """The limit, uncertain by all that is left to relax, evenly; too far from it, the end of the hold."""
    found = limiting_current(hold.time_s, hold.current_A)
    step = _resolution_A(hold.current_A)
    uncertainty = math.hypot(found.limit_uncertainty_A, found.excess_A / math.sqrt(3.0), step / math.sqrt(12.0))
    end = found.limit_A + found.excess_A
    is_seen = abs(end) > OFFSET_RATIO * found.end_uncertainty_A
    if is_seen and abs(found.excess_A) > CREEP_SHARE * abs(found.limit_A):
        return Limit(hold.voltage_V, end, uncertainty, True)
    return Limit(hold.voltage_V, found.limit_A, uncertainty, False)


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
    voltages, currents, spreads = np.array(
        [(limit.voltage_V, limit.current_A, max(limit.uncertainty_A, 1e-30)) for limit in limits]
    ).T
    if np.unique(np.round(voltages, 3)).size == 1:
        outcome.warn("single_voltage", "One voltage only: whether the current is proportional to it is not known.")
    elif _is_bent(voltages, currents, spreads):
        outcome.warn(
            "non_ohmic",
            f"The current is not proportional to the voltage; the value is that at {abs(lowest.voltage_V):.3g} V.",
        )
        return lowest.current_A / lowest.voltage_V, lowest.uncertainty_A / abs(lowest.voltage_V)
    x, y = voltages / spreads, currents / spreads
    value = float(x @ y / (x @ x))
    # What is left to relax has one sign in all holds; all else is independent.
    own = float(np.linalg.norm(x, 1 if relaxing else 2) / (x @ x))
    scatter = math.sqrt(float(((y - value * x) ** 2).sum()) / max(x.size - 1, 1))
    return value, own * max(scatter, 1.0)


def _is_bent(voltages: Real, currents: Real, spreads: Real) -> bool:
    """Whether the conductances at the lowest and highest voltage certainly differ, by 10 % at least, or a term of V|V|
    is certain (p < 0.05) among three voltages or more.
    """
    ends = [int(np.argmin(np.abs(voltages))), int(np.argmax(np.abs(voltages)))]
    low, high = currents[ends] / voltages[ends]
    gap = abs(high - low)
    if gap > CONDUCTANCES_DIFFER * abs(low) and gap > 2.0 * np.linalg.norm(spreads[ends] / voltages[ends]):
        return True
    if voltages.size < 3:
        return False
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


def _resolution_A(current: Real) -> float:
    """The smallest step of the file, where its values repeat; else 0. [A]"""
    gaps = np.diff(np.unique(current))
    repeats = current.size > 4 * (gaps.size + 1) or float(np.mean(np.diff(current) == 0.0)) > REPEATED_SHARE
    return float(gaps.min()) if gaps.size and repeats else 0.0


def _instrument_A(hold: Hold, resting: Real) -> float:
    """What the instrument shows without a current: the mean at rest, and half the smallest step of the file. [A]"""
    offset = abs(float(np.mean(resting))) if resting.size >= 5 else 0.0
    return offset + 0.5 * _resolution_A(hold.current_A)


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
    least = 0.0 if any(limit.is_relaxing for limit in limits) else 2.0 * spread  # what relaxes is no noise
    if conductance < -least:
        conductance = -conductance
        outcome.warn(
            "sign_opposite", "Current and voltage have opposite signs: the leads or a sign convention are exchanged."
        )
    geometry = thickness * 1.0e-4 / area
    voltage = max(abs(limit.voltage_V) for limit in limits)
    current = abs(conductance) * voltage
    if current < OFFSET_RATIO * instrument_A or conductance <= least:
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
