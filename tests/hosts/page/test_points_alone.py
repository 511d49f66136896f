"""An order of pages that points pay, so that Khalti is not asked."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.hosts.page.basket import Item
from loyalink_khalti.hosts.page.models import Order
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import PaymentMethod

from .conftest import TeaHouse, basket_of, new_member

pytestmark = pytest.mark.money


@pytest.mark.django_db(transaction=True)
def test_points_that_cover_everything_need_no_khalti(house: TeaHouse) -> None:
    sita, page = new_member(points=1000), house.trek("Map", rupees=50, stock=3)
    basket = basket_of(Item(page=page.pk, quantity=1, title=page.title), user=sita)

    freeze = basket.freeze(method=PaymentMethod.POINTS, points=Points(500), expected_due=Paisa(0))
    purchase = flow.place_order(freeze, method=PaymentMethod.POINTS)

    order = Order.objects.get(number=purchase.ref)
    assert (order.status, order.total, order.points_value, house.left(page)) == ("paid", 0, 50_00, 2)
    account = ledger.find_account("default", str(sita.pk))
    assert account is not None
    assert (account.available, account.lifetime_redeemed) == (500, 500)
