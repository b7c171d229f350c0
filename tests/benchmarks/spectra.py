"""SYNTHETIC impedance files for the benchmarks, from the project's own model."""

from __future__ import annotations

import numpy as np

from analysis.science.synthetic import blocking_cell_spectrum

FREQUENCY_HZ = np.logspace(6, -2, 70)


def spectrum_csv(temperature_degC: float, seed: int) -> bytes:
    """One 70-point spectrum of an 800 µm pellet between 10 mm electrodes, as csv with a header."""
    z = blocking_cell_spectrum(
        FREQUENCY_HZ,
        total_conductivity_25degC_S_cm=2.5e-4,
        activation_energy_eV=0.37,
        thickness_um=800.0,
        electrode_area_cm2=np.pi / 4,
        temperature_degC=temperature_degC,
        noise_fraction=0.003,
        rng=np.random.default_rng(seed),
    )
    rows = [f"{f:.6g},{v.real:.6g},{v.imag:.6g}" for f, v in zip(FREQUENCY_HZ, z, strict=True)]
    return "\n".join(["frequency_Hz,z_real_ohm,z_imag_ohm", *rows, ""]).encode()
