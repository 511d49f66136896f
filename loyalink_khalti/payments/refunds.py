"""Refunds: what is refundable, and each step of a Refund row. Amounts are paisa."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from loyalink_khalti import telemetry
from loyalink_khalti.clock import DatabaseTime, database_now, is_older, time_of
from loyalink_khalti.money import Paisa, PointsByPart, points_by_part
from loyalink_khalti.ports import PAID_LATER, Cart, PaymentMethod

from . import refund_mobile
from .flags import raise_flag
from .models import Flag, Payment, Purchase, Refund
from .polling import poll_in, poll_now
from .states import IN_FLIGHT_REFUNDS, PENDING_REFUNDS, SETTLED, FlagReason, PaymentState, RefundKind, RefundState
from .transitions import move, save


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundTotals:
    """The sums of a purchase's refunds, in paisa.

    ``subtotal`` and ``shipping`` are prices before points. ``amount`` is money, ``shipping_amount`` of it is for
    delivery.
    """

    subtotal: Paisa
    shipping: Paisa
    amount: Paisa
    shipping_amount: Paisa

    @property
    def product_amount(self) -> Paisa:
        return Paisa(self.amount - self.shipping_amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refundable:
    """What is left to refund of a purchase, in paisa; ``subtotal`` and ``shipping`` at the price before points."""

    subtotal: Paisa
    shipping: Paisa
    lines: "Counter[str]"
    """Quantities by ``Line.key``."""


SHIPPING_PRICE = Coalesce("shipping_before_points", "shipping")
"""``Refund.shipping_price``, for the database to sum."""
SENDER_GONE_AFTER = timedelta(minutes=2)
"""How long after a refund was created its sender has either finished or died."""


def totals(purchase: Purchase) -> RefundTotals:
    """Return the sums of the refunds that were made of an order."""
    sums = _done(purchase).aggregate(
        refunded_subtotal=Sum("subtotal"), refunded_shipping=Sum(SHIPPING_PRICE), money=Sum("amount"),
        money_for_shipping=Sum("shipping"),
    )  # fmt: skip
    subtotal, shipping, amount, shipping_amount = (Paisa(value or 0) for value in sums.values())
    return RefundTotals(subtotal=subtotal, shipping=shipping, amount=amount, shipping_amount=shipping_amount)


def refundable(purchase: Purchase) -> Refundable:
    """Return what the refunds made so far leave to refund of an order."""
    cart, done = purchase.frozen_cart, totals(purchase)
    lines = Counter[str]()
    for line in cart.lines:
        lines[line.key] += line.quantity
    return Refundable(
        subtotal=Paisa(cart.subtotal - done.subtotal),
        shipping=Paisa(cart.shipping - done.shipping),
        lines=lines - refunded_lines(purchase),
    )


def refunded_lines(purchase: Purchase) -> "Counter[str]":
    """Return the refunded quantities by ``Line.key``.

    The version before named lines by their SKU, also those of an order that this version has frozen.
    """
    named = count_lines(line for refund in _done(purchase) for line in refund.lines)
    return lines_by_key(purchase.frozen_cart, named) if named else named


def lines_by_key(cart: Cart, named: "Counter[str]") -> "Counter[str]":
    """Return quantities by ``Line.key``, where a name may be a SKU: of its lines the first, as far as they go."""
    counted = Counter[str]({line.key: named.pop(line.key) for line in cart.lines if line.key in named})
    for line in cart.lines:
        part = min(named[line.sku], line.quantity - counted[line.key])
        if part > 0:
            counted[line.key] += part
            named[line.sku] -= part
    return counted + named


def count_lines(lines: Iterable[Sequence[object]]) -> "Counter[str]":
    """Return quantities by ``Line.key``; each line begins with a key and a quantity."""
    counted = Counter[str]()
    for key, quantity, *_more in lines:
        counted[str(key)] += int(str(quantity))
    return counted


def subtotal_of(purchase: Purchase, quantities: "Counter[str]") -> Paisa:
    """Return the price before points of so many more of each line; all partial refunds sum to the whole lines."""
    cart, done = purchase.frozen_cart, refunded_lines(purchase)
    if quantities and quantities == refundable(purchase).lines:
        return refundable(purchase).subtotal
    return Paisa(
        sum(
            _price_of_first(cart, key, done[key] + quantity) - _price_of_first(cart, key, done[key])
            for key, quantity in quantities.items()
        )
    )


def _price_of_first(cart: Cart, key: str, quantity: int) -> int:
    """Return what the first ``quantity`` of a line cost; half a paisa rounds up. Old Carts repeat keys."""
    price = 0
    for line in cart.lines:
        part = min(quantity, line.quantity) if line.key == key else 0
        if part:
            price += (2 * line.total * part + line.quantity) // (2 * line.quantity)
            quantity -= part
    return price


def amount_paid(purchase: Purchase) -> Paisa:
    """Return the money that was paid for a placed order: captured by Khalti, or received in cash or by transfer."""
    return Paisa(purchase.amount_due if purchase.method == PaymentMethod.KHALTI else purchase.received)


def is_awaiting_money(purchase: Purchase) -> bool:
    """Return whether cash or a bank transfer has not arrived yet."""
    return purchase.method in PAID_LATER and purchase.received_at is None


def cancellation(purchase: Purchase) -> Refund | None:
    """Return the refund that has cancelled an order before it was paid; None for any other order."""
    return _done(purchase).order_by("pk").first() if is_awaiting_money(purchase) else None


def undo(refund: Refund) -> None:
    """Record that the order is placed again that this refund had cancelled; what it returned stays returned."""
    refund.undone_at = database_now()
    refund.save(update_fields=["undone_at"])


def paid_for_products(purchase: Purchase) -> Paisa:
    """Return the money that was paid for products, without delivery: points pay products first, then delivery."""
    return _paid_by_part(purchase)[0]


def paid_for_shipping(purchase: Purchase) -> Paisa:
    """Return the money that was paid for delivery."""
    return _paid_by_part(purchase)[1]


def paid_by_points(purchase: Purchase) -> PointsByPart:
    """Return what points paid of the products and of the delivery: of products first."""
    cart = purchase.frozen_cart
    return points_by_part(
        purchase.points_redeemed, purchase.points_value, subtotal=cart.subtotal, shipping=cart.shipping
    )


def _paid_by_part(purchase: Purchase) -> tuple[Paisa, Paisa]:
    """The money for products and for delivery; where less arrived than was due, it paid for products first."""
    cart, by_points, paid = purchase.frozen_cart, paid_by_points(purchase), amount_paid(purchase)
    for_products = min(cart.subtotal - by_points.products_value, paid)
    return Paisa(for_products), Paisa(min(cart.shipping - by_points.shipping_value, paid - for_products))


def settling_payment(payments: Sequence[Payment]) -> Payment | None:
    """Return the payment that paid for the order; None where it was not paid at Khalti."""
    return next((payment for payment in payments if payment.state in SETTLED and payment.fulfilled_at), None)


def has_money(purchase: Purchase) -> bool:
    """Return whether a placed order is paid, or cash or a part of a bank transfer has arrived for it."""
    return not is_awaiting_money(purchase) or bool(purchase.received or purchase.surplus)


def has_any(purchase: Purchase) -> bool:
    """Return whether any refund of the order was made."""
    return _done(purchase).exists()


def confirmed_by_khalti(payment: Payment) -> Paisa:
    """Return how much of what is refunded of a payment Khalti itself reported; the rest is recorded by staff alone."""
    by_staff = Q(reverses=None, sent_at=None, actor__isnull=False) | Q(
        reverses__isnull=False, reverses__sent_at=None, reverses__actor__isnull=False
    )
    recorded = payment.refunds.filter(by_staff, state=RefundState.DONE).aggregate(amount=Sum("amount"))["amount"]
    return Paisa(payment.refunded - (recorded or 0))


def pending(purchase: Purchase) -> "list[Refund]":
    """Return the refunds without a final state; the database allows one."""
    return list(purchase.refunds.filter(state__in=sorted(PENDING_REFUNDS)).order_by("pk"))


def of_payment(payment: Payment) -> "list[Refund]":
    """Return the refunds of a payment that Khalti did not refuse, the newest first."""
    return list(payment.refunds.exclude(state=RefundState.REFUSED).order_by("-pk"))


def newest_pk(purchase: Purchase) -> int:
    """Return the pk of the newest refund of a purchase that was not refused; 0 where there is none.

    A page that shows what is refundable sends it back, so that a refund made meanwhile is detected.
    """
    made = purchase.refunds.exclude(state=RefundState.REFUSED).order_by("-pk").values_list("pk", flat=True)
    return made.first() or 0


def unapplied(purchase: Purchase) -> "list[Refund]":
    """Return the refunds whose money has gone back, while order and points are not updated yet."""
    return list(_done(purchase).filter(applied_at=None).order_by("pk"))


def create(*, mobile: str = "", **fields: Any) -> Refund:
    """Create a Refund to commit before Khalti is called; should its sender die, a pass looks the payment up later."""
    refund = Refund(requested_at=time_of(fields["purchase"]), **fields)
    refund_mobile.keep(refund, mobile)
    refund.save(force_insert=True)
    if refund.payment is not None:
        poll_in(refund.payment, SENDER_GONE_AFTER)
    return refund


def mark_sent(refund: Refund) -> bool:
    """Return True to the one process that may send a refund to Khalti; commit it before the call."""
    unsent = Refund.objects.filter(pk=refund.pk, state=RefundState.REQUESTED)
    return bool(unsent.update(state=RefundState.SENT, sent_at=DatabaseTime()))


def refuse_unsent(refund: Refund, message: str) -> bool:
    """Record that a refund is not sent, with a sentence for staff; False where it was sent or ended meanwhile.

    By a condition and without a lock: another process may send it at this moment.
    """
    unsent = Refund.objects.filter(pk=refund.pk, state=RefundState.REQUESTED)
    is_refused = bool(unsent.update(state=RefundState.REFUSED, khalti_message=message[:500]))
    if is_refused:
        _count(RefundState.REFUSED)
    return is_refused


def abandoned_for(time: timedelta) -> Q:
    """Return the condition that a refund has no result although it was created, or sent, so long ago."""
    unsent = is_older("requested_at", time) & Q(sent_at=None)
    return (is_older("sent_at", time) | unsent) & Q(state__in=sorted(IN_FLIGHT_REFUNDS))


def end_abandoned(purchase: Purchase, abandoned: Q) -> None:
    """End the refunds of a locked purchase whose sender died: ``requested`` was not sent, ``sent`` may have been."""
    for refund in purchase.refunds.filter(abandoned):
        if refund.state == RefundState.SENT:
            mark_unknown(refund, "")
        else:
            refuse_unsent(refund, "It was never sent.")


def mark_unknown(refund: Refund, khalti_message: str) -> None:
    """Record that Khalti did not answer: raise a Flag, and let the next pass look the payment up."""
    set_state(refund, RefundState.UNKNOWN, khalti_message)
    if refund.payment is not None:
        poll_now(refund.payment)
        raise_flag(refund.payment, FlagReason.REFUND_UNKNOWN, {"refund": refund.key, "amount": refund.amount})


def set_state(refund: Refund, state: RefundState, khalti_message: str = "") -> None:
    """Record the result of a refund with Khalti's own words."""
    refund.state, refund.khalti_message = state, khalti_message[:500]
    if state is RefundState.DONE:
        refund.done_at = database_now()
    refund.save(update_fields=["state", "khalti_message", "done_at"])
    _count(state)


def _count(state: RefundState) -> None:
    transaction.on_commit(partial(telemetry.count_refund, state.value), robust=True)


def mark_inferred(refund: Refund) -> None:
    """Record that lookup's answer alone decides about a refund: Khalti has never confirmed or refused it."""
    refund.inferred = True
    refund.save(update_fields=["inferred"])


def inferred() -> "QuerySet[Refund]":
    """Return the refunds whose result was inferred, unless they are taken back."""
    return Refund.objects.filter(inferred=True, reversal=None)


def resolve_flag(refund: Refund, reason: FlagReason, resolution: str = "done") -> None:
    """Resolve the open Flag about this refund."""
    flags = Flag.objects.filter(payment=refund.payment_id, reason=reason, resolved_at=None)
    flags.filter(evidence__refund=refund.key).update(resolved_at=DatabaseTime(), resolution=resolution)


def add_to_refunded(payment: Payment, amount: int) -> None:
    """Count ``amount`` as refunded by Khalti, less where it is negative; the payment is locked."""
    refunded = payment.refunded + amount
    to = _state_with(payment, refunded)
    if payment.state == to:
        save(payment, refunded=refunded)
    else:
        move(payment, to, refunded=refunded)


def _state_with(payment: Payment, refunded: int) -> PaymentState:
    if refunded == payment.captured:
        return PaymentState.REFUNDED
    if refunded:
        return PaymentState.PARTIALLY_REFUNDED
    if payment.fulfilled_at is not None:
        return PaymentState.FULFILLED
    is_exact = payment.captured == payment.amount and payment.transaction_id
    return PaymentState.PAID if is_exact else PaymentState.MISMATCHED


def _done(purchase: Purchase) -> "QuerySet[Refund]":
    """Refunds of the order as it is now; a refund of money that bought nothing takes nothing off it."""
    return Refund.objects.filter(purchase=purchase, kind=RefundKind.ORDER, state=RefundState.DONE, undone_at=None)
