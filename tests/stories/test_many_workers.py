"""Many visits to a payment's return page at once, over four processes, and while those processes come and go."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.stories.agreeing import disagreements
from tests.stories.buying import at_khalti, order
from tests.stories.running import Store, open_page

pytestmark = [pytest.mark.money, pytest.mark.timeout(240)]

CROWD = 50


@pytest.fixture(scope="module")
def crowded(store: Store) -> Store:
    store.start_anew(workers=4, threads=4)
    return store


def test_fifty_returns_at_once_over_four_processes_give_one_order_one_award_and_one_mail(crowded: Store) -> None:
    """A02"""
    sita = crowded.shopper("sita@example.com")
    page = order(sita, points="100")
    payment, back = at_khalti(page), sita.pay(page.url, follow=False).url
    before = crowded.points("sita@example.com")

    with ThreadPoolExecutor(CROWD) as crowd:
        pages = list(crowd.map(open_page, [back] * CROWD))

    assert {page.status_code for page in pages} == {200}
    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert crowded.khalti.count("lookup", payment.pidx) <= 3
    assert crowded.points("sita@example.com") == before + payment.amount // 1000  # a point for each Rs 10
    assert crowded.wait_for_mails("sita@example.com", 1) == 1
    assert disagreements(crowded) == []


def reload(store: Store) -> None:
    """SIGHUP: gunicorn starts new workers and asks the old ones to finish what they are at."""
    store.reload()


def end_the_workers(store: Store) -> None:
    """SIGTERM, as an init system would send it to a worker; gunicorn starts others."""
    for worker in store.workers():
        worker.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("restart", [reload, end_the_workers])
def test_a_return_while_the_workers_restart_is_served_or_can_be_tried_again(
    crowded: Store, restart: Callable[[Store], None]
) -> None:
    """A21"""
    guest = crowded.shopper()
    page = order(guest, email=f"{restart.__name__}@example.com")
    payment, back = at_khalti(page), guest.pay(page.url, follow=False).url
    old = crowded.workers()
    crowded.khalti.fault("hang", where="lookup", seconds=1, pidx=payment.pidx)

    with ThreadPoolExecutor(1) as browser:
        visit = browser.submit(open_page, back)
        assert crowded.khalti.wait_for("lookup", payment.pidx)
        restart(crowded)
        try:
            served = visit.result().status_code
        except requests.ConnectionError:
            served = open_page(back).status_code
    for worker in old:
        worker.wait(30)
    crowded.reconcile_here()

    assert served == 200
    assert open_page(back).status_code == 200
    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert crowded.wait_for_mails(f"{restart.__name__}@example.com", 1) == 1
    assert disagreements(crowded) == []
