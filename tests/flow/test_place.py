"""Place and received: what needs no Khalti."""

from typing import Any

import pytest
from django.db import OperationalError, transaction

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay, InsideTransaction, LoyalinkError, ShopCannot
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Method
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

AWAITED = [Method.COD, Method.BANK_TRANSFER]


def place(shop: FakeShop, method: Method = Method.COD, ref: str = "order-1", **changes: Any) -> Purchase:
    return flow.place(shop.freeze(shop.cart(ref, **changes)), method=method)


def points(account: Account) -> tuple[int, int, int]:
    """Available, held, redeemed in all."""
    account.refresh_from_db()
    return account.available, account.held, account.lifetime_redeemed


@pytest.mark.parametrize("method", AWAITED)
def test_an_order_is_placed_its_points_spent_and_nothing_earned_before_the_money_comes(
    method: Method, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    purchase = place(shop, method, member_id=account.member_id, spends=Points(500))

    assert (purchase.state, purchase.number, purchase.method) == ("placed", "N-order-1", method)
    assert (purchase.payable, purchase.received) == (245_000, 0)
    assert shop.confirmed == [("order-1", 0)]
    assert points(account) == (500, 0, 500)
    assert (Payment.objects.count(), khalti.opened) == (0, [])


def test_when_the_money_has_come_the_points_are_awarded_once(shop: FakeShop, account: Account) -> None:
    purchase = place(shop, member_id=account.member_id, spends=Points(500))

    for _ in range(3):
        flow.received(purchase, by="1")

    purchase.refresh_from_db()
    assert (purchase.received, purchase.received_by, purchase.earned) == (245_000, "1", 245)
    assert shop.confirmed == [("order-1", 0), ("order-1", 245_000)]
    assert shop.look("order-1").paid == 245_000
    assert points(account) == (745, 0, 500)


def test_ten_clicks_on_received_award_once(shop: FakeShop, account: Account) -> None:
    purchase = place(shop, member_id=account.member_id)

    at_once(10, lambda index: flow.received(purchase, by=str(index)))

    assert (points(account)[0], len(shop.confirmed)) == (1250, 2)


def test_points_that_cover_all_pay_at_once_and_khalti_is_not_asked(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """D13, D-4: full cover; the basis is what the points left of the goods."""
    purchase = place(
        shop, Method.POINTS, goods=9_000, shipping=1_000, member_id=account.member_id, spends=Points(1000)
    )

    assert (purchase.state, purchase.payable, purchase.earned) == ("placed", 0, 0)
    assert points(account) == (0, 0, 1000)
    assert (shop.confirmed, khalti.opened, Payment.objects.count()) == ([("order-1", 0)], [], 0)


def test_an_order_that_costs_nothing_is_an_order(shop: FakeShop, account: Account) -> None:
    """D13: a coupon for all of it."""
    purchase = place(shop, Method.POINTS, goods=0, member_id=account.member_id)

    assert (purchase.state, purchase.method, purchase.earned) == ("placed", "points", 0)
    assert len(list(shop.orders())) == 1


def test_what_points_cover_waits_for_no_cash_whatever_was_chosen(shop: FakeShop, account: Account) -> None:
    purchase = place(shop, Method.COD, goods=10_000, member_id=account.member_id, spends=Points(1000))

    assert purchase.method == Method.POINTS
    with pytest.raises(LoyalinkError, match="does not wait"):
        flow.received(purchase, by="1")


@pytest.mark.parametrize("method", [Method.POINTS, Method.KHALTI])
def test_what_is_not_covered_is_not_placed_as_if_it_were(method: Method, shop: FakeShop, account: Account) -> None:
    with pytest.raises(CannotPay, match="choose how to pay the rest"):
        place(shop, method, member_id=account.member_id, spends=Points(500))

    assert (Purchase.objects.count(), points(account)) == (0, (1000, 0, 0))


@pytest.mark.parametrize(
    ("fault", "words"),
    [(ShopCannot("sold_out", "The pen is sold out."), "pen is sold out"), (ShopCannot("host_failed"), "cannot take")],
)
def test_where_the_shop_cannot_nothing_is_placed_or_spent(
    fault: Exception, words: str, shop: FakeShop, account: Account
) -> None:
    shop.stock(pen=3)
    shop.fail("confirm", fault)

    with pytest.raises(CannotPay, match=words):
        place(shop, member_id=account.member_id, spends=Points(500))

    assert (Purchase.objects.count(), shop.confirmed, shop.left("pen")) == (0, [], 3)
    assert points(account) == (1000, 0, 0)


def test_where_the_database_gave_way_it_is_placed_at_the_second_try(shop: FakeShop, account: Account) -> None:
    shop.fail("confirm", OperationalError("deadlock detected"))

    place(shop, member_id=account.member_id, spends=Points(500))

    assert (shop.confirmed, points(account)) == ([("order-1", 0)], (500, 0, 500))


@pytest.mark.parametrize("changes", [{"currency": "INR"}, {"lines": ()}, {"spends": Points(2000)}, {"total": -1}])
def test_a_cart_that_cannot_be_placed_is_refused_whole(
    changes: dict[str, Any], shop: FakeShop, account: Account
) -> None:
    """D07, D08"""
    with pytest.raises(CannotPay):
        place(shop, **{"member_id": account.member_id, **changes})

    assert (Purchase.objects.count(), points(account)) == (0, (1000, 0, 0))


def test_a_purchase_that_is_paid_at_khalti_waits_for_no_cash(shop: FakeShop, khalti: Khalti) -> None:
    payment = flow.begin(shop.freeze(shop.cart()))

    with pytest.raises(LoyalinkError, match="does not wait"):
        flow.received(payment.purchase, by="1")


def test_both_refuse_to_run_inside_a_transaction(shop: FakeShop) -> None:
    purchase = place(shop)

    with transaction.atomic():
        with pytest.raises(InsideTransaction):
            place(shop, ref="order-2")
        with pytest.raises(InsideTransaction):
            flow.received(purchase, by="1")


def test_a_guest_may_pay_cash_and_earns_nothing(shop: FakeShop) -> None:
    flow.received(place(shop), by="1")

    assert not Entry.objects.exists()
