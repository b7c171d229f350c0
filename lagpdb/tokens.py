"""API tokens: keys for scripts, shown once, stored as a keyed hash; and what they, or a session, may do."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.db.models import F, Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission

from lagpdb.models import ApiToken
from lagpdb.roles import MEMBER, ROLES, VIEWER, has_role, role_of

SCOPES = ("read", "upload", "write")  # each includes those before it
DAYS, DAYS_LIMIT = 90, 3650
TOUCH_EVERY = timedelta(minutes=1)
# lag_<8>_<43>: the beginning makes a token that leaked into a notebook or a log easy to find with grep.
PATTERN = re.compile(r"lag_[0-9a-z]{8}_[0-9A-Za-z]{43}")
_LOWER = "0123456789abcdefghijklmnopqrstuvwxyz"
_ALL = _LOWER + _LOWER[10:].upper()


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def digest_of(text: str) -> str:
    """HMAC-SHA256 of the whole token under the secret key of the site, in hex."""
    return salted_hmac("lagpdb.tokens", text, algorithm="sha256").hexdigest()


def make_token(user: Any, scope: str = "read", days: int = DAYS, name: str = "") -> tuple[str, ApiToken]:
    """Make a token for a person.

    Returns
    -------
    (str, ApiToken)
        The token itself, which cannot be had again, and its row.

    Raises
    ------
    django.core.exceptions.ValidationError
        The scope is unknown or more than the person's role allows, or the number of days makes no sense.
    """
    if scope not in SCOPES:
        raise ValidationError({"scope": f"‘{scope}’ is not a scope. Scopes: {', '.join(SCOPES)}."})
    if not 1 <= days <= DAYS_LIMIT:
        raise ValidationError({"days": f"A token lasts 1 to {DAYS_LIMIT} days."})
    if not user.is_active:
        raise ValidationError(f"{user} is deactivated, so no token was made.")
    if scope != "read" and not has_role(user, MEMBER):
        raise ValidationError({"scope": f"{user} is a viewer: only tokens that read. Ask an administrator for more."})
    prefix = f"lag_{_random(_LOWER, 8)}"
    text = f"{prefix}_{_random(_ALL, 43)}"
    now = timezone.now()
    row = ApiToken.objects.create(
        user=user,
        name=name[:80],
        scope=scope,
        prefix=prefix,
        digest=digest_of(text),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    return text, row


def revoke(token: ApiToken) -> None:
    """End a token at once; doing it twice keeps the first time."""
    ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now())
    token.refresh_from_db(fields=["revoked_at"])


def covers(held: str, needed: str) -> bool:
    """Whether a scope includes another."""
    return SCOPES.index(held) >= SCOPES.index(needed)


def _token_row(prefix: str) -> ApiToken | None:
    """The token with its person and that person's role, in one query."""
    # One row per group of the person: a join is far cheaper to build than a subquery, and few people have two groups.
    rows = ApiToken.objects.filter(prefix=prefix).select_related("user").annotate(group=F("user__groups__name"))
    found = list(rows)
    for token in found:
        token.place = ROLES.index(token.group) if token.group in ROLES else 0
    return max(found, key=lambda token: token.place, default=None)


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Token lag_…``: one query, and at most one write a minute for "last used"."""

    def authenticate(self, request: Any) -> tuple[Any, ApiToken] | None:
        words = get_authorization_header(request).decode("latin-1").split()
        if not words or words[0].lower() != "token":
            return None
        if len(words) != 2 or not PATTERN.fullmatch(words[1]):
            raise AuthenticationFailed(
                "The token is not whole. The header reads ‘Authorization: Token lag_…’, followed by nothing else."
            )
        token = _token_row(words[1][:12])
        if token is None or not constant_time_compare(token.digest, digest_of(words[1])):
            raise AuthenticationFailed("This token is not known here. Make a new one under Account, API tokens.")
        self._refuse_ended(token)
        user = token.user
        user._role = ROLES[-1] if user.is_superuser else ROLES[token.place]
        _touch(token)
        return user, token

    @staticmethod
    def _refuse_ended(token: ApiToken) -> None:
        if token.revoked_at is not None:
            raise AuthenticationFailed(f"This token was revoked on {token.revoked_at:%Y-%m-%d}. Make a new one.")
        if token.expires_at <= timezone.now():
            raise AuthenticationFailed(f"This token expired on {token.expires_at:%Y-%m-%d}. Make a new one.")
        if not token.user.is_active:
            raise AuthenticationFailed("The account of this token is deactivated. Ask an administrator.")

    def authenticate_header(self, request: Any) -> str:
        """What a 401 says in WWW-Authenticate."""
        return "Token"


def _touch(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - TOUCH_EVERY:
        return
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - TOUCH_EVERY)
    # A note for people: a database that is busy or read-only must not refuse the request for it.
    with suppress(OperationalError):
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


class RolePermission(BasePermission):
    """Every signed-in person reads; members write. A token needs the scope as well.

    A view may say ``required_scope = "upload"`` (default "write") and ``required_role = "curator"`` (default "member");
    both speak of methods that change something.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        user = request.user
        if user is None or not role_of(user):
            raise NotAuthenticated("Sign in, or send a token: ‘Authorization: Token lag_…’.")
        if request.method in SAFE_METHODS:
            return True
        role = getattr(view, "required_role", None) or MEMBER
        scope = getattr(view, "required_scope", None) or "write"
        if not has_role(user, role):
            own = role_of(user)
            whom = "an administrator to make you a member" if own == VIEWER else "a curator to change it"
            raise PermissionDenied(f"This needs the role {role}; {user} is a {own}. You can read this. Ask {whom}.")
        if isinstance(request.auth, ApiToken) and not covers(request.auth.scope, scope):
            raise PermissionDenied(f"This needs a token with the scope {scope}; this one has {request.auth.scope}.")
        return True


class TokenScheme(OpenApiAuthenticationExtension):
    """How the token appears in the API schema."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token lag_…`: made under Account, API tokens, or by `manage.py create_token`.",
        }
