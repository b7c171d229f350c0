"""Materials: list, form, page."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from lagpdb.fields import form_field
from lagpdb.forms import RecordForm
from lagpdb.lists import Column, Filter, RecordList
from lagpdb.pages import detail_context, get_record, record_models, uses_of
from lagpdb.records import normal_code
from lagpdb.roles import role_required
from samples import limits
from samples.api import Materials
from samples.edits import edit_page, new_page
from samples.forms import ReasonMixin
from samples.models import Material

_CHOSEN = re.compile(r"[\w.+()-]{1,40}")


def _is_of_a_sample(code: str) -> bool:
    """'pel12' would be found as the pellet, never as the material."""
    return bool(re.fullmatch(r"[A-Z]{3}-\d{4,}", normal_code(code))) and normal_code(code)[:3] in record_models()


class ChosenCodeForm(RecordForm):
    """A record whose code people choose; once given it stays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            del self.fields["code"]
        else:
            self.fields["code"].help_text = "Short, without blanks. Given once, it stays."

    def clean_code(self) -> str:
        """Short, free, and not to be taken for the code of a sample."""
        code = self.cleaned_data["code"].strip()
        if not _CHOSEN.fullmatch(code):
            raise ValidationError("A code has letters, digits and . + - ( ), no blanks and no slash.")
        if code.lower() == "new" or _is_of_a_sample(code):
            raise ValidationError(f"{code} means something else in addresses. Choose another one.")
        other = self._meta.model._default_manager.filter(code__iexact=code).first()
        if other is not None:
            where = ", retired" if other.is_withdrawn else ""
            raise ValidationError(f"{other.code} exists already{where} ({other.name}).")
        return code


class MaterialForm(ChosenCodeForm):
    """A material with the constants that computations need."""

    BOUNDS, KIND = limits.MATERIAL, "material"

    class Meta:
        model = Material
        fields = (
            "code",
            "name",
            "formula",
            "theoretical_density_g_cm3",
            "theoretical_capacity_mAh_g",
            "conversion_product",
            "source",
            "notes",
        )
        formfield_callback = form_field


class MaterialEditForm(ReasonMixin, MaterialForm):
    """A material that is corrected: numbers computed with its constants are computed again."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.check_reason()
        return cleaned


class MaterialList(RecordList):
    """Materials with their constants."""

    template = "samples/material_list.html"
    title, api = "Materials", "materials"
    collection = Materials
    empty, no_match = "No materials. Enter one.", "No material matches."
    new_url, new_words = "material_new", "New material"
    default_order = "code"
    columns = (
        Column("Code", "code"),
        Column("Name", "name"),
        Column("Formula", "formula"),
        Column("Density (g cm⁻³)", "theoretical_density_g_cm3", is_number=True),
        Column("Capacity (mAh g⁻¹)", "theoretical_capacity_mAh_g", is_number=True),
        Column("With lithium"),
    )
    filters = (
        Filter("code__contains", "Code", lookup="code__icontains"),
        Filter("name__contains", "Name", lookup="name__icontains"),
    )

    def queryset(self) -> QuerySet:
        return Material.objects.live()


@role_required("member")
def material_new(request: HttpRequest) -> HttpResponse:
    """Enter a material."""
    context = {"title": "New material", "back": reverse("material_list")}
    return new_page(request, MaterialForm, Material(), "records/plain_form.html", context)


@role_required("member")
def material_edit(request: HttpRequest, code: str) -> HttpResponse:
    """Correct a material."""
    return edit_page(request, MaterialEditForm, get_record(Material, code), "records/plain_form.html")


def material_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One material: its constants, their source, and what is made of it."""
    material = get_record(Material, code)
    context = {**detail_context(request, material), "material": material, "uses": uses_of(material)}
    return render(request, "samples/material_detail.html", context)
