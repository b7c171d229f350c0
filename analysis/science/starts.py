"""Start values for circuit fits, without asking anybody.

For fixed time constants and exponents every circuit is linear in its resistances, the tail's magnitude and the
inductance. A grid of time constants and exponents is therefore scanned with small linear solves, and the best local
minima of the profile over the time constants become start values (variable projection: Golub and Pereyra 1973).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.science.circuit import Circuit, Grid

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

TAU_COUNT = 28
ARC_EXPONENTS = (0.7, 0.85, 1.0)
TAIL_EXPONENTS = (0.55, 0.75, 0.95)
PAIR_STEP = 2  # two arcs are scanned on every second time constant
FAST_PLACES = 2  # of these, how many count as the high-frequency end of the window
KNEE_MARGIN = 3.0  # an arc is believed if it is this much faster than the knee of the tail


@dataclass(frozen=True)
class _Basis:
    """Impedances of unit elements on one frequency vector."""

    taus: Real  # (TAU_COUNT,)
    arcs: Complex  # (TAU_COUNT * 3, n_points), the exponent runs fastest
    tails: Complex  # (3, n_points)
    inductive: Complex  # (n_points,), in units of the highest frequency


@lru_cache(maxsize=16)
def _basis(omega_bytes: bytes) -> _Basis:
    """Build the basis once per frequency vector: a laboratory measures with few of them."""
    omega = np.frombuffer(omega_bytes)
    low, high = float(omega.min()), float(omega.max())
    taus: Real = np.geomspace(1.0 / (8.0 * high), 1.0 / low, TAU_COUNT)
    log_j_omega: Complex = np.asarray(np.log(omega) + 0.5j * np.pi, dtype=complex)
    powers = np.array(ARC_EXPONENTS)[None, :, None] * (np.log(taus)[:, None, None] + log_j_omega)
    arcs: Complex = np.asarray(1.0 / (1.0 + np.exp(powers)), dtype=complex).reshape(-1, omega.size)
    tails: Complex = np.exp(-np.array(TAIL_EXPONENTS)[:, None] * (log_j_omega - np.log(low)))
    inductive: Complex = np.asarray(1j * omega / high, dtype=complex)
    return _Basis(taus, arcs, tails, inductive)


def solve_symmetric(matrix: Sequence[Sequence[Any]], right: Sequence[Any]) -> list[Any]:
    """Solve many small symmetric positive systems at once, without pivoting.

    Parameters
    ----------
    matrix : k lists of k arrays or floats
        Upper triangle used; entries broadcast against each other.
    right : k arrays or floats
        Right-hand sides.

    Returns
    -------
    list of k arrays
        The solutions.
    """
    size = len(right)
    upper = [list(row) for row in matrix]
    rest = list(right)
    for i in range(size):
        pivot = upper[i][i]
        for j in range(i + 1, size):
            factor = upper[i][j] / pivot
            for k in range(j, size):
                upper[j][k] = upper[j][k] - factor * upper[i][k]
            rest[j] = rest[j] - factor * rest[i]
    solution: list[Any] = [None] * size
    for i in reversed(range(size)):
        value = rest[i]
        for j in range(i + 1, size):
            value = value - upper[i][j] * solution[j]
        solution[i] = value / upper[i][i]
    return solution


class Scan:
    """The scan of one spectrum; products of the basis with the data are formed once and serve all circuits."""

    def __init__(self, grid: Grid, z_ohm: Complex, weights: Real) -> None:
        self.grid = grid
        self.basis = _basis(grid.omega.tobytes())
        basis = self.basis
        count = grid.omega.size
        fixed = np.empty((6, count), dtype=complex)
        fixed[0], fixed[1], fixed[2:5], fixed[5] = basis.inductive, 1.0, basis.tails, z_ohm
        fixed *= weights
        self._fixed = fixed.view(float)
        self._arcs = (basis.arcs * weights).view(float)
        self.among_fixed = self._fixed @ self._fixed.T
        self.arcs_fixed = self._arcs @ self._fixed.T
        self.arcs_square = np.einsum("ij,ij->i", self._arcs, self._arcs)

    def starts(self, circuit: Circuit, limit: int) -> list[Real]:
        """The best start vectors of a circuit, at most `limit`, best first.

        Parameters
        ----------
        circuit : Circuit
            With up to two arcs.
        limit : int
            How many local minima of the profile are wanted.

        Returns
        -------
        list of array, shape (n_parameters,)
            Internal parameters as in `analysis.science.circuit.Model`.
        """
        if circuit.arc_count == 0:
            return self._without_arc(circuit)
        if circuit.arc_count == 1:
            return self._one_arc(circuit, limit)
        return self._two_arcs(circuit, limit)

    def _without_arc(self, circuit: Circuit) -> list[Real]:
        """The best tail exponent."""
        best = np.inf
        found: list[Real] = []
        for t in range(3):
            use = [0, 1, 2 + t]
            gram, right = self.among_fixed[np.ix_(use, use)], self.among_fixed[use, 5]
            solution = solve_symmetric(gram.tolist(), right.tolist())
            rss = float(self.among_fixed[5, 5] - np.dot(right, solution))
            if rss < best and solution[2] > 0.0:
                best = rss
                found = [self._vector(circuit, solution[0], solution[1], [], solution[2], TAIL_EXPONENTS[t])]
        return found

    def _one_arc(self, circuit: Circuit, limit: int) -> list[Real]:
        """Local minima over tau of the profile over both exponents."""
        fixed, cross = self.among_fixed, self.arcs_fixed
        tail_of = np.arange(3) if circuit.has_tail else np.zeros(0, dtype=int)
        linear = [[fixed[0, 0], fixed[0, 1]], [fixed[0, 1], fixed[1, 1]]]
        arc = [cross[:, 0][:, None], cross[:, 1][:, None]]
        if circuit.has_tail:
            tails = 2 + tail_of
            matrix = [
                [linear[0][0], linear[0][1], fixed[0, tails][None], arc[0]],
                [None, linear[1][1], fixed[1, tails][None], arc[1]],
                [None, None, fixed[tails, tails][None], cross[:, tails]],
                [None, None, None, self.arcs_square[:, None]],
            ]
            right = [fixed[0, 5], fixed[1, 5], fixed[tails, 5][None], cross[:, 5][:, None]]
        else:
            matrix = [
                [linear[0][0], linear[0][1], arc[0]],
                [None, linear[1][1], arc[1]],
                [None, None, self.arcs_square[:, None]],
            ]
            right = [fixed[0, 5], fixed[1, 5], cross[:, 5][:, None]]
        solution = solve_symmetric(matrix, right)
        rss = fixed[5, 5] - sum(b * x for b, x in zip(right, solution, strict=True))
        resistance = solution[-1]
        valid = resistance > 0.0
        tail = solution[2] if circuit.has_tail else np.ones_like(rss)
        if circuit.has_tail:
            tau = np.repeat(self.basis.taus, 3)[:, None]
            valid &= (tail > 0.0) & (tau * KNEE_MARGIN < self._knee_tau(solution[1] + resistance, tail))
        rss = np.where(valid, rss, np.inf)
        shaped = rss.reshape(TAU_COUNT, -1)
        profile = shaped.min(axis=1)
        found = []
        for i in _local_minima(profile, limit):
            n, t = divmod(int(shaped[i].argmin()), rss.shape[1])
            at = (3 * i + n, t)
            arcs = [(resistance[at], self.basis.taus[i], ARC_EXPONENTS[n])]
            found.append(self._vector(circuit, solution[0][at], solution[1][at], arcs, tail[at], TAIL_EXPONENTS[t]))
        return found

    def _two_arcs(self, circuit: Circuit, limit: int) -> list[Real]:
        """Local minima over two time constants of the profile over the exponents."""
        fixed, cross, square = self.among_fixed, self.arcs_fixed, self.arcs_square
        pick = (3 * np.arange(0, TAU_COUNT, PAIR_STEP)[:, None] + np.arange(3)).ravel()
        arcs = self._arcs[pick]
        gram = arcs @ arcs.T
        first, second = _pairs(pick.size)
        a, b = pick[first], pick[second]
        use = [0, 1] if circuit.has_resistor else [0]
        matrix: list[list[Any]] = []
        right: list[Any] = []
        tails = np.arange(2, 5) if circuit.has_tail else np.zeros(0, dtype=int)
        for i, row in enumerate(use):
            line: list[Any] = [None] * i + [fixed[row, column] for column in use[i:]]
            line += [fixed[row, tails][None]] if circuit.has_tail else []
            matrix.append([*line, cross[a, row][:, None], cross[b, row][:, None]])
            right.append(fixed[row, 5])
        if circuit.has_tail:
            head: list[Any] = [None] * len(use)
            matrix.append([*head, fixed[tails, tails][None], cross[a][:, tails], cross[b][:, tails]])
            right.append(fixed[tails, 5][None])
        none: list[Any] = [None] * len(right)
        matrix.append([*none, square[a][:, None], gram[first, second][:, None]])
        matrix.append([*none, None, square[b][:, None]])
        right += [cross[a, 5][:, None], cross[b, 5][:, None]]
        solution = solve_symmetric(matrix, right)
        # The inductance stands first; where it comes out negative it is left out.
        is_negative = solution[0] < 0.0
        reduced = solve_symmetric([row[1:] for row in matrix[1:]], right[1:])
        solution = [np.where(is_negative, 0.0, solution[0])] + [
            np.where(is_negative, without, full) for without, full in zip(reduced, solution[1:], strict=True)
        ]
        rss = fixed[5, 5] - sum(y * x for y, x in zip(right, solution, strict=True))
        r1, r2 = solution[-2], solution[-1]
        valid = (r1 > 0.0) & (r2 > 0.0)
        tail = solution[-3] if circuit.has_tail else np.ones_like(rss)
        if circuit.has_tail:
            tau2 = np.repeat(self.basis.taus, 3)[b][:, None]
            valid &= (tail > 0.0) & (tau2 * KNEE_MARGIN < self._knee_tau(r1 + r2, tail))
        rss = np.where(valid, rss, np.inf)
        return self._best_pairs(circuit, rss, solution, tail, (a, b), limit)

    def _best_pairs(
        self,
        circuit: Circuit,
        rss: Real,
        solution: list[Any],
        tail: Real,
        arcs: tuple[NDArray[np.intp], NDArray[np.intp]],
        limit: int,
    ) -> list[Real]:
        """The best pairs of time constants, no two of them neighbours on the grid.

        The last one is the best among pairs whose faster arc lies near the end of the window, where the bulk is: on a
        coarse grid a small arc there is easily outbid by a needless second arc near the large one.
        """
        found: list[Real] = []
        step = PAIR_STEP
        lowest = rss.min(axis=1)
        places = np.stack([arcs[0] // (3 * step), arcs[1] // (3 * step)])
        for number in range(limit + 1):
            eligible = np.where(places[0] <= FAST_PLACES, lowest, np.inf) if number == limit else lowest
            row = int(eligible.argmin())
            if not np.isfinite(eligible[row]):
                continue
            near = np.abs(places - places[:, row : row + 1]).max(axis=0) <= 1
            lowest = np.where(near, np.inf, lowest)
            i, j, t = int(arcs[0][row]), int(arcs[1][row]), int(rss[row].argmin())
            inductance, resistor = solution[0][row, t], solution[1][row, t] if circuit.has_resistor else 0.0
            pair = [
                (solution[-2][row, t], self.basis.taus[i // 3], ARC_EXPONENTS[i % 3]),
                (solution[-1][row, t], self.basis.taus[j // 3], ARC_EXPONENTS[j % 3]),
            ]
            found.append(self._vector(circuit, inductance, resistor, pair, tail[row, t], TAIL_EXPONENTS[t]))
        return found

    def _knee_tau(self, resistance: Real, tail: Real) -> Real:
        """1/ω at which the tail's magnitude equals the resistance before it. [s]"""
        ratio = np.maximum(resistance, 1e-300) / np.maximum(tail, 1e-300)
        return np.asarray(
            np.exp(np.clip(np.log(ratio) / np.array(TAIL_EXPONENTS), -300.0, 300.0)) / self.grid.tail_omega
        )

    def _vector(
        self,
        circuit: Circuit,
        inductive: float,
        resistor: float,
        arcs: list[tuple[float, float, float]],
        tail: float,
        tail_exponent: float,
    ) -> Real:
        """The internal parameter vector of one grid point."""
        values: list[float] = []
        if circuit.has_resistor:
            scale = sum(arc[0] for arc in arcs) or float(tail)
            values.append(np.log(max(resistor, 0.02 * scale)))
        for resistance, tau, exponent in arcs:
            values += [np.log(resistance), np.log(tau), min(exponent, 0.98)]
        if circuit.has_tail:
            values += [np.log(tail), tail_exponent]
        if circuit.has_inductance:
            values.append(inductive / (self.grid.omega.max() * self.grid.inductance_scale_H))
        return np.array(values)


@lru_cache(maxsize=4)
def _pairs(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Index pairs (faster arc, slower arc) whose time constants differ."""
    first, second = np.triu_indices(count, 1)
    apart = first // 3 < second // 3
    return first[apart], second[apart]


def _local_minima(profile: Real, limit: int) -> list[int]:
    """Indices of the finite local minima, edges included, lowest first."""
    padded = np.concatenate(([np.inf], profile, [np.inf]))
    inner = padded[1:-1]
    is_minimum = np.isfinite(inner) & (inner <= padded[:-2]) & (inner <= padded[2:])
    places = np.flatnonzero(is_minimum)
    return [int(i) for i in places[np.argsort(inner[places])][:limit]]
