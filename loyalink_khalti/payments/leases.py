"""Leases: one process at a time calls lookup for a payment, and customers cannot cause many calls.

A lease lasts for seconds and is taken by one conditional UPDATE, so that no lock is held during the call.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from .models import Payment
from .polling import next_poll
from .states import SETTLED, PaymentState

CUSTOMER_BACK_OFF = (timedelta(seconds=3), timedelta(seconds=10), timedelta(seconds=30))
"""After the first, the second and any later lookup of a payment: how long customers cause no other one."""


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
    """Take the lease of a payment for ``seconds`` and return its id; "" where that is not possible.

    It is not possible while another process has it, before the back-off of customers is over (``by_customer``, which
    also extends it), after a lookup later than ``last_lookup_before`` (unless its process was killed), and for a
    settled payment, which is looked up for refunds only (``even_if_settled``). Call it again with the same ``lease``
    when the database's first answer was lost.
    """
    now, lease = timezone.now(), lease or new_lease_id()
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    if not even_if_settled:
        free &= ~Q(state__in=SETTLED)
    back_off: dict[str, Any] = {}
    if by_customer:
        free &= Q(lookup_not_before=None) | Q(lookup_not_before__lte=now)
        back_off = {"lookup_not_before": now + _back_off(payment), "lookup_count": F("lookup_count") + 1}
    if last_lookup_before is not None:
        free &= Q(last_lookup_at=None) | Q(last_lookup_at__lte=last_lookup_before) | ~Q(lease="")
    row = Payment.objects.filter(free | Q(lease=lease), pk=payment.pk)
    until = now + timedelta(seconds=seconds)
    return lease if row.update(lease=lease, leased_until=until, last_lookup_at=now, **back_off) else ""


def _back_off(payment: Payment) -> timedelta:
    return CUSTOMER_BACK_OFF[min(payment.lookup_count, len(CUSTOMER_BACK_OFF) - 1)]


def end_lease(payment: Payment, lease: str, *, by_job: bool = False) -> None:
    """Give up the lease after a call that brought no answer.

    After a job the next poll comes later each time; for customers the back-off begins now, or their next page would
    wait for as long as this one did.
    """
    fields: dict[str, Any] = {"lease": "", "leased_until": None}
    if by_job:
        failures = payment.poll_failures + 1
        fields["poll_failures"] = failures
        fields["next_poll_at"] = next_poll(payment, PaymentState(payment.state), failures=failures)
    else:
        fields["lookup_not_before"] = timezone.now() + _back_off(payment)
    Payment.objects.filter(pk=payment.pk, lease=lease).update(**fields)


def end_lease_unpaid(payment: Payment, lease: str) -> bool:
    """End the lease of a payment that Khalti reports as not paid yet, and save its ``lookup_history``; without a lock.

    Return False, and change nothing, where the payment has changed meanwhile.
    """
    unchanged = Payment.objects.filter(pk=payment.pk, lease=lease, state=PaymentState.INITIATED)
    fields = {
        "lease": "",
        "leased_until": None,
        "next_poll_at": next_poll(payment, PaymentState.INITIATED),
        "poll_failures": 0,
        "not_found": 0,
        "lookup_history": payment.lookup_history,
    }
    return bool(unchanged.update(**fields))


def defer_lookups(payment: Payment, *, seconds: float) -> None:
    """Let neither customers nor jobs look this payment up for ``seconds``."""
    then = timezone.now() + timedelta(seconds=seconds)
    Payment.objects.filter(pk=payment.pk).update(lookup_not_before=then, next_poll_at=then)


def count_not_found(payment: Payment) -> int:
    """Count one more "Not found." for a pidx that Khalti itself created, and return how many there have been."""
    Payment.objects.filter(pk=payment.pk).update(not_found=F("not_found") + 1)
    return Payment.objects.values_list("not_found", flat=True).get(pk=payment.pk)
