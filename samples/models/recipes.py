"""Recipes: the defaults and the limits of a form, versioned."""

from django.db import models

from lagpdb.records import Record


class Recipe(Record):
    """Defaults of one kind of record. A record keeps its own values: changing a recipe never changes a record."""

    PREFIX = "RCP"
    IS_RETIRED = True

    class Kind(models.TextChoices):
        PELLET_BATCH = "pellet_batch", "pellet batch"
        SPUTTER_RUN = "sputter_run", "sputter run"
        CONVERSION = "conversion"
        ELECTRODE_LOT = "electrode_lot", "electrode lot"
        CELL = "cell"
        MEASUREMENT = "measurement", "measurement plan"

    kind = models.CharField(max_length=20, choices=Kind)
    number = models.PositiveIntegerField(default=1, help_text="Version of the recipe, counted per kind.")
    name = models.CharField(max_length=120)
    defaults = models.JSONField(default=dict, blank=True, help_text="Field name to value, e.g. powder_mass_mg: 500.")
    limits = models.JSONField(
        default=dict,
        blank=True,
        help_text="Field name to [impossible below, unusual below, unusual above, impossible above]; null is no limit.",
    )

    class Meta:
        ordering = ("kind", "-number")
        constraints = (
            models.UniqueConstraint(
                fields=["kind", "number"],
                name="recipe_version_once",
                violation_error_message="This kind already has a recipe with that version.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"
