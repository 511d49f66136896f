"""The history of a payment as a list of events, oldest first. Reads only."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.flag_entries import REOPENED, FlagEntry
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.payments.states import FlagReason, PaymentState
from loyalink_khalti.payments.unmatched import UnmatchedPayment, UnmatchedState
from loyalink_khalti.ports import ReleaseReason
from loyalink_khalti.staff.labels import PAYMENT_STATUSES, RELEASE_STATUSES, RESOLUTIONS
from loyalink_khalti.staff.notes import note_event
from loyalink_khalti.staff.timeline import Event, refund_events


def timeline(payment: Payment) -> list[Event]:
    """Return what happened to a payment, its flags and its refunds, in order."""
    flags, refunds = list(payment.flags.order_by("pk")), list(payment.refunds.order_by("pk"))
    entries = list(FlagEntry.objects.filter(flag__payment=payment).order_by("pk"))
    actors = [*(flag.actor for flag in flags), *(entry.actor for entry in entries), *(each.actor for each in refunds)]
    unmatched = list(UnmatchedPayment.objects.filter(payment=payment))
    notes = list(payment.notes.order_by("pk"))
    names = flow.member_emails([*actors, *(row.actor for row in unmatched), *(note.actor for note in notes)])
    events = [
        *_created(payment),
        *_lookups(payment),
        *_states(payment),
        *(event for flag in flags for event in _flag(flag, names)),
        *(_answer(entry.flag_id, entry.at, entry, names) for entry in entries),
        *(event for refund in refunds for event in refund_events(refund, names)),
        *(event for row in unmatched for event in _unmatched(row, names)),
        *(note_event(note, names) for note in notes),
    ]
    return sorted(events, key=lambda event: event.at)  # stable: events of one moment keep this order


def _created(payment: Payment) -> Iterator[Event]:
    values = {"amount": npr(Paisa(payment.amount)), "attempt": payment.attempt}
    yield Event(
        at=payment.created_at,
        icon="plus",
        title=_("Checkout started: %(amount)s to pay (attempt %(attempt)s)") % values,
    )
    if payment.initiated_at:
        until = formats.moment(payment.expires_at) if payment.expires_at else ""
        detail = _("Payment link expires: %(until)s") % {"until": until} if until else ""
        yield Event(at=payment.initiated_at, icon="link", title=_("Payment page opened at Khalti"), detail=detail)


def _lookups(payment: Payment) -> Iterator[Event]:
    """Each change of what Khalti has answered."""
    for answer in payment.lookup_history:
        at = parse_datetime(answer["at"])
        if at is not None:
            title = _("Khalti's status: %(status)s") % answer
            yield Event(at=at, icon="comment", title=title, detail=_lookup_detail(answer))


def _lookup_detail(answer: dict[str, Any]) -> str:
    parts = []
    if answer.get("total_amount") is not None:
        parts.append(npr(Paisa(answer["total_amount"])))
    if answer.get("transaction_id"):
        parts.append(_("transaction %(id)s") % {"id": answer["transaction_id"]})
    if answer.get("fee"):
        parts.append(_("fee %(fee)s") % {"fee": npr(Paisa(answer["fee"]))})
    return " · ".join(parts)


def _states(payment: Payment) -> Iterator[Event]:
    purchase = payment.purchase
    if payment.paid_at and payment.state != PaymentState.MISMATCHED:  # a mismatch has a time, but is not accepted yet
        yield Event(at=payment.paid_at, icon="check", title=_("Payment recorded"))
    if payment.fulfilled_at:
        title = _("Order %(number)s placed") % {"number": purchase.number}
        yield Event(at=payment.fulfilled_at, icon="pick", title=title, detail=_points(purchase))
    if payment.released_at:
        yield Event(
            at=payment.released_at,
            icon="cross",
            title=_("Not paid: %(reason)s") % {"reason": _release_reason(payment)},
            detail=_("Stock and points that were reserved for this attempt are released."),
        )


def _release_reason(payment: Payment) -> str:
    """Return why it was released. Its state may be another one by now: the customer may have paid late."""
    if not payment.release_reason:  # an unmatched payment turned out to be its money
        return str(RELEASE_STATUSES[ReleaseReason.REFUSED].label)
    status = RELEASE_STATUSES.get(payment.release_reason)  # type: ignore[call-overload]  # a StrEnum's value is a key
    return str((status or PAYMENT_STATUSES[PaymentState.REFUNDED]).label)


def _points(purchase: Purchase) -> str:
    parts = []
    if purchase.points_redeemed:
        parts.append(_("Points used: %(points)s") % {"points": formats.number(purchase.points_redeemed)})
    if purchase.earned:
        parts.append(_("Points earned: %(points)s") % {"points": formats.number(purchase.earned)})
    return " · ".join(parts)


def _flag(flag: Flag, names: dict[str, str]) -> Iterator[Event]:
    number = _("Flag %(pk)s") % {"pk": flag.pk}
    yield Event(
        at=flag.raised_at, icon="warning", title=str(REASONS[FlagReason(flag.reason)]), detail=number, is_warning=True
    )
    if flag.resolved_at:
        yield _answer(flag.pk, flag.resolved_at, flag, names)


def _answer(number: int, at: datetime, answer: Flag | FlagEntry, names: dict[str, str]) -> Event:
    """The newest answer to a flag, or an earlier one."""
    resolution = RESOLUTIONS.get(answer.resolution)  # type: ignore[call-overload]  # a StrEnum's value is a key
    if answer.resolution == REOPENED:
        resolution = _("reopened")
    values = {"pk": number, "resolution": resolution or _("resolved automatically")}
    return Event(
        at=at,
        icon="thumbtack" if answer.actor else "check",
        title=_("Flag %(pk)s: %(resolution)s") % values,
        detail=answer.note,
        actor=names.get(answer.actor or "", answer.actor or ""),
    )


def _unmatched(row: UnmatchedPayment, names: dict[str, str]) -> Iterator[Event]:
    """The payment came back from Khalti without a row here, and staff have made it this one."""
    yield Event(at=row.seen_at, icon="help", title=_("Came back from Khalti as an unmatched payment"))
    if row.resolved_at:
        title = _("Attached to this order") if row.state == UnmatchedState.ATTACHED else _("Recorded, to be refunded")
        actor = names.get(row.actor or "", row.actor or "")
        yield Event(at=row.resolved_at, icon="thumbtack", title=title, detail=row.note, actor=actor)
