"""Records and facts of a Neware binary, by the parts of fastnda that go by content.

`fastnda.read` and `fastnda.read_metadata` go by the name of a file, and stored files have none; each opens the file for
itself. Here an .ndax is opened once. fastnda decodes its members (`read_ndc`); putting them together takes it most of
its time, for each of many groups of rows, and is done here on arrays. That is for files as testers write them: records,
run info and steps, without gaps. For any other, with sensors or of an older layout, fastnda itself puts them together.

The facts are short XML. Where it holds no declarations and no name spaces, Python's own parser gives the same as
fastnda in a quarter of the time.

Nothing here may differ from `fastnda.read` and `fastnda.read_metadata` in a single bit; tests compare both.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Columns = dict[str, Array]

_MEMBERS = _RECORDS, _RUN_INFO, _STEPS = "data.ndc", "data_runInfo.ndc", "data_step.ndc"
_SENSOR = re.compile(r"_\d+\.ndc")
_MAIN = {"index", "voltage_V", "current_mA"}
_RUN = {
    "index", "step_count", "dt", "step_time_s", "unix_time_s", "charge_capacity_mAh", "discharge_capacity_mAh",
    "charge_energy_mWh", "discharge_energy_mWh",
}  # fmt: skip
_STEP = {"cycle_count", "step_index", "step_type", "step_count"}
_SIDES = {
    "capacity_mAh": ("charge_capacity_mAh", "discharge_capacity_mAh"),
    "energy_mWh": ("charge_energy_mWh", "discharge_energy_mWh"),
}
# The columns of `fastnda.read` in its order, and the kinds of its numbers.
_SINGLE = ("voltage_V", "current_mA", "capacity_mAh", "energy_mWh")
_COUNTS = ("index", "cycle_count", "step_count", "step_index")
_TIMES = ("unix_time_s", "step_time_s", "total_time_s")
_ORDER = (
    "index", "voltage_V", "current_mA", "unix_time_s", "step_time_s", "total_time_s", "cycle_count", "step_count",
    "step_index", "step_type", "capacity_mAh", "energy_mWh",
)  # fmt: skip
_NEEDED = {"index", "voltage_V", "current_mA", "step_time_s", "cycle_count", "step_count", "step_index", "step_type"}
_MAX_COUNT = 2**32
_LONG = 64  # rows in a row without run info, from which they are summed by themselves
# Where XML goes to fastnda. Declarations: what Python's parser is not safe from needs one. Name spaces and carriage
# returns, of which fastnda makes other texts on its way.
_UNUSUAL = ("<!", "xmlns", "xml:", "&#13", "&#x", "&#0")
_BLANK = " \t\r\n"


def read(path: Path, is_nda: bool) -> tuple[Columns, dict[str, Any] | None]:
    """What `fastnda.read` and `fastnda.read_metadata` give; whatever they raise, this may raise.

    Returns
    -------
    columns : dict
        Of ``fastnda.read(path, cycle_mode="raw", raw_categories=True)``, as floats of 64 bits, NaN where there is no
        number. The codes in `step_type` are of 8 bits, 255 where there is none.
    facts : dict or None
        None if they cannot be read.
    """
    if is_nda:
        from fastnda.nda import read_nda

        return _finished(read_nda(path)) or _by_fastnda(path, ".nda"), _facts_of_nda(path)
    with zipfile.ZipFile(path) as archive:
        return _records_of_ndax(archive, path) or _by_fastnda(path, ".ndax"), _facts_of_ndax(archive, path)


def _records_of_ndax(archive: zipfile.ZipFile, path: Path) -> Columns | None:
    from fastnda.ndax import read_ndax, read_ndc

    names = archive.namelist()
    if any(_SENSOR.search(name) for name in names):
        return _finished(read_ndax(path))
    # Those that come to nothing are decoded as well: fastnda refuses a file for any of them.
    tables = {member: read_ndc(archive.read(member)) for member in _MEMBERS if member in names}
    if _RUN_INFO not in tables:
        return _finished(tables[_RECORDS])
    if len(tables) < len(_MEMBERS):
        return None
    main, run, step = (set(table.columns) for table in tables.values())
    if main != _MAIN or run != _RUN or step - {"index"} != _STEP:
        return None
    if any(column.null_count() for table in tables.values() for column in table.get_columns()):
        return None
    parts = ({column.name: column.to_numpy() for column in table.get_columns()} for table in tables.values())
    return _put_together(*parts)


def _put_together(main: Columns, run: Columns, step: Columns) -> Columns | None:
    """The columns of a file, as `read` gives them; None if rows are missing in a part or are not in order.

    Run info stands in some rows only. Up to the next one, time and counters go on from it: by the seconds `dt` of each
    row, and by its charge and energy.
    """
    index = main["index"].astype(np.int64)
    at = np.searchsorted(index, run["index"])
    is_there = at < len(index)
    is_there[is_there] = index[at[is_there]] == run["index"][is_there]
    if not len(index) or (index[1:] <= index[:-1]).any() or not is_there.any():
        return None
    at, told = at[is_there], np.flatnonzero(is_there)
    order = np.argsort(at, kind="stable")
    at, told = at[order], told[order]
    if at[0] != 0:
        return None
    lengths = np.diff(at, append=len(index))
    number = run["step_count"][told]
    if number.min() < 1 or number.max() > len(step["step_count"]):
        return None
    seconds = run["dt"][told].repeat(lengths)
    voltage_V, current_mA = main["voltage_V"], main["current_mA"]
    grown = np.array([seconds, seconds * current_mA / 3600, seconds * voltage_V * current_mA / 3600])
    if not np.isfinite(grown).all():
        return None
    _sum_between(grown, at, lengths)
    out: Columns = {"index": index, "voltage_V": voltage_V, "current_mA": current_mA}
    for name in ("unix_time_s", "step_time_s"):
        out[name] = run[name][told].repeat(lengths) + grown[0]
    for (whole, (charge, discharge)), more in zip(_SIDES.items(), grown[1:], strict=True):
        up = np.abs(run[charge][told]).repeat(lengths) + np.maximum(more, 0.0)
        out[whole] = up - (np.abs(run[discharge][told]).repeat(lengths) - np.minimum(more, 0.0))
    out["step_count"] = number.repeat(lengths)
    for name in ("cycle_count", "step_index", "step_type"):
        # Steps are numbered from 1 as they stand.
        out[name] = step[name][number.astype(np.int64) - 1].repeat(lengths)
    return _as_fastnda(out)


def _sum_between(values: Floats, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> None:
    """Sum each row of values from every start, which counts 0, to the next, in place.

    One after the other, as fastnda does: any other order of summing changes the last digits.
    """
    values[:, starts] = 0.0
    is_long = lengths > _LONG
    for start, length in zip(starts[is_long].tolist(), lengths[is_long].tolist(), strict=True):
        part = values[:, start : start + length]
        np.cumsum(part, axis=1, out=part)
    places, left = starts[~is_long] + 1, lengths[~is_long] - 2
    while True:
        places, left = places[left > 0] + 1, left[left > 0] - 1
        if not len(places):
            return
        values[:, places] += values[:, places - 1]


def _finished(table: Any) -> Columns | None:
    """The records of fastnda as `read` gives them; None if columns or numbers are missing."""
    found = {column.name: column for column in table.get_columns()}
    used = [name for name in _ORDER if name in found]
    used += [side for whole, pair in _SIDES.items() if whole not in found for side in pair]
    if not len(table) or not found.keys() >= {*_NEEDED, *used} or any(found[name].null_count() for name in used):
        return None
    columns = {name: found[name].to_numpy() for name in used}
    for whole, (charge, discharge) in _SIDES.items():
        if whole not in columns:
            columns[whole] = columns.pop(charge) - columns.pop(discharge)
    columns |= {name: column.to_numpy() for name, column in found.items() if name.startswith("aux")}
    return _as_fastnda(columns)


def _as_fastnda(columns: Columns) -> Columns | None:
    """The last steps of `fastnda.read`; None where it might refuse a number, or looks at rows in another order."""
    if not _are_of_known_kinds(columns):
        return None
    if "total_time_s" not in columns:
        number = columns["step_count"]
        if (number[1:] < number[:-1]).any():
            return None
        columns["total_time_s"] = _time_since_start(columns["step_time_s"], number)
    out: Columns = {}
    for name in (*(name for name in _ORDER if name in columns), *(name for name in columns if name.startswith("aux"))):
        cells = columns[name]
        if name in _SINGLE:
            with np.errstate(over="ignore"):
                cells = cells.astype(np.float32, copy=False)
        elif name in _TIMES:
            cells = cells.round(6)
        out[name] = cells if name == "step_type" else cells.astype(np.float64, copy=False)
    return out


def _are_of_known_kinds(columns: Columns) -> bool:
    for name, cells in columns.items():
        if name == "step_type":
            is_known = cells.dtype == np.uint8
        elif name in _COUNTS:
            is_known = cells.dtype.kind in "iu" and bool(cells.min() >= 0 and cells.max() < _MAX_COUNT)
        elif name in _TIMES:
            is_known = cells.dtype == np.float64
        else:
            is_known = name not in _SINGLE or cells.dtype in (np.float32, np.float64)
        if not is_known:
            return False
    return True


def _time_since_start(step_time_s: Floats, number: Array) -> Floats:
    """The time in the step, and the longest of every step before."""
    starts = np.append(0, np.flatnonzero(number[1:] != number[:-1]) + 1)
    longest = np.fmax.reduceat(step_time_s, starts)
    before = np.append(0.0, longest[:-1]).cumsum()
    return step_time_s + before.repeat(np.diff(starts, append=len(number)))


def _by_fastnda(path: Path, suffix: str) -> Columns:
    import fastnda

    with _named(path, suffix) as link:
        table = fastnda.read(link, cycle_mode="raw", raw_categories=True)
    columns = {column.name: column for column in table.get_columns()}
    out = {name: column.to_numpy().astype(np.float64, copy=False) for name, column in columns.items()}
    return out | {name: columns[name].fill_null(255).to_numpy() for name in ("step_type",) if name in columns}


@contextmanager
def _named(path: Path, suffix: str) -> Iterator[Path]:
    """Another path of a file, with a name that says what it is."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"file{suffix}"
        link.symlink_to(path.resolve())
        yield link


def _facts_of_nda(path: Path) -> dict[str, Any] | None:
    from fastnda.nda_meta import read_nda_metadata

    try:
        return dict(read_nda_metadata(path))
    # The foreign parser indexes and decodes freely.
    except Exception:
        return None


def _facts_of_ndax(archive: zipfile.ZipFile, path: Path) -> dict[str, Any] | None:
    from fastnda.ndax import read_ndax_metadata

    found: dict[str, Any] = {}
    try:
        for member in archive.namelist():
            if member.endswith(".xml"):
                text = archive.read(member).decode(errors="ignore")
                if any(mark in text for mark in _UNUSUAL):
                    return dict(read_ndax_metadata(path))
                found[member.split("/")[-1].split(".")[0]] = _config(text)
    # A damaged archive and wrong XML raise much.
    except Exception:
        return None
    return found


def _config(text: str) -> Any:
    """The content of <config> as dicts and texts.

    Raises
    ------
    ValueError
        If there is none, or text behind it, which fastnda does not read either.
    """
    element = fromstring(text).find("config")  # noqa: S314 – no declarations, see `_UNUSUAL`
    if element is None or (element.tail or "").strip(_BLANK):
        raise ValueError("no <config>, or text behind it")
    return _tree(element)


def _tree(element: Element) -> Any:
    found: dict[str, Any] = dict(element.attrib)
    texts = [element.text or ""]
    for child in element:
        _put(found, child.tag, _tree(child))
        texts.append(child.tail or "")
    text = "".join(texts).strip() or None
    if not found:
        return text
    if text is not None:
        _put(found, "#text", text)
    return found


def _put(found: dict[str, Any], name: str, value: Any) -> None:
    """What stands several times becomes a list."""
    if name not in found:
        found[name] = value
    elif isinstance(found[name], list):
        found[name].append(value)
    else:
        found[name] = [found[name], value]
