"""Leases: one process at a time calls lookup for a payment, and customers cannot cause many calls."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from loyalink_khalti.payments import polling
from loyalink_khalti.payments.models import Payment
from tests.purchases import at_once

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 2, 25, 6, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_one_process_gets_the_lease_and_the_others_do_not(payment: Payment) -> None:
    taken = at_once(20, lambda _: polling.acquire_lease(payment, seconds=15, by_customer=True))

    assert sorted(map(bool, taken)) == [False] * 19 + [True]


def test_a_lease_ends_when_it_is_given_up_or_has_expired(payment: Payment) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        first = polling.acquire_lease(payment, seconds=15)
        clock.move_to(later(14))
        early = polling.acquire_lease(payment, seconds=15)
        clock.move_to(later(15))
        second = polling.acquire_lease(payment, seconds=15)
        polling.end_lease(payment, second)
        third = polling.acquire_lease(payment, seconds=15)

    assert (bool(first), early, bool(second), bool(third)) == (True, "", True, True)


def test_an_expired_lease_does_not_end_the_next_one(payment: Payment) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        first = polling.acquire_lease(payment, seconds=15)
        clock.move_to(later(16))
        polling.acquire_lease(payment, seconds=15)
        polling.end_lease(payment, first)

        assert polling.acquire_lease(payment, seconds=15) == ""


def test_customers_cause_no_call_within_3_then_10_then_30_seconds(payment: Payment) -> None:
    """K07: each may try every second, as a page that reloads itself does."""
    looked_up = []
    with time_machine.travel(NOW, tick=False) as clock:
        for second in range(110):
            clock.move_to(later(second))
            payment.refresh_from_db()
            if lease := polling.acquire_lease(payment, seconds=15, by_customer=True):
                looked_up.append(second)
                polling.end_lease(payment, lease)

    assert looked_up == [0, 3, 13, 43, 73, 103]


def test_a_lease_whose_acknowledgement_was_lost_is_taken_at_the_second_try(payment: Payment) -> None:
    """B02: and by no other process."""
    lease = polling.new_lease_id()
    polling.acquire_lease(payment, seconds=15, lease=lease)

    assert polling.acquire_lease(payment, seconds=15, lease=lease) == lease
    assert polling.acquire_lease(payment, seconds=15) == ""


def test_a_jobs_lookup_does_not_delay_customers(payment: Payment) -> None:
    with time_machine.travel(NOW, tick=False):
        for _ in range(5):
            polling.end_lease(payment, polling.acquire_lease(payment, seconds=15), by_job=True)

        assert polling.acquire_lease(payment, seconds=15, by_customer=True)
