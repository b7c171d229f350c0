"""From the rows of a file to a spectrum that can be fitted: what is left out, and why, is said."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.science.base import AnalysisError

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

MINIMUM_POINTS = 10
SIGN_TEST_BELOW_HZ = 1.0e4  # above it, leads may well make Z'' positive


@dataclass
class Spectrum:
    """A cleaned spectrum, highest frequency first.

    Attributes
    ----------
    frequency_Hz : array, shape (n_points,)
    z_ohm : complex array, shape (n_points,)
        Impedance, capacitive Z'' negative. [Ω]
    rows : int array, shape (n_points,)
        Row numbers in the recording, from 0.
    is_flipped : bool
        Whether the sign of Z'' was turned.
    warnings : list of (code, sentence)
    """

    frequency_Hz: Real
    z_ohm: Complex
    rows: NDArray[np.intp]
    is_flipped: bool = False
    warnings: list[tuple[str, str]] = field(default_factory=list)

    def warn(self, code: str, sentence: str) -> None:
        """Say something that bends no number."""
        self.warnings.append((code, sentence))

    def without(self, rows: Collection[int]) -> Spectrum:
        """The spectrum without some rows of the recording."""
        keep = ~np.isin(self.rows, list(rows))
        return Spectrum(
            self.frequency_Hz[keep], self.z_ohm[keep], self.rows[keep], self.is_flipped, list(self.warnings)
        )


def prepare(
    frequency_Hz: ArrayLike,
    z_ohm: ArrayLike,
    fit_range_Hz: Sequence[float] | None = None,
    masked: Collection[int] = (),
) -> Spectrum:
    """Drop what cannot be used, sort, and turn a spectrum that was stored as −Z''.

    Parameters
    ----------
    frequency_Hz : array, shape (n_rows,)
        Frequency, in any order. [Hz]
    z_ohm : complex array, shape (n_rows,)
        Impedance. [Ω]
    fit_range_Hz : (low, high), optional
        Frequencies to use, ends included. [Hz]
    masked : collection of int
        Row numbers from 0 that a person left out.

    Returns
    -------
    Spectrum

    Raises
    ------
    AnalysisError
        When fewer than ten points remain.
    """
    frequency = np.asarray(frequency_Hz, dtype=float).ravel()
    z = np.asarray(z_ohm, dtype=complex).ravel()
    is_number = np.isfinite(frequency) & np.isfinite(z) & (frequency > 0.0)
    is_positive = is_number & (z.real > 0.0)
    use = is_positive & _in_range(frequency, fit_range_Hz)
    use[[int(row) for row in masked if 0 <= int(row) < use.size]] = False
    rows = np.flatnonzero(use)
    if rows.size < MINIMUM_POINTS:
        raise AnalysisError(f"{_points(rows.size)} found, a fit needs at least {MINIMUM_POINTS}.")
    rows = rows[np.argsort(-frequency[rows], kind="stable")]
    spectrum = Spectrum(frequency[rows], z[rows], rows)
    if not is_number.all():
        count = int((~is_number).sum())
        spectrum.warn("not_a_number", f"{_points(count)} without a number or with frequency 0 left out.")
    if (is_number & ~is_positive).any():
        count = int((is_number & ~is_positive).sum())
        spectrum.warn("real_part_not_positive", f"{_points(count)} with zero or negative Z′ left out.")
    repeated = int((np.diff(spectrum.frequency_Hz) == 0.0).sum())
    if repeated:
        spectrum.warn("repeated_frequency", f"{repeated} frequencies were measured more than once; all are used.")
    _turn_if_mirrored(spectrum)
    return spectrum


def _in_range(frequency: Real, fit_range_Hz: Sequence[float] | None) -> NDArray[np.bool_]:
    """Which frequencies lie inside the range (all without one); a little slack for rounded limits."""
    if fit_range_Hz is None:
        return np.ones(frequency.size, dtype=bool)
    low, high = (float(limit) for limit in fit_range_Hz)
    if not low < high:
        raise AnalysisError(f"The fit range {low:g} to {high:g} Hz is empty. Enter the lower limit first.")
    inside = (frequency >= low * (1 - 1e-9)) & (frequency <= high * (1 + 1e-9))
    return np.asarray(inside, dtype=bool)


def _points(count: int) -> str:
    """'1 point' or 'n points'."""
    return "1 point" if count == 1 else f"{count} points"


def _turn_if_mirrored(spectrum: Spectrum) -> None:
    """Turn Z'' when the file holds −Z'': capacitive points positive, |Z| rising to low frequency."""
    frequency, z = spectrum.frequency_Hz, spectrum.z_ohm
    low = frequency < SIGN_TEST_BELOW_HZ
    if low.sum() < 3:
        low = np.arange(frequency.size) >= frequency.size // 2
    # Shares of |Z| rather than ohms: one huge point must not decide.
    if np.sum(z.imag[low] / np.abs(z[low])) <= 0.0:
        return
    third = max(frequency.size // 3, 1)
    if np.median(np.abs(z[-third:])) <= np.median(np.abs(z[:third])):
        return
    spectrum.z_ohm = z.conj()
    spectrum.is_flipped = True
    spectrum.warn(
        "sign_flipped",
        "Z″ is positive where |Z| rises to low frequency: the file holds −Z″. The sign was turned. "
        "Check the export settings.",
    )
