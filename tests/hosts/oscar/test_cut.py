"""With Oscar's own orders, baskets and stock: cut off anywhere, a checkout comes to one order or to its basket."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.simulator import Simulator
from tests.cutting import WAYS, Clock, Way, audited, clock, reconciled, sweep
from tests.loyalty.conftest import sound
from tests.purchases import stands

from .conftest import Order, Shopper, Store, new_member, payment_of

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
def rich(store: Store) -> Shopper:
    return new_member("ram@example.com", points=100_000)


@once
def test_a_finish_cut_off_anywhere_is_one_order_of_oscars(
    way: Way, few: int | None, store: Store, rich: Shopper, khalti: Simulator, clock: Clock
) -> None:
    """B01, B02, B03, B04"""
    ink = store.add(INK, "INK-1", rupees="500.00", stock=10_000)
    for number, cut_off in enumerate(sweep(way, few), 1):
        payment = payment_of(rich.buy(ink, points=100))
        khalti.pay(payment.pidx or "")
        cut_off(lambda payment=payment: flow.finish(payment))

        reconciled(clock)

        assert stands(payment) == ("fulfilled", "placed")
        assert Order.objects.filter(status="Paid").count() == Order.objects.count() == number
        assert (store.stock(ink), rich.lines()) == (10_000 - number, [])
        audited()
    sound()
    assert not Flag.objects.exists()


@once
def test_placing_an_order_cut_off_anywhere_leaves_a_payment_to_continue_or_the_basket(
    way: Way, few: int | None, store: Store, rich: Shopper, khalti: Simulator, clock: Clock
) -> None:
    """B05, B07"""
    ink = store.add(INK, "INK-1", rupees="500.00", stock=10_000)
    for number, cut_off in enumerate(sweep(way, few), 1):
        rich.add(ink)
        rich.go_to_payment()
        rich.choose(points=100)
        cut_off(rich.place)

        reconciled(clock)

        waiting = Payment.objects.filter(state="initiated").first()
        assert rich.lines() == ([] if waiting else [(INK, 1)])
        if waiting is None:
            rich.go_to_payment()
            rich.choose(points=100)
            waiting = payment_of(rich.place())
        khalti.pay(waiting.pidx or "")
        rich.come_back(waiting)
        assert stands(waiting) == ("fulfilled", "placed")
        assert Order.objects.filter(status="Paid").count() == number
        assert (store.stock(ink), rich.lines()) == (10_000 - number, [])
        audited()
    sound()
    assert not Flag.objects.exists()
