"""Say which faces of which pellets a sputter run coated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from lagpdb.records import Revision, record_changed
from samples.models import Coating, Pellet, SputterRun


def coat(
    run: SputterRun, wanted: Iterable[tuple[Pellet, str]], *, by: Any, reason: str = "", is_new: bool = False
) -> None:
    """Make the coatings of a run exactly those of `wanted`: pairs of a pellet and its faces, 'A', 'B' or 'AB'.

    A new layer lies on all that is there. With `is_new` this belongs to the making of the run, in one transaction;
    later it is a correction: a revision, and the cells on those pellets hear of it.

    Raises
    ------
    ValidationError
        A pellet is named twice, or a layer to be taken away lies under another one or was converted.
    """
    pairs = list(wanted)
    pellets = {pellet.pk: pellet for pellet, _ in pairs}
    if len(pellets) < len(pairs):
        raise ValidationError({"pellets": "A pellet is named twice. Name it once, with all its faces."})
    asked = {(pellet.pk, face) for pellet, faces in pairs for face in faces}
    with transaction.atomic():
        # The rows of the pellets are locked: two runs at once would both take the same layer number.
        list(Pellet.objects.select_for_update().filter(pk__in=pellets).order_by("pk"))
        before = _words(run)
        present = {
            (coating.pellet_id, coating.face): coating
            for coating in run.coatings.select_related("pellet", "conversion")
        }
        for key, coating in present.items():
            if key not in asked:
                _take_away(coating)
        for pellet_id, face in sorted(asked - set(present)):
            _lay(run, pellets[pellet_id], face)
        after = _words(run)
        if is_new:
            _note_made(run, after)
        elif before != after:
            _note_changed(run, before, after, by, reason)


def _lay(run: SputterRun, pellet: Pellet, face: str) -> None:
    top = Coating.objects.filter(pellet=pellet, face=face).aggregate(top=Max("layer_number"))["top"] or 0
    coating = Coating(sputter_run=run, pellet=pellet, face=face, layer_number=top + 1)
    coating.full_clean()
    coating.save()


def _take_away(coating: Coating) -> None:
    above = Coating.objects.filter(
        pellet=coating.pellet_id, face=coating.face, layer_number__gt=coating.layer_number
    ).select_related("sputter_run")
    if top := above.first():
        raise ValidationError(
            {
                "pellets": f"{top.sputter_run.code} lies on the layer of this run on {coating.pellet.code}, face "
                f"{coating.face}. Withdraw that run first."
            }
        )
    reached = coating.conversion
    if reached is not None and not reached.is_withdrawn:
        raise ValidationError(
            {
                "pellets": f"{reached.code} has converted the layer of this run on {coating.pellet.code}, face "
                f"{coating.face}. Withdraw that conversion first."
            }
        )
    coating.delete()


def _words(run: SputterRun) -> list[str]:
    faces: dict[str, str] = {}
    for code, face in run.coatings.order_by("pellet__code", "face").values_list("pellet__code", "face"):
        faces[code] = faces.get(code, "") + face
    return [f"{code} {letters}" for code, letters in faces.items()]


def _note_made(run: SputterRun, after: list[str]) -> None:
    made = Revision.objects.filter(record_type=run._meta.label_lower, record_id=run.pk, version=run.version).first()
    if made is not None and after:
        made.changes["pellets"] = [None, after]
        made.save(update_fields=["changes"])


def _note_changed(run: SputterRun, before: list[str], after: list[str], by: Any, reason: str) -> None:
    changes: dict[str, list[Any]] = {"pellets": [before, after]}
    run.version, run.updated_at = run.version + 1, timezone.now()
    run.save(update_fields=["version", "updated_at"])
    Revision.objects.create(
        record_type=run._meta.label_lower,
        record_id=run.pk,
        record_code=run.code,
        version=run.version,
        action=Revision.Action.CHANGED,
        by=by if getattr(by, "pk", None) else None,
        reason=reason,
        changes=changes,
    )
    record_changed.send(sender=SputterRun, record=run, action=Revision.Action.CHANGED, changes=changes)
