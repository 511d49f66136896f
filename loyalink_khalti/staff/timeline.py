"""The history of an order or a payment as a list of events that a page shows. Reads only."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Refund
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.payments.refund_reasons import reason_label
from loyalink_khalti.payments.states import RefundState


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the history. ``actor`` is an e-mail address, "" if no one of the staff did it."""

    at: datetime
    icon: str
    title: str
    detail: str = ""
    actor: str = ""
    is_warning: bool = False


def refund_events(refund: Refund, names: dict[str, str]) -> Iterator[Event]:
    """Yield what happened to a refund; ``names`` are e-mail addresses of staff by their pk."""
    if refund.reverses_id is not None:
        amount = {"amount": npr(Paisa(-refund.amount))}
        yield Event(
            at=refund.requested_at,
            icon="rotate",
            title=_("Refund of %(amount)s was not made: taken back") % amount,
            detail=refund.note,
            actor=names.get(refund.actor or "", refund.actor or ""),
        )
        return
    amount, actor = {"amount": npr(Paisa(refund.amount))}, names.get(refund.actor or "", refund.actor or "")
    title = _("Refund of %(amount)s requested") % amount
    yield Event(
        at=refund.requested_at, icon="rotate", title=title, detail=reason_label(refund.reason), actor=actor
    )  # fmt: skip
    if refund.state == RefundState.REFUSED:
        at = refund.sent_at or refund.requested_at
        title = _("Refund of %(amount)s refused") % amount  # by Khalti, or by staff who do not find it there
        yield Event(at=at, icon="cross", title=title, detail=refund.khalti_message)
    if refund.done_at:
        points = {
            "returned": formats.number(refund.points_restored), "reversed": formats.number(refund.points_clawed_back)
        }  # fmt: skip
        detail = _("Points returned: %(returned)s · Points reversed: %(reversed)s") % points
        yield Event(
            at=refund.done_at,
            icon="check",
            title=_("%(amount)s refunded") % amount,
            detail=" · ".join(filter(None, (detail if refund.applied_at else "", refund.note))),
        )


def received_event(row: ReceivedMoney, names: dict[str, str]) -> Event:
    """Return the event of money that was recorded as received, or of such a record that was reversed."""
    text = _("%(amount)s received") if row.amount > 0 else _("An entry of %(amount)s received was reversed")
    day = _("on %(day)s") % {"day": formats.digits(date_format(row.received_on, "j M Y"))}
    return Event(
        at=row.recorded_at,
        icon="plus-inverse" if row.amount > 0 else "rotate",
        title=text % {"amount": npr(Paisa(abs(row.amount)))},
        detail=" · ".join(filter(None, (day, row.reference, row.reason))),
        actor=names.get(row.actor or "", row.actor or ""),
    )
