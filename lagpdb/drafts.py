"""Nothing typed is lost: what stands in a form is kept on the server while it is typed, for its writer alone."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from lagpdb.models import Draft

MOST_BYTES = 500_000  # of one form; fifty rows of a batch need a tenth of it
LEFT_OUT = {"csrfmiddlewaretoken", "draft", "confirm"}
ROWS = "rows"  # key of rows that could not be saved with the rest: the page of the batch shows them by itself


def drafts_of(user: Any) -> QuerySet:
    """A person's drafts, the newest first; nobody sees another's."""
    return Draft.objects.filter(user=user).order_by("-updated_at")


def forget_draft(request: HttpRequest) -> None:
    """The form of this request was saved: what was kept of it is no longer needed."""
    if (key := request.POST.get("draft", "")).isdecimal():
        Draft.objects.filter(user=request.user, pk=int(key)).delete()


def keep_rows(user: Any, address: str, title: str, rows: dict[str, Any]) -> None:
    """Keep the rows of a table that could not be saved, or forget them once all are."""
    if not rows:
        Draft.objects.filter(user=user, form=address, key=ROWS).delete()
        return
    now = timezone.now()
    kept = {"title": title, "address": address, "data": rows, "updated_at": now}
    Draft.objects.update_or_create(user=user, form=address, key=ROWS, defaults=kept)


def rows_kept(user: Any, address: str) -> dict[str, Any]:
    """The rows that `keep_rows` holds for this person."""
    draft = Draft.objects.filter(user=user, form=address, key=ROWS).first()
    return dict(draft.data) if draft else {}


def _signed_out() -> JsonResponse:
    return JsonResponse({"detail": "You are signed out. Sign in to go on."}, status=401)


def _shown(draft: Draft) -> dict[str, Any]:
    return {
        "id": draft.pk,
        "key": draft.key,
        "title": draft.title,
        "saved_at": timezone.localtime(draft.updated_at).strftime("%H:%M"),
        "on": timezone.localtime(draft.updated_at).strftime("%Y-%m-%d"),
        "version": draft.record_version,
        "data": draft.data,
    }


@login_not_required
@require_GET
def token(request: HttpRequest) -> JsonResponse:
    """Who is signed in, and the token that their next form needs: asked before a form is sent."""
    if not request.user.is_authenticated:
        return _signed_out()
    return JsonResponse({"user": request.user.get_username(), "csrf": get_token(request)})


@login_not_required
def drafts(request: HttpRequest) -> JsonResponse:
    """GET: the newest draft of a form, ``?form=/cells/new/`` and ``key`` or ``id``. POST: keep one.

    The body of a POST is JSON: ``form``, ``key``, ``title``, ``version``, and ``data`` with a list of texts per name.
    """
    if not request.user.is_authenticated:
        return _signed_out()
    return _keep(request) if request.method == "POST" else _find(request)


def _find(request: HttpRequest) -> JsonResponse:
    own = drafts_of(request.user).filter(form=request.GET.get("form", "")).exclude(key=ROWS)
    if (wanted := request.GET.get("id", "")).isdecimal():
        own = own.filter(pk=int(wanted))
    elif key := request.GET.get("key", ""):
        own = own.filter(key=key)
    draft = own.first()
    return JsonResponse({"draft": _shown(draft) if draft else None})


def _keep(request: HttpRequest) -> JsonResponse:
    if len(request.body) > MOST_BYTES:
        return JsonResponse({"detail": "The form is too long to be kept as a draft. Save it."}, status=413)
    try:
        sent = json.loads(request.body)
        form, key = str(sent["form"])[:60], str(sent["key"])[:64]
        data = {
            str(name): [str(text) for text in texts]
            for name, texts in sent["data"].items()
            if str(name) not in LEFT_OUT
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return JsonResponse({"detail": "A draft needs form, key and data."}, status=400)
    if not form.startswith("/") or form.startswith("//") or not key:
        return JsonResponse({"detail": "A draft needs the page of its form, and a key."}, status=400)
    version = sent.get("version")
    draft, _ = Draft.objects.update_or_create(
        user=request.user,
        form=form,
        key=key,
        defaults={
            "title": str(sent.get("title", ""))[:200],
            "address": form,
            "data": data,
            "record_version": version if isinstance(version, int) and version > 0 else None,
            "updated_at": timezone.now(),
        },
    )
    return JsonResponse({"draft": {name: value for name, value in _shown(draft).items() if name != "data"}})


@require_POST
def delete_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Throw a draft away; another person's is not there."""
    count, _ = Draft.objects.filter(user=request.user, pk=pk).delete()
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"deleted": bool(count)}, status=200 if count else 404)
    if not count:
        return HttpResponse("There is no draft of yours with that number.", status=404)
    return redirect("dashboard")


urlpatterns = [
    path("drafts/", drafts, name="drafts"),
    path("drafts/token/", token, name="draft_token"),
    path("drafts/<int:pk>/delete/", delete_draft, name="draft_delete"),
]
