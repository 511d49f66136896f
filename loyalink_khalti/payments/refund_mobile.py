"""The Khalti number to which the money of a bank payment is refunded: asked for by Khalti, kept masked and hashed.

No answer of Khalti's says how a payment was made: in lookup a payment from a wallet and one from a bank look alike
(https://docs.khalti.com/khalti-epayment/#payment-verification-lookup), and what the return address says is the
browser's claim. So a payment counts as one from a bank once Khalti has refused a refund of it and asked for the
number (https://docs.khalti.com/api/refund/). Before that no form has the field: a number typed for a payment from a
wallet could send its money to somebody else.
"""

import re
from hmac import compare_digest

from django.conf import settings
from django.utils.crypto import salted_hmac

from loyalink_khalti.errors import KhaltiRejected

from .models import Payment, Purchase, Refund
from .states import RefundState

_SALT = "loyalink_khalti.payments.refund_mobile"
_ASKS = re.compile(r"\b(mobile|bank|khalti (id|account|number))\b", re.IGNORECASE)
"""Khalti documents no body of a refused refund. The field of the request is named ``mobile``."""


def is_asked_for(payment: Payment) -> bool:
    """Return whether Khalti has asked for a number before it refunds this payment."""
    return payment.refunds.filter(state=RefundState.REFUSED, mobile_requested=True).exists()


def is_asked_for_order(purchase: Purchase) -> bool:
    """Return the same for the payment of a placed order."""
    refunds = purchase.refunds.filter(state=RefundState.REFUSED, mobile_requested=True)
    return refunds.filter(payment__fulfilled_at__isnull=False).exists()


def asks_for_mobile(exc: KhaltiRejected) -> bool:
    """Return whether Khalti refuses a refund because it needs a number."""
    return exc.status_code == 400 and bool(_ASKS.search(" ".join([exc.message, *map(str, exc.detail)])))


def keep(refund: Refund, mobile: str) -> None:
    """Note on a Refund, which the caller saves, to which number its money goes: masked, and as a keyed hash."""
    if mobile:
        refund.mobile_masked, refund.mobile_hash = mask(mobile), _hash(mobile, settings.SECRET_KEY)


def mask(mobile: str) -> str:
    """Return a number as Khalti itself masks it: ``98XXXXX904``."""
    digits = _digits(mobile)
    return f"{digits[:2]}XXXXX{digits[-3:]}" if len(digits) > 5 else "XXXXX"


def is_of(refund: Refund, mobile: str) -> bool:
    """Return whether the money of a refund went to this number, also after ``SECRET_KEY`` was rotated."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return bool(refund.mobile_hash) and any(compare_digest(_hash(mobile, key), refund.mobile_hash) for key in keys)


def without(text: str, mobile: str) -> str:
    """Return a text in which the number, which Khalti may repeat, is masked."""
    return text.replace(mobile, mask(mobile)) if mobile else text


def _digits(mobile: str) -> str:
    return re.sub(r"\D", "", mobile)[-10:]  # without the country code


def _hash(mobile: str, key: str | bytes) -> str:
    return salted_hmac(_SALT, _digits(mobile), secret=key, algorithm="sha256").hexdigest()
