"""What is written down about refunds. Amounts are paisa."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Sum
from django.utils import timezone

from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Cart, Method

from . import services
from .models import Flag, Payment, Purchase, Refund
from .states import PENDING_REFUND, SETTLED, Reason, RefundState, State


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """What refunds have given back of a purchase; money in paisa."""

    goods: Paisa
    shipping: Paisa
    cash: Paisa


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What can still be given back of a purchase: goods (at their price before points) and shipping, in paisa."""

    goods: Paisa
    shipping: Paisa
    lines: "Counter[str]"
    """How many of each sku."""


LEFT_BEHIND = timedelta(minutes=2)
"""How long after it was written down whoever sends a refund may have died."""


def so_far(purchase: Purchase) -> SoFar:
    """The sums of the refunds that were made."""
    sums = _done(purchase).aggregate(goods=Sum("goods"), shipping=Sum("shipping"), cash=Sum("cash"))
    return SoFar(**{name: Paisa(value or 0) for name, value in sums.items()})


def left(purchase: Purchase) -> Left:
    """What the refunds made so far have left."""
    cart, done = purchase.frozen_cart, so_far(purchase)
    lines = Counter[str]()
    for line in cart.lines:
        lines[line.sku] += line.quantity
    return Left(
        goods=Paisa(cart.goods - done.goods),
        shipping=Paisa(came_in(purchase) - cash_of_goods(purchase) - done.shipping),
        lines=lines - given_back(purchase),
    )


def given_back(purchase: Purchase) -> "Counter[str]":
    """How many of each sku were given back."""
    return counted(line for refund in _done(purchase) for line in refund.lines)


def counted(lines: Iterable[Sequence[object]]) -> "Counter[str]":
    """How many of each sku there are in lines, each a sku, a quantity and whatever else."""
    found = Counter[str]()
    for sku, quantity, *_more in lines:
        found[str(sku)] += int(str(quantity))
    return found


def goods_of(purchase: Purchase, asked: "Counter[str]") -> Paisa:
    """What so many more of each sku cost, before points; any number of parts sums to the whole lines."""
    cart, done = purchase.frozen_cart, given_back(purchase)
    if asked and asked == left(purchase).lines:
        return left(purchase).goods
    return Paisa(
        sum(_cost(cart, sku, done[sku] + quantity) - _cost(cart, sku, done[sku]) for sku, quantity in asked.items())
    )


def _cost(cart: Cart, sku: str, quantity: int) -> int:
    """What the first so many of a sku cost, half a paisa up."""
    cost = 0
    for line in cart.lines:
        part = min(quantity, line.quantity) if line.sku == sku else 0
        if part:
            cost += (2 * line.total * part + line.quantity) // (2 * line.quantity)
            quantity -= part
    return cost


def came_in(purchase: Purchase) -> Paisa:
    """The money that has come in for a placed purchase."""
    return Paisa(purchase.payable if purchase.method == Method.KHALTI else purchase.received)


def is_awaited(purchase: Purchase) -> bool:
    """Whether cash or a transfer is still to come."""
    return purchase.method in {Method.COD, Method.BANK_TRANSFER} and purchase.received_at is None


def cash_of_goods(purchase: Purchase) -> Paisa:
    """The money that has come in for goods; points pay goods first, then shipping."""
    return Paisa(min(max(purchase.frozen_cart.goods - purchase.worth, 0), came_in(purchase)))


def paid_by(payments: Sequence[Payment]) -> Payment | None:
    """The payment that settled the purchase."""
    return next((payment for payment in payments if payment.state in SETTLED and payment.fulfilled_at), None)


def has_any(purchase: Purchase) -> bool:
    """Whether anything was given back."""
    return _done(purchase).exists()


def pending(purchase: Purchase) -> "list[Refund]":
    """Refunds of which nobody knows yet what became of them: one at most, says the database."""
    return list(purchase.refunds.filter(state__in=sorted(PENDING_REFUND)).order_by("pk"))


def of_payment(payment: Payment) -> "list[Refund]":
    """The refunds of a payment that were made or may have been, the newest first."""
    return list(payment.refunds.exclude(state=RefundState.REFUSED).order_by("-pk"))


def newest(purchase: Purchase) -> int:
    """Which refund of a purchase is the newest that was made or may have been: its pk, 0 where there is none."""
    made = purchase.refunds.exclude(state=RefundState.REFUSED).order_by("-pk").values_list("pk", flat=True)
    return made.first() or 0


def not_carried(purchase: Purchase) -> "list[Refund]":
    """Refunds whose cash is back, while shop and points have not followed."""
    return list(_done(purchase).filter(carried_at=None).order_by("pk"))


def write_down(**fields: Any) -> Refund:
    """Write a refund before anybody hears of it; should its sender die, the next pass looks what became of it."""
    refund = Refund.objects.create(**fields)
    if refund.payment is not None:
        Payment.objects.filter(pk=refund.payment.pk).update(watch_after=timezone.now() + LEFT_BEHIND)
    return refund


def send(refund: Refund) -> bool:
    """Become the one who sends a refund to Khalti; False where it was sent before. Committed before it is sent."""
    waiting = Refund.objects.filter(pk=refund.pk, state=RefundState.REQUESTED)
    return bool(waiting.update(state=RefundState.SENT, sent_at=timezone.now()))


def give_up(purchase: Purchase, *, before: datetime) -> None:
    """End what a crash left behind: ``requested`` was not sent, ``sent`` may have been heard; under the lock."""
    for refund in purchase.refunds.filter(
        requested_at__lt=before, state__in=[RefundState.REQUESTED, RefundState.SENT]
    ):
        if refund.state == RefundState.SENT:
            mark_unknown(refund, "")
        else:  # only while it still waits: ``send`` takes no lock of the purchase, and may be at it just now
            waiting = Refund.objects.filter(pk=refund.pk, state=RefundState.REQUESTED)
            waiting.update(state=RefundState.REFUSED, words="It was never sent.")


def mark_unknown(refund: Refund, words: str) -> None:
    """Khalti was asked and nobody knows what it did: staff must look, and the next job asks."""
    resolve(refund, RefundState.UNKNOWN, words)
    if refund.payment is not None:
        Payment.objects.filter(pk=refund.payment.pk).update(watch_after=None)
        services.raise_flag(refund.payment, Reason.REFUND_UNKNOWN, {"refund": refund.key, "cash": refund.cash})


def resolve(refund: Refund, state: RefundState, words: str = "") -> None:
    """Write down what became of it."""
    refund.state, refund.words = state, words[:500]
    if state is RefundState.DONE:
        refund.done_at = timezone.now()
    refund.save(update_fields=["state", "words", "done_at"])


def resolve_flag(refund: Refund, reason: Reason, resolution: str = "done") -> None:
    """What a refund was flagged for has come right, or is known by now."""
    flags = Flag.objects.filter(payment=refund.payment_id, reason=reason, resolved_at=None)
    flags.filter(evidence__refund=refund.key).update(resolved_at=timezone.now(), resolution=resolution)


def give_back(payment: Payment, cash: int) -> None:
    """Count cash as given back by Khalti; the payment is locked."""
    refunded = payment.refunded + cash
    to = State.REFUNDED if refunded == payment.captured else State.PART_REFUNDED
    if payment.state == to:
        services.save(payment, refunded=refunded)
    else:
        services.move(payment, to, refunded=refunded)


def _done(purchase: Purchase) -> "QuerySet[Refund]":
    """What was given back of the order; a payment that bought nothing takes nothing off it."""
    return Refund.objects.filter(purchase=purchase, kind=Refund.Kind.ORDER, state=RefundState.DONE)
