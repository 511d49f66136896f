"""However often "place order" is pressed, there is one payment, and every click leads to it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator

from .conftest import Order, Shopper, Store, new_member, only_order, payment_of

pytestmark = pytest.mark.money

CLICKS = 20


def press_at_once(shopper: Shopper, clicks: int = CLICKS) -> list[Any]:
    """The answers to so many clicks on "place order", all from one browser and at one time."""
    barrier = Barrier(clicks)
    cookies = {name: morsel.value for name, morsel in shopper.browser.cookies.items()}

    def press() -> Any:
        browser = Client()
        for name, value in cookies.items():
            browser.cookies[name] = value
        barrier.wait(timeout=30)
        try:
            return browser.post("/shop/checkout/preview/", {"action": "place_order"})
        finally:
            connection.close()

    with ThreadPoolExecutor(clicks) as pool:
        return [click.result() for click in [pool.submit(press) for _click in range(clicks)]]


@pytest.fixture(params=["member", "guest"])
def anyone(request: pytest.FixtureRequest, store: Store) -> Shopper:
    return new_member("gita@example.com") if request.param == "member" else Shopper("guest@example.com")


@pytest.mark.timeout(120)
def test_twenty_clicks_at_once_are_one_payment_at_khalti(store: Store, anyone: Shopper, khalti: Simulator) -> None:
    """A20"""
    anyone.add(store.notebook)
    anyone.go_to_payment()
    anyone.choose()

    answers = press_at_once(anyone)

    payment = Payment.objects.get()
    assert {answer["Location"] for answer in answers} == {payment.payment_url}
    assert khalti.count("initiate") == 1
    assert Order.objects.count() == Purchase.objects.count() == 1
    assert store.stock(store.notebook) == 19


@pytest.mark.timeout(120)
def test_twenty_clicks_at_once_are_one_order_paid_on_delivery(store: Store, anyone: Shopper) -> None:
    anyone.add(store.notebook)
    anyone.go_to_payment()
    anyone.choose("cod")

    answers = press_at_once(anyone)

    assert {answer["Location"] for answer in answers} == {"/shop/checkout/thank-you/"}
    assert only_order().status == "Pending"
    assert store.stock(store.notebook) == 19


def test_a_second_click_after_the_first_goes_to_the_same_page_at_khalti(store: Store, anyone: Shopper) -> None:
    first = anyone.buy(store.notebook)

    assert anyone.place()["Location"] == first["Location"]
    assert Payment.objects.count() == 1


def test_a_second_click_after_the_order_shows_the_thank_you_page(store: Store, anyone: Shopper) -> None:
    anyone.buy(store.notebook, method="cod")

    assert anyone.place()["Location"] == "/shop/checkout/thank-you/"
    assert Order.objects.count() == 1


def test_a_member_with_a_payment_that_waits_cannot_open_another(store: Store, sita: Shopper) -> None:
    first = payment_of(sita.buy(store.notebook))
    sita.add(store.pen)

    answer = sita.place()

    assert answer["Location"] == "/shop/checkout/preview/"
    assert list(Payment.objects.all()) == [first]
    assert sita.lines() == [("Gel pen", 1)]
    assert store.stock(store.pen) == 50


@pytest.mark.timeout(120)
def test_the_last_piece_is_sold_to_one_of_many(store: Store, khalti: Simulator) -> None:
    """E03"""
    rare = store.add("Rare ink", "INK-1", rupees="900.00", stock=1)
    shoppers = [Shopper(f"guest{number}@example.com") for number in range(6)]
    for shopper in shoppers:
        shopper.add(rare)
        shopper.go_to_payment()
        shopper.choose()
    barrier = Barrier(len(shoppers))

    def press(shopper: Shopper) -> Any:
        barrier.wait(timeout=30)
        try:
            return shopper.place()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(shoppers)) as pool:
        answers = list(pool.map(press, shoppers))

    bought = [answer for answer in answers if answer["Location"].startswith("http")]
    assert len(bought) == Payment.objects.count() == 1
    assert store.stock(rare) == 0
    assert sum(shopper.lines() == [("Rare ink", 1)] for shopper in shoppers) == len(shoppers) - 1


@pytest.mark.timeout(120)
def test_a_coupon_for_one_is_used_by_one_of_many(store: Store) -> None:
    voucher = store.coupon()
    shoppers = [Shopper(f"guest{number}@example.com") for number in range(6)]
    for shopper in shoppers:
        shopper.add(store.notebook)
        shopper.use("WELCOME")
        shopper.go_to_payment()
        shopper.choose("cod")
    barrier = Barrier(len(shoppers))

    def press(shopper: Shopper) -> Any:
        barrier.wait(timeout=30)
        try:
            return shopper.place()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(shoppers)) as pool:
        answers = list(pool.map(press, shoppers))

    placed = [answer for answer in answers if answer["Location"] == "/shop/checkout/thank-you/"]
    discounted = [order for order in Order.objects.all() if order.total_incl_tax == 400]
    voucher.refresh_from_db()
    # Whoever comes too late is told so, or sees the full price before buying at it.
    assert len(discounted) == voucher.num_orders == voucher.applications.count() == 1
    assert len(placed) == Order.objects.count()
