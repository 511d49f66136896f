"""Where Django looks for models; each lives in its own room."""

from .backoffice.models import KhaltiSettings
from .loyalty.models import Account, Allocation, Entry, Hold, IdempotencyKey, Lot, OrderAward, OrderRedemption
from .outbox import Message
from .payments.models import Credentials, Flag, Payment, Purchase

__all__ = [
    "Account",
    "Allocation",
    "Credentials",
    "Entry",
    "Flag",
    "Hold",
    "IdempotencyKey",
    "KhaltiSettings",
    "Lot",
    "Message",
    "OrderAward",
    "OrderRedemption",
    "Payment",
    "Purchase",
]
