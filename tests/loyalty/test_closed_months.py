"""Months that are over are summed once: what reports and tiers read is the same as from all rows."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from loyalink_khalti.loyalty import audit, closed_months, ledger, reports
from loyalink_khalti.loyalty.earning import tier_points
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.months import AwardedMonth, MonthlyTotal
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.loyalty.program import Program
from loyalink_khalti.loyalty.rules import TierBasis

from .conftest import MEMBER, adjust, award, check_ledger, nepal, redeem, refund, set_rules, sweep

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db]

REPORTS = [
    (date(2025, 1, 1), date(2026, 12, 31)),
    (date(2026, 2, 1), date(2026, 2, 28)),
    (date(2026, 1, 15), date(2026, 3, 10)),
    (date(2026, 3, 1), date(2026, 3, 31)),
    (date(2026, 2, 20), date(2026, 2, 21)),
]
"""Whole months and parts of them, closed and open."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """2 April 2026, three months after the first of some orders; rules count the points of a rolling year."""
    monkeypatch.setattr(closed_months, "MANY", 0)
    with time_machine.travel(nepal(2026, 1, 10, 12), tick=False) as clock:
        set_rules(tier_basis=TierBasis.ROLLING_YEAR, valid_months=1)
        for number, moment in enumerate([(2026, 1, 31, 23, 59), (2026, 2, 1), (2026, 2, 20), (2026, 3, 31, 23, 30)]):
            clock.move_to(nepal(*moment))
            award(100_000 * (number + 1), f"shop:{number}")
            adjust(number + 1, f"gift {number}")
            redeem(10, f"used:{number}")
            sweep()
        clock.move_to(nepal(2026, 4, 2, 12))
        yield clock


def answers() -> Any:
    """Return all that may read closed months."""
    account = Account.objects.get(member_id=MEMBER)
    rules = ledger.current_version("default").rules
    moments = [timezone.now(), *(nepal(2027, month, day) for month, day in ((1, 31), (2, 1), (2, 10), (3, 20)))]
    return (
        [reports.movements(since=since, until=until) for since, until in REPORTS],
        [tier_points(account, rules, moment) for moment in moments],
    )


def broken() -> set[str]:
    return {invariant for _subject, invariant, _detail in audit.violations()}


def test_reports_and_tiers_are_the_same_from_closed_months_and_from_all_rows(clock: Any) -> None:
    """N6"""
    Program.objects.update(closed_until=None)
    MonthlyTotal.objects.all().delete()
    AwardedMonth.objects.all().delete()
    before = answers()

    assert closed_months.close_months() == 2
    assert answers() == before
    clock.move_to(nepal(2026, 4, 3))
    assert (closed_months.close_months(), closed_months.close_months()) == (1, 0)
    assert answers()[0] == before[0]
    check_ledger()


def test_a_month_is_closed_two_days_after_its_end_in_nepal(clock: Any) -> None:
    """N7"""
    clock.move_to(nepal(2026, 4, 2, 23, 59))
    sweep()
    first = Program.objects.get().closed_until
    clock.move_to(nepal(2026, 4, 3))
    sweep()

    assert (first, Program.objects.get().closed_until) == (nepal(2026, 3, 1), nepal(2026, 4, 1))
    assert set(AwardedMonth.objects.values_list("month", "points")) == {
        (date(2026, 1, 1), 100), (date(2026, 2, 1), 500), (date(2026, 3, 1), 400),
    }  # fmt: skip


def test_a_closed_month_is_read_as_one_row_of_each_sum(clock: Any) -> None:
    """N6"""
    with CaptureQueriesContext(connection) as sent:
        reports.movements(since=date(2026, 1, 1), until=date(2026, 2, 28))

    entries = [query["sql"] for query in sent if "khalti_entry" in query["sql"]]
    assert all("2026-02-28 18:15" in sql for sql in entries), entries  # from 1 March on


def test_what_a_refund_claws_back_is_taken_from_the_closed_month_of_its_order(clock: Any) -> None:
    """N8"""
    assert refund(200_000, 200_000, "shop:1") == (0, 200)

    assert AwardedMonth.objects.get(month=date(2026, 2, 1)).points == 300
    check_ledger()
    account = Account.objects.get(member_id=MEMBER)
    rules = ledger.current_version("default").rules
    assert tier_points(account, rules, nepal(2027, 2, 10)) == 300 + 400  # of 20 February and of March


def test_an_entry_whose_time_is_in_a_closed_month_is_added_to_its_sums(clock: Any) -> None:
    """N9: The database's clock was set back."""
    clock.move_to(nepal(2026, 2, 10))
    adjust(7, "late")
    award(50_000, "shop:late")

    check_entries = reports.movements(since=date(2026, 2, 1), until=date(2026, 2, 28))[0]
    assert (check_entries.adjusted, check_entries.earned) == (2 + 3 + 7, 200 + 300 + 50)
    assert tier_points(Account.objects.get(), ledger.current_version("default").rules, nepal(2026, 4, 2)) == 1_050
    check_ledger()


def spoil_a_sum() -> None:
    MonthlyTotal.objects.filter(month=date(2026, 2, 1), kind="earn").update(points=F("points") + 1)


def lose_a_sum() -> None:
    MonthlyTotal.objects.filter(month=date(2026, 2, 1), kind="earn").delete()


def invent_a_sum() -> None:
    MonthlyTotal.objects.filter(kind="capture", month=date(2026, 1, 1)).update(month=date(2025, 12, 1))


def claw_back_as_an_older_version() -> None:
    OrderAward.objects.filter(purchase="shop:1").update(points_clawed_back=5)
    Account.objects.update(lifetime_earned=F("lifetime_earned") - 5)


@pytest.mark.parametrize("harm", [spoil_a_sum, lose_a_sum, invent_a_sum])
def test_the_audit_names_a_wrong_month_and_writes_it_anew(clock: Any, harm: Callable[[], None]) -> None:
    """N10"""
    before = answers()
    harm()

    assert broken() == {"L16"}
    call_command("loyalink_audit", "--repair")
    check_ledger()
    assert answers() == before
    assert closed_months.rebuild_months() == 0


def test_a_claw_back_by_an_older_version_is_counted_at_once_and_found_by_the_audit(clock: Any) -> None:
    """N11"""
    account, rules = Account.objects.get(), ledger.current_version("default").rules
    before = tier_points(account, rules, timezone.now())
    claw_back_as_an_older_version()
    account.refresh_from_db()

    assert tier_points(account, rules, timezone.now()) == before - 5
    assert "L16" in broken()
    assert closed_months.rebuild_months() == 1
    assert "L16" not in broken()


def test_closing_that_is_interrupted_goes_on_where_it_was(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """N12"""
    clock.move_to(nepal(2026, 8, 3))
    before, closed = answers(), []

    def stop_at_june(program_id: int, month: date, sums: Any) -> None:
        if month == date(2026, 6, 1):
            raise KeyboardInterrupt
        closed.append(month)
        write(program_id, month, sums)

    write = closed_months._write
    monkeypatch.setattr(closed_months, "_write", stop_at_june)
    with pytest.raises(KeyboardInterrupt):
        closed_months.close_months()
    monkeypatch.undo()

    assert closed == [date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)]
    assert closed_months.close_months() == 2
    assert answers() == before
    assert Program.objects.get().closed_until == nepal(2026, 8, 1)
    check_ledger()


def test_few_awards_are_read_and_not_summed(account: Account) -> None:
    with time_machine.travel(nepal(2026, 1, 10), tick=False) as clock:
        set_rules(tier_basis=TierBasis.ROLLING_YEAR)
        award(100_000)
        clock.shift(timedelta(days=100))
        sweep()

    assert (AwardedMonth.objects.count(), Program.objects.get().closed_until) == (0, nepal(2026, 4, 1))
