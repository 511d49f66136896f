"""A pass over a thousand payments takes little longer than Khalti does; run alone, with ``--all``."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection
from django.utils import timezone

from loyalink_khalti import conf, flow
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.khalti import hang_up
from loyalink_khalti.khalti.wire import Initiate
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import services
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Method
from loyalink_khalti.testing import FakeShop
from sandbox import children

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.django_db(transaction=True),
]

NUMBER, WORKERS, LATENCY = 1000, 32, 0.2
LEAST = NUMBER * LATENCY / WORKERS
"""seconds: 6.25"""
ALLOWED = 1.3 if connection.vendor == "sqlite" else 1.7
"""times ``LEAST``: PostgreSQL and its 32 connections share two cores with the simulator here, and need about 1.5"""


@pytest.fixture
def far_khalti(shop: FakeShop, settings: Any, tmp_path: Path) -> Iterator[Any]:
    """A simulated Khalti in a process of its own; ``call`` does what its panel does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "loyalink_khalti.simulator", "--port", str(port), "--db", str(tmp_path / "books")]
    server = children.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_BASE_URL": f"{url}/api/v2/"}

    def call(verb: str, **fields: Any) -> None:
        answer = requests.post(f"{url}/panel/api/{verb}", json=fields, timeout=10)
        assert answer.status_code == 200, answer.text

    try:
        assert children.answers(f"{url}/healthz", server)
        yield call
    finally:
        children.stop(server)
        hang_up()


def begin_many(shop: FakeShop) -> list[str]:
    """So many purchases that wait at Khalti, written as ``begin`` writes them."""
    credentials = conf.credentials("default")
    client = conf.khalti(credentials, conf.Lane.JOB)[0]
    for number in range(NUMBER):
        cart = shop.freeze(shop.cart(f"order-{number:04}"))()
        purchase = services.open_purchase(cart, method=Method.KHALTI, worth=Paisa(0))
        payment = services.open_payment(purchase, credentials=credentials)
        answer = client.initiate(
            Initiate(
                return_url="https://shop.example/",
                website_url="https://shop.example/",
                amount=Paisa(payment.amount),
                purchase_order_id=payment.purchase_order_id,
                purchase_order_name=cart.name,
            )
        )
        assert services.initiated(payment, answer)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # as autovacuum, which is off in tests, does in a shop
    return list(Payment.objects.values_list("pidx", flat=True))


def one_pass() -> tuple[float, set[str]]:
    """How long it takes, in seconds, and what is told."""
    began = time.perf_counter()
    told = {looked.told for looked in flow.reconcile(workers=WORKERS)}
    return time.perf_counter() - began, told


def say(capsys: pytest.CaptureFixture[str], status: str, seconds: float) -> None:
    """The figure that goes into docs/proof.md."""
    with capsys.disabled():
        sys.stdout.write(f"\n{NUMBER} {status}, {WORKERS} workers: {seconds:.2f} s = {seconds / LEAST:.2f} × least\n")


def test_a_thousand_that_wait_are_asked_about_in_little_more_than_khaltis_own_time(
    shop: FakeShop, far_khalti: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """G03"""
    begin_many(shop)
    far_khalti("fault", kind="hang", where="lookup", times=None, seconds=LATENCY)

    seconds, told = one_pass()

    say(capsys, "Initiated", seconds)
    assert told == {"confirming"}
    assert Payment.objects.filter(asked_at__lte=timezone.now()).count() == NUMBER
    assert seconds <= ALLOWED * LEAST


def test_a_thousand_that_are_paid_are_all_granted(
    shop: FakeShop, far_khalti: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """G03"""
    for pidx in begin_many(shop):
        far_khalti("complete", pidx=pidx)
    far_khalti("fault", kind="hang", where="lookup", times=None, seconds=LATENCY)

    seconds, told = one_pass()

    say(capsys, "Completed", seconds)
    assert told == {"paid"}
    assert len(shop.confirmed) == NUMBER
    assert audit()["ok"]
