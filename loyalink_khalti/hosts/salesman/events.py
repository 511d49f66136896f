"""What follows a change of an order's status: Salesman's signal after our own, and the flow after that of others.

Salesman's ``order.save()`` sends ``status_changed`` for whatever has changed the status: its API, its admin, a shop's
own code. Where that cancels or refunds an order past our pages, only an intention is written in the transaction of the
change; the flow follows after its commit, by what the order is by then (``flow.follow_cancellation``).
"""

from collections.abc import Collection, Iterator
from typing import Any

from salesman.core.utils import get_salesman_model
from salesman.orders.signals import status_changed as status_changed_signal

from loyalink_khalti import flow, outbox
from loyalink_khalti.payments.cancelled_orders import Cancellation
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState

from . import orders
from .settings import SHOP, options


def watch() -> None:
    """Connect to what changes an order. Called when this host is loaded."""
    status_changed_signal.connect(_status_changed, dispatch_uid="loyalink_khalti.salesman.status_changed")


def status_changed(ref: str, before: str, after: str) -> None:
    """Send Salesman's ``status_changed`` for an order, as its ``save`` would. Called by the outbox."""
    order = orders.rows().filter(ref=ref).first()
    if order is not None:  # it may be deleted since
        status_changed_signal.send(get_salesman_model("Order"), order=order, new_status=after, old_status=before)


def follow(ref: str) -> None:
    """Follow what an order is by now. Called by the outbox."""
    flow.follow_cancellation(SHOP, ref)


def cancellations(refs: Collection[str]) -> Iterator[tuple[str, Cancellation]]:
    """Yield what the shop has set to cancelled or refunded of these orders."""
    found = orders.rows().filter(ref__in=list(refs), status__in=_ended()).values_list("ref", "status")
    yield from ((ref, Cancellation(status=status)) for ref, status in found)


def _ended() -> set[str]:
    return {options().cancelled, options().refunded}


def _status_changed(order: Any, old_status: str, new_status: str, **_signal: Any) -> None:
    if new_status in options().shipped and old_status not in {*options().shipped, *options().delivered}:
        flow.order_shipped(SHOP, order.ref)
    if not _ended() & {old_status, new_status}:
        return
    ours = Purchase.objects.filter(shop=SHOP, ref=order.ref).exclude(state=PurchaseState.RELEASED)
    if ours.exists():
        outbox.post(f"{__name__}.follow", ref=order.ref)
