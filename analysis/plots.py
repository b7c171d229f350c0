"""Which figures a page shows, as files and tables: what joins stored runs and recordings to `analysis.figures`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from django.urls import reverse

from analysis import plot_context
from analysis.figures import arrhenius, cycling, films, impedance, symmetric, trend
from analysis.figures.parts import AS_IS, Sample, View
from analysis.models import AnalysisRun, Result
from lagpdb import units
from measurements.models import Measurement
from measurements.store import StoreError, recording
from samples.models import Cell, SputterSetting

TABLE_ROWS = 200
ROWS_AT_ONCE = 20_000  # of a long CSV
FIGURES_OF = {
    "conductivity": ("nyquist", "residuals", "bode"),
    "activation": ("arrhenius",),
    "sputter_rate": ("thickness",),
    "retention": ("capacity", "voltage", "differential"),
    "rate": ("rate", "voltage", "differential"),
    "interface": ("nyquist", "residuals", "bode"),
    "critical_current": ("staircase",),
    "plating": ("plating", "overpotential"),
    "polarisation": ("transient",),
    "electronic": ("transient", "current_voltage"),
}
FAMILIES = (impedance, arrhenius, films, cycling, symmetric)
BUILDERS = {name: builder for family in FAMILIES for name, builder in family.BUILDERS.items()}
FRAMES = {"arc": "Arc", "full": "Full range", "ce": "CE 90–102 %"}
TITLES = (
    {
        "nyquist": "Nyquist plot",
        "bode": "Bode plot",
        "residuals": "Residuals of fit and Kramers–Kronig test",
        "arrhenius": "Arrhenius plot",
        "thickness": "Film thickness against sputter time",
        "trend": "Interfacial resistance",
        "scatter": "All results of a quantity",
    }
    | cycling.TITLES
    | symmetric.TITLES
)


@dataclass
class Plot:
    """One figure of a page: addresses for plot.js, and the table for everybody else."""

    name: str
    src: str
    csv: str
    source: str
    file_name: str
    summary: str
    frames: dict[str, str]  # words of the buttons that switch between them, the first shown first
    columns: dict[str, list[Any]] = field(repr=False)
    switches: list[dict[str, Any]] = field(default_factory=list)  # as `analysis.figures.parts.switch` makes them

    @property
    def kind(self) -> str:
        """Which drawing it is; the style sheet gives each its proportions."""
        return self.name

    @property
    def title(self) -> str:
        """In words."""
        return TITLES[self.name]

    @property
    def takes_cycles(self) -> bool:
        """Whether people choose the cycles whose curves are drawn."""
        return self.name in ("voltage", "differential")

    @property
    def can_mask(self) -> bool:
        """Whether points may be marked in it for the next run to leave out."""
        return self.name == "nyquist"

    @property
    def headings(self) -> list[str]:
        """Column headings with units."""
        return [units.label(name) for name in self.columns]

    @property
    def row_count(self) -> int:
        """Rows of the whole table."""
        return max((len(values) for values in self.columns.values()), default=0)

    @property
    def left_out_rows(self) -> int:
        """Rows that the table of the page leaves to the CSV."""
        return max(self.row_count - TABLE_ROWS, 0)

    @property
    def rows(self) -> list[list[str]]:
        """The first rows as people read them."""
        return [[cell_text(value) for value in row] for row in zip(*self.columns.values(), strict=True)][:TABLE_ROWS]


def cell_text(value: Any) -> str:
    """A value of a data table: five digits, so that neighbours differ."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value == 0 or 1e-3 <= abs(value) < 1e6:
            return f"{value:.5g}".replace("-", units.MINUS) if abs(value) < 1e5 else f"{value:.0f}"
        mantissa, exponent = f"{value:.4e}".split("e")
        return f"{mantissa} × {units.power_of_ten(int(exponent))}".replace("-", units.MINUS)
    return "—" if value is None else str(value)


# --- What is drawn ----------------------------------------------------------------------------------------------------
def sample_of(run: AnalysisRun | None, measurement: Measurement | None) -> Sample:
    """Code, notation and temperature, as the figure's words say them."""
    subject = measurement.subject if measurement else run.subject  # type: ignore[union-attr]
    temperature = measurement.temperature_degC if measurement else None
    if isinstance(subject, SputterSetting):
        return Sample(subject.code, subject.code, is_coated=True)
    used = (run.inputs.get("electrode_area_cm2") or {}).get("value") if run else None
    area = used or getattr(subject, "electrode_area_cm2", None)
    return Sample(subject.code, f"{subject.code}, {subject.notation}", subject.is_coated, temperature, area)


def figure_of_run(run: AnalysisRun, name: str, view: View = AS_IS) -> dict[str, Any] | None:
    """The figure of a run as a person wants it drawn, or None where the run has none of that name.

    Raises
    ------
    StoreError
        It takes rows of the recording, which cannot be read.
    """
    curves = plot_context.completed(run, name, view) if name in FIGURES_OF.get(run.analysis, ()) else None
    if curves is None:
        return None
    sample = sample_of(run, run.measurement)
    if name == "arrhenius":
        return arrhenius.arrhenius(curves, sample, energy_of(run))
    if name == "thickness":
        return films.thickness(curves, sample, rate_of(run))
    return BUILDERS[name](curves, sample, view)


def columns(name: str, curves: dict[str, Any]) -> dict[str, list[Any]]:
    """The numbers of a figure, whichever family draws it."""
    return next(family for family in FAMILIES if name in family.BUILDERS).columns(name, curves)


RECORDED_COLUMNS = ("time_s", "potential_V", "current_A", "cycle_number", "step_number")


def full_columns(run: AnalysisRun, name: str) -> dict[str, list[Any]] | pd.DataFrame:
    """The numbers for the CSV: every row of the recording where the figure draws an envelope of it.

    Raises
    ------
    StoreError
        The recording cannot be read.
    """
    if name == "voltage":
        return columns(name, plot_context.whole_curves(run))
    if name not in symmetric.RECORDED or run.measurement is None:
        return columns(name, run.curves)
    frame = recording(run.measurement, lambda names: ([key for key in RECORDED_COLUMNS if key in names], {}))
    return frame[[key for key in RECORDED_COLUMNS if key in frame]]


def _frames(figure: dict[str, Any]) -> dict[str, str]:
    """The frames of a figure in words, the one it opens with first; none where there is no choice."""
    names = sorted(figure.get("frames", {}), key=lambda name: name != figure.get("frame"))
    return {name: FRAMES[name] for name in names} if len(names) > 1 else {}


def energy_of(run: AnalysisRun) -> dict[str, Any] | None:
    """Activation energy of a run with its 95 % interval and the form that was fitted."""
    result = Result.objects.filter(run=run, quantity="activation_energy_eV", label="sigma_T").first()
    if result is None or result.value is None:
        return None
    rows = run.tables.get("fit") or run.tables.get("lines") or next(iter(run.tables.values()), [])
    row = next((r for r in rows if "ln(σT)" in str(r.get("symbol", ""))), {})
    return {
        "value": result.value,
        "uncertainty": result.uncertainty,
        "lower": row.get("lower"),
        "upper": row.get("upper"),
        "form": "ln(σT)",
        "count": (run.inputs.get("points") or {}).get("value") or len(run.curves.get("line", ())),
    }


def rate_of(run: AnalysisRun) -> dict[str, Any] | None:
    """Sputter rate of a run that counts first, and from how many films."""
    result = Result.objects.filter(run=run, quantity="sputter_rate_nm_min").order_by("position").first()
    if result is None or result.value is None:
        return None
    count = (run.inputs.get("points") or {}).get("value")
    return {"value": result.value, "uncertainty": result.uncertainty, "form": result.label, "count": count}


def raw_curves(measurement: Measurement) -> dict[str, Any] | None:
    """The spectrum as it stands in the file, for pages of measurements without a run; None for other tables."""
    try:
        frame = recording(measurement)
    except (StoreError, OSError):
        return None
    names = ("frequency_Hz", "z_real_ohm", "z_imag_ohm")
    if not set(names) <= set(frame.columns):
        return None
    frame = frame[list(names)].dropna()
    frame = frame[frame["frequency_Hz"] > 0]
    return {"data": {name: frame[name].tolist() for name in names}} if len(frame) else None


def run_is_synthetic(run: AnalysisRun) -> bool:
    """Whether a run computed from what a generator made."""
    stated = (run.inputs.get("is_synthetic") or {}).get("value", False)
    return bool(stated or any(getattr(item, "is_synthetic", False) for item in (run.measurement, run.subject)))


def synthetic_mark(is_synthetic: bool) -> str:
    """What a drawing that leaves the page says of its data."""
    return " · synthetic, not measured" if is_synthetic else ""


# --- What a page shows ------------------------------------------------------------------------------------------------
def plots_of_run(run: AnalysisRun) -> dict[str, Plot]:
    """Every figure of a run, by name."""
    code = run.measurement.code if run.measurement else run.subject.code
    source = f"{code}, run {run.pk}, {run.analysis} v{run.version}, lagpdb{synthetic_mark(run_is_synthetic(run))}"
    found = {}
    for name in FIGURES_OF.get(run.analysis, ()):
        figure = figure_of_run(run, name)
        if figure:
            address = {form: reverse("run_figure", args=[run.pk, name, form]) for form in ("json", "csv")}
            found[name] = Plot(
                name, address["json"], address["csv"], source, f"{code}_{name}", figure["summary"],
                _frames(figure), columns(name, run.curves), figure.get("switches", []),
            )  # fmt: skip
    return found


def plots_of_recording(measurement: Measurement) -> dict[str, Plot]:
    """Nyquist and Bode plot of the raw spectrum, where there is no run to draw."""
    curves = raw_curves(measurement)
    if curves is None:
        return {}
    sample, found = sample_of(None, measurement), {}
    for name in ("nyquist", "bode"):
        figure = BUILDERS[name](curves, sample)
        address = {form: reverse("measurement_figure", args=[measurement.code, name, form]) for form in ("json", "csv")}
        found[name] = Plot(
            name, address["json"], address["csv"],
            f"{measurement.code}, as in the file, lagpdb{synthetic_mark(measurement.is_synthetic)}",
            f"{measurement.code}_{name}", figure["summary"], {}, columns(name, curves), figure.get("switches", []),
        )  # fmt: skip
    return found


def trend_of_cell(cell: Cell, view: View = AS_IS) -> tuple[dict[str, Any], dict[str, list[Any]]] | None:
    """The figure of a cell's interfacial resistances and its numbers; None without two to compare."""
    points = plot_context.interfaces(cell)
    if len(points) < 2 or not points[0]["is_own"]:
        return None
    sample = Sample(cell.code, f"{cell.code}, {cell.notation}", cell.is_coated)
    return trend.trend(points, sample, view), trend.columns(points)


def plots_of_cell(cell: Cell | None) -> dict[str, Plot]:
    """Figures that put several measurements of a cell together."""
    drawn = trend_of_cell(cell) if cell else None
    if cell is None or drawn is None:
        return {}
    figure, numbers = drawn
    address = {form: reverse("cell_figure", args=[cell.code, "trend", form]) for form in ("json", "csv")}
    mark = synthetic_mark(cell.is_synthetic)
    return {
        "trend": Plot(
            "trend", address["json"], address["csv"], f"{cell.code}, current results, lagpdb{mark}",
            f"{cell.code}_trend",
            figure["summary"], {}, numbers, figure["switches"],
        )
    }  # fmt: skip


def csv_text(columns: dict[str, list[Any]], comments: Iterable[str]) -> str:
    """Full data under one header line; lines before it begin with # and say where they come from."""
    stream = io.StringIO()
    for comment in comments:
        stream.write(f"# {comment}\n")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(["" if value is None else repr(value) if isinstance(value, float) else value for value in row])
    return stream.getvalue()


def csv_parts(frame: pd.DataFrame, comments: Iterable[str]) -> Iterator[str]:
    """As `csv_text`, of a table of any length, piece by piece."""
    yield "".join(f"# {comment}\n" for comment in comments)
    for start in range(0, max(len(frame), 1), ROWS_AT_ONCE):
        yield frame.iloc[start : start + ROWS_AT_ONCE].to_csv(index=False, header=start == 0, lineterminator="\n")


def plain_rows(frame: Any) -> list[list[Any]]:
    """Rows of a DataFrame as plain numbers; gaps as None."""
    return [[None if value != value else value for value in row] for row in frame.astype(object).values.tolist()]


def column_label(name: str) -> str:
    """Heading of a column of a recording; columns that only the vendor knows keep their own name."""
    return units.label(name) if units.suffix_of(name) else name
