"""Electrolyte and interfaces of a cell with lithium electrodes, from one impedance spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.base import Analysis, AnalysisError, Finding, Outcome, Parameters, Subject
from analysis.science.circuit import effective_capacitance_F
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

INTERFACES = 2
CANDIDATES = ("D", "F", "B", "C", "E")
ELECTROLYTE_BELOW_F = 3.0e-8  # an arc with less capacitance is that of grain boundaries
DIFFUSION_FROM_F = 1.0e-3  # with more, it is a slow process in the electrode, not the interface
UNDETERMINED = 0.5
OPEN_ARC_BELOW_F, OPEN_ARC_FROM_N = 1.0e-4, 0.6  # a tail like this is an arc that has not closed, no diffusion
LOOP_POINTS, LOOP_SPREADS = 5, 4.0  # neighbours below the arcs; how far above zero their mean Z″ is certain
OHM_RANGE = (0.0, 1.0e10)
# What the fit says for blocking electrodes.
NOT_HERE = {"no_electrode_tail", "split_not_identifiable", "arc_like_electrode", "tail_capacitance_small"}


@dataclass(frozen=True)
class Split:
    """Electrolyte and interface, each a sum of fitted resistances with its standard uncertainty. [Ω]"""

    electrolyte_ohm: float
    electrolyte_u_ohm: float
    interface_ohm: float | None
    interface_u_ohm: float | None
    correlation: float
    roles: dict[str, str]  # parameter name of each arc's resistance to 'electrolyte', 'interface' or 'slow'


class Interface(Analysis):
    """Kramers-Kronig test, circuit fit, and the arc of the lithium interfaces."""

    slug: ClassVar[str] = "interface"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "Interfacial resistance"
    kinds: ClassVar[tuple[str, ...]] = ("eis",)
    subjects: ClassVar[tuple[str, ...]] = ("symmetric", "full")
    yields: ClassVar[tuple[str, ...]] = (
        "electrolyte_resistance_ohm",
        "cell_interfacial_resistance_ohm",
        "interfacial_resistance_ohm",
        "interfacial_asr_ohm_cm2",
    )

    def run(self, recording: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute.

        Parameters
        ----------
        recording : pandas.DataFrame
            Columns ``frequency_Hz``, ``z_real_ohm``, ``z_imag_ohm``.
        subject : Subject
            Configuration and electrode area. Values per interface are given for symmetric cells only.
        parameters : mapping
            As for `analysis.science.conductivity`, and ``interface_arcs``: numbers of the fitted arcs that a person
            calls the interface; faster ones then belong to the electrolyte, slower ones to the electrodes.

        Raises
        ------
        AnalysisError
            Fewer than ten usable points, no circuit can be fitted, or it has no arc of a number that was asked for.

        Notes
        -----
        The electrolyte is the resistor and every arc of less than 30 nF (grain boundaries); arcs of up to 1 mF are the
        interfaces; slower ones belong to the electrodes and are left out, as is a Warburg or CPE tail. A tail of
        less than 0.1 mF at the lowest frequency with n of 0.6 or more is an interface whose arc has not closed: the
        resistance of the interfaces is then missing unless a person names its arcs.
        Sharafi et al., J. Power Sources 302, 135 (2016).
        """
        outcome = Outcome()
        frequency, z = impedance_of(recording, bool(parameters.get("flip_sign")), outcome)
        spectrum = prepare(frequency, z, parameters.get("fit_range_Hz"), parameters.get("masked_points") or ())
        test = check_prepared(spectrum)
        fitted = spectrum.without(test.outlier_rows) if test.outlier_rows else spectrum
        circuit = parameters.get("circuit") or None
        fit = fit_prepared(fitted, circuit, None if circuit else CANDIDATES)
        outcome.warnings += [warning for warning in fit.warnings if warning[0] not in NOT_HERE]
        check_kramers_kronig(outcome, test, fit)
        _warn_of_loop(fitted.frequency_Hz, fitted.z_ohm, test, outcome)
        split = split_resistances(fit, outcome, tuple(parameters.get("interface_arcs") or ()))
        temperature(parameters, outcome)
        outcome.findings = at_temperature(_findings(split, fit, test, subject, parameters, outcome), outcome)
        outcome.curves = spectrum_curves(frequency, z, fit, test, spectrum, _intercepts(split))
        outcome.tables = {"fit": _table(fit, split)}
        outcome.inputs["circuit"] = {
            "value": fit.circuit,
            "text": fit.circuit_text,
            "uncertainty": None,
            "origin": "person" if circuit else "chosen by BIC",
        }
        outcome.inputs["resistance_correlation"] = {
            "value": split.correlation,
            "uncertainty": None,
            "origin": "of electrolyte and interface, from the fit",
        }
        return outcome


def split_resistances(fit: Fit, outcome: Outcome, chosen: tuple[int, ...] = ()) -> Split:
    """Give every fitted resistance its role by the capacitance of its arc.

    Parameters
    ----------
    fit : Fit
    outcome : Outcome
        Takes what is doubtful.
    chosen : tuple of int
        Numbers of the arcs, from 1, that a person calls the interface; their capacitances then decide nothing.

    Returns
    -------
    Split

    Raises
    ------
    AnalysisError
        The circuit has no arc of a chosen number.
    """
    circuit, theta = fit.model.circuit, fit.theta
    electrolyte, interface = np.zeros(theta.size), np.zeros(theta.size)
    roles: dict[str, str] = {}
    if circuit.has_resistor:
        electrolyte[0] = math.exp(theta[0])
    if chosen and max(chosen) > circuit.arc_count:
        raise AnalysisError(
            f"The circuit has {circuit.arc_count} arc{'' if circuit.arc_count == 1 else 's'}, so that R{max(chosen)} "
            "cannot be the interface. Choose another circuit or another arc."
        )
    arcs = range(circuit.first_arc_index, circuit.first_arc_index + 3 * circuit.arc_count, 3)
    capacitances = {at: effective_capacitance_F(math.exp(theta[at]), math.exp(theta[at + 1])) for at in arcs}
    for k, at in enumerate(arcs, 1):
        capacitance, is_only = capacitances[at], circuit.arc_count == 1
        role = "interface"
        if capacitance < ELECTROLYTE_BELOW_F and (not is_only or circuit.has_tail or not circuit.has_resistor):
            role = "electrolyte"
        elif capacitance > DIFFUSION_FROM_F and not is_only:
            role = "slow"
        if chosen:
            role = "interface" if k in chosen else "electrolyte" if k < min(chosen) else "slow"
        roles[f"R{k}_ohm"] = role
        {"electrolyte": electrolyte, "interface": interface}.get(role, np.zeros(theta.size))[at] = math.exp(theta[at])
    if chosen:
        words = " + ".join(f"R{k}" for k in chosen)
        outcome.inputs["interface_arcs"] = {"value": words, "uncertainty": None, "origin": "person"}
    elif circuit.arc_count == 1 and capacitances and min(capacitances.values()) < ELECTROLYTE_BELOW_F:
        outcome.warn(
            "arc_like_grain_boundary",
            f"The only arc has {min(capacitances.values()):.1e} F, which is more like grain boundaries than an "
            "interface. Measure to lower frequency.",
        )
    if list(roles.values()).count("interface") > 1 and not chosen:
        outcome.warn(
            "two_interface_arcs", "Two arcs have the capacitance of an interface; their sum is reported. See the fit."
        )
    if "slow" in roles.values() and not chosen:
        outcome.warn(
            "slow_arc_left_out", "The slowest arc has the capacitance of an electrode process and is not counted."
        )
    spread = fit.covariance
    variance_e, variance_i = (max(float(v @ spread @ v), 0.0) for v in (electrolyte, interface))
    scale = math.sqrt(variance_e * variance_i)
    has_interface = bool(interface.any())
    if not has_interface:
        outcome.warn("no_interface_arc", "No arc of an interface was found. Measure to lower frequency.")
    return Split(
        float(electrolyte.sum()),
        math.sqrt(variance_e),
        float(interface.sum()) if has_interface else None,
        math.sqrt(variance_i) if has_interface else None,
        float(electrolyte @ spread @ interface) / scale if scale > 0.0 else 0.0,
        roles,
    )


def _findings(
    split: Split, fit: Fit, test: KramersKronig, subject: Subject, parameters: Parameters, outcome: Outcome
) -> list[Finding]:
    """One row per quantity, with its flag; values per interface for symmetric cells only."""
    value, spread = split.interface_ohm, split.interface_u_ohm
    is_open = not parameters.get("interface_arcs") and _ends_in_an_arc(fit)
    if value is not None and spread is not None and (is_open or spread > UNDETERMINED * value):
        outcome.warn(
            "arcs_not_resolved",
            "The spectrum does not fix the interface arc: it does not close inside the window. "
            "Measure to lower frequency.",
        )
        value, spread = None, None
    label = str(INTERFACES)
    findings = [
        finding("electrolyte_resistance_ohm", split.electrolyte_ohm or None, split.electrolyte_u_ohm, OHM_RANGE),
        replace(finding("cell_interfacial_resistance_ohm", value, spread, OHM_RANGE), label=label),
    ]
    if subject.configuration == "symmetric":
        findings += _per_interface(value, spread, subject, parameters, outcome)
    bounds = {f"{name}_ohm" for name in fit.at_bound}
    is_suspect = fit.rms_fraction > RESIDUAL_LIMIT or test.rms_fraction >= RESIDUAL_LIMIT
    checked = []
    for found in findings:
        own = {"R0_ohm"} if found.quantity == "electrolyte_resistance_ohm" else set(split.roles)
        if found.value is not None and not fit.is_converged:
            found = replace(found, flag="not_converged")
        elif found.value is not None and found.flag == "ok" and (is_suspect or bounds & own):
            found = replace(found, flag="suspect")
        checked.append(found)
    return checked


def _ends_in_an_arc(fit: Fit) -> bool:
    """Whether what was fitted as a tail has the capacitance of an interface: more resistance lies below the window."""
    circuit = fit.model.circuit
    if not circuit.has_tail:
        return False
    at = circuit.tail_index
    capacitance = math.exp(-fit.theta[at]) / fit.model.grid.tail_omega
    return bool(capacitance < OPEN_ARC_BELOW_F and fit.theta[at + 1] >= OPEN_ARC_FROM_N)


def _warn_of_loop(frequency_Hz: Real, z_ohm: NDArray[np.complex128], test: KramersKronig, outcome: Outcome) -> None:
    """Say that Z″ turns positive below the arcs: an inductive loop, which no circuit here has. Highest Hz first."""
    after = int(np.argmin(z_ohm.imag)) + 1
    ratio = (z_ohm.imag / np.abs(z_ohm))[after:]
    if ratio.size < LOOP_POINTS:
        return
    means = np.convolve(ratio, np.full(LOOP_POINTS, 1.0 / LOOP_POINTS), "valid")
    is_loop = means * math.sqrt(LOOP_POINTS) > LOOP_SPREADS * test.rms_fraction
    if not is_loop.any():
        return
    from_Hz = float(frequency_Hz[after + int(np.argmax(is_loop))])
    outcome.warn(
        "low_frequency_loop",
        f"Z″ is positive below about {number(from_Hz, 2)} Hz: an inductive loop, which no circuit here describes. "
        "The arc before it comes out too small. Set the fit range above the loop and compare.",
    )


def _per_interface(
    value: float | None, spread: float | None, subject: Subject, parameters: Parameters, outcome: Outcome
) -> list[Finding]:
    """Half the arc, and times the electrode area."""
    area, relative = electrode_area(
        subject, parameters, outcome, "The area-specific value needs the electrode area: enter the Li diameter."
    )
    warn_of_stated_area(parameters, area, outcome)
    one = None if value is None else value / INTERFACES
    one_u = None if spread is None else spread / INTERFACES
    asr = None if one is None or area is None else one * area
    asr_u = None
    if asr is not None and one and one_u is not None:
        asr_u = asr * math.hypot(one_u / one, relative or 0.0)
    formula: dict[str, Any] = {"text": "ASR = A · R_arc / 2", "filled": None}
    if asr is not None and area is not None and value is not None:
        formula["filled"] = (
            f"ASR = {number(area)} cm² × {with_uncertainty(value, spread)} Ω / 2 = {with_uncertainty(asr, asr_u)} Ω cm²"
        )
    outcome.inputs["formula"] = formula
    return [
        finding("interfacial_resistance_ohm", one, one_u, OHM_RANGE),
        finding("interfacial_asr_ohm_cm2", asr, asr_u, OHM_RANGE),
    ]


def _intercepts(split: Split) -> list[dict[str, Any]]:
    """Where electrolyte and interface end on the real axis."""
    marks = [{"label": "R_e", "z_real_ohm": split.electrolyte_ohm}]
    if split.interface_ohm is not None:
        marks.append({"label": "R_e + R_int,cell", "z_real_ohm": split.electrolyte_ohm + split.interface_ohm})
    return marks


def _table(fit: Fit, split: Split) -> list[dict[str, Any]]:
    """The fitted parameters; arcs with the role they were given."""
    return [row | {"role": split.roles.get(str(row["parameter"]), "")} for row in fit_table(fit)]
