"""Curation pages of samples, and of the recipes and constants behind them."""

from __future__ import annotations

from django.contrib import admin

from lagpdb.curation import ReadOnlyAdmin, RecordAdmin, TrashFilter
from samples.models import (
    Cell,
    Coating,
    Conversion,
    ElectrodeLot,
    FilmThickness,
    Material,
    Pellet,
    PelletBatch,
    PowderLot,
    Recipe,
    SputterRun,
    SputterSetting,
    WitnessPlate,
)


@admin.register(Material)
class MaterialAdmin(RecordAdmin):
    """Substances and the constants that computations need."""

    list_display = ("code", "name", "formula", "theoretical_density_g_cm3", "theoretical_capacity_mAh_g")
    search_fields = ("code", "name", "formula")


@admin.register(PowderLot)
class PowderLotAdmin(RecordAdmin):
    """Deliveries of powder."""

    list_display = ("code", "material", "supplier", "supplier_lot", "amount_g", "received_on")
    list_filter = (TrashFilter, "is_synthetic", "material")
    list_select_related = ("material",)
    search_fields = ("code", "supplier", "supplier_lot", "material__code", "notes")


@admin.register(PelletBatch)
class PelletBatchAdmin(RecordAdmin):
    """Pellets pressed and sintered together."""

    list_display = ("code", "powder_lot", "powder_mass_mg", "sinter_temperature_degC", "sinter_time_h", "pressed_at")
    list_select_related = ("powder_lot",)
    search_fields = ("code", "powder_lot__code", "notes")


@admin.register(Pellet)
class PelletAdmin(RecordAdmin):
    """Pellets, each with its code for life."""

    list_display = ("code", "batch", "state", "thickness_um", "diameter_mm", "mass_mg", "created_at")
    list_filter = (TrashFilter, "is_synthetic", "state")
    list_select_related = ("batch",)
    search_fields = ("code", "batch__code", "batch__powder_lot__code", "notes")


@admin.register(SputterRun)
class SputterRunAdmin(RecordAdmin):
    """Runs of the sputter tool."""

    list_display = ("code", "target", "duration_min", "power_W", "pressure_Pa", "performed_at")
    list_filter = (TrashFilter, "is_synthetic", "target")
    list_select_related = ("target",)
    search_fields = ("code", "target__code", "notes")
    derived_fields = ("setting",)


@admin.register(SputterSetting)
class SputterSettingAdmin(ReadOnlyAdmin):
    """Settings that share one sputter rate; they are made by the first run with them."""

    list_display = ("code", "target", "power_W", "pressure_Pa", "target_distance_cm")
    list_filter = ("target",)
    list_select_related = ("target",)
    search_fields = ("code",)


@admin.register(WitnessPlate)
class WitnessPlateAdmin(RecordAdmin):
    """Plates coated beside the pellets of a run."""

    list_display = ("code", "sputter_run", "substrate", "created_at")
    list_select_related = ("sputter_run",)
    search_fields = ("code", "sputter_run__code", "substrate", "notes")


@admin.register(FilmThickness)
class FilmThicknessAdmin(RecordAdmin):
    """Step heights of films; the mean and its uncertainty follow from them."""

    list_display = ("code", "witness_plate", "pellet", "face", "film_thickness_nm", "method", "measured_at")
    list_filter = (TrashFilter, "is_synthetic", "method")
    list_select_related = ("witness_plate", "pellet")
    search_fields = ("code", "witness_plate__code", "pellet__code", "notes")
    derived_fields = ("film_thickness_nm", "film_thickness_uncertainty_nm")


@admin.register(Conversion)
class ConversionAdmin(RecordAdmin):
    """Films that met molten lithium."""

    list_display = ("code", "pellet", "faces", "temperature_degC", "duration_min", "is_attachment", "performed_at")
    list_filter = (TrashFilter, "is_synthetic", "is_attachment")
    list_select_related = ("pellet",)
    search_fields = ("code", "pellet__code", "notes")


@admin.register(Coating)
class CoatingAdmin(ReadOnlyAdmin):
    """Layers on faces of pellets; they are written with their sputter run."""

    list_display = ("sputter_run", "pellet", "face", "layer_number", "conversion")
    list_filter = ("face",)
    list_select_related = ("sputter_run", "pellet", "conversion")
    search_fields = ("sputter_run__code", "pellet__code")


@admin.register(ElectrodeLot)
class ElectrodeLotAdmin(RecordAdmin):
    """Sheets of electrode."""

    list_display = ("code", "material", "active_fraction", "loading_mg_cm2", "diameter_mm")
    list_filter = (TrashFilter, "is_synthetic", "material")
    list_select_related = ("material",)
    search_fields = ("code", "material__code", "notes")


@admin.register(Cell)
class CellAdmin(RecordAdmin):
    """Cells; notation and coating are frozen when a cell is built."""

    list_display = ("code", "notation", "configuration", "state", "pellet", "is_coated", "assembled_at")
    list_filter = (TrashFilter, "is_synthetic", "configuration", "state", "is_coated")
    list_select_related = ("pellet",)
    search_fields = ("code", "notation", "pellet__code", "electrode_lot__code", "notes")
    derived_fields = ("notation", "is_coated")


@admin.register(Recipe)
class RecipeAdmin(RecordAdmin):
    """Defaults and limits of forms; changing one never changes a record."""

    list_display = ("code", "kind", "number", "name")
    list_filter = (TrashFilter, "kind")
    search_fields = ("code", "name")
