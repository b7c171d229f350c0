"""Film thicknesses as the sputter rate sees them: which belong to a setting, and which settings a change touches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from django.db.models import Q

from lagpdb.records import Record
from samples.models import Coating, Conversion, FilmThickness, Pellet, SputterRun, SputterSetting, WitnessPlate
from samples.models.films import SETTING_FIELDS

COLUMNS = (
    "film", "run", "measured_on", "method", "film_thickness_nm", "film_thickness_uncertainty_nm", "height_count",
    "duration_min", "measured_at", "is_synthetic", "gas", "stage_temperature_degC",
)  # fmt: skip
# A change of one of these moves rates; everything else is talk.
MOVING: dict[type, set[str]] = {
    FilmThickness: {"heights_nm", "film_thickness_nm", "witness_plate", "pellet", "face", "measured_at"},
    SputterRun: {"duration_min", *SETTING_FIELDS, "pellets", "performed_at", "gas", "stage_temperature_degC"},
    WitnessPlate: {"sputter_run"},
    Conversion: {"pellet", "faces", "performed_at", "is_attachment"},
}


def films_of(setting: SputterSetting) -> pd.DataFrame:
    """Thicknesses that were read on films of a setting.

    Returns
    -------
    pandas.DataFrame
        One row per film, columns as in `SputterRate.run`; in the order of codes, not in that of saving.
    """
    live = FilmThickness.objects.live()
    on_plates = live.filter(witness_plate__sputter_run__setting=setting, witness_plate__withdrawn_at__isnull=True)
    rows = [
        (film, film.witness_plate.sputter_run, film.witness_plate.code)
        for film in on_plates.select_related("witness_plate__sputter_run")
    ]
    on_pellets = live.filter(pellet__coatings__sputter_run__setting=setting).select_related("pellet").distinct()
    for film in on_pellets:
        run = run_of_face(film)
        if run is not None and run.setting_id == setting.pk:
            rows.append((film, run, f"{film.pellet.code} side {film.face}"))
    rows = [row for row in rows if not row[1].is_withdrawn and row[1].duration_min]
    rows.sort(key=lambda row: row[0].pk)
    return pd.DataFrame.from_records([_row(*row) for row in rows], columns=list(COLUMNS))


def run_of_face(film: FilmThickness) -> SputterRun | None:
    """The run whose film was read on a pellet's face; None where several layers, or lithium, were there before."""
    layers = Coating.objects.filter(pellet=film.pellet_id, face=film.face, sputter_run__withdrawn_at__isnull=True)
    if film.measured_at is not None:
        is_there = Q(sputter_run__performed_at__isnull=True) | Q(sputter_run__performed_at__lte=film.measured_at)
        layers = layers.filter(is_there)
    found = list(layers.select_related("sputter_run", "conversion")[:2])
    if len(found) != 1:
        return None
    lithium = found[0].conversion
    if lithium is not None and not lithium.is_withdrawn:
        moments = (lithium.performed_at, film.measured_at)
        if None in moments or moments[0] <= moments[1]:
            return None
    return found[0].sputter_run


def _row(film: FilmThickness, run: SputterRun, measured_on: str) -> dict[str, Any]:
    return {
        "film": film.code,
        "run": run.code,
        "measured_on": measured_on,
        "method": film.get_method_display(),
        "film_thickness_nm": film.film_thickness_nm,
        "film_thickness_uncertainty_nm": film.film_thickness_uncertainty_nm,
        "height_count": len(film.heights_nm),
        "duration_min": run.duration_min,
        "measured_at": film.measured_at.isoformat() if film.measured_at else None,
        "is_synthetic": film.is_synthetic,
        "gas": run.gas,
        "stage_temperature_degC": run.stage_temperature_degC,
    }


def settings_touched(record: Record, changes: dict[str, Any]) -> list[SputterSetting]:
    """Settings whose rate a change of a record may move, those that it has just left included."""
    runs: Any = SputterRun.objects.none()
    if isinstance(record, FilmThickness):
        plates = WitnessPlate.objects.filter(_now_or_before(record, changes, "witness_plate"))
        pellets = Pellet.objects.filter(_now_or_before(record, changes, "pellet"))
        runs = SputterRun.objects.filter(Q(witness_plates__in=plates) | Q(coatings__pellet__in=pellets))
    elif isinstance(record, WitnessPlate):
        runs = SputterRun.objects.filter(_now_or_before(record, changes, "sputter_run"))
    elif isinstance(record, SputterRun):
        return _ordered(SputterSetting.objects.filter(Q(runs=record) | Q(**_before(record, changes))))
    elif isinstance(record, Conversion):
        pellets = Pellet.objects.filter(_now_or_before(record, changes, "pellet"), film_thicknesses__isnull=False)
        runs = SputterRun.objects.filter(coatings__pellet__in=pellets)
    return _ordered(SputterSetting.objects.filter(runs__in=runs))


def _before(run: SputterRun, changes: dict[str, Any]) -> dict[str, Any]:
    """The four values of a run as they were before it was changed."""
    stood = {name: changes[name][0] if name in changes else getattr(run, name) for name in SETTING_FIELDS}
    return {"target__code": str(stood.pop("target"))} | stood


def _now_or_before(record: Record, changes: dict[str, Any], field: str) -> Q:
    return Q(pk=getattr(record, f"{field}_id")) | Q(code__in=[code for code in changes.get(field, ()) if code])


def _ordered(settings: Iterable[SputterSetting]) -> list[SputterSetting]:
    """Each once, in the order in which they are locked."""
    return sorted(set(settings), key=lambda setting: setting.pk)
