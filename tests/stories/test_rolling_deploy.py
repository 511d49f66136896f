"""R9: a new version is deployed under traffic: ``migrate`` first, then new workers. No order is lost or doubled."""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection
from requests.adapters import HTTPAdapter

from loyalink_khalti.simulator import Simulator
from tests import databases, postgres
from tests.stories.browser_session import BrowserSession
from tests.stories.comparison import PAID_AT_KHALTI, disagreements
from tests.stories.ordering import order
from tests.stories.running_store import Store
from tests.stories.version_before import BASELINE, unpack

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one process write at a time"),
]

log = logging.getLogger(__name__)

CUSTOMERS = 3
"""Customers who buy at the same time."""
EACH = 6
"""Customers who come to their end in each phase of the deploy, at least."""
LONGEST_PHASE = 240.0
"""Seconds."""
ENDINGS = ("return", "close the tab", "cancel", "return", "cash")
PGOPTIONS = "-c lock_timeout=2s"
"""As docs/operations.md recommends for ``migrate``: it gives up rather than let the shop wait behind it."""


class Balancer(HTTPAdapter):
    """A load balancer in front of the workers of both versions: each request goes to any of those in ``ports``."""

    def __init__(self, public: Store) -> None:
        super().__init__(pool_maxsize=CUSTOMERS)
        self.public = public
        self.ports: list[int] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        chosen = request.copy()
        # Gunicorn closes an idle connection after two seconds, perhaps just as the next request is sent on it.
        chosen.headers.update({"Host": f"127.0.0.1:{self.public.port}", "Connection": "close"})
        port = random.choice(self.ports)
        chosen.url = str(request.url).replace(self.public.url, f"http://127.0.0.1:{port}", 1)
        answer = super().send(chosen, *args, **kwargs)
        answer.url, answer.request = str(request.url), request
        return answer


@dataclass
class Traffic:
    """Customers who buy until they are stopped, and what their browsers saw."""

    balancer: Balancer
    phase: str = "before"
    finished: Counter[str] = field(default_factory=Counter)
    """How many customers came to their end in each phase."""
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How many answers there were in each phase, by status."""
    slowest: dict[str, float] = field(default_factory=dict)
    """Seconds, by phase."""
    errors: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def seen(self, answer: Any, **_options: Any) -> None:
        self.answers[self.phase, answer.status_code] += 1
        self.slowest[self.phase] = max(answer.elapsed.total_seconds(), self.slowest.get(self.phase, 0))
        if answer.status_code >= 500:
            self.errors.append(f"{self.phase}: {answer.status_code} at {answer.request.method} {answer.url}")

    def buy(self, customer: int) -> None:
        number = 0
        while not self.stopped.is_set():
            number += 1
            browser = self.balancer.public.browser()
            browser.session.mount(self.balancer.public.url, self.balancer)
            browser.session.hooks["response"].append(self.seen)
            try:
                buy(browser, f"c{customer}.{number}@example.com", ENDINGS[(customer + number) % len(ENDINGS)])
            except Exception as exc:  # noqa: BLE001 - a page that this browser did not expect; the others go on
                self.errors.append(f"{self.phase}: {type(exc).__name__} {exc}"[:300])
            self.finished[self.phase] += 1

    def go_on(self, phase: str, customers: int) -> None:
        """Begin a phase, and wait until so many customers have come to their end in it."""
        self.phase = phase
        end = time.monotonic() + LONGEST_PHASE
        while self.finished[phase] < customers and time.monotonic() < end:
            time.sleep(0.1)
        assert self.finished[phase] >= customers, self.errors

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.buy, args=(number,)) for number in range(CUSTOMERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()


def buy(browser: BrowserSession, email: str, ending: str) -> None:
    page = order(browser, "cod" if ending == "cash" else "khalti", email=email)
    if ending == "cash":
        assert page.url.endswith("/thank-you/"), page.url
    elif ending == "cancel":
        browser.pay(page.url, action="cancel")
    else:
        browser.pay(page.url, follow=ending == "return")


@pytest.fixture
def baseline_database() -> Iterator[None]:
    """An empty shop's database, with the migrations of other packages only, in a server of its own."""
    before = {name: connection.settings_dict[name] for name in ("NAME", "HOST")}
    server = postgres.running_cluster
    try:
        with databases.engine().copy(databases.foreign_template()):
            yield
    finally:
        postgres.running_cluster = server
        databases.point_at(**before)


@dataclass(frozen=True, slots=True)
class Shop:
    """The store as customers see it, at one address, and its servers in both versions."""

    public: Store
    old: Store
    new: Store


@pytest.fixture
def shop(baseline_database: None, django_db_blocker: Any, demo_store: Path, tmp_path: Path) -> Iterator[Shop]:
    """The store in the version before, on the schema of the version before; the new one is not started yet."""
    with django_db_blocker.unblock(), Simulator() as khalti:
        public, before = Store(khalti, tmp_path), unpack(BASELINE, tmp_path)
        shop = Shop(public=public, old=Store(khalti, tmp_path, code=before), new=Store(khalti, tmp_path))
        for store in (shop.old, shop.new):
            store.variables = {"SITE_URL": public.url}
        for command in ("migrate", "load_demo"):
            done = shop.old.manage(command, "-v0")
            assert done.returncode == 0, done.stderr
        with connection.cursor() as cursor:
            cursor.execute("UPDATE partner_stockrecord SET num_in_stock = 100000")
        connection.close()
        shop.old.start(workers=1, threads=4)
        try:
            yield shop
        finally:
            shop.old.stop()
            shop.new.stop()


def migrate(store: Store) -> list[float]:
    """Migrate, again where a lock was not free; return the seconds of each try."""
    tries: list[float] = []
    variables, store.variables = store.variables, store.variables | {"PGOPTIONS": PGOPTIONS}
    while True:
        began = time.monotonic()
        done = store.manage("migrate", "-v0")
        tries.append(time.monotonic() - began)
        if not done.returncode:
            store.variables = variables
            return tries
        assert "lock timeout" in done.stderr or "deadlock" in done.stderr, done.stderr
        assert len(tries) < 10, done.stderr


def test_a_deploy_under_traffic_loses_and_doubles_no_order_and_shows_no_error(shop: Shop) -> None:
    """R9: migrate, then servers of the new version beside the old ones, then without them."""
    balancer = Balancer(shop.public)
    traffic = Traffic(balancer)
    balancer.ports = [shop.old.port]
    with traffic.running():
        traffic.go_on("before", EACH)
        traffic.phase = "migrating"
        tries = migrate(shop.new)
        traffic.go_on("old servers, new schema", EACH)
        shop.new.start(workers=1, threads=4)
        balancer.ports = [shop.old.port, shop.new.port]
        traffic.go_on("both", 2 * EACH)
        balancer.ports = [shop.new.port]
        traffic.go_on("new servers", EACH)
    shop.new.reconcile()

    figures = {"customers": traffic.finished, "slowest": traffic.slowest, "migrate": tries, "seen": traffic.answers}
    log.info("%s", figures)
    assert traffic.errors == []
    report = shop.new.audit_command()
    assert report["violations"] == []
    assert [payment for payment in report["payments"] if payment["flags"]] == []
    paid = [payment for payment in shop.new.khalti.payments() if payment.state in PAID_AT_KHALTI]
    bought = [payment for payment in report["payments"] if payment["state"] == "fulfilled"]
    assert len(paid) == len(bought) > EACH
    assert disagreements(shop.new) == []
