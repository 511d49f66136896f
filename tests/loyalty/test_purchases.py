"""Points are held, then captured or released: once, however often it is repeated."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine

from loyalink_khalti.errors import InsufficientPoints, LedgerConflict
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Allocation, Entry, Hold, Lot
from loyalink_khalti.loyalty.orders import OrderRedemption
from loyalink_khalti.money import Points

from .conftest import (
    SITE,
    account_of,
    adjust,
    balances,
    capture,
    entry_kinds,
    hold,
    nepal,
    redeem,
    refund,
    release,
    remaining,
    set_rules,
)

pytestmark = pytest.mark.money

DAY = timedelta(days=1)
NOW = nepal(2026, 2, 25, 12)


def test_a_part_of_a_hold_is_captured_and_the_rest_is_released(account: Account) -> None:
    """D-11"""
    adjust(300)
    hold(200)

    assert capture(points=150) == 150
    assert (balances(), remaining()) == ((150, 0, 150), [150])
    assert OrderRedemption.objects.get().points == 150


def test_the_rest_returns_to_the_lots_that_were_used_last(account: Account, lot: Callable[..., Lot]) -> None:
    """D-11 over three lots"""
    with time_machine.travel(NOW, tick=False):
        for day in (1, 2, 3):
            lot(100, expires_at=NOW + day * DAY)
        hold(250)
        capture(points=120)
        captured = remaining()
        refund(1_000, 1_000)

    assert (captured, remaining()) == ([0, 80, 100], [100, 100, 100])
    assert sum(Allocation.objects.values_list("points_restored", flat=True)) == 120


def test_a_part_of_a_hold_is_captured_once(account: Account) -> None:
    """TB-1"""
    adjust(123)
    hold(123)
    capture(points=100)

    for again in (lambda: capture(points=23), capture, release):
        with pytest.raises(LedgerConflict):
            again()
    assert balances() == (23, 0, 100)
    assert entry_kinds() == [("adjust", 123), ("hold", 123), ("capture", 100), ("release", 23)]


def test_a_repeated_capture_has_the_same_answer_and_no_new_row(account: Account) -> None:
    """D-12"""
    adjust(150)
    hold(150)
    capture()
    before = Entry.objects.count()

    assert (capture(), Entry.objects.count()) == (150, before)


@pytest.mark.parametrize("points", [0, -1, 151])
def test_a_capture_is_at_least_one_point_and_at_most_the_hold(points: int, account: Account) -> None:
    adjust(300)
    hold(150)

    with pytest.raises(LedgerConflict):
        capture(points=points)
    assert balances() == (150, 150, 0)


def test_redeemed_points_cannot_be_held_again(account: Account) -> None:
    """TB-2: 70 of 100 are redeemed; a hold of 50 is refused."""
    set_rules(minimum_points=1, increment=1, redeem_points=1)
    adjust(100)
    redeem(70, "shop:1")

    with pytest.raises(InsufficientPoints, match="30 points available, 50 requested"):
        hold(50, "shop:2")
    assert balances() == (30, 0, 70)


def test_the_points_of_one_member_are_not_held_for_another(account: Account) -> None:
    adjust(300)
    adjust(300, "2", member_id="8")
    hold(200)

    with pytest.raises(LedgerConflict):
        hold(200, member_id="8")
    assert account_of("8").held == 0


def test_a_hold_keeps_the_rules_that_its_customer_was_shown(account: Account) -> None:
    adjust(300)
    shown = set_rules(restore_grace_days=30)
    set_rules(restore_grace_days=0)

    ledger.hold(site_key=SITE, member_id="7", purchase="shop:1", points=Points(200), version_id=shown.pk)
    capture()

    assert Hold.objects.get().version == OrderRedemption.objects.get().version == shown
    assert {entry.version for entry in Entry.objects.filter(purchase="shop:1")} == {shown}


def test_a_release_refills_each_of_many_lots(account: Account, lot: Callable[..., Lot]) -> None:
    with time_machine.travel(NOW, tick=False):
        for day in (1, 2, 3):
            lot(50, expires_at=NOW + day * DAY)
        hold(120)
        held = remaining()
        release()

    assert (held, remaining(), balances()) == ([0, 0, 30], [50, 50, 50], (150, 0, 0))
