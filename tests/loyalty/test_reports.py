"""The reports for an accountant, for one small history with every kind of entry and for any history."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.db.models import F, Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from loyalink_khalti.loyalty import ledger, reports
from loyalink_khalti.loyalty.buckets import TRANSFERS, Bucket, EntryKind
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.loyalty.movements import COLUMN_OF_DESTINATION, COLUMN_OF_SOURCE
from loyalink_khalti.loyalty.rules import Rules, Shortfall
from loyalink_khalti.money import Paisa, Points

from .conftest import (
    MEMBER,
    SITE,
    adjust,
    award,
    check_ledger,
    hold,
    late_capture,
    nepal,
    redeem,
    refund,
    release,
    set_rules,
    sweep,
)  # fmt: skip
from .test_any_order import Ledger

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db]

JANUARY, APRIL = date(2026, 1, 1), date(2026, 4, 30)


def at(*moment: int) -> time_machine.travel:
    return time_machine.travel(nepal(*moment), tick=False)


def balance() -> int:
    """Return the outstanding points by the accounts."""
    points = F("pending") + F("available") + F("held")
    return Account.objects.aggregate(points=Sum(points))["points"] or 0


def not_made(purchase: str, so_far: int, of: int) -> None:
    """Take the last refund of a purchase back: so much is refunded without it."""
    parts = ledger.RefundedParts(
        refunded_subtotal=Paisa(so_far), subtotal=Paisa(of), refunded_shipping=Paisa(0), shipping=Paisa(0)
    )
    ledger.reverse_refund(purchase=purchase, refund_ref="not made", parts=parts)


@pytest.fixture
def history(account: Account) -> None:
    """Four months with every kind of entry; 1 point is earned for Rs 10."""
    with at(2026, 1, 10, 12):
        version = set_rules(valid_months=1, minimum_points=Points(1), increment=Points(10))
        award(400_000, "shop:1")  # 400 earned
        adjust(50, "goodwill")
        hold(100, "shop:2")
        release("shop:2")
        redeem(120, "shop:2")  # 120 redeemed
        refund(100, 200, "shop:2")  # 60 of them restored
        refund(200, 200, "shop:2")  # 60 more, but that refund was not made
        not_made("shop:2", 100, 200)
    with at(2026, 2, 5, 12):
        adjust(-30, "typed wrongly")
        refund(100_000, 400_000, "shop:1")  # 100 clawed back
        refund(200_000, 400_000, "shop:1")  # 100 more, but that refund was not made
        not_made("shop:1", 100_000, 400_000)
        adjust(25, "of another", member_id="8")
        ledger.merge(site_key=SITE, member_id="8", into=MEMBER)
        adjust(15, "of one who leaves", member_id="9")
        ledger.erase(site_key=SITE, member_id="9")  # 15 written off
        set_rules(valid_months=1, pending_days=7, minimum_points=Points(1), increment=Points(10))
        award(70_000, "shop:3")  # 70 pending
    with at(2026, 3, 1, 12):
        sweep()  # the rest of January expires; the 70 become available
        late_capture(100, "shop:4")  # more than available: the rest is owed
    with at(2026, 4, 2, 12):
        award(20_000, "shop:5", version=version)  # 20 repay a part of the debt
        set_rules(shortfall=Shortfall.FORGIVE)
        award(10_000, "shop:6", version=ledger.current_version(SITE))
        redeem(20, "shop:7")
        refund(10_000, 10_000, "shop:6")  # 5 of the 10 are still available; the other 5 are written off
    check_ledger()


def test_a_history_with_every_kind_of_entry_adds_up_month_by_month(history: None) -> None:
    kinds = set(Entry.objects.values_list("kind", flat=True))
    with at(2026, 4, 30, 12):
        months = reports.movements(since=JANUARY, until=APRIL)

    assert kinds == {kind.value for kind in EntryKind}
    figures = [
        (month.since.month, month.opening, *(getattr(month, name) for name in reports.MOVEMENT_COLUMNS), month.closing)
        for month in months
    ]
    assert figures == [
        # month, opening, earned, restored, adjusted, redeemed, debts, expired, clawed back, written off, closing
        (1, 0, 400, 60, 50, -120, 0, 0, 0, 0, 390),
        (2, 390, 70, 0, 10, 0, 0, 0, -100, -15, 355),
        (3, 355, 0, 0, 0, -100, 5, -260, 0, 0, 0),
        (4, 0, 30, 0, 0, -20, -5, 0, -10, 5, 0),
    ]
    assert months[-1].closing == balance()


def test_each_month_shows_the_closing_points_by_bucket(history: None) -> None:
    months = reports.movements(since=JANUARY, until=APRIL)

    buckets = [(month.pending, month.available, month.held, month.owed) for month in months]
    assert buckets == [(0, 390, 0, 0), (70, 285, 0, 0), (0, 0, 0, 5), (0, 0, 0, 0)]


def test_the_total_is_the_sum_of_its_months(history: None) -> None:
    whole = reports.total(reports.movements(since=JANUARY, until=APRIL))

    (once,) = reports.movements(since=date(2026, 4, 1), until=APRIL)
    assert (whole.opening, whole.earned, whole.redeemed, whole.closing) == (0, 500, -240, once.closing)
    assert (whole.redemption, whole.breakage) == (321, 464)  # 240 - 60 and 260, of 0 + 500 + 60


def test_every_bucket_is_outstanding_or_a_column() -> None:
    others = {bucket for move in TRANSFERS.values() for pair in move for bucket in pair} - set(reports.OUTSTANDING)

    assert others == set(COLUMN_OF_SOURCE) == set(COLUMN_OF_DESTINATION) == set(Bucket) - set(reports.OUTSTANDING)
    assert {*COLUMN_OF_SOURCE.values(), *COLUMN_OF_DESTINATION.values()} == set(reports.MOVEMENT_COLUMNS)


class LedgerWithReports(Ledger):
    """After any verbs in any order the report agrees with the accounts."""

    @invariant()
    def the_report_adds_up(self) -> None:
        until = timezone.localdate(timezone=nepal(2026, 1, 1).tzinfo)
        months = reports.movements(since=date(2026, 1, 1), until=until)
        assert [month.opening for month in months[1:]] == [month.closing for month in months[:-1]]
        for month in months:
            assert month.closing == month.pending + month.available + month.held
        assert (months[-1].closing if months else 0) == balance()
        ages = reports.ageing()
        sums = Account.objects.aggregate(available=Sum("available"), pending=Sum("pending"))
        assert sum(row.available for row in ages) == (sums["available"] or 0)
        assert sum(row.pending for row in ages) == (sums["pending"] or 0)


@pytest.mark.timeout(300)
def test_opening_and_movements_make_the_closing_and_agree_with_the_accounts() -> None:
    run_state_machine_as_test(
        LedgerWithReports,
        settings=settings(
            max_examples=5, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_a_month_ends_at_midnight_in_kathmandu(account: Account) -> None:
    """D-24: 18:15Z is the next day."""
    with time_machine.travel("2026-01-31T18:14:59Z", tick=False):
        adjust(10, "January")
    with time_machine.travel("2026-01-31T18:15:00Z", tick=False):
        adjust(5, "February")

    months = reports.movements(since=JANUARY, until=date(2026, 2, 28))

    assert [(month.since.month, month.adjusted, month.closing) for month in months] == [(1, 10, 10), (2, 5, 15)]


def test_a_report_may_start_and_end_on_any_day(account: Account) -> None:
    """Nepal's fiscal year begins in the middle of July."""
    for day in (15, 16, 17):
        with at(2026, 7, day, 12):
            adjust(day, f"{day}")

    months = reports.movements(since=date(2026, 7, 16), until=date(2026, 8, 3))

    found = [(month.since, month.until, month.opening, month.adjusted, month.closing) for month in months]
    assert found == [
        (date(2026, 7, 16), date(2026, 7, 31), 15, 33, 48),
        (date(2026, 8, 1), date(2026, 8, 3), 48, 0, 48),
    ]


def test_months_before_the_first_point_are_left_out(account: Account) -> None:
    with at(2026, 3, 1, 12):
        adjust(10)

    months = reports.movements(since=date(2025, 1, 1), until=date(2026, 4, 1))

    assert [month.since for month in months] == [date(2026, 3, 1), date(2026, 4, 1)]
    assert reports.movements(since=date(2025, 1, 1), until=date(2025, 12, 31)) == []


def test_a_month_is_valued_by_the_rules_of_its_last_day(account: Account) -> None:
    """A later value of points does not change the report of an earlier month."""
    with at(2026, 1, 10, 12):
        set_rules(redeem_points=Points(10), redeem_value=Paisa(100))
        adjust(205)
    with at(2026, 2, 10, 12):
        set_rules(redeem_points=Points(10), redeem_value=Paisa(200))

    january, february = reports.movements(since=JANUARY, until=date(2026, 2, 28))

    assert (january.gross, february.gross) == (2050, 4100)
    assert (january.net(0), january.net(10), january.net(100)) == (2050, 1845, 0)


def test_a_month_without_points_to_use_has_no_rates(account: Account) -> None:
    """U20"""
    with at(2026, 1, 10, 12):
        adjust(100)
    with at(2026, 2, 10, 12):
        adjust(-100, "2")

    january, february, march = reports.movements(since=JANUARY, until=date(2026, 3, 31))

    assert (january.redemption, january.breakage) == (february.redemption, february.breakage) == (0, 0)
    assert (march.redemption, march.breakage) == (None, None)


def test_a_redemption_rate_is_never_above_all_points_that_could_be_used(history: None) -> None:
    """U20: points that were returned and used again count once; March uses what was earned before it."""
    months = reports.movements(since=JANUARY, until=APRIL)

    assert [month.redemption for month in months] == [133, 0, 282, 667]
    assert all(month.redemption is None or month.redemption <= 1000 for month in months)


def test_the_adjustments_sum_to_the_column_of_the_movements(history: None) -> None:
    """U21: those that a command or a bonus made, without an actor, are among them."""
    whole = reports.total(reports.movements(since=JANUARY, until=APRIL))

    sums = reports.by_reason(reports.adjustments(since=JANUARY, until=APRIL))

    assert sum(row.net for row in sums) == whole.adjusted


def test_points_are_grouped_by_the_month_of_their_last_day(lot: Callable[..., Any], account: Account) -> None:
    """Overdue first, those that never expire last."""
    with at(2026, 3, 1, 12):
        set_rules(redeem_points=Points(10), redeem_value=Paisa(100))
        lot(7, expires_at=None)
        lot(10, expires_at=nepal(2026, 4, 1))  # expired from midnight on: counts for March
        lot(20, expires_at=nepal(2026, 4, 2))
        lot(30, expires_at=nepal(2026, 4, 30, 23, 59))
        lot(40, expires_at=nepal(2026, 3, 1, 12))
        rows = reports.ageing()

    found = [(row.overdue, row.month, row.lots, row.points, row.gross) for row in rows]
    assert found == [
        (True, None, 1, 40, 400),
        (False, date(2026, 3, 1), 1, 10, 100),
        (False, date(2026, 4, 1), 2, 50, 500),
        (False, None, 1, 7, 70),
    ]


def test_pending_points_have_a_column_of_their_own(account: Account) -> None:
    with at(2026, 3, 1, 12):
        set_rules(pending_days=7)
        award(40_000)
        (row,) = reports.ageing()

    assert (row.available, row.pending, row.points) == (0, 40, 40)


def test_adjustments_are_listed_with_actor_and_note_also_those_of_the_system(account: Account) -> None:
    def adjust_by(actor: str | None, points: int, reason: str, day: int) -> None:
        with at(2026, 3, day, 12):
            ledger.adjust(
                site_key=SITE, member_id=MEMBER, points=points, key=f"{day}", reason=reason, actor=actor, note="why"
            )

    adjust_by("1", 100, "goodwill", 1)
    adjust_by(None, 500, "import", 2)
    adjust_by("2", -30, "mistake", 3)
    adjust_by("1", -20, "goodwill", 4)

    found = [(entry.actor, entry.dst, entry.amount, entry.note.text) for entry in reports.adjustments()]
    assert found == [
        ("1", "adjusted", 20, "why"), ("2", "adjusted", 30, "why"), (None, "available", 500, "why"),
        ("1", "available", 100, "why"),
    ]  # fmt: skip
    sums = [
        (row.reason, row.number, row.added, row.deducted, row.net) for row in reports.by_reason(reports.adjustments())
    ]
    assert sums == [("import", 1, 500, 0, 500), ("goodwill", 2, 100, -20, 80), ("mistake", 1, 0, -30, -30)]
    some = reports.adjustments(since=date(2026, 3, 2), until=date(2026, 3, 4), reason="goodwill")
    assert [entry.amount for entry in some] == [20]


@pytest.fixture
def two_sites(account: Account) -> None:
    """Points in two programmes: one point is worth 10 paisa in one and Rs 1 in the other."""
    with at(2026, 1, 10, 12):
        adjust(100)
        ledger.set_rules("branch", Rules(redeem_points=Points(1), redeem_value=Paisa(100)))
        ledger.adjust(site_key="branch", member_id=MEMBER, points=30, key="1", reason="example", actor="1")


def test_each_site_has_its_own_figures_and_point_value(two_sites: None) -> None:
    with at(2026, 1, 20, 12):
        both, one = reports.liability(), reports.liability(site_key="branch")
        (all_months,) = reports.movements(since=JANUARY, until=date(2026, 1, 31))
        (branch,) = reports.movements(since=JANUARY, until=date(2026, 1, 31), site_key="branch")
        ages = reports.ageing(site_key="branch")

    assert (both.members, both.points, both.gross) == (2, 130, 1000 + 3000)
    assert (one.members, one.points, one.gross) == (1, 30, 3000)
    assert (all_months.closing, all_months.gross, branch.closing, branch.gross) == (130, 4000, 30, 3000)
    assert [row.points for row in ages] == [30]
    assert [entry.amount for entry in reports.adjustments(site_key="branch")] == [30]
    assert [entry.amount for entry in reports.adjustments(site_key="default")] == [100]
    assert reports.sites() == ["branch", "default"]


def test_an_erased_member_is_no_liability_and_a_merged_one_no_member(account: Account) -> None:
    """M8"""
    adjust(10, "1", member_id="8")
    adjust(20, "2", member_id="9")
    ledger.erase(site_key=SITE, member_id="8")
    ledger.merge(site_key=SITE, member_id="9", into=MEMBER)

    now = reports.liability()

    assert (now.members, now.points) == (1, 20)


def test_a_debt_of_one_member_does_not_lower_what_the_shop_owes_another(account: Account) -> None:
    """M19"""
    with at(2026, 1, 10, 12):
        set_rules(redeem_points=Points(10), redeem_value=Paisa(100))
        late_capture(1_000, "shop:1")  # owes 1,000
        adjust(1_000, "other", member_id="8")

        now = reports.liability()
        (month,) = reports.movements(since=JANUARY, until=date(2026, 1, 31))

    assert (now.points, now.owed, now.gross) == (1_000, 1_000, 10_000)
    assert (month.closing, month.owed, month.gross, month.net(10)) == (1_000, 1_000, 10_000, 9_000)
    assert (month.redeemed, month.debts, month.adjusted) == (-1_000, 1_000, 1_000)


def test_a_debt_is_netted_where_the_two_accounts_become_one(account: Account) -> None:
    """M19"""
    with at(2026, 1, 10, 12):
        late_capture(300, "shop:1")
        adjust(1_000, "other", member_id="8")
        ledger.merge(site_key=SITE, member_id="8", into=MEMBER)

        now = reports.liability()
        (month,) = reports.movements(since=JANUARY, until=date(2026, 1, 31))

    assert (now.points, now.owed, month.closing, month.debts) == (700, 0, 700, 0)


def test_no_report_needs_more_queries_for_more_rows(history: None, two_sites: None) -> None:
    def statements() -> dict[str, int]:
        reports_by_name = {
            "movements": lambda: reports.movements(since=JANUARY, until=APRIL),
            "ageing": reports.ageing,
            "liability": reports.liability,
            "adjustments": lambda: [(each.account, hasattr(each, "note")) for each in reports.adjustments()],
            "by reason": lambda: reports.by_reason(reports.adjustments()),
        }
        counted = {}
        for name, read in reports_by_name.items():
            with CaptureQueriesContext(connection) as captured:
                read()
            counted[name] = len(captured)
        return counted

    few = statements()
    for number in range(40):
        ledger.adjust(
            site_key=SITE, member_id=str(number), points=5, key=f"m{number}", reason=f"r{number}", actor="1", note="x"
        )  # fmt: skip

    assert few == statements()
    # Movements: programmes, values, the closed months of the one that has any, the open months of each.
    assert few == {"movements": 5, "ageing": 2, "liability": 2, "adjustments": 1, "by reason": 1}
