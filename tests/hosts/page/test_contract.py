"""The contract that every shop keeps, for pages that sell; on SQLite and on PostgreSQL."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from loyalink_khalti.hosts.page.basket import Item
from loyalink_khalti.hosts.page.details import Details
from loyalink_khalti.hosts.page.models import Category, Order, Stock
from loyalink_khalti.hosts.page.open_basket import PageBasket
from loyalink_khalti.hosts.page.shop import PageShop
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Cart
from loyalink_khalti.testing import ShopContract
from tests.hosts.page.conftest import SITA, TeaHouse, basket_of, freeze, new_member

pytestmark = [pytest.mark.django_db, pytest.mark.money]


class TestPageShop(ShopContract):
    @pytest.fixture
    def shop(self, house: TeaHouse) -> PageShop:
        return PageShop()

    @pytest.fixture
    def pages(self, house: TeaHouse) -> list[Any]:
        tea = Category.objects.create(name="Tea")
        pages = [
            house.trek("Ilam tea", rupees=450, stock=20, sku="TEA", needs_delivery=True),
            house.trek("Cup", rupees=200, stock=50, sku="CUP"),
        ]
        pages[0].product_categories = [tea]
        pages[0].save()
        return pages

    def basket(self, house: TeaHouse, pages: list[Any], **more: Any) -> PageBasket:
        details = Details(name=SITA.name, email=SITA.email, phone=SITA.phone, address="Naxal", delivery=house.courier)
        return basket_of(Item(page=pages[0].pk, quantity=2), Item(page=pages[1].pk), details=details, **more)

    @pytest.fixture
    def cart(self, house: TeaHouse, pages: list[Any]) -> Cart:
        return freeze(self.basket(house, pages))

    @pytest.fixture
    def freeze_again(self, house: TeaHouse, pages: list[Any], cart: Cart) -> Callable[[], object]:
        return lambda: freeze(self.basket(house, pages, origin=cart.origin))

    @pytest.fixture
    def cart_with_points(self, house: TeaHouse, pages: list[Any]) -> tuple[Cart, Paisa]:
        cart = freeze(self.basket(house, pages, user=new_member(points=1200)), points=500)
        return cart, Paisa(Order.objects.get(number=cart.ref).points_value)

    @pytest.fixture
    def stock(self, pages: list[Any]) -> Callable[[], dict[str, int]]:
        skus = {page.translation_key: page.sku for page in pages}
        return lambda: {skus[row.product]: row.quantity for row in Stock.objects.all()}

    @pytest.fixture
    def sell_out(self, pages: list[Any]) -> Callable[[], None]:
        return lambda: Stock.objects.filter(product=pages[0].translation_key).update(quantity=0) and None

    @pytest.fixture
    def delete_order(self, cart: Cart) -> Callable[[], None]:
        def delete() -> None:
            with connection.cursor() as cursor:
                for table, column in (
                    ("orderline", "order_id"), ("ordernote", "order_id"), ("orderrefund", "order_id"), ("order", "id"),
                ):  # fmt: skip
                    cursor.execute(
                        f"DELETE FROM loyalink_khalti_page_{table} WHERE {column} IN"
                        " (SELECT id FROM loyalink_khalti_page_order WHERE number = %s)",
                        [cart.ref],
                    )

        return delete
