"""Activation energy of ionic conduction from the conductivities of one cell at several temperatures."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.base import AnalysisError, Combination, Finding, Outcome, Parameters, Subject
from analysis.science.regression import Line, curvature_p_value, fit_line

Real = NDArray[np.float64]

BOLTZMANN_EV_K = 8.617333262e-5
ZERO_CELSIUS_K = 273.15
REFERENCE_DEGC = 25.0
MINIMUM_TEMPERATURES = 4
SAME_TEMPERATURE_K = 0.5
SMALLEST_RELATIVE_UNCERTAINTY = 1.0e-3  # one very good fit must not decide alone
LINE_POINTS = 60
COMPUTED = 1.0e-8  # scatter below which points were computed, not measured: statistics of it mean nothing
ACTIVATION_RANGE_EV = (0.0, 3.0)
CONDUCTIVITY_RANGE_S_CM = (1.0e-14, 0.1)


class Activation(Combination):
    """Arrhenius line through the conductivities of a cell, as σT and as σ."""

    slug: ClassVar[str] = "activation"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "Activation energy"
    over: ClassVar[str] = "cell"
    needs: ClassVar[tuple[str, ...]] = ("ionic_conductivity_S_cm",)
    needs_at_least: ClassVar[int] = MINIMUM_TEMPERATURES
    yields: ClassVar[tuple[str, ...]] = (
        "activation_energy_eV",
        "conductivity_prefactor_S_K_cm",
        "ionic_conductivity_25degC_S_cm",
    )

    def run(self, numbers: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute.

        Parameters
        ----------
        numbers : pandas.DataFrame
            Accepted, unflagged conductivities; columns as in `Combination.run`, and, where known,
            ``geometry_relative_uncertainty``, the share of the relative uncertainty that is common to all of them.
        subject : Subject
        parameters : mapping
            ``left_out``: result ids that a person left out, or a mapping of id to reason.

        Raises
        ------
        AnalysisError
            Fewer than four distinct temperatures.

        Notes
        -----
        ln(σT) = ln A − E_a/(k_B T), weights 1/u² of the circuit fits alone: the geometry is common to all points and
        moves only the prefactor. Uncertainties come from the scatter about the line.
        """
        points = _points(numbers, parameters.get("left_out") or ())
        used = points[points["is_used"]]
        _check_temperatures(used)
        outcome = Outcome(used=[int(i) for i in used["result_id"]])
        kelvin = used["temperature_degC"].to_numpy(dtype=float) + ZERO_CELSIUS_K
        sigma = used["value"].to_numpy(dtype=float)
        weights = 1.0 / used["fit_relative"].to_numpy(dtype=float) ** 2
        lines = {
            "sigma_T": fit_line(1.0 / kelvin, np.log(sigma * kelvin), weights),
            "sigma": fit_line(1.0 / kelvin, np.log(sigma), weights),
        }
        geometry = float(used["geometry_relative"].max())
        _check_line(outcome, lines["sigma_T"], used, weights)
        outcome.findings = _findings(lines, geometry, outcome)
        outcome.curves = _curves(points, lines["sigma_T"], kelvin)
        outcome.tables = {"fit": _table(lines)}
        outcome.inputs = _inputs(lines["sigma_T"], used, points, geometry)
        return outcome


def _points(numbers: pd.DataFrame, left_out: Collection[Any]) -> pd.DataFrame:
    """The conductivities with what weighs them, in the order of temperature."""
    if numbers.empty:
        raise AnalysisError(f"E_a needs at least {MINIMUM_TEMPERATURES} temperatures, this has 0.")
    frame = numbers[numbers["quantity"] == "ionic_conductivity_S_cm"].copy()
    for column in ("value", "uncertainty", "temperature_degC"):
        frame[column] = pd.to_numeric(frame[column], errors="coerce")
    frame = frame[(frame["value"] > 0.0) & frame["temperature_degC"].notna()]
    reasons = left_out if isinstance(left_out, dict) else {}
    ids = {int(i) for i in left_out}
    frame["is_used"] = ~frame["result_id"].astype(int).isin(ids)
    frame["reason"] = [
        None if is_used else str(reasons.get(i) or reasons.get(str(i)) or "left out by a person")
        for i, is_used in zip(frame["result_id"], frame["is_used"], strict=True)
    ]
    relative = (frame["uncertainty"] / frame["value"]).to_numpy(dtype=float)
    geometry = np.zeros(len(frame))
    if "geometry_relative_uncertainty" in frame:
        geometry = np.nan_to_num(pd.to_numeric(frame["geometry_relative_uncertainty"], errors="coerce").to_numpy(float))
    own = np.sqrt(np.maximum(relative**2 - geometry**2, 0.0))
    typical = float(np.nanmedian(own)) if np.isfinite(own).any() else 0.01
    own = np.where(np.isfinite(own), own, typical)
    frame["geometry_relative"] = geometry
    frame["fit_relative"] = np.maximum(own, SMALLEST_RELATIVE_UNCERTAINTY)
    return frame.sort_values("temperature_degC", kind="stable")


def distinct_temperature_count(temperature_degC: Real) -> int:
    """Number of temperatures that differ by more than half a kelvin."""
    ordered = np.sort(temperature_degC)
    count, last = 0, -math.inf
    for value in ordered:
        if value - last > SAME_TEMPERATURE_K:
            count, last = count + 1, float(value)
    return count


def _check_temperatures(used: pd.DataFrame) -> None:
    """Refuse fewer than four distinct temperatures."""
    count = distinct_temperature_count(used["temperature_degC"].to_numpy(dtype=float))
    if count < MINIMUM_TEMPERATURES:
        raise AnalysisError(f"E_a needs at least {MINIMUM_TEMPERATURES} temperatures, this has {count}.")


def _check_line(outcome: Outcome, line: Line, used: pd.DataFrame, weights: Real) -> None:
    """Say what speaks against the line."""
    celsius = used["temperature_degC"].to_numpy(dtype=float)
    x = 1.0 / (celsius + ZERO_CELSIUS_K)
    y = np.log(used["value"].to_numpy(dtype=float) * (celsius + ZERO_CELSIUS_K))
    if np.ptp(celsius) < 30.0:
        outcome.warn(
            "temperature_span_small",
            f"The temperatures span {np.ptp(celsius):.0f} K, less than 30 K: E_a is uncertain. "
            "Add a colder or a warmer measurement.",
        )
    if line.degrees > 1 and line.variance > COMPUTED**2:
        for place in np.flatnonzero(np.abs(line.studentised) > 3.0):
            outcome.warn(
                "outlier",
                f"The point at {celsius[place]:g} °C lies {abs(line.studentised[place]):.1f} standard "
                "deviations off the line. Look at its spectrum; leave it out only with a reason.",
            )
    p = curvature_p_value(x, y, weights)
    if p is not None and p < 0.05 and line.variance > COMPUTED**2:
        outcome.warn(
            "curvature",
            f"The points bend away from a straight line (p = {p:.2g}): E_a depends on the range. Bulk and "
            "grain boundary in series need not give one line.",
        )
    if line.r_squared < 0.99:
        outcome.warn("r_squared_low", f"R² = {line.r_squared:.3f}, below 0.99. Look at the single spectra.")
    if _is_mixed(used):
        outcome.warn(
            "mixed_branches",
            "Heating and cooling are both in the series. If the cell had not settled, evaluate one branch alone.",
        )
    if not celsius.min() - 15.0 <= REFERENCE_DEGC <= celsius.max() + 15.0:
        outcome.warn(
            "extrapolated",
            f"25 °C lies more than 15 K outside the measured {celsius.min():g} to {celsius.max():g} °C: "
            "σ(25 °C) is extrapolated.",
        )
    shift = abs(line.slope) * BOLTZMANN_EV_K / float(np.ptp(celsius)) * 1000.0
    outcome.warn(
        "temperature_uncertainty",
        "The uncertainty of the temperature is not part of ±. An error that differs by 1 K "
        f"between both ends of the range moves E_a by {shift:.0f} meV.",
    )


def _is_mixed(used: pd.DataFrame) -> bool:
    """Whether the temperature both rose and fell in the order of measurement."""
    if "measured_at" not in used or used["measured_at"].isna().any():
        return False
    ordered = used.assign(_when=pd.to_datetime(used["measured_at"], utc=True)).sort_values("_when", kind="stable")
    steps = np.diff(ordered["temperature_degC"].to_numpy(dtype=float))
    return bool((steps > 1.0).any() and (steps < -1.0).any())


def _findings(lines: dict[str, Line], geometry: float, outcome: Outcome) -> list[Finding]:
    """E_a in both forms, the prefactor, and σ(25 °C)."""
    findings = []
    for position, (label, line) in enumerate(lines.items()):
        value = -BOLTZMANN_EV_K * line.slope
        flag = "ok" if ACTIVATION_RANGE_EV[0] < value < ACTIVATION_RANGE_EV[1] else "out_of_range"
        findings.append(
            Finding(
                "activation_energy_eV",
                value,
                BOLTZMANN_EV_K * line.slope_uncertainty,
                flag=flag,
                label=label,
                position=position,
            )
        )
    line = lines["sigma_T"]
    log_prefactor = float(line.at(0.0))
    prefactor = math.exp(log_prefactor) if log_prefactor < 700.0 else math.inf
    if math.isfinite(prefactor):
        relative = math.hypot(float(line.mean_uncertainty(0.0)), geometry)
        findings.append(Finding("conductivity_prefactor_S_K_cm", prefactor, prefactor * relative))
    else:
        findings.append(Finding("conductivity_prefactor_S_K_cm", None, flag="missing"))
    reference = REFERENCE_DEGC + ZERO_CELSIUS_K
    sigma = math.exp(float(line.at(1.0 / reference))) / reference
    relative = math.hypot(float(line.prediction_uncertainty(1.0 / reference)), geometry)
    is_far = any(code == "extrapolated" for code, _ in outcome.warnings)
    is_physical = CONDUCTIVITY_RANGE_S_CM[0] <= sigma <= CONDUCTIVITY_RANGE_S_CM[1]
    findings.append(
        Finding(
            "ionic_conductivity_25degC_S_cm",
            sigma,
            sigma * relative,
            flag="suspect" if is_far and is_physical else "ok" if is_physical else "out_of_range",
            temperature_degC=REFERENCE_DEGC,
        )
    )
    return findings


def _curves(points: pd.DataFrame, line: Line, kelvin: Real) -> dict[str, Any]:
    """Points, line and 95 % confidence band; the axis is 1000/T."""
    celsius = points["temperature_degC"].to_numpy(dtype=float)
    axis = np.linspace(
        min(1.0 / kelvin.max(), 1.0 / (REFERENCE_DEGC + ZERO_CELSIUS_K)),
        max(1.0 / kelvin.min(), 1.0 / (REFERENCE_DEGC + ZERO_CELSIUS_K)),
        LINE_POINTS,
    )
    middle, width = line.at(axis), line.quantile * line.mean_uncertainty(axis)
    inverse = (1000.0 * axis).tolist()
    return {
        "points": {
            "inverse_temperature_1000_per_K": (1000.0 / (celsius + ZERO_CELSIUS_K)).tolist(),
            "temperature_degC": celsius.tolist(),
            "conductivity_S_cm": points["value"].tolist(),
            "uncertainty_S_cm": [float(u) if np.isfinite(u) else None for u in points["uncertainty"]],
            "result_id": [int(i) for i in points["result_id"]],
            "is_used": [bool(used) for used in points["is_used"]],
            "reason": [reason if isinstance(reason, str) else None for reason in points["reason"]],
        },
        "line": {"inverse_temperature_1000_per_K": inverse, "conductivity_S_cm": (np.exp(middle) * axis).tolist()},
        "band": {
            "inverse_temperature_1000_per_K": inverse,
            "lower_S_cm": (np.exp(middle - width) * axis).tolist(),
            "upper_S_cm": (np.exp(middle + width) * axis).tolist(),
        },
    }


def _table(lines: dict[str, Line]) -> list[dict[str, Any]]:
    """Both forms side by side, with 95 % intervals."""
    rows = []
    for label, symbol in (("sigma_T", "ln(σT)"), ("sigma", "ln σ")):
        line = lines[label]
        value, uncertainty = -BOLTZMANN_EV_K * line.slope, BOLTZMANN_EV_K * line.slope_uncertainty
        rows.append(
            {
                "parameter": "activation_energy_eV",
                "symbol": f"E_a from {symbol}",
                "value": value,
                "uncertainty": uncertainty,
                "lower": value - line.quantile * uncertainty,
                "upper": value + line.quantile * uncertainty,
                "r_squared": line.r_squared,
                "unit": "eV",
            }
        )
    return rows


def _inputs(line: Line, used: pd.DataFrame, points: pd.DataFrame, geometry: float) -> dict[str, Any]:
    """What entered, beside the numbers themselves."""
    value = -BOLTZMANN_EV_K * line.slope
    return {
        "points": {"value": len(used), "uncertainty": None, "origin": "accepted conductivities of the cell"},
        "left_out": {
            "value": [int(i) for i in points.loc[~points["is_used"], "result_id"]],
            "uncertainty": None,
            "origin": "person",
        },
        "geometry_relative_uncertainty": {
            "value": geometry,
            "uncertainty": None,
            "origin": "thickness and electrode area, common to all points",
        },
        "formula": {
            "text": "ln(σT) = ln A − E_a / (k_B T)",
            "filled": f"E_a = {BOLTZMANN_EV_K:.6e} eV/K × {-line.slope:.1f} K = {value:.4f} eV",
        },
    }
