"""What staff do about cash and bank transfers on an order's page, whatever the back office: four actions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import RefundLimitExceeded
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import PAID_LATER

from . import action_log, permissions
from .received_form import CorrectionForm, ReceivedForm, ReceivedSummary, SurplusForm, summary
from .refund_steps import log_new_request, requested_message


class ReceivedAction(StrEnum):
    """The values of the buttons."""

    RECORD = "record"
    REVERSE = "reverse"
    APPLY = "apply"
    """Place a cancelled order again, whose money has arrived."""
    REFUND = "refund"
    """Record that a surplus was handed to the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """What an action has done."""

    invalid: forms.Form | None = None
    """The form to show again; then nothing was done."""
    notes: tuple[str, ...] = ()
    """Sentences for the order's own notes, for what is new."""
    level: str = "success"
    """The name of a level of ``messages``."""
    text: str = ""


def received_money(purchase: Purchase | None) -> Purchase | None:
    """Return a purchase that is paid in cash or by bank transfer, None for any other."""
    return purchase if purchase is not None and purchase.method in PAID_LATER else None


def may_perform(user: Any, action: ReceivedAction) -> bool:
    """Return whether this user has the permission: refunds have one of their own."""
    needed = permissions.REFUND if action is ReceivedAction.REFUND else permissions.RECORD_RECEIVED
    return permissions.has_permission(user, needed)


def perform(action: ReceivedAction, purchase: Purchase, data: Mapping[str, Any], *, user: Any) -> Performed:
    """Do what staff have sent, once, and log it. Raises what the flow raises, with a sentence for staff."""
    match action:
        case ReceivedAction.RECORD:
            return _record(ReceivedForm(data, purchase=purchase), user)
        case ReceivedAction.REVERSE:
            return _reverse(CorrectionForm(data, purchase=purchase), user)
        case ReceivedAction.APPLY:
            return _report(flow.apply_received(purchase, actor=str(user.pk)), user, done="", note="")
        case ReceivedAction.REFUND:
            return _refund(SurplusForm(data, purchase=purchase), user)


def _record(form: ReceivedForm, user: Any) -> Performed:
    if not form.is_valid():
        return Performed(invalid=form)
    return _report(form.record(actor=str(user.pk)), user, done=_("Recorded."), note=_("Payment received: %(amount)s."))


def _reverse(form: CorrectionForm, user: Any) -> Performed:
    if not form.is_valid():
        return Performed(invalid=form)
    note = _("An entry of %(amount)s received was reversed.")
    return _report(form.correct(actor=str(user.pk)), user, done=_("The entry is reversed."), note=note)


def _refund(form: SurplusForm, user: Any) -> Performed:
    if not form.is_valid():
        return Performed(invalid=form)
    purchase, amount = form.purchase, form.cleaned_data["amount"]
    may_exceed = permissions.has_permission(user, permissions.REFUND_BEYOND_LIMIT)
    key = f"{purchase.ref}:surplus:{form.cleaned_data['key']}"
    try:
        refund = flow.refund_surplus(
            purchase, amount=amount, key=key, actor=str(user.pk), enforce_limit=not may_exceed
        )
    except RefundLimitExceeded as exc:
        row = flow.request_surplus_refund(purchase, amount=amount, key=key, actor=str(user.pk))
        log_new_request(row, user=user)
        return Performed(level="warning", text=f"{exc} {requested_message(row)}")
    values = {"amount": npr(amount)}
    text = _("Recorded. Hand %(amount)s to the customer.") % values
    if refund.is_repeated:
        return Performed(text=text)
    action_log.log_refund(refund, user=user)
    return Performed(notes=(_("Refunded outside Khalti: %(amount)s.") % values,), text=text)


def _report(result: flow.ReceivedResult, user: Any, *, done: str, note: str) -> Performed:
    """Log what was done, and return what it has changed."""
    action_log.log_received(result, user=user)
    notes = []
    if result.is_new and result.entry is not None:
        notes.append(note % {"amount": npr(Paisa(abs(result.entry.amount)))})
    if result.is_placed_again:
        notes.append(_("Placed again: its payment has arrived."))
    if result.obstacle:
        text = _("The money is recorded, and the order is not updated: %(reason)s") % {"reason": result.obstacle}
        return Performed(notes=tuple(notes), level="warning", text=text)
    state = _state(result, summary(result.purchase))
    return Performed(notes=tuple(notes), text=" ".join(filter(None, [done, state])))


def _state(result: flow.ReceivedResult, money: ReceivedSummary) -> str:
    """Return what the order awaits now, as a sentence."""
    if result.is_placed_again:
        return _("The order is placed again and paid.")
    if money.is_cancelled:
        return _("The order stays cancelled; %(amount)s was received for it since.") % {"amount": money.surplus}
    if money.surplus:
        return _("%(amount)s more was received than the order needs.") % {"amount": money.surplus}
    if money.left:
        return _("%(amount)s is left to pay.") % {"amount": money.left}
    return _("The order is paid, and its points are awarded.")
