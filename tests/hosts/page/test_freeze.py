"""From a basket of pages to a held order: once for a basket, with the stock under lock, at the agreed amount."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from loyalink_khalti.contract.concurrency import during
from loyalink_khalti.contract.fixtures import confirm, release
from loyalink_khalti.errors import BasketTaken, CannotPay, SoldOut, TotalChanged
from loyalink_khalti.hosts.page.basket import Item
from loyalink_khalti.hosts.page.models import Order, OrderLine, OrderStatus, PageShopSettings, Reservation
from loyalink_khalti.hosts.page.open_basket import PageBasket, of_session
from loyalink_khalti.hosts.page.shop import PageShop
from loyalink_khalti.ports import Cart
from loyalink_khalti.staff.deletion import DeletionRefused
from tests.hosts.page.conftest import SITA, TeaHouse, add, basket_of, freeze, new_request

pytestmark = [pytest.mark.django_db, pytest.mark.money]


def refused(act: Callable[[], object]) -> Exception | None:
    """Do something; return the ``CannotPay`` that it raises, None if it raises nothing."""
    try:
        act()
    except CannotPay as exc:
        return exc
    return None


def statements(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as seen:
        act()
    return len([query for query in seen.captured_queries if "SAVEPOINT" not in query["sql"]])


def test_an_order_is_held_with_all_that_it_sells(house: TeaHouse) -> None:
    PageShopSettings.objects.update(order_prefix="T/H ट-")  # of which a number has what fits into an address
    trek = house.trek(rupees=15_000, stock=8)
    tea = house.trek("Tea", choices=[("choice", {"title": "Large", "price": 250_00, "sku": ""})])
    large = tea.product_choices()[0].id
    basket = basket_of(Item(page=trek.pk, quantity=2), Item(page=tea.pk, choice=large))

    cart = freeze(basket, due=30_250_00)

    order = Order.objects.get(number=cart.ref)
    lines = list(order.lines.values_list("title", "options", "quantity", "unit", "total", "product"))
    assert lines == [
        ("Langtang trek", "", 2, 15_000_00, 30_000_00, trek.translation_key),
        ("Tea", "Large", 1, 250_00, 250_00, tea.translation_key),
    ]
    assert [line.id for line in cart.lines] == [str(pk) for pk in order.lines.values_list("pk", flat=True)]
    assert [line.stock for line in cart.lines] == [8, None]
    assert (cart.origin, order.basket, order.status) == (basket.origin, basket.origin, "held")
    assert cart.name == f"Tea House, {order.number}"
    assert order.number.startswith("TH-")
    assert (order.name, order.phone, order.address) == ("Sita Sharma", "+9779841234567", "")
    assert house.left(trek) == 6


def test_a_freeze_and_a_confirm_need_the_same_statements_for_any_basket(house: TeaHouse) -> None:
    def measured(number: int) -> tuple[int, int]:
        pages = [house.trek(f"Trek {number} {each}", stock=5) for each in range(number)]
        carts: list[Cart] = []
        basket = basket_of(*(Item(page=page.pk) for page in pages))
        freezing = statements(lambda: carts.append(freeze(basket)))
        return freezing, statements(lambda: confirm(PageShop(), carts[0]))

    measured(1)  # the paths of the sites are kept in the cache

    few, many = measured(1), measured(8)
    assert few == many
    assert many[0] <= 17  # one is a version of the rules, which a process keeps when a transaction has committed
    assert many[1] <= 5  # one of them asks PostgreSQL for its time


def test_a_basket_is_ordered_once_and_again_after_a_release(house: TeaHouse) -> None:
    """W5: Also with the last piece: what its own payment reserves is not sold out."""
    basket = basket_of(Item(page=house.trek(stock=1).pk))
    first = freeze(basket)

    assert basket.as_now().problems == []
    assert basket_of(Item(page=basket.items[0].page)).problems == ["“Langtang trek” is sold out."]
    assert isinstance(refused(lambda: freeze(basket)), BasketTaken)
    release(PageShop(), first)
    second = freeze(basket)
    confirm(PageShop(), second)
    assert isinstance(refused(lambda: freeze(basket)), BasketTaken)
    assert Order.objects.count() == 2


def test_late_money_for_a_basket_that_was_ordered_again_places_a_second_order(house: TeaHouse) -> None:
    """W6: Staff may decide so: the flow itself never does it."""
    trek = house.trek(stock=5)
    basket = basket_of(Item(page=trek.pk))
    first = freeze(basket)
    release(PageShop(), first)
    second = freeze(basket)
    confirm(PageShop(), second)

    confirm(PageShop(), first)

    assert Order.objects.placed().count() == 2
    assert Order.objects.get(basket=basket.origin).number == second.ref
    assert house.left(trek) == 3


def test_a_placed_order_takes_its_items_out_of_the_session_and_leaves_what_was_added_since(house: TeaHouse) -> None:
    trek, tea, fund = house.trek(), house.trek("Tea"), house.donation()
    request = new_request()
    add(request, trek, 2)
    basket = add(request, fund, amount=100_00)
    cart = freeze(basket)
    add(request, trek)
    add(request, tea)
    confirm(PageShop(), cart)

    left = of_session(request, SITA)

    assert [(item.page, item.quantity) for item in left.items] == [(trek.pk, 1), (tea.pk, 1)]
    assert left.origin not in {"", basket.origin}
    assert len(freeze(left).lines) == 2


def test_nothing_is_held_at_another_amount_than_the_customer_has_seen(house: TeaHouse) -> None:
    """W1"""
    trek = house.trek(rupees=500, stock=5)
    basket = basket_of(Item(page=trek.pk))
    seen = basket.costs().total
    trek.price = 600_00
    trek.save_revision().publish()

    assert isinstance(refused(lambda: freeze(basket, due=seen)), TotalChanged)
    trek.unpublish()
    assert "not for sale" in str(refused(lambda: freeze(basket, due=600_00)))
    assert (Order.objects.count(), Reservation.objects.count(), house.left(trek)) == (0, 0, 5)


def test_what_happens_to_a_page_while_it_is_paid_changes_nothing_of_the_order(house: TeaHouse) -> None:
    """W1: Repriced, moved, unpublished, its choice removed, and deleted."""
    trek = house.trek(stock=5, choices=[("choice", {"title": "May", "price": 700_00, "sku": ""})])
    may = trek.product_choices()[0].id
    house.fill(trek, 5, may)
    cart = freeze(basket_of(Item(page=trek.pk, choice=may, quantity=2)))
    trek.choices, trek.price = [], 1_00
    trek.save_revision().publish()
    trek.move(house.trek("Elsewhere"), pos="last-child")
    trek.refresh_from_db()
    trek.unpublish()
    trek.delete()

    confirm(PageShop(), cart)

    line = OrderLine.objects.get()
    assert (line.page, line.options, line.total, line.order.status) == (None, "May", 1400_00, OrderStatus.PAID)
    assert house.left(trek, may) == 3


def test_an_older_draft_that_is_published_does_not_bring_back_what_was_sold(house: TeaHouse) -> None:
    """W2"""
    trek = house.trek(stock=5)
    draft = trek.save_revision()
    freeze(basket_of(Item(page=trek.pk, quantity=3)))

    draft.publish()

    assert house.left(trek) == 2


def test_an_order_that_the_flow_has_money_on_is_not_deleted(house: TeaHouse, flow_purchase: Any) -> None:
    """W10"""
    purchase = flow_purchase(house.trek(stock=2))
    order = Order.objects.get(number=purchase.ref)

    for row in (order, order.lines.get()):
        with pytest.raises(DeletionRefused), transaction.atomic():
            row.delete()
    assert Order.objects.filter(pk=order.pk).exists()


def test_an_order_that_was_deleted_while_it_was_held_releases_its_stock_once(house: TeaHouse) -> None:
    """R3, W10"""
    trek = house.trek(stock=5)
    cart = freeze(basket_of(Item(page=trek.pk, quantity=2)))
    OrderLine.objects.all()._raw_delete("default")
    Order.objects.all()._raw_delete("default")

    for _call in range(2):
        release(PageShop(), cart)

    assert house.left(trek) == 5


@pytest.fixture
def flow_purchase(house: TeaHouse) -> Callable[[Any], Any]:
    """Create the purchase of an order of one page, as the flow does, in the test's transaction."""
    from loyalink_khalti.payments import transitions

    def create(page: Any) -> Any:
        cart = freeze(basket_of(Item(page=page.pk)))
        return transitions.create_purchase(
            cart, method="khalti", points_value=0, rules_version=None, browser_session="", network=""
        )

    return create


@pytest.mark.django_db(transaction=True)
def test_the_last_piece_is_sold_to_one_of_two_customers(house: TeaHouse) -> None:
    """W3"""
    trek = house.trek(stock=1)
    baskets = [basket_of(Item(page=trek.pk)) for _ in range(2)]

    second = both(*baskets)

    assert second is SoldOut
    assert (Order.objects.count(), house.left(trek)) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_two_tabs_of_one_basket_hold_one_order(house: TeaHouse) -> None:
    """W3"""
    trek = house.trek(stock=5)
    basket = basket_of(Item(page=trek.pk))

    second = both(basket, basket.as_now())

    assert second is BasketTaken
    assert (Order.objects.count(), house.left(trek)) == (1, 4)


@pytest.mark.django_db(transaction=True)
def test_two_orders_of_the_same_pages_in_another_order_wait_for_each_other(house: TeaHouse) -> None:
    """W3: Stock is locked in one order, so that neither waits for the other for ever."""
    pages = [house.trek(f"Trek {each}", stock=5) for each in range(3)]
    forwards = basket_of(*(Item(page=page.pk) for page in pages))
    backwards = basket_of(*(Item(page=page.pk) for page in reversed(pages)))

    assert both(forwards, backwards) is type(None)
    assert [house.left(page) for page in pages] == [3, 3, 3]


def both(first: PageBasket, second: PageBasket) -> type:
    """Freeze the second while the transaction of the first is open; return the type of its refusal."""
    return during(lambda: freeze(first), lambda: type(refused(lambda: freeze(second))))
