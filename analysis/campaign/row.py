"""One row of the paper check: a number of the study, the results that answer it, and how near is near."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from django.db.models import Q, QuerySet

from analysis.api import Results
from analysis.campaign.reported import REPORTED, Reported
from analysis.models import Result
from analysis.queueing import analyses, combinations
from analysis.science.quantities import QUANTITIES
from lagpdb import filters
from lagpdb.units import label, symbol

RESULTS, FILMS, OPTIMUM = "results", "films", "optimum"
USED = {"acceptance": "accepted", "flag": "ok"}  # numbers that no one has accepted, or that are flagged, answer nothing


@cache
def _yielded() -> frozenset[str]:
    """Quantities that some analysis gives."""
    return frozenset(name for item in (*analyses().values(), *combinations().values()) for name in item.yields)


@dataclass(frozen=True)
class Row:
    """One number of the study and where ours comes from.

    Attributes
    ----------
    record, place : str, int or None
        Name of the reported number; which one, where it is a list.
    title : str
        Quantity with its conditions, as people read it.
    sample : str
        Notation of the study.
    quantity : str
        Slug of the result. One that lagpdb does not compute yet has no answer, and the row says so.
    needs : str
        What a lab has to measure for this row.
    asked : mapping
        Conditions on the result, as the list of results and the API know them.
    also, also_words : Q, str
        A condition that the list does not know, and the words for it.
    tolerance : float
        Share of the reported number, or a difference in its unit where `is_absolute`.
    bound : str
        '>' where the study gives a lower limit only.
    unclear : str
        Why the study's number cannot be compared; '' where it can.
    source : str
        What answers: 'results', 'films' (thicknesses that were read), or 'optimum' (the sputter time of the lowest
        result).
    """

    record: str
    title: str
    sample: str
    quantity: str
    needs: str
    asked: Mapping[str, str] = field(default_factory=dict)
    also: Q = field(default_factory=Q)
    also_words: str = ""
    tolerance: float = 0.05
    is_absolute: bool = False
    place: int | None = None
    bound: str = ""
    unclear: str = ""
    source: str = RESULTS

    @property
    def key(self) -> str:
        """Of the row, for its address: ``F08-2``, ``T01``."""
        return self.record if self.place is None else f"{self.record}-{self.place + 1}"

    @property
    def told(self) -> Reported:
        """The record of the study."""
        return REPORTED[self.record]

    @property
    def reported(self) -> float | None:
        """The study's number, in the unit of the quantity; None where its text gives none, or a name."""
        value = self.told.value
        if isinstance(value, tuple):
            value = float(value[self.place or 0])
        return value if isinstance(value, float) else None

    @property
    def is_computed(self) -> bool:
        """Whether lagpdb computes this quantity."""
        return self.source != RESULTS or self.quantity in _yielded()

    @property
    def is_share(self) -> bool:
        """Whether the number is shown in per cent."""
        return self.quantity in QUANTITIES and QUANTITIES[self.quantity].is_share

    @property
    def unit(self) -> str:
        """As people read it; '' for numbers without one and for shares, which carry their %."""
        known = symbol(self.quantity)
        return "" if known == "1" or self.is_share or not known else known

    @property
    def csv_unit(self) -> str:
        """As in exports, where shares are 0…1: '1' for those and for pure numbers."""
        return symbol(self.quantity) or "1"

    @property
    def query(self) -> dict[str, str]:
        """Conditions of the list of results that answer it, without `also`."""
        limit = {} if self.bound else {"limit": "="}
        return {"quantity": self.quantity, **self.asked, **limit, **USED}

    @property
    def results(self) -> QuerySet[Result]:
        """The results that answer it, of current runs.

        A lower limit answers a lower limit alone, and only from there: a test that ended before says nothing.
        """
        found = filters.apply(Result.objects.current(), self.query, Results().filters)
        if self.bound:
            found = found.exclude(limit__in=(">", ">="), value__lt=self.reported)
        return found.filter(self.also, value__isnull=False)

    def is_near(self, value: float) -> bool:
        """Whether a number of ours agrees with the study's."""
        assert self.reported is not None, self.key
        if self.bound == ">":
            return value >= self.reported
        return abs(value - self.reported) <= self.tolerance * (1.0 if self.is_absolute else abs(self.reported))

    @property
    def within(self) -> str:
        """The tolerance in words."""
        if self.bound:
            return "at least as much"
        return f"± {self.tolerance:g} {self.unit}".strip() if self.is_absolute else f"± {100 * self.tolerance:g} %"

    @property
    def name(self) -> str:
        """The quantity in words."""
        return QUANTITIES[self.quantity].name if self.quantity in QUANTITIES else label(self.quantity)
