"""What people say the columns of a table are: checked, kept with the bytes, remembered with the instrument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from lagpdb.units import label
from measurements.models import Instrument, RawFile, UploadFile
from measurements.readers.columns import CURRENT, LABELS, POTENTIAL, SERIES, TIME
from measurements.readers.series_columns import unit_of
from measurements.waiting import log, rearm_for_reading

MOST_REMEMBERED = 50  # headers of one instrument
# Units that a person can choose, beside what the header says.
UNITS = ("s", "min", "h", "V", "mV", "A", "mA", "µA", "mAh", "Ah", "mWh", "Wh", "°C", "K")


def headers_of(columns: list[dict[str, Any]]) -> list[str]:
    """The headers by which a table is known again."""
    return [str(column["header"]) for column in columns]


def column_choices(files: Iterable[UploadFile]) -> dict[str, Any]:
    """What the dialog of columns offers; nothing is asked when no file waits for it."""
    if not any(file.columns_seen and file.state == UploadFile.State.FAILED for file in files):
        return {}
    return {
        "column_choices": [(name, label(name)) for name in SERIES],
        "unit_choices": UNITS,
        "instruments": Instrument.objects.live().order_by("code"),
    }


def mapping_for(instrument: Instrument | None, columns: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What was said of a table with these headers from this instrument; empty when nothing was."""
    if instrument is None or not columns:
        return {}
    wanted = headers_of(columns)
    for known in instrument.column_mappings:
        if known["headers"] == wanted:
            return dict(known["mapping"])
    return {}


def describe(
    file: UploadFile, mapping: Mapping[str, tuple[str, str]], *, by: Any, instrument: Instrument | None = None
) -> UploadFile:
    """Read a table again as a person described it, and remember the description with the instrument.

    Parameters
    ----------
    mapping : dict
        Header to (canonical name, unit); a name of ``""`` leaves the column as it is.

    Raises
    ------
    ValidationError
        The file waits for no description, or the description says too little or too much.
    """
    with transaction.atomic():
        stored = UploadFile.objects.select_for_update(no_key=True).get(pk=file.pk)
        if stored.state != UploadFile.State.FAILED or not stored.columns_seen:
            raise ValidationError(f"{stored.name} does not wait for its columns. Reload the page.")
        checked = _checked(mapping, headers_of(stored.columns_seen))
        RawFile.objects.filter(pk=stored.raw_file_id).update(column_mapping=checked)
        if instrument is not None:
            _remember(instrument, headers_of(stored.columns_seen), checked)
        rearm_for_reading(stored)
        log(stored, by, "columns named", {"columns": [None, checked]})
    stored.refresh_from_db()
    return stored


def _checked(mapping: Mapping[str, tuple[str, str]], headers: list[str]) -> dict[str, list[str]]:
    chosen = {header: [name, unit] for header, (name, unit) in mapping.items() if header in headers and name}
    names = [name for name, _ in chosen.values()]
    if strange := [name for name in names if name not in SERIES]:
        raise ValidationError(f"‘{strange[0]}’ is not the name of a column. Known: {', '.join(SERIES)}.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValidationError(f"Two columns are named {LABELS.get(twice, twice)}. Choose one of them.")
    for header, (name, unit) in chosen.items():
        if unit and unit_of(name, unit) is None:
            raise ValidationError(f"‘{unit}’ is not a unit of {LABELS.get(name, name)} (column ‘{header}’).")
    if TIME not in names or not {POTENTIAL, CURRENT} & set(names):
        raise ValidationError("Choose the time, and the potential or the current.")
    return chosen


def _remember(instrument: Instrument, headers: list[str], mapping: dict[str, list[str]]) -> None:
    held = Instrument.objects.select_for_update(no_key=True).get(pk=instrument.pk)
    others = [known for known in held.column_mappings if known["headers"] != headers]
    kept = [*others, {"headers": headers, "mapping": mapping}][-MOST_REMEMBERED:]
    # Not a change of the record: nothing that people see of the instrument moves.
    Instrument.objects.filter(pk=held.pk).update(column_mappings=kept)
