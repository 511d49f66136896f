"""From the rows of a purchase's money to what its receipt lists: received and refunded, each by date and amount.

A row that another one takes back is left out together with it: the customer sees what has really moved.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of, midnight
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.payments.states import PENDING_REFUNDS, PaymentState, RefundKind, RefundState
from loyalink_khalti.ports import PAID_LATER, PaymentMethod

from .breakdown import Money, PointsMoved, Received, Refunded
from .states import AWAITED, ReceiptState


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of one purchase, each oldest first."""

    payments: Sequence[Payment] = ()
    refunds: Sequence[Refund] = ()
    received: Sequence[ReceivedMoney] = ()


def rows_of(purchases: Collection[Purchase]) -> dict[int, Rows]:
    """Return the rows of purchases, by the purchase's pk. Three statements at most."""
    by_pk = {purchase.pk: purchase for purchase in purchases}
    payments, refunded, received = (defaultdict[int, list[object]](list) for _ in range(3))
    by_hand = {pk for pk, purchase in by_pk.items() if purchase.method in PAID_LATER}
    for found, model, pks in (
        (payments, Payment, by_pk),
        (refunded, Refund, by_pk),
        (received, ReceivedMoney, by_hand),
    ):
        for row in model._default_manager.filter(purchase__in=list(pks)).order_by("pk") if pks else ():
            row.purchase = by_pk[row.purchase_id]
            found[row.purchase_id].append(row)
    return {
        pk: Rows(payments=payments[pk], refunds=refunded[pk], received=received[pk])  # type: ignore[arg-type]  # as filled
        for pk in by_pk
    }


def money_of(purchase: Purchase, rows: Rows, state: ReceiptState) -> Money:
    """Return what has moved of a purchase in this state."""
    received = tuple(sorted([*_captured(rows.payments), *_received(purchase, rows.received)], key=lambda row: row.at))
    went = [*_refunds(rows.refunds), *_unrecorded(rows.payments, rows.refunds)]
    kept = sum(each.amount for each in received) - sum(each.amount for each in went if not each.is_pending)
    is_awaited = state is ReceiptState.CONFIRMING or state in AWAITED
    return Money(
        received=received,
        refunds=tuple(sorted(went, key=lambda row: row.at)),
        left_to_pay=Paisa(max(purchase.amount_due - kept, 0) if is_awaited else 0),
    )


def points_of(purchase: Purchase) -> PointsMoved:
    """Return the points of a purchase."""
    return PointsMoved(
        used=Points(purchase.points_redeemed), value=Paisa(purchase.points_value), earned=Points(purchase.earned)
    )


def refunded_lines(purchase: Purchase, done: Iterable[Refund]) -> dict[str, int]:
    """Return the refunded quantities of a purchase by ``Line.key``, from the refunds that were made."""
    counted = refunds.count_lines(row for each in done for row in each.lines)
    return dict(refunds.lines_by_key(purchase.frozen_cart, counted))


def _captured(payments: Iterable[Payment]) -> Iterable[Received]:
    for payment in payments:
        if payment.captured:
            at = payment.paid_at or payment.created_at
            yield Received(
                at=at, day=day_of(at), amount=Paisa(payment.captured), method=PaymentMethod.KHALTI,
                reference=payment.transaction_id or "",
            )  # fmt: skip


def _received(purchase: Purchase, rows: Sequence[ReceivedMoney]) -> Iterable[Received]:
    method = PaymentMethod(purchase.method)
    reversed_pks = {row.reverses_id for row in rows}
    for row in rows:
        if row.reverses_id is None and row.pk not in reversed_pks:
            yield Received(
                at=max(midnight(row.received_on), purchase.created_at), day=row.received_on, amount=Paisa(row.amount),
                method=method, reference=row.reference,
            )  # fmt: skip
    if not rows and purchase.received_at is not None:  # the version before these rows has marked it
        at = purchase.received_at
        yield Received(at=at, day=day_of(at), amount=Paisa(purchase.amount_due), method=method)


def _refunds(rows: Sequence[Refund]) -> Iterable[Refunded]:
    taken_back = {row.reverses_id for row in rows if row.reverses_id is not None}
    for row in rows:
        is_pending = row.state in PENDING_REFUNDS
        if row.reverses_id is not None or row.pk in taken_back or not (is_pending or row.state == RefundState.DONE):
            continue
        is_undone = row.undone_at is not None  # the order is placed again, with the points that it had
        restored, clawed_back = (0, 0) if is_undone else (row.points_restored, row.points_clawed_back)
        if not (row.amount or restored or clawed_back):
            continue  # an order without any money was cancelled
        yield Refunded(
            at=row.done_at or row.requested_at,
            amount=Paisa(row.amount),
            method=PaymentMethod.KHALTI if row.payment_id is not None else PaymentMethod(row.purchase.method),
            is_pending=is_pending,
            is_of_order=row.kind == RefundKind.ORDER and not is_undone,
            points_restored=Points(restored),
            points_clawed_back=Points(clawed_back),
        )


def _unrecorded(payments: Iterable[Payment], rows: Iterable[Refund]) -> Iterable[Refunded]:
    """What Khalti has refunded of payments that bought nothing, without a row of its own."""
    of_rows: dict[int | None, int] = defaultdict(int)
    for row in rows:
        if row.state == RefundState.DONE:
            of_rows[row.payment_id] += row.amount
    for payment in payments:
        amount = payment.refunded - of_rows[payment.pk]
        if amount > 0 and payment.state in {PaymentState.REFUNDED, PaymentState.PARTIALLY_REFUNDED}:
            at = payment.released_at or payment.last_lookup_at or payment.created_at
            yield Refunded(at=at, amount=Paisa(amount), method=PaymentMethod.KHALTI, is_of_order=False)
