"""The store behind a PgBouncer in transaction pooling, with the file of docs/production: each transaction on another
connection of few.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from threading import Event

import pytest
from django.db import connection

from tests import pgbouncer, postgres
from tests.stories.comparison import disagreements
from tests.stories.ordering import at_khalti, guest_who_paid, order
from tests.stories.returning import ALLOWED, keep_returning
from tests.stories.running_store import Store, open_page

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PgBouncer is for PostgreSQL"),
    pytest.mark.skipif(not pgbouncer.PROGRAM, reason=pgbouncer.MISSING),
]

PORT = 8132
CUSTOMERS = 12
BROWSERS = 8
ROLE = {"lock_timeout": "'5s'", "idle_in_transaction_session_timeout": "'60s'", "synchronous_commit": "on"}


@pytest.fixture(scope="module")
def pool(store: Store) -> Iterator[pgbouncer.PgBouncer]:
    """The store with four processes that share five connections, one after the other."""
    server = postgres.running_cluster
    assert server
    server.execute(*(f"ALTER ROLE postgres SET {name} = {value}" for name, value in ROLE.items()))
    with pgbouncer.running(port=PORT) as pool:
        store.restart(workers=4, threads=4, DATABASE_URL=pool.url(), DATABASE_POOLED="1")
        try:
            yield pool
        finally:
            store.stop()
            server.execute(*(f"ALTER ROLE postgres RESET {name}" for name in ROLE))


def test_a_member_who_redeems_points_buys_through_the_pool_and_jobs_and_audit_run_through_it(
    store: Store, pool: pgbouncer.PgBouncer
) -> None:
    """N31"""
    sita = store.browser("sita@example.com")
    before = store.points("sita@example.com")
    waiting = guest_who_paid(store, "waits")

    page = order(sita, points="500")
    payment = at_khalti(page)
    thanks = sita.pay(page.url)
    passed = store.reconcile()
    payment.refresh_from_db()

    assert thanks.url.endswith("/thank-you/")
    assert "1 paid" in passed
    assert store.points("sita@example.com") == before - 500 + payment.purchase.earned
    assert store.audit_command()["ok"]
    assert open_page(waiting).status_code == 200
    assert disagreements(store) == []


def test_fifty_returns_at_once_through_the_pool_make_one_order_and_one_award(
    store: Store, pool: pgbouncer.PgBouncer
) -> None:
    """N31"""
    sita = store.browser("sita@example.com")
    page = order(sita, points="100")
    payment, back = at_khalti(page), sita.pay(page.url, follow=False).url
    before = store.points("sita@example.com")

    with ThreadPoolExecutor(50) as browsers:
        pages = list(browsers.map(open_page, [back] * 50))

    assert {page.status_code for page in pages} == {200}
    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert store.points("sita@example.com") == before + payment.amount // 1000
    assert disagreements(store) == []


def test_a_pool_that_is_killed_during_many_returns_costs_a_503_and_no_money(
    store: Store, pool: pgbouncer.PgBouncer
) -> None:
    """N31, N32"""
    with ThreadPoolExecutor(2) as customers:
        backs = list(customers.map(lambda number: guest_who_paid(store, f"pooled{number}"), range(CUSTOMERS)))
    over, lookups = Event(), store.khalti.count("lookup")

    with ThreadPoolExecutor(BROWSERS) as browsers:
        turns = [list(islice(cycle(backs), start, start + CUSTOMERS)) for start in range(BROWSERS)]
        visits = [browsers.submit(keep_returning, turn, over) for turn in turns]
        try:
            assert store.khalti.wait_for("lookup", times=lookups + 3)
            pool.restart()
            assert store.khalti.wait_for("lookup", times=lookups + CUSTOMERS // 2)
        finally:
            over.set()
        statuses = {status for visit in visits for status in visit.result()}
    store.let_time_pass()
    store.reconcile_here()

    assert statuses <= ALLOWED, store.log()[-8000:]
    assert disagreements(store) == []
    assert {row["state"] for row in store.audit()["payments"]} == {"fulfilled"}


def test_the_check_names_a_shop_that_would_read_its_lists_over_several_connections(
    store: Store, pool: pgbouncer.PgBouncer
) -> None:
    """N31, N33"""
    told = store.manage("check", "--database", "default")
    store.variables["DATABASE_POOLED"] = "0"
    missing = store.manage("check", "--database", "default")
    store.variables["DATABASE_POOLED"] = "1"

    assert "E075" not in told.stderr
    assert "E075" in missing.stderr
    assert "DISABLE_SERVER_SIDE_CURSORS" in missing.stderr
