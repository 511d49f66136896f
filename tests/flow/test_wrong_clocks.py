"""Payments and jobs on servers whose clocks are wrong, and rows that such servers have written."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.clock import clock_replaced, database_now
from loyalink_khalti.payments import polling
from loyalink_khalti.payments.models import Payment
from tests.clocks import DAY, SECOND, on_postgresql, wrong_clock
from tests.purchases import Khalti

__all__ = ["wrong_clock"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 2, 25, 6, 0, tzinfo=UTC)


@on_postgresql
def test_a_purchase_is_paid_looked_up_and_settled_on_a_server_with_a_wrong_clock(
    wrong_clock: timedelta, payment: Payment, khalti: Khalti
) -> None:
    """R7: and every time in its rows is the database's."""
    khalti.pay(payment.pidx)

    labels = [result.label for result in flow.reconcile()]
    payment.refresh_from_db()
    times = [payment.paid_at, payment.fulfilled_at, payment.last_lookup_at, payment.purchase.placed_at]

    assert labels == ["paid"]
    assert all(time and abs(time - database_now()) < timedelta(seconds=20) for time in times), times


@on_postgresql
def test_a_payment_that_another_server_is_just_opening_is_not_released(
    shop: Any, khalti: Khalti, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R7: the reconciler's server is a day ahead, so by its own clock the payment has been unsent for a day."""
    from tests.purchases import states_of

    payment = flow.begin_payment(shop.freeze(shop.cart()))
    Payment.objects.update(state="created", pidx=None, payment_url="")
    with clock_replaced(lambda: None), time_machine.travel(timezone.now() + DAY):
        list(flow.reconcile())

    assert states_of(payment) == ("created", "open")


def ahead(time: timedelta) -> dict[str, Any]:
    """The times of a payment that another server has written whose clock was ahead."""
    then = database_now() + time
    return {
        "lease": "lost", "leased_until": then + timedelta(seconds=15), "lookup_not_before": then + timedelta(hours=2),
        "next_poll_at": then + timedelta(hours=6), "last_lookup_at": then,
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [DAY, 2 * DAY, timedelta(days=3650)], ids=["a day", "two days", "ten years"])
@pytest.mark.parametrize("due_only", [False, True], ids=["plain pass", "loop"])
def test_times_written_by_a_clock_that_was_ahead_delay_no_lookup(
    payment: Payment, khalti: Khalti, wrong: timedelta, due_only: bool
) -> None:
    """R7: the clock was a day ahead and is right again; a plain pass hung on the lease."""
    khalti.pay(payment.pidx)
    Payment.objects.update(**ahead(wrong))
    Payment.objects.update(next_poll_at=database_now() + wrong + timedelta(hours=6))

    labels = [result.label for result in flow.reconcile(due_only=due_only)]

    assert labels == ["paid"]


def test_a_customer_is_not_kept_waiting_by_a_clock_that_was_ahead(payment: Payment, khalti: Khalti) -> None:
    """R7"""
    khalti.pay(payment.pidx)
    Payment.objects.update(**ahead(DAY))

    assert flow.verify_payment(payment, customer_present=True).value == "paid"


def test_a_lease_ten_minutes_ahead_is_none(payment: Payment) -> None:
    """R7: one of two servers is 10 minutes ahead."""
    Payment.objects.update(lease="other", leased_until=database_now() + timedelta(minutes=10))

    assert polling.acquire_lease(payment, seconds=15)


def test_a_lease_that_may_be_real_is_respected(payment: Payment) -> None:
    Payment.objects.update(lease="other", leased_until=database_now() + polling.LONGEST_LEASE - SECOND)

    assert polling.acquire_lease(payment, seconds=15) == ""


@pytest.mark.parametrize("back", [timedelta(minutes=10), timedelta(hours=5), DAY], ids=str)
def test_after_the_clock_was_set_back_the_loop_polls_what_is_due_as_before(
    payment: Payment, khalti: Khalti, back: timedelta
) -> None:
    """R7: there was no lookup for as long as the difference; and not everything is looked up at once either."""
    start = database_now() + timedelta(hours=1)
    with time_machine.travel(start, tick=False) as clock:
        list(flow.reconcile(due_only=True))  # Pending: polled again in a quarter of an hour
        khalti.pay(payment.pidx)
        clock.move_to(start - back)
        first = [result.label for result in flow.reconcile(due_only=True)]
        clock.shift(timedelta(minutes=20))
        then = [result.label for result in flow.reconcile(due_only=True)]

    assert (first, then) == ([], ["paid"])


def test_a_clock_that_was_set_back_delays_no_customer(payment: Payment, khalti: Khalti) -> None:
    """R7: nor does the back-off of the lookups that customers cause."""
    start = database_now()
    with time_machine.travel(start, tick=False) as clock:
        flow.verify_payment(payment, customer_present=True)
        khalti.pay(payment.pidx)
        clock.move_to(start - timedelta(minutes=20))

        assert flow.verify_payment(payment, customer_present=True).value == "paid"


def test_a_payment_that_was_created_in_the_future_is_released_once_it_cannot_be_opened(
    payment: Payment, khalti: Khalti
) -> None:
    """R7: its server's clock was a day ahead, and it died before it called Khalti."""
    Payment.objects.update(state="created", pidx=None, payment_url="", created_at=database_now() + DAY)

    labels = [result.label for result in flow.reconcile()]
    payment.refresh_from_db()

    assert (labels, payment.state) == (["failed"], "released")


def test_a_payment_that_cannot_change_any_more_has_no_next_poll(payment: Payment, khalti: Khalti) -> None:
    """R7: never is null, and not the year 9999."""
    khalti.says(payment.pidx, "Expired")
    flow.verify_payment(payment)
    Payment.objects.update(expires_at=database_now() - polling.RELEASED_FOR - SECOND)
    payment.refresh_from_db()

    wait = polling.next_poll(payment, polling.PaymentState.RELEASED)

    assert (wait, polling.poll_after(wait)) == (None, None)


@pytest.mark.parametrize("state", ["created", "initiated"])
def test_a_payment_that_the_version_before_has_just_created_is_polled(
    payment: Payment, khalti: Khalti, state: str
) -> None:
    """R9: until every process is of this version, null may still mean "at once"."""
    pidx = payment.pidx if state == "initiated" else None
    Payment.objects.update(state=state, pidx=pidx, next_poll_at=None, created_at=database_now() - timedelta(minutes=5))

    labels = [result.label for result in flow.reconcile(due_only=True)]

    assert len(labels) == 1
