"""Real spectra with published numbers; see the manifest beside the files for their sources."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.science.activation import Activation
from analysis.science.base import FLAGS, AnalysisError, Subject
from analysis.science.conductivity import Conductivity
from analysis.science.impedance import fit_spectrum
from measurements.readers.recognise import read_file

pytestmark = pytest.mark.real

# Published with the data (10.1039/d3ta06237f): °C, R_bulk, R_gb [Ω], total conductivity [S/cm].
PUBLISHED = [
    (140, 1.462e5, 2.012e6, 1.936e-7),
    (160, 7.949e4, 6.673e5, 5.594e-7),
    (180, 3.984e4, 2.430e5, 1.477e-6),
    (200, 2.246e4, 9.502e4, 3.556e-6),
]
PELLET = Subject(
    "cell", "CEL-0001", "blocking", thickness_um=2100.0, thickness_uncertainty_um=10.0, electrode_diameter_mm=8.0
)


def spectra(folder, name):
    _, recordings = read_file(folder / "eis" / name, name)
    return [recording.frame for recording in recordings]


def columns(frame):
    return frame["frequency_Hz"].to_numpy(), frame["z_real_ohm"].to_numpy() + 1j * frame["z_imag_ohm"].to_numpy()


@pytest.mark.parametrize(("celsius", "bulk", "boundary", "sigma"), PUBLISHED)
def test_published_resistances_and_conductivity(real_data, celsius, bulk, boundary, sigma):
    (frame,) = spectra(real_data, f"s04147-{celsius}deg.txt")
    known = {"temperature_degC": float(celsius), "temperature_origin": "name"}
    found = {f.quantity: f for f in Conductivity().run(frame, PELLET, known).findings}
    assert found["bulk_resistance_ohm"].value == pytest.approx(bulk, rel=0.01)
    assert found["grain_boundary_resistance_ohm"].value == pytest.approx(boundary, rel=0.01)
    assert found["ionic_conductivity_S_cm"].value == pytest.approx(sigma, rel=0.01)
    assert {f.flag for f in found.values()} == {"ok"}


def test_published_activation_energy(real_data):
    rows = []
    for celsius, *_ in PUBLISHED:
        (frame,) = spectra(real_data, f"s04147-{celsius}deg.txt")
        known = {"temperature_degC": float(celsius), "temperature_origin": "name"}
        sigma = Conductivity().run(frame, PELLET, known).findings[0]
        rows.append(
            {
                "result_id": celsius,
                "quantity": sigma.quantity,
                "value": sigma.value,
                "uncertainty": sigma.uncertainty,
                "temperature_degC": sigma.temperature_degC,
            }
        )
    energy = Activation().run(pd.DataFrame(rows), PELLET, {}).findings[0]
    assert energy.label == "sigma_T"
    assert energy.value == pytest.approx(0.8551, abs=0.01)


def test_sum_of_the_lagp_example(real_data):
    (frame,) = spectra(real_data, "LAGP_Example2b.txt")
    fit = fit_spectrum(*columns(frame))
    assert fit.total_resistance_ohm == pytest.approx(9.147e4, rel=0.01)
    assert fit.bulk_resistance_ohm == pytest.approx(4.483e4, rel=0.01)


@pytest.mark.parametrize(("name", "r0", "r1"), [("Circuit1_EIS_1.z", 29.13, 46.65), ("Circuit2_EIS_1.z", 149.6, 500.2)])
def test_dummy_cells(real_data, name, r0, r1):
    (frame,) = spectra(real_data, name)
    assert fit_spectrum(*columns(frame)).total_resistance_ohm == pytest.approx(r0 + r1, rel=0.005)
    forced = fit_spectrum(*columns(frame), circuit="D")
    assert forced.parameters["R0_ohm"].value == pytest.approx(r0, rel=0.01)
    assert forced.parameters["R1_ohm"].value == pytest.approx(r1, rel=0.01)


def test_argyrodite_between_blocking_steel(real_data):
    # RQ+Q gives 1498 Ω, R+RQ+Q 1468 Ω: the circuit matters by 2 %, so no closer agreement can be asked.
    for name in ("PEIS_LPSCl_IonBlocking_-25C.txt", "PEIS_LPSCl_IonBlocking_-25C_RelaxIS.txt"):
        (frame,) = spectra(real_data, name)
        assert fit_spectrum(*columns(frame)).total_resistance_ohm == pytest.approx(1475, rel=0.03)


def test_every_real_spectrum_is_fitted_or_refused_with_a_sentence(real_data):
    seen, refused = 0, []
    for path in sorted((real_data / "eis").iterdir()):
        if path.suffix == ".mpr":
            continue
        for frame in spectra(real_data, path.name):
            seen += 1
            try:
                outcome = Conductivity().run(frame, PELLET, {})
            except AnalysisError as error:
                refused.append(error.sentence)
                continue
            json.dumps([outcome.curves, outcome.tables, outcome.inputs], allow_nan=False)
            for finding in outcome.findings:
                assert finding.flag in FLAGS
                assert finding.value is None or np.isfinite(finding.value)
            fit_rms = np.hypot(outcome.curves["residuals"]["real_percent"], outcome.curves["residuals"]["imag_percent"])
            if np.sqrt(np.mean(fit_rms**2)) > 2.0:
                assert outcome.findings[1].flag in ("suspect", "not_converged", "missing"), path.name
    assert seen >= 15
    assert all("a fit needs at least 10" in sentence for sentence in refused)
