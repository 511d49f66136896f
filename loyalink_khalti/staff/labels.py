"""What staff pages call the states of payments and refunds, the options of a flag, and the outcome of a refund."""

from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.flow import Resolution
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import KATHMANDU
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.refund_reasons import reason_label
from loyalink_khalti.payments.states import PaymentState, RefundState
from loyalink_khalti.ports import ReleaseReason

RESOLUTIONS: dict[Resolution, Promise] = {
    Resolution.PLACE_ORDER: _("Place the order"),
    Resolution.ACCEPT: _("Accept the amount and place the order"),
    Resolution.REFUND: _("Refund the payment at Khalti"),
    Resolution.RELEASE: _("Ask Khalti, and release stock and points if nothing was paid"),
    Resolution.CONFIRM_REFUND: _("Khalti's dashboard shows the refund"),
    Resolution.REJECT_REFUND: _("Khalti's dashboard does not show the refund"),
    Resolution.RECORD_REFUND: _("Record the amount refunded in Khalti's dashboard"),
    Resolution.RECORD_PAID: _("Record that Khalti's dashboard shows it as paid"),
    Resolution.RECORD_UNPAID: _("Record that Khalti's dashboard shows it as not paid"),
    Resolution.CLOSE: _("Close without action"),
    Resolution.REOPEN: _("Reopen: review it again"),
}
"""What staff may do about a flag."""

RESOLUTIONS_IN_SHORT: dict[Resolution, Promise] = RESOLUTIONS | {
    Resolution.ACCEPT: _("Accept the amount"),
    Resolution.REFUND: _("Refund"),
    Resolution.CONFIRM_REFUND: _("Confirm the refund"),
    Resolution.REJECT_REFUND: _("Reject the refund"),
    Resolution.RECORD_REFUND: _("Record a refund"),
    Resolution.RELEASE: _("Release"),
    Resolution.RECORD_PAID: _("Record as paid"),
    Resolution.RECORD_UNPAID: _("Record as not paid"),
    Resolution.REOPEN: _("Reopen"),
}
"""The same for a table."""

_DURATIONS = (
    ngettext_lazy("%(num)d year", "%(num)d years", "num"),
    ngettext_lazy("%(num)d month", "%(num)d months", "num"),
    ngettext_lazy("%(num)d week", "%(num)d weeks", "num"),
    ngettext_lazy("%(num)d day", "%(num)d days", "num"),
    ngettext_lazy("%(num)d hour", "%(num)d hours", "num"),
    ngettext_lazy("%(num)d minute", "%(num)d minutes", "num"),
    _(", "),
)
"""The texts of Django's ``timesince``, which Django (up to 6.1) does not have in Nepali: our catalogue adds them."""


def resolution_label(resolution: Resolution, payment: Payment) -> str:
    """Return what a resolution does about this payment, with the amount where money is refunded or kept."""
    left = Paisa((payment.captured or 0) - payment.refunded)
    if resolution is Resolution.REFUND:
        return gettext("Refund the payment at Khalti: %(amount)s to the customer") % {"amount": npr(left)}
    if resolution is Resolution.CLOSE and left:
        return gettext("Close without action (the shop keeps the money)")
    return str(RESOLUTIONS[resolution])


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusLabel:
    """A state as a label, with a mark that needs no colour."""

    label: Promise
    mark: str
    is_warning: bool = False


PAYMENT_STATUSES: dict[PaymentState, StatusLabel] = {
    PaymentState.CREATED: StatusLabel(label=_("Starting"), mark="…"),
    PaymentState.INITIATED: StatusLabel(label=_("Awaiting payment"), mark="…"),
    PaymentState.PAID: StatusLabel(label=_("Paid – order not placed"), mark="!", is_warning=True),
    PaymentState.FULFILLED: StatusLabel(label=_("Paid"), mark="✓"),
    PaymentState.RELEASED: StatusLabel(label=_("Not paid"), mark="–"),
    PaymentState.MISMATCHED: StatusLabel(label=_("Amount or transaction mismatch"), mark="!", is_warning=True),
    PaymentState.PARTIALLY_REFUNDED: StatusLabel(label=_("Partially refunded"), mark="↩"),
    PaymentState.REFUNDED: StatusLabel(label=_("Refunded"), mark="↩"),
}

RELEASE_STATUSES: dict[ReleaseReason, StatusLabel] = {
    ReleaseReason.REFUSED: StatusLabel(label=_("Failed"), mark="–"),
    ReleaseReason.CANCELLED: StatusLabel(label=_("Cancelled"), mark="–"),
    ReleaseReason.EXPIRED: StatusLabel(label=_("Expired"), mark="–"),
    ReleaseReason.FAILED: StatusLabel(label=_("Failed"), mark="–"),
    ReleaseReason.CANCELLED_IN_SHOP: StatusLabel(label=_("Cancelled"), mark="–"),
}


def payment_status(payment: Payment) -> StatusLabel:
    """Return the label of a payment's state; for a released one, of its reason."""
    state = PaymentState(payment.state)
    if state is PaymentState.RELEASED and payment.release_reason:
        return RELEASE_STATUSES.get(ReleaseReason(payment.release_reason), PAYMENT_STATUSES[state])
    return PAYMENT_STATUSES[state]


EVIDENCE = {
    "pidx": _("Khalti's pidx"),
    "status": _("Khalti's status"),
    "total_amount": _("Khalti's amount"),
    "transaction_id": _("Khalti's transaction"),
    "refunded": _("Marked as refunded at Khalti"),
    "khalti": _("Khalti's message"),
    "status_code": _("HTTP status"),
    "shape": _("Shape of the answer"),
    "shop": _("The shop's message"),
    "refund": _("Refund"),
    "amount": _("Amount"),
    "rest": _("Left to refund"),
    "error": _("Error"),
    "released": _("Released before"),
    "earlier_status": _("Khalti's status before"),
    "earlier_amount": _("Khalti's amount before"),
    "earlier_transaction_id": _("Khalti's transaction before"),
}
_IN_PAISA = frozenset({"amount", "rest", "total_amount", "earlier_amount"})


def flag_evidence(flag: Flag) -> list[tuple[str, Any]]:
    """Return the evidence of a flag as pairs of label and value."""
    items = [(name, value) for name, value in flag.evidence.items() if value not in ("", None)]
    shown = [(EVIDENCE.get(name, name), evidence_value(name, value)) for name, value in items]
    if flag.count > 1 and flag.last_at is not None:
        last = formats.digits(date_format(timezone.localtime(flag.last_at, KATHMANDU), "j M Y, H:i"))
        times = gettext("%(number)s times, last on %(last)s") % {"number": flag.count, "last": last}
        shown.append((_("Happened"), times))
    return shown


def evidence_value(name: str, value: Any) -> Any:
    """Return one value of a flag's evidence for reading: money in rupees, yes or no in words."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return npr(Paisa(value)) if name in _IN_PAISA and isinstance(value, int) else value


REFUND_STATUSES: dict[RefundState, tuple[Promise, str]] = {
    RefundState.REQUESTED: (_("Sending"), "info"),
    RefundState.SENT: (_("Sending"), "info"),
    RefundState.DONE: (_("Refunded"), "success"),
    RefundState.REFUSED: (_("Refused"), "secondary"),
    RefundState.UNKNOWN: (_("Unconfirmed"), "warning"),
}
"""The label of a refund's state, and the colour of its badge in Bootstrap's names."""


def refund_status(refund: Refund) -> tuple[Promise, str]:
    """Return the label of a refund's state and the colour of its badge."""
    if refund.reverses_id is not None:
        return _("Correction"), "secondary"
    if refund.state == RefundState.DONE and refund.applied_at is None:
        return _("Refunded, not recorded"), "warning"
    return REFUND_STATUSES[RefundState(refund.state)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRow:
    """A refund as a page lists it; ``subtotal`` and ``shipping`` are prices before points."""

    refund: Refund
    amount: str
    subtotal: str
    shipping: str
    status: str
    colour: str
    channel: str
    remark: str
    """What else staff must know: why it was refused, and that its result was inferred."""
    reason: str
    """Why it was made, with the note of staff; "" where neither is known."""


def refund_rows(source: Purchase | Payment) -> list[RefundRow]:
    """Return the refunds of a purchase or of one payment, the newest first."""
    rows = list(source.refunds.order_by("-pk"))
    reversed_ones = {refund.reverses_id for refund in rows}
    return [_refund_row(refund, is_reversed=refund.pk in reversed_ones) for refund in rows]


def _refund_row(refund: Refund, *, is_reversed: bool) -> RefundRow:
    status, colour = (_("Not made"), "secondary") if is_reversed else refund_status(refund)
    return RefundRow(
        refund=refund,
        amount=npr(Paisa(refund.amount)),
        subtotal=npr(Paisa(refund.subtotal)),
        shipping=npr(refund.shipping_price),
        status=str(status),
        colour=colour,
        channel=gettext("at Khalti") if refund.payment_id else gettext("outside Khalti"),
        remark=_remark(refund),
        reason=refund_reason(refund),
    )


def refund_reason(refund: Refund) -> str:
    """Return why a refund was made, as staff chose and noted it; "" where neither is known."""
    return " · ".join(filter(None, (reason_label(refund.reason), refund.note)))


def _remark(refund: Refund) -> str:
    if refund.inferred:
        values = {"status": refund.khalti_message}
        if refund.state == RefundState.DONE:
            return gettext("Inferred: Khalti did not answer, and reports “%(status)s” since.") % values
        return gettext("Inferred: Khalti did not answer, and reports “%(status)s” a day later.") % values
    return f"“{refund.khalti_message}”" if refund.state == RefundState.REFUSED else ""


def refund_message(refund: Refund, *, cancelled: bool = False) -> tuple[str, str]:
    """Return the outcome of a refund for staff, as the name of a level of ``messages`` and a text."""
    values = {
        "amount": npr(Paisa(refund.amount)), "khalti": refund.khalti_message.removesuffix("."),
        "returned": refund.points_restored, "reversed": refund.points_clawed_back,
    }  # fmt: skip
    if refund.state == RefundState.REFUSED and refund.sent_at is None:  # it says itself that nothing was sent
        return "error", refund.khalti_message
    if refund.state == RefundState.REFUSED:
        return "error", gettext("Khalti refused: “%(khalti)s”. No money and no points have moved.") % values
    if refund.state == RefundState.UNKNOWN:
        return "warning", gettext(
            "Khalti did not answer, so the refund of %(amount)s is unconfirmed. It is not sent again automatically: "
            "check Khalti's dashboard."
        ) % values
    if refund.state != RefundState.DONE:
        return "info", gettext("This refund is being sent to Khalti.")
    if refund.applied_at is None:
        return "warning", gettext(
            "Khalti has refunded %(amount)s, but the order and the points are not updated."
        ) % values
    if cancelled and refund.amount:
        return "success", gettext(
            "The order is cancelled. Hand %(amount)s to the customer: it was received. Points returned: %(returned)s."
        ) % values
    if cancelled:
        return "success", gettext("The order is cancelled. Points returned: %(returned)s.") % values
    return "success", _done(refund) % values


def _done(refund: Refund) -> str:
    if not refund.amount:
        return gettext("Refunded. Points returned: %(returned)s; points reversed: %(reversed)s.")
    if refund.payment_id:
        return gettext("Khalti has refunded %(amount)s. Points returned: %(returned)s; points reversed: %(reversed)s.")
    return gettext(
        "Recorded. Hand %(amount)s to the customer. Points returned: %(returned)s; points reversed: %(reversed)s."
    )
