"""The figures of a receipt, by examples and by chance: they sum to the paisa. No database."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalink_khalti.flow.receipts.breakdown import Breakdown, Money, PointsMoved, Received, Refunded, break_down
from loyalink_khalti.flow.receipts.facts import NO_FACTS, Charge, OrderFacts
from loyalink_khalti.money import Paisa, Points, shares
from loyalink_khalti.ports import Cart, Customer, Line, PaymentMethod

NOON = datetime(2026, 12, 1, 6, 15, tzinfo=UTC)


def line(key: str, total: int, quantity: int = 1) -> Line:
    return Line(
        id=key, sku=key, title=key.title(), quantity=quantity, unit=Paisa(total // quantity), total=Paisa(total)
    )


def cart(*lines: Line, shipping: int = 0, discount: int = 0, extra: int = 0) -> Cart:
    """A Cart in paisa; ``extra`` is what the shop charges for its products besides the lines."""
    total = sum(each.total for each in lines) + shipping + extra
    return Cart(
        shop="fake", ref="order-1", origin="basket", site_key="default", language="en", name="Order", lines=lines,
        shipping=Paisa(shipping), discount=Paisa(discount), total=Paisa(total), customer=Customer(), member_id=None,
        points_redeemed=Points(0),
    )  # fmt: skip


def charge(title: str, amount: int) -> Charge:
    return Charge(title=title, amount=Paisa(amount))


def received(amount: int) -> Received:
    return Received(at=NOON, day=date(2026, 12, 1), amount=Paisa(amount), method=PaymentMethod.BANK_TRANSFER)


def refunded(amount: int, *, is_pending: bool = False, is_of_order: bool = True) -> Refunded:
    return Refunded(
        at=NOON, amount=Paisa(amount), method=PaymentMethod.KHALTI, is_pending=is_pending, is_of_order=is_of_order
    )


def assert_sums(shown: Breakdown) -> None:
    """What the module promises."""
    discounts, surcharges = (sum(each.amount for each in rows) for rows in (shown.discounts, shown.surcharges))
    assert sum(each.amount for each in shown.lines) == shown.products
    assert shown.products - discounts + shown.delivery + surcharges == shown.total
    assert shown.total - shown.points_value == shown.due
    net = shown.received_total - shown.returned
    assert shown.due + shown.surplus == net + shown.left_to_pay + shown.not_charged
    assert shown.received_total - shown.refunded_total == shown.kept


def test_a_coupon_is_shown_once_and_the_lines_are_shown_before_it() -> None:
    facts = OrderFacts(
        prices={"pen": Paisa(45_000), "book": Paisa(55_000)},
        discounts=(charge("DASHAIN", 10_000),),
        delivery="Express",
    )

    shown = break_down(cart(line("pen", 40_500), line("book", 49_500), shipping=15_000, discount=10_000), facts)

    assert [each.amount for each in shown.lines] == [45_000, 55_000]
    assert [(each.title, each.amount) for each in shown.discounts] == [("DASHAIN", 10_000)]
    assert (shown.products, shown.delivery, shown.total) == (100_000, 15_000, 105_000)
    assert shown.discount_included == 0
    assert_sums(shown)


def test_two_offers_that_were_rounded_apart_sum_to_what_was_taken_off() -> None:
    """T10: Oscar rounds each discount by itself, 33.34 and 33.34, and the basket loses 66.67."""
    facts = OrderFacts(
        prices={"pen": Paisa(10_000)}, discounts=(charge("Ten per cent", 3_334), charge("Students", 3_334))
    )

    shown = break_down(cart(line("pen", 3_333), discount=6_667), facts)

    assert [each.amount for each in shown.discounts] == [3_334, 3_333]
    assert_sums(shown)


def test_prices_that_are_not_known_leave_the_lines_after_discounts_with_a_note() -> None:
    shown = break_down(cart(line("pen", 40_500), discount=4_500))

    assert [each.amount for each in shown.lines] == [40_500]
    assert (shown.discounts, shown.discount_included) == ((), 4_500)
    assert_sums(shown)


def test_a_paisa_of_rounding_is_no_discount() -> None:
    """T10: a host's own price of a line, rounded by itself, is a paisa more than the line that was sold."""
    shown = break_down(cart(line("pen", 3_333)), OrderFacts(prices={"pen": Paisa(3_334)}))

    assert (shown.products, shown.discounts) == (3_333, ())
    assert_sums(shown)


def test_a_surcharge_is_apart_from_the_delivery() -> None:
    facts = OrderFacts(surcharges=(charge("Gift wrap", 5_000),))

    shown = break_down(cart(line("pen", 40_000), shipping=15_000), facts)

    assert (shown.delivery, [(each.title, each.amount) for each in shown.surcharges]) == (
        10_000,
        [("Gift wrap", 5_000)],
    )
    assert_sums(shown)


def test_points_are_taken_off_the_whole_order() -> None:
    shown = break_down(
        cart(line("pen", 40_000), shipping=10_000), points=PointsMoved(used=Points(500), value=Paisa(5_000))
    )

    assert (shown.total, shown.due, shown.points_used) == (50_000, 45_000, 500)
    assert_sums(shown)


@pytest.mark.parametrize(
    ("money", "kept", "left", "surplus", "not_charged"),
    [
        pytest.param(Money(), 0, 0, 0, 100_000, id="a dead payment: nothing is to pay"),
        pytest.param(Money(left_to_pay=Paisa(100_000)), 0, 100_000, 0, 0, id="to pay"),
        pytest.param(
            Money(received=(received(30_000), received(20_000)), left_to_pay=Paisa(50_000)), 50_000, 50_000, 0, 0,
            id="received in parts",
        ),
        pytest.param(Money(received=(received(100_000),)), 100_000, 0, 0, 0, id="paid"),
        pytest.param(Money(received=(received(130_000),)), 130_000, 0, 30_000, 0, id="paid too much"),
        pytest.param(
            Money(received=(received(130_000),), refunds=(refunded(30_000, is_of_order=False),)), 100_000, 0, 0, 0,
            id="the surplus went back",
        ),
        pytest.param(
            Money(received=(received(100_000),), refunds=(refunded(40_000), refunded(10_000))), 50_000, 0, 0, 0,
            id="refunded in part, twice",
        ),
        pytest.param(
            Money(received=(received(100_000),), refunds=(refunded(100_000, is_pending=True),)), 100_000, 0, 0, 0,
            id="a refund on its way has moved nothing yet",
        ),
        pytest.param(Money(received=(received(90_000),)), 90_000, 0, 0, 10_000, id="staff accepted less"),
    ],
)  # fmt: skip
def test_what_was_paid_and_refunded_sums(money: Money, kept: int, left: int, surplus: int, not_charged: int) -> None:
    shown = break_down(cart(line("pen", 100_000)), money=money)

    assert (shown.kept, shown.left_to_pay, shown.surplus, shown.not_charged) == (kept, left, surplus, not_charged)
    assert_sums(shown)


def test_the_refunded_part_of_each_line_is_named() -> None:
    shown = break_down(
        cart(line("pen", 30_000, 3), line("pen", 10_000), line("ink", 5_000)), refunded={"pen": 4, "x": 9}
    )

    assert [each.refunded for each in shown.lines] == [3, 1, 0]


PAISA = st.integers(min_value=0, max_value=10_000_000)


@given(
    totals=st.lists(PAISA, min_size=1, max_size=5),
    off=st.lists(PAISA, max_size=3),
    shipping=PAISA,
    charges=st.lists(PAISA, max_size=3),
    extra=PAISA,
    points=PAISA,
    came=st.lists(st.integers(min_value=1, max_value=9_000_000), max_size=3),
    with_prices=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_sums_hold_whatever_a_host_says(
    *, totals: list[int], off: list[int], shipping: int, charges: list[int], extra: int, points: int, came: list[int],
    with_prices: bool,
) -> None:  # fmt: skip
    """T10"""
    lines = tuple(line(f"line{number}", total) for number, total in enumerate(totals))
    discount = sum(off)
    spread = shares(discount, totals)
    prices = {each.key: Paisa(each.total + part) for each, part in zip(lines, spread, strict=True)}
    facts = OrderFacts(
        prices=prices, discounts=tuple(charge("Offer", part) for part in off),
        surcharges=tuple(charge("Fee", part) for part in charges),
    )  # fmt: skip
    whole = cart(*lines, shipping=shipping, discount=discount, extra=extra)
    value = Paisa(min(points, whole.total))
    money = Money(received=tuple(received(each) for each in came))

    shown = break_down(
        whole, facts if with_prices else NO_FACTS, points=PointsMoved(used=Points(value), value=value), money=money
    )

    assert_sums(shown)
