"""Lithium transference number of a symmetric cell, from a polarisation and the impedance before and after it.

References
----------
Bruce and Vincent, 10.1016/0022-0728(87)80001-3; Evans, Vincent, Bruce, 10.1016/0032-3861(87)90394-6.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.base import Combination, Finding, Outcome, Parameters, Subject
from analysis.science.wording import number, with_uncertainty

Real = NDArray[np.float64]

DRAWS = 4000
SEED = 1987  # the same interval whenever the same numbers are combined
PHYSICAL = (-0.5, 1.5)
AMPLIFICATION = 5.0
HIGH_VOLTAGE_V = 0.02
CURRENTS_DIFFER = 0.10
INTERFACE_MOVED = 0.20
# A room that one file calls 20 °C and the next 25 °C is one temperature; series of them go in steps of 10 K or more.
# Beyond it, resistances of 0.4 eV have moved by more than a quarter.
SAME_TEMPERATURE_K = 5.0
SMALLEST_RELATIVE = 3.0e-4  # of a fitted resistance; one very good fit is not believed
BEFORE_WORDS = ("before", "initial", "fresh", "pre", "bef", "vor", "start", "r0", "1st", "eis1")
AFTER_WORDS = ("after", "final", "post", "aft", "nach", "end", "steady", "rss", "2nd", "eis2")
WAITING_FOR = {
    "polarisation": "Waiting for the polarisation. Upload it, or enter its currents and voltage.",
    "before": "Waiting for the EIS before polarisation{}. Upload it, or pick one.",
    "after": "Waiting for the EIS after polarisation{}. Upload it, or pick one.",
}
SYMBOLS = {
    "initial_current_A": "I₀",
    "steady_state_current_A": "I_s",
    "initial_resistance_ohm": "R₀",
    "steady_state_resistance_ohm": "R_s",
    "electrolyte_resistance_ohm": "R_e",
    "polarisation_voltage_V": "ΔV",
}


def lithium_transference_number(
    voltage_V: Any, initial_A: Any, steady_A: Any, initial_ohm: Any, steady_ohm: Any
) -> Any:
    """t = I_s (ΔV − I₀ R₀) / [I₀ (ΔV − I_s R_s)].

    Parameters
    ----------
    voltage_V, initial_A, steady_A : float or array, shape (n,)
        ΔV, I₀, I_s.
    initial_ohm, steady_ohm : float or array, shape (n,)
        Interfaces of both electrodes together before and after, R₀ and R_s. [Ω]

    Returns
    -------
    float or array, shape (n,)
    """
    return steady_A * (voltage_V - initial_A * initial_ohm) / (initial_A * (voltage_V - steady_A * steady_ohm))


@dataclass(frozen=True)
class Value:
    """A number that enters, with its standard uncertainty, where it comes from, and which result it is."""

    value: float
    uncertainty: float
    origin: str
    result_id: int | None = None
    is_flagged: bool = False


class Transference(Combination):
    """Bruce–Vincent–Evans; the three measurements are linked by their times."""

    slug: ClassVar[str] = "transference"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "Lithium transference number"
    over: ClassVar[str] = "cell"
    needs: ClassVar[tuple[str, ...]] = (
        "steady_state_current_A",
        "initial_current_A",
        "polarisation_voltage_V",
        "electrolyte_resistance_ohm",
        "cell_interfacial_resistance_ohm",
    )
    begins_with: ClassVar[tuple[str, ...]] = ("steady_state_current_A", "cell_interfacial_resistance_ohm")
    chosen_with: ClassVar[tuple[str, ...]] = ("polarisation",)
    takes_provisional: ClassVar[bool] = True
    yields: ClassVar[tuple[str, ...]] = ("lithium_transference_number",)

    def run(self, numbers: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute.

        Parameters
        ----------
        numbers : pandas.DataFrame
            Columns as in `Combination.run`, with ``file_name``, ``uploaded_order``, ``flag`` and
            ``is_temperature_assumed`` where known.
        subject : Subject
        parameters : mapping
            Each replaces what was found: ``initial_current_A``, ``steady_state_current_A``,
            ``initial_resistance_ohm``, ``steady_state_resistance_ohm``, ``electrolyte_resistance_ohm``,
            ``polarisation_voltage_V``. ``eis_before``, ``eis_after``, ``polarisation``: codes of measurements to take.
            ``beside``: the same by the code of the polarisation that they were given with, the newest last; they count
            where that one does. With ``counts_for_transference`` a person says that it does.

        Returns
        -------
        Outcome
            Without all three measurements the number is missing, and the warning says what is waited for.

        Notes
        -----
        I₀ = ΔV/(R_e + R₀) from the impedance, unless a person gave it: then t = I_s R_e/(ΔV − I_s R_s), R₀ cancels,
        and its errors with it. Only spectra at the temperature of the polarisation enter, to 5 K and where both are
        known, unless a person picks another: that is said. The uncertainty is that of 4000 draws of what entered. A
        number that a person gave has the relative uncertainty of the one that was measured in its place; without one
        it has none, which is said.
        """
        outcome = Outcome()
        frame = _ordered(numbers)
        roles, parameters = _roles(frame, parameters, outcome)
        values = _values(frame, roles, parameters)
        missing = _missing(values, parameters)
        celsius = _temperature_of(frame, roles.get("polarisation", ""))
        _say_temperatures(frame, roles, celsius, outcome)
        if missing:
            where = f" at {celsius:.4g} °C" if celsius is not None and missing in roles.elsewhere else ""
            outcome.warn("waiting", WAITING_FOR[missing].format(where))
            outcome.findings = [Finding("lithium_transference_number", None, flag="missing")]
        else:
            _compute(values, parameters, outcome)
        if celsius is None:  # its row says what those it is made of say
            celsius = _temperature_of(frame, roles.get("polarisation", ""), "stated_degC")
            if celsius is not None:
                sentence = f"The temperature of the polarisation is not known. {celsius:g} °C is assumed."
                outcome.warn("temperature_missing", sentence)
        outcome.findings = [replace(found, temperature_degC=celsius) for found in outcome.findings]
        for name, value in values.items():
            outcome.inputs[name] = {
                "value": value.value,
                "uncertainty": value.uncertainty or None,
                "origin": value.origin,
            }
        for role, code in roles.items():
            origin = "person" if parameters.get(_PICKED[role]) else roles.origin
            outcome.inputs[f"measurement_{role}"] = {"value": code, "uncertainty": None, "origin": origin}
        outcome.used = sorted({value.result_id for value in values.values() if value.result_id is not None})
        return outcome


# --- Which measurement is which ---------------------------------------------------------------------------------------
_PICKED = {"before": "eis_before", "after": "eis_after", "polarisation": "polarisation"}


class _Roles(dict[str, str]):
    """Codes of measurements by role, how the roles were found, and what would have them at another temperature."""

    origin = "time of measurement"

    def __init__(self, roles: Mapping[str, str], nearest: Mapping[str, str]) -> None:
        super().__init__(roles)
        self.elsewhere = {role: code for role, code in nearest.items() if code != self.get(role)}


def _ordered(numbers: pd.DataFrame) -> pd.DataFrame:
    """The numbers with every column that is read, in the order of upload."""
    frame = numbers.copy()
    for column in ("measurement", "quantity", "label", "file_name", "flag"):
        frame[column] = frame[column].fillna("").astype(str) if column in frame else ""
    if "temperature_degC" not in frame:
        frame["temperature_degC"] = np.nan
    frame["temperature_degC"] = pd.to_numeric(frame["temperature_degC"], errors="coerce")
    frame["stated_degC"] = frame["temperature_degC"]
    if "is_temperature_assumed" in frame:  # says nothing about where a spectrum belongs
        frame["temperature_degC"] = frame["temperature_degC"].mask(frame["is_temperature_assumed"].astype(bool))
    if "uploaded_order" not in frame:
        frame["uploaded_order"] = [_code_number(code) for code in frame["measurement"]]
    if "measured_at" not in frame:
        frame["measured_at"] = pd.NaT
    frame["measured_at"] = pd.to_datetime(frame["measured_at"], utc=True, errors="coerce")
    return frame.sort_values(["uploaded_order", "measurement"], kind="stable")


def _code_number(code: str) -> float:
    digits = re.findall(r"\d+", code)
    return float(digits[-1]) if digits else 0.0


def _roles(frame: pd.DataFrame, parameters: Parameters, outcome: Outcome) -> tuple[_Roles, Parameters]:
    """Give roles by time; where a time is missing by words in the name of the file, then by order of upload.

    Returns the roles, and what a person gave with the polarisation that has its.
    """
    roles, given = _Roles({}, {}), parameters
    spectra = frame[frame["quantity"] == "cell_interfacial_resistance_ohm"].drop_duplicates("measurement")
    holds = frame[frame["quantity"] == "steady_state_current_A"].drop_duplicates("measurement")
    picked = _picked(holds, parameters)
    if picked:
        holds = holds[holds["measurement"] == picked]
    is_timed = bool(spectra["measured_at"].notna().all() and holds["measured_at"].notna().all())
    key = "measured_at" if is_timed else "uploaded_order"
    order = list(holds.sort_values(key, kind="stable")["measurement"])
    for code in reversed(order):  # the latest that is complete, else the latest
        own = (parameters.get("beside") or {}).get(code, {}) | dict(parameters)
        hold = holds[holds["measurement"] == code].iloc[0]
        is_elsewhere = (spectra["temperature_degC"] - hold["temperature_degC"]).abs() > SAME_TEMPERATURE_K
        found = _around(spectra[~is_elsewhere], hold, key, is_timed)
        picked_here = {role: str(own[_PICKED[role]]) for role in ("before", "after") if own.get(_PICKED[role])}
        found |= picked_here
        if not roles or len(found) == 3:
            nearest = _around(spectra, hold, key, is_timed) | picked_here if is_elsewhere.any() else {}
            roles, given = _Roles(found, nearest), own
        if len(found) == 3:
            break
    roles.origin = "time of measurement" if is_timed else "assumed"
    if picked:
        given = dict(given) | {"polarisation": picked}
    if not order:
        if len(spectra):
            roles["before"] = str(spectra.iloc[0]["measurement"])
        roles |= {role: str(given[_PICKED[role]]) for role in ("before", "after") if given.get(_PICKED[role])}
    if not is_timed and len(roles) > 1 and not all(given.get(name) for name in ("eis_before", "eis_after")):
        outcome.warn(
            "roles_assumed",
            "No time is known for all three measurements. Before and after are assumed from the names of the files, "
            "or the order of upload. Enter the times, or pick the spectra.",
        )
    return roles, given


def _picked(holds: pd.DataFrame, parameters: Parameters) -> str:
    """The polarisation that a person says counts, if it has a current; '' where nobody said."""
    said = [code for code, given in (parameters.get("beside") or {}).items() if given.get("counts_for_transference")]
    wanted = [str(parameters["polarisation"])] if parameters.get("polarisation") else said
    known = [code for code in wanted if code in set(holds["measurement"])]
    return known[-1] if known else ""


def _around(spectra: pd.DataFrame, hold: Mapping[Any, Any], key: str, is_timed: bool) -> dict[str, str]:
    """The spectra nearest before and after a polarisation."""
    found = {"polarisation": str(hold["measurement"])}
    if not is_timed:
        words = [role_in_name(name) for name in spectra["file_name"]]
        for role in ("before", "after"):
            named = spectra[[word == role for word in words]]
            if len(named):
                found[role] = str(named.iloc[-1 if role == "before" else 0]["measurement"])
        spectra = spectra[[not word for word in words]]
    earlier = spectra[spectra[key] <= hold[key]].sort_values(key, kind="stable")
    later = spectra[spectra[key] > hold[key]].sort_values(key, kind="stable")
    if len(earlier):
        found.setdefault("before", str(earlier.iloc[-1]["measurement"]))
    if len(later):
        found.setdefault("after", str(later.iloc[0]["measurement"]))
    if not is_timed and len(found) < 3:  # both spectra were uploaded before, or both after, the polarisation
        codes = [str(code) for code in (earlier if len(earlier) > len(later) else later)["measurement"]]
        if len(found) == 2 and len(codes) >= 2:
            found["before"], found["after"] = codes[-2:] if len(earlier) > len(later) else codes[:2]
    return found


def _temperature_of(frame: pd.DataFrame, measurement: str, column: str = "temperature_degC") -> float | None:
    """Temperature of a measurement; None where it is not known. [°C]"""
    known = frame.loc[frame["measurement"] == measurement, column].dropna()
    return float(known.iloc[0]) if len(known) else None


def _say_temperatures(frame: pd.DataFrame, roles: _Roles, celsius: float | None, outcome: Outcome) -> None:
    """Which spectra at another temperature than the polarisation were left out, or taken because a person said so."""
    if celsius is None:
        return
    for code in dict.fromkeys((*roles.elsewhere.values(), *roles.values())):
        own = _temperature_of(frame, code)
        if own is not None and abs(own - celsius) > SAME_TEMPERATURE_K:
            is_taken = code in roles.values()
            end = "A person picked it; resistances change by about 5 % per kelvin." if is_taken else "It was not taken."
            outcome.warn(
                "other_temperature",
                f"{code} was measured at {own:.4g} °C, the polarisation at {celsius:.4g} °C. {end}",
            )


def role_in_name(file_name: str) -> str:
    """'before', 'after', or '' of what a file's name says of its spectrum."""
    parts = re.split(r"[^a-z0-9]+", file_name.lower())
    for role, words in (("before", BEFORE_WORDS), ("after", AFTER_WORDS)):
        if any(part == word or (len(word) >= 5 and part.startswith(word)) for part in parts for word in words):
            return role
    return ""


# --- What enters ------------------------------------------------------------------------------------------------------
_SOURCES = {
    "initial_current_A": ("polarisation", "initial_current_A"),
    "steady_state_current_A": ("polarisation", "steady_state_current_A"),
    "polarisation_voltage_V": ("polarisation", "polarisation_voltage_V"),
    "initial_resistance_ohm": ("before", "cell_interfacial_resistance_ohm"),
    "electrolyte_resistance_ohm": ("before", "electrolyte_resistance_ohm"),
    "steady_state_resistance_ohm": ("after", "cell_interfacial_resistance_ohm"),
}


def _values(frame: pd.DataFrame, roles: Mapping[str, str], parameters: Parameters) -> dict[str, Value]:
    """Every number that is known: a person's before those found. Currents and voltage without their common sign."""
    values: dict[str, Value] = {}
    for name, (role, quantity) in _SOURCES.items():
        given = abs(float(parameters[name])) if parameters.get(name) else None
        rows = frame[(frame["measurement"] == roles.get(role, "")) & (frame["quantity"] == quantity)]
        rows = rows[pd.to_numeric(rows["value"], errors="coerce").notna()]
        if len(rows) == 0:
            if given is not None:
                values[name] = Value(given, 0.0, "person")
            continue
        row = rows.iloc[-1]
        value = abs(float(row["value"]))
        spread = float(row["uncertainty"]) if pd.notna(row["uncertainty"]) else 0.0
        if quantity.endswith("_ohm"):
            spread = max(spread, SMALLEST_RELATIVE * value)
        if given is not None:
            values[name] = Value(given, given * spread / value if value else 0.0, "person")
            continue
        is_flagged = row["flag"] not in ("", "ok") and row.get("acceptance") != "accepted"
        values[name] = Value(value, spread, str(row["measurement"]), int(row["result_id"]), bool(is_flagged))
    return values


def _missing(values: Mapping[str, Value], parameters: Parameters) -> str | None:
    """The first role of which a number lacks; None where all are there."""
    has_initial = "electrolyte_resistance_ohm" in values or "initial_current_A" in values
    if not {"steady_state_current_A", "polarisation_voltage_V"} <= values.keys():
        return "polarisation"
    if "initial_resistance_ohm" not in values or not has_initial:
        return "before"
    return None if "steady_state_resistance_ohm" in values else "after"


# --- The number -------------------------------------------------------------------------------------------------------
def _compute(values: dict[str, Value], parameters: Parameters, outcome: Outcome) -> None:
    """t with the uncertainty of draws, its flag, and what is doubtful."""
    rng = np.random.default_rng(SEED)
    draw = {
        name: value.value + value.uncertainty * rng.standard_normal(DRAWS) for name, value in sorted(values.items())
    }
    voltage, steady = values["polarisation_voltage_V"].value, values["steady_state_current_A"].value
    before, after = values["initial_resistance_ohm"].value, values["steady_state_resistance_ohm"].value
    is_given = bool(parameters.get("initial_current_A")) or "electrolyte_resistance_ohm" not in values
    sampled = values.get("initial_current_A")
    if is_given:
        initial, initial_draw = values["initial_current_A"].value, draw["initial_current_A"]
    else:
        initial = voltage / (values["electrolyte_resistance_ohm"].value + before)
        initial_draw = draw["polarisation_voltage_V"] / (
            draw["electrolyte_resistance_ohm"] + draw["initial_resistance_ohm"]
        )
        values["initial_current_A"] = Value(initial, float(initial_draw.std()), "ΔV / (R_e + R₀)")
        if sampled is not None:
            _compare(initial, sampled, voltage, steady, before, after, outcome)
    t = float(lithium_transference_number(voltage, initial, steady, before, after))
    with np.errstate(all="ignore"):
        draws = lithium_transference_number(
            draw["polarisation_voltage_V"],
            initial_draw,
            draw["steady_state_current_A"],
            draw["initial_resistance_ohm"],
            draw["steady_state_resistance_ohm"],
        )
    draws = draws[np.isfinite(draws)]
    low, high = (float(value) for value in np.quantile(draws, (0.025, 0.975)))
    spread = (high - low) / 3.92
    flag = _flag(t, values, outcome)
    _doubts(voltage, initial, steady, before, after, is_given, outcome)
    enters = [name for name in values if name != ("electrolyte_resistance_ohm" if is_given else "initial_current_A")]
    if exact := [SYMBOLS[name] for name in enters if values[name].origin == "person" and not values[name].uncertainty]:
        outcome.warn(
            "uncertainty_not_known",
            f"{', '.join(exact)} {'was' if len(exact) == 1 else 'were'} entered without an uncertainty, which that of "
            "t leaves out.",
        )
    found = Finding("lithium_transference_number", t if math.isfinite(t) else None, spread or None, flag=flag)
    outcome.findings = [found]
    outcome.inputs["formula"] = {
        "text": "t = I_s (ΔV − I₀ R₀) / [I₀ (ΔV − I_s R_s)]",
        "filled": f"t = {number(steady * 1e6)} µA × ({number(voltage * 1e3)} − {number(initial * before * 1e3)}) mV / "
        f"[{number(initial * 1e6)} µA × ({number(voltage * 1e3)} − {number(steady * after * 1e3)}) mV] = "
        f"{with_uncertainty(t, spread)}",
    }
    outcome.tables = {
        "fit": [
            {"parameter": name, "symbol": SYMBOLS[name], "value": value.value, "uncertainty": value.uncertainty or None,
             "unit": {"A": "A", "ohm": "Ω", "V": "V"}[name.rpartition("_")[2]], "origin": value.origin}
            for name, value in values.items()
        ]
        + [
            {"parameter": "lithium_transference_number", "symbol": "t", "value": t, "uncertainty": spread, "lower": low,
             "upper": high, "unit": "1", "origin": "Bruce–Vincent–Evans"}
        ]
    }  # fmt: skip


def _compare(
    initial: float, sampled: Value, voltage: float, steady: float, before: float, after: float, outcome: Outcome
) -> None:
    """Beside I₀ from the impedance: the sampled one, and what it would give."""
    other = float(lithium_transference_number(voltage, sampled.value, steady, before, after))
    outcome.inputs["sampled_initial_current_A"] = {
        "value": sampled.value,
        "uncertainty": sampled.uncertainty or None,
        "origin": f"{sampled.origin}; with it t would be {other:.3g}",
    }
    if abs(sampled.value / initial - 1.0) > CURRENTS_DIFFER:
        outcome.warn(
            "initial_currents_differ",
            f"I₀ from the impedance is {number(initial * 1e6)} µA, sampled {number(sampled.value * 1e6)} µA: more than "
            "10 % apart. Check whether the spectrum was taken right before the polarisation.",
        )


def _flag(t: float, values: Mapping[str, Value], outcome: Outcome) -> str:
    """The flag of the number: what is outside 0 to 1 beyond its meaning, or rests on a flagged number."""
    if not math.isfinite(t) or not PHYSICAL[0] <= t <= PHYSICAL[1] or not 0.0 <= t <= 1.0:
        outcome.warn("outside_0_1", f"{t:.2f} is outside 0–1. Check ΔV and which resistance was used.")
        return "out_of_range" if math.isfinite(t) else "missing"
    flagged = [name for name, value in values.items() if value.is_flagged]
    if "steady_state_current_A" in flagged:
        outcome.warn(
            "not_steady",
            "The current of the polarisation had not reached its steady state, so the number is provisional.",
        )
    elif flagged:
        words = ", ".join(SYMBOLS[name] for name in flagged)
        outcome.warn("flagged_input", f"{words} was flagged and not accepted, so the number is provisional.")
    return "suspect" if flagged else "ok"


def _doubts(
    voltage: float, initial: float, steady: float, before: float, after: float, is_given: bool, outcome: Outcome
) -> None:
    """Warnings that bend nothing."""
    top, bottom = voltage - initial * before, voltage - steady * after
    factors = {"R_s": steady * after / bottom if bottom else math.inf}
    if is_given:
        factors |= {
            "R₀": initial * before / top if top else math.inf,
            "I₀": voltage / top if top else math.inf,
        }
    name, factor = max(factors.items(), key=lambda item: abs(item[1]))
    if abs(factor) > AMPLIFICATION:
        outcome.warn(
            "amplification",
            f"An error of 1 % in {name} moves t by {abs(factor):.0f} %: the interfaces take most of the voltage.",
        )
    if voltage > HIGH_VOLTAGE_V:
        outcome.warn(
            "voltage_high", f"ΔV is {1e3 * voltage:.3g} mV; above 20 mV the interfaces need not answer in proportion."
        )
    if before and abs(after / before - 1.0) > INTERFACE_MOVED:
        outcome.warn(
            "interface_moved",
            f"The interfaces changed from {number(before)} to {number(after)} Ω during the polarisation.",
        )
