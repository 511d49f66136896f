"""Who calls: a member by a token of the shop's own, a browser by its session, or a guest of an app by a secret.

A token is found by the shop's function ``API["AUTHENTICATE"]``: shops have DRF's tokens, knox or JWT already. A
request with a session cookie needs the CSRF token, as any form of the shop does. An app without either is a guest: the
answer to "begin" has a secret, and only who has that secret can read or cancel the payment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from limits import RateLimitItemPerMinute

from loyalink_khalti import conf
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.session_payments import (
    browser_session_id,
    is_own_payment,
    network_id,
    remember_payment,
    session_id,
)

from .problems import Kind, Problem

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SECRET_HEADER = "Payment-Secret"  # noqa: S105 - a header's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a request."""

    request: HttpRequest
    member_id: str | None
    """The user's pk; None for a guest."""
    by_session: bool
    """Whether a browser's session identifies the caller; a token and a secret need none."""

    @property
    def scope(self) -> str:
        """Whose idempotency keys these are: one member's, one session's, or those of all guests of apps."""
        if self.member_id is not None:
            return f"member {self.member_id}"
        return f"session {session_id(self.request)}" if self.by_session else "guest"

    def limits(self) -> Mapping[str, str]:
        """Return what identifies the customer for the flow's limits on what unpaid customers reserve."""
        browser = browser_session_id(self.request) if self.by_session else ""
        return {"browser_session": browser, "network": network_id(self.request)}

    def remember(self, payment: Payment) -> None:
        """Let the pages of the shop know, too, that this browser session began the payment."""
        if self.by_session:
            remember_payment(self.request, payment)

    def owns(self, payment: Payment) -> bool:
        """Return whether the payment is this caller's: by member, by session, or by its secret."""
        if self.member_id is not None and payment.purchase.member_id == self.member_id:
            return True
        if self.by_session and is_own_payment(self.request, payment):
            return True
        return is_secret_of(payment, self.request.headers.get(SECRET_HEADER, ""))


def identify(request: HttpRequest) -> Caller:
    """Return who calls. Raises ``Problem``: a token that is not valid, no CSRF token, too many requests."""
    if not hasattr(request, "user"):
        request.user = AnonymousUser()
    caller = _by_token(request) or _by_session(request) or _guest(request)
    _throttle(caller)
    return caller


def secret_of(payment: Payment) -> str:
    """Return the secret with which a guest reads and cancels a payment; it follows from ``SECRET_KEY`` alone."""
    return _signer().signature(payment.token)


def is_secret_of(payment: Payment, secret: str) -> bool:
    """Return whether this is the secret of a payment, also by one of the ``SECRET_KEY_FALLBACKS``."""
    try:
        return bool(secret) and _signer().unsign(f"{payment.token}:{secret}") == payment.token
    except BadSignature:
        return False


def _signer() -> Signer:
    return Signer(salt="loyalink_khalti.payment_secret")


def _by_token(request: HttpRequest) -> Caller | None:
    """Return the member whose token this is. A token that is not valid does not make its caller a guest."""
    user_of_token = conf.api_authenticate()
    if user_of_token is None:
        return None
    user = user_of_token(request)
    if user is not None and user.is_authenticated and user.is_active:
        request.user = user
        return Caller(request=request, member_id=str(user.pk), by_session=False)
    if user is not None or "Authorization" in request.headers:
        raise Problem(Kind.NOT_AUTHENTICATED)
    return None


def _by_session(request: HttpRequest) -> Caller | None:
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or not hasattr(request, "session"):
        return None
    if request.method not in SAFE and csrf_refusal(request) is not None:
        raise Problem(Kind.CSRF_FAILED)
    user: Any = request.user
    return Caller(request=request, member_id=str(user.pk) if user.is_authenticated else None, by_session=True)


def _guest(request: HttpRequest) -> Caller:
    """Return a guest, for the shop too: a middleware's user, who has sent no token and no CSRF token, buys nothing."""
    request.user = AnonymousUser()
    return Caller(request=request, member_id=None, by_session=False)


class _CsrfCheck(CsrfViewMiddleware):
    """Django's check, which skips our views: a request by token needs none."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponseForbidden:
        return HttpResponseForbidden(reason)


def csrf_refusal(request: HttpRequest) -> HttpResponseBase | None:
    """Return what Django's CSRF check answers to a request, None where it passes."""
    check = _CsrfCheck(lambda _request: HttpResponse())
    request.csrf_processing_done = False  # type: ignore[attr-defined]  # Django's own mark (5.2)
    check.process_request(request)
    return check.process_view(request, lambda: HttpResponse(), (), {})


def _throttle(caller: Caller) -> None:
    options = conf.api_options()
    member = caller.member_id
    who = f"member {member}" if member else _session_key(caller)
    limits = (
        (options.requests_per_minute, who),
        (options.requests_per_minute_and_network, network_id(caller.request)),
    )
    waits = [conf.seconds_to_wait(RateLimitItemPerMinute(most), "api", each) for most, each in limits if each]
    if any(waits):
        raise Problem(Kind.THROTTLED, retry_after=max(waits))


def _session_key(caller: Caller) -> str:
    return str(caller.request.COOKIES[settings.SESSION_COOKIE_NAME]) if caller.by_session else ""
