"""H01: the database server restarts in the middle of a flood of returns."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from threading import Event

import pytest
import requests
from django.db import connection, connections

from tests import postgres
from tests.stories.agreeing import disagreements
from tests.stories.buying import guest_who_paid
from tests.stories.running import Store

pytestmark = [
    pytest.mark.money,
    pytest.mark.timeout(240),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server"),
]

PAYERS = 12
CROWD = 8
ALLOWED = {200, 302, 503}


@pytest.fixture
def database() -> Iterator[postgres.Cluster]:
    """The server, which for once has on disk what it says it has: tests are quick because it need not."""
    assert postgres.at_work
    postgres.at_work.execute("ALTER ROLE postgres SET synchronous_commit = on")
    yield postgres.at_work
    postgres.at_work.execute("ALTER ROLE postgres RESET synchronous_commit")


def flood(backs: list[str], over: Event) -> list[int]:
    """Come back again and again, as browsers do that are told to look again; what each visit was answered with."""
    statuses = []
    for back in cycle(backs):
        if over.is_set():
            return statuses
        statuses += [page.status_code for page in _pages(back)]
    return statuses


def _pages(url: str) -> list[requests.Response]:
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(url, timeout=60)
        return [*page.history, page]


@pytest.mark.parametrize(
    "farewell",
    [
        pytest.param(signal.SIGINT, id="fast", marks=pytest.mark.slow),
        pytest.param(signal.SIGQUIT, id="immediate"),  # the rougher one, in every run
    ],
)
def test_a_database_that_restarts_in_a_flood_of_returns_costs_a_503_and_no_money(
    store: Store, database: postgres.Cluster, farewell: signal.Signals
) -> None:
    """H01"""
    store.start_anew(workers=2, threads=4)  # with new connections, which ask the role
    with ThreadPoolExecutor(2) as shoppers:
        backs = list(shoppers.map(lambda number: guest_who_paid(store, f"flood{number}"), range(PAYERS)))
    over, asked = Event(), store.khalti.count("lookup")

    with ThreadPoolExecutor(CROWD) as crowd:
        turns = [list(islice(cycle(backs), start, start + PAYERS)) for start in range(CROWD)]
        visits = [crowd.submit(flood, turn, over) for turn in turns]
        try:
            assert store.khalti.wait_for("lookup", times=asked + 3)
            connections.close_all()
            database.restart(farewell)
            assert store.khalti.wait_for("lookup", times=asked + PAYERS // 2)
        finally:
            over.set()
        statuses = {status for visit in visits for status in visit.result()}
    store.let_time_pass()
    store.reconcile_here()

    assert statuses <= ALLOWED, store.log()[-8000:]
    assert disagreements(store) == []
    assert {row["state"] for row in store.audit()["payments"]} == {"fulfilled"}
