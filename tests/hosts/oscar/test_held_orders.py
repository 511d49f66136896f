"""A held order is hidden everywhere, except from staff who filter for it."""

import csv
import io
from typing import Any

import pytest
from django.test import Client
from oscar.core.loading import get_model

from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Order, Store, only_order, payment_of, receive, text

pytestmark = pytest.mark.sampled


@pytest.fixture(params=["held", "released"])
def unplaced(request: pytest.FixtureRequest, store: Store, sita: Customer, khalti: Simulator) -> Any:
    """An order of Sita that is not placed."""
    payment = payment_of(sita.buy(store.notebook))
    if request.param == "released":
        khalti.cancel(payment.pidx or "")
        sita.return_from_khalti(payment)
    return only_order()


def test_it_is_not_in_the_customers_history(sita: Customer, unplaced: Any) -> None:
    by_number = {"order_number": unplaced.number, "date_from": "", "date_to": ""}

    for query in ({}, by_number):
        page = sita.browser.get("/shop/accounts/orders/", query)
        assert page.status_code == 200
        assert list(page.context["orders"]) == []


def test_it_has_no_page_by_its_number(sita: Customer, unplaced: Any) -> None:
    line = unplaced.lines.get()

    assert sita.browser.get(f"/shop/accounts/orders/{unplaced.number}/").status_code == 404
    assert sita.browser.post(f"/shop/accounts/orders/{unplaced.number}/", {"action": "reorder"}).status_code == 404
    assert sita.browser.get(f"/shop/accounts/orders/{unplaced.number}/{line.pk}/").status_code == 404


def test_a_guest_cannot_look_it_up(store: Store, guest: Customer) -> None:
    guest.buy(store.notebook)
    order = only_order()
    where = f"{order.number}/{order.verification_hash()}/"

    form = guest.browser.post(f"/shop/accounts/order-status-form/{where}", {"email": guest.email})
    page = guest.browser.get(f"/shop/accounts/order-status/{where}", follow=True)

    assert "Order not found" in text(form)
    assert page.redirect_chain[0][0].endswith(f"/order-status-form/{where}")


def test_a_guest_can_look_up_an_order_that_is_placed(store: Store, guest: Customer) -> None:
    guest.buy(store.notebook, method="cod")
    order = only_order()
    where = f"{order.number}/{order.verification_hash()}/"

    guest.browser.post(f"/shop/accounts/order-status-form/{where}", {"email": guest.email})

    assert order.number in text(guest.browser.get(f"/shop/accounts/order-status/{where}"))


def test_it_is_in_no_list_and_no_figure_of_the_dashboard(sita: Customer, staff: Client, unplaced: Any) -> None:
    assert list(staff.get("/shop/dashboard/orders/").context["orders"]) == []
    stats = staff.get("/shop/dashboard/orders/statistics/").context
    assert (stats["total_orders"], stats["total_lines"], stats["total_revenue"]) == (0, 0, 0)
    overview = staff.get("/shop/dashboard/").context
    assert (overview["total_orders"], overview["total_revenue"], overview["total_orders_last_day"]) == (0, 0, 0)
    assert list(overview["order_status_breakdown"]) == []
    customer = staff.get(f"/shop/dashboard/users/{sita.user.pk}/")
    assert unplaced.number not in text(customer)
    report = staff.get(
        "/shop/dashboard/reports/",
        {"report_type": "order_report", "date_from": "2000-01-01", "date_to": "2100-01-01", "download": "true"},
    )
    assert unplaced.number not in report.content.decode()


def test_placed_orders_are_in_all_of_them(store: Store, sita: Customer, staff: Client) -> None:
    sita.buy(store.notebook, method="cod")
    order = only_order()

    assert list(staff.get("/shop/dashboard/orders/").context["orders"]) == [order]
    assert staff.get("/shop/dashboard/orders/statistics/").context["total_revenue"] == 500
    assert staff.get("/shop/dashboard/").context["total_revenue"] == 500
    assert order.number in text(staff.get(f"/shop/dashboard/users/{sita.user.pk}/"))
    assert list(sita.browser.get("/shop/accounts/orders/").context["orders"]) == [order]
    found = sita.browser.get("/shop/accounts/orders/", {"order_number": order.number, "date_from": ""})
    assert found["Location"] == f"/shop/accounts/orders/{order.number}/"
    report = staff.get(
        "/shop/dashboard/reports/",
        {"report_type": "order_report", "date_from": "2000-01-01", "date_to": "2100-01-01", "download": "true"},
    )
    assert order.number in report.content.decode()


def test_an_order_that_staff_cancelled_stays_in_every_list(store: Store, sita: Customer, staff: Client) -> None:
    sita.buy(store.notebook, method="cod")
    order = only_order()

    staff.post(
        f"/shop/dashboard/orders/{order.number}/",
        {"order_action": "change_order_status", "new_status": "Cancelled"},
    )

    order.refresh_from_db()
    assert order.status == "Cancelled"
    assert list(staff.get("/shop/dashboard/orders/").context["orders"]) == [order]
    assert list(sita.browser.get("/shop/accounts/orders/").context["orders"]) == [order]


def test_staff_find_held_orders_by_the_filter(store: Store, sita: Customer, staff: Client) -> None:
    sita.buy(store.notebook)

    page = staff.get("/shop/dashboard/orders/", {"status": "Awaiting payment"})

    assert list(page.context["orders"]) == [only_order()]


def test_staff_can_add_notes_to_a_held_order_and_nothing_else(store: Store, sita: Customer, staff: Client) -> None:
    sita.buy(store.notebook)
    order = only_order()
    where = f"/shop/dashboard/orders/{order.number}/"
    line = order.lines.get()

    for post in (
        {"order_action": "change_order_status", "new_status": "Paid"},
        {"line_action": "change_line_statuses", "selected_line": line.pk, "new_status": "Shipped"},
        {"received": "record", "received-amount": "500"},
    ):
        staff.post(where, post)
    staff.post(where, {"order_action": "save_note", "message": "He called."})

    order.refresh_from_db()
    assert order.status == "Awaiting payment"
    assert order.lines.get().status == "Pending"
    assert "He called." in [note.message for note in order.notes.all()]
    page = staff.get(where)
    assert "not placed" in text(page)
    assert "received_money" not in page.context


def test_cash_on_delivery_leaves_the_order_delivered(store: Store, sita: Customer, staff: Client) -> None:
    sita.buy(store.notebook, method="cod")
    order = only_order()
    Order.objects.update(status="Delivered")

    receive(staff, order)

    order.refresh_from_db()
    assert order.status == "Delivered"
    assert order.sources.get().amount_debited == 500


def test_a_customer_cannot_record_the_payment(store: Store, sita: Customer) -> None:
    sita.buy(store.notebook, method="cod")

    sent = {"received": "record", "received-amount": "500"}
    answer = sita.browser.post(f"/shop/dashboard/orders/{only_order().number}/", sent)

    assert answer.status_code in {302, 403, 404}
    assert only_order().status == "Pending"


def test_staff_cannot_set_the_status_paid_by_hand(store: Store, sita: Customer, staff: Client) -> None:
    sita.buy(store.notebook, method="cod")
    order = only_order()
    where = f"/shop/dashboard/orders/{order.number}/"

    page = staff.get(where)
    staff.post(where, {"order_action": "change_order_status", "new_status": "Paid"})
    staff.post(
        "/shop/dashboard/orders/",
        {"action": "change_order_statuses", "selected_order": order.pk, "new_status": "Paid"},
    )

    order.refresh_from_db()
    assert order.status == "Pending"
    assert '<option value="Paid">' not in page.content.decode()


def test_staff_can_ship_an_order(store: Store, sita: Customer, staff: Client) -> None:
    sita.buy(store.notebook, method="cod")
    order = only_order()

    staff.post(
        "/shop/dashboard/orders/",
        {"action": "change_order_statuses", "selected_order": order.pk, "new_status": "Shipped"},
    )

    order.refresh_from_db()
    assert order.status == "Shipped"


def test_no_name_in_the_export_of_orders_is_a_formula(store: Store, sita: Customer, staff: Client) -> None:
    """P5"""
    sita.buy(store.notebook, method="cod")
    get_model("order", "ShippingAddress").objects.update(first_name='=HYPERLINK("http://evil.example")')

    file = staff.get("/shop/dashboard/orders/?response_format=csv").content.decode()

    (row,) = list(csv.DictReader(io.StringIO(file)))
    assert row["Deliver to name"].startswith("'=HYPERLINK")
    assert row["Order value"] == "500.00"
