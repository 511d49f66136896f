"""The history of a member, page by page: each line has the balance after it, and a page sums."""

from datetime import timedelta
from itertools import pairwise

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.history import HistoryLine, PointsHistory, points_history
from loyalink_khalti.loyalty.models import Account

from .conftest import (
    MEMBER,
    SITE,
    adjust,
    award,
    capture,
    hold,
    late_capture,
    nepal,
    redeem,
    refund,
    release,
    set_rules,
    sweep,
)

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db]

NOW = nepal(2026, 2, 25, 12)


def pages(account: Account, size: int) -> list[PointsHistory]:
    """All pages of a history, each checked to sum."""
    found = [points_history(account, size=size)]
    while found[-1].older is not None:
        found.append(points_history(account, before=found[-1].older, size=size))
    for page in found:
        assert page.opening + sum(line.points for line in page.lines) == page.closing
    for newer, older in pairwise(found):
        assert newer.opening == older.closing
    assert found[-1].opening == 0
    return found


def lines(found: list[PointsHistory]) -> list[HistoryLine]:
    return [line for page in found for line in page.lines]


@pytest.mark.parametrize("size", [1, 3, 50])
def test_the_pages_of_a_history_sum_to_the_balance(account: Account, size: int) -> None:
    """T27: every entry is shown once with the right sign; pending points and debts count too."""
    set_rules(pending_days=14)
    with time_machine.travel(NOW, tick=False) as clock:
        award(40_000, "shop:1")
        refund(10_000, 40_000, "shop:1")
        clock.shift(timedelta(days=14))
        sweep()
        redeem(20, "shop:2")
        refund(40_000, 40_000, "shop:1")
        late_capture(15, "shop:3")
        adjust(5)

        found = pages(account, size)

    assert [(line.kind, line.points, line.balance) for line in reversed(lines(found))] == [
        ("earn", 40, 40),
        ("claw_back", -10, 30),
        ("activate", 0, 30),
        ("hold", -20, 10),
        ("claw_back", -10, 0),
        ("claw_back", -20, -20),
        ("late_capture", -15, -35),
        ("adjust", 5, -30),
        ("repay", 0, -30),
    ]


def test_points_that_are_held_are_used_once_their_capture_is_on_another_page(account: Account) -> None:
    award(750_000)
    hold(200, "shop:2")
    for number in range(3):
        adjust(1, str(number))
    capture("shop:2", value=2_000)
    hold(100, "shop:3")
    hold(50, "shop:4")
    release("shop:4")

    shown = [(line.kind, line.points, line.is_used) for line in lines(pages(account, 2))]

    assert shown == [
        ("release", 50, False),
        ("hold", -50, False),
        ("hold", -100, False),
        *[("adjust", 1, False)] * 3,
        ("hold", -200, True),
        ("earn", 750, False),
    ]


def test_a_page_is_the_same_after_points_were_added(account: Account) -> None:
    """T27"""
    for number in range(5):
        adjust(number + 1, str(number))
    first = points_history(account, size=2)
    second = points_history(account, before=first.older, size=2)

    adjust(77, "later")

    assert points_history(account, before=first.older, size=2) == second
    assert second.closing == 6


def test_the_history_of_merged_members_sums_too() -> None:
    """T27"""
    with time_machine.travel(NOW, tick=False) as clock:
        for number, member_id in enumerate(["7", "8", "7", "8"]):
            clock.shift(timedelta(minutes=1))
            award(100_000, f"shop:{number}", member_id=member_id)
            hold(10, f"shop:{number}:2", member_id=member_id)
            capture(f"shop:{number}:2")
        ledger.merge(site_key=SITE, member_id="8", into="7")

        found = pages(Account.objects.get(member_id="7"), 3)

    assert found[0].closing == 360
    assert sorted(line.points for line in lines(found) if line.kind in {"earn", "hold"}) == [-10] * 4 + [100] * 4


def test_a_page_reads_no_more_however_long_the_history_is(account: Account) -> None:
    for number in range(45):
        adjust(1, str(number))

    def statements(before: int | None) -> int:
        with CaptureQueriesContext(
            connection,
        ) as context:
            page = points_history(account, before=before, size=20)
        assert len(page.lines) == (20 if before is None else min(before, 20))
        return len(context)

    assert (statements(None), statements(25), statements(3)) == (3, 4, 4)


@pytest.mark.parametrize("before", [0, -5, 10**15])
def test_a_place_that_is_none_shows_a_page_all_the_same(account: Account, before: int) -> None:
    adjust(3)

    page = points_history(account, before=before)

    assert page.closing == (3 if before > 0 else 0)
    assert page.older is None


def test_a_customer_without_an_account_has_an_empty_history() -> None:
    assert points_history(None) == PointsHistory()
    assert not Account.objects.filter(member_id=MEMBER).exists()
