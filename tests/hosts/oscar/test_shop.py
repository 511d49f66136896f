"""The verbs of the shop: each can be called again with the same arguments, and refunds never exceed the receipts."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models.signals import pre_save
from django.utils import timezone
from oscar.core.loading import get_model

from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.hosts.oscar.shop import OscarShop
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Outcome, Paid, PaymentMethod, ReleaseReason
from loyalink_khalti.simulator import Simulator

from .conftest import Basket, Customer, Order, Store, only_order, payment_of

pytestmark = [pytest.mark.money, pytest.mark.sampled]

PAID = Paid(method=PaymentMethod.KHALTI, amount=Paisa(50_000), transaction_id="TXN-1", at=timezone.now())


@pytest.fixture
def held(store: Store, guest: Customer) -> Any:
    guest.buy(store.notebook)
    return only_order()


@pytest.fixture
def bought(store: Store, sita: Customer, khalti: Simulator) -> Any:
    """A notebook and a pen with express delivery, paid at Khalti: Rs 535 and Rs 150."""
    payment = payment_of(sita.buy(store.notebook, store.pen, delivery="express"))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    return only_order()


def snapshot() -> list[Any]:
    models = [("order", "Order"), ("payment", "Source"), ("payment", "Transaction"), ("partner", "StockRecord")]
    models += [("basket", "Basket"), ("order", "OrderStatusChange"), ("order", "Line")]
    return [list(get_model(*model).objects.order_by("pk").values()) for model in models]


def test_confirm_twice_changes_nothing_the_second_time(held: Any) -> None:
    with transaction.atomic():
        assert OscarShop().confirm(held.number, paid=PAID) == held.number
    once = snapshot()

    with transaction.atomic():
        assert OscarShop().confirm(held.number, paid=PAID) == held.number

    assert snapshot() == once


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_the_first_two_orders_at_once_share_a_payment_source_type(held: Any) -> None:
    """A01: another process makes it just after this one has found none."""
    SourceType = get_model("payment", "SourceType")

    def make() -> None:
        SourceType.objects.create(name="Khalti")
        connections.close_all()

    def another_is_quicker(**_: Any) -> None:
        pre_save.disconnect(another_is_quicker, sender=SourceType)
        with ThreadPoolExecutor(1) as process:
            process.submit(make).result()

    pre_save.connect(another_is_quicker, sender=SourceType)
    with transaction.atomic():
        OscarShop().confirm(held.number, paid=PAID)

    assert list(SourceType.objects.values_list("name", "code")) == [("Khalti", "khalti")]


def test_release_twice_changes_nothing_the_second_time(store: Store, held: Any) -> None:
    with transaction.atomic():
        OscarShop().release(held.number, release_reason=ReleaseReason.CANCELLED, customer_present=True)
    once = snapshot()

    with transaction.atomic():
        OscarShop().release(held.number, release_reason=ReleaseReason.CANCELLED, customer_present=True)

    assert snapshot() == once
    assert store.stock(store.notebook) == 20


def test_a_placed_order_cannot_be_released(bought: Any) -> None:
    with pytest.raises(ShopCannot), transaction.atomic():
        OscarShop().release(bought.number, release_reason=ReleaseReason.EXPIRED, customer_present=False)

    bought.refresh_from_db()
    assert bought.status == "Paid"


def test_a_released_order_can_be_placed_with_points_later(held: Any) -> None:
    paid = Paid(
        method=PaymentMethod.POINTS,
        amount=Paisa(0),
        at=timezone.now(),
        points=Points(5000),
        points_value=Paisa(50_000),
    )
    with transaction.atomic():
        OscarShop().release(held.number, release_reason=ReleaseReason.EXPIRED, customer_present=False)
        OscarShop().confirm(held.number, paid=paid)

    held.refresh_from_db()
    assert held.status == "Paid"
    assert held.sources.get().label == "5,000 points"
    assert OscarShop().get_order(held.number).paid == 0


def test_a_partial_refund_leaves_the_status_and_the_rest_sets_it_to_refunded(bought: Any) -> None:
    shop = OscarShop()
    for _again in range(2):
        with transaction.atomic():
            shop.refund(bought.number, subtotal=Paisa(10_000), shipping=Paisa(5_000), lines=(), key="refund:1")
    found = shop.get_order(bought.number)
    assert (found.paid, found.refunded, found.status) == (68_500, 15_000, "Paid")

    with transaction.atomic():
        shop.refund(bought.number, subtotal=Paisa(43_500), shipping=Paisa(10_000), lines=(), key="refund:2")

    found = shop.get_order(bought.number)
    assert (found.paid, found.refunded, found.status) == (68_500, 68_500, "Refunded")


def test_a_refund_that_was_not_made_is_taken_back_and_the_status_is_what_it_was(bought: Any) -> None:
    """M3: money and points; once, and an unknown refund changes nothing."""
    shop = OscarShop()
    with transaction.atomic():
        shop.refund(bought.number, subtotal=Paisa(43_500), shipping=Paisa(10_000), lines=(), key="refund:1")
        shop.refund(bought.number, subtotal=Paisa(10_000), shipping=Paisa(5_000), lines=(), key="refund:2")
    full = shop.get_order(bought.number).status

    for key in ("refund:2", "refund:2", "refund:3"):
        with transaction.atomic():
            shop.reverse_refund(bought.number, key=key)

    found = shop.get_order(bought.number)
    assert (full, found.paid, found.refunded, found.status) == ("Refunded", 68_500, 53_500, "Paid")
    kinds = bought.sources.first().transactions.values_list("txn_type", flat=True)
    assert sorted(kinds).count("Refund reversed") == 1  # nothing is deleted
    assert sorted(kinds).count("Refund") == 2


def test_a_refund_cannot_exceed_the_amount_received(bought: Any) -> None:
    before = snapshot()

    with pytest.raises(ShopCannot), transaction.atomic():
        OscarShop().refund(bought.number, subtotal=Paisa(68_501), shipping=Paisa(0), lines=(), key="refund:1")

    assert snapshot() == before


def test_returned_products_can_be_sold_again_shipped_or_not(store: Store, bought: Any) -> None:
    pen = bought.lines.get(partner_sku="PEN-01")
    pen.consume_allocation(1)  # the pen has been sent, the notebook not
    lines = tuple((str(line.pk), 1) for line in bought.lines.all())

    for _again in range(2):
        with transaction.atomic():
            OscarShop().refund(bought.number, subtotal=Paisa(53_500), shipping=Paisa(0), lines=lines, key="refund:1")

    assert (store.stock(store.notebook), store.stock(store.pen)) == (20, 50)
    assert store.pen.stockrecords.get().num_in_stock == 50
    assert store.notebook.stockrecords.get().num_allocated == 0


def test_only_final_outcomes_have_a_page_of_the_shop() -> None:
    pages = {outcome: OscarShop().customer_page("X", outcome, "some-token") for outcome in Outcome}

    assert {outcome for outcome, page in pages.items() if not page} == {Outcome.CONFIRMING, Outcome.FLAGGED}
    assert pages[Outcome.PAID] == "/shop/checkout/khalti/some-token/"


def test_placed_orders_are_read_in_one_query(store: Store, khalti: Simulator, django_assert_num_queries: Any) -> None:
    for number in range(3):
        Customer(f"guest{number}@example.com").buy(store.notebook, method="cod")
    Customer("held@example.com").buy(store.pen)

    with django_assert_num_queries(1):
        found = list(OscarShop().placed_orders())

    assert [(order.status, order.total, order.paid) for order in found] == [("Pending", 50_000, 0)] * 3
    assert all(order.placed and order.member_id is None for order in found)


def test_a_held_order_is_reported_as_not_placed(held: Any) -> None:
    found = OscarShop().get_order(held.number)

    assert (found.placed, found.status, found.total, found.paid) == (False, "Awaiting payment", 50_000, 0)
    with pytest.raises(LookupError):
        OscarShop().get_order("no-such-order")


def test_oscars_signals_are_sent_after_the_order_is_placed_and_not_before(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    record = get_model("analytics", "UserRecord").objects
    payment = payment_of(sita.buy(store.notebook))
    assert sum(record.values_list("num_orders", flat=True)) == 0
    khalti.pay(payment.pidx or "")

    sita.return_from_khalti(payment)
    sita.return_from_khalti(payment)

    assert sum(record.values_list("num_orders", flat=True)) == 1
    address = sita.user.addresses.get()
    assert address.num_orders_as_shipping_address == 1


def test_an_order_keeps_its_snapshot_of_lines_and_prices(store: Store, bought: Any) -> None:
    lines = {line.partner_sku: line for line in bought.lines.all()}

    assert lines["LOKTA-A5"].line_price_incl_tax == 500
    assert (bought.shipping_incl_tax, bought.shipping_code) == (150, "express")
    assert Basket.objects.get(pk=bought.basket_id).status == Basket.SUBMITTED
    assert Order.objects.count() == 1
