"""Look at one payment now, at the word of somebody of the staff: whatever its state, whatever the back-off."""

from dataclasses import dataclass

from loyalink_khalti.conf import Lane
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import State
from loyalink_khalti.ports import Outcome

from . import noticed
from .asking import ask, lease, read
from .finish import finish, write_down
from .refunding import end_what_was_left_behind
from .transactions import forbid_transaction
from .undo import undo_again


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What Khalti has just said of a payment, in its own word; "" where it said nothing, or was not asked."""

    status: str
    asked: bool
    outcome: Outcome


def look(payment: Payment) -> Said:
    """Ask Khalti, write down what follows from the answer, and carry on what waits for it: a refund, say."""
    forbid_transaction("look")
    payment = read(payment)
    if payment.pidx is None:  # Khalti has never heard of it
        return Said(status="", asked=False, outcome=finish(payment, insist=True))
    over = payment.is_settled or (payment.state in _UNSPENT and bool(refunds.of_payment(payment)))
    taken = lease(payment, lane=Lane.JOB if over else Lane.STAFF)
    if not taken:
        return Said(status="", asked=False, outcome=read(payment).outcome)
    if over:
        end_what_was_left_behind(payment.purchase_id)
    answer = ask(payment, taken, lane=Lane.STAFF)
    if answer is None:
        return Said(status="", asked=True, outcome=read(payment).outcome)
    if over:
        outcome = noticed.compare(payment, answer)
        for refund in refunds.not_carried(payment.purchase):
            undo_again(refund)
    else:
        outcome = write_down(payment, taken, answer, present=False, counts=True)
    return Said(status=answer.status_text, asked=True, outcome=outcome)


_UNSPENT = frozenset({State.PAID, State.MISMATCHED})
