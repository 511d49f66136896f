"""Which payments must still be asked about, although nobody comes back for them, and when each is looked at next."""

import random
from datetime import UTC, datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from .models import LastRun, Payment, Purchase, Refund
from .states import PENDING_REFUND, RefundState, State

RELEASED_FOR = timedelta(days=7)
"""How long after its link expired a released payment is still asked about: it may have been paid at the last."""
REFUNDS_FOR = timedelta(days=30)
"""How long after it was paid a payment is looked at for refunds that somebody makes at Khalti."""

SOONEST, LATEST, DAILY = timedelta(seconds=30), timedelta(hours=6), timedelta(days=1)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a payment is looked at that nothing can become of any more; so that what is due is found among little."""
TRIES = 10
"""How often the shop is asked to grant the goods of a paid payment; then it is up to staff."""

RECONCILE = "khalti_reconcile"
"""The name of the job in ``LastRun``."""

UNFINISHED = Q(state__in=sorted(PENDING_REFUND)) | Q(state=RefundState.DONE, carried_at=None)
"""Refunds that something must still become of."""

_GRANTED = (State.FULFILLED, State.PART_REFUNDED)


def watched(*, unsent_after: timedelta) -> QuerySet[Payment]:
    """Payments that lookup may still tell something about, those not asked about for longest first.

    One that has no payment page is left alone for ``unsent_after``, while Khalti may still answer.
    """
    now = timezone.now()
    refunds = Refund.objects.filter(UNFINISHED, payment=OuterRef("pk"))
    return Payment.objects.filter(
        Q(state=State.CREATED, created_at__lte=now - unsent_after)
        | Q(state__in=[State.INITIATED, State.PAID, State.MISMATCHED])
        | Q(state=State.RELEASED, pidx__isnull=False, expires_at__gt=now - RELEASED_FOR)
        | Q(state=State.RELEASED, purchase__state=Purchase.State.OPEN)
        | Q(state__in=_GRANTED, paid_at__gt=now - REFUNDS_FOR)
        | Q(state__in=[State.PART_REFUNDED, State.REFUNDED], purchase__state=Purchase.State.OPEN)
        | Q(Exists(refunds), state__in=[*_GRANTED, State.PAID, State.MISMATCHED, State.REFUNDED])
    ).order_by(F("asked_at").asc(nulls_first=True), "pk")


def due(payments: QuerySet[Payment], *, by: datetime | None = None) -> QuerySet[Payment]:
    """Those whose back-off has passed, now or ``by`` an earlier moment, the longest ago first; leased ones apart."""
    now = timezone.now()
    by = by or now
    never = Q(watch_after=None, created_at__lte=by)
    found = payments.filter(never | Q(watch_after__lte=by)).filter(Q(leased_until=None) | Q(leased_until__lte=now))
    return found.order_by(F("watch_after").asc(nulls_first=True), "pk")


def next_look(payment: Payment, state: State, *, failures: int = 0) -> datetime:
    """When a job looks at a payment again that is in ``state`` now, a little spread; ``NEVER`` where it need not.

    What is young is looked at soon and what is old seldom: after a quarter of its age. ``failures`` in a row double
    the wait, up to a day.
    """
    now = timezone.now()
    if state is State.PAID:
        wait = timedelta(minutes=1) * 2**payment.tries if payment.tries < TRIES else DAILY
    elif state in _GRANTED or state is State.MISMATCHED:
        wait = DAILY
    else:
        wait = min(max((now - payment.created_at) / 4, SOONEST), LATEST)
    spread = random.uniform(0.9, 1.1)  # noqa: S311 - not secret
    then: datetime = now + min(wait * 2 ** min(failures, 12), DAILY) * spread
    end = _end(payment, state)
    if end is None or then < end:
        return then
    if now < end - 2 * SOONEST:
        return end - SOONEST  # once more, at the very last
    return then if payment.refunds.filter(UNFINISHED).exists() else NEVER


def _end(payment: Payment, state: State) -> datetime | None:
    """Until when a payment is watched, None where it is until something becomes of it."""
    if payment.purchase.state == Purchase.State.OPEN:
        return None  # it holds goods and points
    if state is State.REFUNDED:
        return timezone.now()
    if state is State.PAID and payment.tries >= TRIES and payment.paid_at is not None:
        return payment.paid_at + REFUNDS_FOR
    if state is State.RELEASED and payment.expires_at is not None:
        return payment.expires_at + RELEASED_FOR
    if state in _GRANTED and payment.paid_at is not None and payment.fulfilled_at is not None:
        return payment.paid_at + REFUNDS_FOR
    return None


def ran(name: str) -> None:
    """Note that a job is at work; a write comes first, for SQLite to wait for its turn."""
    now = timezone.now()
    if not LastRun.objects.filter(name=name).update(at=now):
        LastRun.objects.get_or_create(name=name, defaults={"at": now})


def last_run(name: str) -> datetime | None:
    """When a job was last at work."""
    return LastRun.objects.filter(name=name).values_list("at", flat=True).first()


def claim(name: str, *, every: timedelta) -> bool:
    """Become the one, of any number of processes, who does something that is done once in so long."""
    now = timezone.now()
    if LastRun.objects.filter(name=name, at__lte=now - every).update(at=now):
        return True
    _row, is_the_first_time = LastRun.objects.get_or_create(name=name, defaults={"at": now})
    return is_the_first_time
