"""When points become available and expire, by the days of Nepal, and what the sweep does."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry, Lot
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.nepal import add_months, day_of

from .conftest import (
    account_of,
    adjust,
    award,
    balances,
    entry_kinds,
    hold,
    nepal,
    redeem,
    release,
    remaining,
    set_rules,
    sweep,
)

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
    expires_at = Rules(valid_months=months, month_end=month_end).expires_at(earned_at)

    assert expires_at is not None
    assert (day_of(expires_at - timedelta(seconds=1)), day_of(expires_at)) == (last_day, last_day + DAY)


def test_an_expiry_is_stored_as_midnight_in_kathmandu() -> None:
    """D-24"""
    expires_at = Rules(valid_months=12).expires_at(nepal(2025, 2, 25, 12))

    assert expires_at is not None
    assert expires_at.isoformat() == "2026-02-25T18:15:00+00:00"


def test_points_without_an_expiry_never_expire() -> None:
    assert Rules(valid_months=None).expires_at(NOW) is None


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
        expired = []
        for day in (5, 5, 9):
            clock.move_to(NOW + day * DAY)
            expired.append(sweep().get("expired", 0))

    assert (expired, remaining(), balances()) == ([40, 0, 60], [0, 0], (0, 0, 0))


@money
def test_the_sweep_expires_held_points_only_after_their_release(account: Account, lot: MakeLot) -> None:
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
    assert (balances(), remaining()) == ((40, 0, 0), [0, 40])


@money
def test_a_partly_used_lot_expires_with_its_remaining_points(account: Account, lot: MakeLot) -> None:
    """SE-13: 50 of 150 were redeemed."""
    with time_machine.travel(NOW, tick=False) as clock:
        lot(150, expires_at=NOW + DAY)
        redeem(50, "shop:1")
        clock.move_to(NOW + DAY)

        assert sweep() == {"expired": 100}
    assert balances() == (0, 0, 50)


@money
def test_the_expiry_of_pending_points_counts_from_the_day_they_become_available(account: Account) -> None:
    set_rules(pending_days=14)
    with time_machine.travel(NOW, tick=False) as clock:
        award(100_000)
        pending = account_of().pending, account_of().available
        clock.move_to(NOW + 14 * DAY - timedelta(seconds=1))
        early = sweep()
        clock.move_to(NOW + 14 * DAY)
        due = [sweep(), sweep()]

    assert (pending, early, due, balances()) == ((100, 0), {}, [{"activated": 100}, {}], (100, 0, 0))
    assert Lot.objects.get().expires_at == nepal(2027, 3, 12)  # 12 months after 11 March


@money
def test_an_interrupted_sweep_continues_with_the_rest(db: None) -> None:
    with time_machine.travel(NOW, tick=False):
        for member in range(5):
            adjust(10, str(member), member_id=str(member))
    with time_machine.travel(NOW + 400 * DAY, tick=False):
        interrupted = ledger.sweep()
        next(interrupted), next(interrupted)
        due = ledger.count_due()

        assert (due, sweep(), ledger.count_due()) == (3, {"expired": 30}, 0)


@money
def test_points_that_expire_during_another_verb_have_no_actor_and_no_purchase(account: Account, lot: MakeLot) -> None:
    with time_machine.travel(NOW, tick=False):
        lot(60, expires_at=NOW)
        lot(40, expires_at=None)
        hold(40, "shop:1")

    entry = Entry.objects.get(kind="expire")
    assert (entry.purchase, entry.actor, entry.reason_code, entry.version) == ("", None, "", None)
    assert [kind for kind, _ in entry_kinds()] == ["adjust", "adjust", "expire", "hold"]
