"""Who may do what: viewer < member < curator < administrator, kept as Django groups."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.apps import apps as installed_apps
from django.contrib.auth.models import Group, Permission
from django.db import DEFAULT_DB_ALIAS, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from lagpdb.records import Record

VIEWER, MEMBER, CURATOR, ADMINISTRATOR = ROLES = ("viewer", "member", "curator", "administrator")
ROLE_CHOICES = [
    (VIEWER, "Viewer: reads everything"),
    (MEMBER, "Member: records samples, uploads files"),
    (CURATOR, "Curator: accepts, corrects, withdraws, restores"),
    (ADMINISTRATOR, "Administrator: people and settings as well"),
]
REFUSAL = "You can read this. Ask a curator to change it."
RECORD_APPS = ("samples", "measurements", "analysis")
_NOT_FOR_CURATORS = {"apitoken", "codecounter"}


def ensure_roles(using: str = DEFAULT_DB_ALIAS, apps: Any = installed_apps, **_: Any) -> None:
    """Create the four groups and give curators their permissions. Runs after every migrate, any number of times.

    Permissions of an app exist only once that app is migrated, so this listens to all apps, not to the ground alone.
    """
    try:
        group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:  # migrating back to a state without accounts
        return
    for name in ROLES:
        group_model.objects.using(using).get_or_create(name=name)
    group = Group.objects.using(using).get(name=CURATOR)
    allowed = [
        permission.pk
        for permission in permission_model.objects.using(using)
        .filter(content_type__app_label__in=("ground", *RECORD_APPS))
        .select_related("content_type")
        if _is_for_curators(permission)
    ]
    if set(allowed) != set(group.permissions.values_list("pk", flat=True)):
        group.permissions.set(Permission.objects.using(using).filter(pk__in=allowed))


def _is_for_curators(permission: Any) -> bool:
    """View everything, add and change records; delete nothing."""
    action, _, name = permission.codename.partition("_")
    if name in _NOT_FOR_CURATORS:
        return False
    if action == "view":
        return True
    try:
        model = installed_apps.get_model(permission.content_type.app_label, permission.content_type.model)
    except LookupError:  # a model that no longer exists
        return False
    return action in ("add", "change") and issubclass(model, Record)


def role_of(user: Any) -> str:
    """The highest role of a person; "viewer" without any group, "" for nobody. One query at most, kept on the user."""
    if user is None or not user.is_authenticated or not user.is_active:
        return ""
    known = getattr(user, "_role", None)
    if known is None:
        names = [ADMINISTRATOR] if user.is_superuser else [group.name for group in user.groups.all()]
        known = highest(names)
        user._role = known
    return known


def highest(names: list[str]) -> str:
    """The highest role among names of groups."""
    return ROLES[max((ROLES.index(name) for name in names if name in ROLES), default=0)]


def has_role(user: Any, role: str) -> bool:
    """Whether a person has this role or a higher one."""
    own = role_of(user)
    return bool(own) and ROLES.index(own) >= ROLES.index(role)


def set_role(user: Any, role: str) -> None:
    """Give a person exactly this role. Only curators and administrators enter the admin pages."""
    if role not in ROLES:
        raise ValueError(f"‘{role}’ is not a role. Roles: {', '.join(ROLES)}.")
    with transaction.atomic():
        user.is_staff = role in (CURATOR, ADMINISTRATOR)
        user.is_superuser = role == ADMINISTRATOR
        user.save(update_fields=["is_staff", "is_superuser"])
        user.groups.remove(*Group.objects.filter(name__in=ROLES).exclude(name=role))
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    user._role = role


def role_required(role: str) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Decorator of a page: below this role it answers 403 with a sentence that says whom to ask."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return view(request, *args, **kwargs) if has_role(request.user, role) else refused(request)

        guarded.required_role = role  # type: ignore[attr-defined] # a test walks all routes and asks
        return guarded

    return decorate


def refused(request: HttpRequest, sentence: str = REFUSAL) -> HttpResponse:
    """The page that says no."""
    return render(request, "accounts/refused.html", {"sentence": sentence}, status=403)
