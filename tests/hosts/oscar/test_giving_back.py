"""What was not paid comes back whole: basket, coupon, points and stock, to be bought again."""

from typing import Any

import pytest
from django.test import Client
from oscar.core.loading import get_model

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator

from .conftest import Basket, Order, Shopper, Store, available, new_member, payment_of, text

pytestmark = pytest.mark.money


@pytest.fixture(params=["member", "guest"])
def anyone(request: pytest.FixtureRequest, store: Store) -> Shopper:
    return new_member("gita@example.com") if request.param == "member" else Shopper("guest@example.com")


def test_cancelled_at_khalti_the_shopper_is_back_at_a_full_basket_and_buys_it_again(
    store: Store, anyone: Shopper, khalti: Simulator
) -> None:
    first = payment_of(anyone.buy(store.notebook, store.pen))
    assert store.stock(store.notebook) == 19
    khalti.cancel(first.pidx or "")

    page = anyone.come_back(first)

    assert page.redirect_chain[-1][0] == "/shop/basket/"
    assert "Nothing was paid" in text(page)
    assert anyone.lines() == [("Lokta notebook", 1), ("Gel pen", 1)]
    assert store.stock(store.notebook) == 20
    assert [order.status for order in Order.objects.all()] == ["Cancelled"]

    second = payment_of(anyone.place())
    khalti.pay(second.pidx or "")
    assert anyone.come_back(second).redirect_chain[-1][0] == "/shop/checkout/thank-you/"
    assert sorted(order.status for order in Order.objects.all()) == ["Cancelled", "Paid"]
    assert store.stock(store.notebook) == 19


def test_pages_seen_while_paying_do_not_lose_a_guests_basket(store: Store, guest: Shopper, khalti: Simulator) -> None:
    payment = payment_of(guest.buy(store.notebook))
    guest.browser.get("/shop/basket/")  # here Oscar deletes the cookie of the frozen basket
    guest.add(store.pen)
    khalti.cancel(payment.pidx or "")

    guest.come_back(payment)

    assert guest.lines() == [("Lokta notebook", 1), ("Gel pen", 1)]


def test_what_a_member_picked_while_paying_is_there_too(store: Store, sita: Shopper, khalti: Simulator) -> None:
    payment = payment_of(sita.buy(store.notebook))
    sita.add(store.pen)
    khalti.cancel(payment.pidx or "")

    sita.come_back(payment)

    assert sorted(sita.lines()) == [("Gel pen", 1), ("Lokta notebook", 1)]


def test_a_guest_who_logs_in_while_paying_finds_the_goods_in_the_members_basket(
    store: Store, sita: Shopper, guest: Shopper, khalti: Simulator
) -> None:
    payment = payment_of(guest.buy(store.notebook))
    guest.browser.login(username="sita@example.com", password="saraswati-demo")
    khalti.cancel(payment.pidx or "")

    guest.come_back(payment)

    assert sita.lines() == [("Lokta notebook", 1)]


def test_points_come_back_with_the_basket(store: Store, sita: Shopper, khalti: Simulator) -> None:
    payment = payment_of(sita.buy(store.notebook, points=500))
    assert available(sita) == 700
    khalti.cancel(payment.pidx or "")

    sita.come_back(payment)

    assert available(sita) == 1200


@pytest.mark.parametrize("usage", ["Single use", "Once per customer", "Multi-use"])
def test_a_coupon_of_a_cancelled_payment_can_be_used_again(
    store: Store, sita: Shopper, khalti: Simulator, usage: str
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

    sita.come_back(first)

    voucher.refresh_from_db()
    offer.refresh_from_db()
    assert (voucher.num_orders, voucher.total_discount, voucher.applications.count()) == (0, 0, 0)
    assert (offer.num_orders, offer.num_applications, offer.total_discount) == (0, 0, 0)
    second = payment_of(sita.place())
    assert second.amount == 40_000
    khalti.pay(second.pidx or "")
    sita.come_back(second)
    voucher.refresh_from_db()
    assert (voucher.num_orders, voucher.total_discount, voucher.applications.count()) == (1, 100, 1)


def test_an_offer_for_once_per_customer_is_not_used_up_by_a_cancelled_payment(
    store: Store, sita: Shopper, khalti: Simulator
) -> None:
    voucher = store.coupon(usage="Multi-use")
    voucher.offers.update(max_user_applications=1, max_global_applications=1)
    sita.add(store.notebook)
    sita.use("WELCOME")
    sita.go_to_payment()
    sita.choose()
    first = payment_of(sita.place())
    khalti.cancel(first.pidx or "")
    sita.come_back(first)

    assert payment_of(sita.place()).amount == 40_000


def test_a_refused_initiate_leaves_everything_as_it_was_and_says_so(
    store: Store, anyone: Shopper, khalti: Simulator
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


def test_starting_again_gives_the_basket_back(store: Store, anyone: Shopper, khalti: Simulator) -> None:
    payment = payment_of(anyone.buy(store.notebook))

    page = anyone.browser.post(f"/khalti/again/{payment.token}/", follow=True)

    assert page.redirect_chain[-1][0] == "/shop/basket/"
    assert anyone.lines() == [("Lokta notebook", 1)]


def test_a_job_gives_the_basket_back_to_a_member_who_did_nothing_since(
    store: Store, sita: Shopper, khalti: Simulator
) -> None:
    payment = payment_of(sita.buy(store.notebook))
    khalti.expire(payment.pidx or "")

    flow.finish(payment)

    assert sita.lines() == [("Lokta notebook", 1)]


def test_a_job_sets_the_basket_aside_for_a_member_who_picks_something_else_now(
    store: Store, sita: Shopper, khalti: Simulator
) -> None:
    payment = payment_of(sita.buy(store.notebook))
    sita.add(store.pen)
    khalti.expire(payment.pidx or "")

    flow.finish(payment)

    assert sita.lines() == [("Gel pen", 1)]
    assert Basket.objects.get(pk=payment.purchase.origin).status == Basket.SAVED
    assert "saved" in text(sita.come_back(payment)).lower()


def test_two_baskets_set_aside_are_one_saved_basket(store: Store, sita: Shopper, khalti: Simulator) -> None:
    for product in (store.notebook, store.pen):
        payment = payment_of(sita.buy(product))
        other = store.add(f"Ruler {product.pk}", f"RULER-{product.pk}", rupees="60.00", stock=5)
        sita.add(other)
        khalti.expire(payment.pidx or "")
        flow.finish(payment)
        Basket.open.filter(owner=sita.user).delete()

    assert Basket.saved.get(owner=sita.user).lines.count() == 2
    assert sita.browser.get("/shop/basket/").status_code == 200


def test_a_payment_that_comes_after_its_expiry_places_the_order_with_stock_and_coupon_taken_again(
    store: Store, guest: Shopper, khalti: Simulator
) -> None:
    voucher = store.coupon()
    guest.add(store.notebook)
    guest.use("WELCOME")
    guest.go_to_payment()
    guest.choose()
    payment = payment_of(guest.place())
    khalti.expire(payment.pidx or "")
    flow.finish(payment)
    assert store.stock(store.notebook) == 20
    khalti.complete(payment.pidx or "")

    flow.finish(payment, insist=True)

    order = Order.objects.get()
    assert order.status == "Paid"
    assert store.stock(store.notebook) == 19
    assert [(line.num_allocated, line.allocation_cancelled) for line in order.lines.all()] == [(1, False)]
    voucher.refresh_from_db()
    assert (voucher.num_orders, voucher.applications.count()) == (1, 1)
    assert Basket.objects.get(pk=payment.purchase.origin).status == Basket.SUBMITTED
    assert Payment.objects.get().state == "fulfilled"


def test_a_late_payment_for_what_is_sold_out_is_for_staff_to_decide(
    store: Store, guest: Shopper, khalti: Simulator
) -> None:
    payment = payment_of(guest.buy(store.notebook))
    khalti.expire(payment.pidx or "")
    flow.finish(payment)
    store.notebook.stockrecords.update(num_in_stock=0)
    khalti.complete(payment.pidx or "")

    flow.finish(payment, insist=True)

    payment.refresh_from_db()
    assert payment.state == "paid"
    assert [flag.reason for flag in payment.flags.all()] == ["sold_out"]
    assert Order.objects.get().status == "Cancelled"
    assert store.stock(store.notebook) == 0
    page = guest.come_back(payment)
    assert page.redirect_chain[-1][0] == f"/khalti/status/{payment.token}/"


def test_the_order_is_the_frozen_cart_whatever_happens_to_products_while_paying(
    store: Store, guest: Shopper, khalti: Simulator
) -> None:
    payment = payment_of(guest.buy(store.notebook))
    store.notebook.stockrecords.update(price=9)
    get_model("catalogue", "Product").objects.filter(pk=store.notebook.pk).update(is_public=False)
    khalti.pay(payment.pidx or "")

    guest.come_back(payment)

    assert (Order.objects.get().status, Order.objects.get().total_incl_tax) == ("Paid", 500)


def test_a_stranger_with_the_link_does_not_get_the_basket(store: Store, guest: Shopper, khalti: Simulator) -> None:
    payment = payment_of(guest.buy(store.notebook))
    khalti.cancel(payment.pidx or "")
    stranger: Any = Client()

    page = stranger.get(f"/khalti/return/{payment.token}/", follow=True)

    assert page.redirect_chain[-1][0] == f"/khalti/status/{payment.token}/"
    assert stranger.get("/shop/basket/").context["basket"].is_empty
    assert guest.browser.get(f"/shop/checkout/khalti/{payment.token}/").status_code == 302
    assert guest.lines() == [("Lokta notebook", 1)]


def test_an_unknown_token_is_not_there(store: Store, guest: Shopper) -> None:
    assert guest.browser.get("/shop/checkout/khalti/nobody-knows-me/").status_code == 404
    assert not Purchase.objects.exists()


def test_a_coupon_for_the_delivery_is_used_and_given_back_too(store: Store, guest: Shopper, khalti: Simulator) -> None:
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

    guest.come_back(payment)

    offer.refresh_from_db()
    assert (offer.num_orders, offer.total_discount) == (0, 0)
    assert payment_of(guest.place()).amount == 50_000


def test_a_member_who_is_deleted_while_paying_leaves_a_placed_order(
    store: Store, sita: Shopper, khalti: Simulator
) -> None:
    """J08"""
    payment = payment_of(sita.buy(store.notebook))
    sita.user.delete()
    khalti.pay(payment.pidx or "")

    flow.finish(payment)

    assert Order.objects.get().status == "Paid"
    assert not get_model("loyalink_khalti", "Message").objects.filter(sent_at=None).exists()


def test_a_product_deleted_while_paying_is_delivered_as_it_was_sold(
    store: Store, guest: Shopper, khalti: Simulator
) -> None:
    """E04"""
    payment = payment_of(guest.buy(store.notebook, store.pen))
    store.notebook.delete()
    khalti.pay(payment.pidx or "")

    page = guest.come_back(payment)

    assert page.status_code == 200
    assert "Lokta notebook" in text(page)
    assert Order.objects.get().status == "Paid"


def test_what_a_member_picked_after_an_expiry_outlives_a_late_payment(
    store: Store, sita: Shopper, khalti: Simulator
) -> None:
    payment = payment_of(sita.buy(store.notebook))
    khalti.expire(payment.pidx or "")
    flow.finish(payment)
    sita.add(store.notebook, 2)
    sita.add(store.pen)
    assert sorted(sita.lines()) == [("Gel pen", 1), ("Lokta notebook", 3)]
    khalti.complete(payment.pidx or "")

    flow.finish(payment, insist=True)

    assert Order.objects.get().status == "Paid"
    assert sorted(sita.lines()) == [("Gel pen", 1), ("Lokta notebook", 2)]
    assert sita.place()["Location"].startswith("http")  # under another origin: these are other goods
