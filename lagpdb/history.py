"""Pages of what happened: the history of one record and of all, single values brought back, and the trash."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST

from lagpdb import units
from lagpdb.addresses import address_of
from lagpdb.models import Revision
from lagpdb.pages import can_curate, can_edit, name_of, record_models, shown
from lagpdb.records import Record, StaleVersion, in_trash, normal_code, save_record
from lagpdb.roles import role_required

PER_PAGE = 50
# Set by the system, or by the verbs that own them: never brought back one by one.
NOT_RESTORED = {"code", "withdrawn_at", "withdrawn_reason", "is_synthetic", "notation", "is_coated", "setting"}


def _model_of(revision: Revision) -> type[Record] | None:
    return next((m for m in _record_types().values() if m._meta.label_lower == revision.record_type), None)


def _record_types() -> dict[str, type[Record]]:
    """Every kind of record, by its label; those whose codes people choose too."""
    from django.apps import apps

    return {m._meta.label_lower: m for m in apps.get_models() if issubclass(m, Record)}


def _entries(revisions: list[Revision], may_restore: bool) -> list[dict[str, Any]]:
    """Revisions as the page shows them: each field's old and new value, and whether the old one can come back."""
    types = _record_types()
    newest: dict[tuple[str, int], Record] = {}
    for label in {revision.record_type for revision in revisions}:
        model = types.get(label)
        if model is not None:
            keys = {revision.record_id for revision in revisions if revision.record_type == label}
            newest |= {(label, record.pk): record for record in model._default_manager.filter(pk__in=keys)}
    found = []
    for revision in revisions:
        record = newest.get((revision.record_type, revision.record_id))
        model = types.get(revision.record_type)
        changes = [
            {
                "name": name,
                "label": units.label(name),
                "old": shown(record, name, old) if record else str(old),
                "new": shown(record, name, new) if record else str(new),
                "can_restore": bool(
                    may_restore and record and not record.is_withdrawn and revision.action == "changed"
                    and _is_restorable(record, name)
                ),
            }
            for name, (old, new) in revision.changes.items()
        ]  # fmt: skip
        found.append(
            {
                "revision": revision,
                "record": record,
                "address": address_of(record) if record else "",
                "what": str(model._meta.verbose_name) if model else revision.record_type,
                "by": name_of(revision.by),
                "changes": changes,
            }
        )
    return found


def _is_restorable(record: Record, name: str) -> bool:
    try:
        field = record._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return name not in NOT_RESTORED | record.MOVED and getattr(field, "editable", False)


def _narrowed(request: HttpRequest) -> tuple[QuerySet, list[str]]:
    """Revisions that the address asks for, and what of it was not understood."""
    rows, complaints = Revision.objects.select_related("by"), []
    types = {model._meta.model_name: label for label, model in _record_types().items()}
    if kind := request.GET.get("kind", ""):
        if kind in types:
            rows = rows.filter(record_type=types[kind])
        else:
            complaints.append(f"‘{kind}’ is no kind of record.")
    if person := request.GET.get("by", "").strip():
        rows = rows.filter(by__username=person)
    if action := request.GET.get("action", ""):
        if action in Revision.Action.values:
            rows = rows.filter(action=action)
        else:
            complaints.append(f"‘{action}’ is no action: {', '.join(Revision.Action.values)}.")
    for name, lookup in (("since", "at__gte"), ("until", "at__lt")):
        if text := request.GET.get(name, "").strip():
            try:
                day = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
            except ValueError:
                complaints.append(f"{name}: ‘{text}’ is no date such as 2026-03-11.")
            else:
                rows = rows.filter(**{lookup: day + dt.timedelta(days=1 if name == "until" else 0)})
    return rows, complaints


def history(request: HttpRequest) -> HttpResponse:
    """P26: what happened in the lab, newest first."""
    rows, complaints = _narrowed(request)
    return _show(request, rows, {"complaints": complaints, "title": "History", "is_all": True})


def record_history(request: HttpRequest, code: str) -> HttpResponse:
    """Everything that happened to one record; single values can be brought back."""
    record = _by_code(code)
    rows = Revision.objects.filter(record_type=record._meta.label_lower, record_id=record.pk).select_related("by")
    return _show(request, rows, {"record": record, "back": address_of(record), "title": f"History of {record.code}"})


def _show(request: HttpRequest, rows: QuerySet, context: dict[str, Any]) -> HttpResponse:
    page = Paginator(rows.order_by("-id"), PER_PAGE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    base = f"?{query.urlencode()}&" if query else "?"
    people = get_user_model().objects.filter(is_active=True).order_by("username")
    return render(
        request,
        "records/history.html",
        {
            "page": page,
            "entries": _entries(list(page.object_list), can_edit(request.user)),
            "previous": f"{base}page={page.number - 1}" if page.has_previous() else "",
            "next": f"{base}page={page.number + 1}" if page.has_next() else "",
            "kinds": sorted((m._meta.model_name, str(m._meta.verbose_name)) for m in _record_types().values()),
            "actions": Revision.Action.choices,
            "people": people if context.get("is_all") else (),
            **context,
        },
    )


def _by_code(code: str) -> Record:
    """The record of a code, of whatever kind."""
    wanted = normal_code(code)
    model = record_models().get(wanted[:3])
    if model is not None and (found := model._default_manager.filter(code=wanted).first()):
        return found
    for each in _record_types().values():
        if not each.PREFIX and (found := each._default_manager.filter(code=code).first()):
            return found
    raise Http404(f"{wanted} does not exist.")


@require_POST
@role_required("member")
def restore_value(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring back one value as it was before a change; a new change, with its reason."""
    revision = get_object_or_404(Revision, pk=pk)
    name, reason = request.POST.get("field", ""), request.POST.get("reason", "").strip()
    model = _model_of(revision)
    record = model._default_manager.filter(pk=revision.record_id).first() if model else None
    if record is None or name not in revision.changes or not _is_restorable(record, name):
        raise Http404("There is no such value to bring back.")
    back = redirect("record_history", code=record.code)
    if record.is_withdrawn:
        messages.error(request, in_trash(record))
        return back
    try:
        setattr(record, name, _typed(record, name, revision.changes[name][0]))
        why = f"value of version {revision.version - 1} brought back" + (f": {reason}" if reason else "")
        save_record(record, by=request.user, reason=why, version=record.version)
    except ValidationError as error:
        messages.error(request, f"{record.code} cannot take that value back: {' '.join(error.messages)}")
    except StaleVersion as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{units.label(name)} of {record.code} is back as it was.")
    return back


def _typed(record: Record, name: str, value: Any) -> Any:
    """A stored value as the field holds it; records and people by their code or name.

    Raises
    ------
    ValidationError
        What it named is gone.
    """
    field = record._meta.get_field(name)
    if field.is_relation:
        if value is None:
            return None
        target = field.related_model
        key = "code" if issubclass(target, Record) else target.USERNAME_FIELD  # type: ignore[union-attr, arg-type]
        found = target._default_manager.filter(**{key: value}).first()  # type: ignore[union-attr]
        if found is None:
            raise ValidationError(f"{value} is no longer there.")
        return found
    if isinstance(value, str) and field.get_internal_type() == "DateTimeField":
        return parse_datetime(value)
    if value is None and not field.null:  # type: ignore[union-attr]
        return field.get_default()  # type: ignore[union-attr]
    return field.to_python(value)  # type: ignore[union-attr]


def trash(request: HttpRequest) -> HttpResponse:
    """P27: what was withdrawn, by whom and why, with what went along; curators bring it back."""
    groups: dict[Any, list[Record]] = {}
    for model in _record_types().values():
        for record in model._default_manager.filter(withdrawn_at__isnull=False):
            groups.setdefault(record.withdrawn_operation or record.pk, []).append(record)
    logs = {
        (log.record_type, log.record_id): log
        for log in Revision.objects.filter(action=Revision.Action.WITHDRAWN).select_related("by").order_by("id")
    }
    rows = []
    for members in groups.values():
        # The first one to be withdrawn leads; what hangs on it went along.
        entries = [(logs.get((m._meta.label_lower, m.pk)), m) for m in members]
        entries.sort(key=lambda pair: (pair[0].pk if pair[0] else 0, pair[1].pk))
        log, first = entries[0]
        rows.append(
            {"record": first, "log": log, "by": name_of(log.by if log else None), "others": [m for _, m in entries[1:]]}
        )
    rows.sort(key=lambda row: row["record"].withdrawn_at, reverse=True)
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": list(page.object_list),
        "previous": f"?page={page.number - 1}" if page.has_previous() else "",
        "next": f"?page={page.number + 1}" if page.has_next() else "",
        "can_restore": can_curate(request.user),
    }
    return render(request, "records/trash.html", context)


urlpatterns = [
    path("history/", history, name="history"),
    path("history/<str:code>/", record_history, name="record_history"),
    path("history/value/<int:pk>/", restore_value, name="restore_value"),
    path("trash/", trash, name="trash"),
]
