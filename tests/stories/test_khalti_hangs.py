"""Khalti stops answering while many customers return: the rest of the shop stays fast.

Fast as it is beside: each page is asked of the server whose customers wait, and just after of a second server of the
same store, where nobody waits. What else this machine does slows both.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

from tests.stories.comparison import disagreements
from tests.stories.ordering import JOURNAL, at_khalti, guest_who_paid, order
from tests.stories.running_store import Store, open_page

pytestmark = [
    pytest.mark.sampled,
    pytest.mark.timeout(400),
]  # the server's threads are the limit here, with either database

SERVER = {"workers": 1, "threads": 4}
RETURNS = 8
SAMPLES = 12
DEADLINE = 10  # seconds, as the settings have it
SLACK = 0.3  # seconds
CATALOGUE = "/shop/catalogue/"


@pytest.fixture
def beside(store: Store) -> Iterator[Store]:
    """A second server of the store."""
    second = Store(store.khalti, store.folder)
    second.start(**SERVER)
    yield second
    second.stop()


def seconds_for(url: str) -> float:
    started = time.monotonic()
    assert open_page(url).status_code == 200
    return time.monotonic() - started


def in_turn(busy: Store, idle: Store, paths: Sequence[str]) -> tuple[list[float], list[float]]:
    """Return the seconds for each page, of the server where customers wait and of that where none does."""
    pairs = [(seconds_for(busy.url + path), seconds_for(idle.url + path)) for path in paths]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def test_while_many_returns_wait_for_khalti_the_catalogue_stays_fast(store: Store, beside: Store) -> None:
    """I14"""
    store.restart(**SERVER)
    of_others = {row["pidx"] for row in store.audit()["payments"]}
    with ThreadPoolExecutor(4) as customers:
        backs = list(customers.map(lambda number: guest_who_paid(store, f"hanging{number}"), range(RETURNS)))
    in_turn(store, beside, [CATALOGUE] * 2)  # both have compiled their templates
    store.khalti.fault("hang", where="lookup", times=None, seconds=2 * DEADLINE)

    with ThreadPoolExecutor(RETURNS) as returning:
        visits = [returning.submit(heading_after, back) for back in backs]
        assert store.khalti.wait_for("lookup")
        meanwhile, usual = in_turn(store, beside, [CATALOGUE] * SAMPLES)
        results = [visit.result() for visit in visits]
    store.khalti.clear_faults()
    store.let_time_pass()
    store.reconcile_here()

    assert median(meanwhile) <= 2 * median(usual) + SLACK
    assert max(meanwhile) <= 2 * max(usual) + SLACK
    assert {heading for heading, _ in results} == {"We are confirming your payment"}
    assert max(seconds for _, seconds in results) <= DEADLINE + 1
    assert disagreements(store) == []
    payments = [row for row in store.audit()["payments"] if row["pidx"] not in of_others]
    assert ({row["state"] for row in payments}, len(payments)) == ({"fulfilled"}, RETURNS)


def test_while_customers_click_cancel_and_place_order_and_khalti_hangs_the_other_pages_stay_fast(
    store: Store, beside: Store
) -> None:
    """D2, D3: 1 worker with 4 threads; no thread waits for another request's call."""
    store.restart(workers=1, threads=4)
    clickers = [store.browser() for _clicker in range(3)]
    pending = [at_khalti(order(each, email=f"clicks{n}@example.com")) for n, each in enumerate(clickers)]
    joiner = store.browser()
    joiner.add(JOURNAL)
    preview = joiner.choose(joiner.check_out(email="joins@example.com"), "khalti")
    paths = ["/healthz", CATALOGUE]
    in_turn(store, beside, paths)
    store.khalti.fault("hang", where="all", times=None, seconds=2 * DEADLINE)
    until = time.monotonic() + DEADLINE

    def cancel(number: int) -> None:
        session, url = clickers[number].session, f"{store.url}/khalti/cancel/{pending[number].token}/"
        csrf = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
        while time.monotonic() < until:
            answer = session.post(url, data=csrf, headers={"Referer": url}, allow_redirects=False, timeout=60)
            assert answer.status_code == 302

    def place(_click: int) -> None:
        while time.monotonic() < until:
            joiner.submit(preview, action="place_order", follow=False)

    with ThreadPoolExecutor(len(clickers) + 2) as clicking:
        clicks = [clicking.submit(cancel, number) for number in range(len(clickers))]
        clicks += [clicking.submit(place, number) for number in range(2)]
        assert store.khalti.wait_for("initiate")
        meanwhile, usual = in_turn(store, beside, paths * SAMPLES)
        for click in clicks:
            click.result()
    store.khalti.clear_faults()

    assert median(meanwhile) <= 5 * median(usual) + SLACK  # five customers click without a pause beside it
    assert max(meanwhile) <= 2 + 5 * max(usual)  # and not until Khalti's answer is given up


def heading_after(back: str) -> tuple[str, float]:
    """Return the heading that the customer sees, and after how many seconds."""
    started = time.monotonic()
    page = open_page(back)
    heading = page.text.partition("<h1>")[2].partition("</h1>")[0].strip()
    return heading, time.monotonic() - started
