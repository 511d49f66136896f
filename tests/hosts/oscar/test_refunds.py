"""Staff give back in Oscar's dashboard: preview, one click, and words for whatever comes of it."""

import re
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from loyalink_khalti import flow
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.hosts.oscar.shop import OscarShop
from loyalink_khalti.payments.models import Flag, Refund
from loyalink_khalti.simulator import Simulator

from .conftest import Order, Shopper, Store, available, new_member, only_order, only_purchase, payment_of, text

pytestmark = pytest.mark.money


@pytest.fixture
def order(store: Store, sita: Shopper, khalti: Simulator) -> Any:
    """Three notebooks and a pen, Rs 1,535, and express delivery, Rs 150; 500 points, Rs 1,635 by Khalti."""
    for _ in range(2):
        sita.add(store.notebook)
    payment = payment_of(sita.buy(store.notebook, store.pen, points=500, delivery="express"))
    khalti.pay(payment.pidx or "")
    sita.come_back(payment)
    return only_order()


def where(order: Any) -> str:
    return f"/shop/dashboard/orders/{order.number}/"


def form_of(page: Any, button: str) -> dict[str, str]:
    """What the form with this button would send."""
    soup = BeautifulSoup(page.content.decode(), "html.parser")
    pressed = soup.find("button", attrs={"name": "refund", "value": button})
    assert pressed is not None, text(page)
    fields = pressed.find_parent("form").find_all("input")  # type: ignore[union-attr]
    typed = {
        str(field["name"]): str(field.get("value", "on" if field.get("type") == "checkbox" else ""))
        for field in fields
        if field.get("type") != "checkbox" or field.has_attr("checked")
    }
    return {name: value for name, value in typed.items() if name != "csrfmiddlewaretoken"} | {"refund": button}


def preview(staff: Client, order: Any, **typed: Any) -> Any:
    return staff.post(where(order), form_of(staff.get(where(order)), "preview") | typed)


def give_back(staff: Client, order: Any, **typed: Any) -> Any:
    sent = form_of(preview(staff, order, **typed), "confirm")
    return staff.post(where(order), sent, follow=True)


def stands(order: Any) -> tuple[str, int, int]:
    told = OscarShop().look(order.number)
    return told.status, told.paid, told.refunded


def sound() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    return True


def test_the_preview_says_what_goes_back_and_changes_nothing(
    order: Any, staff: Client, khalti: Simulator, sita: Shopper
) -> None:
    before = available(sita)

    page = text(preview(staff, order, quantity_0="1", delivery="150"))

    assert "Cash that Khalti gives back Rs 633.71" in page
    assert "Points that come back to the customer 163" in page
    assert "Points that are taken back 48" in page
    assert "Give Rs 633.71 back by Khalti" in page
    assert (Refund.objects.count(), khalti.count("refund"), available(sita)) == (0, 0, before)
    assert stands(order) == ("Paid", 163_500, 0)


def test_lines_go_back_in_parts_until_the_order_is_refunded(
    order: Any, store: Store, staff: Client, khalti: Simulator, sita: Shopper
) -> None:
    assert (available(sita), store.stock(store.notebook)) == (1200 - 500 + 148, 17)

    page = text(give_back(staff, order, quantity_0="1", delivery="150"))

    assert "Khalti has given Rs 633.71 back; 163 points came back, 48 were taken back." in page
    assert stands(order) == ("Paid", 163_500, 63_371)
    assert store.stock(store.notebook) == 18
    give_back(staff, order, quantity_0="1")
    page = text(give_back(staff, order, quantity_0="1", quantity_1="1"))
    assert "All of this order has been given back." in page
    assert stands(order) == ("Refunded", 163_500, 163_500)
    assert (store.stock(store.notebook), store.stock(store.pen)) == (20, 50)
    assert available(sita) == 1200
    assert khalti.payments()[0].refunded == 163_500
    points = order.sources.get(source_type__code="loyalty-points")
    assert (points.amount_debited, points.amount_refunded) == (50, 50)
    assert sound()


def test_a_double_click_is_one_refund(order: Any, staff: Client, khalti: Simulator) -> None:
    sent = form_of(preview(staff, order, quantity_0="1"), "confirm")

    for _ in range(2):
        page = text(staff.post(where(order), sent, follow=True))
        assert "Khalti has given" in page

    assert (Refund.objects.count(), khalti.count("refund")) == (1, 1)
    assert sound()


def test_an_amount_goes_back_without_the_goods(order: Any, store: Store, staff: Client, khalti: Simulator) -> None:
    give_back(staff, order, amount="153.50")

    assert stands(order) == ("Paid", 163_500, 14_850)
    assert store.stock(store.notebook) == 17
    assert sound()


def test_what_is_broken_is_not_put_back_on_the_shelf(order: Any, store: Store, staff: Client) -> None:
    sent = form_of(staff.get(where(order)), "preview") | {"quantity_0": "2"}
    del sent["shelve"]
    confirm = form_of(staff.post(where(order), sent), "confirm")

    staff.post(where(order), confirm)

    assert (Refund.objects.get().state, store.stock(store.notebook)) == ("done", 17)
    assert 'max="1"' in staff.get(where(order)).content.decode()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"quantity_0": "4"}, "less than or equal to 3"),
        ({"amount": "1535.01"}, "Only goods for Rs 1,535.00 are left"),
        ({"delivery": "150.01", "amount": "1"}, "Only Rs 150.00 of the delivery are left"),
        ({}, "Say how much is to be given back"),
        ({"amount": "-1"}, "greater than or equal to 0"),
        ({"amount": "1.005"}, "no more than 2 decimal places"),
        ({"amount": "NaN"}, "Enter a number"),
        ({"amount": "10", "mobile": "12"}, "Enter a valid value"),
    ],
)
def test_what_cannot_be_given_back_is_said_at_the_preview(
    order: Any, staff: Client, khalti: Simulator, typed: dict[str, str], words: str
) -> None:
    page = preview(staff, order, **typed)

    assert page.status_code == 200
    assert words in text(page)
    assert khalti.count("refund") == 0


def test_two_staff_who_refund_at_once_do_not_do_it_twice(order: Any, staff: Client, khalti: Simulator) -> None:
    mine = form_of(preview(staff, order, amount="100"), "confirm")
    give_back(staff, order, amount="100")

    page = staff.post(where(order), mine)

    assert "Another refund was made meanwhile" in text(page)
    assert Refund.objects.count() == 1
    again = staff.post(where(order), form_of(page, "preview"))
    assert "Give this back?" in text(again)


def test_refused_in_khaltis_words(order: Any, staff: Client, khalti: Simulator, sita: Shopper) -> None:
    points = available(sita)
    khalti.fault("429", where="refund")

    page = text(give_back(staff, order, quantity_0="1"))

    assert "Khalti refused: “Request was throttled." in page
    assert "No money and no points have moved." in page
    assert (stands(order), available(sita)) == (("Paid", 163_500, 0), points)
    assert sound()


def test_paid_from_a_bank_khalti_asks_for_an_account(
    store: Store, guest: Shopper, staff: Client, khalti: Simulator
) -> None:
    payment = payment_of(guest.buy(store.notebook))
    khalti.pay(payment.pidx or "", bank=True)
    guest.come_back(payment)
    order = only_order()

    assert "mobile: This field is required." in text(give_back(staff, order, quantity_0="1"))
    assert "Khalti has given Rs 500.00 back" in text(give_back(staff, order, quantity_0="1", mobile="9800000002"))
    assert stands(order) == ("Refunded", 50_000, 50_000)
    assert sound()


@pytest.mark.parametrize("after", [True, False])
def test_after_silence_nothing_is_sent_again_and_nobody_can(
    order: Any, staff: Client, khalti: Simulator, after: bool
) -> None:
    sent = form_of(preview(staff, order, quantity_0="1"), "confirm")
    khalti.fault("drop", where="refund", after=after)

    page = text(staff.post(where(order), sent, follow=True))

    assert "Khalti did not answer, so nobody knows yet whether Rs 483.71 went back." in page
    assert "no other refund can be sent until this is known" in page
    assert [flag.reason for flag in Flag.objects.all()] == ["refund_unknown"]
    staff.post(where(order), sent | {"key": "another"})
    assert khalti.count("refund") == 1
    assert stands(order) == ("Paid", 163_500, 0)
    assert sound()


def test_when_the_books_cannot_follow_staff_try_again_without_khalti(
    order: Any, staff: Client, khalti: Simulator, sita: Shopper
) -> None:
    source = order.sources.get(source_type__code="khalti")
    type(source).objects.filter(pk=source.pk).update(amount_refunded=163_500)

    page = text(give_back(staff, order, quantity_0="1"))

    assert "the shop's books and the points did not follow" in page
    assert Refund.objects.get().carried_at is None
    type(source).objects.filter(pk=source.pk).update(amount_refunded=0)
    page = text(staff.post(where(order), form_of(staff.get(where(order)), "again"), follow=True))
    assert "Khalti has given Rs 483.71 back; 163 points came back" in page
    assert khalti.count("refund") == 1
    assert sound()


def test_cash_goes_back_by_hand(store: Store, sita: Shopper, staff: Client, khalti: Simulator) -> None:
    sita.buy(store.notebook, method="cod", points=500)
    order = only_order()
    staff.post(where(order), {"payment_received": "1"})

    shown = text(preview(staff, order, quantity_0="1"))
    page = text(give_back(staff, order, quantity_0="1"))

    assert "Cash that you give back by hand Rs 450.00" in shown
    assert "give Rs 450.00 back by hand" in page
    assert (stands(order), available(sita), store.stock(store.notebook)) == (("Refunded", 45_000, 45_000), 1200, 20)
    assert khalti.calls == []
    assert sound()


def test_points_alone_come_back_as_points(store: Store, staff: Client, khalti: Simulator) -> None:
    ram = new_member("ram@example.com", points=6000)
    ram.buy(store.notebook, points=5000)
    order = only_order()

    give_back(staff, order, amount="250")
    assert (stands(order), available(ram), store.stock(store.notebook)) == (("Paid", 0, 0), 3500, 19)
    give_back(staff, order, quantity_0="1")

    assert (stands(order), available(ram), store.stock(store.notebook)) == (("Refunded", 0, 0), 6000, 20)
    assert (khalti.calls, sound()) == ([], True)


def test_an_order_that_cost_nothing_can_be_given_back(store: Store, guest: Shopper, staff: Client) -> None:
    store.coupon("GIFT", rupees="500.00")
    guest.add(store.notebook)
    guest.use("GIFT")
    guest.go_to_payment()
    guest.place()
    order = only_order()

    give_back(staff, order, quantity_0="1")

    assert (stands(order), store.stock(store.notebook)) == (("Cancelled", 0, 0), 20)
    assert sound()


def cancel_by_button(staff: Client, order: Any) -> None:
    staff.post(where(order), form_of(staff.get(where(order)), "cancel"))


def cancel_by_status(staff: Client, order: Any) -> None:
    staff.post(where(order), {"order_action": "change_order_status", "new_status": "Cancelled"})


def cancel_from_the_list(staff: Client, order: Any) -> None:
    sent = {"action": "change_order_statuses", "selected_order": order.pk, "new_status": "Cancelled"}
    staff.post("/shop/dashboard/orders/", sent)


@pytest.mark.parametrize("cancel", [cancel_by_button, cancel_by_status, cancel_from_the_list])
@pytest.mark.parametrize("method", ["cod", "bank_transfer"])
def test_cancelling_what_nobody_has_paid_gives_points_and_stock_back(
    store: Store, sita: Shopper, staff: Client, cancel: Any, method: str
) -> None:
    sita.buy(store.notebook, method=method, points=500)
    order = only_order()
    assert (available(sita), store.stock(store.notebook)) == (700, 19)
    assert "500 points come back to the customer" in text(staff.get(where(order)))

    for _ in range(2 if cancel is not cancel_by_button else 1):
        cancel(staff, order)

    assert (stands(order), available(sita), store.stock(store.notebook)) == (("Cancelled", 0, 0), 1200, 20)
    staff.post(where(order), {"payment_received": "1"})
    for _ in flow.reconcile():
        pass
    assert (stands(order)[0], available(sita)) == ("Cancelled", 1200)
    assert list(sita.browser.get("/shop/accounts/orders/").context["orders"]) == [order]
    assert sound()


@pytest.mark.parametrize("cancel", [cancel_by_status, cancel_from_the_list])
def test_who_may_not_refund_may_not_cancel_either(store: Store, sita: Shopper, cancel: Any) -> None:
    """K05."""
    sita.buy(store.notebook, method="cod", points=500)
    order = only_order()
    user = get_user_model().objects.create_user("clerk", "clerk@example.com", "clerk-password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="order"))
    clerk = Client()
    clerk.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    cancel(clerk, order)

    assert (stands(order)[0], available(sita)) == ("Pending", 700)


def test_a_cancelled_order_that_had_been_sent_comes_back_to_the_shelf(
    store: Store, guest: Shopper, staff: Client
) -> None:
    guest.buy(store.notebook, method="cod")
    order = only_order()
    order.lines.get().consume_allocation(1)
    staff.post(where(order), {"order_action": "change_order_status", "new_status": "Shipped"})

    cancel_by_button(staff, order)

    assert (stands(order)[0], store.stock(store.notebook)) == ("Cancelled", 20)
    assert store.notebook.stockrecords.get().num_allocated == 0
    assert sound()


def test_who_may_not_refund_sees_no_form_and_is_refused(order: Any, store: Store, khalti: Simulator) -> None:
    user = get_user_model().objects.create_user("clerk", "clerk@example.com", "clerk-password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="order"))
    clerk = Client()
    clerk.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    assert "Give back" not in text(clerk.get(where(order)))
    for step in ("preview", "confirm", "cancel", "again"):
        assert clerk.post(where(order), {"refund": step, "amount": "1", "key": "k"}).status_code == 403
    assert Refund.objects.count() == 0

    user.user_permissions.add(Permission.objects.get(codename="change_refund"))
    assert "Give back" in text(clerk.get(where(order)))


def test_a_form_from_elsewhere_is_refused(order: Any, staff: Client) -> None:
    """K02."""
    user = get_user_model().objects.get(username="admin")
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    sent = {"refund": "confirm", "amount": "1", "key": "forged"}

    assert careful.post(where(order), sent).status_code == 403
    assert Refund.objects.count() == 0


def test_an_order_at_khalti_and_one_made_without_us_have_no_refund(
    store: Store, guest: Shopper, staff: Client
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

    assert stands(order) == ("Paid", 163_500, 0)
    assert "refund it instead" in text(staff.get(where(order)))
