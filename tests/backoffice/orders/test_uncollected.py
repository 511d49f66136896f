"""Who orders cash on delivery and does not take it: a report, and a warning on the page of the next order."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti import flow
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Customer, PaymentMethod
from loyalink_khalti.staff.cancellation import cancel_unpaid_order
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk

pytestmark = pytest.mark.django_db(transaction=True)

Place = Callable[..., Purchase]
SITA = Customer(name="Sita", email="sita@example.com", phone="+977 9841000001")
SAME_PHONE = Customer(name="S. Maharjan", email="other@example.com", phone="984-1000001")
SAME_MAIL = Customer(name="Sita M", email="Sita+shop@example.com", phone="9800000009")
RAM = Customer(name="Ram", email="ram@example.com", phone="9841000002")


@pytest.fixture
def orders(desk: Desk, place: Place) -> None:
    """Three orders of one customer were not taken and one was; Ram's was taken, his transfer was cancelled."""
    for ref, customer in (("A-1", SITA), ("A-2", SAME_PHONE), ("A-3", SAME_MAIL)):
        cancel_unpaid_order(place(ref, customer=customer), user=desk.user)
    flow.mark_received(place("A-4", customer=SITA), actor="1")
    flow.mark_received(place("B-1", customer=RAM), actor="1")
    cancel_unpaid_order(place("B-2", PaymentMethod.BANK_TRANSFER, customer=RAM), user=desk.user)


def test_orders_not_taken_are_one_customers_by_phone_mail_or_member(orders: None) -> None:
    """U7"""
    today = day_of(Purchase.objects.get(ref="A-1").created_at)

    (customer,) = flow.uncollected_customers(since=today, until=today)

    assert [purchase.ref for purchase in customer.orders] == ["A-3", "A-2", "A-1"]
    assert customer.amount == 3 * 250_000
    assert flow.collected_of([customer]) == {customer.newest.pk: 1}
    assert flow.uncollected_customers(since=today - timedelta(days=9), until=today - timedelta(days=1)) == []


def test_the_page_of_the_customers_next_order_warns(desk: Desk, orders: None, place: Place) -> None:
    """U7"""
    theirs, rams = place("A-5", customer=SAME_PHONE), place("B-3", customer=RAM)

    warned, quiet = desk.open("loyalink_khalti_order", theirs.pk), desk.open("loyalink_khalti_order", rams.pk)

    assert "This customer has not taken 2 other orders by cash on delivery" in page_text(warned)
    assert "has not taken" not in page_text(quiet)


def test_an_order_that_is_placed_again_does_not_count(desk: Desk, place: Place) -> None:
    """U7"""
    purchase = place("A-1", customer=SITA)
    cancel_unpaid_order(purchase, user=desk.user)
    day = day_of(purchase.created_at)
    before = flow.uncollected_customers(since=day, until=day)

    flow.record_received(purchase, amount=purchase.frozen_cart.total, received_on=day, key="k", actor="1")

    assert len(before) == 1
    assert flow.uncollected_customers(since=day, until=day) == []


def test_the_report_takes_the_same_statements_for_many_customers(desk: Desk, orders: None, place: Place) -> None:
    """U7"""

    def statements() -> int:
        with CaptureQueriesContext(connection) as sent:
            desk.open("loyalink_khalti_report_uncollected")
        return len(sent)

    page = desk.open("loyalink_khalti_report_uncollected")
    few = statements()
    for number in range(5):
        phone = f"98520000{number:02}"
        cancel_unpaid_order(place(f"C-{number}", customer=Customer(name="C", phone=phone)), user=desk.user)

    row = [cell.get_text(" ", strip=True) for cell in page.select("main table.listing tbody tr td")]
    assert row[3:6] == ["3", "1", "Rs 7,500.00"]
    assert statements() == few
