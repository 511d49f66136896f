"""What staff do with money, in Wagtail's site history, whatever the back office: one entry for each action.

An entry has figures and codes alone: no name, no reference of a bank, no note. ``backoffice.payments.log`` has the
texts.
"""

from typing import Any

from wagtail.log_actions import log

from loyalink_khalti.flow import ReceivedResult
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.payments.notes import PurchaseNote
from loyalink_khalti.payments.refund_approvals import ApprovalState, RefundApproval

REFUNDED = "loyalink_khalti.refund"
CANCELLED = "loyalink_khalti.cancel_order"
RECEIVED = "loyalink_khalti.receive"
RECEIVED_CORRECTED = "loyalink_khalti.correct_received"
PLACED_AGAIN = "loyalink_khalti.place_again"
MAIL_SENT = "loyalink_khalti.send_mail"
NOTED = "loyalink_khalti.write_note"
REFUND_REQUESTED = "loyalink_khalti.request_refund"
REFUND_APPROVED = "loyalink_khalti.approve_refund"
REFUND_REJECTED = "loyalink_khalti.reject_refund"
EVIDENCE_EXPORTED = "loyalink_khalti.export_evidence"


def log_refund(refund: Refund, *, user: Any, action: str = REFUNDED) -> None:
    """Log a refund, or with ``CANCELLED`` the cancellation of an unpaid order, under its payment if it has one."""
    data = {"refund": refund.key, "amount": refund.amount, "state": refund.state, "reason": refund.reason}
    instance = refund.payment or refund
    title = refund.payment.purchase_order_id if refund.payment else _name(refund.purchase)
    log(instance=instance, action=action, user=user, title=title, data=data)


def log_request(row: RefundApproval, *, user: Any) -> None:
    """Log that a colleague's approval was requested, or that a request was rejected or withdrawn."""
    action = REFUND_REQUESTED if row.state == ApprovalState.REQUESTED else REFUND_REJECTED
    data = {"request": row.pk, "amount": row.amount, "state": row.state, "reason": row.reason}
    log(instance=row.payment or row.purchase, action=action, user=user, title=_name(row.purchase), data=data)


def log_received(result: ReceivedResult, *, user: Any) -> None:
    """Log money that was recorded or corrected, and an order that was placed again with it; once."""
    entry = result.entry
    if entry is not None and result.is_new:
        action = RECEIVED_CORRECTED if entry.reverses_id else RECEIVED
        data = {"amount": entry.amount, "received_on": entry.received_on.isoformat(), "entry": entry.pk}
        log(instance=entry, action=action, user=user, title=_name(result.purchase), data=data)
    if result.is_placed_again:
        newest = result.purchase.received_money.order_by("-pk").first()
        log(instance=newest, action=PLACED_AGAIN, user=user, title=_name(result.purchase), data={})


def log_mail(purchase: Purchase, kind: str, *, user: Any) -> None:
    """Log that a mail about an order was sent again, under its newest payment if it has one."""
    instance = purchase.payments.order_by("-pk").first() or purchase
    log(instance=instance, action=MAIL_SENT, user=user, title=_name(purchase), data={"mail": kind})


def log_note(note: PurchaseNote, *, user: Any) -> None:
    """Log that a note was written; what it says is on the page of its order alone."""
    log(instance=note, action=NOTED, user=user, title=_name(note.purchase), data={"note": note.pk})


def _name(purchase: Purchase) -> str:
    return purchase.number or purchase.ref
