"""A shop that remembers, Khalti as a test scripts it, and an editor's browser."""

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalink_khalti import flow
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.backoffice.staff import editor
from tests.purchases import Khalti, account, fake_shop, khalti, member, no_call_in_a_transaction, shop

__all__ = ["account", "fake_shop", "khalti", "member", "no_call_in_a_transaction", "shop"]


class Desk:
    """A browser of somebody of the staff, on the pages of payments."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = Client()
        self.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def open(self, name: str, *args: Any, status: int = 200, **query: Any) -> BeautifulSoup:
        response = self.client.get(reverse(name, args=args), query)
        assert response.status_code == status, response.status_code
        return BeautifulSoup(response.content, "html.parser")

    def post(self, name: str, *args: Any, status: int = 200, **typed: Any) -> BeautifulSoup:
        """Send a form and follow where it leads."""
        response = self.client.post(reverse(name, args=args), typed, follow=True)
        assert response.status_code == status, response.status_code
        return BeautifulSoup(response.content, "html.parser")

    def page(self, payment: Payment) -> BeautifulSoup:
        return self.open("loyalink_khalti_payment", payment.pk)


def words(page: BeautifulSoup) -> str:
    """What a page says, on one line."""
    return " ".join(page.get_text(" ").split())


@pytest.fixture
def urls(shop: FakeShop, settings: Any) -> None:
    """The whole site, Wagtail's admin with it."""
    settings.ROOT_URLCONF = "sandbox.urls"


@pytest.fixture
def desk(urls: None, db: None) -> Desk:
    return Desk(editor())


@pytest.fixture
def begin(urls: None, shop: FakeShop, khalti: Khalti) -> Callable[..., Payment]:
    """Begin a payment of Rs 2,500; ``changes`` are fields of the Cart."""

    def begun(ref: str = "N-1001", **changes: Any) -> Payment:
        return flow.begin(shop.freeze(shop.cart(ref, **changes)))

    return begun


@pytest.fixture
def waiting(begin: Callable[..., Payment], shop: FakeShop, member: str) -> Payment:
    """Rs 2,500 of goods, Rs 50 of it by 500 points, waiting at Khalti."""
    return begin(member_id=member, spends=Points(500))


@pytest.fixture
def paid(waiting: Payment, khalti: Khalti) -> Payment:
    """The same, paid for and placed."""
    khalti.pay(waiting.pidx)
    flow.finish(waiting)
    waiting.refresh_from_db()
    return waiting


@pytest.fixture
def flagged(begin: Callable[..., Payment], khalti: Khalti) -> Payment:
    """Of Rs 2,500 only Rs 2,499 came."""
    payment = begin("N-1002")
    khalti.pay(payment.pidx, total_amount=249_900)
    flow.finish(payment)
    payment.refresh_from_db()
    return payment
