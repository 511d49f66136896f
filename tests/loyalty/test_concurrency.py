"""Many processes use the ledger at once; each verb runs in a transaction of its own, as in the flow."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from django.db import transaction
from django.utils import timezone

from loyalink_khalti.errors import InsufficientPoints, LedgerError
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.accounts import surviving_account
from loyalink_khalti.loyalty.models import Account, Entry, Hold, Lot
from loyalink_khalti.loyalty.orders import RefundApplied
from loyalink_khalti.loyalty.program import ProgramVersion
from tests.purchases import at_once

from .conftest import (
    SITE,
    adjust,
    award,
    balances,
    capture,
    check_ledger,
    hold,
    late_capture,
    order_of,
    refund,
    release,
    set_rules,
    sweep,
)

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

T = TypeVar("T")


@pytest.fixture
def account_with_points(transactional_db: None) -> Account:
    adjust(100, "opening")
    return Account.objects.get()


def in_transaction(work: Callable[[], T]) -> T:
    with transaction.atomic():
        return work()


def test_fifty_concurrent_holds_of_the_whole_balance_hold_it_once(account_with_points: Account) -> None:
    """C-1, F13"""
    done = at_once(50, lambda index: in_transaction(lambda: hold(100, f"shop:{index}")))

    assert sorted(type(each).__name__ for each in done) == ["Hold"] + ["InsufficientPoints"] * 49
    assert balances() == (0, 100, 0)


def test_twenty_concurrent_awards_of_one_order_are_one_award(account_with_points: Account) -> None:
    """C-2: I4"""
    given = at_once(20, lambda _: in_transaction(lambda: award(15_000)))

    assert given == [15] * 20
    assert Entry.objects.filter(kind="earn").count() == 1
    assert balances()[0] == 115


def test_concurrent_first_awards_open_one_account_per_member(transactional_db: None) -> None:
    given = at_once(10, lambda index: in_transaction(lambda: award(15_000, f"shop:{index}", member_id=str(index % 2))))

    assert given == [15] * 10
    assert sorted(Account.objects.values_list("member_id", "available")) == [("0", 75), ("1", 75)]


def test_ten_concurrent_captures_and_releases_resolve_a_hold_once(account_with_points: Account) -> None:
    """D-12: a hold resolves at most once."""
    hold(60, "shop:1")

    at_once(10, lambda index: in_transaction(release if index % 2 else capture))

    state = Hold.objects.get().state
    assert balances() == ((40, 0, 60) if state == "captured" else (100, 0, 0))
    assert Entry.objects.filter(kind__in=["capture", "release"]).count() == 1


def test_twenty_concurrent_applications_of_one_refund_are_one(account_with_points: Account) -> None:
    """F09"""
    award(100_000)

    given = at_once(20, lambda _: in_transaction(lambda: refund(50_000, 100_000, ref="same")))

    assert given == [(0, 50)] * 20
    assert (RefundApplied.objects.count(), Entry.objects.filter(kind="claw_back").count()) == (1, 1)
    assert balances()[0] == 150


def test_concurrent_applications_of_one_refund_without_points_are_one(account_with_points: Account) -> None:
    given = at_once(10, lambda _: in_transaction(lambda: refund(50_000, 100_000, ref="same")))

    assert given == [(0, 0)] * 10
    assert RefundApplied.objects.count() == 1


def test_concurrent_refunds_of_several_orders_all_count(account_with_points: Account) -> None:
    for number in range(8):
        award(10_000, f"shop:{number}")

    at_once(8, lambda index: in_transaction(lambda: refund(10_000, 10_000, f"shop:{index}")))

    assert balances()[0] == 100


def test_opposite_concurrent_merges_leave_one_account_without_a_deadlock(transactional_db: None) -> None:
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
    check_ledger()


def test_concurrent_merges_in_a_circle_lose_no_points(transactional_db: None) -> None:
    """C-3: the first one wins; the others are refused or continue from there."""
    for member_id in "789":
        adjust(10, member_id, member_id=member_id)

    def merge(index: int) -> Account:
        ends, stays = ("78", "89", "97")[index % 3]
        return ledger.merge(site_key=SITE, member_id=ends, into=stays)

    done = at_once(15, merge)

    assert {type(each) for each in done} <= {Account, LedgerError}
    assert sum(Account.objects.values_list("available", flat=True)) == 30
    assert not Account.objects.filter(successor__isnull=False, available__gt=0).exists()
    assert len({surviving_account(account).pk for account in Account.objects.all()}) < 3
    check_ledger()


def test_points_earned_during_a_merge_are_not_lost(transactional_db: None) -> None:
    adjust(70, "7", member_id="7")
    adjust(80, "8", member_id="8")
    order = order_of(10_000)  # they all began before the merge

    def some(index: int) -> object:
        if index == 4:
            return ledger.merge(site_key=SITE, member_id="7", into="8")
        return in_transaction(
            lambda: ledger.award(site_key=SITE, member_id="7", purchase=f"shop:{index}", order=order)
        )  # fmt: skip

    done = at_once(10, some)

    assert not [each for each in done if isinstance(each, Exception)]
    assert sorted(Account.objects.values_list("available", flat=True)) == [0, 150 + 9 * 10]
    check_ledger()


def test_a_concurrent_hold_and_sweep_never_use_the_same_points(account_with_points: Account) -> None:
    """D-10 at once: a checkout and the sweep find overdue lots."""
    now = timezone.now()
    Lot.objects.update(expires_at=now)
    adjust(60, "fresh")

    def some(index: int) -> object:
        return in_transaction(lambda: hold(60, f"shop:{index}")) if index % 2 else sweep()

    done = at_once(12, some)

    held = [each for each in done if isinstance(each, Hold)]
    refused = [each for each in done if isinstance(each, Exception)]
    assert len(held) == 1
    assert {type(each) for each in refused} == {InsufficientPoints}
    assert Entry.objects.filter(kind="expire").count() == 1
    assert balances() == (0, 60, 0)


def test_twenty_concurrent_late_captures_of_one_purchase_are_one(account_with_points: Account) -> None:
    """D-20: a repeated one adds nothing."""
    captured = at_once(20, lambda _: in_transaction(lambda: late_capture(150)))

    assert captured == [150] * 20
    assert (balances(), Account.objects.get().owed) == ((0, 0, 150), 50)


def test_twenty_concurrent_signup_bonuses_are_one(transactional_db: None) -> None:
    set_rules(signup_bonus=100)

    given = at_once(20, lambda _: ledger.award_signup_bonus(site_key=SITE, member_id="7"))

    assert sorted(given, key=str) == [0] * 19 + [100]
    assert balances()[0] == 100


def test_concurrent_changes_of_rules_are_consecutive_versions(transactional_db: None) -> None:
    at_once(8, lambda index: set_rules(points=index + 2))

    numbers = ProgramVersion.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, 10))


def test_ten_concurrent_adjustments_with_one_key_are_one(account_with_points: Account) -> None:
    """F10"""
    at_once(10, lambda _: adjust(-30, "same"))

    assert balances() == (70, 0, 0)


def test_concurrent_imports_of_one_row_in_other_files_add_its_points_once(account_with_points: Account) -> None:
    """M10: each says of the row what became of it."""
    row = ledger.ImportRow(number=1, member_id=str(account_with_points.member_id), points=50)

    def add(index: int) -> bool:
        def work() -> bool:
            (imported,) = ledger.import_points([row], site_key="default", digest=f"file {index}")
            return imported.is_new

        return in_transaction(work)

    assert sorted(at_once(6, add), key=str) == [False] * 5 + [True]
    assert balances() == (150, 0, 0)


def test_concurrent_adjustments_all_count_and_never_go_below_zero(account_with_points: Account) -> None:
    """F10: one adds and one deducts, ten times each; then two deduct everything."""
    both = at_once(20, lambda index: in_transaction(lambda: adjust(7 if index % 2 else -5, f"staff {index}")))
    between = balances()
    deducted = at_once(2, lambda index: in_transaction(lambda: adjust(-120, f"all {index}")))

    assert (sorted(map(str, both)), between) == (["-5"] * 10 + ["7"] * 10, (120, 0, 0))
    assert sorted(type(each).__name__ for each in deducted) == ["InsufficientPoints", "int"]
    assert balances() == (0, 0, 0)


def test_concurrent_verbs_of_all_kinds_leave_a_ledger_that_adds_up(account_with_points: Account) -> None:
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

    done = at_once(24, lambda index: in_transaction(lambda: some(index)))

    assert not [each for each in done if isinstance(each, Exception)]
    assert balances() == (100 + 6 * 10 - 6 - 6 * 5, 0, 30)


def test_a_member_is_erased_or_points_are_held_never_both(transactional_db: None) -> None:
    """M8"""
    adjust(100, "opening")

    def some(index: int) -> object:
        if index == 2:
            return ledger.erase(site_key=SITE, member_id="7")
        return in_transaction(lambda: hold(10, f"shop:{index}"))

    done = at_once(5, some)

    assert not [each for each in done if isinstance(each, Exception) and not isinstance(each, LedgerError)]
    account = Account.objects.get()
    erased = account.member_id is None
    assert erased == (account.held == 0)
    assert account.available == 0 if erased else account.available == 60
    check_ledger()


def test_awards_that_meet_an_erasure_are_written_off_or_belong_to_the_erased_account(transactional_db: None) -> None:
    """M8"""
    adjust(100, "opening")
    order, purchases = order_of(10_000), [f"shop:{number}" for number in range(6)]

    def some(index: int) -> object:
        if index == 2:
            return ledger.erase(site_key=SITE, member_id="7", purchases=purchases)
        award = {"site_key": SITE, "member_id": "7", "purchase": purchases[index], "order": order}
        return in_transaction(lambda: ledger.award(**award))  # type: ignore[arg-type]

    done = at_once(6, some)

    assert not [each for each in done if isinstance(each, Exception)]
    account = Account.objects.get()
    assert (account.member_id, account.available, account.lifetime_earned) == (None, 0, 50)
    check_ledger()
