"""Weighted straight lines with what is needed to doubt them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A weighted straight line y = intercept + slope x.

    Attributes
    ----------
    slope, intercept : float
        The intercept is that at ``centre``.
    slope_uncertainty, intercept_uncertainty : float
        Standard uncertainties from the scatter about the line.
    centre : float
        Weighted mean of x; slope and intercept are uncorrelated there.
    variance : float
        Residual variance for unit weight.
    degrees : int
        Degrees of freedom, n − 2.
    r_squared : float
    studentised : array, shape (n_points,)
        Residuals divided by their own standard deviation estimated without the point.
    """

    slope: float
    intercept: float
    slope_uncertainty: float
    intercept_uncertainty: float
    centre: float
    variance: float
    degrees: int
    r_squared: float
    studentised: Real

    def at(self, x: Real | float) -> Real:
        """The line at x."""
        return np.asarray(self.intercept + self.slope * (np.asarray(x) - self.centre))

    def mean_uncertainty(self, x: Real | float) -> Real:
        """Standard uncertainty of the line at x."""
        return np.asarray(np.hypot(self.intercept_uncertainty, self.slope_uncertainty * (np.asarray(x) - self.centre)))

    def prediction_uncertainty(self, x: Real | float) -> Real:
        """Standard uncertainty of a new point of unit weight at x."""
        return np.asarray(np.hypot(self.mean_uncertainty(x), math.sqrt(self.variance)))

    @property
    def quantile(self) -> float:
        """Student's t for a 95 % interval."""
        return float(stdtrit(self.degrees, 0.975))


def fit_line(x: Real, y: Real, weights: Real) -> Line:
    """Weighted linear regression; the variance is estimated from the scatter, never from the weights.

    Parameters
    ----------
    x, y : array, shape (n_points,)
    weights : array, shape (n_points,)
        Relative weights; scaled to mean 1.

    Returns
    -------
    Line
    """
    w = weights / weights.mean()
    centre = float(w @ x / w.sum())
    offset = x - centre
    spread = float(w @ offset**2)
    slope = float(w @ (offset * y) / spread)
    intercept = float(w @ y / w.sum())
    residuals = y - intercept - slope * offset
    rss, degrees = float(w @ residuals**2), x.size - 2
    variance = rss / degrees
    leverage = w * (1.0 / w.sum() + offset**2 / spread)
    # Variance without the point itself, so that an outlier does not hide behind its own size.
    without = (rss - w * residuals**2 / np.maximum(1.0 - leverage, 1e-12)) / max(degrees - 1, 1)
    scale = np.sqrt(np.maximum(without, 1e-300) * np.maximum(1.0 - leverage, 1e-12) / w)
    about_mean = float(w @ (y - intercept) ** 2)
    return Line(
        slope,
        intercept,
        math.sqrt(variance / spread),
        math.sqrt(variance / w.sum()),
        centre,
        variance,
        degrees,
        1.0 - rss / about_mean if about_mean > 0.0 else 1.0,
        residuals / scale,
    )


def curvature_p_value(x: Real, y: Real, weights: Real) -> float | None:
    """Two-sided p of the quadratic term of a weighted parabola; None with fewer than five points.

    Parameters
    ----------
    x, y, weights : array, shape (n_points,)
    """
    if x.size < 5:
        return None
    scaled = (x - x.mean()) / np.ptp(x)
    root = np.sqrt(weights / weights.mean())
    design = np.stack([np.ones_like(scaled), scaled, scaled**2], axis=1) * root[:, None]
    solution, _, rank, _ = np.linalg.lstsq(design, root * y, rcond=None)
    if rank < 3:
        return None
    residuals = root * y - design @ solution
    degrees = x.size - 3
    variance = float(residuals @ residuals) / degrees
    if variance <= 0.0:
        return None
    deviation = math.sqrt(variance * float(np.linalg.inv(design.T @ design)[2, 2]))
    return float(2.0 * stdtr(degrees, -abs(solution[2]) / deviation))
