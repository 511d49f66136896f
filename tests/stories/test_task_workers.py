"""The jobs as tasks, in the real programs: Celery's worker and beat on Redis, and the worker of django-tasks-db.

Run with ``--all``. A worker, one of its processes and the broker are killed in the middle of a pass: no payment is
lost, no order and no point is doubled.
"""

import importlib.util
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import close_old_connections, connection
from django.db.models import F
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.flow import audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments import job_runs
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from sandbox import children
from tests.purchases import KEY
from tests.stories.running_store import ROOT, Store

REDIS = shutil.which("redis-server")
pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="workers of their own on a real server"),
]
needs_celery = pytest.mark.skipif(
    REDIS is None or importlib.util.find_spec("celery") is None,
    reason="needs Celery and Redis: apt-get install redis-server",
)

DEADLINE = 2
"""seconds of a call; a lease of a killed process lasts five seconds longer"""
SOON = 90
"""seconds in which the next passes have done what a killed one has left, on a busy machine"""


class Programs:
    """The programs of one test: started by name, with their output in files, and killed."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.folder = folder
        self.environment = store.environment | {
            "STORY_SHOP": "fake",
            "STORY_DEADLINE": str(DEADLINE),
            "STORY_BROKER": f"redis+socket://{folder}/redis.sock",
            "STORY_PASS_EVERY": "2",
            "KHALTI_SECRET_KEY": KEY,
        }
        self._running: dict[str, children.Child] = {}

    def start(self, name: str, *command: str | Path) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = children.start(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)

    def start_redis(self) -> None:
        assert REDIS
        socket = self.folder / "redis.sock"
        options = ["--port", "0", "--unixsocket", str(socket), "--dir", str(self.folder), "--appendonly", "yes"]
        self.start("redis", REDIS, *options)
        wait_for(socket.exists)

    def start_worker(self) -> None:
        celery = (sys.executable, "-m", "celery", "-A", "tests.stories.celery_app")
        self.start("worker", *celery, "worker", "--loglevel=info", "--concurrency=1")

    def start_beat(self) -> None:
        celery = (sys.executable, "-m", "celery", "-A", "tests.stories.celery_app")
        self.start("beat", *celery, "beat", "--loglevel=info", f"--schedule={self.folder / 'schedule'}")

    def kill(self, name: str) -> None:
        """``kill -9`` of a program and all of its processes."""
        child = self._running.pop(name)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def processes_of(self, name: str) -> list[psutil.Process]:
        return psutil.Process(self._running[name].pid).children()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def stop(self) -> None:
        for name in ("beat", "worker", "redis"):
            if name in self._running:
                children.stop(self._running.pop(name))


def wait_for(what: Callable[[], object], *, seconds: float = 60, shown: Callable[[], str] = str) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"it did not happen in time: {shown()}"
        time.sleep(0.05)
        close_old_connections()


@pytest.fixture
def programs(shop: FakeShop, simulator: Simulator, settings: Any, tmp_path: Path) -> Iterator[Programs]:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_MEMBER": 100}
    programs = Programs(Store(simulator, tmp_path), tmp_path)
    yield programs
    programs.stop()


def pay(shop: FakeShop, simulator: Simulator, member: str, prefix: str, number: int = 6) -> None:
    """A member pays so many orders and closes the page each time; all are due now."""
    for each in range(number):
        cart = shop.cart(f"{prefix}-{each}", member_id=member)
        payment = flow.begin_payment(shop.freeze(cart))
        simulator.pay(str(payment.pidx))
        Payment.objects.filter(pk=payment.pk).update(
            created_at=F("created_at") - timedelta(minutes=30), next_poll_at=timezone.now()
        )


def settled() -> bool:
    return not Payment.objects.exclude(state="fulfilled").exists()


@contextmanager
def slow_lookups(simulator: Simulator) -> Iterator[Callable[[], bool]]:
    """Lookups take a second in this block; the value says whether one has begun in it."""
    before = simulator.count("lookup")
    simulator.fault("hang", where="lookup", times=None, seconds=1)
    yield lambda: simulator.count("lookup") > before
    simulator.clear_faults()


def each_order_once(shop: FakeShop, member: str) -> None:
    """Every payment became one order and one award, and the books agree."""
    refs = [ref for ref, _amount in shop.confirmed]
    assert sorted(refs) == sorted(set(Payment.objects.values_list("purchase__ref", flat=True)))
    earned = list(Purchase.objects.values_list("earned", flat=True))
    account = Account.objects.get(member_id=member)
    assert all(earned)
    assert account.available + account.pending == 1000 + sum(map(int, earned))
    assert audit()["ok"]
    assert not Payment.objects.exclude(lease="").exists()


@needs_celery
def test_celery_on_redis_loses_and_doubles_nothing_where_its_parts_are_killed_in_a_pass(
    programs: Programs, shop: FakeShop, simulator: Simulator, member: str
) -> None:
    """B08, G01, G03, N24"""
    programs.start_redis()
    programs.start_worker()
    programs.start_beat()
    log = lambda: programs.log("worker")[-3000:]  # noqa: E731

    pay(shop, simulator, member, "first")
    with slow_lookups(simulator) as has_begun:
        wait_for(has_begun, seconds=SOON, shown=log)
        for process in programs.processes_of("worker"):  # the one that runs the pass
            process.kill()
        wait_for(lambda: "WorkerLostError" in programs.log("worker"), shown=log)
    wait_for(settled, seconds=SOON, shown=log)
    each_order_once(shop, member)

    pay(shop, simulator, member, "second")
    with slow_lookups(simulator) as has_begun:
        wait_for(has_begun, seconds=SOON, shown=log)
        programs.kill("worker")
    programs.start_worker()
    wait_for(settled, seconds=SOON, shown=log)
    each_order_once(shop, member)

    pay(shop, simulator, member, "third")
    with slow_lookups(simulator) as has_begun:
        wait_for(has_begun, seconds=SOON, shown=log)
        programs.kill("redis")
    programs.start_redis()
    wait_for(settled, seconds=SOON, shown=log)
    each_order_once(shop, member)

    assert "loyalink_khalti.reconcile" in programs.log("beat")
    assert flow.health().is_reconciler_running


@needs_celery
def test_celery_runs_the_jobs_of_points_and_the_audit(programs: Programs, shop: FakeShop, member: str) -> None:
    """N26"""
    from celery import Celery

    Account.objects.filter(member_id=member).update(available=F("available") + 1)  # a balance that is wrong
    programs.start_redis()
    programs.start_worker()
    with Celery(broker=programs.environment["STORY_BROKER"]) as client:
        client.send_task("loyalink_khalti.loyalty_run")
        client.send_task("loyalink_khalti.audit")

    ran = lambda: job_runs.last_run(job_runs.POINTS) and job_runs.last_run(job_runs.AUDIT)  # noqa: E731
    wait_for(ran, seconds=SOON, shown=lambda: programs.log("worker"))
    wait_for(lambda: "JobFailed" in programs.log("worker"), shown=lambda: programs.log("worker"))

    assert "contradiction" in programs.log("worker")


def test_the_worker_of_django_tasks_db_runs_every_job_and_another_goes_on_where_it_was_killed(
    programs: Programs, shop: FakeShop, simulator: Simulator, member: str, tmp_path: Path
) -> None:
    """B08, G06, N25: a task whose worker was killed is not run again, so the next one does its work."""
    programs.environment["STORY_TASKS"] = "database"
    store = Store(simulator, tmp_path)
    store.variables = programs.environment
    jobs = "(tasks.reconcile, tasks.loyalty_run, tasks.audit)"
    enqueue = f"from loyalink_khalti import tasks; [job.enqueue() for job in {jobs}]"

    def manage(*command: str) -> None:
        done = store.manage(*command)
        assert done.returncode == 0, done.stderr

    manage("migrate", "django_tasks_database", "-v0")
    try:
        pay(shop, simulator, member, "first")
        manage("shell", "-v0", "-c", enqueue)
        worker = (sys.executable, "-m", "sandbox.manage", "db_worker", "--interval=0.2", "--no-startup-delay")
        with slow_lookups(simulator) as has_begun:
            programs.start("worker", *worker)
            wait_for(has_begun, shown=lambda: programs.log("worker"))
            programs.kill("worker")
        is_unfinished = not settled()
        Payment.objects.update(leased_until=timezone.now())  # they end by themselves in seven seconds
        manage("shell", "-v0", "-c", enqueue)
        programs.start("worker", *worker)
        done = lambda: settled() and job_runs.last_run(job_runs.AUDIT)  # noqa: E731
        wait_for(done, seconds=SOON, shown=lambda: programs.log("worker"))
        programs.stop()
    finally:
        with connection.cursor() as cursor:  # its migrations cannot be undone
            for table in connection.introspection.table_names(cursor):
                if table.startswith("django_tasks_database"):
                    cursor.execute(f'DROP TABLE "{table}" CASCADE')

    assert is_unfinished
    assert job_runs.last_run(job_runs.POINTS)
    each_order_once(shop, member)
