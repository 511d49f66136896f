"""How staff may resolve a Flag, by its reason and the state of its payment."""

from enum import StrEnum

from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.payments.states import (
    NET_POSITIVE,
    NO_MONEY_SHOWN,
    NOT_FOUND,
    PENDING_REFUNDS,
    FlagReason,
    PaymentState,
    PurchaseState,
)


class Resolution(StrEnum):
    """How staff resolve a Flag."""

    PLACE_ORDER = "place_order"
    """The money has arrived: place the order; points that the member no longer has are owed."""
    ACCEPT = "accept"
    """Accept a mismatched amount; then as ``PLACE_ORDER``."""
    REFUND = "refund"
    """Refund all of a payment that bought nothing."""
    RELEASE = "release"
    """Khalti does not find this payment: release stock and points."""
    CONFIRM_REFUND = "confirm_refund"
    """Khalti's dashboard shows the refund that Khalti did not answer."""
    REJECT_REFUND = "reject_refund"
    """Khalti's dashboard does not show it."""
    RECORD_REFUND = "record_refund"
    """Record the amount refunded in Khalti's dashboard."""
    CLOSE = "close"
    """Close without action."""


_FOR_PAID = {
    PurchaseState.OPEN: (Resolution.PLACE_ORDER, Resolution.REFUND),  # it holds stock: it cannot just be closed
    PurchaseState.RELEASED: (Resolution.PLACE_ORDER, Resolution.REFUND, Resolution.CLOSE),
    PurchaseState.PLACED: (Resolution.REFUND, Resolution.CLOSE),
}


def resolution_options(flag: Flag) -> tuple[Resolution, ...]:
    """Return how staff may resolve an open Flag in its payment's present state; reads ``payment.purchase``."""
    payment, reason = flag.payment, FlagReason(flag.reason)
    if flag.resolved_at is not None:
        return ()
    if reason is FlagReason.REFUND_UNKNOWN:
        return (Resolution.CONFIRM_REFUND, Resolution.REJECT_REFUND)
    if "refund" in flag.evidence or blocking_refund(payment):  # retried by the next pass, or has a Flag of its own
        return ()
    if payment.state == PaymentState.MISMATCHED:
        no_money = reason in NO_MONEY_SHOWN or reason is FlagReason.UNKNOWN_STATUS
        return (Resolution.ACCEPT, Resolution.REFUND, *((Resolution.RELEASE,) if no_money else ()))
    if payment.state == PaymentState.PAID:
        return _FOR_PAID[PurchaseState(payment.purchase.state)]
    if payment.state == PaymentState.INITIATED and reason in NOT_FOUND:
        return (Resolution.RELEASE, Resolution.CLOSE)
    if payment.state in NET_POSITIVE:
        return _options_after_partial_refund(flag, payment)
    return (Resolution.CLOSE,)


def blocking_refund(payment: Payment) -> Refund | None:
    """Return the pending refund of a payment that bought nothing; it must end before its Flags can be resolved."""
    if payment.fulfilled_at is not None:
        return None
    return next((refund for refund in payment.refunds.all() if refund.state in PENDING_REFUNDS), None)


def _options_after_partial_refund(flag: Flag, payment: Payment) -> tuple[Resolution, ...]:
    """Record the amount that the dashboard shows, and decide about the rest of a payment that bought nothing."""
    unrecorded = flag.reason == FlagReason.REFUNDED_AT_KHALTI and "status" in flag.evidence
    if unrecorded and payment.refunded < (payment.captured or 0):
        maybe_ours = (Resolution.CLOSE,) if payment.refunded and payment.fulfilled_at is not None else ()
        return (Resolution.RECORD_REFUND, *maybe_ours)
    if payment.fulfilled_at is None and payment.refunded:
        holds_stock = payment.purchase.state == PurchaseState.OPEN
        return (Resolution.REFUND,) if holds_stock else (Resolution.REFUND, Resolution.CLOSE)
    return (Resolution.CLOSE,)
