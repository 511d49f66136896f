"""Which payments a browser session has begun, and from which network. For hosts and the storefront alike.

The session keeps their tokens. The rows keep only hashes, with the shop's ``SECRET_KEY``, of the session's key and of
the network. With any of Django's session engines a browser has one identifier: see `browser_session_id`.
"""

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import get_random_string, salted_hmac

from loyalink_khalti import conf
from loyalink_khalti.payments.models import Payment

SESSION_KEY = "loyalink_khalti"
_ID_KEY = "loyalink_khalti_session"
COOKIE = "loyalink_browser"
COOKIE_LIFETIME = 24 * 60 * 60
"""seconds; longer than any payment is pending"""
REMEMBERED = 10
"""How many tokens a session keeps; the oldest drops out."""


def session_id(request: HttpRequest) -> str:
    """Return an identifier of a browser's session that does not reveal its key; start a session if needed.

    The session keeps it until a log-out: its key is another one after a log-in and, where Django keeps sessions in
    signed cookies, after each change.
    """
    known = request.session.get(_ID_KEY)
    if isinstance(known, str):
        return known
    if not request.session.session_key:
        request.session.create()
    # From the key, so that two clicks at once get the same one. A new session in a signed cookie has no key yet.
    key = request.session.session_key or get_random_string(32)
    made = salted_hmac("loyalink_khalti.browser_session", key, algorithm="sha256").hexdigest()[:40]
    request.session[_ID_KEY] = made
    return made


def browser_session_id(request: HttpRequest) -> str:
    """Return an identifier of this browser, for limits alone: `session_id`, or the earlier one of a cookie of our own.

    It outlasts a session that a cache has dropped, and a log-out. It shows no one another customer's payments.
    """
    found = _id_in_cookie(request) or session_id(request)
    request._loyalink_browser = found  # type: ignore[attr-defined]  # ``keep_browser_session_id`` reads it
    return found


def keep_browser_session_id(request: HttpRequest, response: HttpResponse) -> None:
    """Let the browser keep the identifier that `browser_session_id` has returned in this request, for a day."""
    used: str | None = getattr(request, "_loyalink_browser", None)
    if used is not None:
        response.set_cookie(
            COOKIE,
            _signer().sign(used),
            max_age=COOKIE_LIFETIME,
            path=settings.SESSION_COOKIE_PATH,
            domain=settings.SESSION_COOKIE_DOMAIN,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite=settings.SESSION_COOKIE_SAMESITE,
        )


def _id_in_cookie(request: HttpRequest) -> str:
    try:
        return _signer().unsign(request.COOKIES.get(COOKIE, ""))
    except BadSignature:
        return ""


def _signer() -> Signer:
    return Signer(salt="loyalink_khalti.browser_session")


def network_id(request: HttpRequest) -> str:
    """Return an identifier of the client's network that does not reveal it; "" where the network is not known."""
    network = conf.client_network(request)
    return salted_hmac("loyalink_khalti.network", network, algorithm="sha256").hexdigest()[:40] if network else ""


def remember_payment(request: HttpRequest, payment: Payment) -> None:
    """Record, after commit, that this browser session began the payment."""
    tokens = [token for token in remembered_tokens(request) if token != payment.token]
    request.session[SESSION_KEY] = [*tokens, payment.token][-REMEMBERED:]


def remembered_tokens(request: HttpRequest) -> list[str]:
    """Return the tokens of the payments that this browser session began, newest last."""
    tokens = request.session.get(SESSION_KEY, [])
    return [token for token in tokens if isinstance(token, str)] if isinstance(tokens, list) else []


def is_own_payment(request: HttpRequest, payment: Payment) -> bool:
    """Return whether the payment belongs to this browser session or to the logged-in member."""
    return payment.token in remembered_tokens(request) or (
        request.user.is_authenticated and payment.purchase.member_id == str(request.user.pk)
    )
