"""Staff see, refund, cancel and move on Salesman's orders in Wagtail's admin; and Salesman's own ways do no harm."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django import Settings as SettingsWrapper
from rest_framework.test import APIClient

from loyalink_khalti import conf, flow
from loyalink_khalti.backoffice import urls as backoffice_urls
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.staff.deletion import DeletionRefused

from .store import Customer, Store, available, only_purchase, order_of, payment_of

pytestmark = pytest.mark.money

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def staff(store: Store) -> Client:
    user = get_user_model().objects.create_superuser("admin", "admin@shop.example", "x")
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def paid_order(customer: Customer, store: Store, khalti: Simulator, **more: Any) -> Any:
    payment = payment_of(customer.buy(store.green, store.green, **more))
    khalti.pay(payment.pidx or "")
    flow.verify_payment(payment)
    return order_of(only_purchase())


def test_staff_find_an_order_and_no_script_of_a_customer_runs(
    staff: Client, store: Store, guest: Customer, khalti: Simulator
) -> None:
    """S7"""
    guest.details["shipping_address"] = f"Maya\n{SCRIPT}"
    guest.add(store.black, extra={SCRIPT: SCRIPT})
    order = paid_order(guest, store, khalti)

    page = staff.get(conf.shop("salesman").staff_page(order.ref))
    found = staff.get("/admin/khalti/salesman/", {"q": order.ref.lower()})
    other = staff.get("/admin/khalti/salesman/", {"q": "no such order"})
    exported = staff.get("/admin/khalti/salesman/", {"export": "csv"})
    outside = Client().get(f"/admin/khalti/salesman/{order.ref}/")

    assert SCRIPT not in page.content.decode()
    assert "&lt;script&gt;" in page.content.decode()
    assert order.ref in found.content.decode()
    assert order.ref not in other.content.decode()
    assert order.ref in b"".join(exported.streaming_content).decode()  # type: ignore[attr-defined]
    assert outside.status_code == 302


def test_staff_refund_a_part_and_then_the_rest(staff: Client, store: Store, maya: Customer, khalti: Simulator) -> None:
    order = paid_order(maya, store, khalti, points=500)
    url = f"/admin/khalti/salesman/{order.ref}/refund/"

    for form in ({"quantity_0": "1", "restock_0": "on"}, {"quantity_0": "1", "delivery": "100", "restock_0": "on"}):
        preview = staff.post(url, {**form, "seen_refund": str(_newest())})
        key = preview.context["key"]
        done = staff.post(url, {**form, "seen_refund": str(_newest()), "key": key, "confirm": "1"})
        assert done.status_code == 302, done.content

    host = conf.shop("salesman").get_order(order.ref)
    assert (host.status, host.paid, host.refunded, host.total) == ("REFUNDED", 105_000, 105_000, 105_000)
    assert store.stock()["GREEN"] == 20
    assert available(maya) == 1200
    assert not list(flow.audit_violations())


def test_staff_cancel_an_unpaid_order_or_record_its_cash_and_move_it_on(
    staff: Client, store: Store, guest: Customer, maya: Customer
) -> None:
    first = guest.buy(store.green, method="cod").json()["ref"]
    staff.post(f"/admin/khalti/salesman/{first}/", {"cancel": "1"})
    second = maya.buy(store.green, method="bank_transfer").json()["ref"]
    page = staff.get(f"/admin/khalti/salesman/{second}/")
    form = page.context["received"]["form"]
    initial = {form.add_prefix(name): form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    sent = {name: value for name, value in initial.items() if value is not None}
    wrong = staff.post(f"/admin/khalti/salesman/{second}/", {**sent, "received": "record", "received-amount": "x"})

    staff.post(f"/admin/khalti/salesman/{second}/", {**sent, "received": "record", "received-amount": "600"})
    staff.post(f"/admin/khalti/salesman/{second}/", {"status": "SHIPPED"})
    refused = staff.post(f"/admin/khalti/salesman/{second}/", {"status": "REFUNDED"}, follow=True)

    shop = conf.shop("salesman")
    assert wrong.status_code == 200
    assert (shop.get_order(first).status, store.stock()["GREEN"]) == ("CANCELLED", 19)
    assert (shop.get_order(second).status, shop.get_order(second).paid) == ("SHIPPED", 60_000)
    assert "cannot get this status" in refused.content.decode()
    assert not list(flow.audit_violations())


def test_salesmans_own_refund_is_ours(staff: Client, store: Store, maya: Customer, khalti: Simulator) -> None:
    """S8: With a user who may refund; the stock and the points follow, and a second call refunds nothing."""
    order = paid_order(maya, store, khalti)
    clerk = get_user_model().objects.create_user("clerk", "clerk@shop.example", "x", is_staff=True)
    without_permission, with_it = APIClient(), APIClient()
    without_permission.force_login(clerk, backend="django.contrib.auth.backends.ModelBackend")
    with_it.force_login(get_user_model().objects.get(username="admin"), "django.contrib.auth.backends.ModelBackend")

    refused = without_permission.post(f"/salesman/orders/{order.ref}/refund/")
    before = store.stock()["GREEN"], order_of(only_purchase()).status
    done = with_it.post(f"/salesman/orders/{order.ref}/refund/")
    again = with_it.post(f"/salesman/orders/{order.ref}/refund/")

    assert (refused.status_code, before) == (206, (18, "PROCESSING"))
    assert (done.status_code, again.status_code) == (200, 400)
    assert (order_of(only_purchase()).status, store.stock()["GREEN"]) == ("REFUNDED", 20)
    assert conf.shop("salesman").get_order(order.ref).refunded == 110_000
    assert not list(flow.audit_violations())


def test_an_order_with_money_on_it_is_not_deleted(store: Store, guest: Customer, khalti: Simulator) -> None:
    order = paid_order(guest, store, khalti)
    for row in (order, order.items.first(), order.payments.first()):
        with pytest.raises(DeletionRefused, match="cannot be deleted"):
            row.delete()


def test_wagtails_admin_asks_each_shop_for_its_pages(khalti: Simulator, settings: SettingsWrapper) -> None:
    names = {url.name for url in backoffice_urls.shops_urls()}
    settings.LOYALINK_KHALTI = {"SHOPS": {"broken": "no.such.Shop"}}

    assert "loyalink_khalti_salesman_order" in names
    assert backoffice_urls.shops_urls() == []


def _newest() -> int:
    newest = only_purchase().refunds.order_by("-pk").first()
    return newest.pk if newest else 0
