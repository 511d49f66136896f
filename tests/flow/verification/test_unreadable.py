"""The shape of lookup's answers changes: nothing is believed, staff get one flag of the site, and all settles after.

R2. An answer that is no JSON, such as a maintenance page, is an outage: ``tests/flow/operations/test_outage.py``.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay, CannotResolve
from loyalink_khalti.flow import Resolution, audit
from loyalink_khalti.khalti import circuit_breaker
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, flags, states_of

pytestmark = [
    pytest.mark.money,
    pytest.mark.same_on_both,
    pytest.mark.django_db(transaction=True),
    pytest.mark.sampled,
]

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TO = "maya@example.com"
Answer = dict[str, Any]
CHANGES: dict[str, tuple[Callable[[Answer], Answer], str]] = {
    "amount as text": (lambda it: {**it, "total_amount": str(it["total_amount"])}, "total_amount: string"),
    "amount as a fraction": (lambda it: {**it, "total_amount": float(it["total_amount"])}, "total_amount: number"),
    "refunded as a number": (lambda it: {**it, "refunded": 0}, "refunded: integer"),
    "a numeric transaction id": (lambda it: {**it, "transaction_id": 4711}, "transaction_id: integer"),
    "everything inside data": (lambda it: {"data": it}, "{data: {pidx: string, total_amount: integer,"),
    "no pidx": (lambda it: {key: it[key] for key in it if key != "pidx"}, "{total_amount: integer,"),
}
STORIES = [("everything inside data", False), ("refunded as a number", True)]
"""Whose whole day is in every run; that of the others with ``--all``."""
each_change = pytest.mark.parametrize(("change", "shape"), CHANGES.values(), ids=CHANGES.keys())


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime.fromisoformat("2026-02-25T06:15:00+00:00"), tick=False) as traveller:
        yield traveller


@pytest.fixture
def staff(settings: Any, shop: FakeShop) -> str:
    """The address that receives alerts."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALERTS_TO": [TO]}
    return TO


def begin(shop: FakeShop, number: int) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(f"order-{number}")))


def one_pass() -> list[str]:
    """A pass of the loop, in a process whose circuit breaker has cooled down; what it found."""
    circuit_breaker.reset()
    return [result.label for result in flow.reconcile(due_only=True)]


def changed(khalti: Khalti, change: Callable[[Answer], Answer], *, only_paid: bool = False) -> Callable[[], None]:
    """Let every answer of lookup have another shape, or only those about paid payments; call the result to end it."""
    original = khalti._reply

    def reply(queue: list[Any], answer: Answer, status: int = 200) -> Any:
        if queue is khalti.next_lookup and not (only_paid and answer["status"] != "Completed"):
            return status, {}, json.dumps(change(answer))
        return original(queue, answer, status)

    khalti._reply = reply  # type: ignore[method-assign]  # the test's own Khalti, not our code

    def end() -> None:
        khalti._reply = original  # type: ignore[method-assign]

    return end


@each_change
def test_a_changed_shape_settles_nothing_and_raises_one_flag_of_the_site_without_values(
    change: Callable[[Answer], Answer], shape: str, staff: str, shop: FakeShop, khalti: Khalti
) -> None:
    """R2"""
    payments = [begin(shop, number) for number in range(3)]
    flow.verify_payment(payments[0], ignore_back_off=True)
    for payment in payments:
        khalti.pay(payment.pidx)
    changed(khalti, change)

    outcomes = [flow.verify_payment(payment, ignore_back_off=True) for payment in payments]

    assert outcomes == [Outcome.CONFIRMING] * 3
    assert (states_of(payments[0]), shop.confirmed) == (("initiated", "open"), [])
    flag = Flag.objects.get()
    assert (flag.reason, flag.site_key, flag.count) == ("answer_unreadable", "default", 3)
    assert shape in flag.evidence["shape"]
    for value in ("pidx1", "250000", "Completed", "T-pidx1", "4711"):
        assert value not in json.dumps(flag.evidence)
    assert [message.to for message in mail.outbox] == [[staff]]
    assert "Khalti's answers cannot be read any more." in mail.outbox[0].body
    assert flow.health().unreadable_since == flag.raised_at


@pytest.mark.parametrize(
    ("change", "only_paid"),
    [
        pytest.param(
            change,
            only_paid,
            id=f"{name}-{'answers about paid payments' if only_paid else 'all answers'}",
            marks=() if (name, only_paid) in STORIES else pytest.mark.slow,
        )
        for name, (change, _shape) in CHANGES.items()
        for only_paid in (False, True)
    ],
)
def test_once_the_answers_are_readable_again_all_settles_soon_and_the_flag_ends_by_itself(
    change: Callable[[Answer], Answer],
    only_paid: bool,
    shop: FakeShop,
    khalti: Khalti,
    clock: time_machine.Traveller,
) -> None:
    """R2: after a day, when a payment would be polled every six hours."""
    payments = [begin(shop, number) for number in range(6)]
    still_unpaid = begin(shop, 99)
    clock.shift(MINUTE)
    for payment in payments:
        khalti.pay(payment.pidx)
    end = changed(khalti, change, only_paid=only_paid)
    for hour in range(24):
        for _pass in range(7 if hour == 0 else 1):
            clock.shift(MINUTE)
            one_pass()
        clock.shift(53 * MINUTE if hour == 0 else 59 * MINUTE)
    before = set(Payment.objects.values_list("poll_failures", flat=True)), flags()

    end()
    for _half_a_minute in range(14):
        clock.shift(MINUTE / 2)
        one_pass()

    assert before == ({0}, ["answer_unreadable"])
    assert len(shop.confirmed) == 6
    assert states_of(still_unpaid) == ("initiated", "open")
    (flag,) = Flag.objects.all()
    assert (flag.resolved_at is None, flag.actor) == (False, None)
    assert flow.health().unreadable_since is None
    assert audit()["ok"]


def test_a_payment_without_an_earlier_answer_raises_the_flag_too(shop: FakeShop, khalti: Khalti, staff: str) -> None:
    """R2, R2a: Khalti opened it, so it was readable then; a shop whose customers pay at once would never know."""
    payment = begin(shop, 0)
    khalti.pay(payment.pidx, refunded=0)

    flow.verify_payment(payment)

    assert flags() == ["answer_unreadable"]


def test_a_flag_that_staff_have_closed_is_not_raised_again_for_the_same_shape(shop: FakeShop, khalti: Khalti) -> None:
    """R2, R2a: and it is for another shape."""
    payment = begin(shop, 0)
    khalti.pay(payment.pidx, refunded=0)
    flow.verify_payment(payment, ignore_back_off=True)
    flag = Flag.objects.get()
    flow.resolve_flag(flag, Resolution.CLOSE, actor="1", reason="reported")

    flow.verify_payment(payment, ignore_back_off=True)
    same = flags()
    khalti.pay(payment.pidx, refunded="no")
    flow.verify_payment(payment, ignore_back_off=True)

    assert same == ["answer_unreadable"]
    assert flags() == ["answer_unreadable"] * 2


def test_staff_release_it_only_on_khaltis_word_or_record_what_its_dashboard_shows(
    shop: FakeShop, khalti: Khalti
) -> None:
    """R2, R6, R2a: it may be paid."""
    payment = begin(shop, 0)
    khalti.pay(payment.pidx, refunded=0)
    flow.verify_payment(payment)

    flag = Flag.objects.select_related("payment__purchase").get()
    assert Resolution.RECORD_PAID in flow.resolution_options(flag)
    with pytest.raises(CannotResolve):
        flow.resolve_flag(flag, Resolution.RELEASE, actor="1", reason="cannot be read")
    assert states_of(payment) == ("initiated", "open")


def test_the_lookup_of_a_settled_payment_raises_and_ends_it_as_well(
    shop: FakeShop, khalti: Khalti, clock: time_machine.Traveller
) -> None:
    """R2, R2a: the daily look for refunds made in Khalti's dashboard."""
    payment = begin(shop, 0)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    clock.shift(2 * DAY)
    end = changed(khalti, CHANGES["no pidx"][0])
    one_pass()
    raised = flags(), Payment.objects.get().poll_failures

    end()
    clock.shift(7 * MINUTE)
    one_pass()

    assert raised == (["answer_unreadable"], 0)
    assert Flag.objects.get().resolved_at == timezone.now()


def test_an_unreadable_answer_to_initiate_is_one_flag_of_the_site(shop: FakeShop, khalti: Khalti) -> None:
    """R2, R2a: nothing was opened, so only the shape says why nobody can pay; staff close it."""
    khalti.next_initiate = [{"pidx": 17}] * 2
    for number in range(2):
        with pytest.raises(CannotPay, match="not responding"):
            begin(shop, number)

    flag = Flag.objects.get()
    assert (flag.reason, flag.count, flag.site_key) == ("initiate_refused", 2, "default")
    assert "pidx: integer" in flag.evidence["shape"]
