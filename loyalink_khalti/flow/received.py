"""Staff say that the money of a purchase that was placed unpaid has come."""

from django.utils import timezone

from loyalink_khalti import conf
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import refunds, services
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Method, Paid

from .settle import award
from .transactions import forbid_transaction, in_one_block


def received(purchase: Purchase, *, by: str) -> None:
    """Write down that all the cash, or the transfer, has come, and award the points; once. ``by``: a user's pk."""
    forbid_transaction("received")
    in_one_block(lambda: _received(purchase.pk, by=by))


def _received(purchase_id: int, *, by: str) -> None:
    purchase, _ = services.lock(purchase_id)
    if purchase.received_at is not None:
        return
    if purchase.state != Purchase.State.PLACED or purchase.method not in {Method.COD, Method.BANK_TRANSFER}:
        raise LoyalinkError(f"purchase {purchase} does not wait for cash or a bank transfer")
    if refunds.has_any(purchase):
        raise LoyalinkError(f"purchase {purchase} was cancelled")
    now = timezone.now()
    services.mark_received(purchase, by=by, at=now)
    paid = Paid(method=Method(purchase.method), amount=Paisa(purchase.payable), at=now)
    conf.shop(purchase.shop).confirm(purchase.ref, paid=paid)
    award(purchase)
