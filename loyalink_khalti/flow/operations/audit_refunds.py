"""What the audit checks of refunds: payments, the shop's orders and the points must record the same.

Each finding is an invariant, its subject and a detail. Rows are read in chunks.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.models import Count, Q, Sum

from loyalink_khalti.flow.members.directory import CHUNK, chunked
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption, RefundApplied
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import FlagReason, PaymentState, RefundKind, RefundState
from loyalink_khalti.ports import HostOrder

Finding = tuple[str, str, str]
_DONE = Q(kind=RefundKind.ORDER, state=RefundState.DONE, undone_at=None)
_APPLIED = _DONE & Q(applied_at__isnull=False)


def violations() -> Iterator[Finding]:
    """Yield everything that is wrong with refunds, except what the shops' orders show."""
    refunded = Purchase.objects.filter(pk__in=Refund.objects.filter(_DONE).values("purchase")).order_by("pk")
    for chunk in chunked(refunded.iterator(chunk_size=CHUNK)):
        yield from _check_purchases(chunk)
    yield from _check_payments()
    yield from _check_flags()


def order_violations(pairs: Iterable[tuple[HostOrder, Purchase]]) -> Iterator[Finding]:
    """Yield the shop's orders that show another refunded amount than their purchases."""
    pairs = list(pairs)
    rows = Refund.objects.filter(_APPLIED, purchase__in=[purchase for _order, purchase in pairs])
    amounts = dict(rows.values_list("purchase").annotate(Sum("amount")).order_by())
    for order, purchase in pairs:
        expected = amounts.get(purchase.pk, 0)
        if order.refunded != expected:
            yield "I7", str(purchase), f"{expected} paisa refunded, but the shop's order says {order.refunded}"


def inferred_rows() -> Iterator[dict[str, Any]]:
    """Yield the refunds whose result rests on lookup alone: Khalti has neither confirmed nor refused them."""
    rows = refunds.inferred().select_related("purchase", "payment").order_by("pk")
    for refund in rows.iterator(chunk_size=CHUNK):
        yield {
            "refund": refund.key,
            "order": refund.purchase.number or str(refund.purchase),
            "pidx": refund.payment.pidx if refund.payment else None,
            "amount": refund.amount,
            "state": refund.state,
            "khalti": refund.khalti_message,
        }


def _check_purchases(purchases: list[Purchase]) -> Iterator[Finding]:
    keys = [purchase.key for purchase in purchases]
    rows = Refund.objects.filter(_DONE, purchase__in=purchases).values("purchase").order_by()
    totals = {
        row["purchase"]: row
        for row in rows.annotate(
            subtotals=Sum("subtotal"),
            shippings=Sum(refunds.SHIPPING_PRICE),
            shipping_amounts=Sum("shipping"),
            amounts=Sum("amount"),
            restored=Sum("points_restored"),
            clawed_back=Sum("points_clawed_back"),
            applied=Count("pk", filter=_APPLIED),
            applied_subtotals=Sum("subtotal", filter=_APPLIED, default=0),
            applied_shippings=Sum(refunds.SHIPPING_PRICE, filter=_APPLIED, default=0),
        )
    }
    applied_to_points = _applied_to_points(keys)
    redemptions = {row.purchase: row for row in OrderRedemption.objects.filter(purchase__in=keys)}
    awards = {row.purchase: row for row in OrderAward.objects.filter(purchase__in=keys)}
    for purchase in purchases:
        total = totals.get(purchase.pk)
        if total is None:  # undone since the purchases were read
            continue
        yield from _check_money(purchase, total)
        yield from _check_applied(purchase, total, *applied_to_points.get(purchase.key, (0, 0, 0)))
        yield from _check_points(purchase, total, redemptions.get(purchase.key), awards.get(purchase.key))


def _applied_to_points(keys: list[str]) -> dict[str, tuple[int, int, int | None]]:
    """Return the number of refunds that the ledger has applied to each purchase, and how much they refund in all.

    The newest row has it: a reversal lowers it. The delivery is None where a row does not have it.
    """
    applied: dict[str, tuple[int, int, int | None]] = {}
    rows = RefundApplied.objects.filter(purchase__in=keys).order_by("pk")
    for purchase, products, shipping in rows.values_list("purchase", "cumulative", "shipping_cumulative"):
        number, _products, before = applied.get(purchase, (0, 0, 0))
        applied[purchase] = (number + 1, products, None if before is None else shipping)
    return applied


def _check_applied(
    purchase: Purchase, total: Mapping[str, Any], number: int, products: int, shipping: int | None
) -> Iterator[Finding]:
    """``shipping`` is None where the previous version applied a refund: it did not record the delivery."""
    expected = (total["applied"], total["applied_subtotals"], total["applied_shippings"])
    found = (number, products, expected[2] if shipping is None else shipping)
    if found != expected:
        detail = "{} refunds of products for {} paisa and delivery for {} paisa"
        yield "I7", str(purchase), f"{detail.format(*expected)}, but the ledger has {detail.format(*found)}"


def _check_money(purchase: Purchase, total: Mapping[str, Any]) -> Iterator[Finding]:
    cart, paid = purchase.frozen_cart, refunds.amount_paid(purchase)
    if total["subtotals"] > cart.subtotal:
        yield "I7", str(purchase), f"products for {total['subtotals']} paisa refunded of {cart.subtotal}"
    if total["shippings"] > cart.shipping:
        yield "I7", str(purchase), f"delivery for {total['shippings']} paisa refunded of {cart.shipping}"
    if total["amounts"] > paid:
        yield "L11", str(purchase), f"{total['amounts']} paisa refunded of {paid} paid"
    paid_for_shipping = refunds.paid_for_shipping(purchase)
    if total["shipping_amounts"] > paid_for_shipping:
        yield "I7", str(purchase), f"{total['shipping_amounts']} paisa of shipping refunded of {paid_for_shipping}"


def _check_points(
    purchase: Purchase, total: Mapping[str, Any], redemption: OrderRedemption | None, award: OrderAward | None
) -> Iterator[Finding]:
    restored = redemption.points_restored if redemption else 0
    clawed_back = award.points_clawed_back if award else 0
    if restored != total["restored"]:
        yield "L9", str(purchase), f"refunds restored {total['restored']} points, but the ledger says {restored}"
    if clawed_back != total["clawed_back"]:
        detail = f"refunds clawed back {total['clawed_back']} points, but the ledger says {clawed_back}"
        yield "L8", str(purchase), detail
    if not total["applied"]:
        return
    cart, by_points = purchase.frozen_cart, refunds.paid_by_points(purchase)
    has_shipping = total["applied_shippings"] >= cart.shipping
    has_products = total["applied_subtotals"] >= cart.subtotal if cart.subtotal else has_shipping
    least = by_points.products * has_products + by_points.shipping * has_shipping
    if redemption and restored < least:
        yield "L9", str(purchase), f"{restored} points restored, but the refunded parts were paid with {least}"
    if award:
        of_shipping = award.shipping_proportional
        of_products = award.proportional - of_shipping + award.fixed
        earned = of_products * has_products + of_shipping * has_shipping
        if clawed_back < earned:
            yield "L8", str(purchase), f"{clawed_back} points clawed back, but the refunded parts earned {earned}"


def _check_payments() -> Iterator[Finding]:
    """A payment has as much refunded as its Refunds; more only where Khalti's own dashboard was used."""
    total = Sum("refunds__amount", filter=Q(refunds__state=RefundState.DONE), default=0)
    in_dashboard = set(Flag.objects.filter(reason=FlagReason.REFUNDED_AT_KHALTI).values_list("payment", flat=True))
    payments: Any = Payment.objects.select_related("purchase").annotate(total=total)
    for payment in payments.filter(Q(refunded__gt=0) | Q(total__gt=0)).order_by("pk").iterator(chunk_size=CHUNK):
        unexplained = payment.refunded > payment.total and payment.pk not in in_dashboard
        if payment.refunded < payment.total or unexplained:
            yield "I7", str(payment), f"its refunds are {payment.total} paisa, but it says {payment.refunded}"
        is_full = payment.refunded == payment.captured
        if payment.state != (PaymentState.REFUNDED if is_full else PaymentState.PARTIALLY_REFUNDED):
            yield "I8", str(payment), f"{payment.refunded} of {payment.captured} refunded, but it is {payment.state}"


def _check_flags() -> Iterator[Finding]:
    """Every refund without a result has an open Flag."""
    reasons = {RefundState.UNKNOWN: FlagReason.REFUND_UNKNOWN, RefundState.DONE: FlagReason.HOST_FAILED}
    for state, reason in reasons.items():
        flagged = Flag.objects.filter(reason=reason, resolved_at=None).values("payment")
        unflagged = Refund.objects.filter(state=state, applied_at=None).exclude(payment__in=flagged)
        for refund in unflagged.order_by("pk").iterator(chunk_size=CHUNK):
            yield "I16", f"refund {refund.pk}", f"{state} and not applied, without a flag {reason}"
