"""How much of an order may be refunded: what is left of it, and the site's limit for one member of staff."""

from collections.abc import Sequence

from django.db.models import Sum
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotRefund, RefundLimitExceeded
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState, RefundState

Lines = Sequence[tuple[str, int]]
"""(sku, quantity)"""


def check_refundable(purchase: Purchase, *, subtotal: Paisa, shipping: Paisa, lines: Lines) -> None:
    """Refuse to refund more than is left of an order; amounts in paisa, ``subtotal`` at the price before points.

    Raises ``CannotRefund`` with a message for staff.
    """
    left = refunds.refundable(purchase)
    if purchase.state != PurchaseState.PLACED:
        raise CannotRefund(_("This order has not been placed."))
    if subtotal < 0 or shipping < 0 or any(quantity < 1 for _sku, quantity in lines):
        raise CannotRefund(_("A refund cannot be negative."))
    if not subtotal + shipping and (left.subtotal or left.shipping or refunds.has_any(purchase)):
        raise CannotRefund(_("Enter how much to refund."))
    if refunds.is_awaiting_money(purchase) and subtotal != left.subtotal:
        raise CannotRefund(_("This order is not paid yet. It can only be cancelled as a whole."))
    if subtotal > left.subtotal:
        raise CannotRefund(_("Only %(left)s of the products is left to refund.") % {"left": npr(left.subtotal)})
    if shipping > left.shipping:
        raise CannotRefund(_("Only %(left)s of the delivery is left to refund.") % {"left": npr(left.shipping)})
    for sku, quantity in refunds.count_lines(lines).items():
        if quantity > left.lines[sku]:
            words = {"sku": sku, "left": left.lines[sku]}
            raise CannotRefund(_("Only %(left)s of %(sku)s are left to refund.") % words)


def enforce_refund_limit(purchase: Purchase, amount: Paisa) -> None:
    """Raise ``RefundLimitExceeded`` where another refund of ``amount`` paisa exceeds the site's limit for one order.

    Call it under the lock of the purchase, for staff without permission to exceed the limit.
    """
    limit = exceeded_refund_limit(purchase, amount)
    if limit is not None:
        amounts = {"limit": npr(limit), "amount": npr(amount)}
        raise RefundLimitExceeded(
            _(
                "You may refund up to %(limit)s of one order, and this refund is %(amount)s. Ask a colleague with "
                "permission for larger refunds."
            )
            % amounts
        )


def exceeded_refund_limit(purchase: Purchase, amount: Paisa) -> Paisa | None:
    """Return the site's limit, in paisa, if the refunds of an order exceed it with another ``amount``; else None."""
    limit = conf.refund_limit(purchase.site_key)
    if limit is None or not amount:
        return None
    earlier = purchase.refunds.exclude(state=RefundState.REFUSED).aggregate(amount=Sum("amount"))["amount"] or 0
    return limit if earlier + amount > limit else None
