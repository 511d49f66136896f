"""What becomes of a basket whose order is let go of."""

from typing import Any

from oscar.core.loading import get_model

from . import orders


def give_back(order: Any, basket: Any, *, present: bool) -> None:
    """Open a locked basket again, with what its owner picked since.

    When a job does it, nobody is surprised by goods from last week: the basket opens only if its owner has placed
    nothing since and picks nothing else just now, and is set aside as saved otherwise.
    """
    if basket is None or basket.status != basket.FROZEN:
        return
    others = _others(basket)
    picking = any(other.lines.exists() for other in others)
    if present or not (picking or _bought_since(order)):
        basket.thaw()
        for other in others:
            basket.merge(other)
        return
    _save_for_later(basket)


def _others(basket: Any) -> list[Any]:
    """The other open baskets of the same member. A guest's lie in cookies; they are merged when the guest is there."""
    if basket.owner_id is None:
        return []
    mine = type(basket).objects.select_for_update(of=("self",)).filter(owner_id=basket.owner_id, status=basket.OPEN)
    return list(mine.exclude(pk=basket.pk).order_by("pk"))


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
