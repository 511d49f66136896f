"""Check every invariant that the database can show: payments, the shop's orders and the points must agree.

Numbers in ``invariant``: I… are those of money, L… those of the ledger (L14 of
all rows that are written once). Everything is an iterator that reads rows in
chunks, so that memory does not grow with the history.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q

from loyalink_khalti import conf
from loyalink_khalti.append_only import unguarded_tables
from loyalink_khalti.flow.counter import audit as counter_audit
from loyalink_khalti.flow.invoices import audit as invoice_audit
from loyalink_khalti.flow.members.directory import CHUNK, chunked, member_accounts, member_emails
from loyalink_khalti.flow.review.cancelled_orders import outstanding
from loyalink_khalti.flow.review.missing_orders import placed_without_order
from loyalink_khalti.flow.review.options import Resolution
from loyalink_khalti.khalti.wire import Status
from loyalink_khalti.loyalty import audit as ledger_audit
from loyalink_khalti.loyalty.buckets import HoldState
from loyalink_khalti.loyalty.models import Hold
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption
from loyalink_khalti.payments import received
from loyalink_khalti.payments.cancelled_orders import CancelledOrder
from loyalink_khalti.payments.missing_orders import MissingOrder
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import (
    CAPTURED,
    HOLDING,
    MAYBE_WITHOUT_PIDX,
    PENDING_REFUNDS,
    UNSETTLED,
    PaymentState,
    PurchaseState,
    RefundState,
)
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.payments.without_order import has_money_without_order, is_under_review
from loyalink_khalti.ports import PAID_LATER, HostOrder, PaymentMethod

from . import audit_refunds


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A broken invariant: its number, the row that breaks it, and how."""

    invariant: str
    subject: str
    detail: str


def audit() -> dict[str, Any]:
    """Return all violations and all rows at once, as ``loyalink_audit --json`` prints them; for small databases."""
    found = [asdict(violation) for violation in audit_violations()]
    return {"ok": not found, "violations": found, **{name: list(rows) for name, rows in audit_rows().items()}}


def audit_rows() -> dict[str, Iterator[dict[str, Any]]]:
    """Return iterators of payments, accounts, orders, unmatched payments and what was recorded or inferred; paisa."""
    return {
        "payments": _payment_rows(), "accounts": _account_rows(), "orders": _order_rows(),
        "unmatched_payments": _unmatched_rows(), "recorded_outcomes": _recorded_rows(),
        "inferred_refunds": audit_refunds.inferred_rows(),
    }  # fmt: skip


def audit_violations() -> Iterator[Violation]:
    """Yield every broken invariant."""
    yield from _check_payments()
    yield from _check_purchases()
    yield from _check_orders()
    for finding in audit_refunds.violations():
        yield _violation(*finding)
    for finding in counter_audit.violations():
        yield _violation(*finding)
    for invariant, subject, detail in invoice_audit.violations():
        yield _violation(invariant, subject, detail)
    for subject, invariant, detail in ledger_audit.violations():
        yield _violation(invariant, subject, detail)
    for table in unguarded_tables(connection):
        detail = "its triggers against changes are missing; migrate creates them"
        yield _violation("L14", f"table {table}", detail)


# The rows


def _payment_rows() -> Iterator[dict[str, Any]]:
    payments = Payment.objects.select_related("purchase").prefetch_related("flags").order_by("pk")
    for payment in payments.iterator(chunk_size=CHUNK):
        placed = payment.purchase.state == PurchaseState.PLACED
        yield {
            "pidx": payment.pidx,
            "state": payment.state,
            "amount": payment.amount,
            "captured": payment.captured,
            "transaction_id": payment.transaction_id,
            "order": payment.purchase.number if placed else None,
            "flags": sorted(flag.reason for flag in payment.flags.all() if flag.resolved_at is None),
            "refunded": payment.refunded,
        }


def _recorded_rows() -> Iterator[dict[str, Any]]:
    """Payments whose outcome rests on the word of staff; no lookup has confirmed it yet."""
    rows = Payment.objects.select_related("purchase").exclude(recorded_outcome="").order_by("pk")
    for payment in rows.iterator(chunk_size=CHUNK):
        yield {
            "payment": payment.purchase_order_id,
            "pidx": payment.pidx,
            "recorded": payment.recorded_outcome,
            "captured": payment.captured,
            "transaction_id": payment.transaction_id,
            "state": payment.state,
        }


def _account_rows() -> Iterator[dict[str, Any]]:
    for each in member_accounts():
        account = each.account
        yield {
            "member": each.member,
            "available": account.available,
            "pending": account.pending,
            "held": account.held,
            "owed": account.owed,
            "lifetime_earned": account.earned_in_all,
            "lifetime_redeemed": account.redeemed_in_all,
            "tier": each.tier,
        }


def _order_rows() -> Iterator[dict[str, Any]]:
    for shop in conf.shops().values():
        for chunk in chunked(shop.placed_orders()):
            emails = member_emails(order.member_id for order in chunk)
            for order in chunk:
                yield {
                    "number": order.number,
                    "member": emails.get(order.member_id, order.member_id) if order.member_id else None,
                    "total": order.total,
                    "paid": order.paid,
                    "refunded": order.refunded,
                    "status": order.status,
                }


def _unmatched_rows() -> Iterator[dict[str, Any]]:
    """Money at Khalti that no payment here is; no invariant is broken, but staff must decide."""
    for row in UnmatchedPayment.objects.to_review().order_by("found_at", "pk").iterator(chunk_size=CHUNK):
        yield {
            "pidx": row.pidx,
            "status": row.status,
            "amount": row.amount,
            "transaction_id": row.transaction_id,
            "order_id_claimed": row.claimed_order_id,
            "found_at": row.found_at.isoformat() if row.found_at else None,
        }


# The checks


def _check_orders() -> Iterator[Violation]:
    """The shops' placed orders agree with our purchases."""
    missing = Counter[str]()
    for purchase in placed_without_order():
        missing[purchase.shop] += 1
        if not MissingOrder.objects.filter(purchase=purchase, closed_at__isnull=False).exists():
            detail = f"order {purchase.number} was deleted in the shop: refund it, or close the matter"
            yield _violation("I20", str(purchase), detail)
    for purchase, cancellation in outstanding():
        if not CancelledOrder.objects.filter(purchase=purchase, closed_at__isnull=False, actor__isnull=False).exists():
            detail = f"order {purchase.number} is {cancellation.status} in the shop, and is not refunded"
            yield _violation("I21", str(purchase), f"{detail}: refund it, or close the matter")
    for name, shop in conf.shops().items():
        seen = 0
        for chunk in chunked(shop.placed_orders()):
            found = Purchase.objects.filter(shop=name, ref__in=[order.ref for order in chunk])
            purchases = {purchase.ref: purchase for purchase in found}
            pairs = [(order, purchases[order.ref]) for order in chunk if order.ref in purchases]
            for order, purchase in pairs:
                seen += purchase.state == PurchaseState.PLACED
                yield from _check_order(order, purchase)
            for finding in audit_refunds.order_violations(pairs):
                yield _violation(*finding)
        placed = Purchase.objects.filter(shop=name, state=PurchaseState.PLACED).count() - missing[name]
        if seen != placed:
            yield _violation("I1", name, f"{placed} purchases are placed, but the shop shows {seen} orders for them")


def _check_order(order: HostOrder, purchase: Purchase) -> Iterator[Violation]:
    subject = str(purchase)
    if purchase.state != PurchaseState.PLACED:
        yield _violation("I1", subject, f"the shop shows order {order.number}, but the purchase is {purchase.state}")
        return
    if order.number != purchase.number:
        yield _violation("I1", subject, f"order {purchase.number} is {order.number} in the shop")
    if order.total != purchase.amount_due:
        yield _violation("I2", subject, f"{purchase.amount_due} paisa due, but the shop's order says {order.total}")
    expected = purchase.amount_due if purchase.method == PaymentMethod.KHALTI else purchase.received
    if order.paid != expected:
        yield _violation("I2", subject, f"{expected} paisa paid, but the shop's order says {order.paid}")


def _check_payments() -> Iterator[Violation]:
    flags = Flag.objects.filter(payment=OuterRef("pk"))
    refunds = Refund.objects.filter(payment=OuterRef("pk")).exclude(state=RefundState.REFUSED)
    payments: Any = Payment.objects.select_related("purchase").annotate(
        is_reviewed=Exists(flags.filter(Q(resolved_at=None) | Q(actor__isnull=False))),  # open, or resolved by staff
        is_accepted=Exists(flags.filter(resolution=Resolution.ACCEPT)),
        has_refund=Exists(refunds),
        is_under_review=is_under_review(),
        is_refunding=Exists(refunds.filter(state__in=PENDING_REFUNDS)),
    )
    for payment in payments.order_by("pk").iterator(chunk_size=CHUNK):
        state, subject = PaymentState(payment.state), str(payment)
        is_exact = payment.captured == payment.amount and payment.transaction_id
        if payment.fulfilled_at and not is_exact and not payment.is_accepted:
            yield _violation("I2", subject, "fulfilled without exactly its amount and a transaction id")
        if payment.fulfilled_at and payment.purchase.state != PurchaseState.PLACED:
            yield _violation("I1", subject, "fulfilled, but its purchase is not placed")
        has_rest = state is PaymentState.PARTIALLY_REFUNDED and payment.fulfilled_at is None
        if (has_rest or state in UNSETTLED) and not (payment.is_reviewed or payment.has_refund):
            yield _violation("I3", subject, f"{state}, but neither fulfilled, flagged nor being refunded")
        if not payment.pidx and state not in MAYBE_WITHOUT_PIDX:
            yield _violation("I2", subject, f"{state} without a pidx")
        if has_money_without_order(payment) and not (payment.is_under_review or payment.is_refunding):
            left = (payment.captured or 0) - payment.refunded
            yield _violation("I17", subject, f"{left} paisa captured, without an order, a refund or an open flag")
        if _refund_is_missing(payment) and not (payment.is_under_review or payment.is_refunding):
            refunded = f"Khalti reported {payment.lookup_history[-1]['status']}"
            yield _violation("I18", subject, f"{refunded}, but {payment.refunded} paisa are refunded here")


def _refund_is_missing(payment: Payment) -> bool:
    """Return whether Khalti's last answer reports a refund that no Refund records."""
    if payment.state not in CAPTURED or not payment.lookup_history:
        return False
    answer = payment.lookup_history[-1]
    if answer["pidx"] != payment.pidx:
        return False
    status = Status.parse(answer["status"])
    is_full = status is Status.REFUNDED and payment.state != PaymentState.REFUNDED
    return is_full or (status is Status.PARTIALLY_REFUNDED and not payment.refunded)


def _check_purchases() -> Iterator[Violation]:
    purchases = Purchase.objects.annotate(
        # Distinct: with several flags a payment comes in as many rows.
        fulfilled=Count("payments", filter=Q(payments__fulfilled_at__isnull=False), distinct=True),
        holding=Count("payments", filter=Q(payments__state__in=sorted(HOLDING)), distinct=True),
        flagged=Count(
            "payments", filter=Q(payments__flags__isnull=False, payments__flags__resolved_at=None), distinct=True
        ),
    )
    for chunk in chunked(purchases.order_by("pk").iterator(chunk_size=CHUNK)):
        keys = [purchase.key for purchase in chunk]
        awards = set(OrderAward.objects.filter(purchase__in=keys).values_list("purchase", flat=True))
        redemptions = {
            redemption.purchase: (redemption.points, redemption.value)
            for redemption in OrderRedemption.objects.filter(purchase__in=keys)
        }
        held = set(Hold.objects.filter(purchase__in=keys, state=HoldState.ACTIVE).values_list("purchase", flat=True))
        sums = received.sums(chunk)
        for purchase in chunk:
            key = purchase.key
            yield from _check_purchase(purchase)
            yield from _check_received(purchase, sums.get(purchase.pk))
            yield from _check_points(purchase, key in awards, redemptions.get(key), key in held)


def _check_purchase(purchase: Any) -> Iterator[Violation]:
    placed = purchase.state == PurchaseState.PLACED
    if placed and purchase.method == PaymentMethod.KHALTI and purchase.fulfilled != 1:
        yield _violation("I1", str(purchase), f"placed with {purchase.fulfilled} fulfilled payments")
    if purchase.state == PurchaseState.OPEN and not purchase.holding and not purchase.flagged:
        yield _violation("I3", str(purchase), "open, but none of its payments can bring money any more")


def _check_received(purchase: Purchase, in_all: int | None) -> Iterator[Violation]:
    """All money received outside Khalti counts for the order, is a surplus, or was returned."""
    if in_all is None and purchase.received_at is not None:
        return  # marked by the version before there were rows; its row follows with the next step
    counted = (purchase.received if purchase.method in PAID_LATER else 0) + purchase.surplus
    if counted != (in_all or 0):
        yield _violation("I19", str(purchase), f"{in_all or 0} paisa received, but {counted} counted")


def _check_points(
    purchase: Purchase, awarded: bool, redeemed: tuple[int, int] | None, held: bool
) -> Iterator[Violation]:
    placed, subject = purchase.state == PurchaseState.PLACED, str(purchase)
    paid_at_once = purchase.method in {PaymentMethod.KHALTI, PaymentMethod.POINTS}
    paid = placed and (paid_at_once or purchase.received_at is not None)
    if awarded != (paid and purchase.earner is not None):
        yield _violation("I4", subject, f"awarded: {awarded}; paid for by a member: {paid}")
    points, state = purchase.points_redeemed, purchase.state
    if redeemed != ((points, purchase.points_value) if placed and points else None):
        yield _violation("L9", subject, f"redeems {points} points and is {state}; in the ledger: {redeemed}")
    if held != (state == PurchaseState.OPEN and bool(points)):
        yield _violation("L7", subject, f"redeems {points} points and is {state}; held: {held}")


def _violation(invariant: str, subject: str, detail: str) -> Violation:
    return Violation(invariant=invariant, subject=subject, detail=detail)
