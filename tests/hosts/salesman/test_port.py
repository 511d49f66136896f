"""What this host offers besides the contract: the API's basket, changes past the flow, personal data, the checks."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.test import RequestFactory
from pytest_django import Settings as SettingsWrapper
from salesman.basket.modifiers import basket_modifiers_pool
from salesman.checkout.payment import payment_methods_pool

from loyalink_khalti import conf, flow, outbox
from loyalink_khalti.errors import CannotPay, InvalidDetails, SoldOut
from loyalink_khalti.hosts.salesman import orders
from loyalink_khalti.hosts.salesman.modifiers import PointsModifier
from loyalink_khalti.hosts.salesman.payment import CashOnDelivery, Khalti
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.simulator import Simulator

from .site.modifiers import DeliveryModifier
from .store import Customer, Store, available, new_member, only_purchase, order_of, payment_of

pytestmark = pytest.mark.money

ADDRESSES = {"email": "maya@example.com", "shipping_address": "Lakeside 6", "billing_address": "Maya Rai"}


def request_of(customer: Customer | None = None) -> Any:
    request: Any = RequestFactory().get("/")
    request.user = customer.user if customer else AnonymousUser()
    return request


def wanted(store: Store, **more: Any) -> dict[str, Any]:
    items = [
        {"product_type": "salesman_site.Tea", "product_id": store.green.pk, "quantity": 2, "extra": {"cut": "fine"}},
        {"product_type": "salesman_site.Voucher", "product_id": store.voucher.pk},
    ]
    return {"items": items, **ADDRESSES, **more}


def test_the_api_prices_and_buys_the_items_that_it_names(store: Store, khalti: Simulator) -> None:
    member, shop = new_member("sita@example.com", points=5000), conf.shop("salesman")
    basket: Any = shop.open_basket(request_of(member), wanted(store))  # type: ignore[attr-defined]
    costs = basket.costs()
    nothing_written = Purchase.objects.exists(), store.stock()["GREEN"]
    methods = [option.method for option in basket.methods(khalti_unavailable_reason="")]

    freeze = basket.freeze(method=PaymentMethod.KHALTI, points=Points(5000), expected_due=Paisa(160_000))
    payment = flow.begin_payment(freeze)
    khalti.pay(payment.pidx or "")
    flow.verify_payment(payment)

    cart, order = only_purchase().frozen_cart, order_of(only_purchase())
    assert (costs.subtotal, costs.shipping, nothing_written) == (200_000, 10_000, (False, 20))
    assert methods == ["khalti", "cod", "bank_transfer"]
    assert [(line.name, line.quantity, line.total) for line in cart.lines] == [
        ("Green tea (cut: fine)", 2, 100_000),
        ("Voucher", 1, 100_000),
    ]
    assert (order.user, order.email, order.status) == (member.user, "maya@example.com", "PROCESSING")
    assert (order.total, store.stock()["GREEN"], available(member)) == (1600, 18, 5000 - 5000 + 150)
    assert not list(flow.audit_violations())


def test_the_api_refuses_what_it_cannot_use_by_field(store: Store, maya: Customer) -> None:
    shop: Any = conf.shop("salesman")
    good = wanted(store)["items"]
    cases: list[tuple[Any, str]] = [
        ([], ""),
        ("text", ""),
        ({**wanted(store), "points": 5}, "points"),
        ({**wanted(store), "email": "x"}, "email"),
        ({**wanted(store), "email": 5}, "email"),
        ({**wanted(store), "shipping_address": ""}, "shipping_address"),
        ({**wanted(store), "extra": [1]}, "extra"),
        (wanted(store, items=[]), "items"),
        (wanted(store, items=None), "items"),
        (wanted(store, items=good * 101), "items"),
        (wanted(store, items=[5]), "items.0."),
        (wanted(store, items=[{**good[0], "quantity": -1}]), "items.0.quantity"),
        (wanted(store, items=[{**good[0], "quantity": 21}]), "items.0.quantity"),
        (wanted(store, items=[good[1], {**good[0], "product_id": 10**12}]), "items.1."),
        (wanted(store, items=[{**good[0], "product_type": "auth.User"}]), "items.0.product_type"),
        (wanted(store, items=[{**good[0], "extra": [1]}]), "items.0.extra"),
        (ADDRESSES, "items"),
    ]
    for body, field in cases:
        with pytest.raises(InvalidDetails) as refused:
            shop.open_basket(request_of(), body)
        assert field in refused.value.fields, (body, refused.value.fields)
    schema = shop.basket_schema()
    assert set(wanted(store)) <= set(schema["properties"])


def test_the_api_buys_salesmans_own_basket_once_and_at_the_agreed_price(store: Store, maya: Customer) -> None:
    shop: Any = conf.shop("salesman")
    maya.add(store.green)
    basket = shop.open_basket(request_of(maya), ADDRESSES)
    with pytest.raises(CannotPay, match="total has changed"):
        flow.place_order(
            basket.freeze(method=PaymentMethod.COD, points=Points(0), expected_due=Paisa(1)),
            method=PaymentMethod.COD,
        )
    maya.add(store.green, 3)
    type(store.green).objects.update(stock=3)
    with pytest.raises(SoldOut):
        flow.place_order(
            basket.freeze(method=PaymentMethod.COD, points=Points(0), expected_due=None), method=PaymentMethod.COD
        )
    type(store.green).objects.update(stock=4)

    purchase = flow.place_order(
        basket.freeze(method=PaymentMethod.COD, points=Points(100), expected_due=None), method=PaymentMethod.COD
    )

    assert (purchase.amount_due, store.stock()["GREEN"], maya.basket()) == (209_000, 0, {})


def test_an_app_is_returned_into_where_the_settings_allow_its_address(
    store: Store, maya: Customer, khalti: Simulator, settings: SettingsWrapper
) -> None:
    """S3"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "API": {"RETURN_ADDRESSES": ["teahouse://paid"]}}
    maya.add(store.green)
    for wrong in ("https://evil.example/", ["teahouse://paid"], 5):
        assert maya.check_out(return_to=wrong).status_code == 402
    payment = payment_of(maya.check_out(return_to="teahouse://paid"))
    khalti.pay(payment.pidx or "")

    back = maya.client.get(f"/khalti/return/{payment.token}/")

    assert back["Location"] == f"teahouse://paid?token={payment.token}&outcome=paid"
    assert Payment.objects.count() == 1


def test_an_order_that_the_shop_cancels_past_the_flow_is_followed(
    store: Store, maya: Customer, guest: Customer, khalti: Simulator
) -> None:
    """S9: An unpaid one returns its stock and points; a held one is not paid any more."""
    unpaid = maya.buy(store.green, method="cod", points=100).json()["ref"]
    held = guest.buy(store.green).json()["ref"]
    for ref in (unpaid, held):
        order = order_of(Purchase.objects.get(ref=ref))
        order.status = "CANCELLED"
        order.save(update_fields=["status"])
    outbox.deliver()

    states = dict(Purchase.objects.values_list("ref", "state"))
    assert (store.stock()["GREEN"], available(maya)) == (20, 1200)
    assert states == {unpaid: "placed", held: "released"}
    assert not list(flow.audit_violations())


def test_the_personal_data_of_an_order_is_exported_and_erased(store: Store, maya: Customer) -> None:
    maya.add(store.green, extra={"engraving": "Maya"})
    maya.check_out("cod", extra={"phone": "9841000000"})
    purchase, shop = only_purchase(), conf.shop("salesman")
    before: Any = shop.personal_data(purchase.ref)  # type: ignore[attr-defined]

    with transaction.atomic():
        shop.erase_personal_data([purchase.ref])  # type: ignore[attr-defined]

    order = order_of(purchase)
    assert (before["email"], before["extra"]["phone"]) == ("maya@example.com", "9841000000")
    assert before["chosen"] == [{"engraving": "Maya"}]
    assert (order.email, order.shipping_address, order.user) == ("", "", None)
    assert "Maya" not in str(order._extra) + str(order.items.get().extra)
    assert shop.get_order(purchase.ref).placed


class NaiveKhalti(Khalti):
    """A class of a shop's own that inherits everything: Salesman does not offer it."""


class OwnCash(CashOnDelivery):
    identifier = "own"

    def basket_payment(self, basket: Any, request: Any) -> Any:
        return super().basket_payment(basket, request)


def test_the_checks_find_each_fault(khalti: Simulator, settings: SettingsWrapper) -> None:
    shop, fine = conf.shop("salesman"), {"SHOP_NAME": "Ilam", "NUMBER_PREFIX": "TH-"}

    def found(**chosen: Any) -> list[str]:
        settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SALESMAN": {**fine, **chosen}}
        return [message.id.rpartition(".")[2] for message in shop.check() if message.id]

    assert found() == []
    assert len({orders.generate_ref(None) for _ in range(20)} | {"TH-"}) == 21
    for wrong in (
        {"NAME": "x"},
        {"METHODS": ["khalti"]},
        {"RETURN_PATH": "//evil.example/"},
        {"RETURN_PATH": "/{x}/"},
        {"SHIPPING_ROWS": "shipping"},
        {"NUMBER_PREFIX": "a/b"},
        {"STOCK_FIELD": 5},
    ):
        assert found(**wrong) == ["E062"], wrong
    assert found(PAID="NO-SUCH") == ["E069"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payment_methods_pool, "_payments", [NaiveKhalti(), OwnCash()])
        patch.setattr(basket_modifiers_pool, "_modifiers", [PointsModifier(), DeliveryModifier()])
        assert found() == ["E065", "E068"]
        patch.setattr(payment_methods_pool, "_payments", [OwnCash()])
        patch.setattr(basket_modifiers_pool, "_modifiers", [DeliveryModifier()])
        assert found() == ["E064", "W067"]
    settings.ROOT_URLCONF = "sandbox.urls"
    assert found() == ["E070"]
