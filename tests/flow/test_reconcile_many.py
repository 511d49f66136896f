"""Many payments, workers and passes: each is asked about once a round, and a Khalti in trouble is left alone."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.db import connection
from django.utils import timezone

from loyalink_khalti import conf, flow
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.flow.reconcile import FAILED, NOT_ASKED
from loyalink_khalti.khalti import gate
from loyalink_khalti.payments import services, watch
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.ports import Outcome
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

THROTTLED = (429, {"Retry-After": "1"}, '{"detail": "slow down"}')


def begin(shop: FakeShop, number: int, **changes: Any) -> Payment:
    return flow.begin(shop.freeze(shop.cart(f"order-{number:02}", **changes)))


def told(**how: Any) -> list[str]:
    return sorted(looked.told for looked in flow.reconcile(**how))


@pytest.mark.parametrize("workers", [1, 4, 32])
def test_any_number_of_workers_settle_each_payment_once(shop: FakeShop, simulator: Simulator, workers: int) -> None:
    """G01, G08: paid, expired, cancelled and still waiting, all mixed."""
    payments = [begin(shop, number) for number in range(16)]
    for number, payment in enumerate(payments):
        (simulator.pay, simulator.expire, simulator.cancel, lambda _pidx: None)[number % 4](str(payment.pidx))

    found = told(workers=workers)

    assert found == ["cancelled"] * 4 + ["confirming"] * 4 + ["expired"] * 4 + ["paid"] * 4
    assert len(shop.confirmed) == 4
    assert all(simulator.count("lookup", payment.pidx) == 1 for payment in payments)
    assert audit()["ok"]


def test_five_passes_of_eight_workers_side_by_side_ask_about_each_once(shop: FakeShop, simulator: Simulator) -> None:
    """G01"""
    payments = [begin(shop, number) for number in range(12)]
    for payment in payments[::2]:
        simulator.pay(str(payment.pidx))
    passes = [flow.Pass(workers=8) for _ in range(5)]

    at_once(5, lambda index: list(passes[index]))

    assert len(shop.confirmed) == 6
    assert [simulator.count("lookup", payment.pidx) for payment in payments] == [1] * 12
    assert audit()["ok"]


def test_workers_leave_no_connection_behind(shop: FakeShop, khalti: Khalti) -> None:
    for number in range(4):
        begin(shop, number)
    before = threading.active_count()

    told(workers=4)

    assert threading.active_count() == before
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
            assert cursor.fetchone()[0] <= 2  # this one, and whoever puts the database back


def test_a_pass_that_is_given_up_ends_its_workers(shop: FakeShop, khalti: Khalti) -> None:
    """B08: what was not looked at is due as before."""
    for number in range(8):
        begin(shop, number)
    before = threading.active_count()

    rows = flow.reconcile(workers=2)
    next(rows)
    rows.close()  # type: ignore[attr-defined]

    assert threading.active_count() == before
    assert told() == ["confirming"] * 8


def test_a_killed_pass_is_resumed_with_those_that_were_not_asked_about(shop: FakeShop, khalti: Khalti) -> None:
    """B08, G03"""
    payments = [begin(shop, number) for number in range(4)]
    rows = flow.reconcile()
    asked = [next(rows).payment.pk, next(rows).payment.pk]
    rows.close()  # type: ignore[attr-defined]

    order = [looked.payment.pk for looked in flow.reconcile()]

    assert asked == [payments[0].pk, payments[1].pk]
    assert order == [payments[index].pk for index in (2, 3, 0, 1)]


def test_what_is_young_is_looked_at_soon_and_what_is_old_seldom(shop: FakeShop, khalti: Khalti) -> None:
    """G05: a quarter of its age, and never all at once."""
    payment = begin(shop, 0)
    start, waits = timezone.now(), []
    for age in (timedelta(0), timedelta(minutes=4), timedelta(hours=2), timedelta(days=6)):
        with time_machine.travel(start + age, tick=False):
            told()
            payment.refresh_from_db()
            assert payment.watch_after
            waits.append((payment.watch_after - timezone.now()).total_seconds())

    assert waits == [pytest.approx(seconds, rel=0.12) for seconds in (30, 60, 1800, 21_600)]


def test_who_honours_back_off_asks_when_it_is_due(shop: FakeShop, khalti: Khalti) -> None:
    payment = begin(shop, 0)
    too_soon = told(due_only=True)
    khalti.pay(payment.pidx)

    with time_machine.travel(timezone.now() + timedelta(seconds=40)):
        due = told(due_only=True)

    assert (too_soon, due) == ([], ["paid"])


def test_who_honours_back_off_leaves_leases_to_others(shop: FakeShop, khalti: Khalti) -> None:
    payment = begin(shop, 0)
    Payment.objects.update(watch_after=None, created_at=timezone.now() - timedelta(minutes=5))
    services.take_lease(payment, seconds=60)

    assert told(due_only=True) == []
    assert khalti.asked == []


def test_one_that_always_errs_is_come_back_to_ever_later_and_staff_are_told_once(
    shop: FakeShop, khalti: Khalti
) -> None:
    """G04"""
    bad, good = begin(shop, 0), begin(shop, 1)
    khalti.pay(bad.pidx)
    khalti.pay(good.pidx)
    Purchase.objects.filter(pk=bad.purchase_id).update(language="x" * 20, rules_version=99_999)
    Payment.objects.filter(pk=bad.pk).update(state="released", pidx=None, why="unheard of")
    waits = []
    for _ in range(3):
        told()
        bad.refresh_from_db()
        assert bad.watch_after
        waits.append((bad.watch_after - timezone.now()).total_seconds())

    assert Payment.objects.get(pk=good.pk).state == "fulfilled"
    assert waits == [pytest.approx(seconds, rel=0.15) for seconds in (60, 120, 240)]
    assert list(Flag.objects.values_list("reason", "payment")) == [("host_failed", bad.pk)]


def test_a_failure_of_khaltis_is_forgotten_with_its_first_answer(shop: FakeShop, khalti: Khalti) -> None:
    payment = begin(shop, 0)
    khalti.next_lookup = [requests.ConnectionError("refused")] * 2
    told()
    told()
    payment.refresh_from_db()
    failed = payment.failures

    told()
    payment.refresh_from_db()

    assert (failed, payment.failures) == (2, 0)


def test_a_khalti_that_is_down_is_asked_a_few_times_and_the_rest_is_left_to_the_next_pass(
    shop: FakeShop, khalti: Khalti
) -> None:
    """G05: nothing is pushed back for having waited, and nothing is stormed."""
    payments = [begin(shop, number) for number in range(12)]
    khalti.next_lookup = [requests.ConnectionError("refused")] * 12
    down = told()
    khalti.next_lookup.clear()
    asked = len(khalti.asked)
    for payment in payments:
        khalti.pay(payment.pidx)
    gate.forget()  # its rest is over

    up = told()

    assert (down.count("confirming"), down.count(NOT_ASKED), asked) == (5, 7, 5)
    assert up == ["paid"] * 12
    assert Payment.objects.filter(failures__gt=0).count() == 0


def test_a_khalti_that_asks_for_patience_is_waited_for_in_the_same_pass(shop: FakeShop, khalti: Khalti) -> None:
    """C13"""
    payments = [begin(shop, number) for number in range(3)]
    for payment in payments:
        khalti.pay(payment.pidx)
    khalti.next_lookup = [THROTTLED]

    found = told()

    assert found == ["confirming", "paid", "paid"]
    assert khalti.asked == [payment.pidx for payment in payments]


def test_a_nudge_waits_for_nobody(shop: FakeShop, khalti: Khalti) -> None:
    """C13: a page's thread would wait with it."""
    begin(shop, 0)
    khalti.next_lookup = [(429, {"Retry-After": "50"}, '{"detail": "slow down"}')]
    told()
    Payment.objects.update(watch_after=None, created_at=timezone.now() - timedelta(minutes=5))

    before = time.monotonic()
    flow.nudge()

    assert time.monotonic() - before < 10
    assert len(khalti.asked) == 1


def test_who_asks_for_an_hour_has_it(shop: FakeShop, khalti: Khalti) -> None:
    """C13"""
    for number in range(3):
        begin(shop, number)
    khalti.next_lookup = [(429, {"Retry-After": "3600"}, '{"detail": "slow down"}')]

    found = told()

    assert found == ["confirming", NOT_ASKED, NOT_ASKED]
    assert len(khalti.asked) == 1


def test_a_payment_whose_key_is_gone_is_flagged_and_the_others_go_on(
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

    stands = told()

    assert stands == ["confirming", "paid"]
    assert list(Flag.objects.values_list("reason", flat=True)) == ["key_gone"]


def test_it_says_when_it_was_last_at_work(shop: FakeShop, khalti: Khalti) -> None:
    """G06"""
    before = watch.last_run(watch.RECONCILE)

    told()

    assert before is None
    assert watch.last_run(watch.RECONCILE) is not None


def test_a_visitors_return_while_a_pass_asks_changes_nothing_of_it(shop: FakeShop, khalti: Khalti) -> None:
    """A04: the lease is the pass's, and the page says that it is confirming."""
    payment = begin(shop, 0)
    khalti.pay(payment.pidx)
    seen: list[Any] = []
    khalti.while_looking_up = lambda: seen.extend(at_once(1, lambda _: flow.finish(payment, present=True)))

    assert told() == ["paid"]

    assert seen == [Outcome.CONFIRMING]
    assert len(shop.confirmed) == 1


def test_what_fails_unforeseen_is_told_as_failed(shop: FakeShop, khalti: Khalti) -> None:
    begin(shop, 0)
    Payment.objects.update(state="released", pidx=None, why="unheard of")

    assert told() == [FAILED]
