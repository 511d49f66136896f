"""Orders without Khalti, and the arrival of their money."""

from typing import Any

import pytest
from django.db import OperationalError, transaction

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay, InsideTransaction, LoyalinkError, ShopCannot
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once, points

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

PAID_LATER = [PaymentMethod.COD, PaymentMethod.BANK_TRANSFER]


def place(shop: FakeShop, method: PaymentMethod = PaymentMethod.COD, ref: str = "order-1", **changes: Any) -> Purchase:
    return flow.place_order(shop.freeze(shop.cart(ref, **changes)), method=method)


@pytest.mark.parametrize("method", PAID_LATER)
def test_an_order_is_placed_with_its_points_redeemed_and_earns_nothing_until_it_is_paid(
    method: PaymentMethod, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    purchase = place(shop, method, member_id=account.member_id, points_redeemed=Points(500))

    assert (purchase.state, purchase.number, purchase.method) == ("placed", "N-order-1", method)
    assert (purchase.amount_due, purchase.received) == (245_000, 0)
    assert shop.confirmed == [("order-1", 0)]
    assert points(account) == (500, 0, 500)
    assert (Payment.objects.count(), khalti.opened) == (0, [])


def test_when_the_money_arrives_the_points_are_awarded_once(shop: FakeShop, account: Account) -> None:
    purchase = place(shop, member_id=account.member_id, points_redeemed=Points(500))

    for _ in range(3):
        flow.mark_received(purchase, actor="1")

    purchase.refresh_from_db()
    assert (purchase.received, purchase.received_by, purchase.earned) == (245_000, "1", 245)
    assert (shop.confirmed, shop.received) == ([("order-1", 0)], [("order-1", 245_000)])
    assert shop.get_order("order-1").paid == 245_000
    assert points(account) == (745, 0, 500)


def test_ten_clicks_on_received_award_the_points_once(shop: FakeShop, account: Account) -> None:
    purchase = place(shop, member_id=account.member_id)

    at_once(10, lambda index: flow.mark_received(purchase, actor=str(index)))

    assert (points(account)[0], len(shop.received)) == (1250, 1)


def test_points_that_cover_everything_pay_at_once_without_khalti(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """D13, D-4: points cover everything, so the basis for earning is 0."""
    purchase = place(
        shop,
        PaymentMethod.POINTS,
        subtotal=9_000,
        shipping=1_000,
        member_id=account.member_id,
        points_redeemed=Points(1000),
    )

    assert (purchase.state, purchase.amount_due, purchase.earned) == ("placed", 0, 0)
    assert points(account) == (0, 0, 1000)
    assert (shop.confirmed, khalti.opened, Payment.objects.count()) == ([("order-1", 0)], [], 0)


def test_an_order_that_costs_nothing_is_placed(shop: FakeShop, account: Account) -> None:
    """D13: a coupon for all of it."""
    purchase = place(shop, PaymentMethod.POINTS, subtotal=0, member_id=account.member_id)

    assert (purchase.state, purchase.method, purchase.earned) == ("placed", "points", 0)
    assert len(list(shop.placed_orders())) == 1


def test_an_order_covered_by_points_awaits_no_cash_whatever_was_chosen(shop: FakeShop, account: Account) -> None:
    purchase = place(
        shop, PaymentMethod.COD, subtotal=10_000, member_id=account.member_id, points_redeemed=Points(1000)
    )

    assert purchase.method == PaymentMethod.POINTS
    with pytest.raises(LoyalinkError, match="is not awaiting"):
        flow.mark_received(purchase, actor="1")


@pytest.mark.parametrize("method", [PaymentMethod.POINTS, PaymentMethod.KHALTI])
def test_an_order_that_points_do_not_cover_is_not_placed_as_if_they_did(
    method: PaymentMethod, shop: FakeShop, account: Account
) -> None:
    with pytest.raises(CannotPay, match="Choose how to pay the rest"):
        place(shop, method, member_id=account.member_id, points_redeemed=Points(500))

    assert (Purchase.objects.count(), points(account)) == (0, (1000, 0, 0))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (ShopCannot("sold_out", "The pen is sold out."), "pen is sold out"),
        (ShopCannot("host_failed"), "cannot accept"),
    ],
)
def test_if_the_shop_cannot_confirm_nothing_is_placed_or_redeemed(
    fault: Exception, message: str, shop: FakeShop, account: Account
) -> None:
    shop.stock(pen=3)
    shop.fail("confirm", fault)

    with pytest.raises(CannotPay, match=message):
        place(shop, member_id=account.member_id, points_redeemed=Points(500))

    assert (Purchase.objects.count(), shop.confirmed, shop.left("pen")) == (0, [], 3)
    assert points(account) == (1000, 0, 0)


def test_after_a_database_failure_it_is_placed_at_the_second_attempt(shop: FakeShop, account: Account) -> None:
    shop.fail("confirm", OperationalError("deadlock detected"))

    place(shop, member_id=account.member_id, points_redeemed=Points(500))

    assert (shop.confirmed, points(account)) == ([("order-1", 0)], (500, 0, 500))


@pytest.mark.parametrize(
    "changes", [{"currency": "INR"}, {"lines": ()}, {"points_redeemed": Points(2000)}, {"total": -1}]
)
def test_an_invalid_cart_is_refused_as_a_whole(changes: dict[str, Any], shop: FakeShop, account: Account) -> None:
    """D07, D08"""
    with pytest.raises(CannotPay):
        place(shop, **{"member_id": account.member_id, **changes})

    assert (Purchase.objects.count(), points(account)) == (0, (1000, 0, 0))


def test_a_purchase_paid_with_khalti_awaits_no_cash(shop: FakeShop, khalti: Khalti) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart()))

    with pytest.raises(LoyalinkError, match="is not awaiting"):
        flow.mark_received(payment.purchase, actor="1")


def test_both_verbs_refuse_to_run_inside_a_transaction(shop: FakeShop) -> None:
    purchase = place(shop)

    with transaction.atomic():
        with pytest.raises(InsideTransaction):
            place(shop, ref="order-2")
        with pytest.raises(InsideTransaction):
            flow.mark_received(purchase, actor="1")


def test_a_guest_may_pay_cash_and_earns_nothing(shop: FakeShop) -> None:
    flow.mark_received(place(shop), actor="1")

    assert not Entry.objects.exists()
