"""A small shop on Salesman, clients of its API, and a simulated Khalti."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from pytest_django import Settings as SettingsWrapper
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient
from salesman.core.utils import get_salesman_model

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import khalti_simulator

from .site.models import Tea, Voucher

__all__ = ["khalti_simulator"]

API = "/salesman"
Answer = Any
"""A response to a test's client."""


@pytest.fixture
def khalti(khalti_simulator: Simulator, settings: SettingsWrapper) -> Simulator:
    settings.ROOT_URLCONF = "tests.hosts.salesman.urls"
    chosen = settings.LOYALINK_KHALTI
    settings.LOYALINK_KHALTI = {
        **chosen,
        "SHOPS": {**chosen["SHOPS"], "salesman": "loyalink_khalti.hosts.salesman.shop.SalesmanShop"},
        "KHALTI_BASE_URL": khalti_simulator.base_url,
        "SITE_URL": "http://127.0.0.1:8000",
        "DEADLINE": 5,
        "SALESMAN": {"SHOP_NAME": "Ilam Tea House", "NUMBER_PREFIX": "TH-"},
    }
    return khalti_simulator


class Store:
    """The shop's products and their stock."""

    def __init__(self) -> None:
        self.green = Tea.objects.create(name="Green tea", code="GREEN", price=Decimal("500.00"), stock=20)
        self.black = Tea.objects.create(name="Black tea", code="BLACK", price=Decimal("35.00"), stock=50)
        self.voucher = Voucher.objects.create(name="Voucher", code="VOUCHER", price=Decimal("1000.00"))

    def stock(self) -> dict[str, int]:
        """Return how many can still be sold."""
        return dict(Tea.objects.values_list("code", "stock"))


@pytest.fixture
def store(transactional_db: None, khalti: Simulator) -> Store:
    return Store()


class Customer:
    """A client of the API: a guest with a session, or a member with a token and no session."""

    def __init__(self, *, user: Any = None) -> None:
        self.user, self.client = user, APIClient()
        self.details = {
            "email": user.email if user else "guest@example.com",
            "shipping_address": "Maya Rai\nLakeside 6, Pokhara",
            "billing_address": "Maya Rai",
        }
        if user:
            self.client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user)}")

    def get(self, path: str) -> Answer:
        return self.client.get(f"{API}/{path}")

    def post(self, path: str, data: Any = None) -> Answer:
        return self.client.post(f"{API}/{path}", data, format="json")

    def put(self, path: str, data: Any = None) -> Answer:
        return self.client.put(f"{API}/{path}", data, format="json")

    def add(self, product: Any, quantity: int = 1, **more: Any) -> Answer:
        chosen = {"product_type": product._meta.label, "product_id": product.pk, "quantity": quantity, **more}
        return self.post("basket/", chosen)

    def check_out(self, method: str = "khalti", **more: Any) -> Answer:
        return self.post("checkout/", {**self.details, "payment_method": method, **more})

    def buy(self, *products: Any, method: str = "khalti", points: int = 0) -> Answer:
        """Order products, from the catalogue to the answer of the checkout."""
        for product in products:
            assert self.add(product).status_code == 201
        if points:
            chosen = self.put("payment/khalti/points/", {"points": points})
            assert chosen.status_code == 200, chosen.content
        placed = self.check_out(method)
        assert placed.status_code == 201, placed.content
        return placed

    def basket(self) -> dict[str, int]:
        """Return the quantities in the basket by the products' names."""
        items = self.get("basket/").json()["items"]
        return {item["product"]["name"]: item["quantity"] for item in items}


def new_member(email: str, *, points: int = 0) -> Customer:
    user = get_user_model().objects.create_user(username=email, email=email, password="x", first_name="Maya")
    if points:
        ledger.adjust(site_key="default", member_id=str(user.pk), points=points, key=f"test:{email}", reason="opening")
    return Customer(user=user)


def available(customer: Customer) -> Points:
    account = ledger.find_account("default", str(customer.user.pk))
    return Points(account.available if account else 0)


def payment_of(answer: Answer) -> Payment:
    """Return the payment to whose page at Khalti an answer of the checkout leads."""
    return Payment.objects.select_related("purchase").get(payment_url=answer.json()["url"])


def only_purchase() -> Purchase:
    return Purchase.objects.get()


def order_of(purchase: Purchase) -> Any:
    return get_salesman_model("Order").objects.get(ref=purchase.ref)


@pytest.fixture
def maya(store: Store) -> Customer:
    """A member with 1,200 points."""
    return new_member("maya@example.com", points=1200)


@pytest.fixture
def guest(store: Store) -> Customer:
    return Customer()
