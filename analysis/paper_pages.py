"""P20, the paper check: its table, the page of one row, and the table as csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from analysis.campaign.reported import DOI, Reported
from analysis.campaign.row import FILMS, Row
from analysis.campaign.rows import ABOUT_TEN_MIN, BY_KEY, ROWS, SET, SETTING
from analysis.campaign.unclear import UNCLEAR
from analysis.lists import ResultList
from analysis.models import Result
from analysis.paper import MOST_ROWS, Line, films, lines, results_of
from lagpdb.exports import named
from lagpdb.units import exact_value, format_named
from measurements.models import Measurement

SYNTHETIC = (
    "The reference set is synthetic: built from the reported numbers to test the analysis code. Nothing in it was "
    "measured, and its agreement says nothing about the material."
)
CSV_COLUMNS = (
    "row", "quantity", "column", "sample", "unit", "reported_bound", "reported", "reported_in",
    "measured_median", "measured_count", "measured_from", "synthetic_median", "synthetic_count", "synthetic_from",
    "verdict", "verdict_is_synthetic",
)  # fmt: skip


# -- the table ---------------------------------------------------------------------------------------------------------
def paper_check(request: HttpRequest) -> HttpResponse:
    """The page."""
    context = {
        "lines": lines(),
        "doi": DOI,
        "synthetic": SYNTHETIC,
        "unclear": [(item.sentence, _rows_of(item.records)) for item in UNCLEAR],
        "settings": [(name, told, _set_value(told)) for name, told in SET.items()],
    }
    return render(request, "analysis/paper.html", context)


def _rows_of(records: Iterable[str]) -> list[Row]:
    """The first row of each record, where there is one."""
    firsts = {row.record: row for row in reversed(ROWS)}
    return [firsts[record] for record in records if record in firsts]


def _set_value(told: Reported) -> str:
    value = told.value
    if isinstance(value, tuple):
        return " : ".join(exact_value(float(one)) for one in value)
    return exact_value(value) if isinstance(value, float) else str(value)


# -- one row -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Evidence:
    """One number behind a row, and the way down from it: run, measurements, files.

    `thickness` stands for it where a film was read instead of computed.
    """

    result: Result | None
    measurements: tuple[Measurement, ...]
    text: str
    thickness: Any = None

    @property
    def is_synthetic(self) -> bool:
        """For the mark."""
        return bool((self.result or self.thickness).is_synthetic)


def paper_row(request: HttpRequest, slug: str) -> HttpResponse:
    """One row: reported, ours, difference, verdict and its rule, evidence, and what the study leaves open."""
    row = BY_KEY.get(slug.upper())
    if row is None:
        return render(request, "analysis/paper_no_row.html", {"slug": slug, "doi": DOI}, status=404)
    if slug != row.key:
        return HttpResponseRedirect(reverse("paper_row", args=[row.key]))
    (line,) = lines([row])
    found = _evidence(row)
    place = ROWS.index(row)
    context = {
        "line": line,
        "row": row,
        "doi": DOI,
        "synthetic": SYNTHETIC,
        "evidence": found[:MOST_ROWS],
        "has_more": len(found) > MOST_ROWS,
        "conditions": _conditions(row),
        "query": urlencode(row.query) if row.is_computed and row.source != FILMS else "",
        "parameters": row.query,
        "unclear": [item.sentence for item in UNCLEAR if row.record in item.records],
        "before": ROWS[place - 1] if place else None,
        "after": ROWS[place + 1] if place + 1 < len(ROWS) else None,
    }
    return render(request, "analysis/paper_row.html", context)


# Conditions whose chip in the list reads like a formula.
_PLAIN = {
    ("limit", "="): "A value, not a limit",
    ("flag", "ok"): "No flag",
    ("acceptance", "accepted"): "Accepted",
    ("is_coated", "true"): "With a film as built",
    ("is_coated", "false"): "Without a film as built",
}


def _conditions(row: Row) -> list[str]:
    """What a result has to be, in the words of the list of results."""
    if not row.is_computed:
        return []
    if row.source == FILMS:
        low, high = ABOUT_TEN_MIN
        return [f"Sputter setting: {SETTING}", f"Sputter time: {low:g} to {high:g} min"]
    shown = ResultList()
    words = [_PLAIN.get((name, text)) or shown.words_of(name, text) for name, text in row.query.items()]
    return [*words, row.also_words] if row.also_words else words


def _evidence(row: Row) -> list[Evidence]:
    if row.source == FILMS:
        return [_film_evidence(film) for film in films()]
    found = []
    for result in results_of(row):
        inputs = [entry.measurement for entry in result.run.run_inputs.all() if entry.measurement is not None]
        measurements = [result.measurement] if result.measurement else inputs
        text = format_named(result.quantity, result.value, result.uncertainty, result.limit)
        found.append(Evidence(result, tuple(dict.fromkeys(measurements)), text))
    return found


def _film_evidence(film: Any) -> Evidence:
    text = format_named("film_thickness_nm", film.film_thickness_nm, film.film_thickness_uncertainty_nm)
    return Evidence(None, (), text, film)


# -- export ------------------------------------------------------------------------------------------------------------
def paper_csv(request: HttpRequest) -> HttpResponse:
    """The table as csv: the sentence on the reference set first, measured and synthetic values in columns apart."""
    stream = io.StringIO()
    for sentence in (f"Numbers reported in doi:{DOI} and ours.", SYNTHETIC):
        stream.write(f"# {sentence}\n")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_csv_rows(lines()))
    response = HttpResponse(stream.getvalue(), content_type="text/csv; charset=utf-8")
    named(response, "paper-check.csv")
    return response


def _csv_rows(table: Iterable[Line]) -> Iterable[list[Any]]:
    for line in table:
        row, sides = line.row, (line.measured, line.reference)
        numbers = [cell for side in sides for cell in (side.value, side.count, " ".join(side.links))]
        told = row.told.value if isinstance(row.told.value, str) else row.reported
        yield [row.key, row.title, row.quantity, row.sample, row.csv_unit, row.bound, told, row.told.place, *numbers,
               line.tag[2], str(line.is_synthetic).lower()]  # fmt: skip
