"""Filters through the genealogy: what a number, a measurement, a cell or a pellet was made from.

Declared once: a *station* is a kind of record, reached from a collection by a path or through rows beside it. Each
station gives its code (``batch``) and all its columns (``batch__sinter_temperature_degC``). Coatings may be many: they
and conversions are searched in a subquery, so that no row appears twice and two conditions speak of the same step. A
further kind of step is one more line in `step_stations`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

from django.db.models import BooleanField, Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from lagpdb.columns import columns_of
from lagpdb.filters import Filter, Relation, of_columns
from samples.models import Cell, Coating, Conversion
from samples.serializers import (
    CellSerializer,
    ConversionSerializer,
    ElectrodeLotSerializer,
    PelletBatchSerializer,
    PelletSerializer,
    PowderLotSerializer,
    SputterRunSerializer,
)

_FAR = Value(dt.datetime(9999, 1, 1, tzinfo=dt.UTC))

OF_PELLET = {
    "pellet": (PelletSerializer, ""),
    "batch": (PelletBatchSerializer, "batch__"),
    "powder_lot": (PowderLotSerializer, "batch__powder_lot__"),
}
OF_CELL = {
    "cell": (CellSerializer, ""),
    "electrode_lot": (ElectrodeLotSerializer, "electrode_lot__"),
}


def pellet_stations(prefix: str = "", relation: Relation | None = None) -> dict[str, Filter]:
    """The pellet, its batch and its powder."""
    found: dict[str, Filter] = {}
    for station, (serializer, path) in OF_PELLET.items():
        found |= of_columns(columns_of(serializer), station, prefix + path, relation)
    return found


def cell_stations(prefix: str = "", relation: Relation | None = None) -> dict[str, Filter]:
    """The cell and its electrode; `configuration` without the station's name, as people say it."""
    found: dict[str, Filter] = {}
    for station, (serializer, path) in OF_CELL.items():
        found |= of_columns(columns_of(serializer), station, prefix + path, relation)
    return found | {"configuration": replace(found["cell__configuration"], name="configuration")}


def step_stations(pellet: Combinable, built_at: Combinable | None = None) -> dict[str, Filter]:
    """What was done to the pellet; with `built_at` only what was done before the cell was built.

    `pellet` and `built_at` are ``OuterRef`` expressions of the collection.
    """

    def done(rows: QuerySet, prefix: str = "") -> QuerySet:
        rows = rows.filter(pellet_id=pellet, **{f"{prefix}withdrawn_at__isnull": True})
        if built_at is None:
            return rows
        before = Q(**{f"{prefix}performed_at__lte": Coalesce(built_at, _FAR)})
        return rows.filter(before | Q(**{f"{prefix}performed_at__isnull": True}))

    # How each kind of step is reached from its rows, and which rows those are.
    steps: dict[str, tuple[type, str, Callable[[], QuerySet]]] = {
        "sputter_run": (SputterRunSerializer, "sputter_run__", lambda: done(Coating.objects.all(), "sputter_run__")),
        "conversion": (ConversionSerializer, "", lambda: done(Conversion.objects.all())),
    }
    found: dict[str, Filter] = {}
    for station, (serializer, path, rows) in steps.items():
        found |= of_columns(columns_of(serializer), station, path, Relation(rows))
    return found


def as_built(prefix: str = "") -> Filter:
    """`is_coated` of what was measured: the cell as it was built, else the bare pellet."""

    def expression(_: str) -> Combinable:
        bare = Exists(
            Coating.objects.filter(pellet=OuterRef(f"{prefix}pellet"), sputter_run__withdrawn_at__isnull=True)
        )
        in_cell = When(**{f"{prefix}cell__isnull": False}, then=F(f"{prefix}cell__is_coated"))
        # Neither, of what speaks of no pellet: a witness plate, a setting of the sputter tool.
        of_none = When(**{f"{prefix}pellet__isnull": True}, then=Value(None))
        return Case(in_cell, of_none, default=bare, output_field=BooleanField())

    return Filter("is_coated", "flag", expression=expression, help="The cell as built, else the pellet: with a film.")


# -- where they are mounted here ---------------------------------------------------------------------------------------
def of_pellets() -> dict[str, Filter]:
    """On pellets: the cells that it is or was in are searched beside it."""
    in_cells = Relation(lambda: Cell.objects.live().filter(pellet=OuterRef("pk")))
    subject = Filter(
        "subject",
        "code",
        path="code",
        match=lambda codes: Q(code__in=codes) | Q(pk__in=Cell.objects.filter(code__in=codes).values("pellet")),
        help="Code of the pellet, or of a cell on it.",
    )
    return pellet_stations() | cell_stations(relation=in_cells) | step_stations(OuterRef("pk")) | {"subject": subject}


def of_cells() -> dict[str, Filter]:
    """On cells: the pellet as it was when the cell was built."""
    subject = Filter(
        "subject",
        "code",
        path="code",
        match=lambda codes: Q(code__in=codes) | Q(pellet__code__in=codes),
        help="Code of the cell, or of its pellet.",
    )
    steps = step_stations(OuterRef("pellet_id"), OuterRef("assembled_at"))
    return pellet_stations("pellet__") | cell_stations() | steps | {"subject": subject}
