"""The fake shop with Wagtail's admin, its staff, and members with names."""

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.urls import reverse
from wagtail.models import ModelLogEntry

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.backoffice import staff
from tests.backoffice.pages import page_text
from tests.purchases import Khalti, fake_shop, khalti, no_call_in_a_transaction
from tests.purchases import shop as shop_alone

__all__ = ["fake_shop", "khalti", "no_call_in_a_transaction", "shop_alone"]

SITE = "default"


@pytest.fixture
def shop(shop_alone: FakeShop, settings: Any) -> FakeShop:
    """The fake shop, with the URLs of the whole site."""
    settings.ROOT_URLCONF = "sandbox.urls"
    return shop_alone


class MemberDesk(staff.Desk):
    """A staff user's browser on the pages of members."""

    def member(self, account: Account, action: str = "", *, status: int = 200, **query: Any) -> BeautifulSoup:
        """Open the page of a member, or of an action."""
        return self.open(url_name(action), account.pk, status=status, **query)

    def member_after(self, account: Account, action: str) -> BeautifulSoup:
        """Open the page of an action and follow redirects."""
        response = self.client.get(url_of(account, action), follow=True)
        return BeautifulSoup(response.content, "html.parser")

    def submit(self, account: Account, action: str, *args: int, status: int = 200, **data: Any) -> BeautifulSoup:
        """Submit the form of an action and follow redirects."""
        return self.post(url_name(action), account.pk, *args, status=status, **data)


def url_name(action: str) -> str:
    return f"loyalink_khalti_member_{action}" if action else "loyalink_khalti_member"


def url_of(account: Account, action: str = "", *args: int) -> str:
    return reverse(url_name(action), args=[account.pk, *args])


def table(page: BeautifulSoup, panel: str) -> list[list[str]]:
    """Return the cells of a panel's table, row by row."""
    return [[page_text(cell) for cell in row.select("td")] for row in page.select(f"#{panel}-section tbody tr")]


def customer(first: str, last: str = "", *, email: str | None = None, **fields: Any) -> User:
    """Create a user who buys."""
    name = first.lower()
    fields = {"username": name, "email": f"{name}@example.com" if email is None else email, **fields}
    return User.objects.create(first_name=first, last_name=last, **fields)


def member(user: User, points: int = 0, *, site_key: str = SITE) -> Account:
    """Return a customer's account, with points from an opening balance."""
    pk = str(user.pk)
    if points:
        key = f"opening {pk}"
        ledger.adjust(site_key=site_key, member_id=pk, points=points, key=key, reason="opening balance")
    else:
        ledger.set_blocked(site_key=site_key, member_id=pk, blocked=False)
    return Account.objects.get(member_id=pk, program__site_key=site_key)


@pytest.fixture
def sita(shop: FakeShop) -> Account:
    """Sita Maharjan, with 1,000 points."""
    return member(customer("Sita", "Maharjan"), 1000)


@pytest.fixture
def admin(shop: FakeShop) -> MemberDesk:
    return MemberDesk(staff.staff_user("hari", is_superuser=True))


@pytest.fixture
def editor(shop: FakeShop) -> MemberDesk:
    return MemberDesk(staff.editor())


@pytest.fixture
def accountant(shop: FakeShop) -> MemberDesk:
    return MemberDesk(staff.accountant())


@pytest.fixture
def pending_payment(shop: FakeShop, khalti: Khalti, sita: Account) -> Payment:
    """Sita's order of Rs 2,500, which awaits payment at Khalti and reserves 500 points."""
    return flow.begin_payment(shop.freeze(shop.cart(member_id=sita.member_id, points_redeemed=Points(500))))


@pytest.fixture
def owe() -> Callable[[Account, int], None]:
    """Give a debt to a member who has no points, as a refund of used points does."""

    def set_debt(account: Account, points: int) -> None:
        assert account.available == 0
        Account.objects.filter(pk=account.pk).update(owed=points)
        account.refresh_from_db()

    return set_debt


def logged_actions() -> list[tuple[str, str, dict[str, Any]]]:
    """Return the log entries about members, the oldest first: user, action, data."""
    entries = ModelLogEntry.objects.filter(content_type__model="account").order_by("pk")
    return [(entry.user.username, entry.action.removeprefix("loyalink_khalti."), entry.data) for entry in entries]
