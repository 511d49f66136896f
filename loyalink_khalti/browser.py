"""Which payments a browser has begun: their tokens, kept in its session. For hosts and the storefront alike."""

from django.http import HttpRequest

from loyalink_khalti.payments.models import Payment

SESSION_KEY = "loyalink_khalti"
REMEMBERED = 10


def remember(request: HttpRequest, payment: Payment) -> None:
    """Note, after commit, that this browser began the payment."""
    tokens = [token for token in began_here(request) if token != payment.token]
    request.session[SESSION_KEY] = [*tokens, payment.token][-REMEMBERED:]


def began_here(request: HttpRequest) -> list[str]:
    """The tokens of the payments that this browser began, newest last."""
    tokens = request.session.get(SESSION_KEY, [])
    return [token for token in tokens if isinstance(token, str)] if isinstance(tokens, list) else []


def began(request: HttpRequest, token: str) -> bool:
    """Whether this browser began that payment."""
    return token in began_here(request)


def is_mine(request: HttpRequest, payment: Payment) -> bool:
    """Whether the payment is this browser's, or the logged-in member's."""
    return began(request, payment.token) or (
        request.user.is_authenticated and payment.purchase.member_id == str(request.user.pk)
    )
