"""Which payments the reconciler polls, when each is polled next, and when jobs last ran."""

import random
from datetime import UTC, datetime, timedelta

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from .models import Payment, Refund
from .states import (
    CAPTURED,
    NET_POSITIVE,
    PENDING_REFUNDS,
    POLLED_DAILY,
    POLLED_UNTIL_ENDED,
    WITH_REFUNDS,
    PaymentState,
    PurchaseState,
    RefundState,
)

RELEASED_FOR = timedelta(days=7)
"""How long after its link expired a released payment is polled: it may have been paid at the last moment."""
REFUNDS_FOR = timedelta(days=30)
"""How long after it was paid a payment is polled for refunds made in Khalti's dashboard."""

SOONEST, LATEST, DAILY = timedelta(seconds=30), timedelta(hours=6), timedelta(days=1)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The next poll of a payment that cannot change any more; the index on ``next_poll_at`` then finds the few others."""
CONFIRM_ATTEMPTS = 10
"""How often placing the order of a paid payment is attempted automatically; after that staff decide."""

RECONCILE = "khalti_reconcile"
"""The name of the job in ``LastRun``."""

UNFINISHED = Q(state__in=sorted(PENDING_REFUNDS)) | Q(state=RefundState.DONE, applied_at=None)
"""Refunds without a final state, or not applied to the order and the points yet."""


class LastRun(models.Model):
    """When a job last ran, so that a check and a badge can warn when it no longer does."""

    name = models.CharField(max_length=40)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="loyalink_last_run_name")]

    def __str__(self) -> str:
        return f"{self.name}: {self.at:%Y-%m-%d %H:%M}"


def polled(*, unsent_after: timedelta) -> QuerySet[Payment]:
    """Return the payments that lookup may still change, those first whose last lookup is longest ago.

    A payment without a payment page is left out until ``unsent_after`` has passed: Khalti may still answer.
    """
    now = timezone.now()
    unfinished = Refund.objects.filter(UNFINISHED, payment=OuterRef("pk"))
    return Payment.objects.filter(
        Q(state=PaymentState.CREATED, created_at__lte=now - unsent_after)
        | Q(state__in=POLLED_UNTIL_ENDED)
        | Q(state=PaymentState.RELEASED, pidx__isnull=False, expires_at__gt=now - RELEASED_FOR)
        | Q(state=PaymentState.RELEASED, purchase__state=PurchaseState.OPEN)
        | Q(state__in=NET_POSITIVE, paid_at__gt=now - REFUNDS_FOR)
        | Q(state__in=WITH_REFUNDS, purchase__state=PurchaseState.OPEN)
        | Q(Exists(unfinished), state__in=CAPTURED)
    ).order_by(F("last_lookup_at").asc(nulls_first=True), "pk")


def due(payments: QuerySet[Payment], *, by: datetime | None = None) -> QuerySet[Payment]:
    """Return those without a lease whose next poll is due, now or ``by`` an earlier time, the most overdue first."""
    now = timezone.now()
    by = by or now
    never_polled = Q(next_poll_at=None, created_at__lte=by)
    not_leased = Q(leased_until=None) | Q(leased_until__lte=now)
    rows = payments.filter(never_polled | Q(next_poll_at__lte=by)).filter(not_leased)
    return rows.order_by(F("next_poll_at").asc(nulls_first=True), "pk")


def next_poll(payment: Payment, state: PaymentState, *, failures: int = 0) -> datetime:
    """Return when to poll a payment next that is in ``state`` now, with some jitter; ``NEVER`` where it need not be.

    The wait is a quarter of the payment's age, so that young payments are polled soon and old ones seldom. Each of
    ``failures`` in a row doubles it, up to a day.
    """
    now = timezone.now()
    if state is PaymentState.PAID:
        attempts = payment.confirm_attempts
        wait = timedelta(minutes=1) * 2**attempts if attempts < CONFIRM_ATTEMPTS else DAILY
    elif state in POLLED_DAILY:
        wait = DAILY
    else:
        wait = min(max((now - payment.created_at) / 4, SOONEST), LATEST)
    jitter = random.uniform(0.9, 1.1)  # noqa: S311 - not secret
    then: datetime = now + min(wait * 2 ** min(failures, 12), DAILY) * jitter
    end = _polled_until(payment, state)
    if end is None or then < end:
        return then
    if now < end - 2 * SOONEST:
        return end - SOONEST  # the last poll
    return then if payment.refunds.filter(UNFINISHED).exists() else NEVER


def _polled_until(payment: Payment, state: PaymentState) -> datetime | None:
    """Return until when a payment is polled; None where only a change of state ends it."""
    if payment.purchase.state == PurchaseState.OPEN:
        return None  # it holds stock and points
    if state is PaymentState.REFUNDED:
        return timezone.now()
    if state is PaymentState.PAID and payment.confirm_attempts >= CONFIRM_ATTEMPTS and payment.paid_at is not None:
        return payment.paid_at + REFUNDS_FOR
    if state is PaymentState.RELEASED and payment.expires_at is not None:
        return payment.expires_at + RELEASED_FOR
    if state in NET_POSITIVE and payment.paid_at is not None and payment.fulfilled_at is not None:
        return payment.paid_at + REFUNDS_FOR
    return None


def poll_now(payment: Payment) -> None:
    """Let the next pass poll a payment, whatever its back-off."""
    Payment.objects.filter(pk=payment.pk).update(next_poll_at=None)


def poll_in(payment: Payment, wait: timedelta) -> None:
    """Let the first pass after ``wait`` poll a payment."""
    Payment.objects.filter(pk=payment.pk).update(next_poll_at=timezone.now() + wait)


def record_run(name: str) -> None:
    """Record that a job is running."""
    now = timezone.now()  # the UPDATE comes first: a write makes SQLite wait for its turn
    if not LastRun.objects.filter(name=name).update(at=now):
        LastRun.objects.get_or_create(name=name, defaults={"at": now})


def last_run(name: str) -> datetime | None:
    """Return when a job last ran; None if it never did."""
    return LastRun.objects.filter(name=name).values_list("at", flat=True).first()


def claim_run(name: str, *, every: timedelta) -> bool:
    """Return True to one process in each interval ``every``, and record the run."""
    now = timezone.now()
    if LastRun.objects.filter(name=name, at__lte=now - every).update(at=now):
        return True
    _row, created = LastRun.objects.get_or_create(name=name, defaults={"at": now})
    return created
