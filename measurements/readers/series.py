"""From a named table to a Recording of a time series: units, signs, cycles, and what is odd about it.

The one room that every reader of testers uses. A reader finds its tables (`delimited.read_grid`, `workbook.grids`) and
calls `recording`; what its format fixes beyond the headers it says in the arguments.

Dates of instrument files carry no zone. ``unix_time_s`` counts them as if the tester's clock showed UTC, as
``measured_at`` shows the same clock without a zone; differences are exact, the zone is the installation's to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from measurements.readers.bad_rows import what_is_wrong, wrong_cell
from measurements.readers.base import ReaderError, Recording, UnknownColumns, Warnings
from measurements.readers.clock import DAY_S, BadTime, durations_s, is_missing, iso_of, looks_like_date, unix_times
from measurements.readers.columns import (
    CHARGE_CAPACITY,
    CURRENT,
    CYCLE,
    DISCHARGE_CAPACITY,
    POTENTIAL,
    SERIES,
    STEP,
    STEP_CAPACITY,
    STEP_KIND,
    TEMPERATURE,
    TIME,
    UNIX_TIME,
    short,
)
from measurements.readers.grid import Cells, Floats, Grid, as_column
from measurements.readers.odd_cells import (
    are_mostly_numbers,
    as_numbers,
    odd_cells_warning,
    odd_rows,
    unknown_steps,
)
from measurements.readers.series_checks import doubts
from measurements.readers.series_columns import (
    RECORD,
    SERIES_LABELS,
    SI_UNITS,
    SPECIFIC_CAPACITY,
    STEP_TIME,
    SeriesColumn,
    name_series,
    step_kinds,
)
from measurements.readers.series_directions import (
    Values,
    count_cycles,
    per_step,
    refuse_running_capacity,
    resets_within_cycle,
    set_signs,
)
from measurements.readers.words import as_text, is_coded

NEEDED = (TIME, POTENTIAL, CURRENT)
TECHNIQUE = "time_series"
# A column of words here is no error of the file; it keeps its own name.
_MAY_BE_TEXT = (CYCLE, STEP, TEMPERATURE, RECORD, SPECIFIC_CAPACITY)
_EXCEL_EPOCH = 25_569  # 1970-01-01 in days of Excel
_UNITS_MATTER = (TIME, POTENTIAL, CURRENT, STEP_CAPACITY, CHARGE_CAPACITY, DISCHARGE_CAPACITY)


def recording(
    grid: Grid,
    metadata: dict[str, Any] | None = None,
    warnings: Warnings | None = None,
    *,
    names: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    needed: Sequence[str] = NEEDED,
    date_order: str = "",
    counters_per_step: bool | None = False,
    derives_cycles: bool = True,
    units_may_miss: bool = True,
) -> Recording:
    """The Recording of one table.

    Parameters
    ----------
    grid : Grid
        From `delimited.read_grid` or `workbook.grids`.
    metadata, warnings
        Facts and doubts that the reader already has.
    names : dict, optional
        Header to canonical name, or ``""`` for a column that keeps its own; goes before the alias table.
    units : dict, optional
        Header to unit ("mA"); goes before what the header says.
    needed : sequence of str
        Canonical columns without which the table is refused.
    date_order : str
        ``"mdy"`` or ``"dmy"`` where the format fixes it.
    counters_per_step : bool or None
        Whether charge and discharge counters begin at 0 in every step: they then become the step's counter. None: the
        numbers decide, for a table of which nothing else is known.
    derives_cycles : bool
        Whether `cycle_number` is counted from the current where the file has no such column.
    units_may_miss : bool
        Whether headers without units are no doubt, because the format fixes SI units.

    Raises
    ------
    ReaderError
        A needed column is missing, or (`BadRow`) a cell holds neither a number nor the mark for no value.
    """
    found = [*(warnings or []), *grid.doubts]
    facts = dict(metadata or {})
    columns = name_series(grid.headers, grid.units, names, units)
    values = _values(grid, columns, date_order, found)
    _times(values, grid, found)
    for name in needed:
        if name not in values:
            raise missing_column(name, columns)
    if not units_may_miss:
        _units_not_stated(grid, columns, found)
    if counters_per_step is None:
        refuse_running_capacity(values, columns, found)
    if counters_per_step or (counters_per_step is None and resets_within_cycle(values)):
        per_step(values)
    set_signs(values, found)
    if derives_cycles and CYCLE not in values and CURRENT in values:
        count_cycles(values, found)
    if grid.seen:
        facts.setdefault("seen", grid.seen)
    _facts(values, columns, facts)
    is_known = units_may_miss or all(column.unit for column in columns if column.name == POTENTIAL)
    found += doubts(values, is_unit_known=is_known)
    _record_numbers(values, columns, found)
    order = [name for name in SERIES if name in values]
    every = (*order, *(name for name in values if name not in order))
    # Without a copy: putting millions of numbers into one block costs more than reading them.
    frame = pd.DataFrame({name: as_text(values[name]) for name in every}, copy=False)
    return Recording(TECHNIQUE, frame, facts, found)


def missing_column(name: str, columns: Sequence[SeriesColumn]) -> UnknownColumns:
    """The refusal of a table without a needed column, with the columns seen."""
    seen = ", ".join(short(column.header) for column in columns[:12] if column.header) or "none"
    more = f" and {len(columns) - 12} more" if len(columns) > 12 else ""
    label = SERIES_LABELS[name]
    return UnknownColumns(f"No {label} column found. Columns seen: {seen}{more}. Choose which column is the {label}.")


def _values(grid: Grid, columns: Sequence[SeriesColumn], date_order: str, warnings: Warnings) -> Values:
    """Every column in canonical units; texts where a column of the tester's own holds words."""
    values: Values = {}
    for column, cells in zip(columns, grid.columns, strict=True):
        name = column.name
        if name in (STEP_KIND, STEP) and not _are_numbers(cells):
            if name == STEP:
                _refuse_odd(grid, column, cells)
            kinds = step_kinds(cells)
            if STEP_KIND not in values and (kinds != "").any():
                values[STEP_KIND] = kinds
                warnings += unknown_steps(cells, kinds, grid.place)
            if column.header != STEP_KIND:
                values[_own(column, values)] = _texts(cells)
        elif name in (TIME, STEP_TIME, UNIX_TIME):
            _time_column(grid, column, cells, date_order, values, warnings)
        elif name in SERIES:
            numbers = _numbers(grid, column, cells)
            if numbers is None:
                values[_own(column, values)] = _texts(cells)
                numbers = _without_odd(grid, column, cells, warnings) if name == TEMPERATURE else None
            if numbers is not None:
                values[name] = _whole(numbers) if name in (CYCLE, STEP) else _canonical(numbers, column)
        elif column.header or not _is_empty(cells):
            values[_own(column, values)] = cells + 0.0 if _are_numbers(cells) else _plain_cells(cells)
    return values


def _are_numbers(cells: Cells) -> bool:
    return cells.dtype != object and not is_coded(cells)


def _canonical(numbers: Floats, column: SeriesColumn) -> Floats:
    """In the unit of the canonical column. A zero that was printed with a minus comes out as 0, here and elsewhere."""
    return (numbers if column.factor == 1.0 else numbers * column.factor) + column.offset


def _own(column: SeriesColumn, values: Values) -> str:
    """The column's own name; one that is ours although the column is not gets a mark."""
    name = column.header or column.name
    return f"{name} (text)" if name in values or name in SERIES else name


def _texts(cells: Cells) -> Cells:
    if is_coded(cells) or set(map(type, cells)) == {str}:
        return cells
    return np.array([cell if isinstance(cell, str) else str(cell) for cell in cells], dtype=object)


def _plain_cells(cells: Cells) -> npt.NDArray[Any]:
    """Texts, or numbers where dates of a workbook or words are the exception and can be told."""
    if is_coded(cells):
        return cells
    numbers = as_column(list(cells))
    return numbers if numbers.dtype != object else _texts(cells)


def _is_empty(cells: Cells) -> bool:
    if cells.dtype == object:
        return all(isinstance(cell, str) and is_missing(cell) for cell in cells)
    return bool(np.isnan(cells.astype(np.float64)).all())


def _whole(numbers: Floats) -> npt.NDArray[Any]:
    if len(numbers) and not (numbers.min() > -(2**53) and numbers.max() < 2**53):  # NaN is neither
        return numbers
    whole = numbers.astype(np.int64)
    return whole if (whole == numbers).all() else numbers


def _numbers(grid: Grid, column: SeriesColumn, cells: Cells) -> Floats | None:
    """The numbers of a column; None if it may be words and is.

    Raises
    ------
    BadRow
        At the first cell that is no number.
    """
    if cells.dtype == object:
        plain_cells = [cell if isinstance(cell, (str, int, float)) else str(cell) for cell in cells]
        again = as_column(plain_cells, grid.decimal)
        if again.dtype == object:
            if column.name == CYCLE:
                _refuse_odd(grid, column, cells)
            if column.name in _MAY_BE_TEXT:
                return None
            row = next(i for i, cell in enumerate(cells) if as_column([cell], grid.decimal).dtype == object)
            raise _bad(grid, row, column, str(cells[row]))
        cells = again
    numbers = np.asarray(cells, dtype=np.float64)
    if np.isinf(numbers).any():
        raise _bad(grid, int(np.argmax(np.isinf(numbers))), column, "inf")
    return numbers


def _refuse_odd(grid: Grid, column: SeriesColumn, cells: Cells) -> None:
    """Refuse a word among the numbers of a column; a column of words may be one.

    Raises
    ------
    BadRow
        At the first word.
    """
    is_odd = odd_rows(cells, grid.decimal)
    if is_odd.any() and are_mostly_numbers(cells, is_odd):
        row = int(np.argmax(is_odd))
        raise _bad(grid, row, column, str(cells[row]))


def _without_odd(grid: Grid, column: SeriesColumn, cells: Cells, warnings: Warnings) -> Floats | None:
    """The numbers of a column of which little depends, without the words among them; None if it holds words."""
    if cells.dtype != object:
        return None
    is_odd = odd_rows(cells, grid.decimal)
    if not are_mostly_numbers(cells, is_odd):
        return None
    row = int(np.argmax(is_odd))
    warnings.append(odd_cells_warning(grid.place(row), column.label, str(cells[row]), int(is_odd.sum())))
    return as_numbers(cells, is_odd, grid.decimal)


def _bad(grid: Grid, row: int, column: SeriesColumn, text: str, kind: str = "number") -> ReaderError:
    place, line = grid.place(row), int(grid.lines[row])
    # Only a line of text can be left out of a file.
    if grid.sheet:
        what = what_is_wrong(text, kind)
        return ReaderError(
            f"{place}, column {column.label}: {what}. Remove the row in the source, then upload that.", line=line
        )
    return wrong_cell(place, column.label, text, line, kind)


def _time_column(
    grid: Grid, column: SeriesColumn, cells: Cells, order: str, values: Values, warnings: Warnings
) -> None:
    first = next((cell for cell in cells if not _is_nothing(cell)), None)
    if first is None:
        return
    is_date = isinstance(first, str) and looks_like_date(first)
    name = UNIX_TIME if column.name == TIME and is_date else column.name
    if name in values:
        values[_own(column, values)] = _plain_cells(cells) if cells.dtype == object else cells
        return
    try:
        if name == UNIX_TIME:
            values[name] = _moments(column, cells, order, warnings)
        elif cells.dtype == object:
            values[name] = _durations(cells, column.factor, grid.decimal)
        else:
            values[name] = np.asarray(cells, dtype=np.float64) * column.factor
    except BadTime as bad:
        if column.name == UNIX_TIME:
            values[_own(column, values)] = _texts(np.asarray(cells, dtype=object))
            sentence = f"{grid.place(bad.row)}, column {column.label}: ‘{short(bad.text)}’ is not a date."
            warnings.append(("dates_not_read", f"{sentence} The column is kept as it stands, and not used as time."))
            return
        raise _bad(grid, bad.row, column, bad.text, "time") from None
    unknown = ~np.isfinite(values[name])
    if name == TIME and unknown.any():
        raise _bad(grid, int(np.argmax(unknown)), column, "", "time")


def _is_nothing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and is_missing(cell)) or (isinstance(cell, float) and np.isnan(cell))


def _durations(cells: Cells, factor: float, decimal: str) -> Floats:
    """As `durations_s`; a comma of a bare number must be the decimal sign of the file ("1,234" may be 1234)."""
    texts = cells.tolist()
    for row, cell in enumerate(texts if decimal == "." else ()):
        if isinstance(cell, str) and "," in cell and ":" not in cell:
            raise BadTime(row, cell)
    return durations_s(texts, factor)


def _moments(column: SeriesColumn, cells: Cells, order: str, warnings: Warnings) -> Floats:
    if cells.dtype != object:
        numbers = np.asarray(cells, dtype=np.float64) * column.factor
        if np.isinf(numbers).any():
            raise BadTime(int(np.argmax(np.isinf(numbers))), "inf")
        is_excel = bool(np.nanmin(numbers) > 2e4 and np.nanmax(numbers) < 8e4)
        return (numbers - _EXCEL_EPOCH) * 86_400 if is_excel else numbers
    seconds, is_ambiguous = unix_times(cells.tolist(), order)
    if np.isinf(seconds).any():
        row = int(np.argmax(np.isinf(seconds)))
        raise BadTime(row, str(cells[row]))
    if is_ambiguous:
        warnings.append((
            "date_ambiguous",
            f"The dates (‘{short(str(cells[0]))}’) were read as month/day. "
            "Correct the time if the tester’s computer writes the day first.",
        ))  # fmt: skip
    return seconds


def _times(values: Values, grid: Grid, warnings: Warnings) -> None:
    """Time since the first row from the dates, where the file has no time of its own."""
    if TIME in values and UNIX_TIME in values and _is_time_of_day(values[TIME], values[UNIX_TIME]):
        values[UNIX_TIME] = values[UNIX_TIME] + values.pop(TIME)
    if TIME in values or UNIX_TIME not in values or not np.isfinite(values[UNIX_TIME]).all():
        return
    values[TIME] = values[UNIX_TIME] - values[UNIX_TIME][0]
    warnings.append(("time_from_clock", "The file has no test time. Time was counted from the dates of its rows."))


def _is_time_of_day(time: Floats, unix: Floats) -> bool:
    """Whether a column of dates without times stands beside the time of day, not beside a time that has passed."""
    if not ((time >= 0) & (time < DAY_S)).all() or not np.isfinite(unix).all() or (unix % DAY_S != 0).any():
        return False
    back = np.diff(time) < 0
    if back.any():
        return bool((np.diff(unix)[back] > 0).all())
    return bool(time[0] > 60)


def _units_not_stated(grid: Grid, columns: Sequence[SeriesColumn], warnings: Warnings) -> None:
    units = {name: unit for name, unit in SI_UNITS.items() if name in _UNITS_MATTER}
    # A time with colons needs no unit.
    pairs = zip(columns, grid.columns, strict=True)
    bare = [column for column, cells in pairs if column.name in units and column.unit is None and cells.dtype != object]
    if bare:
        names = ", ".join(column.label for column in bare)
        taken = ", ".join(dict.fromkeys(units[column.name] for column in bare))
        warnings.append(("unit_not_stated", f"The file states no unit for {names}. {taken} was taken."))


def _facts(values: Values, columns: Sequence[SeriesColumn], facts: dict[str, Any]) -> None:
    if UNIX_TIME in values and len(values[UNIX_TIME]):
        start = iso_of(float(values[UNIX_TIME][0]))
        if start:
            facts.setdefault("measured_at", start)
    temperature = values.get(TEMPERATURE)
    # Testers without a sensor write 0 in every row.
    if temperature is not None and np.isfinite(temperature).any() and np.nanmax(np.abs(temperature)) > 0:
        facts.setdefault("temperature_degC", round(float(np.nanmedian(temperature)), 3))
    elif temperature is not None:
        values[TEMPERATURE] = np.full(len(temperature), np.nan)
    current = next((column for column in columns if column.name == CURRENT), None)
    if current is not None and current.unit:
        facts.setdefault("current_unit", current.unit)
    specific = next((column for column in columns if column.name == SPECIFIC_CAPACITY), None)
    if specific is not None and STEP_CAPACITY in values:
        mass = _active_mass(values[STEP_CAPACITY], values.get(specific.header), specific.factor)
        if mass is not None:
            facts.setdefault("active_mass_mg", mass)


def _record_numbers(values: Values, columns: Sequence[SeriesColumn], warnings: Warnings) -> None:
    """Say when the tester's own count of rows shows that rows before the first one are missing."""
    header = next((column.header for column in columns if column.name == RECORD), "")
    count = values.get(header)
    is_told = any(code == "slice_not_from_start" for code, _ in warnings)
    if not is_told and count is not None and count.dtype == np.float64 and len(count) and count[0] > 1:
        sentence = f"The first record has number {count[0]:.0f}, not 1: the file is a part of a test."
        warnings.append(("slice_not_from_start", sentence))


def _active_mass(capacity: Floats, specific: npt.NDArray[Any] | None, factor: float) -> float | None:
    """Mass of the tester's own specific capacities, from the row that tells it most exactly."""
    if specific is None or specific.dtype != np.float64 or not np.isfinite(specific).any():
        return None
    row = int(np.nanargmax(specific))
    if not (specific[row] > 0 and capacity[row] > 0):
        return None
    return float(f"{1e3 * capacity[row] / (specific[row] * factor):.4g}")
