"""A small Wagtail site that sells: treks, donations, customers with a session, and a simulated Khalti."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.http import HttpRequest
from django.test import RequestFactory
from pytest_django import Settings as SettingsWrapper
from wagtail.models import Site

from loyalink_khalti.hosts.page.basket import Item, SessionBasket
from loyalink_khalti.hosts.page.details import Details
from loyalink_khalti.hosts.page.models import PageShopSettings, Stock
from loyalink_khalti.hosts.page.open_basket import PageBasket, of_session
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Points
from loyalink_khalti.ports import Cart, PaymentMethod
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import khalti_simulator
from tests.hosts.page.site.models import DonationPage, TrekPage

__all__ = ["khalti_simulator"]

PASSWORD = "saraswati-demo"
SITA = Details(name="Sita Sharma", email="sita@example.com", phone="9841234567", address="Naxal Marga 7, Kathmandu")


@pytest.fixture
def page_shop(settings: SettingsWrapper) -> None:
    """Name the host in ``SHOPS``, beside Oscar."""
    settings.ROOT_URLCONF = "tests.hosts.page.urls"
    chosen = settings.LOYALINK_KHALTI
    settings.LOYALINK_KHALTI = {
        **chosen,
        "SHOPS": {**chosen["SHOPS"], "page": "loyalink_khalti.hosts.page.shop.PageShop"},
        "PAGE": {"METHODS": ["khalti", "cod", "bank_transfer"]},
        "SITE_URL": "http://127.0.0.1:8000",
    }


@pytest.fixture
def khalti(khalti_simulator: Simulator, page_shop: None, settings: SettingsWrapper) -> Simulator:
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI,
        "KHALTI_BASE_URL": khalti_simulator.base_url,
        "DEADLINE": 5,
    }
    return khalti_simulator


class TeaHouse:
    """The site's products and what it sets. Prices and charges are in rupees."""

    def __init__(self) -> None:
        self.site = Site.objects.get(is_default_site=True)
        self.settings = PageShopSettings.objects.create(
            site=self.site,
            shop_name="Tea House",
            order_prefix="TH-",
            delivery_options=[
                ("option", {"title": "Courier", "text": "", "charge": 150_00, "needs_address": True}),
                ("option", {"title": "Pick up", "text": "", "charge": 0, "needs_address": False}),
            ],
        )

    @property
    def courier(self) -> str:
        """The code of the delivery option that costs Rs 150."""
        self.settings.refresh_from_db()
        return str(self.settings.delivery_options[0].id)

    def trek(self, title: str = "Langtang trek", *, rupees: int = 500, stock: int | None = None, **more: Any) -> Any:
        """Publish a page that sells."""
        page = TrekPage(title=title, price=rupees * 100, track_stock=stock is not None, **more)
        self.site.root_page.add_child(instance=page)
        if stock is not None:
            self.fill(page, stock)
        return page

    def donation(self, title: str = "School fund", **more: Any) -> Any:
        """Publish a page on which customers choose the amount."""
        page = DonationPage(title=title, free_amount=True, **more)
        self.site.root_page.add_child(instance=page)
        return page

    def fill(self, page: Any, quantity: int, choice: str = "") -> None:
        Stock.objects.create(product=page.translation_key, choice=choice, quantity=quantity)

    def left(self, page: Any, choice: str = "") -> int:
        """Return how many can still be sold."""
        return Stock.objects.get(product=page.translation_key, choice=choice).quantity


@pytest.fixture
def house(db: None, page_shop: None) -> TeaHouse:
    return TeaHouse()


def new_request(user: Any = None) -> HttpRequest:
    """Return a request of a new browser session."""
    request = RequestFactory().get("/")
    request.session = SessionStore()
    request.user = user or AnonymousUser()
    return request


def basket_of(*items: Item, user: Any = None, details: Details = SITA, origin: str = "") -> PageBasket:
    return PageBasket(new_request(user), items=items, origin=origin or str(uuid4()), details=details)


def add(request: HttpRequest, page: Any, quantity: int = 1, **more: Any) -> PageBasket:
    """Put a page into the basket of a session and return that."""
    SessionBasket(request).add(Item(page=page.pk, quantity=quantity, title=page.title, **more))
    return of_session(request, SITA)


def freeze(
    basket: PageBasket, *, method: PaymentMethod = PaymentMethod.KHALTI, points: int = 0, due: Any = None
) -> Cart:
    """Hold an order for a basket, in a transaction of its own."""
    with transaction.atomic():
        return basket.freeze(method=method, points=Points(points), expected_due=due)()


def new_member(email: str = "sita@example.com", *, points: int = 0) -> Any:
    user = get_user_model().objects.create_user(username=email, email=email, password=PASSWORD, first_name="Sita")
    if points:
        ledger.adjust(site_key="default", member_id=str(user.pk), points=points, key=f"test:{email}", reason="opening")
    return user
