"""However often "place order" is clicked, there is one payment, and every click leads to it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Order, Store, new_member, only_order, payment_of

pytestmark = [pytest.mark.money, pytest.mark.sampled]

CLICKS = 20


def click_at_once(customer: Customer, clicks: int = CLICKS) -> list[Any]:
    """Click "place order" so many times at once, all from one browser, and return the responses."""
    barrier = Barrier(clicks)
    cookies = {name: morsel.value for name, morsel in customer.browser.cookies.items()}

    def click() -> Any:
        browser = Client()
        for name, value in cookies.items():
            browser.cookies[name] = value
        barrier.wait(timeout=30)
        try:
            return browser.post("/shop/checkout/preview/", {"action": "place_order"})
        finally:
            connection.close()

    with ThreadPoolExecutor(clicks) as pool:
        return [click.result() for click in [pool.submit(click) for _click in range(clicks)]]


def place_at_once(customers: list[Customer]) -> list[Any]:
    """Let all customers click "place order" at once, and return the responses."""
    barrier = Barrier(len(customers))

    def click(customer: Customer) -> Any:
        barrier.wait(timeout=30)
        try:
            return customer.place()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(customers)) as pool:
        return list(pool.map(click, customers))


@pytest.fixture(params=["member", "guest"])
def anyone(request: pytest.FixtureRequest, store: Store) -> Customer:
    return new_member("gita@example.com") if request.param == "member" else Customer("guest@example.com")


@pytest.mark.timeout(120)
def test_twenty_clicks_at_once_begin_one_payment_at_khalti(store: Store, anyone: Customer, khalti: Simulator) -> None:
    """A20, D3"""
    anyone.add(store.notebook)
    anyone.go_to_payment()
    anyone.choose()

    answers = click_at_once(anyone)

    payment = Payment.objects.get()
    status = f"/khalti/status/{payment.token}/"  # it forwards to Khalti's page once its address is known
    assert payment.payment_url in {answer["Location"] for answer in answers} <= {payment.payment_url, status}
    assert anyone.place()["Location"] == payment.payment_url
    assert khalti.count("initiate") == 1
    assert Order.objects.count() == Purchase.objects.count() == 1
    assert store.stock(store.notebook) == 19


@pytest.mark.timeout(120)
def test_twenty_clicks_at_once_place_one_order_paid_on_delivery(store: Store, anyone: Customer) -> None:
    anyone.add(store.notebook)
    anyone.go_to_payment()
    anyone.choose("cod")

    answers = click_at_once(anyone)

    assert {answer["Location"] for answer in answers} == {"/shop/checkout/thank-you/"}
    assert only_order().status == "Pending"
    assert store.stock(store.notebook) == 19


def test_a_second_click_leads_to_the_same_page_at_khalti(store: Store, anyone: Customer) -> None:
    first = anyone.buy(store.notebook)

    assert anyone.place()["Location"] == first["Location"]
    assert Payment.objects.count() == 1


def test_a_second_click_after_the_order_shows_the_thank_you_page(store: Store, anyone: Customer) -> None:
    anyone.buy(store.notebook, method="cod")

    assert anyone.place()["Location"] == "/shop/checkout/thank-you/"
    assert Order.objects.count() == 1


def test_a_member_with_a_pending_payment_cannot_begin_another(store: Store, sita: Customer) -> None:
    first = payment_of(sita.buy(store.notebook))
    sita.add(store.pen)

    answer = sita.place()

    assert answer["Location"] == "/shop/checkout/preview/"
    assert list(Payment.objects.all()) == [first]
    assert sita.lines() == [("Gel pen", 1)]
    assert store.stock(store.pen) == 50


@pytest.mark.timeout(120)
def test_the_last_item_is_sold_to_one_of_many_customers(store: Store, khalti: Simulator) -> None:
    """E03"""
    rare = store.add("Rare ink", "INK-1", rupees="900.00", stock=1)
    customers = [Customer(f"guest{number}@example.com") for number in range(6)]
    for customer in customers:
        customer.add(rare)
        customer.go_to_payment()
        customer.choose()
    answers = place_at_once(customers)

    bought = [answer for answer in answers if answer["Location"].startswith("http")]
    assert len(bought) == Payment.objects.count() == 1
    assert store.stock(rare) == 0
    assert sum(customer.lines() == [("Rare ink", 1)] for customer in customers) == len(customers) - 1


@pytest.mark.timeout(120)
def test_a_single_use_coupon_is_used_by_one_of_many_customers(store: Store) -> None:
    voucher = store.coupon()
    customers = [Customer(f"guest{number}@example.com") for number in range(6)]
    for customer in customers:
        customer.add(store.notebook)
        customer.use("WELCOME")
        customer.go_to_payment()
        customer.choose("cod")
    answers = place_at_once(customers)

    placed = [answer for answer in answers if answer["Location"] == "/shop/checkout/thank-you/"]
    discounted = [order for order in Order.objects.all() if order.total_incl_tax == 400]
    voucher.refresh_from_db()
    # The others see that the coupon is used up, or the full price before they order.
    assert len(discounted) == voucher.num_orders == voucher.applications.count() == 1
    assert len(placed) == Order.objects.count()
