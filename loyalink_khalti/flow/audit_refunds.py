"""What the audit checks of refunds: Khalti's money, the shop's orders and the points tell the same of each.

Each fault is an invariant, its subject and a detail. Rows are read in chunks.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.models import Count, Max, Q, Sum

from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption, RefundApplied
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import Reason, RefundState, State
from loyalink_khalti.ports import HostOrder

from .people import CHUNK, chunks

Fault = tuple[str, str, str]
_DONE = Q(kind=Refund.Kind.ORDER, state=RefundState.DONE)
_CARRIED = _DONE & Q(carried_at__isnull=False)


def faults() -> Iterator[Fault]:
    """Whatever is wrong with refunds, but for what the shops' orders say."""
    touched = Purchase.objects.filter(pk__in=Refund.objects.filter(_DONE).values("purchase")).order_by("pk")
    for chunk in chunks(touched.iterator(chunk_size=CHUNK)):
        yield from _chunk_faults(chunk)
    yield from _payment_faults()
    yield from _told_to_staff()


def order_faults(pairs: Iterable[tuple[HostOrder, Purchase]]) -> Iterator[Fault]:
    """Where a shop's orders tell of other refunds than were made."""
    told = list(pairs)
    rows = Refund.objects.filter(_CARRIED, purchase__in=[purchase for _, purchase in told])
    cash = dict(rows.values_list("purchase").annotate(Sum("cash")).order_by())
    for order, purchase in told:
        expected = cash.get(purchase.pk, 0)
        if order.refunded != expected:
            detail = f"{expected} paisa were given back, the shop's order says {order.refunded}"
            yield "I7", str(purchase), detail


def _chunk_faults(purchases: list[Purchase]) -> Iterator[Fault]:
    keys = [purchase.key for purchase in purchases]
    rows = Refund.objects.filter(_DONE, purchase__in=purchases).values("purchase").order_by()
    sums = {
        row["purchase"]: row
        for row in rows.annotate(
            all_goods=Sum("goods"),
            all_shipping=Sum("shipping"),
            all_cash=Sum("cash"),
            back=Sum("restored"),
            taken=Sum("clawed"),
            carried=Count("pk", filter=_CARRIED),
            carried_goods=Sum("goods", filter=_CARRIED, default=0),
        )
    }
    applied = {
        purchase: (number, most)
        for purchase, number, most in RefundApplied.objects.filter(purchase__in=keys)
        .values_list("purchase")
        .annotate(Count("pk"), Max("cumulative"))
        .order_by()
    }
    spent = {row.purchase: row for row in OrderRedemption.objects.filter(purchase__in=keys)}
    awarded = {row.purchase: row for row in OrderAward.objects.filter(purchase__in=keys)}
    for purchase in purchases:
        found = sums.get(purchase.pk)
        if found is None:
            continue
        yield from _money_faults(purchase, found)
        yield from _points_faults(
            purchase, found, applied.get(purchase.key, (0, 0)), spent.get(purchase.key), awarded.get(purchase.key)
        )


def _money_faults(purchase: Purchase, found: Mapping[str, Any]) -> Iterator[Fault]:
    goods, came = purchase.frozen_cart.goods, refunds.came_in(purchase)
    if found["all_goods"] > goods:
        yield "I7", str(purchase), f"goods for {found['all_goods']} paisa were given back of {goods}"
    if found["all_cash"] > came:
        yield "L11", str(purchase), f"{found['all_cash']} paisa were given back of {came} that came in"
    most = came - refunds.cash_of_goods(purchase)
    if found["all_shipping"] > most:
        yield "I7", str(purchase), f"{found['all_shipping']} paisa of shipping were given back of {most}"


def _points_faults(
    purchase: Purchase,
    found: Mapping[str, Any],
    applied: tuple[int, int],
    spent: OrderRedemption | None,
    award: OrderAward | None,
) -> Iterator[Fault]:
    if applied != (found["carried"], found["carried_goods"]):
        told = f"{found['carried']} refunds of goods for {found['carried_goods']} paisa, the points follow {applied}"
        yield "I7", str(purchase), told
    restored, clawed = (spent.restored if spent else 0), (award.clawed if award else 0)
    if restored != found["back"]:
        yield "L9", str(purchase), f"{found['back']} points came back by refunds, the ledger says {restored}"
    if clawed != found["taken"]:
        yield "L8", str(purchase), f"{found['taken']} points were taken back by refunds, the ledger says {clawed}"
    if found["carried_goods"] < purchase.frozen_cart.goods or not found["carried"]:
        return
    if spent and restored != spent.points:
        yield "L9", str(purchase), f"all goods are back, but {restored} of {spent.points} points"
    if award and clawed != award.proportional + award.fixed:
        earned = award.proportional + award.fixed
        yield "L8", str(purchase), f"all goods are back, but {clawed} of {earned} points were taken back"


def _payment_faults() -> Iterator[Fault]:
    """A payment has given back what its refunds say; more only where Khalti's own dashboard did."""
    given = Sum("refunds__cash", filter=Q(refunds__state=RefundState.DONE), default=0)
    elsewhere = set(Flag.objects.filter(reason=Reason.REFUNDED_AT_KHALTI).values_list("payment", flat=True))
    touched = Payment.objects.select_related("purchase").annotate(given=given)
    for payment in touched.filter(Q(refunded__gt=0) | Q(given__gt=0)).order_by("pk").iterator(chunk_size=CHUNK):
        if payment.refunded < payment.given or (payment.refunded > payment.given and payment.pk not in elsewhere):
            yield "I7", str(payment), f"its refunds gave {payment.given} paisa back, it says {payment.refunded}"
        whole = payment.refunded == payment.captured
        if payment.state != (State.REFUNDED if whole else State.PART_REFUNDED):
            yield "I8", str(payment), f"{payment.refunded} of {payment.captured} are back, it is {payment.state}"


def _told_to_staff() -> Iterator[Fault]:
    """Whatever stands open is flagged."""
    ends = {RefundState.UNKNOWN: Reason.REFUND_UNKNOWN, RefundState.DONE: Reason.HOST_FAILED}
    for state, reason in ends.items():
        flagged = Flag.objects.filter(reason=reason, resolved_at=None).values("payment")
        found = Refund.objects.filter(state=state, carried_at=None).exclude(payment__in=flagged)
        for refund in found.order_by("pk").iterator(chunk_size=CHUNK):
            yield "I16", f"refund {refund.pk}", f"{state}, not carried into the shop, and no flag {reason}"
