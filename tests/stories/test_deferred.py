"""H05: SQLite with Django's default transactions, which may lose their lock: error messages, but no lost money."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from django.db import connection

from tests.stories.browser_session import BrowserSession
from tests.stories.comparison import disagreements
from tests.stories.ordering import order, paid
from tests.stories.running_store import Store, open_page

pytestmark = [
    pytest.mark.money,
    pytest.mark.same_on_both,
    pytest.mark.slow,  # not a setting for a shop: not in every run
    pytest.mark.timeout(240),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's transactions are never deferred"),
]

SERVER = {"STORY_SQLITE": "deferred"}
GUESTS = 5
VISITS = 3
MEMBERS = ("sita@example.com", "ram@example.com")
ALLOWED = {200, 302, 503}


def test_with_deferred_sqlite_transactions_many_customers_lose_no_money(store: Store) -> None:
    """H05"""
    members = [store.browser(email) for email in MEMBERS]
    backs = [paid(member, points="100") for member in members]
    backs += [paid(store.browser(), email=f"deferred{number}@example.com") for number in range(GUESTS)]

    with ThreadPoolExecutor(len(backs) * 2) as pool:
        returns = [pool.submit(open_page, back) for back in backs * VISITS]
        purchases = [pool.submit(buy_meanwhile, member) for member in members]
        passes = [pool.submit(store.manage, "khalti_reconcile") for _ in range(2)]  # they may find it locked
        statuses = {visit.result().status_code for visit in returns}
        for future in [*purchases, *passes]:
            future.result()
    store.let_time_pass()
    store.reconcile_here()

    assert statuses <= ALLOWED
    assert disagreements(store) == []
    assert {row["state"] for row in store.audit()["payments"] if row["transaction_id"]} == {"fulfilled"}
    assert sum(row["transaction_id"] is not None for row in store.audit()["payments"]) == len(backs)


def buy_meanwhile(customer: BrowserSession) -> None:
    """Buy with cash on delivery meanwhile; the shop's pages may say that the database is locked."""
    try:
        order(customer, "cod")
    except (AssertionError, LookupError, StopIteration, requests.RequestException):
        return
