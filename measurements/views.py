"""Upload, its live rows, the inbox, and the list of measurements."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from lagpdb.lists import Column, Filter, RecordList
from lagpdb.mainvalues import main_results
from lagpdb.pages import NO_WORKER, already_saved, can_curate, can_edit, get_record, new_key, remember_saved
from lagpdb.records import StaleVersion
from lagpdb.roles import role_required
from measurements import attachments, formats, growing, ingest, mappings, waiting
from measurements.api import Measurements
from measurements.fence import FenceError
from measurements.forms import AssignForm, MoveForm, UploadForm, sample_options
from measurements.instruments import urlpatterns as instrument_pages
from measurements.kinds import KINDS
from measurements.mappings import column_choices, describe
from measurements.models import Instrument, Measurement, Upload, UploadFile
from measurements.rows import GROUPS, batch_of, rows_of
from measurements.store import StoreError, open_raw
from samples.lists import CODE

LINES_BEFORE = 2


# -- upload ------------------------------------------------------------------------------------------------------------
def upload(request: HttpRequest) -> HttpResponse:
    """Choose or drop files; also where they are sent, many or one at a time."""
    if request.method == "POST":
        return _receive(request)
    form = UploadForm(user=request.user, initial={"subject": request.GET.get("subject", "")})
    return _show_upload(request, form)


def _show_upload(request: HttpRequest, form: UploadForm, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "form_key": new_key(),
        "formats": formats.names(),
        "limit_mb": settings.UPLOAD_MAX_MB,
        "samples": sample_options(),
        "recent": Upload.objects.live()
        .annotate(n=Count("files"))
        .filter(n__gt=0)
        .select_related("created_by")
        .order_by("-id")[:8],
    }
    return render(request, "measurements/upload.html", context, status=status)


@role_required("member")
def _receive(request: HttpRequest) -> HttpResponse:
    is_script = request.headers.get("Accept", "").startswith("application/json")
    if address := already_saved(request):  # the answer was lost on the way: the files are here
        return JsonResponse({"url": address}) if is_script else redirect(address)
    form = UploadForm(request.POST, user=request.user)
    files = request.FILES.getlist("files")
    for file, folder in zip(files, request.POST.getlist("folders"), strict=False):
        file.folder = folder.rpartition("/")[0]
    try:
        if not form.is_valid():
            raise ValidationError({name: errors.as_data() for name, errors in form.errors.items()})
        batch = _note(request, form, files)
    except ValidationError as error:
        if is_script:
            return JsonResponse({"errors": error.messages}, status=400)
        for sentence in error.messages if form.is_valid() else ():
            form.add_error(None, sentence)
        return _show_upload(request, form, status=400)
    address = reverse("upload_detail", args=[batch.code])
    remember_saved(request, address)
    return JsonResponse({"url": address, "code": batch.code}) if is_script else redirect(address)


def _note(request: HttpRequest, form: UploadForm, files: list[Any]) -> Upload:
    """Take the files; those of a later portion join the upload that the first portion made."""
    said = form.cleaned_data
    joins = request.POST.get("joins", "")
    return ingest.receive(
        files,
        by=request.user,
        subject=said["subject"],
        kind=said["kind"],
        temperature_degC=said["temperature_degC"],
        instrument=said["instrument"],
        operator=said["operator"] or request.user,
        into=Upload.objects.filter(code=joins, created_by=request.user).first() if joins else None,
    )


def upload_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One upload: the state of every file, kept up to date while work is open."""
    batch = get_record(Upload, code, "created_by", "cell", "pellet", "witness_plate", "instrument", "operator")
    context = {**_live(request, batch), "samples": sample_options(), "limit_mb": settings.UPLOAD_MAX_MB}
    return render(request, "measurements/upload_detail.html", context)


def upload_rows(request: HttpRequest, code: str) -> HttpResponse:
    """The rows again; an empty answer when nothing has changed since `stamp`."""
    context = _live(request, get_record(Upload, code))
    if request.GET.get("stamp") == context["batch"].stamp:
        return HttpResponse(status=204)
    return render(request, "measurements/_upload_rows.html", context)


def _live(request: HttpRequest, record: Upload) -> dict[str, Any]:
    show = request.GET.get("show", "")
    show = show if show in GROUPS else ""
    batch = batch_of(record, show)
    return {
        "upload": record,
        "batch": batch,
        "show": show,
        "now": timezone.now(),
        "no_worker": NO_WORKER,
        "can_edit": can_edit(request.user),
        "can_curate": can_curate(request.user),
        **column_choices(row.file for row in batch.rows),
        "cards": [row for row in batch.rows if row.group == "done" and (row.main or row.others)][-3:],
        "assumed": sum(1 for row in batch.rows if "assumed" in row.temperature),
    }


def file_lines(request: HttpRequest, pk: int) -> HttpResponse:
    """The line that could not be read, with the two before it."""
    file = get_object_or_404(UploadFile.objects.select_related("raw_file"), pk=pk)
    if file.raw_file is None or file.line is None:
        raise Http404("This file has no line to show.")
    lines, sentence = [], ""
    try:
        with open_raw(file.raw_file.sha256) as stream:
            head = stream.read(4 * 1024 * 1024)
    except StoreError as error:
        sentence = str(error)
    else:
        from measurements.readers.text import decode

        texts = decode(head, cut=True).splitlines()
        first = max(0, file.line - 1 - LINES_BEFORE)
        lines = [(first + step + 1, text[:300]) for step, text in enumerate(texts[first : file.line])]
    return render(request, "measurements/_lines.html", {"file": file, "lines": lines, "sentence": sentence})


# -- what people do with a file ----------------------------------------------------------------------------------------
@require_POST
@role_required("member")
def assign(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a waiting file to a sample, or move what was measured from a file to another one."""
    file = get_object_or_404(UploadFile.objects.select_related("upload"), pk=pk)
    is_measured = file.measurements.exists()
    form = (MoveForm if is_measured else AssignForm)(request.POST)
    if not form.is_valid():
        messages.error(request, f"{file.name}: {' '.join(text for errors in form.errors.values() for text in errors)}")
        return _back(request, file)
    said = form.cleaned_data
    try:
        waiting.assign(file, said["subject"], by=request.user, reason=said["reason"], version=said.get("version"))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    except StaleVersion as error:
        messages.error(request, str(error))
    else:
        follows = ", its numbers are computed again" if is_measured else " and is being read"
        messages.success(request, f"{file.name} belongs to {said['subject'].code}{follows}.")
    return _back(request, file)


@require_POST
@role_required("member")
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Read a file once more."""
    file = get_object_or_404(UploadFile.objects.select_related("upload"), pk=pk)
    try:
        waiting.try_again(file, by=request.user, skips_bad_rows="skips_bad_rows" in request.POST)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"{file.name} is read again.")
    return _back(request, file)


@require_POST
@role_required("member")
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Say how a file belongs to a test that was there before."""
    file = get_object_or_404(UploadFile.objects.select_related("upload"), pk=pk)
    try:
        changed = growing.decide(
            file, request.POST.get("decision", ""), by=request.user, reason=request.POST.get("reason", "")[:500]
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, changed.message or f"{file.name} is taken in so.")
    return _back(request, file)


@role_required("member")
def name_columns(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what the columns of a table are: one that could not be read, or one that was read otherwise."""
    files = UploadFile.objects.select_related("upload__instrument", "raw_file")
    file = get_object_or_404(files, pk=pk)
    parts = mappings.measured_parts(file) if file.raw_file_id else []
    if request.method != "POST":
        return _show_columns(request, file, parts)
    given = {
        column["header"]: (request.POST.get(f"name-{number}", ""), request.POST.get(f"unit-{number}", ""))
        for number, column in enumerate(file.columns_seen)
    }
    chosen = Instrument.objects.live().filter(code=request.POST.get("instrument", "")).first()
    version, reason = request.POST.get("version", ""), request.POST.get("reason", "")
    seen = int(version) if version.isdigit() else None
    try:
        describe(file, given, by=request.user, instrument=chosen, reason=reason, version=seen)
    except (ValidationError, StaleVersion) as error:
        said = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        messages.error(request, f"{file.name}: {said}")
        if parts:
            return _show_columns(request, file, parts, given, status=400)
    else:
        kept = f" Files like it from {chosen.code} are read so from now on." if chosen else ""
        messages.success(request, f"{file.name} is read again with your columns.{kept}")
        if parts:
            return redirect("measurement_detail", parts[0].measurement.code)
    return _back(request, file)


def _show_columns(
    request: HttpRequest, file: UploadFile, parts: list[Any], given: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    """The dialog of a table that was read, filled with what was taken, or with what the person chose just now."""
    if not parts or any(part.measurement.kind == "eis" and part.raw_file.reader != mappings.PLAIN for part in parts):
        raise Http404("This file has no columns to name.")
    sentence = ""
    try:
        ingest.see_columns(file)
    except (StoreError, FenceError) as error:
        sentence = str(error)
    file.columns_seen = mappings.as_taken(file.columns_seen, file.raw_file.column_mapping if given is None else given)
    context = {
        "file": file,
        "record": parts[0].measurement,
        "asks_reason": True,
        "reason": request.POST.get("reason", ""),
        "remembered": request.POST.get("instrument", file.upload.instrument.code if file.upload.instrument else ""),
        "sentence": sentence or ("" if file.columns_seen else "No table of named columns was found in this file."),
        **mappings.choices(),
    }
    return render(request, "measurements/columns.html", context, status=status)


def _back(request: HttpRequest, file: UploadFile) -> HttpResponse:
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return HttpResponseRedirect(wanted)
    return redirect("upload_detail", file.upload.code)


# -- inbox -------------------------------------------------------------------------------------------------------------
INBOX = {"needs_sample": "No sample", "failed": "Cannot be read", "all": "Both"}


def inbox(request: HttpRequest) -> HttpResponse:
    """Files without sample or reader, of all people or mine."""
    show = request.GET.get("show", "needs_sample")
    show = show if show in INBOX else "needs_sample"
    is_mine = request.GET.get("who") == "me"
    waiting = UploadFile.objects.filter(upload__withdrawn_at__isnull=True)
    waiting = waiting.filter(upload__created_by=request.user) if is_mine else waiting
    counts = waiting.aggregate(
        needs_sample=Count("pk", filter=Q(state="needs_sample")), failed=Count("pk", filter=Q(state="failed"))
    )
    counts["all"] = counts["needs_sample"] + counts["failed"]
    states = ["needs_sample", "failed"] if show == "all" else [show]
    waiting = waiting.select_related("upload__created_by", "raw_file", "pellet", "cell", "witness_plate")
    files = waiting.filter(state__in=states)
    page = Paginator(files.prefetch_related("measurements").order_by("-pk"), 50).get_page(request.GET.get("page"))
    context = {
        "rows": rows_of(page.object_list),
        "page": page,
        "show": show,
        "is_mine": is_mine,
        "choices": [(key, words, counts[key]) for key, words in INBOX.items()],
        "samples": sample_options(),
        "can_edit": can_edit(request.user),
        **column_choices(page.object_list),
        "here": request.get_full_path(),
    }
    return render(request, "measurements/inbox.html", context)


# -- measurements ------------------------------------------------------------------------------------------------------
def _of_subject(queryset: QuerySet, code: str) -> QuerySet:
    return queryset.filter(Q(cell__code=code) | Q(pellet__code=code) | Q(witness_plate__code=code))


def _of_pellet(lookup: str) -> Any:
    return lambda queryset, code: queryset.filter(Q(**{f"cell__pellet{lookup}": code}) | Q(**{f"pellet{lookup}": code}))


def _with_state(queryset: QuerySet, state: str) -> QuerySet:
    runs = {"failed": ["failed"], "working": ["queued", "running"], "done": ["succeeded"]}[state]
    return queryset.filter(runs__state__in=runs).distinct()


class MeasurementList(RecordList):
    """Measurements of all kinds with their main number."""

    template = "measurements/measurement_list.html"
    title, api = "Measurements", "measurements"
    collection = Measurements
    empty, no_match = "No measurements. Upload a file.", "No measurement matches."
    new_url, new_words = "upload", "Upload"
    columns = (
        Column("Code", "code", "id"),
        Column("Kind", "kind"),
        Column("Sample"),
        Column("Main value", is_number=True),
        Column("Temperature", "temperature_degC", is_number=True),
        Column("State"),
        Column("Measured", "measured_at"),
        Column("Operator"),
    )
    filters = (
        CODE,
        Filter("kind", "Kind", "choice", choices=tuple(KINDS.items())),
        Filter("subject", "Sample", "code", apply=_of_subject),
        Filter("batch", "Batch", "code", apply=_of_pellet("__batch__code")),
        Filter("powder_lot", "Lot", "code", apply=_of_pellet("__batch__powder_lot__code")),
        Filter("configuration", "Configuration", "choice", "cell__configuration",
               (("blocking", "blocking"), ("symmetric", "symmetric"), ("full", "full"))),
        Filter("temperature_degC__gte", "Temperature from", "number"),
        Filter("temperature_degC__lte", "Temperature to", "number"),
        Filter("state", "State", "choice", choices=(("done", "done"), ("working", "working"), ("failed", "failed")),
               apply=_with_state, is_in_api=False),
    )  # fmt: skip

    def queryset(self) -> QuerySet:
        return Measurement.objects.live().select_related("cell", "pellet", "witness_plate", "operator")

    def extra(self) -> dict[str, Any]:
        """Kinds that exist, with their number."""
        found = Measurement.objects.live().order_by().values_list("kind").annotate(n=Count("pk"))
        counts = dict(found)
        return {"kinds": [(slug, words, counts[slug]) for slug, words in KINDS.items() if slug in counts]}

    def decorate(self, rows: list[Any]) -> None:
        """Main number and state of the newest run: two queries."""
        numbers = main_results(rows)
        runs = apps.get_model("analysis", "AnalysisRun").objects.filter(measurement__in=rows).order_by("pk")
        states: dict[int, tuple[str, str]] = {}
        for key, state, message in runs.values_list("measurement_id", "state", "message"):
            states[key] = (state, message)
        for row in rows:
            row.main = numbers.get(row.pk)
            row.run_state, row.run_message = states.get(row.pk, ("", ""))


urlpatterns = [
    *attachments.urlpatterns,
    *instrument_pages,
    path("upload/", upload, name="upload"),
    path("uploads/<str:code>/", upload_detail, name="upload_detail"),
    path("uploads/<str:code>/rows/", upload_rows, name="upload_rows"),
    path("files/<int:pk>/lines/", file_lines, name="file_lines"),
    path("files/<int:pk>/assign/", assign, name="file_assign"),
    path("files/<int:pk>/decide/", decide, name="file_decide"),
    path("files/<int:pk>/columns/", name_columns, name="file_columns"),
    path("files/<int:pk>/retry/", retry, name="file_retry"),
    path("inbox/", inbox, name="inbox"),
    path("measurements/", MeasurementList.as_view(), name="measurement_list"),
]
