"""The fake shop fulfils the contract of every shop."""

from collections.abc import Callable

import pytest
from django.db import transaction

from loyalink_khalti.ports import Cart
from loyalink_khalti.testing import FakeShop, ShopContract

pytestmark = pytest.mark.money


class TestFakeShop(ShopContract):
    @pytest.fixture
    def shop(self, fake_shop: FakeShop) -> FakeShop:
        return fake_shop

    @pytest.fixture
    def cart(self, shop: FakeShop) -> Cart:
        shop.stock(pen=1)
        with transaction.atomic():
            return shop.freeze(shop.cart())()

    @pytest.fixture
    def sell_out(self, shop: FakeShop) -> Callable[[], None]:
        return lambda: shop.stock(pen=0)

    @pytest.fixture
    def delete_order(self, shop: FakeShop, cart: Cart) -> Callable[[], None]:
        return lambda: shop.delete_order(cart.ref)
