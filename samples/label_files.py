"""Labels as files: PDF for any printer, ZPL for label printers."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from reportlab.pdfgen.canvas import Canvas

from samples.label_layout import MM_PER_PT, Placed, Size, place
from samples.labels import Label

DOTS_PER_MM = {203: 8, 300: 12}  # dots per inch of the print head, as its data sheets round it


def _repeated(labels: Sequence[Label], copies: int) -> list[Label]:
    return [label for label in labels for _ in range(copies)]


# -- PDF ---------------------------------------------------------------------------------------------------------------
def pdf(labels: Sequence[Label], size: Size, *, copies: int = 1, start: int = 1) -> bytes:
    """A PDF of labels.

    Parameters
    ----------
    labels : sequence of Label
    size : Size
        On rolls every label is a page.
    copies : int
        Of each label, one after the other.
    start : int
        First free place of the first sheet, counted from 1 along its rows.
    """
    content = io.BytesIO()
    # The same labels give the same bytes.
    canvas = Canvas(content, pagesize=[each / MM_PER_PT for each in size.page], invariant=1)
    canvas.setTitle("Labels")
    canvas.setCreator("lagpdb")
    begins = start - 1 if size.per_page > 1 else 0
    placed = {label: place(label, size) for label in labels}
    for number, label in enumerate(_repeated(labels, copies), begins):
        if number > begins and number % size.per_page == 0:
            canvas.showPage()
        _draw(canvas, placed[label], *size.corner(number % size.per_page))
    canvas.showPage()
    canvas.save()
    return content.getvalue()


def _draw(canvas: Canvas, placed: Placed, left_mm: float, top_mm: float) -> None:
    page_height = placed.size.page[1]
    module = placed.qr_mm / len(placed.modules)
    down = (placed.size.height_mm - placed.qr_mm) / 2
    path = canvas.beginPath()
    for row, cells in enumerate(placed.modules):
        y = page_height - top_mm - down - (row + 1) * module
        for first, length in _bars(cells):
            x = left_mm + first * module
            path.rect(x / MM_PER_PT, y / MM_PER_PT, length * module / MM_PER_PT, module / MM_PER_PT)
    canvas.drawPath(path, stroke=0, fill=1)
    for line in placed.lines:
        # What is copied or read aloud is the line as it is written, not the small digits it is drawn with.
        spoken = line.text.encode("utf-16-be").hex().upper()
        canvas._code.append(f"/Span <</ActualText <FEFF{spoken}>>> BDC")
        for run in line.runs:
            canvas.setFont(run.font, run.size_pt)
            canvas.drawString((left_mm + run.x_mm) / MM_PER_PT, (page_height - top_mm - run.y_mm) / MM_PER_PT, run.text)
        canvas._code.append("EMC")


def _bars(cells: Iterable[bool]) -> list[tuple[int, int]]:
    """Runs of black modules of a row: where each begins, and how long it is."""
    bars: list[tuple[int, int]] = []
    for place_, is_black in enumerate(cells):
        if not is_black:
            continue
        if bars and sum(bars[-1]) == place_:
            bars[-1] = (bars[-1][0], bars[-1][1] + 1)
        else:
            bars.append((place_, 1))
    return bars


# -- ZPL ---------------------------------------------------------------------------------------------------------------
def zpl(labels: Sequence[Label], size: Size, *, copies: int = 1, dpi: int = 203) -> str:
    """Commands for a label printer. Its own font lacks subscripts: they are written as plain digits.

    Raises
    ------
    ValueError
        The size is a sheet, or the resolution is not one of `DOTS_PER_MM`.
    """
    if size.per_page > 1:
        raise ValueError("Label printers print from rolls. Choose 25 × 10 mm or 38 × 19 mm.")
    if dpi not in DOTS_PER_MM:
        raise ValueError(f"Print heads have 203 or 300 dpi, not {dpi}.")
    return "".join(_zpl_label(place(label, size), copies, DOTS_PER_MM[dpi]) for label in labels)


def _zpl_label(placed: Placed, copies: int, dots: int) -> str:
    side = len(placed.modules)
    scale = min(max(int(placed.qr_mm * dots // side), 1), 10)  # whole dots to a module
    quiet = 4 * scale
    left = round(placed.qr_mm * dots)
    # The printer sets a QR code ten dots lower than it is told.
    top = max(round((placed.size.height_mm * dots - side * scale) / 2) + quiet - 10, 0)
    lines = [
        "^XA", "^CI28", f"^PW{round(placed.size.width_mm * dots)}", f"^LL{round(placed.size.height_mm * dots)}",
        f"^FO{quiet},{top}^BQN,2,{scale}^FH^FDLA,{_zpl_text(placed.label.address)}^FS",
    ]  # fmt: skip
    for line in placed.lines:
        letters = round(line.runs[0].size_pt * MM_PER_PT * dots)
        y = max(round(line.runs[0].y_mm * dots) - letters, 0)
        text = "".join(run.text for run in line.runs)
        lines.append(f"^FO{left},{y}^A0N,{letters},{letters}^FH^FD{_zpl_text(text)}^FS")
    return "\n".join([*lines, f"^PQ{copies}", "^XZ", ""])


def _zpl_text(text: str) -> str:
    """Text in a field: the signs that begin commands, and all beyond ASCII, as hexadecimal bytes (^FH)."""
    plain = (letter if " " <= letter <= "~" and letter not in "^~_" else None for letter in text)
    return "".join(
        known if known is not None else "".join(f"_{byte:02X}" for byte in letter.encode())
        for known, letter in zip(plain, text, strict=True)
    )
