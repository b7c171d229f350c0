"""Pages of the genealogy: `/pellets/PEL-0142/tree/`, and the same for lots, batches and cells; exports beside them."""

from __future__ import annotations

import csv
from typing import Any

from csp.decorators import csp_update
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from analysis.family import Family, Wish, edges, family_of
from analysis.tree import context_of
from lagpdb.pages import get_record
from lagpdb.records import Record
from lagpdb.synthetic import SENTENCE
from samples.models import Cell, Pellet, PelletBatch, PowderLot

# First word of the address and of its name, to the model and what is read with it.
STATIONS: dict[str, tuple[type[Record], tuple[str, ...]]] = {
    "lot": (PowderLot, ("material",)),
    "batch": (PelletBatch, ("powder_lot__material",)),
    "pellet": (Pellet, ("batch__powder_lot__material",)),
    "cell": (Cell, ("pellet__batch__powder_lot__material",)),
}
VIEWS = (("path", "This path"), ("lot", "Whole lot"), ("list", "List"))


def _asked(request: HttpRequest, station: str, code: str) -> tuple[Family, Wish, str]:
    """The family, the wish, and the view of an address; what cannot be understood is the usual."""
    model, related = STATIONS[station]
    record: Any = get_record(model, code, *related)
    view = request.GET.get("view", "")
    view = view if view in dict(VIEWS) else "path"
    wish = Wish(
        scope="path" if view == "path" else "lot",
        only_with_results=request.GET.get("results") == "1",
        hides_recovered=request.GET.get("recovered") == "hide",
        opened=request.GET.get("open", ""),
    )
    return family_of(record, wish), wish, view


def tree(request: HttpRequest, code: str, station: str) -> HttpResponse:
    """P8: the tree as drawing and as list."""
    family, wish, view = _asked(request, station, code)
    record = family.record
    if record.code != code:
        return redirect(f"{station}_tree", code=record.code)
    filters = [
        (
            "results", "only with results", wish.only_with_results,
            wish.query(view=view, results="" if wish.only_with_results else "1"),
        ),
        (
            "recovered", "hide recovered", wish.hides_recovered,
            wish.query(view=view, recovered="" if wish.hides_recovered else "hide"),
        ),
    ]  # fmt: skip
    context = {
        **context_of(family),
        "record": record,
        "station": station,
        "view": view,
        "views": [(name, words, wish.query(view=name, open="")) for name, words in VIEWS],
        "filters": filters,
        "query": wish.query(),
        "back": reverse(f"{station}_detail", args=[record.code]),
    }
    return render(request, "analysis/tree.html", context)


@csp_update({"style-src": ["'unsafe-inline'"]})  # the exported drawing carries its own sheet
def tree_file(request: HttpRequest, code: str, station: str, form: str) -> HttpResponse:
    """The same tree as SVG, or its edges as CSV."""
    if form not in ("svg", "csv"):
        raise Http404(f"A tree is exported as svg or csv, not as {form}.")
    family, _, _ = _asked(request, station, code)
    is_synthetic = getattr(family.record, "is_synthetic", False)
    name = f"{family.record.code}_tree{'-synthetic' if is_synthetic else ''}.{form}"
    if form == "csv":
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        writer = csv.writer(response)
        writer.writerow(("from", "to", "relation"))
        writer.writerows(edges(family.root))
    else:
        context = {
            **context_of(family), "base": settings.PUBLIC_URL, "synthetic": SENTENCE if is_synthetic else "",
        }  # fmt: skip
        response = render(request, "analysis/tree.svg", context, content_type="image/svg+xml")
    # Only the table is always kept; the drawing may be shown by whoever asks for it.
    response["Content-Disposition"] = f'{"attachment" if form == "csv" else "inline"}; filename="{name}"'
    return response


_FOLDERS = {"lot": "lots", "batch": "pellet-batches", "pellet": "pellets", "cell": "cells"}
urlpatterns = [
    *(
        path(f"{folder}/<str:code>/tree/", tree, {"station": station}, name=f"{station}_tree")
        for station, folder in _FOLDERS.items()
    ),
    *(
        path(f"{folder}/<str:code>/tree.<str:form>", tree_file, {"station": station}, name=f"{station}_tree_file")
        for station, folder in _FOLDERS.items()
    ),
]
