"""Orders that are cancelled or refunded by Oscar's own ways, past our pages: noticed once, and no money moves."""

from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client
from django.utils import timezone
from oscar.core.loading import get_class, get_model
from pytest_django import Settings

from loyalink_khalti import flow
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import cancelled_orders
from loyalink_khalti.payments.cancelled_orders import CancelledOrder
from loyalink_khalti.payments.job_runs import LastRun
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Order, Store, available, only_order, only_purchase, order_page, payment_of, text

pytestmark = [pytest.mark.money, pytest.mark.sampled]

Line = get_model("order", "Line")
DEFAULT = {"CANCELLED": "Cancelled", "REFUNDED": "Refunded"}
CUSTOM = {"CANCELLED": "Annulled", "REFUNDED": "Money back"}


@pytest.fixture
def names(request: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, khalti: Simulator) -> dict[str, str]:
    """The default names of the statuses, or a shop's own, in a pipeline that lets the shop cancel anything."""
    chosen: dict[str, str] = getattr(request, "param", DEFAULT)
    ended = tuple(chosen.values())
    pipeline = {
        **dict.fromkeys(("Awaiting payment", "Pending", "Paid"), ended),
        **dict.fromkeys(ended, ("Paid", *ended)),
    }
    monkeypatch.setattr(Order, "pipeline", pipeline)
    monkeypatch.setattr(Order, "cascade", {chosen["CANCELLED"]: "Called off"})
    monkeypatch.setattr(
        Line, "pipeline", {"": ("Called off",), "Pending": ("Called off",), "Called off": ("Pending",)}
    )
    oscar = {"METHODS": ["khalti", "cod"], **chosen}
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "OSCAR": oscar, "ALERTS_TO": ["shop@example.com"]}
    return chosen


@pytest.fixture
def paid(names: Any, store: Store, sita: Customer, khalti: Simulator) -> Any:
    """A notebook and a pen, Rs 535, and delivery, with 500 points."""
    payment = payment_of(sita.buy(store.notebook, store.pen, points=500))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    mail.outbox.clear()
    return only_order()


def broken() -> list[str]:
    return [each.invariant for each in flow.audit_violations()]


def alerts() -> list[str]:
    return [each.subject for each in mail.outbox if each.to == ["shop@example.com"]]


def look() -> int:
    """Let the hourly job look now."""
    LastRun.objects.filter(name="cancelled_orders").delete()
    return flow.notice_cancelled_orders()


def handler(order: Any, status: str) -> None:
    """Cancel as a shop's own EventHandler does: it releases the stock itself."""
    own = get_class("order.processing", "EventHandler")()
    own.handle_order_status_change(order, status, note_msg="The customer has called.")
    own.cancel_stock_allocations(order)


@pytest.mark.parametrize("names", [DEFAULT, CUSTOM], ids=["default", "custom"], indirect=True)
@pytest.mark.parametrize(
    "cancel", [lambda order, status: order.set_status(status), handler], ids=["status", "handler"]
)
def test_an_unpaid_order_that_the_shop_cancels_releases_stock_and_points_once(
    names: Any, store: Store, sita: Customer, cancel: Any
) -> None:
    """O2"""
    sita.buy(store.notebook, method="cod", points=500)
    order = only_order()
    assert (order.status, store.stock(store.notebook), available(sita)) == ("Pending", 19, 700)
    mail.outbox.clear()

    with transaction.atomic():
        cancel(order, names["CANCELLED"])
        assert available(sita) == 700  # only an intention, in the shop's own transaction
    for _again in range(2):
        flow.follow_cancellation("oscar", order.number)
        look()

    order.refresh_from_db()
    assert (order.status, store.stock(store.notebook), available(sita)) == (names["CANCELLED"], 20, 1200)
    assert Refund.objects.filter(purchase=only_purchase()).count() == 1
    assert (broken(), alerts(), list(CancelledOrder.objects.all())) == ([], [], [])


def test_a_change_that_is_rolled_back_cancels_nothing(names: Any, store: Store, sita: Customer) -> None:
    """O2"""
    sita.buy(store.notebook, method="cod", points=500)
    order = only_order()

    with transaction.atomic():
        order.set_status(names["CANCELLED"])
        transaction.set_rollback(True)
    flow.follow_cancellation("oscar", order.number)

    assert (only_order().status, store.stock(store.notebook), available(sita)) == ("Pending", 19, 700)


def record_refund_event(order: Any, amount: str) -> None:
    kind, _new = get_model("order", "PaymentEventType").objects.get_or_create(name="Refunded")
    get_class("order.processing", "EventHandler")().handle_payment_event(order, kind, Decimal(amount))


@pytest.mark.parametrize("names", [DEFAULT, CUSTOM], ids=["default", "custom"], indirect=True)
def test_a_paid_order_that_the_shop_cancels_moves_no_money_and_is_brought_to_staff(
    names: Any, paid: Any, store: Store, sita: Customer, staff: Client, khalti: Simulator
) -> None:
    """O3, I21"""
    purchase, points = only_purchase(), available(sita)
    ways = {
        "cancelled": lambda: only_order().set_status(names["CANCELLED"]),
        "refunded": lambda: only_order().set_status(names["REFUNDED"]),
        "handler": lambda: handler(only_order(), names["CANCELLED"]),
        "line": lambda: only_order().lines.order_by("pk").first().set_status("Called off"),
        "event": lambda: record_refund_event(only_order(), "100.00"),
        "raw": lambda: Order.objects.update(status=names["CANCELLED"]) and look(),
    }
    for way, change in ways.items():
        CancelledOrder.objects.all().delete()
        Order.objects.update(status="Paid")
        Line.objects.update(status="Pending")
        get_model("order", "PaymentEvent").objects.all().delete()
        mail.outbox.clear()
        assert broken() == [], way

        change()
        flow.follow_cancellation("oscar", paid.number)
        look()

        assert [row.purchase_id for row in cancelled_orders.to_close()] == [purchase.pk], way
        assert (broken(), flow.health().cancelled_orders, len(alerts())) == (["I21"], 1, 1), way
        assert (available(sita), Refund.objects.count(), khalti.payments()[0].refunded) == (points, 0, 0), way

    page = text(staff.get(order_page(paid)))
    assert f"Set to “{names['CANCELLED']}” in the shop. Its money is not refunded" in page


def test_the_matter_ends_with_the_refund_or_the_status_or_a_reason(names: Any, paid: Any, sita: Customer) -> None:
    """O3"""
    purchase = only_purchase()
    paid.set_status("Cancelled")
    assert len(cancelled_orders.to_close()) == 1

    paid.set_status("Paid")
    assert cancelled_orders.to_close()[0].status == "Called off"  # the cascade has left its lines so
    for line in paid.lines.all():
        line.set_status("Pending")
    assert (list(cancelled_orders.to_close()), CancelledOrder.objects.get().closed_at is None) == ([], False)

    paid.set_status("Cancelled")
    flow.close_cancelled_order(purchase, actor="99", reason="exchanged")
    look()
    assert (list(cancelled_orders.to_close()), broken()) == ([], [])

    paid.set_status("Refunded")
    assert len(cancelled_orders.to_close()) == 1
    cart = purchase.frozen_cart
    refund = flow.refund_order(purchase, subtotal=cart.subtotal, shipping=cart.shipping, key="all", actor="99")
    look()
    assert (refund.state, list(cancelled_orders.to_close()), broken()) == ("done", [], [])
    assert (only_order().status, available(sita)) == ("Refunded", 1200)
    assert CancelledOrder.objects.get().closed_at is not None


def test_part_of_an_order_and_part_of_a_transfer_are_brought_to_staff(
    names: Any, store: Store, sita: Customer, paid: Any
) -> None:
    """O3: a line that is refunded already is no matter; money that has arrived in part is."""
    purchase, line = only_purchase(), paid.lines.get(product=store.pen)
    flow.refund_order(
        purchase, subtotal=Paisa(3500), shipping=Paisa(0), key="pen", actor="99", lines=[(str(line.pk), 1)]
    )
    line.set_status("Called off")
    assert list(CancelledOrder.objects.all()) == []
    record_refund_event(paid, "1.00")
    assert list(CancelledOrder.objects.all()) == []

    sita.buy(store.notebook, method="cod")
    order = Order.objects.exclude(pk=paid.pk).get()
    cod = Purchase.objects.get(ref=order.number)
    flow.record_received(cod, amount=Paisa(10_000), received_on=day_of(timezone.now()), key="part", actor="99")
    order.set_status("Cancelled")

    assert [row.purchase_id for row in cancelled_orders.to_close()] == [cod.pk]
    assert (Refund.objects.filter(purchase=cod).count(), cod.method) == (0, PaymentMethod.COD)


def test_a_held_order_that_the_shop_cancels_is_released_once_khalti_says_that_it_is_not_paid(
    names: Any, store: Store, sita: Customer, khalti: Simulator
) -> None:
    """O4"""
    payment = payment_of(sita.buy(store.notebook, points=500))
    assert (store.stock(store.notebook), available(sita)) == (19, 700)

    only_order().set_status("Cancelled")

    payment.refresh_from_db()
    assert (payment.state, only_purchase().state, only_order().status) == ("released", "released", "Cancelled")
    assert (store.stock(store.notebook), available(sita), sita.lines()) == (20, 1200, [("Lokta notebook", 1)])
    assert (broken(), list(CancelledOrder.objects.all())) == ([], [])


def test_a_held_order_that_the_shop_cancels_and_that_is_paid_is_placed_with_its_stock_once(
    names: Any, store: Store, sita: Customer, khalti: Simulator
) -> None:
    """O4: the money has arrived."""
    payment = payment_of(sita.buy(store.notebook))
    khalti.pay(payment.pidx or "")

    with transaction.atomic():
        handler(only_order(), "Cancelled")

    assert (only_purchase().state, only_order().status, store.stock(store.notebook)) == ("placed", "Paid", 19)
    assert only_order().notes.filter(message__contains="after it was cancelled").exists()
    assert cancelled_orders.to_close()[0].status == "Called off"  # staff see what the cascade has left


def test_our_own_changes_of_a_status_are_no_matter(
    names: Any, store: Store, sita: Customer, khalti: Simulator, paid: Any, staff: Client
) -> None:
    """O2"""
    sita.buy(store.notebook, method="cod")
    order = Order.objects.exclude(pk=paid.pk).get()
    staff.post(order_page(order), {"refund": "cancel"})
    released = payment_of(sita.buy(store.pen))
    flow.cancel_payment(released)
    purchase = Purchase.objects.get(ref=paid.number)
    cart = purchase.frozen_cart
    flow.refund_order(purchase, subtotal=cart.subtotal, shipping=cart.shipping, key="all", actor="99")

    look()

    assert (list(CancelledOrder.objects.all()), broken(), alerts()) == ([], [], [])
    assert (available(sita) > Points(0), Order.objects.get(pk=order.pk).status) == (True, "Cancelled")
