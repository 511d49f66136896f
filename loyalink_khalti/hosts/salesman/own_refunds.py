"""Salesman's own "refund": ``POST orders/<ref>/refund/`` and the button in its admin, by our ``flow.refund_order``.

Salesman (1.3) asks a payment method to refund a payment and does not say who asks. A refund needs a member of staff
with our permission, within their limits and not of their own order, so it is made only in a request whose user is
known.
"""

import logging
from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti.after_response import current_request
from loyalink_khalti.errors import LoyalinkError, safe_trace
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState, RefundState
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.staff import action_log, permissions, refund_form

from . import orders
from .settings import SHOP

log = logging.getLogger(__name__)


def refund_payment(payment: Any) -> bool:
    """Refund all that is left of a payment's order, and restock it. Return whether everything is refunded now.

    Why not, is a note on the order. Cash and transfers are refunded on our own order page: somebody must hand them.
    """
    order = payment.order
    purchase = Purchase.objects.filter(shop=SHOP, ref=order.ref, state=PurchaseState.PLACED).first()
    if purchase is None or purchase.method != PaymentMethod.KHALTI:
        return _refused(order, _("Not refunded: refund this order on its page under Salesman orders."))
    if _is_refunded(purchase):
        return True
    user = getattr(current_request(), "user", None)
    if user is None or not permissions.has_permission(user, permissions.REFUND):
        return _refused(order, _("Not refunded: the permission to refund is missing."))
    try:
        refund = refund_form.RefundRequest.all_of(purchase).refund(
            purchase,
            key=f"salesman:{refunds.newest_pk(purchase)}",
            actor=str(user.pk),
            enforce_limit=not permissions.has_permission(user, permissions.REFUND_BEYOND_LIMIT),
        )
    except LoyalinkError as exc:
        return _refused(order, _("Not refunded: %(reason)s") % {"reason": exc})
    except Exception as exc:  # noqa: BLE001 - Salesman would answer 500 and forget the payments before this one
        log.error("refund of order %s: %s", order.ref, safe_trace(exc))
        return False
    if not refund.is_repeated:
        action_log.log_refund(refund, user=user)
    return refund.state == RefundState.DONE and _is_refunded(purchase)


def _is_refunded(purchase: Purchase) -> bool:
    left = refunds.refundable(purchase)
    return not left.subtotal + left.shipping and not refunds.pending(purchase)


def _refused(order: Any, message: str) -> bool:
    orders.add_note(order, message)
    return False
