"""Tiers: reached at once, lost only after the grace period, and what they multiply."""

from datetime import timedelta
from fractions import Fraction

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.earning import tier_points
from loyalink_khalti.loyalty.ledger import points_card
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import CampaignRule, Rules, Shortfall, Tier, TierBasis
from loyalink_khalti.money import Points

from .conftest import MEMBER, SITE, account_of, adjust, award, nepal, refund, set_rules, sweep

DEFAULT = Rules()
DAY = timedelta(days=1)
NOW = nepal(2026, 2, 25, 12)
LOWEST = ""
money = pytest.mark.money


@pytest.mark.parametrize(
    ("earned", "name", "above"),
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
def test_a_tier_is_reached_at_its_threshold(earned: int, name: str, above: str | None) -> None:
    next_tier = DEFAULT.tier_above(earned)

    assert DEFAULT.tier_for(earned).name == name
    assert (next_tier.name if next_tier else None) == above


@money
def test_a_tier_follows_an_award_and_a_refund_at_once(account: Account) -> None:
    award(500_000)
    reached = account_of().tier
    refund(1_000, 500_000)

    assert (reached, account_of().lifetime_earned, account_of().tier) == ("Gold", 499, LOWEST)


@money
def test_adjustments_and_redeemed_points_do_not_change_a_tier(account: Account) -> None:
    award(500_000)
    adjust(5_000, "gift")
    adjust(-5_400, "deducted")

    assert (account_of().tier, account_of().lifetime_earned) == ("Gold", 500)


@money
def test_a_tier_multiplies_what_the_next_order_earns(account: Account) -> None:
    """D-2, as awarded"""
    tiers = (
        Tier(name="Silver", threshold=Points(0)),
        Tier(name="Gold", threshold=Points(500), multiplier=Fraction(3, 2)),
    )
    set_rules(per=10_000, tiers=tiers)
    award(5_000_000, "shop:1")

    earned = award(199_900, "shop:2")

    assert (account_of().tier, earned) == ("Gold", 28)


@money
def test_a_new_member_is_in_the_lowest_tier_and_has_its_multiplier(account: Account) -> None:
    set_rules(tiers=(Tier(name="Member", threshold=Points(0), multiplier=Fraction(2)),))

    assert award(10_000) == 20


@money
def test_a_tier_is_lost_only_after_the_grace_period(account: Account) -> None:
    set_rules(tier_grace_days=30)
    with time_machine.travel(NOW, tick=False) as clock:
        award(500_000)
        refund(500_000, 500_000)
        kept = account_of().tier
        clock.move_to(NOW + 29 * DAY)
        sweep()
        kept_still = account_of().tier
        clock.move_to(NOW + 30 * DAY)
        sweep()

    assert (kept, kept_still, account_of().tier) == ("Gold", "Gold", LOWEST)


@money
def test_a_member_who_earns_enough_within_the_grace_period_keeps_the_tier(account: Account) -> None:
    set_rules(tier_grace_days=30)
    with time_machine.travel(NOW, tick=False) as clock:
        award(500_000)
        refund(500_000, 500_000)
        award(500_000, "shop:2")
        clock.move_to(NOW + 31 * DAY)
        sweep()

    assert (account_of().tier, account_of().below_tier_since) == ("Gold", None)


@money
def test_points_count_for_the_tier_for_a_rolling_year(account: Account) -> None:
    set_rules(tier_basis=TierBasis.ROLLING_YEAR)
    with time_machine.travel(NOW, tick=False) as clock:
        award(500_000)
        reached = account_of().tier, points_card(SITE, MEMBER).points_to_next
        clock.move_to(NOW + 365 * DAY)
        sweep()

        assert points_card(SITE, MEMBER).points_to_next == 500
    assert (reached, account_of().tier) == (("Gold", 500), LOWEST)


@money
def test_a_refund_of_an_order_of_last_year_takes_nothing_from_this_years_points(account: Account) -> None:
    """M9: 1,000 earned 13 months ago are refunded; 600 of this year stay Gold."""
    set_rules(tier_basis=TierBasis.ROLLING_YEAR)
    with time_machine.travel(NOW, tick=False) as clock:
        award(1_000_000, "shop:old")
        clock.move_to(NOW + 395 * DAY)
        award(600_000, "shop:new")
        refund(1_000_000, 1_000_000, "shop:old")

        assert (account_of().tier, points_card(SITE, MEMBER).points_to_next) == ("Gold", 400)
        sweep()
    assert account_of().tier == "Gold"


@money
def test_a_refund_takes_from_the_year_what_that_order_put_into_it_however_late(account: Account) -> None:
    """M9: until the order is a year old, and in parts."""
    set_rules(tier_basis=TierBasis.ROLLING_YEAR)
    counted = []
    with time_machine.travel(NOW, tick=False) as clock:
        award(600_000, "shop:1")
        clock.move_to(NOW + 200 * DAY)
        award(500_000, "shop:2")
        for day, so_far in ((300, 200_000), (364, 600_000), (365, 600_000), (500, 600_000)):
            clock.move_to(NOW + day * DAY)
            refund(so_far, 600_000, "shop:1", ref=f"to {so_far}")
            counted.append(1_000 - points_card(SITE, MEMBER).points_to_next)

    assert counted == [900, 500, 500, 500]


@money
def test_bonuses_of_an_order_leave_the_year_with_that_order(account: Account) -> None:
    """M9: the bonus of a first order and of a campaign, forgiven ones too."""
    sale = CampaignRule(name="Dashain", starts_at=NOW, ends_at=NOW + DAY, addition=Points(150))
    set_rules(
        tier_basis=TierBasis.ROLLING_YEAR, first_order_bonus=Points(250), campaigns=(sale,),
        shortfall=Shortfall.FORGIVE,
    )  # fmt: skip
    with time_machine.travel(NOW, tick=False) as clock:
        award(100_000, "shop:old")
        reached = account_of().tier
        adjust(-500, "used elsewhere")
        clock.move_to(NOW + 370 * DAY)
        award(500_000, "shop:new")
        adjust(-500, "used elsewhere too")
        refund(100_000, 100_000, "shop:old")

    assert (reached, account_of().tier) == ("Gold", "Gold")


@money
def test_the_points_of_a_year_are_counted_in_two_statements(
    account: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """M9"""
    rules = set_rules(tier_basis=TierBasis.ROLLING_YEAR).rules
    for number in range(20):
        award(100_000, f"shop:{number}")
    refund(40_000, 100_000, "shop:3")

    member = account_of()

    with django_assert_num_queries(2):  # the accounts that were merged into it, and the awards
        counted = tier_points(member, rules, timezone.now())

    assert counted == 20 * 100 - 40


@money
def test_a_tier_follows_the_current_rules_whatever_rules_the_order_was_shown(account: Account) -> None:
    shown = set_rules()
    set_rules(tiers=(Tier(name="Silver", threshold=Points(0)), Tier(name="Gold", threshold=Points(2_000))))

    award(500_000, version=shown)

    assert (account_of().tier, points_card(SITE, MEMBER).next_tier) == (LOWEST, "Gold")


@money
def test_the_sweep_checks_only_tiers_that_can_be_lost(account: Account) -> None:
    award(500_000)
    award(10_000, "shop:2", member_id="8")

    assert ledger.count_due() == 1
    assert [result.action for result in ledger.sweep()] == []
