"""Himal Treks, bought at as its customers do; Khalti is simulated by the package's own fixtures."""

import re
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from himal.models import FundPage, GearPage, HomePage, TrekPage

from loyalink_khalti.hosts.page.models import Order, Stock
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator

DETAILS = {"name": "Mina Rai", "email": "mina@example.com", "phone": "9841234567"}


@pytest.fixture
def site(tmp_path: Any, settings: Any, db: None) -> HomePage:
    settings.MEDIA_ROOT = tmp_path
    call_command("load_demo", verbosity=0)
    return HomePage.objects.get()


def add(browser: Client, page: Any, **typed: Any) -> None:
    """Put a page into the basket; choices by their titles."""
    if "choice" in typed:
        typed["choice"] = next(each.id for each in page.product_choices() if each.title == typed["choice"])
    added = browser.post(f"/khalti/basket/add/{page.pk}/", {"quantity": 1, **typed}, follow=True)
    assert "lk-error" not in added.content.decode(), text(added)


def place(browser: Client, **typed: Any) -> Any:
    """Fill in the checkout, look at the total, and place the order."""
    shown = browser.post("/khalti/checkout/", {**DETAILS, **typed, "action": "update"})
    hidden = re.findall(r'<input[^>]*type="hidden"[^>]*>', shown.content.decode())
    fields = {match[1]: value_of(each) for each in hidden if (match := re.search(r'name="([^"]+)"', each))}
    placed = browser.post("/khalti/checkout/", {**fields, **DETAILS, **typed, "action": "place"})
    assert placed.status_code == 302, text(placed)
    return placed


def value_of(element: str) -> str:
    match = re.search(r'value="([^"]*)"', element)
    return match[1] if match else ""


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_every_page_is_shown(client: Client, site: HomePage) -> None:
    for page in (site, *site.get_children()):
        shown = client.get(page.url)
        assert shown.status_code == 200, page
        assert page.title in text(shown) or page == site
    for path in ("/login/", "/sandbox/mail/", "/khalti/basket/", "/khalti/order/", "/admin/login/"):
        assert client.get(path).status_code == 200, path


def test_the_demo_is_loaded_once(site: HomePage) -> None:
    call_command("load_demo", verbosity=0)

    assert (TrekPage.objects.count(), GearPage.objects.count(), FundPage.objects.count()) == (2, 2, 2)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_member_pays_the_deposit_of_a_trek_with_points_and_khalti(site: HomePage, khalti: Simulator) -> None:
    browser, trek = Client(), TrekPage.objects.get(slug="annapurna-base-camp")
    browser.login(username="sita", password="himal-demo")
    add(browser, trek, choice="24 March", quantity=2)

    placed = place(browser, payment_method="khalti", points="200")
    assert Payment.objects.exists(), text(browser.get(placed["Location"]))
    payment = Payment.objects.get()
    khalti.pay(str(payment.pidx))
    arrived = browser.get(khalti.return_urls(str(payment.pidx))[0], follow=True)

    assert placed["Location"] == payment.payment_url
    order = Order.objects.get()
    assert (order.status, order.subtotal, order.paid) == ("paid", 10_000_00, payment.amount)
    assert order.number in text(arrived)
    assert Stock.objects.get(product=trek.product, choice=trek.product_choices()[1].id).quantity == 2
    account = ledger.find_account("default", str(order.member_id))
    assert account is not None
    assert account.lifetime_redeemed == 200
    assert any(order.number in each.subject + each.body for each in mail.outbox)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_guest_buys_a_hat_and_gives_for_the_school(site: HomePage, khalti: Simulator) -> None:
    browser, hat, fund = Client(), GearPage.objects.get(slug="yak-wool-hat"), FundPage.objects.get(slug="school-fund")
    add(browser, hat, choice="M")
    add(browser, fund, amount="500", other_amount="")
    courier = re.search(r'name="delivery"[^>]*value="([^"]+)"', browser.get("/khalti/checkout/").content.decode())
    assert courier is not None

    placed = place(browser, payment_method="khalti", delivery=courier[1], address="Naxal Marga 7, Kathmandu")
    assert Payment.objects.exists(), text(browser.get(placed["Location"]))
    payment = Payment.objects.get()
    khalti.cancel(str(payment.pidx))
    cancelled = browser.get(khalti.return_urls(str(payment.pidx))[0], follow=True)
    placed = place(browser, payment_method="cod", delivery=courier[1], address="Naxal Marga 7, Kathmandu")

    assert "Yak wool hat" in text(cancelled)
    order = Order.objects.get(status="pending")
    assert (order.subtotal, order.shipping, order.paid) == (1_950_00, 150_00, 0)
    assert placed["Location"].endswith(f"/{order.number}/")
    assert Stock.objects.get(product=hat.product, choice=hat.product_choices()[1].id).quantity == 0
