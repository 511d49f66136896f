"""What staff do with payments, in Wagtail's site history: figures and codes alone, no name."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.log_actions import LogActionRegistry, LogFormatter

from loyalink_khalti import flow
from loyalink_khalti.backoffice.orders.missing_order import CLOSED
from loyalink_khalti.conf.formats import day, npr
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.refund_approvals import ApprovalState
from loyalink_khalti.payments.refund_reasons import reason_label
from loyalink_khalti.ports import Outcome
from loyalink_khalti.staff import action_log
from loyalink_khalti.staff.labels import REFUND_STATUSES, RESOLUTIONS

from .record import RECORDED, REVERSED
from .refresh import REFRESHED
from .release import RELEASED
from .resolution import RESOLVED
from .unmatched import LABELS, UNMATCHED

OUTCOMES: dict[Outcome, Any] = {
    Outcome.PAID: gettext_lazy("Paid"),
    Outcome.FLAGGED: gettext_lazy("Needs review"),
    Outcome.CANCELLED: gettext_lazy("Cancelled"),
    Outcome.EXPIRED: gettext_lazy("Expired"),
    Outcome.FAILED: gettext_lazy("Failed"),
}
"""What became of a payment that staff have released, where Khalti has answered."""


class StatusRefreshed(LogFormatter):
    label: Any = gettext_lazy("Refresh the status of a payment")

    def format_message(self, log_entry: Any) -> str:
        return _("Khalti's status: %(status)s") % {"status": log_entry.data.get("status") or _("no answer")}


class PaymentRefunded(LogFormatter):
    label: Any = gettext_lazy("Refund")

    def format_message(self, log_entry: Any) -> str:
        status = _label({state: label for state, (label, _colour) in REFUND_STATUSES.items()}, log_entry.data["state"])
        amount = npr(Paisa(log_entry.data["amount"]))
        text = _("Refund of %(amount)s: %(status)s") % {"amount": amount, "status": status}
        reason = reason_label(log_entry.data.get("reason") or "")
        return f"{text} ({reason})" if reason else text


class RefundRequested(PaymentRefunded):
    label: Any = gettext_lazy("Request a refund")

    def format_message(self, log_entry: Any) -> str:
        amount = npr(Paisa(log_entry.data["amount"]))
        return _("Refund of %(amount)s requested, for a colleague to approve") % {"amount": amount}


class RefundApproved(PaymentRefunded):
    label: Any = gettext_lazy("Approve a refund")


class RefundRejected(RefundRequested):
    label: Any = gettext_lazy("Reject or withdraw a requested refund")

    def format_message(self, log_entry: Any) -> str:
        data = log_entry.data
        state = _label(dict(ApprovalState.choices), data["state"])
        return _("Requested refund of %(amount)s: %(state)s") % {"amount": npr(Paisa(data["amount"])), "state": state}


class EvidenceExported(LogFormatter):
    label: Any = gettext_lazy("Export the evidence of a payment")

    def format_message(self, log_entry: Any) -> str:
        return _("Exported the evidence as %(format)s") % {"format": log_entry.data["format"].upper()}


class OrderCancelled(LogFormatter):
    label: Any = gettext_lazy("Cancel an order")

    def format_message(self, log_entry: Any) -> str:
        amount = log_entry.data["amount"]
        if not amount:
            return _("Cancelled before it was paid")
        return _("Cancelled; %(amount)s to hand to the customer") % {"amount": npr(Paisa(amount))}


class MailSent(LogFormatter):
    label: Any = gettext_lazy("Send a customer's mail again")

    def format_message(self, log_entry: Any) -> str:
        label = flow.MAIL_LABELS.get(log_entry.data["mail"], log_entry.data["mail"])
        return _("Sent again: %(mail)s") % {"mail": label}


class NoteWritten(LogFormatter):
    label: Any = gettext_lazy("Write a note")
    message: Any = gettext_lazy("Wrote a note on an order or a payment")


class MoneyReceived(LogFormatter):
    label: Any = gettext_lazy("Record received money")

    def format_message(self, log_entry: Any) -> str:
        received_on = date.fromisoformat(log_entry.data["received_on"])
        data = {"amount": npr(Paisa(log_entry.data["amount"])), "day": day(received_on)}
        return _("Received %(amount)s on %(day)s") % data


class ReceivedCorrected(LogFormatter):
    label: Any = gettext_lazy("Correct received money")

    def format_message(self, log_entry: Any) -> str:
        return _("Reversed an entry of %(amount)s received") % {"amount": npr(Paisa(-log_entry.data["amount"]))}


class OrderPlacedAgain(LogFormatter):
    label: Any = gettext_lazy("Place an order again")
    message: Any = gettext_lazy("Placed again: its payment arrived after it was cancelled")


class RefundRecorded(LogFormatter):
    label: Any = gettext_lazy("Record a refund")

    def format_message(self, log_entry: Any) -> str:
        return _("Refund of %(amount)s recorded") % {"amount": npr(Paisa(log_entry.data["amount"]))}


class RefundReversed(LogFormatter):
    label: Any = gettext_lazy("Record that a refund was not made")

    def format_message(self, log_entry: Any) -> str:
        return _("Refund of %(amount)s was not made") % {"amount": npr(Paisa(-log_entry.data["amount"]))}


class FlagResolved(LogFormatter):
    label: Any = gettext_lazy("Resolve a flag")

    def format_message(self, log_entry: Any) -> str:
        data = log_entry.data
        reason, resolution = _label(REASONS, data["reason"]), _label(RESOLUTIONS, data["resolution"])
        values = {"pk": data["flag"], "reason": reason.removesuffix("."), "resolution": resolution}
        return _("Resolved flag %(pk)s (%(reason)s): %(resolution)s") % values


class MissingOrderClosed(LogFormatter):
    label: Any = gettext_lazy("Close a deleted or cancelled order")
    message: Any = gettext_lazy("Nothing more is to be done about an order that was deleted or cancelled in the shop")


class ReservationReleased(LogFormatter):
    label: Any = gettext_lazy("Release a reservation")

    def format_message(self, log_entry: Any) -> str:
        outcome = log_entry.data["outcome"]
        if outcome == Outcome.CONFIRMING:
            return _("Release of a payment at Khalti: nothing was changed, Khalti did not confirm that it is unpaid")
        return _("Release of a payment at Khalti: %(outcome)s") % {"outcome": _label(OUTCOMES, outcome)}


class UnmatchedDealtWith(LogFormatter):
    label: Any = gettext_lazy("Deal with an unmatched payment")

    def format_message(self, log_entry: Any) -> str:
        data = log_entry.data
        values = {"amount": npr(Paisa(data["amount"] or 0)), "action": _label(LABELS, data["action"])}
        return _("Unmatched payment of %(amount)s: %(action)s") % values


def register(actions: LogActionRegistry) -> None:
    """Register the log actions of this package with Wagtail."""
    for action, formatter in {
        REFRESHED: StatusRefreshed,
        action_log.REFUNDED: PaymentRefunded,
        action_log.CANCELLED: OrderCancelled,
        action_log.REFUND_REQUESTED: RefundRequested,
        action_log.REFUND_APPROVED: RefundApproved,
        action_log.REFUND_REJECTED: RefundRejected,
        action_log.EVIDENCE_EXPORTED: EvidenceExported,
        action_log.RECEIVED: MoneyReceived,
        action_log.RECEIVED_CORRECTED: ReceivedCorrected,
        action_log.PLACED_AGAIN: OrderPlacedAgain,
        action_log.MAIL_SENT: MailSent,
        action_log.NOTED: NoteWritten,
        RECORDED: RefundRecorded,
        REVERSED: RefundReversed,
        RESOLVED: FlagResolved,
        RELEASED: ReservationReleased,
        CLOSED: MissingOrderClosed,
        UNMATCHED: UnmatchedDealtWith,
    }.items():
        actions.register_action(action)(formatter)


def _label(labels: Mapping[Any, Any], code: str) -> str:
    """Return the label of a stored code; the code itself if it no longer exists."""
    return str(labels.get(code, code))
