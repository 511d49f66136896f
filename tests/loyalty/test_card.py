"""What a member reads on the points card."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
import time_machine

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import ExpiringPoints, points_card
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.money import Points

from .conftest import (
    MEMBER,
    SITE,
    adjust,
    award,
    capture,
    hold,
    nepal,
    refund,
    set_rules,
)

pytestmark = [pytest.mark.money, pytest.mark.django_db]

NOW = nepal(2026, 2, 25, 12)


def test_a_member_without_points_has_an_empty_card_in_the_first_tier() -> None:
    shown = points_card(SITE, MEMBER)

    assert (shown.available, shown.tier, shown.next_tier, shown.points_to_next) == (0, "Silver", "Gold", 500)
    assert (shown.progress, shown.expiring) == (0, ())


def test_a_card_shows_points_earned_redeemed_and_held(account: Account) -> None:
    award(750_000)
    hold(200, "shop:2")
    capture("shop:2", value=2_000)
    hold(100, "shop:3")

    shown = points_card(SITE, MEMBER)

    assert (shown.available, shown.held, shown.lifetime_earned, shown.lifetime_redeemed) == (450, 100, 750, 200)
    assert (shown.tier, shown.next_tier, shown.points_to_next, shown.progress) == ("Gold", "Platinum", 250, 50)
    assert (shown.tier_points, shown.next_threshold) == (750, 1_000)


def test_adjustments_raise_no_tier(account: Account) -> None:
    adjust(5_000)

    assert points_card(SITE, MEMBER).tier == "Silver"


def test_the_top_tier_has_no_next_tier(account: Account) -> None:
    award(1_000_000)

    shown = points_card(SITE, MEMBER)

    assert (shown.tier, shown.next_tier, shown.points_to_next, shown.progress) == ("Platinum", "", 0, 100)


def test_expiring_points_are_shown_with_their_last_day_and_overdue_ones_are_not_available(
    account: Account, lot: Callable[..., Lot]
) -> None:
    """E07: also before the sweep has run."""
    with time_machine.travel(NOW, tick=False):
        lot(10, expires_at=NOW - timedelta(days=1))
        lot(20, expires_at=nepal(2026, 3, 1))
        lot(30, expires_at=nepal(2026, 3, 1))
        lot(40, expires_at=NOW + timedelta(days=61))
        lot(50, expires_at=None)

        shown = points_card(SITE, MEMBER)

    assert shown.available == 140
    assert shown.expiring == (ExpiringPoints(points=Points(50), last_day=date(2026, 2, 28)),)


def test_points_are_shown_by_the_day_until_which_or_from_which_they_can_be_used(
    account: Account, lot: Callable[..., Lot]
) -> None:
    """Those without an end are last; what expires within 60 days is marked."""
    set_rules(pending_days=3, valid_months=None)
    with time_machine.travel(NOW, tick=False) as clock:
        lot(50, expires_at=None)
        lot(10, expires_at=nepal(2026, 3, 1))
        lot(20, expires_at=nepal(2026, 3, 1))
        lot(40, expires_at=NOW + timedelta(days=61))
        lot(5, expires_at=NOW - timedelta(days=1))
        award(40_000, "shop:1")
        award(20_000, "shop:2")
        clock.shift(timedelta(days=1))
        award(10_000, "shop:3")

        available, pending = ledger.points_by_expiry(account), ledger.pending_by_day(account)

    assert [(each.points, each.day, each.is_soon) for each in available] == [
        (30, date(2026, 2, 28), True),
        (40, date(2026, 4, 27), True),  # a day later it is within 60 days
        (50, None, False),
    ]
    assert [(each.points, each.day) for each in pending] == [(60, date(2026, 2, 28)), (10, date(2026, 3, 1))]


def test_a_member_whose_points_are_too_few_by_now_reads_what_keeps_the_tier(account: Account) -> None:
    """Within the grace period the tier above the points is the tier that the member has."""
    set_rules(tier_grace_days=30)
    award(500_000)
    refund(200_000, 500_000)

    shown = points_card(SITE, MEMBER)

    assert (shown.tier, shown.next_tier, shown.points_to_next) == ("Gold", "Gold", 200)
