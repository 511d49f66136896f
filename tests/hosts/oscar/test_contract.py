"""Oscar keeps the contract of every shop."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from oscar.core.loading import get_model

from loyalink_khalti.hosts.common.checkout import PaymentChoice
from loyalink_khalti.hosts.oscar.freeze import Freeze
from loyalink_khalti.hosts.oscar.shop import OscarShop
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Cart
from loyalink_khalti.testing import ShopContract

from .conftest import Customer, Store, only_order, only_purchase
from .deletion import delete_in_sql

pytestmark = pytest.mark.money


class TestOscarShop(ShopContract):
    @pytest.fixture
    def shop(self) -> OscarShop:
        return OscarShop()

    @pytest.fixture
    def cart(self, store: Store, guest: Customer) -> Cart:
        guest.buy(store.notebook, store.notebook, store.pen, delivery="express")
        return only_purchase().frozen_cart

    @pytest.fixture
    def cart_with_points(self, store: Store, sita: Customer) -> tuple[Cart, Paisa]:
        sita.buy(store.notebook, store.notebook, store.pen, delivery="express", points=500)
        purchase = only_purchase()
        return purchase.frozen_cart, Paisa(purchase.points_value)

    @pytest.fixture
    def stock(self, store: Store) -> Callable[[], dict[str, int]]:
        rows = get_model("partner", "StockRecord").objects
        return lambda: {row.partner_sku: row.net_stock_level for row in rows.all()}

    @pytest.fixture
    def sell_out(self, store: Store) -> Callable[[], None]:
        return lambda: store.notebook.stockrecords.update(num_in_stock=0)

    @pytest.fixture
    def delete_order(self, cart: Cart) -> Callable[[], None]:
        return lambda: delete_in_sql(only_order())

    @pytest.fixture
    def freeze_again(self, cart: Cart) -> Callable[[], object]:
        checkout: Any = SimpleNamespace(request=None)  # the basket is refused before anything of it is read
        return Freeze(checkout, basket_id=int(cart.origin), choice=PaymentChoice())
