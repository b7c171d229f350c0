"""Curation pages of the ground: people, tokens, history."""

from __future__ import annotations

import secrets
from typing import Any

from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model, password_validation
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.debug import sensitive_post_parameters

from lagpdb.curation import PlainAdmin, ReadOnlyAdmin
from lagpdb.models import ApiToken, CodeCounter, Draft, Revision, SavedView, WorkerPulse
from lagpdb.records import normal_code
from lagpdb.roles import ADMINISTRATOR, CURATOR, MEMBER, ROLE_CHOICES, ROLES, VIEWER, has_role, role_of, set_role
from lagpdb.tokens import revoke

User = get_user_model()
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # without letters and digits that look alike


def one_time_password() -> str:
    """A password that can be read aloud: four groups of four, 79 bits."""
    return "-".join("".join(secrets.choice(_READABLE) for _ in range(4)) for _ in range(4))


# -- people ------------------------------------------------------------------------------------------------------------
class PersonForm(forms.ModelForm):
    """A person of the lab with one role."""

    role = forms.ChoiceField(choices=ROLE_CHOICES, initial=MEMBER)
    password = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Left empty, lagpdb makes a one-time password and shows it once.",
    )

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_active")
        labels = {"username": "Name to sign in", "email": "E-mail", "is_active": "May sign in"}
        help_texts = {
            "username": "Letters, digits and @ . + - _ only.",
            "is_active": "Switch this off when somebody leaves. Their records keep their name.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "role" in self.fields:
            # The role that somebody deactivated had is still theirs when they come back.
            self.fields["role"].initial = role_of(User(pk=self.instance.pk, is_superuser=self.instance.is_superuser))

    def clean_username(self) -> str:
        """Names that differ only in capitals would be taken for each other."""
        name = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("Somebody already has this name.")
        return name

    def clean_password(self) -> str:
        password = self.cleaned_data["password"]
        if password:
            password_validation.validate_password(password, self.instance)
        return password

    def clean(self) -> dict[str, Any]:
        """The last administrator cannot be shut out."""
        content = super().clean() or self.cleaned_data
        leaves = content.get("role") != ADMINISTRATOR or not content.get("is_active")
        others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=self.instance.pk)
        if self.instance.pk and self.instance.is_superuser and leaves and not others.exists():
            raise forms.ValidationError("This is the only administrator. Make somebody else one first.")
        return content


class RoleFilter(admin.SimpleListFilter):
    """People by role."""

    title = "role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(role, role) for role in ROLES]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        role = self.value()
        if role not in ROLES:
            return queryset
        if role == ADMINISTRATOR:  # also who was made by createsuperuser, without a group
            return queryset.filter(is_superuser=True)
        others = queryset.filter(is_superuser=False)
        if role == VIEWER:  # also people without any group
            return others.exclude(groups__name__in=(MEMBER, CURATOR, ADMINISTRATOR))
        return others.filter(groups__name=role)


class PersonAdmin(PlainAdmin):
    """Invite people, set their role, give them a new password, deactivate them."""

    form = PersonForm
    change_form_template = "admin/person_change_form.html"
    list_display = ("username", "first_name", "last_name", "email", "role", "is_active", "last_login")
    list_filter = (RoleFilter, "is_active")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    readonly_fields = ("last_login", "date_joined")

    @admin.display(description="Role")
    def role(self, user: Any) -> str:
        """The role, also of people who may not sign in."""
        return role_of(user) or "none: deactivated"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "People", **(extra_context or {})})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return super().add_view(request, form_url, {"title": "Invite a person", **(extra_context or {})})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        names = ["username", "first_name", "last_name", "email", "role"]
        if obj is None:
            return [(None, {"fields": [*names, "password"]})]
        return [(None, {"fields": [*names, "is_active", *self.readonly_fields]})]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the person, the role, and for a new one the password."""
        with transaction.atomic():
            if not change:
                typed = form.cleaned_data.get("password")
                obj.one_time = "" if typed else one_time_password()
                obj.set_password(typed or obj.one_time)
            super().save_model(request, obj, form, change)
            set_role(obj, form.cleaned_data["role"])

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the one-time password in the answer itself: it is stored nowhere, not even in a message."""
        if getattr(obj, "one_time", ""):
            return self._show_password(request, obj, obj.one_time)
        return super().response_add(request, obj, post_url_continue)

    def _show_password(self, request: HttpRequest, person: Any, password: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"One-time password for {person}",
            "opts": self.model._meta,
            "person": person,
            "password": password,
        }
        return TemplateResponse(request, "admin/one_time_password.html", context)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(sensitive_post_parameters()(self.new_password))
        return [path("<int:pk>/password/", view, name="auth_user_new_password"), *super().get_urls()]

    def new_password(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Give somebody a new one-time password, without e-mail."""
        person = get_object_or_404(User, pk=pk)
        if not self.has_change_permission(request, person):
            raise PermissionDenied
        if person.pk == request.user.pk:
            return redirect("account_change_password")
        if request.method == "POST":
            password = one_time_password()
            person.set_password(password)
            person.save(update_fields=["password"])
            self.log_change(request, person, "New one-time password.")
            return self._show_password(request, person, password)
        context = {
            **self.admin_site.each_context(request),
            "title": f"New password for {person}?",
            "opts": self.model._meta,
            "person": person,
        }
        return TemplateResponse(request, "admin/new_password.html", context)


for _model in (User, Group, EmailAddress):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)
admin.site.register(User, PersonAdmin)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens of everybody: to see who uses what, and to revoke."""

    list_display = ("prefix", "user", "name", "scope", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("scope", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = ("prefix", "name", "user__username")
    hidden_fields = ("digest",)
    actions = ("revoke_selected",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Administrators end tokens of others."""
        return has_role(request.user, ADMINISTRATOR)

    @admin.action(description="Revoke: refuse these tokens from now on", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: Any) -> None:
        for token in queryset.filter(revoked_at__isnull=True):
            revoke(token)
            self.log_change(request, token, "Revoked.")
        messages.success(request, "The chosen tokens are revoked.")


# -- history -----------------------------------------------------------------------------------------------------------
@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin):
    """Who changed what, when and why."""

    list_display = ("record_code", "version", "action", "at", "by", "reason")
    list_filter = ("action", "at")
    list_select_related = ("by",)
    search_fields = ("=record_code", "reason")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return super().get_search_results(request, queryset, normal_code(search_term))


@admin.register(Draft)
class DraftAdmin(ReadOnlyAdmin):
    """Forms that people have begun and not saved; what they typed is theirs alone."""

    list_display = ("title", "form", "user", "created_at", "updated_at")
    list_filter = ("form",)
    list_select_related = ("user",)
    search_fields = ("title", "form", "user__username")
    hidden_fields = ("data",)


@admin.register(SavedView)
class SavedViewAdmin(ReadOnlyAdmin):
    """Lists under a name."""

    list_display = ("name", "list_name", "user", "is_shared", "created_at")
    list_filter = ("list_name", "is_shared")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")


@admin.register(WorkerPulse)
class WorkerPulseAdmin(ReadOnlyAdmin):
    """When the workers were last seen."""

    list_display = ("name", "seen_at")


@admin.register(CodeCounter)
class CodeCounterAdmin(ReadOnlyAdmin):
    """The last number given out per kind of code."""

    list_display = ("prefix", "last_number")
