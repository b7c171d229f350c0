"""The generators keep the truth they promise."""

import numpy as np
import pytest

from analysis.science import synthetic

BOLTZMANN_EV_K = 8.617333262e-5
TRUTH = {
    "total_conductivity_25degC_S_cm": 2.5e-4,
    "activation_energy_eV": 0.37,
    "thickness_um": 800.0,
    "electrode_area_cm2": 0.5,
}


def test_the_module_says_that_nothing_was_measured():
    assert "SYNTHETIC" in synthetic.__doc__


def test_total_resistance_at_25_degC():
    # 0.08 cm / (2.5e-4 S/cm × 0.5 cm²) = 640 Ω
    assert synthetic.total_resistance_ohm(temperature_degC=25.0, **TRUTH) == pytest.approx(640.0)


def test_total_conductivity_times_temperature_is_arrhenius():
    celsius = np.array([20.0, 50.0, 80.0])
    resistance = np.array([synthetic.total_resistance_ohm(temperature_degC=t, **TRUTH) for t in celsius])
    kelvin = celsius + 273.15
    slopes = np.diff(np.log(kelvin / resistance)) / np.diff(1 / kelvin)
    assert slopes == pytest.approx(-0.37 / BOLTZMANN_EV_K)


def test_between_arc_and_tail_the_spectrum_is_the_total_resistance():
    frequency = np.array([1e3])
    z = synthetic.blocking_cell_spectrum(
        frequency,
        temperature_degC=25.0,
        noise_fraction=0.0,
        rng=np.random.default_rng(0),
        electrode_exponent=1.0,
        boundary_exponent=1.0,
        **TRUTH,
    )
    assert z.real[0] == pytest.approx(640.0, rel=1e-3)
    assert z.imag[0] == pytest.approx(-1 / (2 * np.pi * 1e3 * 4e-6), rel=0.3)


def test_noise_has_the_stated_size_on_both_parts():
    z = np.full(200_000, 3.0 - 4.0j)
    errors = (synthetic.with_noise(z, 0.01, np.random.default_rng(1)) - z) / 5.0
    assert errors.real.std() == pytest.approx(0.01, rel=0.02)
    assert errors.imag.std() == pytest.approx(0.01, rel=0.02)


def test_a_seed_fixes_everything():
    first, second = (synthetic.random_spectrum(np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first.z_ohm, second.z_ohm)
    assert first.resistances_ohm == second.resistances_ohm


@pytest.mark.parametrize("family", ["resistor", "resistor_arc", "two_arcs", "resistor_two_arcs"])
def test_families_have_their_resistances(family):
    spectrum = synthetic.random_spectrum(np.random.default_rng(3), family, 0.0)
    assert (
        len(spectrum.resistances_ohm)
        == {"resistor": 1, "resistor_arc": 2, "two_arcs": 2, "resistor_two_arcs": 3}[family]
    )
    assert spectrum.frequency_Hz.size == 71
    # Far above the knee of the tail the real part cannot exceed the total.
    assert spectrum.z_ohm.real[:20].max() < 1.05 * spectrum.total_resistance_ohm


def test_drift_and_mains_outlier_change_what_they_say():
    frequency = synthetic.frequencies_Hz()
    z = np.full(frequency.size, 100.0 - 10.0j)
    drifted = synthetic.with_drift(z, 0.1)
    assert drifted[0] == z[0]
    assert drifted[-1] == pytest.approx(1.1 * z[-1])
    changed = np.flatnonzero(synthetic.with_mains_outlier(frequency, z) != z)
    assert changed.size == 1
    assert frequency[changed[0]] == pytest.approx(50, rel=0.2)


def test_a_symmetric_cell_ends_on_the_real_axis():
    z = synthetic.symmetric_cell_spectrum(
        np.geomspace(1e6, 1e-3, 91),
        electrolyte_resistance_ohm=400.0,
        interfacial_resistance_ohm=300.0,
        noise_fraction=0.0,
        rng=np.random.default_rng(0),
        drift_fraction=0.1,
    )
    assert z[-1].real == pytest.approx(400 + 330, rel=0.01)
    assert abs(z[-1].imag) < 5
