"""Linear Kramers-Kronig test: can any linear, causal, stable system have given this spectrum?

References
----------
Boukamp, J. Electrochem. Soc. 142, 1885 (1995), 10.1149/1.2044210: the linear form of the test.
Schönleber, Klotz, Ivers-Tiffée, Electrochim. Acta 131, 20 (2014), 10.1016/j.electacta.2014.01.034: the number of
elements. Pitfalls of that choice: Yrjänä and Bobacka (2024), 10.1016/j.electacta.2024.144951.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lapack

from analysis.science.spectrum import Spectrum, prepare

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

MU_LIMIT = 0.85
LOOK_AHEAD, STILL_FALLING = 4, 0.5  # mu alone may stop where four elements more would halve the squares
FIRST_COUNT, LAST_COUNT = 3, 50
PER_DECADE = 1.5  # fewer elements than this describe nothing, whatever mu says
OUTLIER_SIGMA, OUTLIER_FRACTION = 6.0, 0.01
MAINS_HZ = (50.0, 60.0)


@dataclass
class KramersKronig:
    """The result of `kramers_kronig`; arrays run from high to low frequency.

    Attributes
    ----------
    rms_fraction : float
        Root mean square of the complex |residual|/|Z|, isolated outliers left out.
    M : int
        Number of RC elements.
    mu : float
        1 − Σ|R<0|/ΣR≥0 at that number.
    r1 : float
        Lag-1 autocorrelation of the residuals: drift that hides in the noise makes it positive.
    frequency_Hz : array, shape (n_points,)
    residuals : complex array, shape (n_points,)
        (model − data)/|data|, outliers included.
    outlier_rows : tuple of int
        Rows of the recording that stand alone against the rest.
    outlier_frequencies_Hz : tuple of float
    largest_fraction : float
        Largest |residual| among the points kept.
    """

    rms_fraction: float
    M: int
    mu: float
    r1: float
    frequency_Hz: Real
    residuals: Complex = field(repr=False)
    outlier_rows: tuple[int, ...] = ()
    outlier_frequencies_Hz: tuple[float, ...] = ()
    largest_fraction: float = 0.0

    @property
    def outliers(self) -> tuple[float, ...]:
        """Frequencies of the isolated outliers. [Hz]"""
        return self.outlier_frequencies_Hz


def kramers_kronig(frequency_Hz: ArrayLike, z_ohm: ArrayLike) -> KramersKronig:
    """Linear Kramers-Kronig test with complex data, modulus weights, and inductance and capacitance in series.

    Parameters
    ----------
    frequency_Hz : array, shape (n_rows,)
        Frequency, in any order. [Hz]
    z_ohm : complex array, shape (n_rows,)
        Impedance. [Ω]

    Returns
    -------
    KramersKronig

    Raises
    ------
    AnalysisError
        Fewer than ten usable points.

    Notes
    -----
    Z = R + Σ R_k/(1 + jω tau_k) + jωL + 1/(jωC), tau_k spaced evenly in the logarithm from 1/ω_max to 1/ω_min, linear
    least squares. The number of elements grows from 3 until mu = 1 − Σ|R_k<0|/ΣR_k≥0 falls below 0.85.
    """
    return check_prepared(prepare(frequency_Hz, z_ohm))


def check_prepared(spectrum: Spectrum) -> KramersKronig:
    """`kramers_kronig` of a spectrum that has been cleaned already."""
    kept = spectrum
    most = max(3, spectrum.frequency_Hz.size // 20)
    outliers: list[int] = []
    while True:
        solution, residuals, count, mu = _solve(kept)
        worst = _isolated_outlier(residuals) if len(outliers) < most else None
        if worst is None:
            break
        outliers.append(int(kept.rows[worst]))
        kept = kept.without([kept.rows[worst]])
    everything = residuals
    if outliers:
        columns = _columns(spectrum.frequency_Hz.tobytes(), count, *_window(kept))
        model = (solution @ columns).view(complex)
        everything = (model - spectrum.z_ohm) / np.abs(spectrum.z_ohm)
    found = spectrum.frequency_Hz[np.isin(spectrum.rows, outliers)]
    size = np.abs(residuals)
    return KramersKronig(
        rms_fraction=float(math.sqrt(np.mean(size**2))),
        M=count,
        mu=mu,
        r1=lag_one(residuals),
        frequency_Hz=spectrum.frequency_Hz,
        residuals=everything,
        outlier_rows=tuple(outliers),
        outlier_frequencies_Hz=tuple(float(frequency) for frequency in found),
        largest_fraction=float(size.max()),
    )


def lag_one(residuals: Complex) -> float:
    """Lag-1 autocorrelation of complex residuals in the order of frequency, without unit."""
    power = float(np.vdot(residuals, residuals).real)
    if power <= 0.0:
        return 0.0
    return float(np.vdot(residuals[:-1], residuals[1:]).real / power)


def is_mains(frequency_Hz: float) -> bool:
    """Whether a frequency is within 3 % of a mains frequency or one of its first harmonics."""
    return any(abs(frequency_Hz / (order * mains) - 1.0) < 0.03 for mains in MAINS_HZ for order in (1, 2, 3))


def _window(spectrum: Spectrum) -> tuple[float, float]:
    """Highest and lowest frequency. [Hz]"""
    return float(spectrum.frequency_Hz[0]), float(spectrum.frequency_Hz[-1])


@lru_cache(maxsize=256)
def _columns(frequency_bytes: bytes, count: int, high_Hz: float, low_Hz: float) -> Real:
    """Impedances of unit elements, shape (count + 3, 2 n_points), real and imaginary part in turn."""
    omega = 2.0 * np.pi * np.frombuffer(frequency_bytes)
    tau = np.geomspace(1.0 / high_Hz, 1.0 / low_Hz, count) / (2.0 * np.pi)
    x = tau[:, None] * omega
    columns = np.zeros((count + 3, omega.size, 2))
    columns[0, :, 0] = 1.0
    columns[1, :, 1] = omega
    columns[2, :, 1] = -1.0 / omega
    columns[3:, :, 0] = 1.0 / (1.0 + x * x)
    columns[3:, :, 1] = -x * columns[3:, :, 0]
    return columns.reshape(count + 3, -1)


def _solve(spectrum: Spectrum) -> tuple[Real, Complex, int, float]:
    """Solution, residuals, number of elements and mu at the number that mu selects."""
    z = spectrum.z_ohm
    weights = np.repeat(1.0 / np.abs(z), 2)
    data = z.view(float) * weights
    key, window = spectrum.frequency_Hz.tobytes(), _window(spectrum)

    def solve(count: int) -> tuple[Real, float, float]:
        matrix = _columns(key, count, *window) * weights
        scale = 1.0 / np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
        matrix *= scale[:, None]
        # The transpose is in Fortran order, so LAPACK works in place: QR, no copy, no singular values.
        _, found, _ = lapack.dgels(matrix.T, data, overwrite_a=True)
        solution = found[: count + 3] * scale
        # LAPACK leaves the part of the data that no column reaches in the remaining rows.
        rest = found[count + 3 :]
        return solution, _mu(solution[3:]), float(rest @ rest)

    last = max(min(LAST_COUNT, z.size - 4), FIRST_COUNT)
    count = min(max(FIRST_COUNT, math.ceil(PER_DECADE * math.log10(window[0] / window[1]))), last)
    solution, mu, rss = solve(count)
    while count < last:
        if mu < MU_LIMIT:
            ahead = min(count + LOOK_AHEAD, last)
            if solve(ahead)[2] > STILL_FALLING * rss:
                break
        count += 1
        solution, mu, rss = solve(count)
    model = (solution @ _columns(key, count, *window)).view(complex)
    return solution, (model - z) / np.abs(z), count, mu


def _mu(resistances: Real) -> float:
    """1 − Σ|R<0|/ΣR≥0; falls when elements begin to fit noise."""
    positive = float(resistances[resistances >= 0.0].sum())
    negative = float(-resistances[resistances < 0.0].sum())
    return 1.0 - negative / positive if positive > 0.0 else -math.inf


def _isolated_outlier(residuals: Complex) -> int | None:
    """Place of the worst point if it stands alone: far above the spread of the rest and above both neighbours."""
    size = np.abs(residuals)
    worst = int(size.argmax())
    # Median of |complex normal| is 1.177 standard deviations of one part.
    spread = float(np.median(size)) / 1.177
    if size[worst] < max(OUTLIER_SIGMA * spread, OUTLIER_FRACTION):
        return None
    beside = size[max(worst - 1, 0) : worst + 2]
    is_alone = bool(np.sum(beside > 0.6 * size[worst]) == 1)
    return worst if is_alone and 0 < worst < size.size - 1 else None
