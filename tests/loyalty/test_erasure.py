"""An erased member's points are written off, also those that arrive later; who was merged into them keeps theirs."""

from datetime import timedelta

import pytest
import time_machine

from loyalink_khalti.errors import LedgerError
from loyalink_khalti.loyalty import audit, ledger, reports
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.money import Paisa

from .conftest import (
    SITE,
    account_of,
    adjust,
    award,
    check_ledger,
    entry_kinds,
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
    return ledger.merge(site_key=SITE, member_id=member_id, into=into)


def erase(member_id: str = "7", purchases: tuple[str, ...] = ()) -> bool:
    return ledger.erase(site_key=SITE, member_id=member_id, purchases=purchases)


def redeem(points: int, purchase: str, member_id: str = "7") -> None:
    hold(points, purchase, member_id=member_id)
    ledger.capture(purchase=purchase, value=Paisa(1_000))


def void() -> Account:
    """Check that the only erased account has nothing left; return it."""
    check_ledger()
    account = Account.objects.get(member_id=None)
    assert (account.available, account.pending, account.held, account.owed) == (0, 0, 0, 0)
    assert not Lot.objects.filter(account=account).exclude(pending=0, remaining=0).exists()
    return account


def test_erasing_writes_off_available_and_pending_points() -> None:
    """M8"""
    adjust(1_000)
    set_rules(pending_days=14)
    award(40_000)

    erase()

    void()
    assert entry_kinds() == [("adjust", 1000), ("earn", 40), ("write_off", 40), ("write_off", 1000)]
    assert reports.liability() == reports.Liability(members=0, points=0, owed=0, gross=Paisa(0))


def test_erasing_writes_off_what_the_member_owes() -> None:
    """M8"""
    late_capture(40)

    erase()

    void()
    assert reports.liability().owed == 0


@pytest.mark.parametrize("pending_days", [0, 14])
def test_an_award_that_arrives_after_the_erasure_is_written_off_at_once(pending_days: int) -> None:
    """M8: cash on delivery that is received later."""
    set_rules(pending_days=pending_days)
    with time_machine.travel(NOW, tick=False) as clock:
        adjust(10)
        order = order_of(100_000)
        clock.shift(timedelta(days=1))
        erase(purchases=("shop:1", "shop:9"))
        clock.shift(timedelta(days=1))

        def award_again() -> int:
            return ledger.award(site_key=SITE, member_id="7", purchase="shop:1", order=order)

        assert (award_again(), award_again()) == (100, 100)
    assert void().lifetime_earned == 100
    assert Account.objects.count() == 1


def test_a_member_who_was_erased_and_comes_back_earns_on_an_account_of_their_own() -> None:
    """M8"""
    with time_machine.travel(NOW, tick=False) as clock:
        adjust(10)
        older = order_of(100_000)
        clock.shift(timedelta(days=1))
        erase(purchases=("shop:1",))
        clock.shift(timedelta(days=1))

        award(50_000, "shop:2")
        ledger.award(site_key=SITE, member_id="7", purchase="shop:1", order=older)

    assert (account_of().available, void().lifetime_earned) == (50, 100)


def test_points_that_a_refund_restores_or_claws_back_later_are_written_off_at_once() -> None:
    """M8"""
    adjust(1_000)
    redeem(600, "shop:1")
    award(50_000, "shop:2")
    erase()

    assert refund(10_000, 10_000, "shop:1") == (600, 0)
    assert refund(50_000, 50_000, "shop:2") == (0, 50)

    void()
    assert reports.liability().points == 0


def test_points_redeemed_late_for_an_erased_member_are_no_debt() -> None:
    """M8"""
    adjust(300)
    hold(200, "shop:1")
    release("shop:1")
    erase()

    assert late_capture(200, "shop:1") == 200
    void()
    assert Account.objects.count() == 1


def test_erasing_waits_while_points_are_held() -> None:
    """M8"""
    adjust(300)
    hold(200)

    with pytest.raises(LedgerError, match="held for a payment"):
        erase()
    assert account_of().available == 100
    release()
    assert (erase(), erase()) == (True, False)


def test_a_member_who_was_merged_into_an_erased_one_has_what_is_left_of_their_points() -> None:
    """M8, M8a"""
    with time_machine.travel(NOW, tick=False) as clock:
        award(100_000, "shop:a", member_id="a")
        clock.shift(timedelta(days=1))
        adjust(1_000, "b", member_id="b")
        older = order_of(30_000)
        clock.shift(timedelta(days=1))
        merge("a", "b")
        redeem(40, "shop:b", member_id="b")  # the earliest points first: those of a
        preview = ledger.preview_erasure(account_of("b"))
        clock.shift(timedelta(days=1))
        erase("b")

        assert (preview.points, preview.owed) == (1_000, 0)
        assert [(account.member_id, points) for account, points in preview.reopened] == [("a", 60)]
        card = ledger.points_card(SITE, "a")
        assert (card.available, card.merged_at, card.lifetime_earned) == (60, None, 100)
        assert ledger.award(site_key=SITE, member_id="a", purchase="shop:a2", order=older) == 30
        assert award(10_000, "shop:a3", member_id="a") == 10
        assert refund(100_000, 100_000, "shop:a") == (0, 100)
    a = account_of("a")
    assert (a.available, a.owed, a.blocked, a.successor) == (0, 0, False, None)
    void()


def test_a_merge_of_merges_parts_where_the_erased_member_was() -> None:
    """M8, M8a: a into b into c, and c is erased."""
    for number, member_id in enumerate("abc", 1):
        adjust(100 * number, member_id, member_id=member_id)
    merge("a", "b")
    merge("b", "c")

    erase("c")

    void()
    assert ledger.points_card(SITE, "b").available == 300
    assert account_of("a").successor == account_of("b")
    assert ledger.points_card(SITE, "a").merged_at is not None
    merge("b", "d")
    assert ledger.points_card(SITE, "d").available == 300


def test_erasing_a_member_in_the_middle_of_a_merge_of_merges_loses_nothing() -> None:
    """M8, M8a: a into b into c, and b is erased."""
    award(100_000, "shop:a", member_id="a")
    redeem(40, "shop:a2", member_id="a")
    merge("a", "b")
    merge("b", "c")

    erase("b")

    assert ledger.points_card(SITE, "c").available == 60
    assert refund(10_000, 10_000, "shop:a2") == (40, 0)
    assert (account_of("c").available, account_of("a").successor) == (100, account_of("c"))
    assert ledger.points_card(SITE, "c").lifetime_earned == 100


def test_an_erased_member_who_was_merged_gets_nothing_back() -> None:
    """M8, M8a: a into b, and both are erased."""
    adjust(100, "a", member_id="a")
    merge("a", "b")
    erase("a")

    assert ledger.points_card(SITE, "b").available == 100
    erase("b")

    assert not Account.objects.exclude(available=0, successor=None).exists()
    check_ledger()


def test_a_block_is_not_lifted_by_erasing_the_account_that_was_merged_into() -> None:
    """M8"""
    adjust(100, "a", member_id="a")
    merge("a", "b")
    ledger.set_blocked(site_key=SITE, member_id="b", blocked=True)

    erase("b")

    assert (account_of("a").available, account_of("a").blocked) == (100, True)


def test_points_of_members_erased_before_this_version_are_written_off_by_the_sweep() -> None:
    """M8, M8b"""
    adjust(100, "a", member_id="a")
    adjust(50, "b", member_id="b")
    merge("a", "b")
    Account.objects.filter(member_id="b").update(member_id=None, blocked=True, seal="", sealed_seq=0)
    assert "L15" in {invariant for _, invariant, _ in audit.violations()}

    assert sweep()["written off"] == 150

    assert (account_of("a").available, account_of("a").blocked) == (100, False)
    void()
    assert "written off" not in sweep()
