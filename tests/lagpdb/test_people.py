"""People in the curation pages: invited, given a role, a new password, deactivated, never deleted."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from lagpdb.models import ApiToken
from lagpdb.roles import ROLES, role_of, set_role
from lagpdb.tokens import make_token

pytestmark = pytest.mark.django_db
User = get_user_model()
PERSON = {"username": "ada", "first_name": "Ada", "last_name": "", "email": "", "role": "member", "password": ""}


def person(role, name=None):
    user = User.objects.create_user(name or role, password="a-long-password")
    set_role(user, role)
    return user


def signed_in(client, role):
    client.force_login(person(role))
    return client


def url(model, page="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def shown_password(answer):
    return re.search(r"<code>((?:[a-z2-9]{4}-){3}[a-z2-9]{4})</code>", answer.content.decode())[1]


def test_inviting_shows_a_one_time_password_once(client):
    signed_in(client, "administrator")
    answer = client.post(url(User, "add"), PERSON)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    password = shown_password(answer)
    ada = User.objects.get(username="ada")
    assert ada.check_password(password)
    assert role_of(ada) == "member"
    for address in (url(User), url(User, "change", ada.pk), "/admin/"):
        assert password not in client.get(address).content.decode()


def test_inviting_with_a_password_of_ones_choice(client):
    signed_in(client, "administrator")
    assert client.post(url(User, "add"), PERSON | {"password": "short"}).status_code == 200
    assert client.post(url(User, "add"), PERSON | {"password": "nine-pellets-sintered"}).status_code == 302
    assert User.objects.get(username="ada").check_password("nine-pellets-sintered")
    assert client.post(url(User, "add"), PERSON | {"username": "ADA"}).status_code == 200


@pytest.mark.parametrize("role", ROLES)
def test_setting_a_role(client, role):
    signed_in(client, "administrator")
    ada = person("viewer", "ada")
    client.post(url(User, "change", ada.pk), PERSON | {"role": role, "is_active": "on"})
    assert role_of(User.objects.get(username="ada")) == role
    assert client.get(url(User, "change", ada.pk)).context["adminform"].form["role"].value() == role


def test_deactivating_instead_of_deleting(client):
    signed_in(client, "administrator")
    ada = person("curator", "ada")
    client.post(url(User, "change", ada.pk), PERSON | {"role": "curator"})
    ada = User.objects.get(username="ada")
    assert not ada.is_active
    form = client.get(url(User, "change", ada.pk)).context["adminform"].form
    assert form["role"].value() == "curator"


@pytest.mark.parametrize("change", [{"role": "member", "is_active": "on"}, {"role": "administrator"}])
def test_the_last_administrator_stays(client, change):
    signed_in(client, "administrator")
    own = User.objects.get()
    answer = client.post(url(User, "change", own.pk), PERSON | {"username": own.username} | change)
    assert "only administrator" in answer.content.decode()
    person("administrator", "second")
    assert client.post(url(User, "change", own.pk), PERSON | {"username": own.username} | change).status_code == 302


def test_a_new_password_without_e_mail(client, django_user_model):
    ada = person("member", "ada")
    before = ada.password
    signed_in(client, "administrator")
    address = reverse("admin:auth_user_new_password", args=[ada.pk])
    assert client.get(address).status_code == 200
    ada.refresh_from_db()
    assert ada.password == before
    password = shown_password(client.post(address))
    ada.refresh_from_db()
    assert ada.check_password(password)


def test_curators_do_not_manage_people(client):
    ada = person("member", "ada")
    before = ada.password
    signed_in(client, "curator")
    assert client.post(reverse("admin:auth_user_new_password", args=[ada.pk])).status_code == 403
    assert client.post(url(User, "change", ada.pk), PERSON | {"role": "administrator"}).status_code == 403
    ada.refresh_from_db()
    assert (ada.password, role_of(User.objects.get(pk=ada.pk))) == (before, "member")


def test_people_by_role(client):
    User.objects.create_user("nogroup")
    User.objects.create_superuser("root", password="a-long-password")
    for role in ROLES:
        person(role)
    client.force_login(User.objects.get(username="root"))
    found = {r: {u.username for u in client.get(url(User), {"role": r}).context["cl"].queryset} for r in ROLES}
    assert found == {
        "viewer": {"viewer", "nogroup"},
        "member": {"member"},
        "curator": {"curator"},
        "administrator": {"administrator", "root"},
    }


def test_administrators_revoke_tokens_of_others(client):
    _, row = make_token(person("member", "ada"))
    signed_in(client, "administrator")
    page = client.get(url(ApiToken, "change", row.pk)).content.decode()
    assert row.digest not in page
    client.post(url(ApiToken), {"action": "revoke_selected", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert timezone.now() - row.revoked_at < timedelta(minutes=1)
