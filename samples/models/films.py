"""Films on pellets: sputter runs, the layers they leave, their thickness, and the conversion with lithium."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from lagpdb.records import Record, positive
from samples.models.cells import Cell, derive_again
from samples.models.lots import Material, Pellet
from samples.models.recipes import Recipe

FACES = [("A", "A"), ("B", "B")]
FACE_SETS = [("A", "A"), ("B", "B"), ("AB", "A and B")]
SETTING_FIELDS = ("target", "power_W", "pressure_Pa", "target_distance_cm")


class SputterSetting(models.Model):
    """What decides how fast a film grows: the same for all runs that may be compared."""

    target = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="sputter_settings")
    power_W = models.FloatField()
    pressure_Pa = models.FloatField()
    target_distance_cm = models.FloatField()
    code = models.CharField(max_length=120, unique=True, editable=False, help_text="Generated from the four values.")

    class Meta:
        ordering = ("target__code", "power_W")
        constraints = (
            *positive("sputtersetting", "power_W", "pressure_Pa", "target_distance_cm"),
            models.UniqueConstraint(
                fields=SETTING_FIELDS,
                name="sputtersetting_once",
                violation_error_message="This setting exists already.",
            ),
        )

    def __str__(self) -> str:
        return self.code

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Name it by its values: ``CuS 80 W 1 Pa 5 cm``."""
        values = f"{self.power_W:.10g} W {self.pressure_Pa:.10g} Pa {self.target_distance_cm:.10g} cm"
        self.code = f"{self.target.code} {values}"
        super().save(*args, **kwargs)


class SputterRun(Record):
    """One run of the sputter tool over one or several pellets."""

    PREFIX = "SPT"

    target = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="sputter_runs")
    recipe = models.ForeignKey(Recipe, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # Derived when the run is saved; empty while one of the four values is missing.
    setting = models.ForeignKey(
        SputterSetting, null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="runs"
    )
    power_W = models.FloatField(null=True, blank=True)
    pressure_Pa = models.FloatField(null=True, blank=True, help_text="Working pressure.")
    gas = models.CharField(max_length=40, blank=True, default="Ar", help_text="Working gas.")
    base_pressure_Pa = models.FloatField(null=True, blank=True, help_text="Pressure reached before the gas came in.")
    base_pressure_limit = models.CharField(
        max_length=2, default="=", choices=[(sign, sign) for sign in ("=", "<", ">", "<=", ">=")]
    )
    target_distance_cm = models.FloatField(null=True, blank=True)
    duration_min = models.FloatField(null=True, blank=True, help_text="Sputter time.")
    stage_temperature_degC = models.FloatField(null=True, blank=True, help_text="Left empty: the stage was not heated.")
    performed_at = models.DateTimeField(null=True, blank=True, default=timezone.now)

    class Meta:
        ordering = ("-id",)
        constraints = (
            *positive("sputterrun", "power_W", "pressure_Pa", "base_pressure_Pa", "target_distance_cm", "duration_min"),
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Written together with its setting; a form that is only looked through makes none."""
        if kwargs.get("update_fields") is None:
            self.derive()
        super().save(*args, **kwargs)

    def derive(self) -> None:
        """Find the setting, making it when it is the first run with it."""
        values = {name: getattr(self, name) for name in SETTING_FIELDS}
        known = all(value is not None for value in values.values())
        self.setting = SputterSetting.objects.get_or_create(**values)[0] if known else None

    def dependents(self) -> Iterable[models.QuerySet]:
        # The pellets stay: they are as they were before the run.
        return (self.witness_plates.all(),)


class WitnessPlate(Record):
    """A piece of silicon or glass that was coated in the same run, to be measured in place of the pellets."""

    PREFIX = "WIT"

    sputter_run = models.ForeignKey(SputterRun, on_delete=models.PROTECT, related_name="witness_plates")
    substrate = models.CharField(max_length=80, blank=True, default="Si", help_text="What the plate is made of.")

    class Meta:
        ordering = ("-id",)

    def prepare(self) -> None:
        self.is_synthetic = self.is_synthetic or self.sputter_run.is_synthetic

    def dependents(self) -> Iterable[models.QuerySet]:
        return (self.film_thicknesses.all(), self.measurements.all())

    @property
    def notation(self) -> str:
        """Film and substrate: ``CuS@Si``."""
        return f"{self.sputter_run.target.code}@{self.substrate or 'Si'}"

    @property
    def is_coated(self) -> bool:
        """A witness plate always carries the film of its run."""
        return True

    def get_state_display(self) -> str:
        """What it is doing, as pellets and cells say it."""
        return f"witness of {self.sputter_run.code}"


class FilmThickness(Record):
    """Step heights of one film, read on a witness plate or on a face of a pellet."""

    PREFIX = "FLM"

    class Method(models.TextChoices):
        AFM = "afm", "AFM step"
        PROFILOMETER = "profilometer", "stylus profilometer"
        SEM = "sem", "SEM cross-section"
        OTHER = "other"

    witness_plate = models.ForeignKey(
        WitnessPlate, null=True, blank=True, on_delete=models.PROTECT, related_name="film_thicknesses"
    )
    pellet = models.ForeignKey(Pellet, null=True, blank=True, on_delete=models.PROTECT, related_name="film_thicknesses")
    face = models.CharField(max_length=1, choices=FACES, blank=True, default="", help_text="Face of the pellet.")
    heights_nm = models.JSONField(help_text="Each step height that was read.")
    method = models.CharField(max_length=12, choices=Method, default=Method.AFM)
    measured_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    film_thickness_nm = models.FloatField(editable=False, help_text="Mean of the heights.")
    film_thickness_uncertainty_nm = models.FloatField(
        null=True, editable=False, help_text="Standard uncertainty of the mean; unknown from a single height."
    )

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "film thicknesses"
        constraints = (
            *positive("filmthickness", "film_thickness_nm"),
            *positive("filmthickness", "film_thickness_uncertainty_nm", zero=True),
            models.CheckConstraint(
                name="filmthickness_has_one_subject",
                condition=Q(witness_plate__isnull=False, pellet__isnull=True, face="")
                | Q(witness_plate__isnull=True, pellet__isnull=False, face__in=["A", "B"]),
                violation_error_message="A film is read on a witness plate, or on face A or B of a pellet.",
            ),
        )

    def clean_fields(self, exclude: Any = None) -> None:
        self.derive()
        super().clean_fields(exclude=exclude)

    def derive(self) -> None:
        """Mean and its standard uncertainty, from the heights.

        Raises
        ------
        ValidationError
            No height, or one that is not above 0.
        """
        heights = self.heights_nm
        if not isinstance(heights, list) or not heights:
            raise ValidationError({"heights_nm": "Give at least one step height in nm."})
        if not all(isinstance(each, int | float) and not isinstance(each, bool) and each > 0 for each in heights):
            raise ValidationError({"heights_nm": "Each step height is a number above 0, in nm."})
        self.film_thickness_nm = statistics.fmean(heights)
        spread = statistics.stdev(heights) if len(heights) > 1 else None
        self.film_thickness_uncertainty_nm = None if spread is None else spread / len(heights) ** 0.5

    def prepare(self) -> None:
        source = self.witness_plate or self.pellet
        self.is_synthetic = self.is_synthetic or bool(source and source.is_synthetic)

    @property
    def subject(self) -> WitnessPlate | Pellet | None:
        """What was measured."""
        return self.witness_plate or self.pellet


class Conversion(Record):
    """Molten lithium on a coated face: the film becomes an interlayer, CuS + 2 Li → Li₂S + Cu."""

    PREFIX = "CNV"

    pellet = models.ForeignKey(Pellet, on_delete=models.PROTECT, related_name="conversions")
    faces = models.CharField(max_length=2, choices=FACE_SETS, default="AB", help_text="Faces that met lithium.")
    recipe = models.ForeignKey(Recipe, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    is_attachment = models.BooleanField(
        default=False, help_text="Lithium was only attached: there was no film to convert."
    )
    lithium_diameter_mm = models.FloatField(null=True, blank=True, help_text="Diameter of the lithium foil.")
    lithium_thickness_um = models.FloatField(null=True, blank=True, help_text="Thickness of the lithium foil.")
    is_polished = models.BooleanField(default=True, help_text="The foil was polished before.")
    temperature_degC = models.FloatField(null=True, blank=True, help_text="Temperature of the hot plate.")
    duration_min = models.FloatField(null=True, blank=True, help_text="Time at temperature.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="When the timer was started.")
    performed_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    h2o_ppm = models.FloatField(null=True, blank=True, help_text="Water in the glovebox.")
    o2_ppm = models.FloatField(null=True, blank=True, help_text="Oxygen in the glovebox.")

    class Meta:
        ordering = ("-id",)
        constraints = (
            *positive("conversion", "lithium_diameter_mm", "lithium_thickness_um", "duration_min"),
            *positive("conversion", "h2o_ppm", "o2_ppm", zero=True),
            models.CheckConstraint(
                name="conversion_faces_a_b_or_both",
                condition=Q(faces__in=["A", "B", "AB"]),
                violation_error_message="A pellet has the faces A and B.",
            ),
            models.CheckConstraint(
                name="conversion_temperature_is_physical",
                condition=Q(temperature_degC__isnull=True) | Q(temperature_degC__gt=-273.15, temperature_degC__lt=1400),
                violation_error_message="A hot plate is below 1400 °C. Is the temperature in kelvin?",
            ),
        )

    def prepare(self) -> None:
        self.is_synthetic = self.is_synthetic or self.pellet.is_synthetic

    def clean(self) -> None:
        if self.pellet_id is None:
            return
        face_mm, lithium_mm = self.pellet.diameter_mm, self.lithium_diameter_mm
        if face_mm and lithium_mm and lithium_mm > face_mm * (1 + 1e-9):
            raise ValidationError(
                {
                    "lithium_diameter_mm": f"The lithium foil (Ø {lithium_mm:g} mm) is larger than the face of "
                    f"{self.pellet.code} (Ø {face_mm:g} mm). Check both diameters."
                }
            )
        bare = [] if self.is_attachment else self.bare_faces()
        if bare:
            raise ValidationError({"pellet": self.nothing_to_convert(bare)})

    def bare_faces(self) -> list[str]:
        """Those of its faces that have no layer for lithium to reach."""
        return [face for face in self.faces if not self.layers_to_convert(face).exists()]

    def nothing_to_convert(self, bare: list[str]) -> str:
        """What to say of faces without such a layer: it names the film of the recipe, else the only one there is."""
        known = list(Material.objects.live().exclude(conversion_product="").values_list("code", flat=True)[:2])
        film = (self.recipe.defaults.get("film") if self.recipe else "") or (known[0] if len(known) == 1 else "")
        lacks = f"{film} layer" if film else "film"
        where = "" if len(bare) == len(self.faces) else f" on side {bare[0]}"
        return (
            f"{self.pellet.code} has no {lacks}{where}, so there is nothing to convert. "
            "Record plain Li attachment instead?"
        )

    def layers_to_convert(self, face: str) -> models.QuerySet:
        """Layers on a face that lithium has not reached yet, or that this conversion has converted."""
        open_ = Q(conversion__isnull=True) | Q(conversion__withdrawn_at__isnull=False)
        if self.pk:
            open_ |= Q(conversion=self)
        layers = Coating.objects.filter(pellet=self.pellet_id, face=face, sputter_run__withdrawn_at__isnull=True)
        return layers.filter(open_)

    def settle(self, *, by: Any, changes: dict[str, list[Any]]) -> None:
        """The layers say which conversion reached them, and the cells on the pellet are called accordingly."""
        pellets = {self.pellet_id, *self.layers.values_list("pellet_id", flat=True)}
        wanted = Q(pk__in=[]) if self.is_attachment else Q(pellet=self.pellet_id, face__in=list(self.faces))
        self.layers.exclude(wanted).update(conversion=None)
        if not self.is_attachment and not self.is_withdrawn:
            for face in self.faces:
                self.layers_to_convert(face).update(conversion=self)
        derive_again(Cell.objects.filter(pellet__in=pellets))

    @property
    def is_running(self) -> bool:
        """The timer was started and nobody has said yet that it is done."""
        return self.started_at is not None and self.performed_at is None and not self.is_withdrawn

    @property
    def ends_at(self) -> dt.datetime | None:
        """When the planned time at temperature is over."""
        if self.started_at is None or self.duration_min is None:
            return None
        return self.started_at + dt.timedelta(minutes=self.duration_min)

    @property
    def product(self) -> str:
        """What the films became, e.g. ``Li₂S/Cu``; empty when lithium was only attached."""
        layer = self.layers.select_related("sputter_run__target").order_by("-layer_number").first()
        return layer.sputter_run.target.product_with_lithium if layer else ""


class Coating(models.Model):
    """One layer on one face of one pellet, left by one sputter run."""

    sputter_run = models.ForeignKey(SputterRun, on_delete=models.PROTECT, related_name="coatings")
    pellet = models.ForeignKey(Pellet, on_delete=models.PROTECT, related_name="coatings")
    face = models.CharField(max_length=1, choices=FACES)
    layer_number = models.PositiveSmallIntegerField(default=1, help_text="1 lies on the pellet.")
    # Set by the conversion itself: lithium goes through all layers that lie there, not through later ones.
    conversion = models.ForeignKey(
        Conversion, null=True, blank=True, on_delete=models.PROTECT, related_name="layers", editable=False
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["pellet", "face", "layer_number"],
                name="coating_layer_once",
                violation_error_message="This face already has a layer with that number.",
            ),
            models.UniqueConstraint(
                fields=["sputter_run", "pellet", "face"],
                name="coating_face_once_per_run",
                violation_error_message="A run coats each face of a pellet once.",
            ),
            models.CheckConstraint(
                name="coating_face_a_or_b",
                condition=Q(face__in=["A", "B"]),
                violation_error_message="A pellet has the faces A and B.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.sputter_run} on {self.pellet} face {self.face}"
