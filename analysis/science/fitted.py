"""What a circuit fit says in the words of the laboratory: parameters, bulk and grain boundary, doubts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from analysis.science.circuit import Model, effective_capacitance_F
from analysis.science.kramers_kronig import lag_one
from analysis.science.refine import Optimum, log_knee_tau
from analysis.science.spectrum import Spectrum
from analysis.science.starts import KNEE_MARGIN

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

SPLIT_LIMIT = 0.3  # largest u(ln R) for which a split is reported
BULK_CAPACITANCE_F = (1.0e-13, 1.0e-10)
BOUNDARY_CAPACITANCE_F = (1.0e-11, 1.0e-7)
ELECTRODE_CAPACITANCE_F = 1.0e-7
CORRELATED_R1, HIGHEST_R1 = 0.3, 0.95  # residuals that follow each other; near 1 they tell nothing of their variance


@dataclass(frozen=True)
class Parameter:
    """A fitted parameter with its standard uncertainty; None where it sits on a bound or cannot be told."""

    value: float
    uncertainty: float | None
    unit: str
    symbol: str


@dataclass
class Fit:
    """The result of `fit_spectrum`.

    Attributes
    ----------
    circuit : str
        Letter of the circuit.
    circuit_text : str
        The circuit as people write it, ``L–R0–(R1Q1)–Q2``.
    parameters : dict of str to Parameter
        ``R0_ohm``, ``R1_ohm``, ``tau1_s``, ``n1``, ``Q1_S_sn``, ``C1_F``, ..., ``L_H``.
    covariance : array, shape (n_parameters, n_parameters)
        Of the internal parameters (logarithms), scaled by the residual variance and, where residuals follow each
        other, by `variance_factor`; zero rows for fixed ones.
    total_resistance_ohm, total_resistance_uncertainty_ohm : float
        Sum of all resistances with its standard uncertainty. [Ω]
    bulk_resistance_ohm, grain_boundary_resistance_ohm : float or None
        None where the split is not identifiable; each with ``..._uncertainty_ohm``. [Ω]
    rms_fraction : float
        Root mean square of the complex |residual|/|Z|, as in the Kramers-Kronig test.
    residuals : complex array, shape (n_points,)
        (fit − data)/|data|.
    bic : dict of str to float
        Bayesian information criterion of every circuit tried.
    is_converged : bool
    at_bound : list of str
        Names of parameters that sit on a bound.
    warnings : list of (code, sentence)
    spectrum : Spectrum
        The points used.
    """

    circuit: str
    circuit_text: str
    parameters: dict[str, Parameter]
    covariance: Real
    total_resistance_ohm: float
    total_resistance_uncertainty_ohm: float
    bulk_resistance_ohm: float | None
    bulk_resistance_uncertainty_ohm: float | None
    grain_boundary_resistance_ohm: float | None
    grain_boundary_resistance_uncertainty_ohm: float | None
    rms_fraction: float
    residuals: Complex
    bic: dict[str, float]
    is_converged: bool
    at_bound: list[str]
    warnings: list[tuple[str, str]]
    spectrum: Spectrum
    theta: Real = field(repr=False)
    model: Model = field(repr=False)

    def warn(self, code: str, sentence: str) -> None:
        """Say something that bends no number."""
        self.warnings.append((code, sentence))

    @property
    def converged(self) -> bool:
        """Whether the fit found a minimum."""
        return self.is_converged

    @property
    def total_interval_ohm(self) -> tuple[float, float]:
        """95 % interval of the total resistance, with Student's t. [Ω]"""
        degrees = max(2 * self.spectrum.frequency_Hz.size - self.theta.size, 1)
        half = float(stdtrit(degrees, 0.975)) * self.total_resistance_uncertainty_ohm
        return self.total_resistance_ohm - half, self.total_resistance_ohm + half

    def evaluate(self, frequency_Hz: ArrayLike) -> Complex:
        """Impedance of the fitted circuit [Ω] at any frequencies [Hz]."""
        grid = self.model.grid.at(np.atleast_1d(np.asarray(frequency_Hz, dtype=float)))
        return Model(self.model.circuit, grid).impedance(self.theta)


def relative_residuals(optimum: Optimum, z_ohm: Complex) -> Complex:
    """(fit − data)/|data|, complex array of shape (n_points,)."""
    return (optimum.model.impedance(optimum.theta) - z_ohm) / np.abs(z_ohm)


def covariance(optimum: Optimum, weights: Real) -> Real:
    """(JᵀJ)⁻¹ times the residual variance, shape (n_parameters, n_parameters); zero where a parameter is fixed."""
    free = np.flatnonzero(optimum.is_free)
    optimum.model.impedance(optimum.theta)
    jacobian = (optimum.model.jacobian(optimum.theta) * weights)[free].view(float)
    scale = np.sqrt(np.einsum("ij,ij->i", jacobian, jacobian))
    scale[scale == 0.0] = 1.0
    normal = (jacobian / scale[:, None]) @ (jacobian / scale[:, None]).T
    inverse = np.linalg.pinv(normal, rcond=1e-14, hermitian=True) / np.outer(scale, scale)
    degrees = max(jacobian.shape[1] - free.size, 1)
    spread = np.zeros((optimum.theta.size, optimum.theta.size))
    spread[np.ix_(free, free)] = inverse * (optimum.rss / degrees)
    return spread


def variance_factor(r1: float) -> float:
    """By how much residuals that follow each other raise a variance: n of them tell as much as n (1 − r₁)/(1 + r₁).

    Parameters
    ----------
    r1 : float
        Lag-1 autocorrelation of the residuals, as of a first-order autoregression. Below 0.3 it may be chance: 1.

    Notes
    -----
    Bartlett, J. R. Stat. Soc. 98, 536 (1935) (not verified). A circuit that is too simple leaves such residuals.
    """
    r1 = min(r1, HIGHEST_R1)
    return (1.0 + r1) / (1.0 - r1) if r1 >= CORRELATED_R1 else 1.0


def build(
    optimum: Optimum, bic: dict[str, float], spectrum: Spectrum, weights: Real, warnings: list[tuple[str, str]]
) -> Fit:
    """Turn an optimum into what people read."""
    circuit, theta = optimum.model.circuit, optimum.theta
    residuals = relative_residuals(optimum, spectrum.z_ohm)
    rms = math.sqrt(optimum.rss / residuals.size)
    spread = covariance(optimum, weights) * variance_factor(lag_one(residuals))
    resistances = np.zeros(theta.size)
    for i in circuit.resistance_indices:
        resistances[i] = math.exp(theta[i])
    fit = Fit(
        circuit=circuit.letter,
        circuit_text=circuit.text,
        parameters=_parameters(optimum, spread),
        covariance=spread,
        total_resistance_ohm=float(resistances.sum()),
        total_resistance_uncertainty_ohm=math.sqrt(max(float(resistances @ spread @ resistances), 0.0)),
        bulk_resistance_ohm=None,
        bulk_resistance_uncertainty_ohm=None,
        grain_boundary_resistance_ohm=None,
        grain_boundary_resistance_uncertainty_ohm=None,
        rms_fraction=rms,
        residuals=residuals,
        bic=bic,
        is_converged=optimum.is_converged,
        at_bound=_at_bound(optimum),
        warnings=list(warnings),
        spectrum=spectrum,
        theta=theta,
        model=optimum.model,
    )
    _split(fit)
    _observe(fit)
    return fit


def _at_bound(optimum: Optimum) -> list[str]:
    """Public names of the parameters that sit on a bound."""
    names = []
    for name, is_free in zip(optimum.model.circuit.internal_names, optimum.is_free, strict=True):
        if not is_free:
            names.append(name.removeprefix("ln_").replace("tail", f"Q{optimum.model.circuit.arc_count + 1}"))
    return names


def _parameters(optimum: Optimum, spread: Real) -> dict[str, Parameter]:
    """The parameters in their own units, with uncertainties by first-order propagation."""
    circuit, theta, grid = optimum.model.circuit, optimum.theta, optimum.model.grid
    out: dict[str, Parameter] = {}

    def add(name: str, value: float, gradient: dict[int, float], unit: str, symbol: str) -> None:
        places = list(gradient)
        slope = np.array([gradient[i] for i in places])
        variance = float(slope @ spread[np.ix_(places, places)] @ slope)
        is_known = variance > 0.0 and all(optimum.is_free[i] for i in places)
        out[name] = Parameter(value, math.sqrt(variance) if is_known else None, unit, symbol)

    if circuit.has_resistor:
        value = math.exp(theta[0])
        add("R0_ohm", value, {0: value}, "Ω", "R₀")
    for k in range(1, circuit.arc_count + 1):
        at, mark = circuit.first_arc_index + 3 * (k - 1), "₀₁₂₃"[k]
        resistance, tau, n = math.exp(theta[at]), math.exp(theta[at + 1]), float(theta[at + 2])
        q, c = tau**n / resistance, effective_capacitance_F(resistance, tau)
        add(f"R{k}_ohm", resistance, {at: resistance}, "Ω", f"R{mark}")
        add(f"tau{k}_s", tau, {at + 1: tau}, "s", f"τ{mark}")
        add(f"n{k}", n, {at + 2: 1.0}, "1", f"n{mark}")
        add(f"Q{k}_S_sn", q, {at: -q, at + 1: q * n, at + 2: q * math.log(tau)}, "S sⁿ", f"Q{mark}")
        add(f"C{k}_F", c, {at: -c, at + 1: c}, "F", f"C{mark}")
    if circuit.has_tail:
        at, k = circuit.tail_index, circuit.arc_count + 1
        mark, n = "₀₁₂₃"[k], float(theta[at + 1])
        log_omega = math.log(grid.tail_omega)
        q = math.exp(-theta[at] - n * log_omega)
        add(f"n{k}", n, {at + 1: 1.0}, "1", f"n{mark}")
        add(f"Q{k}_S_sn", q, {at: -q, at + 1: -q * log_omega}, "S sⁿ", f"Q{mark}")
    if circuit.has_inductance:
        scale = grid.inductance_scale_H
        add("L_H", float(theta[-1]) * scale, {theta.size - 1: scale}, "H", "L")
    return out


def _split(fit: Fit) -> None:
    """Name bulk and grain boundary where both resistances are certain and their capacitances plausible."""
    names = {"B": ("R0_ohm", "R1_ohm", "C1_F"), "C": ("R1_ohm", "R2_ohm", "C2_F"), "D": ("R0_ohm", "R1_ohm", "C1_F")}
    if fit.circuit not in names:
        reason = "one resistance only" if fit.circuit == "A" else "more than two resistances"
        fit.warnings.append(_split_warning(f"circuit {fit.circuit} holds {reason}"))
        return
    bulk, boundary, capacitance = (fit.parameters[name] for name in names[fit.circuit])
    for part in (bulk, boundary):
        if part.uncertainty is None or part.uncertainty > SPLIT_LIMIT * part.value:
            fit.warnings.append(_split_warning(f"{part.symbol} is uncertain by more than 30 %"))
            return
    low, high = BOUNDARY_CAPACITANCE_F
    if not low <= capacitance.value <= high:
        fit.warnings.append(
            _split_warning(
                f"the capacitance {capacitance.value:.1e} F is not that of grain boundaries ({low:.0e} to {high:.0e} F)"
            )
        )
        return
    if fit.circuit == "C" and not fit.parameters["C1_F"].value < min(capacitance.value, BULK_CAPACITANCE_F[1]):
        fit.warnings.append(_split_warning("the faster arc has not the capacitance of the bulk"))
        return
    fit.bulk_resistance_ohm, fit.bulk_resistance_uncertainty_ohm = bulk.value, bulk.uncertainty
    fit.grain_boundary_resistance_ohm = boundary.value
    fit.grain_boundary_resistance_uncertainty_ohm = boundary.uncertainty


def _split_warning(reason: str) -> tuple[str, str]:
    return (
        "split_not_identifiable",
        f"Bulk and grain boundary cannot be told apart: {reason}. The total is reported. "
        "Measure colder or to higher frequency.",
    )


def _observe(fit: Fit) -> None:
    """Everything about the fit that a person should know and that bends no number."""
    parameters = fit.parameters
    z, omega_high = fit.spectrum.z_ohm, 2.0 * math.pi * float(fit.spectrum.frequency_Hz[0])
    if fit.rms_fraction > 0.02:
        fit.warn(
            "poor_fit",
            f"The fit misses the data by {100 * fit.rms_fraction:.1f} % (rms); good fits stay below 2 %. "
            "Choose another circuit or fit range.",
        )
    if fit.at_bound:
        fit.warn("parameter_at_bound", f"{', '.join(fit.at_bound)} on a bound of the fit. Check the circuit.")
    is_capacitive = z.imag <= 0.0  # leads show at the highest frequencies, which come first
    inductive = int(np.argmax(is_capacitive)) if is_capacitive.any() else z.size
    if inductive:
        fit.warn("inductive_points_used", f"{inductive} points with Z″ > 0 used; the leads' inductance is fitted.")
    if "L_H" in parameters and parameters["L_H"].value < 0.0:
        fit.warn(
            "arc_above_window",
            "The highest frequencies already bend into an arc above the window (the fitted "
            "inductance is negative). The total is not affected.",
        )
    for k in range(1, fit.model.circuit.arc_count + 1):
        if parameters[f"tau{k}_s"].value * omega_high < 1.0:
            fit.warn(
                "arc_apex_above_window",
                f"The top of arc {k} lies above the highest frequency. "
                "Measure colder or to higher frequency to resolve it.",
            )
        if parameters[f"C{k}_F"].value > 10.0 * ELECTRODE_CAPACITANCE_F:
            fit.warn(
                "arc_like_electrode",
                f"Arc {k} has the capacitance of an electrode ({parameters[f'C{k}_F'].value:.1e} F), "
                "yet its resistance is part of the total. Check the contacts.",
            )
    for name, parameter in parameters.items():
        if name.startswith("n") and parameter.value < 0.6:
            fit.warn(
                "n_below_0.6",
                f"{parameter.symbol} = {parameter.value:.2f}: far from a capacitor; several processes may overlap.",
            )
    _observe_tail(fit)


def _observe_tail(fit: Fit) -> None:
    """Whether the tail is that of an electrode, and how close the last arc comes to it."""
    circuit, theta = fit.model.circuit, fit.theta
    if not circuit.has_tail:
        fit.warn(
            "no_electrode_tail",
            "The spectrum ends on the real axis: no blocking electrode is seen. "
            "Check that the electrodes are blocking.",
        )
        return
    at = circuit.tail_index
    capacitance = math.exp(-theta[at]) / fit.model.grid.tail_omega
    if capacitance < 0.1 * ELECTRODE_CAPACITANCE_F:
        fit.warn(
            "tail_capacitance_small",
            f"The low-frequency branch has only {capacitance:.1e} F, too little for an "
            "electrode: it may be an arc that the window cuts off. Measure to lower frequency.",
        )
    if circuit.arc_count:
        tau = theta[circuit.first_arc_index + 3 * (circuit.arc_count - 1) + 1]
        knee = log_knee_tau(circuit, theta, fit.model.grid.tail_omega)
        if tau > knee - math.log(2.0 * KNEE_MARGIN):
            fit.warn(
                "arc_overlaps_electrode_tail",
                "The last arc runs into the electrode's tail; its resistance depends on the shape assumed for both.",
            )
