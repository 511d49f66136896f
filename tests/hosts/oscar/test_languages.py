"""A shop whose addresses have the language (``i18n_patterns``): the language of the purchase stays."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone, translation
from pytest_django import Settings

from loyalink_khalti import flow
from loyalink_khalti.hosts.oscar import checks
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Store, only_order, only_purchase, payment_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]

OTHER = {"ne": "en", "en": "ne"}


class BrowserIn(Client):
    """A browser in the shop's pages of one language, which prefers the other language."""

    def __init__(self, language: str) -> None:
        super().__init__(headers={"accept-language": OTHER[language]})
        self.language = language

    def generic(self, method: str, path: str, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        below = f"/{self.language}" if path.startswith("/shop/") else ""
        return super().generic(method, below + path, *args, **kwargs)


@pytest.fixture(autouse=True)
def _addresses_with_a_language(settings: Settings) -> Any:
    settings.ROOT_URLCONF = "tests.hosts.oscar.i18n_urls"
    yield
    translation.deactivate()


@pytest.fixture(params=["ne", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def guest(store: Store, language: str) -> Customer:
    guest = Customer("guest@example.com")
    guest.browser = BrowserIn(language)
    return guest


@pytest.fixture
def paid(store: Store, guest: Customer, khalti: Simulator) -> Payment:
    payment = payment_of(guest.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    return payment


def test_an_order_names_its_products_in_the_language_of_who_reads_it(
    store: Store, guest: Customer, khalti: Simulator
) -> None:
    """T33: the demo's catalogue has its titles in two languages."""
    guest.buy(store.add("Lokta paper journal, A5", "LOKTA-JOURNAL", rupees="2500.00", stock=5))

    (line,) = only_purchase().frozen_cart.lines
    for language, title in (("en", "Lokta paper journal, A5"), ("ne", "लोक्ता कागजको डायरी, ए५")):
        with translation.override(language):
            assert line.name == title


def test_the_return_leads_to_the_thank_you_page_in_the_language_of_the_purchase(
    paid: Payment, guest: Customer, language: str
) -> None:
    """H5: the browser's language, or the default one, decided."""
    page = guest.return_from_khalti(paid)

    assert page.redirect_chain[-1][0] == f"/{language}/shop/checkout/thank-you/"
    assert f'lang="{language}"' in page.content.decode()


def test_the_status_page_is_in_the_language_of_the_purchase(
    store: Store, guest: Customer, khalti: Simulator, language: str
) -> None:
    """H5"""
    payment = payment_of(guest.buy(store.notebook))

    page = guest.browser.get(f"/khalti/status/{payment.token}/")

    assert f'<html lang="{language}"' in page.content.decode()
    assert page["Content-Language"] == language
    assert translation.get_language() == OTHER[language]  # of what follows in this thread


def test_a_cancelled_payment_leads_to_the_basket_in_the_language_of_the_purchase(
    store: Store, guest: Customer, khalti: Simulator, language: str
) -> None:
    """H5"""
    payment = payment_of(guest.buy(store.notebook))
    in_shop = guest.browser.post(f"/khalti/cancel/{payment.token}/")

    assert in_shop["Location"].startswith(f"/{language}/shop/")
    assert guest.browser.get(in_shop["Location"])["Location"] == f"/{language}/shop/basket/"


def test_the_mail_of_a_job_is_in_the_language_of_the_purchase_and_its_links_too(
    paid: Payment, guest: Customer, language: str
) -> None:
    """H5"""
    translation.deactivate()

    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        list(flow.reconcile())

    assert only_order().status == "Paid"
    (order_mail,) = [each for each in mail.outbox if each.to == [guest.email]]
    assert f"http://127.0.0.1:8000/{language}/shop/accounts/order-status" in str(order_mail.body)
    assert any("अ" <= letter <= "ह" for letter in str(order_mail.body)) is (language == "ne")


@pytest.mark.parametrize("language", ["ne"], indirect=True)
def test_a_language_that_the_shop_no_longer_has_is_replaced_by_its_default(
    paid: Payment, guest: Customer, settings: Settings
) -> None:
    """H5"""
    settings.LANGUAGES = [("en", "English")]
    guest.browser.language = "en"  # type: ignore[attr-defined]

    page = guest.return_from_khalti(paid)

    assert only_purchase().language == "ne"
    assert page.redirect_chain[-1][0] == "/en/shop/checkout/thank-you/"


def test_the_checks_find_nothing_wrong() -> None:
    """H5"""
    assert list(checks.messages()) == []
