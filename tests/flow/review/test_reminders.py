"""Staff are reminded of what has waited for them too long, and hear of a reconciler that has stopped."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.utils import translation

from loyalink_khalti import flow, tasks
from loyalink_khalti.flow.review.reminders import LOOK_EVERY
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import job_runs
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.storefront import middleware
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
WAITS, STOPPED = "waited for staff", "khalti_reconcile does not run"


@pytest.fixture(autouse=True)
def staff(settings: Any, shop: FakeShop) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALERTS_TO": ["maya@example.com"]}


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime.fromisoformat("2026-02-25T06:15:00+00:00"), tick=False) as traveller:
        yield traveller


def reminders(text: str = WAITS) -> list[str]:
    """The texts of the mails whose subject has ``text``."""
    return [str(message.body) for message in mail.outbox if text in message.subject]


def flagged(shop: FakeShop, khalti: Khalti, ref: str = "order-1") -> Payment:
    payment = flow.begin_payment(shop.freeze(shop.cart(ref)))
    khalti.pay(payment.pidx, total_amount=100)
    flow.verify_payment(payment)
    return payment


def remind_every_hour(clock: time_machine.Traveller, hours: int) -> None:
    for _hour in range(hours):
        clock.shift(HOUR)
        job_runs.record_run(job_runs.RECONCILE)
        flow.remind_staff()


def test_what_waits_for_a_day_is_mailed_once_a_day_as_long_as_it_waits(
    shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """N42"""
    flagged(shop, khalti)
    remind_every_hour(clock, 23)
    before = len(reminders())
    remind_every_hour(clock, 2 * 24)

    assert (before, len(reminders())) == (0, 2)
    assert "1 payment to review\n    the oldest since 25 February 2026, 12:00" in reminders()[0]
    assert "24 hours or longer" in reminders()[0]


def test_all_that_waits_is_one_mail_with_a_number_for_each_kind(
    shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    for number in range(2):
        flagged(shop, khalti, f"order-{number}")
    payment = flow.begin_payment(shop.freeze(shop.cart("refunded")))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    khalti.next_refund.append((503, {}, ""))
    flow.refund_order(payment.purchase, subtotal=Paisa(250_000), shipping=Paisa(0), key="1", actor="1")
    remind_every_hour(clock, 25)

    (text,) = reminders()
    assert "3 payments to review" in text
    assert "1 unconfirmed refund\n" in text
    assert "Sita" not in text


def test_a_reminder_is_in_the_language_of_the_shop_not_of_the_customer(
    shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """N49"""
    flagged(shop, khalti)
    clock.shift(DAY + HOUR)

    with translation.override("ne"):  # a page view
        flow.remind_staff()

    assert "1 payment to review\n" in reminders()[0]


def test_what_was_answered_in_time_is_not_mailed(
    shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    payment = flagged(shop, khalti)
    remind_every_hour(clock, 20)
    flow.resolve_flag(payment.flags.get(), flow.Resolution.REFUND, actor="1", reason="sold")
    remind_every_hour(clock, 48)

    assert reminders() == []


@pytest.mark.parametrize(("hours", "number"), [(0, 0), (1, 1)])
def test_the_shop_chooses_after_how_many_hours(
    shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller, settings: Any, hours: int, number: int
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "REVIEW_REMINDER_AFTER": hours}
    flagged(shop, khalti)
    remind_every_hour(clock, 2)

    assert len(reminders()) == number


def stop_the_reconciler(shop: FakeShop, clock: time_machine.Traveller) -> None:
    """Begin a payment that nothing looks up, and let two hours pass."""
    flow.begin_payment(shop.freeze(shop.cart()))
    job_runs.record_run(job_runs.RECONCILE)
    clock.shift(2 * HOUR)


@pytest.mark.parametrize("trigger", [flow.remind_staff, flow.run_points], ids=["any process", "the daily points run"])
def test_a_reconciler_that_has_stopped_is_mailed_by_what_still_runs(
    shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller, trigger: Callable[[], Any]
) -> None:
    """N43"""
    stop_the_reconciler(shop, clock)

    trigger()
    clock.shift(LOOK_EVERY)
    trigger()

    (text,) = reminders(STOPPED)
    assert "khalti_reconcile last ran on 25 February 2026, 12:00" in text


def test_a_worker_that_has_stopped_is_noticed_by_page_views(
    shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N43: The task is enqueued, and nothing takes it."""
    monkeypatch.setattr(tasks, "has_worker", lambda: True)
    monkeypatch.setattr(type(tasks.reconcile), "enqueue", lambda _task: None)
    stop_the_reconciler(shop, clock)

    middleware.TrafficReconciler()()

    assert len(reminders(STOPPED)) == 1


def test_a_reconciler_that_runs_again_is_not_mailed(
    shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    stop_the_reconciler(shop, clock)
    list(flow.reconcile())

    flow.remind_staff()

    assert reminders(STOPPED) == []


def test_of_many_processes_one_mails(shop: FakeShop, khalti: Khalti) -> None:
    """N42"""
    flagged(shop, khalti)
    with time_machine.travel(datetime.now().astimezone() + 2 * DAY, tick=False):
        at_once(8, lambda _number: flow.remind_staff())

    assert len(reminders()) == 1
