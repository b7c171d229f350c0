"""Films on pellets: sputter runs and the coatings they leave."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from django.db.models import Q
from django.utils import timezone

from lagpdb.records import Record, positive
from samples.models.lots import Material, Pellet


class SputterRun(Record):
    """One run of the sputter tool over one or several pellets."""

    PREFIX = "SPT"

    target = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="sputter_runs")
    power_W = models.FloatField(null=True, blank=True)
    pressure_Pa = models.FloatField(null=True, blank=True, help_text="Working pressure.")
    base_pressure_Pa = models.FloatField(null=True, blank=True, help_text="Pressure reached before the gas came in.")
    base_pressure_limit = models.CharField(
        max_length=2, default="=", choices=[(sign, sign) for sign in ("=", "<", ">", "<=", ">=")]
    )
    target_distance_cm = models.FloatField(null=True, blank=True)
    duration_min = models.FloatField(null=True, blank=True, help_text="Sputter time.")
    performed_at = models.DateTimeField(null=True, blank=True, default=timezone.now)

    class Meta:
        ordering = ("-id",)
        constraints = (
            *positive("sputterrun", "power_W", "pressure_Pa", "base_pressure_Pa", "target_distance_cm", "duration_min"),
        )

    def dependents(self) -> Iterable[models.QuerySet]:
        # The pellets stay: they are as they were before the run.
        return ()


class Coating(models.Model):
    """One layer on one face of one pellet, left by one sputter run."""

    sputter_run = models.ForeignKey(SputterRun, on_delete=models.PROTECT, related_name="coatings")
    pellet = models.ForeignKey(Pellet, on_delete=models.PROTECT, related_name="coatings")
    face = models.CharField(max_length=1, choices=[("A", "A"), ("B", "B")])
    layer_number = models.PositiveSmallIntegerField(default=1, help_text="1 lies on the pellet.")

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
