"""R9: a new version is deployed under traffic: ``migrate`` first, then new workers. No order is lost or doubled."""

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from loyalink_khalti.simulator import Simulator
from sandbox import children
from tests import databases, postgres
from tests.stories.browser_session import BrowserSession
from tests.stories.comparison import PAID_AT_KHALTI, disagreements
from tests.stories.ordering import order
from tests.stories.running_store import ROOT, Store
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
PHASE = 8.0
"""Seconds of traffic on each state of the deploy."""
ENDINGS = ("return", "close the tab", "cancel", "return", "cash")
PGOPTIONS = "-c lock_timeout=2s"
"""As docs/operations.md recommends for ``migrate``: it gives up rather than let the shop wait behind it."""


class DeployedStore(Store):
    """A store whose code is in the folder ``current``, a link: SIGHUP starts workers with the code that it is then."""

    @property
    def current(self) -> Path:
        return self.folder / "current"

    def release(self, code: Path) -> None:
        self.code = code
        link = self.folder / "next"
        link.symlink_to(code)
        link.rename(self.current)

    def start(self, *, workers: int = 2, threads: int = 4) -> None:
        options = ["--workers", str(workers), "--threads", str(threads), "--log-level", "warning"]
        with (self.folder / "store.log").open("ab") as log:
            self._server = children.start(
                [
                    *(sys.executable, "-m", "gunicorn", "sandbox.wsgi:application", "--no-control-socket"),
                    *("--chdir", self.current, "--config", self.current / "gunicorn.conf.py"),
                    *("--bind", f"127.0.0.1:{self.port}", *options),
                ],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        assert children.responds(f"{self.url}/healthz", self._server), self.log()


@dataclass
class Traffic:
    """Customers who buy until they are stopped, and what their browsers saw."""

    store: Store
    phase: str = "before"
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How many answers there were in each phase, by status."""
    slowest: dict[str, float] = field(default_factory=dict)
    """Seconds, by phase."""
    errors: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def seen(self, answer: Any, **_options: Any) -> None:
        if answer.url.startswith(self.store.url):
            seconds = answer.elapsed.total_seconds()
            self.answers[self.phase, answer.status_code] += 1
            self.slowest[self.phase] = max(seconds, self.slowest.get(self.phase, 0))
            if answer.status_code >= 500:
                self.errors.append(f"{self.phase}: {answer.status_code} at {answer.request.method} {answer.url}")

    def buy(self, customer: int) -> None:
        number = 0
        while not self.stopped.is_set():
            number += 1
            browser = self.store.browser()
            browser.session.hooks["response"].append(self.seen)
            try:
                buy(browser, f"c{customer}.{number}@example.com", ENDINGS[(customer + number) % len(ENDINGS)])
            except Exception as exc:  # noqa: BLE001 - a page that this browser did not expect; the others go on
                self.errors.append(f"{self.phase}: {type(exc).__name__} {exc}"[:300])

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


@pytest.fixture
def store(
    baseline_database: None, django_db_blocker: Any, demo_store: Path, tmp_path: Path
) -> Iterator[DeployedStore]:
    """The store of the version before, on the schema of the version before."""
    with django_db_blocker.unblock(), Simulator() as khalti:
        store = DeployedStore(khalti, tmp_path)
        store.release(unpack(BASELINE, tmp_path))
        for command in ("migrate", "load_demo"):
            done = store.manage(command, "-v0")
            assert done.returncode == 0, done.stderr
        with connection.cursor() as cursor:
            cursor.execute("UPDATE partner_stockrecord SET num_in_stock = 100000")
        connection.close()
        store.start()
        try:
            yield store
        finally:
            store.stop()


def migrate(store: DeployedStore, code: Path) -> list[float]:
    """Migrate with the new code while the old serves; again where a lock was not free. Return the seconds of each."""
    store.code, serving = code, store.code
    store.variables, tries = {"PGOPTIONS": PGOPTIONS}, []
    try:
        while True:
            began = time.monotonic()
            done = store.manage("migrate", "-v0")
            tries.append(time.monotonic() - began)
            if not done.returncode:
                return tries
            assert "lock timeout" in done.stderr or "deadlock" in done.stderr, done.stderr
            assert len(tries) < 10, done.stderr
    finally:
        store.code, store.variables = serving, {}


def wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_deploy_under_traffic_loses_and_doubles_no_order_and_shows_no_error(
    store: DeployedStore,
) -> None:
    """R9"""
    traffic = Traffic(store)
    old = {worker.pid for worker in store.workers()}
    with traffic.running():
        time.sleep(PHASE)
        traffic.phase = "migrating"
        tries = migrate(store, ROOT)
        traffic.phase = "old workers, new schema"
        time.sleep(PHASE)
        traffic.phase = "replacing workers"
        store.release(ROOT)
        store.reload()
        wait(lambda: not old & {worker.pid for worker in store.workers()})
        traffic.phase = "new workers"
        time.sleep(PHASE)
    store.reconcile()

    for name, value in (("answers", dict(traffic.answers)), ("slowest", traffic.slowest), ("migrate", tries)):
        log.info("%s: %s", name, value)
    assert traffic.errors == []
    assert {phase for phase, _status in traffic.answers} == {
        "before", "migrating", "old workers, new schema", "replacing workers", "new workers",
    }  # fmt: skip
    report = store.audit_command()
    assert report["violations"] == []
    paid = [payment for payment in store.khalti.payments() if payment.state in PAID_AT_KHALTI]
    bought = [payment for payment in report["payments"] if payment["state"] == "fulfilled"]
    assert len(paid) == len(bought) > CUSTOMERS
    assert [payment for payment in report["payments"] if payment["flags"]] == []
    assert disagreements(store) == []
