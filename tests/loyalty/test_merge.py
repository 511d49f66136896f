"""Two accounts become one: lots keep their expiry, debts are netted, and refunds follow."""

from datetime import timedelta

import pytest
import time_machine

from loyalink_khalti.errors import AccountBlocked, AccountMerged, LedgerError
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import OrderSnapshot, points_card
from loyalink_khalti.loyalty.models import Account, Entry, Lot
from loyalink_khalti.money import Paisa

from .conftest import (
    SITE,
    account_of,
    adjust,
    award,
    hold,
    late_capture,
    nepal,
    order_of,
    refund,
    release,
    set_rules,
    sweep,
)

pytestmark = [pytest.mark.money, pytest.mark.django_db]

NOW = nepal(2026, 2, 25, 12)


def merge(member_id: str, into: str) -> Account:
    return ledger.merge(site_key=SITE, member_id=member_id, into=into, actor="1")


def owes(member_id: str) -> tuple[int, int, int]:
    """Return the points available, pending and owed."""
    account = account_of(member_id)
    return account.available, account.pending, account.owed


def test_every_lot_moves_with_its_expiry() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        award(100_000, "shop:1", member_id="7")
        clock.shift(timedelta(days=40))
        set_rules(pending_days=30)
        award(50_000, "shop:2", member_id="7")
        adjust(5, member_id="8")
        merge("7", "8")

    assert (owes("7"), owes("8")) == ((0, 0, 0), (105, 50, 0))
    moved = Lot.objects.filter(account__member_id="8").exclude(original=5).order_by("pk")
    assert list(moved.values_list("remaining", "pending", "expires_at")) == [
        (100, 0, nepal(2027, 2, 26)),
        (0, 50, nepal(2027, 5, 7)),
    ]
    assert {entry.actor for entry in Entry.objects.filter(kind__in=["merge_out", "merge_in"])} == {"1"}


@pytest.mark.parametrize(
    ("first", "second", "then"),
    [
        pytest.param(-30, 100, (70, 0, 0), id="the debt of the one that ends"),
        pytest.param(100, -30, (70, 0, 0), id="the debt of the one that stays"),
        pytest.param(-30, -40, (0, 0, 70), id="both"),
    ],
)
def test_debts_are_netted(first: int, second: int, then: tuple[int, int, int]) -> None:
    for member_id, points in (("7", first), ("8", second)):
        adjust(abs(points), f"in {member_id}", member_id=member_id)
        if points < 0:
            redeem_all_and_owe(member_id, -points)

    merge("7", "8")

    assert (owes("7"), owes("8")) == ((0, 0, 0), then)


def redeem_all_and_owe(member_id: str, points: int) -> None:
    """Earn points, redeem all of them, and refund the order that earned them."""
    adjust(-points, f"out {member_id}", member_id=member_id)
    award(points * 1_000, f"shop:{member_id}", member_id=member_id)
    hold(points, f"shop:{member_id}:2", member_id=member_id)
    ledger.capture(purchase=f"shop:{member_id}:2", value=Paisa(1_000))
    refund(points * 1_000, points * 1_000, f"shop:{member_id}")


def test_refunds_follow_to_the_account_that_stays() -> None:
    """F15"""
    set_rules(redeem_points=1, redeem_value=100)
    award(100_000, "shop:1", member_id="7")
    hold(40, "shop:2", member_id="7")
    ledger.capture(purchase="shop:2", value=Paisa(1_000))
    merge("7", "8")

    clawed_back = refund(50_000, 100_000, "shop:1")
    restored = refund(10_000, 10_000, "shop:2")

    assert (clawed_back, restored) == ((0, 50), (40, 0))
    assert (owes("7"), owes("8")) == ((0, 0, 0), (50, 0, 0))


def test_pending_points_are_clawed_back_from_the_account_that_has_them() -> None:
    set_rules(pending_days=14)
    with time_machine.travel(NOW, tick=False) as clock:
        award(100_000, "shop:1", member_id="7")
        merge("7", "8")
        refund(25_000, 100_000, "shop:1")
        clock.shift(timedelta(days=14))
        sweep()

    assert owes("8") == (75, 0, 0)


def test_points_restored_after_a_merge_keep_their_expiry() -> None:
    with time_machine.travel(NOW, tick=False):
        award(100_000, "shop:1", member_id="7")
        hold(100, "shop:2", member_id="7")
        ledger.capture(purchase="shop:2", value=Paisa(1_000))
        merge("7", "8")
        refund(10_000, 10_000, "shop:2")

    assert Lot.objects.get(account__member_id="8").expires_at == nepal(2027, 2, 26)


def test_accounts_with_held_points_are_not_merged() -> None:
    adjust(300, member_id="7")
    adjust(1, "2", member_id="8")
    hold(200)

    with pytest.raises(LedgerError, match="held for a payment"):
        merge("7", "8")
    release()
    merge("7", "8")

    assert owes("8") == (301, 0, 0)


def test_a_member_whose_account_has_ended_neither_sees_nor_uses_the_points_of_the_other() -> None:
    """M6"""
    award(100_000, "shop:1", member_id="7")
    adjust(300, member_id="8")
    merge("7", "8")

    for verb in (lambda: hold(100, "shop:10"), lambda: late_capture(5, "shop:11")):
        with pytest.raises(AccountMerged):
            verb()

    card = points_card(SITE, "7")
    assert (card.available, card.pending, card.owed, card.points_value) == (0, 0, 0, 0)
    assert card.merged_at is not None
    history = ledger.points_history(Account.objects.get(member_id="7"))
    assert [line.purchase for line in history.lines] == ["", "shop:1"]  # its own history alone
    assert (points_card(SITE, "8").available, points_card(SITE, "8").merged_at) == (400, None)
    assert ledger.award_signup_bonus(site_key=SITE, member_id="7") == 0
    assert owes("8") == (400, 0, 0)


def test_an_order_that_began_before_the_merge_earns_for_the_account_that_stays_and_a_later_one_nothing() -> None:
    """M6"""
    with time_machine.travel(NOW, tick=False) as clock:
        adjust(1, member_id="7")
        older = order_of(100_000)
        clock.shift(timedelta(hours=1))
        merge("7", "8")
        clock.shift(timedelta(hours=1))

        def award_of(order: OrderSnapshot, purchase: str) -> int:
            return ledger.award(site_key=SITE, member_id="7", purchase=purchase, order=order)

        assert [award_of(older, "shop:1"), award_of(older, "shop:1")] == [100, 100]
        assert [award_of(order_of(100_000), "shop:2"), award_of(order_of(100_000), "shop:2")] == [0, 0]
    assert (owes("7"), owes("8")) == ((0, 0, 0), (101, 0, 0))


def test_points_of_a_released_older_order_are_redeemed_late_by_the_account_that_has_them() -> None:
    """M6: staff fulfil what was paid after its release."""
    adjust(300, member_id="7")
    hold(200, "shop:1")
    release("shop:1")
    merge("7", "8")

    with pytest.raises(AccountMerged):
        hold(200, "shop:1")
    assert late_capture(200, "shop:1") == 200
    assert owes("8") == (100, 0, 0)


def test_a_repeated_award_has_the_same_answer_after_a_merge() -> None:
    award(100_000, member_id="7")
    merge("7", "8")

    assert award(100_000, member_id="7") == 100
    assert owes("8") == (100, 0, 0)


def test_a_repeated_merge_is_merged_once_and_is_never_reversed() -> None:
    adjust(300, member_id="7")

    assert merge("7", "8") == merge("7", "8")
    for ends, stays in (("8", "7"), ("8", "8"), ("7", "7")):
        with pytest.raises(LedgerError, match="one account already"):
            merge(ends, stays)
    assert (owes("7"), owes("8")) == ((0, 0, 0), (300, 0, 0))


def test_merges_can_follow_each_other() -> None:
    set_rules(redeem_points=1, redeem_value=100)
    award(100_000, "shop:1", member_id="6")
    merge("6", "7")
    merge("7", "8")

    refund(100_000, 100_000, "shop:1")
    adjust(10, member_id="6")

    assert [owes(member_id) for member_id in "678"] == [(0, 0, 0), (0, 0, 0), (10, 0, 0)]
    assert merge("6", "7") == merge("6", "8") == Account.objects.get(member_id="8")


def test_a_merge_into_a_merged_account_goes_to_the_account_with_its_points() -> None:
    adjust(10, member_id="6")
    merge("7", "8")

    assert merge("6", "7") == merge("6", "7") == Account.objects.get(member_id="8")
    assert owes("8") == (10, 0, 0)


def test_points_earned_by_both_count_for_the_tier_after_a_refund_too() -> None:
    award(300_000, "shop:1", member_id="7")
    award(300_000, "shop:2", member_id="8")
    merge("7", "8")
    merged = account_of("8").tier, points_card(SITE, "8").lifetime_earned
    refund(200_000, 300_000, "shop:1")

    assert (merged, account_of("8").tier, points_card(SITE, "8").lifetime_earned) == (("Gold", 600), "", 400)


def test_a_merged_account_cannot_redeem_by_itself() -> None:
    adjust(300, member_id="7")
    ended = Account.objects.get(member_id="7")
    merge("7", "8")
    Account.objects.filter(member_id="8").update(blocked=True)

    with pytest.raises(AccountBlocked):
        hold(100)
    ended.refresh_from_db()
    assert (ended.blocked, ended.successor) == (True, Account.objects.get(member_id="8"))


def test_a_merged_member_is_erased_without_the_other() -> None:
    adjust(300, member_id="7")
    merge("7", "8")

    assert ledger.erase(site_key=SITE, member_id="7")
    assert not Account.objects.filter(member_id="7").exists()
    assert owes("8") == (300, 0, 0)
