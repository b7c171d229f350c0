"""What forms need around their fields, drafts and files: `{% load typing %}`."""

from __future__ import annotations

from typing import Any

from django import template

from lagpdb import attachments, drafts

register = template.Library()


@register.inclusion_tag("records/_draft.html", takes_context=True)
def draft_place(context: dict[str, Any]) -> dict[str, Any]:
    """Where the draft of a form is kept, which one is shown, and which others of the same form wait."""
    request, record = context.get("request"), context.get("record")
    key = record.code if record is not None else context.get("form_key", "")
    if request is None or not key or not request.user.is_authenticated:
        return {"key": ""}
    form, shown = drafts.form_of(request), context.get("draft")
    others = drafts.drafts_of(request.user).filter(form=form).exclude(key=key) if record is None else []
    stale = bool(shown and record is not None and shown.record_version not in (None, record.version))
    return {
        "key": key,
        "form_name": form,
        "shown": shown,
        "others": [] if request.method == "POST" else [(each, drafts.count_of(each)) for each in others[:3]],
        "is_stale": stale,
        "request": request,
        "user": request.user,
    }


@register.inclusion_tag("records/_drafts.html", takes_context=True)
def drafts_card(context: dict[str, Any]) -> dict[str, Any]:
    """The drafts of the person who looks."""
    user = context["request"].user
    mine = drafts.drafts_of(user)[:20] if user.is_authenticated else []
    return {"drafts": [(draft, drafts.count_of(draft)) for draft in mine], "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("records/_attachments.html", takes_context=True)
def attachments_card(context: dict[str, Any], record: Any) -> dict[str, Any]:
    """Certificates and photographs of a record, to download, add and remove."""
    site = context.get("site") or {}
    return {
        "files": attachments.attached_to(record),
        "record": record,
        "kinds": attachments.KINDS,
        "can_edit": site.get("can_edit") and not record.is_withdrawn,
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("records/_attach.html")
def attach_field(data: Any, name: str, words: str, is_small: bool = False) -> dict[str, Any]:
    """Where files of a form are dropped or chosen; those that have arrived already are listed and stay."""
    kept = attachments.kept_in(data, name)
    return {"name": name, "words": words, "kept": kept, "is_small": is_small, "id": f"attach-{name}"}
