"""Fit of an equivalent circuit to an impedance spectrum: start values, bounds, choice of circuit.

References
----------
Boukamp, Solid State Ionics 20, 31 (1986), 10.1016/0167-2738(86)90031-7 (not verified): complex least squares.
Irvine, Sinclair, West, Adv. Mater. 2, 132 (1990): assignment of arcs by capacitance.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.science.base import AnalysisError
from analysis.science.circuit import CIRCUITS, Grid, Model, circuit_letter
from analysis.science.fitted import Fit, Parameter, build, covariance, relative_residuals
from analysis.science.kramers_kronig import lag_one
from analysis.science.refine import LOOSE, MEDIUM, Limits, Optimum, refine_inside
from analysis.science.spectrum import Spectrum, prepare
from analysis.science.starts import KNEE_MARGIN, Scan

__all__ = ["Fit", "Parameter", "fit_prepared", "fit_spectrum"]

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

BIC_MARGIN = 6.0
FEW_POINTS = 20
FEW_DECADES = 3.0
NOISE_FLOOR = 1.0e-7  # relative; below it spectra are computed, not measured
HOPELESS = 15.0  # a rough fit whose BIC is this much worse than the best cannot become the choice
LAST_CALLS = 600  # of the chosen circuit: the valley of an arc far above the window is long and flat
SAME_MINIMUM = 1.0e-3  # relative difference of squares below which two starts have found the same
GOOD_ENOUGH = 1.0e-3  # rms, the accuracy of good instruments: below, nothing richer than D is sought
# Lag-1 autocorrelation of residuals. Of noise it is about -0.1 ± 0.1, for the fitted parameters take up some of it:
WHITE = -0.1  # below, two arcs are not tried after one
CORRELATED = 0.05  # above, circuit E is tried


def fit_spectrum(
    frequency_Hz: ArrayLike,
    z_ohm: ArrayLike,
    circuit: str | None = None,
    fit_range_Hz: Sequence[float] | None = None,
    masked: Collection[int] = (),
) -> Fit:
    """Fit an equivalent circuit to a spectrum; the circuit is chosen unless one is named.

    Parameters
    ----------
    frequency_Hz : array, shape (n_rows,)
        Frequency, in any order. [Hz]
    z_ohm : complex array, shape (n_rows,)
        Impedance, capacitive Z'' negative. [Ω]
    circuit : str, optional
        Force this circuit: a letter from A to F, or its text such as ``R0-(R1Q1)-Q2``.
    fit_range_Hz : (low, high), optional
        Frequencies to use. [Hz]
    masked : collection of int
        Row numbers, from 0, to leave out.

    Returns
    -------
    Fit

    Raises
    ------
    AnalysisError
        Fewer than ten usable points, an unknown circuit, or no circuit that can be fitted.

    Notes
    -----
    Least squares of (Z_fit − Z)/|Z|, real and imaginary parts alike; covariance (JᵀJ)⁻¹ scaled by the residual
    variance. Circuits are compared by BIC; a simpler one stays unless the gain is more than 6.
    """
    return fit_prepared(prepare(frequency_Hz, z_ohm, fit_range_Hz, masked), circuit)


def fit_prepared(spectrum: Spectrum, circuit: str | None = None, candidates: Sequence[str] | None = None) -> Fit:
    """`fit_spectrum` of a cleaned spectrum; `candidates` replaces the circuits to choose among."""
    letter = circuit_letter(circuit) if circuit is not None else None
    if circuit is not None and letter is None:
        known = ", ".join(f"{name} ({known.text})" for name, known in CIRCUITS.items())
        raise AnalysisError(f"Circuit “{circuit}” is not known. Choose one of {known}.")
    warnings = list(spectrum.warnings)
    weights = 1.0 / np.abs(spectrum.z_ohm)
    grid = Grid.of(spectrum.frequency_Hz, spectrum.z_ohm)
    letters = [letter] if letter is not None else list(candidates or _candidates(spectrum, warnings))
    search = _Search(spectrum, grid, weights)
    with np.errstate(all="ignore"):
        best = search.run(letters, may_add=letter is None and candidates is None and len(letters) > 1)
        if best is None:
            raise AnalysisError("No circuit could be fitted to this spectrum. Choose a smaller fit range or a circuit.")
        best = refine_inside(
            best.model, spectrum.z_ohm, weights, best.theta, search.limits, max_calls=LAST_CALLS, is_free=best.is_free
        )
        best = _drop_inductance(best, spectrum.z_ohm, weights, search.limits)
    return build(best, search.bic, spectrum, weights, warnings)


def _candidates(spectrum: Spectrum, warnings: list[tuple[str, str]]) -> list[str]:
    """The circuits to choose among; only A for a spectrum too small to tell more."""
    count = spectrum.frequency_Hz.size
    decades = math.log10(spectrum.frequency_Hz[0] / spectrum.frequency_Hz[-1])
    if count >= FEW_POINTS and decades >= FEW_DECADES - 1e-6:
        # An arc that has closed inside the window ends with −Z″ < Z′: without that, D need not be tried.
        last = spectrum.z_ohm[-1]
        return ["A", "B", "D", "C"] if -last.imag < 1.5 * last.real else ["A", "B", "C"]
    if count < FEW_POINTS:
        found = f"{count} points found, a choice of circuits needs at least {FEW_POINTS}"
    else:
        found = f"The spectrum covers {decades:.1f} decades of frequency, a choice of circuits needs 3"
    advice = "Only resistor and electrode (circuit A) were fitted. Measure more points."
    warnings.append(("few_points", f"{found}. {advice}"))
    return ["A"]


class _Search:
    """Fits circuits to one spectrum and remembers the best of each."""

    def __init__(self, spectrum: Spectrum, grid: Grid, weights: Real) -> None:
        self.z_ohm, self.grid, self.weights = spectrum.z_ohm, grid, weights
        self.scan = Scan(grid, spectrum.z_ohm, weights)
        self.optima: dict[str, Optimum] = {}
        self.bic: dict[str, float] = {}
        self.limits = Limits(
            log_tau_low=-math.log(8.0 * grid.omega.max()),
            log_tau_high=math.log(8.0 / grid.omega.min()),
            log_resistance_high=math.log(2.0 * float(spectrum.z_ohm.real.max())),
            knee_margin=KNEE_MARGIN,
        )

    def run(self, letters: Sequence[str], may_add: bool) -> Optimum | None:
        """Try circuits from simple to rich, and stop where the residuals are noise already."""
        for letter in letters:
            if letter == "C" and may_add and self._best_correlation() < WHITE:
                break
            self.try_circuit(letter)
        if may_add and self._best_correlation() > CORRELATED and self._best_rms() > GOOD_ENOUGH:
            self.try_richer()
        return self.best()

    def _best_rms(self) -> float:
        """Relative rms of the best so far."""
        best = self.best()
        return math.inf if best is None else math.sqrt(best.rss / self.z_ohm.size)

    def _best_correlation(self) -> float:
        """Lag-1 autocorrelation of the residuals of the best so far: near 0 for noise, near 1 for a wrong circuit."""
        best = self.best()
        return 1.0 if best is None else lag_one(relative_residuals(best, self.z_ohm))

    def try_circuit(self, letter: str) -> None:
        """Fit one circuit from its best starts."""
        circuit = CIRCUITS[letter]
        model = Model(circuit, self.grid)
        rough: list[Optimum] = []
        for start in self.scan.starts(circuit, 3 if circuit.arc_count < 2 else 2):
            if not np.isfinite(start).all():
                continue
            found = refine_inside(model, self.z_ohm, self.weights, start, self.limits, LOOSE, 40)
            if circuit.arc_count < 2 and any(
                abs(found.rss - earlier.rss) < SAME_MINIMUM * earlier.rss for earlier in rough
            ):
                break  # two starts agree: another one would only repeat them
            if np.isfinite(found.rss):
                rough.append(found)
        if not rough:
            return
        best = min(rough, key=lambda optimum: optimum.rss)
        if self.bic and _bic(best) > min(self.bic.values()) + HOPELESS:
            self._keep(letter, best)
            return
        if not best.is_free.all():
            # A rough fit may have touched a bound on its way only: let go of it once.
            again = refine_inside(model, self.z_ohm, self.weights, best.theta, self.limits, MEDIUM, 100)
            best = min(best, again, key=lambda optimum: optimum.rss)
        polished = refine_inside(model, self.z_ohm, self.weights, best.theta, self.limits, MEDIUM, 100, best.is_free)
        self._keep(letter, polished)

    def _keep(self, letter: str, optimum: Optimum) -> None:
        """Remember an optimum of a circuit if it is the best so far."""
        known = self.optima.get(letter)
        if np.isfinite(optimum.rss) and (known is None or optimum.rss < known.rss):
            self.optima[letter] = _ordered(optimum)
            self.bic[letter] = _bic(optimum)

    def try_richer(self) -> None:
        """Fit E, or F without a tail; where E's resistor vanishes, it was a C that the starts of C had missed."""
        if "D" in self.optima and self._is_possible("D", self.optima["D"]):
            self.try_circuit("F")
        self.try_circuit("E")
        richer = self.optima.get("E")
        if richer is not None and not richer.is_free[0]:
            model = Model(CIRCUITS["C"], self.grid)
            self._keep("C", refine_inside(model, self.z_ohm, self.weights, richer.theta[1:], self.limits, MEDIUM, 100))

    def best(self) -> Optimum | None:
        """The simplest circuit that no other beats by more than the margin."""
        allowed = {letter: optimum for letter, optimum in self.optima.items() if self._is_possible(letter, optimum)}
        allowed = allowed or self.optima
        if not allowed:
            return None
        lowest = min(self.bic[letter] for letter in allowed)
        near = [letter for letter in allowed if self.bic[letter] <= lowest + BIC_MARGIN]
        return allowed[min(near, key=lambda letter: (len(CIRCUITS[letter].internal_names), self.bic[letter]))]

    def _is_possible(self, letter: str, optimum: Optimum) -> bool:
        """Whether a circuit is believed: a tail must be seen; without one the slowest arc must close in the window."""
        circuit = CIRCUITS[letter]
        if circuit.has_tail:
            return bool(optimum.is_free[circuit.tail_index])
        slowest = optimum.theta[circuit.first_arc_index + 3 * (circuit.arc_count - 1) + 1]
        return bool(slowest < -math.log(self.grid.omega.min()))


def _ordered(optimum: Optimum) -> Optimum:
    """The same optimum with the faster of two arcs first."""
    circuit, theta, is_free = optimum.model.circuit, optimum.theta, optimum.is_free
    first = circuit.first_arc_index
    if circuit.arc_count == 2 and theta[first + 1] > theta[first + 4]:
        order = np.arange(theta.size)
        order[first : first + 6] = [*range(first + 3, first + 6), *range(first, first + 3)]
        optimum.theta, optimum.is_free = theta[order], is_free[order]
    return optimum


def _bic(optimum: Optimum) -> float:
    """Bayesian information criterion, with a floor for computed spectra without noise."""
    count = 2 * optimum.model.grid.omega.size
    variance = optimum.rss / count + NOISE_FLOOR**2
    return count * math.log(variance) + optimum.theta.size * math.log(count)


def _drop_inductance(optimum: Optimum, z_ohm: Complex, weights: Real, limits: Limits) -> Optimum:
    """Refit without the inductance where it is smaller than twice its uncertainty."""
    circuit = optimum.model.circuit
    if not circuit.has_inductance:
        return optimum
    spread = covariance(optimum, weights)
    if optimum.is_free[-1] and abs(optimum.theta[-1]) > 2.0 * math.sqrt(spread[-1, -1]):
        return optimum
    model = Model(circuit.without_inductance(), optimum.model.grid)
    smaller = refine_inside(model, z_ohm, weights, optimum.theta[:-1], limits, is_free=optimum.is_free[:-1])
    # Two standard deviations raise the squares by 4/(2 n_points); much more means another minimum.
    is_same = smaller.rss <= optimum.rss * (1.0 + 4.0 / z_ohm.size) or smaller.rss < NOISE_FLOOR**2 * z_ohm.size
    return smaller if smaller.is_converged and is_same else optimum
