import pytest
from django.db import transaction

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, Customer
from loyalink_khalti.testing import ShopContract

from .tea.models import Order, Tea
from .tea.shop import Freeze, TeaShop

pytestmark = pytest.mark.money
SITA = Customer(name="Sita", email="sita@example.com", phone="9841234567")


class TestTeaShop(ShopContract):
    @pytest.fixture
    def shop(self) -> TeaShop:
        return TeaShop()

    @pytest.fixture
    def teas(self, db: None) -> dict[int, int]:
        ilam = Tea.objects.create(sku="ilam", title="Ilam black", price=450_00, stock=20)
        tips = Tea.objects.create(sku="tips", title="Silver tips", price=1_200_00, stock=20)
        return {ilam.pk: 2, tips.pk: 1}

    @pytest.fixture
    def cart(self, teas: dict[int, int]) -> Cart:
        with transaction.atomic():
            return Freeze(basket="1", teas=teas, customer=SITA)()

    @pytest.fixture
    def cart_with_points(self, teas: dict[int, int]) -> tuple[Cart, Paisa]:
        points = Points(500)
        with transaction.atomic():
            cart = Freeze(basket="2", teas=teas, customer=SITA, member_id="7", points=points)()
        return cart, ledger.points_value(ledger.current_version(cart.site_key).rules, points)

    @pytest.fixture
    def stock(self) -> object:
        return lambda: dict(Tea.objects.values_list("sku", "stock"))

    @pytest.fixture
    def sell_out(self) -> object:
        return lambda: Tea.objects.update(stock=0)

    @pytest.fixture
    def delete_order(self, cart: Cart) -> object:
        return lambda: Order.objects.filter(number=cart.ref)._raw_delete("default")

    @pytest.fixture
    def freeze_again(self, teas: dict[int, int], cart: Cart) -> object:
        return Freeze(basket=cart.origin, teas=teas, customer=SITA)
