"""What every analysis of a spectrum says and draws alike: Kramers–Kronig test, curves, table of the fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.science.base import Outcome
from analysis.science.fitted import Fit
from analysis.science.kramers_kronig import KramersKronig, is_mains
from analysis.science.spectrum import Spectrum

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

RESIDUAL_LIMIT = 0.02
CURVE_POINTS = 200


def impedance_of(recording: pd.DataFrame, is_turned: bool, outcome: Outcome) -> tuple[Real, Complex]:
    """Frequency [Hz] and impedance [Ω] of a recording, each of shape (n_rows,); Z″ turned where a person said so."""
    frequency = recording["frequency_Hz"].to_numpy(dtype=float)
    z = recording["z_real_ohm"].to_numpy(dtype=float) + 1j * recording["z_imag_ohm"].to_numpy(dtype=float)
    if is_turned:
        z = z.conj()
        outcome.warn("sign_flipped", "The sign of Z″ was turned by a person’s choice: the file stores −Z″.")
    return frequency, z


def check_kramers_kronig(outcome: Outcome, test: KramersKronig, fit: Fit) -> None:
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


def spectrum_curves(
    frequency: Real, z: Complex, fit: Fit, test: KramersKronig, spectrum: Spectrum, intercepts: list[dict[str, Any]]
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
            "row": np.flatnonzero(shown).tolist(),
        },
        "fit": {"frequency_Hz": dense.tolist(), "z_real_ohm": line.real.tolist(), "z_imag_ohm": line.imag.tolist()},
        "residuals": _percent(fit.spectrum.frequency_Hz, fit.residuals),
        "kramers_kronig": _percent(test.frequency_Hz, test.residuals),
        "intercepts": intercepts,
    }


def _percent(frequency: Real, residuals: Complex) -> dict[str, list[float]]:
    """Residuals in per cent of |Z|."""
    return {
        "frequency_Hz": frequency.tolist(),
        "real_percent": (100.0 * residuals.real).tolist(),
        "imag_percent": (100.0 * residuals.imag).tolist(),
    }


def fit_table(fit: Fit) -> list[dict[str, Any]]:
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
