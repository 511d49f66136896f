"""Points that are owed: what a balance below zero would be, and how it is paid back."""

from datetime import timedelta

import pytest
import time_machine

from loyalink_khalti.errors import Conflict, Insufficient
from loyalink_khalti.loyalty.models import Account, Hold
from loyalink_khalti.loyalty.orders import OrderRedemption

from .conftest import (
    adjust,
    award,
    balances,
    capture,
    hold,
    kinds,
    late_capture,
    left,
    nepal,
    refund,
    release,
    rules,
    spend,
    stands,
    sweep,
)

pytestmark = pytest.mark.money

NOW = nepal(2026, 2, 25, 12)


def owes(member: str = "7") -> tuple[int, int, int]:
    """Available, held, owed."""
    account = stands(member)
    return account.available, account.held, account.owed


def test_what_is_earned_pays_what_is_owed_first(account: Account) -> None:
    """SE-16"""
    award(80_000)
    spend(30, "shop:2")
    refund(80_000, 80_000)
    owed = owes()
    award(100_000, "shop:3")

    assert (owed, owes()) == ((0, 0, 30), (70, 0, 0))
    assert kinds()[-1] == ("repay", 30)


def test_a_purchase_that_completes_after_its_release_may_leave_a_debt(account: Account) -> None:
    """D-20"""
    rules(redeem_points=1, redeem_value=100)
    adjust(200)
    hold(200, "shop:A")
    release("shop:A")
    spend(150, "shop:B")

    late = late_capture(200, "shop:A"), owes(), balances()
    again = late_capture(200, "shop:A"), owes(), balances()
    award(200_000, "shop:C")
    earned = owes()
    refund(200_000, 200_000, "shop:A")

    assert late == again == (200, (0, 0, 150), (0, 0, 350))
    assert (earned, owes()) == ((50, 0, 0), (250, 0, 0))


def test_what_was_spent_late_is_neither_spent_nor_given_back_again(account: Account) -> None:
    adjust(50)
    late_capture(200)

    assert (capture(), late_capture(200), hold(200).state) == (200, 200, Hold.State.CAPTURED)
    for other in (release, lambda: late_capture(100), lambda: hold(100), lambda: capture(points=50)):
        with pytest.raises(Conflict):
            other()
    assert (owes(), OrderRedemption.objects.get().points) == ((0, 0, 150), 200)


def test_late_points_may_be_owed_altogether(account: Account) -> None:
    late_capture(200)

    assert (owes(), left(), hold(200).points) == ((0, 0, 200), [], 200)
    assert refund(1_000, 1_000) == (200, 0)
    assert (owes(), balances()) == ((0, 0, 0), (0, 0, 0))


def test_points_that_are_still_held_are_not_spent_late(account: Account) -> None:
    adjust(300)
    hold(200)

    with pytest.raises(Conflict):
        late_capture(200)
    assert owes() == (100, 200, 0)


def test_overdue_points_are_not_spent_late(account: Account) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        adjust(100)
        clock.move_to(NOW + timedelta(days=400))
        late_capture(100)

    assert owes() == (0, 0, 100)


def test_what_another_checkout_holds_is_not_taken_but_owed_until_it_comes_back(account: Account) -> None:
    """D-23"""
    award(100_000)
    hold(100, "shop:2")
    refund(100_000, 100_000)
    owed = owes()
    release("shop:2")

    assert (owed, owes()) == ((0, 100, 100), (0, 0, 0))
    assert kinds()[-1] == ("repay", 100)


def test_the_rest_of_a_capture_pays_what_is_owed(account: Account) -> None:
    award(100_000)
    hold(100, "shop:2")
    refund(100_000, 100_000)
    capture("shop:2", points=40)

    assert owes() == (0, 0, 40)


def test_who_owes_can_spend_nothing(account: Account) -> None:
    late_capture(200)
    adjust(150)

    with pytest.raises(Insufficient):
        hold(100, "shop:2")
    assert owes() == (0, 0, 50)


def test_points_that_waited_pay_what_is_owed_when_they_come(account: Account) -> None:
    rules(waiting_days=14)
    with time_machine.travel(NOW, tick=False) as clock:
        late_capture(30)
        award(100_000, "shop:2")
        waiting = owes(), stands().pending
        clock.move_to(NOW + timedelta(days=14))
        sweep()

    assert (waiting, owes()) == (((0, 0, 30), 100), (70, 0, 0))
