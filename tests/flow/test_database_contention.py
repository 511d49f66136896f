"""The database is contended: lock timeouts, deadlocks caused by a host, a stricter isolation level than expected.

The work is tried again, or the outcome is "confirming"; nothing is half done, and the next pass completes it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, connections, transaction
from django.test import Client
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.flow import audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Outcome, Paid
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once, flags, points, states_of

pytestmark = [
    pytest.mark.money,
    pytest.mark.on_both,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer and no isolation to choose"),
]


@pytest.fixture(autouse=True)
def _sound_in_the_end(shop: FakeShop) -> Iterator[None]:
    """After each test the audit finds nothing wrong."""
    yield
    report = audit()
    assert report["ok"], report["violations"]


def run_pass() -> None:
    for _ in flow.reconcile():
        pass


def reconcile() -> None:
    """One pass after all leases have expired; nothing else runs, because all threads share the clock."""
    with time_machine.travel(timezone.now() + timedelta(seconds=30)):
        run_pass()


def deadlocks() -> int:
    """How many deadlocks this server has ended so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


@contextmanager
def options(**chosen: Any) -> Iterator[None]:
    """A host with these OPTIONS of its database."""
    before = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {**before, **chosen}
    connections.close_all()
    try:
        yield
    finally:
        connection.settings_dict["OPTIONS"] = before
        connections.close_all()


def limited(limit: str) -> AbstractContextManager[None]:
    """A host that waits 200 ms for a lock, or for a statement."""
    return options(options=f"-c {limit}=200")


@contextmanager
def holding(work: Callable[[], object]) -> Iterator[None]:
    """Another transaction, which has done ``work`` and stays open."""
    done, end = threading.Event(), threading.Event()

    def hold(_: int) -> None:
        with transaction.atomic():
            work()
            done.set()
            end.wait(20)

    holder = threading.Thread(target=at_once, args=(1, hold))
    holder.start()
    assert done.wait(10)
    try:
        yield
    finally:
        end.set()
        holder.join()


LOCKED: list[Callable[[], object]] = [
    lambda: list(Purchase.objects.select_for_update()),
    lambda: list(Account.objects.select_for_update()),
]


@pytest.mark.parametrize("lock", LOCKED, ids=["the purchase", "the account"])
@pytest.mark.parametrize("limit", ["lock_timeout", "statement_timeout"])
def test_a_lock_timeout_is_confirming_and_nothing_is_half_done(
    limit: str, lock: Callable[[], object], payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """H04: a report of the host's holds the row."""
    khalti.pay(payment.pidx)

    with limited(limit), holding(lock):
        outcome = flow.verify_payment(payment)
        between = states_of(payment), points(account), shop.confirmed, flags()
    reconcile()

    assert (outcome, between) == (Outcome.CONFIRMING, (("initiated", "open"), (500, 500, 0), [], []))
    assert (states_of(payment), points(account)) == (("fulfilled", "placed"), (745, 0, 500))
    assert shop.confirmed == [("order-1", 245_000)]


def test_a_statement_timeout_in_the_shop_is_confirming(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H04"""
    confirm: Callable[..., str] = shop.confirm

    def confirm_slowly(ref: str, *, paid: Paid) -> str:
        number = confirm(ref, paid=paid)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(20)")
        return number

    khalti.pay(payment.pidx)
    with monkeypatch.context() as patch, limited("statement_timeout"):
        patch.setattr(shop, "confirm", confirm_slowly)
        outcome = flow.verify_payment(payment)
        between = states_of(payment), points(account), shop.confirmed, flags()
    reconcile()

    assert (outcome, between) == (Outcome.CONFIRMING, (("initiated", "open"), (500, 500, 0), [], []))
    assert (states_of(payment), points(account)) == (("fulfilled", "placed"), (745, 0, 500))


def test_a_customer_who_returns_while_a_row_is_locked_sees_confirming(
    payment: Payment, khalti: Khalti, settings: Any
) -> None:
    """H04, I9: no 5xx."""
    settings.ROOT_URLCONF = "sandbox.urls"
    khalti.pay(payment.pidx)

    with limited("lock_timeout"), holding(LOCKED[0]):
        answer = Client().get(f"/khalti/return/{payment.token}/")

    assert (answer.status_code, answer["Location"]) == (302, f"/khalti/status/{payment.token}/")


def test_a_host_that_locks_in_the_opposite_order_costs_no_customer_an_order(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H03: a job of the host's holds the account and wants the stock, which confirm holds by then."""
    khalti.pay(payment.pidx)
    job_has_the_account, confirm_has_the_stock = threading.Event(), threading.Event()
    before = deadlocks()
    confirm: Callable[..., str] = shop.confirm
    done: list[int] = []

    def count_stock(_: int) -> None:
        def work() -> None:
            list(Account.objects.select_for_update())
            job_has_the_account.set()
            confirm_has_the_stock.wait(10)
            shop.stock(pen=shop.left("pen") + 10)

        flow.transactions.in_one_block(work)
        done.append(1)

    def confirm_with_the_stock(ref: str, *, paid: Paid) -> str:
        shop.stock(pen=shop.left("pen"))
        confirm_has_the_stock.set()
        return confirm(ref, paid=paid)

    job = threading.Thread(target=at_once, args=(1, count_stock))
    job.start()
    assert job_has_the_account.wait(10)
    monkeypatch.setattr(shop, "confirm", confirm_with_the_stock)

    outcome = flow.verify_payment(payment)
    job.join()
    reconcile()

    assert deadlocks() > before
    assert outcome in {Outcome.PAID, Outcome.CONFIRMING}
    assert (states_of(payment), points(account)) == (("fulfilled", "placed"), (745, 0, 500))
    assert (shop.confirmed, done, shop.left("pen")) == ([("order-1", 245_000)], [1], 12)


def test_reconcilers_during_many_returns_meet_no_deadlock(
    shop: FakeShop, khalti: Khalti, account: Account, settings: Any
) -> None:
    """G08: three passes, and each of a dozen customers twice; one member, one product."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_MEMBER": 0}
    shop.stock(pen=100)
    payments = [flow.begin_payment(shop.freeze(shop.cart(f"order-{n:02}", member_id="7"))) for n in range(12)]
    for payment in payments:
        khalti.pay(payment.pidx)
    before = deadlocks()

    def come(index: int) -> object:
        return run_pass() if index % 9 == 0 else flow.verify_payment(payments[index % 12], customer_present=True)

    came = at_once(27, come)
    reconcile()

    assert deadlocks() == before
    assert not [each for each in came if isinstance(each, Exception)]
    assert (len(shop.confirmed), shop.left("pen"), points(account)) == (12, 88, (1000 + 12 * 250, 0, 0))


@pytest.fixture(
    params=[
        ("setting", "read committed"), ("setting", "repeatable read"), ("setting", "serializable"),
        ("role", "repeatable read"), ("role", "serializable"),
    ],
    ids=" ".join,
)  # fmt: skip
def isolation(request: pytest.FixtureRequest, account: Account) -> Iterator[None]:
    """The isolation that the host has chosen for all transactions, or its role for single statements too."""
    from psycopg import IsolationLevel

    by, level = request.param
    chosen: dict[str, Any] = {"isolation_level": IsolationLevel[level.replace(" ", "_").upper()]}
    if by == "role":
        chosen = {"options": f"-c default_transaction_isolation={level}".replace(" r", "\\ r")}
    with options(**chosen):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            assert cursor.fetchone() == (level,)
        yield


def test_under_any_isolation_level_fifty_concurrent_returns_make_one_order(
    shop: FakeShop, khalti: Khalti, account: Account, isolation: None
) -> None:
    """H10, A01"""
    payment = flow.begin_payment(shop.freeze(shop.cart(member_id="7", points_redeemed=Points(500))))
    khalti.pay(payment.pidx)

    outcomes = at_once(50, lambda _: flow.verify_payment(payment, customer_present=True))
    reconcile()

    assert set(outcomes) <= {Outcome.PAID, Outcome.CONFIRMING}
    assert (shop.confirmed, points(account)) == ([("order-1", 245_000)], (745, 0, 500))


def test_under_any_isolation_level_many_purchases_settle_concurrently(
    shop: FakeShop, khalti: Khalti, account: Account, isolation: None, settings: Any
) -> None:
    """H10, G08: one member, one product, a dozen orders, each finished twice."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_MEMBER": 0}
    shop.stock(pen=100)
    payments = [flow.begin_payment(shop.freeze(shop.cart(f"order-{n:02}", member_id="7"))) for n in range(12)]
    for number, payment in enumerate(payments):
        if number % 3:
            khalti.pay(payment.pidx)
        else:
            khalti.says(payment.pidx, "Expired")

    outcomes = at_once(24, lambda index: flow.verify_payment(payments[index % 12], customer_present=True))
    reconcile()

    assert set(outcomes) <= {Outcome.PAID, Outcome.EXPIRED, Outcome.CONFIRMING}
    assert (len(shop.confirmed), len(shop.released), shop.left("pen")) == (8, 4, 92)
    assert points(account) == (1000 + 8 * 250, 0, 0)
    assert flags() == []
