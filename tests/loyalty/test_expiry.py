"""When points come and go, by the days of Kathmandu, and what the sweep does about it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.expiry import add_months, day_of, expires_at
from loyalink_khalti.loyalty.models import Account, Entry, Lot

from .conftest import adjust, award, balances, hold, kinds, left, nepal, release, rules, spend, stands, sweep

DAY = timedelta(days=1)
NOW = nepal(2026, 2, 25, 12)
MakeLot = Callable[..., Lot]
money = pytest.mark.money


@pytest.mark.parametrize(
    ("earned_at", "months", "month_end", "last_day"),
    [
        pytest.param(nepal(2020, 7, 6, 9), 12, True, date(2021, 7, 31), id="SQ-8"),
        pytest.param(nepal(2026, 1, 25, 9), 1, False, date(2026, 2, 25), id="VF-1"),
        pytest.param(nepal(2026, 1, 31, 9), 1, False, date(2026, 2, 28), id="VF-1 the month's last"),
        pytest.param(nepal(2026, 1, 10, 9), 1, True, date(2026, 2, 28), id="VF-1 to the month's end"),
        pytest.param(nepal(2024, 2, 29, 1), 12, False, date(2025, 2, 28), id="VF-1 a leap day"),
        pytest.param(nepal(2026, 1, 31, 23, 50), 0, False, date(2026, 1, 31), id="D-24 January still"),
        pytest.param(datetime(2026, 1, 31, 18, 15, tzinfo=UTC), 0, False, date(2026, 2, 1), id="D-24 February"),
    ],
)
def test_points_are_valid_to_the_end_of_a_day(
    earned_at: datetime, months: int, month_end: bool, last_day: date
) -> None:
    gone = expires_at(earned_at, months=months, month_end=month_end)

    assert gone is not None
    assert (day_of(gone - timedelta(seconds=1)), day_of(gone)) == (last_day, last_day + DAY)


def test_an_expiry_is_stored_as_midnight_in_kathmandu() -> None:
    """D-24"""
    gone = expires_at(nepal(2025, 2, 25, 12), months=12)

    assert gone is not None
    assert gone.isoformat() == "2026-02-25T18:15:00+00:00"


def test_without_a_validity_points_never_go() -> None:
    assert expires_at(NOW, months=None) is None


@pytest.mark.parametrize(
    ("day", "later"),
    [
        (date(2026, 1, 25), date(2026, 2, 25)),
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2026, 12, 31), date(2027, 1, 31)),
    ],
)
def test_a_month_later_is_the_same_day_or_that_months_last(day: date, later: date) -> None:
    """VF-1"""
    assert add_months(day, 1) == later


# The sweep


@money
def test_the_sweep_expires_each_lot_on_its_day_and_once(account: Account, lot: MakeLot) -> None:
    """D-21"""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(40, expires_at=NOW + 5 * DAY)
        lot(60, expires_at=NOW + 9 * DAY)
        gone = []
        for day in (5, 5, 9):
            clock.move_to(NOW + day * DAY)
            gone.append(sweep().get("expired", 0))

    assert (gone, left(), balances()) == ([40, 0, 60], [0, 0], (0, 0, 0))


@money
def test_the_sweep_leaves_held_points_and_takes_them_when_they_come_back(account: Account, lot: MakeLot) -> None:
    """D-10"""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(300, expires_at=NOW + DAY)
        hold(200)
        before = balances()
        clock.move_to(NOW + DAY)
        swept, after = sweep(), balances()
        release()
        released = balances()
        swept_again = sweep()

    assert (before, after, released, balances()) == ((100, 200, 0), (0, 200, 0), (200, 0, 0), (0, 0, 0))
    assert (swept, swept_again) == ({"expired": 100}, {"expired": 200})


@money
def test_one_of_two_lots_expires(account: Account, lot: MakeLot) -> None:
    """SE-12"""
    with time_machine.travel(NOW, tick=False):
        lot(60, expires_at=NOW)
        lot(40, expires_at=NOW + DAY)

        assert sweep() == {"expired": 60}
    assert (balances(), left()) == ((40, 0, 0), [0, 40])


@money
def test_a_part_used_lot_expires_with_what_is_left_of_it(account: Account, lot: MakeLot) -> None:
    """SE-13: 150 of which 50 were spent."""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(150, expires_at=NOW + DAY)
        spend(50, "shop:1")
        clock.move_to(NOW + DAY)

        assert sweep() == {"expired": 100}
    assert balances() == (0, 0, 50)


@money
def test_points_wait_then_can_be_spent_and_their_validity_counts_from_then(account: Account) -> None:
    rules(waiting_days=14)
    with time_machine.travel(NOW, tick=False) as clock:
        award(100_000)
        waiting = stands().pending, stands().available
        clock.move_to(NOW + 14 * DAY - timedelta(seconds=1))
        early = sweep()
        clock.move_to(NOW + 14 * DAY)
        due = [sweep(), sweep()]

    assert (waiting, early, due, balances()) == ((100, 0), {}, [{"activated": 100}, {}], (100, 0, 0))
    assert Lot.objects.get().expires_at == nepal(2027, 3, 12)  # 12 months after 11 March


@money
def test_a_sweep_that_is_broken_off_goes_on_where_it_was(db: None) -> None:
    with time_machine.travel(NOW, tick=False):
        for member in range(5):
            adjust(10, str(member), member_id=str(member))
    with time_machine.travel(NOW + 400 * DAY, tick=False):
        began = ledger.sweep()
        next(began), next(began)
        to_do = ledger.accounts_to_sweep()

        assert (to_do, sweep(), ledger.accounts_to_sweep()) == (3, {"expired": 30}, 0)


@money
def test_what_expires_on_the_way_of_another_verb_is_nobodys_doing(account: Account, lot: MakeLot) -> None:
    with time_machine.travel(NOW, tick=False):
        lot(60, expires_at=NOW)
        lot(40, expires_at=None)
        hold(40, "shop:1")

    entry = Entry.objects.get(kind="expire")
    assert (entry.purchase, entry.actor, entry.reason_code, entry.version) == ("", None, "", None)
    assert [kind for kind, _ in kinds()] == ["adjust", "adjust", "expire", "hold"]
