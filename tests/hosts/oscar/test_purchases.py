"""A purchase becomes one placed order."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import mail

from loyalink_khalti import flow
from loyalink_khalti.hosts.oscar.shop import OscarShop
from loyalink_khalti.simulator import Simulator

from .conftest import (
    Basket,
    Customer,
    Store,
    available,
    new_member,
    only_order,
    only_purchase,
    payment_of,
    receive,
    text,
)

pytestmark = [pytest.mark.money, pytest.mark.same_on_both]


def test_a_member_pays_at_khalti_with_points_and_gets_one_paid_order(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    sent = sita.buy(store.notebook, points=500, delivery="express")
    payment = payment_of(sent)
    assert payment.amount == 60_000  # Rs 500 and Rs 150 for the motorbike, less Rs 50 of points
    khalti.pay(payment.pidx or "")

    page = sita.return_from_khalti(payment)

    order = only_order()
    assert page.redirect_chain[-1][0] == "/shop/checkout/thank-you/"
    assert order.number in text(page)
    assert (order.status, order.total_incl_tax) == ("Paid", 600)
    assert order.basket.status == Basket.SUBMITTED
    assert store.stock(store.notebook) == 19
    assert available(sita) == 700 + 45  # Rs 450 of products


def test_the_payment_is_recorded_by_its_source_and_points_beside_it(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    payment = payment_of(sita.buy(store.notebook, points=500))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    payment.refresh_from_db()

    sources = {source.source_type.code: source for source in only_order().sources.all()}
    assert sources["khalti"].amount_allocated == sources["khalti"].amount_debited == 450
    assert sources["khalti"].reference == payment.transaction_id
    assert sources["loyalty-points"].amount_debited == 50
    order = OscarShop().get_order(only_order().number)
    assert (order.total, order.paid, order.refunded, order.placed) == (45_000, 45_000, 0, True)
    assert order.member_id == str(sita.user.pk)
    assert list(OscarShop().placed_orders()) == [order]


def test_a_guest_pays_at_khalti_and_sees_the_order(store: Store, guest: Customer, khalti: Simulator) -> None:
    payment = payment_of(guest.buy(store.notebook))
    khalti.pay(payment.pidx or "")

    page = guest.return_from_khalti(payment)

    order = only_order()
    assert page.redirect_chain[-1][0] == "/shop/checkout/thank-you/"
    assert (order.status, order.user, order.guest_email) == ("Paid", None, "guest@example.com")
    assert guest.lines() == []


def test_another_browser_sees_the_receipt_and_no_address(store: Store, guest: Customer, khalti: Simulator) -> None:
    """J01"""
    payment = payment_of(guest.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    stranger = Customer("stranger@example.com")

    page = stranger.return_from_khalti(payment)

    assert page.redirect_chain[-1][0] == f"/khalti/status/{payment.token}/"
    assert only_order().number in text(page)
    assert "Naxal Marga" not in text(page)
    assert "guest@example.com" not in text(page)
    assert stranger.browser.get("/shop/checkout/thank-you/").status_code == 302


def test_the_order_mail_is_sent_once_after_the_payment(store: Store, sita: Customer, khalti: Simulator) -> None:
    payment = payment_of(sita.buy(store.notebook, points=500))
    assert mail.outbox == []
    khalti.pay(payment.pidx or "")

    sita.return_from_khalti(payment)
    sita.return_from_khalti(payment)
    payment.refresh_from_db()

    (message,) = mail.outbox
    order = only_order()
    assert message.to == ["sita@example.com"]
    assert order.number in message.subject
    html = str(message.alternatives[0].content).replace("\xa0", " ")  # type: ignore[attr-defined]
    for body in (message.body, html):
        for word in ("Lokta notebook", "Rs 450.00", "500", "45", str(payment.transaction_id), order.number):
            assert word in body


@pytest.mark.parametrize("method", ["cod", "bank_transfer"])
def test_an_order_paid_later_is_pending_until_staff_record_the_payment(
    store: Store, sita: Customer, staff: Any, method: str
) -> None:
    placed = sita.buy(store.notebook, method=method, points=500)

    assert placed["Location"] == "/shop/checkout/thank-you/"
    order = only_order()
    assert (order.status, order.total_incl_tax) == ("Pending", 450)
    assert OscarShop().get_order(order.number).paid == 0
    assert available(sita) == 700
    assert len(mail.outbox) == 1

    receive(staff, order)

    order.refresh_from_db()
    assert order.status == "Paid"
    assert OscarShop().get_order(order.number).paid == 45_000
    assert available(sita) == 745


def test_points_that_cover_everything_place_the_order_without_khalti(store: Store, khalti: Simulator) -> None:
    """D13"""
    rich = new_member("ram@example.com", points=6000)

    placed = rich.buy(store.notebook, points=5000)

    order = only_order()
    assert placed["Location"] == "/shop/checkout/thank-you/"
    assert (order.status, order.total_incl_tax) == ("Paid", 0)
    assert khalti.calls == []
    assert available(rich) == 1000
    assert "5,000" in text(rich.browser.get("/shop/checkout/thank-you/"))


def test_a_coupon_that_covers_everything_places_the_order_without_khalti(
    store: Store, guest: Customer, khalti: Simulator
) -> None:
    """D13"""
    store.coupon("GIFT", rupees="500.00")
    guest.add(store.notebook)
    guest.use("GIFT")
    guest.go_to_payment()

    placed = guest.place()

    assert placed["Location"] == "/shop/checkout/thank-you/"
    assert (only_order().status, only_order().total_incl_tax) == ("Paid", 0)
    assert khalti.calls == []


def test_the_cart_is_exact_to_the_paisa_with_a_coupon_that_does_not_divide(store: Store, guest: Customer) -> None:
    store.coupon("ODD", rupees="33.33")
    for product in (store.notebook, store.pen, store.pen):
        guest.add(product)
    guest.use("ODD")
    guest.go_to_payment(delivery="express")
    guest.choose()

    payment = payment_of(guest.place())

    cart = payment.purchase.frozen_cart
    assert cart.subtotal == sum(line.total for line in cart.lines) == 57_000 - 3_333
    assert (cart.shipping, cart.total, cart.discount) == (15_000, 68_667, 3_333)
    assert payment.amount == 68_667
    assert only_order().total_incl_tax * 100 == 68_667


def test_a_payment_that_staff_record_twice_counts_once(store: Store, sita: Customer, staff: Any) -> None:
    sita.buy(store.notebook, method="cod")

    admin = str(get_user_model().objects.get(username="admin").pk)
    flow.mark_received(only_purchase(), actor=admin)
    flow.mark_received(only_purchase(), actor=admin)

    debits = only_order().sources.get().transactions.filter(txn_type="Debit")
    assert [debit.amount for debit in debits] == [500]


@pytest.mark.parametrize("is_member", [True, False], ids=["member", "guest"])
def test_a_customer_of_the_tests_leaves_what_oscars_pages_leave(store: Store, is_member: bool) -> None:
    """``put`` and ``fill_in`` spare most tests the pages before the payment page."""
    left = []
    for way in ("pages", "short"):
        customer = new_member(f"{way}@example.com") if is_member else Customer("guest@example.com")
        if way == "pages":
            customer.add(store.notebook, 2)
            customer.fill_in_pages(delivery="express")
        else:
            customer.put(store.notebook, 2)
            customer.fill_in(delivery="express")
        seen = customer.lines(), customer.choose().status_code
        [line] = Basket.objects.latest("pk").all_lines()
        prices = line.price_currency, line.price_excl_tax, line.price_incl_tax, line.stockrecord_id
        left.append((customer.browser.session["checkout_data"], seen, prices, line.basket.owner_id is None))

    assert left[0] == left[1]
    assert left[0][1:] == (([("Lokta notebook", 2)], 302), left[0][2], not is_member)
