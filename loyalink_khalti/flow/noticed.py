"""Refunds that somebody made in Khalti's own dashboard, and those of ours of which nobody knew what became of them.

Lookup tells a full refund (``Refunded``) and that there was a partial one, not of how much. So the first is carried
into the shop and the points by itself, the second asks staff for the amount, and a later partial one cannot be seen.
"""

from datetime import timedelta

from django.utils import timezone

from loyalink_khalti.conf import Lane
from loyalink_khalti.khalti.wire import Lookup, Status
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import heard, refunds, services
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import NOBODY_KNEW, Reason, RefundState, State
from loyalink_khalti.ports import Outcome, Why

from .asking import ask
from .refunding import end_what_was_left_behind, write_done
from .settle import release_purchase
from .transactions import in_one_block

SURE_AFTER = timedelta(hours=24)
"""How long after it was sent a refund that lookup does not show is taken not to have been made."""
AGAIN_AFTER = timedelta(hours=1)
"""How soon a payment is looked at again while nobody knows of a refund of it."""


def look(payment: Payment, lease: str) -> Outcome | None:
    """Ask about a payment that is settled, or that is being given back; None where nothing was learned."""
    end_what_was_left_behind(payment.purchase_id)
    answer = ask(payment, lease, lane=Lane.JOB)
    if answer is None:
        return None
    return compare(payment, answer)


def compare(payment: Payment, answer: Lookup) -> Outcome:
    """Write down what an answer about such a payment says of its refunds."""
    return in_one_block(lambda: _compare(payment, answer))


def _compare(payment: Payment, answer: Lookup) -> Outcome:
    purchase, payments = services.lock(payment.purchase_id)
    mine = next(one for one in payments if one.pk == payment.pk)
    heard.hear(mine, answer)
    if services.is_flagged(mine):
        services.resolve_flags(mine, NOBODY_KNEW, "answered")
    pending = [refund for refund in refunds.pending(purchase) if refund.payment_id == mine.pk]
    if answer.pidx == mine.pidx and mine.state != State.REFUNDED:
        if any(refund.state == RefundState.UNKNOWN for refund in pending):
            _resolve(purchase, payments, mine, pending[0], answer)
        elif not pending:  # nobody is sending one just now
            _notice(purchase, payments, mine, answer)
    unsure = any(refund.state == RefundState.UNKNOWN for refund in pending)
    services.save(mine, **({"watch_after": timezone.now() + AGAIN_AFTER} if unsure else {}))
    return mine.outcome


def _resolve(purchase: Purchase, payments: list[Payment], payment: Payment, refund: Refund, answer: Lookup) -> None:
    """Say what became of a refund after which Khalti was silent, where lookup can tell."""
    is_first = not payment.refunded and not services.has_unsaid_part(payment)
    is_last = payment.refunded + refund.cash == payment.captured
    old = (refund.sent_at or refund.requested_at) + SURE_AFTER <= timezone.now()
    part = answer.status is Status.PARTIALLY_REFUNDED
    if answer.status is Status.REFUNDED or (part and is_first and not is_last):
        write_done(purchase, payments, refund, answer.status_text)
        if not is_last:
            _notice(purchase, payments, payment, answer)
    elif part and not payment.refunded:  # a part went back, but maybe not by this refund
        services.raise_flag(payment, Reason.REFUNDED_AT_KHALTI, services.evidence_of(answer))
    elif old and ((answer.status is Status.COMPLETED and is_first) or (part and is_last)):
        refunds.resolve(refund, RefundState.REFUSED, answer.status_text)
        refunds.resolve_flag(refund, Reason.REFUND_UNKNOWN, "not made")


def _notice(purchase: Purchase, payments: list[Payment], payment: Payment, answer: Lookup) -> None:
    if answer.status is Status.REFUNDED:
        _carry_all(purchase, payments, payment, answer)
    elif answer.status is Status.PARTIALLY_REFUNDED and not payment.refunded:
        services.raise_flag(payment, Reason.REFUNDED_AT_KHALTI, services.evidence_of(answer))


def _carry_all(purchase: Purchase, payments: list[Payment], payment: Payment, answer: Lookup) -> None:
    """All of it is back at the payer: write that down as a refund like any other, made by nobody here."""
    if payment.fulfilled_at is None:
        services.mark_refunded(payment, answer, State.REFUNDED)
        release_purchase(purchase, payments, payment, Why.REFUNDED, present=False)
        return
    left, all_of_it = refunds.left(purchase), Paisa((payment.captured or 0) - payment.refunded)
    cash = Paisa(min(all_of_it, refunds.came_in(purchase) - refunds.so_far(purchase).cash))
    key = f"khalti:{payment.pk}"
    if all_of_it > cash:  # more was accepted than was asked for: the rest of it was for no goods
        over = Refund.objects.create(
            purchase=purchase, payment=payment, kind=Refund.Kind.PAYMENT, key=f"{key}:over", state=RefundState.DONE,
            goods=0, shipping=0, cash=all_of_it - cash,
        )  # fmt: skip
        write_done(purchase, payments, over, answer.status_text)
    refund = Refund.objects.create(
        purchase=purchase,
        payment=payment,
        key=key,
        state=RefundState.DONE,
        goods=left.goods,
        shipping=min(left.shipping, cash),
        cash=cash,
        lines=[[sku, quantity, False] for sku, quantity in left.lines.items()],  # whether they come back, staff see
    )
    write_done(purchase, payments, refund, answer.status_text)
    services.raise_flag(payment, Reason.REFUNDED_AT_KHALTI, services.evidence_of(answer) | {"cash": all_of_it})
