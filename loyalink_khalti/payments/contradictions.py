"""Whether Khalti's answer contradicts what is recorded of a payment whose money is captured. Amounts are paisa.

What is recorded stays: nothing that Khalti says later makes a captured payment unpaid. Staff get a Flag with both
answers, and no refund is sent as long as they differ.
"""

from typing import Any

from loyalink_khalti.khalti.wire import MONEY_MOVED, Lookup, Status

from .flags import lookup_evidence
from .models import Payment
from .refunds import confirmed_by_khalti


def shows_refund(answer: Lookup) -> bool:
    """Return whether Khalti reports a refund of the payment, in full or in part."""
    return answer.status in {Status.REFUNDED, Status.PARTIALLY_REFUNDED} or answer.refunded


def contradicts(payment: Payment, answer: Lookup) -> bool:
    """Return whether an answer cannot be true together with what is recorded of a captured payment.

    A refund that is not recorded here is no contradiction: it may have been made in Khalti's dashboard. That Khalti
    does not report a refund contradicts only those that Khalti has confirmed: staff also record refunds in cash.
    """
    if answer.pidx != payment.pidx or answer.status not in MONEY_MOVED or not _has_the_figures(payment, answer):
        return True
    if answer.status is Status.REFUNDED:
        return False
    if not shows_refund(answer):
        return bool(payment.refunded) and confirmed_by_khalti(payment) > 0
    if answer.status is Status.COMPLETED and not payment.refunded:  # marked as refunded, but not by its status
        return True
    return payment.refunded == payment.captured and confirmed_by_khalti(payment) == payment.captured


def _has_the_figures(payment: Payment, answer: Lookup) -> bool:
    """Return whether amount and transaction are those that are recorded; one that is missing is no other one."""
    captured = payment.captured or payment.amount
    amounts = {captured}
    if answer.status is Status.PARTIALLY_REFUNDED:
        # Khalti does not document whether its amount is then the whole or the rest:
        # https://docs.khalti.com/khalti-epayment/#lookup-payload-details
        amounts.add(captured - payment.refunded if payment.refunded else answer.total_amount or 0)
    is_same = not (answer.transaction_id and payment.transaction_id) or answer.transaction_id == payment.transaction_id
    return is_same and answer.total_amount in amounts and (answer.total_amount or 0) <= captured


def contradiction_evidence(payment: Payment, answer: Lookup) -> dict[str, Any]:
    """Return what a Flag keeps of both answers: this one, and the one that established the money."""
    earlier = _establishing_answer(payment)
    return {
        **lookup_evidence(answer),
        "earlier_status": earlier["status"],
        "earlier_amount": earlier["total_amount"],
        "earlier_transaction_id": earlier["transaction_id"],
    }


def _establishing_answer(payment: Payment) -> dict[str, Any]:
    """Return the first answer with the recorded figures; the figures alone where the history no longer has it."""
    for entry in payment.lookup_history:
        is_money = Status.parse(entry["status"]) in MONEY_MOVED and entry["pidx"] == payment.pidx
        if is_money and (entry["total_amount"], entry["transaction_id"]) == (payment.captured, payment.transaction_id):
            return dict(entry)
    return {"status": "", "total_amount": payment.captured, "transaction_id": payment.transaction_id}
