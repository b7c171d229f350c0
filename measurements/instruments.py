"""Instruments: list, form, page."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from lagpdb.fields import form_field
from lagpdb.lists import Column, Filter, RecordList
from lagpdb.pages import detail_context, get_record, uses_of
from lagpdb.roles import role_required
from measurements.api import Instruments
from measurements.models import Instrument
from samples.edits import edit_page, new_page
from samples.forms import ReasonMixin
from samples.materials import ChosenCodeForm


class InstrumentForm(ChosenCodeForm):
    """A device that measures."""

    class Meta:
        model = Instrument
        fields = ("code", "name", "manufacturer", "model", "location", "notes")
        formfield_callback = form_field


class InstrumentEditForm(ReasonMixin, InstrumentForm):
    """An instrument that is corrected."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.check_reason()
        return cleaned


class InstrumentList(RecordList):
    """Instruments with what they have measured."""

    template = "measurements/instrument_list.html"
    title, api = "Instruments", "instruments"
    collection = Instruments
    empty, no_match = "No instruments. Enter one.", "No instrument matches."
    new_url, new_words = "instrument_new", "New instrument"
    default_order = "code"
    columns = (
        Column("Code", "code"),
        Column("Name", "name"),
        Column("Manufacturer and model"),
        Column("Place"),
        Column("Measurements", is_number=True),
        Column("Last one"),
    )
    filters = (
        Filter("code__contains", "Code", lookup="code__icontains"),
        Filter("name__contains", "Name", lookup="name__icontains"),
    )

    def queryset(self) -> QuerySet:
        live = Q(measurements__withdrawn_at__isnull=True)
        return Instrument.objects.live().annotate(
            measurement_count=Count("measurements", filter=live),
            last_at=Max("measurements__measured_at", filter=live),
        )


@role_required("member")
def instrument_new(request: HttpRequest) -> HttpResponse:
    """Enter an instrument."""
    context = {"title": "New instrument", "back": reverse("instrument_list")}
    return new_page(request, InstrumentForm, Instrument(), "records/plain_form.html", context)


@role_required("member")
def instrument_edit(request: HttpRequest, code: str) -> HttpResponse:
    """Correct an instrument."""
    return edit_page(request, InstrumentEditForm, get_record(Instrument, code), "records/plain_form.html")


def instrument_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One instrument, and the newest of its measurements."""
    instrument = get_record(Instrument, code)
    newest = instrument.measurements.live().select_related("cell", "pellet").order_by("-pk")[:20]
    context = {
        **detail_context(request, instrument),
        "instrument": instrument,
        "measurements": list(newest),
        "uses": uses_of(instrument),
    }
    return render(request, "measurements/instrument_detail.html", context)


urlpatterns = [
    path("instruments/", InstrumentList.as_view(), name="instrument_list"),
    path("instruments/new/", instrument_new, name="instrument_new"),
    path("instruments/<str:code>/", instrument_detail, name="instrument_detail"),
    path("instruments/<str:code>/edit/", instrument_edit, name="instrument_edit"),
]
