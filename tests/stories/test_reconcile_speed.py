"""A pass over a thousand payments takes little longer than Khalti itself; run alone, with ``--all``."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.utils import timezone

from loyalink_khalti import conf, flow
from loyalink_khalti.flow import audit
from loyalink_khalti.khalti import close_connections
from loyalink_khalti.khalti.wire import Initiate
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import job_runs, transitions
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from sandbox import children
from tests.purchases import KEY
from tests.stories.running_store import ROOT, database_url

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.django_db(transaction=True),
]

NUMBER, WORKERS, LATENCY = 1000, 32, 0.2
KHALTIS_TIME = NUMBER * LATENCY / WORKERS
"""seconds: 6.25"""
PROCESSES = 1 if connection.vendor == "sqlite" else 2
ALLOWED = 1.7
"""times ``KHALTIS_TIME``, with the simulator and the database on the same two cores"""


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


def run_pass(database: Path) -> job_runs.RunFigures:
    """Run the command as a shop does, in processes of its own, and return the figures that it has kept."""
    environment = {
        "KHALTI_BASE_URL": settings.LOYALINK_KHALTI["KHALTI_BASE_URL"], "KHALTI_SECRET_KEY": KEY, "STORY_SHOP": "fake",
        "DJANGO_SETTINGS_MODULE": "tests.stories.settings", "DATABASE_URL": database_url(),
        "SANDBOX_VAR": str(database), "STORY_LOOKUPS_PER_SECOND": "1000",
    }  # fmt: skip
    options = [f"--processes={PROCESSES}", f"--workers={WORKERS // PROCESSES}"]
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.manage", "khalti_reconcile", *options],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = flow.health().last_pass
    assert figures is not None
    return figures


def print_figure(capsys: pytest.CaptureFixture[str], status: str, figures: job_runs.RunFigures) -> None:
    """Print the figure for docs/proof.md."""
    with capsys.disabled():
        sys.stdout.write(
            f"\n{NUMBER} {status}, {figures.processes} × {figures.workers} workers: {figures.seconds:.2f} s ="
            f" {KHALTIS_TIME / figures.seconds:.2f} of what Khalti's latency allows\n"
        )


def test_a_thousand_pending_payments_are_looked_up_in_little_more_than_khaltis_own_time(
    shop: FakeShop, separate_khalti: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """G03"""
    create_pending_payments(shop)
    separate_khalti("fault", kind="hang", where="lookup", times=None, seconds=LATENCY)

    figures = run_pass(tmp_path)

    print_figure(capsys, "Initiated", figures)
    assert figures.labels == {"confirming": NUMBER}
    assert Payment.objects.filter(last_lookup_at__lte=timezone.now()).count() == NUMBER
    assert figures.seconds <= ALLOWED * KHALTIS_TIME


def test_a_thousand_paid_payments_all_become_orders(
    shop: FakeShop, separate_khalti: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """G03"""
    for pidx in create_pending_payments(shop):
        separate_khalti("complete", pidx=pidx)
    separate_khalti("fault", kind="hang", where="lookup", times=None, seconds=LATENCY)

    figures = run_pass(tmp_path)

    print_figure(capsys, "Completed", figures)
    assert figures.labels == {"paid": NUMBER}
    assert len(shop.confirmed) == NUMBER
    assert audit()["ok"]
