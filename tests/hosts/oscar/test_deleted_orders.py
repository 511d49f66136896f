"""R3: a held or placed order is not deleted, and one that was deleted in the database can always be ended."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db.models import ProtectedError
from django.test import Client
from django.utils import timezone
from oscar.core.loading import get_model
from wagtail.models import Site

from loyalink_khalti import flow, outbox
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.flow import Resolution
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.simulator import Simulator

from .conftest import Basket, Customer, Order, Store, available, only_order, only_purchase, payment_of, text
from .deletion import delete_in_sql

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]


@pytest.fixture
def payment(store: Store, sita: Customer) -> Payment:
    """Two notebooks with a coupon and 500 points, held and waiting at Khalti."""
    store.coupon()
    sita.add(store.notebook, 2)
    sita.use("WELCOME")
    return payment_of(sita.buy(points=500))


def agrees() -> bool:
    report: dict[str, Any] = flow.audit()
    assert report["ok"], report["violations"]
    return True


def allocated(store: Store) -> int:
    rows = get_model("partner", "StockRecord").objects.values_list("num_allocated", flat=True)
    return sum(number or 0 for number in rows)


def everything_is_free(store: Store, sita: Customer) -> bool:
    """Points, stock and coupon are as before the order."""
    voucher = get_model("voucher", "Voucher").objects.get()
    assert (available(sita), store.stock(store.notebook), voucher.num_orders) == (1200, 20, 0)
    return agrees()


# Deletion is refused


def delete_order() -> None:
    only_order().delete()


def delete_all_orders() -> None:
    Order.objects.all().delete()


def delete_a_line() -> None:
    only_order().lines.all().delete()


@pytest.mark.parametrize("delete", [delete_order, delete_all_orders, delete_a_line])
def test_a_held_order_is_not_deleted(store: Store, payment: Payment, delete: Callable[[], None]) -> None:
    """R3"""
    with pytest.raises(ProtectedError, match="cannot be deleted: a payment for it is pending"):
        delete()

    assert (only_order().status, only_order().lines.count(), allocated(store)) == ("Awaiting payment", 1, 2)


def delete_sources() -> None:
    only_order().sources.all().delete()


def delete_source_types() -> None:
    get_model("payment", "SourceType").objects.all().delete()


def delete_transactions() -> None:
    get_model("payment", "Transaction").objects.all().delete()


@pytest.mark.parametrize(
    "delete",
    [delete_order, delete_all_orders, delete_a_line, delete_sources, delete_source_types, delete_transactions],
)
def test_a_placed_order_is_not_deleted_nor_what_was_paid_for_it(
    sita: Customer, khalti: Simulator, payment: Payment, delete: Callable[[], None]
) -> None:
    """R3, R3a"""
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)

    with pytest.raises(ProtectedError, match="Refund or cancel it instead"):
        delete()

    assert agrees()


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/django-admin/order/order/{pk}/delete/", {"post": "yes"}),
        ("/django-admin/order/order/", {"action": "delete_selected", "_selected_action": "{pk}", "post": "yes"}),
    ],
)
def test_djangos_admin_says_why_an_order_is_not_deleted(
    staff: Client, payment: Payment, path: str, form: dict[str, str]
) -> None:
    """R3: on the page where the superuser asked for it, not on an error page."""
    pk = str(only_order().pk)

    page = staff.post(path.format(pk=pk), {name: value.format(pk=pk) for name, value in form.items()}, follow=True)

    assert (page.status_code, Order.objects.count()) == (200, 1)
    assert f"Order {only_order().number} cannot be deleted" in text(page)


def test_an_order_that_was_released_can_be_deleted(
    store: Store, sita: Customer, khalti: Simulator, payment: Payment
) -> None:
    """R3, R3d: nothing depends on it. A payment that arrives after all is refunded by staff."""
    khalti.expire(payment.pidx or "")
    flow.verify_payment(payment)
    only_order().delete()
    khalti.complete(payment.pidx or "")

    flow.verify_payment(payment, ignore_back_off=True)
    flag = Flag.objects.select_related("payment__purchase").get()
    offered = flow.resolution_options(flag)
    flow.resolve_flag(flag, Resolution.REFUND, actor=staff_pk(), reason="the order was deleted")

    assert (flag.reason, offered) == ("order_missing", (Resolution.REFUND, Resolution.CLOSE))
    assert Payment.objects.get().state == "refunded"
    assert everything_is_free(store, sita)


def test_an_order_from_outside_the_flow_can_be_deleted(store: Store) -> None:
    order = Order.objects.create(number="OTHER", total_incl_tax=1, total_excl_tax=1)

    order.delete()

    assert not Order.objects.exists()


# What was deleted in the database is ended


def staff_pk() -> str:
    users: Any = get_user_model().objects
    user, _created = users.get_or_create(username="editor", email="editor@example.com", defaults={"is_staff": True})
    return str(user.pk)


def test_the_customer_cancels_a_payment_whose_order_was_deleted(
    store: Store, sita: Customer, payment: Payment
) -> None:
    """R3: points, stock, coupon and basket are free again, and the page is true."""
    delete_in_sql(only_order())

    page = sita.browser.post(f"/khalti/cancel/{payment.token}/", follow=True)

    assert Purchase.objects.get().state == "released"
    assert "your basket is unchanged" in text(page)
    assert sita.lines() == [("Lokta notebook", 2)]
    assert everything_is_free(store, sita)
    assert payment_of(sita.buy(points=500)).amount == 100_000 - 10_000 - 5_000  # with the coupon


def test_the_pass_ends_an_expired_payment_whose_order_was_deleted(
    store: Store, sita: Customer, khalti: Simulator, payment: Payment
) -> None:
    """R3"""
    delete_in_sql(only_order())
    khalti.expire(payment.pidx or "")

    list(flow.reconcile())

    assert (only_purchase().state, Flag.objects.count()) == ("released", 0)
    assert Basket.objects.get(pk=only_purchase().origin).status == Basket.OPEN
    assert everything_is_free(store, sita)


def test_a_payment_whose_order_was_deleted_is_refunded_by_staff(
    store: Store, sita: Customer, khalti: Simulator, payment: Payment
) -> None:
    """R3"""
    delete_in_sql(only_order())
    khalti.pay(payment.pidx or "")

    page = sita.return_from_khalti(payment)
    flag = Flag.objects.select_related("payment__purchase").get()
    offered = flow.resolution_options(flag)
    flow.resolve_flag(flag, Resolution.REFUND, actor=staff_pk(), reason="the order was deleted")

    assert "your order is not found in the shop any more" in text(page)
    assert (flag.reason, offered) == ("order_missing", (Resolution.REFUND,))
    assert (Payment.objects.get().state, only_purchase().state) == ("refunded", "released")
    assert everything_is_free(store, sita)


def test_without_order_and_basket_the_stock_is_found_by_its_sku(
    store: Store, sita: Customer, payment: Payment
) -> None:
    """R3, R3c: and the customer reads that the basket does not exist any more."""
    delete_in_sql(only_order(), Basket.objects.get(pk=payment.purchase.origin))

    page = sita.browser.post(f"/khalti/cancel/{payment.token}/", follow=True)

    assert "Your basket does not exist any more" in text(page)
    assert (available(sita), store.stock(store.notebook), only_purchase().state) == (1200, 20, "released")
    assert agrees()


def test_the_stock_of_two_partners_with_one_sku_is_released_where_it_was_reserved(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    """R3, R3c: the basket says which."""
    partner = get_model("partner", "Partner").objects.create(name="Other")
    other = store.add("Lokta notebook, blue", "LOKTA-A6", rupees="500.00", stock=20)
    other.stockrecords.update(partner=partner, partner_sku="LOKTA-A5")
    payment = payment_of(sita.buy(store.notebook, other))
    delete_in_sql(only_order())

    flow.cancel_payment(payment)

    assert (store.stock(store.notebook), store.stock(other)) == (20, 20)


def test_a_line_that_was_deleted_releases_its_stock_with_the_order(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    """R3, R3c"""
    payment = payment_of(sita.buy(store.notebook, store.pen))
    delete_in_sql(only_order().lines.first())

    flow.cancel_payment(payment)

    assert (store.stock(store.notebook), store.stock(store.pen)) == (20, 50)
    assert only_order().status == "Cancelled"


# What a held order refers to may go: it ends all the same


def delete_user(store: Store) -> None:
    get_user_model().objects.all().delete()


def delete_basket(store: Store) -> None:
    Basket.objects.all().delete()


def delete_basket_lines(store: Store) -> None:
    get_model("basket", "Line").objects.all().delete()


def delete_stock(store: Store) -> None:
    get_model("partner", "StockRecord").objects.all().delete()


def delete_partner(store: Store) -> None:
    store.partner.delete()


def delete_product(store: Store) -> None:
    store.notebook.delete()


def delete_voucher(store: Store) -> None:
    get_model("voucher", "Voucher").objects.all().delete()


def delete_offer(store: Store) -> None:
    get_model("offer", "ConditionalOffer").objects.all().delete()


def delete_sites(store: Store) -> None:
    get_model("sites", "Site").objects.all().delete()
    Site.objects.all().delete()


def delete_settings(store: Store) -> None:
    KhaltiSettings.objects.all().delete()


def delete_addresses(store: Store) -> None:
    get_model("order", "ShippingAddress").objects.all().delete()


SIBLINGS = [
    delete_user, delete_basket, delete_basket_lines, delete_stock, delete_partner, delete_product, delete_voucher,
    delete_offer, delete_sites, delete_settings, delete_addresses,
]  # fmt: skip


@pytest.mark.parametrize("delete", SIBLINGS)
def test_whatever_a_held_order_refers_to_is_deleted_a_payment_places_it(
    store: Store, khalti: Simulator, payment: Payment, delete: Callable[[Store], None]
) -> None:
    """R3, R3b"""
    delete(store)
    khalti.pay(payment.pidx or "")

    list(flow.reconcile())

    assert (only_order().status, Payment.objects.get().state, Flag.objects.count()) == ("Paid", "fulfilled", 0)
    assert agrees()


@pytest.mark.parametrize("delete", SIBLINGS)
def test_whatever_a_held_order_refers_to_is_deleted_an_unpaid_payment_releases_it(
    store: Store, sita: Customer, khalti: Simulator, payment: Payment, delete: Callable[[Store], None]
) -> None:
    """R3, R3b"""
    member = str(sita.user.pk)
    delete(store)

    khalti.expire(payment.pidx or "")
    list(flow.reconcile())

    purchase = only_purchase()
    assert (purchase.state, only_order().status, allocated(store), Flag.objects.count()) == (
        "released", "Cancelled", 0, 0
    )  # fmt: skip
    assert [row["available"] for row in flow.audit()["accounts"]] == [1200]
    assert purchase.member_id == member
    assert agrees()


def test_a_key_that_payments_refer_to_is_not_deleted(payment: Payment) -> None:
    """R3, R3b"""
    with pytest.raises(ProtectedError):
        payment.credentials.delete()


def test_messages_about_an_order_that_was_deleted_are_not_tried_for_ever(
    sita: Customer, khalti: Simulator, payment: Payment
) -> None:
    """R3, R3g"""
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    number = only_order().number
    delete_in_sql(only_order())
    for name in ("events.order_placed", "events.send_order_mail", "absent_customer.call_hooks"):
        outbox.post(f"loyalink_khalti.hosts.oscar.{name}", number=number)
    outbox.Message.objects.update(due_at=timezone.now() - timedelta(hours=1))

    outbox.deliver(ignore_back_off=True)

    assert not outbox.Message.objects.filter(sent_at=None).exists()


def test_the_pages_of_a_paid_order_that_was_deleted_say_so(
    sita: Customer, khalti: Simulator, payment: Payment
) -> None:
    """R3, R3g: the return was an error page."""
    khalti.pay(payment.pidx or "")
    flow.verify_payment(payment)
    delete_in_sql(only_order())

    page = sita.return_from_khalti(payment)

    assert page.status_code == 200
    assert "your order is not found in the shop any more" in text(page)
    assert "View your order" not in text(page)
