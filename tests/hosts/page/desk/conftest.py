"""Orders of a small site, and a browser of one of its staff in Wagtail's admin."""

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.conf import LazySettings

from loyalink_khalti import flow
from loyalink_khalti.hosts.page.basket import Item
from loyalink_khalti.hosts.page.models import Order
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import PaymentMethod
from tests.backoffice.staff import Desk, editor
from tests.hosts.page.conftest import TeaHouse, basket_of, house, khalti, khalti_simulator, page_shop

__all__ = ["house", "khalti", "khalti_simulator", "page_shop"]

Place = Callable[..., Order]


@pytest.fixture
def urls(house: TeaHouse, settings: LazySettings) -> None:
    """The URLs of a whole site, with Wagtail's admin."""
    settings.ROOT_URLCONF = "sandbox.urls"


@pytest.fixture
def desk(urls: None) -> Desk:
    return Desk(editor())


@pytest.fixture
def place(house: TeaHouse, urls: None) -> Place:
    """Place an order of pages, to be paid in cash; ``details`` are the customer's."""

    def place_order(*pages: Any, quantity: int = 1, method: str = "cod", **more: Any) -> Order:
        items = [Item(page=page.pk, quantity=quantity, title=page.title) for page in pages]
        freeze = basket_of(*items, **more).freeze(method=PaymentMethod(method), points=Points(0), expected_due=None)
        return Order.objects.get(number=flow.place_order(freeze, method=PaymentMethod(method)).ref)

    return place_order


@pytest.fixture
def order(place: Place, house: TeaHouse) -> Order:
    """Two treks of Rs 500, of which three were in stock, to be paid in cash."""
    return place(house.trek(stock=3), quantity=2)


def purchase_of(order: Order) -> Purchase:
    return Purchase.objects.get(shop="page", ref=order.number)


def status_of(order: Order) -> str:
    order.refresh_from_db()
    return str(order.status)


def send(desk: Desk, name: str, pk: Any, data: dict[str, Any]) -> BeautifulSoup:
    """Submit a form and follow redirects."""
    return desk.post(name, pk, **data)
