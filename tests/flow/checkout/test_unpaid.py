"""What unpaid customers may reserve: bounded per browser session, network, product and value (D1)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.flow import ReservedTooMuch
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Cart, Customer, Line, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

Begin = Callable[..., Any]


def cart_of(shop: FakeShop, ref: str, quantity: int, **changes: Any) -> Cart:
    line = Line(sku="pen", title="Pen", quantity=quantity, unit=Paisa(5000), total=Paisa(5000 * quantity))
    return shop.cart(ref, lines=(line,), subtotal=5000 * quantity, **changes)


def by_khalti(shop: FakeShop, ref: str, quantity: int, *, browser: str = "", network: str = "", **changes: Any) -> Any:
    freeze = shop.freeze(cart_of(shop, ref, quantity, **changes))
    return flow.begin_payment(freeze, browser_session=browser or ref, network=network)


def by_cod(shop: FakeShop, ref: str, quantity: int, *, browser: str = "", network: str = "", **changes: Any) -> Any:
    freeze = shop.freeze(cart_of(shop, ref, quantity, **changes))
    return flow.place_order(freeze, method=PaymentMethod.COD, browser_session=browser or ref, network=network)


either = pytest.mark.parametrize("order", [by_khalti, by_cod])


@either
def test_one_network_leaves_four_fifths_of_the_stock_for_sale(order: Begin, shop: FakeShop, khalti: Khalti) -> None:
    """D1: whatever the browser session and the e-mail address."""
    shop.stock(pen=20)
    for number in range(8):
        customer = Customer(name="Maya", email=f"maya+{number}@example.com", phone="")
        try:
            order(shop, f"order-{number}", 1, network="mobile", customer=customer)
        except CannotPay:
            continue

    assert shop.left("pen") == 16


@either
def test_one_browser_session_leaves_four_fifths_of_the_stock_on_whatever_networks(
    order: Begin, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """D1"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_BROWSER": 100}
    shop.stock(pen=20)
    for number in range(4):
        order(shop, f"order-{number}", 1, browser="one", network=f"network {number}")

    with pytest.raises(ReservedTooMuch, match="“Pen” is reserved for an order"):
        order(shop, "order-5", 1, browser="one", network="another")

    order(shop, "order-6", 3, browser="other", network="yet another")
    assert shop.left("pen") == 13


@either
def test_of_one_unit_one_network_may_reserve_the_one(order: Begin, shop: FakeShop, khalti: Khalti) -> None:
    shop.stock(pen=1)

    order(shop, "order-1", 1, network="mobile")

    assert shop.left("pen") == 0


def test_the_last_unit_is_for_sale_again_once_the_payment_link_has_expired(shop: FakeShop, khalti: Khalti) -> None:
    """D1"""
    shop.stock(pen=1)
    payment = by_khalti(shop, "order-1", 1, network="mobile")
    khalti.says(payment.pidx, "Expired")

    with time_machine.travel(payment.expires_at + timedelta(minutes=1)):
        list(flow.reconcile())

    assert shop.left("pen") == 1
    assert by_khalti(shop, "order-2", 1, network="another").state == "initiated"


@either
def test_who_wants_more_than_may_be_reserved_is_told_how_many(order: Begin, shop: FakeShop, khalti: Khalti) -> None:
    shop.stock(pen=20)
    order(shop, "order-1", 1, network="mobile")

    with pytest.raises(ReservedTooMuch, match="You can order up to 3 of “Pen” before you pay"):
        order(shop, "order-2", 4, network="mobile")

    assert (shop.left("pen"), Purchase.objects.count()) == (19, 1)


def test_what_is_paid_or_shipped_or_cancelled_is_not_counted(shop: FakeShop, khalti: Khalti) -> None:
    shop.stock(pen=100)
    paid = by_khalti(shop, "paid", 20, network="mobile")
    khalti.pay(paid.pidx)
    flow.verify_payment(paid)
    received = by_cod(shop, "received", 16, network="mobile")
    flow.mark_received(received, actor="1")
    cancelled = by_cod(shop, "cancelled", 12, network="mobile")
    flow.refund_order(
        cancelled, key="cancel", subtotal=Paisa(cancelled.total), shipping=Paisa(0), lines=(("pen", 12),), actor="1"
    )
    by_cod(shop, "shipped", 12, network="mobile")
    shop.ship("shipped")

    by_cod(shop, "order-5", 10, network="mobile")

    assert [each.ref for each in flow.unpaid_purchases(network="mobile")] == ["order-5"]


def test_points_that_cover_everything_reserve_without_a_limit(shop: FakeShop, member: str) -> None:
    shop.stock(pen=2)
    cart = cart_of(shop, "order-1", 2, member_id=member, points_redeemed=1000)

    purchase = flow.place_order(
        shop.freeze(cart), method=PaymentMethod.POINTS, browser_session="one", network="mobile"
    )

    assert purchase.state == "placed"


def test_a_product_without_stock_figures_is_not_limited(shop: FakeShop, khalti: Khalti) -> None:
    assert by_khalti(shop, "order-1", 500, network="mobile").state == "initiated"


@either
def test_one_network_reserves_no_more_value_than_the_setting(
    order: Begin, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """D1"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "UNPAID_RUPEES_PER_NETWORK": 1000}
    order(shop, "order-1", 12, network="mobile")

    with pytest.raises(ReservedTooMuch, match="Orders from your network that are not paid yet exceed Rs 1,000"):
        order(shop, "order-2", 9, network="mobile")

    order(shop, "order-3", 8, network="mobile")
    order(shop, "order-4", 9, network="another")


def test_a_single_order_above_the_value_of_a_network_can_be_paid(
    shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "UNPAID_RUPEES_PER_NETWORK": 1000}

    assert by_khalti(shop, "order-1", 100, network="mobile").amount == 500_000


def test_the_share_is_a_setting(shop: FakeShop, khalti: Khalti, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "UNPAID_SHARE_OF_STOCK": 100}
    shop.stock(pen=3)

    by_khalti(shop, "order-1", 3, network="mobile")

    assert shop.left("pen") == 0


def test_staff_who_order_for_customers_are_not_limited(shop: FakeShop, khalti: Khalti) -> None:
    shop.stock(pen=3)
    clerk = get_user_model().objects.create_user("clerk", is_staff=True)

    by_cod(shop, "order-1", 3, network="office", member_id=str(clerk.pk))

    assert shop.left("pen") == 0


@either
def test_orders_at_once_cannot_pass_the_limit_together(order: Begin, shop: FakeShop, khalti: Khalti) -> None:
    """D1: under the lock of the stock."""
    shop.stock(pen=10)

    outcomes = at_once(6, lambda number: order(shop, f"order-{number}", 1, network="mobile"))

    assert shop.left("pen") == 8
    assert sum(isinstance(outcome, Payment | Purchase) for outcome in outcomes) == 2


def test_orders_at_once_of_different_products_cannot_pass_the_value_together(
    shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """D1"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "UNPAID_RUPEES_PER_NETWORK": 1000}

    outcomes = at_once(6, lambda number: by_cod(shop, f"order-{number}", 10, network="mobile"))

    assert sum(isinstance(outcome, Purchase) for outcome in outcomes) == 2


@pytest.mark.parametrize(
    "addresses",
    [
        ("maya@example.com", "maya+1@example.com", "Maya+2@Example.com"),
        ("maya+1@example.com", "maya+2@example.com", "maya@example.com"),
    ],
)
def test_tags_in_an_email_address_make_no_other_customer(
    addresses: tuple[str, ...], shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """D1: ``plus+1@`` addresses count as one."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_EMAIL": 2}
    *first, last = [Customer(name="Maya", email=address, phone="") for address in addresses]
    for number, customer in enumerate(first):
        by_khalti(shop, f"order-{number}", 1, network=f"network {number}", customer=customer)

    with pytest.raises(CannotPay, match="Other payments with this e-mail address"):
        by_khalti(shop, "order-9", 1, network="another", customer=last)

    other = Customer(name="Mayank", email="mayank@example.com", phone="")
    by_khalti(shop, "order-10", 1, network="another", customer=other)


@either
@pytest.mark.parametrize(
    ("setting", "ids"),
    [
        ("ATTEMPTS_PER_HOUR_AND_BROWSER", {"browser": "one"}),
        ("ATTEMPTS_PER_HOUR_AND_NETWORK", {"network": "mobile"}),
    ],
)
def test_attempts_are_limited_by_the_hour(
    order: Begin, setting: str, ids: dict[str, str], shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """D4"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, setting: 3, "LIVE_PAYMENTS_PER_BROWSER": 100}
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for number in range(3):
            order(shop, f"order-{number}", 1, **ids)

        with pytest.raises(CannotPay, match="try again in 60 minutes"):
            order(shop, "order-4", 1, **ids)
        clock.shift(timedelta(minutes=61))

        order(shop, "order-5", 1, **ids)
        assert Purchase.objects.count() == 4
