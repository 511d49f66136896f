"""Which orders are placed, which are only held, and how one goes from status to status."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from oscar.core.loading import get_model

from loyalink_khalti import outbox

from .options import options


def placed(orders: "QuerySet[Any] | None" = None) -> "QuerySet[Any]":
    """Leave out the orders that nobody has placed: held ones, and those that were let go of."""
    everything = get_model("order", "Order")._default_manager.all() if orders is None else orders
    return everything.exclude(status=options().held).exclude(_let_go())


def held(orders: "QuerySet[Any]") -> "QuerySet[Any]":
    """The orders whose shopper is at Khalti just now."""
    return orders.filter(status=options().held)


def is_placed(order: Any) -> bool:
    return placed(type(order)._default_manager.filter(pk=order.pk)).exists()


def was_let_go(order: Any) -> bool:
    """Whether the order was held, then released, and never placed."""
    return bool(type(order)._default_manager.filter(_let_go(), pk=order.pk).exists())


def _let_go() -> Q:
    """Cancelled straight from being held. An order cancelled by staff was placed once and stays in every list."""
    names = options()
    changes = get_model("order", "OrderStatusChange").objects.filter(order=OuterRef("pk"))
    return Q(
        Exists(changes.filter(old_status=names.held, new_status=names.cancelled)),
        ~Exists(changes.filter(old_status=names.cancelled)),
        status=names.cancelled,
    )


def lock(number: str) -> tuple[Any, Any]:
    """Lock an order's basket and then the order; the basket is None where it has been deleted."""
    order = get_model("order", "Order")
    baskets = get_model("basket", "Basket").objects
    basket_id = order.objects.values_list("basket_id", flat=True).get(number=number)
    basket = baskets.select_for_update().filter(pk=basket_id).first() if basket_id else None
    return order.objects.select_for_update(of=("self",)).get(number=number), basket


def write_status(order: Any, status: str, **fields: Any) -> None:
    """Move a locked order to a status, past the pipeline, which lists only what staff may do.

    As ``order.set_status`` otherwise: lines follow the cascade, the change is kept, and Oscar's signal is sent, after
    commit.
    """
    before, order.status = order.status, status
    for name, value in fields.items():
        setattr(order, name, value)
    order.save(update_fields=["status", *fields])
    _cascade(order, status)
    order.status_changes.create(old_status=before, new_status=status)
    outbox.post(
        "loyalink_khalti.hosts.oscar.announce.status_changed", number=order.number, before=before, after=status
    )


def _cascade(order: Any, status: str) -> None:
    if status not in order.cascade:
        return
    for line in order.lines.all():
        if order.cascade[status] in line.available_statuses():
            line.status = order.cascade[status]
            line.save(update_fields=["status"])
