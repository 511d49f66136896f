"""The limit on the pending payments of one browser, with every session engine of Django's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.core.signing import Signer
from django.test import Client
from pytest_django import Settings

from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.session_payments import COOKIE, SESSION_KEY
from loyalink_khalti.simulator import Simulator

from .conftest import PASSWORD, Customer, Store, new_member, payment_of, text

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]

ENGINES = [
    "db",
    "signed_cookies",
    *(pytest.param(engine, marks=pytest.mark.slow) for engine in ("cache", "cached_db", "file")),
]
"""The kinds: a row that stays, and no memory at the shop."""
MOST = 3


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> str:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    return str(request.param)


@pytest.fixture
def guest(store: Store) -> Customer:
    """A guest who types another address for each order: the limit per address does not matter."""
    return Customer("guest@example.com")


def order_again(customer: Customer, store: Store) -> Any:
    """Order a pen with another e-mail address."""
    number = Purchase.objects.count()
    customer.email = f"guest{number}@example.com"
    return customer.buy(store.pen)


def open_all(customer: Customer, store: Store, *, before_each: Callable[[], object] = lambda: None) -> list[Payment]:
    """Open as many payments as one browser may, and try one more: it is refused."""
    payments = []
    for _ in range(MOST):
        before_each()
        payments.append(payment_of(order_again(customer, store)))
    before_each()
    refused = order_again(customer, store)
    assert refused.url == "/shop/checkout/preview/"
    return payments


def test_one_browser_has_three_pending_payments_at_most(engine: str, store: Store, guest: Customer) -> None:
    """H8: with sessions in signed cookies it had as many as it wanted, because their key changes with each page."""
    open_all(guest, store)

    assert Payment.objects.filter(state="initiated").count() == MOST
    assert "is still pending. Continue it, or cancel it" in text(guest.browser.get("/shop/checkout/preview/"))


def test_a_session_that_was_lost_gives_no_further_payments(engine: str, store: Store, guest: Customer) -> None:
    """H8: a cache may drop a session at any time; the browser's other cookies stay."""
    open_all(guest, store, before_each=lambda: guest.browser.cookies.pop("sessionid", None))

    assert Payment.objects.filter(state="initiated").count() == MOST
    page = text(guest.browser.get("/shop/checkout/preview/", follow=True))
    assert "Other payments from this browser are still pending" in page  # and not of what amount: it may be another's


def test_sessions_that_a_cache_drops_give_no_further_payments(
    store: Store, guest: Customer, settings: Settings
) -> None:
    """H8"""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"

    open_all(guest, store, before_each=caches["default"].clear)

    assert Payment.objects.filter(state="initiated").count() == MOST


def test_an_old_session_cookie_that_is_sent_again_gives_no_further_payments(
    store: Store, guest: Customer, settings: Settings
) -> None:
    """H8: sessions in signed cookies have no memory at the shop; this one is from before the first payment."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    guest.add(store.pen)
    guest.go_to_payment()
    old = guest.browser.cookies["sessionid"].value

    def send_again() -> None:
        guest.browser.cookies["sessionid"] = old

    open_all(guest, store, before_each=send_again)

    assert Payment.objects.filter(state="initiated").count() == MOST


def test_the_limit_stays_after_a_log_out(store: Store, engine: str) -> None:
    """H8"""
    sita = new_member("sita@example.com")
    first = payment_of(sita.buy(store.notebook))
    sita.browser.get("/shop/accounts/logout/")
    guest = Customer("guest@example.com")
    guest.browser = sita.browser

    for _ in range(MOST - 1):
        payment_of(order_again(guest, store))

    assert order_again(guest, store).url == "/shop/checkout/preview/"
    assert first.token not in guest.browser.session.get(SESSION_KEY, [])


def test_a_made_up_cookie_counts_as_none(store: Store, guest: Customer) -> None:
    """H8"""
    guest.browser.cookies[COOKIE] = "f" * 40
    first = payment_of(order_again(guest, store)).purchase.browser_session
    guest.browser.cookies[COOKIE] = Signer(salt="other").sign("f" * 40)

    assert payment_of(order_again(guest, store)).purchase.browser_session == first != "f" * 40


def test_the_cookie_is_as_safe_as_the_sessions_and_only_of_browsers_that_order(
    store: Store, guest: Customer, settings: Settings
) -> None:
    """H8"""
    settings.SESSION_COOKIE_SECURE = True
    guest.browser.get("/shop/catalogue/")
    before = COOKIE in guest.browser.cookies

    order_again(guest, store)

    cookie = guest.browser.cookies[COOKIE]
    assert not before
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/")
    assert cookie["max-age"] == 24 * 60 * 60


def test_another_customer_of_the_same_browser_does_not_see_what_was_bought_before_a_log_out(
    store: Store, khalti: Simulator
) -> None:
    """H8: the browser's identifier is for limits alone; the third click on "place order" does not lead to Sita's."""
    sita = new_member("sita@example.com")
    payment = payment_of(sita.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    sita.browser.get("/shop/accounts/logout/")

    page = sita.browser.post("/shop/checkout/preview/", {"action": "place_order"}, follow=True)

    assert COOKIE in sita.browser.cookies
    assert not any("thank-you" in address for address, _status in page.redirect_chain)


def test_a_log_in_keeps_the_identifier(store: Store, engine: str) -> None:
    """H8"""
    sita = new_member("sita@example.com")
    browser = Client()
    sita.browser = browser
    guest = Customer("guest@example.com")
    guest.browser = browser
    before = payment_of(order_again(guest, store)).purchase.browser_session
    browser.cookies.pop(COOKIE)

    browser.login(username="sita@example.com", password=PASSWORD)
    after = payment_of(sita.buy(store.pen)).purchase.browser_session

    assert (engine, before) == (engine, after)
