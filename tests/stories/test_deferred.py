"""H05: SQLite as Django leaves it, so that a transaction may lose its lock half way: words, but no money."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from django.db import connection

from tests.stories.agreeing import disagreements
from tests.stories.buying import order, paid
from tests.stories.running import Store, open_page
from tests.stories.shopper import Shopper

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,  # SQLite as no shop should have it: not in every run
    pytest.mark.timeout(240),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's transactions are never deferred"),
]

PAYERS = 5
VISITS = 3
MEMBERS = ("sita@example.com", "ram@example.com")
ALLOWED = {200, 302, 503}


def test_in_a_deferred_sqlite_a_crowd_that_buys_and_comes_back_loses_no_money(store: Store) -> None:
    """H05"""
    store.start_anew(workers=2, threads=8, DJANGO_SETTINGS_MODULE="tests.stories.settings", STORY_SQLITE="deferred")
    members = [store.shopper(email) for email in MEMBERS]
    backs = [paid(member, points="100") for member in members]
    backs += [paid(store.shopper(), email=f"deferred{number}@example.com") for number in range(PAYERS)]

    with ThreadPoolExecutor(len(backs) * 2) as crowd:
        returns = [crowd.submit(open_page, back) for back in backs * VISITS]
        purchases = [crowd.submit(buy_anyway, member) for member in members]
        passes = [crowd.submit(store.manage, "khalti_reconcile") for _ in range(2)]  # which may find it locked
        statuses = {visit.result().status_code for visit in returns}
        for one in [*purchases, *passes]:
            one.result()
    store.let_time_pass()
    store.reconcile_here()

    assert statuses <= ALLOWED
    assert disagreements(store) == []
    assert {row["state"] for row in store.audit()["payments"] if row["transaction_id"]} == {"fulfilled"}
    assert sum(row["transaction_id"] is not None for row in store.audit()["payments"]) == len(backs)


def buy_anyway(shopper: Shopper) -> None:
    """Buy by cash on delivery meanwhile; where the database is locked, the shop's pages may say so."""
    try:
        order(shopper, "cod")
    except (AssertionError, LookupError, StopIteration, requests.RequestException):
        return
