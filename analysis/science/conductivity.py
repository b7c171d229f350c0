"""Ionic conductivity of a pellet between blocking electrodes, from one impedance spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.base import Analysis, Finding, Outcome, Parameters, Subject
from analysis.science.fitted import Fit
from analysis.science.given import at_temperature, electrode_area, finding, temperature, warn_of_stated_area
from analysis.science.impedance import fit_prepared
from analysis.science.kramers_kronig import KramersKronig, check_prepared
from analysis.science.spectrum import prepare
from analysis.science.spectrum_report import (
    RESIDUAL_LIMIT,
    check_kramers_kronig,
    fit_table,
    impedance_of,
    spectrum_curves,
)
from analysis.science.wording import number, with_uncertainty

Real = NDArray[np.float64]
Number = TypeVar("Number", float, Real)

UNDETERMINED = 0.5  # relative uncertainty of a resistance above which no number is given
CONDUCTIVITY_RANGE_S_CM = (1.0e-14, 0.1)
RESISTANCE_RANGE_OHM = (1.0e-3, 1.0e12)
PLAUSIBLE_THICKNESS_UM = (20.0, 10000.0)  # outside, a unit was probably mistaken


def ionic_conductivity_S_cm(resistance_ohm: Number, thickness_um: float, area_cm2: float) -> Number:
    """Ionic conductivity of a flat pellet between blocking electrodes.

    Parameters
    ----------
    resistance_ohm : float or array, shape (n_spectra,)
        Total ionic resistance from the circuit fit. [Ω]
    thickness_um, area_cm2 : float
        Pellet thickness [µm]; area of the smaller electrode [cm²].

    Returns
    -------
    float or array, shape (n_spectra,)
        Conductivity L / (R A). [S cm⁻¹]

    Notes
    -----
    How electrodes, pressure and microstructure move this number between laboratories is discussed by Ohno et al.,
    ACS Energy Lett. 5, 910 (2020).
    """
    return thickness_um * 1.0e-4 / (resistance_ohm * area_cm2)


@dataclass(frozen=True)
class _Geometry:
    """Thickness and area as used, with relative uncertainties (None: not known)."""

    thickness_um: float | None
    thickness_relative: float | None
    area_cm2: float | None
    area_relative: float | None

    @property
    def relative(self) -> float:
        """Relative uncertainty of L/A from what is known."""
        return math.hypot(self.thickness_relative or 0.0, self.area_relative or 0.0)


class Conductivity(Analysis):
    """Kramers-Kronig test, circuit fit, and σ = L/(A R) with its uncertainty."""

    slug: ClassVar[str] = "conductivity"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "Ionic conductivity"
    kinds: ClassVar[tuple[str, ...]] = ("eis",)
    subjects: ClassVar[tuple[str, ...]] = ("blocking",)
    yields: ClassVar[tuple[str, ...]] = (
        "ionic_conductivity_S_cm",
        "total_resistance_ohm",
        "bulk_resistance_ohm",
        "grain_boundary_resistance_ohm",
        "kramers_kronig_residual_fraction",
    )

    def run(self, recording: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute.

        Parameters
        ----------
        recording : pandas.DataFrame
            Columns ``frequency_Hz``, ``z_real_ohm``, ``z_imag_ohm``.
        subject : Subject
            Thickness and electrode area.
        parameters : mapping
            ``fit_range_Hz``, ``circuit``, ``masked_points``, ``flip_sign``, ``electrode_area_cm2``,
            ``temperature_degC``, ``temperature_origin``; ``file_electrode_area_cm2`` is compared, never used.

        Raises
        ------
        AnalysisError
            Fewer than ten usable points, or no circuit can be fitted.
        """
        outcome = Outcome()
        frequency, z = impedance_of(recording, bool(parameters.get("flip_sign")), outcome)
        spectrum = prepare(frequency, z, parameters.get("fit_range_Hz"), parameters.get("masked_points") or ())
        test = check_prepared(spectrum)
        fitted = spectrum.without(test.outlier_rows) if test.outlier_rows else spectrum
        fit = fit_prepared(fitted, parameters.get("circuit") or None)
        outcome.warnings += fit.warnings
        check_kramers_kronig(outcome, test, fit)
        geometry = _geometry(subject, parameters, outcome)
        temperature(parameters, outcome)
        found = _findings(fit, test, geometry, parameters, outcome)
        outcome.findings = at_temperature(found, outcome)
        outcome.curves = spectrum_curves(frequency, z, fit, test, spectrum, _intercepts(fit))
        outcome.tables = {"fit": fit_table(fit)}
        outcome.inputs["circuit"] = {
            "value": fit.circuit,
            "text": fit.circuit_text,
            "uncertainty": None,
            "origin": "person" if parameters.get("circuit") else "chosen by BIC",
        }
        return outcome


def _geometry(subject: Subject, parameters: Parameters, outcome: Outcome) -> _Geometry:
    """Collect thickness and area, and say what is missing or overridden."""
    thickness, thickness_u = subject.thickness_um, subject.thickness_uncertainty_um
    thickness = thickness if thickness is not None and thickness > 0.0 else None
    outcome.inputs["thickness_um"] = {"value": thickness, "uncertainty": thickness_u, "origin": subject.code}
    if thickness is None:
        outcome.warn("missing_thickness", "σ needs the pellet thickness. Enter the thickness of the pellet.")
    elif thickness_u is None:
        outcome.warn(
            "thickness_uncertainty_unknown",
            "The uncertainty of the thickness is not known; that of σ leaves it out. Enter at least three readings.",
        )
    if thickness is not None and not PLAUSIBLE_THICKNESS_UM[0] <= thickness <= PLAUSIBLE_THICKNESS_UM[1]:
        outcome.warn(
            "thickness_implausible", f"A thickness of {thickness:g} µm is unusual for a pellet. Check the unit."
        )
    area, area_relative = electrode_area(
        subject,
        parameters,
        outcome,
        "σ needs the electrode area. Enter the Ag diameter, or confirm that the whole face is coated.",
    )
    warn_of_stated_area(parameters, area, outcome)
    return _Geometry(thickness, thickness_u / thickness if thickness and thickness_u else None, area, area_relative)


def _findings(
    fit: Fit, test: KramersKronig, geometry: _Geometry, parameters: Parameters, outcome: Outcome
) -> list[Finding]:
    """One row per quantity, with its flag."""
    is_suspect = fit.rms_fraction > RESIDUAL_LIMIT or test.rms_fraction >= RESIDUAL_LIMIT
    total, total_u = fit.total_resistance_ohm, fit.total_resistance_uncertainty_ohm
    if not math.isfinite(total) or not math.isfinite(total_u) or total_u > UNDETERMINED * total:
        outcome.warn(
            "resistance_not_determined",
            "The spectrum does not fix the resistance: no plateau lies "
            "inside the window. Measure to higher frequency or at another temperature.",
        )
        total, total_u = math.nan, math.nan
    bounds = set(fit.at_bound)
    resistance = finding("total_resistance_ohm", total, total_u, RESISTANCE_RANGE_OHM)
    bulk = finding(
        "bulk_resistance_ohm", fit.bulk_resistance_ohm, fit.bulk_resistance_uncertainty_ohm, RESISTANCE_RANGE_OHM
    )
    boundary = finding(
        "grain_boundary_resistance_ohm",
        fit.grain_boundary_resistance_ohm,
        fit.grain_boundary_resistance_uncertainty_ohm,
        RESISTANCE_RANGE_OHM,
    )
    conductivity = _conductivity(total, total_u, geometry, outcome)
    findings = []
    for found in (conductivity, resistance, bulk, boundary):
        if found.value is not None:
            if not fit.is_converged:
                found = replace(found, flag="not_converged")
            elif found.flag == "ok" and (is_suspect or bounds & {"R1", "R2"}):
                found = replace(found, flag="suspect")
        findings.append(found)
    flag = "suspect" if test.rms_fraction >= RESIDUAL_LIMIT else "ok"
    findings.append(Finding("kramers_kronig_residual_fraction", test.rms_fraction, flag=flag))
    return findings


def _conductivity(total: float, total_u: float, geometry: _Geometry, outcome: Outcome) -> Finding:
    """σ with its propagated uncertainty, and the formula with its numbers."""
    formula: dict[str, Any] = {"text": "σ = L / (A · R)", "filled": None}
    outcome.inputs["formula"] = formula
    if geometry.thickness_um is None or geometry.area_cm2 is None or not math.isfinite(total):
        return Finding("ionic_conductivity_S_cm", None, flag="missing")
    sigma = ionic_conductivity_S_cm(total, geometry.thickness_um, geometry.area_cm2)
    uncertainty = sigma * math.hypot(geometry.relative, total_u / total)
    # The share that is common to all measurements of a cell: combinations take it out of their weights.
    outcome.inputs["geometry_relative_uncertainty"] = {
        "value": geometry.relative,
        "uncertainty": None,
        "origin": "thickness and electrode area",
    }
    formula["filled"] = (
        f"σ = {number(geometry.thickness_um * 1e-4)} cm / ({number(geometry.area_cm2)} cm² × "
        f"{with_uncertainty(total, None)} Ω) = {with_uncertainty(sigma, uncertainty)} S cm⁻¹"
    )
    return finding("ionic_conductivity_S_cm", sigma, uncertainty, CONDUCTIVITY_RANGE_S_CM)


def _intercepts(fit: Fit) -> list[dict[str, Any]]:
    """Where the resistances end on the real axis."""
    if fit.bulk_resistance_ohm is None:
        return [{"label": "R", "z_real_ohm": fit.total_resistance_ohm}]
    return [
        {"label": "R_b", "z_real_ohm": fit.bulk_resistance_ohm},
        {"label": "R_b + R_gb", "z_real_ohm": fit.total_resistance_ohm},
    ]
