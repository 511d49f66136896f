"""Find out what became of a payment: take the lease, look the payment up at Khalti, apply the answer.

Anyone may call ``verify_payment``, any number of times; only lookup's answer counts. One process at a time holds the
lease of a payment, and no transaction is open during the call.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from limits import RateLimitItemPerSecond

from loyalink_khalti import conf, telemetry
from loyalink_khalti.clock import SLACK, time_of
from loyalink_khalti.conf import Caller
from loyalink_khalti.errors import (
    KhaltiError,
    KhaltiKeyRejected,
    KhaltiNotCalled,
    KhaltiNotFound,
    KhaltiRejected,
    KhaltiThrottled,
    KhaltiUnreadable,
    safe_trace,
)
from loyalink_khalti.flow.transactions import (
    forbid_transaction,
    in_one_block,
    in_one_statement,
    is_contention,
    is_database_failure,
)
from loyalink_khalti.khalti.circuit_breaker import DEFAULT_RETRY_AFTER
from loyalink_khalti.khalti.wire import Lookup, Status
from loyalink_khalti.payments import polling, refunds
from loyalink_khalti.payments.flags import raise_flag, raise_unreadable_flag
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import LIVE, UNSETTLED, FlagReason, PaymentState
from loyalink_khalti.ports import Outcome, ReleaseReason

from .apply import apply_lookup
from .release import release_payment

log = logging.getLogger(__name__)

UNSENT_AFTER = timedelta(seconds=60)
"""How long after the deadline of the call a payment without a payment page is released."""
CANCEL_INTERVAL = RateLimitItemPerSecond(1, 3)
"""How often cancelling may cause a lookup of one payment: every 3 seconds."""
NOT_FOUND_BEFORE_FLAG = 3
GRACE = 5.0
"""seconds that a lease outlasts the call for which it is taken"""


@telemetry.verb
def verify_payment(
    payment: Payment, *, customer_present: bool = False, ignore_back_off: bool = False, just_read: bool = False
) -> Outcome:
    """Look the payment up unless it is settled, apply Khalti's answer, and return what the customer sees.

    ``customer_present``: the customer is here, and a released basket is theirs again at once. ``ignore_back_off``
    (staff): skip the back-off that limits the lookups caused by customers. ``just_read``: ``payment`` is what
    ``Payment.load_by_token`` has returned for this very request, and is not read once more.
    Where Khalti does not answer, the outcome is that of the stored state: ``Outcome.CONFIRMING`` for a live payment.
    Raises ``InsideTransaction`` inside a transaction.
    """
    forbid_transaction("verify_payment")
    payment = _named_in_trace(payment) if just_read else load(payment)
    if payment.is_settled:
        return payment.outcome
    if payment.state == PaymentState.CREATED:
        return release_unsent(payment, customer_present=customer_present)
    if payment.pidx is None:  # it never had a payment page
        return payment.outcome
    caller = Caller.STAFF if ignore_back_off else Caller.PAGE
    lease = take_lease(payment, caller=caller)
    if not lease:
        return _or_confirming(payment, lambda: load(payment).outcome)
    return _or_confirming(
        payment, lambda: look_up_and_apply(payment, lease, caller=caller, customer_present=customer_present)
    )


def load(payment: Payment) -> Payment:
    """Return the payment freshly read, with its purchase, the key that created it and ``is_flagged``.

    With a second try: where the database's isolation is serializable, it may cancel a plain read.
    """
    return _named_in_trace(in_one_statement(lambda: Payment.load(payment.pk)))


def _named_in_trace(row: Payment) -> Payment:
    purchase = row.purchase
    telemetry.about(payment_id=row.pk, purchase=purchase.key, site_key=purchase.site_key, attempt=row.attempt)
    return row


def take_lease(
    payment: Payment, *, caller: Caller, last_lookup_before: datetime | None = None, for_refund: str = ""
) -> str:
    """Return the lease for one lookup; "" where another process has it, it is too soon, or the payment is settled.

    ``payment`` is read again by the same statement.

    ``for_refund`` names the lease of a refund: it lasts for a lookup and a refund, whatever the payment's state.
    Never waits: a thread that waited for another request's call would be one less for the catalogue.
    """

    def take() -> str:
        return polling.acquire_lease(
            payment,
            seconds=_lease_seconds(caller, calls=2 if for_refund else 1),
            lease=lease_id,
            last_lookup_before=last_lookup_before,
            by_customer=caller is Caller.PAGE,
            even_if_settled=caller is Caller.JOB or bool(for_refund),
        )

    # One for both tries: only the database's answer to the first may be lost.
    lease_id = for_refund or polling.new_lease_id()
    try:
        return in_one_statement(take)
    except DatabaseError as exc:
        if not is_contention(exc):
            raise
        return ""  # another process is changing this row


def longest_lease() -> float:
    """Return the seconds after which every lease is over, by whatever caller it was taken."""
    return max(_lease_seconds(caller, calls=2) for caller in Caller)


def _lease_seconds(caller: Caller, *, calls: int = 1) -> float:
    return calls * (conf.deadline() + conf.slot_timeout(caller)) + GRACE


def look_up_and_apply(payment: Payment, lease: str, *, caller: Caller, customer_present: bool = False) -> Outcome:
    """Look the payment up with the lease in hand and apply the answer; where there is none, nothing changes."""
    answer = look_up(payment, lease, caller=caller)
    if answer is None:
        return load(payment).outcome
    return apply_lookup(
        payment,
        answer,
        lease=lease,
        customer_present=customer_present,
        counts_attempt=caller is not Caller.PAGE,  # customers may reload a page as often as they like
    )


def look_up(payment: Payment, lease: str, *, caller: Caller) -> Lookup | None:
    """Return Khalti's answer; None where there is none, and then the lease is over and Flags are raised as needed."""
    try:
        return look_up_or_raise(payment, lease, caller=caller)
    except (ImproperlyConfigured, KhaltiError):
        return None


def look_up_or_raise(payment: Payment, lease: str, *, caller: Caller) -> Lookup:
    """Return Khalti's answer.

    Raises ``ImproperlyConfigured`` or ``KhaltiError`` where there is none; then the lease is over and Flags are raised
    as needed. https://docs.khalti.com/khalti-epayment/#payment-verification-lookup
    """
    by_job = caller is Caller.JOB
    try:
        return _call(payment, caller=caller)
    except ImproperlyConfigured as exc:
        polling.end_lease_without_key(payment, lease, by_job=by_job)
        _flag(payment, FlagReason.KEY_GONE, {"key": str(exc)})
        raise
    except KhaltiThrottled as exc:
        log.warning("lookup of payment %s: %s", payment.pk, exc)
        polling.end_lease_unanswered(payment, lease, by_job=by_job)
        polling.defer_lookups(payment, seconds=exc.retry_after or DEFAULT_RETRY_AFTER)
        raise
    except KhaltiRejected as exc:
        polling.end_lease(payment, lease, by_job=by_job)
        _rejected(payment, exc)
        raise
    except KhaltiError as exc:  # the server has failed, or was not called: that is charged to no payment
        level = logging.INFO if isinstance(exc, KhaltiNotCalled) else logging.WARNING
        log.log(level, "lookup of payment %s: %s", payment.pk, exc)
        polling.end_lease_unanswered(payment, lease, by_job=by_job)
        if isinstance(exc, KhaltiUnreadable) and exc.shape:
            message, shape = str(exc), exc.shape
            in_one_block(lambda: raise_unreadable_flag(payment, message, shape))
        raise


class _NotFoundWithOtherKey(KhaltiNotFound):
    """A key that did not create the payment does not find it: nothing follows from that."""


def _call(payment: Payment, *, caller: Caller) -> Lookup:
    """Look up with the key that created the payment or, where it is gone or revoked, with the key that replaced it."""
    client, same_key = conf.client_for(payment.credentials, caller)
    try:
        return client.lookup(payment.pidx or "")
    except KhaltiKeyRejected:
        replacement = conf.replacement_client(payment.credentials, caller)
        if replacement is None:
            raise
    except KhaltiNotFound as exc:
        raise exc if same_key else _with_other_key(exc) from exc
    try:
        return replacement.lookup(payment.pidx or "")
    except KhaltiNotFound as exc:
        raise _with_other_key(exc) from exc


def _with_other_key(exc: KhaltiNotFound) -> _NotFoundWithOtherKey:
    return _NotFoundWithOtherKey(exc.path, status_code=exc.status_code, detail=exc.detail)


def _rejected(payment: Payment, exc: KhaltiRejected) -> None:
    """Flag a rejection that does not pass by itself; it says nothing about the money."""
    evidence = {"status_code": exc.status_code, "khalti": exc.message[:500]}
    log.warning("lookup of payment %s: %s", payment.pk, exc)
    if isinstance(exc, KhaltiKeyRejected):
        _flag(payment, FlagReason.KEY_REFUSED, evidence)
    elif isinstance(exc, _NotFoundWithOtherKey):
        _flag(payment, FlagReason.KEY_GONE, evidence)
    elif isinstance(exc, KhaltiNotFound) and polling.count_not_found(payment) >= NOT_FOUND_BEFORE_FLAG:
        _flag(payment, FlagReason.UNKNOWN_AT_KHALTI, evidence)


def _flag(payment: Payment, reason: FlagReason, evidence: dict[str, object]) -> None:
    in_one_block(lambda: raise_flag(payment, reason, evidence))


@telemetry.verb
def cancel_payment(payment: Payment, *, customer_present: bool = True) -> Outcome:
    """Cancel a pending payment: look it up first, and release it only where Khalti says not paid.

    For its customer, who gets the basket back at once; for staff, without ``customer_present``.

    ``Outcome.CONFIRMING`` means that nothing changed: Khalti did not answer or is still processing, another request is
    looking the payment up, or this one was cancelled ``CANCEL_INTERVAL`` seconds ago or less. Raises
    ``InsideTransaction`` inside a transaction.
    """
    forbid_transaction("cancel_payment")
    payment = load(payment)
    if payment.state not in LIVE:
        return payment.outcome
    if payment.state == PaymentState.CREATED:
        return release_unsent(payment, customer_present=customer_present)
    if conf.seconds_to_wait(CANCEL_INTERVAL, "cancel", str(payment.pk)):
        return payment.outcome
    lease = take_lease(payment, caller=Caller.CHECKOUT)
    if not lease:
        return load(payment).outcome
    return _or_confirming(payment, lambda: _look_up_and_cancel(payment, lease, customer_present=customer_present))


def _look_up_and_cancel(payment: Payment, lease: str, *, customer_present: bool) -> Outcome:
    answer = look_up(payment, lease, caller=Caller.CHECKOUT)
    if answer is None:
        return load(payment).outcome
    outcome = apply_lookup(payment, answer, lease=lease, customer_present=customer_present)
    unpaid = answer.status is Status.INITIATED and answer.pidx == payment.pidx
    if outcome is Outcome.CONFIRMING and unpaid:
        return release_payment(
            payment,
            ReleaseReason.CANCELLED_IN_SHOP,
            customer_present=customer_present,
            by_customer=customer_present,
        )
    return outcome


def release_unsent(payment: Payment, *, customer_present: bool) -> Outcome:
    """Release a payment that never got a payment page, and so is not paid; not while Khalti may still answer."""
    age = time_of(payment) - payment.created_at
    if -SLACK <= age < unsent_after():  # a payment from the future was created by a wrong clock
        return payment.outcome

    def work() -> Outcome:
        # Only if it is still so: the answer may have arrived at the last moment.
        states = {PaymentState.CREATED}
        return release_payment(payment, ReleaseReason.REFUSED, customer_present=customer_present, states=states)

    return _or_confirming(payment, work)


def unsent_after() -> timedelta:
    """Return how long after it was created a payment without a payment page can no longer get one."""
    return timedelta(seconds=conf.deadline()) + UNSENT_AFTER


def is_refunding(payment: Payment) -> bool:
    """Return whether lookup can only bring news about refunds: the payment is settled, or staff refund it."""
    return payment.is_settled or (payment.state in UNSETTLED and bool(refunds.of_payment(payment)))


def _or_confirming(payment: Payment, work: Callable[[], Outcome]) -> Outcome:
    """Run ``work``; after repeated database failures nothing is lost, the payment is looked up again later."""
    try:
        return work()
    except (DatabaseError, InterfaceError) as exc:
        if not is_database_failure(exc):
            raise
        log.warning("payment %s could not be verified: %s", payment.pk, safe_trace(exc))
        return Outcome.CONFIRMING
