"""Whole purchases, with a shop that remembers and Khalti at the other end of real connections."""

from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Method, Outcome
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SITA = "7"


def begin(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    return flow.begin(shop.freeze(shop.cart(ref, **{"origin": "basket", "member_id": SITA, **changes})))


def card() -> tuple[int, int, int, str]:
    """Available, held, spent in all, level; as Sita reads them."""
    shown = flow.member("default", SITA)
    return shown.available, shown.held, shown.lifetime_redeemed, shown.tier


def test_a_reloaded_return_page_gives_one_order_and_one_award(shop: FakeShop, simulator: Simulator) -> None:
    payment = begin(shop)
    simulator.pay(str(payment.pidx))

    flow.finish(payment)
    flow.finish(payment)

    assert shop.confirmed == [("order-1", 250_000)]  # Rs 2,500 of goods
    assert card() == (250, 0, 0, "Silver")


def test_points_earned_with_one_order_pay_for_the_next(shop: FakeShop, simulator: Simulator) -> None:
    first = begin(shop, goods=600_000)
    simulator.pay(str(first.pidx))
    flow.finish(first)

    second = begin(shop, "order-2", origin="the next basket", spends=Points(600))
    while_paying = card()
    simulator.pay(str(second.pidx))
    flow.finish(second)

    assert while_paying == (0, 600, 0, "Gold")
    assert shop.confirmed == [("order-1", 600_000), ("order-2", 244_000)]
    assert card() == (244, 0, 600, "Gold")


def test_who_cancels_at_khalti_has_the_basket_back_and_buys_it_after_all(
    shop: FakeShop, simulator: Simulator, account: Account
) -> None:
    shop.stock(pen=1)
    first = begin(shop, spends=Points(500))
    simulator.cancel(str(first.pidx))
    cancelled = flow.finish(first, present=True), card(), shop.left("pen")

    second = begin(shop, "order-2", spends=Points(500))
    simulator.pay(str(second.pidx))
    paid = flow.finish(second, present=True), card(), shop.left("pen")

    assert cancelled == (Outcome.CANCELLED, (1000, 0, 0, "Silver"), 1)
    assert paid == (Outcome.PAID, (745, 0, 500, "Silver"), 0)
    assert shop.confirmed == [("order-2", 245_000)]


def test_who_pays_while_khalti_is_down_for_us_is_told_later_and_loses_nothing(
    shop: FakeShop, simulator: Simulator
) -> None:
    """G05"""
    payment = begin(shop)
    simulator.pay(str(payment.pidx))
    simulator.fault("503", times=None)
    down = flow.finish(payment, insist=True)
    simulator.clear_faults()

    (found,) = flow.reconcile()

    assert (down, found.payment, found.outcome) == (Outcome.CONFIRMING, payment, Outcome.PAID)


@pytest.mark.parametrize("kind", ["503", "500", "garbage", "empty", "drop", "cut", "redirect", "wrong_payment_url"])
def test_while_khalti_is_out_of_order_the_basket_stays_whole_and_can_be_paid_otherwise(
    kind: str, shop: FakeShop, simulator: Simulator, account: Account
) -> None:
    shop.stock(pen=1)
    simulator.fault(kind, where="initiate")

    with pytest.raises(CannotPay):
        begin(shop, spends=Points(500))
    kept = card(), shop.left("pen")
    purchase = flow.place(
        shop.freeze(shop.cart("order-2", origin="basket", member_id=SITA, spends=Points(500))), method=Method.COD
    )
    flow.received(purchase, by="1")

    assert kept == ((1000, 0, 0, "Silver"), 1)
    assert card() == (745, 0, 500, "Silver")


def test_a_link_that_expired_and_was_paid_all_the_same_is_an_order(shop: FakeShop, simulator: Simulator) -> None:
    """E01"""
    payment = begin(shop)
    simulator.expire(str(payment.pidx))
    expired = flow.finish(payment)
    simulator.complete(str(payment.pidx))

    found = [looked.outcome for looked in flow.reconcile()]

    assert (expired, found, shop.confirmed) == (Outcome.EXPIRED, [Outcome.PAID], [("order-1", 250_000)])


def test_who_pays_both_the_given_up_and_the_new_payment_gets_one_order(shop: FakeShop, simulator: Simulator) -> None:
    """A08"""
    first = begin(shop)
    flow.start_again(first)
    second = begin(shop, "order-2")
    simulator.complete(str(first.pidx))
    simulator.pay(str(second.pidx))

    outcomes = [flow.finish(payment, insist=True) for payment in (second, first)]

    assert outcomes == [Outcome.PAID, Outcome.FLAGGED]
    assert shop.confirmed == [("order-2", 250_000)]
    assert card() == (250, 0, 0, "Silver")


@pytest.mark.parametrize(
    "kind", ["wrong_amount", "wrong_pidx", "no_transaction_id", "unknown_status", "refunded_flag"]
)
def test_whatever_khalti_tells_that_does_not_fit_no_goods_and_no_points_are_given(
    kind: str, shop: FakeShop, simulator: Simulator
) -> None:
    """A16, C21, C22, D03"""
    payment = begin(shop)
    simulator.pay(str(payment.pidx))
    simulator.fault(kind, times=None)

    outcome = flow.finish(payment)

    assert outcome in {Outcome.FLAGGED, Outcome.CONFIRMING}
    assert (shop.confirmed, card()[0], Purchase.objects.get().state) == ([], 0, "open")
    assert payment.flags.count() == 1
