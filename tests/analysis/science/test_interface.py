"""Electrolyte and interface arcs of cells with lithium electrodes: truth of the generator, roles, areas, flags."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from analysis.science import synthetic
from analysis.science.base import AnalysisError, Subject
from analysis.science.fitted import variance_factor
from analysis.science.interface import Interface

FREQUENCY_HZ = synthetic.frequencies_Hz(1e6, 0.01)
AT_25 = {"temperature_degC": 25.0, "temperature_origin": "file"}
SYMMETRIC = Subject("cell", "CEL-0098", "symmetric", electrode_diameter_mm=10.0, electrode_diameter_uncertainty_mm=0.05)


def recording(electrolyte=400.0, interface=340.0, seed=1, extra=None, **more):
    z = synthetic.symmetric_cell_spectrum(
        FREQUENCY_HZ, electrolyte_resistance_ohm=electrolyte, interfacial_resistance_ohm=interface,
        noise_fraction=0.003, rng=np.random.default_rng(seed), **more,
    )  # fmt: skip
    z = z if extra is None else z + extra
    return pd.DataFrame({"frequency_Hz": FREQUENCY_HZ, "z_real_ohm": z.real, "z_imag_ohm": z.imag})


def run(frame, subject=SYMMETRIC, **parameters):
    outcome = Interface().run(frame, subject, AT_25 | parameters)
    return {finding.quantity: finding for finding in outcome.findings}, outcome


def codes(outcome):
    return {code for code, _ in outcome.warnings}


def test_both_resistances_and_what_is_made_of_them():
    found, outcome = run(recording())
    assert found["electrolyte_resistance_ohm"].value == pytest.approx(400.0, rel=0.005)
    cell = found["cell_interfacial_resistance_ohm"]
    assert (cell.value, cell.label) == (pytest.approx(340.0, rel=0.01), "2")
    one = found["interfacial_resistance_ohm"]
    assert one.value == pytest.approx(cell.value / 2)
    asr = found["interfacial_asr_ohm_cm2"]
    area = np.pi / 4.0
    assert asr.value == pytest.approx(one.value * area)
    assert asr.uncertainty / asr.value == pytest.approx(np.hypot(one.uncertainty / one.value, 2 * 0.05 / 10), rel=1e-6)
    assert {finding.flag for finding in found.values()} == {"ok"}
    assert outcome.curves["intercepts"][1]["z_real_ohm"] == pytest.approx(740.0, rel=0.01)


def test_the_interval_holds_the_truth():
    inside = 0
    for seed in range(40):
        found, _ = run(recording(seed=100 + seed))
        cell = found["cell_interfacial_resistance_ohm"]
        inside += abs(cell.value - 340.0) <= 1.96 * cell.uncertainty
    assert inside >= 34


def test_residuals_that_follow_each_other_tell_less():
    """(1 + r)/(1 - r) of a first-order autoregression; what white noise may show changes nothing."""
    assert [variance_factor(r1) for r1 in (-0.4, 0.0, 0.29)] == [1.0, 1.0, 1.0]
    assert [variance_factor(r1) for r1 in (0.5, 0.6, 0.8)] == pytest.approx([3.0, 4.0, 9.0], rel=1e-12)


def test_the_interval_holds_the_truth_where_errors_follow_each_other():
    """Errors of a drifting instrument: a first-order autoregression of 0.8 from frequency to frequency."""
    clean = 400.0 + synthetic.arc_ohm(FREQUENCY_HZ, 340.0, 340.0 * 1e-6, 0.85)
    inside = 0
    for seed in range(60):
        rng = np.random.default_rng(4000 + seed)
        white = rng.normal(size=clean.size) + 1j * rng.normal(size=clean.size)
        error = lfilter([0.6], [1.0, -0.8], 0.003 * white)
        z = clean + np.abs(clean) * error
        frame = pd.DataFrame({"frequency_Hz": FREQUENCY_HZ, "z_real_ohm": z.real, "z_imag_ohm": z.imag})
        cell = run(frame, circuit="D")[0]["cell_interfacial_resistance_ohm"]
        inside += abs(cell.value - 340.0) <= 1.96 * cell.uncertainty
    assert inside >= 48


def test_grain_boundaries_belong_to_the_electrolyte():
    boundary = synthetic.arc_ohm(FREQUENCY_HZ, 200.0, 200.0 * 3e-9, 0.9)
    found, outcome = run(recording(extra=boundary))
    assert found["electrolyte_resistance_ohm"].value == pytest.approx(600.0, rel=0.01)
    assert found["cell_interfacial_resistance_ohm"].value == pytest.approx(340.0, rel=0.02)
    roles = {row["parameter"]: row["role"] for row in outcome.tables["fit"]}
    assert (roles["R1_ohm"], roles["R2_ohm"]) == ("electrolyte", "interface")


def test_a_diffusion_tail_is_not_counted():
    found, _ = run(recording(extra=synthetic.cpe_ohm(FREQUENCY_HZ, 0.03, 0.5)))
    assert found["cell_interfacial_resistance_ohm"].value == pytest.approx(340.0, rel=0.03)
    assert found["electrolyte_resistance_ohm"].value == pytest.approx(400.0, rel=0.01)


def test_two_arcs_of_interfaces_are_added_and_said():
    second = synthetic.arc_ohm(FREQUENCY_HZ, 150.0, 150.0 * 3e-4, 0.9)
    found, outcome = run(recording(extra=second))
    assert found["cell_interfacial_resistance_ohm"].value == pytest.approx(490.0, rel=0.02)
    assert "two_interface_arcs" in codes(outcome)


def test_an_interface_cut_off_by_the_window_is_not_the_arc_before_it():
    """Arcs of 300 Ω at 50 µs and 5000 Ω at 0.2 s, measured down to 10 Hz: the second looks like a capacitor."""
    frequency = synthetic.frequencies_Hz(1e6, 10.0)
    z = 200.0 + synthetic.arc_ohm(frequency, 300.0, 5e-5, 0.9) + synthetic.arc_ohm(frequency, 5000.0, 0.2, 0.95)
    rng = np.random.default_rng(5)
    z = z + 0.003 * np.abs(z) * (rng.normal(size=z.size) + 1j * rng.normal(size=z.size))
    frame = pd.DataFrame({"frequency_Hz": frequency, "z_real_ohm": z.real, "z_imag_ohm": z.imag})
    found, outcome = run(frame)
    assert found["cell_interfacial_resistance_ohm"].flag == "missing"
    assert found["interfacial_asr_ohm_cm2"].value is None
    assert "arcs_not_resolved" in codes(outcome)
    assert found["electrolyte_resistance_ohm"].value == pytest.approx(200.0, rel=0.02)


def test_the_charge_of_an_electrode_is_no_interface_cut_off():
    """A capacitive branch of 20 mF at the lowest frequency, as of a full cell, leaves the arc before it alone."""
    branch = 1.0 / (0.02 * (2j * np.pi * FREQUENCY_HZ) ** 0.85)
    found, outcome = run(recording(extra=branch), Subject("cell", "CEL-0100", "full", electrode_area_cm2=0.785))
    assert found["cell_interfacial_resistance_ohm"].value == pytest.approx(340.0, rel=0.02)
    assert found["cell_interfacial_resistance_ohm"].flag == "ok"
    assert "arcs_not_resolved" not in codes(outcome)


@pytest.mark.parametrize(("depth", "is_said"), [(0.0, False), (0.1, True)])
def test_an_inductive_loop_at_low_frequency_is_said(depth, is_said):
    """A negative arc of a tenth of the interface: Z″ turns positive, which lead inductance cannot do there."""
    _, outcome = run(recording(extra=-synthetic.arc_ohm(FREQUENCY_HZ, 340.0 * depth, 1.0, 1.0)))
    assert ("low_frequency_loop" in codes(outcome)) == is_said
    inductive = [text for code, text in outcome.warnings if code == "inductive_points_used"]
    assert all(int(text.split()[0]) < 10 for text in inductive)


@pytest.mark.parametrize(
    ("arcs", "truth", "before"), [([1], 250.0, 400.0), ([2], 340.0, 650.0), ([1, 2], 590.0, 400.0)]
)
def test_a_person_says_which_arcs_are_the_interface(arcs, truth, before):
    """An arc of 250 Ω with 20 nF stands before one of 340 Ω with 10 µF; faster ones count to the electrolyte."""
    fast = synthetic.arc_ohm(FREQUENCY_HZ, 250.0, 250.0 * 2e-8, 1.0)
    slow = synthetic.arc_ohm(FREQUENCY_HZ, 340.0, 340.0 * 1e-5, 1.0)
    noise = 1.0 + 0.001 * np.random.default_rng(4).normal(size=FREQUENCY_HZ.size)
    z = (400.0 + fast + slow) * noise
    frame = pd.DataFrame({"frequency_Hz": FREQUENCY_HZ, "z_real_ohm": z.real, "z_imag_ohm": z.imag})
    found, outcome = run(frame, interface_arcs=arcs, circuit="F")
    assert found["cell_interfacial_resistance_ohm"].value == pytest.approx(truth, rel=0.02)
    assert found["electrolyte_resistance_ohm"].value == pytest.approx(before, rel=0.02)
    assert outcome.inputs["interface_arcs"]["origin"] == "person"
    assert "two_interface_arcs" not in codes(outcome)


def test_an_arc_that_the_circuit_does_not_have_is_said():
    with pytest.raises(AnalysisError, match="so that R3 cannot be the interface"):
        run(recording(), interface_arcs=[3])


def test_a_full_cell_has_no_value_per_interface():
    subject = Subject("cell", "CEL-0104", "full", electrode_area_cm2=0.785)
    found, _ = run(recording(), subject)
    assert set(found) == {"electrolyte_resistance_ohm", "cell_interfacial_resistance_ohm"}
    assert found["cell_interfacial_resistance_ohm"].label == "2"


def test_without_area_there_is_no_area_specific_value():
    found, outcome = run(recording(), Subject("cell", "CEL-0099", "symmetric"))
    assert found["interfacial_asr_ohm_cm2"].flag == "missing"
    assert found["interfacial_resistance_ohm"].value == pytest.approx(170.0, rel=0.01)
    assert "missing_area" in codes(outcome)


def test_a_drifting_cell_is_noticed_and_a_mains_point_left_out():
    _, outcome = run(recording(drift_fraction=0.3))
    assert "kk_drift" in codes(outcome)
    frame = recording()
    z = frame["z_real_ohm"].to_numpy() + 1j * frame["z_imag_ohm"].to_numpy()
    z = synthetic.with_mains_outlier(FREQUENCY_HZ, z)
    found, outcome = run(frame.assign(z_real_ohm=z.real, z_imag_ohm=z.imag))
    assert "mains_interference" in codes(outcome)
    assert found["cell_interfacial_resistance_ohm"].value == pytest.approx(340.0, rel=0.01)
