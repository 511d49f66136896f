"""The points card in the customer's account."""

import re

from wagtail.models import Site

from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.simulator import Simulator

from .conftest import Shopper, Store, only_order, payment_of, text


def test_the_card_shows_balance_level_and_history(store: Store, sita: Shopper, khalti: Simulator) -> None:
    payment = payment_of(sita.buy(store.notebook, points=500))
    khalti.pay(payment.pidx or "")
    sita.come_back(payment)

    page = sita.browser.get("/shop/accounts/points/")

    assert page.status_code == 200
    words = text(page)
    assert "745 points to spend" in words
    assert "worth Rs 74.50" in words
    assert "Silver" in words
    assert "Reserved" not in words  # what was set aside has been spent by now
    assert re.search(r"Spent [\w-]+ −500", words)
    assert f"/shop/accounts/orders/{only_order().number}/" in page.content.decode()


def test_points_set_aside_for_a_waiting_payment_are_shown_without_a_link_to_the_held_order(
    store: Store, sita: Shopper
) -> None:
    sita.buy(store.notebook, points=500)

    page = sita.browser.get("/shop/accounts/points/")

    assert "Set aside for a payment that waits 500" in text(page)
    assert only_order().number not in page.content.decode()


def test_the_card_is_in_the_account_navigation(store: Store, sita: Shopper) -> None:
    assert 'href="/shop/accounts/points/"' in sita.browser.get("/shop/accounts/profile/").content.decode()


def test_the_programmes_name_and_text_are_read_on_the_card_and_at_the_checkout(store: Store, sita: Shopper) -> None:
    site = Site.objects.get(is_default_site=True)
    before = text(sita.browser.get("/shop/accounts/points/"))
    LoyaltySettings.objects.create(site=site, name="Lokta <b>stars</b>", text="Thank you for reading")

    sita.add(store.notebook)
    card, checkout = sita.browser.get("/shop/accounts/points/"), sita.go_to_payment()

    assert "stars" not in before
    assert "Thank you for reading" in text(card)
    assert re.search(r"<h1[^>]*>\s*Lokta &lt;b&gt;stars&lt;/b&gt;", card.content.decode())
    assert "<legend>Lokta &lt;b&gt;stars&lt;/b&gt;</legend>" in checkout.content.decode()


def test_a_programme_without_a_name_is_called_points(store: Store, sita: Shopper) -> None:
    sita.add(store.notebook)

    checkout = sita.go_to_payment()

    assert re.search(r"<h1[^>]*>\s*Points\s*</h1>", sita.browser.get("/shop/accounts/points/").content.decode())
    assert "<legend>Spend points</legend>" in checkout.content.decode()


def test_a_guest_is_asked_to_log_in(store: Store, guest: Shopper) -> None:
    assert guest.browser.get("/shop/accounts/points/")["Location"].startswith("/shop/accounts/login/")
