"""Whether what should happen by itself does happen."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.flow.health import LATE, SELDOM
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments import watch
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SECOND = timedelta(seconds=1)


def begin(shop: FakeShop, ref: str = "order-1") -> Payment:
    return flow.begin(shop.freeze(shop.cart(ref)))


def test_a_shop_that_has_sold_nothing_has_nothing_to_say_but_that_nothing_is_scheduled(shop: FakeShop) -> None:
    """G06"""
    health = flow.health()

    assert (health.flags, health.is_late, health.stuck, health.last_run) == (0, False, 0, None)
    assert not health.is_scheduled


def test_a_pass_shows_that_the_reconciler_is_scheduled_for_an_hour(shop: FakeShop) -> None:
    """G06"""
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        list(flow.reconcile())
    with time_machine.travel(now + SELDOM - SECOND, tick=False):
        within = flow.health().is_scheduled
    with time_machine.travel(now + SELDOM, tick=False):
        after = flow.health().is_scheduled

    assert (within, after, flow.health().last_run) == (True, False, now)


def test_a_payment_that_should_have_been_looked_at_a_quarter_of_an_hour_ago_is_late(
    shop: FakeShop, khalti: Khalti
) -> None:
    """G06"""
    payment = begin(shop)
    payment.refresh_from_db()
    assert payment.watch_after is not None
    with time_machine.travel(payment.watch_after + LATE - SECOND, tick=False):
        before = flow.health()
    with time_machine.travel(payment.watch_after + LATE, tick=False):
        late = flow.health()

    assert (before.is_late, late.is_late, late.overdue_since) == (False, True, payment.created_at)


def test_the_oldest_of_those_that_wait_is_named(shop: FakeShop, khalti: Khalti) -> None:
    for number in range(3):
        with time_machine.travel(timezone.now() - timedelta(hours=9 - number)):
            begin(shop, f"order-{number}")

    assert (
        flow.health().overdue_since
        == Payment.objects.order_by("created_at").values_list("created_at", flat=True).first()
    )


def test_a_pass_that_has_asked_leaves_nothing_late(shop: FakeShop, khalti: Khalti) -> None:
    begin(shop)
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        before = flow.health().is_late
        list(flow.reconcile(due_only=True))

        assert (before, flow.health().is_late) == (True, False)


def test_a_payment_that_somebody_asks_about_just_now_is_not_late(shop: FakeShop, khalti: Khalti) -> None:
    begin(shop)
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        Payment.objects.update(leased_until=timezone.now() + SECOND)

        assert not flow.health().is_late


@pytest.mark.parametrize("changes", [{}, {"total_amount": 1}], ids=["fulfilled", "mismatched"])
def test_that_nobody_looks_for_refunds_is_no_payment_that_waits(
    shop: FakeShop, khalti: Khalti, changes: dict[str, Any]
) -> None:
    """The money is there, and its shopper or staff know; only that nothing is scheduled is said."""
    payment = begin(shop)
    khalti.pay(payment.pidx, **changes)
    flow.finish(payment)

    with time_machine.travel(timezone.now() + timedelta(days=5)):
        health = flow.health()

    assert (health.is_late, health.is_scheduled) == (False, False)


def test_flags_that_are_open_and_messages_that_are_stuck_are_counted(shop: FakeShop, khalti: Khalti) -> None:
    """G04, I16"""
    payment = begin(shop)
    khalti.pay(payment.pidx, total_amount=1)
    flow.finish(payment)
    Message.objects.create(function="no.such.function", payload={}, tries=5, error="ModuleNotFoundError")
    open_ones = flow.health()
    Flag.objects.update(resolved_at=timezone.now())

    assert (open_ones.flags, open_ones.stuck) == (1, 1)
    assert flow.health().flags == 0


def test_it_takes_four_statements_whatever_the_history(
    shop: FakeShop, khalti: Khalti, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        payment = begin(shop, f"order-{number}")
        khalti.pay(payment.pidx, **({"total_amount": 1} if number % 2 else {}))
        flow.finish(payment)
    begin(shop, "one that waits")
    watch.ran(watch.RECONCILE)

    with django_assert_num_queries(4):
        flow.health()
