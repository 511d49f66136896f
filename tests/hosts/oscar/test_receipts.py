"""What Oscar's pages and the order mail say of an order: the same figures, bank details, pickup, its course."""

import re
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import ShopDetails
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Page, Store, only_order, payment_of, text

pytestmark = pytest.mark.same_on_both

BANK = "Nabil Bank, Saraswati Stationery\n0110017500123"
THANKS = "/shop/checkout/thank-you/"


@pytest.fixture
def shop_details(store: Store) -> ShopDetails:
    site = Site.objects.get(is_default_site=True)
    return ShopDetails.objects.create(
        site=site, address="Asan 27, Kathmandu", bank_details=BANK, pickup_place="Asan 27", pickup_hours="10 to 7",
        registration_kind="pan", registration_number="301234567",
    )  # fmt: skip


@pytest.fixture
def staff_id(store: Store) -> str:
    return str(get_user_model().objects.create_user("staff", "staff@shop.example", is_staff=True).pk)


def figures(page: Page, index: int = 0) -> list[str]:
    """The amounts of one of the page's breakdowns: the last one is on paper alone."""
    tables = BeautifulSoup(page.content.decode(), "html.parser").select("table.lk-breakdown")
    return [re.sub(r"\s+", " ", cell.get_text()).strip() for cell in tables[index].select("td")]


def of_mail(body: str) -> list[str]:
    return re.findall(r"^[^:\n]*(?:\([^)]*\))?: (−?Rs [\d,.]+|free)$", body, re.MULTILINE)


def order_page(customer: Customer, order: Any) -> Page:
    if customer.user:
        return customer.browser.get(f"/shop/accounts/orders/{order.number}/")
    where = {"order_number": order.number, "hash": order.verification_hash()}
    return Client().post(reverse("customer:anon-order-form", kwargs=where), {"email": customer.email}, follow=True)


def test_page_print_and_mail_of_an_order_with_coupon_and_points_have_the_same_figures(
    store: Store, sita: Customer, khalti: Simulator, shop_details: ShopDetails
) -> None:
    """T10: totals with a coupon differed between page and mail, and beside points a paisa was missing."""
    store.coupon("WELCOME", rupees="33.33")
    sita.add(store.notebook, 3)
    sita.use("WELCOME")
    payment = payment_of(sita.buy(points=200, delivery="express"))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    thanks, order = sita.browser.get(THANKS), only_order()

    detail = order_page(sita, order)
    shown = flow.receipt_for("oscar", order.number)

    assert shown is not None
    assert f"−Rs {33.33:.2f}" in figures(detail)
    assert figures(thanks, -1) == figures(detail, -1)  # on paper
    assert figures(detail, -1)[-len(figures(detail)) :] == figures(detail)  # on the screen, beside pictures
    order_mail = next(each for each in mail.outbox if order.number in each.subject)
    assert of_mail(str(order_mail.body)) == figures(detail, -1)
    assert f"{shown.figures.due / 100:,.2f}" in text(detail)
    assert payment.pidx is not None
    assert shown.transaction_id in text(detail)
    assert "301234567" in text(detail)


def test_a_transfer_has_account_reference_and_deadline_wherever_it_is_awaited(
    store: Store, shop_details: ShopDetails, staff_id: str
) -> None:
    """T1"""
    guest = Customer("maya@example.com")
    guest.buy(store.notebook, method="bank_transfer")
    thanks, order = guest.browser.get(THANKS), only_order()
    order_mail = next(each for each in mail.outbox if order.number in each.subject)
    html = str(order_mail.alternatives[0][0])  # type: ignore[attr-defined]  # a mail with a second part

    for shown in (text(thanks), text(order_page(guest, order)), str(order_mail.body), html):
        assert "0110017500123" in shown
        assert order.number in shown
        assert "Please transfer by" in shown

    purchase = Purchase.objects.get()
    flow.mark_received(purchase, actor=staff_id)
    assert "0110017500123" not in text(order_page(guest, order))


def test_an_order_that_is_collected_needs_no_address_and_names_the_place(
    store: Store, sita: Customer, shop_details: ShopDetails
) -> None:
    """T6: with pickup the page said "we deliver to Patko Tole 12"."""
    sita.put(store.notebook)
    who = {"collect-first_name": "Sita Sharma", "collect-phone_number": "९८४१२३४५६७", "collect": "pickup"}
    assert "Asan 27" in text(sita.browser.get("/shop/checkout/shipping-address/"))

    wrong = sita.browser.post("/shop/checkout/shipping-address/", who | {"collect-phone_number": "12"})
    right = sita.browser.post("/shop/checkout/shipping-address/", who)
    sita.choose("cod")
    sita.place()
    thanks, order = sita.browser.get(THANKS), only_order()

    assert wrong.status_code == 200
    assert right["Location"] == "/shop/checkout/payment-method/"
    assert (order.shipping_code, order.shipping_address.line1) == ("pickup", "")
    assert not get_model("address", "UserAddress").objects.exists()
    for page in (thanks, order_page(sita, order)):
        assert "Collect your order" in text(page)
        assert "Asan 27" in text(page)
        assert "Delivery address" not in text(page)
    order_mail = next(each for each in mail.outbox if order.number in each.subject)
    assert "Asan 27" in str(order_mail.body)


def test_who_collects_an_order_cannot_have_it_delivered_without_an_address(store: Store, sita: Customer) -> None:
    sita.put(store.notebook)
    who = {"collect-first_name": "Sita", "collect-phone_number": "9841234567", "collect": "pickup"}
    sita.browser.post("/shop/checkout/shipping-address/", who)

    sita.browser.post("/shop/checkout/shipping-method/", {"method_code": "standard"})
    sita.choose("cod")
    sita.place()

    assert only_order().shipping_code == "pickup"


def test_the_course_of_an_order_follows_what_staff_do(store: Store, sita: Customer, staff_id: str) -> None:
    sita.buy(store.notebook, method="cod")
    order = only_order()
    assert "comes next" in text(order_page(sita, order))

    order.set_status("Shipped")
    shipped = text(order_page(sita, order))
    flow.mark_received(Purchase.objects.get(), actor=staff_id)
    order.refresh_from_db()
    order.set_status("Delivered")
    flow.refund_order(
        Purchase.objects.get(), subtotal=Paisa(1_000), shipping=Paisa(0), key="part", actor=staff_id, lines=()
    )

    assert re.search(r"Order placed.*Shipped.*Payment comes next Delivered comes next", shipped)
    assert re.search(r"Order placed.*Paid.*Shipped.*Delivered.*Refunded Rs 10\.00", text(order_page(sita, order)))
    assert "comes next" not in text(order_page(sita, order))
    listed = text(sita.browser.get("/shop/accounts/orders/"))
    assert "Refunded: Rs 10.00" in listed
