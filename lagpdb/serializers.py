"""Fields and serializers shared by all collections: plain numbers, codes in any spelling, unit in every description."""

from __future__ import annotations

import math
import re
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from lagpdb.models import Revision
from lagpdb.problems import Problem, Problems, nearest
from lagpdb.records import in_trash, normal_code
from lagpdb.units import symbol

HEAD = ("code", "url")
TAIL = (
    "notes",
    "is_synthetic",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "withdrawn_at",
    "withdrawn_reason",
)


class Number(serializers.FloatField):
    """A plain JSON number: not a text, not true or false, not infinite."""

    default_error_messages = {"plain": "A plain number is expected, such as 801.3."}

    def to_internal_value(self, data: Any) -> float:
        """The number as it is."""
        try:
            if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
                raise ValueError
            return float(data)
        except (ValueError, OverflowError):
            self.fail("plain")


class CodeField(serializers.SlugRelatedField):
    """A record by its code, in any spelling."""

    def __init__(self, slug_field: str = "code", **kwargs: Any) -> None:
        super().__init__(slug_field=slug_field, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """The record, if it exists and is not in the trash."""
        queryset = self.get_queryset()
        what = queryset.model._meta.verbose_name
        if not isinstance(data, str):
            raise serializers.ValidationError(f"The code of a {what} is expected, as text.")
        try:
            text = normal_code(data) if getattr(queryset.model, "PREFIX", "") else data.strip()
            record = queryset.get(**{self.slug_field: text})
        except (queryset.model.DoesNotExist, ValueError):
            raise serializers.ValidationError(f"There is no {what} {data.strip()}. Check the code.") from None
        if getattr(record, "withdrawn_at", None) is not None:
            raise serializers.ValidationError(in_trash(record))
        return record


def described(name: str, text: str) -> str:
    """The description of a field, its unit first: '[µm] Mean of the readings.'"""
    unit = symbol(name)
    return f"[{unit}] {text}".strip() if unit else text


class Described(serializers.ModelSerializer):
    """Numbers, codes and descriptions as all collections have them; rules are left to the model."""

    serializer_related_field = CodeField
    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {models.FloatField: Number}

    def build_relational_field(self, field_name: str, relation_info: Any) -> tuple[type, dict[str, Any]]:
        """Records by code, people by user name."""
        field_class, kwargs = super().build_relational_field(field_name, relation_info)
        is_person = issubclass(relation_info.related_model, get_user_model())
        kwargs.pop("view_name", None)
        return field_class, kwargs | {"slug_field": "username" if is_person else "code"}

    def get_fields(self) -> dict[str, Any]:
        """Fields with unit and meaning, without checks that `full_clean` does with better sentences."""
        fields = super().get_fields()
        for name, field in fields.items():
            field.help_text = described(name, str(field.help_text or ""))
            if field.help_text == "":
                field.help_text = None
            field.validators = [each for each in field.validators if not isinstance(each, UniqueValidator)]
        return fields

    def get_validators(self) -> list[Any]:
        """None: constraints are checked by `full_clean`."""
        return []


class RecordSerializer(Described):
    """Base of every record: code, url, notes, version, times."""

    url = serializers.URLField(read_only=True, help_text="Address of this object.")
    version = serializers.IntegerField(read_only=True, help_text="Counts changes from 1; send it back on PATCH.")
    created_at = serializers.DateTimeField(read_only=True, help_text="When it was entered, UTC.")
    created_by = serializers.SlugRelatedField(slug_field="username", read_only=True, help_text="Who entered it.")
    updated_at = serializers.DateTimeField(read_only=True, help_text="When it was last changed, UTC.")
    withdrawn_at = serializers.DateTimeField(read_only=True, help_text="When it went to the trash; null while in use.")
    withdrawn_reason = serializers.CharField(read_only=True, help_text="Why it went to the trash.")

    def get_fields(self) -> dict[str, Any]:
        """The code can be chosen only where it has no prefix, and only once."""
        fields = super().get_fields()
        if "code" in fields and (self.Meta.model.PREFIX or self.instance is not None):
            fields["code"].read_only, fields["code"].required = True, False
        return fields


class ReasonSerializer(serializers.Serializer):
    """Why something is done."""

    reason = serializers.CharField(
        max_length=500, required=False, allow_blank=True, default="", help_text="Why; kept with the history."
    )


class RevisionSerializer(serializers.ModelSerializer):
    """One change of one record."""

    by = serializers.SlugRelatedField(slug_field="username", read_only=True, help_text="Who did it; null: the system.")
    changes = serializers.DictField(
        child=serializers.ListField(), read_only=True, help_text="Field name to [old, new]."
    )

    class Meta:
        model = Revision
        fields = ("version", "action", "at", "by", "reason", "changes")


class ErrorSerializer(serializers.Serializer):
    """One error; several stand under `errors` too."""

    type = serializers.CharField(help_text="For programs: broken_rule, unknown_parameter, stale_version, …")
    title = serializers.CharField(help_text="What kind of thing went wrong.")
    detail = serializers.CharField(help_text="Place, cause and next step.")
    field = serializers.CharField(allow_null=True, help_text="Field or parameter it is about.")
    line = serializers.IntegerField(allow_null=True, help_text="Line of the file it is about.")
    ref = serializers.CharField(allow_null=True, help_text="Reference to tell an administrator.")


# -- bodies ------------------------------------------------------------------------------------------------------------
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def checked_body(data: Any, known: list[str]) -> dict[str, Any]:
    """The body as a dict of known fields and storable texts.

    Raises
    ------
    Problem
        It is not an object, a field is unknown, or a text holds characters that no database keeps.
    """
    if not isinstance(data, dict):
        raise Problem("A JSON object is expected: field names and values.")
    strange = [name for name in data if name not in known]
    if strange:
        sentence = "‘{}’ is not a field that can be written here.{}"
        raise Problems(
            [
                Problem(sentence.format(name, nearest(str(name), known)), field=str(name), type="unknown_field")
                for name in strange
            ]
        )
    if any(_UNSTORABLE.search(text) for text in _texts(data)):
        raise Problem("A text holds control characters or half characters that cannot be stored.")
    return dict(data)


def given_body(
    request: Any, serializer_class: Any, *, is_new: bool = False, extra: tuple[str, ...] = ()
) -> tuple[dict[str, Any], str, int | None]:
    """Fields, reason and version of a request that writes.

    Returns
    -------
    (dict, str, int or None)
        What goes into the serializer; why; the version that the sender saw.
    """
    fields = serializer_class(instance=None if is_new else serializer_class.Meta.model()).fields
    writable = [name for name, field in fields.items() if not field.read_only]
    own = ["reason"] if is_new else ["reason", "version"]
    content = checked_body(request.data, [*writable, *own, *extra])
    reason, version = content.pop("reason", ""), content.pop("version", None)
    if not isinstance(reason, str) or len(reason) > 500:
        raise Problem("The reason is a text of at most 500 characters.", field="reason")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise Problem("The version is the whole number that you were given.", field="version")
    return content, reason, version
