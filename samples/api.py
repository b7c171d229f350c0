"""The API of what was made."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema

from lagpdb.filters import Filter
from lagpdb.records import Record, save_record
from lagpdb.resources import Records
from samples.coat import coat
from samples.genealogy import of_cells, of_pellets
from samples.models.lots import add_pellets
from samples.serializers import (
    CellSerializer,
    ConversionSerializer,
    ElectrodeLotSerializer,
    FilmThicknessSerializer,
    MaterialSerializer,
    PelletBatchMadeSerializer,
    PelletBatchSerializer,
    PelletSerializer,
    PowderLotSerializer,
    RecipeSerializer,
    SputterRunSerializer,
    WitnessPlateSerializer,
)
from samples.sputter import keep_witness


class Materials(Records):
    """Substances; LAGP, CuS, LFP, Li and Ag are shipped."""

    serializer_class = MaterialSerializer


class Recipes(Records):
    """Defaults and limits of forms, versioned."""

    serializer_class = RecipeSerializer


class PowderLots(Records):
    """Deliveries of powder."""

    serializer_class = PowderLotSerializer


class PelletBatches(Records):
    """Pellets pressed and sintered together."""

    serializer_class = PelletBatchSerializer

    @extend_schema(responses={201: PelletBatchMadeSerializer})
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a batch and, with `count`, its pellets."""
        response = super().create(request, *args, **kwargs)
        response.data["pellets"] = [pellet.code for pellet in self.pellets]
        return response

    def make(self, values: dict[str, Any], reason: str) -> Record:
        """The batch and its pellets."""
        count = values.pop("count", 0)
        batch = super().make(values, reason)
        self.pellets = add_pellets(batch, count, by=self.request.user)
        return batch

    def change(self, record: Any, values: dict[str, Any], reason: str, version: int | None) -> None:
        """`count` on PATCH adds that many."""
        count = values.pop("count", 0)
        super().change(record, values, reason, version)
        add_pellets(record, count, by=self.request.user)


class Pellets(Records):
    """Pellets."""

    serializer_class = PelletSerializer

    @classmethod
    def extra_filters(cls) -> dict[str, Filter]:
        """Through the genealogy."""
        return of_pellets()


class SputterRuns(Records):
    """Runs of the sputter tool."""

    serializer_class = SputterRunSerializer

    def make(self, values: dict[str, Any], reason: str) -> Record:
        """The run, what it coated, and with `witness` the plate beside."""
        pellets, witness = values.pop("pellets", []), values.pop("witness", False)
        run = super().make(values, reason)
        self._coat(run, pellets, reason, is_new=True)
        keep_witness(run, witness, by=self.request.user)
        return run

    def change(self, record: Any, values: dict[str, Any], reason: str, version: int | None) -> None:
        """`pellets`, where given, is the whole list."""
        pellets, witness = values.pop("pellets", None), values.pop("witness", None)
        for name, value in values.items():
            setattr(record, name, value)
        save_record(record, by=self.request.user, reason=reason, version=version)
        if pellets is not None:
            self._coat(record, pellets, reason)
        if witness is not None:
            keep_witness(record, witness, by=self.request.user, reason=reason)

    def _coat(self, run: Any, pellets: list[dict[str, Any]], reason: str, is_new: bool = False) -> None:
        wanted = [(each["pellet"], each["faces"]) for each in pellets]
        coat(run, wanted, by=self.request.user, reason=reason, is_new=is_new)


class WitnessPlates(Records):
    """Plates coated beside the pellets."""

    serializer_class = WitnessPlateSerializer


class FilmThicknesses(Records):
    """Step heights of films."""

    serializer_class = FilmThicknessSerializer


class Conversions(Records):
    """Films that met molten lithium."""

    serializer_class = ConversionSerializer


class ElectrodeLots(Records):
    """Sheets of electrode."""

    serializer_class = ElectrodeLotSerializer


class Cells(Records):
    """Cells."""

    serializer_class = CellSerializer

    @classmethod
    def extra_filters(cls) -> dict[str, Filter]:
        """Through the genealogy."""
        return of_cells()


COLLECTIONS = {
    "materials": Materials,
    "recipes": Recipes,
    "powder-lots": PowderLots,
    "pellet-batches": PelletBatches,
    "pellets": Pellets,
    "sputter-runs": SputterRuns,
    "witness-plates": WitnessPlates,
    "film-thicknesses": FilmThicknesses,
    "conversions": Conversions,
    "electrode-lots": ElectrodeLots,
    "cells": Cells,
}
