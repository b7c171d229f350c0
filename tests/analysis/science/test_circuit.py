"""Circuits: closed forms, derivatives against finite differences, impedance.py as oracle."""

import numpy as np
import pytest
from impedance.models.circuits.elements import CPE, K, L, p, s  # noqa: F401

from analysis.science.circuit import CIRCUITS, Grid, Model, circuit_letter, effective_capacitance_F

FREQUENCY_HZ = np.geomspace(1e6, 0.1, 40)


def random_theta(circuit, rng):
    values = {"ln_R": rng.uniform(2, 8), "ln_tau": -8, "n": 0.8, "ln_tail": 9.0, "inductance": 0.3}
    theta = []
    for name in circuit.internal_names:
        key = next(k for k in ("ln_tau", "ln_tail", "ln_R", "inductance", "n") if name.startswith(k))
        theta.append(values[key] + rng.uniform(-0.2, 0.2))
    return np.array(theta)


def grid():
    return Grid.of(FREQUENCY_HZ, 500.0 - 20j * np.ones(FREQUENCY_HZ.size))


@pytest.mark.parametrize("letter", CIRCUITS)
@pytest.mark.parametrize("has_inductance", [True, False])
def test_jacobian_equals_finite_differences(letter, has_inductance):
    circuit = CIRCUITS[letter] if has_inductance else CIRCUITS[letter].without_inductance()
    model, theta = Model(circuit, grid()), random_theta(circuit, np.random.default_rng(1))
    model.impedance(theta)
    exact = model.jacobian(theta).copy()
    for i in range(theta.size):
        step = np.zeros(theta.size)
        step[i] = 1e-6
        difference = (model.impedance(theta + step) - model.impedance(theta - step)) / 2e-6
        assert np.allclose(exact[i], difference, rtol=1e-6, atol=1e-6 * np.abs(difference).max())


def test_impedance_equals_that_of_impedance_py():
    r0, r1, tau, n1, tail_q, tail_n, henry = 120.0, 300.0, 3e-6, 0.85, 5e-6, 0.9, 6e-7
    g = grid()
    omega_low = 2 * np.pi * FREQUENCY_HZ.min()
    tail = 1 / (tail_q * omega_low**tail_n)
    theta = np.array([np.log(r0), np.log(r1), np.log(tau), n1, np.log(tail), tail_n, henry / g.inductance_scale_H])
    q1 = tau**n1 / r1
    oracle = r0 + L([henry], FREQUENCY_HZ) + CPE([tail_q, tail_n], FREQUENCY_HZ)
    oracle = oracle + 1 / (1 / r1 + 1 / CPE([q1, n1], FREQUENCY_HZ))
    assert np.allclose(Model(CIRCUITS["B"], g).impedance(theta), oracle, rtol=1e-12)


def test_ideal_arc_is_an_rc_element():
    theta = np.array([np.log(1e-9), np.log(100.0), np.log(1e-4), 1.0, 0.0])
    oracle = 1e-9 + np.asarray(K([100.0, 1e-4], FREQUENCY_HZ))
    assert np.allclose(Model(CIRCUITS["D"], grid()).impedance(theta), oracle, rtol=1e-9)


def test_effective_capacitance_is_the_formula_of_hsu_and_mansfeld():
    resistance, q, n = 2000.0, 3e-9, 0.83
    tau = (resistance * q) ** (1 / n)
    assert effective_capacitance_F(resistance, tau) == pytest.approx(q ** (1 / n) * resistance ** (1 / n - 1))


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("b", "B"),
        ("L–R0–(R1Q1)–Q2", "B"),
        ("R0-p(R1,CPE1)-CPE2", "B"),
        ("(RQ)(RQ)Q", "C"),
        ("R-(RQ)", "D"),
        ("R-W", None),
        ("", None),
    ],
)
def test_circuits_can_be_named(text, letter):
    assert circuit_letter(text) == letter


def test_texts_of_circuits():
    assert CIRCUITS["B"].text == "L–R0–(R1Q1)–Q2"
    assert CIRCUITS["C"].without_inductance().text == "(R1Q1)–(R2Q2)–Q3"
