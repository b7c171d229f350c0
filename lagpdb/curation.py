"""The curators' site: Django's admin, where records change only through `save_record()` and nothing is deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.cache import never_cache

from lagpdb.records import Record, StaleVersion, dependents_of, normal_code, restore, save_record, withdraw
from lagpdb.roles import CURATOR, has_role, refused
from lagpdb.units import label, suffix_of

AT_MOST = 200  # records that one withdrawal or restoration may name
_SECRET = {"password", "digest"}


class CuratorSite(admin.AdminSite):
    """Admin for curators and administrators; signing in happens on the one page that counts tries."""

    site_header = site_title = "lagpdb curation"
    index_title = "Correct, withdraw, restore"
    index_template = "admin/curation_index.html"
    site_url = "/"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.disable_action("delete_selected")

    def has_permission(self, request: HttpRequest) -> bool:
        """By role, not by a flag alone."""
        return has_role(request.user, CURATOR)

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """Send people to the sign-in page; tell those who may not enter whom to ask."""
        if request.user.is_authenticated and not self.has_permission(request):
            return refused(request, "These pages are for curators and administrators. Ask one of them.")
        target = request.GET.get("next") or reverse("admin:index")
        return redirect("admin:index") if request.user.is_authenticated else redirect_to_login(target)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """One page for everybody."""
        return redirect("account_change_password")

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """Samples first, then measurements and results; people stand with tokens and history."""
        order = ["samples", "measurements", "analysis", "auth", "ground"]
        found = super().get_app_list(request, app_label)
        for app in found:
            if app["app_label"] == "auth":
                app["name"] = "People"
                for model in app["models"]:
                    model["name"] = "People"
        return sorted(found, key=lambda app: order.index(app["app_label"]) if app["app_label"] in order else 99)


# -- columns -----------------------------------------------------------------------------------------------------------
@cache
def column(name: str) -> Callable[[models.Model], Any]:
    """A field as a column whose heading carries the unit: ``thickness_um`` reads "Thickness (µm)"."""

    def value(record: models.Model) -> Any:
        return getattr(record, name)

    value.__name__ = name
    value.short_description = label(name)  # type: ignore[attr-defined]
    value.admin_order_field = name  # type: ignore[attr-defined]
    return value


def _with_units(names: Iterable[Any]) -> list[Any]:
    return [column(name) if isinstance(name, str) and suffix_of(name) else name for name in names]


@admin.display(description="Page")
def page_link(record: models.Model) -> str:
    """Link to the page of a record."""
    from lagpdb.pages import address_of

    address = address_of(record) if isinstance(record, Record) else ""
    return format_html('<a href="{}">Open in lagpdb</a>', address) if address else "—"


@admin.display(description="Trash", ordering="withdrawn_at")
def in_trash(record: Record) -> str:
    """Says so where a record is withdrawn."""
    return "in the trash" if record.is_withdrawn else ""


class TrashFilter(admin.SimpleListFilter):
    """Records in use, or in the trash."""

    title = "in the trash"
    parameter_name = "trash"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "in use"), ("yes", "in the trash")]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        if self.value() in ("no", "yes"):
            return queryset.filter(withdrawn_at__isnull=self.value() == "no")
        return queryset


# -- base classes ------------------------------------------------------------------------------------------------------
class PlainAdmin(admin.ModelAdmin):
    """What every admin page shares: no deletion, any spelling of codes, headings with units, few queries."""

    list_per_page = 50
    show_full_result_count = False
    change_form_template = "admin/plain_change_form.html"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted; records are withdrawn."""
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Secrets cannot be found out letter by letter through filters in the address."""
        return not _SECRET.intersection(lookup.split("__")) and super().lookup_allowed(lookup, value, request)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return _with_units(super().get_list_display(request))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = str(self.model._meta.verbose_name_plural).capitalize()
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Find codes in any spelling: ``pel142`` and ``PEL_0142`` are PEL-0142. Choosers leave the trash out."""
        is_chooser = request.resolver_match is not None and request.resolver_match.url_name == "autocomplete"
        if is_chooser and issubclass(self.model, Record):
            queryset = queryset.filter(withdrawn_at__isnull=True)
        found, has_duplicates = super().get_search_results(request, queryset, search_term)
        whole = normal_code(search_term)
        spelled = whole if whole != search_term.strip() else " ".join(map(normal_code, search_term.split()))
        if spelled and spelled != search_term:
            more, more_duplicates = super().get_search_results(request, queryset, spelled)
            return found | more, has_duplicates or more_duplicates
        return found, has_duplicates


class ReadOnlyAdmin(PlainAdmin):
    """Raw data and what was computed from them: to look at, never to change."""

    hidden_fields: tuple[str, ...] = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        options = self.model._meta
        fields = [field.name for field in (*options.concrete_fields, *options.many_to_many)]
        shown = [name for name in fields if name not in ("id", *self.hidden_fields)]
        return [(None, {"fields": _with_units(shown)})]


class CurationForm(forms.ModelForm):
    """A record with the reason of the change and the version that the curator saw."""

    refusal: Exception | None = None
    reason = forms.CharField(max_length=500, help_text="Kept with the record and shown in its history.")
    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_new = self.instance.pk is None
        if "reason" in self.fields:
            self.fields["reason"].required = not self.is_new
        if "seen_version" in self.fields:
            self.fields["seen_version"].initial = self.instance.version

    def clean(self) -> dict[str, Any]:
        """Refuse a form that shows an older version, and say again what saving said."""
        content = super().clean() or self.cleaned_data
        seen = content.get("seen_version")
        if not self.is_new and seen is not None and seen != self.instance.version:
            yours = type(self.instance)(code=self.instance.code, version=seen)
            raise ValidationError(str(StaleVersion(self.instance, yours)), code="stale")
        if self.refusal is not None:
            is_rule = isinstance(self.refusal, ValidationError)
            self.add_error(None, self.refusal if is_rule else str(self.refusal))
        return content if self.is_new else content | self._untouched()

    def _untouched(self) -> dict[str, Any]:
        """Values that nobody touched, as they are: a form shows times without their fractions of a second."""
        fields = [field for field in self.instance._meta.concrete_fields if not field.is_relation]
        names = [field.name for field in fields if field.name in self.fields and field.name not in self.changed_data]
        return {name: getattr(self.instance, name) for name in names}

    def add_error(self, field: str | None, error: Any) -> None:
        """A rule about a field that is not in the form becomes a sentence above it."""
        if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
            sorted_in: dict[str, list[Any]] = {}
            for name, errors in error.error_dict.items():
                sorted_in.setdefault(name if name in self.fields else NON_FIELD_ERRORS, []).extend(errors)
            error = ValidationError(sorted_in)
        super().add_error(field, error)


class RecordAdmin(PlainAdmin):
    """A record: changed with a reason and a version check, withdrawn and restored, linked to its page."""

    form = CurationForm
    search_fields = ("code", "notes")
    list_filter = (TrashFilter, "is_synthetic")
    actions = ("withdraw_selected", "restore_selected")
    derived_fields: tuple[str, ...] = ()  # shown below the fields that can be changed
    fixed_fields: tuple[str, ...] = ()  # given at creation, or changed by an action elsewhere
    _kept = ("version", "created_at", "created_by", "updated_at", "withdrawn_at", "withdrawn_reason")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [*super().get_list_display(request), in_trash, page_link]

    def own_fields(self) -> list[str]:
        """Fields that people fill in, the general ones last."""
        general = ["notes", "is_synthetic"]
        skipped = {"id", "code", "withdrawn_operation", *general, *self._kept, *self.derived_fields}
        names = [field.name for field in self.model._meta.concrete_fields if field.name not in skipped]
        return [*names, *general]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fixed = ["code", "is_synthetic", *self.fixed_fields] if obj else (["code"] if self.model.PREFIX else [])
        uneditable = [name for name in self.own_fields() if not self.model._meta.get_field(name).editable]
        names = dict.fromkeys([*fixed, *uneditable, *self.derived_fields, *self._kept])
        return [*_with_units(names), page_link]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        readonly = {getattr(entry, "__name__", entry): entry for entry in self.get_readonly_fields(request, obj)}
        own = [readonly.get(name, name) for name in self.own_fields()]
        if obj is None:
            return [(None, {"fields": [*([] if self.model.PREFIX else ["code"]), *own, "reason"]})]
        derived = [readonly[name] for name in self.derived_fields]
        fieldsets = [
            (None, {"fields": ["code", page_link, *own]}),
            ("Why is it changed?", {"fields": ["reason", "seen_version"]}),
            ("Kept by lagpdb", {"fields": [*derived, *self._kept], "classes": ["collapse"]}),
        ]
        return fieldsets

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        fields = self.model._meta.concrete_fields
        return [field.name for field in fields if field.is_relation and issubclass(field.related_model, Record)]

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and suffix_of(db_field.name):
            field.label = label(db_field.name)
        return field

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"refusal": getattr(request, "curation_refusal", None)})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """When saving is refused, the form comes back with the sentence and everything that was typed."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except (ValidationError, StaleVersion) as error:
            request.curation_refusal = error  # type: ignore[attr-defined]
        return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_record(
            obj,
            by=request.user,
            reason=form.cleaned_data.get("reason") or "",
            version=form.cleaned_data.get("seen_version") if change else None,
        )

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponseRedirect:
        """The history of a record are its revisions."""
        query = urlencode({"record_type": self.model._meta.label_lower, "record_id": object_id})
        return HttpResponseRedirect(f"{reverse('admin:ground_revision_changelist')}?{query}")

    # -- withdraw and restore ------------------------------------------------------------------------------------------
    @admin.action(description="Withdraw: put into the trash, with a reason", permissions=["change"])
    def withdraw_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._with_reason(request, queryset.filter(withdrawn_at__isnull=True), "withdraw")

    @admin.action(description="Restore: take out of the trash", permissions=["change"])
    def restore_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._with_reason(request, queryset.filter(withdrawn_at__isnull=False), "restore")

    def _with_reason(self, request: HttpRequest, queryset: Any, verb: str) -> HttpResponse | None:
        """Show what will happen and ask why; then do it."""
        records = list(queryset.order_by("pk")[: AT_MOST + 1])
        if not records or len(records) > AT_MOST:
            few = "Nothing chosen can be withdrawn." if verb == "withdraw" else "Nothing chosen is in the trash."
            many = f"That is more than {AT_MOST} records at once. Choose fewer."
            messages.warning(request, many if records else few)
            return None
        reason = request.POST.get("reason", "").strip()
        is_asked = "apply" in request.POST
        if is_asked and (reason or verb == "restore"):
            self._apply(request, [record.pk for record in records], verb, reason)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb.capitalize()} {len(records)} {self._noun(len(records))}",
            "opts": self.model._meta,
            "verb": verb,
            "rows": [(record, dependents_of(record) if verb == "withdraw" else []) for record in records],
            "error": "Say why: the reason is kept with the record." if is_asked else "",
        }
        return TemplateResponse(request, "admin/reason.html", context)

    def _noun(self, count: int) -> str:
        options = self.model._meta
        return str(options.verbose_name if count == 1 else options.verbose_name_plural)

    def _apply(self, request: HttpRequest, keys: list[int], verb: str, reason: str) -> None:
        done = 0
        for pk in keys:
            # Read again: an earlier one of the list may have taken this one along.
            record = self.model._default_manager.get(pk=pk)
            if record.is_withdrawn == (verb == "withdraw"):
                continue
            try:
                family = (withdraw if verb == "withdraw" else restore)(record, by=request.user, reason=reason)
            except ValidationError as error:
                messages.error(request, f"{record.code}: {' '.join(error.messages)}")
            else:
                done += len(family)
        if done:
            past = "withdrawn" if verb == "withdraw" else "restored"
            messages.success(request, f"{done} {'record is' if done == 1 else 'records are'} {past}.")
