"""Initial and steady current of a symmetric cell at constant voltage."""

from __future__ import annotations

from typing import ClassVar

import pandas as pd

from analysis.science.base import Analysis, Outcome, Parameters, Subject
from analysis.science.given import at_temperature, temperature, warn_of_difference
from analysis.science.transient import (
    applied_voltage,
    current_findings,
    current_inputs,
    find_holds,
    initial_current,
    steady_current,
    transient_curves,
)


class Polarisation(Analysis):
    """What a polarisation contributes to the transference number."""

    slug: ClassVar[str] = "polarisation"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "Polarisation"
    kinds: ClassVar[tuple[str, ...]] = ("polarisation",)
    subjects: ClassVar[tuple[str, ...]] = ("symmetric",)
    yields: ClassVar[tuple[str, ...]] = ("initial_current_A", "steady_state_current_A", "polarisation_voltage_V")

    def run(self, recording: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute.

        Parameters
        ----------
        recording : pandas.DataFrame
            Columns ``time_s``, ``current_A`` and, unless the voltage is given, ``potential_V``.
        subject : Subject
        parameters : mapping
            ``polarisation_voltage_V``, ``temperature_degC``, ``temperature_origin``.

        Raises
        ------
        AnalysisError
            No voltage known, or no hold at constant voltage.
        """
        outcome = Outcome()
        holds, _ = find_holds(recording, applied_voltage(parameters))
        hold = max(holds, key=lambda item: item.time_s[-1] - item.time_s[0])
        if len(holds) > 1:
            outcome.warn("several_holds", f"{len(holds)} holds at constant voltage found; the longest one was taken.")
        if applied_voltage(parameters) and _has_potential(recording):
            recorded = max(find_holds(recording)[0], key=lambda item: item.time_s[-1] - item.time_s[0])
            warn_of_difference("Voltage", 1.0e3 * hold.voltage_V, 1.0e3 * recorded.voltage_V, "mV", outcome)
        initial, steady = initial_current(hold, outcome), steady_current(hold, outcome)
        if abs(steady.value_A) > abs(initial.value_A) + 2.0 * initial.uncertainty_A:
            outcome.warn(
                "current_rises",
                "The steady current is larger than the initial one: a short grows, or the contact still improves.",
            )
        temperature(parameters, outcome)
        found = current_findings(hold, initial, steady, parameters)
        outcome.findings = at_temperature(found, outcome)
        outcome.inputs |= current_inputs(hold, initial, steady, parameters)
        outcome.curves = transient_curves(hold, initial, steady)
        return outcome


def _has_potential(recording: pd.DataFrame) -> bool:
    return "potential_V" in recording and bool(recording["potential_V"].notna().any())
