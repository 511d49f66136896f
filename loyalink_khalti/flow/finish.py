"""Ask Khalti what became of a payment, and write it down. Called by anybody, any number of times."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from loyalink_khalti import conf
from loyalink_khalti.errors import KhaltiError, KhaltiKeyRejected, KhaltiNotFound, KhaltiRejected, KhaltiThrottled
from loyalink_khalti.khalti.wire import Lookup, Status
from loyalink_khalti.payments import services
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import LIVE, Reason, State
from loyalink_khalti.ports import Outcome, Why

from .settle import release_payment, settle
from .transactions import forbid_transaction, in_one_block, is_the_databases_own

log = logging.getLogger(__name__)

UNSENT_AFTER = timedelta(seconds=60)
"""How long after the deadline a payment without a payment page is given up."""
NOT_FOUND_BEFORE_FLAG = 3
THROTTLED_FOR = 30.0
"""seconds, where Khalti does not say"""
OWNERS_PAUSE = timedelta(seconds=3)
"""The least time between two lookups that a shopper's own click makes."""
POLL = 0.1
"""seconds"""


def finish(payment: Payment, *, present: bool = False, insist: bool = False) -> Outcome:
    """Ask Khalti unless the payment is settled, write the answer down and say where the purchase stands.

    ``present``: the shopper is here, so that a basket goes back to them at once. ``insist`` (jobs, staff) ignores the
    back-off that keeps visitors from driving lookups, and waits while somebody else is asking.
    """
    forbid_transaction("finish")
    payment = _read(payment)
    if payment.is_settled:
        return payment.outcome
    if payment.state == State.CREATED:
        return _give_up_unsent(payment, present=present)
    lease = _lease(payment, insist=insist)
    if not lease:
        return _read(payment).outcome
    answer = _ask(payment, lease)
    return _read(payment).outcome if answer is None else _settle(payment, answer, present=present)


def start_again(payment: Payment) -> Outcome:
    """The shopper gives a waiting payment up: asked at Khalti first, released only where it says not paid.

    ``Outcome.CONFIRMING`` means that Khalti could not be asked or is still at work, and that all stays as it is.
    """
    forbid_transaction("start_again")
    payment = _read(payment)
    if payment.state not in LIVE:
        return payment.outcome
    if payment.state == State.CREATED:
        return _give_up_unsent(payment, present=True)
    lease = _lease(payment, insist=True, pause=OWNERS_PAUSE)
    answer = _ask(payment, lease) if lease else None
    if answer is None:
        return _read(payment).outcome
    stands = _settle(payment, answer, present=True)
    unpaid = answer.status is Status.INITIATED and answer.pidx == payment.pidx
    if stands is Outcome.CONFIRMING and unpaid:
        return _write(payment, lambda: release_payment(payment, Why.ABANDONED, present=True))
    return stands


def _settle(payment: Payment, answer: Lookup, *, present: bool) -> Outcome:
    return _write(payment, lambda: settle(payment, answer, present=present))


def _write(payment: Payment, work: Callable[[], Outcome]) -> Outcome:
    """Write down what was learned; where the database gives way twice nothing is lost, and it is asked again later."""
    try:
        return work()
    except (DatabaseError, InterfaceError) as exc:
        if not is_the_databases_own(exc):
            raise
        log.warning("payment %s could not be settled: %s", payment.pk, exc)
        return Outcome.CONFIRMING


def _read(payment: Payment) -> Payment:
    return Payment.objects.select_related("purchase", "credentials").get(pk=payment.pk)


def _give_up_unsent(payment: Payment, *, present: bool) -> Outcome:
    """A payment that never got its page cannot have been paid; while Khalti may still answer, it is left alone."""
    patience = timedelta(seconds=conf.deadline()) + UNSENT_AFTER
    if payment.created_at + patience > timezone.now():
        return payment.outcome
    # Only if it is so still: the answer may have come at the very last.
    return _write(payment, lambda: release_payment(payment, Why.REFUSED, present=present, states={State.CREATED}))


def _lease(payment: Payment, *, insist: bool, pause: timedelta | None = None) -> str:
    """Become the one who asks; who insists waits until the one before has settled it, is done, or has died."""
    seconds = conf.deadline() + 5
    patience = time.monotonic() + seconds + OWNERS_PAUSE.total_seconds() + 1
    while True:
        before = timezone.now() - pause if pause else None
        lease = services.take_lease(payment, seconds=seconds, asked_before=before, visitor=not insist)
        if lease or not insist or time.monotonic() > patience or _read(payment).is_settled:
            return lease
        time.sleep(POLL)


def _ask(payment: Payment, lease: str) -> Lookup | None:
    """Look the payment up, no transaction open; None where nothing was learned, and the lease is over."""
    try:
        client, same_key = conf.khalti(payment.credentials)
    except ImproperlyConfigured as exc:
        _tell(payment, Reason.KEY_GONE, {"key": str(exc)})
        services.drop_lease(payment, lease)
        return None
    try:
        return client.lookup(payment.pidx or "")
    except KhaltiRejected as exc:
        _refused(payment, exc, same_key=same_key)
    except KhaltiError as exc:
        log.info("lookup of payment %s: %s", payment.pk, exc)
    services.drop_lease(payment, lease)
    return None


def _refused(payment: Payment, exc: KhaltiRejected, *, same_key: bool) -> None:
    """A "no" to lookup says nothing about the money; staff are told when it does not pass."""
    evidence = {"status_code": exc.status_code, "khalti": exc.words[:500]}
    if isinstance(exc, KhaltiThrottled):
        services.put_off(payment, seconds=exc.retry_after or THROTTLED_FOR)
    log.warning("lookup of payment %s: %s", payment.pk, exc)
    if isinstance(exc, KhaltiKeyRejected):
        _tell(payment, Reason.KEY_REFUSED, evidence)
    elif isinstance(exc, KhaltiNotFound) and not same_key:
        _tell(payment, Reason.KEY_GONE, evidence)
    elif isinstance(exc, KhaltiNotFound) and services.count_not_found(payment) >= NOT_FOUND_BEFORE_FLAG:
        _tell(payment, Reason.UNKNOWN_AT_KHALTI, evidence)


def _tell(payment: Payment, reason: Reason, evidence: dict[str, object]) -> None:
    in_one_block(lambda: services.raise_flag(payment, reason, evidence))
