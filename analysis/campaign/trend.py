"""How the interface depends on the sputter time in the reference set. SYNTHETIC: the study gives the optimum alone.

The study reports the resistance of the pristine cell (I02), that of 10 min (I01), and that the latter is the lowest of
the times it tried; times and resistances of the others stand in a figure of its supplement. Assumed here, for both
interfaces together and t minutes of CuS on each face:

* resistance R(t) = a + b·exp(−t/τ) + c·t: contact that the film makes, and lithium sulfide that grows with it. τ is
  chosen as 2 min; a, b and c follow from R(0), from R(10 min), and from the lowest value being there;
* critical current density: grows with the conductance 1/R, from the reported one of the pristine cell (D01) to that of
  10 min (D02), and is rounded to a step of the ramp;
* thickness of the film: 50 nm over 10 min, the same rate at all times; read on witness plates, five steps each, with a
  scatter of 3 nm.
"""

from __future__ import annotations

import math

import numpy as np

from analysis.campaign.plan import SEED
from analysis.campaign.reported import number, numbers

SPUTTER_TIMES_MIN = (2.0, 5.0, 10.0, 15.0, 20.0)
CONTACT_MIN = 2.0
HEIGHT_SPREAD_NM, HEIGHT_READINGS = 3.0, 5


def interfaces_ohm(minutes: float) -> float:
    """Resistance of both interfaces together. [Ω]

    Parameters
    ----------
    minutes : float
        Sputter time of each face. [min]
    """
    best, bare, lowest = number("S06"), 2.0 * number("I02"), number("I01")
    decay = math.exp(-best / CONTACT_MIN)
    # R'(best) = 0 gives c; R(0) = a + b and R(best) give b and a.
    contact = (bare - lowest) / (1.0 - decay * (1.0 + best / CONTACT_MIN))
    growth = contact / CONTACT_MIN * decay
    return bare - contact + contact * math.exp(-minutes / CONTACT_MIN) + growth * minutes


def critical_mA_cm2(minutes: float) -> float:
    """Critical current density, on a step of the ramp. [mA cm⁻²]"""
    bare, best = 1.0 / interfaces_ohm(0.0), 1.0 / interfaces_ohm(number("S06"))
    share = (1.0 / interfaces_ohm(minutes) - bare) / (best - bare)
    step = numbers("M04")[0]
    return step * round((number("D01") + share * (number("D02") - number("D01"))) / step)


def heights_nm(minutes: float) -> list[float]:
    """Steps that are read on the witness plate of a run, to 0.1 nm."""
    rng = np.random.default_rng([SEED, round(10 * minutes), HEIGHT_READINGS])
    heights = rng.normal(number("S08") * minutes, HEIGHT_SPREAD_NM, HEIGHT_READINGS)
    return [round(float(height), 1) for height in heights]
