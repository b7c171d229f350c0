"""Lists as people like them: filters, order and columns kept under a name."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from lagpdb.models import SavedView

# The page of each list, by the name of its collection.
LIST_PAGES = {
    "powder-lots": "lot_list",
    "pellet-batches": "batch_list",
    "pellets": "pellet_list",
    "sputter-runs": "sputter_run_list",
    "witness-plates": "witness_list",
    "film-thicknesses": "film_thickness_list",
    "conversions": "conversion_list",
    "electrode-lots": "electrode_list",
    "cells": "cell_list",
    "measurements": "measurement_list",
    "materials": "material_list",
    "instruments": "instrument_list",
    "recipes": "recipe_list",
    "results": "result_list",
}


def views_for(user: Any, list_name: str) -> list[SavedView]:
    """A person's own views of a list, and those that others share."""
    if not user.is_authenticated or not list_name:
        return []
    seen = SavedView.objects.filter(Q(user=user) | Q(is_shared=True), list_name=list_name)
    return list(seen.select_related("user").order_by("name", "pk"))


def _back(request: HttpRequest) -> str:
    address = request.POST.get("back", "/")
    return address if url_has_allowed_host_and_scheme(address, allowed_hosts=None) else "/"


@require_POST
def save_view(request: HttpRequest) -> HttpResponse:
    """Keep the list as it is shown now; a name that this person used before means the new one."""
    name, list_name = request.POST.get("name", "").strip()[:80], request.POST.get("list_name", "")[:40]
    if not name:
        messages.error(request, "Give the view a name, then save it again.")
        return redirect(_back(request))
    SavedView.objects.update_or_create(
        user=request.user,
        list_name=list_name,
        name=name,
        defaults={"query": request.POST.get("query", "")[:2000], "is_shared": request.POST.get("is_shared") == "on"},
    )
    messages.success(request, f"The view ‘{name}’ is saved.")
    return redirect(_back(request))


@require_POST
def delete_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget one of one's own views."""
    found = SavedView.objects.filter(pk=pk, user=request.user).first()
    if found is None:
        raise Http404("There is no view of yours with that number.")
    found.delete()
    messages.success(request, f"The view ‘{found.name}’ is gone.")
    return redirect(_back(request))


def selection(request: HttpRequest, list_name: str) -> HttpResponse:
    """Where the buttons below a selection lead: labels, or the chosen rows as a file."""
    codes = list(dict.fromkeys(code.strip() for code in request.GET.getlist("codes") if code.strip()))
    to = request.GET.get("to", "")
    if not codes:
        messages.info(request, "Nothing is selected. Tick rows, then choose what to do with them.")
        return redirect(request.headers.get("Referer") or "/")
    if to == "labels":
        return redirect(f"/labels/?{urlencode({'codes': ','.join(codes)})}")
    try:
        page = reverse(LIST_PAGES[list_name])
    except (KeyError, NoReverseMatch):
        raise Http404("There is no list of that name.") from None
    if to == "csv":
        return redirect(f"/api/v1/{list_name}/?{urlencode({'code__in': ','.join(codes), 'format': 'csv'})}")
    return redirect(f"{page}?{urlencode({'code__in': ','.join(codes), 'format': 'xlsx'})}")


urlpatterns = [
    path("views/save/", save_view, name="view_save"),
    path("selection/<slug:list_name>/", selection, name="selection"),
    path("views/<int:pk>/delete/", delete_view, name="view_delete"),
]
