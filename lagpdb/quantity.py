"""The quantity input: what a person types or pastes, understood once and echoed back. Pure.

Accepted: '0,5'  '0.5'  '5e-4'  '5×10⁻⁴'  '5*10^-4'  '801±3'  '801 +/- 3'  '801(3)' (the last digits: 801 ± 3, and
0.801(3) is 0.801 ± 0.003)  '(2.49 ± 0.03) × 10⁻⁴'  '0.8 mm'  '< 1e-4'  '801 803 799'  '801; 803; 799'.
Comma and point are both decimal marks, so '1,250' is 1.25: the echo shows it and `Bounds` catches a slip.
Whatever can be read in two ways is refused with the way to write it.
"""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import dataclass
from fractions import Fraction

from lagpdb import units

MAX_CHARACTERS = 1000
MAX_EXPONENT = 300
CAN_BE_NOTED = "Check it; it can be saved with a note."


class QuantityError(ValueError):
    """The text is not a quantity; the sentence (what is wrong, what to write) is shown under the field."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True)
class Quantity:
    """What was understood, in the unit of the suffix.

    `uncertainty` is as typed, or the sample standard deviation (n - 1) of the readings; None when neither exists or
    when all readings are alike, which says more of the gauge than of the sample. `readings` holds each reading, also
    a single one; `n` counts them. `echo` is shown under the field.
    """

    value: float
    uncertainty: float | None
    limit: str
    readings: tuple[float, ...]
    n: int
    echo: str


_MANTISSA = r"[+-]?\s*(?:\d+(?:[.,]\d+)?|[.,]\d+)"
_POWER = r"[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+|\s*(?:\^|\*\*)\s*[+-]?\s*\d+|\s*[+-]\s*\d+"  # never '×104': 10⁴ or 104?
_EXPONENT = rf"\s*[eE]\s*[+-]?\s*\d+|\s*[x×·*]\s*10(?:{_POWER})"
_TEN = r"10(?:[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+|\s*\^\s*[+-]?\s*\d+)"
_WORD = r"(?:[^\W\d_]+|°C|[°%])(?:\^?[+-]?\d+|[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)?"
_UNIT = rf"/?\s*{_WORD}(?:\s*[/·⋅*]\s*{_WORD}|\s+{_WORD})*"
_ENTRY = re.compile(
    rf"\s*(?P<open>\()?\s*(?:(?P<ten>{_TEN})|(?P<value>{_MANTISSA})(?:\((?P<digits>\d+)\))?(?P<power>{_EXPONENT})?)"
    rf"\s*(?P<unit>{_UNIT})?"
    rf"(?:\s*(?:±|\+\s*/\s*-|\+-)\s*(?P<spread>{_MANTISSA})(?P<spread_power>{_EXPONENT})?)?"
    rf"\s*(?P<close>\))?(?P<both_power>{_EXPONENT})?\s*(?P<last_unit>{_UNIT})?"
)
_LIMIT = re.compile(r"\s*(<\s*=|>\s*=|=\s*<|=\s*>|[<>=≤≥⩽⩾])")
_LIMITS = {"≤": "<=", "⩽": "<=", "=<": "<=", "≥": ">=", "⩾": ">=", "=>": ">="}
_GROUPED = re.compile(r"\d+(?:[.,]\d+){2,}")
_SPACED = re.compile(r"(?<![\d.,])\d{1,3}(?:[\u202f\u2009'’_]\d{3})+(?!\d)(?:[.,]\d+)?")


@dataclass(frozen=True)
class _Entry:
    """One number as typed, exact, with its own uncertainty and unit texts."""

    text: str
    value: Fraction
    spread: Fraction | None
    unit: str
    spread_unit: str


def parse_quantity(text: str, suffix: str, *, allow_limit: bool = True, allow_readings: bool = True) -> Quantity:
    """Understand `text` as a quantity in the unit of `suffix`.

    Parameters
    ----------
    text : str
        What was typed. Empty text is an error here: the caller decides whether the field may be empty.
    suffix : str
        A suffix of `lagpdb.units` ('um'), with or without its underscore, or a name that ends in one.
    allow_limit, allow_readings : bool
        Whether '< 1e-4' and '801 803 799' make sense for the field.

    Raises
    ------
    QuantityError
        With the sentence to show.
    """
    target = units.suffix_of(suffix.lstrip("_"))
    if target is None:
        raise ValueError(f"'{suffix}' ends in no known unit suffix.")
    if not text.strip():
        raise QuantityError("Nothing was entered.")
    if len(text) > MAX_CHARACTERS:
        raise QuantityError(f"This is longer than {MAX_CHARACTERS} characters. Enter one value, or its readings.")
    limit, body = _split_limit(text)
    if limit != "=" and not allow_limit:
        raise QuantityError(f"‘{text.strip()}’ is a limit. Write the value itself: a limit makes no sense here.")
    _refuse_grouping(body)
    entries = _entries(body)
    if len(entries) > 1 and not allow_readings:
        raise QuantityError(f"‘{body.strip()}’ is {len(entries)} numbers. Write one.")
    if limit != "=" and (len(entries) > 1 or entries[0].spread is not None):
        raise QuantityError(f"‘{text.strip()}’: a limit is one number, without ± and without readings.")
    if len(entries) > 1:
        return _from_readings(entries, target)
    value, spread = _in_unit(entries[0], target)
    # Ten digits show all that was typed and hide the tail that a conversion makes (0.13332236842105263 Pa).
    echo = units.exact_value(float(f"{value:.10g}"), target, None if spread is None else float(f"{spread:.10g}"))
    sign = {"=": "=", "<=": "≤", ">=": "≥"}.get(limit, limit)
    return Quantity(value, spread, limit, (value,), 1, f"{sign} {echo}")


def _split_limit(text: str) -> tuple[str, str]:
    mark = _LIMIT.match(text)
    if not mark:
        return "=", text
    sign = re.sub(r"\s", "", mark[1])
    return _LIMITS.get(sign, sign), text[mark.end() :]


def _refuse_grouping(body: str) -> None:
    """Refuse thousands separators, and say how the number is written without them."""
    spaced = _SPACED.search(body)
    if spaced:
        plain = re.sub(r"[^\d.,]", "", spaced[0]).replace(",", ".")
        raise QuantityError(f"{spaced[0]}: write {plain}")
    grouped = _GROUPED.search(body)
    if not grouped:
        return
    typed, marks = grouped[0], re.findall(r"[.,]", grouped[0])
    decimal = marks[-1] if len(set(marks)) == 2 else ""
    whole, _, decimals = typed.rpartition(decimal) if decimal else (typed, "", "")
    groups = re.split(r"[.,]", whole)
    if marks.count(decimal) > 1 or any(len(group) != 3 for group in groups[1:]):
        raise QuantityError(f"‘{typed}’ is not a number. Separate readings by semicolons or blanks.")
    plain = "".join(groups) + (f".{decimals}" if decimals else "")
    readings = "" if decimal else f", or {'; '.join(groups)} for readings"
    raise QuantityError(f"{typed}: write {plain}{readings}")


def _entries(body: str) -> list[_Entry]:
    """All numbers of the text; readings are separated by semicolons, lines or blanks."""
    found: list[_Entry] = []
    for chunk in re.split(r"[;\n\r]+", body):
        if not chunk.strip():
            continue
        clean, position, in_chunk = re.sub(r"\s+", " ", units.tidy(chunk)).strip(), 0, list[_Entry]()
        while position < len(clean):
            match = _ENTRY.match(clean, position)
            if not match or bool(match["open"]) != bool(match["close"]):
                raise _not_a_number(body)
            position = match.end()
            if position < len(clean) and not clean[position - 1].isspace():
                raise _not_a_number(body)
            in_chunk.append(_entry(match))
            if len(in_chunk) > 1 and in_chunk[-1].text.startswith("+"):  # '801 + 3' is no pair of readings
                raise _not_a_number(body)
        _refuse_ambiguous_blanks(clean, in_chunk)
        found += in_chunk
    if not found:
        raise _not_a_number(body)
    return found


def _not_a_number(body: str) -> QuantityError:
    typed = body.strip()
    if re.search(r"\b(?:nan|inf|infinity)\b|∞", typed, re.IGNORECASE):
        return QuantityError(f"‘{typed}’ is not a number that can be stored. Leave the field empty if it is unknown.")
    if re.fullmatch(rf"\s*{_MANTISSA}\s*[-–—]\s*\d.*", typed):
        return QuantityError(f"‘{typed}’ is a range. Write a value with ±, or the readings separated by semicolons.")
    if re.search(r"\d,\s+\d", typed):
        return QuantityError(f"‘{typed}’: separate readings by semicolons, the comma is a decimal mark.")
    return QuantityError(f"‘{typed}’ is not a number. Write for example 0.5, 5e-4 or 801 ± 3.")


def _refuse_ambiguous_blanks(clean: str, entries: list[_Entry]) -> None:
    """'12 345' may be one number or two readings; '5 -10' may be a range. Never guess."""
    if len(entries) < 2:
        return
    if len({entry.value < 0 for entry in entries}) == 2:
        raise QuantityError(f"‘{clean}’ may be a range or readings. Separate readings by semicolons.")
    if re.fullmatch(r"[+-]?\d{1,3}(?: \d{3})+(?:[.,]\d+)?(?:\s*\D.*)?", clean):
        sizes = [abs(entry.value) for entry in entries]
        if max(sizes) > 2 * min(sizes):  # readings of one thing do not differ this much
            digits = " ".join(re.findall(r"[\d.,]+", clean))
            one = digits.replace(" ", "").replace(",", ".")
            raise QuantityError(f"{digits}: write {one}, or {digits.replace(' ', '; ')} for readings")


def _exponent(text: str | None) -> int:
    if not text:
        return 0
    plain = text.translate(units.FROM_SUPERSCRIPTS)
    plain = re.sub(r"[\s^*x×·]|[eE]", "", plain)
    exponent = int(plain.removeprefix("10") if not re.search(r"[eE]", text) else plain)
    if abs(exponent) > MAX_EXPONENT:
        raise QuantityError(f"‘{text.strip()}’ is beyond any quantity measured here. Check the exponent.")
    return exponent


def _number(text: str) -> Fraction:
    return Fraction(re.sub(r"\s", "", text).replace(",", "."))


def _entry(match: re.Match[str]) -> _Entry:
    both = _exponent(match["both_power"])
    if match["ten"]:
        value, power = Fraction(1), _exponent(match["ten"])
    else:
        value, power = _number(match["value"]), _exponent(match["power"])
    spread = None
    if match["digits"] is not None:
        if match["spread"] is not None:
            raise QuantityError(f"‘{match[0].strip()}’ gives its uncertainty twice. Write it once.")
        decimals = len(re.split(r"[.,]", match["value"])[1]) if re.search(r"[.,]", match["value"]) else 0
        spread = Fraction(int(match["digits"])) / Fraction(10) ** decimals * Fraction(10) ** (power + both)
    elif match["spread"] is not None:
        spread = _number(match["spread"]) * Fraction(10) ** (_exponent(match["spread_power"]) + both)
    if spread is not None and spread <= 0:
        raise QuantityError(f"‘{match[0].strip()}’: an uncertainty is above 0. Leave it out if it is not known.")
    unit, last = (match["unit"] or "").strip(), (match["last_unit"] or "").strip()
    if unit and last and spread is None:
        raise _not_a_number(match[0])
    return _Entry(match[0].strip(), value * Fraction(10) ** (power + both), spread, unit or last, last or unit)


def _in_unit(entry: _Entry, suffix: str) -> tuple[float, float | None]:
    """Value and uncertainty of an entry, converted exactly."""
    scale, offset = _conversion(entry.unit, suffix, entry.text)
    value, spread = _float(entry.value * scale + offset, entry.text), None
    if entry.spread is not None:
        spread = _float(entry.spread * _conversion(entry.spread_unit, suffix, entry.text)[0], entry.text)
    return value, spread


def _conversion(unit: str, suffix: str, typed: str) -> tuple[Fraction, Fraction]:
    target = units.UNITS[suffix]
    own = target.symbol or ("%" if suffix == "fraction" else "")
    options = list(dict.fromkeys([own, *target.kin[:2]])) if own else []
    listed = " or ".join([", ".join(options[:-1]), options[-1]] if options[1:] else options)
    advice = f"Write it in {listed}." if options else "Write it without a unit."
    try:
        return units.conversion(unit, suffix)
    except units.UnknownUnit:
        raise QuantityError(f"‘{typed}’: the unit {unit} is not known. {advice}") from None
    except units.WrongUnit:
        cause = f": {unit} cannot be turned into {own}" if own else ""
        raise QuantityError(f"‘{typed}’ is not {target.kind}{cause}. {advice}") from None


def _float(number: Fraction, typed: str) -> float:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if math.isinf(value):
        raise QuantityError(f"‘{typed}’ is beyond any quantity measured here. Check the exponent.")
    return value


def _from_readings(entries: list[_Entry], suffix: str) -> Quantity:
    """Mean ± sample standard deviation. A unit after the last reading holds for all."""
    if any(entry.spread is not None for entry in entries):
        raise QuantityError("Readings have no ± of their own. Write either the readings, or one value with ±.")
    given = [entry.unit for entry in entries]
    if not any(given[:-1]):
        given = [given[-1]] * len(given)
    if not all(given) and any(given):
        raise QuantityError("Some readings have a unit and some have none. Give it to each, or only after the last.")
    readings = []
    for entry, unit in zip(entries, given, strict=True):
        readings.append(_in_unit(_Entry(entry.text, entry.value, None, unit, unit), suffix)[0])
    mean, spread = statistics.fmean(readings), statistics.stdev(readings)
    echo = f"mean {units.format_value(mean, spread, unit=suffix)}, n = {len(readings)}"
    return Quantity(mean, spread or None, "=", tuple(readings), len(readings), echo)


@dataclass(frozen=True)
class Bounds:
    """The two levels of limits of a field, in the unit of `suffix`; None where there is none.

    A value on a bound is inside it. `zero_allowed` False makes 0 impossible too (a mass, a thickness, a duration).
    """

    unusual_low: float | None = None
    unusual_high: float | None = None
    impossible_low: float | None = None
    impossible_high: float | None = None
    suffix: str = ""
    zero_allowed: bool = True
    note: str = ""  # said above the usual range instead of the common sentence; '{limit}' is that range's end

    def judge(self, value: float) -> tuple[str, str]:
        """('ok' | 'unusual' | 'impossible', sentence); the sentence is '' for 'ok'. [value in the field's unit]"""
        if not math.isfinite(value):
            return "impossible", "This is not a number. Check the value."
        impossible = (value == 0 and not self.zero_allowed) or _outside(
            value, self.impossible_low, self.impossible_high
        )
        if not impossible and not _outside(value, self.unusual_low, self.unusual_high):
            return "ok", ""
        level = "impossible" if impossible else "unusual"
        if self.note and not impossible and self.unusual_high is not None and value > self.unusual_high:
            return level, self.note.format(limit=self._text(self.unusual_high))
        suggestion = self.suggestion(value)
        if suggestion is not None and (impossible or self._far_off(value)):
            return level, f"{self._restated(value)}. Did you mean {self._number(suggestion)}?"
        if impossible:
            low, high, usual = self.impossible_low, self.impossible_high, "what is possible here"
            advice = "Check the value and its unit; this row is not saved."
        else:
            low, high, usual = self.unusual_low, self.unusual_high, "what is usual"
            advice = CAN_BE_NOTED
        if value == 0 and not self.zero_allowed:
            return level, f"{self._text(value)} is not possible here. {advice}"
        side, bound = ("below", low) if low is not None and value < low else ("above", high)
        return level, f"{self._text(value)} is {side} {usual} ({self._text(bound or 0.0)}). {advice}"

    def suggestion(self, value: float) -> float | None:
        """The value that was probably meant: a power of ten away and in the usual range, or None."""
        if not value or (self.unusual_low is None or self.unusual_high is None):
            return None
        steps = (100, 10, 1000) if self.suffix == "fraction" else (10, 1000, 100)  # a share is typed in per cent
        exact = Fraction(repr(float(value)))
        for step in steps:
            for meant in (float(exact / step), float(exact * step)):
                if self.unusual_low <= meant <= self.unusual_high:
                    return meant
        return None

    def _far_off(self, value: float) -> bool:
        """Far enough outside the usual range that a slip of the decimal point is likelier than an unusual sample."""
        low, high = self.unusual_low or 0.0, self.unusual_high or 0.0
        return value > 2.5 * high or value < low / 2.5

    def _number(self, value: float) -> str:
        return units.exact_value(value, "fraction" if self.suffix == "fraction" else "")

    def _text(self, value: float) -> str:
        return units.exact_value(value, self.suffix)

    def _restated(self, value: float) -> str:
        """'8010 µm is 8.0 mm': the value in a unit in which it is easier to see how far off it is."""
        awkward = abs(value) >= 1000 or abs(value) < 1
        for kin in units.UNITS[self.suffix].kin if awkward and self.suffix in units.UNITS else ():
            scale, offset = units.conversion(kin, self.suffix)
            other = float((Fraction(repr(float(value))) - offset) / scale)
            if 1 <= abs(other) < 1000 and not offset:
                digits = max(0, 1 - math.floor(math.log10(abs(other))))
                return f"{self._text(value)} is {other:.{digits}f} {kin}".replace("-", units.MINUS)
        usual = f"{self._text(self.unusual_low or 0.0)} to {self._text(self.unusual_high or 0.0)}"
        return f"{self._text(value)} is far from the usual {usual}"


def _outside(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)
