"""Payments in test mode: staff see that an order brought no money, and a staging server says so everywhere (M21)."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Store, only_order, order_page, payment_of, text

BANNER = "Orders on this server are not delivered."


@pytest.fixture
def staging(settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALLOW_TEST_PAYMENTS": True}


def test_an_order_that_was_paid_in_test_mode_is_marked_for_staff(
    store: Store, sita: Customer, khalti: Simulator, staff: Client
) -> None:
    """M21: it looked like an order that had brought money."""
    payment = payment_of(sita.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)

    source = only_order().sources.get()
    assert source.label == "Test mode: no money"
    assert [each.status for each in source.transactions.order_by("pk")] == ["", "Test mode: no money"]
    assert "Test mode: no money moves" in text(staff.get(order_page(only_order())))


def test_an_order_that_needs_no_khalti_is_not_marked(store: Store, sita: Customer, staff: Client) -> None:
    sita.buy(store.notebook, method="cod")

    assert only_order().sources.get().label == ""
    assert "Test mode" not in text(staff.get(order_page(only_order())))


def test_a_staging_server_says_so_on_every_page_of_the_checkout(
    staging: None, store: Store, sita: Customer, khalti: Simulator
) -> None:
    """M21"""
    sita.add(store.notebook)
    pages = {
        "basket": sita.browser.get("/shop/basket/"),
        "address": sita.browser.get("/shop/checkout/shipping-address/"),
        "payment method": sita.go_to_payment(),
        "payment method with an error": sita.browser.post("/shop/checkout/payment-method/", {"payment_method": "x"}),
    }
    sita.choose()
    pages["preview"] = sita.browser.get("/shop/checkout/preview/")
    payment = payment_of(sita.place())
    pages["status"] = sita.browser.get(f"/khalti/status/{payment.token}/")
    khalti.pay(payment.pidx or "")
    pages["thank you"] = sita.return_from_khalti(payment)

    assert {name: text(page).count(BANNER) for name, page in pages.items()} == dict.fromkeys(pages, 1)


def test_pages_for_staff_have_no_banner(staging: None, store: Store) -> None:
    get_user_model().objects.create_superuser("admin", "admin@example.com", "saraswati-demo")
    browser = Client()
    browser.login(username="admin", password="saraswati-demo")

    for path in ("/shop/dashboard/", "/admin/"):
        assert BANNER not in text(browser.get(path, follow=True))


def test_without_the_setting_there_is_no_banner_and_no_query(
    store: Store, sita: Customer, django_assert_max_num_queries: Any, settings: Any
) -> None:
    page = sita.browser.get("/shop/basket/")
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALLOW_TEST_PAYMENTS": "yes"}

    assert BANNER not in text(page)
    assert BANNER not in text(sita.browser.get("/shop/basket/"))
