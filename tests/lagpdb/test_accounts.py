"""Sign-in, its limits, the first person, one's own account, and roles."""

import re
import threading
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from lagpdb.accounts import FirstPersonForm, create_first_person
from lagpdb.models import ApiToken
from lagpdb.roles import REFUSAL, ROLES, ensure_roles, has_role, role_of, role_required, set_role

User = get_user_model()
PASSWORD = "eight-pellets-sintered"


@pytest.fixture(autouse=True)
def _no_tries_counted():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ann(db):
    user = User.objects.create_user("ann", password=PASSWORD)
    set_role(user, "member")
    return user


def post(client, address, content):
    """As a browser sends a form without files; multipart is for uploads, and refused from people not signed in."""
    return client.post(address, urlencode(content), content_type="application/x-www-form-urlencoded")


def sign_in(client, name="ann", password=PASSWORD, **more):
    return post(client, "/login/", {"login": name, "password": password, **more})


# -- roles -------------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_migrating_makes_the_four_groups():
    assert set(Group.objects.values_list("name", flat=True)) >= set(ROLES)
    before = set(Group.objects.get(name="curator").permissions.values_list("codename", flat=True))
    ensure_roles()
    assert set(Group.objects.get(name="curator").permissions.values_list("codename", flat=True)) == before
    assert {"change_pellet", "view_rawfile", "view_result", "add_powderlot", "view_revision"} <= before
    forbidden = {name for name in before if name.startswith("delete_")}
    forbidden |= before & {"change_rawfile", "change_result", "add_uploadfile", "view_apitoken", "change_revision"}
    assert not forbidden


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_a_role_includes_those_below(role):
    user = User.objects.create_user("ann")
    set_role(user, role)
    user = User.objects.get()
    assert role_of(user) == role
    assert [has_role(user, other) for other in ROLES] == [ROLES.index(other) <= ROLES.index(role) for other in ROLES]
    assert user.is_staff == (role in ("curator", "administrator"))
    assert user.is_superuser == (role == "administrator")


@pytest.mark.django_db
def test_a_new_role_replaces_the_old_one():
    user = User.objects.create_user("ann")
    for role in ("administrator", "viewer", "curator", "member"):
        set_role(user, role)
        assert role_of(User.objects.get()) == role
    assert list(user.groups.values_list("name", flat=True)) == ["member"]


@pytest.mark.django_db
def test_nobody_has_no_role():
    assert role_of(None) == role_of(AnonymousUser()) == ""
    user = User.objects.create_user("gone", is_active=False)
    set_role(user, "administrator")
    assert role_of(User.objects.get()) == ""
    assert not has_role(User.objects.get(), "viewer")


@pytest.mark.django_db
def test_the_role_of_a_request_costs_one_query(ann, django_assert_num_queries):
    user = User.objects.get()
    with django_assert_num_queries(1):
        assert has_role(user, "member")
        assert not has_role(user, "curator")


@pytest.mark.django_db
def test_a_page_for_members_says_whom_to_ask(ann):
    page = role_required("member")(lambda request: HttpResponse("done"))
    request = RequestFactory().get("/")
    request.user = ann
    assert page(request).content == b"done"
    set_role(ann, "viewer")
    answer = page(request)
    assert answer.status_code == 403
    assert REFUSAL in answer.content.decode()


# -- sign-in -----------------------------------------------------------------------------------------------------------
def test_pages_ask_to_sign_in(client, ann):
    assert client.get("/account/").headers["Location"] == "/login/?next=/account/"
    assert client.get("/admin/", follow=True).redirect_chain[-1] == ("/login/?next=/admin/", 302)


def test_signing_in_and_out(client, ann):
    page = client.get("/login/?next=/account/").content.decode()
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    answer = sign_in(client, next="/account/")
    assert (answer.status_code, answer["Location"]) == (302, "/account/")
    assert client.get("/account/").status_code == 200
    assert client.get("/login/")["Location"] == "/"
    assert b"Sign out?" in client.get("/logout/").content
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/account/").status_code == 302


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_leads_nowhere_else(client, ann, target):
    assert sign_in(client, next=target)["Location"] == "/"


def test_a_refusal_does_not_say_what_was_wrong(client, ann):
    pages = []
    for name, password in (("ann", "wrong-password"), ("nobody", PASSWORD)):
        answer = sign_in(client, name, password)
        assert answer.status_code == 200
        assert "Name or password is wrong." in answer.content.decode()
        page = re.sub(r'value="[^"]*"|"X-CSRFToken": "[^"]*"', "", answer.content.decode())
        pages.append(page)
    assert pages[0] == pages[1]


def test_a_deactivated_person_is_told_only_with_the_right_password(client, ann):
    User.objects.update(is_active=False)
    assert "Name or password is wrong." in sign_in(client, password="wrong-password").content.decode()
    answer = sign_in(client)
    assert answer["Location"] == "/account/inactive/"
    assert b"deactivated" in client.get("/account/inactive/").content
    assert client.get("/account/").status_code == 302


def test_too_many_failed_tries_wait_and_say_how_long(client, ann):
    for _ in range(5):
        assert sign_in(client, password="wrong-password").status_code == 200
    answer = sign_in(Client())  # the right password and a new browser do not help
    assert answer.status_code == 429
    assert "Too many failed tries. Try again in 5 minutes." in answer.content.decode()


def test_too_many_sign_ins_from_one_place_wait(client, ann):
    for _ in range(30):
        post(client, "/login/", {})
    answer = post(client, "/login/", {})
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 60
    assert re.search(r"Try again in \d+ seconds?\.", answer.content.decode())


def test_nobody_signs_up(client, ann):
    assert client.get("/signup/").status_code in (302, 404)
    assert "sign up" not in client.get("/login/").content.decode().lower()


def test_forms_need_their_csrf_token(ann):
    client = Client(enforce_csrf_checks=True)
    assert post(client, "/login/", {"login": "ann", "password": PASSWORD}).status_code == 403


# -- first run ---------------------------------------------------------------------------------------------------------
FIRST = {"username": "grace", "password1": PASSWORD, "password2": PASSWORD}


@pytest.mark.django_db
def test_the_first_person_is_an_administrator(client):
    assert client.get("/", follow=True).redirect_chain[-1] == ("/first-run/", 302)
    page = client.get("/first-run/").content.decode()
    assert "createsuperuser" in page
    assert post(client, "/first-run/", FIRST)["Location"] == "/"
    grace = User.objects.get()
    assert role_of(grace) == "administrator"
    assert client.get("/account/").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"password1": "short", "password2": "short"}, {"password2": "other-password-x"}])
def test_the_first_person_needs_a_good_password(client, change):
    answer = post(client, "/first-run/", FIRST | change)
    assert answer.status_code == 200
    assert 'class="errorlist' in answer.content.decode()
    assert not User.objects.exists()


def test_there_is_one_first_person(client, ann):
    assert client.get("/first-run/")["Location"] == "/login/"
    assert post(client, "/first-run/", FIRST)["Location"] == "/login/"
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_browsers_at_once_one_wins():
    start, outcomes = threading.Barrier(2), []

    def create(name):
        try:
            form = FirstPersonForm(FIRST | {"username": name})
            assert form.is_valid()
            start.wait(10)
            outcomes.append(create_first_person(form))
        finally:
            connection.close()

    threads = [threading.Thread(target=create, args=(name,)) for name in ("grace", "ada")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(outcomes) == 2
    assert outcomes.count(None) == 1
    assert User.objects.count() == 1


# -- one's own account -------------------------------------------------------------------------------------------------
@pytest.fixture
def as_ann(client, ann):
    client.force_login(ann)
    return client


def test_people_change_their_own_name_and_nothing_more(as_ann, ann):
    answer = as_ann.post(
        "/account/", {"first_name": "Ann", "email": "ann@example.org", "is_superuser": "1", "role": "x"}
    )
    assert answer.status_code == 302
    ann.refresh_from_db()
    assert (ann.first_name, ann.is_superuser, ann.username) == ("Ann", False, "ann")
    assert b"member" in as_ann.get("/account/").content
    assert as_ann.post("/account/", {"email": "no address"}).status_code == 200


def test_people_change_their_own_password(as_ann, ann):
    other = Client()
    other.force_login(ann)
    new = "nine-pellets-sintered"
    wrong = {"oldpassword": "wrong-password", "password1": new, "password2": new}
    assert "not your current password" in as_ann.post("/account/password/", wrong).content.decode()
    assert as_ann.post("/account/password/", wrong | {"oldpassword": PASSWORD})["Location"] == "/account/"
    ann.refresh_from_db()
    assert ann.check_password(new)
    assert as_ann.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 302


def test_guessing_the_current_password_is_limited(as_ann):
    wrong = {"oldpassword": "wrong-password", "password1": "x", "password2": "y"}
    for _ in range(5):
        assert as_ann.post("/account/password/", wrong).status_code == 200
    assert as_ann.post("/account/password/", wrong).status_code == 429


def test_a_token_is_shown_once(as_ann):
    assert "No tokens." in as_ann.get("/account/tokens/").content.decode()
    answer = as_ann.post("/account/tokens/", {"name": "notebook", "scope": "write", "days": 30})
    page = answer.content.decode()
    text = re.search(r"lag_[0-9a-z]{8}_[0-9A-Za-z]{43}", page)[0]
    assert "no-store" in answer["Cache-Control"]
    row = ApiToken.objects.get()
    assert text.startswith(row.prefix)
    again = as_ann.get("/account/tokens/").content.decode()
    assert row.prefix in again
    assert text not in again
    assert as_ann.post(f"/account/tokens/{row.pk}/revoke/").status_code == 302
    row.refresh_from_db()
    assert row.revoked_at is not None
    assert "revoked" in as_ann.get("/account/tokens/").content.decode()


def test_tokens_of_others_are_out_of_reach(as_ann):
    bob = User.objects.create_user("bob")
    row = ApiToken.objects.create(user=bob, prefix="lag_bobsbobs", digest="0" * 64, expires_at="2099-01-01T00:00Z")
    assert "lag_bobsbobs" not in as_ann.get("/account/tokens/").content.decode()
    assert as_ann.post(f"/account/tokens/{row.pk}/revoke/").status_code == 404
    row.refresh_from_db()
    assert row.revoked_at is None
    assert as_ann.get(f"/account/tokens/{row.pk}/revoke/").status_code == 405


def test_viewers_make_tokens_that_read(as_ann, ann):
    set_role(ann, "viewer")
    assert as_ann.post("/account/tokens/", {"scope": "write", "days": 30}).status_code == 200
    assert not ApiToken.objects.exists()
    as_ann.post("/account/tokens/", {"scope": "read", "days": 30})
    assert ApiToken.objects.get().scope == "read"


def test_the_list_of_tokens_costs_the_same_for_many(as_ann, ann, django_assert_max_num_queries):
    for number in range(8):
        ApiToken.objects.create(
            user=ann, prefix=f"lag_0000000{number}", digest="0" * 64, expires_at="2099-01-01T00:00Z"
        )
    with django_assert_max_num_queries(8):
        as_ann.get(reverse("account_tokens"))
