"""Many concurrent returns over four processes, and returns while those processes restart."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.stories.comparison import disagreements
from tests.stories.ordering import at_khalti, order
from tests.stories.running_store import Store, open_page

pytestmark = [pytest.mark.money, pytest.mark.sampled, pytest.mark.timeout(240)]

SERVER = {"workers": 4, "threads": 4}
BROWSERS = 50


def test_fifty_concurrent_returns_over_four_processes_make_one_order_one_award_and_one_mail(store: Store) -> None:
    """A02"""
    sita = store.browser("sita@example.com")
    page = order(sita, points="100")
    payment, back = at_khalti(page), sita.pay(page.url, follow=False).url
    before = store.points("sita@example.com")

    with ThreadPoolExecutor(BROWSERS) as pool:
        pages = list(pool.map(open_page, [back] * BROWSERS))

    assert {page.status_code for page in pages} == {200}
    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert store.khalti.count("lookup", payment.pidx) <= 3
    assert store.points("sita@example.com") == before + payment.amount // 1000  # a point for each Rs 10
    assert store.wait_for_mails("sita@example.com", 1) == 1
    assert disagreements(store) == []


def reload(store: Store) -> None:
    """SIGHUP: gunicorn starts new workers and lets the old ones finish their requests."""
    store.reload()


def end_the_workers(store: Store) -> None:
    """SIGTERM, as an init system would send it to a worker; gunicorn starts others."""
    for worker in store.workers():
        worker.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("restart", [reload, end_the_workers])
def test_a_return_while_the_workers_restart_is_served_or_can_be_tried_again(
    store: Store, restart: Callable[[Store], None]
) -> None:
    """A21"""
    guest = store.browser()
    page = order(guest, email=f"{restart.__name__}@example.com")
    payment, back = at_khalti(page), guest.pay(page.url, follow=False).url
    old = store.workers()
    store.khalti.fault("hang", where="lookup", seconds=1, pidx=payment.pidx)

    with ThreadPoolExecutor(1) as browser:
        visit = browser.submit(open_page, back)
        assert store.khalti.wait_for("lookup", payment.pidx)
        restart(store)
        try:
            served = visit.result().status_code
        except requests.ConnectionError:
            served = open_page(back).status_code
    for worker in old:
        worker.wait(30)
    store.reconcile_here()

    assert served == 200
    assert open_page(back).status_code == 200
    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert store.wait_for_mails(f"{restart.__name__}@example.com", 1) == 1
    assert disagreements(store) == []
