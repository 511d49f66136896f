"""Between "place order" and "paid": whatever shop, customer or time change, the order is the frozen Cart."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from oscar.core.loading import get_model

from loyalink_khalti import flow
from loyalink_khalti.flow import audit
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from sandbox.shop.shipping.repository import Repository

from .conftest import PASSWORD, Customer, Store, available, only_order, payment_of, text

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]


def order_is_as_it_was_frozen(store: Store, payment: Payment) -> bool:
    """One notebook for Rs 500 with express delivery, Rs 150, less Rs 50 by points, and the audit passes."""
    order = only_order()
    assert (order.status, order.total_incl_tax, order.shipping_code) == ("Paid", 600, "express")
    assert [(line.partner_sku, line.quantity) for line in order.lines.all()] == [("LOKTA-A5", 1)]
    payment.refresh_from_db()
    assert (payment.state, payment.captured) == ("fulfilled", 60_000)
    report = audit()
    assert report["ok"], report["violations"]
    return True


@pytest.fixture
def payment(store: Store, sita: Customer) -> Payment:
    return payment_of(sita.buy(store.notebook, points=500, delivery="express"))


def add_products(store: Store, sita: Customer) -> None:
    sita.add(store.pen, 3)
    sita.add(store.notebook, 2)


def change_the_frozen_basket(store: Store, sita: Customer) -> None:
    """By the form of a basket page that was open in another tab."""
    line = get_model("basket", "Line").objects.get()
    form = {"form-0-id": line.pk, "form-0-quantity": "9", "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1"}
    sita.browser.post("/shop/basket/", form)


def use_a_coupon(store: Store, sita: Customer) -> None:
    store.coupon()
    sita.add(store.pen)
    sita.use("WELCOME")


def choose_otherwise(store: Store, sita: Customer) -> None:
    sita.browser.post("/shop/checkout/shipping-method/", {"method_code": "standard"})
    sita.choose("khalti", points=700)


def raise_the_price(store: Store, sita: Customer) -> None:
    store.notebook.stockrecords.update(price=9_000)


def unpublish(store: Store, sita: Customer) -> None:
    type(store.notebook).objects.update(is_public=False)


def remove_the_price_list(store: Store, sita: Customer) -> None:
    store.notebook.stockrecords.all().delete()


def delete_the_product(store: Store, sita: Customer) -> None:
    store.notebook.delete()


@pytest.mark.parametrize(
    "change",
    [
        add_products,
        change_the_frozen_basket,
        use_a_coupon,
        choose_otherwise,
        raise_the_price,
        unpublish,
        remove_the_price_list,
        delete_the_product,
    ],
)
def test_whatever_changes_while_paying_the_order_is_the_frozen_cart(
    change: Callable[[Store, Customer], None], store: Store, sita: Customer, khalti: Simulator, payment: Payment
) -> None:
    """D04, D05, E04"""
    change(store, sita)
    khalti.pay(payment.pidx or "")

    page = sita.return_from_khalti(payment)

    assert page.status_code == 200
    assert order_is_as_it_was_frozen(store, payment)
    assert available(sita) == 1200 - 500 + 45


def test_a_delivery_method_removed_while_paying_still_applies(
    store: Store, sita: Customer, khalti: Simulator, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E04: express is taken out of the shop."""
    monkeypatch.setattr(Repository, "methods", tuple(each for each in Repository.methods if each.code != "express"))
    khalti.pay(payment.pidx or "")

    assert sita.return_from_khalti(payment).status_code == 200
    assert order_is_as_it_was_frozen(store, payment)


def test_a_coupon_that_expires_while_paying_still_applies(store: Store, guest: Customer, khalti: Simulator) -> None:
    """E06: used once, although its last day was yesterday by then."""
    voucher = store.coupon()
    guest.add(store.notebook)
    guest.use("WELCOME")
    guest.go_to_payment()
    guest.choose()
    payment = payment_of(guest.place())
    type(voucher).objects.update(end_datetime=timezone.now() - timedelta(days=1))
    khalti.pay(payment.pidx or "")

    guest.return_from_khalti(payment)

    voucher.refresh_from_db()
    assert (only_order().status, only_order().total_incl_tax) == ("Paid", 400)
    assert (voucher.num_orders, voucher.applications.count()) == (1, 1)


@pytest.mark.parametrize("quantity", ["-1", "0", "1000000000000", "9" * 40, "1.5", "many", "\x00"])
def test_an_invalid_quantity_is_refused_and_changes_nothing(store: Store, sita: Customer, quantity: str) -> None:
    """D07: into the basket, and in it."""
    added = sita.browser.post(f"/shop/basket/add/{store.notebook.pk}/", {"quantity": quantity})
    empty = sita.lines()
    sita.add(store.notebook)
    line = sita.browser.get("/shop/basket/").context["basket"].all_lines()[0]
    form = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": line.pk, "form-0-quantity": quantity}
    changed = sita.browser.post("/shop/basket/", form)

    assert (added.status_code < 500, changed.status_code < 500, empty) == (True, True, [])
    assert sita.lines() in ([("Lokta notebook", 1)], [])  # 0 takes it out
    assert store.stock(store.notebook) == 20


def test_a_session_planted_before_the_log_in_shows_nothing_of_the_payment(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    """J05: the attacker knows the session with which sita came, not the one that she pays with."""
    attacker = Client()
    attacker.get("/shop/basket/")
    attacker.post(f"/shop/basket/add/{store.pen.pk}/", {"quantity": 1})
    attacker.post("/shop/checkout/", {"username": "attacker@example.com", "options": "anonymous"})
    planted = attacker.cookies["sessionid"].value
    sita.browser = Client()
    sita.browser.cookies["sessionid"] = planted
    login = {"login-username": sita.email, "login-password": PASSWORD, "login_submit": "1"}
    assert sita.browser.post("/shop/accounts/login/", login).status_code == 302

    payment = payment_of(sita.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    seen = text(attacker.get(f"/khalti/status/{payment.token}/"))

    assert sita.browser.cookies["sessionid"].value != planted
    for word in ("Lokta notebook", "Naxal Marga", "Sita", sita.email):
        assert word not in seen
    assert attacker.get("/shop/checkout/thank-you/").status_code == 302
    assert only_order().number not in text(attacker.get("/shop/basket/"))


class BrokenShop(FakeShop):
    """A shop whose back office fails."""

    def staff_url_prefixes(self) -> tuple[str, ...]:
        raise LookupError("no dashboard here")


def test_a_pending_payment_shows_in_the_shop_but_not_in_the_dashboard(sita: Customer, payment: Payment) -> None:
    get_user_model().objects.update(is_staff=True, is_superuser=True)

    assert sita.sees("/shop/basket/", "Payment of Rs 600.00 pending", "Start again")
    assert sita.sees("/shop/dashboard/orders/", "Orders")
    assert not sita.sees("/shop/dashboard/orders/", "Start again")


@pytest.mark.parametrize("path", [f"{__name__}.BrokenShop", "no.such.Shop"])
def test_a_pending_payment_shows_though_another_shop_fails(
    sita: Customer, payment: Payment, settings: Any, path: str
) -> None:
    shops = {**settings.LOYALINK_KHALTI["SHOPS"], "broken": path}
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SHOPS": shops}

    assert sita.sees("/shop/basket/", "Payment of Rs 600.00 pending", "Start again")


def test_a_member_deactivated_while_paying_gets_the_order_and_the_points(
    store: Store, sita: Customer, khalti: Simulator, payment: Payment
) -> None:
    """J08: the member cannot log in to use the points."""
    get_user_model().objects.filter(pk=sita.user.pk).update(is_active=False)
    khalti.pay(payment.pidx or "")

    for _ in flow.reconcile():
        pass

    assert order_is_as_it_was_frozen(store, payment)
    assert only_order().user == sita.user
    assert available(sita) == 1200 - 500 + 45
    assert not Client().login(username=sita.email, password=PASSWORD)
    assert sita.browser.get("/shop/accounts/points/").status_code == 302


def test_orders_and_points_stay_when_their_customer_is_deleted(
    store: Store, sita: Customer, khalti: Simulator, payment: Payment
) -> None:
    """F15: the order, its money and the entries of its points."""
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    member = str(sita.user.pk)

    sita.user.delete()

    report: dict[str, Any] = audit()
    assert report["ok"], report["violations"]
    assert [(order["total"], order["paid"], order["status"]) for order in report["orders"]] == [
        (60_000, 60_000, "Paid")
    ]
    assert [(row["member"], row["available"]) for row in report["accounts"]] == [(member, 745)]
