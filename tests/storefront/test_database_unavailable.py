"""While the database is down: a page of our own that reloads itself, and no payment is shown as paid."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.signals import connection_created
from django.test import Client
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.session_payments import SESSION_KEY
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, states_of

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db(transaction=True)]

ENOUGH = 60
"""More statements than any page makes."""
PAGES = ["return", "status", "pay", "cancel"]


@pytest.fixture
def sita(django_user_model: Any) -> Any:
    return django_user_model.objects.create_user(username="sita", email="sita@example.com")


@pytest.fixture
def browser(sita: Any) -> Client:
    """The customer's browser, logged in; it gets error pages as a browser would."""
    browser = Client(raise_request_exception=False)
    browser.force_login(sita)
    return browser


def begin(shop: FakeShop, khalti: Khalti, browser: Client, ref: str = "order-1") -> Payment:
    """Begin a payment of this browser session and pay it at Khalti."""
    payment = flow.begin_payment(shop.freeze(shop.cart(ref)))
    khalti.pay(payment.pidx)
    session = browser.session
    session[SESSION_KEY] = [payment.token]
    session.save()
    return payment


def visit(browser: Client, page: str, payment: Payment) -> Any:
    send = browser.post if page == "cancel" else browser.get
    return send(f"/khalti/{page}/{payment.token}/")


@contextmanager
def unavailable(after: int = 0, error: type[Exception] = OperationalError) -> Iterator[list[str]]:
    """Let so many statements succeed, fail the rest, and yield those that failed."""
    failed: list[str] = []
    left = after

    def ask(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            return execute(sql, *rest)
        failed.append(sql)
        raise error("server closed the connection unexpectedly: host=db.internal user=shop")

    with connection.execute_wrapper(ask):
        yield failed


@contextmanager
def refusing_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PostgreSQL is down, or has no connection to give; SQLite's file is not there."""
    nowhere = {"sqlite": {"NAME": "/nowhere/shop.sqlite3"}, "postgresql": {"HOST": "127.0.0.1", "PORT": "1"}}
    connection.close()
    with monkeypatch.context() as patch:
        for name, value in nowhere[connection.vendor].items():
            patch.setitem(connection.settings_dict, name, value)
        yield
    connection.close()


@contextmanager
def read_only() -> Iterator[None]:
    """A full disk, or a server that has become a replica."""
    say = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET default_transaction_read_only = on"}

    def refuse_writes(connection: Any, **_signal: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(say[connection.vendor])

    connection_created.connect(refuse_writes)
    connection.close()
    yield
    connection_created.disconnect(refuse_writes)
    connection.close()


def is_unavailable_page(response: Any, payment: Payment, page: str) -> bool:
    text = response.content.decode()
    where = "status" if page == "cancel" else page
    return (
        response.status_code == 503
        and response["Refresh"].endswith(f"; url=/khalti/{where}/{payment.token}/")
        and int(response["Retry-After"]) > 0
        and "no-store" in response["Cache-Control"]
        and "Your payment is safe; this page reloads automatically." in text
        and "db.internal" not in text
        and "basket" not in text.casefold()  # no part of the host's layout
    )


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_page_without_a_database_says_so_and_reloads(
    page: str, error: type[Exception], shop: FakeShop, khalti: Khalti, browser: Client
) -> None:
    """H01, I9"""
    payment = begin(shop, khalti, browser)

    with unavailable(error=error) as failed:
        response = visit(browser, page, payment)

    assert failed
    assert is_unavailable_page(response, payment, page)
    assert khalti.looked_up == []


@pytest.mark.parametrize("page", PAGES)
def test_a_refused_database_connection_shows_the_same_page(
    page: str, shop: FakeShop, khalti: Khalti, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H01, H02"""
    payment = begin(shop, khalti, browser)

    with refusing_connections(monkeypatch):
        response = visit(browser, page, payment)

    assert is_unavailable_page(response, payment, page)


@pytest.mark.parametrize("page", ["return", "status", "cancel"])
def test_a_payment_that_cannot_be_recorded_is_not_shown_as_paid(
    page: str, shop: FakeShop, khalti: Khalti, browser: Client
) -> None:
    """H06"""
    payment = begin(shop, khalti, browser)

    with read_only():
        response = visit(browser, page, payment)

    assert is_unavailable_page(response, payment, page)
    assert (states_of(payment), shop.confirmed) == (("initiated", "open"), [])


@pytest.mark.parametrize("page", PAGES)
def test_a_database_lost_at_any_statement_is_no_error_and_the_next_visit_settles_once(
    page: str, shop: FakeShop, khalti: Khalti, browser: Client
) -> None:
    """H01, I9"""
    for number in range(ENOUGH):
        payment = begin(shop, khalti, browser, f"order-{number}")
        with unavailable(after=number) as failed:
            response = visit(browser, page, payment)
        Payment.objects.update(leased_until=timezone.now())

        assert response.status_code in {200, 302, 503}
        if failed:
            assert "Thank you" not in response.content.decode() or states_of(payment) == ("fulfilled", "placed")
        flow.verify_payment(payment, ignore_back_off=True)
        assert states_of(payment) == ("fulfilled", "placed")
        if not failed:
            break
    else:
        pytest.fail("the sweep did not finish")
    assert len(shop.confirmed) == Purchase.objects.count() == number + 1


def test_the_page_without_a_database_drops_an_appended_query(shop: FakeShop, khalti: Khalti, browser: Client) -> None:
    """L04"""
    payment = begin(shop, khalti, browser)

    with unavailable():
        response = browser.get(f"/khalti/return/{payment.token}/?mobile=98XXXXX904")

    assert is_unavailable_page(response, payment, "return")


def test_the_claim_page_reloads_too(browser: Client, shop: FakeShop) -> None:
    """H01"""
    with unavailable():
        response = browser.get("/khalti/claim/x/")

    assert (response.status_code, response["Refresh"].partition("=")[2]) == (503, "/khalti/claim/x/")
