"""What is so now of an order, for its customer: one word, from the rows of its money. Pure."""

from collections.abc import Collection, Sequence
from enum import StrEnum

from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import LIVE, UNSETTLED, PaymentState, PurchaseState, RefundKind, RefundState
from loyalink_khalti.ports import PAID_LATER, Outcome


class ReceiptState(StrEnum):
    """What is so now of an order, as its customer reads it."""

    CONFIRMING = "confirming"
    """Khalti has not said yet that it is paid."""
    TO_PAY = "to_pay"
    """Placed; cash or a transfer is awaited."""
    PART_PAID = "part_paid"
    """Placed; a part has arrived."""
    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    """All of it: of an order, or of a payment that bought nothing."""
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    REVIEW = "review"
    """Money has arrived, and staff decide what becomes of it."""


AWAITED = frozenset({ReceiptState.TO_PAY, ReceiptState.PART_PAID})
"""The order is placed and waits for money from outside Khalti."""
ENDED_UNPAID = frozenset({ReceiptState.CANCELLED, ReceiptState.EXPIRED, ReceiptState.FAILED})
"""Nothing is to be paid any more."""
_OUTCOMES = {Outcome.EXPIRED: ReceiptState.EXPIRED, Outcome.CANCELLED: ReceiptState.CANCELLED}


def state_of(purchase: Purchase, payments: Sequence[Payment], refunds: Collection[Refund]) -> ReceiptState:
    """Return the state of a purchase by its payments, oldest first, and its refunds."""
    if purchase.state == PurchaseState.PLACED:
        return _of_placed(purchase, refunds)
    return _of_unplaced(purchase, payments)


def made(refunds: Collection[Refund]) -> list[Refund]:
    """Return the refunds that were made of the order as it is now; one that was taken back is left out."""
    return [
        each
        for each in refunds
        if each.kind == RefundKind.ORDER and each.state == RefundState.DONE and each.undone_at is None
    ]


def _of_placed(purchase: Purchase, refunds: Collection[Refund]) -> ReceiptState:
    done = made(refunds)
    if purchase.method in PAID_LATER and purchase.received_at is None:
        if done:
            return ReceiptState.CANCELLED
        return ReceiptState.PART_PAID if purchase.received_part else ReceiptState.TO_PAY
    cart = purchase.frozen_cart
    products, shipping = sum(each.subtotal for each in done), sum(each.shipping_price for each in done)
    if not (products or shipping or sum(each.amount for each in done)):  # none, or those that were not made
        return ReceiptState.PAID
    is_whole = products >= cart.subtotal and shipping >= cart.shipping
    return ReceiptState.REFUNDED if is_whole else ReceiptState.PARTLY_REFUNDED


def _of_unplaced(purchase: Purchase, payments: Sequence[Payment]) -> ReceiptState:
    states = {PaymentState(each.state) for each in payments}
    if states & (UNSETTLED | {PaymentState.PARTIALLY_REFUNDED, PaymentState.FULFILLED}):
        return ReceiptState.REVIEW
    if states & LIVE or (not payments and purchase.state == PurchaseState.OPEN):
        return ReceiptState.CONFIRMING
    if PaymentState.REFUNDED in states:
        return ReceiptState.REFUNDED
    return _OUTCOMES.get(payments[-1].outcome, ReceiptState.FAILED) if payments else ReceiptState.CANCELLED
