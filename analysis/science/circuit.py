"""Equivalent circuits of a solid electrolyte between two electrodes, with exact derivatives.

A circuit is a series of a lead inductance, a resistor, arcs (R in parallel with a constant phase element, CPE) and the
CPE of a blocking electrode (the tail). Arcs are described by R, the time constant tau and the exponent n rather than by
R, Q and n: with tau most of the correlation between Q and n is gone, and a fit converges from a naive start.

References
----------
Irvine, Sinclair, West, Adv. Mater. 2, 132 (1990): which capacitance belongs to which process.
Brug et al., 10.1016/S0022-0728(84)80324-1: effective capacitance of a CPE.
"""

from __future__ import annotations

import cmath
import math
import re
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Circuit:
    """Which elements stand in series.

    Attributes
    ----------
    letter : str
        A, B, C and D are chosen among automatically; E follows when none of them describes the data; F is for cells
        whose electrodes are not blocking.
    has_resistor : bool
        Whether a resistor R0 is present.
    arc_count : int
        Number of R-CPE arcs, fastest first.
    has_tail : bool
        Whether the CPE of a blocking electrode ends the series.
    has_inductance : bool
        Whether the inductance of the leads is a free parameter.
    """

    letter: str
    has_resistor: bool
    arc_count: int
    has_tail: bool
    has_inductance: bool = True

    @cached_property
    def internal_names(self) -> tuple[str, ...]:
        """Names of the internal parameters, in the order of the parameter vector."""
        names = ["ln_R0"] if self.has_resistor else []
        for k in range(1, self.arc_count + 1):
            names += [f"ln_R{k}", f"ln_tau{k}", f"n{k}"]
        if self.has_tail:
            names += ["ln_tail", f"n{self.arc_count + 1}"]
        return tuple(names + (["inductance"] if self.has_inductance else []))

    @cached_property
    def first_arc_index(self) -> int:
        """Position of the first arc in the parameter vector."""
        return 1 if self.has_resistor else 0

    @cached_property
    def tail_index(self) -> int:
        """Position of the tail in the parameter vector (meaningless without a tail)."""
        return self.first_arc_index + 3 * self.arc_count

    @cached_property
    def resistance_indices(self) -> tuple[int, ...]:
        """Positions of all ln R in the parameter vector, from high to low frequency."""
        first = self.first_arc_index
        return (*((0,) if self.has_resistor else ()), *(first + 3 * k for k in range(self.arc_count)))

    @property
    def text(self) -> str:
        """The circuit as people write it, e.g. ``L–R0–(R1Q1)–Q2``."""
        parts = ["L"] if self.has_inductance else []
        parts += ["R0"] if self.has_resistor else []
        parts += [f"(R{k}Q{k})" for k in range(1, self.arc_count + 1)]
        parts += [f"Q{self.arc_count + 1}"] if self.has_tail else []
        return "–".join(parts)

    def without_inductance(self) -> Circuit:
        """The same circuit without the inductance of the leads."""
        return replace(self, has_inductance=False)


CIRCUITS = {
    "A": Circuit("A", has_resistor=True, arc_count=0, has_tail=True),
    "B": Circuit("B", has_resistor=True, arc_count=1, has_tail=True),
    "C": Circuit("C", has_resistor=False, arc_count=2, has_tail=True),
    "D": Circuit("D", has_resistor=True, arc_count=1, has_tail=False),
    "E": Circuit("E", has_resistor=True, arc_count=2, has_tail=True),
    "F": Circuit("F", has_resistor=True, arc_count=2, has_tail=False),
}


def circuit_letter(text: str) -> str | None:
    """The letter of a circuit that a person names: ``b``, ``L–R0–(R1Q1)–Q2``, ``R-p(R,CPE)-CPE``; None if unknown."""
    if text.strip().upper() in CIRCUITS:
        return text.strip().upper()
    plain = re.sub(r"P(?=\()", "", text.upper().replace("CPE", "Q"))
    plain = re.sub(r"[^RQ()]", "", plain)
    for letter, circuit in CIRCUITS.items():
        if plain == re.sub(r"[^RQ()]", "", circuit.text):
            return letter
    return None


@dataclass(frozen=True)
class Grid:
    """The frequencies of a spectrum, and what the circuits need of them again and again.

    Attributes
    ----------
    omega : array, shape (n_points,)
        Angular frequency. [rad s⁻¹]
    log_j_omega : complex array, shape (n_points,)
        ln(jω), so that a power of jω is one exponential.
    tail_omega : float
        Frequency at which the tail's magnitude is the parameter: the lowest one. [rad s⁻¹]
    inductance_scale_H : float
        Unit of the internal inductance, so that it is of the order of one. [H]
    """

    omega: Real
    log_j_omega: Complex
    tail_omega: float
    inductance_scale_H: float

    @classmethod
    def of(cls, frequency_Hz: Real, z_ohm: Complex) -> Grid:
        """Build from a spectrum.

        Parameters
        ----------
        frequency_Hz : array, shape (n_points,)
            Frequency. [Hz]
        z_ohm : complex array, shape (n_points,)
            Impedance. [Ω]
        """
        omega = 2.0 * np.pi * frequency_Hz
        top = int(np.argmax(omega))
        scale = float(abs(z_ohm[top]) / omega[top])
        return cls(omega, np.log(omega) + 0.5j * np.pi, float(omega.min()), scale)

    def at(self, frequency_Hz: Real) -> Grid:
        """The same scales at other frequencies [Hz]."""
        omega = 2.0 * np.pi * np.asarray(frequency_Hz, dtype=float)
        return replace(self, omega=omega, log_j_omega=np.log(omega) + 0.5j * np.pi)


def _exp(value: float) -> float:
    """e to the power of a number, infinite where it leaves the range, as numpy has it."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _turn(n: float) -> complex:
    """The n-th power of j; not a number where a fit has run away."""
    try:
        return cmath.rect(1.0, 0.5 * math.pi * n)
    except ValueError:
        return complex(math.nan, math.nan)


class Model:
    """A circuit on given frequencies: impedance and exact Jacobian in the internal parameters.

    The internal parameters are ln R [Ω], ln tau [s], n, the logarithm of the tail's magnitude at the lowest frequency
    [Ω] with its exponent, and the inductance in units of ``grid.inductance_scale_H``. The inductance alone is not
    logarithmic: an arc above the window looks like a negative one, and a fit that forbids the sign is biased.

    Notes
    -----
    With a = (jω tau)^n an arc is Z = R/(1+a), and with g = Z (Z/R − 1): dZ/dlnR = Z, dZ/dln tau = n g,
    dZ/dn = g ln(jω tau). A tail X (jω/ω₀)^(−n): dZ/dlnX = Z, dZ/dn = −Z ln(jω/ω₀).
    """

    def __init__(self, circuit: Circuit, grid: Grid) -> None:
        self.circuit = circuit
        self.grid = grid
        self._log = grid.log_j_omega
        self._log_tail = grid.log_j_omega - np.log(grid.tail_omega)
        # A power of jω is a real power of ω turned by a constant angle: a real exponential costs a tenth of a complex.
        self._log_omega = np.ascontiguousarray(self._log.real)
        self._log_tail_omega = np.ascontiguousarray(self._log_tail.real)
        self._minus_log_tail = -self._log_tail
        self._inductive = 1j * grid.omega * grid.inductance_scale_H
        self._parts: list[Complex] = []
        self._jacobian = np.empty((len(circuit.internal_names), grid.omega.size), dtype=complex)

    def impedance(self, theta: Real) -> Complex:
        """Impedance [Ω], complex array of shape (n_points,), of the internal parameters of shape (n_parameters,)."""
        circuit = self.circuit
        values = theta.tolist()
        first = circuit.first_arc_index
        total = self._inductive * values[-1] if circuit.has_inductance else np.zeros_like(self._inductive)
        if circuit.has_resistor:
            total += _exp(values[0])
        self._parts = []
        for at in range(first, circuit.tail_index, 3):
            n = values[at + 2]
            part = np.exp(n * (self._log_omega + values[at + 1])) * _turn(n)
            part += 1.0
            np.divide(_exp(values[at]), part, out=part)
            self._parts.append(part)
            total += part
        if circuit.has_tail:
            at = circuit.tail_index
            n = values[at + 1]
            part = np.exp(values[at] - n * self._log_tail_omega) * _turn(-n)
            self._parts.append(part)
            total += part
        return total

    def jacobian(self, theta: Real, weights: Real | float = 1.0) -> Complex:
        """Derivatives by the internal parameters times `weights`, complex array of shape (n_parameters, n_points).

        Uses the parts of the last call of `impedance`, which must have been at the same `theta`. The array is reused.
        """
        circuit, out = self.circuit, self._jacobian
        values = theta.tolist()
        if circuit.has_resistor:
            out[0] = _exp(values[0]) * weights
        for k in range(circuit.arc_count):
            at, part = circuit.first_arc_index + 3 * k, self._parts[k]
            weighted = np.multiply(part, weights, out=out[at])
            slope = part * _exp(-values[at])
            slope -= 1.0
            slope *= weighted
            np.multiply(slope, values[at + 2], out=out[at + 1])
            np.multiply(slope, self._log + values[at + 1], out=out[at + 2])
        if circuit.has_tail:
            at, part = circuit.tail_index, self._parts[-1]
            weighted = np.multiply(part, weights, out=out[at])
            np.multiply(weighted, self._minus_log_tail, out=out[at + 1])
        if circuit.has_inductance:
            np.multiply(self._inductive, weights, out=out[-1])
        return out


def effective_capacitance_F(resistance_ohm: float, tau_s: float) -> float:
    """Capacitance of an R-CPE arc, C = Q^(1/n) R^(1/n − 1) = tau/R.

    Parameters
    ----------
    resistance_ohm : float
        Resistance of the arc. [Ω]
    tau_s : float
        Time constant (R Q)^(1/n). [s]

    Returns
    -------
    float
        Effective capacitance. [F]

    References
    ----------
    Brug et al., 10.1016/S0022-0728(84)80324-1; the form of Hsu and Mansfeld for a CPE parallel to its resistor.
    """
    return tau_s / resistance_ohm
