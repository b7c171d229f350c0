"""Whether a text file that ends without a line end was cut off within its last value.

The row has all its cells, so that only the form of the last one tells: digits that all rows before it have are missing,
or it is the beginning of a word. Where the rows before vary in their digits, that is a doubt and no proof.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from measurements.readers.columns import short
from measurements.readers.text import is_number

COMPARED = 200  # rows before the last one
_FEW = 10  # fewer show no form
_BEGUN = re.compile(r"[+-]?\d*[.,]?\d*(?:[eE][+-]?)?")
_FORM = re.compile(r"[+-]?\d*[.,]?(\d*)(?:[eE][+-]?(\d*))?")

CUT, DOUBT = "cut", "doubt"


def ending(cell: str, before: Sequence[str], decimal: str) -> str:
    """`CUT`, `DOUBT` or ``""`` for the last cell of a file without a line end.

    Parameters
    ----------
    cell : str
        The last cell of the last row.
    before : sequence of str
        The cells of the same column in the rows before it.
    decimal : str
        The decimal sign.
    """
    cell = cell.rstrip("\ufffd")  # half a character
    if len(before) < _FEW or cell in before:
        return ""
    filled = [text for text in before if text]
    if not cell:
        return CUT if len(filled) == len(before) else ""
    if filled and all(is_number(text, decimal) for text in filled):
        if not is_number(cell, decimal):
            return CUT if _BEGUN.fullmatch(cell) else ""
        forms = {_form(text) for text in filled}
        one, *others = _form(cell), *forms
        is_short = any(one[i] < min(form[i] for form in others) for i in (0, 1))
        return "" if not is_short else CUT if len(forms) == 1 else DOUBT
    shapes = {_shape(text) for text in filled}
    is_begun = _shape(cell) not in shapes and any(shape.startswith(_shape(cell)) for shape in shapes)
    return CUT if is_begun else ""


def cut_words(cell: str) -> str:
    """What a refusal says of the last cell."""
    where = f"in the middle of the value ‘{short(cell)}’" if cell else "before the value"
    return f"the file ends {where}, so the export was probably cut off."


def doubt_of(cell: str, place: str) -> tuple[str, str]:
    """The warning of a last value that is shorter than the others."""
    return (
        "last_value_short",
        f"{place}: the file ends without a line end, and its last value ‘{short(cell)}’ has fewer digits than those "
        "above it. It may be cut off; compare it with the tester.",
    )


def _form(text: str) -> tuple[int, int]:
    """Digits behind the decimal sign, and of the exponent."""
    match = _FORM.fullmatch(text)
    return (len(match[1]), len(match[2] or "")) if match else (0, 0)


def _shape(text: str) -> str:
    return re.sub(r"\d", "9", text)
