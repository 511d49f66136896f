"""A pass over a thousand payments takes little longer than Khalti itself; run alone, with ``--all``."""

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
from loyalink_khalti.flow import audit
from loyalink_khalti.khalti import close_connections
from loyalink_khalti.khalti.wire import Initiate
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from sandbox import children

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.django_db(transaction=True),
]

NUMBER, WORKERS, LATENCY = 1000, 32, 0.2
KHALTIS_TIME = NUMBER * LATENCY / WORKERS
"""seconds: 6.25"""
ALLOWED = 1.3 if connection.vendor == "sqlite" else 1.7
"""times ``KHALTIS_TIME``: PostgreSQL with 32 connections shares two cores with the simulator, and needs about 1.5"""


@pytest.fixture
def separate_khalti(shop: FakeShop, settings: Any, tmp_path: Path) -> Iterator[Any]:
    """A simulated Khalti in its own process; ``call`` uses its panel."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "loyalink_khalti.simulator",
        "--port",
        str(port),
        "--db",
        str(tmp_path / "khalti.db"),
    ]
    server = children.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_BASE_URL": f"{url}/api/v2/"}

    def call(verb: str, **fields: Any) -> None:
        answer = requests.post(f"{url}/panel/api/{verb}", json=fields, timeout=10)
        assert answer.status_code == 200, answer.text

    try:
        assert children.responds(f"{url}/healthz", server)
        yield call
    finally:
        children.stop(server)
        close_connections()


def create_pending_payments(shop: FakeShop) -> list[str]:
    """Create pending payments, as ``begin_payment`` does."""
    credentials = conf.credentials("default")
    client = conf.client_for(credentials, conf.Caller.JOB)[0]
    for number in range(NUMBER):
        cart = shop.freeze(shop.cart(f"order-{number:04}"))()
        purchase = transitions.create_purchase(cart, method=PaymentMethod.KHALTI, points_value=Paisa(0))
        payment = transitions.create_payment(purchase, credentials=credentials)
        answer = client.initiate(
            Initiate(
                return_url="https://shop.example/",
                website_url="https://shop.example/",
                amount=Paisa(payment.amount),
                purchase_order_id=payment.purchase_order_id,
                purchase_order_name=cart.name,
            )
        )
        assert transitions.mark_initiated(payment, answer)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # as autovacuum, which is off in tests, does in a shop
    return list(Payment.objects.values_list("pidx", flat=True))


def run_pass() -> tuple[float, set[str]]:
    """Return the seconds that a pass takes, and its labels."""
    started = time.perf_counter()
    labels = {result.label for result in flow.reconcile(workers=WORKERS)}
    return time.perf_counter() - started, labels


def print_figure(capsys: pytest.CaptureFixture[str], status: str, seconds: float) -> None:
    """Print the figure for docs/proof.md."""
    with capsys.disabled():
        sys.stdout.write(
            f"\n{NUMBER} {status}, {WORKERS} workers: {seconds:.2f} s = {seconds / KHALTIS_TIME:.2f} × Khalti's time\n"
        )


def test_a_thousand_pending_payments_are_looked_up_in_little_more_than_khaltis_own_time(
    shop: FakeShop, separate_khalti: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """G03"""
    create_pending_payments(shop)
    separate_khalti("fault", kind="hang", where="lookup", times=None, seconds=LATENCY)

    seconds, labels = run_pass()

    print_figure(capsys, "Initiated", seconds)
    assert labels == {"confirming"}
    assert Payment.objects.filter(last_lookup_at__lte=timezone.now()).count() == NUMBER
    assert seconds <= ALLOWED * KHALTIS_TIME


def test_a_thousand_paid_payments_all_become_orders(
    shop: FakeShop, separate_khalti: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """G03"""
    for pidx in create_pending_payments(shop):
        separate_khalti("complete", pidx=pidx)
    separate_khalti("fault", kind="hang", where="lookup", times=None, seconds=LATENCY)

    seconds, labels = run_pass()

    print_figure(capsys, "Completed", seconds)
    assert labels == {"paid"}
    assert len(shop.confirmed) == NUMBER
    assert audit()["ok"]
