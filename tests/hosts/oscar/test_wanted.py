"""What a headless shop or an app buys in Oscar: as its own checkout would, from JSON of any shape."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.test import RequestFactory
from oscar.core.loading import get_model

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay, InvalidDetails, SoldOut
from loyalink_khalti.hosts.oscar.shop import OscarShop
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import OpenBasket, PaymentMethod
from loyalink_khalti.simulator import Simulator

from .conftest import Basket, Customer, Order, Store, available, payment_of

pytestmark = [pytest.mark.money, pytest.mark.sampled]

METHODS = ["khalti", "cod", "bank_transfer"]
ADDRESS = {
    "first_name": "Sita",
    "last_name": "Sharma",
    "line1": "Naxal Marga 7",
    "line4": "Kathmandu",
    "country": "NP",
    "phone_number": "+9779841234567",
}


def request_of(customer: Customer | None = None) -> Any:
    """Return the request of an app: with a member's token, or of a guest."""
    request: Any = RequestFactory().post("/khalti/api/v1/payments/")
    request.user = customer.user if customer and customer.user else AnonymousUser()
    request.session = SessionBase()
    request.cookies_to_delete = []
    return request


def wanted(store: Store, **more: Any) -> dict[str, Any]:
    items = [{"product": store.notebook.pk, "quantity": 2}, {"product": store.pen.pk}]
    fixed = {"items": items, "email": "guest@example.com", "shipping_address": ADDRESS, "shipping_method": "express"}
    return {name: value for name, value in (fixed | more).items() if value is not None}


def open_basket(given: Any, customer: Customer | None = None) -> OpenBasket:
    return OscarShop().open_basket(request_of(customer), given)


def begin(basket: OpenBasket, *, points: int = 0, expected_due: int | None = None) -> Payment:
    due = None if expected_due is None else Paisa(expected_due)
    return flow.begin_payment(basket.freeze(method=PaymentMethod.KHALTI, points=Points(points), expected_due=due))


def seen(order: Any) -> dict[str, Any]:
    """Return what an order says, by which two of the same products compare."""
    lines = order.lines.order_by("partner_sku").values_list(
        "product", "quantity", "line_price_incl_tax", "stockrecord"
    )
    return {
        "lines": list(lines),
        "address": order.shipping_address.summary,
        "phone": str(order.shipping_address.phone_number),
        "sums": (order.total_incl_tax, order.shipping_incl_tax, order.shipping_code, order.total_discount_incl_tax),
        "who": (order.guest_email, order.user_id, order.status, order.currency, order.site_id),
        "coupons": [discount.voucher_code for discount in order.discounts.all()],
        "sources": list(order.sources.values_list("source_type__name", "amount_debited")),
    }


def test_an_order_of_an_app_equals_the_checkouts_and_nothing_is_written_before(
    store: Store, guest: Customer, khalti: Simulator
) -> None:
    """O5"""
    store.coupon()
    guest.add(store.notebook, 2)
    guest.add(store.pen)
    guest.use("WELCOME")
    by_checkout = payment_of(guest.buy(delivery="express"))
    before = (Basket.objects.count(), get_model("basket", "Line").objects.count())

    get_model("voucher", "Voucher").objects.update(usage="Multi-use")
    basket = open_basket(wanted(store, coupons=["welcome"]))
    assert (Basket.objects.count(), get_model("basket", "Line").objects.count()) == before
    assert (basket.costs().total, basket.costs().discount) == (by_checkout.amount, 10_000)
    assert [option.method for option in basket.methods(khalti_unavailable_reason="")] == METHODS
    by_app = begin(basket, expected_due=by_checkout.amount)

    for payment in (by_checkout, by_app):
        khalti.pay(payment.pidx or "")
        flow.verify_payment(payment)
    first, second = (Order.objects.get(number=each.purchase.ref) for each in (by_checkout, by_app))
    assert seen(first) == seen(second)
    assert (first.status, store.stock(store.notebook)) == ("Paid", 16)
    assert list(flow.audit_violations()) == []


def test_a_members_basket_of_the_shop_is_bought_with_points_by_an_app(store: Store, sita: Customer) -> None:
    """O5: a token names the member; the middleware has found no basket of theirs."""
    sita.add(store.notebook)
    given = wanted(store, items=None, email=None, shipping_method="standard")

    payment = begin(open_basket(given, sita), points=500)

    assert (payment.purchase.member_id, payment.purchase.points_redeemed) == (str(sita.user.pk), 500)
    assert (available(sita), sita.lines()) == (700, [])
    flow.cancel_payment(payment)
    assert (available(sita), sita.lines(), store.stock(store.notebook)) == (1200, [("Lokta notebook", 1)], 20)


def test_what_changes_between_quote_and_order_is_refused_in_words(store: Store, guest: Customer) -> None:
    """O5"""
    basket = open_basket(wanted(store))
    with pytest.raises(CannotPay, match="total has changed"):
        begin(basket, expected_due=1)
    store.notebook.stockrecords.update(num_in_stock=1)
    with pytest.raises(SoldOut):
        begin(basket)
    assert (Order.objects.count(), Basket.objects.count()) == (0, 0)


def test_whatever_comes_as_a_basket_is_refused_by_field(store: Store, sita: Customer) -> None:
    """O5"""
    pen = store.pen.pk

    def item(**more: Any) -> dict[str, Any]:
        return wanted(store, items=[{"product": pen, **more}])

    table: list[tuple[Any, str]] = [
        ([], ""),
        (None, ""),
        ({"item": []}, "item"),
        (wanted(store, items=[]), "items"),
        (wanted(store, items={"product": pen}), "items"),
        (wanted(store, items=[{"product": pen}] * 101), "items"),
        (wanted(store, items=[7]), "items.0"),
        (item(product=None), "items.0.product"),
        (item(product="1"), "items.0.product"),
        (item(product=True), "items.0.product"),
        (item(product=2**70), "items.0.product"),
        (item(product=999_999), "items.0.product"),
        *((item(quantity=quantity), "items.0.quantity") for quantity in (0, -1, 1.5, "2", True, None, 10**9, [])),
        (item(quantity=51), "items.0"),
        (item(options=[]), "items.0"),
        (item(options={"size": "L"}), "items.0.options.size"),
        (item(options={"quantity": 7}), "items.0.options.quantity"),
        (wanted(store, coupons="WELCOME"), "coupons"),
        (wanted(store, coupons=[7]), "coupons"),
        (wanted(store, coupons=["NONE"]), "coupons.0"),
        (wanted(store, items=None, coupons=[]), "coupons"),
        (wanted(store, items=None), "items"),
        *((wanted(store, email=email), "email") for email in ("", "sita", 7, [], {})),
        *((wanted(store, shipping_address=address), "shipping_address") for address in ("Naxal", 7, [], {"line1": 7})),
        (wanted(store, shipping_address={**ADDRESS, "line1": ""}), "shipping_address.line1"),
        (wanted(store, shipping_address={**ADDRESS, "phone_number": "12"}), "shipping_address.phone_number"),
        (wanted(store, shipping_address={**ADDRESS, "country": "XX"}), "shipping_address.country"),
        (wanted(store, shipping_address={**ADDRESS, "planet": "Mars"}), "shipping_address.planet"),
        (wanted(store, shipping_address=None), "shipping_address"),
        *((wanted(store, shipping_method=code), "shipping_method") for code in (None, "rocket", 7, ["express"], {})),
        (wanted(store, email="si\0ta@example.com"), ""),
        (wanted(store, shipping_address={**ADDRESS, "line1": "\ud800"}), ""),
    ]
    for given, field in table:
        with pytest.raises(InvalidDetails) as refused:
            open_basket(given)
        assert list(refused.value.fields) == [field], given
        assert all(refused.value.fields[field]), given
    assert (Order.objects.count(), Basket.objects.count()) == (0, 0)


def test_the_schema_names_every_field_and_describes_it() -> None:
    schema = OscarShop().basket_schema()

    assert set(schema["properties"]) == {"items", "coupons", "email", "shipping_address", "shipping_method"}
    assert "phone_number" in schema["properties"]["shipping_address"]["properties"]
