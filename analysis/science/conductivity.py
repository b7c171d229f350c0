"""Ionic conductivity of a pellet between blocking electrodes, from one impedance spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.base import Analysis, Finding, Outcome, Parameters, Subject
from analysis.science.impedance import Fit, fit_prepared
from analysis.science.kramers_kronig import KramersKronig, check_prepared, is_mains
from analysis.science.spectrum import Spectrum, prepare
from analysis.science.wording import number, with_uncertainty

Real = NDArray[np.float64]
Number = TypeVar("Number", float, Real)

RESIDUAL_LIMIT = 0.02
UNDETERMINED = 0.5  # relative uncertainty of a resistance above which no number is given
CONDUCTIVITY_RANGE_S_CM = (1.0e-14, 1.0)
RESISTANCE_RANGE_OHM = (1.0e-3, 1.0e12)
ASSUMED_TEMPERATURE_DEGC = 25.0
CURVE_POINTS = 200
KELVIN_FROM = 250.0  # a temperature in °C above this was more likely written in kelvin
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
        frequency = recording["frequency_Hz"].to_numpy(dtype=float)
        z = recording["z_real_ohm"].to_numpy(dtype=float) + 1j * recording["z_imag_ohm"].to_numpy(dtype=float)
        outcome = Outcome()
        if parameters.get("flip_sign"):
            z = z.conj()
            outcome.warn("sign_flipped", "The sign of Z″ was turned by a person’s choice: the file stores −Z″.")
        spectrum = prepare(frequency, z, parameters.get("fit_range_Hz"), parameters.get("masked_points") or ())
        test = check_prepared(spectrum)
        fitted = spectrum.without(test.outlier_rows) if test.outlier_rows else spectrum
        fit = fit_prepared(fitted, parameters.get("circuit") or None)
        outcome.warnings += fit.warnings
        _check_kramers_kronig(outcome, test, fit)
        geometry = _geometry(subject, parameters, outcome)
        _temperature(parameters, outcome)
        outcome.findings = _findings(fit, test, geometry, parameters, outcome)
        outcome.curves = _curves(frequency, z, fit, test, spectrum)
        outcome.tables = {"fit": _fit_table(fit)}
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
    area, area_relative, origin = _area(subject, parameters, outcome)
    outcome.inputs["electrode_area_cm2"] = {
        "value": area,
        "uncertainty": area * area_relative if area and area_relative else None,
        "origin": origin,
    }
    if subject.pellet_diameter_mm and area and area > 1.04 * math.pi / 4.0 * (subject.pellet_diameter_mm / 10.0) ** 2:
        outcome.warn(
            "electrode_area_differs_from_pellet",
            f"The electrode ({area:.4g} cm²) is larger than the pellet "
            f"({subject.pellet_diameter_mm:g} mm across). Check both diameters.",
        )
    stated = parameters.get("file_electrode_area_cm2")
    if stated and area and abs(float(stated) / area - 1.0) > 0.05:
        outcome.warn(
            "electrode_area_differs",
            f"The file states an electrode area of {float(stated):.4g} cm², the record has "
            f"{area:.4g} cm². The record's was used; check which one is right.",
        )
    return _Geometry(thickness, thickness_u / thickness if thickness and thickness_u else None, area, area_relative)


def _area(subject: Subject, parameters: Parameters, outcome: Outcome) -> tuple[float | None, float | None, str]:
    """Electrode area [cm²], its relative uncertainty, and where it comes from."""
    override = parameters.get("electrode_area_cm2")
    if override:
        outcome.warn(
            "area_override",
            f"The electrode area {float(override):.4g} cm² was given with the measurement "
            "and replaces that of the cell.",
        )
        return float(override), None, "person"
    area, diameter = subject.electrode_area_cm2, subject.electrode_diameter_mm
    if area is None and diameter:
        area = math.pi / 4.0 * (diameter / 10.0) ** 2
    if area is None or area <= 0.0:
        outcome.warn(
            "missing_area",
            "σ needs the electrode area. Enter the Ag diameter, or confirm that the whole face is coated.",
        )
        return None, None, subject.code
    diameter_u = subject.electrode_diameter_uncertainty_mm
    return area, 2.0 * diameter_u / diameter if diameter and diameter_u else None, subject.code


def _temperature(parameters: Parameters, outcome: Outcome) -> None:
    """Record the temperature; say when it is assumed."""
    value, origin = parameters.get("temperature_degC"), parameters.get("temperature_origin")
    if value is None or origin == "assumed":
        value = ASSUMED_TEMPERATURE_DEGC if value is None else float(value)
        origin = "assumed"
        outcome.warn("temperature_missing", f"No temperature in file or name. {value:g} °C is assumed.")
    if value > KELVIN_FROM:
        outcome.warn("temperature_like_kelvin", f"{value:g} °C is unusually hot. If it is in kelvin, correct it.")
    outcome.inputs["temperature_degC"] = {"value": float(value), "uncertainty": None, "origin": origin or "person"}


def _check_kramers_kronig(outcome: Outcome, test: KramersKronig, fit: Fit) -> None:
    """What the Kramers-Kronig test says, as sentences."""
    percent = 100.0 * test.rms_fraction
    if test.rms_fraction >= RESIDUAL_LIMIT or test.largest_fraction > 0.05:
        outcome.warn(
            "kk_fail",
            f"Kramers–Kronig residual {percent:.1f} % (largest {100 * test.largest_fraction:.1f} %): the data are not "
            "those of a stable, linear system. Measure again after a rest.",
        )
    elif test.rms_fraction >= 0.01:
        outcome.warn(
            "kk_marginal", f"Kramers–Kronig residual {percent:.1f} %, above 1 %. Check contacts and amplitude."
        )
    if test.r1 >= 0.3:
        outcome.warn(
            "kk_drift",
            f"Neighbouring Kramers–Kronig residuals are alike (r1 = {test.r1:.2f}): the cell drifted during the "
            "measurement. Wait for a stable temperature and measure again.",
        )
    for frequency in test.outlier_frequencies_Hz:
        if is_mains(frequency):
            place, advice = f"at {frequency:.4g} Hz, a mains frequency,", "shield the leads"
        else:
            place, advice = f"at {frequency:.4g} Hz", "look for a change of current range"
        code = "mains_interference" if is_mains(frequency) else "outlier_left_out"
        outcome.warn(
            code, f"The point {place} stands alone against its neighbours. It was left out of the fit; {advice}."
        )
    if fit.rms_fraction > 3.0 * test.rms_fraction:
        outcome.warn(
            "residual_above_kk_noise",
            f"The fit misses the data by {100 * fit.rms_fraction:.2g} %, the noise is {percent:.2g} %: the circuit is "
            "too simple. Choose another circuit.",
        )


def _findings(
    fit: Fit, test: KramersKronig, geometry: _Geometry, parameters: Parameters, outcome: Outcome
) -> list[Finding]:
    """One row per quantity, with its flag."""
    temperature = float(outcome.inputs["temperature_degC"]["value"])
    is_assumed = outcome.inputs["temperature_degC"]["origin"] == "assumed"
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
    resistance = _finding("total_resistance_ohm", total, total_u, RESISTANCE_RANGE_OHM)
    bulk = _finding(
        "bulk_resistance_ohm", fit.bulk_resistance_ohm, fit.bulk_resistance_uncertainty_ohm, RESISTANCE_RANGE_OHM
    )
    boundary = _finding(
        "grain_boundary_resistance_ohm",
        fit.grain_boundary_resistance_ohm,
        fit.grain_boundary_resistance_uncertainty_ohm,
        RESISTANCE_RANGE_OHM,
    )
    conductivity = _conductivity(total, total_u, geometry, outcome)
    findings = []
    for finding in (conductivity, resistance, bulk, boundary):
        finding = replace(finding, temperature_degC=temperature)
        if finding.value is not None:
            if not fit.is_converged:
                finding = replace(finding, flag="not_converged")
            elif finding.flag == "ok" and (is_suspect or bounds & {"R1", "R2"}):
                finding = replace(finding, flag="suspect")
        if finding.quantity == "ionic_conductivity_S_cm" and is_assumed and finding.flag in ("ok", "suspect"):
            finding = replace(finding, flag="missing")
        findings.append(finding)
    flag = "suspect" if test.rms_fraction >= RESIDUAL_LIMIT else "ok"
    findings.append(
        Finding("kramers_kronig_residual_fraction", test.rms_fraction, flag=flag, temperature_degC=temperature)
    )
    return findings


def _finding(quantity: str, value: float | None, uncertainty: float | None, limits: tuple[float, float]) -> Finding:
    """A finding flagged by its presence and physical range alone."""
    if value is None or not math.isfinite(value):
        return Finding(quantity, None, flag="missing")
    flag = "ok" if limits[0] <= value <= limits[1] else "out_of_range"
    return Finding(quantity, float(value), None if uncertainty is None else float(uncertainty), flag=flag)


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
    return _finding("ionic_conductivity_S_cm", sigma, uncertainty, CONDUCTIVITY_RANGE_S_CM)


def _curves(
    frequency: Real, z: NDArray[np.complex128], fit: Fit, test: KramersKronig, spectrum: Spectrum
) -> dict[str, Any]:
    """Series for the plots, as plain lists without NaN."""
    is_used = np.zeros(frequency.size, dtype=bool)
    is_used[fit.spectrum.rows] = True
    shown = np.isfinite(frequency) & np.isfinite(z) & (frequency > 0.0)
    turned = z.conj() if spectrum.is_flipped else z
    measured = frequency[shown]
    dense = np.geomspace(measured.max(), measured.min(), CURVE_POINTS)
    line = fit.evaluate(dense)
    return {
        "data": {
            "frequency_Hz": measured.tolist(),
            "z_real_ohm": turned.real[shown].tolist(),
            "z_imag_ohm": turned.imag[shown].tolist(),
            "is_used": is_used[shown].tolist(),
        },
        "fit": {"frequency_Hz": dense.tolist(), "z_real_ohm": line.real.tolist(), "z_imag_ohm": line.imag.tolist()},
        "residuals": _percent(fit.spectrum.frequency_Hz, fit.residuals),
        "kramers_kronig": _percent(test.frequency_Hz, test.residuals),
        "intercepts": _intercepts(fit),
    }


def _percent(frequency: Real, residuals: NDArray[np.complex128]) -> dict[str, list[float]]:
    """Residuals in per cent of |Z|."""
    return {
        "frequency_Hz": frequency.tolist(),
        "real_percent": (100.0 * residuals.real).tolist(),
        "imag_percent": (100.0 * residuals.imag).tolist(),
    }


def _intercepts(fit: Fit) -> list[dict[str, Any]]:
    """Where the resistances end on the real axis."""
    if fit.bulk_resistance_ohm is None:
        return [{"label": "R", "z_real_ohm": fit.total_resistance_ohm}]
    return [
        {"label": "R_b", "z_real_ohm": fit.bulk_resistance_ohm},
        {"label": "R_b + R_gb", "z_real_ohm": fit.total_resistance_ohm},
    ]


def _fit_table(fit: Fit) -> list[dict[str, Any]]:
    """The fitted parameters as rows."""
    return [
        {
            "parameter": name,
            "symbol": parameter.symbol,
            "value": parameter.value,
            "uncertainty": parameter.uncertainty,
            "unit": parameter.unit,
        }
        for name, parameter in fit.parameters.items()
    ]
