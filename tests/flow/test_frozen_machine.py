"""R8: a machine freezes inside the settling transaction, on PostgreSQL: no page and no job waits without end."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.flow import audit
from loyalink_khalti.flow.transactions import TIMEOUTS, in_one_block
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.flow.test_database_contention import holding, options
from tests.purchases import Khalti, at_once, flags, states_of

pytestmark = [
    pytest.mark.money,
    pytest.mark.sampled,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, whose wait is bounded"),
]

BOUND = 5.0
"""seconds within which everything answers that waits for a lock for 300 ms at most, on a busy machine"""


@pytest.fixture(autouse=True)
def _sound_in_the_end(shop: FakeShop) -> Iterator[None]:
    yield
    report = audit()
    assert report["ok"], report["violations"]


@pytest.fixture(autouse=True)
def _short_deadline(shop: FakeShop, settings: Any) -> None:
    """Leases that are over soon."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "DEADLINE": 0.5}


@contextmanager
def frozen(payment: Payment) -> Iterator[None]:
    """A machine that has locked a payment to settle it, with the lease of its lookup, and does nothing any more."""
    Payment.objects.filter(pk=payment.pk).update(lease="frozen", leased_until=timezone.now() - timedelta(seconds=1))
    with options(options="-c lock_timeout=300ms"), holding(lambda: transitions.lock(payment)):
        yield


@contextmanager
def within(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


def test_a_look_at_the_payment_answers_confirming_and_others_are_settled(
    shop: FakeShop, khalti: Khalti, payment: Payment
) -> None:
    """R8"""
    other = flow.begin_payment(shop.freeze(shop.cart("order-2")))
    for each in (payment, other):
        khalti.pay(each.pidx)

    with frozen(payment), within(BOUND):
        seen = flow.verify_payment(payment), flow.cancel_payment(payment), flow.verify_payment(other)
    list(flow.reconcile())

    assert seen == (Outcome.CONFIRMING, Outcome.CONFIRMING, Outcome.PAID)
    assert (states_of(payment), flags()) == (("fulfilled", "placed"), [])


def test_a_customer_and_staff_who_look_at_the_payment_see_a_page(
    payment: Payment, khalti: Khalti, settings: Any
) -> None:
    """R8, I9: no 5xx."""
    settings.ROOT_URLCONF = "sandbox.urls"
    khalti.pay(payment.pidx)

    with frozen(payment), within(BOUND):
        back = Client().get(f"/khalti/return/{payment.token}/")
        status = Client().get(f"/khalti/status/{payment.token}/")
        looked = flow.refresh_payment(payment).looked_up

    assert (back.status_code, status.status_code, looked) == (302, 200, False)


def test_the_catalogue_answers_and_so_does_the_job_that_its_visits_trigger(
    payment: Payment, khalti: Khalti, settings: Any
) -> None:
    """R8: the job looks the payment up in a thread of the web server."""
    settings.ROOT_URLCONF = "sandbox.urls"
    Payment.objects.update(next_poll_at=timezone.now() - timedelta(hours=1))

    with frozen(payment), within(BOUND):
        page = Client().get("/shop/catalogue/")
        flow.reconcile_one()

    assert page.status_code == 200


@pytest.mark.parametrize("workers", [1, 4])
def test_a_pass_goes_on_with_the_other_payments_and_ends(
    shop: FakeShop, khalti: Khalti, payment: Payment, workers: int
) -> None:
    """R8: it waited for the lock, and then for the lease of the machine that is frozen."""
    shop.stock(pen=10)
    others = [flow.begin_payment(shop.freeze(shop.cart(f"other-{number}"))) for number in range(3)]
    for each in (payment, *others):
        khalti.pay(each.pidx)

    with frozen(payment), within(4 * BOUND):
        labels = {result.payment.pk: result.label for result in flow.reconcile(workers=workers)}
    list(flow.reconcile())

    assert labels == {payment.pk: flow.PassLabel.BUSY, **{each.pk: "paid" for each in others}}
    assert states_of(payment) == ("fulfilled", "placed")


def test_a_checkout_that_waits_for_the_same_stock_asks_to_try_again(shop: FakeShop, khalti: Khalti) -> None:
    """R8"""
    shop.stock(pen=10)
    with (
        options(options="-c lock_timeout=300ms"),
        holding(lambda: shop.stock(pen=9)),
        within(BOUND),
        pytest.raises(CannotPay, match="try again"),
    ):
        flow.begin_payment(shop.freeze(shop.cart()))


def test_the_server_ends_the_frozen_transaction_and_the_work_is_done_again_when_the_machine_goes_on(
    payment: Payment, khalti: Khalti
) -> None:
    """R8: the others do not wait for as long as the machine is frozen."""
    locked, go_on, times = threading.Event(), threading.Event(), []

    def work() -> str:
        transitions.lock(payment)
        times.append(len(times))
        locked.set()
        if len(times) == 1:
            go_on.wait(20)
        return states_of(payment)[0]

    khalti.pay(payment.pidx)
    results: list[Any] = []
    with options(options="-c idle_in_transaction_session_timeout=500ms"):
        machine = threading.Thread(target=lambda: results.extend(at_once(1, lambda _: in_one_block(work))))
        machine.start()
        assert locked.wait(10)
        with within(2 * BOUND):
            outcomes = [flow.verify_payment(payment)]
            list(flow.reconcile())
        go_on.set()
        machine.join()

    assert set(outcomes) <= {Outcome.PAID, Outcome.CONFIRMING}
    assert (results, times) == (["fulfilled"], [0, 1])


@pytest.mark.parametrize("chosen", ["", "-c lock_timeout=2s", "-c idle_in_transaction_session_timeout=7s"])
def test_our_transactions_have_timeouts_where_the_shops_connections_have_none(chosen: str) -> None:
    """R8: and only for themselves, so that the shop's reports may wait."""
    shop_has = dict.fromkeys(TIMEOUTS, "0")
    if chosen:
        name, _is, value = chosen.removeprefix("-c ").partition("=")
        shop_has[name] = value

    with options(options=chosen):
        ours = [in_one_block(_timeouts) for _twice in range(2)]
        with transaction.atomic():
            theirs = _timeouts()

    wanted = {name: TIMEOUTS[name] if value == "0" else value for name, value in shop_has.items()}
    assert [_seconds(each) for each in ours] == [_seconds(wanted)] * 2
    assert theirs == shop_has


def _timeouts() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')"
        )
        return dict(zip(TIMEOUTS, cursor.fetchone(), strict=True))


def _seconds(timeouts: dict[str, str]) -> dict[str, int]:
    return {name: 60 if value == "1min" else int(value.removesuffix("s")) for name, value in timeouts.items()}
