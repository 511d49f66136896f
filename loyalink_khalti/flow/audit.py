"""Every promise that a database can show, checked: Khalti's money, the shop's orders and the points must agree.

Numbers in ``invariant``: I… are those of money, L… those of the ledger. Everything is an iterator that reads rows in
chunks, so that ten million of them take no more memory than a thousand.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q

from loyalink_khalti import conf
from loyalink_khalti.loyalty import books
from loyalink_khalti.loyalty.models import Hold
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import HOLDING, RefundState, State
from loyalink_khalti.ports import HostOrder, Method

from . import audit_refunds, people
from .decide import Decision
from .people import CHUNK, chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that is broken, and by what."""

    invariant: str
    subject: str
    detail: str


def audit() -> dict[str, Any]:
    """Check everything and tell all of it at once: for few rows; the command streams."""
    found = [asdict(violation) for violation in violations()]
    told = {name: list(rows) for name, rows in told_of().items()}
    return {"ok": not found, "violations": found, **told}


def told_of() -> dict[str, Iterator[dict[str, Any]]]:
    """What there is to tell, each read when it is asked for: payments, accounts and placed orders; money in paisa."""
    return {"payments": _payments(), "accounts": _accounts(), "orders": _orders()}


def violations() -> Iterator[Violation]:
    """Every promise that is broken, found one after the other."""
    yield from _payments_hold()
    yield from _purchases_hold()
    yield from _orders_agree()
    yield from _refunds_hold()
    yield from _ledger_holds()


# What is told


def _payments() -> Iterator[dict[str, Any]]:
    payments = Payment.objects.select_related("purchase").prefetch_related("flags").order_by("pk")
    for payment in payments.iterator(chunk_size=CHUNK):
        placed = payment.purchase.state == Purchase.State.PLACED
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


def _accounts() -> Iterator[dict[str, Any]]:
    for standing in people.standings():
        account = standing.account
        yield {
            "member": standing.member,
            "available": account.available,
            "pending": account.pending,
            "held": account.held,
            "owed": account.owed,
            "lifetime_earned": account.lifetime_earned,
            "lifetime_redeemed": account.lifetime_redeemed,
            "tier": standing.tier,
        }


def _orders() -> Iterator[dict[str, Any]]:
    for shop in conf.shops().values():
        for chunk in chunks(shop.orders()):
            names = people.emails(order.member_id for order in chunk)
            for order in chunk:
                yield {
                    "number": order.number,
                    "member": names.get(order.member_id, order.member_id) if order.member_id else None,
                    "total": order.total,
                    "paid": order.paid,
                    "refunded": order.refunded,
                    "status": order.status,
                }


# What is checked


def _orders_agree() -> Iterator[Violation]:
    """Where the shops' placed orders and our purchases disagree."""
    for name, shop in conf.shops().items():
        seen = 0
        for chunk in chunks(shop.orders()):
            found = Purchase.objects.filter(shop=name, ref__in=[order.ref for order in chunk])
            purchases = {purchase.ref: purchase for purchase in found}
            pairs = [(order, purchases[order.ref]) for order in chunk if order.ref in purchases]
            for order, purchase in pairs:
                seen += purchase.state == Purchase.State.PLACED
                yield from _order_agrees(order, purchase)
            yield from (_broken(*fault) for fault in audit_refunds.order_faults(pairs))
        placed = Purchase.objects.filter(shop=name, state=Purchase.State.PLACED).count()
        if seen != placed:
            yield _broken("I1", name, f"{placed} purchases are placed, the shop shows {seen} orders for them")


def _order_agrees(order: HostOrder, purchase: Purchase) -> Iterator[Violation]:
    if purchase.state != Purchase.State.PLACED:
        yield _broken("I1", str(purchase), f"the shop shows order {order.number}, the purchase is {purchase.state}")
        return
    if order.number != purchase.number:
        yield _broken("I1", str(purchase), f"order {purchase.number} is {order.number} in the shop")
    if order.total != purchase.payable:
        yield _broken("I2", str(purchase), f"{purchase.payable} paisa to pay, the shop's order says {order.total}")
    expected = purchase.payable if purchase.method == Method.KHALTI else purchase.received
    if order.paid != expected:
        yield _broken("I2", str(purchase), f"{expected} paisa came in, the shop's order says {order.paid}")


def _payments_hold() -> Iterator[Violation]:
    told = Flag.objects.filter(payment=OuterRef("pk"))
    stands = told.filter(Q(resolved_at=None) | Q(actor__isnull=False))  # open, or answered by a person
    goes_back = Refund.objects.filter(payment=OuterRef("pk")).exclude(state=RefundState.REFUSED)
    payments = Payment.objects.select_related("purchase").annotate(
        is_told=Exists(stands),
        is_accepted=Exists(told.filter(resolution=Decision.ACCEPT)),
        goes_back=Exists(goes_back),
    )
    for payment in payments.order_by("pk").iterator(chunk_size=CHUNK):
        state, placed = payment.state, payment.purchase.state == Purchase.State.PLACED
        exact = payment.captured == payment.amount and payment.transaction_id
        if payment.fulfilled_at and not exact and not payment.is_accepted:
            yield _broken("I2", str(payment), "fulfilled without exactly its amount and a transaction id")
        if payment.fulfilled_at and not placed:
            yield _broken("I1", str(payment), "fulfilled, but its purchase is not placed")
        unspent = state == State.PART_REFUNDED and payment.fulfilled_at is None
        if (unspent or state in {State.PAID, State.MISMATCHED}) and not (payment.is_told or payment.goes_back):
            yield _broken("I3", str(payment), f"{state}, but neither fulfilled, flagged nor on its way back")
        if state != State.CREATED and not payment.pidx and state != State.RELEASED:
            yield _broken("I2", str(payment), f"{state} without a pidx")


def _purchases_hold() -> Iterator[Violation]:
    purchases = Purchase.objects.annotate(
        # Distinct: with several flags a payment comes in as many rows.
        fulfilled=Count("payments", filter=Q(payments__fulfilled_at__isnull=False), distinct=True),
        holding=Count("payments", filter=Q(payments__state__in=sorted(HOLDING)), distinct=True),
        flagged=Count(
            "payments", filter=Q(payments__flags__isnull=False, payments__flags__resolved_at=None), distinct=True
        ),
    )
    for chunk in chunks(purchases.order_by("pk").iterator(chunk_size=CHUNK)):
        keys = [purchase.key for purchase in chunk]
        awards = set(OrderAward.objects.filter(purchase__in=keys).values_list("purchase", flat=True))
        spent = {
            redemption.purchase: (redemption.points, redemption.value)
            for redemption in OrderRedemption.objects.filter(purchase__in=keys)
        }
        held = set(Hold.objects.filter(purchase__in=keys, state=Hold.State.ACTIVE).values_list("purchase", flat=True))
        for purchase in chunk:
            yield from _purchase_holds(purchase)
            yield from _points_follow(purchase, purchase.key in awards, spent.get(purchase.key), purchase.key in held)


def _purchase_holds(purchase: Any) -> Iterator[Violation]:
    placed = purchase.state == Purchase.State.PLACED
    if placed and purchase.method == Method.KHALTI and purchase.fulfilled != 1:
        yield _broken("I1", str(purchase), f"placed with {purchase.fulfilled} fulfilled payments")
    if purchase.state == Purchase.State.OPEN and not purchase.holding and not purchase.flagged:
        yield _broken("I3", str(purchase), "open, though none of its payments can bring money any more")


def _points_follow(
    purchase: Purchase, awarded: bool, spent: tuple[int, int] | None, held: bool
) -> Iterator[Violation]:
    placed = purchase.state == Purchase.State.PLACED
    paid_for = placed and (purchase.method in {Method.KHALTI, Method.POINTS} or purchase.received_at is not None)
    if awarded != (paid_for and purchase.earner is not None):
        yield _broken("I4", str(purchase), f"awarded: {awarded}; paid for by a member: {paid_for}")
    if spent != ((purchase.spends, purchase.worth) if placed and purchase.spends else None):
        yield _broken("L9", str(purchase), f"spends {purchase.spends} points and is {purchase.state}; spent: {spent}")
    if held != (purchase.state == Purchase.State.OPEN and bool(purchase.spends)):
        yield _broken("L7", str(purchase), f"spends {purchase.spends} points and is {purchase.state}; held: {held}")


def _refunds_hold() -> Iterator[Violation]:
    yield from (_broken(*fault) for fault in audit_refunds.faults())


def _ledger_holds() -> Iterator[Violation]:
    for subject, invariant, detail in books.faults():
        yield _broken(invariant, subject, detail)


def _broken(invariant: str, subject: str, detail: str) -> Violation:
    return Violation(invariant=invariant, subject=subject, detail=detail)
