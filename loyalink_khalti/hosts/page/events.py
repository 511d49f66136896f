"""What follows when an order is placed or changed: a signal for the site's own code, after the commit.

It goes through the outbox, so that a transaction that is rolled back has sent nothing. A message can come twice. The
flow sends the mails; that an order is on its way it learns from here.
"""

from enum import StrEnum

from django.dispatch import Signal

from loyalink_khalti import flow, outbox

from .models import Order
from .site_settings import SHOP


class OrderEvent(StrEnum):
    """What has happened to an order."""

    PLACED = "placed"
    PAID = "paid"
    """Its money has arrived after it was placed."""
    SENT = "sent"
    """Staff have marked it as sent. Its mail is sent if they want it."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    """In full or in part."""


order_changed = Signal()
"""Sent with ``order`` and ``event``, an `OrderEvent`, after the commit; perhaps twice."""
_SEND_SIGNAL = f"{__name__}.send_signal"


def happened(order: Order, event: OrderEvent, *, with_mail: bool = True) -> None:
    """Let the signal follow, and the mail about an order that is sent, in the transaction that changes the order."""
    if order_changed.has_listeners(Order):
        outbox.post(_SEND_SIGNAL, number=order.number, event=event.value)
    if with_mail and event is OrderEvent.SENT:
        flow.order_shipped(SHOP, order.number)


def send_signal(number: str, event: str) -> None:
    """Send ``order_changed``. Called by the outbox."""
    order = Order.objects.filter(number=number).first()
    if order is not None:
        order_changed.send(sender=Order, order=order, event=OrderEvent(event))
