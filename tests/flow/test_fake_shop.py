"""The fake shop fulfils the contract of every shop."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, Line
from loyalink_khalti.testing import FakeShop, ShopContract

pytestmark = pytest.mark.money

LINES = (
    Line(id="1", sku="pen", title="Fountain pen", quantity=2, unit=Paisa(100_000), total=Paisa(200_000)),
    Line(id="2", sku="ink", title="Ink", quantity=1, unit=Paisa(50_000), total=Paisa(50_000)),
)


class FakeShopFixtures:
    """What the contract needs to know about the fake shop, or about a wrong one made of it."""

    @pytest.fixture
    def shop(self, fake_shop: FakeShop) -> FakeShop:
        return fake_shop

    @pytest.fixture
    def cart(self, shop: FakeShop) -> Cart:
        shop.stock(pen=6, ink=6)
        return freeze(shop, "order-1")

    @pytest.fixture
    def cart_with_points(self, shop: FakeShop) -> tuple[Cart, Paisa]:
        shop.stock(pen=6, ink=6)
        return freeze(shop, "order-2", member_id="7", points_redeemed=Points(500)), Paisa(50_00)

    @pytest.fixture
    def stock(self, shop: FakeShop) -> Callable[[], dict[str, int]]:
        return lambda: {sku: shop.left(sku) for sku in ("pen", "ink")}

    @pytest.fixture
    def sell_out(self, shop: FakeShop) -> Callable[[], None]:
        return lambda: shop.stock(pen=0)

    @pytest.fixture
    def delete_order(self, shop: FakeShop, cart: Cart) -> Callable[[], None]:
        return lambda: shop.delete_order(cart.ref)

    @pytest.fixture
    def freeze_again(self, shop: FakeShop, cart: Cart) -> Callable[[], Cart]:
        return shop.freeze(replace(cart, ref="order-3"))


def freeze(shop: FakeShop, ref: str, **changes: Any) -> Cart:
    cart = shop.cart(ref, lines=LINES, subtotal=250_000, shipping=Paisa(15_000), **changes)
    with transaction.atomic():
        return shop.freeze(cart)()


class TestFakeShop(FakeShopFixtures, ShopContract):
    """The right shop passes every test."""
