"""Where the parts of a label stand [mm], for the PDF and for the preview alike.

The built-in fonts of PDF know Latin letters only. The characters that notations need beside them are drawn from what
the fonts have: subscripts as small lowered digits, Greek from the symbol font.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby

import segno
from reportlab.pdfbase.pdfmetrics import stringWidth

from samples.labels import Label

MM_PER_PT = 25.4 / 72
SMALLEST_PT = 4.0
SUBSCRIPT_SCALE, SUBSCRIPT_DROP, SUPERSCRIPT_RISE = 0.68, 0.14, 0.34  # of the size of the letters
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True))
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))
_PLAIN = {"−": "-", "\u202f": " ", "\u2009": " ", "\u00a0": " "}


@dataclass(frozen=True)
class Size:
    """A kind of label. On rolls a label is a page; on a sheet `columns` × `rows` of them share one."""

    slug: str
    words: str
    width_mm: float
    height_mm: float
    columns: int = 1
    rows: int = 1
    pitch_x_mm: float = 0.0
    page_mm: tuple[float, float] = (0.0, 0.0)

    @property
    def per_page(self) -> int:
        """How many labels a page holds."""
        return self.columns * self.rows

    @property
    def page(self) -> tuple[float, float]:
        """Width and height of a page [mm]."""
        return self.page_mm if self.per_page > 1 else (self.width_mm, self.height_mm)

    def corner(self, place: int) -> tuple[float, float]:
        """Left and top [mm] of the label at a place of its page, counted from 0 along the rows."""
        if self.per_page == 1:
            return 0.0, 0.0
        row, column = divmod(place, self.columns)
        used = (self.columns - 1) * self.pitch_x_mm + self.width_mm
        left = (self.page[0] - used) / 2 + column * self.pitch_x_mm
        return left, (self.page[1] - self.rows * self.height_mm) / 2 + row * self.height_mm


SIZES = {
    size.slug: size
    for size in (
        Size("25x10", "25 × 10 mm, roll", 25.0, 10.0),
        Size("38x19", "38 × 19 mm, roll", 38.0, 19.0),
        Size("A4", "A4 sheet, 65 labels of 38.1 × 21.2 mm", 38.1, 21.2, 5, 13, 40.6, (210.0, 297.0)),
    )
}


@dataclass(frozen=True)
class Run:
    """Letters of one font on one line: left end and base line [mm] from the top left corner of the label."""

    text: str
    font: str
    size_pt: float
    x_mm: float
    y_mm: float

    @property
    def width_mm(self) -> float:
        """Length on paper."""
        return float(stringWidth(self.text, self.font, self.size_pt)) * MM_PER_PT


@dataclass(frozen=True)
class Line:
    """One line as it is read, and the runs that draw it."""

    text: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Placed:
    """A label ready to be drawn."""

    label: Label
    size: Size
    modules: tuple[tuple[bool, ...], ...]  # of the QR code, with its quiet zone
    qr_mm: float
    lines: tuple[Line, ...]


def qr_modules(address: str) -> tuple[tuple[bool, ...], ...]:
    """The QR code of an address with the quiet zone of four modules that the standard asks for; True is black."""
    code = segno.make(address, error="l", micro=False, boost_error=True)
    return tuple(tuple(bool(cell) for cell in row) for row in code.matrix_iter(border=4))


def place(label: Label, size: Size) -> Placed:
    """Put the parts of a label where they belong: the QR code on the left, as high as the label; lines beside it."""
    height, margin = size.height_mm, size.height_mm * 0.06
    qr_mm = min(height, size.width_mm * 0.5)
    left, room = qr_mm, size.width_mm - qr_mm - margin
    code_pt = _fitting(label.code, "Helvetica-Bold", height * 0.36 / MM_PER_PT, room)
    small_pt = height * 0.19 / MM_PER_PT
    parts = [label.notation]
    if width_mm(label.notation, "Helvetica", small_pt) * 0.7 > room:
        parts, small_pt = _halves(label.notation), height * 0.17 / MM_PER_PT
    rest = [part for part in (*parts, label.date) if part]
    small_pt = min(_fitting(part, "Helvetica", small_pt, room) for part in rest)  # one size for all
    step = height * 0.57 / max(len(rest), 2)
    lines = [_line(label.code, "Helvetica-Bold", code_pt, left, height * 0.35, room)]
    lines += [
        _line(text, "Helvetica", small_pt, left, height * 0.35 + step * number, room)
        for number, text in enumerate(rest, 1)
    ]
    return Placed(label, size, qr_modules(label.address), qr_mm, tuple(lines))


def _halves(notation: str) -> list[str]:
    """A long notation on two lines, parted where a new part begins."""
    joints = [match.start() for match in re.finditer(r"[@| ]", notation)]
    if not joints:
        return [notation]
    at = min(joints, key=lambda joint: abs(joint - len(notation) / 2))
    return [notation[:at].rstrip(), notation[at:].strip()]


# -- letters -----------------------------------------------------------------------------------------------------------
def unprintable(text: str) -> set[str]:
    """Characters that no label can show; a '?' stands in their place."""
    return {letter for letter in text if _letter(letter, "Helvetica")[0] == "?" and letter != "?"}


def _letter(letter: str, font: str) -> tuple[str, str, float, float]:
    """What is drawn for one character: text, font, scale, and rise in parts of the size."""
    if letter in _SUBSCRIPTS:
        return _SUBSCRIPTS[letter], font, SUBSCRIPT_SCALE, -SUBSCRIPT_DROP
    if letter in _SUPERSCRIPTS:
        return _SUPERSCRIPTS[letter], font, SUBSCRIPT_SCALE, SUPERSCRIPT_RISE
    letter = _PLAIN.get(letter, letter)
    if _is_in(letter, "cp1252"):
        return letter, font, 1.0, 0.0
    if "Α" <= letter <= "ω" and "GREEK" in unicodedata.name(letter, ""):
        return letter, "Symbol", 1.0, 0.0
    bare = unicodedata.normalize("NFKD", letter)[:1]
    return (bare if _is_in(bare, "cp1252") and bare else "?"), font, 1.0, 0.0


def _is_in(letter: str, encoding: str) -> bool:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def width_mm(text: str, font: str, size_pt: float) -> float:
    """Width of a line as it will be drawn."""
    parts = [_letter(letter, font) for letter in text]
    return sum(stringWidth(drawn, name, size_pt * scale) for drawn, name, scale, _ in parts) * MM_PER_PT


def _fitting(text: str, font: str, size_pt: float, room_mm: float) -> float:
    """The size at which a text fits, at most the one wished for."""
    natural = width_mm(text, font, size_pt)
    return size_pt if natural <= room_mm else max(size_pt * room_mm / natural, SMALLEST_PT)


def _line(text: str, font: str, wished_pt: float, x_mm: float, y_mm: float, room_mm: float) -> Line:
    size_pt = _fitting(text, font, wished_pt, room_mm)
    shown = text
    while shown and width_mm(shown, font, size_pt) > room_mm + 1e-6:
        shown = shown.removesuffix("…")[:-1] + "…" if len(shown) > 1 else ""
    runs: list[Run] = []
    at = x_mm
    parts = ((_letter(letter, font), letter) for letter in shown)
    for (name, scale, rise), group in groupby(parts, key=lambda part: part[0][1:]):
        drawn = "".join(part[0][0] for part in group)
        runs.append(Run(drawn, name, size_pt * scale, at, y_mm - rise * size_pt * MM_PER_PT))
        at += runs[-1].width_mm
    return Line(shown, tuple(runs))
