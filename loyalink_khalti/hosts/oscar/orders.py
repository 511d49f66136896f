"""Orders and their baskets: which orders are placed, how both are locked, and what happens to the basket."""

from collections import Counter
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from loyalink_khalti import flow, outbox
from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState

from .settings import SHOP, options

MISSING = "order_missing"
"""Why an order that was deleted can be neither placed nor paid: the reason of a Flag."""


def placed(orders: "QuerySet[Any] | None" = None) -> "QuerySet[Any]":
    """Leave out orders that are not placed: held ones, and those that were released unpaid."""
    everything = get_model("order", "Order")._default_manager.all() if orders is None else orders
    return everything.exclude(status=options().held).exclude(_released())


def is_placed(order: Any) -> bool:
    return placed(type(order)._default_manager.filter(pk=order.pk)).exists()


def is_cancelled_while_held(order: Any, basket: Any) -> bool:
    """Return whether the shop has cancelled a held order by itself: its basket is frozen, so nothing was released."""
    return bool(order.status == options().cancelled and basket is not None and basket.status == basket.FROZEN)


def ended_statuses() -> set[str]:
    """Return the statuses of an order that is cancelled or refunded."""
    return {options().cancelled, options().refunded}


def status_changed(order: Any, old_status: str, new_status: str, **_signal: Any) -> None:
    """Follow an order that is cancelled or refunded now, or is so no more; tell of one that is sent.

    Receives ``order_status_changed``.
    """
    if new_status in options().shipped and old_status not in {*options().shipped, *options().delivered}:
        flow.order_shipped(SHOP, order.number)
    if ended_statuses() & {old_status, new_status}:
        follow_later(order)


def follow_later(order: Any) -> None:
    """Let the flow follow an order after commit, unless it is none of ours, or was released (as any unpaid one is)."""
    ours = Purchase.objects.filter(shop=SHOP, ref=order.number).exclude(state=PurchaseState.RELEASED)
    if ours.exists():
        outbox.post("loyalink_khalti.hosts.oscar.cancellations.follow", number=order.number)


def was_released(order: Any) -> bool:
    """Return whether the order was held, then released, and never placed."""
    return bool(type(order)._default_manager.filter(_released(), pk=order.pk).exists())


def _released() -> Q:
    """Cancelled directly from held. An order that staff cancelled was placed before and stays in every list."""
    names = options()
    changes = get_model("order", "OrderStatusChange").objects.filter(order=OuterRef("pk"))
    return Q(
        Exists(changes.filter(old_status=names.held, new_status=names.cancelled)),
        ~Exists(changes.filter(old_status=names.cancelled)),
        status=names.cancelled,
    )


def purchase_of(order: Any) -> Purchase | None:
    """Return the purchase of an order, None for an order from outside the flow."""
    return Purchase.objects.filter(shop=SHOP, ref=order.number).first()


def placed_purchase_of(order: Any) -> Purchase | None:
    """Return the purchase of a placed order, None for any other."""
    purchase = purchase_of(order)
    return purchase if purchase is not None and purchase.state == PurchaseState.PLACED else None


def lock(number: str) -> tuple[Any, Any]:
    """Lock an order's basket, then the order. Return both; the basket is None if it has been deleted.

    The order has the database's time as ``read_at``, and as ``has_offers`` whether discounts of offers are recorded.
    Raises ``ShopCannot("order_missing")`` if the order has been deleted.
    """
    rows = get_model("order", "Order").objects.filter(number=number)
    basket = lock_basket(rows.values("basket_id")[:1])
    offered = get_model("order", "OrderDiscount").objects.filter(order=OuterRef("pk"), offer_id__isnull=False)
    rows = rows.annotate(read_at=DatabaseTime(), has_offers=Exists(offered))
    order = rows.select_for_update(of=("self",)).first()
    if order is None:
        raise ShopCannot(MISSING, _("Order %(number)s was deleted in the shop.") % {"number": number})
    return order, basket


def lock_basket(pk: "int | str | QuerySet[Any]") -> Any:
    """Lock a basket, by its pk or by a query for it, and return it; None if it has been deleted."""
    return get_model("basket", "Basket").objects.select_for_update().filter(pk=pk).first()


def set_status(order: Any, status: str) -> None:
    """Set the status of a locked order, past the pipeline, which lists only what staff may do.

    Otherwise like Oscar's ``order.set_status`` (4.2): lines follow the cascade, the change is recorded, and Oscar's
    signal is sent, after commit.
    """
    outbox.post_all(change_status(order, status))


def change_status(order: Any, status: str, **fields: Any) -> outbox.Message:
    """Set the status, and these fields, like `set_status`; return the message that sends the signal, to be posted."""
    before, order.status = order.status, status
    for name, value in fields.items():
        setattr(order, name, value)
    order.save(update_fields=["status", *fields])
    _cascade(order, status)
    order.status_changes.create(old_status=before, new_status=status)
    sends = "loyalink_khalti.hosts.oscar.events.status_changed"
    return outbox.new(sends, number=order.number, before=before, after=status)


def status_before(order: Any, status: str) -> str:
    """Return the status that an order had before it was last set to this one; "" if it never was."""
    changes = order.status_changes.filter(new_status=status).exclude(old_status=status).order_by("-pk")
    return changes.values_list("old_status", flat=True).first() or ""


def _cascade(order: Any, status: str) -> None:
    if status not in order.cascade:
        return
    for line in order.lines.all():
        if order.cascade[status] in line.available_statuses():
            line.status = order.cascade[status]
            line.save(update_fields=["status"])


def lock_other_baskets(basket: Any) -> list[Any]:
    """Lock the same member's other open baskets, before any stock, as a freeze of one of them would.

    A guest's are in cookies; they are merged when the guest returns.
    """
    if basket is None or basket.owner_id is None:
        return []
    own = type(basket).objects.select_for_update(of=("self",)).filter(owner_id=basket.owner_id, status=basket.OPEN)
    return list(own.exclude(pk=basket.pk).order_by("pk"))


def reopen_basket(order: Any, basket: Any, others: list[Any], *, customer_present: bool) -> None:
    """Open a locked basket again, with what its owner has added to the ``others`` since.

    A job must not surprise the owner with products from last week: then the basket opens only if its owner has ordered
    nothing since and has no other basket in use. Otherwise it becomes the saved basket.
    """
    if basket is None or basket.status != basket.FROZEN:
        return
    in_use = any(other.lines.exists() for other in others)
    if customer_present or not (in_use or _ordered_since(order)):
        basket.thaw()
        for other in others:
            basket.merge(other)
        return
    _save_for_later(basket)


def _ordered_since(order: Any) -> bool:
    if order.user_id is None:
        return False
    later = get_model("order", "Order").objects.filter(user_id=order.user_id, date_placed__gt=order.date_placed)
    return placed(later).exclude(pk=order.pk).exists()


def _save_for_later(basket: Any) -> None:
    """Make it the owner's saved basket; Oscar's basket page (4.2) expects one saved basket at most."""
    saved = type(basket).objects.select_for_update(of=("self",)).filter(owner_id=basket.owner_id, status=basket.SAVED)
    existing = saved.order_by("pk").first() if basket.owner_id else None
    if existing is None:
        basket.status = basket.SAVED
        basket.save(update_fields=["status"])
    else:
        existing.merge(basket)


def submit_basket(order: Any, basket: Any, others: list[Any]) -> None:
    """Close the locked basket of a placed order.

    A basket that was open again before its late payment arrived may contain more by now: what was not bought moves to
    another open basket of the member. (A guest's cookie names one basket only.)
    """
    if basket is None or basket.status == basket.SUBMITTED:
        return
    if basket.status in basket.editable_statuses and basket.owner_id is not None:
        _move_remainder(order, basket, others)
    basket.submit()


def is_basket_changed(number: str) -> bool:
    """Return whether the basket of a released order has other products by now, or is another basket's part."""
    order = get_model("order", "Order").objects.filter(number=number).select_related("basket").first()
    basket = order.basket if order is not None else None
    if order is None or basket is None or basket.status not in {basket.OPEN, basket.SAVED}:
        return True
    return _contents(basket) != _contents(order)


def _contents(holder: Any) -> "Counter[Any]":
    """Return how many of what a basket or an order has."""
    contents: Counter[Any] = Counter()
    for line in holder.lines.all():
        contents[_what(line)] += line.quantity
    return contents


def _move_remainder(order: Any, basket: Any, others: list[Any]) -> None:
    bought = _contents(order)
    target = others[0] if others else None
    for line in basket.lines.all():
        key = _what(line)
        remainder, bought[key] = line.quantity - bought[key], max(bought[key] - line.quantity, 0)
        if remainder > 0:
            line.quantity = remainder
            target = target or type(basket).objects.create(owner_id=basket.owner_id)
            target.merge_line(line)


def _what(line: Any) -> Any:
    """Return what a line of a basket or of an order sells: a product, its stock, and its options (an engraving)."""
    options = sorted((option, str(value)) for option, value in line.attributes.values_list("option", "value"))
    return line.product_id, line.stockrecord_id, tuple(options)
