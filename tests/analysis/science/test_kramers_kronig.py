"""Kramers-Kronig test: valid spectra pass, drift and outliers show, impedance.py's own arithmetic as oracle."""

import numpy as np
import pytest
from impedance.validation import calc_mu, fit_linKK, get_tc_distribution

from analysis.science import synthetic
from analysis.science.base import AnalysisError
from analysis.science.kramers_kronig import is_mains, kramers_kronig, lag_one

FREQUENCY_HZ = np.geomspace(1e6, 0.1, 61)


def cell(noise, drift=0.0, seed=3):
    z = synthetic.symmetric_cell_spectrum(
        FREQUENCY_HZ,
        electrolyte_resistance_ohm=400,
        interfacial_resistance_ohm=300,
        noise_fraction=noise,
        rng=np.random.default_rng(seed),
    )
    return synthetic.with_drift(z, drift)


def test_same_number_of_elements_and_residual_as_impedance_py():
    spectrum = synthetic.random_spectrum(np.random.default_rng(77))
    frequency, z = spectrum.frequency_Hz, spectrum.z_ohm
    test = kramers_kronig(frequency, z)
    tau = get_tc_distribution(frequency, test.M)
    elements, mu = fit_linKK(frequency, tau, test.M, z, "complex", add_cap=True)
    omega = 2 * np.pi * frequency
    model = elements[0] + 1j * omega * elements[-1] + elements[-2] / (1j * omega)
    model = model + sum(r / (1 + 1j * omega * t) for r, t in zip(elements[1:-2], tau, strict=True))
    rms = np.sqrt(np.mean(np.abs((z - model) / np.abs(z)) ** 2))
    assert mu == pytest.approx(calc_mu(elements[1:-2]))
    assert test.mu == pytest.approx(mu, rel=1e-3)
    assert test.rms_fraction == pytest.approx(rms, rel=1e-3)


@pytest.mark.parametrize("noise", [0.001, 0.003, 0.01])
@pytest.mark.parametrize("seed", range(5))
def test_a_valid_spectrum_leaves_its_noise(noise, seed):
    test = kramers_kronig(FREQUENCY_HZ, cell(noise, seed=seed))
    assert 0.7 * noise < test.rms_fraction < 1.7 * noise
    assert test.r1 < 0.3
    assert test.outliers == ()


def test_drift_of_ten_per_cent_shows_in_the_autocorrelation():
    test = kramers_kronig(FREQUENCY_HZ, cell(0.001, drift=0.1))
    assert test.r1 > 0.5
    assert test.rms_fraction > 0.004


def test_the_conjugate_of_a_valid_spectrum_fails():
    spectrum = synthetic.random_spectrum(np.random.default_rng(4), "resistor_arc", 0.001)
    # Low frequencies only, and |Z| falling towards them: the sign repair leaves it alone, the test must not.
    wrong = 1.0 / np.conj(spectrum.z_ohm)
    assert kramers_kronig(spectrum.frequency_Hz, np.conj(wrong) + 1e-3).rms_fraction < 0.02
    assert kramers_kronig(spectrum.frequency_Hz, wrong + 1e-3).rms_fraction > 0.02


def test_a_mains_outlier_is_found_and_left_out():
    z = synthetic.with_mains_outlier(FREQUENCY_HZ, cell(0.003))
    test = kramers_kronig(FREQUENCY_HZ, z)
    assert len(test.outliers) == 1
    assert test.outliers[0] == pytest.approx(50, rel=0.15)
    assert test.rms_fraction < 0.01
    assert np.abs(test.residuals).max() > 0.1


def test_ideal_elements_are_described():
    # mu falls below its limit long before an ideal RC element is described; the rms must not stay at some per cent.
    frequency = np.geomspace(1e5, 1.0, 48)
    z = 29.0 + 47.0 / (1 + 2j * np.pi * frequency * 4.9e-4)
    assert kramers_kronig(frequency, z).rms_fraction < 0.002


def test_too_few_points():
    with pytest.raises(AnalysisError, match="3 points found, a fit needs at least 10"):
        kramers_kronig([1, 2, 3], [1 + 1j, 2, 3])


def test_lag_one_of_constant_and_alternating_residuals():
    assert lag_one(np.ones(100, dtype=complex)) == pytest.approx(0.99)
    assert lag_one(np.tile([1, -1], 50).astype(complex)) == pytest.approx(-0.99)
    assert lag_one(np.zeros(5, dtype=complex)) == 0.0


@pytest.mark.parametrize(("frequency", "expected"), [(50.1, True), (60, True), (120, True), (75, False), (1e5, False)])
def test_mains_frequencies(frequency, expected):
    assert is_mains(frequency) is expected
