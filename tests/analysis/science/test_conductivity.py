"""Conductivity of a blocking cell: the formula, its uncertainty, flags, and the traps of real laboratories."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from analysis.science import synthetic
from analysis.science.base import FLAGS, AnalysisError, Subject
from analysis.science.conductivity import Conductivity, ionic_conductivity_S_cm
from analysis.science.wording import number, with_uncertainty

FREQUENCY_HZ = synthetic.frequencies_Hz(1e6, 0.1)
TRUTH = {
    "total_conductivity_25degC_S_cm": 2.5e-4,
    "activation_energy_eV": 0.37,
    "thickness_um": 801.0,
    "electrode_area_cm2": 0.785398,
}
AT_25 = {"temperature_degC": 25.0, "temperature_origin": "file"}


def cell(**changes):
    values = {
        "thickness_um": 801.0,
        "thickness_uncertainty_um": 3.0,
        "pellet_diameter_mm": 12.0,
        "electrode_diameter_mm": 10.0,
        "electrode_diameter_uncertainty_mm": 0.02,
        "electrode_area_cm2": 0.785398,
    }
    return Subject("cell", "CEL-0007", "blocking", **{**values, **changes})


def recording(noise=0.003, seed=9, temperature_degC=25.0, frequency=FREQUENCY_HZ, change=None, **more):
    rng = np.random.default_rng(seed)
    z = synthetic.blocking_cell_spectrum(
        frequency, temperature_degC=temperature_degC, noise_fraction=noise, rng=rng, **TRUTH, **more
    )
    z = z if change is None else change(z)
    return pd.DataFrame({"frequency_Hz": frequency, "z_real_ohm": z.real, "z_imag_ohm": z.imag})


def run(frame=None, subject=None, **parameters):
    frame = recording() if frame is None else frame
    return Conductivity().run(frame, subject or cell(), {**AT_25, **parameters})


def by_quantity(outcome):
    return {finding.quantity: finding for finding in outcome.findings}


def codes(outcome):
    return {code for code, _ in outcome.warnings}


def test_closed_form():
    # 1 mm thick, 1 cm², 1000 Ω: 1e-4 S/cm.
    assert ionic_conductivity_S_cm(1000.0, 1000.0, 1.0) == pytest.approx(1e-4)
    assert ionic_conductivity_S_cm(np.array([500.0, 1000.0]), 800.0, 0.5) == pytest.approx([3.2e-4, 1.6e-4])


def test_the_true_conductivity_is_found_with_its_uncertainty():
    found = by_quantity(run())
    sigma, total = found["ionic_conductivity_S_cm"], found["total_resistance_ohm"]
    assert sigma.value == pytest.approx(2.5e-4, rel=0.01)
    assert sigma.flag == total.flag == "ok"
    assert sigma.temperature_degC == 25.0
    share = math.hypot(3 / 801, 2 * 0.02 / 10, total.uncertainty / total.value)
    assert sigma.uncertainty / sigma.value == pytest.approx(share, rel=1e-6)


def test_exactly_one_row_per_quantity_whatever_is_missing():
    for outcome in (run(), run(subject=Subject("cell", "CEL-0008", "blocking")), run(circuit="A")):
        assert sorted(f.quantity for f in outcome.findings) == sorted(Conductivity.yields)
        for finding in outcome.findings:
            assert finding.flag in FLAGS
            assert (finding.value is None) == (finding.flag == "missing" and finding.uncertainty is None)


def test_missing_area_blocks_sigma_and_leaves_the_resistance():
    outcome = run(subject=cell(electrode_area_cm2=None, electrode_diameter_mm=None))
    found = by_quantity(outcome)
    assert found["ionic_conductivity_S_cm"].value is None
    assert found["ionic_conductivity_S_cm"].flag == "missing"
    assert found["total_resistance_ohm"].flag == "ok"
    assert dict(outcome.warnings)["missing_area"] == (
        "σ needs the electrode area. Enter the Ag diameter, or confirm that the whole face is coated."
    )


def test_missing_thickness_blocks_sigma():
    outcome = run(subject=cell(thickness_um=None, thickness_uncertainty_um=None))
    assert by_quantity(outcome)["ionic_conductivity_S_cm"].value is None
    assert "missing_thickness" in codes(outcome)


def test_unknown_thickness_uncertainty_is_said():
    outcome = run(subject=cell(thickness_uncertainty_um=None))
    sigma, total = by_quantity(outcome)["ionic_conductivity_S_cm"], by_quantity(outcome)["total_resistance_ohm"]
    assert "thickness_uncertainty_unknown" in codes(outcome)
    assert sigma.uncertainty / sigma.value == pytest.approx(math.hypot(0.004, total.uncertainty / total.value))


def test_area_follows_from_the_diameter_alone():
    sigma = by_quantity(run(subject=cell(electrode_area_cm2=None)))["ionic_conductivity_S_cm"]
    assert sigma.value == pytest.approx(2.5e-4, rel=0.01)


def test_a_given_area_overrides_and_says_so():
    outcome = run(electrode_area_cm2=0.5)
    assert by_quantity(outcome)["ionic_conductivity_S_cm"].value == pytest.approx(2.5e-4 * 0.785398 / 0.5, rel=0.01)
    assert "area_override" in codes(outcome)
    assert outcome.inputs["electrode_area_cm2"]["origin"] == "person"


def test_the_area_in_the_file_is_compared_but_never_used():
    outcome = run(file_electrode_area_cm2=0.001)
    assert by_quantity(outcome)["ionic_conductivity_S_cm"].value == pytest.approx(2.5e-4, rel=0.01)
    assert "0.001" in dict(outcome.warnings)["electrode_area_differs"]
    assert "0.7854" in dict(outcome.warnings)["electrode_area_differs"]
    assert "electrode_area_differs" not in codes(run(file_electrode_area_cm2=0.78))


@pytest.mark.parametrize("known", [{"temperature_degC": None}, {"temperature_origin": "assumed"}])
def test_an_assumed_temperature_flags_sigma_only(known):
    outcome = run(**known)
    found = by_quantity(outcome)
    assert found["ionic_conductivity_S_cm"].flag == "missing"
    assert found["ionic_conductivity_S_cm"].value == pytest.approx(2.5e-4, rel=0.01)
    assert found["total_resistance_ohm"].flag == "ok"
    assert dict(outcome.warnings)["temperature_missing"] == "No temperature in file or name. 25 °C is assumed."


def test_sign_turned_file_gives_the_same_number_and_says_so():
    outcome = run(recording(change=np.conj))
    assert by_quantity(outcome)["ionic_conductivity_S_cm"].value == pytest.approx(2.5e-4, rel=0.01)
    assert "sign_flipped" in codes(outcome)
    assert np.median(outcome.curves["data"]["z_imag_ohm"]) < 0


def test_drift_of_ten_per_cent_is_seen():
    outcome = run(recording(noise=0.001, change=lambda z: synthetic.with_drift(z, 0.1)))
    assert "kk_drift" in codes(outcome)


def test_data_that_no_linear_system_gives_are_suspect():
    def jump(z):
        return np.where(FREQUENCY_HZ < 3e3, 1.3, 1.0) * z

    outcome = run(recording(change=jump))
    found = by_quantity(outcome)
    assert "kk_fail" in codes(outcome)
    assert found["kramers_kronig_residual_fraction"].value > 0.02
    assert {f.flag for f in outcome.findings if f.value is not None} == {"suspect"}


def test_a_mains_outlier_is_left_out_and_named():
    outcome = run(recording(change=lambda z: synthetic.with_mains_outlier(FREQUENCY_HZ, z)))
    found = by_quantity(outcome)
    assert found["ionic_conductivity_S_cm"].value == pytest.approx(2.5e-4, rel=0.01)
    assert found["ionic_conductivity_S_cm"].flag == "ok"
    assert "mains_interference" in codes(outcome)
    assert outcome.curves["data"]["is_used"].count(False) == 1


def test_a_wrong_circuit_is_suspect():
    frame = recording(temperature_degC=-20.0, boundary_capacitance_F=1e-8)
    outcome = run(frame, circuit="A")
    assert by_quantity(outcome)["total_resistance_ohm"].flag == "suspect"
    assert {"poor_fit", "residual_above_kk_noise"} <= codes(outcome)


def test_a_split_that_cannot_be_told_is_missing_not_guessed():
    outcome = run(recording(temperature_degC=80.0, boundary_capacitance_F=2e-10), temperature_degC=80.0)
    found = by_quantity(outcome)
    assert found["bulk_resistance_ohm"].value is None
    assert found["bulk_resistance_ohm"].flag == "missing"
    assert found["ionic_conductivity_S_cm"].flag == "ok"
    assert "split_not_identifiable" in codes(outcome)


def test_a_spectrum_without_plateau_gives_no_number():
    frequency = np.geomspace(100.0, 0.01, 41)
    z = 5.0 + synthetic.cpe_ohm(frequency, 1e-7, 0.9)
    z = synthetic.with_noise(z, 0.005, np.random.default_rng(3))
    outcome = run(pd.DataFrame({"frequency_Hz": frequency, "z_real_ohm": z.real, "z_imag_ohm": z.imag}))
    found = by_quantity(outcome)
    assert found["total_resistance_ohm"].value is None
    assert found["total_resistance_ohm"].flag == "missing"
    assert found["ionic_conductivity_S_cm"].value is None
    assert "resistance_not_determined" in codes(outcome)


def test_a_value_outside_physical_range_is_flagged():
    frame = recording()
    frame[["z_real_ohm", "z_imag_ohm"]] *= 1e-6
    assert by_quantity(run(frame))["ionic_conductivity_S_cm"].flag == "out_of_range"


def test_mistaken_units_are_doubted():
    assert "thickness_implausible" in codes(run(subject=cell(thickness_um=0.801)))
    assert "temperature_like_kelvin" in codes(run(temperature_degC=298.15))
    assert not {"thickness_implausible", "temperature_like_kelvin"} & codes(run())


def test_three_points_are_refused():
    with pytest.raises(AnalysisError, match=r"^3 points found, a fit needs at least 10\.$"):
        run(recording().head(3))


def test_masked_points_and_fit_range_are_used():
    outcome = run(masked_points=[0, 1, 2], fit_range_Hz=[1.0, 1e6])
    data = outcome.curves["data"]
    used = [f for f, is_used in zip(data["frequency_Hz"], data["is_used"], strict=True) if is_used]
    assert data["is_used"][:3] == [False] * 3
    assert min(used) >= 0.999
    assert len(data["frequency_Hz"]) == FREQUENCY_HZ.size
    assert min(outcome.curves["residuals"]["frequency_Hz"]) >= 0.999


def test_curves_tables_and_inputs_are_plain_json():
    outcome = run(recording(change=lambda z: np.where(np.arange(z.size) == 5, np.nan, z)))
    json.dumps([outcome.curves, outcome.tables, outcome.inputs], allow_nan=False)
    assert set(outcome.curves) == {"data", "fit", "residuals", "kramers_kronig", "intercepts"}
    assert len(outcome.curves["fit"]["frequency_Hz"]) == 200
    assert {"parameter", "symbol", "value", "uncertainty", "unit"} == set(outcome.tables["fit"][0])
    json.dumps(run(subject=Subject("cell", "C", "blocking")).inputs, allow_nan=False)


def test_the_formula_is_filled_with_the_numbers_used():
    filled = run().inputs["formula"]["filled"]
    assert filled.startswith("σ = 0.0801 cm / (0.785 cm² × 4")
    assert filled.endswith("× 10⁻⁴ S cm⁻¹")


def test_intercepts_are_the_resistances():
    outcome = run(recording(temperature_degC=0.0, boundary_capacitance_F=1e-8))
    found = by_quantity(outcome)
    labels = {entry["label"]: entry["z_real_ohm"] for entry in outcome.curves["intercepts"]}
    assert labels["R_b"] == found["bulk_resistance_ohm"].value
    assert labels["R_b + R_gb"] == pytest.approx(found["total_resistance_ohm"].value)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0801, 3, "0.0801"),
        (408.2, 3, "408"),
        (2.496e-4, 3, "2.50 × 10⁻⁴"),
        (0.0, 3, "0"),
        (9.999, 3, "10.0"),
        (9147.3, 3, "9147"),
        (91473.2, 3, "91\u202f473"),
    ],
)
def test_numbers_are_written_as_people_do(value, digits, text):
    assert number(value, digits) == text


def test_digits_follow_the_uncertainty():
    assert with_uncertainty(2.4961e-4, 1.4e-6) == "2.50 × 10⁻⁴"
    assert with_uncertainty(2.4961e-4, 2e-7) == "2.496 × 10⁻⁴"
    assert with_uncertainty(2.4961e-4, 2e-5) == "2.5 × 10⁻⁴"
    assert with_uncertainty(2.4961e-4, None) == "2.50 × 10⁻⁴"
