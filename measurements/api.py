"""The API of what was measured: uploads, measurements with their curves and bytes, instruments."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import orjson
import pandas as pd
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Q
from django.db.models.functions import Coalesce
from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from lagpdb import exports, filters
from lagpdb.filters import Filter, Relation
from lagpdb.problems import Problem
from lagpdb.records import save_record
from lagpdb.resources import Changes, ReadRecords, Records
from lagpdb.serializers import checked_body, given_body
from lagpdb.units import label, symbol
from measurements import growing, ingest, mappings, moving, waiting
from measurements.curve import cut, reach
from measurements.fence import FenceError
from measurements.kinds import KINDS
from measurements.matching import find_subject
from measurements.models import Instrument, Measurement, UploadFile
from measurements.parameters import check_parameters
from measurements.serializers import InstrumentSerializer, MeasurementSerializer, UploadSerializer
from measurements.store import StoreError, open_raw, recording
from samples.genealogy import as_built, cell_stations, pellet_stations, step_stations
from samples.models import Pellet


class Instruments(Records):
    """Devices that measure."""

    serializer_class = InstrumentSerializer


# -- measurements ------------------------------------------------------------------------------------------------------
_PELLET = Coalesce(OuterRef("cell__pellet_id"), OuterRef("pellet_id"))


def _measured_pellets(rows: Any) -> Q:
    # Two hashed subqueries are much faster than one that is correlated.
    found = rows.values("pk")
    return Q(pellet__in=found) | Q(cell__pellet__in=found)


def subject_filter() -> Filter:
    """`subject` of measurements: exactly that cell, that bare pellet, or that witness plate."""
    return Filter(
        "subject",
        "code",
        expression=MeasurementSerializer.Meta.expressions["subject"],
        match=lambda codes: (
            Q(cell__code__in=codes) | Q(cell__isnull=True, pellet__code__in=codes) | Q(witness_plate__code__in=codes)
        ),
        help="Code of the cell, pellet or witness plate that was measured.",
    )


def _of_measurements() -> dict[str, Filter]:
    pellets = Relation(Pellet.objects.all, join=_measured_pellets)
    steps = step_stations(_PELLET, OuterRef("cell__assembled_at"))
    return pellet_stations(relation=pellets) | cell_stations("cell__") | steps


RECORDING_PARAMETERS = [
    OpenApiParameter("format", str, enum=["json", "csv", "parquet"], description="`json` without it."),
    OpenApiParameter("columns", str, description="Columns, comma separated; all without it."),
    OpenApiParameter("cycle", str, description="One cycle (`3`) or a span (`3-10`)."),
    OpenApiParameter("from_s", float, description="[s] Rows from this time on."),
    OpenApiParameter("to_s", float, description="[s] Rows up to this time."),
    OpenApiParameter("envelope", int, description="At most that many rows, every extreme kept."),
]


class Measurements(Changes, ReadRecords):
    """Spectra and recordings."""

    serializer_class = MeasurementSerializer

    @classmethod
    def extra_filters(cls) -> dict[str, Filter]:
        """Through the genealogy, at the time the cell was built."""
        return _of_measurements() | {"is_coated": as_built(), "subject": subject_filter()}

    def partial_update(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Change the fields that are given. Send `version` back to be told (409) when somebody else was faster.

        `subject`, sent alone, moves it to another sample: its numbers are computed anew for that one.
        """
        if not isinstance(request.data, dict) or "subject" not in request.data:
            return super().partial_update(request, *args, **kwargs)
        content, reason, version = given_body(request, self.serializer_class)
        self.sent = content | ({} if version is None else {"version": version})
        if len(content) > 1 or not isinstance(content["subject"], str):
            raise Problem("Send the code of the sample alone: a move is one step.", field="subject")
        record = self.row()  # locked by the move, after its files
        moving.move([record], _found(content["subject"]), by=request.user, reason=reason, version=version)
        return Response(self.shown(record.pk))

    def change(self, record: Any, values: dict[str, Any], reason: str, version: int | None) -> None:
        """A temperature that is typed is a person's; parameters are merged and checked."""
        if "parameters" in values:
            given = values.pop("parameters")
            if not isinstance(given, dict):
                raise Problem("Parameters are an object: names and values.", field="parameters")
            checked = check_parameters(record.parameters | given)
            if moment := checked.pop("measured_at", None):
                values.setdefault("measured_at", pd.Timestamp(moment).to_pydatetime())
            record.parameters = checked
        if "temperature_degC" in values:
            origin = Measurement.TemperatureOrigin
            record.temperature_origin = origin.ASSUMED if values["temperature_degC"] is None else origin.PERSON
        for name, value in values.items():
            setattr(record, name, value)
        save_record(record, by=self.request.user, reason=reason, version=version)

    @extend_schema(parameters=RECORDING_PARAMETERS, responses=OpenApiTypes.OBJECT, filters=False)
    @action(detail=True, methods=["get"], parameters=("format", "columns", "cycle", "from_s", "to_s", "envelope"))
    def recording(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The parsed table: one row per point of the file, canonical columns with the unit in the name."""
        format = exports.format_of(request)
        measurement = self.row()
        cuts = _cuts(request.query_params)
        try:
            found = recording(measurement, partial(reach, **cuts))
        except (StoreError, FenceError) as error:
            raise Problem(str(error), 404 if not measurement.files.exists() else 500, type="store") from None
        frame = cut(found, **cuts)
        if format != "json":
            mark = "-synthetic" if measurement.is_synthetic else ""
            return exports.frame(measurement.code + mark, frame, format)
        columns = [{"name": name, "unit": symbol(name), "label": label(name)} for name in map(str, frame)]
        data = {str(name): _plain(series) for name, series in frame.items()}
        content = {"code": measurement.code, "row_count": len(frame), "columns": columns, "data": data}
        return Response(content)

    @extend_schema(
        parameters=[OpenApiParameter("position", int, description="Which file, from 0, when there are several.")],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        filters=False,
    )
    @action(detail=True, methods=["get"], parameters=("position",))
    def file(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The raw bytes as they came."""
        text = request.query_params.get("position", "0")
        parts = (
            self.row().files.filter(superseded_at__isnull=True).select_related("raw_file").order_by("position", "pk")
        )
        part = parts[int(text) : int(text) + 1].first() if re.fullmatch(r"\d{1,4}", text) else None
        if part is None:
            raise Problem("This measurement has no such file.", 404, field="position")
        try:
            stream = open_raw(part.raw_file.sha256)
        except StoreError as error:
            raise Problem(str(error), 500, type="store") from None
        name = part.raw_file.original_name
        response = FileResponse(stream, as_attachment=True, filename=name, content_type="application/octet-stream")
        # Bytes of strangers: never shown, never run, on our address.
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return response


def _plain(series: pd.Series) -> list[Any]:
    values = series.tolist()
    return [None if isinstance(value, float) and value != value else value for value in values]


def _cuts(given: Any) -> dict[str, Any]:
    """The cuts that the query string asks for, checked."""
    cuts: dict[str, Any] = {}
    try:
        for name in ("from_s", "to_s"):
            if name in given:
                cuts[name] = filters.parse("number", given[name])
        if "envelope" in given:
            name = "envelope"
            cuts["envelope"] = filters.parse("integer", given[name])
            if cuts["envelope"] < 4:
                raise ValueError("a whole number from 4 on is expected")
        if "cycle" in given:
            name = "cycle"
            span = re.fullmatch(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*", given[name])
            if span is None:
                raise ValueError("a cycle such as 3, or a span such as 3-10, is expected")
            cuts["cycles"] = (int(span[1]), int(span[2] or span[1]))
    except ValueError as error:
        raise Problem(f"{name}={given[name]}: {error}.", field=name) from None
    if "columns" in given:
        cuts["columns"] = [name.strip() for name in given["columns"].split(",")]
    return cuts


# -- uploads -----------------------------------------------------------------------------------------------------------
_TEXT = {"type": "string"}
UPLOAD_BODY = {
    "multipart/form-data": {
        "type": "object",
        "required": ["files"],
        "properties": {
            "files": {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "One or many."},
            "subject": _TEXT | {"description": "Code of the pellet, cell or witness plate all files belong to."},
            "kind": _TEXT | {"enum": list(KINDS), "description": "For time series; impedance stays eis."},
            "temperature_degC": {"type": "number", "description": "[°C] Of the sample."},
            "parameters": _TEXT | {"description": 'JSON, such as {"voltage_limit_V": 5}.'},
            "instrument": _TEXT | {"description": "Code of the instrument."},
            "is_synthetic": {"type": "boolean", "description": "Made by a generator, not measured."},
        },
    }
}
UPLOAD_FIELDS = ["subject", "kind", "temperature_degC", "parameters", "instrument", "is_synthetic"]


class AssignSerializer(serializers.Serializer):
    """Which file belongs to which sample."""

    file = serializers.IntegerField(help_text="`id` of the file in this upload.")
    subject = serializers.CharField(help_text="Code of the pellet, cell or witness plate.")
    version = serializers.IntegerField(
        required=False, allow_null=True, default=None, help_text="Of the file's first measurement, as you saw it."
    )
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=500, help_text="Why.")


class DecisionSerializer(serializers.Serializer):
    """Which file is decided about."""

    file = serializers.IntegerField(help_text="`id` of the file in this upload.")
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=500, help_text="Why.")


class ColumnSerializer(serializers.Serializer):
    """What one column of a table is."""

    name = serializers.CharField(help_text="Canonical name, such as potential_V.")
    unit = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=40, help_text="Such as mV; empty: as the header says."
    )


class ColumnsSerializer(serializers.Serializer):
    """What the columns of a table are, and their units."""

    file = serializers.IntegerField(help_text="`id` of the file in this upload.")
    columns = serializers.DictField(child=ColumnSerializer(), help_text="By header; what is left out keeps its name.")
    instrument = serializers.CharField(
        required=False, allow_blank=True, default="", help_text="Code: its next files with these headers are read so."
    )
    version = serializers.IntegerField(
        required=False, allow_null=True, default=None, help_text="Of the measurement, as you saw it."
    )
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=500, help_text="Why.")


class Uploads(ReadRecords):
    """Files on their way in."""

    serializer_class = UploadSerializer
    write_scope = "upload"

    def get_parsers(self) -> list[Any]:
        """Files come as a form; everything else is JSON."""
        is_new = getattr(self, "action_map", {}).get("post") == "create"
        return [MultiPartParser()] if is_new else super().get_parsers()

    @extend_schema(request=UPLOAD_BODY, responses={201: UploadSerializer})
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Send files. They are stored at once; reading and computing follow: ask the address again for the states."""
        files = request.FILES.getlist("files")
        given = {name: value for name, value in request.data.items() if name not in request.FILES}
        checked_body(given, UPLOAD_FIELDS)
        if strange := [name for name in request.FILES if name != "files"]:
            raise Problem(f"Files come under the name ‘files’, not ‘{strange[0]}’.", field=strange[0])
        if files and all(file.refused for file in files):
            raise Problem(files[0].refused, files[0].refused_status, field="files")
        upload = ingest.receive(files, by=request.user, **_upload_fields(given))
        content = self.shown(upload.pk)
        return Response(content, status=201, headers={"Location": content["url"]})

    @extend_schema(request=AssignSerializer, responses=UploadSerializer, filters=False)
    @action(detail=True, methods=["post"])
    def assign(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Say to which sample a file belongs. What was measured from it before moves there, and is analysed anew."""
        content = AssignSerializer(data=checked_body(request.data, list(AssignSerializer().fields)))
        content.is_valid(raise_exception=True)
        sent, upload = content.validated_data, self.row()
        waiting.assign(
            _file_of(upload, sent["file"]),
            _found(sent["subject"]),
            by=request.user,
            reason=sent["reason"],
            version=sent["version"],
        )
        return Response(self.shown(upload.pk))

    @extend_schema(request=ColumnsSerializer, responses=UploadSerializer, filters=False)
    @action(detail=True, methods=["post"], url_path="columns")
    def name_columns(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Say what the columns and units of a table are; it is read and analysed again. Read ones need a reason."""
        content = ColumnsSerializer(data=checked_body(request.data, list(ColumnsSerializer().fields)))
        content.is_valid(raise_exception=True)
        sent, upload = content.validated_data, self.row()
        file = _file_of(upload, sent["file"])
        try:
            headers = mappings.headers_of(ingest.see_columns(file))
        except (StoreError, FenceError) as error:
            raise Problem(str(error), 503) from None
        if strange := [header for header in sent["columns"] if header not in headers]:
            seen = ", ".join(headers) or "none"
            raise Problem(f"{file.name} has no column ‘{strange[0]}’. Columns seen: {seen}.", field="columns")
        told = {header: (column["name"], column["unit"]) for header, column in sent["columns"].items()}
        mappings.describe(
            file,
            told,
            by=request.user,
            instrument=_instrument(sent["instrument"]),
            reason=sent["reason"],
            version=sent["version"],
        )
        return Response(self.shown(upload.pk))

    @extend_schema(request=DecisionSerializer, responses=UploadSerializer, filters=False)
    @action(detail=True, methods=["post"])
    def replace(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Take a file that differs from a test as its new version."""
        return self._decided("replace")

    @extend_schema(request=DecisionSerializer, responses=UploadSerializer, filters=False)
    @action(detail=True, methods=["post"])
    def separate(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Keep a file as a test of its own."""
        return self._decided("separate")

    @extend_schema(request=DecisionSerializer, responses=UploadSerializer, filters=False)
    @action(detail=True, methods=["post"])
    def join(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Join a restarted test to the one before it, as one with a gap."""
        return self._decided("join")

    @extend_schema(request=DecisionSerializer, responses=UploadSerializer, filters=False)
    @action(detail=True, methods=["post"])
    def undo(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Take a new version or a join back, within 10 minutes or until the next version."""
        return self._decided("undo")

    def _decided(self, decision: str) -> Response:
        content = DecisionSerializer(data=checked_body(self.request.data, ["file", "reason"]))
        content.is_valid(raise_exception=True)
        upload = self.row()
        growing.decide(
            _file_of(upload, content.validated_data["file"]),
            decision,
            by=self.request.user,
            reason=content.validated_data["reason"],
        )
        return Response(self.shown(upload.pk))


def _file_of(upload: Any, pk: int) -> UploadFile:
    file = UploadFile.objects.filter(upload=upload, pk=pk).first()
    if file is None:
        raise Problem(f"{upload.code} has no file {pk}.", field="file")
    return file


def _instrument(code: str) -> Instrument | None:
    if not code:
        return None
    found = Instrument.objects.live().filter(code=code).first()
    if found is None:
        raise Problem(f"There is no instrument {code}.", field="instrument")
    return found


def _found(code: str) -> Any:
    try:
        return find_subject(code)
    except ValidationError as error:
        raise ValidationError({"subject": error.messages}) from None


def _upload_fields(given: dict[str, str]) -> dict[str, Any]:
    """What came beside the files, as `receive` takes it; empty texts are as if not sent."""
    given = {name: text for name, text in given.items() if text != ""}
    ready: dict[str, Any] = {"kind": given.get("kind", "")}
    name = ""
    try:
        if (name := "temperature_degC") in given:
            ready[name] = filters.parse("number", given[name])
        if (name := "is_synthetic") in given:
            ready[name] = filters.flag(given[name])
        if (name := "parameters") in given:
            ready[name] = orjson.loads(given[name])
            if not isinstance(ready[name], dict):
                raise ValueError("a JSON object is expected")
    except ValueError as error:
        detail = "this is not JSON" if isinstance(error, orjson.JSONDecodeError) else str(error)
        raise Problem(f"{name}: {detail}.", field=name) from None
    if "instrument" in given:
        ready["instrument"] = _instrument(given["instrument"].strip())
    if "subject" in given:
        ready["subject"] = _found(given["subject"])
    return ready


# Measurements are mounted one floor up, where they can be analysed again.
COLLECTIONS = {"uploads": Uploads, "instruments": Instruments}
