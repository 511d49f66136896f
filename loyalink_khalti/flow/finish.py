"""Ask Khalti what became of a payment, and write it down. Called by anybody, any number of times."""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from loyalink_khalti import conf
from loyalink_khalti.conf import Lane
from loyalink_khalti.errors import traced
from loyalink_khalti.khalti.wire import Lookup, Status
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import heard, services
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import LIVE, Kind, State, judge
from loyalink_khalti.ports import Outcome, Why

from .asking import ask, lease, read
from .settle import is_long_over, release_payment, settle
from .transactions import forbid_transaction, is_the_databases_own

log = logging.getLogger(__name__)

UNSENT_AFTER = timedelta(seconds=60)
"""How long after the deadline a payment without a payment page is given up."""
OWNERS_PAUSE = timedelta(seconds=3)
"""The least time between two lookups that a shopper's own click makes."""


def finish(payment: Payment, *, present: bool = False, insist: bool = False) -> Outcome:
    """Ask Khalti unless the payment is settled, write the answer down and say where the purchase stands.

    ``present``: the shopper is here, so that a basket goes back to them at once. ``insist`` (staff) ignores the
    back-off that keeps visitors from driving lookups, and waits while somebody else is asking.
    """
    forbid_transaction("finish")
    payment = read(payment)
    if payment.is_settled:
        return payment.outcome
    if payment.state == State.CREATED:
        return give_up_unsent(payment, present=present)
    if payment.pidx is None:  # Khalti has never heard of it
        return payment.outcome
    lane = Lane.STAFF if insist else Lane.LOOK
    taken = lease(payment, lane=lane)
    if not taken:
        return read(payment).outcome
    return _or_confirming(payment, lambda: ask_and_settle(payment, taken, lane=lane, present=present))


def ask_and_settle(payment: Payment, lease: str, *, lane: Lane, present: bool = False) -> Outcome:
    """Ask with the lease in hand, and write the answer down."""
    answer = ask(payment, lease, lane=lane)
    if answer is None:
        return read(payment).outcome
    # A visitor may reload the page as often as they like: that uses up no try.
    return write_down(payment, lease, answer, present=present, counts=lane is not Lane.LOOK)


def write_down(payment: Payment, lease: str, answer: Lookup, *, present: bool, counts: bool) -> Outcome:
    """Write down what Khalti has answered to whoever holds the lease; see ``settle``."""
    heard.hear(payment, answer)
    if _waits(payment, answer) and services.still_waits(payment, lease):
        return payment.outcome
    return settle(payment, answer, present=present, counts=counts)


def start_again(payment: Payment) -> Outcome:
    """The shopper gives a waiting payment up: asked at Khalti first, released only where it says not paid.

    ``Outcome.CONFIRMING`` means that Khalti could not be asked or is still at work, and that all stays as it is.
    """
    forbid_transaction("start_again")
    payment = read(payment)
    if payment.state not in LIVE:
        return payment.outcome
    if payment.state == State.CREATED:
        return give_up_unsent(payment, present=True)
    taken = lease(payment, lane=Lane.STAFF, pause=OWNERS_PAUSE)
    if not taken:
        return read(payment).outcome
    return _or_confirming(payment, lambda: _ask_and_release(payment, taken))


def _ask_and_release(payment: Payment, lease: str) -> Outcome:
    answer = ask(payment, lease, lane=Lane.BEGIN)
    if answer is None:
        return read(payment).outcome
    stands = settle(payment, answer, present=True)
    unpaid = answer.status is Status.INITIATED and answer.pidx == payment.pidx
    if stands is Outcome.CONFIRMING and unpaid:
        return release_payment(payment, Why.ABANDONED, present=True)
    return stands


def unsent_after() -> timedelta:
    """How long after it was created a payment without a payment page can no longer get one."""
    return timedelta(seconds=conf.deadline()) + UNSENT_AFTER


def give_up_unsent(payment: Payment, *, present: bool) -> Outcome:
    """A payment that never got its page cannot have been paid; while Khalti may still answer, it is left alone."""
    if payment.created_at + unsent_after() > timezone.now():
        return payment.outcome
    # Only if it is so still: the answer may have come at the very last.
    return _or_confirming(
        payment, lambda: release_payment(payment, Why.REFUSED, present=present, states={State.CREATED})
    )


def _waits(payment: Payment, answer: Lookup) -> bool:
    verdict = judge(answer, pidx=payment.pidx or "", amount=Paisa(payment.amount))
    quiet = not services.is_flagged(payment) and not is_long_over(payment)
    return payment.state == State.INITIATED and verdict.kind is Kind.WAITING and quiet


def _or_confirming(payment: Payment, work: Callable[[], Outcome]) -> Outcome:
    """Do it; where the database gives way again and again nothing is lost, and it is asked again later."""
    try:
        return work()
    except (DatabaseError, InterfaceError) as exc:
        if not is_the_databases_own(exc):
            raise
        log.warning("payment %s could not be settled: %s", payment.pk, traced(exc))
        return Outcome.CONFIRMING
