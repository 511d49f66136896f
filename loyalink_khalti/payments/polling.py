"""Which payments the reconciler polls, when each is polled next, and by whom: leases.

A lease lets one process at a time call lookup for a payment. It lasts for seconds and is taken by one conditional
UPDATE, so that no lock is held during the call. Customers cannot cause many calls.
"""

import random
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from django.db.models import Case, DateTimeField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from loyalink_khalti.clock import NOW, DatabaseTime, is_in_future, is_older, is_over, time_of
from loyalink_khalti.khalti.transport import MAX_RETRY_AFTER
from loyalink_khalti.returning import Given, Update

from .models import Payment, PaymentQuerySet, Refund
from .states import (
    CAPTURED,
    LIVE,
    NET_POSITIVE,
    PENDING_REFUNDS,
    POLLED_DAILY,
    POLLED_FOR_REFUNDS,
    POLLED_UNTIL_ENDED,
    SETTLED,
    WITH_REFUNDS,
    PaymentState,
    PurchaseState,
    RefundState,
)

RELEASED_FOR = timedelta(days=7)
"""How long after its link expired a released payment is polled: it may have been paid at the last moment."""
REFUNDS_FOR = timedelta(days=30)
"""How long after it was paid a payment is polled for refunds made in Khalti's dashboard."""

LINK_LIFETIME = timedelta(minutes=60)
"""How long a payment link lives where Khalti's answer has no usable time: its documented default in production.

https://docs.khalti.com/khalti-epayment/#initiating-a-payment-request
"""
LONGEST_LINK_LIFETIME = timedelta(days=1)
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for no time in ``link_expiry``."""

SOONEST, LATEST, DAILY = timedelta(seconds=30), timedelta(hours=6), timedelta(days=1)
JITTER = 0.1
"""The share by which a wait is made shorter or longer, so that payments of one minute are not polled together."""
LONGEST_WAIT = DAILY * (1 + JITTER)
"""The longest wait between two polls: a ``next_poll_at`` further ahead was written by a wrong clock, and is due."""
RETRY_UNANSWERED = timedelta(minutes=5)
"""How soon a payment is polled again whose lookup got no usable answer, whatever its age."""
LONGEST_LEASE = timedelta(minutes=5)
"""The longest lease: one that ends later was written by a wrong clock, and counts as none."""
CUSTOMER_BACK_OFF = (timedelta(seconds=3), timedelta(seconds=10), timedelta(seconds=30))
"""After the first, the second and any later lookup of a payment: how long customers cause no other one."""
LONGEST_BACK_OFF = timedelta(seconds=MAX_RETRY_AFTER)
"""The longest of all: Khalti asks for that much (HTTP 429)."""
CONFIRM_ATTEMPTS = 10
"""How often placing the order of a paid payment is attempted automatically; after that staff decide."""

UNFINISHED = Q(state__in=sorted(PENDING_REFUNDS)) | Q(state=RefundState.DONE, applied_at=None)
"""Refunds without a final state, or not applied to the order and the points yet."""


_MAY_BE_PAID_FIRST = Case(When(state__in=sorted(POLLED_FOR_REFUNDS), then=Value(1)), default=Value(0))
"""The order of polls: a customer may wait for these; those that are only polled for refunds can wait."""


def polled(*, unsent_after: timedelta) -> QuerySet[Payment]:
    """Return the payments that lookup may still change: first what may be paid, then what may only be refunded.

    Of each those first whose last lookup is longest ago. A payment without a payment page is left out until
    ``unsent_after`` has passed: Khalti may still answer.
    """
    unfinished = Refund.objects.filter(UNFINISHED, payment=OuterRef("pk"))
    return Payment.objects.filter(
        Q(is_older("created_at", unsent_after), state=PaymentState.CREATED)
        | Q(state__in=POLLED_UNTIL_ENDED)
        | Q(state=PaymentState.RELEASED, pidx__isnull=False, expires_at__gt=DatabaseTime(-RELEASED_FOR))
        | Q(state=PaymentState.RELEASED, purchase__state=PurchaseState.OPEN)
        | Q(state__in=NET_POSITIVE, paid_at__gt=DatabaseTime(-REFUNDS_FOR))
        | Q(state__in=WITH_REFUNDS, purchase__state=PurchaseState.OPEN)
        | Q(Exists(unfinished), state__in=CAPTURED)
    ).order_by(_MAY_BE_PAID_FIRST, F("last_lookup_at").asc(nulls_first=True), "pk")


def due(payments: QuerySet[Payment], *, overdue_by: timedelta = NOW) -> QuerySet[Payment]:
    """Return those without a lease whose next poll is due, or overdue by so much.

    First what may be paid, then what may only be refunded; of each the most overdue first. A payment without a
    ``next_poll_at`` is never due.
    """
    is_due = Q(next_poll_at__lte=DatabaseTime(-overdue_by)) | Q(next_poll_at__gt=DatabaseTime(LONGEST_WAIT))
    rows = payments.filter(is_due, is_over("leased_until", longest=LONGEST_LEASE))
    return rows.order_by(_MAY_BE_PAID_FIRST, "next_poll_at", "pk")


def to_probe(payments: QuerySet[Payment]) -> QuerySet[Payment]:
    """Return those by which a pass can find out whether Khalti answers, those first that were asked longest ago."""
    rows = payments.filter(is_over("leased_until", longest=LONGEST_LEASE), pidx__isnull=False)
    return rows.exclude(state=PaymentState.REFUNDED).order_by(F("last_lookup_at").asc(nulls_first=True), "pk")


def schedule_unscheduled() -> None:
    """Let the next pass poll what may still change and has no ``next_poll_at``.

    The version before this one left it empty for "at once", and its processes may run beside ours during a deploy.
    """
    unscheduled = Payment.objects.filter(next_poll_at=None)
    unscheduled.filter(state__in=LIVE).update(next_poll_at=F("created_at"))
    unfinished = Refund.objects.filter(UNFINISHED, payment__isnull=False)
    unscheduled.filter(pk__in=unfinished.values("payment")).update(next_poll_at=DatabaseTime())


def next_poll(payment: Payment, state: PaymentState, *, failures: int = 0) -> timedelta | None:
    """Return how long to wait before the next poll of a payment that is in ``state`` now; None: it is never polled.

    The wait is a quarter of the payment's age, so that young payments are polled soon and old ones seldom. Each of
    ``failures`` in a row doubles it, up to a day. It has some jitter.
    """
    now = time_of(payment)
    if state is PaymentState.PAID:
        attempts = payment.confirm_attempts
        wait: timedelta = timedelta(minutes=1) * 2**attempts if attempts < CONFIRM_ATTEMPTS else DAILY
    elif state in POLLED_DAILY:
        wait = DAILY
    else:
        wait = min(max((now - payment.created_at) / 4, SOONEST), LATEST)
    jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - not secret
    wait = min(wait * 2 ** min(failures, 12), DAILY) * jitter
    end = _polled_until(payment, state, now)
    if end is None or now + wait < end:
        return wait
    if now < end - 2 * SOONEST:
        return end - SOONEST - now  # the last poll
    return wait if payment.refunds.filter(UNFINISHED).exists() else None


def link_expiry(name: str) -> Case:
    """Return the value of ``expires_at``: the ``Given`` time, if it is neither past nor in the far future."""
    answered = ExpressionWrapper(Given(name), output_field=DateTimeField())
    is_near = Q(LessThanOrEqual(answered, DatabaseTime(LONGEST_LINK_LIFETIME)))
    makes_sense = Q(GreaterThan(answered, DatabaseTime())) & is_near
    return Case(When(makes_sense, then=answered), default=DatabaseTime(LINK_LIFETIME), output_field=DateTimeField())


def poll_after(wait: timedelta | None) -> DatabaseTime | None:
    """Return the value of ``next_poll_at`` for an UPDATE after ``next_poll``."""
    return None if wait is None else DatabaseTime(wait)


def _polled_until(payment: Payment, state: PaymentState, now: datetime) -> datetime | None:
    """Return until when a payment is polled; None where only a change of state ends it."""
    if payment.purchase.state == PurchaseState.OPEN:
        return None  # it holds stock and points
    if state is PaymentState.REFUNDED:
        return now
    if state is PaymentState.PAID and payment.confirm_attempts >= CONFIRM_ATTEMPTS and payment.paid_at is not None:
        return payment.paid_at + REFUNDS_FOR
    if state is PaymentState.RELEASED and payment.expires_at is not None:
        return payment.expires_at + RELEASED_FOR
    if state in NET_POSITIVE and payment.paid_at is not None and payment.fulfilled_at is not None:
        return payment.paid_at + REFUNDS_FOR
    return None


def poll_now(payment: Payment) -> None:
    """Let the next pass poll a payment, whatever its back-off."""
    Payment.objects.filter(pk=payment.pk).update(next_poll_at=DatabaseTime())


def poll_in(payment: Payment, wait: timedelta) -> None:
    """Let the first pass after ``wait`` poll a payment."""
    Payment.objects.filter(pk=payment.pk).update(next_poll_at=DatabaseTime(wait))


# Leases


def new_lease_id() -> str:
    """Return a unique name for a lease."""
    return secrets.token_hex(16)


def acquire_lease(
    payment: Payment,
    *,
    seconds: float,
    lease: str = "",
    last_lookup_before: datetime | None = None,
    by_customer: bool = False,
    even_if_settled: bool = False,
) -> str:
    """Take the lease of a payment for ``seconds`` (at most ``LONGEST_LEASE``) and return its id; "" if not possible.

    It is not possible while another process has it, before the back-off of customers is over (``by_customer``, which
    also extends it), after a lookup later than ``last_lookup_before`` (unless its process was killed), and for a
    settled payment, which is looked up for refunds only (``even_if_settled``). Call it again with the same ``lease``
    when the database's first answer was lost.

    One statement, which also reads ``payment`` again: its own fields, ``is_flagged`` and ``read_at``.
    """
    lease = lease or new_lease_id()
    given = {"last_lookup_before": last_lookup_before} if last_lookup_before is not None else {}
    statement = _acquiring(by_customer, even_if_settled, is_repeated=last_lookup_before is None)
    rows = statement.run(
        pk=payment.pk,
        lease=lease,
        length=min(timedelta(seconds=seconds), LONGEST_LEASE),
        back_off=_back_off(payment),
        **given,
    )
    for row in rows:
        for name, value in zip(_read_again(), row, strict=True):
            setattr(payment, name, value)
    return lease if rows else ""


@cache
def _read_again() -> Mapping[str, Any]:
    """Return what the lease reads of its payment: names, and what the statement returns for each.

    All but ``lookup_count``, which stays as it was before this lookup: ``_end_lease`` needs the same back-off.
    """
    names = [field.attname for field in Payment._meta.concrete_fields if field.name != "lookup_count"]
    return dict(zip(names, names, strict=True)) | PaymentQuerySet.read_besides()


@cache
def _acquiring(by_customer: bool, even_if_settled: bool, *, is_repeated: bool) -> Update:
    """Return the conditional UPDATE of ``acquire_lease``; ``is_repeated``: whatever the time of the last lookup."""
    free = is_over("leased_until", longest=LONGEST_LEASE)
    if not even_if_settled:
        free &= ~Q(state__in=SETTLED)
    values: dict[str, Any] = {
        "lease": Given("lease"), "leased_until": DatabaseTime(Given("length")), "last_lookup_at": DatabaseTime(),
        "last_answer": "",
    }  # fmt: skip
    if by_customer:
        free &= is_over("lookup_not_before", longest=LONGEST_BACK_OFF) | is_in_future("last_lookup_at")
        values |= {"lookup_not_before": DatabaseTime(Given("back_off")), "lookup_count": F("lookup_count") + 1}
    if not is_repeated:
        earlier = Q(last_lookup_at=None) | Q(last_lookup_at__lte=Given("last_lookup_before"))
        free &= earlier | is_in_future("last_lookup_at") | ~Q(lease="")
    return Update(
        Payment,
        lambda: Payment.objects.filter(free | Q(lease=Given("lease")), pk=Given("pk")),
        values,
        list(_read_again().values()),
    )


def _back_off(payment: Payment) -> timedelta:
    return CUSTOMER_BACK_OFF[min(payment.lookup_count, len(CUSTOMER_BACK_OFF) - 1)]


def end_lease(payment: Payment, lease: str, *, by_job: bool = False) -> None:
    """Give up the lease after Khalti has refused the lookup. After a job the next poll comes later each time."""
    fields: dict[str, Any] = {}
    if by_job:
        failures = payment.poll_failures + 1
        wait = next_poll(payment, PaymentState(payment.state), failures=failures)
        fields = {"poll_failures": failures, "next_poll_at": poll_after(wait)}
    _end_lease(payment, lease, by_job=by_job, **fields)


def end_lease_unanswered(payment: Payment, lease: str, *, by_job: bool = False) -> None:
    """Give up the lease after a call without a usable answer, for which the server stands and not the payment.

    The next poll comes as usual, but within ``RETRY_UNANSWERED``: the next pass has what a customer tried in vain.
    """
    wait = next_poll(payment, PaymentState(payment.state)) if by_job else SOONEST
    retry = RETRY_UNANSWERED * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - not secret
    fields = {"next_poll_at": DatabaseTime(min(wait or retry, retry))} if payment.next_poll_at is not None else {}
    _end_lease(payment, lease, by_job=by_job, **fields)


def end_lease_without_key(payment: Payment, lease: str, *, by_job: bool = False) -> None:
    """Give up the lease where this process has no usable key; the next poll stays, for a process that has it."""
    _end_lease(payment, lease, by_job=by_job)


def _end_lease(payment: Payment, lease: str, *, by_job: bool, **fields: Any) -> None:
    """For customers the back-off begins now, or their next page would wait for as long as this one did."""
    if not by_job:
        fields["lookup_not_before"] = DatabaseTime(_back_off(payment))
    Payment.objects.filter(pk=payment.pk, lease=lease).update(lease="", leased_until=None, **fields)


def end_lease_unpaid(payment: Payment, lease: str) -> bool:
    """End the lease of a payment that Khalti reports as not paid yet, and save its ``lookup_history``; without a lock.

    Return False, and change nothing, where the payment has changed meanwhile.
    """
    wait = next_poll(payment, PaymentState.INITIATED)
    given = {"history": payment.lookup_history, "last_answer": payment.last_answer}
    return bool(_ENDING_UNPAID[wait is not None].run(pk=payment.pk, lease=lease, wait=wait, **given))


_ENDING_UNPAID = {
    is_polled: Update(
        Payment,
        lambda: Payment.objects.filter(pk=Given("pk"), lease=Given("lease"), state=PaymentState.INITIATED),
        {
            "lease": "",
            "leased_until": None,
            "next_poll_at": DatabaseTime(Given("wait")) if is_polled else None,
            "poll_failures": 0,
            "not_found": 0,
            "lookup_history": Given("history"),
            "last_answer": Given("last_answer"),
        },
    )
    for is_polled in (True, False)
}


def defer_lookups(payment: Payment, *, seconds: float) -> None:
    """Let neither customers nor jobs look this payment up for ``seconds``."""
    then = DatabaseTime(min(timedelta(seconds=seconds), LONGEST_BACK_OFF))
    Payment.objects.filter(pk=payment.pk).update(lookup_not_before=then, next_poll_at=then)


def count_not_found(payment: Payment) -> int:
    """Count one more "Not found." for a pidx that Khalti itself created, and return how many there have been."""
    Payment.objects.filter(pk=payment.pk).update(not_found=F("not_found") + 1)
    return Payment.objects.values_list("not_found", flat=True).get(pk=payment.pk)
