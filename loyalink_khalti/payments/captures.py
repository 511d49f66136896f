"""Record money that Khalti has of a payment without placing its order in the same step; the payment is locked.

Paid alone, where the shop cannot place the order; with a figure or a transaction that differs; refunded before the
order was placed. ``transitions.mark_fulfilled`` is the usual way: paid, with the order. Amounts are paisa.
"""

from typing import Any

from django.db import IntegrityError, transaction

from loyalink_khalti.clock import time_of
from loyalink_khalti.khalti.wire import Lookup
from loyalink_khalti.ports import ReleaseReason

from .flags import lookup_evidence, raise_flag, was_resolved_by_staff
from .models import Payment
from .states import TRANSITIONS, FlagReason, PaymentState
from .transitions import move, paid_fields, save


def mark_paid(payment: Payment, answer: Lookup) -> bool:
    """Record that Khalti has the money.

    Return False where its transaction id belongs to another payment; then the payment is marked as mismatched.
    """
    try:
        with transaction.atomic():
            move(payment, PaymentState.PAID, **paid_fields(payment, answer))
    except IntegrityError:
        payment.refresh_from_db()
        mark_mismatched(payment, answer, FlagReason.DUPLICATE_TRANSACTION_ID)
        return False
    return True


def mark_mismatched(payment: Payment, answer: Lookup, reason: FlagReason) -> None:
    """Keep Khalti's amount beside the stored one, and raise a Flag.

    A later, different answer does not make a payment doubtful whose money was established before. A released payment
    stays released where staff have resolved a Flag about this very answer.
    """
    evidence = lookup_evidence(answer)
    if payment.state == PaymentState.RELEASED:
        evidence["released"] = True
        if was_resolved_by_staff(payment, reason, evidence):
            return
    if PaymentState.MISMATCHED in TRANSITIONS[PaymentState(payment.state)]:
        move(payment, PaymentState.MISMATCHED, captured=answer.total_amount, fee=answer.fee)
    keep_transaction_id(payment, answer)
    raise_flag(payment, reason, evidence)


def keep_transaction_id(payment: Payment, answer: Lookup) -> None:
    """Store the transaction id of a payment without one, so that it can be refunded; not if another payment has it."""
    if payment.transaction_id or not answer.transaction_id or answer.pidx != payment.pidx:
        return
    try:
        with transaction.atomic():
            save(payment, transaction_id=answer.transaction_id, paid_at=time_of(payment))
    except IntegrityError:
        payment.refresh_from_db(fields=["transaction_id", "paid_at"])


def mark_accepted(payment: Payment) -> None:
    """Record that staff accept the amount of a mismatched payment."""
    move(payment, PaymentState.PAID, paid_at=payment.paid_at or time_of(payment))


def mark_refunded(payment: Payment, answer: Lookup, to: PaymentState) -> None:
    """Record a refund made in Khalti's dashboard before the order was placed.

    Lookup does not report the amount of a partial refund.
    """
    captured = answer.total_amount if answer.total_amount is not None else payment.amount
    refunded = captured if to is PaymentState.REFUNDED else 0
    fields: dict[str, Any] = {"captured": captured, "refunded": refunded}
    if to is PaymentState.REFUNDED and not payment.release_reason:
        fields |= {"release_reason": ReleaseReason.REFUNDED, "released_at": time_of(payment)}
    move(payment, to, **fields)
    keep_transaction_id(payment, answer)
    raise_flag(payment, FlagReason.REFUNDED_AT_KHALTI, lookup_evidence(answer))
