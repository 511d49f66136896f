"""An unpaid purchase is released completely: basket, coupon, points and stock can be used again."""

from typing import Any

import pytest
from django.test import Client
from oscar.core.loading import get_model

from loyalink_khalti import flow
from loyalink_khalti.hosts.oscar.events import LATE_HOOKS
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator

from .conftest import Basket, Customer, Order, Store, available, new_member, payment_of, text
from .test_placement import later

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]


@pytest.fixture(params=["member", "guest"])
def anyone(request: pytest.FixtureRequest, store: Store) -> Customer:
    return new_member("gita@example.com") if request.param == "member" else Customer("guest@example.com")


def test_after_a_cancellation_at_khalti_the_basket_is_full_again_and_can_be_ordered(
    store: Store, anyone: Customer, khalti: Simulator
) -> None:
    first = payment_of(anyone.buy(store.notebook, store.pen))
    assert store.stock(store.notebook) == 19
    khalti.cancel(first.pidx or "")

    page = anyone.return_from_khalti(first)

    assert page.redirect_chain[-1][0] == "/shop/basket/"
    assert "Nothing was paid" in text(page)
    assert anyone.lines() == [("Lokta notebook", 1), ("Gel pen", 1)]
    assert store.stock(store.notebook) == 20
    assert [order.status for order in Order.objects.all()] == ["Cancelled"]

    second = payment_of(anyone.place())
    khalti.pay(second.pidx or "")
    assert anyone.return_from_khalti(second).redirect_chain[-1][0] == "/shop/checkout/thank-you/"
    assert sorted(order.status for order in Order.objects.all()) == ["Cancelled", "Paid"]
    assert store.stock(store.notebook) == 19


def test_pages_seen_while_paying_do_not_lose_a_guests_basket(store: Store, guest: Customer, khalti: Simulator) -> None:
    payment = payment_of(guest.buy(store.notebook))
    guest.browser.get("/shop/basket/")  # here Oscar deletes the cookie of the frozen basket
    guest.add(store.pen)
    khalti.cancel(payment.pidx or "")

    guest.return_from_khalti(payment)

    assert guest.lines() == [("Lokta notebook", 1), ("Gel pen", 1)]


def test_products_that_a_member_added_while_paying_are_kept(store: Store, sita: Customer, khalti: Simulator) -> None:
    payment = payment_of(sita.buy(store.notebook))
    sita.add(store.pen)
    khalti.cancel(payment.pidx or "")

    sita.return_from_khalti(payment)

    assert sorted(sita.lines()) == [("Gel pen", 1), ("Lokta notebook", 1)]


def test_a_guest_who_logs_in_while_paying_finds_the_products_in_the_members_basket(
    store: Store, sita: Customer, guest: Customer, khalti: Simulator
) -> None:
    payment = payment_of(guest.buy(store.notebook))
    guest.browser.login(username="sita@example.com", password="saraswati-demo")
    khalti.cancel(payment.pidx or "")

    guest.return_from_khalti(payment)

    assert sita.lines() == [("Lokta notebook", 1)]


def test_points_are_returned_with_the_basket(store: Store, sita: Customer, khalti: Simulator) -> None:
    payment = payment_of(sita.buy(store.notebook, points=500))
    assert available(sita) == 700
    khalti.cancel(payment.pidx or "")

    sita.return_from_khalti(payment)

    assert available(sita) == 1200


@pytest.mark.parametrize("usage", ["Single use", "Once per customer", "Multi-use"])
def test_a_coupon_of_a_cancelled_payment_can_be_used_again(
    store: Store, sita: Customer, khalti: Simulator, usage: str
) -> None:
    voucher = store.coupon(usage=usage)
    offer = voucher.offers.get()
    sita.add(store.notebook)
    sita.use("WELCOME")
    sita.go_to_payment()
    sita.choose()
    first = payment_of(sita.place())
    assert first.amount == 40_000
    assert voucher.applications.count() == 1
    khalti.cancel(first.pidx or "")

    sita.return_from_khalti(first)

    voucher.refresh_from_db()
    offer.refresh_from_db()
    assert (voucher.num_orders, voucher.total_discount, voucher.applications.count()) == (0, 0, 0)
    assert (offer.num_orders, offer.num_applications, offer.total_discount) == (0, 0, 0)
    second = payment_of(sita.place())
    assert second.amount == 40_000
    khalti.pay(second.pidx or "")
    sita.return_from_khalti(second)
    voucher.refresh_from_db()
    assert (voucher.num_orders, voucher.total_discount, voucher.applications.count()) == (1, 100, 1)


def test_an_offer_for_once_per_customer_is_not_used_up_by_a_cancelled_payment(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    voucher = store.coupon(usage="Multi-use")
    voucher.offers.update(max_user_applications=1, max_global_applications=1)
    sita.add(store.notebook)
    sita.use("WELCOME")
    sita.go_to_payment()
    sita.choose()
    first = payment_of(sita.place())
    khalti.cancel(first.pidx or "")
    sita.return_from_khalti(first)

    assert payment_of(sita.place()).amount == 40_000


def test_a_refused_initiate_changes_nothing_and_shows_an_error(
    store: Store, anyone: Customer, khalti: Simulator
) -> None:
    anyone.add(store.notebook)
    anyone.go_to_payment()
    anyone.choose()
    khalti.fault("503", where="initiate")

    answer = anyone.browser.post("/shop/checkout/preview/", {"action": "place_order"}, follow=True)

    assert answer.status_code == 200
    assert "Nothing was paid" in text(answer)
    assert anyone.lines() == [("Lokta notebook", 1)]
    assert store.stock(store.notebook) == 20
    assert payment_of(anyone.place()).state == "initiated"


def test_cancelling_a_pending_payment_reopens_the_basket(store: Store, anyone: Customer, khalti: Simulator) -> None:
    payment = payment_of(anyone.buy(store.notebook))

    page = anyone.browser.post(f"/khalti/cancel/{payment.token}/", follow=True)

    assert page.redirect_chain[-1][0] == "/shop/basket/"
    assert anyone.lines() == [("Lokta notebook", 1)]


def test_a_job_reopens_the_basket_of_a_member_who_has_been_idle(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    payment = payment_of(sita.buy(store.notebook))
    khalti.expire(payment.pidx or "")

    flow.verify_payment(payment)

    assert sita.lines() == [("Lokta notebook", 1)]


def test_a_job_saves_the_basket_of_a_member_who_uses_another_one(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    payment = payment_of(sita.buy(store.notebook))
    sita.add(store.pen)
    khalti.expire(payment.pidx or "")

    flow.verify_payment(payment)

    assert sita.lines() == [("Gel pen", 1)]
    assert Basket.objects.get(pk=payment.purchase.origin).status == Basket.SAVED
    assert "saved" in text(sita.return_from_khalti(payment)).lower()


def test_two_saved_baskets_are_merged_into_one(store: Store, sita: Customer, khalti: Simulator) -> None:
    for product in (store.notebook, store.pen):
        payment = payment_of(sita.buy(product))
        other = store.add(f"Ruler {product.pk}", f"RULER-{product.pk}", rupees="60.00", stock=5)
        sita.add(other)
        khalti.expire(payment.pidx or "")
        flow.verify_payment(payment)
        Basket.open.filter(owner=sita.user).delete()

    assert Basket.saved.get(owner=sita.user).lines.count() == 2
    assert sita.browser.get("/shop/basket/").status_code == 200


def test_a_payment_after_its_expiry_places_the_order_and_takes_stock_and_coupon_again(
    store: Store, guest: Customer, khalti: Simulator
) -> None:
    voucher = store.coupon()
    guest.add(store.notebook)
    guest.use("WELCOME")
    guest.go_to_payment()
    guest.choose()
    payment = payment_of(guest.place())
    khalti.expire(payment.pidx or "")
    flow.verify_payment(payment)
    assert store.stock(store.notebook) == 20
    khalti.complete(payment.pidx or "")

    flow.verify_payment(payment, ignore_back_off=True)

    order = Order.objects.get()
    assert order.status == "Paid"
    assert store.stock(store.notebook) == 19
    assert [(line.num_allocated, line.allocation_cancelled) for line in order.lines.all()] == [(1, False)]
    voucher.refresh_from_db()
    assert (voucher.num_orders, voucher.applications.count()) == (1, 1)
    assert Basket.objects.get(pk=payment.purchase.origin).status == Basket.SUBMITTED
    assert Payment.objects.get().state == "fulfilled"


def test_a_late_payment_for_a_sold_out_product_raises_a_flag(store: Store, guest: Customer, khalti: Simulator) -> None:
    payment = payment_of(guest.buy(store.notebook))
    khalti.expire(payment.pidx or "")
    flow.verify_payment(payment)
    store.notebook.stockrecords.update(num_in_stock=0)
    khalti.complete(payment.pidx or "")

    flow.verify_payment(payment, ignore_back_off=True)

    payment.refresh_from_db()
    assert payment.state == "paid"
    assert [flag.reason for flag in payment.flags.all()] == ["sold_out"]
    assert Order.objects.get().status == "Cancelled"
    assert store.stock(store.notebook) == 0
    page = guest.return_from_khalti(payment)
    assert page.redirect_chain[-1][0] == f"/khalti/status/{payment.token}/"


def test_the_order_is_the_frozen_cart_whatever_happens_to_products_while_paying(
    store: Store, guest: Customer, khalti: Simulator
) -> None:
    payment = payment_of(guest.buy(store.notebook))
    store.notebook.stockrecords.update(price=9)
    get_model("catalogue", "Product").objects.filter(pk=store.notebook.pk).update(is_public=False)
    khalti.pay(payment.pidx or "")

    guest.return_from_khalti(payment)

    assert (Order.objects.get().status, Order.objects.get().total_incl_tax) == ("Paid", 500)


def test_a_stranger_with_the_link_does_not_get_the_basket(store: Store, guest: Customer, khalti: Simulator) -> None:
    payment = payment_of(guest.buy(store.notebook))
    khalti.cancel(payment.pidx or "")
    stranger: Any = Client()

    page = stranger.get(f"/khalti/return/{payment.token}/", follow=True)

    assert page.redirect_chain[-1][0] == f"/khalti/status/{payment.token}/"
    assert stranger.get("/shop/basket/").context["basket"].is_empty
    assert guest.browser.get(f"/shop/checkout/khalti/{payment.token}/").status_code == 302
    assert guest.lines() == [("Lokta notebook", 1)]


def test_an_unknown_token_is_not_found(store: Store, guest: Customer) -> None:
    assert guest.browser.get("/shop/checkout/khalti/no-such-token/").status_code == 404
    assert not Purchase.objects.exists()


def test_a_coupon_for_delivery_is_used_and_released_too(store: Store, guest: Customer, khalti: Simulator) -> None:
    voucher = store.coupon("RIDE", rupees="150.00")
    voucher.offers.get().benefit.__class__.objects.update(type="Shipping absolute", range=None)
    guest.add(store.notebook)
    guest.use("RIDE")
    guest.go_to_payment(delivery="express")
    guest.choose()
    payment = payment_of(guest.place())
    offer = voucher.offers.get()
    assert payment.amount == 50_000
    assert (offer.num_orders, offer.total_discount) == (1, 150)
    khalti.cancel(payment.pidx or "")

    guest.return_from_khalti(payment)

    offer.refresh_from_db()
    assert (offer.num_orders, offer.total_discount) == (0, 0)
    assert payment_of(guest.place()).amount == 50_000


def test_a_member_who_is_deleted_while_paying_leaves_a_placed_order(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    """J08"""
    payment = payment_of(sita.buy(store.notebook))
    sita.user.delete()
    khalti.pay(payment.pidx or "")

    flow.verify_payment(payment)

    assert Order.objects.get().status == "Paid"
    unsent = get_model("loyalink_khalti", "Message").objects.filter(sent_at=None)
    assert [message.function for message in unsent] == [LATE_HOOKS]  # it waits for the customer
    later()
    assert not unsent.all().exists()


def test_a_product_deleted_while_paying_is_delivered_as_it_was_sold(
    store: Store, guest: Customer, khalti: Simulator
) -> None:
    """E04"""
    payment = payment_of(guest.buy(store.notebook, store.pen))
    store.notebook.delete()
    khalti.pay(payment.pidx or "")

    page = guest.return_from_khalti(payment)

    assert page.status_code == 200
    assert "Lokta notebook" in text(page)
    assert Order.objects.get().status == "Paid"


def test_products_that_a_member_added_after_an_expiry_outlive_a_late_payment(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    payment = payment_of(sita.buy(store.notebook))
    khalti.expire(payment.pidx or "")
    flow.verify_payment(payment)
    sita.add(store.notebook, 2)
    sita.add(store.pen)
    assert sorted(sita.lines()) == [("Gel pen", 1), ("Lokta notebook", 3)]
    khalti.complete(payment.pidx or "")

    flow.verify_payment(payment, ignore_back_off=True)

    assert Order.objects.get().status == "Paid"
    assert sorted(sita.lines()) == [("Gel pen", 1), ("Lokta notebook", 2)]
    assert sita.place()["Location"].startswith("http")  # another origin: these are other products
