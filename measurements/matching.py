"""Which sample a file belongs to, and what its name says. Codes and temperatures in names; never a guess in silence."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q

from lagpdb.records import normal_code
from measurements.kinds import SERIES_KINDS
from measurements.models import UploadFile
from samples.models import Cell, Pellet, WitnessPlate

# Letters, at most one '-', '_' or space, digits; the first non-digit ends it.
_CODE = re.compile(r"(?<![A-Za-z])(PEL|CEL|WIT)[-_ ]?(\d{1,9})", re.IGNORECASE)
# '-' is a sign at the beginning or after a separator, and a separator after a letter or digit.
_SIGN = r"(?:(?<![A-Za-z0-9)])[-−])?"
_CELSIUS = re.compile(rf"(?<![\d.,])({_SIGN}\d+(?:[.,p]\d+)?)\s?_?(?:°\s?C|deg[ _]?C?|grad)(?![A-Za-z])", re.IGNORECASE)
# A bare C is a temperature only with two or three digits before it: 0.1C, 1C and 5C are rates.
_BARE_C = re.compile(rf"(?<![\d.,pP])({_SIGN}\d{{2,3}}(?:[.,]\d+)?)\s?C(?![A-Za-z0-9])")
_KELVIN = re.compile(r"(?<![\d.,A-Za-z])(\d{3}(?:[.,]\d+)?)\s?K(?![A-Za-z0-9])")


@dataclass
class Match:
    """Where a file belongs, or why that is open."""

    subject: Any = None
    how: str = ""
    sentence: str = ""
    candidates: list[dict[str, str]] = field(default_factory=list)


def temperature_in_name(name: str) -> float | None:
    """Temperature [°C] that a file name states (``25C``, ``60degC``, ``298K``); None when none or several are named."""
    stem = PurePosixPath(name).stem if "." in name[-6:] else name
    found = {float(text.replace("−", "-").replace(",", ".").replace("p", ".")) for text in _CELSIUS.findall(stem)}
    found |= {float(text.replace("−", "-").replace(",", ".")) for text in _BARE_C.findall(stem)}
    if not found:
        found = {round(float(text.replace(",", ".")) - 273.15, 2) for text in _KELVIN.findall(stem)}
    return found.pop() if len(found) == 1 else None


def codes_in(text: str) -> list[str]:
    """Codes of pellets, cells and witness plates in a text, each once, in order."""
    return list(dict.fromkeys(normal_code(f"{prefix}-{number}") for prefix, number in _CODE.findall(text)))


def find_subject(text: str) -> Pellet | Cell | WitnessPlate:
    """The pellet, cell or witness plate that any spelling of a code means.

    Raises
    ------
    ValidationError
        With the sentence for people when there is no such sample, or it is in the trash.
    """
    code = normal_code(text)
    model = {"PEL": Pellet, "CEL": Cell, "WIT": WitnessPlate}.get(code[:3])
    if model is None:
        raise ValidationError(
            f"‘{text.strip()}’ is not the code of a pellet, a cell or a witness plate. Codes look like PEL-0142, "
            "CEL-0098 or WIT-0031."
        )
    rows = Cell.objects.select_related("pellet") if model is Cell else model._default_manager.all()
    subject = rows.filter(code=code).order_by().first()
    if subject is None:
        raise ValidationError(f"{code} is not in lagpdb. Check the code, or create the record first.")
    if subject.is_withdrawn:
        raise ValidationError(f"{code} is in the trash ({subject.withdrawn_reason}). Restore it first.")
    return subject


def role_of_sample(subject: Pellet | Cell | WitnessPlate) -> str:
    """What a sample is doing now, to tell candidates apart."""
    state = subject.get_state_display()
    return f"{subject.notation}, {state if isinstance(subject, WitnessPlate) else state.lower()}"


def match(file: UploadFile) -> Match:
    """Find the sample: chosen for this file, preset of the upload, code in the file name, code in the folder name."""
    if file.subject is not None:
        return Match(file.subject, "chosen")
    if file.upload.subject is not None:
        return Match(file.upload.subject, "preset")
    for text, how in ((PurePosixPath(file.name).stem, "from name"), (file.folder, "from folder")):
        codes = codes_in(text)
        if codes:
            return _by_codes(codes, how)
    return Match(sentence="No sample is named. Choose the sample.", candidates=similar(file.name))


def _by_codes(codes: list[str], how: str) -> Match:
    subjects, problems = [], []
    for code in codes:
        try:
            subjects.append(find_subject(code))
        except ValidationError as error:
            problems.append(error.messages[0])
    cells = [subject for subject in subjects if isinstance(subject, Cell)]
    # A cell named together with its own pellet is one sample, not two.
    distinct = [s for s in subjects if not (isinstance(s, Pellet) and any(cell.pellet_id == s.pk for cell in cells))]
    if problems:
        return Match(sentence=problems[0], candidates=as_candidates(distinct))
    if len(distinct) > 1:
        named = " and ".join(subject.code for subject in distinct)
        return Match(sentence=f"The name speaks of {named}. Choose the sample.", candidates=as_candidates(distinct))
    return Match(distinct[0], how)


def in_cell(subject: Pellet | Cell | WitnessPlate, kind: str) -> Pellet | Cell | WitnessPlate:
    """An electrochemical measurement of a pellet that sits in one live cell is one of that cell."""
    if isinstance(subject, Pellet) and (kind == "eis" or kind in SERIES_KINDS):
        return subject.live_cell or subject
    return subject


def as_candidates(subjects: list[Any]) -> list[dict[str, str]]:
    """Samples as they are offered to choose from."""
    return [{"code": subject.code, "role": role_of_sample(subject)} for subject in subjects]


def similar(name: str) -> list[dict[str, str]]:
    """Samples whose number stands in the name, to choose from; never taken by itself."""
    numbers = {int(text) for text in re.findall(r"\d{1,6}", PurePosixPath(name).stem)} - {0}
    codes = [f"{prefix}-{number:04d}" for number in sorted(numbers)[:6] for prefix in ("CEL", "PEL", "WIT")]
    known = Q(code__in=codes, withdrawn_at__isnull=True)
    plates = WitnessPlate.objects.filter(known).select_related("sputter_run__target")[:5]
    found = [*Cell.objects.filter(known).select_related("pellet")[:5], *Pellet.objects.filter(known)[:5], *plates]
    return as_candidates(found)
