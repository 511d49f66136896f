"""Which payments a browser session has begun, and from which network. For hosts and the storefront alike.

The session keeps their tokens. The rows keep only hashes, with the shop's ``SECRET_KEY``, of the session's key and of
the network.
"""

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from loyalink_khalti import conf
from loyalink_khalti.payments.models import Payment

SESSION_KEY = "loyalink_khalti"
REMEMBERED = 10
"""How many tokens a session keeps; the oldest drops out."""


def browser_session_id(request: HttpRequest) -> str:
    """Return an identifier of this browser session that does not reveal the session key; start a session if needed."""
    if not request.session.session_key:
        request.session.create()
    key = request.session.session_key or ""
    return salted_hmac("loyalink_khalti.browser_session", key, algorithm="sha256").hexdigest()[:40]


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
