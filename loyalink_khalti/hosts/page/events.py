"""What follows when an order is placed or changed: signals for the site's own code, and mails, after the commit.

Both go through the outbox, so that a transaction that is rolled back has sent nothing. A message can come twice.
"""

from enum import StrEnum

from django.dispatch import Signal

from loyalink_khalti import outbox

from .models import Order


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
_MAILS = "loyalink_khalti.hosts.page.mails"
_SEND_SIGNAL = f"{__name__}.send_signal"


def happened(order: Order, event: OrderEvent, *, with_mail: bool = True) -> None:
    """Let signal and mail follow, in the transaction that changes the order."""
    if order_changed.has_listeners(Order):
        outbox.post(_SEND_SIGNAL, number=order.number, event=event.value)
    if with_mail:
        post_mail(order, event)


def post_mail(order: Order, event: OrderEvent) -> None:
    """Send the customer the mail about an event after the commit; there is none about a completed order."""
    match event:
        case OrderEvent.PLACED:
            outbox.post(f"{_MAILS}.send_placed", number=order.number)
        case OrderEvent.PAID:
            outbox.post(f"{_MAILS}.send_paid", number=order.number)
        case OrderEvent.SENT:
            outbox.post(f"{_MAILS}.send_sent", number=order.number)
        case OrderEvent.CANCELLED:
            outbox.post(f"{_MAILS}.send_cancelled", number=order.number)
        case OrderEvent.REFUNDED:
            outbox.post(f"{_MAILS}.send_refunded", number=order.number)


def send_signal(number: str, event: str) -> None:
    """Send ``order_changed``. Called by the outbox."""
    order = Order.objects.filter(number=number).first()
    if order is not None:
        order_changed.send(sender=Order, order=order, event=OrderEvent(event))
