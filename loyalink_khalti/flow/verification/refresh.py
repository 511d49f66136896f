"""Look a payment up when staff ask for it, whatever its state and back-off."""

from dataclasses import dataclass

from loyalink_khalti import telemetry
from loyalink_khalti.conf import Caller
from loyalink_khalti.flow.refunds.execution import close_abandoned_refunds
from loyalink_khalti.flow.refunds.order import apply_refund
from loyalink_khalti.flow.transactions import forbid_transaction
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Outcome

from .apply import apply_lookup
from .external_refunds import apply_refund_status
from .verify import is_refunding, load, look_up, take_lease, verify_payment


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshResult:
    """The result of a refresh; ``status`` in Khalti's word, "" where there is no answer."""

    status: str
    looked_up: bool
    outcome: Outcome


@telemetry.verb
def refresh_payment(payment: Payment) -> RefreshResult:
    """Look a payment up now, whatever its state and back-off, and apply the answer, refunds included.

    Raises ``InsideTransaction`` inside a transaction.
    """
    forbid_transaction("refresh_payment")
    payment = load(payment)
    if payment.pidx is None:  # it never had a payment page
        return RefreshResult(status="", looked_up=False, outcome=verify_payment(payment, ignore_back_off=True))
    refunding = is_refunding(payment)
    lease = take_lease(payment, caller=Caller.JOB if refunding else Caller.STAFF)
    if not lease:
        return RefreshResult(status="", looked_up=False, outcome=load(payment).outcome)
    if refunding:
        close_abandoned_refunds(payment.purchase_id)
    answer = look_up(payment, lease, caller=Caller.STAFF)
    if answer is None:
        return RefreshResult(status="", looked_up=True, outcome=load(payment).outcome)
    if refunding:
        outcome = apply_refund_status(payment, answer)
        for refund in refunds.unapplied(payment.purchase):
            apply_refund(refund)
    else:
        outcome = apply_lookup(payment, answer, lease=lease)
    return RefreshResult(status=answer.status_text, looked_up=True, outcome=outcome)
