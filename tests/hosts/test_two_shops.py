"""Oscar and pages that sell in one project: one wallet of points, and one audit."""

import pytest
from pytest_django import Settings as SettingsWrapper

from loyalink_khalti import conf, flow
from loyalink_khalti.hosts.page.basket import Item
from loyalink_khalti.hosts.page.models import Order, OrderStatus
from loyalink_khalti.hosts.page.open_basket import PageBasket
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Outcome, PaymentMethod
from loyalink_khalti.simulator import Simulator
from tests.hosts.oscar.conftest import Customer, Store, available, khalti, khalti_simulator, payment_of, sita, store
from tests.hosts.page.conftest import TeaHouse, basket_of

__all__ = ["khalti", "khalti_simulator", "sita", "store"]

pytestmark = pytest.mark.money


@pytest.fixture
def house(store: Store, settings: SettingsWrapper) -> TeaHouse:
    """The page shop beside the stationery shop, with the addresses of the latter."""
    chosen = settings.LOYALINK_KHALTI
    shops = {**chosen["SHOPS"], "page": "loyalink_khalti.hosts.page.shop.PageShop"}
    settings.LOYALINK_KHALTI = {**chosen, "SHOPS": shops}
    return TeaHouse()


def buy(basket: PageBasket, *, points: int = 0) -> Payment:
    return flow.begin_payment(basket.freeze(method=PaymentMethod.KHALTI, points=Points(points), expected_due=None))


def audit_passes() -> bool:
    report = flow.audit()
    assert report["ok"], report["violations"]
    return True


def test_points_earned_in_one_shop_pay_in_the_other_and_the_audit_covers_both(
    store: Store, sita: Customer, house: TeaHouse, khalti: Simulator
) -> None:
    """W11"""
    in_oscar = payment_of(sita.buy(store.notebook, points=1000))
    khalti.pay(in_oscar.pidx or "")
    assert flow.verify_payment(in_oscar) is Outcome.PAID
    left = available(sita)
    trek = house.trek(rupees=1000, stock=3)
    on_page = buy(basket_of(Item(page=trek.pk, quantity=2), user=sita.user), points=left // 100 * 100)
    assert available(sita) == left - left // 100 * 100
    khalti.pay(on_page.pidx or "")

    assert flow.verify_payment(on_page) is Outcome.PAID

    order = Order.objects.get()
    assert (order.status, order.paid, house.left(trek)) == (OrderStatus.PAID, on_page.amount, 1)
    assert order.paid == order.total == 2000_00 - order.points_value
    assert {each.shop for each in Purchase.objects.all()} == {"oscar", "page"}
    assert audit_passes()
    order.paid -= 1
    order.save()
    assert order.number in str(flow.audit()["violations"])


def test_an_order_of_a_page_is_refunded_line_by_line(sita: Customer, house: TeaHouse, khalti: Simulator) -> None:
    trek, tea = house.trek(rupees=1000, stock=3), house.trek("Tea", rupees=300, stock=9)
    payment = buy(basket_of(Item(page=trek.pk), Item(page=tea.pk, quantity=2), user=sita.user), points=500)
    khalti.pay(payment.pidx or "")
    flow.verify_payment(payment)
    purchase, order = Purchase.objects.get(), Order.objects.get()
    of_tea = str(order.lines.get(title="Tea").pk)

    first = flow.refund_order(
        purchase, subtotal=Paisa(300_00), shipping=Paisa(0), lines=[(of_tea, 1)], key="one tea", actor="1000"
    )

    assert first.state == "done"
    order.refresh_from_db()
    assert (order.status, house.left(tea), house.left(trek)) == (OrderStatus.PAID, 8, 2)
    rest = [(str(line.pk), line.quantity - line.restocked) for line in order.lines.all()]
    flow.refund_order(purchase, subtotal=Paisa(1300_00), shipping=Paisa(0), lines=rest, key="the rest", actor="1000")
    order.refresh_from_db()
    assert (order.status, order.refunded, house.left(tea), house.left(trek)) == (
        OrderStatus.REFUNDED, order.paid, 9, 3,
    )  # fmt: skip
    assert audit_passes()


def test_a_payment_of_a_page_that_ends_unpaid_returns_its_stock_and_the_basket_can_be_ordered_again(
    sita: Customer, house: TeaHouse, khalti: Simulator
) -> None:
    trek = house.trek(stock=2)
    basket = basket_of(Item(page=trek.pk, quantity=2), user=sita.user)
    payment = buy(basket)
    khalti.expire(payment.pidx or "")
    assert flow.verify_payment(payment) is Outcome.EXPIRED
    assert house.left(trek) == 2

    again = buy(basket)
    khalti.cancel(again.pidx or "")
    assert flow.verify_payment(again, ignore_back_off=True) is Outcome.CANCELLED
    placed = flow.place_order(
        basket.freeze(method=PaymentMethod.COD, points=Points(0), expected_due=None), method=PaymentMethod.COD
    )

    assert list(conf.shop("page").still_reserved([placed.ref])) == [placed.ref]
    assert (Order.objects.get(number=placed.ref).status, house.left(trek)) == (OrderStatus.PENDING, 0)
    assert audit_passes()
