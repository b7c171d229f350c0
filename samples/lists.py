"""Lists of powder lots, pellets, cells and sputter runs."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Exists, F, FloatField, OuterRef, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from lagpdb.lists import Column, Filter, RecordList
from lagpdb.mainvalues import newest
from lagpdb.records import normal_code
from samples.api import Cells, Pellets, PowderLots, SputterRuns
from samples.forms import notation_of
from samples.models import Cell, Coating, Pellet, PowderLot, SputterRun
from samples.models.lots import faces_of
from samples.serializers import estimated_thickness


def _coated(queryset: QuerySet, is_coated: bool) -> QuerySet:
    films = Exists(Coating.objects.filter(pellet=OuterRef("pk"), sputter_run__withdrawn_at__isnull=True))
    return queryset.filter(films if is_coated else ~films)


def code_contains(queryset: QuerySet, text: str) -> QuerySet:
    """Part of a code in any spelling."""
    return queryset.filter(Q(code__icontains=text.strip()) | Q(code=normal_code(text)))


CODE = Filter("code__contains", "Code", apply=code_contains)


class LotList(RecordList):
    """Powder lots with their stock."""

    template = "samples/lot_list.html"
    title, api = "Powder lots", "powder-lots"
    collection, can_label = PowderLots, True
    empty, no_match = "No lots. Receive one.", "No lot matches."
    new_url, new_words = "lot_new", "Receive a lot"
    columns = (
        Column("Code", "code", "id"),
        Column("Material", "material", "material__code"),
        Column("Supplier", "supplier"),
        Column("Supplier’s lot", "supplier_lot"),
        Column("Received", "received_on"),
        Column("Received (g)", "amount_g", is_number=True),
        Column("Left (g)", is_number=True),
        Column("Pellets", is_number=True),
    )
    filters = (
        CODE,
        Filter("material", "Material", "code", "material__code"),
        Filter("supplier__contains", "Supplier", lookup="supplier__icontains"),
        Filter("supplier_lot__contains", "Supplier’s lot", lookup="supplier_lot__icontains"),
    )

    def queryset(self) -> QuerySet:
        return PowderLot.objects.live().select_related("material")

    def decorate(self, rows: list[Any]) -> None:
        """Stock and number of pellets, in one query."""
        used = {
            row["batch__powder_lot"]: row
            for row in Pellet.objects.live()
            .filter(batch__powder_lot__in=rows)
            .values("batch__powder_lot")
            .annotate(n=Count("pk"), mg=Coalesce(Sum("batch__powder_mass_mg"), Value(0.0), output_field=FloatField()))
            .order_by()
        }
        for lot in rows:
            row = used.get(lot.pk, {"n": 0, "mg": 0.0})
            lot.pellet_count = row["n"]
            lot.left = None if lot.amount_g is None else lot.amount_g - row["mg"] / 1000


class PelletList(RecordList):
    """Pellets with geometry, place in the work, and newest conductivity."""

    template = "samples/pellet_list.html"
    title, api = "Pellets", "pellets"
    collection, can_label = Pellets, True
    empty, no_match = "No pellets. Press a batch.", "No pellet matches."
    new_url, new_words = "batch_new", "New pellets"
    columns = (
        Column("Code", "code", "id"),
        Column("Notation"),
        Column("State", "state"),
        Column("Thickness (µm)", "thickness_um", is_number=True),
        Column("Relative density", "relative_density_fraction", "density_order", is_number=True),
        Column("Batch", "batch", "batch_id"),
        Column("Lot", "powder_lot", "batch__powder_lot_id"),
        Column("Cell"),
        Column("Newest σ", is_number=True),
    )
    filters = (
        CODE,
        Filter("state", "State", "choice", choices=tuple(Pellet.State.choices)),
        Filter("is_coated", "Coated", "flag", apply=_coated),
        Filter("batch", "Batch", "code", "batch__code"),
        Filter("powder_lot", "Lot", "code", "batch__powder_lot__code"),
        Filter("sputter_run", "Sputter run", "code", apply=lambda rows, code: rows.filter(
            Exists(Coating.objects.filter(pellet=OuterRef("pk"), sputter_run__code=code)))),
        Filter("thickness_um__gte", "Thickness from", "number"),
        Filter("thickness_um__lte", "Thickness to", "number"),
    )  # fmt: skip

    def queryset(self) -> QuerySet:
        volume = F("diameter_mm") * F("diameter_mm") * F("thickness_um")
        return (
            Pellet.objects.live()
            .select_related("batch__powder_lot__material")
            .annotate(density_order=F("mass_mg") / volume / F("batch__powder_lot__material__theoretical_density_g_cm3"))
        )

    def decorate(self, rows: list[Any]) -> None:
        """Faces, live cell and newest conductivity: three queries."""
        keys = [pellet.pk for pellet in rows]
        faces = faces_of(keys)
        cells = {
            cell.pellet_id: cell
            for cell in Cell.objects.live()
            .filter(pellet_id__in=keys)
            .exclude(state=Cell.State.DISMANTLED)
            .order_by("pk")
            .only("code", "pellet_id", "state")
        }
        conductivities = newest("ionic_conductivity_S_cm", "pellet", keys)
        for pellet in rows:
            own = faces[pellet.pk]
            pellet.shown_notation = notation_of(pellet, faces)
            pellet.has_film, pellet.has_one_film = bool(own), len(own) == 1
            pellet.cell_now = cells.get(pellet.pk)
            pellet.conductivity = conductivities.get(pellet.pk)


class CellList(RecordList):
    """Cells with what they gave."""

    template = "samples/cell_list.html"
    title, api = "Cells", "cells"
    collection, can_label = Cells, True
    empty, no_match = "No cells. Build one on a pellet.", "No cell matches."
    new_url, new_words = "cell_new", "Build a cell"
    columns = (
        Column("Code", "code", "id"),
        Column("Notation", "notation"),
        Column("Configuration", "configuration"),
        Column("State", "state"),
        Column("Area (cm²)", "electrode_diameter_mm", is_number=True),
        Column("Pellet", "pellet", "pellet_id"),
        Column("Newest σ", is_number=True),
        Column("Eₐ", is_number=True),
        Column("Assembled", "assembled_at"),
    )
    filters = (
        CODE,
        Filter("configuration", "Configuration", "choice", choices=tuple(Cell.Configuration.choices)),
        Filter("state", "State", "choice", choices=tuple(Cell.State.choices)),
        Filter("is_coated", "Coated", "flag"),
        Filter("pellet", "Pellet", "code", "pellet__code"),
        Filter("batch", "Batch", "code", "pellet__batch__code"),
        Filter("powder_lot", "Lot", "code", "pellet__batch__powder_lot__code"),
    )

    def queryset(self) -> QuerySet:
        return Cell.objects.live().select_related("pellet")

    def decorate(self, rows: list[Any]) -> None:
        """Newest conductivity and activation energy, and the faces for the disc."""
        keys = [cell.pk for cell in rows]
        conductivities = newest("ionic_conductivity_S_cm", "cell", keys)
        energies = newest("activation_energy_eV", "cell", keys, label="sigma_T")
        for cell in rows:
            cell.is_half = cell.is_coated and cell.notation.count("@") == 1
            cell.conductivity, cell.energy = conductivities.get(cell.pk), energies.get(cell.pk)


class SputterRunList(RecordList):
    """Sputter runs with the thickness that their setting lets expect."""

    template = "samples/sputter_run_list.html"
    title, api = "Sputter runs", "sputter-runs"
    collection, can_label = SputterRuns, True
    empty, no_match = "No sputter runs yet.", "No sputter run matches."
    new_url, new_words = "sputter_run_new", "New sputter run"
    columns = (
        Column("Code", "code", "id"),
        Column("Target", "target", "target__code"),
        Column("Time (min)", "duration_min", is_number=True),
        Column("Power (W)", "power_W", is_number=True),
        Column("Pressure (Pa)", "pressure_Pa", is_number=True),
        Column("Faces coated", is_number=True),
        Column("Thickness per side (nm)", "estimated_thickness_nm", "estimate", is_number=True),
        Column("Performed", "performed_at"),
    )
    filters = (CODE, Filter("target", "Target", "code", "target__code"))

    def queryset(self) -> QuerySet:
        runs = SputterRun.objects.live().select_related("target")
        return runs.annotate(face_count=Count("coatings"), estimate=estimated_thickness(""))
