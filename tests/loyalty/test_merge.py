"""Two accounts become one: every point with its expiry, debts net, and refunds follow."""

from datetime import timedelta

import pytest
import time_machine

from loyalink_khalti.errors import Frozen, LedgerError
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.card import card
from loyalink_khalti.loyalty.models import Account, Entry, Lot
from loyalink_khalti.money import Paisa

from .conftest import SITE, adjust, award, hold, late_capture, nepal, refund, release, rules, spend, stands, sweep

pytestmark = [pytest.mark.money, pytest.mark.django_db]

NOW = nepal(2026, 2, 25, 12)


def merge(member_id: str, into: str) -> Account:
    return ledger.merge(site_key=SITE, member_id=member_id, into=into, actor="1")


def owes(member_id: str) -> tuple[int, int, int]:
    """Available, pending, owed."""
    account = stands(member_id)
    return account.available, account.pending, account.owed


def test_every_lot_moves_with_its_expiry() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        award(100_000, "shop:1", member_id="7")
        clock.shift(timedelta(days=40))
        rules(waiting_days=30)
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
def test_debts_net(first: int, second: int, then: tuple[int, int, int]) -> None:
    for member_id, points in (("7", first), ("8", second)):
        adjust(abs(points), f"in {member_id}", member_id=member_id)
        if points < 0:
            spend_all_and_owe(member_id, -points)

    merge("7", "8")

    assert (owes("7"), owes("8")) == ((0, 0, 0), then)


def spend_all_and_owe(member_id: str, points: int) -> None:
    """Earn, spend it all, give the goods back."""
    adjust(-points, f"out {member_id}", member_id=member_id)
    award(points * 1_000, f"shop:{member_id}", member_id=member_id)
    hold(points, f"shop:{member_id}:2", member_id=member_id)
    ledger.capture(purchase=f"shop:{member_id}:2", value=Paisa(1_000))
    refund(points * 1_000, points * 1_000, f"shop:{member_id}")


def test_refunds_follow_to_the_account_that_stays() -> None:
    """F15"""
    rules(redeem_points=1, redeem_value=100)
    award(100_000, "shop:1", member_id="7")
    hold(40, "shop:2", member_id="7")
    ledger.capture(purchase="shop:2", value=Paisa(1_000))
    merge("7", "8")

    taken = refund(50_000, 100_000, "shop:1")
    returned = refund(10_000, 10_000, "shop:2")

    assert (taken, returned) == ((0, 50), (40, 0))
    assert (owes("7"), owes("8")) == ((0, 0, 0), (50, 0, 0))


def test_what_is_still_pending_is_taken_back_where_it_has_gone() -> None:
    rules(waiting_days=14)
    with time_machine.travel(NOW, tick=False) as clock:
        award(100_000, "shop:1", member_id="7")
        merge("7", "8")
        refund(25_000, 100_000, "shop:1")
        clock.shift(timedelta(days=14))
        sweep()

    assert owes("8") == (75, 0, 0)


def test_points_returned_after_a_merge_keep_their_expiry() -> None:
    with time_machine.travel(NOW, tick=False):
        award(100_000, "shop:1", member_id="7")
        hold(100, "shop:2", member_id="7")
        ledger.capture(purchase="shop:2", value=Paisa(1_000))
        merge("7", "8")
        refund(10_000, 10_000, "shop:2")

    assert Lot.objects.get(account__member_id="8").expires_at == nepal(2027, 2, 26)


def test_while_points_are_held_nothing_is_merged() -> None:
    adjust(300, member_id="7")
    adjust(1, "2", member_id="8")
    hold(200)

    with pytest.raises(LedgerError, match="held for a payment"):
        merge("7", "8")
    release()
    merge("7", "8")

    assert owes("8") == (301, 0, 0)


def test_what_the_one_that_ended_buys_from_now_on_is_of_the_one_that_stays() -> None:
    adjust(300, member_id="7")
    merge("7", "8")

    award(100_000, "shop:9", member_id="7")
    spend(200, "shop:10")
    adjust(1, "later", member_id="7")
    late_capture(5, "shop:11")

    assert (owes("7"), owes("8")) == ((0, 0, 0), (196, 0, 0))
    assert card(SITE, "7").available == 196


def test_an_award_is_repeated_with_the_same_answer_after_a_merge() -> None:
    award(100_000, member_id="7")
    merge("7", "8")

    assert award(100_000, member_id="7") == 100
    assert owes("8") == (100, 0, 0)


def test_merged_twice_is_merged_once_and_never_back() -> None:
    adjust(300, member_id="7")

    assert merge("7", "8") == merge("7", "8")
    for ends, stays in (("8", "7"), ("8", "8"), ("7", "7")):
        with pytest.raises(LedgerError, match="one account already"):
            merge(ends, stays)
    assert (owes("7"), owes("8")) == ((0, 0, 0), (300, 0, 0))


def test_accounts_are_merged_one_after_another() -> None:
    rules(redeem_points=1, redeem_value=100)
    award(100_000, "shop:1", member_id="6")
    merge("6", "7")
    merge("7", "8")

    refund(100_000, 100_000, "shop:1")
    adjust(10, member_id="6")

    assert [owes(member_id) for member_id in "678"] == [(0, 0, 0), (0, 0, 0), (10, 0, 0)]
    assert merge("6", "7") == merge("6", "8") == Account.objects.get(member_id="8")


def test_who_is_merged_into_one_that_has_ended_goes_where_its_points_are() -> None:
    adjust(10, member_id="6")
    merge("7", "8")

    assert merge("6", "7") == merge("6", "7") == Account.objects.get(member_id="8")
    assert owes("8") == (10, 0, 0)


def test_what_both_earned_counts_for_the_level_also_after_a_refund() -> None:
    award(300_000, "shop:1", member_id="7")
    award(300_000, "shop:2", member_id="8")
    merge("7", "8")
    merged = stands("8").tier, card(SITE, "8").lifetime_earned
    refund(200_000, 300_000, "shop:1")

    assert (merged, stands("8").tier, card(SITE, "8").lifetime_earned) == (("Gold", 600), "", 400)


def test_the_account_that_ended_spends_nothing_by_itself() -> None:
    adjust(300, member_id="7")
    ended = Account.objects.get(member_id="7")
    merge("7", "8")
    Account.objects.filter(member_id="8").update(frozen=True)

    with pytest.raises(Frozen):
        hold(100)
    ended.refresh_from_db()
    assert (ended.frozen, ended.successor) == (True, Account.objects.get(member_id="8"))


def test_who_was_merged_is_forgotten_without_the_other() -> None:
    adjust(300, member_id="7")
    merge("7", "8")

    assert ledger.erase(site_key=SITE, member_id="7")
    assert not Account.objects.filter(member_id="7").exists()
    assert owes("8") == (300, 0, 0)
