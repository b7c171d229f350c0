"""Headers of testers, in English, German and Chinese, and the canonical columns and units that they stand for.

The unit is part of the header ("Current/mA", "Test_Time(s)", "charge_capacity_Ah", "mAmp-hr"), or of a line below it.
Where a header states none, SI units are taken, and the Recording says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from measurements.readers.base import ReaderError
from measurements.readers.columns import (
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CURRENT,
    CYCLE,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    MAX_COLUMNS,
    POTENTIAL,
    SERIES,
    STEP,
    STEP_CAPACITY,
    STEP_ENERGY,
    STEP_KIND,
    TEMPERATURE,
    TIME,
    UNIX_TIME,
    plain,
    short,
)
from measurements.readers.words import coded, factorised

# Columns that help to make the canonical ones; they keep these names where nothing else fits.
STEP_TIME = "step_time_s"
SPECIFIC_CAPACITY = "specific_capacity_mAh_g"
RECORD = "record_number"

NAMED = (*SERIES, STEP_TIME, SPECIFIC_CAPACITY, RECORD)
SERIES_LABELS = {
    TIME: "time", POTENTIAL: "potential", CURRENT: "current", CYCLE: "cycle number", STEP: "step number",
    STEP_KIND: "step kind", UNIX_TIME: "date and time", STEP_CAPACITY: "capacity", CHARGE_CAPACITY: "charge capacity",
    DISCHARGE_CAPACITY: "discharge capacity", STEP_ENERGY: "energy", CHARGE_ENERGY: "charge energy",
    DISCHARGE_ENERGY: "discharge energy", TEMPERATURE: "temperature", STEP_TIME: "step time",
    SPECIFIC_CAPACITY: "specific capacity", RECORD: "record number",
}  # fmt: skip

# Written without blanks, dots, dashes and underscores, in lower case.
_ALIASES: dict[str, str] = {
    TIME: "time t test testtime elapsed elapsedtime totaltime runtime cumulativetime correctedtime testzeit prüfzeit "
    "laufzeit messzeit zeit 时间 测试时间 总时间 累计时间 运行时间 测试总时间",
    STEP_TIME: "steptime stepelapsedtime relativetime 步骤时间 工步时间 相对时间 schrittzeit",
    UNIX_TIME: "systime datetime date systemtime absolutetime realtime timestamp dpttime dateandtime datetimeisostring "
    "unixtime epoch epochtime 系统时间 绝对时间 日期 日期时间 真实时间 datum datumzeit zeitstempel",
    POTENTIAL: "voltage potential volt volts u v e ewe <ewe> ecell vf we(1)potential cellvoltage cellpotential "
    "spannung zellspannung potenzial 电压 电位 电势 电池电压",
    CURRENT: "current i <i> im amp amps strom stromstärke we(1)current cellcurrent 电流",
    CYCLE: "cycle cyc cyc# cycle# cycleno cycleindex cyclenumber cyclecount cycleid zyklus zyklusnummer zyklen "
    "zykluszahl "
    "循环序号 循环 循环号 循环数 循环次数 圈数",
    STEP: "step step# stepno stepindex stepnumber stepid stepcount schritt schrittnummer "
    "工步序号 工步号 步骤序号 步骤号 步次 工步",
    STEP_KIND: "state status stepstatus stepstate stepname steptype stepkind mode md zustand "
    "工步状态 状态 步骤状态 工步类型 工步名称 工作模式",
    STEP_CAPACITY: "capacity cap q stepcapacity amphr kapazität 容量",
    CHARGE_CAPACITY: "chargecapacity chargecap chgcap chgcapacity chargingcapacity capacityc capc capacity(c) qcharge "
    "qchg "
    "ladekapazität ladungskapazität 充电容量",
    DISCHARGE_CAPACITY: "dischargecapacity dischargecap dchgcap disccap dischgcap dischargingcapacity capacityd capd "
    "capacity(d) qdischarge qdis entladekapazität 放电容量",
    STEP_ENERGY: "energy stepenergy watthr ener energie 能量",
    CHARGE_ENERGY: "chargeenergy chgenergy chargingenergy energyc ladeenergie 充电能量",
    DISCHARGE_ENERGY: "dischargeenergy dchgenergy dischgenergy dischargingenergy energyd entladeenergie 放电能量",
    SPECIFIC_CAPACITY: "specap scapacity speccap specificcapacity speccapacity 比容量 spezifischekapazität",
    TEMPERATURE: "temperature temp auxtemp celltemperature temperature1 temp1 t1 temperatur 辅助温度 温度",
    RECORD: "record rec rec# recordnumber recordno recordindex datapoint index point 记录序号 数据序号 记录号 序号",
}
_CANONICAL = {word: name for name, words in _ALIASES.items() for word in words.split()}
_CANONICAL |= {
    re.sub(r"_[^_]*$", "", name).replace("_", ""): name for name in SERIES if "_" in name and name != STEP_KIND
}
_CANONICAL |= {"cyclenumber": CYCLE, "stepnumber": STEP, "time": TIME, "potential": POTENTIAL, "current": CURRENT}
# A second meaning that a unit may give: "T/°C", "Step(Sec)".
_OTHERS = {"t": TEMPERATURE, "step": STEP_TIME}
# Headers that are nothing but their unit.
_UNIT_ALONE = {
    "volts": (POTENTIAL, "V"), "amps": (CURRENT, "A"), "milliamps": (CURRENT, "mA"), "mamps": (CURRENT, "mA"),
    "uamps": (CURRENT, "uA"), "amphr": (STEP_CAPACITY, "Ah"), "mamphr": (STEP_CAPACITY, "mAh"),
    "uamphr": (STEP_CAPACITY, "uAh"), "watthr": (STEP_ENERGY, "Wh"), "mwatthr": (STEP_ENERGY, "mWh"),
    "uwatthr": (STEP_ENERGY, "uWh"),
}  # fmt: skip

_PREFIX = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3}
_TIME_UNITS = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "秒": 1.0, "sekunden": 1.0, "ms": 1e-3,
    "min": 60.0,    "mins": 60.0, "minute": 60.0, "minutes": 60.0, "minuten": 60.0, "分": 60.0,
    "h": 3600.0, "hr": 3600.0, "hrs": 3600.0,
    "hour": 3600.0, "hours": 3600.0, "std": 3600.0, "stunden": 3600.0, "小时": 3600.0, "d": 86400.0, "days": 86400.0,
}  # fmt: skip
# The form of a time ("hh:mm:ss") may stand where its unit does; the cells show it themselves.
_CLOCK_FORM = re.compile(r"d*[-. ]?h+:m(m|in)?(:s+)?([.,](s+|ms|f+|0+))?", re.IGNORECASE)
_BASES: dict[str, tuple[tuple[str, float], ...]] = {
    POTENTIAL: (("v|volts?", 1.0),),
    CURRENT: (("a|amps?|amperes?", 1.0),),
    STEP_CAPACITY: (("a[.·*]?h|a[.·*]?hr|amphr|ampereh?hours?", 1e3), ("c|coulombs?|a[.·*]?s", 1 / 3.6)),
    STEP_ENERGY: (("w[.·*]?h|w[.·*]?hr|watthr|watthours?", 1e3), ("j|joules?|w[.·*]?s", 1 / 3.6)),
}
_BASES |= dict.fromkeys((CHARGE_CAPACITY, DISCHARGE_CAPACITY), _BASES[STEP_CAPACITY])
_BASES |= dict.fromkeys((CHARGE_ENERGY, DISCHARGE_ENERGY), _BASES[STEP_ENERGY])
_DEGREES = {"°c", "℃", "degc", "dc", "c", "celsius", "degcelsius", "grad"}
_SPECIFIC = {"mah/g": 1.0, "mahg-1": 1.0, "ah/kg": 1.0, "ah/g": 1e3, "mah/g1": 1.0}
_NO_UNIT = (CYCLE, STEP, STEP_KIND, RECORD)
SI_UNITS = {
    TIME: "s", STEP_TIME: "s", POTENTIAL: "V", CURRENT: "A", STEP_CAPACITY: "Ah", CHARGE_CAPACITY: "Ah",
    DISCHARGE_CAPACITY: "Ah", STEP_ENERGY: "Wh", CHARGE_ENERGY: "Wh", DISCHARGE_ENERGY: "Wh", TEMPERATURE: "°C",
    SPECIFIC_CAPACITY: "mAh/g",
}  # fmt: skip


@dataclass(frozen=True)
class SeriesColumn:
    """One column of a time series.

    Attributes
    ----------
    header : str
        As it stands in the file.
    name : str
        A name of `NAMED`, or the header itself.
    factor, offset : float
        canonical value = factor * value + offset
    unit : str or None
        As the file writes it; None if it states none.
    """

    header: str
    name: str
    factor: float = 1.0
    offset: float = 0.0
    unit: str | None = None

    @property
    def label(self) -> str:
        """What a sentence calls it."""
        return SERIES_LABELS.get(self.name) or f"‘{short(self.header)}’"


@lru_cache(8192)  # every reader that looks at a file asks for the names of its first lines
def key_of(stem: str) -> str:
    """The spelling under which `identify_series` knows a header."""
    return re.sub(r"[\s._\-]", "", stem).lower()


def unit_of(name: str, unit: str) -> tuple[float, float] | None:
    """Factor and offset from `unit` to the unit of a canonical column; None if the unit does not fit it."""
    text = re.sub(r"[\s_]+", "", re.split(r"\bvs\b", plain(unit))[0]).strip("[]()").rstrip(".")
    low = text.lower()
    if name in (TIME, STEP_TIME):
        factor = 1.0 if _CLOCK_FORM.fullmatch(text) else _TIME_UNITS.get(low)
        return None if factor is None else (factor, 0.0)
    if name == UNIX_TIME:
        return (1e-3, 0.0) if low == "ms" else (1.0, 0.0)
    if name == TEMPERATURE:
        return (1.0, 0.0) if low in _DEGREES else (1.0, -273.15) if low in ("k", "kelvin") else None
    if name == SPECIFIC_CAPACITY:
        return (_SPECIFIC[low], 0.0) if low in _SPECIFIC else None
    if name in _NO_UNIT:
        return (1.0, 0.0) if low in ("1", "#", "") else None
    for words, scale in _BASES.get(name, ()):
        match = re.fullmatch(rf"([numkK]?)[\s]*((?i:{words}))", text.replace("-", ""))
        if match:
            return _PREFIX[match[1]] * scale, 0.0
    return None


def _ways(text: str) -> list[tuple[str, str | None]]:
    """Ways to read a header as (stem, unit), the likeliest first."""
    ways: list[tuple[str, str | None]] = [(text, None)]
    match = re.fullmatch(r"(.*\S)\s*[\[(]([^()\[\]]*)[\])]\.?", text)
    if match:
        ways.append((match[1], match[2]))
    # "SpeCap/mAh/g": the unit begins after the first slash, in "SOC|DOD/%" as well; "CapC/" has lost its unit.
    stem, slash, unit = text.partition("/")
    if slash and stem.strip():
        ways.append((stem, unit.strip() or None))
    stem, slash, unit = text.partition(",")
    if slash and stem.strip() and unit.strip():
        ways.append((stem, unit))
    match = re.fullmatch(r"(.*[^\s_])[\s_]+(\S+)", text)
    if match:
        ways.append((match[1], match[2]))
    return ways


@lru_cache(maxsize=4096)
def identify_series(header: str, unit: str | None = None) -> SeriesColumn:
    """What a header of a time series means; an unknown one keeps its own name.

    Parameters
    ----------
    header : str
        As it stands in the file.
    unit : str, optional
        Unit of a separate line; counts only if the header states none.
    """
    text = plain(header).lstrip("\ufeff")
    own = SeriesColumn(header.strip(), header.strip(), unit=unit)
    if not text or len(text) > 80:
        return own
    alone = _UNIT_ALONE.get(key_of(text))
    if alone and not unit:
        known = unit_of(*alone)
        assert known is not None
        return SeriesColumn(header.strip(), alone[0], *known, unit=alone[1])
    for stem, stated in _ways(text):
        name = _CANONICAL.get(key_of(stem))
        if name is None:
            continue
        said = stated or unit or None
        if said is None:
            factor = 1e3 if SI_UNITS.get(name) in ("Ah", "Wh") else 1.0
            return SeriesColumn(header.strip(), name, factor)
        fits = unit_of(name, said)
        if fits is not None:
            return SeriesColumn(header.strip(), name, *fits, unit=said)
        if name == UNIX_TIME:
            return SeriesColumn(header.strip(), name, unit=said)
        other = _OTHERS.get(key_of(stem))
        fits = unit_of(other, said) if other else None
        if other is not None and fits is not None:
            return SeriesColumn(header.strip(), other, *fits, unit=said)
    return own


def name_series(
    headers: Sequence[str],
    units: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    own_units: Mapping[str, str] | None = None,
) -> list[SeriesColumn]:
    """The columns of a table; each name is unique.

    Parameters
    ----------
    headers, units : sequence of str
        The line of names, and the line of units below it if there is one.
    names : dict, optional
        Header to canonical name (`SERIES`, or `STEP_TIME`), or ``""`` for a column that keeps its own name. What a
        format or a person says here goes before the alias table.
    own_units : dict, optional
        Header to unit ("mA"), before what the header says.

    Raises
    ------
    ReaderError
        If there are more columns than any instrument writes, or a name or a unit is not one that exists.
    """
    if len(headers) > MAX_COLUMNS:
        raise ReaderError(f"The table has {len(headers)} columns; up to {MAX_COLUMNS} are read. Export fewer columns.")
    found: list[SeriesColumn] = []
    taken: set[str] = set()
    for position, header in enumerate(headers):
        text = header.strip().lstrip("\ufeff").strip()
        unit = units[position].strip(" ()[]") if units and position < len(units) else ""
        column = identify_series(text, unit or None)
        if names is not None and text in names:
            column = _as_told(text, names[text], column)
        if own_units is not None and own_units.get(text):
            column = _in_unit(column, own_units[text])
        name = column.name or f"column {position + 1}"
        if name in taken:
            name = text if text and text not in taken else name
        base, count = name, 2
        while name in taken:
            name, count = f"{base} ({count})", count + 1
        taken.add(name)
        same = name == column.name
        found.append(column if same else SeriesColumn(text, name, unit=column.unit))
    return found


def _as_told(header: str, name: str, column: SeriesColumn) -> SeriesColumn:
    if not name:
        return SeriesColumn(header, header, unit=column.unit)
    if name not in NAMED:
        raise ReaderError(f"‘{short(name)}’ is not a column of a time series. Choose one of {', '.join(NAMED)}.")
    if name == column.name:
        return column
    for _, unit in _ways(plain(header))[1:]:
        fits = unit_of(name, unit) if unit else None
        if fits is not None:
            return SeriesColumn(header, name, *fits, unit=unit)
    return SeriesColumn(header, name, 1e3 if SI_UNITS.get(name) in ("Ah", "Wh") else 1.0)


def _in_unit(column: SeriesColumn, unit: str) -> SeriesColumn:
    fits = unit_of(column.name, unit) if column.name in NAMED else (1.0, 0.0)
    if fits is None:
        raise ReaderError(
            f"Column ‘{short(column.header)}’: the unit ‘{short(unit)}’ is none of a {column.label}. "
            "Choose another unit."
        )
    return replace(column, factor=fits[0], offset=fits[1], unit=unit)


def is_unit_row(cells: Sequence[str]) -> bool:
    """Whether a line below the names holds their units: no number, and at least one unit that is known."""
    bare = [plain(cell).strip(" ()[]") for cell in cells]
    if any(re.match(r"[+-]?[.,]?\d", cell) and cell != "1" for cell in bare):
        return False
    tested = (TIME, POTENTIAL, CURRENT, STEP_CAPACITY)
    return any(cell and unit_of(name, cell) is not None for cell in bare for name in tested)


def is_series(headers: Sequence[str]) -> bool:
    """Whether headers name a time and at least one of potential and current."""
    names = {identify_series(header).name for header in headers[:MAX_COLUMNS]}
    return bool(names & {TIME, STEP_TIME, UNIX_TIME}) and bool(names & {POTENTIAL, CURRENT})


REST, CHARGE, DISCHARGE, HOLD, IMPEDANCE = "rest", "charge", "discharge", "hold", "impedance"
STEP_KINDS = (REST, CHARGE, DISCHARGE, HOLD, IMPEDANCE, "")
# Words of LAND, Neware, Arbin, Maccor, BioLogic and PEC, in the spelling of `key_of`.
_KINDS: dict[str, str] = {
    REST: "r rest wait w pause ocv opencircuit opencircuitvoltage idle standing 静置 搁置 休眠 ruhe",
    CHARGE: "c chg charge charging ccc cvc cccvc ccvcc cpc ratec crate crc cc_c ccchg cvchg cccvchg cpchg crchg "
    "chargecc chargecv chargecccv cccharge cvcharge cccvcharge cpcharge ccc充电 恒流充电 恒压充电 恒流恒压充电 "
    "恒功率充电 充电 laden ladung",
    DISCHARGE: "d dis dchg dischg discharge discharging ccd dcc cvd cccvd cpd crd rated drate dcp dcr dcv ccdchg "
    "cvdchg cccvdchg cpdchg crdchg dischargecc "
    "dischargecv dischargecccv dischargecp ccdischarge cvdischarge cccvdischarge "
    "cpdischarge crdischarge 恒流放电 恒压放电 恒功率放电 恒阻放电 恒流恒压放电 放电 entladen entladung",
    HOLD: "hold cv potentiostatic constantvoltage 恒压 halten",
    IMPEDANCE: "eis geis peis ac acr impedance dcir dcr_pulse acim 阻抗",
}
_KIND_OF = {key_of(word): kind for kind, words in _KINDS.items() for word in words.split()}


@lru_cache(1024)
def step_kind(word: str) -> str:
    """'rest', 'charge', 'discharge', 'hold', 'impedance', or '' for a word that is not known."""
    key = key_of(plain(word))
    # Old LAND writes the direction first: C_CC, D_CC, C_Rate.
    if re.fullmatch(r"[CD]_\w+", plain(word)):
        return CHARGE if plain(word)[0] == "C" else DISCHARGE
    return _KIND_OF.get(key, "")


def step_kinds(words: Sequence[str] | npt.NDArray[np.object_]) -> Any:
    """The kind of step of every row, coded, each different word looked at once; '' where a word says nothing."""
    codes, different = factorised(words)
    # A missing word has the code -1, which takes the last place.
    places = np.array([STEP_KINDS.index(step_kind(str(word))) for word in different] + [STEP_KINDS.index("")])
    return coded(places[codes], STEP_KINDS)
