"""Witness plates of a sputter run."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from lagpdb.records import save_record
from samples.models import SputterRun, WitnessPlate


def keep_witness(run: SputterRun, wanted: bool, *, by: Any, reason: str = "") -> WitnessPlate | None:
    """A run with a witness plate has one; where it exists already, it stays as it is.

    Raises
    ------
    ValidationError
        The run has one and none is wanted: a record is not taken away in passing.
    """
    plate = run.witness_plates.live().first()
    if plate is None and wanted:
        return save_record(WitnessPlate(sputter_run=run), by=by, reason=reason)
    if plate is not None and not wanted:
        raise ValidationError({"witness": f"{run.code} has the witness plate {plate.code}. Withdraw that record."})
    return plate
