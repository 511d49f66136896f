"""The mails of an order that staff may send again. A mail says what the order is now."""

from collections.abc import Iterator

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.hosts.page.events import OrderEvent
from loyalink_khalti.hosts.page.models import Order, OrderStatus
from loyalink_khalti.hosts.page.orders import is_paid
from loyalink_khalti.ports import PAID_LATER

LABELS: dict[OrderEvent, Promise] = {
    OrderEvent.PLACED: _("order confirmation"),
    OrderEvent.PAID: _("payment received"),
    OrderEvent.SENT: _("order sent"),
    OrderEvent.CANCELLED: _("order cancelled"),
    OrderEvent.REFUNDED: _("order refunded"),
}


def mails_of(order: Order) -> dict[str, Promise]:
    """Return the mails that fit an order now, with their labels; none to an order without an address."""
    return {event.value: LABELS[event] for event in _events(order)} if order.email and order.is_placed else {}


def _events(order: Order) -> Iterator[OrderEvent]:
    if order.status == OrderStatus.CANCELLED:
        yield OrderEvent.CANCELLED
        return
    yield OrderEvent.PLACED
    if order.method in PAID_LATER and is_paid(order):
        yield OrderEvent.PAID
    if order.status in {OrderStatus.SENT, OrderStatus.COMPLETED}:
        yield OrderEvent.SENT
    if order.refunded:
        yield OrderEvent.REFUNDED
