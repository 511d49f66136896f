"""What Oscar's order says for its receipt besides the Cart: prices before discounts, delivery, its course."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import prefetch_related_objects
from django.utils.translation import gettext
from oscar.core.loading import get_class, get_model

from loyalink_khalti import flow
from loyalink_khalti.nepal import pan
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Cart, PaymentMethod

from .pricing import POINTS_CODE, rounded
from .settings import SHOP, options


def order_facts(purchases: Collection[Purchase]) -> Mapping[str, flow.OrderFacts]:
    """Return the facts of these orders, by number: one statement, and one more for each thing that an order has."""
    carts = {purchase.ref: purchase.frozen_cart for purchase in purchases}
    orders = list(get_model("order", "Order")._default_manager.filter(number__in=list(carts)))
    discounted = [order for order in orders if carts[order.number].discount]
    prefetch_related_objects(discounted, "lines", "discounts")
    prefetch_related_objects([order for order in orders if carts[order.number].shipping], "surcharges")
    prefetch_related_objects([order for order in orders if _has_moved(order)], "status_changes")
    titles = _delivery_titles()
    return {order.number: _facts(order, carts[order.number], titles) for order in orders}


def receipt_context(order: Any) -> dict[str, Any]:
    """Return what an order's page shows: its receipt, None for one from outside the flow; items with their lines."""
    receipt = flow.receipt_for(SHOP, order.number)
    if receipt is None:
        return {"receipt": None, "receipt_lines": []}
    lines = {str(line.pk): line for line in order.lines.all()}
    items = [(item, lines.get(item.key)) for item in receipt.figures.lines]
    return {"receipt": receipt, "receipt_lines": items}


def add_receipts(orders: Iterable[Any]) -> None:
    """Set ``receipt`` of each order in a list, None for one from outside the flow."""
    shown = list(orders)
    receipts = flow.receipts_for(SHOP, [order.number for order in shown])
    for order in shown:
        order.receipt = receipts.get(order.number)


def _facts(order: Any, cart: Cart, titles: Mapping[str, str]) -> flow.OrderFacts:
    chosen = options()
    return flow.OrderFacts(
        prices=_prices(order) if cart.discount else {},
        discounts=_discounts(order) if cart.discount else (),
        delivery=titles.get(order.shipping_code, order.shipping_method or ""),
        is_pickup=order.shipping_code in chosen.pickup,
        surcharges=_surcharges(order) if cart.shipping else (),
        status=gettext(order.status) if order.status else "",
        tracks_shipping=any(status in order.pipeline for status in chosen.shipped),
        tracks_delivery=any(status in order.pipeline for status in chosen.delivered),
        shipped_at=_since(order, chosen.shipped),
        delivered_at=_since(order, chosen.delivered),
        bank_details=chosen.texts.get(PaymentMethod.BANK_TRANSFER.value, ""),
    )


def _prices(order: Any) -> dict[str, Any]:
    return {str(line.pk): rounded(line.line_price_before_discounts_incl_tax) for line in order.lines.all()}


def _discounts(order: Any) -> tuple[flow.Charge, ...]:
    found = [each for each in order.discounts.all() if each.is_basket_discount]
    return tuple(_charge(each.voucher_code or each.offer_name, each.amount) for each in found)


def _surcharges(order: Any) -> tuple[flow.Charge, ...]:
    """The shop's own surcharges; the points are one to Oscar."""
    found = [each for each in order.surcharges.all() if each.code != POINTS_CODE]
    return tuple(_charge(gettext(each.name) if each.name else "", each.incl_tax) for each in found)


def _charge(title: str | None, amount: Decimal) -> flow.Charge:
    return flow.Charge(title=title or "", amount=rounded(amount))


def _has_moved(order: Any) -> bool:
    """Return whether staff have moved an order on since it was placed or paid."""
    return order.status not in {options().held, options().pending, options().paid}


def _since(order: Any, statuses: Iterable[str]) -> datetime | None:
    """Return when an order got one of these statuses, None where it has not or has lost it again."""
    if not _has_moved(order):
        return None
    earlier = {options().held, options().pending, options().paid}
    since: datetime | None = None
    for change in sorted(order.status_changes.all(), key=lambda change: change.pk):
        if change.new_status in statuses:
            since = since or change.date_created
        elif change.new_status in earlier:  # it was sent by mistake
            since = None
    return since


def _delivery_titles() -> dict[str, str]:
    """Return the names of the shop's delivery methods by code, in the active language; old ones may be gone."""
    methods = getattr(get_class("shipping.repository", "Repository"), "methods", ())
    return {method.code: str(method.name) for method in methods if getattr(method, "code", "")}


def invoice_buyer(ref: str) -> dict[str, str]:
    """Return whom the invoice of an order names: the billing address, else the shipping address; {} for neither.

    A shop whose checkout asks for a PAN keeps it as ``pan`` or ``vat_number`` of its own address model.
    """
    rows = get_model("order", "Order")._default_manager.select_related("billing_address", "shipping_address")
    order = rows.filter(number=ref).first()
    address = (order.billing_address or order.shipping_address) if order is not None else None
    if address is None:
        return {}
    typed = getattr(address, "pan", "") or getattr(address, "vat_number", "")
    lines = [line for line in address.active_address_fields() if line not in {address.name, address.salutation}]
    return {"name": address.name, "address": "\n".join(str(line) for line in lines), "pan": pan(str(typed or ""))}
