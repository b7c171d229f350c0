"""P20, the paper check: what the study reports, what was measured here, and the synthetic reference set beside it."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, CharField, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from analysis.campaign.reported import DOI
from analysis.campaign.rows import ROWS, Row
from analysis.models import Result
from analysis.science.quantities import get as quantity_of
from lagpdb.exports import named
from lagpdb.units import exact_value, format_value

SYNTHETIC = (
    "The reference set is synthetic: built from the reported numbers to test the analysis code. Nothing in it was "
    "measured, and its agreement says nothing about the material."
)
MOST_LINKS = 3
CSV_COLUMNS = (
    "row", "quantity", "column", "sample", "unit", "reported_bound", "reported",
    "measured_median", "measured_count", "measured_from", "synthetic_median", "synthetic_count", "synthetic_from",
    "verdict", "verdict_is_synthetic",
)  # fmt: skip
VERDICTS = {
    "within": ("ok", "check", "within tolerance"),
    "differs": ("warn", "alert", "differs"),
    "none": ("", "clock", "no data"),
    "unclear": ("info", "flag", "paper unclear"),
}
UNCLEAR = (
    "Conversion: 230 °C in the methods, 200 °C in the introduction. The reference set has 230 °C.",
    "Lifetime of the converted cell: more than 700 h in abstract and results, more than 600 h in the conclusion.",
    "Rate test of the converted cell: four capacities for five rates. They are read as those of 0.2 to 1 C here.",
    "Rate test of the pristine cell: more capacity at 0.2 C (113.3 mAh g⁻¹) than in the first cycle at 0.1 C (109.3).",
    "Thickness: coated pellets have 850 and 900 µm, bare ones about 800 µm, and the film has 50 nm.",
    "Interfacial resistance: 2250 Ω is called that of one interface. 330 Ω fits both, 170 Ω one; the text is silent.",
    "Critical current density: 0.6 mA cm⁻² is also the end of the ramp, so it may be a lower limit.",
    "The pristine cell is cycled for 110 h at 0.1 mA cm⁻², which is its critical current density.",
    "Transference numbers: without uncertainties 0.96 and 0.98 cannot be told apart, and 0.98 is given for CuS@LAGP, "
    "though lithium has converted the film in such a cell.",
    "Figures 8c and 8d: text and captions name the cells the other way round. The caption of Figure 9 names symmetric "
    "cells for electrodes of full cells.",
    "Not stated: diameter of the pellet, area used for σ, form of the fit of E_a, step of the current ramp, number of "
    "cells behind each value, any uncertainty.",
    "No raw data were published.",
)
NOT_YET = (
    "Not compared here yet: 350 Ω after 300 h, the best sputter time, film thickness, cells without liquid, phases and "
    "photoelectron lines."
)


@dataclass(frozen=True)
class Ours:
    """What one column holds for one row: the median, its number of results, and where they come from."""

    row: Row
    values: tuple[float, ...]
    limit: str
    links: tuple[str, ...]

    @property
    def value(self) -> float | None:
        """Median; None without a result."""
        return statistics.median(self.values) if self.values else None

    @property
    def count(self) -> int:
        """Number of results."""
        return len(self.values)

    @property
    def text(self) -> str:
        """``2.50 × 10⁻⁴``."""
        unit = "fraction" if quantity_of(self.row.quantity).is_share else ""
        return format_value(self.value, None, self.limit, unit)

    @property
    def more(self) -> int:
        """Measurements beyond the links."""
        return max(len(self.links) - MOST_LINKS, 0)

    @property
    def first_links(self) -> tuple[str, ...]:
        """Codes of the newest measurements."""
        return self.links[:MOST_LINKS]


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    row: Row
    measured: Ours
    reference: Ours

    @property
    def compared(self) -> Ours:
        """What the verdict speaks of: measured values where there are any, else the reference set."""
        return self.measured if self.measured.count else self.reference

    @property
    def is_synthetic(self) -> bool:
        """Whether the verdict speaks of synthetic values."""
        return bool(not self.measured.count and self.reference.count)

    @property
    def reported(self) -> str:
        """The study's number in words of the page."""
        share = quantity_of(self.row.quantity).is_share
        told = f"{exact_value(round(100 * self.row.reported, 6))} %" if share else exact_value(self.row.reported)
        return f"{self.row.bound} {told}".strip()

    @property
    def unit(self) -> str:
        """Unit of the row; '' for numbers without one and for shares, which carry their %."""
        unit = quantity_of(self.row.quantity).unit
        return "" if unit == "1" or quantity_of(self.row.quantity).is_share else unit

    @property
    def difference(self) -> str:
        """Ours against the study: in %, or in the unit where the tolerance is one."""
        value = self.compared.value
        if value is None:
            return "—"
        apart = value - self.row.reported
        # Adding zero turns the −0.0 of rounding into 0.0.
        if self.row.is_absolute:
            return f"{round(apart, 3) + 0.0:+.3f}".replace("-", "−")
        return f"{round(100 * apart / self.row.reported, 1) + 0.0:+.1f} %".replace("-", "−")

    @property
    def verdict(self) -> str:
        """Key of `VERDICTS`."""
        value = self.compared.value
        if value is None:
            return "none"
        if self.row.unclear:
            return "unclear"
        return "within" if self.row.is_near(value) else "differs"

    @property
    def tag(self) -> tuple[str, str, str]:
        """Colour, icon and words of the verdict."""
        return VERDICTS[self.verdict]


def lines() -> list[Line]:
    """All rows with what stands in the database, in one query."""
    key = Case(*(When(row.results, then=Value(row.key)) for row in ROWS), output_field=CharField())
    found = (
        Result.objects.current()
        .filter(
            quantity__in={row.quantity for row in ROWS},
            acceptance=Result.Acceptance.ACCEPTED,
            flag=Result.Flag.OK,
            value__isnull=False,
        )
        .annotate(row=key)
        .filter(row__isnull=False)
        .order_by("-pk")
        .values_list("row", "is_synthetic", "value", "limit", "measurement__code", "cell__code")
    )
    grouped: dict[tuple[str, bool], list[tuple[float, str, str]]] = {}
    for name, is_synthetic, value, limit, measurement, cell in found:
        grouped.setdefault((name, is_synthetic), []).append((value, limit, measurement or cell))
    return [Line(row, _ours(row, grouped.get((row.key, False), [])), _ours(row, grouped.get((row.key, True), [])))
            for row in ROWS]  # fmt: skip


def _ours(row: Row, found: list[tuple[float, str, str]]) -> Ours:
    limits = {limit for _, limit, _ in found}
    return Ours(
        row,
        tuple(value for value, _, _ in found),
        limits.pop() if len(limits) == 1 else "=",
        tuple(dict.fromkeys(code for _, _, code in found)),
    )


def paper_check(request: HttpRequest) -> HttpResponse:
    """The page."""
    context = {"lines": lines(), "doi": DOI, "synthetic": SYNTHETIC, "unclear": UNCLEAR, "not_yet": NOT_YET}
    return render(request, "analysis/paper.html", context)


def paper_csv(request: HttpRequest) -> HttpResponse:
    """The table as csv: the sentence on the reference set first, measured and synthetic values in columns apart."""
    stream = io.StringIO()
    for sentence in (f"Numbers reported in doi:{DOI} and ours.", SYNTHETIC, NOT_YET):
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
        unit = quantity_of(row.quantity).unit
        yield [row.key, row.title, row.quantity, row.sample, unit, row.bound, row.reported, *numbers,
               line.tag[2], str(line.is_synthetic).lower()]  # fmt: skip
