"""The ground of every record: its code, its history, and `save_record()`, the one way to change it."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Q
from django.dispatch import Signal
from django.utils import timezone

# A record was created, edited, withdrawn or restored. Sent inside the transaction with `record`, `action`, `changes`.
record_changed = Signal()

SPELLING = re.compile(r"^\s*([A-Za-z]{3})[\s_-]?0*(\d{1,12})\s*$")


class StaleVersion(Exception):
    """Somebody else saved this record first.

    Attributes
    ----------
    stored, yours : Record
        The record as it stands now, and as it was to be saved.
    """

    def __init__(self, stored: Record, yours: Record) -> None:
        super().__init__(
            f"{stored.code} was changed meanwhile: your form shows version {yours.version}, the record is at version "
            f"{stored.version}. Compare both and save again."
        )
        self.stored = stored
        self.yours = yours


class CodeCounter(models.Model):
    """The last number given out per code prefix: codes are never used twice."""

    prefix = models.CharField(max_length=3, unique=True)
    last_number = models.PositiveBigIntegerField(default=0)

    class Meta:
        app_label = "ground"

    def __str__(self) -> str:
        return f"{self.prefix}-{self.last_number}"


def next_numbers(prefix: str, count: int = 1) -> range:
    """Reserve `count` numbers of a prefix. Holds a row lock until the transaction ends: call it late."""
    if not CodeCounter.objects.filter(prefix=prefix).update(last_number=F("last_number") + count):
        CodeCounter.objects.get_or_create(prefix=prefix)
        CodeCounter.objects.filter(prefix=prefix).update(last_number=F("last_number") + count)
    last = CodeCounter.objects.values_list("last_number", flat=True).get(prefix=prefix)
    return range(last - count + 1, last + 1)


def normal_code(text: str) -> str:
    """The code meant by any spelling: ``pel142``, ``PEL_0142`` and ``pel 142`` are ``PEL-0142``.

    Texts that are not of that shape (the codes of materials) come back stripped.
    """
    match = SPELLING.match(text)
    if not match:
        return text.strip()
    prefix = match[1].upper()
    return f"{prefix}-{int(match[2]):0{CODE_DIGITS.get(prefix, 4)}d}"


CODE_DIGITS = {"MEA": 5}


class VisibleQuerySet(models.QuerySet):
    """Rows that not everybody may see."""

    def visible_to(self, user: Any) -> Self:
        """What this person may see: today every signed-in person of the lab sees everything."""
        return self if user is not None and user.is_authenticated else self.none()


class RecordQuerySet(VisibleQuerySet):
    """Filters that every list starts from."""

    def live(self) -> Self:
        """Without the withdrawn ones."""
        return self.filter(withdrawn_at__isnull=True)


class Record(models.Model):
    """Who, when, which version, and where it went: the columns that all records share."""

    PREFIX: ClassVar[str] = ""  # three letters; empty where people choose the code themselves
    MOVED: ClassVar[frozenset[str]] = frozenset()  # fields that a verb of its own changes, with all that follows
    IS_RETIRED: ClassVar[bool] = False  # goes out of use without taking along what was made with it
    DIFF_SKIPS: ClassVar[frozenset[str]] = frozenset(
        {"id", "version", "created_at", "created_by", "updated_at", "withdrawn_operation"}
    )

    code = models.CharField(max_length=40, unique=True, help_text="Given once, never used again.")
    notes = models.TextField(blank=True, default="", help_text="Anything worth knowing that has no field of its own.")
    is_synthetic = models.BooleanField(
        default=False, help_text="Made by a generator, not measured. Never mixed with measured data in silence."
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+"
    )
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)
    withdrawn_reason = models.CharField(max_length=500, blank=True, default="", editable=False)
    withdrawn_operation = models.UUIDField(null=True, blank=True, editable=False)

    objects = RecordQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.code)

    def clean_fields(self, exclude: Any = None) -> None:
        """Refuse what is no number: SQLite would store NaN as an empty field."""
        from lagpdb.units import label

        super().clean_fields(exclude=exclude)
        for field in self._meta.concrete_fields:
            value = getattr(self, field.attname)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValidationError({field.name: f"{label(field.name)} must be a number, not {value}."})

    @property
    def is_withdrawn(self) -> bool:
        """Whether it lies in the trash."""
        return self.withdrawn_at is not None

    def prepare(self) -> None:
        """Fill what is derived at creation, before the checks run."""

    def settle(self, *, by: Any, changes: dict[str, list[Any]]) -> None:
        """Bring other records in line after this one was saved, inside its transaction."""

    def dependents(self) -> Iterable[models.QuerySet]:
        """The records that lose their meaning when this one is withdrawn."""
        return ()


class Revision(models.Model):
    """One change of one record: append-only, the history that people read."""

    class Action(models.TextChoices):
        CREATED = "created"
        CHANGED = "changed"
        WITHDRAWN = "withdrawn"
        RESTORED = "restored"

    record_type = models.CharField(max_length=60)
    record_id = models.BigIntegerField()
    record_code = models.CharField(max_length=40)
    version = models.PositiveIntegerField()
    action = models.CharField(max_length=10, choices=Action)
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500, blank=True, default="")
    changes = models.JSONField(default=dict, help_text="Field name to [old, new].")

    class Meta:
        app_label = "ground"
        ordering = ("-id",)
        indexes = (models.Index(fields=["record_type", "record_id"], name="revision_of_record"),)

    def __str__(self) -> str:
        return f"{self.record_code} version {self.version}: {self.action}"


def plain(value: Any) -> Any:
    """A field's value as JSON can hold it; records by their code."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def snapshot(record: Record) -> dict[str, Any]:
    """All fields that count as content, JSON-able; foreign keys as codes."""
    content: dict[str, Any] = {}
    for field in record._meta.concrete_fields:
        if field.name in record.DIFF_SKIPS:
            continue
        if field.is_relation:
            target = getattr(record, field.name) if getattr(record, field.attname) is not None else None
            content[field.name] = None if target is None else str(getattr(target, "code", target))
        else:
            content[field.name] = plain(getattr(record, field.attname))
    return content


def _log(record: Record, action: str, by: Any, reason: str, changes: dict[str, list[Any]]) -> None:
    Revision.objects.create(
        record_type=record._meta.label_lower,
        record_id=record.pk,
        record_code=record.code,
        version=record.version,
        action=action,
        by=by if getattr(by, "pk", None) else None,
        reason=reason,
        changes=changes,
    )
    record_changed.send(sender=type(record), record=record, action=action, changes=changes)


def save_record(record: Record, *, by: Any, reason: str = "", version: int | None = None) -> Record:
    """Create or change a record: checks, version, history and consequences in one transaction.

    Parameters
    ----------
    record : Record
        As it shall be.
    by : User or None
        Who does it; None for the system itself.
    reason : str
        Why, kept with the revision.
    version : int, optional
        The version that the editor saw; when the record is newer, nothing is saved.

    Raises
    ------
    django.core.exceptions.ValidationError
        A rule is broken; the sentences are the same in form, API and admin.
    StaleVersion
        Somebody saved it first.
    """
    with transaction.atomic():
        if record.pk is None:
            _create(record, by, reason)
        else:
            _change(record, by, reason, version)
    return record


def _create(record: Record, by: Any, reason: str) -> None:
    record.prepare()
    record.created_by = by if getattr(by, "pk", None) else None
    if record.PREFIX and not record.code:
        # Checked first without a code, so that a refused record does not use one up.
        record.full_clean(exclude=["code"])
        (number,) = next_numbers(record.PREFIX)
        record.code = normal_code(f"{record.PREFIX}-{number}")
    else:
        record.full_clean()
    record.save(force_insert=True)
    changes = {name: [None, new] for name, new in snapshot(record).items() if new not in (None, "", [], {}, False)}
    _log(record, Revision.Action.CREATED, by, reason, changes)
    record.settle(by=by, changes=changes)


def _change(record: Record, by: Any, reason: str, version: int | None) -> None:
    stored = type(record)._default_manager.select_for_update(no_key=True).get(pk=record.pk)
    if version is not None and version != stored.version:
        record.version = version
        raise StaleVersion(stored, record)
    before, after = snapshot(stored), snapshot(record)
    changes = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if not changes:
        return
    record.version = stored.version + 1
    record.updated_at = timezone.now()
    record.full_clean()
    record.save(force_update=True)
    _log(record, Revision.Action.CHANGED, by, reason, changes)
    record.settle(by=by, changes=changes)


def _family(record: Record) -> list[Record]:
    """The record and, once each, everything that hangs on it and is not withdrawn."""
    found: dict[tuple[str, int], Record] = {}
    waiting = [record]
    while waiting:
        current = waiting.pop()
        key = (current._meta.label_lower, current.pk)
        if key in found:
            continue
        found[key] = current
        for queryset in current.dependents():
            waiting.extend(queryset.live())
    return list(found.values())


def dependents_of(record: Record) -> list[Record]:
    """What is hidden together with the record when it is withdrawn."""
    return _family(record)[1:]


def in_trash(record: Any) -> str:
    """Why a record that lies in the trash takes nothing."""
    return f"{record.code} is in the trash. Restore it first."


def withdraw(record: Record, *, by: Any, reason: str) -> list[Record]:
    """Put a record and everything that hangs on it into the trash. Nothing is deleted."""
    if not reason.strip():
        raise ValidationError({"reason": "Say why: the reason is kept with the record and shown in the trash."})
    with transaction.atomic():
        _reload(record)
        if record.is_withdrawn:
            raise ValidationError(f"{record.code} is in the trash already ({record.withdrawn_reason}).")
        operation, now = uuid.uuid4(), timezone.now()
        family = _family(record)
        for member in family:
            member.withdrawn_at, member.withdrawn_reason, member.withdrawn_operation = now, reason, operation
            _stamp(member, Revision.Action.WITHDRAWN, by, reason)
    return family


def restore(record: Record, *, by: Any, reason: str = "") -> list[Record]:
    """Take a record out of the trash, with everything that went there together with it."""
    with transaction.atomic():
        _reload(record)
        if not record.is_withdrawn:
            raise ValidationError(f"{record.code} is not in the trash, so there is nothing to restore.")
        operation = record.withdrawn_operation
        family = []
        for model in _record_models():
            family += list(model._default_manager.filter(withdrawn_operation=operation, withdrawn_at__isnull=False))
        for member in family:
            member.withdrawn_at, member.withdrawn_reason, member.withdrawn_operation = None, "", None
            _refuse_lost_parent(member)
            member.full_clean()
            _stamp(member, Revision.Action.RESTORED, by, reason)
    record.refresh_from_db()
    return family


def _reload(record: Record) -> None:
    """The record as it stands now, locked: what the caller holds may be old."""
    record.refresh_from_db(from_queryset=type(record)._default_manager.select_for_update(no_key=True))


def _refuse_lost_parent(record: Record) -> None:
    """A record comes out of the trash after what it hangs on, not before."""
    for field in record._meta.concrete_fields:
        parent = getattr(record, field.name) if field.is_relation else None
        if isinstance(parent, Record) and parent.is_withdrawn:
            raise ValidationError(f"{parent.code}, which {record.code} belongs to, is in the trash. Restore it first.")


def _stamp(record: Record, action: str, by: Any, reason: str) -> None:
    record.version = record.version + 1
    record.updated_at = timezone.now()
    record.save(
        force_update=True,
        update_fields=["version", "updated_at", "withdrawn_at", "withdrawn_reason", "withdrawn_operation"],
    )
    _log(record, action, by, reason, {})
    record.settle(by=by, changes={"withdrawn_at": [None, plain(record.withdrawn_at)]})


def _record_models() -> list[type[Record]]:
    from django.apps import apps

    return [model for model in apps.get_models() if issubclass(model, Record)]


def positive(model: str, *fields: str, zero: bool = False) -> tuple[models.CheckConstraint, ...]:
    """Database rules: each field, where given, is above zero (or not below, with `zero`), and finite."""
    from lagpdb.units import label

    rules = []
    for field in fields:
        above = Q(**{f"{field}__gte" if zero else f"{field}__gt": 0})
        rules.append(
            models.CheckConstraint(
                name=f"{model}_{field}_positive".lower(),
                # An upper end refuses infinity on both databases, and NaN on PostgreSQL.
                condition=Q(**{f"{field}__isnull": True}) | (above & Q(**{f"{field}__lt": 1e12})),
                violation_error_message=f"{label(field)} must be {'0 or more' if zero else 'above 0'}.",
            )
        )
    return tuple(rules)
