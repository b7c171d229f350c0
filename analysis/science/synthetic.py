"""SYNTHETIC impedance spectra with known truth. Nothing in this module was measured.

For tests, benchmarks and the reference campaign. Whoever stores such a spectrum marks the record ``is_synthetic``.
Every function draws from the generator it is given, so a seed fixes the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

BOLTZMANN_EV_K = 8.617333262e-5
ZERO_CELSIUS_K = 273.15
VACUUM_PERMITTIVITY_F_CM = 8.8541878128e-14


def frequencies_Hz(high_Hz: float = 1.0e6, low_Hz: float = 0.01, points_per_decade: int = 10) -> Real:
    """Logarithmic sweep from high to low, ends included, array of shape (n_points,). [Hz]"""
    count = round(np.log10(high_Hz / low_Hz) * points_per_decade) + 1
    return np.geomspace(high_Hz, low_Hz, count)


def arc_ohm(frequency_Hz: Real, resistance_ohm: float, tau_s: float, exponent: float) -> Complex:
    """R in parallel with a CPE, R/(1 + (jω tau)^n), complex array of shape (n_points,). [Ω]"""
    omega = 2.0 * np.pi * np.asarray(frequency_Hz, dtype=float)
    return np.asarray(resistance_ohm / (1.0 + (1j * omega * tau_s) ** exponent), dtype=complex)


def cpe_ohm(frequency_Hz: Real, q_S_sn: float, exponent: float) -> Complex:
    """Constant phase element, 1/(Q (jω)^n), complex array of shape (n_points,). [Ω]"""
    omega = 2.0 * np.pi * np.asarray(frequency_Hz, dtype=float)
    return np.asarray(1.0 / (q_S_sn * (1j * omega) ** exponent), dtype=complex)


def with_noise(z_ohm: Complex, noise_fraction: float, rng: np.random.Generator) -> Complex:
    """Proportional noise: independent normal errors of |Z| × `noise_fraction` on both parts. [Ω]"""
    errors = rng.standard_normal(z_ohm.shape) + 1j * rng.standard_normal(z_ohm.shape)
    return z_ohm * (1.0 + 0.0j) + noise_fraction * np.abs(z_ohm) * errors


def total_resistance_ohm(
    *,
    total_conductivity_25degC_S_cm: float,
    activation_energy_eV: float,
    thickness_um: float,
    electrode_area_cm2: float,
    temperature_degC: float,
) -> float:
    """True total resistance of a synthetic pellet: σT = A exp(−E_a/kT) exactly. [Ω]

    Parameters
    ----------
    total_conductivity_25degC_S_cm : float
        σ at 25 °C, fixes A. [S cm⁻¹]
    activation_energy_eV : float
        E_a of σT. [eV]
    thickness_um, electrode_area_cm2, temperature_degC : float
        Pellet thickness [µm], electrode area [cm²], temperature [°C].
    """
    kelvin, reference = temperature_degC + ZERO_CELSIUS_K, 25.0 + ZERO_CELSIUS_K
    shift = np.exp(-activation_energy_eV / BOLTZMANN_EV_K * (1.0 / kelvin - 1.0 / reference))
    sigma = total_conductivity_25degC_S_cm * reference / kelvin * shift
    return float(thickness_um * 1.0e-4 / (sigma * electrode_area_cm2))


def blocking_cell_spectrum(
    frequency_Hz: ArrayLike,
    *,
    total_conductivity_25degC_S_cm: float,
    activation_energy_eV: float,
    thickness_um: float,
    electrode_area_cm2: float,
    temperature_degC: float,
    noise_fraction: float,
    rng: np.random.Generator,
    bulk_fraction: float = 0.4,
    relative_permittivity: float = 40.0,
    boundary_capacitance_F: float = 3.0e-9,
    boundary_exponent: float = 0.85,
    electrode_q_S_sn_cm2: float = 8.0e-6,
    electrode_exponent: float = 0.88,
    inductance_H: float = 5.0e-7,
) -> Complex:
    """SYNTHETIC spectrum of a ceramic pellet between two blocking electrodes, complex array of shape (n_points,). [Ω]

    Parameters
    ----------
    total_conductivity_25degC_S_cm, activation_energy_eV, thickness_um, electrode_area_cm2, temperature_degC : float
        See `total_resistance_ohm`, which gives the truth.
    noise_fraction : float
        Proportional noise on either part, drawn from `rng`.
    bulk_fraction : float
        Share of the bulk in the total resistance, the same at every temperature: the total is exactly Arrhenius.
    relative_permittivity : float
        Of the bulk; with the geometry it places the bulk arc (some tens of MHz for LAGP at 25 °C).
    boundary_capacitance_F, boundary_exponent : float
        Effective capacitance [F] and CPE exponent of the grain boundary arc.
    electrode_q_S_sn_cm2, electrode_exponent, inductance_H : float
        CPE of both electrodes together, per area; leads [H].
    """
    frequency = np.asarray(frequency_Hz, dtype=float)
    total = total_resistance_ohm(
        total_conductivity_25degC_S_cm=total_conductivity_25degC_S_cm,
        activation_energy_eV=activation_energy_eV,
        thickness_um=thickness_um,
        electrode_area_cm2=electrode_area_cm2,
        temperature_degC=temperature_degC,
    )
    bulk, boundary = bulk_fraction * total, (1.0 - bulk_fraction) * total
    bulk_capacitance = VACUUM_PERMITTIVITY_F_CM * relative_permittivity * electrode_area_cm2 / (thickness_um * 1.0e-4)
    z = 2j * np.pi * frequency * inductance_H
    z = z + arc_ohm(frequency, bulk, bulk * bulk_capacitance, 1.0)
    z = z + arc_ohm(frequency, boundary, boundary * boundary_capacitance_F, boundary_exponent)
    z = z + cpe_ohm(frequency, electrode_q_S_sn_cm2 * electrode_area_cm2, electrode_exponent)
    return with_noise(z, noise_fraction, rng)


def symmetric_cell_spectrum(
    frequency_Hz: ArrayLike,
    *,
    electrolyte_resistance_ohm: float,
    interfacial_resistance_ohm: float,
    noise_fraction: float,
    rng: np.random.Generator,
    interfacial_capacitance_F: float = 2.0e-6,
    interfacial_exponent: float = 0.85,
    inductance_H: float = 5.0e-7,
    drift_fraction: float = 0.0,
) -> Complex:
    """SYNTHETIC spectrum of a cell with two lithium electrodes: ends on the real axis, no tail.

    Parameters
    ----------
    frequency_Hz : array, shape (n_points,)
        In the order of measurement, which matters for the drift. [Hz]
    electrolyte_resistance_ohm, interfacial_resistance_ohm : float
        Electrolyte; both interfaces together. [Ω]
    noise_fraction : float
        Proportional noise on either part.
    rng : numpy.random.Generator
    interfacial_capacitance_F, interfacial_exponent : float
        Of the interfaces' arc.
    inductance_H : float
        Leads. [H]
    drift_fraction : float
        Relative growth of the interfacial resistance from the first to the last point.

    Returns
    -------
    complex array, shape (n_points,)
        Impedance. [Ω]
    """
    frequency = np.asarray(frequency_Hz, dtype=float)
    # Low frequencies take the time: the share of the measurement that has passed at each point.
    passed = np.cumsum(1.0 / frequency)
    growth = 1.0 + drift_fraction * passed / passed[-1]
    tau = interfacial_resistance_ohm * interfacial_capacitance_F
    z = electrolyte_resistance_ohm + 2j * np.pi * frequency * inductance_H
    z = z + growth * arc_ohm(frequency, interfacial_resistance_ohm, tau, interfacial_exponent)
    return with_noise(z, noise_fraction, rng)


@dataclass(frozen=True)
class RandomSpectrum:
    """A SYNTHETIC spectrum and its truth."""

    frequency_Hz: Real
    z_ohm: Complex
    family: str
    resistances_ohm: tuple[float, ...]

    @property
    def total_resistance_ohm(self) -> float:
        """True sum of all resistances. [Ω]"""
        return sum(self.resistances_ohm)


FAMILIES = ("resistor_arc", "two_arcs")


def random_spectrum(
    rng: np.random.Generator,
    family: str | None = None,
    noise_fraction: float = 0.005,
    families: Sequence[str] = FAMILIES,
) -> RandomSpectrum:
    """SYNTHETIC spectrum with random parameters: one or two arcs, lead inductance, blocking tail.

    Parameters
    ----------
    rng : numpy.random.Generator
    family : {'resistor_arc', 'two_arcs', 'resistor_two_arcs', 'resistor'}, optional
        Drawn from `families` when not given.
    noise_fraction : float
        Proportional noise on either part.

    Returns
    -------
    RandomSpectrum
        71 points from 1 MHz to 0.1 Hz. Arcs lie inside the window, one from the other by a factor of at least 20 in
        time constant, and are slower than the knee of the tail by a factor of at least 10.
    """
    family = family or str(rng.choice(families))
    frequency = frequencies_Hz(1.0e6, 0.1)
    z = 2j * np.pi * frequency * rng.uniform(0.1e-6, 2.0e-6)
    resistances: list[float] = []
    if family.startswith("resistor"):
        resistances.append(10.0 ** rng.uniform(1.5, 3.5))
        z = z + resistances[0]
    arcs = {"resistor": 0, "resistor_arc": 1, "two_arcs": 2, "resistor_two_arcs": 2}[family]
    tau = 10.0 ** rng.uniform(-6.5, -5.5 if arcs == 2 else -4.5)
    for _ in range(arcs):
        resistance = 10.0 ** rng.uniform(2.0, 4.0) if not resistances else resistances[0] * 10 ** rng.uniform(-0.5, 1.0)
        resistances.append(resistance)
        z = z + arc_ohm(frequency, resistance, tau, rng.uniform(0.75, 1.0))
        tau *= 10.0 ** rng.uniform(1.3, 2.0)
    exponent = rng.uniform(0.7, 0.95)
    slowest = tau if arcs else 1.0e-5
    knee_tau = max(slowest * 10.0 ** rng.uniform(0.0, 1.0), 1.0e-4)
    z = z + cpe_ohm(frequency, knee_tau**exponent / sum(resistances), exponent)
    return RandomSpectrum(frequency, with_noise(z, noise_fraction, rng), family, tuple(resistances))


def with_mains_outlier(frequency_Hz: Real, z_ohm: Complex, mains_Hz: float = 50.0, fraction: float = 0.2) -> Complex:
    """The spectrum with the point nearest to the mains frequency off by `fraction` of |Z|. [Ω]"""
    z = z_ohm.copy()
    at = int(np.argmin(np.abs(np.log(np.asarray(frequency_Hz) / mains_Hz))))
    z[at] += fraction * abs(z[at])
    return z


def with_drift(z_ohm: Complex, drift_fraction: float) -> Complex:
    """The spectrum with every |Z| growing linearly over the points, in the order of measurement. [Ω]"""
    return np.asarray(z_ohm * (1.0 + drift_fraction * np.linspace(0.0, 1.0, z_ohm.size)), dtype=complex)
