"""Refunds made in Khalti's dashboard, and refunds of ours that Khalti did not answer.

Lookup reports a full refund (``Refunded``) and that there was a partial one, but not its amount. So a full refund is
applied to the order and the points automatically, the first partial one asks staff for the amount, and a later partial
one cannot be detected. https://docs.khalti.com/khalti-epayment/#payment-verification-lookup
"""

from datetime import timedelta

from loyalink_khalti.clock import time_of
from loyalink_khalti.conf import Caller
from loyalink_khalti.flow.notices import posting
from loyalink_khalti.flow.refunds.execution import close_abandoned_refunds, record_done
from loyalink_khalti.flow.transactions import in_one_block
from loyalink_khalti.flow.verification.verify import look_up
from loyalink_khalti.khalti.wire import Lookup, Status
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import captures, refunds, transitions
from loyalink_khalti.payments.contradictions import contradiction_evidence, contradicts, shows_refund
from loyalink_khalti.payments.flags import (
    has_unrecorded_partial_refund,
    lookup_evidence,
    raise_flag,
    resolve_flags,
)
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import (
    IN_FLIGHT_REFUNDS,
    NO_ANSWER,
    FlagReason,
    PaymentState,
    RefundKind,
    RefundState,
)
from loyalink_khalti.ports import Outcome, ReleaseReason

from .release import release_purchase

CERTAIN_AFTER = timedelta(hours=24)
"""How long after it was sent a refund that lookup does not report is taken as not made."""
RETRY_AFTER = timedelta(hours=1)
"""How soon a payment is polled again while a refund of it is ``unknown``."""


def look_up_refunds(payment: Payment, lease: str) -> Outcome | None:
    """Look up a payment that is settled or being refunded, and apply what the answer says about refunds.

    Return None where Khalti does not answer.
    """
    close_abandoned_refunds(payment.purchase_id)
    answer = look_up(payment, lease, caller=Caller.JOB)
    return None if answer is None else apply_refund_status(payment, answer)


def apply_refund_status(payment: Payment, answer: Lookup) -> Outcome:
    """Apply what an answer says about the refunds of such a payment, and return what the customer sees.

    ``payment`` is as it was read before the lookup.
    """
    return in_one_block(lambda: _apply(payment, answer))


def _apply(before: Payment, answer: Lookup) -> Outcome:
    purchase, payments, payment = transitions.lock(before)
    transitions.record_lookup(payment, answer)
    if payment.is_flagged and answer.status is not Status.UNKNOWN:
        resolve_flags(payment, NO_ANSWER, "answered")
    pending = [refund for refund in refunds.pending(purchase) if refund.payment_id == payment.pk]
    if not contradicts(payment, answer):
        _apply_refunds(purchase, payments, payment, pending, answer)
    elif _is_of_now(before, payment) and not any(refund.state in IN_FLIGHT_REFUNDS for refund in pending):
        raise_flag(payment, FlagReason.CONTRADICTION, contradiction_evidence(payment, answer))
    is_unknown = any(refund.state == RefundState.UNKNOWN for refund in pending)
    transitions.save(payment, **({"next_poll_at": time_of(payment) + RETRY_AFTER} if is_unknown else {}))
    return payment.outcome


def _is_of_now(before: Payment, payment: Payment) -> bool:
    """Return whether no refund was recorded during the lookup: an older answer contradicts nothing."""
    return (before.state, before.refunded) == (payment.state, payment.refunded)


def _apply_refunds(
    purchase: Purchase, payments: list[Payment], payment: Payment, pending: list[Refund], answer: Lookup
) -> None:
    if payment.state == PaymentState.REFUNDED:
        return
    if any(refund.state == RefundState.UNKNOWN for refund in pending):
        _resolve_unknown(purchase, payments, payment, pending[0], answer)
    elif not pending:  # no process is sending a refund at this moment
        _apply_external(purchase, payments, payment, answer)


def _resolve_unknown(
    purchase: Purchase, payments: list[Payment], payment: Payment, refund: Refund, answer: Lookup
) -> None:
    """Decide whether a refund that Khalti did not answer was made, where lookup shows it.

    That a part was refunded does not say by which refund. So a partial refund stays ``unknown``, with its Flag, until
    staff record what Khalti's dashboard shows.
    """
    is_last = payment.refunded + refund.amount == payment.captured
    if answer.status is Status.REFUNDED:
        if refund.amount != payment.captured:  # the rest may have been refunded in the dashboard
            refunds.mark_inferred(refund)
        record_done(purchase, payments, refund, answer.status_text)
        if not is_last:
            _apply_external(purchase, payments, payment, answer)
        return
    if answer.status is Status.PARTIALLY_REFUNDED and is_last and not payment.refunded:  # in part, so not by this one
        raise_flag(payment, FlagReason.REFUNDED_AT_KHALTI, lookup_evidence(answer))
    if _was_not_made(payment, refund, answer, is_last=is_last):
        refunds.mark_inferred(refund)
        refunds.set_state(refund, RefundState.REFUSED, answer.status_text)
        refunds.resolve_flag(refund, FlagReason.REFUND_UNKNOWN, "not made")


def _was_not_made(payment: Payment, refund: Refund, answer: Lookup, *, is_last: bool) -> bool:
    """Return whether lookup has not reported a refund for long enough, although it would have to if it was made."""
    if (refund.sent_at or refund.requested_at) + CERTAIN_AFTER > time_of(payment):
        return False
    if answer.status is Status.PARTIALLY_REFUNDED:  # with the last one it would say Refunded
        return is_last and refunds.confirmed_by_khalti(payment) == payment.refunded
    return not shows_refund(answer) and not payment.refunded and not has_unrecorded_partial_refund(payment)


def _apply_external(purchase: Purchase, payments: list[Payment], payment: Payment, answer: Lookup) -> None:
    """Apply a full refund made in Khalti's dashboard; ask staff for the amount of a partial one."""
    if answer.status is Status.REFUNDED:
        _apply_full(purchase, payments, payment, answer)
    elif answer.status is Status.PARTIALLY_REFUNDED and not payment.refunded:
        raise_flag(payment, FlagReason.REFUNDED_AT_KHALTI, lookup_evidence(answer))


def _apply_full(purchase: Purchase, payments: list[Payment], payment: Payment, answer: Lookup) -> None:
    """Record that all of the money was refunded, as a refund like any other, without an actor."""
    if payment.fulfilled_at is None:
        before = payment.refunded
        captures.mark_refunded(payment, answer, PaymentState.REFUNDED)
        posting.payment_refunded(payment, amount=Paisa(payment.refunded - before))
        release_purchase(purchase, payments, payment, ReleaseReason.REFUNDED, customer_present=False)
        return
    left, rest = refunds.refundable(purchase), Paisa((payment.captured or 0) - payment.refunded)
    done = refunds.totals(purchase)
    amount = Paisa(min(rest, refunds.amount_paid(purchase) - done.amount))
    key = f"khalti:{payment.pk}"
    if Refund.objects.filter(key=key).exists():  # it was taken back, and Khalti reports it again
        key = f"{key}:{payment.refunds.count()}"
    if rest > amount:  # staff accepted more than was due: the surplus paid for nothing
        surplus = Refund.objects.create(
            purchase=purchase, payment=payment, kind=RefundKind.PAYMENT, key=f"{key}:over", state=RefundState.DONE,
            subtotal=0, shipping=0, amount=rest - amount,
        )  # fmt: skip
        record_done(purchase, payments, surplus, answer.status_text)
    refund = Refund.objects.create(
        purchase=purchase,
        payment=payment,
        key=key,
        state=RefundState.DONE,
        subtotal=left.subtotal,
        shipping=min(refunds.paid_for_shipping(purchase) - done.shipping_amount, amount),
        shipping_before_points=left.shipping,
        amount=amount,
        lines=[[key, quantity, False] for key, quantity in left.lines.items()],  # staff decide what is restocked
    )
    record_done(purchase, payments, refund, answer.status_text)
    evidence = lookup_evidence(answer) | {"amount": rest}
    raise_flag(payment, FlagReason.REFUNDED_AT_KHALTI, evidence)
