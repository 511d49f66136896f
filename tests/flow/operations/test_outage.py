"""Khalti is silent for minutes, hours or a day: no payment is charged, staff get two mails, and then all settles soon.

R1. ``tests/stories/test_khalti_silent.py`` has the same with a real loop and a thousand payments.
"""

import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.core import mail
from django.utils import timezone

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.flow import PassLabel, audit
from loyalink_khalti.khalti import circuit_breaker
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.credentials import Credentials
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.payments.servers import KhaltiServer
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True), pytest.mark.sampled]

START = datetime.fromisoformat("2026-02-25T06:15:00+00:00")
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
REFUSED = requests.ConnectionError("refused")
NO_ANSWER = [
    pytest.param(REFUSED, id="refused"),
    pytest.param(requests.ReadTimeout("silence"), id="timeout"),
    pytest.param((503, {}, "<html>maintenance</html>"), id="503"),
    pytest.param((200, {}, "<html>maintenance</html>"), id="unreadable"),
]
TO = "maya@example.com"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def staff(settings: Any, shop: FakeShop) -> str:
    """The address that receives alerts."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALERTS_TO": [TO]}
    return TO


def begin(shop: FakeShop, number: int) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(f"order-{number:04}")))


def one_pass(*, workers: int = 1) -> list[str]:
    """A pass of the loop, in a process whose circuit breaker has cooled down; what it found."""
    circuit_breaker.reset()
    return [result.label for result in flow.reconcile(due_only=True, workers=workers)]


def go_silent(khalti: Khalti, error: Exception = REFUSED) -> None:
    """From now on Khalti answers no lookup."""

    def fail() -> None:
        raise error

    khalti.while_looking_up = fail


def answer_again(khalti: Khalti) -> None:
    khalti.while_looking_up = lambda: None
    khalti.next_lookup.clear()


def moments(length: timedelta) -> list[timedelta]:
    """When a loop makes passes in an outage: every half a minute at first, and then often enough for the story."""
    first = [number * 30 * SECOND for number in range(26)]
    return [at for at in first if at < length] + [at for n in range(1, 40) if (at := n * length / 40) > first[-1]]


@pytest.fixture
def outage(staff: str, shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller) -> list[Payment]:
    """Payers have paid and closed the tab; Khalti is silent, as five passes have found. Nobody was mailed yet."""
    payments = [begin(shop, number) for number in range(8)]
    clock.shift(MINUTE)
    for payment in payments:
        khalti.pay(payment.pidx)
    go_silent(khalti)
    for _pass in range(5):
        one_pass()
        clock.shift(30 * SECOND)
    return payments


def subjects() -> list[str]:
    return [message.subject for message in mail.outbox if message.to == [TO]]


# The story


@pytest.mark.parametrize(
    "length",
    [
        pytest.param(15 * MINUTE, id="15 minutes", marks=pytest.mark.slow),
        pytest.param(3 * HOUR, id="3 hours", marks=pytest.mark.slow),
        pytest.param(DAY, id="a day"),
    ],
)
@pytest.mark.parametrize(
    ("waiting", "per_second"),
    [(30, 1000), pytest.param(1000, 20, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
    ids=["30 payments", "1,000 payments"],
)
def test_after_an_outage_all_that_waits_settles_within_minutes_oldest_first_and_staff_got_two_mails(
    waiting: int,
    per_second: int,
    length: timedelta,
    staff: str,
    shop: FakeShop,
    khalti: Khalti,
    settings: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """R1: with a thousand the lookups of one second are counted."""
    with time_machine.travel(START) as clock:
        payments = []
        for number in range(waiting):
            payments.append(begin(shop, number))
            clock.shift(10 * MINUTE / waiting)
        one_pass()
        for payment in payments:
            khalti.pay(payment.pidx)
        settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LOOKUPS_PER_SECOND": per_second}
        go_silent(khalti)
        silent_from, asked_before, passes = timezone.now(), len(khalti.looked_up), moments(length)
        for moment in passes:
            clock.move_to(silent_from + moment)
            one_pass()
        asked_in_outage = len(khalti.looked_up) - asked_before
        khalti.looked_up.clear()
        failures = set(Payment.objects.values_list("poll_failures", flat=True))

        clock.move_to(max(silent_from + length, timezone.now()))
        answer_again(khalti)
        returned, times = timezone.now(), list[float]()
        khalti.while_looking_up = lambda: times.append(time.monotonic())
        while len(shop.confirmed) < waiting and timezone.now() < returned + 10 * MINUTE:
            clock.shift(30 * SECOND)
            one_pass(workers=1 if waiting <= 30 else 16)
        took = timezone.now() - returned

    fastest = max(sum(at <= other < at + 1 for other in times) for at in times)
    if waiting > 30:
        with capsys.disabled():
            sys.stdout.write(
                f"\n{waiting} payments, {length} of silence: all settled {took.total_seconds():.0f} s after Khalti's"
                f" return, {len(times)} lookups, at most {fastest} in a second; {asked_in_outage} in"
                f" {len(passes)} passes of the outage\n"
            )
    assert len(shop.confirmed) == waiting
    assert took <= 10 * MINUTE
    assert fastest <= per_second
    assert failures == {0}
    assert asked_in_outage <= len(passes) + 20
    if waiting <= 30:  # with one worker; the first finds that Khalti answers again, and may be any
        assert khalti.looked_up[1:] == [payment.pidx for payment in payments if payment.pidx != khalti.looked_up[0]]
    mails = [re.sub(r"\d\d:\d\d", "…", subject) for subject in subjects()]
    assert mails == ["Khalti has not answered since …", "Khalti answers again"]
    assert not Flag.objects.exists()
    assert audit()["ok"]


# What one silence does


@pytest.mark.parametrize("error", NO_ANSWER)
def test_silence_is_not_charged_to_a_payment_and_it_is_polled_within_minutes(
    error: Any, shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """R1, R1a: an old payment, which would be polled every six hours."""
    begin(shop, 0)
    clock.shift(DAY)
    khalti.next_lookup = [error] * 3

    for _time in range(3):
        one_pass()
        clock.shift(6 * MINUTE)

    payment = Payment.objects.get()
    assert payment.poll_failures == 0
    assert payment.next_poll_at is not None
    assert payment.next_poll_at <= timezone.now()
    assert len(khalti.looked_up) == 3


def test_what_a_customer_tried_in_vain_is_polled_by_the_next_pass(
    shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """R1, R1a: the next poll of a payment that is a day old is hours away."""
    payment = begin(shop, 0)
    clock.shift(DAY)
    one_pass()
    khalti.pay(payment.pidx)
    khalti.next_lookup = [REFUSED]
    assert flow.verify_payment(payment) is Outcome.CONFIRMING
    clock.shift(MINUTE)

    assert one_pass() == ["paid"]


def test_a_throttled_lookup_is_not_charged_to_its_payment(shop: FakeShop, khalti: Khalti) -> None:
    """R1, C13, R1a"""
    begin(shop, 0)
    khalti.next_lookup = [(429, {"Retry-After": "50"}, '{"detail": "slow down"}')]

    list(flow.reconcile())

    assert Payment.objects.get().poll_failures == 0


def test_all_processes_wait_as_long_as_khalti_asks_one_of_them(
    shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """R1, C13, R1d"""
    for number in range(2):
        begin(shop, number)
    clock.shift(MINUTE)
    khalti.next_lookup = [(429, {"Retry-After": "300"}, '{"detail": "slow down"}')]
    one_pass()
    clock.shift(200 * SECOND)  # a pause of a minute is waited for

    assert one_pass() == [PassLabel.NOT_LOOKED_UP]
    assert len(khalti.looked_up) == 1

    clock.shift(101 * SECOND)
    assert one_pass() == ["confirming", "confirming"]


# During an outage


def test_in_an_outage_a_pass_makes_one_lookup_and_the_payments_stay_due(outage: list[Payment], khalti: Khalti) -> None:
    """R1, R1b"""
    before = len(khalti.looked_up)

    found = one_pass(workers=4)

    assert len(khalti.looked_up) == before + 1
    assert found.count("confirming") == 1
    assert found.count(PassLabel.NOT_LOOKED_UP) == len(found) - 1 >= 5


def test_each_pass_tries_another_payment_so_that_one_of_which_khalti_knows_nothing_hides_no_recovery(
    outage: list[Payment], khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """R1, R1b"""
    khalti.looked_up.clear()
    for _pass in range(len(outage)):
        clock.shift(30 * SECOND)
        one_pass()

    assert sorted(khalti.looked_up) == sorted(str(payment.pidx) for payment in outage)


def test_in_an_outage_pages_of_every_process_are_answered_without_a_call(
    outage: list[Payment], shop: FakeShop, khalti: Khalti
) -> None:
    """R1, R1b: this process has not seen the outage itself."""
    circuit_breaker.reset()
    before = len(khalti.looked_up)

    outcome = flow.verify_payment(outage[0])
    with pytest.raises(CannotPay, match="not responding"):
        begin(shop, 99)

    assert outcome is Outcome.CONFIRMING
    assert (len(khalti.looked_up), len(khalti.opened)) == (before, len(outage))
    assert conf.khalti_options("default").unavailable_reason.startswith("Khalti is not responding")


def test_without_a_reconciler_pages_try_again_after_a_minute_and_end_the_outage(
    outage: list[Payment], shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """R1, R1b"""
    answer_again(khalti)
    clock.shift(2 * MINUTE)
    circuit_breaker.reset()

    outcome = flow.verify_payment(outage[0])

    assert outcome is Outcome.PAID
    assert flow.health().outages == ()
    assert one_pass() == ["paid"] * 7


def test_a_payment_whose_key_this_process_lacks_hides_no_recovery(
    outage: list[Payment], khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """R14: it is never asked about, so it is always the one that was asked about longest ago."""
    unreadable = Credentials.objects.create(
        site_key="another", environment=conf.TEST, base_url=outage[0].credentials.base_url, fingerprint="gone",
        ciphertext=b"none of these Fernet keys can read it",
    )  # fmt: skip
    Payment.objects.filter(pk=outage[0].pk).update(credentials=unreadable, last_lookup_at=None)
    answer_again(khalti)
    clock.shift(30 * SECOND)

    found = one_pass()

    assert (found.count("paid"), found.count(PassLabel.NO_KEY)) == (7, 1)
    assert flow.health().outages == ()


def test_an_outage_recorded_by_a_clock_a_day_ahead_stops_no_checkout(
    outage: list[Payment], shop: FakeShop, khalti: Khalti
) -> None:
    """R15: the database's clock was set back since."""
    ahead = timezone.now() + DAY
    KhaltiServer.objects.update(silent_since=ahead, last_failure_at=ahead)
    answer_again(khalti)
    circuit_breaker.reset()

    assert begin(shop, 99).state == "initiated"
    assert flow.health().outages == ()


def test_one_failure_among_answers_is_no_outage(
    staff: str, shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """R1, R1b: nothing is polled more often for it."""
    for number in range(3):
        begin(shop, number)
    for number in range(20):
        clock.shift(MINUTE)
        khalti.next_lookup = [REFUSED] * (number % 2)
        one_pass()

    assert (flow.health().outages, subjects()) == ((), [])
    assert len(khalti.looked_up) <= 3 * 20


# What staff see


def test_passes_at_the_same_moment_mail_staff_once(
    outage: list[Payment], clock: time_machine.Traveller, khalti: Khalti
) -> None:
    """R1, R1c: whatever the number of processes."""
    clock.shift(10 * MINUTE)
    passes = [flow.ReconcilerPass(due_only=True) for _process in range(5)]
    circuit_breaker.reset()
    at_once(5, lambda index: list(passes[index]))
    during = subjects()
    answer_again(khalti)
    clock.shift(MINUTE)
    passes = [flow.ReconcilerPass(due_only=True) for _process in range(5)]
    circuit_breaker.reset()
    at_once(5, lambda index: list(passes[index]))

    assert during == ["Khalti has not answered since 12:01"]
    assert subjects() == [*during, "Khalti answers again"]


def test_a_short_outage_is_mailed_to_no_one(
    outage: list[Payment], khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """R1c"""
    clock.shift(6 * MINUTE)
    one_pass()
    answer_again(khalti)
    clock.shift(MINUTE)
    one_pass()

    assert subjects() == []


def test_the_mails_say_since_when_what_happens_and_that_nothing_is_to_be_done(
    outage: list[Payment], khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """R1c"""
    clock.shift(10 * MINUTE)
    one_pass()
    answer_again(khalti)
    clock.shift(MINUTE)
    one_pass()

    begins, ends = (message.body for message in mail.outbox if message.to == [TO])
    assert "https://dev.khalti.com has given no usable answer since 25 February 2026, 12:01." in begins
    assert "no answer from /api/v2/epayment/lookup/ (ConnectionError)" in begins
    assert "8 payments wait to be checked" in ends
    for private in ("Sita", "sita@example.com", "pidx1"):
        assert private not in begins + ends


def test_the_error_that_staff_are_mailed_has_no_id_of_a_transaction(shop: FakeShop, khalti: Khalti) -> None:
    payment = begin(shop, 0)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    khalti.next_refund = [(503, {}, "")]

    flow.refund_order(Purchase.objects.get(), subtotal=Paisa(250_000), shipping=Paisa(0), key="one click", actor="1")

    assert KhaltiServer.objects.get().error == "503 from /api/merchant-transaction/…/refund/"


def test_health_names_an_outage_until_it_ends(
    outage: list[Payment], khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """R1c"""
    (during,) = flow.health().outages
    answer_again(khalti)
    one_pass()

    assert (during.server, during.silent_since) == ("https://dev.khalti.com", START + MINUTE)
    assert flow.health().outages == ()


# A pass without its key


def test_a_pass_that_cannot_read_its_key_moves_no_next_poll(
    shop: FakeShop, khalti: Khalti, settings: Any, clock: time_machine.Traveller
) -> None:
    """D7, D7b: a key that is none, as after a wrong line in the environment of cron."""
    payment = begin(shop, 0)
    clock.shift(MINUTE)
    before = Payment.objects.values("next_poll_at", "poll_failures").get()
    right = settings.LOYALINK_KHALTI
    settings.LOYALINK_KHALTI = {**right, "KHALTI_SECRET_KEY": "not a key"}

    for _pass in range(3):
        one_pass()

    assert Payment.objects.values("next_poll_at", "poll_failures").get() == before
    settings.LOYALINK_KHALTI = right
    khalti.pay(payment.pidx)
    assert one_pass() == ["paid"]
