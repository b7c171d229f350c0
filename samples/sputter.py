"""What a sputter run means before it is saved: witness plate, expected thickness, what lies on its pellets."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.utils import timezone

from lagpdb import units
from lagpdb.mainvalues import rates_in_force
from lagpdb.records import save_record
from samples.models import Coating, Material, Pellet, SputterRun, WitnessPlate
from samples.models.lots import faces_of

NO_RATE = "No measured rate. Sputter a Si plate, measure the step, add it here."
# How a setting is told from another, with the unit that people say.
DIFFERS = (("power_W", "W"), ("pressure_Pa", "Pa"), ("target_distance_cm", "cm"))


def keep_witness(run: SputterRun, wanted: bool, *, by: Any, reason: str = "") -> WitnessPlate | None:
    """A run with a witness plate has one; where it exists already, it stays as it is.

    Raises
    ------
    ValidationError
        The run has one and none is wanted: a record is not taken away in passing.
    """
    plate = run.witness_plates.live().first()
    if plate is None and wanted:
        return save_record(WitnessPlate(sputter_run=run), by=by, reason=reason)
    if plate is not None and not wanted:
        raise ValidationError({"witness": f"{run.code} has the witness plate {plate.code}. Withdraw that record."})
    return plate


# -- thickness ---------------------------------------------------------------------------------------------------------
def thickness_words(target: Material | None, setting: dict[str, float | None], duration_min: float | None) -> str:
    """'≈ 50 nm per side (5.0 ± 0.2 nm min⁻¹, 4 AFM steps, newest 62 days old)', or why none is estimated.

    Parameters
    ----------
    target : Material or None
    setting : dict
        power_W, pressure_Pa, target_distance_cm; None where not entered.
    duration_min : float or None

    Returns
    -------
    str
        '' while target or setting are incomplete.
    """
    if target is None or any(setting.get(name) is None for name, _ in DIFFERS):
        return ""
    known = rates_in_force().filter(sputter_setting__target=target, value__isnull=False)
    rates = list(known.select_related("sputter_setting", "run"))
    rate = next((each for each in rates if _distance(each.sputter_setting, setting) < 1e-9), None)
    if rate is None:
        return _no_rate(target, setting, [each.sputter_setting for each in rates])
    if not duration_min:
        return f"{units.format_value(rate.value, rate.uncertainty, unit='nm_min')} ({rate_words(rate)})"
    rate_text = units.format_value(rate.value, rate.uncertainty, unit="nm_min")
    thickness = _rounded(rate.value * duration_min, rate.uncertainty and rate.uncertainty * duration_min)
    return f"≈ {thickness} per side ({rate_text}, {rate_words(rate)})"


def _distance(setting: Any, wanted: dict[str, Any]) -> float:
    return sum(abs(math.log(getattr(setting, name) / wanted[name])) if wanted[name] else 99.0 for name, _ in DIFFERS)


def _no_rate(target: Material, wanted: dict[str, Any], settings: list[Any]) -> str:
    if not settings:
        return f"No measured rate of {target.code}. No thickness is estimated."
    nearest = min(settings, key=lambda setting: (_distance(setting, wanted), setting.pk))
    differing = [(name, unit) for name, unit in DIFFERS if not math.isclose(getattr(nearest, name), wanted[name])]
    here = ", ".join(f"{wanted[name]:g} {unit}" for name, unit in differing)
    there = ", ".join(f"{getattr(nearest, name):g} {unit}" for name, unit in differing)
    return f"No measured rate at {here}. Nearest is {there}. No thickness is estimated."


def _rounded(value_nm: float, uncertainty_nm: float | None) -> str:
    """As exact as its uncertainty allows, which stands beside the rate."""
    if not uncertainty_nm:
        return units.exact_value(float(f"{value_nm:.2g}"), "nm")
    # Three digits say enough of an estimate.
    text = units.format_value(value_nm, max(uncertainty_nm, 0.006 * abs(value_nm)), unit="nm")
    return re.sub(r"\s±\s[^\s)]+", "", text).replace("(", "").replace(")", "")


def rate_words(rate: Any) -> str:
    """'4 AFM steps, newest 62 days old': what a rate was made from."""
    films = (rate.run.inputs.get("films") or {}).get("value") or []
    count = sum(int(film.get("height_count") or 1) for film in films)
    methods = {film.get("method") for film in films}
    noun = "AFM step" if methods == {"AFM step"} else "step"
    words = f"{count} {noun}{'' if count == 1 else 's'}"
    age = age_words((rate.run.inputs.get("newest_at") or {}).get("value"))
    return f"{words}, newest {age}" if age else words


def age_words(moment: str | None) -> str:
    """'62 days old', 'of today'."""
    if not moment:
        return ""
    days = (timezone.now() - dt.datetime.fromisoformat(moment)).days
    return "of today" if days < 1 else f"{days} day{'' if days == 1 else 's'} old"


def target_words(target: Material | None) -> str:
    """'CuS target: 2.5 h sputtered in 14 runs.'"""
    if target is None:
        return ""
    runs = SputterRun.objects.live().filter(target=target)
    minutes = runs.aggregate(total=Sum("duration_min"))["total"]
    if not minutes:
        return f"{target.code} target: not used yet."
    count = runs.count()
    return f"{target.code} target: {minutes / 60:.1f} h sputtered in {count} run{'' if count == 1 else 's'}."


# -- pellets -----------------------------------------------------------------------------------------------------------
def layer_question(pellet: Pellet, faces: str, own: SputterRun | None = None) -> tuple[str, SputterRun] | None:
    """What to ask before a second layer is laid on a pellet, and the run that laid the first; None when there is none.

    Parameters
    ----------
    pellet : Pellet
    faces : str
        Faces to be coated: 'A', 'B' or 'AB'.
    own : SputterRun, optional
        The run that is corrected: its own layers are no question.
    """
    layers = Coating.objects.filter(pellet=pellet, face__in=list(faces), sputter_run__withdrawn_at__isnull=True)
    if own is not None and own.pk:
        layers = layers.exclude(sputter_run=own)
    found = list(layers.select_related("sputter_run").order_by("-layer_number", "face"))
    if not found:
        return None
    top = found[0].sputter_run
    films = faces_of([pellet.pk])[pellet.pk]
    covered = sorted({layer.face for layer in found})
    sides = f"side {covered[0]}" if len(covered) == 1 else "sides A and B"
    names = " and ".join(dict.fromkeys(films[face] for face in covered))
    since = timezone.localtime(top.performed_at or top.created_at)
    sentence = f"{pellet.code} has {names} on {sides} since {since:%-d %b}. Add a second layer, or correct that record?"
    return sentence, top
