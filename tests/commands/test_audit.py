"""``loyalink_audit``: changes that bypass the ledger are found, and balances are rebuilt from the entries."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from loyalink_khalti import append_only
from loyalink_khalti.flow import audit
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry, Hold, Lot
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.testing import FakeShop

from . import conftest

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bought(shop: FakeShop, account: Account) -> Account:
    """A member who redeemed 500 points on an order, earned with it, and held and released 100 more."""
    conftest.bought(shop, member_id=account.member_id, points_redeemed=Points(500))
    ledger.hold(site_key="default", member_id="7", purchase="fake:next", points=Points(100))
    ledger.release(purchase="fake:next")
    account.refresh_from_db()
    return account


def audited(*options: str) -> tuple[dict[str, Any], int]:
    """What the command prints as JSON, and its exit code."""
    out = StringIO()
    try:
        call_command("loyalink_audit", "--json", *options, stdout=out, stderr=StringIO())
    except SystemExit as end:
        return json.loads(out.getvalue()), int(end.code or 0)
    return json.loads(out.getvalue()), 0


def broken() -> set[str]:
    return {violation["invariant"] for violation in audited()[0]["violations"]}


def test_the_command_prints_the_result_of_the_audit(bought: Account) -> None:
    report, code = audited()

    assert (report, code) == (audit(), 0)
    names = ["violations", "payments", "accounts", "orders", "unmatched_payments"]
    names += ["recorded_outcomes", "inferred_refunds", "ok"]
    assert list(report) == names
    assert (report["ok"], len(report["accounts"]), len(report["orders"])) == (True, 1, 1)


def test_an_empty_ledger_agrees(shop: FakeShop) -> None:
    rows = ["violations", "payments", "accounts", "orders", "unmatched_payments"]
    rows += ["recorded_outcomes", "inferred_refunds"]
    assert audited() == ({"ok": True, **{name: [] for name in rows}}, 0)


def test_a_changed_balance_is_found_and_rebuilt(bought: Account) -> None:
    """F14"""
    Account.objects.update(available=bought.available + 7, lifetime_earned=1)

    report, code = audited()
    assert (report["ok"], code) == (False, 1)
    assert {violation["invariant"] for violation in report["violations"]} == {"L1", "L3"}

    assert audited("--repair") == (audit(), 0)
    assert Account.objects.get().available == bought.available


def test_a_missing_entry_is_found(bought: Account) -> None:
    _delete_entry(seq=2)

    assert "L10" in broken()


def test_a_ledger_that_lost_its_first_entry_is_found(bought: Account) -> None:
    _delete_entry(seq=1)

    assert "L10" in broken()


def test_wrong_entries_are_not_rebuilt(bought: Account) -> None:
    _delete_entry(seq=1)  # the opening balance: without it, 500 points were redeemed of none

    audited("--repair")

    assert (Account.objects.get().available, "L1" in broken()) == (bought.available, True)


def test_a_lot_that_lost_points_is_found(bought: Account) -> None:
    Lot.objects.filter(remaining__gt=0).update(remaining=1)

    assert broken() == {"L3"}


def test_a_hold_without_its_entry_is_found(bought: Account) -> None:
    Hold.objects.create(account=bought, version_id=Hold.objects.first().version_id, purchase="fake:x", points=5)  # type: ignore[union-attr]

    assert broken() == {"L3", "L7"}


def test_an_award_that_differs_from_its_entries_is_found(bought: Account) -> None:
    OrderAward.objects.update(fixed=1)

    assert broken() == {"L6"}


def test_a_redemption_that_differs_from_its_entries_is_found(bought: Account) -> None:
    OrderRedemption.objects.update(points=501)

    assert broken() == {"L6", "L9"}


@pytest.mark.parametrize(
    ("model", "field", "invariant"),
    [(OrderAward, "points_clawed_back", "L8"), (OrderRedemption, "points_restored", "L9")],
)
def test_a_refund_without_entries_is_found(model: Any, field: str, invariant: str, bought: Account) -> None:
    model.objects.update(**{field: 3})

    assert invariant in broken()


def test_a_refunded_purchase_of_merged_accounts_agrees(shop: FakeShop, bought: Account) -> None:
    """The refund of a merged account's order moves points of the account it was merged into."""
    ledger.merge(site_key="default", member_id="7", into="8")
    ledger.refund(
        purchase=Purchase.objects.get().key, refund_ref="r1", refunded_so_far=Paisa(100_000), subtotal=Paisa(250_000)
    )

    assert not broken() & {"L1", "L3", "L6", "L7", "L8", "L9", "L10"}


def test_the_audit_makes_no_more_queries_for_a_long_history(
    bought: Account, django_assert_max_num_queries: Any, django_assert_num_queries: Any
) -> None:
    """The database sums; only accounts, purchases and payments are read, some hundred at a time."""
    with django_assert_max_num_queries(61) as short:
        audit()
    for number in range(20):
        ledger.adjust(site_key="default", member_id="7", points=10, key=f"more {number}", reason="test")

    with django_assert_num_queries(len(short)):
        audit()


def _delete_entry(*, seq: int) -> None:
    """Delete an entry as in a database shell, without the triggers that refuse it."""
    with append_only.lifted(connection), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {Entry._meta.db_table} WHERE seq = %s", [seq])
