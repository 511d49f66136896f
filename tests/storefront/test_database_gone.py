"""While the database does not answer: a page of our own that looks again, and nothing is called paid."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.signals import connection_created
from django.test import Client
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.browser import SESSION_KEY
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, stands

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

ENOUGH = 60
"""More statements than any page makes."""
PAGES = ["return", "status", "pay", "again"]


@pytest.fixture
def sita(django_user_model: Any) -> Any:
    return django_user_model.objects.create_user(username="sita", email="sita@example.com")


@pytest.fixture
def browser(sita: Any) -> Client:
    """The shopper's own, logged in; it shows what a browser would be shown, errors too."""
    browser = Client(raise_request_exception=False)
    browser.force_login(sita)
    return browser


def begin(shop: FakeShop, khalti: Khalti, browser: Client, ref: str = "order-1") -> Payment:
    """A payment of this browser's that has been paid at Khalti."""
    payment = flow.begin(shop.freeze(shop.cart(ref)))
    khalti.pay(payment.pidx)
    session = browser.session
    session[SESSION_KEY] = [payment.token]
    session.save()
    return payment


def look(browser: Client, page: str, payment: Payment) -> Any:
    send = browser.post if page == "again" else browser.get
    return send(f"/khalti/{page}/{payment.token}/")


@contextmanager
def gone(after: int = 0, error: type[Exception] = OperationalError) -> Iterator[list[str]]:
    """The database answers so many statements more; what it was asked then is told."""
    unanswered: list[str] = []
    left = after

    def ask(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            return execute(sql, *rest)
        unanswered.append(sql)
        raise error("server closed the connection unexpectedly: host=db.internal user=shop")

    with connection.execute_wrapper(ask):
        yield unanswered


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


def is_the_page_that_waits(response: Any, payment: Payment, page: str) -> bool:
    words = response.content.decode()
    where = "status" if page == "again" else page
    return (
        response.status_code == 503
        and response["Refresh"].endswith(f"; url=/khalti/{where}/{payment.token}/")
        and int(response["Retry-After"]) > 0
        and "no-store" in response["Cache-Control"]
        and "Your payment is safe; this page will look again in a moment." in words
        and "db.internal" not in words
        and "<link" not in words  # nothing of the host's layout
    )


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_page_without_a_database_says_so_and_looks_again(
    page: str, error: type[Exception], shop: FakeShop, khalti: Khalti, browser: Client
) -> None:
    """H01, I9"""
    payment = begin(shop, khalti, browser)

    with gone(error=error) as unanswered:
        response = look(browser, page, payment)

    assert unanswered
    assert is_the_page_that_waits(response, payment, page)
    assert khalti.asked == []


@pytest.mark.parametrize("page", PAGES)
def test_a_database_that_gives_no_connection_is_waited_for(
    page: str, shop: FakeShop, khalti: Khalti, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H01, H02"""
    payment = begin(shop, khalti, browser)

    with refusing_connections(monkeypatch):
        response = look(browser, page, payment)

    assert is_the_page_that_waits(response, payment, page)


@pytest.mark.parametrize("page", ["return", "status", "again"])
def test_what_cannot_be_written_down_is_not_called_paid(
    page: str, shop: FakeShop, khalti: Khalti, browser: Client
) -> None:
    """H06"""
    payment = begin(shop, khalti, browser)

    with read_only():
        response = look(browser, page, payment)

    assert is_the_page_that_waits(response, payment, page)
    assert (stands(payment), shop.confirmed) == (("initiated", "open"), [])


@pytest.mark.parametrize("page", PAGES)
def test_a_database_lost_at_any_statement_is_no_error_and_the_next_look_settles_once(
    page: str, shop: FakeShop, khalti: Khalti, browser: Client
) -> None:
    """H01, I9"""
    for number in range(ENOUGH):
        payment = begin(shop, khalti, browser, f"order-{number}")
        with gone(after=number) as unanswered:
            response = look(browser, page, payment)
        Payment.objects.update(leased_until=timezone.now())

        assert response.status_code in {200, 302, 503}
        if unanswered:
            assert "Thank you" not in response.content.decode() or stands(payment) == ("fulfilled", "placed")
        flow.finish(payment, insist=True)
        assert stands(payment) == ("fulfilled", "placed")
        if not unanswered:
            break
    else:
        pytest.fail("the sweep never came to the end")
    assert len(shop.confirmed) == Purchase.objects.count() == number + 1


def test_the_page_that_waits_drops_what_was_glued_on(shop: FakeShop, khalti: Khalti, browser: Client) -> None:
    """L04"""
    payment = begin(shop, khalti, browser)

    with gone():
        response = browser.get(f"/khalti/return/{payment.token}/?mobile=98XXXXX904")

    assert is_the_page_that_waits(response, payment, "return")


def test_a_page_to_claim_waits_for_the_database_too(browser: Client, shop: FakeShop) -> None:
    """H01"""
    with gone():
        response = browser.get("/khalti/claim/x/")

    assert (response.status_code, response["Refresh"].partition("=")[2]) == (503, "/khalti/claim/x/")
