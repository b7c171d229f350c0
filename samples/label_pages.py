"""Labels: choose, look, print. `/labels/?codes=PEL-0142,PEL-0143&size=38x19&copies=2`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from samples.label_files import DOTS_PER_MM, pdf, zpl
from samples.label_layout import SIZES, Placed, Size, place, unprintable
from samples.labels import MOST_CODES, Label, codes_in, labels_of

MOST_COPIES = 50
MOST_LABELS = 2000
MOST_SHOWN = 12  # in the preview


@dataclass(frozen=True)
class Order:
    """What to print; `problems` are sentences about what cannot be."""

    labels: list[Label]
    size: Size
    copies: int
    start: int
    dpi: int
    codes: list[str]
    problems: list[str]

    @property
    def query(self) -> str:
        """The order as the query string of an address."""
        given = {"codes": ",".join(label.code for label in self.labels), "size": self.size.slug}
        return urlencode(given | {"copies": self.copies, "start": self.start, "dpi": self.dpi})


def _order(request: HttpRequest) -> Order:
    # A page only reads: a selection that is too long for an address may be sent as a form.
    given = request.POST if request.method == "POST" else request.GET
    problems: list[str] = []
    codes = codes_in(given.getlist("codes"))
    if len(codes) > MOST_CODES:
        problems.append(f"{len(codes)} codes are more than {MOST_CODES}. The first {MOST_CODES} are taken.")
        codes = codes[:MOST_CODES]
    labels, missing = labels_of(codes)
    size = SIZES.get(given.get("size", ""), SIZES["38x19"])
    copies = _whole(given, "copies", 1, MOST_COPIES, "Copies", problems)
    start = _whole(given, "start", 1, size.per_page, "Start position", problems) if size.per_page > 1 else 1
    if len(labels) * copies > MOST_LABELS:
        copies = max(MOST_LABELS // len(labels), 1)
        problems.append(f"More than {MOST_LABELS} labels at once. {copies} of each are printed.")
    dpi = int(given.get("dpi", "")) if given.get("dpi", "") in {str(each) for each in DOTS_PER_MM} else 203
    odd = set().union(*(unprintable(label.notation + label.code) for label in labels)) if labels else set()
    if odd:
        problems.append(f"The fonts of a label lack {' '.join(sorted(odd))}. A question mark stands in its place.")
    return Order(labels, size, copies, start, dpi, codes, missing + problems)


def _whole(given: Any, name: str, least: int, most: int, words: str, problems: list[str]) -> int:
    text = given.get(name, "").strip()
    if not text:
        return least
    if text.isdecimal() and len(text) < 6 and least <= int(text) <= most:
        return int(text)
    problems.append(f"{words} is a whole number from {least} to {most}, not ‘{text}’.")
    return least


def labels(request: HttpRequest) -> HttpResponse:
    """P28: selection, size, copies, preview."""
    order = _order(request)
    count = len(order.labels) * order.copies
    filled = count + order.start - 1
    context = {
        "order": order,
        "codes_text": "\n".join(order.codes),
        "sizes": SIZES.values(),
        "resolutions": DOTS_PER_MM,
        "shown": [_preview(place(label, order.size)) for label in order.labels[:MOST_SHOWN]],
        "not_shown": max(len(order.labels) - MOST_SHOWN, 0),
        "count": count,
        "sheets": -(-filled // order.size.per_page) if order.size.per_page > 1 else 0,
        "pdf_address": f"{reverse('labels_file', args=['pdf'])}?{order.query}",
        "zpl_address": f"{reverse('labels_file', args=['zpl'])}?{order.query}" if order.size.per_page == 1 else "",
    }
    return render(request, "samples/labels.html", context)


def _preview(placed: Placed) -> dict[str, Any]:
    """What the drawing of one label needs [mm]."""
    return {
        "label": placed.label,
        "width": f"{placed.size.width_mm:g}",
        "height": f"{placed.size.height_mm:g}",
        "side": len(placed.modules),
        "scale": f"{placed.qr_mm / len(placed.modules):.5g}",
        "down": f"{(placed.size.height_mm - placed.qr_mm) / 2:.4g}",
        "path": "".join(
            f"M{column} {row}h1v1h-1z"
            for row, cells in enumerate(placed.modules)
            for column, is_black in enumerate(cells)
            if is_black
        ),
        "runs": [
            {
                "text": run.text,
                "x": f"{run.x_mm:.3f}",
                "y": f"{run.y_mm:.3f}",
                "size": f"{run.size_pt * 25.4 / 72:.3f}",
                "length": f"{run.width_mm:.3f}",  # browsers may lack the font of the file
                "is_bold": run.font.endswith("Bold"),
            }
            for line in placed.lines
            for run in line.runs
        ],
    }


def labels_file(request: HttpRequest, form: str) -> HttpResponse:
    """The labels as PDF, or as ZPL for label printers."""
    order = _order(request)
    if not order.labels:
        sentence = "No label to print. " + (" ".join(order.problems) or "Name at least one code.")
        return HttpResponse(sentence, content_type="text/plain; charset=utf-8", status=400)
    if form == "pdf":
        content: bytes | str = pdf(order.labels, order.size, copies=order.copies, start=order.start)
        kind, name = "application/pdf", "labels.pdf"
    elif form == "zpl":
        try:
            content = zpl(order.labels, order.size, copies=order.copies, dpi=order.dpi)
        except ValueError as error:
            return HttpResponse(str(error), content_type="text/plain; charset=utf-8", status=400)
        kind, name = "text/plain; charset=utf-8", "labels.zpl"
    else:
        sentence = f"Labels come as pdf or zpl, not as {form}."
        return HttpResponse(sentence, content_type="text/plain; charset=utf-8", status=404)
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'{"inline" if form == "pdf" else "attachment"}; filename="{name}"'
    return response


urlpatterns = [
    path("labels/", labels, name="labels"),
    path("labels/labels.<str:form>", labels_file, name="labels_file"),
]
