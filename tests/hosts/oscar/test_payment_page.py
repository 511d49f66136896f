"""The payment page: what it shows, and what it says to bad input."""

import re
import time
from typing import Any

import pytest
from bs4 import BeautifulSoup
from pytest_django import Settings
from wagtail.models import Site

from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.errors import KhaltiUnreachable
from loyalink_khalti.khalti.gate import SILENCES, gate
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.simulator import Simulator

from .conftest import Order, Shopper, Store, available, new_member, payment_of, text


@pytest.fixture
def at_payment(store: Store, sita: Shopper) -> Shopper:
    """Sita with a notebook for Rs 500 in her basket, in front of the payment page."""
    sita.add(store.notebook)
    sita.go_to_payment()
    return sita


def test_a_member_sees_what_the_order_earns_and_what_can_be_spent(at_payment: Shopper) -> None:
    page = text(at_payment.browser.get("/shop/checkout/payment-method/"))

    assert "This order earns you 50 points" in page
    assert "You have 1,200 points" in page
    assert "up to 1,200 on this order, worth Rs 120.00" in page
    assert "Test mode: no money moves" in page


def test_a_guest_sees_what_a_member_would_earn_and_no_field_for_points(store: Store, guest: Shopper) -> None:
    guest.add(store.notebook)

    page = guest.go_to_payment()

    assert "A member would earn 50 points" in text(page)
    assert 'name="points"' not in page.content.decode()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("1300", "You have 1,200 points"),
        ("-100", "cannot be negative"),
        ("many", "whole number"),
        ("12.5", "whole number"),
        ("9" * 40, "You have 1,200 points"),
        ("105", "in steps of 10, from 100"),
        ("50", "in steps of 10, from 100"),
    ],
)
def test_points_that_cannot_be_spent_show_the_form_again_with_the_reason(
    store: Store, at_payment: Shopper, typed: str, words: str
) -> None:
    """D07"""
    answer = at_payment.choose(points=typed)

    assert answer.status_code == 200
    assert words in text(answer)
    assert answer.context["form"].errors["points"]
    assert at_payment.lines() == [("Lokta notebook", 1)]
    assert available(at_payment) == 1200
    assert at_payment.browser.get("/shop/checkout/preview/").status_code == 302  # nothing has been chosen yet


def test_points_that_leave_less_than_khalti_takes_name_those_that_fit(store: Store) -> None:
    """D14"""
    rich = new_member("ram@example.com", points=9000)
    rich.add(store.notebook)
    rich.go_to_payment()

    answer = rich.choose(points="4950")

    assert "Rs 5.00" in text(answer)
    assert "4,900 or 5,000" in text(answer)
    assert rich.choose("cod", points="4950").status_code == 302


def test_a_guest_who_sends_points_is_told_to_log_in(store: Store, guest: Shopper) -> None:
    guest.add(store.notebook)
    guest.go_to_payment()

    answer = guest.choose(points="100")

    assert answer.status_code == 200
    assert "Log in to spend points" in text(answer)


@pytest.mark.parametrize("method", ["", "cash", "points", "khalti\x00", "किनमेल"])
def test_a_method_that_is_not_offered_shows_the_form_again(at_payment: Shopper, method: str) -> None:
    answer = at_payment.choose(method)

    assert answer.status_code == 200
    assert "lease choose" in text(answer)


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ({"minimum_order": 60_000}, "This shop takes Khalti for orders from Rs 600.00 on."),
        ({"maximum_order": 40_000}, "This shop takes Khalti for orders up to Rs 400.00."),
        ({"audience": "staff"}, "Khalti is being tried out in this shop and is not open to customers yet."),
    ],
)
def test_where_editors_do_not_offer_khalti_it_is_greyed_with_its_reason_and_not_taken(
    at_payment: Shopper, chosen: dict[str, Any], why: str
) -> None:
    KhaltiSettings.objects.create(site=Site.objects.get(is_default_site=True), **chosen)

    page = at_payment.browser.get("/shop/checkout/payment-method/")
    answer = at_payment.choose("khalti")

    greyed = BeautifulSoup(page.content.decode(), "html.parser").select_one(".lk-off")
    assert greyed is not None
    assert why in greyed.get_text()
    assert str(greyed.select("input[disabled]")).count('value="khalti"') == 1
    assert (answer.status_code, why in text(answer)) == (200, True)
    assert at_payment.choose("cod").status_code == 302


def test_a_guest_is_asked_to_log_in_where_khalti_is_for_members(store: Store, guest: Shopper, sita: Shopper) -> None:
    KhaltiSettings.objects.create(site=Site.objects.get(is_default_site=True), audience="members")
    guest.add(store.notebook)
    sita.add(store.notebook)

    pages = text(guest.go_to_payment()), text(sita.go_to_payment())

    assert ["Log in to pay with Khalti." in page for page in pages] == [True, False]


def test_khalti_chosen_before_editors_withdrew_it_is_not_begun(at_payment: Shopper, khalti: Simulator) -> None:
    at_payment.choose("khalti")
    KhaltiSettings.objects.create(site=Site.objects.get(is_default_site=True), minimum_order=60_000)

    answer = at_payment.place()

    assert answer["Location"] == "/shop/checkout/payment-method/"
    assert Purchase.objects.count() == 0
    assert at_payment.lines() == [("Lokta notebook", 1)]


def test_the_methods_offered_are_a_setting(at_payment: Shopper, settings: Settings) -> None:
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI,
        "OSCAR": {"METHODS": ["bank_transfer", "khalti"], "TEXTS": {"bank_transfer": "Nabil Bank 0123"}},
    }

    page = at_payment.browser.get("/shop/checkout/payment-method/")

    assert [method.code for method in page.context["form"].methods] == ["bank_transfer", "khalti"]
    assert "Nabil Bank 0123" in text(page)
    assert at_payment.choose("cod").status_code == 200


def test_a_basket_below_rs_10_shows_khalti_greyed_with_the_reason(store: Store, guest: Shopper) -> None:
    """D14"""
    guest.add(store.add("Clip", "CLIP-1", rupees="4.00", stock=9))

    page = guest.go_to_payment()

    assert "Khalti takes no less than Rs 10.00" in text(page)
    assert guest.choose("khalti").status_code == 200
    assert guest.choose("cod").status_code == 302


def test_a_basket_in_another_currency_is_not_sold(store: Store, guest: Shopper) -> None:
    """D08"""
    guest.add(store.add("Import", "USD-1", rupees="4.00", stock=9, currency="USD"))

    page = guest.go_to_payment()
    answer = guest.choose("cod")

    assert "Nepalese rupees only" in text(page)
    assert answer.status_code == 200
    assert guest.browser.get("/shop/checkout/preview/", follow=True).redirect_chain[0][0].endswith("payment-method/")
    assert not Order.objects.exists()


def test_the_preview_shows_method_points_and_the_total_after_them(at_payment: Shopper) -> None:
    at_payment.choose(points=500)

    page = text(at_payment.browser.get("/shop/checkout/preview/"))

    assert "500 points" in page
    assert "Loyalty points" in page
    assert "Rs 450.00" in page


def test_payment_details_lead_to_the_preview(at_payment: Shopper) -> None:
    chosen = at_payment.choose(points=500)

    assert chosen["Location"] == "/shop/checkout/payment-details/"
    assert at_payment.browser.get(chosen["Location"])["Location"] == "/shop/checkout/preview/"


def test_points_that_cover_all_can_be_changed_again(store: Store) -> None:
    rich = new_member("ram@example.com", points=6000)
    rich.add(store.notebook)
    rich.go_to_payment()
    rich.choose(points=5000)

    assert rich.browser.get("/shop/checkout/payment-method/").status_code == 200
    rich.choose(points=0)
    assert payment_of(rich.place()).amount == 50_000


def test_points_that_no_longer_fit_a_smaller_basket_are_chosen_again(store: Store) -> None:
    rich = new_member("ram@example.com", points=6000)
    rich.add(store.notebook)
    rich.add(store.pen)
    rich.go_to_payment()
    rich.choose(points=5000)
    basket = rich.browser.get("/shop/basket/").context["basket"]
    basket.lines.filter(product=store.notebook).delete()

    answer = rich.browser.post("/shop/checkout/preview/", {"action": "place_order"}, follow=True)

    assert answer.redirect_chain[0][0] == "/shop/checkout/payment-method/"
    assert "more than there is to pay" in text(answer)
    assert not Order.objects.exists()


def test_without_a_choice_there_is_no_preview_and_no_order(at_payment: Shopper) -> None:
    assert at_payment.browser.get("/shop/checkout/preview/")["Location"] == "/shop/checkout/payment-method/"
    assert at_payment.place()["Location"] == "/shop/checkout/payment-method/"
    assert not Order.objects.exists()


def test_an_empty_basket_is_not_ordered(store: Store, guest: Shopper) -> None:
    guest.browser.post("/shop/checkout/", {"username": guest.email, "options": "anonymous"})

    answer = guest.browser.post("/shop/checkout/preview/", {"action": "place_order"}, follow=True)

    assert answer.redirect_chain[0][0] == "/shop/basket/"
    assert not Order.objects.exists()


def test_what_sold_out_meanwhile_is_said_and_nothing_is_held(store: Store, at_payment: Shopper) -> None:
    at_payment.choose(points=500)
    store.notebook.stockrecords.update(num_in_stock=0)

    answer = at_payment.browser.post("/shop/checkout/preview/", {"action": "place_order"}, follow=True)

    assert answer.redirect_chain[-1][0] == "/shop/basket/"
    assert "no longer available" in text(answer)
    assert at_payment.lines() == [("Lokta notebook", 1)]
    assert available(at_payment) == 1200
    assert not Purchase.objects.exists()


def test_a_coupon_used_up_meanwhile_is_said_and_nothing_is_held(store: Store, sita: Shopper, guest: Shopper) -> None:
    store.coupon()
    for shopper in (sita, guest):
        shopper.add(store.notebook)
        shopper.use("WELCOME")
        shopper.go_to_payment()
        shopper.choose("cod")
    sita.place()

    answer = guest.browser.post("/shop/checkout/preview/", {"action": "place_order"}, follow=True)

    assert "WELCOME" in text(answer)
    assert Order.objects.count() == 1
    assert store.stock(store.notebook) == 19


def test_a_total_that_changed_since_the_preview_is_shown_again(store: Store, at_payment: Shopper) -> None:
    at_payment.choose()
    seen = at_payment.browser.get("/shop/checkout/preview/").context["seen"]
    store.notebook.stockrecords.update(price=550)

    answer = at_payment.browser.post(
        "/shop/checkout/preview/", {"action": "place_order", "seen": str(seen)}, follow=True
    )

    assert "The total has changed" in text(answer)
    assert not Order.objects.exists()


@pytest.mark.parametrize("seen", ["", "x", "-1", "9" * 5000, "५००"])
def test_a_forged_total_changes_no_price(store: Store, at_payment: Shopper, seen: str) -> None:
    """D06"""
    at_payment.choose()

    assert payment_of(at_payment.place(seen=seen, total="1", points="1200")).amount == 50_000


def test_khalti_that_is_not_set_up_is_greyed_with_the_reason(
    at_payment: Shopper, khalti: Simulator, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KHALTI_SECRET_KEY", raising=False)
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": ""}

    page = at_payment.browser.get("/shop/checkout/payment-method/")

    assert "Khalti is not set up in this shop yet" in text(page)
    assert at_payment.choose("khalti").status_code == 200
    assert at_payment.choose("cod").status_code == 302


def silence(khalti: Simulator) -> None:
    """This process has asked in vain as often as it takes."""
    for _time in range(SILENCES):
        with pytest.raises(KhaltiUnreachable), gate(khalti.base_url).asking(can_wait=False):
            raise KhaltiUnreachable("no answer")


def test_khalti_that_does_not_answer_is_greyed_with_the_reason(at_payment: Shopper, khalti: Simulator) -> None:
    """C01, I14: nobody is sent into a wall, and the other methods sell on."""
    silence(khalti)

    page = at_payment.browser.get("/shop/checkout/payment-method/")

    assert "Khalti does not answer just now. Try again in a minute, or pay another way." in text(page)
    assert [method.code for method in page.context["form"].methods if method.off] == ["khalti"]
    assert at_payment.choose("khalti").status_code == 200
    assert at_payment.choose("cod").status_code == 302


def preselected(page: Any) -> str | None:
    found = re.search(r'value="(\w+)"\s+checked', page.content.decode())
    return found[1] if found else None


def test_the_shops_first_method_is_preselected(at_payment: Shopper) -> None:
    assert preselected(at_payment.browser.get("/shop/checkout/payment-method/")) == "khalti"


@pytest.mark.parametrize("chosen_before", [True, False])
def test_where_it_is_off_nobody_is_led_to_pay_another_way_unasked(
    at_payment: Shopper, khalti: Simulator, chosen_before: bool
) -> None:
    if chosen_before:
        at_payment.choose("khalti")
    silence(khalti)

    page = at_payment.browser.get("/shop/checkout/payment-method/")

    assert preselected(page) is None
    assert "Please choose how to pay" in text(at_payment.browser.post("/shop/checkout/payment-method/", {}))


def test_what_was_chosen_stays_chosen(at_payment: Shopper, khalti: Simulator) -> None:
    at_payment.choose("cod")
    silence(khalti)

    assert preselected(at_payment.browser.get("/shop/checkout/payment-method/")) == "cod"


def test_whoever_has_chosen_khalti_before_it_fell_silent_is_told_and_holds_nothing(
    store: Store, at_payment: Shopper, khalti: Simulator
) -> None:
    """C01, C03"""
    at_payment.choose(points=500)
    silence(khalti)

    answer = at_payment.browser.post("/shop/checkout/preview/", {"action": "place_order"}, follow=True)

    assert answer.redirect_chain[-1][0] == "/shop/checkout/payment-method/"
    assert "Khalti does not answer just now" in text(answer)
    assert at_payment.lines() == [("Lokta notebook", 1)]
    assert available(at_payment) == 1200
    assert not Purchase.objects.exists()


def test_once_khalti_may_be_tried_again_it_is_offered(
    store: Store, at_payment: Shopper, khalti: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence(khalti)
    clock = time.monotonic
    monkeypatch.setattr(gate(khalti.base_url), "_clock", lambda: clock() + 60)

    assert at_payment.choose("khalti", points=0).status_code == 302
    assert payment_of(at_payment.place()).amount == 50_000


def test_a_payment_is_not_continued_into_silence(store: Store, at_payment: Shopper, khalti: Simulator) -> None:
    at_payment.choose("khalti")
    payment = payment_of(at_payment.place())
    address = f"/khalti/status/{payment.token}/"
    assert "Continue to Khalti" in text(at_payment.browser.get(address))
    silence(khalti)

    page = text(at_payment.browser.get(address))

    assert "Khalti does not answer just now." in page
    assert "Continue to Khalti" not in page
    assert "Look again now" in page
