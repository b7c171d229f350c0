"""Least squares of one circuit from one start, inside the bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import leastsq

from analysis.science.circuit import Circuit, Model

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

ARC_EXPONENT_RANGE = (0.5, 1.0)
TAIL_EXPONENT_RANGE = (0.3, 1.0)
SMALLEST_TAIL = 0.01  # of the largest resistance, at the lowest frequency; a smaller tail is none
LOOSE, MEDIUM, TIGHT = 1.0e-3, 1.0e-5, 1.0e-10  # relative change of the squares at which to stop


@dataclass
class Optimum:
    """A minimum of the weighted squares.

    Attributes
    ----------
    theta : array, shape (n_parameters,)
        Internal parameters.
    rss : float
        Sum of weighted squares over real and imaginary parts.
    is_free : bool array, shape (n_parameters,)
        False where a parameter was fixed on a bound.
    """

    model: Model
    theta: Real
    rss: float
    is_free: NDArray[np.bool_]
    is_converged: bool


class _Problem:
    """Residuals and Jacobian for MINPACK; parameters on a bound are left out of the vector it sees."""

    def __init__(self, model: Model, z_ohm: Complex, weights: Real, theta: Real, is_free: NDArray[np.bool_]) -> None:
        self.model, self.z_ohm, self.weights = model, z_ohm, weights
        self.full = theta.copy()
        self.free = np.flatnonzero(is_free)
        self.all_free = bool(is_free.all())
        self._at = b""

    def _spread(self, x: Real) -> Real:
        if self.all_free:
            return x
        self.full[self.free] = x
        return self.full

    def residuals(self, x: Real) -> Real:
        """Weighted residuals, real and imaginary part in turn, shape (2 n_points,)."""
        self._at = x.tobytes()
        difference = self.model.impedance(self._spread(x)) - self.z_ohm
        difference *= self.weights
        return difference.view(float)

    def jacobian(self, x: Real) -> Real:
        """Their derivatives, shape (n_free, 2 n_points)."""
        if x.tobytes() != self._at:
            self.residuals(x)
        derivative = self.model.jacobian(self._spread(x), self.weights)
        return (derivative if self.all_free else derivative[self.free]).view(float)


def refine(
    model: Model,
    z_ohm: Complex,
    weights: Real,
    theta: Real,
    is_free: NDArray[np.bool_] | None = None,
    tolerance: float = TIGHT,
    max_calls: int = 200,
) -> Optimum:
    """Levenberg-Marquardt (MINPACK lmder) from one start, bounds not looked at.

    Parameters
    ----------
    model : Model
    z_ohm : complex array, shape (n_points,)
        Data. [Ω]
    weights : array, shape (n_points,)
        1/|Z|. [Ω⁻¹]
    theta : array, shape (n_parameters,)
        Start.
    is_free : bool array, optional
        Which parameters may move.
    tolerance : float
        Relative change of the squares at which to stop.
    max_calls : int
        Most residual evaluations.
    """
    free = np.ones(theta.size, dtype=bool) if is_free is None else is_free
    problem = _Problem(model, z_ohm, weights, theta, free)
    found: Any = leastsq(
        problem.residuals,
        theta[free],
        Dfun=problem.jacobian,
        col_deriv=True,
        full_output=True,
        ftol=tolerance,
        xtol=1e-3 * tolerance,
        gtol=0.0,
        maxfev=max_calls,
    )
    solution = theta.copy()
    solution[free] = found[0]
    residuals = found[2]["fvec"]
    rss = float(residuals @ residuals)
    ok = found[4] in (1, 2, 3, 4) and np.isfinite(rss) and bool(np.isfinite(solution).all())
    return Optimum(model, solution, rss if np.isfinite(rss) else np.inf, free, ok)


@dataclass(frozen=True)
class Limits:
    """What bounds depend on beside the parameters themselves.

    Attributes
    ----------
    log_tau_low, log_tau_high : float
        Time constants that the window can show. [ln s]
    log_resistance_high : float
        Largest believable resistance. [ln Ω]
    knee_margin : float
        An arc must be this much faster than the knee of the tail.
    """

    log_tau_low: float
    log_tau_high: float
    log_resistance_high: float
    knee_margin: float


def log_knee_tau(circuit: Circuit, theta: Real, tail_omega: float) -> float:
    """ln of 1/ω at which the tail's magnitude equals the sum of the resistances. [ln s]"""
    resistance = sum(np.exp(theta[i]) for i in circuit.resistance_indices)
    at = circuit.tail_index
    return float((np.log(resistance) - theta[at]) / theta[at + 1] - np.log(tail_omega))


def bounds(circuit: Circuit, theta: Real, limits: Limits, tail_omega: float) -> tuple[Real, Real]:
    """Lower and upper bounds of all internal parameters near `theta`, each of shape (n_parameters,)."""
    low, high = np.full(theta.size, -np.inf), np.full(theta.size, np.inf)
    largest = max(theta[i] for i in circuit.resistance_indices)
    for i in circuit.resistance_indices:
        low[i], high[i] = largest - 9.0, limits.log_resistance_high
    tau_high = limits.log_tau_high
    if circuit.has_tail:
        tau_high = min(tau_high, log_knee_tau(circuit, theta, tail_omega) - np.log(limits.knee_margin))
        at = circuit.tail_index
        low[at], high[at] = largest + np.log(SMALLEST_TAIL), largest + 30.0
        low[at + 1], high[at + 1] = TAIL_EXPONENT_RANGE
    for k in range(circuit.arc_count):
        at = circuit.first_arc_index + 3 * k
        low[at + 1], high[at + 1] = limits.log_tau_low, max(tau_high, limits.log_tau_low + 0.1)
        low[at + 2], high[at + 2] = ARC_EXPONENT_RANGE
    if circuit.has_inductance and circuit.arc_count == 2:
        low[-1] = 0.0  # both arcs are explicit: nothing is left that could look like a negative inductance
    return low, high


def refine_inside(
    model: Model,
    z_ohm: Complex,
    weights: Real,
    theta: Real,
    limits: Limits,
    tolerance: float = TIGHT,
    max_calls: int = 200,
    is_free: NDArray[np.bool_] | None = None,
) -> Optimum:
    """`refine`, then fix on its bound whatever left the box, and refine the rest (active set).

    MINPACK without bounds is several times faster than any bounded solver, and most optima lie inside.
    """
    circuit, tail_omega = model.circuit, model.grid.tail_omega
    optimum = refine(model, z_ohm, weights, theta, is_free, tolerance, max_calls)
    for _ in range(2 if tolerance >= LOOSE else 4):
        low, high = bounds(circuit, optimum.theta, limits, tail_omega)
        outside = optimum.is_free & ((optimum.theta < low) | (optimum.theta > high))
        if not outside.any() or not np.isfinite(optimum.theta).all():
            return optimum
        if any(outside[i + 1] for i in _arc_places(circuit)):
            low, high = bounds(circuit, theta, limits, tail_omega)  # the runaway optimum's knee means nothing
        clipped = np.clip(optimum.theta, low, high)
        clipped = np.where(np.isfinite(clipped), clipped, theta)
        again = refine(model, z_ohm, weights, clipped, optimum.is_free & ~outside, tolerance, max_calls)
        optimum = again
    return optimum


def _arc_places(circuit: Circuit) -> range:
    """Positions of the ln R of the arcs."""
    return range(circuit.first_arc_index, circuit.first_arc_index + 3 * circuit.arc_count, 3)
