"""What analyses of symmetric cells share: the electrolyte's own resistance, the half-cycle table, series for plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.science.base import Outcome, Parameters, Subject
from analysis.science.given import ASSUMED_TEMPERATURE_DEGC, electrode_area, temperature
from analysis.science.shorts import Event
from analysis.science.steps import Steps
from analysis.science.wording import number
from analysis.thinning import envelope_rows

Real = NDArray[np.float64]

WINDOW_HALVES, WINDOW_POINTS = 4, 400  # of each close view of a long test
PAUSE_FACTOR, PAUSE_LEAST_S, MOST_PAUSES = 2.0, 600.0, 50  # longer than rests usually are
RESISTANCE, CONDUCTIVITY = "electrolyte_resistance_ohm", "ionic_conductivity_S_cm"
LOOKS_UP = (RESISTANCE, CONDUCTIVITY)
ALIKE = 2.0  # ratio of two resistances of one electrolyte beyond which one of them is something else
MOST_CERAMICS_S_CM = 1.0e-2  # at room temperature; LAGP has a few 1e-4
NEAR_K = 5.0  # 0.4 eV move a resistance by a quarter over it, far less than the half that the limit leaves


@dataclass(frozen=True)
class Electrolyte:
    """Resistance of the electrolyte alone [Ω], where it comes from, the results that told, and what is doubtful."""

    resistance_ohm: float
    uncertainty_ohm: float | None
    origin: str
    inputs: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    used: tuple[int, ...] = ()
    doubt: tuple[str, str] | None = None


def ohmic_resistance_ohm(
    subject: Subject, parameters: Parameters, area_cm2: float | None, celsius: float, outcome: Outcome
) -> float | None:
    """Resistance of the electrolyte alone; None, and said, where it cannot be known. [Ω]"""
    found = electrolyte(subject, parameters, area_cm2, celsius)
    if found is None:
        outcome.warn(
            "ohmic_limit_unknown",
            "The resistance of the electrolyte alone is not known, so that a voltage below it was not looked for. "
            "Measure the impedance of the cell, or give the conductivity of the electrolyte, to have it checked.",
        )
        return None
    outcome.inputs |= found.inputs
    outcome.inputs[RESISTANCE] = {
        "value": found.resistance_ohm, "uncertainty": found.uncertainty_ohm, "origin": found.origin,
    }  # fmt: skip
    outcome.used = sorted({*outcome.used, *found.used})
    if found.doubt:
        outcome.warn(*found.doubt)
    return found.resistance_ohm


def numbers_of_electrolyte(subject: Subject, parameters: Parameters) -> set[int]:
    """Keys of the results that tell the resistance of the electrolyte; none where a person does, or nobody."""
    aside = Outcome()
    area, _ = electrode_area(subject, parameters, aside, "")
    found = electrolyte(subject, parameters, area, temperature(parameters, aside))
    return set(found.used) if found else set()


def electrolyte(subject: Subject, parameters: Parameters, area_cm2: float | None, celsius: float) -> Electrolyte | None:
    """What the electrolyte alone lets pass at least, from the best that is known.

    Parameters
    ----------
    subject : Subject
        Thickness, where it is told by a conductivity.
    parameters : mapping
        ``electrolyte_resistance_ohm`` or ``electrolyte_conductivity_S_cm`` of a person; ``known``: rows of accepted
        numbers of the cell and its pellet, in the order in which they were measured, with ``quantity``, ``value``,
        ``uncertainty``, ``temperature_degC``, ``measurement``, ``result_id`` and ``is_before`` (the test).
    area_cm2 : float, optional
    celsius : float
        Of the test; numbers measured more than 5 K away are no measure. [°C]

    Notes
    -----
    A person's word; else the spectrum of the cell before the test, else its earliest; else L/(σ A) of the pellet. A
    ceramic does not conduct twice as well as before, but a cell that has shorted does: of two spectra before the test
    that differ by more than a factor of two, the larger resistance counts, and where a spectrum and the pellet differ
    by as much, the pellet does, for it was measured without lithium, and no contact adds to what it must have.
    """
    if given := parameters.get(RESISTANCE):
        return Electrolyte(float(given), None, "person")
    if sigma := parameters.get("electrolyte_conductivity_S_cm"):
        return _of_conductivity(float(sigma), "person", subject, area_cm2)
    known = [row for row in parameters.get("known") or () if abs(_degC(row) - celsius) <= NEAR_K]
    own = _of_spectra([row for row in known if row["quantity"] == RESISTANCE])
    sigmas = [row for row in known if row["quantity"] == CONDUCTIVITY]
    if not sigmas:
        return _judged(own, subject, area_cm2)
    best = min(reversed(sigmas), key=lambda row: abs(_degC(row) - celsius))  # of several the latest
    pellet = _of_conductivity(float(best["value"]), str(best["measurement"]), subject, area_cm2, int(best["result_id"]))
    if own is None or pellet is None:
        return own or pellet
    used = (*own.used, *pellet.used)
    ratio = own.resistance_ohm / pellet.resistance_ohm
    if 1.0 / ALIKE <= ratio <= ALIKE:
        return replace(own, used=used, doubt=None)
    why = "Had the cell shorted already?" if ratio < 1.0 else "Does a contact or a crack add to the spectrum?"
    sentence = (
        f"The impedance gives the electrolyte {number(own.resistance_ohm)} Ω ({own.origin}), the conductivity of the "
        f"pellet {number(pellet.resistance_ohm)} Ω ({best['measurement']}). The latter was taken. {why}"
    )
    return replace(pellet, used=used, doubt=("electrolyte_resistance_differs", sentence))


def _judged(own: Electrolyte | None, subject: Subject, area_cm2: float | None) -> Electrolyte | None:
    """What spectra tell, with a doubt where no ceramic conducts so well: nothing else could show their cell shorted."""
    if own is None or own.doubt or not subject.thickness_um or not area_cm2:
        return own
    sigma_S_cm = subject.thickness_um * 1.0e-4 / (own.resistance_ohm * area_cm2)
    if sigma_S_cm <= MOST_CERAMICS_S_CM:
        return own
    sentence = (
        f"{number(own.resistance_ohm)} Ω of the electrolyte ({own.origin}) would be {number(sigma_S_cm)} S cm⁻¹, more "
        "than a ceramic conducts. If the cell had shorted when its spectrum was taken, a short in this test is not "
        "recognised. Give the conductivity of the electrolyte to have it checked."
    )
    return replace(own, doubt=("electrolyte_resistance_low", sentence))


def _degC(row: Mapping[str, Any]) -> float:
    value = row.get("temperature_degC")
    return ASSUMED_TEMPERATURE_DEGC if value is None else float(value)


def _of_conductivity(
    sigma_S_cm: float, origin: str, subject: Subject, area_cm2: float | None, result_id: int | None = None
) -> Electrolyte | None:
    """L/(σ A); None without thickness or area."""
    if not subject.thickness_um or not area_cm2:
        return None
    inputs = {
        "electrolyte_conductivity_S_cm": {"value": sigma_S_cm, "uncertainty": None, "origin": origin},
        "thickness_um": {
            "value": subject.thickness_um, "uncertainty": subject.thickness_uncertainty_um, "origin": subject.code,
        },
    }  # fmt: skip
    resistance = subject.thickness_um * 1.0e-4 / (sigma_S_cm * area_cm2)
    return Electrolyte(resistance, None, "L / (σ A)", inputs, () if result_id is None else (result_id,))


def _of_spectra(rows: Sequence[Mapping[str, Any]]) -> Electrolyte | None:
    """R_e of the last spectrum before the test, else of the first."""
    if not rows:
        return None

    def told(row: Mapping[str, Any], when: str, doubt: tuple[str, str] | None = None, *others: int) -> Electrolyte:
        origin = f"{row['measurement']}, {when}"
        used = (int(row["result_id"]), *others)
        return Electrolyte(float(row["value"]), row.get("uncertainty"), origin, {}, used, doubt)

    before = [row for row in rows if row["is_before"]]
    if not before:
        sentence = (
            f"The electrolyte's resistance is that of {rows[0]['measurement']}, which was measured after the test had "
            "begun. If the cell had shorted by then, a voltage below the electrolyte's own is not recognised."
        )
        return told(rows[0], "after the test had begun", ("ohmic_limit_late", sentence))
    last, largest = before[-1], max(before, key=lambda row: float(row["value"]))
    if float(last["value"]) >= float(largest["value"]) / ALIKE:
        return told(last, "before the test")
    sentence = (
        f"The electrolyte's resistance fell from {number(float(largest['value']))} Ω ({largest['measurement']}) to "
        f"{number(float(last['value']))} Ω ({last['measurement']}) before the test, as when a cell shorts. "
        "The former was taken."
    )
    doubt = ("electrolyte_resistance_differs", sentence)
    return told(largest, "before the test", doubt, int(last["result_id"]))


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
