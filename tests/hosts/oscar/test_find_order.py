"""A guest finds an order by its number, and a cancelled payment that is paid all the same, in an Oscar shop."""

import pytest
from django.test import Client

from loyalink_khalti import flow
from loyalink_khalti.hosts.common import find_order
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Order, Page, Store, only_order, payment_of, text

pytestmark = [pytest.mark.same_on_both]

FIND = "/shop/accounts/find-order/"


def find(browser: Client, number: str, contact: str) -> Page:
    return browser.post(FIND, {"number": number, "contact": contact})


def test_a_guest_finds_an_order_by_its_number_and_its_contact_and_nothing_else_is_said(
    store: Store, guest: Customer
) -> None:
    """T31"""
    guest.buy(store.notebook, method="cod")
    order, other = only_order(), Client()

    wrong, unknown = find(other, order.number, "no@example.com"), find(other, "SS-22222-22222", "no@example.com")
    found = find(other, f" {order.number.lower()} ", guest.email.upper())

    assert (wrong.status_code, unknown.status_code, found.status_code) == (422, 422, 302)
    assert text(wrong).replace(order.number, "") == text(unknown).replace("SS-22222-22222", "")
    assert order.number in text(other.get(found["Location"]))
    assert find(Client(), order.number, "984-1234567")["Location"] == found["Location"]
    assert other.get("/shop/catalogue/").content.decode().count(FIND) == 1


def test_looking_for_orders_is_limited_for_right_and_wrong_attempts_alike(store: Store, guest: Customer) -> None:
    """T31"""
    guest.buy(store.notebook, method="cod")
    number, other = only_order().number, Client()

    wrong = [find(other, number, f"98412345{n:02}").status_code for n in range(find_order.PER_MINUTE)]
    right = find(other, number, guest.email)

    assert (set(wrong), right.status_code) == ({422}, 429)
    assert int(right["Retry-After"]) > 0


def test_an_order_that_is_not_paid_yet_or_that_an_account_has_is_not_found(
    store: Store, guest: Customer, sita: Customer
) -> None:
    guest.buy(store.notebook)
    sita.buy(store.notebook, method="cod")

    for order in Order.objects.all():
        assert find(Client(), order.number, order.email).status_code == 422


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_payment_that_its_customer_cancelled_and_paid_buys_what_is_still_in_the_basket(
    is_changed: bool, store: Store, sita: Customer, khalti: Simulator
) -> None:
    """T4, E02"""
    payment = payment_of(sita.buy(store.notebook))
    flow.cancel_payment(payment)
    if is_changed:
        sita.add(store.pen)
    khalti.complete(payment.pidx or "")

    flow.verify_payment(payment, ignore_back_off=True)

    payment.refresh_from_db()
    reasons = list(payment.flags.values_list("reason", flat=True))
    assert (payment.state, reasons) == (("paid", ["paid_after_cancel"]) if is_changed else ("fulfilled", []))
    assert only_order().status == ("Cancelled" if is_changed else "Paid")
    assert sita.lines() == ([(store.notebook.title, 1), (store.pen.title, 1)] if is_changed else [])
