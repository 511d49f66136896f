"""Khalti no longer answers, and everybody comes back: the shop goes on as if nothing were."""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

from tests.stories.agreeing import disagreements
from tests.stories.buying import guest_who_paid
from tests.stories.running import Store, open_page

pytestmark = pytest.mark.timeout(400)  # the server's threads are what is short here, whatever its database

RETURNS = 24
LOOKS = 20
DEADLINE = 10  # seconds, as the settings have it
SLACK = 0.3  # seconds
CATALOGUE = "/shop/catalogue/"


def seconds_for(url: str) -> float:
    begun = time.monotonic()
    assert open_page(url).status_code == 200
    return time.monotonic() - begun


def test_while_two_dozen_returns_wait_for_a_dead_khalti_the_catalogue_is_as_quick_as_ever(store: Store) -> None:
    """I14"""
    store.start_anew(workers=2, threads=4)
    catalogue = store.url + CATALOGUE
    with ThreadPoolExecutor(4) as shoppers:
        backs = list(shoppers.map(lambda number: guest_who_paid(store, f"hanging{number}"), range(RETURNS)))
    usual = [seconds_for(catalogue) for _ in range(LOOKS)]
    store.khalti.fault("hang", where="lookup", times=None, seconds=2 * DEADLINE)

    with ThreadPoolExecutor(RETURNS) as payers:
        visits = [payers.submit(told_after, back) for back in backs]
        assert store.khalti.wait_for("lookup")
        meanwhile = [seconds_for(catalogue) for _ in range(LOOKS)]
        told = [visit.result() for visit in visits]
    store.khalti.clear_faults()
    store.let_time_pass()
    store.reconcile_here()

    assert median(meanwhile) <= 2 * median(usual) + SLACK
    assert max(meanwhile) <= 2 * max(usual) + SLACK
    assert {words for words, _ in told} == {"We are confirming your payment"}
    assert max(seconds for _, seconds in told) <= DEADLINE + 1
    assert disagreements(store) == []
    assert {row["state"] for row in store.audit()["payments"]} == {"fulfilled"}


def told_after(back: str) -> tuple[str, float]:
    """What the payer reads in the end, and after how many seconds."""
    begun = time.monotonic()
    page = open_page(back)
    heading = page.text.partition("<h1>")[2].partition("</h1>")[0].strip()
    return heading, time.monotonic() - begun
