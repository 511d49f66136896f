"""The health of the background jobs."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.flow.operations.health import POLL_OVERDUE_AFTER, STOPPED_AFTER
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments import job_runs
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SECOND = timedelta(seconds=1)


def begin(shop: FakeShop, ref: str = "order-1") -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(ref)))


def test_a_new_shop_is_healthy_except_for_its_reconciler(shop: FakeShop) -> None:
    """G06"""
    health = flow.health()

    assert (health.open_flags, health.has_overdue_payments, health.stuck_messages, health.last_reconciled_at) == (
        0,
        False,
        0,
        None,
    )
    assert not health.is_reconciler_running


def test_after_a_pass_the_reconciler_counts_as_running_for_an_hour(shop: FakeShop) -> None:
    """G06"""
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        list(flow.reconcile())
    with time_machine.travel(now + STOPPED_AFTER - SECOND, tick=False):
        within = flow.health().is_reconciler_running
    with time_machine.travel(now + STOPPED_AFTER, tick=False):
        after = flow.health().is_reconciler_running

    assert (within, after, flow.health().last_reconciled_at) == (True, False, now)


def test_a_payment_is_overdue_a_quarter_of_an_hour_after_its_poll_was_due(shop: FakeShop, khalti: Khalti) -> None:
    """G06"""
    payment = begin(shop)
    payment.refresh_from_db()
    assert payment.next_poll_at is not None
    with time_machine.travel(payment.next_poll_at + POLL_OVERDUE_AFTER - SECOND, tick=False):
        before = flow.health()
    with time_machine.travel(payment.next_poll_at + POLL_OVERDUE_AFTER, tick=False):
        late = flow.health()

    assert (before.has_overdue_payments, late.has_overdue_payments, late.oldest_overdue_at) == (
        False,
        True,
        payment.created_at,
    )


def test_the_oldest_overdue_payment_is_reported(shop: FakeShop, khalti: Khalti) -> None:
    for number in range(3):
        with time_machine.travel(timezone.now() - timedelta(hours=9 - number)):
            begin(shop, f"order-{number}")

    assert (
        flow.health().oldest_overdue_at
        == Payment.objects.order_by("created_at").values_list("created_at", flat=True).first()
    )


def test_after_a_pass_no_payment_is_overdue(shop: FakeShop, khalti: Khalti) -> None:
    begin(shop)
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        before = flow.health().has_overdue_payments
        list(flow.reconcile(due_only=True))

        assert (before, flow.health().has_overdue_payments) == (True, False)


def test_a_leased_payment_is_not_overdue(shop: FakeShop, khalti: Khalti) -> None:
    begin(shop)
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        Payment.objects.update(leased_until=timezone.now() + SECOND)

        assert not flow.health().has_overdue_payments


@pytest.mark.parametrize("changes", [{}, {"total_amount": 1}], ids=["fulfilled", "mismatched"])
def test_payments_polled_only_for_refunds_are_never_overdue(
    shop: FakeShop, khalti: Khalti, changes: dict[str, Any]
) -> None:
    """The money has arrived, and the customer or staff know; only the reconciler counts as stopped."""
    payment = begin(shop)
    khalti.pay(payment.pidx, **changes)
    flow.verify_payment(payment)

    with time_machine.travel(timezone.now() + timedelta(days=5)):
        health = flow.health()

    assert (health.has_overdue_payments, health.is_reconciler_running) == (False, False)


def test_open_flags_and_stuck_messages_are_counted(shop: FakeShop, khalti: Khalti) -> None:
    """G04, I16"""
    payment = begin(shop)
    khalti.pay(payment.pidx, total_amount=1)
    flow.verify_payment(payment)
    Message.objects.create(function="no.such.function", payload={}, attempts=5, error="ModuleNotFoundError")
    open_ones = flow.health()
    Flag.objects.update(resolved_at=timezone.now())

    assert (open_ones.open_flags, open_ones.stuck_messages) == (1, 1)
    assert flow.health().open_flags == 0


def test_it_takes_nine_queries_whatever_the_history(
    shop: FakeShop, khalti: Khalti, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        payment = begin(shop, f"order-{number}")
        khalti.pay(payment.pidx, **({"total_amount": 1} if number % 2 else {}))
        flow.verify_payment(payment)
    begin(shop, "a pending one")
    job_runs.record_run(job_runs.RECONCILE)

    with django_assert_num_queries(9):
        flow.health()
