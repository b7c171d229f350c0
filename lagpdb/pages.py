"""What all pages share: the frame's context, the resolver of codes, history, trash, and saving a record's form."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from lagpdb import drafts, ledger, units
from lagpdb.addresses import address_of
from lagpdb.forms import RecordForm
from lagpdb.merging import Conflict, merge
from lagpdb.records import Record, Revision, StaleVersion, dependents_of, normal_code, restore, withdraw
from lagpdb.roles import has_role, role_of, role_required

WORKER_SILENT_S = 60.0  # product page §7: nobody seen for so long, and files wait
NO_WORKER = "No analysis worker is running. Your files are safe. An administrator has been told."


# -- the frame ---------------------------------------------------------------------------------------------------------
def site_context(request: HttpRequest) -> dict[str, Any]:
    """Context of base.html: one indexed query, two when files wait."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"site": {"version": settings.VERSION}}
    files = apps.get_model("measurements", "UploadFile")
    counts = files.objects.filter(
        Q(state="needs_sample", upload__withdrawn_at__isnull=True) | ~Q(job_state=ledger.Job.JobState.ENDED)
    ).aggregate(inbox=Count("pk", filter=Q(state="needs_sample")), open=Count("pk", filter=~Q(state="needs_sample")))
    is_silent = bool(counts["open"]) and worker_is_silent()
    return {
        "site": {
            "version": settings.VERSION,
            "role": role_of(user),
            "can_edit": can_edit(user),
            "inbox_count": counts["inbox"],
            "is_worker_silent": is_silent,
            "worker_alarm": NO_WORKER if is_silent else "",
        }
    }


def worker_is_silent() -> bool:
    """Whether no worker has been seen for a minute."""
    age = ledger.worker_age_s()
    return age is None or age > WORKER_SILENT_S


def can_edit(user: Any) -> bool:
    """Members and above create and edit; viewers read."""
    return has_role(user, "member")


def can_curate(user: Any) -> bool:
    """Curators and administrators restore and accept."""
    return has_role(user, "curator")


# -- codes -------------------------------------------------------------------------------------------------------------
def record_models() -> dict[str, type[Record]]:
    """Every kind of record, by the prefix of its codes."""
    return {model.PREFIX: model for model in apps.get_models() if issubclass(model, Record) and model.PREFIX}


def find_record(text: str) -> Record | None:
    """The record that any spelling of a code means."""
    code = normal_code(text)
    model = record_models().get(code[:3])
    found = model._default_manager.filter(code=code).first() if model else None
    return found or _find_chosen(text.strip())


def _find_chosen(code: str) -> Record | None:
    """A material or an instrument: their codes are chosen by people."""
    chosen = [model for model in apps.get_models() if issubclass(model, Record) and not model.PREFIX]
    rows = (model._default_manager.filter(code__iexact=code).first() for model in chosen)
    return next((row for row in rows if row is not None), None)


# Where a record with an unknown code of this kind is made, and what the button says.
CREATES = {
    "LOT": ("lot_new", "Receive a lot"),
    "PBT": ("batch_new", "New pellets"),
    "PEL": ("batch_new", "New pellets"),
    "SPT": ("sputter_run_new", "New sputter run"),
    "CNV": ("conversion_new", "New conversion"),
    "ELD": ("electrode_new", "New electrode lot"),
    "CEL": ("cell_new", "Build a cell"),
    "MEA": ("upload", "Upload a file"),
    "UPB": ("upload", "Upload files"),
}


def resolve(request: HttpRequest, code: str = "") -> HttpResponse:
    """`/s/PEL-0142` of labels, and `/s/?q=` of the field in the header: any spelling, straight to the record.

    The page of a withdrawn record says that it is in the trash; a whole scanned address counts as its code.
    """
    text = (code or request.GET.get("q", "")).strip().rpartition("/s/")[2].strip("/ ")
    record = find_record(text) if text else None
    address = address_of(record) if record else ""
    if address:
        return HttpResponseRedirect(address)
    normal = normal_code(text)
    name, words = CREATES.get(normal[:3], ("", ""))
    context = {
        "text": normal,
        "withdrawn": record if record is not None and record.is_withdrawn else None,
        "create_url": _address(name) if name and can_edit(request.user) and record is None else "",
        "create_words": words,
    }
    return render(request, "records/not_found.html", context, status=404 if text else 200)


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def scan(request: HttpRequest) -> HttpResponse:
    """P2: the camera of a tablet, a field to type into, and the last scans of this device."""
    return render(request, "records/scan.html")


def get_record(model: type[Record], code: str, *related: str) -> Record:
    """The record of an address, with what its page needs; else the page that says so."""
    queryset = model._default_manager.select_related(*related) if related else model._default_manager.all()
    meant = normal_code(code) if model.PREFIX else code.strip()
    record = queryset.filter(code=meant).first()
    if record is None:
        raise Http404(f"{meant} does not exist.")
    return record


def uses_of(record: Record) -> list[tuple[str, int]]:
    """'12 powder lots': what names a record, by kind; withdrawn records count too, for they may come back."""
    found: dict[str, int] = {}
    for relation in record._meta.get_fields(include_hidden=True):
        if not (relation.one_to_many and relation.auto_created and issubclass(relation.related_model, Record)):
            continue
        model = relation.related_model
        count = model._default_manager.filter(**{relation.field.name: record}).count()
        if count:
            names = model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural
            found[str(names)] = found.get(str(names), 0) + count
    return list(found.items())


# -- history and trash -------------------------------------------------------------------------------------------------
def history_of(record: Record, at_most: int = 50) -> list[dict[str, Any]]:
    """What happened to a record, newest first: who, when, why, and each field's old and new value."""
    revisions = Revision.objects.filter(record_type=record._meta.label_lower, record_id=record.pk).select_related("by")
    return [
        {
            "action": revision.action,
            "at": revision.at,
            "by": name_of(revision.by),
            "reason": revision.reason,
            "changes": [
                (units.label(name), shown(record, name, old), shown(record, name, new))
                for name, (old, new) in revision.changes.items()
            ],
        }
        for revision in revisions[:at_most]
    ]


def name_of(user: Any) -> str:
    """A person's name; the software where there is none."""
    return (user.get_full_name() or user.get_username()) if user else "lagpdb"


def shown(record: Record, name: str, value: Any) -> str:
    """A stored value of a field as history and conflicts write it; its unit stands in the label."""
    if value in (None, "", [], {}):
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return units.exact_value(value, "fraction" if units.suffix_of(name) == "fraction" else "")
    if isinstance(value, dict):
        return "; ".join(f"{units.label(key)} {shown(record, key, item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(shown(record, name, item) for item in value)
    if isinstance(value, str) and name.endswith("_at") and "T" in value:
        return value[:16].replace("T", " ")
    try:
        choices = dict(record._meta.get_field(name).flatchoices)
    except FieldDoesNotExist:
        choices = {}
    return str(choices.get(value, value))


@role_required("member")
def withdraw_record(request: HttpRequest, code: str) -> HttpResponse:
    """Say what is hidden with a record, ask why, and put all of it into the trash."""
    record = find_record(code)
    if record is None:
        raise Http404(f"{normal_code(code)} does not exist.")
    problem = ""
    if request.method == "POST":
        try:
            family = withdraw(record, by=request.user, reason=request.POST.get("reason", ""))
        except ValidationError as error:
            problem = " ".join(error.messages)
        else:
            others = f", with {len(family) - 1} more that hang on it" if len(family) > 1 else ""
            gone = "retired" if record.IS_RETIRED else "in the trash"
            messages.success(request, f"{record.code} is {gone}{others}. Nothing is deleted.")
            return redirect(address_of(record) or "/")
    if record.is_withdrawn:
        return redirect(address_of(record) or "/")
    context = {
        "record": record,
        "problem": problem,
        "back": address_of(record),
        "hidden": _kinds(dependents_of(record)),
        "uses": uses_of(record) if record.IS_RETIRED else (),
    }
    return render(request, "records/withdraw.html", context, status=422 if problem else 200)


def _kinds(records: list[Record]) -> list[tuple[str, list[Record]]]:
    """'3 measurements', with the records."""
    kinds: dict[str, list[Record]] = {}
    for record in records:
        kinds.setdefault(record._meta.label_lower, []).append(record)
    return [
        (f"{len(group)} {group[0]._meta.verbose_name_plural if len(group) > 1 else group[0]._meta.verbose_name}", group)
        for group in kinds.values()
    ]


@require_POST
@role_required("curator")
def restore_record(request: HttpRequest, code: str) -> HttpResponse:
    """Take a record out of the trash, with what went there together with it."""
    record = find_record(code)
    if record is None:
        raise Http404(f"{normal_code(code)} does not exist.")
    try:
        family = restore(record, by=request.user, reason=request.POST.get("reason", ""))
    except ValidationError as error:
        messages.error(request, f"{record.code} cannot be restored: {' '.join(error.messages)}")
    else:
        others = f", with {len(family) - 1} more" if len(family) > 1 else ""
        messages.success(request, f"{record.code} is back{others}.")
    return redirect(address_of(record) or "/")


def detail_context(request: HttpRequest, record: Record) -> dict[str, Any]:
    """What every page of a record shows beside its own content."""
    history = history_of(record)
    return {
        "record": record,
        "history": history,
        "api_address": f"/api/v1/{record._meta.verbose_name_plural.replace(' ', '-')}/{record.code}/",
        "can_restore": can_curate(request.user),
    }


# -- saving forms ------------------------------------------------------------------------------------------------------
class Saved:
    """Outcome of `save_form`: the form to show again, or `record` when it is stored."""

    def __init__(self) -> None:
        self.form: RecordForm | None = None
        self.record: Any = None
        self.conflicts: list[Conflict] = []
        self.kept: list[str] = []
        self.editor = ""
        self.edited_at: Any = None


def save_form(request: HttpRequest, form_class: type[RecordForm], record: Record, **kwargs: Any) -> Saved:
    """Save a person's form over the record as it stands now; fields that only one person changed merge unasked."""
    outcome, data = Saved(), request.POST
    for _ in range(3):  # somebody may save between our reading and our writing
        fresh = form_class(instance=record, **kwargs)
        merged, outcome.conflicts, kept = merge(fresh, data)
        outcome.kept += kept
        form = outcome.form = form_class(merged, instance=type(record)._default_manager.get(pk=record.pk), **kwargs)
        if outcome.conflicts:
            last = Revision.objects.filter(record_type=record._meta.label_lower, record_id=record.pk).first()
            outcome.editor, outcome.edited_at = name_of(last.by if last else None), last.at if last else None
            form.is_valid()
            return outcome
        try:
            if form.is_valid() and not form.questions and form.store(by=request.user):
                outcome.record = form.instance
            return outcome
        except StaleVersion:
            data, record = merged, type(record)._default_manager.get(pk=record.pk)
    return outcome


def new_key() -> str:
    """A key that a new form carries, so that sending it twice makes one record."""
    return uuid.uuid4().hex


def already_saved(request: HttpRequest) -> str:
    """Where the record of this form lies when it was sent before (a double press, a reload), else ''."""
    return request.session.get("saved_forms", {}).get(request.POST.get("form_key", ""), "")


def remember_saved(request: HttpRequest, address: str) -> None:
    """Note that the form of this request was saved."""
    if key := request.POST.get("form_key", ""):
        saved = dict(list(request.session.get("saved_forms", {}).items())[-19:])
        saved[key] = address
        request.session["saved_forms"] = saved
        drafts.forget(request, key)


def say_saved(
    request: HttpRequest, records: list[Record], outcome: Saved | None = None, notes: list[str] | None = None
) -> None:
    """Tell what was saved, what was kept of somebody else's change, and what was unusual."""
    if len(records) == 1:
        drafts.forget(request, records[0].code)
    codes = ", ".join(record.code for record in records)
    text = f"{codes} {'is' if len(records) == 1 else 'are'} saved."
    if outcome is not None and outcome.kept:
        text += f" Kept from somebody else’s change: {', '.join(outcome.kept)}."
    messages.success(request, text)
    for note in notes or ():
        messages.warning(request, f"{codes}: {note}")


def elapsed(since: Any, until: Any = None) -> str:
    """'3.1 s', '14 s', '6 min', '2 h 10 min'."""
    if since is None:
        return ""
    span: timedelta = (until or timezone.now()) - since
    seconds = max(0.0, span.total_seconds())
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 172800:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
    return f"{int(seconds // 86400)} days"


urlpatterns = [
    path("scan/", scan, name="scan"),
    path("s/", resolve, name="resolver_search"),
    path("s/<str:code>", resolve, name="resolver"),
    path("s/<str:code>/", resolve),
    path("records/<str:code>/withdraw/", withdraw_record, name="record_withdraw"),
    path("records/<str:code>/restore/", restore_record, name="record_restore"),
]
