"""Addresses of certificates and photographs: send, download, add to a record, remove."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from lagpdb import attachments
from lagpdb.pages import address_of, find_record
from lagpdb.records import Record, normal_code
from lagpdb.roles import role_required
from measurements.models import Attachment
from measurements.store import StoreError, open_raw


@require_POST
@role_required("member")
def send(request: HttpRequest) -> HttpResponse:
    """Take files before their form is saved; answers what the form carries for each."""
    files = [file for _, group in request.FILES.lists() for file in group]
    if not files:
        return JsonResponse({"detail": "No file came. Choose one."}, status=400)
    try:
        kept = [attachments.arrive(file) for file in files]
    except ValidationError as error:
        return JsonResponse({"detail": " ".join(error.messages)}, status=400)
    return JsonResponse({"files": [{"value": each.text, "name": each.name} for each in kept]})


@require_GET
def download(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The bytes as they came."""
    attachment = get_object_or_404(Attachment.objects.select_related("raw_file"), pk=pk)
    try:
        stream = open_raw(attachment.raw_file.sha256)
    except StoreError as error:
        return render(request, "accounts/refused.html", {"sentence": str(error)}, status=500)
    response = FileResponse(
        stream, as_attachment=True, filename=attachment.name, content_type="application/octet-stream"
    )
    # Bytes of strangers: never shown, never run, on our address.
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


@require_POST
@role_required("member")
def add(request: HttpRequest, code: str) -> HttpResponse:
    """Hang files on a record that exists."""
    record = _record(code)
    kind = request.POST.get("kind", "")
    kind = kind if kind in dict(attachments.KINDS) else "other"
    data, problems = attachments.absorbed(request)
    names = []
    for kept in attachments.kept_in(data, "file"):
        try:
            if attachments.add(record, kept, kind, by=request.user):
                names.append(kept.name)
        except ValidationError as error:
            problems += error.messages
    for sentence in problems:
        messages.error(request, sentence)
    if names:
        messages.success(request, f"Added to {record.code}: {', '.join(names)}.")
    elif not problems:
        messages.info(request, "Nothing was added: no file was chosen, or it hangs there already.")
    return redirect(address_of(record) or "/")


@require_POST
@role_required("member")
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a file off its record."""
    attachment = get_object_or_404(Attachment, pk=pk)
    record = _record(attachment.record_code)
    try:
        attachments.remove(attachment, record, by=request.user, reason=request.POST.get("reason", ""))
    except ValidationError as error:
        messages.error(request, f"{attachment.name} was not removed. {' '.join(error.messages)}")
    else:
        messages.success(request, f"{attachment.name} is taken off {record.code}. Its bytes are kept.")
    return redirect(address_of(record) or "/")


def _record(code: str) -> Any:
    record: Record | None = find_record(code)
    if record is None:
        raise Http404(f"{normal_code(code)} does not exist.")
    return record


urlpatterns = [
    path("attachments/", send, name="attachment_send"),
    path("attachments/<int:pk>/", download, name="attachment_download"),
    path("attachments/<int:pk>/remove/", remove, name="attachment_remove"),
    path("records/<str:code>/files/", add, name="attachment_add"),
]
