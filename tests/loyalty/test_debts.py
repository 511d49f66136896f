"""Points that a member owes, and how they are repaid."""

from datetime import timedelta

import pytest
import time_machine

from loyalink_khalti.errors import InsufficientPoints, LedgerConflict
from loyalink_khalti.loyalty.buckets import HoldState
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.orders import OrderRedemption

from .conftest import (
    account_of,
    adjust,
    award,
    balances,
    capture,
    entry_kinds,
    hold,
    late_capture,
    nepal,
    redeem,
    refund,
    release,
    remaining,
    set_rules,
    sweep,
)

pytestmark = pytest.mark.money

NOW = nepal(2026, 2, 25, 12)


def owes(member: str = "7") -> tuple[int, int, int]:
    """Return the points available, held and owed."""
    account = account_of(member)
    return account.available, account.held, account.owed


def test_earned_points_repay_a_debt_first(account: Account) -> None:
    """SE-16"""
    award(80_000)
    redeem(30, "shop:2")
    refund(80_000, 80_000)
    owed = owes()
    award(100_000, "shop:3")

    assert (owed, owes()) == ((0, 0, 30), (70, 0, 0))
    assert entry_kinds()[-1] == ("repay", 30)


def test_a_purchase_that_completes_after_its_release_may_leave_a_debt(account: Account) -> None:
    """D-20"""
    set_rules(redeem_points=1, redeem_value=100)
    adjust(200)
    hold(200, "shop:A")
    release("shop:A")
    redeem(150, "shop:B")

    late = late_capture(200, "shop:A"), owes(), balances()
    again = late_capture(200, "shop:A"), owes(), balances()
    award(200_000, "shop:C")
    earned = owes()
    refund(200_000, 200_000, "shop:A")

    assert late == again == (200, (0, 0, 150), (0, 0, 350))
    assert (earned, owes()) == ((50, 0, 0), (250, 0, 0))


def test_points_captured_late_are_neither_captured_again_nor_released(account: Account) -> None:
    adjust(50)
    late_capture(200)

    assert (capture(), late_capture(200), hold(200).state) == (200, 200, HoldState.CAPTURED)
    for other in (release, lambda: late_capture(100), lambda: hold(100), lambda: capture(points=50)):
        with pytest.raises(LedgerConflict):
            other()
    assert (owes(), OrderRedemption.objects.get().points) == ((0, 0, 150), 200)


def test_all_points_of_a_late_capture_may_be_owed(account: Account) -> None:
    late_capture(200)

    assert (owes(), remaining(), hold(200).points) == ((0, 0, 200), [], 200)
    assert refund(1_000, 1_000) == (200, 0)
    assert (owes(), balances()) == ((0, 0, 0), (0, 0, 0))


def test_points_that_are_still_held_are_not_captured_late(account: Account) -> None:
    adjust(300)
    hold(200)

    with pytest.raises(LedgerConflict):
        late_capture(200)
    assert owes() == (100, 200, 0)


def test_overdue_points_are_not_captured_late(account: Account) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        adjust(100)
        clock.move_to(NOW + timedelta(days=400))
        late_capture(100)

    assert owes() == (0, 0, 100)


def test_points_held_by_another_checkout_are_owed_until_they_are_released(account: Account) -> None:
    """D-23"""
    award(100_000)
    hold(100, "shop:2")
    refund(100_000, 100_000)
    owed = owes()
    release("shop:2")

    assert (owed, owes()) == ((0, 100, 100), (0, 0, 0))
    assert entry_kinds()[-1] == ("repay", 100)


def test_the_rest_of_a_capture_repays_a_debt(account: Account) -> None:
    award(100_000)
    hold(100, "shop:2")
    refund(100_000, 100_000)
    capture("shop:2", points=40)

    assert owes() == (0, 0, 40)


def test_a_member_with_a_debt_cannot_redeem(account: Account) -> None:
    late_capture(200)
    adjust(150)

    with pytest.raises(InsufficientPoints):
        hold(100, "shop:2")
    assert owes() == (0, 0, 50)


def test_pending_points_repay_a_debt_when_they_become_available(account: Account) -> None:
    set_rules(pending_days=14)
    with time_machine.travel(NOW, tick=False) as clock:
        late_capture(30)
        award(100_000, "shop:2")
        pending = owes(), account_of().pending
        clock.move_to(NOW + timedelta(days=14))
        sweep()

    assert (pending, owes()) == (((0, 0, 30), 100), (70, 0, 0))
