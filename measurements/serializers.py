"""The columns of uploads, measurements and instruments."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db.models import CharField
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from rest_framework import serializers

from lagpdb.columns import Pointed
from lagpdb.serializers import HEAD, TAIL, RecordSerializer
from measurements.growing import DECISIONS, offers
from measurements.models import Instrument, Measurement, MeasurementFile, Upload, UploadFile
from samples.models import Cell, Pellet, WitnessPlate


def subject_code(prefix: str, plate: bool = True) -> Combinable:
    """Code of the sample: the cell, else the pellet, else (with `plate`) the witness plate."""
    found = [Pointed(f"{prefix}cell_id", Cell), Pointed(f"{prefix}pellet_id", Pellet)]
    if plate:
        found.append(Pointed(f"{prefix}witness_plate_id", WitnessPlate))
    return Coalesce(*found, output_field=CharField())


# -- bulk columns ------------------------------------------------------------------------------------------------------
def files_of_measurements(measurements: list[int]) -> dict[int, list[dict[str, Any]]]:
    """The files in force of many measurements, in one query."""
    found: dict[int, list[dict[str, Any]]] = {pk: [] for pk in measurements}
    parts = MeasurementFile.objects.filter(measurement_id__in=measurements, superseded_at__isnull=True)
    for row in parts.order_by("position", "pk").values_list(
        "measurement_id",
        "raw_file__original_name",
        "raw_file__sha256",
        "raw_file__size_bytes",
        "raw_file__reader",
        "raw_file__reader_version",
        "part_number",
    ):
        names = ("name", "sha256", "size_bytes", "reader", "reader_version", "part_number")
        found[row[0]].append(dict(zip(names, row[1:], strict=True)))
    return found


_FILE = ("id", "name", "folder", "sha256", "state", "message", "line", "recognised_as", "candidates")


def files_of_uploads(uploads: list[int]) -> dict[int, list[dict[str, Any]]]:
    """The files of many uploads with their measurements, in two queries."""
    found: dict[int, list[dict[str, Any]]] = {pk: [] for pk in uploads}
    paths = ["raw_file__sha256" if name == "sha256" else name for name in _FILE]
    codes: dict[int, list[str]] = {}
    link = UploadFile.measurements.through.objects.filter(uploadfile__upload_id__in=uploads)
    for file_id, code in link.order_by("measurement_id").values_list("uploadfile_id", "measurement__code"):
        codes.setdefault(file_id, []).append(code)
    rows = UploadFile.objects.filter(upload_id__in=uploads).order_by("pk")
    for upload_id, relation, *row in rows.values_list("upload_id", "relation", *paths):
        file = dict(zip(_FILE, row, strict=True))
        found[upload_id].append(
            file | {"measurements": codes.get(file["id"], []), "offers": offers(file["state"], relation)}
        )
    return found


def states_of_uploads(uploads: list[int]) -> dict[int, dict[str, int]]:
    """How many files of each upload are in which state, in one query."""
    counts: dict[int, Counter[str]] = {pk: Counter() for pk in uploads}
    for upload, state in UploadFile.objects.filter(upload_id__in=uploads).values_list("upload_id", "state"):
        counts[upload][state] += 1
    return {upload: dict(states) for upload, states in counts.items()}


# -- serializers -------------------------------------------------------------------------------------------------------
class InstrumentSerializer(RecordSerializer):
    """A device that measures."""

    class Meta:
        model = Instrument
        fields = (*HEAD, "name", "manufacturer", "model", "location", *TAIL)


class RawPartSerializer(serializers.Serializer):
    """The file, or the part of a file, that a measurement is."""

    name = serializers.CharField(help_text="As it was uploaded first.")
    sha256 = serializers.CharField(help_text="Hash of the stored bytes.")
    size_bytes = serializers.IntegerField(help_text="Size of the stored file.")
    reader = serializers.CharField(help_text="What read it.")
    reader_version = serializers.IntegerField(allow_null=True, help_text="Version of the reader.")
    part_number = serializers.IntegerField(help_text="Which recording of the file, from 0.")


class MeasurementSerializer(RecordSerializer):
    """One spectrum or recording of one sample."""

    subject = serializers.CharField(help_text="Code of the sample that was measured.")
    files = RawPartSerializer(many=True, read_only=True, help_text="Where the data came from.")
    parameters = serializers.JSONField(
        required=False, help_text="What a person said beside the file. PATCH merges: null takes a name away."
    )

    class Meta:
        model = Measurement
        fields = (
            *HEAD, "kind", "subject", "files", "measured_at", "operator", "instrument", "temperature_degC",
            "temperature_origin", "parameters", "metadata", "reader_warnings", "point_count", *TAIL,
        )  # fmt: skip
        read_only_fields = (
            "kind", "temperature_origin", "metadata", "reader_warnings", "point_count", "is_synthetic"
        )  # fmt: skip
        expressions = {"subject": subject_code}
        kinds = {"subject": "code"}
        bulk = {"files": files_of_measurements}
        detail_only = ("metadata",)


class UploadedFileSerializer(serializers.Serializer):
    """One file of an upload, live."""

    id = serializers.IntegerField(help_text="For `assign/`.")
    name = serializers.CharField(help_text="Name of the file.")
    folder = serializers.CharField(help_text="Folder inside the dropped folder.")
    sha256 = serializers.CharField(allow_null=True, help_text="Hash of the stored bytes; null when not stored.")
    state = serializers.ChoiceField(UploadFile.State.choices, help_text="Where it is on its way.")
    message = serializers.CharField(help_text="What happened, for people.")
    line = serializers.IntegerField(allow_null=True, help_text="Line of the file the message is about.")
    recognised_as = serializers.CharField(help_text="The format it was recognised as.")
    candidates = serializers.ListField(help_text="Samples it could be, when it needs one.")
    measurements = serializers.ListField(child=serializers.CharField(), help_text="Codes of its measurements.")
    offers = serializers.ListField(
        child=serializers.ChoiceField(list(DECISIONS)), help_text="Actions that may be taken on it now."
    )


class UploadSerializer(RecordSerializer):
    """Files that came together."""

    subject = serializers.CharField(read_only=True, allow_null=True, help_text="The sample chosen for all files.")
    states = serializers.DictField(
        child=serializers.IntegerField(), read_only=True, help_text="How many files are in which state."
    )
    files = UploadedFileSerializer(many=True, read_only=True, help_text="In lists only with `fields`.")

    class Meta:
        model = Upload
        fields = (
            *HEAD, "subject", "kind", "temperature_degC", "instrument", "operator", "parameters", "skipped_count",
            "states", "files", *TAIL,
        )  # fmt: skip
        read_only_fields = fields
        expressions = {"subject": subject_code}
        kinds = {"subject": "code"}
        bulk = {"states": states_of_uploads, "files": files_of_uploads}
        detail_only = ("files",)
