"""Electrode lots and cells."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from lagpdb.records import Record, positive, save_record
from samples.models.lots import Material, Pellet, faces_of
from samples.models.recipes import Recipe
from samples.notation import cell_notation

LIVE_STATES = ("built", "resting", "on_test")
LOT_IFF_FULL = "A full cell needs an electrode lot; blocking and symmetric cells have none."


def disc_area_cm2(diameter_mm: float) -> float:
    """Area of a disc [cm²] from its diameter [mm]."""
    return math.pi * (diameter_mm / 20) ** 2


class ElectrodeLot(Record):
    """One coated sheet of electrode, from which discs are cut."""

    PREFIX = "ELD"

    material = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="electrode_lots")
    active_fraction = models.FloatField(null=True, blank=True, help_text="Share of active material in the dry coat.")
    recipe = models.ForeignKey(Recipe, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    loading_mg_cm2 = models.FloatField(null=True, blank=True, help_text="Mass of active material per area.")
    loading_uncertainty_mg_cm2 = models.FloatField(null=True, blank=True, help_text="Standard uncertainty.")
    diameter_mm = models.FloatField(null=True, blank=True, help_text="Diameter of the cut discs.")
    drying_temperature_degC = models.FloatField(null=True, blank=True, help_text="Temperature of the vacuum oven.")
    drying_time_h = models.FloatField(null=True, blank=True, help_text="Time in the vacuum oven.")
    coated_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            *positive("electrodelot", "loading_mg_cm2", "diameter_mm", "drying_time_h"),
            *positive("electrodelot", "loading_uncertainty_mg_cm2", zero=True),
            models.CheckConstraint(
                name="electrodelot_active_fraction_is_share",
                condition=Q(active_fraction__isnull=True) | Q(active_fraction__gt=0, active_fraction__lte=1),
                violation_error_message="The active fraction is a share: above 0, at most 1 (0.8 for 8:1:1).",
            ),
        )

    def dependents(self) -> Iterable[models.QuerySet]:
        return (self.cells.all(),)


class Cell(Record):
    """A cell built on one pellet."""

    PREFIX = "CEL"

    class Configuration(models.TextChoices):
        BLOCKING = "blocking"
        SYMMETRIC = "symmetric"
        FULL = "full"

    class State(models.TextChoices):
        BUILT = "built"
        RESTING = "resting"
        ON_TEST = "on_test", "on test"
        FINISHED = "finished"
        FAILED = "failed"
        DISMANTLED = "dismantled"

    pellet = models.ForeignKey(Pellet, on_delete=models.PROTECT, related_name="cells")
    configuration = models.CharField(max_length=10, choices=Configuration)
    electrode_material = models.ForeignKey(
        Material,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Left empty: Ag for blocking cells, Li for symmetric and full cells.",
    )
    electrode_diameter_mm = models.FloatField(
        null=True, blank=True, help_text="Diameter of the smaller electrode: it sets the area."
    )
    electrode_diameter_uncertainty_mm = models.FloatField(null=True, blank=True, help_text="Standard uncertainty.")
    electrode_lot = models.ForeignKey(
        ElectrodeLot, null=True, blank=True, on_delete=models.PROTECT, related_name="cells"
    )
    facing = models.CharField(
        max_length=1,
        choices=[("A", "A"), ("B", "B")],
        default="A",
        help_text="Face of the pellet that touches the left (lithium) electrode.",
    )
    recipe = models.ForeignKey(Recipe, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    liquid_uL = models.FloatField(null=True, blank=True, help_text="Liquid electrolyte added; 0 or empty for none.")
    liquid_name = models.CharField(max_length=120, blank=True, default="", help_text="e.g. 1 M LiPF₆ in EC/DEC.")
    case = models.CharField(max_length=40, blank=True, default="", help_text="Housing, e.g. CR2032.")
    stack_pressure_MPa = models.FloatField(null=True, blank=True)
    rest_time_h = models.FloatField(null=True, blank=True, help_text="Rest before the first test.")
    rest_started_at = models.DateTimeField(null=True, blank=True, help_text="When the rest began.")
    assembled_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    state = models.CharField(max_length=10, choices=State, default=State.BUILT)
    notation = models.CharField(max_length=120, editable=False, default="", help_text="As built; generated.")
    is_coated = models.BooleanField(editable=False, default=False, help_text="As built: a face carried a film.")

    class Meta:
        ordering = ("-id",)
        constraints = (
            *positive("cell", "electrode_diameter_mm"),
            *positive("cell", "electrode_diameter_uncertainty_mm", "liquid_uL", "stack_pressure_MPa", zero=True),
            *positive("cell", "rest_time_h", zero=True),
            models.CheckConstraint(
                name="cell_electrode_lot_iff_full",
                condition=Q(configuration="full", electrode_lot__isnull=False)
                | (~Q(configuration="full") & Q(electrode_lot__isnull=True)),
                violation_error_message=LOT_IFF_FULL,
            ),
            models.UniqueConstraint(
                fields=["pellet"],
                condition=Q(state__in=LIVE_STATES, withdrawn_at__isnull=True),
                name="cell_one_live_per_pellet",
                violation_error_message="This pellet is in a live cell. Finish or dismantle that cell first.",
            ),
        )

    def prepare(self) -> None:
        self.derive()
        if self.state == self.State.RESTING:
            self.start_rest(self.assembled_at)

    def start_rest(self, at: dt.datetime | None = None) -> None:
        """Start the clock of the rest, unless it runs already."""
        self.rest_started_at = self.rest_started_at or at or timezone.now()

    def derive(self) -> None:
        """Freeze notation and coating; of a cell that exists already, with the steps that were recorded before it."""
        faces = faces_of([self.pellet_id], before=self.created_at if self.pk else None)[self.pellet_id]
        left, right = self.electrodes
        self.notation = cell_notation(left, right, self.pellet.batch.powder_lot.material.code, faces, self.facing)
        self.is_coated = bool(faces)
        self.is_synthetic = self.is_synthetic or self.pellet.is_synthetic

    def clean(self) -> None:
        if self.pellet_id is None:
            return
        face_mm, electrode_mm = self.pellet.diameter_mm, self.electrode_diameter_mm
        if face_mm and electrode_mm and electrode_mm > face_mm * (1 + 1e-9):
            raise ValidationError(
                {
                    "electrode_diameter_mm": f"The electrode (Ø {electrode_mm:g} mm) is larger than the face of "
                    f"{self.pellet.code} (Ø {face_mm:g} mm). Check both diameters."
                }
            )
        disc_mm = self.electrode_lot.diameter_mm if self.electrode_lot else None
        if face_mm and disc_mm and disc_mm > face_mm * (1 + 1e-9):
            raise ValidationError(
                {
                    "electrode_lot": f"The disc of {self.electrode_lot.code} (Ø {disc_mm:g} mm) is larger than the "
                    f"face of {self.pellet.code} (Ø {face_mm:g} mm). Check both diameters."
                }
            )
        self._refuse_second_live_cell()

    def _refuse_second_live_cell(self) -> None:
        if self.state not in LIVE_STATES:
            return
        other = self.pellet.live_cell
        if other is not None and other.pk != self.pk:
            raise ValidationError({"pellet": other.holds_its_pellet})

    def settle(self, *, by: Any, changes: dict[str, list[Any]]) -> None:
        """The pellet follows its cell: in it while it lives, recovered when it is taken apart."""
        pellet = Pellet.objects.get(pk=self.pellet_id)
        before = pellet.state
        if self.is_withdrawn:
            if before == Pellet.State.IN_CELL and pellet.live_cell is None:
                pellet.state = Pellet.State.AVAILABLE
        elif self.state in LIVE_STATES:
            pellet.state = Pellet.State.IN_CELL
        elif self.state == self.State.DISMANTLED and before == Pellet.State.IN_CELL:
            pellet.state = Pellet.State.RECOVERED
        if pellet.state != before:
            save_record(pellet, by=by, reason=f"{self.code} is {self.get_state_display().lower()}")

    def dependents(self) -> Iterable[models.QuerySet]:
        return (self.measurements.all(),)

    @property
    def holds_its_pellet(self) -> str:
        """Why its pellet can be taken for nothing else while the cell is live."""
        state = self.get_state_display().lower()
        return f"{self.pellet.code} is in {self.code}, {state}. Finish or dismantle that cell first."

    @property
    def rest_ends_at(self) -> dt.datetime | None:
        """When the rest is over; None while it was not started."""
        if self.rest_started_at is None or self.rest_time_h is None:
            return None
        return self.rest_started_at + dt.timedelta(hours=self.rest_time_h)

    @property
    def electrodes(self) -> tuple[str, str]:
        """Codes of the left and the right electrode."""
        default = "Ag" if self.configuration == self.Configuration.BLOCKING else "Li"
        left = self.electrode_material.code if self.electrode_material else default
        right = self.electrode_lot.material.code if self.electrode_lot else left
        return left, right

    @property
    def electrode_area_cm2(self) -> float | None:
        """Area of the electrode disc."""
        return disc_area_cm2(self.electrode_diameter_mm) if self.electrode_diameter_mm else None

    @property
    def active_mass_mg(self) -> float | None:
        """Active material in the cell: loading times the area of the lot's disc, else of the electrode."""
        lot = self.electrode_lot
        if lot is None or lot.loading_mg_cm2 is None:
            return None
        area = disc_area_cm2(lot.diameter_mm) if lot.diameter_mm else self.electrode_area_cm2
        return None if area is None else lot.loading_mg_cm2 * area


def derive_again(cells: models.QuerySet) -> None:
    """A step record was corrected: what its cells are called, and what counts as coated, follows."""
    rows = cells.select_related("pellet__batch__powder_lot__material", "electrode_lot__material", "electrode_material")
    for cell in rows.distinct():
        cell.derive()
        Cell.objects.filter(pk=cell.pk).update(notation=cell.notation, is_coated=cell.is_coated)
