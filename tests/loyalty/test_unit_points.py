"""What a product page promises: never more than an order of the product earns, whatever the rules."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalink_khalti.loyalty.earning import OrderHistory, OrderSnapshot
from loyalink_khalti.loyalty.rules import CampaignRule, Rules, Tier
from loyalink_khalti.loyalty.unit_points import unit_points
from loyalink_khalti.money import Paisa, Points, Rounding
from loyalink_khalti.ports import Line

from .conftest import nepal

NOW = nepal(2026, 10, 12, 12)
TAGS = ("oscar:1", "oscar:2")
FACTORS = st.sampled_from([Fraction(1), Fraction(23, 20), Fraction(3, 2), Fraction(2), Fraction(10)])


def campaign(**what: Any) -> CampaignRule:
    return CampaignRule(**{"name": "Dashain", "starts_at": NOW, "ends_at": NOW + timedelta(days=1), **what})


def unit(price: int, *tags: str, earns: bool = True) -> Line:
    return Line(sku="", title="", quantity=1, unit=Paisa(price), total=Paisa(price), tags=tags, earns=earns)


def promised(price: int, *tags: str, tier: str = "", **chosen: Any) -> int:
    return unit_points(Rules(**chosen), [unit(price, *tags)], tier=tier, at=NOW)[0]


RULES = st.builds(
    Rules,
    points=st.integers(1, 30),
    per=st.sampled_from([100, 199, 1_000, 10_000]),
    stepwise=st.booleans(),
    rounding=st.sampled_from(list(Rounding)),
    base_rounding=st.sampled_from([None, *Rounding]),
    earn_on_shipping=st.booleans(),
    earn_before_discounts=st.booleans(),
    vat_percent=st.sampled_from([0, 13]),
    minimum_order=st.sampled_from([0, 5_000]),
    excluded_tags=st.sampled_from([(), ("oscar:2",)]),
    multipliers=st.one_of(st.just(()), FACTORS.map(lambda factor: (("oscar:1", factor),))),
    campaigns=st.lists(
        st.builds(campaign, multiplier=FACTORS, addition=st.integers(0, 99), tags=st.sampled_from([(), ("oscar:1",)])),
        max_size=2,
    ).map(tuple),
    first_order_bonus=st.integers(0, 50),
    maximum_earned=st.sampled_from([None, 3, 100]),
    tiers=FACTORS.map(lambda factor: (Tier(name="Silver", threshold=Points(0), multiplier=factor),)),
)


@settings(max_examples=400)
@given(
    rules=RULES,
    price=st.integers(1, 300_000),
    tags=st.sampled_from([(), TAGS[:1], TAGS[1:], TAGS]),
    quantity=st.integers(1, 5),
    shipping=st.sampled_from([0, 1, 999, 1_001, 15_000]),
)
def test_an_order_of_a_product_never_earns_less_than_its_page_promises(
    rules: Rules, price: int, tags: tuple[str, ...], quantity: int, shipping: int
) -> None:
    """T15"""
    one = unit(price, *tags)
    several = Line(
        sku="", title="", quantity=quantity, unit=one.unit, total=Paisa(price * quantity), tags=tags, earns=True
    )
    order = OrderSnapshot(lines=[several], shipping=Paisa(shipping), discount=Paisa(0), points_value=Paisa(0), at=NOW)

    assert unit_points(rules, [one], tier="", at=NOW)[0] <= order.earned(rules, history=OrderHistory()).points


@settings(max_examples=200)
@given(
    rules=RULES.filter(lambda each: each.earn_on_shipping is False),
    price=st.integers(1, 300_000),
    others=st.lists(st.integers(1, 99_999), max_size=3),
)
def test_other_products_that_are_multiplied_alike_never_lower_it(rules: Rules, price: int, others: list[int]) -> None:
    one = unit(price, "oscar:1")
    order = OrderSnapshot(
        lines=[one, *(unit(each, "oscar:1") for each in others)],
        shipping=Paisa(0), discount=Paisa(0), points_value=Paisa(0), at=NOW,
    )  # fmt: skip

    assert unit_points(rules, [one], tier="", at=NOW)[0] <= order.earned(rules).points


@pytest.mark.parametrize(
    ("price", "chosen", "points"),
    [
        pytest.param(199_900, {}, 199, id="by its price"),
        pytest.param(199_900, {"campaigns": (campaign(addition=50),)}, 199, id="no addition of an order"),
        pytest.param(199_900, {"campaigns": (campaign(multiplier=Fraction(2)),)}, 398, id="a campaign's multiplier"),
        pytest.param(199_900, {"first_order_bonus": 50}, 199, id="no bonus of the first order"),
        pytest.param(199_900, {"minimum_order": 200_000}, 0, id="one unit is below the minimum order"),
        pytest.param(199_900, {"maximum_earned": 100}, 100, id="the maximum of an order"),
        pytest.param(199_900, {"earn_paused": True}, 0, id="paused"),
        pytest.param(1_000, {"earn_on_shipping": True, "campaigns": (campaign(multiplier=Fraction(10)),)}, 5,
                     id="delivery that is not multiplied lowers the mean"),
    ],
)  # fmt: skip
def test_a_page_promises_what_one_unit_earns_by_its_price(price: int, chosen: dict[str, Any], points: int) -> None:
    """T15"""
    assert promised(price, **chosen) == points


def test_the_tier_of_the_member_counts() -> None:
    tiers = (
        Tier(name="Silver", threshold=Points(0)),
        Tier(name="Gold", threshold=Points(1), multiplier=Fraction(3, 2)),
    )

    assert (promised(100_000, tiers=tiers), promised(100_000, tier="Gold", tiers=tiers)) == (100, 150)
