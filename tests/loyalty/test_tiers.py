"""Levels: reached at once, lost only after a grace, and what they multiply."""

from datetime import timedelta
from fractions import Fraction

import pytest
import time_machine

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.card import card
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules, Tier, TierBasis, next_tier, tier
from loyalink_khalti.money import Points

from .conftest import MEMBER, SITE, adjust, award, nepal, refund, rules, stands, sweep

DEFAULT = Rules()
DAY = timedelta(days=1)
NOW = nepal(2026, 2, 25, 12)
LOWEST = ""
money = pytest.mark.money


@pytest.mark.parametrize(
    ("earned", "level", "above"),
    [
        (-5, "Silver", "Gold"),
        (0, "Silver", "Gold"),
        (499, "Silver", "Gold"),
        (500, "Gold", "Platinum"),
        (999, "Gold", "Platinum"),
        (1000, "Platinum", None),
        (10**9, "Platinum", None),
    ],
)
def test_a_level_is_reached_at_its_threshold(earned: int, level: str, above: str | None) -> None:
    following = next_tier(DEFAULT, Points(earned))

    assert tier(DEFAULT, Points(earned)).name == level
    assert (following.name if following else None) == above


@money
def test_a_level_follows_what_was_earned_and_a_refund_at_once(account: Account) -> None:
    award(500_000)
    reached = stands().tier
    refund(1_000, 500_000)

    assert (reached, stands().lifetime_earned, stands().tier) == ("Gold", 499, LOWEST)


@money
def test_neither_adjustments_nor_what_is_spent_change_a_level(account: Account) -> None:
    award(500_000)
    adjust(5_000, "gift")
    adjust(-5_400, "taken")

    assert (stands().tier, stands().lifetime_earned) == ("Gold", 500)


@money
def test_a_level_multiplies_what_the_next_order_earns(account: Account) -> None:
    """D-2, as awarded"""
    levels = (
        Tier(name="Silver", threshold=Points(0)),
        Tier(name="Gold", threshold=Points(500), multiplier=Fraction(3, 2)),
    )
    rules(per=10_000, tiers=levels)
    award(5_000_000, "shop:1")

    earned = award(199_900, "shop:2")

    assert (stands().tier, earned) == ("Gold", 28)


@money
def test_who_never_earned_is_on_the_lowest_level_and_has_its_multiplier(account: Account) -> None:
    rules(tiers=(Tier(name="Member", threshold=Points(0), multiplier=Fraction(2)),))

    assert award(10_000) == 20


@money
def test_with_a_grace_a_level_is_lost_only_when_it_is_over(account: Account) -> None:
    rules(tier_grace_days=30)
    with time_machine.travel(NOW, tick=False) as clock:
        award(500_000)
        refund(500_000, 500_000)
        kept = stands().tier
        clock.move_to(NOW + 29 * DAY)
        sweep()
        kept_still = stands().tier
        clock.move_to(NOW + 30 * DAY)
        sweep()

    assert (kept, kept_still, stands().tier) == ("Gold", "Gold", LOWEST)


@money
def test_who_climbs_again_within_the_grace_keeps_the_level(account: Account) -> None:
    rules(tier_grace_days=30)
    with time_machine.travel(NOW, tick=False) as clock:
        award(500_000)
        refund(500_000, 500_000)
        award(500_000, "shop:2")
        clock.move_to(NOW + 31 * DAY)
        sweep()

    assert (stands().tier, stands().below_since) == ("Gold", None)


@money
def test_points_of_a_rolling_year_count_for_a_year(account: Account) -> None:
    rules(tier_basis=TierBasis.ROLLING_YEAR)
    with time_machine.travel(NOW, tick=False) as clock:
        award(500_000)
        reached = stands().tier, card(SITE, MEMBER).points_to_next
        clock.move_to(NOW + 365 * DAY)
        sweep()

        assert card(SITE, MEMBER).points_to_next == 500
    assert (reached, stands().tier) == (("Gold", 500), LOWEST)


@money
def test_a_level_follows_the_rules_of_today_whatever_rules_an_order_was_shown(account: Account) -> None:
    shown = rules()
    rules(tiers=(Tier(name="Silver", threshold=Points(0)), Tier(name="Gold", threshold=Points(2_000))))

    award(500_000, version=shown)

    assert (stands().tier, card(SITE, MEMBER).next_tier) == (LOWEST, "Gold")


@money
def test_levels_are_looked_at_one_account_at_a_time_and_only_where_they_can_fall(account: Account) -> None:
    award(500_000)
    award(10_000, "shop:2", member_id="8")

    assert ledger.accounts_to_sweep() == 1
    assert [swept.did for swept in ledger.sweep()] == []
