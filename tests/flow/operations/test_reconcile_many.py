"""Many payments, workers and passes: each payment is looked up once per pass, and a failing Khalti is not flooded."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.core.cache import caches
from django.db import connection
from django.utils import timezone

from loyalink_khalti import conf, flow
from loyalink_khalti.flow import PassLabel, audit
from loyalink_khalti.khalti import circuit_breaker
from loyalink_khalti.payments import job_runs, polling
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.ports import Outcome
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

THROTTLED = (429, {"Retry-After": "1"}, '{"detail": "slow down"}')


def begin(shop: FakeShop, number: int, **changes: Any) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(f"order-{number:02}", **changes)))


def labels(**options: Any) -> list[str]:
    return sorted(result.label for result in flow.reconcile(**options))


@pytest.mark.parametrize("workers", [1, 4, 32])
def test_any_number_of_workers_settles_each_payment_once(shop: FakeShop, simulator: Simulator, workers: int) -> None:
    """G01, G08: paid, expired, cancelled and pending payments."""
    payments = [begin(shop, number) for number in range(16)]
    for number, payment in enumerate(payments):
        (simulator.pay, simulator.expire, simulator.cancel, lambda _pidx: None)[number % 4](str(payment.pidx))

    found = labels(workers=workers)

    assert found == ["cancelled"] * 4 + ["confirming"] * 4 + ["expired"] * 4 + ["paid"] * 4
    assert len(shop.confirmed) == 4
    assert all(simulator.count("lookup", payment.pidx) == 1 for payment in payments)
    assert audit()["ok"]


def test_five_concurrent_passes_of_eight_workers_look_up_each_payment_once(
    shop: FakeShop, simulator: Simulator
) -> None:
    """G01"""
    payments = [begin(shop, number) for number in range(12)]
    for payment in payments[::2]:
        simulator.pay(str(payment.pidx))
    passes = [flow.ReconcilerPass(workers=8) for _ in range(5)]

    at_once(5, lambda index: list(passes[index]))

    assert len(shop.confirmed) == 6
    assert [simulator.count("lookup", payment.pidx) for payment in payments] == [1] * 12
    assert audit()["ok"]


def test_workers_leave_no_connection_behind(shop: FakeShop, khalti: Khalti) -> None:
    for number in range(4):
        begin(shop, number)
    before = threading.active_count()

    labels(workers=4)

    assert threading.active_count() == before
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
            assert cursor.fetchone()[0] <= 2  # this one, and the one that restores the database


def test_closing_a_pass_ends_its_workers(shop: FakeShop, khalti: Khalti) -> None:
    """B08: the remaining payments are due as before."""
    for number in range(8):
        begin(shop, number)
    before = threading.active_count()

    rows = flow.reconcile(workers=2)
    next(rows)
    rows.close()  # type: ignore[attr-defined]

    assert threading.active_count() == before
    assert labels() == ["confirming"] * 8


def test_after_a_killed_pass_the_next_starts_with_the_remaining_payments(shop: FakeShop, khalti: Khalti) -> None:
    """B08, G03"""
    payments = [begin(shop, number) for number in range(4)]
    rows = flow.reconcile()
    first = [next(rows).payment.pk, next(rows).payment.pk]
    rows.close()  # type: ignore[attr-defined]

    order = [result.payment.pk for result in flow.reconcile()]

    assert first == [payments[0].pk, payments[1].pk]
    assert order == [payments[index].pk for index in (2, 3, 0, 1)]


def test_new_payments_are_polled_often_and_old_ones_seldom(shop: FakeShop, khalti: Khalti) -> None:
    """G05: a quarter of its age, and never all at once."""
    payment = begin(shop, 0)
    start, intervals = timezone.now(), []
    for age in (timedelta(0), timedelta(minutes=4), timedelta(hours=2), timedelta(days=6)):
        with time_machine.travel(start + age, tick=False):
            labels()
            payment.refresh_from_db()
            assert payment.next_poll_at
            intervals.append((payment.next_poll_at - timezone.now()).total_seconds())

    assert intervals == [pytest.approx(seconds, rel=0.12) for seconds in (30, 60, 1800, 21_600)]


def test_a_due_only_pass_looks_up_payments_when_they_are_due(shop: FakeShop, khalti: Khalti) -> None:
    payment = begin(shop, 0)
    too_soon = labels(due_only=True)
    khalti.pay(payment.pidx)

    with time_machine.travel(timezone.now() + timedelta(seconds=40)):
        due = labels(due_only=True)

    assert (too_soon, due) == ([], ["paid"])


def test_a_due_only_pass_skips_leased_payments(shop: FakeShop, khalti: Khalti) -> None:
    payment = begin(shop, 0)
    Payment.objects.update(next_poll_at=None, created_at=timezone.now() - timedelta(minutes=5))
    polling.acquire_lease(payment, seconds=60)

    assert labels(due_only=True) == []
    assert khalti.looked_up == []


def test_a_payment_that_always_fails_is_polled_ever_later_and_flagged_once(shop: FakeShop, khalti: Khalti) -> None:
    """G04"""
    bad, good = begin(shop, 0), begin(shop, 1)
    khalti.pay(bad.pidx)
    khalti.pay(good.pidx)
    Purchase.objects.filter(pk=bad.purchase_id).update(language="x" * 20, rules_version=99_999)
    Payment.objects.filter(pk=bad.pk).update(state="released", pidx=None, release_reason="impossible")
    intervals = []
    for _ in range(3):
        labels()
        bad.refresh_from_db()
        assert bad.next_poll_at
        intervals.append((bad.next_poll_at - timezone.now()).total_seconds())

    assert Payment.objects.get(pk=good.pk).state == "fulfilled"
    assert intervals == [pytest.approx(seconds, rel=0.15) for seconds in (60, 120, 240)]
    assert list(Flag.objects.values_list("reason", "payment")) == [("host_failed", bad.pk)]


def test_failures_are_reset_by_the_first_answer(shop: FakeShop, khalti: Khalti) -> None:
    payment = begin(shop, 0)
    khalti.next_lookup = [(400, {}, '{"detail": "no"}')] * 2
    labels()
    labels()
    payment.refresh_from_db()
    failed = payment.poll_failures

    labels()
    payment.refresh_from_db()

    assert (failed, payment.poll_failures) == (2, 0)


def test_if_khalti_is_down_a_pass_stops_after_a_few_calls(shop: FakeShop, khalti: Khalti) -> None:
    """G05: the payments that were not looked up are due as before."""
    payments = [begin(shop, number) for number in range(12)]
    khalti.next_lookup = [requests.ConnectionError("refused")] * 12
    down = labels()
    khalti.next_lookup.clear()
    calls = len(khalti.looked_up)
    for payment in payments:
        khalti.pay(payment.pidx)
    circuit_breaker.reset()  # its cool-down is over
    caches[conf.get("CACHE")].clear()

    up = labels()

    assert (down.count("confirming"), down.count(PassLabel.NOT_LOOKED_UP), calls) == (5, 7, 5)
    assert up == ["paid"] * 12
    assert Payment.objects.filter(poll_failures__gt=0).count() == 0


def test_a_short_pause_that_khalti_asks_for_is_waited_for_in_the_same_pass(shop: FakeShop, khalti: Khalti) -> None:
    """C13"""
    payments = [begin(shop, number) for number in range(3)]
    for payment in payments:
        khalti.pay(payment.pidx)
    khalti.next_lookup = [THROTTLED]

    found = labels()

    assert found == ["confirming", "paid", "paid"]
    assert khalti.looked_up == [payment.pidx for payment in payments]


def test_a_run_triggered_by_traffic_never_waits(shop: FakeShop, khalti: Khalti) -> None:
    """C13: it runs in the thread of a page."""
    begin(shop, 0)
    khalti.next_lookup = [(429, {"Retry-After": "50"}, '{"detail": "slow down"}')]
    labels()
    Payment.objects.update(next_poll_at=None, created_at=timezone.now() - timedelta(minutes=5))

    before = time.monotonic()
    flow.reconcile_one()

    assert time.monotonic() - before < 10
    assert len(khalti.looked_up) == 1


def test_a_long_pause_that_khalti_asks_for_ends_the_pass(shop: FakeShop, khalti: Khalti) -> None:
    """C13"""
    for number in range(3):
        begin(shop, number)
    khalti.next_lookup = [(429, {"Retry-After": "3600"}, '{"detail": "slow down"}')]

    found = labels()

    assert found == ["confirming", PassLabel.NOT_LOOKED_UP, PassLabel.NOT_LOOKED_UP]
    assert len(khalti.looked_up) == 1


def test_a_payment_whose_key_is_gone_is_flagged_and_the_others_continue(
    shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """C30, G04"""
    lost, found = begin(shop, 0), begin(shop, 1)
    khalti.pay(found.pidx)
    other = conf.credentials("default")
    other.pk, other.fingerprint, other.retired_at = None, "deadbeef", timezone.now()
    other.save()
    Payment.objects.filter(pk=lost.pk).update(credentials=other)
    khalti.next_lookup = [(404, {}, '{"detail": "Not found."}')]

    found = labels()

    assert found == ["confirming", "paid"]
    assert list(Flag.objects.values_list("reason", flat=True)) == ["key_gone"]


def test_it_records_when_it_last_ran(shop: FakeShop, khalti: Khalti) -> None:
    """G06"""
    before = job_runs.last_run(job_runs.RECONCILE)

    labels()

    assert before is None
    assert job_runs.last_run(job_runs.RECONCILE) is not None


def test_a_customer_who_returns_during_the_lookup_reads_confirming(shop: FakeShop, khalti: Khalti) -> None:
    """A04: the pass holds the lease."""
    payment = begin(shop, 0)
    khalti.pay(payment.pidx)
    seen: list[Any] = []
    khalti.while_looking_up = lambda: seen.extend(
        at_once(1, lambda _: flow.verify_payment(payment, customer_present=True))
    )

    assert labels() == ["paid"]

    assert seen == [Outcome.CONFIRMING]
    assert len(shop.confirmed) == 1


def test_an_unexpected_error_has_the_label_failed(shop: FakeShop, khalti: Khalti) -> None:
    begin(shop, 0)
    Payment.objects.update(state="released", pidx=None, release_reason="impossible")

    assert labels() == [PassLabel.FAILED]
