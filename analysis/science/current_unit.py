"""Whether the currents of a test can be what its file says: µA that pass for mA are a thousand times too large."""

from __future__ import annotations

import math

from analysis.science.active_mass import ActiveMass
from analysis.science.base import Outcome, Parameters
from lagpdb.units import format_value

USUAL_MA_CM2 = 0.1  # of solid-state cells; what people measure lies within a hundred times of it, both ways
USUAL_C_RATE = 0.1
FAR = 200.0
FAR_CHARGE = 10.0  # times what the active material can hold
_SMALLER = {"A": "mA", "mA": "µA", "µA": "nA"}
_LARGER = {"mA": "A", "µA": "mA", "nA": "µA"}


def doubt_current_density(current_mA: float, area_cm2: float | None, parameters: Parameters, outcome: Outcome) -> None:
    """Say when the usual current of a cell is far from what such cells carry; changes nothing.

    Parameters
    ----------
    current_mA : float
        Magnitude that is usual in the recording.
    area_cm2 : float or None
        Without it nothing is said.
    parameters : mapping
        ``file_current_unit``: what the file gives as the unit of its current, where it gives one.
    outcome : Outcome
        Receives the sentence, code ``unit_doubt``.
    """
    if area_cm2:
        ratio = current_mA / area_cm2 / USUAL_MA_CM2
        if ratio > 0.0 and not 1.0 / FAR < ratio < FAR:
            _say(ratio, f"{USUAL_MA_CM2:g} mA cm⁻²", parameters, outcome)


def doubt_c_rate(
    current_mA: float, charge_mAh: float, mass: ActiveMass, area_cm2: float | None, parameters: Parameters,
    outcome: Outcome,
) -> None:  # fmt: skip
    """The same for a full cell, whose active mass tells the current; without a mass its area does.

    Parameters
    ----------
    charge_mAh : float
        The largest charge of a half-cycle by integration: a fast test has a large current, but never a charge beyond
        what the material holds, and a dead cell little charge, but not a small current too.
    """
    rate = mass.c_rate(current_mA)
    if rate is None or mass.one_c_mA is None:
        doubt_current_density(current_mA, area_cm2, parameters, outcome)
        return
    ratio, filling = rate / USUAL_C_RATE, charge_mAh / mass.one_c_mA
    if (ratio >= FAR and filling >= FAR_CHARGE) or (ratio <= 1.0 / FAR and filling <= 1.0 / FAR_CHARGE):
        _say(ratio, f"{USUAL_C_RATE:g} C", parameters, outcome)


def _say(ratio: float, usual: str, parameters: Parameters, outcome: Outcome) -> None:
    is_large = ratio > 1.0
    size = ratio if is_large else 1.0 / ratio
    stated = str(parameters.get("file_current_unit") or "").replace("u", "µ").replace("μ", "µ")
    other = (_SMALLER if is_large else _LARGER).get(stated)
    is_thousand = round(math.log10(size) / 3.0) == 1
    times = format_value(1000.0 if is_thousand else float(f"{size:.1e}"), None, "=", "count")
    question = (
        f"Is the column in {other}? Then correct the unit in the header, and upload that."
        if other and is_thousand
        else "Check the unit of the current column, and whether the file belongs to this cell."
    )
    how = "larger" if is_large else "smaller"
    outcome.warn("unit_doubt", f"Currents are about {times} times {how} than expected for {usual}. {question}")
