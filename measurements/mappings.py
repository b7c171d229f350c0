"""What people say the columns of a table are: checked, kept with the bytes, remembered with the instrument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from lagpdb import ledger
from lagpdb.records import StaleVersion, save_record
from measurements import packing
from measurements.drafting import draft
from measurements.growing import analyse
from measurements.kinds import SERIES_KINDS
from measurements.matching import Match
from measurements.models import Instrument, Measurement, MeasurementFile, RawFile, UploadFile
from measurements.readers.columns import (
    CURRENT,
    FREQUENCY,
    IMPEDANCE,
    LABELS,
    PHASE,
    POTENTIAL,
    SERIES,
    TIME,
    UNIX_TIME,
    Z_IMAG,
    Z_MODULUS,
    Z_REAL,
    unit_factor,
)
from measurements.readers.series_columns import SERIES_LABELS, SI_UNITS, STEP_TIME, unit_of
from measurements.store import parsed_path
from measurements.waiting import log, rearm_for_reading

_SI_OF_SPECTRUM = {FREQUENCY: "Hz", Z_REAL: "Ω", Z_IMAG: "Ω", Z_MODULUS: "Ω", PHASE: "°"}
MOST_REMEMBERED = 50  # headers of one instrument
PLAIN = "generic"  # the reader of tables that no instrument's format explains
UNITS_NOT_STATED = "unit_not_stated"
# Units that a person can choose, beside what the header says.
UNITS = ("s", "ms", "min", "h", "V", "mV", "A", "mA", "µA", "mAh", "Ah", "mWh", "Wh", "°C", "K",
         "Hz", "kHz", "MHz", "rad/s", "Ω", "kΩ", "MΩ", "mΩ", "°", "rad")  # fmt: skip
KNOWN = (*SERIES, *IMPEDANCE)
SPECTRUM_LABELS = {name: LABELS[name] for name in IMPEDANCE if name in LABELS}
SPECTRUM_LABELS |= {f"-{name}": f"−{LABELS[name]} (its sign is turned)" for name in (Z_IMAG, PHASE)}


def headers_of(columns: list[dict[str, Any]]) -> list[str]:
    """The headers by which a table is known again."""
    return [str(column["header"]) for column in columns]


def column_choices(files: Iterable[UploadFile]) -> dict[str, Any]:
    """What the dialog of columns offers; nothing is asked when no file waits for it."""
    if not any(file.columns_seen and file.state == UploadFile.State.FAILED for file in files):
        return {}
    return choices()


def choices() -> dict[str, Any]:
    """Names, units and instruments of the dialog."""
    return {
        "column_choices": {
            "Over time": [(name, SERIES_LABELS[name].capitalize()) for name in SERIES],
            "Impedance": [(name, words[:1].upper() + words[1:]) for name, words in SPECTRUM_LABELS.items()],
        },
        "unit_choices": UNITS,
        "instruments": Instrument.objects.live().order_by("code"),
    }


def as_taken(columns: list[dict[str, Any]], mapping: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The columns of a table with the name and unit under which each was read; `mapping` is what was said before."""
    shown = []
    for column in columns:
        name, unit = mapping.get(column["header"], (column["guess"], column["unit"]))
        name = name if name in KNOWN else ""
        unit = str(unit or SI_UNITS.get(name, "") or _SI_OF_SPECTRUM.get(name.lstrip("-"), "")) if name else ""
        shown.append({**column, "guess": name, "unit": _spelling(name, unit)})
    return shown


def _spelling(name: str, unit: str) -> str:
    """The unit of the list that a unit of a file means; itself where the list has none."""
    factor = _factor(name, unit) if unit else None
    return next((known for known in UNITS if factor is not None and _factor(name, known) == factor), unit)


def _factor(name: str, unit: str) -> Any:
    """What a unit of a column means; None where it is none of it."""
    return unit_of(name, unit) if name in SERIES else unit_factor(name.lstrip("-"), unit)


def in_words(mapping: Mapping[str, list[str]]) -> str:
    """'potential from ‘U’ in mV, current from ‘I’ in µA'."""
    return ", ".join(
        f"{SERIES_LABELS.get(name) or SPECTRUM_LABELS.get(name, name)} from ‘{header}’"
        + (f" in {unit}" if unit else "")
        for header, (name, unit) in mapping.items()
    )


def is_plain_table(answer: Mapping[str, Any]) -> bool:
    """Whether reading gave recordings without an instrument's format."""
    return answer.get("reader") == PLAIN and bool(answer.get("recordings"))


def is_describable(measurement: Measurement, part: MeasurementFile) -> bool:
    """Whether the page offers to say what the columns and units are: a plain table, or a file without units."""
    if measurement.is_withdrawn or part.superseded_at is not None:
        return False
    if measurement.kind == "eis":
        return part.raw_file.reader == PLAIN
    codes = {code for code, _ in measurement.reader_warnings}
    return part.raw_file.reader == PLAIN or UNITS_NOT_STATED in codes


def file_of(part: MeasurementFile) -> UploadFile | None:
    """The uploaded file that a part of a measurement came with."""
    files = UploadFile.objects.filter(raw_file=part.raw_file_id, measurements=part.measurement_id)
    return files.exclude(state=UploadFile.State.DUPLICATE).order_by("-pk").first()


def measured_parts(file: UploadFile) -> list[MeasurementFile]:
    """The parts in force that measurements have of a file."""
    parts = MeasurementFile.objects.filter(raw_file=file.raw_file_id, measurement__in=file.measurements.all())
    return list(parts.filter(superseded_at__isnull=True).select_related("raw_file", "measurement").order_by("pk"))


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
    file: UploadFile,
    mapping: Mapping[str, tuple[str, str]],
    *,
    by: Any,
    instrument: Instrument | None = None,
    reason: str = "",
    version: int | None = None,
) -> UploadFile:
    """Read a table again as a person described it, and remember the description with the instrument.

    A table that has a measurement already stays in force as it is until the new reading has succeeded.

    Parameters
    ----------
    mapping : dict
        Header to (canonical name, unit); a name of ``""`` leaves the column as it is.
    reason : str
        Why a table that was read already is read in another way; kept with the record.
    version : int, optional
        Of the measurement, as the person saw it.

    Raises
    ------
    ValidationError
        The file waits for no description, or the description says too little or too much.
    StaleVersion
        Somebody else changed the measurement first.
    """
    with transaction.atomic():
        stored = UploadFile.objects.select_for_update(no_key=True).get(pk=file.pk)
        parts = measured_parts(stored)
        if not stored.columns_seen or not (parts or stored.state == UploadFile.State.FAILED):
            raise ValidationError(f"{stored.name} does not wait for its columns. Reload the page.")
        checked = _checked(mapping, stored.columns_seen)
        if parts:
            _ask_again(stored, parts, checked, by, reason, version)
        elif not MeasurementFile.objects.filter(raw_file=stored.raw_file_id).exists():
            RawFile.objects.filter(pk=stored.raw_file_id).update(column_mapping=checked)
        if instrument is not None:
            _remember(instrument, headers_of(stored.columns_seen), checked)
        rearm_for_reading(stored)
        log(stored, by, reason or "columns named", {"columns": [None, checked]})
    stored.refresh_from_db()
    return stored


def _ask_again(
    file: UploadFile,
    parts: list[MeasurementFile],
    mapping: dict[str, list[str]],
    by: Any,
    reason: str,
    version: int | None,
) -> None:
    """Note on a (locked) file how it shall be read from now on; it counts once it has been read so."""
    if not file.is_final:
        raise ValidationError(f"{file.name} is being read again already, perhaps by somebody else. Reload the page.")
    keys = [part.measurement_id for part in parts]
    held = list(Measurement.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk"))
    if version is not None and version != held[0].version:
        yours = Measurement(code=held[0].code, version=version)
        raise StaleVersion(held[0], yours)
    if gone := next((item for item in held if item.is_withdrawn), None):
        raise ValidationError(f"{gone.code} is in the trash. Restore it first.")
    if not reason.strip():
        raise ValidationError("Say why: the reason is kept with the measurement.")
    if mapping == parts[0].raw_file.column_mapping:
        raise ValidationError(f"{file.name} is read with these columns and units already. Change one of them.")
    asked = {"mapping": mapping, "reason": reason.strip()[:500], "by": getattr(by, "pk", None)}
    file.relation = {**file.relation, "columns": asked}


def take_described(held: ledger.Claim, file: UploadFile, raw: RawFile, answer: dict[str, Any]) -> None:
    """Put in force what reading a (locked) file with other columns gave, and analyse anew. In the caller's transaction.

    Where it could not be read so, its measurements stay as they are and the file says why.
    """
    relation = dict(file.relation)
    asked = relation.pop("columns")
    parts = measured_parts(file)
    codes = ", ".join(dict.fromkeys(part.measurement.code for part in parts))
    is_grown = relation.get("how") == "extends"
    ended = {
        "state": UploadFile.State.EXTENDS if is_grown else UploadFile.State.DONE,
        "finished_at": timezone.now(),
        "relation": relation,
    }
    if problem := _refusal(answer, parts):
        message = f"Not read with the columns that were chosen: {problem} {codes} stays as it was."
        ledger.close(held, message=message, line=answer.get("line"), **ended)
        return
    rows = {part.pk: packing.row_count(parsed_path(part)) for part in parts}
    raw.column_mapping, raw.reader, raw.reader_version = asked["mapping"], answer["reader"], answer["reader_version"]
    raw.save(update_fields=["column_mapping", "reader", "reader_version"])
    runs = sum(_redraw(file, part, answer["recordings"][part.part_number], rows[part.pk], asked) for part in parts)
    message = f"Read again with other columns and units: {codes}."
    waits = {"state": UploadFile.State.QUEUED, "finished_at": None} if runs else {}
    seen = {"recognised_as": answer["reader_name"]}
    ledger.close(held, **{**ended, "message": message, "line": None, **waits, **seen})


def _refusal(answer: dict[str, Any], parts: list[MeasurementFile]) -> str:
    """Why the answer cannot take the place of what these parts are; empty when it can."""
    if "sentence" in answer:
        return str(answer["sentence"])
    if gone := next((part.measurement for part in parts if part.measurement.is_withdrawn), None):
        return f"{gone.code} is in the trash."
    found = answer["recordings"]
    if not parts or any(part.part_number >= len(found) for part in parts) or len(found) != len(parts):
        return f"{len(found)} recording{'s' if len(found) != 1 else ''} would be found where there were {len(parts)}."
    if any(
        (part.measurement.kind == "eis") != (item["technique"] == "impedance")
        for part, item in zip(parts, found, strict=True)
    ):
        return "An impedance would become a recording over time, or the other way round. Upload it anew for that."
    return ""


def _redraw(
    file: UploadFile, part: MeasurementFile, described: dict[str, Any], rows: int, asked: dict[str, Any]
) -> int:
    """Make a measurement of what was read now; returns how many runs wait."""
    measurement = Measurement.objects.select_for_update(no_key=True).get(pk=part.measurement_id)
    former = measurement.kind
    drawn = draft(file, described, Match(measurement.subject))
    measurement.point_count += drawn.point_count - rows
    measurement.reader_warnings = drawn.reader_warnings
    if part.position == 0:
        measurement.metadata = drawn.metadata
    else:
        measurement.metadata = {**measurement.metadata, f"columns_of_file_{part.position + 1}": asked["mapping"]}
    if drawn.kind in SERIES_KINDS:
        measurement.kind = drawn.kind  # only in its own units may a test show what it is
    by = get_user_model().objects.filter(pk=asked["by"]).first()
    save_record(measurement, by=by, reason=asked["reason"])
    return analyse(measurement, former, file)


def _checked(mapping: Mapping[str, tuple[str, str]], columns: list[dict[str, Any]]) -> dict[str, list[str]]:
    headers = headers_of(columns)
    chosen = {header: [name, unit] for header, (name, unit) in mapping.items() if header in headers and name}
    names = [name for name, _ in chosen.values()]
    if strange := [name for name in names if name not in KNOWN]:
        raise ValidationError(f"‘{strange[0]}’ is not the name of a column. Known: {', '.join(KNOWN)}.")
    bare = [name.lstrip("-") for name in names]
    if twice := next((name for name in bare if bare.count(name) > 1), None):
        raise ValidationError(f"Two columns are named {LABELS.get(twice, twice)}. Choose one of them.")
    for header, (name, unit) in chosen.items():
        if unit and _factor(name, unit) is None:
            label = LABELS.get(name.lstrip("-"), name)
            raise ValidationError(f"‘{unit}’ is not a unit of {label} (column ‘{header}’).")
    if {FREQUENCY, Z_REAL, Z_IMAG, Z_MODULUS, PHASE} & set(bare):
        if FREQUENCY not in bare or not ({Z_REAL, Z_IMAG} <= set(bare) or {Z_MODULUS, PHASE} <= set(bare)):
            raise ValidationError("An impedance needs the frequency, and Z′ and Z″, or |Z| and the phase. Choose them.")
        return chosen
    # A date, or the time in its step, that stands in the file stays what its header says.
    others = {column["guess"] for column in columns if column["header"] not in chosen}
    if not ({TIME, UNIX_TIME} & set(names) or STEP_TIME in others) or not {POTENTIAL, CURRENT} & set(names):
        raise ValidationError(
            "Choose the time, and the potential or the current; of an impedance the frequency, Z′ and Z″."
        )
    return chosen


def _remember(instrument: Instrument, headers: list[str], mapping: dict[str, list[str]]) -> None:
    held = Instrument.objects.select_for_update(no_key=True).get(pk=instrument.pk)
    others = [known for known in held.column_mappings if known["headers"] != headers]
    kept = [*others, {"headers": headers, "mapping": mapping}][-MOST_REMEMBERED:]
    # Not a change of the record: nothing that people see of the instrument moves.
    Instrument.objects.filter(pk=held.pk).update(column_mappings=kept)
