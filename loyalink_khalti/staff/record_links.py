"""Where staff record a refund that was made outside, from the page of any order with money."""

from typing import Any

from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import CAPTURED, PurchaseState
from loyalink_khalti.ports import PaymentMethod

from . import permissions
from .links import page_url


def record_refund_url(purchase: Purchase | None, user: Any) -> str:
    """Return the URL of the form for a refund made outside; "" without money to refund, or where the user may not.

    Money at Khalti is recorded at its payment. Of an order paid otherwise every refund is made by hand, so that its
    refund form is where it is recorded.
    """
    if purchase is None or not permissions.has_permission(user, permissions.REFUND):
        return ""
    for payment in purchase.payments.filter(state__in=sorted(CAPTURED)).order_by("-pk"):
        if (payment.captured or 0) > payment.refunded:
            return page_url("loyalink_khalti_payment_record_refund", payment.pk)
    is_placed = purchase.state == PurchaseState.PLACED and not refunds.is_awaiting_money(purchase)
    if not is_placed or purchase.method == PaymentMethod.KHALTI:
        return ""
    left = refunds.amount_paid(purchase) - refunds.totals(purchase).amount
    return page_url("loyalink_khalti_order_refund", purchase.pk) if left > 0 else ""
