"""Staff refund in Oscar's dashboard: preview, one click, and a message for every result."""

import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from wagtail.models import ModelLogEntry

from loyalink_khalti import flow
from loyalink_khalti.flow import audit
from loyalink_khalti.hosts.oscar.shop import OscarShop
from loyalink_khalti.payments.models import Flag, Refund
from loyalink_khalti.simulator import Simulator

from .conftest import (
    Customer,
    Order,
    Store,
    available,
    form_with,
    new_member,
    only_order,
    only_purchase,
    payment_of,
    receive,
    text,
)

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]


@pytest.fixture
def order(store: Store, sita: Customer, khalti: Simulator) -> Any:
    """Three notebooks and a pen, Rs 1,535, and express delivery, Rs 150; 500 points, Rs 1,635 by Khalti."""
    for _ in range(2):
        sita.add(store.notebook)
    payment = payment_of(sita.buy(store.notebook, store.pen, points=500, delivery="express"))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    return only_order()


def where(order: Any) -> str:
    return f"/shop/dashboard/orders/{order.number}/"


def form_of(page: Any, button: str) -> dict[str, str]:
    """Return what the form with this button would send."""
    return form_with(page, "refund", button)


def preview(staff: Client, order: Any, **typed: Any) -> Any:
    return staff.post(where(order), form_of(staff.get(where(order)), "preview") | typed)


def refund(staff: Client, order: Any, **typed: Any) -> Any:
    sent = form_of(preview(staff, order, **typed), "confirm")
    return staff.post(where(order), sent, follow=True)


def money_of(order: Any) -> tuple[str, int, int]:
    found = OscarShop().get_order(order.number)
    return found.status, found.paid, found.refunded


def audit_passes() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    return True


def test_the_preview_shows_the_refund_and_changes_nothing(
    order: Any, staff: Client, khalti: Simulator, sita: Customer
) -> None:
    before = available(sita)

    page = text(preview(staff, order, quantity_0="1", delivery="150"))

    assert "Khalti refunds Rs 633.71" in page
    assert "Points returned 163" in page
    assert "Points reversed 48" in page
    assert "Refund Rs 633.71" in page
    assert (Refund.objects.count(), khalti.count("refund"), available(sita)) == (0, 0, before)
    assert money_of(order) == ("Paid", 163_500, 0)


def test_lines_are_refunded_in_parts_until_the_order_is_refunded(
    order: Any, store: Store, staff: Client, khalti: Simulator, sita: Customer
) -> None:
    assert (available(sita), store.stock(store.notebook)) == (1200 - 500 + 148, 17)

    page = text(refund(staff, order, quantity_0="1", delivery="150"))

    assert "Khalti has refunded Rs 633.71. Points returned: 163; points reversed: 48." in page
    assert money_of(order) == ("Paid", 163_500, 63_371)
    assert store.stock(store.notebook) == 18
    refund(staff, order, quantity_0="1")
    page = text(refund(staff, order, quantity_0="1", quantity_1="1"))
    assert "This order is fully refunded." in page
    assert money_of(order) == ("Refunded", 163_500, 163_500)
    assert (store.stock(store.notebook), store.stock(store.pen)) == (20, 50)
    assert available(sita) == 1200
    assert khalti.payments()[0].refunded == 163_500
    points = order.sources.get(source_type__code="loyalty-points")
    assert (points.amount_debited, points.amount_refunded) == (50, 50)
    assert audit_passes()


def test_a_double_click_is_one_refund(order: Any, staff: Client, khalti: Simulator) -> None:
    sent = form_of(preview(staff, order, quantity_0="1"), "confirm")

    for _ in range(2):
        page = text(staff.post(where(order), sent, follow=True))
        assert "Khalti has refunded" in page

    assert (Refund.objects.count(), khalti.count("refund")) == (1, 1)
    assert list(ModelLogEntry.objects.values_list("action", flat=True)) == ["loyalink_khalti.refund"]
    assert audit_passes()


def test_an_amount_is_refunded_without_restocking(order: Any, store: Store, staff: Client, khalti: Simulator) -> None:
    refund(staff, order, amount="153.50")

    assert money_of(order) == ("Paid", 163_500, 14_850)
    assert store.stock(store.notebook) == 17
    assert audit_passes()


def test_a_broken_product_is_not_restocked(order: Any, store: Store, staff: Client) -> None:
    sent = form_of(staff.get(where(order)), "preview") | {"quantity_0": "2"}
    del sent["restock_0"]
    confirm = form_of(staff.post(where(order), sent), "confirm")

    staff.post(where(order), confirm)

    assert (Refund.objects.get().state, store.stock(store.notebook)) == ("done", 17)
    assert "At most 1." in text(preview(staff, order, quantity_0="2"))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"quantity_0": "4"}, "At most 3"),
        ({"amount": "1535.01"}, "Only Rs 1,535.00 of the products is left"),
        ({"delivery": "150.01", "amount": "1"}, "Only Rs 150.00 of the delivery is left"),
        ({}, "Enter how much to refund"),
        ({"amount": "-1"}, "At least Rs 0.00"),
        ({"amount": "1.005"}, "at most two decimals"),
        ({"amount": "NaN"}, "Enter an amount in rupees"),
    ],
)
def test_the_preview_says_what_cannot_be_refunded(
    order: Any, staff: Client, khalti: Simulator, typed: dict[str, str], message: str
) -> None:
    page = preview(staff, order, **typed)

    assert page.status_code == 200
    assert message in text(page)
    assert khalti.count("refund") == 0


def test_two_staff_who_refund_at_once_refund_once(order: Any, staff: Client, khalti: Simulator) -> None:
    mine = form_of(preview(staff, order, amount="100"), "confirm")
    refund(staff, order, amount="100")

    page = staff.post(where(order), mine)

    assert "Another refund was made in the meantime" in text(page)
    assert Refund.objects.count() == 1
    again = staff.post(where(order), form_of(page, "preview"))
    assert "Refund?" in text(again)


def test_khaltis_refusal_is_quoted(order: Any, staff: Client, khalti: Simulator, sita: Customer) -> None:
    points = available(sita)
    khalti.fault("429", where="refund")

    page = text(refund(staff, order, quantity_0="1"))

    assert "Khalti refused: “Request was throttled." in page
    assert "No money and no points have moved." in page
    assert (money_of(order), available(sita)) == (("Paid", 163_500, 0), points)
    assert audit_passes()


def test_a_refund_of_a_bank_payment_needs_a_khalti_account(
    store: Store, guest: Customer, staff: Client, khalti: Simulator
) -> None:
    payment = payment_of(guest.buy(store.notebook))
    khalti.pay(payment.pidx or "", bank=True)
    guest.return_from_khalti(payment)
    order = only_order()

    assert "mobile: This field is required." in text(refund(staff, order, quantity_0="1"))
    assert "Khalti has refunded Rs 500.00" in text(refund(staff, order, quantity_0="1", mobile="9800000002"))
    assert money_of(order) == ("Refunded", 50_000, 50_000)
    assert audit_passes()


@pytest.mark.parametrize("after", [True, False])
def test_after_no_answer_no_refund_is_sent_again(order: Any, staff: Client, khalti: Simulator, after: bool) -> None:
    sent = form_of(preview(staff, order, quantity_0="1"), "confirm")
    khalti.fault("drop", where="refund", after=after)

    page = text(staff.post(where(order), sent, follow=True))

    assert "Khalti did not answer, so the refund of Rs 483.71 is unconfirmed." in page
    assert "no other refund can be sent until this one is resolved" in page
    assert [flag.reason for flag in Flag.objects.all()] == ["refund_unknown"]
    staff.post(where(order), sent | {"key": "another"})
    assert khalti.count("refund") == 1
    assert money_of(order) == ("Paid", 163_500, 0)
    assert audit_passes()


def test_a_refund_that_the_shop_could_not_record_is_retried_without_khalti(
    order: Any, staff: Client, khalti: Simulator, sita: Customer
) -> None:
    source = order.sources.get(source_type__code="khalti")
    type(source).objects.filter(pk=source.pk).update(amount_refunded=163_500)

    page = text(refund(staff, order, quantity_0="1"))

    assert "the order and the points are not updated" in page
    assert Refund.objects.get().applied_at is None
    type(source).objects.filter(pk=source.pk).update(amount_refunded=0)
    page = text(staff.post(where(order), form_of(staff.get(where(order)), "retry"), follow=True))
    assert "Khalti has refunded Rs 483.71. Points returned: 163" in page
    assert khalti.count("refund") == 1
    assert audit_passes()


def test_cash_is_refunded_by_hand(store: Store, sita: Customer, staff: Client, khalti: Simulator) -> None:
    sita.buy(store.notebook, method="cod", points=500)
    order = only_order()
    receive(staff, order)

    shown = text(preview(staff, order, quantity_0="1"))
    page = text(refund(staff, order, quantity_0="1"))

    assert "Hand to the customer Rs 450.00" in shown
    assert "Hand Rs 450.00 to the customer" in page
    assert (money_of(order), available(sita), store.stock(store.notebook)) == (("Refunded", 45_000, 45_000), 1200, 20)
    assert khalti.calls == []
    assert audit_passes()


def test_points_alone_are_returned_as_points(store: Store, staff: Client, khalti: Simulator) -> None:
    ram = new_member("ram@example.com", points=6000)
    ram.buy(store.notebook, points=5000)
    order = only_order()

    refund(staff, order, amount="250")
    assert (money_of(order), available(ram), store.stock(store.notebook)) == (("Paid", 0, 0), 3500, 19)
    refund(staff, order, quantity_0="1")

    assert (money_of(order), available(ram), store.stock(store.notebook)) == (("Refunded", 0, 0), 6000, 20)
    assert (khalti.calls, audit_passes()) == ([], True)


def points_source(order: Any) -> tuple[int, int]:
    """Oscar's source of points: paisa of their value redeemed, and returned."""
    source = order.sources.get(source_type__code="loyalty-points")
    return int(source.amount_debited * 100), int(source.amount_refunded * 100)


def test_points_that_paid_delivery_stay_with_it_when_all_products_are_refunded(
    store: Store, sita: Customer, staff: Client, khalti: Simulator
) -> None:
    """D-25, M4: a pen for Rs 35 and delivery for Rs 150; 1,200 points are Rs 120, Rs 65 are paid by Khalti."""
    payment = payment_of(sita.buy(store.pen, points=1200, delivery="express"))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    order, shown = only_order(), []

    page = text(preview(staff, order, quantity_0="1"))
    refund(staff, order, quantity_0="1")
    shown.append((available(sita), points_source(order), money_of(order)))
    left = text(staff.get(where(order)))
    refund(staff, order, delivery="50")
    shown.append((available(sita), points_source(order), money_of(order)))
    refund(staff, order, delivery="100")
    shown.append((available(sita), points_source(order), money_of(order)))

    assert "Hand to the customer Rs 0.00" in page
    assert "Points returned 350" in page
    assert "Rs 150.00 left to refund." in left
    assert shown == [
        (350, (12_000, 3_500), ("Paid", 6_500, 0)),
        (350 + 283, (12_000, 6_333), ("Paid", 6_500, 2_167)),
        (1200, (12_000, 12_000), ("Refunded", 6_500, 6_500)),
    ]
    assert audit_passes()


def test_an_unpaid_order_whose_delivery_was_paid_by_points_is_cancelled_as_a_whole(
    store: Store, sita: Customer, staff: Client
) -> None:
    """M4"""
    sita.buy(store.pen, method="cod", points=1200, delivery="express")
    order = only_order()

    staff.post(where(order), form_of(staff.get(where(order)), "cancel"), follow=True)

    assert (available(sita), points_source(order), only_order().status) == (1200, (12_000, 12_000), "Cancelled")
    assert "This order is fully refunded." in text(staff.get(where(order)))
    assert audit_passes()


def test_a_free_order_can_be_refunded(store: Store, guest: Customer, staff: Client) -> None:
    store.coupon("GIFT", rupees="500.00")
    guest.add(store.notebook)
    guest.use("GIFT")
    guest.go_to_payment()
    guest.place()
    order = only_order()

    refund(staff, order, quantity_0="1")

    assert (money_of(order), store.stock(store.notebook)) == (("Cancelled", 0, 0), 20)
    assert audit_passes()


def cancel_by_button(staff: Client, order: Any) -> None:
    staff.post(where(order), form_of(staff.get(where(order)), "cancel"))


def cancel_by_status(staff: Client, order: Any) -> None:
    staff.post(where(order), {"order_action": "change_order_status", "new_status": "Cancelled"})


def cancel_from_the_list(staff: Client, order: Any) -> None:
    sent = {"action": "change_order_statuses", "selected_order": order.pk, "new_status": "Cancelled"}
    staff.post("/shop/dashboard/orders/", sent)


@pytest.mark.parametrize("cancel", [cancel_by_button, cancel_by_status, cancel_from_the_list])
@pytest.mark.parametrize("method", ["cod", "bank_transfer"])
def test_cancelling_an_unpaid_order_returns_points_and_stock(
    store: Store, sita: Customer, staff: Client, cancel: Any, method: str
) -> None:
    sita.buy(store.notebook, method=method, points=500)
    order = only_order()
    assert (available(sita), store.stock(store.notebook)) == (700, 19)
    assert "500 points are returned to the customer" in text(staff.get(where(order)))

    for _ in range(2 if cancel is not cancel_by_button else 1):
        cancel(staff, order)

    assert (money_of(order), available(sita), store.stock(store.notebook)) == (("Cancelled", 0, 0), 1200, 20)
    for _ in flow.reconcile():
        pass
    assert (money_of(order)[0], available(sita)) == ("Cancelled", 1200)
    assert list(sita.browser.get("/shop/accounts/orders/").context["orders"]) == [order]
    assert audit_passes()


@pytest.mark.parametrize("cancel", [cancel_by_status, cancel_from_the_list])
def test_staff_who_may_not_refund_may_not_cancel_either(store: Store, sita: Customer, cancel: Any) -> None:
    """K05."""
    sita.buy(store.notebook, method="cod", points=500)
    order = only_order()
    user = get_user_model().objects.create_user("clerk", "clerk@example.com", "clerk-password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="order"))
    clerk = Client()
    clerk.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    cancel(clerk, order)

    assert (money_of(order)[0], available(sita)) == ("Pending", 700)


def test_a_cancelled_order_that_was_shipped_is_restocked(store: Store, guest: Customer, staff: Client) -> None:
    guest.buy(store.notebook, method="cod")
    order = only_order()
    order.lines.get().consume_allocation(1)
    staff.post(where(order), {"order_action": "change_order_status", "new_status": "Shipped"})

    cancel_by_button(staff, order)

    assert (money_of(order)[0], store.stock(store.notebook)) == ("Cancelled", 20)
    assert store.notebook.stockrecords.get().num_allocated == 0
    assert audit_passes()


def test_staff_who_may_not_refund_see_no_form_and_are_refused(order: Any, store: Store, khalti: Simulator) -> None:
    user = get_user_model().objects.create_user("clerk", "clerk@example.com", "clerk-password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="order"))
    clerk = Client()
    clerk.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    assert "Preview refund" not in text(clerk.get(where(order)))
    for step in ("preview", "confirm", "cancel", "retry"):
        assert clerk.post(where(order), {"refund": step, "amount": "1", "key": "k"}).status_code == 403
    assert Refund.objects.count() == 0

    user.user_permissions.add(Permission.objects.get(codename="change_refund"))
    assert "Preview refund" in text(clerk.get(where(order)))


def test_a_form_from_another_site_is_refused(order: Any, staff: Client) -> None:
    """K02."""
    user = get_user_model().objects.get(username="admin")
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    sent = {"refund": "confirm", "amount": "1", "key": "forged"}

    assert careful.post(where(order), sent).status_code == 403
    assert Refund.objects.count() == 0


def test_a_held_order_and_one_from_outside_the_flow_have_no_refund(
    store: Store, guest: Customer, staff: Client
) -> None:
    guest.buy(store.notebook)
    held = only_order()
    Order.objects.create(number="OLD-1", total_incl_tax=10, total_excl_tax=10, currency="NPR", status="Pending")
    old = Order.objects.get(number="OLD-1")

    for one in (held, old):
        assert not re.search(r'href="#refund"', staff.get(where(one)).content.decode())
        staff.post(where(one), {"refund": "confirm", "amount": "1", "key": "k"})
    cancel_by_status(staff, old)

    old.refresh_from_db()
    assert (old.status, only_purchase().state, Refund.objects.count()) == ("Cancelled", "open", 0)


def test_a_paid_order_is_refunded_not_cancelled(order: Any, staff: Client, settings: Any) -> None:
    pipeline = {**Order.pipeline, "Paid": ("Shipped", "Cancelled")}
    before, Order.pipeline = Order.pipeline, pipeline
    try:
        cancel_by_status(staff, order)
        cancel_from_the_list(staff, order)
        staff.post(where(order), {"refund": "cancel"})
    finally:
        Order.pipeline = before

    assert money_of(order) == ("Paid", 163_500, 0)
    assert "Refund it instead" in text(staff.get(where(order)))
