"""Forms that make one record for each of several pellets, all saved together or none."""

from __future__ import annotations

import copy
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from lagpdb.forms import RecordForm
from lagpdb.records import Record, save_record
from samples.models import Pellet


class SeveralMixin(RecordForm):
    """Needs `plans`: for each pellet, what its record has of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plans: list[tuple[Pellet, dict[str, Any]]] = []
        self.made: list[Any] = []

    def store(self, *, by: Any) -> bool:
        """Save a record for each pellet. False when a rule was broken for one of them: then none is saved."""
        now, made = timezone.now(), []
        try:
            with transaction.atomic():
                for pellet, own in self.plans:
                    record = copy.copy(self.instance)
                    record.pellet, record.created_at = pellet, now
                    for name, value in own.items():
                        setattr(record, name, value)
                    made.append(save_record(record, by=by, reason=self.noted("")))
        except ValidationError as error:
            self.refuse(error)
            return False
        self.made = made
        return True

    @property
    def saved(self) -> list[Record]:
        """The records that `store` has made."""
        return self.made


def made_together(record: Any) -> list[Any]:
    """The records of its kind that came from the same form, itself among them."""
    others = type(record)._default_manager.live().filter(
        created_at=record.created_at, created_by=record.created_by_id
    )  # fmt: skip
    return list(others.select_related("pellet__batch__powder_lot__material").order_by("pk")[:50])


def refusal_of(pellet: Pellet) -> str:
    """Why nothing more can be made of a pellet: it is in a live cell, broken or used up; '' when it is free."""
    if pellet.state in (Pellet.State.BROKEN, Pellet.State.CONSUMED):
        return f"{pellet.code} is {pellet.get_state_display().lower()}. Choose another pellet."
    cell = pellet.live_cell
    return cell.holds_its_pellet if cell else ""
