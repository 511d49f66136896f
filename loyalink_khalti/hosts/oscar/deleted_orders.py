"""Orders that are deleted: refused while the flow has money, points or stock on them, and released if it happens.

Nothing in Oscar (4.2) deletes an order but Django's admin, and code of the shop's own. Raw SQL sends no signal.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.db.models.signals import pre_delete
from oscar.core.loading import get_model

from loyalink_khalti.hosts.common.deletion import refuse_deletion
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.ports import Line

from . import orders, reservations
from .settings import SHOP

log = logging.getLogger(__name__)

PROTECTED = {
    "order.Order": "number",
    "order.Line": "order__number",
    "payment.Source": "order__number",
    "payment.Transaction": "source__order__number",
}
"""Models of which no row of an order may be deleted, and where each has the order's number."""


def protect() -> None:
    """Refuse the deletion of orders that are held or placed, and of their lines and payments, wherever it begins."""
    for label in PROTECTED:
        pre_delete.connect(refuse, sender=apps.get_model(label), dispatch_uid=f"loyalink_khalti.protect.{label}")


def refuse(sender: Any, instance: Any, **_signal: Any) -> None:
    """Raise ``DeletionRefused``, with a sentence for staff, unless the flow has nothing on this order. A receiver."""
    path = PROTECTED[sender._meta.label]
    number = sender._base_manager.filter(pk=instance.pk).values_list(path, flat=True).first()
    refuse_deletion(SHOP, number, instance)


def release(ref: str, *, customer_present: bool) -> None:
    """Release the stock, coupons and basket of an order that was deleted while it was held; once.

    Its own rows say nothing any more: the frozen Cart and the basket do.
    """
    purchase = Purchase.objects.filter(shop=SHOP, ref=ref, state=PurchaseState.OPEN).first()
    if purchase is None:
        return
    basket: Any = orders.lock_basket(purchase.origin) if purchase.origin.isdigit() else None
    others = orders.lock_other_baskets(basket)
    vouchers = list(basket.vouchers.all()) if basket is not None and basket.status == basket.FROZEN else []
    reservations.release_unrecorded(_reserved(purchase.frozen_cart.lines, basket), vouchers)
    order = get_model("order", "Order")(date_placed=purchase.created_at)
    order.user_id = basket.owner_id if basket is not None else None
    orders.reopen_basket(order, basket, others, customer_present=customer_present)


def release_lines(order: Any, basket: Any) -> None:
    """Release the stock of a held order's lines that were deleted."""
    purchase = Purchase.objects.filter(shop=SHOP, ref=order.number).first()
    if purchase is None:
        return
    found = {str(pk) for pk in order.lines.values_list("pk", flat=True)}
    lines = [line for line in purchase.frozen_cart.lines if line.id and line.id not in found]
    if lines:
        reservations.release_unrecorded(_reserved(lines, basket))


def _reserved(lines: Sequence[Line], basket: Any) -> "Counter[int]":
    """Return how many of each stock row the lines reserve, by their basket or, without it, by their SKUs."""
    rows = (
        [] if basket is None else list(basket.lines.values_list("stockrecord__partner_sku", "quantity", "stockrecord"))
    )
    reserved: Counter[int] = Counter()
    for line in lines:
        pk = _row_in_basket(rows, line) or _only_row(line.sku)
        if pk is None:
            log.error("%s of %s stay reserved: it is not known which stock they are of", line.quantity, line.sku)
        else:
            reserved[pk] += line.quantity
    return reserved


def _row_in_basket(rows: list[tuple[str, int, int]], line: Line) -> int | None:
    """Take the row of a line out of those of its basket. Two lines may have the same SKU, of two partners."""
    row = next((row for row in rows if row[:2] == (line.sku, line.quantity)), None)
    if row is None:
        return None
    rows.remove(row)
    return row[2]


def _only_row(sku: str) -> int | None:
    pks = list(get_model("partner", "StockRecord").objects.filter(partner_sku=sku).values_list("pk", flat=True)[:2])
    return pks[0] if len(pks) == 1 else None
