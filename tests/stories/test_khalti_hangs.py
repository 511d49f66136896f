"""Khalti stops answering while many customers return: the rest of the shop stays fast."""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

from tests.stories.comparison import disagreements
from tests.stories.ordering import guest_who_paid
from tests.stories.running_store import Store, open_page

pytestmark = pytest.mark.timeout(400)  # the server's threads are the limit here, with either database

SERVER = {"workers": 2, "threads": 4}
RETURNS = 24
SAMPLES = 20
DEADLINE = 10  # seconds, as the settings have it
SLACK = 0.3  # seconds
CATALOGUE = "/shop/catalogue/"


def seconds_for(url: str) -> float:
    started = time.monotonic()
    assert open_page(url).status_code == 200
    return time.monotonic() - started


def test_while_many_returns_wait_for_khalti_the_catalogue_stays_fast(store: Store) -> None:
    """I14"""
    catalogue = store.url + CATALOGUE
    with ThreadPoolExecutor(4) as customers:
        backs = list(customers.map(lambda number: guest_who_paid(store, f"hanging{number}"), range(RETURNS)))
    usual = [seconds_for(catalogue) for _ in range(SAMPLES)]
    store.khalti.fault("hang", where="lookup", times=None, seconds=2 * DEADLINE)

    with ThreadPoolExecutor(RETURNS) as returning:
        visits = [returning.submit(heading_after, back) for back in backs]
        assert store.khalti.wait_for("lookup")
        meanwhile = [seconds_for(catalogue) for _ in range(SAMPLES)]
        results = [visit.result() for visit in visits]
    store.khalti.clear_faults()
    store.let_time_pass()
    store.reconcile_here()

    assert median(meanwhile) <= 2 * median(usual) + SLACK
    assert max(meanwhile) <= 2 * max(usual) + SLACK
    assert {heading for heading, _ in results} == {"We are confirming your payment"}
    assert max(seconds for _, seconds in results) <= DEADLINE + 1
    assert disagreements(store) == []
    assert {row["state"] for row in store.audit()["payments"]} == {"fulfilled"}


def heading_after(back: str) -> tuple[str, float]:
    """Return the heading that the customer sees, and after how many seconds."""
    started = time.monotonic()
    page = open_page(back)
    heading = page.text.partition("<h1>")[2].partition("</h1>")[0].strip()
    return heading, time.monotonic() - started
