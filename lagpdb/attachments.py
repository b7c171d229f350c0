"""Certificates and photographs that belong to a record. Their bytes lie in the store, whatever becomes of the record.

A form names them by hash: a file that was dropped on it has arrived before the form is saved, and stays part of its
draft.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from lagpdb.records import Record, Revision

KINDS = (("certificate", "certificate"), ("photo", "photograph"), ("other", "other file"))
_NAMES = {"certificate": "certificate", "photo": "photo", "file": "other"}  # what form fields are called
_KEPT = re.compile(r"^([0-9a-f]{64})\|(.{1,255})$", re.DOTALL)


@dataclass(frozen=True)
class Kept:
    """A file of a form whose bytes have arrived."""

    sha256: str
    name: str

    @property
    def text(self) -> str:
        """How a form carries it."""
        return f"{self.sha256}|{self.name}"


def arrive(file: Any) -> Kept:
    """Note the bytes of an upload; a ValidationError says why they were not stored."""
    if file.refused:
        raise ValidationError(f"{file.name}: {file.refused}")
    if not file.size:
        raise ValidationError(f"{file.name} is empty. Choose the file again.")
    apps.get_model("measurements", "RawFile").objects.get_or_create(
        sha256=file.sha256, defaults={"size_bytes": file.size, "original_name": file.name[:255]}
    )
    return Kept(file.sha256, file.name[:255])


def kept_in(data: Any, name: str) -> list[Kept]:
    """The files that a form carries under a name, each once."""
    texts = data.getlist(f"{name}-kept") if hasattr(data, "getlist") else []
    matches = filter(None, (_KEPT.match(text) for text in dict.fromkeys(texts)))
    dropped = set(data.getlist(f"{name}-drop")) if texts else set()
    return [Kept(match[1], match[2]) for match in matches if match[1] not in dropped]


def absorbed(request: HttpRequest) -> tuple[QueryDict, list[str]]:
    """The data of a form in which files that came with it are carried by hash; sentences on those that were refused."""
    data, problems = request.POST, []
    for field, files in request.FILES.lists():
        for file in files:
            try:
                kept = arrive(file)
            except ValidationError as error:
                problems += error.messages
            else:
                data = data if data is not request.POST else data.copy()
                data.appendlist(f"{field}-kept", kept.text)
    return data, problems


def attach(record: Record, data: Any, *, by: Any, prefix: str = "") -> int:
    """Hang the files that a form carries on its record; returns how many are new."""
    count = 0
    for name, kind in _NAMES.items():
        for kept in kept_in(data, f"{prefix}{name}"):
            count += add(record, kept, kind, by=by)
    return count


def add(record: Record, kept: Kept, kind: str, *, by: Any) -> bool:
    """Hang one file on a record, and tell its history. False when it hangs there already."""
    raw = apps.get_model("measurements", "RawFile").objects.filter(sha256=kept.sha256).first()
    if raw is None:
        raise ValidationError(f"{kept.name} has not arrived. Choose it again.")
    of_record = {"record_type": record._meta.label_lower, "record_code": record.code}
    with transaction.atomic():
        if _model().objects.filter(**of_record, raw_file=raw, removed_at=None).exists():
            return False
        _model().objects.create(**of_record, kind=kind, raw_file=raw, name=kept.name, created_by=by)
        _tell(record, by, "", [None, kept.name])
    return True


def attached_to(record: Record) -> QuerySet:
    """The files of a record that were not removed."""
    return (
        _model()
        .objects.filter(record_type=record._meta.label_lower, record_code=record.code, removed_at=None)
        .select_related("raw_file", "created_by")
    )


def remove(attachment: Any, record: Record, *, by: Any, reason: str) -> None:
    """Take a file off its record, with a reason. The bytes stay in the store."""
    if not reason.strip():
        raise ValidationError("Say why: the reason is kept with the history.")
    with transaction.atomic():
        taken = _model().objects.filter(pk=attachment.pk, removed_at=None).update(removed_at=timezone.now())
        if taken:
            _tell(record, by, reason.strip()[:500], [attachment.name, None])


def _model() -> Any:
    return apps.get_model("measurements", "Attachment")


def _tell(record: Record, by: Any, reason: str, change: list[str | None]) -> None:
    Revision.objects.create(
        record_type=record._meta.label_lower,
        record_id=record.pk,
        record_code=record.code,
        version=record.version,
        action=Revision.Action.CHANGED,
        by=by if getattr(by, "pk", None) else None,
        reason=reason,
        changes={"file": change},
    )
