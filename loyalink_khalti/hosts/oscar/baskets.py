"""What becomes of a basket when its order is placed, or let go of."""

from collections import Counter
from typing import Any

from oscar.core.loading import get_model

from . import orders


def lock_others(basket: Any) -> list[Any]:
    """Lock the same member's other open baskets, before any stock, as the freeze of one of them would.

    A guest's lie in cookies; they are merged when the guest is there.
    """
    if basket is None or basket.owner_id is None:
        return []
    mine = type(basket).objects.select_for_update(of=("self",)).filter(owner_id=basket.owner_id, status=basket.OPEN)
    return list(mine.exclude(pk=basket.pk).order_by("pk"))


def give_back(order: Any, basket: Any, others: list[Any], *, present: bool) -> None:
    """Open a locked basket again, with what its owner picked since in the ``others``.

    When a job does it, nobody is surprised by goods from last week: the basket opens only if its owner has placed
    nothing since and picks nothing else just now, and is set aside as saved otherwise.
    """
    if basket is None or basket.status != basket.FROZEN:
        return
    picking = any(other.lines.exists() for other in others)
    if present or not (picking or _bought_since(order)):
        basket.thaw()
        for other in others:
            basket.merge(other)
        return
    _save_for_later(basket)


def _bought_since(order: Any) -> bool:
    if order.user_id is None:
        return False
    later = get_model("order", "Order").objects.filter(user_id=order.user_id, date_placed__gt=order.date_placed)
    return orders.placed(later).exclude(pk=order.pk).exists()


def _save_for_later(basket: Any) -> None:
    """Oscar's basket page takes for granted that a member has one saved basket at most."""
    saved = type(basket).objects.select_for_update(of=("self",)).filter(owner_id=basket.owner_id, status=basket.SAVED)
    kept = saved.order_by("pk").first() if basket.owner_id else None
    if kept is None:
        basket.status = basket.SAVED
        basket.save(update_fields=["status"])
    else:
        kept.merge(basket)


def submit(order: Any, basket: Any, others: list[Any]) -> None:
    """Close the locked basket of a placed order.

    One that was given back, before its payment came after all, may hold more by now: what was not bought moves on, to
    another open basket of the member's. (A guest's cookie knows one basket only.)
    """
    if basket is None or basket.status == basket.SUBMITTED:
        return
    if basket.status in basket.editable_statuses and basket.owner_id is not None:
        _move_the_rest(order, basket, others)
    basket.submit()


def _move_the_rest(order: Any, basket: Any, others: list[Any]) -> None:
    bought: Counter[tuple[int, int]] = Counter()
    for line in order.lines.all():
        bought[line.product_id, line.stockrecord_id] += line.quantity
    target = others[0] if others else None
    for line in basket.lines.all():
        key = line.product_id, line.stockrecord_id
        rest, bought[key] = line.quantity - bought[key], max(bought[key] - line.quantity, 0)
        if rest > 0:
            line.quantity = rest
            target = target or type(basket).objects.create(owner_id=basket.owner_id)
            target.merge_line(line)
