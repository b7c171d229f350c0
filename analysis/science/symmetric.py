"""What analyses of symmetric cells share: the electrolyte's own resistance, the half-cycle table, series for plots."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.science.base import Outcome, Parameters, Subject
from analysis.science.shorts import Event
from analysis.science.steps import Steps
from analysis.thinning import envelope_rows

Real = NDArray[np.float64]

WINDOW_HALVES, WINDOW_POINTS = 4, 400  # of each close view of a long test
PAUSE_FACTOR, PAUSE_LEAST_S, MOST_PAUSES = 2.0, 600.0, 50  # longer than rests usually are


def ohmic_resistance_ohm(
    subject: Subject, parameters: Parameters, area_cm2: float | None, outcome: Outcome
) -> float | None:
    """Resistance of the electrolyte alone, L/(σ A); None, and said, where it cannot be known. [Ω]"""
    sigma, thickness = parameters.get("electrolyte_conductivity_S_cm"), subject.thickness_um
    if sigma and thickness and area_cm2:
        outcome.inputs["electrolyte_conductivity_S_cm"] = {
            "value": float(sigma), "uncertainty": None, "origin": "person",
        }  # fmt: skip
        outcome.inputs["thickness_um"] = {
            "value": thickness, "uncertainty": subject.thickness_uncertainty_um, "origin": subject.code,
        }  # fmt: skip
        return thickness * 1.0e-4 / (float(sigma) * area_cm2)
    outcome.warn(
        "ohmic_limit_unknown",
        "The resistance of the electrolyte alone is not known, so that a voltage below it was not looked for. "
        "Give the conductivity of the electrolyte to have it checked.",
    )
    return None


def half_cycle_table(steps: Steps, area_cm2: float | None, event: Event | None) -> list[dict[str, Any]]:
    """One row per half-step, densities and areal values only with an area."""
    rows = []
    for half in range(steps.count):
        current, resistance = float(steps.magnitude_A[half]), float(steps.resistance_ohm[half])
        row: dict[str, Any] = {
            "half_step": half + 1,
            "cycle": half // 2 + 1,
            "start_h": float(steps.start_s[half] - steps.time_s[0]) / 3600.0,
            "time_h": float(steps.duration_s[half]) / 3600.0,
            "current_mA": float(steps.sign[half]) * current * 1.0e3,
            "voltage_mV": float(steps.level_V[half]) * 1.0e3,
            "end_voltage_mV": float(steps.end_V[half]) * 1.0e3,
            "noise_mV": float(steps.noise_V[half]) * 1.0e3,
            "resistance_ohm": resistance,
            "capacity_mAh": float(steps.capacity_mAh[half]),
        }
        if area_cm2:
            row |= {
                "current_density_mA_cm2": row["current_mA"] / area_cm2,
                "asr_ohm_cm2": resistance * area_cm2,
                "capacity_mAh_cm2": row["capacity_mAh"] / area_cm2,
            }
        is_failing = event is not None and half == event.half
        is_after = event is not None and half > event.half
        row["state"] = event.kind if event is not None and is_failing else "after" if is_after else "sound"
        rows.append(row)
    return rows


def series_curves(steps: Steps, area_cm2: float | None) -> dict[str, Any]:
    """Potential and current against time, thinned for drawing, and one point per half-step."""
    hours = (steps.time_s - steps.time_s[0]) / 3600.0
    starts = np.unique(np.concatenate([steps.first, steps.last[steps.last < steps.time_s.size]]))
    rows = envelope_rows(hours, steps.potential_V, starts)
    if area_cm2:
        current = {"current_density_mA_cm2": (steps.current_A[rows] * 1.0e3 / area_cm2).tolist()}
    else:
        current = {"current_mA": (steps.current_A[rows] * 1.0e3).tolist()}
    middle = 0.5 * (steps.start_s + steps.end_s) - steps.time_s[0]
    per_area = 1.0e3 / area_cm2 if area_cm2 else None
    return {
        "series": {"time_h": hours[rows].tolist(), "potential_V": steps.potential_V[rows].tolist(), **current},
        "point_count": int(steps.time_s.size),
        "half_steps": {
            "time_h": (middle / 3600.0).tolist(),
            "start_h": ((steps.start_s - steps.time_s[0]) / 3600.0).tolist(),
            "end_h": ((steps.end_s - steps.time_s[0]) / 3600.0).tolist(),
            "sign": steps.sign.tolist(),
            "overpotential_mV": (steps.eta_V * 1.0e3).tolist(),
            "resistance_ohm": steps.resistance_ohm.tolist(),
            "current_mA": (steps.magnitude_A * 1.0e3).tolist(),
            **({"current_density_mA_cm2": (steps.magnitude_A * per_area).tolist()} if per_area else {}),
        },
        "windows": sample_windows(steps),
        "pauses": pauses(steps),
    }


def sample_windows(steps: Steps) -> list[dict[str, Any]]:
    """Two cycles at the begin, in the middle and at the end, drawn closely; none where all cycles fit beside them."""
    if steps.count < 3 * WINDOW_HALVES:
        return []
    places = (0, (steps.count - WINDOW_HALVES) // 2 // 2 * 2, (steps.count - WINDOW_HALVES) // 2 * 2)
    found = []
    for first in places:
        rows = slice(max(int(steps.first[first]) - 1, 0), int(steps.last[first + WINDOW_HALVES - 1]))
        hours = (steps.time_s[rows] - steps.time_s[0]) / 3600.0
        kept = envelope_rows(hours, steps.potential_V[rows], limit=WINDOW_POINTS, columns=WINDOW_POINTS // 4)
        found.append(
            {
                "first_cycle": first // 2 + 1,
                "last_cycle": (first + WINDOW_HALVES) // 2,
                "time_h": hours[kept].tolist(),
                "potential_V": steps.potential_V[rows][kept].tolist(),
                "current_mA": (1.0e3 * steps.current_A[rows][kept]).tolist(),
            }
        )
    return found


def pauses(steps: Steps) -> list[dict[str, float]]:
    """Times without current between two half-steps that are much longer than those between the others. [h]"""
    if steps.count < 3:
        return []
    gaps = steps.start_s[1:] - steps.end_s[:-1]
    long = np.flatnonzero(gaps > np.maximum(PAUSE_FACTOR * np.median(gaps), PAUSE_LEAST_S))
    begin, end = (values - steps.time_s[0] for values in (steps.end_s[:-1][long], steps.start_s[1:][long]))
    return [{"from_h": float(a) / 3600.0, "to_h": float(b) / 3600.0} for a, b in zip(begin, end, strict=True)][
        :MOST_PAUSES
    ]


def warn_of_spikes(steps: Steps, outcome: Outcome) -> None:
    """Say how many samples of the voltage were left out."""
    if steps.spike_count:
        outcome.warn(
            "spikes_left_out",
            f"{steps.spike_count} isolated jumps of the voltage, of one or two samples, were left out.",
        )
