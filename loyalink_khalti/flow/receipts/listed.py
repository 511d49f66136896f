"""Orders as a list shows them, however they are paid: state and money of each, read for all of them at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import (
    CAPTURED,
    LIVE,
    UNSETTLED,
    PaymentState,
    PurchaseState,
    RefundKind,
    RefundState,
)
from loyalink_khalti.ports import PAID_LATER, ReleaseReason

from .rows import Rows, rows_of
from .states import ReceiptState, state_of


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """A purchase in a list. Amounts are paisa."""

    purchase: Purchase
    state: ReceiptState
    payments: Sequence[Payment]
    """The attempts at Khalti, oldest first."""
    received: Paisa
    """Captured by Khalti, or received in cash or by transfer, a surplus included."""
    refunded: Paisa

    @property
    def payment(self) -> Payment | None:
        """The attempt that matters: that placed the order, else whose money is there, else the newest."""
        placed = [each for each in self.payments if each.fulfilled_at is not None]
        captured = [each for each in self.payments if each.state in CAPTURED]
        return next(iter([*placed, *captured, *reversed(self.payments)]), None)


def order_rows(purchases: Collection[Purchase]) -> list[OrderRow]:
    """Return purchases as a list shows them, in their order: three statements."""
    rows = rows_of(purchases)
    return [_row(purchase, rows[purchase.pk]) for purchase in purchases]


def _row(purchase: Purchase, rows: Rows) -> OrderRow:
    captured = sum(each.captured or 0 for each in rows.payments)
    by_hand = sum(each.amount for each in rows.received)
    if not rows.received:  # the version before these rows has marked it
        by_hand = purchase.received
    at_khalti = sum(each.refunded for each in rows.payments)
    outside = sum(each.amount for each in rows.refunds if each.payment_id is None and each.state == RefundState.DONE)
    return OrderRow(
        purchase=purchase,
        state=state_of(purchase, rows.payments, rows.refunds),
        payments=rows.payments,
        received=Paisa(captured + by_hand),
        refunded=Paisa(at_khalti + outside),
    )


# The same states as conditions of the database. ``tests/flow/receipts/test_listed.py`` compares the two.


def in_states(states: Collection[ReceiptState]) -> Q:
    """Return the condition that a purchase is in one of these states, as ``state_of`` says."""
    found = Q(pk__in=[])
    for state in states:
        found |= _CONDITIONS[state]()
    return found


_PLACED = Q(state=PurchaseState.PLACED)
_UNPLACED = (PurchaseState.OPEN, PurchaseState.RELEASED)
"""The other states, as an index has them."""
_AWAITED = _PLACED & Q(method__in=sorted(PAID_LATER), received_at=None)
_SETTLED = _PLACED & ~Q(method__in=sorted(PAID_LATER), received_at=None)


def _made() -> "QuerySet[Refund]":
    return Refund.objects.filter(kind=RefundKind.ORDER, state=RefundState.DONE, undone_at=None)


def _with_refund() -> Q:
    return Q(pk__in=_made().order_by().values("purchase"))


def _refunded_sums() -> Any:
    """The purchases of which something is refunded, with ``price``, before points, and ``total``; both in paisa."""
    by_purchase = _made().order_by().values("purchase")
    shipping = Coalesce("shipping_before_points", "shipping")
    return by_purchase.annotate(
        price=Sum(F("subtotal") + shipping), money=Sum("amount"), whole=F("purchase__total")
    ).exclude(price=0, money=0)


def _partly_refunded() -> Q:
    return _SETTLED & Q(pk__in=_refunded_sums().filter(price__lt=F("whole")).values("purchase"))


def _refunded_in_full() -> Q:
    return _SETTLED & Q(pk__in=_refunded_sums().filter(price__gte=F("whole")).values("purchase"))


def _attempts(*states: PaymentState) -> Q:
    found = Payment.objects.filter(state__in=sorted(states), fulfilled_at=None)
    return Q(pk__in=found.order_by().values("purchase"))


def _without_attempt() -> Q:
    return ~Q(Exists(Payment.objects.filter(purchase=OuterRef("pk"))))


_NOT_PLACED = Q(state__in=_UNPLACED)


def _under_review() -> Q:
    unplaced = Payment.objects.filter(purchase__state__in=_UNPLACED)
    states = sorted(UNSETTLED | {PaymentState.PARTIALLY_REFUNDED, PaymentState.FULFILLED})
    return Q(pk__in=unplaced.filter(state__in=states).order_by().values("purchase"))


def _confirming() -> Q:
    is_live = _attempts(*LIVE)
    return _NOT_PLACED & (is_live | (Q(state=PurchaseState.OPEN) & _without_attempt())) & ~_under_review()


def _ended() -> Q:
    return _NOT_PLACED & ~_attempts(*LIVE) & ~_under_review()


def _refunded_unplaced() -> Q:
    return _ended() & _attempts(PaymentState.REFUNDED)


def _released(*reasons: str) -> Q:
    """Released, and the newest attempt for one of these reasons."""
    newest = Payment.objects.filter(purchase=OuterRef("pk")).order_by("-pk").values("release_reason")[:1]
    by_reason = Purchase.objects.filter(state__in=_UNPLACED).annotate(reason=Subquery(newest))
    ended = _ended() & ~_attempts(PaymentState.REFUNDED)
    return ended & Q(pk__in=by_reason.filter(reason__in=reasons).values("pk"))


_CANCELLED = (ReleaseReason.CANCELLED.value, ReleaseReason.CANCELLED_IN_SHOP.value)
_FAILED = ("", ReleaseReason.REFUSED.value, ReleaseReason.FAILED.value, ReleaseReason.REFUNDED.value)
_CONDITIONS = {
    ReceiptState.CONFIRMING: _confirming,
    ReceiptState.TO_PAY: lambda: _AWAITED & Q(received_part=0) & ~_with_refund(),
    ReceiptState.PART_PAID: lambda: _AWAITED & Q(received_part__gt=0) & ~_with_refund(),
    ReceiptState.PAID: lambda: _SETTLED & ~Q(pk__in=_refunded_sums().values("purchase")),
    ReceiptState.PARTLY_REFUNDED: _partly_refunded,
    ReceiptState.REFUNDED: lambda: _refunded_in_full() | _refunded_unplaced(),
    ReceiptState.CANCELLED: lambda: (
        (_AWAITED & _with_refund()) | _released(*_CANCELLED) | (Q(state=PurchaseState.RELEASED) & _without_attempt())
    ),
    ReceiptState.EXPIRED: lambda: _released(ReleaseReason.EXPIRED.value),
    ReceiptState.FAILED: lambda: _released(*_FAILED),
    ReceiptState.REVIEW: _under_review,
}
