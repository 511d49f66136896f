"""Orders that are cancelled or refunded past our pages: by Oscar's dashboard, or a shop's own code.

``order.set_status("Cancelled")``, ``EventHandler.handle_order_status_change``, the status of a line, a payment event
"Refunded": each only writes an intention (``orders.follow_later``), in the shop's own transaction. The flow follows
after its commit, by what the order is by then (``flow.follow_cancellation``); what no signal has said is found by its
hourly job.
"""

from collections.abc import Collection, Iterator
from typing import Any

from django.db.models import Sum
from django.db.models.signals import post_save
from oscar.apps.order.signals import order_line_status_changed, order_status_changed
from oscar.core.loading import get_model

from loyalink_khalti import flow
from loyalink_khalti.money import paisa
from loyalink_khalti.payments.cancelled_orders import Cancellation

from . import orders
from .settings import SHOP

REFUND_EVENT = "refund"
"""With this begins the code of a type of payment event by which money was refunded: Oscar's is "refunded"."""


def watch() -> None:
    """Connect to what changes an order. Called when the apps are ready."""
    order_status_changed.connect(orders.status_changed, dispatch_uid="loyalink_khalti.order_cancelled")
    order_line_status_changed.connect(_line_status_changed, dispatch_uid="loyalink_khalti.line_cancelled")
    event = get_model("order", "PaymentEvent")
    post_save.connect(_event_saved, sender=event, dispatch_uid="loyalink_khalti.refund_event")


def line_statuses() -> set[str]:
    """Return those of a line: the same, and what the cascade makes of them."""
    cascade = get_model("order", "Order").cascade
    return orders.ended_statuses() | {cascade[status] for status in orders.ended_statuses() if status in cascade}


def _line_status_changed(line: Any, old_status: str, new_status: str, **_signal: Any) -> None:
    if line_statuses() & {old_status, new_status}:
        orders.follow_later(line.order)


def _event_saved(instance: Any, **_signal: Any) -> None:
    if str(instance.event_type.code).startswith(REFUND_EVENT):
        orders.follow_later(instance.order)


def follow(number: str) -> None:
    """Follow what an order is by now. Called by the outbox."""
    flow.follow_cancellation(SHOP, number)


def found(refs: Collection[str]) -> Iterator[tuple[str, Cancellation]]:
    """Yield what the shop has cancelled or recorded as refunded of these orders: a whole order before parts of one."""
    rows = get_model("order", "Order").objects.filter(number__in=list(refs))
    whole = dict(rows.filter(status__in=orders.ended_statuses()).values_list("number", "status"))
    for number, status in whole.items():
        yield number, Cancellation(status=status)
    yield from _lines([ref for ref in refs if ref not in whole])
    events = get_model("order", "PaymentEvent").objects.filter(
        order__number__in=list(refs), event_type__code__startswith=REFUND_EVENT
    )
    sums = events.order_by().values("order__number", "event_type__name").annotate(sum=Sum("amount"))
    for row in sums:
        yield row["order__number"], Cancellation(status=row["event_type__name"], amount=paisa(row["sum"]))


def _lines(refs: list[str]) -> Iterator[tuple[str, Cancellation]]:
    lines = get_model("order", "Line").objects.filter(order__number__in=refs, status__in=line_statuses())
    by_order: dict[str, list[tuple[str, int, str]]] = {}
    for number, pk, quantity, status in lines.order_by("pk").values_list("order__number", "pk", "quantity", "status"):
        by_order.setdefault(number, []).append((str(pk), quantity, status))
    for number, rows in by_order.items():
        yield number, Cancellation(status=rows[0][2], lines=tuple((key, quantity) for key, quantity, _status in rows))
