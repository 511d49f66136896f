"""What a refund does to points. Refunds are cumulative, so that the parts of any split sum to the whole."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from loyalink_khalti.errors import LedgerConflict
from loyalink_khalti.loyalty.models import Account, Entry, Lot
from loyalink_khalti.loyalty.orders import OrderAward, RefundApplied
from loyalink_khalti.loyalty.rules import CampaignRule, Shortfall
from loyalink_khalti.money import Points, Rounding, cumulative

from .conftest import (
    account_of,
    adjust,
    award,
    balances,
    capture,
    check_ledger,
    entry_kinds,
    hold,
    nepal,
    order_of,
    redeem,
    refund,
    refunds,
    remaining,
    set_rules,
    sweep,
)

pytestmark = pytest.mark.money

DAY = timedelta(days=1)
NOW = nepal(2026, 2, 25, 12)
MakeLot = Callable[..., Lot]
PER_TEN_DOLLARS: dict[str, Any] = {"per": 1000}


@pytest.mark.parametrize(("mode", "clawed_back"), [("half_up", (0, 0, 1, 2)), ("floor", (0, 0, 0, 1))])
@pytest.mark.parametrize("number", range(4))
def test_a_partial_refund_claws_back_its_share(
    account: Account, mode: str, clawed_back: list[int], number: int
) -> None:
    """SQ-6: an order of $21.90 earned 2 points; $1, $5, $10 or $20 are refunded."""
    set_rules(**PER_TEN_DOLLARS, refund_rounding=Rounding(mode))
    award(2_190)

    assert refund((100, 500, 1000, 2000)[number], 2_190) == (0, clawed_back[number])
    check_ledger()


def test_many_small_refunds_claw_back_all_that_the_order_earned(account: Account) -> None:
    """SQ-7: rounding each refund by itself would claw back nothing."""
    set_rules(**PER_TEN_DOLLARS)
    award(2_190)

    assert refunds([547, 547, 548, 548], 2_190) == [(0, 0), (0, 1), (0, 0), (0, 1)]
    assert balances() == (0, 0, 0)


@pytest.mark.parametrize(
    ("mode", "clawed_back"),
    [
        pytest.param("half_up", [3, 4, 3], id="D-5"),
        pytest.param("floor", [3, 3, 4], id="D-5 floor"),
        pytest.param("ceil", [4, 3, 3], id="D-5 ceil"),
    ],
)
def test_three_thirds_claw_back_the_whole(account: Account, mode: str, clawed_back: list[int]) -> None:
    set_rules(per=10_000, refund_rounding=Rounding(mode))
    award(100_000)

    assert refunds([33_333, 33_333, 33_334], 100_000) == [(0, points) for points in clawed_back]
    assert account_of().available == 0


def test_seven_sevenths_claw_back_the_whole(account: Account) -> None:
    """D-6: rounding each refund by itself would claw back 7."""
    set_rules(per=10_000)
    award(100_002)

    assert [points_clawed_back for _, points_clawed_back in refunds([14_286] * 7, 100_002)] == [1, 2, 1, 2, 1, 2, 1]


def test_cash_restored_points_and_clawed_back_points_each_sum_to_the_whole(account: Account) -> None:
    """D-8: 500 points paid Rs 500 of Rs 2,000; the rest, paid by Khalti, earned 15."""
    set_rules(per=10_000, redeem_points=1, redeem_value=100)
    adjust(500)
    redeem(500, "shop:1")
    award(200_000, points_value=50_000)

    moved = refunds([80_000, 70_000, 50_000], 200_000)
    cash = [cumulative(150_000, so_far, 200_000) for so_far in (80_000, 150_000, 200_000)]

    assert moved == [(200, 6), (175, 5), (125, 4)]
    assert [cash[0], cash[1] - cash[0], cash[2] - cash[1]] == [60_000, 52_500, 37_500]
    assert balances() == (500, 0, 0)


def test_points_are_restored_before_any_are_clawed_back(account: Account) -> None:
    """D-9: 2 of the 5 points earned are redeemed; restored points pay for them, and the shop loses nothing."""
    set_rules(shortfall=Shortfall.FORGIVE, minimum_points=1, increment=1, redeem_points=1)
    adjust(500)
    redeem(500, "shop:1")
    award(5_000)
    redeem(2, "shop:2")

    assert refund(5_000, 5_000) == (500, 5)
    assert (account_of().available, OrderAward.objects.get().points_forgiven) == (498, 0)
    assert [kind for kind, _ in entry_kinds()][-2:] == ["restore", "claw_back"]


def test_pending_points_are_clawed_back_first(account: Account) -> None:
    """D-14"""
    set_rules(pending_days=14)
    with time_machine.travel(NOW, tick=False) as clock:
        award(40_000)
        refund(10_000, 40_000)
        waiting = account_of()
        clock.move_to(NOW + 14 * DAY)
        sweep()

    assert (waiting.pending, waiting.available, account_of().pending, account_of().available) == (30, 0, 0, 30)


def test_a_fixed_bonus_is_clawed_back_only_with_the_last_part(account: Account) -> None:
    """D-15"""
    with time_machine.travel(NOW, tick=False):
        bonus = CampaignRule(name="Tihar", starts_at=NOW, ends_at=NOW + DAY, addition=Points(100))
        set_rules(campaigns=(bonus,))
        award(20_000)

        assert refunds([15_000, 5_000], 20_000) == [(0, 15), (0, 105)]
    assert account_of().available == 0


def test_restored_points_return_to_their_lots_last_used_first(account: Account, lot: MakeLot) -> None:
    """D-16"""
    with time_machine.travel(NOW, tick=False):
        lot(100, expires_at=NOW + 10 * DAY)
        lot(100, expires_at=NOW + 20 * DAY)
        redeem(150, "shop:1")
        lots = []
        for so_far in (50_000, 150_000):
            refund(so_far, 150_000)
            lots.append(remaining())

    assert lots == [[0, 100], [100, 100]]
    assert balances() == (200, 0, 0)


def test_restored_points_keep_their_own_expiry(account: Account, lot: MakeLot) -> None:
    """D-17"""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(100, expires_at=NOW + 10 * DAY)
        redeem(100, "shop:1")
        clock.move_to(NOW + 15 * DAY)
        refund(10_000, 10_000)
        refunded = balances(), Lot.objects.count()

        assert sweep() == {"expired": 100}
    assert (refunded, balances()) == (((100, 0, 0), 1), (0, 0, 0))


def test_a_lot_that_was_refilled_twice_expires_twice(account: Account, lot: MakeLot) -> None:
    """D-17 in parts: overdue points expire before the refund is applied."""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(100, expires_at=NOW + 10 * DAY)
        redeem(100, "shop:1")
        clock.move_to(NOW + 15 * DAY)
        refunds([4_000, 6_000], 10_000)
        sweep()

    assert [kind for kind in entry_kinds() if kind[0] == "expire"] == [("expire", 40), ("expire", 60)]
    assert balances() == (0, 0, 0)


def test_restored_points_stay_to_the_end_of_the_grace_period(account: Account, lot: MakeLot) -> None:
    set_rules(restore_grace_days=30)
    with time_machine.travel(NOW, tick=False):
        lot(100, expires_at=NOW + 10 * DAY)
        lot(50, expires_at=NOW + 90 * DAY)
        redeem(150, "shop:1")
        refund(10_000, 10_000)

    assert account_of().available == 150
    assert list(Lot.objects.filter(remaining__gt=0).order_by("expires_at").values_list("remaining", "expires_at")) == [
        (100, nepal(2026, 3, 28)),
        (50, NOW + 90 * DAY),
    ]


def test_refunds_are_cumulative_and_a_repeated_one_moves_nothing(account: Account) -> None:
    """D-22, F09"""
    set_rules(per=10_000)
    award(150_000)
    clawed_back = []
    for so_far, ref in ((60_000, "first"), (60_000, "first"), (60_000, "second"), (150_000, "third")):
        before = account_of().available
        refund(so_far, 150_000, ref=ref)
        clawed_back.append(before - account_of().available)

    assert clawed_back == [6, 0, 0, 9]
    assert RefundApplied.objects.count() == 3


def test_a_repeated_refund_has_the_same_answer_and_other_figures_are_refused(account: Account) -> None:
    award(150_000)

    assert refund(60_000, 150_000, ref="same") == refund(60_000, 150_000, ref="same") == (0, 60)
    with pytest.raises(LedgerConflict):
        refund(70_000, 150_000, ref="same")
    with pytest.raises(LedgerConflict):
        refund(150_001, 150_000)
    with pytest.raises(LedgerConflict):
        refund(59_999, 150_000)


@pytest.mark.parametrize(
    ("policy", "available", "owed", "short"),
    [
        pytest.param(Shortfall.FORGIVE, 0, 0, 100, id="SE-14"),
        pytest.param(Shortfall.OWE, 0, 100, 0, id="SE-15"),
        pytest.param(Shortfall.PENDING_ONLY, 50, 0, 150, id="pending only"),
    ],
)
def test_clawed_back_points_that_were_redeemed_are_owed_or_written_off(
    account: Account, policy: Shortfall, available: int, owed: int, short: int
) -> None:
    """F05"""
    set_rules(shortfall=policy)
    award(150_000)
    redeem(100, "shop:2")

    refund(150_000, 150_000)

    assert (account_of().available, account_of().owed, OrderAward.objects.get().points_forgiven) == (
        available,
        owed,
        short,
    )
    assert OrderAward.objects.get().points_clawed_back == 150


def test_the_points_of_the_order_are_clawed_back_before_others(account: Account, lot: MakeLot) -> None:
    with time_machine.travel(NOW, tick=False):
        lot(100, expires_at=NOW + DAY)
        award(100_000)
        refund(50_000, 100_000)

    assert remaining() == [100, 50]


def test_overdue_points_do_not_pay_for_a_claw_back(account: Account, lot: MakeLot) -> None:
    """A missed sweep gives no free points."""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(100, expires_at=NOW + DAY)
        award(100_000)
        redeem(100, "shop:2")  # from the lot that expires first
        redeem(100, "shop:3")
        lot(100, expires_at=NOW + DAY)
        clock.move_to(NOW + 2 * DAY)
        refund(100_000, 100_000)

    assert (account_of().available, account_of().owed) == (0, 100)


def test_a_claw_back_follows_the_rules_that_the_customer_was_shown(account: Account) -> None:
    """Editing a rule does not change earlier awards and holds."""
    shown = set_rules(per=10_000, refund_rounding=Rounding.FLOOR, shortfall=Shortfall.FORGIVE)
    set_rules(per=1_000, points=7, rounding=Rounding.CEIL)

    earned = award(100_000, version=shown)
    set_rules(per=500)

    assert earned == 10
    assert refunds([33_333, 33_333, 33_334], 100_000) == [(0, 3), (0, 3), (0, 4)]
    assert Entry.objects.get(kind="earn").version == shown


def test_a_restore_follows_the_rules_that_the_customer_was_shown(account: Account) -> None:
    """The rounding and the grace period are those of the hold."""
    with time_machine.travel(NOW, tick=False) as clock:
        set_rules(refund_rounding=Rounding.FLOOR, restore_grace_days=30)
        adjust(100)
        redeem(100, "shop:1")
        set_rules(refund_rounding=Rounding.CEIL, restore_grace_days=0)
        clock.shift(400 * DAY)

        assert refunds([333, 667], 1_000) == [(33, 0), (67, 0)]
        assert sweep() == {}


def test_an_award_after_a_partial_refund_is_reduced(account: Account) -> None:
    """Cash on delivery: the customer returned some products at delivery and paid for the rest."""
    refund(30_000, 100_000, ref="at delivery")

    award(100_000)

    assert (account_of().available, OrderAward.objects.get().points_clawed_back) == (70, 30)
    assert refund(100_000, 100_000) == (0, 70)


def test_a_refund_of_a_purchase_without_points_moves_none(account: Account) -> None:
    assert refund(30_000, 100_000) == refund(30_000, 100_000) == (0, 0)
    assert RefundApplied.objects.count() == 1


def test_points_that_paid_for_products_leave_a_smaller_basis_to_claw_back(account: Account) -> None:
    """A refund is scaled to the basis: half of the subtotal is half of the basis."""
    adjust(5_000)
    hold(5_000)
    capture(value=50_000)
    award(100_000, points_value=50_000)

    assert refund(50_000, 100_000) == (2_500, 25)
    assert OrderAward.objects.get().refunded == 25_000


@pytest.mark.django_db
def test_the_basis_of_an_award_is_the_money_paid_for_products(account: Account) -> None:
    award(100_000, points_value=50_000, shipping=15_000)

    assert OrderAward.objects.get().basis == order_of(100_000).subtotal - 50_000


@given(
    st.integers(0, 10**6),
    st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any),
    st.integers(0, 10**6),
    st.sampled_from(Rounding),
)
def test_clawed_back_points_are_never_negative_and_end_at_the_whole(
    points: int, parts: list[int], basis: int, mode: Rounding
) -> None:
    """Both steps of a claw-back, from subtotal to basis to points, for any split."""
    subtotal = sum(parts)
    so_far = [sum(parts[: number + 1]) for number in range(len(parts))]

    clawed_back = (
        [cumulative(points, cumulative(basis, done, subtotal, mode), basis, mode) for done in so_far] if basis else []
    )

    assert clawed_back == sorted(clawed_back)
    assert not clawed_back or clawed_back[-1] == points
