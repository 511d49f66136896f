"""Killed during a call to Khalti: Khalti received the request, and no process is left for its answer."""

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
from tests.cutting import Clock, audited, clock, fork, reconciled, wait_for
from tests.loyalty.conftest import check_ledger
from tests.purchases import flags, points, states_of

__all__ = ["clock"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def payment(shop: FakeShop, simulator: Simulator, member: str) -> Payment:
    """Rs 2,500 of products, Rs 50 of it by 500 points, pending at Khalti."""
    return flow.begin_payment(shop.freeze(shop.cart(member_id=member, points_redeemed=Points(500))))


def killed_while(simulator: Simulator, endpoint: str, work: Callable[[], object]) -> None:
    """Kill the process that does ``work`` after Khalti has received its request and before it answers."""
    simulator.clear_calls()
    simulator.fault("hang", endpoint, seconds=20)
    child = fork(work)
    try:
        assert simulator.wait_for(endpoint)
    finally:
        os.kill(child, signal.SIGKILL)
        end = wait_for(child)
        simulator.clear_faults()  # it may not have come so far
    assert os.WIFSIGNALED(end)


def test_killed_during_a_lookup_the_purchase_is_completed_by_the_reconciler(
    payment: Payment, shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B03, B04"""
    simulator.pay(payment.pidx or "")
    killed_while(simulator, "lookup", lambda: flow.verify_payment(payment))

    reconciled(clock)

    assert (states_of(payment), shop.confirmed) == (("fulfilled", "placed"), [("order-1", 245_000)])
    assert points(account) == (745, 0, 500)
    audited()
    check_ledger()


def test_killed_during_an_initiate_nothing_stays_held(
    shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B05: Khalti has created a payment page to which no customer was sent."""
    cart = shop.cart(member_id="7", points_redeemed=Points(500))
    killed_while(simulator, "initiate", lambda: flow.begin_payment(shop.freeze(cart)))
    held = points(account)

    reconciled(clock)

    assert (held, points(account)) == ((500, 500, 0), (1000, 0, 0))
    assert shop.released == [("order-1", "refused")]
    assert (Payment.objects.get().pidx, Purchase.objects.get().state) == (None, "released")
    audited()
    check_ledger()


def test_killed_during_a_refund_it_is_never_sent_again(
    payment: Payment, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B06, I7"""
    simulator.pay(payment.pidx or "")
    flow.verify_payment(payment)

    def refund(key: str) -> Refund:
        return flow.refund_order(payment.purchase, subtotal=Paisa(250_000), shipping=Paisa(0), key=key, actor="1")

    killed_while(simulator, "refund", lambda: refund("one"))

    reconciled(clock)
    second = refund("one")

    assert simulator.count("refund") == 1
    assert (second.state, flags()) in [("unknown", ["refund_unknown"]), ("done", []), ("done", ["refund_unknown"])]
    audited()
    check_ledger()
