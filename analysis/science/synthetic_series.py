"""SYNTHETIC time series of lithium cells with known truth. Nothing in this module was measured.

For tests, benchmarks and the reference campaign; see `analysis.science.synthetic` for spectra. Every function draws
from the generator it is given. Frames have the columns of a time series (`measurements.readers.columns`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Real = NDArray[np.float64]

MODES = ("hard_short", "soft_short", "polarisation", "none")
ENDS = ("short", "soft_short", "open", "noise", "none")


@dataclass(frozen=True)
class SyntheticTest:
    """A SYNTHETIC galvanostatic test and its truth.

    Attributes
    ----------
    frame : pandas.DataFrame
        ``time_s, potential_V, current_A, step_number``.
    mode : str
        One of `MODES` or `ENDS`.
    half : int or None
        Number of the half-step, from 0, in which it happens.
    time_s : float or None
        When the short or the contact loss begins.
    current_density_mA_cm2 : float or None
        Of that half-step.
    """

    frame: pd.DataFrame
    mode: str
    half: int | None = None
    time_s: float | None = None
    current_density_mA_cm2: float | None = None


@dataclass(frozen=True)
class Cell:
    """What the cell is like.

    Attributes
    ----------
    area_cm2, asr_ohm_cm2 : float
        Electrode area; area-specific resistance of electrolyte and both interfaces together.
    noise_V, offset_V, drift_fraction : float
        White noise; offset of the instrument; relative growth of the resistance from begin to end of the test.
    void_fraction : float
        Relative growth of the voltage within one half-step, with the charge that it passes.
    settle_s : float
        Time constant with which the voltage reaches its level.
    resolution_V : float
        Smallest step of the voltage in the file; 0 for none.
    """

    area_cm2: float = 0.7854
    asr_ohm_cm2: float = 400.0
    noise_V: float = 2.0e-4
    offset_V: float = 0.0
    drift_fraction: float = 0.0
    void_fraction: float = 0.0
    settle_s: float = 30.0
    resolution_V: float = 1.0e-4


def current_steps(
    densities_mA_cm2: Sequence[float], step_s: float | Sequence[float], rest_s: float = 0.0, cycles_per_step: int = 1
) -> list[tuple[float, float]]:
    """The programme (current density, time) of a symmetric cell: each step positive, then negative, rests after each.

    Parameters
    ----------
    densities_mA_cm2 : sequence of float
    step_s : float or sequence of float
        Time of one polarity, the same for all steps or one per step. [s]
    rest_s : float
        [s]
    cycles_per_step : int

    Returns
    -------
    list of (mA cm⁻², s)
    """
    times = [float(step_s)] * len(densities_mA_cm2) if isinstance(step_s, int | float) else list(step_s)
    programme: list[tuple[float, float]] = []
    for density, seconds in zip(densities_mA_cm2, times, strict=True):
        for sign in (1.0, -1.0) * cycles_per_step:
            programme.append((sign * density, seconds))
            if rest_s:
                programme.append((0.0, rest_s))
    return programme


def galvanostatic_test(
    programme: Sequence[tuple[float, float]],
    cell: Cell,
    rng: np.random.Generator,
    *,
    interval_s: float = 10.0,
    mode: str = "none",
    half: int = 0,
    place: float = 0.5,
    depth: float = 0.9,
    recovers: bool = False,
    limit_V: float = 5.0,
    spike_count: int = 0,
    first_rest_s: float = 0.0,
    stops: bool = False,
) -> SyntheticTest:
    """SYNTHETIC test of a symmetric cell that follows a programme of currents.

    Parameters
    ----------
    programme : sequence of (mA cm⁻², s)
        Zero current is a rest.
    cell : Cell
    rng : numpy.random.Generator
    interval_s : float
        Between samples. [s]
    mode : str
        What happens: 'hard_short', 'soft_short', 'polarisation', 'noise' or 'none'; 'short' and 'open' are the hard
        short and the contact loss of a long test.
    half, place : int, float
        In which half-step, and at which share of its time; 0 is in the rest or at the change before it.
    depth : float
        Share of the voltage that a short takes away.
    recovers : bool
        Whether a soft short heals at the end of its half-step.
    limit_V : float
        Voltage limit of the cycler: at it, the current falls.
    spike_count : int
        Isolated samples that a change of range spoils.
    first_rest_s : float
    stops : bool
        Whether the cycler ends the test when the half-step of the event ends.

    Notes
    -----
    V = j ASR (1 + drift) (1 + void Q/Q_half) (1 − exp(−t/settle)) + offset + noise. A contact loss grows like
    exp(t/τ) until the limit of the cycler.
    """
    parts: list[dict[str, Real]] = []
    begin, number, count = 0.0, 0, 0
    begin_event: float | None = None
    total = first_rest_s + sum(seconds for _, seconds in programme)
    whole = [(0.0, first_rest_s), *programme] if first_rest_s else list(programme)
    kind = {"short": "hard_short", "open": "polarisation"}.get(mode, mode)
    density_event: float | None = None
    for density, seconds in whole:
        t = np.arange(interval_s, seconds + 0.5 * interval_s, interval_s)
        asr = cell.asr_ohm_cm2 * (1.0 + cell.drift_fraction * (begin + t) / total)
        current = np.full(t.size, density * cell.area_cm2 * 1.0e-3)
        settled = 1.0 - np.exp(-t / cell.settle_s) if cell.settle_s > 0 else np.ones(t.size)
        volts = density * 1.0e-3 * asr * settled * (1.0 + cell.void_fraction * t / seconds)
        extra = np.zeros(t.size)
        if density and kind != "none":
            if count == half:
                begin_event, density_event = begin + place * seconds, abs(density)
            if count == half or (count > half and not recovers):
                volts, extra, current = _event(kind, t, volts, current, count == half, place * seconds, seconds,
                                               depth, limit_V, cell, rng)  # fmt: skip
        noise = rng.normal(0.0, cell.noise_V, t.size) + extra
        parts.append({"time_s": begin + t, "potential_V": volts + noise + cell.offset_V, "current_A": current,
                      "step_number": np.full(t.size, float(number + 1))})  # fmt: skip
        is_end = stops and density != 0.0 and kind != "none" and count == half
        count += density != 0.0
        number, begin = number + 1, begin + seconds
        if is_end:
            break
    frame = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    if spike_count:
        rows = rng.choice(len(frame), spike_count, replace=False)
        frame.loc[rows, "potential_V"] *= rng.choice([0.1, 3.0], spike_count)
    if cell.resolution_V:
        frame["potential_V"] = (frame["potential_V"] / cell.resolution_V).round() * cell.resolution_V
    frame["step_number"] = frame["step_number"].astype(int)
    if begin_event is None:
        return SyntheticTest(frame, "none")
    return SyntheticTest(frame, mode, half, begin_event, density_event)


def _event(
    kind: str, t: Real, volts: Real, current: Real, is_first: bool, from_s: float, seconds: float, depth: float,
    limit_V: float, cell: Cell, rng: np.random.Generator,
) -> tuple[Real, Real, Real]:  # fmt: skip
    """Voltage, extra noise and current of a half-step in which, or after which, something happened."""
    since = t - from_s if is_first else t + seconds
    after = since >= 0.0
    extra = np.zeros(t.size)
    if kind == "hard_short":
        return np.where(after, volts * (1.0 - depth), volts), extra, current
    if kind == "soft_short":
        extra = np.where(after, rng.normal(0.0, 0.01 * (1.0 - depth) * np.abs(volts).mean(), t.size), 0.0)
        return np.where(after, volts * (1.0 - depth), volts), extra, current
    if kind == "noise":
        level = max(0.04 * float(np.abs(volts).mean()), 12.0 * cell.noise_V)
        return volts, np.where(after, rng.normal(0.0, level, t.size), 0.0), current
    # Contact loss: ten times the voltage after a third of the half-step.
    growth = np.where(after, np.exp(np.clip(since, 0.0, None) / (seconds / 7.0)), 1.0)
    raised = volts * growth
    size = np.maximum(np.abs(raised), 1e-12)
    is_limited = size > limit_V
    return (
        np.where(is_limited, np.sign(raised) * limit_V, raised),
        extra,
        np.where(is_limited, current * limit_V / size, current),
    )


def random_ramp(rng: np.random.Generator, mode: str | None = None) -> tuple[SyntheticTest, Cell, float | None]:
    """SYNTHETIC ramp of a symmetric cell with random cell, protocol and failure; its cell, and the limit if known. [V]

    ASR 50 to 3000 Ω cm², noise 0.05 to 1 mV, sampling 1 to 60 s, rests of 0 to 30 min, drift up to 30 %, growth within
    half-steps up to 40 %; time- or capacity-controlled.
    """
    mode = mode or str(rng.choice(MODES))
    cell = Cell(
        area_cm2=float(rng.choice([0.2, 0.5027, 0.7854, 1.1310])),
        asr_ohm_cm2=float(10.0 ** rng.uniform(math.log10(50.0), math.log10(3000.0))),
        noise_V=float(10.0 ** rng.uniform(math.log10(5e-5), -3.0)),
        offset_V=float(rng.normal(0.0, 5e-4)),
        drift_fraction=float(rng.uniform(-0.2, 0.3)),
        void_fraction=float(rng.choice([0.0, 1.0]) * rng.uniform(0.0, 0.4)),
        settle_s=float(rng.uniform(2.0, 90.0)),
        resolution_V=float(rng.choice([0.0, 1e-5, 1e-4])),
    )
    step = float(rng.choice([0.02, 0.05, 0.1]))
    count = int(rng.integers(6, 13))
    densities = step * np.arange(1, count + 1)
    minutes = float(rng.choice([10, 30, 60]))
    seconds: float | list[float] = 60.0 * minutes
    if rng.random() < 0.3:  # the same charge in every half-step
        seconds = [60.0 * round(max(minutes * densities[2] / float(d), 6.0)) for d in densities]
    rest = float(rng.choice([0.0, 0.0, 300.0, 1800.0]))
    shortest = min(seconds) if isinstance(seconds, list) else seconds
    interval = min(float(rng.choice([1.0, 5.0, 10.0, 30.0, 60.0])), shortest / 20.0)
    half = int(rng.integers(2, 2 * count))
    place = 0.0 if mode == "hard_short" and rng.random() < 0.25 else float(rng.uniform(0.2, 0.8))
    depth = float(rng.uniform(0.9, 0.99) if mode == "hard_short" else rng.uniform(0.25, 0.7))
    limit = float(rng.choice([5.0, 10.0]))
    limit = max(limit, 5.0 * cell.asr_ohm_cm2 * float(densities[-1]) * 1e-3)
    test = galvanostatic_test(
        current_steps(densities.tolist(), seconds, rest), cell, rng,
        interval_s=interval, mode=mode, half=half, place=place, depth=depth,
        recovers=mode == "soft_short" and rng.random() < 0.3, limit_V=limit, spike_count=int(rng.integers(0, 6)),
        first_rest_s=float(rng.choice([0.0, 3600.0])), stops=rng.random() < 0.4,
    )  # fmt: skip
    if rng.random() < 0.5:  # many exports have no step numbers
        test = SyntheticTest(
            test.frame.drop(columns="step_number"), test.mode, test.half, test.time_s, test.current_density_mA_cm2
        )
    return test, cell, limit if rng.random() < 0.5 else None


def random_life(rng: np.random.Generator, end: str | None = None) -> tuple[SyntheticTest, Cell]:
    """SYNTHETIC long plating and stripping test with random cell and end, and its cell."""
    end = end or str(rng.choice(ENDS))
    cell = Cell(
        asr_ohm_cm2=float(10.0 ** rng.uniform(2.0, 3.5)),
        noise_V=float(10.0 ** rng.uniform(-4.3, -3.3)),
        offset_V=float(rng.normal(0.0, 5e-4)),
        drift_fraction=float(rng.uniform(-0.2, 0.9)),
        void_fraction=float(rng.uniform(0.0, 0.25)),
        settle_s=float(rng.uniform(2.0, 60.0)),
    )
    cycles = int(rng.integers(20, 80))
    half = int(rng.integers(14, 2 * cycles))
    test = galvanostatic_test(
        current_steps([float(rng.choice([0.05, 0.1, 0.2]))], 3600.0, float(rng.choice([0.0, 600.0])), cycles),
        cell, rng, interval_s=float(rng.choice([10.0, 30.0, 60.0])), mode=end, half=half,
        place=float(rng.uniform(0.2, 0.8)), depth=float(rng.uniform(0.9, 0.99) if end == "short" else
                                                        rng.uniform(0.3, 0.7)),
        spike_count=int(rng.integers(0, 6)), first_rest_s=float(rng.choice([0.0, 43200.0])),
        stops=rng.random() < 0.3,
    )  # fmt: skip
    return test, cell


# --- Polarisation -----------------------------------------------------------------------------------------------------
def polarisation_transient(
    time_s: Real,
    *,
    voltage_V: float,
    electrolyte_resistance_ohm: float,
    initial_interface_ohm: float,
    steady_interface_ohm: float,
    transference_number: float,
    rng: np.random.Generator,
    relaxation_s: float = 600.0,
    noise_A: float = 0.0,
    double_layer_s: float = 0.015,
    double_layer_ratio: float = 3.0,
    leakage_A: float = 0.0,
) -> tuple[pd.DataFrame, float, float]:
    """SYNTHETIC polarisation of a symmetric cell that gives exactly the transference number of Bruce and Vincent.

    Parameters
    ----------
    time_s : array, shape (n_rows,)
        Since the voltage was applied.
    voltage_V, electrolyte_resistance_ohm, initial_interface_ohm, steady_interface_ohm : float
        ΔV, R_e, R_0, R_s; both interfaces together.
    transference_number : float
    rng : numpy.random.Generator
    relaxation_s : float
        Time constant of the current.
    noise_A, leakage_A : float
        White noise; electronic current that adds to all.
    double_layer_s, double_layer_ratio : float
        Time constant of the charging of the double layer, and its peak relative to I_0.

    Returns
    -------
    frame, initial_current_A, steady_current_A
        ``time_s, potential_V, current_A``; I_0 = ΔV/(R_e + R_0) and I_s = t ΔV/(R_e + t R_s), the exact inversion.
    """
    initial = voltage_V / (electrolyte_resistance_ohm + initial_interface_ohm)
    steady = transference_number * voltage_V / (electrolyte_resistance_ohm + transference_number * steady_interface_ohm)
    current = steady + (initial - steady) * np.exp(-time_s / relaxation_s)
    current = current + double_layer_ratio * initial * np.exp(-time_s / double_layer_s) + leakage_A
    current = current + rng.normal(0.0, noise_A, time_s.size)
    frame = pd.DataFrame({"time_s": time_s, "potential_V": np.full(time_s.size, voltage_V), "current_A": current})
    return frame, initial, steady


def dc_polarisation(
    time_s: Real,
    *,
    voltages_V: Sequence[float],
    electronic_resistance_ohm: float,
    rng: np.random.Generator,
    relaxation_s: float = 900.0,
    relaxation_ratio: float = 5.0,
    creep_ratio: float = 0.5,
    bend_per_V: float = 0.0,
    noise_A: float = 0.0,
    offset_A: float = 0.0,
) -> pd.DataFrame:
    """SYNTHETIC polarisation of a blocking cell, one hold after another: ``time_s, potential_V, current_A``.

    Parameters
    ----------
    time_s : array, shape (n_rows,)
        Times within each hold, from above 0.
    voltages_V : sequence of float
    electronic_resistance_ohm : float
        I_e = V/R (1 + bend |V|).
    relaxation_s, relaxation_ratio, creep_ratio : float
        I = I_e (1 + ratio exp(−t/τ) + creep/√t [s]).
    bend_per_V, noise_A, offset_A : float
        Diode-like term; noise and offset of the instrument.
    """
    parts = []
    for number, voltage in enumerate(voltages_V):
        limit = voltage / electronic_resistance_ohm * (1.0 + bend_per_V * abs(voltage))
        shape = 1.0 + relaxation_ratio * np.exp(-time_s / relaxation_s) + creep_ratio / np.sqrt(time_s)
        current = limit * shape + rng.normal(0.0, noise_A, time_s.size) + offset_A
        parts.append(
            pd.DataFrame({"time_s": time_s + number * time_s[-1], "potential_V": float(voltage), "current_A": current})
        )
    return pd.concat(parts, ignore_index=True)
