"""What a member reads on the points card."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
import time_machine

from loyalink_khalti.loyalty.ledger import ExpiringPoints, PointsCard, points_card
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.money import Points

from .conftest import (
    MEMBER,
    SITE,
    adjust,
    award,
    capture,
    hold,
    late_capture,
    nepal,
    redeem,
    refund,
    set_rules,
    sweep,
)

pytestmark = [pytest.mark.money, pytest.mark.django_db]

NOW = nepal(2026, 2, 25, 12)


def test_a_member_without_points_has_an_empty_card_in_the_first_tier() -> None:
    shown = points_card(SITE, MEMBER)

    assert (shown.available, shown.tier, shown.next_tier, shown.points_to_next) == (0, "Silver", "Gold", 500)
    assert (shown.progress, shown.expiring, shown.entries) == (0, (), ())


def test_a_card_shows_points_earned_redeemed_and_held(account: Account) -> None:
    award(750_000)
    hold(200, "shop:2")
    capture("shop:2", value=2_000)
    hold(100, "shop:3")

    shown = points_card(SITE, MEMBER)

    assert (shown.available, shown.held, shown.lifetime_earned, shown.lifetime_redeemed) == (450, 100, 750, 200)
    assert (shown.tier, shown.next_tier, shown.points_to_next, shown.progress) == ("Gold", "Platinum", 250, 50)
    assert [(entry.kind, entry.points) for entry in shown.entries] == [
        ("hold", -100),
        ("capture", 0),
        ("hold", -200),
        ("earn", 750),
    ]


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


def test_the_history_has_the_newest_twenty_entries(account: Account) -> None:
    for number in range(25):
        adjust(1, str(number))

    shown: PointsCard = points_card(SITE, MEMBER)

    assert len(shown.entries) == 20


def test_the_history_adds_up_to_the_balance(account: Account) -> None:
    """Every entry is shown once with the right sign; pending points and debts count too."""
    set_rules(pending_days=14)
    with time_machine.travel(NOW, tick=False) as clock:
        award(40_000, "shop:1")
        refund(10_000, 40_000, "shop:1")
        clock.shift(timedelta(days=14))
        sweep()
        redeem(20, "shop:2")
        refund(40_000, 40_000, "shop:1")
        late_capture(15, "shop:3")
        adjust(5)

        shown = points_card(SITE, MEMBER)

    assert [(entry.kind, entry.points) for entry in reversed(shown.entries)] == [
        ("earn", 40),
        ("claw_back", -10),
        ("activate", 0),
        ("hold", -20),
        ("capture", 0),
        ("claw_back", -10),
        ("claw_back", -20),
        ("late_capture", -15),
        ("adjust", 5),
        ("repay", 0),
    ]
    assert sum(entry.points for entry in shown.entries) == shown.available + shown.pending - shown.owed == -30
