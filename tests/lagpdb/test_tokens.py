"""Tokens: how they are made and stored, what each role may do with each scope, and what a request costs."""

import subprocess
import sys
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from lagpdb.models import ApiToken
from lagpdb.roles import ROLES, set_role
from lagpdb.tokens import PATTERN, SCOPES, RolePermission, TokenAuthentication, digest_of, make_token, revoke

pytestmark = pytest.mark.django_db

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
SAFE = ("get", "head", "options")


class Open(APIView):
    """A view with the rules of the API and nothing else."""

    authentication_classes = [TokenAuthentication]
    permission_classes = [RolePermission]

    def get(self, request):
        return Response({"user": str(request.user)})

    head = options = post = put = patch = delete = get


class Uploads(Open):
    required_scope = "upload"


class Curators(Open):
    required_role = "curator"


def person(role, name="ann", **fields):
    user = get_user_model().objects.create_user(name, password="a-long-password", **fields)
    if role:
        set_role(user, role)
    return user


def token_of(user, scope):
    """A token as an administrator of the database could make it: without asking whether the role allows it."""
    text, row = make_token(user)
    ApiToken.objects.filter(pk=row.pk).update(scope=scope)
    return text


def ask(view, method="get", header=None):
    extra = {} if header is None else {"HTTP_AUTHORIZATION": header}
    response = view.as_view()(getattr(APIRequestFactory(), method)("/", **extra))
    return response


def expected(view, role, scope, method):
    if method in SAFE:
        return 200
    needs_role = "curator" if view is Curators else "member"
    needs_scope = "upload" if view is Uploads else "write"
    is_enough = ROLES.index(role) >= ROLES.index(needs_role) and SCOPES.index(scope) >= SCOPES.index(needs_scope)
    return 200 if is_enough else 403


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("view", [Open, Uploads, Curators])
def test_every_role_with_every_scope(view, role, scope):
    header = f"Token {token_of(person(role), scope)}"
    found = {method: ask(view, method, header).status_code for method in METHODS}
    assert found == {method: expected(view, role, scope, method) for method in METHODS}


def test_a_person_without_any_group_reads_only():
    header = f"Token {token_of(person(None), 'write')}"
    assert ask(Open, "get", header).status_code == 200
    assert ask(Open, "post", header).status_code == 403


def test_createsuperuser_makes_an_administrator():
    call_command("createsuperuser", username="root", email="", interactive=False, verbosity=0)
    header = f"Token {token_of(get_user_model().objects.get(), 'write')}"
    assert ask(Curators, "post", header).status_code == 200


@pytest.mark.parametrize("method", METHODS)
def test_nobody_is_asked_to_sign_in(method):
    response = ask(Open, method)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"


def test_refusals_say_what_is_lacking():
    user = person("viewer")
    assert "member" in str(ask(Open, "post", f"Token {token_of(user, 'write')}").data["detail"])
    set_role(user, "member")
    detail = str(ask(Open, "post", f"Token {token_of(user, 'read')}").data["detail"])
    assert "scope write" in detail
    assert "read" in detail


@pytest.mark.parametrize(
    "header",
    [
        "Token",
        "Token lag_short",
        "Token lag_00000000_" + "x" * 43,
        "Token lag_00000000_" + "x" * 43 + " more",
        "Token lag_00000000_" + "é" * 43,
        "token lag_00000000_" + "x" * 43,
    ],
)
def test_what_is_no_token_is_refused(header):
    response = ask(Open, "get", header)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"


def test_the_secret_half_counts():
    text, _ = make_token(person("member"))
    other = text[:-1] + ("a" if text[-1] != "a" else "b")
    assert ask(Open, "get", f"Token {text}").status_code == 200
    assert ask(Open, "get", f"Token {other}").status_code == 401


def test_ended_tokens_are_refused_with_the_reason():
    user = person("member")
    text, row = make_token(user, "write")
    header = f"Token {text}"
    assert ask(Open, "get", header).status_code == 200
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "expired" in str(ask(Open, "get", header).data["detail"])
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=1))
    revoke(row)
    response = ask(Open, "get", header)
    assert response.status_code == 401
    assert "revoked" in str(response.data["detail"])


def test_a_deactivated_person_is_refused():
    user = person("member")
    text, _ = make_token(user, "write")
    user.is_active = False
    user.save()
    response = ask(Open, "get", f"Token {text}")
    assert response.status_code == 401
    assert "deactivated" in str(response.data["detail"])


def test_a_lower_role_takes_effect_at_once():
    user = person("member")
    header = f"Token {make_token(user, 'write')[0]}"
    assert ask(Open, "post", header).status_code == 200
    set_role(user, "viewer")
    assert ask(Open, "post", header).status_code == 403


def test_only_a_keyed_hash_is_stored(settings):
    text, row = make_token(person("member"))
    assert PATTERN.fullmatch(text)
    assert text.startswith(f"{row.prefix}_")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM ground_apitoken")
        stored = " ".join(map(str, cursor.fetchone()))
    assert text[13:] not in stored
    assert len(row.digest) == 64
    settings.SECRET_KEY = "another key"
    assert digest_of(text) != row.digest


def test_last_use_is_written_once_a_minute():
    text, row = make_token(person("member"))
    header = f"Token {text}"
    ask(Open, "get", header)
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None
    with CaptureQueriesContext(connection) as queries:
        ask(Open, "get", header)
        ask(Open, "post", header)
    assert len(queries) == 2  # one a request, role included, and no write
    assert not [query for query in queries if "UPDATE" in query["sql"]]
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    ask(Open, "get", header)
    row.refresh_from_db()
    assert row.last_used_at >= first


@pytest.mark.parametrize("scope", ["upload", "write"])
def test_viewers_get_tokens_that_read(scope):
    user = person("viewer")
    with pytest.raises(ValidationError, match="viewer"):
        make_token(user, scope)
    assert make_token(user, "read")[1].scope == "read"


@pytest.mark.parametrize(("scope", "days"), [("all", 1), ("read", 0), ("read", -1), ("read", 100_000)])
def test_tokens_that_make_no_sense_are_not_made(scope, days):
    with pytest.raises(ValidationError):
        make_token(person("member"), scope, days)


# -- the command -------------------------------------------------------------------------------------------------------
def test_the_command_prints_the_token_and_nothing_else():
    person("member")
    out, err = StringIO(), StringIO()
    call_command("create_token", "ann", "--scope", "upload", "--days", "3", stdout=out, stderr=err)
    assert PATTERN.fullmatch(out.getvalue().removesuffix("\n"))
    assert err.getvalue() == ""
    row = ApiToken.objects.get()
    assert row.scope == "upload"
    assert timedelta(days=2.99) < row.expires_at - timezone.now() <= timedelta(days=3)
    assert ask(Uploads, "post", f"Token {out.getvalue().strip()}").status_code == 200


@pytest.mark.parametrize("arguments", [["nobody"], ["ann", "--scope", "all"], ["ann", "--days", "0"]])
def test_the_command_refuses_without_printing(arguments):
    person("member")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("create_token", *arguments, stdout=out)
    assert out.getvalue() == ""
    assert not ApiToken.objects.exists()


def test_the_command_ends_with_an_error_code(tmp_path):
    """As a script sees it: nothing on standard output, words on standard error, a code that is not 0."""
    done = subprocess.run(
        [sys.executable, "manage.py", "create_token", "nobody", "--scope", "everything"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert done.stdout == ""
    assert "scope" in done.stderr
