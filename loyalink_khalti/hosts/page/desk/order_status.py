"""What staff make of a placed order: sent, completed, and back again where that was a mistake.

A payment sets the other statuses. Only the row of the order changes here, under its lock.
"""

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from loyalink_khalti.clock import database_now
from loyalink_khalti.hosts.page.events import OrderEvent, happened
from loyalink_khalti.hosts.page.models import Order, OrderNote, OrderStatus
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase

_NEXT: dict[str, tuple[OrderStatus, ...]] = {
    OrderStatus.PENDING: (OrderStatus.SENT,),
    OrderStatus.PAID: (OrderStatus.SENT, OrderStatus.COMPLETED),
    OrderStatus.SENT: (OrderStatus.COMPLETED,),
    OrderStatus.COMPLETED: (OrderStatus.SENT,),
}


def next_statuses(order: Order, purchase: Purchase | None) -> Sequence[OrderStatus]:
    """Return the statuses that staff may give to an order now; none to one that was not placed or is cancelled.

    An order is completed once it is paid. One that was marked as sent by mistake becomes paid, or not paid yet, again.
    """
    if order.placed_at is None or purchase is None:
        return ()
    is_paid = not refunds.is_awaiting_money(purchase)
    found = [status for status in _NEXT.get(order.status, ()) if is_paid or status != OrderStatus.COMPLETED]
    if order.status == OrderStatus.SENT:
        found.append(OrderStatus.PAID if is_paid else OrderStatus.PENDING)
    return found


def change_status(order: Order, status: str, *, seen: str, purchase: Purchase, actor: str, notify: bool) -> str:
    """Give an order another status, and return why not, as a sentence for staff; "" once it is done.

    ``seen`` is the status that the form has shown: where a colleague, or a payment, has changed it since, nothing is
    done. With ``notify``, the customer of an order that is sent gets a mail. A second submission changes nothing.
    """
    with transaction.atomic():
        locked = Order.objects.select_for_update().get(pk=order.pk)
        if locked.status == status:
            return ""
        if locked.status != seen:
            label = OrderStatus(locked.status).label
            return _("The order is “%(status)s” since you opened the page. Nothing was changed.") % {"status": label}
        if status not in next_statuses(locked, purchase):
            return _("This order cannot get that status now.")
        locked.status = status
        _note_time(locked)
        locked.save(update_fields=["status", "sent_at", "completed_at"])
        text = _("Status: %(before)s → %(after)s")
        labels = {"before": OrderStatus(seen).label, "after": OrderStatus(status).label}
        OrderNote.objects.create(order=locked, text=text % labels, actor=actor)
        if status in set(OrderEvent):
            happened(locked, OrderEvent(status), with_mail=notify)
    return ""


def _note_time(order: Order) -> None:
    """Keep when an order was sent and completed; a status that was a mistake loses its time."""
    now = database_now()
    is_completed = order.status == OrderStatus.COMPLETED
    if order.status == OrderStatus.SENT:
        order.sent_at = order.sent_at or now
    elif not is_completed:
        order.sent_at = None
    order.completed_at = (order.completed_at or now) if is_completed else None
