"""Takings: the money of each day by payment method, which ties to the settlement and to what was received."""

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import received, reports, takings
from loyalink_khalti.payments.counter_sales import CounterRefund, CounterSale
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.payments.states import RefundState
from loyalink_khalti.payments.takings import TakingsMethod

from .test_reports import payment, refund, utc

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db]

FEBRUARY = {"since": date(2026, 2, 1), "until": date(2026, 2, 28)}
TENTH, TWELFTH = date(2026, 2, 10), date(2026, 2, 12)


def order(
    ref: str, method: str, *, site: str = "default", placed: str = "2026-02-10T05:00:00", **more: Any
) -> Purchase:
    return Purchase.objects.create(
        shop="fake", ref=ref, origin=ref, site_key=site, language="en", method=method, cart={}, total=50_000,
        amount_due=50_000 - more.get("points_value", 0), state="placed", placed_at=utc(placed), **more,
    )  # fmt: skip


def receive(purchase: Purchase, amount: int, day: date, reverses: ReceivedMoney | None = None) -> ReceivedMoney:
    key = f"{purchase.ref}:{ReceivedMoney.objects.count()}"
    return ReceivedMoney.objects.create(
        purchase=purchase, amount=amount, received_on=day, key=key, reverses=reverses
    )  # fmt: skip


def refund_by_hand(purchase: Purchase, amount: int, done_at: str) -> Refund:
    return Refund.objects.create(
        purchase=purchase, key=f"{purchase.ref}:hand", state=RefundState.DONE, subtotal=amount, shipping=0,
        amount=amount, done_at=utc(done_at),
    )  # fmt: skip


def sale(bill: str, amount: int, method: str, *, points_value: int = 0, site: str = "default") -> CounterSale:
    return CounterSale.objects.create(
        site_key=site, key=f"{site}:{bill}", bill_number=bill, bill_day=TENTH, amount=amount, method=method,
        points_redeemed=points_value // 100, points_value=points_value, member_id="7", rules_version=1, actor="1",
        sold_at=utc("2026-02-10T08:00:00"),
    )  # fmt: skip


@pytest.fixture
def february() -> None:
    """Rs 1,000 by Khalti (fee Rs 30, Rs 200 refunded later), cash, a transfer in two parts, and the counter."""
    first = payment("order-1", "2026-02-10T06:00:00")
    refund(first, 20_000, "2026-02-12T06:00:00")
    cash, transfer = order("cash", "cod"), order("transfer", "bank_transfer", points_value=10_000, points_redeemed=100)
    wrong = receive(cash, 50_000, TENTH)
    receive(cash, -50_000, TENTH, reverses=wrong)
    receive(cash, 45_000, TENTH)
    receive(transfer, 15_000, TENTH)
    receive(transfer, 25_000, TWELFTH)
    refund_by_hand(cash, 5000, "2026-02-12T09:00:00")
    bill = sale("7", 30_000, "cash", points_value=4000)
    sale("8", 12_000, "card")
    CounterRefund.objects.create(
        sale=bill, key="back", amount=15_000, money=13_000, reason="returned", method="cash", actor="1",
        refunded_at=utc("2026-02-12T10:00:00"),
    )  # fmt: skip


def figures(rows: list[takings.Taking]) -> list[tuple[Any, ...]]:
    return [(row.day, str(row.method), row.received, row.fees, row.refunded, row.net) for row in rows]


def test_each_day_has_the_money_of_each_method(february: None) -> None:
    """U22"""
    assert figures(takings.takings(**FEBRUARY)) == [
        (TWELFTH, "khalti", 0, 0, 20_000, -20_000),
        (TWELFTH, "cod", 0, 0, 5000, -5000),
        (TWELFTH, "bank_transfer", 25_000, 0, 0, 25_000),
        (TWELFTH, "counter_cash", 0, 0, 13_000, -13_000),
        (TENTH, "khalti", 100_000, 3000, 0, 97_000),
        (TENTH, "cod", 45_000, 0, 0, 45_000),
        (TENTH, "bank_transfer", 15_000, 0, 0, 15_000),
        (TENTH, "counter_cash", 26_000, 0, 0, 26_000),
        (TENTH, "counter_card", 12_000, 0, 0, 12_000),
    ]


def test_what_is_expected_at_the_bank_and_in_the_drawer(february: None) -> None:
    """U22"""
    rows = takings.takings(**FEBRUARY)

    assert takings.cash(rows) == 45_000 - 5000 + 26_000 - 13_000
    assert takings.at_the_bank(rows) == 77_000 + 40_000 + 12_000
    assert takings.total(rows).net == takings.cash(rows) + takings.at_the_bank(rows)


def test_points_are_no_money_and_stand_apart(february: None) -> None:
    """U22"""
    placed = takings.placed_orders(**FEBRUARY)

    assert placed == takings.PlacedOrders(orders=4, points_value=Paisa(14_000))


def test_takings_tie_to_the_settlement_and_to_what_was_received(february: None) -> None:
    """U23"""
    rows = takings.takings(**FEBRUARY)
    settled = reports.total(reports.settlement(**FEBRUARY))
    moved = received.by_day(**FEBRUARY)
    khalti = takings.total(row for row in rows if row.method == TakingsMethod.KHALTI)
    outside = takings.total(row for row in rows if row.method in {TakingsMethod.COD, TakingsMethod.BANK_TRANSFER})

    assert (khalti.received, khalti.fees, khalti.refunded) == (settled.captured, settled.fees, settled.refunded)
    assert outside.received == sum(came for came, _went in moved.values()) == settled.received
    assert outside.refunded == sum(went for _came, went in moved.values()) == settled.by_hand


def test_a_site_sees_its_own_money_and_test_money_is_apart(february: None) -> None:
    """U24"""
    payment("other", "2026-02-10T06:00:00", site="branch")
    payment("test", "2026-02-10T06:00:00", environment="test")
    sale("7", 9000, "cash", site="branch")

    branch = takings.takings(**FEBRUARY, site_key="branch", environment="live")
    tested = takings.takings(**FEBRUARY, environment="test", with_received=False)

    assert [(str(row.method), row.received) for row in branch] == [("khalti", 100_000), ("counter_cash", 9000)]
    assert [(str(row.method), row.received) for row in tested] == [("khalti", 100_000)]


def test_takings_cost_few_statements_however_many_rows(february: None) -> None:
    """U22"""
    with CaptureQueriesContext(connection) as statements:
        takings.takings(**FEBRUARY)
        takings.placed_orders(**FEBRUARY)

    assert len(statements) == 8
