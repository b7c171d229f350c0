"""What stands on a label: the code, what it is, when it was made, and the short address that the QR code holds."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from lagpdb.pages import record_models
from lagpdb.records import Record, normal_code
from samples.models import Pellet
from samples.models.lots import faces_of
from samples.notation import pellet_notation

MOST_CODES = 500
# Fields that say when something was made, by their order of preference; else the day of the record.
_MADE = ("pressed_at", "performed_at", "assembled_at", "measured_at", "received_on", "coated_on")
# What is read with a record, so that a hundred labels cost as many queries as one of each kind.
_RELATED = {
    "LOT": ("material",), "PBT": ("powder_lot__material",), "PEL": ("batch__powder_lot__material",),
    "SPT": ("target",), "WIT": ("sputter_run__target",), "FLM": ("witness_plate", "pellet"), "CNV": ("pellet",),
    "ELD": ("material",), "MEA": ("cell", "pellet", "witness_plate"),
}  # fmt: skip


@dataclass(frozen=True)
class Label:
    """The three lines of a label, and its address."""

    code: str
    notation: str
    date: str

    @property
    def address(self) -> str:
        """What a scanner reads: asks for sign-in, then opens the record."""
        return f"{settings.PUBLIC_URL}/s/{self.code}"


def codes_in(texts: Iterable[str]) -> list[str]:
    """The codes in texts of any spelling, separated by commas, blanks or lines; each once, in their order."""
    found: dict[str, None] = {}
    for text in texts:
        # 'PEL 0142' is one code, 'PEL-0142 PEL-0143' are two.
        joined = re.sub(r"\b([A-Za-z]{3})[ \t](?=\d)", r"\1-", text)
        for part in re.split(r"[\s,;]+", joined):
            if part:
                found[normal_code(part)] = None
    return list(found)


def labels_of(codes: Iterable[str]) -> tuple[list[Label], list[str]]:
    """Labels in the order of the codes, and a sentence for each code that has none."""
    wanted = list(codes)
    by_prefix: dict[str, list[str]] = defaultdict(list)
    for code in wanted:
        by_prefix[code[:3]].append(code)
    models, records = record_models(), {}
    for prefix, group in by_prefix.items():
        if prefix in models:
            rows = models[prefix]._default_manager.select_related(*_RELATED.get(prefix, ()))
            records |= {record.code: record for record in rows.filter(code__in=group)}
    faces = faces_of(record.pk for record in records.values() if isinstance(record, Pellet))
    labels = [Label(code, _notation(records[code], faces), _date(records[code])) for code in wanted if code in records]
    return labels, [f"{code} is not in lagpdb." for code in wanted if code not in records]


def _notation(record: Record, faces: dict[int, dict[str, str]]) -> str:
    """What the thing is; short, for it shares a label with a code."""
    if isinstance(record, Pellet):
        return pellet_notation(record.batch.powder_lot.material.code, faces.get(record.pk, {}))
    if notation := getattr(record, "notation", ""):
        return str(notation)
    given: Any = record
    words = {
        "LOT": lambda: f"{given.material.code} powder {given.supplier_lot}".strip(),
        "PBT": lambda: f"{given.powder_lot.material.code} pellets",
        "SPT": lambda: f"sputter {given.target.code}",
        "CNV": lambda: f"conversion of {given.pellet.code}",
        "ELD": lambda: f"{given.material.code} electrode",
        "FLM": lambda: f"thickness on {(given.witness_plate or given.pellet).code}",
        "MEA": lambda: f"{given.get_kind_display()}, {given.subject.code}",
    }
    return words[record.PREFIX]() if record.PREFIX in words else str(record._meta.verbose_name)


def _date(record: Record) -> str:
    moment = next((value for name in _MADE if (value := getattr(record, name, None))), record.created_at)
    day = timezone.localtime(moment).date() if isinstance(moment, dt.datetime) else moment
    return day.isoformat()
