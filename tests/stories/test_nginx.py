"""The example of docs/production, with the real nginx in front of gunicorn (D5)."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests
from django.db import close_old_connections

from loyalink_khalti.payments.models import Purchase
from tests.stories.endless import ENDLESS, processor_seconds, send_endless_line
from tests.stories.nginx import MISSING, PRODUCTION, PROGRAM, Nginx
from tests.stories.ordering import order
from tests.stories.running_store import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not PROGRAM, reason=MISSING),
]

SLOW_CLIENTS = 40


@pytest.fixture(scope="module")
def nginx(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    nginx = Nginx([store], tmp_path_factory.mktemp("nginx"))
    store.restart(
        workers=1,
        threads=4,
        TRUSTED_PROXIES="1",
        SITE_URL=nginx.url,
        GUNICORN_CMD_ARGS=f"--config {PRODUCTION / 'gunicorn.conf.py'}",
    )
    nginx.start()
    yield nginx
    nginx.stop()


@pytest.fixture(autouse=True)
def _no_warnings_about_the_certificate() -> None:
    requests.packages.urllib3.disable_warnings()  # type: ignore[attr-defined]


def last_network() -> str:
    close_old_connections()
    return Purchase.objects.latest("pk").network


def test_a_purchase_behind_nginx_ends_on_the_thank_you_page_and_no_log_has_the_query(
    store: Store, nginx: Nginx
) -> None:
    """D5"""
    guest = nginx.browser()
    back = guest.pay(order(guest, email="behind@example.com").url, follow=False).url
    assert back.startswith(nginx.url)

    page = guest.open(back + "&mobile=98XXXXX007&purchase_order_name=" + "%E0%A4%B8" * 700)

    assert (page.status, "Thank" in page.visible_text) == (200, True)
    for log in (nginx.log(), store.log()):
        assert "/khalti/return/" in log
        assert "98XXXXX007" not in log


def test_an_address_that_the_client_writes_is_replaced(store: Store, nginx: Nginx) -> None:
    """D1: one client on many pretended networks is one."""
    networks = set()
    for number in range(2):
        guest = nginx.browser()
        guest.session.headers["X-Forwarded-For"] = f"203.0.{number}.7, 198.51.{number}.7"
        order(guest, "cod", email=f"pretends{number}@example.com")
        networks.add(last_network())

    assert len(networks) == 1
    assert networks != {""}


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /shop/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /shop/basket/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\nabc",
    ],
    ids=["header", "body"],
)
def test_clients_that_never_finish_their_request_hold_no_thread_of_the_shop(nginx: Nginx, sent: bytes) -> None:
    """D5: Ten times as many as gunicorn has threads."""
    with ExitStack() as stack:
        for _client in range(SLOW_CLIENTS):
            stack.enter_context(nginx.connect()).sendall(sent)
        started = time.monotonic()
        answer = requests.get(f"{nginx.url}/healthz", verify=False, timeout=30)

    assert answer.status_code == 200
    assert time.monotonic() - started < 2


def test_an_endless_request_line_is_refused_by_both_at_little_cost(store: Store, nginx: Nginx) -> None:
    """D5"""
    before = processor_seconds(store)
    with nginx.connect() as client:
        client.sendall(b"GET /" + b"a" * 20_000)
        refused = client.recv(100)

    assert b" 414 " in refused
    assert send_endless_line(store.port) < ENDLESS
    assert processor_seconds(store) - before < 1


def test_more_orders_at_once_than_one_network_may_place_are_answered_with_429(store: Store, nginx: Nginx) -> None:
    """D5"""

    def place(_click: int) -> int:
        url = f"{nginx.url}/shop/checkout/preview/"
        return requests.post(url, data={"action": "place_order"}, verify=False, timeout=60).status_code

    with ThreadPoolExecutor(20) as clicks:
        statuses = list(clicks.map(place, range(80)))
    page = requests.get(f"{nginx.url}/shop/catalogue/", verify=False, timeout=60)

    assert statuses.count(429) >= 20
    assert page.status_code == 200
