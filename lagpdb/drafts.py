"""Drafts: what somebody has typed and not saved, kept on the server for them alone until it is saved or thrown away.

A draft belongs to a form (the name of its page) and a key: the form's own key for a new record, the code of the record
for a change. The browser sends it every few seconds; pages ask here for the draft that they shall continue.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect
from django.urls import Resolver404, path, resolve, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from lagpdb.models import Draft
from lagpdb.roles import REFUSAL, has_role

MAX_BYTES = 500_000  # fifty rows with remarks are 40 kB
MAX_FIELDS = 4000
# Not part of what was typed: guards, pressed buttons, questions that were answered for one saving.
NOT_TYPED = frozenset({"csrfmiddlewaretoken", "use", "then", "confirm", "show_rows", "timer", "next"})


class BadDraft(ValueError):
    """What arrived is no draft; the sentence says why."""


# -- for pages ---------------------------------------------------------------------------------------------------------
def form_of(request: HttpRequest) -> str:
    """Name of the form that a request shows or saves: that of its page."""
    return request.resolver_match.url_name or "" if request.resolver_match else ""


def drafts_of(user: Any) -> QuerySet[Draft]:
    """Everything that a person has not saved yet, newest first."""
    return Draft.objects.filter(user=user)


def wanted(request: HttpRequest, code: str = "") -> Draft | None:
    """The draft that a page shall continue: `?draft=12`, or the person's own draft of the record `code`."""
    asked = request.GET.get("draft", "")
    mine = drafts_of(request.user).filter(form=form_of(request))
    if asked:
        found = mine.filter(pk=asked).first() if asked.isdecimal() and len(asked) < 18 else None
        if found is None:
            raise Http404("This draft does not exist any more: it was saved or deleted.")
        return found
    return mine.filter(key=code).first() if code else None


def typed(draft: Draft) -> QueryDict:
    """The fields of a draft as a browser would send them."""
    data = QueryDict(mutable=True)
    for name, texts in draft.data.items():
        data.setlist(name, texts)
    return data


def count_of(draft: Draft) -> int:
    """How many fields somebody has filled in, or changed where there was something before."""
    return sum(
        1
        for name, texts in draft.data.items()
        if not name.startswith("was-")
        and name.rpartition("-")[2] not in ("version", "form_key", "sentence")
        and any(texts)
        and texts != draft.data.get(f"was-{name}", [""])
    )


def keep(user: Any, *, form: str, key: str, title: str, address: str, data: dict[str, list[str]]) -> Draft:
    """Store a draft over the one of the same form and key."""
    version = (data.get("version") or [""])[0]
    values = {
        "title": title[:200],
        "address": address[:500],
        "data": data,
        "record_version": int(version) if version.isdecimal() and len(version) < 9 else None,
        "updated_at": timezone.now(),
    }
    draft, _ = Draft.objects.update_or_create(user=user, form=form, key=key, defaults=values)
    return draft


def forget(request: HttpRequest, key: str) -> None:
    """What was typed into this form is saved: its draft goes."""
    if key:
        drafts_of(request.user).filter(form=form_of(request), key=key).delete()


# -- for the browser ---------------------------------------------------------------------------------------------------
@login_not_required
@never_cache
@require_GET
def session(request: HttpRequest) -> HttpResponse:
    """Who is signed in now, and the token that forms need from here on; 401 when nobody is."""
    is_in = request.user.is_authenticated
    who = {"user": request.user.pk, "name": request.user.get_username()} if is_in else {"user": None, "name": ""}
    return JsonResponse({**who, "csrf": get_token(request)}, status=200 if is_in else 401)


@require_POST
@login_not_required
@never_cache
def save(request: HttpRequest) -> HttpResponse:
    """Take what was typed so far. 401 when the session is over, or is another person's by now: nothing is stored."""
    if not request.user.is_authenticated:
        return JsonResponse({"detail": "You are signed out. Sign in to go on; nothing is lost."}, status=401)
    try:
        sent = _read(request)
        if sent["user"] != request.user.pk:
            return JsonResponse(
                {"detail": f"{request.user.get_username()} is signed in now, and this form is somebody else’s."},
                status=401,
            )
        if not has_role(request.user, "member"):
            return JsonResponse({"detail": REFUSAL}, status=403)
        form, address = _page(sent["address"])
        if (sent["data"].get("form_key") or [""])[0] in request.session.get("saved_forms", {}):
            return JsonResponse({"is_saved": True})  # it was on its way while the form was saved
        draft = keep(
            request.user, form=form, key=sent["key"], title=sent["title"], address=address, data=sent["data"]
        )  # fmt: skip
    except BadDraft as error:
        return JsonResponse({"detail": str(error)}, status=400)
    return JsonResponse({"is_saved": False, "id": draft.pk, "url": address_of(draft)})


def _read(request: HttpRequest) -> dict[str, Any]:
    """The checked body of a draft: user, key, title, address, and each field's texts."""
    if len(request.body) > MAX_BYTES:
        raise BadDraft("This form holds more text than a draft can keep. Save it, or shorten it.")
    try:
        sent = json.loads(request.body)
    except ValueError:
        raise BadDraft("This is not JSON.") from None
    if not isinstance(sent, dict) or not all(isinstance(sent.get(n), str) for n in ("key", "title", "address")):
        raise BadDraft("A draft has a key, a title, an address and data.")
    data, key = sent.get("data"), sent["key"]
    if not isinstance(data, dict) or len(data) > MAX_FIELDS or not 1 <= len(key) <= 64 or "\0" in str(sent):
        raise BadDraft("A draft has a key of 1 to 64 characters and at most 4000 fields.")
    for texts in data.values():
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise BadDraft("Each field of a draft is a list of texts.")
    kept = {name: texts for name, texts in data.items() if name not in NOT_TYPED}
    return {**sent, "user": sent.get("user"), "data": kept}


def _page(address: str) -> tuple[str, str]:
    """The form that an address of this site leads to, and the address without its mention of a draft."""
    parts = urlsplit(address)
    try:
        form = resolve(parts.path).url_name or ""
    except Resolver404:
        form = ""
    if not form or not parts.path.startswith("/") or address.startswith("//"):
        raise BadDraft("The address of a draft is a page of this site.")
    rest = urlencode([pair for pair in parse_qsl(parts.query) if pair[0] != "draft"])
    return form[:60], f"{parts.path}?{rest}" if rest else parts.path


def address_of(draft: Draft) -> str:
    """The page that continues a draft."""
    return f"{draft.address}{'&' if '?' in draft.address else '?'}draft={draft.pk}"


@require_GET
def continue_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """On to the form, with what was typed. Other people's drafts do not exist."""
    return HttpResponseRedirect(address_of(get_object_or_404(drafts_of(request.user), pk=pk)))


@require_POST
def delete_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Throw one of one's own drafts away."""
    draft = get_object_or_404(drafts_of(request.user), pk=pk)
    draft.delete()
    messages.success(request, f"The draft “{draft.title or draft.form}” is deleted.")
    wanted_page = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(
        wanted_page, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return HttpResponseRedirect(wanted_page)
    return redirect(reverse("dashboard"))


urlpatterns = [
    path("drafts/", save, name="draft_save"),
    path("drafts/session/", session, name="draft_session"),
    path("drafts/<int:pk>/", continue_draft, name="draft_continue"),
    path("drafts/<int:pk>/delete/", delete_draft, name="draft_delete"),
]
