"""The history of an order as a list of events, oldest first: checkout, attempts, money, refunds, notes."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.backoffice.payments.timeline import timeline as payment_timeline
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import received
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.staff.notes import note_event
from loyalink_khalti.staff.timeline import Event, received_event, refund_events


def timeline(purchase: Purchase, attempts: list[Payment]) -> list[Event]:
    """Return what happened to an order and to each attempt to pay it, in order."""
    refunds = [refund for refund in purchase.refunds.order_by("pk") if refund.payment_id is None]
    money = received.rows(purchase)
    notes = [note for note in purchase.notes.order_by("pk") if note.payment_id is None]
    actors = [*(each.actor for each in refunds), *(row.actor for row in money), *(note.actor for note in notes)]
    names = flow.member_emails(actors)
    events = [
        *_course(purchase, attempts),
        *(event for payment in attempts for event in payment_timeline(payment)),
        *(event for refund in refunds for event in refund_events(refund, names)),
        *(received_event(row, names) for row in money),
        *(note_event(note, names) for note in notes),
    ]
    return sorted(events, key=lambda event: event.at)  # stable: events of one moment keep this order


def _course(purchase: Purchase, attempts: list[Payment]) -> Iterator[Event]:
    """The checkout and the order itself, where no attempt at Khalti says so."""
    if not attempts:
        title = _("Checkout: %(amount)s to pay") % {"amount": npr(Paisa(purchase.amount_due))}
        yield Event(at=purchase.created_at, icon="plus", title=title)
    if purchase.placed_at and not any(payment.fulfilled_at for payment in attempts):
        title = _("Order %(number)s placed") % {"number": purchase.number or purchase.ref}
        yield Event(at=purchase.placed_at, icon="pick", title=title)
    if purchase.released_at:
        yield Event(at=purchase.released_at, icon="cross", title=_("Stock and points released"))
