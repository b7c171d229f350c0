"""Reported against computed, as an aligned table for a terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from analysis.campaign.load import Campaign
from analysis.campaign.plan import COATED, PRISTINE, Truth
from analysis.campaign.reported import DOI, REPORTED
from analysis.campaign.row import RESULTS
from analysis.campaign.rows import ROWS, Row
from analysis.models import Result
from analysis.paper import lines
from lagpdb.units import exact_value, format_value

HEADING = ("Quantity", "Sample", "Reported", "Computed", "Cells", "Difference")


@dataclass(frozen=True)
class Computed:
    """Mean over the cells of one state, and its standard uncertainty; the value is None where there is no number."""

    value: float | None
    uncertainty: float | None
    count: int
    is_flagged: bool = False


def computed(campaign: Campaign, truth: Truth, quantity: str, **conditions: object) -> Computed:
    """The current numbers of a quantity for the cells of one state."""
    cells = [cell.pk for planned, cell in campaign.cells if planned.truth is truth]
    return _mean(Result.objects.current().filter(cell__in=cells, quantity=quantity, **conditions))


def computed_row(campaign: Campaign, row: Row) -> Computed:
    """The current numbers of the campaign that answer a row."""
    if row.source != RESULTS:
        (line,) = lines([row])
        return Computed(line.reference.value, None, line.reference.count)
    own = Q(cell__in=campaign.cell_keys) | Q(cell__isnull=True, is_synthetic=True)
    return _mean(row.results.filter(own))


def _mean(results: QuerySet[Result]) -> Computed:
    rows = list(results.filter(value__isnull=False))
    if not rows:
        return Computed(None, None, 0)
    # Each cell has its own pellet and its own readings: their uncertainties are independent.
    spreads = [row.uncertainty for row in rows if row.uncertainty is not None]
    return Computed(
        value=math.fsum(row.value for row in rows) / len(rows),
        uncertainty=math.hypot(*spreads) / len(rows) if len(spreads) == len(rows) else None,
        count=len({row.cell_id for row in rows}),
        is_flagged=any(row.flag != Result.Flag.OK for row in rows),
    )


def conductivity_25degC(campaign: Campaign, truth: Truth) -> Computed:
    """σ measured at 25 °C. [S cm⁻¹]"""
    return computed(campaign, truth, "ionic_conductivity_S_cm", temperature_degC=25.0)


def activation_energy(campaign: Campaign, truth: Truth, form: str = "sigma_T") -> Computed:
    """E_a in one of its two forms. [eV]"""
    return computed(campaign, truth, "activation_energy_eV", label=form)


def table(campaign: Campaign) -> str:
    """The closing table with its sentences."""
    rows = [HEADING]
    for truth, sample in ((PRISTINE, "LAGP"), (COATED, "CuS@LAGP")):
        found = conductivity_25degC(campaign, truth)
        rows.append(_row("σ(25 °C), S cm⁻¹", sample, truth.conductivity_record, found, "%"))
    for truth, sample in ((PRISTINE, "LAGP"), (COATED, "CuS@LAGP")):
        found = activation_energy(campaign, truth)
        rows.append(_row("E_a from ln(σT), eV", sample, truth.activation_record, found, "meV"))
    told_above = {truth.conductivity_record for truth in (PRISTINE, COATED)}
    told_above |= {truth.activation_record for truth in (PRISTINE, COATED)}
    rows += [_test_row(campaign, row) for row in ROWS if row.record not in told_above and row.is_computed]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADING))]
    written = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    written.insert(1, "-" * max(len(line) for line in written))
    return "\n".join([f"Reported in doi:{DOI} against computed here", "", *written, "", *_sentences(campaign)])


def _row(quantity: str, sample: str, record: str, found: Computed, difference: str) -> tuple[str, ...]:
    reported = REPORTED[record].value
    shown = format_value(found.value, found.uncertainty) + (" (flagged)" if found.is_flagged else "")
    apart = "—"
    if isinstance(reported, float) and found.value is not None:
        share, shift = 100 * (found.value / reported - 1), 1000 * (found.value - reported)
        apart = (f"{share:+.1f} %" if difference == "%" else f"{shift:+.1f} meV").replace("-", "−")
    told = exact_value(reported) if isinstance(reported, float) else "not in the text"
    return quantity, sample, told, shown, str(found.count), apart


def _test_row(campaign: Campaign, row: Row) -> tuple[str, ...]:
    """A row of the symmetric and full cells."""
    found = computed_row(campaign, row)
    unit = row.csv_unit
    is_bare = found.value is not None and found.uncertainty is None
    shown = f"{found.value:.4g}" if is_bare else format_value(found.value, found.uncertainty)
    shown += " (flagged)" if found.is_flagged else ""
    apart, told = "—", "not in the text"
    if row.reported is not None:
        told = f"{row.bound} {exact_value(row.reported)}".strip()
        if found.value is not None:
            apart = f"{100 * (found.value / row.reported - 1):+.1f} %".replace("-", "−")
    title = row.title if unit == "1" else f"{row.title}, {unit}"
    return title, row.sample, told, shown, str(found.count), apart


def _sentences(campaign: Campaign) -> list[str]:
    other = activation_energy(campaign, PRISTINE, "sigma")
    sentences = [
        "± is the standard uncertainty (k = 1) of the mean over the cells.",
        "E_a of CuS@LAGP is not in the study’s text: the model takes 0.37 eV for it too.",
    ]
    if other.value is not None:
        from_sigma = format_value(other.value, other.uncertainty)
        sentences.append(f"From ln σ, E_a of LAGP is {from_sigma} eV; the study does not say which form it used.")
    return [
        *sentences,
        "SYNTHETIC: the files were generated from the reported numbers, with noise, to test the analysis code.",
        "Nothing here was measured: agreement says that the code computes right, and nothing about the material.",
    ]
