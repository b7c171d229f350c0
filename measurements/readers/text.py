"""Text of instrument files: bytes to characters, characters to lines, lines to cells.

Encodings are told by signature, because statistical guessers fail on the few special letters that instrument files
hold, and GB18030 accepts many cp1252 byte pairs in silence.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from measurements.readers.base import ReaderError
from measurements.readers.signatures import refuse_binary, refuse_zeros

MAX_TEXT_BYTES = 200_000_000
_SNIFFED = 65_536  # bytes whose encoding is looked at before the rest
_PIECE = 1 << 23  # bytes that are decoded at once
MAX_LINE = 1_000_000  # characters
MAX_HEADER = 65_536  # characters of one line of column names
EMPTY = "The file is empty. Export it again, then upload that."
NO_ROWS = "The file has column names, but no row of numbers. Export it again with the data."
LONG_NAMES = f"The line of names is longer than {MAX_HEADER} characters."

_SIGNATURES = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Words of the Chinese exports of testers and potentiostats, and letters whose two bytes are "¦¸", "¡ã", "¡æ" in cp1252.
_CHINESE = ("记录", "测试", "时间", "电流", "电压", "容量", "循环", "工步", "频率", "阻抗", "实部", "虚部", "温度",
            "序号", "相位", "状态", "步骤", "能量", "样品", "Ω", "°", "℃")  # fmt: skip
# Two common characters in a row (GB 2312 level 1): four such bytes do not follow each other in cp1252 text.
_TWO_CHARACTERS = re.compile(rb"[\xb0-\xd7][\xa1-\xfe][\xb0-\xd7][\xa1-\xfe]")
_NUMBER = {
    ".": re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?nan|[+-]?inf", re.IGNORECASE),
    ",": re.compile(r"[+-]?(?:\d+,?\d*|,\d+)(?:[eE][+-]?\d+)?|[+-]?nan|[+-]?inf", re.IGNORECASE),
}
_SPREADSHEET_ERROR = re.compile(r"#(DIV/0|N/A|NV|VALUE|WERT|NUM|ZAHL|REF|BEZUG|NAME)")
_MOST_BROKEN = 0.1  # of the characters that speak for an encoding
_SEPARATOR_WORDS = {"\t": "tab", ";": "semicolon", ",": "comma", ":": "colon", None: "blanks"}
_CANDIDATES: tuple[tuple[str | None, str], ...] = (
    ("\t", "."), ("\t", ","), (";", "."), (";", ","), (",", "."), (None, "."), (None, ","), (":", "."), (":", ","),
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How rows are written: the separator of cells (None for blanks) and the decimal sign."""

    separator: str | None
    decimal: str

    @property
    def words(self) -> str:
        """For people, for example "decimal comma, tab"."""
        sign = "decimal comma" if self.decimal == "," else "decimal point"
        return f"{sign}, {_SEPARATOR_WORDS.get(self.separator, self.separator)}"


@dataclass(frozen=True)
class Document:
    """A text file as lines; line n of the file is `lines[n - 1]`."""

    lines: list[str]
    ends_with_newline: bool


def decode(data: bytes, cut: bool = False) -> str:
    """Characters of a text file; never raises.

    Parameters
    ----------
    data : bytes
    cut : bool
        Whether `data` may end in the middle of a character, being only the beginning of a file.
    """
    return decoded(data, cut)[0]


def decoded(data: bytes, cut: bool = False) -> tuple[str, str]:
    """As `decode`, with the name of the encoding that was found."""
    for signature, encoding in _SIGNATURES:
        if data.startswith(signature):
            return data.decode(encoding, errors="replace"), encoding
    head = data[:4096]
    # UTF-16 without a mark: Latin text has a zero in every second byte.
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if len(head) >= 8 and max(even, odd) > 0.4 * len(head):
        return data.decode("utf-16-le" if odd > even else "utf-16-be", errors="replace"), "utf-16"
    for encoding in ("utf-8", "gb18030"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(data, final=not cut)
        except UnicodeDecodeError:
            if b"\x00" in head:  # no text at all
                continue
            text = data.decode(encoding, errors="replace")
            if not _is_little_damaged(text, encoding):
                continue
        if encoding == "utf-8" or _TWO_CHARACTERS.search(data) or any(word in text for word in _CHINESE):
            return text, encoding
    return data.decode("cp1252", errors="replace"), "cp1252"


def _is_little_damaged(text: str, encoding: str) -> bool:
    """Whether a few characters are broken, or the last one is cut, in a text that else is of this encoding."""
    broken = text.count("\ufffd")
    sound = sum(map(text.count, _CHINESE)) if encoding == "gb18030" else len(text.encode()) - len(text) - 2 * broken
    return broken <= _MOST_BROKEN * sound


def as_utf8(data: bytes) -> tuple[bytes, str]:
    """The bytes as UTF-8 without a mark, and the name of the encoding they had."""
    if data.isascii() and b"\x00" not in data[:4096]:
        return data, "utf-8"
    cut = data.find(b"\n", _SNIFFED) + 1
    if cut and b"\x00" not in data[:_SNIFFED] and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text, encoding = decoded(data[:cut])
        head = text.lstrip("\ufeff").encode()
        # Mostly only the names are not ASCII; then the long rest needs no decoding.
        if data.isascii() or data[cut:].isascii():
            return head + data[cut:], encoding
        try:
            return b"".join([head, *_recoded(data, cut, encoding)]), encoding
        except UnicodeDecodeError:
            if not text.isascii() and encoding != "cp1252":
                # A few characters in the body are damaged; the head told what it is.
                return b"".join([head, *_recoded(data, cut, encoding, "replace")]), encoding
            # Else the head told too little.
    text, encoding = decoded(data)
    return text.lstrip("\ufeff").encode(), encoding


def _recoded(data: bytes, start: int, encoding: str, errors: str = "strict") -> Iterator[bytes]:
    """The bytes from `start` on as UTF-8, piece by piece: the text of a whole file would take six times its size."""
    decoder = codecs.getincrementaldecoder("utf-8" if encoding == "utf-8-sig" else encoding)(errors)
    for position in range(start, len(data), _PIECE):
        yield decoder.decode(data[position : position + _PIECE]).encode()
    yield decoder.decode(b"", final=True).encode()


def split_lines(text: str) -> list[str]:
    """Lines without their ends; CR CR LF (PowerSuite) is one end, and only CR and LF end a line."""
    return text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def with_one_line_end(data: bytes) -> bytes:
    """Bytes of UTF-8 whose lines all end in LF or CR LF; a lone CR ends a line, too, and CR CR LF is one end."""
    # Most files hold none at all, which is told many times faster than how many.
    if b"\r" not in data or data.count(b"\r") == data.count(b"\r\n"):
        return data
    return data.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def load(path: Path) -> Document:
    """A text file, decoded.

    Raises
    ------
    ReaderError
        If it is empty, binary, larger than any text export, or holds a line longer than a megabyte.
    """
    size = path.stat().st_size
    if size > MAX_TEXT_BYTES:
        raise ReaderError(
            f"The file has {size / 1e6:.0f} MB; text is read up to {MAX_TEXT_BYTES // 1_000_000} MB. "
            "Export fewer cycles or spectra into one file."
        )
    data = path.read_bytes()
    refuse_binary(data[:65_536], path.suffix.lower())
    refuse_zeros(data)
    text = decode(data)
    if not text.strip("\ufeff\r\n\t \x1a\x00"):
        raise ReaderError(EMPTY)
    lines = split_lines(text)
    refuse_long_lines(enumerate(lines, 1))
    return Document(lines, text.endswith(("\n", "\r")))


def refuse_long_lines(numbered: Iterable[tuple[int, str]]) -> None:
    """Raise a ReaderError at the first line that is longer than `MAX_LINE`."""
    for number, line in numbered:
        if len(line) > MAX_LINE:
            raise ReaderError(
                f"Line {number} has {len(line)} characters, more than the {MAX_LINE} that a table can have. "
                "This is not a table of measured values.",
                line=number,
            )


def is_comment(line: str, marks: tuple[str, ...]) -> bool:
    """Whether a line starts with one of the marks; what spreadsheets print for an error is a value."""
    text = line.lstrip()
    return bool(marks) and text.startswith(marks) and not _SPREADSHEET_ERROR.match(text)


def split_cells(line: str, separator: str | None) -> list[str]:
    """The cells of one line, without blanks around them; a quoted cell may hold the separator."""
    if separator is None:
        return line.split()
    if '"' in line and _is_quoted(line, separator):
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]
        except csv.Error:
            pass
    return [cell.strip() for cell in line.split(separator)]


def _is_quoted(line: str, separator: str) -> bool:
    """Whether a quote opens a cell and another one closes it; the quote of Z" stands at the end of a cell only."""
    return line.lstrip().startswith('"') or _quoted_cell(separator).search(line) is not None


@cache
def _quoted_cell(separator: str) -> re.Pattern[str]:
    mark = re.escape(separator)
    return re.compile(rf'{mark} *"(?:[^"]|"")*" *(?:{mark}|$)')


def is_number(cell: str, decimal: str = ".") -> bool:
    return _NUMBER[decimal].fullmatch(cell) is not None


def trimmed(cells: Sequence[str]) -> list[str]:
    """Cells without the empty ones at the end."""
    end = len(cells)
    while end and not cells[end - 1]:
        end -= 1
    return list(cells[:end])


def numeric_share(line: str, layout: Layout) -> tuple[int, int]:
    """How many cells of a line are numbers, and how many cells it has (empty ones at its end not counted)."""
    cells = trimmed(split_cells(line, layout.separator))
    return sum(is_number(cell, layout.decimal) for cell in cells), len(cells)


def detect_layout(rows: Sequence[str]) -> Layout | None:
    """Separator and decimal sign of rows of numbers; None if no way to cut them gives numbers in columns.

    The way that reads all cells wins at once (tab before semicolon, comma, blanks, colon); else the one that reads
    the largest share of the cells, so that one text column or one bad cell does no harm.
    """
    step = max(1, len(rows) // 12)
    sample = list(rows[::step])[:13]
    best: tuple[float, Layout] | None = None
    for separator, decimal in _CANDIDATES:
        if separator is not None and not any(separator in row for row in sample):
            continue
        layout = Layout(separator, decimal)
        shares = [numeric_share(row, layout) for row in sample]
        numbers, cells = sum(share[0] for share in shares), sum(share[1] for share in shares)
        # One value a line is no table; a colon also stands in times of day, so it needs full success.
        if cells < 2 * len(sample) or numbers == 0 or (separator == ":" and numbers < cells):
            continue
        if numbers == cells:
            return layout
        if best is None or numbers / cells > best[0]:
            best = (numbers / cells, layout)
    return best[1] if best else None
