"""The columns of runs and results."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, CharField, DateTimeField, Exists, OuterRef, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from rest_framework import serializers

from analysis.models import AnalysisRun, Result
from lagpdb.columns import Pointed
from lagpdb.serializers import Described, Number
from measurements.models import Measurement
from measurements.serializers import subject_code
from samples.models import SputterSetting


def run_subject(prefix: str) -> Combinable:
    """Code of the sample that a run speaks of."""
    paths = (
        "measurement__cell__code", "measurement__pellet__code", "measurement__witness_plate__code",
        "cell__code", "pellet__code", "sputter_setting__code",
    )  # fmt: skip
    return Coalesce(*(f"{prefix}{path}" for path in paths), output_field=CharField())


def result_subject(prefix: str) -> Combinable:
    """Code of what a number speaks of: the cell, the pellet, the witness plate, or the sputter setting."""
    setting = Pointed(f"{prefix}sputter_setting_id", SputterSetting)
    plate = Measurement.objects.filter(pk=OuterRef(f"{prefix}measurement_id")).values("witness_plate__code")[:1]
    return Coalesce(subject_code(prefix, plate=False), setting, Subquery(plate), output_field=CharField())


def run_is_synthetic(prefix: str) -> Combinable:
    """Whether what entered a run was made by a generator."""
    paths = ("measurement__is_synthetic", "cell__is_synthetic", "pellet__is_synthetic")
    # A run on a sputter setting has none of these: its numbers know which films it used.
    numbers = Exists(Result.objects.filter(run=OuterRef(f"{prefix}pk"), is_synthetic=True))
    return Coalesce(*(f"{prefix}{path}" for path in paths), numbers, output_field=BooleanField())


def run_updated_at(prefix: str) -> Combinable:
    """The last time that a run moved on."""
    paths = ("finished_at", "started_at", "created_at")
    return Coalesce(*(f"{prefix}{path}" for path in paths), output_field=DateTimeField())


class RunSerializer(Described):
    """One run of one analysis."""

    url = serializers.URLField(read_only=True, help_text="Address of this object.")
    subject = serializers.CharField(read_only=True, help_text="Code of the sample that the numbers speak of.")
    warnings = serializers.JSONField(read_only=True, help_text="What the run noticed: list of [code, sentence].")
    updated_at = serializers.DateTimeField(read_only=True, help_text="When it last moved on, UTC.")
    is_synthetic = serializers.BooleanField(read_only=True, help_text="Made from data of a generator.")
    created_by = serializers.SlugRelatedField(slug_field="username", read_only=True, help_text="Who asked for it.")

    class Meta:
        model = AnalysisRun
        key = "id"
        fields = (
            "id", "url", "analysis", "version", "software_version", "measurement", "subject", "state", "is_current",
            "parameters", "inputs", "warnings", "message", "reason", "is_synthetic", "created_at", "created_by",
            "started_at", "finished_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields
        expressions = {"subject": run_subject, "is_synthetic": run_is_synthetic, "updated_at": run_updated_at}
        kinds = {"subject": "code"}


class ResultSerializer(Described):
    """One number: what it is, its unit, uncertainty or limit, flag, conditions, and the run that made it."""

    url = serializers.URLField(read_only=True, help_text="Address of this object.")
    value = Number(read_only=True, allow_null=True, help_text="In `unit`; null when no number can be given.")
    subject = serializers.CharField(read_only=True, help_text="Code of the sample or setting that it speaks of.")
    run = serializers.IntegerField(source="run_id", read_only=True, help_text="Id of the run that made it.")
    analysis = serializers.CharField(source="run.analysis", read_only=True, help_text="The algorithm.")
    version = serializers.IntegerField(
        source="run.version", read_only=True, help_text="Version of the algorithm; for changes see row_version."
    )
    row_version = serializers.IntegerField(
        source="version", read_only=True, help_text="Counts changes of this row from 1; send it back on PATCH."
    )

    class Meta:
        model = Result
        key = "id"
        fields = (
            "id", "url", "quantity", "value", "uncertainty", "limit", "unit", "flag", "acceptance",
            "acceptance_reason", "label", "position", "temperature_degC", "cycle_number", "reference_cycle",
            "current_density_mA_cm2", "c_rate", "subject", "pellet", "cell", "sputter_setting", "measurement", "run",
            "analysis", "version", "is_current", "is_synthetic", "row_version", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields
        expressions = {"subject": result_subject}
        kinds = {"subject": "code"}


class JudgementSerializer(serializers.Serializer):
    """A person's word on a number."""

    acceptance = serializers.ChoiceField(Result.Acceptance.choices, help_text="What it is from now on.")
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=500, help_text="Why.")
    row_version = serializers.IntegerField(
        required=False, help_text="The row as you saw it: 409 when somebody else changed it meanwhile."
    )
    version = serializers.IntegerField(
        required=False, help_text="The algorithm as you saw it: 409 when it is another one."
    )


class ReanalyseSerializer(serializers.Serializer):
    """Choices for new runs."""

    parameters = serializers.DictField(
        required=False, default=dict, help_text="Known parameters, such as fit_range_Hz or masked_points."
    )
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=500, help_text="Why.")


class QuantitySerializer(serializers.Serializer):
    """One quantity, as the glossary defines it."""

    slug = serializers.CharField(help_text="Its name in results and columns.")
    url = serializers.URLField(help_text="Address of this object.")
    name = serializers.CharField(help_text="The field's words.")
    symbol = serializers.CharField(help_text="As in equations.")
    unit = serializers.CharField(help_text="'1' for pure numbers and shares.")
    definition = serializers.CharField(help_text="With the rule for doubtful cases.")
    formula = serializers.CharField(help_text="The equation, where there is one.")
    iri = serializers.CharField(allow_null=True, help_text="The same idea in EMMO.")
    group = serializers.CharField(help_text="Where in the work it comes from.")
    physical_min = Number(allow_null=True, help_text="Below it a number is flagged out_of_range.")
    physical_max = Number(allow_null=True, help_text="Above it a number is flagged out_of_range.")

    class Meta:
        model = None


def run_stub(run: AnalysisRun, base_url: str) -> dict[str, Any]:
    """A run that was just queued."""
    return {"id": run.pk, "url": f"{base_url}{run.pk}/", "analysis": run.analysis, "state": run.state}
