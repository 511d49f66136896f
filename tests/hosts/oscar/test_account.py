"""The points card in the customer's account."""

import re

from django.contrib.auth import get_user_model
from django.test import Client
from wagtail.models import Site

from loyalink_khalti import conf, flow
from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Store, new_member, only_order, payment_of, text

PASSWORD = "ink-and-paper-9"


def test_the_points_card_shows_balance_tier_and_history(store: Store, sita: Customer, khalti: Simulator) -> None:
    payment = payment_of(sita.buy(store.notebook, points=500))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)

    page = sita.browser.get("/shop/accounts/points/")

    assert page.status_code == 200
    card = text(page)
    assert "745 points available" in card
    assert "worth Rs 74.50" in card
    assert "Silver" in card
    assert "Reserved" not in card  # the reserved points are used by now
    assert re.search(r"Used [\w-]+ −500 Balance 700 ", card)
    assert "Points from before +1,200 Balance 1,200 Balance before 0" in card
    assert f"/shop/accounts/orders/{only_order().number}/" in page.content.decode()


def test_the_points_card_stays_when_the_site_gets_another_host_name_and_another_is_made_the_default(
    store: Store, sita: Customer
) -> None:
    """M11"""
    default = Site.objects.get(is_default_site=True)
    books = Site.objects.create(hostname="books.example", root_page=default.root_page)
    key = conf.site_key_of(books)
    ledger.adjust(site_key=key, member_id=str(sita.user.pk), points=77, key="gift", reason="goodwill")
    default.hostname = "shop.example"
    default.save()

    Site.objects.update(is_default_site=False)
    books.hostname, books.is_default_site = "kitab.example", True
    books.save()

    cards = [
        text(sita.browser.get("/shop/accounts/points/", headers={"host": host}))
        for host in ("kitab.example", "shop.example")
    ]
    assert "77 points available" in cards[0]
    assert "1,200 points available" in cards[1]


def test_points_reserved_for_a_pending_payment_are_shown_without_a_link_to_the_held_order(
    store: Store, sita: Customer
) -> None:
    sita.buy(store.notebook, points=500)

    page = sita.browser.get("/shop/accounts/points/")

    assert "Reserved for a pending payment 500" in text(page)
    assert only_order().number not in page.content.decode()


def test_the_points_card_is_in_the_account_navigation(store: Store, sita: Customer) -> None:
    assert 'href="/shop/accounts/points/"' in sita.browser.get("/shop/accounts/profile/").content.decode()


def test_the_programmes_name_and_text_are_on_the_points_card_and_at_the_checkout(store: Store, sita: Customer) -> None:
    site = Site.objects.get(is_default_site=True)
    before = text(sita.browser.get("/shop/accounts/points/"))
    LoyaltySettings.objects.create(site=site, name="Lokta <b>stars</b>", text="Thank you for reading")

    sita.add(store.notebook)
    card, checkout = sita.browser.get("/shop/accounts/points/"), sita.go_to_payment()

    assert "stars" not in before
    assert "Thank you for reading" in text(card)
    assert re.search(r"<h1[^>]*>\s*Lokta &lt;b&gt;stars&lt;/b&gt;", card.content.decode())
    assert '<h2 id="lk-use-points-title">Lokta &lt;b&gt;stars&lt;/b&gt;</h2>' in checkout.content.decode()


def test_a_programme_without_a_name_is_called_points(store: Store, sita: Customer) -> None:
    sita.add(store.notebook)

    checkout = sita.go_to_payment()

    assert re.search(r"<h1[^>]*>\s*Points\s*</h1>", sita.browser.get("/shop/accounts/points/").content.decode())
    assert '<h2 id="lk-use-points-title">Use points</h2>' in checkout.content.decode()


def test_a_guest_is_asked_to_log_in(store: Store, guest: Customer) -> None:
    assert guest.browser.get("/shop/accounts/points/")["Location"].startswith("/shop/accounts/login/")


def test_a_customer_whose_account_was_merged_is_told_so_and_uses_no_points_of_the_other(
    store: Store, sita: Customer
) -> None:
    """M6: Gita's points were moved to Sita."""
    gita = new_member("gita@example.com", points=500)
    ledger.merge(site_key="default", member_id=str(gita.user.pk), into=str(sita.user.pk))

    card, others = text(gita.browser.get("/shop/accounts/points/")), text(sita.browser.get("/shop/accounts/points/"))
    gita.add(store.notebook)
    checkout = text(gita.go_to_payment())

    assert "points were moved to another account on" in card
    assert "new orders with this account earn no points" in card
    assert "1,700" not in card
    assert "points available" not in card
    assert "Your points were moved to another account. Log in with that one" in checkout
    assert "You will earn" not in checkout
    assert "1,700 points available" in others
    assert "moved to another account" not in re.sub("History.*", "", others)


def test_registering_with_the_box_ticked_accepts_the_terms_that_the_form_has_shown(store: Store) -> None:
    browser = Client()
    form = browser.get("/shop/accounts/login/").content.decode()
    shown = re.search(r'name="accept_terms" value="([^"]+)"', form)
    assert shown is not None

    accepted = {}
    for email, ticked in (("gita@example.com", {"accept_terms": shown[1]}), ("hari@example.com", {})):
        values = {"registration-email": email, "registration-password1": PASSWORD, "registration-password2": PASSWORD}
        Client().post("/shop/accounts/login/", {**values, **ticked, "registration_submit": "Register"})
        member_id = str(get_user_model().objects.get(email=email).pk)
        accepted[email] = flow.membership(site_key="default", member_id=member_id).terms_version

    assert accepted == {"gita@example.com": flow.program_terms("default").version, "hari@example.com": ""}


def test_the_thank_you_page_has_the_new_balance_and_the_way_to_the_next_tier(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    payment = payment_of(sita.buy(store.notebook, points=500))
    khalti.pay(payment.pidx or "")

    page = sita.return_from_khalti(payment)

    shown = text(page)
    assert "You have 745 points now, worth Rs 74.50." in shown
    assert "455 more points to Gold" in shown
    assert "45 of 500 earned" in shown
    assert 'href="/shop/accounts/points/"' in page.content.decode()
