"""Values of other samples that say something about a pellet: shown beside its own, never counted among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analysis.models import Result
from lagpdb import units
from lagpdb.mainvalues import FIRST, ROOM_degC
from samples.models import FilmThickness, Pellet

MOST_ROWS = 8
_READ_AT_MOST = 400


@dataclass(frozen=True)
class Value:
    """One value of a relative: `sample` is the pellet or plate, `source` what it was read from."""

    quantity: str
    text: str
    label: str
    sample: Any
    source: Any
    temperature_degC: float | None = None
    flag: str = "ok"
    acceptance: str = "accepted"


def of_siblings(pellet: Pellet) -> tuple[list[Value], int]:
    """The newest value, nearest 25 °C, of each quantity of each other pellet of the batch; how many more there are.

    One query.
    """
    rows = (
        Result.objects.current()
        .filter(pellet__batch=pellet.batch_id, value__isnull=False, quantity__in=FIRST)
        .exclude(pellet=pellet)
        .exclude(acceptance=Result.Acceptance.REJECTED)
        .select_related("pellet", "cell", "measurement")
        .order_by("-pk")[:_READ_AT_MOST]
    )
    best: dict[tuple[str, str, int], Result] = {}
    for row in rows:
        key = (row.quantity, row.label, row.pellet_id or 0)
        if key not in best or _distance(row) < _distance(best[key]):
            best[key] = row
    chosen = sorted(best.values(), key=lambda row: (FIRST.index(row.quantity), row.position, row.label, row.pellet_id))
    return [_value(row, row.pellet) for row in chosen[:MOST_ROWS]], max(len(chosen) - MOST_ROWS, 0)


def of_witnesses(pellet: Pellet) -> list[Value]:
    """Film thicknesses and numbers of the witness plates of the runs that coated a pellet: two queries."""
    coated = {
        "witness_plate__sputter_run__coatings__pellet": pellet,
        "witness_plate__sputter_run__withdrawn_at__isnull": True,
        "witness_plate__withdrawn_at__isnull": True,
    }
    films = FilmThickness.objects.live().filter(**coated).select_related("witness_plate__sputter_run__target")
    found = [
        Value(
            "film_thickness_nm",
            units.format_named("film_thickness_nm", film.film_thickness_nm, film.film_thickness_uncertainty_nm),
            film.get_method_display(),
            film.witness_plate,
            film,
        )
        for film in films.distinct().order_by("pk")
    ]
    measured = {f"measurement__{path}": value for path, value in coated.items()}
    rows = Result.objects.current().filter(**measured, value__isnull=False, quantity__in=FIRST)
    rows = rows.exclude(acceptance=Result.Acceptance.REJECTED).select_related(
        "measurement__witness_plate__sputter_run__target", "pellet", "cell"
    )
    found += [_value(row, row.measurement.witness_plate) for row in rows.distinct().order_by("pk") if row.measurement]
    return found


def _value(row: Result, sample: Any) -> Value:
    text = units.format_named(row.quantity, row.value, row.uncertainty, row.limit)
    source = row.measurement or row.cell
    return Value(row.quantity, text, row.label, sample, source, row.temperature_degC, row.flag, row.acceptance)


def _distance(row: Result) -> float:
    return 99.0 if row.temperature_degC is None else abs(row.temperature_degC - ROOM_degC)
