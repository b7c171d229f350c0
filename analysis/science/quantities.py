"""Every quantity that lagpdb reports: one definition each, rendered as the glossary and served by the API. Pure.

The slug is the column name; its suffix is the unit (`lagpdb.units`). `uncertainty` beside a value is always standard
(k = 1) and in the same unit. IRIs are those of the EMMO electrochemistry domain ontology 0.35 (BattINFO), checked
against its context; a quantity whose meaning here is narrower or other than the ontology's has none.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from lagpdb import units

_ECHEM = "https://w3id.org/emmo/domain/electrochemistry#electrochemistry_"
_EMMO = "https://w3id.org/emmo#EMMO_"


@dataclass(frozen=True)
class Quantity:
    """One reported quantity.

    Attributes
    ----------
    slug, name, symbol : str
        Column name; the field's words; how it is written in equations.
    definition, formula : str
        For people, with the rule that decides doubtful cases; the equation as plain text ('' where there is none).
    group : str
        Where in the work it comes from: a measurement kind, or 'conductivities', 'transference', 'sputter_rate'.
    physical_range : (float or None, float or None)
        In the unit of the slug. A value outside is flagged ``out_of_range``; generous on purpose. Where the material
        of a cell is known, capacities per gram have a nearer limit, `active_mass.MOST_OF_THEORY`.
    iri : str
        The same idea in EMMO, or ''.
    """

    slug: str
    name: str
    symbol: str
    group: str
    definition: str
    formula: str = ""
    physical_range: tuple[float | None, float | None] = (None, None)
    iri: str = ""

    @property
    def unit(self) -> str:
        """The unit as people read it; '1' for shares, counts and other pure numbers."""
        return units.symbol(self.slug) or "1"

    @property
    def is_share(self) -> bool:
        """Stored as 0…1 and shown in %."""
        return units.suffix_of(self.slug) == "fraction"

    def is_physical(self, value: float) -> bool:
        """Whether `value`, in the unit of the slug, lies within `physical_range`; nan never does."""
        low, high = self.physical_range
        return value == value and (low is None or value >= low) and (high is None or value <= high)


_OHM = (0.0, 1e10)
_SHARE = (0.0, 1.0)
_CAPACITY = (0.0, 5000.0)

# One quantity reads as one paragraph: the formatter would give every word its own line.
# fmt: off
_IMPEDANCE = (
    Quantity(
        "ionic_conductivity_S_cm", "Ionic conductivity", "σ", "eis",
        "Conductivity of the whole pellet, bulk and grain boundaries, between blocking electrodes. The area is that of "
        "the electrode, not of the pellet. Always stated with its temperature.",
        "σ = L / (A·R), R = R_b + R_gb", (1e-14, 0.1), _ECHEM + "25dabdc2_68bf_4a38_8cbe_11be017358bc",
    ),
    Quantity(
        "total_resistance_ohm", "Total resistance", "R", "eis",
        "Resistance of the pellet to ions, bulk and grain boundaries together, from the equivalent-circuit fit.",
        "R = R_b + R_gb", _OHM,
    ),
    Quantity(
        "bulk_resistance_ohm", "Bulk resistance", "R_b", "eis",
        "Resistance of the grains, from the equivalent-circuit fit. Given only where the spectrum separates it from "
        "the grain boundaries.",
        "", _OHM,
    ),
    Quantity(
        "grain_boundary_resistance_ohm", "Grain-boundary resistance", "R_gb", "eis",
        "Resistance of the grain boundaries, from the equivalent-circuit fit. Given only where the spectrum separates "
        "it from the bulk.",
        "", _OHM,
    ),
    Quantity(
        "kramers_kronig_residual_fraction", "Kramers–Kronig residual", "KK", "eis",
        "Root mean square distance between the spectrum and its best Kramers–Kronig consistent description, relative "
        "to |Z|. A test of the data (linear, stable, causal), not of the fit.",
        "rms(|Z − Z_KK| / |Z|)", _SHARE,
    ),
    Quantity(
        "electrolyte_resistance_ohm", "Electrolyte resistance", "R_e", "eis",
        "Resistance of the electrolyte pellet in a symmetric or full cell: what lies before the interface arc of the "
        "spectrum, leads included.",
        "", _OHM,
    ),
    Quantity(
        "cell_interfacial_resistance_ohm", "Interfacial resistance of the cell", "R_int,cell", "eis",
        "The fitted interface arc of the whole cell, all interfaces together; the label gives their number. In a full "
        "cell the interfaces differ, so no value per interface exists.",
        "", _OHM,
    ),
    Quantity(
        "interfacial_resistance_ohm", "Interfacial resistance", "R_int", "eis",
        "Resistance of one lithium | electrolyte interface: the fitted interface arc of a symmetric cell divided by "
        "its two interfaces.",
        "R_int = R_int,cell / 2", _OHM,
    ),
    Quantity(
        "interfacial_asr_ohm_cm2", "Area-specific interfacial resistance", "ASR", "eis",
        "Interfacial resistance per interface times the electrode area, which makes cells of different size "
        "comparable.",
        "ASR = R_int · A", _OHM,
    ),
)

_CONDUCTIVITIES = (
    Quantity(
        "activation_energy_eV", "Activation energy", "E_a", "conductivities",
        "Slope of ln(σT) (label sigma_T, the default) or of ln σ (label sigma) against 1/T, from at least 4 distinct "
        "temperatures. The first is larger by about k_B·T (≈ 0.03 eV), so the form is always stated.",
        "σT = A·exp(−E_a / (k_B·T)), or σ = σ₀·exp(−E_a / (k_B·T))", (0.0, 3.0),
        _ECHEM + "d7f8cab9_b035_4ecd_be63_292672572526",
    ),
    Quantity(
        "conductivity_prefactor_S_K_cm", "Conductivity prefactor", "A", "conductivities",
        "Value of σT where the line of ln(σT) against 1/T meets 1/T = 0. Given for the form ln(σT).",
        "A = exp(intercept of ln(σT) against 1/T)", (0.0, 1e12),
    ),
    Quantity(
        "ionic_conductivity_25degC_S_cm", "Ionic conductivity at 25 °C", "σ(25 °C)", "conductivities",
        "Ionic conductivity at 25 °C read from the Arrhenius line, not from one spectrum; flagged when 25 °C lies "
        "outside the measured temperatures.",
        "σ(298.15 K) from the line of ln(σT) against 1/T", (1e-14, 0.1),
        _ECHEM + "25dabdc2_68bf_4a38_8cbe_11be017358bc",
    ),
)

_POLARISATION = (
    Quantity(
        "initial_current_A", "Initial current", "I₀", "polarisation",
        "Current at the beginning of the polarisation, before concentration or interface changes build up; never the "
        "first sample, which charges the double layer.",
        "I₀ = ΔV / (R_e + R₀), or extrapolated to t = 0", (-10.0, 10.0),
    ),
    Quantity(
        "steady_state_current_A", "Steady-state current", "I_s", "polarisation",
        "Current at the end of the polarisation, once it no longer changes.",
        "mean of I over the last tenth of the hold", (-10.0, 10.0),
    ),
    Quantity(
        "polarisation_voltage_V", "Polarisation voltage", "ΔV", "polarisation",
        "Constant voltage held over the cell while the current is recorded.", "", (-10.0, 10.0),
    ),
    Quantity(
        "electronic_conductivity_S_cm", "Electronic conductivity", "σ_e", "polarisation",
        "Conductivity due to electrons: steady-state current through a pellet between blocking electrodes at constant "
        "voltage.",
        "σ_e = I_s·L / (ΔV·A)", (1e-18, 1.0),
    ),
    Quantity(
        "lithium_transference_number", "Lithium transference number", "t_Li⁺", "transference",
        "Share of the current that lithium ions carry, by Bruce, Vincent and Evans: polarisation of a symmetric cell "
        "with impedance before (R₀) and after (R_s). R₀ and R_s are the interface arcs of both electrodes.",
        "t = I_s·(ΔV − I₀·R₀) / [I₀·(ΔV − I_s·R_s)]", (-0.5, 1.5), _EMMO + "d97b27cb_61a4_4568_a38b_4edd4f224acc",
    ),
)

_SYMMETRIC = (
    Quantity(
        "critical_current_density_mA_cm2", "Critical current density", "CCD", "ccd_ramp",
        "Current density of the step in which the cell shorts or polarises away (label hard_short, soft_short, "
        "polarisation). A cell that survives the ramp gives a lower limit, ≥ the last step (label none). Depends on "
        "the time per step.",
        "", (0.0, 100.0),
    ),
    Quantity(
        "last_sound_current_density_mA_cm2", "Last sound current density", "j_sound", "ccd_ramp",
        "Current density of the last ramp step that the cell passed in both directions without short or failure.",
        "", (0.0, 100.0),
    ),
    Quantity(
        "charge_passed_before_short_mAh_cm2", "Charge passed before short", "q_short", "ccd_ramp",
        "Charge per electrode area that passed in both directions, added without sign, until the short or failure.",
        "Σ |j|·Δt", (0.0, 1e5),
    ),
    Quantity(
        "ramp_step_time_h", "Ramp step time", "t_step", "ccd_ramp",
        "Time of one polarity within one step of the current ramp.", "", (0.0, 1000.0),
    ),
    Quantity(
        "ramp_step_mA_cm2", "Ramp step", "Δj", "ccd_ramp",
        "By how much the current density rises from one step of the ramp to the next.", "", (0.0, 100.0),
    ),
    Quantity(
        "overpotential_mV", "Overpotential", "η", "plating_stripping",
        "Half the voltage span between plating and stripping in a stated cycle window (label first_cycle, end, or the "
        "hours asked for).",
        "η = (V_plating − V_stripping) / 2", (0.0, 10_000.0),
    ),
    Quantity(
        "time_to_failure_h", "Time to failure", "t_fail", "plating_stripping",
        "Time from the first row of the recording, rests included, to the short or failure; a lower limit (>) while "
        "the cell is alive or was stopped by choice.",
        "", (0.0, 1e6),
    ),
    Quantity(
        "cycles_to_failure_count", "Cycles to failure", "N_fail", "plating_stripping",
        "Complete plating and stripping cycles before the short or failure; a lower limit (>) while the cell is alive.",
        "", (0.0, 1e7),
    ),
)

_CYCLING = (
    Quantity(
        "discharge_specific_capacity_mAh_g", "Discharge specific capacity", "Q_d", "cycling",
        "Charge delivered in one discharge per gram of active material of the positive electrode (label first, "
        "reference, last = last complete cycle). Cycles count from 1, formation included.",
        "Q_d = ∫ |I| dt / m_active", _CAPACITY, _ECHEM + "884650fd_6cc6_4ec6_8264_c18fbe6b90ee",
    ),
    Quantity(
        "charge_specific_capacity_mAh_g", "Charge specific capacity", "Q_c", "cycling",
        "Charge taken up in one charge per gram of active material of the positive electrode (label first, reference, "
        "last = last complete cycle).",
        "Q_c = ∫ |I| dt / m_active", _CAPACITY,
    ),
    Quantity(
        "discharge_capacity_mAh", "Discharge capacity", "C_d", "cycling",
        "Charge delivered by the cell in one discharge (label first, reference, last = last complete cycle). Always "
        "given, also where the active mass is not known.",
        "C_d = ∫ |I| dt", (0.0, 1e6), _ECHEM + "0141b5c2_9f15_46f4_82e6_92a104faa476",
    ),
    Quantity(
        "capacity_retention_fraction", "Capacity retention", "Q_n / Q_ref", "cycling",
        "Discharge capacity of cycle n relative to the reference cycle, by default the first after formation; both "
        "cycles are stated. Given for 50, 100 and the last complete cycle.",
        "Q(n) / Q(n_ref)", (0.0, 2.0),
    ),
    Quantity(
        "coulombic_efficiency_fraction", "Coulombic efficiency", "CE", "cycling",
        "Discharge capacity over charge capacity of the same cycle (label first, mean, min; mean and min from the "
        "reference cycle on).",
        "CE = Q_d / Q_c", (0.0, 1.2), _ECHEM + "5696453c_9da7_41e2_bbda_603c1b90a8fc",
    ),
    Quantity(
        "energy_efficiency_fraction", "Energy efficiency", "EE", "cycling",
        "Energy delivered on discharge over the energy spent on charge in the same cycle.",
        "EE = ∫ V|I| dt (discharge) / ∫ V|I| dt (charge)", (0.0, 1.2),
    ),
    Quantity(
        "voltage_hysteresis_mV", "Voltage hysteresis", "ΔV_hys", "cycling",
        "Difference between the mean voltages of charge and discharge of the same cycle, each energy over charge.",
        "ΔV_hys = E_c / Q_c − E_d / Q_d", (-1000.0, 10_000.0),
    ),
    Quantity(
        "rate_capacity_mAh_g", "Specific capacity at a C-rate", "Q(C)", "rate_test",
        "Discharge specific capacity of one block of cycles at the same C-rate, which is stated; one value per block.",
        "", _CAPACITY, _ECHEM + "884650fd_6cc6_4ec6_8264_c18fbe6b90ee",
    ),
    Quantity(
        "rate_capacity_mAh", "Capacity at a C-rate", "C(C)", "rate_test",
        "Discharge capacity of one block of cycles at the same C-rate, which is stated; one value per block, also "
        "where the active mass is not known.",
        "", (0.0, 1e6), _ECHEM + "0141b5c2_9f15_46f4_82e6_92a104faa476",
    ),
    Quantity(
        "capacity_recovery_fraction", "Capacity recovery", "Q_back / Q_first", "rate_test",
        "Capacity after the return to the first C-rate relative to the capacity of the first block at that C-rate. "
        "Formation is left out: as stated, else the leading blocks at a rate that does not come back.",
        "Q(last block at the first C-rate) / Q(first block)", (0.0, 1.5),
    ),
)

_MATERIAL = (
    Quantity(
        "phase_match_fraction", "Phase match", "M", "xrd",
        "Share of the reference lines of a phase (label) that are found in the pattern, weighted by their intensity. "
        "A high share alone does not prove the phase; unmatched peaks are listed.",
        "Σ I_ref(found) / Σ I_ref(in range)", _SHARE,
    ),
    Quantity(
        "unmatched_peak_count", "Unmatched peaks", "N_un", "xrd",
        "Number of peaks of the pattern that belong to none of the phases looked for.", "", (0.0, 1000.0),
    ),
    Quantity(
        "crystallite_size_nm", "Crystallite size", "D", "xrd",
        "Size of coherently diffracting domains from the peak width, corrected for the instrument (Scherrer, "
        "K = 0.9); not the grain size seen in a microscope.",
        "D = K·λ / (β·cos θ)", (0.5, 10_000.0),
    ),
    Quantity(
        "film_thickness_nm", "Film thickness", "d", "afm",
        "Thickness of the sputtered film on one face: height of the step on the witness plate or the pellet, mean of "
        "the readings.",
        "", (0.0, 100_000.0),
    ),
    Quantity(
        "sputter_rate_nm_min", "Sputter rate", "r", "sputter_rate",
        "Film thickness per sputter time at stated target, power, pressure and distance, from the thicknesses measured "
        "at that setting.",
        "r = slope of d against t", (0.0, 10_000.0),
    ),
    Quantity(
        "binding_energy_eV", "Binding energy", "BE", "xps",
        "Position of a photoelectron line (label = assignment) after the stated charge reference.",
        "", (0.0, 10_000.0),
    ),
)
# fmt: on

QUANTITIES: dict[str, Quantity] = {
    quantity.slug: quantity
    for family in (_IMPEDANCE, _CONDUCTIVITIES, _POLARISATION, _SYMMETRIC, _CYCLING, _MATERIAL)
    for quantity in family
}


def get(slug: str) -> Quantity:
    """The quantity of a slug. Raises KeyError that names the nearest slugs."""
    try:
        return QUANTITIES[slug]
    except KeyError:
        near = difflib.get_close_matches(slug, QUANTITIES, n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise KeyError(f"'{slug}' is no quantity of lagpdb.{hint} All are in analysis.science.quantities.") from None
