"""Sentences that forms and pages work out from a sample: stock, area, currents to key into the cycler."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone

from lagpdb import units
from lagpdb.models import CodeCounter
from lagpdb.records import normal_code
from samples.models import Cell, PowderLot

DENSITIES_mA_cm2 = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
ROOM_degC = 25.0
C_RATES = (0.1, 0.2, 0.3, 0.5, 1.0)


def stock_words(lot: PowderLot, powder_mg: float | None = None) -> str:
    """'38.2 g left, enough for 76 pellets of 500 mg.'"""
    left = lot.left_g
    if left is None:
        return "The amount received is not entered, so the stock is not known."
    if left < 0:
        return f"{units.format_value(-left, unit='g')} more was used than received. Check the amount of {lot.code}."
    powder = powder_mg or 500.0
    count = int(left * 1000 / powder + 1e-9)
    return f"{units.format_value(left, unit='g')} left, enough for {count} pellets of {powder:g} mg."


def stock_question(lot: PowderLot, count: int, powder_mg: float | None) -> str:
    """The sentence when the lot does not hold enough, else ''."""
    left = lot.left_g
    need = count * (powder_mg or 0.0) / 1000
    if left is None or need <= left + 1e-9:
        return ""
    return f"{lot.code} has {max(left, 0):.1f} g left, {count} pellets need {need:.1f} g."


def furnace_words(
    start: dt.datetime | None, temperature_degC: float | None, time_h: float | None, ramp_degC_min: float | None
) -> str:
    """'Hold ends about 21:25 at 5 °C min⁻¹.': heating from room temperature, then the hold; '' while one is missing."""
    if not time_h or (ramp_degC_min and not temperature_degC):
        return ""
    ramp_h = max(0.0, (temperature_degC or 0) - ROOM_degC) / ramp_degC_min / 60 if ramp_degC_min else 0.0
    rate = f" at {units.exact_value(ramp_degC_min, 'degC_min')}" if ramp_degC_min else ", without the ramp"
    if start is None:
        total = round((ramp_h + time_h) * 60)
        return f"The hold ends {total // 60} h {total % 60} min after the start{rate}."
    ends = timezone.localtime(start + dt.timedelta(hours=ramp_h + time_h))
    day = "" if ends.date() == timezone.localdate() else f" on {ends:%-d %b}"
    return f"Hold {'ended' if ends < timezone.now() else 'ends'} about {ends:%H:%M}{day}{rate}."


def next_codes(prefix: str, count: int) -> list[str]:
    """Codes that `count` records would get now; reserved only when they are saved."""
    last = CodeCounter.objects.filter(prefix=prefix).values_list("last_number", flat=True).first() or 0
    return [normal_code(f"{prefix}-{last + step}") for step in range(1, count + 1)]


def current_text(current_mA: float) -> str:
    """A current as it is keyed in: in µA below 1 mA."""
    return (
        units.format_value(current_mA * 1000, unit="uA")
        if current_mA < 1
        else units.format_value(current_mA, unit="mA")
    )


def densities(area_cm2: float | None) -> list[tuple[str, str]]:
    """Current densities and the currents they mean for this area."""
    if not area_cm2:
        return []
    return [(f"{density:g} mA cm⁻²", current_text(density * area_cm2)) for density in DENSITIES_mA_cm2]


def capacity_mAh(cell: Cell) -> float | None:
    """Theoretical capacity of a full cell; None while loading or material constant is missing."""
    lot = cell.electrode_lot
    if lot is None or cell.active_mass_mg is None or lot.material.theoretical_capacity_mAh_g is None:
        return None
    return cell.active_mass_mg * lot.material.theoretical_capacity_mAh_g / 1000


def rates(cell: Cell) -> list[tuple[str, str]]:
    """C-rates and the currents they mean for this cell."""
    capacity = capacity_mAh(cell)
    return [] if capacity is None else [(f"{rate:g} C", current_text(rate * capacity)) for rate in C_RATES]


def cell_sentences(cell: Cell) -> list[str]:
    """Area and the two currents that people need first."""
    area = cell.electrode_area_cm2
    if area is None:
        return ["No electrode diameter, so no area: σ and current densities stay open until it is entered."]
    sentences = [f"Area {units.format_value(area, unit='cm2')}.", f"0.1 mA cm⁻² = {current_text(0.1 * area)}."]
    if cell.configuration == Cell.Configuration.FULL and cell.electrode_lot is not None:
        capacity = capacity_mAh(cell)
        sentences.append(
            f"0.1 C = {current_text(0.1 * capacity)}."
            if capacity is not None
            else f"{cell.electrode_lot.code} has no loading, so capacities stay in mAh."
        )
    return sentences


def rest_words(started_at: dt.datetime | None, rest_time_h: float | None) -> str:
    """'Rest ends 08:40.', with the day when it is another one; '' where there is no rest."""
    if started_at is None or not rest_time_h:
        return ""
    ends = timezone.localtime(started_at + dt.timedelta(hours=rest_time_h))
    day = "" if ends.date() == timezone.localdate() else f"{ends:%-d %b}, "
    return f"Rest ends {day}{ends:%H:%M}."


def facing_question(cell: Cell, faces: dict[str, str]) -> tuple[str, str, str] | None:
    """What is worth a second look about the faces: (code, sentence, words of the button), or None."""
    if len(faces) != 1 or cell.configuration == Cell.Configuration.BLOCKING:
        return None
    (face,) = faces
    left, right = cell.electrodes
    if cell.configuration == Cell.Configuration.FULL:
        if face == cell.facing:
            return None
        return "turned", f"The coated side faces {right}. Turn it?", "Build it like this"
    other = "B" if face == "A" else "A"
    material = cell.pellet.batch.powder_lot.material.code
    return (
        "one_side",
        f"Only side {face} is coated; side {other} will be {material}|{left}. Build anyway?",
        "Build anyway",
    )


def change_sentence(recipe: Any) -> str:
    """Which recipe fills the grey values."""
    return f"recipe {recipe.name} v{recipe.number}" if recipe is not None else "no recipe, blank form"
