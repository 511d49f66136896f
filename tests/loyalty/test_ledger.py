"""The ledger's verbs, once each and again, in worked examples of loyalty.md."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction

from loyalink_khalti.errors import Conflict, Frozen, Insufficient, LedgerError
from loyalink_khalti.loyalty.models import Account, Entry, Hold, Lot
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption

from .conftest import adjust, award, balances, capture, hold, left, nepal, release

pytestmark = [pytest.mark.money, pytest.mark.django_db]

DAY = timedelta(days=1)
NOW = nepal(2026, 2, 25, 12)
MakeLot = Callable[..., Lot]


def test_points_are_held_then_spent(account: Account) -> None:
    adjust(300)

    hold(200)
    held = balances()
    spent = capture()

    assert (held, spent, balances()) == ((100, 200, 0), 200, (100, 0, 200))
    assert OrderRedemption.objects.get().value == 1000


def test_points_are_held_then_given_back(account: Account) -> None:
    adjust(300)
    hold(200)

    assert (release(), balances(), left()) == (200, (300, 0, 0), [300])


def test_held_twice_is_held_once_and_never_for_another_number(account: Account) -> None:
    adjust(300)
    first = hold(200)

    assert hold(200) == first
    with pytest.raises(Conflict):
        hold(100)
    assert balances() == (100, 200, 0)


def test_captured_twice_is_captured_once_and_release_is_then_refused(account: Account) -> None:
    """D-12, TB-1"""
    adjust(300)
    hold(150)
    capture()

    assert capture() == 150
    with pytest.raises(Conflict):
        release()
    assert balances() == (150, 0, 150)


def test_released_twice_is_released_once_and_capture_is_then_refused(account: Account) -> None:
    """TB-1"""
    adjust(300)
    hold(150)
    release()

    assert release() == 150
    with pytest.raises(Conflict):
        capture()
    assert balances() == (300, 0, 0)


def test_what_was_released_may_be_held_again_and_what_was_spent_is_not_held_twice(account: Account) -> None:
    adjust(300)
    hold(150)
    release()
    hold(100)
    capture()

    assert hold(100).state == Hold.State.CAPTURED
    assert balances() == (200, 0, 100)
    assert list(Entry.objects.filter(kind="hold").values_list("key", flat=True)) == ["hold:shop:1:0", "hold:shop:1:1"]


def test_nothing_held_is_nothing_to_spend_or_to_give_back(account: Account) -> None:
    assert (capture(), release(), balances()) == (0, 0, (0, 0, 0))


def test_more_than_there_is_cannot_be_held(account: Account) -> None:
    """TB-2: 100 in, 70 spent or 50 of them held."""
    adjust(100)
    hold(50)

    with pytest.raises(Insufficient, match="50 points available, 70 asked for"):
        hold(70, "shop:2")
    assert balances() == (50, 50, 0)


def test_who_never_earned_has_nothing_to_hold(db: None) -> None:
    with pytest.raises(Insufficient):
        hold(1)


def test_a_frozen_account_earns_but_does_not_spend(account: Account) -> None:
    """J08"""
    Account.objects.update(frozen=True)

    award(250_000)

    with pytest.raises(Frozen):
        hold(100)
    assert balances() == (250, 0, 0)


def test_awarded_twice_is_awarded_once_and_never_for_another_basis(account: Account) -> None:
    """D-13: I4"""
    assert [award(15_000), award(15_000)] == [15, 15]
    with pytest.raises(Conflict):
        award(16_000)
    with pytest.raises(Conflict):
        award(15_000, member_id="8")
    assert Entry.objects.filter(kind="earn").count() == 1
    assert OrderAward.objects.get().proportional == 15


def test_an_order_that_earns_nothing_is_awarded_all_the_same_without_an_entry(account: Account) -> None:
    assert [award(999), award(999)] == [0, 0]
    assert (OrderAward.objects.count(), Entry.objects.count()) == (1, 0)


def test_an_adjustment_is_booked_once_a_key_and_never_with_other_figures(account: Account) -> None:
    """F10"""
    assert [adjust(300), adjust(300)] == [300, 300]
    with pytest.raises(Conflict):
        adjust(301)
    assert balances() == (300, 0, 0)


def test_an_adjustment_never_goes_below_zero_and_leaves_its_key_free(account: Account) -> None:
    adjust(100, "in")

    with pytest.raises(Insufficient):
        adjust(-101, "out")
    adjust(-100, "out")

    assert balances() == (0, 0, 0)


@pytest.mark.parametrize(
    ("first", "second", "spent", "then"),
    [
        pytest.param((100, DAY), (100, 2 * DAY), 100, [0, 100], id="SE-9 the earlier expiry first"),
        pytest.param((100, 2 * DAY), (100, DAY), 100, [100, 0], id="SE-9 whichever came first"),
        pytest.param((100, None), (100, DAY), 100, [100, 0], id="SE-10 never expiring last"),
        pytest.param((50, DAY), (50, 2 * DAY), 70, [0, 30], id="SE-11 spanning two lots"),
        pytest.param((100, DAY), (100, DAY), 100, [0, 100], id="of the same expiry the older first"),
    ],
)
def test_what_expires_first_is_spent_first(
    first: tuple[int, timedelta | None],
    second: tuple[int, timedelta | None],
    spent: int,
    then: list[int],
    account: Account,
    lot: MakeLot,
) -> None:
    with time_machine.travel(NOW, tick=False):
        for points, lasts in (first, second):
            lot(points, expires_at=NOW + lasts if lasts else None)

        hold(spent)

    assert left() == then
    balances()


def test_what_is_given_back_goes_where_it_came_from(account: Account, lot: MakeLot) -> None:
    """D-16, for a release"""
    with time_machine.travel(NOW, tick=False):
        lot(50, expires_at=NOW + DAY)
        lot(50, expires_at=NOW + 2 * DAY)
        hold(70)
        release()

    assert left() == [50, 50]
    balances()


def test_a_hold_first_expires_what_is_due(account: Account, lot: MakeLot) -> None:
    """SE-12: of two lots one has expired; 40 are left."""
    with time_machine.travel(NOW, tick=False):
        lot(60, expires_at=NOW)
        lot(40, expires_at=NOW + DAY)

        with pytest.raises(Insufficient, match="40 points available, 50 asked for"), transaction.atomic():
            hold(50)
        hold(40)

    assert (balances(), left()) == ((0, 40, 0), [0, 0])
    assert Entry.objects.get(kind="expire").amount == 60


def test_a_part_used_lot_expires_with_what_is_left_of_it(account: Account, lot: MakeLot) -> None:
    """SE-13: 150 of which 50 were spent."""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(150, expires_at=NOW + DAY)
        hold(50)
        capture()
        clock.move_to(NOW + DAY)
        adjust(10, "later")
        adjust(-10, "sweeps")

    assert Entry.objects.get(kind="expire").amount == 100
    assert balances() == (0, 0, 50)


def test_points_last_until_their_very_last_instant(account: Account, lot: MakeLot) -> None:
    """E07"""
    midnight = nepal(2026, 2, 26)
    with time_machine.travel(NOW, tick=False) as clock:
        lot(100, expires_at=midnight)
        clock.move_to(midnight - timedelta(seconds=1))
        hold(100)
        release()
        clock.move_to(midnight)

        with pytest.raises(Insufficient):
            hold(100, "shop:2")


def test_held_points_do_not_expire_and_go_when_they_are_given_back(account: Account, lot: MakeLot) -> None:
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
        with pytest.raises(Insufficient), transaction.atomic():
            hold(1, "shop:2")
        adjust(5, "a")
        adjust(-5, "b")

    assert (swept, released, balances()) == ((0, 200, 0), (200, 0, 0), (0, 0, 0))
    assert list(Entry.objects.filter(kind="expire").order_by("seq").values_list("amount", flat=True)) == [100, 200]


def test_points_earned_are_valid_for_twelve_months(account: Account) -> None:
    with time_machine.travel(NOW, tick=False):
        award(250_000)

    assert Lot.objects.get().expires_at == nepal(2027, 2, 26)


# What the database itself refuses


@pytest.mark.parametrize(
    "wrong", [{"available": -1}, {"held": -1}, {"owed": -1}, {"pending": -1}, {"available": 5, "owed": 5}]
)
def test_no_balance_is_ever_negative_or_owed_and_there_at_once(wrong: dict[str, int], account: Account) -> None:
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
def test_a_move_that_is_not_in_the_book_is_refused(kind: str, src: str, dst: str, account: Account) -> None:
    with pytest.raises(IntegrityError):
        Entry.objects.create(account=account, seq=1, kind=kind, src=src, dst=dst, amount=1, key="wrong")


@pytest.mark.parametrize("wrong", [{"amount": 0}, {"amount": -1}, {"seq": 1}, {"key": "taken"}])
def test_an_entry_is_of_some_points_under_its_own_number_and_cause(wrong: dict[str, Any], account: Account) -> None:
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
def test_a_lot_holds_no_more_than_came_in_and_no_less_than_nothing(wrong: dict[str, int], account: Account) -> None:
    adjust(100)

    with pytest.raises(IntegrityError):
        Lot.objects.update(**wrong)


def test_an_entry_is_neither_changed_nor_deleted(account: Account) -> None:
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


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's tests are emptied by DELETE")
@pytest.mark.parametrize(
    "change", ["UPDATE loyalink_khalti_entry SET amount = 1", "DELETE FROM loyalink_khalti_entry"]
)
def test_not_even_sql_changes_an_entry(change: str, account: Account) -> None:
    """F11: I6"""
    adjust(100)

    with pytest.raises(IntegrityError, match="never change"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)

    assert balances() == (100, 0, 0)
