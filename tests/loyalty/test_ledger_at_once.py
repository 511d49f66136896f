"""The ledger with many at once; each verb runs in a transaction of its own, as the flow's do."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from django.db import transaction
from django.utils import timezone

from loyalink_khalti.errors import Insufficient, LedgerError
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.accounts import survivor
from loyalink_khalti.loyalty.models import Account, Entry, Hold, Lot
from loyalink_khalti.loyalty.orders import RefundApplied
from loyalink_khalti.loyalty.programmes import ProgramVersion
from tests.purchases import at_once

from .conftest import (
    SITE,
    adjust,
    award,
    balances,
    capture,
    hold,
    late_capture,
    refund,
    release,
    rules,
    sound,
    sweep,
)

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

T = TypeVar("T")


@pytest.fixture
def rich(transactional_db: None) -> Account:
    adjust(100, "opening")
    return Account.objects.get()


def alone(work: Callable[[], T]) -> T:
    with transaction.atomic():
        return work()


def test_fifty_who_spend_the_whole_balance_at_once_spend_it_once(rich: Account) -> None:
    """C-1, F13"""
    took = at_once(50, lambda index: alone(lambda: hold(100, f"shop:{index}")))

    assert sorted(type(each).__name__ for each in took) == ["Hold"] + ["Insufficient"] * 49
    assert balances() == (0, 100, 0)


def test_twenty_awards_of_one_order_are_one(rich: Account) -> None:
    """C-2: I4"""

    given = at_once(20, lambda _: alone(lambda: award(15_000)))

    assert given == [15] * 20
    assert Entry.objects.filter(kind="earn").count() == 1
    assert balances()[0] == 115


def test_ten_members_who_earn_for_the_first_time_at_once_have_an_account_each(transactional_db: None) -> None:
    given = at_once(10, lambda index: alone(lambda: award(15_000, f"shop:{index}", member_id=str(index % 2))))

    assert given == [15] * 10
    assert sorted(Account.objects.values_list("member_id", "available")) == [("0", 75), ("1", 75)]


def test_ten_captures_or_releases_of_one_hold_are_one(rich: Account) -> None:
    """D-12: a hold resolves at most once."""
    hold(60, "shop:1")

    at_once(10, lambda index: alone(release if index % 2 else capture))

    state = Hold.objects.get().state
    assert balances() == ((40, 0, 60) if state == "captured" else (100, 0, 0))
    assert Entry.objects.filter(kind__in=["capture", "release"]).count() == 1


def test_one_refund_applied_twenty_times_at_once_is_applied_once(rich: Account) -> None:
    """F09"""
    award(100_000)

    given = at_once(20, lambda _: alone(lambda: refund(50_000, 100_000, ref="same")))

    assert given == [(0, 50)] * 20
    assert (RefundApplied.objects.count(), Entry.objects.filter(kind="claw_back").count()) == (1, 1)
    assert balances()[0] == 150


def test_one_refund_of_a_purchase_without_points_is_applied_once(rich: Account) -> None:
    given = at_once(10, lambda _: alone(lambda: refund(50_000, 100_000, ref="same")))

    assert given == [(0, 0)] * 10
    assert RefundApplied.objects.count() == 1


def test_refunds_of_two_orders_at_once_both_count(rich: Account) -> None:
    for number in range(8):
        award(10_000, f"shop:{number}")

    at_once(8, lambda index: alone(lambda: refund(10_000, 10_000, f"shop:{index}")))

    assert balances()[0] == 100


def test_opposite_merges_at_once_leave_one_account_and_no_deadlock(transactional_db: None) -> None:
    """C-3"""
    adjust(70, "7", member_id="7")
    adjust(80, "8", member_id="8")

    def merge(index: int) -> Account:
        ends, stays = ("7", "8") if index % 2 else ("8", "7")
        return ledger.merge(site_key=SITE, member_id=ends, into=stays)

    done = at_once(16, merge)

    merged = [each for each in done if isinstance(each, Account)]
    assert {type(each) for each in done} <= {Account, LedgerError}
    assert len(merged) == 8  # of one direction all, of the other none
    assert len({account.pk for account in merged}) == 1
    assert sorted(Account.objects.values_list("available", flat=True)) == [0, 150]
    sound()


def test_merges_in_a_circle_at_once_lose_nothing(transactional_db: None) -> None:
    """C-3: whichever came first, the others are refused or go on from what it left."""
    for member_id in "789":
        adjust(10, member_id, member_id=member_id)

    def merge(index: int) -> Account:
        ends, stays = ("78", "89", "97")[index % 3]
        return ledger.merge(site_key=SITE, member_id=ends, into=stays)

    done = at_once(15, merge)

    assert {type(each) for each in done} <= {Account, LedgerError}
    assert sum(Account.objects.values_list("available", flat=True)) == 30
    assert not Account.objects.filter(successor__isnull=False, available__gt=0).exists()
    assert len({survivor(account).pk for account in Account.objects.all()}) < 3
    sound()


def test_what_is_earned_while_accounts_are_merged_is_not_lost(transactional_db: None) -> None:
    adjust(70, "7", member_id="7")
    adjust(80, "8", member_id="8")

    def some(index: int) -> object:
        if index == 4:
            return ledger.merge(site_key=SITE, member_id="7", into="8")
        return alone(lambda: award(10_000, f"shop:{index}", member_id="7"))

    done = at_once(10, some)

    assert not [each for each in done if isinstance(each, Exception)]
    assert sorted(Account.objects.values_list("available", flat=True)) == [0, 150 + 9 * 10]
    sound()


def test_points_are_held_or_expire_and_never_both(rich: Account) -> None:
    """D-10 at once: a checkout and the sweep come upon lots that are due."""
    now = timezone.now()
    Lot.objects.update(expires_at=now)
    adjust(60, "fresh")

    def some(index: int) -> object:
        return alone(lambda: hold(60, f"shop:{index}")) if index % 2 else sweep()

    done = at_once(12, some)

    held = [each for each in done if isinstance(each, Hold)]
    refused = [each for each in done if isinstance(each, Exception)]
    assert len(held) == 1
    assert {type(each) for each in refused} == {Insufficient}
    assert Entry.objects.filter(kind="expire").count() == 1
    assert balances() == (0, 60, 0)


def test_twenty_late_captures_of_one_purchase_are_one(rich: Account) -> None:
    """D-20: again is no more."""
    spent = at_once(20, lambda _: alone(lambda: late_capture(150)))

    assert spent == [150] * 20
    assert (balances(), Account.objects.get().owed) == ((0, 0, 150), 50)


def test_twenty_who_sign_up_a_member_at_once_give_one_bonus(transactional_db: None) -> None:
    rules(sign_up_bonus=100)

    given = at_once(20, lambda _: ledger.sign_up(site_key=SITE, member_id="7"))

    assert sorted(given, key=str) == [0] * 19 + [100]
    assert balances()[0] == 100


def test_rules_that_are_changed_at_once_are_versions_one_after_another(transactional_db: None) -> None:
    at_once(8, lambda index: rules(points=index + 2))

    numbers = ProgramVersion.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, 10))


def test_ten_adjustments_under_one_key_are_one(rich: Account) -> None:
    """F10"""
    at_once(10, lambda _: adjust(-30, "same"))

    assert balances() == (70, 0, 0)


def test_two_staff_who_adjust_at_once_both_count_and_never_below_zero(rich: Account) -> None:
    """F10: one gives and one takes, ten times each; then two take all that is there."""
    both = at_once(20, lambda index: alone(lambda: adjust(7 if index % 2 else -5, f"staff {index}")))
    between = balances()
    taken = at_once(2, lambda index: alone(lambda: adjust(-120, f"all {index}")))

    assert (sorted(map(str, both)), between) == (["-5"] * 10 + ["7"] * 10, (120, 0, 0))
    assert sorted(type(each).__name__ for each in taken) == ["Insufficient", "int"]
    assert balances() == (0, 0, 0)


def test_all_verbs_at_once_leave_a_ledger_that_adds_up(rich: Account) -> None:
    """G08"""

    def some(index: int) -> object:
        purchase = f"shop:{index}"
        match index % 4:
            case 0:
                return award(10_000, purchase)
            case 1:
                return adjust(-1, purchase)
            case 2:
                hold(5, purchase)
                return capture(purchase)
            case _:
                hold(5, purchase)
                return release(purchase)

    done = at_once(24, lambda index: alone(lambda: some(index)))

    assert not [each for each in done if isinstance(each, Exception)]
    assert balances() == (100 + 6 * 10 - 6 - 6 * 5, 0, 30)
