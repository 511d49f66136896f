"""R7: servers whose clocks are a day apart, over one PostgreSQL: customers pay, leases end, messages are sent."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import close_old_connections, connection, connections
from django.db.models import DateTimeField

from loyalink_khalti.clock import database_now
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments.models import Payment, Purchase
from sandbox import children
from tests.stories.comparison import disagreements
from tests.stories.ordering import at_khalti, order
from tests.stories.running_store import Store, open_page, running_store

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="an SQLite file is used on one machine"),
]

HALF_A_DAY = 43_200  # seconds
CUSTOMERS = 8
BOUND = 120
"""seconds within which two loops find what its customer did not return for: it is due after half a minute"""


@contextmanager
def reconciling(store: Store) -> Iterator[None]:
    """``khalti_reconcile --loop`` on the machine of a store, with its clock."""
    with (store.folder / "reconcile.log").open("ab") as log:
        loop = children.start(
            [sys.executable, "-m", "sandbox.manage", "khalti_reconcile", "--loop", "--pause", "2", "--workers", "2"],
            env=store.environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield
    finally:
        children.stop(loop)


@pytest.fixture
def stores(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    """Two machines of one shop, and a loop on each: one is half a day ahead, the other half a day behind."""
    folders = [tmp_path_factory.mktemp(name) for name in ("ahead", "behind")]
    variables = {"STORY_CLOCK_WRONG_BY": str(HALF_A_DAY)}
    with running_store(folders[0], demo_store, workers=1, threads=4, **variables) as ahead, ExitStack() as stack:
        behind = Store(ahead.khalti, folders[1])
        (folders[1] / "media").symlink_to(demo_store)
        behind.variables = {"STORY_CLOCK_WRONG_BY": f"-{HALF_A_DAY}", "SITE_URL": ahead.url}
        stack.callback(behind.stop)
        behind.start(workers=1, threads=4)
        for store in (ahead, behind):
            stack.enter_context(reconciling(store))
        yield [ahead, behind]


def wait_until_nothing_is_pending() -> None:
    end = time.monotonic() + BOUND
    while time.monotonic() < end:
        close_old_connections()
        unsent = Message.objects.filter(sent_at=None, due_at__lte=database_now())
        if not Purchase.objects.filter(state="open").exists() and not unsent.exists():
            return
        time.sleep(0.5)


def test_two_servers_whose_clocks_are_a_day_apart_sell_settle_and_release(stores: list[Store]) -> None:
    """R7: some customers return to the other server, some close the tab, some do not pay."""

    def buy(number: int) -> tuple[str, str]:
        begun_at, returned_to = stores[number % 2], stores[(number // 2) % 2]
        customer = begun_at.browser()
        page = order(customer, email=f"clock{number}@example.com")
        payment = at_khalti(page)
        connections.close_all()  # of this thread
        if number % 4 == 3:
            begun_at.khalti.expire(payment.pidx or "")
            return payment.token, "released"
        back = customer.pay(page.url, follow=False).url
        if number < CUSTOMERS // 2:
            assert open_page(back.replace(begun_at.url, returned_to.url)).status_code == 200
        return payment.token, "fulfilled"

    with ThreadPoolExecutor(2) as pool:
        expected = dict(pool.map(buy, range(CUSTOMERS)))
    wait_until_nothing_is_pending()

    payments = {payment.token: payment for payment in Payment.objects.all()}
    assert {token: payments[token].state for token in expected} == expected
    assert disagreements(stores[0]) == []
    assert times_from_elsewhere() == []
    for number in range(3):  # who returned; the others get their mail when the hooks have waited for them
        assert sum(store.mails_to(f"clock{number}@example.com") for store in stores) == 1


def times_from_elsewhere() -> list[str]:
    """Return the times of rows that no clock can have shown that was right during this test."""
    now = database_now()
    found = []
    for model in (Payment, Purchase, Message):
        for row in model.objects.all():
            for field in model._meta.fields:
                at = getattr(row, field.attname)
                if not isinstance(field, DateTimeField) or at is None or field.name == "next_poll_at":
                    continue
                if not now - timedelta(minutes=30) < at < now + timedelta(hours=2):
                    found.append(f"{model.__name__} {row.pk}: {field.name} {at}")
    return found
