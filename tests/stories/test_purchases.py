"""Whole purchases, with the fake shop and a simulated Khalti over real connections."""

from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Outcome, PaymentMethod
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

SITA = "7"


def begin_payment(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(ref, **{"origin": "basket", "member_id": SITA, **changes})))


def card() -> tuple[int, int, int, str]:
    """Available, held and redeemed points, and the tier, as Sita sees them."""
    shown = flow.points_card("default", SITA)
    return shown.available, shown.held, shown.lifetime_redeemed, shown.tier


def test_a_reloaded_return_page_makes_one_order_and_one_award(shop: FakeShop, simulator: Simulator) -> None:
    payment = begin_payment(shop)
    simulator.pay(str(payment.pidx))

    flow.verify_payment(payment)
    flow.verify_payment(payment)

    assert shop.confirmed == [("order-1", 250_000)]  # Rs 2,500 of products
    assert card() == (250, 0, 0, "Silver")


def test_points_earned_with_one_order_pay_for_the_next(shop: FakeShop, simulator: Simulator) -> None:
    first = begin_payment(shop, subtotal=600_000)
    simulator.pay(str(first.pidx))
    flow.verify_payment(first)

    second = begin_payment(shop, "order-2", origin="the next basket", points_redeemed=Points(600))
    while_paying = card()
    simulator.pay(str(second.pidx))
    flow.verify_payment(second)

    assert while_paying == (0, 600, 0, "Gold")
    assert shop.confirmed == [("order-1", 600_000), ("order-2", 244_000)]
    assert card() == (244, 0, 600, "Gold")


def test_a_customer_who_cancels_at_khalti_gets_the_basket_and_buys_it_after_all(
    shop: FakeShop, simulator: Simulator, account: Account
) -> None:
    shop.stock(pen=1)
    first = begin_payment(shop, points_redeemed=Points(500))
    simulator.cancel(str(first.pidx))
    cancelled = flow.verify_payment(first, customer_present=True), card(), shop.left("pen")

    second = begin_payment(shop, "order-2", points_redeemed=Points(500))
    simulator.pay(str(second.pidx))
    paid = flow.verify_payment(second, customer_present=True), card(), shop.left("pen")

    assert cancelled == (Outcome.CANCELLED, (1000, 0, 0, "Silver"), 1)
    assert paid == (Outcome.PAID, (745, 0, 500, "Silver"), 0)
    assert shop.confirmed == [("order-2", 245_000)]


def test_a_customer_who_pays_while_lookup_is_down_gets_the_order_later_and_loses_nothing(
    shop: FakeShop, simulator: Simulator
) -> None:
    """G05"""
    payment = begin_payment(shop)
    simulator.pay(str(payment.pidx))
    simulator.fault("503", times=None)
    down = flow.verify_payment(payment, ignore_back_off=True)
    simulator.clear_faults()

    (result,) = flow.reconcile()

    assert (down, result.payment, result.outcome) == (Outcome.CONFIRMING, payment, Outcome.PAID)


@pytest.mark.parametrize("kind", ["503", "500", "garbage", "empty", "drop", "cut", "redirect", "wrong_payment_url"])
def test_while_khalti_is_down_the_basket_stays_and_can_be_paid_with_another_method(
    kind: str, shop: FakeShop, simulator: Simulator, account: Account
) -> None:
    shop.stock(pen=1)
    simulator.fault(kind, where="initiate")

    with pytest.raises(CannotPay):
        begin_payment(shop, points_redeemed=Points(500))
    kept = card(), shop.left("pen")
    purchase = flow.place_order(
        shop.freeze(shop.cart("order-2", origin="basket", member_id=SITA, points_redeemed=Points(500))),
        method=PaymentMethod.COD,
    )
    flow.mark_received(purchase, actor="1")

    assert kept == ((1000, 0, 0, "Silver"), 1)
    assert card() == (745, 0, 500, "Silver")


def test_a_payment_through_an_expired_link_is_an_order(shop: FakeShop, simulator: Simulator) -> None:
    """E01"""
    payment = begin_payment(shop)
    simulator.expire(str(payment.pidx))
    expired = flow.verify_payment(payment)
    simulator.complete(str(payment.pidx))

    outcomes = [result.outcome for result in flow.reconcile()]

    assert (expired, outcomes, shop.confirmed) == (Outcome.EXPIRED, [Outcome.PAID], [("order-1", 250_000)])


def test_a_customer_who_pays_the_cancelled_and_the_new_payment_gets_one_order(
    shop: FakeShop, simulator: Simulator
) -> None:
    """A08"""
    first = begin_payment(shop)
    flow.cancel_payment(first)
    second = begin_payment(shop, "order-2")
    simulator.complete(str(first.pidx))
    simulator.pay(str(second.pidx))

    outcomes = [flow.verify_payment(payment, ignore_back_off=True) for payment in (second, first)]

    assert outcomes == [Outcome.PAID, Outcome.FLAGGED]
    assert shop.confirmed == [("order-2", 250_000)]
    assert card() == (250, 0, 0, "Silver")


@pytest.mark.parametrize(
    "kind", ["wrong_amount", "wrong_pidx", "no_transaction_id", "unknown_status", "refunded_flag"]
)
def test_an_answer_that_does_not_match_places_no_order_and_awards_no_points(
    kind: str, shop: FakeShop, simulator: Simulator
) -> None:
    """A16, C21, C22, D03"""
    payment = begin_payment(shop)
    simulator.pay(str(payment.pidx))
    simulator.fault(kind, times=None)

    outcome = flow.verify_payment(payment)

    assert outcome in {Outcome.FLAGGED, Outcome.CONFIRMING}
    assert (shop.confirmed, card()[0], Purchase.objects.get().state) == ([], 0, "open")
    assert payment.flags.count() == 1
