"""Materials, powder lots, pellet batches and pellets."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from lagpdb.records import Record, positive
from samples.models.recipes import Recipe
from samples.notation import pellet_notation


class Material(Record):
    """A substance with the constants that computations need."""

    IS_RETIRED = True  # what was made of it keeps its meaning

    name = models.CharField(max_length=120, help_text="What people call it.")
    formula = models.CharField(max_length=120, blank=True, default="", help_text="Chemical formula, e.g. LiFePO₄.")
    theoretical_density_g_cm3 = models.FloatField(
        null=True, blank=True, help_text="Density of the pore-free crystal; the relative density of pellets needs it."
    )
    theoretical_capacity_mAh_g = models.FloatField(
        null=True, blank=True, help_text="Capacity per gram of active material; 1 C is this number in mA per gram."
    )
    conversion_product = models.CharField(
        max_length=60, blank=True, default="", help_text="What a film of it becomes with lithium, e.g. Li₂S/Cu for CuS."
    )
    source = models.CharField(max_length=200, blank=True, default="", help_text="Where the constants come from (DOI).")

    class Meta:
        ordering = ("code",)
        constraints = (*positive("material", "theoretical_density_g_cm3", "theoretical_capacity_mAh_g"),)

    @property
    def product_with_lithium(self) -> str:
        """Name of its film after conversion; said in general where the product is not entered."""
        return self.conversion_product or f"Li+{self.code}"


class PowderLot(Record):
    """One delivery of powder."""

    PREFIX = "LOT"

    material = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="powder_lots")
    supplier = models.CharField(max_length=120, blank=True, default="")
    supplier_lot = models.CharField(max_length=80, blank=True, default="", help_text="Lot number on the container.")
    received_on = models.DateField(null=True, blank=True)
    amount_g = models.FloatField(null=True, blank=True, help_text="Powder received.")

    class Meta:
        ordering = ("-id",)
        constraints = (*positive("powderlot", "amount_g", zero=True),)

    def dependents(self) -> Iterable[models.QuerySet]:
        return (self.batches.all(),)

    @property
    def used_g(self) -> float:
        """Powder weighed out for pellets that are not withdrawn."""
        pressed = Pellet.objects.live().filter(batch__powder_lot=self, batch__powder_mass_mg__isnull=False)
        return (pressed.aggregate(total=models.Sum("batch__powder_mass_mg"))["total"] or 0.0) / 1000

    @property
    def left_g(self) -> float | None:
        """Powder that should still be in the container."""
        return None if self.amount_g is None else self.amount_g - self.used_g


class PelletBatch(Record):
    """Pellets pressed and sintered together."""

    PREFIX = "PBT"

    powder_lot = models.ForeignKey(PowderLot, on_delete=models.PROTECT, related_name="batches")
    recipe = models.ForeignKey(Recipe, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    powder_mass_mg = models.FloatField(null=True, blank=True, help_text="Powder weighed out for one pellet.")
    die_diameter_mm = models.FloatField(null=True, blank=True, help_text="Inner diameter of the die.")
    press_pressure_MPa = models.FloatField(null=True, blank=True, help_text="Uniaxial pressure in the die.")
    sinter_temperature_degC = models.FloatField(null=True, blank=True, help_text="Temperature of the hold.")
    sinter_time_h = models.FloatField(null=True, blank=True, help_text="Length of the hold.")
    sinter_ramp_degC_min = models.FloatField(null=True, blank=True, help_text="Heating and cooling rate.")
    sinter_started_at = models.DateTimeField(null=True, blank=True, help_text="When the furnace was started.")
    grits = models.JSONField(blank=True, default=list, help_text="Mesh numbers in the order of grinding.")
    storage = models.CharField(max_length=120, blank=True, default="", help_text="Where the pellets are kept.")
    pressed_at = models.DateTimeField(null=True, blank=True, default=timezone.now)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "pellet batches"
        constraints = (
            *positive(
                "pelletbatch",
                "powder_mass_mg",
                "press_pressure_MPa",
                "sinter_time_h",
                "die_diameter_mm",
                "sinter_ramp_degC_min",
            ),
        )

    def prepare(self) -> None:
        # What is made from synthetic powder was not made in a lab either.
        self.is_synthetic = self.is_synthetic or self.powder_lot.is_synthetic

    def dependents(self) -> Iterable[models.QuerySet]:
        return (self.pellets.all(),)

    def clean(self) -> None:
        if not (isinstance(self.grits, list) and all(isinstance(mesh, int) and mesh > 0 for mesh in self.grits)):
            raise ValidationError({"grits": "Grits are mesh numbers in order, such as [400, 800, 1500]."})


class Pellet(Record):
    """One pellet; it keeps its code for life, whatever is done to it."""

    PREFIX = "PEL"

    class State(models.TextChoices):
        AVAILABLE = "available"
        IN_CELL = "in_cell", "in cell"
        RECOVERED = "recovered"
        CONSUMED = "consumed"
        BROKEN = "broken"

    batch = models.ForeignKey(PelletBatch, on_delete=models.PROTECT, related_name="pellets")
    thickness_um = models.FloatField(null=True, blank=True, help_text="Mean of the readings after grinding.")
    thickness_uncertainty_um = models.FloatField(
        null=True, blank=True, help_text="Standard uncertainty; from the spread when several readings are given."
    )
    thickness_readings_um = models.JSONField(blank=True, default=list, help_text="Each reading of the caliper.")
    diameter_mm = models.FloatField(null=True, blank=True, help_text="Diameter of the sintered face.")
    mass_mg = models.FloatField(null=True, blank=True, help_text="Mass after grinding.")
    state = models.CharField(max_length=10, choices=State, default=State.AVAILABLE)

    class Meta:
        ordering = ("-id",)
        constraints = (
            *positive("pellet", "thickness_um", "diameter_mm", "mass_mg"),
            *positive("pellet", "thickness_uncertainty_um", zero=True),
            models.CheckConstraint(
                name="pellet_state_is_known",
                condition=Q(state__in=["available", "in_cell", "recovered", "consumed", "broken"]),
                violation_error_message="A pellet is available, in_cell, recovered, consumed or broken.",
            ),
        )

    def prepare(self) -> None:
        self.is_synthetic = self.is_synthetic or self.batch.is_synthetic

    def clean(self) -> None:
        density = self.relative_density_fraction
        if density is not None and density > 1.10:
            raise ValidationError(
                f"Mass, diameter and thickness give a relative density of {density:.0%}. More than 110 % is "
                "impossible: check the three readings and their units."
            )

    def dependents(self) -> Iterable[models.QuerySet]:
        return (self.cells.all(), self.measurements.all(), self.film_thicknesses.all(), self.conversions.all())

    @property
    def faces(self) -> dict[str, str]:
        """What lies on each treated face: ``{"A": "CuS"}``."""
        return faces_of([self.pk])[self.pk]

    @property
    def notation(self) -> str:
        """Generated name of the pellet with its films, e.g. ``CuS@LAGP@CuS``."""
        return pellet_notation(self.batch.powder_lot.material.code, self.faces)

    @property
    def is_coated(self) -> bool:
        """Whether any face carries a film, as sputtered or converted."""
        return bool(self.faces)

    @property
    def density_g_cm3(self) -> float | None:
        """Mass over the volume of the disc."""
        if not (self.mass_mg and self.diameter_mm and self.thickness_um):
            return None
        volume_cm3 = math.pi * (self.diameter_mm / 20) ** 2 * self.thickness_um * 1e-4
        return self.mass_mg * 1e-3 / volume_cm3

    @property
    def relative_density_fraction(self) -> float | None:
        """Geometric density over the theoretical density of the material."""
        theoretical = self.batch.powder_lot.material.theoretical_density_g_cm3
        return self.density_g_cm3 / theoretical if self.density_g_cm3 and theoretical else None

    @property
    def live_cell(self) -> Any:
        """The cell that it is in now, if any."""
        return self.cells.live().filter(state__in=["built", "resting", "on_test"]).first()


def faces_of(pellet_ids: Iterable[int], before: dt.datetime | None = None) -> dict[int, dict[str, str]]:
    """The outermost film on each treated face of many pellets, in one query; with `before`, as recorded until then.

    A layer that lithium has reached is named for what it became.
    """
    from samples.models.films import Coating

    ids = list(pellet_ids)
    faces: dict[int, dict[str, str]] = {pk: {} for pk in ids}
    layers = Coating.objects.filter(pellet_id__in=ids, sputter_run__withdrawn_at__isnull=True)
    if before is not None:
        layers = layers.filter(sputter_run__created_at__lt=before)
    columns = ("pellet_id", "face", "sputter_run__target__code", "sputter_run__target__conversion_product")
    reached = ("conversion_id", "conversion__withdrawn_at", "conversion__created_at")
    for pellet_id, face, target, product, conversion, withdrawn_at, created_at in layers.order_by(
        "layer_number"
    ).values_list(*columns, *reached):
        is_converted = conversion and withdrawn_at is None and (before is None or created_at < before)
        faces[pellet_id][face] = (product or f"Li+{target}") if is_converted else target
    return faces


def add_pellets(batch: PelletBatch, count: int, *, by: Any) -> list[Pellet]:
    """Make `count` pellets of a batch, each with its own code."""
    from lagpdb.records import save_record

    if not 0 <= count <= 50:
        raise ValidationError({"count": "A batch has 1 to 50 pellets."})
    return [save_record(Pellet(batch=batch), by=by) for _ in range(count)]
