"""Khalti is silent for a quarter of an hour while a thousand payments wait, and a real loop runs; with ``--all``.

R1. Three hours and a day, in simulated time: ``tests/flow/operations/test_outage.py``.
"""

import itertools
import re
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import close_old_connections, connection
from django.db.models import DateTimeField, F

from loyalink_khalti import conf, flow
from loyalink_khalti.flow import audit
from loyalink_khalti.khalti.wire import Initiate
from loyalink_khalti.money import Paisa
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.servers import KhaltiServer
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from sandbox import children
from tests.purchases import KEY
from tests.stories.running_store import ROOT, Store

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="a loop of its own on a real server"),
]

NUMBER, PER_SECOND = 1000, 20
SAMPLE = 0.05
"""seconds between two readings of how many lookups have come"""
WITHIN = 600
"""seconds after Khalti's return"""


class Lookups:
    """Counts the lookups that reach the simulator in every second."""

    def __init__(self, khalti: Simulator) -> None:
        self._khalti = khalti
        self._over = threading.Event()
        self._read: list[tuple[float, int]] = []
        self._thread = threading.Thread(target=self._sample, name="lookups")

    def __enter__(self) -> "Lookups":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE):
            self._read.append((time.monotonic(), self._khalti.count("lookup")))

    @property
    def most_in_a_second(self) -> int:
        """The most in any second, up to ``SAMPLE`` too many."""
        most, start = 0, 0
        for end, (at, number) in enumerate(self._read):
            while self._read[start][0] < at - 1:
                start += 1
            most = max(most, number - self._read[start][1]) if end else most
        return most


@pytest.fixture
def loop(shop: FakeShop, simulator: Simulator, tmp_path: Path) -> Iterator[Path]:
    """A ``khalti_reconcile --loop`` in a process of its own, with its usual pause; its output is in the file."""
    environment = Store(simulator, tmp_path).environment | {
        "STORY_SHOP": "fake",
        "STORY_LOOKUPS_PER_SECOND": str(PER_SECOND),
        "KHALTI_SECRET_KEY": KEY,
    }
    output = tmp_path / "loop.log"
    with output.open("ab") as log:
        process = children.start(
            [sys.executable, "-m", "sandbox.manage", "khalti_reconcile", "--loop"],
            cwd=ROOT, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield output
        assert process.poll() is None, output.read_text()
    finally:
        children.stop(process)


@pytest.fixture
def paid(shop: FakeShop, simulator: Simulator) -> None:
    """A thousand customers have paid and closed the tab, and Khalti answers no lookup from now on."""
    credentials = conf.credentials("default")
    client = conf.client_for(credentials, conf.Caller.JOB)[0]
    for number in range(NUMBER):
        cart = shop.freeze(shop.cart(f"order-{number:04}"))()
        purchase = transitions.create_purchase(cart, method=PaymentMethod.KHALTI, points_value=Paisa(0))
        payment = transitions.create_payment(purchase, credentials=credentials)
        answer = client.initiate(
            Initiate(
                return_url="https://shop.example/", website_url="https://shop.example/", amount=Paisa(payment.amount),
                purchase_order_id=payment.purchase_order_id, purchase_order_name=cart.name,
            )
        )  # fmt: skip
        assert transitions.mark_initiated(payment, answer)
        simulator.complete(answer.pidx)
    older(timedelta(minutes=5))
    simulator.fault("hang", where="lookup", times=None, seconds=60)


def older(by: timedelta) -> None:
    """Make all payments, messages and the record of Khalti's servers older."""
    close_old_connections()
    for model in (Purchase, Payment, KhaltiServer, Message):
        times = [field.name for field in model._meta.fields if isinstance(field, DateTimeField)]
        model.objects.update(**{name: F(name) - by for name in times})


def wait_for(what: Any, *, seconds: float) -> float:
    """Return the seconds until ``what()`` is true."""
    started = time.monotonic()
    while not what():
        assert time.monotonic() < started + seconds, "it did not happen in time"
        time.sleep(0.2)
        close_old_connections()
    return time.monotonic() - started


def mails(folder: Path) -> list[str]:
    """The subjects of the mails to staff."""
    texts = [path.read_text() for path in sorted((folder / "mail").glob("*"))]
    found = [re.findall(r"^Subject: (.*)$", text, re.MULTILINE) for text in texts]
    return [re.sub(r"\d\d:\d\d", "…", subject) for subject in itertools.chain(*found)]


def test_a_thousand_payments_settle_within_ten_minutes_of_khaltis_return_and_staff_get_two_mails(
    paid: None, loop: Path, simulator: Simulator, shop: FakeShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """R1: fifteen minutes of silence, of which ten pass at once."""
    with Lookups(simulator) as lookups:
        wait_for(lambda: flow.health().outages, seconds=60)
        older(timedelta(minutes=10))
        wait_for(lambda: mails(tmp_path), seconds=120)
        in_outage = simulator.count("lookup")
        time.sleep(60)  # two more passes
        of_two_passes = simulator.count("lookup") - in_outage
        failures = set(Payment.objects.values_list("poll_failures", flat=True))

        simulator.clear_faults()
        seconds = wait_for(lambda: Payment.objects.filter(state="fulfilled").count() == NUMBER, seconds=WITHIN)
        wait_for(lambda: len(mails(tmp_path)) == 2, seconds=30)

    with capsys.disabled():
        sys.stdout.write(
            f"\n{NUMBER} payments, real loop: all settled {seconds:.0f} s after Khalti's return, at most"
            f" {lookups.most_in_a_second} lookups in a second; {in_outage} lookups until the first mail,"
            f" {of_two_passes} in another minute of the outage\n"
        )
    assert mails(tmp_path) == ["Khalti has not answered since …", "Khalti answers again"]
    assert failures == {0}
    assert of_two_passes <= 3
    assert lookups.most_in_a_second <= PER_SECOND + 1  # of the second sample
    assert audit()["ok"]
