"""The verbs of the ledger, each once and repeated, in worked examples of loyalty.md."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction

from loyalink_khalti.errors import AccountBlocked, InsufficientPoints, LedgerConflict, LedgerError
from loyalink_khalti.loyalty.buckets import HoldState
from loyalink_khalti.loyalty.models import Account, Entry, Lot
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption

from .conftest import adjust, award, balances, capture, hold, nepal, release, remaining

pytestmark = [pytest.mark.money, pytest.mark.django_db]

DAY = timedelta(days=1)
NOW = nepal(2026, 2, 25, 12)
MakeLot = Callable[..., Lot]


def test_points_are_held_then_captured(account: Account) -> None:
    adjust(300)

    hold(200)
    held = balances()
    captured = capture()

    assert (held, captured, balances()) == ((100, 200, 0), 200, (100, 0, 200))
    assert OrderRedemption.objects.get().value == 1000


def test_points_are_held_then_released(account: Account) -> None:
    adjust(300)
    hold(200)

    assert (release(), balances(), remaining()) == (200, (300, 0, 0), [300])


def test_a_repeated_hold_is_held_once_and_another_number_is_refused(account: Account) -> None:
    adjust(300)
    first = hold(200)

    assert hold(200) == first
    with pytest.raises(LedgerConflict):
        hold(100)
    assert balances() == (100, 200, 0)


def test_a_repeated_capture_is_captured_once_and_a_release_after_it_is_refused(account: Account) -> None:
    """D-12, TB-1"""
    adjust(300)
    hold(150)
    capture()

    assert capture() == 150
    with pytest.raises(LedgerConflict):
        release()
    assert balances() == (150, 0, 150)


def test_a_repeated_release_is_released_once_and_a_capture_after_it_is_refused(account: Account) -> None:
    """TB-1"""
    adjust(300)
    hold(150)
    release()

    assert release() == 150
    with pytest.raises(LedgerConflict):
        capture()
    assert balances() == (300, 0, 0)


def test_released_points_can_be_held_again_and_captured_ones_are_not_held_twice(account: Account) -> None:
    adjust(300)
    hold(150)
    release()
    hold(100)
    capture()

    assert hold(100).state == HoldState.CAPTURED
    assert balances() == (200, 0, 100)
    assert list(Entry.objects.filter(kind="hold").values_list("key", flat=True)) == ["hold:shop:1:0", "hold:shop:1:1"]


def test_without_a_hold_nothing_is_captured_or_released(account: Account) -> None:
    assert (capture(), release(), balances()) == (0, 0, (0, 0, 0))


def test_more_points_than_available_cannot_be_held(account: Account) -> None:
    """TB-2: 50 of 100 are held; a hold of 70 is refused."""
    adjust(100)
    hold(50)

    with pytest.raises(InsufficientPoints, match="50 points available, 70 requested"):
        hold(70, "shop:2")
    assert balances() == (50, 50, 0)


def test_a_member_without_points_has_nothing_to_hold(db: None) -> None:
    with pytest.raises(InsufficientPoints):
        hold(1)


def test_a_blocked_account_earns_and_cannot_redeem(account: Account) -> None:
    """J08"""
    Account.objects.update(blocked=True)

    award(250_000)

    with pytest.raises(AccountBlocked):
        hold(100)
    assert balances() == (250, 0, 0)


def test_a_repeated_award_is_awarded_once_and_another_basis_is_refused(account: Account) -> None:
    """D-13: I4"""
    assert [award(15_000), award(15_000)] == [15, 15]
    with pytest.raises(LedgerConflict):
        award(16_000)
    with pytest.raises(LedgerConflict):
        award(15_000, member_id="8")
    assert Entry.objects.filter(kind="earn").count() == 1
    assert OrderAward.objects.get().proportional == 15


def test_an_order_that_earns_nothing_has_an_award_without_an_entry(account: Account) -> None:
    assert [award(999), award(999)] == [0, 0]
    assert (OrderAward.objects.count(), Entry.objects.count()) == (1, 0)


def test_an_adjustment_is_recorded_once_per_key_and_other_figures_are_refused(account: Account) -> None:
    """F10"""
    assert [adjust(300), adjust(300)] == [300, 300]
    with pytest.raises(LedgerConflict):
        adjust(301)
    assert balances() == (300, 0, 0)


def test_an_adjustment_never_goes_below_zero_and_leaves_its_key_free(account: Account) -> None:
    adjust(100, "in")

    with pytest.raises(InsufficientPoints):
        adjust(-101, "out")
    adjust(-100, "out")

    assert balances() == (0, 0, 0)


@pytest.mark.parametrize(
    ("first", "second", "held", "then"),
    [
        pytest.param((100, DAY), (100, 2 * DAY), 100, [0, 100], id="SE-9 the earlier expiry first"),
        pytest.param((100, 2 * DAY), (100, DAY), 100, [100, 0], id="SE-9 also when it was added later"),
        pytest.param((100, None), (100, DAY), 100, [100, 0], id="SE-10 never expiring last"),
        pytest.param((50, DAY), (50, 2 * DAY), 70, [0, 30], id="SE-11 spanning two lots"),
        pytest.param((100, DAY), (100, DAY), 100, [0, 100], id="with the same expiry the older first"),
    ],
)
def test_points_that_expire_first_are_used_first(
    first: tuple[int, timedelta | None],
    second: tuple[int, timedelta | None],
    held: int,
    then: list[int],
    account: Account,
    lot: MakeLot,
) -> None:
    with time_machine.travel(NOW, tick=False):
        for points, validity in (first, second):
            lot(points, expires_at=NOW + validity if validity else None)

        hold(held)

    assert remaining() == then
    balances()


def test_points_that_never_expire_are_used_last_however_many_lots_expire(account: Account, lot: MakeLot) -> None:
    """N46"""
    with time_machine.travel(NOW, tick=False):
        lot(100, expires_at=None)
        for day in range(1, 13):
            lot(1, expires_at=NOW + day * DAY)
        hold(13)

    assert remaining() == [99] + [0] * 12
    balances()


def test_released_points_return_to_their_own_lots(account: Account, lot: MakeLot) -> None:
    """D-16, for a release"""
    with time_machine.travel(NOW, tick=False):
        lot(50, expires_at=NOW + DAY)
        lot(50, expires_at=NOW + 2 * DAY)
        hold(70)
        release()

    assert remaining() == [50, 50]
    balances()


def test_a_hold_first_expires_overdue_points(account: Account, lot: MakeLot) -> None:
    """SE-12: one of two lots is overdue; 40 points are left."""
    with time_machine.travel(NOW, tick=False):
        lot(60, expires_at=NOW)
        lot(40, expires_at=NOW + DAY)

        with pytest.raises(InsufficientPoints, match="40 points available, 50 requested"), transaction.atomic():
            hold(50)
        hold(40)

    assert (balances(), remaining()) == ((0, 40, 0), [0, 0])
    assert Entry.objects.get(kind="expire").amount == 60


def test_a_partly_used_lot_expires_with_its_remaining_points(account: Account, lot: MakeLot) -> None:
    """SE-13: 50 of 150 were redeemed."""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(150, expires_at=NOW + DAY)
        hold(50)
        capture()
        clock.move_to(NOW + DAY)
        adjust(10, "later")
        adjust(-10, "sweeps")

    assert Entry.objects.get(kind="expire").amount == 100
    assert balances() == (0, 0, 50)


def test_points_are_available_until_their_last_instant(account: Account, lot: MakeLot) -> None:
    """E07"""
    midnight = nepal(2026, 2, 26)
    with time_machine.travel(NOW, tick=False) as clock:
        lot(100, expires_at=midnight)
        clock.move_to(midnight - timedelta(seconds=1))
        hold(100)
        release()
        clock.move_to(midnight)

        with pytest.raises(InsufficientPoints):
            hold(100, "shop:2")


def test_held_points_do_not_expire_before_their_release(account: Account, lot: MakeLot) -> None:
    """D-10, E06"""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(300, expires_at=NOW + DAY)
        hold(200)
        clock.move_to(NOW + 2 * DAY)
        adjust(1, "sweep")
        adjust(-1, "sweep again")
        swept = balances()
        release()
        released = balances()
        with pytest.raises(InsufficientPoints), transaction.atomic():
            hold(1, "shop:2")
        adjust(5, "a")
        adjust(-5, "b")

    assert (swept, released, balances()) == ((0, 200, 0), (200, 0, 0), (0, 0, 0))
    assert list(Entry.objects.filter(kind="expire").order_by("seq").values_list("amount", flat=True)) == [100, 200]


def test_earned_points_are_valid_for_twelve_months(account: Account) -> None:
    with time_machine.travel(NOW, tick=False):
        award(250_000)

    assert Lot.objects.get().expires_at == nepal(2027, 2, 26)


# What the database refuses


@pytest.mark.parametrize(
    "wrong", [{"available": -1}, {"held": -1}, {"owed": -1}, {"pending": -1}, {"available": 5, "owed": 5}]
)
def test_no_balance_is_negative_and_no_account_has_points_and_a_debt(wrong: dict[str, int], account: Account) -> None:
    """I5"""
    with pytest.raises(IntegrityError):
        Account.objects.update(**wrong)


@pytest.mark.parametrize(
    ("kind", "src", "dst"),
    [
        ("earn", "available", "issued"),
        ("earn", "adjusted", "available"),
        ("hold", "held", "available"),
        ("capture", "available", "redeemed"),
        ("release", "redeemed", "available"),
        ("expire", "held", "expired"),
        ("gift", "issued", "available"),
    ],
)
def test_a_transfer_that_does_not_exist_is_refused(kind: str, src: str, dst: str, account: Account) -> None:
    with pytest.raises(IntegrityError):
        Entry.objects.create(account=account, seq=1, kind=kind, src=src, dst=dst, amount=1, key="wrong")


@pytest.mark.parametrize("wrong", [{"amount": 0}, {"amount": -1}, {"seq": 1}, {"key": "taken"}])
def test_an_entry_has_points_and_a_number_and_a_key_of_its_own(wrong: dict[str, Any], account: Account) -> None:
    adjust(100)
    wrong = {"key": Entry.objects.get().key} if "key" in wrong else wrong
    good: dict[str, Any] = {
        "account": account,
        "seq": 2,
        "kind": "earn",
        "src": "issued",
        "dst": "available",
        "amount": 1,
        "key": "k",
    }

    with pytest.raises(IntegrityError):
        Entry.objects.create(**{**good, **wrong})


@pytest.mark.parametrize("wrong", [{"remaining": 101}, {"remaining": -1}, {"pending": 1}])
def test_a_lot_is_never_below_zero_or_above_its_original_points(wrong: dict[str, int], account: Account) -> None:
    adjust(100)

    with pytest.raises(IntegrityError):
        Lot.objects.update(**wrong)


def test_entries_cannot_be_changed_or_deleted(account: Account) -> None:
    """F11: I6"""
    adjust(100)
    entry = Entry.objects.get()

    for change in (
        entry.save,
        entry.delete,
        Entry.objects.all().delete,
        lambda: Entry.objects.update(amount=1),
        lambda: Entry.objects.bulk_update([entry], ["amount"]),
        lambda: account.entries.update(amount=1),
        lambda: account.entries.all().delete(),
        account.delete,
    ):
        with pytest.raises((LedgerError, IntegrityError)):
            change()
    assert balances() == (100, 0, 0)


@pytest.mark.parametrize(
    "change", ["UPDATE loyalink_khalti_entry SET amount = 1", "DELETE FROM loyalink_khalti_entry"]
)
def test_sql_cannot_change_an_entry(change: str, account: Account) -> None:
    """F11, M24: I6"""
    adjust(100)

    with pytest.raises(IntegrityError, match="never change"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)

    assert balances() == (100, 0, 0)
