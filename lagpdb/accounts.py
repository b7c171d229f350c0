"""People: sign-in, the first person, one's own account and tokens. Roles are in `roles`, tokens in `tokens`."""

from __future__ import annotations

import math
import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import LoginForm
from allauth.account.views import LoginView, PasswordChangeView, account_inactive, logout
from allauth.core.internal import ratelimit
from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.response import TemplateResponse
from django.urls import path, reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from lagpdb.health import urlpatterns as health_urlpatterns
from lagpdb.models import ApiToken
from lagpdb.roles import ADMINISTRATOR, MEMBER, ROLES, has_role, role_of, role_required, set_role
from lagpdb.tokens import DAYS, RolePermission, TokenAuthentication, make_token, revoke

__all__ = [
    "ROLES",
    "Adapter",
    "RolePermission",
    "TokenAuthentication",
    "has_role",
    "make_token",
    "role_of",
    "role_required",
    "set_role",
    "urlpatterns",
]


# -- sign-in -----------------------------------------------------------------------------------------------------------
def _wait_s(request: HttpRequest, action: str, key: str | None = None) -> float:
    """Seconds until a rate limit lets the next try through; 0 where it does now."""
    longest = 0.0
    for rate in ratelimit.get_rates(app="allauth.account", action=action):
        where = ratelimit.get_cache_key(request, app="allauth.account", action=action, rate=rate, key=key)
        tries = cache.get(where, [])  # the newest first
        if len(tries) >= rate.amount:
            longest = max(longest, tries[rate.amount - 1] + rate.duration - time.time())
    return longest


def _in_words(seconds: float) -> str:
    if seconds > 90:
        return f"{math.ceil(seconds / 60)} minutes"
    whole = max(1, math.ceil(seconds))
    return "1 second" if whole == 1 else f"{whole} seconds"


class Adapter(DefaultAccountAdapter):
    """What allauth asks us: nobody signs up alone, and a refusal never says what was wrong."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "Name or password is wrong.",
        "invalid_login": "Name or password is wrong.",
        "enter_current_password": "This is not your current password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Administrators invite people."""
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the try; when there were too many, say how long to wait."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as error:
            key = self._get_login_attempts_cache_key(request, **credentials)
            wait = _in_words(_wait_s(request, "login_failed", key))
            raise ValidationError(f"Too many failed tries. Try again in {wait}.", code="too_many") from error


class SignInForm(LoginForm):
    """Name and password; paste and password managers work."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "Name"
        self.fields["password"].help_text = ""
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        self.fields["login"].widget.attrs |= {"autofocus": True, "autocapitalize": "none", "spellcheck": "false"}


@method_decorator(login_not_required, name="dispatch")
class SignIn(LoginView):
    """The sign-in page; while nobody exists it leads to the first-run page."""

    form_class = SignInForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "GET" and not get_user_model().objects.exists():
            return redirect("first_run")
        response = super().dispatch(request, *args, **kwargs)
        is_of_form = isinstance(response, TemplateResponse)  # which says itself how long to wait
        return too_many(request, "login") if response.status_code == 429 and not is_of_form else response

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        is_limit = any(error.code == "too_many" for error in form.non_field_errors().as_data())
        return self.render_to_response(self.get_context_data(form=form), status=429 if is_limit else 200)


def too_many(request: HttpRequest, action: str) -> HttpResponse:
    """The page of a rate limit, with the time left."""
    seconds = _wait_s(request, action)
    response = render(request, "accounts/too_many.html", {"wait": _in_words(seconds)}, status=429)
    response["Retry-After"] = str(max(1, math.ceil(seconds)))
    return response


class ChangePassword(PasswordChangeView):
    """Change one's own password; other sessions end, this one stays."""

    success_url = reverse_lazy("account")

    def get_form(self, form_class: Any = None) -> forms.Form:
        form = super().get_form(form_class)
        for name, label in (
            ("oldpassword", "Current password"),
            ("password1", "New password"),
            ("password2", "New password again"),
        ):
            form.fields[name].label = label
            form.fields[name].widget.attrs.pop("placeholder", None)
        form.fields["oldpassword"].help_text = ""
        return form

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        return too_many(request, "change_password") if response.status_code == 429 else response


# -- the first person --------------------------------------------------------------------------------------------------
class FirstPersonForm(UserCreationForm):
    """Name and password of the first person."""

    class Meta:
        model = get_user_model()
        fields = ("username",)
        labels = {"username": "Name"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].help_text = "Letters, digits and @ . + - _ only."
        self.fields["password2"].label, self.fields["password2"].help_text = "Password again", ""


def create_first_person(form: FirstPersonForm) -> Any:
    """Save the first person as administrator, or return None when somebody exists by now.

    The row of the administrators' group is locked first: of two browsers at once, one waits and then finds the other.
    """
    with transaction.atomic():
        Group.objects.get_or_create(name=ADMINISTRATOR)
        Group.objects.select_for_update().get(name=ADMINISTRATOR)
        if get_user_model().objects.exists():
            return None
        user = form.save()
        set_role(user, ADMINISTRATOR)
    return user


@sensitive_post_parameters()
@login_not_required
@never_cache
def first_run(request: HttpRequest) -> HttpResponse:
    """Create the first person. Once somebody exists, this page only leads to the sign-in."""
    if get_user_model().objects.exists():
        return redirect("account_login")
    form = FirstPersonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        user = create_first_person(form)
        if user is None:
            messages.warning(request, "Somebody else created the first person meanwhile. Ask them to invite you.")
            return redirect("account_login")
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return redirect("/")
    return render(request, "accounts/first_run.html", {"form": form})


# -- one's own account -------------------------------------------------------------------------------------------------
class ProfileForm(forms.ModelForm):
    """What people may change about themselves."""

    class Meta:
        model = get_user_model()
        fields = ("first_name", "last_name", "email")
        labels = {"first_name": "First name", "last_name": "Last name", "email": "E-mail"}
        widgets = {
            "first_name": forms.TextInput(attrs={"autocomplete": "given-name"}),
            "last_name": forms.TextInput(attrs={"autocomplete": "family-name"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
        }


@never_cache
def account(request: HttpRequest) -> HttpResponse:
    """Name, role, password and tokens of the person signed in."""
    form = ProfileForm(request.POST if request.method == "POST" else None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your account is saved.")
        return redirect("account")
    request.user.refresh_from_db()  # a refused form leaves its values on the instance, and the header shows the name
    return render(request, "accounts/account.html", {"form": form, "role": role_of(request.user)})


class TokenForm(forms.Form):
    """What a new token may do, and how long."""

    name = forms.CharField(
        label="What it is for", max_length=80, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    scope = forms.ChoiceField(label="It may", choices=ApiToken.Scope.choices)
    days = forms.IntegerField(
        label="Days until it expires", min_value=1, max_value=3650, initial=DAYS, help_text="90 days unless you say so."
    )

    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_role(user, MEMBER):
            self.fields["scope"].choices = [(ApiToken.Scope.READ.value, ApiToken.Scope.READ.label)]


@never_cache
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own API tokens. A new one is shown in the answer to the form, and never again."""
    made = None
    form = TokenForm(request.user, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            text, row = make_token(request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            made, form = {"text": text, "row": row}, TokenForm(request.user)
    context = {
        "form": form,
        "made": made,
        "tokens": request.user.api_tokens.all(),
        "now": timezone.now(),
    }
    return render(request, "accounts/tokens.html", context)


@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of one's own tokens at once."""
    token = get_object_or_404(ApiToken, pk=pk, user=request.user)
    revoke(token)
    messages.success(request, f"{token.prefix}… is revoked. Scripts that use it are refused from now on.")
    return redirect("account_tokens")


urlpatterns = [
    *health_urlpatterns,
    path("login/", SignIn.as_view(), name="account_login"),
    path("logout/", login_not_required(logout), name="account_logout"),
    path("first-run/", first_run, name="first_run"),
    path("account/", account, name="account"),
    path("account/inactive/", login_not_required(account_inactive), name="account_inactive"),
    path("account/password/", ChangePassword.as_view(), name="account_change_password"),
    path("account/tokens/", tokens, name="account_tokens"),
    path("account/tokens/<int:pk>/revoke/", revoke_token, name="account_token_revoke"),
]
