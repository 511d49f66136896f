"""Salesman keeps the contract of every shop."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import RequestFactory
from salesman.core.utils import get_salesman_model

from loyalink_khalti.hosts.salesman import baskets
from loyalink_khalti.hosts.salesman.shop import SalesmanShop
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, PaymentMethod
from loyalink_khalti.testing import ShopContract

from .site.models import Tea
from .store import Customer, Store, only_purchase, order_of

pytestmark = pytest.mark.money


class TestSalesmanShop(ShopContract):
    @pytest.fixture
    def shop(self) -> SalesmanShop:
        return SalesmanShop()

    @pytest.fixture
    def cart(self, store: Store, guest: Customer) -> Cart:
        guest.buy(store.green, store.green, store.black)
        return only_purchase().frozen_cart

    @pytest.fixture
    def cart_with_points(self, store: Store, maya: Customer) -> tuple[Cart, Paisa]:
        maya.buy(store.green, store.green, store.black, points=500)
        purchase = only_purchase()
        return purchase.frozen_cart, Paisa(purchase.points_value)

    @pytest.fixture
    def stock(self, store: Store) -> Callable[[], dict[str, int]]:
        return store.stock

    @pytest.fixture
    def sell_out(self, store: Store) -> Callable[[], None]:
        return lambda: Tea.objects.filter(pk=store.green.pk).update(stock=0) and None

    @pytest.fixture
    def delete_order(self, cart: Cart) -> Callable[[], None]:
        return lambda: delete_in_sql(order_of(only_purchase()).pk)

    @pytest.fixture
    def freeze_again(self, cart: Cart) -> Callable[[], Cart]:
        basket = get_salesman_model("Basket").objects.get()
        open_basket = baskets.of(basket, RequestFactory().get("/"))
        return open_basket.freeze(method=PaymentMethod.KHALTI, points=Points(0), expected_due=None)


def delete_in_sql(pk: int) -> None:
    """Delete an order as somebody with a database client would."""
    with connection.cursor() as cursor:
        for table in ("orderitem", "orderpayment", "ordernote"):
            cursor.execute(f"DELETE FROM salesmanorders_{table} WHERE order_id = %s", [pk])
        cursor.execute("DELETE FROM salesmanorders_order WHERE id = %s", [pk])
