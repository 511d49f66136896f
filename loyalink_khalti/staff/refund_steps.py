"""What the buttons of a refund form do, whatever the back office: preview, change, confirm, or ask a colleague."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import LoyalinkError, RefundLimitExceeded
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.refund_approvals import RefundApproval

from . import permissions
from .action_log import log_refund, log_request
from .labels import refund_message
from .refund_form import RefundForm, approval_reason


class Step(StrEnum):
    """The values of the buttons."""

    PREVIEW = "preview"
    CHANGE = "change"
    """Back to the form, with everything that was entered."""
    CONFIRM = "confirm"
    ASK = "ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """What to show next: a message and the order's page or, without one, the form or its preview."""

    form: RefundForm
    is_preview: bool = False
    needs_approval: str = ""
    """Why a colleague must approve it, as a sentence; then the preview offers to ask one."""
    level: str = ""
    """The name of a level of ``messages``; "" where the page is shown again."""
    text: str = ""


def take_step(step: Step, purchase: Purchase, data: Mapping[str, Any], *, user: Any) -> StepDone:
    """Do what a button says, once per form, and log it. Nothing that was entered is lost where it is refused."""
    form = RefundForm(data, purchase=purchase)
    if not form.is_valid() or step is Step.CHANGE:
        return StepDone(form=form)
    needed = approval_reason(user, purchase, form.refund_amount)
    if step is Step.PREVIEW or not form.cleaned_data["key"] or (needed and step is Step.CONFIRM):
        return StepDone(form=form, is_preview=True, needs_approval=needed)
    return _ask(purchase, form, user) if step is Step.ASK else _refund(purchase, form, user)


def _refund(purchase: Purchase, form: RefundForm, user: Any) -> StepDone:
    try:
        refund = form.refund_request.refund(
            purchase,
            key=form.cleaned_data["key"],
            actor=str(user.pk),
            seen_refund=form.cleaned_data["seen_refund"],
            enforce_limit=not permissions.has_permission(user, permissions.REFUND_BEYOND_LIMIT),
        )
    except RefundLimitExceeded as exc:
        return StepDone(form=form, is_preview=form.quote is not None, needs_approval=str(exc))
    except LoyalinkError as exc:
        return StepDone(form=form, level="error", text=str(exc))
    if not refund.is_repeated:
        log_refund(refund, user=user)
    level, text = refund_message(refund)
    return StepDone(form=form, level=level, text=text)


def _ask(purchase: Purchase, form: RefundForm, user: Any) -> StepDone:
    try:
        row = form.refund_request.ask(
            purchase, key=form.cleaned_data["key"], actor=str(user.pk), seen_refund=form.cleaned_data["seen_refund"]
        )
    except LoyalinkError as exc:
        return StepDone(form=form, level="error", text=str(exc))
    log_new_request(row, user=user)
    return StepDone(form=form, level="success", text=requested_message(row))


def log_new_request(row: RefundApproval, *, user: Any) -> None:
    """Log a request, once."""
    if not row.is_repeated:
        log_request(row, user=user)


def requested_message(row: RefundApproval) -> str:
    """Return what staff read after they have asked a colleague."""
    return _(
        "A refund of %(amount)s is requested. No money has moved: a colleague has to approve it, on the first page of"
        " the admin."
    ) % {"amount": npr(Paisa(row.amount))}
