"""H01: the database server restarts during many returns."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from threading import Event

import pytest
from django.db import connection, connections

from tests import postgres
from tests.stories.comparison import disagreements
from tests.stories.ordering import guest_who_paid
from tests.stories.returning import ALLOWED, keep_returning
from tests.stories.running_store import Store

pytestmark = [
    pytest.mark.money,
    pytest.mark.sampled,
    pytest.mark.timeout(240),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server"),
]

CUSTOMERS = 12
BROWSERS = 8


@pytest.fixture
def database() -> Iterator[postgres.Cluster]:
    """The server with durable commits, which other tests switch off for speed."""
    assert postgres.running_cluster
    postgres.running_cluster.execute("ALTER ROLE postgres SET synchronous_commit = on")
    yield postgres.running_cluster
    postgres.running_cluster.execute("ALTER ROLE postgres RESET synchronous_commit")


@pytest.mark.parametrize(
    "stop_signal",
    [
        pytest.param(signal.SIGINT, id="fast", marks=pytest.mark.slow),
        pytest.param(signal.SIGQUIT, id="immediate"),  # the harder one, in every run
    ],
)
def test_a_database_restart_during_many_returns_costs_a_503_and_no_money(
    store: Store, database: postgres.Cluster, stop_signal: signal.Signals
) -> None:
    """H01"""
    store.restart(workers=2, threads=4)  # with new connections, which read the role's settings
    with ThreadPoolExecutor(2) as customers:
        backs = list(customers.map(lambda number: guest_who_paid(store, f"flood{number}"), range(CUSTOMERS)))
    over, lookups = Event(), store.khalti.count("lookup")

    with ThreadPoolExecutor(BROWSERS) as pool:
        turns = [list(islice(cycle(backs), start, start + CUSTOMERS)) for start in range(BROWSERS)]
        visits = [pool.submit(keep_returning, turn, over) for turn in turns]
        try:
            assert store.khalti.wait_for("lookup", times=lookups + 3)
            connections.close_all()
            database.restart(stop_signal)
            assert store.khalti.wait_for("lookup", times=lookups + CUSTOMERS // 2)
        finally:
            over.set()
        statuses = {status for visit in visits for status in visit.result()}
    store.let_time_pass()
    store.reconcile_here()

    assert statuses <= ALLOWED, store.log()[-8000:]
    assert disagreements(store) == []
    assert {row["state"] for row in store.audit()["payments"]} == {"fulfilled"}
