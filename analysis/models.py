"""What it means: runs of analyses, what entered them, and the numbers that came out."""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from lagpdb.ledger import Job
from lagpdb.records import VisibleQuerySet
from measurements.models import Measurement, UploadFile
from samples.models import Cell, Pellet, SputterSetting


class AnalysisRun(Job):
    """One run of one analysis on a measurement, or of one combination on a sample."""

    @property
    def TASK(self) -> str:  # type: ignore[override]
        """Combinations wait in line with the files: once after ten spectra, not after each."""
        return "analysis.tasks.analyse" if self.measurement_id else "analysis.tasks.combine"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    FINAL = (State.SUCCEEDED, State.FAILED)

    analysis = models.CharField(max_length=40)
    version = models.PositiveIntegerField(help_text="Version of the algorithm.")
    software_version = models.CharField(max_length=40, blank=True, default="")
    measurement = models.ForeignKey(Measurement, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    # The subject of a combination; of an analysis it is that of the measurement.
    pellet = models.ForeignKey(Pellet, null=True, blank=True, on_delete=models.PROTECT, related_name="combination_runs")
    cell = models.ForeignKey(Cell, null=True, blank=True, on_delete=models.PROTECT, related_name="combination_runs")
    sputter_setting = models.ForeignKey(
        SputterSetting, null=True, blank=True, on_delete=models.PROTECT, related_name="combination_runs"
    )
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    is_current = models.BooleanField(default=False)
    parameters = models.JSONField(default=dict, blank=True, help_text="A person's choices for this run.")
    inputs = models.JSONField(default=dict, blank=True, help_text="Hashes and every value used, frozen.")
    warnings = models.JSONField(default=list, blank=True, help_text="List of [code, sentence].")
    message = models.TextField(blank=True, default="")
    progress = models.CharField(max_length=120, blank=True, default="")
    curves = models.JSONField(default=dict, blank=True)
    tables = models.JSONField(default=dict, blank=True)
    reason = models.CharField(max_length=500, blank=True, default="")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # The files that wait for this run before they are done.
    caused_by = models.ManyToManyField(UploadFile, blank=True, related_name="runs")

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["id"], name="run_not_ended", condition=~Q(job_state=Job.JobState.ENDED)),
            models.Index(fields=["analysis", "version"], name="run_of_analysis"),
        )
        constraints = (
            models.CheckConstraint(
                name="run_has_one_subject",
                condition=Q(
                    measurement__isnull=False, pellet__isnull=True, cell__isnull=True, sputter_setting__isnull=True
                )
                | Q(measurement__isnull=True, pellet__isnull=False, cell__isnull=True, sputter_setting__isnull=True)
                | Q(measurement__isnull=True, pellet__isnull=True, cell__isnull=False, sputter_setting__isnull=True)
                | Q(measurement__isnull=True, pellet__isnull=True, cell__isnull=True, sputter_setting__isnull=False),
                violation_error_message="A run has one subject.",
            ),
            models.CheckConstraint(
                name="run_current_has_succeeded",
                condition=Q(is_current=False) | Q(state="succeeded"),
                violation_error_message="Only a run that succeeded can be the current one.",
            ),
            models.UniqueConstraint(
                fields=["analysis", "measurement"],
                condition=Q(is_current=True, measurement__isnull=False),
                name="run_one_current_per_measurement",
            ),
            models.UniqueConstraint(
                fields=["analysis", "cell"],
                condition=Q(is_current=True, cell__isnull=False),
                name="run_one_current_per_cell",
            ),
            models.UniqueConstraint(
                fields=["analysis", "pellet"],
                condition=Q(is_current=True, pellet__isnull=False),
                name="run_one_current_per_pellet",
            ),
            models.UniqueConstraint(
                fields=["analysis", "sputter_setting"],
                condition=Q(is_current=True, sputter_setting__isnull=False),
                name="run_one_current_per_setting",
            ),
            models.UniqueConstraint(
                fields=["analysis", "sputter_setting"],
                condition=Q(state="queued", sputter_setting__isnull=False),
                name="run_one_queued_per_setting",
            ),
            # A thousand conductivities of one cell make few activation energies, not a thousand.
            models.UniqueConstraint(
                fields=["analysis", "cell"],
                condition=Q(state="queued", cell__isnull=False),
                name="run_one_queued_per_cell",
            ),
            models.UniqueConstraint(
                fields=["analysis", "pellet"],
                condition=Q(state="queued", pellet__isnull=False),
                name="run_one_queued_per_pellet",
            ),
        )

    def __str__(self) -> str:
        return f"{self.analysis} {self.pk} ({self.state})"

    @property
    def subject(self) -> Any:
        """The sample that the numbers speak of."""
        return self.measurement.subject if self.measurement_id else (self.cell or self.pellet or self.sputter_setting)

    def give_up(self, sentence: str) -> None:
        """End the run as failed, and the files that waited for it."""
        from analysis.pipeline import settle_files

        self.state, self.message, self.finished_at = self.State.FAILED, sentence, timezone.now()
        self.job_state, self.lease_until = Job.JobState.ENDED, None
        self.save(update_fields=["state", "message", "finished_at", "job_state", "lease_until"])
        settle_files(self)


class RunInput(models.Model):
    """What entered a run: a measurement, or a result of another run."""

    run = models.ForeignKey(AnalysisRun, on_delete=models.CASCADE, related_name="run_inputs")
    role = models.CharField(max_length=40)
    measurement = models.ForeignKey(Measurement, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    result = models.ForeignKey("Result", null=True, blank=True, on_delete=models.PROTECT, related_name="used_in")

    class Meta:
        constraints = (
            models.CheckConstraint(
                name="runinput_is_measurement_or_result",
                condition=Q(measurement__isnull=False, result__isnull=True)
                | Q(measurement__isnull=True, result__isnull=False),
                violation_error_message="An input is a measurement or a result.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.role} of run {self.run_id}"


class ResultQuerySet(VisibleQuerySet):
    """Filters that every use of numbers starts from."""

    def current(self) -> Self:
        """Rows of current runs, of samples and measurements that are not withdrawn."""
        return self.filter(is_current=True)

    def usable(self) -> Self:
        """What may enter a combination or a statistic: current, accepted, unflagged, a plain value."""
        return self.current().filter(acceptance=Result.Acceptance.ACCEPTED, flag=Result.Flag.OK, limit="=")


class Result(models.Model):
    """One number: its unit, uncertainty or limit, flag, conditions, and the run that made it."""

    class Limit(models.TextChoices):
        EQUAL = "="
        BELOW = "<"
        ABOVE = ">"
        AT_MOST = "<="
        AT_LEAST = ">="

    class Flag(models.TextChoices):
        OK = "ok"
        SUSPECT = "suspect"
        OUT_OF_RANGE = "out_of_range", "out of range"
        NOT_CONVERGED = "not_converged", "not converged"
        MISSING = "missing"

    class Acceptance(models.TextChoices):
        PROVISIONAL = "provisional"
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    run = models.ForeignKey(AnalysisRun, on_delete=models.CASCADE, related_name="results")
    measurement = models.ForeignKey(
        Measurement, null=True, blank=True, on_delete=models.PROTECT, related_name="results"
    )
    # Frozen when the row is written: filters join downwards from them.
    pellet = models.ForeignKey(Pellet, null=True, blank=True, on_delete=models.PROTECT, related_name="results")
    cell = models.ForeignKey(Cell, null=True, blank=True, on_delete=models.PROTECT, related_name="results")
    # Of a number that speaks of the sputter tool rather than of one pellet.
    sputter_setting = models.ForeignKey(
        SputterSetting, null=True, blank=True, on_delete=models.PROTECT, related_name="results"
    )
    is_current = models.BooleanField(default=True, help_text="Copied from the run: the filter of every query.")
    quantity = models.CharField(max_length=60)
    position = models.PositiveIntegerField(default=0)
    label = models.CharField(max_length=80, blank=True, default="")
    value = models.FloatField(null=True, blank=True)
    uncertainty = models.FloatField(null=True, blank=True, help_text="Standard uncertainty (k = 1), same unit.")
    limit = models.CharField(max_length=2, choices=Limit, default=Limit.EQUAL)
    unit = models.CharField(max_length=20)
    flag = models.CharField(max_length=13, choices=Flag, default=Flag.OK)
    acceptance = models.CharField(max_length=11, choices=Acceptance, default=Acceptance.PROVISIONAL)
    acceptance_reason = models.CharField(max_length=500, blank=True, default="")
    temperature_degC = models.FloatField(null=True, blank=True)
    cycle_number = models.PositiveIntegerField(null=True, blank=True)
    reference_cycle = models.PositiveIntegerField(null=True, blank=True)
    current_density_mA_cm2 = models.FloatField(null=True, blank=True)
    c_rate = models.FloatField(null=True, blank=True)
    is_synthetic = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = ResultQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["quantity", "value"], name="result_current_value", condition=Q(is_current=True)),
            models.Index(fields=["pellet", "quantity"], name="result_current_of_pellet", condition=Q(is_current=True)),
            models.Index(fields=["quantity", "-id"], name="result_current_newest", condition=Q(is_current=True)),
        )
        constraints = (
            models.CheckConstraint(
                name="result_value_is_finite",  # refuses ±inf; PostgreSQL refuses NaN too
                condition=Q(value__isnull=True) | Q(value__gt=-1e30, value__lt=1e30),
            ),
            models.CheckConstraint(
                name="result_missing_is_flagged",  # SQLite stores NaN as NULL: caught here
                condition=Q(value__isnull=False) | ~Q(flag="ok"),
            ),
            models.CheckConstraint(
                name="result_uncertainty_not_negative",
                condition=Q(uncertainty__isnull=True) | Q(uncertainty__gte=0, uncertainty__lt=1e30),
            ),
            models.CheckConstraint(
                name="result_speaks_of_something",
                condition=Q(pellet__isnull=False) | Q(sputter_setting__isnull=False) | Q(measurement__isnull=False),
            ),
            models.CheckConstraint(
                name="result_limit_is_known",
                condition=Q(limit__in=["=", "<", ">", "<=", ">="]),
            ),
            models.UniqueConstraint(fields=["run", "quantity", "position"], name="result_position_once"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} of run {self.run_id}"

    @property
    def subject(self) -> Any:
        """What the number speaks of: cell, pellet, sputter setting, or the witness plate that was measured."""
        return self.cell or self.pellet or self.sputter_setting or (self.measurement and self.measurement.subject)
