"""What an accountant reads of the points, told by one small story with every kind of entry, and by any story."""

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

from loyalink_khalti.loyalty import ledger, programmes, reports
from loyalink_khalti.loyalty.models import MOVES, Account, Bucket, Entry, Kind
from loyalink_khalti.loyalty.movement import COMES_FROM, GOES_TO
from loyalink_khalti.loyalty.rules import Rules, Shortfall
from loyalink_khalti.money import Paisa, Points

from .conftest import (
    MEMBER,
    SITE,
    adjust,
    award,
    hold,
    late_capture,
    nepal,
    refund,
    release,
    rules,
    sound,
    spend,
    sweep,
)  # fmt: skip
from .test_any_order import Ledger

pytestmark = [pytest.mark.money, pytest.mark.django_db]

JANUARY, APRIL = date(2026, 1, 1), date(2026, 4, 30)


def at(*moment: int) -> time_machine.travel:
    return time_machine.travel(nepal(*moment), tick=False)


def balance() -> int:
    """What is outstanding, as the accounts say it."""
    points = F("pending") + F("available") + F("held") - F("owed")
    return Account.objects.aggregate(points=Sum(points))["points"] or 0


@pytest.fixture
def story(account: Account) -> None:
    """Four months in which everything happens that can happen to points; 1 point is earned for Rs 10."""
    with at(2026, 1, 10, 12):
        version = rules(valid_months=1, least_spent=Points(1), step=Points(10))
        award(400_000, "shop:1")  # 400 earned
        adjust(50, "goodwill")
        hold(100, "shop:2")
        release("shop:2")
        spend(120, "shop:2")  # 120 redeemed
        refund(100, 200, "shop:2")  # 60 of them restored
    with at(2026, 2, 5, 12):
        adjust(-30, "typed wrongly")
        refund(100_000, 400_000, "shop:1")  # 100 taken back
        adjust(25, "of another", member_id="8")
        ledger.merge(site_key=SITE, member_id="8", into=MEMBER)
        rules(valid_months=1, waiting_days=7, least_spent=Points(1), step=Points(10))
        award(70_000, "shop:3")  # 70 wait
    with at(2026, 3, 1, 12):
        sweep()  # what was left of January expires; the 70 are ready
        late_capture(100, "shop:4")  # more than there is: the rest is owed
    with at(2026, 4, 2, 12):
        award(20_000, "shop:5", version=version)  # 20 set off against what is owed
        rules(shortfall=Shortfall.FORGIVE)
        award(10_000, "shop:6", version=programmes.current(SITE))
        spend(20, "shop:7")
        refund(10_000, 10_000, "shop:6")  # 5 of the 10 are still there; the other 5 are forgiven
    sound()


def test_a_story_with_every_kind_of_entry_adds_up_month_by_month(story: None) -> None:
    kinds = set(Entry.objects.values_list("kind", flat=True))
    with at(2026, 4, 30, 12):
        months = reports.movements(since=JANUARY, until=APRIL)

    assert kinds == {kind.value for kind in Kind}
    figures = [
        (month.since.month, month.opening, *(getattr(month, name) for name in reports.COLUMNS), month.closing)
        for month in months
    ]
    assert figures == [
        # month, opening, earned, restored, adjusted, redeemed, expired, taken back, written off, closing
        (1, 0, 400, 60, 50, -120, 0, 0, 0, 390),
        (2, 390, 70, 0, -5, 0, 0, -100, 0, 355),
        (3, 355, 0, 0, 0, -100, -260, 0, 0, -5),
        (4, -5, 30, 0, 0, -20, 0, -10, 5, 0),
    ]
    assert months[-1].closing == balance()


def test_each_month_tells_where_its_points_lie_at_its_end(story: None) -> None:
    months = reports.movements(since=JANUARY, until=APRIL)

    lies = [(month.pending, month.available, month.held, month.owed) for month in months]
    assert lies == [(0, 390, 0, 0), (70, 285, 0, 0), (0, 0, 0, 5), (0, 0, 0, 0)]


def test_the_whole_is_the_sum_of_its_months(story: None) -> None:
    whole = reports.total(reports.movements(since=JANUARY, until=APRIL))

    (once,) = reports.movements(since=date(2026, 4, 1), until=APRIL)
    assert (whole.opening, whole.earned, whole.redeemed, whole.closing) == (0, 500, -240, once.closing)
    assert (whole.redemption, whole.breakage) == (480, 520)


def test_every_bucket_is_outstanding_or_a_column() -> None:
    others = {bucket for move in MOVES.values() for pair in move for bucket in pair} - set(reports.OUTSTANDING)

    assert others == set(COMES_FROM) == set(GOES_TO) == set(Bucket) - set(reports.OUTSTANDING)
    assert {*COMES_FROM.values(), *GOES_TO.values()} == set(reports.COLUMNS)


class Reported(Ledger):
    """Whatever happens in whatever order: the report says what the accounts say."""

    @invariant()
    def the_report_adds_up(self) -> None:
        until = timezone.localdate(timezone=nepal(2026, 1, 1).tzinfo)
        months = reports.movements(since=date(2026, 1, 1), until=until)
        assert [month.opening for month in months[1:]] == [month.closing for month in months[:-1]]
        for month in months:
            assert month.closing == month.pending + month.available + month.held - month.owed
        assert (months[-1].closing if months else 0) == balance()
        ages = reports.ageing()
        sums = Account.objects.aggregate(available=Sum("available"), pending=Sum("pending"))
        assert sum(row.available for row in ages) == (sums["available"] or 0)
        assert sum(row.pending for row in ages) == (sums["pending"] or 0)


@pytest.mark.timeout(300)
def test_opening_and_movements_are_the_closing_and_that_is_what_the_accounts_say() -> None:
    run_state_machine_as_test(
        Reported,
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


def test_any_days_may_be_asked_for(account: Account) -> None:
    """Nepal's year begins in the middle of July."""
    for day in (15, 16, 17):
        with at(2026, 7, day, 12):
            adjust(day, f"{day}")

    months = reports.movements(since=date(2026, 7, 16), until=date(2026, 8, 3))

    told = [(month.since, month.until, month.opening, month.adjusted, month.closing) for month in months]
    assert told == [
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
    """What a point is worth later does not change what was told of a month that is over."""
    with at(2026, 1, 10, 12):
        rules(redeem_points=Points(10), redeem_value=Paisa(100))
        adjust(205)
    with at(2026, 2, 10, 12):
        rules(redeem_points=Points(10), redeem_value=Paisa(200))

    january, february = reports.movements(since=JANUARY, until=date(2026, 2, 28))

    assert (january.gross, february.gross) == (2050, 4100)
    assert (january.net(0), january.net(10), january.net(100)) == (2050, 1845, 0)


def test_where_nothing_was_earned_there_is_no_rate(account: Account) -> None:
    with at(2026, 1, 10, 12):
        adjust(100)

    (month,) = reports.movements(since=JANUARY, until=date(2026, 1, 31))

    assert (month.redemption, month.breakage) == (None, None)


def test_points_are_sorted_by_the_month_of_their_last_day(lot: Callable[..., Any], account: Account) -> None:
    """Overdue first, those that never expire last."""
    with at(2026, 3, 1, 12):
        rules(redeem_points=Points(10), redeem_value=Paisa(100))
        lot(7, expires_at=None)
        lot(10, expires_at=nepal(2026, 4, 1))  # gone from midnight on: March's
        lot(20, expires_at=nepal(2026, 4, 2))
        lot(30, expires_at=nepal(2026, 4, 30, 23, 59))
        lot(40, expires_at=nepal(2026, 3, 1, 12))
        rows = reports.ageing()

    told = [(row.overdue, row.month, row.lots, row.points, row.gross) for row in rows]
    assert told == [
        (True, None, 1, 40, 400),
        (False, date(2026, 3, 1), 1, 10, 100),
        (False, date(2026, 4, 1), 2, 50, 500),
        (False, None, 1, 7, 70),
    ]


def test_points_that_wait_are_told_apart(account: Account) -> None:
    with at(2026, 3, 1, 12):
        rules(waiting_days=7)
        award(40_000)
        (row,) = reports.ageing()

    assert (row.available, row.pending, row.points) == (0, 40, 40)


def test_what_staff_changed_is_told_with_who_and_why_and_what_machines_did_is_not(account: Account) -> None:
    def by(actor: str | None, points: int, reason: str, day: int) -> None:
        with at(2026, 3, day, 12):
            ledger.adjust(
                site_key=SITE, member_id=MEMBER, points=points, key=f"{day}", reason=reason, actor=actor, note="why"
            )

    by("1", 100, "goodwill", 1)
    by(None, 500, "import", 2)
    by("2", -30, "mistake", 3)
    by("1", -20, "goodwill", 4)

    told = [(entry.actor, entry.dst, entry.amount, entry.note.text) for entry in reports.adjustments()]
    assert told == [("1", "adjusted", 20, "why"), ("2", "adjusted", 30, "why"), ("1", "available", 100, "why")]
    sums = [
        (row.reason, row.number, row.added, row.taken, row.net) for row in reports.by_reason(reports.adjustments())
    ]
    assert sums == [("goodwill", 2, 100, -20, 80), ("mistake", 1, 0, -30, -30)]
    some = reports.adjustments(since=date(2026, 3, 2), until=date(2026, 3, 4), reason="goodwill")
    assert [entry.amount for entry in some] == [20]


@pytest.fixture
def two_sites(account: Account) -> None:
    """The same points in two programmes, worth 10 paisa each in one and Rs 1 in the other."""
    with at(2026, 1, 10, 12):
        adjust(100)
        programmes.change("branch", Rules(redeem_points=Points(1), redeem_value=Paisa(100)))
        ledger.adjust(site_key="branch", member_id=MEMBER, points=30, key="1", reason="example", actor="1")


def test_each_site_has_its_own_figures_and_its_own_value(two_sites: None) -> None:
    with at(2026, 1, 20, 12):
        both, one = reports.standing(), reports.standing(site_key="branch")
        (all_months,) = reports.movements(since=JANUARY, until=date(2026, 1, 31))
        (branch,) = reports.movements(since=JANUARY, until=date(2026, 1, 31), site_key="branch")
        ages = reports.ageing(site_key="branch")

    assert (both.members, both.points, both.gross) == (2, 130, 1000 + 3000)
    assert (one.members, one.points, one.gross) == (1, 30, 3000)
    assert (all_months.closing, all_months.gross, branch.closing, branch.gross) == (130, 4000, 30, 3000)
    assert [row.points for row in ages] == [30]
    assert [entry.amount for entry in reports.adjustments(site_key="branch")] == [30]
    assert not reports.adjustments(site_key="default")
    assert reports.sites() == ["branch", "default"]


def test_who_was_erased_or_merged_is_no_member_and_their_points_still_count(account: Account) -> None:
    adjust(10, "1", member_id="8")
    adjust(20, "2", member_id="9")
    ledger.erase(site_key=SITE, member_id="8")
    ledger.merge(site_key=SITE, member_id="9", into=MEMBER)

    now = reports.standing()

    assert (now.members, now.points) == (1, 30)


def test_no_report_asks_more_where_there_is_more(story: None, two_sites: None) -> None:
    def statements() -> dict[str, int]:
        asked = {
            "movements": lambda: reports.movements(since=JANUARY, until=APRIL),
            "ageing": reports.ageing,
            "standing": reports.standing,
            "adjustments": lambda: [(each.account, hasattr(each, "note")) for each in reports.adjustments()],
            "by reason": lambda: reports.by_reason(reports.adjustments()),
        }
        counted = {}
        for name, ask in asked.items():
            with CaptureQueriesContext(connection) as captured:
                ask()
            counted[name] = len(captured)
        return counted

    few = statements()
    for number in range(40):
        ledger.adjust(
            site_key=SITE, member_id=str(number), points=5, key=f"m{number}", reason=f"r{number}", actor="1", note="x"
        )  # fmt: skip

    assert few == statements()
    assert few == {"movements": 2, "ageing": 2, "standing": 2, "adjustments": 1, "by reason": 1}
