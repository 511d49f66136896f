"""One shop on two machines: gunicorn on one, uvicorn on the other, one PostgreSQL behind PgBouncer, nginx in front."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests
from django.db import connection

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Flag, Payment
from tests import pgbouncer
from tests.stories import nginx
from tests.stories.browser_session import BrowserSession
from tests.stories.comparison import disagreements
from tests.stories.machines import ROUTER, machines, may_have_namespaces
from tests.stories.ordering import at_khalti, order
from tests.stories.running_store import UVICORN, Store

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="an SQLite file is of one machine"),
    pytest.mark.skipif(not pgbouncer.PROGRAM, reason=pgbouncer.MISSING),
    pytest.mark.skipif(not nginx.PROGRAM, reason=nginx.MISSING),
]

BROWSERS = 50
POOL_PORT = 8133


@dataclass
class Shop:
    """The machines behind nginx."""

    stores: list[Store]
    front: nginx.Nginx

    @property
    def khalti_and_books(self) -> Store:
        return self.stores[0]

    def browser(self, email: str = "") -> BrowserSession:
        session = self.front.browser()
        return session.log_in(email) if email else session


@pytest.fixture(scope="module")
def shop(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    store.stop()
    other = Store(store.khalti, store.folder)
    other.server = UVICORN
    has_own_network = may_have_namespaces()
    port = int(store.khalti.base_url.split(":")[2].split("/")[0])
    with ExitStack() as stack:
        made = stack.enter_context(machines(2, reachable=port))
        address = ROUTER if has_own_network else "127.0.0.1"
        pool = stack.enter_context(pgbouncer.running(port=POOL_PORT, address=address, size=10))
        for each, machine in zip((store, other), made, strict=True):
            each.address, each.machine = machine.address, machine.command
            each.url = f"http://{machine.address}:{each.port}"
        front = nginx.Nginx([store, other], tmp_path_factory.mktemp("nginx"))
        shared = {"DATABASE_URL": pool.url(address), "DATABASE_POOLED": "1", "SITE_URL": front.url}
        for each in (store, other):
            stack.callback(each.stop)
            each.restart(workers=2, threads=4, **shared, ALLOWED_HOSTS=each.address, STORY_CONCURRENT_CALLS="8")
        front.start()
        stack.callback(front.stop)
        yield Shop([store, other], front)


@pytest.fixture(autouse=True)
def _no_warnings_about_the_certificate() -> None:
    requests.packages.urllib3.disable_warnings()  # type: ignore[attr-defined]


def test_fifty_returns_at_once_over_two_machines_make_one_order_one_award_and_one_mail(shop: Shop) -> None:
    """A02"""
    books = shop.khalti_and_books
    sita = shop.browser("sita@example.com")
    before = books.points("sita@example.com")
    page = order(sita, points="100")
    payment, back = at_khalti(page), sita.pay(page.url, follow=False).url

    def open_page(_browser: int) -> requests.Response:
        return requests.get(back, verify=False, timeout=60)

    with ThreadPoolExecutor(BROWSERS) as pool:
        pages = list(pool.map(open_page, range(BROWSERS)))

    assert {page.status_code for page in pages} == {200}
    served = {each.headers["X-Machine"] for page in pages for each in (page, *page.history)}
    assert len(served) == 2
    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert books.khalti.count("lookup", payment.pidx) <= 3
    assert books.points("sita@example.com") == before - 100 + payment.purchase.earned
    assert books.wait_for_mails("sita@example.com", 1) == 1
    assert disagreements(books) == []


def test_twenty_clicks_on_pay_over_two_machines_begin_one_payment(shop: Shop) -> None:
    """A20"""
    guest = shop.browser()
    guest.add("Lokta paper journal")
    preview = guest.choose(guest.check_out(email="clicks@example.com"), "khalti")
    before = Payment.objects.count()

    with ThreadPoolExecutor(20) as pool:
        clicks = list(pool.map(lambda _: guest.place_order(preview), range(20)))

    assert {click.status for click in clicks} == {302}
    assert len({click.url for click in clicks if "pidx=" in click.url}) == 1
    assert Payment.objects.count() == before + 1


def test_of_two_opposite_answers_of_staff_on_two_machines_one_counts(shop: Shop) -> None:
    """N34"""
    books = shop.khalti_and_books
    guest = shop.browser()
    page = order(guest, email="opposite@example.com")
    payment = at_khalti(page)
    with books.in_this_process():
        flow.cancel_payment(payment, customer_present=False)
    guest.pay(page.url)  # after all
    flag = Flag.objects.get(payment=payment, resolved_at=None)
    refunds = books.khalti.count("refund")

    def answer(store: Store, resolution: str) -> int:
        by = ("--actor", "editor@example.com", "--reason", "by phone")
        return store.manage("khalti_flags", str(flag.pk), resolution, *by).returncode

    with ThreadPoolExecutor(2) as staff:
        codes = list(staff.map(answer, shop.stores, ["refund", "place_order"]))

    payment.refresh_from_db()
    assert min(codes) == 0
    assert (payment.state, books.khalti.count("refund") - refunds) in {("refunded", 1), ("fulfilled", 0)}
    assert disagreements(books) == []
