"""The numbers of the paper check: what the study reports, what was measured here, and the reference set beside it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Value

from analysis.campaign.row import FILMS, OPTIMUM, RESULTS, Row
from analysis.campaign.rows import ABOUT_TEN_MIN, ROWS, SETTING
from analysis.films import run_of_face
from analysis.models import Result
from lagpdb.units import exact_value, format_value
from samples.models import Coating, FilmThickness

MOST_LINKS = 3
MOST_ROWS = 100  # on the page of a row
VERDICTS = {
    "within": ("ok", "check", "within tolerance"),
    "differs": ("warn", "alert", "differs"),
    "none": ("", "clock", "no data"),
    "unclear": ("info", "flag", "paper unclear"),
}
FEWEST_TIMES = 3
SAME_TIME_DIGITS = 3


@dataclass(frozen=True)
class Found:
    """One number of ours: value, limit sign, the code that leads to it, the pellet, and whether it is synthetic."""

    value: float
    limit: str
    code: str
    pellet_id: int | None
    is_synthetic: bool


@dataclass(frozen=True)
class Ours:
    """What one column holds for one row: a number, how many it comes from, and where these are.

    Attributes
    ----------
    value : float or None
        Median, or the optimum.
    by_time : tuple of (float, float, int)
        Sputter time [min], median and number of results, for an optimum.
    """

    row: Row
    value: float | None
    count: int
    limit: str = "="
    links: tuple[str, ...] = ()
    by_time: tuple[tuple[float, float, int], ...] = ()

    @property
    def text(self) -> str:
        """``2.50 × 10⁻⁴``."""
        return format_value(self.value, None, self.limit, "fraction" if self.row.is_share else "")

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
        return self.reference if self.measured.value is None else self.measured

    @property
    def is_synthetic(self) -> bool:
        """Whether the verdict speaks of synthetic values."""
        return self.measured.value is None and self.reference.value is not None

    @property
    def reported(self) -> str:
        """The study's number in words of the page."""
        return told(self.row, self.row.reported)

    @property
    def difference(self) -> str:
        """Ours against the study: in %, or in the unit where the tolerance is one."""
        value, reported = self.compared.value, self.row.reported
        if value is None or reported is None:
            return "—"
        apart = value - reported
        # Adding zero turns the −0.0 of rounding into 0.0.
        if self.row.is_absolute:
            return f"{round(apart, 3) + 0.0:+.3f} {self.row.unit}".replace("-", "−").rstrip()
        return f"{round(100 * apart / reported, 1) + 0.0:+.1f} %".replace("-", "−")

    @property
    def verdict(self) -> str:
        """Key of `VERDICTS`."""
        value = self.compared.value
        if value is None:
            return "none"
        if self.row.unclear or self.row.reported is None:
            return "unclear"
        return "within" if self.row.is_near(value) else "differs"

    @property
    def tag(self) -> tuple[str, str, str]:
        """Colour, icon and words of the verdict."""
        return VERDICTS[self.verdict]

    @property
    def rule(self) -> str:
        """What has to hold for ‘within tolerance’."""
        row, reported = self.row, self.row.reported
        if reported is None:
            return f"There is nothing to compare with: the study {_SAYS[isinstance(row.told.value, str)]}."
        if row.bound:
            return f"Ours is at least {told(row, reported).removeprefix('> ')} {row.unit}".strip() + "."
        slack = row.tolerance * (1.0 if row.is_absolute else abs(reported))
        low, high = (told(row, float(f"{end:.4g}")) for end in (reported - slack, reported + slack))
        return f"Ours lies from {low} to {high} {row.unit}".strip() + f" ({row.within})."


_SAYS = {True: "names it and gives no number", False: "gives no number in its text"}


def told(row: Row, value: float | None) -> str:
    """A number of the study as the page writes it."""
    if value is None:
        return row.told.value if isinstance(row.told.value, str) else "not in the text"
    plain = float(f"{value:.6g}")
    text = f"{exact_value(float(f'{100 * value:.6g}'))} %" if row.is_share else exact_value(plain)
    return f"{row.bound} {text}".strip()


# -- what stands in the database ---------------------------------------------------------------------------------------
def lines(rows: Sequence[Row] = ROWS) -> list[Line]:
    """Rows with what stands in the database, in three queries however many there are."""
    found = _from_results([row for row in rows if row.is_computed and row.source != FILMS])
    if any(row.source == FILMS for row in rows):
        heights = [_film(film) for film in films()]
        found |= {row.key: heights for row in rows if row.source == FILMS}
    pellets = {one.pellet_id for row in rows if row.source == OPTIMUM for one in found.get(row.key, [])}
    times = sputter_times(pellets) if pellets else {}
    return [_line(row, found.get(row.key, []), times) for row in rows]


def _from_results(rows: Iterable[Row]) -> dict[str, list[Found]]:
    """The results of each row, newest first."""
    parts = [
        row.results.order_by()
        .annotate(row=Value(row.key))
        .values_list("row", "pk", "value", "limit", "measurement__code", "cell__code", "pellet_id", "is_synthetic")
        for row in rows
    ]
    found: dict[str, list[Found]] = {}
    if parts:
        for key, _, value, limit, measurement, cell, pellet, synthetic in sorted(
            parts[0].union(*parts[1:], all=True), key=lambda one: -one[1]
        ):
            code = measurement or cell or ""
            found.setdefault(key, []).append(Found(value, limit, code, pellet, synthetic))
    return found


def films() -> list[FilmThickness]:
    """Thicknesses of films of about 10 min at the study's setting, newest first; single layers alone on pellets."""
    low, high = ABOUT_TEN_MIN
    live = FilmThickness.objects.live().select_related("witness_plate__sputter_run", "pellet").order_by("-pk")
    on_plates = {f"witness_plate__sputter_run__{name}": value for name, value in _film_run(low, high).items()}
    # A pellet's film is the run's own only where its face met the tool once, and no lithium since.
    on_pellets = {f"pellet__coatings__sputter_run__{name}": value for name, value in _film_run(low, high).items()}
    rows = live.filter(**on_plates) | live.filter(**on_pellets)
    return [
        film
        for film in rows.distinct()
        if film.witness_plate_id or ((run := run_of_face(film)) is not None and low <= (run.duration_min or 0) <= high)
    ]


def _film_run(low: float, high: float) -> dict[str, Any]:
    return {"setting__code": SETTING, "duration_min__gte": low, "duration_min__lte": high, "withdrawn_at__isnull": True}


def _film(film: FilmThickness) -> Found:
    return Found(film.film_thickness_nm, "=", film.code, film.pellet_id, film.is_synthetic)


def sputter_times(pellets: Iterable[int | None]) -> dict[int, float]:
    """Sputter time of the films of each pellet; without those whose faces differ or whose time is not known. [min]"""
    rows = Coating.objects.filter(pellet__in=[key for key in pellets if key], sputter_run__withdrawn_at__isnull=True)
    times: dict[int, set[float | None]] = {}
    for pellet, minutes in rows.values_list("pellet_id", "sputter_run__duration_min"):
        times.setdefault(pellet, set()).add(None if minutes is None else round(minutes, SAME_TIME_DIGITS))
    return {pellet: minutes for pellet, found in times.items() if len(found) == 1 for minutes in found if minutes}


def _line(row: Row, found: list[Found], times: dict[int, float]) -> Line:
    sides = [[one for one in found if one.is_synthetic is is_synthetic] for is_synthetic in (False, True)]
    if row.source == OPTIMUM:
        return Line(row, *(_optimum(row, side, times) for side in sides))
    return Line(row, *(_median(row, side) for side in sides))


def _median(row: Row, found: list[Found]) -> Ours:
    limits = {one.limit for one in found}
    return Ours(
        row,
        statistics.median(one.value for one in found) if found else None,
        len(found),
        limits.pop() if len(limits) == 1 else "=",
        _links(found),
    )


def _optimum(row: Row, found: list[Found], times: dict[int, float]) -> Ours:
    """The sputter time of the lowest median; none where it is the shortest or the longest that was tried."""
    groups: dict[float, list[float]] = {}
    timed = [one for one in found if one.pellet_id in times]
    for one in timed:
        groups.setdefault(times[one.pellet_id or 0], []).append(one.value)
    table = tuple((at, statistics.median(values), len(values)) for at, values in sorted(groups.items()))
    best = min(table, key=lambda entry: entry[1])[0] if table else None
    is_inside = len(table) >= FEWEST_TIMES and best not in (table[0][0], table[-1][0])
    return Ours(row, best if is_inside else None, len(timed), "=", _links(timed), table)


def _links(found: list[Found]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.code for one in found if one.code))


def results_of(row: Row) -> list[Result]:
    """The results of a row with all that leads down from them, newest first; none for films."""
    if not row.is_computed or row.source not in (RESULTS, OPTIMUM):
        return []
    beside = ("measurement__cell", "cell", "pellet", "run", "sputter_setting")
    # A combination has its measurements among the inputs of its run.
    down = ("measurement__files__raw_file", "run__run_inputs__measurement__files__raw_file")
    return list(row.results.select_related(*beside).prefetch_related(*down).order_by("-pk")[: MOST_ROWS + 1])
