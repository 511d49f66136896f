"""What a refund does to points: cumulative, so that the parts of any split sum to the whole."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from loyalink_khalti.errors import Conflict
from loyalink_khalti.loyalty.arithmetic import Rounding, cumulative
from loyalink_khalti.loyalty.models import Account, Entry, Lot
from loyalink_khalti.loyalty.orders import OrderAward, RefundApplied
from loyalink_khalti.loyalty.rules import Campaign, Shortfall

from .conftest import (
    adjust,
    award,
    balances,
    bought,
    capture,
    hold,
    kinds,
    left,
    nepal,
    refund,
    refunds,
    rules,
    sound,
    spend,
    stands,
    sweep,
)

pytestmark = pytest.mark.money

DAY = timedelta(days=1)
NOW = nepal(2026, 2, 25, 12)
MakeLot = Callable[..., Lot]
PER_TEN_DOLLARS: dict[str, Any] = {"per": 1000}


@pytest.mark.parametrize(("mode", "taken"), [("half_up", (0, 0, 1, 2)), ("floor", (0, 0, 0, 1))])
@pytest.mark.parametrize("number", range(4))
def test_a_part_refund_takes_its_part_of_the_points(
    account: Account, mode: str, taken: list[int], number: int
) -> None:
    """SQ-6: of $21.90, which earned 2, come back $1, $5, $10 or $20."""
    rules(**PER_TEN_DOLLARS, refund_rounding=Rounding(mode))
    award(2_190)

    assert refund((100, 500, 1000, 2000)[number], 2_190) == (0, taken[number])
    sound()


def test_many_small_refunds_take_all_that_the_order_earned(account: Account) -> None:
    """SQ-7: rounding each by itself would take back nothing."""
    rules(**PER_TEN_DOLLARS)
    award(2_190)

    assert refunds([547, 547, 548, 548], 2_190) == [(0, 0), (0, 1), (0, 0), (0, 1)]
    assert balances() == (0, 0, 0)


@pytest.mark.parametrize(
    ("mode", "taken"),
    [
        pytest.param("half_up", [3, 4, 3], id="D-5"),
        pytest.param("floor", [3, 3, 4], id="D-5 floor"),
        pytest.param("ceil", [4, 3, 3], id="D-5 ceil"),
    ],
)
def test_three_thirds_take_the_whole(account: Account, mode: str, taken: list[int]) -> None:
    rules(per=10_000, refund_rounding=Rounding(mode))
    award(100_000)

    assert refunds([33_333, 33_333, 33_334], 100_000) == [(0, points) for points in taken]
    assert stands().available == 0


def test_seven_sevenths_take_the_whole(account: Account) -> None:
    """D-6: each by itself would take 7."""
    rules(per=10_000)
    award(100_002)

    assert [clawed for _, clawed in refunds([14_286] * 7, 100_002)] == [1, 2, 1, 2, 1, 2, 1]


def test_cash_points_back_and_points_taken_each_sum_to_the_whole(account: Account) -> None:
    """D-8: Rs 2,000 of which 500 points paid Rs 500; the rest by Khalti earned 15."""
    rules(per=10_000, redeem_points=1, redeem_value=100)
    adjust(500)
    spend(500, "shop:1")
    award(200_000, worth=50_000)

    moved = refunds([80_000, 70_000, 50_000], 200_000)
    cash = [cumulative(150_000, so_far, 200_000) for so_far in (80_000, 150_000, 200_000)]

    assert moved == [(200, 6), (175, 5), (125, 4)]
    assert [cash[0], cash[1] - cash[0], cash[2] - cash[1]] == [60_000, 52_500, 37_500]
    assert balances() == (500, 0, 0)


def test_points_come_back_before_any_are_taken(account: Account) -> None:
    """D-9: of 5 that it earned 2 are spent; those that come back pay for them, and the shop loses nothing."""
    rules(shortfall=Shortfall.FORGIVE, least_spent=1, step=1, redeem_points=1)
    adjust(500)
    spend(500, "shop:1")
    award(5_000)
    spend(2, "shop:2")

    assert refund(5_000, 5_000) == (500, 5)
    assert (stands().available, OrderAward.objects.get().short) == (498, 0)
    assert [kind for kind, _ in kinds()][-2:] == ["restore", "claw_back"]


def test_points_that_wait_are_taken_first(account: Account) -> None:
    """D-14"""
    rules(waiting_days=14)
    with time_machine.travel(NOW, tick=False) as clock:
        award(40_000)
        refund(10_000, 40_000)
        waiting = stands()
        clock.move_to(NOW + 14 * DAY)
        sweep()

    assert (waiting.pending, waiting.available, stands().pending, stands().available) == (30, 0, 0, 30)


def test_a_fixed_bonus_is_taken_only_with_the_last_part(account: Account) -> None:
    """D-15"""
    with time_machine.travel(NOW, tick=False):
        bonus = Campaign(name="Tihar", starts_at=NOW, ends_at=NOW + DAY, addition=100)
        rules(campaigns=(bonus,))
        award(20_000)

        assert refunds([15_000, 5_000], 20_000) == [(0, 15), (0, 105)]
    assert stands().available == 0


def test_what_comes_back_goes_where_it_came_from_last_consumed_first(account: Account, lot: MakeLot) -> None:
    """D-16"""
    with time_machine.travel(NOW, tick=False):
        lot(100, expires_at=NOW + 10 * DAY)
        lot(100, expires_at=NOW + 20 * DAY)
        spend(150, "shop:1")
        lots = []
        for so_far in (50_000, 150_000):
            refund(so_far, 150_000)
            lots.append(left())

    assert lots == [[0, 100], [100, 100]]
    assert balances() == (200, 0, 0)


def test_what_comes_back_keeps_its_own_expiry(account: Account, lot: MakeLot) -> None:
    """D-17"""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(100, expires_at=NOW + 10 * DAY)
        spend(100, "shop:1")
        clock.move_to(NOW + 15 * DAY)
        refund(10_000, 10_000)
        restored = balances(), Lot.objects.count()

        assert sweep() == {"expired": 100}
    assert (restored, balances()) == (((100, 0, 0), 1), (0, 0, 0))


def test_a_lot_that_was_refilled_twice_expires_twice(account: Account, lot: MakeLot) -> None:
    """D-17 in parts: points that are due when a refund comes have gone before it."""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(100, expires_at=NOW + 10 * DAY)
        spend(100, "shop:1")
        clock.move_to(NOW + 15 * DAY)
        refunds([4_000, 6_000], 10_000)
        sweep()

    assert [kind for kind in kinds() if kind[0] == "expire"] == [("expire", 40), ("expire", 60)]
    assert balances() == (0, 0, 0)


def test_with_a_grace_what_comes_back_stays_to_the_end_of_its_last_day(account: Account, lot: MakeLot) -> None:
    rules(restore_grace_days=30)
    with time_machine.travel(NOW, tick=False):
        lot(100, expires_at=NOW + 10 * DAY)
        lot(50, expires_at=NOW + 90 * DAY)
        spend(150, "shop:1")
        refund(10_000, 10_000)

    assert stands().available == 150
    assert list(Lot.objects.filter(remaining__gt=0).order_by("expires_at").values_list("remaining", "expires_at")) == [
        (100, nepal(2026, 3, 28)),
        (50, NOW + 90 * DAY),
    ]


def test_a_refund_is_cumulative_and_its_replay_moves_nothing(account: Account) -> None:
    """D-22, F09"""
    rules(per=10_000)
    award(150_000)
    taken = []
    for so_far, ref in ((60_000, "first"), (60_000, "first"), (60_000, "second"), (150_000, "third")):
        before = stands().available
        refund(so_far, 150_000, ref=ref)
        taken.append(before - stands().available)

    assert taken == [6, 0, 0, 9]
    assert RefundApplied.objects.count() == 3


def test_a_replay_has_the_same_answer_and_other_figures_are_refused(account: Account) -> None:
    award(150_000)

    assert refund(60_000, 150_000, ref="same") == refund(60_000, 150_000, ref="same") == (0, 60)
    with pytest.raises(Conflict):
        refund(70_000, 150_000, ref="same")
    with pytest.raises(Conflict):
        refund(150_001, 150_000)
    with pytest.raises(Conflict):
        refund(59_999, 150_000)


@pytest.mark.parametrize(
    ("policy", "available", "owed", "short"),
    [
        pytest.param(Shortfall.FORGIVE, 0, 0, 100, id="SE-14"),
        pytest.param(Shortfall.OWE, 0, 100, 0, id="SE-15"),
        pytest.param(Shortfall.PENDING_ONLY, 50, 0, 150, id="pending only"),
    ],
)
def test_what_was_earned_and_spent_is_owed_or_forgiven(
    account: Account, policy: Shortfall, available: int, owed: int, short: int
) -> None:
    """F05"""
    rules(shortfall=policy)
    award(150_000)
    spend(100, "shop:2")

    refund(150_000, 150_000)

    assert (stands().available, stands().owed, OrderAward.objects.get().short) == (available, owed, short)
    assert OrderAward.objects.get().clawed == 150


def test_the_orders_own_points_are_taken_before_others(account: Account, lot: MakeLot) -> None:
    with time_machine.travel(NOW, tick=False):
        lot(100, expires_at=NOW + DAY)
        award(100_000)
        refund(50_000, 100_000)

    assert left() == [100, 50]


def test_overdue_points_do_not_pay_for_what_is_taken_back(account: Account, lot: MakeLot) -> None:
    """A sweep that was missed gives nobody free points."""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(100, expires_at=NOW + DAY)
        award(100_000)
        spend(100, "shop:2")  # of the lot that goes first
        spend(100, "shop:3")
        lot(100, expires_at=NOW + DAY)
        clock.move_to(NOW + 2 * DAY)
        refund(100_000, 100_000)

    assert (stands().available, stands().owed) == (0, 100)


def test_a_refund_is_by_the_rules_that_its_order_was_shown(account: Account) -> None:
    """Editing a rule changes nothing that was awarded or held before."""
    shown = rules(per=10_000, refund_rounding=Rounding.FLOOR, shortfall=Shortfall.FORGIVE)
    rules(per=1_000, points=7, rounding=Rounding.CEIL)

    earned = award(100_000, version=shown)
    rules(per=500)

    assert earned == 10
    assert refunds([33_333, 33_333, 33_334], 100_000) == [(0, 3), (0, 3), (0, 4)]
    assert Entry.objects.get(kind="earn").version == shown


def test_what_comes_back_is_by_the_rules_that_its_order_was_shown(account: Account) -> None:
    """The rounding and the grace are those of the hold."""
    with time_machine.travel(NOW, tick=False) as clock:
        rules(refund_rounding=Rounding.FLOOR, restore_grace_days=30)
        adjust(100)
        spend(100, "shop:1")
        rules(refund_rounding=Rounding.CEIL, restore_grace_days=0)
        clock.shift(400 * DAY)

        assert refunds([333, 667], 1_000) == [(33, 0), (67, 0)]
        assert sweep() == {}


def test_an_order_that_was_part_refunded_before_it_was_paid_keeps_its_part(account: Account) -> None:
    """Cash on delivery: goods were sent back at the door, the rest was paid."""
    refund(30_000, 100_000, ref="at the door")

    award(100_000)

    assert (stands().available, OrderAward.objects.get().clawed) == (70, 30)
    assert refund(100_000, 100_000) == (0, 70)


def test_a_purchase_without_points_is_refunded_without_any(account: Account) -> None:
    assert refund(30_000, 100_000) == refund(30_000, 100_000) == (0, 0)
    assert RefundApplied.objects.count() == 1


def test_points_that_paid_part_of_the_goods_leave_a_smaller_basis_to_take_back_from(account: Account) -> None:
    """The goods part of a refund is scaled to what earned: half of the goods is half of the basis."""
    adjust(5_000)
    hold(5_000)
    capture(value=50_000)
    award(100_000, worth=50_000)

    assert refund(50_000, 100_000) == (2_500, 25)
    assert OrderAward.objects.get().refunded == 25_000


@pytest.mark.django_db
def test_the_basis_of_an_award_is_what_was_paid_for_goods(account: Account) -> None:
    award(100_000, worth=50_000, shipping=15_000)

    assert OrderAward.objects.get().basis == bought(100_000).goods - 50_000


@given(
    st.integers(0, 10**6),
    st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any),
    st.integers(0, 10**6),
    st.sampled_from(Rounding),
)
def test_what_is_taken_is_never_negative_and_ends_at_the_whole(
    points: int, parts: list[int], basis: int, mode: Rounding
) -> None:
    """The two steps of a claw-back, goods to basis to points, as one: whatever the split."""
    goods = sum(parts)
    so_far = [sum(parts[: number + 1]) for number in range(len(parts))]

    taken = [cumulative(points, cumulative(basis, done, goods, mode), basis, mode) for done in so_far] if basis else []

    assert taken == sorted(taken)
    assert not taken or taken[-1] == points
