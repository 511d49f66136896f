"""The store under ASGI: uvicorn alone, and as gunicorn's worker."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from urllib.parse import urlsplit

import pytest
from django.db import connection

from loyalink_khalti.payments.models import Payment
from tests.stories.comparison import disagreements
from tests.stories.ordering import at_khalti, guest_who_paid, order
from tests.stories.running_store import UVICORN, UVICORN_WORKER, Store, open_page

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not find_spec("uvicorn_worker"), reason="pip install uvicorn uvicorn-worker"),
]

CALLS = {"STORY_CONCURRENT_CALLS": "16"}
"""Each request has a thread, so that a process may make more calls at once than one of gunicorn's with a few."""


@pytest.fixture(scope="module", params=[UVICORN, UVICORN_WORKER], ids=["uvicorn", "gunicorn"])
def served(store: Store, request: pytest.FixtureRequest) -> Iterator[Store]:
    store.server = request.param
    store.restart(workers=2, threads=1, **CALLS)
    yield store
    assert "Traceback" not in store.log()
    assert "asynchronous" not in store.log()


def server_connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_fifty_returns_at_once_under_asgi_make_one_order_one_award_and_one_mail(served: Store) -> None:
    """N35"""
    email = f"{served.server[0]}@example.com"
    guest = served.browser()
    page = order(guest, email=email)
    payment, back = at_khalti(page), guest.pay(page.url, follow=False).url

    with ThreadPoolExecutor(50) as browsers:
        pages = list(browsers.map(open_page, [back] * 50))

    assert {page.status_code for page in pages} == {200}
    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert served.khalti.count("lookup", payment.pidx) <= 3
    assert served.wait_for_mails(email, 1) == 1
    assert disagreements(served) == []


def test_a_member_buys_with_points_and_staff_export_the_payments_under_asgi(served: Store) -> None:
    """N35"""
    sita, editor = served.browser("sita@example.com"), served.browser("editor@example.com")
    before = served.points("sita@example.com")

    page = order(sita, points="100")
    payment = at_khalti(page)
    thanks = sita.pay(page.url)
    export = editor.open("/admin/khalti/payments/?export=csv")

    assert thanks.url.endswith("/thank-you/")
    payment.refresh_from_db()
    assert served.points("sita@example.com") == before - 100 + payment.purchase.earned
    assert payment.transaction_id is not None
    assert payment.transaction_id in export.text
    if connection.vendor == "postgresql":
        assert server_connections() < 10  # each request's connection has ended with its thread


def wait_until_settled(back: str) -> None:
    payment = Payment.objects.get(token=back.partition("?")[0].rstrip("/").rpartition("/")[2])
    until = time.monotonic() + 30
    while payment.state != "fulfilled" and time.monotonic() < until:
        time.sleep(0.1)
        payment.refresh_from_db()
    assert payment.state == "fulfilled"


def test_a_browser_that_leaves_before_its_page_is_ready_has_its_order_and_one_mail(served: Store) -> None:
    """N35: It never sees the thank-you page, so that the next pass sends the mail."""
    name = f"leaves-{served.server[0]}"
    back = guest_who_paid(served, name)
    served.khalti.fault("hang", where="lookup", seconds=2)
    lookups = served.khalti.count("lookup")
    address = urlsplit(back)

    with socket.create_connection((str(address.hostname), address.port or 80)) as browser:
        browser.sendall(f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        assert served.khalti.wait_for("lookup", times=lookups + 1)
    wait_until_settled(back)
    served.let_time_pass()
    served.reconcile_here()

    assert served.mails_to(f"{name}@example.com") == 1
    assert disagreements(served) == []


def test_no_log_of_the_server_has_the_query_of_a_return(served: Store) -> None:
    """N35"""
    back = guest_who_paid(served, f"logged-{served.server[0]}")

    open_page(f"{back}&mobile=98XXXXX007")
    time.sleep(0.2)

    assert "98XXXXX007" not in served.log()
