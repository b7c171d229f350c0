"""What every analysis and combination that is found keeps, whatever it computes.

A new analysis adds one sample to `SAMPLES`: a recording (or, for a combination, its numbers), a subject, parameters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.science import synthetic, synthetic_series
from analysis.science.base import FLAGS, LIMITS, Analysis, Combination, Outcome, Subject
from analysis.science.quantities import QUANTITIES
from analysis.science.synthetic_cycling import cycling_test, faded_capacities_mAh, rate_test
from lagpdb import units
from lagpdb.registry import discover
from measurements.kinds import KINDS

ROOT = Path(__file__).resolve().parents[3]
ANALYSES = discover("analysis.science", Analysis)
COMBINATIONS = discover("analysis.science", Combination)
EVERY = ANALYSES | COMBINATIONS
Sample = tuple[pd.DataFrame, Subject, dict[str, Any]]

FULL_CELL = Subject(
    "cell", "CEL-0104", "full", electrode_area_cm2=0.785, active_mass_mg=1.96, theoretical_capacity_mAh_g=170.0
)
BLOCKING_CELL = Subject(
    "cell", "CEL-0095", "blocking", thickness_um=800.0, thickness_uncertainty_um=3.0, electrode_diameter_mm=10.0
)
SYMMETRIC_CELL = Subject(
    "cell", "CEL-0098", "symmetric", thickness_um=800.0, electrode_diameter_mm=10.0, electrode_area_cm2=0.7854
)
TEMPERATURES = {"temperature_degC": 25.0, "temperature_origin": "file"}


# -- samples -----------------------------------------------------------------------------------------------------------
def _spectrum() -> Sample:
    frequency = synthetic.frequencies_Hz()
    z = synthetic.blocking_cell_spectrum(
        frequency, total_conductivity_25degC_S_cm=2.5e-4, activation_energy_eV=0.37, thickness_um=800.0,
        electrode_area_cm2=0.785, temperature_degC=25.0, noise_fraction=0.003, rng=np.random.default_rng(1),
    )  # fmt: skip
    frame = pd.DataFrame({"frequency_Hz": frequency, "z_real_ohm": z.real, "z_imag_ohm": z.imag})
    return frame, BLOCKING_CELL, TEMPERATURES


def _conductivities() -> Sample:
    celsius = np.array([20.0, 30.0, 40.0, 50.0, 60.0])
    kelvin = celsius + 273.15
    sigma = 2.5e-4 * 298.15 / kelvin * np.exp(-0.37 / 8.617333262e-5 * (1 / kelvin - 1 / 298.15))
    frame = pd.DataFrame(
        {
            "result_id": range(1, 6), "quantity": "ionic_conductivity_S_cm", "value": sigma,
            "uncertainty": 0.01 * sigma, "temperature_degC": celsius, "label": "", "measurement": "MEA-00001",
            "measured_at": None, "geometry_relative_uncertainty": 0.005,
        }
    )  # fmt: skip
    return frame, BLOCKING_CELL, {}


def _cycling() -> Sample:
    capacities = faded_capacities_mAh(0.288, 0.9, 55, formation=3)
    currents = np.concatenate([np.full(3, 0.0167), np.full(52, 0.0333)])
    test = cycling_test(capacities, 0.99, currents, rng=np.random.default_rng(1), points_per_half=60)
    return test.frame, FULL_CELL, TEMPERATURES


def _rate() -> Sample:
    rates = [(0.1, 4, 0.28), (0.5, 4, 0.22), (1.0, 4, 0.15), (0.1, 4, 0.27)]
    test = rate_test(rates, one_c_mA=0.3332, rng=np.random.default_rng(1), points_per_half=60)
    return test.frame, FULL_CELL, TEMPERATURES


def _symmetric_spectrum() -> Sample:
    frequency = synthetic.frequencies_Hz()
    z = synthetic.symmetric_cell_spectrum(
        frequency, electrolyte_resistance_ohm=400.0, interfacial_resistance_ohm=340.0, noise_fraction=0.003,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    frame = pd.DataFrame({"frequency_Hz": frequency, "z_real_ohm": z.real, "z_imag_ohm": z.imag})
    return frame, SYMMETRIC_CELL, TEMPERATURES


def _galvanostatic(densities: list[float], cycles: int, **event: Any) -> Sample:
    programme = synthetic_series.current_steps(densities, 3600.0, 300.0, cycles)
    cell = synthetic_series.Cell(area_cm2=0.7854)
    test = synthetic_series.galvanostatic_test(programme, cell, np.random.default_rng(1), interval_s=30.0, **event)
    return test.frame, SYMMETRIC_CELL, TEMPERATURES | {"electrolyte_conductivity_S_cm": 3.0e-4}


def _polarisation() -> Sample:
    time = np.concatenate([np.arange(0.0, 1.0, 0.01), np.arange(1.0, 7200.0, 2.0)])
    frame, _, _ = synthetic_series.polarisation_transient(
        time, voltage_V=0.01, electrolyte_resistance_ohm=400.0, initial_interface_ohm=340.0, steady_interface_ohm=350.0,
        transference_number=0.9, rng=np.random.default_rng(1), relaxation_s=400.0, noise_A=1e-9,
    )  # fmt: skip
    return frame, SYMMETRIC_CELL, TEMPERATURES


def _dc_polarisation() -> Sample:
    frame = synthetic_series.dc_polarisation(
        np.arange(10.0, 20000.0, 10.0), voltages_V=(0.25, 0.5, 0.75), electronic_resistance_ohm=1.0e8,
        rng=np.random.default_rng(1), noise_A=1e-12,
    )  # fmt: skip
    return frame, BLOCKING_CELL, TEMPERATURES


def _currents_and_resistances() -> Sample:
    rows = [
        ("MEA-00001", "2026-03-01T10:00:00Z", "electrolyte_resistance_ohm", 400.0, 0.4),
        ("MEA-00001", "2026-03-01T10:00:00Z", "cell_interfacial_resistance_ohm", 340.0, 0.4),
        ("MEA-00002", "2026-03-01T12:00:00Z", "initial_current_A", 1.35e-5, 1e-8),
        ("MEA-00002", "2026-03-01T12:00:00Z", "steady_state_current_A", 1.26e-5, 1e-9),
        ("MEA-00002", "2026-03-01T12:00:00Z", "polarisation_voltage_V", 0.01, None),
        ("MEA-00003", "2026-03-01T18:00:00Z", "electrolyte_resistance_ohm", 400.0, 0.4),
        ("MEA-00003", "2026-03-01T18:00:00Z", "cell_interfacial_resistance_ohm", 350.0, 0.4),
    ]
    names = ["measurement", "measured_at", "quantity", "value", "uncertainty"]
    frame = pd.DataFrame(rows, columns=names).assign(result_id=range(1, 8), label="", temperature_degC=25.0, flag="ok")
    return frame, SYMMETRIC_CELL, {}


def _films() -> Sample:
    minutes = np.array([5.0, 5.0, 10.0, 10.0, 20.0, 20.0])
    heights = 5.0 * minutes + np.array([0.4, -0.3, 0.2, -0.4, 0.3, -0.2])
    frame = pd.DataFrame(
        {
            "film": [f"FLM-{n:04d}" for n in range(1, 7)], "run": [f"SPT-{n:04d}" for n in range(1, 7)],
            "measured_on": "witness plate", "method": "afm", "film_thickness_nm": heights,
            "film_thickness_uncertainty_nm": 0.4, "height_count": 5, "duration_min": minutes, "measured_at": None,
            "is_synthetic": False, "gas": "Ar", "stage_temperature_degC": None,
        }
    )  # fmt: skip
    return frame, Subject(kind="sputter_setting", code="CuS, 80 W, 1 Pa, 5 cm", is_coated=True), {}


SAMPLES: dict[str, Callable[[], Sample]] = {
    "activation": _conductivities,
    "conductivity": _spectrum,
    "critical_current": lambda: _galvanostatic([0.1, 0.2, 0.3, 0.4], 1, mode="hard_short", half=5),
    "electronic": _dc_polarisation,
    "interface": _symmetric_spectrum,
    "plating": lambda: _galvanostatic([0.1], 12, mode="short", half=19),
    "polarisation": _polarisation,
    "rate": _rate,
    "retention": _cycling,
    "sputter_rate": _films,
    "transference": _currents_and_resistances,
}


# What scripts outside rely on: quantities of each analysis, and the labels of those that have several rows.
PROMISED: dict[str, set[str]] = {
    "conductivity": {
        "ionic_conductivity_S_cm", "total_resistance_ohm", "bulk_resistance_ohm", "grain_boundary_resistance_ohm",
        "kramers_kronig_residual_fraction",
    },
    "interface": {
        "electrolyte_resistance_ohm", "cell_interfacial_resistance_ohm", "interfacial_resistance_ohm",
        "interfacial_asr_ohm_cm2",
    },
    "activation": {"activation_energy_eV", "conductivity_prefactor_S_K_cm", "ionic_conductivity_25degC_S_cm"},
    "polarisation": {"initial_current_A", "steady_state_current_A", "polarisation_voltage_V"},
    "electronic": {
        "initial_current_A", "steady_state_current_A", "polarisation_voltage_V", "electronic_conductivity_S_cm",
    },
    "transference": {"lithium_transference_number"},
    "critical_current": {
        "critical_current_density_mA_cm2", "last_sound_current_density_mA_cm2", "charge_passed_before_short_mAh_cm2",
        "ramp_step_time_h", "ramp_step_mA_cm2",
    },
    "plating": {"overpotential_mV", "time_to_failure_h", "cycles_to_failure_count"},
    "retention": {
        "discharge_specific_capacity_mAh_g", "charge_specific_capacity_mAh_g", "discharge_capacity_mAh",
        "capacity_retention_fraction", "coulombic_efficiency_fraction", "energy_efficiency_fraction",
        "voltage_hysteresis_mV",
    },
    "rate": {"rate_capacity_mAh_g", "rate_capacity_mAh", "capacity_recovery_fraction"},
    "sputter_rate": {"sputter_rate_nm_min"},
}  # fmt: skip
LABELS: dict[tuple[str, str], set[str]] = {
    ("activation", "activation_energy_eV"): {"sigma_T", "sigma"},
    ("interface", "cell_interfacial_resistance_ohm"): {"2"},
    ("critical_current", "critical_current_density_mA_cm2"): {"hard_short"},
    ("plating", "overpotential_mV"): {"first_cycle", "end"},
    ("retention", "discharge_specific_capacity_mAh_g"): {"first", "reference", "last"},
    ("retention", "discharge_capacity_mAh"): {"first", "reference", "last"},
    ("retention", "coulombic_efficiency_fraction"): {"first", "mean", "min"},
    ("retention", "capacity_retention_fraction"): {"50", "last"},  # the sample has 55 cycles
}


@pytest.fixture(scope="module", params=sorted(EVERY))
def ran(request) -> tuple[str, Outcome]:
    """Each analysis once over its sample."""
    slug = request.param
    assert slug in SAMPLES, f"Add a sample of ‘{slug}’ to SAMPLES, so that it is held to the contract."
    return slug, EVERY[slug]().run(*SAMPLES[slug]())


# -- what is declared --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("slug", sorted(EVERY))
def test_what_is_declared_is_known(slug):
    item = EVERY[slug]
    assert item.name
    assert item.version >= 1
    assert item.yields
    assert set(item.yields) <= set(QUANTITIES)
    assert (ROOT / "templates" / "analysis" / f"{slug}.html").exists(), f"{slug} has no template"


@pytest.mark.parametrize("slug", sorted(PROMISED))
def test_quantities_are_those_that_scripts_outside_know(slug):
    assert set(EVERY[slug].yields) == PROMISED[slug]


@pytest.mark.parametrize("slug", sorted(ANALYSES))
def test_kinds_and_subjects_exist(slug):
    item = ANALYSES[slug]
    assert item.kinds
    assert set(item.kinds) <= set(KINDS)
    assert set(item.subjects) <= {"blocking", "symmetric", "full", "pellet"}


# -- what a run leaves -------------------------------------------------------------------------------------------------
def test_findings_keep_the_contract(ran):
    slug, outcome = ran
    assert outcome.findings
    assert {finding.quantity for finding in outcome.findings} <= set(EVERY[slug].yields)
    places = [(finding.quantity, finding.position) for finding in outcome.findings]
    assert len(places) == len(set(places))  # one row per quantity and position
    for finding in outcome.findings:
        assert finding.flag in FLAGS
        assert finding.limit in LIMITS
        assert len(finding.label) <= 80
        if finding.value is None:
            assert finding.flag in ("missing", "not_converged")
            assert finding.uncertainty is None
            continue
        assert math.isfinite(finding.value)
        assert finding.uncertainty is None or (math.isfinite(finding.uncertainty) and finding.uncertainty >= 0)
        if finding.flag == "ok":
            assert QUANTITIES[finding.quantity].is_physical(finding.value)


def test_labels_are_those_that_scripts_outside_know(ran):
    slug, outcome = ran
    for (analysis, quantity), labels in LABELS.items():
        if analysis == slug:
            assert {finding.label for finding in outcome.findings if finding.quantity == quantity} == labels


def test_the_sample_gives_every_number_that_is_promised(ran):
    """A sample without traps: whatever may be missing elsewhere is there."""
    slug, outcome = ran
    given = {finding.quantity for finding in outcome.findings if finding.value is not None}
    optional = {"bulk_resistance_ohm", "grain_boundary_resistance_ohm"}  # only where the spectrum separates them
    assert set(EVERY[slug].yields) - optional <= given


def test_everything_that_is_stored_is_plain_and_finite(ran):
    _, outcome = ran
    json.dumps([outcome.curves, outcome.tables, outcome.inputs, outcome.used], allow_nan=False)
    for rows in outcome.tables.values():
        assert all(isinstance(row, dict) for row in rows)


def test_warnings_are_codes_and_sentences(ran):
    _, outcome = ran
    for code, sentence in outcome.warnings:
        assert code == code.lower()
        assert " " not in code
        assert sentence[0].isupper() or not sentence[0].isalpha() or sentence[0] in "σ"
        assert sentence.endswith(".")
        assert "!" not in sentence


def test_two_runs_give_the_same_to_the_last_digit(ran):
    slug, outcome = ran
    again = EVERY[slug]().run(*SAMPLES[slug]())
    assert again.findings == outcome.findings
    assert again.warnings == outcome.warnings
    assert json.dumps(again.curves) == json.dumps(outcome.curves)
    assert json.dumps(again.tables) == json.dumps(outcome.tables)


def test_a_run_leaves_its_recording_as_it_was():
    for slug, make in SAMPLES.items():
        recording, subject, parameters = make()
        before = recording.copy(deep=True)
        EVERY[slug]().run(recording, subject, parameters)
        pd.testing.assert_frame_equal(recording, before)


@pytest.mark.parametrize("slug", sorted(QUANTITIES))
def test_every_quantity_has_a_unit_and_a_definition(slug):
    assert units.suffix_of(slug)
    assert QUANTITIES[slug].definition


@pytest.mark.parametrize(
    "slug", ["conductivity", "interface", "polarisation", "critical_current", "plating", "electronic"]
)
def test_an_assumed_temperature_is_said_and_moves_no_value(slug):
    recording, subject, known = SAMPLES[slug]()
    measured = ANALYSES[slug]().run(recording, subject, known)
    for unknown in ({"temperature_degC": None}, {"temperature_origin": "assumed"}):
        assumed = ANALYSES[slug]().run(recording, subject, known | unknown)
        assert "temperature_missing" in dict(assumed.warnings)
        assert [found.value for found in assumed.findings] == [found.value for found in measured.findings]
        flagged = {found.quantity for found in assumed.findings if found.flag == "missing" and found.value is not None}
        assert flagged == ({"ionic_conductivity_S_cm"} if slug == "conductivity" else set())
    assert {found.temperature_degC for found in measured.findings} == {25.0}
