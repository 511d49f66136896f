"""Cancel an order that is not paid yet, whatever the back office: its stock and its points are released."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti.errors import LoyalinkError, RefundLimitExceeded
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase

from . import action_log, permissions
from .labels import refund_message
from .refund_form import RefundRequest, cancel_key
from .refund_steps import log_new_request, requested_message


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What became of it, as a message for staff."""

    level: str
    """The name of a level of ``messages``."""
    text: str
    is_new: bool = False
    """Whether this request has cancelled the order, and no earlier one."""


def cancel_unpaid_order(purchase: Purchase, *, user: Any) -> Cancelled:
    """Cancel a placed order that waits for cash or a bank transfer, once, and log it."""
    if not refunds.is_awaiting_money(purchase):
        return Cancelled(level="error", text=_("%(number)s is paid. Refund it instead.") % {"number": purchase.number})
    try:
        refund = RefundRequest.all_of(purchase).refund(
            purchase,
            key=cancel_key(purchase),
            actor=str(user.pk),
            enforce_limit=not permissions.has_permission(user, permissions.REFUND_BEYOND_LIMIT),
            cancels=True,
        )
    except RefundLimitExceeded as exc:
        return _ask(purchase, user, why=str(exc))
    except LoyalinkError as exc:
        return Cancelled(level="error", text=str(exc))
    if not refund.is_repeated:
        action_log.log_refund(refund, user=user, action=action_log.CANCELLED)
    level, text = refund_message(refund, cancelled=True)
    return Cancelled(level=level, text=text, is_new=not refund.is_repeated)


def _ask(purchase: Purchase, user: Any, *, why: str) -> Cancelled:
    """Request that a colleague approves the cancellation: money that was received in part would go back."""
    key = f"{cancel_key(purchase)}:{purchase.refund_approvals.count()}"
    try:
        row = RefundRequest.all_of(purchase).ask(purchase, key=key, actor=str(user.pk), cancels=True)
    except LoyalinkError as exc:
        return Cancelled(level="error", text=f"{why} {exc}")
    log_new_request(row, user=user)
    return Cancelled(level="warning", text=f"{why} {requested_message(row)}")
