"""Orders under lock: placed, paid, released, cancelled, refunded. Amounts are in paisa."""

from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import PAID_LATER, Paid, ReleaseReason

from . import stock
from .events import OrderEvent, happened
from .models import Order, OrderLine, OrderNote, OrderRefund, OrderStatus

MISSING = "order_missing"
"""Why an order that was deleted can be neither placed nor paid: the reason of a Flag."""
_ENDED = frozenset({OrderStatus.CANCELLED, OrderStatus.REFUNDED})


def lock(number: str) -> Order:
    """Lock an order and return it. Raises ``ShopCannot("order_missing")`` if it has been deleted."""
    order = Order.objects.select_for_update(of=("self",)).filter(number=number).first()
    if order is None:
        raise ShopCannot(MISSING, _("Order %(number)s was deleted in the shop.") % {"number": number})
    return order


def is_paid(order: Order) -> bool:
    """Return whether all of a placed order is paid; one that points paid in full is."""
    return order.paid >= order.total and (order.total > 0 or order.points_value > 0)


def place(order: Order, paid: Paid) -> None:
    """Place an order that is held, or was released before its money arrived.

    Raises ``ShopCannot("sold_out")`` where others have bought what it released.
    """
    if order.status == OrderStatus.HELD:
        stock.keep_reserved(order.number)
    else:
        _take_again(order)
        _take_basket_again(order)
    is_awaited = paid.method in PAID_LATER and not paid.amount
    order.status = OrderStatus.PENDING if is_awaited else OrderStatus.PAID
    order.placed_at = database_now()
    _set_paid(order, paid)
    order.save(update_fields=["status", "placed_at", "paid", "method", "is_test", "points_value", "total"])
    happened(order, OrderEvent.PLACED)


def _take_basket_again(order: Order) -> None:
    """Let the session's basket be the one of this order again, unless another order has it by now."""
    with suppress(IntegrityError), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(basket=order.origin)


def place_again(order: Order, paid: Paid) -> None:
    """Place an order that staff had cancelled before it was paid. Raises ``ShopCannot("sold_out")``."""
    _take_again(order)
    order.status = OrderStatus.PAID
    order.refunded = 0
    _set_paid(order, paid)
    order.save(update_fields=["status", "paid", "refunded", "method", "is_test", "points_value", "total"])
    happened(order, OrderEvent.PAID)


def _set_paid(order: Order, paid: Paid) -> None:
    order.paid = paid.amount
    order.method = paid.method
    order.is_test = paid.is_test
    order.points_value = paid.points_value
    order.total = order.subtotal + order.shipping - paid.points_value


def set_received(order: Order, received: Paisa) -> None:
    """Record what was received so far; the status follows, unless the order is on its way already."""
    if order.paid == received:
        return
    was_paid = is_paid(order)
    order.paid = received
    before, after = OrderStatus.PENDING, OrderStatus.PAID
    if not is_paid(order):
        before, after = after, before
    if order.status == before:
        order.status = after
    order.save(update_fields=["paid", "status"])
    if is_paid(order) and not was_paid:
        happened(order, OrderEvent.PAID)


def is_awaited(order: Order) -> bool:
    """Return whether cash or a bank transfer has yet to arrive for a placed order."""
    return order.method in PAID_LATER and not is_paid(order) and order.status not in _ENDED


def release(order: Order, reason: ReleaseReason) -> None:
    """Release a held order: its stock is free, and its basket can be ordered again."""
    stock.release(order.number)
    order.status, order.basket = OrderStatus.CANCELLED, None
    order.save(update_fields=["status", "basket"])
    OrderNote.objects.create(order=order, text=f"Released unpaid ({reason}).")


def refund(order: Order, *, subtotal: Paisa, shipping: Paisa, lines: Iterable[tuple[str, int]], key: str) -> bool:
    """Record a refund once for its key, and restock ``lines``: the pk of each, and how many.

    A refund of an order that is not paid is its cancellation. Return whether it was recorded now. Raises
    ``ShopCannot("host_failed")`` for more than was received.
    """
    is_unpaid = not is_paid(order)
    if is_unpaid and order.status == OrderStatus.CANCELLED:
        return False
    if OrderRefund.objects.filter(order=order, key=key).exists():
        return False
    amount = subtotal + shipping
    if amount > order.paid - order.refunded:
        raise ShopCannot("host_failed", f"order {order.number}: the refund exceeds the amount received")
    OrderRefund.objects.create(order=order, key=key, subtotal=subtotal, shipping=shipping)
    order.refunded += amount
    _restock(order, dict(lines), everything=is_unpaid)
    if is_unpaid:
        order.status = OrderStatus.CANCELLED
    order.save(update_fields=["refunded", "status"])
    happened(order, OrderEvent.CANCELLED if is_unpaid else OrderEvent.REFUNDED)
    return True


def mark_refunded(order: Order) -> None:
    """Mark an order of which all is refunded, money and points."""
    if order.status != OrderStatus.REFUNDED:
        order.status_before, order.status = order.status, OrderStatus.REFUNDED
        order.save(update_fields=["status", "status_before"])


def reverse_refund(order: Order, *, key: str) -> bool:
    """Take back the record of a refund that was not made. Return False if there is none, or that was done before."""
    row = OrderRefund.objects.filter(order=order, key=key, reversed_at=None).first()
    if row is None:
        return False
    row.reversed_at = database_now()
    row.save(update_fields=["reversed_at"])
    order.refunded = max(order.refunded - row.subtotal - row.shipping, 0)
    if order.status == OrderStatus.REFUNDED:
        order.status = order.status_before or OrderStatus.PAID
    order.save(update_fields=["refunded", "status"])
    return True


PERSONAL = ("name", "email", "phone", "address", "note")
"""Fields of an order that say who its customer is."""


def personal_data(order: Order) -> dict[str, object]:
    """Return what an order keeps about its customer, and what staff have noted; ready for JSON."""
    notes = [{"at": note.at.isoformat(), "text": note.text} for note in order.notes.all()]
    return {name: getattr(order, name) for name in PERSONAL} | {"notes": notes}


def erase_personal_data(numbers: Collection[str]) -> None:
    """Erase who ordered, and what staff have noted, in the caller's transaction."""
    Order.objects.filter(number__in=list(numbers)).update(**dict.fromkeys(PERSONAL, ""))
    OrderNote.objects.filter(order__number__in=list(numbers), actor__isnull=False).update(text="")


def _restock(order: Order, quantities: dict[str, int], *, everything: bool) -> None:
    """Put lines back in stock, no more of each than it still takes."""
    if not quantities and not everything:
        return
    returned: Counter[stock.Key] = Counter()
    changed = []
    for line in order.lines.all():
        left = line.quantity - line.restocked
        quantity = left if everything else min(quantities.get(str(line.pk), 0), left)
        if quantity > 0:
            line.restocked += quantity
            changed.append(line)
            if line.tracks_stock:
                returned[line.product, line.choice] += quantity
    if changed:
        OrderLine.objects.bulk_update(changed, ["restocked"])
    stock.put_back(returned)


def _take_again(order: Order) -> None:
    """Take the stock of an order that was released or cancelled. Raises ``ShopCannot("sold_out")``."""
    lines = list(order.lines.all())
    wanted: Counter[stock.Key] = Counter()
    for line in lines:
        if line.tracks_stock:
            wanted[line.product, line.choice] += line.quantity
    try:
        stock.take(wanted)
    except stock.NotEnough as exc:
        title = next(line.title for line in lines if (line.product, line.choice) == exc.key)
        raise ShopCannot("sold_out", f"{title}: {exc.left} left") from exc
    order.lines.exclude(restocked=0).update(restocked=0)
