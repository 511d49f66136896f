"""Products and delivery are refunded apart: each returns the points that paid for it and reverses what it earned."""

import random
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from hypothesis import given
from hypothesis import strategies as st

from loyalink_khalti import append_only
from loyalink_khalti.errors import LedgerConflict
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption, RefundApplied
from loyalink_khalti.loyalty.refunds import RefundedParts
from loyalink_khalti.loyalty.rules import CampaignRule
from loyalink_khalti.money import Paisa, Points, Rounding, cumulative, points_by_part

from .conftest import account_of, adjust, award, balances, capture, hold, nepal, refund, refund_parts, set_rules

money = pytest.mark.money
ALL = (10_000, 10_000)
"""Rs 100, refunded in full."""
NONE = (0, 10_000)


@pytest.fixture
def order(account: Account) -> None:
    """D-25: products for Rs 100, delivery for Rs 100, 1,500 points (Rs 150)."""
    adjust(1_500)
    hold(1_500)
    capture(value=15_000)


# Redeemed points


@money
def test_points_that_paid_delivery_stay_with_it_when_all_products_are_refunded(order: None) -> None:
    """D-25, M4"""
    assert refund_parts(ALL, NONE) == (1_000, 0)
    assert balances() == (1_000, 0, 500)
    assert refund_parts(ALL, ALL) == (500, 0)
    assert balances() == (1_500, 0, 0)


@money
def test_points_that_paid_products_stay_with_them_when_all_delivery_is_refunded(order: None) -> None:
    """D-25 the other way, M4"""
    assert refund_parts(NONE, ALL) == (500, 0)
    assert refund_parts(ALL, ALL) == (1_000, 0)


@money
def test_a_rupee_of_delivery_returns_its_share_of_the_points_where_products_are_free(account: Account) -> None:
    """D-26, M4: delivery for Rs 200, 1,000 points (Rs 100)."""
    adjust(1_000)
    hold(1_000)
    capture(value=10_000)

    assert refund_parts((0, 0), (100, 20_000)) == (5, 0)
    assert refund_parts((0, 0), (20_000, 20_000)) == (995, 0)


@money
def test_both_parts_in_one_refund_are_the_sum_of_each(order: None) -> None:
    """M4"""
    assert refund_parts((5_000, 10_000), (2_000, 10_000)) == (500 + 100, 0)
    assert refund_parts(ALL, ALL) == (500 + 400, 0)


@money
@pytest.mark.parametrize(
    ("products", "shipping"),
    [
        pytest.param((10_001, 10_000), NONE, id="more than the products"),
        pytest.param(NONE, (10_001, 10_000), id="more than the delivery"),
        pytest.param(NONE, (1, 0), id="a paisa of free delivery"),
        pytest.param((1, 0), NONE, id="a paisa of free products"),
        pytest.param((-1, 10_000), NONE, id="less than nothing of the products"),
        pytest.param(NONE, (-1, 10_000), id="less than nothing of the delivery"),
    ],
)
def test_more_than_a_part_has_is_refused_and_nothing_moves(
    order: None, products: tuple[int, int], shipping: tuple[int, int]
) -> None:
    """M4"""
    with pytest.raises(LedgerConflict):
        refund_parts(products, shipping)

    assert (balances(), RefundApplied.objects.count()) == ((0, 0, 1_500), 0)


@money
def test_neither_part_goes_back(order: None) -> None:
    """M4"""
    refund_parts((5_000, 10_000), (5_000, 10_000))

    for products, shipping in (((4_999, 10_000), ALL), (ALL, (4_999, 10_000))):
        with pytest.raises(LedgerConflict):
            refund_parts(products, shipping)
    with pytest.raises(LedgerConflict):
        refund_parts((5_000, 10_000), (5_001, 10_000), ref="to 5000 and 5000")  # the same refund, other figures


@money
def test_a_repeated_refund_of_delivery_moves_nothing(order: None) -> None:
    """M4, F09"""
    assert refund_parts(NONE, ALL) == refund_parts(NONE, ALL) == (500, 0)
    assert balances() == (500, 0, 1_000)


# Earned points


@money
def test_what_delivery_earned_is_clawed_back_with_the_delivery_alone(account: Account) -> None:
    """M4: products for Rs 100 and delivery for Rs 100 earned 10 points each."""
    set_rules(earn_on_shipping=True)
    award(10_000, shipping=10_000)

    assert refund_parts(ALL, NONE) == (0, 10)
    assert account_of().available == 10
    assert refund_parts(ALL, (5_000, 10_000)) == (0, 5)
    assert refund_parts(ALL, ALL) == (0, 5)
    assert account_of().available == 0


@money
def test_what_products_earned_stays_when_only_delivery_is_refunded(account: Account) -> None:
    """M4"""
    set_rules(earn_on_shipping=True)
    award(10_000, shipping=5_000)

    assert refund_parts(NONE, (5_000, 5_000)) == (0, 5)
    assert account_of().available == 10


@money
def test_a_fixed_bonus_is_clawed_back_with_the_last_of_the_products(account: Account) -> None:
    """D-15, M4: a customer who keeps only the delivery keeps no bonus."""
    bonus = CampaignRule(name="Tihar", starts_at=nepal(2000, 1, 1), ends_at=nepal(2100, 1, 1), addition=Points(100))
    set_rules(campaigns=(bonus,), earn_on_shipping=True)
    award(10_000, shipping=10_000)

    assert refund_parts((5_000, 10_000), ALL) == (0, 5 + 10)
    assert refund_parts(ALL, ALL) == (0, 5 + 100)


@money
def test_a_fixed_bonus_of_an_order_with_free_products_is_clawed_back_with_its_delivery(account: Account) -> None:
    """M4"""
    bonus = CampaignRule(name="Tihar", starts_at=nepal(2000, 1, 1), ends_at=nepal(2100, 1, 1), addition=Points(100))
    set_rules(campaigns=(bonus,), earn_on_shipping=True)
    award(0, shipping=10_000)

    assert refund_parts((0, 0), (9_999, 10_000)) == (0, 10)
    assert refund_parts((0, 0), ALL) == (0, 100)


@money
def test_an_award_after_refunds_of_both_parts_is_reduced_by_both(account: Account) -> None:
    """M4: cash on delivery, a part returned at the door and the delivery waived."""
    set_rules(earn_on_shipping=True)
    refund_parts((3_000, 10_000), ALL)

    award(10_000, shipping=10_000)

    assert (account_of().available, OrderAward.objects.get().points_clawed_back) == (7, 13)


# Rows of the version before, which knew only the whole order


@money
def test_points_that_were_restored_before_count_for_the_products_first(order: None) -> None:
    """M4: the version before restored 1,200 points for 80 % of the products."""
    refund(8_000, 10_000, ref="of the version before")  # which passed no delivery
    OrderRedemption.objects.update(shipping_points_restored=0)
    with append_only.lifted(connection):
        QuerySet(RefundApplied).update(shipping_cumulative=None)
    assert OrderRedemption.objects.get().points_restored == 1_200

    assert restored(ALL, NONE) == 0  # 1,000 of the products are back, and 200 of the delivery came too early
    assert restored((8_000, 10_000), (4_000, 10_000)) == 0
    assert restored((8_000, 10_000), (6_000, 10_000)) == 100
    assert restored(ALL, ALL) == 300
    assert refund_parts(ALL, ALL) == (300, 0)
    assert balances() == (1_500, 0, 0)


def restored(products: tuple[int, int], shipping: tuple[int, int]) -> int:
    """What a refund of so much in all would restore."""
    return preview(products, shipping).points_restored


def preview(products: tuple[int, int], shipping: tuple[int, int]) -> ledger.RefundedPoints:
    return ledger.preview_refund(
        purchase="shop:1", refunded_so_far=Paisa(products[0]), subtotal=Paisa(products[1]),
        shipping_so_far=Paisa(shipping[0]), shipping=Paisa(shipping[1]),
    )  # fmt: skip


@money
def test_an_award_of_the_version_before_follows_the_products_as_it_did(account: Account) -> None:
    """M4: its row does not say what delivery earned."""
    set_rules(earn_on_shipping=True)
    award(10_000, shipping=10_000)
    OrderAward.objects.update(shipping_proportional=0, shipping_basis=0)

    assert refund_parts(NONE, ALL) == (0, 0)
    assert refund_parts((5_000, 10_000), ALL) == (0, 10)
    assert refund_parts(ALL, ALL) == (0, 10)


@money
def test_the_version_before_may_claw_back_the_whole_while_it_still_runs(account: Account) -> None:
    """M4: it writes only the whole, also of an award whose row has parts."""
    set_rules(earn_on_shipping=True)
    award(10_000, shipping=10_000)
    refund(0, 10_000, ref="nothing yet")
    OrderAward.objects.update(points_clawed_back=F("proportional"), refunded=F("basis"))
    adjust(-20, "as the version before did")

    assert preview(ALL, ALL).points_clawed_back == 0


# Any split


def orders(number: int) -> Iterator[tuple[int, int, int, int, list[tuple[int, int]], Rounding]]:
    """Random orders: points, their value, the prices of both parts, what is refunded so far, and the rounding."""
    dice = random.Random(4)
    for serial in range(number):
        subtotal, shipping = dice.choice([0, dice.randint(1, 5_000_000)]), dice.choice([0, dice.randint(1, 50_000)])
        rate = dice.choice([(10, 100), (1, 100), (3, 100), (1, 1), (7, 3)])
        most = (subtotal + shipping) * rate[0] // rate[1]
        points = dice.choice([0, most, dice.randint(0, most)])
        value = points * rate[1] // rate[0]
        cuts = dice.randint(1, 4)
        products = [*sorted(dice.randint(0, subtotal) for _ in range(cuts)), subtotal]
        delivery = [*sorted(dice.randint(0, shipping) for _ in range(cuts)), shipping]
        yield points, value, subtotal, shipping, list(zip(products, delivery, strict=True)), list(Rounding)[serial % 3]


def test_twenty_thousand_random_splits_sum_to_the_whole_and_nothing_crosses() -> None:
    """D-25, D-26, M4: points and money of both parts, under each rounding."""
    for points, value, subtotal, shipping, refunded, mode in orders(20_000):
        paid = points_by_part(points, value, subtotal=subtotal, shipping=shipping)
        cash = subtotal - paid.products_value, shipping - paid.shipping_value
        assert min(paid.products, paid.shipping, paid.products_value, paid.shipping_value, *cash) >= 0
        assert (paid.products + paid.shipping, paid.products_value + paid.shipping_value) == (points, value)
        assert sum(cash) == subtotal + shipping - value
        before = [0, 0, 0, 0]
        for products, delivery in refunded:
            parts = RefundedParts(
                refunded_subtotal=Paisa(products), subtotal=Paisa(subtotal), refunded_shipping=Paisa(delivery),
                shipping=Paisa(shipping),
            )  # fmt: skip
            now = [
                parts.of_products(paid.products, mode), parts.of_products(cash[0], mode),
                parts.of_shipping(paid.shipping, mode), parts.of_shipping(cash[1], mode),
            ]  # fmt: skip
            assert all(first <= then for first, then in zip(before, now, strict=True))
            assert products or now[:2] == [0, 0]
            assert delivery or now[2:] == [0, 0]
            before = now
        assert before == [paid.products, cash[0], paid.shipping, cash[1]]


@given(
    st.integers(0, 10**6), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9)
)  # fmt: skip
def test_points_pay_products_first_and_no_part_beyond_its_price(
    points: int, value: int, subtotal: int, shipping: int
) -> None:
    """M4: at any rate, also one at which a point is not worth whole paisa."""
    value = min(value, subtotal + shipping) if points else 0

    paid = points_by_part(points, value, subtotal=subtotal, shipping=shipping)

    assert (paid.products + paid.shipping, paid.products_value + paid.shipping_value) == (points, value)
    assert 0 <= paid.products_value <= subtotal
    assert 0 <= paid.shipping_value <= shipping
    assert min(paid.products, paid.shipping) >= 0
    assert value > subtotal or paid.shipping_value == 0
    assert shipping or not paid.shipping
    assert subtotal or not value or not paid.products or not shipping


def test_a_price_that_is_no_whole_number_of_points_is_paid_with_money_to_the_last_paisa() -> None:
    """M4: at 10 points = Rs 1 a point is 10 paisa; products cost Rs 100.05."""
    paid = points_by_part(1_500, 15_000, subtotal=10_005, shipping=10_000)

    assert (paid.products, paid.products_value, paid.shipping, paid.shipping_value) == (1_000, 10_000, 500, 5_000)
    assert cumulative(10_005 - paid.products_value, 10_005, 10_005) == 5
