"""Killed while Khalti is being asked: it has heard, and nobody is there for its answer."""

import os
import signal
from collections.abc import Callable

import pytest

from loyalink_khalti import flow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.cutting import Clock, audited, clock, fork, reconciled, waited_for
from tests.loyalty.conftest import sound
from tests.purchases import flags, points, stands

__all__ = ["clock"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def payment(shop: FakeShop, simulator: Simulator, member: str) -> Payment:
    """Rs 2,500 of goods, Rs 50 of it by 500 points, waiting at Khalti."""
    return flow.begin(shop.freeze(shop.cart(member_id=member, spends=Points(500))))


def killed_while(simulator: Simulator, endpoint: str, work: Callable[[], object]) -> None:
    """Kill whoever does ``work`` once Khalti has heard it and before it answers."""
    simulator.clear_calls()
    simulator.fault("hang", endpoint, seconds=20)
    child = fork(work)
    try:
        assert simulator.wait_for(endpoint)
    finally:
        os.kill(child, signal.SIGKILL)
        end = waited_for(child)
        simulator.clear_faults()  # it may not have come so far
    assert os.WIFSIGNALED(end)


def test_killed_while_it_looks_up_the_purchase_is_completed_by_the_reconciler(
    payment: Payment, shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B03, B04"""
    simulator.pay(payment.pidx or "")
    killed_while(simulator, "lookup", lambda: flow.finish(payment))

    reconciled(clock)

    assert (stands(payment), shop.confirmed) == (("fulfilled", "placed"), [("order-1", 245_000)])
    assert points(account) == (745, 0, 500)
    audited()
    sound()


def test_killed_while_a_page_is_opened_nothing_stays_held(
    shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B05: Khalti has opened a page that nobody was sent to."""
    cart = shop.cart(member_id="7", spends=Points(500))
    killed_while(simulator, "initiate", lambda: flow.begin(shop.freeze(cart)))
    held = points(account)

    reconciled(clock)

    assert (held, points(account)) == ((500, 500, 0), (1000, 0, 0))
    assert shop.released == [("order-1", "refused")]
    assert (Payment.objects.get().pidx, Purchase.objects.get().state) == (None, "released")
    audited()
    sound()


def test_killed_while_it_refunds_it_is_never_sent_again(
    payment: Payment, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B06, I7"""
    simulator.pay(payment.pidx or "")
    flow.finish(payment)

    def undo(key: str) -> Refund:
        return flow.undo(payment.purchase, goods=Paisa(250_000), shipping=Paisa(0), key=key, by="1")

    killed_while(simulator, "refund", lambda: undo("one"))

    reconciled(clock)
    refund = undo("one")

    assert simulator.count("refund") == 1
    assert (refund.state, flags()) in [("unknown", ["refund_unknown"]), ("done", []), ("done", ["refund_unknown"])]
    audited()
    sound()
