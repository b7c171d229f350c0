"""Canonical column names, and the one table that turns the headers of vendors into them.

The unit is part of the header ("Z' (kOhm)", "freq/mHz", "z_real_ohm") or of a unit line below it; it is read, never
assumed. Signs are true: `z_imag_ohm` and `phase_deg` are negative for a capacitive sample, so that a header that
carries a minus ("-Z'' (Ω)", "-Im(Z)/Ohm", "-Phase (°)") is multiplied by -1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from measurements.readers.base import ReaderError, UnknownColumns

FREQUENCY = "frequency_Hz"
Z_REAL = "z_real_ohm"
Z_IMAG = "z_imag_ohm"
Z_MODULUS = "z_modulus_ohm"
PHASE = "phase_deg"
TIME = "time_s"
POTENTIAL = "potential_V"
CURRENT = "current_A"
TEMPERATURE = "temperature_degC"
LOOP = "loop_number"

# Columns of a time series (technique "time_series"). Current is positive where it charges a full cell (lithium plates
# on the left electrode of a symmetric one). Numbers of cycles and steps are the file's own. Counters are the tester's,
# unsigned: `step_*` begin at 0 in every step; `charge_*` and `discharge_*` only grow, and begin anew with a cycle or
# never.
CYCLE = "cycle_number"
STEP = "step_number"
STEP_KIND = "step_kind"  # 'rest', 'charge', 'discharge', 'hold', 'impedance' or '' where the file does not say
UNIX_TIME = "unix_time_s"
STEP_CAPACITY = "step_capacity_mAh"
CHARGE_CAPACITY = "charge_capacity_mAh"
DISCHARGE_CAPACITY = "discharge_capacity_mAh"
STEP_ENERGY = "step_energy_mWh"
CHARGE_ENERGY = "charge_energy_mWh"
DISCHARGE_ENERGY = "discharge_energy_mWh"

CANONICAL = (FREQUENCY, Z_REAL, Z_IMAG, Z_MODULUS, PHASE, TIME, POTENTIAL, CURRENT, TEMPERATURE, LOOP)
SERIES = (
    TIME, POTENTIAL, CURRENT, CYCLE, STEP, STEP_KIND, STEP_CAPACITY, CHARGE_CAPACITY, DISCHARGE_CAPACITY,
    STEP_ENERGY, CHARGE_ENERGY, DISCHARGE_ENERGY, TEMPERATURE, UNIX_TIME,
)  # fmt: skip

# What a person may say that a column of an impedance is; a minus before the name turns its sign.
IMPEDANCE = (FREQUENCY, Z_REAL, Z_IMAG, f"-{Z_IMAG}", Z_MODULUS, PHASE, f"-{PHASE}")

MAX_COLUMNS = 512

# What people read in a sentence about the column.
LABELS = {
    FREQUENCY: "frequency", Z_REAL: "Z′", Z_IMAG: "Z″", Z_MODULUS: "|Z|", PHASE: "phase", TIME: "time",
    POTENTIAL: "potential", CURRENT: "current", TEMPERATURE: "temperature", LOOP: "loop",
}  # fmt: skip

_ARTICLE = {FREQUENCY: "the frequency", PHASE: "the phase"}

# Written without blanks, dots and underscores, in lower case. A word may stand for several columns ("T", "Im"): the
# unit decides between them, and without a unit the first one counts.
_ALIASES: dict[str, str] = {
    FREQUENCY: "frequency freq f fre frequenz fréquence 频率 测试频率 omega ω angularfrequency",
    Z_REAL: "z' zs' z'(a) zre zreal zr re(z) rez re realz real(z) real realpart realimpedance impedancereal "
    "zs'(ohm) 实部 阻抗实部 z实部",
    Z_IMAG: "z'' zs'' z''(b) zim zimg zimag zi im(z) imz im imagz imag(z) imag imaginary imaginarypart "
    "imaginaryimpedance imagimpedance impedanceimag impedanceimaginary 虚部 阻抗虚部 z虚部",
    Z_MODULUS: "|z| z zmod zabs abs(z) mod(z) absz modz zmodulus modulus magnitude zmagnitude |impedance| "
    "absoluteimpedance impedance 阻抗 阻抗模 阻抗模值",
    PHASE: "phase phase(z) phasez zphase zphz phz theta theta(z) phi φ ϕ θ angle phaseangle arg(z) 相位 相位角",
    TIME: "time t elapsedtime 时间",
    POTENTIAL: "potential we(1)potential ewe <ewe> e <e> v vf vdc edc voltage 电压 电位",
    CURRENT: "current we(1)current i <i> im idc 电流",
    TEMPERATURE: "temperature temp t sampletemperature 温度",
    LOOP: "loopnumber loop loop# cyclenumber cycle cycleno cycle# zcycle scan sweep sweepnumber spectrum "
    "spectrumnumber 循环 循环序号",
}
_ANGULAR = {"omega", "ω", "angularfrequency"}
_CANDIDATES: dict[str, list[str]] = {}
for _name, _words in _ALIASES.items():
    for _word in _words.split():
        _CANDIDATES.setdefault(_word, []).append(_name)

_PREFIX = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
_PREFIXED = {FREQUENCY: "hz|hertz", Z_REAL: "ohms?", POTENTIAL: "v|volts?", CURRENT: "a|amps?|amperes?"}
_BASES = {name: re.compile(rf"([numkKMG]?)((?i:{words}))") for name, words in _PREFIXED.items()}
_BASES |= {Z_IMAG: _BASES[Z_REAL], Z_MODULUS: _BASES[Z_REAL]}
_WORDS: dict[str, dict[str, float]] = {
    FREQUENCY: {"rad/s": 0.5 / math.pi, "rads-1": 0.5 / math.pi},
    PHASE: {"°": 1.0, "deg": 1.0, "degree": 1.0, "degrees": 1.0, "rad": 180 / math.pi, "radian": 180 / math.pi,
            "radians": 180 / math.pi, "mrad": 0.18 / math.pi},
    TIME: {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0, "hr": 3600.0},
    TEMPERATURE: {"°c": 1.0, "degc": 1.0, "℃": 1.0, "c": 1.0, "k": 1.0, "kelvin": 1.0, "celsius": 1.0},
    LOOP: {"#": 1.0, "1": 1.0},
}  # fmt: skip
_KELVIN_ZERO = -273.15
_UNITS_ALLOWED = {
    FREQUENCY: "Hz, kHz, MHz, mHz", Z_REAL: "Ω, kΩ, MΩ, mΩ", Z_IMAG: "Ω, kΩ, MΩ, mΩ", Z_MODULUS: "Ω, kΩ, MΩ, mΩ",
    PHASE: "degrees or radians",
}  # fmt: skip

_STRONG = re.compile(r"\|?z|freq|频率|阻抗|实部|虚部|(real|imag|abs).*impedance")

_PLAIN = str.maketrans({
    "′": "'", "’": "'", "‘": "'", "`": "'", "´": "'", "ʹ": "'", "″": "''", '"': "''", "”": "''", "“": "''", "ʺ": "''",
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "Ω": "Ω", "μ": "u", "µ": "u", "\xa0": " ", "º": "°", "˚": "°",
    "∣": "|", "｜": "|", "（": "(", "）": ")",
})  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column of a file: what its header says, and what that means.

    Attributes
    ----------
    header : str
        The header as it stands in the file.
    name : str
        Canonical name, or the header itself if the column is not one of ours.
    factor, offset : float
        canonical value = factor * value + offset
    unit : str or None
        The unit as the file writes it; None if it states none.
    problem : str
        Why the column cannot be used, as a sentence; empty if it can.
    """

    header: str
    name: str
    factor: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    problem: str = ""

    @property
    def is_canonical(self) -> bool:
        return self.name in LABELS

    @property
    def label(self) -> str:
        """What a sentence calls it: Z′, −Z″, frequency."""
        label = LABELS.get(self.name, self.header)
        return f"−{label}" if self.factor < 0 else label


def plain(header: str) -> str:
    """The header with one spelling of primes, minus signs, ohm and micro, without enclosing quotes."""
    text = header.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('""', '"').strip()
    return text.translate(_PLAIN).strip()


def _key(stem: str) -> str:
    return re.sub(r"[\s._]", "", stem).lower()


def unit_factor(name: str, unit: str) -> float | None:
    """Factor from `unit` to the unit of the canonical column `name`; None if the unit is not known.

    "mhz" in small letters may mean mHz or MHz, a factor of 10⁹, and is therefore not known.
    """
    text = re.sub(r"\s+", "", re.split(r"\bvs\b", plain(unit))[0]).replace("Ω", "ohm")
    if text == "mhz":
        return None
    word = _WORDS.get(name, {}).get(text.lower())
    if word is not None:
        return word
    base = _BASES.get(name)
    match = base.fullmatch(text) if base else None
    return _PREFIX[match[1]] if match else None


def _parts(text: str) -> list[tuple[str, str | None]]:
    """Ways to read a header as (stem, unit), the likeliest first."""
    ways: list[tuple[str, str | None]] = [(text, None)]
    for pattern in (r"(.*\S)\s*[\[(]([^()\[\]]*)[\])]", r"(.*\S)\s*/\s*([^/]*)", r"(.*\S)\s*,\s*(\S+)"):
        match = re.fullmatch(pattern, text)
        if match:
            ways.append((match[1], match[2]))
    # "freq rad/s" has a slash inside its unit, "Z' (rad/s)" is caught above.
    match = re.fullmatch(r"(.*\S)\s*[/\s_]\s*(rad/s)", text)
    if match:
        ways.append((match[1], match[2]))
    return ways


@lru_cache(maxsize=2048)
def identify(header: str, unit: str | None = None) -> Column:
    """What a header means.

    Parameters
    ----------
    header : str
        As it stands in the file.
    unit : str, optional
        Unit of a separate unit line; counts only if the header states none.
    """
    text = plain(header)
    sign = 1.0
    if text.startswith("-") and len(text) > 1:
        sign, text = -1.0, text[1:].strip()
    if len(text) > 80:
        return Column(header.strip(), header.strip())
    for stem, stated in _parts(text):
        candidates = _CANDIDATES.get(_key(stem))
        if candidates:
            return _column(header.strip(), sign, _key(stem), candidates, stated or unit or None)
    # The last way, "frequency_Hz" or "Z' ohm", needs a known unit, or every name with a blank would be cut in two.
    match = re.fullmatch(r"(.*[^\s_])[\s_]+(\S+)", text)
    if match:
        key, stated = _key(match[1]), match[2]
        for name in _CANDIDATES.get(key, []):
            if unit_factor(name, stated) is not None:
                return _column(header.strip(), sign, key, [name], stated)
    return Column(header.strip(), header.strip())


def _column(header: str, sign: float, key: str, candidates: list[str], unit: str | None) -> Column:
    if unit is None:
        factor = 0.5 / math.pi if key in _ANGULAR else 1.0
        return Column(header, candidates[0], sign * factor)
    for name in candidates:
        known = unit_factor(name, unit)
        if known is not None:
            is_kelvin = name == TEMPERATURE and plain(unit).lower() in ("k", "kelvin")
            return Column(header, name, sign * known, _KELVIN_ZERO if is_kelvin else 0.0, unit)
    name = candidates[0]
    # "Re(M)" is a modulus, "Phase(Y)" an admittance: only an unmistakable name makes a strange unit an error.
    if name not in _UNITS_ALLOWED or not _STRONG.match(key):
        return Column(header, header, unit=unit)
    problem = (
        f"Column ‘{short(header)}’: the unit ‘{short(unit)}’ is not one of {_UNITS_ALLOWED[name]}. "
        "Export the column in one of these units, then upload that."
    )
    return Column(header, name, sign, unit=unit, problem=problem)


def name_columns(headers: Sequence[str], units: Sequence[str] | None = None) -> list[Column]:
    """The columns of a table by their headers; each name is unique.

    A second column of the same meaning keeps its own header, and so does a repeated unknown header, with a number.

    Raises
    ------
    ReaderError
        If there are more columns than any instrument writes.
    """
    if len(headers) > MAX_COLUMNS:
        raise ReaderError(f"The table has {len(headers)} columns; up to {MAX_COLUMNS} are read. Export fewer columns.")
    found: list[Column] = []
    taken: set[str] = set()
    for position, header in enumerate(headers):
        unit = units[position].strip(" ()[]") if units and position < len(units) else None
        column = identify(header, unit or None)
        name = column.name or f"column {position + 1}"
        if name in taken and column.is_canonical:
            name = column.header if column.header != name else f"{name} (2)"
        base, count = name, 2
        while name in taken:
            name, count = f"{base} ({count})", count + 1
        taken.add(name)
        same = name == column.name
        found.append(column if same else Column(column.header, name, unit=column.unit))
    return found


def impedance_columns(columns: Sequence[Column], *, is_told: bool = False) -> tuple[str, ...]:
    """The columns that make the impedance: frequency with Z′ and Z″, or with |Z| and phase.

    Where a person told the names, no other column can be meant.

    Raises
    ------
    UnknownColumns
        If one is missing, is in a unit that is not known, or two could be it: a person can say.
    ReaderError
        If spectra lie side by side.
    """
    by_name = {column.name: column for column in columns}
    polar = Z_MODULUS in by_name and PHASE in by_name and not (Z_REAL in by_name and Z_IMAG in by_name)
    needed = (FREQUENCY, Z_MODULUS, PHASE) if polar else (FREQUENCY, Z_REAL, Z_IMAG)
    for name in needed:
        if name not in by_name:
            seen = ", ".join(short(column.header) for column in columns[:12] if column.header) or "none"
            more = f" and {len(columns) - 12} more" if len(columns) > 12 else ""
            raise UnknownColumns(
                f"No {LABELS[name]} column found. Columns seen: {seen}{more}. "
                f"Choose which column is {_ARTICLE.get(name, LABELS[name])}."
            )
        if by_name[name].problem:
            raise UnknownColumns(by_name[name].problem)
        if is_told:
            continue
        same = [column.header for column in columns if identify(column.header, column.unit).name == name]
        if len(set(same)) > 1:
            raise UnknownColumns(
                f"Two columns could be {LABELS[name]}: ‘{short(same[0])}’ and ‘{short(same[1])}’. "
                "Choose one of them, or keep one in the export, then upload that."
            )
        if len(same) > 1:
            raise ReaderError(
                f"The column ‘{short(same[0])}’ stands {len(same)} times, so spectra lie side by side. "
                "Export one spectrum below the other, or one file for each."
            )
    return needed


def short(text: str, length: int = 40) -> str:
    """Text from a file, fit for a sentence: printable, one line, not long."""
    clean = " ".join(text.split())
    if not clean.isprintable():
        clean = "".join(character if character.isprintable() else "�" for character in clean)
    return clean if len(clean) <= length else clean[: length - 1] + "…"
