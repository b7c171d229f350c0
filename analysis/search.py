"""P3: one field for everything. Codes first, then what was asked in words, then names, notes and files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import strip_tags

from analysis.api import Measurements, Results
from analysis.asking import understood
from analysis.models import Result
from analysis.start import TOPICS
from lagpdb.filters import apply
from lagpdb.mainvalues import main_results
from lagpdb.pages import address_of, find_record, record_models
from lagpdb.problems import Problem, Problems
from lagpdb.records import SPELLING, Record, normal_code
from lagpdb.savedviews import LIST_PAGES
from measurements.models import Measurement, UploadFile
from samples.api import Cells, Pellets
from samples.models import Cell, ElectrodeLot, Pellet, PowderLot, SputterRun

AT_MOST = 6  # rows of a group; the rest stands in its list
SHORTEST = 2
COLLECTIONS = {"results": Results, "pellets": Pellets, "cells": Cells, "measurements": Measurements}
_DIGITS = re.compile(r"^\s*\d{1,6}\s*$")


@dataclass
class Group:
    """Hits of one kind."""

    title: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    more: str = ""  # the list that holds them all
    is_cut: bool = False  # there are more, which no list holds together


def search(request: HttpRequest) -> HttpResponse:
    """The page; a code that exists opens its record at once."""
    text = request.GET.get("q", "").strip()[:200]
    is_partial = request.headers.get("HX-Request") == "true"
    if text and SPELLING.match(text) and not is_partial:
        record = find_record(text)
        if record is not None and (address := address_of(record)):
            return redirect(address)
    groups = [group for group in _groups(text) if group.rows] if len(text) >= SHORTEST else []
    context = {"text": text, "groups": groups, "questions": _questions(text), "missing": _missing(text)}
    return render(request, "_search_hits.html" if is_partial else "search.html", context)


def _missing(text: str) -> str:
    """‘PEL-0999 is not in lagpdb.’ of a well-formed code that is not there."""
    match = SPELLING.match(text)
    return normal_code(text) if match and match[1].upper() in record_models() and find_record(text) is None else ""


# -- questions ---------------------------------------------------------------------------------------------------------
def _questions(text: str) -> list[dict[str, Any]]:
    """What the text may ask, as a link to the list with these filters, and how many rows it has."""
    found = []
    for question in understood(text):
        page = reverse(LIST_PAGES[question.rows])
        found.append(
            {
                "words": question.words,
                "address": f"{page}?{urlencode(question.conditions)}",
                "count": _count(question.rows, dict(question.conditions)),
            }
        )
    return found


def _count(rows: str, conditions: dict[str, str]) -> int | None:
    """Rows that meet the conditions, as the list itself counts them."""
    collection = COLLECTIONS[rows]()
    model = collection.serializer_class.Meta.model
    queryset = model.objects.current() if model is Result else model._default_manager.live()
    try:
        return int(apply(queryset, conditions, collection.filters).count())
    except (Problem, Problems):
        return None


# -- hits --------------------------------------------------------------------------------------------------------------
def _groups(text: str) -> list[Group]:
    return [_by_code(text), _samples(text), _cells(text), _measurements(text), _files(text), _notes(text), _help(text)]


def _hit(record: Record, what: str = "", why: str = "") -> dict[str, Any]:
    return {"record": record, "address": address_of(record), "what": what, "why": why}


def _described(record: Any) -> str:
    """One line about a record."""
    if isinstance(record, Cell | Pellet):
        return f"{record.notation}, {record.get_state_display().lower()}"
    if isinstance(record, PowderLot):
        return " · ".join(filter(None, (record.material.code, record.supplier, record.supplier_lot)))
    if isinstance(record, Measurement):
        return f"{record.get_kind_display()} of {record.subject.code}"
    return str(record._meta.verbose_name)


def _by_code(text: str) -> Group:
    """Any spelling; a bare number is looked for under every prefix, and the beginning of a code too."""
    group = Group("Codes")
    match = SPELLING.match(text)
    for prefix, model in record_models().items():
        if match and match[1].upper() == prefix:
            code, queryset = normal_code(text), model._default_manager.all()
            close = Q(code=code) | Q(code__startswith=f"{prefix}-{match[2]}")
            rows = sorted(queryset.filter(close).order_by("id")[:AT_MOST], key=lambda record: record.code != code)
        elif _DIGITS.match(text):
            rows = list(model._default_manager.filter(code=normal_code(f"{prefix}-{text.strip()}"))[:1])
        else:
            continue
        group.rows += [_hit(record, _described(record), "in Trash" if record.is_withdrawn else "") for record in rows]
    group.rows = group.rows[:AT_MOST]
    return group


def _samples(text: str) -> Group:
    """Lots by supplier and their number, runs and sheets by material, pellets by notation."""
    group = Group("Lots, runs and pellets")
    lots = PowderLot.objects.live().filter(
        Q(supplier__icontains=text) | Q(supplier_lot__icontains=text) | Q(material__code__iexact=text)
    )
    group.rows += [_hit(lot, _described(lot)) for lot in lots.select_related("material").order_by("-id")[:AT_MOST]]
    for model, name in ((SputterRun, "target"), (ElectrodeLot, "material")):
        rows = model.objects.live().filter(**{f"{name}__code__iexact": text}).select_related(name).order_by("-id")
        group.rows += [_hit(row, f"{row._meta.verbose_name} of {getattr(row, name).code}") for row in rows[:3]]
    if "@" in text:
        conditions = {"notation__contains": text.strip()}
        group.rows += [_hit(pellet, _described(pellet)) for pellet in _pellets(conditions)[:AT_MOST]]
        group.more = f"{reverse('pellet_list')}?{urlencode(conditions)}"
    return group


def _pellets(conditions: dict[str, str]) -> QuerySet:
    rows = Pellet.objects.live().select_related("batch__powder_lot__material")
    return apply(rows, conditions, Pellets().filters).order_by("-id")


def _cells(text: str) -> Group:
    rows = Cell.objects.live().filter(Q(notation__icontains=text) | Q(configuration__iexact=text))
    hits = [_hit(cell, _described(cell), "notation") for cell in rows.order_by("-id")[:AT_MOST]]
    more = f"{reverse('cell_list')}?{urlencode({'notation__contains': text})}" if len(hits) == AT_MOST else ""
    return Group("Cells", hits, more)


def _measurements(text: str) -> Group:
    """By who measured, and with what."""
    rows = (
        Measurement.objects.live()
        .filter(
            Q(operator__username__iexact=text)
            | Q(operator__last_name__iexact=text)
            | Q(operator__first_name__iexact=text)
            | Q(instrument__name__icontains=text)
            | Q(instrument__code__iexact=text)
        )
        .select_related("cell", "pellet", "operator", "instrument")
        .order_by("-id")[:AT_MOST]
    )
    rows = list(rows)
    numbers = main_results(rows)
    hits = []
    for row in rows:
        hit = _hit(row, _described(row), _who(row, text))
        hits.append(hit | {"result": numbers.get(row.pk)})
    return Group("Measurements", hits)


def _who(row: Measurement, text: str) -> str:
    person = row.operator
    if person and text.lower() in (person.username.lower(), person.last_name.lower(), person.first_name.lower()):
        return f"operator {person.get_full_name() or person.username}"
    return f"instrument {row.instrument.name}" if row.instrument else ""


def _files(text: str) -> Group:
    """Names of uploaded files, with the measurement that they became."""
    group = Group("Files")
    files = UploadFile.objects.filter(name__icontains=text).select_related("upload").prefetch_related("measurements")
    found = list(files.order_by("-id")[: AT_MOST + 1])
    for file in found[:AT_MOST]:
        made = list(file.measurements.all())
        target: Any = made[0] if made else file.upload
        group.rows.append(_hit(target, file.name, "file name"))
    group.is_cut = len(found) > AT_MOST
    return group


def _notes(text: str) -> Group:
    """Notes of all records; the words around the hit say why."""
    group = Group("Notes")
    for model in record_models().values():
        for record in model._default_manager.filter(notes__icontains=text, withdrawn_at__isnull=True).order_by("-id")[
            :3
        ]:
            group.rows.append(_hit(record, _around(record.notes, text), "note"))
    group.rows = group.rows[:AT_MOST]
    return group


def _around(notes: str, text: str, room: int = 40) -> str:
    at = notes.lower().find(text.lower())
    start, end = max(0, at - room), at + len(text) + room
    return f"{'…' if start else ''}{notes[start:end].strip()}{'…' if end < len(notes) else ''}"


def _help(text: str) -> Group:
    """Help pages by title or words."""
    from django.template.loader import get_template

    group = Group("Help")
    for topic, title in TOPICS.items():
        source = strip_tags(get_template(f"help/{topic}.html").template.source)
        if text.lower() in title.lower() or text.lower() in source.lower():
            group.rows.append(
                {"address": reverse("help_topic", args=[topic]), "what": title, "why": "", "record": None}
            )
    group.rows = group.rows[:3]
    return group
