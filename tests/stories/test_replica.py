"""H08: a replica an hour behind, from which the shop reads all it can: money is as it is, and the shop sells."""

import time
from collections.abc import Iterator

import pytest
from django.db import connection

from loyalink_khalti.staff.replica import NOTEWORTHY
from tests import postgres
from tests.stories.comparison import disagreements
from tests.stories.ordering import at_khalti, guest_who_paid, order
from tests.stories.running_store import Store, open_page

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no replica"),
]

PAYMENTS = "/admin/khalti/payments/"
DELAY = "ALTER SYSTEM SET recovery_min_apply_delay = '1h'"


@pytest.fixture(scope="module")
def replica(store: Store) -> Iterator[postgres.Standby]:
    """A standby that has the demo shop, and applies what is committed from now on in an hour."""
    server = postgres.running_cluster
    assert server
    with postgres.readable_folder() as folder, server.standby(folder) as standby:
        server.execute("CREATE TABLE last_on_the_replica ()")  # a commit whose time the replica knows
        standby.catch_up()
        standby.set(DELAY)
        url = f"postgresql://postgres@/{postgres.DATABASE}?host={standby.data}"
        router = "tests.stories.replica_router.ReadsReplica"
        store.restart(workers=2, threads=8, REPORTS_DATABASE_URL=url, STORY_ROUTER=router)
        yield standby
        store.stop()
        server.execute("DROP TABLE last_on_the_replica")


def test_a_shop_whose_replica_is_an_hour_behind_sells_and_says_how_old_its_lists_are(
    store: Store, replica: postgres.Standby
) -> None:
    """N28"""
    sita, editor = store.browser("sita@example.com"), store.browser("editor@example.com")
    before = store.points("sita@example.com")
    since = time.monotonic()

    page = order(sita, points="500")
    payment = at_khalti(page)
    thanks = sita.pay(page.url)
    waiting = guest_who_paid(store, "waits")
    passed = store.reconcile()
    payment.refresh_from_db()
    time.sleep(max(0, NOTEWORTHY.total_seconds() + 1 - (time.monotonic() - since)))
    listed = editor.open(PAYMENTS)
    shown = editor.open(f"{PAYMENTS}{payment.pk}/")

    assert thanks.url.endswith("/thank-you/")
    assert "1 paid" in passed
    assert open_page(waiting).status_code == 200
    assert (payment.state, store.points("sita@example.com")) == ("fulfilled", before - 500 + payment.purchase.earned)
    assert store.audit_command()["ok"]
    assert disagreements(store) == []
    number = payment.purchase.number
    assert "old: the replica" in listed.visible_text
    assert (number in listed.visible_text, number in shown.visible_text) == (False, True)


def test_a_replica_that_is_gone_costs_the_desk_a_note_and_customers_nothing(
    store: Store, replica: postgres.Standby
) -> None:
    """N28"""
    store.restart(workers=2, threads=8, REPORTS_DATABASE_URL=store.variables["REPORTS_DATABASE_URL"])
    editor = store.browser("editor@example.com")
    replica.stop()

    back = guest_who_paid(store, "later")
    page = open_page(back)
    listed = editor.open(PAYMENTS)

    assert (page.status_code, listed.status) == (200, 200)
    assert "these figures are current" in listed.visible_text
    assert disagreements(store) == []
