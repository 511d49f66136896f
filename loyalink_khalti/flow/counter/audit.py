"""What must hold of counter sales: the till and the points agree (I22), and each redemption used one code (I23)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from loyalink_khalti.flow.members.directory import CHUNK, chunked
from loyalink_khalti.loyalty.buckets import HoldState
from loyalink_khalti.loyalty.counter_codes import CounterCode
from loyalink_khalti.loyalty.models import Hold
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption, RefundApplied
from loyalink_khalti.payments.counter_sales import PREFIX, CounterRefund, CounterSale

Finding = tuple[str, str, str]
"""invariant, subject, detail"""


def violations() -> Iterator[Finding]:
    """Yield what is broken; reads some hundred sales at a time."""
    for chunk in chunked(CounterSale.objects.order_by("pk").iterator(chunk_size=CHUNK)):
        yield from _check_chunk(chunk)
    yield from _without_sale()


def _check_chunk(sales: list[CounterSale]) -> Iterator[Finding]:
    keys = [sale.purchase for sale in sales]
    awards = {row.purchase: row for row in OrderAward.objects.filter(purchase__in=keys)}
    redeemed = {row.purchase: row for row in OrderRedemption.objects.filter(purchase__in=keys)}
    held = set(Hold.objects.filter(purchase__in=keys, state=HoldState.ACTIVE).values_list("purchase", flat=True))
    used = Counter(CounterCode.objects.filter(used_for__in=keys).values_list("used_for", "member_id"))
    applied: dict[str, RefundApplied] = {}
    for row in RefundApplied.objects.filter(purchase__in=keys).order_by("pk"):
        applied[row.purchase] = row  # the newest
    refunds: dict[int, list[CounterRefund]] = {}
    for refund in CounterRefund.objects.filter(sale__in=sales):
        refunds.setdefault(refund.sale_id, []).append(refund)
    for sale in sales:
        key = sale.purchase
        yield from _check_points(sale, awards.get(key), redeemed.get(key), key in held)
        yield from _check_refunds(sale, refunds.get(sale.pk, []), applied.get(key))
        codes = used[key, sale.member_id or ""]
        if codes != bool(sale.points_redeemed):
            yield "I23", str(sale), f"redeems {sale.points_redeemed} points with {codes} codes"


def _check_points(
    sale: CounterSale, award: OrderAward | None, redeemed: OrderRedemption | None, is_held: bool
) -> Iterator[Finding]:
    subject = str(sale)
    if (award is not None) != (sale.earner is not None):
        yield "I22", subject, f"awarded: {award is not None}; has a member: {sale.earner is not None}"
    elif award is not None and award.points != sale.points_earned:
        yield "I22", subject, f"the sale says that it earned {sale.points_earned} points, the ledger {award.points}"
    figures = (redeemed.points, redeemed.value) if redeemed else (0, 0)
    if figures != (sale.points_redeemed, sale.points_value) or is_held:
        yield "I22", subject, f"redeems {sale.points_redeemed} points; in the ledger: {figures}, held: {is_held}"


def _check_refunds(
    sale: CounterSale, refunds: list[CounterRefund], applied: RefundApplied | None
) -> Iterator[Finding]:
    in_all = (sum(row.amount for row in refunds), sum(row.money for row in refunds))
    if in_all != (sale.refunded, sale.refunded_money):
        yield "I22", str(sale), f"{sale.refunded} paisa are refunded, but its refunds sum to {in_all[0]}"
    in_ledger = applied.cumulative if applied else 0
    if in_ledger != sale.refunded:
        yield "I22", str(sale), f"{sale.refunded} paisa are refunded, but the points follow a refund of {in_ledger}"


def _without_sale() -> Iterator[Finding]:
    """Points of the ledger that name a counter sale which does not exist."""
    for model in (OrderAward, OrderRedemption):
        rows: Any = model._default_manager.filter(purchase__startswith=PREFIX).order_by("pk")
        for chunk in chunked(rows.values_list("purchase", flat=True).iterator(chunk_size=CHUNK)):
            keys = [purchase.removeprefix(PREFIX) for purchase in chunk]
            known = set(CounterSale.objects.filter(key__in=keys).values_list("key", flat=True))
            yield from (
                ("I22", f"{PREFIX}{key}", "the ledger has points of no counter sale")
                for key in keys
                if key not in known
            )
