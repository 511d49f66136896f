"""How many statements a verb needs: bounded, however long the history."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry, Lot
from loyalink_khalti.money import Paisa, Points

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
)

pytestmark = [pytest.mark.money, pytest.mark.on_both]

NOW = nepal(2026, 2, 25, 12)
LONG = 500


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect the statements that are sent, without savepoints and the begin and end of transactions."""
    sent: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield sent
    left_out = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
    sent += [query["sql"] for query in captured.captured_queries if not query["sql"].startswith(left_out)]


@pytest.fixture(params=[1, LONG], ids=["new member", "long history"])
def member_account(request: pytest.FixtureRequest, account: Account) -> Account:
    """A member with 100,000 points and a history of entries, lots and purchases."""
    adjust(100_000, "much")
    version = ledger.current_version(SITE)
    now = nepal(2026, 1, 1)
    lots = Lot.objects.bulk_create(
        Lot(account=account, source="past", original=1, available_at=now, expires_at=NOW + timedelta(days=number))
        for number in range(request.param)
    )
    account.refresh_from_db()
    past = [
        ("earn", "issued", "available"), ("hold", "available", "held"), ("capture", "held", "redeemed"),
    ]  # fmt: skip
    Entry.objects.bulk_create(
        Entry(
            account=account, seq=account.seq + 3 * number + step + 1, kind=kind, src=src, dst=dst, amount=1,
            key=f"past:{number}:{kind}", purchase=f"past:{number}", lot=lot, version=version,
        )
        for number, lot in enumerate(lots)
        for step, (kind, src, dst) in enumerate(past)
    )  # fmt: skip
    Account.objects.update(seq=account.seq + 3 * len(lots), lifetime_earned=len(lots), lifetime_redeemed=len(lots))
    assert not list(ledger.sweep())  # seals the entries that were written past the ledger
    return account


@pytest.mark.django_db(transaction=True)
def test_a_verb_of_the_checkout_takes_these_statements_savepoints_included() -> None:
    """N5: hold: lock (it decides, too), hold, parts of lots, lots, entries, balances. capture: hold, lock, redemption,
    entries, balances. release: hold, lock, lots, entries, balances. award: lock, award, lot, entries, balances.

    No version of the rules is among them: this process has read it.
    """
    for serial in range(30):
        adjust(10, str(serial))
    version = ledger.current_version(SITE)

    def held(purchase: str, points: int) -> None:
        ledger.hold(
            site_key=SITE, member_id=MEMBER, purchase=purchase, points=Points(points), version_id=version.pk
        )  # fmt: skip

    verbs: dict[str, Callable[[], object]] = {
        "hold": lambda: held("shop:1", 5), "capture": capture, "hold of many lots": lambda: held("shop:2", 95),
        "release": lambda: release("shop:2"), "award": lambda: award(100_000, version=version),
        "rules of now": lambda: ledger.current_version(SITE).rules,
    }  # fmt: skip
    taken = {}
    for name, verb in verbs.items():
        with transaction.atomic(), CaptureQueriesContext(connection) as captured:
            verb()
        taken[name] = len(captured)

    assert taken == {
        "hold": 6, "capture": 5, "hold of many lots": 6, "release": 5, "award": 5, "rules of now": 1,
    }  # fmt: skip


@pytest.mark.parametrize("shown", [True, False])
def test_an_award_needs_at_most_ten_statements(member_account: Account, shown: bool) -> None:
    version = ledger.current_version(SITE) if shown else None

    with counted() as sent:
        award(100_000, version=version)

    assert len(sent) <= 10, sent


def test_an_award_with_a_first_order_bonus_needs_at_most_twelve_statements(member_account: Account) -> None:
    set_rules(first_order_bonus=100)

    with counted() as sent:
        award(100_000)

    assert len(sent) <= 12, sent


def test_an_award_that_repays_a_debt_needs_at_most_fourteen_statements(account: Account) -> None:
    late_capture(50, "shop:2")

    with counted() as sent:
        award(100_000)

    assert len(sent) <= 14, sent


def test_a_repeated_award_needs_at_most_eight_statements(member_account: Account) -> None:
    award(100_000)

    with counted() as sent:
        award(100_000)

    assert len(sent) <= 8, sent


def test_a_hold_needs_at_most_ten_statements(member_account: Account) -> None:
    with counted() as sent:
        hold(200)

    assert len(sent) <= 10, sent


@pytest.mark.parametrize("number", [1, 50])
def test_a_hold_with_overdue_lots_needs_at_most_fourteen_statements(number: int, account: Account) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        for serial in range(number):
            adjust(10, f"old {serial}")
        clock.shift(timedelta(days=400))
        adjust(500, "new")

        with counted() as sent:
            hold(200)

    assert len(sent) <= 14, sent
    assert Entry.objects.filter(kind="expire").count() == number


def test_a_hold_over_many_lots_needs_at_most_ten_statements(account: Account) -> None:
    for serial in range(30):
        adjust(10, str(serial))

    with counted() as sent:
        hold(300)

    assert len(sent) <= 10, sent


@pytest.mark.parametrize("points", [None, 150])
def test_a_capture_needs_at_most_ten_statements(points: int | None, member_account: Account) -> None:
    hold(200)

    with counted() as sent:
        capture(points=points)

    assert len(sent) <= 10, sent


@pytest.mark.parametrize("verb", [release, lambda: capture(points=50)], ids=["release", "capture of a part"])
def test_points_return_to_many_lots_in_at_most_ten_statements(verb: Callable[[], object], account: Account) -> None:
    for serial in range(30):
        adjust(10, str(serial))
    hold(300)

    with counted() as sent:
        verb()

    assert len(sent) <= 10, sent


def test_a_refund_needs_no_more_statements_for_a_long_history(account: Account) -> None:
    def one(number: int) -> int:
        redeem(100, f"shop:{number}")
        award(100_000, f"shop:{number}", points_value=1_000)
        with counted() as sent:
            refund(50_000, 100_000, f"shop:{number}")
        assert sent
        return len(sent)

    adjust(1_000, "opening")
    first = one(1)
    for number in range(LONG // 10):
        adjust(1, f"past {number}")
    Entry.objects.bulk_create(_past(account, LONG))
    last = one(2)

    assert (first == last, first <= 20) == (True, True), (first, last)


def _past(account: Account, number: int) -> list[Entry]:
    """Make this many old entries, in and out."""
    account.refresh_from_db()
    moves = (("adjusted", "available"), ("available", "adjusted"))
    Account.objects.filter(pk=account.pk).update(seq=account.seq + number)
    return [
        Entry(
            account=account, seq=account.seq + 1 + serial, kind="adjust", amount=1, key=f"old {serial}",
            src=moves[serial % 2][0], dst=moves[serial % 2][1],
        )
        for serial in range(number)
    ]  # fmt: skip


def test_a_balance_is_read_in_one_statement(member_account: Account, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1) as queries:
        found = ledger.find_account(SITE, MEMBER)

    assert found is not None
    assert found.available == 100_000
    assert "loyalink_khalti_entry" not in queries.captured_queries[0]["sql"]


def test_a_late_capture_needs_at_most_fourteen_statements(member_account: Account) -> None:
    with counted() as sent:
        ledger.late_capture(site_key=SITE, member_id=MEMBER, purchase="shop:1", points=Points(200_000), value=Paisa(1))

    assert len(sent) <= 14, sent


@pytest.mark.skipif(connection.vendor != "sqlite", reason="with so few rows PostgreSQL reads tables whole")
def test_every_verb_finds_its_rows_by_an_index(account: Account) -> None:
    """No slower at a million entries than at a thousand."""
    adjust(1_000)
    late = partial(late_capture, 100, "shop:3")
    verbs: list[Callable[[], object]] = [
        partial(award, 100_000), partial(hold, 200), capture, partial(hold, 100, "shop:2"), partial(release, "shop:2"),
        partial(refund, 50_000, 100_000), late, partial(adjust, -1, "less"),
        partial(ledger.find_account, SITE, MEMBER), partial(ledger.expire, account.pk),
    ]  # fmt: skip
    with counted() as sent:
        for verb in verbs:
            verb()

    scans = {
        (step, sql)
        for sql in sent
        if not sql.startswith("INSERT")
        for step in _plan(sql)
        if re.match(r"SCAN (U\d|loyalink_khalti_(?!program))", step)
    }
    assert not scans


def _plan(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}".replace("%", "%%"))
        return [row[3] for row in cursor.fetchall()]
