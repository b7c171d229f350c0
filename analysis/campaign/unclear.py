"""What the study leaves open, in sentences, each with the numbers that it touches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unclear:
    """A sentence, and the reported numbers that it speaks of."""

    sentence: str
    records: tuple[str, ...] = ()


def _of(sentence: str, *records: str) -> Unclear:
    return Unclear(sentence, records)


UNCLEAR = (
    _of("Conversion: 230 °C in the methods, 200 °C in the introduction. The reference set has 230 °C.", "S09", "S10"),
    _of("Lifetime of the converted cell: more than 700 h in abstract and results, more than 600 h in the conclusion.",
        "D07", "D08"),
    _of("Rate test of the converted cell: four capacities (146.7, 138.1, 127.5, 112.4 mAh g⁻¹) for five rates. They "
        "are read as those of 0.2 to 1 C here.", "F06"),
    _of("Rate test of the pristine cell: more capacity at 0.2 C (113.3 mAh g⁻¹) than in the first cycle at 0.1 C "
        "(109.3).", "F04", "F08"),
    _of("Thickness: coated pellets have 850 and 900 µm, bare ones about 800 µm, and the film has 50 nm. The pellet "
        "coated on one face is the thickest.", "P05", "P06", "P07", "S07"),
    _of("Interfacial resistance: 2250 Ω is called that of one interface. 330 Ω is likely that of both, 170 Ω that of "
        "one; the text is silent, also about the 350 Ω after 300 h.", "I01", "I02", "I03", "I04"),
    _of("Overpotentials and resistances do not fit each other: with σ and the lithium area, 170 Ω per interface gives "
        "54 mV at 0.1 mA cm⁻² (46 are reported), 2250 Ω gives 0.39 V (0.3).", "I02", "I03", "D03", "D05"),
    _of("Critical current density: called the current of the short circuit, described as a sudden polarisation. "
        "0.6 mA cm⁻² is also the end of the ramp, so it may be a lower limit.", "D02"),
    _of("The pristine cell is cycled for 110 h at 0.1 mA cm⁻², which is its critical current density; and at 1 C, "
        "0.43 mA cm⁻², the pristine full cell shows no short.", "D01", "D04", "F08"),
    _of("Conductivity: 24 % more with a film of 50 nm, which cannot change a pellet. Whether 25 °C was measured or "
        "read off the line is not said.", "T01", "T03"),
    _of("Activation energy: the form of the fit (σ or σT, 0.03 eV apart) is not stated, and the number of CuS@LAGP is "
        "plotted alone. The reference set takes 0.37 eV for it.", "T02", "T04"),
    _of("Transference numbers: without uncertainties 0.96 and 0.98 cannot be told apart, and 0.98 is given for "
        "CuS@LAGP, though lithium has converted the film in such a cell. How I₀ was read is not said.", "T05", "T06"),
    _of("Retention: counted from the cycle after three activation cycles for one cell, apparently from the first for "
        "the other. Whether the efficiency counts the first cycles is not said.", "F02", "F05", "F03"),
    _of("Figures 8c and 8d: text and captions name the cells the other way round. The caption of Figure 9 names "
        "symmetric cells for LFP electrodes of full cells.", "F10", "Q09"),
    _of("All-solid-state in the abstract, but the main full cells hold 7 µL of liquid electrolyte.", "C07"),
    _of("Full cells without liquid: which part of the spectrum has 8100 and 1085 Ω, and what it was before cycling, is "
        "not said.", "F12", "F13"),
    _of("The symmetric cells were opened after 50 cycles, 100 h: ten hours before the pristine one fails.",
        "Q01", "Q02", "D04", "Q08"),
    _of("Photoelectron lines: the pair of Li₂S lies 1.4 eV apart, where 1.2 is expected, Cu 2p does not tell Cu⁰ from "
        "Cu⁺, and the charge reference is not given.", "Q04", "Q06"),
    _of("Diffraction: the pellet is matched to a card without aluminium, and the film was identified on silicon.",
        "X01", "X02"),
    _of("Not stated: diameter of the pellet, area used for σ (of the pellet or of the silver), form of the fit of E_a, "
        "step of the current ramp, sputter times other than 10 min, equivalent circuit, number of cells behind each "
        "value, any uncertainty.", "T01", "T02", "T03", "D01", "D02", "S06"),
    _of("No raw data were published."),
)  # fmt: skip
