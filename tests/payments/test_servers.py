"""What all processes know together of one of Khalti's servers: its silence, and how fast jobs look up."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from loyalink_khalti.payments import servers
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.servers import ALERT_AFTER, KhaltiServer, LookupPace
from tests.purchases import at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SERVER = "https://khalti.com"
NOW = datetime.fromisoformat("2026-02-25T06:15:00+00:00")


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def alerts() -> Iterator[list[str]]:
    """What staff are mailed about."""
    sent: list[str] = []

    def lasts(**_signal: Any) -> None:
        sent.append("lasts")

    def ended(**signal: Any) -> None:
        sent.append(f"ended, {signal['waiting']} wait")

    servers.outage_lasts.connect(lasts)
    servers.outage_ended.connect(ended)
    yield sent
    servers.outage_lasts.disconnect(lasts)
    servers.outage_ended.disconnect(ended)


def fail(times: int = 1) -> None:
    for _time in range(times):
        servers.record_failure(SERVER, "503")


def test_five_failures_in_a_row_are_an_outage_and_an_answer_ends_it(clock: time_machine.Traveller) -> None:
    """R1"""
    fail(4)
    four = KhaltiServer.objects.get()
    clock.shift(timedelta(minutes=1))
    fail()
    five = KhaltiServer.objects.get()
    servers.record_answer(SERVER)

    assert (four.is_in_outage, five.is_in_outage) == (False, True)
    assert (five.silent_since, five.last_failure_at, five.error) == (NOW, timezone.now(), "503")
    assert servers.silent_servers() == []


def test_of_twenty_failures_at_once_none_is_lost_and_staff_are_alerted_once(
    clock: time_machine.Traveller, alerts: list[str]
) -> None:
    """R1, R1c"""
    fail()
    clock.shift(ALERT_AFTER)

    at_once(20, lambda _process: fail())
    clock.shift(timedelta(hours=1))
    fail()

    assert KhaltiServer.objects.get().failures == 22
    assert alerts == ["lasts"]


def test_an_outage_is_not_reported_as_ended_if_it_was_not_reported_before(
    clock: time_machine.Traveller, alerts: list[str]
) -> None:
    fail(9)
    clock.shift(ALERT_AFTER / 2)

    servers.record_answer(SERVER)

    assert alerts == []


def test_of_twenty_answers_at_once_one_ends_the_outage(clock: time_machine.Traveller, alerts: list[str]) -> None:
    """R1, R1c"""
    fail(5)
    clock.shift(ALERT_AFTER)
    fail()

    at_once(20, lambda _process: servers.record_answer(SERVER))

    assert alerts == ["lasts", "ended, 0 wait"]


def test_a_clock_that_was_set_back_does_not_make_an_outage_last(
    clock: time_machine.Traveller, alerts: list[str]
) -> None:
    """R7, R1e"""
    fail(3)
    clock.move_to(NOW - timedelta(days=1))
    fail(3)

    assert KhaltiServer.objects.get().silent_since == timezone.now()
    assert alerts == []


def test_the_end_of_an_outage_makes_due_what_may_have_been_paid_and_what_was_tried(
    payment: Payment, clock: time_machine.Traveller
) -> None:
    """R1, R1e"""
    later, never = NOW + timedelta(hours=6), None
    Payment.objects.filter(pk=payment.pk).update(
        state="initiated", next_poll_at=later, last_lookup_at=NOW - timedelta(hours=1)
    )
    copies = {}
    for attempt, (state, tried, next_poll_at) in enumerate(
        [
            ("released", True, later),
            ("released", False, later),
            ("fulfilled", False, later),
            ("refunded", True, never),
        ],
        2,
    ):
        row = Payment.objects.get(pk=payment.pk)
        row.pk, row.attempt, row.state, row.pidx, row.token = None, attempt, state, f"pidx{attempt}", f"token{attempt}"
        row.next_poll_at = next_poll_at
        row.last_lookup_at = NOW + timedelta(minutes=1) if tried else NOW - timedelta(hours=1)
        row.save()
        copies[attempt] = row.pk
    fail(5)
    clock.shift(timedelta(minutes=5))

    servers.record_answer(SERVER)

    due = set(Payment.objects.filter(next_poll_at__lte=timezone.now()).values_list("pk", flat=True))
    assert due == {payment.pk, copies[2]}
    assert Payment.objects.get(pk=copies[5]).next_poll_at is None


# How fast


def lookups(number: int, *, per_second: int, expected: int | None = None) -> list[float]:
    """When so many lookups of one process may be made."""
    pace, times = LookupPace(SERVER, per_second=per_second, expected=expected or number), []
    for _lookup in range(number):
        assert pace.wait(threading.Event(), longest=60)
        times.append(time.monotonic())
    return times


def most_within(seconds: float, times: list[float]) -> int:
    return max(sum(at <= other < at + seconds for other in times) for at in times)


def test_lookups_of_several_processes_keep_the_pace_together() -> None:
    """R1, R1d"""
    started = time.monotonic()

    found = at_once(4, lambda _process: lookups(8, per_second=50))

    times = sorted(at for each in found if not isinstance(each, Exception) for at in each)
    assert len(times) == 32
    assert time.monotonic() - started >= 31 / 50
    assert most_within(0.2, times) <= 10 + 4  # a thread may be late by a little


def test_a_process_reserves_no_more_time_than_it_needs() -> None:
    """R1d: A pass of one lookup does not hold up the next one for a second."""
    started = time.monotonic()

    for _pass in range(3):
        lookups(1, per_second=20)

    assert time.monotonic() - started < 1


def test_a_pass_that_does_not_wait_and_one_that_is_stopped_make_no_lookup() -> None:
    servers.defer_lookups(SERVER, seconds=30)
    stopped = threading.Event()
    stopped.set()

    assert not LookupPace(SERVER, per_second=20, expected=1).wait(threading.Event(), longest=0)
    assert not LookupPace(SERVER, per_second=20, expected=1).wait(stopped, longest=60)


def test_a_pause_that_a_wrong_clock_has_written_counts_as_none(clock: time_machine.Traveller) -> None:
    """R7, R1e"""
    servers.defer_lookups(SERVER, seconds=60)
    clock.move_to(NOW - timedelta(days=1))

    assert LookupPace(SERVER, per_second=20, expected=1).wait(threading.Event(), longest=0)
