"""Sputter rate of one setting of the tool, from film thicknesses that were measured after known times."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtrc, stdtr, stdtrit

from analysis.science.base import AnalysisError, Combination, Finding, Outcome, Parameters, Subject
from analysis.science.quantities import get as quantity

Real = NDArray[np.float64]

RATE = "sputter_rate_nm_min"
SIGNIFICANT = 0.05  # p below which the intercept is not taken for 0
FEW_TIMES = 3
SAME_TIME = 1.0e-6  # share of a sputter time within which two are one
SMALLEST_SHARE = 0.5  # of the typical uncertainty: two readings that happen to agree must not decide alone
COMPUTED = 1.0e-9  # share of the thickest film: scatter below it was computed, not measured
LINE_POINTS = 40
TARGETS_NM = (25.0, 50.0, 100.0, 200.0)
LOW_R_SQUARED = 0.98
LARGE_INTERCEPT_NM = 10.0
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class RateLine:
    """Thickness d = intercept + rate × t.

    Attributes
    ----------
    rate_nm_min, intercept_nm : float
        The intercept is 0 for a line through the origin.
    covariance : array, shape (2, 2), or None
        Of intercept [nm] and rate [nm min⁻¹]; None where nothing tells how well they are known.
    variance_nm2 : float or None
        Of one film of typical weight about the line; None as for `covariance`.
    degrees : int
        Degrees of freedom of the scatter; 0 where the uncertainty is that of the readings alone.
    """

    rate_nm_min: float
    intercept_nm: float
    covariance: Real | None
    variance_nm2: float | None
    degrees: int

    @property
    def rate_uncertainty(self) -> float | None:
        """Standard uncertainty of the rate [nm min⁻¹]."""
        return None if self.covariance is None else math.sqrt(max(float(self.covariance[1, 1]), 0.0))

    @property
    def intercept_uncertainty(self) -> float | None:
        """Standard uncertainty of the intercept [nm]."""
        return None if self.covariance is None else math.sqrt(max(float(self.covariance[0, 0]), 0.0))

    @property
    def quantile(self) -> float:
        """Factor of a 95 % interval: Student's, or normal where only the readings tell the uncertainty."""
        return float(stdtrit(self.degrees, 0.975)) if self.degrees > 0 else NORMAL_95

    def at(self, duration_min: Real) -> Real:
        """Thickness [nm] after a time."""
        return np.asarray(self.intercept_nm + self.rate_nm_min * np.asarray(duration_min))

    def prediction_uncertainty(self, duration_min: Real) -> Real | None:
        """Standard uncertainty [nm] of the thickness of one further film."""
        if self.covariance is None or self.variance_nm2 is None:
            return None
        design = np.stack([np.ones_like(duration_min), duration_min], axis=1)
        return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design) + self.variance_nm2))

    def time_for(self, thickness_nm: float) -> tuple[float, float | None]:
        """Time [min] after which a film is that thick, and its standard uncertainty (first order)."""
        time = (thickness_nm - self.intercept_nm) / self.rate_nm_min
        spread = self.prediction_uncertainty(np.asarray([time]))
        return time, None if spread is None else float(spread[0]) / abs(self.rate_nm_min)


def fit_rate(duration_min: Real, thickness_nm: Real, uncertainty_nm: Real, *, has_intercept: bool) -> RateLine:
    """Weighted straight line through thicknesses, with or without an intercept.

    Parameters
    ----------
    duration_min, thickness_nm : array, shape (n_films,)
    uncertainty_nm : array, shape (n_films,)
        Standard uncertainty of each; nan where a film was read once.
    has_intercept : bool

    Returns
    -------
    RateLine
        Weights are 1/u². The uncertainty is the larger of what the readings and what the scatter about the line tell:
        films differ by more than their steps do, and three films may agree by chance.
    """
    spread, is_known = weighing(uncertainty_nm)
    design = np.stack([np.ones_like(duration_min), duration_min], axis=1)[:, 0 if has_intercept else 1 :]
    weights = 1.0 / spread**2
    inverse = np.linalg.inv(design.T @ (weights[:, None] * design))
    solution = inverse @ (design.T @ (weights * thickness_nm))
    residuals = thickness_nm - design @ solution
    degrees = thickness_nm.size - design.shape[1]
    factors = [1.0] if is_known else []
    if degrees > 0:
        factors.append(float(weights @ residuals**2) / degrees)
    covariance, variance = None, None
    if factors:
        covariance = np.zeros((2, 2))
        covariance[0 if has_intercept else 1 :, 0 if has_intercept else 1 :] = inverse * max(factors)
        variance = max(factors) * float(np.median(spread**2))
    intercept, rate = (float(solution[0]), float(solution[1])) if has_intercept else (0.0, float(solution[0]))
    return RateLine(rate, intercept, covariance, variance, degrees)


def weighing(uncertainty_nm: Real) -> tuple[Real, bool]:
    """Standard uncertainties to weigh with, none missing and none very small; and whether any was known.

    Parameters
    ----------
    uncertainty_nm : array, shape (n_films,)
        nan or 0 where unknown: those count as typical.
    """
    known = uncertainty_nm[np.isfinite(uncertainty_nm) & (uncertainty_nm > 0.0)]
    if not known.size:
        return np.ones_like(uncertainty_nm), False
    typical = float(np.median(known))
    filled = np.where(np.isfinite(uncertainty_nm) & (uncertainty_nm > 0.0), uncertainty_nm, typical)
    return np.maximum(filled, SMALLEST_SHARE * typical), True


def intercept_p_value(line: RateLine, thickest_nm: float) -> float | None:
    """Two-sided p of an intercept of 0 (t-test); None where nothing tells its uncertainty.

    Parameters
    ----------
    line : RateLine
        With an intercept.
    thickest_nm : float
        Thickest film: rounding errors are small against it.
    """
    if line.intercept_uncertainty is None:
        return None
    if line.intercept_uncertainty <= COMPUTED * thickest_nm:
        return 1.0 if abs(line.intercept_nm) <= 1.0e3 * COMPUTED * thickest_nm else 0.0
    ratio = abs(line.intercept_nm) / line.intercept_uncertainty
    return float(2.0 * stdtr(line.degrees, -ratio)) if line.degrees > 0 else math.erfc(ratio / math.sqrt(2.0))


def scatter_p_value(uncertainty_nm: Real, height_count: Real) -> float | None:
    """p of equal scatter of the readings of all films (Bartlett's test); None with fewer than two films of three.

    Parameters
    ----------
    uncertainty_nm : array, shape (n_films,)
        Standard uncertainty of each mean, s/√n.
    height_count : array, shape (n_films,)
        Readings per film, n.
    """
    usable = (height_count >= 3) & np.isfinite(uncertainty_nm) & (uncertainty_nm > 0.0)
    if usable.sum() < 2:
        return None
    count = height_count[usable]
    variance, degrees = uncertainty_nm[usable] ** 2 * count, count - 1.0
    total, groups = float(degrees.sum()), int(usable.sum())
    pooled = float(degrees @ variance) / total
    statistic = total * math.log(pooled) - float(degrees @ np.log(variance))
    correction = 1.0 + (float((1.0 / degrees).sum()) - 1.0 / total) / (3.0 * (groups - 1))
    return float(chdtrc(groups - 1, max(statistic, 0.0) / correction))


class SputterRate(Combination):
    """Rate at one setting: a line of thickness against time, with and without intercept, or a ratio from one time."""

    slug: ClassVar[str] = "sputter_rate"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "Sputter rate"
    over: ClassVar[str] = "sputter_setting"
    needs: ClassVar[tuple[str, ...]] = ("film_thickness_nm",)
    needs_at_least: ClassVar[int] = 1
    yields: ClassVar[tuple[str, ...]] = (RATE,)

    def run(self, numbers: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute.

        Parameters
        ----------
        numbers : pandas.DataFrame
            One row per film: ``film`` (code), ``run``, ``measured_on``, ``method``, ``film_thickness_nm``,
            ``film_thickness_uncertainty_nm``, ``height_count``, ``duration_min``, ``measured_at``, ``is_synthetic``,
            ``gas``, ``stage_temperature_degC``.
        subject : Subject
            The setting.
        parameters : mapping
            ``left_out``: codes of films that a person left out, or a mapping of code to reason.

        Raises
        ------
        AnalysisError
            No film with a thickness and a time.

        Notes
        -----
        Label of the findings: ``through_origin`` d = r t, ``with_intercept`` d = a + r t, ``ratio`` from one time
        alone. The one that counts has position 0: through the origin, unless the intercept is significant.
        """
        films = _films(numbers, parameters.get("left_out") or ())
        used = films[films["is_used"]]
        if used.empty:
            raise AnalysisError(
                f"No measured film thickness at {subject.code}. Sputter a Si plate, measure the step, add it here."
            )
        outcome = Outcome()
        time, thickness, spread = (
            used[name].to_numpy(dtype=float)
            for name in ("duration_min", "film_thickness_nm", "film_thickness_uncertainty_nm")
        )
        lines = _lines(time, thickness, spread, outcome)
        outcome.findings = [_finding(line, label, place) for place, (label, line) in enumerate(lines.items())]
        _doubt(outcome, films, used)
        chosen = next(iter(lines.values()))
        outcome.curves = _curves(films, chosen, float(time.max()))
        outcome.tables = {"fit": _table(lines), "times": _times(chosen)}
        outcome.inputs = _inputs(lines, films, used)
        return outcome


def _films(numbers: pd.DataFrame, left_out: Collection[Any]) -> pd.DataFrame:
    """The films in the order of time, and which of them enter."""
    if numbers.empty:
        return pd.DataFrame({"is_used": np.zeros(0, dtype=bool)})
    frame = numbers.copy()
    for name in ("film_thickness_nm", "film_thickness_uncertainty_nm", "duration_min", "height_count"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    frame = frame[(frame["film_thickness_nm"] > 0.0) & (frame["duration_min"] > 0.0)]
    reasons = left_out if isinstance(left_out, dict) else dict.fromkeys(left_out, "left out by a person")
    frame["reason"] = [reasons.get(code, "") for code in frame["film"]]
    synthetic = frame["is_synthetic"].astype(bool)
    if not synthetic.all():  # what was generated never bends what was measured
        frame.loc[synthetic & (frame["reason"] == ""), "reason"] = "synthetic"
    frame["is_used"] = frame["reason"] == ""
    return frame.sort_values(["duration_min", "film"], kind="stable")


def distinct_times(duration_min: Real) -> int:
    """Number of sputter times that differ.

    Parameters
    ----------
    duration_min : array, shape (n_films,)
    """
    ordered = np.sort(duration_min)
    return 1 + int((np.diff(ordered) > SAME_TIME * ordered[1:]).sum()) if ordered.size else 0


def _lines(time: Real, thickness: Real, spread: Real, outcome: Outcome) -> dict[str, RateLine]:
    """The lines that say something, the one that counts first."""
    through = fit_rate(time, thickness, spread, has_intercept=False)
    count = distinct_times(time)
    if count == 1:
        outcome.warn(
            "single_time",
            f"All films were sputtered for {time[0]:g} min: the rate is thickness over time, not a regression. "
            "A delay before the film grows would not be seen. Measure a film of another time.",
        )
        return {"ratio": through}
    free = fit_rate(time, thickness, spread, has_intercept=True)
    if count < FEW_TIMES:
        outcome.warn("few_times", f"{count} sputter times, a sound line needs at least {FEW_TIMES}. Add one more.")
    p = intercept_p_value(free, float(thickness.max()))
    _doubt_line(outcome, free, p, time, thickness, spread)
    if p is not None and p < SIGNIFICANT:
        return {"with_intercept": free}
    return {"through_origin": through, "with_intercept": free}


def _doubt_line(outcome: Outcome, free: RateLine, p: float | None, time: Real, thickness: Real, spread: Real) -> None:
    """Say what speaks against proportionality and against the line."""
    if p is None:
        outcome.warn(
            "intercept_untested",
            "Two films of single readings do not tell whether the line passes through zero. Read more steps.",
        )
    elif p < SIGNIFICANT:
        outcome.warn(
            "intercept_significant",
            f"The line meets {free.intercept_nm:.3g} nm at 0 min, not zero (p = {p:.2g}): rate × time is off by that. "
            "Check the shutter and the pre-sputter time.".replace("-", "−", 1 if free.intercept_nm < 0 else 0),
        )
    if abs(free.intercept_nm) > LARGE_INTERCEPT_NM:
        outcome.warn("intercept_large", f"The intercept is above {LARGE_INTERCEPT_NM:g} nm.")
    if thickness.size > 2:
        weights = 1.0 / weighing(spread)[0] ** 2
        about_mean = float(weights @ (thickness - np.average(thickness, weights=weights)) ** 2)
        rest = float(weights @ (thickness - free.at(time)) ** 2)
        r_squared = 1.0 - rest / about_mean if about_mean > 0.0 else 1.0
        if r_squared < LOW_R_SQUARED:
            outcome.warn("r_squared_low", f"R² = {r_squared:.3f}, below {LOW_R_SQUARED:g}. Look at the single films.")


def _doubt(outcome: Outcome, films: pd.DataFrame, used: pd.DataFrame) -> None:
    """Say what speaks against the films themselves."""
    p = scatter_p_value(
        used["film_thickness_uncertainty_nm"].to_numpy(dtype=float), used["height_count"].to_numpy(dtype=float)
    )
    if p is not None and p < 0.01:
        outcome.warn(
            "heteroscedastic",
            f"The readings of the films scatter unequally (p = {p:.2g}). They are weighted by it; look at the widest.",
        )
    for name, words in (("gas", "working gas"), ("stage_temperature_degC", "stage temperature")):
        if used[name].fillna("").astype(str).nunique() > 1:
            outcome.warn("conditions_differ", f"The {words} differs between the runs of this setting.")
    generated = int((films["reason"] == "synthetic").sum())
    if generated:
        outcome.warn("synthetic_left_out", f"{generated} synthetic films are left out: measured ones are there.")


def _finding(line: RateLine, label: str, position: int) -> Finding:
    value = line.rate_nm_min
    is_physical = value > 0.0 and quantity(RATE).is_physical(value)
    return Finding(
        RATE, value, line.rate_uncertainty, flag="ok" if is_physical else "out_of_range", label=label, position=position
    )


def _curves(films: pd.DataFrame, line: RateLine, longest_min: float) -> dict[str, Any]:
    """Films, line and 95 % prediction band."""
    axis = np.linspace(0.0, 1.1 * longest_min, LINE_POINTS)
    middle, width = line.at(axis), line.prediction_uncertainty(axis)
    curves: dict[str, Any] = {
        "points": {
            "duration_min": films["duration_min"].tolist(),
            "film_thickness_nm": films["film_thickness_nm"].tolist(),
            "film_thickness_uncertainty_nm": [
                float(u) if np.isfinite(u) else None for u in films["film_thickness_uncertainty_nm"].astype(float)
            ],
            "film": films["film"].tolist(),
            "run": films["run"].tolist(),
            "measured_on": films["measured_on"].tolist(),
            "is_used": [bool(flag) for flag in films["is_used"]],
            "reason": [reason or None for reason in films["reason"]],
        },
        "line": {"duration_min": axis.tolist(), "film_thickness_nm": middle.tolist()},
    }
    if width is not None:
        reach = line.quantile * width
        curves["band"] = {
            "duration_min": axis.tolist(),
            "lower_nm": (middle - reach).tolist(),
            "upper_nm": (middle + reach).tolist(),
        }
    return curves


def _table(lines: dict[str, RateLine]) -> list[dict[str, Any]]:
    """Rate and intercept of every line, with 95 % intervals."""
    rows: list[dict[str, Any]] = []
    for label, line in lines.items():
        parameters = [(RATE, line.rate_nm_min, line.rate_uncertainty, "nm min⁻¹")]
        if label == "with_intercept":
            parameters.append(("intercept_nm", line.intercept_nm, line.intercept_uncertainty, "nm"))
        for name, value, uncertainty, unit in parameters:
            reach = None if uncertainty is None else line.quantile * uncertainty
            rows.append(
                {
                    "parameter": name,
                    "label": label,
                    "value": value,
                    "uncertainty": uncertainty,
                    "lower": None if reach is None else value - reach,
                    "upper": None if reach is None else value + reach,
                    "unit": unit,
                }
            )
    return rows


def _times(line: RateLine) -> list[dict[str, Any]]:
    """How long to sputter for usual thicknesses, with 95 % intervals."""
    rows: list[dict[str, Any]] = []
    for target in TARGETS_NM if line.rate_nm_min > 0.0 else ():
        time, spread = line.time_for(target)
        if time <= 0.0:
            continue
        reach = None if spread is None else line.quantile * spread
        rows.append(
            {
                "film_thickness_nm": target,
                "duration_min": time,
                "lower": None if reach is None else max(time - reach, 0.0),
                "upper": None if reach is None else time + reach,
                "unit": "min",
            }
        )
    return rows


def _inputs(lines: dict[str, RateLine], films: pd.DataFrame, used: pd.DataFrame) -> dict[str, Any]:
    """What entered, frozen: a thickness that is corrected later does not change what this run has seen."""
    label, line = next(iter(lines.items()))
    names = ["film", "run", "measured_on", "method", "duration_min", "film_thickness_nm", "height_count", "measured_at"]
    rows = used[[*names, "film_thickness_uncertainty_nm"]].astype(object)
    entries = rows.where(rows.notna(), None).to_dict("records")
    last = [str(moment) for moment in used["measured_at"] if isinstance(moment, str) and moment]
    formula = {
        "through_origin": "d = r·t, weighted by the scatter of the readings",
        "with_intercept": "d = a + r·t, weighted by the scatter of the readings",
        "ratio": "r = d / t",
    }[label]
    step = f"{line.intercept_nm:.4g} nm + " if label == "with_intercept" else ""
    return {
        "films": {"value": entries, "uncertainty": None, "origin": "film thicknesses of this setting"},
        "points": {"value": len(used), "uncertainty": None, "origin": "film thicknesses of this setting"},
        "height_count": {"value": int(used["height_count"].sum()), "uncertainty": None, "origin": "readings in all"},
        "newest_at": {"value": max(last, default=None), "uncertainty": None, "origin": "last thickness that entered"},
        "left_out": {"value": films.loc[~films["is_used"], "film"].tolist(), "uncertainty": None, "origin": "person"},
        "is_synthetic": {
            "value": bool(used["is_synthetic"].astype(bool).all()), "uncertainty": None, "origin": "film thicknesses"
        },
        "formula": {"text": formula, "filled": f"d = {step}{line.rate_nm_min:.4g} nm/min × t"},
    }  # fmt: skip
