"""Every refusal of the API as ``application/problem+json``: https://www.rfc-editor.org/rfc/rfc9457.

``type`` and ``title`` are stable, for programs and their authors. ``detail`` is for the customer, in their language.
"""

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.errors import BasketTaken, CannotPay, InvalidDetails, SoldOut, TotalChanged
from loyalink_khalti.payments.models import Payment

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:loyalink-khalti:problem:"


class Kind(Enum):
    """The kinds of refusals: the name in ``type``, the HTTP status and the title."""

    NOT_JSON = ("not-json", 400, "The body is not JSON.")
    NOT_AUTHENTICATED = ("not-authenticated", 401, "Log in, or send a valid token.")
    CSRF_FAILED = ("csrf-failed", 403, "A request of a browser session needs the CSRF token of GET /session.")
    NOT_FOUND = ("not-found", 404, "There is no such payment, or it is not yours.")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "This address does not answer to this method.")
    BASKET_TAKEN = ("basket-taken", 409, "Another payment has this basket already.")
    CANNOT_CANCEL = ("cannot-cancel-now", 409, "Khalti does not confirm yet that nothing was paid.")
    CANNOT_PAY = ("cannot-pay", 409, "The order cannot be placed or paid this way.")
    IN_PROGRESS = ("request-in-progress", 409, "A request with this idempotency key is still in progress.")
    MEMBERSHIP = ("membership", 409, "The terms are others by now, or the account was merged into another one.")
    METHOD_UNAVAILABLE = ("method-unavailable", 409, "The payment method is not available for this order.")
    PAYMENT_PENDING = ("payment-pending", 409, "The customer has a pending payment already.")
    POINTS_DO_NOT_FIT = ("points-do-not-fit", 409, "The order cannot redeem this number of points.")
    RESERVED_TOO_MUCH = ("reserved-too-much", 409, "The customer may not reserve that much before paying.")
    SOLD_OUT = ("sold-out", 409, "A product is not available in that quantity.")
    TOTAL_CHANGED = ("total-changed", 409, "The amount due is not the expected one.")
    TOO_LARGE = ("too-large", 413, "The body is too large.")
    NOT_JSON_TYPE = ("unsupported-media-type", 415, "The body must be application/json.")
    INVALID_DETAILS = ("invalid-details", 422, "The shop cannot use some of the details.")
    INVALID_REQUEST = ("invalid-request", 422, "The request does not have the documented form.")
    KEY_REUSED = ("idempotency-key-reused", 422, "This idempotency key was used with another body.")
    THROTTLED = ("throttled", 429, "Too many requests.")
    UNAVAILABLE = ("unavailable", 503, "The shop does not respond at the moment.")

    def __init__(self, code: str, status: int, title: str) -> None:
        self.code = code
        self.status = status
        self.title = title

    @property
    def type(self) -> str:
        """The URI that names it."""
        return PREFIX + self.code


class Problem(Exception):
    """A refusal; ``more`` are members of its own, and ``retry_after`` seconds until it is worth another try."""

    def __init__(self, kind: Kind, detail: str = "", *, retry_after: int | None = None, **more: Any) -> None:
        super().__init__(f"{kind.code}: {detail}")
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        self.more = more

    def response(self) -> HttpResponse:
        """Return it as a response."""
        body = {"type": self.kind.type, "title": self.kind.title, "status": self.kind.status}
        body |= {"detail": self.detail or self.kind.title, **self.more}
        response = HttpResponse(json.dumps(body), status=self.kind.status, content_type=MEDIA_TYPE)
        if self.retry_after is not None:
            response["Retry-After"] = str(self.retry_after)
        if self.kind is Kind.NOT_AUTHENTICATED:
            response["WWW-Authenticate"] = "Bearer"
        return response


_KINDS: Mapping[type[CannotPay], Kind] = {
    BasketTaken: Kind.BASKET_TAKEN,
    SoldOut: Kind.SOLD_OUT,
    TotalChanged: Kind.TOTAL_CHANGED,
    flow.ReservedTooMuch: Kind.RESERVED_TOO_MUCH,
}


def problem_of(exc: CannotPay, *, owns: Callable[[Payment], bool]) -> Problem:
    """Return a refusal of the flow or of a shop as a problem; a pending payment only to who ``owns`` it."""
    match exc:
        case InvalidDetails():
            return Problem(Kind.INVALID_DETAILS, str(exc), fields=exc.fields)
        case flow.PointsDoNotFit():
            return Problem(Kind.POINTS_DO_NOT_FIT, str(exc), nearest=list(exc.nearest))
        case flow.TooManyAttempts():
            return Problem(Kind.THROTTLED, str(exc), retry_after=exc.wait)
        case flow.PaymentPending():
            return _pending(exc, is_own=owns(exc.payment))
    kind = next((kind for error, kind in _KINDS.items() if isinstance(exc, error)), Kind.CANNOT_PAY)
    return Problem(kind, str(exc))


def _pending(exc: flow.PaymentPending, *, is_own: bool) -> Problem:
    if not is_own:
        detail = _("Other payments from this browser are still pending. Please try again later.")
        return Problem(Kind.PAYMENT_PENDING, detail, payment=None)
    payment = exc.payment
    pending = {"id": payment.token, "amount": payment.amount, "payment_url": payment.payment_url or None}
    return Problem(Kind.PAYMENT_PENDING, str(exc), payment=pending)
