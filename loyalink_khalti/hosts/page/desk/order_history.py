"""What happened to an order, oldest first: its checkout, its money, what staff did and what they noted."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.hosts.page.models import Order, OrderNote
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import received
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.staff.timeline import Event, received_event, refund_events


def order_history(order: Order, purchase: Purchase | None) -> list[Event]:
    """Return the events of an order; a payment at Khalti has a history of its own on its page."""
    notes = list(order.notes.all())
    refunds = [] if purchase is None else list(purchase.refunds.order_by("pk"))
    money = [] if purchase is None else received.rows(purchase)
    actors = [*(note.actor for note in notes), *(each.actor for each in refunds), *(row.actor for row in money)]
    names = flow.member_emails(actors)
    events = [
        *_placed(order),
        *(_note(note, names) for note in notes),
        *(event for refund in refunds for event in refund_events(refund, names)),
        *(received_event(row, names) for row in money),
    ]
    return sorted(events, key=lambda event: event.at)  # stable: events of one moment keep this order


def _placed(order: Order) -> Iterator[Event]:
    title = _("Checkout: %(amount)s to pay") % {"amount": npr(Paisa(order.total))}
    yield Event(at=order.created_at, icon="plus", title=title)
    if order.placed_at is not None:
        yield Event(at=order.placed_at, icon="pick", title=_("Order placed"))


def _note(note: OrderNote, names: dict[str, str]) -> Event:
    return Event(
        at=note.at,
        icon="comment" if note.actor else "cog",
        title=note.text,
        actor=names.get(note.actor or "", note.actor or ""),
    )
