"""With Oscar's own orders, baskets and stock: cut off anywhere, a checkout ends in one order or in its basket."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.simulator import Simulator
from tests.cutting import WAYS, Clock, Way, audited, clock, reconciled, sweep
from tests.loyalty.conftest import check_ledger
from tests.purchases import states_of

from .conftest import Customer, Order, Store, new_member, payment_of

__all__ = ["clock"]

pytestmark = pytest.mark.money

INK = "Bottle of ink"
SLOW = [pytest.mark.slow, pytest.mark.timeout(3600)]
once = pytest.mark.parametrize(
    ("way", "few"),
    [
        pytest.param(Way(by="kill", executed=False), 2, id="kill-before-sampled"),
        *(pytest.param(way, None, id=str(way), marks=SLOW) for way in WAYS if way.by != "lost"),
    ],
)


@pytest.fixture
def rich(store: Store) -> Customer:
    return new_member("ram@example.com", points=100_000)


@once
def test_a_verification_cut_off_anywhere_gives_one_order_in_oscar(
    way: Way, few: int | None, store: Store, rich: Customer, khalti: Simulator, clock: Clock
) -> None:
    """B01, B02, B03, B04"""
    ink = store.add(INK, "INK-1", rupees="500.00", stock=10_000)
    for number, cut_off in enumerate(sweep(way, few), 1):
        payment = payment_of(rich.buy(ink, points=100))
        khalti.pay(payment.pidx or "")
        cut_off(lambda payment=payment: flow.verify_payment(payment))

        reconciled(clock)

        assert states_of(payment) == ("fulfilled", "placed")
        assert Order.objects.filter(status="Paid").count() == Order.objects.count() == number
        assert (store.stock(ink), rich.lines()) == (10_000 - number, [])
        audited()
    check_ledger()
    assert not Flag.objects.exists()


@once
def test_placing_an_order_cut_off_anywhere_leaves_a_payment_to_continue_or_the_basket(
    way: Way, few: int | None, store: Store, rich: Customer, khalti: Simulator, clock: Clock
) -> None:
    """B05, B07"""
    ink = store.add(INK, "INK-1", rupees="500.00", stock=10_000)
    for number, cut_off in enumerate(sweep(way, few), 1):
        rich.add(ink)
        rich.go_to_payment()
        rich.choose(points=100)
        cut_off(rich.place)

        reconciled(clock)

        pending = Payment.objects.filter(state="initiated").first()
        assert rich.lines() == ([] if pending else [(INK, 1)])
        if pending is None:
            rich.go_to_payment()
            rich.choose(points=100)
            pending = payment_of(rich.place())
        khalti.pay(pending.pidx or "")
        rich.return_from_khalti(pending)
        assert states_of(pending) == ("fulfilled", "placed")
        assert Order.objects.filter(status="Paid").count() == number
        assert (store.stock(ink), rich.lines()) == (10_000 - number, [])
        audited()
    check_ledger()
    assert not Flag.objects.exists()
