"""Where a guest makes an account of an order: a password, a mail to the order's address, and the click in it.

The answer is the same whether the address has an account or not; only its mail says so. A password waits in the
browser session in which it was typed, hashed. A mailed link that is opened anywhere else asks for a new one.
"""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model, load_backend, login, password_validation
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View
from limits import RateLimitItemPerMinute

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotClaim
from loyalink_khalti.token_pages import TokenView, plain_pages, throttle

PER_MINUTE = 10
"""How many passwords one network may send."""
_SESSION_KEY = "loyalink_khalti_new_account"


class PasswordForm(forms.Form):
    """The password of a new account, by the validators of the shop."""

    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": gettext_lazy("Choose a password.")},
    )

    def __init__(self, data: Any = None, *, offer: flow.AccountOffer) -> None:
        super().__init__(data, auto_id="lk-%s")
        self._offer = offer

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        User = get_user_model()
        known = {field.name for field in User._meta.get_fields()}
        values = {User.get_email_field_name(): self._offer.email, User.USERNAME_FIELD: self._offer.email}
        password_validation.validate_password(password, User(**{k: v for k, v in values.items() if k in known}))
        return password

    @property
    def rules(self) -> list[str]:
        """Return what the shop's validators ask of a password, a sentence for each."""
        return password_validation.password_validators_help_texts()


@method_decorator(sensitive_post_parameters("password"), name="dispatch")
class NewAccountView(TokenView, View):
    """The form that the thank-you page and the order mail lead to, and the page of the link that is mailed."""

    http_method_names = ("get", "post", "options")

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            offer = flow.read_offer(token)
        except CannotClaim as exc:
            return _refusal(request, exc)
        if request.user.is_authenticated:
            return redirect(offer.claim_path) if offer.claim_path else _logged_in(request)
        return _page(request, offer=offer, form=PasswordForm(offer=offer), has_password=_stored(request, offer) != "")

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            offer = flow.read_offer(token)
            if request.user.is_authenticated:
                return _logged_in(request)
            return self._create(request, offer, token) if offer.is_verified else self._ask(request, offer, token)
        except CannotClaim as exc:
            return _refusal(request, exc)

    def _ask(self, request: HttpRequest, offer: flow.AccountOffer, token: str) -> HttpResponse:
        network = conf.client_network(request) or str(request.META.get("REMOTE_ADDR", ""))
        if wait := conf.seconds_to_wait(RateLimitItemPerMinute(PER_MINUTE), "new account", network):
            return plain_pages.too_many(request, wait=wait)
        form = PasswordForm(request.POST, offer=offer)
        if not form.is_valid():
            return _page(request, offer=offer, form=form)
        request.session[_SESSION_KEY] = [offer.purchase.pk, make_password(form.cleaned_data["password"])]
        flow.request_account_mail(token)
        return _page(request, mailed_to=_masked(offer.email))

    def _create(self, request: HttpRequest, offer: flow.AccountOffer, token: str) -> HttpResponse:
        password_hash = _stored(request, offer)
        if not password_hash:
            form = PasswordForm(request.POST, offer=offer)
            if not form.is_valid():
                return _page(request, offer=offer, form=form)
            password_hash = make_password(form.cleaned_data["password"])
        account = flow.create_account(token, password_hash=password_hash)
        request.session.pop(_SESSION_KEY, None)
        login(request, account.user, backend=_backend(account.user))
        return _page(
            request,
            created_for=offer.email,
            points=account.points,
            points_to_come=offer.points,
            account_url=resolve_url(settings.LOGIN_REDIRECT_URL),
        )


def _stored(request: HttpRequest, offer: flow.AccountOffer) -> str:
    """Return the hash of the password that was typed in this browser for this order, "" where none was."""
    stored = request.session.get(_SESSION_KEY)
    if not (isinstance(stored, list) and len(stored) == 2 and stored[0] == offer.purchase.pk):
        return ""
    return str(stored[1])


def _backend(user: Any) -> str:
    """Return the first backend of the settings that keeps this user logged in: others only guard the log-in."""
    paths = list(settings.AUTHENTICATION_BACKENDS)
    found: Any = ((path, getattr(load_backend(path), "get_user", None)) for path in paths)
    return next((path for path, get_user in found if get_user and get_user(user.pk) is not None), paths[0])


def _masked(email: str) -> str:
    """Return an address as a hint: a reader of a forwarded order mail must not find it here."""
    name, _at, domain = email.rpartition("@")
    return f"{name[:1]}…@{domain}"


def _logged_in(request: HttpRequest) -> HttpResponse:
    return _page(request, refusal=_("You are logged in already. To make another account, log out first."))


def _refusal(request: HttpRequest, exc: CannotClaim) -> HttpResponse:
    """Show the reason, and the log-in. A link that this shop never made counts as a guess."""
    if isinstance(exc, flow.InvalidClaimLink) and (wait := throttle.seconds_to_wait(request)):
        return plain_pages.too_many(request, wait=wait)
    return _page(request, refusal=str(exc), login_url=resolve_url(settings.LOGIN_URL))


def _page(request: HttpRequest, **context: Any) -> HttpResponse:
    offer, form = context.get("offer"), context.get("form")
    if offer is not None:
        context["shown_email"] = offer.email if offer.is_verified else _masked(offer.email)
        context["login_url"] = offer.claim_path or resolve_url(settings.LOGIN_URL)
    status = 400 if context.get("refusal") or (form is not None and form.errors) else 200
    return render(request, "loyalink_khalti/new_account.html", context, status=status)
