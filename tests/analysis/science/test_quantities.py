"""The definitions: complete against the contract, readable, and with units that the unit table knows."""

import math
import re

import pytest

from analysis.science import quantities
from analysis.science.quantities import QUANTITIES, get
from lagpdb import units

# Contract section 5, in its order.
CONTRACT = re.findall(
    r"\w+",
    """
ionic_conductivity_S_cm total_resistance_ohm bulk_resistance_ohm grain_boundary_resistance_ohm
kramers_kronig_residual_fraction
electrolyte_resistance_ohm cell_interfacial_resistance_ohm interfacial_resistance_ohm interfacial_asr_ohm_cm2
activation_energy_eV conductivity_prefactor_S_K_cm ionic_conductivity_25degC_S_cm
initial_current_A steady_state_current_A polarisation_voltage_V electronic_conductivity_S_cm
lithium_transference_number
critical_current_density_mA_cm2 last_sound_current_density_mA_cm2 charge_passed_before_short_mAh_cm2
ramp_step_time_h ramp_step_mA_cm2
overpotential_mV time_to_failure_h cycles_to_failure_count
discharge_specific_capacity_mAh_g charge_specific_capacity_mAh_g discharge_capacity_mAh capacity_retention_fraction
coulombic_efficiency_fraction energy_efficiency_fraction voltage_hysteresis_mV
rate_capacity_mAh_g rate_capacity_mAh capacity_recovery_fraction
phase_match_fraction unmatched_peak_count crystallite_size_nm
film_thickness_nm sputter_rate_nm_min binding_energy_eV
""",
)

# Values of the study (and of every good sample of this kind), which no range may call unphysical.
PUBLISHED = {
    "ionic_conductivity_S_cm": (2.5e-4, 3.1e-4),
    "activation_energy_eV": (0.37,),
    "lithium_transference_number": (0.96, 0.98),
    "critical_current_density_mA_cm2": (0.1, 0.6),
    "overpotential_mV": (46, 300),
    "interfacial_resistance_ohm": (170, 2250, 8100),
    "discharge_specific_capacity_mAh_g": (109.3, 147),
    "capacity_retention_fraction": (0.596, 0.945),
    "coulombic_efficiency_fraction": (0.985, 1.0),
    "sputter_rate_nm_min": (5,),
    "film_thickness_nm": (50,),
    "binding_energy_eV": (160.2, 932.4),
    "time_to_failure_h": (110, 704),
}


def test_exactly_the_quantities_of_the_contract():
    assert list(QUANTITIES) == CONTRACT


def test_nothing_is_defined_twice():
    families = [value for name, value in vars(quantities).items() if name.isupper() and isinstance(value, tuple)]
    listed = [item for family in families for item in family if isinstance(item, quantities.Quantity)]
    assert len(listed) == len(QUANTITIES)
    assert len({item.name for item in listed}) == len(listed)
    assert len({item.definition for item in listed}) == len(listed)
    assert len({item.symbol for item in listed}) == len(listed)


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=lambda quantity: quantity.slug)
def test_every_quantity_is_complete(quantity):
    suffix = units.suffix_of(quantity.slug)
    assert suffix in units.UNITS
    assert quantity.unit == (units.symbol(quantity.slug) or "1")
    assert quantity.is_share == quantity.slug.endswith("_fraction")
    assert quantity.symbol
    assert quantity.name[0].isupper()
    assert quantity.group
    assert len(quantity.definition) >= 20
    assert quantity.definition.endswith(".")
    assert not quantity.iri or quantity.iri.startswith("https://w3id.org/emmo")
    low, high = quantity.physical_range
    assert low is not None
    assert high is not None
    assert low < high
    assert not quantity.is_physical(math.nan)
    assert not quantity.is_physical(high * 1.001)


@pytest.mark.parametrize(("slug", "values"), PUBLISHED.items())
def test_published_values_are_physical(slug, values):
    assert all(get(slug).is_physical(value) for value in values)


def test_impossible_values_are_not():
    assert not get("ionic_conductivity_S_cm").is_physical(25)
    assert not get("interfacial_resistance_ohm").is_physical(-3)
    assert not get("lithium_transference_number").is_physical(-3.45)  # what a first-sample I₀ gives


def test_unknown_slug_names_its_neighbours():
    assert get("activation_energy_eV").symbol == "E_a"
    with pytest.raises(KeyError, match=r"Did you mean .*activation_energy_eV"):
        get("activation_energy_ev")
