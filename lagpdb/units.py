"""The one table of unit suffixes, what people may type instead of them, and how numbers are written. Pure.

A physical name ends in a suffix (``thickness_um``, ``interfacial_asr_ohm_cm2``) and values are stored in that unit,
so nothing is ever converted between storage and science; conversion happens once, where a person types '0.8 mm'.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache

THIN_SPACE = "\u202f"  # groups digits; narrow and never broken at the end of a line
MINUS = "\u2212"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FROM_SUPERSCRIPTS = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")


class UnitError(ValueError):
    """A unit text cannot serve where it was given; the message names it."""


class UnknownUnit(UnitError):
    """No unit is written like this."""


class WrongUnit(UnitError):
    """A unit, but of another dimension."""


@dataclass(frozen=True)
class Unit:
    """A suffix of names.

    `symbol` is what people read ('' for pure numbers), `kind` says what is measured, with its article ('a length'),
    `kin` are other units of the same dimension that people may type; the first ones are suggested.
    """

    suffix: str
    symbol: str
    kind: str
    kin: tuple[str, ...] = ()


_TABLE = (
    Unit("nm", "nm", "a length", ("µm", "mm", "Å")),
    Unit("um", "µm", "a length", ("mm", "cm", "nm")),
    Unit("mm", "mm", "a length", ("cm", "µm")),
    Unit("cm", "cm", "a length", ("mm", "m")),
    Unit("cm2", "cm²", "an area", ("mm²",)),
    Unit("uL", "µL", "a volume", ("mL",)),
    Unit("mg", "mg", "a mass", ("g", "µg")),
    Unit("g", "g", "a mass", ("mg", "kg")),
    Unit("s", "s", "a time", ("min", "h", "ms")),
    Unit("min", "min", "a time", ("h", "s")),
    Unit("h", "h", "a time", ("min", "d", "s")),
    Unit("degC", "°C", "a temperature", ("K",)),
    Unit("degC_min", "°C min⁻¹", "a heating rate", ("K min⁻¹", "°C h⁻¹", "K h⁻¹")),
    Unit("K", "K", "a temperature", ("°C",)),
    Unit("1000_per_K", "K⁻¹", "an inverse temperature"),
    Unit("Pa", "Pa", "a pressure", ("mbar", "Torr", "kPa", "bar")),
    Unit("kPa", "kPa", "a pressure", ("MPa", "bar")),
    Unit("MPa", "MPa", "a pressure", ("kPa", "bar", "GPa")),
    Unit("W", "W", "a power", ("mW", "kW")),
    Unit("V", "V", "a voltage", ("mV",)),
    Unit("mV", "mV", "a voltage", ("V", "µV")),
    Unit("A", "A", "a current", ("mA", "µA", "nA")),
    Unit("mA", "mA", "a current", ("µA", "A")),
    Unit("uA", "µA", "a current", ("mA", "nA", "A")),
    Unit("nA", "nA", "a current", ("µA", "mA", "A")),
    Unit("mA_cm2", "mA cm⁻²", "a current density", ("µA cm⁻²", "A cm⁻²", "A m⁻²")),
    Unit("mA_g", "mA g⁻¹", "a specific current", ("A g⁻¹",)),
    Unit("Ah", "Ah", "a charge", ("mAh", "C")),
    Unit("mAh", "mAh", "a charge", ("µAh", "Ah", "C")),
    Unit("mAh_cm2", "mAh cm⁻²", "an areal capacity", ("µAh cm⁻²", "C cm⁻²")),
    Unit("mAh_g", "mAh g⁻¹", "a specific capacity", ("Ah kg⁻¹", "C g⁻¹")),
    Unit("mAh_V", "mAh V⁻¹", "a differential capacity", ("Ah V⁻¹",)),
    Unit("mAh_g_V", "mAh g⁻¹ V⁻¹", "a specific differential capacity", ("Ah kg⁻¹ V⁻¹",)),
    Unit("Wh", "Wh", "an energy", ("mWh", "J")),
    Unit("mWh", "mWh", "an energy", ("Wh", "J")),
    Unit("eV", "eV", "an energy", ("meV",)),
    Unit("ohm", "Ω", "a resistance", ("kΩ", "MΩ", "mΩ")),
    Unit("ohm_cm2", "Ω cm²", "an area-specific resistance", ("kΩ cm²", "Ω m²")),
    Unit("S_cm", "S cm⁻¹", "a conductivity", ("mS cm⁻¹", "µS cm⁻¹", "S m⁻¹")),
    Unit("S_K_cm", "S K cm⁻¹", "a conductivity times a temperature", ("S K m⁻¹",)),
    Unit("Hz", "Hz", "a frequency", ("kHz", "MHz", "mHz")),
    Unit("deg", "°", "an angle", ("rad",)),
    Unit("g_cm3", "g cm⁻³", "a density", ("kg m⁻³",)),
    Unit("mg_cm2", "mg cm⁻²", "a mass per area", ("g cm⁻²", "g m⁻²")),
    Unit("nm_min", "nm min⁻¹", "a growth rate", ("Å s⁻¹", "nm s⁻¹", "µm h⁻¹")),
    Unit("c_rate", "h⁻¹", "a C-rate"),
    Unit("ppm", "ppm", "a gas content", ("%", "ppb")),
    Unit("percent", "%", "a share"),
    Unit("fraction", "", "a share", ("%",)),  # stored 0…1, always shown and echoed in %
    Unit("count", "", "a count"),
    Unit("number", "", "a number"),
)
UNITS: dict[str, Unit] = {unit.suffix: unit for unit in _TABLE}

# Names whose plain words would not be the field's words.
_LABELS = {
    "z_real_ohm": "Z′ (Ω)",
    "z_imag_ohm": "Z″ (Ω)",
    "inverse_temperature_1000_per_K": "1000/T (K⁻¹)",
    "c_rate": "C-rate (h⁻¹)",
    "one_c_mA": "Current of 1 C (mA)",
    "ce_definition": "Coulombic efficiency",
    "charge_c_rate": "Charge C-rate (h⁻¹)",
    "discharge_c_rate": "Discharge C-rate (h⁻¹)",
    "kramers_kronig_residual_fraction": "Kramers–Kronig residual (%)",
    "cycles_to_failure_count": "Cycles to failure",
    "unmatched_peak_count": "Unmatched peaks",
}
_WORDS = {"asr": "ASR", "h2o": "H₂O", "o2": "O₂", "25degC": "25 °C", "eis": "EIS"}


def suffix_of(name: str) -> str | None:
    """The unit suffix of a name, without its underscore, or None: 'asr_ohm_cm2' gives 'ohm_cm2' (the longest wins).

    A bare suffix is its own. Names that end in a unit by chance ('voltage_min') must not be given to fields.
    """
    parts = name.split("_")
    tails = ("_".join(parts[start:]) for start in range(len(parts)))
    return next((tail for tail in tails if tail in UNITS), None)


def symbol(name: str) -> str:
    """The unit of a name as people read it ('mA cm⁻²'); '' for pure numbers, shares, and names without a suffix."""
    suffix = suffix_of(name)
    return UNITS[suffix].symbol if suffix else ""


def shown_symbol(name: str) -> str:
    """As `symbol`, but '%' for shares: the unit in which values are displayed."""
    return "%" if suffix_of(name) == "fraction" else symbol(name)


def label(name: str) -> str:
    """A heading for a column or field: 'thickness_um' gives 'Thickness (µm)'."""
    if name in _LABELS:
        return _LABELS[name]
    suffix, stem = suffix_of(name), name
    if suffix and suffix not in ("count", "number") and suffix != name:
        stem = name.removesuffix(f"_{suffix}")
    words = " ".join(_WORDS.get(word, word) for word in stem.split("_") if word)
    unit = shown_symbol(name)
    return words[:1].upper() + words[1:] + (f" ({unit})" if unit else "")


# --- What people may type -------------------------------------------------------------------------------------------

_PREFIXES = {"f": -15, "p": -12, "n": -9, "µ": -6, "m": -3, "c": -2, "d": -1, "k": 3, "M": 6, "G": 9}
Dimension = tuple[tuple[str, int], ...]
# Name: value in SI, powers of (length, mass, time, current, temperature), may carry a prefix.
_BASES: dict[str, tuple[str, dict[str, int], bool]] = {
    "m": ("1", {"L": 1}, True),
    "Å": ("1e-10", {"L": 1}, False),
    "L": ("1e-3", {"L": 3}, True),
    "g": ("1e-3", {"M": 1}, True),
    "s": ("1", {"T": 1}, True),
    "min": ("60", {"T": 1}, False),
    "h": ("3600", {"T": 1}, False),
    "d": ("86400", {"T": 1}, False),
    "Hz": ("1", {"T": -1}, True),
    "K": ("1", {"K": 1}, True),
    "°C": ("1", {"K": 1}, False),
    "A": ("1", {"I": 1}, True),
    "C": ("1", {"I": 1, "T": 1}, True),
    "Ah": ("3600", {"I": 1, "T": 1}, True),
    "V": ("1", {"L": 2, "M": 1, "T": -3, "I": -1}, True),
    "Ω": ("1", {"L": 2, "M": 1, "T": -3, "I": -2}, True),
    "S": ("1", {"L": -2, "M": -1, "T": 3, "I": 2}, True),
    "W": ("1", {"L": 2, "M": 1, "T": -3}, True),
    "J": ("1", {"L": 2, "M": 1, "T": -2}, True),
    "Wh": ("3600", {"L": 2, "M": 1, "T": -2}, True),
    "eV": ("1.602176634e-19", {"L": 2, "M": 1, "T": -2}, True),
    "Pa": ("1", {"L": -1, "M": 1, "T": -2}, True),
    "bar": ("1e5", {"L": -1, "M": 1, "T": -2}, True),
    "atm": ("101325", {"L": -1, "M": 1, "T": -2}, False),
    "°": ("1", {"angle": 1}, False),
    "%": ("1e-2", {}, False),
    "ppm": ("1e-6", {}, False),
    "ppb": ("1e-9", {}, False),
}
_TORR = Fraction(101325, 760)
_RAD = Fraction(180 / math.pi)
_ALIASES = {
    "micron": "µm", "microns": "µm", "gram": "g", "grams": "g", "l": "L", "ml": "mL", "µl": "µL",
    "sec": "s", "second": "s", "seconds": "s", "mins": "min", "minute": "min", "minutes": "min",
    "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "degC": "°C", "deg": "°",
    "torr": "Torr", "mtorr": "mTorr", "percent": "%", "hz": "Hz", "khz": "kHz",
}  # fmt: skip
_TOKEN = re.compile(r"\s*(/)?\s*([^\W\d_]+|°C|[°%])(?:\^?([+-]?\d+))?")


def tidy(text: str) -> str:
    """One spelling for the look-alikes that keyboards and programs produce (µ, Ω, °C, Å, minus signs)."""
    for old, new in (("μ", "µ"), ("\u2126", "Ω"), ("℃", "°C"), ("º", "°"), ("\u212b", "Å"), ("‰", " permille")):
        text = text.replace(old, new)
    text = re.sub(r"[\u2010-\u2015\u2212]", "-", text)
    text = re.sub(r"(?:°|\bdeg)\s*C\b", "°C", text)
    return re.sub(r"[oO]hms?(?![a-z])", "Ω", text)


def _atom(text: str) -> tuple[Fraction, dict[str, int]]:
    name = _ALIASES.get(text, text)
    if name == "rad":
        return _RAD, {"angle": 1}
    if name in ("Torr", "mTorr"):
        return _TORR / (1000 if name == "mTorr" else 1), _BASES["Pa"][1]
    if name in _BASES:
        return Fraction(_BASES[name][0]), _BASES[name][1]
    prefix, base = "µ" if name[:1] == "u" else name[:1], name[1:]
    if prefix in _PREFIXES and base in _BASES and _BASES[base][2]:
        return Fraction(_BASES[base][0]) * Fraction(10) ** _PREFIXES[prefix], _BASES[base][1]
    raise UnknownUnit(f"The unit ‘{text}’ is not known.")


@lru_cache(maxsize=1024)
def _measure(text: str) -> tuple[Fraction, Dimension]:
    """Value in SI and dimension of a unit text such as 'mA cm⁻²', 'mA/cm2', 'mA cm^-2', 'Ω·cm²', 'nm per min'."""
    plain = tidy(text).translate(FROM_SUPERSCRIPTS)
    plain = re.sub(r"\bper\b", "/", re.sub(r"[·⋅*×]", " ", plain)).strip()
    scale, powers, position = Fraction(1), dict[str, int](), 0
    while position < len(plain):
        token = _TOKEN.match(plain, position)
        power = int(token[3] or 1) if token else 0
        if not token or not 0 < abs(power) < 10:
            raise UnknownUnit(f"The unit ‘{text}’ is not known.")
        power = -power if token[1] else power
        value, dimension = _atom(token[2])
        scale *= value**power
        for base, exponent in dimension.items():
            powers[base] = powers.get(base, 0) + exponent * power
        position = token.end()
    return scale, tuple(sorted((base, power) for base, power in powers.items() if power))


def conversion(from_text: str, to_suffix: str) -> tuple[Fraction, Fraction]:
    """Exact (scale, offset): value in the unit of `to_suffix` = value in `from_text` × scale + offset.

    Raises UnknownUnit or WrongUnit. Only temperatures have an offset, and only a temperature itself, never a slope.
    """
    target, typed = UNITS[to_suffix], tidy(from_text).strip()
    if typed in (to_suffix, target.symbol, ""):
        return Fraction(1), Fraction(0)
    if to_suffix in ("count", "number"):
        raise WrongUnit(f"‘{from_text}’ is not {target.kind}.")
    if typed == "C" and to_suffix in ("degC", "K"):  # what people write for °C; never a charge here
        typed = "°C"
    if typed == "C" and to_suffix == "c_rate":
        typed = "h⁻¹"
    scale, dimension = _measure(typed)
    own_scale, own_dimension = _measure(target.symbol)
    if dimension != own_dimension:
        raise WrongUnit(f"‘{from_text}’ is not {target.kind}.")
    zero = Fraction("273.15")
    offset = (zero if typed == "°C" else Fraction(0)) - (zero if to_suffix == "degC" else Fraction(0))
    return scale / own_scale, offset if dimension == (("K", 1),) else Fraction(0)


def factor(from_text: str, to_suffix: str) -> float:
    """By what a difference in `from_text` is multiplied to be in the unit of `to_suffix`: ('mm', 'um') gives 1000.0.

    For K and °C this is 1: it scales uncertainties; use `convert` for the temperature itself.
    """
    return float(conversion(from_text, to_suffix)[0])


def convert(value: float, from_text: str, to_suffix: str) -> float:
    """`value` given in `from_text`, in the unit of `to_suffix`: (298.15, 'K', 'degC') gives 25.0."""
    scale, offset = conversion(from_text, to_suffix)
    return float(Fraction(repr(float(value))) * scale + offset)


# --- How numbers are written ----------------------------------------------------------------------------------------

_LIMIT_SIGNS = {"=": "", "<": "< ", ">": "> ", "<=": "≤ ", ">=": "≥ "}


def _plain(number: Decimal) -> str:
    """Digits with thin-space groups from 5 digits and a true minus; no exponent."""
    whole, _, decimals = f"{abs(number):f}".partition(".")
    if len(whole) > 4:
        whole = grouped(int(whole))
    sign = MINUS if number < 0 else ""
    return sign + whole + (f".{decimals}" if decimals else "")


def _written(number: Decimal, uncertainty: Decimal | None = None) -> str:
    """Already rounded numbers, as powers of ten below 0.01 and from a million on."""
    size = max(abs(number), uncertainty or Decimal(0))
    power = size.adjusted() if size else 0
    if -2 <= power < 6:
        return _plain(number) + (f" ± {_plain(uncertainty)}" if uncertainty is not None else "")
    mantissa = _plain(number.scaleb(-power))
    if uncertainty is not None:
        mantissa = f"({mantissa} ± {_plain(uncertainty.scaleb(-power))})"
    return f"{mantissa} × {power_of_ten(power)}"


def power_of_ten(power: int) -> str:
    """'10⁻⁴'."""
    return f"10{str(power).translate(_SUPERSCRIPTS)}"


def grouped(number: int) -> str:
    """A count with its digits in groups of three: '18 220'."""
    return f"{number:,}".replace(",", THIN_SPACE)


def _to_place(number: Decimal, place: int) -> Decimal:
    if number.adjusted() - place > 26:  # beyond the 17 digits a float has
        return number
    return number.quantize(Decimal(1).scaleb(place), rounding=ROUND_HALF_UP)


def _to_digits(number: Decimal, digits: int) -> Decimal:
    rounded = _to_place(number, number.adjusted() - digits + 1)
    if rounded.adjusted() > number.adjusted():  # 9.996 became 10.00: one digit too many
        rounded = _to_place(rounded, rounded.adjusted() - digits + 1)
    return rounded


def _round_uncertainty(uncertainty: Decimal) -> Decimal:
    """One digit; two if it begins with 1 or 2 and the second says something (0.2 stays 0.2, 0.196 becomes 0.20)."""
    close = _to_digits(uncertainty, 6)  # drops the noise of floating point, so that 0.2 is recognised
    one = _to_digits(close, 1)
    if close == one:
        return one
    two = _to_digits(close, 2)
    return two if two.as_tuple().digits[0] in (1, 2) else _to_place(close, close.adjusted())


def _decimals(value: float, uncertainty: float | None, unit: str) -> tuple[Decimal, Decimal | None, str]:
    """Value and uncertainty as displayed, and the symbol: shares become per cent."""
    usable = uncertainty is not None and math.isfinite(uncertainty) and uncertainty > 0
    number, spread = Decimal(repr(float(value))), Decimal(repr(float(uncertainty or 0))) if usable else None
    if unit == "fraction":
        return number.scaleb(2), spread.scaleb(2) if spread is not None else None, "%"
    return number, spread, UNITS[unit].symbol if unit in UNITS else unit


def _with_unit(text: str, symbol_text: str) -> str:
    return text + ("" if symbol_text in ("", "°") else " ") + symbol_text


def format_value(value: float | None, uncertainty: float | None = None, limit: str = "=", unit: str = "") -> str:
    """A number for people, as plain text: '(2.49 ± 0.03) × 10⁻⁴ S cm⁻¹', '≥ 0.60 mA cm⁻²', '94.5 %'.

    Parameters
    ----------
    value, uncertainty : float or None
        In the stored unit; a `value` of None or nan is written '—', an uncertainty of None, 0 or nan is left out.
    limit : str
        '=', '<', '>', '<=' or '>='.
    unit : str
        A suffix ('S_cm'; 'fraction' turns 0…1 into %), or any symbol, written as it is.

    Notes
    -----
    The uncertainty has one digit, or two when it begins with 1 or 2, and the value matches it. Without uncertainty
    the value has three digits; a limit two or three (0.6 is '0.60', 704 is '704'); whole counts have all digits.
    """
    if value is None or math.isnan(value):
        return "—"
    if math.isinf(value):
        return (MINUS if value < 0 else "") + "∞"
    number, spread, symbol_text = _decimals(value, uncertainty, unit)
    sign = _LIMIT_SIGNS[limit]
    if spread is not None:
        spread = _round_uncertainty(spread)
        exponent = spread.as_tuple().exponent
        number = _to_place(number, int(exponent))
    elif number and not (unit in ("count", "number") and float(value).is_integer()):
        number = _to_digits(number, 3)
        if sign and number.as_tuple().digits[-1] == 0:
            number = _to_digits(number, 2)
    elif float(value).is_integer():
        number = Decimal(int(value))
        if abs(number) >= 1_000_000:  # a count is never given as a power of ten
            return _with_unit(sign + _plain(number), symbol_text)
    return _with_unit(sign + _written(number if number else abs(number), spread), symbol_text)


def format_named(name: str, value: float | None, uncertainty: float | None = None, limit: str = "=") -> str:
    """`format_value` with the unit taken from the suffix of `name`."""
    return format_value(value, uncertainty, limit, suffix_of(name) or "")


def exact_value(value: float, unit: str = "", uncertainty: float | None = None) -> str:
    """All digits of a number, unrounded but typeset, for echoes and hover: '800 µm', '5 × 10⁻⁴ S cm⁻¹', '80 %'."""
    number, spread, symbol_text = _decimals(value, uncertainty, unit)
    shown = number.normalize() if number else Decimal(0)
    return _with_unit(_written(shown, spread.normalize() if spread is not None else None), symbol_text)


def copy_value(value: float) -> str:
    """A number for the clipboard and other programs, ASCII, with all its digits: '2.49e-4'; reads back identically."""
    number = Decimal(repr(float(value)))
    if not number.is_finite() or not number:
        return "0" if number.is_finite() else repr(float(value))
    if -3 <= number.adjusted() < 6:
        return f"{number.normalize():f}"
    mantissa = number.scaleb(-number.adjusted()).normalize()
    return f"{mantissa:f}e{number.adjusted()}"


def frequency_text(frequency_Hz: float) -> str:
    """'1 kHz', '250 Hz', '10 mHz'."""
    for name, factor in (("MHz", 1e6), ("kHz", 1e3), ("Hz", 1.0), ("mHz", 1e-3)):
        if frequency_Hz >= 0.9995 * factor:
            return f"{_three_digits(frequency_Hz / factor)} {name}"
    return f"{_three_digits(frequency_Hz * 1e6)} µHz"


def _three_digits(value: float) -> str:
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"
