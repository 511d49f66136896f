"""What unpaid customers reserve in Oscar's stock is bounded, whatever the payment method (D1)."""

from typing import Any

import pytest
from django.test import Client

from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Order, Store, text

pytestmark = [pytest.mark.money, pytest.mark.sampled]

METHODS = ["khalti", "cod", "bank_transfer"]


def from_network(customer: Customer, address: str) -> Customer:
    """Let the customer come from this address."""
    customer.browser.defaults["REMOTE_ADDR"] = address
    return customer


def buy(customer: Customer, product: Any, quantity: int, method: str) -> Any:
    customer.add(product, quantity)
    customer.go_to_payment()
    customer.choose(method)
    return customer.place()


@pytest.fixture(autouse=True)
def methods(settings: Any, khalti: Simulator) -> None:
    chosen = settings.LOYALINK_KHALTI
    settings.LOYALINK_KHALTI = {**chosen, "OSCAR": {**chosen.get("OSCAR", {}), "METHODS": METHODS}}


@pytest.mark.parametrize("method", METHODS)
def test_fresh_browsers_and_addresses_of_one_network_leave_four_fifths_for_sale(store: Store, method: str) -> None:
    """D1"""
    for number in range(8):
        guest = from_network(Customer(f"maya+{number}@example.com"), f"203.0.113.{number + 1}")
        buy(guest, store.notebook, 1 + number % 2, method)

    assert store.stock(store.notebook) == 16


@pytest.mark.parametrize("method", METHODS)
def test_the_customer_reads_how_many_can_be_ordered_and_keeps_the_basket(
    store: Store, guest: Customer, method: str
) -> None:
    """D1"""
    answer = buy(guest, store.notebook, 5, method)
    page = text(guest.browser.get(answer["Location"]))

    assert answer["Location"] == "/shop/basket/"
    assert "You can order up to 4 of “Lokta notebook” before you pay." in page
    assert guest.lines() == [("Lokta notebook", 5)]
    assert (Order.objects.count(), Purchase.objects.count(), store.stock(store.notebook)) == (0, 0, 20)


def test_another_network_buys_what_one_network_may_not(store: Store) -> None:
    """D1"""
    rare = store.add("Rare ink", "INK-1", rupees="900.00", stock=2)
    first = from_network(Customer("first@example.com"), "203.0.113.1")
    second = from_network(Customer("second@example.com"), "203.0.113.2")
    third = from_network(Customer("third@example.com"), "198.51.100.1")

    places = [buy(each, rare, 1, "cod")["Location"] for each in (first, second, third)]

    assert places == ["/shop/checkout/thank-you/", "/shop/basket/", "/shop/checkout/thank-you/"]
    assert store.stock(rare) == 0


def test_an_order_that_staff_move_on_from_pending_is_not_counted_any_more(store: Store, staff: Client) -> None:
    """D1"""
    first = from_network(Customer("first@example.com"), "203.0.113.1")
    buy(first, store.notebook, 4, "cod")
    number = Order.objects.get().number
    staff.post(f"/shop/dashboard/orders/{number}/", {"order_action": "change_order_status", "new_status": "Shipped"})

    second = from_network(Customer("second@example.com"), "203.0.113.2")
    answer = buy(second, store.notebook, 3, "cod")

    assert Order.objects.get(number=number).status == "Shipped"
    assert answer["Location"] == "/shop/checkout/thank-you/"


def test_the_network_is_kept_as_a_hash_that_depends_on_the_shops_secret(
    store: Store, guest: Customer, settings: Any
) -> None:
    buy(from_network(guest, "203.0.113.77"), store.notebook, 1, "khalti")

    purchase = Payment.objects.get().purchase
    same = Customer("same@example.com")
    buy(from_network(same, "203.0.113.78"), store.pen, 1, "cod")
    settings.SECRET_KEY = "another"
    other = Customer("other@example.com")
    buy(from_network(other, "203.0.113.79"), store.pen, 1, "cod")

    networks = [each.network for each in Purchase.objects.order_by("pk")]
    assert networks[0] == networks[1] == purchase.network != networks[2]
    assert len(purchase.network) == 40
