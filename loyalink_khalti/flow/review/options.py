"""How staff may resolve a Flag, by its reason and the state of its payment; and how they may answer it again."""

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
    RefundState,
)
from loyalink_khalti.payments.without_order import has_money_without_order


class Resolution(StrEnum):
    """How staff resolve a Flag."""

    PLACE_ORDER = "place_order"
    """The money has arrived: place the order; points that the member no longer has are owed."""
    ACCEPT = "accept"
    """Accept a mismatched amount; then as ``PLACE_ORDER``."""
    REFUND = "refund"
    """Refund all of a payment that bought nothing."""
    RELEASE = "release"
    """Release stock and points, if lookup says that nothing was paid."""
    CONFIRM_REFUND = "confirm_refund"
    """Khalti's dashboard shows the refund that Khalti did not answer."""
    REJECT_REFUND = "reject_refund"
    """Khalti's dashboard does not show it."""
    RECORD_REFUND = "record_refund"
    """Record the amount refunded in Khalti's dashboard."""
    RECORD_PAID = "record_paid"
    """Khalti's dashboard shows the payment, and lookup cannot: record the amount and the transaction id."""
    RECORD_UNPAID = "record_unpaid"
    """Khalti's dashboard shows that nothing was paid: release stock and points."""
    CLOSE = "close"
    """Close without action."""
    REOPEN = "reopen"
    """Review a resolved Flag again."""


RECORDED = (Resolution.RECORD_PAID, Resolution.RECORD_UNPAID)
"""What staff record on their own word; it needs a permission of its own."""

_FOR_PAID = {
    PurchaseState.OPEN: (Resolution.PLACE_ORDER, Resolution.REFUND),  # it holds stock: it cannot just be closed
    PurchaseState.RELEASED: (Resolution.PLACE_ORDER, Resolution.REFUND, Resolution.CLOSE),
    PurchaseState.PLACED: (Resolution.REFUND, Resolution.CLOSE),
}


_UNPAID_BY_STAFF = frozenset({Resolution.RELEASE.value, Resolution.RECORD_UNPAID.value})
"""Answers that may turn out to be wrong: the payment was made after all."""


def resolution_options(flag: Flag) -> tuple[Resolution, ...]:
    """Return how staff may resolve an open Flag, or answer a resolved one again, in its payment's present state.

    Reads ``payment`` with its ``purchase``, its ``refunds`` and, for a resolved Flag, its ``flags``.
    """
    return _options(flag) if flag.resolved_at is None else _options_to_answer_again(flag)


def _options(flag: Flag) -> tuple[Resolution, ...]:
    if flag.reason == FlagReason.REFUND_UNKNOWN:
        return (Resolution.CONFIRM_REFUND, Resolution.REJECT_REFUND)
    if "refund" in flag.evidence or blocking_refund(flag.payment):  # retried by the next pass, or has its own Flag
        return ()
    return _options_by_state(flag, flag.payment)


def _options_by_state(flag: Flag, payment: Payment) -> tuple[Resolution, ...]:
    reason = FlagReason(flag.reason)
    if payment.state == PaymentState.MISMATCHED:
        release = (Resolution.RELEASE,) if reason is FlagReason.UNKNOWN_STATUS else ()
        no_money = (Resolution.RECORD_UNPAID,) if release or reason in NO_MONEY_SHOWN else ()
        return (Resolution.ACCEPT, Resolution.REFUND, *release, *no_money)
    if payment.state == PaymentState.PAID and not payment.purchase.shop:  # a record of unmatched money
        return (Resolution.REFUND, Resolution.CLOSE)
    if payment.state == PaymentState.PAID:
        ways_out = _FOR_PAID[PurchaseState(payment.purchase.state)]
        is_missing = reason is FlagReason.ORDER_MISSING
        return tuple(each for each in ways_out if not (is_missing and each is Resolution.PLACE_ORDER))
    if payment.state == PaymentState.INITIATED and reason in NOT_FOUND:
        return (Resolution.RELEASE, *RECORDED, Resolution.CLOSE)
    if payment.state in NET_POSITIVE:
        return _options_after_partial_refund(flag, payment)
    return (Resolution.CLOSE,)


def _options_to_answer_again(flag: Flag) -> tuple[Resolution, ...]:
    """A wrong answer about a refund is corrected; money without an order keeps every way out after any answer."""
    payment = flag.payment
    if any(refund.state in PENDING_REFUNDS for refund in payment.refunds.all()):
        return ()
    if _is_unanswered(flag):
        return (*_options_by_state(flag, payment)[:-1], Resolution.REOPEN)
    if payment.state == PaymentState.RELEASED and flag.resolution in _UNPAID_BY_STAFF:
        return (Resolution.RECORD_PAID,)
    correction = _options_to_correct(flag) if flag.reason == FlagReason.REFUND_UNKNOWN else ()
    if not has_money_without_order(payment) or any(other.resolved_at is None for other in payment.flags.all()):
        return correction
    ways_out = (option for option in _options_by_state(flag, payment) if option is not Resolution.CLOSE)
    return (*correction, *ways_out, Resolution.REOPEN)


def _is_unanswered(flag: Flag) -> bool:
    """Return whether a Flag about a payment was closed, of which Khalti has still not said what became of it."""
    payment = flag.payment
    is_open = payment.state == PaymentState.INITIATED and flag.reason in NOT_FOUND
    return is_open and all(other.resolved_at is not None for other in payment.flags.all())


def _options_to_correct(flag: Flag) -> tuple[Resolution, ...]:
    refund = refund_in_question(flag)
    if refund is None:
        return ()
    is_reversed = any(other.reverses_id == refund.pk for other in flag.payment.refunds.all())
    if refund.state == RefundState.DONE and not is_reversed:
        return (Resolution.REJECT_REFUND,)
    return (Resolution.CONFIRM_REFUND,)


def refund_in_question(flag: Flag) -> Refund | None:
    """Return the refund that a Flag is about; where an answer was corrected, the newest record of it."""
    refunds = list(flag.payment.refunds.all())
    first = next((refund for refund in refunds if refund.key == flag.evidence.get("refund")), None)
    if first is None:
        return None
    again = [refund for refund in refunds if refund.key.startswith(f"made:{first.pk}:")]
    return max(again, key=lambda refund: refund.pk, default=first)


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
