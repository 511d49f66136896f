"""The story of a payment: what happened when, in words, oldest first. Reads; decides nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from loyalink_khalti.flow import people
from loyalink_khalti.money import Paisa, grouped, npr
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import Reason, RefundState, State
from loyalink_khalti.payments.words import REASONS
from loyalink_khalti.ports import Why
from loyalink_khalti.staff.words import DECISIONS, NOT_PAID


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the story. ``who`` is "" where nobody did it: it happened."""

    at: datetime
    icon: str
    title: str
    text: str = ""
    who: str = ""
    is_loud: bool = False


def story(payment: Payment) -> list[Event]:
    """All that is known of a payment, of its flags and refunds, in the order in which it happened."""
    flags, refunds = list(payment.flags.order_by("pk")), list(payment.refunds.order_by("pk"))
    names = people.emails([*(flag.actor for flag in flags), *(refund.actor for refund in refunds)])
    events = [
        *_begun(payment),
        *_heard(payment),
        *_written(payment),
        *(event for flag in flags for event in _flag(flag, names)),
        *(event for refund in refunds for event in _refund(refund, names)),
    ]
    return sorted(events, key=lambda event: event.at)  # stable: what happened at once stays in this order


def _begun(payment: Payment) -> Iterator[Event]:
    words = {"amount": npr(Paisa(payment.amount)), "attempt": payment.attempt}
    yield Event(
        at=payment.created_at,
        icon="plus",
        title=_("“Place order” pressed: %(amount)s to be paid (attempt %(attempt)s)") % words,
    )
    if payment.initiated_at:
        until = date_format(timezone.localtime(payment.expires_at), "DATETIME_FORMAT") if payment.expires_at else ""
        text = _("Its link lives until %(until)s.") % {"until": until} if until else ""
        yield Event(at=payment.initiated_at, icon="link", title=_("Khalti opened its payment page"), text=text)


def _heard(payment: Payment) -> Iterator[Event]:
    """Each change of what Khalti's lookup has said."""
    for said in payment.heard:
        at = parse_datetime(said["at"])
        if at is not None:
            yield Event(at=at, icon="comment", title=_("Khalti says: %(status)s") % said, text=_figures(said))


def _figures(said: dict[str, Any]) -> str:
    parts = []
    if said.get("total_amount") is not None:
        parts.append(npr(Paisa(said["total_amount"])))
    if said.get("transaction_id"):
        parts.append(_("transaction %(id)s") % {"id": said["transaction_id"]})
    if said.get("fee"):
        parts.append(_("fee %(fee)s") % {"fee": npr(Paisa(said["fee"]))})
    return " · ".join(parts)


def _written(payment: Payment) -> Iterator[Event]:
    purchase = payment.purchase
    if payment.paid_at and payment.state != State.MISMATCHED:  # which has a time, but nobody believes it yet
        yield Event(at=payment.paid_at, icon="check", title=_("The money is written down as paid"))
    if payment.fulfilled_at:
        yield Event(
            at=payment.fulfilled_at,
            icon="pick",
            title=_("Order %(number)s placed") % {"number": purchase.number},
            text=_points(purchase),
        )
    if payment.released_at:
        why = NOT_PAID.get(Why(payment.why)) if payment.why else None
        yield Event(
            at=payment.released_at,
            icon="cross",
            title=_("Let go of: %(why)s") % {"why": why.label if why else payment.why},
            text=_("Goods and points that waited for this attempt alone are free again."),
        )


def _points(purchase: Purchase) -> str:
    parts = []
    if purchase.spends:
        parts.append(_("%(points)s points spent") % {"points": grouped(purchase.spends)})
    if purchase.earned:
        parts.append(_("%(points)s points earned") % {"points": grouped(purchase.earned)})
    return " · ".join(parts)


def _flag(flag: Flag, names: dict[str, str]) -> Iterator[Event]:
    words = str(REASONS[Reason(flag.reason)])
    yield Event(at=flag.raised_at, icon="warning", title=words, text=_("Flag %(pk)s") % {"pk": flag.pk}, is_loud=True)
    if flag.resolved_at:
        decision = DECISIONS.get(flag.resolution)  # type: ignore[call-overload]  # a Decision is its text
        yield Event(
            at=flag.resolved_at,
            icon="thumbtack" if flag.actor else "check",
            title=_("Flag %(pk)s answered: %(how)s")
            % {"pk": flag.pk, "how": decision or _("it came right by itself")},
            text=flag.note,
            who=names.get(flag.actor or "", flag.actor or ""),
        )


def _refund(refund: Refund, names: dict[str, str]) -> Iterator[Event]:
    cash, who = npr(Paisa(refund.cash)), names.get(refund.actor or "", refund.actor or "")
    yield Event(
        at=refund.requested_at, icon="rotate", title=_("Refund of %(cash)s asked for") % {"cash": cash}, who=who
    )
    if refund.state == RefundState.REFUSED:
        at = refund.sent_at or refund.requested_at
        yield Event(
            at=at, icon="cross", title=_("Khalti refused the refund of %(cash)s") % {"cash": cash}, text=refund.words
        )
    if refund.done_at:
        words = {"back": grouped(refund.restored), "taken": grouped(refund.clawed)}
        moved = _("%(back)s points came back, %(taken)s were taken back") % words if refund.carried_at else ""
        yield Event(at=refund.done_at, icon="check", title=_("%(cash)s given back") % {"cash": cash}, text=moved)
