"""R5: the database goes back in time: a standby without the last commits, a backup of an hour ago, and a base backup
with archived WAL, restored to a moment.

Khalti forgets nothing. One pass later the books agree again, or a Flag or an unmatched payment names what only a
person can know; what nobody can find here is in Khalti's statement, compared with the payments of the store.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from loyalink_khalti import flow
from loyalink_khalti.flow import Resolution
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from tests import databases, postgres
from tests.archive import Archive
from tests.stories.browser_session import BrowserSession
from tests.stories.comparison import PAID_AT_KHALTI, disagreements
from tests.stories.ordering import at_khalti, order
from tests.stories.running_store import Store, open_page

pytestmark = [
    pytest.mark.money,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no standby, and its backup is a copy"),
]

HOUR = 3600
PART = 10_000
"""Rs 100, refunded of an order of Rs 2,450 or more."""


class Loss:
    """How commits are lost: ``keep`` marks the last moment that comes back, ``come_back`` loses what followed."""

    def __init__(self, store: Store, server: postgres.Cluster) -> None:
        self.store, self.server = store, server

    def keep(self) -> None: ...

    def come_back(self) -> None: ...


class Failover(Loss):
    """A streaming standby is cut off and promoted; the primary is gone."""

    def __init__(self, store: Store, server: postgres.Cluster, standby: postgres.Standby) -> None:
        super().__init__(store, server)
        self.standby = standby

    def keep(self) -> None:
        self.standby.cut_off()

    def come_back(self) -> None:
        self.store.stop()
        self.standby.promote()
        databases.point_at(HOST=str(self.standby.data))
        self.store.start()


class Restore(Loss):
    """A copy of the database is put in its place an hour later."""

    COPY = "an_hour_ago"

    def keep(self) -> None:
        self.store.stop()
        databases.point_at()  # closes the connections
        self.server.copy_database(self.COPY)
        self.store.start()

    def come_back(self) -> None:
        self.store.stop()
        databases.point_at(NAME=self.COPY)
        self.store.let_time_pass(HOUR)
        self.store.start()


class PointInTime(Loss):
    """The server is lost; an hour later its base backup and its archived WAL are restored to the moment before."""

    def __init__(self, store: Store, server: postgres.Cluster, archive: Archive, stack: ExitStack) -> None:
        super().__init__(store, server)
        self.archive, self._stack = archive, stack

    def keep(self) -> None:
        self._moment = self.archive.now()

    def come_back(self) -> None:
        self.store.stop()
        self.archive.finish_segment()
        restored = self._stack.enter_context(self.archive.restored(self._moment))
        databases.point_at(HOST=str(restored.data))
        self.store.let_time_pass(HOUR)
        self.store.start()


@pytest.fixture(params=["standby", "backup", "point in time"])
def loss(request: pytest.FixtureRequest, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loss]:
    """Lose commits, and put the store back on the tests' own database at the end."""
    server = postgres.running_cluster
    assert server is not None
    own = {name: connection.settings_dict[name] for name in ("NAME", "HOST")}
    try:
        with _loss(request.param, store, server) as chosen:
            try:
                yield chosen
            finally:
                store.stop()
                databases.point_at(**own)
    finally:
        store.stop()
        server.drop_database(Restore.COPY)
        store.start()


@contextmanager
def _loss(kind: str, store: Store, server: postgres.Cluster) -> Iterator[Loss]:
    if kind == "backup":
        yield Restore(store, server)
        return
    with postgres.readable_folder() as folder, ExitStack() as stack:
        if kind == "standby":
            yield Failover(store, server, stack.enter_context(server.standby(folder)))
            return
        archive = Archive(server, folder)
        with _restarted(store, archive):
            yield PointInTime(store, server, archive, stack)


@contextmanager
def _restarted(store: Store, archive: Archive) -> Iterator[None]:
    """Archive in this block: the server restarts for it, while the store is stopped."""
    own = {name: connection.settings_dict[name] for name in ("NAME", "HOST")}
    store.stop()
    databases.point_at()  # closes the connections
    archive.begin()
    store.start()
    try:
        yield
    finally:
        store.stop()
        databases.point_at(**own)
        archive.end()


def pays(store: Store, name: str) -> tuple[str, str]:
    """Let a guest order and pay without coming back; return the pidx and the return address."""
    guest = store.browser()
    return _pays(guest, email=f"{name}@example.com")


def _pays(customer: BrowserSession, **typed: Any) -> tuple[str, str]:
    page = order(customer, **typed)
    pidx = at_khalti(page).pidx
    assert pidx is not None
    return pidx, customer.pay(page.url, follow=False).url


def payment(pidx: str) -> Payment:
    return Payment.objects.select_related("purchase").get(pidx=pidx)


def refund_by_staff(store: Store, pidx: str, *, part: int = 0, key: str) -> Any:
    """Refund a placed order in the shop, in full or in part."""
    purchase = payment(pidx).purchase
    subtotal = Paisa(part or purchase.frozen_cart.subtotal)
    shipping = Paisa(0 if part else purchase.frozen_cart.shipping)
    with store.in_this_process():
        return flow.refund_order(purchase, subtotal=subtotal, shipping=shipping, key=key, actor=editor())


def editor() -> str:
    return str(get_user_model().objects.get(email="editor@example.com").pk)


def test_what_the_database_has_lost_is_settled_flagged_or_unmatched_after_one_pass(store: Store, loss: Loss) -> None:
    """R5, R5j, R5k and R4: the same refund after a restore does not go out twice."""
    earlier = {each.pidx for each in store.khalti.payments()}  # of the other drill
    sita = store.browser("sita@example.com")
    before = store.points("sita@example.com")
    kept, settled_later, fully, partly = (pays(store, name) for name in ("kept", "later", "fully", "partly"))
    by_sita = _pays(sita, points="500")
    for _pidx, back in (kept, fully, partly):
        open_page(back)
    loss.keep()
    for _pidx, back in (settled_later, by_sita):
        open_page(back)  # settled, with points; all of that is lost
    refund_by_staff(store, fully[0], key=f"full:{fully[0]}")
    refund_by_staff(store, partly[0], part=PART, key=f"part:{partly[0]}")
    comes_back, stays_away = pays(store, "comes-back"), pays(store, "stays-away")
    open_page(stays_away[1])
    number_lost = payment(stays_away[0]).purchase.number
    assert {payment(pidx).state for pidx in (settled_later[0], by_sita[0], stays_away[0])} == {"fulfilled"}
    sent = store.khalti.count("refund")

    loss.come_back()
    page = open_page(comes_back[1])
    again = refund_by_staff(store, partly[0], part=PART, key=f"again:{partly[0]}")
    store.reconcile_here()

    # What the rows still know is as it was: settled again, awarded once, refunded.
    states = {name: payment(pidx).state for name, (pidx, _back) in
              {"kept": kept, "later": settled_later, "sita": by_sita, "fully": fully}.items()}  # fmt: skip
    assert states == {"kept": "fulfilled", "later": "fulfilled", "sita": "fulfilled", "fully": "refunded"}
    assert store.points("sita@example.com") == before - 500 + payment(by_sita[0]).purchase.earned
    # R4: nothing was sent a second time; staff are asked for the amount of the part.
    assert (again.state, store.khalti.count("refund")) == ("refused", sent)
    flag = Flag.objects.get(payment=payment(partly[0]), resolved_at=None)
    assert flag.reason == "refunded_at_khalti"
    # The customer who came back is on the list of staff, with the amount; the page was honest.
    assert page.status_code == 404
    assert comes_back[0] in page.text
    row = UnmatchedPayment.objects.get()
    assert (row.pidx, row.state, row.amount) == (comes_back[0], "found", store.khalti.payment(comes_back[0]).amount)
    assert [each["pidx"] for each in store.audit()["unmatched_payments"]] == [comes_back[0]]
    assert not Payment.objects.filter(purchase__number=number_lost, pidx=stays_away[0]).exists()
    # Khalti's statement, compared with the payments here, has exactly the two that no row knows.
    statement = {each.pidx for each in store.khalti.payments() if each.state in PAID_AT_KHALTI}
    assert statement - earlier - set(Payment.objects.values_list("pidx", flat=True)) == {comes_back[0], stays_away[0]}
    assert store.audit()["ok"], store.audit()["violations"]

    # People do the rest.
    with store.in_this_process():
        flow.resolve_flag(flag, Resolution.RECORD_REFUND, actor=editor(), reason="the dashboard", amount=Paisa(PART))
        refund = flow.refund_unmatched(row, actor=editor(), reason="the order is lost")
    bought = pays(store, "next")  # the number of a lost order is given again
    open_page(bought[1])
    assert (refund.state, store.khalti.payment(comes_back[0]).refunded) == ("done", row.amount)
    assert payment(bought[0]).state == "fulfilled"
    found = [line for line in disagreements(store) if line.partition(":")[0] not in earlier]
    assert found == [f"{stays_away[0]}: paid, and the store does not have it"]
