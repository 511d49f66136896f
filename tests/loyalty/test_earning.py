"""What an order earns: the worked examples of loyalty.md, and properties of every order."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalink_khalti.loyalty.earning import Earned, OrderHistory, OrderSnapshot
from loyalink_khalti.loyalty.rules import CampaignRule, Rules, Tier
from loyalink_khalti.money import Paisa, Points, Rounding, cumulative, shares

from .conftest import line, nepal

NOW = nepal(2026, 2, 25, 12)
PER_RUPEE: dict[str, Any] = {"per": 100}
PER_TEN: dict[str, Any] = {"per": 1000}
GOLD = Tier(name="Gold", threshold=Points(500), multiplier=Fraction(3, 2))


def campaign(**what: Any) -> CampaignRule:
    """A campaign that runs now."""
    return CampaignRule(**{"name": "Dashain", "starts_at": NOW, "ends_at": NOW + timedelta(days=1), **what})


def times(numerator: int, denominator: int = 1) -> tuple[CampaignRule, ...]:
    return (campaign(multiplier=Fraction(numerator, denominator)),)


def earned(
    subtotal: int | list[Any], /, shipping: int = 0, tier: str = "", first: bool = False, **chosen: Any
) -> Earned:
    """Return what products earn under rules; ``discount`` and ``points_value`` belong to the order."""
    amounts = {name: Paisa(chosen.pop(name, 0)) for name in ("discount", "points_value")}
    lines = [line(subtotal)] if isinstance(subtotal, int) else subtotal
    order = OrderSnapshot(lines=lines, shipping=Paisa(shipping), at=NOW, **amounts)
    return order.earned(Rules(**chosen), tier=tier, history=OrderHistory(is_first=first))


@pytest.mark.parametrize(
    ("subtotal", "chosen", "points"),
    [
        pytest.param(10_500, PER_TEN, 10, id="SQ-1"),
        pytest.param(4_000, {**PER_TEN, "campaigns": times(3, 2)}, 6, id="SQ-2"),
        pytest.param(5_000, {**PER_TEN, "campaigns": times(3)}, 15, id="SQ-3"),
        pytest.param(5_000, {**PER_TEN, "campaigns": (campaign(addition=3),)}, 8, id="SQ-4"),
        pytest.param(2_190, PER_TEN, 2, id="SQ-5"),
        pytest.param(700, {"points": 10, "per": 200, "stepwise": True}, 30, id="AC-1"),
        pytest.param(700, {"points": 10, "per": 200}, 35, id="AC-1 in proportion"),
        pytest.param(300, {"points": 5, "per": 250, "stepwise": True}, 5, id="NOP-1"),
        pytest.param(300, {"points": 5, "per": 250}, 6, id="NOP-1 in proportion"),
        pytest.param(1_999, PER_RUPEE, 19, id="SE-1"),
        pytest.param(4_000, {**PER_RUPEE, "points": 3}, 120, id="SE-2"),
        pytest.param(1_999, {**PER_RUPEE, "campaigns": times(3, 2)}, 28, id="SE-3"),
        pytest.param(1_999, {**PER_RUPEE, "campaigns": times(2)}, 38, id="SE-4"),
        pytest.param(1_999, {**PER_RUPEE, "campaigns": times(3, 2), "rounding": Rounding.FLOOR}, 28, id="SE-5 floor"),
        pytest.param(1_999, {**PER_RUPEE, "campaigns": times(3, 2), "rounding": Rounding.HALF_UP}, 30, id="SE-5 half"),
        pytest.param(1_999, {**PER_RUPEE, "campaigns": times(3, 2), "rounding": Rounding.CEIL}, 30, id="SE-5 ceil"),
        pytest.param(199_900, {"per": 10_000}, 19, id="D-1"),
        pytest.param(199_900, {}, 199, id="by default a point for Rs 10"),
        pytest.param(999, {}, 0, id="below one point"),
        pytest.param(1_000, {}, 1, id="exactly one point"),
        pytest.param(0, {}, 0, id="nothing"),
        pytest.param(10_000, {"points": 29, "per": 10_000}, 29, id="100 times 0.29, exactly"),
        pytest.param(100_000, {"campaigns": times(23, 20)}, 115, id="100 times 1.15, exactly"),
        pytest.param(500_000, {"maximum_earned": 300}, 300, id="a maximum reduces"),
        pytest.param(49_999, {"minimum_order": 50_000}, 0, id="below the minimum order"),
        pytest.param(50_000, {"minimum_order": 50_000}, 50, id="the minimum order"),
        pytest.param(50_000, {"earn_paused": True}, 0, id="paused"),
    ],
)
def test_an_order_earns_points(subtotal: int, chosen: dict[str, Any], points: int) -> None:
    """M18"""
    assert earned(subtotal, **chosen).points == points


@pytest.mark.parametrize(
    ("purchase", "chosen", "basis"),
    [
        pytest.param({"subtotal": 4_200, "discount": 800}, {"earn_before_discounts": True}, 5_000, id="SE-6 items"),
        pytest.param({"subtotal": 4_200, "discount": 800}, {}, 4_200, id="SE-6 items less discount"),
        pytest.param(
            {"subtotal": 4_000, "shipping": 1_000, "discount": 1_000},
            {"earn_before_discounts": True, "earn_on_shipping": True},
            6_000,
            id="SE-6 total",
        ),
        pytest.param(
            {"subtotal": 4_000, "shipping": 1_000, "discount": 1_000},
            {"earn_on_shipping": True},
            5_000,
            id="SE-6 total less discount",
        ),
        pytest.param({"subtotal": 250_000, "shipping": 15_000}, {}, 250_000, id="shipping earns nothing"),
        pytest.param({"subtotal": 250_000, "points_value": 5_000}, {}, 245_000, id="what points paid earns nothing"),
        pytest.param(
            {"subtotal": 250_000, "points_value": 5_000}, {"earn_on_points": True}, 250_000, id="unless it does"
        ),
        pytest.param(
            {"subtotal": 5_000, "shipping": 2_000, "points_value": 6_000},
            {"earn_on_shipping": True},
            1_000,
            id="points pay for products first, then shipping",
        ),
        pytest.param({"subtotal": 113_000}, {"vat_percent": 13}, 100_000, id="without VAT"),
    ],
)
def test_the_basis_of_an_order_is_what_earns(purchase: dict[str, int], chosen: dict[str, Any], basis: int) -> None:
    subtotal, shipping = purchase.pop("subtotal"), purchase.pop("shipping", 0)

    assert earned(subtotal, shipping, **purchase, **chosen).basis == basis


def test_points_as_a_discount_lower_the_tax_and_as_a_payment_do_not() -> None:
    """D-19: Rs 1,130 including 13 % VAT, Rs 113 of it paid by points; the price without VAT earns."""
    discount = earned(113_000, points_value=11_300, vat_percent=13).basis
    tender = earned(113_000, points_value=11_300, vat_percent=13, earn_on_points=True).basis

    assert (113_000 - 11_300 - discount, 113_000 - tender) == (11_700, 13_000)


def test_a_tier_multiplies_the_rounded_base() -> None:
    """D-2: the customer can recompute it from the receipt; rounding once, down, would give 29."""
    gold = {"tiers": (Tier(name="Silver", threshold=Points(0)), GOLD), "tier": "Gold"}

    assert earned(199_900, per=10_000, **gold).points == 28
    assert earned(199_900, per=10_000, rounding=Rounding.HALF_UP, **gold).points == 30  # 20 by 3/2


@pytest.mark.parametrize(
    ("mode", "points"),
    [(Rounding.FLOOR, (199, 49)), (Rounding.HALF_UP, (200, 50)), (Rounding.CEIL, (200, 50))],
)
def test_a_fraction_of_a_point_is_rounded_as_the_setting_says(mode: Rounding, points: tuple[int, int]) -> None:
    """M18: Rs 1,999 and Rs 495 at 1 point per Rs 10, the second in two lines of Rs 247.50."""
    whole, in_lines = earned(199_900, rounding=mode), earned([line(24_750), line(24_750)], rounding=mode)

    assert (whole.points, in_lines.points) == points  # once per order: by line it would be 48 or 50


@pytest.mark.parametrize("mode", Rounding)
def test_whole_steps_are_counted_the_same_under_every_rounding(mode: Rounding) -> None:
    """M18: with 5 points for every whole Rs 100, Rs 1,999 earn 95."""
    assert earned(199_900, points=5, per=10_000, stepwise=True, rounding=mode).points == 95


@pytest.mark.parametrize(("mode", "points"), [(Rounding.FLOOR, 0), (Rounding.HALF_UP, 1), (Rounding.CEIL, 1)])
def test_half_a_point_is_rounded_as_the_setting_says(mode: Rounding, points: int) -> None:
    """M18"""
    assert earned(500, rounding=mode).points == points
    assert earned(499, rounding=mode).points == (1 if mode is Rounding.CEIL else 0)
    assert earned(0, rounding=mode).points == 0


@pytest.mark.parametrize(
    ("purchase", "parts"),
    [
        pytest.param((10_000, 5_000), (15, 15_000, 5, 5_000), id="by price"),
        pytest.param((0, 5_000), (5, 5_000, 5, 5_000), id="free products"),
        pytest.param((10_000, 0), (10, 10_000, 0, 0), id="free delivery"),
        pytest.param((1_000, 500), (1, 1_500, 0, 500), id="one point is the products'"),
    ],
)
def test_delivery_that_earns_has_its_own_part_of_the_points(
    purchase: tuple[int, int], parts: tuple[int, int, int, int]
) -> None:
    """M4"""
    found = earned(purchase[0], purchase[1], earn_on_shipping=True)

    assert (found.proportional, found.basis, found.shipping_proportional, found.shipping_basis) == parts


def test_a_multiplier_of_products_leaves_delivery_its_own_points() -> None:
    """M4: Rs 100 of products at 3 times the points and Rs 50 of delivery."""
    found = earned([line(10_000, "pens")], 5_000, multipliers=(("pens", Fraction(3)),), earn_on_shipping=True)

    assert (found.proportional, found.shipping_proportional) == (35, 5)


def test_a_maximum_reduces_both_parts_together() -> None:
    """M4"""
    found = earned(10_000, 5_000, earn_on_shipping=True, maximum_earned=6)

    assert (found.proportional, found.shipping_proportional) == (6, 2)


@pytest.mark.parametrize(
    ("total", "lines", "shown"),
    [
        pytest.param(28, [999, 500, 500], [14, 7, 7], id="D-7"),
        pytest.param(10, [333, 333, 333], [4, 3, 3], id="D-7 ties go to the earlier"),
        pytest.param(10, [0, 0], [0, 0], id="no weights"),
    ],
)
def test_shares_over_lines_add_up(total: int, lines: list[int], shown: list[int]) -> None:
    assert shares(total, lines) == shown


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**9), min_size=1))
def test_shares_always_add_up_and_none_is_a_point_off(total: int, weights: list[int]) -> None:
    parts = shares(total, weights)

    assert sum(parts) == (total if sum(weights) else 0)
    for part, weight in zip(parts, weights, strict=True):
        assert not part or abs(part * sum(weights) - total * weight) < sum(weights)


@given(
    st.integers(0, 10**9),
    st.lists(st.integers(0, 10**9), min_size=1, max_size=20),
    st.sampled_from(Rounding),
)
def test_cumulative_parts_are_never_negative_and_sum_to_the_whole(total: int, cut: list[int], mode: Rounding) -> None:
    """For any split and rounding, also of 10⁹ points by 10⁹ paisa."""
    whole = sum(cut)
    so_far = [cumulative(total, sum(cut[:number]), whole, mode) for number in range(1, len(cut) + 1)]

    assert so_far == sorted(so_far)
    assert so_far[0] >= 0
    assert so_far[-1] == total


def test_cumulative_parts_are_exact_where_floats_are_not() -> None:
    """Of 10⁹ points by 10⁹ paisa: 500,000,000.499999999 rounds down."""
    assert cumulative(999_999_999, 500_000_001, 10**9) == 500_000_000
    assert cumulative(10**18 - 1, 10**9 - 1, 10**9, Rounding.FLOOR) == 10**18 - 10**9 - 1


# Campaigns and categories


def test_of_several_multipliers_the_highest_applies() -> None:
    both = (campaign(multiplier=Fraction(2)), campaign(multiplier=Fraction(3)))

    assert earned(5_000, campaigns=both, multipliers=(("pens", Fraction(5, 2)),)).points == 15


@pytest.mark.parametrize(("moment", "points"), [(-1, 5), (0, 10), (86_399, 10), (86_400, 5)])
def test_a_campaign_runs_from_its_first_instant_to_before_its_last(moment: int, points: int) -> None:
    at = NOW + timedelta(seconds=moment)
    order = OrderSnapshot(
        lines=[line(5_000)], shipping=Paisa(0), discount=Paisa(0), points_value=Paisa(0), at=at
    )  # fmt: skip

    assert order.earned(Rules(campaigns=times(2))).points == points


def test_a_campaign_for_a_category_multiplies_only_its_lines() -> None:
    only_pens = (campaign(multiplier=Fraction(2), tags=("pens",)),)

    assert earned([line(5_000, "pens"), line(5_000, "paper")], campaigns=only_pens).points == 15


def test_excluded_products_and_products_that_do_not_earn_are_left_out() -> None:
    lines = [line(5_000, "gift cards"), line(5_000, earns=False), line(5_000)]

    assert earned(lines, excluded_tags=("gift cards",)).points == 5


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.booleans()), min_size=1, max_size=8),
    st.integers(0, 10**6),
    st.integers(0, 2 * 10**7),
    st.booleans(),
)
def test_points_never_earn_more_than_their_money_would(
    subtotal: list[tuple[int, bool]], shipping: int, points_value: int, on_shipping: bool
) -> None:
    lines = [line(total, earns=earns) for total, earns in subtotal]

    with_points = earned(lines, shipping, points_value=points_value, earn_on_shipping=on_shipping)

    assert 0 <= with_points.points <= earned(lines, shipping, earn_on_shipping=on_shipping).points
