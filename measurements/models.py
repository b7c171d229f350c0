"""What was measured, and the bytes to prove it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from lagpdb.ledger import Job
from lagpdb.records import Record, RecordQuerySet, positive
from measurements.kinds import KINDS, kind_choices, unknown_kind
from samples.models import Cell, Pellet, WitnessPlate


def subject_fields(subject: Any) -> dict[str, Any]:
    """The columns that say whose measurement, upload or file it is; a single one is filled."""
    return {
        "pellet": subject if isinstance(subject, Pellet) else None,
        "cell": subject if isinstance(subject, Cell) else None,
        "witness_plate": subject if isinstance(subject, WitnessPlate) else None,
    }


class Instrument(Record):
    """A device that measures; its code is chosen by people (``autolab-1``)."""

    IS_RETIRED = True

    name = models.CharField(max_length=120)
    manufacturer = models.CharField(max_length=120, blank=True, default="")
    model = models.CharField(max_length=120, blank=True, default="")
    location = models.CharField(max_length=120, blank=True, default="")
    column_mappings = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text="What people said the columns of its tables are: headers, and header to name and unit.",
    )

    class Meta:
        ordering = ("code",)


class RawFile(models.Model):
    """Bytes as they came, addressed by their hash. Never changed, never deleted."""

    sha256 = models.CharField(max_length=64, unique=True)
    size_bytes = models.BigIntegerField()
    original_name = models.CharField(max_length=255)
    reader = models.CharField(max_length=40, blank=True, default="")
    reader_version = models.PositiveIntegerField(null=True, blank=True)
    first_uploaded_at = models.DateTimeField(default=timezone.now)
    column_mapping = models.JSONField(
        default=dict, blank=True, help_text="Header to name and unit, where a person named the columns."
    )

    class Meta:
        constraints = (
            models.CheckConstraint(
                name="rawfile_sha256_is_64_hex",
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"),
                violation_error_message="A SHA-256 hash has 64 hexadecimal digits.",
            ),
            models.CheckConstraint(
                name="rawfile_size_not_negative",
                condition=Q(size_bytes__gte=0),
                violation_error_message="A file cannot have a negative size.",
            ),
        )

    def __str__(self) -> str:
        return self.original_name


class Measurement(Record):
    """One spectrum, one recording: what one sample gave on one occasion."""

    PREFIX = "MEA"
    MOVED = frozenset({"pellet", "cell", "witness_plate"})
    known_part: MeasurementFile | None = None  # of a measurement that was stored just now, by who stored it

    class TemperatureOrigin(models.TextChoices):
        FILE = "file", "from file"
        NAME = "name", "from name"
        PERSON = "person", "entered"
        ASSUMED = "assumed"

    kind = models.CharField(max_length=20, choices=kind_choices)
    pellet = models.ForeignKey(Pellet, null=True, blank=True, on_delete=models.PROTECT, related_name="measurements")
    cell = models.ForeignKey(Cell, null=True, blank=True, on_delete=models.PROTECT, related_name="measurements")
    witness_plate = models.ForeignKey(
        WitnessPlate, null=True, blank=True, on_delete=models.PROTECT, related_name="measurements"
    )
    measured_at = models.DateTimeField(null=True, blank=True)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    instrument = models.ForeignKey(
        Instrument, null=True, blank=True, on_delete=models.PROTECT, related_name="measurements"
    )
    temperature_degC = models.FloatField(null=True, blank=True)
    temperature_origin = models.CharField(
        max_length=8, choices=TemperatureOrigin, default=TemperatureOrigin.ASSUMED, editable=False
    )
    parameters = models.JSONField(default=dict, blank=True, help_text="What a person said beside the file.")
    metadata = models.JSONField(default=dict, blank=True, editable=False, help_text="What the file says of itself.")
    reader_warnings = models.JSONField(default=list, blank=True, editable=False)
    point_count = models.PositiveIntegerField(default=0, editable=False)

    objects = RecordQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                name="measurement_has_one_subject",
                condition=Q(pellet__isnull=False, cell__isnull=True, witness_plate__isnull=True)
                | Q(pellet__isnull=True, cell__isnull=False, witness_plate__isnull=True)
                | Q(pellet__isnull=True, cell__isnull=True, witness_plate__isnull=False),
                violation_error_message="A measurement belongs to exactly one sample: a pellet, a cell or a witness "
                "plate.",
            ),
            models.CheckConstraint(
                name="measurement_temperature_is_physical",
                condition=Q(temperature_degC__isnull=True)
                | Q(temperature_degC__gte=-273.15, temperature_degC__lt=3000),
                violation_error_message="A temperature lies above −273.15 °C and below 3000 °C. Is it in kelvin?",
            ),
        )

    @property
    def subject(self) -> Any:
        """The sample: a pellet, a cell or a witness plate."""
        return self.cell or self.pellet or self.witness_plate

    @property
    def sample_pellet(self) -> Any:
        """The pellet that was measured, in a cell or bare; None of a witness plate."""
        return self.cell.pellet if self.cell_id else self.pellet

    def clean(self) -> None:
        if self.kind not in KINDS:
            raise ValidationError({"kind": unknown_kind(self.kind)})


class MeasurementFile(models.Model):
    """Which part of which file a measurement is. A file has one owner per part."""

    measurement = models.ForeignKey(Measurement, on_delete=models.PROTECT, related_name="files")
    raw_file = models.ForeignKey(RawFile, on_delete=models.PROTECT, related_name="parts")
    part_number = models.PositiveIntegerField(default=0, help_text="Which recording of the file, from 0.")
    position = models.PositiveIntegerField(default=0)
    superseded_at = models.DateTimeField(null=True, blank=True)
    starts_after_s = models.FloatField(
        null=True, blank=True, help_text="[s] After the first file of a joined test; empty when that is not known."
    )

    class Meta:
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(
                fields=["raw_file", "part_number"],
                name="measurementfile_part_has_one_owner",
                violation_error_message="This part of the file already belongs to a measurement.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.raw_file} part {self.part_number}"


class Upload(Record):
    """Files that came together."""

    PREFIX = "UPB"

    pellet = models.ForeignKey(Pellet, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    cell = models.ForeignKey(Cell, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    witness_plate = models.ForeignKey(WitnessPlate, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, blank=True, default="")
    temperature_degC = models.FloatField(null=True, blank=True)
    instrument = models.ForeignKey(Instrument, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    parameters = models.JSONField(default=dict, blank=True)
    skipped_count = models.PositiveIntegerField(default=0, help_text="Thumbs.db, .DS_Store and the like.")

    class Meta:
        ordering = ("-id",)
        constraints = (*positive("upload", "skipped_count", zero=True),)

    @property
    def subject(self) -> Any:
        """The sample chosen for all files, if any."""
        return self.cell or self.pellet or self.witness_plate


class UploadFile(Job):
    """One file on its way in: a row of the ledger, and of the upload page."""

    TASK = "analysis.tasks.take_in"

    class State(models.TextChoices):
        RECEIVED = "received"
        CHECKING = "checking"
        NEEDS_SAMPLE = "needs_sample", "needs sample"
        QUEUED = "queued"
        ANALYSING = "analysing"
        DONE = "done"
        FAILED = "failed"
        DUPLICATE = "duplicate"
        EXTENDS = "extends"
        ATTACHMENT = "attachment"

    FINAL = (State.NEEDS_SAMPLE, State.DONE, State.FAILED, State.DUPLICATE, State.EXTENDS, State.ATTACHMENT)

    upload = models.ForeignKey(Upload, on_delete=models.PROTECT, related_name="files")
    # Empty only when the bytes were refused (too large, store full): the row then says so.
    raw_file = models.ForeignKey(RawFile, null=True, on_delete=models.PROTECT, related_name="arrivals")
    name = models.CharField(max_length=255)
    folder = models.CharField(max_length=500, blank=True, default="", help_text="Folder inside the dropped folder.")
    state = models.CharField(max_length=12, choices=State, default=State.RECEIVED)
    message = models.TextField(blank=True, default="")
    line = models.PositiveIntegerField(null=True, blank=True, help_text="Line of the file the message speaks of.")
    bad_rows = models.CharField(
        max_length=9,
        blank=True,
        default="",
        choices=[("skippable", "could be skipped"), ("skip", "are skipped")],
        help_text="Single rows cannot be read: a person may choose to go on without them.",
    )
    columns_seen = models.JSONField(default=list, blank=True, help_text="Of a table whose names are not known.")
    relation = models.JSONField(
        default=dict, blank=True, help_text="What it is to a test that was there before: how, code, rows, decision."
    )
    recognised_as = models.CharField(max_length=80, blank=True, default="")
    matched_by = models.CharField(max_length=80, blank=True, default="", help_text="How the sample was found.")
    candidates = models.JSONField(default=list, blank=True, help_text="Samples it could be, with their role.")
    # A sample that a person chose for this file alone; stronger than that of the upload.
    pellet = models.ForeignKey(Pellet, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    cell = models.ForeignKey(Cell, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    witness_plate = models.ForeignKey(WitnessPlate, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    measurements = models.ManyToManyField(Measurement, blank=True, related_name="upload_files")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        indexes = (
            models.Index(fields=["id"], name="uploadfile_not_ended", condition=~Q(job_state=Job.JobState.ENDED)),
            models.Index(fields=["state"], name="uploadfile_state"),
        )
        constraints = (
            models.CheckConstraint(
                name="uploadfile_state_is_known",
                condition=Q(
                    state__in=[
                        "received",
                        "checking",
                        "needs_sample",
                        "queued",
                        "analysing",
                        "done",
                        "failed",
                        "duplicate",
                        "extends",
                        "attachment",
                    ]
                ),
                violation_error_message="Unknown state of a file.",
            ),
        )

    @property
    def subject(self) -> Any:
        """The sample chosen for this file alone, if any."""
        return self.cell or self.pellet or self.witness_plate

    def __str__(self) -> str:
        return self.name

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.state in self.FINAL

    def give_up(self, sentence: str) -> None:
        """End the file as failed: its reader never came to an end."""
        self.state, self.message, self.finished_at = self.State.FAILED, sentence, timezone.now()
        self.job_state, self.lease_until = Job.JobState.ENDED, None
        self.save(update_fields=["state", "message", "finished_at", "job_state", "lease_until"])


class Attachment(models.Model):
    """A file that belongs to a record without being measured from: a certificate, a photograph."""

    class Kind(models.TextChoices):
        CERTIFICATE = "certificate"
        PHOTO = "photo", "photograph"
        OTHER = "other", "file"

    record_type = models.CharField(max_length=60, help_text="Which kind of record, e.g. samples.powderlot.")
    record_code = models.CharField(max_length=40)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.OTHER)
    raw_file = models.ForeignKey(RawFile, on_delete=models.PROTECT, related_name="attached")
    name = models.CharField(max_length=255)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True, help_text="Taken off the record; the bytes stay.")

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=["record_type", "record_code"], name="attachment_of_record"),)

    def __str__(self) -> str:
        return f"{self.name} of {self.record_code}"
