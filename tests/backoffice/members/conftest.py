"""The shop that remembers with Wagtail's admin beside it, its staff, and members with names."""

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from wagtail.models import ModelLogEntry

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.backoffice import staff
from tests.purchases import Khalti, fake_shop, khalti, no_call_in_a_transaction
from tests.purchases import shop as shop_alone

__all__ = ["fake_shop", "khalti", "no_call_in_a_transaction", "shop_alone"]

SITE = "default"


@pytest.fixture
def shop(shop_alone: FakeShop, settings: Any) -> FakeShop:
    """The fake shop, and the whole site with it."""
    settings.ROOT_URLCONF = "sandbox.urls"
    return shop_alone


class Desk:
    """A browser of somebody of the staff, on the pages of members."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = Client()
        self.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def open(self, account: Account, deed: str = "", *, status: int = 200, **query: Any) -> BeautifulSoup:
        response = self.client.get(url_of(account, deed), query)
        assert response.status_code == status, response.status_code
        return BeautifulSoup(response.content, "html.parser")

    def open_after(self, account: Account, deed: str) -> BeautifulSoup:
        """Follow where a page leads."""
        response = self.client.get(url_of(account, deed), follow=True)
        return BeautifulSoup(response.content, "html.parser")

    def post(self, account: Account, deed: str, *more: int, status: int = 200, **typed: Any) -> BeautifulSoup:
        """Send a form and follow where it leads."""
        response = self.client.post(url_of(account, deed, *more), typed, follow=True)
        assert response.status_code == status, response.status_code
        return BeautifulSoup(response.content, "html.parser")


def url_of(account: Account, deed: str = "", *more: int) -> str:
    name = f"loyalink_khalti_member_{deed}" if deed else "loyalink_khalti_member"
    return reverse(name, args=[account.pk, *more])


def words(page: BeautifulSoup) -> str:
    """What a page says, on one line."""
    return " ".join(page.get_text(" ").split())


def table(page: BeautifulSoup, panel: str) -> list[list[str]]:
    """The rows of a panel's table, cell by cell."""
    return [[words(cell) for cell in row.select("td")] for row in page.select(f"#{panel}-section tbody tr")]


def person(first: str, last: str = "", *, email: str | None = None, **fields: Any) -> User:
    """A customer."""
    name = first.lower()
    fields = {"username": name, "email": f"{name}@example.com" if email is None else email, **fields}
    return User.objects.create(first_name=first, last_name=last, **fields)


def member(user: User, points: int = 0, *, site_key: str = SITE) -> Account:
    """A customer's account, with points from nowhere."""
    pk = str(user.pk)
    if points:
        key = f"opening {pk}"
        ledger.adjust(site_key=site_key, member_id=pk, points=points, key=key, reason="opening balance")
    else:
        ledger.freeze(site_key=site_key, member_id=pk, frozen=False)
    return Account.objects.get(member_id=pk, program__site_key=site_key)


@pytest.fixture
def sita(shop: FakeShop) -> Account:
    """Sita Maharjan, with 1,000 points."""
    return member(person("Sita", "Maharjan"), 1000)


@pytest.fixture
def admin(shop: FakeShop) -> Desk:
    return Desk(staff.worker("hari", is_superuser=True))


@pytest.fixture
def editor(shop: FakeShop) -> Desk:
    return Desk(staff.editor())


@pytest.fixture
def accountant(shop: FakeShop) -> Desk:
    return Desk(staff.accountant())


@pytest.fixture
def waiting(shop: FakeShop, khalti: Khalti, sita: Account) -> Payment:
    """Rs 2,500 of goods for Sita, Rs 50 of it by 500 points, waiting at Khalti."""
    return flow.begin(shop.freeze(shop.cart(member_id=sita.member_id, spends=Points(500))))


@pytest.fixture
def owing() -> Callable[[Account, int], None]:
    """Let a member who has no points owe some: earned, spent, and the goods came back."""

    def owe(account: Account, points: int) -> None:
        assert account.available == 0
        Account.objects.filter(pk=account.pk).update(owed=points)
        account.refresh_from_db()

    return owe


def logged() -> list[tuple[str, str, dict[str, Any]]]:
    """What Wagtail's log has of members: who, what, figures; the oldest first."""
    entries = ModelLogEntry.objects.filter(content_type__model="account").order_by("pk")
    return [(entry.user.username, entry.action.removeprefix("loyalink_khalti."), entry.data) for entry in entries]
