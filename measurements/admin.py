"""Curation pages of measurements and of the files behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin

from lagpdb.curation import ReadOnlyAdmin, RecordAdmin, TrashFilter
from measurements.models import Attachment, Instrument, Measurement, MeasurementFile, RawFile, Upload, UploadFile


@admin.register(Instrument)
class InstrumentAdmin(RecordAdmin):
    """Devices that measure."""

    list_display = ("code", "name", "manufacturer", "model", "location")
    search_fields = ("code", "name", "manufacturer", "model")


@admin.register(Measurement)
class MeasurementAdmin(RecordAdmin):
    """Measurements: time and conditions can be corrected, the file cannot. Its page moves one to another sample."""

    list_display = ("code", "kind", "cell", "pellet", "witness_plate", "temperature_degC", "measured_at", "operator")
    list_filter = (TrashFilter, "is_synthetic", "kind", "temperature_origin")
    list_select_related = ("cell", "pellet", "witness_plate", "operator")
    search_fields = ("code", "cell__code", "pellet__code", "cell__pellet__code", "witness_plate__code", "notes")
    fixed_fields = ("pellet", "cell", "witness_plate")
    derived_fields = ("temperature_origin", "metadata", "reader_warnings", "point_count")


class ReaderFilter(admin.AllValuesFieldListFilter):
    """By reader; what nothing could read has a name too."""

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """The words of each link."""
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or "not read"}


@admin.register(RawFile)
class RawFileAdmin(ReadOnlyAdmin):
    """Bytes as they came."""

    list_display = ("original_name", "size_bytes", "reader", "reader_version", "sha256", "first_uploaded_at")
    list_filter = (("reader", ReaderFilter),)
    search_fields = ("original_name", "^sha256")


@admin.register(MeasurementFile)
class MeasurementFileAdmin(ReadOnlyAdmin):
    """Which part of which file a measurement is."""

    list_display = ("measurement", "raw_file", "part_number", "position", "superseded_at")
    list_filter = (("superseded_at", admin.EmptyFieldListFilter),)
    list_select_related = ("measurement", "raw_file")
    search_fields = ("measurement__code", "raw_file__original_name")


@admin.register(Upload)
class UploadAdmin(RecordAdmin):
    """Files that came together. A file gets another sample on its upload page, where it is analysed again."""

    list_display = ("code", "cell", "pellet", "witness_plate", "kind", "created_by", "created_at", "skipped_count")
    list_select_related = ("cell", "pellet", "witness_plate", "created_by")
    search_fields = ("code", "cell__code", "pellet__code", "files__name", "notes")
    fixed_fields = (
        "pellet",
        "cell",
        "witness_plate",
        "kind",
        "temperature_degC",
        "instrument",
        "operator",
        "parameters",
        "skipped_count",
    )

    def has_add_permission(self, request: object) -> bool:
        """Uploads come through the upload page and the API."""
        return False


@admin.register(UploadFile)
class UploadFileAdmin(ReadOnlyAdmin):
    """Files on their way in, with state and message."""

    list_display = ("name", "upload", "state", "recognised_as", "job_state", "attempts", "message", "created_at")
    list_filter = ("state", "job_state")
    list_select_related = ("upload",)
    search_fields = ("name", "upload__code", "raw_file__original_name")


@admin.register(Attachment)
class AttachmentAdmin(ReadOnlyAdmin):
    """Files that belong to a record: certificates, photographs."""

    list_display = ("name", "record_code", "kind", "created_by", "created_at", "removed_at")
    list_filter = ("kind", ("removed_at", admin.EmptyFieldListFilter))
    list_select_related = ("created_by",)
    search_fields = ("name", "record_code")
